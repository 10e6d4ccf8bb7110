/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Reader for KVM's binary statistics descriptors.
 *
 * Format: the KVM API document (Documentation/virt/kvm/api.rst),
 * KVM_GET_STATS_FD: header, id string, descriptors, data, at the offsets that
 * the header gives.  Nothing in it is trusted: the numbers come from another
 * program as far as this reader is concerned.
 */
#ifndef RINGVM_STATS_H
#define RINGVM_STATS_H

#include <stdint.h>

#include "diag.h"

/*
 * One value.  @index is its place in an array or histogram, -1 for a single
 * value.
 */
typedef void (*stats_fn)(void *ctx, const char *name, int index,
			 uint64_t value);

/* Calls @fn for each value behind @fd.  0, or -1 and one line in @d. */
int stats_read(int fd, stats_fn fn, void *ctx, struct diag *d);

#endif
