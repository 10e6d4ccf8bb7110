// SPDX-License-Identifier: GPL-2.0
/*
 * AMD-V: the machine's side.  Probing, EFER.SVME taken and given back, the
 * VMCB's lifetime, load and put, one entry.
 *
 * Terms and section numbers are those of AMD's APM vol. 2, chapter 15.
 */
#include "svm.h"
#include "../../cpu/cpu.h"
#include "../../mmu/mmu.h"
#include "../../trace.h"

#include <linux/hw_breakpoint.h>
#include <asm/cpufeature.h>
#include <asm/debugreg.h>
#include <asm/msr.h>
#include <asm/nospec-branch.h>
#include <asm/segment.h>

#include <uapi/linux/ringvm.h>

/* ---- 1. per-CPU data ---------------------------------------------------- */

/**
 * struct svm_cpu - what one physical CPU needs
 * @hsave: VM_HSAVE_PA: the CPU's own, opaque (§15.30.4)
 * @host: VMSAVE area with the host's FS, GS, TR, SYSENTER_* ... while a vCPU
 *   is loaded
 * @asid_gen: ASIDs are handed out in generations; a vCPU whose generation has
 *   passed gets a new one, so a reused number is never stale
 * @next_asid: the next one of this generation
 * @last_vcpu: whose branch history the predictors hold
 */
struct svm_cpu {
	struct page *hsave;
	struct page *host;
	u64 asid_gen;
	u32 next_asid;
	void *last_vcpu;
};

static DEFINE_PER_CPU(struct svm_cpu, svm_cpus);

struct svm_features svm_features;

bool svm_npt = true;
module_param_named(npt, svm_npt, bool, 0444);
MODULE_PARM_DESC(npt, "svm: use nested paging (default: yes); no: shadow paging");

/* Permission maps, the same for every guest: all ones traps everything. */
static void *svm_iopm;
static void *svm_msrpm;

static void svm_free_cpus(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		struct svm_cpu *c = &per_cpu(svm_cpus, cpu);

		if (c->hsave)
			__free_page(c->hsave);
		if (c->host)
			__free_page(c->host);
		c->hsave = NULL;
		c->host = NULL;
	}
}

static int svm_alloc_cpus(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		struct svm_cpu *c = &per_cpu(svm_cpus, cpu);

		c->hsave = alloc_pages_node(cpu_to_node(cpu), GFP_KERNEL | __GFP_ZERO, 0);
		c->host = alloc_pages_node(cpu_to_node(cpu), GFP_KERNEL | __GFP_ZERO, 0);
		if (!c->hsave || !c->host) {
			svm_free_cpus();
			return -ENOMEM;
		}
	}
	return 0;
}

/* ---- 2. probing --------------------------------------------------------- */

/*
 * MSRs the guest may use without an exit: those that VMLOAD and VMSAVE switch,
 * and the segment bases in the VMCB.  Two bits an MSR, read then write
 * (§15.11).
 */
static const u32 svm_direct_msrs[] = {
	MSR_STAR, MSR_LSTAR, MSR_CSTAR, MSR_SYSCALL_MASK,
	MSR_FS_BASE, MSR_GS_BASE, MSR_KERNEL_GS_BASE,
	MSR_IA32_SYSENTER_CS, MSR_IA32_SYSENTER_ESP, MSR_IA32_SYSENTER_EIP,
};

static void svm_msrpm_allow(u8 *map, u32 msr)
{
	u32 index;

	if (msr < 0x2000)
		index = msr;
	else if (msr >= 0xc0000000 && msr < 0xc0002000)
		index = 0x2000 + (msr - 0xc0000000);
	else
		index = 0x4000 + (msr - 0xc0010000);
	map[index / 4] &= ~(3 << ((index % 4) * 2));
}

static void svm_probe_features(void)
{
	u32 edx = cpuid_edx(0x8000000a);

	svm_features.nr_asids = cpuid_ebx(0x8000000a);
	svm_features.nrips = edx & (1 << 3);
	svm_features.clean_bits = edx & (1 << 5);
	svm_features.flush_by_asid = edx & (1 << 6);
	svm_features.pause_filter = edx & (1 << 10);
	svm_features.emulated = rvm_on_tcg();
}

static int svm_setup(char *why, size_t len)
{
	u64 vm_cr;
	int i, r;

	if (boot_cpu_data.x86_vendor != X86_VENDOR_AMD &&
	    boot_cpu_data.x86_vendor != X86_VENDOR_HYGON) {
		scnprintf(why, len, "this CPU is not AMD's: AMD-V is not to be had here");
		return -ENODEV;
	}
	if (!boot_cpu_has(X86_FEATURE_SVM)) {
		scnprintf(why, len, "the CPU does not show AMD-V (CPUID 8000_0001h ECX.SVM): switch SVM on in the firmware, or have the cloud or outer hypervisor offer nested virtualization");
		return -ENODEV;
	}
	if (rdmsrl_safe(MSR_VM_CR, &vm_cr) || (vm_cr & SVM_VM_CR_SVM_DIS_MASK)) {
		scnprintf(why, len, "AMD-V is disabled by the firmware (VM_CR.SVMDIS): switch SVM on in the firmware setup");
		return -ENODEV;
	}
	if (svm_npt && !(cpuid_edx(0x8000000a) & 1)) {
		pr_info("svm: the CPU has AMD-V without nested paging (CPUID 8000_000Ah EDX.NP): shadow paging is used\n");
		svm_npt = false;
	}
	svm_probe_features();
	if (svm_features.nr_asids < 2) {
		scnprintf(why, len, "the CPU offers no address-space identifiers for guests (CPUID 8000_000Ah EBX)");
		return -ENODEV;
	}

	r = svm_alloc_cpus();
	if (r) {
		scnprintf(why, len, "out of memory");
		return r;
	}
	svm_iopm = (void *)__get_free_pages(GFP_KERNEL, SVM_IOPM_ORDER);
	svm_msrpm = (void *)__get_free_pages(GFP_KERNEL, SVM_MSRPM_ORDER);
	if (!svm_iopm || !svm_msrpm) {
		free_pages((unsigned long)svm_iopm, SVM_IOPM_ORDER);
		free_pages((unsigned long)svm_msrpm, SVM_MSRPM_ORDER);
		svm_free_cpus();
		scnprintf(why, len, "out of memory");
		return -ENOMEM;
	}
	memset(svm_iopm, 0xff, PAGE_SIZE << SVM_IOPM_ORDER);
	memset(svm_msrpm, 0xff, PAGE_SIZE << SVM_MSRPM_ORDER);
	for (i = 0; i < ARRAY_SIZE(svm_direct_msrs); i++)
		svm_msrpm_allow(svm_msrpm, svm_direct_msrs[i]);
	return 0;
}

static void svm_teardown(void)
{
	free_pages((unsigned long)svm_iopm, SVM_IOPM_ORDER);
	free_pages((unsigned long)svm_msrpm, SVM_MSRPM_ORDER);
	svm_free_cpus();
}

/* ---- 3. taking and giving back the hardware ----------------------------- */

static int svm_cpu_enable(void)
{
	struct svm_cpu *c = this_cpu_ptr(&svm_cpus);
	u64 efer, vm_cr;

	rdmsrl(MSR_EFER, efer);
	if (efer & EFER_SVME)
		return -EBUSY;	/* another hypervisor module's; never stolen */
	/* The firmware of each CPU had its own say. */
	if (rdmsrl_safe(MSR_VM_CR, &vm_cr) || (vm_cr & SVM_VM_CR_SVM_DIS_MASK))
		return -ENODEV;

	wrmsrl(MSR_EFER, efer | EFER_SVME);
	wrmsrl(MSR_VM_HSAVE_PA, page_to_phys(c->hsave));
	/* A new generation: whatever this CPU cached under our ASIDs before it
	 * was disabled, or before someone else used SVM, is not ours any more. */
	c->asid_gen++;
	c->next_asid = svm_features.nr_asids;
	c->last_vcpu = NULL;
	return 0;
}

static void svm_cpu_disable(void)
{
	u64 efer;

	rdmsrl(MSR_EFER, efer);
	if (!(efer & EFER_SVME))
		return;
	/* STGI: should anything have left GIF clear, interrupts would stay off
	 * for good once SVME is gone. */
	asm volatile("stgi" ::: "memory");
	wrmsrl(MSR_VM_HSAVE_PA, 0);
	wrmsrl(MSR_EFER, efer & ~EFER_SVME);
}

/* ---- 4. vCPU lifetime --------------------------------------------------- */

static int svm_vcpu_init(struct rvm_vcpu *v)
{
	struct svm_vcpu *s;

	s = kzalloc(sizeof(*s), GFP_KERNEL_ACCOUNT);
	if (!s)
		return -ENOMEM;
	s->vmcb = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!s->vmcb) {
		kfree(s);
		return -ENOMEM;
	}
	s->pa = __pa(s->vmcb);
	if (v->vm->shadow) {
		/* CR3 has 32 bits outside of long mode. */
		s->pae_root = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT | GFP_DMA32);
		if (!s->pae_root) {
			free_page((unsigned long)s->vmcb);
			kfree(s);
			return -ENOMEM;
		}
	}
	v->mode_data = s;
	svm_vmcb_init(v, __pa(svm_iopm), __pa(svm_msrpm));
	return 0;
}

static void svm_vcpu_destroy(struct rvm_vcpu *v)
{
	struct svm_vcpu *s = to_svm(v);
	int cpu;

	if (!s)
		return;
	/* The address may be used again by another vCPU, which must get its
	 * barrier.  Racing with a CPU that sets it to another vCPU is harmless. */
	for_each_possible_cpu(cpu)
		cmpxchg(&per_cpu(svm_cpus, cpu).last_vcpu, s, NULL);
	free_page((unsigned long)s->vmcb);
	free_page((unsigned long)s->pae_root);
	kfree(s);
	v->mode_data = NULL;
}

/* ---- 5. load and put ---------------------------------------------------- */

static void svm_load(struct rvm_vcpu *v, int cpu)
{
	struct svm_cpu *c = this_cpu_ptr(&svm_cpus);
	struct svm_vcpu *s = to_svm(v);

	if (v->last_cpu != cpu) {
		s->asid_gen = 0;		/* ASIDs are per CPU */
		s->dirty = SVM_CLEAN_ALL;	/* and so is the VMCB cache */
	}
	if (c->last_vcpu != s) {
		c->last_vcpu = s;
		indirect_branch_prediction_barrier();
	}

	s->host_saved = false;
	s->tsc_aux = vdso_encode_cpunode(cpu, cpu_to_node(cpu));
}

static void svm_put(struct rvm_vcpu *v)
{
	/* Same value as the kernel sets at boot: CPU number and node. */
	int cpu = smp_processor_id();
	u64 host = vdso_encode_cpunode(cpu, cpu_to_node(cpu));

	if (to_svm(v)->tsc_aux != host)
		wrmsrl(MSR_TSC_AUX, host);
}

/* ---- 6. entry ----------------------------------------------------------- */

static void svm_new_asid(struct svm_vcpu *s, struct svm_cpu *c)
{
	struct vmcb_control_area *ctl = &s->vmcb->control;

	if (c->next_asid >= svm_features.nr_asids) {
		c->asid_gen++;
		c->next_asid = 1;		/* 0 is the host's */
		ctl->tlb_ctl = TLB_CONTROL_FLUSH_ALL_ASID;
	}
	ctl->asid = c->next_asid++;
	s->asid_gen = c->asid_gen;
	s->dirty |= SVM_CLEAN_ASID;
}

/*
 * The guest's DR0 to DR3 go into the hardware only while its DR7 makes use of
 * them, or after it touched a debug register: the first access exits, and then
 * the registers are the guest's until the next exit.  The VMCB holds DR6 and
 * DR7, and VMEXIT leaves the hardware's DR7 cleared (§15.6).
 */
static void svm_load_drs(struct rvm_vcpu *v)
{
	/* Not the host's DR7 with the guest's addresses. */
	if (hw_breakpoint_active())
		set_debugreg(0, 7);
	set_debugreg(v->cpu.dr[0], 0);
	set_debugreg(v->cpu.dr[1], 1);
	set_debugreg(v->cpu.dr[2], 2);
	set_debugreg(v->cpu.dr[3], 3);
	to_svm(v)->drs_loaded = true;
}

static void svm_unload_drs(struct rvm_vcpu *v)
{
	struct svm_vcpu *s = to_svm(v);

	if (s->drs_owned) {
		get_debugreg(v->cpu.dr[0], 0);
		get_debugreg(v->cpu.dr[1], 1);
		get_debugreg(v->cpu.dr[2], 2);
		get_debugreg(v->cpu.dr[3], 3);
		svm_own_drs(s, false);
	}
	s->drs_loaded = false;
}

static noinstr void svm_world_switch(struct rvm_vcpu *v, struct svm_vcpu *s, u64 host_pa)
{
	rvm_guest_state_enter();
	svm_vmrun(s->pa, v->cpu.gpr, host_pa);
	rvm_guest_state_exit();
}

/*
 * Another thread of the process may replace its LDT (modify_ldt) while this one
 * is in KVM_RUN: an IPI loads LDTR here, and the old table is freed.
 */
static bool svm_host_has_ldt(void)
{
#ifdef CONFIG_MODIFY_LDT_SYSCALL
	return READ_ONCE(current->mm->context.ldt);
#else
	return false;
#endif
}

static void svm_enter(struct rvm_vcpu *v)
{
	struct svm_cpu *c = this_cpu_ptr(&svm_cpus);
	struct svm_vcpu *s = to_svm(v);
	struct vmcb_control_area *ctl = &s->vmcb->control;

	/*
	 * The host's FS, GS, TR, LDTR and syscall MSRs, for the VMLOAD after each
	 * exit.  But for an LDT they cannot change before put: the task does not
	 * return to userspace, and a task switch runs put and load.  Not done in
	 * load: only here is it certain that this CPU still has SVM enabled
	 * (reboot).
	 */
	if (!s->host_saved || svm_host_has_ldt()) {
		asm volatile("vmsave" :: "a" (page_to_phys(c->host)) : "memory");
		s->host_saved = true;
	}
	/* The kernel itself never reads TSC_AUX; userspace's RDTSCP does, after put. */
	if (unlikely(s->tsc_aux != v->cpu.tsc_aux) && boot_cpu_has(X86_FEATURE_RDTSCP)) {
		s->tsc_aux = v->cpu.tsc_aux;
		wrmsrl(MSR_TSC_AUX, s->tsc_aux);
	}
	svm_flush(v);
	if (s->asid_gen != c->asid_gen)
		svm_new_asid(s, c);
	if (unlikely(s->drs_owned || (s->vmcb->save.dr7 & 0xff)))
		svm_load_drs(v);
	ctl->clean = svm_features.clean_bits ? SVM_CLEAN_ALL & ~s->dirty : 0;

	/* GIF off before the host's FS, GS and TR go away, NMIs held back. */
	asm volatile("clgi" ::: "memory");
	rvm_xcr_load_guest(v);
	svm_world_switch(v, s, page_to_phys(c->host));
	rvm_xcr_load_host(v);
	/* A held NMI is taken here, by the host's own handler. */
	asm volatile("stgi" ::: "memory");

	if (unlikely(s->drs_loaded))
		svm_unload_drs(v);
	/* VMEXIT has cleared DR7, whoever's it was. */
	if (hw_breakpoint_active())
		hw_breakpoint_restore();
	/*
	 * An intercepted #MC is not pending any more: hand it to the host's own
	 * gate, on this CPU, whose banks tell the handler what happened.
	 */
	if (unlikely(ctl->exit_code == SVM_EXIT_EXCP_BASE + RVM_MC))
		asm volatile("int $18");
	ctl->tlb_ctl = TLB_CONTROL_DO_NOTHING;
	s->dirty = 0;
	svm_collect(v);
}

static void svm_flush_tlb(struct rvm_vcpu *v)
{
	/* A new ASID leaves every old translation behind; without FLUSH_BY_ASID
	 * that is also the cheapest flush there is (§15.16). */
	to_svm(v)->asid_gen = 0;
}

static bool svm_shadow(void)
{
	return !svm_npt;
}

static void svm_set_tsc_offset(struct rvm_vcpu *v)
{
	struct svm_vcpu *s = to_svm(v);

	s->vmcb->control.tsc_offset = v->tsc_offset;
	s->dirty |= SVM_CLEAN_INTERCEPTS;
}

static void svm_exit_info(struct rvm_vcpu *v, struct rvm_exit_info *info)
{
	const struct svm_vcpu *s = to_svm(v);

	*info = (struct rvm_exit_info) {
		.reason = s->exit_code,
		.isa = 2,		/* as kvm:kvm_exit numbers it */
		.info1 = s->info1,
		.info2 = s->info2,
		.intr_info = s->intr_info,
		.error_code = s->intr_error,
	};
}

/* ---- 7. the seam -------------------------------------------------------- */

const struct rvm_mode rvm_mode_svm = {
	.name			= "svm",
	.id			= RINGVM_MODE_SVM,
	.rank			= 100,
	.nested			= true,
	.shadow			= svm_shadow,
	.setup			= svm_setup,
	.teardown		= svm_teardown,
	.cpu_enable		= svm_cpu_enable,
	.cpu_disable		= svm_cpu_disable,
	.vcpu_init		= svm_vcpu_init,
	.vcpu_destroy		= svm_vcpu_destroy,
	.load			= svm_load,
	.put			= svm_put,
	.fetch			= svm_fetch,
	.prepare		= svm_prepare,
	.enter			= svm_enter,
	.exit_info		= svm_exit_info,
	.handle			= svm_handle_exit,
	.inject_exception	= svm_inject_exception,
	.inject_irq		= svm_inject_irq,
	.inject_nmi		= svm_inject_nmi,
	.irq_window		= svm_irq_window,
	.nmi_window		= svm_nmi_window,
	.flush_tlb		= svm_flush_tlb,
	.set_tsc_offset		= svm_set_tsc_offset,
};
