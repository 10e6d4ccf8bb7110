/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Guest programs that print what the CPU did.
 *
 * A case is begin(), which names it and puts everything back to a known state;
 * whatever the case changes in "in", the tables or the control registers; then
 * run(), which starts the case's code with the registers of "in" and comes back
 * with the exception that ended it in "out"; and show(), which prints one line:
 * how it ended and what differs from "in".  The code that a case runs is
 * followed by UD2, so an invalid-opcode exception there is the normal end.
 */
#ifndef TRACE_H
#define TRACE_H

#include <stdbool.h>
#include <stdint.h>
#include "layout.h"

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef unsigned long long u64;
typedef unsigned long ul;

/*
 * Files that are in both images: NATIVE is the bits of their code, NAME(x) what
 * their cases are called, and REG(ax) the register of the full width.
 */
#ifdef __x86_64__
#define NR_GPRS	16
#define NATIVE	64
#define NAME(group) group "64"
#define REG(name) "%r" #name
#else
#define NR_GPRS	8
#define NATIVE	32
#define NAME(group) group
#define REG(name) "%e" #name
#endif

enum { AX, CX, DX, BX, SP, BP, SI, DI, R8, R9, R10, R11, R12, R13, R14, R15 };

struct regs {
	ul r[NR_GPRS];		/* numbered as in encodings */
	ul ip, fl;
	ul cs, ss, ds, es, fs, gs;
};

struct trap {
	u32 vec;
	bool has_err;
	u32 err;
	ul cr2;
	struct regs;
	ul hsp;			/* the handler's stack pointer as it was entered */
	u32 hss, hcs, hfl;
	u32 tr;
};

extern struct regs in;
extern struct trap out;
/* INT n in the case's code: vectors that push an error code as exceptions push none */
extern bool soft_vector;

/* Machine code of a case, position independent: CODE(name, 32, "asm"). */
struct code {
	const u8 *start, *end;
};

#define CODE(sym, bits, text)	CODE_AS(sym, bits, NATIVE, text)
#define CODE_AS(sym, bits, after, text)	CODE_IN(sym, bits, after, text)
#define CODE_IN(sym, bits, after, text)					\
	__asm__(".pushsection .rodata.code,\"a\",@progbits\n"		\
		"code_" #sym ":\n"					\
		".code" #bits "\n"					\
		text "\n"						\
		".code" #after "\n"					\
		"code_" #sym "_end:\n"					\
		".popsection\n");					\
	extern const u8 code_##sym[], code_##sym##_end[];		\
	static const struct code sym __attribute__((unused)) =		\
		{ code_##sym, code_##sym##_end }

void begin(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* false, and the case's line printed, where the CPU has not what it needs */
bool need(u32 features);
#define NEED_VME	(1u << 0)
#define NEED_PSE	(1u << 1)
#define NEED_PAE	(1u << 2)
#define NEED_NX		(1u << 3)
#define NEED_LONG	(1u << 4)
#define NEED_SMEP	(1u << 5)
#define NEED_SMAP	(1u << 6)
#define NEED_UMIP	(1u << 7)
#define NEED_LA57	(1u << 8)
#define NEED_PGE	(1u << 9)
#define NEED_DE		(1u << 10)
#define NEED_SEP	(1u << 11)
#define NEED_SYSCALL	(1u << 12)
#define NEED_SSE	(1u << 13)
#define NEED_FSGSBASE	(1u << 14)
#define NEED_PKU	(1u << 15)
#define NEED_1G		(1u << 16)
#define NEED_RDTSCP	(1u << 17)
#define NEED_AMD	(1u << 18)
#define NEED_INTEL	(1u << 19)
#define NEED_PCID	(1u << 20)
#define NEED_PSE36	(1u << 21)
#define NEED_TASKS	(1u << 22)	/* task switches: see PORT_GROUPS */
extern u32 features;

/* Puts code at a linear address, and UD2 behind it; returns the end */
ul put(ul at, struct code c);
ul put_bytes(ul at, const void *bytes, u32 n);
/* put() at M_CODE, or where a 16-bit real-mode case has it */
void code(struct code c);
void code_real(struct code c);
void code_bytes(const void *bytes, u32 n);
/* Runs in ring @ring in flat segments, or as V86 */
void ring(int ring);
/* The same in 32-bit code: long mode has it in compatibility mode */
void compat(int ring);
void v86(void);
/* 16-bit protected mode: code at SEL_C16, stack and data in SEL_D16 */
void pm16(int ring);

void run(void);
void run_real(void);
void show(void);
/* The parts of a line */
void line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void show_outcome(void);
void show_changes(void);
void end_line(void);
/* n stack words of @size bytes from the stack pointer at the end, upwards */
void show_stack(int n, int size);
/* The same; word number @flags holds flags: only those of flag_mask are shown */
void show_frame(int n, int size, int flags);

/* Flags shown (default: all but RF); fixed per case */
extern ul flag_mask;
/* Registers not shown, bit numbers as in struct regs.r */
extern u32 hide;

/* Descriptors */
u64 desc(u32 base, u32 limit, u32 access, u32 flags);
u64 gate(u32 sel, u32 off, u32 type, u32 dpl, u32 count);
void set_gdt(u32 sel, u64 d);
void set_ldt(u32 sel, u64 d);
u64 get_gdt(u32 sel);
void set_idt(u32 vec, u64 g);
/* A gate that ring @dpl may use, to a handler that reports vector 40 */
void open_gate(u32 vec, u32 dpl);
/* The case changes debug registers */
extern bool debug_used;
void set_efer(u64 v);
/* CR4 for the case; long mode's PAE comes with it */
void set_cr4(ul v);
/* Ring 0's stack for entries from outer rings */
void set_stack0(ul sp);
/* CR3 of the tasks there are */
void set_task_cr3(ul cr3);
#define ACC_CODE	0x9a	/* present, readable */
#define ACC_CODE_C	0x9e
#define ACC_DATA	0x92
#define ACC_DATA_ED	0x96
#define DPL(n)		((n) << 5)
#define FL_G		8u
#define FL_D		4u
#define FL_L		2u
#define NOT_PRESENT	0x80u	/* xor into the access byte */

struct tss {
	u16 link, r0;
	u32 esp0;
	u16 ss0, r1;
	u32 esp1;
	u16 ss1, r2;
	u32 esp2;
	u16 ss2, r3;
	u32 cr3, eip, eflags;
	u32 gpr[8];
	u16 es, r4, cs, r5, ss, r6, ds, r7, fs, r8, gs, r9, ldt, r10;
	u16 trap, iomap;
};

/* ---- the 64-bit image ---- */

struct tss64 {
	u32 r0;
	u64 rsp[3], r1, ist[7], r2;
	u16 r3, iomap;
} __attribute__((packed));

/* A descriptor of 16 bytes; a call gate; an entry of the IDT */
void set_wide(ul at, u64 low, u64 high);
void set_gate(u32 sel, u32 target, u64 off, u32 type, u32 dpl);
void set_idt64(u32 vec, u32 target, u64 off, u32 type, u32 dpl, u32 ist);
/* The case's memory is the user's even if ring 0 begins */
void user_memory(void);
/* Address of the handler that reports vector @vec */
u64 handler(u32 vec);
/* Bases of FS and GS as the case starts, and what SWAPGS finds */
void set_bases(u64 fs, u64 gs, u64 kernel_gs);
extern u64 in_fs_base, in_gs_base;
#define MSR_FS_BASE	0xc0000100u
#define MSR_GS_BASE	0xc0000101u
#define MSR_KERNEL_GS	0xc0000102u
/* The first address that is not canonical */
#define NONCANONICAL	(1ull << 47)

#define mem8(a)		(*(volatile u8 *)(ul)(a))
#define mem16(a)	(*(volatile u16 *)(ul)(a))
#define mem32(a)	(*(volatile u32 *)(ul)(a))
#define mem64(a)	(*(volatile u64 *)(ul)(a))
void *memset(void *p, int c, __SIZE_TYPE__ n);
void *memcpy(void *d, const void *s, __SIZE_TYPE__ n);

#define FL_CF	(1ul << 0)
#define FL_ZF	(1ul << 6)
#define FL_TF	(1ul << 8)
#define FL_IF	(1ul << 9)
#define FL_DF	(1ul << 10)
#define FL_OF	(1ul << 11)
#define FL_IOPL(n) ((ul)(n) << 12)
#define FL_NT	(1ul << 14)
#define FL_RF	(1ul << 16)
#define FL_VM	(1ul << 17)
#define FL_AC	(1ul << 18)
#define FL_VIF	(1ul << 19)
#define FL_VIP	(1ul << 20)
#define FL_ID	(1ul << 21)

#define CR0_PE	(1ul << 0)
#define CR0_MP	(1ul << 1)
#define CR0_EM	(1ul << 2)
#define CR0_TS	(1ul << 3)
#define CR0_ET	(1ul << 4)
#define CR0_NE	(1ul << 5)
#define CR0_WP	(1ul << 16)
#define CR0_AM	(1ul << 18)
#define CR0_NW	(1ul << 29)
#define CR0_CD	(1ul << 30)
#define CR0_PG	(1ul << 31)
#define CR4_VME	(1ul << 0)
#define CR4_PVI	(1ul << 1)
#define CR4_TSD	(1ul << 2)
#define CR4_DE	(1ul << 3)
#define CR4_PSE	(1ul << 4)
#define CR4_PAE	(1ul << 5)
#define CR4_PGE	(1ul << 7)
#define CR4_PCE	(1ul << 8)
#define CR4_OSFXSR (1ul << 9)
#define CR4_OSXMM (1ul << 10)
#define CR4_UMIP (1ul << 11)
#define CR4_LA57 (1ul << 12)
#define CR4_FSGSBASE (1ul << 16)
#define CR4_PCIDE (1ul << 17)
#define CR4_SMEP (1ul << 20)
#define CR4_SMAP (1ul << 21)
#define CR4_PKE	(1ul << 22)
#define MSR_SYSENTER_CS	0x174u
#define MSR_SYSENTER_ESP 0x175u
#define MSR_SYSENTER_EIP 0x176u
#define EFER	0xc0000080u
#define MSR_STAR	0xc0000081u
#define MSR_LSTAR	0xc0000082u
#define MSR_CSTAR	0xc0000083u
#define MSR_SFMASK	0xc0000084u
#define EFER_SCE (1u << 0)
#define EFER_LME (1u << 8)
#define EFER_LMA (1u << 10)
#define EFER_NX	(1u << 11)

static inline ul read_cr0(void)
{
	ul v;

	__asm__ volatile("mov %%cr0, %0" : "=r"(v));
	return v;
}

static inline void write_cr0(ul v)
{
	__asm__ volatile("mov %0, %%cr0" :: "r"(v) : "memory");
}

static inline ul read_cr2(void)
{
	ul v;

	__asm__ volatile("mov %%cr2, %0" : "=r"(v));
	return v;
}

static inline void write_cr2(ul v)
{
	__asm__ volatile("mov %0, %%cr2" :: "r"(v));
}

static inline ul read_cr3(void)
{
	ul v;

	__asm__ volatile("mov %%cr3, %0" : "=r"(v));
	return v;
}

static inline void write_cr3(ul v)
{
	__asm__ volatile("mov %0, %%cr3" :: "r"(v) : "memory");
}

static inline ul read_cr4(void)
{
	ul v;

	__asm__ volatile("mov %%cr4, %0" : "=r"(v));
	return v;
}

static inline void write_cr4(ul v)
{
	__asm__ volatile("mov %0, %%cr4" :: "r"(v) : "memory");
}

static inline ul read_dr6(void)
{
	ul v;

	__asm__ volatile("mov %%dr6, %0" : "=r"(v));
	return v;
}

static inline ul read_dr7(void)
{
	ul v;

	__asm__ volatile("mov %%dr7, %0" : "=r"(v));
	return v;
}

#define WRITE_DR(n, v)	__asm__ volatile("mov %0, %%dr" #n :: "r"((ul)(v)))

static inline u64 rdmsr(u32 msr)
{
	u32 lo, hi;

	__asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
	return lo | (u64)hi << 32;
}

static inline void wrmsr(u32 msr, u64 v)
{
	__asm__ volatile("wrmsr" :: "c"(msr), "a"((u32)v), "d"((u32)(v >> 32)));
}

static inline void cpuid(u32 leaf, u32 sub, u32 *r)
{
	__asm__ volatile("cpuid" : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3])
			 : "0"(leaf), "2"(sub));
}

static inline void outb(u16 port, u8 v)
{
	__asm__ volatile("outb %0, %1" :: "a"(v), "Nd"(port));
}

static inline u8 inb(u16 port)
{
	u8 v;

	__asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

/*
 * The groups of cases.  A runner may have some left out, by their place, with a 0 bit
 * in these two ports; where nothing answers all bits are set.  The last bit says that
 * tasks can be switched: not where QEMU's SVM does it without the intercept.
 */
#define PORT_GROUPS	0xea
#define GROUPS_TASKS	15
#define GROUP(run)							\
	do {								\
		if (group_wanted())					\
			run();						\
	} while (0)
bool group_wanted(void);
void rings(void);
void ints(void);
void tasks(void);
void segs(void);
void v86s(void);
void reals(void);
void paging(void);
void debug(void);
void control(void);
void smc(void);
void long_mode(void);
void rings64(void);
void ints64(void);
void paging64(void);
void syscalls(void);
void system64(void);

#endif /* TRACE_H */
