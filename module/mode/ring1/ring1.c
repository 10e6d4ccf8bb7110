// SPDX-License-Identifier: GPL-2.0
/*
 * ring1: the machine's side.  Probing, the gates, what is changed while a vCPU is
 * loaded and put back, one entry.
 */
#include "ring1.h"
#include "../../cpu/cpu.h"
#include "../../mmu/mmu.h"
#include "../../trace.h"

#include <linux/cc_platform.h>
#include <linux/hw_breakpoint.h>
#include <asm/cpufeature.h>
#include <asm/debugreg.h>
#include <asm/desc.h>
#include <asm/mem_encrypt.h>
#include <asm/msr.h>
#include <asm/nospec-branch.h>
#include <asm/processor.h>
#include <asm/segment.h>

#include <uapi/linux/ringvm.h>

/* ---- 1. the gates ------------------------------------------------------------ */

static gate_desc ring1_idt[256] __page_aligned_bss;

/*
 * Stacks for NMI and #MC, which may come in the middle of the switch, a page for
 * each on each CPU.  The frame's address stands at the end (switch.S).
 */
#define RING1_IST_TOP	(PAGE_SIZE - 16)

struct ring1_cpu {
	void *nmi_stack, *mc_stack;
};

static DEFINE_PER_CPU(struct ring1_cpu, ring1_cpus);

static void ring1_set_gate(u32 vector, const void *to, u32 ist)
{
	gate_desc *g = &ring1_idt[vector];
	unsigned long addr = (unsigned long)to;

	*g = (gate_desc) {
		.offset_low = addr & 0xffff,
		.segment = R1_SEL_CS,
		.bits = { .ist = ist, .type = GATE_INTERRUPT, .dpl = 0, .p = 1 },
		.offset_middle = addr >> 16 & 0xffff,
		.offset_high = addr >> 32,
	};
}

static void ring1_free_cpus(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		struct ring1_cpu *c = &per_cpu(ring1_cpus, cpu);

		free_page((unsigned long)c->nmi_stack);
		free_page((unsigned long)c->mc_stack);
		*c = (struct ring1_cpu) {};
	}
}

static int ring1_alloc_cpus(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		struct ring1_cpu *c = &per_cpu(ring1_cpus, cpu);

		c->nmi_stack = (void *)get_zeroed_page(GFP_KERNEL);
		c->mc_stack = (void *)get_zeroed_page(GFP_KERNEL);
		if (!c->nmi_stack || !c->mc_stack) {
			ring1_free_cpus();
			return -ENOMEM;
		}
	}
	return 0;
}

/* ---- 2. probing --------------------------------------------------------------- */

/* For those who trust no guest as far as this mode asks (docs/ring1.md): without it
 * /dev/ringvm is never ring1 either. */
static bool ring1_wanted = true;
module_param_named(ring1, ring1_wanted, bool, 0444);
MODULE_PARM_DESC(ring1, "ring1: offer the mode (default: yes)");

bool ring1_eager;
module_param_named(ring1_eager, ring1_eager, bool, 0444);
MODULE_PARM_DESC(ring1_eager, "ring1: interpret one instruction at a time and go on natively, whatever it costs: for tests (default: no)");

static int ring1_setup(char *why, size_t len)
{
	u32 i;

#define CHECK(field, offset) \
	BUILD_BUG_ON(offsetof(struct ring1_ctx, field) - offsetof(struct ring1_ctx, frame) != (offset))
	BUILD_BUG_ON(offsetof(struct ring1_ctx, frame) != R1_FRAME);
	BUILD_BUG_ON((R1_FRAME + R1_FRAME_SIZE) & 15);
	BUILD_BUG_ON(sizeof(struct ring1_ctx) > PAGE_SIZE);
	CHECK(frame.gpr[7], R1_GPR(7));
	CHECK(frame.vector, R1_VECTOR);
	CHECK(frame.error, R1_ERROR);
	CHECK(frame.rip, R1_RIP);
	CHECK(frame.cs, R1_CS);
	CHECK(frame.rflags, R1_RFLAGS);
	CHECK(frame.rsp, R1_RSP);
	CHECK(frame.ss, R1_SS);
	CHECK(host_rsp, R1_HOST_RSP);
	CHECK(host_cr3, R1_HOST_CR3);
	CHECK(host_cr4, R1_HOST_CR4);
	CHECK(host_cr0, R1_HOST_CR0);
	CHECK(host_gs_base, R1_HOST_GS_BASE);
	CHECK(guest_cr3, R1_GUEST_CR3);
	CHECK(guest_cr4, R1_GUEST_CR4);
	CHECK(guest_cr0, R1_GUEST_CR0);
	CHECK(ds, R1_DS);
	CHECK(es, R1_ES);
	CHECK(fs, R1_FS);
	CHECK(gs, R1_GS);
	CHECK(guest_ldt, R1_GUEST_LDT);
	CHECK(host_ldt, R1_HOST_LDT);
	CHECK(guest_gdt, R1_GUEST_GDT);
	CHECK(host_gdt, R1_HOST_GDT);
	CHECK(guest_idt, R1_GUEST_IDT);
	CHECK(host_idt, R1_HOST_IDT);
	CHECK(run_gdt, R1_RUN_GDT);
	CHECK(nmis, R1_NMIS);
	CHECK(mces, R1_MCES);
	CHECK(aborted, R1_ABORTED);
	CHECK(cr2, R1_CR2);
	CHECK(vflags, R1_VFLAGS);
	CHECK(window, R1_WINDOW);
	CHECK(flat_ss, R1_FLAT_SS);
	CHECK(sti_rip, R1_STI_RIP);
	CHECK(top, R1_TOP);
	CHECK(pfn_mask, R1_PFN_MASK);
	CHECK(direct_map, R1_DIRECT_MAP);
	CHECK(tsc_offset, R1_TSC_OFFSET);
	CHECK(fast_count, R1_FAST_COUNT);
	CHECK(flat_cs, R1_FLAT_CS);
	CHECK(met_in, R1_MET_IN);
	CHECK(met_back, R1_MET_BACK);
	CHECK(met_out, R1_MET_OUT);
	CHECK(bridge_gdt, R1_BRIDGE_GDT);
	CHECK(crs, R1_CRS);
	CHECK(tsc_aux, R1_TSC_AUX);
	CHECK(mitigate, R1_MITIGATE);
	CHECK(verw, R1_VERW);
	CHECK(fast, R1_FAST);
#undef CHECK

	if (!ring1_wanted) {
		scnprintf(why, len, "the module was loaded with ring1=0, which leaves it out");
		return -ENODEV;
	}
	if (rvm_host_has_fred()) {
		scnprintf(why, len, "the kernel runs with FRED, under which rings 1 and 2 do not exist: boot it with fred=off");
		return -ENODEV;
	}
	if (boot_cpu_has(X86_FEATURE_XENPV)) {
		scnprintf(why, len, "this kernel is itself a Xen PV guest and does not own its descriptor tables");
		return -ENODEV;
	}
	/* Their CPU raises #VC or #VE wherever it likes, in the gates too. */
	if (cc_platform_has(CC_ATTR_GUEST_STATE_ENCRYPT) ||
	    boot_cpu_has(X86_FEATURE_TDX_GUEST)) {
		scnprintf(why, len, "this kernel is itself an encrypted guest (SEV-ES or TDX), whose CPU interrupts the world switch");
		return -ENODEV;
	}
	if (ring1_alloc_cpus()) {
		scnprintf(why, len, "out of memory");
		return -ENOMEM;
	}
	for (i = 0; i < 256; i++)
		ring1_set_gate(i, ring1_gates + i * R1_GATE_SIZE, 0);
	ring1_set_gate(RVM_NMI, ring1_gate_nmi, R1_IST_NMI);
	ring1_set_gate(RVM_MC, ring1_gate_mc, R1_IST_MC);
	ring1_mitigate_init();
	return 0;
}

static void ring1_teardown(void)
{
	ring1_free_cpus();
}

/* ---- 3. each CPU ---------------------------------------------------------------- */

static int ring1_cpu_enable(void)
{
	struct ring1_cpu *c = this_cpu_ptr(&ring1_cpus);

	int err;

	err = rvm_tss_set_ist(R1_IST_NMI, c->nmi_stack + RING1_IST_TOP);
	if (err)
		return err;
	err = rvm_tss_set_ist(R1_IST_MC, c->mc_stack + RING1_IST_TOP);
	if (err)
		rvm_tss_clear_ist(R1_IST_NMI);
	return err;
}

static void ring1_cpu_disable(void)
{
	rvm_tss_clear_ist(R1_IST_MC);
	rvm_tss_clear_ist(R1_IST_NMI);
}

/* ---- 4. vCPU lifetime ------------------------------------------------------------ */

static void ring1_vcpu_destroy(struct rvm_vcpu *v)
{
	struct ring1_vcpu *r = to_ring1(v);

	if (!r)
		return;
	ring1_desc_free(r);
	free_page((unsigned long)r->ctx);
	free_page((unsigned long)r->pgd);
	free_page((unsigned long)r->p4d);
	kfree(r);
	v->mode_data = NULL;
}

static int ring1_vcpu_init(struct rvm_vcpu *v)
{
	struct ring1_vcpu *r = kzalloc(sizeof(*r), GFP_KERNEL_ACCOUNT);
	struct ring1_ctx *ctx;

	v->mode_data = r;
	if (!r)
		return -ENOMEM;
	r->ctx = ctx = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	r->pgd = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	r->p4d = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!r->ctx || !r->pgd || !r->p4d || ring1_desc_init(r)) {
		ring1_vcpu_destroy(v);
		return -ENOMEM;
	}
	r->tlb_stale = true;
	r->views = boot_cpu_has(X86_FEATURE_SMAP);
	ctx->guest_idt = (struct desc_ptr) {
		.size = sizeof(ring1_idt) - 1, .address = (unsigned long)ring1_idt,
	};
	ctx->guest_gdt.size = R1_GDT_LIMIT;
	ctx->run_gdt.size = R1_GDT_LIMIT;
	ctx->native_gdt = (struct desc_ptr) {
		.size = R1_GDT_LIMIT, .address = (unsigned long)r->native_gdt,
	};
	ctx->gdt = r->table[RING1_GDT].desc;
	ctx->slot = pgtable_l5_enabled() ? r->p4d : r->pgd;
	ctx->bridge_gdt = (struct desc_ptr) {
		.size = R1_GDT_LIMIT, .address = (unsigned long)r->bridge_gdt,
	};
	ctx->mitigate = ring1_mitigate();
	ctx->verw = R1_SEL_KSS;
	ctx->pfn_mask = PTE_PFN_MASK & ~sme_me_mask;
	ctx->direct_map = PAGE_OFFSET;
	ctx->guest_cr3 = __sme_pa(r->pgd);
	if (pgtable_l5_enabled())
		r->pgd[0] = __sme_pa(r->p4d) | _PAGE_PRESENT | _PAGE_RW | _PAGE_USER | _PAGE_ACCESSED;
	return 0;
}

/* ---- 5. load and put -------------------------------------------------------------- */

static void ring1_load(struct rvm_vcpu *v, int cpu)
{
	struct ring1_vcpu *r = to_ring1(v);
	struct ring1_ctx *ctx = r->ctx;
	const u64 *host_pgd;

	r->dirty_host = false;
	native_store_gdt(&ctx->host_gdt);
	store_idt(&ctx->host_idt);
	ring1_desc_load(r);
	rdmsrl(MSR_GS_BASE, ctx->host_gs_base);
	/* The kernel's half: the process may have moved to a CPU with another LDT
	 * alias, or the kernel have got a new top-level entry. */
	host_pgd = __va(read_cr3_pa());
	memcpy(r->pgd + 256, host_pgd + 256, 256 * sizeof(u64));
}

/*
 * The kernel uses none of these until the thread goes back to userspace or another
 * one runs, and ring1_put() comes before both:
 * - RSP0, and the I/O bitmap, which would let the guest reach the thread's ports;
 * - SYSENTER, which goes to ring 0 whatever its gate is: with a null CS it is #GP
 *   (SDM vol. 2, SYSENTER);
 * - SYSCALL, #UD with EFER.SCE clear;
 * - TSC_AUX, which RDTSCP and RDPID show, in any ring (SDM vol. 2, RDPID).
 */
static void ring1_take_host(struct ring1_vcpu *r)
{
	r->dirty_host = true;
	rdmsrl(MSR_EFER, r->host_efer);
	rdmsrl(MSR_IA32_SYSENTER_CS, r->host_sysenter_cs);
	rdmsrl(MSR_FS_BASE, r->host_fs_base);
	savesegment(ds, r->host_ds);
	savesegment(es, r->host_es);
	savesegment(fs, r->host_fs);
	savesegment(gs, r->host_gs);
	rvm_tss_take(&r->host_tss, &r->ctx->frame + 1);
	wrmsrl(MSR_EFER, r->host_efer & ~EFER_SCE);
	wrmsrl(MSR_IA32_SYSENTER_CS, 0);
	if (boot_cpu_has(X86_FEATURE_RDTSCP) || boot_cpu_has(X86_FEATURE_RDPID)) {
		/* not always the kernel's: KVM leaves its guest's there until its own way
		 * back to userspace, and remembers that it did */
		rdmsrl(MSR_TSC_AUX, r->host_tsc_aux);
		wrmsrl(MSR_TSC_AUX, r->tsc_aux);
	}
	/* CPUID outside ring 0 is #GP, and so the interpreter's (SDM vol. 4, MSR 140h); the
	 * host's kernel, in ring 0, goes on using it. */
	if (boot_cpu_has(X86_FEATURE_CPUID_FAULT)) {
		rdmsrl(MSR_MISC_FEATURES_ENABLES, r->host_misc_features);
		wrmsrl(MSR_MISC_FEATURES_ENABLES,
		       r->host_misc_features | MSR_MISC_FEATURES_ENABLES_CPUID_FAULT);
	}
}

static void ring1_put(struct rvm_vcpu *v)
{
	struct ring1_vcpu *r = to_ring1(v);
	u64 user_gs_base;

	if (!r->dirty_host)
		return;
	r->dirty_host = false;
	if (static_branch_unlikely(&ring1_ibpb_put))
		indirect_branch_prediction_barrier();
	if (boot_cpu_has(X86_FEATURE_RDTSCP) || boot_cpu_has(X86_FEATURE_RDPID))
		wrmsrl(MSR_TSC_AUX, r->host_tsc_aux);
	if (boot_cpu_has(X86_FEATURE_CPUID_FAULT))
		wrmsrl(MSR_MISC_FEATURES_ENABLES, r->host_misc_features);
	wrmsrl(MSR_IA32_SYSENTER_CS, r->host_sysenter_cs);
	wrmsrl(MSR_EFER, r->host_efer);
	rvm_tss_give_back(&r->host_tss);
	loadsegment(ds, r->host_ds);
	loadsegment(es, r->host_es);
	/* Loading a selector loads the base; the 64-bit base after it. */
	loadsegment(fs, r->host_fs);
	wrmsrl(MSR_FS_BASE, r->host_fs_base);
	rdmsrl(MSR_KERNEL_GS_BASE, user_gs_base);
	load_gs_index(r->host_gs);
	wrmsrl(MSR_KERNEL_GS_BASE, user_gs_base);
}

/* ---- 6. entry ------------------------------------------------------------------------ */

/*
 * What may differ from the host's while the guest runs.  CET would ask the guest's
 * code for ENDBR, PKE its pages for keys, LASS would keep its kernel from the lower half; RDPMC is refused; RDTSC where the guest's
 * TSC is not the host's; UMIP makes the descriptor-table instructions trap.
 */
#define RING1_CR4_CET	BIT(23)	/* SDM vol. 3 §2.5; older headers have no names for these */
#define RING1_CR4_LASS	BIT(27)
#define RING1_CR4_CLEAR	(X86_CR4_SMEP | X86_CR4_SMAP | X86_CR4_PKE | X86_CR4_PCE | X86_CR4_TSD | \
			 X86_CR4_OSXSAVE | X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT | X86_CR4_DE | \
			 X86_CR4_FSGSBASE | RING1_CR4_CET | RING1_CR4_LASS)
#define RING1_CR4_GUEST	(X86_CR4_OSXSAVE | X86_CR4_OSFXSR | \
			 X86_CR4_OSXMMEXCPT | X86_CR4_DE | X86_CR4_TSD)

static void ring1_guest_crs(struct rvm_vcpu *v, struct ring1_ctx *ctx)
{
	const struct rvm_cpu *c = &v->cpu;
	u64 cr4;

	cr4 = (ctx->host_cr4 & ~RING1_CR4_CLEAR) | (c->cr4 & RING1_CR4_GUEST);
	/* Views can be executed, and not read (view.c). */
	if (to_ring1(v)->views)
		cr4 |= X86_CR4_SMAP;
	if (v->tsc_offset)
		cr4 |= X86_CR4_TSD;
	if (boot_cpu_has(X86_FEATURE_UMIP))
		cr4 |= X86_CR4_UMIP;
	ctx->guest_cr4 = cr4;
	ctx->guest_cr0 = (ctx->host_cr0 & ~(X86_CR0_TS | X86_CR0_EM | X86_CR0_MP | X86_CR0_AM)) |
		(c->cr0 & (X86_CR0_TS | X86_CR0_EM | X86_CR0_MP | X86_CR0_AM));
}

/* VIF and VIP mean nothing to a CPU without VME and PVI, and nothing in ring 3 changes
 * them; so that it is not asked to keep them. */
#define RING1_USER_VIRTUAL	(RVM_FL_VIF | RVM_FL_VIP)
#define RING1_VIRTUAL_FLAGS	(RVM_FL_IF | RVM_FL_IOPL | RVM_FL_AC | RING1_USER_VIRTUAL)

static bool ring1_flat_stack(const struct rvm_seg *ss)
{
	return !ss->base && ss->limit == ~0u &&
		(ss->attr & (RVM_SEG_CODE | RVM_SEG_E | RVM_SEG_W | RVM_SEG_DB)) ==
		(RVM_SEG_W | RVM_SEG_DB);
}

static void ring1_fill_frame(struct rvm_vcpu *v, struct ring1_ctx *ctx)
{
	struct ring1_vcpu *r = to_ring1(v);
	struct rvm_cpu *c = &v->cpu;
	bool user = c->cpl == 3;
	int i;

	for (i = 0; i < 8; i++)
		ctx->frame.gpr[i] = c->gpr[i];
	ctx->frame.rip = (u32)c->rip;
	ctx->frame.rsp = (u32)c->gpr[RVM_RSP];
	/* In the kernel PUSHF and POPF trap. */
	ctx->frame.rflags = (c->rflags & ~(user ? 0 : RING1_VIRTUAL_FLAGS)) | RVM_FL_IF;
	ctx->vflags = c->rflags & RING1_VIRTUAL_FLAGS;
	/* RF holds at this one place (SDM vol. 3 §17.3.1.1). */
	ctx->rf_rip = c->rflags & RVM_FL_RF ? (u32)c->rip : RING1_NO_RF;
	ctx->nmi_masked = v->ev.nmi.masked;
	ctx->window = v->soft.irq_window;
	ctx->sti_rip = 0;
	ctx->tsc_offset = v->tsc_offset;
	ctx->tsc_aux = (u32)c->tsc_aux | (v->insn.hide & RVM_HIDE_RDTSCP ? BIT_ULL(32) : 0);
	ctx->crs[0] = c->cr0;
	ctx->crs[1] = c->cr2;
	ctx->crs[2] = c->cr3;
	ctx->crs[3] = c->cr4;
	ctx->top = rvm_shadow_tree(v)->top;
	/* Segments that are stale were not touched since the last exit, and CS and SS
	 * are in the frame as it left them. */
	if (v->avail & RVM_G_SEG) {
		ctx->frame.cs = ring1_real_sel(v, RVM_CS);
		ctx->frame.ss = ring1_real_sel(v, RVM_SS);
		ctx->ds = v->cpu.seg[RVM_DS].sel;
		ctx->es = v->cpu.seg[RVM_ES].sel;
		ctx->fs = v->cpu.seg[RVM_FS].sel;
		ctx->gs = v->cpu.seg[RVM_GS].sel;
		r->flat_ss = ring1_flat_stack(&v->cpu.seg[RVM_SS]);
		/* The gate goes on behind its instruction without a look at the limit. */
		ctx->flat_cs = !v->cpu.seg[RVM_CS].base && v->cpu.seg[RVM_CS].limit == ~0u;
		ctx->cs = v->cpu.seg[RVM_CS].sel;
		ctx->ss = v->cpu.seg[RVM_SS].sel;
		ctx->cs_desc = ring1_seg_desc(&v->cpu.seg[RVM_CS]);
		ctx->ss_desc = ring1_seg_desc(&v->cpu.seg[RVM_SS]);
	}
	/* The gate's own accesses to the stack meet no breakpoint. */
	ctx->flat_ss = r->flat_ss && !rvm_debug_armed(v);
}

/* Does what ended the guest push RF set, whatever it was (SDM vol. 3 §17.3.1.1)? */
static bool ring1_pushes_rf(u32 vector)
{
	return vector < 32 && vector != RVM_DB && vector != RVM_NMI && vector != RVM_MC;
}

/* RVM_G_SEG is stale from here on, but for CPL, CS and SS: no way leads from one ring to
 * another without a trap. */
static void ring1_collect(struct rvm_vcpu *v, struct ring1_ctx *ctx)
{
	struct ring1_vcpu *r = to_ring1(v);
	struct rvm_cpu *c = &v->cpu;
	int i;

	r->error = ctx->frame.error;
	r->cr2 = ctx->cr2;
	for (i = 0; i < 8; i++)
		if (i != RVM_RSP)
			c->gpr[i] = (u32)ctx->frame.gpr[i];
	c->gpr[RVM_RSP] = (u32)ctx->frame.rsp;
	c->rip = (u32)ctx->frame.rip;
	c->int_shadow = 0;
	if (ctx->moved) {
		c->cpl = ctx->cpl;
		ring1_set_seg(v, RVM_CS, ctx->cs, ctx->cs_desc);
		ring1_set_seg(v, RVM_SS, ctx->ss, ctx->ss_desc);
		r->flat_ss = true;
	}
	if (c->cpl) {
		c->rflags = (ctx->frame.rflags & ~RING1_USER_VIRTUAL) |
			(ctx->vflags & RING1_USER_VIRTUAL);
	} else {
		c->rflags = (ctx->frame.rflags & ~RING1_VIRTUAL_FLAGS) | ctx->vflags;
		if (ctx->sti_rip && ctx->sti_rip == c->rip)
			c->int_shadow = RVM_SHADOW_STI;
	}
	/* The fault may be none of the guest's. */
	if (ring1_pushes_rf(r->vector) && ctx->rf_rip != c->rip)
		c->rflags &= ~RVM_FL_RF;
	v->avail &= ~RVM_G_SEG;
}

/* ---- the guest's breakpoints (SDM vol. 3 §17.2) ---- */

/* DR7: the bit that is always set; R/W of a breakpoint (§17.2.4) */
#define RING1_DR7_FIXED	0x400ull
enum { RING1_BP_EXEC, RING1_BP_WRITE, RING1_BP_IO };

/*
 * DR7 for the CPU, 0 if nothing is armed.  Not in it are breakpoints that cannot be met
 * there: on ports, for IN and OUT trap; and beyond what the guest can address, where
 * they might be on something of ours.
 */
static u64 ring1_dr7(const struct rvm_cpu *c)
{
	u64 dr7 = 0;
	int n;

	if (likely(!(c->dr7 & 0xff)))
		return 0;
	for (n = 0; n < 4; n++) {
		u32 kind = c->dr7 >> (16 + 4 * n) & 3;

		if (!(c->dr7 >> (2 * n) & 3) || kind == RING1_BP_IO || c->dr[n] >> 32)
			continue;
		dr7 |= c->dr7 & 3ull << (2 * n);
		/* The length of an instruction's must be 0 (§17.2.4). */
		dr7 |= c->dr7 & (kind == RING1_BP_EXEC ? 3ull : 15ull) << (16 + 4 * n);
	}
	return dr7 ? dr7 | RING1_DR7_FIXED : 0;
}

static const u32 ring1_dr_masks[4] = {
	MSR_F16H_DR0_ADDR_MASK, MSR_F16H_DR1_ADDR_MASK,
	MSR_F16H_DR1_ADDR_MASK + 1, MSR_F16H_DR1_ADDR_MASK + 2,
};

/*
 * From here on until ring1_disarm() they strike at guest addresses, which are the
 * owner's, too: nothing of the host's that touches userspace may run in between.
 * @wanted: the host has some of its own, maybe with masks (APM vol. 2 §13.1.1.6).
 */
static void ring1_arm(const struct rvm_cpu *c, u64 dr7, bool wanted, u64 masks[4])
{
	int n;

	for (n = 0; wanted && boot_cpu_has(X86_FEATURE_BPEXT) && n < 4; n++) {
		rdmsrl(ring1_dr_masks[n], masks[n]);
		wrmsrl(ring1_dr_masks[n], 0);
	}
	set_debugreg(c->dr[0], 0);
	set_debugreg(c->dr[1], 1);
	set_debugreg(c->dr[2], 2);
	set_debugreg(c->dr[3], 3);
	set_debugreg(dr7, 7);
}

static void ring1_disarm(bool wanted, const u64 masks[4])
{
	int n;

	set_debugreg(0, 7);
	for (n = 0; wanted && boot_cpu_has(X86_FEATURE_BPEXT) && n < 4; n++)
		wrmsrl(ring1_dr_masks[n], masks[n]);
}

/* DR6's bits for the breakpoints that @dr7 arms */
static u64 ring1_hits(u64 dr6, u64 dr7)
{
	u64 hits = 0;
	int n;

	for (n = 0; n < 4; n++)
		if (dr7 >> (2 * n) & 3)
			hits |= dr6 & 1ull << n;
	return hits;
}

static noinstr void ring1_world_switch(struct ring1_ctx *ctx)
{
	rvm_guest_state_enter();
	ring1_switch(&ctx->frame);
	/* Before the first indirect branch */
	if (static_branch_unlikely(&ring1_ibpb_exit))
		indirect_branch_prediction_barrier();
	rvm_guest_state_exit();
}

/* As if the interrupt came now: the host's own gate, with the stack it wants. */
static void ring1_host_int(u32 vector)
{
	unsigned long entry = (unsigned long)ring1_ints +
		array_index_nospec(vector, 256) * R1_INT_SIZE;

	asm volatile(CALL_NOSPEC
		     : ASM_CALL_CONSTRAINT
		     : THUNK_TARGET(entry)
		     : "cc", "memory");
}

static void ring1_enter(struct rvm_vcpu *v)
{
	struct ring1_cpu *c = this_cpu_ptr(&ring1_cpus);
	struct ring1_vcpu *r = to_ring1(v);
	struct ring1_ctx *ctx = r->ctx;
	u64 dr7, masks[4];
	bool wanted;

	r->vector = RING1_NO_VECTOR;
	if (unlikely(r->tsc_aux != v->cpu.tsc_aux)) {
		ring1_put(v);
		r->tsc_aux = v->cpu.tsc_aux;
	}
	if (unlikely(!r->dirty_host))
		ring1_take_host(r);
	ctx->host_cr3 = __read_cr3();
	ctx->host_cr4 = rvm_read_cr4();
	ctx->host_cr0 = read_cr0();
	if (ctx->host_cr4 & X86_CR4_PCIDE)
		ctx->host_cr3 |= X86_CR3_PCID_NOFLUSH;
	store_ldt(ctx->host_ldt);
	ring1_guest_crs(v, ctx);
	ring1_fill_frame(v, ctx);
	if (unlikely(v->soft.deliver) && !ring1_fast_deliver(v)) {
		r->event_slow = true;
		return;
	}
	*(void **)(c->nmi_stack + RING1_IST_TOP) = &ctx->frame;
	*(void **)(c->mc_stack + RING1_IST_TOP) = &ctx->frame;
	ctx->nmis = 0;
	ctx->mces = 0;
	ctx->aborted = 0;

	dr7 = ring1_dr7(&v->cpu);
	wanted = hw_breakpoint_active();
	if (wanted)
		set_debugreg(0, 7);
	rvm_xcr_load_guest(v);
	if (unlikely(dr7))
		ring1_arm(&v->cpu, dr7, wanted, masks);
	ring1_world_switch(ctx);
	if (unlikely(dr7))
		ring1_disarm(wanted, masks);
	rvm_xcr_load_host(v);

	if (likely(!ctx->aborted)) {
		r->vector = ctx->frame.vector;
		ring1_collect(v, ctx);
		v->stats.fast += ctx->fast_count;
		ctx->fast_count = 0;
		r->hits = 0;
		/* Without #DB: MOV SS held it back until the next instruction, which
		 * trapped, and our gate met it (switch.S). */
		if (r->vector == RVM_DB || unlikely(dr7)) {
			get_debugreg(r->dr6, 6);
			set_debugreg(DR6_RESERVED, 6);
			r->hits = ring1_hits(r->dr6, dr7);
		}
	} else {
		/* The guest has not run, but an event may have been delivered. */
		r->vector = RING1_ABORTED;
		if (ctx->moved)
			ring1_collect(v, ctx);
		r->error = ctx->aborted;
	}
	if (wanted)
		hw_breakpoint_restore();
	v->dirty = 0;

	/*
	 * What the guest's gates took is acknowledged and gone: the host gets it here,
	 * before anything else can come in.
	 */
	if (unlikely(ctx->mces | ctx->nmis)) {
		v->stats.met_in += ctx->met_in;
		v->stats.met_back += ctx->met_back;
		v->stats.met_out += ctx->met_out;
		ctx->met_in = 0;
		ctx->met_back = 0;
		ctx->met_out = 0;
	}
	while (unlikely(ctx->mces)) {
		ctx->mces--;
		asm volatile("int $18" : : : "memory");
	}
	while (unlikely(ctx->nmis)) {
		ctx->nmis--;
		asm volatile("int $2" : : : "memory");
	}
	if (r->vector >= 32 && r->vector < 256)
		ring1_host_int(r->vector);
}

static void ring1_fetch(struct rvm_vcpu *v, u32 groups)
{
	struct ring1_ctx *ctx = to_ring1(v)->ctx;

	if (!(groups & RVM_G_SEG))
		return;
	ring1_take_seg(v, RVM_CS, ctx->frame.cs);
	ring1_take_seg(v, RVM_SS, ctx->frame.ss);
	ring1_take_seg(v, RVM_DS, ctx->ds);
	ring1_take_seg(v, RVM_ES, ctx->es);
	ring1_take_seg(v, RVM_FS, ctx->fs);
	ring1_take_seg(v, RVM_GS, ctx->gs);
}

/* ---- 7. native or not ------------------------------------------------------------------- */

/* The tree under our top level: a 32-bit guest's is one entry of it. */
static void ring1_set_root(struct ring1_vcpu *r, u64 pdpt)
{
	u64 entry = pdpt | _PAGE_PRESENT | _PAGE_RW | _PAGE_USER | _PAGE_ACCESSED;

	WRITE_ONCE(*r->ctx->slot, entry);
}

/* struct rvm_mode: prepare */
static int ring1_prepare(struct rvm_vcpu *v)
{
	struct ring1_vcpu *r = to_ring1(v);
	int err;

	if (!(v->avail & RVM_G_SEG) &&
	    (r->ctx->frame.cs != ring1_real_sel(v, RVM_CS) ||
	     r->ctx->frame.ss != ring1_real_sel(v, RVM_SS)))
		rvm_need(v, RVM_G_SEG);
	r->reason = r->force == RING1_FORCE_VIEW ? RING1_VIEWS :
		r->force ? RING1_TRAP : ring1_decide(v);
	if (r->reason == RING1_NATIVE) {
		err = ring1_desc_prepare(v);
		if (err < 0)
			return err;
		if (!err)
			r->reason = RING1_SEG;
	}
	if (r->reason != RING1_NATIVE)
		return RVM_TO_SLICE;
	err = rvm_shadow_load(v);
	if (err <= 0)
		return err;
	ring1_set_root(r, rvm_shadow_tree(v)->root_pa);
	ring1_fast_prefault(v);
	ring1_fast_fill(v);
	rvm_fpu_settle(v);
	v->stats.native++;
	return 1;
}

/*
 * How much to interpret before the decision is taken anew.  Sensitive instructions
 * come in clusters while IF is 0, and each would be a trip of its own; where IF stays
 * 0 for long, as in early boot, native execution pays all the same.
 */
#define RING1_BUDGET		1000
#define RING1_BUDGET_TRAP	30

static int ring1_slice(struct rvm_vcpu *v)
{
	struct ring1_vcpu *r = to_ring1(v);
	enum rvm_insn_watch watch = RVM_WATCH_IRQ;
	u32 budget = RING1_BUDGET;

	ring1_count(v, r->reason);
	r->vector = RING1_NO_VECTOR;
	switch (r->reason) {
	case RING1_VIEWS:
		/* It would trap at each instruction, IF or not. */
	case RING1_LONG:
		watch = RVM_WATCH_NONE;
		break;
	case RING1_TRAP:
	case RING1_EVENT:
		budget = RING1_BUDGET_TRAP;
		break;
	case RING1_SHADOW:
	case RING1_SEG:
	case RING1_CPL:
	case RING1_TF:
		budget = 1;
		break;
	default:
		break;
	}
	/* Long mode is not left by surprise. */
	if (ring1_eager && r->reason != RING1_LONG)
		budget = 1;
	r->force = RING1_FORCE_NONE;
	r->event_slow = false;
	/* The instruction that sets IF ends the slice. */
	return rvm_soft_slice(v, budget, watch);
}

static void ring1_flush_tlb(struct rvm_vcpu *v)
{
	/* Every entry loads CR3 and so leaves nothing in the CPU's own TLB. */
	to_ring1(v)->tlb_stale = true;
	rvm_insn_flush(&v->insn);
}

/* A loader, or a reset: what has been copied into views may be another program's. */
static void ring1_client_set(struct rvm_vcpu *v)
{
	ring1_views_clear(v->vm);
}

static void ring1_exit_info(struct rvm_vcpu *v, struct rvm_exit_info *info)
{
	const struct ring1_vcpu *r = to_ring1(v);

	*info = (struct rvm_exit_info) {
		.reason = r->vector, .info1 = r->cr2, .error_code = r->error,
	};
}

static bool ring1_shadow(void)
{
	return true;
}

/* ---- 8. the seam ----------------------------------------------------------------------------- */

const struct rvm_mode rvm_mode_ring1 = {
	.name			= "ring1",
	.id			= RINGVM_MODE_RING1,
	.rank			= 50,
	/* STAC and CLAC are a trap each. */
	.no_smap		= true,
	.setup			= ring1_setup,
	.teardown		= ring1_teardown,
	.cpu_enable		= ring1_cpu_enable,
	.cpu_disable		= ring1_cpu_disable,
	.shadow			= ring1_shadow,
	.vm_init		= ring1_vm_init,
	.vm_destroy		= ring1_vm_destroy,
	.vcpu_init		= ring1_vcpu_init,
	.vcpu_destroy		= ring1_vcpu_destroy,
	.load			= ring1_load,
	.put			= ring1_put,
	.fetch			= ring1_fetch,
	.enter			= ring1_enter,
	.client_set		= ring1_client_set,
	.exit_info		= ring1_exit_info,
	.handle			= ring1_handle,
	.slice			= ring1_slice,
	.prepare		= ring1_prepare,
	.inject_exception	= rvm_soft_exception,
	.inject_irq		= rvm_soft_irq,
	.inject_nmi		= rvm_soft_nmi,
	.irq_window		= rvm_soft_irq_window,
	.nmi_window		= rvm_soft_nmi_window,
	.flush_tlb		= ring1_flush_tlb,
};
