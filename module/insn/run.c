// SPDX-License-Identifier: GPL-2.0
/*
 * Many instructions in a row.
 */
#include "segment.h"
#include "tlb.h"

/*
 * Instructions that leave alone what struct rvm_hot is made of (segments, CPL,
 * control and debug registers), RFLAGS.TF and RF, and never set IF or the
 * interrupt shadow: they run straight from the cache.  Not an optimization that
 * one could get wrong by leaving something out; only by putting something in.
 */
static const bool plain[RVM_NR_OPS] = {
#define P(op) [RVM_OP_##op] = true
	P(MOV), P(MOVZX), P(MOVSX), P(MOVBE), P(MOVNTI), P(XCHG), P(LEA), P(BSWAP), P(XLAT),
	P(CMOV), P(SETCC), P(CBW), P(CWD), P(LAHF), P(SAHF), P(SALC),
	P(PUSH), P(POP), P(PUSHA), P(POPA), P(PUSHF), P(ENTER), P(LEAVE),
	P(ADD), P(OR), P(ADC), P(SBB), P(AND), P(SUB), P(XOR), P(CMP), P(TEST), P(INC), P(DEC),
	P(NEG), P(NOT), P(MUL), P(IMUL), P(IMUL2), P(DIV), P(IDIV), P(XADD), P(CMPXCHG),
	P(CMPXCHG8B), P(ADCX), P(ADOX), P(CRC32), P(AAA), P(AAS), P(AAM), P(AAD), P(DAA), P(DAS),
	P(ROL), P(ROR), P(RCL), P(RCR), P(SHL), P(SHR), P(SAL), P(SAR), P(SHLD), P(SHRD),
	P(BT), P(BTS), P(BTR), P(BTC), P(BSF), P(BSR), P(TZCNT), P(LZCNT), P(POPCNT),
	P(ANDN), P(BEXTR), P(BLSR), P(BLSMSK), P(BLSI), P(BZHI), P(PDEP), P(PEXT), P(MULX),
	P(RORX), P(SARX), P(SHLX), P(SHRX),
	P(CLC), P(STC), P(CMC), P(CLD), P(STD), P(CLI),
	P(MOVS), P(CMPS), P(STOS), P(LODS), P(SCAS),
	P(JCC), P(JMP), P(CALL), P(RET), P(LOOP), P(LOOPE), P(LOOPNE), P(JCXZ), P(BOUND),
	P(NOP), P(PAUSE), P(PREFETCH), P(FENCE),
#undef P
};

/*
 * Those that leave alone what struct rvm_hot is made of, but for what of it is in
 * RFLAGS; the run goes on after them unless that has changed, or IF.
 */
static const bool quiet[RVM_NR_OPS] = {
#define P(op) [RVM_OP_##op] = true
	P(POPF), P(STI), P(IN), P(OUT), P(RDTSC),
	P(X87), P(FWAIT), P(MMX), P(EMMS), P(SSE), P(LDMXCSR), P(STMXCSR), P(AVX),
#undef P
};

/* ---- executing from the cache ---- */

/* Is this a point where the caller wants to look at the guest? */
static bool attention(const struct rvm_insn *insn)
{
	const struct rvm_cpu *cpu = insn->cpu;

	if ((cpu->rflags & RVM_FL_TF) || insn->watch == RVM_WATCH_ALL)
		return true;
	return insn->watch == RVM_WATCH_IRQ && (cpu->rflags & RVM_FL_IF) && !cpu->int_shadow;
}

static const struct rvm_row *row_of(const struct rvm_row_insn *i)
{
	return (const void *)((const u8 *)(i - i->nr) - offsetof(struct rvm_row, insn));
}

static void keep_bytes(struct rvm_insn *insn, const struct rvm_row_insn *i)
{
	memset(insn->bytes, 0, sizeof(insn->bytes));
	memcpy(insn->bytes, (const u8 *)row_of(i)->want + i->at, i->d.len);
	insn->nr_bytes = i->d.len;
	insn->len = i->d.len;
}

/* rvm_row_insn.fn of every instruction that is not plain */
static int exec_other(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	const struct rvm_cpu *cpu = insn->cpu;
	u64 before = cpu->rflags;
	int rc;

	keep_bytes(insn, (const void *)((const u8 *)d - offsetof(struct rvm_row_insn, d)));
	rc = rvm_exec_commit(insn, d);
	if (rc)
		return rc;
	if (quiet[d->op] && !cpu->int_shadow && !attention(insn) &&
	    !((before ^ cpu->rflags) & (RVM_FL_AC | RVM_FL_VM)))
		return RVM_X_JUMPED;
	return RVM_X_DONE;
}

static rvm_exec_fn pick(const struct rvm_decoded *d)
{
	rvm_exec_fn fn;

	/* a repeated string instruction sets RF between its iterations */
	if (!plain[d->op] || (d->op >= RVM_OP_MOVS && d->op <= RVM_OP_SCAS &&
			      (d->prefix & (RVM_P_REP | RVM_P_REPNE))))
		return exec_other;
	fn = rvm_pick_move(d);
	if (!fn)
		fn = rvm_pick_arith(d);
	if (!fn)
		fn = rvm_pick_bits(d);
	return fn ? fn : rvm_exec_of(d->op);
}

static __always_inline struct rvm_row *place(const struct rvm_hot *hot, u64 off)
{
	return &hot->win_rows[(off + hot->win_salt) & hot->win_mask];
}

/* The code page that RIP is in.  False: fetch by the callback. */
static bool find_window(struct rvm_insn *insn)
{
	const struct rvm_cpu *cpu = insn->cpu;
	const struct rvm_seg *cs = &cpu->seg[RVM_CS];
	struct rvm_hot *hot = &insn->hot;
	u64 gla = cpu->rip, start, len = 0x1000, host;

	hot->win_len = hot->win_fast = 0;
	insn->counts.window++;
	if (rvm_is_64bit(cpu)) {
		if (!rvm_canonical(gla, cpu->cr4 & RVM_CR4_LA57))
			return false;
		start = gla & 0xfff;
	} else {
		if (cpu->rip > cs->limit)
			return false;
		gla = (u32)(cs->base + cpu->rip);
		/* as much of the page as lies in the segment */
		start = gla & 0xfff;
		if (start > cpu->rip)
			start = cpu->rip;
		if (len > (u64)cs->limit + 1 - (cpu->rip - start))
			len = (u64)cs->limit + 1 - (cpu->rip - start);
		if (len > 0x1000 - ((gla - start) & 0xfff))
			len = 0x1000 - ((gla - start) & 0xfff);
	}
	if (!rvm_tlb_find(insn, gla, 1, RVM_TLB_EXEC, 0, &host))
		return false;
	hot->win_rip = cpu->rip - start;
	hot->win_host = host - start;
	hot->win_len = len;
	hot->win_fast = len >= RVM_ROW_BYTES ? len - RVM_ROW_BYTES + 1 : 0;
	/* pages at whatever distance from each other meet in a few places at most */
	hot->win_salt = (hot->win_host >> 12) * 40503;
	return true;
}

/*
 * Up to fifteen bytes of an instruction whose first *n end the page; false where
 * there is no more to be had this way.
 */
static bool next_page(struct rvm_insn *insn, u8 *bytes, u32 *n)
{
	const struct rvm_cpu *cpu = insn->cpu;
	const struct rvm_seg *cs = &cpu->seg[RVM_CS];
	u32 more = RVM_INSN_MAX - *n;
	u64 gla = cpu->rip + *n, host;

	if (rvm_is_64bit(cpu)) {
		if (!rvm_canonical(gla, cpu->cr4 & RVM_CR4_LA57))
			return false;
	} else {
		if (gla > cs->limit)
			return false;
		if (more > (u64)cs->limit + 1 - gla)
			more = (u64)cs->limit + 1 - gla;
		gla = (u32)(gla + cs->base);
	}
	if (!more || (gla & 0xfff) || !gla)
		return false;
	insn->counts.cross++;
	if (!rvm_tlb_find(insn, gla, more, RVM_TLB_EXEC, 0, &host) ||
	    !rvm_host_read(host, bytes + *n, more))
		return false;
	*n += more;
	return true;
}

/*
 * Does the row go on behind this instruction?  It neither stores, which may
 * change what follows, nor does anything that is looked at between two
 * instructions; and RIP goes to the next one, or it returns RVM_X_JUMPED.
 */
static bool row_goes_on(const struct rvm_decoded *d)
{
	switch (d->op) {
	case RVM_OP_CMP: case RVM_OP_TEST: case RVM_OP_JCC: case RVM_OP_NOP:
		return true;
	case RVM_OP_MOV: case RVM_OP_MOVZX: case RVM_OP_MOVSX: case RVM_OP_LEA:
	case RVM_OP_BSWAP: case RVM_OP_CMOV: case RVM_OP_SETCC: case RVM_OP_POP:
	case RVM_OP_ADD: case RVM_OP_OR: case RVM_OP_ADC: case RVM_OP_SBB: case RVM_OP_AND:
	case RVM_OP_SUB: case RVM_OP_XOR: case RVM_OP_INC: case RVM_OP_DEC: case RVM_OP_NEG:
	case RVM_OP_NOT: case RVM_OP_IMUL2:
	case RVM_OP_ROL: case RVM_OP_ROR: case RVM_OP_RCL: case RVM_OP_RCR:
	case RVM_OP_SHL: case RVM_OP_SHR: case RVM_OP_SAL: case RVM_OP_SAR:
	case RVM_OP_SHLD: case RVM_OP_SHRD:
		return d->opnd[0].kind == RVM_K_REG;
	case RVM_OP_MUL: case RVM_OP_IMUL: case RVM_OP_DIV: case RVM_OP_IDIV:
	case RVM_OP_CBW: case RVM_OP_CWD:
		return true;
	default:
		return false;
	}
}

static void keep_row(struct rvm_row *row, const u8 *bytes, u32 n, u32 span)
{
	u64 two[2] = { 0 };
	u32 i;

	memcpy(two, bytes, span);
	for (i = 0; i < 2; i++) {
		u32 part = span < 8 * i ? 0 : span - 8 * i < 8 ? span - 8 * i : 8;

		row->want[i] = two[i];
		row->mask[i] = part ? ~0ull >> (64 - 8 * part) : 0;
	}
	row->n = n;
	row->span = span;
}

/* At most @max instructions from the first of the @n @bytes.  RVM_DECODE_*. */
static int make_row(const struct rvm_insn *insn, struct rvm_row *row, const u8 *bytes, u32 n,
		    u32 max)
{
	u32 span = 0, nr = 0;
	int rc;

	row->n = 0;
	do {
		struct rvm_row_insn *i = &row->insn[nr];

		rc = rvm_insn_decode(bytes + span, n - span, insn->hot.win_mode, &i->d);
		if (rc != RVM_DECODE_OK)
			break;
		i->fn = pick(&i->d);
		i->at = span;
		i->nr = nr++;
		span += i->d.len;
	} while (nr < max && span < n && row_goes_on(&row->insn[nr - 1].d));
	if (!nr)
		return rc;
	keep_row(row, bytes, nr, span);
	return RVM_DECODE_OK;
}

/* Are the row's bytes these, of which @n are there? */
static bool row_is(const struct rvm_row *row, const u64 *two, u32 n)
{
	return row->n && row->span <= n && (two[0] & row->mask[0]) == row->want[0] &&
	       (two[1] & row->mask[1]) == row->want[1];
}

/*
 * The row for RIP where the loop did not find it: another page, the end of a page,
 * another row in its place, or not decoded yet.  A row that loses its place to
 * another one gets a second one, where nobody but this function looks.  NULL where
 * fetching ended in something else, which is in hot->rc.
 */
static struct rvm_row *find(struct rvm_insn *insn)
{
	struct rvm_hot *hot = &insn->hot;
	u64 off = insn->cpu->rip - hot->win_rip, two[2] = { 0 };
	u8 *bytes = (u8 *)two;
	struct rvm_row *row, *second;
	u32 n = RVM_ROW_BYTES, max = RVM_ROW_MAX;
	int rc;

	if (off >= hot->win_len) {
		if (!find_window(insn))
			goto uncached;
		off = insn->cpu->rip - hot->win_rip;
	}
	if (likely(off < hot->win_fast)) {
		if (!rvm_host_load16(hot->win_host + off, &two[0], &two[1]))
			goto uncached;
	} else {
		n = hot->win_len - off < RVM_INSN_MAX ? hot->win_len - off : RVM_INSN_MAX;
		if (!rvm_host_read(hot->win_host + off, bytes, n))
			goto uncached;
	}
	row = place(hot, off);
	second = place(hot, off ^ (hot->win_mask / 2 + 1));
again:
	if (row_is(row, two, n))
		return row;
	if (row_is(second, two, n))
		return second;
	insn->counts.decode++;
	if (row->n)
		*second = *row;
	rc = make_row(insn, row, bytes, n, max);
	if (rc == RVM_DECODE_OK)
		return row;
	/* Only the one that crosses: what follows it is on the other page. */
	max = 1;
	if (rc == RVM_DECODE_MORE && next_page(insn, bytes, &n))
		goto again;
uncached:
	/* Fetching says what is wrong, if anything is. */
	insn->counts.uncached++;
	row = &insn->cache->odd;
	hot->rc = rvm_insn_fetch_decode_to(insn, &row->insn[0].d);
	if (hot->rc)
		return NULL;
	row->insn[0].fn = pick(&row->insn[0].d);
	keep_row(row, insn->bytes, 1, row->insn[0].d.len);
	return row;
}

/*
 * Plain instructions as many as there are.  RF and the shadow are clear, so
 * nobody has to clear them.  RVM_INSN_OK, RVM_X_DONE, or a result that ends the run.
 */
static int loop(struct rvm_insn *insn)
{
	struct rvm_cpu *const cpu = insn->cpu;
	struct rvm_hot *const hot = &insn->hot;
	const u64 rip_mask = hot->rip_mask;
	const struct rvm_row_insn *i;
	const struct rvm_row *row;
	u64 rip, off, low, high;
	s32 n;
	int rc;

	while (likely(insn->left > 0)) {
		if (unlikely(READ_ONCE(*insn->news) != insn->news_seen))
			insn->ops->news(insn);
		rip = cpu->rip;
		off = rip - hot->win_rip;
		row = place(hot, off);
		if (unlikely(off >= hot->win_fast ||
			     !rvm_host_load16(hot->win_host + off, &low, &high) ||
			     (((low & row->mask[0]) ^ row->want[0]) |
			      ((high & row->mask[1]) ^ row->want[1])) || !row->n)) {
			row = find(insn);
			if (unlikely(!row)) {
				insn->left--;
				return hot->rc;
			}
		}
		n = row->n;
		if (unlikely(n > insn->left))
			n = insn->left;
		/* All of the row; what is not executed is given back. */
		insn->left -= n;
		for (i = row->insn;; i++) {
			rc = i->fn(insn, &i->d);
			if (rc)
				break;
			rip = (rip + i->d.len) & rip_mask;
			cpu->rip = rip;
			if (!--n)
				break;
		}
		if (!n)
			continue;
		insn->left += n - 1;
		if (likely(rc == RVM_X_JUMPED))
			continue;
		if (rc != RVM_X_DONE)
			keep_bytes(insn, i);
		return rc;
	}
	return RVM_INSN_OK;
}

/*
 * One instruction where RF or the shadow are set: it is what clears them.
 * Those that are not plain have done that themselves, each as it should.
 */
static int one(struct rvm_insn *insn)
{
	struct rvm_cpu *cpu = insn->cpu;
	const struct rvm_row_insn *i;
	struct rvm_row *row;
	int rc;

	insn->left--;
	row = find(insn);
	if (!row)
		return insn->hot.rc;
	i = row->insn;
	rc = i->fn(insn, &i->d);
	if (!rc) {
		cpu->rip = (cpu->rip + i->d.len) & insn->hot.rip_mask;
	} else if (rc != RVM_X_JUMPED) {
		if (rc != RVM_X_DONE)
			keep_bytes(insn, i);
		return rc;
	}
	cpu->rflags &= ~RVM_FL_RF;
	cpu->int_shadow = 0;
	return RVM_INSN_OK;
}

int rvm_insn_run(struct rvm_insn *insn, u32 budget, u32 *done)
{
	struct rvm_cpu *cpu = insn->cpu;
	bool tf = cpu->rflags & RVM_FL_TF;
	int rc;

	insn->budget = budget;
	insn->left = budget;
	do {
		if (!insn->cache) {
			insn->left--;
			rc = rvm_insn_step(insn);
			continue;
		}
		rvm_hot_refresh(insn);
		if (tf || cpu->int_shadow || (cpu->rflags & RVM_FL_RF) || attention(insn))
			rc = one(insn);
		else
			rc = loop(insn);
		if (rc == RVM_X_DONE)
			rc = RVM_INSN_OK;
	} while (!rc && !tf && insn->left && !attention(insn));
	*done = insn->budget - insn->left;
	if (rc && rc != RVM_INSN_HALT)
		--*done;
	insn->left = 0;
	return rc;
}
