// SPDX-License-Identifier: GPL-2.0
/*
 * The local APIC (SDM vol. 3 §10): its registers in both modes, the messages it
 * takes and sends, its timer, and what the CPU behind it takes next.
 *
 * The registers are written by the vCPU's own thread, or by the client's ioctl in its
 * place; messages come from anywhere.  The APIC id is the vCPU's, and read-only, as
 * on Intel's newer CPUs (§10.4.6).  The timer counts ns: a bus of 1 GHz.
 */
#include "irq.h"
#include "../mode.h"
#include "../cpu/cpu.h"
#include "../mmu/mmu.h"
#include "../trace.h"

#include <linux/math64.h>
#include <asm/apicdef.h>
#include <asm/tsc.h>

/* LVT and ICR fields (§10.5.1, §10.6.1) */
#define LVT_VECTOR		0xffu
#define LVT_MODE(x)		((x) >> 8 & 7)
#define LVT_STATUS		(1u << 12)
#define LVT_REMOTE_IRR		(1u << 14)
#define LVT_LEVEL		(1u << 15)
#define LVT_MASKED		(1u << 16)
#define LVT_TIMER_MODE		(3u << 17)
#define LVT_PERIODIC		(1u << 17)
#define LVT_TSC_DEADLINE	(2u << 17)
#define ICR_LOGICAL		(1u << 11)
#define ICR_ASSERT		(1u << 14)
#define ICR_LEVEL		(1u << 15)
#define ICR_DEFINED		0xccfffu
#define ICR_X2_RESERVED		0xfff32000u
#define SVR_ENABLE		(1u << 8)
#define SVR_NO_EOI_BROADCAST	(1u << 12)
#define SVR_DEFINED		(0x3ffu | SVR_NO_EOI_BROADCAST)
/* version 14h, 6 LVT entries, suppression of EOI broadcasts (§10.4.8) */
#define LAPIC_VERSION		(0x14u | (RVM_NR_LVT - 1) << 16 | 1u << 24)
/* ESR (§10.5.3) */
#define ESR_SEND_ILLEGAL	(1u << 5)
#define ESR_RECV_ILLEGAL	(1u << 6)
#define ESR_REGISTER		(1u << 7)

#define X2_BROADCAST		0xffffffffu
#define X_BROADCAST		0xffu

/*
 * A period below this is stretched to it: each tick costs the host an interrupt, and
 * no guest has ever asked for as many in earnest.
 */
#define LAPIC_MIN_PERIOD_NS	200000ull

static const u32 lvt_writable[RVM_NR_LVT] = {
	[RVM_LVT_TIMER] = LVT_VECTOR | LVT_MASKED | LVT_TIMER_MODE,
	[RVM_LVT_THERMAL] = LVT_VECTOR | 0x700 | LVT_MASKED,
	[RVM_LVT_PERF] = LVT_VECTOR | 0x700 | LVT_MASKED,
	/* and polarity, bit 13 */
	[RVM_LVT_LINT0] = LVT_VECTOR | 0x700 | 1u << 13 | LVT_LEVEL | LVT_MASKED,
	[RVM_LVT_LINT1] = LVT_VECTOR | 0x700 | 1u << 13 | LVT_LEVEL | LVT_MASKED,
	[RVM_LVT_ERROR] = LVT_VECTOR | LVT_MASKED,
};

static bool lapic_enabled(const struct rvm_lapic *l)
{
	return READ_ONCE(l->mode) != RVM_APIC_OFF && (READ_ONCE(l->svr) & SVR_ENABLE);
}

static bool lapic_x2(const struct rvm_lapic *l)
{
	return READ_ONCE(l->mode) == RVM_APIC_X2;
}

/* ---- 1. 256 bits, one for each vector ---------------------------------------- */

static bool vec_test(const u32 *bits, u8 vector)
{
	return bits[vector / 32] >> (vector % 32) & 1;
}

static void vec_set(u32 *bits, u8 vector)
{
	bits[vector / 32] |= 1u << (vector % 32);
}

static void vec_clear(u32 *bits, u8 vector)
{
	bits[vector / 32] &= ~(1u << (vector % 32));
}

/* The highest vector, or -1. */
static int vec_highest(const u32 *bits)
{
	int i;

	for (i = 7; i >= 0; i--)
		if (bits[i])
			return i * 32 + fls(bits[i]) - 1;
	return -1;
}

/* ---- 2. priorities (§10.8.3) ---------------------------------------------------- */

static u32 lapic_ppr(const struct rvm_lapic *l)
{
	int serving = vec_highest(l->isr);
	u32 tpr = l->tpr;

	if (serving < 0)
		serving = 0;
	return (tpr & 0xf0) >= (serving & 0xf0) ? tpr : serving & 0xf0;
}

u32 rvm_lapic_ppr(struct rvm_lapic *l)
{
	unsigned long flags;
	u32 ppr;

	raw_spin_lock_irqsave(&l->lock, flags);
	ppr = lapic_ppr(l);
	raw_spin_unlock_irqrestore(&l->lock, flags);
	return ppr;
}

/* The vector that the CPU would take, or -1.  lock held. */
static int lapic_next(struct rvm_lapic *l)
{
	int vector = vec_highest(l->irr);

	if (vector < 0) {
		WRITE_ONCE(l->irr_any, false);
		return -1;
	}
	/* Disabled by software it keeps what it has and gives nothing (§10.4.7.2). */
	if (!lapic_enabled(l))
		return -1;
	return (vector & 0xf0) > (lapic_ppr(l) & 0xf0) ? vector : -1;
}

/* LINT0 passes the PIC's interrupts on; without the APIC it is the CPU's INTR pin. */
bool rvm_lapic_takes_extint(const struct rvm_lapic *l)
{
	u32 lvt = READ_ONCE(l->lvt[RVM_LVT_LINT0]);

	if (READ_ONCE(l->mode) == RVM_APIC_OFF)
		return true;
	return !(lvt & LVT_MASKED) && LVT_MODE(lvt) == RVM_DM_EXTINT;
}

static bool lapic_extint(const struct rvm_lapic *l)
{
	return READ_ONCE(l->irq->pic.out) && rvm_lapic_takes_extint(l);
}

/* ---- 3. errors ---------------------------------------------------------------- */

static int lapic_take(struct rvm_lapic *l, u8 vector, bool level);

/* lock held */
static void lapic_error(struct rvm_lapic *l, u32 bit)
{
	u32 lvt = l->lvt[RVM_LVT_ERROR];
	bool first = !(l->esr_next & bit);

	l->esr_next |= bit;
	if (!first || (lvt & LVT_MASKED))
		return;
	if ((lvt & LVT_VECTOR) < 16)
		l->esr_next |= ESR_RECV_ILLEGAL;
	else
		lapic_take(l, lvt & LVT_VECTOR, false);
}

/* ---- 4. what comes in ------------------------------------------------------------ */

/* Into IRR; lock held.  1, or 0 if it was there. */
static int lapic_take(struct rvm_lapic *l, u8 vector, bool level)
{
	bool had = vec_test(l->irr, vector);

	vec_set(l->irr, vector);
	WRITE_ONCE(l->irr_any, true);
	if (level)
		vec_set(l->tmr, vector);
	else
		vec_clear(l->tmr, vector);
	return !had;
}

static int lapic_take_fixed(struct rvm_lapic *l, u8 vector, bool level)
{
	unsigned long flags;
	int ret = -1;

	if (!lapic_enabled(l))
		return -1;
	raw_spin_lock_irqsave(&l->lock, flags);
	if (vector < 16)
		lapic_error(l, ESR_RECV_ILLEGAL);
	else
		ret = lapic_take(l, vector, level);
	raw_spin_unlock_irqrestore(&l->lock, flags);
	rvm_wake(l->v);
	return ret;
}

static int lapic_event(struct rvm_lapic *l, const struct rvm_irq_msg *m)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&l->lock, flags);
	if (m->mode == RVM_DM_INIT) {
		/* A SIPI that came before it is void. */
		__clear_bit(RVM_APIC_SIPI, &l->events);
		__set_bit(RVM_APIC_INIT, &l->events);
	} else {
		l->sipi = m->vector;
		__set_bit(RVM_APIC_SIPI, &l->events);
	}
	raw_spin_unlock_irqrestore(&l->lock, flags);
	rvm_wake(l->v);
	return 1;
}

int rvm_lapic_accept(struct rvm_lapic *l, const struct rvm_irq_msg *m)
{
	switch (m->mode) {
	case RVM_DM_FIXED:
	case RVM_DM_LOWEST:
		return lapic_take_fixed(l, m->vector, m->level);
	case RVM_DM_NMI:
		rvm_nmi(l->v);
		return 1;
	case RVM_DM_INIT:
		/* Level de-assert only set arbitration ids, long ago (§10.6.1). */
		return m->assert ? lapic_event(l, m) : 1;
	case RVM_DM_STARTUP:
		return lapic_event(l, m);
	default:
		/* There is no system-management mode, and INTA cycles go to the PIC by
		 * LINT0 alone. */
		return -1;
	}
}

/**
 * rvm_lapic_lint0 - the PIC's INTR output goes up
 * @l: a local APIC; rvm_irq.lock held
 */
void rvm_lapic_lint0(struct rvm_lapic *l)
{
	u32 lvt = READ_ONCE(l->lvt[RVM_LVT_LINT0]);

	if (rvm_lapic_takes_extint(l)) {
		rvm_wake(l->v);
	} else if (!(lvt & LVT_MASKED)) {
		struct rvm_irq_msg m = { .vector = lvt & LVT_VECTOR, .mode = LVT_MODE(lvt) };

		if (m.mode == RVM_DM_FIXED || m.mode == RVM_DM_NMI)
			rvm_lapic_accept(l, &m);
	}
}

/* ---- 5. is a message for this one (§10.6.2)? -------------------------------------- */

static bool lapic_matches_logical(const struct rvm_lapic *l, u32 dest)
{
	u32 ldr = READ_ONCE(l->ldr);

	if (lapic_x2(l))
		return ldr >> 16 == dest >> 16 && (ldr & dest & 0xffff);
	ldr >>= 24;
	if (dest > 0xff)
		return false;
	if (READ_ONCE(l->dfr) >> 28 == 0xf)		/* flat */
		return ldr & dest;
	return ldr >> 4 == dest >> 4 && (ldr & dest & 0xf);	/* cluster */
}

bool rvm_lapic_matches(struct rvm_lapic *l, const struct rvm_irq_msg *m)
{
	bool wide = m->from ? lapic_x2(m->from) : false;
	u32 dest = m->dest;

	switch (m->shorthand) {
	case RVM_SH_SELF:
		return l == m->from;
	case RVM_SH_ALL:
		return true;
	case RVM_SH_OTHERS:
		return l != m->from;
	}
	if (dest == X2_BROADCAST && (wide || !m->from))
		return true;
	/* The broadcast of 8 bits also reaches an x2APIC, unless the client knows better
	 * (KVM API, KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK). */
	if (dest == X_BROADCAST && (!lapic_x2(l) || (!m->from &&
	    !(l->irq->x2apic_flags & KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK))))
		return true;
	if (m->logical)
		return READ_ONCE(l->mode) != RVM_APIC_OFF && lapic_matches_logical(l, dest);
	return dest == l->v->id;
}

/* ---- 6. the timer (§10.5.4) --------------------------------------------------------- */

static u32 lapic_timer_mode(const struct rvm_lapic *l)
{
	return READ_ONCE(l->lvt[RVM_LVT_TIMER]) & LVT_TIMER_MODE;
}

/* Guest TSC ticks to ns, rounded up; ten years at most, when the timer looks again. */
static u64 lapic_tsc_to_ns(u64 ticks)
{
	u64 max = (u64)tsc_khz * 1000 * (10 * 365 * 24 * 3600);

	return mul_u64_u32_div(min(ticks, max), 1000000, tsc_khz) + 1;
}

static void lapic_timer_fire(struct rvm_lapic *l)
{
	u32 lvt = READ_ONCE(l->lvt[RVM_LVT_TIMER]);

	if (!(lvt & LVT_MASKED))
		lapic_take_fixed(l, lvt & LVT_VECTOR, false);
}

/*
 * What has come is raised, with the registers as they are.  When to look again, ns of
 * CLOCK_MONOTONIC, or 0: the timer does not run.  In the callback, or where that cannot
 * be running.
 */
static u64 lapic_timer_serve(struct rvm_lapic *l)
{
	u64 now = ktime_get_ns(), tsc;

	if (lapic_timer_mode(l) == LVT_TSC_DEADLINE) {
		if (!l->tsc_deadline)
			return 0;
		/* Two clocks do not agree to the ns, and an early one would find the
		 * guest's time not come. */
		tsc = rvm_guest_tsc(l->v);
		if (l->tsc_deadline > tsc)
			return now + lapic_tsc_to_ns(l->tsc_deadline - tsc);
		lapic_timer_fire(l);
		WRITE_ONCE(l->tsc_deadline, 0);
		return 0;
	}
	if (!l->target || l->target > now)
		return l->target;
	lapic_timer_fire(l);
	if (lapic_timer_mode(l) == LVT_PERIODIC && l->period)
		WRITE_ONCE(l->target, now + l->period - (now - l->target) % l->period);
	else
		WRITE_ONCE(l->target, 0);
	return l->target;
}

static enum hrtimer_restart lapic_timer_expired(struct hrtimer *t)
{
	struct rvm_lapic *l = container_of(t, struct rvm_lapic, timer);
	u64 next = lapic_timer_serve(l);

	if (!next)
		return HRTIMER_NORESTART;
	hrtimer_set_expires(t, ns_to_ktime(next));
	return HRTIMER_RESTART;
}

/*
 * The guest's timer does not wait for the host's: before a write changes what an expiry
 * means, and before a read that shows it, what has come by now is raised.  From stop to
 * go nothing comes.  The vCPU's own thread, or the client in its place; no lock held.
 */
static void lapic_timer_stop(struct rvm_lapic *l)
{
	hrtimer_cancel(&l->timer);
	lapic_timer_serve(l);
}

static void lapic_timer_go(struct rvm_lapic *l)
{
	u64 next = lapic_timer_serve(l);

	if (next)
		hrtimer_start(&l->timer, ns_to_ktime(next), HRTIMER_MODE_ABS_HARD);
}

/* Before a read; cheap where nothing has come. */
static void lapic_timer_look(struct rvm_lapic *l)
{
	u64 target = READ_ONCE(l->target), deadline = READ_ONCE(l->tsc_deadline);

	if (lapic_timer_mode(l) == LVT_TSC_DEADLINE ?
	    !deadline || deadline > rvm_guest_tsc(l->v) :
	    !target || target > ktime_get_ns())
		return;
	lapic_timer_stop(l);
	lapic_timer_go(l);
}

/* From divide configuration: 1 to 128. */
static u32 lapic_divisor(const struct rvm_lapic *l)
{
	u32 d = (l->tdcr & 3) | (l->tdcr & 8) >> 1;

	return 1u << ((d + 1) & 7);
}

/* 0 only if the timer has expired: a tick that has begun counts. */
static u32 lapic_current_count(const struct rvm_lapic *l)
{
	u64 now = ktime_get_ns(), target = READ_ONCE(l->target), left;
	u32 d = lapic_divisor(l);

	if (!target || lapic_timer_mode(l) == LVT_TSC_DEADLINE)
		return 0;
	/* It expires while somebody looks: it has not yet. */
	left = target > now ? target - now : 1;
	return min_t(u64, div_u64(left + d - 1, d), l->tmict);
}

/* The timer has @count more ticks, then whole periods.  Stopped. */
static void lapic_timer_set(struct rvm_lapic *l, u32 count)
{
	u64 period = (u64)l->tmict * lapic_divisor(l);
	u64 left = (u64)count * lapic_divisor(l);

	l->period = period;
	if (lapic_timer_mode(l) == LVT_PERIODIC) {
		l->period = max(period, LAPIC_MIN_PERIOD_NS);
		if (period != l->period)
			left = l->period;
	}
	WRITE_ONCE(l->target, count ? ktime_get_ns() + left : 0);
}

static void lapic_write_tmict(struct rvm_lapic *l, u32 val)
{
	if (lapic_timer_mode(l) == LVT_TSC_DEADLINE)
		return;
	lapic_timer_stop(l);
	l->tmict = val;
	lapic_timer_set(l, val);
	lapic_timer_go(l);
}

static void lapic_write_tdcr(struct rvm_lapic *l, u32 val)
{
	u32 left;

	lapic_timer_stop(l);
	left = lapic_current_count(l);
	l->tdcr = val & 0xb;
	lapic_timer_set(l, left);
	lapic_timer_go(l);
}

static void lapic_write_lvt_timer(struct rvm_lapic *l, u32 val)
{
	u32 old = lapic_timer_mode(l), mode = val & LVT_TIMER_MODE, left;

	lapic_timer_stop(l);
	left = lapic_current_count(l);
	WRITE_ONCE(l->lvt[RVM_LVT_TIMER], val);
	if (old != mode) {
		if (old == LVT_TSC_DEADLINE || mode == LVT_TSC_DEADLINE) {
			l->tmict = 0;
			left = 0;
			WRITE_ONCE(l->tsc_deadline, 0);
		}
		lapic_timer_set(l, left);
	}
	lapic_timer_go(l);
}

/* IA32_TSC_DEADLINE (§10.5.4.1).  0, or 1: #GP(0). */
int rvm_get_tsc_deadline(struct rvm_vcpu *v, u32 msr, u64 *val, bool host)
{
	struct rvm_lapic *l = v->lapic;

	*val = 0;
	if (!l)
		return !host;
	lapic_timer_look(l);
	*val = lapic_timer_mode(l) == LVT_TSC_DEADLINE ? READ_ONCE(l->tsc_deadline) : 0;
	return 0;
}

int rvm_set_tsc_deadline(struct rvm_vcpu *v, u32 msr, u64 val, bool host)
{
	struct rvm_lapic *l = v->lapic;

	if (!l)
		return !host;
	if (lapic_timer_mode(l) != LVT_TSC_DEADLINE)
		return 0;
	lapic_timer_stop(l);
	WRITE_ONCE(l->tsc_deadline, val);
	lapic_timer_go(l);
	return 0;
}

/* The guest's TSC becomes another one: the same deadline comes at another time. */
void rvm_lapic_tsc_moves(struct rvm_vcpu *v)
{
	if (v->lapic)
		lapic_timer_stop(v->lapic);
}

void rvm_lapic_tsc_moved(struct rvm_vcpu *v)
{
	if (v->lapic)
		lapic_timer_go(v->lapic);
}

/* ---- 7. what goes out ------------------------------------------------------------------ */

static void lapic_send_ipi(struct rvm_lapic *l, u32 icr, u32 dest)
{
	struct rvm_irq_msg m = {
		.dest = dest, .from = l, .vector = icr & LVT_VECTOR, .mode = LVT_MODE(icr),
		.shorthand = icr >> 18 & 3, .logical = icr & ICR_LOGICAL,
		.level = icr & ICR_LEVEL, .assert = icr & ICR_ASSERT,
	};
	unsigned long flags;

	if ((m.mode == RVM_DM_FIXED || m.mode == RVM_DM_LOWEST) && m.vector < 16) {
		raw_spin_lock_irqsave(&l->lock, flags);
		lapic_error(l, ESR_SEND_ILLEGAL);
		raw_spin_unlock_irqrestore(&l->lock, flags);
		return;
	}
	/* A fixed IPI is an edge, whatever its trigger mode says: the bit is for INIT
	 * (§10.6.1). */
	if (m.mode != RVM_DM_INIT)
		m.level = false;
	else
		m.assert = m.assert || !m.level;
	rvm_irq_send(l->irq, &m);
}

static void lapic_eoi(struct rvm_lapic *l)
{
	unsigned long flags;
	bool level = false;
	int vector;

	raw_spin_lock_irqsave(&l->lock, flags);
	vector = vec_highest(l->isr);
	if (vector >= 0) {
		vec_clear(l->isr, vector);
		level = vec_test(l->tmr, vector);
	}
	raw_spin_unlock_irqrestore(&l->lock, flags);
	if (vector < 0)
		return;
	if (level && (l->svr & SVR_NO_EOI_BROADCAST))
		return;
	if (rvm_chips(l->v->vm) == RVM_CHIPS_ALL)
		rvm_ioapic_eoi(l->irq, vector, level);
	else if (level && rvm_routes_eoi(l->irq, vector))
		l->eoi_vector = vector;
}

/* ---- 8. registers ------------------------------------------------------------------------ */

/* @off: a multiple of 16.  False: there is no such register. */
static bool lapic_peek(struct rvm_lapic *l, u32 off, u32 *val)
{
	unsigned long flags;
	bool ok = true;

	*val = 0;
	raw_spin_lock_irqsave(&l->lock, flags);
	switch (off) {
	case APIC_ID:
		*val = lapic_x2(l) ? l->v->id : l->v->id << 24;
		break;
	case APIC_LVR:
		*val = LAPIC_VERSION;
		break;
	case APIC_TASKPRI:
		*val = l->tpr;
		break;
	case APIC_ARBPRI:
		/* that of the newer CPUs, which do not arbitrate */
		ok = !lapic_x2(l);
		break;
	case APIC_PROCPRI:
		*val = lapic_ppr(l);
		break;
	case APIC_EOI:
		ok = !lapic_x2(l);
		break;
	case APIC_LDR:
		*val = l->ldr;
		break;
	case APIC_DFR:
		*val = l->dfr;
		ok = !lapic_x2(l);
		break;
	case APIC_SPIV:
		*val = l->svr;
		break;
	case APIC_ISR ... APIC_ISR + 0x70:
		*val = l->isr[(off - APIC_ISR) / 16];
		break;
	case APIC_TMR ... APIC_TMR + 0x70:
		*val = l->tmr[(off - APIC_TMR) / 16];
		break;
	case APIC_IRR ... APIC_IRR + 0x70:
		*val = l->irr[(off - APIC_IRR) / 16];
		break;
	case APIC_ESR:
		*val = l->esr;
		break;
	case APIC_ICR:
		*val = l->icr;
		break;
	case APIC_ICR2:
		*val = l->icr2;
		ok = !lapic_x2(l);
		break;
	case APIC_LVTT ... APIC_LVTERR:
		*val = l->lvt[(off - APIC_LVTT) / 16];
		break;
	case APIC_TMICT:
		*val = l->tmict;
		break;
	case APIC_TMCCT:
		*val = lapic_current_count(l);
		break;
	case APIC_TDCR:
		*val = l->tdcr;
		break;
	default:
		ok = false;
	}
	raw_spin_unlock_irqrestore(&l->lock, flags);
	return ok;
}

static bool lapic_read(struct rvm_lapic *l, u32 off, u32 *val)
{
	if (off == APIC_TMCCT || (off >= APIC_IRR && off < APIC_IRR + 0x80))
		lapic_timer_look(l);
	return lapic_peek(l, off, val);
}

static bool lapic_has_deadline(const struct rvm_lapic *l)
{
	const struct kvm_cpuid_entry2 *e = rvm_cpuid_find(l->v, 1, 0);

	return e && e->ecx >> 24 & 1;
}

static void lapic_write_lvt(struct rvm_lapic *l, u32 n, u32 val)
{
	val &= lvt_writable[n];
	if (n == RVM_LVT_TIMER && !lapic_has_deadline(l))
		val &= ~LVT_TSC_DEADLINE;
	if (!(l->svr & SVR_ENABLE))
		val |= LVT_MASKED;
	if (n == RVM_LVT_TIMER)
		lapic_write_lvt_timer(l, val);
	else
		WRITE_ONCE(l->lvt[n], val);
	/* The PIC may be waiting behind LINT0. */
	if (n == RVM_LVT_LINT0 && READ_ONCE(l->irq->pic.out) && rvm_lapic_takes_extint(l))
		rvm_wake(l->v);
}

static void lapic_write_svr(struct rvm_lapic *l, u32 val)
{
	u32 i;

	if (val & SVR_ENABLE) {
		WRITE_ONCE(l->svr, val & SVR_DEFINED);
		rvm_wake(l->v);
		return;
	}
	lapic_timer_stop(l);
	WRITE_ONCE(l->svr, val & SVR_DEFINED);
	for (i = 0; i < RVM_NR_LVT; i++)
		WRITE_ONCE(l->lvt[i], l->lvt[i] | LVT_MASKED);
	lapic_timer_go(l);
}

static void lapic_write_esr(struct rvm_lapic *l)
{
	unsigned long flags;

	/* The write is what latches (§10.5.3). */
	raw_spin_lock_irqsave(&l->lock, flags);
	l->esr = l->esr_next;
	l->esr_next = 0;
	raw_spin_unlock_irqrestore(&l->lock, flags);
}

void rvm_lapic_set_tpr(struct rvm_vcpu *v, u32 tpr)
{
	struct rvm_lapic *l = v->lapic;

	WRITE_ONCE(l->tpr, tpr & 0xff);
	/* Its upper half is CR8 (§10.8.6). */
	rvm_touch(v, RVM_G_CR);
	v->cpu.cr8 = (tpr & 0xff) >> 4;
}

/* What both modes have.  False: no such register, or it cannot be written. */
static bool lapic_write(struct rvm_lapic *l, u32 off, u32 val)
{
	switch (off) {
	case APIC_TASKPRI:
		rvm_lapic_set_tpr(l->v, val);
		return true;
	case APIC_EOI:
		lapic_eoi(l);
		return true;
	case APIC_SPIV:
		lapic_write_svr(l, val);
		return true;
	case APIC_ESR:
		lapic_write_esr(l);
		return true;
	case APIC_LVTT ... APIC_LVTERR:
		lapic_write_lvt(l, (off - APIC_LVTT) / 16, val);
		return true;
	case APIC_TMICT:
		lapic_write_tmict(l, val);
		return true;
	case APIC_TDCR:
		lapic_write_tdcr(l, val);
		return true;
	default:
		return false;
	}
}

static bool lapic_write_x(struct rvm_lapic *l, u32 off, u32 val)
{
	switch (off) {
	case APIC_ID:		/* read-only here */
	case APIC_LVR:
	case APIC_ARBPRI:
	case APIC_PROCPRI:
	case APIC_ISR ... APIC_ISR + 0x70:
	case APIC_TMR ... APIC_TMR + 0x70:
	case APIC_IRR ... APIC_IRR + 0x70:
	case APIC_TMCCT:
		return true;
	case APIC_LDR:
		WRITE_ONCE(l->ldr, val & 0xff000000);
		return true;
	case APIC_DFR:
		WRITE_ONCE(l->dfr, val | 0x0fffffff);
		return true;
	case APIC_ICR2:
		l->icr2 = val & 0xff000000;
		return true;
	case APIC_ICR:
		/* Delivery status reads as idle: sending takes no time. */
		l->icr = val & ICR_DEFINED & ~LVT_STATUS;
		lapic_send_ipi(l, l->icr, l->icr2 >> 24);
		return true;
	default:
		return lapic_write(l, off, val);
	}
}

/**
 * rvm_lapic_mmio - an access to the APIC page
 * @l: in xAPIC mode; its vCPU's own thread
 * @off: in the page
 *
 * Registers are 32 bits wide and 16 bytes apart (§10.4.1); other accesses are
 * undefined, and here parts of registers can be read and nothing else.
 */
void rvm_lapic_mmio(struct rvm_lapic *l, u32 off, void *data, u32 len, bool write)
{
	unsigned long flags;
	bool ok = true;
	u32 val;

	if (unlikely(l->tpr_report) && (off & ~15u) == APIC_TASKPRI) {
		l->tpr_access = true;
		l->tpr_write = write;
		l->tpr_rip = l->v->cpu.rip;
	}
	if (write) {
		if (len != 4 || (off & 15))
			return;
		memcpy(&val, data, 4);
		ok = lapic_write_x(l, off, val);
	} else {
		memset(data, 0, len);
		if ((off & 15) + len > 4)
			return;
		ok = lapic_read(l, off & ~15u, &val);
		memcpy(data, (u8 *)&val + (off & 15), len);
	}
	if (ok)
		return;
	raw_spin_lock_irqsave(&l->lock, flags);
	lapic_error(l, ESR_REGISTER);
	raw_spin_unlock_irqrestore(&l->lock, flags);
}

/* ---- 9. x2APIC (§10.12) ------------------------------------------------------------------ */

static u32 lapic_msr_off(u32 msr)
{
	return (msr - 0x800) << 4;
}

int rvm_lapic_get_msr(struct rvm_vcpu *v, u32 msr, u64 *val, bool host)
{
	struct rvm_lapic *l = v->lapic;
	u32 off = lapic_msr_off(msr), low;

	if (!l || !lapic_x2(l) || !lapic_read(l, off, &low))
		return 1;
	*val = low;
	if (off == APIC_ICR)
		*val |= (u64)l->icr2 << 32;
	return 0;
}

int rvm_lapic_set_msr(struct rvm_vcpu *v, u32 msr, u64 val, bool host)
{
	struct rvm_lapic *l = v->lapic;
	u32 off = lapic_msr_off(msr);

	if (!l || !lapic_x2(l))
		return 1;
	if (off == APIC_ICR) {
		if ((u32)val & ICR_X2_RESERVED)
			return 1;
		l->icr = val;
		l->icr2 = val >> 32;
		lapic_send_ipi(l, l->icr, l->icr2);
		return 0;
	}
	/* Reserved bits fault in this mode (§10.12.1.2). */
	if (val >> 32)
		return 1;
	switch (off) {
	case APIC_SELF_IPI:
		if (val & ~0xffull)
			return 1;
		lapic_send_ipi(l, RVM_SH_SELF << 18 | (u32)val, 0);
		return 0;
	case APIC_TASKPRI:
		if (val & ~0xffull)
			return 1;
		break;
	case APIC_EOI:
	case APIC_ESR:
		if (val)
			return 1;
		break;
	case APIC_SPIV:
		if (val & ~(u64)SVR_DEFINED)
			return 1;
		break;
	case APIC_LVTT ... APIC_LVTERR:
		if (val & ~(u64)(lvt_writable[(off - APIC_LVTT) / 16] | LVT_STATUS |
				 LVT_REMOTE_IRR))
			return 1;
		break;
	case APIC_TDCR:
		if (val & ~0xbull)
			return 1;
		break;
	}
	return !lapic_write(l, off, val);
}

/* ---- 10. INIT, SIPI, reset ------------------------------------------------------------------ */

static u32 lapic_x2_ldr(u32 id)
{
	return id >> 4 << 16 | 1u << (id & 15);
}

static enum rvm_lapic_mode lapic_base_mode(u64 base)
{
	if (!(base & RVM_APIC_BASE_ENABLE))
		return RVM_APIC_OFF;
	return base & RVM_APIC_BASE_X2 ? RVM_APIC_X2 : RVM_APIC_X;
}

/* The state after power-up or INIT (§10.4.7.1). */
static void lapic_clear(struct rvm_lapic *l)
{
	unsigned long flags;
	u32 i;

	hrtimer_cancel(&l->timer);
	raw_spin_lock_irqsave(&l->lock, flags);
	memset(l->irr, 0, sizeof(l->irr));
	memset(l->isr, 0, sizeof(l->isr));
	memset(l->tmr, 0, sizeof(l->tmr));
	WRITE_ONCE(l->irr_any, false);
	WRITE_ONCE(l->tpr, 0);
	WRITE_ONCE(l->ldr, 0);
	WRITE_ONCE(l->dfr, ~0u);
	WRITE_ONCE(l->svr, 0xff);
	l->esr = 0;
	l->esr_next = 0;
	l->icr = 0;
	l->icr2 = 0;
	l->tdcr = 0;
	l->tmict = 0;
	l->tsc_deadline = 0;
	l->target = 0;
	l->period = 0;
	for (i = 0; i < RVM_NR_LVT; i++)
		WRITE_ONCE(l->lvt[i], LVT_MASKED);
	/* BIOSes rely on the boot processor's LINT0 being the PIC's (KVM API,
	 * KVM_X86_QUIRK_LINT0_REENABLED). */
	if (l->v->id == l->irq->bsp)
		WRITE_ONCE(l->lvt[RVM_LVT_LINT0], RVM_DM_EXTINT << 8);
	if (lapic_x2(l))
		WRITE_ONCE(l->ldr, lapic_x2_ldr(l->v->id));
	l->eoi_vector = -1;
	l->pv_eoi = 0;
	l->pv_eoi_set = false;
	l->unhalted = false;
	raw_spin_unlock_irqrestore(&l->lock, flags);
}

/**
 * rvm_lapic_reset - with its CPU
 * @v: its own thread; v->cpu.apic_base as it will be
 * @init: by INIT, which has been taken
 */
void rvm_lapic_reset(struct rvm_vcpu *v, bool init)
{
	struct rvm_lapic *l = v->lapic;

	if (!init)
		l->events = 0;
	WRITE_ONCE(l->mode, lapic_base_mode(v->cpu.apic_base));
	lapic_clear(l);
}

void rvm_lapic_base(struct rvm_vcpu *v, u64 old)
{
	struct rvm_lapic *l = v->lapic;
	enum rvm_lapic_mode mode = lapic_base_mode(v->cpu.apic_base);

	if (mode == lapic_base_mode(old))
		return;
	WRITE_ONCE(l->mode, mode);
	if (mode == RVM_APIC_OFF) {
		/* Switched on again it is as after power-up (§10.4.3). */
		lapic_clear(l);
		rvm_lapic_set_tpr(v, 0);
	} else if (mode == RVM_APIC_X2) {
		WRITE_ONCE(l->ldr, lapic_x2_ldr(v->id));
	}
	rvm_wake(v);
}

/*
 * INIT and SIPI (§8.4.3).  A SIPI is for a CPU that waits for it, and lost on any
 * other.
 */
void rvm_lapic_events(struct rvm_vcpu *v)
{
	struct rvm_lapic *l = v->lapic;
	unsigned long flags, events;
	u8 vector;

	if (!READ_ONCE(l->events))
		return;
	raw_spin_lock_irqsave(&l->lock, flags);
	events = l->events;
	l->events = 0;
	vector = l->sipi;
	raw_spin_unlock_irqrestore(&l->lock, flags);

	if (events & BIT(RVM_APIC_INIT)) {
		rvm_vcpu_init_signal(v);
		v->mp_state = v->id == l->irq->bsp ? KVM_MP_STATE_RUNNABLE :
			KVM_MP_STATE_INIT_RECEIVED;
	}
	if ((events & BIT(RVM_APIC_SIPI)) && v->mp_state == KVM_MP_STATE_INIT_RECEIVED) {
		struct rvm_seg *cs = &v->cpu.seg[RVM_CS];

		rvm_touch(v, RVM_G_SEG);
		cs->sel = vector << 8;
		cs->base = vector << 12;
		v->cpu.rip = 0;
		v->mp_state = KVM_MP_STATE_RUNNABLE;
	}
}

bool rvm_lapic_event_due(const struct rvm_lapic *l)
{
	return READ_ONCE(l->events) != 0;
}

/* A SIPI that has been received (an old way to say it) is served at the next entry. */
void rvm_lapic_set_mp_state(struct rvm_vcpu *v, u32 state)
{
	struct rvm_lapic *l = v->lapic;
	unsigned long flags;

	raw_spin_lock_irqsave(&l->lock, flags);
	l->events = 0;
	if (state == KVM_MP_STATE_SIPI_RECEIVED) {
		state = KVM_MP_STATE_INIT_RECEIVED;
		l->events = BIT(RVM_APIC_SIPI);
	}
	v->mp_state = state;
	raw_spin_unlock_irqrestore(&l->lock, flags);
	rvm_wake(v);
}

/* ---- 11. what the CPU takes ------------------------------------------------------------------ */

bool rvm_lapic_ready(struct rvm_vcpu *v)
{
	struct rvm_lapic *l = v->lapic;
	unsigned long flags;
	bool ready;

	if (lapic_extint(l))
		return true;
	if (!READ_ONCE(l->irr_any))
		return false;
	raw_spin_lock_irqsave(&l->lock, flags);
	ready = lapic_next(l) >= 0;
	raw_spin_unlock_irqrestore(&l->lock, flags);
	return ready;
}

int rvm_lapic_ack(struct rvm_vcpu *v)
{
	struct rvm_lapic *l = v->lapic;
	unsigned long flags;
	int vector;

	/* The PIC's have no priority that TPR could be compared with. */
	if (lapic_extint(l))
		return rvm_pic_ack(l->irq);
	if (!READ_ONCE(l->irr_any))
		return -1;
	raw_spin_lock_irqsave(&l->lock, flags);
	vector = lapic_next(l);
	if (vector >= 0) {
		vec_clear(l->irr, vector);
		vec_set(l->isr, vector);
		WRITE_ONCE(l->irr_any, vec_highest(l->irr) >= 0);
	}
	raw_spin_unlock_irqrestore(&l->lock, flags);
	return vector;
}

/* ---- 12. paravirtual (kernel documentation, virt/kvm/x86/msr.rst, hypercalls.rst) ---------------- */

#define PV_EOI_ENABLE	1ull
#define PV_EOI_PENDING	1u	/* in guest memory: a real EOI is not needed */

void rvm_pv_eoi_read(struct rvm_vcpu *v)
{
	struct rvm_lapic *l = v->lapic;
	u64 gpa = l->pv_eoi & ~PV_EOI_ENABLE;
	u8 byte;

	if (likely(!l->pv_eoi_set))
		return;
	if (rvm_gpa_read(v->vm, gpa, &byte, sizeof(byte)))
		return;
	if (!(byte & PV_EOI_PENDING)) {
		l->pv_eoi_set = false;
		v->stats.pv_eoi++;
		lapic_eoi(l);
		return;
	}
	/* What waits is to come at the EOI: so that must be a real one. */
	if (!READ_ONCE(l->irr_any))
		return;
	byte &= ~PV_EOI_PENDING;
	if (!rvm_gpa_write(v->vm, gpa, &byte, sizeof(byte)))
		l->pv_eoi_set = false;
}

void rvm_pv_eoi_offer(struct rvm_vcpu *v)
{
	struct rvm_lapic *l = v->lapic;
	u64 gpa = l->pv_eoi & ~PV_EOI_ENABLE;
	unsigned long flags;
	bool ok = false;
	int vector;
	u8 byte;

	if (!(l->pv_eoi & PV_EOI_ENABLE) || l->pv_eoi_set)
		return;
	raw_spin_lock_irqsave(&l->lock, flags);
	vector = vec_highest(l->isr);
	if (vector >= 0 && vec_highest(l->irr) < 0)
		/* Nobody else is to hear of its EOI. */
		ok = !vec_test(l->tmr, vector) && !test_bit(vector, l->irq->ioapic.vectors);
	raw_spin_unlock_irqrestore(&l->lock, flags);
	if (!ok || rvm_gpa_read(v->vm, gpa, &byte, sizeof(byte)))
		return;
	byte |= PV_EOI_PENDING;
	if (!rvm_gpa_write(v->vm, gpa, &byte, sizeof(byte)))
		l->pv_eoi_set = true;
}

/* MSR_KVM_PV_EOI_EN.  0, or 1: #GP(0). */
int rvm_set_pv_eoi(struct rvm_vcpu *v, u32 msr, u64 val, bool host)
{
	struct rvm_lapic *l = v->lapic;

	if (val & 2)
		return 1;
	if (!l)
		return 0;	/* the client's local APIC knows of none */
	rvm_pv_eoi_read(v);
	l->pv_eoi_set = false;
	l->pv_eoi = val;
	return 0;
}

int rvm_get_pv_eoi(struct rvm_vcpu *v, u32 msr, u64 *val, bool host)
{
	*val = v->lapic ? v->lapic->pv_eoi : 0;
	return 0;
}

void rvm_pv_kick(struct rvm_irq *irq, u32 id)
{
	struct rvm_lapic *l;

	if (id >= RVM_MAX_VCPUS)
		return;
	l = READ_ONCE(irq->lapics[array_index_nospec(id, RVM_MAX_VCPUS)]);
	if (!l)
		return;
	WRITE_ONCE(l->unhalted, true);
	rvm_wake(l->v);
}

/* ---- 13. the client (KVM API §4.57, §4.58) ----------------------------------------------------- */

static void put_reg(struct kvm_lapic_state *s, u32 off, u32 val)
{
	memcpy(s->regs + off, &val, 4);
}

static u32 get_reg(const struct kvm_lapic_state *s, u32 off)
{
	u32 val;

	memcpy(&val, s->regs + off, 4);
	return val;
}

/* An x2APIC's id has 32 bits in the structure if the client can read them there. */
static u32 lapic_abi_id(const struct rvm_lapic *l)
{
	return lapic_x2(l) && (l->irq->x2apic_flags & KVM_X2APIC_API_USE_32BIT_IDS) ?
		l->v->id : l->v->id << 24;
}

long rvm_get_lapic(struct rvm_vcpu *v, struct kvm_lapic_state *s)
{
	struct rvm_lapic *l = v->lapic;
	u32 off, val;

	if (!l)
		return -EINVAL;
	memset(s, 0, sizeof(*s));
	rvm_pv_eoi_read(v);
	/* An expiry is in IRR or still to come, not both and not neither. */
	lapic_timer_stop(l);
	for (off = 0; off < sizeof(s->regs); off += 16)
		if (lapic_peek(l, off, &val))
			put_reg(s, off, val);
	lapic_timer_go(l);
	put_reg(s, APIC_ID, lapic_abi_id(l));
	if (lapic_x2(l))
		put_reg(s, APIC_ICR2, l->icr2);
	return 0;
}

/*
 * Every register is cut down to what it can hold.  An id that is not the vCPU's is
 * refused in x2APIC mode and ignored else, where old clients have it wrong.
 */
long rvm_set_lapic(struct rvm_vcpu *v, const struct kvm_lapic_state *s)
{
	struct rvm_lapic *l = v->lapic;
	unsigned long flags;
	u32 i, count;

	if (!l)
		return -EINVAL;
	if (lapic_x2(l) && get_reg(s, APIC_ID) != lapic_abi_id(l))
		return -EINVAL;
	hrtimer_cancel(&l->timer);
	raw_spin_lock_irqsave(&l->lock, flags);
	for (i = 0; i < 8; i++) {
		l->isr[i] = get_reg(s, APIC_ISR + 16 * i);
		l->tmr[i] = get_reg(s, APIC_TMR + 16 * i);
		l->irr[i] = get_reg(s, APIC_IRR + 16 * i);
	}
	/* Vectors below 16 are exceptions'. */
	l->isr[0] &= 0xffff0000;
	l->irr[0] &= 0xffff0000;
	WRITE_ONCE(l->irr_any, true);
	WRITE_ONCE(l->ldr, lapic_x2(l) ? lapic_x2_ldr(v->id) : get_reg(s, APIC_LDR) & 0xff000000);
	WRITE_ONCE(l->dfr, get_reg(s, APIC_DFR) | 0x0fffffff);
	WRITE_ONCE(l->svr, get_reg(s, APIC_SPIV) & SVR_DEFINED);
	l->esr = get_reg(s, APIC_ESR) & 0xff;
	l->esr_next = 0;
	l->icr = get_reg(s, APIC_ICR) & ICR_DEFINED & ~LVT_STATUS;
	l->icr2 = get_reg(s, APIC_ICR2) & (lapic_x2(l) ? ~0u : 0xff000000);
	for (i = 0; i < RVM_NR_LVT; i++)
		WRITE_ONCE(l->lvt[i], get_reg(s, APIC_LVTT + 16 * i) & lvt_writable[i]);
	if ((l->lvt[RVM_LVT_TIMER] & LVT_TIMER_MODE) == LVT_TIMER_MODE ||
	    !lapic_has_deadline(l))
		l->lvt[RVM_LVT_TIMER] &= ~LVT_TSC_DEADLINE;
	l->tdcr = get_reg(s, APIC_TDCR) & 0xb;
	l->tmict = get_reg(s, APIC_TMICT);
	raw_spin_unlock_irqrestore(&l->lock, flags);
	rvm_lapic_set_tpr(v, get_reg(s, APIC_TASKPRI));

	/* What is left of the count; a periodic timer always runs. */
	count = min(get_reg(s, APIC_TMCCT), l->tmict);
	if (lapic_timer_mode(l) == LVT_PERIODIC && !count)
		count = l->tmict;
	if (lapic_timer_mode(l) == LVT_TSC_DEADLINE)
		count = 0;
	else
		WRITE_ONCE(l->tsc_deadline, 0);
	lapic_timer_set(l, count);
	lapic_timer_go(l);
	rvm_wake(v);
	return 0;
}

bool rvm_lapic_exit(struct rvm_vcpu *v)
{
	struct rvm_lapic *l = v->lapic;
	struct kvm_run *run = v->run;

	if (unlikely(l->eoi_vector >= 0)) {
		run->exit_reason = KVM_EXIT_IOAPIC_EOI;
		run->eoi.vector = l->eoi_vector;
		l->eoi_vector = -1;
		return true;
	}
	if (unlikely(l->tpr_access)) {
		run->exit_reason = KVM_EXIT_TPR_ACCESS;
		run->tpr_access.rip = l->tpr_rip;
		run->tpr_access.is_write = l->tpr_write;
		l->tpr_access = false;
		return true;
	}
	return false;
}

/*
 * KVM_SET_VAPIC_ADDR: code that the client has put into the guest reads and writes TPR
 * there, without an exit: byte 0.  Bytes 1 and 3 tell it what is in service and what
 * waits.
 */
long rvm_set_vapic(struct rvm_vcpu *v, u64 gpa)
{
	u32 word;

	if (!v->lapic)
		return -EINVAL;
	if (gpa && ((gpa & 3) || rvm_gpa_read(v->vm, gpa, &word, sizeof(word))))
		return -EINVAL;
	v->lapic->vapic = gpa;
	return 0;
}

void rvm_vapic_read(struct rvm_vcpu *v)
{
	struct rvm_lapic *l = v->lapic;
	u8 tpr;

	if (likely(!l->vapic) || rvm_gpa_read(v->vm, l->vapic, &tpr, sizeof(tpr)))
		return;
	if (tpr != l->tpr)
		rvm_lapic_set_tpr(v, tpr);
}

void rvm_vapic_write(struct rvm_vcpu *v)
{
	struct rvm_lapic *l = v->lapic;
	unsigned long flags;
	int waits, serving;
	u32 word;

	if (likely(!l->vapic))
		return;
	raw_spin_lock_irqsave(&l->lock, flags);
	waits = max(vec_highest(l->irr), 0);
	serving = max(vec_highest(l->isr), 0);
	raw_spin_unlock_irqrestore(&l->lock, flags);
	word = l->tpr | (serving & 0xf0) << 8 | (u32)waits << 24;
	rvm_gpa_write(v->vm, l->vapic, &word, sizeof(word));
}

/* ---- 14. life ------------------------------------------------------------------------------------ */

int rvm_lapic_create(struct rvm_vcpu *v)
{
	struct rvm_irq *irq = v->vm->irq;
	struct rvm_lapic *l;

	if (rvm_chips(v->vm) == RVM_CHIPS_NONE)
		return 0;
	l = kzalloc(sizeof(*l), GFP_KERNEL_ACCOUNT);
	if (!l)
		return -ENOMEM;
	raw_spin_lock_init(&l->lock);
	l->v = v;
	l->irq = irq;
	hrtimer_init(&l->timer, CLOCK_MONOTONIC, HRTIMER_MODE_ABS_HARD);
	l->timer.function = lapic_timer_expired;
	v->lapic = l;
	return 0;
}

/* Nobody can send to it any more. */
void rvm_lapic_destroy(struct rvm_vcpu *v)
{
	if (!v->lapic)
		return;
	hrtimer_cancel(&v->lapic->timer);
	kfree(v->lapic);
	v->lapic = NULL;
}
