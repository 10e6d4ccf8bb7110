// SPDX-License-Identifier: GPL-2.0
/*
 * Execution compared with the real CPU, in user mode.
 *
 * A random instruction with random state runs once in the interpreter and once
 * natively: the signal handler puts the state into the signal frame, the
 * return from the handler starts the instruction, and TF (or an INT3 behind
 * it) brings the CPU back into the handler with the result.  64-bit code runs
 * in the kernel's own code segment, 32-bit code in its compatibility segment,
 * 16-bit code and odd data segments through the LDT.
 *
 * Compared: registers, defined flags, RIP, memory, and for faults the vector,
 * error code and CR2.
 *
 *   native [-n cases] [-s seed] [-m 16|32|64] [-v] [-x case]
 */
#define _GNU_SOURCE
#include <asm/ldt.h>
#include <asm/prctl.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>
#include "world.h"

#define CODE		0x10000000ull
#define CODE_LEN	0x1000
#define DATA		0x20000000ull
#define DATA_LEN	0x3000		/* the last page is read-only */
#define RW_LEN		0x2000
#define ALT_LEN		(1 << 20)
/* where the interpreter finds the descriptor tables */
#define GDT_AT		0xffff9a5c13570000ull
#define LDT_AT		0xffff9a5c13571000ull

/* LDT entries, and the flat segments of the kernel's GDT */
enum { L_CODE16, L_CODE32, L_DATA16, L_DATA32, L_DOWN32, L_RO, L_DOWN16, NR_LDT };
#define LDT(n)		((n) * 8 + 7)
#define USER32_CS	0x23
#define USER_DS		0x2b
#define USER_CS		0x33

static const struct {
	u32 base, limit, attr;
	struct user_desc d;
} ldt[NR_LDT] = {
#define SEG(n, b, l, big, cont, ro, at) \
	[n] = { b, l, RVM_SEG_P | RVM_SEG_S | RVM_SEG_DPL | RVM_SEG_A | (at) | \
		((big) ? RVM_SEG_DB : 0), \
		{ .entry_number = n, .base_addr = b, .limit = l, .seg_32bit = big, \
		  .contents = cont, .read_exec_only = ro, .useable = 1 } }
	SEG(L_CODE16, CODE, 0xfff, 0, 2, 0, RVM_SEG_CODE | RVM_SEG_W | RVM_SEG_AVL),
	SEG(L_CODE32, CODE, 0xfff, 1, 2, 0, RVM_SEG_CODE | RVM_SEG_W | RVM_SEG_AVL),
	SEG(L_DATA16, DATA, 0x2fff, 0, 0, 0, RVM_SEG_W | RVM_SEG_AVL),
	SEG(L_DATA32, DATA, 0x17fd, 1, 0, 0, RVM_SEG_W | RVM_SEG_AVL),
	SEG(L_DOWN32, DATA, 0x0fff, 1, 1, 0, RVM_SEG_W | RVM_SEG_E | RVM_SEG_AVL),
	SEG(L_RO, DATA, 0x2fff, 1, 0, 1, RVM_SEG_AVL),
	SEG(L_DOWN16, DATA, 0x07ff, 0, 1, 0, RVM_SEG_W | RVM_SEG_E | RVM_SEG_AVL),
};

struct tcase {
	u32 mode;		/* RVM_DEC_16, _32, _64 */
	u8 bytes[RVM_INSN_MAX];
	struct rvm_decoded d;
	u64 gpr[16];
	u64 rflags;
	u64 rip;
	u16 cs, ss, ds, es, gs;
	bool step;		/* TF, else INT3 behind the instruction */
};

struct outcome {
	int fault;		/* vector, or -1 */
	u32 error;
	u64 cr2;
	u64 gpr[16];
	u64 rflags;
	u64 rip;
	u16 cs, ss, ds, es, gs;
};

static struct world w;
static u64 gdt_image[16], ldt_image[NR_LDT];
static u8 shadow[DATA_LEN];
static u8 *native_data, *native_code;

static u64 seed = 1, want_cases = 300000, only_case = ~0ull;
static int only_mode = -1;
static bool verbose;

static u64 case_seed, done_cases, compared, skipped, faulted, failures;
static u64 per_mode[3], per_op[RVM_NR_OPS], fails_of[RVM_NR_OPS];
static struct tcase tc;
static struct outcome expect;
static ucontext_t home;
static bool started;
static u64 sticky;		/* flags that a return from a signal does not restore */

/* ---- what may be run ---- */

/* Instructions that leave user mode, or whose result is not the CPU's alone. */
static bool excluded(const struct rvm_decoded *d)
{
	u32 i;

	switch (d->op) {
	case RVM_OP_SYSCALL: case RVM_OP_SYSENTER: case RVM_OP_INT: case RVM_OP_INT3:
	case RVM_OP_INT1: case RVM_OP_CPUID: case RVM_OP_RDTSC: case RVM_OP_RDTSCP:
	case RVM_OP_RDPID: case RVM_OP_RDPMC: case RVM_OP_XGETBV: case RVM_OP_RDRAND:
	case RVM_OP_RDSEED: case RVM_OP_SGDT: case RVM_OP_SIDT: case RVM_OP_SLDT:
	case RVM_OP_STR: case RVM_OP_SMSW: case RVM_OP_RDPKRU: case RVM_OP_WRPKRU:
	case RVM_OP_WRFSBASE: case RVM_OP_RDFSBASE: case RVM_OP_HYPERCALL: case RVM_OP_RDPRU:
	case RVM_OP_UD: case RVM_OP_MONITOR: case RVM_OP_MWAIT: case RVM_OP_WAITPKG:
	case RVM_OP_CLFLUSH: case RVM_OP_PREFETCH: case RVM_OP_SERIALIZE: case RVM_OP_TSX:
	case RVM_OP_CLZERO: case RVM_OP_MOVDIRI: case RVM_OP_MOVDIR64B: case RVM_OP_ENQCMD:
	case RVM_OP_SNP: case RVM_OP_CET: case RVM_OP_INVPCID: case RVM_OP_MPX:
	case RVM_OP_UINTR: case RVM_OP_SGX: case RVM_OP_SMX: case RVM_OP_VMX: case RVM_OP_SVM:
	case RVM_OP_LWP: case RVM_OP_RSM: case RVM_OP_SYSRET: case RVM_OP_SYSEXIT:
	case RVM_OP_FWAIT:
		return true;
	case RVM_OP_MOV_FROM_SREG: case RVM_OP_MOV_TO_SREG: case RVM_OP_PUSH_SREG:
	case RVM_OP_POP_SREG: case RVM_OP_LFARPTR:
		/* FS is the C library's */
		for (i = 0; i < RVM_NR_OPERANDS; i++)
			if (d->opnd[i].kind == RVM_K_SREG && d->opnd[i].reg == RVM_FS)
				return true;
		return false;
	case RVM_OP_LOOPE:
	case RVM_OP_LOOPNE:
		/*
		 * AMD's CPUs (seen on family 1Ah) let F3 make LOOPE of LOOPNE,
		 * and F2 the reverse: no manual has it.
		 */
		return d->prefix & (RVM_P_REPNE | RVM_P_REP);
	default:
		return d->op >= RVM_OP_X87;
	}
}

/* Flags that the manuals leave undefined and that we do not take from the host. */
static u64 undefined_flags(const struct rvm_decoded *d)
{
	switch (d->op) {
	case RVM_OP_BSF: case RVM_OP_BSR:
		return RVM_FL_ARITH & ~RVM_FL_ZF;
	case RVM_OP_MUL: case RVM_OP_IMUL: case RVM_OP_IMUL2:
		return RVM_FL_SF | RVM_FL_ZF | RVM_FL_AF | RVM_FL_PF;
	case RVM_OP_TZCNT: case RVM_OP_LZCNT:
		return RVM_FL_OF | RVM_FL_SF | RVM_FL_PF | RVM_FL_AF;
	case RVM_OP_BT: case RVM_OP_BTS: case RVM_OP_BTR: case RVM_OP_BTC:
		return RVM_FL_OF | RVM_FL_SF | RVM_FL_PF | RVM_FL_AF;
	case RVM_OP_DIV: case RVM_OP_IDIV:
		return RVM_FL_ARITH;
	case RVM_OP_AAA: case RVM_OP_AAS:
		return RVM_FL_OF | RVM_FL_SF | RVM_FL_ZF | RVM_FL_PF;
	case RVM_OP_AAM: case RVM_OP_AAD:
		return RVM_FL_OF | RVM_FL_AF | RVM_FL_CF;
	case RVM_OP_DAA: case RVM_OP_DAS:
		return RVM_FL_OF;
	case RVM_OP_ANDN: case RVM_OP_BLSR: case RVM_OP_BLSMSK: case RVM_OP_BLSI:
	case RVM_OP_BZHI:
		return RVM_FL_AF | RVM_FL_PF;
	case RVM_OP_BEXTR:
		return RVM_FL_AF | RVM_FL_PF | RVM_FL_SF;
	default:
		return 0;
	}
}

/* Addresses at which this process, or the kernel, may have something of its own. */
static bool foreign(u64 gla)
{
	if (gla - CODE < CODE_LEN)
		return true;
	return gla < 0x10000 || gla >= 0xf0000000ull;
}

/* ---- generation ---- */

static u64 small_or_big(void)
{
	u64 r = rnd(&case_seed);

	switch (r & 7) {
	case 0:
		return r >> 60;
	case 1:
		return (s64)(s8)(r >> 32);
	case 2:
		return r >> 32;
	case 3:
		return 1ull << (r >> 58);
	case 4:
		return ~(1ull << (r >> 58));
	case 5:
		return (s64)(s32)(r >> 32);
	default:
		return rnd(&case_seed);
	}
}

static u64 data_target(u32 size)
{
	u64 r = rnd(&case_seed);

	switch (r & 15) {
	case 0:		/* across the two pages */
		return DATA + 0x1000 - (r >> 32 & 15);
	case 1:		/* across the border to the read-only page */
		return DATA + RW_LEN - (r >> 32 & 15);
	case 2:		/* across the end */
		return DATA + DATA_LEN - (r >> 32 & 15);
	case 3:
		return DATA + (r >> 32) % DATA_LEN;
	default:
		return DATA + (((r >> 32) % (RW_LEN - 64)) & ~(u64)(size - 1));
	}
}

static u16 pick_seg(void)
{
	static const u16 segs[] = { USER_DS, USER_DS, USER_DS, LDT(L_DATA16), LDT(L_DATA32),
				    LDT(L_DOWN32), LDT(L_RO), LDT(L_DOWN16), LDT(L_CODE32), 0 };

	return segs[rnd(&case_seed) % ARRAY_SIZE(segs)];
}

static void seg_of(struct rvm_seg *s, u16 sel)
{
	memset(s, 0, sizeof(*s));
	s->sel = sel;
	if (!sel) {
		s->attr = RVM_SEG_UNUSABLE;
	} else if (sel & 4) {
		s->base = ldt[sel >> 3].base;
		s->limit = ldt[sel >> 3].limit;
		s->attr = ldt[sel >> 3].attr;
	} else {
		s->limit = 0xffffffff;
		s->attr = RVM_SEG_P | RVM_SEG_S | RVM_SEG_DPL | RVM_SEG_A | RVM_SEG_W | RVM_SEG_G |
			  (sel == USER_DS ? RVM_SEG_DB : RVM_SEG_CODE) |
			  (sel == USER32_CS ? RVM_SEG_DB : 0) | (sel == USER_CS ? RVM_SEG_L : 0);
	}
}

static u64 seg_base(const struct tcase *t, u32 seg)
{
	u16 sel = seg == RVM_SS ? t->ss : seg == RVM_ES ? t->es : seg == RVM_GS ? t->gs :
		  seg == RVM_CS ? t->cs : t->ds;

	return sel & 4 ? ldt[sel >> 3].base : 0;
}

static void gen_bytes(struct tcase *t)
{
	static const u8 legacy[] = { 0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x2e, 0x36, 0x3e, 0x26, 0x65 };
	u32 i, n = 0;
	u64 r = rnd(&case_seed);

	for (i = 0; i < RVM_INSN_MAX; i++)
		t->bytes[i] = rnd(&case_seed) >> 40;
	while ((r & 3) == 0 && n < 4) {
		t->bytes[n++] = legacy[(r >> 8) % ARRAY_SIZE(legacy)];
		r = rnd(&case_seed);
	}
	if (t->mode == RVM_DEC_64 && (r & 0x10))
		t->bytes[n++] = 0x40 | (r >> 16 & 15);
	switch (r >> 24 & 7) {
	case 0:
	case 1:
		t->bytes[n++] = 0x0f;
		break;
	case 2:
		t->bytes[n++] = 0x0f;
		t->bytes[n++] = 0x38;
		t->bytes[n] = 0xf0 | (t->bytes[n] & 7);
		break;
	case 3:		/* VEX: BMI */
		if (r >> 28 & 1) {
			t->bytes[n++] = 0xc4;
			t->bytes[n] = (t->bytes[n] & 0xe0) | (r >> 29 & 1 ? 2 : 3);
			if (t->mode != RVM_DEC_64)
				t->bytes[n] |= 0xc0;
			n++;
			t->bytes[n++] &= ~4;
			t->bytes[n] = (r >> 29 & 1) ? 0xf0 | (t->bytes[n] & 7) : 0xf0;
		}
		break;
	}
	/* often the same operations: ALU rows, groups */
	if ((r >> 40 & 15) == 0) {
		static const u8 fav[] = { 0xc0, 0xc1, 0xd0, 0xd1, 0xd2, 0xd3, 0xf6, 0xf7, 0xfe,
					  0xff, 0x80, 0x81, 0x83, 0x6b, 0x69 };

		t->bytes[n] = fav[(r >> 44) % ARRAY_SIZE(fav)];
	}
}

static bool string_op(u32 op)
{
	return op >= RVM_OP_MOVS && op <= RVM_OP_OUTS;
}

/* Make memory operands meet the data area, mostly. */
static void aim(struct tcase *t)
{
	const struct rvm_decoded *d = &t->d;
	u64 r = rnd(&case_seed), target, ea;
	u32 i, size = 1;

	t->gpr[RVM_RSP] = data_target(8) - seg_base(t, RVM_SS);
	if ((r & 3) == 0)
		t->gpr[RVM_RBP] = data_target(8) - seg_base(t, RVM_SS);
	if (string_op(d->op) || d->op == RVM_OP_XLAT) {
		t->gpr[RVM_RSI] = data_target(8) - seg_base(t, d->seg);
		t->gpr[RVM_RDI] = data_target(8) - seg_base(t, RVM_ES);
		t->gpr[RVM_RBX] = data_target(8) - seg_base(t, d->seg);
		if ((r >> 4 & 15) != 0) {
			u32 bits = d->asize == 2 ? 16 : d->asize == 4 ? 32 : 64;

			t->gpr[RVM_RCX] = (r >> 8 & 15) |
					  (bits < 64 ? small_or_big() << bits : 0);
		}
		return;
	}
	for (i = 0; i < RVM_NR_OPERANDS; i++)
		if (d->opnd[i].kind == RVM_K_MEM && d->opnd[i].size)
			size = d->opnd[i].size;
	if (!rvm_is_mem_operand(d) || (r >> 4 & 31) == 0)
		return;
	target = data_target(size > 8 ? 16 : size & (size - 1) ? 1 : size) - seg_base(t, d->seg);
	memcpy(w.cpu.gpr, t->gpr, sizeof(t->gpr));
	w.cpu.rip = t->rip;
	ea = rvm_ea(&w.insn, d);
	if (d->base < RVM_BASE_RIP) {
		t->gpr[d->base >> 3] += target - ea;
	} else if (d->index != RVM_BASE_NONE && !d->scale) {
		t->gpr[d->index >> 3] += target - ea;
	} else {
		u32 want = d->disp + (target - ea), have = d->disp;

		for (i = 1; i + 4 <= d->len; i++)
			if (!memcmp(t->bytes + i, &have, 4)) {
				memcpy(t->bytes + i, &want, 4);
				break;
			}
		rvm_insn_decode(t->bytes, RVM_INSN_MAX, t->mode, &t->d);
	}
}

/* Selectors that a program can come by: usable, of other rings, of no descriptor. */
static u16 random_selector(void)
{
	static const u16 sels[] = {
		USER32_CS, USER_DS, USER_CS, LDT(L_CODE16), LDT(L_CODE32), LDT(L_DATA16),
		LDT(L_DATA32), LDT(L_DOWN32), LDT(L_RO), LDT(L_DOWN16),
	};
	u64 r = rnd(&case_seed);

	switch (r & 15) {
	case 0:
		return r >> 16 & 3;		/* null */
	case 1:
		return (r >> 16) % 15 * 8 + (r >> 32 & 7);
	case 2:
		return r >> 16 | 0x80;		/* beyond the tables */
	case 3:
		return sels[(r >> 16) % ARRAY_SIZE(sels)] & ~(r >> 32 & 3);
	default:
		return sels[(r >> 16) % ARRAY_SIZE(sels)];
	}
}

static void plant(u64 gla, const void *val, u32 len)
{
	if (gla - DATA > RW_LEN - len)
		return;
	memcpy((void *)gla, val, len);
	memcpy(shadow + (gla - DATA), val, len);
}

static void plant_stack(struct tcase *t, u32 slot, u64 val)
{
	u64 sp = t->gpr[RVM_RSP];

	if (t->mode != RVM_DEC_64)
		sp = t->ss == LDT(L_DATA16) || t->ss == LDT(L_DOWN16) ? (u16)sp : (u32)sp;
	plant(seg_base(t, RVM_SS) + sp + slot * t->d.osize, &val, t->d.osize);
}

/* Operands of the instructions that load selectors: mostly ones that mean something. */
static void aim_selectors(struct tcase *t)
{
	const struct rvm_decoded *d = &t->d;
	u64 r = rnd(&case_seed), gla, off = 0x100 + (r >> 32 & 0x1ff);
	u16 sel = random_selector();

	switch (d->op) {
	case RVM_OP_MOV_TO_SREG: case RVM_OP_LAR: case RVM_OP_LSL: case RVM_OP_VERR:
	case RVM_OP_VERW: case RVM_OP_JMPF: case RVM_OP_CALLF: case RVM_OP_LFARPTR:
		break;
	case RVM_OP_POP_SREG:
		plant_stack(t, 0, sel);
		return;
	case RVM_OP_RETF: case RVM_OP_IRET:
		if (sel == USER32_CS || sel == USER_CS)
			off += CODE;
		plant_stack(t, 0, off);
		plant_stack(t, 1, sel);
		if (d->op == RVM_OP_RETF)
			return;
		plant_stack(t, 2, (small_or_big() & 0x10cd5) | RVM_FL_FIXED | RVM_FL_TF | RVM_FL_IF);
		plant_stack(t, 3, small_or_big());
		plant_stack(t, 4, random_selector());
		return;
	default:
		return;
	}
	memcpy(w.cpu.gpr, t->gpr, sizeof(t->gpr));
	w.cpu.rip = t->rip;
	gla = seg_base(t, d->seg) + rvm_ea(&w.insn, d);
	if (d->op == RVM_OP_JMPF || d->op == RVM_OP_CALLF || d->op == RVM_OP_LFARPTR) {
		u32 n = d->opnd[d->op == RVM_OP_LFARPTR].size - 2;

		if (d->opnd[0].kind == RVM_K_FAR) {
			/* the immediate's selector is its last two bytes */
			memcpy(t->bytes + d->len - 2, &sel, 2);
			if (r & 7)
				memcpy(t->bytes + d->len - 2 - n, &off, n);
			rvm_insn_decode(t->bytes, RVM_INSN_MAX, t->mode, &t->d);
			return;
		}
		if (sel == USER32_CS || sel == USER_CS)
			off += CODE;
		plant(gla, &off, n);
		plant(gla + n, &sel, 2);
	} else if (rvm_is_mem_operand(d)) {
		plant(gla, &sel, 2);
	} else {
		u32 n = d->opnd[1].kind == RVM_K_REG;

		rvm_reg_write(&w.cpu, d->opnd[n].reg, 2, sel);
		t->gpr[d->opnd[n].reg >> 3] = w.cpu.gpr[d->opnd[n].reg >> 3];
	}
}

static bool gen_case(struct tcase *t, u64 nr)
{
	u32 i;
	u64 r;

	case_seed = (seed + nr) * 0x9e3779b97f4a7c15ull | 1;
	for (i = 0; i < 4; i++)
		rnd(&case_seed);
	r = rnd(&case_seed);
	memset(t, 0, sizeof(*t));
	t->mode = only_mode >= 0 ? (u32)only_mode : (r >> 8) % 4 == 0 ? RVM_DEC_16 :
		  (r >> 8) % 4 == 1 ? RVM_DEC_32 : RVM_DEC_64;
	t->step = r >> 16 & 1;
	do {
		gen_bytes(t);
	} while (rvm_insn_decode(t->bytes, RVM_INSN_MAX, t->mode, &t->d) != RVM_DECODE_OK ||
		 excluded(&t->d));

	/* a branch goes anywhere: only TF brings it back */
	if (t->d.op >= RVM_OP_JCC && t->d.op <= RVM_OP_IRET)
		t->step = true;
	/* but after a load of SS the next instruction runs before any trap */
	if ((t->d.op == RVM_OP_MOV_TO_SREG || t->d.op == RVM_OP_POP_SREG) &&
	    t->d.opnd[0].reg == RVM_SS)
		t->step = false;
	t->cs = USER_CS;
	t->ss = t->ds = t->es = USER_DS;
	if (t->mode == RVM_DEC_64) {
		t->rip = CODE + 0x100;
	} else {
		static const u16 stacks[] = { USER_DS, LDT(L_DATA16), LDT(L_DATA32),
					      LDT(L_DOWN32), LDT(L_DOWN16) };

		t->cs = t->mode == RVM_DEC_16 ? LDT(L_CODE16) :
			r >> 17 & 1 ? USER32_CS : LDT(L_CODE32);
		t->rip = t->cs == USER32_CS ? CODE + 0x100 : 0x100;
		t->ss = stacks[(r >> 20) % ARRAY_SIZE(stacks)];
		t->ds = pick_seg();
		t->es = pick_seg();
		t->gs = pick_seg();
		if (t->mode == RVM_DEC_16 && (r >> 32 & 3)) {
			t->ds = t->es = t->ss = LDT(L_DATA16);
		}
	}
	for (i = 0; i < 16; i++) {
		t->gpr[i] = small_or_big();
		if (t->mode != RVM_DEC_64)
			t->gpr[i] = (u32)t->gpr[i];
	}
	r = rnd(&case_seed);
	t->rflags = RVM_FL_FIXED | RVM_FL_IF | sticky | (r & RVM_FL_ARITH);
	if ((r >> 20 & 3) == 0)
		t->rflags |= RVM_FL_DF;
	if ((r >> 22 & 15) == 0)
		t->rflags |= RVM_FL_AC;
	if (t->step)
		t->rflags |= RVM_FL_TF;
	/* for the stack instructions rSP is aimed too, then the operand */
	aim(t);
	if (t->mode != RVM_DEC_64)
		for (i = 0; i < 16; i++)
			t->gpr[i] = i < 8 ? (u32)t->gpr[i] : 0;
	aim_selectors(t);
	/* FS is the C library's */
	if (t->d.seg == RVM_FS)
		return false;
	/*
	 * A call from 32-bit to 64-bit code pushes with 64 bits of RSP, whose
	 * upper half the kernel's espfix has left pointing into itself, and the
	 * kernel takes the page fault for a spurious one, for ever.
	 */
	return t->d.op != RVM_OP_CALLF || t->mode == RVM_DEC_64 || t->ss == USER_DS;
}

/* ---- the interpreter's side ---- */

static bool interpret(const struct tcase *t, struct outcome *o)
{
	struct rvm_cpu *c = &w.cpu;
	u32 rounds = 0;
	int rc;

	memset(c, 0, sizeof(*c));
	memcpy(c->gpr, t->gpr, sizeof(c->gpr));
	c->rip = t->rip;
	c->rflags = t->rflags;
	c->cr0 = RVM_CR0_PE | RVM_CR0_MP | RVM_CR0_ET | RVM_CR0_NE | RVM_CR0_WP | RVM_CR0_AM |
		 RVM_CR0_PG;
	c->cr4 = RVM_CR4_PAE | RVM_CR4_OSFXSR | RVM_CR4_OSXMM | RVM_CR4_OSXSAVE;
	c->efer = RVM_EFER_LME | RVM_EFER_LMA | RVM_EFER_SCE;
	c->cpl = 3;
	seg_of(&c->seg[RVM_CS], t->cs);
	seg_of(&c->seg[RVM_SS], t->ss);
	seg_of(&c->seg[RVM_DS], t->ds);
	seg_of(&c->seg[RVM_ES], t->es);
	seg_of(&c->seg[RVM_GS], t->gs);
	if (t->mode == RVM_DEC_64)
		c->seg[RVM_GS].base = DATA;
	c->gdtr.base = GDT_AT;
	c->gdtr.limit = sizeof(gdt_image) - 1;
	c->seg[RVM_LDTR].base = LDT_AT;
	c->seg[RVM_LDTR].limit = sizeof(ldt_image) - 1;
	c->seg[RVM_LDTR].attr = RVM_SEG_P | 2;
	c->seg[RVM_TR].attr = RVM_SEG_P | 0xb;
	c->seg[RVM_TR].limit = 0x66;	/* the map is beyond the limit: no port allowed */

	w.hit_foreign = false;
	o->fault = -1;
	do {
		rc = rvm_insn_exec(&w.insn, &t->d);
	} while (rc == RVM_INSN_RETRY && !t->step && ++rounds < 100000);
	if (w.hit_foreign)
		return false;
	if (rc == RVM_INSN_FAULT && w.insn.fault.soft) {
		/* a trap: the kernel reports it with RIP behind the instruction */
		c->rip = rvm_next_rip(&w.insn, &t->d);
		rc = RVM_INSN_OK;
		o->fault = w.insn.fault.vector;
		o->error = o->cr2 = 0;
	} else if (rc == RVM_INSN_FAULT) {
		o->fault = w.insn.fault.vector;
		o->error = w.insn.fault.error;
		o->cr2 = w.insn.fault.cr2;
	} else if (rc != RVM_INSN_OK && rc != RVM_INSN_RETRY) {
		return false;
	}
	memcpy(o->gpr, c->gpr, sizeof(o->gpr));
	o->rflags = c->rflags;
	o->rip = c->rip;
	o->cs = c->seg[RVM_CS].sel;
	o->ss = c->seg[RVM_SS].sel;
	o->ds = c->seg[RVM_DS].sel;
	o->es = c->seg[RVM_ES].sel;
	o->gs = c->seg[RVM_GS].sel;
	return true;
}

/* ---- the native side ---- */

static const int greg_of[16] = {
	REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
	REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15,
};

static void to_frame(const struct tcase *t, ucontext_t *uc)
{
	greg_t *g = uc->uc_mcontext.gregs;
	u32 i;

	memset(native_code + 0x100, 0xcc, 32);
	memcpy(native_code + 0x100, t->bytes, t->d.len);
	for (i = 0; i < 16; i++)
		g[greg_of[i]] = t->gpr[i];
	g[REG_RIP] = t->rip;
	g[REG_EFL] = t->rflags;
	g[REG_CSGSFS] = (u64)t->ss << 48 | t->cs;
	asm volatile("mov %0, %%ds\n\tmov %1, %%es" :: "r" ((u32)t->ds), "r" ((u32)t->es));
	if (t->mode == RVM_DEC_64) {
		asm volatile("mov %0, %%gs" :: "r" (0));
		syscall(SYS_arch_prctl, ARCH_SET_GS, DATA);
	} else {
		asm volatile("mov %0, %%gs" :: "r" ((u32)t->gs));
	}
}

static void from_frame(const ucontext_t *uc, struct outcome *o)
{
	const greg_t *g = uc->uc_mcontext.gregs;
	u32 i;

	memset(o, 0, sizeof(*o));
	for (i = 0; i < 16; i++)
		o->gpr[i] = g[greg_of[i]];
	o->rip = g[REG_RIP];
	o->rflags = g[REG_EFL];
	o->cs = g[REG_CSGSFS];
	o->ss = (u64)g[REG_CSGSFS] >> 48;
	asm volatile("mov %%ds, %0\n\tmov %%es, %1\n\tmov %%gs, %2"
		     : "=r" (o->ds), "=r" (o->es), "=r" (o->gs));
	sticky = o->rflags & (RVM_FL_ID | RVM_FL_NT);
	o->fault = g[REG_TRAPNO];
	if (o->fault == 1 || o->fault == 3) {
		if (o->fault == 3)
			o->rip--;
		o->fault = -1;
		return;
	}
	o->error = g[REG_ERR];
	if (o->fault == RVM_PF)
		o->cr2 = g[REG_CR2];
}

static void print_state(const char *who, const struct outcome *o)
{
	u32 i;

	printf("#  %s: cs %x ss %x ds %x es %x gs %x\n", who, o->cs, o->ss, o->ds, o->es, o->gs);
	printf("#  %s: fault %d error %x cr2 %llx rip %llx rflags %llx\n#  ", who, o->fault, o->error,
	       (unsigned long long)o->cr2, (unsigned long long)o->rip,
	       (unsigned long long)o->rflags);
	for (i = 0; i < 16; i++)
		printf(" %llx", (unsigned long long)o->gpr[i]);
	printf("\n");
}

static void report(const char *what, const struct outcome *o)
{
	struct outcome in = { .fault = -1, .rip = tc.rip, .rflags = tc.rflags };
	u32 i;

	failures++;
	if (fails_of[tc.d.op]++ > 3 && !verbose)
		return;
	printf("# %s: case %llu seed %llu mode %u %s, %s:", what, (unsigned long long)done_cases,
	       (unsigned long long)seed, 16 << tc.mode, rvm_op_name(tc.d.op),
	       tc.step ? "stepped" : "int3");
	for (i = 0; i < tc.d.len; i++)
		printf(" %02x", tc.bytes[i]);
	printf("  ss %x ds %x es %x gs %x\n", tc.ss, tc.ds, tc.es, tc.gs);
	memcpy(in.gpr, tc.gpr, sizeof(in.gpr));
	print_state("before", &in);
	print_state("native", o);
	print_state("interp", &expect);
}

static bool same_sel(u16 a, u16 b)
{
	return a == b || (a < 4 && b < 4);
}

static void compare(const struct outcome *o)
{
	u64 mask = RVM_FL_ARITH | RVM_FL_DF | RVM_FL_AC | RVM_FL_TF | RVM_FL_IF | RVM_FL_IOPL |
		   RVM_FL_NT | RVM_FL_ID, regs = tc.mode == RVM_DEC_64 ? ~0ull : 0xffffffff;
	u32 i, n = tc.mode == RVM_DEC_64 ? 16 : 8;
	bool bad = false;

	compared++;
	per_mode[tc.mode]++;
	per_op[tc.d.op]++;
	/*
	 * RETF and IRET with more than one thing wrong: AMD's CPUs read the frame
	 * from its far end, so that the first fault is another.
	 */
	if ((tc.d.op == RVM_OP_RETF || tc.d.op == RVM_OP_IRET) && o->fault >= 0 &&
	    expect.fault >= 0)
		return;
	if (o->fault != expect.fault) {
		report("fault differs", o);
		memcpy(shadow, native_data, RW_LEN);
		return;
	}
	if (o->fault >= 0) {
		faulted++;
		if (o->error != expect.error || o->cr2 != expect.cr2) {
			report("error code or CR2 differs", o);
			return;
		}
	}
	/*
	 * A POPA or PUSHA that faults half-way has loaded some registers or
	 * stored some values on AMD's CPUs; rSP has not moved, so it restarts.
	 * A far CALL to an offset beyond the limit has pushed, too.
	 */
	if ((tc.d.op == RVM_OP_POPA || tc.d.op == RVM_OP_PUSHA ||
	     tc.d.op == RVM_OP_CALLF) && o->fault >= 0) {
		memcpy(shadow, native_data, RW_LEN);
		return;
	}
	for (i = 0; i < n; i++)
		if ((o->gpr[i] ^ expect.gpr[i]) &
		    (i == RVM_RSP && o->cs != USER_CS ? 0xffffffff : regs))
			bad = true;
	if (o->rip != expect.rip)
		bad = true;
	/* the kernel's own return to ring 3 takes the RPL off null selectors */
	if (o->cs != expect.cs || o->ss != expect.ss || !same_sel(o->ds, expect.ds) ||
	    !same_sel(o->es, expect.es) || !same_sel(o->gs, expect.gs))
		bad = true;
	mask &= ~undefined_flags(&tc.d);
	if ((o->rflags ^ expect.rflags) & mask)
		bad = true;
	if (bad)
		report("registers differ", o);
	if (memcmp(native_data, shadow, RW_LEN)) {
		report("memory differs", o);
		memcpy(shadow, native_data, RW_LEN);
	}
}

/* Next case that can be run; false at the end. */
static bool next_case(void)
{
	while (++done_cases <= want_cases) {
		if (only_case != ~0ull && done_cases < only_case)
			continue;
		if (only_case != ~0ull && done_cases > only_case)
			return false;
		if (!gen_case(&tc, done_cases) || !interpret(&tc, &expect)) {
			skipped++;
			memcpy(shadow, native_data, RW_LEN);
			continue;
		}
		return true;
	}
	return false;
}

__attribute__((noinline))
static void on_trap(ucontext_t *uc)
{
	struct outcome o;

	if (!started) {
		started = true;
		home = *uc;
	} else {
		from_frame(uc, &o);
		compare(&o);
	}
	if (next_case()) {
		if (getenv("TRACE"))
			fprintf(stderr, "%llu %s step %d len %d exp fault %d cs %x rip %llx bytes %02x %02x %02x %02x %02x\n",
				(unsigned long long)done_cases, rvm_op_name(tc.d.op), tc.step,
				tc.d.len, expect.fault, expect.cs, (unsigned long long)expect.rip,
				tc.bytes[0], tc.bytes[1], tc.bytes[2], tc.bytes[3], tc.bytes[4]);
		to_frame(&tc, uc);
	} else {
		memcpy(uc->uc_mcontext.gregs, home.uc_mcontext.gregs,
		       sizeof(uc->uc_mcontext.gregs));
		asm volatile("mov %0, %%ds\n\tmov %0, %%es" :: "r" (0));
	}
}

static u64 descriptor(u64 base, u64 limit, u64 attr)
{
	return (limit & 0xffff) | (base & 0xffffff) << 16 | (attr & 0xff) << 40 |
	       (limit & 0xf0000) << 32 | (attr & 0xf00) << 44 | (base >> 24) << 56;
}

/* The kernel leaves AC set in a handler: nothing compiled may run with it. */
static void handler(int sig, siginfo_t *si, void *ucv)
{
	asm volatile("pushfq\n\tandl $~0x40000, (%%rsp)\n\tpopfq" ::: "cc", "memory");
	on_trap(ucv);
}

static int setup(void)
{
	static const int sigs[] = { SIGTRAP, SIGSEGV, SIGILL, SIGFPE, SIGBUS };
	struct sigaction sa = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	stack_t ss = { .ss_size = ALT_LEN };
	u64 s = seed;
	u32 i;

	native_code = mmap((void *)CODE, CODE_LEN, PROT_READ | PROT_WRITE | PROT_EXEC,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	native_data = mmap((void *)DATA, DATA_LEN, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	ss.ss_sp = mmap(NULL, ALT_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (native_code != (void *)CODE || native_data != (void *)DATA || ss.ss_sp == MAP_FAILED)
		return -1;
	for (i = 0; i < DATA_LEN; i++)
		native_data[i] = shadow[i] = rnd(&s) >> 33;
	if (mprotect(native_data + RW_LEN, DATA_LEN - RW_LEN, PROT_READ))
		return -1;
	for (i = 0; i < NR_LDT; i++)
		if (syscall(SYS_modify_ldt, 0x11, &ldt[i].d, sizeof(ldt[i].d)))
			return -1;
	if (sigaltstack(&ss, NULL))
		return -1;
	sigfillset(&sa.sa_mask);
	for (i = 0; i < ARRAY_SIZE(sigs); i++)
		if (sigaction(sigs[i], &sa, NULL))
			return -1;
	world_init(&w);
	world_region(&w, DATA, RW_LEN, shadow, true);
	world_region(&w, DATA + RW_LEN, DATA_LEN - RW_LEN, shadow + RW_LEN, false);
	world_region(&w, GDT_AT, sizeof(gdt_image), (u8 *)gdt_image, false);
	world_region(&w, LDT_AT, sizeof(ldt_image), (u8 *)ldt_image, false);
	for (i = 0; i < NR_LDT; i++)
		ldt_image[i] = descriptor(ldt[i].base, ldt[i].limit, ldt[i].attr);
	/* the kernel's table; of the entries below ring 3 only type and DPL matter */
	gdt_image[1] = descriptor(0, 0xfffff, 0xc9b);
	gdt_image[2] = descriptor(0, 0xfffff, 0xa9b);
	gdt_image[3] = descriptor(0, 0xfffff, 0xc93);
	gdt_image[4] = descriptor(0, 0xfffff, 0xcfb);
	gdt_image[5] = descriptor(0, 0xfffff, 0xcf3);
	gdt_image[6] = descriptor(0, 0xfffff, 0xafb);
	gdt_image[8] = descriptor(0, 0x67, 0x8b);
	gdt_image[10] = descriptor(0, 0x37, 0x82);
	gdt_image[15] = descriptor(0, 0, 0x4f5);
	w.foreign = foreign;
	return 0;
}

int main(int argc, char **argv)
{
	u32 i, ops = 0;
	int c;

	while ((c = getopt(argc, argv, "n:s:m:x:v")) != -1) {
		switch (c) {
		case 'n':
			want_cases = strtoull(optarg, NULL, 0);
			break;
		case 's':
			seed = strtoull(optarg, NULL, 0);
			break;
		case 'm':
			only_mode = atoi(optarg) == 16 ? RVM_DEC_16 : atoi(optarg) == 32 ?
				    RVM_DEC_32 : RVM_DEC_64;
			break;
		case 'x':
			only_case = strtoull(optarg, NULL, 0);
			break;
		case 'v':
			verbose = true;
			break;
		default:
			return 2;
		}
	}
	printf("KTAP version 1\n");
	if (setup()) {
		printf("1..0 # SKIP no LDT or no fixed mappings: %s\n", strerror(errno));
		return 4;
	}
	printf("1..1\n");
	fflush(stdout);
	asm volatile("int3" ::: "memory");

	for (i = 0; i < RVM_NR_OPS; i++) {
		ops += per_op[i] != 0;
		if (fails_of[i])
			printf("# %llu of %llu failed: %s\n", (unsigned long long)fails_of[i],
			       (unsigned long long)per_op[i], rvm_op_name(i));
		if (verbose && per_op[i])
			printf("# %s %llu\n", rvm_op_name(i), (unsigned long long)per_op[i]);
	}
	printf("# seed %llu: %llu compared (16-bit %llu, 32-bit %llu, 64-bit %llu), %llu of them faults, %llu skipped, %u instructions\n",
	       (unsigned long long)seed, (unsigned long long)compared,
	       (unsigned long long)per_mode[0], (unsigned long long)per_mode[1],
	       (unsigned long long)per_mode[2], (unsigned long long)faulted,
	       (unsigned long long)skipped, ops);
	printf("%s 1 native_execution%s\n", failures ? "not ok" : "ok", "");
	return failures != 0;
}
