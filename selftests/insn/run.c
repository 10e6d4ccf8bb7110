// SPDX-License-Identifier: GPL-2.0
/*
 * rvm_insn_run(): where a run of instructions ends, and what is counted.
 */
#include <stdio.h>
#include <stdlib.h>
#include "world.h"

#define CODE	0x1000ull
#define DATA	0x8000ull
#define LEN	0x2000u

static struct world w;
static u8 code[LEN], data[LEN];
static int nr, failed;

#define CHECK(c)	check(c, #c, __LINE__)

static bool all;

static void check(bool ok, const char *what, int line)
{
	if (!ok)
		printf("# line %d: %s\n", line, what);
	all &= ok;
}

static void result(const char *name)
{
	printf("%sok %d %s%s\n", all ? "" : "not ", ++nr, name,
	       w.insn.cache ? "_cached" : "");
	failed |= !all;
	all = true;
}

/* 64-bit code, ring 0, interrupts off */
static void start(const u8 *bytes, u32 n)
{
	struct rvm_cpu *c = &w.cpu;

	memset(c, 0, sizeof(*c));
	memset(code, 0x90, sizeof(code));
	memset(data, 0, sizeof(data));
	memcpy(code, bytes, n);
	c->cr0 = RVM_CR0_PE | RVM_CR0_PG | RVM_CR0_ET;
	c->cr4 = RVM_CR4_PAE;
	c->efer = RVM_EFER_LME | RVM_EFER_LMA;
	c->seg[RVM_CS].attr = RVM_SEG_P | RVM_SEG_S | RVM_SEG_CODE | RVM_SEG_W | RVM_SEG_L;
	c->seg[RVM_SS].attr = RVM_SEG_P | RVM_SEG_S | RVM_SEG_W;
	c->rip = CODE;
	c->rflags = RVM_FL_FIXED;
	c->gpr[RVM_RSP] = DATA + 0x800;
	w.insn.watch = RVM_WATCH_NONE;
}

#define START(...)							\
	do {								\
		static const u8 bytes[] = { __VA_ARGS__ };		\
		start(bytes, sizeof(bytes));				\
	} while (0)

static void ends(void)
{
	u32 done;

	START(0xeb, 0xfe);				/* jmp . */
	CHECK(rvm_insn_run(&w.insn, 1000, &done) == RVM_INSN_OK && done == 1000);
	CHECK(w.cpu.rip == CODE);
	START(0x90, 0xf4);				/* nop; hlt */
	CHECK(rvm_insn_run(&w.insn, 1000, &done) == RVM_INSN_HALT && done == 2);
	CHECK(w.cpu.rip == CODE + 2);
	START(0x90, 0x90, 0x0f, 0x0b);			/* nop; nop; ud2 */
	CHECK(rvm_insn_run(&w.insn, 1000, &done) == RVM_INSN_FAULT && done == 2);
	CHECK(w.insn.fault.vector == RVM_UD && w.cpu.rip == CODE + 2);
	CHECK(w.insn.nr_bytes >= 2 && w.insn.bytes[0] == 0x0f && w.insn.bytes[1] == 0x0b);
	START(0x90, 0xcd, 0x80);			/* nop; int $0x80 */
	CHECK(rvm_insn_run(&w.insn, 1000, &done) == RVM_INSN_FAULT && done == 1);
	CHECK(w.insn.fault.soft && w.insn.fault.vector == 0x80 && w.insn.len == 2);
	result("budget_halt_fault");
}

static void single_step(void)
{
	u32 done;

	START(0x90, 0x90, 0x90);
	w.cpu.rflags |= RVM_FL_TF;
	CHECK(rvm_insn_run(&w.insn, 1000, &done) == RVM_INSN_OK && done == 1);
	START(0x90, 0x9d, 0x90);			/* nop; popf; nop */
	data[0x801] = 1;
	CHECK(rvm_insn_run(&w.insn, 1000, &done) == RVM_INSN_OK && done == 2);
	CHECK(w.cpu.rflags & RVM_FL_TF);
	/* the instruction that clears TF began with it set */
	START(0x9d, 0x90, 0x90);
	w.cpu.rflags |= RVM_FL_TF;
	CHECK(rvm_insn_run(&w.insn, 1000, &done) == RVM_INSN_OK && done == 1);
	CHECK(!(w.cpu.rflags & RVM_FL_TF));
	result("single_step");
}

static void watches(void)
{
	u32 done;

	START(0x90, 0x90, 0x90);
	w.insn.watch = RVM_WATCH_ALL;
	CHECK(rvm_insn_run(&w.insn, 1000, &done) == RVM_INSN_OK && done == 1);
	START(0x90, 0xfb, 0x90, 0x90);			/* nop; sti; nop: shadow covers it */
	w.insn.watch = RVM_WATCH_IRQ;
	CHECK(rvm_insn_run(&w.insn, 1000, &done) == RVM_INSN_OK && done == 3);
	CHECK(!w.cpu.int_shadow);
	START(0x90, 0x9d, 0x90);			/* nop; popf: no shadow */
	data[0x801] = 2;
	w.insn.watch = RVM_WATCH_IRQ;
	CHECK(rvm_insn_run(&w.insn, 1000, &done) == RVM_INSN_OK && done == 2);
	START(0xfb, 0xf4);				/* sti; hlt */
	w.insn.watch = RVM_WATCH_IRQ;
	CHECK(rvm_insn_run(&w.insn, 1000, &done) == RVM_INSN_HALT && done == 2);
	START(0xfb, 0xfa, 0xeb, 0xfe);			/* sti; cli: no gap */
	w.insn.watch = RVM_WATCH_IRQ;
	CHECK(rvm_insn_run(&w.insn, 1000, &done) == RVM_INSN_OK && done == 1000);
	START(0x90, 0x8e, 0xd0, 0x90, 0x90);		/* nop; mov %eax,%ss; nop */
	w.cpu.rflags |= RVM_FL_IF;
	w.cpu.int_shadow = RVM_SHADOW_STI;
	w.insn.watch = RVM_WATCH_IRQ;
	CHECK(rvm_insn_run(&w.insn, 1000, &done) == RVM_INSN_OK && done == 1);
	CHECK(rvm_insn_run(&w.insn, 1000, &done) == RVM_INSN_OK && done == 2);
	result("watch");
}

static void stops(void)
{
	u32 done;

	START(0x90, 0xe6, 0x80, 0x90, 0x90);		/* nop; out %al,$0x80; nop */
	w.stop_at_out = true;
	CHECK(rvm_insn_run(&w.insn, 1000, &done) == RVM_INSN_OK && done == 2);
	CHECK(w.cpu.rip == CODE + 3);
	w.stop_at_out = false;
	result("stop");
}

int main(void)
{
	int i;

	world_init(&w);
	world_region(&w, CODE, LEN, code, true);
	world_region(&w, DATA, LEN, data, true);
	all = true;
	printf("KTAP version 1\n1..8\n");
	for (i = 0; i < 2; i++) {
		world_cache(&w, i);
		ends();
		single_step();
		watches();
		stops();
	}
	return failed;
}
