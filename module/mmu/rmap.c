// SPDX-License-Identifier: GPL-2.0
/*
 * Reverse maps: from a guest frame to the shadow entries that map it.
 *
 * The notifier, the dirty log and write protection ask for them.  They are sets
 * of pointers in an XArray by frame number, so that they cost what is mapped and
 * not what the slots promise.  Its nodes are reserved before mmu_lock is taken.
 */
#include "shadow.h"

/* ---- sets of pointers ------------------------------------------------------ */

static struct rvm_pte_desc *ptes_desc(unsigned long set)
{
	return set & 1 ? (struct rvm_pte_desc *)(set & ~1ul) : NULL;
}

/**
 * ptes_add - one more entry
 * @set: the set
 * @pte: not in it
 * @spares: at least one descriptor, which may be taken
 *
 * How many there are now.
 */
u32 ptes_add(unsigned long *set, u64 *pte, struct rvm_pte_spares *spares)
{
	struct rvm_pte_desc *d = ptes_desc(*set), *new;

	if (!*set) {
		*set = (unsigned long)pte;
		return 1;
	}
	if (!d || d->n == ARRAY_SIZE(d->pte)) {
		new = spares->first;
		spares->first = new->next;
		spares->n--;
		new->next = d;
		new->n = 0;
		new->total = d ? d->total : 1;
		if (!d)
			new->pte[new->n++] = (u64 *)*set;
		*set = (unsigned long)new | 1;
		d = new;
	}
	d->pte[d->n++] = pte;
	return ++d->total;
}

/* @pte is in the set. */
void ptes_remove(unsigned long *set, u64 *pte)
{
	struct rvm_pte_desc *head = ptes_desc(*set), *d;
	u32 i;

	if (!head) {
		*set = 0;
		return;
	}
	for (d = head; d; d = d->next)
		for (i = d->n; i-- > 0;)
			if (d->pte[i] == pte)
				goto found;
	return;
found:
	/* The gap is filled from the first one, which alone may be partly empty:
	 * the totals of the others stay right. */
	d->pte[i] = head->pte[--head->n];
	head->total--;
	if (head->total == 1)
		*set = (unsigned long)head->pte[0];
	else if (!head->n)
		*set = (unsigned long)head->next | 1;
	else
		return;
	kfree(head);
}

/* One of them, the cheapest to remove; NULL if the set is empty. */
u64 *ptes_any(unsigned long set)
{
	struct rvm_pte_desc *d = ptes_desc(set);

	return d ? d->pte[d->n - 1] : (u64 *)set;
}

u32 ptes_count(unsigned long set)
{
	struct rvm_pte_desc *d = ptes_desc(set);

	return d ? d->total : !!set;
}

/* ---- by frame ---------------------------------------------------------------- */

static unsigned long rmap_index(u64 gfn, int level)
{
	return gfn >> (9 * (level - 1));
}

static bool rmap_store(struct xarray *map, unsigned long index, unsigned long set)
{
	/* The node is there already: nothing is allocated, unless somebody else has
	 * emptied it since it was reserved. */
	return !xa_is_err(xa_store(map, index, (void *)set, GFP_NOWAIT | __GFP_NOWARN));
}

/* Without mmu_lock; may sleep.  False: no memory. */
bool rmap_reserve(struct rvm_shadow *sh, u64 gfn, int level)
{
	return !xa_reserve(&sh->rmap[level - 1], rmap_index(gfn, level), GFP_KERNEL_ACCOUNT);
}

/* What was reserved and not used goes back. */
void rmap_release(struct rvm_shadow *sh, u64 gfn, int level)
{
	xa_release(&sh->rmap[level - 1], rmap_index(gfn, level));
}

/**
 * rmap_add - an entry is about to map a frame
 * @sh: the VM's shadow pages
 * @gfn: the frame, aligned to the level
 * @level: 1 or 2
 * @pte: the entry
 * @spares: as for ptes_add()
 *
 * How many map it now; 0: no memory, nothing changed.
 */
int rmap_add(struct rvm_shadow *sh, u64 gfn, int level, u64 *pte, struct rvm_pte_spares *spares)
{
	struct xarray *map = &sh->rmap[level - 1];
	unsigned long index = rmap_index(gfn, level);
	unsigned long set = (unsigned long)xa_load(map, index), old = set;
	int n = ptes_add(&set, pte, spares);

	if (set != old && !rmap_store(map, index, set)) {
		/* only where the set was empty: it has a node otherwise */
		return 0;
	}
	return n;
}

u32 rmap_count(struct rvm_shadow *sh, u64 gfn, int level)
{
	return ptes_count((unsigned long)xa_load(&sh->rmap[level - 1], rmap_index(gfn, level)));
}

void rmap_remove(struct rvm_shadow *sh, u64 gfn, int level, u64 *pte)
{
	struct xarray *map = &sh->rmap[level - 1];
	unsigned long index = rmap_index(gfn, level);
	unsigned long set = (unsigned long)xa_load(map, index), old = set;

	ptes_remove(&set, pte);
	if (!set)
		xa_erase(map, index);
	else if (set != old)
		rmap_store(map, index, set);
}

/* ---- what is done with them ---------------------------------------------------- */

static bool rmap_zap_set(struct rvm_vm *vm, struct xarray *map, unsigned long index)
{
	bool hit = false;
	u64 *pte;

	while ((pte = ptes_any((unsigned long)xa_load(map, index)))) {
		shadow_drop_entry(vm, spte_page(pte), spte_nr(pte));
		hit = true;
	}
	return hit;
}

/* Drop every leaf that maps a frame of [start, end). */
bool rmap_zap(struct rvm_vm *vm, u64 start, u64 end)
{
	struct rvm_shadow *sh = vm->shadow;
	unsigned long i;
	bool hit = false;
	int level;
	void *set;

	lockdep_assert_held_write(&vm->mmu_lock);
	for (level = 1; level <= 2; level++) {
		struct xarray *map = &sh->rmap[level - 1];

		xa_for_each_range(map, i, set, rmap_index(start, level),
				  rmap_index(end - 1, level))
			hit |= rmap_zap_set(vm, map, i);
	}
	return hit;
}

/* Take the right to write from every leaf that maps the frame. */
bool rmap_wrprotect(struct rvm_vm *vm, u64 gfn)
{
	struct rvm_shadow *sh = vm->shadow;
	struct ptes_iter it;
	bool hit;
	u64 *pte;

	lockdep_assert_held_write(&vm->mmu_lock);
	/* A large page has frames with other rights: it is mapped anew, in small ones. */
	hit = rmap_zap_set(vm, &sh->rmap[1], rmap_index(gfn, 2));
	ptes_for_each(&it, (unsigned long)xa_load(&sh->rmap[0], gfn), pte)
		hit |= test_and_clear_bit(1, (unsigned long *)pte);
	return hit;
}

/* ---- the notifier's and the dirty log's view ------------------------------------ */

static bool rmap_young_set(unsigned long set, bool clear)
{
	struct ptes_iter it;
	bool young = false;
	u64 *pte;

	ptes_for_each(&it, set, pte)
		young |= clear ? test_and_clear_bit(5, (unsigned long *)pte) :
			test_bit(5, (unsigned long *)pte);
	return young;
}

bool rvm_shadow_young(struct rvm_vm *vm, u64 start, u64 end, bool clear)
{
	unsigned long i;
	bool young = false;
	int level;
	void *set;

	lockdep_assert_held_write(&vm->mmu_lock);
	for (level = 1; level <= 2; level++)
		xa_for_each_range(&vm->shadow->rmap[level - 1], i, set,
				  rmap_index(start, level), rmap_index(end - 1, level))
			young |= rmap_young_set((unsigned long)set, clear);
	return young;
}

bool rvm_shadow_wrprotect_mask(struct rvm_vm *vm, u64 gfn, unsigned long mask)
{
	bool flush = false;

	while (mask) {
		flush |= rmap_wrprotect(vm, gfn + __ffs(mask));
		mask &= mask - 1;
	}
	return flush;
}
