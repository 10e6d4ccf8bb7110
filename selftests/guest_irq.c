// SPDX-License-Identifier: GPL-2.0
/*
 * External interrupts with the controllers in the client: KVM_INTERRUPT,
 * IRQ_WINDOW_OPEN, if_flag and ready_for_interrupt_injection; the interrupt
 * shadow of STI and MOV SS (KVM API 4.16 and section 5; SDM vol. 3 6.8).
 */
#include "vmtest.h"

#define VEC	0x45

static int interrupt(struct vcpu *v, unsigned int vec)
{
	struct kvm_interrupt i = { .irq = vec };

	return ioctl(v->fd, KVM_INTERRUPT, &i);
}

GUEST_ALL(open_loop, "sti\nnop\n1: out %al, $0x10\njmp 1b\n");
GUEST_ALL(closed, "cli\nout %al, $0x10\nnop\nsti\nnop\nnop\nout %al, $0x11\nhlt\n");

static uint64_t stack_word(struct vcpu *v, int i)
{
	int w = v->mode == MODE_LONG ? 8 : mode_bits(v->mode) / 8;
	uint64_t at = v->regs.rsp + i * w;

	return w == 8 ? g64(v->vm, at) : w == 4 ? g32(v->vm, at) : g16(v->vm, at);
}

static void vector_range(void)
{
	struct vcpu *v = guest_start_all(MODE_PROT32, open_loop);
	int r;

	EXPECT_ERR(interrupt(v, 256), EINVAL);
	EXPECT_ERR(interrupt(v, 0xffffffff), EINVAL);
	EXPECT_ERR(ioctl(v->fd, KVM_INTERRUPT, NULL), EFAULT);
	run_to(v, KVM_EXIT_IO);
	EXPECT_EQ(v->run->if_flag, 1);
	EXPECT_OK(interrupt(v, 255));
	EXPECT_EQ(run_to_vector(v), 255);
	/* With no chip in the kernel KVM lets a second one take the first's place. */
	v = guest_start_all(MODE_PROT32, open_loop);
	EXPECT_OK(interrupt(v, 0x30));
	r = interrupt(v, 0x31);
	EXPECT(!r || errno == EEXIST);
	get_sregs(v);
	EXPECT_EQ(v->sregs.interrupt_bitmap[0], BIT(r ? 0x30 : 0x31));
}

/* Delivered at once when the guest can take it; IRET goes on where it was. */
static void delivered(void)
{
	enum guest_mode m;

	for (m = 0; m < NR_MODES; m++) {
		struct vcpu *v = guest_start_all(m, open_loop);

		run_to(v, KVM_EXIT_IO);
		EXPECT_EQ(v->run->if_flag, 1);
		EXPECT_EQ(v->run->ready_for_interrupt_injection, 1);
		ASSERT_OK(interrupt(v, VEC));
		EXPECT_EQ(run_to_vector(v), VEC);
		EXPECT_EQ(v->run->if_flag, 0);
		/* RIP, CS, RFLAGS on the stack; the OUT is not repeated. */
		EXPECT_EQ(stack_word(v, 0), G_CODE + 4);
		EXPECT_EQ(stack_word(v, 1), m == MODE_REAL ? 0 : SEL_CODE);
		EXPECT_EQ(stack_word(v, 2) & RFLAGS_IF, RFLAGS_IF);
		EXPECT_EQ(v->regs.rflags & RFLAGS_IF, 0);
	}
}

/*
 * With IF clear the client asks for a window; the exit comes once the guest
 * has opened it, and not before the OUT that follows CLI.
 */
static void window(void)
{
	/* CLI 1, OUT 2, NOP 1, STI 1, and its shadow covers the first NOP.  TCG's VMRUN does
	 * not load the shadow after an interrupt of the host's; see sti_covers_one. */
	uint64_t first = G_CODE + (guest_on_tcg() ? 5 : 6);
	enum guest_mode m;

	for (m = 0; m < NR_MODES; m++) {
		struct vcpu *v = guest_start_all(m, closed);

		v->run->request_interrupt_window = 1;
		run_to(v, KVM_EXIT_IO);
		EXPECT_EQ(v->run->io.port, 0x10);
		EXPECT_EQ(v->run->if_flag, 0);
		EXPECT_EQ(v->run->ready_for_interrupt_injection, 0);
		run_to(v, KVM_EXIT_IRQ_WINDOW_OPEN);
		EXPECT_EQ(v->run->if_flag, 1);
		EXPECT_EQ(v->run->ready_for_interrupt_injection, 1);
		get_regs(v);
		EXPECT(v->regs.rip >= first && v->regs.rip <= G_CODE + 7);
		v->run->request_interrupt_window = 0;
		ASSERT_OK(interrupt(v, VEC));
		EXPECT_EQ(run_to_vector(v), VEC);
		EXPECT(stack_word(v, 0) >= first && stack_word(v, 0) <= G_CODE + 7);
	}
}

/* Without the request there is no window exit. */
static void no_window_unasked(void)
{
	enum guest_mode m;

	for (m = 0; m < NR_MODES; m++) {
		struct vcpu *v = guest_start_all(m, closed);

		run_to(v, KVM_EXIT_IO);
		run_to(v, KVM_EXIT_IO);
		EXPECT_EQ(v->run->io.port, 0x11);
		run_to_hlt(v);
	}
}

/* STI's shadow: the window is behind the instruction after it. */
GUEST_ALL(sti_shadow, "cli\nout %al, $0x10\nsti\ninc %ebx\ninc %ecx\nout %al, $0x11\nhlt\n");
/* MOV SS shuts interrupts out over the next instruction as well. */
GUEST_ALL(ss_shadow, "mov %ss, %eax\nsti\nnop\nout %al, $0x10\nmov %eax, %ss\ninc %ebx\n"
	  "inc %ecx\nout %al, $0x11\nhlt\n");

static void sti_shadow_in(enum guest_mode m, int again)
{
	struct vcpu *v = guest_start_all(m, sti_shadow);

	v->run->request_interrupt_window = 1;
	run_to(v, KVM_EXIT_IO);
	run_to(v, KVM_EXIT_IRQ_WINDOW_OPEN);
	v->run->request_interrupt_window = 0;
	ASSERT_OK(interrupt(v, VEC));
	EXPECT_EQ(run_to_vector(v), VEC);
	/* TCG's VMRUN does not load the shadow: an interrupt of the host's right after
	 * STI ends it.  That does not come time after time. */
	if (!v->regs.rbx && again && guest_on_tcg()) {
		sti_shadow_in(m, again - 1);
		return;
	}
	EXPECT_EQ(v->regs.rbx, 1);
	EXPECT_EQ(v->regs.rcx, 0);
}

static void sti_covers_one(void)
{
	enum guest_mode m;

	for (m = 0; m < NR_MODES; m++)
		sti_shadow_in(m, 5);
}

/* A shadow that the client restores holds the window back by one instruction. */
static void shadow_in_events(void)
{
	struct vcpu *v = guest_start_all(MODE_LONG, closed);
	struct kvm_vcpu_events e;

	run_to(v, KVM_EXIT_IO);
	ASSERT_OK(ioctl(v->fd, KVM_GET_VCPU_EVENTS, &e));
	EXPECT_EQ(e.interrupt.shadow, 0);
	get_regs(v);
	v->regs.rip = G_CODE + 5;			/* the first NOP after STI */
	v->regs.rflags |= RFLAGS_IF;
	set_regs(v);
	e.interrupt.shadow = KVM_X86_SHADOW_INT_STI;
	e.flags = KVM_VCPUEVENT_VALID_SHADOW;
	ASSERT_OK(ioctl(v->fd, KVM_SET_VCPU_EVENTS, &e));
	v->run->request_interrupt_window = 1;
	run_to(v, KVM_EXIT_IRQ_WINDOW_OPEN);
	get_regs(v);
	/* TCG's VMRUN does not load the shadow. */
	if (v->regs.rip != G_CODE + 5 || !guest_on_tcg())
		EXPECT_EQ(v->regs.rip, G_CODE + 6);
}

static void mov_ss(void)
{
	enum guest_mode m;

	for (m = 0; m < NR_MODES; m++) {
		struct vcpu *v = guest_start_all(m, ss_shadow);

		run_to(v, KVM_EXIT_IO);
		ASSERT_OK(interrupt(v, VEC));
		EXPECT_EQ(run_to_vector(v), VEC);
		EXPECT_EQ(v->regs.rbx, 0);	/* taken before MOV SS, IF was open */
	}
}

/* HLT with IF set: the interrupt wakes it; the frame points behind the HLT. */
GUEST_ALL(sleeper, "sti\nhlt\nmov $0x77, %bl\nout %al, $0x10\n");
GUEST(iret16, 16, "inc %cx\niret\n");
GUEST(iret32, 32, "inc %ecx\niret\n");
GUEST(iret64, 64, "inc %ecx\niretq\n");

static void wakes_hlt(void)
{
	enum guest_mode m;

	for (m = 0; m < NR_MODES; m++) {
		struct vcpu *v = guest_start_all(m, sleeper);

		guest_load(v->vm, G_DATA, mode_bits(m) == 16 ? iret16 :
			   mode_bits(m) == 32 ? iret32 : iret64);
		guest_handler(v->vm, m, VEC, G_DATA);
		run_to_hlt(v);
		EXPECT_EQ(v->run->if_flag, 1);
		EXPECT_EQ(v->run->ready_for_interrupt_injection, 1);
		EXPECT_EQ(v->regs.rbx, 0);
		ASSERT_OK(interrupt(v, VEC));
		run_to(v, KVM_EXIT_IO);
		get_regs(v);
		EXPECT_EQ(v->regs.rcx, 1);
		EXPECT_EQ(v->regs.rbx & 0xff, 0x77);
		EXPECT_EQ(v->regs.rsp, G_STACK);
		EXPECT_EQ(v->regs.rflags & RFLAGS_IF, RFLAGS_IF);
	}
}

/* Many in a row, one per window: each exactly once. */
GUEST_ALL(count_loop, "sti\nnop\n1: inc %edx\ncmp $200, %ecx\njb 1b\nhlt\n");

static void two_hundred(void)
{
	enum guest_mode m;

	for (m = 0; m < NR_MODES; m++) {
		struct vcpu *v = guest_start_all(m, count_loop);
		int n = 0;

		guest_load(v->vm, G_DATA, mode_bits(m) == 16 ? iret16 :
			   mode_bits(m) == 32 ? iret32 : iret64);
		guest_handler(v->vm, m, VEC, G_DATA);
		v->run->request_interrupt_window = 1;
		for (;;) {
			ASSERT_EQ(vcpu_run(v), 0);
			if (v->run->exit_reason == KVM_EXIT_HLT)
				break;
			ASSERT_EQ(v->run->exit_reason, KVM_EXIT_IRQ_WINDOW_OPEN);
			ASSERT_OK(interrupt(v, VEC));
			n++;
			v->run->request_interrupt_window = n < 200;
			ASSERT(n <= 200);
		}
		get_regs(v);
		EXPECT_EQ(n, 200);
		EXPECT_EQ(v->regs.rcx, 200);
	}
}

/* However long the handler takes and whatever the host does meanwhile. */
GUEST(slow16, 16, "inc %cx\nmov %bp, %si\n1: dec %si\njnz 1b\niret\n");
GUEST(slow32, 32, "inc %ecx\nmov %ebp, %esi\n1: dec %esi\njnz 1b\niret\n");
GUEST(slow64, 64, "inc %ecx\nmov %ebp, %esi\n1: dec %esi\njnz 1b\niretq\n");
GUEST_ALL(outs, "sti\nnop\n1: out %al, $0x10\njmp 1b\n");

static void once_each(void)
{
	enum guest_mode m;
	int i;

	for (m = 0; m < NR_MODES; m++) {
		struct vcpu *v = guest_start_all(m, outs);

		guest_load(v->vm, G_DATA, mode_bits(m) == 16 ? slow16 :
			   mode_bits(m) == 32 ? slow32 : slow64);
		guest_handler(v->vm, m, VEC, G_DATA);
		/* some ms on a CPU, emulated or not */
		v->regs.rbp = dev_is_interp() ? 1000 : mode_bits(m) == 16 ? 0xffff : 500000;
		set_regs(v);
		run_to(v, KVM_EXIT_IO);
		for (i = 1; i <= 100; i++) {
			ASSERT_OK(interrupt(v, VEC));
			run_to(v, KVM_EXIT_IO);
			get_regs(v);
			ASSERT_EQ(v->regs.rcx, i);
		}
	}
}

/* An exception on the way into the handler: the interrupt is not lost. */
GUEST(fixpf, 64, "push %rax\nmov $0x16000 + 0x40 * 8, %eax\nmovq $0x40007, (%rax)\npop %rax\n"
      "add $8, %rsp\nincl %ebx\niretq\n");

static void fault_while_delivering(void)
{
	struct vcpu *v = guest_start_all(MODE_LONG, open_loop);

	/* The interrupt's stack page is missing; #PF runs on another by IST 1. */
	g64(v->vm, G_TSS + MODE_LONG * 0x80 + 0x24) = G_STACK - 0x800;
	guest_load(v->vm, G_DATA, fixpf);
	guest_handler(v->vm, MODE_LONG, PF, G_DATA);
	g8(v->vm, G_IDT64 + PF * 16 + 4) = 1;
	g64(v->vm, G_PT + 0x40 * 8) = 0;
	v->regs.rsp = 0x41000;
	set_regs(v);
	run_to(v, KVM_EXIT_IO);
	ASSERT_OK(interrupt(v, VEC));
	/*
	 * #PF comes while delivering; the CPU drops the interrupt and it is the
	 * handler's IRET that returns to the loop (APM vol. 2 8.1): the event is
	 * re-injected only where the exit was the host's, as here for the host's
	 * own page tables.
	 */
	ASSERT_EQ(vcpu_run(v), 0);
	get_regs(v);
	EXPECT(v->run->exit_reason == KVM_EXIT_IO || v->run->exit_reason == KVM_EXIT_HLT);
	EXPECT_EQ((uint32_t)v->regs.rbx, 1);
}

/* Host page tables missing under IDT and stack: the delivery is resumed. */
static void resumed_after_host_fault(void)
{
	enum guest_mode m;

	for (m = 0; m < NR_MODES; m++) {
		struct vcpu *v = guest_start_all(m, open_loop);
		struct vm *vm = v->vm;
		uint8_t *copy = malloc(0x8000);

		run_to(v, KVM_EXIT_IO);
		ASSERT(copy);
		memcpy(copy, vm->mem, 0x8000);
		/* The pages go and come back: the module must look them up again. */
		ASSERT_OK(madvise(vm->mem, 0x8000, MADV_DONTNEED));
		memcpy(vm->mem, copy, 0x8000);
		free(copy);
		ASSERT_OK(interrupt(v, VEC));
		EXPECT_EQ(run_to_vector(v), VEC);
		EXPECT_EQ(stack_word(v, 0), G_CODE + 4);
	}
}

int main(void)
{
	static const struct ktap_case cases[] = {
		{ "vector_range", vector_range }, { "delivered", delivered },
		{ "window", window }, { "no_window_unasked", no_window_unasked },
		{ "sti_covers_one", sti_covers_one },
		{ "shadow_in_events", shadow_in_events }, { "mov_ss", mov_ss },
		{ "wakes_hlt", wakes_hlt }, { "two_hundred", two_hundred },
		{ "once_each", once_each },
		{ "fault_while_delivering", fault_while_delivering },
		{ "resumed_after_host_fault", resumed_after_host_fault },
	};

	vmtest_init();
	return ktap_run(cases, KTAP_COUNT(cases));
}
