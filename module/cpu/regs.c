// SPDX-License-Identifier: GPL-2.0
/*
 * Control, debug and segment registers: what the CPU checks when they are
 * written, and the ABI's structures for them.
 */
#include <linux/bitops.h>

#include "cpu.h"
#include "../irq/irq.h"
#include "../mmu/mmu.h"
#include "../mode.h"

/* RFLAGS bits that exist (SDM vol. 1 §3.4.3); the rest read 0, bit 1 reads 1. */
#define RVM_FL_DEFINED	0x003f7fd5ull

#define RVM_CR0_DEFINED	(RVM_CR0_PE | RVM_CR0_MP | RVM_CR0_EM | RVM_CR0_TS |	\
			 RVM_CR0_ET | RVM_CR0_NE | RVM_CR0_WP | RVM_CR0_AM |	\
			 RVM_CR0_NW | RVM_CR0_CD | RVM_CR0_PG)

#define RVM_CR3_PCID	0xfffull
#define RVM_CR3_NOFLUSH	(1ull << 63)

/* DR6 and DR7 without the bits that are fixed (SDM vol. 3 §17.2) */
#define RVM_DR6_DEFINED	0x0000e00full
#define RVM_DR6_FIXED	0xffff0ff0ull
#define RVM_DR7_DEFINED	0xffff2bffull
#define RVM_DR7_FIXED	0x00000400ull

/* CR4 bits whose change drops the guest's translations (SDM vol. 3 §4.10.4.1) */
#define RVM_CR4_FLUSH	(RVM_CR4_PGE | RVM_CR4_PAE | RVM_CR4_PSE | RVM_CR4_LA57 |	\
			 RVM_CR4_PCIDE | RVM_CR4_SMEP | RVM_CR4_SMAP)

/*
 * The vCPU's own thread, so nobody has to be waited for.  Where instructions are
 * interpreted one after the other it must not wait for an entry either.
 */
static void rvm_flush_self(struct rvm_vcpu *v)
{
	if (v->vm->shadow)
		rvm_shadow_flush(v);
	if (v->vm->mode->slice)
		v->vm->mode->flush_tlb(v);
	else
		set_bit(RVM_REQ_TLB_FLUSH, &v->requests);
}

static u64 rvm_pa_reserved(const struct rvm_vcpu *v)
{
	return v->cpu.phys_bits < 64 ? ~0ull << v->cpu.phys_bits : 0;
}

/*
 * The PAE page-directory pointers, at a control register's write (SDM vol. 3
 * §4.4.1); only where software translates.  Under nested paging the CPU reads
 * them as it walks (APM vol. 2 §15.25.10).  0, or 1: #GP(0).
 */
static int rvm_pae_load(struct rvm_vcpu *v)
{
	return rvm_keeps_pdptes(v) ? rvm_load_pdptes(v) : 0;
}

/* ---- control registers -------------------------------------------------- */

static bool rvm_cr0_valid(u64 val)
{
	if (val >> 32)
		return false;
	if ((val & RVM_CR0_NW) && !(val & RVM_CR0_CD))
		return false;
	return !(val & RVM_CR0_PG) || (val & RVM_CR0_PE);
}

/* CPL as the registers imply it: v->cpu.cpl is what the mode loads. */
static u8 rvm_implied_cpl(const struct rvm_cpu *c)
{
	if (!(c->cr0 & RVM_CR0_PE))
		return 0;
	if (c->rflags & RVM_FL_VM)
		return 3;
	return (c->seg[RVM_SS].attr & RVM_SEG_DPL) >> RVM_SEG_DPL_SHIFT;
}

/**
 * rvm_set_cr0 - MOV to CR0, LMSW, CLTS
 * @v: the vCPU, loaded
 * @val: new value
 *
 * SDM vol. 3 §2.5, §9.8.5 (entering and leaving IA-32e mode).  0, or 1: #GP(0).
 */
int rvm_set_cr0(struct rvm_vcpu *v, u64 val)
{
	struct rvm_cpu *c = &v->cpu;
	u64 efer, old;

	rvm_need(v, RVM_G_CR | RVM_G_SEG);
	efer = c->efer;
	old = c->cr0;

	if (!rvm_cr0_valid(val))
		return 1;
	val = (val & RVM_CR0_DEFINED) | RVM_CR0_ET;

	if ((val & RVM_CR0_PG) && !(old & RVM_CR0_PG)) {
		if (efer & RVM_EFER_LME) {
			/* CS.L with paging off has no meaning yet */
			if (!(c->cr4 & RVM_CR4_PAE) || (c->seg[RVM_CS].attr & RVM_SEG_L))
				return 1;
			/* Intel's CPUs want no 16-bit TSS either; AMD's come so out of reset. */
			if (v->insn.intel && !(c->seg[RVM_TR].attr & 8))
				return 1;
			efer |= RVM_EFER_LMA;
		}
	} else if (!(val & RVM_CR0_PG) && (old & RVM_CR0_PG)) {
		if (rvm_is_64bit(c) || (c->cr4 & RVM_CR4_PCIDE))
			return 1;
		efer &= ~RVM_EFER_LMA;
	}

	if ((val & RVM_CR0_PG) && !(efer & RVM_EFER_LMA) && (c->cr4 & RVM_CR4_PAE) &&
	    ((old ^ val) & (RVM_CR0_CD | RVM_CR0_NW | RVM_CR0_PG)) && rvm_pae_load(v))
		return 1;
	rvm_touch(v, RVM_G_CR);
	c->cr0 = val;
	c->efer = efer;
	if ((old ^ val) & RVM_CR0_PG)
		rvm_flush_self(v);
	return 0;
}

/**
 * rvm_set_cr3 - MOV to CR3
 * @v: the vCPU, loaded
 * @val: new value
 *
 * SDM vol. 3 §4.4.1, §4.5, §4.10.4.1.  0, or 1: #GP(0).
 */
int rvm_set_cr3(struct rvm_vcpu *v, u64 val)
{
	struct rvm_cpu *c = &v->cpu;
	bool keep = false;
	u64 old;

	rvm_need(v, RVM_G_CR);
	if (c->cr4 & RVM_CR4_PCIDE) {
		keep = val & RVM_CR3_NOFLUSH;
		val &= ~RVM_CR3_NOFLUSH;
	}
	if (rvm_is_long(c)) {
		if (val & rvm_pa_reserved(v))
			return 1;
	} else {
		val = (u32)val;
	}
	rvm_touch(v, RVM_G_CR);
	old = c->cr3;
	c->cr3 = val;
	if (rvm_is_paging(c) && !rvm_is_long(c) && (c->cr4 & RVM_CR4_PAE) && rvm_pae_load(v)) {
		c->cr3 = old;
		return 1;
	}
	/* translations in software carry no PCID: none may outlive its CR3 */
	if (!keep || v->vm->mode->slice)
		rvm_flush_self(v);
	return 0;
}

/**
 * rvm_set_cr4 - MOV to CR4
 * @v: the vCPU, loaded
 * @val: new value
 *
 * SDM vol. 3 §2.5.  0, or 1: #GP(0).
 */
int rvm_set_cr4(struct rvm_vcpu *v, u64 val)
{
	struct rvm_cpu *c = &v->cpu;
	u64 changed;

	rvm_need(v, RVM_G_CR);
	changed = c->cr4 ^ val;
	if (val & ~v->cr4_allowed)
		return 1;
	if (rvm_is_long(c)) {
		if (!(val & RVM_CR4_PAE) || (changed & RVM_CR4_LA57))
			return 1;
	}
	if ((val & changed & RVM_CR4_PCIDE) &&
	    (!rvm_is_long(c) || (c->cr3 & RVM_CR3_PCID)))
		return 1;

	if (rvm_is_paging(c) && !rvm_is_long(c) && (val & RVM_CR4_PAE) &&
	    (changed & (RVM_CR4_PAE | RVM_CR4_PGE | RVM_CR4_PSE | RVM_CR4_SMEP)) &&
	    rvm_pae_load(v))
		return 1;
	rvm_touch(v, RVM_G_CR);
	c->cr4 = val;
	if (changed & RVM_CR4_FLUSH)
		rvm_flush_self(v);
	return 0;
}

/* MOV to CR8 (SDM vol. 3 §10.8.6).  0, or 1: #GP(0). */
int rvm_set_cr8(struct rvm_vcpu *v, u64 val)
{
	if (val & ~0xfull)
		return 1;
	if (v->lapic) {
		/* CR8 is the upper half of TPR (SDM vol. 3 §10.8.6). */
		rvm_lapic_set_tpr(v, val << 4);
		return 0;
	}
	rvm_touch(v, RVM_G_CR);
	v->cpu.cr8 = val;
	return 0;
}

/**
 * rvm_set_efer - write IA32_EFER
 * @v: the vCPU, loaded
 * @val: new value
 * @host: the client's write, which its CPUID for the guest does not limit
 *
 * SDM vol. 3 §2.2.1, APM vol. 2 §3.1.7.  LMA follows CR0.PG and is not written.
 * 0, or 1: #GP(0).
 */
int rvm_set_efer(struct rvm_vcpu *v, u64 val, bool host)
{
	struct rvm_cpu *c = &v->cpu;

	rvm_need(v, RVM_G_CR);
	if (val & ~(host ? rvm_host_efer_bits() : v->efer_allowed))
		return 1;
	if (rvm_is_paging(c) && ((c->efer ^ val) & RVM_EFER_LME))
		return 1;
	val = (val & ~RVM_EFER_LMA) | (c->efer & RVM_EFER_LMA);
	if ((c->efer ^ val) & RVM_EFER_NXE)
		rvm_flush_self(v);
	rvm_touch(v, RVM_G_CR);
	c->efer = val;
	return 0;
}

/* ---- debug registers ---------------------------------------------------- */

/**
 * rvm_set_dr - MOV to DR0..DR7
 * @v: the vCPU, loaded
 * @nr: 0..7
 * @val: new value
 *
 * DR4 and DR5 are DR6 and DR7 here; that CR4.DE makes them #UD, and DR7.GD
 * makes any access #DB, is the caller's to check.  0, or 1: #GP(0), SDM vol. 3
 * §17.2.6.
 */
int rvm_set_dr(struct rvm_vcpu *v, u32 nr, u64 val)
{
	struct rvm_cpu *c = &v->cpu;

	switch (nr) {
	case 0 ... 3:
		rvm_touch(v, RVM_G_DR);
		c->dr[nr] = val;
		return 0;
	case 4:
	case 6:
		if (val >> 32)
			return 1;
		rvm_touch(v, RVM_G_DR);
		c->dr6 = (val & RVM_DR6_DEFINED) | RVM_DR6_FIXED;
		return 0;
	case 5:
	case 7:
		if (val >> 32)
			return 1;
		rvm_touch(v, RVM_G_DR);
		c->dr7 = (val & RVM_DR7_DEFINED) | RVM_DR7_FIXED;
		return 0;
	default:
		return 1;
	}
}

/* KVM_GET_DEBUGREGS (KVM API §4.33) */
void rvm_get_debugregs(struct rvm_vcpu *v, struct kvm_debugregs *d)
{
	rvm_need(v, RVM_G_DR);
	memset(d, 0, sizeof(*d));
	memcpy(d->db, v->cpu.dr, sizeof(d->db));
	d->dr6 = v->cpu.dr6;
	d->dr7 = v->cpu.dr7;
}

/* KVM_SET_DEBUGREGS (§4.34) */
int rvm_set_debugregs(struct rvm_vcpu *v, const struct kvm_debugregs *d)
{
	if (d->flags || d->dr6 >> 32 || d->dr7 >> 32)
		return -EINVAL;
	rvm_touch(v, RVM_G_DR);
	memcpy(v->cpu.dr, d->db, sizeof(d->db));
	v->cpu.dr6 = (d->dr6 & RVM_DR6_DEFINED) | RVM_DR6_FIXED;
	v->cpu.dr7 = (d->dr7 & RVM_DR7_DEFINED) | RVM_DR7_FIXED;
	return 0;
}

/* ---- general registers -------------------------------------------------- */

/* KVM_GET_REGS (KVM API §4.11) */
void rvm_get_regs(struct rvm_vcpu *v, struct kvm_regs *r)
{
	const u64 *g = v->cpu.gpr;

	*r = (struct kvm_regs) {
		.rax = g[RVM_RAX], .rbx = g[RVM_RBX], .rcx = g[RVM_RCX], .rdx = g[RVM_RDX],
		.rsi = g[RVM_RSI], .rdi = g[RVM_RDI], .rsp = g[RVM_RSP], .rbp = g[RVM_RBP],
		.r8 = g[RVM_R8], .r9 = g[RVM_R9], .r10 = g[RVM_R10], .r11 = g[RVM_R11],
		.r12 = g[RVM_R12], .r13 = g[RVM_R13], .r14 = g[RVM_R14], .r15 = g[RVM_R15],
		.rip = v->cpu.rip, .rflags = v->cpu.rflags,
	};
}

/* KVM_SET_REGS (§4.12).  An exception that waits belongs to the old registers. */
void rvm_set_regs(struct rvm_vcpu *v, const struct kvm_regs *r)
{
	u64 *g = v->cpu.gpr;
	u8 cpl;

	g[RVM_RAX] = r->rax;
	g[RVM_RBX] = r->rbx;
	g[RVM_RCX] = r->rcx;
	g[RVM_RDX] = r->rdx;
	g[RVM_RSI] = r->rsi;
	g[RVM_RDI] = r->rdi;
	g[RVM_RSP] = r->rsp;
	g[RVM_RBP] = r->rbp;
	g[RVM_R8] = r->r8;
	g[RVM_R9] = r->r9;
	g[RVM_R10] = r->r10;
	g[RVM_R11] = r->r11;
	g[RVM_R12] = r->r12;
	g[RVM_R13] = r->r13;
	g[RVM_R14] = r->r14;
	g[RVM_R15] = r->r15;
	v->cpu.rip = r->rip;
	v->cpu.rflags = (r->rflags & RVM_FL_DEFINED) | RVM_FL_FIXED;
	v->ev.exception.pending = false;

	/* EFLAGS.VM may have come or gone, and with it CPL 3 */
	rvm_need(v, RVM_G_SEG | RVM_G_CR);
	cpl = rvm_implied_cpl(&v->cpu);
	if (cpl != v->cpu.cpl) {
		rvm_touch(v, RVM_G_SEG);
		v->cpu.cpl = cpl;
	}
}

/* ---- segments and system registers -------------------------------------- */

static void rvm_seg_to_kvm(const struct rvm_seg *s, struct kvm_segment *k)
{
	/* the VMCB knows one bit for both: present */
	bool unusable = (s->attr & RVM_SEG_UNUSABLE) || !(s->attr & RVM_SEG_P);

	*k = (struct kvm_segment) {
		.base = s->base,
		.limit = s->limit,
		.selector = s->sel,
		.type = s->attr & RVM_SEG_TYPE,
		.present = !unusable,
		.dpl = (s->attr & RVM_SEG_DPL) >> RVM_SEG_DPL_SHIFT,
		.db = !!(s->attr & RVM_SEG_DB),
		.s = !!(s->attr & RVM_SEG_S),
		.l = !!(s->attr & RVM_SEG_L),
		.g = !!(s->attr & RVM_SEG_G),
		.avl = !!(s->attr & RVM_SEG_AVL),
		.unusable = unusable,
	};
}

static void rvm_seg_from_kvm(struct rvm_seg *s, const struct kvm_segment *k)
{
	u16 attr = k->type & RVM_SEG_TYPE;

	attr |= (k->dpl << RVM_SEG_DPL_SHIFT) & RVM_SEG_DPL;
	if (k->s)
		attr |= RVM_SEG_S;
	if (k->avl)
		attr |= RVM_SEG_AVL;
	if (k->l)
		attr |= RVM_SEG_L;
	if (k->db)
		attr |= RVM_SEG_DB;
	if (k->g)
		attr |= RVM_SEG_G;
	/* as above */
	if (k->unusable || !k->present)
		attr |= RVM_SEG_UNUSABLE;
	else
		attr |= RVM_SEG_P;
	*s = (struct rvm_seg) {
		.base = k->base,
		.limit = k->limit,
		.sel = k->selector,
		.attr = attr,
	};
}

/* KVM_GET_SREGS (KVM API §4.13) */
void rvm_get_sregs(struct rvm_vcpu *v, struct kvm_sregs *s)
{
	const struct rvm_cpu *c = &v->cpu;

	rvm_need(v, RVM_G_SEG | RVM_G_CR);
	memset(s, 0, sizeof(*s));
	rvm_seg_to_kvm(&c->seg[RVM_CS], &s->cs);
	rvm_seg_to_kvm(&c->seg[RVM_DS], &s->ds);
	rvm_seg_to_kvm(&c->seg[RVM_ES], &s->es);
	rvm_seg_to_kvm(&c->seg[RVM_FS], &s->fs);
	rvm_seg_to_kvm(&c->seg[RVM_GS], &s->gs);
	rvm_seg_to_kvm(&c->seg[RVM_SS], &s->ss);
	rvm_seg_to_kvm(&c->seg[RVM_TR], &s->tr);
	rvm_seg_to_kvm(&c->seg[RVM_LDTR], &s->ldt);
	s->gdt.base = c->gdtr.base;
	s->gdt.limit = c->gdtr.limit;
	s->idt.base = c->idtr.base;
	s->idt.limit = c->idtr.limit;
	s->cr0 = c->cr0;
	s->cr2 = c->cr2;
	s->cr3 = c->cr3;
	s->cr4 = c->cr4;
	s->cr8 = c->cr8;
	s->efer = c->efer;
	s->apic_base = c->apic_base;
	if ((v->ev.irq.pending || v->ev.irq.injected) && !v->ev.irq.soft)
		__set_bit(v->ev.irq.nr, (unsigned long *)s->interrupt_bitmap);
}

/* Is this a state that the CPU could be in (SDM vol. 3 §26.3.1.1, APM vol. 2
 * §15.5.1)?  What only the mode can judge it refuses at the entry. */
static bool rvm_sregs_valid(struct rvm_vcpu *v, const struct kvm_sregs *s)
{
	bool paging = s->cr0 & RVM_CR0_PG;

	if (!rvm_cr0_valid(s->cr0))
		return false;
	if (s->cr4 & ~v->cr4_allowed)
		return false;
	if (s->efer & ~rvm_host_efer_bits())
		return false;
	if (s->cr8 & ~0xfull)
		return false;
	if (paging && (s->efer & RVM_EFER_LME)) {
		if (!(s->efer & RVM_EFER_LMA) || !(s->cr4 & RVM_CR4_PAE))
			return false;
		if (s->cr3 & rvm_pa_reserved(v))
			return false;
	} else {
		if ((s->efer & RVM_EFER_LMA) || s->cs.l)
			return false;
		if (s->cr4 & RVM_CR4_PCIDE)
			return false;
	}
	return rvm_apic_base_valid(v, s->apic_base);
}

/**
 * rvm_set_sregs - KVM_SET_SREGS (KVM API §4.14)
 * @v: the vCPU, loaded
 * @s: the structure, copied in
 *
 * -EINVAL and nothing changed if the state makes no sense.  A bit in
 * interrupt_bitmap is an interrupt that has been acknowledged and waits.
 */
int rvm_set_sregs(struct rvm_vcpu *v, const struct kvm_sregs *s)
{
	struct rvm_cpu *c = &v->cpu;
	unsigned int irq;

	if (!rvm_sregs_valid(v, s))
		return -EINVAL;

	rvm_touch(v, RVM_G_SEG | RVM_G_CR);
	rvm_seg_from_kvm(&c->seg[RVM_CS], &s->cs);
	rvm_seg_from_kvm(&c->seg[RVM_DS], &s->ds);
	rvm_seg_from_kvm(&c->seg[RVM_ES], &s->es);
	rvm_seg_from_kvm(&c->seg[RVM_FS], &s->fs);
	rvm_seg_from_kvm(&c->seg[RVM_GS], &s->gs);
	rvm_seg_from_kvm(&c->seg[RVM_SS], &s->ss);
	rvm_seg_from_kvm(&c->seg[RVM_TR], &s->tr);
	rvm_seg_from_kvm(&c->seg[RVM_LDTR], &s->ldt);
	c->gdtr = (struct rvm_dtable) { .base = s->gdt.base, .limit = s->gdt.limit };
	c->idtr = (struct rvm_dtable) { .base = s->idt.base, .limit = s->idt.limit };
	c->cr0 = (s->cr0 & RVM_CR0_DEFINED) | RVM_CR0_ET;
	c->cr2 = s->cr2;
	c->cr3 = s->cr3;
	c->cr4 = s->cr4;
	/* What is in memory now may not be what is there at KVM_RUN. */
	c->pdptes_kept = false;
	/* The client gives CR8 without TPR's lower half. */
	if (v->lapic && c->cr8 != s->cr8)
		rvm_lapic_set_tpr(v, s->cr8 << 4);
	c->cr8 = s->cr8;
	c->efer = s->efer;
	rvm_put_apic_base(v, s->apic_base);
	/* A TSS in use is busy, whatever the client believes (SDM vol. 3 §7.2.2). */
	if (!(c->seg[RVM_TR].attr & RVM_SEG_UNUSABLE))
		c->seg[RVM_TR].attr |= 2;
	c->cpl = rvm_implied_cpl(c);

	irq = find_first_bit((const unsigned long *)s->interrupt_bitmap, KVM_NR_INTERRUPTS);
	if (irq < KVM_NR_INTERRUPTS) {
		v->ev.irq.nr = irq;
		v->ev.irq.soft = false;
		v->ev.irq.injected = false;
		v->ev.irq.pending = true;
	}
	/* What the client has written to memory before counts too: a restored guest. */
	if (v->vm->shadow)
		rvm_shadow_prune(v->vm, 0, ~0ull);
	rvm_flush_self(v);
	return 0;
}
