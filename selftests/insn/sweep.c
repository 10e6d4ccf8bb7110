// SPDX-License-Identifier: GPL-2.0
/*
 * Every row of the opcode tables in every mode, with descriptor tables, gates
 * and tasks that mean something, under the sanitizers; and every exception
 * through every kind of gate.  What must hold: an instruction that faults or
 * is refused has changed nothing, and makes a bounded number of accesses.
 *
 *   sweep [-n rounds] [-s seed] [-v]
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "rows.h"
#include "unit.h"
#include "world.h"

/* The IVT and real-mode code are at 0; tables, stacks and operands above. */
#define LEN	0x10000u
#define CODE	0x2000u
#define GDT	0x8000u
#define LDT	0x8400u
#define IDT32	0x9000u
#define IDT64	0x9800u
#define TSS	0xa800u		/* the current task's */
#define TSS_B	0xac00u		/* another's, 32 bits */
#define TSS_C	0xae00u		/* another's, 16 bits */
#define STACKS	0xb000u
#define OPERAND	0xc000u

/* Most accesses of one instruction: REP's slice, three each, and a task switch. */
#define MOST_ACCESSES	8192

enum { G_NULL, G_CODE0, G_DATA0, G_CODE3, G_DATA3, G_CODE16, G_CODE64, G_CODE64_3, G_CONF,
       G_TSS, G_TSS_B, G_TSS_C, G_LDT, G_CALL32, G_TASK, G_ABSENT, G_CALL16, G_DATA1, G_CODE1,
       G_RO, G_DOWN, G_CONF64, G_CALL64 = 24, G_TSS64 = 26, G_LDT64 = 28, NR_GDT = 32 };

static struct world w;
static struct unit_image image;
static u8 *mem, *saved;
static u64 seed = 1, gen;
static bool verbose;
static u64 steps, outcomes[6], unhandled[RVM_NR_OPS], broken;
static const char *reasons[RVM_NR_OPS];

static u64 draw(void)
{
	return rnd(&gen);
}

static void put(u32 at, u64 val, u32 len)
{
	memcpy(mem + at, &val, len);
}

static u64 descriptor(u64 base, u64 limit, u64 attr)
{
	return (limit & 0xffff) | (base & 0xffffff) << 16 | (attr & 0xff) << 40 |
	       (limit & 0xf0000) << 32 | (attr & 0xf00) << 44 | (base >> 24) << 56;
}

static u64 gate(u32 sel, u32 off, u32 type, u32 dpl, u32 words)
{
	return (off & 0xffff) | (u64)sel << 16 | (u64)words << 32 | (u64)type << 40 |
	       (u64)dpl << 45 | 1ull << 47 | (u64)(off >> 16) << 48;
}

static u16 selector(void)
{
	u64 r = draw();

	if ((r & 31) == 0)
		return r >> 16;
	return (r >> 8) % NR_GDT * 8 | ((r >> 16 & 3) ? 0 : (r >> 20 & 7));
}

/* Attributes of a flat descriptor */
#define A_CODE	(RVM_SEG_P | RVM_SEG_S | RVM_SEG_CODE | RVM_SEG_W | RVM_SEG_A)
#define A_DATA	(RVM_SEG_P | RVM_SEG_S | RVM_SEG_W | RVM_SEG_A | RVM_SEG_DB)
#define A_DPL(n) ((n) << RVM_SEG_DPL_SHIFT)

static void make_tables(bool lng)
{
	static const struct { u8 nr; u32 base, limit; u16 attr; } entries[] = {
		{ G_CODE0, 0, 0xfffff, A_CODE | RVM_SEG_DB | RVM_SEG_G },
		{ G_DATA0, 0, 0xfffff, A_DATA | RVM_SEG_G },
		{ G_CODE3, 0, 0xfffff, A_CODE | RVM_SEG_DB | RVM_SEG_G | A_DPL(3) },
		{ G_DATA3, 0, 0xfffff, A_DATA | RVM_SEG_G | A_DPL(3) },
		{ G_CODE16, 0, 0xffff, A_CODE },
		{ G_CODE64, 0, 0xfffff, A_CODE | RVM_SEG_L | RVM_SEG_G },
		{ G_CODE64_3, 0, 0xfffff, A_CODE | RVM_SEG_L | RVM_SEG_G | A_DPL(3) },
		{ G_CONF, 0, 0xfffff, A_CODE | RVM_SEG_E | RVM_SEG_DB | RVM_SEG_G },
		{ G_TSS, TSS, 0x3ff, RVM_SEG_P | 11 },
		{ G_TSS_B, TSS_B, 0x67, RVM_SEG_P | 9 | A_DPL(3) },
		{ G_TSS_C, TSS_C, 0x2b, RVM_SEG_P | 1 | A_DPL(3) },
		{ G_LDT, LDT, 0xff, RVM_SEG_P | 2 },
		{ G_ABSENT, 0, 0xffff, RVM_SEG_S | RVM_SEG_W | RVM_SEG_DB | A_DPL(3) },
		{ G_DATA1, 0, 0xfffff, A_DATA | RVM_SEG_G | A_DPL(1) },
		{ G_CODE1, 0, 0xfffff, A_CODE | RVM_SEG_DB | RVM_SEG_G | A_DPL(1) },
		{ G_RO, 0, 0xfffff, RVM_SEG_P | RVM_SEG_S | RVM_SEG_DB | RVM_SEG_G | A_DPL(3) },
		{ G_DOWN, 0, 0x100, A_DATA | RVM_SEG_E | A_DPL(3) },
		{ G_CONF64, 0, 0xfffff, A_CODE | RVM_SEG_E | RVM_SEG_L | RVM_SEG_G },
	};
	u32 i, sp;

	for (i = 0; i < LEN; i++)
		mem[i] = draw() >> 40;
	memset(mem + GDT, 0, NR_GDT * 8);
	for (i = 0; i < ARRAY_SIZE(entries); i++)
		put(GDT + entries[i].nr * 8,
		    descriptor(entries[i].base, entries[i].limit, entries[i].attr), 8);
	put(GDT + G_CALL32 * 8, gate(G_CODE0 * 8, CODE, 12, 3, draw() & 3), 8);
	put(GDT + G_CALL16 * 8, gate(G_CODE16 * 8, CODE, 4, 3, draw() & 3), 8);
	put(GDT + G_TASK * 8, gate(G_TSS_B * 8, 0, 5, 3, 0), 8);
	put(GDT + G_CALL64 * 8, gate(G_CODE64 * 8, CODE, 12, 3, 0), 8);
	put(GDT + G_CALL64 * 8 + 8, 0, 8);
	put(GDT + G_TSS64 * 8, descriptor(TSS, 0x3ff, RVM_SEG_P | 9), 8);
	put(GDT + G_TSS64 * 8 + 8, 0, 8);
	put(GDT + G_LDT64 * 8, descriptor(LDT, 0xff, RVM_SEG_P | 2), 8);
	put(GDT + G_LDT64 * 8 + 8, 0, 8);
	memcpy(mem + LDT, mem + GDT, 0x80);
	for (i = 0; i < 256; i++) {
		static const u8 types[] = { 14, 14, 15, 6, 7, 5, 14, 12 };
		u32 type = types[draw() & 7], dpl = draw() & 1 ? 3 : 0;
		u32 sel = type == 5 ? (draw() & 1 ? G_TSS_B : G_TSS_C) : type < 8 ? G_CODE16 :
			  draw() & 3 ? G_CODE0 : draw() & 1 ? G_CONF : G_CODE1;

		put(IDT32 + i * 8, gate(sel * 8, CODE + i, type, dpl, 0), 8);
		put(IDT64 + i * 16, gate((draw() & 7 ? G_CODE64 : G_CONF64) * 8, CODE + i,
					 draw() & 15 ? 14 + (draw() & 1) : 12, dpl,
					 draw() & 1 ? draw() & 7 : 0), 8);
		put(IDT64 + i * 16 + 8, draw() & 15 ? 0 : 1u << 15, 8);
		put(i * 4, CODE + i, 4);
	}
	/* tasks: stacks of the rings, and registers for a switch to them */
	for (i = 0; i < 3; i++) {
		static const u8 ss[] = { G_DATA0, G_DATA1, G_DATA3 };

		sp = STACKS + 0x200 * (i + 1);
		if (lng) {
			put(TSS + 4 + i * 8, sp, 8);
		} else {
			put(TSS + 4 + i * 8, sp, 4);
			put(TSS + 8 + i * 8, ss[i] * 8 | i, 4);
		}
	}
	for (i = 1; lng && i < 8; i++)
		put(TSS + 0x1c + i * 8, STACKS + 0x800 + i * 0x80, 8);
	for (i = 0; i < 3 && !lng && (draw() & 3) == 0; i++)
		put(TSS + 8 + i * 8, selector(), 4);
	put(TSS + 0x66, draw() & 1 ? 0x100 : 0x68 + (draw() & 0x3f), 2);
	put(TSS, draw() & 1 ? G_TSS_B * 8 : G_TSS_C * 8, 2);
	memset(mem + TSS_B, 0, 0x68);
	memset(mem + TSS_C, 0, 0x2c);
	put(TSS_B + 0x20, CODE, 4);
	put(TSS_B + 0x24, (draw() & 0x24ed5) | RVM_FL_FIXED, 4);
	put(TSS_B + 0x38, STACKS + 0xf00, 4);
	for (i = 0; i < 6; i++)
		put(TSS_B + 0x48 + i * 4, (i == RVM_CS ? G_CODE0 : G_DATA0) * 8, 4);
	put(TSS_B + 0x60, draw() & 3 ? G_LDT * 8 : 0, 4);
	put(TSS_B + 0x64, draw() & 7 ? 0 : 1, 2);
	put(TSS_B + 4, STACKS + 0x300, 4);
	put(TSS_B + 8, G_DATA0 * 8, 4);
	put(TSS_C + 0x0e, CODE, 2);
	put(TSS_C + 0x10, RVM_FL_FIXED, 2);
	put(TSS_C + 0x1a, STACKS + 0xf00, 2);
	for (i = 0; i < 4; i++)
		put(TSS_C + 0x22 + i * 2, (i == RVM_CS ? G_CODE16 : G_DATA0) * 8, 2);
	/* operands and stacks: values that are addresses and selectors at once, half of them */
	for (i = STACKS; i < LEN; i += 2)
		if (draw() & 1)
			put(i, draw() & 1 ? selector() : draw() & 0x3fff, 2);
}

static void flat(struct rvm_seg *s, u16 sel, u16 attr)
{
	*s = (struct rvm_seg){ .sel = sel, .limit = 0xffffffff, .attr = attr };
}

enum { REAL, V86, V86_PAGED, PROT16, PROT32 = PROT16 + 8, COMPAT16 = PROT32 + 8,
       COMPAT32 = COMPAT16 + 4, LONG = COMPAT32 + 4, NR_MODES = LONG + 4 };

static void make_cpu(u32 mode)
{
	static const u8 data[] = { G_DATA0, G_DATA1, G_DATA3, G_DATA3 };
	struct rvm_cpu *c = &w.cpu;
	bool lng = mode >= COMPAT16, big;
	u32 i, cpl = mode < PROT16 ? 0 : (mode - PROT16) & 3;

	memset(c, 0, sizeof(*c));
	for (i = 0; i < 16; i++)
		c->gpr[i] = draw() & 3 ? OPERAND + draw() % 0x3f00 : draw() & 1 ? draw() : draw() & 0xff;
	c->gpr[RVM_RCX] = draw() & 3 ? draw() & 15 : draw();
	c->gpr[RVM_RSP] = STACKS + 0x400 + (draw() & 0xbf8);
	if (draw() & 3)
		c->gpr[RVM_RAX] = draw() & 1 ? selector() : draw() & 7;
	c->rip = CODE;
	c->rflags = (draw() & (RVM_FL_ARITH | RVM_FL_DF | RVM_FL_IOPL | RVM_FL_IF | RVM_FL_AC |
			       (draw() & 3 ? 0 : RVM_FL_NT))) | RVM_FL_FIXED;
	c->cr0 = RVM_CR0_ET | RVM_CR0_NE | RVM_CR0_MP | RVM_CR0_WP | RVM_CR0_AM;
	if ((draw() & 7) == 0)
		c->cr0 ^= 1ull << (1 + (draw() & 3));
	c->cr4 = RVM_CR4_OSFXSR | RVM_CR4_OSXMM | RVM_CR4_OSXSAVE | RVM_CR4_FSGSBASE | RVM_CR4_VME |
		 RVM_CR4_PVI | RVM_CR4_PCE | RVM_CR4_PAE;
	if ((draw() & 3) == 0)
		c->cr4 ^= 1ull << (draw() % 23);
	c->xcr0 = 7;
	c->tsc_aux = 5;
	c->gdtr = (struct rvm_dtable){ GDT, NR_GDT * 8 - 1 };
	c->idtr = (struct rvm_dtable){ 0, 0x3ff };
	c->sysenter_cs = G_CODE0 * 8;
	c->sysenter_eip = CODE;
	c->sysenter_esp = STACKS + 0x100;
	c->star = (u64)(G_CODE0 * 8) << 32 | (u64)(G_CODE3 * 8 | 3) << 48;
	c->lstar = c->cstar = CODE;
	c->sfmask = draw();
	c->seg[RVM_TR] = (struct rvm_seg){ TSS, 0x3ff, G_TSS * 8, RVM_SEG_P | 11 };
	c->seg[RVM_LDTR] = (struct rvm_seg){ LDT, 0xff, G_LDT * 8, RVM_SEG_P | 2 };
	for (i = 0; i < 6; i++) {
		c->seg[i] = (struct rvm_seg){ .limit = 0xffff, .attr = A_DATA & ~RVM_SEG_DB };
		if (i == RVM_CS)
			c->seg[i].attr = A_CODE;
	}
	if ((draw() & 15) == 0)
		c->seg[RVM_TR].limit = draw() & 0x7f;
	if ((draw() & 15) == 0)
		c->sysenter_cs = 0;
	if ((draw() & 15) == 0)
		c->gdtr.limit = draw() & 0x7f;
	if ((draw() & 31) == 0)
		c->sysenter_eip = c->lstar = c->gpr[RVM_RDX] = 1ull << 47;
	if ((draw() & 15) == 0) {
		image.fcw = 0;
		image.fsw = 0x8081 | (draw() & 0x3f);
	}
	if (mode == REAL)
		return;
	c->cr0 |= RVM_CR0_PE;
	c->idtr = lng ? (struct rvm_dtable){ IDT64, 0xfff } : (struct rvm_dtable){ IDT32, 0x7ff };
	if (mode <= V86_PAGED) {
		c->rflags |= RVM_FL_VM;
		c->cpl = 3;
		for (i = 0; i < 6; i++)
			c->seg[i].attr |= RVM_SEG_DPL;
		if (mode == V86_PAGED)
			c->cr0 |= RVM_CR0_PG;
		return;
	}
	c->cpl = cpl;
	if (lng || ((mode - PROT16) & 4))
		c->cr0 |= RVM_CR0_PG;
	if (lng) {
		c->efer = RVM_EFER_LME | RVM_EFER_LMA | RVM_EFER_SCE | RVM_EFER_NXE;
		c->cr4 |= RVM_CR4_PAE;
		c->cr4 &= ~RVM_CR4_LA57;
	}
	big = (mode >= PROT32 && mode < COMPAT16) || mode >= COMPAT32;
	for (i = 0; i < 6; i++)
		flat(&c->seg[i], data[cpl] * 8 | cpl, A_DATA | RVM_SEG_G | A_DPL(cpl));
	flat(&c->seg[RVM_CS], (mode >= LONG ? cpl ? G_CODE64_3 : G_CODE64 : cpl ? G_CODE3 : G_CODE0) * 8 |
	     cpl, A_CODE | RVM_SEG_G | A_DPL(cpl) | (mode >= LONG ? RVM_SEG_L : big ? RVM_SEG_DB : 0));
	if (!big)
		c->seg[RVM_SS].attr &= ~RVM_SEG_DB;
	if ((draw() & 7) == 0)
		c->seg[draw() & 1 ? RVM_ES : RVM_DS].attr = RVM_SEG_UNUSABLE;
}

/* The memory operand into the operands, mostly, by its register or its displacement. */
static void aim(u8 *b, struct rvm_decoded *d)
{
	u64 target = OPERAND + (draw() % 0x3e00 & ~63ull), ea;
	u32 have, want, i;

	if (!rvm_is_mem_operand(d) || (draw() & 15) == 0)
		return;
	ea = rvm_ea(&w.insn, d);
	if (d->seg >= RVM_FS || !rvm_is_64bit(&w.cpu))
		target -= w.cpu.seg[d->seg].base;
	if (d->base < RVM_BASE_RIP) {
		w.cpu.gpr[d->base >> 3] += target - ea;
		return;
	}
	have = d->disp;
	want = d->disp + (target - ea);
	for (i = 1; i + 4 <= d->len; i++)
		if (!memcmp(b + i, &have, 4)) {
			memcpy(b + i, &want, 4);
			rvm_insn_decode(b, RVM_INSN_MAX, d->mode, d);
			return;
		}
}

static bool repeats(const struct rvm_decoded *d)
{
	return (d->prefix & (RVM_P_REP | RVM_P_REPNE)) && d->op >= RVM_OP_MOVS &&
	       d->op <= RVM_OP_OUTS;
}

/* A task switch that faults late has switched (SDM vol. 3 §7.3). */
static bool may_switch(const struct rvm_decoded *d)
{
	return d->op == RVM_OP_JMPF || d->op == RVM_OP_CALLF || d->op == RVM_OP_IRET;
}

static bool violated(const char *what, const u8 *b, u32 mode, int rc)
{
	u32 i;

	if (broken++ > 10)
		return false;
	printf("# %s: mode %u rc %d vector %u:", what, mode, rc, w.insn.fault.vector);
	for (i = 0; i < RVM_INSN_MAX; i++)
		printf(" %02x", b[i]);
	printf("  %s\n", w.insn.reason ? w.insn.reason : "");
	return false;
}

static bool one(u32 nr, u32 mode)
{
	u32 dec = mode >= LONG ? RVM_DEC_64 : (mode >= PROT32 && mode < COMPAT16) ||
		  mode >= COMPAT32 ? RVM_DEC_32 : RVM_DEC_16;
	struct rvm_cpu before;
	struct rvm_decoded d;
	u8 b[RVM_INSN_MAX];
	u32 i, slices = 0;
	int rc, dc;

	unit_reset(&image);
	make_cpu(mode);
	w.insn.intel = draw() & 1;
	w.insn.hide = draw() & 3 ? 0 : draw();
	for (i = 0; i < RVM_INSN_MAX; i++)
		b[i] = draw() >> 40;
	row_bytes(b, dec, &rows[nr], &gen);
	dc = rvm_insn_decode(b, RVM_INSN_MAX, dec | (w.insn.intel ? RVM_DEC_INTEL : 0), &d);
	if (!dc)
		aim(b, &d);
	memcpy(mem + CODE, b, sizeof(b));
	if (mode < LONG && (draw() & 31) == 0)
		w.cpu.seg[RVM_CS].limit = CODE + (draw() & 7) - 2;
	before = w.cpu;
	do {
		w.accesses = 0;
		rc = rvm_insn_step(&w.insn);
		if (w.accesses > MOST_ACCESSES)
			return violated("too many accesses", b, mode, rc);
	} while (rc == RVM_INSN_RETRY && ++slices < 20);
	steps++;
	if (rc < 0 || rc > RVM_INSN_RETRY || rc == RVM_INSN_EXIT)
		return violated("no such outcome", b, mode, rc);
	outcomes[rc]++;
	if (rc == RVM_INSN_UNHANDLED) {
		if (!w.insn.reason)
			return violated("no reason", b, mode, rc);
		unhandled[d.op]++;
		reasons[d.op] = w.insn.reason;
	}
	if (dc && rc != RVM_INSN_FAULT)
		return violated("undefined, but no fault", b, mode, rc);
	if ((rc == RVM_INSN_FAULT || rc == RVM_INSN_UNHANDLED) && (dc || !repeats(&d)) &&
	    memcmp(&before, &w.cpu, sizeof(before)) && !(!dc && may_switch(&d)))
		return violated("changed by an instruction that did not complete", b, mode, rc);
	return true;
}

static bool every_row(u32 rounds)
{
	u32 mode, nr, i;

	for (mode = 0; mode < NR_MODES; mode++) {
		for (nr = 0; nr < nr_rows; nr++) {
			/* data that is written to is made anew now and then */
			if (nr % 16 == 0) {
				make_tables(mode >= COMPAT16);
				memcpy(saved, mem, LEN);
			}
			for (i = 0; i < rounds; i++) {
				one(nr, mode);
				memcpy(mem, saved, LEN);
			}
		}
	}
	return !broken;
}

static u64 deliveries, delivered, second;

static bool every_event(u32 rounds)
{
	static const u8 with_error[] = { 8, 10, 11, 12, 13, 14, 17 };
	u32 mode, vector, i;

	for (mode = 0; mode < NR_MODES; mode++)
	for (i = 0; i < rounds; i++) {
		make_tables(mode >= COMPAT16);
		for (vector = 0; vector < 256; vector++) {
			struct rvm_fault ev = { .vector = vector, .cr2 = draw(), .error = draw() };
			bool external = vector >= 32 && (draw() & 1);
			struct rvm_cpu before;
			int rc;

			if (vector >= 32 && (draw() & 3))
				continue;
			ev.has_error = vector < 32 && memchr(with_error, vector, sizeof(with_error));
			ev.soft = !external && !ev.has_error && (draw() & 1);
			memcpy(saved, mem, LEN);
			make_cpu(mode);
			w.cpu.rflags |= draw() & RVM_FL_TF;
			if ((draw() & 7) == 0)
				w.cpu.idtr.limit = draw() & 0xff;
			if ((draw() & 7) == 0)
				w.cpu.gpr[RVM_RSP] = draw();
			before = w.cpu;
			w.accesses = 0;
			rc = rvm_insn_deliver(&w.insn, &ev, draw() & 15, external);
			deliveries++;
			delivered += rc == RVM_INSN_OK;
			second += rc == RVM_INSN_FAULT;
			if (rc < 0 || rc > RVM_INSN_RETRY || rc == RVM_INSN_EXIT ||
			    w.accesses > MOST_ACCESSES) {
				violated("delivery", mem, mode, rc);
			} else if (rc == RVM_INSN_OK && w.cpu.rip == before.rip &&
				   !memcmp(before.gpr, w.cpu.gpr, sizeof(before.gpr)) &&
				   w.cpu.seg[RVM_CS].sel == before.seg[RVM_CS].sel &&
				   w.cpu.seg[RVM_TR].sel == before.seg[RVM_TR].sel) {
				violated("nothing delivered", mem, mode, rc);
			}
			memcpy(mem, saved, LEN);
		}
	}
	return !broken;
}

int main(int argc, char **argv)
{
	u32 rounds = 2, i;
	bool ok[2];
	int c;

	while ((c = getopt(argc, argv, "n:s:v")) != -1) {
		if (c == 'n')
			rounds = strtoul(optarg, NULL, 0);
		else if (c == 's')
			seed = strtoull(optarg, NULL, 0);
		else if (c == 'v')
			verbose = true;
		else
			return 2;
	}
	gen = seed * 0x9e3779b97f4a7c15ull | 1;
	rows_init();
	mem = malloc(LEN);
	saved = malloc(LEN);
	world_init(&w);
	world_region(&w, 0, LEN, mem, true);
	unit_setup(true);
	unit_attach(&w, &image);
	printf("KTAP version 1\n1..2\n");
	ok[0] = every_row(rounds);
	printf("# seed %llu: %llu instructions of %u rows in %u modes: %llu done, %llu faults, %llu refused, %llu halts, %llu unfinished\n",
	       (unsigned long long)seed, (unsigned long long)steps, nr_rows, NR_MODES,
	       (unsigned long long)outcomes[RVM_INSN_OK],
	       (unsigned long long)outcomes[RVM_INSN_FAULT],
	       (unsigned long long)outcomes[RVM_INSN_UNHANDLED],
	       (unsigned long long)outcomes[RVM_INSN_HALT],
	       (unsigned long long)outcomes[RVM_INSN_RETRY]);
	for (i = 0; verbose && i < RVM_NR_OPS; i++)
		if (unhandled[i])
			printf("# refused: %llu %s: %s\n", (unsigned long long)unhandled[i],
			       rvm_op_name(i), reasons[i]);
	printf("%sok 1 every_row_in_every_mode\n", ok[0] ? "" : "not ");
	broken = 0;
	ok[1] = every_event(rounds);
	printf("# %llu events: %llu delivered, %llu faults on the way\n",
	       (unsigned long long)deliveries, (unsigned long long)delivered,
	       (unsigned long long)second);
	printf("%sok 2 every_event_in_every_mode\n", ok[1] ? "" : "not ");
	free(mem);
	free(saved);
	return !(ok[0] && ok[1]);
}
