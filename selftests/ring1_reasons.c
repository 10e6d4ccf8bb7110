// SPDX-License-Identifier: GPL-2.0
/*
 * ring1: why a guest was interpreted.  In each state that cannot run natively the counter
 * of that reason grows and no other tells of it, and native execution goes on as soon as
 * the guest has left the state (module/mode/ring1/decide.c).
 */
#include <cpuid.h>

#include "vmtest.h"

#define RFLAGS_IOPL3	(3u << 12)
#define G_TAIL		0x9000u		/* what can run natively, for a while */

GUEST(tail, 32, "mov $20000, %ecx\n1: dec %ecx\njnz 1b\nhlt\n");
GUEST(tail64, 64, "mov $20000, %ecx\n1: dec %ecx\njnz 1b\nhlt\n");
GUEST(tail16, 16, "mov $20000, %cx\n1: dec %cx\njnz 1b\nhlt\n");

/* Ring 0, on to the tail. */
GUEST(go, 32, "nop\nmov $0x9000, %eax\njmp *%eax\n");
/* Other rings: #GP, whose handler is the tail. */
GUEST(leave, 32, "nop\nhlt\n");
GUEST(traps, 32, "cpuid\nmov $0x9000, %eax\njmp *%eax\n");
GUEST(set_wp, 32, "mov %cr0, %eax\nor $0x10000, %eax\nmov %eax, %cr0\n"
      "mov $0x9000, %eax\njmp *%eax\n");
GUEST(load_ss, 32, "mov %ds, %eax\nmov %eax, %ss\nmov $0x9000, %eax\njmp *%eax\n");
/* #DB: no more single steps, and to the tail. */
GUEST(end_steps, 32, "andl $~0x100, 8(%esp)\nmovl $0x9000, (%esp)\niret\n");
GUEST(to_v86, 32, "push $0\npush $0\npush $0\npush $0\npush $0\npush $0x4000\n"
      "pushl $0x20202\npush $0\npush $0xc000\niret\n");
GUEST(in_v86, 16, "nop\nhlt\n");
/* Writes into its own page until it is given up, then the rest of that page. */
GUEST(writes, 32, "mov $1000, %ecx\n1: movb %cl, 0x8f00\ndec %ecx\njnz 1b\n"
      "mov $20000, %ecx\n1: dec %ecx\njnz 1b\nhlt\n");

static bool host_has_smap(void)
{
	uint32_t a, b, c, d;

	return __get_cpuid_count(7, 0, &a, &b, &c, &d) && b & 1u << 20;
}

static struct vcpu *state(enum guest_mode m, struct guest_code code)
{
	struct vcpu *v;

	if (!dev_is_ring1())
		SKIP("not ring1");
	if (!host_has_smap())
		SKIP("kernel code is interpreted in any case");
	v = guest_start(m, code);
	guest_load(v->vm, G_TAIL, mode_bits(m) == 16 ? tail16 : m == MODE_LONG ? tail64 : tail);
	guest_handler(v->vm, m, GP, G_TAIL);
	return v;
}

/* @native: some of it is to run so */
static void expect(struct vcpu *v, const char *counter, bool native)
{
	static const char *const reasons[] = {
		"soft_real", "soft_long", "soft_v86", "soft_if", "soft_shadow", "soft_tf",
		"soft_iopl", "soft_wp", "soft_cpl", "soft_bits16", "soft_seg", "soft_views",
		"soft_trap", "soft_event",
	};
	uint64_t n;
	unsigned int i;

	run_to_hlt(v);
	for (i = 0; i < KTAP_COUNT(reasons); i++) {
		n = stat_value(v->fd, reasons[i]);
		if (!strcmp(reasons[i], counter))
			EXPECT(n > 0);
		/* Those come with others. */
		else if (n && strcmp(reasons[i], "soft_trap") && strcmp(reasons[i], "soft_event") &&
			 strcmp(reasons[i], "soft_views"))
			KTAP_FAIL_("%s: %s is %llu", counter, reasons[i], (unsigned long long)n);
	}
	n = stat_value(v->fd, "native");
	if (!native)
		EXPECT_EQ(n, 0);
	else
		EXPECT(n > 0);
}

static void user(struct vcpu *v, uint64_t rflags)
{
	vcpu_to_user(v);
	v->regs.rsp = 0x5000;
	v->regs.rflags = RFLAGS_1 | rflags;
	set_regs(v);
}

static void real(void)		{ expect(state(MODE_REAL, tail16), "soft_real", false); }
static void bits16(void)	{ expect(state(MODE_PROT16, tail16), "soft_bits16", false); }
static void long_mode(void)	{ expect(state(MODE_LONG, tail64), "soft_long", false); }
static void trap(void)		{ expect(state(MODE_PG32, traps), "soft_trap", true); }

/* Not even code of the other half: compatibility mode. */
static void compat(void)
{
	struct vcpu *v = state(MODE_LONG, tail);

	v->sregs.cs.l = 0;
	v->sregs.cs.db = 1;
	set_sregs(v);
	expect(v, "soft_long", false);
}

static void v86(void)
{
	struct vcpu *v = state(MODE_PG32, to_v86);

	guest_load(v->vm, 0xc000, in_v86);
	expect(v, "soft_v86", true);
}

static void user_if(void)
{
	struct vcpu *v = state(MODE_PG32, leave);

	user(v, 0);
	expect(v, "soft_if", true);
}

static void user_iopl(void)
{
	struct vcpu *v = state(MODE_PG32, leave);

	user(v, RFLAGS_IF | RFLAGS_IOPL3);
	expect(v, "soft_iopl", true);
}

static void user_seg(void)
{
	struct vcpu *v = state(MODE_PG32, leave);

	user(v, RFLAGS_IF);
	/* All of them, for the kernel has one place for a selector. */
	v->sregs.ds.base = v->sregs.es.base = v->sregs.fs.base = v->sregs.gs.base = 0x100;
	set_sregs(v);
	expect(v, "soft_seg", true);
}

/* An SS that a client may set and no instruction can load: IRET to it would fault in the
 * host, and the entry be taken back. */
static void kernel_seg(void)
{
	struct vcpu *v = state(MODE_PG32, load_ss);

	v->sregs.ss.type = 1;			/* read-only */
	set_sregs(v);
	run_to_hlt(v);
	EXPECT(stat_value(v->fd, "soft_seg") > 0);
	EXPECT(stat_value(v->fd, "native") > 0);
	v = state(MODE_PG32, go);
	v->sregs.cs.type = 3;			/* data */
	if (!ioctl(v->fd, KVM_SET_SREGS, &v->sregs))
		run_to_hlt(v);
}

static void cpl1(void)
{
	struct vcpu *v = state(MODE_PG32, leave);

	user(v, RFLAGS_IF);
	v->sregs.cs.selector = (SEL_UCODE & ~3) | 1;
	v->sregs.ss.selector = (SEL_UDATA & ~3) | 1;
	v->sregs.cs.dpl = v->sregs.ss.dpl = 1;
	set_sregs(v);
	expect(v, "soft_cpl", true);
}

static void shadow(void)
{
	struct vcpu *v = state(MODE_PG32, go);
	struct kvm_vcpu_events e;

	ASSERT_OK(ioctl(v->fd, KVM_GET_VCPU_EVENTS, &e));
	e.flags |= KVM_VCPUEVENT_VALID_SHADOW;
	e.interrupt.shadow = KVM_X86_SHADOW_INT_STI;
	ASSERT_OK(ioctl(v->fd, KVM_SET_VCPU_EVENTS, &e));
	expect(v, "soft_shadow", true);
}

static void kernel_tf(void)
{
	struct vcpu *v = state(MODE_PG32, go);

	guest_load(v->vm, 0xa000, end_steps);
	guest_handler(v->vm, MODE_PG32, DB, 0xa000);
	v->regs.rflags |= RFLAGS_TF;
	set_regs(v);
	expect(v, "soft_tf", true);
}

static void kernel_wp(void)
{
	struct vcpu *v = state(MODE_PG32, set_wp);

	v->sregs.cr0 &= ~CR0_WP;
	set_sregs(v);
	expect(v, "soft_wp", true);
}

static void event(void)
{
	struct vcpu *v = state(MODE_PG32, go);
	struct kvm_interrupt irq = { .irq = 0x55 };

	guest_handler(v->vm, MODE_PG32, 0x55, G_TAIL);
	v->regs.rflags |= RFLAGS_IF;
	set_regs(v);
	ASSERT_OK(ioctl(v->fd, KVM_INTERRUPT, &irq));
	expect(v, "soft_event", true);
}

/* With ring1_eager=1 no page is given up. */
static void views(void)
{
	char eager = 'Y';
	FILE *f = fopen("/sys/module/ringvm/parameters/ring1_eager", "r");
	struct vcpu *v = state(MODE_PG32, writes);

	if (f) {
		eager = fgetc(f);
		fclose(f);
	}
	if (eager == 'Y')
		SKIP("ring1_eager=1");
	expect(v, "soft_views", true);
}

int main(void)
{
	static const struct ktap_case cases[] = {
		{ "real", real }, { "bits16", bits16 }, { "long_mode", long_mode },
		{ "compat", compat }, { "trap", trap }, { "v86", v86 }, { "user_if", user_if },
		{ "user_iopl", user_iopl }, { "user_seg", user_seg }, { "kernel_seg", kernel_seg },
		{ "cpl1", cpl1 },
		{ "shadow", shadow }, { "kernel_tf", kernel_tf }, { "kernel_wp", kernel_wp },
		{ "event", event }, { "views", views },
	};

	vmtest_init();
	return ktap_run(cases, KTAP_COUNT(cases));
}
