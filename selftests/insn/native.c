// SPDX-License-Identifier: GPL-2.0
/*
 * Execution compared with the real CPU, in user mode.
 *
 * One to eight random instructions with random state run once in the
 * interpreter and once natively: the signal handler puts the state into the
 * signal frame, the return from the handler starts the code, and TF, the INT3
 * that fills the code pages, or a fault brings the CPU back into the handler
 * with the result.  64-bit code runs in the kernel's own code segment, 32-bit
 * code in its compatibility segment and through the LDT, 16-bit code and odd
 * data segments through the LDT.
 *
 * Compared: registers, defined flags, RIP, selectors, FS and GS base, memory,
 * and for faults the vector, error code and CR2.  A case depends on its key
 * alone; a difference prints the key, and -k runs it again.
 *
 *   native [-n cases] [-s seed] [-j processes] [-m 16|32|64] [-r row] [-k key] [-c] [-v]
 *     -c: print how often each row of the opcode tables was met
 */
#define _GNU_SOURCE
#include <asm/ldt.h>
#include <asm/prctl.h>
#include <cpuid.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>
#include "native.h"

#define ALT_LEN		(1 << 20)
#define HWCAP2_FSGSBASE	2
#define MAX_PROCS	64

struct ldt_entry ldt[NR_LDT] = {
#define SEG(n, b, l, at) [n] = { b, l, RVM_SEG_P | RVM_SEG_S | RVM_SEG_DPL | RVM_SEG_A | \
				       RVM_SEG_AVL | (at) }
	SEG(L_CODE16, CODE, 0xfff, RVM_SEG_CODE | RVM_SEG_W),
	SEG(L_CODE32, CODE, 0xfff, RVM_SEG_CODE | RVM_SEG_W | RVM_SEG_DB),
	SEG(L_DATA16, DATA, 0x2fff, RVM_SEG_W),
	SEG(L_DATA32, DATA, 0x17fd, RVM_SEG_W | RVM_SEG_DB),
	SEG(L_DOWN32, DATA, 0x0fff, RVM_SEG_W | RVM_SEG_E | RVM_SEG_DB),
	SEG(L_RO, DATA, 0x2fff, RVM_SEG_DB),
	SEG(L_DOWN16, DATA, 0x07ff, RVM_SEG_W | RVM_SEG_E),
	SEG(L_CODE16L, CODE, 0xffff, RVM_SEG_CODE | RVM_SEG_W),
	SEG(L_CODE32L, CODE, 0x7fff, RVM_SEG_CODE | RVM_SEG_W | RVM_SEG_DB),
	SEG(L_XONLY, CODE, 0x7fff, RVM_SEG_CODE | RVM_SEG_DB),
	SEG(L_PAGES, DATA, 0x1, RVM_SEG_W | RVM_SEG_DB | RVM_SEG_G),
	SEG(L_NOT_PRESENT, DATA, 0x2fff, RVM_SEG_W | RVM_SEG_DB),
	/* the kernel takes a conforming segment only if it is not present */
	SEG(L_CONFORMING, CODE, 0x7fff, RVM_SEG_CODE | RVM_SEG_E | RVM_SEG_W | RVM_SEG_DB),
};

/* What one process found; in memory that all share. */
struct tally {
	u64 cases, compared, skipped, faulted, failures, instructions, sequences;
	u64 vectors[32], per_mode[3];
	u64 ud_lengths, limit_branches;
	u64 per_op[RVM_NR_OPS], fails_of[RVM_NR_OPS], unhandled_op[RVM_NR_OPS];
	u64 row[MAX_ROWS][2];		/* by memory or register form */
	u64 row_fault[MAX_ROWS];
};

struct world w;
static u64 gdt_image[16], ldt_image[NR_LDT], idt_image[512];
static struct {
	u64 start;
	u32 len;
	int prot;
	u8 *shadow, *base, *native;
} mem[NR_NATIVE_REGIONS] = {
	[R_CODE] = { CODE, CODE_LEN, PROT_READ | PROT_WRITE | PROT_EXEC },
	[R_CODE_B] = { CODE_B, CODE_B_LEN, PROT_READ | PROT_WRITE | PROT_EXEC },
	[R_NOEXEC] = { NOEXEC, NOEXEC_LEN, PROT_READ | PROT_WRITE },
	[R_DATA] = { DATA, RW_LEN, PROT_READ | PROT_WRITE },
	[R_DATA_RO] = { DATA + RW_LEN, DATA_LEN - RW_LEN, PROT_READ },
};

static u64 seed = 1, want_cases = 300000, only_key;
static int only_mode = -1, only_row = -1;
static bool verbose, one_key;
static u32 proc, procs = 1;

static struct tally *tally;
static struct tcase tc;
static struct outcome expect;
static struct rvm_cpu blank_cpu;
static ucontext_t home;
static u64 home_fs;
static bool started;
static u32 traps_left;
static volatile u64 watched;

/* ---- memory on both sides ---- */

void plant(u64 gla, const void *val, u32 len)
{
	u32 i, r;

	for (i = 0; i < len; i++)
		for (r = 0; r < NR_NATIVE_REGIONS; r++)
			if (gla + i - mem[r].start < mem[r].len && (mem[r].prot & PROT_WRITE)) {
				mem[r].native[gla + i - mem[r].start] = ((const u8 *)val)[i];
				mem[r].shadow[gla + i - mem[r].start] = ((const u8 *)val)[i];
			}
}

static void restore(void)
{
	u32 r;

	for (r = 0; r < NR_NATIVE_REGIONS; r++) {
		if (!(mem[r].prot & PROT_WRITE))
			continue;
		if (memcmp(mem[r].shadow, mem[r].base, mem[r].len))
			memcpy(mem[r].shadow, mem[r].base, mem[r].len);
		if (memcmp(mem[r].native, mem[r].base, mem[r].len))
			memcpy(mem[r].native, mem[r].base, mem[r].len);
	}
}

static bool same_memory(void)
{
	u32 r;

	for (r = 0; r < NR_NATIVE_REGIONS; r++)
		if (memcmp(mem[r].native, mem[r].shadow, mem[r].len))
			return false;
	return true;
}

/* Addresses at which this process, or the kernel, has something of its own. */
static bool foreign(u64 gla)
{
	if (gla >> 12 == 0xffffffffff600ull)	/* vsyscall */
		return true;
	return gla >= 0xf0000000ull && gla < 0x7ffffffff000ull;
}

/* ---- flags ---- */

/* Flags that the manuals leave undefined and that we do not take from the host. */
static u64 undefined_flags(const struct rvm_decoded *d)
{
	switch (d->op) {
	case RVM_OP_BSF: case RVM_OP_BSR:
		return RVM_FL_ARITH & ~RVM_FL_ZF;
	case RVM_OP_MUL: case RVM_OP_IMUL: case RVM_OP_IMUL2:
		/* AMD's CPUs do not change them */
		return w.insn.intel ? RVM_FL_SF | RVM_FL_ZF | RVM_FL_AF | RVM_FL_PF : 0;
	case RVM_OP_TZCNT: case RVM_OP_LZCNT:
		return RVM_FL_OF | RVM_FL_SF | RVM_FL_PF | RVM_FL_AF;
	case RVM_OP_BT: case RVM_OP_BTS: case RVM_OP_BTR: case RVM_OP_BTC:
		return RVM_FL_OF | RVM_FL_SF | RVM_FL_PF | RVM_FL_AF;
	case RVM_OP_DIV: case RVM_OP_IDIV:
		return RVM_FL_ARITH;
	case RVM_OP_AAA: case RVM_OP_AAS:
		return RVM_FL_OF | RVM_FL_SF | RVM_FL_ZF | RVM_FL_PF;
	case RVM_OP_AAM: case RVM_OP_AAD:
		return RVM_FL_OF | RVM_FL_AF | RVM_FL_CF;
	case RVM_OP_DAA: case RVM_OP_DAS:
		return RVM_FL_OF;
	case RVM_OP_ANDN: case RVM_OP_BLSR: case RVM_OP_BLSMSK: case RVM_OP_BLSI:
	case RVM_OP_BZHI:
		return RVM_FL_AF | RVM_FL_PF;
	case RVM_OP_BEXTR:
		return RVM_FL_AF | RVM_FL_PF | RVM_FL_SF;
	default:
		return 0;
	}
}

/* Flags that are certain to be defined after an instruction has completed. */
static u64 defined_flags(const struct rvm_decoded *d)
{
	switch (d->op) {
	case RVM_OP_ADD: case RVM_OP_ADC: case RVM_OP_SUB: case RVM_OP_SBB: case RVM_OP_CMP:
	case RVM_OP_NEG: case RVM_OP_XADD: case RVM_OP_CMPXCHG: case RVM_OP_POPF:
	case RVM_OP_IRET: case RVM_OP_POPCNT: case RVM_OP_AND: case RVM_OP_OR: case RVM_OP_XOR:
	case RVM_OP_TEST:
		return RVM_FL_ARITH;
	case RVM_OP_INC: case RVM_OP_DEC:
		return RVM_FL_ARITH & ~RVM_FL_CF;
	case RVM_OP_SAHF:
		return RVM_FL_ARITH & ~RVM_FL_OF;
	case RVM_OP_CLC: case RVM_OP_STC:
		return RVM_FL_CF;
	default:
		return 0;
	}
}

/* Does the instruction look at the arithmetic flags? */
static bool reads_flags(const struct rvm_decoded *d)
{
	switch (d->op) {
	case RVM_OP_CMOV: case RVM_OP_SETCC: case RVM_OP_LAHF: case RVM_OP_SALC:
	case RVM_OP_PUSHF: case RVM_OP_ADC: case RVM_OP_SBB: case RVM_OP_ADCX: case RVM_OP_ADOX:
	case RVM_OP_DAA: case RVM_OP_DAS: case RVM_OP_AAA: case RVM_OP_AAS: case RVM_OP_RCL:
	case RVM_OP_RCR: case RVM_OP_CMC: case RVM_OP_JCC: case RVM_OP_LOOPE:
	case RVM_OP_LOOPNE: case RVM_OP_INTO: case RVM_OP_CMPS: case RVM_OP_SCAS:
		return true;
	default:
		return false;
	}
}

/* ---- the interpreter's side ---- */

static u64 linear_rip(void)
{
	if (rvm_is_64bit(&w.cpu))
		return w.cpu.rip;
	return (u32)(w.cpu.seg[RVM_CS].base + w.cpu.rip);
}

/* More code at @at, where so far there is filling only. */
static void extend(struct tcase *t, u64 at)
{
	static const u8 filling[RVM_INSN_MAX] = {
		FILL, FILL, FILL, FILL, FILL, FILL, FILL, FILL, FILL, FILL, FILL, FILL, FILL,
		FILL, FILL,
	};
	u8 b[RVM_INSN_MAX];
	u32 len;

	/* code that was written or read by code would not be the same natively */
	if (at - CODE > CODE_LEN - RVM_INSN_MAX || w.region[R_CODE].accesses ||
	    memcmp(mem[R_CODE].shadow + (at - CODE), filling, sizeof(filling)))
		return;
	len = gen_next(t, b);
	if (!len)
		return;
	plant(at, b, len);
	memcpy(t->bytes + t->len, b, len);
	t->len += len;
	t->nr++;
}

static void record(const struct rvm_decoded *d, bool fault)
{
	int nr = row_of(d, w.insn.bytes);

	tally->instructions++;
	tally->per_op[d->op]++;
	if (nr < 0)
		return;
	tally->row[nr][row_form(&rows[nr], d) == ROW_REG]++;
	tally->row_fault[nr] += fault;
}

/* Registers whose value comes from outside: not compared. */
static u32 wild_registers(const struct rvm_decoded *d)
{
	switch (d->op) {
	case RVM_OP_RDTSC: case RVM_OP_RDTSCP:
		return 1u << RVM_RAX | 1u << RVM_RDX;
	default:
		return 0;
	}
}

static bool null_with_rpl(const struct rvm_decoded *d)
{
	u16 sel = w.cpu.seg[d->opnd[d->op == RVM_OP_MOV_FROM_SREG].reg].sel;

	return sel && sel < 4;
}

/*
 * The instruction at RIP is no longer @d, of these bytes.  A repeated one that writes
 * over itself goes on natively until something interrupts it.
 */
static bool overwritten(const struct rvm_decoded *d, const u8 *bytes)
{
	struct rvm_decoded now;

	return rvm_insn_fetch_decode_to(&w.insn, &now) || now.len != d->len ||
	       memcmp(w.insn.bytes, bytes, d->len);
}

/* Half of the cases run with what the interpreter keeps between instructions. */
static struct rvm_insn_cache *cache;

enum { CANNOT, ENDED };

static int interpret(struct tcase *t, struct outcome *o)
{
	struct rvm_cpu *c = &w.cpu;
	u64 next = t->at + t->len;
	bool espfix = false;
	u32 i, rounds = 0;

	*c = blank_cpu;
	load_cpu(t);
	w.hit_foreign = false;
	w.insn.cache = t->key & 1 ? cache : NULL;
	for (i = 0; i < w.nr_regions; i++)
		w.region[i].accesses = 0;
	memset(o, 0, sizeof(*o));
	for (;;) {
		bool tf = c->rflags & RVM_FL_TF;
		struct rvm_decoded d;
		int rc;

		if (t->nr < t->seq && linear_rip() == next) {
			extend(t, next);
			next = t->at + t->len;
		}
		if (++rounds > 64)
			return CANNOT;
		d.op = RVM_OP_UD;
		rc = rvm_insn_fetch_decode_to(&w.insn, &d);
		o->last = d;
		if (!rc) {
			u32 slices = 0, done;
			u8 bytes[RVM_INSN_MAX];

			memcpy(bytes, w.insn.bytes, sizeof(bytes));
			if (excluded(&d) || (o->unknown && reads_flags(&d)))
				return CANNOT;
			/*
			 * Returning to 16-bit stack segments the kernel leaves
			 * the upper half of RSP pointing into itself (espfix);
			 * a push in 64-bit mode then faults for ever.
			 */
			if (!rvm_is_64bit(c) && (c->seg[RVM_SS].sel & 4))
				espfix = true;
			if (espfix && (d.op == RVM_OP_CALLF ||
				       (rvm_is_64bit(c) && d.op != RVM_OP_INT3)))
				return CANNOT;
			/* the kernel's own returns take the RPL off null selectors */
			if (rounds > 1 && (d.op == RVM_OP_PUSH_SREG || d.op == RVM_OP_MOV_FROM_SREG) &&
			    null_with_rpl(&d))
				return CANNOT;
			/* XINUSE is the state of the host's own registers */
			if (d.op == RVM_OP_XGETBV && (u32)c->gpr[RVM_RCX] == 1)
				return CANNOT;
			if (o->wild && rounds > 1 && d.op != RVM_OP_INT3)
				return CANNOT;
			do {
				rc = w.insn.cache ? rvm_insn_run(&w.insn, 1, &done) :
				     rvm_insn_exec(&w.insn, &d);
				if (rc == RVM_INSN_RETRY && !tf && overwritten(&d, bytes))
					return CANNOT;
			} while (rc == RVM_INSN_RETRY && !tf && ++slices < 100000);
			if (rc != RVM_INSN_UNHANDLED && !w.hit_foreign)
				record(&d, rc == RVM_INSN_FAULT);
		}
		if (w.hit_foreign)
			return CANNOT;
		if (rc == RVM_INSN_UNHANDLED) {
			tally->unhandled_op[d.op]++;
			return CANNOT;
		}
		if (rc == RVM_INSN_FAULT && w.insn.fault.soft) {
			struct rvm_fault f = w.insn.fault;
			u64 rip = rvm_next_rip(&w.insn, &d);

			/* the gates of all but #BP and #OF are the kernel's own */
			if (d.op == RVM_OP_INT && d.imm != RVM_BP && d.imm != RVM_OF)
				rc = rvm_insn_deliver(&w.insn, &f, d.len, false);
			if (w.insn.fault.soft) {
				c->rip = rip;
				o->fault = w.insn.fault.vector;
				break;
			}
		}
		if (rc == RVM_INSN_FAULT) {
			o->fault = w.insn.fault.vector;
			o->error = w.insn.fault.error;
			o->cr2 = w.insn.fault.cr2;
			break;
		}
		if (rc != RVM_INSN_OK && rc != RVM_INSN_RETRY)
			return CANNOT;
		if (rc == RVM_INSN_OK) {
			o->unknown = (o->unknown & ~defined_flags(&d)) | undefined_flags(&d);
			o->wild |= wild_registers(&d);
		}
		if (tf && c->int_shadow != RVM_SHADOW_MOV_SS && ++o->traps == t->steps) {
			o->fault = RVM_DB;
			break;
		}
	}
	memcpy(o->gpr, c->gpr, sizeof(o->gpr));
	if (espfix)
		o->wild |= 1u << 31;
	o->rflags = c->rflags;
	o->rip = c->rip;
	o->cs = c->seg[RVM_CS].sel;
	o->ss = c->seg[RVM_SS].sel;
	o->ds = c->seg[RVM_DS].sel;
	o->es = c->seg[RVM_ES].sel;
	o->fs = c->seg[RVM_FS].sel;
	o->gs = c->seg[RVM_GS].sel;
	o->fs_base = c->seg[RVM_FS].base;
	o->gs_base = c->seg[RVM_GS].base;
	return ENDED;
}

/* ---- the native side ---- */

static const int greg_of[16] = {
	REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
	REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15,
};

/* Segment registers that no signal frame holds. */
struct user_segs {
	u32 ds, es, fs, gs;
	u64 fs_base, gs_base;
};

static struct user_segs at_trap;

static void take_segs(struct user_segs *s)
{
	asm volatile("mov %%ds, %0\n\tmov %%es, %1\n\tmov %%fs, %2\n\tmov %%gs, %3"
		     : "=r" (s->ds), "=r" (s->es), "=r" (s->fs), "=r" (s->gs));
	asm volatile("rdfsbase %0\n\trdgsbase %1" : "=r" (s->fs_base), "=r" (s->gs_base));
}

/* After this nothing that the C library keeps behind FS may be used. */
static void give_segs(const struct user_segs *s, bool bases)
{
	asm volatile("mov %0, %%ds\n\tmov %1, %%es\n\tmov %2, %%gs\n\tmov %3, %%fs"
		     :: "r" (s->ds), "r" (s->es), "r" (s->gs), "r" (s->fs));
	if (bases)
		asm volatile("wrgsbase %0\n\twrfsbase %1" :: "r" (s->gs_base), "r" (s->fs_base));
}

/* Flags that the return from a signal takes from the handler, not from the frame. */
static void give_flags(u64 flags)
{
	u64 f;

	asm volatile("pushfq\n\tpop %0" : "=r" (f));
	f = (f & ~(RVM_FL_ID | RVM_FL_NT)) | (flags & (RVM_FL_ID | RVM_FL_NT));
	asm volatile("push %0\n\tpopfq" :: "r" (f) : "cc", "memory");
}

static void to_frame(const struct tcase *t, ucontext_t *uc)
{
	greg_t *g = uc->uc_mcontext.gregs;
	struct user_segs s = { t->ds, t->es, t->fs, t->gs, t->fs_base, t->gs_base };
	u32 i;

	for (i = 0; i < 16; i++)
		g[greg_of[i]] = t->gpr[i];
	g[REG_RIP] = t->rip;
	g[REG_EFL] = t->rflags;
	g[REG_CSGSFS] = (u64)t->ss << 48 | t->cs;
	give_segs(&s, t->mode == RVM_DEC_64);
	give_flags(t->rflags);
}

static void from_frame(const ucontext_t *uc, struct outcome *o)
{
	const greg_t *g = uc->uc_mcontext.gregs;
	u32 i;

	memset(o, 0, sizeof(*o));
	for (i = 0; i < 16; i++)
		o->gpr[i] = g[greg_of[i]];
	o->rip = g[REG_RIP];
	o->rflags = g[REG_EFL];
	o->cs = g[REG_CSGSFS];
	o->ss = (u64)g[REG_CSGSFS] >> 48;
	o->ds = at_trap.ds;
	o->es = at_trap.es;
	o->fs = at_trap.fs;
	o->gs = at_trap.gs;
	o->fs_base = at_trap.fs_base;
	o->gs_base = at_trap.gs_base;
	o->fault = g[REG_TRAPNO];
	if (o->fault != RVM_DB && o->fault != RVM_BP)
		o->error = g[REG_ERR];
	if (o->fault == RVM_PF)
		o->cr2 = g[REG_CR2];
}

static void print_state(const char *who, const struct outcome *o)
{
	u32 i;

	printf("#  %s: cs %x ss %x ds %x es %x fs %x %llx gs %x %llx\n", who, o->cs, o->ss, o->ds,
	       o->es, o->fs, (unsigned long long)o->fs_base, o->gs,
	       (unsigned long long)o->gs_base);
	printf("#  %s: vector %d error %x cr2 %llx rip %llx rflags %llx\n#  ", who, o->fault,
	       o->error, (unsigned long long)o->cr2, (unsigned long long)o->rip,
	       (unsigned long long)o->rflags);
	for (i = 0; i < 16; i++)
		printf(" %llx", (unsigned long long)o->gpr[i]);
	printf("\n");
}

static void print_case(const struct tcase *t)
{
	struct outcome in = { .fault = -1, .rip = t->rip, .rflags = t->rflags, .cs = t->cs,
			      .ss = t->ss, .ds = t->ds, .es = t->es, .fs = t->fs, .gs = t->gs,
			      .fs_base = t->fs_base, .gs_base = t->gs_base };
	u32 i;

	printf("# key 0x%llx: %u-bit, first %s, %u instructions, ",
	       (unsigned long long)t->key, 16 << t->mode, rvm_op_name(t->d.op), t->nr);
	if (t->steps)
		printf("%u steps:", t->steps);
	else
		printf("to the INT3:");
	for (i = 0; i < t->len; i++)
		printf(" %02x", t->bytes[i]);
	printf("\n");
	memcpy(in.gpr, t->gpr, sizeof(in.gpr));
	print_state("before", &in);
}

static void report(const char *what, const struct outcome *o)
{
	u32 r, i, shown = 0;

	tally->failures++;
	if (tally->fails_of[expect.last.op]++ > 2 && !verbose && !one_key)
		return;
	printf("# %s after %s\n", what, rvm_op_name(expect.last.op));
	print_case(&tc);
	print_state("native", o);
	print_state("interp", &expect);
	for (r = 0; r < NR_NATIVE_REGIONS; r++)
		for (i = 0; i < mem[r].len && shown < 16; i++)
			if (mem[r].native[i] != mem[r].shadow[i]) {
				printf("#  at %llx: native %02x interp %02x\n",
				       (unsigned long long)mem[r].start + i, mem[r].native[i],
				       mem[r].shadow[i]);
				shown++;
			}
	fflush(stdout);
}

static bool same_sel(u16 a, u16 b)
{
	return a == b || (a < 4 && b < 4);
}

static bool same_registers(const struct outcome *o)
{
	u64 mask = RVM_FL_ARITH | RVM_FL_DF | RVM_FL_AC | RVM_FL_TF | RVM_FL_IF | RVM_FL_IOPL |
		   RVM_FL_NT | RVM_FL_ID;
	bool all = tc.mode == RVM_DEC_64 || o->cs == USER_CS;
	u32 i;

	for (i = 0; i < (all ? 16 : 8); i++) {
		u64 regs = !all || (i == RVM_RSP && (o->cs != USER_CS || expect.wild >> 31)) ?
			   0xffffffff : ~0ull;

		if (!(expect.wild >> i & 1) && ((o->gpr[i] ^ expect.gpr[i]) & regs))
			return false;
	}
	/* the kernel's own return to ring 3 takes the RPL off null selectors */
	if (o->rip != expect.rip || o->cs != expect.cs || o->ss != expect.ss ||
	    !same_sel(o->ds, expect.ds) || !same_sel(o->es, expect.es) ||
	    !same_sel(o->fs, expect.fs) || !same_sel(o->gs, expect.gs))
		return false;
	if (tc.mode == RVM_DEC_64 && o->cs == USER_CS &&
	    (o->fs_base != expect.fs_base || o->gs_base != expect.gs_base))
		return false;
	return !((o->rflags ^ expect.rflags) & mask & ~expect.unknown);
}

/* Does the memory that can be fetched end within 15 bytes? */
static bool fetch_end(u64 rip)
{
	const struct rvm_seg *cs = &w.cpu.seg[RVM_CS];
	u64 at = rvm_is_64bit(&w.cpu) ? rip : (u32)(cs->base + rip);

	return (!rvm_is_64bit(&w.cpu) && rip + RVM_INSN_MAX > (u64)cs->limit + 1) ||
	       (at - CODE < CODE_LEN && at + RVM_INSN_MAX > CODE + CODE_LEN) ||
	       (at - CODE_B < CODE_B_LEN && at + RVM_INSN_MAX > NOEXEC);
}

/* Bytes at RIP of the code segment that @o was in; decoded as they lie there natively. */
static bool decode_at(const struct outcome *o, struct rvm_seg *cs, struct rvm_decoded *d)
{
	u64 at;
	u32 r;

	seg_of(cs, o->cs);
	at = cs->attr & RVM_SEG_L ? o->rip : (u32)(cs->base + o->rip);
	for (r = R_CODE; r <= R_CODE_B; r++)
		if (at - mem[r].start < mem[r].len)
			return !rvm_insn_decode(mem[r].native + (at - mem[r].start),
						mem[r].start + mem[r].len - at,
						cs->attr & RVM_SEG_L ? RVM_DEC_64 :
						cs->attr & RVM_SEG_DB ? RVM_DEC_32 : RVM_DEC_16, d);
	return false;
}

/*
 * A conditional branch whose last byte is the segment's last: where the CPU
 * has predicted it not taken, the fetch beyond the limit faults on the branch,
 * taken or not.  Seen now and then on family 1Ah, with the same case or not.
 */
static bool branch_at_limit(const struct outcome *o)
{
	struct rvm_decoded d;
	struct rvm_seg cs;

	if (o->fault != RVM_GP || o->error || !decode_at(o, &cs, &d) || (cs.attr & RVM_SEG_L))
		return false;
	return (d.op == RVM_OP_JCC || d.op == RVM_OP_JCXZ || d.op == RVM_OP_LOOP ||
		d.op == RVM_OP_LOOPE || d.op == RVM_OP_LOOPNE) &&
	       o->rip + d.len == (u64)cs.limit + 1;
}

/*
 * #UD at the end of what can be fetched, or after many prefixes: whether the
 * fetch faults first, or the length does, hangs on the length that the CPU takes
 * an undefined opcode to have, and no manual tells.
 */
static bool undefined_length(const struct outcome *o)
{
	bool ours = expect.fault == RVM_PF || expect.fault == RVM_GP;
	bool theirs = o->fault == RVM_PF || o->fault == RVM_GP;
	u32 i, prefixes = 0;

	if (!(expect.fault == RVM_UD && theirs) && !(o->fault == RVM_UD && ours))
		return false;
	if (o->rip != expect.rip)
		return false;
	for (i = 0; i < w.insn.nr_bytes && prefixes == i; i++)
		prefixes += w.insn.bytes[i] && (strchr("\x26\x2e\x36\x3e\x64\x65\x66\x67\xf0\xf2\xf3",
						      w.insn.bytes[i]) ||
						(w.insn.bytes[i] & 0xf0) == 0x40);
	return fetch_end(o->rip) || prefixes > 2;
}

static void compare(const struct outcome *o)
{
	bool fault = expect.fault != RVM_DB && expect.fault != RVM_BP;
	u32 op = expect.last.op;

	tally->compared++;
	tally->per_mode[tc.mode]++;
	tally->sequences += tc.nr > 1;
	tally->faulted += fault;
	if (expect.fault < 32)
		tally->vectors[expect.fault]++;
	/*
	 * RETF and IRET with more than one thing wrong: AMD's CPUs read the frame
	 * from its far end, so that the first fault is another.
	 */
	if ((op == RVM_OP_RETF || op == RVM_OP_IRET) && fault && o->fault != RVM_DB &&
	    o->fault != RVM_BP)
		goto state;
	if (undefined_length(o)) {
		tally->ud_lengths++;
		goto state;
	}
	if (o->fault != expect.fault && branch_at_limit(o)) {
		tally->limit_branches++;
		return;
	}
	if (o->fault != expect.fault) {
		report("another vector", o);
		return;
	}
	if (fault && (o->error != expect.error || o->cr2 != expect.cr2)) {
		report("another error code or CR2", o);
		return;
	}
	/*
	 * A POPA, PUSHA or nested ENTER that faults half-way has loaded some
	 * registers or stored some values on AMD's CPUs; rSP has not moved, so it
	 * restarts.  A far CALL to an offset beyond the limit has pushed, too.
	 */
	if ((op == RVM_OP_POPA || op == RVM_OP_PUSHA || op == RVM_OP_CALLF ||
	     op == RVM_OP_ENTER) && fault)
		return;
state:
	if (!same_registers(o))
		report("other registers", o);
	else if (!same_memory())
		report("other memory", o);
}

static u64 mix(u64 x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

/* Next case that can be run; false at the end. */
static bool next_case(void)
{
	for (;;) {
		u64 key = one_key ? only_key : mix(seed * 0x9e3779b97f4a7c15ull + tally->cases *
						   procs + proc + 1);

		if (tally->cases >= want_cases)
			return false;
		tally->cases++;
		restore();
		if (!gen_case(&tc, key, only_mode, only_row)) {
			tally->skipped++;
			continue;
		}
		if (interpret(&tc, &expect) == ENDED)
			break;
		tally->skipped++;
	}
	/* one that ends the case is not between steps */
	traps_left = expect.traps - (tc.steps && expect.traps == tc.steps);
	return true;
}

/* Does the code go on after this trap? */
static bool between_steps(const ucontext_t *uc)
{
	return started && uc->uc_mcontext.gregs[REG_TRAPNO] == RVM_DB && traps_left;
}

static void on_trap(ucontext_t *uc)
{
	struct outcome o;

	if (!started) {
		started = true;
		home = *uc;
	} else {
		from_frame(uc, &o);
		compare(&o);
	}
	watched++;
	if (next_case()) {
		if (verbose && one_key)
			print_case(&tc);
		to_frame(&tc, uc);
	} else {
		struct user_segs s = { .fs_base = home_fs };

		memcpy(uc->uc_mcontext.gregs, home.uc_mcontext.gregs,
		       sizeof(uc->uc_mcontext.gregs));
		give_segs(&s, true);
		give_flags(0);
	}
}

/* The same case for seconds: it does not end natively. */
static void on_alarm(const ucontext_t *uc)
{
	static u64 seen, ticks;

	if (seen != watched) {
		seen = watched;
		ticks = 0;
		return;
	}
	if (++ticks < 5 || !started)
		return;
	printf("# does not end natively, at %llx\n",
	       (unsigned long long)uc->uc_mcontext.gregs[REG_RIP]);
	print_case(&tc);
	print_state("interp", &expect);
	fflush(stdout);
	_exit(1);
}

/*
 * The kernel leaves AC and NT as they are, and FS is the case's: nothing of the
 * C library may run before both are put right, and nothing after give_segs().
 */
__attribute__((noinline))
static void handler_body(int sig, ucontext_t *uc)
{
	struct user_segs ours = { .fs_base = home_fs };
	bool on = false;
	u64 flags;

	asm volatile("pushfq\n\tpop %0" : "=r" (flags));
	take_segs(&at_trap);
	give_flags(0);
	give_segs(&ours, true);
	/* the frame has the flags of the moment, but for these two */
	uc->uc_mcontext.gregs[REG_EFL] |= flags & (RVM_FL_ID | RVM_FL_NT);
	if (sig == SIGALRM) {
		on_alarm(uc);
		on = true;
	} else if (between_steps(uc)) {
		traps_left--;
		on = true;
	}
	if (on) {
		give_segs(&at_trap, true);
		give_flags(uc->uc_mcontext.gregs[REG_EFL]);
	} else {
		on_trap(uc);
	}
}

static void handler(int sig, siginfo_t *si, void *ucv)
{
	asm volatile("pushfq\n\tandl $~0x40000, (%%rsp)\n\tpopfq" ::: "cc", "memory");
	handler_body(sig, ucv);
}

/* ---- beginning ---- */

static u64 descriptor(u64 base, u64 limit, u64 attr)
{
	return (limit & 0xffff) | (base & 0xffffff) << 16 | (attr & 0xff) << 40 |
	       (limit & 0xf0000) << 32 | (attr & 0xf00) << 44 | (base >> 24) << 56;
}

static int own_cpuid(struct rvm_insn *insn, u32 *eax, u32 *ebx, u32 *ecx, u32 *edx)
{
	__cpuid_count(*eax, *ecx, *eax, *ebx, *ecx, *edx);
	return 0;
}

/* What this CPU does not have must be #UD in the interpreter as well. */
static void features(void)
{
	u32 a, b, c, d, hide = 0;

	__cpuid(0, a, b, c, d);
	w.insn.intel = b == 0x756e6547;
	__cpuid(1, a, b, c, d);
	hide |= c & bit_POPCNT ? 0 : RVM_HIDE_POPCNT;
	hide |= c & bit_MOVBE ? 0 : RVM_HIDE_MOVBE;
	hide |= c & bit_SSE4_2 ? 0 : RVM_HIDE_CRC32;
	hide |= c & bit_CMPXCHG16B ? 0 : RVM_HIDE_CX16;
	__cpuid_count(7, 0, a, b, c, d);
	hide |= b & bit_BMI ? 0 : RVM_HIDE_BMI1;
	hide |= b & bit_BMI2 ? 0 : RVM_HIDE_BMI2;
	hide |= b & bit_ADX ? 0 : RVM_HIDE_ADX;
	hide |= b & 1u << 20 ? 0 : RVM_HIDE_SMAP;
	hide |= b & 1u << 10 ? 0 : RVM_HIDE_INVPCID;
	hide |= c & bit_RDPID ? 0 : RVM_HIDE_RDPID;
	__cpuid(0x80000001, a, b, c, d);
	hide |= c & bit_LZCNT ? 0 : RVM_HIDE_LZCNT;
	hide |= d & 1u << 27 ? 0 : RVM_HIDE_RDTSCP;
	w.insn.hide = hide;
}

static int make_ldt(void)
{
	u32 i;

	for (i = 0; i < NR_LDT; i++) {
		u32 attr = ldt[i].attr;
		struct user_desc u = {
			.entry_number = i, .base_addr = ldt[i].base, .limit = ldt[i].limit,
			.seg_32bit = !!(attr & RVM_SEG_DB), .limit_in_pages = !!(attr & RVM_SEG_G),
			.contents = (attr & RVM_SEG_CODE ? 2 : 0) | (attr & RVM_SEG_E ? 1 : 0),
			.read_exec_only = !(attr & RVM_SEG_W), .useable = 1,
		};

		if (i == L_NOT_PRESENT || i == L_CONFORMING) {
			u.seg_not_present = 1;
			ldt[i].attr &= ~RVM_SEG_P;
		}
		if (syscall(SYS_modify_ldt, 0x11, &u, sizeof(u)))
			return -1;
		ldt_image[i] = descriptor(ldt[i].base, ldt[i].limit, ldt[i].attr);
	}
	return 0;
}

static int make_memory(void)
{
	u64 s = 1;
	u32 i, r;

	for (r = 0; r < NR_NATIVE_REGIONS; r++) {
		mem[r].native = mmap((void *)mem[r].start, mem[r].len, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
		if (mem[r].native != (void *)mem[r].start)
			return -1;
		mem[r].shadow = aligned_alloc(0x1000, mem[r].len);
		mem[r].base = malloc(mem[r].len);
		if (!mem[r].shadow || !mem[r].base)
			return -1;
		for (i = 0; i < mem[r].len; i++)
			mem[r].base[i] = r < R_DATA ? FILL : rnd(&s) >> 33;
		memcpy(mem[r].shadow, mem[r].base, mem[r].len);
		memcpy(mem[r].native, mem[r].base, mem[r].len);
		if (mprotect(mem[r].native, mem[r].len, mem[r].prot))
			return -1;
		world_region(&w, mem[r].start, mem[r].len, mem[r].shadow, mem[r].prot & PROT_WRITE);
		w.region[w.nr_regions - 1].noexec = !(mem[r].prot & PROT_EXEC);
		w.region[w.nr_regions - 1].counted = r == R_CODE;
	}
	world_cache(&w, true);
	cache = w.insn.cache;
	return 0;
}

static int setup(void)
{
	static const int sigs[] = { SIGTRAP, SIGSEGV, SIGILL, SIGFPE, SIGBUS, SIGALRM };
	static struct rvm_insn_ops ops;
	struct sigaction sa = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	stack_t ss = { .ss_size = ALT_LEN };
	struct rvm_cpu *c = &blank_cpu;
	u32 i;

	if (!(getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE)) {
		errno = EOPNOTSUPP;
		return -1;
	}
	world_init(&w);
	ops = *w.insn.ops;
	ops.cpuid = own_cpuid;
	w.insn.ops = &ops;
	w.foreign = foreign;
	w.present_from = 0x7ffffffff000ull;
	if (make_memory() || make_ldt())
		return -1;
	ss.ss_sp = mmap(NULL, ALT_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (ss.ss_sp == MAP_FAILED || sigaltstack(&ss, NULL))
		return -1;
	sigfillset(&sa.sa_mask);
	for (i = 0; i < ARRAY_SIZE(sigs); i++)
		if (sigaction(sigs[i], &sa, NULL))
			return -1;
	world_region(&w, GDT_AT, sizeof(gdt_image), (u8 *)gdt_image, false);
	world_region(&w, LDT_AT, sizeof(ldt_image), (u8 *)ldt_image, false);
	world_region(&w, IDT_AT, sizeof(idt_image), (u8 *)idt_image, false);
	/* the kernel's tables; of the entries below ring 3 only type and DPL matter */
	gdt_image[1] = descriptor(0, 0xfffff, 0xc9b);
	gdt_image[2] = descriptor(0, 0xfffff, 0xa9b);
	gdt_image[3] = descriptor(0, 0xfffff, 0xc93);
	gdt_image[4] = descriptor(0, 0xfffff, 0xcfb);
	gdt_image[5] = descriptor(0, 0xfffff, 0xcf3);
	gdt_image[6] = descriptor(0, 0xfffff, 0xafb);
	gdt_image[8] = descriptor(0, 0x67, 0x8b);
	gdt_image[10] = descriptor(0, 0x37, 0x82);
	gdt_image[15] = descriptor(0, 0, 0x4f5);
	for (i = 0; i < 256; i++)
		idt_image[2 * i] = 0x8e0000100000ull |
				   (i == RVM_BP || i == RVM_OF ? 3ull << 45 : 0);

	c->cr0 = RVM_CR0_PE | RVM_CR0_MP | RVM_CR0_ET | RVM_CR0_NE | RVM_CR0_WP | RVM_CR0_AM |
		 RVM_CR0_PG;
	c->cr4 = RVM_CR4_PAE | RVM_CR4_OSFXSR | RVM_CR4_OSXMM | RVM_CR4_OSXSAVE |
		 RVM_CR4_FSGSBASE | RVM_CR4_UMIP;
	c->efer = RVM_EFER_LME | RVM_EFER_LMA | RVM_EFER_SCE | RVM_EFER_NXE;
	c->cpl = 3;
	c->gdtr.base = GDT_AT;
	c->gdtr.limit = sizeof(gdt_image) - 1;
	c->idtr.base = IDT_AT;
	c->idtr.limit = 0xfff;
	c->seg[RVM_LDTR].base = LDT_AT;
	c->seg[RVM_LDTR].limit = sizeof(ldt_image) - 1;
	c->seg[RVM_LDTR].attr = RVM_SEG_P | 2;
	c->seg[RVM_TR].attr = RVM_SEG_P | 0xb;
	c->seg[RVM_TR].limit = 0x66;	/* the map is beyond the limit: no port allowed */
	features();
	return 0;
}

/* One CPU for each process: descriptor and TSC_AUX that name it stay the same. */
static void pin(u32 nr)
{
	cpu_set_t may, one;
	u32 cpu, n = 0, aux, limit = 0, a, d;

	if (sched_getaffinity(0, sizeof(may), &may))
		return;
	nr %= CPU_COUNT(&may);
	for (cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &may) || n++ != nr)
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		sched_setaffinity(0, sizeof(one), &one);
		break;
	}
	asm volatile("lsl %1, %0" : "+r" (limit) : "r" (0x7b));
	gdt_image[15] = descriptor(0, limit, 0x4f5);
	if (!(w.insn.hide & RVM_HIDE_RDTSCP)) {
		asm volatile("rdtscp" : "=a" (a), "=d" (d), "=c" (aux));
		blank_cpu.tsc_aux = aux;
	}
	asm volatile("xgetbv" : "=a" (a), "=d" (d) : "c" (0));
	blank_cpu.xcr0 = a | (u64)d << 32;
}

static void work(u32 nr)
{
	struct itimerval tick = { { 1, 0 }, { 1, 0 } };

	proc = nr;
	pin(nr);
	asm volatile("rdfsbase %0" : "=r" (home_fs));
	setitimer(ITIMER_REAL, &tick, NULL);
	asm volatile("int3" ::: "memory");
	tick = (struct itimerval){ 0 };
	setitimer(ITIMER_REAL, &tick, NULL);
	fflush(stdout);
}

static void add(struct tally *sum, const struct tally *t)
{
	u64 *a = (u64 *)sum;
	const u64 *b = (const u64 *)t;
	u32 i;

	for (i = 0; i < sizeof(*sum) / sizeof(u64); i++)
		a[i] += b[i];
}

/* Rows that user mode can execute, and how many of them were met in each form. */
static void print_rows(const struct tally *t)
{
	u32 i, want = 0, met = 0;

	for (i = 0; i < nr_rows; i++) {
		struct rvm_decoded d = { .op = rows[i].op };
		bool mem_form = rows[i].forms & ~ROW_REG, reg_form = rows[i].forms & ROW_REG;

		if (excluded(&d))
			continue;
		/* PREFETCH with a register is Intel's NOP; AMD's #UD is no row */
		if (rows[i].map == 1 && rows[i].opcode == 0x0d && !w.insn.intel)
			reg_form = false;
		want += mem_form + reg_form;
		met += (mem_form && t->row[i][0]) + (reg_form && t->row[i][1]);
		if (verbose)
			printf("# row %4u %-30s memory %9llu register %9llu faults %9llu\n", i,
			       row_name(i), (unsigned long long)t->row[i][0],
			       (unsigned long long)t->row[i][1],
			       (unsigned long long)t->row_fault[i]);
		else if ((mem_form && !t->row[i][0]) || (reg_form && !t->row[i][1]))
			printf("# not met: row %u %s\n", i, row_name(i));
	}
	printf("# rows of the opcode tables by form: %u of %u met\n", met, want);
}

static void print_sum(const struct tally *t, double seconds)
{
	u32 i, ops = 0;

	for (i = 0; i < RVM_NR_OPS; i++) {
		ops += t->per_op[i] != 0;
		if (t->fails_of[i])
			printf("# %llu of %llu differ: %s\n", (unsigned long long)t->fails_of[i],
			       (unsigned long long)t->per_op[i], rvm_op_name(i));
		if (t->unhandled_op[i])
			printf("# %llu not run, the interpreter does not have it: %s\n",
			       (unsigned long long)t->unhandled_op[i], rvm_op_name(i));
		if (verbose && t->per_op[i])
			printf("# %s %llu\n", rvm_op_name(i), (unsigned long long)t->per_op[i]);
	}
	printf("# ended by");
	for (i = 0; i < 32; i++)
		if (t->vectors[i])
			printf(" vector %u: %llu", i, (unsigned long long)t->vectors[i]);
	printf("\n# seed %llu: %llu compared (16-bit %llu, 32-bit %llu, 64-bit %llu), %llu sequences, %llu faults, %llu without meaning; %llu instructions of %u kinds\n",
	       (unsigned long long)seed, (unsigned long long)t->compared,
	       (unsigned long long)t->per_mode[0], (unsigned long long)t->per_mode[1],
	       (unsigned long long)t->per_mode[2], (unsigned long long)t->sequences,
	       (unsigned long long)t->faulted, (unsigned long long)t->skipped,
	       (unsigned long long)t->instructions, ops);
	printf("# not decided: %llu lengths of undefined opcodes, %llu branches at a segment's end\n",
	       (unsigned long long)t->ud_lengths, (unsigned long long)t->limit_branches);
	printf("# %.1f s, %.0f cases per second, %u processes; %llu differences\n", seconds,
	       t->compared / seconds, procs, (unsigned long long)t->failures);
}

int main(int argc, char **argv)
{
	struct tally *shared, *sum;
	struct timespec begin, end;
	bool count_rows = false, died = false;
	u64 total;
	u32 i;
	int c;

	while ((c = getopt(argc, argv, "n:s:j:m:r:k:cv")) != -1) {
		switch (c) {
		case 'n':
			want_cases = strtoull(optarg, NULL, 0);
			break;
		case 's':
			seed = strtoull(optarg, NULL, 0);
			break;
		case 'j':
			procs = strtoul(optarg, NULL, 0);
			break;
		case 'm':
			only_mode = atoi(optarg) == 16 ? RVM_DEC_16 : atoi(optarg) == 32 ?
				    RVM_DEC_32 : RVM_DEC_64;
			break;
		case 'r':
			only_row = atoi(optarg);
			break;
		case 'k':
			only_key = strtoull(optarg, NULL, 0);
			one_key = true;
			want_cases = procs = 1;
			break;
		case 'c':
			count_rows = true;
			break;
		case 'v':
			verbose = true;
			break;
		default:
			return 2;
		}
	}
	if (!procs || procs > MAX_PROCS)
		return 2;
	rows_init();
	printf("KTAP version 1\n");
	if (setup()) {
		printf("1..0 # SKIP no LDT, FSGSBASE or fixed mappings: %s\n", strerror(errno));
		return 4;
	}
	shared = mmap(NULL, sizeof(*shared) * procs, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	sum = calloc(1, sizeof(*sum));
	if (shared == MAP_FAILED || !sum)
		return 1;
	printf("1..1\n");
	fflush(stdout);
	total = want_cases;
	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (i = 0; i < procs; i++) {
		pid_t pid;

		tally = &shared[i];
		want_cases = total / procs + (i < total % procs);
		pid = procs > 1 ? fork() : 0;
		if (pid < 0)
			return 1;
		if (!pid) {
			work(i);
			if (procs > 1)
				_exit(0);
		}
	}
	while (procs > 1 && wait(&c) > 0)
		died |= c != 0;
	clock_gettime(CLOCK_MONOTONIC, &end);
	for (i = 0; i < procs; i++)
		add(sum, &shared[i]);
	print_sum(sum, (end.tv_sec - begin.tv_sec) + (end.tv_nsec - begin.tv_nsec) / 1e9);
	if (count_rows)
		print_rows(sum);
	if (died)
		printf("# a process died\n");
	c = sum->failures || died || (!sum->compared && !one_key);
	printf("%sok 1 native_execution\n", c ? "not " : "");
	return c;
}
