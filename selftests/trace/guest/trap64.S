/* SPDX-License-Identifier: GPL-2.0 */
/* The 64-bit monitor's way into a case and back. */
#include "layout.h"

	.section .entry, "ax"
	.code16
	.globl	entry
entry:					/* 0x1000:0, real mode, from BIOS or runner */
	cli
	cld
	inb	$0x92, %al		/* A20 on, without a reset */
	orb	$2, %al
	andb	$0xfe, %al
	outb	%al, $0x92
	movb	$0xff, %al		/* both PICs silent */
	outb	%al, $0x21
	outb	%al, $0xa1
	movw	%cs, %ax
	movw	%ax, %ds
	lgdtl	boot_gdtr - entry
	movl	$0x31, %eax		/* NE, ET, PE: caches on, no paging */
	movl	%eax, %cr0
	ljmpl	$SEL_BOOT32, $1f
	.code32
1:	movw	$SEL_KDS, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	movw	%ax, %fs
	movw	%ax, %gs
	movl	$image_end, %edi
	movl	$end, %ecx
	subl	%edi, %ecx
	xorl	%eax, %eax
	rep stosb
	/* The first 4 MiB by two large pages, until setup() has the real tables. */
	movl	$M_PG, %edi
	movl	$3 * 0x1000 / 4, %ecx
	rep stosl
	movl	$M_PG + 0x1003, M_PG
	movl	$M_PG + 0x2003, M_PG + 0x1000
	movl	$0x83, M_PG + 0x2000
	movl	$0x200083, M_PG + 0x2008
	movl	$1 << 5, %eax		/* PAE */
	movl	%eax, %cr4
	movl	$M_PG, %eax
	movl	%eax, %cr3
	movl	$0xc0000080, %ecx	/* EFER.LME */
	movl	$1 << 8, %eax
	xorl	%edx, %edx
	wrmsr
	movl	$0x80000031, %eax
	movl	%eax, %cr0
	ljmpl	$SEL_KCS, $1f
	.code64
1:	movl	$M_ISTACK, %esp
	call	main
2:	cli
	hlt
	jmp	2b

	.balign	8
boot_gdt:				/* SEL_KCS, SEL_KDS, SEL_BOOT32 */
	.quad	0, 0x00af9b000000ffff, 0x00cf93000000ffff, 0x00cf9b000000ffff
boot_gdtr:
	.word	. - boot_gdt - 1
	.long	boot_gdt

	.text
/* struct regs */
#define R_GPR	0
#define R_IP	128
#define R_FL	136
#define R_CS	144
#define R_SS	152
#define R_DS	160
#define R_ES	168
#define R_FS	176
#define R_GS	184

	.globl	enter
enter:
	pushq	%rbx
	pushq	%rbp
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	movq	%rsp, mon_sp
	movw	in + R_DS, %ds
	movw	in + R_ES, %es
	movw	in + R_FS, %fs
	movw	in + R_GS, %gs
	cmpl	$0, bases_used		/* a load of FS or GS sets the base */
	je	1f
	movl	$0xc0000100, %ecx
	movl	in_fs_base, %eax
	movl	in_fs_base + 4, %edx
	wrmsr
	incl	%ecx
	movl	in_gs_base, %eax
	movl	in_gs_base + 4, %edx
	wrmsr
1:	pushq	in + R_SS
	pushq	in + R_GPR + 32
	pushq	in + R_FL
	pushq	in + R_CS
	pushq	in + R_IP
	movq	in + R_GPR, %rax
	movq	in + R_GPR + 8, %rcx
	movq	in + R_GPR + 16, %rdx
	movq	in + R_GPR + 24, %rbx
	movq	in + R_GPR + 40, %rbp
	movq	in + R_GPR + 48, %rsi
	movq	in + R_GPR + 56, %rdi
	movq	in + R_GPR + 64, %r8
	movq	in + R_GPR + 72, %r9
	movq	in + R_GPR + 80, %r10
	movq	in + R_GPR + 88, %r11
	movq	in + R_GPR + 96, %r12
	movq	in + R_GPR + 104, %r13
	movq	in + R_GPR + 112, %r14
	movq	in + R_GPR + 120, %r15
	iretq

	/* One entry per vector, 16 bytes each. */
	.balign	16
	.globl	stubs
stubs:
	.set	vec, 0
	.rept	256
	.balign	16
	pushq	$vec
	jmp	trapped
	.set	vec, vec + 1
	.endr

/* Nothing but the handler's stack may be relied on: absolute addresses. */
trapped:
	movq	%rax, out_regs + R_GPR
	movq	%rcx, out_regs + R_GPR + 8
	movq	%rdx, out_regs + R_GPR + 16
	movq	%rbx, out_regs + R_GPR + 24
	movq	%rbp, out_regs + R_GPR + 40
	movq	%rsi, out_regs + R_GPR + 48
	movq	%rdi, out_regs + R_GPR + 56
	movq	%r8, out_regs + R_GPR + 64
	movq	%r9, out_regs + R_GPR + 72
	movq	%r10, out_regs + R_GPR + 80
	movq	%r11, out_regs + R_GPR + 88
	movq	%r12, out_regs + R_GPR + 96
	movq	%r13, out_regs + R_GPR + 104
	movq	%r14, out_regs + R_GPR + 112
	movq	%r15, out_regs + R_GPR + 120
	movl	%ds, %eax
	movq	%rax, out_regs + R_DS
	movl	%es, %eax
	movq	%rax, out_regs + R_ES
	movl	%fs, %eax
	movq	%rax, out_regs + R_FS
	movl	%gs, %eax
	movq	%rax, out_regs + R_GS
	popq	%rax
	movq	%rax, trap_vec
	movq	%rsp, trap_sp
	popq	trap_raw
	popq	trap_raw + 8
	popq	trap_raw + 16
	popq	trap_raw + 24
	popq	trap_raw + 32
	popq	trap_raw + 40
	pushfq
	popq	trap_fl
	movl	%ss, %eax
	movq	%rax, trap_ss
	movl	%cs, %eax
	movq	%rax, trap_cs
	xorl	%eax, %eax
	str	%ax
	movq	%rax, trap_tr
	cld
	movl	$SEL_KDS, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	movq	mon_sp, %rsp
	pushq	$2			/* no NT, no IOPL, no AC left over */
	popfq
	pushq	$SEL_KCS
	pushq	$1f
	lretq
1:	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbp
	popq	%rbx
	ret

	.bss
	.balign	8
mon_sp:		.quad	0
	.globl	out_regs, trap_raw, trap_sp, trap_ss, trap_cs, trap_tr, trap_vec, trap_fl
out_regs:	.space	192
trap_raw:	.space	48
trap_sp:	.quad	0
trap_ss:	.quad	0
trap_cs:	.quad	0
trap_tr:	.quad	0
trap_vec:	.quad	0
trap_fl:	.quad	0

	.section .note.GNU-stack, "", @progbits
