// SPDX-License-Identifier: GPL-2.0
/*
 * The MC146818 and CMOS memory: see rtc.h.
 */
#include <string.h>

#include "rtc.h"

enum {
	RTC_SECONDS	= 0,
	RTC_MINUTES	= 2,
	RTC_HOURS	= 4,
	RTC_WEEKDAY	= 6,
	RTC_DAY		= 7,
	RTC_MONTH	= 8,
	RTC_YEAR	= 9,
	RTC_A		= 10,
	RTC_B		= 11,
	RTC_C		= 12,
	RTC_D		= 13,
	RTC_CENTURY	= 0x32,
};

#define A_UIP		0x80
#define B_24_HOURS	0x02
#define B_BINARY	0x04
#define B_SET		0x80
#define D_VALID		0x80
#define HOUR_PM		0x80

static uint8_t encode(const struct rtc *rtc, int value)
{
	if (rtc->ram[RTC_B] & B_BINARY)
		return (uint8_t)value;
	return (uint8_t)(value / 10 % 10 << 4 | value % 10);
}

static int decode(const struct rtc *rtc, uint8_t value)
{
	if (rtc->ram[RTC_B] & B_BINARY)
		return value;
	return (value >> 4) * 10 + (value & 15);
}

static uint8_t encode_hour(const struct rtc *rtc, int hour)
{
	if (rtc->ram[RTC_B] & B_24_HOURS)
		return encode(rtc, hour);
	return encode(rtc, hour % 12 ? hour % 12 : 12) |
	       (hour >= 12 ? HOUR_PM : 0);
}

static int decode_hour(const struct rtc *rtc, uint8_t value)
{
	int hour;

	if (rtc->ram[RTC_B] & B_24_HOURS)
		return decode(rtc, value);
	hour = decode(rtc, value & (uint8_t)~HOUR_PM) % 12;
	return value & HOUR_PM ? hour + 12 : hour;
}

/* Copies the clock into the time registers. */
static void time_to_ram(struct rtc *rtc)
{
	time_t t = rtc->now(rtc->clock) + (time_t)rtc->offset;
	struct tm tm;

	if (!gmtime_r(&t, &tm))
		return;
	rtc->ram[RTC_SECONDS] = encode(rtc, tm.tm_sec);
	rtc->ram[RTC_MINUTES] = encode(rtc, tm.tm_min);
	rtc->ram[RTC_HOURS] = encode_hour(rtc, tm.tm_hour);
	rtc->ram[RTC_WEEKDAY] = encode(rtc, tm.tm_wday + 1);
	rtc->ram[RTC_DAY] = encode(rtc, tm.tm_mday);
	rtc->ram[RTC_MONTH] = encode(rtc, tm.tm_mon + 1);
	rtc->ram[RTC_YEAR] = encode(rtc, (tm.tm_year + 1900) % 100);
	rtc->ram[RTC_CENTURY] = encode(rtc, (tm.tm_year + 1900) / 100);
}

/* The guest has set the time registers: the offset follows. */
static void ram_to_time(struct rtc *rtc)
{
	struct tm tm = {
		.tm_sec = decode(rtc, rtc->ram[RTC_SECONDS]),
		.tm_min = decode(rtc, rtc->ram[RTC_MINUTES]),
		.tm_hour = decode_hour(rtc, rtc->ram[RTC_HOURS]),
		.tm_mday = decode(rtc, rtc->ram[RTC_DAY]),
		.tm_mon = decode(rtc, rtc->ram[RTC_MONTH]) - 1,
		.tm_year = decode(rtc, rtc->ram[RTC_CENTURY]) * 100 +
			   decode(rtc, rtc->ram[RTC_YEAR]) - 1900,
	};

	rtc->offset = (int64_t)timegm(&tm) - (int64_t)rtc->now(rtc->clock);
}

static bool is_time(uint8_t index)
{
	switch (index) {
	case RTC_SECONDS:
	case RTC_MINUTES:
	case RTC_HOURS:
	case RTC_WEEKDAY:
	case RTC_DAY:
	case RTC_MONTH:
	case RTC_YEAR:
	case RTC_CENTURY:
		return true;
	default:
		return false;
	}
}

static uint8_t rtc_read(void *dev, uint16_t port)
{
	struct rtc *rtc = dev;

	if (!(port & 1))
		return 0xff;	/* the index register cannot be read */
	if (is_time(rtc->index) && !(rtc->ram[RTC_B] & B_SET))
		time_to_ram(rtc);
	return rtc->ram[rtc->index];
}

static void rtc_write(void *dev, uint16_t port, uint8_t value)
{
	struct rtc *rtc = dev;
	uint8_t before;

	if (!(port & 1)) {
		rtc->index = value & 0x7f;	/* bit 7 masks the NMI */
		return;
	}
	switch (rtc->index) {
	case RTC_A:
		rtc->ram[RTC_A] = value & (uint8_t)~A_UIP;
		return;
	case RTC_B:
		before = rtc->ram[RTC_B];
		/* SET freezes the registers as they are now. */
		if ((value & B_SET) && !(before & B_SET))
			time_to_ram(rtc);
		if (!(value & B_SET) && (before & B_SET))
			ram_to_time(rtc);
		rtc->ram[RTC_B] = value;
		return;
	case RTC_C:
	case RTC_D:
		return;		/* read-only */
	default:
		break;
	}
	if (is_time(rtc->index) && !(rtc->ram[RTC_B] & B_SET)) {
		time_to_ram(rtc);
		rtc->ram[rtc->index] = value;
		ram_to_time(rtc);
	} else {
		rtc->ram[rtc->index] = value;
	}
}

static void put16(struct rtc *rtc, unsigned int cell, uint64_t value)
{
	if (value > 0xffff)
		value = 0xffff;
	rtc->ram[cell] = (uint8_t)value;
	rtc->ram[cell + 1] = (uint8_t)(value >> 8);
}

static uint64_t above(uint64_t bytes, uint64_t limit)
{
	return bytes > limit ? bytes - limit : 0;
}

void rtc_init(struct rtc *rtc, uint64_t below_4g, uint64_t above_4g,
	      time_t (*now)(void *ctx), void *clock)
{
	uint64_t above_64k = above_4g >> 16;

	memset(rtc, 0, sizeof(*rtc));
	rtc->now = now;
	rtc->clock = clock;
	rtc->ram[RTC_A] = 0x26;		/* 32768 Hz time base, 1024 Hz rate */
	rtc->ram[RTC_B] = B_24_HOURS;
	rtc->ram[RTC_D] = D_VALID;
	put16(rtc, 0x15, 640);
	put16(rtc, 0x17, above(below_4g, 1ull << 20) >> 10);
	put16(rtc, 0x30, above(below_4g, 1ull << 20) >> 10);
	put16(rtc, 0x34, above(below_4g, 16ull << 20) >> 16);
	put16(rtc, 0x5b, above_64k & 0xffff);
	rtc->ram[0x5d] = (uint8_t)(above_64k >> 16);
}

static const struct bus_ops rtc_ops = { rtc_read, rtc_write };

void rtc_attach(struct rtc *rtc, struct bus *bus)
{
	bus_claim(bus, 0x70, 2, &rtc_ops, rtc);
}
