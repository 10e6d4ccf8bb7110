// SPDX-License-Identifier: GPL-2.0
/*
 * Moves, the stack, and near control flow.
 */
#include "forms.h"

int rvm_x_mov(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	u64 v;

	TRY(rvm_opnd_read(insn, d, 1, &v));
	return rvm_opnd_write(insn, d, 0, v);
}

int rvm_x_movzx(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	return rvm_x_mov(insn, d);
}

/* MOVSX and MOVSXD; of the latter to 16 bits Intel's CPUs read 16 bits, AMD's 32. */
int rvm_x_movsx(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	struct rvm_decoded narrow;
	u64 v;

	if (unlikely(d->opnd[1].size > d->opnd[0].size) && insn->intel) {
		narrow = *d;
		narrow.opnd[1].size = d->opnd[0].size;
		d = &narrow;
	}
	TRY(rvm_opnd_read(insn, d, 1, &v));
	return rvm_opnd_write(insn, d, 0, rvm_sext(v, d->opnd[1].size));
}

static u64 swap_bytes(u64 v, u32 size)
{
	if (size == 8)
		return __builtin_bswap64(v);
	if (size == 4)
		return __builtin_bswap32(v);
	return (u16)(v << 8 | (v >> 8 & 0xff));
}

int rvm_x_movbe(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	u64 v;

	if (insn->hide & RVM_HIDE_MOVBE)
		return rvm_x_ud(insn);
	TRY(rvm_opnd_read(insn, d, 1, &v));
	return rvm_opnd_write(insn, d, 0, swap_bytes(v, d->osize));
}

/* Of a 16-bit register the result is undefined; current CPUs give zero. */
int rvm_x_bswap(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	u64 v;

	TRY(rvm_opnd_read(insn, d, 0, &v));
	return rvm_opnd_write(insn, d, 0, d->osize == 2 ? 0 : swap_bytes(v, d->osize));
}

/* Always locked towards memory, with the prefix or without (SDM vol. 3 §8.1.2.1). */
int rvm_x_xchg(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	const struct rvm_operand *r = &d->opnd[1];
	struct rvm_rmw m;
	u64 v, old;
	int rc;

	v = rvm_reg_read(insn->cpu, r->reg, r->size);
	if (d->opnd[0].kind == RVM_K_REG) {
		old = rvm_reg_read(insn->cpu, d->opnd[0].reg, r->size);
		rvm_reg_write(insn->cpu, d->opnd[0].reg, r->size, v);
		rvm_reg_write(insn->cpu, r->reg, r->size, old);
		return 0;
	}
	TRY(rvm_rmw_begin(insn, d, &m, r->size, true));
	do {
		old = m.old;
		rc = rvm_rmw_end(insn, &m, v);
	} while (rc == RVM_X_AGAIN);
	TRY(rc);
	rvm_reg_write(insn->cpu, r->reg, r->size, old);
	return 0;
}

int rvm_x_lea(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	rvm_reg_write(insn->cpu, d->opnd[0].reg, d->opnd[0].size, rvm_ea(insn, d));
	return 0;
}

int rvm_x_xlat(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	struct rvm_cpu *cpu = insn->cpu;
	u64 ea = cpu->gpr[RVM_RBX] + (u8)cpu->gpr[RVM_RAX], gla, v;

	TRY(rvm_linear(insn, d, d->seg, ea & rvm_mask(d->asize), 1, RVM_ACC_READ, &gla));
	TRY(rvm_read_val(insn, gla, &v, 1, 0));
	rvm_set_gpr(cpu, RVM_RAX, 1, v);
	return 0;
}

/* The source is read, and a 32-bit destination zero-extended, in either case. */
int rvm_x_cmov(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	u64 v;

	TRY(rvm_opnd_read(insn, d, 1, &v));
	if (!rvm_cond(insn->cpu->rflags, d->opcode))
		v = rvm_reg_read(insn->cpu, d->opnd[0].reg, d->opnd[0].size);
	return rvm_opnd_write(insn, d, 0, v);
}

int rvm_x_setcc(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	return rvm_opnd_write(insn, d, 0, rvm_cond(insn->cpu->rflags, d->opcode));
}

/* CBW, CWDE, CDQE */
int rvm_x_cbw(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	struct rvm_cpu *cpu = insn->cpu;

	rvm_set_gpr(cpu, RVM_RAX, d->osize, rvm_sext(cpu->gpr[RVM_RAX], d->osize / 2));
	return 0;
}

/* CWD, CDQ, CQO */
int rvm_x_cwd(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	struct rvm_cpu *cpu = insn->cpu;

	rvm_set_gpr(cpu, RVM_RDX, d->osize,
		    cpu->gpr[RVM_RAX] >> (8 * d->osize - 1) & 1 ? ~0ull : 0);
	return 0;
}

int rvm_x_lahf(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	if (rvm_code64(d) && (insn->hide & RVM_HIDE_LAHF))
		return rvm_x_ud(insn);
	rvm_reg_write(insn->cpu, 1, 1, (insn->cpu->rflags & 0xd5) | RVM_FL_FIXED);
	return 0;
}

int rvm_x_sahf(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	if (rvm_code64(d) && (insn->hide & RVM_HIDE_LAHF))
		return rvm_x_ud(insn);
	rvm_set_flags(insn->cpu, 0xd5, insn->cpu->gpr[RVM_RAX] >> 8);
	return 0;
}

int rvm_x_salc(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	rvm_set_gpr(insn->cpu, RVM_RAX, 1, insn->cpu->rflags & RVM_FL_CF ? 0xff : 0);
	return 0;
}

int rvm_x_nop(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	return 0;
}

/* ---- stack ---- */

int rvm_x_push(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	struct rvm_stack s;
	u64 v;

	TRY(rvm_opnd_read(insn, d, 0, &v));
	rvm_stack_begin(insn, &s);
	TRY(rvm_push(insn, &s, d->osize, v));
	rvm_stack_commit(insn, &s);
	return 0;
}

int rvm_x_pop(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	struct rvm_stack s;
	u64 v, ea, gla;

	rvm_stack_begin(insn, &s);
	TRY(rvm_pop(insn, &s, d->osize, &v));
	if (d->opnd[0].kind == RVM_K_REG) {
		/* POP rSP: the value popped wins */
		rvm_stack_commit(insn, &s);
		rvm_reg_write(insn->cpu, d->opnd[0].reg, d->osize, v);
		return 0;
	}
	/* rSP in the address is the value after the pop (SDM vol. 2, POP) */
	ea = rvm_ea(insn, d);
	if (d->base == RVM_RSP * 8)
		ea = (ea + d->osize) & rvm_mask(d->asize);
	TRY(rvm_linear(insn, d, d->seg, ea, d->osize, RVM_ACC_WRITE, &gla));
	TRY(rvm_write(insn, gla, &v, d->osize, 0));
	rvm_stack_commit(insn, &s);
	return 0;
}

int rvm_x_pusha(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	struct rvm_cpu *cpu = insn->cpu;
	struct rvm_stack s;
	u64 gla, sp;
	u32 i;

	/* All eight are checked before the first is stored. */
	rvm_stack_begin(insn, &s);
	for (i = 0; i < 8; i++) {
		sp = (s.sp - (i + 1) * d->osize) & rvm_mask(s.asize);
		TRY(rvm_linear_slow(insn, RVM_SS, sp, d->osize,
				    RVM_ACC_WRITE | RVM_ACC_STACK, &gla));
		TRY(rvm_probe(insn, gla, d->osize, RVM_ACC_STACK));
	}
	for (i = 0; i < 8; i++)
		TRY(rvm_push(insn, &s, d->osize, cpu->gpr[i]));
	rvm_stack_commit(insn, &s);
	return 0;
}

int rvm_x_popa(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	struct rvm_stack s;
	u64 v[8];
	u32 i;

	rvm_stack_begin(insn, &s);
	for (i = 0; i < 8; i++)
		TRY(rvm_pop(insn, &s, d->osize, &v[7 - i]));
	rvm_stack_commit(insn, &s);
	for (i = 0; i < 8; i++)
		if (i != RVM_RSP)
			rvm_set_gpr(insn->cpu, i, d->osize, v[i]);
	return 0;
}

int rvm_x_enter(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	struct rvm_cpu *cpu = insn->cpu;
	u32 level = d->imm2 & 31, i, size = d->osize;
	struct rvm_stack s;
	u64 frame, bp, v, gla, final;

	rvm_stack_begin(insn, &s);
	bp = rvm_gpr(cpu, RVM_RBP, s.asize);
	final = (s.sp - size * (1 + level) - d->imm) & rvm_mask(s.asize);
	TRY(rvm_push(insn, &s, size, cpu->gpr[RVM_RBP]));
	frame = s.sp;
	for (i = 1; i < level; i++) {
		bp = (bp - size) & rvm_mask(s.asize);
		TRY(rvm_linear_slow(insn, RVM_SS, bp, size, RVM_ACC_READ | RVM_ACC_STACK, &gla));
		TRY(rvm_read_val(insn, gla, &v, size, RVM_ACC_STACK));
		TRY(rvm_push(insn, &s, size, v));
	}
	if (level)
		TRY(rvm_push(insn, &s, size, frame));
	/* The new stack must be writable (SDM vol. 2, ENTER). */
	TRY(rvm_linear_slow(insn, RVM_SS, final, size, RVM_ACC_WRITE | RVM_ACC_STACK, &gla));
	TRY(rvm_probe(insn, gla, size, RVM_ACC_STACK));
	s.sp = final;
	rvm_stack_commit(insn, &s);
	rvm_set_gpr(cpu, RVM_RBP, size, frame);
	return 0;
}

int rvm_x_leave(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	struct rvm_stack s;
	u64 v;

	s.asize = rvm_stack_asize(insn->cpu);
	s.sp = rvm_gpr(insn->cpu, RVM_RBP, s.asize);
	TRY(rvm_pop(insn, &s, d->osize, &v));
	rvm_stack_commit(insn, &s);
	rvm_set_gpr(insn->cpu, RVM_RBP, d->osize, v);
	return 0;
}

/* ---- near control flow ---- */

/* Target of a relative branch (SDM vol. 2, Jcc: 16 bits cut EIP). */
static u64 rel_target(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	u64 rip = rvm_next_rip(insn, d) + d->imm;

	return rip & rvm_mask(d->osize);
}

static int jump(struct rvm_insn *insn, u64 rip)
{
	TRY(rvm_check_rip(insn, rip));
	insn->cpu->rip = rip;
	return RVM_X_JUMPED;
}

int rvm_x_jcc(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	if (!rvm_cond(insn->cpu->rflags, d->opcode))
		return 0;
	return jump(insn, rel_target(insn, d));
}

static int near_target(struct rvm_insn *insn, const struct rvm_decoded *d, u64 *rip)
{
	if (d->opnd[0].kind == RVM_K_REL) {
		*rip = rel_target(insn, d);
		return 0;
	}
	return rvm_opnd_read(insn, d, 0, rip);
}

int rvm_x_jmp(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	u64 rip;

	TRY(near_target(insn, d, &rip));
	return jump(insn, rip);
}

int rvm_x_call(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	struct rvm_stack s;
	u64 rip;

	TRY(near_target(insn, d, &rip));
	rvm_stack_begin(insn, &s);
	/* AMD looks at the stack first, Intel at the target (SDM vol. 2, CALL) */
	if (!insn->intel)
		TRY(rvm_check_push(insn, &s, d->osize));
	TRY(rvm_check_rip(insn, rip));
	TRY(rvm_push(insn, &s, d->osize, rvm_next_rip(insn, d)));
	rvm_stack_commit(insn, &s);
	insn->cpu->rip = rip;
	return RVM_X_JUMPED;
}

int rvm_x_ret(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	struct rvm_stack s;
	u64 rip;

	rvm_stack_begin(insn, &s);
	TRY(rvm_pop(insn, &s, d->osize, &rip));
	TRY(rvm_check_rip(insn, rip));
	s.sp += d->imm;
	rvm_stack_commit(insn, &s);
	insn->cpu->rip = rip;
	return RVM_X_JUMPED;
}

/* LOOP, LOOPE, LOOPNE: the address size chooses the counter. */
int rvm_x_loop(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	struct rvm_cpu *cpu = insn->cpu;
	u64 count = (rvm_gpr(cpu, RVM_RCX, d->asize) - 1) & rvm_mask(d->asize);
	bool zf = cpu->rflags & RVM_FL_ZF;
	bool taken = count && (d->op == RVM_OP_LOOP || zf == (d->op == RVM_OP_LOOPE));
	u64 rip = rel_target(insn, d);

	if (taken)
		TRY(rvm_check_rip(insn, rip));
	rvm_set_gpr(cpu, RVM_RCX, d->asize, count);
	if (!taken)
		return 0;
	cpu->rip = rip;
	return RVM_X_JUMPED;
}

int rvm_x_jcxz(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	if (rvm_gpr(insn->cpu, RVM_RCX, d->asize))
		return 0;
	return jump(insn, rel_target(insn, d));
}

int rvm_x_bound(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	u32 size = d->osize;
	s64 index, low, high;
	u64 a, b, ea = rvm_ea(insn, d), gla;

	/* two accesses, each aligned by itself */
	TRY(rvm_linear(insn, d, d->seg, ea, size, RVM_ACC_READ, &gla));
	TRY(rvm_read_val(insn, gla, &a, size, 0));
	ea = (ea + size) & rvm_mask(d->asize);
	TRY(rvm_linear(insn, d, d->seg, ea, size, RVM_ACC_READ, &gla));
	TRY(rvm_read_val(insn, gla, &b, size, 0));
	index = rvm_sext(rvm_reg_read(insn->cpu, d->opnd[0].reg, size), size);
	low = rvm_sext(a, size);
	high = rvm_sext(b, size);
	if (index < low || index > high)
		return rvm_x_fault_noerr(insn, RVM_BR);
	return 0;
}

/* ---- particular forms ---- */

/* MOV and MOVZX: a value from operand 1 to operand 0 */
#define MOVS_OF(X, op, size) \
	X(op, REG, size, REG, size) X(op, REG, size, IMM, size) X(op, REG, size, MEM, size) \
	X(op, REG, size, BASE64, size) X(op, REG, size, BASE32, size) \
	X(op, REG, size, INDEX32, size) X(op, INDEX32, size, REG, size) \
	X(op, MEM, size, REG, size) X(op, BASE64, size, REG, size) X(op, BASE32, size, REG, size) \
	X(op, MEM, size, IMM, size) X(op, BASE64, size, IMM, size) X(op, BASE32, size, IMM, size)
#define MOVZXS_OF(X, to, from) \
	X(MOVZX, REG, to, REG, from) X(MOVZX, REG, to, MEM, from) \
	X(MOVZX, REG, to, BASE64, from) X(MOVZX, REG, to, BASE32, from) \
	X(MOVZX, REG, to, INDEX32, from)
#define ALL_MOVS(X) \
	MOVS_OF(X, MOV, 1) MOVS_OF(X, MOV, 2) MOVS_OF(X, MOV, 4) MOVS_OF(X, MOV, 8) \
	MOVZXS_OF(X, 4, 1) MOVZXS_OF(X, 4, 2)

#define X(op, to, to_size, from, from_size) \
static int op##_##to##to_size##_##from##from_size(struct rvm_insn *insn, \
						  const struct rvm_decoded *d) \
{ \
	u64 v; \
\
	if (unlikely(!rvm_form_read(insn, d, 1, RVM_F_##from, from_size, &v) || \
		     !rvm_form_write(insn, d, 0, RVM_F_##to, to_size, v))) \
		return rvm_x_mov(insn, d); \
	return 0; \
}
ALL_MOVS(X)
#undef X

static const struct rvm_formed movs[] = {
#define X(op, to, to_size, from, from_size) \
	{ RVM_OP_##op, { RVM_F_##to, RVM_F_##from }, { to_size, from_size }, \
	  op##_##to##to_size##_##from##from_size },
	ALL_MOVS(X)
#undef X
};

/*
 * Near branches with the operand size that the code has by itself, to a target
 * on the page they are on: it is inside the segment, and canonical.
 */
static __always_inline bool near_branch(const struct rvm_insn *insn, const struct rvm_decoded *d,
					u64 *rip)
{
	*rip = (insn->cpu->rip + d->len + d->imm) & insn->hot.rip_mask;
	return *rip - insn->hot.win_rip < insn->hot.win_len;
}

static bool natural_branch(const struct rvm_decoded *d)
{
	return d->opnd[0].kind == RVM_K_REL &&
	       d->osize == (rvm_code64(d) ? 8 : (d->mode & RVM_DEC_SIZE) == RVM_DEC_32 ? 4 : 0);
}

static int jmp_near(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	u64 rip;

	if (unlikely(!near_branch(insn, d, &rip)))
		return rvm_x_jmp(insn, d);
	insn->cpu->rip = rip;
	return RVM_X_JUMPED;
}

#define ALL_CCS(X) \
	X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)

#define X(cc) \
static int jcc##cc(struct rvm_insn *insn, const struct rvm_decoded *d) \
{ \
	u64 rip; \
\
	if (!rvm_cond(insn->cpu->rflags, cc)) \
		return 0; \
	if (unlikely(!near_branch(insn, d, &rip))) \
		return rvm_x_jcc(insn, d); \
	insn->cpu->rip = rip; \
	return RVM_X_JUMPED; \
}
ALL_CCS(X)
#undef X

/* Into registers; what CMOV reads is a register, or where the stack's variables are. */
#define X(cc) \
static int setcc##cc(struct rvm_insn *insn, const struct rvm_decoded *d) \
{ \
	rvm_reg_write(insn->cpu, d->opnd[0].reg, 1, rvm_cond(insn->cpu->rflags, cc)); \
	return 0; \
} \
static int cmov_reg##cc(struct rvm_insn *insn, const struct rvm_decoded *d) \
{ \
	u32 from = rvm_cond(insn->cpu->rflags, cc) ? d->opnd[1].reg : d->opnd[0].reg; \
\
	rvm_reg_write(insn->cpu, d->opnd[0].reg, 4, rvm_reg_read(insn->cpu, from, 4)); \
	return 0; \
} \
static int cmov_base##cc(struct rvm_insn *insn, const struct rvm_decoded *d) \
{ \
	u64 v; \
\
	if (unlikely(!rvm_form_read(insn, d, 1, RVM_F_BASE32, 4, &v))) \
		return rvm_x_cmov(insn, d); \
	if (!rvm_cond(insn->cpu->rflags, cc)) \
		v = rvm_reg_read(insn->cpu, d->opnd[0].reg, 4); \
	rvm_reg_write(insn->cpu, d->opnd[0].reg, 4, v); \
	return 0; \
}
ALL_CCS(X)
#undef X

static const rvm_exec_fn setccs[16] = {
#define X(cc) setcc##cc,
	ALL_CCS(X)
#undef X
};

static const rvm_exec_fn cmov_regs[16] = {
#define X(cc) cmov_reg##cc,
	ALL_CCS(X)
#undef X
};

static const rvm_exec_fn cmov_bases[16] = {
#define X(cc) cmov_base##cc,
	ALL_CCS(X)
#undef X
};

static rvm_exec_fn pick_cmov(const struct rvm_decoded *d)
{
	if (d->osize != 4)
		return NULL;
	switch (rvm_form_of(d, 1)) {
	case RVM_F_REG:
		return cmov_regs[d->opcode & 15];
	case RVM_F_BASE32:
		return cmov_bases[d->opcode & 15];
	default:
		return NULL;
	}
}

/* 32 bits of a register and a displacement */
static int lea_base4(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	u64 ea = rvm_reg_read(insn->cpu, d->base, 8) + d->disp;

	rvm_reg_write(insn->cpu, d->opnd[0].reg, 4, ea);
	return 0;
}

/* with an index */
static int lea_index4(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	u64 ea = rvm_reg_read(insn->cpu, d->base, 8) + d->disp +
		 (rvm_reg_read(insn->cpu, d->index, 8) << d->scale);

	rvm_reg_write(insn->cpu, d->opnd[0].reg, 4, ea);
	return 0;
}

static rvm_exec_fn pick_lea(const struct rvm_decoded *d)
{
	if (d->osize != 4 || d->asize != 4 || d->base >= RVM_BASE_RIP)
		return NULL;
	return d->index == RVM_BASE_NONE ? lea_base4 : lea_index4;
}

static const rvm_exec_fn jccs[16] = {
#define X(cc) jcc##cc,
	ALL_CCS(X)
#undef X
};

/*
 * The stack in 64-bit code, with operands of 8 bytes; and in 32-bit code with a
 * stack pointer and operands of 4, which is what @size stands for.
 */
static __always_inline bool stack_addr(const struct rvm_insn *insn, u64 sp, u32 size, u32 kind,
				       u64 *host)
{
	if (size == 8)
		return rvm_hot_lookup(insn, sp, 8, kind, host);
	if (likely(insn->hot.flat_stack))
		return rvm_hot_lookup(insn, (u32)sp, 4, kind, host);
	return (insn->cpu->seg[RVM_SS].attr & RVM_SEG_DB) &&
	       rvm_hot_addr_bounded(insn, RVM_SS, sp, 4, kind, host);
}

static __always_inline bool push_hot(struct rvm_insn *insn, u32 size, u64 val)
{
	u64 sp = insn->cpu->gpr[RVM_RSP] - size, host;

	if (unlikely(!stack_addr(insn, sp, size, RVM_TLB_WRITE, &host) ||
		     !rvm_host_store(host, val, size)))
		return false;
	rvm_reg_write(insn->cpu, RVM_RSP * 8, size, sp);
	return true;
}

/* rSP is the caller's to move. */
static __always_inline bool pop_hot(const struct rvm_insn *insn, u32 size, u64 *val)
{
	u64 host;

	return likely(stack_addr(insn, insn->cpu->gpr[RVM_RSP], size, RVM_TLB_READ, &host)) &&
	       likely(rvm_host_load(host, val, size));
}

#define X(size) \
static int push_reg##size(struct rvm_insn *insn, const struct rvm_decoded *d) \
{ \
	if (unlikely(!push_hot(insn, size, rvm_reg_read(insn->cpu, d->opnd[0].reg, size)))) \
		return rvm_x_push(insn, d); \
	return 0; \
} \
static int push_imm##size(struct rvm_insn *insn, const struct rvm_decoded *d) \
{ \
	return unlikely(!push_hot(insn, size, d->imm)) ? rvm_x_push(insn, d) : 0; \
} \
static int pop_reg##size(struct rvm_insn *insn, const struct rvm_decoded *d) \
{ \
	struct rvm_cpu *cpu = insn->cpu; \
	u64 v; \
\
	if (unlikely(!pop_hot(insn, size, &v))) \
		return rvm_x_pop(insn, d); \
	/* POP rSP: the value popped wins */ \
	rvm_reg_write(cpu, RVM_RSP * 8, size, cpu->gpr[RVM_RSP] + size); \
	rvm_reg_write(cpu, d->opnd[0].reg, size, v); \
	return 0; \
} \
static int call_near##size(struct rvm_insn *insn, const struct rvm_decoded *d) \
{ \
	u64 rip, next = (insn->cpu->rip + d->len) & insn->hot.rip_mask; \
\
	if (unlikely(!near_branch(insn, d, &rip) || !push_hot(insn, size, next))) \
		return rvm_x_call(insn, d); \
	insn->cpu->rip = rip; \
	return RVM_X_JUMPED; \
} \
static int ret_near##size(struct rvm_insn *insn, const struct rvm_decoded *d) \
{ \
	struct rvm_cpu *cpu = insn->cpu; \
	u64 rip; \
\
	if (unlikely(!pop_hot(insn, size, &rip) || rvm_check_rip(insn, rip))) \
		return rvm_x_ret(insn, d); \
	rvm_reg_write(cpu, RVM_RSP * 8, size, cpu->gpr[RVM_RSP] + size + d->imm); \
	cpu->rip = rip; \
	return RVM_X_JUMPED; \
}
X(4)
X(8)
#undef X

static rvm_exec_fn pick_stack(const struct rvm_decoded *d)
{
	bool c64 = rvm_code64(d);

	if (d->osize != (c64 ? 8 : 4))
		return NULL;
	switch (d->op) {
	case RVM_OP_PUSH:
		if (d->opnd[0].kind == RVM_K_REG)
			return c64 ? push_reg8 : push_reg4;
		if (d->opnd[0].kind == RVM_K_IMM)
			return c64 ? push_imm8 : push_imm4;
		return NULL;
	case RVM_OP_POP:
		return d->opnd[0].kind != RVM_K_REG ? NULL : c64 ? pop_reg8 : pop_reg4;
	case RVM_OP_CALL:
		return !natural_branch(d) ? NULL : c64 ? call_near8 : call_near4;
	default:
		return c64 ? ret_near8 : ret_near4;
	}
}

rvm_exec_fn rvm_pick_move(const struct rvm_decoded *d)
{
	switch (d->op) {
	case RVM_OP_MOV:
	case RVM_OP_MOVZX:
		return rvm_pick(d, movs, ARRAY_SIZE(movs));
	case RVM_OP_JCC:
		return natural_branch(d) ? jccs[d->opcode & 15] : NULL;
	case RVM_OP_SETCC:
		return d->opnd[0].kind == RVM_K_REG ? setccs[d->opcode & 15] : NULL;
	case RVM_OP_CMOV:
		return pick_cmov(d);
	case RVM_OP_LEA:
		return pick_lea(d);
	case RVM_OP_JMP:
		return natural_branch(d) ? jmp_near : NULL;
	case RVM_OP_PUSH:
	case RVM_OP_POP:
	case RVM_OP_CALL:
	case RVM_OP_RET:
		return pick_stack(d);
	default:
		return NULL;
	}
}
