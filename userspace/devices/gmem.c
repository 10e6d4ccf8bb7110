// SPDX-License-Identifier: GPL-2.0
/*
 * Guest memory for devices: see gmem.h.
 */
#include <stdbool.h>
#include <stddef.h>

#include "gmem.h"

static bool within(uint64_t gpa, uint64_t len, uint64_t start, uint64_t end)
{
	return gpa >= start && gpa <= end && len <= end - gpa;
}

void *gmem_at(const struct gmem *g, uint64_t gpa, uint64_t len)
{
	if (within(gpa, len, 0, VGA_HOLE) ||
	    within(gpa, len, VGA_HOLE_END, g->mem.low))
		return g->ram + gpa;
	if (g->mem.high && within(gpa, len, ABOVE_4G, ABOVE_4G + g->mem.high))
		return g->ram + g->mem.low + (gpa - ABOVE_4G);
	return NULL;
}
