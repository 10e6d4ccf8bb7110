/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The objects every room shares: the VM, the vCPU, and the lock order.
 *
 * Lock order, outermost first:
 *   rvm_vcpu.lock        one ioctl at a time on a vCPU
 *   rvm_vm.lock          vCPU creation, VM-wide configuration
 *   rvm_vm.slots_lock    memslot changes, dirty-log readout
 *   rvm_vm.srcu          (read side) the memslot array in use
 *   mmap_lock            taken inside by get_user_pages
 *   rvm_vm.mmu_lock      nested and shadow page tables, notifier counters;
 *                        spinning, never held across anything that sleeps.
 *                        For reading: shadow leaves may be filled in, no more
 *   rvm_shadow.rmap_lock reverse maps, one lock for some of the frames; beside
 *                        readers of mmu_lock only
 *   rvm_irq.*, rvm_lapic.lock  interrupt controllers; their order is in irq/irq.h.
 *                        The spinning ones are taken with interrupts off, from
 *                        timers and wakeups too, and nothing above is taken inside
 * The mmu notifier comes in with mm locks held and takes srcu, then mmu_lock.
 * rvm_main_lock (main.c) guards the count of VMs that use the hardware; it is
 * taken with none of the above held, except rvm_vm.lock never.
 */
#ifndef RVM_RINGVM_H
#define RVM_RINGVM_H

#undef pr_fmt
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/nospec.h>
#include <linux/preempt.h>
#include <linux/rcuwait.h>
#include <linux/refcount.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/srcu.h>
#include <linux/kvm.h>
#include <linux/mmu_notifier.h>
#include <linux/xarray.h>
#include <asm/fpu/api.h>

#include "compat/compat.h"
#include "cpu/state.h"
#include "insn/insn.h"
#include "stats.h"

#define RVM_MAX_VCPUS		256	/* vCPUs in a VM; ids are below it too */
#define RVM_MAX_SLOTS		512
#define RVM_MAX_CPUID		256	/* entries accepted by KVM_SET_CPUID2 */
#define RVM_MAX_MSRS		256	/* KVM_GET/SET_MSRS accept fewer entries than this */
#define RVM_RUN_PAGES		2	/* struct kvm_run, then the port I/O data */
#define RVM_PIO_PAGE		1
#define RVM_RING_PAGE		KVM_COALESCED_MMIO_PAGE_OFFSET	/* the VM's ring (irq/coalesced.c) */
#define RVM_MMAP_PAGES		3
#define RVM_MAX_GPA_BITS	52

#define RVM_SLOT_MEM_MAX_PAGES	((1ul << 31) - 1)

#define RVM_MCE_BANKS		32
#define RVM_MTRR_VAR		8	/* variable-range pairs */
#define RVM_MTRR_FIXED		11

struct rvm_mode;

/* ---- memory ---------------------------------------------------------- */

/*
 * Internal flag of a slot on its way out: the guest no longer finds it
 * (rvm_gfn_to_slot), the notifier still does until its pages are unmapped.
 */
#define RVM_SLOT_GONE		(1u << 31)

/**
 * struct rvm_memslot - one range of guest-physical memory
 * @base_gfn: first guest frame
 * @npages: length in 4 KiB pages
 * @hva: userspace address of the first page, page aligned, in vm->mm
 * @id: the client's slot number
 * @flags: KVM_MEM_*
 * @dirty: one bit a page while KVM_MEM_LOG_DIRTY_PAGES is set, else NULL
 */
struct rvm_memslot {
	u64 base_gfn;
	u64 npages;
	unsigned long hva;
	u32 id;
	u32 flags;
	unsigned long *dirty;
};

/* An immutable snapshot, sorted by base_gfn; replaced whole under slots_lock. */
struct rvm_memslots {
	u64 generation;			/* a number of its own */
	u32 count;
	struct rvm_memslot slot[];
};

/* ---- VM -------------------------------------------------------------- */

struct rvm_nested;
struct rvm_shadow;

struct rvm_vm {
	refcount_t users;		/* VM fd + one for each vCPU fd, stats fds */
	struct mm_struct *mm;		/* mmgrab'd; the only mm that may use the VM */
	const struct rvm_mode *mode;
	pid_t creator;

	struct mutex lock;
	struct xarray vcpus;		/* by index; entries appear fully made */
	u32 nr_vcpus;			/* created; release-stored after the xarray entry */

	struct mutex slots_lock;
	struct srcu_struct srcu;
	struct rvm_memslots __rcu *slots;

	/* page tables for nested paging, and the notifier's view (mmu/) */
	rwlock_t mmu_lock;
	struct mmu_notifier mn;
	unsigned long mn_seq;		/* bumped at the end of each invalidation */
	unsigned long mn_count;		/* invalidations in progress */
	unsigned long mn_start, mn_end;	/* their hull, while mn_count != 0 */
	struct rvm_nested *nested;	/* one of these two, or neither */
	struct rvm_shadow *shadow;
	/* told of each write to a frame of rvm_track_gfn(), after it; or NULL */
	void (*track_written)(struct rvm_vm *vm, u64 gpa, u32 len);
	/* Where ring 1 executes views: the physical address of a frame's, or 0 where
	 * the interpreter has to execute it.  May sleep. */
	u64 (*code_view)(struct rvm_vcpu *v, u64 gfn);
	/* The views of these two frames are mapped side by side; ~0: some other.
	 * mmu_lock held, if only for reading. */
	void (*views_beside)(struct rvm_vm *vm, u64 left, u64 right);

	/* the last TSC write, so that vCPUs written together agree (msr.c) */
	spinlock_t tsc_lock;
	u64 tsc_last_offset;
	bool tsc_written;

	struct rvm_irq *irq;		/* interrupt controllers (irq/); never NULL */

	s64 clock_offset;		/* guest time = host boot time + this, ns */
	u64 wall_clock_msr;		/* MSR_KVM_WALL_CLOCK_NEW */

	unsigned long tss_addr;		/* KVM_SET_TSS_ADDR: kept, no mode needs it */
	u64 identity_map_addr;

	struct rvm_vm_stats stats;
	struct dentry *debugfs;
	void *mode_data;
};

/*
 * Each vCPU, by index: those that could have run before this began.  By number, for the
 * array would be searched to its end.
 */
#define rvm_for_each_vcpu(vm, i, v)						\
	for ((i) = 0; (i) < smp_load_acquire(&(vm)->nr_vcpus) &&		\
	     ((v) = xa_load(&(vm)->vcpus, (i))); (i)++)

/* ---- vCPU ------------------------------------------------------------ */

/* vcpu->requests; set with rvm_request(), done by the run loop before entry */
enum rvm_req {
	RVM_REQ_TLB_FLUSH,		/* drop every guest translation */
	RVM_REQ_CLOCK,			/* write the clock page anew */
	RVM_REQ_STEAL,			/* tell the guest how long its thread had to wait */
	RVM_REQ_EVENT,			/* an interrupt, NMI, INIT or SIPI may have come */
	RVM_REQ_VM_DEAD,		/* the owner's mm is going away */
};

/* vcpu->where; see run.c for the protocol with rvm_kick() */
enum rvm_where {
	RVM_OUTSIDE_GUEST,
	RVM_IN_GUEST,
	RVM_IN_SLICE,			/* between rvm_slice_begin() and _end() */
};

/*
 * Events on their way into the guest (SDM vol. 3 §6.9 gives the order).
 * "injected" = taken by the CPU and interrupted half-way by an exit: it has
 * to be injected again before anything else.
 */
struct rvm_events {
	struct {
		bool pending, injected;
		struct rvm_fault f;
	} exception;
	struct {
		bool pending, injected, soft;	/* soft: INT n */
		u8 nr;
		u8 insn_len;		/* of the INT n */
	} irq;
	struct {
		bool injected, masked;
		atomic_t pending;	/* 0..2 */
	} nmi;
	bool triple_fault;
};

/*
 * Accesses of the current instruction that userspace has completed, in order
 * (replay.c).  Filled while an emulated instruction is restarted; empty else.
 */
#define RVM_REPLAY_MAX	24
struct rvm_replay_entry {
	u64 addr;
	u8 len;
	u8 kind;			/* enum rvm_replay_kind */
	u8 data[8];
};

enum rvm_wait {
	RVM_WAIT_NONE,
	RVM_WAIT_FAST_IN,	/* an IN done without the interpreter */
	RVM_WAIT_MMIO_READ,	/* kvm_run.mmio.data answers e[n] */
	RVM_WAIT_PIO_IN,	/* the PIO page answers pio_* */
	RVM_WAIT_RERUN,		/* a posted write went out; the instruction goes on */
};

struct rvm_replay {
	enum rvm_wait wait;
	u8 n;				/* completed accesses */
	u8 pos;				/* next one the running attempt will see */
	bool posted;			/* this attempt put a write into kvm_run */
	bool delivering;		/* an event, not an instruction: no device may be met */
	bool tpr_lowered;		/* the client wants to know */
	int error;			/* -errno behind an RVM_INSN_UNHANDLED */
	u64 rip;			/* of the instruction */
	u64 next_rip;			/* of a fast IN */
	bool pio_done;			/* the PIO page holds input for pio_* */
	u8 pio_size;
	u16 pio_port;
	u32 pio_count;
	struct rvm_replay_entry e[RVM_REPLAY_MAX];
};

struct rvm_spage;
struct rvm_pte_desc;
struct rvm_irq;
struct rvm_lapic;

/* Descriptors for sets of entries (mmu/rmap.c), allocated beforehand */
struct rvm_pte_spares {
	struct rvm_pte_desc *first;
	u32 n;
};

/**
 * struct rvm_vcpu_shadow - what a vCPU keeps for shadow paging (mmu/shadow.c)
 * @trees: one; a second where ring 1 has one of its own (rvm_shadow_tree())
 * @levels: of the tree: 4; 3 for a guest with addresses of 32 bits
 * @root_pa: of its top table
 * @top: with 3 levels, the top table: a page in long-mode format of which the
 *   first four entries are used; made at the first use
 * @root: the shadow pages that @top leads to, or in root[0] the top one; held
 * @key: the registers that they were made for
 * @changed: set when another root is loaded; cleared by the mode
 * @sync: the guest has flushed its TLB: unsynced tables are looked at again
 * @zapped: shadow pages that were gone when the instruction being interpreted began
 * @spare_pages, @spare_gfns, @spare_descs: memory for the next fault
 */
struct rvm_vcpu_shadow {
	struct rvm_shadow_tree {
		int levels;
		u64 root_pa;
		u64 *top;
		struct rvm_spage *root[4];
		struct rvm_shadow_key {
			u64 role, table[4];
			bool valid;
		} key;
		bool sync;
	} trees[2];
	bool changed;
	u64 zapped;
	struct list_head spare_pages;
	u32 nr_spare_pages;
	u64 *spare_gfns[4];
	u32 nr_spare_gfns;
	struct rvm_pte_spares spare_descs;
};

/* MSRs without effect on how the guest runs: kept for it, nothing more (msr.c) */
struct rvm_msr_store {
	u64 mtrr_def, mtrr_fixed[RVM_MTRR_FIXED], mtrr_var[2 * RVM_MTRR_VAR];
	u64 mcg_cap, mcg_status, mcg_ctl;
	u64 mce[4 * RVM_MCE_BANKS];	/* CTL, STATUS, ADDR, MISC of each bank */
	u64 hwcr, ucode_rev, platform_info, de_cfg;
};

/**
 * struct rvm_soft - the vCPU in the interpreter (soft.c)
 * @deliver: an event, injected by v->ev's word, comes first in the next slice
 * @irq_window: end the slice when the guest can take an interrupt
 * @nmi_window: the same with an NMI
 * @cache_at: interpreted instructions after which a cache is made; then a larger one
 * @cache: translations and decoded instructions, or NULL
 */
struct rvm_soft {
	bool deliver;
	bool irq_window, nmi_window;
	u64 cache_at;
	void *cache;
};

struct rvm_vcpu {
	struct rvm_vm *vm;
	u32 id;				/* the client's number, APIC id */
	u32 index;			/* creation order */

	struct mutex lock;
	struct kvm_run *run;		/* RVM_RUN_PAGES, mapped by the client: hostile */

	struct rvm_cpu cpu;
	u32 avail;			/* RVM_G_*: groups that are up to date in cpu */
	u32 dirty;			/* RVM_G_*: groups the mode must take over */

	struct rvm_insn insn;
	u64 dr6_hits;			/* data and I/O breakpoints that the instruction met */
	u64 slots_generation;		/* of the memslots that software translations rest on */
	struct rvm_events ev;
	struct rvm_replay replay;
	struct rvm_soft soft;
	struct rvm_lapic *lapic;	/* or NULL: it is the client's */
	u32 mp_state;			/* KVM_MP_STATE_*; RUNNABLE without a lapic */
	struct rcuwait wait;		/* the thread that sleeps until it is runnable */
	u64 poll_ns;			/* how long it looks before it sleeps */
	atomic_t nmis;			/* that have come and are not in ev yet */
	const char *reason;		/* why the last KVM_RUN gave up, or NULL */

	unsigned long requests;		/* bits: enum rvm_req */
	int where;			/* enum rvm_where */
	int last_cpu;			/* physical CPU it ran on, -1 at first */
	struct preempt_notifier pn;

	struct fpu_guest fpu;
	bool fpu_loaded;		/* guest FPU state is in the registers */
	u64 xcr0_mask;			/* bits the guest may set, from its CPUID */
	u64 cr4_allowed, efer_allowed;	/* bits the guest may set, from its CPUID */

	struct kvm_cpuid_entry2 *cpuid;	/* as set by the client */
	u32 nr_cpuid;

	struct rvm_vcpu_shadow shadow;
	struct rvm_msr_store msrs;
	u64 tsc_offset;			/* guest TSC = host TSC + offset */

	u64 clock_msr;			/* MSR_KVM_SYSTEM_TIME_NEW */
	u64 steal_msr;			/* MSR_KVM_STEAL_TIME */
	u64 steal_seen;			/* of this thread's waiting time, ns */
	pid_t steal_pid;

	bool sigset_active;		/* KVM_SET_SIGNAL_MASK given */
	sigset_t sigset;

	struct rvm_vcpu_stats stats;
	struct dentry *debugfs;
	void *mode_data;		/* struct svm_vcpu and so on */
};

/* The tree that the vCPU runs on, by its CPL if ring 1 executes views. */
static inline struct rvm_shadow_tree *rvm_shadow_tree(struct rvm_vcpu *v)
{
	return &v->shadow.trees[v->vm->code_view && v->cpu.cpl != 3];
}

static inline bool rvm_test_request(struct rvm_vcpu *v)
{
	return READ_ONCE(v->requests) != 0;
}

/* ---- main.c ------------------------------------------------------------ */
int rvm_hw_get(const struct rvm_mode *mode);	/* first user enables it on every CPU */
void rvm_hw_put(const struct rvm_mode *mode);
/* May this CPU enter a guest now?  Interrupts off, just before mode->enter.
 * 0; -EAGAIN: the CPU is going down, reschedule and try where that leads;
 * -EIO: the machine is going down, or the CPU came back without it. */
int rvm_hw_check(const struct rvm_mode *mode);
extern struct dentry *rvm_debugfs;

/* ---- vm.c -------------------------------------------------------------- */
long rvm_vm_create(const struct rvm_mode *mode, unsigned long type);	/* new fd or -errno */
void rvm_vm_put(struct rvm_vm *vm);
static inline void rvm_vm_get(struct rvm_vm *vm)
{
	refcount_inc(&vm->users);
}
int rvm_check_extension(const struct rvm_mode *mode, long cap);

/* ---- vcpu.c ------------------------------------------------------------ */
int rvm_vcpu_create(struct rvm_vm *vm, unsigned long id);	/* new fd or -errno */
void rvm_vcpu_destroy(struct rvm_vcpu *v);
void rvm_vcpu_reset(struct rvm_vcpu *v);			/* architectural power-on state */
void rvm_vcpu_init_signal(struct rvm_vcpu *v);			/* what INIT leaves */

/* ---- run.c ------------------------------------------------------------- */
int rvm_vcpu_run(struct rvm_vcpu *v);	/* KVM_RUN proper; 0 or -errno, v->run filled */
void rvm_vcpu_load(struct rvm_vcpu *v);	/* around everything that touches mode state */
void rvm_vcpu_put(struct rvm_vcpu *v);
void rvm_run_init(struct rvm_vcpu *v);
void rvm_request_all(struct rvm_vm *vm, enum rvm_req req);	/* and wait until none is in
								 * guest with the old state */
void rvm_kick(struct rvm_vcpu *v);
void rvm_wake(struct rvm_vcpu *v);	/* RVM_REQ_EVENT: look, and wake up for it */
void rvm_nmi(struct rvm_vcpu *v);	/* an NMI comes; as rvm_wake() */
void rvm_reach_slices(struct rvm_vm *vm);
int rvm_slice_begin(struct rvm_vcpu *v);	/* around all that uses software translations */
void rvm_slice_end(struct rvm_vcpu *v, int idx);

/* One way to give up: KVM_EXIT_INTERNAL_ERROR with a named reason (constant
 * string), counted and traced.  Returns 0, for "go to userspace". */
int rvm_internal_error(struct rvm_vcpu *v, u32 suberror, const char *reason,
		       u32 ndata, const u64 *data);

/* ---- events.c ---------------------------------------------------------- */
void rvm_queue_exception(struct rvm_vcpu *v, const struct rvm_fault *f);
void rvm_queue_gp(struct rvm_vcpu *v, u32 error);
void rvm_queue_ud(struct rvm_vcpu *v);
void rvm_queue_db(struct rvm_vcpu *v, u64 dr6_bits);
void rvm_inject_events(struct rvm_vcpu *v);
bool rvm_irq_ready(struct rvm_vcpu *v);		/* could take an ExtINT now */
void rvm_get_events(struct rvm_vcpu *v, struct kvm_vcpu_events *e);
int rvm_set_events(struct rvm_vcpu *v, const struct kvm_vcpu_events *e);

bool rvm_event_due(const struct rvm_vcpu *v);	/* would the next entry deliver one? */
void rvm_take_irq(struct rvm_vcpu *v);		/* from the local APIC, if the guest can have it */
bool rvm_client_wants_irq(struct rvm_vcpu *v);	/* request_interrupt_window, where it counts */
void rvm_take_nmis(struct rvm_vcpu *v);		/* those that came from outside */
bool rvm_wakes_halt(struct rvm_vcpu *v);	/* does anything end a HLT? */

/* ---- soft.c: the parts of struct rvm_mode that are the interpreter's ---------- */
void rvm_soft_exception(struct rvm_vcpu *v, const struct rvm_fault *f);
void rvm_soft_irq(struct rvm_vcpu *v, u8 vector, bool soft, u8 insn_len);
void rvm_soft_nmi(struct rvm_vcpu *v);
void rvm_soft_irq_window(struct rvm_vcpu *v, bool on);
void rvm_soft_nmi_window(struct rvm_vcpu *v, bool on);
int rvm_soft_slice(struct rvm_vcpu *v, u32 budget, enum rvm_insn_watch watch);
void rvm_soft_free(struct rvm_vcpu *v);

/* ---- debug.c: the guest's breakpoints, for instructions that are interpreted -- */
static inline bool rvm_debug_armed(const struct rvm_vcpu *v)
{
	return v->cpu.dr7 & 0xff;
}
u64 rvm_debug_code(const struct rvm_vcpu *v);	/* DR6 bits of the instruction at RIP */
void rvm_debug_data(struct rvm_vcpu *v, u64 gla, u32 len, bool write);
void rvm_debug_io(struct rvm_vcpu *v, u16 port, u32 size);

/* ---- emulate.c --------------------------------------------------------- */
void rvm_insn_init(struct rvm_vcpu *v);
/* Run one instruction in the interpreter.  1: go on in the guest; 0: exit to
 * userspace (v->run filled); -errno. */
int rvm_emulate_one(struct rvm_vcpu *v);
/* Run instructions, @budget at most, in a mode that has no other way.  Same
 * returns. */
int rvm_emulate_run(struct rvm_vcpu *v, u32 budget);
int rvm_deliver_injected(struct rvm_vcpu *v, bool *delivered);
/* What follows for insn/ from the guest's CPUID. */
void rvm_insn_cpuid(struct rvm_vcpu *v);
/* Advance RIP past the instruction at CS:RIP, whose length only a decode
 * tells.  Same returns. */
int rvm_skip_insn(struct rvm_vcpu *v, u64 next_rip);
/* Port I/O of one item with the registers known (no interpreter needed). */
int rvm_fast_pio(struct rvm_vcpu *v, bool in, u16 port, u32 size, u64 next_rip);
/* HLT executed: the vCPU waits, or with userspace controllers the client.  Same returns. */
int rvm_halt(struct rvm_vcpu *v);
/* VMCALL or VMMCALL: result into RAX (KVM's hypercall convention). */
void rvm_hypercall(struct rvm_vcpu *v);
/* KVM_RUN came back: finish what userspace was asked to do.  Same returns. */
int rvm_complete_exit(struct rvm_vcpu *v);

#endif /* RVM_RINGVM_H */
