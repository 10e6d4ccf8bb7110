// SPDX-License-Identifier: GPL-2.0
/* KVM_NMI: delivery, blocking until IRET, one more kept (KVM API 4.64; SDM vol. 3 6.7.1). */
#include "vmtest.h"

GUEST_ALL(loop, "1: out %al, $0x10\njmp 1b\n");
/* The handler tells of itself twice before it ends. */
GUEST(handler16, 16, "inc %cx\nout %al, $0x20\nout %al, $0x21\niret\n");
GUEST(handler32, 32, "inc %ecx\nout %al, $0x20\nout %al, $0x21\niret\n");
GUEST(handler64, 64, "inc %ecx\nout %al, $0x20\nout %al, $0x21\niretq\n");

static struct vcpu *start(enum guest_mode m)
{
	struct vcpu *v = guest_start_all(m, loop);

	guest_load(v->vm, G_DATA, mode_bits(m) == 16 ? handler16 :
		   mode_bits(m) == 32 ? handler32 : handler64);
	guest_handler(v->vm, m, NMI, G_DATA);
	run_to(v, KVM_EXIT_IO);
	return v;
}

static int port(struct vcpu *v)
{
	run_to(v, KVM_EXIT_IO);
	return v->run->io.port;
}

static struct kvm_vcpu_events events(struct vcpu *v)
{
	struct kvm_vcpu_events e;

	ASSERT_OK(ioctl(v->fd, KVM_GET_VCPU_EVENTS, &e));
	return e;
}

/* IF does not matter to it. */
static void delivered(void)
{
	enum guest_mode m;

	for (m = 0; m < NR_MODES; m++) {
		struct vcpu *v = start(m);

		EXPECT_EQ(v->run->if_flag, 0);
		ASSERT_OK(ioctl(v->fd, KVM_NMI, 0));
		EXPECT_EQ(port(v), 0x20);
		EXPECT_EQ(events(v).nmi.masked, 1);
		EXPECT_EQ(events(v).nmi.pending, 0);
		EXPECT_EQ(port(v), 0x21);
		EXPECT_EQ(port(v), 0x10);
		EXPECT_EQ(events(v).nmi.masked, 0);
		get_regs(v);
		EXPECT_EQ(v->regs.rcx & 0xffff, 1);
		EXPECT_EQ(v->regs.rsp, G_STACK);
	}
}

/* A second one inside the handler waits for IRET, a third and more are lost. */
static void blocked_until_iret(void)
{
	enum guest_mode m;
	int i;

	for (m = 0; m < NR_MODES; m++) {
		struct vcpu *v = start(m);

		ASSERT_OK(ioctl(v->fd, KVM_NMI, 0));
		EXPECT_EQ(port(v), 0x20);
		for (i = 0; i < 5; i++)
			ASSERT_OK(ioctl(v->fd, KVM_NMI, 0));
		EXPECT_EQ(events(v).nmi.masked, 1);
		EXPECT_EQ(port(v), 0x21);
		get_regs(v);
		EXPECT_EQ(v->regs.rcx & 0xffff, 1);
		EXPECT_EQ(port(v), 0x20);
		get_regs(v);
		EXPECT_EQ(v->regs.rcx & 0xffff, 2);
		EXPECT_EQ(port(v), 0x21);
		EXPECT_EQ(port(v), 0x10);
		EXPECT_EQ(port(v), 0x10);
		get_regs(v);
		EXPECT_EQ(v->regs.rcx & 0xffff, 2);
		EXPECT_EQ(v->regs.rsp, G_STACK);
	}
}

/* Mask and pending NMI travel by VCPU_EVENTS. */
static void by_events(void)
{
	enum guest_mode m;

	for (m = 0; m < NR_MODES; m++) {
		struct vcpu *v = start(m);
		struct kvm_vcpu_events e = events(v);

		e.flags = KVM_VCPUEVENT_VALID_NMI_PENDING;
		e.nmi.masked = 1;
		e.nmi.pending = 1;
		ASSERT_OK(ioctl(v->fd, KVM_SET_VCPU_EVENTS, &e));
		EXPECT_EQ(port(v), 0x10);
		EXPECT_EQ(port(v), 0x10);
		e = events(v);
		EXPECT_EQ(e.nmi.pending, 1);
		EXPECT_EQ(e.nmi.masked, 1);
		e.nmi.masked = 0;
		e.flags = 0;
		ASSERT_OK(ioctl(v->fd, KVM_SET_VCPU_EVENTS, &e));
		EXPECT_EQ(port(v), 0x20);
	}
}

/* NMI wakes HLT, also with IF clear. */
GUEST_ALL(halted, "hlt\nout %al, $0x11\n");

static void wakes_hlt(void)
{
	enum guest_mode m;

	for (m = 0; m < NR_MODES; m++) {
		struct vcpu *v = guest_start_all(m, halted);

		guest_load(v->vm, G_DATA, mode_bits(m) == 16 ? handler16 :
			   mode_bits(m) == 32 ? handler32 : handler64);
		guest_handler(v->vm, m, NMI, G_DATA);
		run_to_hlt(v);
		ASSERT_OK(ioctl(v->fd, KVM_NMI, 0));
		EXPECT_EQ(port(v), 0x20);
		EXPECT_EQ(port(v), 0x21);
		EXPECT_EQ(port(v), 0x11);
	}
}

/* NMI before the interrupt when both wait (SDM vol. 3 table 6-2). */
static void before_interrupt(void)
{
	enum guest_mode m;

	for (m = 0; m < NR_MODES; m++) {
		struct vcpu *v = guest_start_all(m, loop);
		struct kvm_interrupt i = { .irq = 0x61 };

		v->regs.rflags |= RFLAGS_IF;
		set_regs(v);
		run_to(v, KVM_EXIT_IO);
		ASSERT_OK(ioctl(v->fd, KVM_NMI, 0));
		ASSERT_OK(ioctl(v->fd, KVM_INTERRUPT, &i));
		/*
		 * Whichever is entered first, its handler is a HLT; KVM hands a
		 * queued interrupt over before a pending NMI.
		 */
		{
			int vec = run_to_vector(v);

			EXPECT(vec == NMI || vec == 0x61);
		}
	}
}

int main(void)
{
	static const struct ktap_case cases[] = {
		{ "delivered", delivered }, { "blocked_until_iret", blocked_until_iret },
		{ "by_events", by_events }, { "wakes_hlt", wakes_hlt },
		{ "with_interrupt", before_interrupt },
	};

	vmtest_init();
	return ktap_run(cases, KTAP_COUNT(cases));
}
