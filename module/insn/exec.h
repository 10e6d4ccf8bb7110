/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the execute functions share.  Private to insn/.
 *
 * An execute function works in this order: read all operands, check all that
 * may fault, write memory, then change registers, flags and RIP.  Whatever
 * returns something else than success before the last part has changed nothing.
 */
#ifndef RVM_INSN_EXEC_H
#define RVM_INSN_EXEC_H

#include "insn.h"
#include "decode.h"

/*
 * What an execute function returns beyond enum rvm_insn_result: success, with
 * something for rvm_insn_exec() to do or to leave.
 */
enum {
	RVM_X_JUMPED = 0x100,	/* RIP is set */
	RVM_X_IRET,		/* RIP is set, RF is what the image said */
	RVM_X_SHADOW_STI,	/* interrupts are held off for one instruction */
	RVM_X_SHADOW_SS,
	RVM_X_DONE,		/* all is committed, RIP too */
};

typedef int (*rvm_exec_fn)(struct rvm_insn *insn, const struct rvm_decoded *d);

#define RVM_FL_ARITH	(RVM_FL_CF | RVM_FL_PF | RVM_FL_AF | RVM_FL_ZF | RVM_FL_SF | RVM_FL_OF)

/* Leave the calling function with what @expr returned unless it was success. */
#define TRY(expr)					\
	do {						\
		int __rc = (expr);			\
							\
		if (unlikely(__rc))			\
			return __rc;			\
	} while (0)

/* ---- faults ---- */

int rvm_x_fault(struct rvm_insn *insn, u8 vector, u32 error);
int rvm_x_fault_noerr(struct rvm_insn *insn, u8 vector);

static inline int rvm_x_gp0(struct rvm_insn *insn)
{
	return rvm_x_fault(insn, RVM_GP, 0);
}

static inline int rvm_x_ud(struct rvm_insn *insn)
{
	return rvm_x_fault_noerr(insn, RVM_UD);
}

static inline int rvm_x_unhandled(struct rvm_insn *insn, const char *why)
{
	insn->reason = why;
	return RVM_INSN_UNHANDLED;
}

/* ---- registers ---- */

static __always_inline u64 rvm_mask(u32 size)
{
	return ~0ull >> (64 - 8 * size);
}

static __always_inline u64 rvm_sext(u64 v, u32 size)
{
	u32 shift = 64 - 8 * size;

	return (u64)((s64)(v << shift) >> shift);
}

/* @off is a byte offset in gpr[], as in struct rvm_operand. */
static __always_inline u64 rvm_reg_read(const struct rvm_cpu *cpu, u32 off, u32 size)
{
	/* only for a byte it is not a multiple of 8 */
	const u64 *p = (const void *)((const u8 *)cpu->gpr + off);

	if (size == 8)
		return *p;
	if (size == 4)
		return (u32)*p;
	if (size == 2)
		return (u16)*p;
	return *(const u8 *)p;
}

static __always_inline void rvm_reg_write(struct rvm_cpu *cpu, u32 off, u32 size, u64 v)
{
	void *p = (u8 *)cpu->gpr + off;

	if (size == 8)
		*(u64 *)p = v;
	else if (size == 4)
		*(u64 *)p = (u32)v;
	else if (size == 2)
		*(u16 *)p = v;
	else
		*(u8 *)p = v;
}

/* A register named by its number, with @size bytes used. */
static inline u64 rvm_gpr(const struct rvm_cpu *cpu, u32 nr, u32 size)
{
	return rvm_reg_read(cpu, nr * 8, size);
}

static inline void rvm_set_gpr(struct rvm_cpu *cpu, u32 nr, u32 size, u64 v)
{
	rvm_reg_write(cpu, nr * 8, size, v);
}

static __always_inline void rvm_set_flags(struct rvm_cpu *cpu, u64 mask, u64 val)
{
	cpu->rflags = (cpu->rflags & ~mask) | (val & mask);
}

static __always_inline u64 rvm_next_rip(const struct rvm_insn *insn, const struct rvm_decoded *d)
{
	u64 rip = insn->cpu->rip + d->len;

	return (d->mode & RVM_DEC_SIZE) == RVM_DEC_64 ? rip : (u32)rip;
}

static __always_inline bool rvm_code64(const struct rvm_decoded *d)
{
	return (d->mode & RVM_DEC_SIZE) == RVM_DEC_64;
}

static inline u32 rvm_iopl(const struct rvm_cpu *cpu)
{
	return cpu->rflags >> 12 & 3;
}

/* ---- memory ---- */

/* Effective address of the memory operand: an offset within its segment. */
static __always_inline u64 rvm_ea(const struct rvm_insn *insn, const struct rvm_decoded *d)
{
	const struct rvm_cpu *cpu = insn->cpu;
	u64 ea = d->disp;

	if (d->base < RVM_BASE_RIP)
		ea += cpu->gpr[d->base >> 3];
	else if (d->base == RVM_BASE_RIP)
		ea += cpu->rip + d->len;
	if (d->index != RVM_BASE_NONE)
		ea += cpu->gpr[d->index >> 3] << d->scale;
	if (d->asize == 8)
		return ea;
	return d->asize == 4 ? (u32)ea : (u16)ea;
}

/*
 * Segment checks of an access (SDM vol. 3 §5.3, 5.5; APM vol. 2 §4.12), and
 * the linear address.  @acc: RVM_ACC_*.
 */
bool rvm_in_limit(const struct rvm_insn *insn, const struct rvm_seg *s, u32 off, u32 len);
int rvm_linear_slow(struct rvm_insn *insn, u32 seg, u64 ea, u32 len, u32 acc, u64 *gla);

static __always_inline int rvm_linear(struct rvm_insn *insn, const struct rvm_decoded *d,
				      u32 seg, u64 ea, u32 len, u32 acc, u64 *gla)
{
	const struct rvm_cpu *cpu = insn->cpu;

	if (rvm_code64(d) && seg < RVM_FS && ea < 0x7fffffffff00ull &&
	    !(cpu->rflags & RVM_FL_AC)) {
		*gla = ea;
		return 0;
	}
	return rvm_linear_slow(insn, seg, ea, len, acc, gla);
}

/* Accesses at a linear address that has passed rvm_linear(). */
int rvm_read(struct rvm_insn *insn, u64 gla, void *buf, u32 len, u32 acc);
int rvm_write(struct rvm_insn *insn, u64 gla, const void *buf, u32 len, u32 acc);
int rvm_probe(struct rvm_insn *insn, u64 gla, u32 len, u32 acc);
/* Atomic, as rvm_insn_ops.cmpxchg_mem. */
int rvm_cmpxchg(struct rvm_insn *insn, u64 gla, void *old, const void *new_val, u32 len, u32 acc);

static __always_inline int rvm_read_val(struct rvm_insn *insn, u64 gla, u64 *val, u32 len, u32 acc)
{
	*val = 0;
	return rvm_read(insn, gla, val, len, acc);
}

/* Linear address of the memory operand for @len bytes. */
static __always_inline int rvm_mem_addr(struct rvm_insn *insn, const struct rvm_decoded *d,
					u32 len, u32 acc, u64 *gla)
{
	return rvm_linear(insn, d, d->seg, rvm_ea(insn, d), len, acc, gla);
}

/* Supervisor access to a descriptor table or TSS. */
int rvm_read_sys(struct rvm_insn *insn, u64 gla, void *buf, u32 len);
int rvm_write_sys(struct rvm_insn *insn, u64 gla, const void *buf, u32 len);

int rvm_opnd_read_slow(struct rvm_insn *insn, const struct rvm_decoded *d, u32 size, u64 *val);
int rvm_opnd_write_slow(struct rvm_insn *insn, const struct rvm_decoded *d, u32 size, u64 val);
int rvm_opnd_read_mem(struct rvm_insn *insn, const struct rvm_decoded *d, u32 size, u64 *val);
int rvm_opnd_write_mem(struct rvm_insn *insn, const struct rvm_decoded *d, u32 size, u64 val);

/* Value of operand @n, zero-extended from its size (immediates sign-extended). */
static __always_inline int rvm_opnd_read(struct rvm_insn *insn, const struct rvm_decoded *d,
					 u32 n, u64 *val)
{
	const struct rvm_operand *o = &d->opnd[n];

	if (likely(o->kind == RVM_K_REG)) {
		*val = rvm_reg_read(insn->cpu, o->reg, o->size);
		return 0;
	}
	if (o->kind == RVM_K_IMM) {
		*val = d->imm;
		return 0;
	}
	return rvm_opnd_read_mem(insn, d, o->size, val);
}

/* Store to operand @n, a register or memory. */
static __always_inline int rvm_opnd_write(struct rvm_insn *insn, const struct rvm_decoded *d,
					  u32 n, u64 val)
{
	const struct rvm_operand *o = &d->opnd[n];

	if (likely(o->kind == RVM_K_REG)) {
		rvm_reg_write(insn->cpu, o->reg, o->size, val);
		return 0;
	}
	return rvm_opnd_write_mem(insn, d, o->size, val);
}

/* ---- translations ---- */

/*
 * A new CR3 counts at once, for a task switch goes on in the new address space.
 * Other changes of control registers are found by rvm_hot_refresh().
 */
static inline int rvm_set_cr(struct rvm_insn *insn, u32 nr, u64 val)
{
	TRY(insn->ops->set_cr(insn, nr, val));
	if (nr == 3)
		rvm_insn_flush(insn);
	return 0;
}

static inline int rvm_invlpg(struct rvm_insn *insn, u64 gla)
{
	TRY(insn->ops->invlpg(insn, gla));
	rvm_insn_flush(insn);
	return 0;
}

static inline int rvm_flush_tlb(struct rvm_insn *insn)
{
	TRY(insn->ops->flush_tlb(insn));
	rvm_insn_flush(insn);
	return 0;
}

/* ---- read-modify-write ---- */

/*
 * A memory destination that is read first: rvm_rmw_begin() checks it for
 * writing and reads it, rvm_rmw_end() stores.  With LOCK (or @lock) the store
 * is a compare-exchange; where another vCPU was faster rvm_rmw_end() returns
 * RVM_X_AGAIN with the value now found in @old, and the caller computes anew.
 */
#define RVM_X_AGAIN	0x200
#define RVM_RMW_TRIES	64

struct rvm_rmw {
	u64 gla;
	u64 host;	/* where it is, or 0: not to be accessed directly */
	u64 old;
	u32 size;
	u32 tries;
	bool lock;
};

int rvm_rmw_begin_at(struct rvm_insn *insn, struct rvm_rmw *m, u64 gla, u32 size, bool lock);
int rvm_rmw_begin(struct rvm_insn *insn, const struct rvm_decoded *d, struct rvm_rmw *m,
		  u32 size, bool lock);
int rvm_rmw_end(struct rvm_insn *insn, struct rvm_rmw *m, u64 val);

/* ---- stack ---- */

/* Bytes of the stack pointer in use: 2, 4, 8 (SDM vol. 1 §6.2.3). */
static inline u32 rvm_stack_asize(const struct rvm_cpu *cpu)
{
	if (rvm_is_64bit(cpu))
		return 8;
	return cpu->seg[RVM_SS].attr & RVM_SEG_DB ? 4 : 2;
}

/*
 * A stack pointer under way: begun from rSP, moved by pushes and pops, put
 * into rSP when the instruction commits.
 */
struct rvm_stack {
	u64 sp;
	u32 asize;
};

static inline void rvm_stack_begin(const struct rvm_insn *insn, struct rvm_stack *s)
{
	s->asize = rvm_stack_asize(insn->cpu);
	s->sp = rvm_gpr(insn->cpu, RVM_RSP, s->asize);
}

static inline void rvm_stack_commit(struct rvm_insn *insn, const struct rvm_stack *s)
{
	rvm_set_gpr(insn->cpu, RVM_RSP, s->asize, s->sp);
}

int rvm_check_push(struct rvm_insn *insn, const struct rvm_stack *s, u32 size);
int rvm_push(struct rvm_insn *insn, struct rvm_stack *s, u32 size, u64 val);
int rvm_pop(struct rvm_insn *insn, struct rvm_stack *s, u32 size, u64 *val);

/* ---- control flow ---- */

/* Check and set a new RIP within the present code segment. */
int rvm_check_rip(struct rvm_insn *insn, u64 rip);

/* Condition codes (SDM vol. 1 appendix B) */
static __always_inline bool rvm_cond(u64 f, u32 cc)
{
	bool r;

	switch (cc >> 1 & 7) {
	case 0:
		r = f & RVM_FL_OF;
		break;
	case 1:
		r = f & RVM_FL_CF;
		break;
	case 2:
		r = f & RVM_FL_ZF;
		break;
	case 3:
		r = f & (RVM_FL_CF | RVM_FL_ZF);
		break;
	case 4:
		r = f & RVM_FL_SF;
		break;
	case 5:
		r = f & RVM_FL_PF;
		break;
	case 6:
		r = !(f & RVM_FL_SF) != !(f & RVM_FL_OF);
		break;
	default:
		r = !(f & RVM_FL_SF) != !(f & RVM_FL_OF) || (f & RVM_FL_ZF);
		break;
	}
	return r != (cc & 1);
}

/* #GP(0) unless CPL is 0; in real mode always allowed, in V86 never. */
static inline int rvm_need_cpl0(struct rvm_insn *insn)
{
	if (unlikely(insn->cpu->cpl))
		return rvm_x_gp0(insn);
	return 0;
}

static inline bool rvm_prot_not_v86(const struct rvm_cpu *cpu)
{
	return (cpu->cr0 & RVM_CR0_PE) && !(cpu->rflags & RVM_FL_VM);
}

/* I/O permission (SDM vol. 1 §19.5, vol. 3 §21.3.3). */
int rvm_check_io(struct rvm_insn *insn, u16 port, u32 size);

/* ---- the execute functions ---- */

#define RVM_EXECS(X) \
	/* exec_move.c */ \
	X(mov) X(movzx) X(movsx) X(movbe) X(xchg) X(lea) X(bswap) X(xlat) X(cmov) X(setcc) \
	X(cbw) X(cwd) X(lahf) X(sahf) X(salc) X(push) X(pop) X(pusha) X(popa) \
	X(enter) X(leave) X(nop) X(prefetch) X(jcc) X(jmp) X(call) X(ret) X(loop) X(jcxz) \
	X(bound) \
	/* exec_arith.c */ \
	X(add) X(or) X(adc) X(sbb) X(and) X(sub) X(xor) X(cmp) X(test) X(inc) X(dec) X(neg) \
	X(not) X(mul) X(imul) X(imul2) X(div) X(idiv) X(xadd) X(cmpxchg) X(cmpxchg8b) \
	X(adx) X(crc32) X(aaa) X(aas) X(aam) X(aad) X(daa) X(das) \
	/* exec_bits.c */ \
	X(rol) X(ror) X(rcl) X(rcr) X(shl) X(shr) X(sar) X(shld) X(shrd) \
	X(bt) X(bts) X(btr) X(btc) X(bsf) X(bsr) X(tzcnt) X(lzcnt) X(popcnt) \
	X(andn) X(bextr) X(blsr) X(blsmsk) X(blsi) X(bzhi) X(pdep) X(pext) X(mulx) X(rorx) \
	X(shiftx) \
	/* exec_string.c */ \
	X(movs) X(cmps) X(stos) X(lods) X(scas) X(ins) X(outs) X(in) X(out) \
	/* exec_system.c */ \
	X(clc) X(stc) X(cmc) X(cld) X(std) X(cli) X(sti) X(clac) X(stac) X(pushf) X(popf) \
	X(hlt) X(cpuid) X(rdtsc) X(rdtscp) X(rdpmc) X(rdmsr) X(wrmsr) X(rdpid) \
	X(mov_from_cr) X(mov_to_cr) X(mov_from_dr) X(mov_to_dr) X(clts) X(lmsw) X(smsw) \
	X(invlpg) X(invpcid) X(wbinvd) X(xgetbv) X(xsetbv) X(hypercall) \
	X(store_dtr) X(load_dtr) X(swapgs) X(rdfsbase) X(wrfsbase) X(clflush) X(fence) X(serialize) \
	X(rdrand) X(clzero) X(movdir64b) X(movdiri) X(pkru) X(undefined) \
	/* exec_fpu.c, exec_fpuvec.c, exec_fpustate.c */ \
	X(fwait) X(x87) X(simd) X(fpu) X(maskmov) X(gather) X(emms) X(fxsave) X(fxrstor) X(xsave) X(xrstor) \
	/* exec_seg.c */ \
	X(mov_from_sreg) X(mov_to_sreg) X(push_sreg) X(pop_sreg) X(lfarptr) \
	X(arpl) X(lar) X(verr) X(sldt) X(lldt) X(ltr) \
	/* exec_far.c */ \
	X(jmpf) X(callf) X(retf) X(iret) \
	/* exec_event.c */ \
	X(int) X(int3) X(int1) X(into) X(syscall) X(sysret) X(sysenter) X(sysexit)

#define X(n) int rvm_x_##n(struct rvm_insn *insn, const struct rvm_decoded *d);
RVM_EXECS(X)
#undef X

#endif /* RVM_INSN_EXEC_H */
