// SPDX-License-Identifier: GPL-2.0
/*
 * Integer arithmetic and logic.
 */
#include "alu.h"
#include "forms.h"

enum { ALU_ADD, ALU_OR, ALU_ADC, ALU_SBB, ALU_AND, ALU_SUB, ALU_XOR };

static __always_inline u64 alu2(u32 op, u32 size, u64 d, u64 s, u64 cf, u64 *fl)
{
	switch (op) {
	case ALU_ADD:
		return rvm_alu_add(size, d, s, 0, fl);
	case ALU_OR:
		return rvm_alu_or(size, d, s, 0, fl);
	case ALU_ADC:
		return rvm_alu_adc(size, d, s, cf, fl);
	case ALU_SBB:
		return rvm_alu_sbb(size, d, s, cf, fl);
	case ALU_AND:
		return rvm_alu_and(size, d, s, 0, fl);
	case ALU_SUB:
		return rvm_alu_sub(size, d, s, 0, fl);
	default:
		return rvm_alu_xor(size, d, s, 0, fl);
	}
}

/* dst = dst op src, for every form of the eight group-1 instructions */
static __always_inline int arith(struct rvm_insn *insn, const struct rvm_decoded *d, u32 op)
{
	struct rvm_cpu *cpu = insn->cpu;
	u32 size = d->opnd[0].size;
	u64 dst, src, res, fl, cf = cpu->rflags & RVM_FL_CF;
	struct rvm_rmw m;
	int rc;

	TRY(rvm_opnd_read(insn, d, 1, &src));
	if (likely(d->opnd[0].kind == RVM_K_REG)) {
		dst = rvm_reg_read(cpu, d->opnd[0].reg, size);
		res = alu2(op, size, dst, src, cf, &fl);
		rvm_reg_write(cpu, d->opnd[0].reg, size, res);
	} else {
		TRY(rvm_rmw_begin(insn, d, &m, size, false));
		do {
			res = alu2(op, size, m.old, src, cf, &fl);
			rc = rvm_rmw_end(insn, &m, res);
		} while (rc == RVM_X_AGAIN);
		TRY(rc);
	}
	rvm_set_flags(cpu, RVM_FL_ARITH, fl);
	return 0;
}

int rvm_x_add(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	return arith(insn, d, ALU_ADD);
}

int rvm_x_or(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	return arith(insn, d, ALU_OR);
}

int rvm_x_adc(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	return arith(insn, d, ALU_ADC);
}

int rvm_x_sbb(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	return arith(insn, d, ALU_SBB);
}

int rvm_x_and(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	return arith(insn, d, ALU_AND);
}

int rvm_x_sub(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	return arith(insn, d, ALU_SUB);
}

int rvm_x_xor(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	return arith(insn, d, ALU_XOR);
}

int rvm_x_cmp(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	u64 a, b, fl;

	TRY(rvm_opnd_read(insn, d, 0, &a));
	TRY(rvm_opnd_read(insn, d, 1, &b));
	rvm_alu_sub(d->opnd[0].size, a, b, 0, &fl);
	rvm_set_flags(insn->cpu, RVM_FL_ARITH, fl);
	return 0;
}

/* AF is undefined; CPUs clear it, as AND does. */
int rvm_x_test(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	u64 a, b, fl;

	TRY(rvm_opnd_read(insn, d, 0, &a));
	TRY(rvm_opnd_read(insn, d, 1, &b));
	rvm_alu_and(d->opnd[0].size, a, b, 0, &fl);
	rvm_set_flags(insn->cpu, RVM_FL_ARITH, fl);
	return 0;
}

enum { ALU_INC, ALU_DEC, ALU_NEG, ALU_NOT };

static __always_inline u64 alu1(u32 op, u32 size, u64 v, u64 *fl)
{
	switch (op) {
	case ALU_INC:
		return rvm_alu_add(size, v, 1, 0, fl);
	case ALU_DEC:
		return rvm_alu_sub(size, v, 1, 0, fl);
	case ALU_NEG:
		return rvm_alu_sub(size, 0, v, 0, fl);
	default:
		*fl = 0;
		return ~v;
	}
}

static __always_inline int unary(struct rvm_insn *insn, const struct rvm_decoded *d, u32 op)
{
	struct rvm_cpu *cpu = insn->cpu;
	u32 size = d->opnd[0].size;
	struct rvm_rmw m;
	u64 fl, v;
	int rc;

	if (likely(d->opnd[0].kind == RVM_K_REG)) {
		v = alu1(op, size, rvm_reg_read(cpu, d->opnd[0].reg, size), &fl);
		rvm_reg_write(cpu, d->opnd[0].reg, size, v);
	} else {
		TRY(rvm_rmw_begin(insn, d, &m, size, false));
		do {
			v = alu1(op, size, m.old, &fl);
			rc = rvm_rmw_end(insn, &m, v);
		} while (rc == RVM_X_AGAIN);
		TRY(rc);
	}
	if (op == ALU_NEG)
		rvm_set_flags(cpu, RVM_FL_ARITH, fl);
	else if (op != ALU_NOT)
		rvm_set_flags(cpu, RVM_FL_ARITH & ~RVM_FL_CF, fl);
	return 0;
}

int rvm_x_inc(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	return unary(insn, d, ALU_INC);
}

int rvm_x_dec(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	return unary(insn, d, ALU_DEC);
}

int rvm_x_neg(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	return unary(insn, d, ALU_NEG);
}

int rvm_x_not(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	return unary(insn, d, ALU_NOT);
}

/* ---- multiplication ---- */

/*
 * SF, ZF, AF, PF are undefined after MUL and IMUL.  AMD's CPUs leave them as
 * they were, so the host's would be whatever our own code last computed.
 */
#define MUL_FLAGS	(RVM_FL_CF | RVM_FL_OF)

#define MUL_WIDE(ins, t, lo, hi, s)						\
	do {									\
		t __a = (t)(lo), __d = 0, __s = (t)(s);				\
										\
		asm(ins " %[src]\n\tmov %%rax, %[save]\n\t" RVM_GET_FLAGS	\
		    "\n\txchg %%rax, %[save]"					\
		    : "+a" (__a), "+d" (__d), [save] "=&r" (ax)			\
		    : [src] "r" (__s) : "cc");					\
		lo = __a;							\
		hi = __d;							\
	} while (0)

static int mul_wide(struct rvm_insn *insn, const struct rvm_decoded *d, bool sign)
{
	struct rvm_cpu *cpu = insn->cpu;
	u32 size = d->opnd[0].size;
	u64 s, lo = cpu->gpr[RVM_RAX], hi = 0, ax;

	TRY(rvm_opnd_read(insn, d, 0, &s));
	switch (size) {
	case 8:
		if (sign)
			MUL_WIDE("imulq", u64, lo, hi, s);
		else
			MUL_WIDE("mulq", u64, lo, hi, s);
		break;
	case 4:
		if (sign)
			MUL_WIDE("imull", u32, lo, hi, s);
		else
			MUL_WIDE("mull", u32, lo, hi, s);
		break;
	case 2:
		if (sign)
			MUL_WIDE("imulw", u16, lo, hi, s);
		else
			MUL_WIDE("mulw", u16, lo, hi, s);
		break;
	default: {
		u16 a = (u8)lo;
		u8 s8v = s;

		/* AX receives the product: keep it apart from the flags */
		if (sign)
			asm("imulb %[src]\n\tmov %%eax, %k[res]\n\t" RVM_GET_FLAGS
			    : [res] "=&r" (hi), "=a" (ax) : "a" (a), [src] "r" (s8v) : "cc");
		else
			asm("mulb %[src]\n\tmov %%eax, %k[res]\n\t" RVM_GET_FLAGS
			    : [res] "=&r" (hi), "=a" (ax) : "a" (a), [src] "r" (s8v) : "cc");
		rvm_set_gpr(cpu, RVM_RAX, 2, hi);
		rvm_set_flags(cpu, MUL_FLAGS, rvm_flags_of(ax));
		return 0;
	}
	}
	rvm_set_gpr(cpu, RVM_RAX, size, lo);
	rvm_set_gpr(cpu, RVM_RDX, size, hi);
	rvm_set_flags(cpu, MUL_FLAGS, rvm_flags_of(ax));
	return 0;
}

int rvm_x_mul(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	return mul_wide(insn, d, false);
}

int rvm_x_imul(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	return mul_wide(insn, d, true);
}

static __always_inline u64 alu_imul(u32 size, u64 d, u64 s, u64 *fl)
{
	u64 res;
	u32 ax;

	if (size == 8)
		RVM_ALU2_SIZE("imulq", "", u64, d, s, 0);
	else if (size == 4)
		RVM_ALU2_SIZE("imull", "", u32, d, s, 0);
	else
		RVM_ALU2_SIZE("imulw", "", u16, d, s, 0);
	*fl = rvm_flags_of(ax);
	return res;
}

/* Two and three operands: reg = first source * second source. */
int rvm_x_imul2(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	u64 a, b, res, fl;

	TRY(rvm_opnd_read(insn, d, 1, &a));
	TRY(rvm_opnd_read(insn, d, 2, &b));
	res = alu_imul(d->osize, a, b, &fl);
	rvm_reg_write(insn->cpu, d->opnd[0].reg, d->osize, res);
	rvm_set_flags(insn->cpu, MUL_FLAGS, fl);
	return 0;
}

/* ---- division ---- */

/* hi:lo / s, known not to overflow; 128 bits by the host's instruction. */
static u64 div128(u64 hi, u64 lo, u64 s, u64 *rem)
{
	u64 q, r;

	asm("divq %4" : "=a" (q), "=d" (r) : "0" (lo), "1" (hi), "r" (s) : "cc");
	*rem = r;
	return q;
}

/* Dividend of 2 * size bytes, in two halves. */
static void dividend(const struct rvm_cpu *cpu, u32 size, u64 *lo, u64 *hi)
{
	if (size == 1) {
		*lo = (u8)cpu->gpr[RVM_RAX];
		*hi = (u8)(cpu->gpr[RVM_RAX] >> 8);
	} else {
		*lo = rvm_gpr(cpu, RVM_RAX, size);
		*hi = rvm_gpr(cpu, RVM_RDX, size);
	}
}

static void quotient(struct rvm_cpu *cpu, u32 size, u64 q, u64 r)
{
	if (size == 1) {
		rvm_set_gpr(cpu, RVM_RAX, 2, (u8)q | (u16)(u8)r << 8);
	} else {
		rvm_set_gpr(cpu, RVM_RAX, size, q);
		rvm_set_gpr(cpu, RVM_RDX, size, r);
	}
}

/* Flags are undefined after a division; current CPUs leave them. */
int rvm_x_div(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	u32 size = d->opnd[0].size;
	u64 lo, hi, s, q, r;

	TRY(rvm_opnd_read(insn, d, 0, &s));
	dividend(insn->cpu, size, &lo, &hi);
	/* s == 0 is covered: no hi is below it */
	if (hi >= s)
		return rvm_x_fault_noerr(insn, RVM_DE);
	if (size == 8) {
		q = div128(hi, lo, s, &r);
	} else {
		u64 n = hi << (8 * size) | lo;

		q = n / s;
		r = n % s;
	}
	quotient(insn->cpu, size, q, r);
	return 0;
}

int rvm_x_idiv(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	u32 size = d->opnd[0].size;
	u64 lo, hi, s, q, r, max;
	bool neg_n, neg_s;

	TRY(rvm_opnd_read(insn, d, 0, &s));
	dividend(insn->cpu, size, &lo, &hi);
	if (!s)
		return rvm_x_fault_noerr(insn, RVM_DE);
	/* By magnitudes: then no step can overflow. */
	hi = rvm_sext(hi, size);
	s = rvm_sext(s, size);
	neg_n = (s64)hi < 0;
	neg_s = (s64)s < 0;
	if (neg_s)
		s = -s;
	if (size == 8) {
		if (neg_n) {
			lo = -lo;
			hi = ~hi + !lo;
		}
	} else {
		lo |= hi << (8 * size);
		if (neg_n)
			lo = -lo;
		hi = 0;
	}
	if (hi >= s)
		return rvm_x_fault_noerr(insn, RVM_DE);
	q = div128(hi, lo, s, &r);
	/* largest magnitude of the quotient: 2^(n-1), one less if positive */
	max = 1ull << (8 * size - 1);
	if (q > max || (q == max && neg_n == neg_s))
		return rvm_x_fault_noerr(insn, RVM_DE);
	if (neg_n != neg_s)
		q = -q;
	if (neg_n)
		r = -r;
	quotient(insn->cpu, size, q, r);
	return 0;
}

/* ---- exchange and add, compare and exchange ---- */

int rvm_x_xadd(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	struct rvm_cpu *cpu = insn->cpu;
	u32 size = d->opnd[0].size;
	u64 src = rvm_reg_read(cpu, d->opnd[1].reg, size), old, res, fl;
	struct rvm_rmw m;
	int rc;

	if (d->opnd[0].kind == RVM_K_REG) {
		old = rvm_reg_read(cpu, d->opnd[0].reg, size);
		res = rvm_alu_add(size, old, src, 0, &fl);
		/* XADD r,r: the sum is written last */
		rvm_reg_write(cpu, d->opnd[1].reg, size, old);
		rvm_reg_write(cpu, d->opnd[0].reg, size, res);
	} else {
		TRY(rvm_rmw_begin(insn, d, &m, size, false));
		do {
			old = m.old;
			res = rvm_alu_add(size, old, src, 0, &fl);
			rc = rvm_rmw_end(insn, &m, res);
		} while (rc == RVM_X_AGAIN);
		TRY(rc);
		rvm_reg_write(cpu, d->opnd[1].reg, size, old);
	}
	rvm_set_flags(cpu, RVM_FL_ARITH, fl);
	return 0;
}

int rvm_x_cmpxchg(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	struct rvm_cpu *cpu = insn->cpu;
	u32 size = d->opnd[0].size;
	u64 acc = rvm_gpr(cpu, RVM_RAX, size);
	u64 src = rvm_reg_read(cpu, d->opnd[1].reg, size), old, fl;
	struct rvm_rmw m;
	int rc;

	if (d->opnd[0].kind == RVM_K_REG) {
		old = rvm_reg_read(cpu, d->opnd[0].reg, size);
		if (old == acc)
			rvm_reg_write(cpu, d->opnd[0].reg, size, src);
	} else {
		/* Memory is written in either case (SDM vol. 2, CMPXCHG). */
		TRY(rvm_rmw_begin(insn, d, &m, size, false));
		do {
			old = m.old;
			rc = rvm_rmw_end(insn, &m, old == acc ? src : old);
		} while (rc == RVM_X_AGAIN);
		TRY(rc);
	}
	rvm_alu_sub(size, acc, old, 0, &fl);
	if (old != acc)
		rvm_set_gpr(cpu, RVM_RAX, size, old);
	rvm_set_flags(cpu, RVM_FL_ARITH, fl);
	return 0;
}

int rvm_x_cmpxchg8b(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	struct rvm_cpu *cpu = insn->cpu;
	u32 size = d->opnd[0].size, half = size / 2;
	u64 expect[2], found[2], new_val[2], gla;

	if (size == 16 && (insn->hide & RVM_HIDE_CX16))
		return rvm_x_ud(insn);
	/* alignment comes before the canonical form, which may mean #SS */
	gla = rvm_ea(insn, d) + (d->seg >= RVM_FS ? cpu->seg[d->seg].base : 0);
	if (size == 16 && (gla & 15))
		return rvm_x_gp0(insn);
	TRY(rvm_mem_addr(insn, d, size, RVM_ACC_READ | RVM_ACC_WRITE, &gla));
	expect[0] = rvm_gpr(cpu, RVM_RAX, half);
	expect[1] = rvm_gpr(cpu, RVM_RDX, half);
	new_val[0] = rvm_gpr(cpu, RVM_RBX, half);
	new_val[1] = rvm_gpr(cpu, RVM_RCX, half);
	if (size == 8) {
		expect[0] |= expect[1] << 32;
		new_val[0] |= new_val[1] << 32;
		expect[1] = new_val[1] = 0;
	}
	memcpy(found, expect, sizeof(found));
	TRY(rvm_cmpxchg(insn, gla, found, new_val, size, 0));
	if (found[0] == expect[0] && found[1] == expect[1]) {
		rvm_set_flags(cpu, RVM_FL_ZF, RVM_FL_ZF);
		return 0;
	}
	if (size == 8) {
		found[1] = found[0] >> 32;
		found[0] = (u32)found[0];
	}
	rvm_set_gpr(cpu, RVM_RAX, half, found[0]);
	rvm_set_gpr(cpu, RVM_RDX, half, found[1]);
	rvm_set_flags(cpu, RVM_FL_ZF, 0);
	return 0;
}

/* ADCX, ADOX: a carry of its own, the other flags untouched */
int rvm_x_adx(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	struct rvm_cpu *cpu = insn->cpu;
	u64 flag = d->op == RVM_OP_ADCX ? RVM_FL_CF : RVM_FL_OF;
	u32 size = d->opnd[0].size;
	u64 src, fl, res;

	if (insn->hide & RVM_HIDE_ADX)
		return rvm_x_ud(insn);
	TRY(rvm_opnd_read(insn, d, 1, &src));
	res = rvm_alu_adc(size, rvm_reg_read(cpu, d->opnd[0].reg, size), src,
			  !!(cpu->rflags & flag), &fl);
	rvm_reg_write(cpu, d->opnd[0].reg, size, res);
	rvm_set_flags(cpu, flag, fl & RVM_FL_CF ? flag : 0);
	return 0;
}

/* CRC-32C, bit by bit: reflected polynomial 82F63B78 (SDM vol. 2, CRC32) */
int rvm_x_crc32(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	struct rvm_cpu *cpu = insn->cpu;
	u32 size = d->opnd[1].size, i;
	u64 src;
	u32 crc;

	if (insn->hide & RVM_HIDE_CRC32)
		return rvm_x_ud(insn);
	TRY(rvm_opnd_read(insn, d, 1, &src));
	crc = cpu->gpr[d->opnd[0].reg >> 3];
	for (i = 0; i < 8 * size; i++)
		crc = crc >> 1 ^ ((crc ^ src >> i) & 1 ? 0x82f63b78 : 0);
	cpu->gpr[d->opnd[0].reg >> 3] = crc;
	return 0;
}

/* ---- decimal adjustment (SDM vol. 2) ---- */

/* SF, ZF, PF of a byte */
static u64 szp8(u8 v)
{
	u64 fl;

	rvm_alu_or(1, v, v, 0, &fl);
	return fl & (RVM_FL_SF | RVM_FL_ZF | RVM_FL_PF);
}

static int aaa_aas(struct rvm_insn *insn, int sign)
{
	struct rvm_cpu *cpu = insn->cpu;
	u16 ax = cpu->gpr[RVM_RAX];
	u64 fl = 0;

	if ((ax & 15) > 9 || (cpu->rflags & RVM_FL_AF)) {
		ax += sign * 0x106;
		fl = RVM_FL_AF | RVM_FL_CF;
	}
	ax &= 0xff0f;
	rvm_set_gpr(cpu, RVM_RAX, 2, ax);
	/* OF, SF, ZF, PF are undefined */
	rvm_set_flags(cpu, RVM_FL_ARITH, fl | szp8(ax));
	return 0;
}

int rvm_x_aaa(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	return aaa_aas(insn, 1);
}

int rvm_x_aas(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	return aaa_aas(insn, -1);
}

int rvm_x_aam(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	u8 al = insn->cpu->gpr[RVM_RAX], base = d->imm;

	if (!base)
		return rvm_x_fault_noerr(insn, RVM_DE);
	rvm_set_gpr(insn->cpu, RVM_RAX, 2, (al / base) << 8 | al % base);
	rvm_set_flags(insn->cpu, RVM_FL_ARITH, szp8(al % base));
	return 0;
}

int rvm_x_aad(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	u16 ax = insn->cpu->gpr[RVM_RAX];
	u64 fl;
	u8 al;

	al = rvm_alu_add(1, (u8)ax, (u8)((ax >> 8) * (u8)d->imm), 0, &fl);
	rvm_set_gpr(insn->cpu, RVM_RAX, 2, al);
	rvm_set_flags(insn->cpu, RVM_FL_ARITH, szp8(al));
	return 0;
}

static int daa_das(struct rvm_insn *insn, int sign)
{
	struct rvm_cpu *cpu = insn->cpu;
	u8 old = cpu->gpr[RVM_RAX], al = old;
	bool cf = cpu->rflags & RVM_FL_CF, carry = false;
	u64 fl = 0;

	if ((al & 15) > 9 || (cpu->rflags & RVM_FL_AF)) {
		carry = sign > 0 ? al > 0xff - 6 : al < 6;
		al += sign * 6;
		fl |= RVM_FL_AF;
	}
	if (old > 0x99 || cf) {
		al += sign * 0x60;
		carry = true;
	} else if (sign > 0) {
		carry = false;
	}
	if (carry || cf)
		fl |= RVM_FL_CF;
	rvm_set_gpr(cpu, RVM_RAX, 1, al);
	rvm_set_flags(cpu, RVM_FL_ARITH, fl | szp8(al));
	return 0;
}

int rvm_x_daa(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	return daa_das(insn, 1);
}

int rvm_x_das(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	return daa_das(insn, -1);
}

/* ---- particular forms ---- */

/*
 * Two operands.  @store: of CMP and TEST only the flags remain.  A destination
 * in memory is looked up once, for writing.
 */
static __always_inline bool arith_form(struct rvm_insn *insn, const struct rvm_decoded *d, u32 op,
				       bool store, enum rvm_form to, enum rvm_form from, u32 size)
{
	struct rvm_cpu *cpu = insn->cpu;
	u64 dst, src, res, fl, host, cf = cpu->rflags & RVM_FL_CF;

	if (!rvm_form_read(insn, d, 1, from, size, &src))
		return false;
	if (to == RVM_F_REG)
		dst = rvm_reg_read(cpu, d->opnd[0].reg, size);
	else if (!rvm_form_addr(insn, d, to, size, store ? RVM_TLB_WRITE : RVM_TLB_READ, &host) ||
		 unlikely(!rvm_host_load(host, &dst, size)))
		return false;
	res = alu2(op, size, dst, src, cf, &fl);
	if (store && to == RVM_F_REG)
		rvm_reg_write(cpu, d->opnd[0].reg, size, res);
	else if (store && unlikely(!rvm_host_store(host, res, size)))
		return false;
	rvm_set_flags(cpu, RVM_FL_ARITH, fl);
	return true;
}

#define ARITHS_OF(X, op, name, alu, store, size) \
	X(op, name, alu, store, REG, REG, size) X(op, name, alu, store, REG, IMM, size) \
	X(op, name, alu, store, REG, MEM, size) X(op, name, alu, store, REG, BASE64, size) \
	X(op, name, alu, store, REG, BASE32, size) X(op, name, alu, store, MEM, REG, size) \
	X(op, name, alu, store, BASE64, REG, size) X(op, name, alu, store, BASE32, REG, size) \
	X(op, name, alu, store, REG, INDEX32, size) X(op, name, alu, store, INDEX32, REG, size) \
	X(op, name, alu, store, MEM, IMM, size) X(op, name, alu, store, BASE64, IMM, size) \
	X(op, name, alu, store, BASE32, IMM, size)
#define ARITHS(X, op, name, alu, store) \
	ARITHS_OF(X, op, name, alu, store, 1) ARITHS_OF(X, op, name, alu, store, 4) \
	ARITHS_OF(X, op, name, alu, store, 8)
#define ALL_ARITHS(X) \
	ARITHS(X, ADD, add, ALU_ADD, true) ARITHS(X, SUB, sub, ALU_SUB, true) \
	ARITHS(X, AND, and, ALU_AND, true) ARITHS(X, OR, or, ALU_OR, true) \
	ARITHS(X, XOR, xor, ALU_XOR, true) ARITHS(X, ADC, adc, ALU_ADC, true) \
	ARITHS(X, SBB, sbb, ALU_SBB, true) \
	ARITHS(X, CMP, cmp, ALU_SUB, false) ARITHS(X, TEST, test, ALU_AND, false)

#define X(op, name, alu, store, to, from, size) \
static int name##_##to##_##from##size(struct rvm_insn *insn, const struct rvm_decoded *d) \
{ \
	if (unlikely(!arith_form(insn, d, alu, store, RVM_F_##to, RVM_F_##from, size))) \
		return rvm_x_##name(insn, d); \
	return 0; \
}
ALL_ARITHS(X)
#undef X

static const struct rvm_formed ariths[] = {
#define X(op, name, alu, store, to, from, size) \
	{ RVM_OP_##op, { RVM_F_##to, RVM_F_##from }, { size, size }, name##_##to##_##from##size },
	ALL_ARITHS(X)
#undef X
};

#define ALL_UNARIES(X) \
	X(inc, ALU_INC, 4) X(inc, ALU_INC, 8) X(dec, ALU_DEC, 4) X(dec, ALU_DEC, 8)

/* INC and DEC of a register */
#define X(name, alu, size) \
static int name##_reg##size(struct rvm_insn *insn, const struct rvm_decoded *d) \
{ \
	struct rvm_cpu *cpu = insn->cpu; \
	u64 fl, v = alu1(alu, size, rvm_reg_read(cpu, d->opnd[0].reg, size), &fl); \
\
	rvm_reg_write(cpu, d->opnd[0].reg, size, v); \
	rvm_set_flags(cpu, RVM_FL_ARITH & ~RVM_FL_CF, fl); \
	return 0; \
}
ALL_UNARIES(X)
#undef X

/* IMUL and MUL of registers, 32 bits */
static int imul_reg4(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	struct rvm_cpu *cpu = insn->cpu;
	u64 fl, a = rvm_reg_read(cpu, d->opnd[1].reg, 4);
	u64 b = d->opnd[2].kind == RVM_K_REG ? rvm_reg_read(cpu, d->opnd[2].reg, 4) : d->imm;

	rvm_reg_write(cpu, d->opnd[0].reg, 4, alu_imul(4, a, b, &fl));
	rvm_set_flags(cpu, MUL_FLAGS, fl);
	return 0;
}

static int mul_reg4(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	struct rvm_cpu *cpu = insn->cpu;
	u64 v = rvm_reg_read(cpu, d->opnd[0].reg, 4) * (u32)cpu->gpr[RVM_RAX];

	cpu->gpr[RVM_RAX] = (u32)v;
	cpu->gpr[RVM_RDX] = v >> 32;
	rvm_set_flags(cpu, MUL_FLAGS, v >> 32 ? MUL_FLAGS : 0);
	return 0;
}

rvm_exec_fn rvm_pick_arith(const struct rvm_decoded *d)
{
	/* locked: compare and exchange, and again */
	if (d->prefix & RVM_P_LOCK)
		return NULL;
	switch (d->op) {
	case RVM_OP_ADD: case RVM_OP_SUB: case RVM_OP_AND: case RVM_OP_OR: case RVM_OP_XOR:
	case RVM_OP_ADC: case RVM_OP_SBB: case RVM_OP_CMP: case RVM_OP_TEST:
		return rvm_pick(d, ariths, ARRAY_SIZE(ariths));
	case RVM_OP_IMUL2:
		return d->osize == 4 && d->opnd[1].kind == RVM_K_REG &&
		       d->opnd[2].kind != RVM_K_MEM ? imul_reg4 : NULL;
	case RVM_OP_MUL:
		return d->osize == 4 && d->opnd[0].kind == RVM_K_REG &&
		       d->opnd[0].size == 4 ? mul_reg4 : NULL;
	case RVM_OP_INC:
	case RVM_OP_DEC:
		if (d->opnd[0].kind != RVM_K_REG)
			return NULL;
		if (d->opnd[0].size == 4)
			return d->op == RVM_OP_INC ? inc_reg4 : dec_reg4;
		return d->opnd[0].size != 8 ? NULL : d->op == RVM_OP_INC ? inc_reg8 : dec_reg8;
	default:
		return NULL;
	}
}
