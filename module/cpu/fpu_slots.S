/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Room for one instruction each, and the way in and out (fpu_exec.c).
 *
 * A slot is filled at run time with an instruction that was built from one of
 * the guest's.  It is entered by an indirect jump, so it begins with ENDBR64, and
 * left by a direct one: a RET made at run time would lack what the kernel does
 * to its own against speculation.  INT3 until then, which the kernel's checks of
 * object files take for padding.
 */
#include <linux/linkage.h>
#include <linux/objtool.h>
#include <asm/asm.h>
#include <asm/nospec-branch.h>
#include "fpu_slots.h"

/*
 * An instruction of its own at a fixed place in each slot: where it faults, the
 * kernel's exception table leads to rvm_fpu_trap with the vector in RAX.
 */
.pushsection .text, "ax"
.balign 4096, 0xcc
SYM_CODE_START_NOALIGN(rvm_fpu_slots)
	ANNOTATE_NOENDBR	/* its address is taken to write there, not to jump */
.rept RVM_FPU_POOLS * RVM_FPU_SLOTS
1:	.skip	RVM_FPU_SLOT_SIZE, 0xcc
	_ASM_EXTABLE_TYPE(1b + RVM_FPU_SLOT_CODE, rvm_fpu_trap, EX_TYPE_FAULT)
.endr
SYM_CODE_END(rvm_fpu_slots)
.popsection

/*
 * u32 rvm_fpu_call(struct rvm_fpu_job *job, void *slot): 0, or the vector
 *
 * A slot's code leaves RDI and the stack alone, so the jump into it is a tail
 * call, and rvm_fpu_back or rvm_fpu_trap returns to rvm_fpu_call's caller.
 */
SYM_FUNC_START(rvm_fpu_call)
	mov	%rsi, %r11
	mov	RVM_FPU_JOB_MEM(%rdi), %rsi
	mov	RVM_FPU_JOB_RAX(%rdi), %rax
	mov	RVM_FPU_JOB_RCX(%rdi), %rcx
	mov	RVM_FPU_JOB_RDX(%rdi), %rdx
	JMP_NOSPEC r11
SYM_FUNC_END(rvm_fpu_call)

SYM_FUNC_START(rvm_fpu_back)
	mov	%rax, RVM_FPU_JOB_RAX(%rdi)
	mov	%rcx, RVM_FPU_JOB_RCX(%rdi)
	mov	%rdx, RVM_FPU_JOB_RDX(%rdi)
	pushf
	pop	RVM_FPU_JOB_RFLAGS(%rdi)
	xor	%eax, %eax
	RET
SYM_FUNC_END(rvm_fpu_back)

SYM_FUNC_START(rvm_fpu_trap)
	RET
SYM_FUNC_END(rvm_fpu_trap)
