// SPDX-License-Identifier: GPL-2.0
/*
 * The 8254: see pit.h.
 */
#include <string.h>

#include "pit.h"

#define NSEC_PER_SEC	1000000000ull

#define PORT_61_GATE2	0x01
#define PORT_61_SPEAKER	0x02
#define PORT_61_REFRESH	0x10
#define PORT_61_OUT2	0x20

static uint64_t ns_to_ticks(uint64_t ns)
{
	return (uint64_t)((unsigned __int128)ns * PIT_HZ / NSEC_PER_SEC);
}

/* Rounded up: at that time the tick has certainly happened. */
static uint64_t ticks_to_ns(uint64_t ticks)
{
	return (uint64_t)(((unsigned __int128)ticks * NSEC_PER_SEC + PIT_HZ - 1)
			  / PIT_HZ);
}

static uint64_t elapsed(const struct pit *pit, const struct pit_channel *c)
{
	uint64_t now;

	if (!c->running)
		return c->stopped_at;
	now = pit->now(pit->clock);
	return now > c->start ? ns_to_ticks(now - c->start) : 0;
}

static uint16_t to_bcd(uint32_t v)
{
	return (uint16_t)(v % 10 | (v / 10 % 10) << 4 | (v / 100 % 10) << 8 |
			  (v / 1000 % 10) << 12);
}

static uint32_t from_bcd(uint16_t v)
{
	return (v & 15u) + (v >> 4 & 15u) * 10 + (v >> 8 & 15u) * 100 +
	       (v >> 12 & 15u) * 1000;
}

static uint16_t channel_count(const struct pit *pit,
			      const struct pit_channel *c)
{
	uint32_t wrap = c->bcd ? 10000 : 65536, count;
	uint64_t d = elapsed(pit, c);

	if (!c->loaded)
		return 0;
	switch (c->mode) {
	case 2:
		count = c->reload - (uint32_t)(d % c->reload);
		break;
	case 3:		/* counts down by two, twice per period */
		count = (c->reload & ~1u) - (uint32_t)(2 * d % c->reload & ~1u);
		break;
	default:	/* one-shot modes count on through zero */
		count = (c->reload + wrap - (uint32_t)(d % wrap)) % wrap;
		break;
	}
	count %= wrap;
	return c->bcd ? to_bcd(count) : (uint16_t)count;
}

static bool channel_out(const struct pit *pit, const struct pit_channel *c)
{
	uint64_t d;

	if (!c->loaded)
		return c->mode != 0;
	d = elapsed(pit, c);
	switch (c->mode) {
	case 0:
		return d >= c->reload;
	case 1:
		return !c->running || d >= c->reload;
	case 2:
		return !c->gate || d % c->reload != c->reload - 1;
	case 3:
		return !c->gate || d % c->reload < (c->reload + 1) / 2;
	default:
		return d != c->reload;
	}
}

/* The next rising edge of output 0 behind @from ticks, or PIT_NEVER. */
static uint64_t next_edge(const struct pit_channel *c, uint64_t from)
{
	if (!c->loaded || !c->running)
		return PIT_NEVER;
	switch (c->mode) {
	case 2:
	case 3:
		return (from / c->reload + 1) * c->reload;
	case 0:
	case 1:
		return from < c->reload ? c->reload : PIT_NEVER;
	default:	/* the strobe is low for one clock */
		return from < c->reload + 1 ? c->reload + 1 : PIT_NEVER;
	}
}

static void schedule(struct pit *pit, uint64_t from)
{
	uint64_t ticks = next_edge(&pit->ch[0], from);

	pit->next = ticks == PIT_NEVER ? PIT_NEVER :
		    pit->ch[0].start + ticks_to_ns(ticks);
}

static void channel_start(struct pit *pit, struct pit_channel *c)
{
	c->start = pit->now(pit->clock);
	c->stopped_at = 0;
	/* Modes 1 and 5 wait for a rising gate; the others count if it is high. */
	c->running = c->mode != 1 && c->mode != 5 && c->gate;
	if (c == &pit->ch[0])
		schedule(pit, 0);
}

static void load(struct pit *pit, struct pit_channel *c, uint16_t value)
{
	uint32_t wrap = c->bcd ? 10000 : 65536;
	bool periodic = c->mode == 2 || c->mode == 3;

	c->reload = c->bcd ? from_bcd(value) : value;
	/*
	 * Zero stands for the largest count.  A count of 1 is illegal in the
	 * periodic modes (data sheet, "Mode 2"); 2 is the nearest legal one.
	 */
	if (!c->reload)
		c->reload = wrap;
	if (periodic && c->reload == 1)
		c->reload = 2;
	c->loaded = true;
	channel_start(pit, c);
}

static void channel_write(struct pit *pit, struct pit_channel *c, uint8_t value)
{
	switch (c->access) {
	case 1:
		load(pit, c, value);
		break;
	case 2:
		load(pit, c, (uint16_t)(value << 8));
		break;
	default:
		if (!c->write_high_next) {
			c->write_low = value;
			c->write_high_next = true;
			/* Mode 0: the first byte stops the count. */
			if (c->mode == 0 && c->loaded) {
				c->stopped_at = elapsed(pit, c);
				c->running = false;
				if (c == &pit->ch[0])
					schedule(pit, 0);
			}
		} else {
			c->write_high_next = false;
			load(pit, c, (uint16_t)(c->write_low | value << 8));
		}
		break;
	}
}

static uint8_t channel_read(struct pit *pit, struct pit_channel *c)
{
	uint16_t count;
	bool high;

	if (c->status_latched) {
		c->status_latched = false;
		return c->status_latch;
	}
	count = c->latched ? c->latch : channel_count(pit, c);
	if (c->access == 3) {
		high = c->read_high_next;
		c->read_high_next = !high;
		if (high)
			c->latched = false;
	} else {
		high = c->access == 2;
		c->latched = false;
	}
	return (uint8_t)(high ? count >> 8 : count);
}

static void latch_count(struct pit *pit, struct pit_channel *c)
{
	/* A second latch before the first was read is ignored. */
	if (c->latched)
		return;
	c->latch = channel_count(pit, c);
	c->latched = true;
}

static void latch_status(struct pit *pit, struct pit_channel *c)
{
	if (c->status_latched)
		return;
	c->status_latch = (uint8_t)((channel_out(pit, c) ? 0x80 : 0) |
				    (c->loaded ? 0 : 0x40) | c->access << 4 |
				    c->mode << 1 | (c->bcd ? 1 : 0));
	c->status_latched = true;
}

static void set_output(struct pit *pit, bool level)
{
	pit->irq->set(pit->irq->ctx, 0, level);
}

static void control_write(struct pit *pit, uint8_t value)
{
	struct pit_channel *c;
	unsigned int i;

	if (value >> 6 == 3) {		/* read-back command */
		for (i = 0; i < 3; i++) {
			if (!(value & 2u << i))
				continue;
			if (!(value & 0x20))
				latch_count(pit, &pit->ch[i]);
			if (!(value & 0x10))
				latch_status(pit, &pit->ch[i]);
		}
		return;
	}
	c = &pit->ch[value >> 6];
	if (!(value & 0x30)) {		/* counter latch command */
		latch_count(pit, c);
		return;
	}
	c->access = value >> 4 & 3;
	c->mode = value >> 1 & 7;
	if (c->mode > 5)		/* bit 2 is ignored for 2 and 3 */
		c->mode -= 4;
	c->bcd = value & 1;
	c->loaded = false;
	c->running = false;
	c->stopped_at = 0;
	c->latched = false;
	c->status_latched = false;
	c->write_high_next = false;
	c->read_high_next = false;
	if (c == &pit->ch[0]) {
		pit->next = PIT_NEVER;
		if (c->mode == 0)
			set_output(pit, false);
	}
}

static void set_gate(struct pit *pit, struct pit_channel *c, bool gate)
{
	bool rising = gate && !c->gate;

	if (gate == c->gate)
		return;
	if (!gate && c->mode != 1 && c->mode != 5) {
		c->stopped_at = elapsed(pit, c);
		c->running = false;
	}
	c->gate = gate;
	if (!rising || !c->loaded)
		return;
	c->start = pit->now(pit->clock);
	/* Modes 0 and 4 go on where they stopped, the others start anew. */
	if (c->mode == 0 || c->mode == 4)
		c->start -= ticks_to_ns(c->stopped_at);
	c->running = true;
}

static uint8_t pit_read(void *dev, uint16_t port)
{
	struct pit *pit = dev;

	/* The control word register cannot be read. */
	return (port & 3) == 3 ? 0xff : channel_read(pit, &pit->ch[port & 3]);
}

static void pit_write(void *dev, uint16_t port, uint8_t value)
{
	struct pit *pit = dev;

	if ((port & 3) == 3)
		control_write(pit, value);
	else
		channel_write(pit, &pit->ch[port & 3], value);
}

static uint8_t port61_read(void *dev, uint16_t port)
{
	struct pit *pit = dev;

	(void)port;
	pit->refresh = !pit->refresh;
	return (uint8_t)((pit->ch[2].gate ? PORT_61_GATE2 : 0) |
			 (pit->speaker ? PORT_61_SPEAKER : 0) |
			 (pit->refresh ? PORT_61_REFRESH : 0) |
			 (channel_out(pit, &pit->ch[2]) ? PORT_61_OUT2 : 0));
}

static void port61_write(void *dev, uint16_t port, uint8_t value)
{
	struct pit *pit = dev;

	(void)port;
	pit->speaker = value & PORT_61_SPEAKER;
	set_gate(pit, &pit->ch[2], value & PORT_61_GATE2);
}

void pit_timer(struct pit *pit)
{
	struct pit_channel *c = &pit->ch[0];
	uint64_t d, last;

	if (pit->next == PIT_NEVER || pit->now(pit->clock) < pit->next)
		return;
	d = elapsed(pit, c);
	set_output(pit, false);
	set_output(pit, true);
	pit->edges++;
	if (c->mode == 2 || c->mode == 3) {
		last = ns_to_ticks(pit->next - c->start) / c->reload;
		pit->missed += d / c->reload - last;
	}
	schedule(pit, d);
}

uint64_t pit_next(const struct pit *pit)
{
	return pit->next;
}

void pit_init(struct pit *pit, const struct irq_sink *irq, clock_fn now,
	      void *clock)
{
	unsigned int i;

	memset(pit, 0, sizeof(*pit));
	pit->irq = irq;
	pit->now = now;
	pit->clock = clock;
	pit->next = PIT_NEVER;
	for (i = 0; i < 3; i++) {
		pit->ch[i].access = 3;
		pit->ch[i].reload = 65536;
		pit->ch[i].mode = 3;
	}
	/* Gates 0 and 1 are wired high, gate 2 is port 0x61 bit 0. */
	pit->ch[0].gate = true;
	pit->ch[1].gate = true;
}

static const struct bus_ops pit_ops = { pit_read, pit_write };
static const struct bus_ops port61_ops = { port61_read, port61_write };

void pit_attach(struct pit *pit, struct bus *bus)
{
	bus_claim(bus, 0x40, 4, &pit_ops, pit);
	bus_claim(bus, 0x61, 1, &port61_ops, pit);
}
