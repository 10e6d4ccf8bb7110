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

int main(void)
{
	static const struct ktap_case cases[] = {
		{ "random_tables", random_tables },
	};

	vmtest_init();
	rnd_seed_fixed(0x7ab1e5);
	return ktap_run(cases, KTAP_COUNT(cases));
}
