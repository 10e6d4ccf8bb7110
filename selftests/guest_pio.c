// SPDX-License-Identifier: GPL-2.0
/* KVM_EXIT_IO: IN and OUT of each size in every mode (KVM API section 5). */
#include "vmtest.h"

/*
 * OUT with the port in DX and as an immediate, 1, 2 and 4 bytes, then IN.  Only
 * AX's named part may change by an IN of 1 or 2 bytes; 4 clear the upper half.
 */
GUEST_ALL(outs, "mov $0x1234, %dx\n"
	  "mov $0x44332211, %eax\n"
	  "out %al, %dx\n"
	  "out %ax, %dx\n"
	  "out %eax, %dx\n"
	  "out %al, $0x80\n"
	  "out %ax, $0x81\n"
	  "out %eax, $0xfc\n"
	  "hlt\n");

static void expect_io(struct vcpu *v, int dir, int port, int size, int count)
{
	run_to(v, KVM_EXIT_IO);
	EXPECT_EQ(v->run->io.direction, dir);
	EXPECT_EQ(v->run->io.port, port);
	EXPECT_EQ(v->run->io.size, size);
	EXPECT_EQ(v->run->io.count, count);
	/* The data lies within the mapping, behind the struct (section 5). */
	EXPECT(v->run->io.data_offset >= sizeof(struct kvm_run));
	ASSERT(v->run->io.data_offset + size * count <= v->run_size);
}

static void out_all(void)
{
	static const struct { int port, size; } want[] = {
		{ 0x1234, 1 }, { 0x1234, 2 }, { 0x1234, 4 },
		{ 0x80, 1 }, { 0x81, 2 }, { 0xfc, 4 },
	};
	enum guest_mode m;
	unsigned int i;

	for (m = 0; m < NR_MODES; m++) {
		struct vcpu *v = guest_start_all(m, outs);

		for (i = 0; i < KTAP_COUNT(want); i++) {
			uint32_t x = 0;

			expect_io(v, KVM_EXIT_IO_OUT, want[i].port, want[i].size, 1);
			memcpy(&x, pio_data(v), want[i].size);
			EXPECT_EQ(x, 0x44332211ull & ((1ull << want[i].size * 8) - 1));
		}
		run_to_hlt(v);
		EXPECT_EQ(v->regs.rax, 0x44332211);
	}
}

GUEST_ALL(ins, "in %dx, %al\n"
	  "in %dx, %ax\n"
	  "in %dx, %eax\n"
	  "in $0x61, %al\n"
	  "in $0x62, %ax\n"
	  "in $0x63, %eax\n"
	  "hlt\n");

static void in_all(void)
{
	static const int size[] = { 1, 2, 4, 1, 2, 4 };
	enum guest_mode m;
	int i;

	for (m = 0; m < NR_MODES; m++) {
		struct vcpu *v = guest_start_all(m, ins);
		uint64_t rax = 0xa1a2a3a4a5a6a7a8;

		v->regs.rax = rax;
		v->regs.rdx = 0xfffc;
		set_regs(v);
		for (i = 0; i < 6; i++) {
			uint32_t x = 0x9c8d7e6f + i * 0x01010101;

			expect_io(v, KVM_EXIT_IO_IN, i < 3 ? 0xfffc : 0x61 + i - 3, size[i], 1);
			memcpy(pio_data(v), &x, size[i]);
			if (size[i] == 4)
				rax = x;
			else if (size[i] == 2)
				rax = (rax & ~0xffffull) | (x & 0xffff);
			else
				rax = (rax & ~0xffull) | (x & 0xff);
			/*
			 * The IN completes as KVM_RUN is entered again: with
			 * immediate_exit set it completes and nothing else runs.
			 */
			v->run->immediate_exit = 1;
			EXPECT_EQ(vcpu_run(v), -EINTR);
			v->run->immediate_exit = 0;
			get_regs(v);
			if (m == MODE_LONG)
				EXPECT_EQ(v->regs.rax, rax);
			else
				EXPECT_EQ((uint32_t)v->regs.rax, (uint32_t)rax);
		}
		run_to_hlt(v);
	}
}

/* Registers written at an exit count: OUT is over, an IN is not yet. */
GUEST_ALL(out_in, "out %al, $0x10\nin $0x11, %al\nhlt\n");

static void registers_between(void)
{
	enum guest_mode m;

	for (m = 0; m < NR_MODES; m++) {
		struct vcpu *v = guest_start_all(m, out_in);

		expect_io(v, KVM_EXIT_IO_OUT, 0x10, 1, 1);
		get_regs(v);
		v->regs.rbx = 0x77;
		set_regs(v);
		expect_io(v, KVM_EXIT_IO_IN, 0x11, 1, 1);
		*pio_data(v) = 0x5a;
		run_to_hlt(v);
		EXPECT_EQ(v->regs.rbx, 0x77);
		EXPECT_EQ(v->regs.rax & 0xff, 0x5a);
		EXPECT_EQ(v->regs.rip, G_CODE + 5);
	}
}

/* Ports at the ends of the I/O space, and a wide access over its end. */
GUEST_ALL(edge, "xor %edx, %edx\n"
	  "out %eax, %dx\n"
	  "dec %dx\n"
	  "out %al, %dx\n"
	  "hlt\n");

static void ends_of_io_space(void)
{
	enum guest_mode m;

	for (m = 0; m < NR_MODES; m++) {
		struct vcpu *v = guest_start_all(m, edge);

		expect_io(v, KVM_EXIT_IO_OUT, 0, 4, 1);
		expect_io(v, KVM_EXIT_IO_OUT, 0xffff, 1, 1);
		run_to_hlt(v);
	}
}

/* Port I/O in a loop: the exits come in order, none lost, none twice. */
GUEST_ALL(loop, "mov $500, %ecx\n"
	  "1: mov %ecx, %eax\n"
	  "out %eax, $0x20\n"
	  "in $0x21, %eax\n"
	  "add %eax, %ebx\n"
	  "dec %ecx\n"
	  "jnz 1b\n"
	  "hlt\n");

static void in_order(void)
{
	enum guest_mode m;
	uint32_t i, sum, x;

	for (m = 0; m < NR_MODES; m++) {
		struct vcpu *v = guest_start_all(m, loop);

		for (i = 500, sum = 0; i; i--) {
			expect_io(v, KVM_EXIT_IO_OUT, 0x20, 4, 1);
			memcpy(&x, pio_data(v), 4);
			ASSERT_EQ(x, i);
			expect_io(v, KVM_EXIT_IO_IN, 0x21, 4, 1);
			x = i * 2654435761u;
			sum += x;
			memcpy(pio_data(v), &x, 4);
		}
		run_to_hlt(v);
		EXPECT_EQ((uint32_t)v->regs.rbx, sum);
	}
}

int main(void)
{
	static const struct ktap_case cases[] = {
		{ "out", out_all }, { "in", in_all }, { "registers_between", registers_between },
		{ "ends_of_io_space", ends_of_io_space }, { "in_order", in_order },
	};

	vmtest_init();
	return ktap_run(cases, KTAP_COUNT(cases));
}
