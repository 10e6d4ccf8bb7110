/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What C and assembly agree on: offsets in struct ring1_ctx from its frame, which
 * is what RSP points at between a trap and the way back to C.  ring1.c checks each.
 */
#ifndef RVM_RING1_LAYOUT_H
#define RVM_RING1_LAYOUT_H

#define R1_GPR(n)	((n) * 8)	/* eight, in the encoding's order */
#define R1_VECTOR	64
#define R1_ERROR	72
#define R1_RIP		80
#define R1_CS		88
#define R1_RFLAGS	96
#define R1_RSP		104
#define R1_SS		112
#define R1_FRAME_SIZE	120		/* the CPU pushes below this: a multiple of 16 from the top */

#define R1_HOST_RSP	120
#define R1_HOST_CR3	128
#define R1_HOST_CR4	136
#define R1_HOST_CR0	144
#define R1_HOST_GS_BASE	152
#define R1_GUEST_CR3	160
#define R1_GUEST_CR4	168
#define R1_GUEST_CR0	176
#define R1_DS		184
#define R1_ES		188
#define R1_FS		192
#define R1_GS		196
#define R1_GUEST_LDT	200
#define R1_HOST_LDT	204
#define R1_GUEST_GDT	208
#define R1_HOST_GDT	224
#define R1_GUEST_IDT	240
#define R1_HOST_IDT	256
#define R1_RUN_GDT	272
#define R1_NMIS		288
#define R1_MCES		292
#define R1_ABORTED	296
#define R1_CR2		304
#define R1_VFLAGS	312
#define R1_WINDOW	316		/* an interrupt waits for IF */
#define R1_FLAT_SS	320
#define R1_STI_RIP	324
#define R1_TOP		328		/* the kernel's tree: top table, as we see it */
#define R1_PFN_MASK	336
#define R1_DIRECT_MAP	344
#define R1_TSC_OFFSET	352
#define R1_FAST_COUNT	360
#define R1_FLAT_CS	368

#define R1_MET_IN	372		/* NMIs and #MCs that met the switch: on its way in, */
#define R1_MET_BACK	376		/* on the fast path's way back, */
#define R1_MET_OUT	380		/* in the gates and on the way out */
#define R1_BRIDGE_GDT	384

#define R1_CRS		400		/* the guest's CR0, CR2, CR3, CR4 */
#define R1_TSC_AUX	432		/* bit 32: the guest has no RDTSCP */

#define R1_MITIGATE	440		/* R1_DO_*: mitigate.c */
#define R1_VERW		444		/* a selector to be verified */
#define R1_FAST		448		/* ring1_fast() may be asked */
#define R1_DO_RETURNS	1
#define R1_DO_VERW	2

/* From a view to the kinds of its instructions */
#define R1_KINDS	4096

/* What an instruction of a view is that traps (view.c): those the gate itself does */
#define R1_KIND_CLI	1
#define R1_KIND_STI	2
#define R1_KIND_PUSHF	3
#define R1_KIND_POPF	4
#define R1_KIND_RDTSC	5
#define R1_KIND_RDTSCP	6
#define R1_KIND_IRET	7
#define R1_KIND_SYSEXIT	8
#define R1_KIND_READ_CR	0x20		/* plus 8 times the place in R1_CRS, plus the register */
/* Loads of ES, DS, FS, GS, which are 0 to 3 here (fast.c) */
#define R1_KIND_MOV_SEG	0x40		/* plus 8 times which, plus the register */
#define R1_KIND_POP_SEG	0x60		/* plus twice which, plus 1 if it is two bytes long */
#define R1_KIND_STACK_SEG 0x68		/* plus which: MOV from ESP plus a displacement, */
#define R1_KIND_DISP	0x80		/* which is behind it: plus a quarter of that */

/* Flags that are virtual in ring 1: IF, IOPL, AC, and VIF and VIP, which POPF leaves
 * alone.  And those that POPF may change without a closer look. */
#define R1_VIRTUAL	0x1c3200
#define R1_POPF_KEEPS	0x180000
#define R1_POPF_EASY	0x243ed7
#define R1_IF		0x200
#define R1_TF		0x100
#define R1_IOPL		0x3000
#define R1_NT		0x4000
#define R1_RF		0x10000
#define R1_AC		0x40000

/* Where the frame begins in the context's page: its end is aligned to 16, as the
 * CPU aligns RSP0 (SDM vol. 3 §6.14.2), and below it a fault of the switch itself
 * has room. */
#define R1_FRAME	1928

/*
 * Our own descriptors, at the end of the GDT: the kernel's CS and SS as they are
 * cached, of DPL 1 and known to no guest; those of the gates and of the LDT have DPL
 * 0 and cannot be loaded.
 */
#define R1_GDT_LIMIT	0xffff
#define R1_SEL_KCS	0xffd1
#define R1_SEL_KSS	0xffd9
#define R1_SEL_CS	0xffe0
#define R1_SEL_LDT	0xfff0

/* Interrupt stacks of the TSS that Linux leaves free: it uses 1 to 5. */
#define R1_IST_MC	6
#define R1_IST_NMI	7

#define R1_GATE_SIZE	32
#define R1_INT_SIZE	16

#endif /* RVM_RING1_LAYOUT_H */
