// SPDX-License-Identifier: GPL-2.0
/* KVM_EXIT_MMIO by many instruction forms, in every mode. */
#include "vmtest.h"

#define AT	G_HOLE			/* what EBX points at; nothing is mapped there */
#define SEED	0x8877665544332211ull	/* what a read of AT answers */

/* One access as the client must see it. */
struct acc {
	bool write;
	int len;
	uint64_t val;			/* written; reads are answered from SEED */
	int off;
};

struct form {
	const char *name;
	struct guest_code code;
	struct acc acc[4];
	int n;
	uint64_t rax, mask;		/* the result in RAX, under mask */
};

#define R(len)			{ false, len, 0, 0 }
#define W(len, val)		{ true, len, val, 0 }
#define Ro(len, off)		{ false, len, 0, off }
#define Wo(len, val, off)	{ true, len, val, off }

/*
 * RAX = 0x1122334455667788, RCX = 2, RDX = 0x99aabbccddeeff00 at the start;
 * (R/E)BX = AT; RSI = G_DATA, RDI = G_DATA + 0x100.
 */
#define FORMS32(F)							\
	F(mov_st8, "mov %dl, (%ebx)")					\
	F(mov_st16, "mov %dx, (%ebx)")					\
	F(mov_st32, "mov %edx, (%ebx)")					\
	F(mov_ld8, "mov (%ebx), %al")					\
	F(mov_ld16, "mov (%ebx), %ax")					\
	F(mov_ld32, "mov (%ebx), %eax")					\
	F(mov_im8, "movb $0xa5, 1(%ebx)")				\
	F(mov_im16, "movw $0xa55a, 2(%ebx)")				\
	F(mov_im32, "movl $0xa55a1234, 4(%ebx)")			\
	F(movzx8, "movzbl (%ebx), %eax")				\
	F(movzx16, "movzwl (%ebx), %eax")				\
	F(movsx8, "movsbl 7(%ebx), %eax")				\
	F(movsx16, "movswl 6(%ebx), %eax")				\
	F(sib, "mov 4(%ebx,%ecx,2), %eax")				\
	F(add_rm, "add %edx, (%ebx)")					\
	F(or_rm, "orb $0x80, (%ebx)")					\
	F(and_rm, "andw $0x0ff0, (%ebx)")				\
	F(xor_mr, "xor (%ebx), %eax")					\
	F(sub_rm, "subl $1, (%ebx)")					\
	F(inc_m, "incl (%ebx)")						\
	F(neg_m, "negl (%ebx)")						\
	F(not_m, "notl (%ebx)")						\
	F(shl_m, "shll $4, (%ebx)")					\
	F(lock_or, "lock orl $0x80000000, (%ebx)")			\
	F(cmp_m, "cmpl $0x44332211, (%ebx); setz %al")			\
	F(test_m, "testb $0x11, (%ebx); setnz %al")			\
	F(xchg_m, "xchg %edx, (%ebx); mov %edx, %eax")			\
	F(bt_m, "btl $5, (%ebx); setc %al")				\
	F(bts_m, "btsl $2, (%ebx); setc %al")				\
	F(cmpxchg_eq, "mov $0x44332211, %eax; cmpxchg %edx, (%ebx); setz %al") \
	F(xadd_m, "xadd %edx, (%ebx); mov %edx, %eax")			\
	F(cmov_m, "test %esp, %esp; cmovnz (%ebx), %eax")		\
	F(imul_m, "imul $3, (%ebx), %eax")

#define DEF(name, text) GUEST(f_##name, 32, text "\nhlt\n");		\
			GUEST(l_##name, 64, text "\nhlt\n");
FORMS32(DEF)

GUEST(l_st64, 64, "mov %rdx, (%rbx)\nhlt\n");
GUEST(l_ld64, 64, "mov (%rbx), %rax\nhlt\n");
GUEST(l_movsxd, 64, "movslq 4(%rbx), %rax\nhlt\n");
GUEST(l_add64, 64, "add %rdx, (%rbx)\nhlt\n");
GUEST(l_im64, 64, "movq $-2, (%rbx)\nhlt\n");

#define X32(name, nacc, rax, mask, ...)					\
	{ #name, { guest_f_##name, guest_f_##name##_end }, { __VA_ARGS__ }, nacc, rax, mask }
#define X64(name, nacc, rax, mask, ...)					\
	{ #name, { guest_l_##name, guest_l_##name##_end }, { __VA_ARGS__ }, nacc, rax, mask }

#define TABLE(X)							\
	X(mov_st8, 1, 0x55667788, 0xffffffff, W(1, 0x00)),		\
	X(mov_st16, 1, 0x55667788, 0xffffffff, W(2, 0xff00)),		\
	X(mov_st32, 1, 0x55667788, 0xffffffff, W(4, 0xddeeff00)),	\
	X(mov_ld8, 1, 0x55667711, 0xffffffff, R(1)),			\
	X(mov_ld16, 1, 0x55662211, 0xffffffff, R(2)),			\
	X(mov_ld32, 1, 0x44332211, 0xffffffff, R(4)),			\
	X(mov_im8, 1, 0, 0, Wo(1, 0xa5, 1)),				\
	X(mov_im16, 1, 0, 0, Wo(2, 0xa55a, 2)),				\
	X(mov_im32, 1, 0, 0, Wo(4, 0xa55a1234, 4)),			\
	X(movzx8, 1, 0x11, -1ull, R(1)),				\
	X(movzx16, 1, 0x2211, -1ull, R(2)),				\
	X(movsx8, 1, 0xffffff88, -1ull, Ro(1, 7)),			\
	X(movsx16, 1, 0xffff8877, -1ull, Ro(2, 6)),			\
	X(sib, 1, 0x44332211, 0xffffffff, Ro(4, 8)),			\
	X(add_rm, 2, 0, 0, R(4), W(4, 0x22222111)),			\
	X(or_rm, 2, 0, 0, R(1), W(1, 0x91)),				\
	X(and_rm, 2, 0, 0, R(2), W(2, 0x0210)),				\
	X(xor_mr, 1, 0x11555599, 0xffffffff, R(4)),			\
	X(sub_rm, 2, 0, 0, R(4), W(4, 0x44332210)),			\
	X(inc_m, 2, 0, 0, R(4), W(4, 0x44332212)),			\
	X(neg_m, 2, 0, 0, R(4), W(4, 0xbbccddef)),			\
	X(not_m, 2, 0, 0, R(4), W(4, 0xbbccddee)),			\
	X(shl_m, 2, 0, 0, R(4), W(4, 0x43322110)),			\
	X(lock_or, 2, 0, 0, R(4), W(4, 0xc4332211)),			\
	X(cmp_m, 1, 1, 0xff, R(4)),					\
	X(test_m, 1, 1, 0xff, R(1)),					\
	X(xchg_m, 2, 0x44332211, 0xffffffff, R(4), W(4, 0xddeeff00)),	\
	X(bt_m, 1, 0, 0xff, R(4)),					\
	X(bts_m, 2, 0, 0xff, R(4), W(4, 0x44332215)),			\
	X(cmpxchg_eq, 2, 1, 0xff, R(4), W(4, 0xddeeff00)),		\
	X(xadd_m, 2, 0x44332211, 0xffffffff, R(4), W(4, 0x22222111)),	\
	X(cmov_m, 1, 0x44332211, -1ull, R(4)),				\
	X(imul_m, 1, 0xcc996633, -1ull, R(4))

static const struct form forms32[] = { TABLE(X32) };
static const struct form forms64[] = {
	TABLE(X64),
	X64(st64, 1, 0, 0, W(8, 0x99aabbccddeeff00)),
	X64(ld64, 1, SEED, -1ull, R(8)),
	X64(movsxd, 1, 0xffffffff88776655, -1ull, Ro(4, 4)),
	X64(add64, 2, 0, 0, R(8), W(8, 0x2222222222222111)),
	X64(im64, 1, 0, 0, W(8, -2ull)),
};

static void start_regs(struct vcpu *v)
{
	v->regs.rax = 0x1122334455667788;
	v->regs.rbx = AT;
	v->regs.rcx = 2;
	v->regs.rdx = 0x99aabbccddeeff00;
	v->regs.rsi = G_DATA;
	v->regs.rdi = G_DATA + 0x100;
	v->regs.rip = G_CODE;
	v->regs.rsp = G_STACK;
	v->regs.rflags = RFLAGS_1;
	set_regs(v);
}

/* AT + 8 repeats what AT answers, so that every offset reads something known. */
static void answer(struct vcpu *v)
{
	uint64_t seed[2] = { SEED, SEED };

	memcpy(v->run->mmio.data, (uint8_t *)seed + (v->run->mmio.phys_addr & 7), 8);
}

static void expect_mmio(struct vcpu *v, const char *what, const struct acc *a)
{
	uint64_t val = 0;

	run_to(v, KVM_EXIT_MMIO);
	if (v->run->mmio.is_write != a->write || (int)v->run->mmio.len != a->len ||
	    v->run->mmio.phys_addr != AT + a->off) {
		show_exit(v);
		FAIL("%s %s: want a %s of %d at +%d", mode_name[v->mode], what,
		     a->write ? "write" : "read", a->len, a->off);
	}
	if (!a->write) {
		answer(v);
		return;
	}
	memcpy(&val, v->run->mmio.data, a->len);
	if (val != a->val)
		KTAP_FAIL_("%s %s: wrote %#llx, want %#llx", mode_name[v->mode], what,
			   (unsigned long long)val, (unsigned long long)a->val);
}

static void run_forms(enum guest_mode m, const struct form *f, int n)
{
	struct vm *vm = vm_new(G_MEM);
	struct vcpu *v = vcpu_new(vm, 0, m);
	int i;

	for (; n--; f++) {
		guest_load(vm, G_CODE, f->code);
		start_regs(v);
		for (i = 0; i < f->n; i++)
			expect_mmio(v, f->name, &f->acc[i]);
		run_to_hlt(v);
		if (v->regs.rip != G_CODE + code_len(f->code))
			KTAP_FAIL_("%s %s: rip %#llx", mode_name[m], f->name, v->regs.rip);
		if (m != MODE_LONG)
			v->regs.rax = (uint32_t)v->regs.rax;
		if ((v->regs.rax & f->mask) != (f->rax & f->mask))
			KTAP_FAIL_("%s %s: rax %#llx, want %#llx", mode_name[m], f->name,
				   v->regs.rax, (unsigned long long)f->rax);
	}
}

static void prot32(void)	{ run_forms(MODE_PROT32, forms32, KTAP_COUNT(forms32)); }
static void paged32(void)	{ run_forms(MODE_PG32, forms32, KTAP_COUNT(forms32)); }
static void pae(void)		{ run_forms(MODE_PAE, forms32, KTAP_COUNT(forms32)); }
static void long_mode(void)	{ run_forms(MODE_LONG, forms64, KTAP_COUNT(forms64)); }

/* Real and 16-bit protected mode reach a hole below 64 KiB through a segment. */
GUEST(m16, 16,
	"mov %ax, 0x10\n"
	"mov 0x20, %al\n"
	"mov 0x22, %cx\n"
	"mov %edx, (%bp,%di)\n"
	"rep stosw\n"
	"hlt\n");

static void sixteen_bit(void)
{
	static const enum guest_mode modes[] = { MODE_REAL, MODE_PROT16 };
	unsigned int i, k;

	for (i = 0; i < 2; i++) {
		struct vcpu *v = guest_start(modes[i], m16);
		struct acc a[] = {
			Wo(2, 0x7788, 0x10), Ro(1, 0x20), Ro(2, 0x22), Wo(4, 0xddeeff00, 0x108),
		};

		v->sregs.ds.base = AT;
		v->sregs.ds.selector = modes[i] == MODE_REAL ? 0xa000 : SEL_DATA;
		v->sregs.ss.base = AT;
		v->sregs.es.base = AT;
		set_sregs(v);
		start_regs(v);
		v->regs.rbp = 0x100;
		v->regs.rdi = 8;
		set_regs(v);
		for (k = 0; k < KTAP_COUNT(a); k++) {
			expect_mmio(v, "mov", &a[k]);
			if (k == 2)
				memcpy(v->run->mmio.data, "\x03\x00", 2);
		}
		for (k = 0; k < 3; k++) {
			struct acc s = Wo(2, 0x7711, 8 + 2 * (int)k);

			expect_mmio(v, "stosw", &s);
		}
		run_to_hlt(v);
		EXPECT_EQ(v->regs.rcx & 0xffff, 0);
		EXPECT_EQ(v->regs.rdi & 0xffff, 8 + 6);
	}
}

/* The stack in a hole: PUSH writes there, POP reads; CALL and RET too. */
GUEST(stack32, 32, "mov %ebx, %esp\npush %edx\npop %eax\ncall 1f\n1: popl (%esi)\npushl (%esi)\nhlt\n");
GUEST(stack64, 64, "mov %rbx, %rsp\npush %rdx\npop %rax\ncall 1f\n1: popq (%rsi)\npushq (%rsi)\nhlt\n");

static void stack_in_mmio(void)
{
	enum guest_mode m;

	for (m = MODE_PROT32; m < NR_MODES; m++) {
		struct vcpu *v = guest_start(m, m == MODE_LONG ? stack64 : stack32);
		int w = m == MODE_LONG ? 8 : 4;
		uint64_t edx = m == MODE_LONG ? 0x99aabbccddeeff00 : 0xddeeff00;
		uint64_t ret = G_CODE + (m == MODE_LONG ? 10 : 9);
		struct acc a[] = {
			Wo(w, edx, -w), Ro(w, -w), Wo(w, ret, -w), Ro(w, -w), Wo(w, 0, -w),
		};
		unsigned int i;

		a[4].val = m == MODE_LONG ? SEED : 0x88776655;
		start_regs(v);
		for (i = 0; i < KTAP_COUNT(a); i++)
			expect_mmio(v, "stack", &a[i]);
		run_to_hlt(v);
		EXPECT_EQ(v->regs.rsp, AT - w);
		EXPECT_EQ(m == MODE_LONG ? v->regs.rax : (uint32_t)v->regs.rax, a[4].val);
	}
}

/* String instructions to, from and within the hole, both directions. */
GUEST_ALL(movs_to, "rep movsb\nhlt\n");
GUEST_ALL(movs_from, "std\nrep movsb\ncld\nhlt\n");

static void movs_ram_to_mmio(void)
{
	enum guest_mode m;
	int i;

	for (m = MODE_PROT32; m < NR_MODES; m++) {
		struct vcpu *v = guest_start_all(m, movs_to);

		start_regs(v);
		v->regs.rcx = 5;
		v->regs.rdi = AT;
		set_regs(v);
		memcpy(v->vm->mem + G_DATA, "\x10\x21\x32\x43\x54", 5);
		for (i = 0; i < 5; i++) {
			struct acc a = Wo(1, 0x10 + 0x11ull * i, i);

			expect_mmio(v, "movs", &a);
		}
		run_to_hlt(v);
		EXPECT_EQ(v->regs.rcx, 0);
		EXPECT_EQ(v->regs.rsi, G_DATA + 5);
		EXPECT_EQ(v->regs.rdi, AT + 5);
	}
}

static void movs_mmio_to_ram(void)
{
	enum guest_mode m;
	int i;

	for (m = MODE_PROT32; m < NR_MODES; m++) {
		struct vcpu *v = guest_start_all(m, movs_from);

		start_regs(v);
		v->regs.rcx = 4;
		v->regs.rsi = AT + 7;
		v->regs.rdi = G_DATA + 0x1001;		/* runs down over a page's edge */
		set_regs(v);
		for (i = 0; i < 4; i++) {
			struct acc a = Ro(1, 7 - i);

			expect_mmio(v, "movs", &a);
		}
		run_to_hlt(v);
		EXPECT_EQ(v->regs.rcx, 0);
		EXPECT_EQ(v->regs.rdi, G_DATA + 0x1001 - 4);
		EXPECT(!memcmp(v->vm->mem + G_DATA + 0xffe, "\x55\x66\x77\x88", 4));
	}
}

static void movs_mmio_to_mmio(void)
{
	enum guest_mode m;
	int i;

	for (m = MODE_PROT32; m < NR_MODES; m++) {
		struct vcpu *v = guest_start_all(m, movs_to);

		start_regs(v);
		v->regs.rcx = 3;
		v->regs.rsi = AT;
		v->regs.rdi = AT + 0x100;
		set_regs(v);
		for (i = 0; i < 3; i++) {
			struct acc r = Ro(1, i), w = Wo(1, 0x11ull * (i + 1), 0x100 + i);

			expect_mmio(v, "movs", &r);
			expect_mmio(v, "movs", &w);
		}
		run_to_hlt(v);
		EXPECT_EQ(v->regs.rcx, 0);
	}
}

/* SCAS and CMPS stop by what they read; LODS. */
GUEST_ALL(scas, "mov $0x33, %al\nrepne scasb\nhlt\n");
GUEST_ALL(cmps, "repe cmpsb\nsetnz %al\nhlt\n");
GUEST_ALL(lods, "lodsl\nhlt\n");

static void scan(void)
{
	enum guest_mode m;
	int i;

	for (m = MODE_PROT32; m < NR_MODES; m++) {
		struct vcpu *v = guest_start_all(m, scas);

		start_regs(v);
		v->regs.rcx = 8;
		v->regs.rdi = AT;
		set_regs(v);
		for (i = 0; i < 3; i++) {
			struct acc a = Ro(1, i);

			expect_mmio(v, "scas", &a);
		}
		run_to_hlt(v);
		EXPECT_EQ(v->regs.rcx, 5);

		v = guest_start_all(m, cmps);
		start_regs(v);
		v->regs.rcx = 8;
		v->regs.rdi = AT;
		set_regs(v);
		memcpy(v->vm->mem + G_DATA, "\x11\x22\x3f", 3);
		for (i = 0; i < 3; i++) {
			struct acc a = Ro(1, i);

			expect_mmio(v, "cmps", &a);
		}
		run_to_hlt(v);
		EXPECT_EQ(v->regs.rcx, 5);
		EXPECT_EQ(v->regs.rax & 0xff, 1);

		v = guest_start_all(m, lods);
		start_regs(v);
		v->regs.rsi = AT;
		set_regs(v);
		expect_mmio(v, "lods", &(struct acc)R(4));
		run_to_hlt(v);
		EXPECT_EQ((uint32_t)v->regs.rax, 0x44332211);
		EXPECT_EQ(v->regs.rsi, AT + 4);
	}
}

/* A reading that completes at the next KVM_RUN only, with immediate_exit. */
static void completes_with_immediate_exit(void)
{
	struct guest_code ld = { guest_f_mov_ld32, guest_f_mov_ld32_end };
	struct vcpu *v = guest_start(MODE_PROT32, ld);

	start_regs(v);
	expect_mmio(v, "mov", &(struct acc)R(4));
	v->run->immediate_exit = 1;
	EXPECT_EQ(vcpu_run(v), -EINTR);
	v->run->immediate_exit = 0;
	get_regs(v);
	EXPECT_EQ((uint32_t)v->regs.rax, 0x44332211);
	EXPECT_EQ(v->regs.rip, G_CODE + code_len(ld) - 1);
	run_to_hlt(v);
}

int main(void)
{
	static const struct ktap_case cases[] = {
		{ "prot32", prot32 }, { "paged32", paged32 }, { "pae", pae },
		{ "long", long_mode }, { "sixteen_bit", sixteen_bit },
		{ "stack_in_mmio", stack_in_mmio }, { "movs_ram_to_mmio", movs_ram_to_mmio },
		{ "movs_mmio_to_ram", movs_mmio_to_ram },
		{ "movs_mmio_to_mmio", movs_mmio_to_mmio }, { "scan", scan },
		{ "completes_with_immediate_exit", completes_with_immediate_exit },
	};

	vmtest_init();
	return ktap_run(cases, KTAP_COUNT(cases));
}
