/* SPDX-License-Identifier: GPL-2.0 */
/*
 * insn/: decoder and interpreter for 16-, 32- and 64-bit x86 code.
 *
 * The room has no kernel dependency and reaches the outside through
 * struct rvm_insn_ops alone; it also builds in userspace, where its tests
 * live (selftests/insn/).
 *
 * An instruction is a transaction.  A callback that cannot finish now (a
 * device in userspace has to answer) returns RVM_INSN_EXIT; the interpreter
 * then returns with struct rvm_cpu as it was before the instruction (before
 * this iteration, for a REP string instruction), and the caller runs the same
 * instruction again later.  On that second run the callbacks answer every
 * access that they completed before from a log, in order (../replay.c), so an
 * instruction must make the same accesses in the same order each time.
 * Memory writes come after everything that can fault, where the manuals'
 * order allows it; registers, flags and RIP change last.
 */
#ifndef RVM_INSN_H
#define RVM_INSN_H

#include "../cpu/state.h"
#include "feature.h"

/* What a step, and every callback, returns. */
enum rvm_insn_result {
	RVM_INSN_OK = 0,	/* done; RIP is past the instruction */
	RVM_INSN_FAULT,		/* rvm_insn.fault says which exception; state unchanged */
	RVM_INSN_EXIT,		/* userspace must act first; state unchanged */
	RVM_INSN_HALT,		/* HLT executed; RIP is past it */
	RVM_INSN_UNHANDLED,	/* cannot emulate: rvm_insn.reason; state unchanged */
	RVM_INSN_RETRY,		/* a bounded slice ended (REP): run it again; state is consistent */
};

/* Access flags for the memory callbacks. */
#define RVM_ACC_READ		(1u << 0)
#define RVM_ACC_WRITE		(1u << 1)
#define RVM_ACC_FETCH		(1u << 2)
#define RVM_ACC_IMPLICIT	(1u << 3)	/* supervisor whatever CPL is: descriptor tables, TSS */
#define RVM_ACC_LOCKED		(1u << 4)	/* part of an atomic read-modify-write */
#define RVM_ACC_STACK		(1u << 5)	/* stack access: segment faults are #SS */

/* Longest instruction (SDM vol. 2 §2.3.11), and its bytes as kept for the caller. */
#define RVM_INSN_MAX		15

/* Most bytes of one pio_in or pio_out call */
#define RVM_INSN_BUF		1024

/* What ends rvm_insn_run() before its budget does. */
enum rvm_insn_watch {
	RVM_WATCH_NONE,
	RVM_WATCH_IRQ,		/* the guest can take an interrupt: IF set and no shadow */
	RVM_WATCH_ALL,		/* every instruction */
};

struct rvm_insn;

/* Most bytes of code in a job, and the memory operand's buffer: an XSAVE area. */
#define RVM_FPU_CODE		23
#define RVM_FPU_KEY		3
#define RVM_FPU_AREA		4096

/**
 * struct rvm_fpu_job - an instruction for the host's floating-point unit
 * @code: position-independent; its memory operand, if any, is at [RSI]; what
 *   may fault is the first instruction; the rest is zero
 * @key: the same bytes, to compare
 * @rax, @rcx, @rdx: registers before and after; the others are not to be used
 * @rflags: after
 * @mem: for RSI: RVM_FPU_AREA bytes, 64-byte aligned
 * @len: bytes in @code
 */
struct rvm_fpu_job {
	union {
		u8 code[8 * RVM_FPU_KEY];
		u64 key[RVM_FPU_KEY];
	};
	u64 rax, rcx, rdx;
	u64 rflags;
	u8 *mem;
	u8 len;
};

/* An XSAVE component of the host's unit, as CPUID leaf 0Dh has it. */
struct rvm_xcomp {
	u32 size, offset;	/* offset: in the standard format */
	bool align;		/* to 64 bytes in the compacted format */
};

#define RVM_NR_XCOMP		16	/* more do not fit into RVM_FPU_AREA */

/**
 * struct rvm_x87 - what the interpreter knows of the guest's x87 unit
 * @fip, @fdp, @fop, @fcs, @fds: the last instruction's and operand's address
 *   (SDM vol. 1 §8.1.8), while @soft.  The unit itself then holds the addresses
 *   at which the interpreter had the instruction executed: no guest may see them.
 * @soft: the pointers are here; else they are in the unit
 * @fsw: the status word, while @fsw_known
 */
struct rvm_x87 {
	u64 fip, fdp;
	u16 fop, fcs, fds;
	u16 fsw;
	bool soft, fsw_known;
};

/**
 * struct rvm_insn_ops - the interpreter's only way out
 *
 * Addresses are guest-linear, already checked against segment limits and
 * canonical form by the interpreter.  An access may cross a page: the callee
 * translates both pages before it changes either.  On RVM_INSN_FAULT the
 * callee has filled insn->fault.
 *
 * Register-state callbacks exist for what has side effects outside struct
 * rvm_cpu; plain reads of CRs, DRs, segments and GPRs go to insn->cpu.
 */
struct rvm_insn_ops {
	/* up to 64 bytes */
	int (*read)(struct rvm_insn *insn, u64 gla, void *buf, u32 len, u32 acc);
	int (*write)(struct rvm_insn *insn, u64 gla, const void *buf, u32 len, u32 acc);
	/* Translate for writing without access: faults now, so that a later
	 * write cannot.  Used before read-modify-write and multi-part writes. */
	int (*probe_write)(struct rvm_insn *insn, u64 gla, u32 len, u32 acc);
	/* The same for reading: instructions that are checked like a load */
	int (*probe_read)(struct rvm_insn *insn, u64 gla, u32 len, u32 acc);
	/* Compare *old with memory and store *new if equal, atomically towards
	 * other vCPUs; *old receives the value found.  len 1,2,4,8,16. */
	int (*cmpxchg_mem)(struct rvm_insn *insn, u64 gla, void *old, const void *new_val,
		       u32 len, u32 acc);
	/* Instruction bytes at gla: fetch at least 1, at most len; *got says how
	 * many.  Never fails for bytes on the second page while the first page
	 * gave some: it just returns fewer, and is called again. */
	int (*fetch)(struct rvm_insn *insn, u64 gla, void *buf, u32 len, u32 *got);

	/* count items of size bytes (1, 2, 4); INS/OUTS may use count > 1.
	 * Permission (IOPL, TSS bitmap) is the interpreter's business. */
	int (*pio_in)(struct rvm_insn *insn, u16 port, u32 size, u32 count, void *data);
	int (*pio_out)(struct rvm_insn *insn, u16 port, u32 size, u32 count, const void *data);

	/* Reads or writes with effects of their own.  A value that the CPU
	 * refuses gives RVM_INSN_FAULT with #GP(0) (or as the manual says). */
	int (*set_cr)(struct rvm_insn *insn, u32 nr, u64 val);	/* 0 2 3 4 8 */
	int (*set_dr)(struct rvm_insn *insn, u32 nr, u64 val);	/* 0..3 6 7 */
	int (*set_xcr)(struct rvm_insn *insn, u32 nr, u64 val);
	int (*rdmsr)(struct rvm_insn *insn, u32 msr, u64 *val);
	int (*wrmsr)(struct rvm_insn *insn, u32 msr, u64 val);
	int (*rdtsc)(struct rvm_insn *insn, u64 *val);
	int (*rdpmc)(struct rvm_insn *insn, u32 nr, u64 *val);
	int (*cpuid)(struct rvm_insn *insn, u32 *eax, u32 *ebx, u32 *ecx, u32 *edx);
	int (*invlpg)(struct rvm_insn *insn, u64 gla);
	/* Every translation, whatever its PCID, global ones too: INVPCID */
	int (*flush_tlb)(struct rvm_insn *insn);
	int (*wbinvd)(struct rvm_insn *insn);
	/* Random bits for RDRAND and RDSEED */
	int (*random)(struct rvm_insn *insn, u64 *val);
	/* Execute @job on the host's unit, on the guest's FPU and vector
	 * registers.  RVM_INSN_OK, or _FAULT with #UD, #GP, #XM in insn->fault.
	 * NULL: there is no unit, what needs one is UNHANDLED. */
	int (*fpu)(struct rvm_insn *insn, struct rvm_fpu_job *job);
	/* VMCALL/VMMCALL; the callee may change GPRs through insn->cpu */
	int (*hypercall)(struct rvm_insn *insn);

	/*
	 * Optional; used with insn->cache only.  Where is the page of @gla?  The
	 * callee translates as it would for an access (@acc: one of READ, WRITE,
	 * FETCH, with IMPLICIT where it applies; accessed and dirty bits are set)
	 * and gives the host address of the page's first byte, for access through
	 * rvm_host_*() of cpu/hostmem.h until the next rvm_insn_flush().  Anything but
	 * RVM_INSN_OK: this page is to be accessed through the callbacks above,
	 * which also report the fault if there is one: devices, and pages whose
	 * writes are logged.
	 */
	int (*map)(struct rvm_insn *insn, u64 gla, u32 acc, u64 *host);

	/* Optional: an iteration of a REP string instruction is committed, more
	 * follow in the same step.  A replay log starts anew here, for struct
	 * rvm_cpu already holds what the accesses so far have done.  True: they had
	 * better wait; the step ends as where its slice does. */
	bool (*commit)(struct rvm_insn *insn);

	/* *insn->news has changed: some page may be written through map() no longer, and what
	 * was written to it since is to be told.  The callee sets insn->news_seen, and calls
	 * rvm_insn_flush().  Between instructions; needed if there are any news. */
	void (*news)(struct rvm_insn *insn);
};

/*
 * One decoded instruction.  Laid out for the decoder; readers outside insn/
 * use the accessors below.  See decode.h for the operand description.
 */
struct rvm_decoded;

struct rvm_insn_cache;
struct rvm_tlb_entry;
struct rvm_row;

/*
 * What follows from struct rvm_cpu and is looked at in every instruction:
 * derived anew wherever it may have changed (tlb.h).
 */
struct rvm_hot {
	/*
	 * Data segments: an offset whose last byte lies below @rlim (@wlim) may be
	 * read (written) without further checks.  Zero where the rules are more
	 * complicated; beyond every offset in 64-bit mode, for no address that is
	 * not canonical is ever found in the TLB.
	 */
	struct {
		u64 base, rlim, wlim, unused;
	} seg[6];
	u64 gla_mask, rip_mask;
	/* DS, ES and SS with 32-bit offsets: nothing to check and nothing to add; and
	 * besides, the stack pointer has 32 bits */
	bool flat, flat_stack;
	/* what these were made with; @seg_rules 0: nothing yet */
	struct rvm_seg seg_of[6];
	u32 seg_rules;
	bool tlb_off;		/* every access shall miss: tlb is empty */

	/* the TLB for accesses at this CPL, and what completes a tag */
	const struct rvm_tlb_entry *tlb;
	u64 tlb_gen;

	/* The code page: RIP of its first byte, or of the first one inside CS; how
	 * many of its bytes may be executed; how many of these begin sixteen others; and
	 * where they are. */
	u64 win_rip, win_len, win_fast, win_host;
	u64 win_salt, win_mask;
	struct rvm_row *win_rows;
	u32 win_mode, win_ctx;
	u64 win_base;		/* CS.base, CS.limit that it was made with */
	u32 win_limit;

	/* control registers that the TLB's entries were made with */
	u64 cr0, cr3, cr4, efer;
	bool a20_masked;

	int rc;			/* what fetching ended in */
};

/* What the caches did, for tuning */
struct rvm_insn_counts {
	u64 flush, map, map_failed, window, decode, cross, uncached;
};

/**
 * struct rvm_insn - one vCPU's interpreter
 * @cpu: the state worked on; complete (every rvm_group up to date)
 * @ops: callbacks
 * @priv: the owner's pointer
 * @fault: valid after RVM_INSN_FAULT
 * @reason: valid after RVM_INSN_UNHANDLED: a constant string
 * @bytes, @nr_bytes: the instruction's bytes, valid after a step or a decode
 * @len: the instruction's length, 0 if it was not decoded
 * @intel: the guest's CPU is Intel's where the vendors differ, else AMD's
 * @hide: RVM_HIDE_*: extensions the guest's CPUID does not have
 * @watch: what ends rvm_insn_run() early; the owner's, to be changed between runs
 * @watch_data: every access of an instruction shall reach the callbacks: the owner
 *   looks for data breakpoints
 * @iret: set by IRET, cleared by the owner: NMIs are no longer blocked
 * @news, @news_seen: the owner's, or NULL: a count that others raise, looked at before each
 *   row of instructions, and up to where it has been dealt with; the owner looks once more
 *   before the translations are out of use
 * @budget, @left: of the run under way: see rvm_insn_stop()
 * @tf_after: set by SYSCALL and SYSRET that find or leave RFLAGS.TF set, cleared by
 *   the owner: whether a single-step trap follows is for TF to say as it is after the
 *   instruction, not before
 * @fpu_area: RVM_FPU_AREA bytes, 64-byte aligned, the owner's; for ops->fpu
 * @xcomp: RVM_NR_XCOMP components, from 2 on; the owner's
 * @x87: see there; an owner whose guest uses the unit by itself calls
 *   rvm_insn_settle_x87() after a step, and clears it
 * @hide_unit: a bit for each enum rvm_feature that the guest's CPU does not have
 * @cache: translations and decoded instructions, or NULL: see rvm_insn_cache_init()
 * @hot: the interpreter's own
 * @counts: what the cache did
 * @buf: the interpreter's own, for batched string I/O
 */
struct rvm_insn {
	struct rvm_cpu *cpu;
	const struct rvm_insn_ops *ops;
	void *priv;

	struct rvm_fault fault;
	const char *reason;
	u8 bytes[RVM_INSN_MAX];
	u8 nr_bytes;
	u8 len;

	bool intel;
	bool watch_data;
	bool iret;
	bool tf_after;
	u32 hide;
	enum rvm_insn_watch watch;
	const u64 *news;
	u64 news_seen;
	u32 budget;
	s32 left;
	u64 hide_unit;
	u8 *fpu_area;
	const struct rvm_xcomp *xcomp;
	struct rvm_x87 x87;
	struct rvm_insn_cache *cache;
	struct rvm_hot hot;
	struct rvm_insn_counts counts;
	u8 buf[RVM_INSN_BUF];
};

/* rvm_insn.hide */
#define RVM_HIDE_BMI1		(1u << 0)	/* TZCNT executes as BSF */
#define RVM_HIDE_BMI2		(1u << 1)
#define RVM_HIDE_LZCNT		(1u << 2)	/* LZCNT executes as BSR */
#define RVM_HIDE_POPCNT		(1u << 3)
#define RVM_HIDE_MOVBE		(1u << 4)
#define RVM_HIDE_ADX		(1u << 5)
#define RVM_HIDE_CRC32		(1u << 6)	/* SSE4.2 */
#define RVM_HIDE_RDTSCP		(1u << 7)
#define RVM_HIDE_RDPID		(1u << 8)
#define RVM_HIDE_CX16		(1u << 9)
#define RVM_HIDE_SMAP		(1u << 11)
#define RVM_HIDE_INVPCID	(1u << 12)
#define RVM_HIDE_RDRAND		(1u << 14)
#define RVM_HIDE_RDSEED		(1u << 15)
#define RVM_HIDE_CLFLUSHOPT	(1u << 16)
#define RVM_HIDE_CLWB		(1u << 17)
#define RVM_HIDE_SERIALIZE	(1u << 18)
#define RVM_HIDE_MOVDIRI	(1u << 19)
#define RVM_HIDE_MOVDIR64B	(1u << 20)
#define RVM_HIDE_CLZERO		(1u << 21)
#define RVM_HIDE_LAHF		(1u << 22)	/* LAHF, SAHF in 64-bit mode */
#define RVM_HIDE_SEP		(1u << 23)	/* SYSENTER, SYSEXIT */

/**
 * rvm_insn_step - fetch, decode and execute the instruction at CS:RIP
 *
 * Returns enum rvm_insn_result.  Does not look at pending interrupts, does
 * not deliver exceptions: the caller does both.  After RVM_INSN_OK the
 * one-instruction shadow (cpu->int_shadow) is set or cleared as the
 * instruction demands, and RF is cleared.  A trap that the instruction itself
 * causes after completion (TF single step) is left to the caller.
 */
int rvm_insn_step(struct rvm_insn *insn);

/**
 * rvm_insn_run - execute up to @budget instructions from CS:RIP on
 * @budget: at least 1, at most INT_MAX
 * @done: how many were executed to their end; those that returned RVM_INSN_HALT count
 *
 * As rvm_insn_step() in a loop.  The first result that is not RVM_INSN_OK ends
 * it and is returned.  RVM_INSN_OK, after one instruction or more, when
 * - the budget is used up, or rvm_insn_stop() was called;
 * - RFLAGS.TF is set.  With TF set at the call one instruction is executed, and
 *   its single-step trap is the caller's to raise; where an instruction sets TF
 *   the run ends after it, and no trap is due yet;
 * - insn->watch asks for it.  RVM_WATCH_IRQ looks after each instruction, so a
 *   caller with an interrupt that could be delivered at once does that first.
 */
int rvm_insn_run(struct rvm_insn *insn, u32 budget, u32 *done);

/**
 * rvm_insn_stop - end the run after the instruction being executed
 *
 * For callbacks: the caller of rvm_insn_run() has something to do.  No effect
 * outside a run.
 */
static inline void rvm_insn_stop(struct rvm_insn *insn)
{
	insn->budget -= insn->left;
	insn->left = 0;
}

/**
 * rvm_insn_cache_size, rvm_insn_cache_init - make an interpreter fast
 * @mem: memory of that size, the owner's; aligned to a page, with any contents
 * @rows: how many rows of some decoded instructions to keep for 32-bit and 64-bit
 *   code each: a power of two, 64 or more; each takes 384 bytes
 *
 * Without it every access goes through the callbacks and every instruction is
 * decoded where it is met: right for one instruction now and then.  With it
 * ops->map must be there, and the owner calls rvm_insn_flush() whenever what it
 * answered is void: the guest-physical map changed, a slot's writes are to be
 * logged from now on, INVLPG came from elsewhere.  Changes of struct rvm_cpu,
 * and what the guest's instructions do, are seen without help.
 */
size_t rvm_insn_cache_size(u32 rows);
void rvm_insn_cache_init(struct rvm_insn *insn, void *mem, u32 rows);

/* Forget all translations.  From the thread that runs the interpreter, or while
 * it does not run. */
void rvm_insn_flush(struct rvm_insn *insn);

/**
 * rvm_insn_deliver - give the guest an exception or interrupt
 * @event: what; insn->fault may be passed
 * @len: length of the INT n, INT3, INTO or INT1 that caused it, for event->soft
 * @external: an interrupt from outside, not an exception
 *
 * Through the IVT or IDT of the present mode, task gates included; CR2, DR6 and
 * DR7.GD are set as the exception demands.  Returns RVM_INSN_OK with RIP at the
 * handler, RVM_INSN_FAULT when the delivery itself faults (the caller makes a
 * double fault of it, or delivers that one, by SDM vol. 3 table 6-5), or what a
 * callback said.
 */
int rvm_insn_deliver(struct rvm_insn *insn, const struct rvm_fault *event, u32 len,
		     bool external);

/**
 * rvm_insn_fetch_decode - fetch and decode only
 *
 * For a caller that needs the length or the bytes of the instruction at
 * CS:RIP.  Returns RVM_INSN_OK (len, bytes set), _FAULT or _UNHANDLED.
 */
int rvm_insn_fetch_decode(struct rvm_insn *insn);

/**
 * rvm_insn_fetch_decode_to - the same, with the result kept by the caller
 *
 * With rvm_insn_exec() this is rvm_insn_step() in two halves: a cache of
 * decoded instructions stands between them.
 */
int rvm_insn_fetch_decode_to(struct rvm_insn *insn, struct rvm_decoded *d);

/**
 * rvm_insn_exec - execute a decoded instruction that lies at CS:RIP
 * @d: decoded with the mode that rvm_insn_mode() gives now
 *
 * As rvm_insn_step().  insn->bytes and len are not touched.
 */
int rvm_insn_exec(struct rvm_insn *insn, const struct rvm_decoded *d);

/**
 * rvm_insn_settle_x87 - the guest's x87 pointers into the unit
 *
 * After this the unit's state is the guest's in every field.  Returns
 * RVM_INSN_OK, or what ops->fpu said.
 */
int rvm_insn_settle_x87(struct rvm_insn *insn);

/* RVM_DEC_* of the present code segment, for rvm_insn_decode() */
u32 rvm_insn_mode(const struct rvm_insn *insn);

#endif /* RVM_INSN_H */
