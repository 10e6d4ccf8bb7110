/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the guest's CPU says about itself: the supported CPUID leaves, less
 * what this machine (one CPU, no local APIC) cannot keep.
 */
#ifndef RINGVM_CPUID_H
#define RINGVM_CPUID_H

#include <stdbool.h>
#include <linux/kvm.h>

/* Edits @cpuid in place; @no_pv also drops the hypervisor's leaves. */
void cpuid_filter(struct kvm_cpuid2 *cpuid, bool no_pv);

bool cpuid_has_long_mode(const struct kvm_cpuid2 *cpuid);

#endif
