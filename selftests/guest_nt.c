// SPDX-License-Identifier: GPL-2.0
/* The nested-task flag: kept, cleared by delivery, and what IRET makes of it. */
#include "vmtest.h"

#define RFLAGS_NT	BIT(14)
#define TS		10

static const enum guest_mode modes[] = { MODE_PROT32, MODE_PG32, MODE_PAE, MODE_LONG };

static void start(struct vcpu *v, enum guest_mode m, bool user, uint64_t rflags)
{
	vcpu_set_mode(v, m);
	if (user) {
		vcpu_to_user(v);
		v->regs.rsp = 0x5000;
	}
	v->regs.rflags = RFLAGS_1 | rflags | (user ? RFLAGS_IF : 0);
	set_regs(v);
}

static uint64_t stacked(struct vcpu *v, unsigned int i)
{
	return v->mode == MODE_LONG ? g64(v->vm, v->regs.rsp + 8 * i) :
				      g32(v->vm, v->regs.rsp + 4 * i);
}

/*
 * POPF sets it, PUSHF shows it, over and over; the handler runs without, and finds it in
 * the flags that it will return to (SDM vol. 3 §6.12.1.2).  ESI: times that it was not seen.
 */
#define KEPT(popf, pushf, ax)						\
	"push $0x4002\n" popf "\n"					\
	"1: " pushf "\npop %" ax "\ntest $0x4000, %eax\njnz 2f\ninc %esi\n" \
	"2: dec %ecx\njnz 1b\nint $0x80\n"
GUEST(kept32, 32, KEPT("popf", "pushf", "eax"));
GUEST(kept64, 64, KEPT("popfq", "pushfq", "rax"));

static void kept(void)
{
	struct vcpu *v = vcpu_new(vm_new(G_MEM), 0, MODE_PROT32);
	unsigned int i, user;

	for (i = 0; i < KTAP_COUNT(modes); i++)
		for (user = 0; user < 2; user++) {
			start(v, modes[i], user, 0);
			guest_load(v->vm, G_CODE, modes[i] == MODE_LONG ? kept64 : kept32);
			g8(v->vm, (modes[i] == MODE_LONG ? G_IDT64 + 0x80 * 16 :
				   G_IDT32 + 0x80 * 8) + 5) = 0xee;
			v->regs.rcx = 2000;
			v->regs.rsi = 0;
			set_regs(v);
			EXPECT_EQ(run_to_vector(v), 0x80);
			EXPECT_EQ(v->regs.rsi, 0);
			EXPECT_EQ(v->regs.rflags & RFLAGS_NT, 0);
			EXPECT_EQ(stacked(v, 2) & RFLAGS_NT, RFLAGS_NT);
		}
	if (dev_is_ring1())
		EXPECT(stat_value(v->fd, "native") > 0);
}

/*
 * IRET goes back to the task that the TSS links to, and does not look at the stack; in
 * long mode there are no tasks, and it is #GP(0) (SDM vol. 2, IRET).
 */
GUEST(nt_iret32, 32, "push $0x4002\npopf\niret\n");
GUEST(nt_iret64, 64, "push $0x4002\npopfq\niretq\n");

static void bad_link(void)
{
	static const uint16_t links[] = { 0, SEL_DATA, SEL_UCODE, 0xf8, 0x1000, 4, SEL_TSS | 4 };
	struct vcpu *v = vcpu_new(vm_new(G_MEM), 0, MODE_PROT32);
	unsigned int i, k, user;

	for (i = 0; i < KTAP_COUNT(modes); i++)
		for (user = 0; user < 2; user++)
			for (k = 0; k < KTAP_COUNT(links); k++) {
				bool lm = modes[i] == MODE_LONG;
				struct guest_code code = lm ? nt_iret64 : nt_iret32;
				int want = lm ? GP : TS, got;

				start(v, modes[i], user, 0);
				guest_load(v->vm, G_CODE, code);
				g16(v->vm, v->sregs.tr.base) = links[k];
				got = run_to_vector(v);
				if (got != want) {
					KTAP_FAIL_("%s cpl %d link %#x: vector %d, want %d",
						   mode_name[modes[i]], user ? 3 : 0, links[k],
						   got, want);
					continue;
				}
				EXPECT_EQ(stacked(v, 0), lm ? 0 : links[k] & ~3);
				EXPECT_EQ(stacked(v, 1), G_CODE + code_len(code) - (lm ? 2 : 1));
				EXPECT_EQ(stacked(v, 3) & RFLAGS_NT, RFLAGS_NT);
			}
}

/* The same with a link that is good: a task of ring 0 that waits to go on. */
#define TSS2	0x30000u

static void good_link(void)
{
	static const enum guest_mode tasks[] = { MODE_PROT32, MODE_PG32, MODE_PAE };
	struct vcpu *v = vcpu_new(vm_new(G_MEM), 0, MODE_PROT32);
	unsigned int i, user;

	if (dev_is_shadow() && guest_on_tcg())
		SKIP("QEMU's SVM switches tasks without the intercept");
	for (i = 0; i < KTAP_COUNT(tasks); i++)
		for (user = 0; user < 2; user++) {
			uint64_t at;

			start(v, tasks[i], user, 0);
			guest_load(v->vm, G_CODE, nt_iret32);
			at = v->sregs.gdt.base + 0x40;
			g64(v->vm, at) = 0x67 | (uint64_t)(TSS2 & 0xffffff) << 16 | 0x8bull << 40;
			memset(v->vm->mem + TSS2, 0, 0x68);
			g32(v->vm, TSS2 + 0x1c) = v->sregs.cr3;
			g32(v->vm, TSS2 + 0x20) = G_TRAPS + 0x99;
			g32(v->vm, TSS2 + 0x24) = RFLAGS_1;
			g32(v->vm, TSS2 + 0x28) = 0x1234567;
			g32(v->vm, TSS2 + 0x38) = 0x4f00;
			g32(v->vm, TSS2 + 0x48) = SEL_DATA;
			g32(v->vm, TSS2 + 0x4c) = SEL_CODE;
			g32(v->vm, TSS2 + 0x50) = SEL_DATA;
			g32(v->vm, TSS2 + 0x54) = SEL_DATA;
			g16(v->vm, v->sregs.tr.base) = 0x40;
			EXPECT_EQ(run_to_vector(v), 0x99);
			EXPECT_EQ(v->regs.rax, 0x1234567);
			EXPECT_EQ(v->regs.rsp, 0x4f00);
			EXPECT_EQ(v->regs.rflags & RFLAGS_NT, 0);
			get_sregs(v);
			EXPECT_EQ(v->sregs.tr.selector, 0x40);
			/* The task that was left is no longer busy, and has NT clear. */
			EXPECT_EQ(g8(v->vm, v->sregs.gdt.base + SEL_TSS + 5), 0x89);
			EXPECT_EQ(g32(v->vm, G_TSS + tasks[i] * 0x80 + 0x24) & RFLAGS_NT, 0);
		}
}

/* In real mode it means nothing to IRET. */
GUEST(real_iret, 16, "push $0x4002\npopf\npush $0x4002\npush $0\npushw $0x1234\niret\nnop\nhlt\n");

static void real_mode(void)
{
	struct vcpu *v = guest_start(MODE_REAL, real_iret);
	size_t len = code_len(real_iret);

	/* the target: the last byte of the code */
	g16(v->vm, G_CODE + len - 5) = G_CODE + len - 1;
	run_to_hlt(v);
	EXPECT_EQ(v->regs.rip, G_CODE + len);
	EXPECT_EQ(v->regs.rflags & RFLAGS_NT, RFLAGS_NT);
}

int main(void)
{
	static const struct ktap_case cases[] = {
		{ "kept", kept }, { "bad_link", bad_link }, { "good_link", good_link },
		{ "real_mode", real_mode },
	};

	vmtest_init();
	return ktap_run(cases, KTAP_COUNT(cases));
}
