// SPDX-License-Identifier: GPL-2.0
/*
 * Native or interpreted: the one place where that is decided.
 *
 * Native means that every instruction either does in ring 1 (or 3) what it would
 * do in ring 0 (or 3), or traps.  Where an instruction does neither, the state in
 * which it would matter is interpreted.
 */
#include "ring1.h"

static bool bits16(const struct rvm_cpu *c)
{
	/* IRET leaves the upper half of ESP alone when it loads a 16-bit stack (SDM
	 * vol. 2, IRET): the guest would find ours there. */
	if (!(c->seg[RVM_SS].attr & RVM_SEG_DB))
		return true;
	return !c->cpl && !(c->seg[RVM_CS].attr & RVM_SEG_DB);
}

/**
 * ring1_decide - may the guest run natively, as it stands?
 * @v: all of v->cpu up to date
 *
 * Segments are looked at last and by the caller, for they need the shadow tables.
 */
enum ring1_reason ring1_decide(struct rvm_vcpu *v)
{
	if (unlikely(rvm_event_due(v) || v->soft.deliver) && !ring1_fast_event(v))
		return RING1_EVENT;
	return ring1_decide_state(v);
}

/* The same, whatever waits to be delivered. */
enum ring1_reason ring1_decide_state(struct rvm_vcpu *v)
{
	const struct rvm_cpu *c = &v->cpu;

	if (!(c->cr0 & RVM_CR0_PE))
		return RING1_REAL;
	if (c->efer & RVM_EFER_LMA)
		return RING1_LONG;
	if (c->rflags & RVM_FL_VM)
		return RING1_V86;
	if (c->int_shadow)
		return RING1_SHADOW;
	if (c->cpl == 1 || c->cpl == 2)
		return RING1_CPL;
	if (!c->cpl) {
		if (c->rflags & RVM_FL_TF)
			return RING1_TF;
		if (!(c->cr0 & RVM_CR0_WP) && (c->cr0 & RVM_CR0_PG))
			return RING1_WP;
		/* Its own pages would show it our CS and SS, and the real IF. */
		if (!to_ring1(v)->views)
			return RING1_VIEWS;
	} else {
		if (!(c->rflags & RVM_FL_IF))
			return RING1_IF;
		if ((c->rflags & RVM_FL_IOPL) == RVM_FL_IOPL)
			return RING1_IOPL;
	}
	if (bits16(c))
		return RING1_BITS16;
	return RING1_NATIVE;
}

/* One more slice for @reason. */
void ring1_count(struct rvm_vcpu *v, enum ring1_reason reason)
{
	struct rvm_vcpu_stats *s = &v->stats;

	switch (reason) {
	case RING1_EVENT:	s->soft_event++; break;
	case RING1_TRAP:	s->soft_trap++; break;
	case RING1_REAL:	s->soft_real++; break;
	case RING1_LONG:
		/* Asked for or not, this is not what the mode is for. */
		if (!s->soft_long++)
			pr_info_ratelimited("ring1: the guest of process %d, vCPU %u, is in long mode: it is interpreted there, as in interp\n",
					    v->vm->creator, v->id);
		break;
	case RING1_V86:		s->soft_v86++; break;
	case RING1_IF:		s->soft_if++; break;
	case RING1_SHADOW:	s->soft_shadow++; break;
	case RING1_TF:		s->soft_tf++; break;
	case RING1_IOPL:	s->soft_iopl++; break;
	case RING1_WP:		s->soft_wp++; break;
	case RING1_CPL:		s->soft_cpl++; break;
	case RING1_BITS16:	s->soft_bits16++; break;
	case RING1_SEG:		s->soft_seg++; break;
	case RING1_VIEWS:	s->soft_views++; break;
	default:		break;
	}
}
