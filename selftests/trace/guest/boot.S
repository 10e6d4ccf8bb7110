/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Boot sector: loads the image that follows it on the disk to IMAGE and starts
 * it in real mode, as the runner for KVM devices does without a BIOS.
 */
	.code16
	.globl	_start
_start:
	cli
	xorw	%ax, %ax
	movw	%ax, %ds
	movw	%ax, %ss
	movw	$0x7c00, %sp
	sti
1:	movw	$packet, %si
	movb	$0x42, %ah		/* read by LBA; DL is the boot disk */
	int	$0x13
	jc	9f
	addw	$0x400, packet_seg	/* 32 sectors are 16 KiB */
	addl	$32, packet_lba
	subw	$1, left
	jnz	1b
	cli
	ljmp	$0x1000, $0
9:	hlt
	jmp	9b

	.balign	4
left:	.word	(SECTORS + 31) / 32
packet:	.byte	16, 0
	.word	32, 0
packet_seg:
	.word	0x1000
packet_lba:
	.quad	1

	.org	0x1fe
	.word	0xaa55

	.section .note.GNU-stack, "", @progbits
