// SPDX-License-Identifier: GPL-2.0
/*
 * Two-level and PAE page tables as an attacker makes them: that map all 4 GiB, all of it to
 * one frame, themselves, frames where no memory is, with reserved bits, with tables in
 * nowhere.  The guest reads, writes and executes all over the 4 GiB, in ring 0 and in ring 3;
 * among the addresses are the host's own, cut to 32 bits.  What each access gives is worked
 * out here, by a walk of the same tables (SDM vol. 3 §4.3, §4.4, §4.6, §4.7).
 *
 * The client has memory of its own at the very addresses that the guest uses, and around
 * the guest's memory: nothing may be written there.
 */
#include <fcntl.h>

#include "vmtest.h"

#define PG	0x1000u

#define T_LIST	0x100000u	/* struct step, for each address */
#define T_RES	0x140000u	/* struct result, likewise */
#define T_PD	0x180000u	/* four directories */
#define T_PT	0x190000u	/* NR_PT tables */
#define NR_PT	24u
#define T_PDPT	0x1b0000u
#define T_DATA	0x200000u	/* FRAMES frames that hold their own addresses */
#define FRAMES	256u
#define T_PADS	0x300000u	/* code to be executed anywhere */
#define SIZE	0x400000u
#define GUARD	0x10000u
#define CANARY	0xc5c5c5c5u
#define CANARY_SHIFT 24		/* they are made in pieces of 16 MiB */
#define MAX	4096u		/* addresses */

struct step {
	uint32_t at, write;
};

struct result {
	uint32_t error, cr2, value, pad;
};

#define NO_FAULT 0xffffffffu

/* ESI: a step; EDI: a result; EBP: its number; ECX: how many */
GUEST(touch, 32,
      "touch_next: cmp $0, %ecx\n je 3f\n"
      "movl $-1, (%edi)\n"
      "mov (%esi), %ebx\n"
      "mov (%ebx), %eax\n"
      "mov %eax, 8(%edi)\n"
      "cmpl $0, 4(%esi)\n je 2f\n"
      "mov %ebp, %edx\n xor $0xa5a50000, %edx\n"
      "mov %edx, (%ebx)\n"
      "2: add $8, %esi\n add $16, %edi\n inc %ebp\n dec %ecx\n jmp touch_next\n"
      "3: int $0x41\n"
      /* #PF: on with the next one */
      ".globl guest_touch_fault\nguest_touch_fault: push %eax\n mov %cr2, %eax\n mov %eax, 4(%edi)\n"
      "mov 4(%esp), %eax\n mov %eax, (%edi)\n pop %eax\n add $4, %esp\n"
      "movl $0x8000 + 2b - touch_next, (%esp)\n iret\n");
extern const uint8_t guest_touch_fault[];

/* Executes at each address; there EAX gets what follows the CALL. */
GUEST(execute, 32,
      "execute_next: cmp $0, %ecx\n je 3f\n"
      "movl $-1, (%edi)\n"
      "mov (%esi), %ebx\n mov $0x8000 + 1f - execute_next, %edx\n"
      "jmp *%ebx\n"
      "1: mov %eax, 8(%edi)\n add $8, %esi\n add $16, %edi\n dec %ecx\n jmp execute_next\n"
      "3: int $0x41\n");
GUEST(pad_code, 32, "call 1f\n1: pop %eax\n jmp *%edx\n");

static uint8_t *arena;
static struct step steps[MAX];
static uint32_t nr;
static uint8_t model[SIZE];	/* the guest's memory as it should be */

/* ---- the walk -------------------------------------------------------------------- */

struct access {
	bool pae, write, user, wp, nxe;
	bool fault;
	uint32_t error;
	uint64_t gpa;
};

static uint64_t entry(uint64_t at, bool wide)
{
	uint64_t e = 0;

	memcpy(&e, model + at, wide ? 8 : 4);
	return e;
}

#define P_P	1u
#define P_W	2u
#define P_U	4u
#define P_PS	0x80u

static uint32_t phys_bits;
static bool tcg_walks;

static uint32_t guest_phys_bits(void)
{
	struct kvm_cpuid2 *c = calloc(1, sizeof(*c) + 256 * sizeof(c->entries[0]));
	int dev = dev_open();
	uint32_t i, bits = 36;

	ASSERT(c);
	c->nent = 256;
	ASSERT_OK(ioctl(dev, KVM_GET_SUPPORTED_CPUID, c));
	close(dev);
	for (i = 0; i < c->nent; i++)
		if (c->entries[i].function == 0x80000008)
			bits = c->entries[i].eax & 0xff;
	free(c);
	return bits;
}

/* Reserved bits of PAE entries: up to bit 62 those above the width, NX without NXE. */
static uint64_t pae_reserved(bool nxe)
{
	return (BIT(63) - BIT(phys_bits)) | (nxe ? 0 : BIT(63));
}

static void walk(struct access *a, uint32_t at)
{
	uint64_t e, rights = P_W | P_U, table;
	int level;

	a->fault = true;
	a->error = (a->write ? 2 : 0) | (a->user ? 4 : 0);
	table = T_PD + (a->pae ? (at >> 30) * PG : 0);
	for (level = 2;; level--) {
		uint32_t bits = a->pae ? 9 : 10, shift = 12 + (level - 1) * bits;
		bool leaf;

		e = entry(table + (at >> shift & ((1u << bits) - 1)) * (a->pae ? 8 : 4), a->pae);
		if (!(e & P_P))
			return;
		leaf = level == 1 || (e & P_PS);
		if (a->pae && ((e & pae_reserved(a->nxe)) || (level == 2 && leaf && (e & 0x1fe000)))) {
			a->error |= 9;
			return;
		}
		/* bits 13 to 21 of a 4 MiB page: PSE-36's, up to 40 address bits */
		if (!a->pae && level == 2 && leaf &&
		    (e & 0x3fe000) >> (13 + (phys_bits < 40 ? phys_bits : 40) - 32)) {
			a->error |= 9;
			return;
		}
		rights &= e;
		if (leaf && level == 2 && !a->pae) {
			a->gpa = (e & 0xffc00000) | (e >> 13 & 0xff) << 32 | (at & 0x3fffff);
			break;
		}
		if (leaf) {
			uint64_t mask = (1ull << shift) - 1;

			a->gpa = (e & 0xffffffffff000ull & ~mask) | (at & mask);
			break;
		}
		table = e & (a->pae ? 0xffffffffff000ull : 0xfffff000);
	}
	a->error |= 1;
	if (a->user && !(rights & P_U))
		return;
	if (a->write && !(rights & P_W) && (a->user || a->wp))
		return;
	a->fault = false;
}

/* ---- addresses -------------------------------------------------------------------- */

static void add(uint32_t at, bool write)
{
	if (nr < MAX)
		steps[nr++] = (struct step){ at, write };
}

/* Around an address of the host's, as a guest could name it.  Nothing is written to the
 * program's own pages. */
static void add_host(uint64_t addr)
{
	uint32_t at = (uint32_t)addr & ~0xfffu;
	int i;

	for (i = -1; i <= 1; i++) {
		uint32_t page = at + i * PG;

		add(page + ((uint32_t)addr & 0xffc), page >= SIZE);
	}
}

/* What the host has where, as far as the kernel tells. */
static uint64_t symbols[64];
static unsigned int nr_symbols;

static void find_symbols(void)
{
	static const char *const wanted[] = {
		"ring1_switch", "ring1_gates", "ring1_ints", "ring1_idt", "ring1_gate_nmi",
		"idt_table", "gdt_page", "cpu_tss_rw", "init_top_pgt", "entry_SYSCALL_64",
		"asm_exc_page_fault", "asm_exc_nmi", "_stext",
	};
	FILE *f = fopen("/proc/kallsyms", "r");
	char line[256], name[128];
	unsigned long long addr;
	unsigned int i;

	if (!f)
		return;
	while (fgets(line, sizeof(line), f) && nr_symbols < KTAP_COUNT(symbols)) {
		for (i = 0; i < KTAP_COUNT(wanted); i++)
			if (strstr(line, wanted[i]) &&
			    sscanf(line, "%llx %*c %127s", &addr, name) == 2 &&
			    !strcmp(name, wanted[i]) && addr)
				symbols[nr_symbols++] = addr;
	}
	fclose(f);
	ktap_diag("%u symbols of the kernel", nr_symbols);
}

static void make_list(const struct vm *vm, const struct vcpu *v)
{
	uint32_t i;

	nr = 0;
	/* the whole of it */
	for (i = 4; i < 2048; i += 1 + rnd() % 3)
		add((i << 21) + (uint32_t)(rnd() & 0x1ffffc), true);
	/* ends */
	add(0xfffffffc, true);
	add(0xfffff000, true);
	add(0x7ffffffc, true);
	add(0x80000000, true);
	add(0xbffffffc, true);
	add(0xc0000000, true);
	add(SIZE, true);
	/* across two pages */
	for (i = 0; i < 64; i++)
		add(((uint32_t)rnd() | SIZE | 0xfff) - rnd() % 3, false);
	/* the CPU entry area: IDT, GDT, entry stack, TSS, interrupt stacks; modules; fixmap */
	for (i = 0; i < 0x3b; i++)
		add_host(0xfffffe0000000000ull + i * PG);
	add_host(0xffffffffff578000ull);
	add_host(0xffffffffff5fb000ull);
	add_host(0xffffffffc0000000ull);
	add_host(0xffffffff81000000ull);
	add_host(0xffff888000000000ull);
	for (i = 0; i < nr_symbols; i++)
		add_host(symbols[i]);
	/* the client's own */
	add_host((uintptr_t)vm->mem);
	add_host((uintptr_t)v->run);
	add_host((uintptr_t)steps);
	add_host((uintptr_t)&i);
	add_host((uintptr_t)make_list);
	add_host((uintptr_t)stdout);
}

/* ---- the client's canaries ---------------------------------------------------------- */

static bool has_canaries[1u << (32 - CANARY_SHIFT)];

static void make_canaries(void)
{
	static bool made;
	unsigned int i, n = 0;

	if (made)
		return;
	/* What is not used takes no memory.  Some are this program's own. */
	for (i = 1; i < KTAP_COUNT(has_canaries); i++) {
		void *at = (void *)((uintptr_t)i << CANARY_SHIFT);

		has_canaries[i] = mmap(at, 1u << CANARY_SHIFT, PROT_READ | PROT_WRITE,
				       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE |
				       MAP_NORESERVE, -1, 0) == at;
		/* or each would be a huge one */
		if (has_canaries[i])
			madvise(at, 1u << CANARY_SHIFT, MADV_NOHUGEPAGE);
		n += has_canaries[i];
	}
	ASSERT(n > KTAP_COUNT(has_canaries) - 8);
	phys_bits = guest_phys_bits();
	tcg_walks = guest_on_tcg() && !dev_is_shadow();
	find_symbols();
	arena = anon(SIZE + 2 * GUARD);
	memset(arena, 0xc5, GUARD);
	memset(arena + GUARD + SIZE, 0xc5, GUARD);
	made = true;
}

/* At the address of step @i; NULL: none */
static volatile uint32_t *canary(uint32_t i)
{
	if (!has_canaries[steps[i].at >> CANARY_SHIFT])
		return NULL;
	return (volatile uint32_t *)(uintptr_t)(steps[i].at & ~3u);
}

static void set_canaries(void)
{
	uint32_t i;

	for (i = 0; i < nr; i++)
		if (canary(i))
			*canary(i) = CANARY;
}

static void check_canaries(const char *what)
{
	uint32_t i, bad = 0;

	for (i = 0; i < nr; i++)
		if (canary(i) && *canary(i) != CANARY && bad++ < 8)
			KTAP_FAIL_("%s: the client's memory at %#x is %#x", what, steps[i].at,
				   *canary(i));
	/* all bytes like the first, which is as it was */
	if (arena[0] != 0xc5 || memcmp(arena, arena + 1, GUARD - 1) ||
	    memcmp(arena, arena + GUARD + SIZE, GUARD))
		FAIL("%s: written outside the guest's memory", what);
}

/* ---- one run --------------------------------------------------------------------------- */

static uint32_t mmio_value(uint64_t gpa)
{
	return (uint32_t)(gpa >> 4) ^ 0x3c3c3c3c;
}

static bool in_slot(uint64_t gpa)
{
	return gpa < SIZE;
}

static bool is_table(uint64_t gpa)
{
	return gpa >= T_PD && gpa < T_PDPT + PG;
}

static struct vcpu *start(enum guest_mode m, unsigned int cpl, bool wp)
{
	struct vm *vm = vm_bare();
	struct vcpu *v;
	uint32_t i;

	make_canaries();
	memset(arena + GUARD, 0, SIZE);
	vm->mem = arena + GUARD;
	vm->size = SIZE;
	ASSERT_OK(vm_slot(vm, 0, 0, 0, SIZE, vm->mem));
	memset(vm->mem + G_TRAPS, 0xf4, 256);
	v = vcpu_new(vm, 0, m);
	for (i = 0; i < FRAMES * PG; i += 4)
		g32(vm, T_DATA + i) = T_DATA + i;
	for (i = 0; i < PG; i += 16)
		guest_load(vm, T_PADS + i, pad_code);
	/* the program itself: the first 4 MiB, as they are */
	if (m == MODE_PAE) {
		for (i = 0; i < 4; i++)
			g64(vm, T_PDPT + i * 8) = (T_PD + i * PG) | 1;
		g64(vm, T_PD) = G_PT | 7;
		g64(vm, T_PD + 8) = 0x200000 | 0x87;
		v->sregs.cr3 = T_PDPT;
	} else {
		g32(vm, T_PD) = G_PT32 | 7;
		v->sregs.cr3 = T_PD;
	}
	g8(vm, G_IDT32 + 0x41 * 8 + 5) = 0xee;
	if (!wp)
		v->sregs.cr0 &= ~CR0_WP;
	if (cpl == 3) {
		struct kvm_sregs *s = &v->sregs;
		struct kvm_segment *data[] = { &s->ds, &s->es, &s->fs, &s->gs, &s->ss };

		s->cs.selector = SEL_UCODE;
		s->cs.dpl = 3;
		for (i = 0; i < KTAP_COUNT(data); i++) {
			data[i]->selector = SEL_UDATA;
			data[i]->dpl = 3;
		}
		v->regs.rsp = 0x5000;
		v->regs.rflags = RFLAGS_1 | RFLAGS_IF;
	}
	make_list(vm, v);
	return v;
}

/* Entry @i of directory or table number @t */
static void put(struct vcpu *v, uint32_t base, uint32_t i, uint64_t val)
{
	if (v->mode == MODE_PAE)
		g64(v->vm, base + i * 8) = val;
	else
		g32(v->vm, base + i * 4) = val;
}

static uint32_t pd_entries(const struct vcpu *v)	{ return v->mode == MODE_PAE ? 2048 : 1024; }
static uint32_t pt_entries(const struct vcpu *v)	{ return v->mode == MODE_PAE ? 512 : 1024; }
/* The directories' entries for the first 4 MiB, which the program needs */
static uint32_t own_entries(const struct vcpu *v)	{ return v->mode == MODE_PAE ? 2 : 1; }

static bool as_expected(struct vm *vm, const struct access *how, uint32_t i)
{
	const char *mode = mode_name[how->pae ? MODE_PAE : MODE_PG32];
	struct result *r = (struct result *)(vm->mem + T_RES) + i;
	struct access a = *how, b = *how;
	uint32_t at = steps[i].at, n = PG - (at & 0xfff), want = 0, cr2 = at;
	unsigned int ring = how->user ? 3 : 0;

	/* the bytes on the first page, and those on the next */
	walk(&a, at);
	b = a;
	if (n < 4 && !a.fault) {
		walk(&b, at + n);
		cr2 = at + n;
	}
	if (!a.fault && !b.fault) {
		if (!in_slot(a.gpa)) {
			want = mmio_value(a.gpa);
		} else {
			memcpy(&want, model + a.gpa, n < 4 ? n : 4);
			if (n < 4)
				memcpy((uint8_t *)&want + n, model + b.gpa, 4 - n);
		}
		/* their accessed and dirty bits change as they are used */
		if (is_table(a.gpa)) {
			want &= ~0x60u;
			r->value &= ~0x60u;
		}
		/* and the program's own pages as it runs */
		if (r->value != want && (!in_slot(a.gpa) || is_table(a.gpa) || a.gpa >= T_DATA)) {
			KTAP_FAIL_("%s ring %u: %#x (gpa %#llx) gave %#x, want %#x", mode, ring, at,
				   (unsigned long long)a.gpa, r->value, want);
			return false;
		}
		if (steps[i].write) {
			a.write = true;
			walk(&a, at);
			b = a;
			if (!a.fault && in_slot(a.gpa)) {
				want = i ^ 0xa5a50000;
				memcpy(model + a.gpa, &want, 4);
			}
		}
	}
	/* TCG, where it walks the tables, tells of reserved bits without P. */
	if (r->error != NO_FAULT && (r->error & 8) && tcg_walks)
		r->error |= 1;
	if (b.fault ? r->error == b.error && r->cr2 == cr2 : r->error == NO_FAULT)
		return true;
	KTAP_FAIL_("%s ring %u: %#x: error code %#x, CR2 %#x, want %#x, %#x", mode, ring, at,
		   r->error, r->cr2, b.fault ? b.error : NO_FAULT, cr2);
	return false;
}

/* Which accesses make exits is known; whom the guest asked, and what it wrote, too. */
static void run_all(struct vcpu *v)
{
	struct kvm_run *r = v->run;

	for (;;) {
		int e = vcpu_run(v);
		uint32_t val;

		ASSERT_EQ(e, 0);
		if (r->exit_reason != KVM_EXIT_MMIO)
			break;
		if (r->mmio.len != 4 || in_slot(r->mmio.phys_addr))
			FAIL("exit for %u bytes at %#llx", r->mmio.len, r->mmio.phys_addr);
		val = mmio_value(r->mmio.phys_addr);
		if (!r->mmio.is_write)
			memcpy(r->mmio.data, &val, 4);
	}
	if (r->exit_reason != KVM_EXIT_HLT)
		show_exit(v);
	ASSERT_EQ(r->exit_reason, KVM_EXIT_HLT);
	get_regs(v);
	EXPECT_EQ(v->regs.rip, G_TRAPS + 0x41 + 1);
}

/* Tables are made; all steps, and their results. */
static void go(struct vcpu *v, unsigned int cpl, const char *what)
{
	struct vm *vm = v->vm;
	struct access how = { .pae = v->mode == MODE_PAE, .user = cpl == 3,
			      .wp = v->sregs.cr0 & CR0_WP, .nxe = v->sregs.efer & EFER_NX };
	uint32_t i, kept = 0, wrong = 0;

	memcpy(model, vm->mem, SIZE);
	/* Of two pages neither of which can be read, either may be told; devices are not
	 * asked for what lies half in memory; and not half of a changing entry is looked at.
	 * Tables must stay what they are. */
	for (i = 0; i < nr; i++) {
		struct access a = how, b = how;
		uint32_t at = steps[i].at, n = PG - (at & 0xfff);

		walk(&a, at);
		if (n < 4) {
			if (at + n < at)
				continue;
			walk(&b, at + n);
			if ((a.fault && b.fault) || (!a.fault && is_table(a.gpa)) ||
			    (!b.fault && is_table(b.gpa)) ||
			    (!a.fault && !b.fault && in_slot(a.gpa) != in_slot(b.gpa)) ||
			    (!a.fault && !in_slot(a.gpa)))
				continue;
		}
		steps[kept] = steps[i];
		if (!a.fault && in_slot(a.gpa) && (a.gpa < T_DATA || a.gpa >= T_PADS))
			steps[kept].write = 0;
		kept++;
	}
	nr = kept;
	memcpy(vm->mem + T_LIST, steps, nr * sizeof(steps[0]));
	set_canaries();
	guest_load(vm, G_CODE, touch);
	guest_handler(vm, v->mode, PF, G_CODE + (guest_touch_fault - guest_touch));
	set_sregs(v);
	v->regs.rsi = T_LIST;
	v->regs.rdi = T_RES;
	v->regs.rcx = nr;
	v->regs.rbp = 0;
	set_regs(v);
	run_all(v);
	EXPECT_EQ(v->regs.rbp, nr);
	for (i = 0; i < nr && wrong < 8; i++)
		wrong += !as_expected(vm, &how, i);
	/* all frames of data hold what they should, and so does the client's memory */
	for (i = T_DATA; !wrong && i < T_PADS + PG; i += PG)
		if (memcmp(vm->mem + i, model + i, PG)) {
			KTAP_FAIL_("%s: guest memory at %#x is not as it should be", what, i);
			break;
		}
	check_canaries(what);
}

static void each(void (*make)(struct vcpu *v), const char *what)
{
	static const enum guest_mode modes[] = { MODE_PG32, MODE_PAE };
	unsigned int m, way;

	for (m = 0; m < KTAP_COUNT(modes); m++)
		for (way = 0; way < 3; way++) {
			unsigned int cpl = way == 1 ? 3 : 0;
			struct vcpu *v = start(modes[m], cpl, way < 2);

			make(v);
			go(v, cpl, what);
			if (!way)
				ktap_diag("%s: %u addresses", mode_name[modes[m]], nr);
			v->vm->mem = NULL;		/* the arena stays */
			vm_free_all();
		}
}

/* ---- the tables ---------------------------------------------------------------------- */

/* Every page of the 4 GiB leads to some frame of data, the top page too. */
static void make_everything(struct vcpu *v)
{
	uint32_t i, k;

	for (i = own_entries(v); i < pd_entries(v); i++)
		put(v, T_PD, i, (T_PT + (i * 7 + i / 64) % NR_PT * PG) | 7);
	for (i = 0; i < NR_PT; i++)
		for (k = 0; k < pt_entries(v); k++)
			put(v, T_PT + i * PG, k, (T_DATA + (i * 37 + k * 11) % FRAMES * PG) | 7);
}

static void make_one_page(struct vcpu *v)
{
	uint32_t i;

	for (i = own_entries(v); i < pd_entries(v); i++)
		put(v, T_PD, i, T_PT | 7);
	for (i = 0; i < pt_entries(v); i++)
		put(v, T_PT, i, T_DATA | 7);
}

/* Each table is its own page table as well, and the directories are pages of theirs. */
static void make_themselves(struct vcpu *v)
{
	uint32_t i, k;

	make_everything(v);
	for (i = own_entries(v); i < pd_entries(v); i += 3)
		put(v, T_PD, i, (T_PD + (i % 4 && v->mode == MODE_PAE ? i % 4 : 0) * PG) | 7);
	for (i = 0; i < NR_PT; i++)
		for (k = i; k < pt_entries(v); k += 5)
			put(v, T_PT + i * PG, k, (T_PT + (i + k) % NR_PT * PG) | 7);
}

/* Not present, without rights, with reserved bits, large ones, to where no memory is. */
static void make_random(struct vcpu *v)
{
	bool pae = v->mode == MODE_PAE;
	uint32_t i, k;

	for (i = own_entries(v); i < pd_entries(v); i++) {
		uint64_t e = (T_PT + rnd() % NR_PT * PG) | 7;

		switch (rnd() % 16) {
		case 0:
			e = rnd() & ~1ull;
			break;
		case 1:
			e &= ~(rnd() & 6);
			break;
		case 2:
			if (pae)
				e |= BIT(rnd() % 12 + 52);
			break;
		case 3:
			/* a large page, of memory or none */
			e = (rnd() % 2 ? 0 : rnd() & 0xffc00000) | 0x87;
			break;
		case 4:
			e = 0x87 | 1ull << (12 + rnd() % 10);
			break;
		case 5:
			e = T_PD | 7;
			break;
		}
		put(v, T_PD, i, e);
	}
	for (i = 0; i < NR_PT; i++)
		for (k = 0; k < pt_entries(v); k++) {
			uint64_t e = (T_DATA + rnd() % FRAMES * PG) | 7;

			switch (rnd() % 12) {
			case 0:
				e = rnd() & ~1ull;
				break;
			case 1:
				e &= ~(rnd() & 6);
				break;
			case 2:
				if (pae)
					e |= BIT(rnd() % 12 + 52);
				break;
			case 3:
				/* all widths of addresses that no slot has */
				e = 7 | (pae ? BIT(22 + rnd() % (phys_bits - 22)) : BIT(22 + rnd() % 10));
				break;
			case 4:
				e = (T_PT + rnd() % NR_PT * PG) | 5;
				break;
			}
			put(v, T_PT + i * PG, k, e);
		}
	/* bits that are reserved without NXE are not with it */
	if (pae && rnd() & 1)
		v->sregs.efer |= EFER_NX;
}

static void everything(void)	{ each(make_everything, "everything"); }
static void one_page(void)	{ each(make_one_page, "one page"); }
static void themselves(void)	{ each(make_themselves, "themselves"); }
static void random_tables(void)	{ each(make_random, "random"); }

/* ---- execution -------------------------------------------------------------------------- */

static void executed(void)
{
	static const enum guest_mode modes[] = { MODE_PG32, MODE_PAE };
	unsigned int m, cpl;
	uint32_t i;

	for (m = 0; m < KTAP_COUNT(modes); m++)
		for (cpl = 0; cpl <= 3; cpl += 3) {
			struct vcpu *v = start(modes[m], cpl, true);
			struct result *r = (struct result *)(v->vm->mem + T_RES);

			for (i = own_entries(v); i < pd_entries(v); i++)
				put(v, T_PD, i, T_PT | 7);
			for (i = 0; i < pt_entries(v); i++)
				put(v, T_PT, i, T_PADS | 7);
			for (i = 0; i < nr; i++) {
				if (steps[i].at < SIZE)
					steps[i].at += SIZE;
				steps[i].at &= ~15u;
			}
			memcpy(v->vm->mem + T_LIST, steps, nr * sizeof(steps[0]));
			set_canaries();
			guest_load(v->vm, G_CODE, execute);
			set_sregs(v);
			v->regs.rsi = T_LIST;
			v->regs.rdi = T_RES;
			v->regs.rcx = nr;
			set_regs(v);
			run_all(v);
			for (i = 0; i < nr; i++)
				if (r[i].value != steps[i].at + 5) {
					KTAP_FAIL_("%s ring %u: at %#x EIP was %#x", mode_name[modes[m]],
						   cpl, steps[i].at, r[i].value - 5);
					break;
				}
			check_canaries("executed");
			v->vm->mem = NULL;
			vm_free_all();
		}
}

/* ---- tables where no memory is ------------------------------------------------------------ */

GUEST(rd, 32, "mov (%ebx), %eax\nhlt\n");

static void nowhere(void)
{
	static const enum guest_mode modes[] = { MODE_PG32, MODE_PAE };
	unsigned int m;

	for (m = 0; m < KTAP_COUNT(modes); m++) {
		struct vcpu *v = guest_start(modes[m], rd);

		put(v, modes[m] == MODE_PAE ? G_PD + PG : G_PD32, modes[m] == MODE_PAE ? 0 : 256,
		    G_HOLE | 7);
		v->regs.rbx = 0x40000000;
		set_regs(v);
		run_to(v, KVM_EXIT_INTERNAL_ERROR);
		get_regs(v);
		EXPECT_EQ(v->regs.rip, G_CODE);
		/* memory comes to be there after all */
		ASSERT_OK(vm_slot(v->vm, 1, 0, G_HOLE, PG, anon(PG)));
		EXPECT_EQ(run_to_vector(v), PF);
		vm_free_all();
	}
}

int main(void)
{
	static const struct ktap_case cases[] = {
		{ "everything", everything }, { "one page", one_page },
		{ "themselves", themselves }, { "random", random_tables },
		{ "executed", executed }, { "nowhere", nowhere },
	};

	vmtest_init();
	rnd_seed_fixed(0x7ab1e5);
	return ktap_run(cases, KTAP_COUNT(cases));
}
