// SPDX-License-Identifier: GPL-2.0
/*
 * String instructions and port I/O.
 *
 * Every iteration of a repeated string instruction is a transaction of its
 * own: rCX, rSI, rDI and the flags are up to date after it, and RIP stays at
 * the instruction until the last (SDM vol. 2, REP).  A slice is bounded; with
 * TF set it is one iteration, for the trap comes after each.
 */
#include "alu.h"
#include "tlb.h"

#define REP_SLICE	1024

static __always_inline bool has_rep(const struct rvm_decoded *d)
{
	return d->prefix & (RVM_P_REP | RVM_P_REPNE);
}

static u64 index_reg(const struct rvm_insn *insn, const struct rvm_decoded *d, u32 reg)
{
	return rvm_gpr(insn->cpu, reg, d->asize);
}

/* Move rSI or rDI by @n items of @size bytes, as DF says. */
static void advance(struct rvm_insn *insn, const struct rvm_decoded *d, u32 reg, u32 size, u32 n)
{
	u64 delta = (u64)size * n;

	if (insn->cpu->rflags & RVM_FL_DF)
		delta = -delta;
	rvm_set_gpr(insn->cpu, reg, d->asize, index_reg(insn, d, reg) + delta);
}

static int src_addr(struct rvm_insn *insn, const struct rvm_decoded *d, u32 len, u64 *gla)
{
	return rvm_linear(insn, d, d->seg, index_reg(insn, d, RVM_RSI), len, RVM_ACC_READ, gla);
}

static int dst_addr(struct rvm_insn *insn, const struct rvm_decoded *d, u32 len, u32 acc,
		    u64 *gla)
{
	return rvm_linear(insn, d, RVM_ES, index_reg(insn, d, RVM_RDI), len, acc, gla);
}

typedef int (*iteration_fn)(struct rvm_insn *insn, const struct rvm_decoded *d, u32 max, u32 *n);

/*
 * @fn does up to @max iterations at once (one, but for INS and OUTS, and MOVS and
 * STOS on pages in the TLB) and says in *n how many.  @compare: REPE and REPNE end
 * by ZF too.  @port: one call of @fn ends the slice, so that an attempt that is run
 * again makes the same batches.
 */
static __always_inline int repeat(struct rvm_insn *insn, const struct rvm_decoded *d,
				  iteration_fn fn, bool compare, bool port)
{
	struct rvm_cpu *cpu = insn->cpu;
	u32 left = (cpu->rflags & RVM_FL_TF) || insn->watch_data ? 1 : REP_SLICE, n = 1;
	u64 count;
	int rc;

	if (!has_rep(d))
		return fn(insn, d, 1, &n);

	count = rvm_gpr(cpu, RVM_RCX, d->asize);
	if (!count)
		return 0;
	for (;;) {
		u32 max = count < left ? count : left;

		n = 1;
		rc = fn(insn, d, max, &n);
		if (unlikely(rc))
			return rc;
		count -= n;
		rvm_set_gpr(cpu, RVM_RCX, d->asize, count);
		if (!count)
			return 0;
		if (compare && !(cpu->rflags & RVM_FL_ZF) == !(d->prefix & RVM_P_REPNE))
			return 0;
		/*
		 * What interrupts a repeated instruction pushes RF set: it does not
		 * meet its breakpoint anew (SDM vol. 3 §17.3.1.1).
		 */
		cpu->rflags |= RVM_FL_RF;
		cpu->int_shadow = 0;
		left -= n;
		if ((insn->ops->commit && insn->ops->commit(insn)) || !left || port)
			return RVM_INSN_RETRY;
	}
}

/*
 * Where up to *n items from index register @reg on lie in the host's memory, *n
 * being cut to those on one page, before the index wraps; the lowest of them, so
 * where DF is set the last.  False where they have to be looked at one by one.
 * @fill: look the page up if the TLB has something else in its place.
 */
static bool hot_items(struct rvm_insn *insn, const struct rvm_decoded *d, u32 seg, u32 reg,
		      u32 size, u32 kind, bool fill, u32 *n, u64 *host)
{
	const struct rvm_hot *hot = &insn->hot;
	u64 lim = kind == RVM_TLB_WRITE ? hot->seg[seg].wlim : hot->seg[seg].rlim;
	u64 index = index_reg(insn, d, reg);
	u64 gla = (index + hot->seg[seg].base) & hot->gla_mask;
	u32 at = gla & 0xfff, len;

	if (insn->cpu->rflags & RVM_FL_DF) {
		u32 here = at / size + 1;

		if (at + size > 0x1000)
			return false;
		if (here < *n)
			*n = here;
		len = *n * size;
		if (index < len - size)
			return false;
		index -= len - size;
		gla -= len - size;
	} else {
		u32 here = (0x1000 - at) / size;

		if (here < *n)
			*n = here;
		len = *n * size;
		if (d->asize < 8 && index + len > rvm_mask(d->asize))
			return false;
	}
	if (*n < 2 || index + len - 1 >= lim)
		return false;
	if (rvm_hot_lookup(insn, gla, len, kind, host))
		return true;
	return fill && !hot->tlb_off && rvm_tlb_find(insn, gla, len, kind, 0, host);
}

/* A part of a repeated MOVS from one page to another */
static bool movs_hot(struct rvm_insn *insn, const struct rvm_decoded *d, u32 size, u32 max, u32 *n)
{
	u64 src = index_reg(insn, d, RVM_RSI) + insn->hot.seg[d->seg].base;
	u64 dst = index_reg(insn, d, RVM_RDI) + insn->hot.seg[RVM_ES].base;
	/* Two pages that meet in one entry are never both there. */
	bool same = !((src ^ dst) >> 12 & (RVM_TLB_SIZE - 1)), down = insn->cpu->rflags & RVM_FL_DF;
	u64 from, to;
	u32 k = max, more;

	if (!hot_items(insn, d, d->seg, RVM_RSI, size, RVM_TLB_READ, same, &k, &from))
		return false;
	more = k;
	if (!hot_items(insn, d, RVM_ES, RVM_RDI, size, RVM_TLB_WRITE, same, &k, &to))
		return false;
	if (down)
		from += (u64)(more - k) * size;
	k = rvm_host_move(to, from, size, k, down);
	if (!k)
		return false;
	*n = k;
	advance(insn, d, RVM_RSI, size, k);
	advance(insn, d, RVM_RDI, size, k);
	return true;
}

static bool stos_hot(struct rvm_insn *insn, const struct rvm_decoded *d, u32 size, u32 max, u32 *n)
{
	u32 k = max;
	u64 to;

	if (!hot_items(insn, d, RVM_ES, RVM_RDI, size, RVM_TLB_WRITE, false, &k, &to) ||
	    !rvm_host_fill(to, insn->cpu->gpr[RVM_RAX], size, k * size))
		return false;
	*n = k;
	advance(insn, d, RVM_RDI, size, k);
	return true;
}

static int movs_one(struct rvm_insn *insn, const struct rvm_decoded *d, u32 max, u32 *n)
{
	u32 size = d->opnd[0].size;
	u64 src, dst, v;

	if (max > 1 && movs_hot(insn, d, size, max, n))
		return 0;

	/* the source is read before the destination's segment is looked at */
	TRY(src_addr(insn, d, size, &src));
	TRY(rvm_read_val(insn, src, &v, size, 0));
	TRY(dst_addr(insn, d, size, RVM_ACC_WRITE, &dst));
	TRY(rvm_write(insn, dst, &v, size, 0));
	advance(insn, d, RVM_RSI, size, 1);
	advance(insn, d, RVM_RDI, size, 1);
	return 0;
}

int rvm_x_movs(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	return repeat(insn, d, movs_one, false, false);
}

static int stos_one(struct rvm_insn *insn, const struct rvm_decoded *d, u32 max, u32 *n)
{
	u32 size = d->opnd[0].size;
	u64 dst;

	if (max > 1 && stos_hot(insn, d, size, max, n))
		return 0;
	TRY(dst_addr(insn, d, size, RVM_ACC_WRITE, &dst));
	TRY(rvm_write(insn, dst, &insn->cpu->gpr[RVM_RAX], size, 0));
	advance(insn, d, RVM_RDI, size, 1);
	return 0;
}

int rvm_x_stos(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	return repeat(insn, d, stos_one, false, false);
}

static int lods_one(struct rvm_insn *insn, const struct rvm_decoded *d, u32 max, u32 *n)
{
	u32 size = d->opnd[0].size;
	u64 src, v;

	TRY(src_addr(insn, d, size, &src));
	TRY(rvm_read_val(insn, src, &v, size, 0));
	rvm_set_gpr(insn->cpu, RVM_RAX, size, v);
	advance(insn, d, RVM_RSI, size, 1);
	return 0;
}

int rvm_x_lods(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	return repeat(insn, d, lods_one, false, false);
}

static int cmps_one(struct rvm_insn *insn, const struct rvm_decoded *d, u32 max, u32 *n)
{
	u32 size = d->opnd[0].size;
	u64 src, dst, a, b, fl;

	TRY(src_addr(insn, d, size, &src));
	TRY(rvm_read_val(insn, src, &a, size, 0));
	TRY(dst_addr(insn, d, size, RVM_ACC_READ, &dst));
	TRY(rvm_read_val(insn, dst, &b, size, 0));
	rvm_alu_sub(size, a, b, 0, &fl);
	rvm_set_flags(insn->cpu, RVM_FL_ARITH, fl);
	advance(insn, d, RVM_RSI, size, 1);
	advance(insn, d, RVM_RDI, size, 1);
	return 0;
}

int rvm_x_cmps(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	return repeat(insn, d, cmps_one, true, false);
}

static int scas_one(struct rvm_insn *insn, const struct rvm_decoded *d, u32 max, u32 *n)
{
	u32 size = d->opnd[0].size;
	u64 dst, b, fl;

	TRY(dst_addr(insn, d, size, RVM_ACC_READ, &dst));
	TRY(rvm_read_val(insn, dst, &b, size, 0));
	rvm_alu_sub(size, insn->cpu->gpr[RVM_RAX], b, 0, &fl);
	rvm_set_flags(insn->cpu, RVM_FL_ARITH, fl);
	advance(insn, d, RVM_RDI, size, 1);
	return 0;
}

int rvm_x_scas(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	return repeat(insn, d, scas_one, true, false);
}

/* ---- port I/O ---- */

/*
 * How many items from index register @reg can be moved in one go: upwards,
 * inside one page and one round of the address size, as many as the buffer
 * holds.  The segment limit is looked at by the caller, for all of them.
 */
static u32 batch(struct rvm_insn *insn, const struct rvm_decoded *d, u32 reg, u64 gla, u32 size,
		 u32 max)
{
	u64 index = index_reg(insn, d, reg);
	u32 n = (0x1000 - (gla & 0xfff)) / size;

	if ((insn->cpu->rflags & RVM_FL_DF) || n < 2)
		return 1;
	if (n > max)
		n = max;
	if (n > RVM_INSN_BUF / size)
		n = RVM_INSN_BUF / size;
	if (index + (u64)n * size - 1 > rvm_mask(d->asize) || index + (u64)n * size < index)
		return 1;
	return n;
}

static int ins_some(struct rvm_insn *insn, const struct rvm_decoded *d, u32 max, u32 *n)
{
	u32 size = d->opnd[0].size, len, at, part;
	u16 port = insn->cpu->gpr[RVM_RDX];
	u64 gla, all;

	TRY(dst_addr(insn, d, size, RVM_ACC_WRITE, &gla));
	*n = batch(insn, d, RVM_RDI, gla, size, max);
	len = *n * size;
	if (*n > 1 && dst_addr(insn, d, len, RVM_ACC_WRITE, &all)) {
		*n = 1;
		len = size;
	}
	/* Nothing may fault once the port has been read. */
	TRY(rvm_probe(insn, gla, len, 0));
	TRY(insn->ops->pio_in(insn, port, size, *n, insn->buf));
	for (at = 0; at < len; at += part) {
		part = len - at < 64 ? len - at : 64;
		TRY(rvm_write(insn, gla + at, insn->buf + at, part, 0));
	}
	advance(insn, d, RVM_RDI, size, *n);
	return 0;
}

int rvm_x_ins(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	/* permission comes first, even where rCX is zero */
	TRY(rvm_check_io(insn, insn->cpu->gpr[RVM_RDX], d->opnd[0].size));
	return repeat(insn, d, ins_some, false, true);
}

static int outs_some(struct rvm_insn *insn, const struct rvm_decoded *d, u32 max, u32 *n)
{
	u32 size = d->opnd[1].size, len, at, part;
	u16 port = insn->cpu->gpr[RVM_RDX];
	u64 gla, all;

	TRY(src_addr(insn, d, size, &gla));
	*n = batch(insn, d, RVM_RSI, gla, size, max);
	len = *n * size;
	if (*n > 1 && src_addr(insn, d, len, &all)) {
		*n = 1;
		len = size;
	}
	for (at = 0; at < len; at += part) {
		part = len - at < 64 ? len - at : 64;
		TRY(rvm_read(insn, gla + at, insn->buf + at, part, 0));
	}
	TRY(insn->ops->pio_out(insn, port, size, *n, insn->buf));
	advance(insn, d, RVM_RSI, size, *n);
	return 0;
}

int rvm_x_outs(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	TRY(rvm_check_io(insn, insn->cpu->gpr[RVM_RDX], d->opnd[1].size));
	return repeat(insn, d, outs_some, false, true);
}

static u16 port_of(const struct rvm_insn *insn, const struct rvm_decoded *d, u32 n)
{
	return d->opnd[n].kind == RVM_K_IMM ? d->imm : insn->cpu->gpr[RVM_RDX];
}

int rvm_x_in(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	u32 size = d->opnd[0].size, v = 0;
	u16 port = port_of(insn, d, 1);

	TRY(rvm_check_io(insn, port, size));
	TRY(insn->ops->pio_in(insn, port, size, 1, &v));
	rvm_set_gpr(insn->cpu, RVM_RAX, size, v);
	return 0;
}

int rvm_x_out(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	u32 size = d->opnd[1].size, v = insn->cpu->gpr[RVM_RAX];
	u16 port = port_of(insn, d, 0);

	TRY(rvm_check_io(insn, port, size));
	return insn->ops->pio_out(insn, port, size, 1, &v);
}
