// SPDX-License-Identifier: GPL-2.0
/*
 * The memory map and the placement of kernel and initrd: see layout.h.
 */
#include <string.h>

#include "layout.h"

#define E820_RAM	1
#define E820_RESERVED	2
#define PAGE		4096ull

struct mem_split mem_split(uint64_t bytes)
{
	struct mem_split mem = { .low = bytes };

	if (bytes > LOW_MEM_MAX) {
		mem.low = LOW_MEM_MAX;
		mem.high = bytes - LOW_MEM_MAX;
	}
	return mem;
}

unsigned int e820_build(const struct mem_split *mem,
			struct boot_e820_entry *table)
{
	unsigned int n = 0;

	table[n++] = (struct boot_e820_entry){ 0, EBDA_ADDR, E820_RAM };
	table[n++] = (struct boot_e820_entry){
		EBDA_ADDR, VGA_HOLE - EBDA_ADDR, E820_RESERVED };
	table[n++] = (struct boot_e820_entry){
		BIOS_AREA, HIGH_MEM - BIOS_AREA, E820_RESERVED };
	table[n++] = (struct boot_e820_entry){
		HIGH_MEM, mem->low - HIGH_MEM, E820_RAM };
	if (mem->high)
		table[n++] = (struct boot_e820_entry){
			ABOVE_4G, mem->high, E820_RAM };
	return n;
}

static uint64_t mib_up(uint64_t bytes)
{
	return (bytes + (2ull << 20) - 1) >> 21 << 1;
}

static int place_kernel(const struct bzimage *k, const struct mem_split *mem,
			struct boot_plan *plan, struct diag *d)
{
	const struct setup_header *h = &k->hdr;
	uint64_t align, need, run;

	/*
	 * boot.rst, "init_size": a kernel that cannot be relocated runs at
	 * pref_address wherever it was loaded; one that can runs at the
	 * aligned load address, but not below pref_address.
	 */
	if (h->relocatable_kernel) {
		align = h->kernel_alignment;
		run = (h->pref_address + align - 1) & ~(align - 1);
		plan->load = run;
	} else {
		run = h->pref_address;
		plan->load = HIGH_MEM;
	}
	need = run + h->init_size;
	if (need < plan->load + k->payload_size)
		need = plan->load + k->payload_size;
	if (need > mem->low)
		return diag_set(d, "the guest's memory (%llu MiB) is too small for this kernel: give at least --mem %lluM%s",
				(unsigned long long)(mem->low >> 20),
				(unsigned long long)mib_up(need),
				need > LOW_MEM_MAX ? " (more than there can be below 3 GiB: the kernel file is corrupt)" : "");
	plan->kernel_end = need;
	plan->entry = plan->load + (plan->long_mode ? 0x200 : 0);
	return 0;
}

static int place_initrd(const struct bzimage *k, const struct mem_split *mem,
			struct boot_plan *plan, struct diag *d)
{
	uint64_t top = mem->low, limit = (uint64_t)k->hdr.initrd_addr_max + 1;
	uint64_t start = (plan->kernel_end + PAGE - 1) & ~(PAGE - 1);

	if (top > limit)
		top = limit;
	top &= ~(PAGE - 1);
	if (top > start && top - start >= plan->initrd_size) {
		plan->initrd = (top - plan->initrd_size) & ~(PAGE - 1);
		return 0;
	}
	if (top == mem->low && start + plan->initrd_size <= LOW_MEM_MAX)
		return diag_set(d, "the initrd (%llu bytes) does not fit into the guest's memory behind the kernel: give at least --mem %lluM",
				(unsigned long long)plan->initrd_size,
				(unsigned long long)mib_up(start +
							   plan->initrd_size));
	return diag_set(d, "the initrd (%llu bytes) is too large: this kernel takes it between 0x%llx and 0x%llx only; make it smaller",
			(unsigned long long)plan->initrd_size,
			(unsigned long long)start,
			(unsigned long long)(limit - 1));
}

int boot_plan(const struct bzimage *k, const struct mem_split *mem,
	      uint64_t initrd_size, uint64_t cmdline_len, bool long_mode,
	      struct boot_plan *plan, struct diag *d)
{
	uint64_t room = k->hdr.cmdline_size;

	*plan = (struct boot_plan){
		.initrd_size = initrd_size,
		.long_mode = long_mode,
	};
	if (room > CMDLINE_ROOM - 1)
		room = CMDLINE_ROOM - 1;
	if (cmdline_len > room)
		return diag_set(d, "the command line has %llu characters, this kernel takes %llu: shorten --append",
				(unsigned long long)cmdline_len,
				(unsigned long long)room);
	if (place_kernel(k, mem, plan, d))
		return -1;
	if (initrd_size)
		return place_initrd(k, mem, plan, d);
	return 0;
}
