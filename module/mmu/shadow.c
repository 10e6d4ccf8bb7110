// SPDX-License-Identifier: GPL-2.0
/*
 * Shadow paging: page tables that lead from guest-linear to host-physical
 * addresses, for modes whose CPU has nothing of its own to translate
 * guest-physical ones.  docs/mmu.md tells the whole; shadow_fault.c fills the
 * tables, rmap.c finds the entries that map a frame.
 *
 * Here: the cache of shadow pages, by the guest table that they shadow and by
 * role; roots; what happens when the guest writes to its tables.
 *
 * A guest table with a shadow page is write-protected, so that each write to it
 * is interpreted and comes to rvm_shadow_written().  What reads a guest table's
 * entry to shadow it does so when the page is in the cache and mmu_lock is held:
 * a write before that is seen by the read, one after it takes the entry away.
 *
 * A translation that goes away because the guest changed its tables may stay in
 * TLBs until the guest flushes them, as on every CPU.  But the host counts on
 * frames without reverse maps not being mapped: such a debt (flush_owed) is paid
 * by whoever next needs to know.
 */
#include "shadow.h"
#include "../mode.h"

#include <linux/hash.h>
#include <linux/uaccess.h>

/* Interpreted writes after which a table is taken for something else by now; and one that
 * is a vCPU's root, maybe of a tree that it has not used since the guest freed the table. */
#define SHADOW_FLOOD		3
#define SHADOW_FLOOD_ROOT	32

/* A VM may have one shadow page for so many pages of its slots, and at least so many. */
#define SHADOW_PAGES_SHIFT	5
#define SHADOW_PAGES_MIN	64

/* Pages given up at a time when there are too many */
#define SHADOW_RECYCLE	16

static struct hlist_head *shadow_bucket(struct rvm_shadow *sh, u64 gfn)
{
	return &sh->hash[hash_64(gfn, SHADOW_HASH_BITS)];
}

/* ---- lifetime -------------------------------------------------------------- */

int rvm_shadow_init(struct rvm_vm *vm)
{
	struct rvm_shadow *sh = kvzalloc(sizeof(*sh), GFP_KERNEL_ACCOUNT);
	u32 i;

	if (!sh)
		return -ENOMEM;
	sh->copy = (void *)__get_free_page(GFP_KERNEL_ACCOUNT);
	if (!sh->copy) {
		kvfree(sh);
		return -ENOMEM;
	}
	INIT_LIST_HEAD(&sh->pages);
	INIT_LIST_HEAD(&sh->unsync);
	for (i = 0; i < SHADOW_RMAP_LOCKS; i++)
		spin_lock_init(&sh->rmap_lock[i]);
	sh->limit = SHADOW_PAGES_MIN;
	xa_init_flags(&sh->rmap[0], XA_FLAGS_ACCOUNT);
	xa_init_flags(&sh->rmap[1], XA_FLAGS_ACCOUNT);
	xa_init_flags(&sh->track, XA_FLAGS_ACCOUNT);
	vm->shadow = sh;
	return 0;
}

static void shadow_free_page(struct rvm_spage *sp)
{
	free_page((unsigned long)sp->gfns);
	set_page_private(virt_to_page(sp->table), 0);
	free_page((unsigned long)sp->table);
	kfree(sp);
}

void shadow_free_list(struct list_head *dead)
{
	struct rvm_spage *sp, *next;

	list_for_each_entry_safe(sp, next, dead, link)
		shadow_free_page(sp);
	INIT_LIST_HEAD(dead);
}

static void shadow_zap_page(struct rvm_vm *vm, struct rvm_spage *sp, struct list_head *dead);
static bool shadow_drop_bytes(struct rvm_vm *vm, struct rvm_spage *sp, u32 offset, u32 len);

/*
 * What is left in it goes, as by xa_destroy(), which does all of it with interrupts off:
 * milliseconds, where a guest has left something everywhere.
 */
static void shadow_empty(struct xarray *map)
{
	XA_STATE(xas, map, 0);
	u32 n = 0;
	void *entry;

	xas_lock(&xas);
	xas_for_each(&xas, entry, ULONG_MAX) {
		xas_store(&xas, NULL);
		if (++n % XA_CHECK_SCHED)
			continue;
		xas_pause(&xas);
		xas_unlock(&xas);
		cond_resched();
		xas_lock(&xas);
	}
	xas_unlock(&xas);
}

/* No vCPU is left and the notifier is gone. */
void rvm_shadow_destroy(struct rvm_vm *vm)
{
	struct rvm_shadow *sh = vm->shadow;
	struct rvm_spage *sp, *next;
	LIST_HEAD(dead);

	if (!sh)
		return;
	write_lock(&vm->mmu_lock);
	list_for_each_entry_safe(sp, next, &sh->pages, link)
		shadow_zap_page(vm, sp, &dead);
	write_unlock(&vm->mmu_lock);
	shadow_free_list(&dead);
	shadow_empty(&sh->rmap[0]);
	shadow_empty(&sh->rmap[1]);
	shadow_empty(&sh->track);
	free_page((unsigned long)sh->copy);
	kvfree(sh);
	vm->shadow = NULL;
}

/* ---- what a fault may need, allocated before mmu_lock is taken ---------------- */

/*
 * A table for each level and descriptors for as many links, a leaf and its
 * neighbours; what a fault leaves over the next one uses.
 */
int shadow_fill_spares(struct rvm_vcpu *v)
{
	struct rvm_vcpu_shadow *s = &v->shadow;

	while (s->nr_spare_pages < SHADOW_MAX_LEVELS) {
		struct rvm_spage *sp = kzalloc(sizeof(*sp), GFP_KERNEL_ACCOUNT);

		if (!sp)
			return -ENOMEM;
		sp->table = (u64 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
		if (!sp->table) {
			kfree(sp);
			return -ENOMEM;
		}
		set_page_private(virt_to_page(sp->table), (unsigned long)sp);
		list_add(&sp->link, &s->spare_pages);
		s->nr_spare_pages++;
	}
	/* of the two lowest levels; four of the second at the top of 32-bit tables */
	while (s->nr_spare_gfns < ARRAY_SIZE(s->spare_gfns)) {
		u64 *gfns = (u64 *)__get_free_page(GFP_KERNEL_ACCOUNT);

		if (!gfns)
			return -ENOMEM;
		s->spare_gfns[s->nr_spare_gfns++] = gfns;
	}
	while (s->spare_descs.n < SHADOW_MAX_LEVELS + 1 + SHADOW_PREFETCH) {
		struct rvm_pte_desc *d = kmalloc(sizeof(*d), GFP_KERNEL_ACCOUNT);

		if (!d)
			return -ENOMEM;
		d->next = s->spare_descs.first;
		s->spare_descs.first = d;
		s->spare_descs.n++;
	}
	return 0;
}

/* mmu_lock held. */
static void shadow_put_roots(struct rvm_shadow_tree *s, struct list_head *dead)
{
	u32 i;

	s->key.valid = false;
	for (i = 0; i < ARRAY_SIZE(s->root); i++) {
		struct rvm_spage *sp = s->root[i];

		s->root[i] = NULL;
		if (sp && !--sp->roots && sp->dead)
			list_add(&sp->link, dead);
	}
}

/* The vCPU goes; nobody else uses it any more.  No lock held. */
void rvm_shadow_vcpu_destroy(struct rvm_vcpu *v)
{
	struct rvm_vcpu_shadow *s = &v->shadow;
	LIST_HEAD(dead);
	u32 i;

	if (!v->vm->shadow)
		return;
	write_lock(&v->vm->mmu_lock);
	for (i = 0; i < ARRAY_SIZE(s->trees); i++)
		shadow_put_roots(&s->trees[i], &dead);
	write_unlock(&v->vm->mmu_lock);
	shadow_free_list(&dead);
	shadow_free_list(&s->spare_pages);
	while (s->nr_spare_gfns)
		free_page((unsigned long)s->spare_gfns[--s->nr_spare_gfns]);
	while (s->spare_descs.first) {
		struct rvm_pte_desc *d = s->spare_descs.first;

		s->spare_descs.first = d->next;
		kfree(d);
	}
	for (i = 0; i < ARRAY_SIZE(s->trees); i++)
		free_page((unsigned long)s->trees[i].top);
}

void rvm_shadow_vcpu_init(struct rvm_vcpu *v)
{
	INIT_LIST_HEAD(&v->shadow.spare_pages);
}

/* ---- tracking writes to a frame ------------------------------------------------ */

/* Without mmu_lock: the node that shadow_track() will want.  False: no memory. */
bool shadow_track_reserve(struct rvm_shadow *sh, u64 gfn)
{
	return xa_load(&sh->track, gfn) || !xa_reserve(&sh->track, gfn, GFP_KERNEL_ACCOUNT);
}

#define TRACK_UNSYNC	(1ul << 28)	/* one unsynced table */
#define TRACK_WRITES	(TRACK_UNSYNC - 1)

/* Add to what is known about a frame.  False: no memory. */
static bool shadow_track_add(struct rvm_shadow *sh, u64 gfn, long add)
{
	void *old = xa_load(&sh->track, gfn);
	unsigned long n = (old ? xa_to_value(old) : 0) + add;

	if (!n) {
		xa_erase(&sh->track, gfn);
		return true;
	}
	return !xa_is_err(xa_store(&sh->track, gfn, xa_mk_value(n), GFP_NOWAIT | __GFP_NOWARN));
}

/* ---- news for slices: run.c tells why ---- */

/* The frame has come to be watched.  mmu_lock held. */
static void shadow_spread_news(struct rvm_vm *vm, u64 gfn)
{
	struct rvm_shadow *sh = vm->shadow;

	sh->recent[sh->news % SHADOW_RECENT] = gfn;
	WRITE_ONCE(sh->news, sh->news + 1);
	rvm_reach_slices(vm);
}

/* What struct rvm_insn looks at */
const u64 *rvm_shadow_news_count(const struct rvm_vm *vm)
{
	return &vm->shadow->news;
}

/* A slice begins: it has written nothing, and has no translations from before. */
void rvm_shadow_no_news(struct rvm_vcpu *v)
{
	u64 news = READ_ONCE(v->vm->shadow->news);

	if (v->insn.news_seen == news)
		return;
	v->insn.news_seen = news;
	rvm_insn_flush(&v->insn);
}

/* It may have been written to, anywhere. */
static void shadow_rewritten(struct rvm_vm *vm, u64 gfn)
{
	struct rvm_shadow *sh = vm->shadow;
	struct rvm_spage *sp;

	write_lock(&vm->mmu_lock);
	hlist_for_each_entry(sp, shadow_bucket(sh, gfn), hash)
		if (sp->gfn == gfn && !sp->role.direct)
			sh->flush_owed |= shadow_drop_bytes(vm, sp, 0, PAGE_SIZE);
	write_unlock(&vm->mmu_lock);
	if (vm->track_written)
		vm->track_written(vm, gfn << PAGE_SHIFT, PAGE_SIZE);
}

/**
 * rvm_shadow_news - in a slice: frames may have come to be watched
 * @v: the vCPU, in its own thread; no lock held
 *
 * The slice may have written to one of them before it could know.  Which, is not known
 * either, so all that was read there since goes.  It is watched now, so that the next
 * time there are no news of it.
 */
void rvm_shadow_news(struct rvm_vcpu *v)
{
	struct rvm_shadow *sh = v->vm->shadow;
	u64 seen = v->insn.news_seen, news, recent[SHADOW_RECENT], n;
	unsigned long gfn = 0;

	if (likely(READ_ONCE(sh->news) == seen))
		return;
	read_lock(&v->vm->mmu_lock);
	news = sh->news;
	memcpy(recent, sh->recent, sizeof(recent));
	read_unlock(&v->vm->mmu_lock);

	v->insn.news_seen = news;
	rvm_insn_flush(&v->insn);
	v->stats.slice_news++;
	if (news - seen <= SHADOW_RECENT) {
		for (n = seen; n != news; n++)
			shadow_rewritten(v->vm, recent[n % SHADOW_RECENT]);
		return;
	}
	for (; xa_find(&sh->track, &gfn, ULONG_MAX, XA_PRESENT); gfn++) {
		shadow_rewritten(v->vm, gfn);
		cond_resched();
	}
}

/*
 * One more who wants to know.  mmu_lock held; *flush is set where a CPU may still
 * be able to write unseen.  False: no memory.
 */
static bool shadow_track(struct rvm_vm *vm, u64 gfn, bool *flush)
{
	bool first = !rvm_gfn_tracked(vm, gfn);

	if (!shadow_track_add(vm->shadow, gfn, 1))
		return false;
	if (!first)
		return true;
	/* Also what was dropped while a TLB still holds it. */
	*flush |= rmap_wrprotect(vm, gfn) | vm->shadow->flush_owed;
	if (vm->mode->slice)
		shadow_spread_news(vm, gfn);
	return true;
}

static void shadow_untrack(struct rvm_shadow *sh, u64 gfn)
{
	shadow_track_add(sh, gfn, -1);
}

/**
 * rvm_gfn_tracked - does somebody want to know of writes to this frame?
 * @vm: the VM
 * @gfn: the frame
 *
 * Any context.  Without mmu_lock the answer may be out of date by the time it is
 * given; who writes first and asks then misses nobody (rvm_gpa_write()).
 */
bool rvm_gfn_tracked(struct rvm_vm *vm, u64 gfn)
{
	void *n = vm->shadow ? xa_load(&vm->shadow->track, gfn) : NULL;

	return n && (xa_to_value(n) & TRACK_WRITES);
}

/**
 * rvm_track_gfn - have writes to a frame told to vm->track_written
 * @vm: a VM with shadow paging
 * @gfn: the frame; where no slot is, the wish holds for one to come
 *
 * Counted: as many rvm_untrack_gfn() end it.  When it returns, what any vCPU
 * writes from now on is told; the caller looks at the frame after that.  May
 * sleep.  0 or -ENOMEM.
 */
int rvm_track_gfn(struct rvm_vm *vm, u64 gfn)
{
	LIST_HEAD(none);
	bool flush = false, ok;

	if (!shadow_track_reserve(vm->shadow, gfn))
		return -ENOMEM;
	write_lock(&vm->mmu_lock);
	ok = shadow_track(vm, gfn, &flush);
	shadow_flush(vm, flush, &none);
	write_unlock(&vm->mmu_lock);
	return ok ? 0 : -ENOMEM;
}

void rvm_untrack_gfn(struct rvm_vm *vm, u64 gfn)
{
	write_lock(&vm->mmu_lock);
	shadow_untrack(vm->shadow, gfn);
	write_unlock(&vm->mmu_lock);
}

/* ---- entries and pages ------------------------------------------------------------ */

/* mmu_lock held.  True: an entry went that a TLB may hold. */
bool shadow_drop_entry(struct rvm_vm *vm, struct rvm_spage *sp, u32 i)
{
	u64 *pte = &sp->table[i], old;

	if (!*pte)
		return false;
	/* The CPU may be setting D at this moment: take the entry atomically. */
	old = xchg(pte, 0);
	if (!(old & SPTE_P))
		return false;
	if (!spte_is_leaf(old, sp->role.level)) {
		ptes_remove(&spte_page(__va(old & SPTE_ADDR))->parents, pte);
		return true;
	}
	rmap_remove(vm->shadow, spte_gfn(sp, i), sp->role.level, pte);
	if (sp->role.level == 1)
		vm->stats.pages_4k--;
	else
		vm->stats.pages_2m--;
	/* What the guest wrote must not be lost: the owner's own entry may be clean. */
	if ((old & SPTE_D) && pfn_valid((old & SPTE_ADDR) >> PAGE_SHIFT))
		SetPageDirty(pfn_to_page((old & SPTE_ADDR) >> PAGE_SHIFT));
	return true;
}

/* Off the list; who calls it says what holds instead. */
static void shadow_not_unsync(struct rvm_shadow *sh, struct rvm_spage *sp)
{
	list_del(&sp->unsynced);
	sp->unsync = false;
	WRITE_ONCE(sh->nr_unsync, sh->nr_unsync - 1);
	shadow_track_add(sh, sp->gfn, -(long)TRACK_UNSYNC);
}

/* Out of the cache and of every table.  mmu_lock held; flush before it is freed. */
static void shadow_zap_page(struct rvm_vm *vm, struct rvm_spage *sp, struct list_head *dead)
{
	struct rvm_shadow *sh = vm->shadow;
	u64 *pte;
	u32 i;

	for (i = 0; i < 512; i++)
		if (sp->table[i])
			shadow_drop_entry(vm, sp, i);
	while ((pte = ptes_any(sp->parents)))
		shadow_drop_entry(vm, spte_page(pte), spte_nr(pte));
	hlist_del(&sp->hash);
	list_del(&sp->link);
	if (sp->unsync)
		shadow_not_unsync(sh, sp);
	else if (!sp->role.direct)
		shadow_untrack(sh, sp->gfn);
	sh->nr_pages--;
	vm->stats.shadow_pages--;
	vm->stats.shadow_zapped++;
	sh->flush_owed = true;
	/* Root of a vCPU, which finds out before its next entry. */
	WRITE_ONCE(sp->dead, true);
	if (!sp->roots)
		list_add(&sp->link, dead);
}

/* See shadow.h.  Afterwards no vCPU is in the guest with what has gone. */
void shadow_flush(struct rvm_vm *vm, bool flush, struct list_head *dead)
{
	lockdep_assert_held_write(&vm->mmu_lock);
	if (!flush && list_empty(dead))
		return;
	vm->shadow->flush_owed = false;
	rvm_request_all(vm, RVM_REQ_TLB_FLUSH);
}

/* Is there an unsynced shadow page of this table?  Then all of them are. */
static bool shadow_has_unsync(struct rvm_shadow *sh, u64 gfn)
{
	void *n = xa_load(&sh->track, gfn);

	return n && xa_to_value(n) >= TRACK_UNSYNC;
}

static void shadow_set_unsync(struct rvm_shadow *sh, struct rvm_spage *sp)
{
	sp->unsync = true;
	list_add(&sp->unsynced, &sh->unsync);
	WRITE_ONCE(sh->nr_unsync, sh->nr_unsync + 1);
}

/*
 * The guest writes to a page table (level 1): let it, and look at the table again
 * when it flushes its TLB; until then it may not count on what it wrote.  Not where
 * somebody else watches the frame, nor for tables that lead to tables.
 */
bool shadow_try_unsync(struct rvm_vm *vm, u64 gfn)
{
	struct rvm_shadow *sh = vm->shadow;
	struct rvm_spage *sp;
	unsigned long n = 0;

	hlist_for_each_entry(sp, shadow_bucket(sh, gfn), hash) {
		if (sp->gfn != gfn || sp->role.direct)
			continue;
		if (sp->role.level != 1)
			return false;
		n++;
	}
	if (!n || sh->nr_unsync + n > SHADOW_UNSYNC_MAX ||
	    n != (xa_to_value(xa_load(&sh->track, gfn)) & TRACK_WRITES))
		return false;
	hlist_for_each_entry(sp, shadow_bucket(sh, gfn), hash) {
		if (sp->gfn != gfn || sp->role.direct)
			continue;
		shadow_track_add(sh, gfn, TRACK_UNSYNC - 1);
		shadow_set_unsync(sh, sp);
	}
	vm->stats.shadow_unsync++;
	return true;
}

/* Does the entry still say what the guest's does?  Less of it is done at once. */
static bool shadow_entry_holds(const struct rvm_spage *sp, u32 i, u64 guest)
{
	struct rvm_pte_format fmt = shadow_format(sp->role);
	u64 pte = READ_ONCE(sp->table[i]);
	u8 rights = sp->role.rights & rvm_pte_rights(guest);

	/* A view is a user page and can be executed; nothing else there is, or can. */
	if (sp->role.views)
		rights = pte & SPTE_U ? (rights & RVM_RIGHT_X) | RVM_RIGHT_U :
			rights & RVM_RIGHT_W;
	if (!(guest & RVM_PTE_P) || !(guest & RVM_PTE_A) || rvm_pte_rsvd(&fmt, guest, 1, true) ||
	    rvm_pte_target(&fmt, guest, 1, true) >> PAGE_SHIFT != sp->gfns[i] ||
	    !!(pte & SPTE_U) != !!(rights & RVM_RIGHT_U) ||
	    !(pte & SPTE_NX) != !!(rights & RVM_RIGHT_X))
		return false;
	return !(pte & SPTE_W) || ((rights & RVM_RIGHT_W) && (guest & RVM_PTE_D));
}

/*
 * Compare an unsynced page with its table, which is watched again.  mmu_lock held.
 * False: the table cannot be read at the moment.
 */
static bool shadow_sync_entries(struct rvm_vm *vm, struct rvm_spage *sp)
{
	struct rvm_shadow *sh = vm->shadow;
	struct rvm_memslot *slot = rvm_gfn_to_slot(rvm_slots(vm), sp->gfn);
	u32 offset = sp->role.wide ? 0 : sp->role.quadrant * PAGE_SIZE / 2, i;
	unsigned long left;
	u64 guest;

	if (!slot)
		return false;
	pagefault_disable();
	left = copy_from_user(sh->copy, (void __user *)rvm_slot_hva(slot, sp->gfn) + offset,
			      sp->role.wide ? PAGE_SIZE : PAGE_SIZE / 2);
	pagefault_enable();
	if (left)
		return false;
	for (i = 0; i < 512; i++) {
		if (!sp->table[i])
			continue;
		guest = sp->role.wide ? ((u64 *)sh->copy)[i] : ((u32 *)sh->copy)[i];
		if (!(sp->table[i] & SPTE_P) || !shadow_entry_holds(sp, i, guest))
			sh->flush_owed |= shadow_drop_entry(vm, sp, i);
	}
	return true;
}

/* Watch the tables of @pages (linked by unsynced) again, and have them hold what
 * the tables do.  mmu_lock held. */
static void shadow_sync_pages(struct rvm_vm *vm, struct list_head *pages, struct list_head *dead)
{
	struct rvm_shadow *sh = vm->shadow;
	struct rvm_spage *sp, *next;
	bool flush = false;

	list_for_each_entry(sp, pages, unsynced) {
		shadow_track(vm, sp->gfn, &flush);	/* it has an entry */
		shadow_track_add(sh, sp->gfn, -(long)TRACK_UNSYNC);
	}
	/* From here on nobody writes to them unseen. */
	shadow_flush(vm, flush, dead);
	list_for_each_entry_safe(sp, next, pages, unsynced) {
		list_del(&sp->unsynced);
		sp->unsync = false;
		WRITE_ONCE(sh->nr_unsync, sh->nr_unsync - 1);
		vm->stats.shadow_sync++;
		if (!shadow_sync_entries(vm, sp))
			shadow_zap_page(vm, sp, dead);
	}
}

/* The same for all pages of one table: one of them is not unsynced alone. */
static void shadow_collect_table(struct rvm_shadow *sh, u64 gfn, struct list_head *pages)
{
	struct rvm_spage *sp;

	hlist_for_each_entry(sp, shadow_bucket(sh, gfn), hash)
		if (sp->gfn == gfn && sp->unsync)
			list_move(&sp->unsynced, pages);
}

static void shadow_sync_table(struct rvm_vm *vm, u64 gfn, struct list_head *dead)
{
	LIST_HEAD(pages);

	shadow_collect_table(vm->shadow, gfn, &pages);
	shadow_sync_pages(vm, &pages, dead);
}

/*
 * Is @sp below @top?  Upwards, for few tables have many parents.  Where one has, the
 * answer is yes before all have been looked at.
 */
static bool shadow_is_below(const struct rvm_spage *sp, const struct rvm_spage *top, u32 *budget)
{
	struct ptes_iter it;
	u64 *pte;

	if (sp == top)
		return true;
	if (sp->role.level >= top->role.level)
		return false;
	ptes_for_each(&it, sp->parents, pte) {
		if (!*budget)
			return true;
		--*budget;
		if (shadow_is_below(spte_page(pte), top, budget))
			return true;
	}
	return false;
}

/* Sync what can be reached from @top: what is below is to be used in a new place, or
 * the guest has flushed.  mmu_lock held. */
static void shadow_sync_below(struct rvm_vm *vm, const struct rvm_spage *top,
			      struct list_head *dead)
{
	struct rvm_shadow *sh = vm->shadow;
	u64 gfns[SHADOW_UNSYNC_MAX];
	struct rvm_spage *sp;
	LIST_HEAD(pages);
	u32 n = 0;

	list_for_each_entry(sp, &sh->unsync, unsynced) {
		u32 budget = SHADOW_UNSYNC_SEARCH;

		if (shadow_is_below(sp, top, &budget))
			gfns[n++] = sp->gfn;
	}
	while (n)
		shadow_collect_table(sh, gfns[--n], &pages);
	shadow_sync_pages(vm, &pages, dead);
}

/**
 * shadow_get_page - the shadow page of a guest table, or of consecutive frames
 * @v: with spares filled
 * @gfn: the table's frame, or the first of them
 * @role: as what
 * @dead: what is zapped on the way
 * @flush: set where a CPU may still write to the guest table unseen: shadow_flush()
 *   before its entries are read
 *
 * mmu_lock held.  NULL: no memory.
 */
struct rvm_spage *shadow_get_page(struct rvm_vcpu *v, u64 gfn, union rvm_role role,
				  struct list_head *dead, bool *flush)
{
	struct rvm_vcpu_shadow *s = &v->shadow;
	struct rvm_shadow *sh = v->vm->shadow;
	struct rvm_spage *sp;

	/*
	 * To be used in a new place, for which no TLB has anything: there is no excuse
	 * for what is out of date.  Nor is there for a table of tables.
	 */
	if (!role.direct && shadow_has_unsync(sh, gfn))
		shadow_sync_table(v->vm, gfn, dead);
	hlist_for_each_entry(sp, shadow_bucket(sh, gfn), hash) {
		if (sp->gfn == gfn && sp->role.word == role.word) {
			sp->writes = 0;
			if (role.level > 1 && sh->nr_unsync)
				shadow_sync_below(v->vm, sp, dead);
			return sp;
		}
	}
	if (!role.direct && !shadow_track(v->vm, gfn, flush))
		return NULL;
	sp = list_first_entry(&s->spare_pages, struct rvm_spage, link);
	list_move(&sp->link, &sh->pages);
	s->nr_spare_pages--;
	sp->gfn = gfn;
	sp->role = role;
	if (!role.direct && role.level <= 2)
		sp->gfns = s->spare_gfns[--s->nr_spare_gfns];
	hlist_add_head(&sp->hash, shadow_bucket(sh, gfn));
	sh->nr_pages++;
	v->vm->stats.shadow_pages++;
	return sp;
}

/*
 * Make the entry lead to @child.  mmu_lock held; *flush is set when something else
 * was there.
 */
void shadow_link(struct rvm_vcpu *v, u64 *pte, struct rvm_spage *child, bool *flush)
{
	u64 link = __pa(child->table) | SPTE_LINK, *other;

	if ((*pte & ~SPTE_A) == (link & ~SPTE_A))
		return;
	*flush |= shadow_drop_entry(v->vm, spte_page(pte), spte_nr(pte));
	/* All kinds of tables lead there: the others will find it again. */
	if (ptes_count(child->parents) >= PTES_MAX) {
		while ((other = ptes_any(child->parents)))
			shadow_drop_entry(v->vm, spte_page(other), spte_nr(other));
		*flush = true;
	}
	ptes_add(&child->parents, pte, &v->shadow.spare_descs);
	WRITE_ONCE(*pte, link);
}

/* Make room for @pages new ones, by zapping the oldest: some at a time, for the flush
 * that follows costs most.  mmu_lock held. */
void shadow_make_room(struct rvm_vm *vm, u32 pages, struct list_head *dead)
{
	struct rvm_shadow *sh = vm->shadow;
	u64 limit = READ_ONCE(sh->limit);
	struct rvm_spage *sp, *next;

	if (sh->nr_pages + pages <= limit)
		return;
	list_for_each_entry_safe_reverse(sp, next, &sh->pages, link) {
		if (sh->nr_pages + pages + SHADOW_RECYCLE <= limit)
			break;
		if (sp->roots)
			continue;
		shadow_zap_page(vm, sp, dead);
		vm->stats.shadow_recycled++;
	}
}

/* ---- roots --------------------------------------------------------------------- */

/* The role of tables at the top: all rights, level and quadrant not yet set.  @user: for
 * ring 3, which matters where it has a tree of its own. */
static union rvm_role shadow_ring_role(const struct rvm_vcpu *v, bool user)
{
	const struct rvm_cpu *c = &v->cpu;
	union rvm_role role = { .word = 0 };

	role.rights = RVM_RIGHT_W | RVM_RIGHT_U | RVM_RIGHT_X;
	role.views = v->vm->code_view && !user;
	if (!rvm_is_paging(c)) {
		role.direct = 1;
		role.wp = 1;
		return role;
	}
	role.wide = rvm_is_long(c) || (c->cr4 & RVM_CR4_PAE);
	role.long_mode = rvm_is_long(c);
	role.nxe = !!(c->efer & RVM_EFER_NXE);
	role.pse = !role.wide && (c->cr4 & RVM_CR4_PSE);
	role.no_1g = c->no_1g;
	role.phys_bits = c->phys_bits;
	role.wp = !!(c->cr0 & RVM_CR0_WP);
	if (!role.wp || role.views) {
		role.smep = !!(c->cr4 & RVM_CR4_SMEP);
		role.smap = !!(c->cr4 & RVM_CR4_SMAP);
	}
	/* POPF and its like trap in ring 1, so it changes with the tables. */
	if (role.views && (c->rflags & RVM_FL_AC))
		role.smap = 0;
	return role;
}

union rvm_role shadow_base_role(const struct rvm_vcpu *v)
{
	return shadow_ring_role(v, v->cpu.cpl == 3);
}

struct rvm_pte_format shadow_format(union rvm_role role)
{
	return (struct rvm_pte_format) {
		.wide = role.wide,
		.long_mode = role.long_mode,
		.nxe = role.nxe,
		.pse = role.pse,
		.no_1g = role.no_1g,
		.phys_bits = role.phys_bits,
	};
}

/* Which tables are at the top, by what registers.  Bit 0: there is one. */
static struct rvm_shadow_key shadow_key(const struct rvm_vcpu *v)
{
	const struct rvm_cpu *c = &v->cpu;
	union rvm_role role = shadow_base_role(v);
	struct rvm_shadow_key key = { .role = role.word, .valid = true };
	u32 i;

	if (role.long_mode) {
		key.table[0] = (c->cr3 & SPTE_ADDR) | 1;
		return key;
	}
	for (i = 0; i < 4; i++) {
		if (role.direct)
			key.table[i] = (u64)i << 30 | 1;
		else if (!role.wide)
			key.table[i] = (c->cr3 & 0xfffff000) | 1;
		else if (c->pdptes_kept && (c->pdpte[i] & SPTE_P))
			key.table[i] = (c->pdpte[i] & SPTE_ADDR) | 1;
	}
	return key;
}

static bool shadow_roots_good(const struct rvm_shadow_tree *s, const struct rvm_shadow_key *key)
{
	u32 i;

	if (!s->key.valid || s->key.role != key->role ||
	    memcmp(s->key.table, key->table, sizeof(key->table)))
		return false;
	for (i = 0; i < ARRAY_SIZE(s->root); i++)
		if (s->root[i] && READ_ONCE(s->root[i]->dead))
			return false;
	return true;
}

bool shadow_roots_current(struct rvm_vcpu *v)
{
	struct rvm_shadow_key key = shadow_key(v);

	return shadow_roots_good(rvm_shadow_tree(v), &key);
}

/* The shadow pages for @key become the roots.  mmu_lock held.  False: no memory. */
static bool shadow_get_roots(struct rvm_vcpu *v, const struct rvm_shadow_key *key,
			     struct list_head *dead, bool *flush)
{
	struct rvm_shadow_tree *s = rvm_shadow_tree(v);
	union rvm_role role = { .word = key->role };
	u32 i;

	role.level = role.long_mode ? 4 : 2;
	for (i = 0; i < 4; i++) {
		struct rvm_spage *sp;

		if (!role.long_mode)
			WRITE_ONCE(s->top[i], 0);
		if (!(key->table[i] & 1))
			continue;
		role.quadrant = !role.wide && !role.direct ? i : 0;
		sp = shadow_get_page(v, key->table[i] >> PAGE_SHIFT, role, dead, flush);
		if (!sp)
			return false;
		sp->roots++;
		s->root[i] = sp;
		/* in use: far from being the oldest */
		list_move(&sp->link, &v->vm->shadow->pages);
		if (role.long_mode)
			break;
		WRITE_ONCE(s->top[i], __pa(sp->table) | SPTE_LINK);
	}
	s->levels = role.long_mode ? 4 : 3;
	s->root_pa = __pa(role.long_mode ? s->root[0]->table : s->top);
	s->key = *key;
	s->sync = false;	/* a root is synced as it is found */
	return true;
}

/* The guest has flushed its TLB, and goes on with the same roots. */
static void shadow_sync_roots(struct rvm_vcpu *v)
{
	struct rvm_shadow_tree *s = rvm_shadow_tree(v);
	struct rvm_vm *vm = v->vm;
	LIST_HEAD(dead);
	int idx;
	u32 i;

	s->sync = false;
	if (!READ_ONCE(vm->shadow->nr_unsync))
		return;
	idx = srcu_read_lock(&vm->srcu);
	write_lock(&vm->mmu_lock);
	for (i = 0; i < ARRAY_SIZE(s->root); i++)
		if (s->root[i])
			shadow_sync_below(vm, s->root[i], &dead);
	shadow_flush(vm, false, &dead);
	write_unlock(&vm->mmu_lock);
	srcu_read_unlock(&vm->srcu, idx);
	shadow_free_list(&dead);
}

/**
 * rvm_shadow_load - have the tree for the vCPU's control registers ready
 * @v: the vCPU, loaded, in its own thread; preemptible
 *
 * Before each entry, after requests have been served: a root that is zapped later
 * comes with a request.  The tree is rvm_shadow_tree(); v->shadow.changed says that
 * it has another root than before.  May sleep.  1, or -ENOMEM.
 */
int rvm_shadow_load(struct rvm_vcpu *v)
{
	struct rvm_shadow_tree *s = rvm_shadow_tree(v);
	struct rvm_vm *vm = v->vm;
	struct rvm_shadow_key key;
	bool flush = false, ok;
	LIST_HEAD(dead);
	int idx, r;
	u32 i;

	/* No register has changed: the guest cannot change these by itself. */
	if (!s->sync && !(v->dirty & RVM_G_CR) && shadow_roots_good(s, &s->key))
		return 1;
	rvm_need(v, RVM_G_CR);
	if (rvm_is_paging(&v->cpu) && !rvm_is_long(&v->cpu) && (v->cpu.cr4 & RVM_CR4_PAE) &&
	    !v->cpu.pdptes_kept && rvm_load_pdptes(v)) {
		/* Set by the client, to what no CPU would have loaded. */
		memset(v->cpu.pdpte, 0, sizeof(v->cpu.pdpte));
		v->cpu.pdptes_kept = true;
	}
	key = shadow_key(v);
	if (shadow_roots_good(s, &key)) {
		if (s->sync)
			shadow_sync_roots(v);
		return 1;
	}

	r = shadow_fill_spares(v);
	if (r)
		return r;
	if (!s->top)
		s->top = (u64 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!s->top)
		return -ENOMEM;
	for (i = 0; i < 4; i++)
		if ((key.table[i] & 1) &&
		    !shadow_track_reserve(vm->shadow, key.table[i] >> PAGE_SHIFT))
			return -ENOMEM;

	idx = srcu_read_lock(&vm->srcu);
	write_lock(&vm->mmu_lock);
	shadow_put_roots(s, &dead);
	shadow_make_room(vm, SHADOW_MAX_LEVELS, &dead);
	ok = shadow_get_roots(v, &key, &dead, &flush);
	if (!ok)
		shadow_put_roots(s, &dead);
	shadow_flush(vm, flush, &dead);
	write_unlock(&vm->mmu_lock);
	srcu_read_unlock(&vm->srcu, idx);
	shadow_free_list(&dead);
	vm->stats.shadow_roots++;
	v->shadow.changed = true;
	return ok ? 1 : -ENOMEM;
}

/**
 * rvm_shadow_other - the tree of the vCPU's other ring, if it is ready
 * @v: as for rvm_shadow_load(), which has just returned 1
 *
 * NULL if it has none, or one for other tables; it is good for as long as the first.
 */
const struct rvm_shadow_tree *rvm_shadow_other(struct rvm_vcpu *v)
{
	const struct rvm_shadow_tree *s = rvm_shadow_tree(v), *other = v->shadow.trees;
	struct rvm_shadow_key key = s->key;

	if (!v->vm->code_view)
		return NULL;
	if (other == s)
		other++;
	key.role = shadow_ring_role(v, v->cpu.cpl != 3).word;
	return !other->sync && shadow_roots_good(other, &key) ? other : NULL;
}

/* ---- the guest writes to its tables ---------------------------------------------- */

/* Drop what @sp has made of the entries in bytes [offset, offset + len) of its table. */
static bool shadow_drop_bytes(struct rvm_vm *vm, struct rvm_spage *sp, u32 offset, u32 len)
{
	u32 shift = sp->role.wide ? 3 : 2, e, end = (offset + len - 1) >> shift;
	bool hit = false;

	for (e = offset >> shift; e <= end; e++) {
		if (sp->role.wide) {
			hit |= shadow_drop_entry(vm, sp, e);
		} else if (sp->role.level == 1) {
			/* 1024 entries in two tables */
			if (e >> 9 == sp->role.quadrant)
				hit |= shadow_drop_entry(vm, sp, e & 511);
		} else if (e >> 8 == sp->role.quadrant) {
			/* 1024 entries in four, each as two of half the reach */
			hit |= shadow_drop_entry(vm, sp, (e & 255) * 2);
			hit |= shadow_drop_entry(vm, sp, (e & 255) * 2 + 1);
		}
	}
	return hit;
}

/**
 * rvm_shadow_written - bytes of guest memory have been written for the guest
 * @vm: a VM with shadow paging
 * @gpa: where
 * @len: how many, within a page
 *
 * By the interpreter, or for it: whoever writes guest memory by the owner's address
 * calls this afterwards when rvm_gfn_tracked().  What the entries written to gave
 * is gone when it returns, but for TLBs, which are the guest's to flush.
 */
void rvm_shadow_written(struct rvm_vm *vm, u64 gpa, u32 len)
{
	struct rvm_shadow *sh = vm->shadow;
	u64 gfn = gpa >> PAGE_SHIFT;
	struct rvm_spage *sp;
	struct hlist_node *next;
	LIST_HEAD(dead);

	write_lock(&vm->mmu_lock);
	vm->stats.shadow_pt_writes++;
	hlist_for_each_entry_safe(sp, next, shadow_bucket(sh, gfn), hash) {
		if (sp->gfn != gfn || sp->role.direct)
			continue;
		/* Written again and again, and never used in between: hardly a table
		 * any more. */
		if (++sp->writes > (sp->roots ? SHADOW_FLOOD_ROOT : SHADOW_FLOOD))
			shadow_zap_page(vm, sp, &dead);
		else if (shadow_drop_bytes(vm, sp, offset_in_page(gpa), len))
			sh->flush_owed = true;
	}
	shadow_flush(vm, false, &dead);
	write_unlock(&vm->mmu_lock);
	shadow_free_list(&dead);
	if (vm->track_written)
		vm->track_written(vm, gpa, len);
}

static void shadow_invlpg(struct rvm_vm *vm, const struct rvm_shadow_tree *tree, u64 gla)
{
	struct rvm_spage *sp;
	u64 *pte;

	/* One that is not of the present registers is looked at when it is loaded. */
	if (!shadow_roots_good(tree, &tree->key))
		return;
	for (sp = shadow_root(tree, gla); sp; sp = spte_page(__va(*pte & SPTE_ADDR))) {
		pte = &sp->table[shadow_index(gla, sp->role.level)];
		if (sp->unsync)
			vm->shadow->flush_owed |= shadow_drop_entry(vm, sp, spte_nr(pte));
		if (!(*pte & SPTE_P) || spte_is_leaf(*pte, sp->role.level))
			break;
	}
}

/**
 * rvm_shadow_invlpg - the guest executed INVLPG
 * @v: the vCPU, in its own thread
 * @gla: the address
 *
 * What an unsynced table has for it is dropped.  The vCPU's TLB is the mode's to
 * flush.
 */
void rvm_shadow_invlpg(struct rvm_vcpu *v, u64 gla)
{
	struct rvm_vm *vm = v->vm;
	u32 i;

	if (!READ_ONCE(vm->shadow->nr_unsync))
		return;
	write_lock(&vm->mmu_lock);
	for (i = 0; i < ARRAY_SIZE(v->shadow.trees); i++)
		shadow_invlpg(vm, &v->shadow.trees[i], gla);
	write_unlock(&vm->mmu_lock);
}

/* The guest flushed its TLB: what it has written to its tables holds from the next
 * rvm_shadow_load() on.  The vCPU's own thread. */
void rvm_shadow_flush(struct rvm_vcpu *v)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(v->shadow.trees); i++)
		v->shadow.trees[i].sync = true;
}

/* ---- for the notifier and the slots ------------------------------------------------ */

bool rvm_shadow_zap(struct rvm_vm *vm, u64 start, u64 end)
{
	bool flush = rmap_zap(vm, start, end) | vm->shadow->flush_owed;

	if (flush) {
		vm->stats.nested_zaps++;
		vm->shadow->flush_owed = false;
	}
	return flush;
}

/* No shadow entry maps the frame any more, and no TLB.  No lock held. */
void rvm_shadow_unmap(struct rvm_vm *vm, u64 gfn)
{
	LIST_HEAD(none);

	write_lock(&vm->mmu_lock);
	shadow_flush(vm, rmap_zap(vm, gfn, gfn + 1), &none);
	write_unlock(&vm->mmu_lock);
}

/* Shadow pages of [start, end) go: tables there are, and large pages. */
void rvm_shadow_prune(struct rvm_vm *vm, u64 start, u64 end)
{
	struct rvm_spage *sp, *next;
	LIST_HEAD(dead);

	write_lock(&vm->mmu_lock);
	list_for_each_entry_safe(sp, next, &vm->shadow->pages, link)
		if (sp->gfn >= start && sp->gfn < end)
			shadow_zap_page(vm, sp, &dead);
	shadow_flush(vm, false, &dead);
	write_unlock(&vm->mmu_lock);
	shadow_free_list(&dead);
}

/* The slots have changed.  slots_lock held. */
void rvm_shadow_limit(struct rvm_vm *vm, u64 npages)
{
	/*
	 * Marks of pages without memory have the low bits of the slots' number only.
	 * They all go twice while it comes round; a change may count for two.
	 */
	if (!(rvm_slots(vm)->generation & ((1ull << (SPTE_MMIO_GEN_BITS - 1)) - 2)))
		rvm_shadow_prune(vm, 0, ~0ull);
	WRITE_ONCE(vm->shadow->limit, max_t(u64, npages >> SHADOW_PAGES_SHIFT, SHADOW_PAGES_MIN));
}
