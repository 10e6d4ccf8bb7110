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

/* Bits of an entry, in every format */
#define RVM_PTE_P	(1ull << 0)
#define RVM_PTE_W	(1ull << 1)
#define RVM_PTE_U	(1ull << 2)
#define RVM_PTE_A	(1ull << 5)
#define RVM_PTE_D	(1ull << 6)
#define RVM_PTE_PS	(1ull << 7)
#define RVM_PTE_NX	(1ull << 63)
#define RVM_PTE_ADDR	0x000ffffffffff000ull

/* What a path, or a part of one, grants */
#define RVM_RIGHT_W	1u
#define RVM_RIGHT_U	2u
#define RVM_RIGHT_X	4u

/**
 * struct rvm_pte_format - how the CPU reads a paging-structure entry
 * @wide: 8 bytes (PAE, 4- and 5-level), else 4
 * @long_mode: 4- or 5-level: bits 52 to 62 are the guest's own
 * @nxe: bit 63 exists
 * @pse: 4 MiB pages exist in the narrow format
 * @no_1g: 1 GiB pages do not exist
 * @phys_bits: width of a physical address
 */
struct rvm_pte_format {
	bool wide, long_mode, nxe, pse, no_1g;
	u8 phys_bits;
};

struct rvm_pte_format rvm_pte_format(const struct rvm_cpu *c);
/* Has a present entry at @level (1: page table) reserved bits set? */
bool rvm_pte_rsvd(const struct rvm_pte_format *f, u64 pte, int level, bool leaf);
/* Does it map a page, or lead to a table? */
bool rvm_pte_is_leaf(const struct rvm_pte_format *f, u64 pte, int level);
/* The guest-physical address of that page or table */
u64 rvm_pte_target(const struct rvm_pte_format *f, u64 pte, int level, bool leaf);

/* RVM_RIGHT_* of the entry alone */
static inline u8 rvm_pte_rights(u64 pte)
{
	return (pte & RVM_PTE_W ? RVM_RIGHT_W : 0) | (pte & RVM_PTE_U ? RVM_RIGHT_U : 0) |
		(pte & RVM_PTE_NX ? 0 : RVM_RIGHT_X);
}

/**
 * struct rvm_walk_path - what a walk met
 * @gpa: the address translated
 * @top: level of the first entry: 5, 4 or 2 (PAE too); 0 without paging
 * @level: of the last one, which maps the page
 * @step: by level, from 1 in step[0] to @top; only @level to @top are filled
 */
struct rvm_walk_path {
	u64 gpa;
	int top, level;
	struct rvm_walk_step {
		u64 gpa;	/* of the entry, A20 not applied */
		u64 pte;	/* with the bits that the walk has set */
		u8 rights;	/* RVM_RIGHT_*: of all the entries down to this one */
	} step[5];
};

/* As rvm_walk_tables(), and how it came there. */
int rvm_walk_path(const struct rvm_cpu *c, const struct rvm_walk_ops *ops, void *priv,
		  u64 gla, u32 acc, struct rvm_walk_path *path, struct rvm_fault *f);

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
