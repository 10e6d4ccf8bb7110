// SPDX-License-Identifier: GPL-2.0
/* INS and OUTS: REP, sizes, direction, page edges (KVM API section 5, io.count). */
#include "vmtest.h"

/*
 * A client may get a REP in any number of exits, each of 1 <= count <= what is
 * left: the contents and the order are fixed, the cutting is not.  DX holds the
 * port, CX the count; SI and DI point to the data.
 */
GUEST_ALL(outsb, "rep outsb\nhlt\n");
GUEST_ALL(outsw, "rep outsw\nhlt\n");
GUEST_ALL(outsl, "rep outsl\nhlt\n");
GUEST_ALL(insb, "rep insb\nhlt\n");
GUEST_ALL(insw, "rep insw\nhlt\n");
GUEST_ALL(insl, "rep insl\nhlt\n");
GUEST_ALL(outsb1, "outsb\nhlt\n");
GUEST_ALL(insl1, "insl\nhlt\n");

#define PORT	0x3e8

static const struct guest_code *const outs[3] = { outsb, outsw, outsl };
static const struct guest_code *const ins[3] = { insb, insw, insl };

static void start(struct vcpu *v, uint64_t at, unsigned int count, bool down)
{
	v->regs.rsi = v->regs.rdi = at;
	v->regs.rcx = count;
	v->regs.rdx = PORT;
	v->regs.rflags = RFLAGS_1 | (down ? RFLAGS_DF : 0);
	set_regs(v);
}

static void check_exit(struct vcpu *v, int dir, int size, unsigned int left)
{
	run_to(v, KVM_EXIT_IO);
	ASSERT_EQ(v->run->io.direction, dir);
	ASSERT_EQ(v->run->io.port, PORT);
	ASSERT_EQ(v->run->io.size, size);
	if (v->run->io.count < 1 || v->run->io.count > left)
		FAIL("%s, size %d: count %u, %u are left", mode_name[v->mode], size,
		     v->run->io.count, left);
	ASSERT(v->run->io.data_offset + (uint64_t)size * v->run->io.count <= v->run_size);
}

static void check_end(struct vcpu *v, uint64_t reg, uint64_t want)
{
	uint64_t mask = mode_bits(v->mode) == 16 ? 0xffff : -1ull;

	EXPECT_EQ(v->regs.rcx & mask, 0);
	EXPECT_EQ(reg & mask, want & mask);
	/* REP, the opcode and HLT are a byte each, an operand size prefix one more. */
	EXPECT_EQ(v->regs.rip, G_CODE + 3 + (g8(v->vm, G_CODE + 2) != 0xf4));
}

static void do_outs(enum guest_mode m, int sz, uint64_t at, unsigned int n, bool down)
{
	struct vcpu *v = guest_start_all(m, outs[sz]);
	int size = 1 << sz;
	unsigned int done = 0, exits = 0, i;

	start(v, at, n, down);
	for (i = 0; i < n * size + 8; i++)
		g8(v->vm, (down ? at - (n - 1) * size : at) + i) = i * 7 + 3;
	while (done < n) {
		check_exit(v, KVM_EXIT_IO_OUT, size, n - done);
		for (i = 0; i < v->run->io.count; i++, done++) {
			uint64_t src = down ? at - (uint64_t)done * size :
					      at + (uint64_t)done * size;

			if (memcmp(pio_data(v) + i * size, v->vm->mem + src, size))
				FAIL("%s outs%d: item %u differs", mode_name[m], size, done);
		}
		exits++;
	}
	run_to_hlt(v);
	check_end(v, v->regs.rsi, at + (down ? -1ll : 1ll) * n * size);
	if (n > 100 && !down)
		ktap_diag("%s outs%d: %u items in %u exits", mode_name[m], size, n, exits);
}

static void do_ins(enum guest_mode m, int sz, uint64_t at, unsigned int n, bool down)
{
	struct vcpu *v = guest_start_all(m, ins[sz]);
	int size = 1 << sz;
	unsigned int done = 0, i, k;
	uint64_t low = down ? at - (uint64_t)(n - 1) * size : at;

	start(v, at, n, down);
	memset(v->vm->mem + low - 8, 0xee, n * size + 16);
	while (done < n) {
		check_exit(v, KVM_EXIT_IO_IN, size, n - done);
		for (i = 0; i < v->run->io.count; i++, done++)
			for (k = 0; k < (unsigned int)size; k++)
				pio_data(v)[i * size + k] = done * 5 + k * 64 + 1;
	}
	run_to_hlt(v);
	check_end(v, v->regs.rdi, at + (down ? -1ll : 1ll) * n * size);
	for (done = 0; done < n; done++) {
		uint64_t dst = down ? at - (uint64_t)done * size : at + (uint64_t)done * size;

		for (k = 0; k < (unsigned int)size; k++)
			if (v->vm->mem[dst + k] != (uint8_t)(done * 5 + k * 64 + 1))
				FAIL("%s ins%d: item %u byte %u is %#x", mode_name[m], size, done,
				     k, v->vm->mem[dst + k]);
	}
	/* Nothing beside it was touched. */
	for (k = 1; k <= 8; k++)
		EXPECT_EQ(v->vm->mem[low - k], 0xee);
	EXPECT_EQ(v->vm->mem[low + n * size], 0xee);
}

static void each(void (*f)(enum guest_mode, int, uint64_t, unsigned int, bool), uint64_t at,
		 unsigned int n, bool down)
{
	enum guest_mode m;
	int sz;

	for (m = 0; m < NR_MODES; m++)
		for (sz = 0; sz < 3; sz++) {
			f(m, sz, at, n, down);
			vm_free_all();
		}
}

static void outs_up(void)	{ each(do_outs, G_DATA, 33, false); }
static void outs_down(void)	{ each(do_outs, G_DATA + 0x200, 33, true); }
static void ins_up(void)	{ each(do_ins, G_DATA + 0x10, 33, false); }
static void ins_down(void)	{ each(do_ins, G_DATA + 0x200, 33, true); }
/* Runs over a page's edge, with an item astride where the size allows. */
static void outs_over_pages(void) { each(do_outs, G_DATA + 0xff1, 1300, false); }
static void ins_over_pages(void) { each(do_ins, G_DATA + 0xff1, 1300, false); }
static void outs_over_pages_down(void) { each(do_outs, G_DATA + 0x1003, 40, true); }
static void ins_over_pages_down(void) { each(do_ins, G_DATA + 0x1003, 40, true); }

/* CX = 0: no exit, nothing moves. */
static void count_zero(void)
{
	enum guest_mode m;

	for (m = 0; m < NR_MODES; m++) {
		struct vcpu *v = guest_start_all(m, outsb);

		start(v, G_DATA, 0, false);
		run_to_hlt(v);
		EXPECT_EQ(v->regs.rsi, G_DATA);
		v = guest_start_all(m, insb);
		start(v, G_DATA, 0, false);
		run_to_hlt(v);
		EXPECT_EQ(v->regs.rdi, G_DATA);
	}
}

/* Without REP, CX does not count. */
static void without_rep(void)
{
	enum guest_mode m;

	for (m = 0; m < NR_MODES; m++) {
		struct vcpu *v = guest_start_all(m, outsb1);

		start(v, G_DATA, 5, false);
		g8(v->vm, G_DATA) = 0x9d;
		check_exit(v, KVM_EXIT_IO_OUT, 1, 1);
		EXPECT_EQ(*pio_data(v), 0x9d);
		run_to_hlt(v);
		EXPECT_EQ(v->regs.rcx, 5);
		EXPECT_EQ(v->regs.rsi, G_DATA + 1);

		v = guest_start_all(m, insl1);
		start(v, G_DATA, 5, false);
		check_exit(v, KVM_EXIT_IO_IN, 4, 1);
		memcpy(pio_data(v), "\x01\x02\x03\x04", 4);
		run_to_hlt(v);
		EXPECT_EQ(g32(v->vm, G_DATA), 0x04030201);
		EXPECT_EQ(v->regs.rdi, G_DATA + 4);
	}
}

/* OUTS honours a segment override, INS always writes to ES (SDM vol. 2). */
GUEST(outs_fs, 16, "rep outsb %fs:(%si), %dx\nhlt\n");
GUEST(ins_es, 16, "fs rep insb\nhlt\n");

static void segments(void)
{
	struct vcpu *v = guest_start(MODE_REAL, outs_fs);
	unsigned int done;

	v->sregs.fs.base = 0x10000;
	v->sregs.fs.selector = 0x1000;
	set_sregs(v);
	start(v, 0x100, 3, false);
	memcpy(v->vm->mem + 0x10100, "abc", 3);
	for (done = 0; done < 3; done += v->run->io.count) {
		check_exit(v, KVM_EXIT_IO_OUT, 1, 3 - done);
		EXPECT(!memcmp(pio_data(v), "abc" + done, v->run->io.count));
	}
	run_to_hlt(v);

	v = guest_start(MODE_REAL, ins_es);
	v->sregs.fs.base = 0x10000;
	v->sregs.fs.selector = 0x1000;
	v->sregs.es.base = 0x20000;
	v->sregs.es.selector = 0x2000;
	set_sregs(v);
	start(v, 0x100, 3, false);
	for (done = 0; done < 3; done += v->run->io.count) {
		check_exit(v, KVM_EXIT_IO_IN, 1, 3 - done);
		memcpy(pio_data(v), "xyz" + done, v->run->io.count);
	}
	run_to_hlt(v);
	EXPECT(!memcmp(v->vm->mem + 0x20100, "xyz", 3));
	EXPECT_EQ(g8(v->vm, 0x10100), 0);
}

/* A page missing halfway: the items before it count, then #PF, then it goes on. */
static void page_fault_halfway(void)
{
	enum guest_mode m;

	for (m = MODE_PG32; m < NR_MODES; m++) {
		struct vcpu *v = guest_start_all(m, insb);
		unsigned int done = 0, n = 32;
		uint64_t at = 0x30ff0;

		if (m == MODE_PG32)
			g32(v->vm, G_PT32 + 0x31 * 4) = 0;
		else
			g64(v->vm, G_PT + 0x31 * 8) = 0;
		start(v, at, n, false);
		for (;;) {
			unsigned int i;

			ASSERT_EQ(vcpu_run(v), 0);
			if (v->run->exit_reason == KVM_EXIT_HLT)
				break;
			ASSERT_EQ(v->run->exit_reason, KVM_EXIT_IO);
			for (i = 0; i < v->run->io.count; i++)
				pio_data(v)[i] = 0x80 + done++;
			ASSERT(done <= n);
		}
		get_regs(v);
		get_sregs(v);
		ASSERT_EQ(v->regs.rip, G_TRAPS + PF + 1);
		EXPECT_EQ(v->sregs.cr2, 0x31000);
		EXPECT_EQ(v->regs.rcx, 16);
		EXPECT_EQ(v->regs.rdi, 0x31000);
		EXPECT_EQ(g8(v->vm, 0x30fff), 0x8f);
	}
}

int main(void)
{
	static const struct ktap_case cases[] = {
		{ "outs_up", outs_up }, { "outs_down", outs_down }, { "ins_up", ins_up },
		{ "ins_down", ins_down }, { "outs_over_pages", outs_over_pages },
		{ "ins_over_pages", ins_over_pages },
		{ "outs_over_pages_down", outs_over_pages_down },
		{ "ins_over_pages_down", ins_over_pages_down }, { "count_zero", count_zero },
		{ "without_rep", without_rep }, { "segments", segments },
		{ "page_fault_halfway", page_fault_halfway },
	};

	vmtest_init();
	return ktap_run(cases, KTAP_COUNT(cases));
}
