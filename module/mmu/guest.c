// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's own page tables, reached through the memslots: walk.c in the kernel.
 */
#include "mmu.h"
#include "walk.h"

static int rvm_pte_read(void *priv, u64 gpa, void *entry, u32 size)
{
	struct rvm_vcpu *v = priv;

	return rvm_gpa_read(v->vm, gpa, entry, size) ? RVM_INSN_UNHANDLED : RVM_INSN_OK;
}

static int rvm_pte_cmpxchg(void *priv, u64 gpa, void *old, const void *new_val, u32 size)
{
	struct rvm_vcpu *v = priv;
	int r = rvm_gpa_mark(v->vm, gpa, old, new_val, size);

	/* It could be read: a read-only slot.  *old is as it was. */
	if (r == -ENXIO)
		return RVM_INSN_OK;
	return r ? RVM_INSN_UNHANDLED : RVM_INSN_OK;
}

static const struct rvm_walk_ops rvm_guest_walk_ops = {
	.read = rvm_pte_read,
	.cmpxchg = rvm_pte_cmpxchg,
};

int rvm_walk(struct rvm_vcpu *v, u64 gla, u32 acc, u64 *gpa, struct rvm_fault *f)
{
	return rvm_walk_tables(&v->cpu, &rvm_guest_walk_ops, v, gla, acc, gpa, f);
}

int rvm_walk_guest_path(struct rvm_vcpu *v, u64 gla, u32 acc, struct rvm_walk_path *path,
			struct rvm_fault *f)
{
	return rvm_walk_path(&v->cpu, &rvm_guest_walk_ops, v, gla, acc, path, f);
}

int rvm_load_pdptes(struct rvm_vcpu *v)
{
	u64 pdpte[4] = { 0 };
	int r = rvm_walk_load_pdptes(&v->cpu, &rvm_guest_walk_ops, v, pdpte);

	if (r == RVM_INSN_FAULT)
		return 1;
	/* No memory there: the first walk will say so. */
	v->cpu.pdptes_kept = r == RVM_INSN_OK;
	memcpy(v->cpu.pdpte, pdpte, sizeof(pdpte));
	return 0;
}
