/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Guest memory for devices: from guest-physical addresses, which a hostile
 * driver chose, to memory of ours.
 *
 * The memory stays mapped as long as the machine exists, so that what
 * gmem_at() gave once stays valid.  What is in it may change at any time: a
 * value that is checked is read once (gmem_read16() and its like) and used
 * from the copy.
 */
#ifndef RINGVM_GMEM_H
#define RINGVM_GMEM_H

#include <stdint.h>

#include "../boot/layout.h"

struct gmem {
	uint8_t *ram;		/* mem.low, then mem.high bytes */
	struct mem_split mem;
};

/* @len bytes at @gpa, or NULL unless all of them are in one piece of RAM. */
void *gmem_at(const struct gmem *g, uint64_t gpa, uint64_t len);

static inline uint16_t gmem_read16(const uint16_t *at)
{
	return __atomic_load_n(at, __ATOMIC_ACQUIRE);
}

static inline void gmem_write16(uint16_t *at, uint16_t value)
{
	__atomic_store_n(at, value, __ATOMIC_RELEASE);
}

#endif
