// SPDX-License-Identifier: GPL-2.0
/*
 * x87, MMX, SSE and AVX compared with the real CPU, in user mode.
 *
 * As native.c does it, with the registers of the floating-point and vector unit
 * in the signal frame.  The interpreter has its instructions executed by the
 * same unit, so what this tests is everything around it: decoding, operands,
 * memory, faults and their order, the x87 pointers, the state images.
 *
 *   fpu [-n cases] [-s seed] [-m 16|32|64] [-v] [-x case]
 */
#define _GNU_SOURCE
#include <asm/ldt.h>
#include <asm/prctl.h>
#include <cpuid.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>
#include "unit.h"

#define CODE		0x10000000ull
#define CODE_LEN	0x1000
#define DATA		0x20000000ull
#define DATA_LEN	0x3000		/* the last page is read-only */
#define RW_LEN		0x2000
#define ALT_LEN		(1 << 20)

enum { L_CODE16, L_CODE32, L_DATA32, L_DATA16, NR_LDT };
#define LDT(n)		((n) * 8 + 7)
#define USER32_CS	0x23
#define USER_DS		0x2b
#define USER_CS		0x33

static const struct {
	u32 base, limit, attr;
	struct user_desc d;
} ldt[NR_LDT] = {
#define SEG(n, b, l, big, cont, at) \
	[n] = { b, l, RVM_SEG_P | RVM_SEG_S | RVM_SEG_DPL | RVM_SEG_A | RVM_SEG_W | (at) | \
		((big) ? RVM_SEG_DB : 0), \
		{ .entry_number = n, .base_addr = b, .limit = l, .seg_32bit = big, \
		  .contents = cont, .useable = 1 } }
	SEG(L_CODE16, CODE, 0xfff, 0, 2, RVM_SEG_CODE),
	SEG(L_CODE32, CODE, 0xfff, 1, 2, RVM_SEG_CODE),
	SEG(L_DATA32, DATA, 0x17fd, 1, 0, 0),
	SEG(L_DATA16, DATA, 0x2fff, 0, 0, 0),
};

struct outcome {
	int fault;		/* vector, or -1 */
	u32 error;
	u64 cr2;
	u64 gpr[16];
	u64 rflags, rip;
	struct unit_image x;
};

static struct {
	u32 mode;
	u8 bytes[RVM_INSN_MAX];
	struct rvm_decoded d;
	u64 gpr[16], rflags, rip;
	u16 cs, ss, ds;
	bool step;
	struct unit_image x;
} tc;

static struct world w;
static struct unit_image unit;
static u8 shadow[DATA_LEN], before[DATA_LEN];
static u8 *native_data, *native_code;
static u64 seed = 1, want = 200000, only_case = ~0ull, rs, host_xcr0;
static int only_mode = -1;
static bool verbose;
static u64 nr, compared, faulted, skipped, undecided, failures, per_op[RVM_NR_OPS], fails_of[RVM_NR_OPS];
static u64 per_vector[32];
static struct outcome native, interp;

/* ---- the native side ---- */

static const int greg_of[16] = {
	REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
	REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15,
};

static bool in_case;
static greg_t home_regs[NGREG];
static u8 home_x[4096] __attribute__((aligned(64)));

/* Bytes 464..511 of the image in a frame are the kernel's. */
static void x_to_frame(ucontext_t *uc, const struct unit_image *x)
{
	u8 *f = (u8 *)uc->uc_mcontext.fpregs;
	u64 bv;

	memcpy(f, x, 464);
	memcpy(&bv, f + 512, 8);
	bv |= UNIT_MASK;
	memcpy(f + 512, &bv, 8);
	memcpy(f + 576, x->ymm, sizeof(x->ymm));
}

static void x_from_frame(const ucontext_t *uc, struct unit_image *x)
{
	const u8 *f = (const u8 *)uc->uc_mcontext.fpregs;
	u64 bv;

	memcpy(x, f, 464);
	memcpy(&bv, f + 512, 8);
	memset(x->ymm, 0, sizeof(x->ymm));
	if (bv & 4)
		memcpy(x->ymm, f + 576, sizeof(x->ymm));
	/* what is in its initial state the kernel's XSAVE has written nonetheless */
}

static void on_trap(ucontext_t *uc)
{
	greg_t *g = uc->uc_mcontext.gregs;
	u32 i;

	if (!in_case) {
		in_case = true;
		memcpy(home_regs, g, sizeof(home_regs));
		memcpy(home_x, uc->uc_mcontext.fpregs, 832);
		for (i = 0; i < 16; i++)
			g[greg_of[i]] = tc.gpr[i];
		g[REG_RIP] = tc.rip;
		g[REG_EFL] = tc.rflags;
		g[REG_CSGSFS] = (u64)tc.ss << 48 | tc.cs;
		x_to_frame(uc, &tc.x);
		asm volatile("mov %0, %%ds\n\tmov %0, %%es" :: "r" ((u32)tc.ds));
		return;
	}
	in_case = false;
	asm volatile("mov %0, %%ds\n\tmov %0, %%es" :: "r" (0));
	native.fault = g[REG_TRAPNO];
	native.rip = g[REG_RIP];
	native.rflags = g[REG_EFL];
	native.error = g[REG_ERR];
	native.cr2 = g[REG_CR2];
	for (i = 0; i < 16; i++)
		native.gpr[i] = g[greg_of[i]];
	x_from_frame(uc, &native.x);
	if (native.fault == 1 || native.fault == 3) {
		native.rip -= native.fault == 3;
		native.fault = -1;
	}
	memcpy(g, home_regs, sizeof(home_regs));
	memcpy(uc->uc_mcontext.fpregs, home_x, 832);
}

/* The kernel leaves AC set in a handler: nothing compiled may run with it. */
static void handler(int sig, siginfo_t *si, void *ucv)
{
	asm volatile("pushfq\n\tandl $~0x40000, (%%rsp)\n\tpopfq" ::: "cc", "memory");
	if (in_case || !unit_signal(ucv))
		on_trap(ucv);
}

static void run_native(void)
{
	memset(native_code + 0x100, 0xcc, 32);
	memcpy(native_code + 0x100, tc.bytes, tc.d.len);
	asm volatile("int3" ::: "memory");
}

/* ---- the interpreter's side ---- */

static void seg_of(struct rvm_seg *s, u16 sel)
{
	memset(s, 0, sizeof(*s));
	s->sel = sel;
	if (sel & 4) {
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

static bool interpret(void)
{
	struct rvm_cpu *c = &w.cpu;
	u32 rounds = 0;
	int rc;

	memset(c, 0, sizeof(*c));
	memcpy(c->gpr, tc.gpr, sizeof(c->gpr));
	c->rip = tc.rip;
	c->rflags = tc.rflags;
	c->cr0 = RVM_CR0_PE | RVM_CR0_MP | RVM_CR0_ET | RVM_CR0_NE | RVM_CR0_WP | RVM_CR0_AM |
		 RVM_CR0_PG;
	c->cr4 = RVM_CR4_PAE | RVM_CR4_OSFXSR | RVM_CR4_OSXMM | RVM_CR4_OSXSAVE;
	c->efer = RVM_EFER_LME | RVM_EFER_LMA | RVM_EFER_SCE;
	c->xcr0 = host_xcr0;
	c->cpl = 3;
	seg_of(&c->seg[RVM_CS], tc.cs);
	seg_of(&c->seg[RVM_SS], tc.ss);
	seg_of(&c->seg[RVM_DS], tc.ds);
	seg_of(&c->seg[RVM_ES], tc.ds);

	unit = tc.x;
	unit.bv = UNIT_MASK;
	/* an image does not always carry these (AMD's CPUs) */
	w.insn.x87 = (struct rvm_x87){
		.soft = true, .fip = tc.x.fip, .fdp = tc.x.fdp, .fop = tc.x.fop,
	};
	w.hit_foreign = false;
	do {
		rc = rvm_insn_exec(&w.insn, &tc.d);
	} while (rc == RVM_INSN_RETRY && !tc.step && ++rounds < 1000);
	if (w.hit_foreign)
		return false;
	if (rc == RVM_INSN_FAULT) {
		interp.fault = w.insn.fault.vector;
		interp.error = w.insn.fault.error;
		interp.cr2 = w.insn.fault.cr2;
	} else if (rc == RVM_INSN_OK || rc == RVM_INSN_RETRY) {
		interp.fault = -1;
	} else {
		return false;
	}
	if (rvm_insn_settle_x87(&w.insn))
		abort();
	memcpy(interp.gpr, c->gpr, sizeof(interp.gpr));
	interp.rflags = c->rflags;
	interp.rip = c->rip;
	interp.x = unit;
	return true;
}

/* ---- generation ---- */

static u64 fp_bits(void)
{
	u64 r = rnd(&rs);
	static const u64 fav[] = {
		0, 0x8000000000000000ull, 0x3ff0000000000000ull, 0x3f8000003f800000ull,
		0x7ff0000000000000ull, 0x7f8000007f800000ull, 0xfff8000000000000ull,
		0x7ff4000000000000ull, 0x7fa000007fa00001ull, 1, 0x000fffffffffffffull,
		0x0000000100000001ull, 0x7fefffffffffffffull, 0x7f7fffff7f7fffffull,
		0x41efffffffe00000ull, 0x4f0000004effffffull, 0xffffffffffffffffull,
		0x0010000000000000ull, 0x0080000000800000ull, 0x4340000000000001ull,
	};

	switch (r & 3) {
	case 0:
		return fav[(r >> 8) % ARRAY_SIZE(fav)];
	case 1:
		return (r & 0x800ffffffffffff0ull) | 0x3f00000000000000ull |
		       (rnd(&rs) & 0x00f0000000000000ull);
	default:
		return rnd(&rs);
	}
}

static u16 ext_exp(void)
{
	static const u16 fav[] = { 0, 0x7fff, 0x3fff, 0x3ffe, 0x4000, 0x3f80, 0x3c00, 0x43ff,
				   0x407f, 0x403e, 0x3fde, 0x8000, 0xbfff, 0xffff, 1, 0x7ffe };
	u64 r = rnd(&rs);

	return r & 1 ? fav[(r >> 8) % ARRAY_SIZE(fav)] : r >> 8;
}

static void gen_unit(struct unit_image *x)
{
	u64 r = rnd(&rs);
	u32 i;

	memset(x, 0, sizeof(*x));
	x->fcw = r & 3 ? 0x37f : (r >> 8 & 0x1f3f) | 0x40;
	x->fsw = r >> 24 & 0x3800;
	if ((r >> 2 & 3) == 0)
		x->fsw |= rnd(&rs) & 0x477f;
	if (x->fsw & ~x->fcw & 0x3f)
		x->fsw |= 0x8080;
	x->ftw = r >> 4 & 1 ? rnd(&rs) >> 20 : 0xff;
	x->fop = rnd(&rs) & 0x7ff;
	x->fip = rnd(&rs) >> 16;
	x->fdp = rnd(&rs) >> 16;
	if (tc.mode != RVM_DEC_64) {
		x->fip = (u32)x->fip;
		x->fdp = (u32)x->fdp;
	}
	x->mxcsr = 0x1f80;
	if ((r >> 5 & 3) == 0)
		x->mxcsr = rnd(&rs) & 0xffff;
	if ((r >> 7 & 7) == 0)
		x->mxcsr |= 1 << 17;		/* MM */
	x->mxcsr_mask = 0;
	for (i = 0; i < 8; i++) {
		u64 m = fp_bits();
		u16 e = ext_exp();

		if (r >> 50 & 3)
			m |= 1ull << 63;
		memcpy(x->st[i], &m, 8);
		memcpy(x->st[i] + 8, &e, 2);
	}
	for (i = 0; i < 16; i++) {
		u64 v[4] = { fp_bits(), fp_bits(), fp_bits(), fp_bits() };

		memcpy(x->xmm[i], v, 16);
		memcpy(x->ymm[i], v + 2, 16);
	}
}

static u64 data_target(u32 size)
{
	u64 r = rnd(&rs);

	switch (r & 15) {
	case 0:		/* across the two pages */
		return DATA + 0x1000 - (r >> 32 & 31);
	case 1:		/* across the border to the read-only page */
		return DATA + RW_LEN - (r >> 32 & 31);
	case 2:		/* across the end */
		return DATA + DATA_LEN - (r >> 32 & 63);
	case 3:
		return DATA + (r >> 32) % DATA_LEN;
	case 4:
		return DATA + RW_LEN - size;
	default:
		return DATA + (((r >> 32) % (RW_LEN - 64)) & ~(u64)(size - 1));
	}
}

static void gen_bytes(void)
{
	static const u8 pfx[] = { 0x66, 0xf2, 0xf3 };
	u32 i, n = 0, at;
	u64 r = rnd(&rs);

	for (i = 0; i < RVM_INSN_MAX; i++)
		tc.bytes[i] = rnd(&rs) >> 40;
	if ((r >> 40 & 15) == 0)
		tc.bytes[n++] = 0x67;
	switch (r & 7) {
	case 0:
	case 1:		/* x87 */
		if ((r >> 8 & 15) == 0)
			tc.bytes[n++] = 0x66;
		if ((r >> 12 & 7) == 0 && tc.mode == RVM_DEC_64)
			tc.bytes[n++] = 0x40 | (r >> 16 & 15);
		tc.bytes[n++] = 0xd8 | (r >> 20 & 7);
		return;
	case 2:		/* FXSAVE, XSAVE.. */
		if ((r >> 8 & 3) == 0) {
			if ((r >> 12 & 1) && tc.mode == RVM_DEC_64)
				tc.bytes[n++] = 0x48 | (r >> 16 & 7);
			tc.bytes[n++] = 0x0f;
			tc.bytes[n++] = r >> 20 & 7 ? 0xae : 0xc7;
			return;
		}
		break;
	case 3:
	case 4:		/* VEX */
		at = n;
		tc.bytes[n] = r >> 8 & 1 ? 0xc4 : 0xc5;
		if (tc.bytes[n++] == 0xc4) {
			tc.bytes[n] = (tc.bytes[n] & 0xe0) | (1 + (r >> 9) % 3);
			if (tc.mode != RVM_DEC_64)
				tc.bytes[n] |= 0xc0;
			n++;
		} else if (tc.mode != RVM_DEC_64) {
			tc.bytes[n] |= 0xc0;
		}
		if ((r >> 52 & 7) == 0) {
			static const u8 fav[] = { 0x90, 0x91, 0x92, 0x93, 0x2c, 0x2d, 0x2e, 0x2f,
						  0x8c, 0x8e };

			n = at;
			tc.bytes[n++] = 0xc4;
			tc.bytes[n++] = tc.mode == RVM_DEC_64 ? (r >> 16 & 0xe0) | 2 : 0xe2;
			tc.bytes[n] = (tc.bytes[n] & ~3) | 1;
			tc.bytes[++n] = fav[(r >> 55) % ARRAY_SIZE(fav)];
			/* VSIB */
			if ((tc.bytes[n] & 0xfc) == 0x90)
				tc.bytes[n + 1] = (tc.bytes[n + 1] & 0x38) | 0x44;
			return;
		}
		/* vvvv is 1111 for the many that do not use it */
		if (r >> 16 & 1)
			tc.bytes[n] |= 0x78;
		return;
	}
	if (r >> 24 & 1)
		tc.bytes[n++] = pfx[(r >> 28) % 3];
	if ((r >> 32 & 1) && tc.mode == RVM_DEC_64)
		tc.bytes[n++] = 0x40 | (r >> 36 & 15);
	tc.bytes[n++] = 0x0f;
	if ((r >> 48 & 3) == 0) {
		tc.bytes[n++] = r >> 50 & 1 ? 0x38 : 0x3a;
		if (r >> 51 & 1)
			tc.bytes[n] &= 0x6f;
	}
}

static bool wanted(const struct rvm_decoded *d)
{
	if (d->op < RVM_OP_X87 || d->op == RVM_OP_EVEX || d->op == RVM_OP_XOP ||
	    d->op == RVM_OP_OPMASK || d->op == RVM_OP_3DNOW)
		return false;
	return d->seg != RVM_FS && d->seg != RVM_GS;
}

static u64 seg_base(u32 seg)
{
	u16 sel = seg == RVM_SS ? tc.ss : seg == RVM_CS ? tc.cs : tc.ds;

	return sel & 4 ? ldt[sel >> 3].base : 0;
}

static bool has_mem(const struct rvm_decoded *d)
{
	return rvm_is_mem_operand(d);
}

static void plant(u64 gla, const void *val, u32 len)
{
	if (gla - DATA > RW_LEN - len)
		return;
	memcpy(native_data + (gla - DATA), val, len);
	memcpy(shadow + (gla - DATA), val, len);
}

static void plant_image(u64 gla)
{
	struct unit_image x;
	u64 r = rnd(&rs), h[8] = { 0 };

	gen_unit(&x);
	x.mxcsr_mask = r;
	if ((r & 7) == 0)
		x.mxcsr ^= 1u << (r >> 8 & 31);
	h[0] = r >> 16 & 7;
	if ((r >> 20 & 3) == 0)
		h[1] = 1ull << 63 | (r >> 24 & 7) | h[0];
	if ((r >> 28 & 15) == 0)
		h[r >> 32 & 7] ^= 1ull << (r >> 36 & 63);
	memcpy(&x.bv, h, sizeof(h));
	plant(gla, &x, 832);
}

static void aim(void)
{
	const struct rvm_decoded *d = &tc.d;
	u64 r = rnd(&rs), target, ea, v[4];
	u32 i, size = 1;

	if (d->op == RVM_OP_MASKMOV)
		tc.gpr[RVM_RDI] = data_target(1) - seg_base(d->seg);
	if (d->op >= RVM_OP_FXSAVE && d->op <= RVM_OP_XRSTOR) {
		tc.gpr[RVM_RAX] = r >> 8 & 7;
		tc.gpr[RVM_RDX] = 0;
		size = r >> 12 & 7 ? 64 : 1;
	}
	if (!has_mem(d) || (r & 31) == 0)
		return;
	if (d->op == RVM_OP_GATHER) {
		for (i = 0; i < 4; i++) {
			u8 *half = i & 2 ? tc.x.ymm[d->index >> 3] : tc.x.xmm[d->index >> 3];
			u64 v = (s64)(rnd(&rs) % 48) - 8;

			if (!(d->opcode & 1))
				v = (u32)v | (rnd(&rs) % 48) << 32;
			if ((rnd(&rs) & 31) == 0)
				v = rnd(&rs);
			memcpy(half + 8 * (i & 1), &v, 8);
		}
		if (d->base < RVM_BASE_RIP)
			tc.gpr[d->base >> 3] = data_target(4) - seg_base(d->seg) - d->disp;
		return;
	}
	for (i = 0; i < RVM_NR_OPERANDS; i++)
		if (d->opnd[i].kind == RVM_K_MEM && d->opnd[i].size)
			size = d->opnd[i].size;
	target = data_target(size & (size - 1) ? 1 : size);
	if ((r >> 20 & 7) == 0)
		target += r >> 24 & 15;
	if (d->op >= RVM_OP_FXSAVE && d->op <= RVM_OP_XRSTOR) {
		plant_image(target);
	} else if (d->op == RVM_OP_X87 && size > 10) {
		for (i = 0; i < size; i += 8) {
			v[0] = fp_bits();
			plant(target + i, v, 8);
		}
	} else if (r >> 28 & 7) {
		for (i = 0; i < 4; i++)
			v[i] = fp_bits();
		if (d->op == RVM_OP_LDMXCSR)
			v[0] &= r >> 32 & 3 ? 0xffff : ~0ull;
		plant(target, v, size < 32 ? size : 32);
		if (size == 10) {
			u16 e = ext_exp();

			plant(target + 8, &e, 2);
		}
	}
	target -= seg_base(d->seg);
	memcpy(w.cpu.gpr, tc.gpr, sizeof(tc.gpr));
	w.cpu.rip = tc.rip;
	ea = rvm_ea(&w.insn, d);
	if (d->base < RVM_BASE_RIP) {
		tc.gpr[d->base >> 3] += target - ea;
	} else if (d->index != RVM_BASE_NONE && !d->scale) {
		tc.gpr[d->index >> 3] += target - ea;
	} else {
		u32 new = d->disp + (target - ea), have = d->disp;

		for (i = 1; i + 4 <= d->len; i++)
			if (!memcmp(tc.bytes + i, &have, 4)) {
				memcpy(tc.bytes + i, &new, 4);
				break;
			}
		rvm_insn_decode(tc.bytes, RVM_INSN_MAX, tc.mode, &tc.d);
	}
}

static bool gen_case(void)
{
	u64 r;
	u32 i;

	rs = (seed + nr) * 0x9e3779b97f4a7c15ull | 1;
	for (i = 0; i < 4; i++)
		rnd(&rs);
	r = rnd(&rs);
	memset(&tc, 0, sizeof(tc));
	tc.mode = only_mode >= 0 ? (u32)only_mode : (r & 7) == 0 ? RVM_DEC_16 :
		  (r & 7) < 3 ? RVM_DEC_32 : RVM_DEC_64;
	tc.step = r >> 8 & 1;
	do {
		gen_bytes();
	} while (rvm_insn_decode(tc.bytes, RVM_INSN_MAX, tc.mode, &tc.d) != RVM_DECODE_OK ||
		 !wanted(&tc.d));
	tc.cs = USER_CS;
	tc.ss = tc.ds = USER_DS;
	tc.rip = CODE + 0x100;
	if (tc.mode != RVM_DEC_64) {
		static const u16 segs[] = { USER_DS, USER_DS, LDT(L_DATA32), LDT(L_DATA16) };

		tc.cs = tc.mode == RVM_DEC_16 ? LDT(L_CODE16) :
			r >> 9 & 1 ? USER32_CS : LDT(L_CODE32);
		if (tc.cs & 4)
			tc.rip = 0x100;
		tc.ss = segs[r >> 12 & 3];
		tc.ds = segs[r >> 16 & 3];
	}
	for (i = 0; i < 16; i++) {
		tc.gpr[i] = rnd(&rs) >> (rnd(&rs) & 63);
		if (tc.mode != RVM_DEC_64)
			tc.gpr[i] = i < 8 ? (u32)tc.gpr[i] : 0;
	}
	tc.rflags = RVM_FL_FIXED | RVM_FL_IF | (r >> 24 & RVM_FL_ARITH);
	if ((r >> 20 & 7) == 0)
		tc.rflags |= RVM_FL_AC;
	if (tc.step)
		tc.rflags |= RVM_FL_TF;
	gen_unit(&tc.x);
	aim();
	if (tc.mode != RVM_DEC_64)
		for (i = 0; i < 16; i++)
			tc.gpr[i] = i < 8 ? (u32)tc.gpr[i] : 0;
	/* components that are not in our image, where RAX is part of the address */
	return (tc.d.op != RVM_OP_XSAVE && tc.d.op != RVM_OP_XRSTOR) ||
	       !(((u32)tc.gpr[RVM_RAX] | tc.gpr[RVM_RDX] << 32) & host_xcr0 & ~UNIT_MASK);
}

/* ---- comparison ---- */

static void show(const char *who, const struct outcome *o)
{
	u32 i, k;

	printf("#  %s: fault %d error %x cr2 %llx rip %llx flags %llx", who, o->fault,
	       o->error, (unsigned long long)o->cr2, (unsigned long long)o->rip,
	       (unsigned long long)o->rflags);
	printf(" fcw %x fsw %x ftw %x fop %x fip %llx fdp %llx mxcsr %x\n", o->x.fcw, o->x.fsw,
	       o->x.ftw, o->x.fop, (unsigned long long)o->x.fip, (unsigned long long)o->x.fdp,
	       o->x.mxcsr);
	for (i = 0; i < 16; i++)
		if (native.gpr[i] != interp.gpr[i])
			printf("#    gpr %u %llx\n", i, (unsigned long long)o->gpr[i]);
	for (i = 0; i < 8; i++)
		if (memcmp(native.x.st[i], interp.x.st[i], 10)) {
			printf("#    st%u ", i);
			for (k = 10; k-- > 0;)
				printf("%02x", o->x.st[i][k]);
			printf("\n");
		}
	for (i = 0; i < 16; i++)
		if (memcmp(native.x.xmm[i], interp.x.xmm[i], 16) ||
		    memcmp(native.x.ymm[i], interp.x.ymm[i], 16)) {
			printf("#    ymm%u ", i);
			for (k = 16; k-- > 0;)
				printf("%02x", o->x.ymm[i][k]);
			printf(":");
			for (k = 16; k-- > 0;)
				printf("%02x", o->x.xmm[i][k]);
			printf("\n");
		}
}

static void report(const char *what)
{
	struct outcome in = { .fault = -1, .rip = tc.rip, .rflags = tc.rflags };
	u32 i;

	failures++;
	if (fails_of[tc.d.op]++ > 4 && !verbose)
		return;
	printf("# %s: differs: case %llu seed %llu mode %u %s, %s:", what, (unsigned long long)nr,
	       (unsigned long long)seed, 16 << tc.mode, rvm_op_name(tc.d.op),
	       tc.step ? "stepped" : "int3");
	for (i = 0; i < tc.d.len; i++)
		printf(" %02x", tc.bytes[i]);
	printf("  ss %x ds %x", tc.ss, tc.ds);
	if (has_mem(&tc.d)) {
		memcpy(w.cpu.gpr, tc.gpr, sizeof(tc.gpr));
		w.cpu.rip = tc.rip;
		printf(" seg %u ea %llx size %u", tc.d.seg,
		       (unsigned long long)rvm_ea(&w.insn, &tc.d),
		       tc.d.opnd[0].kind == RVM_K_MEM ? tc.d.opnd[0].size :
		       tc.d.opnd[1].kind == RVM_K_MEM ? tc.d.opnd[1].size : tc.d.opnd[2].size);
	}
	printf("\n");
	memcpy(in.gpr, tc.gpr, sizeof(in.gpr));
	in.x = tc.x;
	show("before", &in);
	show("native", &native);
	show("interp", &interp);
}

/* What differs, or NULL. */
static const char *difference(void)
{
	u64 flags = RVM_FL_ARITH | RVM_FL_DF | RVM_FL_AC | RVM_FL_TF | RVM_FL_IF;
	u64 regs = tc.mode == RVM_DEC_64 ? ~0ull : 0xffffffff;
	const struct unit_image *n = &native.x, *i = &interp.x;
	u32 k;

	if (native.fault != interp.fault)
		return "fault";
	if (native.fault >= 0 && (native.error != interp.error ||
				  (native.fault == RVM_PF && native.cr2 != interp.cr2)))
		return "error code or CR2";
	/* the kernel's way back from an LDT stack leaves the upper half of RSP behind */
	for (k = 0; k < 16; k++)
		if ((native.gpr[k] ^ interp.gpr[k]) & regs)
			return "registers";
	if (native.rip != interp.rip || ((native.rflags ^ interp.rflags) & flags))
		return "RIP or flags";
	if (n->fcw != i->fcw || n->fsw != i->fsw || n->ftw != i->ftw || n->mxcsr != i->mxcsr)
		return "control or status";
	if (memcmp(n->xmm, i->xmm, sizeof(n->xmm)) || memcmp(n->ymm, i->ymm, sizeof(n->ymm)))
		return "vector registers";
	for (k = 0; k < 8; k++)
		if (memcmp(n->st[k], i->st[k], 10))
			return "x87 registers";
	/* without a pending exception AMD's images have zeros there */
	if ((n->fsw & 0x80 || n->fop || n->fip || n->fdp) &&
	    (n->fop != i->fop || n->fip != i->fip || n->fdp != i->fdp))
		return "x87 pointers";
	if (memcmp(native_data, shadow, RW_LEN))
		return "memory";
	return NULL;
}

static void report_memory(void)
{
	u32 i, at = 0;

	for (i = 0; i < RW_LEN && at < 12; i++) {
		if (native_data[i] == shadow[i])
			continue;
		if (fails_of[tc.d.op] < 5)
			printf("#    at %llx before %02x native %02x interp %02x\n",
			       (unsigned long long)DATA + i, before[i], native_data[i], shadow[i]);
		at++;
	}
}

/*
 * What the manuals leave open for save areas.  One of which a part lies behind the
 * segment's limit and another on a page that faults: which of the two is reported is
 * each processor's own business (SDM vol. 3 §6.9, faults on executing an
 * instruction).  And one that goes on past the last 16-bit offset: where.
 */
static bool left_open(void)
{
	bool area = tc.d.op == RVM_OP_FXSAVE || tc.d.op == RVM_OP_FXRSTOR ||
		tc.d.op == RVM_OP_XSAVE || tc.d.op == RVM_OP_XRSTOR;
	bool n_limit = native.fault == RVM_GP || native.fault == RVM_SSF;
	bool i_limit = interp.fault == RVM_GP || interp.fault == RVM_SSF;
	bool n_page = native.fault == RVM_PF, i_page = interp.fault == RVM_PF;

	if (!area)
		return false;
	if (n_page && i_page)
		return tc.d.asize == 2 && native.error == interp.error &&
			!((native.cr2 ^ interp.cr2) & 0xffff);
	return (n_page && i_limit) || (n_limit && i_page);
}

/*
 * A preemption just before the native run takes the x87 pointers away on AMD's
 * CPUs: what differs must do so again.
 */
static void compare(void)
{
	const char *what;
	u32 tries = 0;

	while ((what = difference()) && ++tries < 20) {
		memcpy(native_data, before, RW_LEN);
		memcpy(shadow, before, RW_LEN);
		interpret();
		run_native();
	}
	compared++;
	per_op[tc.d.op]++;
	if (native.fault >= 0) {
		faulted++;
		per_vector[native.fault & 31]++;
	}
	if (what && left_open()) {
		undecided++;
		memcpy(shadow, native_data, RW_LEN);
	} else if (what) {
		report(what);
		report_memory();
		memcpy(shadow, native_data, RW_LEN);
	}
}

static int setup(void)
{
	static const int sigs[] = { SIGTRAP, SIGSEGV, SIGILL, SIGFPE, SIGBUS };
	struct sigaction sa = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	stack_t ss = { .ss_size = ALT_LEN };
	u64 s = seed;
	u32 i, lo, hi;

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
	asm volatile("xgetbv" : "=a" (lo), "=d" (hi) : "c" (0));
	host_xcr0 = lo | (u64)hi << 32;
	unit_setup(false);
	world_init(&w);
	unit_attach(&w, &unit);
	world_region(&w, DATA, RW_LEN, shadow, true);
	world_region(&w, DATA + RW_LEN, DATA_LEN - RW_LEN, shadow + RW_LEN, false);
	return 0;
}

/* Addresses at which this process, or the kernel, may have something of its own. */
static bool foreign(u64 gla)
{
	if (gla - CODE < CODE_LEN)
		return true;
	return gla < 0x10000 || gla >= 0xf0000000ull;
}

static bool can_run(void)
{
	u32 a, b, c, d;

	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE) || !(c & bit_AVX))
		return false;
	return true;
}

int main(int argc, char **argv)
{
	u32 i;
	int c;

	while ((c = getopt(argc, argv, "n:s:m:x:v")) != -1) {
		switch (c) {
		case 'n':
			want = strtoull(optarg, NULL, 0);
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
	if (!can_run() || setup()) {
		printf("1..0 # SKIP no AVX, no LDT or no fixed mappings: %s\n", strerror(errno));
		return 4;
	}
	w.foreign = foreign;
	printf("1..1\n");
	fflush(stdout);
	for (nr = 1; nr <= want; nr++) {
		if (only_case != ~0ull && nr != only_case)
			continue;
		if (gen_case())
			memcpy(before, native_data, RW_LEN);
		else
			continue;
		if (!interpret()) {
			skipped++;
			memcpy(shadow, native_data, RW_LEN);
			continue;
		}
		run_native();
		compare();
	}
	for (i = 0; i < RVM_NR_OPS; i++) {
		if (fails_of[i])
			printf("# %llu of %llu failed: %s\n", (unsigned long long)fails_of[i],
			       (unsigned long long)per_op[i], rvm_op_name(i));
		else if (verbose && per_op[i])
			printf("# %s %llu\n", rvm_op_name(i), (unsigned long long)per_op[i]);
	}
	printf("# seed %llu: %llu compared, %llu of them faults (", (unsigned long long)seed,
	       (unsigned long long)compared, (unsigned long long)faulted);
	for (i = 0; i < 32; i++)
		if (per_vector[i])
			printf("%u: %llu ", i, (unsigned long long)per_vector[i]);
	printf("), %llu left open, %llu skipped\n", (unsigned long long)undecided,
	       (unsigned long long)skipped);
	printf("%s 1 native_unit\n", failures ? "not ok" : "ok");
	return failures != 0;
}
