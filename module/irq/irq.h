/* SPDX-License-Identifier: GPL-2.0 */
/*
 * irq/: interrupt controllers, and the other devices that a client may want in
 * the kernel.
 *   irqchip.c    their creation and the ioctls on them; ports and MMIO they claim
 *   routing.c    GSIs to pins and messages; messages to local APICs
 *   lapic.c      the local APIC and its timer; what a vCPU takes next
 *   ioapic.c     82093AA
 *   pic.c        a pair of 8259A
 *   pit.c        8254, and port 61h
 *   irqfd.c      eventfds that raise GSIs, and hear of EOIs
 *   ioeventfd.c  writes that signal eventfds
 *   coalesced.c  writes that the client reads later
 *
 * Interrupts come from vCPUs, ioctls, timers and wakeups of eventfds, the latter two
 * with interrupts off: so all chip state is under raw spinlocks, and a change ends
 * in rvm_wake().
 *
 * Locks, outermost first: rvm_irq.mutex (tables made and replaced; inside
 * rvm_vm.lock), rvm_irq.lock (PIC and IOAPIC), rvm_lapic.lock; rvm_pit.lock is held
 * with none of them.  Listeners to an EOI are called with none held.  An eventfd's own
 * lock is outside all but rvm_irq.mutex, and rvm_irq.irqfds_lock is inside that alone.
 */
#ifndef RVM_IRQ_H
#define RVM_IRQ_H

#include "../ringvm.h"

#include <linux/hrtimer.h>
#include <linux/rcupdate.h>

#define RVM_MAX_IRQ_ROUTES	4096	/* GSIs, and routes in a table */
#define RVM_PIC_PINS		16
#define RVM_IOAPIC_PINS		KVM_IOAPIC_NUM_PINS
#define RVM_IOAPIC_BASE		0xfec00000ull
#define RVM_IOAPIC_SIZE		0x100
#define RVM_LAPIC_SIZE		0x1000

#define RVM_APIC_BASE_BSP	(1ull << 8)
#define RVM_APIC_BASE_X2	(1ull << 10)
#define RVM_APIC_BASE_ENABLE	(1ull << 11)
#define RVM_APIC_BASE_ADDR(b)	((b) & ~0xfffull)

enum rvm_chips {
	RVM_CHIPS_NONE,			/* all are the client's */
	RVM_CHIPS_SPLIT,		/* local APICs here, PIC and IOAPIC the client's */
	RVM_CHIPS_ALL,
};

/* Who holds a line up; a line is up while anybody does. */
enum rvm_irq_source {
	RVM_IRQ_CLIENT,
	RVM_IRQ_RESAMPLE,
	RVM_IRQ_PIT,
};

/* SDM vol. 3 §10.5.1, §10.6.1: delivery modes of the LVT and of ICR */
enum rvm_delivery {
	RVM_DM_FIXED, RVM_DM_LOWEST, RVM_DM_SMI, RVM_DM_RESERVED,
	RVM_DM_NMI, RVM_DM_INIT, RVM_DM_STARTUP, RVM_DM_EXTINT,
};

/* SDM vol. 3 §10.6.1: ICR's destination shorthand */
enum rvm_shorthand { RVM_SH_NONE, RVM_SH_SELF, RVM_SH_ALL, RVM_SH_OTHERS };

/**
 * struct rvm_irq_msg - an interrupt on its way to local APICs
 * @dest: 8 bits, or 32 from an x2APIC or with KVM_X2APIC_API_USE_32BIT_IDS
 * @from: the local APIC that sent it, or NULL: an IOAPIC, an MSI
 * @level: trigger mode
 * @assert: ICR's level, which matters to INIT alone
 */
struct rvm_irq_msg {
	u32 dest;
	struct rvm_lapic *from;
	u8 vector, mode, shorthand;
	bool logical, level, assert;
};

/* ---- the chips -------------------------------------------------------------- */

#define RVM_NR_LVT	6
enum rvm_lvt { RVM_LVT_TIMER, RVM_LVT_THERMAL, RVM_LVT_PERF, RVM_LVT_LINT0, RVM_LVT_LINT1,
	       RVM_LVT_ERROR };

enum rvm_lapic_mode { RVM_APIC_OFF, RVM_APIC_X, RVM_APIC_X2 };

/* Bits of rvm_lapic.events: what the vCPU's own thread has to do */
enum rvm_lapic_event { RVM_APIC_INIT, RVM_APIC_SIPI };

/**
 * struct rvm_lapic - a local APIC (SDM vol. 3 §10)
 * @lock: @irr, @isr, @tmr, @sipi, and the error status
 * @irr_any: a bit in @irr may be set
 * @mode: follows v->cpu.apic_base
 * @tpr and what follows: written by the vCPU's own thread or the client in its
 *   place, read by anybody
 * @served: messages of lowest priority that it has got
 * @timer: armed and stopped by that thread alone, no lock held
 * @target: when the count is 0, ns of CLOCK_MONOTONIC; 0: it does not run.  Changed by
 *   @timer, and where that is stopped
 * @period: ns
 * @eoi_vector: split chips: a level-triggered vector to tell the client of, or -1
 * @tpr_report: the client wants to see accesses to TPR
 * @tpr_access: there was one, at @tpr_rip
 * @vapic: guest-physical address of a copy of TPR, or 0
 * @pv_eoi: MSR_KVM_PV_EOI_EN
 * @pv_eoi_set: the guest was told that it may end the service in memory
 * @unhalted: another vCPU has ended a HLT, maybe one to come
 */
struct rvm_lapic {
	raw_spinlock_t lock;
	struct rvm_vcpu *v;
	struct rvm_irq *irq;

	u32 irr[8], isr[8], tmr[8];
	bool irr_any;
	enum rvm_lapic_mode mode;
	u32 tpr, ldr, dfr, svr, esr, esr_next, icr, icr2, tdcr, tmict;
	u32 lvt[RVM_NR_LVT];
	u32 served;
	unsigned long events;
	u8 sipi;

	struct hrtimer timer;
	u64 tsc_deadline;
	u64 target, period;

	int eoi_vector;
	bool tpr_report, tpr_access, tpr_write;
	u64 tpr_rip;
	u64 vapic;

	u64 pv_eoi;
	bool pv_eoi_set;
	bool unhalted;
};

struct rvm_8259 {
	u8 last, irr, imr, isr;
	u8 top;				/* the input of the highest priority */
	u8 base, init_state;
	u8 elcr, elcr_mask;
	bool read_isr, poll, special_mask, auto_eoi, rotate_aeoi, sfnm, init4;
};

struct rvm_pic {
	struct rvm_8259 chip[2];	/* master, slave */
	u8 lines[RVM_PIC_PINS];		/* bits: enum rvm_irq_source */
	bool out;			/* INTR */
};

struct rvm_ioapic {
	u64 base;
	u32 ioregsel, id, irr;
	u64 redir[RVM_IOAPIC_PINS];
	u8 lines[RVM_IOAPIC_PINS];
	DECLARE_BITMAP(vectors, 256);	/* that it may have to hear the EOI of */
};

struct rvm_pit;
struct rvm_routes;
struct rvm_ioeventfds;
struct rvm_zones;

/**
 * struct rvm_irq - the room's part of a VM
 * @chips: set before the first vCPU
 * @split_pins: GSIs of the client's IOAPIC
 * @x2apic_flags: KVM_X2APIC_API_*
 * @bsp: id of the vCPU that is the boot processor
 * @mutex: tables below
 * @lock: @pic and @ioapic
 * @irqfds: irqfds_lock; readers use RCU
 * @nr_resample: of them hear of EOIs
 * @ring: a page, mapped by the client: hostile
 * @lapics: by APIC id, which is the vCPU's; appear fully made
 */
struct rvm_irq {
	struct rvm_vm *vm;
	enum rvm_chips chips;
	u32 split_pins;
	u32 x2apic_flags;
	u32 bsp;

	struct mutex mutex;
	raw_spinlock_t lock;
	struct rvm_pic pic;
	struct rvm_ioapic ioapic;
	struct rvm_pit *pit;
	struct rvm_routes __rcu *routes;

	spinlock_t irqfds_lock;
	struct list_head irqfds;
	u32 nr_resample;
	struct rvm_ioeventfds __rcu *ioeventfds;
	struct rvm_zones __rcu *zones;
	spinlock_t ring_lock;
	struct kvm_coalesced_mmio_ring *ring;

	u32 nr_ids;			/* the highest id plus one */
	struct rvm_lapic *lapics[RVM_MAX_VCPUS];
};

/* ---- irqchip.c -------------------------------------------------------------- */
int rvm_irq_init(struct rvm_vm *vm);
void rvm_irq_destroy(struct rvm_vm *vm);	/* before the vCPUs */
void rvm_irq_free(struct rvm_vm *vm);		/* after them */
void rvm_irq_add(struct rvm_vcpu *v);		/* from here on it gets messages */
/* The VM's ioctls that are this room's; -ENOIOCTLCMD for others. */
long rvm_irq_ioctl(struct rvm_vm *vm, unsigned int cmd, unsigned long arg);
/* 1 and more as KVM_CHECK_EXTENSION; 0 also for what is not this room's. */
int rvm_irq_cap(long cap);
long rvm_irq_enable_cap(struct rvm_vm *vm, const struct kvm_enable_cap *cap);
/*
 * A vCPU's access to a device here: true if there is one.  In its own thread, may
 * sleep; vm->srcu is held only in modes with slices.
 */
bool rvm_irq_mmio(struct rvm_vcpu *v, u64 gpa, void *data, u32 len, bool write);
bool rvm_irq_pio(struct rvm_vcpu *v, u16 port, void *data, u32 size, bool out);

static inline enum rvm_chips rvm_chips(const struct rvm_vm *vm)
{
	return READ_ONCE(vm->irq->chips);
}

/* ---- routing.c -------------------------------------------------------------- */
int rvm_routes_default(struct rvm_irq *irq);	/* mutex held */
long rvm_routes_set(struct rvm_vm *vm, const struct kvm_irq_routing __user *user);
void rvm_routes_free(struct rvm_irq *irq);
/*
 * A GSI's level changes.  Any context.  Number of local APICs and pins that took it;
 * 0: all of them had it already; -1: nobody listens.
 */
int rvm_set_gsi(struct rvm_irq *irq, u32 gsi, enum rvm_irq_source source, bool level);
int rvm_msi(struct rvm_irq *irq, u32 addr_lo, u32 addr_hi, u32 data);
/* The same numbers.  Any context; rvm_irq.lock may be held. */
int rvm_irq_send(struct rvm_irq *irq, const struct rvm_irq_msg *m);
/* Pin @pin of KVM_IRQCHIP_* @chip was served: to who listens.  No lock held. */
void rvm_irq_acked(struct rvm_irq *irq, u32 chip, u32 pin);
/* It is no longer masked.  No lock held. */
void rvm_irq_unmasked(struct rvm_irq *irq, u32 chip, u32 pin);
/* Does the client's IOAPIC want to hear of this EOI? */
bool rvm_routes_eoi(struct rvm_irq *irq, u8 vector);

/* ---- lapic.c ---------------------------------------------------------------- */
int rvm_lapic_create(struct rvm_vcpu *v);	/* vm->lock held */
void rvm_lapic_destroy(struct rvm_vcpu *v);
void rvm_lapic_reset(struct rvm_vcpu *v, bool init);	/* @init: by INIT, not power */
/* v->cpu.apic_base was written. */
void rvm_lapic_base(struct rvm_vcpu *v, u64 old);
void rvm_lapic_set_tpr(struct rvm_vcpu *v, u32 tpr);
void rvm_lapic_tsc_moves(struct rvm_vcpu *v);	/* before v->tsc_offset changes */
void rvm_lapic_tsc_moved(struct rvm_vcpu *v);	/* after it */
bool rvm_lapic_matches(struct rvm_lapic *l, const struct rvm_irq_msg *m);
u32 rvm_lapic_ppr(struct rvm_lapic *l);
/* 1: taken; 0: it had it; -1: not for it.  Any context. */
int rvm_lapic_accept(struct rvm_lapic *l, const struct rvm_irq_msg *m);
void rvm_lapic_lint0(struct rvm_lapic *l);	/* the PIC's INTR went up; rvm_irq.lock held */
bool rvm_lapic_takes_extint(const struct rvm_lapic *l);
void rvm_lapic_mmio(struct rvm_lapic *l, u32 off, void *data, u32 len, bool write);
int rvm_lapic_get_msr(struct rvm_vcpu *v, u32 msr, u64 *val, bool host);	/* or 1: #GP */
int rvm_lapic_set_msr(struct rvm_vcpu *v, u32 msr, u64 val, bool host);
int rvm_get_tsc_deadline(struct rvm_vcpu *v, u32 msr, u64 *val, bool host);
int rvm_set_tsc_deadline(struct rvm_vcpu *v, u32 msr, u64 val, bool host);
long rvm_get_lapic(struct rvm_vcpu *v, struct kvm_lapic_state *s);
long rvm_set_lapic(struct rvm_vcpu *v, const struct kvm_lapic_state *s);

/*
 * For the run loop; v->lapic is not NULL.
 * rvm_lapic_ready: is there an interrupt that IF alone may hold back?
 * rvm_lapic_ack: it is taken: its vector, or -1
 * rvm_lapic_events: INIT and SIPI are served
 */
bool rvm_lapic_ready(struct rvm_vcpu *v);
int rvm_lapic_ack(struct rvm_vcpu *v);
void rvm_lapic_events(struct rvm_vcpu *v);
/* Has the client to be told of something?  v->run is filled. */
bool rvm_lapic_exit(struct rvm_vcpu *v);
/* The copy of TPR in guest memory, from and to it; may sleep. */
void rvm_vapic_read(struct rvm_vcpu *v);
void rvm_vapic_write(struct rvm_vcpu *v);
long rvm_set_vapic(struct rvm_vcpu *v, u64 gpa);
/*
 * Paravirtual EOI: has the guest ended the service of an interrupt in memory?  Before
 * anything that depends on what is in service.  And: may it with the one just taken?
 * Its own thread, may sleep.
 */
void rvm_pv_eoi_read(struct rvm_vcpu *v);
void rvm_pv_eoi_offer(struct rvm_vcpu *v);
int rvm_set_pv_eoi(struct rvm_vcpu *v, u32 msr, u64 val, bool host);
int rvm_get_pv_eoi(struct rvm_vcpu *v, u32 msr, u64 *val, bool host);
void rvm_pv_kick(struct rvm_irq *irq, u32 id);	/* KVM_HC_KICK_CPU */
bool rvm_lapic_event_due(const struct rvm_lapic *l);	/* has one come? */
void rvm_lapic_set_mp_state(struct rvm_vcpu *v, u32 state);	/* KVM_SET_MP_STATE */

/* ---- ioapic.c, rvm_irq.lock held where no other is named ---------------------- */
void rvm_ioapic_reset(struct rvm_irq *irq);
int rvm_ioapic_set(struct rvm_irq *irq, u32 pin, enum rvm_irq_source source, bool level);
void rvm_ioapic_eoi(struct rvm_irq *irq, u8 vector, bool level);	/* takes it */
void rvm_ioapic_mmio(struct rvm_irq *irq, u32 off, void *data, u32 len, bool write); /* too */
void rvm_ioapic_get(struct rvm_irq *irq, struct kvm_ioapic_state *s);
void rvm_ioapic_put(struct rvm_irq *irq, const struct kvm_ioapic_state *s);

/* ---- pic.c, likewise ------------------------------------------------------------ */
void rvm_pic_reset(struct rvm_irq *irq);
int rvm_pic_set(struct rvm_irq *irq, u32 pin, enum rvm_irq_source source, bool level);
int rvm_pic_ack(struct rvm_irq *irq);		/* takes it: the vector */
bool rvm_pic_pio(struct rvm_irq *irq, u16 port, u8 *val, bool out);	/* too */
void rvm_pic_get(struct rvm_irq *irq, int chip, struct kvm_pic_state *s);
void rvm_pic_put(struct rvm_irq *irq, int chip, const struct kvm_pic_state *s);

/* ---- pit.c ------------------------------------------------------------------------ */
long rvm_pit_create(struct rvm_vm *vm, u32 flags);
void rvm_pit_stop(struct rvm_irq *irq);		/* its timer, for good */
void rvm_pit_free(struct rvm_irq *irq);
bool rvm_pit_pio(struct rvm_irq *irq, u16 port, u8 *val, bool out);
void rvm_pit_acked(struct rvm_pit *pit);	/* GSI 0 was served */
void rvm_pit_unmasked(struct rvm_pit *pit);	/* GSI 0 can be heard again */
void rvm_pit_get(struct rvm_pit *pit, struct kvm_pit_state2 *s);
long rvm_pit_put(struct rvm_pit *pit, const struct kvm_pit_state2 *s);
void rvm_pit_reinject(struct rvm_pit *pit, bool on);

/* ---- irqfd.c ---------------------------------------------------------------------- */
int rvm_irqfd_setup(void);			/* at load */
void rvm_irqfd_teardown(void);
long rvm_irqfd(struct rvm_vm *vm, const struct kvm_irqfd *a);
void rvm_irqfd_acked(struct rvm_irq *irq, u32 gsi);
void rvm_irqfds_release(struct rvm_irq *irq);	/* all; may sleep */

/* ---- ioeventfd.c, coalesced.c: writes that end here --------------------------------- */
/* Process context; @len bytes to an address or a port.  True: done. */
bool rvm_ioeventfd_write(struct rvm_irq *irq, bool pio, u64 addr, const void *data, u32 len);
bool rvm_coalesce(struct rvm_irq *irq, bool pio, u64 addr, const void *data, u32 len);
long rvm_ioeventfd(struct rvm_vm *vm, const struct kvm_ioeventfd *a);
long rvm_coalesce_zone(struct rvm_vm *vm, const struct kvm_coalesced_mmio_zone *z, bool add);
int rvm_coalesce_init(struct rvm_irq *irq);
void rvm_coalesce_free(struct rvm_irq *irq);
void rvm_ioeventfds_free(struct rvm_irq *irq);

#endif /* RVM_IRQ_H */
