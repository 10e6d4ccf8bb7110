/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where things lie in guest-physical memory.
 *
 *   0x00000000  real-mode vectors and BIOS data area
 *   0x00001000  GDT for the entry
 *   0x00002000  page tables for the 64-bit entry (6 pages)
 *   0x00010000  struct boot_params (the "zero page")
 *   0x00020000  command line
 *   0x0009fc00  extended BIOS data area (reserved, empty)
 *   0x000a0000  hole: VGA memory, nothing there
 *   0x000c0000  RAM behind the BIOS area (reserved, reads zero).  Kernels
 *               scan it for tables; backed by RAM that costs no exits.
 *   0x000f0000  ACPI tables, where there are local APICs
 *   0x00100000  RAM; the kernel at its preferred address, the initrd at the
 *               top
 *   0xc0000000  hole for devices, when there is more RAM than 3 GiB
 *   0x100000000 the rest of the RAM
 */
#ifndef RINGVM_LAYOUT_H
#define RINGVM_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "bzimage.h"

#define GDT_ADDR	0x1000u
#define PAGE_TABLES	0x2000u
#define BOOT_PARAMS	0x10000u
#define CMDLINE_ADDR	0x20000u
#define CMDLINE_ROOM	0x10000u
#define EBDA_ADDR	0x9fc00u
#define VGA_HOLE	0xa0000u
#define VGA_HOLE_END	0xc0000u
#define BIOS_AREA	0xf0000u
#define HIGH_MEM	0x100000u
#define LOW_MEM_MAX	0xc0000000ull
#define ABOVE_4G	0x100000000ull

/* Intel VT-x needs three pages for real mode, out of the way of RAM. */
#define TSS_ADDR	0xfffbd000u
#define IDENTITY_MAP	0xfffbc000u

struct mem_split {
	uint64_t low;		/* bytes from 0 */
	uint64_t high;		/* bytes from 4 GiB */
};

struct mem_split mem_split(uint64_t bytes);

/* Fills @table (room for 8) and returns the number of entries. */
unsigned int e820_build(const struct mem_split *mem,
			struct boot_e820_entry *table);

struct boot_plan {
	uint64_t load;		/* where the payload goes */
	uint64_t entry;		/* where the CPU starts */
	uint64_t kernel_end;	/* behind all that the kernel needs to start */
	uint64_t initrd;	/* address, 0 = none */
	uint64_t initrd_size;
	bool long_mode;		/* 64-bit boot protocol */
};

/*
 * Places everything, or says what does not fit.  @cmdline_len is without the
 * closing NUL.
 */
int boot_plan(const struct bzimage *k, const struct mem_split *mem,
	      uint64_t initrd_size, uint64_t cmdline_len, bool long_mode,
	      struct boot_plan *plan, struct diag *d);

#endif
