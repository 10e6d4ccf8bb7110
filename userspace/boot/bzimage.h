/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The bzImage file: its header, checked.
 *
 * Facts: the kernel's Documentation/x86/boot.rst.  Protocol 2.10 (Linux
 * 2.6.31) is the oldest one accepted, because from there on the header says
 * where the kernel wants to run and how much memory it needs for that.
 */
#ifndef RINGVM_BZIMAGE_H
#define RINGVM_BZIMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <asm/bootparam.h>

#include "../diag.h"

#define BZIMAGE_MIN_PROTOCOL	0x020a
#define BZIMAGE_MAX_SIZE	(512u << 20)

struct bzimage {
	struct setup_header hdr;
	size_t hdr_len;			/* bytes of hdr that the file defines */
	const uint8_t *payload;		/* the protected-mode kernel */
	size_t payload_size;
	bool kernel_64;			/* has the 64-bit entry point */
	char release[65];		/* "6.1.0-50-686", empty if not given */
};

/*
 * Checks @file of @size bytes.  0 and *k filled (pointing into @file), or -1
 * and one line in @d.
 */
int bzimage_parse(const uint8_t *file, size_t size, struct bzimage *k,
		  struct diag *d);

#endif
