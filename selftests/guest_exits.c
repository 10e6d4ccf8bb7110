// SPDX-License-Identifier: GPL-2.0
/* SHUTDOWN, INTERNAL_ERROR, FAIL_ENTRY: how a run ends (KVM API section 5). */
#include "vmtest.h"

/* A fault with no usable IDT is a triple fault (APM vol. 2 8.2.9, 15.14.3). */
GUEST_ALL(ud2, "ud2\nhlt\n");

static void triple_fault(void)
{
	enum guest_mode m;

	for (m = 0; m < NR_MODES; m++) {
		struct vcpu *v = guest_start_all(m, ud2);

		v->sregs.idt.limit = 0;
		set_sregs(v);
		run_to(v, KVM_EXIT_SHUTDOWN);
	}
}

/* The client may reset the vCPU after a shutdown and go on. */
GUEST_ALL(fine, "mov $0x42, %al\nhlt\n");

static void run_after_shutdown(void)
{
	enum guest_mode m;

	for (m = 0; m < NR_MODES; m++) {
		struct vcpu *v = guest_start_all(m, ud2);

		v->sregs.idt.limit = 0;
		set_sregs(v);
		run_to(v, KVM_EXIT_SHUTDOWN);
		guest_load(v->vm, G_CODE, guest_for(fine, m));
		vcpu_set_mode(v, m);
		run_to_hlt(v);
		EXPECT_EQ(v->regs.rax & 0xff, 0x42);
	}
}

/*
 * Code cannot be fetched from where no memory is: a named end of the run, by
 * INTERNAL_ERROR/EMULATION, and never a loop.
 */
static void fetch_from_mmio(void)
{
	enum guest_mode m;

	for (m = MODE_PROT32; m < NR_MODES; m++) {
		struct vcpu *v = guest_start_all(m, fine);

		v->regs.rip = G_HOLE;
		set_regs(v);
		run_to(v, KVM_EXIT_INTERNAL_ERROR);
		EXPECT_EQ(v->run->internal.suberror, KVM_INTERNAL_ERROR_EMULATION);
		/* A client may put the guest right and go on. */
		set_rip(v, G_CODE);
		run_to_hlt(v);
		EXPECT_EQ(v->regs.rax & 0xff, 0x42);
	}
}

/*
 * States that VMRUN refuses (APM vol. 2 15.5.1).  Where KVM_SET_SREGS lets one
 * through, KVM_RUN must end with FAIL_ENTRY and the hardware's reason, or run
 * the guest right; where it refuses, the old state must still stand.
 */
static void cr0_nw_alone(struct kvm_sregs *s)
{
	s->cr0 = (s->cr0 | CR0_NW) & ~CR0_CD;
}

static void cs_l_and_d(struct kvm_sregs *s)
{
	s->cs.l = s->cs.db = 1;
}

static void fail_entry(void)
{
	static const struct {
		enum guest_mode m;
		void (*spoil)(struct kvm_sregs *s);
	} t[] = {
		{ MODE_PROT32, cr0_nw_alone }, { MODE_LONG, cs_l_and_d },
	};
	unsigned int i;

	for (i = 0; i < KTAP_COUNT(t); i++) {
		struct vcpu *v = guest_start_all(t[i].m, fine);
		struct kvm_sregs old = v->sregs;

		t[i].spoil(&v->sregs);
		if (ioctl(v->fd, KVM_SET_SREGS, &v->sregs) < 0) {
			EXPECT_EQ(errno, EINVAL);
			get_sregs(v);
			EXPECT_EQ(v->sregs.cr0, old.cr0);
			EXPECT_EQ(v->sregs.cs.db, old.cs.db);
			ktap_diag("state %u: refused by KVM_SET_SREGS", i);
		} else {
			ASSERT_EQ(vcpu_run(v), 0);
			if (v->run->exit_reason != KVM_EXIT_HLT)
				ASSERT_EQ(v->run->exit_reason, KVM_EXIT_FAIL_ENTRY);
			ktap_diag("state %u: exit %s, reason %#llx", i,
				  exit_name(v->run->exit_reason),
				  v->run->fail_entry.hardware_entry_failure_reason);
		}
		/* The vCPU lives. */
		vcpu_set_mode(v, t[i].m);
		run_to_hlt(v);
		EXPECT_EQ(v->regs.rax & 0xff, 0x42);
	}
}

/*
 * An exception whose frame would go to a device: KVM's word for it, and the
 * vCPU can be put right.
 */
static void deliver_to_device(void)
{
	enum guest_mode m;

	for (m = MODE_PROT32; m < NR_MODES; m++) {
		struct vcpu *v = guest_start_all(m, ud2);

		v->regs.rsp = G_HOLE + 0x800;
		set_regs(v);
		run_to(v, KVM_EXIT_INTERNAL_ERROR);
		EXPECT_EQ(v->run->internal.suberror, KVM_INTERNAL_ERROR_DELIVERY_EV);
		/* the event: valid, an exception, its vector */
		EXPECT(v->run->internal.ndata >= 1);
		EXPECT_EQ(v->run->internal.data[0] & 0x800007ff, 0x80000300 | UD);
		v->regs.rsp = G_STACK;
		set_regs(v);
		EXPECT_EQ(run_to_vector(v), UD);
	}
}

/* An endless chain of faults through a good IDT runs until a signal comes. */
GUEST_ALL(faultloop, "1: ud2\njmp 1b\n");

static void endless_faults(void)
{
	enum guest_mode m;

	for (m = 0; m < NR_MODES; m++) {
		struct vcpu *v = guest_start_all(m, faultloop);

		guest_handler(v->vm, m, UD, G_CODE);	/* faults again, stack creeps down */
		if (m == MODE_LONG) {
			v->regs.rsp = G_MEM;
			set_regs(v);
		}
		kick_me_in(100);
		/* Real mode wraps its stack over the code at some time: any exit will do. */
		if (vcpu_run(v) == -EINTR)
			EXPECT_EQ(v->run->exit_reason, KVM_EXIT_INTR);
		else
			ktap_diag("%s: %s", mode_name[m], exit_name(v->run->exit_reason));
		/* Making a VM is interruptible. */
		kick_me_in(0);
	}
}

int main(void)
{
	static const struct ktap_case cases[] = {
		{ "triple_fault", triple_fault }, { "run_after_shutdown", run_after_shutdown },
		{ "fetch_from_mmio", fetch_from_mmio }, { "fail_entry", fail_entry },
		{ "deliver_to_device", deliver_to_device },
		{ "endless_faults", endless_faults },
	};

	vmtest_init();
	return ktap_run(cases, KTAP_COUNT(cases));
}
