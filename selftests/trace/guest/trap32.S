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

	/* One entry per vector, 16 bytes each. */
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
	pushl	$2			/* VIF and VIP by IRET alone */
	pushl	$SEL_KCS
	pushl	$1f
	iretl
1:	popal
	ret

	.globl	double_fault
double_fault:				/* by task gate; the error code is on the stack */
	pushl	$8
	jmp	trapped

/*
 * Real mode.  The way there is a 16-bit segment at 0, so the code for it lies in
 * the first 64 KiB: real_start .. real_end is copied to M_RSTUBS.
 */
#define REAL(sym)	(M_RSTUBS + sym - real_start)
	.globl	enter_real
enter_real:
	pushal
	movl	%esp, mon_esp
	lidtl	real_idtr
	ljmpl	$SEL_RCS, $REAL(real_down)

	.globl	real_start, real_end, real_stubs
real_start:
	.code16
real_down:
	movw	$SEL_RDS, %ax		/* limits and attributes of real mode */
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %fs
	movw	%ax, %gs
	movw	%ax, %ss
	movl	%cr0, %eax
	andb	$0xfe, %al
	movl	%eax, %cr0
	ljmpw	$0, $REAL(1f)
1:	xorw	%ax, %ax
	movw	%ax, %ss
	movw	%ax, %ds
	movl	REAL(real_in + R_GPR + 16), %esp
	pushw	REAL(real_in + R_FL)
	pushw	REAL(real_in + R_CS)
	pushw	REAL(real_in + R_IP)
	movw	REAL(real_in + R_ES), %es
	movw	REAL(real_in + R_FS), %fs
	movw	REAL(real_in + R_GS), %gs
	movl	REAL(real_in + R_GPR), %eax
	movl	REAL(real_in + R_GPR + 4), %ecx
	movl	REAL(real_in + R_GPR + 8), %edx
	movl	REAL(real_in + R_GPR + 12), %ebx
	movl	REAL(real_in + R_GPR + 20), %ebp
	movl	REAL(real_in + R_GPR + 24), %esi
	movl	REAL(real_in + R_GPR + 28), %edi
	movw	REAL(real_in + R_DS), %ds
	iretw

/* The handler of every vector pushes its number; flags, CS, IP lie above it. */
real_trapped:
	movl	%eax, %cs:REAL(real_out + R_GPR)
	movl	%ecx, %cs:REAL(real_out + R_GPR + 4)
	movl	%edx, %cs:REAL(real_out + R_GPR + 8)
	movl	%ebx, %cs:REAL(real_out + R_GPR + 12)
	movl	%ebp, %cs:REAL(real_out + R_GPR + 20)
	movl	%esi, %cs:REAL(real_out + R_GPR + 24)
	movl	%edi, %cs:REAL(real_out + R_GPR + 28)
	movw	%ds, %cs:REAL(real_out + R_DS)
	movw	%es, %cs:REAL(real_out + R_ES)
	movw	%fs, %cs:REAL(real_out + R_FS)
	movw	%gs, %cs:REAL(real_out + R_GS)
	movw	%ss, %cs:REAL(real_out + R_SS)
	popw	%cs:REAL(real_vec)
	popw	%cs:REAL(real_out + R_IP)
	popw	%cs:REAL(real_out + R_CS)
	popw	%cs:REAL(real_out + R_FL)
	movl	%esp, %cs:REAL(real_out + R_GPR + 16)
	cld
	lgdtl	%cs:REAL(real_gdtr)
	movl	%cr0, %eax
	orb	$1, %al
	movl	%eax, %cr0
	ljmpl	$SEL_KCS, $real_back
real_gdtr:
	.word	0xfff
	.long	M_GDT
	.balign	4
	.globl	real_in, real_out, real_vec
real_in:	.space	64
real_out:	.space	64
real_vec:	.word	0
	.balign	8
real_stubs:
	.set	vec, 0
	.rept	256
	pushw	$vec
	.byte	0xe9			/* JMP rel16: 3 bytes, all stubs alike */
	.word	real_trapped - . - 2
	.balign	8
	.set	vec, vec + 1
	.endr
real_end:
	.code32
real_back:
	movl	$SEL_KDS, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %fs
	movl	%eax, %gs
	movl	%eax, %ss
	movl	mon_esp, %esp
	pushl	$2
	popfl
	popal
	ret

real_idtr:
	.word	0x3ff
	.long	0

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
