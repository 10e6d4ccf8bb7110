// SPDX-License-Identifier: GPL-2.0
/* Exceptions inside the guest: vector, error code, saved RIP and CR2 in each mode. */
#include "vmtest.h"

struct frame {
	uint64_t err, rip, cs, flags;
};

static struct frame frame(struct vcpu *v, bool has_err)
{
	int w = mode_bits(v->mode) / 8, i = 0;
	uint64_t f[4] = { 0 }, at = v->regs.rsp;

	for (i = has_err ? 0 : 1; i < 4; i++, at += w)
		memcpy(&f[i], v->vm->mem + at, w);
	return (struct frame){ f[0], f[1], f[2], f[3] };
}

static bool has_error_code(enum guest_mode m, int vec)
{
	if (m == MODE_REAL)
		return false;
	return vec == DF || (vec >= 10 && vec <= 14) || vec == 17;
}

static struct frame expect_fault(struct vcpu *v, int vec, uint64_t err, uint64_t rip)
{
	int got = run_to_vector(v);
	struct frame f;

	if (got != vec) {
		show_exit(v);
		FAIL("%s: vector %d, want %d", mode_name[v->mode], got, vec);
	}
	f = frame(v, has_error_code(v->mode, vec));
	if (has_error_code(v->mode, vec) && f.err != err)
		KTAP_FAIL_("%s vector %d: error code %#llx, want %#llx", mode_name[v->mode], vec,
			   (unsigned long long)f.err, (unsigned long long)err);
	if (f.rip != rip)
		KTAP_FAIL_("%s vector %d: RIP %#llx, want %#llx", mode_name[v->mode], vec,
			   (unsigned long long)f.rip, (unsigned long long)rip);
	return f;
}

GUEST_ALL(div0, "xor %edx, %edx\nmov $1, %eax\nxor %ecx, %ecx\ndiv %ecx\nhlt\n");
GUEST_ALL(ud, "nop\nud2\nhlt\n");
GUEST_ALL(int3, "nop\nint3\nhlt\n");
GUEST_ALL(intn, "nop\nint $0x50\nhlt\n");

static void each_mode(const struct guest_code prog[3], int vec, int back)
{
	enum guest_mode m;

	for (m = 0; m < NR_MODES; m++) {
		struct vcpu *v = guest_start_all(m, prog);

		expect_fault(v, vec, 0, G_CODE + code_len(guest_for(prog, m)) - back);
	}
}

static void divide(void)
{
	enum guest_mode m;

	/* A fault points at the DIV: two bytes, three with a size prefix. */
	for (m = 0; m < NR_MODES; m++) {
		struct vcpu *v = guest_start_all(m, div0);

		expect_fault(v, DE, 0, G_CODE + code_len(guest_for(div0, m)) - 1 -
			     (mode_bits(m) == 16 ? 3 : 2));
	}
}

static void undefined(void)	{ each_mode(ud, UD, 3); }
static void breakpoint(void)	{ each_mode(int3, BP, 1); }
static void software_int(void)	{ each_mode(intn, 0x50, 1); }

/* #GP with a selector as its error code, and with 0. */
GUEST_ALL(badsel, "mov $0x1f8, %eax\nmov %eax, %ds\nhlt\n");
GUEST(badcr, 16, "mov $0x80000000, %eax\nmov %eax, %cr0\nhlt\n");

static void protection(void)
{
	enum guest_mode m;

	for (m = MODE_PROT16; m < NR_MODES; m++) {
		struct vcpu *v = guest_start_all(m, badsel);

		/* 0x1f8 lies beyond the GDT's limit. */
		expect_fault(v, GP, 0x1f8, G_CODE + code_len(guest_for(badsel, m)) -
			     (v->vm->mem[G_CODE + code_len(guest_for(badsel, m)) - 4] == 0x66 ?
			      4 : 3));
	}
	/* PG without PE: #GP(0). */
	expect_fault(guest_start(MODE_REAL, badcr), GP, 0, G_CODE + code_len(badcr) - 4);
}

/* Page faults: P, W, U, I bits of the error code, and CR2 (SDM vol. 3 4.7). */
GUEST_ALL(pf_read, "mov (%ebx), %eax\nhlt\n");
GUEST_ALL(pf_write, "mov %eax, (%ebx)\nhlt\n");
GUEST_ALL(pf_rmw, "incl (%ebx)\nhlt\n");

static void set_pte(struct vcpu *v, uint32_t page, uint64_t val)
{
	if (v->mode == MODE_PG32)
		g32(v->vm, G_PT32 + page * 4) = val;
	else
		g64(v->vm, G_PT + page * 8) = val;
}

static void page_fault(void)
{
	static const struct {
		const struct guest_code *prog;
		uint64_t pte;
		uint32_t err;
	} t[] = {
		{ pf_read, 0, 0 }, { pf_write, 0, 2 }, { pf_rmw, 0, 2 },
		{ pf_write, 0x50005, 3 }, { pf_rmw, 0x50005, 3 },
	};
	enum guest_mode m;
	unsigned int i, err;
	bool tcg;

	for (m = MODE_PG32; m < NR_MODES; m++)
		for (i = 0; i < KTAP_COUNT(t); i++) {
			struct vcpu *v = guest_start_all(m, t[i].prog);

			v->regs.rbx = 0x50123;
			set_regs(v);
			set_pte(v, 0x50, t[i].pte);
			/* TCG reads before it writes, so the code tells of a read. */
			err = t[i].err;
			tcg = guest_on_tcg() || (guest_partly_on_tcg() && m != MODE_LONG);
			if (tcg && t[i].prog == pf_rmw && !t[i].pte)
				err = 0;
			expect_fault(v, PF, err, G_CODE);
			get_sregs(v);
			EXPECT_EQ(v->sregs.cr2, 0x50123);
		}
}

/* A fault with the page given by the handler: the access is done once again. */
GUEST(pf_fix64, 64, "movq $0x50007, 0x16000 + 0x50 * 8\nadd $8, %rsp\ninc %ecx\niretq\n");
GUEST(pf_fix32, 32, "movl $0x50007, 0x16000 + 0x50 * 8\nadd $4, %esp\ninc %ecx\niret\n");

static void page_fault_repaired(void)
{
	enum guest_mode m;

	for (m = MODE_PAE; m < NR_MODES; m++) {
		struct vcpu *v = guest_start_all(m, pf_rmw);

		guest_load(v->vm, G_DATA, m == MODE_LONG ? pf_fix64 : pf_fix32);
		guest_handler(v->vm, m, PF, G_DATA);
		set_pte(v, 0x50, 0);
		g32(v->vm, 0x50010) = 41;
		v->regs.rbx = 0x50010;
		set_regs(v);
		run_to_hlt(v);
		EXPECT_EQ(g32(v->vm, 0x50010), 42);
		EXPECT_EQ(v->regs.rcx, 1);
	}
}

/* NX: an instruction fetch sets bit 4 of the code. */
static void no_execute(void)
{
	struct vcpu *v = guest_start_all(MODE_LONG, ud);

	v->sregs.efer |= EFER_NX;
	set_sregs(v);
	set_pte(v, 0x50, 0x50007 | BIT(63));
	v->regs.rip = 0x50000;
	set_regs(v);
	expect_fault(v, PF, 0x11, 0x50000);
	/* Without NXE the bit is reserved: code 9 (P and RSVD). */
	v = guest_start_all(MODE_LONG, pf_read);
	set_pte(v, 0x50, 0x50007 | BIT(63));
	v->regs.rbx = 0x50000;
	set_regs(v);
	expect_fault(v, PF, guest_on_tcg() && !dev_is_shadow() ? 8 : 9, G_CODE);
}

/* #DF when #GP cannot be delivered; a fault inside that is a shutdown. */
/*
 * Touches IDT, GDT, stack and handlers first: a nested page fault in mid-delivery
 * makes the host re-inject, and TCG forgets there that an exception came before.
 */
GUEST(pf_warm, 64, "mov 0x3000, %eax\nmov 0x1000, %eax\nmov 0x7000, %eax\npush %rax\n"
      "pop %rax\nmov (%rbx), %eax\nhlt\n");

static void double_fault(void)
{
	/* It forgets the same of an exception that is injected, as shadow paging does
	 * with the guest's own page faults. */
	bool forgets = guest_on_tcg() && dev_is_shadow();
	struct vcpu *v = guest_start_all(MODE_LONG, ud);

	/*
	 * Gate of #UD not present: #NP while delivering makes no #DF, it is benign.
	 * IDT and EXT in its code (SDM vol. 3 6.13); TCG doubles the number instead.
	 */
	g8(v->vm, G_IDT64 + UD * 16 + 5) = 0x0e;
	expect_fault(v, NP, guest_on_tcg() ? UD * 16 + 2 : UD * 8 + 3, G_CODE + 1);

	v = guest_start(MODE_LONG, pf_warm);
	g8(v->vm, G_IDT64 + PF * 16 + 5) = 0x0e;
	set_pte(v, 0x50, 0);
	v->regs.rbx = 0x50000;
	set_regs(v);
	if (forgets) {
		expect_fault(v, NP, PF * 16 + 2, G_CODE + code_len(pf_warm) - 3);
		return;
	}
	expect_fault(v, DF, 0, G_CODE + code_len(pf_warm) - 3);

	v = guest_start(MODE_LONG, pf_warm);
	g8(v->vm, G_IDT64 + PF * 16 + 5) = 0x0e;
	g8(v->vm, G_IDT64 + DF * 16 + 5) = 0x0e;
	set_pte(v, 0x50, 0);
	v->regs.rbx = 0x50000;
	set_regs(v);
	run_to(v, KVM_EXIT_SHUTDOWN);
}

/* Exceptions that a client injects by VCPU_EVENTS. */
GUEST_ALL(nops, "nop\nhlt\n");

static void injected(void)
{
	enum guest_mode m;

	for (m = 0; m < NR_MODES; m++) {
		struct vcpu *v = guest_start_all(m, nops);
		struct kvm_vcpu_events e;

		ASSERT_OK(ioctl(v->fd, KVM_GET_VCPU_EVENTS, &e));
		e.exception.injected = 1;
		e.exception.nr = GP;
		e.exception.has_error_code = m != MODE_REAL;
		e.exception.error_code = 0x48;
		ASSERT_OK(ioctl(v->fd, KVM_SET_VCPU_EVENTS, &e));
		expect_fault(v, GP, 0x48, G_CODE);
		ASSERT_OK(ioctl(v->fd, KVM_GET_VCPU_EVENTS, &e));
		EXPECT_EQ(e.exception.injected, 0);
	}
}

/* A fault by an access to where no memory is must be the guest's own only. */
GUEST_ALL(hole, "mov (%ebx), %eax\nhlt\n");

static void mmio_past_gp(void)
{
	struct vcpu *v = guest_start_all(MODE_LONG, hole);

	/* Not mapped by the guest: #PF, no MMIO exit. */
	g64(v->vm, G_PD + (G_HOLE >> 21) * 8) = 0;
	v->regs.rbx = G_HOLE;
	set_regs(v);
	expect_fault(v, PF, 0, G_CODE);
}

/* Limits of segments hold, in the CPU and in an emulated access (SDM vol. 3 5.3). */
GUEST_ALL(limit, "movl $5, (%ebx)\nhlt\n");

static void segment_limit(void)
{
	static const enum guest_mode modes[] = { MODE_PROT32, MODE_PG32, MODE_PAE };
	unsigned int i;

	if (guest_on_tcg())
		SKIP("TCG checks no segment limits");
	for (i = 0; i < KTAP_COUNT(modes); i++) {
		struct vcpu *v = guest_start_all(modes[i], limit);

		v->sregs.ds.limit = 0xcfff;
		v->sregs.ds.g = 0;
		set_sregs(v);
		v->regs.rbx = 0xcffd;		/* its last byte is at 0xd000 */
		set_regs(v);
		expect_fault(v, GP, 0, G_CODE);
		v = guest_start_all(modes[i], limit);
		v->sregs.ds.limit = 0xcfff;
		v->sregs.ds.g = 0;
		set_sregs(v);
		v->regs.rbx = 0xcffc;
		set_regs(v);
		run_to_hlt(v);
		EXPECT_EQ(g32(v->vm, 0xcffc), 5);
	}
}

int main(void)
{
	static const struct ktap_case cases[] = {
		{ "divide", divide }, { "undefined", undefined }, { "breakpoint", breakpoint },
		{ "software_int", software_int }, { "protection", protection },
		{ "page_fault", page_fault }, { "page_fault_repaired", page_fault_repaired },
		{ "no_execute", no_execute }, { "double_fault", double_fault },
		{ "injected", injected }, { "unmapped_hole", mmio_past_gp },
		{ "segment_limit", segment_limit },
	};

	vmtest_init();
	return ktap_run(cases, KTAP_COUNT(cases));
}
