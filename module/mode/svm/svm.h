/* SPDX-License-Identifier: GPL-2.0 */
/*
 * mode/svm/: AMD-V.
 *   svm.c    the machine: probing, EFER.SVME, VMCB lifetime, load and put
 *   vmcb.c   struct rvm_cpu to VMCB and back; injection and windows
 *   exits.c  the exit-handler array
 *   entry.S  VMRUN and what must stand around it
 * mode/vmx/ has the same files in the same section order.
 */
#ifndef RVM_SVM_H
#define RVM_SVM_H

#include "../../ringvm.h"
#include "../../mode.h"

#include <asm/svm.h>

#define SVM_IOPM_ORDER		2	/* 12 KiB, APM vol. 2 §15.10.1 */
#define SVM_MSRPM_ORDER		1	/* 8 KiB, APM vol. 2 §15.11 */

/* VMCB clean bits (APM vol. 2 §15.15.4): set = the CPU may use its cached copy */
#define SVM_CLEAN_INTERCEPTS	(1u << 0)	/* intercepts, TSC offset, pause filter */
#define SVM_CLEAN_IOPM		(1u << 1)
#define SVM_CLEAN_ASID		(1u << 2)
#define SVM_CLEAN_TPR		(1u << 3)	/* int_ctl, int_vector */
#define SVM_CLEAN_NP		(1u << 4)	/* nested_cr3, g_pat */
#define SVM_CLEAN_CR		(1u << 5)	/* CR0, CR3, CR4, EFER */
#define SVM_CLEAN_DR		(1u << 6)
#define SVM_CLEAN_DT		(1u << 7)	/* GDT, IDT */
#define SVM_CLEAN_SEG		(1u << 8)	/* CS, DS, SS, ES, CPL */
#define SVM_CLEAN_CR2		(1u << 9)
#define SVM_CLEAN_LBR		(1u << 10)
#define SVM_CLEAN_ALL		0x7ffu

#define SVM_INTERCEPT_ALL_DRS	0x00ff00ffu	/* reads and writes of DR0 to DR7 */

/* exit_int_info, event_inj (APM vol. 2 §15.20) */
#define SVM_EVT_VECTOR		0xffu
#define SVM_EVT_TYPE		(7u << 8)
#define SVM_EVT_INTR		(0u << 8)
#define SVM_EVT_NMI		(2u << 8)
#define SVM_EVT_EXCEPTION	(3u << 8)
#define SVM_EVT_SOFT		(4u << 8)
#define SVM_EVT_ERROR		(1u << 11)
#define SVM_EVT_VALID		(1u << 31)

/**
 * struct svm_vcpu - one vCPU under AMD-V
 * @vmcb: its control block, one page
 * @pa: the block's physical address
 * @asid_gen: per-CPU generation that control.asid was taken from
 * @host_saved: this CPU's svm_cpu.host holds the host's VMSAVE state
 * @pae_root: shadow paging, guests with 32-bit addresses: what CR3 points at, four
 *   entries below 4 GiB
 * @cr3: what the hardware's is set to, with shadow paging
 * @cr0_own, @cr4_own: bits in which the hardware's register is not the guest's
 * @drs_loaded: the hardware's DR0 to DR3 are the guest's
 * @drs_owned: and it may change them without an exit
 * @tsc_aux: what the hardware's TSC_AUX holds, while loaded
 * @nmi_iret: an IRET that ends NMI blocking is about to run at @nmi_iret_rip
 * @nmi_step: single-stepping over that IRET because an NMI waits
 * @nmi_step_tf: the guest's own TF at that time
 * @dirty: SVM_CLEAN_* bits that must be cleared for the next entry
 * @exit_code, @info1, @info2: of the last exit
 * @intr_info, @intr_error: event whose delivery the exit interrupted
 */
struct svm_vcpu {
	struct vmcb *vmcb;
	u64 pa;
	u64 asid_gen;
	u64 tsc_aux;
	u64 *pae_root;
	u64 cr3, cr0_own, cr4_own;
	u64 nmi_iret_rip;
	u64 shadow_rip;			/* where the last exit found an interrupt shadow, or ~0 */
	bool nmi_iret;
	bool nmi_step;
	bool nmi_step_tf;
	bool drs_loaded;
	bool drs_owned;
	bool host_saved;
	u32 dirty;

	u32 exit_code;
	u64 info1, info2;
	u32 intr_info, intr_error;
};

/* What the CPUs of this machine have (CPUID 0x8000000A). */
struct svm_features {
	u32 nr_asids;
	bool nrips;
	bool flush_by_asid;
	bool clean_bits;
	bool pause_filter;
	bool emulated;		/* by QEMU: svm_inject_irq(), svm_collect() */
};

extern struct svm_features svm_features;

/* Module parameter npt: nested paging, else shadow paging */
extern bool svm_npt;

static inline struct svm_vcpu *to_svm(struct rvm_vcpu *v)
{
	return v->mode_data;
}

static inline void svm_set_intercept(struct svm_vcpu *s, u32 bit, bool on)
{
	u32 *word = &s->vmcb->control.intercepts[bit / 32];
	u32 mask = 1u << (bit % 32);

	if (!!(*word & mask) == on)
		return;
	*word ^= mask;
	s->dirty |= SVM_CLEAN_INTERCEPTS;
}

/* Debug registers without an exit, or with one at the first access. */
static inline void svm_own_drs(struct svm_vcpu *s, bool own)
{
	s->drs_owned = own;
	s->vmcb->control.intercepts[INTERCEPT_DR] = own ? 0 : SVM_INTERCEPT_ALL_DRS;
	s->dirty |= SVM_CLEAN_INTERCEPTS;
}

/* ---- vmcb.c ------------------------------------------------------------ */
void svm_vmcb_init(struct rvm_vcpu *v, u64 iopm_pa, u64 msrpm_pa);
void svm_fetch(struct rvm_vcpu *v, u32 groups);
void svm_flush(struct rvm_vcpu *v);	/* dirty groups into the VMCB, before entry */
void svm_collect(struct rvm_vcpu *v);	/* after the exit */
void svm_inject_exception(struct rvm_vcpu *v, const struct rvm_fault *f);
void svm_inject_irq(struct rvm_vcpu *v, u8 vector, bool soft, u8 insn_len);
void svm_inject_nmi(struct rvm_vcpu *v);
void svm_irq_window(struct rvm_vcpu *v, bool on);
void svm_nmi_window(struct rvm_vcpu *v, bool on);

int svm_prepare(struct rvm_vcpu *v);	/* before an entry: the shadow tree */

/* ---- exits.c ----------------------------------------------------------- */
int svm_handle_exit(struct rvm_vcpu *v);

/* ---- entry.S ----------------------------------------------------------- */
/* @vmcb_pa: guest VMCB; @gpr: rvm_cpu.gpr; @host_pa: this CPU's area with the
 * host's VMSAVE state.  Called and left with GIF clear, IF clear. */
asmlinkage void svm_vmrun(u64 vmcb_pa, u64 *gpr, u64 host_pa);

#endif /* RVM_SVM_H */
