// SPDX-License-Identifier: GPL-2.0
/*
 * Page tables as no sane guest has them: tables that map themselves, that are all one
 * and the same, that change while another vCPU walks them, in read-only memory and in
 * none, more of them than any cache holds; and random ones, with every access compared
 * with the interpreter's.
 */
#include <pthread.h>

#include "vmtest.h"

#define PG	0x1000u

/* ---- random tables ------------------------------------------------------------ */

#define AREA	0x40000u	/* frames that are tables and data alike */
#define FRAMES	24
#define OPS	0x100000u	/* what the guest does, one after the other */
#define NR_OPS	1500
#define FAR_PG	0x40000000ull	/* linear addresses that lead into the area */
#define FAR_LONG 0x8000000000ull

enum { OP_END, OP_TABLE, OP_READ, OP_WRITE, OP_CR0, OP_CR4 };

struct op {
	uint32_t kind, val;
	uint64_t at;
};

/*
 * ESI: operation; EDI: sum of what was read; EBP: faults.  After each write the TLB is
 * flushed, so that what follows is determined.
 */
#define PLAYER(a, b, c, si)								\
	"1: mov (%" si "), %eax\n"							\
	"mov 4(%" si "), %ecx\n"							\
	"mov 8(%" si "), %" b "\n"							\
	"add $16, %" si "\n"								\
	"cmp $1, %eax\n je 2f\n"							\
	"cmp $2, %eax\n je 3f\n"							\
	"cmp $3, %eax\n je 2f\n"							\
	"cmp $4, %eax\n je 4f\n"							\
	"cmp $5, %eax\n je 5f\n"							\
	"hlt\n"										\
	"2: mov %ecx, (%" b ")\n"							\
	"6: mov %cr3, %" a "\n mov %" a ", %cr3\n jmp 1b\n"				\
	"3: add (%" b "), %edi\n rol $3, %edi\n jmp 1b\n"				\
	"4: mov %" c ", %cr0\n jmp 6b\n"						\
	"5: mov %" c ", %cr4\n jmp 6b\n"
/* The fault handler: on with the next operation. */
GUEST(play32, 32, PLAYER("eax", "ebx", "ecx", "esi"));
GUEST(play64, 64, PLAYER("rax", "rbx", "rcx", "rsi"));
GUEST(fault32, 32, "inc %ebp\nadd $4, %esp\nmovl $0x8000, (%esp)\niret\n");
GUEST(fault64, 64, "inc %rbp\nadd $8, %rsp\nmovq $0x8000, (%rsp)\niretq\n");

static uint64_t random_entry(enum guest_mode m)
{
	uint64_t e = AREA + rnd() % FRAMES * PG;

	e |= rnd() % 8 ? 1 : 0;
	e |= (rnd() | rnd()) & 6;
	e |= rnd() & rnd() & 0x60;
	if (m != MODE_PG32 && rnd() % 12 == 0)
		e |= BIT(63);
	/* ignored or reserved, but no other frame */
	if (rnd() % 40 == 0)
		e |= 1ull << (rnd() % 2 || m == MODE_PG32 ? 8 + rnd() % 4 : 51 + rnd() % 12);
	/* PS: the large page at 0, in which the area lies too, or the 1 GiB there */
	if (rnd() % 24 == 0)
		e = (e & 0x67) | 0x80;
	return e;
}

/*
 * The same few entries of each table again and again; those that lead to the area if
 * there is a large page.
 */
#define FIRST_ENTRY	(AREA / PG)

static uint64_t few(void)
{
	return FIRST_ENTRY + rnd() % 6;
}

static uint64_t random_far(enum guest_mode m)
{
	uint64_t off = rnd() & 0xffc & -(rnd() % 4 != 0);

	switch (m) {
	case MODE_PG32:
		return FAR_PG + (few() << 22) + (few() << 12) + off;
	case MODE_PAE:
		return FAR_PG + (few() << 21) + (few() << 12) + off;
	default:
		return FAR_LONG + (few() << 30) + (few() << 21) + (few() << 12) + off;
	}
}

static void random_program(struct vm *vm, enum guest_mode m)
{
	uint32_t i, j, wide = m == MODE_PG32 ? 4 : 8;
	struct op *op = (struct op *)(vm->mem + OPS);

	for (i = 0; i < FRAMES; i++)
		for (j = 0; j < PG / wide; j++) {
			uint64_t e = random_entry(m);

			memcpy(vm->mem + AREA + i * PG + j * wide, &e, wide);
		}
	for (i = 0; i < NR_OPS; i++, op++) {
		uint32_t what = rnd() % 100;

		*op = (struct op){ .kind = OP_READ, .at = random_far(m) };
		if (what < 25) {
			op->kind = OP_TABLE;
			op->at = AREA + rnd() % FRAMES * PG + few() * wide;
			op->val = random_entry(m);
			if (wide == 8 && rnd() % 8 == 0)
				op->at += 4, op->val = rnd() % 2 ? 0 : BIT(31);
			if (m == MODE_PG32 && rnd() % 4 == 0)
				op->at = G_PD32 + (256 + few()) * 4;
		} else if (what < 50) {
			op->kind = OP_WRITE;
			op->val = rnd() % 2 ? rnd() : random_entry(m);
		} else if (what < 52) {
			op->kind = OP_CR0;
			op->val = CR0_PE | CR0_ET | CR0_NE | CR0_PG | (rnd() % 2 ? CR0_WP : 0);
		} else if (what < 54) {
			op->kind = OP_CR4;
			op->val = m == MODE_PG32 ? CR4_PSE : CR4_PAE;
			/* SMAP; the program's own pages are the supervisor's */
			if (rnd() % 2)
				op->val |= BIT(21);
		}
	}
	op->kind = OP_END;
}

/* The vCPU for random_program(), on a device of its own. */
static struct vcpu *player(const char *dev, enum guest_mode m, uint64_t seed)
{
	const char *was = getenv("RINGVM_DEV");
	char *keep = was ? strdup(was) : NULL;
	struct vcpu *v;
	struct vm *vm;
	uint32_t i;

	setenv("RINGVM_DEV", dev, 1);
	v = guest_start(m, m == MODE_LONG ? play64 : play32);
	if (keep)
		setenv("RINGVM_DEV", keep, 1);
	else
		unsetenv("RINGVM_DEV");
	free(keep);
	vm = v->vm;
	vcpu_cpuid_and(v, CPUID7_SMAP);
	guest_load(vm, 0x9000, m == MODE_LONG ? fault64 : fault32);
	guest_handler(vm, m, PF, 0x9000);
	/* supervisor pages for all but the far ones */
	for (i = 0; i < 512; i++) {
		g64(vm, G_PT + i * 8) &= ~4ull;
		g32(vm, G_PT32 + i * 4) &= ~4u;
	}
	rnd_from(seed);
	random_program(vm, m);
	if (m == MODE_LONG)
		g64(vm, G_PML4 + 8) = AREA | 7;
	if (m == MODE_PAE)
		g64(vm, G_PDPT_PAE + 8) = AREA | 1;
	if (m == MODE_PG32)
		for (i = 256; i < 512; i++)
			g32(vm, G_PD32 + i * 4) = random_entry(m);
	if (m != MODE_PG32 && rnd() % 4)
		v->sregs.efer |= EFER_NX;
	set_sregs(v);
	v->regs.rsi = OPS;
	set_regs(v);
	return v;
}

/*
 * To the HLT, or to where a table has come to lie outside of memory.  Where there is no
 * memory all bits are set.
 */
static uint32_t play(struct vcpu *v)
{
	uint32_t exits = 0;

	for (;;) {
		ASSERT_EQ(vcpu_run(v), 0);
		if (v->run->exit_reason != KVM_EXIT_MMIO)
			break;
		memset(v->run->mmio.data, 0xff, 8);
		exits++;
	}
	if (v->run->exit_reason != KVM_EXIT_HLT &&
	    v->run->exit_reason != KVM_EXIT_INTERNAL_ERROR) {
		show_exit(v);
		FAIL("not to its end");
	}
	get_regs(v);
	return exits;
}

/* Frames that the program can change */
static bool same_memory(const struct vm *a, const struct vm *b, uint32_t *at)
{
	for (*at = 0; *at < OPS; *at += 4)
		if (memcmp(a->mem + *at, b->mem + *at, 4))
			return false;
	return true;
}

static void random_tables_in(enum guest_mode m, uint32_t rounds)
{
	uint64_t seed = rnd(), faults = 0;
	uint32_t i, at = 0, exits = 0, ended = 0, ea, eb;

	for (i = 0; i < rounds; i++) {
		struct vcpu *a = player(dev_path(), m, seed + i), *b;

		ea = play(a);
		b = player("/dev/ringvm-interp", m, seed + i);
		eb = play(b);
		exits += ea;
		ended += a->run->exit_reason == KVM_EXIT_HLT;
		if (ea != eb || a->run->exit_reason != b->run->exit_reason || a->regs.rdi != b->regs.rdi || a->regs.rbp != b->regs.rbp ||
		    a->regs.rip != b->regs.rip || !same_memory(a->vm, b->vm, &at)) {
			same_memory(a->vm, b->vm, &at);
			ktap_diag("operation %llu %llu, %u %u accesses without memory",
				  (a->regs.rsi - OPS) / 16, (b->regs.rsi - OPS) / 16, ea, eb);
			ktap_diag("%s, seed %#llx: sum %#llx %#llx faults %llu %llu memory at %#x: %#x %#x",
				  mode_name[m], (unsigned long long)seed + i, a->regs.rdi, b->regs.rdi,
				  a->regs.rbp, b->regs.rbp, at, at < OPS ? g32(a->vm, at) : 0,
				  at < OPS ? g32(b->vm, at) : 0);
			FAIL("not as interpreted");
		}
		faults += a->regs.rbp;
		/* neither all of it faulted nor nothing */
		EXPECT(a->regs.rbp && a->regs.rbp < NR_OPS);
		vm_free_all();
	}
	EXPECT(ended > rounds / 2);
	ktap_diag("%s: %u programs of %u operations, %llu faults, %u accesses without memory",
		  mode_name[m], rounds, NR_OPS, (unsigned long long)faults, exits);
}

static void random_tables(void)
{
	if (access("/dev/ringvm-interp", F_OK))
		SKIP("nothing to compare with");
	/* which sets accessed bits on paths that fault */
	if (guest_on_tcg() && !dev_is_shadow())
		SKIP("TCG walks the tables");
	random_tables_in(MODE_PG32, 6);
	random_tables_in(MODE_PAE, 6);
	random_tables_in(MODE_LONG, 6);
}

/* ---- tables that map themselves ------------------------------------------------- */

#define X	0x50000u	/* the page whose entry changes */
#define MARKED	0x100000u	/* pages with their number in them */
#define MARKS	64

/* EBX: where the entry for ESI is mapped; EDX: what is written there; EBP: the mark. */
GUEST_ALL(remap,
	  "1: mov %edx, (%ebx)\n"
	  "invlpg (%esi)\n"
	  "mov (%esi), %eax\n"
	  "cmp %eax, %ebp\n"
	  "jne 2f\n"
	  "add $0x1000, %edx\n"
	  "inc %ebp\n"
	  "dec %ecx\n"
	  "jnz 1b\n"
	  "2: hlt\n");
/* addresses of 64 bits */
GUEST(remap64, 64,
      "1: mov %edx, (%rbx)\n"
      "invlpg (%rsi)\n"
      "mov (%rsi), %eax\n"
      "cmp %eax, %ebp\n"
      "jne 2f\n"
      "add $0x1000, %edx\n"
      "inc %ebp\n"
      "dec %ecx\n"
      "jnz 1b\n"
      "2: hlt\n");

static void marks(struct vm *vm)
{
	uint32_t i;

	for (i = 0; i < MARKS; i++)
		g32(vm, MARKED + i * PG) = i;
}

static void remap_by(struct vcpu *v, uint64_t entry_at, uint64_t at)
{
	marks(v->vm);
	guest_load(v->vm, G_CODE, v->mode == MODE_LONG ? remap64 : guest_for(remap, v->mode));
	v->regs.rip = G_CODE;
	v->regs.rbx = entry_at;
	v->regs.rsi = at;
	v->regs.rdx = MARKED | 7;
	v->regs.rcx = MARKS;
	v->regs.rbp = 0;
	set_regs(v);
	run_to_hlt(v);
	EXPECT_EQ(v->regs.rcx, 0);
	EXPECT_EQ(v->regs.rbp, MARKS);
}

static void self_mapped(void)
{
	struct vcpu *v = guest_start_all(MODE_LONG, remap);

	g64(v->vm, G_PML4 + 511 * 8) = G_PML4 | 3;
	remap_by(v, 0xffffff8000000000ull + X / PG * 8, X);
	/* the directory's entry, by one turn more: it leads to the table of marks' frames */
	EXPECT_EQ(g64(v->vm, G_PT + X / PG * 8) & ~0x60ull, (MARKED + (MARKS - 1) * PG) | 7);
	EXPECT_EQ(g64(v->vm, G_PML4 + 511 * 8), G_PML4 | 0x23);

	v = guest_start_all(MODE_PG32, remap);
	g32(v->vm, G_PD32 + 1023 * 4) = G_PD32 | 3;
	remap_by(v, 0xffc00000 + X / PG * 4, X);
	EXPECT_EQ(g32(v->vm, G_PT32 + X / PG * 4) & ~0x60u, (MARKED + (MARKS - 1) * PG) | 7);
	EXPECT_EQ(g32(v->vm, G_PD32 + 1023 * 4), G_PD32 | 0x23);
	/* the directory as a page, at the very top: its entry 4 is a table of our own */
	g32(v->vm, G_FREE + 4 * 1) = 0;
	g32(v->vm, G_PD32 + 4 * 4) = G_FREE | 7;
	set_sregs(v);
	remap_by(v, 0xffc00000 + (16 << 10) + 4, (4 << 22) + PG);

	v = guest_start_all(MODE_PAE, remap);
	g64(v->vm, G_PD + 3 * PG + 508 * 8) = G_PD | 3;
	remap_by(v, 0xff800000 + X / PG * 8, X);
	EXPECT_EQ(g64(v->vm, G_PT + X / PG * 8) & ~0x60ull, (MARKED + (MARKS - 1) * PG) | 7);
}

/* ---- a table in a new place ------------------------------------------------------ */

/*
 * What has been changed in a table need not be seen where the table was in use, until
 * the TLB is flushed; but where it comes to be used, it is seen at once.
 */
GUEST(relink, 64,
      "mov (%rsi), %eax\n mov 0x1000(%rsi), %eax\n mov %rdx, 8(%rbx)\n mov %rcx, (%rdi)\n"
      "mov (%r8), %ebp\n mov 0x1000(%r8), %ebp\n hlt\n");

static void new_place(void)
{
	/* tables of the levels 1 to 4, each with the next lower one in its entry 0 */
	static const uint32_t table[] = { 0, 0x90000, 0x91000, 0x92000, G_PML4 };
	uint32_t level;

	for (level = 1; level <= 3; level++) {
		struct vcpu *v = guest_start(MODE_LONG, relink);
		uint32_t shift = 12 + 9 * level;

		marks(v->vm);
		g64(v->vm, table[1]) = MARKED | 7;
		g64(v->vm, table[1] + 8) = (MARKED + PG) | 7;
		g64(v->vm, table[2]) = table[1] | 7;
		g64(v->vm, table[3]) = table[2] | 7;
		g64(v->vm, G_PML4 + 8) = table[3] | 7;
		v->regs.rsi = FAR_LONG;
		v->regs.rbx = table[1];
		v->regs.rdx = (MARKED + 2 * PG) | 7;
		v->regs.rdi = table[level + 1] + (level == 3 ? 16 : 8);
		v->regs.rcx = table[level] | 7;
		v->regs.r8 = FAR_LONG + (1ull << shift);
		set_regs(v);
		run_to_hlt(v);
		EXPECT_EQ(v->regs.rax, 1);
		EXPECT_EQ(v->regs.rbp, 2);
	}
}

/* ---- tables are cleared and used anew ------------------------------------------------ */

/*
 * The directory at RBX, which has just been in use, is cleared as kernels do before they use
 * a page for something else: with one repeated instruction.
 */
GUEST(clear64, 64,
      "1: mov (%rsi), %edx\n mov %rbx, %rdi\n mov $512, %ecx\n xor %eax, %eax\n rep stosq\n"
      "mov %r8, (%rbx)\n mov %cr3, %rax\n mov %rax, %cr3\n"
      "add %rdx, %rbp\n dec %r9d\n jnz 1b\n hlt\n");
#define CLEARED	20u

static void cleared(void)
{
	const uint32_t directory = 0x91000, table = 0x90000;
	struct vcpu *v = guest_start(MODE_LONG, clear64);
	uint32_t i;

	marks(v->vm);
	g64(v->vm, table) = (MARKED + PG) | 7;
	for (i = 0; i < 512; i++)
		g64(v->vm, directory + i * 8) = table | 7;
	g64(v->vm, 0x92000) = directory | 7;
	g64(v->vm, G_PML4 + 8) = 0x92000 | 7;
	v->regs.rbx = directory;
	v->regs.rsi = FAR_LONG;
	v->regs.r8 = table | 7;
	v->regs.r9 = CLEARED;
	set_regs(v);
	run_to_hlt(v);
	EXPECT_EQ(v->regs.rbp, CLEARED);
	EXPECT_EQ(g64(v->vm, directory) & ~0x20ull, table | 7);
	for (i = 1; i < 512; i++)
		EXPECT_EQ(g64(v->vm, directory + i * 8), 0);
	/* Most of it is done by the CPU. */
	if (dev_is_shadow())
		EXPECT_EQ(stat_value(v->fd, "rep_left"), CLEARED);
}

/* ---- a root that is none any more ------------------------------------------------- */

#define ROOT_COPY	0x30000u
#define ROOT_KERNEL	0x9000u
#define ROOT_END	0x9100u
#define ROOT_COUNT	(G_DATA + 0x800)
#define ROOT_TURNS	3

/*
 * As with a program that is replaced by another: the kernel, entered from ring 3, goes to
 * other tables (EBX), clears the one at EDI, fills it from that at ESI, and returns to EBP's.
 */
GUEST(root_user, 32, "1: incl 0xc800\n int $0x80\n cmpl $3, 0xc800\n jne 1b\n int $0x81\n");
GUEST(root_kernel, 32,
      "push %edi\n push %esi\n mov %ebx, %cr3\n"
      "xor %eax, %eax\n mov $1024, %ecx\n rep stosl\n"
      "sub $0x1000, %edi\n mov $1024, %ecx\n rep movsl\n"
      "mov %ebp, %cr3\n pop %esi\n pop %edi\n iret\n");
GUEST(root_end, 32, "hlt\n");

static void freed_root_in(enum guest_mode m, uint32_t table, uint32_t other_cr3)
{
	struct vcpu *v = guest_start(m, root_user);
	struct kvm_segment *segs[] = { &v->sregs.cs, &v->sregs.ss, &v->sregs.ds, &v->sregs.es,
				       &v->sregs.fs, &v->sregs.gs };
	uint64_t writes;
	unsigned int i;

	for (i = 0; i < KTAP_COUNT(segs); i++) {
		segs[i]->selector = i ? SEL_UDATA : SEL_UCODE;
		segs[i]->dpl = 3;
	}
	set_sregs(v);
	guest_load(v->vm, ROOT_KERNEL, root_kernel);
	guest_load(v->vm, ROOT_END, root_end);
	guest_handler(v->vm, m, 0x80, ROOT_KERNEL);
	guest_handler(v->vm, m, 0x81, ROOT_END);
	for (i = 0x80; i < 0x82; i++)
		g32(v->vm, G_IDT32 + i * 8 + 4) |= 3u << 13;		/* DPL */
	memcpy(v->vm->mem + ROOT_COPY, v->vm->mem + table, PG);
	if (m == MODE_PAE) {
		/* the same but for the first table */
		memcpy(v->vm->mem + other_cr3, v->vm->mem + v->sregs.cr3, 32);
		g64(v->vm, other_cr3) = ROOT_COPY | 1;
	}
	v->regs.rbx = other_cr3;
	v->regs.rdi = table;
	v->regs.rsi = ROOT_COPY;
	v->regs.rbp = v->sregs.cr3;
	v->regs.rsp = G_STACK - 0x200;
	set_regs(v);
	run_to_hlt(v);
	EXPECT_EQ(g32(v->vm, ROOT_COUNT), ROOT_TURNS);
	EXPECT_EQ(memcmp(v->vm->mem + table, v->vm->mem + ROOT_COPY, PG), 0);
	if (!dev_is_shadow() && !dev_is_ring1())
		return;
	/* It is found out long before all of its 2048 words have been written one by one. */
	writes = stat_value(v->vm->fd, "shadow_pt_writes") / ROOT_TURNS;
	ktap_diag("%s: %llu writes to tables each time", mode_name[m], (unsigned long long)writes);
	EXPECT(writes < 256);
}

static void freed_root(void)
{
	freed_root_in(MODE_PG32, G_PD32, ROOT_COPY);
	freed_root_in(MODE_PAE, G_PD, ROOT_COPY + PG);
}

/* ---- all entries lead to one table ------------------------------------------------- */

#define ONE_P1	0x80000u
#define ONE_P2	0x81000u
#define ONE_P3	0x82000u
#define ONE_DATA 0x83000u
#define TOUCHES	3000

/* Anywhere in EDX and above, a multiplier in EDI, a mask in ESI */
GUEST(scatter64, 64,
      "1: imul $1103515245, %rax\n add $12345, %rax\n"
      "mov %rax, %rbx\n shl $9, %rbx\n and %rsi, %rbx\n add %rdx, %rbx\n"
      "incl (%rbx)\n"
      "dec %ecx\n jnz 1b\n hlt\n");
GUEST(scatter32, 32,
      "1: imul $1103515245, %eax\n add $12345, %eax\n"
      "mov %eax, %ebx\n and %esi, %ebx\n add %edx, %ebx\n"
      "incl (%ebx)\n"
      "dec %ecx\n jnz 1b\n hlt\n");

static void all_one(void)
{
	struct vcpu *v = guest_start(MODE_LONG, scatter64);
	uint32_t i;

	for (i = 0; i < 512; i++) {
		g64(v->vm, ONE_P1 + i * 8) = ONE_DATA | 7;
		g64(v->vm, ONE_P2 + i * 8) = ONE_P1 | 7;
		g64(v->vm, ONE_P3 + i * 8) = ONE_P2 | 7;
	}
	for (i = 1; i < 256; i++)
		g64(v->vm, G_PML4 + i * 8) = ONE_P3 | 7;
	v->regs.rcx = TOUCHES;
	v->regs.rdx = FAR_LONG + 0x10;
	v->regs.rsi = 0x3ffffffff000ull;
	set_regs(v);
	run_to_hlt(v);
	EXPECT_EQ(g32(v->vm, ONE_DATA + 0x10), TOUCHES);

	v = guest_start(MODE_PG32, scatter32);
	for (i = 0; i < 1024; i++)
		g32(v->vm, ONE_P1 + i * 4) = ONE_DATA | 7;
	for (i = 256; i < 1024; i++)
		g32(v->vm, G_PD32 + i * 4) = ONE_P1 | 7;
	v->regs.rcx = TOUCHES;
	v->regs.rdx = 0x40000010;
	v->regs.rsi = 0x7ffff000;
	set_regs(v);
	run_to_hlt(v);
	EXPECT_EQ(g32(v->vm, ONE_DATA + 0x10), TOUCHES);
}

/* ---- another vCPU changes what is being walked ---------------------------------------- */

#define STOP	0xb000u

/* Until told to stop: each read gives one of two values, or faults.  Counts them where
 * the other can see it. */
GUEST(watch, 64,
      "movl $1, 0xb008\n"
      "1: mov (%rsi), %eax\n"
      "cmp $0x11111111, %eax\n je 2f\n"
      "cmp $0x22222222, %eax\n je 2f\n"
      "inc %r14d\n"
      "2: inc %r15d\n mov %r15d, 0xb010\n"
      "test $7, %r15b\n jnz 3f\n invlpg (%rsi)\n"
      "3: cmpl $0, 0xb000\n je 1b\n"
      "invlpg (%rsi)\n"
      "mov (%rsi), %ebx\n"
      "hlt\n");
/* The faulting load is behind us. */
GUEST(watch_fault, 64, "inc %r13d\nadd $8, %rsp\nmovq $0x8000, (%rsp)\niretq\n");
/*
 * Two entries by turns and none: at least ECX times, and until the other has read often
 * enough, for on one host CPU all of these may be one turn of the scheduler's.
 */
GUEST(meddle, 64,
      "2: cmpl $0, 0xb008\n je 2b\n"
      "1: mov %rsi, (%rbx)\n mov $50, %edx\n 3: dec %edx\n jnz 3b\n"
      "mov %rdi, (%rbx)\n mov $50, %edx\n 3: dec %edx\n jnz 3b\n"
      "movq $0, (%rbx)\n mov $50, %edx\n 3: dec %edx\n jnz 3b\n"
      "mov %rdi, (%rbx)\n invlpg (%rbp)\n dec %ecx\n jns 1b\n"
      "cmpl $1000, 0xb010\n jb 1b\n"
      "movl $1, 0xb000\n hlt\n");

static void *run_thread(void *arg)
{
	struct vcpu *v = arg;
	int r;

	do
		r = vcpu_run(v);
	while (r == -EINTR);
	EXPECT_EQ(r, 0);
	EXPECT_EQ(v->run->exit_reason, KVM_EXIT_HLT);
	return NULL;
}

/* @entry holds the path to X; @one and @two are the values it takes */
static void meddled(uint32_t entry, uint64_t one, uint64_t two)
{
	struct vcpu *v = guest_start(MODE_LONG, watch), *w = vcpu_new(v->vm, 1, MODE_LONG);
	pthread_t t[2];
	uint32_t i;

	for (i = 0; i < 512; i++)
		g64(v->vm, 0x90000 + i * 8) = (i * PG) | 7;
	g64(v->vm, 0x90000 + X / PG * 8) = 0x71000 | 7;
	g32(v->vm, X) = 0x11111111;
	g32(v->vm, 0x71000) = 0x22222222;
	guest_load(v->vm, 0x9000, watch_fault);
	guest_load(v->vm, 0xa000, meddle);
	guest_handler(v->vm, MODE_LONG, PF, 0x9000);
	v->regs.rsi = FAR_LONG + X;
	set_regs(v);
	g64(v->vm, G_PML4 + 8) = 0x92000 | 7;
	g64(v->vm, 0x92000) = 0x93000 | 7;
	g64(v->vm, 0x93000) = 0x94000 | 7;
	g64(v->vm, 0x94000 + X / PG * 8) = X | 7;
	w->regs.rip = 0xa000;
	w->regs.rbx = entry;
	w->regs.rsi = one;
	w->regs.rdi = two;
	w->regs.rcx = 1500;
	w->regs.rbp = FAR_LONG + X;
	set_regs(w);
	ASSERT(!pthread_create(&t[0], NULL, run_thread, v));
	ASSERT(!pthread_create(&t[1], NULL, run_thread, w));
	pthread_join(t[0], NULL);
	pthread_join(t[1], NULL);
	get_regs(v);
	ktap_diag("%llu reads, %llu faults", v->regs.r15, v->regs.r13);
	EXPECT_EQ(v->regs.r14, 0);
	EXPECT_EQ(v->regs.rbx, 0x22222222);
	EXPECT(v->regs.r15 >= 1000);
	vm_free_all();
}

static void changed_while_walked(void)
{
	meddled(0x94000 + X / PG * 8, X | 7, 0x71000 | 7);
	meddled(0x93000, 0x94000 | 7, 0x90000 | 7);
}

/* ---- a table that comes to be watched while another vCPU writes to it -------------------- */

#define ASKED	"0xb000"	/* round: the one asks, the other answers */
#define ANSWERED "0xb004"
#define OVER	"0xb008"
#define HANDED	200u
/* After a trap ring1 goes on interpreting for less than that. */
#define A_WHILE	".rept 64\n lea 1(%ecx), %ecx\n .endr\n"

/*
 * ESI: the entry; EBX: an address that it maps.  Shadow paging lets a table be written to
 * until the TLB is flushed, and watches it from then on: so each round it is watched anew.
 * The other's answer, in memory, comes after its change of the entry.
 */
GUEST(asks, 32,
      "1: " A_WHILE "inc %ebp\n mov (%esi), %eax\n mov %eax, (%esi)\n"
      "mov %cr3, %eax\n mov %eax, %cr3\n" A_WHILE "mov (%ebx), %eax\n mov %ebp, " ASKED "\n"
      "2: pause\n cmp %ebp, " ANSWERED "\n jne 2b\n"
      "invlpg (%ebx)\n" A_WHILE "mov (%ebx), %eax\n mov %ebp, %edx\n and $1, %edx\n"
      "cmp %edx, %eax\n jne 3f\n cmp %edi, %ebp\n jne 1b\n"
      "3: movl $1, " OVER "\n hlt\n");
/* Writes to another entry of the table all the time, none that is ever present. */
GUEST(answers, 32,
      "1: addl $2, 0x800(%ebx)\n cmpl $0, " OVER "\n jne 3f\n"
      "mov " ASKED ", %ebp\n cmp " ANSWERED ", %ebp\n je 1b\n"
      "mov %ebp, %eax\n and $1, %eax\n shl $12, %eax\n add %ecx, %eax\n mov %eax, (%esi)\n"
      "mov %ebp, " ANSWERED "\n jmp 1b\n"
      "3: hlt\n");

static void handed_over(void)
{
	struct vcpu *v = guest_start(MODE_PG32, asks), *w = vcpu_new(v->vm, 1, MODE_PG32);
	const uint32_t table = 0x90000, entry = table + 5 * 4;
	pthread_t t[2];

	marks(v->vm);
	guest_load(v->vm, 0xa000, answers);
	g32(v->vm, entry) = MARKED | 7;
	g32(v->vm, G_PD32 + (FAR_PG >> 22) * 4) = table | 7;
	v->sregs.cr0 |= CR0_WP;
	set_sregs(v);
	v->regs.rsi = entry;
	v->regs.rbx = FAR_PG + 5 * PG;
	v->regs.rdi = HANDED;
	set_regs(v);
	/* ring1 interprets it */
	w->sregs.cr0 &= ~(uint64_t)CR0_WP;
	set_sregs(w);
	w->regs.rip = 0xa000;
	w->regs.rsi = entry;
	w->regs.rbx = table;
	w->regs.rcx = MARKED | 7;
	set_regs(w);
	ASSERT(!pthread_create(&t[0], NULL, run_thread, v));
	ASSERT(!pthread_create(&t[1], NULL, run_thread, w));
	pthread_join(t[0], NULL);
	pthread_join(t[1], NULL);
	get_regs(v);
	EXPECT_EQ(v->regs.rbp, HANDED);
	EXPECT_EQ(v->regs.rax, HANDED & 1);
	if (dev_is_ring1())
		ktap_diag("%llu times a slice had written without knowing",
			  (unsigned long long)stat_value(w->fd, "slice_news"));
	vm_free_all();
}

/* ---- tables in read-only memory, and in none ------------------------------------------ */

#define ROM	0x2000000u

GUEST(rw64, 64, "mov (%rbx), %eax\nmov %ecx, 8(%rbx)\nmov 8(%rbx), %edx\nhlt\n");

static void tables_in_rom(void)
{
	struct vcpu *v = guest_start(MODE_LONG, rw64);
	uint64_t *rom = anon(4 * PG), copy[4 * 512];

	rom[3] = (ROM + PG) | 7;
	rom[512 + 5] = (ROM + 2 * PG) | 7;
	rom[1024 + 7] = 0x55000 | 7;
	memcpy(copy, rom, sizeof(copy));
	ASSERT_OK(vm_slot(v->vm, 1, KVM_MEM_READONLY, ROM, 4 * PG, rom));
	g64(v->vm, G_PML4 + 8) = ROM | 7;
	g32(v->vm, 0x55000) = 0x1234;
	v->regs.rbx = FAR_LONG + (3ull << 30) + (5 << 21) + (7 << 12);
	v->regs.rcx = 0x5678;
	set_regs(v);
	run_to_hlt(v);
	EXPECT_EQ(v->regs.rax, 0x1234);
	EXPECT_EQ(v->regs.rdx, 0x5678);
	EXPECT_EQ(g32(v->vm, 0x55008), 0x5678);
	EXPECT_EQ(memcmp(copy, rom, sizeof(copy)), 0);
}

static void tables_nowhere(void)
{
	struct vcpu *v = guest_start(MODE_LONG, rw64);

	g64(v->vm, G_PML4 + 8) = G_HOLE | 7;
	v->regs.rbx = FAR_LONG;
	set_regs(v);
	run_to(v, KVM_EXIT_INTERNAL_ERROR);
	get_regs(v);
	EXPECT_EQ(v->regs.rip, G_CODE);
	/* memory comes to be there after all */
	ASSERT_OK(vm_slot(v->vm, 1, 0, G_HOLE, PG, anon(PG)));
	EXPECT_EQ(run_to_vector(v), PF);

	v = guest_start(MODE_LONG, rw64);
	v->sregs.cr3 = G_HOLE;
	set_sregs(v);
	run_to(v, KVM_EXIT_INTERNAL_ERROR);
}

/* ---- more tables than are kept ---------------------------------------------------------- */

#define MANY_AT	0x10000000ull
#define MANY	4096u		/* tables, each of them used often: */
#define MANY_USES 100352u	/* 196 times a directory full */
#define MANY_PD	0x95000u

/*
 * The directory at RBX is filled with tables from RSI on, and each of the 512 used once:
 * what is read through table n must be n modulo 64.
 */
GUEST(many64, 64,
      "1: mov %rbx, %rdi\n lea 7(%rsi), %rax\n mov $512, %ebp\n"
      "2: mov %rax, (%rdi)\n add $8, %rdi\n add $0x1000, %rax\n dec %ebp\n jnz 2b\n"
      "mov %cr3, %rax\n mov %rax, %cr3\n"
      "mov %r8, %rdi\n"
      "3: mov %ebp, %eax\n and $63, %eax\n cmp %eax, (%rdi)\n jne 5f\n"
      "add $0x200000, %rdi\n inc %ebp\n inc %edx\n cmp $512, %ebp\n jne 3b\n"
      "add $0x200000, %rsi\n cmp %r9, %rsi\n jne 4f\n mov %r10, %rsi\n out %al, $0x10\n"
      "4: cmp %ecx, %edx\n jne 1b\n"
      "5: hlt\n");

static void many_tables(void)
{
	uint64_t size = (uint64_t)MANY * PG, pages, most = 0, bound = (size + G_MEM) / PG / 32 + 8;
	struct vcpu *v = guest_start(MODE_LONG, many64);
	uint64_t *mem = anon(size);
	uint32_t i;

	for (i = 0; i < MANY; i++)
		mem[i * 512] = (MARKED + i % MARKS * PG) | 7;
	ASSERT_OK(vm_slot(v->vm, 1, 0, MANY_AT, size, mem));
	marks(v->vm);
	g64(v->vm, G_PML4 + 8) = 0x96000 | 7;
	g64(v->vm, 0x96000) = MANY_PD | 7;
	v->regs.rsi = v->regs.r10 = MANY_AT;
	v->regs.r9 = MANY_AT + size;
	v->regs.rbx = MANY_PD;
	v->regs.rcx = MANY_USES;
	v->regs.r8 = FAR_LONG;
	set_regs(v);
	do {
		ASSERT_EQ(vcpu_run(v), 0);
		if (!dev_is_shadow())
			continue;
		pages = stat_value(v->vm->fd, "shadow_pages");
		most = pages > most ? pages : most;
	} while (v->run->exit_reason == KVM_EXIT_IO);
	EXPECT_EQ(v->run->exit_reason, KVM_EXIT_HLT);
	get_regs(v);
	EXPECT_EQ(v->regs.rdx, MANY_USES);
	if (dev_is_shadow()) {
		ktap_diag("%llu shadow pages at most, %llu recycled, bound %llu",
			  (unsigned long long)most,
			  (unsigned long long)stat_value(v->vm->fd, "shadow_recycled"),
			  (unsigned long long)bound);
		EXPECT(most > 64 && most <= bound);
		EXPECT(stat_value(v->vm->fd, "shadow_recycled") > MANY_USES / 2);
	}
	munmap(mem, size);
}

int main(void)
{
	static const struct ktap_case cases[] = {
		{ "random_tables", random_tables }, { "self_mapped", self_mapped },
		{ "new_place", new_place }, { "cleared", cleared }, { "freed_root", freed_root },
		{ "all_one", all_one }, { "changed_while_walked", changed_while_walked },
		{ "handed_over", handed_over },
		{ "tables_in_rom", tables_in_rom }, { "tables_nowhere", tables_nowhere },
		{ "many_tables", many_tables },
	};

	vmtest_init();
	rnd_seed_fixed(0x7ab1e5);
	return ktap_run(cases, KTAP_COUNT(cases));
}
