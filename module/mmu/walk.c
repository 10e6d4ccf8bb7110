// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's own page tables, walked in software as the CPU walks them (SDM
 * vol. 3 chapter 4): no paging, 2-level, PAE, 4- and 5-level; protection by
 * W, U, NX, WP, SMEP, SMAP and protection keys; reserved bits; accessed and
 * dirty bits.
 *
 * Entries are read once each, and changed by compare and exchange: another vCPU
 * may change them at any time, and then the walk starts again.
 */
#include "walk.h"

#define PTE_P		(1ull << 0)
#define PTE_W		(1ull << 1)
#define PTE_U		(1ull << 2)
#define PTE_A		(1ull << 5)
#define PTE_D		(1ull << 6)
#define PTE_PS		(1ull << 7)
#define PTE_NX		(1ull << 63)
#define PTE_ADDR	0x000ffffffffff000ull

/* Attempts before a walk gives way to the run loop. */
#define WALK_TRIES	64

/* One walk's fixed parameters. */
struct rvm_walk {
	const struct rvm_cpu *c;
	const struct rvm_walk_ops *ops;
	void *priv;
	u64 gla;
	u32 acc;
	int levels;		/* 2..5 */
	int entry_size;		/* 4 or 8 */
	int index_bits;		/* 10 or 9 */
	bool user;		/* access counts as user-mode */
	struct rvm_fault *fault;
};

/* Address bits of an entry above the guest's physical width */
static u64 above_width(const struct rvm_cpu *c)
{
	return PTE_ADDR & ~((1ull << c->phys_bits) - 1);
}

static int rvm_walk_fault(const struct rvm_walk *w, u32 bits)
{
	const struct rvm_cpu *c = w->c;
	u32 error = bits;

	if (w->acc & RVM_ACC_WRITE)
		error |= RVM_PF_W;
	if (w->user)
		error |= RVM_PF_U;
	/* The fetch bit exists with NX or SMEP only (SDM vol. 3 §4.7). */
	if ((w->acc & RVM_ACC_FETCH) &&
	    ((c->cr4 & RVM_CR4_SMEP) || ((c->efer & RVM_EFER_NXE) && (c->cr4 & RVM_CR4_PAE))))
		error |= RVM_PF_I;
	*w->fault = (struct rvm_fault) {
		.vector = RVM_PF, .has_error = true, .error = error, .cr2 = w->gla,
	};
	return RVM_INSN_FAULT;
}

static int rvm_walk_read(const struct rvm_walk *w, u64 gpa, u64 *pte)
{
	*pte = 0;
	return w->ops->read(w->priv, rvm_a20(w->c, gpa), pte, w->entry_size);
}

/* Set @bits in the entry at @gpa that read as @pte.  _RETRY if it changed meanwhile. */
static int rvm_walk_mark(const struct rvm_walk *w, u64 gpa, u64 pte, u64 bits)
{
	u64 old = pte, new_val = pte | bits;
	int r = w->ops->cmpxchg(w->priv, rvm_a20(w->c, gpa), &old, &new_val, w->entry_size);

	if (r)
		return r;
	return old == pte ? RVM_INSN_OK : RVM_INSN_RETRY;
}

/* Reserved bits of an entry at @level (1 = page table); SDM vol. 3 §4.3 to §4.5. */
static bool rvm_walk_rsvd(const struct rvm_walk *w, u64 pte, int level, bool leaf)
{
	const struct rvm_cpu *c = w->c;
	u64 bad;

	if (w->entry_size == 4) {
		/*
		 * PSE-36: from bit 13 on a 4 MiB page carries the address bits from
		 * 32 to the physical width, 40 at most; up to bit 21 the rest is
		 * reserved.
		 */
		u32 width = c->phys_bits < 40 ? c->phys_bits : 40;

		return leaf && level == 2 && (pte & 0x3fffff & ~0x1fffull) >> (width - 32 + 13);
	}
	bad = above_width(c);
	if (!(c->efer & RVM_EFER_NXE))
		bad |= PTE_NX;
	if (!rvm_is_long(c))
		bad |= 0x7ff0000000000000ull;	/* PAE: 62..52 */
	if (leaf && level == 2)
		bad |= 0x1fe000;		/* 20..13 */
	if (leaf && level == 3)
		bad |= c->no_1g ? PTE_PS : 0x3fffe000;	/* 29..13 */
	if (level >= 4)
		bad |= PTE_PS;
	return pte & bad;
}

static bool rvm_walk_is_leaf(const struct rvm_walk *w, u64 pte, int level)
{
	if (level == 1)
		return true;
	if (!(pte & PTE_PS))
		return false;
	if (w->entry_size == 4)
		return w->c->cr4 & RVM_CR4_PSE;
	return level <= 3;
}

/* Rights of the whole path but for protection keys; SDM vol. 3 §4.6.1. */
static bool rvm_walk_allowed(const struct rvm_walk *w, bool user_page, bool writable, bool nx)
{
	const struct rvm_cpu *c = w->c;

	if (w->acc & RVM_ACC_FETCH) {
		if (nx && (c->efer & RVM_EFER_NXE))
			return false;
		if (w->user)
			return user_page;
		return !(user_page && (c->cr4 & RVM_CR4_SMEP));
	}
	if (w->user)
		return user_page && (writable || !(w->acc & RVM_ACC_WRITE));
	if (user_page && (c->cr4 & RVM_CR4_SMAP)) {
		/* Implicit supervisor accesses have no AC to excuse them. */
		if ((w->acc & RVM_ACC_IMPLICIT) || !(c->rflags & RVM_FL_AC))
			return false;
	}
	if ((w->acc & RVM_ACC_WRITE) && !writable)
		return !(c->cr0 & RVM_CR0_WP);
	return true;
}

/* May PKRU's rights for the key of @leaf stand against a data access (§4.6.2)? */
static bool rvm_walk_key_denies(const struct rvm_walk *w, u64 leaf, bool user_page)
{
	const struct rvm_cpu *c = w->c;
	u32 rights = c->pkru >> (leaf >> 59 & 15) * 2;

	if (!rvm_is_long(c) || !(c->cr4 & RVM_CR4_PKE) || !user_page || (w->acc & RVM_ACC_FETCH))
		return false;
	if (rights & 1)
		return true;
	return (rights & 2) && (w->acc & RVM_ACC_WRITE) &&
	       (w->user || (c->cr0 & RVM_CR0_WP));
}

/*
 * The page directory of a PAE address.  The pointers have been loaded by the
 * last write of a control register, and are not read again; where nobody has
 * kept them they are read at each walk, which is how AMD's CPUs do it under
 * nested paging (APM vol. 2 §15.25.10).
 */
static int rvm_walk_pdpte(const struct rvm_walk *w, u64 *pdpte)
{
	const struct rvm_cpu *c = w->c;
	u32 i = w->gla >> 30 & 3;

	if (c->pdptes_kept) {
		*pdpte = c->pdpte[i];
		return RVM_INSN_OK;
	}
	return rvm_walk_read(w, (c->cr3 & 0xffffffe0) + i * 8, pdpte);
}

/* §4.4.1: they have no rights; everything but P, PWT, PCD and the address is reserved. */
static bool pdpte_rsvd(const struct rvm_cpu *c, u64 pdpte)
{
	return pdpte & (0xfff00000000001e6ull | above_width(c));
}

int rvm_walk_load_pdptes(const struct rvm_cpu *c, const struct rvm_walk_ops *ops, void *priv,
			 u64 pdpte[4])
{
	u32 i;
	int r;

	for (i = 0; i < 4; i++) {
		r = ops->read(priv, rvm_a20(c, (c->cr3 & 0xffffffe0) + i * 8), &pdpte[i], 8);
		if (r)
			return r;
		if ((pdpte[i] & PTE_P) && pdpte_rsvd(c, pdpte[i]))
			return RVM_INSN_FAULT;
	}
	return RVM_INSN_OK;
}

/* One attempt.  RVM_INSN_RETRY when an entry changed under it. */
static int rvm_walk_once(const struct rvm_walk *w, u64 *gpa)
{
	const struct rvm_cpu *c = w->c;
	u64 table, pte, pte_gpa[5], ptes[5], mask;
	bool user_page = true, writable = true, nx = false, leaf, denied;
	int level, shift, r, i, top = w->levels;

	if (w->levels == 3) {
		r = rvm_walk_pdpte(w, &pte);
		if (r)
			return r;
		if (!(pte & PTE_P))
			return rvm_walk_fault(w, 0);
		/*
		 * Read in place of a CPU that walks them under nested paging: QEMU's
		 * emulated one sets their accessed bit, which is reserved.
		 */
		if (pdpte_rsvd(c, c->pdptes_kept ? pte : pte & ~PTE_A))
			return rvm_walk_fault(w, RVM_PF_P | RVM_PF_RSVD);
		table = pte & PTE_ADDR;
		top = 2;
	} else {
		table = w->entry_size == 4 ? c->cr3 & 0xfffff000 : c->cr3 & PTE_ADDR;
	}

	for (level = top;; level--) {
		shift = 12 + (level - 1) * w->index_bits;
		pte_gpa[level - 1] = table + ((w->gla >> shift) & ((1u << w->index_bits) - 1)) *
			w->entry_size;
		r = rvm_walk_read(w, pte_gpa[level - 1], &pte);
		if (r)
			return r;
		if (!(pte & PTE_P))
			return rvm_walk_fault(w, 0);
		leaf = rvm_walk_is_leaf(w, pte, level);
		if (rvm_walk_rsvd(w, pte, level, leaf))
			return rvm_walk_fault(w, RVM_PF_P | RVM_PF_RSVD);
		user_page &= !!(pte & PTE_U);
		writable &= !!(pte & PTE_W);
		nx |= !!(pte & PTE_NX);
		ptes[level - 1] = pte;
		if (leaf)
			break;
		table = w->entry_size == 4 ? pte & 0xfffff000 : pte & PTE_ADDR;
	}

	denied = rvm_walk_key_denies(w, pte, user_page);
	if (denied || !rvm_walk_allowed(w, user_page, writable, nx))
		return rvm_walk_fault(w, RVM_PF_P | (denied ? RVM_PF_PK : 0));

	/* §4.8: accessed on every entry used, dirty on the leaf of a write. */
	for (i = top; i >= level; i--) {
		u64 bits = PTE_A;

		if (i == level && (w->acc & RVM_ACC_WRITE))
			bits |= PTE_D;
		if ((ptes[i - 1] & bits) == bits)
			continue;
		r = rvm_walk_mark(w, pte_gpa[i - 1], ptes[i - 1], bits);
		if (r)
			return r;
	}

	mask = (1ull << shift) - 1;
	if (w->entry_size == 4 && level == 2)
		*gpa = (pte & 0xffc00000) | ((pte >> 13) & 0xff) << 32 | (w->gla & mask);
	else
		*gpa = (pte & PTE_ADDR & ~mask) | (w->gla & mask);
	*gpa = rvm_a20(c, *gpa);
	return RVM_INSN_OK;
}

int rvm_walk_tables(const struct rvm_cpu *c, const struct rvm_walk_ops *ops, void *priv,
		    u64 gla, u32 acc, u64 *gpa, struct rvm_fault *f)
{
	struct rvm_walk w = {
		.c = c, .ops = ops, .priv = priv, .gla = gla, .acc = acc, .fault = f,
		.user = c->cpl == 3 && !(acc & RVM_ACC_IMPLICIT),
	};
	int tries, r;

	if (!rvm_is_paging(c)) {
		*gpa = rvm_a20(c, gla);
		return RVM_INSN_OK;
	}
	if (rvm_is_long(c))
		w.levels = c->cr4 & RVM_CR4_LA57 ? 5 : 4;
	else
		w.levels = c->cr4 & RVM_CR4_PAE ? 3 : 2;
	w.entry_size = w.levels == 2 ? 4 : 8;
	w.index_bits = w.levels == 2 ? 10 : 9;

	/* An entry that changes under every attempt is another vCPU's doing; the
	 * CPU has no bound here, the host needs one. */
	for (tries = 0; tries < WALK_TRIES; tries++) {
		r = rvm_walk_once(&w, gpa);
		if (r != RVM_INSN_RETRY)
			return r;
	}
	return RVM_INSN_RETRY;
}
