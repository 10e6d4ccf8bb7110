// SPDX-License-Identifier: GPL-2.0
/*
 * The interp mode: insn/ driven as a whole CPU, by ../../soft.c.  Needs nothing of
 * the machine.
 */
#include "../../ringvm.h"
#include "../../mode.h"

#include <uapi/linux/ringvm.h>

/* Instructions of a slice: a signal waits for no more than these. */
#define INTERP_BUDGET	1000

static int interp_setup(char *why, size_t len)
{
	return 0;
}

static int interp_vcpu_init(struct rvm_vcpu *v)
{
	return 0;
}

static void interp_vcpu_destroy(struct rvm_vcpu *v)
{
}

static int interp_slice(struct rvm_vcpu *v)
{
	return rvm_soft_slice(v, INTERP_BUDGET, RVM_WATCH_NONE);
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
	.inject_exception	= rvm_soft_exception,
	.inject_irq		= rvm_soft_irq,
	.inject_nmi		= rvm_soft_nmi,
	.irq_window		= rvm_soft_irq_window,
	.nmi_window		= rvm_soft_nmi_window,
	.flush_tlb		= interp_flush_tlb,
};
