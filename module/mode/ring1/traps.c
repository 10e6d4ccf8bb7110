// SPDX-License-Identifier: GPL-2.0
/*
 * ring1: what each trap needs.
 *
 * Most traps have one answer: let the interpreter execute the instruction, on the
 * guest's own tables and registers.  It does what ring 0 would have done, or raises
 * the exception that is the guest's.
 */
#include "ring1.h"
#include "../../mmu/mmu.h"
#include "../../trace.h"

static int ring1_interpret(struct rvm_vcpu *v)
{
	to_ring1(v)->force = RING1_FORCE_TRAP;
	return 1;
}

/*
 * The kernel executed HLT, the guest's or a view's.  1, with the next entry to run the
 * instruction or the interpreter to do so.
 */
static int ring1_view_trap(struct rvm_vcpu *v)
{
	struct ring1_vcpu *r = to_ring1(v);
	struct ring1_view *view;

	if (v->cpu.cpl || !r->views || !r->ctx->flat_cs)
		return ring1_interpret(v);
	view = ring1_view_at(v, v->cpu.rip);
	/* It has been unmapped since. */
	if (!view)
		return 1;
	if (unlikely(READ_ONCE(view->given_up)) && !ring1_view(v, view->gfn)) {
		r->force = RING1_FORCE_VIEW;
		return 1;
	}
	if (ring1_view_discover(v, view, offset_in_page(v->cpu.rip))) {
		v->stats.view_found++;
		return 1;
	}
	v->stats.view_kept++;
	return ring1_interpret(v);
}

static int ring1_page_fault(struct rvm_vcpu *v)
{
	struct ring1_vcpu *r = to_ring1(v);
	struct rvm_fault f;
	int rc;

	v->stats.exit_pf++;
	/* An access that wraps around at 4 GiB; some CPUs go on above. */
	if (unlikely(r->cr2 >> 32))
		return ring1_interpret(v);
	/* In the kernel's tree a present page that may not be read is a view. */
	if (!v->cpu.cpl && r->views && (r->error & (RVM_PF_P | RVM_PF_W | RVM_PF_I)) == RVM_PF_P) {
		v->stats.view_reads++;
		return ring1_interpret(v);
	}
	/* An access of the CPU's own out of ring 3: the tables that it reads are there, so
	 * none can fault.  QEMU's TCG pushes for a far CALL this way, past SMAP. */
	if (v->cpu.cpl == 3 && !(r->error & RVM_PF_U))
		return ring1_interpret(v);
	rc = rvm_shadow_fault(v, (u32)r->cr2, r->error, &f);
	switch (rc) {
	case RVM_SPF_FIXED:
		return 1;
	case RVM_SPF_GUEST:
		rvm_queue_exception(v, &f);
		return 1;
	case RVM_SPF_EMULATE:
		r->force = !v->cpu.cpl && (r->error & RVM_PF_I) ? RING1_FORCE_VIEW :
			RING1_FORCE_TRAP;
		return 1;
	default:
		return rc;
	}
}

/* DR6: clear where the host wants to know of locked accesses to two cache lines (SDM
 * vol. 3 §17.3.1.6). */
#define RING1_DR6_BUS_LOCK	BIT(11)

static int ring1_debug(struct rvm_vcpu *v)
{
	struct ring1_vcpu *r = to_ring1(v);
	u64 bits = (r->dr6 & RVM_DR6_BS) | r->hits;

	/* A single step of ring 3, breakpoints; or INT1, which leaves DR6 alone. */
	v->stats.exit_exception++;
	if (!(r->dr6 & RING1_DR6_BUS_LOCK) && !bits)
		return 1;
	rvm_queue_db(v, bits);
	return 1;
}

/* Not a matter of privilege: the guest's own, as it is. */
static int ring1_reflect(struct rvm_vcpu *v, bool has_error)
{
	struct ring1_vcpu *r = to_ring1(v);
	struct rvm_fault f = { .vector = r->vector, .has_error = has_error, .error = r->error };

	v->stats.exit_exception++;
	rvm_queue_exception(v, &f);
	return 1;
}

/* Does the guest have alignment checks?  If not, it is the host who objects to a locked
 * access to two cache lines (SDM vol. 3 §8.1.2.3). */
static bool ring1_checks_alignment(const struct rvm_cpu *c)
{
	return c->cpl == 3 && (c->cr0 & RVM_CR0_AM) && (c->rflags & RVM_FL_AC);
}

int ring1_handle(struct rvm_vcpu *v)
{
	struct ring1_vcpu *r = to_ring1(v);
	u64 data[2] = { r->vector, r->error };

	if (unlikely(r->hits && r->vector != RVM_DB)) {
		/* Still held back by MOV SS: after the instruction that trapped. */
		v->cpu.int_shadow = RVM_SHADOW_MOV_SS;
		v->dr6_hits |= r->hits;
		r->hits = 0;
		return 1;
	}
	switch (r->vector) {
	case RING1_NO_VECTOR:
		return 1;
	case RING1_ABORTED:
		if (r->error == RVM_NMI)
			v->stats.exit_nmi++;
		else if (r->error != RVM_MC)
			return ring1_interpret(v);
		return 1;
	case 32 ... 255:
		v->stats.exit_intr++;
		return 1;
	case RVM_NMI:
		v->stats.exit_nmi++;
		return 1;
	case RVM_MC:
		return 1;
	case RVM_PF:
		return ring1_page_fault(v);
	case RVM_DB:
		return ring1_debug(v);
	case RVM_DE:
	case RVM_BR:
	case RVM_MF:
	case RVM_XM:
		return ring1_reflect(v, false);
	case RVM_AC:
		if (!ring1_checks_alignment(&v->cpu))
			return ring1_interpret(v);
		return ring1_reflect(v, true);
	case RVM_GP:
		v->stats.exit_gp++;
		return ring1_view_trap(v);
	case RVM_UD:
		v->stats.exit_ud++;
		return ring1_interpret(v);
	case RVM_NM:
		v->stats.exit_nm++;
		return ring1_interpret(v);
	case RVM_TS:
	case RVM_NP:
	case RVM_SSF:
		v->stats.exit_exception++;
		return ring1_interpret(v);
	default:
		return rvm_internal_error(v, KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON,
					  "a trap that no instruction can raise", 2, data);
	}
}
