/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the test module ringvm_storm and the programs that use it agree on: the
 * ioctls of /dev/ringvm-storm.
 */
#ifndef RVM_SELFTESTS_STORM_H
#define RVM_SELFTESTS_STORM_H

#include <linux/ioctl.h>
#include <linux/types.h>

enum storm_kind {
	STORM_TIMER,		/* timer interrupts: one-shot, each armed by the one before */
	STORM_IPI,		/* smp_call_function_single_async() */
	STORM_NMI,		/* IPIs with NMI as their delivery mode */
	STORM_KINDS,
};

/*
 * Begin one.  CPU @from sends to CPU @to (a timer: the same) @count times, never before
 * the last one was received, in intervals between @min_ns and @max_ns.
 */
struct storm_run {
	__u32 kind, from, to;
	__u32 min_ns, max_ns;
	__u32 pad;
	__u64 count;
};

/*
 * How the storm of this kind on CPU @to goes.  @extra: received without having been
 * sent.  @bad: handlers that found the CPU in a state that is not the host's; @bad_word:
 * what was wrong in the last of them, an index of STORM_WORDS.
 */
struct storm_status {
	__u32 kind, to;
	__u64 sent, received, extra, bad;
	__u32 bad_word, pad;
};

/* A CPU's state, of the caller's thread where it is a thread's. */
#define STORM_WORDS(X)							\
	X(gdtr_base) X(gdtr_limit) X(gdt) X(kernel_gdt) X(idtr_base) X(idtr_limit) X(idt)	\
	X(ldtr) X(tr) X(rsp0) X(rsp1) X(ist1) X(ist2) X(ist3) X(ist4)	\
	X(ist5) X(ist6) X(ist7) X(io_bitmap)				\
	X(cr0) X(cr3) X(root) X(cr4) X(cr8) X(xcr0) X(pkru)		\
	X(dr0) X(dr1) X(dr2) X(dr3) X(dr6) X(dr7)			\
	X(efer) X(star) X(lstar) X(cstar) X(sfmask)			\
	X(sysenter_cs) X(sysenter_esp) X(sysenter_eip)			\
	X(fs_base) X(gs_base) X(kernel_gs_base)				\
	X(pat) X(tsc_aux) X(xss) X(debugctl) X(spec_ctrl) X(misc_features)	\
	X(cs) X(ss) X(ds) X(es) X(fs) X(gs)

enum storm_word {
#define X(name) STORM_W_##name,
	STORM_WORDS(X)
#undef X
	STORM_NR_WORDS
};

struct storm_state {
	__u32 cpu, nr;		/* nr: STORM_NR_WORDS */
	__u64 word[STORM_NR_WORDS];
};

#define STORM_START	_IOW('S', 1, struct storm_run)
#define STORM_STATUS	_IOWR('S', 2, struct storm_status)
/* End all; none is under way when it returns. */
#define STORM_STOP	_IO('S', 3)
#define STORM_STATE	_IOR('S', 4, struct storm_state)
/* Write TSC_AUX of the caller's CPU, as another user of it might. */
#define STORM_TSC_AUX	_IO('S', 5)

#endif
