// SPDX-License-Identifier: GPL-2.0
/*
 * Shifts, rotates, bit tests and bit manipulation.
 */
#include "alu.h"
#include "forms.h"

/*
 * The count is taken modulo 32 (64 for 8-byte operands); a count of zero
 * changes neither operand nor flags, but memory is written all the same.
 * RCL and RCR of 8 and 16 bits turn by the count modulo 9 and 17: the host does
 * that by itself.
 */
static __always_inline int shift(struct rvm_insn *insn, const struct rvm_decoded *d,
				 u64 (*fn)(u32, u64, u32, u64, u64 *), u64 mask)
{
	struct rvm_cpu *cpu = insn->cpu;
	u32 size = d->opnd[0].size, n;
	u64 fl = 0, v, cf = cpu->rflags & RVM_FL_CF;
	struct rvm_rmw m;

	n = d->opnd[1].kind == RVM_K_REG ? cpu->gpr[RVM_RCX] :
	    d->opnd[1].kind == RVM_K_ONE ? 1 : d->imm;
	n &= size == 8 ? 63 : 31;

	if (d->opnd[0].kind == RVM_K_REG) {
		v = rvm_reg_read(cpu, d->opnd[0].reg, size);
		if (n)
			v = fn(size, v, n, cf, &fl);
		rvm_reg_write(cpu, d->opnd[0].reg, size, v);
	} else {
		TRY(rvm_rmw_begin(insn, d, &m, size, false));
		v = m.old;
		if (n)
			v = fn(size, v, n, cf, &fl);
		TRY(rvm_rmw_end(insn, &m, v));
	}
	if (n)
		rvm_set_flags(cpu, mask, fl);
	return 0;
}

#define FL_ROTATE	(RVM_FL_CF | RVM_FL_OF)

int rvm_x_rol(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	return shift(insn, d, rvm_alu_rol, FL_ROTATE);
}

int rvm_x_ror(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	return shift(insn, d, rvm_alu_ror, FL_ROTATE);
}

int rvm_x_rcl(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	return shift(insn, d, rvm_alu_rcl, FL_ROTATE);
}

int rvm_x_rcr(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	return shift(insn, d, rvm_alu_rcr, FL_ROTATE);
}

int rvm_x_shl(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	return shift(insn, d, rvm_alu_shl, RVM_FL_ARITH);
}

int rvm_x_shr(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	return shift(insn, d, rvm_alu_shr, RVM_FL_ARITH);
}

int rvm_x_sar(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	return shift(insn, d, rvm_alu_sar, RVM_FL_ARITH);
}

static __always_inline int shift_double(struct rvm_insn *insn, const struct rvm_decoded *d,
					bool left)
{
	struct rvm_cpu *cpu = insn->cpu;
	u32 size = d->opnd[0].size, n;
	u64 src = rvm_reg_read(cpu, d->opnd[1].reg, size), fl = 0, v;
	struct rvm_rmw m;

	n = d->opnd[2].kind == RVM_K_REG ? cpu->gpr[RVM_RCX] : d->imm;
	n &= size == 8 ? 63 : 31;

	if (d->opnd[0].kind == RVM_K_REG)
		m.old = rvm_reg_read(cpu, d->opnd[0].reg, size);
	else
		TRY(rvm_rmw_begin(insn, d, &m, size, false));
	v = m.old;
	if (n)
		v = left ? rvm_alu_shld(size, v, src, n, &fl) : rvm_alu_shrd(size, v, src, n, &fl);
	if (d->opnd[0].kind == RVM_K_REG)
		rvm_reg_write(cpu, d->opnd[0].reg, size, v);
	else
		TRY(rvm_rmw_end(insn, &m, v));
	if (n)
		rvm_set_flags(cpu, RVM_FL_ARITH, fl);
	return 0;
}

int rvm_x_shld(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	return shift_double(insn, d, true);
}

int rvm_x_shrd(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	return shift_double(insn, d, false);
}

/* ---- bit tests ---- */

enum { BIT_TEST, BIT_SET, BIT_RESET, BIT_COMPLEMENT };

static __always_inline u64 bit_op(u32 op, u64 v, u64 bit)
{
	switch (op) {
	case BIT_SET:
		return v | bit;
	case BIT_RESET:
		return v & ~bit;
	case BIT_COMPLEMENT:
		return v ^ bit;
	default:
		return v;
	}
}

/*
 * With a register as the bit index a memory operand is a bit string: the
 * index, signed, moves the address by whole operands (SDM vol. 2, BT).  Only
 * CF is defined; ZF is left, and so are the others on current CPUs.
 */
static __always_inline int bit_test(struct rvm_insn *insn, const struct rvm_decoded *d, u32 op)
{
	struct rvm_cpu *cpu = insn->cpu;
	u32 size = d->osize;
	u64 index, bit, v, ea, gla;
	struct rvm_rmw m;
	int rc;

	TRY(rvm_opnd_read(insn, d, 1, &index));
	bit = 1ull << (index & (8 * size - 1));
	if (d->opnd[0].kind == RVM_K_REG) {
		v = rvm_reg_read(cpu, d->opnd[0].reg, size);
		if (op != BIT_TEST)
			rvm_reg_write(cpu, d->opnd[0].reg, size, bit_op(op, v, bit));
		rvm_set_flags(cpu, RVM_FL_CF, v & bit ? RVM_FL_CF : 0);
		return 0;
	}
	ea = rvm_ea(insn, d);
	if (d->opnd[1].kind == RVM_K_REG) {
		s64 words = (s64)rvm_sext(index, size) >> (size == 8 ? 6 : size == 4 ? 5 : 4);

		ea = (ea + (u64)words * size) & rvm_mask(d->asize);
	}
	TRY(rvm_linear(insn, d, d->seg, ea, size,
		       op == BIT_TEST ? RVM_ACC_READ : RVM_ACC_READ | RVM_ACC_WRITE, &gla));
	if (op == BIT_TEST) {
		TRY(rvm_read_val(insn, gla, &v, size, 0));
	} else {
		TRY(rvm_rmw_begin_at(insn, &m, gla, size, d->prefix & RVM_P_LOCK));
		do {
			v = m.old;
			rc = rvm_rmw_end(insn, &m, bit_op(op, v, bit));
		} while (rc == RVM_X_AGAIN);
		TRY(rc);
	}
	rvm_set_flags(cpu, RVM_FL_CF, v & bit ? RVM_FL_CF : 0);
	return 0;
}

int rvm_x_bt(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	return bit_test(insn, d, BIT_TEST);
}

int rvm_x_bts(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	return bit_test(insn, d, BIT_SET);
}

int rvm_x_btr(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	return bit_test(insn, d, BIT_RESET);
}

int rvm_x_btc(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	return bit_test(insn, d, BIT_COMPLEMENT);
}

/* ---- bit scans and counts ---- */

/* A zero source sets ZF and leaves the destination, high half included. */
static int scan(struct rvm_insn *insn, const struct rvm_decoded *d, bool reverse)
{
	u64 v;

	TRY(rvm_opnd_read(insn, d, 1, &v));
	if (v)
		rvm_reg_write(insn->cpu, d->opnd[0].reg, d->osize,
			      reverse ? 63 - __builtin_clzll(v) : __builtin_ctzll(v));
	rvm_set_flags(insn->cpu, RVM_FL_ZF, v ? 0 : RVM_FL_ZF);
	return 0;
}

int rvm_x_bsf(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	return scan(insn, d, false);
}

int rvm_x_bsr(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	return scan(insn, d, true);
}

static void set_zf_cf(struct rvm_insn *insn, u64 result, bool cf)
{
	rvm_set_flags(insn->cpu, RVM_FL_ZF | RVM_FL_CF,
		      (result ? 0 : RVM_FL_ZF) | (cf ? RVM_FL_CF : 0));
}

int rvm_x_tzcnt(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	u64 v, r;

	if (insn->hide & RVM_HIDE_BMI1)
		return scan(insn, d, false);
	TRY(rvm_opnd_read(insn, d, 1, &v));
	r = v ? __builtin_ctzll(v) : 8 * d->osize;
	rvm_reg_write(insn->cpu, d->opnd[0].reg, d->osize, r);
	set_zf_cf(insn, r, !v);
	return 0;
}

int rvm_x_lzcnt(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	u64 v, r;

	if (insn->hide & RVM_HIDE_LZCNT)
		return scan(insn, d, true);
	TRY(rvm_opnd_read(insn, d, 1, &v));
	r = v ? __builtin_clzll(v) - (64 - 8 * d->osize) : 8 * d->osize;
	rvm_reg_write(insn->cpu, d->opnd[0].reg, d->osize, r);
	set_zf_cf(insn, r, !v);
	return 0;
}

int rvm_x_popcnt(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	u64 v, w;
	u32 n = 0;

	if (insn->hide & RVM_HIDE_POPCNT)
		return rvm_x_ud(insn);
	TRY(rvm_opnd_read(insn, d, 1, &v));
	for (w = v; w; w &= w - 1)
		n++;
	rvm_reg_write(insn->cpu, d->opnd[0].reg, d->osize, n);
	rvm_set_flags(insn->cpu, RVM_FL_ARITH, v ? 0 : RVM_FL_ZF);
	return 0;
}

/* ---- BMI1, BMI2: encoded with VEX, #UD in real and V86 mode ---- */

static int need_bmi(struct rvm_insn *insn, u32 hide)
{
	if ((insn->hide & hide) || !rvm_prot_not_v86(insn->cpu))
		return rvm_x_ud(insn);
	return 0;
}

/* Result into operand 0; SF, ZF from it, OF clear, CF given, AF and PF clear. */
static void bmi_result(struct rvm_insn *insn, const struct rvm_decoded *d, u64 r, bool cf,
		       bool sf)
{
	u32 size = d->opnd[0].size;
	u64 fl = cf ? RVM_FL_CF : 0;

	r &= rvm_mask(size);
	if (!r)
		fl |= RVM_FL_ZF;
	if (sf && r >> (8 * size - 1))
		fl |= RVM_FL_SF;
	rvm_reg_write(insn->cpu, d->opnd[0].reg, size, r);
	rvm_set_flags(insn->cpu, RVM_FL_ARITH, fl);
}

int rvm_x_andn(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	u64 a, b;

	TRY(need_bmi(insn, RVM_HIDE_BMI1));
	TRY(rvm_opnd_read(insn, d, 1, &a));
	TRY(rvm_opnd_read(insn, d, 2, &b));
	bmi_result(insn, d, ~a & b, false, true);
	return 0;
}

int rvm_x_bextr(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	u32 size = d->opnd[0].size, start, len;
	u64 v, ctl;

	TRY(need_bmi(insn, RVM_HIDE_BMI1));
	TRY(rvm_opnd_read(insn, d, 1, &v));
	TRY(rvm_opnd_read(insn, d, 2, &ctl));
	start = ctl & 0xff;
	len = ctl >> 8 & 0xff;
	v = start < 8 * size ? v >> start : 0;
	if (len < 64)
		v &= (1ull << len) - 1;
	bmi_result(insn, d, v, false, false);
	return 0;
}

int rvm_x_blsr(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	u64 v;

	TRY(need_bmi(insn, RVM_HIDE_BMI1));
	TRY(rvm_opnd_read(insn, d, 1, &v));
	bmi_result(insn, d, v & (v - 1), !v, true);
	return 0;
}

int rvm_x_blsmsk(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	u64 v;

	TRY(need_bmi(insn, RVM_HIDE_BMI1));
	TRY(rvm_opnd_read(insn, d, 1, &v));
	bmi_result(insn, d, v ^ (v - 1), !v, true);
	return 0;
}

int rvm_x_blsi(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	u64 v;

	TRY(need_bmi(insn, RVM_HIDE_BMI1));
	TRY(rvm_opnd_read(insn, d, 1, &v));
	bmi_result(insn, d, v & -v, v != 0, true);
	return 0;
}

int rvm_x_bzhi(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	u32 bits = 8 * d->opnd[0].size, n;
	u64 v, ctl;

	TRY(need_bmi(insn, RVM_HIDE_BMI2));
	TRY(rvm_opnd_read(insn, d, 1, &v));
	TRY(rvm_opnd_read(insn, d, 2, &ctl));
	n = ctl & 0xff;
	if (n < bits)
		v &= (1ull << n) - 1;
	bmi_result(insn, d, v, n >= bits, true);
	return 0;
}

int rvm_x_pdep(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	u64 v, mask, r = 0;

	TRY(need_bmi(insn, RVM_HIDE_BMI2));
	TRY(rvm_opnd_read(insn, d, 1, &v));
	TRY(rvm_opnd_read(insn, d, 2, &mask));
	for (; mask; mask &= mask - 1, v >>= 1)
		if (v & 1)
			r |= mask & -mask;
	rvm_reg_write(insn->cpu, d->opnd[0].reg, d->opnd[0].size, r);
	return 0;
}

int rvm_x_pext(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	u64 v, mask, r = 0;
	u32 n = 0;

	TRY(need_bmi(insn, RVM_HIDE_BMI2));
	TRY(rvm_opnd_read(insn, d, 1, &v));
	TRY(rvm_opnd_read(insn, d, 2, &mask));
	for (; mask; mask &= mask - 1, n++)
		if (v & mask & -mask)
			r |= 1ull << n;
	rvm_reg_write(insn->cpu, d->opnd[0].reg, d->opnd[0].size, r);
	return 0;
}

int rvm_x_mulx(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	struct rvm_cpu *cpu = insn->cpu;
	u32 size = d->opnd[0].size;
	u64 s, lo, hi;

	TRY(need_bmi(insn, RVM_HIDE_BMI2));
	TRY(rvm_opnd_read(insn, d, 2, &s));
	lo = rvm_gpr(cpu, RVM_RDX, size);
	if (size == 8) {
		asm("mulq %2" : "+a" (lo), "=d" (hi) : "r" (s) : "cc");
	} else {
		lo *= s;
		hi = lo >> 32;
	}
	/* both the same register: the high half stays */
	rvm_reg_write(cpu, d->opnd[1].reg, size, lo);
	rvm_reg_write(cpu, d->opnd[0].reg, size, hi);
	return 0;
}

int rvm_x_rorx(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	u32 bits = 8 * d->opnd[0].size, n = d->imm & (bits - 1);
	u64 v;

	TRY(need_bmi(insn, RVM_HIDE_BMI2));
	TRY(rvm_opnd_read(insn, d, 1, &v));
	if (n)
		v = v >> n | v << (bits - n);
	rvm_reg_write(insn->cpu, d->opnd[0].reg, d->opnd[0].size, v);
	return 0;
}

/* SARX, SHLX, SHRX */
int rvm_x_shiftx(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	u32 size = d->opnd[0].size;
	u64 v, n;

	TRY(need_bmi(insn, RVM_HIDE_BMI2));
	TRY(rvm_opnd_read(insn, d, 1, &v));
	TRY(rvm_opnd_read(insn, d, 2, &n));
	n &= 8 * size - 1;
	if (d->op == RVM_OP_SHLX)
		v <<= n;
	else if (d->op == RVM_OP_SHRX)
		v >>= n;
	else
		v = (u64)((s64)rvm_sext(v, size) >> n);
	rvm_reg_write(insn->cpu, d->opnd[0].reg, size, v);
	return 0;
}

/* ---- particular forms ---- */

#define ALL_SHIFTS(X) X(shl, 4) X(shl, 8) X(shr, 4) X(shr, 8) X(sar, 4) X(sar, 8)

/* A register by a count in the instruction that is not zero */
#define X(name, size) \
static int name##_reg##size(struct rvm_insn *insn, const struct rvm_decoded *d) \
{ \
	u32 n = (d->opnd[1].kind == RVM_K_ONE ? 1 : d->imm) & (size == 8 ? 63 : 31); \
	struct rvm_cpu *cpu = insn->cpu; \
	u64 fl, v = rvm_alu_##name(size, rvm_reg_read(cpu, d->opnd[0].reg, size), n, 0, &fl); \
\
	rvm_reg_write(cpu, d->opnd[0].reg, size, v); \
	rvm_set_flags(cpu, RVM_FL_ARITH, fl); \
	return 0; \
}
ALL_SHIFTS(X)
#undef X

rvm_exec_fn rvm_pick_bits(const struct rvm_decoded *d)
{
	u32 size = d->opnd[0].size;

	if (d->opnd[0].kind != RVM_K_REG || (size != 4 && size != 8) ||
	    d->opnd[1].kind == RVM_K_REG)
		return NULL;
	if (d->opnd[1].kind == RVM_K_IMM && !(d->imm & (size == 8 ? 63 : 31)))
		return NULL;
	switch (d->op) {
	case RVM_OP_SHL:
		return size == 4 ? shl_reg4 : shl_reg8;
	case RVM_OP_SHR:
		return size == 4 ? shr_reg4 : shr_reg8;
	case RVM_OP_SAR:
		return size == 4 ? sar_reg4 : sar_reg8;
	default:
		return NULL;
	}
}
