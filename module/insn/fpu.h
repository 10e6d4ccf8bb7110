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
