// SPDX-License-Identifier: GPL-2.0
/*
 * The CPUID filter: see cpuid.h.
 *
 * Facts: Intel SDM vol. 2, CPUID; AMD APM vol. 3, appendix E; the
 * 0x40000000 leaves as in the kernel's Documentation/virt/kvm/x86/cpuid.rst.
 */
#include "cpuid.h"

#define LEAF1_ECX_MWAIT		(1u << 3)
#define LEAF1_ECX_X2APIC	(1u << 21)
#define LEAF1_ECX_TSC_DEADLINE	(1u << 24)
#define LEAF1_ECX_HYPERVISOR	(1u << 31)
#define LEAF1_EDX_APIC		(1u << 9)
#define LEAF1_EDX_HTT		(1u << 28)

#define EXT1_ECX_CMP_LEGACY	(1u << 1)
#define EXT1_ECX_EXTAPIC	(1u << 3)
#define EXT1_ECX_TOPOEXT	(1u << 22)
#define EXT1_EDX_APIC		(1u << 9)
#define EXT1_EDX_LM		(1u << 29)

#define PV_SIGNATURE		0x40000000u
#define PV_FEATURES		0x40000001u
#define PV_LAST			0x4fffffffu

/*
 * Paravirtual features that only work together with a local APIC in the
 * kernel: asynchronous page faults (4, 10, 14), its end-of-interrupt (6),
 * kicks and IPIs (7, 11, 13), halt polling (12), MSI destinations (15).
 */
#define PV_NEED_APIC	(1u << 4 | 1u << 6 | 1u << 7 | 1u << 10 | 1u << 11 | \
			 1u << 12 | 1u << 13 | 1u << 14 | 1u << 15)

static void filter_leaf(struct kvm_cpuid_entry2 *e, const struct cpuid_choice *c)
{
	switch (e->function) {
	case 1:
		e->ecx &= ~(LEAF1_ECX_MWAIT | LEAF1_ECX_TSC_DEADLINE);
		e->edx &= ~LEAF1_EDX_HTT;
		if (!c->apic) {
			e->ecx &= ~LEAF1_ECX_X2APIC;
			e->edx &= ~LEAF1_EDX_APIC;
		} else if (c->tsc_deadline) {
			/* KVM leaves it to its clients, as it does this one: */
			e->ecx |= LEAF1_ECX_TSC_DEADLINE;
		}
		/*
		 * KVM leaves this bit to its clients; guests look for the
		 * 0x40000000 leaves only if it is set.
		 */
		if (c->no_pv)
			e->ecx &= ~LEAF1_ECX_HYPERVISOR;
		else
			e->ecx |= LEAF1_ECX_HYPERVISOR;
		/* One logical CPU; CLFLUSH size and brand stay. */
		e->ebx &= 0x0000ffff;
		e->ebx |= 1u << 16 | c->apic_id << 24;
		break;
	case 4:			/* one core, caches shared by nobody */
		e->eax &= 0x00003fff;
		break;
	case 0xb:		/* topology: no levels */
	case 0x1f:
		e->eax = 0;
		e->ebx = 0;
		e->ecx = e->index & 0xff;
		e->edx = c->apic_id;
		break;
	case PV_FEATURES:
		if (!c->apic)
			e->eax &= ~PV_NEED_APIC;
		break;
	case 0x80000001:
		e->ecx &= ~(EXT1_ECX_CMP_LEGACY | EXT1_ECX_EXTAPIC |
			    EXT1_ECX_TOPOEXT);
		if (!c->apic)
			e->edx &= ~EXT1_EDX_APIC;
		break;
	case 0x80000008:
		e->ecx &= 0xffff0f00;	/* one core; APIC ID size 0 */
		break;
	default:
		break;
	}
}

void cpuid_filter(struct kvm_cpuid2 *cpuid, const struct cpuid_choice *c)
{
	struct kvm_cpuid_entry2 *e;
	unsigned int i, kept = 0;

	for (i = 0; i < cpuid->nent; i++) {
		e = &cpuid->entries[i];
		if (c->no_pv && e->function >= PV_SIGNATURE &&
		    e->function <= PV_LAST)
			continue;
		filter_leaf(e, c);
		cpuid->entries[kept++] = *e;
	}
	cpuid->nent = kept;
}

bool cpuid_has_long_mode(const struct kvm_cpuid2 *cpuid)
{
	unsigned int i;

	for (i = 0; i < cpuid->nent; i++)
		if (cpuid->entries[i].function == 0x80000001)
			return cpuid->entries[i].edx & EXT1_EDX_LM;
	return false;
}
