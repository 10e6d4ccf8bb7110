// SPDX-License-Identifier: GPL-2.0
/*
 * Translations and decoded instructions kept between instructions: nothing in the
 * guest may tell that they are.
 *
 *   cached [-n cases] [-s seed]
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "world.h"

#define CODE	0x1000ull
#define ALIAS	0x5000ull	/* the code once more, for data */
#define DATA	0x8000ull
#define LEN	0x3000u

static struct world w;
static u8 code[LEN] __attribute__((__aligned__(0x1000)));
static u8 data[LEN] __attribute__((__aligned__(0x1000)));
static u8 other[LEN] __attribute__((__aligned__(0x1000)));
static u64 seed = 1, cases = 40000;
static bool all = true;
static int nr, failed;

#define CHECK(c)	check(c, #c, __LINE__)

static void check(bool ok, const char *what, int line)
{
	if (!ok)
		printf("# line %d: %s\n", line, what);
	all &= ok;
}

static void result(const char *name)
{
	printf("%sok %d %s\n", all ? "" : "not ", ++nr, name);
	failed |= !all;
	all = true;
}

static void world(struct world *x, bool writable)
{
	void *cache = x->cache;

	world_init(x);
	x->cache = cache;
	world_cache(x, true);
	world_region(x, CODE, LEN, code, true);
	world_region(x, ALIAS, LEN, code, true);
	world_region(x, DATA, LEN, data, writable);
}

/* Flat segments, rings 0, interrupts off */
static void cpu64(struct rvm_cpu *c)
{
	u32 i;

	memset(c, 0, sizeof(*c));
	c->cr0 = RVM_CR0_PE | RVM_CR0_PG | RVM_CR0_ET | RVM_CR0_WP;
	c->cr4 = RVM_CR4_PAE;
	c->efer = RVM_EFER_LME | RVM_EFER_LMA;
	for (i = 0; i < 6; i++) {
		c->seg[i].attr = RVM_SEG_P | RVM_SEG_S | RVM_SEG_W | RVM_SEG_DB | RVM_SEG_G;
		c->seg[i].limit = 0xffffffff;
	}
	c->seg[RVM_CS].attr = RVM_SEG_P | RVM_SEG_S | RVM_SEG_CODE | RVM_SEG_W | RVM_SEG_L;
	c->rip = CODE;
	c->rflags = RVM_FL_FIXED;
	c->gpr[RVM_RSP] = DATA + 0x800;
	c->gpr[RVM_RSI] = DATA;
	c->gpr[RVM_RDI] = ALIAS;
}

static void start(const u8 *bytes, u32 n)
{
	memset(code, 0x90, sizeof(code));
	memset(data, 0, sizeof(data));
	memset(other, 0, sizeof(other));
	memcpy(code, bytes, n);
	world(&w, true);
	cpu64(&w.cpu);
}

#define START(...)							\
	do {								\
		static const u8 bytes[] = { __VA_ARGS__ };		\
		start(bytes, sizeof(bytes));				\
	} while (0)

static int run(u32 n)
{
	u32 done;

	return rvm_insn_run(&w.insn, n, &done);
}

/* ---- random code, which mostly runs over itself ---- */

static void random_seg(struct rvm_seg *s, u64 *r)
{
	s->sel = rnd(r) >> 48;
	s->base = rnd(r) & 3 ? 0 : rnd(r) & 0xfff;
	s->limit = rnd(r) & 3 ? 0xffffffff : rnd(r) & 0xffff;
	s->attr = RVM_SEG_P | RVM_SEG_S | (rnd(r) & 7 ? RVM_SEG_W : rnd(r) & 0x1fff);
}

static void random_cpu(struct rvm_cpu *c, u64 *r)
{
	u32 i, kind = rnd(r) % 5;

	cpu64(c);
	for (i = 0; i < 16; i++)
		c->gpr[i] = rnd(r) & 3 ? (rnd(r) & 1 ? CODE : DATA) + rnd(r) % LEN :
			    rnd(r) >> (rnd(r) & 63);
	c->rip = CODE + rnd(r) % LEN;
	c->rflags = (rnd(r) & 0xcd5) | RVM_FL_FIXED;
	if (!(rnd(r) & 15))
		c->rflags |= rnd(r) & (RVM_FL_TF | RVM_FL_RF | RVM_FL_AC | RVM_FL_IF);
	if (rnd(r) & 1)
		c->cr0 |= RVM_CR0_AM;
	if (kind < 3) {
		for (i = 0; i < 6; i++)
			random_seg(&c->seg[i], r);
		c->seg[RVM_CS].attr = RVM_SEG_P | RVM_SEG_S | RVM_SEG_CODE | RVM_SEG_W |
				      (kind & 1 ? RVM_SEG_DB : 0);
		c->efer = kind == 2 ? c->efer : 0;
		if (kind == 0)
			c->cr0 &= ~(RVM_CR0_PG | RVM_CR0_PE);
	}
	c->cpl = c->cr0 & RVM_CR0_PE ? rnd(r) & 3 : 0;
	w.insn.intel = rnd(r) & 1;
}

/* Bytes of instructions that are common, so that a run gets somewhere. */
static void random_code(u64 *r)
{
	static const u8 ops[] = {
		0x01, 0x03, 0x29, 0x2b, 0x31, 0x39, 0x85, 0x88, 0x89, 0x8a, 0x8b, 0x8d, 0x00, 0x02,
		0x08, 0x20, 0x38, 0x3b, 0x50, 0x53, 0x58, 0x5b, 0x40, 0x48, 0x41, 0x66, 0x67, 0x74,
		0x75, 0x7c, 0xeb, 0xe8, 0xc3, 0x83, 0x80, 0x81, 0xc7, 0xc6, 0xb8, 0x0f, 0xb6, 0xf0,
		0xf3, 0xa4, 0xa5, 0xaa, 0xab, 0xa6, 0xae, 0xac, 0xff, 0xfe, 0xd1, 0xc1, 0xe2, 0x9c,
		0x9d, 0x86, 0x87, 0xfc, 0xfd, 0xb0, 0xb1, 0xc0, 0x6a, 0x68, 0x64, 0x65, 0x2e,
	};
	u32 j;

	for (j = 0; j < LEN; j++) {
		u64 x = rnd(r);

		code[j] = x & 3 ? ops[(x >> 8) % sizeof(ops)] : x >> 40;
		data[j] = rnd(r) >> 40;
	}
}

#define STEPS	24

static struct trace {
	struct rvm_cpu cpu[STEPS];
	struct rvm_fault fault[STEPS];
	int rc[STEPS];
	u8 code[LEN], data[LEN];
} want, got;

static void record(struct trace *t, const struct rvm_cpu *first, u32 budget)
{
	u32 i, done;

	w.cpu = *first;
	memset(t, 0, sizeof(*t));
	for (i = 0; i < STEPS;) {
		int rc;

		if (w.insn.cache) {
			rc = rvm_insn_run(&w.insn, budget < STEPS - i ? budget : STEPS - i, &done);
			i += done + (rc && rc != RVM_INSN_HALT);
		} else {
			rc = rvm_insn_step(&w.insn);
			i++;
		}
		t->cpu[i - 1] = w.cpu;
		t->rc[i - 1] = rc;
		if (rc == RVM_INSN_FAULT)
			t->fault[i - 1] = w.insn.fault;
		/* over what cannot be executed */
		if (rc && rc != RVM_INSN_RETRY && rc != RVM_INSN_HALT)
			w.cpu.rip++;
	}
	memcpy(t->code, code, LEN);
	memcpy(t->data, data, LEN);
}

static u64 executed, faults;

static void print_step(const char *who, const struct trace *t, u32 k)
{
	const struct rvm_cpu *c = &t->cpu[k];
	u32 i;

	printf("#  %s: rip %llx rflags %llx cpl %u shadow %u, fault %u error %x cr2 %llx, registers",
	       who, (unsigned long long)c->rip, (unsigned long long)c->rflags, c->cpl, c->int_shadow,
	       t->fault[k].vector, t->fault[k].error, (unsigned long long)t->fault[k].cr2);
	for (i = 0; i < RVM_NR_GPRS; i++)
		printf(" %llx", (unsigned long long)c->gpr[i]);
	printf("\n");
}

static bool same(u64 n)
{
	static u8 code0[LEN], data0[LEN];
	u64 i, r;
	u32 k;

	for (i = 0; i < n; i++) {
		struct rvm_cpu first;
		u32 budget;

		r = (seed + i) * 0x9e3779b97f4a7c15ull | 1;
		for (k = 0; k < 4; k++)
			rnd(&r);
		if (i % 64 == 0) {
			world(&w, i % 512 != 0);
			random_code(&r);
			memcpy(code0, code, LEN);
			memcpy(data0, data, LEN);
		}
		random_cpu(&first, &r);
		w.insn.watch = rnd(&r) & 7 ? RVM_WATCH_NONE : RVM_WATCH_IRQ;
		memcpy(code, code0, LEN);
		memcpy(data, data0, LEN);
		w.insn.cache = NULL;
		record(&want, &first, 1);
		memcpy(code, code0, LEN);
		memcpy(data, data0, LEN);
		w.insn.cache = w.cache;
		/* one by one all states are there to compare, else the ends of runs */
		budget = rnd(&r) & 1 ? 1 : STEPS;
		record(&got, &first, budget);
		for (k = 0; k < STEPS; k++) {
			executed++;
			faults += want.rc[k] == RVM_INSN_FAULT;
			if (got.cpu[k].cr0 == 0 && budget > 1)
				continue;	/* inside a run */
			if (memcmp(&want.cpu[k], &got.cpu[k], sizeof(want.cpu[k])) ||
			    want.rc[k] != got.rc[k] ||
			    memcmp(&want.fault[k], &got.fault[k], sizeof(want.fault[k])))
				break;
		}
		if (k < STEPS || memcmp(want.code, got.code, LEN) ||
		    memcmp(want.data, got.data, LEN)) {
			printf("# seed %llu case %llu: differs at step %u (budget %u): rc %d, stepped %d\n",
			       (unsigned long long)seed, (unsigned long long)i, k, budget,
			       k < STEPS ? got.rc[k] : 0, k < STEPS ? want.rc[k] : 0);
			if (k < STEPS) {
				print_step("stepped", &want, k);
				print_step("cached", &got, k);
			}
			return false;
		}
	}
	return true;
}

/* ---- code that changes ---- */

static void own_next(void)
{
	/* movb $7,1(%rip); mov $1,%eax: the immediate of the second */
	START(0xc6, 0x05, 0x01, 0x00, 0x00, 0x00, 0x07, 0xb8, 0x01, 0x00, 0x00, 0x00);
	CHECK(run(2) == RVM_INSN_OK && w.cpu.gpr[RVM_RAX] == 7);
	/* and once more, now that both are in the cache */
	code[8] = 1;
	w.cpu.rip = CODE;
	w.cpu.gpr[RVM_RAX] = 0;
	CHECK(run(2) == RVM_INSN_OK && w.cpu.gpr[RVM_RAX] == 7);
	result("writes_its_next_instruction");
}

static void alias(void)
{
	/* movb $9,0x7(%rdi) through the other mapping; mov $1,%eax */
	START(0xc6, 0x47, 0x05, 0x09, 0xb8, 0x01, 0x00, 0x00, 0x00);
	CHECK(run(2) == RVM_INSN_OK && w.cpu.gpr[RVM_RAX] == 9);
	result("writes_through_another_mapping");
}

static void crossing(void)
{
	u32 i;

	/* mov $imm,%rax with its ten bytes across the end of the page, at every place */
	for (i = 1; i < 10; i++) {
		u64 at = CODE + 0x1000 - i, imm = 0x1122334455667788ull;
		u8 *p = &code[0x1000 - i];

		START(0x90);
		p[0] = 0x48;
		p[1] = 0xb8;
		memcpy(p + 2, &imm, 8);
		w.cpu.rip = at;
		CHECK(run(1) == RVM_INSN_OK && w.cpu.gpr[RVM_RAX] == imm);
		p[9]++;
		w.cpu.rip = at;
		CHECK(run(1) == RVM_INSN_OK && w.cpu.gpr[RVM_RAX] == imm + (1ull << 56));
		p[1] = 0xbb;	/* now rBX */
		w.cpu.rip = at;
		CHECK(run(1) == RVM_INSN_OK && w.cpu.gpr[RVM_RBX] == imm + (1ull << 56));
	}
	result("crosses_a_page_and_changes");
}

static u8 *volatile patched;

static void *patch(void *unused)
{
	u32 i;

	for (i = 0; i < 20000; i++) {
		*(volatile u8 *)&code[2] = i & 1 ? 0xc3 : 0xc0;	/* add $1 to %ebx or %eax */
		if (!(i & 63))
			usleep(1);
	}
	*(volatile u8 *)&code[2] = 0xc1;	/* to the end: %ecx */
	patched = code;
	return NULL;
}

static void other_thread(void)
{
	u64 before, n = 0;
	pthread_t t;

	/* 1: add $1,%eax; inc %rdx; jmp 1b, 24 bits of the first changing */
	START(0x90, 0x83, 0xc0, 0x01, 0x48, 0xff, 0xc2, 0xeb, 0xf8);
	patched = NULL;
	if (pthread_create(&t, NULL, patch, NULL)) {
		CHECK(!"a thread");
		return;
	}
	while (!patched && n++ < 100000)
		CHECK(run(300) == RVM_INSN_OK);
	pthread_join(t, NULL);
	before = w.cpu.gpr[RVM_RCX];
	CHECK(run(300) == RVM_INSN_OK);
	CHECK(w.cpu.gpr[RVM_RCX] >= before + 99);
	/* each round was one of the three */
	CHECK(w.cpu.gpr[RVM_RAX] + w.cpu.gpr[RVM_RBX] + w.cpu.gpr[RVM_RCX] - w.cpu.gpr[RVM_RDX] <= 1);
	result("written_by_another_thread");
}

/* ---- translations that change ---- */

static void move_data(struct world *x, u64 val)
{
	x->region[2].mem = val ? other : data;
}

static void flushes(void)
{
	/* mov (%rsi),%eax; mov %rbx,%cr3; mov (%rsi),%ecx */
	START(0x8b, 0x06, 0x0f, 0x22, 0xdb, 0x8b, 0x0e);
	w.hook = move_data;
	data[0] = 1;
	other[0] = 2;
	w.cpu.gpr[RVM_RBX] = 1;
	CHECK(run(3) == RVM_INSN_OK && w.cpu.gpr[RVM_RAX] == 1 && w.cpu.gpr[RVM_RCX] == 2);
	/* the same value again: a write of CR3 is what flushes */
	w.cpu.rip = CODE;
	w.region[2].mem = data;
	rvm_insn_flush(&w.insn);
	CHECK(run(3) == RVM_INSN_OK && w.cpu.gpr[RVM_RAX] == 1 && w.cpu.gpr[RVM_RCX] == 2);
	/* mov (%rsi),%edx; out, which moves the page; invlpg (%rsi); mov (%rsi),%ecx */
	START(0x8b, 0x16, 0xe6, 0x80, 0x0f, 0x01, 0x3e, 0x8b, 0x0e);
	w.hook = move_data;
	data[0] = 1;
	other[0] = 2;
	w.cpu.gpr[RVM_RAX] = 1;
	CHECK(run(4) == RVM_INSN_OK && w.cpu.gpr[RVM_RDX] == 1 && w.cpu.gpr[RVM_RCX] == 2);
	/* changed from outside */
	START(0x8b, 0x06, 0x8b, 0x0e);
	data[0] = 1;
	other[0] = 2;
	CHECK(run(1) == RVM_INSN_OK);
	w.region[2].mem = other;
	w.cpu.cr3 = 0x1000;
	CHECK(run(1) == RVM_INSN_OK && w.cpu.gpr[RVM_RAX] == 1 && w.cpu.gpr[RVM_RCX] == 2);
	result("flushed_by_cr3_invlpg");
}

static void rights(void)
{
	/* mov (%rsi),%eax; mov %eax,(%rsi) */
	START(0x8b, 0x06, 0x89, 0x06);
	w.region[2].super = true;
	CHECK(run(2) == RVM_INSN_OK);
	w.cpu.rip = CODE;
	w.cpu.cpl = 3;
	CHECK(run(1) == RVM_INSN_FAULT && w.insn.fault.vector == RVM_PF &&
	      w.insn.fault.error == (RVM_PF_P | RVM_PF_U));
	w.cpu.cpl = 0;
	CHECK(run(2) == RVM_INSN_OK);
	/* read first, then written */
	START(0x8b, 0x06, 0x89, 0x06);
	w.region[2].writable = false;
	CHECK(run(2) == RVM_INSN_FAULT && w.insn.fault.error == (RVM_PF_P | RVM_PF_W));
	CHECK(w.cpu.rip == CODE + 2);
	/* data breakpoints: no access but through the callbacks */
	START(0x8b, 0x06, 0x89, 0x06);
	CHECK(run(2) == RVM_INSN_OK);
	w.cpu.rip = CODE;
	w.insn.watch_data = true;
	w.region[2].accesses = 0;
	CHECK(run(2) == RVM_INSN_OK && w.region[2].accesses == 2);
	result("rights_and_watches");
}

static void second_page(void)
{
	/* mov %rax,(%rsi); addl $1,(%rsi); push through it: all or nothing */
	static const u8 codes[][4] = {
		{ 0x48, 0x89, 0x06 }, { 0x83, 0x06, 0x01 }, { 0x50 }, { 0x48, 0x8b, 0x06 },
		{ 0x48, 0x87, 0x06 }, { 0xf0, 0xff, 0x06 },
	};
	u32 i, k;

	for (i = 0; i < ARRAY_SIZE(codes); i++) {
		for (k = 1; k < 4; k++) {
			struct rvm_cpu before;
			u64 at = DATA + LEN - k;

			start(codes[i], sizeof(codes[i]));
			/* both pages' translations are there, as far as there is one */
			data[LEN - 1] = 0x55;
			w.cpu.gpr[RVM_RSI] = at;
			w.cpu.gpr[RVM_RSP] = at + 8;
			w.cpu.gpr[RVM_RAX] = ~0ull;
			before = w.cpu;
			CHECK(run(1) == RVM_INSN_FAULT && w.insn.fault.vector == RVM_PF);
			CHECK(w.insn.fault.cr2 == DATA + LEN);
			CHECK(!memcmp(&before, &w.cpu, sizeof(before)) && data[LEN - 1] == 0x55);
			/* inside: the same access across two good pages */
			w.cpu.gpr[RVM_RSI] = at - 0x1000;
			w.cpu.gpr[RVM_RSP] = at - 0x1000 + 8;
			CHECK(run(1) == RVM_INSN_OK);
		}
	}
	result("faults_on_the_second_page");
}

/* ---- by the page ---- */

static void strings(void)
{
	u32 i, bad = 0;

	/* rep movsb to one byte further on, through the other mapping: the first spreads */
	START(0xf3, 0xa4);
	for (i = 0; i < 0x200; i++)
		code[0x800 + i] = i;
	code[0x800] = 0x5a;
	w.cpu.gpr[RVM_RSI] = CODE + 0x800;
	w.cpu.gpr[RVM_RDI] = ALIAS + 0x801;
	w.cpu.gpr[RVM_RCX] = 0x1ff;
	CHECK(run(1) == RVM_INSN_OK && !w.cpu.gpr[RVM_RCX]);
	for (i = 0; i < 0x200; i++)
		bad += code[0x800 + i] != 0x5a;
	CHECK(!bad);
	/* rep movsl across pages, into a fault: as far as it got */
	START(0xf3, 0xa5);
	for (i = 0; i < LEN; i++)
		data[i] = code[i] ^ i;
	w.cpu.gpr[RVM_RSI] = ALIAS + 0x101;
	w.cpu.gpr[RVM_RDI] = DATA + LEN - 0x1402;
	w.cpu.gpr[RVM_RCX] = 0x600;
	while (run(1) == RVM_INSN_RETRY)
		;
	CHECK(w.insn.fault.vector == RVM_PF && w.insn.fault.cr2 == DATA + LEN);
	CHECK(w.cpu.gpr[RVM_RCX] == 0x600 - 0x500 && w.cpu.gpr[RVM_RDI] == DATA + LEN - 2);
	CHECK(!memcmp(data + LEN - 0x1402, code + 0x101, 0x1400) &&
	      data[LEN - 2] == (u8)(code[LEN - 2] ^ (LEN - 2)));
	result("rep_by_the_page");
}

/* Downwards: apart, and over itself */
static void strings_down(void)
{
	static const struct { u32 size, len; u8 code[3]; } op[] = {
		{ 1, 2, { 0xf3, 0xa4 } }, { 2, 3, { 0x66, 0xf3, 0xa5 } },
		{ 4, 2, { 0xf3, 0xa5 } }, { 8, 3, { 0xf3, 0x48, 0xa5 } },
	};
	static u8 want[LEN];
	u32 i, k;

	for (i = 0; i < 8; i++) {
		u32 size = op[i & 3].size, from = 0x2f00, to = i < 4 ? 0x1504 : 0x2f00 - 3 * size;
		u32 n = 0x1400 / size;

		start(op[i & 3].code, op[i & 3].len);
		for (k = 0; k < LEN; k++)
			data[k] = want[k] = k * 7 + (k >> 8);
		for (k = 0; k < n; k++)
			memcpy(want + to - k * size, want + from - k * size, size);
		w.cpu.rflags |= RVM_FL_DF;
		w.cpu.gpr[RVM_RSI] = DATA + from;
		w.cpu.gpr[RVM_RDI] = DATA + to;
		w.cpu.gpr[RVM_RCX] = n;
		w.insn.counts.map = 0;
		while (run(1) == RVM_INSN_RETRY)
			;
		CHECK(!w.cpu.gpr[RVM_RCX] && !memcmp(data, want, LEN));
		CHECK(w.cpu.gpr[RVM_RSI] == DATA + from - n * size &&
		      w.cpu.gpr[RVM_RDI] == DATA + to - n * size);
	}
	result("rep_downwards");
}

/* Source and destination whose translations have the same place in the TLB */
static void strings_meet(void)
{
	u32 i, down;

	for (down = 0; down < 2; down++) {
		START(0xf3, 0xa4);
		world_region(&w, DATA + 0x200000, LEN, other, true);
		for (i = 0; i < LEN; i++)
			data[i] = i ^ i >> 8;
		w.cpu.gpr[RVM_RSI] = DATA + (down ? LEN - 1 : 0);
		w.cpu.gpr[RVM_RDI] = DATA + 0x200000 + (down ? LEN - 1 : 0);
		w.cpu.gpr[RVM_RCX] = LEN;
		w.cpu.rflags |= down ? RVM_FL_DF : 0;
		w.insn.counts.map = 0;
		while (run(1) == RVM_INSN_RETRY)
			;
		CHECK(!w.cpu.gpr[RVM_RCX] && !memcmp(data, other, LEN));
		CHECK(w.insn.counts.map < 64);
	}
	result("rep_where_translations_meet");
}

/* ---- atomicity ---- */

#define ROUNDS	100000

static void *count(void *arg)
{
	struct world *x = arg;
	u32 done;
	u64 n = 0;

	/* the loop below ends with HLT */
	while (n < ROUNDS * 100ull) {
		int rc = rvm_insn_run(&x->insn, 1000, &done);

		n += done;
		if (rc == RVM_INSN_HALT)
			return NULL;
		if (rc && rc != RVM_INSN_RETRY)
			break;
	}
	return arg;
}

static void locked(void)
{
	static const u8 loop[] = {
		0xf0, 0x83, 0x06, 0x01,			/* lock addl $1,(%rsi) */
		0xf0, 0x48, 0x0f, 0xc1, 0x46, 0x10,	/* lock xadd %rax,16(%rsi) */
		0xb8, 0x01, 0x00, 0x00, 0x00,		/* mov $1,%eax */
		0xff, 0xcd,				/* dec %ebp */
		0x75, 0xed,				/* jne */
		0xf4,
	};
	static const u8 loop16[] = {
		/* 1: mov %rax,%rbx; add $1,%rbx; mov %rdx,%rcx; add $1,%rcx;
		 * lock cmpxchg16b 32(%rsi); jne 1b; dec %ebp; jne 1b; hlt */
		0x48, 0x89, 0xc3, 0x48, 0x83, 0xc3, 0x01, 0x48, 0x89, 0xd1, 0x48, 0x83, 0xc1, 0x01,
		0xf0, 0x48, 0x0f, 0xc7, 0x4e, 0x20, 0x75, 0xea,
		0xff, 0xcd, 0x75, 0xe6, 0xf4,
	};
	struct world *x[2];
	pthread_t t[2];
	u64 v[2];
	void *bad;
	u32 i, k;

	for (k = 0; k < 2; k++) {
		memset(data, 0, sizeof(data));
		for (i = 0; i < 2; i++) {
			memcpy(code + i * 0x1000, k ? loop16 : loop, k ? sizeof(loop16) : sizeof(loop));
			x[i] = calloc(1, sizeof(*x[i]));
			world(x[i], true);
			cpu64(&x[i]->cpu);
			x[i]->cpu.rip = CODE + i * 0x1000;
			x[i]->cpu.gpr[RVM_RAX] = !k;
			x[i]->cpu.gpr[RVM_RBP] = ROUNDS;
			CHECK(!pthread_create(&t[i], NULL, count, x[i]));
		}
		for (i = 0; i < 2; i++) {
			pthread_join(t[i], &bad);
			CHECK(!bad);
			free(x[i]->cache);
			free(x[i]);
		}
		if (!k) {
			memcpy(v, data, 8);
			memcpy(v + 1, data + 16, 8);
		} else {
			memcpy(v, data + 32, 16);
		}
		CHECK(v[0] == 2 * ROUNDS && v[1] == 2 * ROUNDS);
	}
	result("locked_in_two_threads");
}

/*
 * Code that goes on for long: cells of eight bytes, each a few instructions that
 * work in registers, branch to other cells of this page or jump to those of any, load,
 * store, or change an immediate in another cell.  Three pages of it do not fit into
 * the cache together.
 */
static void cell(u64 *r, u32 at, u32 data_at)
{
	static const u8 kinds[][8] = {
		{ 0xb8, 0, 0, 0, 0, 0x83, 0xc2, 0 },			/* mov $,%eax; add $,%edx */
		{ 0x01, 0xc3, 0x89, 0xd8, 0x48, 0xff, 0xc1, 0x90 },	/* add; mov; inc; nop */
		{ 0x0f, 0x90, 0xc2, 0x0f, 0x40, 0xc6, 0x29, 0xd1 },	/* setcc; cmov; sub */
		{ 0x70, 0, 0x48, 0x8b, 0x06, 0x48, 0x01, 0xc2 },	/* jcc; mov (%rsi); add */
		{ 0xe9, 0, 0, 0, 0, 0x90, 0x90, 0x90 },			/* jmp */
		{ 0x88, 0x8f, 0, 0, 0, 0, 0x90, 0x90 },			/* mov %cl,x(%rdi) */
		{ 0x48, 0x89, 0x06, 0x48, 0x8d, 0x44, 0x18, 0x05 },	/* mov (%rsi); lea */
	};
	u32 kind = rnd(r) % ARRAY_SIZE(kinds), x = rnd(r) >> 32, to;
	u8 *p = &code[at];

	memcpy(p, kinds[kind], 8);
	switch (kind) {
	case 0:
		memcpy(p + 1, &x, 4);
		p[7] = x >> 3;
		break;
	case 2:
		p[1] |= x & 15;
		p[4] |= x >> 4 & 15;
		break;
	case 3:
		p[0] |= x & 15;
		to = (at & ~0xfffu) + (x >> 4 & 0xff8);
		if (to - at + 0x70 < 0xe0)
			p[1] = to - at - 2;
		break;
	case 4:
		to = x % LEN & ~7u;
		to -= at + 5;
		memcpy(p + 1, &to, 4);
		break;
	case 5:
		/* an immediate in one of the next cells, or data */
		to = at + 8 + 8 * (x >> 4 & 1);
		to = to < LEN && code[to] == 0xb8 ? to + 1 + (x & 3) : data_at;
		memcpy(p + 2, &to, 4);
		break;
	}
}

static void rows(void)
{
	static u8 code0[LEN], stepped_code[LEN], stepped_data[LEN];
	struct rvm_cpu stepped;
	u32 i, k, at, done, budget;
	u64 r = seed * 77 + 1;
	int rc = 0;

	for (i = 0; i < 300 && all; i++) {
		u64 rdi = i & 1 ? CODE : ALIAS;

		START(0x90);
		for (at = LEN; at;)
			cell(&r, at -= 8, DATA - rdi);
		memcpy(&code[LEN - 8], "\xe9\x03\xd0\xff\xff", 5);	/* jmp to the first */
		memcpy(code0, code, LEN);
		w.cpu.gpr[RVM_RDI] = rdi;
		w.insn.cache = NULL;
		for (k = 0; k < 3000 && !rc; k++)
			rc = rvm_insn_step(&w.insn);
		CHECK(!rc);
		stepped = w.cpu;
		memcpy(stepped_code, code, LEN);
		memcpy(stepped_data, data, LEN);

		START(0x90);
		memcpy(code, code0, LEN);
		w.cpu.gpr[RVM_RDI] = rdi;
		for (k = 0; k < 3000 && !rc; k += done) {
			budget = rnd(&r) & 1 ? 1 + rnd(&r) % 9 : 3000;
			rc = rvm_insn_run(&w.insn, budget < 3000 - k ? budget : 3000 - k, &done);
		}
		CHECK(!rc);
		CHECK(!memcmp(&stepped, &w.cpu, sizeof(stepped)));
		CHECK(!memcmp(stepped_code, code, LEN));
		CHECK(!memcmp(stepped_data, data, LEN));
	}
	if (!all)
		printf("# seed %llu, code %u\n", (unsigned long long)seed, i - 1);
	result("rows_as_stepped");
}

/* Where a row of several instructions ends before its end. */
static void row_ends(void)
{
	u32 done;

	/* mov $1,%eax; mov (%rbx),%ecx; mov $2,%eax: the second faults */
	START(0xb8, 1, 0, 0, 0, 0x8b, 0x0b, 0xb8, 2, 0, 0, 0);
	w.cpu.gpr[RVM_RBX] = DATA;
	CHECK(run(3) == RVM_INSN_OK && w.cpu.gpr[RVM_RAX] == 2 && w.cpu.rip == CODE + 12);
	w.cpu.rip = CODE;
	w.cpu.gpr[RVM_RBX] = 0xdead0000;
	CHECK(rvm_insn_run(&w.insn, 100, &done) == RVM_INSN_FAULT && done == 1 &&
	      w.cpu.gpr[RVM_RAX] == 1 && w.cpu.rip == CODE + 5 && w.insn.len == 2 &&
	      w.insn.bytes[0] == 0x8b && w.insn.bytes[1] == 0x0b);
	/* the budget ends within it */
	w.cpu.rip = CODE;
	w.cpu.gpr[RVM_RBX] = DATA;
	CHECK(rvm_insn_run(&w.insn, 2, &done) == RVM_INSN_OK && done == 2 &&
	      w.cpu.gpr[RVM_RAX] == 1 && w.cpu.rip == CODE + 7);
	/* test %eax,%eax; jne 1f; inc %ecx; inc %ecx; 1: hlt, not taken and taken */
	START(0x85, 0xc0, 0x75, 0x04, 0xff, 0xc1, 0xff, 0xc1, 0xf4);
	CHECK(rvm_insn_run(&w.insn, 100, &done) == RVM_INSN_HALT && done == 5 &&
	      w.cpu.gpr[RVM_RCX] == 2);
	w.cpu.rip = CODE;
	w.cpu.gpr[RVM_RAX] = 1;
	CHECK(rvm_insn_run(&w.insn, 100, &done) == RVM_INSN_HALT && done == 3 &&
	      w.cpu.gpr[RVM_RCX] == 2 && w.cpu.rip == CODE + 9);
	result("row_ends_early");
}

int main(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "n:s:")) != -1) {
		if (c == 'n')
			cases = strtoull(optarg, NULL, 0);
		else if (c == 's')
			seed = strtoull(optarg, NULL, 0);
		else
			return 2;
	}
	printf("KTAP version 1\n1..14\n");
	CHECK(same(cases));
	printf("# seed %llu: %llu steps, %llu faults; %llu decoded, %llu pages mapped\n",
	       (unsigned long long)seed, (unsigned long long)executed, (unsigned long long)faults,
	       (unsigned long long)w.insn.counts.decode, (unsigned long long)w.insn.counts.map);
	result("as_stepped");
	own_next();
	alias();
	crossing();
	other_thread();
	flushes();
	rights();
	second_page();
	strings();
	strings_down();
	strings_meet();
	locked();
	rows();
	row_ends();
	free(w.cache);
	return failed;
}
