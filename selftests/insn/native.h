/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Execution compared with the real CPU in user mode: what the generator
 * (native_gen.c) and the harness (native.c) share.
 */
#ifndef RVM_TEST_NATIVE_H
#define RVM_TEST_NATIVE_H

#include "rows.h"
#include "world.h"

/*
 * The address space of a case.  Code pages are filled with INT3 but for the
 * instructions; behind the first two is nothing, behind the third a page
 * without the right to execute.  The data ends in a read-only page.
 */
#define CODE		0x10000000ull
#define CODE_LEN	0x2000
#define CODE_B		(CODE + 0x3000)
#define CODE_B_LEN	0x1000
#define NOEXEC		(CODE + 0x4000)
#define NOEXEC_LEN	0x1000
#define DATA		0x20000000ull
#define DATA_LEN	0x3000
#define RW_LEN		0x2000
#define FILL		0xcc
/* where the interpreter finds the descriptor tables */
#define GDT_AT		0xffff9a5c13570000ull
#define LDT_AT		0xffff9a5c13571000ull
#define IDT_AT		0xffff9a5c13572000ull

enum { R_CODE, R_CODE_B, R_NOEXEC, R_DATA, R_DATA_RO, NR_NATIVE_REGIONS };

/* LDT entries, and the flat segments of the kernel's GDT */
enum { L_CODE16, L_CODE32, L_DATA16, L_DATA32, L_DOWN32, L_RO, L_DOWN16, L_CODE16L, L_CODE32L,
       L_XONLY, L_PAGES, L_NOT_PRESENT, L_CONFORMING, NR_LDT };
#define LDT(n)		((n) * 8 + 7)
#define USER32_CS	0x23
#define USER_DS		0x2b
#define USER_CS		0x33

struct ldt_entry {
	u32 base, limit, attr;
};

#define MAX_SEQ		8

/**
 * struct tcase - one case
 * @key: what everything below was drawn from
 * @mode: RVM_DEC_16, _32, _64 of the first instruction
 * @seq: instructions wanted, @nr: generated
 * @steps: traps by TF until the end, 0 to run freely to an INT3 or a fault
 * @bytes, @len: the code, at @at in the code pages
 * @d: the first instruction
 * @fs_base, @gs_base: in 64-bit code
 */
struct tcase {
	u64 key;
	u32 mode, seq, nr, steps;
	u8 bytes[MAX_SEQ * RVM_INSN_MAX];
	u32 len;
	u64 at;
	struct rvm_decoded d;
	bool undefined;			/* the first decodes to #UD or is too long */
	u64 gpr[16];
	u64 rflags;
	u64 rip;
	u64 fs_base, gs_base;
	u16 cs, ss, ds, es, fs, gs;
};

/**
 * struct outcome - how a case ended
 * @fault: vector; #BP is the INT3 behind the code, #DB the last step
 * @unknown: flags that some instruction left undefined
 * @wild: general registers whose value is not compared (bit by number)
 * @last: the instruction that ended it
 */
struct outcome {
	int fault;
	u32 error;
	u64 cr2;
	u64 gpr[16];
	u64 rflags;
	u64 rip;
	u64 fs_base, gs_base;
	u64 unknown;
	u32 wild;
	u32 traps;
	struct rvm_decoded last;
	u16 cs, ss, ds, es, fs, gs;
};

extern struct world w;
extern struct ldt_entry ldt[NR_LDT];
extern bool have_sysenter;

/* Writes into the code or data pages before the case begins, on both sides. */
void plant(u64 gla, const void *val, u32 len);

/* The state of @t into the interpreter. */
void load_cpu(const struct tcase *t);

void seg_of(struct rvm_seg *s, u16 sel);

/* May this instruction run natively and mean the same there? */
bool excluded(const struct rvm_decoded *d);

/*
 * gen_case() draws all of a case but its later instructions; false where the
 * draw has no meaning.  gen_next() draws one more at the interpreter's present
 * state and returns its length, 0 for none.
 */
bool gen_case(struct tcase *t, u64 key, int only_mode, int only_row);
u32 gen_next(struct tcase *t, u8 *bytes);

#endif /* RVM_TEST_NATIVE_H */
