/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Execute functions for particular forms of operands.  Private to insn/.
 *
 * An execute function looks at its operands' kinds and sizes each time.  For the
 * commonest instructions there are functions besides that are made for one kind
 * and size each, and the cache of decoded instructions picks the fitting one
 * (rvm_pick_*()).  They hold the straight way only: where an operand is not in
 * the TLB they have changed nothing and leave the instruction to the general
 * function.
 */
#ifndef RVM_INSN_FORMS_H
#define RVM_INSN_FORMS_H

#include "tlb.h"

/*
 * Where an operand is.  Memory: at a register plus displacement in 64-bit code,
 * where DS, ES and SS have neither base nor limit; the same with 32 bits; there
 * with an index besides; or anywhere.
 */
enum rvm_form {
	RVM_F_NONE,
	RVM_F_REG,
	RVM_F_IMM,
	RVM_F_BASE64,
	RVM_F_BASE32,
	RVM_F_INDEX32,
	RVM_F_MEM,
};

static inline enum rvm_form rvm_form_of(const struct rvm_decoded *d, u32 n)
{
	bool base = d->base < RVM_BASE_RIP && d->index == RVM_BASE_NONE;

	switch (d->opnd[n].kind) {
	case RVM_K_REG:
		return RVM_F_REG;
	case RVM_K_IMM:
		return RVM_F_IMM;
	case RVM_K_MEM:
		if (d->seg >= RVM_FS || d->seg == RVM_CS)
			return RVM_F_MEM;
		if (base && rvm_code64(d) && d->asize == 8)
			return RVM_F_BASE64;
		if (d->asize != 4 || d->base >= RVM_BASE_RIP)
			return RVM_F_MEM;
		return base ? RVM_F_BASE32 : RVM_F_INDEX32;
	default:
		return RVM_F_NONE;
	}
}

/* A function for operands of these forms and sizes */
struct rvm_formed {
	u8 op;
	u8 form[2], size[2];
	rvm_exec_fn fn;
};

static inline rvm_exec_fn rvm_pick(const struct rvm_decoded *d, const struct rvm_formed *f, u32 n)
{
	for (; n--; f++)
		if (f->op == d->op && f->form[0] == rvm_form_of(d, 0) &&
		    f->form[1] == rvm_form_of(d, 1) && f->size[0] == d->opnd[0].size &&
		    f->size[1] == d->opnd[1].size)
			return f->fn;
	return NULL;
}

static __always_inline bool rvm_form_addr(const struct rvm_insn *insn, const struct rvm_decoded *d,
					  enum rvm_form form, u32 size, u32 kind, u64 *host)
{
	u64 ea;

	if (form == RVM_F_MEM)
		return rvm_hot_addr(insn, d->seg, rvm_ea(insn, d), size, kind, host);
	ea = *(const u64 *)((const u8 *)insn->cpu->gpr + d->base) + d->disp;
	if (form == RVM_F_BASE64)
		return rvm_hot_lookup(insn, ea, size, kind, host);
	if (form == RVM_F_INDEX32)
		ea += *(const u64 *)((const u8 *)insn->cpu->gpr + d->index) << d->scale;
	return rvm_hot_addr32(insn, d->seg, ea, size, kind, host);
}

/* Operand @n, zero-extended (immediates: sign-extended). */
static __always_inline bool rvm_form_read(const struct rvm_insn *insn, const struct rvm_decoded *d,
					  u32 n, enum rvm_form form, u32 size, u64 *val)
{
	u64 host;

	if (form == RVM_F_REG)
		*val = rvm_reg_read(insn->cpu, d->opnd[n].reg, size);
	else if (form == RVM_F_IMM)
		*val = d->imm;
	else
		return likely(rvm_form_addr(insn, d, form, size, RVM_TLB_READ, &host)) &&
		       likely(rvm_host_load(host, val, size));
	return true;
}

static __always_inline bool rvm_form_write(const struct rvm_insn *insn, const struct rvm_decoded *d,
					   u32 n, enum rvm_form form, u32 size, u64 val)
{
	u64 host;

	if (form == RVM_F_REG)
		rvm_reg_write(insn->cpu, d->opnd[n].reg, size, val);
	else
		return likely(rvm_form_addr(insn, d, form, size, RVM_TLB_WRITE, &host)) &&
		       likely(rvm_host_store(host, val, size));
	return true;
}

#endif /* RVM_INSN_FORMS_H */
