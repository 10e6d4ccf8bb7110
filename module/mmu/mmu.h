/* SPDX-License-Identifier: GPL-2.0 */
/*
 * mmu/: guest memory as the CPU sees it.
 *   walk.c     the guest's own page tables, walked in software (walk.h)
 *   guest.c    the same, through the memslots
 *   nested.c   guest-physical to host-physical tables (NPT; EPT later)
 *   shadow.c, shadow_fault.c, rmap.c  guest-linear to host-physical tables, where
 *              the CPU has no others
 *   notifier.c host memory that moves or goes away
 */
#ifndef RVM_MMU_H
#define RVM_MMU_H

#include "../ringvm.h"

struct rvm_walk_path;

/* ---- ../memslot.c ------------------------------------------------------ */

int rvm_slots_init(struct rvm_vm *vm);
void rvm_slots_free(struct rvm_vm *vm);
/* KVM_SET_USER_MEMORY_REGION, KVM_GET_DIRTY_LOG with the structures already copied in */
int rvm_set_memory_region(struct rvm_vm *vm, const struct kvm_userspace_memory_region *r);
int rvm_get_dirty_log(struct rvm_vm *vm, const struct kvm_dirty_log *log);

/* Binary search; caller holds vm->srcu or slots_lock. */
struct rvm_memslot *rvm_gfn_to_slot(struct rvm_memslots *slots, u64 gfn);
static inline struct rvm_memslots *rvm_slots(struct rvm_vm *vm)
{
	return srcu_dereference_check(vm->slots, &vm->srcu,
				      lockdep_is_held(&vm->slots_lock));
}

static inline unsigned long rvm_slot_hva(const struct rvm_memslot *s, u64 gfn)
{
	return s->hva + (gfn - s->base_gfn) * PAGE_SIZE;
}

/*
 * Guest-physical memory by memslot, from the vCPU's own thread (its mm is the
 * VM's).  May sleep.  0, or -ENXIO where no slot is (MMIO; also a write to a
 * read-only slot), or -EFAULT where the slot's host address is not mapped.
 * One page at most per call: gpa..gpa+len must not cross a page.
 */
int rvm_gpa_read(struct rvm_vm *vm, u64 gpa, void *buf, u32 len);
int rvm_gpa_write(struct rvm_vm *vm, u64 gpa, const void *buf, u32 len);
/* Atomic compare-and-exchange of 1, 2, 4, 8 (16) bytes within a page, naturally
 * aligned.  *old gets the value found; success if it equals what *old was. */
int rvm_gpa_cmpxchg(struct rvm_vm *vm, u64 gpa, void *old, const void *new_val, u32 len);
int rvm_gpa_host(struct rvm_vm *vm, u64 gpa, bool write, unsigned long *hva);
/* As rvm_gpa_cmpxchg(), for accessed and dirty bits: they take nothing away, and
 * shadow paging need not know. */
int rvm_gpa_mark(struct rvm_vm *vm, u64 gpa, void *old, const void *new_val, u32 len);
void rvm_mark_dirty(struct rvm_memslot *s, u64 gfn);

/* ---- guest.c ----------------------------------------------------------- */

/**
 * rvm_walk - translate a guest-linear address
 * @v: RVM_G_CR and RVM_G_SEG (for CPL) up to date
 *
 * The rest as rvm_walk_tables(); RVM_INSN_UNHANDLED when a table lies outside
 * every memslot.
 */
int rvm_walk(struct rvm_vcpu *v, u64 gla, u32 acc, u64 *gpa, struct rvm_fault *f);

/* The same with the whole path, for shadow paging: struct rvm_walk_path. */
int rvm_walk_guest_path(struct rvm_vcpu *v, u64 gla, u32 acc, struct rvm_walk_path *path,
			struct rvm_fault *f);

/**
 * rvm_load_pdptes - keep the page-directory pointers that CR3 names
 * @v: PAE paging; the new CR3 in place
 *
 * For a mode that keeps them (SDM vol. 3 §4.4.1).  0, or 1: #GP(0), nothing
 * changed.
 */
int rvm_load_pdptes(struct rvm_vcpu *v);

/* ---- nested.c ---------------------------------------------------------- */

int rvm_nested_init(struct rvm_vm *vm);
void rvm_nested_destroy(struct rvm_vm *vm);
u64 rvm_nested_root_pa(struct rvm_vm *vm);

enum rvm_fault_kind {
	RVM_NPF_FIXED,		/* mapped: run again */
	RVM_NPF_MMIO,		/* no memory there (or a write to a read-only slot) */
};

/* A nested fault at gpa with RVM_PF_* bits.  enum rvm_fault_kind or -errno
 * (-EFAULT: the slot's host address is not mapped).  May sleep. */
int rvm_nested_fault(struct rvm_vcpu *v, u64 gpa, u32 error);

/* Drop [start, end) (gfns).  Caller holds mmu_lock and, when
 * true is returned, flushes (rvm_request_all) before it gives the lock up: see
 * nested.c. */
bool rvm_nested_zap(struct rvm_vm *vm, u64 start, u64 end);
/* Write-protect the pages of one dirty-bitmap word (first gfn, mask). */
bool rvm_nested_wrprotect_mask(struct rvm_vm *vm, u64 gfn, unsigned long mask);
/* Test, and clear when @clear, the accessed bits of [start, end). */
bool rvm_nested_young(struct rvm_vm *vm, u64 start, u64 end, bool clear);

/* Give back tables of [start, end) that nothing hangs on; after a slot has gone.
 * No lock but slots_lock. */
void rvm_nested_prune(struct rvm_vm *vm, u64 start, u64 end);

/* The owner's page behind a guest frame; see nested.c. */
struct page *rvm_get_page(unsigned long hva, bool write, bool *writable);
int rvm_host_level(struct mm_struct *mm, unsigned long hva);
bool rvm_slot_fits_2m(const struct rvm_memslot *slot, u64 gfn);

/* ---- shadow.c, shadow_fault.c, rmap.c ------------------------------------ */

int rvm_shadow_init(struct rvm_vm *vm);
void rvm_shadow_destroy(struct rvm_vm *vm);
void rvm_shadow_vcpu_init(struct rvm_vcpu *v);
void rvm_shadow_vcpu_destroy(struct rvm_vcpu *v);
int rvm_shadow_load(struct rvm_vcpu *v);
const struct rvm_shadow_tree *rvm_shadow_other(struct rvm_vcpu *v);

enum rvm_shadow_result {
	RVM_SPF_FIXED,		/* run again */
	RVM_SPF_GUEST,		/* the guest's own fault: inject it */
	RVM_SPF_EMULATE,	/* interpret: no memory there, ROM, or a watched page */
};

int rvm_shadow_fault(struct rvm_vcpu *v, u64 gla, u32 error, struct rvm_fault *fault);
u64 rvm_shadow_peek(struct rvm_vcpu *v, u64 gla);
void rvm_shadow_invlpg(struct rvm_vcpu *v, u64 gla);
void rvm_shadow_flush(struct rvm_vcpu *v);
void rvm_shadow_written(struct rvm_vm *vm, u64 gpa, u32 len);
const u64 *rvm_shadow_news_count(const struct rvm_vm *vm);
void rvm_shadow_no_news(struct rvm_vcpu *v);
void rvm_shadow_news(struct rvm_vcpu *v);
int rvm_track_gfn(struct rvm_vm *vm, u64 gfn);
void rvm_untrack_gfn(struct rvm_vm *vm, u64 gfn);
bool rvm_gfn_tracked(struct rvm_vm *vm, u64 gfn);
/* Slots have changed: @npages in all of them now. */
void rvm_shadow_limit(struct rvm_vm *vm, u64 npages);
/* As the rvm_nested_* functions of the same name. */
bool rvm_shadow_zap(struct rvm_vm *vm, u64 start, u64 end);
bool rvm_shadow_wrprotect_mask(struct rvm_vm *vm, u64 gfn, unsigned long mask);
bool rvm_shadow_young(struct rvm_vm *vm, u64 start, u64 end, bool clear);
void rvm_shadow_unmap(struct rvm_vm *vm, u64 gfn);
void rvm_shadow_prune(struct rvm_vm *vm, u64 start, u64 end);

/* Guest memory has been written by the owner's address. */
static inline void rvm_wrote(struct rvm_vm *vm, u64 gpa, u32 len)
{
	if (!vm->shadow)
		return;
	smp_mb();	/* the write before the question; shadow_track() before its reads */
	if (unlikely(rvm_gfn_tracked(vm, gpa >> PAGE_SHIFT)))
		rvm_shadow_written(vm, gpa, len);
}

/* ---- the tables that the mode uses, if any --------------------------------- */

static inline bool rvm_mmu_zap(struct rvm_vm *vm, u64 start, u64 end)
{
	if (vm->nested)
		return rvm_nested_zap(vm, start, end);
	return vm->shadow && rvm_shadow_zap(vm, start, end);
}

static inline bool rvm_mmu_wrprotect_mask(struct rvm_vm *vm, u64 gfn, unsigned long mask)
{
	if (vm->nested)
		return rvm_nested_wrprotect_mask(vm, gfn, mask);
	return vm->shadow && rvm_shadow_wrprotect_mask(vm, gfn, mask);
}

static inline bool rvm_mmu_young(struct rvm_vm *vm, u64 start, u64 end, bool clear)
{
	if (vm->nested)
		return rvm_nested_young(vm, start, end, clear);
	return vm->shadow && rvm_shadow_young(vm, start, end, clear);
}

static inline void rvm_mmu_prune(struct rvm_vm *vm, u64 start, u64 end)
{
	if (vm->nested)
		rvm_nested_prune(vm, start, end);
	else if (vm->shadow)
		rvm_shadow_prune(vm, start, end);
}

/* ---- notifier.c -------------------------------------------------------- */

int rvm_notifier_init(struct rvm_vm *vm);
void rvm_notifier_destroy(struct rvm_vm *vm);
/* Under mmu_lock: did an invalidation touch hva since mn_seq was @seq? */
bool rvm_notifier_retry(struct rvm_vm *vm, unsigned long seq, unsigned long hva);

#endif /* RVM_MMU_H */
