/* SPDX-License-Identifier: GPL-2.0 */
/*
 * VMRUN, and what must stand around it.
 *
 * VMRUN switches CS SS DS ES, the descriptor tables, CR0 CR3 CR4, EFER, RFLAGS,
 * RIP, RSP and RAX, and keeps the host's in the HSAVE area.  It leaves alone
 * the other GPRs, and FS GS TR LDTR with KernelGSBase, STAR, LSTAR, CSTAR,
 * SFMASK and SYSENTER_*: those are VMLOAD's and VMSAVE's (APM vol. 2 §15.5).
 */
#include <linux/linkage.h>
#include <asm/asm.h>
#include <asm/nospec-branch.h>
#include <asm/cpufeatures.h>
#include <asm/alternative.h>

/* offsets in rvm_cpu.gpr: the encoding's order; RAX and RSP are the VMCB's */
#define GPR(n)		((n) * 8)(%rdi)

.section .noinstr.text, "ax"

/* void svm_vmrun(u64 vmcb_pa, u64 *gpr, u64 host_pa) */
SYM_FUNC_START(svm_vmrun)
	push	%rbp
	push	%rbx
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	push	%rsi			/* gpr: popped second */
	push	%rdx			/* host_pa: popped first */

	/*
	 * With V_INTR_MASKING the host's IF, as it is at VMRUN, decides whether
	 * physical interrupts end the guest (APM vol. 2 §15.21.1).  GIF is
	 * clear: none is taken here.  Not right before VMRUN: STI's shadow would
	 * be seen in the guest.
	 */
	sti

	mov	%rdi, %rax		/* VMRUN, VMLOAD, VMSAVE take RAX */
	mov	%rsi, %rdi

	/*
	 * From this VMLOAD to the one below, GS base is the guest's: no per-CPU
	 * access, no call, and GIF stays clear so that not even an NMI comes in.
	 */
	vmload	%rax

	mov	GPR(1), %rcx
	mov	GPR(2), %rdx
	mov	GPR(3), %rbx
	mov	GPR(5), %rbp
	mov	GPR(6), %rsi
	mov	GPR(8), %r8
	mov	GPR(9), %r9
	mov	GPR(10), %r10
	mov	GPR(11), %r11
	mov	GPR(12), %r12
	mov	GPR(13), %r13
	mov	GPR(14), %r14
	mov	GPR(15), %r15
	mov	GPR(7), %rdi		/* last: it was the pointer */

#ifdef VM_CLEAR_CPU_BUFFERS
	VM_CLEAR_CPU_BUFFERS
#endif

	vmrun	%rax
	cli

	/* RAX is the VMCB's address again: VMEXIT restored it. */
	vmsave	%rax
	pop	%rax
	vmload	%rax			/* the host's GS base and friends are back */

	/* Returns that the guest trained must not be used (APM: RSB is not flushed
	 * by VMEXIT). */
	FILL_RETURN_BUFFER %rax, RSB_CLEAR_LOOPS, X86_FEATURE_RETPOLINE

	pop	%rax
	mov	%rcx, 1*8(%rax)
	mov	%rdx, 2*8(%rax)
	mov	%rbx, 3*8(%rax)
	mov	%rbp, 5*8(%rax)
	mov	%rsi, 6*8(%rax)
	mov	%rdi, 7*8(%rax)
	mov	%r8, 8*8(%rax)
	mov	%r9, 9*8(%rax)
	mov	%r10, 10*8(%rax)
	mov	%r11, 11*8(%rax)
	mov	%r12, 12*8(%rax)
	mov	%r13, 13*8(%rax)
	mov	%r14, 14*8(%rax)
	mov	%r15, 15*8(%rax)

	/* Retbleed and SRSO: before the first RET (needs the host's GS). */
	UNTRAIN_RET

	/* No guest value stays in a register that speculation might use. */
	xor	%ecx, %ecx
	xor	%edx, %edx
	xor	%ebx, %ebx
	xor	%ebp, %ebp
	xor	%esi, %esi
	xor	%edi, %edi
	xor	%r8d, %r8d
	xor	%r9d, %r9d
	xor	%r10d, %r10d
	xor	%r11d, %r11d
	xor	%r12d, %r12d
	xor	%r13d, %r13d
	xor	%r14d, %r14d
	xor	%r15d, %r15d

	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbx
	pop	%rbp
	RET
SYM_FUNC_END(svm_vmrun)
