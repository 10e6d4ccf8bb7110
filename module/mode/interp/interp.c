// SPDX-License-Identifier: GPL-2.0
/*
 * The interp mode: insn/ driven as a whole CPU.  Needs nothing of the machine.
 *
 * The guest runs in slices of a bounded number of instructions, in process
 * context and preemptible; between two of them the run loop looks for signals,
 * requests and events, as it does between two exits of a hardware mode.  Guest
 * memory is reached by the owner's own addresses, so whatever the host does
 * with those pages needs nothing from us; only memslots are watched over, and
 * a slice is a reader of vm->srcu.
 */
#include "../../ringvm.h"
#include "../../mode.h"
#include "../../cpu/cpu.h"

#include <uapi/linux/ringvm.h>

/* Instructions of a slice: a signal waits for no more than these. */
#define INTERP_BUDGET	1000

/*
 * Rows of decoded instructions kept for 32-bit and 64-bit code each, of 384 bytes.  A
 * kernel that boots is at home in some hundred pages of code.
 */
#define INTERP_ROWS	16384

/**
 * struct interp_vcpu - one vCPU in the interpreter
 * @deliver: an event, injected by v->ev's word, comes first in the next slice
 * @irq_window: end the slice when the guest can take an interrupt
 * @nmi_window: the same with an NMI
 * @cache: translations and decoded instructions, or NULL
 * @tried: to make one
 */
struct interp_vcpu {
	bool deliver;
	bool irq_window, nmi_window;
	void *cache;
	bool tried;
};

static struct interp_vcpu *to_interp(struct rvm_vcpu *v)
{
	return v->mode_data;
}

static int interp_setup(char *why, size_t len)
{
	return 0;
}

static void interp_vcpu_destroy(struct rvm_vcpu *v)
{
	struct interp_vcpu *i = to_interp(v);

	if (!i)
		return;
	kvfree(i->cache);
	kfree(i);
	v->mode_data = NULL;
}

static int interp_vcpu_init(struct rvm_vcpu *v)
{
	struct interp_vcpu *i = kzalloc(sizeof(*i), GFP_KERNEL_ACCOUNT);

	v->mode_data = i;
	if (!i)
		return -ENOMEM;
	return 0;
}

/* ---- events -------------------------------------------------------------- */

static void interp_inject_exception(struct rvm_vcpu *v, const struct rvm_fault *f)
{
	to_interp(v)->deliver = true;
}

static void interp_inject_irq(struct rvm_vcpu *v, u8 vector, bool soft, u8 insn_len)
{
	to_interp(v)->deliver = true;
}

static void interp_inject_nmi(struct rvm_vcpu *v)
{
	to_interp(v)->deliver = true;
	v->insn.iret = false;
}

static void interp_irq_window(struct rvm_vcpu *v, bool on)
{
	to_interp(v)->irq_window = on;
}

static void interp_nmi_window(struct rvm_vcpu *v, bool on)
{
	to_interp(v)->nmi_window = on;
}

/* ---- a slice ------------------------------------------------------------- */

static bool interp_window_open(struct rvm_vcpu *v)
{
	const struct interp_vcpu *i = to_interp(v);

	if (v->cpu.int_shadow)
		return false;
	return (i->irq_window && (v->cpu.rflags & RVM_FL_IF)) ||
		(i->nmi_window && !v->ev.nmi.masked);
}

/*
 * At the first entry, for a client may make many vCPUs that never run.  Without
 * memory the guest is slow, and not wrong.
 */
static void interp_make_cache(struct rvm_vcpu *v)
{
	struct interp_vcpu *i = to_interp(v);

	i->tried = true;
	i->cache = kvmalloc(rvm_insn_cache_size(INTERP_ROWS), GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (i->cache)
		rvm_insn_cache_init(&v->insn, i->cache, INTERP_ROWS);
}

static int interp_slice(struct rvm_vcpu *v)
{
	struct interp_vcpu *i = to_interp(v);
	struct rvm_insn *insn = &v->insn;
	bool delivered = false;
	int r;

	if (unlikely(!i->tried))
		interp_make_cache(v);
	if (i->deliver) {
		i->deliver = false;
		r = rvm_deliver_injected(v, &delivered);
		if (r <= 0 || !delivered)
			return r;
		/* The handler's first instruction comes after what is still waiting. */
		if (interp_window_open(v))
			return 1;
	}
	insn->watch = i->nmi_window ? RVM_WATCH_ALL :
		i->irq_window ? RVM_WATCH_IRQ : RVM_WATCH_NONE;
	return rvm_emulate_run(v, INTERP_BUDGET);
}

static void interp_flush_tlb(struct rvm_vcpu *v)
{
	rvm_insn_flush(&v->insn);
}

const struct rvm_mode rvm_mode_interp = {
	.name			= "interp",
	.id			= RINGVM_MODE_INTERP,
	.rank			= 10,
	.setup			= interp_setup,
	.vcpu_init		= interp_vcpu_init,
	.vcpu_destroy		= interp_vcpu_destroy,
	.slice			= interp_slice,
	.inject_exception	= interp_inject_exception,
	.inject_irq		= interp_inject_irq,
	.inject_nmi		= interp_inject_nmi,
	.irq_window		= interp_irq_window,
	.nmi_window		= interp_nmi_window,
	.flush_tlb		= interp_flush_tlb,
};
