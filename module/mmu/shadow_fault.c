// SPDX-License-Identifier: GPL-2.0
/*
 * Shadow paging: a page fault of the guest's.
 *
 * The guest's tables are walked without a lock, the page is looked up in the
 * owner's address space, memory is allocated; then, under mmu_lock, the path is
 * laid in shadow pages from the root down.  At each step the guest's entry is
 * read once more, now that its table is in the cache: if it is not what the walk
 * saw, all is given up, and the guest faults again.
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
	struct rvm_memslot *slot;
};

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
		.smap = sp->role.smap, .rights = f->rights & ~(f->clean ? RVM_RIGHT_W : 0),
	};
}

/* The entry for the page; 0: the access has to be interpreted. */
static u64 shadow_leaf(struct rvm_vm *vm, const struct shadow_fault *f, union rvm_role role)
{
	u64 pte = f->pfn << PAGE_SHIFT | SPTE_P | SPTE_A;
	u8 rights = f->rights;

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

/* mmu_lock held.  RVM_SPF_FIXED (also: try again), RVM_SPF_EMULATE. */
static int shadow_install(struct rvm_vcpu *v, const struct shadow_fault *f, struct rvm_spage *sp,
			  bool *flush)
{
	struct rvm_shadow *sh = v->vm->shadow;
	u32 i = shadow_index(f->gla, f->level);
	u64 *pte = &sp->table[i], old = *pte, new, gfn;

	gfn = f->gfn & ~(SHADOW_LEVEL_PAGES(f->level) - 1);
	new = shadow_leaf(v->vm, f, sp->role);
	if (!new)
		return RVM_SPF_EMULATE;

	if ((old & SPTE_P) && spte_is_leaf(old, f->level) &&
	    (old & SPTE_ADDR) == (new & SPTE_ADDR) && spte_gfn(sp, i) == gfn) {
		/* The same page with other rights.  A TLB's copy with fewer faults again. */
		if ((old & ~new & (SPTE_W | SPTE_U)) || (~old & new & SPTE_NX))
			*flush = true;
		old = xchg(pte, new | (old & SPTE_D));
		if ((old & SPTE_D) && !(new & SPTE_D))
			set_bit(6, (unsigned long *)pte);
		return RVM_SPF_FIXED;
	}
	*flush |= shadow_drop_entry(v->vm, sp, i);
	if (ptes_count((unsigned long)xa_load(&sh->rmap[f->level - 1],
					      gfn >> (9 * (f->level - 1)))) >= PTES_MAX)
		*flush |= rmap_zap(v->vm, gfn, gfn + 1);
	if (!rmap_add(sh, gfn, f->level, pte, &v->shadow.spare_descs))
		return RVM_SPF_FIXED;
	if (sp->gfns)
		sp->gfns[i] = gfn;
	WRITE_ONCE(*pte, new);
	if (f->level == 1)
		v->vm->stats.pages_4k++;
	else
		v->vm->stats.pages_2m++;
	return RVM_SPF_FIXED;
}

/* From the root to the leaf.  mmu_lock held; returns as shadow_install(). */
static int shadow_map(struct rvm_vcpu *v, const struct shadow_fault *f, struct list_head *dead,
		      bool *flush)
{
	struct rvm_vcpu_shadow *s = &v->shadow;
	struct rvm_vm *vm = v->vm;
	struct rvm_spage *sp, *child;
	int level;

	if (!shadow_roots_current(v))
		return RVM_SPF_FIXED;
	shadow_make_room(vm, SHADOW_MAX_LEVELS, dead);
	sp = s->root[s->levels == 3 ? f->gla >> 30 & 3 : 0];
	if (!sp)
		return RVM_SPF_FIXED;

	for (level = sp->role.level;; level--) {
		union rvm_role role;
		u64 pte, gfn;

		sp->writes = 0;
		if (level >= f->guest_level) {
			const struct rvm_walk_step *step = &f->path.step[level - 1];

			if (*flush) {
				/* A CPU could still have written to the table. */
				shadow_flush(vm, true, dead);
				*flush = false;
			}
			if (!shadow_read_entry(vm, step->gpa, sp->role.wide, &pte) ||
			    pte != step->pte)
				return RVM_SPF_FIXED;
		}
		if (level == f->level)
			break;
		shadow_child(f, sp, level, &gfn, &role);
		child = shadow_get_page(v, gfn, role, flush);
		if (!child)
			return -ENOMEM;
		shadow_link(v, &sp->table[shadow_index(f->gla, level)], child, flush);
		sp = child;
	}
	/* One of the tables on the way here may lie in it. */
	if (f->level == 2 && shadow_tracked_in_2m(vm, f->gfn))
		return RVM_SPF_FIXED;
	return shadow_install(v, f, sp, flush);
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
	if (f->guest_level >= 2 && rvm_slot_fits_2m(f->slot, f->gfn) &&
	    !shadow_tracked_in_2m(vm, f->gfn) && rvm_host_level(vm->mm, hva) == 2) {
		f->level = 2;
		f->pfn &= ~511ull;
	}
	return page;
}

/* The walk has found a page in @f->slot: map it. */
static int shadow_map_page(struct rvm_vcpu *v, struct shadow_fault *f)
{
	struct rvm_vm *vm = v->vm;
	struct rvm_shadow *sh = vm->shadow;
	unsigned long seq, hva = rvm_slot_hva(f->slot, f->gfn);
	bool flush = false;
	struct page *page;
	LIST_HEAD(dead);
	int i, r;

	r = shadow_fill_spares(v);
	if (r)
		return r;
	for (i = f->path.top; i > f->path.level; i--)
		if (!shadow_track_reserve(sh, f->path.step[i - 2].gpa >> PAGE_SHIFT))
			return -ENOMEM;

	seq = READ_ONCE(vm->mn_seq);
	smp_rmb();	/* mn_seq before the owner's tables; rvm_notifier_retry() */
	page = shadow_find_page(v, f);
	if (IS_ERR(page))
		return PTR_ERR(page) == -EHWPOISON ? -EHWPOISON : -EFAULT;
	if (!rmap_reserve(sh, f->gfn, f->level)) {
		put_page(page);
		return -ENOMEM;
	}

	spin_lock(&vm->mmu_lock);
	if (rvm_notifier_retry(vm, seq, hva)) {
		vm->stats.nested_retries++;
		r = RVM_SPF_FIXED;	/* the guest faults again and finds the new page */
	} else {
		r = shadow_map(v, f, &dead, &flush);
		if (r == RVM_SPF_FIXED && f->dirty_log && f->write)
			rvm_mark_dirty(f->slot, f->gfn);
	}
	shadow_flush(vm, flush, &dead);
	spin_unlock(&vm->mmu_lock);
	rmap_release(sh, f->gfn, f->level);
	put_page(page);
	shadow_free_list(&dead);
	return r;
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

	rvm_need(v, RVM_G_CR | RVM_G_SEG);
	f.acc = shadow_acc(&v->cpu, error);
	f.write = f.acc & RVM_ACC_WRITE;

	idx = srcu_read_lock(&vm->srcu);
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
	if (!f.slot || (f.write && (f.slot->flags & KVM_MEM_READONLY))) {
		r = RVM_SPF_EMULATE;
		goto out;
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
