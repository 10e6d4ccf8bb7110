// SPDX-License-Identifier: GPL-2.0
/*
 * Many instructions in a row.
 */
#include "exec.h"

/* Is this a point where the caller wants to look at the guest? */
static bool attention(const struct rvm_insn *insn)
{
	const struct rvm_cpu *cpu = insn->cpu;

	if ((cpu->rflags & RVM_FL_TF) || insn->watch == RVM_WATCH_ALL)
		return true;
	return insn->watch == RVM_WATCH_IRQ && (cpu->rflags & RVM_FL_IF) && !cpu->int_shadow;
}

int rvm_insn_run(struct rvm_insn *insn, u32 budget, u32 *done)
{
	bool tf = insn->cpu->rflags & RVM_FL_TF;
	int rc;

	insn->budget = budget;
	insn->left = budget;
	do {
		insn->left--;
		rc = rvm_insn_step(insn);
	} while (!rc && !tf && insn->left && !attention(insn));
	*done = insn->budget - insn->left;
	if (rc && rc != RVM_INSN_HALT)
		--*done;
	insn->left = 0;
	return rc;
}
