// SPDX-License-Identifier: GPL-2.0
/* Accesses half in memory and half out of it, across pages and slots. */
#include "vmtest.h"

GUEST_ALL(st, "mov %eax, (%ebx)\nhlt\n");
GUEST_ALL(ld, "mov (%ebx), %eax\nhlt\n");
GUEST_ALL(rmw, "addl $1, (%ebx)\nhlt\n");

/* The last bytes of RAM and the first of nothing, and the other way round. */
static void ram_edge(void)
{
	enum guest_mode m;
	int k;

	for (m = MODE_PROT32; m < NR_MODES; m++)
		for (k = 1; k < 4; k++) {
			struct vcpu *v = guest_start_all(m, st);
			struct mmio_window w = { 0 };
			uint8_t *top = v->vm->mem + G_MEM;
			uint32_t x = 0xd4c3b2a1;

			v->regs.rax = x;
			v->regs.rbx = G_MEM - k;
			set_regs(v);
			run_window(v, &w, G_MEM);
			EXPECT(!memcmp(top - k, &x, k));
			EXPECT(!memcmp(w.bytes, (uint8_t *)&x + k, 4 - k));
			EXPECT_EQ(w.reads[4 - k] + w.writes[4 - k], 0);

			guest_load(v->vm, G_CODE, guest_for(ld, m));
			memset(top - 4, 0x11, 4);
			memset(w.bytes, 0x22, 4);
			v->regs.rip = G_CODE;
			set_regs(v);
			run_window(v, &w, G_MEM);
			x = 0x22222222u << (8 * k) | 0x11111111u >> (8 * (4 - k));
			EXPECT_EQ((uint32_t)v->regs.rax, x);

			guest_load(v->vm, G_CODE, guest_for(rmw, m));
			memset(top - 4, 0xff, 4);
			memset(w.bytes, 0, 4);
			v->regs.rip = G_CODE;
			set_regs(v);
			run_window(v, &w, G_MEM);
			EXPECT_EQ(top[-1], 0);
			EXPECT_EQ(w.bytes[0], 1);
			vm_free_all();
		}
}

/* Memory above the hole: its first byte starts in mid-access. */
static void from_hole_into_ram(void)
{
	enum guest_mode m;
	int k;

	for (m = MODE_PROT32; m < NR_MODES; m++)
		for (k = 1; k < 4; k++) {
			struct vcpu *v = guest_start_all(m, st);
			struct mmio_window w = { 0 };
			uint8_t *slot = anon(0x1000);
			uint32_t x = 0xd4c3b2a1;

			ASSERT_OK(vm_slot(v->vm, 1, 0, G_HOLE + 0x1000, 0x1000, slot));
			v->regs.rax = x;
			v->regs.rbx = G_HOLE + 0x1000 - k;
			set_regs(v);
			run_window(v, &w, G_HOLE + 0x1000 - 8);
			EXPECT(!memcmp(w.bytes + 8 - k, &x, k));
			EXPECT_EQ(w.bytes[7 - k], 0);
			EXPECT(!memcmp(slot, (uint8_t *)&x + k, 4 - k));
			EXPECT_EQ(slot[4 - k], 0);
			EXPECT_EQ(w.reads[8] + w.writes[8], 0);		/* RAM is no MMIO */
			vm_free_all();
			munmap(slot, 0x1000);
		}
}

/* Both halves MMIO, over a page's edge. */
static void page_edge(void)
{
	enum guest_mode m;
	int k;

	for (m = MODE_PROT32; m < NR_MODES; m++)
		for (k = 1; k < 4; k++) {
			struct vcpu *v = guest_start_all(m, st);
			struct mmio_window w = { 0 };
			uint32_t x = 0xd4c3b2a1;

			v->regs.rax = x;
			v->regs.rbx = G_HOLE + 0x1000 - k;
			set_regs(v);
			run_window(v, &w, G_HOLE + 0x1000 - 8);
			EXPECT(!memcmp(w.bytes + 8 - k, &x, 4));

			guest_load(v->vm, G_CODE, guest_for(rmw, m));
			v->regs.rip = G_CODE;
			set_regs(v);
			run_window(v, &w, G_HOLE + 0x1000 - 8);
			x++;
			EXPECT(!memcmp(w.bytes + 8 - k, &x, 4));
			EXPECT_EQ(w.reads[7 - k] + w.writes[7 - k], 0);
			EXPECT_EQ(w.reads[8 - k + 4] + w.writes[8 - k + 4], 0);
			vm_free_all();
		}
}

/* Two linear pages, the second elsewhere: RAM, then a hole far away. */
static void split_by_paging(void)
{
	enum guest_mode m;

	for (m = MODE_PG32; m < NR_MODES; m++) {
		struct vcpu *v = guest_start_all(m, st);
		struct mmio_window w = { 0 };

		if (m == MODE_PG32)
			g32(v->vm, G_PT32 + 0x61 * 4) = G_HOLE | 7;
		else
			g64(v->vm, G_PT + 0x61 * 8) = G_HOLE | 7;
		v->regs.rax = 0xd4c3b2a1;
		v->regs.rbx = 0x60ffe;
		set_regs(v);
		run_window(v, &w, G_HOLE);
		EXPECT_EQ(g16(v->vm, 0x60ffe), 0xb2a1);
		EXPECT_EQ(w.bytes[0] | w.bytes[1] << 8, 0xd4c3);
		EXPECT_EQ(w.reads[2] + w.writes[2], 0);
	}
}

/* Adjoining slots of different memory: RAM on both sides, no exit. */
static void adjoining_slots(void)
{
	enum guest_mode m;

	for (m = MODE_PROT32; m < NR_MODES; m++) {
		struct vcpu *v = guest_start_all(m, st);
		uint8_t *a = anon(0x1000), *b = anon(0x1000);

		ASSERT_OK(vm_slot(v->vm, 1, 0, G_HOLE, 0x1000, a));
		ASSERT_OK(vm_slot(v->vm, 2, 0, G_HOLE + 0x1000, 0x1000, b));
		v->regs.rax = 0xd4c3b2a1;
		v->regs.rbx = G_HOLE + 0xffe;
		set_regs(v);
		run_to_hlt(v);
		EXPECT_EQ(a[0xffe] | a[0xfff] << 8, 0xb2a1);
		EXPECT_EQ(b[0] | b[1] << 8, 0xd4c3);
		munmap(a, 0x1000);
		munmap(b, 0x1000);
	}
}

/* Code that ends RAM: an instruction at its very end runs, a next one cannot be had. */
static void code_at_edge(void)
{
	enum guest_mode m;

	for (m = MODE_PROT32; m < NR_MODES; m++) {
		struct vcpu *v = guest_start_all(m, st);

		memset(v->vm->mem + G_MEM - 4, 0x90, 3);
		g8(v->vm, G_MEM - 1) = 0xf4;
		v->regs.rip = G_MEM - 4;
		set_regs(v);
		run_to_hlt(v);
		EXPECT_EQ(v->regs.rip, G_MEM);
		run_to(v, KVM_EXIT_INTERNAL_ERROR);
	}
}

int main(void)
{
	static const struct ktap_case cases[] = {
		{ "ram_edge", ram_edge }, { "from_hole_into_ram", from_hole_into_ram },
		{ "page_edge", page_edge }, { "split_by_paging", split_by_paging },
		{ "adjoining_slots", adjoining_slots }, { "code_at_edge", code_at_edge },
	};

	vmtest_init();
	return ktap_run(cases, KTAP_COUNT(cases));
}
