// SPDX-License-Identifier: GPL-2.0
/*
 * Hardware task switch (SDM vol. 3 chapter 7).  Outside long mode only.
 *
 * The one case where a fault may come with the state changed: from the moment
 * the new task's registers are loaded, a fault belongs to the new task (SDM
 * vol. 3 §7.3, step 13), and the caller delivers it there.
 */
#include "segment.h"

/* Offsets in a TSS, 32-bit and 16-bit (SDM vol. 3 figures 7-2, 7-10). */
struct tss_layout {
	u16 cr3, ip, flags, gpr, seg, ldt, trap;
	u8 word;		/* size of a register */
	u8 seg_stride;
	u8 nr_segs;
	u16 min_limit;
	u16 save_end;		/* end of what is written back, from @ip on */
	u16 end;
};

static const struct tss_layout tss32 = {
	.cr3 = 0x1c, .ip = 0x20, .flags = 0x24, .gpr = 0x28, .seg = 0x48, .ldt = 0x60,
	.trap = 0x64, .word = 4, .seg_stride = 4, .nr_segs = 6, .min_limit = 0x67,
	.save_end = 0x60, .end = 0x68,
};

static const struct tss_layout tss16 = {
	.ip = 0x0e, .flags = 0x10, .gpr = 0x12, .seg = 0x22, .ldt = 0x2a,
	.word = 2, .seg_stride = 2, .nr_segs = 4, .min_limit = 0x2b, .save_end = 0x2a,
	.end = 0x2c,
};

static u32 get(const u8 *tss, u32 at, u32 size)
{
	u32 v = 0;

	memcpy(&v, tss + at, size);
	return v;
}

/* Reads and writes go in pieces of at most 64 bytes. */
static int tss_read(struct rvm_insn *insn, u64 base, u8 *buf, u32 from, u32 to)
{
	u32 n;

	for (; from < to; from += n) {
		n = to - from < 64 ? to - from : 64;
		TRY(rvm_read_sys(insn, base + from, buf + from, n));
	}
	return 0;
}

static int tss_write(struct rvm_insn *insn, u64 base, const u8 *buf, u32 from, u32 to)
{
	u32 n;

	for (; from < to; from += n) {
		n = to - from < 64 ? to - from : 64;
		TRY(rvm_write_sys(insn, base + from, buf + from, n));
	}
	return 0;
}

/* Registers of the old task into the image @tss. */
static void save_task(const struct rvm_cpu *cpu, const struct tss_layout *l, u8 *tss, u64 rip,
		      u64 flags)
{
	u32 i;

	memcpy(tss + l->ip, &rip, l->word);
	memcpy(tss + l->flags, &flags, l->word);
	for (i = 0; i < 8; i++)
		memcpy(tss + l->gpr + i * l->word, &cpu->gpr[i], l->word);
	for (i = 0; i < l->nr_segs; i++)
		memcpy(tss + l->seg + i * l->seg_stride, &cpu->seg[i].sel, 2);
}

/* The descriptor of the task that is left, for its busy bit to be cleared. */
static int busy_desc(struct rvm_insn *insn, u16 sel, u16 ext, struct rvm_desc *d)
{
	TRY(rvm_x_add_ext(insn, rvm_desc_read(insn, sel, RVM_TS, d), ext));
	return rvm_probe(insn, (u32)(d->gla + 5), 1, RVM_ACC_IMPLICIT);
}

static int clear_busy(struct rvm_insn *insn, const struct rvm_desc *d)
{
	u8 type = (d->raw >> 40) & ~2;

	return rvm_write_sys(insn, d->gla + 5, &type, 1);
}

/* One segment register of the new task; all failures are #TS but presence. */
static int load_task_seg(struct rvm_insn *insn, u32 nr, u16 sel, u32 cpl)
{
	struct rvm_cpu *cpu = insn->cpu;
	struct rvm_desc d;
	u32 type, dpl;

	if (rvm_null_sel(sel)) {
		if (nr == RVM_CS || nr == RVM_SS)
			return rvm_x_sel_fault(insn, RVM_TS, sel);
		rvm_seg_null(&cpu->seg[nr], sel);
		return 0;
	}
	TRY(rvm_desc_read(insn, sel, RVM_TS, &d));
	type = rvm_desc_type(&d);
	dpl = rvm_desc_dpl(&d);
	if (!(type & RVM_SEG_S))
		return rvm_x_sel_fault(insn, RVM_TS, sel);
	if (nr == RVM_CS) {
		if (!(type & RVM_SEG_CODE) ||
		    (type & RVM_SEG_E ? dpl > (sel & 3u) : dpl != (sel & 3u)))
			return rvm_x_sel_fault(insn, RVM_TS, sel);
	} else if (nr == RVM_SS) {
		if ((type & (RVM_SEG_CODE | RVM_SEG_W)) != RVM_SEG_W || dpl != cpl ||
		    (sel & 3) != cpl)
			return rvm_x_sel_fault(insn, RVM_TS, sel);
	} else {
		if ((type & (RVM_SEG_CODE | RVM_SEG_W)) == RVM_SEG_CODE)
			return rvm_x_sel_fault(insn, RVM_TS, sel);
		if ((type & (RVM_SEG_CODE | RVM_SEG_E)) != (RVM_SEG_CODE | RVM_SEG_E) &&
		    (dpl < cpl || dpl < (sel & 3u)))
			return rvm_x_sel_fault(insn, RVM_TS, sel);
	}
	if (!rvm_desc_present(&d))
		return rvm_x_sel_fault(insn, nr == RVM_SS ? RVM_SSF : RVM_NP, sel);
	TRY(rvm_desc_mark(insn, &d, RVM_SEG_A));
	rvm_seg_from_desc(&cpu->seg[nr], sel, &d);
	return 0;
}

/* LDTR and the segment registers, in the order in which the CPU faults. */
static int load_task_segs(struct rvm_insn *insn, const struct tss_layout *l, const u8 *tss)
{
	static const u8 order[] = { RVM_CS, RVM_SS, RVM_ES, RVM_DS, RVM_FS, RVM_GS };
	struct rvm_cpu *cpu = insn->cpu;
	u16 ldt = get(tss, l->ldt, 2);
	struct rvm_desc d;
	u32 i;

	if (!rvm_null_sel(ldt)) {
		if (ldt & 4)
			return rvm_x_sel_fault(insn, RVM_TS, ldt);
		TRY(rvm_desc_read(insn, ldt, RVM_TS, &d));
		if (rvm_desc_type(&d) != 2 || !rvm_desc_present(&d))
			return rvm_x_sel_fault(insn, RVM_TS, ldt);
		rvm_seg_from_desc(&cpu->seg[RVM_LDTR], ldt, &d);
	}
	if (rvm_is_v86(cpu))
		return 0;
	for (i = 0; i < ARRAY_SIZE(order); i++) {
		u32 nr = order[i];

		/* a 16-bit TSS has no FS and GS: they are null already */
		if (nr < l->nr_segs)
			TRY(load_task_seg(insn, nr, get(tss, l->seg + nr * l->seg_stride, 2),
					  cpu->cpl));
	}
	return 0;
}

/* The new task's registers are loaded: what is left may fault, in its context. */
static int enter_task(struct rvm_insn *insn, const struct tss_layout *l, const u8 *tss,
		      s64 error)
{
	struct rvm_cpu *cpu = insn->cpu;
	struct rvm_xstack s;

	if (l->cr3 && rvm_is_paging(cpu))
		TRY(rvm_set_cr(insn, 3, get(tss, l->cr3, 4)));
	TRY(load_task_segs(insn, l, tss));
	if (error >= 0) {
		rvm_xstack_begin(insn, &s);
		TRY(rvm_xpush(insn, &s, l->word, error));
		rvm_set_gpr(cpu, RVM_RSP, s.asize, s.sp);
	}
	return rvm_check_target(insn, &cpu->seg[RVM_CS], cpu->rip);
}

int rvm_task_switch(struct rvm_insn *insn, u16 sel, enum rvm_task_how how, u64 next_rip,
		    u64 flags, s64 error, u16 ext)
{
	struct rvm_cpu *cpu = insn->cpu;
	const struct rvm_seg *tr = &cpu->seg[RVM_TR];
	const struct tss_layout *new_l, *old_l = tr->attr & 8 ? &tss32 : &tss16;
	u8 vector = how == RVM_TASK_IRET ? RVM_TS : RVM_GP;
	bool nest = how == RVM_TASK_CALL || how == RVM_TASK_INT;
	u16 old_tr = tr->sel;
	u64 old_base = tr->base;
	struct rvm_desc d, old_d;
	struct rvm_seg new_tr;
	u8 tss[0x68], image[0x68];
	u32 type, i;
	int rc;

	if ((sel & 4) || rvm_null_sel(sel))
		return rvm_x_fault(insn, vector, (sel & ~3) | ext);
	TRY(rvm_x_add_ext(insn, rvm_desc_read(insn, sel, vector, &d), ext));
	type = rvm_desc_type(&d);
	/* a nested task returns to a busy one, all others go to an idle one */
	if ((type & ~8u) != (how == RVM_TASK_IRET ? 3 : 1))
		return rvm_x_fault(insn, vector, (sel & ~3) | ext);
	if (!rvm_desc_present(&d))
		return rvm_x_fault(insn, RVM_NP, (sel & ~3) | ext);
	new_l = type & 8 ? &tss32 : &tss16;
	if (rvm_desc_limit(&d) < new_l->min_limit)
		return rvm_x_fault(insn, RVM_TS, (sel & ~3) | ext);
	rvm_seg_from_desc(&new_tr, sel, &d);

	/*
	 * All of both TSSs and of the descriptors is reachable before anything is
	 * changed (SDM vol. 3 §7.3, step 5).
	 */
	if (tr->limit + 1ull < old_l->save_end)
		return rvm_x_fault(insn, RVM_TS, (old_tr & ~3) | ext);
	TRY(rvm_probe(insn, (u32)(old_base + old_l->ip), old_l->save_end - old_l->ip,
		      RVM_ACC_IMPLICIT));
	TRY(tss_read(insn, new_tr.base, tss, 0, new_l->end));
	if (nest)
		TRY(rvm_probe(insn, (u32)new_tr.base, 2, RVM_ACC_IMPLICIT));
	else
		TRY(busy_desc(insn, old_tr, ext, &old_d));
	if (how != RVM_TASK_IRET)
		TRY(rvm_probe(insn, (u32)(d.gla + 5), 1, RVM_ACC_IMPLICIT));

	if (how == RVM_TASK_IRET)
		flags &= ~RVM_FL_NT;
	save_task(cpu, old_l, image, next_rip, flags);
	TRY(tss_write(insn, old_base, image, old_l->ip, old_l->save_end));
	if (nest)
		TRY(rvm_write_sys(insn, new_tr.base, &old_tr, 2));
	else
		TRY(clear_busy(insn, &old_d));
	if (how != RVM_TASK_IRET)
		TRY(rvm_desc_mark(insn, &d, 2));

	/* The new task: from here on a fault is its own. */
	new_tr.attr |= 2;
	cpu->seg[RVM_TR] = new_tr;
	flags = get(tss, new_l->flags, new_l->word) | RVM_FL_FIXED;
	if (nest)
		flags |= RVM_FL_NT;
	cpu->rflags = flags & 0x3f7fd7;
	cpu->rip = get(tss, new_l->ip, new_l->word);
	for (i = 0; i < 8; i++)
		cpu->gpr[i] = get(tss, new_l->gpr + i * new_l->word, new_l->word) |
			      (new_l->word == 2 ? 0xffff0000 : 0);
	/* selectors first, so that a fault finds them; the rest as it is checked */
	rvm_seg_null(&cpu->seg[RVM_LDTR], get(tss, new_l->ldt, 2));
	for (i = 0; i < 6; i++) {
		u16 v = i < new_l->nr_segs ? get(tss, new_l->seg + i * new_l->seg_stride, 2) : 0;

		if (cpu->rflags & RVM_FL_VM)
			rvm_seg_real(insn, &cpu->seg[i], i, v);
		else
			rvm_seg_null(&cpu->seg[i], v);
	}
	cpu->cpl = cpu->rflags & RVM_FL_VM ? 3 : cpu->seg[RVM_CS].sel & 3;
	cpu->dr7 &= ~0x155ull;		/* local breakpoints */
	cpu->int_shadow = 0;
	TRY(rvm_set_cr(insn, 0, cpu->cr0 | RVM_CR0_TS));

	rc = enter_task(insn, new_l, tss, error);
	if (rc)
		return rvm_x_add_ext(insn, rc, ext);
	if (new_l->trap && (tss[new_l->trap] & 1)) {
		insn->fault = (struct rvm_fault){ .vector = RVM_DB, .dr6 = RVM_DR6_BT };
		return RVM_INSN_FAULT;
	}
	return 0;
}
