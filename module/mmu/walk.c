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

#define PTE_P		RVM_PTE_P
#define PTE_W		RVM_PTE_W
#define PTE_U		RVM_PTE_U
#define PTE_A		RVM_PTE_A
#define PTE_D		RVM_PTE_D
#define PTE_PS		RVM_PTE_PS
#define PTE_NX		RVM_PTE_NX
#define PTE_ADDR	RVM_PTE_ADDR

/* Attempts before a walk gives way to the run loop. */
#define WALK_TRIES	64

/* One walk's fixed parameters. */
struct rvm_walk {
	const struct rvm_cpu *c;
	const struct rvm_walk_ops *ops;
	void *priv;
	u64 gla;
	u32 acc;
	struct rvm_pte_format fmt;
	int levels;		/* 2..5 */
	int index_bits;		/* 10 or 9 */
	bool user;		/* access counts as user-mode */
	struct rvm_fault *fault;
};

/* Address bits of an entry above the guest's physical width */
static u64 above_width(u32 phys_bits)
{
	return PTE_ADDR & ~((1ull << phys_bits) - 1);
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
	return w->ops->read(w->priv, rvm_a20(w->c, gpa), pte, w->fmt.wide ? 8 : 4);
}

/* Set @bits in the entry at @gpa that read as @pte.  _RETRY if it changed meanwhile. */
static int rvm_walk_mark(const struct rvm_walk *w, u64 gpa, u64 pte, u64 bits)
{
	u64 old = pte, new_val = pte | bits;
	int r = w->ops->cmpxchg(w->priv, rvm_a20(w->c, gpa), &old, &new_val,
				w->fmt.wide ? 8 : 4);

	if (r)
		return r;
	return old == pte ? RVM_INSN_OK : RVM_INSN_RETRY;
}

struct rvm_pte_format rvm_pte_format(const struct rvm_cpu *c)
{
	return (struct rvm_pte_format) {
		.wide = rvm_is_long(c) || (c->cr4 & RVM_CR4_PAE),
		.long_mode = rvm_is_long(c),
		.nxe = c->efer & RVM_EFER_NXE,
		.pse = c->cr4 & RVM_CR4_PSE,
		.no_1g = c->no_1g,
		.phys_bits = c->phys_bits,
	};
}

/* SDM vol. 3 §4.3 to §4.5 */
bool rvm_pte_rsvd(const struct rvm_pte_format *f, u64 pte, int level, bool leaf)
{
	u64 bad;

	if (!f->wide) {
		/*
		 * PSE-36: from bit 13 on a 4 MiB page carries the address bits from
		 * 32 to the physical width, 40 at most; up to bit 21 the rest is
		 * reserved.
		 */
		u32 width = f->phys_bits < 40 ? f->phys_bits : 40;

		return leaf && level == 2 && (pte & 0x3fffff & ~0x1fffull) >> (width - 32 + 13);
	}
	bad = above_width(f->phys_bits);
	if (!f->nxe)
		bad |= PTE_NX;
	if (!f->long_mode)
		bad |= 0x7ff0000000000000ull;	/* PAE: 62..52 */
	if (leaf && level == 2)
		bad |= 0x1fe000;		/* 20..13 */
	if (leaf && level == 3)
		bad |= f->no_1g ? PTE_PS : 0x3fffe000;	/* 29..13 */
	if (level >= 4)
		bad |= PTE_PS;
	return pte & bad;
}

bool rvm_pte_is_leaf(const struct rvm_pte_format *f, u64 pte, int level)
{
	if (level == 1)
		return true;
	if (!(pte & PTE_PS))
		return false;
	return f->wide ? level <= 3 : f->pse;
}

u64 rvm_pte_target(const struct rvm_pte_format *f, u64 pte, int level, bool leaf)
{
	u64 mask;

	if (!f->wide && leaf && level == 2)
		return (pte & 0xffc00000) | ((pte >> 13) & 0xff) << 32;
	mask = leaf ? (1ull << (12 + (level - 1) * 9)) - 1 : 0xfff;
	return pte & (f->wide ? PTE_ADDR : 0xfffff000) & ~mask;
}

/* Rights of the whole path but for protection keys; SDM vol. 3 §4.6.1. */
static bool rvm_walk_allowed(const struct rvm_walk *w, u8 rights)
{
	bool user_page = rights & RVM_RIGHT_U, writable = rights & RVM_RIGHT_W;
	const struct rvm_cpu *c = w->c;

	if (w->acc & RVM_ACC_FETCH) {
		/* without NXE a 1 in bit 63 has not come this far, or is ignored */
		if (!(rights & RVM_RIGHT_X) && (c->efer & RVM_EFER_NXE))
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
	return pdpte & (0xfff00000000001e6ull | above_width(c->phys_bits));
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
static int rvm_walk_once(const struct rvm_walk *w, struct rvm_walk_path *path)
{
	const struct rvm_cpu *c = w->c;
	u64 table, pte;
	bool leaf, denied;
	int level, shift, r, i;
	u8 rights = RVM_RIGHT_W | RVM_RIGHT_U | RVM_RIGHT_X;

	path->top = w->levels;
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
		path->top = 2;
	} else {
		table = w->fmt.wide ? c->cr3 & PTE_ADDR : c->cr3 & 0xfffff000;
	}

	for (level = path->top;; level--) {
		struct rvm_walk_step *step = &path->step[level - 1];

		shift = 12 + (level - 1) * w->index_bits;
		step->gpa = table + ((w->gla >> shift) & ((1u << w->index_bits) - 1)) *
			(w->fmt.wide ? 8 : 4);
		r = rvm_walk_read(w, step->gpa, &pte);
		if (r)
			return r;
		if (!(pte & PTE_P))
			return rvm_walk_fault(w, 0);
		leaf = rvm_pte_is_leaf(&w->fmt, pte, level);
		if (rvm_pte_rsvd(&w->fmt, pte, level, leaf))
			return rvm_walk_fault(w, RVM_PF_P | RVM_PF_RSVD);
		rights &= rvm_pte_rights(pte);
		step->pte = pte;
		step->rights = rights;
		if (leaf)
			break;
		table = rvm_pte_target(&w->fmt, pte, level, false);
	}
	path->level = level;

	denied = rvm_walk_key_denies(w, pte, rights & RVM_RIGHT_U);
	if (denied || !rvm_walk_allowed(w, rights))
		return rvm_walk_fault(w, RVM_PF_P | (denied ? RVM_PF_PK : 0));

	/* §4.8: accessed on every entry used, dirty on the leaf of a write. */
	for (i = path->top; i >= level; i--) {
		struct rvm_walk_step *step = &path->step[i - 1];
		u64 bits = PTE_A;

		if (i == level && (w->acc & RVM_ACC_WRITE))
			bits |= PTE_D;
		if ((step->pte & bits) == bits)
			continue;
		r = rvm_walk_mark(w, step->gpa, step->pte, bits);
		if (r)
			return r;
		step->pte |= bits;
	}

	path->gpa = rvm_a20(c, rvm_pte_target(&w->fmt, pte, level, true) |
			    (w->gla & ((1ull << shift) - 1)));
	return RVM_INSN_OK;
}

int rvm_walk_path(const struct rvm_cpu *c, const struct rvm_walk_ops *ops, void *priv,
		  u64 gla, u32 acc, struct rvm_walk_path *path, struct rvm_fault *f)
{
	struct rvm_walk w = {
		.c = c, .ops = ops, .priv = priv, .gla = gla, .acc = acc, .fault = f,
		.user = c->cpl == 3 && !(acc & RVM_ACC_IMPLICIT),
	};
	int tries, r;

	if (!rvm_is_paging(c)) {
		path->gpa = rvm_a20(c, gla);
		path->top = 0;
		path->level = 0;
		return RVM_INSN_OK;
	}
	w.fmt = rvm_pte_format(c);
	if (w.fmt.long_mode)
		w.levels = c->cr4 & RVM_CR4_LA57 ? 5 : 4;
	else
		w.levels = w.fmt.wide ? 3 : 2;
	w.index_bits = w.fmt.wide ? 9 : 10;

	/* An entry that changes under every attempt is another vCPU's doing; the
	 * CPU has no bound here, the host needs one. */
	for (tries = 0; tries < WALK_TRIES; tries++) {
		r = rvm_walk_once(&w, path);
		if (r != RVM_INSN_RETRY)
			return r;
	}
	return RVM_INSN_RETRY;
}

int rvm_walk_tables(const struct rvm_cpu *c, const struct rvm_walk_ops *ops, void *priv,
		    u64 gla, u32 acc, u64 *gpa, struct rvm_fault *f)
{
	struct rvm_walk_path path;
	int r = rvm_walk_path(c, ops, priv, gla, acc, &path, f);

	if (!r)
		*gpa = path.gpa;
	return r;
}
