// SPDX-License-Identifier: GPL-2.0
/*
 * Host memory that moves or goes away: the mmu notifier.
 *
 * Guest pages are not pinned.  Before the kernel changes or frees what backs
 * an address of the owner, it announces the range here; what maps it is
 * dropped and every vCPU flushed before the announcement returns.  Between
 * start and end of an announcement nothing of the range may be mapped anew:
 *
 *     fault                              notifier
 *     read mn_seq                        start: mn_count++, drop, flush
 *     look the page up                   ...the kernel changes its tables...
 *     mmu_lock                           end: mn_seq++, mn_count--
 *     mn_count != 0 in range, or
 *     mn_seq moved: do not map
 */
#include "mmu.h"
#include "../mode.h"

/* Call fn on every stretch of guest frames behind [start, end) of the owner. */
static bool rvm_for_hva_range(struct rvm_vm *vm, unsigned long start, unsigned long end,
			      bool (*fn)(struct rvm_vm *vm, u64 first, u64 last, void *arg),
			      void *arg)
{
	struct rvm_memslots *slots = rvm_slots(vm);
	bool hit = false;
	u32 i;

	for (i = 0; i < slots->count; i++) {
		struct rvm_memslot *s = &slots->slot[i];
		unsigned long slot_end = s->hva + (s->npages << PAGE_SHIFT);
		unsigned long a = max(start, s->hva), b = min(end, slot_end);

		if (a >= b)
			continue;
		hit |= fn(vm, s->base_gfn + ((a - s->hva) >> PAGE_SHIFT),
			  s->base_gfn + ((b - s->hva + PAGE_SIZE - 1) >> PAGE_SHIFT), arg);
	}
	return hit;
}

static bool rvm_mn_zap(struct rvm_vm *vm, u64 first, u64 last, void *arg)
{
	return rvm_mmu_zap(vm, first, last);
}

static bool rvm_mn_young(struct rvm_vm *vm, u64 first, u64 last, void *arg)
{
	return rvm_mmu_young(vm, first, last, *(bool *)arg);
}

static struct rvm_vm *mn_to_vm(struct mmu_notifier *mn)
{
	return container_of(mn, struct rvm_vm, mn);
}

static int rvm_mn_start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct rvm_vm *vm = mn_to_vm(mn);
	int idx;

	idx = srcu_read_lock(&vm->srcu);
	write_lock(&vm->mmu_lock);
	vm->stats.notifier_invalidations++;
	if (!vm->mn_count++) {
		vm->mn_start = range->start;
		vm->mn_end = range->end;
	} else {
		vm->mn_start = min(vm->mn_start, range->start);
		vm->mn_end = max(vm->mn_end, range->end);
	}
	if (rvm_for_hva_range(vm, range->start, range->end, rvm_mn_zap, NULL))
		rvm_request_all(vm, RVM_REQ_TLB_FLUSH);
	write_unlock(&vm->mmu_lock);
	srcu_read_unlock(&vm->srcu, idx);
	return 0;
}

static void rvm_mn_end(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct rvm_vm *vm = mn_to_vm(mn);

	write_lock(&vm->mmu_lock);
	vm->mn_seq++;
	/* A fault that sees the count gone must see the new sequence number. */
	smp_wmb();
	vm->mn_count--;
	write_unlock(&vm->mmu_lock);
}

bool rvm_notifier_retry(struct rvm_vm *vm, unsigned long seq, unsigned long hva)
{
	lockdep_assert_held(&vm->mmu_lock);
	/* A 2 MiB page around hva counts as a whole. */
	if (vm->mn_count && (hva | ~PMD_MASK) >= vm->mn_start && (hva & PMD_MASK) < vm->mn_end)
		return true;
	return vm->mn_seq != seq;
}

static int rvm_mn_age(struct mmu_notifier *mn, unsigned long start, unsigned long end,
		      bool clear, bool flush)
{
	struct rvm_vm *vm = mn_to_vm(mn);
	bool young;
	int idx;

	idx = srcu_read_lock(&vm->srcu);
	write_lock(&vm->mmu_lock);
	young = rvm_for_hva_range(vm, start, end, rvm_mn_young, &clear);
	write_unlock(&vm->mmu_lock);
	if (young && flush)
		rvm_request_all(vm, RVM_REQ_TLB_FLUSH);
	srcu_read_unlock(&vm->srcu, idx);
	return young;
}

static int rvm_mn_clear_flush_young(struct mmu_notifier *mn, struct mm_struct *mm,
				    unsigned long start, unsigned long end)
{
	return rvm_mn_age(mn, start, end, true, true);
}

static int rvm_mn_clear_young(struct mmu_notifier *mn, struct mm_struct *mm,
			      unsigned long start, unsigned long end)
{
	return rvm_mn_age(mn, start, end, true, false);
}

static int rvm_mn_test_young(struct mmu_notifier *mn, struct mm_struct *mm,
			     unsigned long addr)
{
	return rvm_mn_age(mn, addr, addr + 1, false, false);
}

/* The owner exits: its pages go back before its tables do. */
static void rvm_mn_release(struct mmu_notifier *mn, struct mm_struct *mm)
{
	struct rvm_vm *vm = mn_to_vm(mn);
	int idx;

	idx = srcu_read_lock(&vm->srcu);
	write_lock(&vm->mmu_lock);
	if (rvm_mmu_zap(vm, 0, ~0ull))
		rvm_request_all(vm, RVM_REQ_TLB_FLUSH);
	write_unlock(&vm->mmu_lock);
	rvm_request_all(vm, RVM_REQ_VM_DEAD);
	srcu_read_unlock(&vm->srcu, idx);
}

static const struct mmu_notifier_ops rvm_mn_ops = {
	.release		= rvm_mn_release,
	.invalidate_range_start	= rvm_mn_start,
	.invalidate_range_end	= rvm_mn_end,
	.clear_flush_young	= rvm_mn_clear_flush_young,
	.clear_young		= rvm_mn_clear_young,
	.test_young		= rvm_mn_test_young,
};

/* vm->mm is the caller's. */
int rvm_notifier_init(struct rvm_vm *vm)
{
	vm->mn.ops = &rvm_mn_ops;
	return mmu_notifier_register(&vm->mn, vm->mm);
}

/* Afterwards no callback runs any more. */
void rvm_notifier_destroy(struct rvm_vm *vm)
{
	mmu_notifier_unregister(&vm->mn, vm->mm);
}
