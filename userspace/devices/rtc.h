/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The real-time clock (MC146818) and its CMOS memory at ports 0x70 and 0x71.
 *
 * Facts: Motorola MC146818A data sheet; the memory-size cells are those of
 * the IBM AT and its successors.
 *
 * The clock is the host's, in UTC, plus an offset that the guest makes by
 * setting it.  There are no interrupts (IRQ 8 stays silent): Linux needs none
 * for the time of day.  Time never stands between two values here, so the
 * update-in-progress bit is never set.
 */
#ifndef RINGVM_RTC_H
#define RINGVM_RTC_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "bus.h"

struct rtc {
	uint8_t index;
	uint8_t ram[128];
	int64_t offset;			/* guest time - host time, seconds */
	time_t (*now)(void *ctx);
	void *clock;
};

/* @below_4g and @above_4g: bytes of RAM on either side of 4 GiB. */
void rtc_init(struct rtc *rtc, uint64_t below_4g, uint64_t above_4g,
	      time_t (*now)(void *ctx), void *clock);
void rtc_attach(struct rtc *rtc, struct bus *bus);

#endif
