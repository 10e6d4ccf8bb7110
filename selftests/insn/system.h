/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A machine for tests of the system instructions: descriptor tables, tasks and
 * stacks in 80 KiB of memory, page faults beyond it, and a CPU at a known
 * place of it.  Each case says what the manuals say follows.
 */
#ifndef RVM_TEST_SYSTEM_H
#define RVM_TEST_SYSTEM_H

#include "world.h"

/* Where things are; all linear addresses. */
#define GDT	0x1000u
#define LDT	0x2000u
#define IDT	0x3000u
#define TSS	0x4000u		/* the present one, 32-bit, or the 64-bit one */
#define TSSB	0x4800u		/* another, 32-bit */
#define TSSC	0x5000u		/* another, 16-bit */
#define CODE	0x8000u		/* here the instruction is */
#define TARGET	0x9000u		/* here a transfer leads */
#define STACK0	0xb000u		/* tops of stacks */
#define STACK1	0xc000u
#define STACK2	0xd000u
#define STACK3	0xe000u
#define DATA	0xf000u
#define ROPAGE	0x12000u	/* read-only */
#define RAM	0x14000u	/* end of memory */

/* Selectors, RPL 0 */
#define S_CODE(ring)	(0x08 + (ring) * 0x10)	/* 08 18 28 38 */
#define S_DATA(ring)	(0x10 + (ring) * 0x10)	/* 10 20 30 40 */
#define S_TSS		0x50	/* two entries, for the 64-bit one */
#define S_LDT		0x60	/* two entries */
#define S_TSSB		0x70
#define S_TSSC		0x78
#define S_CONF		0x80	/* conforming code, DPL 0 */
#define S_CODE16	0x88	/* DPL 0 */
#define S_DATA16	0x90	/* DPL 0, 16-bit stack */
#define S_CODE64	0x98	/* DPL 0, L */
#define S_CODE64U	0xa0	/* DPL 3, L */
#define S_TEST		0xb0	/* for the case; two entries */
#define S_TEST2		0xc0
#define S_TEST3		0xd0
#define GDT_END		0xe0

/* Attribute words as in struct rvm_seg */
#define A_CODE		0x9b
#define A_DATA		0x93
#define A_DPL(n)	((n) << 5)
#define A_32		(RVM_SEG_DB | RVM_SEG_G)

extern struct world w;
extern struct rvm_cpu *const cpu;
extern u8 ram[RAM];

/* ---- building ---- */

void put(u32 at, u64 val, u32 size);
u64 get(u32 at, u32 size);
/* @limit in bytes; with RVM_SEG_G it is stored in pages */
void set_desc(u16 sel, u32 base, u32 limit, u32 attr);
void set_gate(u32 at, u16 sel, u64 off, u32 type_dpl_p, u32 params);
void set_gate64(u32 at, u16 sel, u64 off, u32 type_dpl_p, u32 ist);
void set_idt(u8 vector, u16 sel, u64 off, u32 type_dpl_p);
void load_seg(u32 seg, u16 sel);
u32 desc_attr(u16 sel);

/* A fresh machine: 32-bit protected mode, ring @cpl; 64-bit mode; V86; real mode */
void machine32(u32 cpl);
void machine64(u32 cpl);
void machine_v86(u32 iopl, u64 cr4);
void machine_real(void);
void code(const char *hex);		/* the instruction, at CS:RIP */

/* ---- running and judging ---- */

/* The instruction; INT n and kin are delivered.  Also rvm_insn_deliver(). */
int run(void);
int deliver(u8 vector, bool has_error, u32 error, bool external);

void name(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void want_fault(int vector, s64 error);	/* error -1: none.  State unchanged. */
void want_ok(void);
void want(const char *what, u64 got, u64 expected);
void fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
extern u64 checks, failures;
extern int last_rc;

#define TEST(n)	{ #n, n }
struct test {
	const char *name;
	void (*fn)(void);
};

extern const struct test directed_tests[], model_tests[];

#endif /* RVM_TEST_SYSTEM_H */
