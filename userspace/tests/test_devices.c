// SPDX-License-Identifier: GPL-2.0
/*
 * PIC, PIT, UART, clock and the single ports, driven through the bus as a
 * guest does, on a clock that only the test moves.
 */
#include <string.h>

#include "../devices/bus.h"
#include "../devices/pic.h"
#include "../devices/pit.h"
#include "../devices/ports.h"
#include "../devices/rtc.h"
#include "../devices/serial8250.h"
#include "ktap.h"

static struct bus bus;
static struct pic pic;
static struct pit pit;
static struct rtc rtc;
static struct ports ports;
static struct serial8250 serial;
static uint64_t clock_ns;
static time_t wall;
static char sent[256];
static unsigned int sent_len, rooms;

static uint64_t test_clock(void *ctx)
{
	(void)ctx;
	return clock_ns;
}

static time_t test_wall(void *ctx)
{
	(void)ctx;
	return wall;
}

static void transmit(void *ctx, uint8_t byte)
{
	(void)ctx;
	if (sent_len < sizeof(sent))
		sent[sent_len++] = (char)byte;
}

static void room(void *ctx)
{
	(void)ctx;
	rooms++;
}

static void out(uint16_t port, uint8_t value)
{
	bus_write(&bus, port, 1, &value);
}

static uint8_t in(uint16_t port)
{
	uint8_t value;

	bus_read(&bus, port, 1, &value);
	return value;
}

/* Linux's set-up: vectors 0x30 and 0x38, everything but @open masked. */
static void init_pics(uint16_t open)
{
	out(0x20, 0x11);
	out(0x21, 0x30);
	out(0x21, 0x04);
	out(0x21, 0x01);
	out(0xa0, 0x11);
	out(0xa1, 0x38);
	out(0xa1, 0x02);
	out(0xa1, 0x01);
	out(0x21, (uint8_t)~open);
	out(0xa1, (uint8_t)(~open >> 8));
}

static void set_line(void *ctx, unsigned int irq, bool level)
{
	pic_set_irq(ctx, irq, level);
}

static const struct irq_sink line = { set_line, &pic };

static void set_up(void)
{
	const struct serial_sink sink = { transmit, room, NULL };

	clock_ns = 1000;
	wall = 1000000000;	/* 2001-09-09 01:46:40, a Sunday */
	sent_len = 0;
	rooms = 0;
	bus_init(&bus);
	pic_init(&pic);
	pit_init(&pit, &line, test_clock, NULL);
	rtc_init(&rtc, 256ull << 20, 0, test_wall, NULL);
	ports_init(&ports);
	serial_init(&serial, &line, &sink);
	pic_attach(&pic, &bus);
	pit_attach(&pit, &bus);
	rtc_attach(&rtc, &bus);
	ports_attach(&ports, &bus);
	serial_attach(&serial, &bus);
}

/* A pulse on an edge-triggered input. */
static void pulse(unsigned int irq)
{
	pic_set_irq(&pic, irq, true);
	pic_set_irq(&pic, irq, false);
}

static void pic_masks_until_set_up(void)
{
	set_up();
	pulse(0);
	CHECK(!pic_intr(&pic));
	init_pics(0x0001);
	CHECK(!pic_intr(&pic));		/* ICW1 clears old requests */
	pulse(0);
	CHECK(pic_intr(&pic));
	CHECK_EQ(pic_ack(&pic), 0x30);
	CHECK(!pic_intr(&pic));
}

static void pic_priority_and_eoi(void)
{
	set_up();
	init_pics(0xffff);
	pulse(4);
	pulse(1);
	CHECK_EQ(pic_ack(&pic), 0x31);
	CHECK(!pic_intr(&pic));		/* 4 is held back by 1 in service */
	pulse(0);
	CHECK_EQ(pic_ack(&pic), 0x30);	/* 0 is more urgent than 1 */
	out(0x20, 0x20);		/* non-specific EOI: the highest, 0 */
	CHECK(!pic_intr(&pic));
	out(0x20, 0x61);		/* specific EOI of 1 */
	CHECK_EQ(pic_ack(&pic), 0x34);
	out(0x20, 0x0b);		/* OCW3: read the ISR */
	CHECK_EQ(in(0x20), 0x10);
	out(0x20, 0x0a);		/* and the IRR */
	CHECK_EQ(in(0x20), 0x00);
}

static void pic_cascade(void)
{
	set_up();
	init_pics(0xffff);
	pulse(8);
	pulse(12);
	CHECK_EQ(pic_ack(&pic), 0x38);
	CHECK(!pic_intr(&pic));
	out(0xa0, 0x20);
	CHECK(!pic_intr(&pic));		/* the master's input 2 is in service */
	out(0x20, 0x62);
	CHECK_EQ(pic_ack(&pic), 0x3c);
	out(0xa0, 0x20);
	out(0x20, 0x62);
	pulse(12);
	out(0x21, 0xfb & 0xff);		/* master: only the cascade is open */
	CHECK(pic_intr(&pic));
	out(0xa1, 0xff);		/* the slave takes its request back */
	CHECK(!pic_intr(&pic));
}

static void pic_spurious(void)
{
	set_up();
	init_pics(0xffff);
	CHECK_EQ(pic_ack(&pic), 0x37);
	CHECK_EQ(pic.spurious, 1);
	out(0x20, 0x0b);
	CHECK_EQ(in(0x20), 0);		/* a spurious 7 is not in service */
}

static void pic_edge_and_level(void)
{
	set_up();
	init_pics(0xffff);
	pic_set_irq(&pic, 5, true);
	CHECK_EQ(pic_ack(&pic), 0x35);
	out(0x20, 0x20);
	CHECK(!pic_intr(&pic));		/* edge: a pin that stays high is old */
	out(0x4d0, 0xff);
	CHECK_EQ(in(0x4d0), 0xf8);	/* 0, 1 and 2 are always edge */
	CHECK(pic_intr(&pic));		/* level: it asks as long as it is high */
	CHECK_EQ(pic_ack(&pic), 0x35);
	out(0x20, 0x20);
	CHECK(pic_intr(&pic));
	pic_set_irq(&pic, 5, false);
	CHECK(!pic_intr(&pic));
}

static void pic_rotation_and_masks(void)
{
	set_up();
	init_pics(0xffff);
	out(0x20, 0xc3);		/* set priority: 3 lowest, 4 highest */
	pulse(3);
	pulse(4);
	pulse(0);
	CHECK_EQ(pic_ack(&pic), 0x34);
	out(0x20, 0xa0);		/* rotate on non-specific EOI: 4 lowest */
	CHECK_EQ(pic_ack(&pic), 0x30);
	out(0x20, 0x20);
	CHECK_EQ(pic_ack(&pic), 0x33);
	/* Special mask mode: mask 3 in service, and 6 gets through. */
	pulse(2);			/* no such pin from outside */
	out(0x21, 0x08);
	pulse(6);
	out(0x20, 0xc7);
	CHECK(!pic_intr(&pic));
	out(0x20, 0x68);
	CHECK_EQ(pic_ack(&pic), 0x36);
}

static void pic_poll(void)
{
	set_up();
	init_pics(0xffff);
	out(0x20, 0x0c);
	CHECK_EQ(in(0x20), 0);
	pulse(6);
	out(0x20, 0x0c);
	CHECK_EQ(in(0x20), 0x86);
	CHECK(!pic_intr(&pic));
	CHECK_EQ(in(0x21), 0);		/* the poll is over: the mask again */
}

static void pic_auto_eoi(void)
{
	set_up();
	init_pics(0xffff);
	out(0x20, 0x11);
	out(0x21, 0x40);
	out(0x21, 0x04);
	out(0x21, 0x03);
	pulse(3);
	CHECK_EQ(pic_ack(&pic), 0x43);
	out(0x20, 0x0b);
	CHECK_EQ(in(0x20), 0);
	pulse(3);
	CHECK(pic_intr(&pic));
}

static uint64_t ticks(uint64_t n)
{
	return (n * 1000000000ull + PIT_HZ - 1) / PIT_HZ;
}

static void pit_load(unsigned int channel, unsigned int mode, uint16_t count)
{
	out(0x43, (uint8_t)(channel << 6 | 0x30 | mode << 1));
	out((uint16_t)(0x40 + channel), (uint8_t)count);
	out((uint16_t)(0x40 + channel), (uint8_t)(count >> 8));
}

static unsigned int pit_count(unsigned int channel)
{
	unsigned int low;

	out(0x43, (uint8_t)(channel << 6));
	low = in((uint16_t)(0x40 + channel));
	return low | (unsigned int)in((uint16_t)(0x40 + channel)) << 8;
}

static void pit_periodic(void)
{
	unsigned int i;

	set_up();
	init_pics(0x0001);
	pit_load(0, 2, 1000);
	for (i = 1; i <= 5; i++) {
		CHECK_EQ(pit_next(&pit), 1000 + ticks(1000ull * i));
		clock_ns = pit_next(&pit) - 1;
		pit_timer(&pit);
		CHECK(!pic_intr(&pic));
		clock_ns++;
		pit_timer(&pit);
		CHECK_EQ(pic_ack(&pic), 0x30);
		out(0x20, 0x20);
	}
	CHECK_EQ(pit.edges, 5);
	CHECK_EQ(pit.missed, 0);
}

/* A guest that was not run for long gets one tick, not a storm of them. */
static void pit_no_storm(void)
{
	set_up();
	init_pics(0x0001);
	pit_load(0, 2, 1000);
	clock_ns = 1000 + ticks(100500);
	pit_timer(&pit);
	CHECK_EQ(pic_ack(&pic), 0x30);
	out(0x20, 0x20);
	CHECK(!pic_intr(&pic));
	CHECK_EQ(pit.edges, 1);
	CHECK_EQ(pit.missed, 99);
	CHECK_EQ(pit_next(&pit), 1000 + ticks(101000));
}

static void pit_one_shot(void)
{
	static const unsigned int modes[] = { 0, 4 };
	unsigned int i;

	for (i = 0; i < 2; i++) {
		set_up();
		init_pics(0x0001);
		out(0x43, (uint8_t)(0x30 | modes[i] << 1));
		CHECK_EQ(pit_next(&pit), PIT_NEVER);
		out(0x40, 0x10);
		CHECK_EQ(pit_next(&pit), PIT_NEVER);
		out(0x40, 0x00);
		clock_ns = pit_next(&pit);
		CHECK_EQ(clock_ns, 1000 + ticks(modes[i] ? 17 : 16));
		pit_timer(&pit);
		CHECK_EQ(pic_ack(&pic), 0x30);
		CHECK_EQ(pit_next(&pit), PIT_NEVER);
		/* Linux reprograms with the count alone. */
		out(0x40, 0x20);
		out(0x40, 0x00);
		CHECK(pit_next(&pit) != PIT_NEVER);
		/* And stops it by a new control word. */
		out(0x43, 0x30);
		CHECK_EQ(pit_next(&pit), PIT_NEVER);
	}
}

static void pit_counting(void)
{
	set_up();
	pit_load(0, 2, 10000);
	clock_ns = 1000 + ticks(2500);
	CHECK_EQ(pit_count(0), 7500);
	clock_ns = 1000 + ticks(12500);
	CHECK_EQ(pit_count(0), 7500);
	pit_load(0, 0, 100);
	clock_ns += ticks(101);
	CHECK_EQ(pit_count(0), 0xffff);		/* counts on through zero */
	pit_load(0, 3, 1000);
	clock_ns += ticks(100);
	CHECK_EQ(pit_count(0), 800);		/* by two */
	pit_load(0, 2, 0);
	CHECK_EQ(pit_count(0), 0);		/* 65536 */
	clock_ns += ticks(1);
	CHECK_EQ(pit_count(0), 0xffff);
}

static void pit_latch(void)
{
	set_up();
	pit_load(0, 2, 10000);
	clock_ns = 1000 + ticks(1000);
	out(0x43, 0x00);
	clock_ns += ticks(1000);
	out(0x43, 0x00);		/* ignored: the first is not read yet */
	CHECK_EQ(in(0x40), 9000 & 0xff);
	clock_ns += ticks(1000);
	CHECK_EQ(in(0x40), 9000 >> 8);
	CHECK_EQ(in(0x40), 7000 & 0xff);
	CHECK_EQ(in(0x40), 7000 >> 8);
}

static void pit_read_back(void)
{
	set_up();
	pit_load(0, 2, 10000);
	out(0x43, 0xc2);		/* count and status of channel 0 */
	CHECK_EQ(in(0x40), 0xb4);	/* OUT high, both bytes, mode 2 */
	CHECK_EQ(in(0x40), 10000 & 0xff);
	CHECK_EQ(in(0x40), 10000 >> 8);
	out(0x43, 0x30);
	out(0x43, 0xe2);		/* status only */
	CHECK_EQ(in(0x40), 0x70);	/* OUT low, null count, mode 0 */
}

static void pit_bcd(void)
{
	set_up();
	out(0x43, 0x35);		/* channel 0, mode 2, BCD */
	out(0x40, 0x00);
	out(0x40, 0x10);		/* 1000 */
	clock_ns += ticks(1);
	CHECK_EQ(pit_count(0), 0x0999);
	CHECK_EQ(pit_next(&pit), 1000 + ticks(1000));
}

/* Linux's calibration: gate on, mode 0, wait for OUT2 in port 0x61. */
static void pit_channel_2(void)
{
	set_up();
	out(0x61, 0x01);
	pit_load(2, 0, 5000);
	CHECK(!(in(0x61) & 0x20));
	clock_ns += ticks(4999);
	CHECK(!(in(0x61) & 0x20));
	clock_ns += ticks(1);
	CHECK(in(0x61) & 0x20);
	CHECK_EQ((in(0x61) ^ in(0x61)) & 0x10, 0x10);	/* refresh toggles */
	pit_load(2, 0, 5000);
	clock_ns += ticks(1000);
	out(0x61, 0x00);		/* gate low: the count stands */
	clock_ns += ticks(100000);
	CHECK_EQ(pit_count(2), 4000);
	out(0x61, 0x01);
	clock_ns += ticks(500);
	CHECK_EQ(pit_count(2), 3500);
}

/* Anything written in any order: deadlines stay in the future. */
static void pit_fuzz(void)
{
	uint64_t seed = 0x8254, r;
	unsigned int i;

	set_up();
	init_pics(0xffff);
	printf("# seed 0x%llx, 300000 cases\n", (unsigned long long)seed);
	for (i = 0; i < 300000 && !test_failed; i++) {
		r = test_random(&seed);
		switch (r % 4) {
		case 0:
			out((uint16_t)(0x40 + (r >> 8) % 4),
			    (uint8_t)(r >> 16));
			break;
		case 1:
			in((uint16_t)(0x40 + (r >> 8) % 4));
			break;
		case 2:
			out(0x61, (uint8_t)(r >> 16));
			in(0x61);
			break;
		default:
			clock_ns += (r >> 8) % 50000000;
			pit_timer(&pit);
			break;
		}
		if (r % 64 == 3 && pit_next(&pit) != PIT_NEVER) {
			CHECK(pit_next(&pit) > clock_ns);
			CHECK(pit_next(&pit) - clock_ns < 60000000);
		}
		if (pic_intr(&pic)) {
			CHECK_EQ(pic_ack(&pic), 0x30);
			out(0x20, 0x20);
		}
	}
}

static void serial_probe(void)
{
	set_up();
	/* Linux 8250, autoconfig: scratch, loopback, FIFO. */
	out(0x3fc, 0x1a);
	CHECK_EQ(in(0x3fe) & 0xf0, 0x90);
	out(0x3fc, 0x00);
	CHECK_EQ(in(0x3fe) & 0xf0, 0xb0);
	out(0x3ff, 0x5a);
	CHECK_EQ(in(0x3ff), 0x5a);
	CHECK_EQ(in(0x3fa), 0x01);
	out(0x3fa, 0x01);
	CHECK_EQ(in(0x3fa) >> 6, 3);
	out(0x3f9, 0xff);
	CHECK_EQ(in(0x3f9), 0x0f);
	out(0x3fb, 0x83);		/* DLAB */
	out(0x3f8, 0x34);
	out(0x3f9, 0x12);
	CHECK_EQ(in(0x3f8), 0x34);
	CHECK_EQ(in(0x3f9), 0x12);
	out(0x3fb, 0x03);
	CHECK_EQ(in(0x3f9), 0x0f);
	CHECK_EQ(sent_len, 0);
}

static void serial_output(void)
{
	unsigned int i;

	set_up();
	init_pics(0x0010);
	for (i = 0; i < 5; i++) {
		CHECK_EQ(in(0x3fd), 0x60);
		out(0x3f8, (uint8_t)"hello"[i]);
	}
	CHECK_EQ(sent_len, 5);
	CHECK(!memcmp(sent, "hello", 5));
	CHECK(!pic_intr(&pic));
	out(0x3fc, 0x08);		/* OUT2 */
	out(0x3f9, 0x02);		/* fires at once: nothing to send */
	CHECK_EQ(pic_ack(&pic), 0x34);
	CHECK_EQ(in(0x3fa), 0x02);	/* and the read of the IIR ends it */
	CHECK_EQ(in(0x3fa), 0x01);
	out(0x20, 0x20);
	out(0x3f8, '!');		/* each byte sent: a new one */
	CHECK_EQ(pic_ack(&pic), 0x34);
	out(0x20, 0x20);
	out(0x3f8, '!');		/* unread, but another edge all the same */
	CHECK(pic_intr(&pic));
	out(0x3f9, 0x00);
	CHECK_EQ(in(0x3fa), 0x01);
}

static void serial_input(void)
{
	unsigned int i;

	set_up();
	init_pics(0x0010);
	out(0x3fc, 0x08);
	serial_receive(&serial, (const uint8_t *)"abc", 3);
	/* Held back until the driver wants it: its flushes lose nothing. */
	CHECK(!(in(0x3fd) & 1));
	in(0x3f8);
	out(0x3fa, 0x07);
	CHECK(!pic_intr(&pic));
	out(0x3f9, 0x01);
	CHECK_EQ(pic_ack(&pic), 0x34);
	CHECK_EQ(in(0x3fa), 0xc4);
	for (i = 0; i < 3; i++) {
		CHECK(in(0x3fd) & 1);
		CHECK_EQ(in(0x3f8), 'a' + i);
	}
	CHECK(!(in(0x3fd) & 1));
	CHECK_EQ(in(0x3fa), 0xc1);
	out(0x20, 0x20);
	CHECK(!pic_intr(&pic));
	serial_receive(&serial, (const uint8_t *)"d", 1);
	CHECK(pic_intr(&pic));
	/* Below the trigger level it is the character timeout. */
	out(0x3fa, 0xc1);
	CHECK_EQ(in(0x3fa), 0xcc);
}

static void serial_queue_full(void)
{
	static uint8_t many[SERIAL_QUEUE + 10];
	unsigned int i;

	set_up();
	for (i = 0; i < sizeof(many); i++)
		many[i] = (uint8_t)i;
	CHECK_EQ(serial_room(&serial), SERIAL_QUEUE);
	serial_receive(&serial, many, sizeof(many));
	CHECK_EQ(serial_room(&serial), 0);
	out(0x3f9, 0x01);
	for (i = 0; i < SERIAL_QUEUE; i++)
		CHECK_EQ(in(0x3f8), (uint8_t)i);
	CHECK_EQ(rooms, 1);
	CHECK(!(in(0x3fd) & 1));
	CHECK_EQ(serial_room(&serial), SERIAL_QUEUE);
	/* The I/O thread fills all but a byte, and waits to hear of room. */
	serial_receive(&serial, many, SERIAL_QUEUE - 1);
	for (i = 0; i < SERIAL_QUEUE - 1; i++)
		CHECK_EQ(in(0x3f8), (uint8_t)i);
	CHECK_EQ(rooms, 2);
}

static void serial_loopback(void)
{
	set_up();
	out(0x3fc, 0x10);
	CHECK(!(in(0x3fd) & 1));
	out(0x3f8, 0xa5);
	CHECK_EQ(sent_len, 0);
	CHECK(in(0x3fd) & 1);
	CHECK_EQ(in(0x3f8), 0xa5);
	CHECK(!(in(0x3fd) & 1));
}

static uint8_t cmos(uint8_t index)
{
	out(0x70, index);
	return in(0x71);
}

static void cmos_set(uint8_t index, uint8_t value)
{
	out(0x70, index);
	out(0x71, value);
}

static void rtc_time(void)
{
	set_up();
	CHECK_EQ(cmos(0x0d), 0x80);
	CHECK_EQ(cmos(0x0a) & 0x80, 0);
	CHECK_EQ(cmos(0x00), 0x40);		/* BCD, as firmware leaves it */
	CHECK_EQ(cmos(0x02), 0x46);
	CHECK_EQ(cmos(0x04), 0x01);
	CHECK_EQ(cmos(0x06), 0x01);
	CHECK_EQ(cmos(0x07), 0x09);
	CHECK_EQ(cmos(0x08), 0x09);
	CHECK_EQ(cmos(0x09), 0x01);
	CHECK_EQ(cmos(0x32), 0x20);
	wall += 12 * 3600;
	cmos_set(0x0b, 0x04);			/* binary, 12 hours */
	CHECK_EQ(cmos(0x00), 40);
	CHECK_EQ(cmos(0x04), 0x81);		/* 1 p.m. */
}

static void rtc_set(void)
{
	set_up();
	cmos_set(0x0b, 0x82);			/* SET: the clock stands */
	wall += 5;
	CHECK_EQ(cmos(0x00), 0x40);
	cmos_set(0x00, 0x30);
	cmos_set(0x04, 0x02);
	cmos_set(0x0b, 0x02);
	CHECK_EQ(rtc.offset, 3600 - 10 - 5);
	wall += 1;
	CHECK_EQ(cmos(0x00), 0x31);
	CHECK_EQ(cmos(0x04), 0x02);
	cmos_set(0x0d, 0);
	CHECK_EQ(cmos(0x0d), 0x80);		/* read-only */
}

static void rtc_memory_size(void)
{
	set_up();
	CHECK_EQ(cmos(0x15) | cmos(0x16) << 8, 640);
	CHECK_EQ(cmos(0x34) | cmos(0x35) << 8, (256 - 16) * 16);
	rtc_init(&rtc, 3ull << 30, 5ull << 30, test_wall, NULL);
	CHECK_EQ(cmos(0x17) | cmos(0x18) << 8, 0xffff);
	CHECK_EQ(cmos(0x34) | cmos(0x35) << 8, (3072 - 16) * 16);
	CHECK_EQ(cmos(0x5b) | cmos(0x5c) << 8 | cmos(0x5d) << 16, 5 * 16384);
}

static void reset_ports(void)
{
	uint32_t dword = 0x80000600;

	set_up();
	CHECK(in(0x64) & 0x01);		/* never empties: no controller */
	CHECK(!(in(0x64) & 0x02));	/* but nothing to wait for */
	out(0x64, 0xff);
	CHECK(!ports.reset);
	out(0x64, 0xfe);
	CHECK(ports.reset);
	set_up();
	CHECK_EQ(in(0x92), 0x02);
	out(0x92, 0x02);
	CHECK(!ports.reset);
	out(0x92, 0x03);
	CHECK(ports.reset);
	set_up();
	/* A PCI address with that bit set is not a reset. */
	bus_write(&bus, 0xcf8, 4, (uint8_t *)&dword);
	CHECK(!ports.reset);
	out(0xcf9, 0x02);
	CHECK(!ports.reset);
	out(0xcf9, 0x06);
	CHECK(ports.reset);
}

static void bus_floats(void)
{
	uint32_t dword = 0;
	uint16_t word = 0x1234;

	set_up();
	bus_read(&bus, 0xcfc, 4, (uint8_t *)&dword);
	CHECK_EQ(dword, 0xffffffff);
	bus_read(&bus, 0x1234, 2, (uint8_t *)&word);
	CHECK_EQ(word, 0xffff);
	CHECK_EQ(bus.unclaimed_reads, 2);
	bus_write(&bus, 0xffff, 2, (uint8_t *)&word);	/* wraps, no harm */
	CHECK_EQ(bus.unclaimed_writes, 2);
	/* A word at 0x70 is index and data. */
	word = 0x5a40;
	bus_write(&bus, 0x70, 2, (uint8_t *)&word);
	CHECK_EQ(cmos(0x40), 0x5a);
}

static const struct test tests[] = {
	{ "pic_masks_until_set_up", pic_masks_until_set_up },
	{ "pic_priority_and_eoi", pic_priority_and_eoi },
	{ "pic_cascade", pic_cascade },
	{ "pic_spurious", pic_spurious },
	{ "pic_edge_and_level", pic_edge_and_level },
	{ "pic_rotation_and_masks", pic_rotation_and_masks },
	{ "pic_poll", pic_poll },
	{ "pic_auto_eoi", pic_auto_eoi },
	{ "pit_periodic", pit_periodic },
	{ "pit_no_storm", pit_no_storm },
	{ "pit_one_shot", pit_one_shot },
	{ "pit_counting", pit_counting },
	{ "pit_latch", pit_latch },
	{ "pit_read_back", pit_read_back },
	{ "pit_bcd", pit_bcd },
	{ "pit_channel_2", pit_channel_2 },
	{ "pit_fuzz", pit_fuzz },
	{ "serial_probe", serial_probe },
	{ "serial_output", serial_output },
	{ "serial_input", serial_input },
	{ "serial_queue_full", serial_queue_full },
	{ "serial_loopback", serial_loopback },
	{ "rtc_time", rtc_time },
	{ "rtc_set", rtc_set },
	{ "rtc_memory_size", rtc_memory_size },
	{ "ports_reset", reset_ports },
	{ "bus_floats", bus_floats },
};

TEST_MAIN(tests)
