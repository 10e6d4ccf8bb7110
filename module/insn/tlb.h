/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The software TLB and the cache of decoded instructions.  Private to insn/.
 *
 * Two layers use the TLB:
 * - rvm_read(), rvm_write() and the like (exec.c) look at CPL and EFLAGS.AC as
 *   they are at that moment, so they are right in the middle of a far transfer
 *   or a task switch;
 * - the operands of an instruction go through struct rvm_hot, where segments,
 *   CPL and AC have been boiled down to a few comparisons.  It is derived anew
 *   (rvm_hot_refresh()) at each entry from outside and after each instruction
 *   that may change what it is made of, and operands are accessed before an
 *   instruction changes anything.
 *
 * Neither is needed for correctness: what does not fit falls through to the
 * callbacks.
 */
#ifndef RVM_INSN_TLB_H
#define RVM_INSN_TLB_H

#include "../cpu/hostmem.h"
#include "exec.h"

/* Kinds of access, each with rights of its own */
enum { RVM_TLB_READ, RVM_TLB_WRITE, RVM_TLB_EXEC };

/*
 * Privileges that translations depend on: ring 3; below, and there with
 * EFLAGS.AC set while CR4.SMAP is (SDM vol. 3 §4.6).
 */
enum { RVM_TLB_USER, RVM_TLB_SUPER, RVM_TLB_SUPER_AC, RVM_TLB_CONTEXTS };

#define RVM_TLB_SIZE	512	/* pages in each context */

/*
 * A page.  Tags are the linear address of the page with the TLB's generation in
 * the low twelve bits, so that a new generation drops everything at once.
 * @add: host address minus linear address.
 */
struct rvm_tlb_entry {
	u64 tag[3];
	u64 add;
};

/*
 * Decoded instructions.  What a decode depends on, the bytes and the mode, is
 * compared each time with what is in memory now: two loads and comparisons
 * under a mask, for the instruction is where RIP points.  That is exact against
 * every writer there is (the instruction before, another vCPU, the client's
 * DMA, another mapping of the page), without write protection, tracking or
 * notification; and it makes any place in the cache good enough, as long as code
 * of different sizes does not meet.
 *
 * Sixteen bytes mostly hold several instructions.  A *row* is as many of them as run
 * one after the other and store nothing, but for the last one: one comparison
 * vouches for them all.
 */
#define RVM_ROW_BYTES	16
#define RVM_ROW_MAX	5

/* @at: its place in the row's bytes; @nr: and in the row */
struct rvm_row_insn {
	rvm_exec_fn fn;
	struct rvm_decoded d;
	u8 at, nr;
} __attribute__((__aligned__(64)));

/* @want, @mask: the bytes, and which of sixteen these are: @span; @n: 0 for none */
struct rvm_row {
	u64 want[2], mask[2];
	u8 n, span;
	struct rvm_row_insn insn[RVM_ROW_MAX];
} __attribute__((__aligned__(64)));

struct rvm_insn_cache {
	struct rvm_tlb_entry tlb[RVM_TLB_CONTEXTS][RVM_TLB_SIZE];
	struct rvm_row odd;		/* one that could not be kept */
	u32 gen;
	u32 rows;			/* of 32-bit and 64-bit code each: a power of two */
	struct rvm_row row[];		/* for these two, and an eighth for 16-bit code */
};

/* Derive insn->hot from insn->cpu. */
void rvm_hot_refresh(struct rvm_insn *insn);

/* The general execute function of an enum rvm_op, or NULL. */
rvm_exec_fn rvm_exec_of(u32 op);

/* Execute with that and commit: RIP, RF, the shadow. */
int rvm_exec_commit(struct rvm_insn *insn, const struct rvm_decoded *d);

/* Functions made for the commonest forms; NULL for all others. */
rvm_exec_fn rvm_pick_move(const struct rvm_decoded *d);
rvm_exec_fn rvm_pick_arith(const struct rvm_decoded *d);
rvm_exec_fn rvm_pick_bits(const struct rvm_decoded *d);

/*
 * The host address of [gla, gla + len) within one page, for the context of
 * @acc; looked up, and filled in where it is missing.
 */
bool rvm_tlb_find(struct rvm_insn *insn, u64 gla, u32 len, u32 kind, u32 acc, u64 *host);

/* With tags of the page of the last byte, an access that crosses never hits. */
static __always_inline bool rvm_tlb_match(const struct rvm_tlb_entry *e, u64 gla, u32 len,
					  u32 kind, u64 gen)
{
	return e->tag[kind] == (((gla + len - 1) & ~0xfffull) | gen);
}

static __always_inline bool rvm_hot_lookup(const struct rvm_insn *insn, u64 gla, u32 len,
					   u32 kind, u64 *host)
{
	const struct rvm_hot *hot = &insn->hot;
	const struct rvm_tlb_entry *e;

	BUILD_BUG_ON(sizeof(*e) != 32);
	e = (const void *)((const u8 *)hot->tlb +
			   (gla >> 7 & (RVM_TLB_SIZE - 1) * sizeof(*e)));
	if (unlikely(!rvm_tlb_match(e, gla, len, kind, hot->tlb_gen)))
		return false;
	*host = gla + e->add;
	return true;
}

/* An offset in a data segment to the host address of the page it is in. */
static __always_inline bool rvm_hot_addr(const struct rvm_insn *insn, u32 seg, u64 ea, u32 len,
					 u32 kind, u64 *host)
{
	const struct rvm_hot *hot = &insn->hot;
	u64 lim = kind == RVM_TLB_WRITE ? hot->seg[seg].wlim : hot->seg[seg].rlim;

	if (unlikely(ea + len - 1 >= lim))
		return false;
	return rvm_hot_lookup(insn, (ea + hot->seg[seg].base) & hot->gla_mask, len, kind, host);
}

/* The same for DS, ES or SS and 32-bit offsets, which are mostly flat. */
bool rvm_hot_addr_bounded(const struct rvm_insn *insn, u32 seg, u32 ea, u32 len, u32 kind,
			  u64 *host);

static __always_inline bool rvm_hot_addr32(const struct rvm_insn *insn, u32 seg, u32 ea, u32 len,
					   u32 kind, u64 *host)
{
	if (likely(insn->hot.flat))
		return rvm_hot_lookup(insn, ea, len, kind, host);
	return rvm_hot_addr_bounded(insn, seg, ea, len, kind, host);
}

static __always_inline bool rvm_hot_load(const struct rvm_insn *insn, u32 seg, u64 ea, u32 size,
					 u64 *val)
{
	u64 host;

	return rvm_hot_addr(insn, seg, ea, size, RVM_TLB_READ, &host) &&
	       likely(rvm_host_load(host, val, size));
}

static __always_inline bool rvm_hot_store(const struct rvm_insn *insn, u32 seg, u64 ea, u32 size,
					  u64 val)
{
	u64 host;

	return rvm_hot_addr(insn, seg, ea, size, RVM_TLB_WRITE, &host) &&
	       likely(rvm_host_store(host, val, size));
}

#endif /* RVM_INSN_TLB_H */
