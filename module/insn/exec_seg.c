// SPDX-License-Identifier: GPL-2.0
/*
 * Segment registers and descriptor checks (SDM vol. 3 chapters 3 and 5).
 */
#include "segment.h"

int rvm_x_sel_fault(struct rvm_insn *insn, u8 vector, u16 sel)
{
	return rvm_x_fault(insn, vector, sel & 0xfffc);
}

int rvm_x_add_ext(struct rvm_insn *insn, int rc, u32 ext)
{
	if (rc == RVM_INSN_FAULT && insn->fault.has_error && insn->fault.vector != RVM_PF &&
	    insn->fault.vector != RVM_AC)
		insn->fault.error |= ext;
	return rc;
}

static int desc_addr(struct rvm_insn *insn, u16 sel, u32 len, u8 vector, u64 *gla)
{
	const struct rvm_cpu *cpu = insn->cpu;
	u64 base = cpu->gdtr.base;
	u32 limit = cpu->gdtr.limit;

	if (sel & 4) {
		const struct rvm_seg *ldt = &cpu->seg[RVM_LDTR];

		if ((ldt->attr & RVM_SEG_UNUSABLE) || !(ldt->attr & RVM_SEG_P))
			return rvm_x_sel_fault(insn, vector, sel);
		base = ldt->base;
		limit = ldt->limit;
	}
	if ((u32)(sel & ~7) + len - 1 > limit)
		return rvm_x_sel_fault(insn, vector, sel);
	*gla = base + (sel & ~7);
	return 0;
}

int rvm_desc_read(struct rvm_insn *insn, u16 sel, u8 vector, struct rvm_desc *d)
{
	d->high = 0;
	TRY(desc_addr(insn, sel, 8, vector, &d->gla));
	return rvm_read_sys(insn, d->gla, &d->raw, 8);
}

int rvm_desc_read_sys(struct rvm_insn *insn, u16 sel, u8 vector, struct rvm_desc *d)
{
	u64 both[2];

	if (!rvm_is_long(insn->cpu))
		return rvm_desc_read(insn, sel, vector, d);
	TRY(desc_addr(insn, sel, 16, vector, &d->gla));
	TRY(rvm_read_sys(insn, d->gla, both, 16));
	d->raw = both[0];
	d->high = both[1];
	return 0;
}

int rvm_desc_mark(struct rvm_insn *insn, struct rvm_desc *d, u32 bits)
{
	u64 gla = d->gla + 5;
	u8 old, new_val;
	u32 tries;

	if ((d->raw >> 40 & bits) == bits)
		return 0;
	if (!rvm_is_long(insn->cpu))
		gla = (u32)gla;
	old = d->raw >> 40;
	for (tries = 0; tries < RVM_RMW_TRIES; tries++) {
		u8 found = old;

		new_val = old | bits;
		TRY(rvm_cmpxchg(insn, gla, &found, &new_val, 1, RVM_ACC_IMPLICIT));
		if (found == old) {
			d->raw |= (u64)bits << 40;
			return 0;
		}
		old = found;
	}
	return RVM_INSN_RETRY;
}

void rvm_seg_from_desc(struct rvm_seg *s, u16 sel, const struct rvm_desc *d)
{
	s->sel = sel;
	s->base = rvm_desc_base(d) | d->high << 32;
	s->limit = rvm_desc_limit(d);
	s->attr = rvm_desc_attr(d);
}

/*
 * Real mode changes selector and base only: limit and attributes stay, which
 * is what makes "unreal" mode.  A register that a null selector had left without
 * either gets those of reset.
 */
void rvm_seg_real(const struct rvm_insn *insn, struct rvm_seg *s, u32 seg, u16 sel)
{
	*s = insn->cpu->seg[seg];
	s->sel = sel;
	s->base = (u32)sel << 4;
	if (rvm_is_v86(insn->cpu) || (s->attr & RVM_SEG_UNUSABLE)) {
		s->limit = 0xffff;
		s->attr = RVM_SEG_P | RVM_SEG_S | RVM_SEG_W | RVM_SEG_A;
		if (rvm_is_v86(insn->cpu))
			s->attr |= RVM_SEG_DPL;
	}
}

void rvm_seg_null(struct rvm_seg *s, u16 sel)
{
	memset(s, 0, sizeof(*s));
	s->sel = sel;
	s->attr = RVM_SEG_UNUSABLE;
}

int rvm_seg_load_ss(struct rvm_insn *insn, u16 sel, u32 cpl, u8 vector, struct rvm_seg *out)
{
	struct rvm_desc d;

	TRY(rvm_desc_read(insn, sel, vector, &d));
	/* writable data, DPL and RPL equal to CPL */
	if ((sel & 3) != cpl || rvm_desc_dpl(&d) != cpl ||
	    (rvm_desc_type(&d) & (RVM_SEG_S | RVM_SEG_CODE | RVM_SEG_W)) != (RVM_SEG_S | RVM_SEG_W))
		return rvm_x_sel_fault(insn, vector, sel);
	if (!rvm_desc_present(&d))
		return rvm_x_sel_fault(insn, RVM_SSF, sel);
	TRY(rvm_desc_mark(insn, &d, RVM_SEG_A));
	rvm_seg_from_desc(out, sel, &d);
	return 0;
}

int rvm_seg_load(struct rvm_insn *insn, u32 seg, u16 sel, struct rvm_seg *out)
{
	const struct rvm_cpu *cpu = insn->cpu;
	struct rvm_desc d;
	u32 type, dpl;

	if (!rvm_prot_not_v86(cpu)) {
		rvm_seg_real(insn, out, seg, sel);
		return 0;
	}
	if (rvm_null_sel(sel)) {
		if (seg == RVM_SS) {
			/* 64-bit code below ring 3 may have a null stack segment */
			if (!rvm_is_64bit(cpu) || cpu->cpl == 3 || (sel & 3) != cpu->cpl)
				return rvm_x_gp0(insn);
			rvm_seg_null(out, sel);
			out->attr |= cpu->cpl << RVM_SEG_DPL_SHIFT;
			return 0;
		}
		rvm_seg_null(out, sel);
		return 0;
	}
	if (seg == RVM_SS)
		return rvm_seg_load_ss(insn, sel, cpu->cpl, RVM_GP, out);

	TRY(rvm_desc_read(insn, sel, RVM_GP, &d));
	type = rvm_desc_type(&d);
	dpl = rvm_desc_dpl(&d);
	if (!(type & RVM_SEG_S) || (type & (RVM_SEG_CODE | RVM_SEG_W)) == RVM_SEG_CODE)
		return rvm_x_sel_fault(insn, RVM_GP, sel);
	/* conforming code may be read from anywhere */
	if ((type & (RVM_SEG_CODE | RVM_SEG_E)) != (RVM_SEG_CODE | RVM_SEG_E) &&
	    ((sel & 3) > dpl || cpu->cpl > dpl))
		return rvm_x_sel_fault(insn, RVM_GP, sel);
	if (!rvm_desc_present(&d))
		return rvm_x_sel_fault(insn, RVM_NP, sel);
	TRY(rvm_desc_mark(insn, &d, RVM_SEG_A));
	rvm_seg_from_desc(out, sel, &d);
	return 0;
}

void rvm_seg_drop(struct rvm_insn *insn, u32 cpl)
{
	static const u8 segs[] = { RVM_ES, RVM_DS, RVM_FS, RVM_GS };
	u32 i;

	for (i = 0; i < ARRAY_SIZE(segs); i++) {
		struct rvm_seg *s = &insn->cpu->seg[segs[i]];
		u32 dpl = (s->attr & RVM_SEG_DPL) >> RVM_SEG_DPL_SHIFT;

		if (s->attr & RVM_SEG_UNUSABLE)
			s->sel = 0;	/* a null selector loses its RPL */
		if ((s->attr & RVM_SEG_UNUSABLE) ||
		    (s->attr & (RVM_SEG_CODE | RVM_SEG_E)) == (RVM_SEG_CODE | RVM_SEG_E))
			continue;
		if (dpl < cpl)
			rvm_seg_null(s, 0);
	}
}

/* ---- moves ---- */

static int load_sreg(struct rvm_insn *insn, u32 seg, const struct rvm_seg *s)
{
	insn->cpu->seg[seg] = *s;
	return seg == RVM_SS ? RVM_X_SHADOW_SS : 0;
}

int rvm_x_mov_to_sreg(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	u32 seg = d->opnd[0].reg;
	struct rvm_seg s;
	u64 sel;

	TRY(rvm_opnd_read(insn, d, 1, &sel));
	TRY(rvm_seg_load(insn, seg, sel, &s));
	return load_sreg(insn, seg, &s);
}

int rvm_x_mov_from_sreg(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	return rvm_opnd_write(insn, d, 0, insn->cpu->seg[d->opnd[1].reg].sel);
}

int rvm_x_push_sreg(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	struct rvm_stack s;

	rvm_stack_begin(insn, &s);
	TRY(rvm_push(insn, &s, d->osize, insn->cpu->seg[d->opnd[0].reg].sel));
	rvm_stack_commit(insn, &s);
	return 0;
}

int rvm_x_pop_sreg(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	u32 seg = d->opnd[0].reg;
	struct rvm_stack s;
	struct rvm_seg out;
	u64 sel;

	rvm_stack_begin(insn, &s);
	TRY(rvm_pop(insn, &s, d->osize, &sel));
	TRY(rvm_seg_load(insn, seg, sel, &out));
	rvm_stack_commit(insn, &s);
	return load_sreg(insn, seg, &out);
}

/* Two accesses: the offset of @size bytes, and the selector behind it. */
int rvm_read_far_pointer(struct rvm_insn *insn, const struct rvm_decoded *d, u32 size, u16 *sel,
			 u64 *off)
{
	u64 ea = rvm_ea(insn, d), gla;

	TRY(rvm_linear(insn, d, d->seg, ea, size, RVM_ACC_READ, &gla));
	TRY(rvm_read_val(insn, gla, off, size, 0));
	ea = (ea + size) & rvm_mask(d->asize);
	TRY(rvm_linear(insn, d, d->seg, ea, 2, RVM_ACC_READ, &gla));
	return rvm_read(insn, gla, sel, 2, 0);
}

/* LDS, LES, LFS, LGS, LSS; the last holds nothing off, unlike MOV SS. */
int rvm_x_lfarptr(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	u32 size = d->opnd[1].size - 2, seg = d->opnd[2].reg;
	struct rvm_seg s;
	u64 off;
	u16 sel;

	TRY(rvm_read_far_pointer(insn, d, size, &sel, &off));
	TRY(rvm_seg_load(insn, seg, sel, &s));
	insn->cpu->seg[seg] = s;
	rvm_reg_write(insn->cpu, d->opnd[0].reg, d->opnd[0].size, off);
	return 0;
}

/* ---- selectors ---- */

static int need_protmode(struct rvm_insn *insn)
{
	return rvm_prot_not_v86(insn->cpu) ? 0 : rvm_x_ud(insn);
}

/* Memory is written, and checked for it, only if RPL changes. */
int rvm_x_arpl(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	struct rvm_cpu *cpu = insn->cpu;
	u64 src = rvm_reg_read(cpu, d->opnd[1].reg, 2), dst;
	bool less;

	TRY(need_protmode(insn));
	TRY(rvm_opnd_read(insn, d, 0, &dst));
	less = (dst & 3) < (src & 3);
	if (less)
		TRY(rvm_opnd_write(insn, d, 0, (dst & ~3ull) | (src & 3)));
	rvm_set_flags(cpu, RVM_FL_ZF, less ? RVM_FL_ZF : 0);
	return 0;
}

/*
 * A descriptor looked at without faults on what it says: *ok is false where
 * LAR, LSL, VERR and VERW clear ZF.  Page faults remain faults.
 */
static int peek(struct rvm_insn *insn, u16 sel, struct rvm_desc *d, bool *ok)
{
	u64 gla;

	*ok = false;
	if (rvm_null_sel(sel))
		return 0;
	/* a missing descriptor is no fault here */
	if (desc_addr(insn, sel, 8, RVM_GP, &gla))
		return 0;
	TRY(rvm_desc_read(insn, sel, RVM_GP, d));
	*ok = true;
	return 0;
}

/* LAR and LSL */
int rvm_x_lar(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	/* types valid for LAR and for LSL, 32-bit and in long mode (SDM vol. 2) */
	static const u16 lar_types[2] = { 0x1a3e, 0x1a04 };
	static const u16 lsl_types[2] = { 0x0a0e, 0x0a04 };
	const struct rvm_cpu *cpu = insn->cpu;
	bool lsl = d->op == RVM_OP_LSL, lng = rvm_is_long(cpu), ok;
	struct rvm_desc desc;
	u64 sel;
	u32 type, dpl;

	TRY(need_protmode(insn));
	TRY(rvm_opnd_read(insn, d, 1, &sel));
	TRY(peek(insn, sel, &desc, &ok));
	if (ok) {
		type = rvm_desc_type(&desc);
		dpl = rvm_desc_dpl(&desc);
		if (!(type & RVM_SEG_S))
			ok = (lsl ? lsl_types : lar_types)[lng] >> type & 1;
		if (ok && (type & 0x1c) != 0x1c && ((sel & 3) > dpl || cpu->cpl > dpl))
			ok = false;
		/* in long mode the upper half must not look like a descriptor */
		if (ok && lng && !(type & RVM_SEG_S)) {
			u64 gla;

			if (desc_addr(insn, sel, 16, RVM_GP, &gla)) {
				ok = false;
			} else {
				TRY(rvm_read_sys(insn, gla + 8, &desc.high, 8));
				if (desc.high >> 40 & 0x1f)
					ok = false;
			}
		}
	}
	rvm_set_flags(insn->cpu, RVM_FL_ZF, ok ? RVM_FL_ZF : 0);
	if (ok)
		rvm_reg_write(insn->cpu, d->opnd[0].reg, d->opnd[0].size,
			      lsl ? rvm_desc_limit(&desc) : desc.raw >> 32 & 0xffff00);
	return 0;
}

/* VERR and VERW */
int rvm_x_verr(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	bool write = d->op == RVM_OP_VERW, ok;
	struct rvm_desc desc;
	u32 type, dpl;
	u64 sel;

	TRY(need_protmode(insn));
	TRY(rvm_opnd_read(insn, d, 0, &sel));
	TRY(peek(insn, sel, &desc, &ok));
	if (ok) {
		type = rvm_desc_type(&desc);
		dpl = rvm_desc_dpl(&desc);
		if (!(type & RVM_SEG_S))
			ok = false;
		else if (type & RVM_SEG_CODE)
			ok = !write && (type & RVM_SEG_W);
		else
			ok = !write || (type & RVM_SEG_W);
		if (ok && (type & 0x1c) != 0x1c && ((sel & 3) > dpl || insn->cpu->cpl > dpl))
			ok = false;
	}
	rvm_set_flags(insn->cpu, RVM_FL_ZF, ok ? RVM_FL_ZF : 0);
	return 0;
}

/* SLDT and STR */
int rvm_x_sldt(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	const struct rvm_cpu *cpu = insn->cpu;

	TRY(need_protmode(insn));
	if ((cpu->cr4 & RVM_CR4_UMIP) && cpu->cpl)
		return rvm_x_gp0(insn);
	return rvm_opnd_write(insn, d, 0, cpu->seg[d->op == RVM_OP_STR ? RVM_TR : RVM_LDTR].sel);
}

/* 16-byte descriptors: a canonical base (SDM vol. 3 §7.2.3). */
static int check_base(struct rvm_insn *insn, u16 sel, const struct rvm_desc *d)
{
	u64 base = rvm_desc_base(d) | d->high << 32;

	if (rvm_is_long(insn->cpu) &&
	    (!rvm_canonical(base, insn->cpu->cr4 & RVM_CR4_LA57) || (d->high >> 40 & 0x1f)))
		return rvm_x_sel_fault(insn, RVM_GP, sel);
	return 0;
}

int rvm_x_lldt(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	struct rvm_seg *ldtr = &insn->cpu->seg[RVM_LDTR];
	struct rvm_desc desc;
	u64 sel;

	TRY(need_protmode(insn));
	TRY(rvm_need_cpl0(insn));
	TRY(rvm_opnd_read(insn, d, 0, &sel));
	if (rvm_null_sel(sel)) {
		rvm_seg_null(ldtr, sel);
		return 0;
	}
	if (sel & 4)
		return rvm_x_sel_fault(insn, RVM_GP, sel);
	TRY(rvm_desc_read_sys(insn, sel, RVM_GP, &desc));
	if (rvm_desc_type(&desc) != 2)
		return rvm_x_sel_fault(insn, RVM_GP, sel);
	TRY(check_base(insn, sel, &desc));
	if (!rvm_desc_present(&desc))
		return rvm_x_sel_fault(insn, RVM_NP, sel);
	rvm_seg_from_desc(ldtr, sel, &desc);
	return 0;
}

int rvm_x_ltr(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	struct rvm_desc desc;
	u64 sel;
	u32 type;

	TRY(need_protmode(insn));
	TRY(rvm_need_cpl0(insn));
	TRY(rvm_opnd_read(insn, d, 0, &sel));
	if (rvm_null_sel(sel))
		return rvm_x_gp0(insn);
	if (sel & 4)
		return rvm_x_sel_fault(insn, RVM_GP, sel);
	TRY(rvm_desc_read_sys(insn, sel, RVM_GP, &desc));
	type = rvm_desc_type(&desc);
	/* available 32-bit (64-bit) TSS, or 16-bit outside long mode */
	if (type != 9 && (type != 1 || rvm_is_long(insn->cpu)))
		return rvm_x_sel_fault(insn, RVM_GP, sel);
	TRY(check_base(insn, sel, &desc));
	if (!rvm_desc_present(&desc))
		return rvm_x_sel_fault(insn, RVM_NP, sel);
	/* type 9 becomes B, busy */
	TRY(rvm_desc_mark(insn, &desc, 2));
	rvm_seg_from_desc(&insn->cpu->seg[RVM_TR], sel, &desc);
	return 0;
}
