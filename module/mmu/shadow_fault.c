// SPDX-License-Identifier: GPL-2.0
/*
 * Shadow paging: a page fault of the guest's.
 *
 * The guest's tables are walked without a lock, the page is looked up in the
 * owner's address space, memory is allocated; then, under mmu_lock, the path is
 * laid in shadow pages from the root down.  At each step the guest's entry is
 * read once more, now that its table is in the cache: if it is not what the walk
 * saw, all is given up, and the guest faults again.
 *
 * Mostly the path is there and one entry at its end is missing.  That is done by
 * readers of mmu_lock, any number at a time; who finds more to do takes the lock
 * for writing and begins at the root again.
 */
#include "shadow.h"
#include "../mode.h"
#include "../trace.h"

#include <linux/uaccess.h>

/* One fault on its way. */
struct shadow_fault {
	u64 gla, gfn;
	u32 acc;
	bool write, user;
	struct rvm_walk_path path;
	int guest_level;		/* of the guest's page; above all others without paging */
	u8 rights;			/* of the guest's page */
	bool clean;			/* its D is clear: no write has been seen */
	int level;			/* of the leaf that is to be made */
	u64 pfn;
	bool writable;			/* as far as slot and owner are concerned */
	bool dirty_log;
	bool mmio;			/* no memory there */
	u64 view;			/* what is executed in the page's place, or 0 */
	struct rvm_memslot *slot;
};

/* shadow_map() for a reader of mmu_lock: more than a reader may do */
#define SHADOW_SLOW	1000

static u32 shadow_acc(const struct rvm_cpu *c, u32 error)
{
	u32 acc = error & RVM_PF_W ? RVM_ACC_WRITE : error & RVM_PF_I ? RVM_ACC_FETCH :
		RVM_ACC_READ;

	/* A descriptor table, a TSS */
	if (c->cpl == 3 && !(error & RVM_PF_U))
		acc |= RVM_ACC_IMPLICIT;
	return acc;
}

/*
 * The guest's entry as it is now, with mmu_lock held: nothing may sleep.  False:
 * it cannot be read at the moment, or not at all.
 */
static bool shadow_read_entry(struct rvm_vm *vm, u64 gpa, bool wide, u64 *pte)
{
	struct rvm_memslot *slot = rvm_gfn_to_slot(rvm_slots(vm), gpa >> PAGE_SHIFT);
	void __user *user;
	u32 narrow = 0;
	int err;

	if (!slot)
		return false;
	user = (void __user *)(rvm_slot_hva(slot, gpa >> PAGE_SHIFT) + offset_in_page(gpa));
	pagefault_disable();
	if (wide) {
		err = get_user(*pte, (u64 __user *)user);
	} else {
		err = get_user(narrow, (u32 __user *)user);
		*pte = narrow;
	}
	pagefault_enable();
	return !err;
}

/* A table in read-only memory: the walk's accessed and dirty bits went nowhere. */
static bool shadow_same_rom(struct rvm_vm *vm, const struct rvm_walk_step *step, u64 pte)
{
	struct rvm_memslot *slot = rvm_gfn_to_slot(rvm_slots(vm), step->gpa >> PAGE_SHIFT);

	return slot && (slot->flags & KVM_MEM_READONLY) &&
		!((pte ^ step->pte) & ~(RVM_PTE_A | RVM_PTE_D));
}

/* Is a table, or something else that is watched, in the 2 MiB around? */
static bool shadow_tracked_in_2m(struct rvm_vm *vm, u64 gfn)
{
	unsigned long i = gfn & ~511ull;

	return xa_find(&vm->shadow->track, &i, i + 511, XA_PRESENT);
}

/* The table below the entry at @level, which the walk has met. */
static void shadow_child(const struct shadow_fault *f, const struct rvm_spage *sp, int level,
			 u64 *gfn, union rvm_role *role)
{
	const struct rvm_walk_step *step = &f->path.step[level - 1];
	struct rvm_pte_format fmt = shadow_format(sp->role);

	*role = sp->role;
	role->level = level - 1;
	role->quadrant = 0;
	if (level > f->guest_level) {
		*gfn = rvm_pte_target(&fmt, step->pte, level, false) >> PAGE_SHIFT;
		role->rights = step->rights;
		if (!role->wide)
			role->quadrant = f->gla >> 21 & 1;
		return;
	}
	/* A part of a large page.  Until it has been written to, none of it is writable. */
	*gfn = f->gfn & ~(SHADOW_LEVEL_PAGES(level) - 1);
	*role = (union rvm_role) {
		.level = level - 1, .direct = 1, .wp = sp->role.wp, .smep = sp->role.smep,
		.smap = sp->role.smap, .views = sp->role.views,
		.rights = f->rights & ~(f->clean ? RVM_RIGHT_W : 0),
	};
}

/* Of a page without memory.  Guest-physical addresses are of no use here. */
static u64 shadow_mmio_leaf(struct rvm_vm *vm, u8 rights)
{
	u64 gen = rvm_slots(vm)->generation & ((1ull << SPTE_MMIO_GEN_BITS) - 1);

	return SPTE_MMIO | (u64)rights << SPTE_MMIO_RIGHTS | (gen & SPTE_MMIO_GEN_LOW) << 4 |
		(gen & ~SPTE_MMIO_GEN_LOW) << (52 - 8);
}

/* The entry for the page; 0: the access has to be interpreted. */
static u64 shadow_leaf(struct rvm_vm *vm, const struct shadow_fault *f, union rvm_role role)
{
	u64 pte = f->pfn << PAGE_SHIFT | SPTE_P | SPTE_A;
	u8 rights = f->rights;

	/* In ring 1 CR4 has neither for the guest's pages. */
	if (role.views && (rights & RVM_RIGHT_U) && (f->view ? role.smep : role.smap))
		return 0;
	/* To be executed, not read nor written: mode/ring1/view.c. */
	if (f->view)
		return f->view | SPTE_P | SPTE_A | SPTE_U;
	if (f->write && !(rights & RVM_RIGHT_W)) {
		/*
		 * The walk has allowed it: CR0.WP is clear (SDM vol. 3 §4.6.1).  The
		 * hardware's never is.  So the kernel gets the page to itself, until
		 * user code comes along and gets it back.  As a supervisor page it
		 * could be executed in spite of SMEP, and be accessed in spite of SMAP.
		 */
		if ((rights & RVM_RIGHT_U) && role.smap)
			return 0;
		if ((rights & RVM_RIGHT_U) && role.smep)
			rights &= ~RVM_RIGHT_X;
		rights = (rights & ~RVM_RIGHT_U) | RVM_RIGHT_W;
	} else if (f->clean) {
		rights &= ~RVM_RIGHT_W;
	}
	/* Where views are executed, no other page is, and none has SMAP in its way. */
	if (role.views)
		rights &= ~(RVM_RIGHT_U | RVM_RIGHT_X);
	if (rights & RVM_RIGHT_U)
		pte |= SPTE_U;
	if (!(rights & RVM_RIGHT_X))
		pte |= SPTE_NX;
	if ((rights & RVM_RIGHT_W) && f->writable && !rvm_gfn_tracked(vm, f->gfn))
		pte |= SPTE_W;
	if (f->write) {
		if (!(pte & SPTE_W))
			return 0;
		pte |= SPTE_D;
	}
	if (f->level > 1)
		pte |= SPTE_PS;
	return pte;
}

/*
 * A leaf where none is.  mmu_lock held, if only for reading: then somebody else may
 * be faster.  False: not done; there may be no memory.
 */
static bool shadow_set_leaf(struct rvm_vcpu *v, struct rvm_spage *sp, u32 i, u64 old, u64 new,
			    u64 gfn)
{
	struct rvm_shadow *sh = v->vm->shadow;
	int level = sp->role.level;
	spinlock_t *lock = rmap_lock(sh, gfn);
	u64 *pte = &sp->table[i];
	bool done = false;

	spin_lock(lock);
	if (rmap_count(sh, gfn, level) < PTES_MAX &&
	    rmap_add(sh, gfn, level, pte, &v->shadow.spare_descs)) {
		done = cmpxchg(pte, old, new) == old;
		if (!done)
			rmap_remove(sh, gfn, level, pte);
		else if (sp->gfns)
			sp->gfns[i] = gfn;
	}
	spin_unlock(lock);
	if (done)
		atomic64_inc((atomic64_t *)(level == 1 ? &v->vm->stats.pages_4k :
					    &v->vm->stats.pages_2m));
	return done;
}

/*
 * The entries around the one just filled in, where the guest's have their accessed
 * bit: they will be wanted next, and nothing in the guest's tables has to change.
 * What would take long is left out.  mmu_lock held, if only for reading.
 */
static void shadow_prefetch(struct rvm_vcpu *v, const struct shadow_fault *f, struct rvm_spage *sp)
{
	struct rvm_pte_format fmt = shadow_format(sp->role);
	u32 first = shadow_index(f->gla, 1) & ~(SHADOW_PREFETCH - 1), i;
	u64 table = f->path.step[0].gpa & PAGE_MASK;
	struct rvm_vm *vm = v->vm;

	if (!sp->role.wide)
		table += sp->role.quadrant * PAGE_SIZE / 2;
	for (i = first; i < first + SHADOW_PREFETCH; i++) {
		u64 guest, pte, gfn;
		struct rvm_memslot *slot;
		struct page *page;
		bool writable;
		u8 rights;

		if (READ_ONCE(sp->table[i]) || v->shadow.spare_descs.n < 2)
			continue;
		if (!shadow_read_entry(vm, table + i * (fmt.wide ? 8 : 4), fmt.wide, &guest))
			return;
		if (!(guest & RVM_PTE_P) || !(guest & RVM_PTE_A) ||
		    rvm_pte_rsvd(&fmt, guest, 1, true))
			continue;
		gfn = rvm_pte_target(&fmt, guest, 1, true) >> PAGE_SHIFT;
		slot = rvm_gfn_to_slot(rvm_slots(vm), gfn);
		if (!slot || (slot->flags & KVM_MEM_LOG_DIRTY_PAGES) ||
		    rvm_notifier_retry(vm, vm->mn_seq, rvm_slot_hva(slot, gfn)))
			continue;
		rights = sp->role.rights & rvm_pte_rights(guest);
		if (sp->role.views) {
			if ((rights & RVM_RIGHT_U) && sp->role.smap)
				continue;
			rights &= ~(RVM_RIGHT_U | RVM_RIGHT_X);
		}
		writable = (rights & RVM_RIGHT_W) && (guest & RVM_PTE_D) &&
			!(slot->flags & KVM_MEM_READONLY) && !rvm_gfn_tracked(vm, gfn);
		/* never sleeps */
		if (!get_user_page_fast_only(rvm_slot_hva(slot, gfn), writable ? FOLL_WRITE : 0,
					     &page))
			continue;
		pte = page_to_phys(page) | SPTE_P | SPTE_A;
		if (writable)
			pte |= SPTE_W;
		if (rights & RVM_RIGHT_U)
			pte |= SPTE_U;
		if (!(rights & RVM_RIGHT_X))
			pte |= SPTE_NX;
		if (shadow_set_leaf(v, sp, i, 0, pte, gfn))
			v->stats.shadow_prefetched++;
		put_page(page);
	}
}

/*
 * Views know what is executed at the next page.  Of two that come at once, each looks
 * after it has set its own entry.
 */
static void shadow_tell_beside(struct rvm_vm *vm, struct rvm_spage *sp, u32 i, u64 gfn)
{
	u64 pte;

	smp_mb();	/* the entry before its neighbours */
	if (i) {
		pte = READ_ONCE(sp->table[i - 1]);
		if ((pte & SPTE_P) && (pte & SPTE_U))
			vm->views_beside(vm, spte_gfn(sp, i - 1), gfn);
	}
	if (i == 511) {
		vm->views_beside(vm, gfn, ~0ull);
	} else {
		pte = READ_ONCE(sp->table[i + 1]);
		if ((pte & SPTE_P) && (pte & SPTE_U))
			vm->views_beside(vm, gfn, spte_gfn(sp, i + 1));
	}
}

/*
 * The end of the path.  mmu_lock held, for writing if @excl.  RVM_SPF_FIXED (also: try
 * again), RVM_SPF_EMULATE, SHADOW_SLOW.
 */
static int shadow_install(struct rvm_vcpu *v, const struct shadow_fault *f, struct rvm_spage *sp,
			  bool excl, bool *flush)
{
	struct rvm_vm *vm = v->vm;
	u32 i = shadow_index(f->gla, f->level);
	u64 *pte = &sp->table[i], old = READ_ONCE(*pte), new, gfn;

	if (f->mmio) {
		if ((old & SPTE_P) && !excl)
			return SHADOW_SLOW;
		if (old & SPTE_P)
			*flush |= shadow_drop_entry(vm, sp, i);
		new = shadow_mmio_leaf(vm, f->clean ? f->rights & ~RVM_RIGHT_W : f->rights);
		cmpxchg(pte, old & SPTE_P ? 0 : old, new);
		return RVM_SPF_EMULATE;
	}
	gfn = f->gfn & ~(SHADOW_LEVEL_PAGES(f->level) - 1);
	if (f->write && rvm_gfn_tracked(vm, f->gfn)) {
		if (!excl)
			return SHADOW_SLOW;
		if (!shadow_try_unsync(vm, f->gfn))
			return RVM_SPF_EMULATE;
	}
	new = shadow_leaf(vm, f, sp->role);
	if (!new)
		return RVM_SPF_EMULATE;

	if ((old & SPTE_P) && spte_is_leaf(old, f->level) &&
	    (old & SPTE_ADDR) == (new & SPTE_ADDR) && spte_gfn(sp, i) == gfn) {
		/* The same page with other rights.  A TLB's copy with fewer faults again. */
		bool less = (old & ~new & (SPTE_W | SPTE_U)) || (~old & new & SPTE_NX);

		if (!excl) {
			if (less)
				return SHADOW_SLOW;
			cmpxchg(pte, old, new | (old & SPTE_D));
			return RVM_SPF_FIXED;
		}
		*flush |= less;
		old = xchg(pte, new | (old & SPTE_D));
		if ((old & SPTE_D) && !(new & SPTE_D))
			set_bit(6, (unsigned long *)pte);
		return RVM_SPF_FIXED;
	}
	if ((old & SPTE_P) && !excl)
		return SHADOW_SLOW;
	if (excl) {
		*flush |= shadow_drop_entry(vm, sp, i);
		old = 0;
		if (rmap_count(vm->shadow, gfn, f->level) >= PTES_MAX)
			*flush |= rmap_zap(vm, gfn, gfn + 1);
	}
	if (!shadow_set_leaf(v, sp, i, old, new, gfn))
		return excl ? RVM_SPF_FIXED : SHADOW_SLOW;
	if (f->view)
		shadow_tell_beside(vm, sp, i, gfn);
	if (f->level == 1 && f->guest_level == 1)
		shadow_prefetch(v, f, sp);
	return RVM_SPF_FIXED;
}

/* From the root to the leaf.  mmu_lock held; returns as shadow_install(). */
static int shadow_map(struct rvm_vcpu *v, const struct shadow_fault *f, bool excl,
		      struct list_head *dead, bool *flush)
{
	struct rvm_vm *vm = v->vm;
	struct rvm_spage *sp, *child;
	int level;

	if (!shadow_roots_current(v))
		return RVM_SPF_FIXED;
	if (excl)
		shadow_make_room(vm, SHADOW_MAX_LEVELS, dead);
	sp = shadow_root(rvm_shadow_tree(v), f->gla);
	if (!sp)
		return RVM_SPF_FIXED;

	for (level = sp->role.level;; level--) {
		union rvm_role role;
		u64 pte, gfn, *link;

		WRITE_ONCE(sp->writes, 0);
		if (level >= f->guest_level) {
			const struct rvm_walk_step *step = &f->path.step[level - 1];

			if (*flush) {
				/* A CPU could still have written to the table. */
				shadow_flush(vm, true, dead);
				*flush = false;
			}
			if (!shadow_read_entry(vm, step->gpa, sp->role.wide, &pte) ||
			    (pte != step->pte && !shadow_same_rom(vm, step, pte)))
				return RVM_SPF_FIXED;
		}
		if (level == f->level)
			break;
		shadow_child(f, sp, level, &gfn, &role);
		link = &sp->table[shadow_index(f->gla, level)];
		pte = READ_ONCE(*link);
		if ((pte & SPTE_P) && !spte_is_leaf(pte, level)) {
			child = spte_page(__va(pte & SPTE_ADDR));
			if (child->gfn == gfn && child->role.word == role.word) {
				sp = child;
				continue;
			}
		}
		if (!excl)
			return SHADOW_SLOW;
		child = shadow_get_page(v, gfn, role, dead, flush);
		if (!child)
			return -ENOMEM;
		shadow_link(v, link, child, flush);
		sp = child;
	}
	/* One of the tables on the way here may lie in it. */
	if (f->level == 2 && shadow_tracked_in_2m(vm, f->gfn))
		return RVM_SPF_FIXED;
	return shadow_install(v, f, sp, excl, flush);
}

/* Which frame, which rights; the owner's page, with a reference. */
static struct page *shadow_find_page(struct rvm_vcpu *v, struct shadow_fault *f)
{
	struct rvm_vm *vm = v->vm;
	unsigned long hva = rvm_slot_hva(f->slot, f->gfn);
	struct page *page;

	f->writable = !(f->slot->flags & KVM_MEM_READONLY);
	f->dirty_log = f->slot->flags & KVM_MEM_LOG_DIRTY_PAGES;
	page = rvm_get_page(hva, f->write, &f->writable);
	if (IS_ERR(page))
		return page;
	f->pfn = page_to_pfn(page);
	if (f->dirty_log && !f->write)
		f->writable = false;	/* the first write must be seen */
	f->level = 1;
	if (f->guest_level >= 2 && !f->view && rvm_slot_fits_2m(f->slot, f->gfn) &&
	    !shadow_tracked_in_2m(vm, f->gfn) && rvm_host_level(vm->mm, hva) == 2) {
		f->level = 2;
		f->pfn &= ~511ull;
	}
	return page;
}

/* With all that was wanted from outside at hand: lay the path. */
static int shadow_map_locked(struct rvm_vcpu *v, const struct shadow_fault *f, unsigned long seq,
			     unsigned long hva)
{
	struct rvm_vm *vm = v->vm;
	bool flush = false;
	LIST_HEAD(dead);
	int r = RVM_SPF_FIXED;

	read_lock(&vm->mmu_lock);
	/* If it must not be mapped now, the guest faults again and finds the new page. */
	if (f->mmio || !rvm_notifier_retry(vm, seq, hva)) {
		r = shadow_map(v, f, false, &dead, &flush);
		if (r == RVM_SPF_FIXED && f->dirty_log && f->write)
			rvm_mark_dirty(f->slot, f->gfn);
	}
	read_unlock(&vm->mmu_lock);
	if (r != SHADOW_SLOW)
		return r;

	write_lock(&vm->mmu_lock);
	v->stats.shadow_slow++;
	if (!f->mmio && rvm_notifier_retry(vm, seq, hva)) {
		vm->stats.nested_retries++;
		r = RVM_SPF_FIXED;
	} else {
		r = shadow_map(v, f, true, &dead, &flush);
		if (r == RVM_SPF_FIXED && f->dirty_log && f->write)
			rvm_mark_dirty(f->slot, f->gfn);
	}
	shadow_flush(vm, flush, &dead);
	write_unlock(&vm->mmu_lock);
	shadow_free_list(&dead);
	return r;
}

/* The walk has found a page, in @f->slot or without memory: map it. */
static int shadow_map_page(struct rvm_vcpu *v, struct shadow_fault *f)
{
	struct rvm_vm *vm = v->vm;
	struct rvm_shadow *sh = vm->shadow;
	unsigned long seq, hva;
	struct page *page;
	int i, r;

	r = shadow_fill_spares(v);
	if (r)
		return r;
	for (i = f->path.top; i > f->path.level; i--)
		if (!shadow_track_reserve(sh, f->path.step[i - 2].gpa >> PAGE_SHIFT))
			return -ENOMEM;
	if (f->mmio) {
		f->level = 1;
		return shadow_map_locked(v, f, 0, 0);
	}

	hva = rvm_slot_hva(f->slot, f->gfn);
	seq = READ_ONCE(vm->mn_seq);
	smp_rmb();	/* mn_seq before the owner's tables; rvm_notifier_retry() */
	page = shadow_find_page(v, f);
	if (IS_ERR(page))
		return PTR_ERR(page) == -EHWPOISON ? -EHWPOISON : -EFAULT;
	if (!rmap_reserve(sh, f->gfn, f->level)) {
		put_page(page);
		return -ENOMEM;
	}
	r = shadow_map_locked(v, f, seq, hva);
	rmap_release(sh, f->gfn, f->level);
	put_page(page);
	return r;
}

/**
 * rvm_shadow_peek - what the vCPU's tree has for an address at this moment
 * @v: the vCPU, in its own thread
 * @gla: canonical
 *
 * The entry that the CPU's walk ends with: a leaf, or one that is not present.
 */
u64 rvm_shadow_peek(struct rvm_vcpu *v, u64 gla)
{
	struct rvm_vm *vm = v->vm;
	struct rvm_spage *sp;
	u64 pte = 0;

	read_lock(&vm->mmu_lock);
	sp = shadow_roots_current(v) ? shadow_root(rvm_shadow_tree(v), gla) : NULL;
	for (; sp; sp = spte_page(__va(pte & SPTE_ADDR))) {
		pte = READ_ONCE(sp->table[shadow_index(gla, sp->role.level)]);
		if (!(pte & SPTE_P) || spte_is_leaf(pte, sp->role.level))
			break;
	}
	read_unlock(&vm->mmu_lock);
	return pte;
}

/*
 * Has the address been found to have no memory behind it, with rights that allow the
 * access?  No walk is needed then.
 */
static bool shadow_is_mmio(struct rvm_vcpu *v, u64 gla, u32 acc, u32 error)
{
	u64 pte;
	u8 rights;

	if ((error & RVM_PF_P) || (acc & (RVM_ACC_FETCH | RVM_ACC_IMPLICIT)))
		return false;
	pte = rvm_shadow_peek(v, gla);
	if (!pte || (pte & SPTE_P))
		return false;
	rights = pte >> SPTE_MMIO_RIGHTS & (RVM_RIGHT_W | RVM_RIGHT_U | RVM_RIGHT_X);
	if (pte != shadow_mmio_leaf(v->vm, rights) || ((acc & RVM_ACC_WRITE) && !(rights & RVM_RIGHT_W)))
		return false;
	if (v->cpu.cpl == 3)
		return rights & RVM_RIGHT_U;
	return !(rights & RVM_RIGHT_U) || !(v->cpu.cr4 & RVM_CR4_SMAP);
}

/**
 * rvm_shadow_fault - a page fault in the guest
 * @v: the vCPU, loaded, in its own thread; a tree from rvm_shadow_load()
 * @gla: the address, canonical
 * @error: the CPU's error code, RVM_PF_*
 * @fault: filled for RVM_SPF_GUEST
 *
 * Sets accessed and dirty bits in the guest's tables as the CPU does (SDM vol. 3
 * §4.8).  May sleep.  enum rvm_shadow_result, or -ENOMEM, -EFAULT (the slot's host
 * address is not mapped), -EHWPOISON.
 */
int rvm_shadow_fault(struct rvm_vcpu *v, u64 gla, u32 error, struct rvm_fault *fault)
{
	struct shadow_fault f = { .gla = gla };
	struct rvm_vm *vm = v->vm;
	int idx, r;

	rvm_need(v, RVM_G_CR | (vm->code_view ? 0 : RVM_G_SEG));	/* where CPL is stale */
	f.acc = shadow_acc(&v->cpu, error);
	f.write = f.acc & RVM_ACC_WRITE;

	idx = srcu_read_lock(&vm->srcu);
	if (shadow_is_mmio(v, gla, f.acc, error)) {
		v->stats.shadow_mmio++;
		r = RVM_SPF_EMULATE;
		goto out;
	}
	r = rvm_walk_guest_path(v, gla, f.acc, &f.path, fault);
	if (r == RVM_INSN_FAULT) {
		r = RVM_SPF_GUEST;
		goto out;
	}
	if (r == RVM_INSN_RETRY) {
		r = RVM_SPF_FIXED;
		goto out;
	}
	if (r) {
		/* No memory where a table should be: the interpreter says so. */
		r = RVM_SPF_EMULATE;
		goto out;
	}
	f.gfn = f.path.gpa >> PAGE_SHIFT;
	f.guest_level = f.path.level ?: SHADOW_MAX_LEVELS + 1;
	f.rights = f.path.level ? f.path.step[f.path.level - 1].rights :
		RVM_RIGHT_W | RVM_RIGHT_U | RVM_RIGHT_X;
	f.clean = f.path.level && !(f.path.step[f.path.level - 1].pte & RVM_PTE_D);
	f.slot = rvm_gfn_to_slot(rvm_slots(vm), f.gfn);
	f.mmio = !f.slot;
	if (f.slot && f.write && (f.slot->flags & KVM_MEM_READONLY)) {
		r = RVM_SPF_EMULATE;
		goto out;
	}
	if ((f.acc & RVM_ACC_FETCH) && vm->code_view && v->cpu.cpl != 3) {
		f.view = vm->code_view(v, f.gfn);
		if (!f.view) {
			r = RVM_SPF_EMULATE;
			goto out;
		}
	}
	r = shadow_map_page(v, &f);
out:
	srcu_read_unlock(&vm->srcu, idx);
	if (r == RVM_SPF_FIXED)
		v->stats.shadow_fixed++;
	else if (r == RVM_SPF_GUEST)
		v->stats.shadow_guest++;
	else if (r == RVM_SPF_EMULATE)
		v->stats.shadow_emulate++;
	trace_rvm_shadow_fault(v, gla, error, r);
	return r;
}
