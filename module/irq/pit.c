// SPDX-License-Identifier: GPL-2.0
/*
 * The 8254 timer (Intel 8254 data sheet) at ports 40h to 43h, and port 61h with the
 * gate and the output of its channel 2.
 *
 * Nothing counts: what a counter holds follows from when it was loaded.  Channel 0
 * has a timer of the host's that raises GSI 0.  Gates: those of channels 0 and 1 are
 * high for good; the fall of channel 2's does not hold its count.
 */
#include "irq.h"

#include <linux/math64.h>

#define PIT_HZ		1193182ull
#define PIT_MIN_PERIOD	200000ull	/* ns; what an interrupt costs the host */

/* rw_mode of the control word: which bytes a port access means */
enum pit_access { PIT_LATCH, PIT_LOW, PIT_HIGH, PIT_BOTH };

struct pit_channel {
	u32 count;			/* 1..65536 */
	u16 latched;
	u8 latched_left;		/* enum pit_access: bytes of @latched to read */
	bool status_latched;
	u8 status;
	bool read_high, write_high;	/* the second byte of two comes next */
	u8 write_low;
	u8 access;
	u8 mode;
	bool bcd, gate;
	u64 loaded;			/* ns of CLOCK_MONOTONIC */
};

/**
 * struct rvm_pit - the chip
 * @lock: all of it; the timer's callback takes it
 * @waiting: ticks that the guest has not served, if they are to be made up for
 * @in_service: the last tick is not acknowledged
 */
struct rvm_pit {
	raw_spinlock_t lock;
	struct rvm_irq *irq;
	struct pit_channel ch[3];
	bool speaker_on, speaker_port, hpet_legacy;

	struct mutex timer_lock;	/* start and stop of @timer; outside @lock */
	struct hrtimer timer;
	u64 period;			/* ns; 0: once */

	bool reinject, in_service;
	u64 waiting;
};

#define PIT_MAX_WAITING	1000000ull

/* ---- counting ------------------------------------------------------------------ */

static u64 pit_ticks(const struct pit_channel *c)
{
	return mul_u64_u32_div(ktime_get_ns() - c->loaded, PIT_HZ, NSEC_PER_SEC);
}

static u64 pit_ns(u32 count)
{
	return div64_u64((u64)count * NSEC_PER_SEC, PIT_HZ);
}

static u16 to_bcd(u32 n)
{
	return (n % 10) | n / 10 % 10 << 4 | n / 100 % 10 << 8 | n / 1000 % 10 << 12;
}

static u32 from_bcd(u16 n)
{
	return (n & 15) + (n >> 4 & 15) * 10 + (n >> 8 & 15) * 100 + (n >> 12) * 1000;
}

/* What the counting element shows. */
static u16 pit_value(const struct pit_channel *c)
{
	u32 modulus = c->bcd ? 10000 : 0x10000, n;
	u64 t = pit_ticks(c);

	switch (c->mode) {
	case 2:
		n = c->count - t % c->count;
		break;
	case 3:			/* by two */
		n = c->count - 2 * t % c->count;
		break;
	default:		/* goes on below 0 */
		n = (c->count + modulus - t % modulus) % modulus;
	}
	n %= modulus;
	return c->bcd ? to_bcd(n) : n;
}

static bool pit_out(const struct pit_channel *c)
{
	u64 t = pit_ticks(c);

	switch (c->mode) {
	case 0:
		return t >= c->count;
	case 1:
		return t >= c->count;
	case 2:			/* low for the last clock */
		return t % c->count != c->count - 1 || !c->gate;
	case 3:
		return t % c->count < (c->count + 1) / 2 || !c->gate;
	default:		/* low for one clock */
		return t != c->count;
	}
}

/* ---- channel 0's interrupt -------------------------------------------------------- */

/* One pulse of GSI 0; no lock held.  A tick that nobody listens to is not waited for. */
static void pit_pulse(struct rvm_pit *p)
{
	if (rvm_set_gsi(p->irq, 0, RVM_IRQ_PIT, true) < 0)
		WRITE_ONCE(p->in_service, false);
	rvm_set_gsi(p->irq, 0, RVM_IRQ_PIT, false);
}

/* Ticks are due: true if one is to be raised now. */
static bool pit_tick(struct rvm_pit *p, u64 n)
{
	bool now = !p->reinject || !p->in_service;

	if (!p->reinject)
		return true;
	p->waiting = min_t(u64, p->waiting + n - now, PIT_MAX_WAITING);
	p->in_service = true;
	return now;
}

/*
 * What is due is raised.  True: there is a next time.  In the callback, or where that
 * cannot be running.
 */
static bool pit_serve(struct rvm_pit *p)
{
	u64 period = READ_ONCE(p->period);
	unsigned long flags;
	bool pulse;
	u64 n = 1;

	/* More than one, if the host was late. */
	if (period)
		n = hrtimer_forward_now(&p->timer, ns_to_ktime(period));
	raw_spin_lock_irqsave(&p->lock, flags);
	pulse = pit_tick(p, n);
	raw_spin_unlock_irqrestore(&p->lock, flags);
	if (pulse)
		pit_pulse(p);
	return period;
}

static enum hrtimer_restart pit_expired(struct hrtimer *t)
{
	return pit_serve(container_of(t, struct rvm_pit, timer)) ?
		HRTIMER_RESTART : HRTIMER_NORESTART;
}

/*
 * Channel 0 does not wait for the host's timer: what is due by now comes before a read
 * that shows it and a write that makes it void.  timer_lock held.
 */
static void pit_catch_up(struct rvm_pit *p)
{
	if (!hrtimer_active(&p->timer) || hrtimer_get_expires_ns(&p->timer) > ktime_get_ns() ||
	    !hrtimer_cancel(&p->timer))
		return;
	if (hrtimer_get_expires_ns(&p->timer) > ktime_get_ns() || pit_serve(p))
		hrtimer_start_expires(&p->timer, HRTIMER_MODE_ABS_HARD);
}

/* GSI 0 was served: the next tick, if one waits. */
void rvm_pit_acked(struct rvm_pit *p)
{
	unsigned long flags;
	bool pulse = false;

	raw_spin_lock_irqsave(&p->lock, flags);
	p->in_service = false;
	if (p->reinject && p->waiting) {
		p->waiting--;
		p->in_service = true;
		pulse = true;
	}
	raw_spin_unlock_irqrestore(&p->lock, flags);
	if (pulse)
		pit_pulse(p);
}

/* GSI 0 can be heard again: what was missed while it could not is not made up for. */
void rvm_pit_unmasked(struct rvm_pit *p)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&p->lock, flags);
	p->in_service = false;
	p->waiting = 0;
	raw_spin_unlock_irqrestore(&p->lock, flags);
}

/* Channel 0 has a new mode: it has no count.  timer_lock held. */
static void pit_disarm(struct rvm_pit *p)
{
	unsigned long flags;

	hrtimer_cancel(&p->timer);
	raw_spin_lock_irqsave(&p->lock, flags);
	p->waiting = 0;
	p->in_service = false;
	raw_spin_unlock_irqrestore(&p->lock, flags);
}

/* Channel 0 was loaded.  timer_lock held. */
static void pit_arm(struct rvm_pit *p)
{
	struct pit_channel *c = &p->ch[0];
	u64 ns, loaded;
	unsigned long flags;
	u8 mode;

	pit_disarm(p);
	raw_spin_lock_irqsave(&p->lock, flags);
	ns = pit_ns(c->count);
	loaded = c->loaded;
	mode = c->mode;
	raw_spin_unlock_irqrestore(&p->lock, flags);
	/* The HPET has taken the pin over; modes 1 and 5 wait for a gate. */
	if (READ_ONCE(p->hpet_legacy) || mode == 1 || mode == 5)
		return;
	WRITE_ONCE(p->period, 0);
	if (mode == 2 || mode == 3) {
		ns = max(ns, PIT_MIN_PERIOD);
		WRITE_ONCE(p->period, ns);
	}
	hrtimer_start(&p->timer, ns_to_ktime(loaded + ns), HRTIMER_MODE_ABS_HARD);
}

/* ---- ports ---------------------------------------------------------------------------- */

static void pit_load(struct pit_channel *c, u16 val)
{
	u32 count = c->bcd ? from_bcd(val) : val;

	c->count = count ? count : c->bcd ? 10000 : 0x10000;
	c->loaded = ktime_get_ns();
}

static void pit_latch_count(struct pit_channel *c)
{
	if (c->latched_left)
		return;
	c->latched = pit_value(c);
	c->latched_left = c->access;
}

static void pit_latch_status(struct pit_channel *c)
{
	if (c->status_latched)
		return;
	/* OUT, null count (never: loading takes no time), access, mode, BCD */
	c->status = pit_out(c) << 7 | c->access << 4 | c->mode << 1 | c->bcd;
	c->status_latched = true;
}

/* True: channel 0 counts no more; it waits for a count. */
static bool pit_control(struct rvm_pit *p, u8 val)
{
	int n = val >> 6, i;
	struct pit_channel *c;

	if (n == 3) {		/* read-back */
		for (i = 0; i < 3; i++) {
			if (!(val & 2 << i))
				continue;
			if (!(val & 0x20))
				pit_latch_count(&p->ch[i]);
			if (!(val & 0x10))
				pit_latch_status(&p->ch[i]);
		}
		return false;
	}
	c = &p->ch[n];
	if (!(val >> 4 & 3)) {
		pit_latch_count(c);
		return false;
	}
	c->access = val >> 4 & 3;
	c->mode = val >> 1 & 7;
	if (c->mode > 5)
		c->mode &= 3;	/* the top bit of 2 and 3 does not matter */
	c->bcd = val & 1;
	c->read_high = false;
	c->write_high = false;
	c->latched_left = 0;
	c->status_latched = false;
	return !n;
}

/* True: a count was loaded. */
static bool pit_write(struct pit_channel *c, u8 val)
{
	switch (c->access) {
	case PIT_LOW:
		pit_load(c, val);
		return true;
	case PIT_HIGH:
		pit_load(c, val << 8);
		return true;
	default:
		if (!c->write_high) {
			c->write_low = val;
			c->write_high = true;
			return false;
		}
		c->write_high = false;
		pit_load(c, c->write_low | val << 8);
		return true;
	}
}

static u8 pit_read(struct pit_channel *c)
{
	u16 val;

	if (c->status_latched) {
		c->status_latched = false;
		return c->status;
	}
	switch (c->latched_left) {
	case PIT_LOW:
		c->latched_left = 0;
		return c->latched;
	case PIT_HIGH:
		c->latched_left = 0;
		return c->latched >> 8;
	case PIT_BOTH:
		c->latched_left = PIT_HIGH;
		return c->latched;
	}
	val = pit_value(c);
	switch (c->access) {
	case PIT_LOW:
		return val;
	case PIT_HIGH:
		return val >> 8;
	default:
		c->read_high = !c->read_high;
		return c->read_high ? val : val >> 8;
	}
}

static void pit_set_gate(struct pit_channel *c, bool gate)
{
	/* Modes 0 and 4 only stop meanwhile; the others begin anew. */
	if (gate && !c->gate && c->mode != 0 && c->mode != 4)
		c->loaded = ktime_get_ns();
	c->gate = gate;
}

static u8 pit_read_61(const struct rvm_pit *p)
{
	const struct pit_channel *c = &p->ch[2];

	/* The refresh clock toggles every 15 us or so; programs wait for it. */
	return c->gate | p->speaker_on << 1 | (ktime_get_ns() >> 14 & 1) << 4 | pit_out(c) << 5;
}

/**
 * rvm_pit_pio - a byte to or from one of its ports
 * @irq: with a PIT
 *
 * Process context.  False: not its.
 */
bool rvm_pit_pio(struct rvm_irq *irq, u16 port, u8 *val, bool out)
{
	struct rvm_pit *p = irq->pit;
	bool timer = port == 0x40 || port == 0x43;
	bool loaded = false, stopped = false;
	unsigned long flags;

	if ((port < 0x40 || port > 0x43) && (port != 0x61 || !p->speaker_port))
		return false;
	if (timer) {
		mutex_lock(&p->timer_lock);
		pit_catch_up(p);
	}
	raw_spin_lock_irqsave(&p->lock, flags);
	switch (port) {
	case 0x40 ... 0x42:
		if (out)
			loaded = pit_write(&p->ch[port - 0x40], *val);
		else
			*val = pit_read(&p->ch[port - 0x40]);
		break;
	case 0x43:
		if (out)
			stopped = pit_control(p, *val);
		else
			*val = 0;	/* cannot be read */
		break;
	default:
		if (out) {
			p->speaker_on = *val & 2;
			pit_set_gate(&p->ch[2], *val & 1);
		} else {
			*val = pit_read_61(p);
		}
	}
	raw_spin_unlock_irqrestore(&p->lock, flags);
	if (timer) {
		if (stopped)
			pit_disarm(p);
		else if (loaded && port == 0x40)
			pit_arm(p);
		else
			pit_catch_up(p);	/* to the time that was shown */
		mutex_unlock(&p->timer_lock);
	}
	return true;
}

/* ---- the client (KVM API §4.72, §4.73) ------------------------------------------------ */

static void pit_channel_get(const struct pit_channel *c, struct kvm_pit_channel_state *s)
{
	*s = (struct kvm_pit_channel_state) {
		.count = c->count, .latched_count = c->latched,
		.count_latched = c->latched_left, .status_latched = c->status_latched,
		.status = c->status, .read_state = c->access == PIT_BOTH && c->read_high ?
			4 : c->access,
		.write_state = c->access == PIT_BOTH && c->write_high ? 4 : c->access,
		.write_latch = c->write_low, .rw_mode = c->access, .mode = c->mode,
		.bcd = c->bcd, .gate = c->gate, .count_load_time = c->loaded,
	};
}

void rvm_pit_get(struct rvm_pit *p, struct kvm_pit_state2 *s)
{
	unsigned long flags;
	int i;

	memset(s, 0, sizeof(*s));
	raw_spin_lock_irqsave(&p->lock, flags);
	for (i = 0; i < 3; i++)
		pit_channel_get(&p->ch[i], &s->channels[i]);
	s->flags = (p->hpet_legacy ? KVM_PIT_FLAGS_HPET_LEGACY : 0) |
		(p->speaker_on ? KVM_PIT_FLAGS_SPEAKER_DATA_ON : 0);
	raw_spin_unlock_irqrestore(&p->lock, flags);
}

static void pit_channel_put(struct pit_channel *c, const struct kvm_pit_channel_state *s,
			    u64 now)
{
	u8 access = s->rw_mode & 3, mode = s->mode & 7;

	*c = (struct pit_channel) {
		.count = s->count ? min(s->count, 0x10000u) : 0x10000,
		.latched = s->latched_count,
		.latched_left = s->count_latched & 3, .status_latched = s->status_latched,
		.status = s->status, .read_high = s->read_state == 4,
		.write_high = s->write_state == 4, .write_low = s->write_latch,
		.access = access ? access : PIT_BOTH,
		.mode = mode > 5 ? mode & 3 : mode, .bcd = s->bcd, .gate = s->gate,
		/* Another machine's clock says nothing here: as loaded now. */
		.loaded = now,
	};
}

/* -EINVAL and nothing changed: flags that do not exist.  Counts, modes and access words
 * that do not are cut down to some that do. */
long rvm_pit_put(struct rvm_pit *p, const struct kvm_pit_state2 *s)
{
	unsigned long flags;
	u64 now = ktime_get_ns();
	int i;

	if (s->flags & ~(u32)(KVM_PIT_FLAGS_HPET_LEGACY | KVM_PIT_FLAGS_SPEAKER_DATA_ON))
		return -EINVAL;
	mutex_lock(&p->timer_lock);
	raw_spin_lock_irqsave(&p->lock, flags);
	for (i = 0; i < 3; i++)
		pit_channel_put(&p->ch[i], &s->channels[i], now);
	WRITE_ONCE(p->hpet_legacy, s->flags & KVM_PIT_FLAGS_HPET_LEGACY);
	p->speaker_on = s->flags & KVM_PIT_FLAGS_SPEAKER_DATA_ON;
	raw_spin_unlock_irqrestore(&p->lock, flags);
	pit_arm(p);
	mutex_unlock(&p->timer_lock);
	return 0;
}

void rvm_pit_reinject(struct rvm_pit *p, bool on)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&p->lock, flags);
	p->reinject = on;
	p->waiting = 0;
	p->in_service = false;
	raw_spin_unlock_irqrestore(&p->lock, flags);
}

/* ---- life --------------------------------------------------------------------------------- */

/**
 * rvm_pit_create - KVM_CREATE_PIT, KVM_CREATE_PIT2 (KVM API §4.71)
 * @vm: the VM
 * @flags: KVM_PIT_SPEAKER_DUMMY: port 61h, too
 *
 * -ENOENT without a PIC to be wired to; -EEXIST; -ENOMEM.
 */
long rvm_pit_create(struct rvm_vm *vm, u32 flags)
{
	struct rvm_irq *irq = vm->irq;
	struct rvm_pit *p;
	int i;

	if (flags & ~(u32)KVM_PIT_SPEAKER_DUMMY)
		return -EINVAL;
	if (rvm_chips(vm) != RVM_CHIPS_ALL)
		return -ENOENT;
	p = kzalloc(sizeof(*p), GFP_KERNEL_ACCOUNT);
	if (!p)
		return -ENOMEM;
	raw_spin_lock_init(&p->lock);
	mutex_init(&p->timer_lock);
	p->irq = irq;
	p->speaker_port = flags & KVM_PIT_SPEAKER_DUMMY;
	p->reinject = true;
	hrtimer_init(&p->timer, CLOCK_MONOTONIC, HRTIMER_MODE_ABS_HARD);
	p->timer.function = pit_expired;
	for (i = 0; i < 3; i++) {
		p->ch[i].mode = 3;
		p->ch[i].access = PIT_BOTH;
		p->ch[i].gate = i != 2;
		pit_load(&p->ch[i], 0);
	}
	mutex_lock(&irq->mutex);
	if (irq->pit) {
		mutex_unlock(&irq->mutex);
		kfree(p);
		return -EEXIST;
	}
	smp_store_release(&irq->pit, p);
	mutex_unlock(&irq->mutex);
	return 0;
}

void rvm_pit_stop(struct rvm_irq *irq)
{
	if (irq->pit)
		hrtimer_cancel(&irq->pit->timer);
}

void rvm_pit_free(struct rvm_irq *irq)
{
	kfree(irq->pit);
}
