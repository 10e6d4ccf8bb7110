/* SPDX-License-Identifier: GPL-2.0 */
/* The 32-bit monitor's way into a case and back. */
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
	ljmpl	$SEL_KCS, $1f
	.code32
1:	movw	$SEL_KDS, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	movw	%ax, %fs
	movw	%ax, %gs
	movl	$M_ISTACK, %esp
	xorl	%eax, %eax
	movl	%eax, %cr4
	movl	$image_end, %edi
	movl	$end, %ecx
	subl	%edi, %ecx
	rep stosb
	call	main
2:	cli
	hlt
	jmp	2b

	.balign	8
boot_gdt:
	.quad	0, 0x00cf9b000000ffff, 0x00cf93000000ffff
boot_gdtr:
	.word	. - boot_gdt - 1
	.long	boot_gdt

	.text
/* struct regs */
#define R_GPR	0
#define R_IP	32
#define R_FL	36
#define R_CS	40
#define R_SS	44
#define R_DS	48
#define R_ES	52
#define R_FS	56
#define R_GS	60

	.globl	enter
enter:
	pushal
	movl	%esp, mon_esp
	testl	$1 << 17, in + R_FL
	jnz	2f
	testb	$3, in + R_CS
	jnz	1f
	/* the same ring: IRET takes no stack from the frame */
	movw	in + R_SS, %ss
	movl	in + R_GPR + 16, %esp
	jmp	3f
2:	pushl	in + R_GS
	pushl	in + R_FS
	pushl	in + R_DS
	pushl	in + R_ES
1:	pushl	in + R_SS
	pushl	in + R_GPR + 16
3:	pushl	in + R_FL
	pushl	in + R_CS
	pushl	in + R_IP
	movl	in + R_GPR, %eax
	movl	in + R_GPR + 4, %ecx
	movl	in + R_GPR + 8, %edx
	movl	in + R_GPR + 12, %ebx
	movl	in + R_GPR + 20, %ebp
	movl	in + R_GPR + 24, %esi
	movl	in + R_GPR + 28, %edi
	testl	$1 << 17, in + R_FL
	jnz	4f
	movw	in + R_ES, %es
	movw	in + R_FS, %fs
	movw	in + R_GS, %gs
	movw	in + R_DS, %ds
4:	iretl

	/* One stub per vector, 16 bytes each. */
	.balign	16
	.globl	stubs
stubs:
	.set	vec, 0
	.rept	256
	.balign	16
	pushl	$vec
	jmp	trapped
	.set	vec, vec + 1
	.endr

/* Everything on the present stack, which may be any, goes to trap_raw. */
trapped:
	pushfl
	pushal
	pushl	%ds
	pushl	%es
	pushl	%fs
	pushl	%gs
	cld
	movl	$SEL_KDS, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%ss, %edx
	movl	%esp, %esi
	larl	%edx, %eax
	testl	$1 << 22, %eax		/* a 16-bit stack */
	jnz	1f
	movzwl	%si, %esi
1:	movl	%esi, trap_sp
	movl	$trap_raw, %edi
	movl	$26, %ecx
2:	movl	%ss:(%esi), %eax
	stosl
	addl	$4, %esi
	loop	2b
	movl	%edx, trap_ss
	movl	%cs, %eax
	movl	%eax, trap_cs
	xorl	%eax, %eax
	str	%ax
	movl	%eax, trap_tr
	movl	$SEL_KDS, %eax
	movl	%eax, %ss
	movl	mon_esp, %esp
	pushl	$2			/* no NT, no IOPL, no AC left over */
	popfl
	popal
	ret

	.globl	double_fault
double_fault:				/* by task gate; the error code is on the stack */
	pushl	$8
	jmp	trapped

	.bss
	.balign	4
mon_esp:	.long	0
	.globl	trap_raw, trap_sp, trap_ss, trap_cs, trap_tr
trap_raw:	.space	26 * 4
trap_sp:	.long	0
trap_ss:	.long	0
trap_cs:	.long	0
trap_tr:	.long	0

	.section .note.GNU-stack, "", @progbits
