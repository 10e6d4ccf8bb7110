// SPDX-License-Identifier: GPL-2.0
/*
 * Nested page tables: guest-physical to host-physical, filled on demand.
 *
 * The tree has the depth of the host's own page tables: AMD-V walks it by the
 * host's CR4.LA57 (APM vol. 2 §15.25.3).  Entries are in the CPU's long-mode
 * format; every access of a guest counts as a user access there (§15.25.5).
 *
 * Pages are not pinned.  A page is looked up in the owner's address space,
 * mapped under mmu_lock if no invalidation touched it meanwhile, and dropped
 * when the mmu notifier says so (notifier.c).
 *
 * A translation that is dropped is flushed from every TLB before mmu_lock is
 * given up.  Otherwise a second thread that wants the same page gone would find
 * nothing to drop, flush nothing, and free the page while a guest still writes
 * to it.
 *
 * Tables that have become useless are not freed where a CPU may still walk
 * them: they wait on a list until every vCPU has flushed.
 */
#include "mmu.h"
#include "../mode.h"

#include <linux/sched/mm.h>
#include <linux/swap.h>

#define NPT_P		(1ull << 0)
#define NPT_W		(1ull << 1)
#define NPT_U		(1ull << 2)
#define NPT_A		(1ull << 5)
#define NPT_D		(1ull << 6)
#define NPT_PS		(1ull << 7)
#define NPT_ADDR	0x000ffffffffff000ull

#define NPT_LEVEL_PAGES(l)	(1ull << (9 * ((l) - 1)))	/* pages under one entry */
#define NPT_MAX_LEVELS		5

/**
 * struct rvm_nested - a VM's tree
 * @root: the top table
 * @levels: 4 or 5
 *
 * All entries change under vm->mmu_lock only, but for A and D, which the CPU
 * sets on its own.
 */
struct rvm_nested {
	u64 *root;
	int levels;
};

static u32 npt_index(u64 gfn, int level)
{
	return (gfn >> (9 * (level - 1))) & 511;
}

static u64 *npt_table(u64 entry)
{
	return __va(entry & NPT_ADDR);
}

static bool npt_is_leaf(u64 entry, int level)
{
	return level == 1 || (entry & NPT_PS);
}

/* ---- lifetime -------------------------------------------------------------- */

int rvm_nested_init(struct rvm_vm *vm)
{
	struct rvm_nested *n = kzalloc(sizeof(*n), GFP_KERNEL_ACCOUNT);

	if (!n)
		return -ENOMEM;
	n->root = (u64 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!n->root) {
		kfree(n);
		return -ENOMEM;
	}
	n->levels = pgtable_l5_enabled() ? 5 : 4;
	vm->nested = n;
	vm->stats.table_pages = 1;
	return 0;
}

static void npt_free_table(struct rvm_vm *vm, u64 *table, int level)
{
	int i;

	for (i = 0; level > 1 && i < 512; i++)
		if ((table[i] & NPT_P) && !npt_is_leaf(table[i], level))
			npt_free_table(vm, npt_table(table[i]), level - 1);
	free_page((unsigned long)table);
	vm->stats.table_pages--;
}

/* No vCPU is left and the notifier is gone.  Pages are the owner's: their
 * dirty state was passed on when the notifier dropped them. */
void rvm_nested_destroy(struct rvm_vm *vm)
{
	struct rvm_nested *n = vm->nested;

	if (!n)
		return;
	npt_free_table(vm, n->root, n->levels);
	kfree(n);
	vm->nested = NULL;
}

u64 rvm_nested_root_pa(struct rvm_vm *vm)
{
	return __pa(vm->nested->root);
}

/* ---- dropping -------------------------------------------------------------- */

static void npt_drop_leaf(struct rvm_vm *vm, u64 *ptep, int level)
{
	/* The CPU may be setting D at this moment: take the entry atomically. */
	u64 old = xchg(ptep, 0);

	if (level == 1)
		vm->stats.pages_4k--;
	else
		vm->stats.pages_2m--;
	/*
	 * What the guest wrote must not be lost: the host's own entry for the page
	 * may be clean, ours was the dirty one.
	 */
	if ((old & NPT_D) && pfn_valid((old & NPT_ADDR) >> PAGE_SHIFT))
		SetPageDirty(pfn_to_page((old & NPT_ADDR) >> PAGE_SHIFT));
}

enum npt_op { NPT_ZAP, NPT_WRPROTECT, NPT_TEST_YOUNG, NPT_CLEAR_YOUNG };

/* Apply @op to every leaf that overlaps [start, end).  True: something changed
 * (or, for the young operations, was accessed). */
static bool npt_range(struct rvm_vm *vm, u64 *table, int level, u64 base,
		      u64 start, u64 end, enum npt_op op)
{
	u64 size = NPT_LEVEL_PAGES(level);
	bool hit = false;
	u64 gfn, *ptep;
	int i;

	/* start and end may lie outside this table's own range */
	i = start > base ? npt_index(start, level) : 0;
	for (; i < 512; i++) {
		gfn = base + i * size;
		if (gfn >= end)
			break;
		ptep = &table[i];
		if (!(READ_ONCE(*ptep) & NPT_P))
			continue;
		if (!npt_is_leaf(*ptep, level)) {
			hit |= npt_range(vm, npt_table(*ptep), level - 1, gfn, start, end, op);
			continue;
		}
		switch (op) {
		case NPT_ZAP:
			npt_drop_leaf(vm, ptep, level);
			hit = true;
			break;
		case NPT_WRPROTECT:
			if (*ptep & NPT_W) {
				clear_bit(1, (unsigned long *)ptep);
				hit = true;
			}
			break;
		case NPT_TEST_YOUNG:
			hit |= !!(*ptep & NPT_A);
			break;
		case NPT_CLEAR_YOUNG:
			hit |= test_and_clear_bit(5, (unsigned long *)ptep);
			break;
		}
	}
	return hit;
}

static bool npt_walk_range(struct rvm_vm *vm, u64 start, u64 end, enum npt_op op)
{
	u64 max = NPT_LEVEL_PAGES(vm->nested->levels + 1);

	lockdep_assert_held_write(&vm->mmu_lock);
	if (start >= max)
		return false;
	return npt_range(vm, vm->nested->root, vm->nested->levels, 0, start,
			 min(end, max), op);
}

bool rvm_nested_zap(struct rvm_vm *vm, u64 start, u64 end)
{
	bool flush = npt_walk_range(vm, start, end, NPT_ZAP);

	if (flush)
		vm->stats.nested_zaps++;
	return flush;
}

bool rvm_nested_wrprotect_mask(struct rvm_vm *vm, u64 gfn, unsigned long mask)
{
	bool flush = false;

	while (mask) {
		u64 page = gfn + __ffs(mask);

		flush |= npt_walk_range(vm, page, page + 1, NPT_WRPROTECT);
		mask &= mask - 1;
	}
	return flush;
}

bool rvm_nested_young(struct rvm_vm *vm, u64 start, u64 end, bool clear)
{
	return npt_walk_range(vm, start, end, clear ? NPT_CLEAR_YOUNG : NPT_TEST_YOUNG);
}

/* Empty tables below @table, as far as [start, end) reaches, go to @dead. */
static void npt_prune(u64 *table, int level, u64 base, u64 start, u64 end,
		      struct list_head *dead)
{
	u64 size = NPT_LEVEL_PAGES(level), gfn;
	int i;

	if (level == 1)
		return;
	i = start > base ? npt_index(start, level) : 0;
	for (; i < 512; i++) {
		gfn = base + i * size;
		if (gfn >= end)
			break;
		if (!(table[i] & NPT_P) || npt_is_leaf(table[i], level))
			continue;
		npt_prune(npt_table(table[i]), level - 1, gfn, start, end, dead);
		if (!memchr_inv(npt_table(table[i]), 0, PAGE_SIZE)) {
			list_add(&virt_to_page(npt_table(table[i]))->lru, dead);
			table[i] = 0;
		}
	}
}

static void npt_free_list(struct rvm_vm *vm, struct list_head *dead)
{
	struct page *page, *next;

	list_for_each_entry_safe(page, next, dead, lru) {
		list_del(&page->lru);
		__free_page(page);
		vm->stats.table_pages--;
	}
}

/**
 * rvm_nested_prune - give back the tables that no page hangs on any more
 * @vm: the VM
 * @start: first frame of the range that was unmapped
 * @end: the frame after its last
 *
 * Called when a slot has gone, without locks but slots_lock: otherwise a
 * client could pile up tables by moving a slot about.
 */
void rvm_nested_prune(struct rvm_vm *vm, u64 start, u64 end)
{
	LIST_HEAD(dead);

	write_lock(&vm->mmu_lock);
	npt_prune(vm->nested->root, vm->nested->levels, 0, start, end, &dead);
	write_unlock(&vm->mmu_lock);
	if (list_empty(&dead))
		return;
	/* CPUs keep pointers to tables as well as to pages. */
	rvm_request_all(vm, RVM_REQ_TLB_FLUSH);
	npt_free_list(vm, &dead);
}

/* ---- mapping --------------------------------------------------------------- */

/*
 * How large a page the owner has at @hva: 2 if a present 2 MiB entry, else 1.
 * The owner's tables may change: only what mmu_lock and the notifier confirm
 * later counts.  Interrupts off keeps them from being freed meanwhile, as for
 * get_user_pages_fast().
 */
int rvm_host_level(struct mm_struct *mm, unsigned long hva)
{
	unsigned long flags;
	int level = 1;
	pgd_t pgd;
	p4d_t p4d;
	pud_t pud;
	pmd_t pmd;

	local_irq_save(flags);
	pgd = READ_ONCE(*pgd_offset(mm, hva));
	if (pgd_none(pgd))
		goto out;
	p4d = READ_ONCE(*p4d_offset(&pgd, hva));
	if (p4d_none(p4d) || !p4d_present(p4d))
		goto out;
	pud = READ_ONCE(*pud_offset(&p4d, hva));
	if (pud_none(pud) || !pud_present(pud))
		goto out;
	if (pud_leaf(pud)) {
		level = 2;	/* a 1 GiB page holds 2 MiB ones */
		goto out;
	}
	pmd = READ_ONCE(*pmd_offset(&pud, hva));
	if (!pmd_none(pmd) && pmd_present(pmd) && pmd_leaf(pmd))
		level = 2;
out:
	local_irq_restore(flags);
	return level;
}

/* May a 2 MiB page be used at @gfn in this slot at all? */
bool rvm_slot_fits_2m(const struct rvm_memslot *slot, u64 gfn)
{
	u64 first = gfn & ~511ull;

	if (slot->flags & KVM_MEM_LOG_DIRTY_PAGES)
		return false;
	if (first < slot->base_gfn || first + 512 > slot->base_gfn + slot->npages)
		return false;
	return !(((slot->hva >> PAGE_SHIFT) ^ slot->base_gfn) & 511);
}

/**
 * rvm_get_page - the owner's page at @hva, with a reference
 * @hva: address in the calling task, which is the owner
 * @write: the guest writes
 * @writable: in: the slot may be written; out: so may the page be mapped
 *
 * A read does not break the sharing of a copy-on-write or KSM page: it is
 * mapped read-only and looked up again when it is written.
 */
struct page *rvm_get_page(unsigned long hva, bool write, bool *writable)
{
	struct page *page;
	int r;

	if (*writable && get_user_page_fast_only(hva, FOLL_WRITE, &page))
		return page;
	r = get_user_pages_unlocked(hva, 1, &page, (write ? FOLL_WRITE : 0) | FOLL_HWPOISON);
	if (r != 1)
		return ERR_PTR(r < 0 ? r : -EFAULT);
	if (!write && *writable) {
		struct page *again;

		if (get_user_page_fast_only(hva, FOLL_WRITE, &again)) {
			put_page(page);
			return again;
		}
		*writable = false;
	}
	return page;
}

/* The tables that one mapping may need, allocated before the lock is taken. */
struct npt_spare {
	int n;
	u64 *page[NPT_MAX_LEVELS];
};

static int npt_spare_fill(struct npt_spare *s, int n)
{
	for (s->n = 0; s->n < n; s->n++) {
		s->page[s->n] = (u64 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
		if (!s->page[s->n])
			return -ENOMEM;
	}
	return 0;
}

static void npt_spare_free(struct npt_spare *s)
{
	while (s->n)
		free_page((unsigned long)s->page[--s->n]);
}

static u64 npt_leaf(u64 pfn, int level, bool writable, bool dirty)
{
	u64 entry = pfn << PAGE_SHIFT | NPT_P | NPT_U | NPT_A;

	if (writable)
		entry |= NPT_W;
	if (dirty)
		entry |= NPT_D;
	if (level > 1)
		entry |= NPT_PS;
	return entry;
}

/*
 * Map gfn (rounded down to the level) to pfn.  mmu_lock held.  False: there
 * were not enough spare tables; nothing changed that matters, try again.
 * *flush is set when a translation went away that a TLB may hold.
 */
static bool npt_map(struct rvm_vm *vm, u64 gfn, u64 pfn, int level, bool writable,
		    bool dirty, struct npt_spare *spare, struct list_head *dead, bool *flush)
{
	u64 *table = vm->nested->root, *ptep, entry, old;
	int l;

	for (l = vm->nested->levels; l > level; l--) {
		ptep = &table[npt_index(gfn, l)];
		if ((*ptep & NPT_P) && npt_is_leaf(*ptep, l)) {
			npt_drop_leaf(vm, ptep, l);	/* a 2 MiB page to be split */
			*flush = true;
		}
		if (!(*ptep & NPT_P)) {
			if (!spare->n)
				return false;
			entry = __pa(spare->page[--spare->n]) | NPT_P | NPT_W | NPT_U | NPT_A;
			WRITE_ONCE(*ptep, entry);
			vm->stats.table_pages++;
		}
		table = npt_table(*ptep);
	}

	ptep = &table[npt_index(gfn, level)];
	entry = npt_leaf(pfn, level, writable, dirty);
	old = *ptep;
	if ((old & NPT_P) && !npt_is_leaf(old, level)) {
		/* A table of 4 KiB pages gives way to the 2 MiB page. */
		npt_range(vm, npt_table(old), level - 1, 0, 0, NPT_LEVEL_PAGES(level), NPT_ZAP);
		WRITE_ONCE(*ptep, 0);
		list_add(&virt_to_page(npt_table(old))->lru, dead);
		*flush = true;
	} else if ((old & NPT_P) && (old & NPT_ADDR) == (entry & NPT_ADDR)) {
		/*
		 * The same page: rights are added, the TLB's copy may stay until it
		 * faults.  They are not taken away: another vCPU was faster, and a
		 * write it may do is in the dirty log already.  The CPU may be setting
		 * A and D meanwhile.
		 */
		if (writable)
			set_bit(1, (unsigned long *)ptep);
		return true;
	} else if (old & NPT_P) {
		npt_drop_leaf(vm, ptep, level);
		*flush = true;
	}
	WRITE_ONCE(*ptep, entry);
	if (level == 1)
		vm->stats.pages_4k++;
	else
		vm->stats.pages_2m++;
	return true;
}

int rvm_nested_fault(struct rvm_vcpu *v, u64 gpa, u32 error)
{
	struct rvm_vm *vm = v->vm;
	bool write = error & RVM_PF_W, writable, dirty_log, mapped, flush = false;
	u64 gfn = gpa >> PAGE_SHIFT, pfn;
	struct rvm_memslot *slot;
	struct npt_spare spare;
	struct page *page;
	unsigned long seq, hva;
	LIST_HEAD(dead);
	int idx, level = 1, r;

	idx = srcu_read_lock(&vm->srcu);
	slot = rvm_gfn_to_slot(rvm_slots(vm), gfn);
	if (!slot || (write && (slot->flags & KVM_MEM_READONLY))) {
		srcu_read_unlock(&vm->srcu, idx);
		return RVM_NPF_MMIO;
	}

	r = npt_spare_fill(&spare, vm->nested->levels - 1);
	if (r)
		goto out;

	hva = rvm_slot_hva(slot, gfn);
	writable = !(slot->flags & KVM_MEM_READONLY);
	dirty_log = slot->flags & KVM_MEM_LOG_DIRTY_PAGES;
	seq = READ_ONCE(vm->mn_seq);
	smp_rmb();	/* mn_seq before the owner's tables; rvm_notifier_retry() */

	page = rvm_get_page(hva, write, &writable);
	if (IS_ERR(page)) {
		r = PTR_ERR(page) == -EHWPOISON ? -EHWPOISON : -EFAULT;
		goto out;
	}
	pfn = page_to_pfn(page);
	if (dirty_log && !write)
		writable = false;	/* the first write must be seen */
	if (rvm_slot_fits_2m(slot, gfn))
		level = rvm_host_level(vm->mm, hva);
	if (level == 2)
		pfn &= ~511ull;

	write_lock(&vm->mmu_lock);
	if (rvm_notifier_retry(vm, seq, hva)) {
		vm->stats.nested_retries++;
		mapped = true;		/* the guest faults again and finds the new page */
	} else {
		mapped = npt_map(vm, gfn, pfn, level, writable, write, &spare, &dead, &flush);
		if (mapped && dirty_log && write)
			rvm_mark_dirty(slot, gfn);
		if (flush)
			rvm_request_all(vm, RVM_REQ_TLB_FLUSH);
	}
	write_unlock(&vm->mmu_lock);
	put_page(page);
	npt_free_list(vm, &dead);
	r = mapped ? RVM_NPF_FIXED : -ENOMEM;
out:
	npt_spare_free(&spare);
	srcu_read_unlock(&vm->srcu, idx);
	return r;
}
