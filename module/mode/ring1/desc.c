// SPDX-License-Identifier: GPL-2.0
/*
 * Shadow descriptor tables (SDM vol. 3 §3.4, §3.5).
 *
 * The CPU never sees the guest's GDT and LDT.  No selector that it can be given leads
 * to a descriptor with L set, to a gate or to another system descriptor: that is the
 * wall behind which the host stands.
 *
 * For ring 3 there are copies in which
 * - there is nothing but code and data, and nothing that ring 1 or 2 own;
 * - L of code is clear.
 * What is not there cannot be loaded: that traps, and the interpreter finds out what the
 * guest's table really says.  LAR and its like do not trap; to them what ring 3 has no
 * right to look at is the same as nothing.  The copies are read-only to the CPU: where it
 * would set Accessed it faults, and the interpreter sets the bit in the guest's table.
 * A trip through ring 3 begins by loading every segment
 * register from the copies, so one whose hidden descriptor differs from its table's
 * cannot make it (user_segs_match()).  For all others table and hidden descriptor
 * agree, and because the guest's tables are write-protected (rvm_track_gfn()) they
 * still do at the trip's end.
 *
 * For ring 1 there is a table from which the hidden descriptors, whatever they are,
 * are loaded on the way in, and another with nothing in it but CS and SS, under
 * selectors of their own, which is there while the kernel runs: nothing reads those
 * two without a trap (view.c), and every load of another segment traps.  So the
 * guest's tables need not be looked at at all.
 *
 * Once ring 3 has run with the guest's tables they are up to date in any case, and
 * mostly the hidden descriptors agree with them in the kernel too.  Then ring 1 runs
 * on ring 3's copies (struct ring1_vcpu, native), and the gates lead from one ring to the
 * other and load segments (fast.c), out of yet another table, in which DPL 0 is 1.
 * Conforming code could be called there, so not with any of that in the tables.
 */
#include "ring1.h"
#include "../../mmu/mmu.h"

#include <linux/vmalloc.h>

#define DESC_A		(1ull << 40)
#define DESC_CODE	(1ull << 43)
#define DESC_CONFORMING	(1ull << 42)	/* of code */
#define DESC_S		(1ull << 44)
#define DESC_DPL_SHIFT	45
#define DESC_DPL	(3ull << DESC_DPL_SHIFT)
#define DESC_P		(1ull << 47)
#define DESC_L		(1ull << 53)

static bool desc_conforming(u64 d)
{
	return (d & (DESC_CODE | DESC_CONFORMING)) == (DESC_CODE | DESC_CONFORMING);
}

/* The guest's descriptor as ring 3 may see it, or 0. */
static u64 desc_shadow(u64 d)
{
	u32 dpl = (d & DESC_DPL) >> DESC_DPL_SHIFT;

	if (!(d & DESC_S))
		return 0;
	if (!desc_conforming(d) && (dpl == 1 || dpl == 2))
		return 0;
	/* L means nothing for data, and LAR shows it. */
	return d & DESC_CODE ? d & ~DESC_L : d;
}

/* @d as ring 1 may have it in a segment register. */
static u64 desc_ring1(u64 d)
{
	d = (d & ~DESC_L) | DESC_A;
	return d & DESC_DPL ? d : d | 1ull << DESC_DPL_SHIFT;
}

/* What a descriptor looks like from which the CPU would have loaded @s. */
static u64 desc_of_seg(const struct rvm_seg *s)
{
	u32 limit = s->attr & RVM_SEG_G ? s->limit >> 12 : s->limit;

	return (u64)(limit & 0xffff) | (s->base & 0xffffff) << 16 |
		(u64)(s->attr & 0xff) << 40 | (u64)(limit >> 16 & 0xf) << 48 |
		(u64)(s->attr >> 8 & 0xf) << 52 | (s->base >> 24 & 0xff) << 56;
}

static void seg_of_desc(struct rvm_seg *s, u16 sel, u64 d)
{
	u32 limit = (d & 0xffff) | (d >> 32 & 0xf0000);

	d |= DESC_A;
	s->sel = sel;
	s->base = (d >> 16 & 0xffffff) | (d >> 32 & 0xff000000);
	s->attr = (d >> 40 & 0xff) | (d >> 52 & 0xf) << 8;
	s->limit = s->attr & RVM_SEG_G ? limit << 12 | 0xfff : limit;
}

/* ---- lifetime -------------------------------------------------------------- */

/* A code segment of 64 bits for our gates (SDM vol. 3 §3.4.5). */
#define DESC_OUR_CS	(DESC_P | DESC_S | DESC_CODE | DESC_A | 1ull << 41 | DESC_L)

static void desc_set_ours(u64 *gdt)
{
	gdt[R1_SEL_CS / 8] = DESC_OUR_CS;
}

/* LDT: type 2, 16 bytes (SDM vol. 3 §7.2.3) */
static void desc_set_ldt(u64 *gdt, const u64 *ldt, s32 limit)
{
	u64 base = (unsigned long)ldt;

	gdt[R1_SEL_LDT / 8] = (u64)(limit & 0xffff) | (base & 0xffffff) << 16 |
		2ull << 40 | DESC_P | (base >> 24 & 0xff) << 56;
	gdt[R1_SEL_LDT / 8 + 1] = base >> 32;
}

#define DESC_TABLE_PAGES	((R1_GDT_LIMIT + 1) / PAGE_SIZE)

static u64 *desc_alloc(void)
{
	return __vmalloc(R1_GDT_LIMIT + 1, GFP_KERNEL_ACCOUNT | __GFP_ZERO);
}

/* The same table, read-only; or NULL. */
static u64 *desc_alias(const u64 *desc)
{
	struct page *pages[DESC_TABLE_PAGES];
	u32 i;

	for (i = 0; i < DESC_TABLE_PAGES; i++)
		pages[i] = vmalloc_to_page((const u8 *)desc + i * PAGE_SIZE);
	return vmap(pages, DESC_TABLE_PAGES, VM_MAP, PAGE_KERNEL_RO);
}

int ring1_desc_init(struct ring1_vcpu *r)
{
	int t, i;

	for (t = 0; t < RING1_NR_TABLES; t++) {
		struct ring1_shadow *s = &r->table[t];

		s->limit = -1;
		for (i = 0; i < RING1_TABLE_PAGES; i++)
			s->gpa[i] = RING1_NO_GPA;
		s->desc = desc_alloc();
		if (!s->desc)
			return -ENOMEM;
		s->seen = desc_alias(s->desc);
		if (!s->seen)
			return -ENOMEM;
	}
	r->load_gdt = desc_alloc();
	r->native_gdt = desc_alloc();
	r->run_gdt = desc_alloc();
	r->bridge_gdt = desc_alloc();
	if (!r->load_gdt || !r->native_gdt || !r->run_gdt || !r->bridge_gdt)
		return -ENOMEM;
	desc_set_ours(r->table[RING1_GDT].desc);
	desc_set_ours(r->load_gdt);
	desc_set_ours(r->native_gdt);
	desc_set_ours(r->run_gdt);
	desc_set_ours(r->bridge_gdt);
	return 0;
}

void ring1_desc_free(struct ring1_vcpu *r)
{
	int t;

	for (t = 0; t < RING1_NR_TABLES; t++) {
		vunmap(r->table[t].seen);
		vfree(r->table[t].desc);
	}
	vfree(r->load_gdt);
	vfree(r->native_gdt);
	vfree(r->run_gdt);
	vfree(r->bridge_gdt);
}

/**
 * ring1_desc_load - the bridge for this CPU and this thread
 * @r: ctx->host_gdt is up to date; preemption off
 *
 * An NMI finds whichever IDT is loaded with whichever GDT is: our gates name our code
 * segment, the host's gates the host's.  So between the two there is a table that has
 * both.  The thread's own descriptors in it do not change while it is in KVM_RUN, but for
 * the LDT's, which is loaded from the host's table alone.
 */
void ring1_desc_load(struct ring1_vcpu *r)
{
	memcpy(r->bridge_gdt, (const void *)r->ctx->host_gdt.address,
	       min_t(u32, r->ctx->host_gdt.size + 1, R1_SEL_KCS & ~7));
}

/* ---- keeping up -------------------------------------------------------------- */

/* How much of the GDT can be the guest's: our own descriptors are behind. */
#define DESC_GUEST_MAX	((R1_SEL_KCS & ~7) - 1)

/* Entries [first, first + n) from the guest's @raw.  @native: the GDT's other copy, or NULL. */
static void desc_put(struct ring1_shadow *s, u64 *native, u32 first, const u64 *raw, u32 n)
{
	u32 i;

	for (i = 0; i < n; i++) {
		u64 d = desc_shadow(raw[i]);

		s->conforming |= desc_conforming(d) && (d & DESC_S);
		WRITE_ONCE(s->desc[first + i], d);
		if (native)
			native[first + i] = d & DESC_A ? desc_ring1(d) : 0;
	}
}

static u32 desc_pages(u64 base, s32 limit)
{
	return limit < 0 ? 0 : (offset_in_page(base) + limit) / PAGE_SIZE + 1;
}

/* Where page @i of the table that begins at @base is; RING1_NO_GPA: nowhere. */
static u64 desc_page_gpa(struct rvm_vcpu *v, u64 base, u32 i)
{
	struct rvm_fault f;
	u64 gpa;

	if (rvm_walk(v, (u32)((base & PAGE_MASK) + i * PAGE_SIZE), RVM_ACC_READ | RVM_ACC_IMPLICIT,
		     &gpa, &f))
		return RING1_NO_GPA;
	return gpa & PAGE_MASK;
}

static bool desc_same_place(struct rvm_vcpu *v, const struct ring1_shadow *s)
{
	u32 i, n = desc_pages(s->base, s->limit);

	for (i = 0; i < n; i++)
		if (desc_page_gpa(v, s->base, i) != s->gpa[i])
			return false;
	return true;
}

/* The table is at @base from now on; its pages are watched.  0 or -ENOMEM. */
static int desc_place(struct rvm_vcpu *v, struct ring1_shadow *s, u64 base, s32 limit)
{
	u32 i, n = desc_pages(base, limit);
	int err;

	for (i = 0; i < RING1_TABLE_PAGES; i++) {
		u64 old = s->gpa[i], new = i < n ? desc_page_gpa(v, base, i) : RING1_NO_GPA;

		if (new == old)
			continue;
		if (new != RING1_NO_GPA) {
			err = rvm_track_gfn(v->vm, new >> PAGE_SHIFT);
			if (err)
				return err;
		}
		s->gpa[i] = new;
		if (old != RING1_NO_GPA)
			rvm_untrack_gfn(v->vm, old >> PAGE_SHIFT);
	}
	WRITE_ONCE(s->pages, n);
	s->base = base;
	s->limit = limit;
	return 0;
}

/* The guest's table, in full.  0 or -ENOMEM. */
static int desc_read(struct rvm_vcpu *v, struct ring1_shadow *s, u64 base, s32 limit)
{
	u32 end = (min_t(s32, limit, DESC_GUEST_MAX) + 1) / 8, old_end = (s->limit + 1) / 8;
	u64 *native = s == &to_ring1(v)->table[RING1_GDT] ? to_ring1(v)->native_gdt : NULL;
	u32 pos, n, have = 0;
	u64 buf[64], gpa;
	u8 *bytes = (u8 *)buf;
	int err;

	err = desc_place(v, s, base, limit);
	if (err)
		return err;
	/* A write from here on is told, and makes it void again. */
	WRITE_ONCE(s->valid, true);
	smp_mb();
	s->conforming = false;

	/* In pieces that lie in one page; a descriptor may lie in two. */
	for (pos = 0; pos < end * 8; pos += n) {
		u32 at = offset_in_page(base) + pos;

		n = min_t(u32, end * 8 - pos, PAGE_SIZE - offset_in_page(at));
		n = min_t(u32, n, sizeof(buf) - have);
		gpa = s->gpa[at >> PAGE_SHIFT];
		/* Not there: absent, and the interpreter sees why. */
		if (gpa == RING1_NO_GPA ||
		    rvm_gpa_read(v->vm, gpa + offset_in_page(at), bytes + have, n))
			memset(bytes + have, 0, n);
		have += n;
		if (have < sizeof(buf) && pos + n < end * 8)
			continue;
		desc_put(s, native, (pos + n - have) / 8, buf, have / 8);
		have = 0;
	}
	if (old_end > end) {
		n = (min_t(u32, old_end, DESC_GUEST_MAX / 8 + 1) - end) * 8;
		memset(&s->desc[end], 0, n);
		if (native)
			memset(&native[end], 0, n);
	}
	return 0;
}

static int desc_sync_table(struct rvm_vcpu *v, struct ring1_shadow *s, u64 base, s32 limit)
{
	if (s->valid && s->base == base && s->limit == limit &&
	    (!to_ring1(v)->tlb_stale || desc_same_place(v, s)))
		return 0;
	return desc_read(v, s, base, limit);
}

/* The copies for ring 3 up to date.  0 or -ENOMEM. */
static int desc_sync(struct rvm_vcpu *v)
{
	struct ring1_vcpu *r = to_ring1(v);
	const struct rvm_seg *ldtr = &v->cpu.seg[RVM_LDTR];
	struct ring1_shadow *ldt = &r->table[RING1_LDT];
	bool has_ldt = !(ldtr->attr & RVM_SEG_UNUSABLE);
	int err;

	/* What is loaded was loaded from the tables as they have been. */
	rvm_need(v, RVM_G_SEG);
	err = desc_sync_table(v, &r->table[RING1_GDT], v->cpu.gdtr.base, v->cpu.gdtr.limit);
	if (!err)
		err = desc_sync_table(v, ldt, has_ldt ? ldtr->base : 0,
				      has_ldt ? min_t(u32, ldtr->limit, 0xffff) : -1);
	if (err)
		return err;
	r->tlb_stale = false;
	r->ctx->guest_ldt = has_ldt ? R1_SEL_LDT : 0;
	desc_set_ldt(r->table[RING1_GDT].desc, ldt->seen, ldt->limit);
	desc_set_ldt(r->native_gdt, ldt->seen, ldt->limit);
	return 0;
}

static bool desc_good(const struct ring1_vcpu *r)
{
	return !r->tlb_stale && READ_ONCE(r->table[RING1_GDT].valid) &&
		READ_ONCE(r->table[RING1_LDT].valid);
}

/**
 * ring1_desc_written - guest memory that is watched was written
 * @v: any vCPU of the VM; the writer need not be its thread
 * @gpa: where, within a page
 *
 * True: it lies in a page of one of its tables, which is read again before the next
 * entry.
 */
bool ring1_desc_written(struct rvm_vcpu *v, u64 gpa)
{
	struct ring1_vcpu *r = to_ring1(v);
	bool hit = false;
	u32 t, i, n;

	for (t = 0; t < RING1_NR_TABLES; t++) {
		n = READ_ONCE(r->table[t].pages);
		for (i = 0; i < n; i++)
			if (READ_ONCE(r->table[t].gpa[i]) == (gpa & PAGE_MASK)) {
				WRITE_ONCE(r->table[t].valid, false);
				hit = true;
			}
	}
	return hit;
}

/* ---- segment registers ---------------------------------------------------------- */

/* What the tables have for @sel, as ring 3 would see it; 0: nothing. */
static u64 desc_lookup(const struct ring1_vcpu *r, u16 sel)
{
	const struct ring1_shadow *s = &r->table[sel & 4 ? RING1_LDT : RING1_GDT];

	if (s->limit < 0 || (sel | 7) > s->limit || (sel | 7) > DESC_GUEST_MAX)
		return 0;
	return s->desc[sel >> 3];
}

static bool user_seg_matches(struct rvm_vcpu *v, enum rvm_sreg n)
{
	const struct rvm_seg *s = &v->cpu.seg[n];
	u64 d;

	if (s->attr & RVM_SEG_UNUSABLE)
		return !s->sel && n != RVM_CS && n != RVM_SS;
	if (!(s->sel & ~3))
		return false;		/* null, but still usable: as reset leaves it */
	d = desc_lookup(to_ring1(v), s->sel);
	if (!d || d != desc_shadow(desc_of_seg(s) | DESC_A))
		return false;
	/* IRET to ring 3 takes away data segments of more privilege (SDM vol. 2, IRET);
	 * what put one there all the same, the interpreter may go on with. */
	return n == RVM_CS || (d & DESC_DPL) == DESC_DPL || desc_conforming(d);
}

static bool user_segs_match(struct rvm_vcpu *v)
{
	int n;

	for (n = RVM_ES; n <= RVM_GS; n++)
		if (!user_seg_matches(v, n))
			return false;
	return true;
}

/* @s as ring 1 may have it. */
static u64 desc_kernel(const struct rvm_seg *s)
{
	return desc_ring1(desc_of_seg(s));
}

/*
 * Ring 1 is to run on ring 3's copies: 1; 0: it cannot; -ENOMEM.  What ring 3 has not run
 * with is not watched for the kernel's sake: early kernels have their tables among what
 * they write to all the time.
 */
static int kernel_native(struct rvm_vcpu *v)
{
	static const u8 segs[] = { RVM_DS, RVM_ES, RVM_FS, RVM_GS };
	const struct rvm_seg *ldtr = &v->cpu.seg[RVM_LDTR];
	struct ring1_vcpu *r = to_ring1(v);
	const struct ring1_shadow *gdt = &r->table[RING1_GDT], *ldt = &r->table[RING1_LDT];
	bool has_ldt = !(ldtr->attr & RVM_SEG_UNUSABLE);
	u32 i;
	int err;

	if (gdt->base != v->cpu.gdtr.base || gdt->limit != v->cpu.gdtr.limit ||
	    ldt->base != (has_ldt ? ldtr->base : 0) ||
	    ldt->limit != (has_ldt ? min_t(u32, ldtr->limit, 0xffff) : -1))
		return 0;
	if (!desc_good(r)) {
		err = desc_sync(v);
		if (err)
			return err;
	}
	if (gdt->conforming || ldt->conforming)
		return 0;
	for (i = 0; i < ARRAY_SIZE(segs); i++) {
		const struct rvm_seg *s = &v->cpu.seg[segs[i]];
		u64 d;

		if (s->attr & RVM_SEG_UNUSABLE)
			continue;
		d = desc_lookup(r, s->sel);
		/* Of the LDT there is no copy with DPL 1 for 0. */
		if (!d || d != desc_shadow(desc_of_seg(s) | DESC_A) ||
		    ((s->sel & 4) && !(d & DESC_DPL)))
			return 0;
	}
	return 1;
}

/* A place for each of DS, ES, FS, GS in the table that they are loaded from; false
 * where they cannot have one. */
static bool kernel_segs_place(struct rvm_vcpu *v)
{
	static const u8 segs[] = { RVM_DS, RVM_ES, RVM_FS, RVM_GS };
	const u32 code = RVM_SEG_P | RVM_SEG_S | RVM_SEG_CODE, data = RVM_SEG_P | RVM_SEG_S | RVM_SEG_W;
	const struct rvm_seg *cs = &v->cpu.seg[RVM_CS], *ss = &v->cpu.seg[RVM_SS];
	struct ring1_vcpu *r = to_ring1(v);
	u32 i, j;

	if (r->placed_native == r->native && !memcmp(r->placed, v->cpu.seg, sizeof(r->placed)))
		return true;
	memset(r->placed, 0, sizeof(r->placed));
	r->placed_native = r->native;
	/* What a client sets need not be what an instruction can load (SDM vol. 3 §5.5). */
	if ((cs->attr & code) != code || (ss->attr & (data | RVM_SEG_CODE)) != data)
		return false;
	for (i = 0; i < ARRAY_SIZE(segs); i++) {
		const struct rvm_seg *s = &v->cpu.seg[segs[i]];

		if (s->attr & RVM_SEG_UNUSABLE) {
			/* The way in makes 0 of null selectors (SDM vol. 2, IRET). */
			if (s->sel)
				return false;
			continue;
		}
		if (!(s->sel & ~3) || (s->sel | 7) > DESC_GUEST_MAX ||
		    ((s->sel & 4) && !r->native) ||
		    !(s->attr & RVM_SEG_P) || !(s->attr & RVM_SEG_S) ||
		    (s->attr & (RVM_SEG_CODE | RVM_SEG_W)) == RVM_SEG_CODE)
			return false;
		/* two, loaded from one place at different times */
		for (j = 0; j < i; j++)
			if (v->cpu.seg[segs[j]].sel >> 3 == s->sel >> 3 &&
			    desc_kernel(&v->cpu.seg[segs[j]]) != desc_kernel(s))
				return false;
		/* SDM vol. 3 §5.5: data may be loaded with an RPL up to its DPL */
		if ((s->sel & 3) > (desc_kernel(s) >> DESC_DPL_SHIFT & 3))
			return false;
		if (!(s->sel & 4))
			r->load_gdt[s->sel >> 3] = desc_kernel(s);
	}
	r->run_gdt[R1_SEL_KCS / 8] = desc_kernel(&v->cpu.seg[RVM_CS]);
	r->run_gdt[R1_SEL_KSS / 8] = desc_kernel(&v->cpu.seg[RVM_SS]);
	BUILD_BUG_ON(sizeof(r->placed) > sizeof(v->cpu.seg));
	memcpy(r->placed, v->cpu.seg, sizeof(r->placed));
	return true;
}

/**
 * ring1_desc_prepare - descriptor tables for an entry
 * @v: the vCPU; process context, may sleep
 *
 * 1; 0: the segment registers cannot be given to the CPU as they are; -ENOMEM.
 */
int ring1_desc_prepare(struct rvm_vcpu *v)
{
	struct ring1_vcpu *r = to_ring1(v);
	struct ring1_ctx *ctx = r->ctx;
	int err;

	u64 *gdt = r->table[RING1_GDT].desc;

	if (v->cpu.cpl != 3) {
		/* as it came back */
		if (!(v->avail & RVM_G_SEG) && (!r->native || desc_good(r))) {
			if (r->native)
				ctx->guest_gdt.address = (unsigned long)r->native_gdt;
			return 1;
		}
		rvm_need(v, RVM_G_SEG);
		err = kernel_native(v);
		if (err < 0)
			return err;
		r->native = err;
		if (!kernel_segs_place(v))
			return 0;
		if (!r->native) {
			ctx->guest_ldt = 0;
			ctx->guest_gdt.address = (unsigned long)r->load_gdt;
			ctx->run_gdt.address = (unsigned long)r->run_gdt;
			return 1;
		}
		ctx->guest_ldt = r->table[RING1_LDT].limit < 0 ? 0 : R1_SEL_LDT;
		ctx->guest_gdt.address = (unsigned long)r->native_gdt;
		ctx->run_gdt.address = (unsigned long)r->table[RING1_GDT].seen;
		/* The gate may have had others there in between (fast.c). */
		gdt[R1_SEL_KCS / 8] = r->run_gdt[R1_SEL_KCS / 8];
		gdt[R1_SEL_KSS / 8] = r->run_gdt[R1_SEL_KSS / 8];
		return 1;
	}
	if ((v->avail & RVM_G_SEG) || !desc_good(r)) {
		err = desc_sync(v);
		if (err)
			return err;
		if (!user_segs_match(v))
			return 0;
		r->native = !r->table[RING1_GDT].conforming && !r->table[RING1_LDT].conforming;
	}
	ctx->guest_gdt.address = (unsigned long)r->table[RING1_GDT].seen;
	ctx->run_gdt.address = ctx->guest_gdt.address;
	return 1;
}

u32 ring1_real_sel(const struct rvm_vcpu *v, enum rvm_sreg n)
{
	if (v->cpu.cpl != 3 && n == RVM_CS)
		return R1_SEL_KCS;
	if (v->cpu.cpl != 3 && n == RVM_SS)
		return R1_SEL_KSS;
	return v->cpu.seg[n].sel;
}

void ring1_take_seg(struct rvm_vcpu *v, enum rvm_sreg n, u16 sel)
{
	struct rvm_seg *s = &v->cpu.seg[n];

	if (v->cpu.cpl != 3 && (n == RVM_CS || n == RVM_SS))
		return;
	if (sel == s->sel)
		return;		/* loaded again or not, the tables say the same */
	if (!(sel & ~3)) {
		*s = (struct rvm_seg) { .sel = sel, .attr = RVM_SEG_UNUSABLE };
		return;
	}
	/* only from ring 3's copies can another one be loaded */
	seg_of_desc(s, sel, desc_lookup(to_ring1(v), sel));
}

u64 ring1_seg_desc(const struct rvm_seg *s)
{
	return desc_of_seg(s);
}

void ring1_set_seg(struct rvm_vcpu *v, enum rvm_sreg n, u16 sel, u64 desc)
{
	seg_of_desc(&v->cpu.seg[n], sel, desc);
}
