/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the kernel finds when it starts: boot parameters, command line, GDT,
 * page tables, and the state of the CPU.
 *
 * Facts: Documentation/x86/boot.rst, "32-bit Boot Protocol" and "64-bit Boot
 * Protocol"; descriptor and page-table formats are those of the AMD APM
 * vol. 2, chapters 4 and 5.
 */
#ifndef RINGVM_PARAMS_H
#define RINGVM_PARAMS_H

#include <linux/kvm.h>

#include "layout.h"

/*
 * Writes everything but the initrd into guest memory.  @low is guest-physical
 * address 0, mem->low bytes long; the plan was made for the same sizes, so
 * that nothing can fail here.
 */
void boot_write(uint8_t *low, const struct mem_split *mem,
		const struct bzimage *k, const struct boot_plan *plan,
		const char *cmdline);

/*
 * Sets what the protocol prescribes; the rest of @sregs stays as it was, and
 * with it the local APIC if there is one.
 */
void boot_cpu(const struct boot_plan *plan, bool apic,
	      struct kvm_sregs *sregs, struct kvm_regs *regs);

#endif
