// SPDX-License-Identifier: GPL-2.0
/*
 * The software TLB: filling and forgetting; and what the interpreter derives
 * from the CPU's state to find things in it quickly.
 */
#include "tlb.h"

#define TLB_GENS	0xfff		/* 1..TLB_GENS; 0 matches nothing */

#define HOT_CR0		(RVM_CR0_PG | RVM_CR0_WP)

/* Without a cache every lookup ends here. */
static const struct rvm_tlb_entry nothing[RVM_TLB_SIZE];

static size_t row_bytes(u32 rows)
{
	return (2 * (size_t)rows + rows / 8) * sizeof(struct rvm_row);
}

size_t rvm_insn_cache_size(u32 rows)
{
	return sizeof(struct rvm_insn_cache) + row_bytes(rows);
}

static void forget_decoded(struct rvm_insn_cache *c)
{
	memset(c->row, 0, row_bytes(c->rows));
}

void rvm_insn_cache_init(struct rvm_insn *insn, void *mem, u32 rows)
{
	static const u64 none;

	insn->cache = mem;
	if (!insn->news)
		insn->news = &none;
	memset(mem, 0, rvm_insn_cache_size(rows));
	insn->cache->gen = 1;
	insn->cache->rows = rows;
	memset(&insn->hot, 0, sizeof(insn->hot));
	insn->hot.win_mode = ~0u;
}

void rvm_insn_flush(struct rvm_insn *insn)
{
	struct rvm_insn_cache *c = insn->cache;

	if (!c)
		return;
	insn->counts.flush++;
	if (++c->gen > TLB_GENS) {
		memset(c->tlb, 0, sizeof(c->tlb));
		c->gen = 1;
	}
	insn->hot.tlb_gen = c->gen;
	insn->hot.win_len = 0;
	insn->hot.win_fast = 0;
}

static u32 context(const struct rvm_cpu *cpu, u32 acc)
{
	if (acc & RVM_ACC_IMPLICIT)
		return RVM_TLB_SUPER;
	if (cpu->cpl == 3)
		return RVM_TLB_USER;
	return (cpu->rflags & RVM_FL_AC) && (cpu->cr4 & RVM_CR4_SMAP) ?
	       RVM_TLB_SUPER_AC : RVM_TLB_SUPER;
}

bool rvm_tlb_find(struct rvm_insn *insn, u64 gla, u32 len, u32 kind, u32 acc, u64 *host)
{
	static const u32 acc_of[] = { RVM_ACC_READ, RVM_ACC_WRITE, RVM_ACC_FETCH };
	struct rvm_insn_cache *c = insn->cache;
	struct rvm_tlb_entry *e;
	u64 page = gla & ~0xfffull, at;

	if (!c || (gla & 0xfff) + len > 0x1000 || (insn->watch_data && kind != RVM_TLB_EXEC))
		return false;
	e = &c->tlb[context(insn->cpu, acc)][gla >> 12 & (RVM_TLB_SIZE - 1)];
	if (likely(rvm_tlb_match(e, gla, len, kind, c->gen))) {
		*host = gla + e->add;
		return true;
	}
	if (insn->ops->map(insn, page, acc_of[kind] | (acc & RVM_ACC_IMPLICIT), &at)) {
		insn->counts.map_failed++;
		return false;
	}
	insn->counts.map++;
	/* Rights granted to another page, or to this one elsewhere, go. */
	if (e->add != at - page || ((e->tag[0] | e->tag[1] | e->tag[2]) != (page | c->gen)))
		memset(e->tag, 0, sizeof(e->tag));
	e->tag[kind] = page | c->gen;
	if (kind == RVM_TLB_WRITE)
		e->tag[RVM_TLB_READ] = page | c->gen;
	e->add = at - page;
	*host = gla + e->add;
	return true;
}

/* #AC is looked for where an address is made, so none may come from the TLB. */
static bool aligned_only(const struct rvm_cpu *cpu)
{
	return (cpu->rflags & RVM_FL_AC) && (cpu->cr0 & RVM_CR0_AM) && cpu->cpl == 3;
}

/* Offsets that need no further checks; see struct rvm_hot. */
static void hot_segments(struct rvm_hot *hot, const struct rvm_cpu *cpu, bool code64,
			 bool intel)
{
	bool prot = rvm_is_protmode(cpu), types = prot && !(cpu->rflags & RVM_FL_VM);
	u32 i;

	for (i = 0; i < ARRAY_SIZE(hot->seg); i++) {
		const struct rvm_seg *s = &cpu->seg[i];
		u64 lim = (u64)s->limit + 1;
		bool w = true, r = true;

		if (code64) {
			hot->seg[i].base = i >= RVM_FS ? s->base : 0;
			lim = ~0ull;
			/* where the offset has to be canonical itself: the lower half is */
			if (hot->seg[i].base && !intel)
				lim = cpu->cr4 & RVM_CR4_LA57 ? 1ull << 56 : 1ull << 47;
			hot->seg[i].rlim = lim;
			hot->seg[i].wlim = lim;
			continue;
		}
		if (types) {
			w = (s->attr & (RVM_SEG_CODE | RVM_SEG_W)) == RVM_SEG_W;
			r = (s->attr & (RVM_SEG_CODE | RVM_SEG_W)) != RVM_SEG_CODE;
		}
		if ((s->attr & RVM_SEG_UNUSABLE) ||
		    (prot && (s->attr & (RVM_SEG_CODE | RVM_SEG_E)) == RVM_SEG_E))
			lim = 0;
		hot->seg[i].base = s->base;
		hot->seg[i].rlim = r ? lim : 0;
		hot->seg[i].wlim = w ? lim : 0;
	}
}

static bool flat(const struct rvm_hot *hot, u32 seg)
{
	return !hot->seg[seg].base && hot->seg[seg].rlim > 0xffffffff &&
	       hot->seg[seg].wlim > 0xffffffff;
}

/* What hot_segments() looks at besides the segments; never 0. */
static u32 seg_rules(const struct rvm_cpu *cpu, bool code64, bool intel)
{
	return 1 | code64 << 1 | rvm_is_protmode(cpu) << 2 | intel << 3 |
	       !!(cpu->rflags & RVM_FL_VM) << 4 | !!(cpu->cr4 & RVM_CR4_LA57) << 5;
}

static bool same_segments(const struct rvm_seg *a, const struct rvm_seg *b)
{
	u64 other = 0;
	u32 i;

	for (i = 0; i < 6; i++)
		other |= (a[i].base ^ b[i].base) | (a[i].limit ^ b[i].limit) |
			(u16)(a[i].attr ^ b[i].attr);
	return !other;
}

static void choose_rows(struct rvm_hot *hot, struct rvm_insn_cache *c, u32 size)
{
	hot->win_mask = (size == RVM_DEC_16 ? c->rows / 8 : c->rows) - 1;
	hot->win_rows = c->row + (size == RVM_DEC_32 ? 0 : size == RVM_DEC_64 ? 1 : 2) * c->rows;
}

void rvm_hot_refresh(struct rvm_insn *insn)
{
	const struct rvm_cpu *cpu = insn->cpu;
	const struct rvm_seg *cs = &cpu->seg[RVM_CS];
	struct rvm_insn_cache *c = insn->cache;
	struct rvm_hot *hot = &insn->hot;
	bool code64 = rvm_is_64bit(cpu);
	u32 mode, ctx, rules;

	hot->gla_mask = code64 ? ~0ull : 0xffffffff;
	hot->rip_mask = code64 ? ~0ull : 0xffffffff;
	rules = seg_rules(cpu, code64, insn->intel);
	if (hot->seg_rules != rules || !same_segments(hot->seg_of, cpu->seg)) {
		hot_segments(hot, cpu, code64, insn->intel);
		hot->flat = flat(hot, RVM_DS) && flat(hot, RVM_ES) && flat(hot, RVM_SS);
		hot->flat_stack = hot->flat && (cpu->seg[RVM_SS].attr & RVM_SEG_DB);
		memcpy(hot->seg_of, cpu->seg, sizeof(hot->seg_of));
		hot->seg_rules = rules;
	}
	if (!c) {
		hot->tlb = nothing;
		hot->tlb_off = true;
		hot->tlb_gen = 1;
		return;
	}
	/* CPL and AC choose the context; all else that a walk depends on is here. */
	if (((hot->cr0 ^ cpu->cr0) & HOT_CR0) | (hot->cr3 ^ cpu->cr3) | (hot->cr4 ^ cpu->cr4) |
	    (hot->efer ^ cpu->efer) | (u64)(hot->a20_masked ^ cpu->a20_masked)) {
		hot->cr0 = cpu->cr0;
		hot->cr3 = cpu->cr3;
		hot->cr4 = cpu->cr4;
		hot->efer = cpu->efer;
		hot->a20_masked = cpu->a20_masked;
		rvm_insn_flush(insn);
	}
	ctx = context(cpu, 0);
	mode = rvm_insn_mode(insn);
	if (ctx != hot->win_ctx || mode != hot->win_mode || hot->win_base != cs->base ||
	    hot->win_limit != cs->limit) {
		/* decoded for a CPU of the other vendor */
		if (hot->win_mode != ~0u && ((mode ^ hot->win_mode) & RVM_DEC_INTEL))
			forget_decoded(c);
		hot->win_ctx = ctx;
		hot->win_mode = mode;
		choose_rows(hot, c, mode & RVM_DEC_SIZE);
		hot->win_base = cs->base;
		hot->win_limit = cs->limit;
		hot->win_len = 0;
		hot->win_fast = 0;
	}
	hot->tlb_gen = c->gen;
	hot->tlb_off = insn->watch_data || aligned_only(cpu);
	hot->tlb = unlikely(hot->tlb_off) ? nothing : c->tlb[ctx];
}

bool rvm_hot_addr_bounded(const struct rvm_insn *insn, u32 seg, u32 ea, u32 len, u32 kind,
			  u64 *host)
{
	return rvm_hot_addr(insn, seg, ea, len, kind, host);
}
