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

static void keep_bytes(struct rvm_insn *insn, const struct rvm_cached_insn *e)
{
	memcpy(insn->bytes, e->bytes, sizeof(insn->bytes));
	insn->nr_bytes = e->d.len;
	insn->len = e->d.len;
}

/* rvm_cached_insn.fn of every instruction that is not plain */
static int exec_other(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	const struct rvm_cpu *cpu = insn->cpu;
	u64 before = cpu->rflags;
	int rc;

	keep_bytes(insn, (const void *)((const u8 *)d - offsetof(struct rvm_cached_insn, d)));
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

/* @e->d has been decoded from @bytes. */
static struct rvm_cached_insn *fill(struct rvm_cached_insn *e, const u8 *bytes)
{
	u32 len = e->d.len;

	memset(e->bytes, 0, sizeof(e->bytes));
	memcpy(e->bytes, bytes, len);
	memcpy(&e->want, e->bytes, 8);
	e->mask = len < 8 ? ~0ull >> (64 - 8 * len) : ~0ull;
	/* One load does not show all of a longer one: never a hit in the loop. */
	if (len > 8) {
		e->want = ~0ull;
		e->mask = 0;
	}
	e->fn = pick(&e->d);
	return e;
}

static __always_inline struct rvm_cached_insn *slot(const struct rvm_hot *hot, u64 off)
{
	return (void *)((u8 *)hot->win_slots + ((off + hot->win_salt) & hot->win_mask) *
		sizeof(struct rvm_cached_insn));
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
	hot->win_fast = len > 7 ? len - 7 : 0;
	/* neighbouring pages do not share slots, nor do pages 4 KiB * 2^n apart */
	hot->win_salt = (hot->win_host >> 12) * 1237;
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

/* @n bytes, RVM_INSN_MAX at most, which are mostly that many: then two loads will do. */
static bool read_code(u64 host, u8 *bytes, u32 n)
{
	u64 low, high;

	if (unlikely(n < RVM_INSN_MAX))
		return rvm_host_read(host, bytes, n);
	if (!rvm_host_load(host, &low, 8) || !rvm_host_load(host + RVM_INSN_MAX - 8, &high, 8))
		return false;
	memcpy(bytes, &low, 8);
	memcpy(bytes + RVM_INSN_MAX - 8, &high, 8);
	return true;
}

/*
 * An entry for the instruction at RIP where the loop did not find it: another
 * page, more than eight bytes, the end of a page, or not decoded yet.  NULL
 * where fetching ended in something else, which is in hot->rc.
 */
static struct rvm_cached_insn *find(struct rvm_insn *insn)
{
	struct rvm_hot *hot = &insn->hot;
	u64 off = insn->cpu->rip - hot->win_rip;
	u8 bytes[RVM_INSN_MAX];
	struct rvm_cached_insn *e;
	u32 n;
	int rc;

	if (off >= hot->win_len) {
		if (!find_window(insn))
			goto uncached;
		off = insn->cpu->rip - hot->win_rip;
	}
	n = hot->win_len - off < RVM_INSN_MAX ? hot->win_len - off : RVM_INSN_MAX;
	if (!read_code(hot->win_host + off, bytes, n))
		goto uncached;
	e = slot(hot, off);
again:
	if (e->d.len && e->d.len <= n && !memcmp(e->bytes, bytes, e->d.len))
		return e;
	insn->counts.decode++;
	rc = rvm_insn_decode(bytes, n, hot->win_mode, &e->d);
	if (rc == RVM_DECODE_OK)
		return fill(e, bytes);
	rvm_cached_spoil(e);
	if (rc == RVM_DECODE_MORE && next_page(insn, bytes, &n))
		goto again;
uncached:
	/* Fetching says what is wrong, if anything is. */
	insn->counts.uncached++;
	e = &insn->cache->odd;
	hot->rc = rvm_insn_fetch_decode_to(insn, &e->d);
	return hot->rc ? NULL : fill(e, insn->bytes);
}

/* The instruction at RIP.  RVM_INSN_OK, RVM_X_DONE, or a result that ends the run. */
static __always_inline int exec_cached(struct rvm_insn *insn, struct rvm_cpu *cpu,
				       struct rvm_hot *hot)
{
	u64 off = cpu->rip - hot->win_rip, bytes;
	struct rvm_cached_insn *e = slot(hot, off);
	int rc;

	if (unlikely(off >= hot->win_fast || !rvm_host_load(hot->win_host + off, &bytes, 8) ||
		     (bytes & e->mask) != e->want)) {
		e = find(insn);
		if (unlikely(!e))
			return hot->rc;
	}
	rc = e->fn(insn, &e->d);
	if (likely(!rc)) {
		cpu->rip = (cpu->rip + e->d.len) & hot->rip_mask;
		return RVM_INSN_OK;
	}
	if (likely(rc == RVM_X_JUMPED))
		return RVM_INSN_OK;
	if (rc != RVM_X_DONE)
		keep_bytes(insn, e);
	return rc;
}

/*
 * Plain instructions as many as there are.  RF and the shadow are clear, so
 * nobody has to clear them.
 */
static int loop(struct rvm_insn *insn)
{
	struct rvm_cpu *const cpu = insn->cpu;
	struct rvm_hot *const hot = &insn->hot;

	while (likely(--insn->left >= 0))
		TRY(exec_cached(insn, cpu, hot));
	insn->left = 0;
	return RVM_INSN_OK;
}

/*
 * One instruction where RF or the shadow are set: it is what clears them.
 * Those that are not plain have done that themselves, each as it should.
 */
static int one(struct rvm_insn *insn)
{
	insn->left--;
	TRY(exec_cached(insn, insn->cpu, &insn->hot));
	insn->cpu->rflags &= ~RVM_FL_RF;
	insn->cpu->int_shadow = 0;
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
