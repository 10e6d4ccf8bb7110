// SPDX-License-Identifier: GPL-2.0
/*
 * Far transfers: JMP, CALL, RET, IRET between segments and rings, through
 * call gates and task gates (SDM vol. 3 §5.8, vol. 2; APM vol. 2 §4.11).
 */
#include "segment.h"

/* ---- stacks ---- */

void rvm_xstack_set(const struct rvm_insn *insn, struct rvm_xstack *s,
		    const struct rvm_seg *ss, u64 sp, u32 cpl, bool flat)
{
	s->ss = *ss;
	s->flat = flat;
	s->asize = flat ? 8 : ss->attr & RVM_SEG_DB ? 4 : 2;
	s->sp = sp & rvm_mask(s->asize);
	s->acc = RVM_ACC_STACK | (insn->cpu->cpl == 3 && cpl != 3 ? RVM_ACC_IMPLICIT : 0);
	s->err = ss->sel & ~3;
}

/* The present stack: its faults have error code 0. */
void rvm_xstack_begin(const struct rvm_insn *insn, struct rvm_xstack *s)
{
	const struct rvm_cpu *cpu = insn->cpu;

	rvm_xstack_set(insn, s, &cpu->seg[RVM_SS], cpu->gpr[RVM_RSP], cpu->cpl,
		       rvm_is_64bit(cpu));
	s->acc = RVM_ACC_STACK;
	s->err = 0;
}

/* Alignment of what the program itself pushes and pops; inner stacks are exempt. */
static int xstack_align(struct rvm_insn *insn, const struct rvm_xstack *s, u64 gla, u32 len)
{
	const struct rvm_cpu *cpu = insn->cpu;

	if (unlikely((cpu->rflags & RVM_FL_AC) && (cpu->cr0 & RVM_CR0_AM) && cpu->cpl == 3) &&
	    !(s->acc & RVM_ACC_IMPLICIT) && (gla & (len - 1)))
		return rvm_x_fault(insn, RVM_AC, 0);
	return 0;
}

static int xstack_addr(struct rvm_insn *insn, const struct rvm_xstack *s, u64 sp, u32 len, u64 *gla)
{
	bool la57 = insn->cpu->cr4 & RVM_CR4_LA57;

	if (s->flat) {
		if (!rvm_canonical(sp, la57) || !rvm_canonical(sp + len - 1, la57))
			return rvm_x_fault(insn, RVM_SSF, s->err);
		*gla = sp;
		return xstack_align(insn, s, sp, len);
	}
	if ((s->ss.attr & RVM_SEG_UNUSABLE) || !rvm_in_limit(insn, &s->ss, sp, len))
		return rvm_x_fault(insn, RVM_SSF, s->err);
	*gla = (u32)(s->ss.base + sp);
	return xstack_align(insn, s, *gla, len);
}

int rvm_xstack_room(struct rvm_insn *insn, const struct rvm_xstack *s, u32 size, u32 count)
{
	u64 sp = s->sp;
	u64 gla;

	while (count--) {
		sp = (sp - size) & rvm_mask(s->asize);
		TRY(xstack_addr(insn, s, sp, size, &gla));
	}
	return 0;
}

int rvm_xpush(struct rvm_insn *insn, struct rvm_xstack *s, u32 size, u64 val)
{
	u64 sp = (s->sp - size) & rvm_mask(s->asize), gla;

	TRY(xstack_addr(insn, s, sp, size, &gla));
	TRY(rvm_write(insn, gla, &val, size, s->acc));
	s->sp = sp;
	return 0;
}

int rvm_xpop(struct rvm_insn *insn, struct rvm_xstack *s, u32 size, u64 *val)
{
	u64 gla;

	TRY(xstack_addr(insn, s, s->sp, size, &gla));
	TRY(rvm_read_val(insn, gla, val, size, s->acc));
	s->sp = (s->sp + size) & rvm_mask(s->asize);
	return 0;
}

static void xstack_commit(struct rvm_insn *insn, const struct rvm_xstack *s)
{
	rvm_set_gpr(insn->cpu, RVM_RSP, s->asize, s->sp);
}

int rvm_tss_stack(struct rvm_insn *insn, u32 cpl, u16 ext, u16 *ss, u64 *sp)
{
	const struct rvm_seg *tr = &insn->cpu->seg[RVM_TR];
	bool lng = rvm_is_long(insn->cpu), wide = tr->attr & 8;
	u32 at = lng ? 4 + 8 * cpl : wide ? 4 + 8 * cpl : 2 + 4 * cpl;
	u32 len = lng ? 8 : wide ? 6 : 4, size = lng ? 8 : wide ? 4 : 2;
	u8 buf[8];

	if (at + len - 1 > tr->limit)
		return rvm_x_fault(insn, RVM_TS, (tr->sel & ~3) | ext);
	TRY(rvm_read_sys(insn, tr->base + at, buf, len));
	*sp = 0;
	memcpy(sp, buf, size);
	/* in long mode the new SS is null, its RPL the new CPL */
	*ss = cpl;
	if (!lng)
		memcpy(ss, buf + size, 2);
	return 0;
}

/* ---- code segments ---- */

int rvm_check_target(struct rvm_insn *insn, const struct rvm_seg *cs, u64 rip)
{
	const struct rvm_cpu *cpu = insn->cpu;

	if (rvm_is_long(cpu) && (cs->attr & RVM_SEG_L)) {
		if (!rvm_canonical(rip, cpu->cr4 & RVM_CR4_LA57))
			return rvm_x_gp0(insn);
	} else if (rip > cs->limit) {
		return rvm_x_gp0(insn);
	}
	return 0;
}

/* The last checks of a code segment that has passed the others. */
static int finish_target(struct rvm_insn *insn, struct rvm_target *t, struct rvm_desc *d)
{
	TRY(rvm_check_target(insn, &t->cs, t->rip));
	TRY(rvm_desc_mark(insn, d, RVM_SEG_A));
	t->cs.attr |= RVM_SEG_A;
	return 0;
}

void rvm_commit_target(struct rvm_insn *insn, const struct rvm_target *t)
{
	struct rvm_cpu *cpu = insn->cpu;

	cpu->seg[RVM_CS] = t->cs;
	cpu->rip = t->rip;
	cpu->cpl = t->cpl;
}

static bool is_code(const struct rvm_desc *d)
{
	return (rvm_desc_type(d) & (RVM_SEG_S | RVM_SEG_CODE)) == (RVM_SEG_S | RVM_SEG_CODE);
}

static bool is_conforming(const struct rvm_desc *d)
{
	return rvm_desc_type(d) & RVM_SEG_E;
}

/* In long mode L and D together are reserved. */
static bool bad_l(const struct rvm_insn *insn, const struct rvm_desc *d)
{
	return rvm_is_long(insn->cpu) &&
	       (rvm_desc_attr(d) & (RVM_SEG_L | RVM_SEG_DB)) == (RVM_SEG_L | RVM_SEG_DB);
}

/* Real and V86 mode: JMP, CALL, RET, IRET to sel:rip. */
static int real_target(struct rvm_insn *insn, u16 sel, u64 rip, struct rvm_target *t)
{
	rvm_seg_real(insn, &t->cs, RVM_CS, sel);
	t->rip = rip;
	t->cpl = insn->cpu->cpl;
	/* offsets beyond the limit fault before anything is changed */
	return rvm_check_target(insn, &t->cs, rip);
}

/*
 * Direct far JMP or CALL to the code segment @sel, whose descriptor is @d.
 * Without @check_rip finish_target() is left to the caller.
 */
static int direct_target(struct rvm_insn *insn, u16 sel, struct rvm_desc *d, u64 rip,
			 bool check_rip, struct rvm_target *t)
{
	u32 cpl = insn->cpu->cpl, dpl = rvm_desc_dpl(d);

	if (bad_l(insn, d))
		return rvm_x_sel_fault(insn, RVM_GP, sel);
	if (is_conforming(d) ? dpl > cpl : (sel & 3) > cpl || dpl != cpl)
		return rvm_x_sel_fault(insn, RVM_GP, sel);
	if (!rvm_desc_present(d))
		return rvm_x_sel_fault(insn, RVM_NP, sel);
	rvm_seg_from_desc(&t->cs, (sel & ~3) | cpl, d);
	t->rip = rip;
	t->cpl = cpl;
	return check_rip ? finish_target(insn, t, d) : 0;
}

/* A call gate: where it leads, how wide its pushes are, how many parameters. */
struct gate {
	u64 off;
	u16 sel;
	u32 size, params;
};

static void parse_gate(const struct rvm_insn *insn, const struct rvm_desc *d, struct gate *g)
{
	g->sel = d->raw >> 16;
	g->off = d->raw & 0xffff;
	g->size = 2;
	g->params = d->raw >> 32 & 31;
	if (rvm_desc_type(d) & 8) {
		g->off |= d->raw >> 32 & 0xffff0000;
		g->size = 4;
	}
	if (rvm_is_long(insn->cpu)) {
		g->off |= d->high << 32;
		g->size = 8;
		g->params = 0;
	}
}

/* Code segment behind a call gate; finish_target() is left to the caller. */
static int gate_target(struct rvm_insn *insn, const struct gate *g, bool call,
		       struct rvm_target *t, struct rvm_desc *d)
{
	u32 cpl = insn->cpu->cpl, dpl;

	if (rvm_null_sel(g->sel))
		return rvm_x_gp0(insn);
	TRY(rvm_desc_read(insn, g->sel, RVM_GP, d));
	dpl = rvm_desc_dpl(d);
	if (!is_code(d) || dpl > cpl)
		return rvm_x_sel_fault(insn, RVM_GP, g->sel);
	if (rvm_is_long(insn->cpu) &&
	    (rvm_desc_attr(d) & (RVM_SEG_L | RVM_SEG_DB)) != RVM_SEG_L)
		return rvm_x_sel_fault(insn, RVM_GP, g->sel);
	if (!call && !is_conforming(d) && dpl != cpl)
		return rvm_x_sel_fault(insn, RVM_GP, g->sel);
	if (!rvm_desc_present(d))
		return rvm_x_sel_fault(insn, RVM_NP, g->sel);
	t->cpl = is_conforming(d) ? cpl : dpl;
	rvm_seg_from_desc(&t->cs, (g->sel & ~3) | t->cpl, d);
	t->rip = g->off;
	return 0;
}

/* The checks of the gate or TSS descriptor itself. */
static int check_gate(struct rvm_insn *insn, u16 sel, const struct rvm_desc *d)
{
	u32 dpl = rvm_desc_dpl(d);

	if (dpl < insn->cpu->cpl || (sel & 3) > dpl)
		return rvm_x_sel_fault(insn, RVM_GP, sel);
	if (!rvm_desc_present(d))
		return rvm_x_sel_fault(insn, RVM_NP, sel);
	return 0;
}

/* JMP or CALL through a gate or TSS descriptor. */
static int system_transfer(struct rvm_insn *insn, const struct rvm_decoded *d, u16 sel,
			   bool call)
{
	struct rvm_cpu *cpu = insn->cpu;
	u64 next = rvm_next_rip(insn, d), sp, p;
	u32 v[31];
	struct rvm_xstack old, s;
	struct rvm_target t;
	struct rvm_desc desc, code;
	struct rvm_seg ss;
	struct gate g;
	u32 type, i;
	u16 ss_sel;

	TRY(rvm_desc_read_sys(insn, sel, RVM_GP, &desc));
	type = rvm_desc_type(&desc);
	if (rvm_is_long(cpu)) {
		if (type != 12 || (desc.high >> 40 & 0x1f))
			return rvm_x_sel_fault(insn, RVM_GP, sel);
	} else if (type != 1 && type != 9 && type != 4 && type != 5 && type != 12) {
		return rvm_x_sel_fault(insn, RVM_GP, sel);
	}
	TRY(check_gate(insn, sel, &desc));
	if (type == 1 || type == 9 || type == 5) {
		if (type == 5)
			sel = desc.raw >> 16;
		TRY(rvm_task_switch(insn, sel, call ? RVM_TASK_CALL : RVM_TASK_JMP, next,
				    cpu->rflags, -1, 0));
		/* RF is the new task's */
		return RVM_X_IRET;
	}
	parse_gate(insn, &desc, &g);
	TRY(gate_target(insn, &g, call, &t, &code));
	if (!call) {
		TRY(finish_target(insn, &t, &code));
		rvm_commit_target(insn, &t);
		return RVM_X_JUMPED;
	}
	rvm_xstack_begin(insn, &old);
	if (t.cpl == cpu->cpl) {
		s = old;
		/* out of compatibility mode too the pushes are 64-bit code's */
		if (rvm_is_long(cpu)) {
			rvm_xstack_set(insn, &s, &cpu->seg[RVM_SS], cpu->gpr[RVM_RSP],
				       t.cpl, true);
			s.err = 0;
		}
		TRY(rvm_xstack_room(insn, &s, g.size, 2));
		TRY(finish_target(insn, &t, &code));
		TRY(rvm_xpush(insn, &s, g.size, cpu->seg[RVM_CS].sel));
		TRY(rvm_xpush(insn, &s, g.size, next));
	} else {
		TRY(rvm_tss_stack(insn, t.cpl, 0, &ss_sel, &sp));
		if (rvm_is_long(cpu)) {
			rvm_seg_null(&ss, ss_sel);
			ss.attr |= t.cpl << RVM_SEG_DPL_SHIFT;
		} else {
			if (rvm_null_sel(ss_sel))
				return rvm_x_sel_fault(insn, RVM_TS, ss_sel);
			TRY(rvm_seg_load_ss(insn, ss_sel, t.cpl, RVM_TS, &ss));
		}
		rvm_xstack_set(insn, &s, &ss, sp, t.cpl, rvm_is_long(cpu));
		TRY(rvm_xstack_room(insn, &s, g.size, 4 + g.params));
		TRY(finish_target(insn, &t, &code));
		for (i = 0; i < g.params; i++) {
			TRY(rvm_xpop(insn, &old, g.size, &p));
			v[i] = p;
		}
		TRY(rvm_xpush(insn, &s, g.size, cpu->seg[RVM_SS].sel));
		TRY(rvm_xpush(insn, &s, g.size, cpu->gpr[RVM_RSP]));
		while (i--)
			TRY(rvm_xpush(insn, &s, g.size, v[i]));
		TRY(rvm_xpush(insn, &s, g.size, cpu->seg[RVM_CS].sel));
		TRY(rvm_xpush(insn, &s, g.size, next));
		cpu->seg[RVM_SS] = ss;
	}
	xstack_commit(insn, &s);
	rvm_commit_target(insn, &t);
	return RVM_X_JUMPED;
}

/* sel:offset of the operand, in the instruction or in memory */
static int far_pointer(struct rvm_insn *insn, const struct rvm_decoded *d, u16 *sel, u64 *off)
{
	if (d->opnd[0].kind == RVM_K_FAR) {
		*off = d->imm;
		*sel = d->imm2;
		return 0;
	}
	return rvm_read_far_pointer(insn, d, d->opnd[0].size - 2, sel, off);
}

static int far_transfer(struct rvm_insn *insn, const struct rvm_decoded *d, bool call)
{
	const struct rvm_cpu *cpu = insn->cpu;
	struct rvm_target t;
	struct rvm_xstack s;
	struct rvm_desc desc;
	bool late = false;
	u64 off;
	u16 sel;

	TRY(far_pointer(insn, d, &sel, &off));
	if (!rvm_prot_not_v86(cpu)) {
		TRY(real_target(insn, sel, off, &t));
	} else {
		if (rvm_null_sel(sel))
			return rvm_x_gp0(insn);
		TRY(rvm_desc_read(insn, sel, RVM_GP, &desc));
		if (!(rvm_desc_type(&desc) & RVM_SEG_S))
			return system_transfer(insn, d, sel, call);
		if (!is_code(&desc))
			return rvm_x_sel_fault(insn, RVM_GP, sel);
		/* AMD's CALL looks at the stack before the target, as the near one */
		late = call && !insn->intel;
		TRY(direct_target(insn, sel, &desc, off, !late, &t));
	}
	if (call) {
		rvm_xstack_begin(insn, &s);
		/* AMD pushes by the rules of the code segment that is called */
		if (rvm_is_long(cpu) && !insn->intel && s.flat != !!(t.cs.attr & RVM_SEG_L)) {
			rvm_xstack_set(insn, &s, &cpu->seg[RVM_SS], cpu->gpr[RVM_RSP],
				       cpu->cpl, !s.flat);
			s.acc = RVM_ACC_STACK;
			s.err = 0;
		}
		TRY(rvm_xpush(insn, &s, d->osize, cpu->seg[RVM_CS].sel));
		TRY(rvm_xpush(insn, &s, d->osize, rvm_next_rip(insn, d)));
		if (late)
			TRY(finish_target(insn, &t, &desc));
		xstack_commit(insn, &s);
	}
	rvm_commit_target(insn, &t);
	return RVM_X_JUMPED;
}

int rvm_x_jmpf(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	return far_transfer(insn, d, false);
}

int rvm_x_callf(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	return far_transfer(insn, d, true);
}

/* ---- returns ---- */

/* The code segment that RETF or IRET returns to; finish_target() is left to the caller. */
static int return_target(struct rvm_insn *insn, u16 sel, u64 rip, struct rvm_target *t,
			 struct rvm_desc *d)
{
	u32 rpl = sel & 3, dpl;

	if (rvm_null_sel(sel))
		return rvm_x_gp0(insn);
	TRY(rvm_desc_read(insn, sel, RVM_GP, d));
	dpl = rvm_desc_dpl(d);
	if (!is_code(d) || rpl < insn->cpu->cpl || bad_l(insn, d) ||
	    (is_conforming(d) ? dpl > rpl : dpl != rpl))
		return rvm_x_sel_fault(insn, RVM_GP, sel);
	if (!rvm_desc_present(d))
		return rvm_x_sel_fault(insn, RVM_NP, sel);
	rvm_seg_from_desc(&t->cs, sel, d);
	t->rip = rip;
	t->cpl = rpl;
	return 0;
}

/* SS of a return to an outer ring, or of any IRETQ. */
static int return_ss(struct rvm_insn *insn, u16 sel, const struct rvm_target *t, struct rvm_seg *ss)
{
	if (rvm_null_sel(sel)) {
		if (!rvm_is_long(insn->cpu) || !(t->cs.attr & RVM_SEG_L) || t->cpl == 3 ||
		    (sel & 3) != t->cpl)
			return rvm_x_gp0(insn);
		rvm_seg_null(ss, sel);
		ss->attr |= t->cpl << RVM_SEG_DPL_SHIFT;
		return 0;
	}
	return rvm_seg_load_ss(insn, sel, t->cpl, RVM_GP, ss);
}

/*
 * Put a stack pointer popped from an outer stack into rSP: a 16-bit stack takes
 * 16 bits and leaves the rest, which is how ESP's upper half leaks.
 */
static void set_outer_sp(struct rvm_insn *insn, const struct rvm_target *t,
			 const struct rvm_seg *ss, u64 sp)
{
	bool flat = rvm_is_long(insn->cpu) && (t->cs.attr & RVM_SEG_L);

	rvm_set_gpr(insn->cpu, RVM_RSP, flat ? 8 : ss->attr & RVM_SEG_DB ? 4 : 2, sp);
}

int rvm_x_retf(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	struct rvm_cpu *cpu = insn->cpu;
	u64 rip, sel, sp, ss_sel;
	u32 size = d->osize, cpl = cpu->cpl;
	struct rvm_target t;
	struct rvm_xstack s;
	struct rvm_desc code;
	struct rvm_seg ss;

	rvm_xstack_begin(insn, &s);
	TRY(rvm_xpop(insn, &s, size, &rip));
	TRY(rvm_xpop(insn, &s, size, &sel));
	if (!rvm_prot_not_v86(cpu)) {
		TRY(real_target(insn, sel, rip, &t));
	} else {
		TRY(return_target(insn, sel, rip, &t, &code));
		if (t.cpl == cpl)
			TRY(finish_target(insn, &t, &code));
	}
	if (t.cpl == cpl) {
		/* the parameters are released by the rules of the code returned to */
		xstack_commit(insn, &s);
		rvm_commit_target(insn, &t);
		rvm_set_gpr(cpu, RVM_RSP, rvm_stack_asize(cpu), cpu->gpr[RVM_RSP] + d->imm);
		return RVM_X_JUMPED;
	}
	s.sp = (s.sp + d->imm) & rvm_mask(s.asize);
	TRY(rvm_xpop(insn, &s, size, &sp));
	TRY(rvm_xpop(insn, &s, size, &ss_sel));
	TRY(return_ss(insn, ss_sel, &t, &ss));
	TRY(finish_target(insn, &t, &code));
	rvm_commit_target(insn, &t);
	cpu->seg[RVM_SS] = ss;
	set_outer_sp(insn, &t, &ss, sp + d->imm);
	rvm_seg_drop(insn, t.cpl);
	return RVM_X_JUMPED;
}

u64 rvm_iret_mask(const struct rvm_cpu *cpu, u32 size)
{
	u64 mask = RVM_FL_CF | RVM_FL_PF | RVM_FL_AF | RVM_FL_ZF | RVM_FL_SF | RVM_FL_TF |
		   RVM_FL_DF | RVM_FL_OF | RVM_FL_NT;

	if (!rvm_is_protmode(cpu) || cpu->cpl <= rvm_iopl(cpu))
		mask |= RVM_FL_IF;
	if (!cpu->cpl)
		mask |= RVM_FL_IOPL;
	if (size > 2) {
		mask |= RVM_FL_RF | RVM_FL_AC | RVM_FL_ID;
		if (!cpu->cpl && rvm_is_protmode(cpu))
			mask |= RVM_FL_VIF | RVM_FL_VIP;
	}
	return mask;
}

/* IRET in V86 mode with IOPL below 3: VME's, 16 bits only (SDM vol. 3 §21.3.3.3). */
static int iret_vme(struct rvm_insn *insn, struct rvm_xstack *s)
{
	struct rvm_cpu *cpu = insn->cpu;
	u64 rip, sel, fl, mask;
	struct rvm_target t;

	TRY(rvm_xpop(insn, s, 2, &rip));
	TRY(rvm_xpop(insn, s, 2, &sel));
	TRY(rvm_xpop(insn, s, 2, &fl));
	if ((fl & RVM_FL_TF) || ((fl & RVM_FL_IF) && (cpu->rflags & RVM_FL_VIP)))
		return rvm_x_gp0(insn);
	TRY(real_target(insn, sel, rip, &t));
	mask = (rvm_iret_mask(cpu, 2) & ~(RVM_FL_IF | RVM_FL_IOPL)) | RVM_FL_VIF;
	if (fl & RVM_FL_IF)
		fl |= RVM_FL_VIF;
	xstack_commit(insn, s);
	rvm_commit_target(insn, &t);
	rvm_set_flags(cpu, mask | RVM_FL_RF, fl);
	return RVM_X_IRET;
}

/* IRET from ring 0 to V86 mode: nine values of four bytes. */
static int iret_to_v86(struct rvm_insn *insn, struct rvm_xstack *s, u64 rip, u64 sel, u64 fl)
{
	static const u8 order[] = { RVM_SS, RVM_ES, RVM_DS, RVM_FS, RVM_GS };
	struct rvm_cpu *cpu = insn->cpu;
	u64 v[6];
	u32 i;

	for (i = 0; i < 6; i++)
		TRY(rvm_xpop(insn, s, 4, &v[i]));
	if (rip > 0xffff)
		return rvm_x_gp0(insn);
	cpu->rflags = (fl & 0x3f7fd5) | RVM_FL_FIXED | RVM_FL_VM;
	cpu->cpl = 3;
	rvm_seg_real(insn, &cpu->seg[RVM_CS], RVM_CS, sel);
	for (i = 0; i < ARRAY_SIZE(order); i++)
		rvm_seg_real(insn, &cpu->seg[order[i]], order[i], v[i + 1]);
	cpu->gpr[RVM_RSP] = v[0];
	cpu->rip = (u16)rip;
	return RVM_X_IRET;
}

static int iret(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	struct rvm_cpu *cpu = insn->cpu;
	u64 rip, sel, fl, sp, ss_sel, mask;
	u32 size = d->osize, cpl = cpu->cpl;
	struct rvm_target t;
	struct rvm_xstack s;
	struct rvm_desc code;
	struct rvm_seg ss;
	u16 link;

	rvm_xstack_begin(insn, &s);
	if (rvm_is_v86(cpu) && rvm_iopl(cpu) < 3) {
		if (!(cpu->cr4 & RVM_CR4_VME) || size != 2)
			return rvm_x_gp0(insn);
		return iret_vme(insn, &s);
	}
	if (rvm_prot_not_v86(cpu) && (cpu->rflags & RVM_FL_NT)) {
		if (rvm_is_long(cpu))
			return rvm_x_gp0(insn);
		if (cpu->seg[RVM_TR].limit < 1)
			return rvm_x_sel_fault(insn, RVM_TS, cpu->seg[RVM_TR].sel);
		TRY(rvm_read_sys(insn, cpu->seg[RVM_TR].base, &link, 2));
		TRY(rvm_task_switch(insn, link, RVM_TASK_IRET, rvm_next_rip(insn, d),
				    cpu->rflags, -1, 0));
		return RVM_X_IRET;
	}
	TRY(rvm_xpop(insn, &s, size, &rip));
	TRY(rvm_xpop(insn, &s, size, &sel));
	TRY(rvm_xpop(insn, &s, size, &fl));
	mask = rvm_iret_mask(cpu, size);
	if (!rvm_prot_not_v86(cpu)) {
		TRY(real_target(insn, sel, rip, &t));
		/* V86 with IOPL 3 keeps IOPL */
		xstack_commit(insn, &s);
		rvm_commit_target(insn, &t);
		rvm_set_flags(cpu, mask | RVM_FL_RF, size > 2 ? fl : fl & 0xffff);
		return RVM_X_IRET;
	}
	if ((fl & RVM_FL_VM) && size == 4 && !cpl && !rvm_is_long(cpu))
		return iret_to_v86(insn, &s, rip, sel, fl);

	TRY(return_target(insn, sel, rip, &t, &code));
	if (t.cpl != cpl || rvm_is_64bit(cpu)) {
		TRY(rvm_xpop(insn, &s, size, &sp));
		TRY(rvm_xpop(insn, &s, size, &ss_sel));
		TRY(return_ss(insn, ss_sel, &t, &ss));
		TRY(finish_target(insn, &t, &code));
		rvm_commit_target(insn, &t);
		cpu->seg[RVM_SS] = ss;
		set_outer_sp(insn, &t, &ss, sp);
		if (t.cpl != cpl)
			rvm_seg_drop(insn, t.cpl);
	} else {
		TRY(finish_target(insn, &t, &code));
		xstack_commit(insn, &s);
		rvm_commit_target(insn, &t);
	}
	/* a 16-bit image has no RF: it is cleared */
	rvm_set_flags(cpu, mask | RVM_FL_RF, size > 2 ? fl : fl & 0xffff);
	return RVM_X_IRET;
}

int rvm_x_iret(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	int rc = iret(insn, d);

	/* NMIs are unblocked even by one that faults (SDM vol. 3 §6.7.1). */
	if (rc == RVM_X_IRET || rc == RVM_INSN_FAULT)
		insn->iret = true;
	return rc;
}
