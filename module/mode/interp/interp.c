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
 * Decoded instructions kept for each code size, of 128 bytes.  A kernel that boots
 * is at home in some hundred pages of code: with 4096 a third of the time went
 * into decoding.
 */
#define INTERP_DECODED	32768

enum interp_kind { INTERP_NONE, INTERP_EXCEPTION, INTERP_NMI, INTERP_IRQ };

/**
 * struct interp_vcpu - one vCPU in the interpreter
 * @kind: what to deliver at the start of the next slice
 * @event: vector, error code
 * @insn_len: of the instruction that it is due to
 * @irq_window: end the slice when the guest can take an interrupt
 * @nmi_window: the same with an NMI
 * @cache: translations and decoded instructions, or NULL
 * @tried: to make one
 */
struct interp_vcpu {
	enum interp_kind kind;
	struct rvm_fault event;
	u8 insn_len;
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
	struct interp_vcpu *i = to_interp(v);

	i->kind = INTERP_EXCEPTION;
	i->event = *f;
	i->insn_len = 0;
}

static void interp_inject_irq(struct rvm_vcpu *v, u8 vector, bool soft, u8 insn_len)
{
	struct interp_vcpu *i = to_interp(v);

	i->kind = INTERP_IRQ;
	i->event = (struct rvm_fault) { .vector = vector, .soft = soft };
	i->insn_len = insn_len;
}

static void interp_inject_nmi(struct rvm_vcpu *v)
{
	struct interp_vcpu *i = to_interp(v);

	i->kind = INTERP_NMI;
	i->event = (struct rvm_fault) { .vector = RVM_NMI };
	i->insn_len = 0;
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

/* Vector, type, error code and validity as hardware words it (SDM vol. 3
 * §24.8.3, APM vol. 2 §15.20). */
static u64 interp_event_word(const struct interp_vcpu *i)
{
	static const u8 type[] = {
		[INTERP_EXCEPTION] = 3, [INTERP_NMI] = 2, [INTERP_IRQ] = 0,
	};

	return i->event.vector | (i->event.soft ? 4 : type[i->kind]) << 8 |
		i->event.has_error << 11 | 1ull << 31;
}

/*
 * The event that rvm_inject_events() chose.  v->ev says "injected" until it is
 * delivered; whatever stops the delivery half-way lets it come again.
 * 1: go on, delivered; else as struct rvm_mode, slice.
 */
static int interp_deliver(struct rvm_vcpu *v, bool *delivered)
{
	struct interp_vcpu *i = to_interp(v);
	struct rvm_insn *insn = &v->insn;
	struct rvm_events *ev = &v->ev;
	enum interp_kind kind = i->kind;
	u64 data[4] = { interp_event_word(i) };
	int r;

	i->kind = INTERP_NONE;
	v->replay.error = 0;
	v->replay.delivering = true;
	insn->reason = NULL;
	r = rvm_insn_deliver(insn, &i->event, i->insn_len,
			     kind == INTERP_NMI || (kind == INTERP_IRQ && !i->event.soft));
	v->replay.delivering = false;
	switch (r) {
	case RVM_INSN_OK:
		ev->exception.injected = false;
		ev->nmi.injected = false;
		ev->irq.injected = false;
		*delivered = true;
		return 1;
	case RVM_INSN_FAULT:
		/* An interrupt is gone for good: it was acknowledged.  With an
		 * exception the new one merges (SDM vol. 3 §6.15). */
		ev->nmi.injected = false;
		ev->irq.injected = false;
		rvm_queue_exception(v, &insn->fault);
		return 1;
	case RVM_INSN_RETRY:
		return 1;
	default:
		if (v->replay.error)
			return v->replay.error;
		return rvm_internal_error(v, KVM_INTERNAL_ERROR_DELIVERY_EV,
					  insn->reason ?: "an event could not be delivered",
					  ARRAY_SIZE(data), data);
	}
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
	i->cache = kvmalloc(rvm_insn_cache_size(INTERP_DECODED), GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (i->cache)
		rvm_insn_cache_init(&v->insn, i->cache, INTERP_DECODED);
}

static int interp_slice(struct rvm_vcpu *v)
{
	struct interp_vcpu *i = to_interp(v);
	struct rvm_insn *insn = &v->insn;
	bool delivered = false;
	int r;

	if (unlikely(!i->tried))
		interp_make_cache(v);
	if (i->kind != INTERP_NONE) {
		r = interp_deliver(v, &delivered);
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
