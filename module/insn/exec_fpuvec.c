// SPDX-License-Identifier: GPL-2.0
/*
 * Vector instructions that touch memory element by element: masked moves and
 * gathers.  Their registers are fetched from the unit, and the work is done
 * here, for only what the mask selects may fault or be written.
 */
#include "fpu.h"

#define VEC_MAX		32

/* ModRM with [RSI] and the low bits of @reg. */
static u8 modrm_mem(u32 reg)
{
	return (reg & 7) << 3 | 6;
}

/* Store XMM or YMM register @reg: MOVUPS, VMOVUPS. */
static int vec_get(struct rvm_insn *insn, u32 reg, u32 size, u8 *buf)
{
	struct rvm_fpu_job j;

	rvm_job_start(insn, &j);
	if (size == 32) {
		rvm_job_byte(&j, 0xc5);
		rvm_job_byte(&j, reg & 8 ? 0x7c : 0xfc);
	} else {
		if (reg & 8)
			rvm_job_byte(&j, 0x44);
		rvm_job_byte(&j, 0x0f);
	}
	rvm_job_byte(&j, 0x11);
	rvm_job_byte(&j, modrm_mem(reg));
	TRY(rvm_job_run(insn, &j));
	memcpy(buf, j.mem, size);
	return 0;
}

/* Load it as VEX instructions do: the rest of the register becomes zero. */
static int vec_set(struct rvm_insn *insn, u32 reg, u32 size, const u8 *buf)
{
	struct rvm_fpu_job j;

	rvm_job_start(insn, &j);
	memcpy(j.mem, buf, size);
	rvm_job_byte(&j, 0xc5);
	rvm_job_byte(&j, (reg & 8 ? 0x78 : 0xf8) | (size == 32 ? 4 : 0));
	rvm_job_byte(&j, 0x10);
	rvm_job_byte(&j, modrm_mem(reg));
	return rvm_job_run(insn, &j);
}

static int mmx_get(struct rvm_insn *insn, u32 reg, u8 *buf)
{
	struct rvm_fpu_job j;

	rvm_job_start(insn, &j);
	rvm_job_byte(&j, 0x0f);
	rvm_job_byte(&j, 0x7f);
	rvm_job_byte(&j, modrm_mem(reg));
	TRY(rvm_job_run(insn, &j));
	memcpy(buf, j.mem, 8);
	return 0;
}

static bool selected(const u8 *mask, u32 i, u32 esize)
{
	return mask[i * esize + esize - 1] >> 7;
}

/* Store the bytes that @mask selects of @n, in runs; @gla has been probed. */
static int masked_store(struct rvm_insn *insn, u64 gla, const u8 *mask, const u8 *data, u32 n)
{
	u32 i, k;

	for (i = 0; i < n; i = k + 1) {
		for (k = i; k < n && selected(mask, k, 1); k++)
			;
		if (k > i)
			TRY(rvm_write(insn, gla + i, data + i, k - i, 0));
	}
	return 0;
}

/* MASKMOVQ, (V)MASKMOVDQU: bytes, to seg:rDI */
static int maskmov_bytes(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	bool mmx = d->opnd[0].kind == RVM_K_MM;
	u32 size = mmx ? 8 : 16;
	u64 ea = insn->cpu->gpr[RVM_RDI] & rvm_mask(d->asize), gla;
	u8 data[16], mask[16];

	if (mmx) {
		TRY(rvm_x87_pending(insn));
		TRY(mmx_get(insn, d->opnd[0].reg, data));
		TRY(mmx_get(insn, d->opnd[1].reg, mask));
	} else {
		TRY(vec_get(insn, d->opnd[0].reg, 16, data));
		TRY(vec_get(insn, d->opnd[1].reg, 16, mask));
	}
	/*
	 * Checked as a whole, whatever the mask says: so do AMD's CPUs, and the
	 * manuals leave it open (SDM vol. 2, MASKMOVDQU).
	 */
	if (!mmx && !insn->intel) {	/* and with the first half first */
		TRY(rvm_linear(insn, d, d->seg, ea, 8, RVM_ACC_WRITE | RVM_ACC_IMPLICIT, &gla));
		if (likely(!(gla & 7) || !rvm_ac_armed(insn->cpu)))
			TRY(rvm_probe(insn, gla, 8, 0));
	}
	TRY(rvm_linear(insn, d, d->seg, ea, size, RVM_ACC_WRITE | RVM_ACC_IMPLICIT, &gla));
	if (unlikely((gla & 7) && rvm_ac_armed(insn->cpu)))
		return rvm_x_fault(insn, RVM_AC, 0);
	TRY(rvm_probe(insn, gla, size, 0));
	return masked_store(insn, gla, mask, data, size);
}

/* VMASKMOVPx, VPMASKMOVx: one element after the other; never #AC */
static int maskmov_elements(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	bool store = d->opnd[0].kind == RVM_K_MEM;
	u32 acc = (store ? RVM_ACC_WRITE : RVM_ACC_READ) | RVM_ACC_IMPLICIT;
	u32 size = 16u << (d->vex >> 4 & 1), esize, n, i;
	u8 mask[VEC_MAX], data[VEC_MAX] = { 0 };
	u64 gla[VEC_MAX / 4], ea = rvm_ea(insn, d);

	if (d->opcode == 0x8c || d->opcode == 0x8e)
		esize = d->rex & RVM_REX_W ? 8 : 4;
	else
		esize = d->opcode & 1 ? 8 : 4;
	n = size / esize;
	TRY(vec_get(insn, d->opnd[1].reg, size, mask));
	if (store)
		TRY(vec_get(insn, d->opnd[2].reg, size, data));
	for (i = 0; i < n; i++) {
		if (!selected(mask, i, esize))
			continue;
		TRY(rvm_linear(insn, d, d->seg, (ea + i * esize) & rvm_mask(d->asize), esize,
			       acc, &gla[i]));
		if (store)
			TRY(rvm_probe(insn, gla[i], esize, 0));
		else
			TRY(rvm_read(insn, gla[i], data + i * esize, esize, 0));
	}
	if (!store)
		return vec_set(insn, d->opnd[0].reg, size, data);
	for (i = 0; i < n; i++)
		if (selected(mask, i, esize))
			TRY(rvm_write(insn, gla[i], data + i * esize, esize, 0));
	return 0;
}

int rvm_x_maskmov(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	TRY(rvm_fpu_check(insn, d));
	return d->map == 1 ? maskmov_bytes(insn, d) : maskmov_elements(insn, d);
}

static s64 gather_index(const u8 *index, u32 i, u32 isize)
{
	s32 d;
	s64 q;

	if (isize == 4) {
		memcpy(&d, index + 4 * i, 4);
		return d;
	}
	memcpy(&q, index + 8 * i, 8);
	return q;
}

/*
 * 0F 38 90..93.  An element that has been loaded is out of the mask, so that
 * the instruction goes on behind a fault where it stopped (SDM vol. 2,
 * VGATHERDPS).
 */
int rvm_x_gather(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	const struct rvm_cpu *cpu = insn->cpu;
	u32 vl = 16u << (d->vex >> 4 & 1), esize = d->rex & RVM_REX_W ? 8 : 4;
	u32 isize = d->opcode & 1 ? 8 : 4, n = vl / (esize > isize ? esize : isize);
	u32 dst = d->opnd[0].reg, msk = d->opnd[2].reg, idx = d->index >> 3;
	u32 bytes = n * esize <= 16 ? 16 : 32, i, done = 0;
	u8 data[VEC_MAX], mask[VEC_MAX], index[VEC_MAX];
	u64 base = d->disp;
	int rc = 0;

	TRY(rvm_fpu_check(insn, d));
	if (dst == msk || dst == idx || msk == idx)
		return rvm_x_ud(insn);
	TRY(vec_get(insn, dst, VEC_MAX, data));
	TRY(vec_get(insn, msk, VEC_MAX, mask));
	TRY(vec_get(insn, idx, vl, index));
	if (d->base < RVM_BASE_RIP)
		base += cpu->gpr[d->base >> 3];
	/* Intel's CPUs make all of the mask ones and zeros first (SDM's pseudocode). */
	for (i = 0; i < n && insn->intel; i++)
		memset(mask + i * esize, selected(mask, i, esize) ? 0xff : 0, esize);
	for (i = 0; i < n; i++) {
		u64 ea, gla, val;

		if (!selected(mask, i, esize)) {
			memset(mask + i * esize, 0, esize);
			continue;
		}
		ea = base + ((u64)gather_index(index, i, isize) << d->scale);
		/* never #AC */
		rc = rvm_linear(insn, d, d->seg, ea & rvm_mask(d->asize), esize,
				RVM_ACC_READ | RVM_ACC_IMPLICIT, &gla);
		if (!rc)
			rc = rvm_read_val(insn, gla, &val, esize, 0);
		if (rc)
			break;
		memcpy(data + i * esize, &val, esize);
		memset(mask + i * esize, 0, esize);
		done++;
	}
	/* A device that has to answer: the whole again, with the answers kept. */
	if (rc && rc != RVM_INSN_FAULT)
		return rc;
	if (!rc) {
		memset(mask, 0, sizeof(mask));
		/* four elements of 4 bytes by indices of 8: a half of what VL says */
		memset(data + n * esize, 0, sizeof(data) - n * esize);
	}
	if (rc) {
		struct rvm_fault fault = insn->fault;

		/* so far; above what VL says the registers are as they were */
		TRY(vec_set(insn, dst, VEC_MAX, data));
		TRY(vec_set(insn, msk, VEC_MAX, mask));
		insn->fault = fault;
		/* a single step comes between, as it does in a REP string instruction */
		return done && (cpu->rflags & RVM_FL_TF) ? RVM_INSN_RETRY : rc;
	}
	TRY(vec_set(insn, dst, bytes, data));
	return vec_set(insn, msk, bytes, mask);
}

/* EMMS; VZEROUPPER, VZEROALL */
int rvm_x_emms(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	u8 high[RVM_HIGH_SIZE];

	if (d->enc == RVM_ENC_LEGACY || rvm_code64(d))
		return rvm_x_simd(insn, d);
	TRY(rvm_fpu_check(insn, d));
	TRY(rvm_high_get(insn, high));
	TRY(rvm_x_simd(insn, d));
	return rvm_high_set(insn, high);
}
