/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The world switch of ring1, and the gates that end it.
 *
 * While our IDT is loaded no interrupt handler of the host's may run: it would
 * look at CS & 3, CR3 and its GDT, and ours are there.  So on the way in the IDT
 * is switched first, on the way out last; between the two there are only NMIs and
 * machine checks, which are counted here and handed over by ring1.c.  While the IDT
 * changes the GDT is one with which either can be used (ring1_desc_load()).
 *
 * Traps out of the guest come in on the host's TSS, whose RSP0 ring1.c sets to the
 * top of the frame in struct ring1_ctx.  RSP then is the pointer to everything
 * (layout.h), and is good under either CR3: the guest's has the host's upper half.
 */
#include <linux/linkage.h>
#include <asm/asm.h>
#include <asm/ibt.h>
#include <asm/msr-index.h>
#include <asm/nospec-branch.h>
#include <asm/cpufeatures.h>
#include <asm/alternative.h>
#include <asm/segment.h>

#include "layout.h"
#include "../../compat/asm.h"

/*
 * The shadow entry for linear ECX, by the tables that the CPU itself uses: RSI, which is
 * at RDI, and in RDX the mask of an offset in its page.  They are good until interrupts
 * come on: whoever takes one away waits for this CPU.
 */
.macro RING1_WALK
	mov	R1_TOP(%rsp), %rsi
	mov	%ecx, %edx
	shr	$30, %edx
	mov	(%rsi, %rdx, 8), %rsi
	test	$1, %sil
	jz	ring1_leave
	and	R1_PFN_MASK(%rsp), %rsi
	add	R1_DIRECT_MAP(%rsp), %rsi
	mov	%ecx, %edx
	shr	$21, %edx
	and	$511, %edx
	lea	(%rsi, %rdx, 8), %rdi
	mov	(%rdi), %rsi
	mov	$0x1fffff, %edx
	test	$1, %sil
	jz	ring1_leave
	test	$0x80, %sil
	jnz	2f
	and	R1_PFN_MASK(%rsp), %rsi
	add	R1_DIRECT_MAP(%rsp), %rsi
	mov	%ecx, %edx
	shr	$12, %edx
	and	$511, %edx
	lea	(%rsi, %rdx, 8), %rdi
	mov	(%rdi), %rsi
	mov	$0xfff, %edx
	test	$1, %sil
	jz	ring1_leave
2:
.endm

.section .noinstr.text, "ax"

/* void ring1_switch(struct ring1_frame *frame); interrupts off, DR7 of no harm */
SYM_CODE_START(ring1_switch)
	RVM_HINT_NO_STACK
	ENDBR
	push	%rbp
	push	%rbx
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	mov	%rsp, R1_HOST_RSP(%rdi)

	/* The host's descriptors and ours: good for either IDT. */
	lgdt	R1_BRIDGE_GDT(%rdi)
	/* From here to ring1_entry_end an NMI takes the entry back. */
SYM_INNER_LABEL(ring1_entry_begin, SYM_L_LOCAL)
	lidt	R1_GUEST_IDT(%rdi)
	lgdt	R1_GUEST_GDT(%rdi)
	/* Also where the guest has none: the host's is not for it. */
	mov	R1_GUEST_LDT(%rdi), %eax
	or	R1_HOST_LDT(%rdi), %eax
	jz	1f
	lldt	R1_GUEST_LDT(%rdi)
1:
	/* SMEP and SMAP are the guest's: ring 1 is a supervisor (SDM vol. 3 §4.6). */
	mov	R1_GUEST_CR4(%rdi), %rax
	cmp	R1_HOST_CR4(%rdi), %rax
	je	2f
	mov	%rax, %cr4
2:
	mov	R1_GUEST_CR0(%rdi), %rax
	cmp	R1_HOST_CR0(%rdi), %rax
	je	3f
	mov	%rax, %cr0
3:
	mov	R1_GUEST_CR3(%rdi), %rax
	mov	%rax, %cr3

	/* GS base is the guest's from here on: no per-CPU access. */
	mov	R1_DS(%rdi), %ds
	mov	R1_ES(%rdi), %es
	mov	R1_FS(%rdi), %fs
	mov	R1_GS(%rdi), %gs
	/* The table that the guest runs with may lack what was just loaded. */
	lgdt	R1_RUN_GDT(%rdi)

	/* Whatever the selector is, the buffers are cleared (mitigate.c). */
	testl	$R1_DO_VERW, R1_MITIGATE(%rdi)
	jz	4f
	verw	R1_VERW(%rdi)
4:
	mov	%rdi, %rsp
	pop	%rax
	pop	%rcx
	pop	%rdx
	pop	%rbx
	add	$8, %rsp
	pop	%rbp
	pop	%rsi
SYM_INNER_LABEL(ring1_rdi_is_frame, SYM_L_LOCAL)
	pop	%rdi
	add	$16, %rsp		/* vector, error code */
SYM_INNER_LABEL(ring1_iret, SYM_L_LOCAL)
	iretq
SYM_INNER_LABEL(ring1_entry_end, SYM_L_LOCAL)

	/* A trap: the CPU pushed SS to RIP, it or the gate an error code, the gate
	 * the vector. */
SYM_INNER_LABEL(ring1_trap, SYM_L_LOCAL)
	RVM_HINT_NO_STACK
	testb	$3, R1_CS - R1_VECTOR(%rsp)
	jz	ring1_trap_here
	push	%rdi
	push	%rsi
	push	%rbp
	sub	$8, %rsp
	push	%rbx
	push	%rdx
	push	%rcx
	push	%rax

	/*
	 * RSP is the frame.  The fast path: what a view keeps from the kernel and is
	 * simple enough to be done here, under the guest's CR3, GDT and segments.  No
	 * call, no per-CPU access; whatever is not as expected takes the long way, with
	 * nothing changed.
	 */
	cmpl	$13, R1_VECTOR(%rsp)
	jne	ring1_fast_ud
	cmpl	$0, R1_FLAT_CS(%rsp)
	je	ring1_leave
	testb	$2, R1_CS(%rsp)
	jnz	ring1_to_fast
	mov	R1_RIP(%rsp), %ecx
	RING1_WALK
	/* Only a view can be executed; a user page is one. */
	test	$4, %sil
	jz	ring1_leave
	and	R1_PFN_MASK(%rsp), %rsi
	add	R1_DIRECT_MAP(%rsp), %rsi
	and	$0xfff, %ecx
	movzbl	R1_KINDS(%rsi, %rcx), %eax
	cmp	$R1_KIND_CLI, %eax
	je	ring1_cli
	cmp	$R1_KIND_STI, %eax
	je	ring1_sti
	cmp	$R1_KIND_PUSHF, %eax
	je	ring1_pushf
	cmp	$R1_KIND_POPF, %eax
	je	ring1_popf
	cmp	$R1_KIND_RDTSC, %eax
	je	ring1_rdtsc
	cmp	$R1_KIND_MOV_SEG, %eax
	jae	ring1_to_fast
	cmp	$R1_KIND_READ_CR, %eax
	jae	ring1_read_cr
	cmp	$R1_KIND_RDTSCP, %eax
	jne	ring1_to_fast

	mov	R1_TSC_AUX(%rsp), %rax
	bt	$32, %rax
	jc	ring1_leave
	mov	%eax, %eax
	mov	%rax, R1_GPR(1)(%rsp)
	incl	R1_RIP(%rsp)		/* one byte more than RDTSC */

SYM_INNER_LABEL(ring1_rdtsc, SYM_L_LOCAL)
	rdtsc
	shl	$32, %rdx
	mov	%eax, %eax
	or	%rdx, %rax
	add	R1_TSC_OFFSET(%rsp), %rax
	mov	%eax, R1_GPR(0)(%rsp)
	shr	$32, %rax
	mov	%eax, R1_GPR(2)(%rsp)
	addl	$2, R1_RIP(%rsp)
	jmp	ring1_resume

SYM_INNER_LABEL(ring1_read_cr, SYM_L_LOCAL)
	mov	%eax, %edx
	shr	$3, %edx
	and	$3, %edx
	and	$7, %eax
	mov	R1_CRS(%rsp, %rdx, 8), %ecx
	mov	%rcx, (%rsp, %rax, 8)
	addl	$3, R1_RIP(%rsp)
	jmp	ring1_resume

	/* SYSENTER where there is none in compatibility mode */
SYM_INNER_LABEL(ring1_fast_ud, SYM_L_LOCAL)
	cmpl	$6, R1_VECTOR(%rsp)
	jne	ring1_leave
	testb	$2, R1_CS(%rsp)
	jz	ring1_leave
	cmpl	$0, R1_FLAT_CS(%rsp)
	je	ring1_leave
	/* Not a call: those may count in per-CPU memory.  It ends in ring1_go or ring1_leave. */
SYM_INNER_LABEL(ring1_to_fast, SYM_L_LOCAL)
	cmpl	$0, R1_FAST(%rsp)
	je	ring1_leave
	mov	%rsp, %rdi
	jmp	ring1_fast

SYM_INNER_LABEL(ring1_cli, SYM_L_LOCAL)
	andl	$~R1_IF, R1_VFLAGS(%rsp)
	incl	R1_RIP(%rsp)
	jmp	ring1_resume

SYM_INNER_LABEL(ring1_sti, SYM_L_LOCAL)
	testl	$R1_IF, R1_VFLAGS(%rsp)
	jnz	1f
	cmpl	$0, R1_WINDOW(%rsp)
	jne	ring1_leave
	orl	$R1_IF, R1_VFLAGS(%rsp)
	/* Its shadow: should the guest be left before the next instruction */
	mov	R1_RIP(%rsp), %eax
	inc	%eax
	mov	%eax, R1_STI_RIP(%rsp)
1:
	incl	R1_RIP(%rsp)
	jmp	ring1_resume

/*
 * The stack slot at linear ECX: its place in the direct map into RDI.  Uses RAX, RDX, RSI.
 */
.macro RING1_STACK_SLOT write
	cmpl	$0, R1_FLAT_SS(%rsp)
	je	ring1_leave
	mov	%ecx, %edx
	and	$0xfff, %edx
	cmp	$0xffc, %edx
	ja	ring1_leave
	RING1_WALK
	/* a view */
	test	$4, %sil
	jnz	ring1_leave
	.if \write
	/* D as the CPU sets it: only in an entry that is still there. */
	test	$2, %sil
	jz	ring1_leave
	test	$0x40, %sil
	jnz	3f
	mov	%rsi, %rax
	or	$0x40, %rsi
	lock cmpxchg %rsi, (%rdi)
	jne	ring1_leave
3:
	.endif
	and	R1_PFN_MASK(%rsp), %rsi
	not	%rdx
	and	%rdx, %rsi
	not	%rdx
	and	%ecx, %edx
	lea	(%rsi, %rdx), %rdi
	add	R1_DIRECT_MAP(%rsp), %rdi
.endm

SYM_INNER_LABEL(ring1_pushf, SYM_L_LOCAL)
	mov	R1_RSP(%rsp), %ecx
	sub	$4, %ecx
	RING1_STACK_SLOT 1
	/* without VM and RF (SDM vol. 2, PUSHF) */
	mov	R1_RFLAGS(%rsp), %eax
	and	$~(R1_VIRTUAL | 0x30000), %eax
	or	R1_VFLAGS(%rsp), %eax
	mov	%eax, (%rdi)
	mov	%ecx, R1_RSP(%rsp)
	incl	R1_RIP(%rsp)
	jmp	ring1_resume

SYM_INNER_LABEL(ring1_popf, SYM_L_LOCAL)
	mov	R1_RSP(%rsp), %ecx
	RING1_STACK_SLOT 0
	mov	(%rdi), %eax
	test	$~R1_POPF_EASY, %eax
	jnz	ring1_leave
	/* With AC the tables change (shadow_base_role()). */
	mov	%eax, %edx
	xor	R1_VFLAGS(%rsp), %edx
	test	$R1_AC, %edx
	jnz	ring1_leave
	test	$R1_IF, %eax
	jz	1f
	cmpl	$0, R1_WINDOW(%rsp)
	jne	ring1_leave
1:
	mov	%eax, %edx
	and	$R1_VIRTUAL, %eax
	andl	$R1_POPF_KEEPS, R1_VFLAGS(%rsp)
	or	%eax, R1_VFLAGS(%rsp)
	and	$~R1_VIRTUAL, %edx
	or	$(R1_IF | 2), %edx
	mov	%edx, R1_RFLAGS(%rsp)
	addl	$4, R1_RSP(%rsp)
	incl	R1_RIP(%rsp)

SYM_INNER_LABEL(ring1_resume, SYM_L_LOCAL)
	incl	R1_FAST_COUNT(%rsp)
	/* The trap set it; the instruction is over (SDM vol. 3 §17.3.1.1). */
	andl	$~R1_RF, R1_RFLAGS(%rsp)
SYM_INNER_LABEL(ring1_go, SYM_L_GLOBAL)
	RVM_HINT_NO_STACK
	/* An NMI or #MC from here on ends in ring1_leave; before, it was counted.  The
	 * label stands before the look at the counts, or one that comes right after it
	 * would wait for whatever ends the guest's run next. */
SYM_INNER_LABEL(ring1_resume_begin, SYM_L_LOCAL)
	mov	R1_NMIS(%rsp), %eax
	or	R1_MCES(%rsp), %eax
	jnz	3f
	pop	%rax
	pop	%rcx
	pop	%rdx
	pop	%rbx
	add	$8, %rsp
	pop	%rbp
	pop	%rsi
	pop	%rdi
	add	$16, %rsp
SYM_INNER_LABEL(ring1_resume_iret, SYM_L_LOCAL)
	iretq
SYM_INNER_LABEL(ring1_resume_end, SYM_L_LOCAL)
3:
	movq	$2, R1_VECTOR(%rsp)

SYM_INNER_LABEL(ring1_leave, SYM_L_GLOBAL)
	RVM_HINT_NO_STACK
	/* No flag of the guest's may stay: DF, and AC, which switches SMAP off. */
	pushq	$2
	popfq
	mov	%ds, R1_DS(%rsp)
	mov	%es, R1_ES(%rsp)
	mov	%fs, R1_FS(%rsp)
	mov	%gs, R1_GS(%rsp)
	mov	%cr2, %rax
	mov	%rax, R1_CR2(%rsp)

SYM_INNER_LABEL(ring1_restore, SYM_L_LOCAL)
	RVM_HINT_NO_STACK
	mov	R1_HOST_CR3(%rsp), %rax
	mov	%rax, %cr3
	mov	R1_HOST_CR4(%rsp), %rax
	cmp	R1_GUEST_CR4(%rsp), %rax
	je	1f
	mov	%rax, %cr4
1:
	mov	R1_HOST_CR0(%rsp), %rax
	cmp	R1_GUEST_CR0(%rsp), %rax
	je	2f
	mov	%rax, %cr0
2:
	lgdt	R1_BRIDGE_GDT(%rsp)
	/* DS, ES, FS, GS mean nothing to the kernel but for the base of GS;
	 * ring1_put() puts the selectors back. */
	mov	$MSR_GS_BASE, %ecx
	mov	R1_HOST_GS_BASE(%rsp), %eax
	mov	R1_HOST_GS_BASE + 4(%rsp), %edx
	wrmsr
	mov	%rsp, %rdi
	mov	R1_HOST_RSP(%rdi), %rsp
	/* CS is still ours, and no selector of the host's own GDT. */
	pushq	$__KERNEL_CS
	lea	4f(%rip), %rax
	push	%rax
	lretq
4:
	RVM_HINT_NO_STACK
	ANNOTATE_NOENDBR
	mov	$__KERNEL_DS, %eax
	mov	%eax, %ss
	/* QEMU's TCG adds the base of a DS that a prefix names, in 64-bit code too, and
	 * with one CPU Linux has that prefix in place of LOCK. */
	mov	%eax, %ds
	lidt	R1_HOST_IDT(%rdi)
	lgdt	R1_HOST_GDT(%rdi)
	/* After LGDT: the selector is one of the host's table. */
	mov	R1_GUEST_LDT(%rdi), %eax
	or	R1_HOST_LDT(%rdi), %eax
	jz	5f
	lldt	R1_HOST_LDT(%rdi)
5:
	/* Returns that the guest trained must not be used, nor this be passed over by a
	 * branch that it trained. */
	testl	$R1_DO_RETURNS, R1_MITIGATE(%rdi)
	jz	6f
	FILL_RETURN_BUFFER %rax, RSB_CLEAR_LOOPS, X86_FEATURE_ALWAYS
	jmp	7f
6:
	lfence
7:
	UNTRAIN_RET

	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbx
	pop	%rbp
	UNWIND_HINT_FUNC
	RET

	/*
	 * A fault in the switch itself.  Loading the guest's segments and IRETQ are
	 * all that could have one; ring1.c lets nothing through that does, so this
	 * is the second line of defence.  The entry is taken back.
	 */
SYM_INNER_LABEL(ring1_trap_here, SYM_L_LOCAL)
	RVM_HINT_NO_STACK
	/* #DB that MOV SS carried over our gate (CVE-2018-8897): nothing is lost. */
	cmpq	$1, (%rsp)
	je	6f
	push	%rax
	lea	ring1_resume_iret(%rip), %rax
	cmp	%rax, R1_RIP - R1_VECTOR + 8(%rsp)
	je	4f
	lea	ring1_iret(%rip), %rax
	cmp	%rax, R1_RIP - R1_VECTOR + 8(%rsp)
	je	4f
	lea	ring1_entry_begin(%rip), %rax
	cmp	%rax, R1_RIP - R1_VECTOR + 8(%rsp)
	jb	3f
	lea	ring1_entry_end(%rip), %rax
	cmp	%rax, R1_RIP - R1_VECTOR + 8(%rsp)
	jb	5f
3:
	/* In the gates the stack is the context's page. */
	mov	%rsp, %rdi
	and	$-4096, %rdi
	add	$R1_FRAME, %rdi
	jmp	5f
4:
	mov	R1_RSP - R1_VECTOR + 8(%rsp), %rdi
	sub	$R1_RIP, %rdi
5:
	mov	8(%rsp), %rax
	mov	%rdi, %rsp
	mov	%rax, R1_ABORTED(%rsp)
	jmp	ring1_restore
6:
	add	$16, %rsp
	iretq
SYM_CODE_END(ring1_switch)

/*
 * NMI and #MC have a stack of their own each, whose end holds the frame's address:
 * 40 bytes above what the CPU pushed.
 *
 * Out of the guest: no IRET before the host has had it, so that no second one
 * comes in between.  In the way in: likewise.  In the way out, which cannot be
 * left: the IRET here lets the next one come, and both are counted.
 *
 * In the way out SS is null, as a trap out of the guest leaves it (SDM vol. 3
 * §6.14.2), or still the host's if the entry failed (ring1_trap_here), which IRET
 * would not find in the guest's table.  It gets null back in our CS; the host's own
 * comes with the host's.
 */
.macro RING1_IST_GATE name, vector, counter
SYM_CODE_START(\name)
	RVM_HINT_NO_STACK
	ENDBR
	push	%rax
	testb	$3, 16(%rsp)
	jnz	2f
	lea	ring1_entry_begin(%rip), %rax
	cmp	%rax, 8(%rsp)
	jb	1f
	lea	ring1_entry_end(%rip), %rax
	cmp	%rax, 8(%rsp)
	jae	3f
	mov	48(%rsp), %rsp
	incl	\counter(%rsp)
	incl	R1_MET_IN(%rsp)
	movq	$\vector, R1_ABORTED(%rsp)
	jmp	ring1_restore
3:
	/* On the fast path's way back the frame is whole. */
	lea	ring1_resume_begin(%rip), %rax
	cmp	%rax, 8(%rsp)
	jb	1f
	lea	ring1_resume_end(%rip), %rax
	cmp	%rax, 8(%rsp)
	jae	1f
	mov	48(%rsp), %rsp
	incl	\counter(%rsp)
	incl	R1_MET_BACK(%rsp)
	movq	$\vector, R1_VECTOR(%rsp)
	jmp	ring1_leave
1:
	mov	48(%rsp), %rax
	incl	\counter(%rax)
	incl	R1_MET_OUT(%rax)
	pop	%rax
	cmpl	$R1_SEL_CS, 8(%rsp)
	jne	4f
	movl	$0, 32(%rsp)
4:
	iretq
2:
	push	%rbx
	mov	56(%rsp), %rbx
	incl	\counter(%rbx)
	mov	%rcx, R1_GPR(1)(%rbx)
	mov	%rdx, R1_GPR(2)(%rbx)
	mov	%rbp, R1_GPR(5)(%rbx)
	mov	%rsi, R1_GPR(6)(%rbx)
	mov	%rdi, R1_GPR(7)(%rbx)
	pop	R1_GPR(3)(%rbx)
	pop	R1_GPR(0)(%rbx)
	pop	R1_RIP(%rbx)
	pop	R1_CS(%rbx)
	pop	R1_RFLAGS(%rbx)
	pop	R1_RSP(%rbx)
	pop	R1_SS(%rbx)
	movq	$\vector, R1_VECTOR(%rbx)
	mov	%rbx, %rsp
	jmp	ring1_leave
SYM_CODE_END(\name)
.endm

RING1_IST_GATE ring1_gate_nmi, 2, R1_NMIS
RING1_IST_GATE ring1_gate_mc, 18, R1_MCES

/* One for each vector, R1_GATE_SIZE bytes apart.  Only a hardware event gets here:
 * DPL is 0, so INT n of the guest's is #GP. */
	.balign R1_GATE_SIZE
SYM_CODE_START(ring1_gates)
vector = 0
.rept 256
	.balign R1_GATE_SIZE
	RVM_HINT_NO_STACK
	ENDBR
	/* 8, 10 to 14, 17, 21, 29, 30 come with an error code (SDM vol. 3 table 6-1) */
	.if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || \
	      vector == 21 || vector == 29 || vector == 30)
	push	$0
	.endif
	.byte	0x68			/* PUSH imm32: vectors above 127 unsigned */
	.long	vector
	jmp	ring1_trap
vector = vector + 1
.endr
SYM_CODE_END(ring1_gates)

/* void ring1_host_gate(u32 vector): the host's own gate, as if the interrupt came
 * now.  One entry a vector, for INT has no operand but an immediate one. */
	.balign R1_INT_SIZE
SYM_CODE_START(ring1_ints)
vector = 0
.rept 256
	.balign R1_INT_SIZE
	UNWIND_HINT_FUNC
	ENDBR
	.byte	0xcd, vector
	RET
vector = vector + 1
.endr
SYM_CODE_END(ring1_ints)
