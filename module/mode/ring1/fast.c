// SPDX-License-Identifier: GPL-2.0
/*
 * System calls, IRET, loads of segment registers, and the delivery of events, without
 * leaving the guest: what a kernel does most often, on the way from ring to ring.
 *
 * ring1_fast() goes on where the gate in switch.S leaves off, and runs as that does:
 * interrupts off, under the guest's CR3 and descriptor tables, with its GS base, so
 * without per-CPU data (stack protector, call counts), on the context's page as the
 * stack.  It calls nothing and is not called: the gate jumps here, and each way out is
 * a jump to ring1_go or ring1_leave.  Guest memory it reaches as the gate does, by the
 * tables that the CPU itself uses at this moment.
 *
 * Only the simplest case of each is here: flat 32-bit segments that lie in the shadow
 * table with Accessed set, memory that is mapped, no single-stepping, no breakpoints.
 * All else is left to the interpreter, with nothing changed.
 */
#include "ring1.h"
#include "../../mmu/mmu.h"
#include "../../mmu/walk.h"

#include <linux/objtool.h>
#include <asm/mem_encrypt.h>

/* Flat descriptors, Accessed; whatever their AVL, and R of code is (SDM vol. 3 §3.4.5). */
#define FLAT_CODE	0x00cf99000000ffffull
#define FLAT_DATA	0x00cf93000000ffffull
#define FLAT_CODE_MASK	(~(1ull << 52 | 1ull << 41))
#define FLAT_DATA_MASK	(~(1ull << 52))
#define FLAT_CODE_READ	(FLAT_CODE | 1ull << 41)
#define DPL(n)		((u64)(n) << 45)

#define DESC_A		(1ull << 40)
#define DESC_CODE	(1ull << 43)
#define DESC_S		(1ull << 44)
#define DESC_P		(1ull << 47)

/* VIF and VIP mean nothing to a CPU without VME and PVI: ring1.c. */
#define USER_VIRTUAL	R1_POPF_KEEPS

/* ---- guest memory ------------------------------------------------------------ */

/*
 * @len bytes at @la, which may not be in two pages, as the kernel's or, with @user, ring
 * 3's own accesses reach them; or NULL.
 */
static __always_inline void *fast_at(struct ring1_ctx *c, const u64 *top, u32 la, u32 len,
				     bool write, bool user)
{
	u64 e, *pte, mask;

	if ((la & ~PAGE_MASK) > PAGE_SIZE - len)
		return NULL;
	e = READ_ONCE(top[la >> 30]);
	if (!(e & RVM_PTE_P))
		goto missing;
	pte = (u64 *)((e & c->pfn_mask) + c->direct_map) + (la >> 21 & 511);
	e = READ_ONCE(*pte);
	mask = 0x1fffff;
	if (!(e & RVM_PTE_P))
		goto missing;
	if (!(e & RVM_PTE_PS)) {
		pte = (u64 *)((e & c->pfn_mask) + c->direct_map) + (la >> 12 & 511);
		e = READ_ONCE(*pte);
		mask = 0xfff;
		if (!(e & RVM_PTE_P))
			goto missing;
	}
	/* In the kernel's tree a user page is a view. */
	if (!!(e & RVM_PTE_U) != user)
		return NULL;
	if (write) {
		if (!(e & RVM_PTE_W))
			goto missing;
		if (!(e & RVM_PTE_D)) {
			u64 old = e;

			/* As the CPU sets it: in an entry that is still there.  Not
			 * cmpxchg(), whose prefix may be that of DS (switch.S). */
			asm volatile("lock; cmpxchgq %2, %1"
				     : "+a" (old), "+m" (*pte)
				     : "r" (e | RVM_PTE_D) : "memory", "cc");
			if (old != e)
				return NULL;
		}
	}
	return (void *)((e & c->pfn_mask & ~mask) + (la & mask) + c->direct_map);
missing:
	c->want = la;
	c->want_write = write;
	c->wants = !user;
	return NULL;
}

/* The shadow table's entry for @sel; 0: nothing, or the LDT's. */
static __always_inline u64 fast_desc(const struct ring1_ctx *c, u32 sel)
{
	if ((sel & 4) || !(sel & ~3) || (sel | 7) > c->gdt_limit)
		return 0;
	return c->gdt[sel >> 3 & 0x1fff];
}

/* ---- from ring to ring --------------------------------------------------------- */

static __always_inline u32 fast_flags(const struct ring1_ctx *c)
{
	u32 virtual = c->cpl ? USER_VIRTUAL : R1_VIRTUAL;

	return ((u32)c->frame.rflags & ~virtual) | (c->vflags & virtual);
}

static __always_inline void fast_set_flags(struct ring1_ctx *c, u32 flags)
{
	c->vflags = flags & R1_VIRTUAL;
	c->frame.rflags = (flags & ~(c->cpl ? 0 : R1_VIRTUAL)) | R1_IF | 2;
}

/* @cpl, CS and SS are the guest's from here on; @cs_desc and @ss_desc say DPL 0 for ring 0. */
static __always_inline void fast_move(struct ring1_ctx *c, u32 cpl, u32 cs, u64 cs_desc,
				      u32 ss, u64 ss_desc)
{
	c->cpl = cpl;
	c->cs = cs;
	c->ss = ss;
	c->cs_desc = cs_desc;
	c->ss_desc = ss_desc;
	c->moved = true;
	c->sti_rip = 0;
	c->rf_rip = RING1_NO_RF;
	c->flat_cs = 1;
	c->flat_ss = 1;
	c->top = c->tops[!cpl];
	WRITE_ONCE(*c->slot, c->roots[!cpl]);
	if (cpl) {
		c->frame.cs = cs;
		c->frame.ss = ss;
	} else {
		c->frame.cs = R1_SEL_KCS;
		c->frame.ss = R1_SEL_KSS;
		/* The CPU cannot set Accessed there. */
		WRITE_ONCE(c->gdt[R1_SEL_KCS / 8], cs_desc | DPL(1) | DESC_A);
		WRITE_ONCE(c->gdt[R1_SEL_KSS / 8], ss_desc | DPL(1) | DESC_A);
	}
}

struct fast_event {
	u32 vector;
	bool soft, has_error;
	u32 error;
	u32 rip;		/* to be pushed */
	u32 rf;			/* R1_RF: likewise */
};

/*
 * Through an interrupt or trap gate into ring 0 (SDM vol. 3 §6.12.1).  False: nothing has
 * changed but D of the stack's page.
 */
static __always_inline bool fast_deliver(struct ring1_ctx *c, const struct fast_event *ev)
{
	u32 at = c->idt_base + ev->vector * 8, n = 3 + ev->has_error, sp, ss = c->ss, flags, *p;
	u64 gate, cs_desc, ss_desc = c->ss_desc;
	const u32 *tss;

	if (!c->roots[1] || (c->frame.rflags & R1_TF) || ev->vector * 8 + 7 > c->idt_limit)
		return false;
	p = fast_at(c, c->tops[1], at, 8, false, false);
	if (!p)
		return false;
	gate = READ_ONCE(p[0]) | (u64)READ_ONCE(p[1]) << 32;
	/* type 14 or 15, present */
	if ((gate >> 40 & 0x9e) != 0x8e || (ev->soft && (gate >> 45 & 3) < c->cpl))
		return false;
	cs_desc = fast_desc(c, gate >> 16 & 0xffff);
	if ((cs_desc & FLAT_CODE_MASK) != FLAT_CODE)
		return false;
	/* With IF set the handler may be interrupted at once: not what was prepared. */
	if ((gate >> 40 & 1) && c->window)
		return false;

	flags = fast_flags(c);
	if (c->cpl) {
		if (!c->has_tss)
			return false;
		tss = fast_at(c, c->tops[1], c->tss_base + 4, 8, false, false);
		if (!tss)
			return false;
		sp = READ_ONCE(tss[0]);
		ss = READ_ONCE(tss[1]) & 0xffff;
		ss_desc = fast_desc(c, ss);
		if ((ss & 3) || (ss_desc & FLAT_DATA_MASK) != FLAT_DATA)
			return false;
		n += 2;
	} else {
		if (!c->flat_ss || !c->flat_cs)
			return false;
		sp = c->frame.rsp;
	}
	if (sp < n * 4)
		return false;
	sp -= n * 4;
	p = fast_at(c, c->tops[1], sp, n * 4, true, false);
	if (!p)
		return false;

	/* Nothing can stop it any more. */
	if (ev->has_error)
		*p++ = ev->error;
	p[0] = ev->rip;
	p[1] = c->cs;
	p[2] = (flags & ~R1_RF) | ev->rf;
	if (c->cpl) {
		p[3] = c->frame.rsp;
		p[4] = c->ss;
	}
	c->frame.rsp = sp;
	c->frame.rip = (gate & 0xffff) | (gate >> 32 & 0xffff0000);
	flags &= ~(R1_TF | R1_NT | R1_RF);
	if (!(gate >> 40 & 1))
		flags &= ~R1_IF;
	fast_move(c, 0, gate >> 16 & 0xfffc, cs_desc, ss, ss_desc);
	fast_set_flags(c, flags);
	return true;
}

/* SDM vol. 2, SYSENTER */
static __always_inline bool fast_sysenter(struct ring1_ctx *c)
{
	u32 flags = fast_flags(c);

	if (!c->roots[1] || !c->has_sysenter || (flags & R1_TF))
		return false;
	c->frame.rip = c->sysenter_eip;
	c->frame.rsp = c->sysenter_esp;
	fast_move(c, 0, c->sysenter_cs, FLAT_CODE_READ, c->sysenter_cs + 8, FLAT_DATA);
	fast_set_flags(c, flags & ~(R1_IF | R1_RF));
	return true;
}

/* May ring 3 go on with these, natively?  As decide.c has it. */
static __always_inline bool fast_user_ok(const struct ring1_ctx *c, u32 flags, u64 cs_desc,
					 u64 ss_desc)
{
	return c->roots[0] && (flags & R1_IF) && (flags & R1_IOPL) != R1_IOPL && !c->window &&
		(cs_desc & FLAT_CODE_MASK) == (FLAT_CODE | DPL(3)) &&
		(ss_desc & FLAT_DATA_MASK) == (FLAT_DATA | DPL(3));
}

/* SDM vol. 2, SYSEXIT.  Descriptors from the table, which the CPU will read there, and
 * which are what SYSEXIT makes without. */
static __always_inline bool fast_sysexit(struct ring1_ctx *c)
{
	u32 flags = fast_flags(c), cs = (c->sysenter_cs + 16) | 3, ss = (c->sysenter_cs + 24) | 3;
	u64 cs_desc = fast_desc(c, cs), ss_desc = fast_desc(c, ss);

	if (!c->has_sysenter || (flags & R1_TF) || !fast_user_ok(c, flags, cs_desc, ss_desc) ||
	    (cs_desc & ~(1ull << 52)) != (FLAT_CODE_READ | DPL(3)))
		return false;
	c->frame.rip = (u32)c->frame.gpr[RVM_RDX];
	c->frame.rsp = (u32)c->frame.gpr[RVM_RCX];
	fast_move(c, 3, cs, cs_desc, ss, ss_desc);
	fast_set_flags(c, flags & ~R1_RF);
	return true;
}

/* SDM vol. 2, IRET: to ring 3, or within ring 0 */
static __always_inline bool fast_iret(struct ring1_ctx *c)
{
	u32 sp = c->frame.rsp, cs, ss, flags;
	u64 cs_desc, ss_desc;
	const u32 *p;

	if (!c->flat_ss || c->nmi_masked || (c->frame.rflags & R1_NT))
		return false;
	p = fast_at(c, c->tops[1], sp, 20, false, false);
	if (!p)
		return false;
	cs = READ_ONCE(p[1]) & 0xffff;
	flags = READ_ONCE(p[2]);
	if (flags & ~(R1_POPF_EASY | R1_RF))
		return false;
	cs_desc = fast_desc(c, cs);
	if ((cs & 3) == 3) {
		ss = READ_ONCE(p[4]) & 0xffff;
		ss_desc = fast_desc(c, ss);
		if ((ss & 3) != 3 || !fast_user_ok(c, flags, cs_desc, ss_desc))
			return false;
		c->frame.rip = READ_ONCE(p[0]);
		c->frame.rsp = READ_ONCE(p[3]);
		fast_move(c, 3, cs, cs_desc, ss, ss_desc);
	} else {
		if ((cs & 3) || ((flags & R1_IF) && c->window) ||
		    (cs_desc & FLAT_CODE_MASK) != FLAT_CODE)
			return false;
		c->frame.rip = READ_ONCE(p[0]);
		c->frame.rsp = sp + 12;
		fast_move(c, 0, cs, cs_desc, c->ss, c->ss_desc);
	}
	fast_set_flags(c, flags);
	if (flags & R1_RF)
		c->rf_rip = c->frame.rip;
	return true;
}

/* ---- segment registers ------------------------------------------------------------ */

/* With DPL 1 for 0, or the way back to ring 1 would clear it (SDM vol. 2, IRET).  @which:
 * as in R1_KIND_*_SEG. */
static __always_inline void fast_set_seg(struct ring1_ctx *c, u32 which, u32 sel)
{
	asm volatile("lgdt %0" : : "m" (c->native_gdt) : "memory");
	if (which == 0)
		asm volatile("mov %0, %%es" : : "r" (sel) : "memory");
	else if (which == 1)
		asm volatile("mov %0, %%ds" : : "r" (sel) : "memory");
	else if (which == 2)
		asm volatile("mov %0, %%fs" : : "r" (sel) : "memory");
	else
		asm volatile("mov %0, %%gs" : : "r" (sel) : "memory");
	asm volatile("lgdt %0" : : "m" (c->run_gdt) : "memory");
}

/* MOV and POP to ES, DS, FS, GS in ring 0 (SDM vol. 2, MOV).  @kinds: of the view, from the
 * instruction on. */
static __always_inline bool fast_load_seg(struct ring1_ctx *c, const u8 *kinds)
{
	u32 kind = kinds[0], which, sel, n, len = 2, pop = 0, at = c->frame.rsp;
	const u32 *p;
	u64 d;

	if (kind < R1_KIND_POP_SEG) {
		which = (kind - R1_KIND_MOV_SEG) >> 3;
		n = kind & 7;
		sel = n == RVM_RSP ? at : c->frame.gpr[n];
	} else {
		if (kind < R1_KIND_STACK_SEG) {
			which = (kind - R1_KIND_POP_SEG) >> 1;
			len = 1 + (kind & 1);
			pop = 4;
		} else {
			if (kinds[1] < R1_KIND_DISP)
				return false;
			which = kind & 3;
			len = 4;
			at += (kinds[1] - R1_KIND_DISP) * 4;
		}
		if (!c->flat_ss)
			return false;
		p = fast_at(c, c->tops[1], at, 4, false, false);
		if (!p)
			return false;
		sel = READ_ONCE(*p);
	}
	sel &= 0xffff;
	if (sel) {
		d = fast_desc(c, sel);
		if ((d & (DESC_P | DESC_S | DESC_CODE | DESC_A)) != (DESC_P | DESC_S | DESC_A) ||
		    (sel & 3) > (d >> 45 & 3))
			return false;
	}
	fast_set_seg(c, which, sel);
	c->frame.rsp = (u32)(c->frame.rsp + pop);
	c->frame.rip = (u32)(c->frame.rip + len);
	c->frame.rflags &= ~(u64)R1_RF;
	return true;
}

/* ---- the gate's side --------------------------------------------------------------- */

static __always_inline bool fast_user(struct ring1_ctx *c)
{
	struct fast_event ev = { .soft = true };
	u32 rip = c->frame.rip;
	const u8 *code;

	/* A selector that it cannot load */
	if (c->frame.vector == RVM_GP && c->frame.error && (c->frame.error & 7) != 2)
		return false;
	code = fast_at(c, c->tops[0], rip, 2, false, true);
	if (!code)
		return false;
	/* The error code names the vector; in QEMU's TCG, times 16. */
	if (c->frame.vector == RVM_GP && code[0] == 0xcd && c->frame.error) {
		ev.vector = code[1];
		ev.rip = rip + 2;
		return fast_deliver(c, &ev);
	}
	return code[0] == 0x0f && code[1] == 0x34 && !c->frame.error && fast_sysenter(c);
}

static __always_inline bool fast_kernel(struct ring1_ctx *c)
{
	const u8 *kinds = fast_at(c, c->tops[1], c->frame.rip, 2, false, true);

	if (!kinds)
		return false;
	kinds += R1_KINDS;
	if (*kinds == R1_KIND_IRET)
		return fast_iret(c);
	if (*kinds == R1_KIND_SYSEXIT)
		return fast_sysexit(c);
	return *kinds >= R1_KIND_MOV_SEG && *kinds < R1_KIND_DISP && fast_load_seg(c, kinds);
}

/* The gate jumps here, with the frame as the stack pointer. */
noinstr void ring1_fast(struct ring1_frame *f)
{
	struct ring1_ctx *c = container_of(f, struct ring1_ctx, frame);
	u32 cpl = c->cpl;

	if (!(cpl ? fast_user(c) : fast_kernel(c))) {
		asm volatile("mov %0, %%rsp\n\t"
			     "jmp ring1_leave" : : "r" (f) : "memory");
		unreachable();
	}
	if (cpl != c->cpl)
		asm volatile("mov %0, %%cr3" : : "r" (c->guest_cr3) : "memory");
	c->fast_count++;
	asm volatile("mov %0, %%rsp\n\t"
		     "jmp ring1_go" : : "r" (f) : "memory");
	unreachable();
}
STACK_FRAME_NON_STANDARD(ring1_fast);

/* ---- before an entry ------------------------------------------------------------------ */

/**
 * ring1_fast_fill - what the gate may need to know
 * @v: the vCPU, its tree loaded and its descriptor tables prepared
 */
void ring1_fast_fill(struct rvm_vcpu *v)
{
	const struct rvm_shadow_tree *tree = rvm_shadow_tree(v), *other;
	const u64 link = _PAGE_PRESENT | _PAGE_RW | _PAGE_USER | _PAGE_ACCESSED;
	const struct rvm_seg *tr = &v->cpu.seg[RVM_TR];
	struct ring1_vcpu *r = to_ring1(v);
	const struct rvm_cpu *cpu = &v->cpu;
	struct ring1_ctx *c = r->ctx;
	bool kernel = cpu->cpl != 3;

	/* With SMAP, EFLAGS.AC decides between trees. */
	c->fast = r->native && r->views && !(cpu->cr4 & RVM_CR4_SMAP) && !rvm_debug_armed(v);
	c->moved = false;
	c->cpl = cpu->cpl;
	if (!c->fast)
		return;
	other = rvm_shadow_other(v);
	c->roots[kernel] = tree->root_pa | link;
	c->tops[kernel] = tree->top;
	c->roots[!kernel] = other ? other->root_pa | link : 0;
	c->tops[!kernel] = other ? other->top : NULL;
	c->nmi_masked = v->ev.nmi.masked;
	c->gdt_limit = min_t(u32, r->table[RING1_GDT].limit, (R1_SEL_KCS & ~7) - 1);
	c->idt_base = cpu->idtr.base;
	c->idt_limit = cpu->idtr.limit;
	c->tss_base = tr->base;
	c->has_tss = !(tr->attr & RVM_SEG_UNUSABLE) && (tr->attr & 0xf) == 11 && tr->limit >= 0x67;
	c->has_sysenter = !(v->insn.hide & RVM_HIDE_SEP) && (cpu->sysenter_cs & 0xfffc);
	c->sysenter_cs = cpu->sysenter_cs & 0xfffc;
	c->sysenter_eip = cpu->sysenter_eip;
	c->sysenter_esp = cpu->sysenter_esp;
}

/* Is what waits worth a try by ring1_fast_deliver()? */
bool ring1_fast_event(struct rvm_vcpu *v)
{
	const struct ring1_vcpu *r = to_ring1(v);
	const struct rvm_events *ev = &v->ev;

	return r->ctx->fast && !r->event_slow && !ev->nmi.injected && !atomic_read(&ev->nmi.pending);
}

/**
 * ring1_fast_deliver - deliver what v->ev calls injected
 * @v: the vCPU, its frame filled; interrupts off, nothing stops the entry any more
 *
 * False: nothing has been done, and it is for the interpreter.
 */
bool ring1_fast_deliver(struct rvm_vcpu *v)
{
	struct ring1_ctx *c = to_ring1(v)->ctx;
	struct rvm_events *rev = &v->ev;
	struct fast_event ev = { .rip = c->frame.rip };

	if (!c->fast || rev->nmi.injected)
		return false;
	if (rev->exception.injected) {
		const struct rvm_fault *f = &rev->exception.f;

		/* What is pushed and changed beside: the interpreter knows. */
		if (f->soft || f->int1 || f->vector == RVM_DB || f->vector == RVM_BP ||
		    f->vector == RVM_OF || f->vector == RVM_DF || f->vector == RVM_MC)
			return false;
		ev.vector = f->vector;
		ev.has_error = f->has_error;
		ev.error = f->error;
		ev.rf = R1_RF;
	} else if (rev->irq.injected && !rev->irq.soft) {
		ev.vector = rev->irq.nr;
		ev.rf = v->cpu.rflags & R1_RF;
	} else {
		return false;
	}
	if (!fast_deliver(c, &ev))
		return false;
	rev->exception.injected = false;
	rev->irq.injected = false;
	v->soft.deliver = false;
	v->stats.fast++;
	return true;
}

/* What the gate looked for in the guest's memory, and what was not mapped: once more is
 * enough. */
void ring1_fast_prefault(struct rvm_vcpu *v)
{
	struct ring1_ctx *c = to_ring1(v)->ctx;
	struct rvm_fault f;

	if (likely(!c->wants) || v->cpu.cpl == 3)
		return;
	c->wants = false;
	rvm_shadow_fault(v, c->want, c->want_write ? RVM_PF_W : 0, &f);
}
