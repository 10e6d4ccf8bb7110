// SPDX-License-Identifier: GPL-2.0
/*
 * Instructions that move the state of the floating-point and vector unit as a
 * whole: FNSTENV, FNSAVE, FXSAVE, XSAVE and what loads them.
 *
 * The unit's own state always travels in the 64-bit format of FXSAVE; the
 * format that the guest's mode asks for is made here, and the addresses of the
 * last instruction and operand are put in from insn->x87.
 */
#include "fpu.h"

/* The present state, the guest's in every field. */
int rvm_fx_get(struct rvm_insn *insn, struct rvm_fx *fx)
{
	const struct rvm_x87 *x = &insn->x87;
	struct rvm_fpu_job j;

	BUILD_BUG_ON(sizeof(*fx) != RVM_FX_SIZE);
	/* AMD's CPUs without XSAVEERPTR do not write the pointers (APM vol. 5, FXSAVE) */
	memset(insn->fpu_area, 0, RVM_FX_LEGACY);
	TRY(rvm_job_run_bytes(insn, &j, "\x48\x0f\xae\x06", 4));	/* FXSAVE64 */
	memcpy(fx, j.mem, sizeof(*fx));
	if (x->soft) {
		fx->fop = x->fop & 0x7ff;
		fx->fip = x->fip;
		fx->fdp = x->fdp;
	}
	return 0;
}

/* #GP comes from reserved bits of MXCSR. */
int rvm_fx_set(struct rvm_insn *insn, const struct rvm_fx *fx)
{
	struct rvm_fpu_job j;

	memcpy(insn->fpu_area, fx, sizeof(*fx));
	TRY(rvm_job_run_bytes(insn, &j, "\x48\x0f\xae\x0e", 4));	/* FXRSTOR64 */
	insn->x87.fsw_known = false;
	return 0;
}

int rvm_insn_settle_x87(struct rvm_insn *insn)
{
	const struct rvm_x87 *x = &insn->x87;
	/* FNSTENV's format of 32-bit code: an initial state, and the pointers */
	u32 env[7] = { 0xffff037f, 0xffff0000, 0xffffffff };
	struct rvm_fpu_job j;
	struct rvm_fx fx;

	if (!x->soft)
		return 0;
	env[3] = x->fip;
	env[4] = x->fcs | (u32)(x->fop & 0x7ff) << 16;
	env[5] = x->fdp;
	env[6] = 0xffff0000 | x->fds;
	TRY(rvm_fx_get(insn, &fx));
	/*
	 * FXRSTOR loads them on Intel's CPUs, on AMD's with an exception pending alone
	 * (APM vol. 5, FXRSTOR): before it, FLDENV does so everywhere.  FNINIT clears them
	 * for an emulated CPU on which neither does.
	 */
	memcpy(insn->fpu_area, env, sizeof(env));
	TRY(rvm_job_run_bytes(insn, &j, "\xdb\xe3\xd9\x26", 4));
	TRY(rvm_fx_set(insn, &fx));
	insn->x87.soft = false;
	return 0;
}

int rvm_x87_take_pointers(struct rvm_insn *insn)
{
	struct rvm_x87 *x = &insn->x87;
	struct rvm_fpu_job j;
	struct rvm_fx fx;
	u32 e[7];

	if (likely(x->soft))
		return 0;
	/*
	 * AMD's images have zeros there unless an exception is pending; FNSTENV
	 * has the truth, in 32 bits.  FLDENV undoes what else it does.
	 */
	TRY(rvm_fx_get(insn, &fx));
	TRY(rvm_job_run_bytes(insn, &j, "\xd9\x36\xd9\x26", 4));
	memcpy(e, j.mem, sizeof(e));
	x->fip = (u32)fx.fip == e[3] ? fx.fip : e[3];
	x->fdp = (u32)fx.fdp == e[5] ? fx.fdp : e[5];
	x->fcs = e[4];
	x->fds = e[6];
	x->fop = e[4] >> 16 & 0x7ff;
	x->soft = true;
	return 0;
}

/*
 * A store popped, and then its write failed.  The popped register still has
 * its contents; whether it was empty before, SF tells: then the store ended in
 * a stack underflow.
 */
int rvm_x87_unpop(struct rvm_insn *insn, u16 fsw)
{
	struct rvm_fx fx;
	u8 st[16];
	u32 top;

	TRY(rvm_fx_get(insn, &fx));
	top = ((fx.fsw >> RVM_FSW_TOP_SHIFT) - 1) & 7;
	if (!(fx.fsw & RVM_FSW_SF))
		fx.ftw |= 1 << top;
	/* the registers stand in the order of the stack */
	memcpy(st, fx.st[7], sizeof(st));
	memmove(fx.st[1], fx.st[0], 7 * sizeof(st));
	memcpy(fx.st[0], st, sizeof(st));
	fx.fsw = (fsw & ~RVM_FSW_TOP) | top << RVM_FSW_TOP_SHIFT;
	return rvm_fx_set(insn, &fx);
}

/* ---- the x87 environment ---- */

/* Two bits for a register: valid, zero, special, empty (SDM vol. 1 §8.1.7). */
static u16 full_tags(const struct rvm_fx *fx)
{
	u32 top = fx->fsw >> RVM_FSW_TOP_SHIFT & 7, i, tag;
	u16 ftw = 0;

	for (i = 0; i < 8; i++) {
		const u8 *r = fx->st[(i - top) & 7];
		u64 mant;
		u16 exp;

		memcpy(&mant, r, 8);
		memcpy(&exp, r + 8, 2);
		exp &= 0x7fff;
		if (!(fx->ftw >> i & 1))
			tag = 3;
		else if (!exp && !mant)
			tag = 1;
		else if (!exp || exp == 0x7fff || !(mant >> 63))
			tag = 2;
		else
			tag = 0;
		ftw |= tag << 2 * i;
	}
	return ftw;
}

#define ENV_MAX		28
#define ENV_STACK	80

static bool real_format(const struct rvm_cpu *cpu)
{
	return !rvm_prot_not_v86(cpu);
}

/* What FNSTENV stores: SDM vol. 1 figures 8-9 to 8-12. */
static void env_encode(const struct rvm_insn *insn, const struct rvm_decoded *d,
		       const struct rvm_fx *fx, u8 *env)
{
	const struct rvm_x87 *x = &insn->x87;
	u16 fcs = x->fcs, fds = x->fds;
	u16 w[3] = { fx->fcw, fx->fsw, full_tags(fx) };
	u32 ip = fx->fip, dp = fx->fdp, i;

	if (real_format(insn->cpu)) {
		ip = (u32)fcs * 16 + ip;
		dp = (u32)fds * 16 + dp;
	}
	if (d->osize == 2) {
		u16 e[7] = { w[0], w[1], w[2], ip, fcs, dp, fds };

		if (real_format(insn->cpu)) {
			e[4] = (ip >> 16 & 15) << 12 | fx->fop;
			e[6] = (dp >> 16 & 15) << 12;
		}
		memcpy(env, e, sizeof(e));
	} else {
		u32 e[7] = { 0, 0, 0, ip, fcs | (u32)fx->fop << 16, dp, 0xffff0000 | fds };

		for (i = 0; i < 3; i++)
			e[i] = 0xffff0000 | w[i];
		if (real_format(insn->cpu)) {
			e[3] = (u16)ip;
			e[4] = (ip >> 16) << 12 | fx->fop;
			e[5] = (u16)dp;
			e[6] = (dp >> 16) << 12;
		}
		memcpy(env, e, sizeof(e));
	}
}

/* The same backwards: into @x, and into the format of 32-bit code. */
static void env_decode(const struct rvm_insn *insn, const struct rvm_decoded *d, const u8 *env,
		       u8 *flat, struct rvm_x87 *x)
{
	bool real = real_format(insn->cpu);
	u32 out[7] = { 0 }, i;

	x->soft = true;
	x->fcs = 0;
	x->fds = 0;
	if (d->osize == 2) {
		u16 e[7];

		memcpy(e, env, sizeof(e));
		for (i = 0; i < 3; i++)
			out[i] = 0xffff0000 | e[i];
		x->fip = e[3] | (real ? (u32)(e[4] >> 12) << 16 : 0);
		x->fdp = e[5] | (real ? (u32)(e[6] >> 12) << 16 : 0);
		x->fop = real ? e[4] & 0x7ff : 0;
		if (!real) {
			x->fcs = e[4];
			x->fds = e[6];
		}
	} else {
		u32 e[7];

		memcpy(e, env, sizeof(e));
		for (i = 0; i < 3; i++)
			out[i] = e[i] | 0xffff0000;
		if (real) {
			x->fip = (u16)e[3] | (e[4] >> 12) << 16;
			x->fdp = (u16)e[5] | (e[6] >> 12) << 16;
			x->fop = e[4] & 0x7ff;
		} else {
			x->fip = e[3];
			x->fcs = e[4];
			x->fop = e[4] >> 16 & 0x7ff;
			x->fdp = e[5];
			x->fds = e[6];
		}
	}
	memcpy(flat, out, sizeof(out));
}

/* Address of the area: its first element in all respects, then the rest. */
static int env_addr(struct rvm_insn *insn, const struct rvm_decoded *d, u32 acc, u64 *gla)
{
	u32 size = d->opnd[0].size, elem = d->osize == 2 ? 2 : 4;

	TRY(rvm_mem_addr(insn, d, elem, acc, gla));
	TRY(rvm_fpu_ends(insn, *gla, 0, elem, acc));
	TRY(rvm_mem_addr(insn, d, size, acc, gla));
	return rvm_fpu_ends(insn, *gla, size, 0, acc);
}

/* FNSTENV, FNSAVE; a pending exception has been looked for in what loads. */
static int store_state(struct rvm_insn *insn, const struct rvm_decoded *d, bool regs)
{
	u32 size = d->opnd[0].size, env = size - (regs ? ENV_STACK : 0), i;
	u8 buf[ENV_MAX + ENV_STACK];
	struct rvm_fpu_job j;
	struct rvm_fx fx;
	u64 gla;

	TRY(env_addr(insn, d, RVM_ACC_WRITE, &gla));
	TRY(rvm_probe(insn, gla, size, 0));
	TRY(rvm_x87_take_pointers(insn));
	TRY(rvm_fx_get(insn, &fx));
	env_encode(insn, d, &fx, buf);
	for (i = 0; regs && i < 8; i++)
		memcpy(buf + env + 10 * i, fx.st[i], 10);
	TRY(rvm_write_long(insn, gla, buf, size));
	/* it is there: now what else they do, FNSTENV masks every exception */
	if (!regs)
		TRY(rvm_job_run_bytes(insn, &j, "\xd9\x36", 2));
	else
		TRY(rvm_job_run_bytes(insn, &j, "\xdb\xe3", 2));	/* FNINIT */
	insn->x87.fsw_known = false;
	if (regs)
		rvm_x87_clear_pointers(insn);
	return 0;
}

/* FLDENV, FRSTOR */
static int load_state(struct rvm_insn *insn, const struct rvm_decoded *d, bool regs)
{
	u32 size = d->opnd[0].size, env = size - (regs ? ENV_STACK : 0);
	u8 buf[ENV_MAX + ENV_STACK], flat[ENV_MAX];
	struct rvm_fpu_job j;
	struct rvm_x87 new;
	u64 gla;

	TRY(env_addr(insn, d, RVM_ACC_READ, &gla));
	TRY(rvm_read_long(insn, gla, buf, size));
	new = insn->x87;
	env_decode(insn, d, buf, flat, &new);
	memcpy(insn->fpu_area, flat, sizeof(flat));
	memcpy(insn->fpu_area + ENV_MAX, buf + env, ENV_STACK);
	TRY(rvm_job_run_bytes(insn, &j, regs ? "\xdd\x26" : "\xd9\x26", 2));
	insn->x87 = new;
	insn->x87.fsw_known = false;
	return 0;
}

int rvm_x87_state(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	bool regs = d->opcode == 0xdd;

	if ((d->modrm >> 3 & 7) == 6)
		return store_state(insn, d, regs);
	return load_state(insn, d, regs);
}

/* ---- FXSAVE, FXRSTOR ---- */

/*
 * Address of an image.  FXSAVE's first 4 bytes in all respects of the segment, then
 * the alignment, where #AC looks as far as these, then the rest; XSAVE's alignment
 * before all.
 */
static int image_addr(struct rvm_insn *insn, const struct rvm_decoded *d, u32 size, u32 align,
		      u32 acc, u64 *gla)
{
	if (align == 64 && (rvm_fpu_offset(insn, d) & 63))
		return rvm_x_gp0(insn);
	TRY(rvm_mem_addr(insn, d, align == 16 ? 4 : 1, acc | RVM_ACC_IMPLICIT, gla));
	if (unlikely(align == 16 && (*gla & 3) && rvm_ac_armed(insn->cpu)))
		return rvm_x_fault(insn, RVM_AC, 0);
	if (*gla & (align - 1))
		return rvm_x_gp0(insn);
	return rvm_mem_addr(insn, d, size, acc, gla);
}

/* XMM registers in the image; without any in AMD's fast form (APM vol. 2 §3.1.7). */
static u32 fx_xmm(const struct rvm_insn *insn, const struct rvm_decoded *d)
{
	const struct rvm_cpu *cpu = insn->cpu;

	if (!rvm_code64(d))
		return 8;
	return (cpu->efer & RVM_EFER_FFXSR) && !cpu->cpl ? 0 : 16;
}

/*
 * The legacy region's pointers as FXSAVE and XSAVE write them: AMD's CPUs none
 * unless an exception is pending (family 1Ah, with XSAVEERPTR, writes zeros), and
 * without REX.W 32 bits with a selector.
 */
static void fx_pointers(const struct rvm_insn *insn, struct rvm_fx *fx, bool wide)
{
	const struct rvm_x87 *x = &insn->x87;

	if (!insn->intel && !(fx->fsw & RVM_FSW_ES)) {
		fx->fop = 0;
		fx->fip = fx->fdp = 0;
		return;
	}
	if (wide)
		return;
	fx->fip = (u32)fx->fip | (x->soft ? (u64)x->fcs << 32 : 0);
	fx->fdp = (u32)fx->fdp | (x->soft ? (u64)x->fds << 32 : 0);
}

/* ... and as it reads them. */
static void fx_widen(struct rvm_x87 *x, struct rvm_fx *fx, bool wide)
{
	x->soft = true;
	x->fop = fx->fop & 0x7ff;
	x->fcs = wide ? 0 : fx->fip >> 32;
	x->fds = wide ? 0 : fx->fdp >> 32;
	if (!wide) {
		fx->fip = (u32)fx->fip;
		fx->fdp = (u32)fx->fdp;
	}
	x->fip = fx->fip;
	x->fdp = fx->fdp;
}

static bool wide_pointers(const struct rvm_decoded *d)
{
	return rvm_code64(d) && (d->rex & RVM_REX_W);
}

int rvm_x_fxsave(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	struct rvm_fx fx;
	u64 gla;

	TRY(rvm_fpu_check(insn, d));
	TRY(image_addr(insn, d, RVM_FX_SIZE, 16, RVM_ACC_WRITE, &gla));
	TRY(rvm_fpu_ends(insn, gla, RVM_FX_SIZE, 0, RVM_ACC_WRITE));
	TRY(rvm_probe(insn, gla, RVM_FX_SIZE, 0));
	TRY(rvm_fx_get(insn, &fx));
	fx_pointers(insn, &fx, wide_pointers(d));
	return rvm_write_long(insn, gla, &fx, RVM_FX_XMM(fx_xmm(insn, d)));
}

int rvm_x_fxrstor(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	u32 nr = fx_xmm(insn, d);
	struct rvm_fx fx, mem;
	struct rvm_x87 new;
	u64 gla;

	TRY(rvm_fpu_check(insn, d));
	TRY(image_addr(insn, d, RVM_FX_SIZE, 16, RVM_ACC_READ, &gla));
	TRY(rvm_fpu_ends(insn, gla, RVM_FX_SIZE, 0, RVM_ACC_READ));
	TRY(rvm_read_long(insn, gla, &mem, RVM_FX_SIZE));
	TRY(rvm_fx_get(insn, &fx));
	memcpy(&fx, &mem, RVM_FX_XMM(nr));
	new = insn->x87;
	fx_widen(&new, &fx, wide_pointers(d));
	TRY(rvm_fx_set(insn, &fx));
	insn->x87 = new;
	insn->x87.fsw_known = false;
	return 0;
}

/* ---- XSAVE and its kin ---- */

#define XS_X87		(1ull << 0)
#define XS_SSE		(1ull << 1)
#define XS_YMM		(1ull << 2)
#define XS_ZMM		(1ull << 6)
#define XS_HI16		(1ull << 7)
#define XS_COMPACT	(1ull << 63)

#define XS_HEADER	512
#define XS_EXTENDED	576	/* where the components from 2 on begin */
#define XS_FCW		0
#define XS_MXCSR	24
#define XS_ST		32

/* The header (SDM vol. 1 §13.4.2). */
struct xs_header {
	u64 bv, comp_bv;
	u64 rsvd[6];
};

static u64 xs_rfbm(const struct rvm_cpu *cpu)
{
	return ((u32)cpu->gpr[RVM_RAX] | cpu->gpr[RVM_RDX] << 32) & cpu->xcr0;
}

/* Where component @i lies, in the format that @comp_bv says (SDM vol. 1 §13.4.3). */
static u32 xs_offset(const struct rvm_insn *insn, u64 comp_bv, u32 i)
{
	u32 at = XS_EXTENDED, k;

	if (!(comp_bv & XS_COMPACT))
		return insn->xcomp[i].offset;
	for (k = 2; k <= i; k++) {
		if (!(comp_bv >> k & 1))
			continue;
		if (insn->xcomp[k].align)
			at = (at + 63) & ~63u;
		if (k < i)
			at += insn->xcomp[k].size;
	}
	return at;
}

/* Bytes that are moved: outside 64-bit mode registers 8 and up are not (§13.5). */
static u32 xs_size(const struct rvm_insn *insn, const struct rvm_decoded *d, u32 i)
{
	u32 size = insn->xcomp[i].size;

	if (rvm_code64(d))
		return size;
	if ((1ull << i) & (XS_YMM | XS_ZMM))
		return size / 2;
	return (1ull << i) & XS_HI16 ? 0 : size;
}

/* End of the area with components @bits in it; 0: beyond what can be. */
static u32 xs_extent(const struct rvm_insn *insn, u64 comp_bv, u64 bits)
{
	u32 end = XS_EXTENDED, i;

	for (i = 2; i < RVM_NR_XCOMP; i++) {
		u32 e;

		if (!(bits >> i & 1))
			continue;
		e = xs_offset(insn, comp_bv, i) + insn->xcomp[i].size;
		if (e > end)
			end = e;
	}
	return end > RVM_FPU_AREA ? 0 : end;
}

static int xs_job(struct rvm_insn *insn, const char *bytes, u64 rfbm)
{
	struct rvm_fpu_job j;

	rvm_job_start(insn, &j);
	memcpy(j.code, bytes, 4);
	j.len = 4;
	j.rax = (u32)rfbm;
	j.rdx = rfbm >> 32;
	return rvm_job_run(insn, &j);
}

/* XSAVE64 of @rfbm into the buffer, in the standard format. */
static int xs_get(struct rvm_insn *insn, u64 rfbm, u32 size)
{
	memset(insn->fpu_area, 0, size);
	return xs_job(insn, "\x48\x0f\xae\x26", rfbm);
}

/* 0F AE /4 XSAVE, /6 XSAVEOPT; 0F C7 /4 XSAVEC, /5 XSAVES */
int rvm_x_xsave(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	bool compact = d->opcode == 0xc7, init_opt = compact || (d->modrm >> 3 & 7) == 6;
	u64 rfbm = xs_rfbm(insn->cpu), comp_bv = 0, save, gla;
	struct rvm_fx *fx = (struct rvm_fx *)insn->fpu_area;
	struct xs_header h = { 0 };
	u32 size, i, n;
	u8 *a = insn->fpu_area;

	TRY(rvm_fpu_check(insn, d));
	if (compact && (d->modrm >> 3 & 7) == 5)
		return rvm_x_unhandled(insn, "XSAVES");
	if (compact)
		comp_bv = rfbm | XS_COMPACT;
	size = xs_extent(insn, comp_bv, rfbm);
	n = xs_extent(insn, 0, rfbm);
	if (!size || !n)
		return rvm_x_unhandled(insn, "XSAVE area larger than expected");
	TRY(image_addr(insn, d, size, 64, RVM_ACC_WRITE, &gla));
	TRY(rvm_fpu_ends(insn, gla, size, 1, RVM_ACC_WRITE));
	TRY(rvm_probe(insn, gla, size, 0));
	if (!compact)
		TRY(rvm_read(insn, gla + XS_HEADER, &h, sizeof(h.bv), 0));

	TRY(xs_get(insn, rfbm, n));
	memcpy(&save, a + XS_HEADER, sizeof(save));
	save &= rfbm;
	if (insn->x87.soft) {
		fx->fop = insn->x87.fop & 0x7ff;
		fx->fip = insn->x87.fip;
		fx->fdp = insn->x87.fdp;
		/* the unit's pointers are ours: whether it is in use they cannot tell */
		if ((rfbm & XS_X87) && (fx->fop || fx->fip || fx->fdp))
			save |= XS_X87;
	}
	fx_pointers(insn, fx, wide_pointers(d));
	/* MXCSR counts for SSE in the compacted format (SDM vol. 1 §13.10) */
	if (compact && (rfbm & XS_SSE) && fx->mxcsr != 0x1f80)
		save |= XS_SSE;
	h.bv = (h.bv & ~rfbm) | save;
	h.comp_bv = comp_bv;
	if (!init_opt)
		save = rfbm;

	if (save & XS_X87) {
		TRY(rvm_write_long(insn, gla + XS_FCW, a, XS_MXCSR));
		TRY(rvm_write_long(insn, gla + XS_ST, a + XS_ST, RVM_FX_LEGACY - XS_ST));
	}
	if (compact ? save & XS_SSE : rfbm & (XS_SSE | XS_YMM))
		TRY(rvm_write(insn, gla + XS_MXCSR, a + XS_MXCSR, 8, 0));
	if (save & XS_SSE)
		TRY(rvm_write_long(insn, gla + RVM_FX_LEGACY, a + RVM_FX_LEGACY,
				   16 * (rvm_code64(d) ? 16 : 8)));
	for (i = 2; i < RVM_NR_XCOMP; i++)
		if (save >> i & 1)
			TRY(rvm_write_long(insn, gla + xs_offset(insn, comp_bv, i),
					   a + xs_offset(insn, 0, i), xs_size(insn, d, i)));
	return rvm_write(insn, gla + XS_HEADER, &h, compact ? 16 : 8, 0);
}

/* The header's rules (SDM vol. 1 §13.8). */
static bool xs_header_valid(const struct rvm_cpu *cpu, const struct xs_header *h)
{
	u64 rest = h->rsvd[0];
	u32 i;

	if (!(h->comp_bv & XS_COMPACT))
		return !h->comp_bv && !rest && !(h->bv & ~cpu->xcr0);
	for (i = 1; i < ARRAY_SIZE(h->rsvd); i++)
		rest |= h->rsvd[i];
	return !rest && !(h->comp_bv & ~XS_COMPACT & ~cpu->xcr0) && !(h->bv & ~h->comp_bv);
}

static int xrstor_header(struct rvm_insn *insn, u64 gla, struct xs_header *h)
{
	return rvm_read(insn, gla + XS_HEADER, h, sizeof(*h), 0);
}

/*
 * Address and header of the area to load.  AMD's CPUs check what is asked for, be it
 * there or not, before they look at the header; but in the compacted format no more
 * than what there is, which rvm_x_xrstor() does.
 */
static int xrstor_area(struct rvm_insn *insn, const struct rvm_decoded *d, u64 rfbm, u64 *gla,
		       struct xs_header *h)
{
	u32 size = insn->intel ? XS_EXTENDED : xs_extent(insn, 0, rfbm);
	struct rvm_fault first;
	int rc;

	rc = image_addr(insn, d, size, 64, RVM_ACC_READ, gla);
	if (!rc)
		rc = rvm_fpu_ends(insn, *gla, size > XS_EXTENDED ? size : 0, 1, RVM_ACC_READ);
	if (likely(!rc))
		return xrstor_header(insn, *gla, h);
	if (rc != RVM_INSN_FAULT || size == XS_EXTENDED)
		return rc;
	first = insn->fault;
	rc = image_addr(insn, d, XS_EXTENDED, 64, RVM_ACC_READ, gla);
	if (!rc)
		rc = xrstor_header(insn, *gla, h);
	if (rc == RVM_INSN_EXIT || rc == RVM_INSN_UNHANDLED || (!rc && (h->comp_bv & XS_COMPACT)))
		return rc;
	insn->fault = first;
	return RVM_INSN_FAULT;
}

/* 0F AE /5 XRSTOR; 0F C7 /3 XRSTORS */
int rvm_x_xrstor(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	u64 rfbm = xs_rfbm(insn->cpu), load, gla;
	struct rvm_fx *fx = (struct rvm_fx *)insn->fpu_area;
	struct rvm_x87 new = insn->x87;
	u8 *a = insn->fpu_area, high[RVM_HIGH_SIZE];
	struct xs_header h;
	u32 size, i;

	TRY(rvm_fpu_check(insn, d));
	if (d->opcode == 0xc7)
		return rvm_x_unhandled(insn, "XRSTORS");
	TRY(xrstor_area(insn, d, rfbm, &gla, &h));
	if (!xs_header_valid(insn->cpu, &h))
		return rvm_x_gp0(insn);
	load = rfbm & h.bv;
	size = xs_extent(insn, h.comp_bv, load);
	if (!size)
		return rvm_x_unhandled(insn, "XSAVE area larger than expected");
	TRY(rvm_mem_addr(insn, d, size, RVM_ACC_READ, &gla));
	if (!rvm_code64(d))
		TRY(rvm_high_get(insn, high));

	memset(a, 0, size);
	memcpy(a + XS_HEADER, &h, sizeof(h));
	if (rfbm & (XS_X87 | XS_SSE | XS_YMM))
		TRY(rvm_read_long(insn, gla, a, RVM_FX_XMM(16)));
	for (i = 2; i < RVM_NR_XCOMP; i++) {
		u32 at = xs_offset(insn, h.comp_bv, i);

		if (load >> i & 1)
			TRY(rvm_read_long(insn, gla + at, a + at, xs_size(insn, d, i)));
	}
	if (load & XS_X87)
		fx_widen(&new, fx, wide_pointers(d));
	/* what is not loaded is initialized, and pointers are zero then */
	TRY(xs_job(insn, "\x48\x0f\xae\x2e", rfbm));
	if (!rvm_code64(d))
		TRY(rvm_high_set(insn, high));
	if (rfbm & XS_X87) {
		if (load & XS_X87)
			insn->x87 = new;
		else
			rvm_x87_clear_pointers(insn);
		insn->x87.fsw_known = false;
	}
	return 0;
}

/* ---- registers 8 to 15 ---- */

#define XS_HIGH		(RVM_HIGH_SIZE / 2)

/* What 32-bit code cannot see stays as it is, whatever is done in 64-bit mode for it. */
static int high_image(struct rvm_insn *insn, u64 *rfbm, u8 **xmm, u8 **ymm)
{
	*rfbm = insn->cpu->xcr0 & (XS_SSE | XS_YMM);
	*xmm = insn->fpu_area + RVM_FX_XMM(8);
	*ymm = insn->fpu_area + insn->xcomp[2].offset + XS_HIGH;
	return xs_get(insn, *rfbm, xs_extent(insn, 0, *rfbm));
}

int rvm_high_get(struct rvm_insn *insn, u8 *high)
{
	u8 *xmm, *ymm;
	u64 rfbm;

	TRY(high_image(insn, &rfbm, &xmm, &ymm));
	memcpy(high, xmm, XS_HIGH);
	if (rfbm & XS_YMM)
		memcpy(high + XS_HIGH, ymm, XS_HIGH);
	return 0;
}

int rvm_high_set(struct rvm_insn *insn, const u8 *high)
{
	u8 *xmm, *ymm;
	u64 rfbm;

	TRY(high_image(insn, &rfbm, &xmm, &ymm));
	memcpy(xmm, high, XS_HIGH);
	if (rfbm & XS_YMM)
		memcpy(ymm, high + XS_HIGH, XS_HIGH);
	memcpy(insn->fpu_area + XS_HEADER, &rfbm, sizeof(rfbm));
	return xs_job(insn, "\x48\x0f\xae\x2e", rfbm);
}
