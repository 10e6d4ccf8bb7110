/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the guest's CPU says about itself: the supported CPUID leaves, less
 * what this machine cannot keep.  Each CPU is a package of its own.
 */
#ifndef RINGVM_CPUID_H
#define RINGVM_CPUID_H

#include <stdbool.h>
#include <linux/kvm.h>

struct cpuid_choice {
	bool no_pv;		/* no hypervisor's leaves */
	bool apic;		/* there is a local APIC */
	bool tsc_deadline;	/* and its timer knows the TSC */
	unsigned int apic_id;
};

/* Edits @cpuid in place. */
void cpuid_filter(struct kvm_cpuid2 *cpuid, const struct cpuid_choice *choice);

bool cpuid_has_long_mode(const struct kvm_cpuid2 *cpuid);

#endif
