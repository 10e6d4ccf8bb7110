// SPDX-License-Identifier: GPL-2.0
/*
 * A vCPU run by the interpreter: delivery of events, and slices of a bounded
 * number of instructions.  All of the interp mode; in ring1 what cannot run
 * natively.
 *
 * A slice runs in process context and preemptible; between two of them the run
 * loop looks for signals, requests and events, as it does between two exits of a
 * hardware mode.  Guest memory is reached by the owner's own addresses, so
 * whatever the host does with those pages needs nothing from us; only memslots are
 * watched over, and a slice is a reader of vm->srcu.
 */
#include "ringvm.h"
#include "mode.h"
#include "cpu/cpu.h"

/*
 * Rows of decoded instructions kept for 32-bit and 64-bit code each, of 384 bytes.  A
 * kernel that boots is at home in some hundred pages of code; but a guest that is
 * interpreted now and then is not, and clearing so much memory takes as long as some
 * hundred thousand instructions: so many come first.
 */
#define RVM_SOFT_ROWS_FIRST	512
#define RVM_SOFT_ROWS		16384
#define RVM_SOFT_GROW		200000

/* ---- events -------------------------------------------------------------- */

/* Which one, v->ev says. */
void rvm_soft_exception(struct rvm_vcpu *v, const struct rvm_fault *f)
{
	v->soft.deliver = true;
}

void rvm_soft_irq(struct rvm_vcpu *v, u8 vector, bool soft, u8 insn_len)
{
	v->soft.deliver = true;
}

void rvm_soft_nmi(struct rvm_vcpu *v)
{
	v->soft.deliver = true;
	v->insn.iret = false;
}

void rvm_soft_irq_window(struct rvm_vcpu *v, bool on)
{
	v->soft.irq_window = on;
}

void rvm_soft_nmi_window(struct rvm_vcpu *v, bool on)
{
	v->soft.nmi_window = on;
}

/* ---- a slice ------------------------------------------------------------- */

static bool rvm_soft_window_open(struct rvm_vcpu *v)
{
	const struct rvm_soft *s = &v->soft;

	if (v->cpu.int_shadow)
		return false;
	return (s->irq_window && (v->cpu.rflags & RVM_FL_IF)) ||
		(s->nmi_window && !v->ev.nmi.masked);
}

/*
 * At the first entry, for a client may make many vCPUs that never run; and once more.
 * Without memory the guest is slow, and not wrong.
 */
static void rvm_soft_make_cache(struct rvm_vcpu *v)
{
	struct rvm_soft *s = &v->soft;
	u32 rows = s->cache_at ? RVM_SOFT_ROWS : RVM_SOFT_ROWS_FIRST;
	void *cache;

	s->cache_at = s->cache_at ? U64_MAX : v->stats.emulated + RVM_SOFT_GROW;
	cache = kvmalloc(rvm_insn_cache_size(rows), GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!cache)
		return;
	rvm_insn_cache_init(&v->insn, cache, rows);
	kvfree(s->cache);
	s->cache = cache;
}

/**
 * rvm_soft_slice - deliver what waits, and interpret for a while
 * @v: the vCPU; all of v->cpu up to date; within rvm_slice_begin()
 * @budget: instructions, at most
 * @watch: ends it earlier; so do the windows that are asked for
 *
 * 1: go on; 0: to userspace, v->run filled; -errno.
 */
int rvm_soft_slice(struct rvm_vcpu *v, u32 budget, enum rvm_insn_watch watch)
{
	struct rvm_soft *s = &v->soft;
	bool delivered = false;
	int r;

	if (unlikely(v->stats.emulated >= s->cache_at))
		rvm_soft_make_cache(v);
	if (s->deliver) {
		s->deliver = false;
		r = rvm_deliver_injected(v, &delivered);
		if (r <= 0 || !delivered)
			return r;
		/* The handler's first instruction comes after what is still waiting. */
		if (rvm_soft_window_open(v))
			return 1;
	}
	if (s->nmi_window)
		watch = RVM_WATCH_ALL;
	else if (s->irq_window && watch == RVM_WATCH_NONE)
		watch = RVM_WATCH_IRQ;
	v->insn.watch = watch;
	return rvm_emulate_run(v, budget);
}

void rvm_soft_free(struct rvm_vcpu *v)
{
	kvfree(v->soft.cache);
	v->soft.cache = NULL;
}
