// SPDX-License-Identifier: GPL-2.0
/*
 * ring1: what is done against guests that make the CPU speculate for them.
 *
 * To the CPU ring 1 is a supervisor like ring 0: no predictor tells the guest's kernel
 * from the host's, and neither SMEP nor enhanced IBRS keep what the one trained from the
 * other.  So, with mitigations=auto, as far as this CPU needs it:
 * - on the way out returns that the guest's calls predict are overwritten, always
 *   (switch.S);
 * - indirect branches that it trained are forgotten (IBPB, MSR 49h): at each way out where
 *   the kernel's own go through the predictor; where they are all retpolines, no later
 *   than the thread goes back to userspace or another one runs;
 * - on the way in, behind the last load of the host's data, the buffers that MDS and its
 *   kin read are cleared (VERW; Intel, "Deep Dive: Intel Analysis of Microarchitectural
 *   Data Sampling").
 * The gates' fast path has no return and no indirect branch, and needs none of it.
 *
 * What the kernel's own boot parameters switched off (mitigations=off and others) is
 * not done either, but for the returns.
 */
#include "ring1.h"

#include <linux/moduleparam.h>
#include <asm/cpufeature.h>
#include <asm/nospec-branch.h>

DEFINE_STATIC_KEY_FALSE(ring1_ibpb_exit);
DEFINE_STATIC_KEY_FALSE(ring1_ibpb_put);

static bool ring1_mitigations_off;

static int mitigations_set(const char *val, const struct kernel_param *kp)
{
	if (sysfs_streq(val, "off"))
		ring1_mitigations_off = true;
	else if (sysfs_streq(val, "auto"))
		ring1_mitigations_off = false;
	else {
		pr_err("parameter mitigations: \"%s\" is neither auto nor off\n", val);
		return -EINVAL;
	}
	return 0;
}

static bool needs_ibpb(void)
{
	return !ring1_mitigations_off && boot_cpu_has_bug(X86_BUG_SPECTRE_V2) &&
		boot_cpu_has(X86_FEATURE_USE_IBPB);
}

/* Does the kernel have no indirect branch that is predicted? */
static bool kernel_has_retpolines(void)
{
	return boot_cpu_has(X86_FEATURE_RETPOLINE) && !boot_cpu_has(X86_FEATURE_RETPOLINE_LFENCE);
}

static bool needs_verw(void)
{
	return !ring1_mitigations_off && rvm_host_clears_buffers();
}

static int mitigations_get(char *buf, const struct kernel_param *kp)
{
	if (ring1_mitigations_off)
		return scnprintf(buf, PAGE_SIZE, "off\n");
	return scnprintf(buf, PAGE_SIZE, "auto: returns overwritten; IBPB %s; VERW %s\n",
			 !needs_ibpb() ? "not needed or not there" :
			 kernel_has_retpolines() ? "after a thread's last exit" : "at every exit",
			 needs_verw() ? "at every entry" : "not needed");
}

static const struct kernel_param_ops mitigations_ops = {
	.set = mitigations_set,
	.get = mitigations_get,
};

module_param_cb(mitigations, &mitigations_ops, NULL, 0444);
MODULE_PARM_DESC(mitigations, "ring1: what to do about speculation that a guest steers: auto (default), off");

/* At load, once. */
void ring1_mitigate_init(void)
{
	if (!needs_ibpb())
		return;
	if (kernel_has_retpolines())
		static_branch_enable(&ring1_ibpb_put);
	else
		static_branch_enable(&ring1_ibpb_exit);
}

/* R1_DO_*, for the world switch of each vCPU */
u32 ring1_mitigate(void)
{
	return (ring1_mitigations_off ? 0 : R1_DO_RETURNS) | (needs_verw() ? R1_DO_VERW : 0);
}
