// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's own breakpoints (SDM vol. 3 §17.2), for instructions that the
 * interpreter executes: the CPU that it stands for would have looked.
 */
#include "ringvm.h"

/* DR7: R/W of breakpoint n */
enum { RVM_BP_EXEC, RVM_BP_WRITE, RVM_BP_IO, RVM_BP_ACCESS };

static bool rvm_bp_enabled(const struct rvm_cpu *c, int n)
{
	return c->dr7 >> (2 * n) & 3;
}

static u32 rvm_bp_kind(const struct rvm_cpu *c, int n)
{
	return c->dr7 >> (16 + 4 * n) & 3;
}

static u32 rvm_bp_len(const struct rvm_cpu *c, int n)
{
	static const u8 len[] = { 1, 2, 8, 4 };

	return len[c->dr7 >> (18 + 4 * n) & 3];
}

/* Does an access of @len bytes at @addr touch breakpoint @n?  Its own low
 * address bits do not count (§17.2.5). */
static bool rvm_bp_touched(const struct rvm_cpu *c, int n, u64 addr, u32 len)
{
	u32 size = rvm_bp_len(c, n);
	u64 start = c->dr[n] & ~(u64)(size - 1);

	return addr < start + size && start < addr + len;
}

/**
 * rvm_debug_code - is there a breakpoint at the instruction about to run?
 * @v: RVM_G_DR and RVM_G_SEG up to date
 *
 * Bits for DR6, 0 for none.  RF, and a MOV SS just before, hold it back
 * (§17.3.1.1).
 */
u64 rvm_debug_code(const struct rvm_vcpu *v)
{
	const struct rvm_cpu *c = &v->cpu;
	u64 gla = c->rip, bits = 0;
	int n;

	if ((c->rflags & RVM_FL_RF) || (c->int_shadow & RVM_SHADOW_MOV_SS))
		return 0;
	if (!rvm_is_64bit(c))
		gla = (u32)(c->seg[RVM_CS].base + c->rip);
	for (n = 0; n < 4; n++)
		if (rvm_bp_enabled(c, n) && rvm_bp_kind(c, n) == RVM_BP_EXEC && c->dr[n] == gla)
			bits |= 1ull << n;
	return bits;
}

/**
 * rvm_debug_data - an instruction accesses memory
 * @v: RVM_G_DR up to date
 * @gla: guest-linear address
 * @len: bytes
 * @write: else a read
 *
 * A breakpoint met here is a trap: it is noted, and raised after the
 * instruction (§17.3.1.2).
 */
void rvm_debug_data(struct rvm_vcpu *v, u64 gla, u32 len, bool write)
{
	const struct rvm_cpu *c = &v->cpu;
	u32 kind;
	int n;

	for (n = 0; n < 4; n++) {
		kind = rvm_bp_kind(c, n);
		if (rvm_bp_enabled(c, n) &&
		    (kind == RVM_BP_ACCESS || (write && kind == RVM_BP_WRITE)) &&
		    rvm_bp_touched(c, n, gla, len))
			v->dr6_hits |= 1ull << n;
	}
}

/* Likewise for ports; the kind exists with CR4.DE only (§17.2.4). */
void rvm_debug_io(struct rvm_vcpu *v, u16 port, u32 size)
{
	const struct rvm_cpu *c = &v->cpu;
	int n;

	if (!(c->cr4 & RVM_CR4_DE))
		return;
	for (n = 0; n < 4; n++)
		if (rvm_bp_enabled(c, n) && rvm_bp_kind(c, n) == RVM_BP_IO &&
		    rvm_bp_touched(c, n, port, size))
			v->dr6_hits |= 1ull << n;
}
