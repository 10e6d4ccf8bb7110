// SPDX-License-Identifier: GPL-2.0
/* The guest debugs itself: breakpoints, watchpoints, TF; and KVM_SET_GUEST_DEBUG by capability. */
#include <fcntl.h>

#include "vmtest.h"

/* DR7: L0 and LE with the fields of breakpoint 0 (SDM vol. 3 17.2.4). */
#define DR7_EXEC0	0x00000701u
#define DR7_WRITE0	0x000d0701u		/* 4 bytes, writes */
#define DR7_IO0		0x00020701u		/* one port; with CR4.DE */
#define DR7_ACCESS0	0x00070701u		/* 2 bytes, reads and writes */

/*
 * The guest arms its registers itself, from RBX and RAX, and its handler
 * disarms them: TCG takes no breakpoints over from DR7 at VMRUN nor drops them
 * at an exit, so that one left behind would strike another guest.
 * MOV to DR0 from RBX, to DR7 from RAX, and from DR6, DR7: one form for all modes.
 */
#define TO_DR0	".byte 0x0f, 0x23, 0xc3\n"
#define TO_DR7	".byte 0x0f, 0x23, 0xf8\n"
#define FROM_DR6_TO_SI ".byte 0x0f, 0x21, 0xf6\n"
#define FROM_DR7_TO_DI ".byte 0x0f, 0x21, 0xff\n"

GUEST_ALL(disarm, FROM_DR6_TO_SI FROM_DR7_TO_DI "mov $0x400, %eax\n" TO_DR7 "hlt\n");
GUEST_ALL(bp, TO_DR0 TO_DR7 "nop\nnop\ninc %edx\nhlt\n");
GUEST_ALL(watch, TO_DR0 TO_DR7 "nop\nmovl $5, (%ebx)\ninc %edx\nhlt\n");

static void arm(struct vcpu *v, uint64_t dr0, uint64_t dr7)
{
	guest_load(v->vm, G_DATA, guest_for(disarm, v->mode));
	guest_handler(v->vm, v->mode, DB, G_DATA);
	v->regs.rip = G_CODE;
	v->regs.rbx = dr0;
	v->regs.rax = dr7;
	set_regs(v);
}

static uint64_t dr6(struct vcpu *v)
{
	struct kvm_debugregs d;

	ASSERT_OK(ioctl(v->fd, KVM_GET_DEBUGREGS, &d));
	return d.dr6;
}

static uint64_t saved_rip(struct vcpu *v)
{
	uint64_t x = 0;

	memcpy(&x, v->vm->mem + v->regs.rsp, mode_bits(v->mode) / 8);
	return x;
}

static void expect_db(struct vcpu *v, uint64_t rip)
{
	struct kvm_debugregs d;

	run_to_hlt(v);
	if (v->regs.rip != G_DATA + code_len(guest_for(disarm, v->mode))) {
		/* KVM lets the guest's MOV to DR7 through, and TCG sees that. */
		if (guest_on_tcg() && !dev_is_kvm() && v->regs.rdx == 1)
			SKIP("TCG arms no breakpoint from the VMCB's DR7");
		show_exit(v);
		FAIL("%s: no #DB", mode_name[v->mode]);
	}
	EXPECT_EQ(saved_rip(v), rip);
	EXPECT_EQ(v->regs.rdx, 0);
	/* DR6 as the handler saw it, and as the client sees it. */
	EXPECT_EQ(v->regs.rsi & 0xf, 1);
	EXPECT_EQ(dr6(v) & 0xf, 1);
	ASSERT_OK(ioctl(v->fd, KVM_GET_DEBUGREGS, &d));
	EXPECT_EQ(d.db[0], v->regs.rbx);
	EXPECT_EQ(d.dr7, 0x400);
}

/* Execution breakpoint: a fault, before the instruction. */
static void breakpoint(void)
{
	enum guest_mode m;

	for (m = 0; m < NR_MODES; m++) {
		struct vcpu *v = guest_start_all(m, bp);

		arm(v, G_CODE + 7, DR7_EXEC0);
		expect_db(v, G_CODE + 7);
		EXPECT_EQ((uint32_t)v->regs.rdi, DR7_EXEC0);
	}
}

/* Data watchpoint: a trap, behind the write. */
static void watchpoint(void)
{
	enum guest_mode m;

	for (m = MODE_PROT32; m < NR_MODES; m++) {
		struct vcpu *v = guest_start_all(m, watch);
		size_t len = code_len(guest_for(watch, m));

		arm(v, G_DATA + 0x100, DR7_WRITE0);
		/* INC EDX and HLT are what is left. */
		expect_db(v, G_CODE + len - (m == MODE_LONG ? 3 : 2));
		EXPECT_EQ(g32(v->vm, G_DATA + 0x100), 5);
	}
}

/* Armed, and then the client looks: registers are the guest's, over exits too. */
GUEST_ALL(arm_out, TO_DR0 TO_DR7 "out %al, $0x10\nnop\nnop\ninc %edx\nhlt\n");

static void over_exit(void)
{
	enum guest_mode m;

	for (m = 0; m < NR_MODES; m++) {
		struct vcpu *v = guest_start_all(m, arm_out);
		struct kvm_debugregs d;

		arm(v, G_CODE + 9, DR7_EXEC0);
		run_to(v, KVM_EXIT_IO);
		ASSERT_OK(ioctl(v->fd, KVM_GET_DEBUGREGS, &d));
		EXPECT_EQ(d.db[0], G_CODE + 9);
		EXPECT_EQ(d.dr7, DR7_EXEC0);
		expect_db(v, G_CODE + 9);
	}
}

/* A port as a breakpoint: a trap behind the OUT, which the client has seen. */
static void port_breakpoint(void)
{
	enum guest_mode m;

	for (m = 0; m < NR_MODES; m++) {
		struct vcpu *v = guest_start_all(m, arm_out);

		v->sregs.cr4 |= CR4_DE;
		set_sregs(v);
		arm(v, 0x10, DR7_IO0);
		run_to(v, KVM_EXIT_IO);
		EXPECT_EQ(v->run->io.port, 0x10);
		expect_db(v, G_CODE + 8);
	}
}

/* MOV SS holds its own data breakpoint back by one instruction (SDM vol. 3 6.8.3). */
GUEST(ss_from_memory, 32, TO_DR0 TO_DR7 "mov (%ebx), %ss\nnop\nnop\ninc %edx\nhlt\n");

static void held_by_mov_ss(void)
{
	struct vcpu *v = guest_start(MODE_PROT32, ss_from_memory);

	if (guest_on_tcg())
		SKIP("TCG holds no breakpoint back");
	g16(v->vm, G_DATA + 0x100) = SEL_DATA;
	arm(v, G_DATA + 0x100, DR7_ACCESS0);
	expect_db(v, G_CODE + 9);
}

/* RF in the image that IRET loads: the instruction runs, its breakpoint does not strike. */
GUEST(resume, 32, "orl $0x10000, 8(%esp)\ninc %ecx\niret\n");

static void resume_flag(void)
{
	struct vcpu *v = guest_start_all(MODE_PROT32, bp);
	struct kvm_regs r;

	arm(v, G_CODE + 7, DR7_EXEC0);
	guest_load(v->vm, G_DATA, resume);
	run_to_hlt(v);
	r = v->regs;
	guest_load(v->vm, G_DATA, guest_for(disarm, MODE_PROT32));
	v->regs.rip = G_DATA;
	set_regs(v);
	run_to_hlt(v);
	if (guest_on_tcg() && !r.rcx)
		SKIP("TCG arms no breakpoint from the VMCB's DR7");
	EXPECT_EQ(r.rcx, 1);
	EXPECT_EQ(r.rdx, 1);
	EXPECT_EQ(r.rip, G_CODE + code_len(guest_for(bp, MODE_PROT32)));
}

/* TF: #DB behind each instruction, DR6.BS (SDM vol. 3 17.3.2). */
GUEST_ALL(steps, "nop\ninc %ebx\nnop\nnop\nhlt\n");

static void single_step(void)
{
	enum guest_mode m;

	for (m = 0; m < NR_MODES; m++) {
		struct vcpu *v = guest_start_all(m, steps);

		v->regs.rflags |= RFLAGS_TF;
		set_regs(v);
		EXPECT_EQ(run_to_vector(v), DB);
		EXPECT_EQ(saved_rip(v), G_CODE + 1);
		EXPECT_EQ(dr6(v) & BIT(14), BIT(14));
		EXPECT_EQ(v->regs.rflags & RFLAGS_TF, 0);
	}
}

/* TF over instructions that the host does: the trap comes behind each just so. */
GUEST(steps_out, 32, "out %al, $0x10\nnop\nhlt\n");
GUEST(steps_cpuid, 32, "cpuid\nnop\nhlt\n");
GUEST(steps_mmio, 32, "mov %eax, (%ebx)\nnop\nhlt\n");

static void step_over_exits(void)
{
	static const struct { struct guest_code code; uint32_t exit; } t[] = {
		{ { guest_steps_out, guest_steps_out_end }, KVM_EXIT_IO },
		{ { guest_steps_cpuid, guest_steps_cpuid_end }, 0 },
		{ { guest_steps_mmio, guest_steps_mmio_end }, KVM_EXIT_MMIO },
	};
	unsigned int i;

	for (i = 0; i < KTAP_COUNT(t); i++) {
		struct vcpu *v = guest_start(MODE_PROT32, t[i].code);

		v->regs.rbx = G_HOLE;
		v->regs.rflags |= RFLAGS_TF;
		set_regs(v);
		if (t[i].exit)
			run_to(v, t[i].exit);
		EXPECT_EQ(run_to_vector(v), DB);
		/* KVM forgets the trap of a write it has emulated, and takes the next. */
		if (dev_is_kvm() && t[i].exit == KVM_EXIT_MMIO && saved_rip(v) == G_CODE + 3)
			continue;
		EXPECT_EQ(saved_rip(v), G_CODE + 2);
	}
}

/* KVM_SET_GUEST_DEBUG (4.87): the client single-steps the guest. */
static void client_steps(void)
{
	struct vcpu *v = guest_start_all(MODE_LONG, steps);
	struct kvm_guest_debug g = { .control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP };
	int r = ioctl(v->fd, KVM_SET_GUEST_DEBUG, &g);

	if (vm_cap(v->vm, KVM_CAP_SET_GUEST_DEBUG) <= 0) {
		EXPECT(r < 0 && errno == ENOTTY);
		SKIP("no KVM_CAP_SET_GUEST_DEBUG");
	}
	ASSERT_OK(r);
	run_to(v, KVM_EXIT_DEBUG);
	EXPECT_EQ(v->run->debug.arch.pc, G_CODE + 1);
	run_to(v, KVM_EXIT_DEBUG);
	EXPECT_EQ(v->run->debug.arch.pc, G_CODE + 3);
	memset(&g, 0, sizeof(g));
	ASSERT_OK(ioctl(v->fd, KVM_SET_GUEST_DEBUG, &g));
	run_to_hlt(v);
	EXPECT_EQ(v->regs.rbx, 1);
	EXPECT_EQ(v->regs.rflags & RFLAGS_TF, 0);
}

/*
 * Long enough that ring1 runs it natively: what breakpoints and single steps the handler
 * met, in which order, is what the interpreter meets.
 */
#define LOG	0x60000u	/* EIP, DR6, ECX of each */
#define TABLE	0x50000u	/* 16 dwords, of which two are watched */

GUEST(walk, 32,
      "1: mov $50, %ecx\n"
      "2: mov %ecx, %eax\n and $15, %eax\n"
      "mov %eax, 0x50000(,%eax,4)\n"		/* DR0, DR1 are somewhere there */
      "add 0x50000(,%eax,4), %esi\n"
      "push %eax\n pop %eax\n"
      "nop\n"					/* DR2, DR3: code */
      "lea 1(%esi), %esi\n"
      "dec %ecx\n jnz 2b\n"
      "mov $0x5a, %al\n out %al, $0x10\n jmp 1b\n");
#define WALK_NOP	(G_CODE + 5 + 5 + 7 + 7 + 2)
GUEST(walk64, 64,
      "1: mov $50, %ecx\n"
      "2: mov %ecx, %eax\n and $15, %eax\n"
      "mov %eax, 0x50000(,%rax,4)\n"
      "add 0x50000(,%rax,4), %esi\n"
      "push %rax\n pop %rax\n"
      "nop\n"
      "lea 1(%rsi), %esi\n"
      "dec %ecx\n jnz 2b\n"
      "mov $0x5a, %al\n out %al, $0x10\n jmp 1b\n");
/* In ring 3 the OUT is #GP, whose handler does another. */
GUEST_ALL(out, "out %al, $0x10\nhlt\n");
/* #DB: into the log, DR6 cleared, RF set, on. */
GUEST(note_db, 32,
      "push %eax\n push %ebx\n"
      "mov 0x5fff0, %ebx\n"
      "mov 8(%esp), %eax\n mov %eax, (%ebx)\n"
      "mov %dr6, %eax\n mov %eax, 4(%ebx)\n"
      "mov %ecx, 8(%ebx)\n"
      "add $12, %ebx\n mov %ebx, 0x5fff0\n"
      "mov $0xffff0ff0, %eax\n mov %eax, %dr6\n"
      "orl $0x10000, 16(%esp)\n"
      "pop %ebx\n pop %eax\n iret\n");
GUEST(note_db64, 64,
      "push %rax\n push %rbx\n"
      "mov 0x5fff0, %ebx\n"
      "mov 16(%rsp), %eax\n mov %eax, (%rbx)\n"
      "mov %dr6, %rax\n mov %eax, 4(%rbx)\n"
      "mov %ecx, 8(%rbx)\n"
      "add $12, %ebx\n mov %ebx, 0x5fff0\n"
      "mov $0xffff0ff0, %eax\n mov %rax, %dr6\n"
      "orl $0x10000, 32(%rsp)\n"
      "pop %rbx\n pop %rax\n iretq\n");

/* What one walk met. */
struct walked {
	uint32_t n, *log;		/* dwords */
	uint64_t esi, native;
};

/* Runs the walk on @dev, in ring 3 if @user. */
static struct walked walk_on(const char *dev, enum guest_mode m, bool user, const uint64_t *dr,
			     uint64_t dr7, uint64_t rflags)
{
	bool lm = m == MODE_LONG;
	struct walked w;
	struct kvm_debugregs d = { .dr6 = 0xffff0ff0, .dr7 = dr7 };
	char *was = strdup(dev_path());
	struct vcpu *v;

	setenv("RINGVM_DEV", dev, 1);
	v = guest_start(m, lm ? walk64 : walk);
	setenv("RINGVM_DEV", was, 1);
	free(was);
	guest_load(v->vm, 0x9000, lm ? note_db64 : note_db);
	guest_handler(v->vm, m, DB, 0x9000);
	guest_load(v->vm, 0x9800, guest_for(out, m));
	guest_handler(v->vm, m, GP, 0x9800);
	if (user) {
		vcpu_to_user(v);
		v->regs.rsp = 0x5000;
	}
	g32(v->vm, 0x5fff0) = LOG;
	memcpy(d.db, dr, sizeof(d.db));
	ASSERT_OK(ioctl(v->fd, KVM_SET_DEBUGREGS, &d));
	v->regs.rflags = rflags | (user ? RFLAGS_IF : 0);
	v->regs.rsi = 0;
	set_regs(v);
	run_to(v, KVM_EXIT_IO);
	get_regs(v);
	w.esi = v->regs.rsi;
	w.native = dev_is_ring1() ? stat_value(v->fd, "native") : 0;
	w.n = (g32(v->vm, 0x5fff0) - LOG) / 4;
	w.log = malloc(w.n * 4 + 1);
	memcpy(w.log, v->vm->mem + LOG, w.n * 4);
	vm_free_all();
	return w;
}

static bool ring1_is_eager(void)
{
	int fd = open("/sys/module/ringvm/parameters/ring1_eager", O_RDONLY), r;
	char c = 0;

	if (fd < 0)
		return false;
	r = read(fd, &c, 1);
	close(fd);
	return r == 1 && c == 'Y';
}

static void as_interpreted(bool user)
{
	static const struct {
		uint64_t dr[4], dr7, rflags;
	} t[] = {
		/* a write, an access, an instruction's, and one above 4 GiB, never met */
		{ { TABLE + 12, TABLE + 20, WALK_NOP, (1ull << 32) + WALK_NOP },
		  0x0f0d0000 | 0x400 | 0x55, 2 },
		/* two at one place, one of them not enabled */
		{ { TABLE + 12, TABLE + 12, WALK_NOP, WALK_NOP + 1 }, 0x00df0000 | 0x400 | 0x55, 2 },
		{ { TABLE + 8, 0, 0, WALK_NOP }, 0x000f0000 | 0x400 | 0x41, 2 },
		/* single steps, alone and with both */
		{ { 0 }, 0x400, 2 | RFLAGS_TF },
		{ { TABLE + 12, TABLE + 20, WALK_NOP, 0 }, 0x00fd0000 | 0x400 | 0x15, 2 | RFLAGS_TF },
	};
	enum guest_mode m;
	uint32_t i, k;

	if (access("/dev/ringvm-interp", F_OK))
		SKIP("nothing to compare with");
	for (m = MODE_PROT32; m <= MODE_LONG; m++)
		for (i = 0; i < KTAP_COUNT(t); i++) {
			struct walked got, want;

			/* TCG tells of one of two that are met at once */
			if (guest_partly_on_tcg() && t[i].dr[0] == t[i].dr[1] && t[i].dr[0])
				continue;
			/* TCG arms no breakpoint from the VMCB's DR7 */
			if (guest_on_tcg() && t[i].dr7 != 0x400)
				continue;
			got = walk_on(dev_path(), m, user, t[i].dr, t[i].dr7, t[i].rflags);
			want = walk_on("/dev/ringvm-interp", m, user, t[i].dr, t[i].dr7, t[i].rflags);
			EXPECT(got.n > 6);
			if (got.n != want.n || got.esi != want.esi)
				KTAP_FAIL_("%s %u: %u events, want %u; ESI %#llx, want %#llx",
					   mode_name[m], i, got.n / 3, want.n / 3,
					   (unsigned long long)got.esi, (unsigned long long)want.esi);
			for (k = 0; k + 2 < got.n && k + 2 < want.n; k += 3) {
				/* With a single step, the next instruction's breakpoint may be
				 * told of, too, or not (SDM vol. 3 §17.2.3). */
				if (got.log[k + 1] & want.log[k + 1] & BIT(14) &&
				    got.log[k] == WALK_NOP) {
					got.log[k + 1] &= ~4u;
					want.log[k + 1] &= ~4u;
				}
				if (memcmp(got.log + k, want.log + k, 12)) {
					uint32_t *g = got.log + k, *w = want.log + k;

					KTAP_FAIL_("%s %u: event %u at %#x DR6 %#x ECX %u, want %#x %#x %u",
						   mode_name[m], i, k / 3, g[0], g[1], g[2],
						   w[0], w[1], w[2]);
					break;
				}
			}
			/* User code always runs natively, each of its single steps if nothing
			 * is interpreted with what trapped. */
			if (dev_is_ring1() && user && m != MODE_LONG)
				EXPECT(got.native >= (ring1_is_eager() ? got.n / 3 : 1));
			free(got.log);
			free(want.log);
		}
}

static void kernel_as_interpreted(void)	{ as_interpreted(false); }
static void user_as_interpreted(void)	{ as_interpreted(true); }

int main(void)
{
	static const struct ktap_case cases[] = {
		{ "breakpoint", breakpoint }, { "watchpoint", watchpoint },
		{ "over_exit", over_exit }, { "port_breakpoint", port_breakpoint },
		{ "held_by_mov_ss", held_by_mov_ss }, { "resume_flag", resume_flag },
		{ "single_step", single_step }, { "step_over_exits", step_over_exits },
		{ "client_steps", client_steps },
		{ "kernel_as_interpreted", kernel_as_interpreted },
		{ "user_as_interpreted", user_as_interpreted },
	};

	vmtest_init();
	return ktap_run(cases, KTAP_COUNT(cases));
}
