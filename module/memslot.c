// SPDX-License-Identifier: GPL-2.0
/*
 * Guest-physical memory: the slots (KVM API §4.35), their dirty logs (§4.8),
 * and access to guest memory through them.
 *
 * The array of slots is never changed in place: slots_lock serializes those who
 * replace it, readers hold vm->srcu.  What a slot gives the guest goes away in
 * this order, none of whose steps may be left out:
 *
 *  1. publish an array in which the slot is RVM_SLOT_GONE: rvm_gfn_to_slot() no
 *     longer finds it, the MMU notifier still does;
 *  2. synchronize_srcu(): every fault that found it before has been mapped;
 *  3. unmap under mmu_lock and flush: nothing new comes in because of 1, and
 *     until here host pages that go away were unmapped by the notifier;
 *  4. publish the array without it; synchronize; free.
 */
#include <linux/bitmap.h>
#include <linux/highmem.h>
#include <linux/slab.h>
#include <linux/srcu.h>
#include <linux/uaccess.h>
#include <asm/cpufeature.h>

#include "ringvm.h"
#include "mode.h"
#include "cpu/cpu.h"
#include "mmu/mmu.h"

/* Slot number and address space, as packed by the ABI; only space 0 exists. */
#define RVM_SLOT_ID(slot)	((slot) & 0xffff)
#define RVM_SLOT_SPACE(slot)	((slot) >> 16)

static struct rvm_memslots *rvm_slots_alloc(u32 count)
{
	return kvzalloc(struct_size((struct rvm_memslots *)NULL, slot, count),
			GFP_KERNEL_ACCOUNT);
}

/* At VM creation: an empty map. */
int rvm_slots_init(struct rvm_vm *vm)
{
	struct rvm_memslots *slots = rvm_slots_alloc(0);
	int err;

	if (!slots)
		return -ENOMEM;
	err = init_srcu_struct(&vm->srcu);
	if (err) {
		kvfree(slots);
		return err;
	}
	mutex_init(&vm->slots_lock);
	rcu_assign_pointer(vm->slots, slots);
	return 0;
}

/* When nobody can use the VM any more. */
void rvm_slots_free(struct rvm_vm *vm)
{
	struct rvm_memslots *slots = rcu_dereference_protected(vm->slots, 1);
	u32 i;

	for (i = 0; i < slots->count; i++)
		kvfree(slots->slot[i].dirty);
	kvfree(slots);
	cleanup_srcu_struct(&vm->srcu);
}

/* ---- lookup --------------------------------------------------------------- */

/**
 * rvm_gfn_to_slot - the slot that holds a guest frame
 * @slots: from rvm_slots(), under vm->srcu or slots_lock
 * @gfn: guest frame number
 *
 * NULL where there is none, or one on its way out.
 */
struct rvm_memslot *rvm_gfn_to_slot(struct rvm_memslots *slots, u64 gfn)
{
	u32 lo = 0, hi = slots->count;

	while (lo < hi) {
		u32 mid = (lo + hi) / 2;
		struct rvm_memslot *s = &slots->slot[mid];

		if (gfn < s->base_gfn)
			hi = mid;
		else if (gfn - s->base_gfn >= s->npages)
			lo = mid + 1;
		else
			return s->flags & RVM_SLOT_GONE ? NULL : s;
	}
	return NULL;
}

static struct rvm_memslot *rvm_id_to_slot(struct rvm_memslots *slots, u32 id)
{
	u32 i;

	for (i = 0; i < slots->count; i++)
		if (slots->slot[i].id == id)
			return &slots->slot[i];
	return NULL;
}

static bool rvm_slots_overlap(struct rvm_memslots *slots, const struct rvm_memslot *new)
{
	u32 i;

	for (i = 0; i < slots->count; i++) {
		const struct rvm_memslot *s = &slots->slot[i];

		if (s->id != new->id && new->base_gfn < s->base_gfn + s->npages &&
		    s->base_gfn < new->base_gfn + new->npages)
			return true;
	}
	return false;
}

/* ---- replacing the array ---------------------------------------------------- */

/*
 * A copy of @old without slot @id, with @new (may be NULL) in its sorted place.
 * @old has one slot more or less at most, so old->count + 1 is always enough.
 */
static void rvm_slots_copy(struct rvm_memslots *to, const struct rvm_memslots *old,
			   u32 id, const struct rvm_memslot *new)
{
	u32 i, n = 0;

	for (i = 0; i < old->count; i++) {
		const struct rvm_memslot *s = &old->slot[i];

		if (s->id == id)
			continue;
		if (new && new->base_gfn < s->base_gfn) {
			to->slot[n++] = *new;
			new = NULL;
		}
		to->slot[n++] = *s;
	}
	if (new)
		to->slot[n++] = *new;
	to->count = n;
}

/* slots_lock held.  Afterwards nobody uses the array that was there. */
static void rvm_slots_publish(struct rvm_vm *vm, struct rvm_memslots *new)
{
	struct rvm_memslots *old = rvm_slots(vm);

	new->generation = old->generation + 1;
	rcu_assign_pointer(vm->slots, new);
	synchronize_srcu_expedited(&vm->srcu);
	kvfree(old);
}

/* Pages unmapped with mmu_lock held in one go: 1 GiB */
#define RVM_UNMAP_STEP	(1ull << (30 - PAGE_SHIFT))

/* Take away every translation of the range, in the tables and in the TLBs. */
static void rvm_unmap_range(struct rvm_vm *vm, u64 base_gfn, u64 npages)
{
	u64 end = base_gfn + npages, next;

	if (!vm->nested && !vm->shadow)
		return;
	for (; base_gfn < end; base_gfn = next) {
		next = min(end, base_gfn + RVM_UNMAP_STEP);
		write_lock(&vm->mmu_lock);
		if (rvm_mmu_zap(vm, base_gfn, next))
			rvm_request_all(vm, RVM_REQ_TLB_FLUSH);
		write_unlock(&vm->mmu_lock);
		cond_resched();
	}
}

/*
 * Steps 1 to 4 above: slot @id goes, or goes elsewhere as @new.  @gone and
 * @final are unused arrays of the right size; both are taken over.
 */
static void rvm_slots_withdraw(struct rvm_vm *vm, const struct rvm_memslot *old,
			       const struct rvm_memslot *new,
			       struct rvm_memslots *gone, struct rvm_memslots *final)
{
	struct rvm_memslot leaving = *old;

	leaving.flags |= RVM_SLOT_GONE;
	rvm_slots_copy(gone, rvm_slots(vm), leaving.id, &leaving);
	rvm_slots_publish(vm, gone);	/* *old is freed here */
	rvm_unmap_range(vm, leaving.base_gfn, leaving.npages);
	rvm_mmu_prune(vm, leaving.base_gfn, leaving.base_gfn + leaving.npages);
	rvm_slots_copy(final, gone, leaving.id, new);
	rvm_slots_publish(vm, final);
}

static unsigned long *rvm_dirty_alloc(u64 npages)
{
	return kvcalloc(BITS_TO_LONGS(npages), sizeof(long), GFP_KERNEL_ACCOUNT);
}

/* slots_lock held; *r has been checked for itself. */
static int rvm_change_slots(struct rvm_vm *vm, const struct kvm_userspace_memory_region *r)
{
	struct rvm_memslots *slots = rvm_slots(vm), *gone, *final;
	u32 id = RVM_SLOT_ID(r->slot);
	struct rvm_memslot *found = rvm_id_to_slot(slots, id);
	struct rvm_memslot old = {}, new = {
		.base_gfn = r->guest_phys_addr >> PAGE_SHIFT,
		.npages = r->memory_size >> PAGE_SHIFT,
		.hva = r->userspace_addr,
		.id = id,
		.flags = r->flags,
	};
	bool move = false;
	int err = -ENOMEM;

	if (found)
		old = *found;

	if (!new.npages) {
		if (!found)
			return -EINVAL;
	} else {
		if (new.base_gfn + new.npages > 1ull << (rvm_max_gpa_bits() - PAGE_SHIFT))
			return -EINVAL;
		if (found) {
			if (new.npages != old.npages || new.hva != old.hva ||
			    ((new.flags ^ old.flags) & KVM_MEM_READONLY))
				return -EINVAL;
			move = new.base_gfn != old.base_gfn;
			if (!move && new.flags == old.flags)
				return 0;
		}
		if ((!found || move) && rvm_slots_overlap(slots, &new))
			return -EEXIST;
	}

	gone = rvm_slots_alloc(slots->count + 1);
	final = rvm_slots_alloc(slots->count + 1);
	if (!gone || !final)
		goto out_free;
	if (new.npages && (new.flags & KVM_MEM_LOG_DIRTY_PAGES)) {
		/* Kept when the slot moves, as KVM does. */
		new.dirty = old.dirty ? old.dirty : rvm_dirty_alloc(new.npages);
		if (!new.dirty)
			goto out_free;
	}

	/* Nothing fails from here on. */
	if (found && (move || !new.npages)) {
		rvm_slots_withdraw(vm, found, new.npages ? &new : NULL, gone, final);
	} else {
		kvfree(gone);
		rvm_slots_copy(final, slots, id, &new);
		rvm_slots_publish(vm, final);
		/*
		 * Logging came or went: pages are mapped anew, one by one and read
		 * only while it lasts, in large pages where possible after it.
		 */
		if (found)
			rvm_unmap_range(vm, new.base_gfn, new.npages);
	}
	if (old.dirty && old.dirty != new.dirty)
		kvfree(old.dirty);
	return 0;

out_free:
	kvfree(gone);
	kvfree(final);
	return err;
}

static u64 rvm_slots_pages(const struct rvm_memslots *slots)
{
	u64 n = 0;
	u32 i;

	for (i = 0; i < slots->count; i++)
		n += slots->slot[i].npages;
	return n;
}

/**
 * rvm_set_memory_region - KVM_SET_USER_MEMORY_REGION (KVM API §4.35)
 * @vm: the VM
 * @r: the structure, copied in
 *
 * The caller is the VM's process.  May sleep.  0; -EINVAL: unaligned, outside
 * of either address space, unknown flags, a change that the ABI does not have,
 * deletion of what is not there; -EEXIST: overlaps another slot; -ENOMEM.
 */
int rvm_set_memory_region(struct rvm_vm *vm, const struct kvm_userspace_memory_region *r)
{
	int err;

	if (r->flags & ~(KVM_MEM_LOG_DIRTY_PAGES | KVM_MEM_READONLY))
		return -EINVAL;
	if (RVM_SLOT_SPACE(r->slot) || RVM_SLOT_ID(r->slot) >= RVM_MAX_SLOTS)
		return -EINVAL;
	if (!IS_ALIGNED(r->memory_size, PAGE_SIZE) ||
	    !IS_ALIGNED(r->guest_phys_addr, PAGE_SIZE) ||
	    !IS_ALIGNED(r->userspace_addr, PAGE_SIZE))
		return -EINVAL;
	if (!access_ok((void __user *)(unsigned long)r->userspace_addr, r->memory_size))
		return -EINVAL;
	if (r->guest_phys_addr + r->memory_size < r->guest_phys_addr)
		return -EINVAL;
	if (r->memory_size >> PAGE_SHIFT > RVM_SLOT_MEM_MAX_PAGES)
		return -EINVAL;

	mutex_lock(&vm->slots_lock);
	err = rvm_change_slots(vm, r);
	if (!err && vm->shadow)
		rvm_shadow_limit(vm, rvm_slots_pages(rvm_slots(vm)));
	mutex_unlock(&vm->slots_lock);
	return err;
}

/* ---- dirty log --------------------------------------------------------------- */

/**
 * rvm_mark_dirty - the guest (or an emulated access for it) wrote to a page
 * @s: its slot, under vm->srcu
 * @gfn: the page
 *
 * For a page that is being mapped writable: with mmu_lock held, together with
 * the mapping, else rvm_get_dirty_log() could come in between and the next
 * writes would go unseen.  For a write through rvm_gpa_write(): after it.
 */
void rvm_mark_dirty(struct rvm_memslot *s, u64 gfn)
{
	if (s->dirty)
		set_bit(gfn - s->base_gfn, s->dirty);
}

/* slots_lock held. */
static int rvm_read_dirty_log(struct rvm_vm *vm, const struct kvm_dirty_log *log)
{
	struct rvm_memslot *s = rvm_id_to_slot(rvm_slots(vm), RVM_SLOT_ID(log->slot));
	unsigned long *buf, i, words;
	bool flush = false;
	int err = 0;

	if (!s || !s->dirty)
		return -ENOENT;
	words = BITS_TO_LONGS(s->npages);
	buf = rvm_dirty_alloc(s->npages);
	if (!buf)
		return -ENOMEM;

	/* Clearing a bit and taking the write permission are one step for the
	 * fault handler, which sets the bit and gives it under the same lock. */
	for (i = 0; i < words; i++) {
		if (!READ_ONCE(s->dirty[i]))
			continue;
		write_lock(&vm->mmu_lock);
		buf[i] = xchg(&s->dirty[i], 0);
		flush |= rvm_mmu_wrprotect_mask(vm, s->base_gfn + i * BITS_PER_LONG, buf[i]);
		write_unlock(&vm->mmu_lock);
		cond_resched();
	}
	/* What is still written through a stale translation must be in the pages
	 * before the client, told that they are dirty, copies them. */
	if (flush)
		rvm_request_all(vm, RVM_REQ_TLB_FLUSH);

	if (copy_to_user(log->dirty_bitmap, buf, words * sizeof(long))) {
		/* Not delivered, so still dirty. */
		for (i = 0; i < words; i++)
			if (buf[i])
				atomic_long_or(buf[i], (atomic_long_t *)&s->dirty[i]);
		err = -EFAULT;
	}
	kvfree(buf);
	return err;
}

/**
 * rvm_get_dirty_log - KVM_GET_DIRTY_LOG (KVM API §4.8)
 * @vm: the VM
 * @log: the structure, copied in
 *
 * One bit a page, set if it was written since the last call.  0; -EINVAL: no
 * such slot number; -ENOENT: no such slot, or it is not logged; -EFAULT, and
 * nothing is lost; -ENOMEM.
 */
int rvm_get_dirty_log(struct rvm_vm *vm, const struct kvm_dirty_log *log)
{
	int err;

	if (RVM_SLOT_SPACE(log->slot) || RVM_SLOT_ID(log->slot) >= RVM_MAX_SLOTS)
		return -EINVAL;
	mutex_lock(&vm->slots_lock);
	err = rvm_read_dirty_log(vm, log);
	mutex_unlock(&vm->slots_lock);
	return err;
}

/* ---- access from the vCPU's thread -------------------------------------------- */

/* Under vm->srcu.  NULL: nothing there that may be accessed so. */
static struct rvm_memslot *rvm_gpa_slot(struct rvm_vm *vm, u64 gpa, bool write)
{
	struct rvm_memslot *s = rvm_gfn_to_slot(rvm_slots(vm), gpa >> PAGE_SHIFT);

	if (s && write && (s->flags & KVM_MEM_READONLY))
		return NULL;
	return s;
}

static void __user *rvm_gpa_user(const struct rvm_memslot *s, u64 gpa)
{
	return (void __user *)(rvm_slot_hva(s, gpa >> PAGE_SHIFT) + offset_in_page(gpa));
}

/*
 * An aligned access of 1, 2, 4 or 8 bytes is one access towards other vCPUs (SDM
 * vol. 3 §8.1.1), which copying by bytes would not be.
 */
#define RVM_USER_READ(type, user, buf)						\
({										\
	type __val;								\
	int __err = get_user(__val, (type __user *)(user));			\
										\
	if (!__err)								\
		memcpy(buf, &__val, sizeof(__val));				\
	__err;									\
})

#define RVM_USER_WRITE(type, user, buf)						\
({										\
	type __val;								\
										\
	memcpy(&__val, buf, sizeof(__val));					\
	put_user(__val, (type __user *)(user));					\
})

static int rvm_user_read(void *buf, const void __user *user, u32 len)
{
	if (!((unsigned long)user & (len - 1))) {
		switch (len) {
		case 1:
			return RVM_USER_READ(u8, user, buf);
		case 2:
			return RVM_USER_READ(u16, user, buf);
		case 4:
			return RVM_USER_READ(u32, user, buf);
		case 8:
			return RVM_USER_READ(u64, user, buf);
		}
	}
	return copy_from_user(buf, user, len) ? -EFAULT : 0;
}

static int rvm_user_write(void __user *user, const void *buf, u32 len)
{
	if (!((unsigned long)user & (len - 1))) {
		switch (len) {
		case 1:
			return RVM_USER_WRITE(u8, user, buf);
		case 2:
			return RVM_USER_WRITE(u16, user, buf);
		case 4:
			return RVM_USER_WRITE(u32, user, buf);
		case 8:
			return RVM_USER_WRITE(u64, user, buf);
		}
	}
	return copy_to_user(user, buf, len) ? -EFAULT : 0;
}

int rvm_gpa_read(struct rvm_vm *vm, u64 gpa, void *buf, u32 len)
{
	struct rvm_memslot *s;
	int idx, err = -ENXIO;

	idx = srcu_read_lock(&vm->srcu);
	s = rvm_gpa_slot(vm, gpa, false);
	if (s)
		err = rvm_user_read(buf, rvm_gpa_user(s, gpa), len);
	srcu_read_unlock(&vm->srcu, idx);
	return err;
}

int rvm_gpa_write(struct rvm_vm *vm, u64 gpa, const void *buf, u32 len)
{
	struct rvm_memslot *s;
	int idx, err = -ENXIO;

	idx = srcu_read_lock(&vm->srcu);
	s = rvm_gpa_slot(vm, gpa, true);
	if (s) {
		err = rvm_user_write(rvm_gpa_user(s, gpa), buf, len);
		/* a copy that failed half-way has written too */
		rvm_mark_dirty(s, gpa >> PAGE_SHIFT);
		rvm_wrote(vm, gpa, len);
	}
	srcu_read_unlock(&vm->srcu, idx);
	return err;
}

/**
 * rvm_gpa_host - where a guest page is in the owner's address space
 * @vm: the VM; vm->srcu held, and the answer is good while it is
 * @gpa: page aligned
 * @write: the page is to be written, any number of times
 * @hva: result
 *
 * 0; -ENXIO as rvm_gpa_write(), and where each write has to be logged or told.
 */
int rvm_gpa_host(struct rvm_vm *vm, u64 gpa, bool write, unsigned long *hva)
{
	struct rvm_memslot *s = rvm_gpa_slot(vm, gpa, write);

	if (!s || (write && (s->dirty || rvm_gfn_tracked(vm, gpa >> PAGE_SHIFT))))
		return -ENXIO;
	/* With shadow paging any page may come to be watched afterwards, by another vCPU's
	 * fault: rvm_shadow_news(). */
	*hva = rvm_slot_hva(s, gpa >> PAGE_SHIFT);
	return 0;
}

/* 16 bytes: there is no user-access primitive, so the page is held for the moment. */
static int rvm_user_cmpxchg16(void __user *user, void *old, const void *new_val)
{
	unsigned long addr = (unsigned long)user;
	u64 *o = old, lo = o[0], hi = o[1];
	const u64 *n = new_val;
	struct page *page;
	char *p;

	if (!boot_cpu_has(X86_FEATURE_CX16))
		return -EFAULT;
	if (get_user_pages_fast(addr & PAGE_MASK, 1, FOLL_WRITE, &page) != 1)
		return -EFAULT;
	p = kmap_local_page(page);
	asm volatile("lock cmpxchg16b %[mem]"
		     : [mem] "+m" (*(struct { u64 half[2]; } *)(p + offset_in_page(addr))),
		       "+a" (lo), "+d" (hi)
		     : "b" (n[0]), "c" (n[1])
		     : "cc", "memory");
	kunmap_local(p);
	set_page_dirty_lock(page);
	put_page(page);
	o[0] = lo;
	o[1] = hi;
	return 0;
}

#define RVM_USER_CMPXCHG(type, user, old, new_val)				\
({										\
	type seen, want;							\
	int failed;								\
										\
	memcpy(&seen, old, sizeof(type));					\
	memcpy(&want, new_val, sizeof(type));					\
	failed = __try_cmpxchg_user((type __user *)(user), &seen, want,	\
				   fault_##type);				\
	memcpy(old, &seen, sizeof(type));					\
	failed < 0 ? -EFAULT : 0;						\
})

int rvm_gpa_mark(struct rvm_vm *vm, u64 gpa, void *old, const void *new_val, u32 len)
{
	struct rvm_memslot *s;
	void __user *user;
	int idx, err = -ENXIO;

	idx = srcu_read_lock(&vm->srcu);
	s = rvm_gpa_slot(vm, gpa, true);
	if (!s)
		goto out;
	user = rvm_gpa_user(s, gpa);
	err = -EFAULT;
	if (!access_ok(user, len))
		goto out;
	switch (len) {
	case 1:
		err = RVM_USER_CMPXCHG(u8, user, old, new_val);
		break;
	case 2:
		err = RVM_USER_CMPXCHG(u16, user, old, new_val);
		break;
	case 4:
		err = RVM_USER_CMPXCHG(u32, user, old, new_val);
		break;
	case 8:
		err = RVM_USER_CMPXCHG(u64, user, old, new_val);
		break;
	case 16:
		err = rvm_user_cmpxchg16(user, old, new_val);
		break;
	}
	if (!err)
		rvm_mark_dirty(s, gpa >> PAGE_SHIFT);
out:
	srcu_read_unlock(&vm->srcu, idx);
	return err;
}

int rvm_gpa_cmpxchg(struct rvm_vm *vm, u64 gpa, void *old, const void *new_val, u32 len)
{
	int err = rvm_gpa_mark(vm, gpa, old, new_val, len);

	if (!err)
		rvm_wrote(vm, gpa, len);
	return err;
}
