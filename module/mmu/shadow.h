/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Shadow paging, the parts' view of each other.  What others may use is in
 * mmu.h; how it works is told in docs/mmu.md.
 */
#ifndef RVM_SHADOW_H
#define RVM_SHADOW_H

#include "mmu.h"
#include "walk.h"

/* A shadow entry: long-mode format, which is also PAE's below bit 52 */
#define SPTE_P		RVM_PTE_P
#define SPTE_W		RVM_PTE_W
#define SPTE_U		RVM_PTE_U
#define SPTE_A		RVM_PTE_A
#define SPTE_D		RVM_PTE_D
#define SPTE_PS		RVM_PTE_PS
#define SPTE_NX		RVM_PTE_NX
#define SPTE_ADDR	RVM_PTE_ADDR

/* An entry that leads to a table: rights are the leaves' business. */
#define SPTE_LINK	(SPTE_P | SPTE_W | SPTE_U | SPTE_A)

/*
 * A page without memory: not present, with the rights of the path (W only where the
 * guest's D is set) and the number of the slots that it was found in.  Its address is
 * where no memory is, for CPUs that speculate with it.
 */
#define SPTE_MMIO		SPTE_ADDR
#define SPTE_MMIO_RIGHTS	1	/* shift */
#define SPTE_MMIO_GEN_LOW	0xffull	/* of the number: bits 4 to 11 */
#define SPTE_MMIO_GEN_BITS	19	/* the rest: bits 52 to 62 */

#define SHADOW_HASH_BITS	12
#define SHADOW_RMAP_LOCKS	64
#define SHADOW_LEVEL_PAGES(l)	(1ull << (9 * ((l) - 1)))	/* frames under one entry */
#define SHADOW_MAX_LEVELS	4

/* Entries looked at around one that is filled in */
#define SHADOW_PREFETCH		8

/* Tables that may be unsynced at a time: each costs a look at all of it at a flush. */
#define SHADOW_UNSYNC_MAX	64
/* Frames that slices find one by one, when they have come to be watched */
#define SHADOW_RECENT		32
/* Links looked at for whether one of them is below another table */
#define SHADOW_UNSYNC_SEARCH	128

/**
 * union rvm_role - all that decides what the entries of a shadow page mean
 * @level: 1 maps 4 KiB
 * @quadrant: which part of a narrow table, that is twice or four times as much
 * @direct: no guest table: consecutive frames from @gfn on, for a large page of
 *   the guest's or a guest without paging
 * @rights: RVM_RIGHT_* of the path down to here
 * @wide, @long_mode, @nxe, @pse, @no_1g, @phys_bits: struct rvm_pte_format
 * @views: for the kernel in ring 1, which executes views of its code (mode/ring1/view.c)
 * @wp: CR0.WP; @smep, @smap: the bits of CR4, while CR0.WP is clear; and with @views, for
 *   the CPU's own are not the guest's then.  EFLAGS.AC is in @smap.
 *
 * Two pages with the same gfn and role are the same page.
 */
union rvm_role {
	u64 word;
	struct {
		u64 level : 3, quadrant : 2, direct : 1, rights : 3,
		    wide : 1, long_mode : 1, nxe : 1, pse : 1, no_1g : 1,
		    wp : 1, smep : 1, smap : 1, views : 1, phys_bits : 6;
	};
};

/**
 * struct rvm_spage - a shadow page
 * @hash: in rvm_shadow.hash, while it can be found
 * @link: in rvm_shadow.pages, newest first; or on a list of dead ones
 * @gfn: the guest table it shadows, or the first frame if direct
 * @role: see there
 * @table: the page that the CPU walks; its page_private() leads back here
 * @gfns: the frame behind each leaf; NULL where @gfn tells
 * @parents: set of the entries that lead here (ptes_*)
 * @unsynced: in rvm_shadow.unsync; the guest may write to the table unseen
 * @roots: vCPUs that have it as a root
 * @writes: interpreted writes to the guest table since it was last used
 * @dead: no longer in the cache, and freed by the last root to let it go
 */
struct rvm_spage {
	struct hlist_node hash;
	struct list_head link;
	struct list_head unsynced;
	u64 gfn;
	union rvm_role role;
	u64 *table;
	u64 *gfns;
	unsigned long parents;
	u32 roots;
	u8 writes;
	bool unsync;
	bool dead;
};

/**
 * struct rvm_shadow - a VM's shadow pages; all under vm->mmu_lock for writing, but
 * that leaves may be filled in by its readers
 * @hash: by gfn
 * @pages: all of them
 * @nr_pages: their number
 * @limit: how many there may be
 * @rmap: by frame number (of 4 KiB, of 2 MiB): set of the leaves that map it
 * @rmap_lock: by frame, for readers of mmu_lock
 * @track: by gfn: how many want to know of writes (the low half of the value), how
 *   many unsynced tables there are (the high half); read without the lock too
 * @unsync, @nr_unsync: unsynced pages
 * @news: how often a frame came to be watched; @recent: the last of these frames
 * @copy: a guest table as it is looked at
 * @flush_owed: translations went away that a TLB may still hold
 */
struct rvm_shadow {
	struct hlist_head hash[1 << SHADOW_HASH_BITS];
	struct list_head pages;
	u64 nr_pages, limit;
	struct xarray rmap[2];
	spinlock_t rmap_lock[SHADOW_RMAP_LOCKS];
	struct xarray track;
	struct list_head unsync;
	u32 nr_unsync;
	u64 news, recent[SHADOW_RECENT];
	void *copy;
	bool flush_owed;
};

/* ---- rmap.c: sets of pointers to entries, reverse maps ------------------- */

/* Six entries and what follows. */
struct rvm_pte_desc {
	struct rvm_pte_desc *next;
	u32 n, total;		/* in this one; in this one and all that follow */
	u64 *pte[6];
};

/* More than these and the set is emptied instead: removal is a search. */
#define PTES_MAX	512

/*
 * A set is one word: 0, a pointer to an entry, or with bit 0 set a pointer to a
 * struct rvm_pte_desc.
 */
u32 ptes_add(unsigned long *set, u64 *pte, struct rvm_pte_spares *spares);
void ptes_remove(unsigned long *set, u64 *pte);
u64 *ptes_any(unsigned long set);
u32 ptes_count(unsigned long set);

/* For each entry @pte of a set that does not change meanwhile */
struct ptes_iter {
	struct rvm_pte_desc *desc;
	u32 i;
};

static inline u64 *ptes_first(struct ptes_iter *it, unsigned long set)
{
	it->desc = set & 1 ? (struct rvm_pte_desc *)(set & ~1ul) : NULL;
	it->i = 0;
	return it->desc ? it->desc->pte[0] : (u64 *)set;
}

static inline u64 *ptes_next(struct ptes_iter *it)
{
	if (it->desc && ++it->i == it->desc->n) {
		it->desc = it->desc->next;
		it->i = 0;
	}
	return it->desc ? it->desc->pte[it->i] : NULL;
}

#define ptes_for_each(it, set, pte)						\
	for (pte = ptes_first(it, set); pte; pte = ptes_next(it))

bool rmap_reserve(struct rvm_shadow *sh, u64 gfn, int level);
void rmap_release(struct rvm_shadow *sh, u64 gfn, int level);
int rmap_add(struct rvm_shadow *sh, u64 gfn, int level, u64 *pte, struct rvm_pte_spares *spares);
void rmap_remove(struct rvm_shadow *sh, u64 gfn, int level, u64 *pte);
static inline spinlock_t *rmap_lock(struct rvm_shadow *sh, u64 gfn)
{
	return &sh->rmap_lock[gfn % SHADOW_RMAP_LOCKS];
}

/* How many leaves map the frame */
u32 rmap_count(struct rvm_shadow *sh, u64 gfn, int level);
/* mmu_lock held.  True: flush before it is given up. */
bool rmap_zap(struct rvm_vm *vm, u64 start, u64 end);
bool rmap_wrprotect(struct rvm_vm *vm, u64 gfn);

/* ---- shadow.c --------------------------------------------------------------- */

static inline struct rvm_spage *spte_page(const u64 *pte)
{
	return (struct rvm_spage *)page_private(virt_to_page(pte));
}

static inline u32 spte_nr(const u64 *pte)
{
	return ((unsigned long)pte & ~PAGE_MASK) / sizeof(*pte);
}

static inline bool spte_is_leaf(u64 pte, int level)
{
	return level == 1 || (pte & SPTE_PS);
}

static inline u32 shadow_index(u64 gla, int level)
{
	return gla >> (12 + 9 * (level - 1)) & 511;
}

/* The frame that a leaf maps */
static inline u64 spte_gfn(const struct rvm_spage *sp, u32 i)
{
	return sp->gfns ? sp->gfns[i] : sp->gfn + i * SHADOW_LEVEL_PAGES(sp->role.level);
}

/* mmu_lock held: are the vCPU's roots alive, and those of its registers? */
bool shadow_roots_current(struct rvm_vcpu *v);

/* The page that the walk of @gla begins with, below the vCPU's own table; or NULL. */
static inline struct rvm_spage *shadow_root(const struct rvm_shadow_tree *tree, u64 gla)
{
	return tree->root[tree->levels == 3 ? gla >> 30 & 3 : 0];
}

union rvm_role shadow_base_role(const struct rvm_vcpu *v);
struct rvm_pte_format shadow_format(union rvm_role role);
int shadow_fill_spares(struct rvm_vcpu *v);
bool shadow_track_reserve(struct rvm_shadow *sh, u64 gfn);
/* Let the guest write to a table unseen, until it flushes its TLB.  mmu_lock held. */
bool shadow_try_unsync(struct rvm_vm *vm, u64 gfn);
bool shadow_drop_entry(struct rvm_vm *vm, struct rvm_spage *sp, u32 i);
struct rvm_spage *shadow_get_page(struct rvm_vcpu *v, u64 gfn, union rvm_role role,
				  struct list_head *dead, bool *flush);
void shadow_link(struct rvm_vcpu *v, u64 *pte, struct rvm_spage *child, bool *flush);
void shadow_make_room(struct rvm_vm *vm, u32 pages, struct list_head *dead);
/* mmu_lock held: every vCPU forgets what has gone, if something has. */
void shadow_flush(struct rvm_vm *vm, bool flush, struct list_head *dead);
/* Without it. */
void shadow_free_list(struct list_head *dead);

#endif /* RVM_SHADOW_H */
