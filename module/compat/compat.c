// SPDX-License-Identifier: GPL-2.0
/*
 * What differs between kernel versions and needs more than an inline function.
 */
#include <linux/kvm_host.h>

#include "compat.h"

/*
 * Up to 6.17 the kernel's function wants KVM's own vCPU, to note a signal in
 * it: two stores, into vcpu->run->exit_reason and vcpu->stat.  This one exists
 * to take them.
 */
static struct kvm_run rvm_compat_run;
static struct kvm_vcpu rvm_compat_vcpu = { .run = &rvm_compat_run };

int rvm_handle_guest_work(void)
{
	return xfer_to_guest_mode_handle_work(&rvm_compat_vcpu);
}
