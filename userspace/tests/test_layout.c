// SPDX-License-Identifier: GPL-2.0
/*
 * Memory map, placement, boot parameters and entry state.
 */
#include <stdlib.h>
#include <string.h>

#include "../boot/params.h"
#include "image.h"
#include "ktap.h"

static uint8_t file[IMAGE_SIZE];
static struct bzimage image;
static struct diag diag;

static void set_up(void)
{
	image_make(file);
	CHECK(!bzimage_parse(file, IMAGE_SIZE, &image, &diag));
}

static bool says(const char *part)
{
	if (strstr(diag.text, part) && !strchr(diag.text, '\n'))
		return true;
	printf("# wanted '%s', got '%s'\n", part, diag.text);
	return false;
}

static void split(void)
{
	struct mem_split m = mem_split(256ull << 20);

	CHECK(m.low == 256ull << 20 && !m.high);
	m = mem_split(3ull << 30);
	CHECK(m.low == 3ull << 30 && !m.high);
	m = mem_split((3ull << 30) + (2ull << 20));
	CHECK(m.low == 3ull << 30 && m.high == 2ull << 20);
	m = mem_split(16ull << 30);
	CHECK(m.low == 3ull << 30 && m.high == 13ull << 30);
}

/* Sorted, no overlap, RAM adds up, holes where PCs have them. */
static void e820(void)
{
	static const uint64_t sizes[] = {
		16ull << 20, 256ull << 20, 3ull << 30, 5ull << 30, 64ull << 30
	};
	struct boot_e820_entry t[8];
	unsigned int i, j, n;
	uint64_t ram, end;

	for (i = 0; i < 5; i++) {
		struct mem_split m = mem_split(sizes[i]);

		n = e820_build(&m, t);
		CHECK(n <= 8);
		ram = 0;
		end = 0;
		for (j = 0; j < n; j++) {
			CHECK(t[j].size);
			CHECK(t[j].addr >= end);
			end = t[j].addr + t[j].size;
			if (t[j].type != 1)
				continue;
			ram += t[j].size;
			CHECK(end <= EBDA_ADDR || t[j].addr >= HIGH_MEM);
			CHECK(end <= LOW_MEM_MAX || t[j].addr >= ABOVE_4G);
		}
		/* All but what lies under 0x9fc00-0xfffff. */
		CHECK_EQ(ram, sizes[i] - (HIGH_MEM - EBDA_ADDR));
		CHECK_EQ(end, m.high ? ABOVE_4G + m.high : m.low);
	}
}

static void plan_relocatable(void)
{
	struct mem_split m = mem_split(64ull << 20);
	struct boot_plan p;

	set_up();
	CHECK(!boot_plan(&image, &m, 1000, 10, true, &p, &diag));
	CHECK_EQ(p.load, 0x1000000);
	CHECK_EQ(p.entry, 0x1000200);
	CHECK_EQ(p.kernel_end, 0x1800000);
	CHECK_EQ(p.initrd, (64ull << 20) - 4096);
	CHECK(!boot_plan(&image, &m, 0, 10, false, &p, &diag));
	CHECK_EQ(p.entry, 0x1000000);
	CHECK_EQ(p.initrd, 0);
}

static void plan_fixed(void)
{
	struct mem_split m = mem_split(64ull << 20);
	struct boot_plan p;

	set_up();
	image.hdr.relocatable_kernel = 0;
	CHECK(!boot_plan(&image, &m, 0, 10, false, &p, &diag));
	CHECK_EQ(p.load, 0x100000);
	CHECK_EQ(p.kernel_end, 0x1800000);
}

static void plan_refused(void)
{
	struct mem_split m = mem_split(16ull << 20);
	struct boot_plan p;

	set_up();
	CHECK(boot_plan(&image, &m, 0, 0, true, &p, &diag) && says("--mem 24M"));
	m = mem_split(24ull << 20);
	CHECK(!boot_plan(&image, &m, 0, 0, true, &p, &diag));
	CHECK(boot_plan(&image, &m, 1, 0, true, &p, &diag) && says("--mem 26M"));
	m = mem_split(26ull << 20);
	CHECK(!boot_plan(&image, &m, 2ull << 20, 0, true, &p, &diag));
	CHECK(boot_plan(&image, &m, (2ull << 20) + 1, 0, true, &p, &diag) &&
	      says("--mem 28M"));
	CHECK(!boot_plan(&image, &m, 0, 2047, true, &p, &diag));
	CHECK(boot_plan(&image, &m, 0, 2048, true, &p, &diag) &&
	      says("takes 2047"));
	image.hdr.cmdline_size = 0xffffffff;
	CHECK(boot_plan(&image, &m, 0, CMDLINE_ROOM, true, &p, &diag) &&
	      says("shorten"));
	image.hdr.initrd_addr_max = 0x18fffff;
	CHECK(!boot_plan(&image, &m, 1 << 20, 0, true, &p, &diag));
	CHECK_EQ(p.initrd, 0x1800000);
	CHECK(boot_plan(&image, &m, (1 << 20) + 1, 0, true, &p, &diag) &&
	      says("too large"));
	image.hdr.init_size = 0xffffffff;
	CHECK(boot_plan(&image, &m, 0, 0, true, &p, &diag) && says("corrupt"));
}

static void plan_initrd_limits(void)
{
	struct mem_split m = mem_split(4ull << 30);
	struct boot_plan p;

	set_up();
	CHECK(!boot_plan(&image, &m, 8192, 0, true, &p, &diag));
	CHECK_EQ(p.initrd, 0x80000000 - 8192);	/* initrd_addr_max */
	image.hdr.initrd_addr_max = 0xffffffff;
	CHECK(!boot_plan(&image, &m, 8192, 0, true, &p, &diag));
	CHECK_EQ(p.initrd, LOW_MEM_MAX - 8192);
	CHECK(boot_plan(&image, &m, 1ull << 62, 0, true, &p, &diag) &&
	      says("too large"));
}

static uint64_t get64(const uint8_t *at)
{
	uint64_t v;

	memcpy(&v, at, sizeof(v));
	return v;
}

static void written(void)
{
	struct mem_split m = mem_split(64ull << 20);
	uint8_t *ram = calloc(1, m.low);
	struct boot_params *bp = (void *)(ram + BOOT_PARAMS);
	struct boot_plan p;
	unsigned int i;

	if (!ram)
		abort();
	set_up();
	CHECK(!boot_plan(&image, &m, 5000, 3, true, &p, &diag));
	boot_write(ram, &m, &image, &p, "a=b");
	CHECK(!memcmp(ram + 0x1000000, file + IMAGE_SETUP, IMAGE_PAYLOAD));
	CHECK(!strcmp((char *)ram + CMDLINE_ADDR, "a=b"));
	CHECK_EQ(bp->hdr.cmd_line_ptr, CMDLINE_ADDR);
	CHECK_EQ(bp->hdr.header, 0x53726448);
	CHECK_EQ(bp->hdr.type_of_loader, 0xff);
	CHECK_EQ(bp->hdr.ramdisk_image, p.initrd);
	CHECK_EQ(bp->hdr.ramdisk_size, 5000);
	CHECK_EQ(bp->hdr.init_size, 0x800000);
	CHECK_EQ(bp->sentinel, 0);
	CHECK_EQ(bp->e820_entries, 4);
	CHECK_EQ(bp->screen_info.orig_video_isVGA, 0);
	/* Identity: 4 GiB in 2 MiB pages. */
	CHECK_EQ(get64(ram + PAGE_TABLES) & ~0xfffull, PAGE_TABLES + 0x1000);
	for (i = 0; i < 2048; i++)
		CHECK_EQ(get64(ram + PAGE_TABLES + 0x2000 + 8ull * i),
			 ((uint64_t)i << 21) | 0x83);
	CHECK_EQ(get64(ram + GDT_ADDR + 0x10), 0x00af9b000000ffffull);
	CHECK_EQ(get64(ram + GDT_ADDR + 0x18), 0x00cf93000000ffffull);
	free(ram);
}

static void entry_state(void)
{
	struct boot_plan p = { .load = 0x1000000, .entry = 0x1000200,
			       .long_mode = true };
	struct kvm_sregs s;
	struct kvm_regs r;

	memset(&s, 0x55, sizeof(s));
	boot_cpu(&p, true, &s, &r);
	CHECK_EQ(s.apic_base, 0x5555555555555555);
	boot_cpu(&p, false, &s, &r);
	CHECK_EQ(r.rip, 0x1000200);
	CHECK_EQ(r.rsi, BOOT_PARAMS);
	CHECK_EQ(r.rflags, 2);
	CHECK_EQ(s.cs.selector, 0x10);
	CHECK_EQ(s.ss.selector, 0x18);
	CHECK(s.cs.l && !s.cs.db);
	CHECK_EQ(s.cr0, 0x80000011);
	CHECK_EQ(s.cr4, 0x20);
	CHECK_EQ(s.efer, 0x500);
	CHECK_EQ(s.apic_base, 0);
	p.long_mode = false;
	p.entry = p.load;
	boot_cpu(&p, false, &s, &r);
	CHECK_EQ(r.rip, 0x1000000);
	CHECK(!r.rbp && !r.rdi && !r.rbx);	/* boot.rst: must be zero */
	CHECK(!s.cs.l && s.cs.db);
	CHECK_EQ(s.cr0, 0x11);
	CHECK_EQ(s.cr4, 0);
	CHECK_EQ(s.efer, 0);
}

static const struct test tests[] = {
	{ "layout_split", split },
	{ "layout_e820", e820 },
	{ "layout_relocatable", plan_relocatable },
	{ "layout_fixed", plan_fixed },
	{ "layout_refused", plan_refused },
	{ "layout_initrd_limits", plan_initrd_limits },
	{ "layout_written", written },
	{ "layout_entry_state", entry_state },
};

TEST_MAIN(tests)
