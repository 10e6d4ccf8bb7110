// SPDX-License-Identifier: GPL-2.0
/*
 * The interpreter's frame: fetch, decode, dispatch, commit; and the memory
 * access every execute function goes through.
 */
#include "tlb.h"

/* ---- faults ---- */

int rvm_x_fault(struct rvm_insn *insn, u8 vector, u32 error)
{
	insn->fault = (struct rvm_fault){
		.vector = vector, .has_error = true, .error = error,
	};
	return RVM_INSN_FAULT;
}

int rvm_x_fault_noerr(struct rvm_insn *insn, u8 vector)
{
	insn->fault = (struct rvm_fault){ .vector = vector };
	return RVM_INSN_FAULT;
}

/* ---- memory ---- */

static int seg_fault(struct rvm_insn *insn, u32 seg, u32 acc)
{
	return rvm_x_fault(insn, seg == RVM_SS || (acc & RVM_ACC_STACK) ? RVM_SSF : RVM_GP, 0);
}

/* May a segment of this type be accessed so (SDM vol. 3 table 3-1)? */
static bool type_allows(u32 attr, u32 acc)
{
	if (acc & RVM_ACC_FETCH)
		return true;
	if (attr & RVM_SEG_CODE)
		return !(acc & RVM_ACC_WRITE) && (attr & RVM_SEG_W);
	return !(acc & RVM_ACC_WRITE) || (attr & RVM_SEG_W);
}

bool rvm_in_limit(const struct rvm_insn *insn, const struct rvm_seg *s, u32 off, u32 len)
{
	u32 last = off + len - 1;

	if ((s->attr & (RVM_SEG_CODE | RVM_SEG_E)) == RVM_SEG_E && rvm_is_protmode(insn->cpu)) {
		u32 top = s->attr & RVM_SEG_DB ? 0xffffffff : 0xffff;

		return off > s->limit && last >= off && last <= top;
	}
	/*
	 * Across the top of a segment of 4 GiB: SDM vol. 3 §5.3 leaves it open.
	 * Intel's CPUs wrap, AMD's fault.
	 */
	if (s->limit == 0xffffffff && insn->intel)
		return true;
	return last >= off && last <= s->limit;
}

int rvm_linear_slow(struct rvm_insn *insn, u32 seg, u64 ea, u32 len, u32 acc, u64 *gla)
{
	const struct rvm_cpu *cpu = insn->cpu;
	const struct rvm_seg *s = &cpu->seg[seg];

	if (rvm_is_64bit(cpu)) {
		bool la57 = cpu->cr4 & RVM_CR4_LA57;
		u64 lin = seg >= RVM_FS ? ea + s->base : ea;

		if (!rvm_canonical(lin, la57) || !rvm_canonical(lin + len - 1, la57))
			return seg_fault(insn, seg, acc);
		/* AMD's CPUs want the offset canonical even where a base makes up for it */
		if (seg >= RVM_FS && !insn->intel && !rvm_canonical(ea, la57))
			return seg_fault(insn, seg, acc);
		*gla = lin;
	} else {
		u32 off = ea;

		if (s->attr & RVM_SEG_UNUSABLE)
			return seg_fault(insn, seg, acc);
		if (rvm_prot_not_v86(cpu) && !type_allows(s->attr, acc))
			return seg_fault(insn, seg, acc);
		if (!rvm_in_limit(insn, s, off, len))
			return seg_fault(insn, seg, acc);
		*gla = (u32)(s->base + off);
	}
	/* #AC before a page fault: so do CPUs, whatever SDM vol. 3 table 6-2 ranks */
	if (unlikely((cpu->rflags & RVM_FL_AC) && (cpu->cr0 & RVM_CR0_AM) && cpu->cpl == 3) &&
	    !(acc & RVM_ACC_IMPLICIT) && len <= 8 && (*gla & (len - 1)))
		return rvm_x_fault(insn, RVM_AC, 0);
	return 0;
}

/* Bytes of [gla, gla + len) below 4 GiB, outside 64-bit mode, else all. */
static u32 below_wrap(const struct rvm_insn *insn, u64 gla, u32 len)
{
	if (gla + len > 0x100000000ull && gla < 0x100000000ull && !rvm_is_long(insn->cpu))
		return 0x100000000ull - gla;
	return len;
}

/* Single accesses of the host's where the guest's would be. */
static bool host_read(u64 host, void *buf, u32 len)
{
	u64 v;

	switch (len) {
	case 1:
	case 2:
	case 4:
	case 8:
		if (!rvm_host_load(host, &v, len))
			return false;
		memcpy(buf, &v, len);
		return true;
	default:
		return rvm_host_read(host, buf, len);
	}
}

static bool host_write(u64 host, const void *buf, u32 len)
{
	u64 v = 0;

	switch (len) {
	case 1:
	case 2:
	case 4:
	case 8:
		memcpy(&v, buf, len);
		return rvm_host_store(host, v, len);
	default:
		return rvm_host_write(host, buf, len);
	}
}

int rvm_read(struct rvm_insn *insn, u64 gla, void *buf, u32 len, u32 acc)
{
	u32 part = below_wrap(insn, gla, len);
	u64 host;

	acc |= RVM_ACC_READ;
	if (rvm_tlb_find(insn, gla, len, RVM_TLB_READ, acc, &host) && host_read(host, buf, len))
		return 0;
	if (likely(part == len))
		return insn->ops->read(insn, gla, buf, len, acc);
	TRY(insn->ops->read(insn, gla, buf, part, acc));
	return insn->ops->read(insn, 0, (u8 *)buf + part, len - part, acc);
}

int rvm_probe(struct rvm_insn *insn, u64 gla, u32 len, u32 acc)
{
	u32 part = below_wrap(insn, gla, len);
	u64 host;

	acc |= RVM_ACC_WRITE;
	if (rvm_tlb_find(insn, gla, len, RVM_TLB_WRITE, acc, &host))
		return 0;
	if (likely(part == len))
		return insn->ops->probe_write(insn, gla, len, acc);
	TRY(insn->ops->probe_write(insn, gla, part, acc));
	return insn->ops->probe_write(insn, 0, len - part, acc);
}

int rvm_write(struct rvm_insn *insn, u64 gla, const void *buf, u32 len, u32 acc)
{
	u32 part = below_wrap(insn, gla, len);
	u64 host;

	acc |= RVM_ACC_WRITE;
	if (rvm_tlb_find(insn, gla, len, RVM_TLB_WRITE, acc, &host) && host_write(host, buf, len))
		return 0;
	if (likely(part == len))
		return insn->ops->write(insn, gla, buf, len, acc);
	TRY(rvm_probe(insn, gla, len, acc));
	TRY(insn->ops->write(insn, gla, buf, part, acc));
	return insn->ops->write(insn, 0, (const u8 *)buf + part, len - part, acc);
}

int rvm_cmpxchg(struct rvm_insn *insn, u64 gla, void *old, const void *new_val, u32 len, u32 acc)
{
	u64 host, found[2] = { 0 }, val[2] = { 0 };
	bool done = false;

	/* A locked access that is not aligned may be anything but cheap for the
	 * host, or not be allowed at all (#AC on split locks): the callback's. */
	acc |= RVM_ACC_READ | RVM_ACC_WRITE | RVM_ACC_LOCKED;
	if ((gla & (len - 1)) || !rvm_tlb_find(insn, gla, len, RVM_TLB_WRITE, acc, &host))
		return insn->ops->cmpxchg_mem(insn, gla, old, new_val, len, acc);
	memcpy(found, old, len);
	memcpy(val, new_val, len);
	switch (len) {
	case 1:
	case 2:
	case 4:
	case 8:
		done = rvm_host_cmpxchg(host, found, val[0], len);
		break;
	case 16:
		done = !(insn->hide & RVM_HIDE_CX16) && rvm_host_cmpxchg16(host, found, val);
		break;
	}
	if (unlikely(!done))
		return insn->ops->cmpxchg_mem(insn, gla, old, new_val, len, acc);
	memcpy(old, found, len);
	return 0;
}

int rvm_read_sys(struct rvm_insn *insn, u64 gla, void *buf, u32 len)
{
	if (!rvm_is_long(insn->cpu))
		gla = (u32)gla;
	return rvm_read(insn, gla, buf, len, RVM_ACC_IMPLICIT);
}

int rvm_write_sys(struct rvm_insn *insn, u64 gla, const void *buf, u32 len)
{
	if (!rvm_is_long(insn->cpu))
		gla = (u32)gla;
	return rvm_write(insn, gla, buf, len, RVM_ACC_IMPLICIT);
}

int rvm_opnd_read_slow(struct rvm_insn *insn, const struct rvm_decoded *d, u32 size, u64 *val)
{
	u64 gla;

	TRY(rvm_mem_addr(insn, d, size, RVM_ACC_READ, &gla));
	return rvm_read_val(insn, gla, val, size, 0);
}

int rvm_opnd_write_slow(struct rvm_insn *insn, const struct rvm_decoded *d, u32 size, u64 val)
{
	u64 gla;

	TRY(rvm_mem_addr(insn, d, size, RVM_ACC_WRITE, &gla));
	return rvm_write(insn, gla, &val, size, 0);
}

int rvm_opnd_read_mem(struct rvm_insn *insn, const struct rvm_decoded *d, u32 size, u64 *val)
{
	u64 host;

	if (likely(rvm_hot_addr(insn, d->seg, rvm_ea(insn, d), size, RVM_TLB_READ, &host))) {
		*val = 0;
		if (host_read(host, val, size))
			return 0;
	}
	return rvm_opnd_read_slow(insn, d, size, val);
}

int rvm_opnd_write_mem(struct rvm_insn *insn, const struct rvm_decoded *d, u32 size, u64 val)
{
	u64 host;

	if (likely(rvm_hot_addr(insn, d->seg, rvm_ea(insn, d), size, RVM_TLB_WRITE, &host)) &&
	    host_write(host, &val, size))
		return 0;
	return rvm_opnd_write_slow(insn, d, size, val);
}

int rvm_rmw_begin_at(struct rvm_insn *insn, struct rvm_rmw *m, u64 gla, u32 size, bool lock)
{
	u32 acc = lock ? RVM_ACC_LOCKED : 0;

	m->gla = gla;
	m->size = size;
	m->lock = lock;
	m->tries = 0;
	/* locked accesses: as rvm_cmpxchg() */
	if (!(lock && (gla & (size - 1))) &&
	    rvm_tlb_find(insn, gla, size, RVM_TLB_WRITE, acc, &m->host) &&
	    rvm_host_load(m->host, &m->old, size))
		return 0;
	m->host = 0;
	TRY(rvm_probe(insn, gla, size, acc));
	return rvm_read_val(insn, gla, &m->old, size, acc);
}

int rvm_rmw_begin(struct rvm_insn *insn, const struct rvm_decoded *d, struct rvm_rmw *m,
		  u32 size, bool lock)
{
	u64 gla;

	TRY(rvm_mem_addr(insn, d, size, RVM_ACC_READ | RVM_ACC_WRITE, &gla));
	return rvm_rmw_begin_at(insn, m, gla, size, lock || (d->prefix & RVM_P_LOCK));
}

int rvm_rmw_end(struct rvm_insn *insn, struct rvm_rmw *m, u64 val)
{
	u64 found = m->old;

	if (!m->lock) {
		if (likely(m->host) && rvm_host_store(m->host, val, m->size))
			return 0;
		return rvm_write(insn, m->gla, &val, m->size, 0);
	}
	if (below_wrap(insn, m->gla, m->size) != m->size)
		return rvm_write(insn, m->gla, &val, m->size, 0);
	if (!m->host || !rvm_host_cmpxchg(m->host, &found, val, m->size))
		TRY(rvm_cmpxchg(insn, m->gla, &found, &val, m->size, 0));
	if (found == m->old)
		return 0;
	m->old = found;
	/* Nothing is changed yet: the caller's loop may look for signals. */
	return ++m->tries < RVM_RMW_TRIES ? RVM_X_AGAIN : RVM_INSN_RETRY;
}

/* ---- stack ---- */

/* All that may fault in the push that follows. */
int rvm_check_push(struct rvm_insn *insn, const struct rvm_stack *s, u32 size)
{
	u64 sp = (s->sp - size) & rvm_mask(s->asize), gla;

	TRY(rvm_linear_slow(insn, RVM_SS, sp, size, RVM_ACC_WRITE | RVM_ACC_STACK, &gla));
	return rvm_probe(insn, gla, size, RVM_ACC_STACK);
}

int rvm_push(struct rvm_insn *insn, struct rvm_stack *s, u32 size, u64 val)
{
	u64 sp = (s->sp - size) & rvm_mask(s->asize), gla;

	TRY(rvm_linear_slow(insn, RVM_SS, sp, size, RVM_ACC_WRITE | RVM_ACC_STACK, &gla));
	TRY(rvm_write(insn, gla, &val, size, RVM_ACC_STACK));
	s->sp = sp;
	return 0;
}

int rvm_pop(struct rvm_insn *insn, struct rvm_stack *s, u32 size, u64 *val)
{
	u64 gla;

	TRY(rvm_linear_slow(insn, RVM_SS, s->sp, size, RVM_ACC_READ | RVM_ACC_STACK, &gla));
	TRY(rvm_read_val(insn, gla, val, size, RVM_ACC_STACK));
	s->sp = (s->sp + size) & rvm_mask(s->asize);
	return 0;
}

/* ---- control flow ---- */

int rvm_check_rip(struct rvm_insn *insn, u64 rip)
{
	const struct rvm_cpu *cpu = insn->cpu;

	if (rvm_is_64bit(cpu)) {
		if (unlikely(!rvm_canonical(rip, cpu->cr4 & RVM_CR4_LA57)))
			return rvm_x_gp0(insn);
	} else if (unlikely(rip > cpu->seg[RVM_CS].limit)) {
		return rvm_x_gp0(insn);
	}
	return 0;
}

int rvm_check_io(struct rvm_insn *insn, u16 port, u32 size)
{
	const struct rvm_cpu *cpu = insn->cpu;
	const struct rvm_seg *tr = &cpu->seg[RVM_TR];
	u16 iomap, bits;
	u32 mask = (1u << size) - 1, at;

	if (!rvm_is_protmode(cpu))
		return 0;
	if (!rvm_is_v86(cpu) && cpu->cpl <= rvm_iopl(cpu))
		return 0;
	/* The map needs a 32-bit TSS (type 9 or B; 64-bit ones have the same) */
	if ((tr->attr & RVM_SEG_UNUSABLE) || !(tr->attr & RVM_SEG_P) ||
	    (tr->attr & (RVM_SEG_S | 0xd)) != 9 || tr->limit < 0x67)
		return rvm_x_gp0(insn);
	TRY(rvm_read_sys(insn, tr->base + 0x66, &iomap, 2));
	/* Two bytes are always read (SDM vol. 1 §19.5.2): both must be inside. */
	at = iomap + port / 8;
	if (at + 1 > tr->limit)
		return rvm_x_gp0(insn);
	TRY(rvm_read_sys(insn, tr->base + at, &bits, 2));
	if (bits >> (port & 7) & mask)
		return rvm_x_gp0(insn);
	return 0;
}

/* ---- dispatch ---- */

static const rvm_exec_fn exec_table[RVM_NR_OPS] = {
#define F(op, fn) [RVM_OP_##op] = rvm_x_##fn
	F(MOV, mov), F(MOVZX, movzx), F(MOVSX, movsx), F(MOVBE, movbe), F(MOVNTI, mov),
	F(MOVDIRI, movdiri), F(MOVDIR64B, movdir64b), F(CLZERO, clzero), F(XCHG, xchg), F(LEA, lea), F(BSWAP, bswap), F(XLAT, xlat),
	F(CMOV, cmov), F(SETCC, setcc), F(CBW, cbw), F(CWD, cwd), F(LAHF, lahf),
	F(SAHF, sahf), F(SALC, salc),
	F(PUSH, push), F(POP, pop), F(PUSHA, pusha), F(POPA, popa), F(PUSHF, pushf),
	F(POPF, popf), F(ENTER, enter), F(LEAVE, leave),
	F(ADD, add), F(OR, or), F(ADC, adc), F(SBB, sbb), F(AND, and), F(SUB, sub),
	F(XOR, xor), F(CMP, cmp), F(TEST, test), F(INC, inc), F(DEC, dec), F(NEG, neg),
	F(NOT, not), F(MUL, mul), F(IMUL, imul), F(IMUL2, imul2), F(DIV, div),
	F(IDIV, idiv), F(XADD, xadd), F(CMPXCHG, cmpxchg), F(CMPXCHG8B, cmpxchg8b),
	F(ADCX, adx), F(ADOX, adx), F(CRC32, crc32), F(AAA, aaa), F(AAS, aas),
	F(AAM, aam), F(AAD, aad), F(DAA, daa), F(DAS, das),
	F(ROL, rol), F(ROR, ror), F(RCL, rcl), F(RCR, rcr), F(SHL, shl), F(SAL, shl),
	F(SHR, shr), F(SAR, sar), F(SHLD, shld), F(SHRD, shrd),
	F(BT, bt), F(BTS, bts), F(BTR, btr), F(BTC, btc), F(BSF, bsf), F(BSR, bsr),
	F(TZCNT, tzcnt), F(LZCNT, lzcnt), F(POPCNT, popcnt), F(ANDN, andn),
	F(BEXTR, bextr), F(BLSR, blsr), F(BLSMSK, blsmsk), F(BLSI, blsi), F(BZHI, bzhi),
	F(PDEP, pdep), F(PEXT, pext), F(MULX, mulx), F(RORX, rorx), F(SARX, shiftx),
	F(SHLX, shiftx), F(SHRX, shiftx),
	F(CLC, clc), F(STC, stc), F(CMC, cmc), F(CLD, cld), F(STD, std), F(CLI, cli),
	F(STI, sti), F(CLAC, clac), F(STAC, stac),
	F(MOVS, movs), F(CMPS, cmps), F(STOS, stos), F(LODS, lods), F(SCAS, scas),
	F(INS, ins), F(OUTS, outs), F(IN, in), F(OUT, out),
	F(JCC, jcc), F(JMP, jmp), F(CALL, call), F(RET, ret), F(LOOP, loop),
	F(LOOPE, loop), F(LOOPNE, loop), F(JCXZ, jcxz), F(BOUND, bound),
	F(JMPF, jmpf), F(CALLF, callf), F(RETF, retf), F(IRET, iret), F(INT, int),
	F(INT3, int3), F(INT1, int1), F(INTO, into),
	F(SYSCALL, syscall), F(SYSRET, sysret), F(SYSENTER, sysenter), F(SYSEXIT, sysexit),
	F(MOV_FROM_SREG, mov_from_sreg), F(MOV_TO_SREG, mov_to_sreg),
	F(PUSH_SREG, push_sreg), F(POP_SREG, pop_sreg), F(LFARPTR, lfarptr),
	F(ARPL, arpl), F(LAR, lar), F(LSL, lar), F(VERR, verr), F(VERW, verr),
	F(SLDT, sldt), F(STR, sldt), F(LLDT, lldt), F(LTR, ltr),
	F(SGDT, store_dtr), F(SIDT, store_dtr), F(LGDT, load_dtr), F(LIDT, load_dtr),
	F(SWAPGS, swapgs), F(RDFSBASE, rdfsbase), F(WRFSBASE, wrfsbase),
	F(HLT, hlt), F(NOP, nop), F(PAUSE, nop), F(PREFETCH, nop), F(FENCE, fence),
	F(SERIALIZE, serialize), F(CLFLUSH, clflush),
	F(CPUID, cpuid), F(RDTSC, rdtsc), F(RDTSCP, rdtscp), F(RDPMC, rdpmc),
	F(RDMSR, rdmsr), F(WRMSR, wrmsr), F(RDPID, rdpid),
	F(RDRAND, rdrand), F(RDSEED, rdrand), F(RDPKRU, pkru), F(WRPKRU, pkru),
	F(MOV_FROM_CR, mov_from_cr), F(MOV_TO_CR, mov_to_cr), F(MOV_FROM_DR, mov_from_dr),
	F(MOV_TO_DR, mov_to_dr), F(CLTS, clts), F(LMSW, lmsw), F(SMSW, smsw),
	F(INVLPG, invlpg), F(INVPCID, invpcid), F(INVD, wbinvd), F(WBINVD, wbinvd),
	F(XGETBV, xgetbv), F(XSETBV, xsetbv), F(HYPERCALL, hypercall),
	F(X87, x87), F(FWAIT, fwait), F(FXSAVE, fxsave), F(FXRSTOR, fxrstor), F(XSAVE, xsave),
	F(XRSTOR, xrstor), F(LDMXCSR, simd), F(STMXCSR, simd), F(MMX, simd), F(EMMS, emms),
	F(SSE, simd), F(SSE4A, simd), F(MASKMOV, maskmov), F(AVX, simd), F(GATHER, gather),
	F(OPMASK, fpu), F(EVEX, fpu), F(XOP, fpu), F(3DNOW, simd),
	/* extensions that no guest is offered: EFER.SVME, CR4.VMXE and kin stay clear */
	F(UD, undefined), F(RSM, undefined), F(SGX, undefined), F(SMX, undefined),
	F(VMX, undefined), F(SVM, undefined), F(SNP, undefined), F(LWP, undefined),
	F(MONITOR, undefined), F(MWAIT, undefined), F(WAITPKG, undefined),
	F(UINTR, undefined), F(ENQCMD, undefined), F(TSX, undefined),
	F(PTWRITE, undefined), F(KEYLOCKER, undefined), F(AMX, undefined), F(FMA4, fpu),
	F(HRESET, undefined), F(MCOMMIT, undefined),
	F(CET, undefined), F(MPX, undefined), F(RDPRU, undefined),
#undef F
};

static inline u32 decode_mode(const struct rvm_insn *insn)
{
	const struct rvm_cpu *cpu = insn->cpu;
	u32 mode = insn->intel ? RVM_DEC_INTEL : 0;

	if (rvm_is_64bit(cpu))
		return mode | RVM_DEC_64;
	return mode | (cpu->seg[RVM_CS].attr & RVM_SEG_DB ? RVM_DEC_32 : RVM_DEC_16);
}

u32 rvm_insn_mode(const struct rvm_insn *insn)
{
	return decode_mode(insn);
}

rvm_exec_fn rvm_exec_of(u32 op)
{
	return exec_table[op];
}

int rvm_exec_commit(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	struct rvm_cpu *cpu = insn->cpu;
	u64 next = rvm_next_rip(insn, d);
	rvm_exec_fn fn = exec_table[d->op];
	int ret;

	if (unlikely(!fn))
		return rvm_x_unhandled(insn, "the interpreter does not have this instruction");
	ret = fn(insn, d);
	switch (ret) {
	case RVM_INSN_OK:
	case RVM_INSN_HALT:
		cpu->rip = next;
		cpu->rflags &= ~RVM_FL_RF;
		cpu->int_shadow = 0;
		return ret;
	case RVM_X_JUMPED:
		cpu->rflags &= ~RVM_FL_RF;
		fallthrough;
	case RVM_X_IRET:
		cpu->int_shadow = 0;
		return RVM_INSN_OK;
	case RVM_X_SHADOW_STI:
	case RVM_X_SHADOW_SS:
		cpu->rip = next;
		cpu->rflags &= ~RVM_FL_RF;
		/* Of two in a row only the first holds off (SDM vol. 3 §6.8.3) */
		cpu->int_shadow = cpu->int_shadow ? 0 : ret == RVM_X_SHADOW_STI ?
				  RVM_SHADOW_STI : RVM_SHADOW_MOV_SS;
		return RVM_INSN_OK;
	default:
		return ret;
	}
}

/*
 * Instruction bytes into insn->bytes, as many as @want in all; fewer where the
 * code segment, or the address space, ends.
 */
static int fetch(struct rvm_insn *insn, u32 want)
{
	const struct rvm_cpu *cpu = insn->cpu;
	const struct rvm_seg *cs = &cpu->seg[RVM_CS];
	u32 got = 0;
	u64 gla;

	if (rvm_is_64bit(cpu)) {
		gla = cpu->rip + insn->nr_bytes;
		if (!rvm_canonical(gla, cpu->cr4 & RVM_CR4_LA57))
			return rvm_x_gp0(insn);
	} else {
		u32 ip = (u32)cpu->rip + insn->nr_bytes;

		if (ip > cs->limit || ip < (u32)cpu->rip)
			return rvm_x_gp0(insn);
		if (want - insn->nr_bytes - 1 > cs->limit - ip)
			want = insn->nr_bytes + cs->limit - ip + 1;
		gla = (u32)(cs->base + ip);
		if (gla + want - insn->nr_bytes > 0x100000000ull)
			want = insn->nr_bytes + (u32)(0x100000000ull - gla);
	}
	TRY(insn->ops->fetch(insn, gla, insn->bytes + insn->nr_bytes, want - insn->nr_bytes,
			     &got));
	if (unlikely(!got || got > want - insn->nr_bytes))
		return rvm_x_unhandled(insn, "no instruction bytes");
	insn->nr_bytes += got;
	return 0;
}

int rvm_insn_exec(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	rvm_hot_refresh(insn);
	return rvm_exec_commit(insn, d);
}

static int fetch_decode(struct rvm_insn *insn, struct rvm_decoded *d)
{
	u32 mode = decode_mode(insn);

	insn->nr_bytes = 0;
	insn->len = 0;
	insn->reason = NULL;
	for (;;) {
		TRY(fetch(insn, RVM_INSN_MAX));
		switch (rvm_insn_decode(insn->bytes, insn->nr_bytes, mode, d)) {
		case RVM_DECODE_OK:
			insn->len = d->len;
			return 0;
		case RVM_DECODE_MORE:
			break;
		case RVM_DECODE_LONG:
			return rvm_x_gp0(insn);
		default:
			insn->len = d->len;
			return rvm_x_ud(insn);
		}
	}
}

int rvm_insn_fetch_decode_to(struct rvm_insn *insn, struct rvm_decoded *d)
{
	return fetch_decode(insn, d);
}

int rvm_insn_fetch_decode(struct rvm_insn *insn)
{
	struct rvm_decoded d;

	return fetch_decode(insn, &d);
}

int rvm_insn_step(struct rvm_insn *insn)
{
	struct rvm_decoded d;

	TRY(fetch_decode(insn, &d));
	return rvm_insn_exec(insn, &d);
}
