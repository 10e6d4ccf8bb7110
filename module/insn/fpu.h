/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of the floating-point and vector instructions share.
 *
 * An instruction is rebuilt with its memory operand at [RSI], which is the
 * vCPU's own buffer, and its general register, if it has one, RAX; then the
 * owner executes it on the host's unit, where the guest's registers are.
 */
#ifndef RVM_INSN_FPU_H
#define RVM_INSN_FPU_H

#include "exec.h"

/* Status word (SDM vol. 1 §8.1.3) */
#define RVM_FSW_ES	0x0080	/* an unmasked exception is pending */
#define RVM_FSW_IE	0x0001
#define RVM_FSW_PE	0x0020
#define RVM_FSW_SF	0x0040
#define RVM_FSW_TOP	0x3800
#define RVM_FSW_TOP_SHIFT 11

static inline void rvm_job_start(const struct rvm_insn *insn, struct rvm_fpu_job *j)
{
	memset(j, 0, sizeof(*j));
	j->mem = insn->fpu_area;
}

static inline void rvm_job_byte(struct rvm_fpu_job *j, u8 b)
{
	j->code[j->len++] = b;
}

/* Run it; #XM becomes #UD where the guest has not asked for it (CR4.OSXMMEXCPT). */
int rvm_job_run(struct rvm_insn *insn, struct rvm_fpu_job *j);

/* An instruction of the interpreter's own: @n bytes. */
int rvm_job_run_bytes(struct rvm_insn *insn, struct rvm_fpu_job *j, const char *bytes, u32 n);

static inline bool rvm_ac_armed(const struct rvm_cpu *cpu)
{
	return (cpu->rflags & RVM_FL_AC) && (cpu->cr0 & RVM_CR0_AM) && cpu->cpl == 3;
}

/*
 * Linear address of a memory operand of @size bytes, which #AC wants aligned to
 * @ac bytes.  Up to 8 bytes rvm_linear() looks after that itself.
 */
int rvm_fpu_addr(struct rvm_insn *insn, const struct rvm_decoded *d, u32 size, u32 ac, u32 acc,
		 u64 *gla);

/* The memory operand's linear address before any check, for its low bits. */
static inline u64 rvm_fpu_offset(const struct rvm_insn *insn, const struct rvm_decoded *d)
{
	u64 at = rvm_ea(insn, d);

	if (!rvm_code64(d) || d->seg >= RVM_FS)
		at += insn->cpu->seg[d->seg].base;
	return at;
}

/*
 * Both ends of an image of @size bytes: AMD's CPUs look at its first element, of
 * @elem bytes, then at its last byte, and CR2 says which it was.  Either may be 0.
 */
int rvm_fpu_ends(struct rvm_insn *insn, u64 gla, u32 size, u32 elem, u32 acc);

/* #NM, #UD that come before anything else the instruction does. */
int rvm_fpu_check(struct rvm_insn *insn, const struct rvm_decoded *d);

/* #MF, if an x87 exception is pending. */
int rvm_x87_pending(struct rvm_insn *insn);

/* Memory of any length, in the pieces that a callback takes. */
int rvm_read_long(struct rvm_insn *insn, u64 gla, void *buf, u32 len);
int rvm_write_long(struct rvm_insn *insn, u64 gla, const void *buf, u32 len);

/* The image that FXSAVE64 makes (SDM vol. 1 table 10-2). */
struct rvm_fx {
	u16 fcw, fsw;
	u8 ftw, rsvd;
	u16 fop;
	u64 fip, fdp;
	u32 mxcsr, mxcsr_mask;
	u8 st[8][16];
	u8 xmm[16][16];
	u8 rest[96];
};

#define RVM_FX_SIZE	512
#define RVM_FX_LEGACY	160	/* up to the XMM registers */
#define RVM_FX_XMM(n)	(RVM_FX_LEGACY + 16 * (n))

/* exec_fpustate.c: the present state, with the guest's pointers; and its opposite */
int rvm_fx_get(struct rvm_insn *insn, struct rvm_fx *fx);
int rvm_fx_set(struct rvm_insn *insn, const struct rvm_fx *fx);

/* Registers 8 to 15, XMM and upper half of YMM: around what would change them for
 * code outside 64-bit mode. */
#define RVM_HIGH_SIZE	256
int rvm_high_get(struct rvm_insn *insn, u8 *high);
int rvm_high_set(struct rvm_insn *insn, const u8 *high);

/* From here on insn->x87 has the pointers. */
int rvm_x87_take_pointers(struct rvm_insn *insn);

static inline void rvm_x87_clear_pointers(struct rvm_insn *insn)
{
	insn->x87.soft = true;
	insn->x87.fip = insn->x87.fdp = 0;
	insn->x87.fop = insn->x87.fcs = insn->x87.fds = 0;
}

/* FNSTENV, FNSAVE, FLDENV, FRSTOR */
int rvm_x87_state(struct rvm_insn *insn, const struct rvm_decoded *d);
/* Take back the pop of a store whose write did not come about; @fsw: before it,
 * SF clear. */
int rvm_x87_unpop(struct rvm_insn *insn, u16 fsw);

#endif /* RVM_INSN_FPU_H */
