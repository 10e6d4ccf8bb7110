// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <stdlib.h>
#include "unit.h"

static struct world *world_of(struct rvm_insn *insn)
{
	return insn->priv;
}

static int page_fault(struct world *w, u64 gla, u32 acc, bool present)
{
	if (w->foreign && w->foreign(gla)) {
		w->hit_foreign = true;
		w->insn.reason = "foreign";
		return RVM_INSN_UNHANDLED;
	}
	if (w->present_from && gla >= w->present_from)
		present = true;
	w->insn.fault = (struct rvm_fault){
		.vector = RVM_PF, .has_error = true, .cr2 = gla,
		.error = (present ? RVM_PF_P : 0) | (acc & RVM_ACC_WRITE ? RVM_PF_W : 0) |
			 (w->cpu.cpl == 3 && !(acc & RVM_ACC_IMPLICIT) ? RVM_PF_U : 0) |
			 (acc & RVM_ACC_FETCH ? RVM_PF_I : 0),
	};
	return RVM_INSN_FAULT;
}

static struct region *find(struct world *w, u64 gla)
{
	u32 i;

	for (i = 0; i < w->nr_regions; i++)
		if (gla - w->region[i].start < w->region[i].len)
			return &w->region[i];
	return NULL;
}

/* Every byte reachable, or the fault of the first one that is not. */
static int check(struct world *w, u64 gla, u32 len, u32 acc)
{
	u64 a = gla, end = gla + len;

	while (a != end) {
		struct region *r = find(w, a);
		u64 n;

		if (!r)
			return page_fault(w, a, acc, false);
		if (r->super && w->cpu.cpl == 3 && !(acc & RVM_ACC_IMPLICIT))
			return page_fault(w, a, acc, true);
		if (acc & RVM_ACC_FETCH ? r->noexec : (acc & RVM_ACC_WRITE) && !r->writable)
			return page_fault(w, a, acc, true);
		r->accesses += !(acc & RVM_ACC_FETCH);
		n = r->start + r->len - a;
		a += n < end - a ? n : end - a;
	}
	return 0;
}

static u8 *byte_at(struct world *w, u64 gla)
{
	struct region *r = find(w, gla);

	return &r->mem[gla - r->start];
}

enum { LOG_READ, LOG_WRITE, LOG_CMPXCHG, LOG_IN, LOG_OUT };

/* True if this access was answered before; @data receives what it gave. */
static bool from_log(struct world *w, u32 kind, u64 gla, void *data, u32 len)
{
	u32 n = w->log_pos;

	if (!w->replay || n == w->log_n)
		return false;
	if (w->log[n].kind != kind || w->log[n].gla != gla || w->log[n].len != len)
		w->mismatch = true;
	if (data)
		memcpy(data, w->log[n].data, len);
	w->log_pos++;
	return true;
}

static void to_log(struct world *w, u32 kind, u64 gla, const void *data, u32 len)
{
	if (!w->replay)
		return;
	if (w->log_n == MAX_LOG || len > RVM_INSN_BUF)
		abort();
	w->log[w->log_n].kind = kind;
	w->log[w->log_n].gla = gla;
	w->log[w->log_n].len = len;
	if (data)
		memcpy(w->log[w->log_n].data, data, len);
	w->log_n++;
	w->log_pos++;
}

static bool op_commit(struct rvm_insn *insn)
{
	struct world *w = world_of(insn);

	w->log_n = w->log_pos = 0;
	return false;
}

/*
 * EXIT at the chosen access, once; afterwards answers come from the log.  Or
 * any refusal at any access.
 */
static int refused(struct world *w)
{
	w->accesses++;
	if (w->exit_at && w->accesses == w->exit_at && !w->exited) {
		w->exited = true;
		return RVM_INSN_EXIT;
	}
	if (w->chaos && rnd(&w->chaos) >> 62 == 0) {
		switch (rnd(&w->chaos) >> 62) {
		case 0:
			w->insn.reason = "chaos";
			return RVM_INSN_UNHANDLED;
		case 1:
			return RVM_INSN_RETRY;
		default:
			return RVM_INSN_EXIT;
		}
	}
	return 0;
}

static int op_read(struct rvm_insn *insn, u64 gla, void *buf, u32 len, u32 acc)
{
	struct world *w = world_of(insn);
	u32 i;
	int rc;

	if (len == 0 || len > 64)
		abort();
	rc = check(w, gla, len, acc & ~RVM_ACC_WRITE);
	if (rc)
		return rc;
	if (from_log(w, LOG_READ, gla, buf, len))
		return 0;
	rc = refused(w);
	if (rc)
		return rc;
	for (i = 0; i < len; i++)
		((u8 *)buf)[i] = *byte_at(w, gla + i);
	to_log(w, LOG_READ, gla, buf, len);
	return 0;
}

static int op_write(struct rvm_insn *insn, u64 gla, const void *buf, u32 len, u32 acc)
{
	struct world *w = world_of(insn);
	u32 i;
	int rc;

	if (len == 0 || len > 64)
		abort();
	rc = check(w, gla, len, acc | RVM_ACC_WRITE);
	if (rc)
		return rc;
	if (from_log(w, LOG_WRITE, gla, NULL, len))
		return 0;
	rc = refused(w);
	if (rc)
		return rc;
	for (i = 0; i < len; i++)
		*byte_at(w, gla + i) = ((const u8 *)buf)[i];
	to_log(w, LOG_WRITE, gla, NULL, len);
	return 0;
}

static int op_probe_write(struct rvm_insn *insn, u64 gla, u32 len, u32 acc)
{
	return check(world_of(insn), gla, len, acc | RVM_ACC_WRITE);
}

static int op_probe_read(struct rvm_insn *insn, u64 gla, u32 len, u32 acc)
{
	return check(world_of(insn), gla, len, acc & ~RVM_ACC_WRITE);
}

static int op_cmpxchg(struct rvm_insn *insn, u64 gla, void *old, const void *new_val, u32 len,
		      u32 acc)
{
	struct world *w = world_of(insn);
	u8 found[16];
	u32 i;
	int rc;

	if (len != 1 && len != 2 && len != 4 && len != 8 && len != 16)
		abort();
	rc = check(w, gla, len, acc | RVM_ACC_WRITE);
	if (rc)
		return rc;
	if (from_log(w, LOG_CMPXCHG, gla, old, len))
		return 0;
	rc = refused(w);
	if (rc)
		return rc;
	for (i = 0; i < len; i++)
		found[i] = *byte_at(w, gla + i);
	if (!memcmp(found, old, len))
		for (i = 0; i < len; i++)
			*byte_at(w, gla + i) = ((const u8 *)new_val)[i];
	memcpy(old, found, len);
	to_log(w, LOG_CMPXCHG, gla, old, len);
	return 0;
}

static int op_fetch(struct rvm_insn *insn, u64 gla, void *buf, u32 len, u32 *got)
{
	struct world *w = world_of(insn);
	u32 i, n = 0x1000 - (gla & 0xfff);
	int rc;

	if (n > len)
		n = len;
	rc = check(w, gla, n, RVM_ACC_FETCH);
	if (rc)
		return rc;
	for (i = 0; i < n; i++)
		((u8 *)buf)[i] = *byte_at(w, gla + i);
	*got = n;
	return 0;
}

/* Whole pages of a region; none while accesses are counted or replayed. */
static int op_map(struct rvm_insn *insn, u64 gla, u32 acc, u64 *host)
{
	struct world *w = world_of(insn);
	struct region *r = find(w, gla);

	if (gla & 0xfff)
		abort();
	if (w->replay || w->exit_at || !r || gla + 0x1000 - r->start > r->len ||
	    ((uintptr_t)&r->mem[gla - r->start] & 0xfff))
		return RVM_INSN_UNHANDLED;
	if (r->super && w->cpu.cpl == 3 && !(acc & RVM_ACC_IMPLICIT))
		return RVM_INSN_UNHANDLED;
	if (acc & RVM_ACC_FETCH ? r->noexec :
	    r->counted || ((acc & RVM_ACC_WRITE) && !r->writable))
		return RVM_INSN_UNHANDLED;
	*host = (uintptr_t)&r->mem[gla - r->start];
	w->mapped++;
	return 0;
}

static int op_pio_in(struct rvm_insn *insn, u16 port, u32 size, u32 count, void *data)
{
	struct world *w = world_of(insn);
	u32 i;
	int rc;

	if (size * count > RVM_INSN_BUF)
		abort();
	if (from_log(w, LOG_IN, port, data, size * count))
		return 0;
	rc = refused(w);
	if (rc)
		return rc;
	for (i = 0; i < size * count; i++)
		((u8 *)data)[i] = port + i * 7;
	to_log(w, LOG_IN, port, data, size * count);
	return 0;
}

static int op_pio_out(struct rvm_insn *insn, u16 port, u32 size, u32 count, const void *data)
{
	struct world *w = world_of(insn);
	u32 i;
	int rc;

	if (from_log(w, LOG_OUT, port, NULL, size * count))
		return 0;
	rc = refused(w);
	if (rc)
		return rc;
	for (i = 0; i < size * count; i++)
		w->port_sum = w->port_sum * 31 + ((const u8 *)data)[i] + port;
	to_log(w, LOG_OUT, port, NULL, size * count);
	if (w->hook)
		w->hook(w, ((const u8 *)data)[0]);
	if (w->stop_at_out)
		rvm_insn_stop(insn);
	return 0;
}

static int op_set_cr(struct rvm_insn *insn, u32 nr, u64 val)
{
	struct rvm_cpu *cpu = insn->cpu;

	switch (nr) {
	case 0:
		cpu->cr0 = val;
		break;
	case 2:
		cpu->cr2 = val;
		break;
	case 3:
		if (world_of(insn)->hook)
			world_of(insn)->hook(world_of(insn), val);
		cpu->cr3 = val;
		break;
	case 4:
		cpu->cr4 = val;
		break;
	case 8:
		cpu->cr8 = val & 15;
		break;
	default:
		abort();
	}
	return 0;
}

static int op_set_dr(struct rvm_insn *insn, u32 nr, u64 val)
{
	struct rvm_cpu *cpu = insn->cpu;

	if (nr < 4)
		cpu->dr[nr] = val;
	else if (nr == 6)
		cpu->dr6 = val;
	else if (nr == 7)
		cpu->dr7 = val;
	else
		abort();
	return 0;
}

static int op_set_xcr(struct rvm_insn *insn, u32 nr, u64 val)
{
	if (nr)
		return rvm_x_gp0(insn);
	insn->cpu->xcr0 = val;
	return 0;
}

static int op_rdmsr(struct rvm_insn *insn, u32 msr, u64 *val)
{
	(void)insn;
	*val = msr * 3ull;
	return 0;
}

static int op_wrmsr(struct rvm_insn *insn, u32 msr, u64 val)
{
	(void)insn;
	(void)msr;
	(void)val;
	return 0;
}

static int op_rdtsc(struct rvm_insn *insn, u64 *val)
{
	(void)insn;
	*val = 0x123456789abcdefull;
	return 0;
}

static int op_rdpmc(struct rvm_insn *insn, u32 nr, u64 *val)
{
	(void)insn;
	*val = nr;
	return 0;
}

static int op_cpuid(struct rvm_insn *insn, u32 *eax, u32 *ebx, u32 *ecx, u32 *edx)
{
	(void)insn;
	*ebx = *eax + 1;
	*ecx = *eax + 2;
	*edx = *eax + 3;
	return 0;
}

static int op_invlpg(struct rvm_insn *insn, u64 gla)
{
	(void)insn;
	(void)gla;
	return 0;
}

static int op_random(struct rvm_insn *insn, u64 *val)
{
	*val = 0x5a17c0de5eed1234ull;
	return 0;
}

static int op_wbinvd(struct rvm_insn *insn)
{
	(void)insn;
	return 0;
}

static const struct rvm_insn_ops ops = {
	.read = op_read,
	.write = op_write,
	.probe_write = op_probe_write,
	.probe_read = op_probe_read,
	.cmpxchg_mem = op_cmpxchg,
	.fetch = op_fetch,
	.map = op_map,
	.pio_in = op_pio_in,
	.pio_out = op_pio_out,
	.set_cr = op_set_cr,
	.set_dr = op_set_dr,
	.set_xcr = op_set_xcr,
	.rdmsr = op_rdmsr,
	.wrmsr = op_wrmsr,
	.rdtsc = op_rdtsc,
	.rdpmc = op_rdpmc,
	.cpuid = op_cpuid,
	.invlpg = op_invlpg,
	.flush_tlb = op_wbinvd,
	.random = op_random,
	.wbinvd = op_wbinvd,
	.fpu = unit_run,
	.hypercall = op_wbinvd,
	.commit = op_commit,
};

void world_init(struct world *w)
{
	memset(w, 0, sizeof(*w));
	w->insn.cpu = &w->cpu;
	w->insn.ops = &ops;
	w->insn.priv = w;
	/* as every CPU of today; unit_attach() asks the host's */
	w->insn.hide_unit = 1ull << RVM_UF_3DNOW | 1ull << RVM_UF_XOP | 1ull << RVM_UF_FMA4;
}

/* Few, for a new world makes all of them anew. */
#define ROWS	1024

void world_cache(struct world *w, bool on)
{
	if (on && !w->cache)
		w->cache = aligned_alloc(0x1000, (rvm_insn_cache_size(ROWS) + 0xfff) & ~0xfffull);
	if (on)
		rvm_insn_cache_init(&w->insn, w->cache, ROWS);
	else
		w->insn.cache = NULL;
}

void world_region(struct world *w, u64 start, u32 len, u8 *mem, bool writable)
{
	struct region *r = &w->region[w->nr_regions++];

	r->start = start;
	r->len = len;
	r->mem = mem;
	r->writable = writable;
}
