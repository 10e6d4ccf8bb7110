/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The walker of the guest's own page tables, without the kernel: walk.c also
 * builds in userspace, where selftests/insn/walk.c compares it with a model.
 */
#ifndef RVM_WALK_H
#define RVM_WALK_H

#include "../insn/insn.h"

/**
 * struct rvm_walk_ops - how a walk reaches the tables
 *
 * Entries of 4 or 8 bytes at a guest-physical address, naturally aligned.
 * RVM_INSN_OK, or what rvm_walk_tables() is to return.
 *
 * @read: the entry, in one access
 * @cmpxchg: store @new_val if the entry equals *old, atomically towards other
 *   vCPUs; *old receives what was found.  Where memory takes no writes (ROM)
 *   it says RVM_INSN_OK and stores nothing, as a bus would.
 */
struct rvm_walk_ops {
	int (*read)(void *priv, u64 gpa, void *entry, u32 size);
	int (*cmpxchg)(void *priv, u64 gpa, void *old, const void *new_val, u32 size);
};

/**
 * rvm_walk_tables - translate a guest-linear address
 * @c: control registers, EFER, RFLAGS.AC, CPL, PKRU, PDPTEs, address widths
 * @ops, @priv: the way to memory
 * @gla: the address, canonical
 * @acc: RVM_ACC_READ/WRITE/FETCH, IMPLICIT
 * @gpa: result, A20 applied
 * @f: filled with the #PF when it faults
 *
 * Sets accessed and dirty bits as the CPU does (SDM vol. 3 §4.8): none on a
 * path that faults.  RVM_INSN_OK, _FAULT, what @ops returned, or _RETRY when
 * the entries change faster than they can be read.
 */
int rvm_walk_tables(const struct rvm_cpu *c, const struct rvm_walk_ops *ops, void *priv,
		    u64 gla, u32 acc, u64 *gpa, struct rvm_fault *f);

/**
 * rvm_walk_load_pdptes - read the four PAE page-directory pointers that CR3 names
 * @c: CR3, widths
 * @ops, @priv: the way to memory
 * @pdpte: result
 *
 * RVM_INSN_OK; RVM_INSN_FAULT where a present one has reserved bits set, which
 * is #GP(0) for the instruction that loads them (SDM vol. 3 §4.4.1); or what
 * @ops returned.
 */
int rvm_walk_load_pdptes(const struct rvm_cpu *c, const struct rvm_walk_ops *ops, void *priv,
			 u64 pdpte[4]);

static inline u64 rvm_a20(const struct rvm_cpu *c, u64 gpa)
{
	return c->a20_masked ? gpa & ~(1ull << 20) : gpa;
}

#endif /* RVM_WALK_H */
