// SPDX-License-Identifier: GPL-2.0
/*
 * Exceptions and interrupts through the IVT and IDT, and the fast system
 * calls (SDM vol. 3 chapter 6, §5.8.7, §21.3; APM vol. 2 chapter 8, §6.1).
 */
#include "segment.h"
#include "tlb.h"

/* ---- software interrupts ---- */

/*
 * INT n, INT3 and INTO end as an exception with @soft set: the caller delivers
 * it as it does all others, with RIP behind the instruction.
 */
static int soft_event(struct rvm_insn *insn, u8 vector)
{
	insn->fault = (struct rvm_fault){ .vector = vector, .soft = true };
	return RVM_INSN_FAULT;
}

static int push_real_frame(struct rvm_insn *insn, u64 flags, u64 rip, struct rvm_xstack *s)
{
	rvm_xstack_begin(insn, s);
	TRY(rvm_xpush(insn, s, 2, flags));
	TRY(rvm_xpush(insn, s, 2, insn->cpu->seg[RVM_CS].sel));
	return rvm_xpush(insn, s, 2, rip);
}

/*
 * V86 mode with VME: an INT whose bit in the TSS's redirection map is clear
 * goes through the guest's own IVT at linear address 0 (SDM vol. 3 §21.3.3.1).
 * Returns 0 with *redirect false where the IDT is to be used.  INT3 and INTO
 * are not redirected.
 */
static int vme_redirect(struct rvm_insn *insn, u8 vector, u64 next, bool *redirect)
{
	struct rvm_cpu *cpu = insn->cpu;
	const struct rvm_seg *tr = &cpu->seg[RVM_TR];
	u32 ivt, at, iopl3 = rvm_iopl(cpu) == 3;
	u64 flags = cpu->rflags;
	struct rvm_xstack s;
	u16 iomap;
	u8 bits;

	*redirect = false;
	if (!(cpu->cr4 & RVM_CR4_VME))
		return 0;
	/* the map lies in the 32 bytes below the I/O map */
	if (tr->limit < 0x67)
		return rvm_x_gp0(insn);
	TRY(rvm_read_sys(insn, tr->base + 0x66, &iomap, 2));
	at = (u32)iomap - 32 + vector / 8;
	if (at > tr->limit)
		return rvm_x_gp0(insn);
	TRY(rvm_read_sys(insn, tr->base + at, &bits, 1));
	if (bits >> (vector & 7) & 1)
		return 0;
	*redirect = true;
	TRY(rvm_read_sys(insn, vector * 4, &ivt, 4));
	if (!iopl3) {
		flags = (flags & ~RVM_FL_IF) | RVM_FL_IOPL;
		if (cpu->rflags & RVM_FL_VIF)
			flags |= RVM_FL_IF;
	}
	TRY(push_real_frame(insn, flags, next, &s));
	rvm_set_gpr(cpu, RVM_RSP, s.asize, s.sp);
	rvm_seg_real(insn, &cpu->seg[RVM_CS], RVM_CS, ivt >> 16);
	cpu->rip = (u16)ivt;
	cpu->rflags &= ~(RVM_FL_TF | (iopl3 ? RVM_FL_IF : RVM_FL_VIF));
	return RVM_X_JUMPED;
}

int rvm_x_int(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	if (rvm_is_v86(insn->cpu)) {
		bool redirect;
		int rc = vme_redirect(insn, d->imm, rvm_next_rip(insn, d), &redirect);

		if (rc || redirect)
			return rc;
		if (rvm_iopl(insn->cpu) < 3)
			return rvm_x_gp0(insn);
	}
	return soft_event(insn, d->imm);
}

int rvm_x_int3(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	return soft_event(insn, RVM_BP);
}

int rvm_x_into(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	return insn->cpu->rflags & RVM_FL_OF ? soft_event(insn, RVM_OF) : 0;
}

/*
 * ICEBP: vector 1 without a look at the gate's DPL, and with EXT set in the
 * error code of a fault on the way (SDM vol. 2, INT n/INTO/INT3/INT1).
 */
int rvm_x_int1(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	soft_event(insn, RVM_DB);
	insn->fault.int1 = true;
	return RVM_INSN_FAULT;
}

/* ---- delivery ---- */

static int deliver_real(struct rvm_insn *insn, const struct rvm_fault *ev, u64 rip)
{
	struct rvm_cpu *cpu = insn->cpu;
	struct rvm_xstack s;
	u32 ivt;

	if ((u32)ev->vector * 4 + 3 > cpu->idtr.limit)
		return rvm_x_fault(insn, RVM_GP, ev->vector * 8 + 2);
	TRY(rvm_read_sys(insn, cpu->idtr.base + ev->vector * 4, &ivt, 4));
	TRY(push_real_frame(insn, cpu->rflags, rip, &s));
	rvm_set_gpr(cpu, RVM_RSP, s.asize, s.sp);
	rvm_seg_real(insn, &cpu->seg[RVM_CS], RVM_CS, ivt >> 16);
	cpu->rip = (u16)ivt;
	cpu->rflags &= ~(RVM_FL_IF | RVM_FL_TF | RVM_FL_AC | RVM_FL_RF);
	return 0;
}

static int ext_fault(struct rvm_insn *insn, u8 vector, u32 error, u32 ext)
{
	return rvm_x_fault(insn, vector, error | ext);
}

/* RSP for an entry into 64-bit code: the IST's, the ring's, or the present one. */
static int long_stack(struct rvm_insn *insn, u32 ist, u32 cpl, u32 ext, u64 *sp)
{
	const struct rvm_cpu *cpu = insn->cpu;
	const struct rvm_seg *tr = &cpu->seg[RVM_TR];
	u32 at = 0x24 + (ist - 1) * 8;
	u16 ss;

	if (ist) {
		if (at + 7 > tr->limit)
			return rvm_x_fault(insn, RVM_TS, (tr->sel & ~3) | ext);
		return rvm_read_sys(insn, tr->base + at, sp, 8);
	}
	if (cpl != cpu->cpl)
		return rvm_tss_stack(insn, cpl, ext, &ss, sp);
	*sp = cpu->gpr[RVM_RSP];
	return 0;
}

static int deliver_gate(struct rvm_insn *insn, const struct rvm_fault *ev, u64 rip, u32 ext,
			bool is_fault)
{
	static const u8 data[] = { RVM_GS, RVM_FS, RVM_DS, RVM_ES };
	struct rvm_cpu *cpu = insn->cpu;
	bool lng = rvm_is_long(cpu), v86 = rvm_is_v86(cpu), inner;
	u32 entry = lng ? 16 : 8, idt_err = ev->vector * 8 + 2, type, dpl, size, i;
	u64 gate[2] = { 0 }, off, sp, flags = cpu->rflags;
	struct rvm_xstack s;
	struct rvm_target t;
	struct rvm_desc d;
	struct rvm_seg ss = { 0 };
	u16 sel, ss_sel;

	if (is_fault)
		flags |= RVM_FL_RF;
	if ((u32)ev->vector * entry + entry - 1 > cpu->idtr.limit)
		return ext_fault(insn, RVM_GP, idt_err, ext);
	TRY(rvm_read_sys(insn, cpu->idtr.base + ev->vector * entry, gate, entry));
	type = gate[0] >> 40 & 0x1f;
	if (type != 14 && type != 15 && (lng || (type != 5 && type != 6 && type != 7)))
		return ext_fault(insn, RVM_GP, idt_err, ext);
	if (ev->soft && !ev->int1 && (gate[0] >> 45 & 3) < cpu->cpl)
		return ext_fault(insn, RVM_GP, idt_err, 0);
	if (!(gate[0] >> 47 & 1))
		return ext_fault(insn, RVM_NP, idt_err, ext);
	sel = gate[0] >> 16;
	if (type == 5)
		return rvm_task_switch(insn, sel, RVM_TASK_INT, rip, flags,
				       ev->has_error ? (s64)ev->error : -1, ext);

	/* the handler's code segment */
	if (rvm_null_sel(sel))
		return ext_fault(insn, RVM_GP, 0, ext);
	TRY(rvm_x_add_ext(insn, rvm_desc_read(insn, sel, RVM_GP, &d), ext));
	dpl = rvm_desc_dpl(&d);
	if ((rvm_desc_type(&d) & (RVM_SEG_S | RVM_SEG_CODE)) != (RVM_SEG_S | RVM_SEG_CODE) ||
	    dpl > cpu->cpl)
		return ext_fault(insn, RVM_GP, sel & ~3, ext);
	if (lng && (rvm_desc_attr(&d) & (RVM_SEG_L | RVM_SEG_DB)) != RVM_SEG_L)
		return ext_fault(insn, RVM_GP, sel & ~3, ext);
	if (!rvm_desc_present(&d))
		return ext_fault(insn, RVM_NP, sel & ~3, ext);
	t.cpl = rvm_desc_type(&d) & RVM_SEG_E ? cpu->cpl : dpl;
	/* out of V86 mode: to ring 0 only */
	if (v86 && t.cpl)
		return ext_fault(insn, RVM_GP, sel & ~3, ext);
	inner = t.cpl != cpu->cpl;
	rvm_seg_from_desc(&t.cs, (sel & ~3) | t.cpl, &d);
	off = (gate[0] & 0xffff) | (type & 8 ? gate[0] >> 32 & 0xffff0000 : 0) | gate[1] << 32;
	t.rip = off;
	size = lng ? 8 : type & 8 ? 4 : 2;

	if (lng) {
		TRY(long_stack(insn, gate[0] >> 32 & 7, t.cpl, ext, &sp));
		rvm_seg_null(&ss, t.cpl);
		ss.attr |= t.cpl << RVM_SEG_DPL_SHIFT;
		rvm_xstack_set(insn, &s, inner ? &ss : &cpu->seg[RVM_SS], sp & ~15ull, t.cpl, true);
		s.err = 0;
	} else if (inner) {
		TRY(rvm_tss_stack(insn, t.cpl, ext, &ss_sel, &sp));
		if (rvm_null_sel(ss_sel))
			return ext_fault(insn, RVM_TS, ss_sel & ~3, ext);
		TRY(rvm_x_add_ext(insn, rvm_seg_load_ss(insn, ss_sel, t.cpl, RVM_TS, &ss), ext));
		rvm_xstack_set(insn, &s, &ss, sp, t.cpl, false);
	} else {
		rvm_xstack_begin(insn, &s);
	}
	TRY(rvm_x_add_ext(insn, rvm_xstack_room(insn, &s, size, 3 + (inner || lng ? 2 : 0) +
					  (v86 ? 4 : 0) + ev->has_error), ext));
	TRY(rvm_x_add_ext(insn, rvm_check_target(insn, &t.cs, t.rip), ext));
	TRY(rvm_desc_mark(insn, &d, RVM_SEG_A));
	t.cs.attr |= RVM_SEG_A;

	if (v86)
		for (i = 0; i < ARRAY_SIZE(data); i++)
			TRY(rvm_x_add_ext(insn, rvm_xpush(insn, &s, size, cpu->seg[data[i]].sel), ext));
	if (inner || lng) {
		TRY(rvm_x_add_ext(insn, rvm_xpush(insn, &s, size, cpu->seg[RVM_SS].sel), ext));
		TRY(rvm_x_add_ext(insn, rvm_xpush(insn, &s, size, cpu->gpr[RVM_RSP]), ext));
	}
	TRY(rvm_x_add_ext(insn, rvm_xpush(insn, &s, size, flags), ext));
	TRY(rvm_x_add_ext(insn, rvm_xpush(insn, &s, size, cpu->seg[RVM_CS].sel), ext));
	TRY(rvm_x_add_ext(insn, rvm_xpush(insn, &s, size, rip), ext));
	if (ev->has_error)
		TRY(rvm_x_add_ext(insn, rvm_xpush(insn, &s, size, ev->error), ext));

	if (v86)
		for (i = 0; i < ARRAY_SIZE(data); i++)
			rvm_seg_null(&cpu->seg[data[i]], 0);
	if (inner)
		cpu->seg[RVM_SS] = ss;
	rvm_set_gpr(cpu, RVM_RSP, s.asize, s.sp);
	rvm_commit_target(insn, &t);
	cpu->rflags &= ~(RVM_FL_TF | RVM_FL_VM | RVM_FL_RF | RVM_FL_NT);
	if (!(type & 1))
		cpu->rflags &= ~RVM_FL_IF;
	return 0;
}

int rvm_insn_deliver(struct rvm_insn *insn, const struct rvm_fault *event, u32 len, bool external)
{
	struct rvm_cpu *cpu = insn->cpu;
	/* by value: insn->fault may be what is passed, and a nested fault overwrites it */
	struct rvm_fault ev = *event;
	u64 rip = cpu->rip + (ev.soft ? len : 0);
	/*
	 * Faults push RF set, so that the instruction does not meet its breakpoint
	 * again; that breakpoint itself does not (SDM vol. 3 §17.3.1.1).
	 */
	bool is_fault = !ev.soft && !external && ev.vector != RVM_NMI && ev.vector != RVM_BP &&
			ev.vector != RVM_OF && ev.vector != RVM_DF && ev.vector != RVM_MC &&
			(ev.vector != RVM_DB || (ev.dr6 & RVM_DR6_BD));
	int rc;

	rvm_hot_refresh(insn);
	if (!rvm_is_64bit(cpu))
		rip = (u32)rip;
	if (ev.vector == RVM_PF && !external && !ev.soft)
		cpu->cr2 = ev.cr2;
	if (!rvm_is_protmode(cpu))
		rc = deliver_real(insn, &ev, rip);
	else
		rc = deliver_gate(insn, &ev, rip, ev.soft && !ev.int1 ? 0 : 1, is_fault);
	if (rc)
		return rc;
	if (ev.vector == RVM_DB && !external && !ev.soft) {
		cpu->dr6 |= ev.dr6;
		cpu->dr7 &= ~RVM_DR7_GD;
	}
	cpu->int_shadow = 0;
	return RVM_INSN_OK;
}

/* ---- fast system calls ---- */

#define ATTR_CODE	(RVM_SEG_P | RVM_SEG_S | RVM_SEG_CODE | RVM_SEG_W | RVM_SEG_A | RVM_SEG_G)
#define ATTR_DATA	(RVM_SEG_P | RVM_SEG_S | RVM_SEG_W | RVM_SEG_A | RVM_SEG_G | RVM_SEG_DB)

/* CS and SS as these instructions make them: flat, from no descriptor. */
static void flat_segments(struct rvm_insn *insn, u16 cs, u16 ss, u32 cpl, bool code64)
{
	struct rvm_cpu *cpu = insn->cpu;
	u16 dpl = cpl << RVM_SEG_DPL_SHIFT;

	cpu->seg[RVM_CS] = (struct rvm_seg){
		.sel = cs, .limit = 0xffffffff,
		.attr = ATTR_CODE | dpl | (code64 ? RVM_SEG_L : RVM_SEG_DB),
	};
	cpu->seg[RVM_SS] = (struct rvm_seg){
		.sel = ss, .limit = 0xffffffff, .attr = ATTR_DATA | dpl,
	};
	cpu->cpl = cpl;
}

int rvm_x_syscall(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	struct rvm_cpu *cpu = insn->cpu;
	u16 sel = (cpu->star >> 32) & 0xfffc;
	bool code64 = rvm_code64(d);
	u64 old = cpu->rflags;

	if (!(cpu->efer & RVM_EFER_SCE) || !rvm_prot_not_v86(cpu) || (insn->intel && !code64))
		return rvm_x_ud(insn);
	cpu->gpr[RVM_RCX] = rvm_next_rip(insn, d);
	if (rvm_is_long(cpu)) {
		cpu->gpr[RVM_R11] = cpu->rflags & ~RVM_FL_RF;
		cpu->rip = code64 ? cpu->lstar : cpu->cstar;
		cpu->rflags = (cpu->rflags & ~(cpu->sfmask & 0xffffffff)) | RVM_FL_FIXED;
		flat_segments(insn, sel, sel + 8, 0, true);
	} else {
		cpu->rip = (u32)cpu->star;
		cpu->rflags &= ~(RVM_FL_VM | RVM_FL_IF);
		flat_segments(insn, sel, sel + 8, 0, false);
	}
	insn->tf_after = (old | cpu->rflags) & RVM_FL_TF;
	return RVM_X_JUMPED;
}

int rvm_x_sysret(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	struct rvm_cpu *cpu = insn->cpu;
	u16 sel = (cpu->star >> 48) | 3;
	struct rvm_seg ss = cpu->seg[RVM_SS];
	bool to64 = d->osize == 8;
	u64 old = cpu->rflags;

	if (!(cpu->efer & RVM_EFER_SCE) || (insn->intel && !rvm_code64(d)))
		return rvm_x_ud(insn);
	/* V86 mode has CPL 3 */
	if (!rvm_is_protmode(cpu))
		return rvm_x_gp0(insn);
	TRY(rvm_need_cpl0(insn));
	/* Intel faults here, in ring 0; AMD at the target, in ring 3 */
	if (to64 && insn->intel && !rvm_canonical(cpu->gpr[RVM_RCX], cpu->cr4 & RVM_CR4_LA57))
		return rvm_x_gp0(insn);
	cpu->rip = to64 ? cpu->gpr[RVM_RCX] : (u32)cpu->gpr[RVM_RCX];
	/* AMD's CPUs take no flags from R11 in compatibility mode (APM vol. 3, SYSRET) */
	if (rvm_code64(d))
		cpu->rflags = (cpu->gpr[RVM_R11] & 0x3c7fd7) | RVM_FL_FIXED;
	else
		cpu->rflags = (cpu->rflags & ~RVM_FL_RF) | RVM_FL_IF;
	flat_segments(insn, to64 ? sel + 16 : sel, (sel + 8) | 3, 3, to64);
	/*
	 * AMD's CPUs leave base, limit and attributes of SS as they were: behind a
	 * null selector a stack that 32-bit code cannot use (APM vol. 3, SYSRET).
	 */
	if (!insn->intel) {
		ss.sel = cpu->seg[RVM_SS].sel;
		ss.attr |= RVM_SEG_DPL;
		cpu->seg[RVM_SS] = ss;
	}
	insn->tf_after = (old | cpu->rflags) & RVM_FL_TF;
	return RVM_X_IRET;
}

/* AMD's CPUs have SYSENTER and SYSEXIT outside long mode only (APM vol. 2 §6.1.2). */
int rvm_x_sysenter(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	struct rvm_cpu *cpu = insn->cpu;
	u16 sel = cpu->sysenter_cs & 0xfffc;
	bool lng = rvm_is_long(cpu);

	if ((lng && !insn->intel) || (insn->hide & RVM_HIDE_SEP))
		return rvm_x_ud(insn);
	if (!rvm_is_protmode(cpu) || !sel)
		return rvm_x_gp0(insn);
	cpu->rflags &= ~(RVM_FL_VM | RVM_FL_IF);
	cpu->rip = lng ? cpu->sysenter_eip : (u32)cpu->sysenter_eip;
	cpu->gpr[RVM_RSP] = lng ? cpu->sysenter_esp : (u32)cpu->sysenter_esp;
	flat_segments(insn, sel, sel + 8, 0, lng);
	return RVM_X_JUMPED;
}

int rvm_x_sysexit(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	struct rvm_cpu *cpu = insn->cpu;
	u16 sel = cpu->sysenter_cs & 0xfffc;
	bool to64 = d->osize == 8, la57 = cpu->cr4 & RVM_CR4_LA57;
	u64 rip = cpu->gpr[RVM_RDX], rsp = cpu->gpr[RVM_RCX];

	/* AMD's CPUs look at CPL before they find SYSEXIT undefined in long mode */
	if ((rvm_is_long(cpu) && !insn->intel && !cpu->cpl) || (insn->hide & RVM_HIDE_SEP))
		return rvm_x_ud(insn);
	if (!rvm_prot_not_v86(cpu) || !sel || cpu->cpl)
		return rvm_x_gp0(insn);
	if (to64 && (!rvm_canonical(rip, la57) || !rvm_canonical(rsp, la57)))
		return rvm_x_gp0(insn);
	cpu->rip = to64 ? rip : (u32)rip;
	cpu->gpr[RVM_RSP] = to64 ? rsp : (u32)rsp;
	flat_segments(insn, (sel + (to64 ? 32 : 16)) | 3, (sel + (to64 ? 40 : 24)) | 3, 3, to64);
	return RVM_X_JUMPED;
}
