// SPDX-License-Identifier: GPL-2.0
/*
 * x87, MMX, SSE and AVX: what the host's own unit executes (fpu.h).
 *
 * All that may fault outside the unit comes first: the CR0 and CR4 checks, a
 * pending x87 exception, segment, alignment and page of the memory operand.
 */
#include "fpu.h"

static int no_unit(struct rvm_insn *insn)
{
	return rvm_x_unhandled(insn, "x87, MMX, SSE or AVX instruction");
}

int rvm_job_run(struct rvm_insn *insn, struct rvm_fpu_job *j)
{
	int rc;

	if (unlikely(!insn->ops->fpu))
		return no_unit(insn);
	rc = insn->ops->fpu(insn, j);
	if (unlikely(rc == RVM_INSN_FAULT && insn->fault.vector == RVM_XM &&
		     !(insn->cpu->cr4 & RVM_CR4_OSXMM)))
		return rvm_x_ud(insn);
	return rc;
}

int rvm_job_run_bytes(struct rvm_insn *insn, struct rvm_fpu_job *j, const char *bytes, u32 n)
{
	rvm_job_start(insn, j);
	memcpy(j->code, bytes, n);
	j->len = n;
	return rvm_job_run(insn, j);
}

/* The checks that come before the unit itself (SDM vol. 3 §2.5, tables 13-1..). */
int rvm_fpu_check(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	const struct rvm_cpu *cpu = insn->cpu;
	bool em = cpu->cr0 & RVM_CR0_EM;

	if (unlikely(insn->hide_unit >> d->feature & 1))
		return rvm_x_ud(insn);
	switch (d->op) {
	case RVM_OP_X87:
	case RVM_OP_FXSAVE:
	case RVM_OP_FXRSTOR:
		if (em)
			return rvm_x_fault_noerr(insn, RVM_NM);
		break;
	case RVM_OP_MMX:
	case RVM_OP_3DNOW:
		if (em)
			return rvm_x_ud(insn);
		break;
	case RVM_OP_XSAVE:
	case RVM_OP_XRSTOR:
		if (!(cpu->cr4 & RVM_CR4_OSXSAVE))
			return rvm_x_ud(insn);
		break;
	default:
		if (d->enc == RVM_ENC_LEGACY) {
			bool mmx = d->op == RVM_OP_EMMS ||
				   (d->op == RVM_OP_MASKMOV && d->opnd[0].kind == RVM_K_MM);

			if (em || (!(cpu->cr4 & RVM_CR4_OSFXSR) && !mmx))
				return rvm_x_ud(insn);
		} else {
			u64 need = d->enc == RVM_ENC_EVEX || d->op == RVM_OP_OPMASK ? 0xe6 : 6;

			if (!rvm_prot_not_v86(cpu) || !(cpu->cr4 & RVM_CR4_OSXSAVE) ||
			    (cpu->xcr0 & need) != need)
				return rvm_x_ud(insn);
		}
		break;
	}
	if (cpu->cr0 & RVM_CR0_TS)
		return rvm_x_fault_noerr(insn, RVM_NM);
	if (unlikely(!insn->fpu_area))
		return no_unit(insn);
	return 0;
}

int rvm_fpu_addr(struct rvm_insn *insn, const struct rvm_decoded *d, u32 size, u32 ac, u32 acc,
		 u64 *gla)
{
	TRY(rvm_mem_addr(insn, d, size, acc, gla));
	if (unlikely(size > 8 && (*gla & (ac - 1)) && rvm_ac_armed(insn->cpu)))
		return rvm_x_fault(insn, RVM_AC, 0);
	return 0;
}

int rvm_fpu_ends(struct rvm_insn *insn, u64 gla, u32 size, u32 elem, u32 acc)
{
	int (*probe)(struct rvm_insn *insn, u64 gla, u32 len, u32 acc) =
		acc & RVM_ACC_WRITE ? insn->ops->probe_write : insn->ops->probe_read;
	u64 last = gla + size - 1;

	if (insn->intel)
		return 0;
	if (!rvm_is_long(insn->cpu))
		last = (u32)last;
	if (elem)
		TRY(probe(insn, gla, elem, acc));
	return size ? probe(insn, last, 1, acc) : 0;
}

int rvm_read_long(struct rvm_insn *insn, u64 gla, void *buf, u32 len)
{
	u32 n;

	for (; len; len -= n, gla += n, buf = (u8 *)buf + n) {
		n = len < 64 ? len : 64;
		TRY(rvm_read(insn, gla, buf, n, 0));
	}
	return 0;
}

int rvm_write_long(struct rvm_insn *insn, u64 gla, const void *buf, u32 len)
{
	u32 n;

	for (; len; len -= n, gla += n, buf = (const u8 *)buf + n) {
		n = len < 64 ? len : 64;
		TRY(rvm_write(insn, gla, buf, n, 0));
	}
	return 0;
}

/* ---- x87 ---- */

int rvm_x87_pending(struct rvm_insn *insn)
{
	struct rvm_x87 *x = &insn->x87;

	if (unlikely(!x->fsw_known)) {
		struct rvm_fpu_job j;

		TRY(rvm_job_run_bytes(insn, &j, "\xdf\xe0", 2));	/* FNSTSW AX */
		x->fsw = j.rax;
		x->fsw_known = true;
	}
	if (likely(!(x->fsw & RVM_FSW_ES)))
		return 0;
	if (insn->cpu->cr0 & RVM_CR0_NE)
		return rvm_x_fault_noerr(insn, RVM_MF);
	/* FERR# to the interrupt controller and IGNNE# back: no such wires here */
	return rvm_x_unhandled(insn, "an x87 exception with CR0.NE clear");
}

int rvm_x_fwait(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	if ((insn->cpu->cr0 & (RVM_CR0_MP | RVM_CR0_TS)) == (RVM_CR0_MP | RVM_CR0_TS))
		return rvm_x_fault_noerr(insn, RVM_NM);
	return rvm_x87_pending(insn);
}

/* Escape and ModRM.reg of memory forms, a bit for each: DF is byte 7. */
#define X87(esc, reg)	(1ull << ((esc) * 8 + (reg)))

/* They store; the others load. */
#define X87_STORES \
	(X87(1, 2) | X87(1, 3) | X87(1, 6) | X87(1, 7) | \
	 X87(3, 1) | X87(3, 2) | X87(3, 3) | X87(3, 7) | \
	 X87(5, 1) | X87(5, 2) | X87(5, 3) | X87(5, 6) | X87(5, 7) | \
	 X87(7, 1) | X87(7, 2) | X87(7, 3) | X87(7, 6) | X87(7, 7))
/* Of these, they pop: FSTP, FISTP, FISTTP, FBSTP. */
#define X87_POPS \
	(X87(1, 3) | X87(3, 1) | X87(3, 3) | X87(3, 7) | X87(5, 1) | X87(5, 3) | \
	 X87(7, 1) | X87(7, 3) | X87(7, 6) | X87(7, 7))
/* FLDENV, FNSTENV, FRSTOR, FNSAVE */
#define X87_STATE	(X87(1, 4) | X87(1, 6) | X87(5, 4) | X87(5, 6))
/* Control instructions leave the pointers alone (SDM vol. 1 §8.1.8): FLDCW, FNSTCW, FNSTSW */
#define X87_CONTROL	(X87(1, 5) | X87(1, 7) | X87(5, 7) | X87_STATE)
/* They do not look for pending exceptions. */
#define X87_NOWAIT	(X87(1, 6) | X87(1, 7) | X87(5, 6) | X87(5, 7))

/*
 * The pointers to a non-control instruction (SDM vol. 1 §8.1.8).  Without a
 * memory operand the operand's address stays what it was.
 */
static void note_pointers(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	const struct rvm_cpu *cpu = insn->cpu;
	struct rvm_x87 *x = &insn->x87;

	x->soft = true;
	x->fip = cpu->rip;
	x->fcs = cpu->seg[RVM_CS].sel;
	x->fop = (d->opcode & 7) << 8 | d->modrm;
	if (d->modrm >> 6 != 3) {
		x->fdp = rvm_ea(insn, d);
		x->fds = cpu->seg[d->seg].sel;
	}
}

/* Run it with FNSTSW AX behind it. */
static int run_x87(struct rvm_insn *insn, struct rvm_fpu_job *j)
{
	rvm_job_byte(j, 0xdf);
	rvm_job_byte(j, 0xe0);
	TRY(rvm_job_run(insn, j));
	insn->x87.fsw = j->rax;
	insn->x87.fsw_known = true;
	return 0;
}

static int x87_mem(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	u32 esc = d->opcode & 7, reg = d->modrm >> 3 & 7, size = d->opnd[0].size;
	u64 bit = X87(esc, reg), gla;
	struct rvm_fpu_job j;
	struct rvm_fx fx;
	bool snapshot;
	u16 old;
	int rc;

	if (!(bit & X87_NOWAIT))
		TRY(rvm_x87_pending(insn));
	if (unlikely(bit & X87_STATE))
		return rvm_x87_state(insn, d);

	rvm_job_start(insn, &j);
	rvm_job_byte(&j, d->opcode);
	rvm_job_byte(&j, reg << 3 | 6);
	if (!(bit & X87_STORES)) {
		TRY(rvm_fpu_addr(insn, d, size, 8, RVM_ACC_READ, &gla));
		TRY(rvm_read(insn, gla, j.mem, size, 0));
		TRY(run_x87(insn, &j));
		goto done;
	}

	/* AMD's CPUs (seen on family 1Ah) are done with 8 bytes before they look at two more */
	if (size == 10 && !insn->intel) {
		TRY(rvm_fpu_addr(insn, d, 8, 8, RVM_ACC_WRITE, &gla));
		TRY(rvm_probe(insn, gla, 8, 0));
	}
	TRY(rvm_fpu_addr(insn, d, size, 8, RVM_ACC_WRITE, &gla));
	TRY(rvm_probe(insn, gla, size, 0));
	/* where the write fails they are still the last instruction's */
	if (!(bit & X87_CONTROL))
		TRY(rvm_x87_take_pointers(insn));
	old = insn->x87.fsw;
	/* rvm_x87_unpop() reads a stack underflow from SF, which is sticky */
	snapshot = (bit & X87_POPS) && (old & RVM_FSW_SF);
	if (unlikely(snapshot))
		TRY(rvm_fx_get(insn, &fx));
	TRY(run_x87(insn, &j));
	/*
	 * An unmasked exception suppresses the store, but for the inexact
	 * result (SDM vol. 1 §8.5.5, 8.5.6).  None was pending before.
	 */
	if (!(bit & X87_CONTROL) && (insn->x87.fsw & RVM_FSW_ES)) {
		/* FNSTCW [RSI + 64]: the result stays where it is */
		TRY(rvm_job_run_bytes(insn, &j, "\xd9\x7e\x40", 3));
		if (insn->x87.fsw & ~j.mem[64] & 0x1f)
			goto done;
	}
	rc = rvm_write(insn, gla, j.mem, size, 0);
	if (unlikely(rc)) {
		if (snapshot)
			TRY(rvm_fx_set(insn, &fx));
		else if (bit & X87_POPS)
			TRY(rvm_x87_unpop(insn, old));
		return rc;
	}
done:
	if (!(bit & X87_CONTROL))
		note_pointers(insn, d);
	return 0;
}

/*
 * FCMOVcc looks at flags that are not ours to set: the condition is evaluated
 * here and goes into CF, and FCMOVB does the rest.
 */
static void emit_fcmov(struct rvm_insn *insn, const struct rvm_decoded *d, struct rvm_fpu_job *j)
{
	static const u8 cc[4] = { 0x2, 0x4, 0x6, 0xa };	/* B E BE U */
	u32 c = cc[d->modrm >> 3 & 3] | (d->opcode & 1);	/* DB: the opposite */
	static const u8 bt[4] = { 0x0f, 0xba, 0xe0, 0x00 };	/* BT EAX, 0 */

	j->rax = rvm_cond(insn->cpu->rflags, c);
	memcpy(j->code, bt, sizeof(bt));
	j->len = sizeof(bt);
	rvm_job_byte(j, 0xda);
	rvm_job_byte(j, 0xc0 | (d->modrm & 7));
}

static int x87_reg(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	u32 what = d->opcode << 8 | d->modrm;
	bool control = false;
	struct rvm_fpu_job j;

	rvm_job_start(insn, &j);
	switch (what) {
	case 0xdbe0:	/* FNENI, FNDISI, FNSETPM: of earlier units, no operation */
	case 0xdbe1:
	case 0xdbe4:
	case 0xdbe2:	/* FNCLEX */
	case 0xdbe3:	/* FNINIT */
	case 0xdfe0:	/* FNSTSW AX */
		control = true;
		break;
	default:
		TRY(rvm_x87_pending(insn));
	}
	if ((d->opcode & 0xfe) == 0xda && d->modrm < 0xe0) {
		emit_fcmov(insn, d, &j);
	} else {
		rvm_job_byte(&j, d->opcode);
		rvm_job_byte(&j, d->modrm);
	}
	if (!control)
		TRY(rvm_x87_take_pointers(insn));
	TRY(run_x87(insn, &j));
	if (!control)
		note_pointers(insn, d);
	if (what == 0xdbe3) {
		rvm_x87_clear_pointers(insn);
	} else if (what == 0xdfe0) {
		rvm_set_gpr(insn->cpu, RVM_RAX, 2, insn->x87.fsw);
	} else if ((d->opcode & 0xfb) == 0xdb && d->modrm >= 0xe8 && d->modrm < 0xf8) {
		/* FUCOMI, FCOMI */
		rvm_set_flags(insn->cpu, RVM_FL_ARITH, j.rflags);
	}
	return 0;
}

int rvm_x_x87(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	TRY(rvm_fpu_check(insn, d));
	return d->modrm >> 6 == 3 ? x87_reg(insn, d) : x87_mem(insn, d);
}

/* ---- MMX, SSE, AVX ---- */

static u32 pp_of(const struct rvm_decoded *d)
{
	return d->vex >> 6;
}

/* Does the general register stand in ModRM.reg (else in ModRM.rm)? */
static bool gpr_in_reg(const struct rvm_decoded *d)
{
	switch (d->map == 1 ? d->opcode : 0) {
	case 0x2c: case 0x2d:	/* CVTxx2SI */
	case 0x50:		/* MOVMSKPx */
	case 0xc5:		/* PEXTRW */
	case 0xd7:		/* PMOVMSKB */
		return true;
	default:
		return false;
	}
}

/* A memory operand whose size VEX.W chooses in 64-bit mode alone. */
static bool w_needs_64(const struct rvm_decoded *d)
{
	if (d->map == 1)
		return d->opcode == 0x2a || d->opcode == 0x6e || d->opcode == 0x7e;
	return d->map == 3 && (d->opcode == 0x16 || d->opcode == 0x22 ||
			       (d->opcode & 0xfe) == 0x60);
}

/*
 * VPEXTRQ and VPINSRQ outside 64-bit mode, where Intel's CPUs take VEX.W for 0
 * (SDM vol. 2, PINSRQ) and AMD's do not.
 */
static bool not_on_amd(const struct rvm_insn *insn, const struct rvm_decoded *d)
{
	return d->enc == RVM_ENC_VEX && (d->rex & RVM_REX_W) && !rvm_code64(d) && !insn->intel &&
	       d->map == 3 && (d->opcode == 0x16 || d->opcode == 0x22);
}

static void emit(const struct rvm_decoded *d, struct rvm_fpu_job *j, bool gpr)
{
	static const u8 pp_byte[4] = { 0, 0x66, 0xf3, 0xf2 };
	u32 rex = d->rex, modrm = d->modrm, pp = pp_of(d), imm = 0, i;
	/* EMMS, VZEROUPPER, FEMMS */
	bool no_modrm = d->map == 1 && (d->opcode == 0x77 || d->opcode == 0x0e);

	for (i = 0; i < RVM_NR_OPERANDS; i++)
		if (d->opnd[i].kind == RVM_K_IMM || d->opnd[i].kind == RVM_K_IMM2)
			imm++;
	if (modrm >> 6 != 3) {
		modrm = (modrm & 0x38) | 6;
		rex &= ~(RVM_REX_B | RVM_REX_X);
	}
	if (gpr && gpr_in_reg(d)) {
		modrm &= ~0x38;
		rex &= ~RVM_REX_R;
	} else if (gpr) {
		modrm &= ~7;
		rex &= ~RVM_REX_B;
	}
	if (!rvm_code64(d) && (gpr || w_needs_64(d)))
		rex &= ~RVM_REX_W;

	if (d->enc == RVM_ENC_VEX) {
		u32 vvvv = d->vex & (rvm_code64(d) ? 15 : 7);

		rvm_job_byte(j, 0xc4);
		rvm_job_byte(j, (~rex & 7) << 5 | d->map);
		rvm_job_byte(j, (rex & RVM_REX_W) << 4 | (~vvvv & 15) << 3 |
				(d->vex >> 4 & 1) << 2 | pp);
	} else {
		if (pp)
			rvm_job_byte(j, pp_byte[pp]);
		if (rex)
			rvm_job_byte(j, 0x40 | rex);
		rvm_job_byte(j, 0x0f);
		if (d->map > 1)
			rvm_job_byte(j, d->map == 2 ? 0x38 : 0x3a);
	}
	rvm_job_byte(j, d->opcode);
	if (!no_modrm)
		rvm_job_byte(j, modrm);
	/* a fourth register in the immediate: its top bit counts in 64-bit mode alone */
	if (d->opnd[3].kind == RVM_K_XMM)
		rvm_job_byte(j, d->imm & (rvm_code64(d) ? 0xff : 0x7f));
	if (imm)
		rvm_job_byte(j, d->imm);
	if (imm > 1)
		rvm_job_byte(j, d->imm2);
}

/* Of these AMD's CPUs (seen on family 1Ah) do not ask alignment, though the manuals do. */
static bool is_sha(const struct rvm_decoded *d)
{
	return d->enc == RVM_ENC_LEGACY &&
	       ((d->map == 2 && d->opcode >= 0xc8 && d->opcode <= 0xcd) ||
		(d->map == 3 && d->opcode == 0xcc));
}

/* Bytes to which the operand must be aligned, or 1; @move: MXCSR.MM does not change it */
static u32 alignment(const struct rvm_insn *insn, const struct rvm_decoded *d, u32 size,
		     bool *move)
{
	u32 pp = pp_of(d);
	bool aligned_move = false;

	if (d->map == 1)
		switch (d->opcode) {
		case 0x28: case 0x29: case 0x2b: case 0xe7:	/* MOVAPx, MOVNTPx, MOVNTDQ */
			aligned_move = true;
			break;
		case 0x6f: case 0x7f:				/* MOVDQA, MOVDQU */
			aligned_move = pp == 1;
			if (!aligned_move)
				return 1;
			break;
		case 0x10: case 0x11: case 0xf0:		/* MOVUPx, LDDQU */
			return 1;
		}
	else if (d->map == 2 && d->opcode == 0x2a)		/* MOVNTDQA */
		aligned_move = true;
	else if (d->map == 3 && (d->opcode & 0xfc) == 0x60)	/* PCMPxSTRx */
		return 1;
	else if (!insn->intel && is_sha(d))
		return 1;
	*move = aligned_move;
	if (size < 16 || (d->enc == RVM_ENC_VEX && !aligned_move))
		return 1;
	return size;
}

/*
 * AMD's MXCSR.MM lets operands of arithmetic be misaligned, not those of moves
 * that want alignment (APM vol. 1 §4.3.2).
 */
static int may_misalign(struct rvm_insn *insn, bool aligned_move, bool *may)
{
	struct rvm_fpu_job j;
	u32 mxcsr;

	*may = false;
	if (aligned_move || insn->intel)
		return 0;
	TRY(rvm_job_run_bytes(insn, &j, "\x0f\xae\x1e", 3));	/* STMXCSR */
	memcpy(&mxcsr, j.mem, 4);
	*may = mxcsr >> 17 & 1;
	return 0;
}

/*
 * Address of a memory operand.  Where #GP watches over its alignment, it does so
 * before the segment's limit, and #AC does not.  32 bytes are two times 16 for #AC.
 */
static int simd_addr(struct rvm_insn *insn, const struct rvm_decoded *d, u32 size, u32 acc, u64 *gla)
{
	bool move = false, may;
	u32 align = alignment(insn, d, d->opnd[1].kind == RVM_K_MEM ? d->opnd[1].size : size, &move);

	if (unlikely(align > 1 && (rvm_fpu_offset(insn, d) & (align - 1)))) {
		TRY(may_misalign(insn, move, &may));
		if (!may)
			return rvm_x_gp0(insn);
	}
	return rvm_fpu_addr(insn, d, size, 16, acc, gla);
}

/*
 * A shift count from memory, or what UNPCKLPx and PUNPCKLx take: of the 16 bytes AMD's
 * CPUs (seen on family 1Ah) read the 8 that count, which shows where MXCSR.MM allows
 * misalignment.
 */
static bool reads_low_half(const struct rvm_decoded *d)
{
	if (d->map != 1 || d->enc != RVM_ENC_LEGACY)
		return false;
	if (d->opcode == 0x14)
		return true;
	if (pp_of(d) != 1)
		return false;
	switch (d->opcode) {
	case 0x60: case 0x61: case 0x62: case 0x6c:
	case 0xd1 ... 0xd3: case 0xe1: case 0xe2: case 0xf1 ... 0xf3:
		return true;
	default:
		return false;
	}
}

/* The instructions whose result is in the flags. */
static bool sets_flags(const struct rvm_decoded *d)
{
	switch (d->map) {
	case 1:
		return d->opcode == 0x2e || d->opcode == 0x2f;		/* (U)COMISx */
	case 2:
		return d->opcode == 0x17 || d->opcode == 0x0e || d->opcode == 0x0f;
	case 3:
		return (d->opcode & 0xfc) == 0x60;			/* PCMPxSTRx */
	default:
		return false;
	}
}

int rvm_x_simd(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	const struct rvm_operand *gpr = NULL;
	struct rvm_cpu *cpu = insn->cpu;
	struct rvm_fpu_job j;
	u32 i, size = 0;
	int mem = -1;
	bool mmx = d->enc == RVM_ENC_LEGACY && (d->op == RVM_OP_EMMS || d->op == RVM_OP_3DNOW);
	bool str = d->map == 3 && (d->opcode & 0xfc) == 0x60;
	u64 gla = 0;

	TRY(rvm_fpu_check(insn, d));
	for (i = 0; i < RVM_NR_OPERANDS && d->opnd[i].kind; i++) {
		const struct rvm_operand *o = &d->opnd[i];

		if (o->kind == RVM_K_MEM)
			mem = i;
		else if (o->kind == RVM_K_REG)
			gpr = o;
		else if (o->kind == RVM_K_MM)
			mmx = true;
	}
	if (mmx)
		TRY(rvm_x87_pending(insn));

	if (unlikely(not_on_amd(insn, d)))
		return rvm_x_ud(insn);

	rvm_job_start(insn, &j);
	emit(d, &j, gpr);
	if (mem >= 0) {
		/* LDMXCSR alone has a lone operand that is read */
		bool store = mem == 0 && d->op != RVM_OP_LDMXCSR;

		size = d->opnd[mem].size;
		TRY(simd_addr(insn, d, size, store ? RVM_ACC_WRITE : RVM_ACC_READ, &gla));
		if (!insn->intel && reads_low_half(d))
			size = 8;
		if (store)
			TRY(rvm_probe(insn, gla, size, 0));
		else
			TRY(rvm_read(insn, gla, j.mem, size, 0));
	}
	if (gpr)
		j.rax = rvm_reg_read(cpu, gpr->reg, gpr->size);
	if (str) {
		j.rax = cpu->gpr[RVM_RAX];
		j.rdx = cpu->gpr[RVM_RDX];
	}
	TRY(rvm_job_run(insn, &j));
	if (mem == 0 && d->op != RVM_OP_LDMXCSR)
		TRY(rvm_write(insn, gla, j.mem, size, 0));
	if (gpr && gpr == &d->opnd[0])
		rvm_reg_write(cpu, gpr->reg, gpr->size, j.rax);
	if (str && (d->opcode & 1))
		rvm_set_gpr(cpu, RVM_RCX, 4, j.rcx);
	if (sets_flags(d))
		rvm_set_flags(cpu, RVM_FL_ARITH, j.rflags);
	return 0;
}

/* Recognised, and executed nowhere: EVEX, opmask registers, XOP, FMA4. */
int rvm_x_fpu(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	TRY(rvm_fpu_check(insn, d));
	return rvm_x_unhandled(insn, "AVX-512, XOP or FMA4 instruction");
}
