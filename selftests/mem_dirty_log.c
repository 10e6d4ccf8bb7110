// SPDX-License-Identifier: GPL-2.0
/* The dirty log tells exactly which pages were written since it was last read (KVM API 4.8). */
#include "vmtest.h"

#define BASE	0x10000000ul
#define PAGES	200			/* three words of 64, and a bit */
#define PG	0x1000ul

static uint64_t map[(PAGES + 63) / 64];

static struct vcpu *start(enum guest_mode m, const struct guest_code prog[3], uint8_t **mem)
{
	struct vcpu *v = guest_start_all(m, prog);

	*mem = anon(PAGES * PG);
	ASSERT_OK(vm_slot(v->vm, 1, KVM_MEM_LOG_DIRTY_PAGES, BASE, PAGES * PG, *mem));
	return v;
}

static void get_log(struct vcpu *v)
{
	struct kvm_dirty_log d = { .slot = 1, .dirty_bitmap = map };

	memset(map, 0xff, sizeof(map));
	ASSERT_OK(ioctl(v->vm->fd, KVM_GET_DIRTY_LOG, &d));
}

static void expect_pages(const int *pages, int n, const char *what)
{
	uint64_t want[KTAP_COUNT(map)] = { 0 };
	unsigned int i;

	while (n--)
		want[pages[n] / 64] |= BIT(pages[n] % 64);
	for (i = 0; i < KTAP_COUNT(map); i++)
		if (map[i] != want[i])
			KTAP_FAIL_("%s: word %u is %#llx, want %#llx", what, i,
				   (unsigned long long)map[i], (unsigned long long)want[i]);
}

#define EXPECT_PAGES(what, ...) do {					\
	static const int p_[] = { __VA_ARGS__ };			\
	expect_pages(p_, KTAP_COUNT(p_), what);				\
} while (0)

static void at(struct vcpu *v, uint64_t rbx)
{
	v->regs.rip = G_CODE;
	v->regs.rbx = v->regs.rdi = rbx;
	v->regs.rdx = 0x3e8;
	set_regs(v);
}

GUEST_ALL(wr, "mov %eax, (%ebx)\nhlt\n");
GUEST_ALL(rd, "mov (%ebx), %eax\nhlt\n");

static void exact(void)
{
	enum guest_mode m;
	uint8_t *mem;

	for (m = MODE_PROT32; m < NR_MODES; m++) {
		struct vcpu *v = start(m, wr, &mem);

		get_log(v);
		expect_pages(NULL, 0, "at first");
		at(v, BASE);
		run_to_hlt(v);
		at(v, BASE + 63 * PG + 8);
		run_to_hlt(v);
		at(v, BASE + 64 * PG);
		run_to_hlt(v);
		at(v, BASE + 199 * PG + 0xffc);
		run_to_hlt(v);
		get_log(v);
		EXPECT_PAGES("four writes", 0, 63, 64, 199);
		get_log(v);
		expect_pages(NULL, 0, "after reading");
		/* The same page again: it must be caught again. */
		at(v, BASE + 64 * PG);
		run_to_hlt(v);
		get_log(v);
		EXPECT_PAGES("again", 64);
		/* Astride two pages. */
		at(v, BASE + 100 * PG - 2);
		run_to_hlt(v);
		get_log(v);
		EXPECT_PAGES("astride", 99, 100);
		/* A read is no write. */
		guest_load(v->vm, G_CODE, guest_for(rd, m));
		at(v, BASE + 5 * PG);
		run_to_hlt(v);
		get_log(v);
		expect_pages(NULL, 0, "a read");
		/* The client's own writes do not count. */
		mem[7 * PG] = 1;
		get_log(v);
		expect_pages(NULL, 0, "the client's write");
		vm_free_all();
		munmap(mem, PAGES * PG);
	}
}

/* Writes that the module does for the guest: INS, and MOVS out of MMIO. */
GUEST_ALL(ins, "rep insb\nhlt\n");
GUEST_ALL(movs, "movsl\nhlt\n");

static void emulated_writes(void)
{
	enum guest_mode m;
	uint8_t *mem;

	for (m = MODE_PROT32; m < NR_MODES; m++) {
		struct vcpu *v = start(m, ins, &mem);

		at(v, BASE + 20 * PG - 3);
		v->regs.rcx = 6;
		set_regs(v);
		for (;;) {
			ASSERT_EQ(vcpu_run(v), 0);
			if (v->run->exit_reason == KVM_EXIT_HLT)
				break;
			ASSERT_EQ(v->run->exit_reason, KVM_EXIT_IO);
			memset(pio_data(v), 0x77, v->run->io.count);
		}
		get_log(v);
		EXPECT_PAGES("INS", 19, 20);
		EXPECT_EQ(mem[20 * PG + 2], 0x77);
		EXPECT_EQ(mem[20 * PG + 3], 0);

		guest_load(v->vm, G_CODE, guest_for(movs, m));
		at(v, BASE + 42 * PG);
		v->regs.rsi = G_HOLE;
		set_regs(v);
		run_to(v, KVM_EXIT_MMIO);
		run_to_hlt(v);
		get_log(v);
		EXPECT_PAGES("MOVS", 42);
		vm_free_all();
		munmap(mem, PAGES * PG);
	}
}

/* Accessed and Dirty bits that the CPU sets in page tables are writes as well. */
static void page_table_bits(void)
{
	struct vcpu *v = guest_start_all(MODE_LONG, rd);
	uint8_t *mem = anon(PAGES * PG);
	struct vm *vm = v->vm;

	/* The last level of one 2 MiB region lies in the logged slot. */
	ASSERT_OK(vm_slot(vm, 1, KVM_MEM_LOG_DIRTY_PAGES, BASE, PAGES * PG, mem));
	((uint64_t *)(mem + 9 * PG))[0] = 0x50007;
	g64(vm, G_PD + 8) = (BASE + 9 * PG) | 7;
	g32(vm, 0x50000) = 0x1234;
	at(v, 0x200000);
	run_to_hlt(v);
	EXPECT_EQ(v->regs.rax, 0x1234);
	EXPECT_EQ(((uint64_t *)(mem + 9 * PG))[0], 0x50027);
	get_log(v);
	EXPECT_PAGES("A bit", 9);
	munmap(mem, PAGES * PG);
}

/* Switched on after the guest has already written, also with large pages below. */
GUEST_ALL(fill, "mov $200, %ecx\n1: mov %eax, (%ebx)\nadd $0x1000, %ebx\ndec %ecx\njnz 1b\nhlt\n");

static void switched_on_later(void)
{
	size_t huge = 4ul << 20;
	uint8_t *raw = anon(2 * huge);
	uint8_t *mem = (uint8_t *)(((uintptr_t)raw + huge - 1) & -huge);
	enum guest_mode m;

	madvise(mem, huge, MADV_HUGEPAGE);
	memset(mem, 1, PAGES * PG);
	for (m = MODE_PROT32; m < NR_MODES; m++) {
		struct vcpu *v = guest_start_all(m, fill);
		int i;

		ASSERT_OK(vm_slot(v->vm, 1, 0, BASE, PAGES * PG, mem));
		at(v, BASE);
		run_to_hlt(v);
		ASSERT_OK(vm_slot(v->vm, 1, KVM_MEM_LOG_DIRTY_PAGES, BASE, PAGES * PG, mem));
		get_log(v);
		expect_pages(NULL, 0, "just switched on");
		guest_load(v->vm, G_CODE, guest_for(wr, m));
		at(v, BASE + 33 * PG);
		run_to_hlt(v);
		at(v, BASE + 150 * PG);
		run_to_hlt(v);
		get_log(v);
		EXPECT_PAGES("two", 33, 150);
		guest_load(v->vm, G_CODE, guest_for(fill, m));
		at(v, BASE);
		run_to_hlt(v);
		get_log(v);
		for (i = 0; i < PAGES; i++)
			EXPECT(map[i / 64] & BIT(i % 64));
		EXPECT_EQ(map[3], 0xff);
		/* Off and on: it starts empty. */
		at(v, BASE);
		run_to_hlt(v);
		ASSERT_OK(vm_slot(v->vm, 1, 0, BASE, PAGES * PG, mem));
		ASSERT_OK(vm_slot(v->vm, 1, KVM_MEM_LOG_DIRTY_PAGES, BASE, PAGES * PG, mem));
		get_log(v);
		expect_pages(NULL, 0, "off and on");
		vm_free_all();
	}
	munmap(raw, 2 * huge);
}

int main(void)
{
	static const struct ktap_case cases[] = {
		{ "exact", exact }, { "emulated_writes", emulated_writes },
		{ "page_table_bits", page_table_bits },
		{ "switched_on_later", switched_on_later },
	};

	vmtest_init();
	return ktap_run(cases, KTAP_COUNT(cases));
}
