/* SPDX-License-Identifier: GPL-2.0 */
/* The ways into the program and into the kernel. */

	.text
	.globl	_start
_start:
	xor	%ebp, %ebp
	mov	%esp, %eax
	and	$~15, %esp
	sub	$12, %esp
	push	%eax
	call	start
	hlt

	.data
	.globl	kernel_entry, int80
kernel_entry:
	.long	enter_int80
int80:
	.long	enter_int80

	.text
enter_int80:
	int	$0x80
	ret

/* int sys(int nr, ...) */
	.globl	sys
sys:
	push	%ebx
	push	%esi
	push	%edi
	push	%ebp
	mov	20(%esp), %eax
	mov	24(%esp), %ebx
	mov	28(%esp), %ecx
	mov	32(%esp), %edx
	mov	36(%esp), %esi
	mov	40(%esp), %edi
	mov	44(%esp), %ebp
	call	*kernel_entry
	pop	%ebp
	pop	%edi
	pop	%esi
	pop	%ebx
	ret

/* int thread_start(fn, arg, stack_top, flags, tls, tid) */
	.globl	thread_start
thread_start:
	push	%ebx
	push	%esi
	push	%edi
	mov	24(%esp), %ecx
	sub	$16, %ecx
	mov	16(%esp), %eax		/* what the thread finds on its stack */
	mov	%eax, (%ecx)
	mov	20(%esp), %eax
	mov	%eax, 4(%ecx)
	mov	28(%esp), %ebx
	mov	32(%esp), %esi
	mov	36(%esp), %edx
	mov	36(%esp), %edi
	mov	$120, %eax		/* clone */
	int	$0x80
	test	%eax, %eax
	jz	1f
	pop	%edi
	pop	%esi
	pop	%ebx
	ret
1:
	pop	%eax
	call	*%eax
	xor	%ebx, %ebx
	mov	$1, %eax		/* exit */
	int	$0x80
	hlt

	.section .note.GNU-stack, "", @progbits
