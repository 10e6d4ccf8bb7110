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
 * the last one was received, in intervals between @min_ns and @max_ns.  How late timer
 * interrupts are is looked at apart where they come from code at @apart to @apart_end.
 */
struct storm_run {
	__u32 kind, from, to;
	__u32 min_ns, max_ns;
	__u32 pad;
	__u64 count;
	__u64 apart, apart_end;
};

/*
 * How the storm of this kind on CPU @to goes.  @extra: received without having been
 * sent.  @bad: handlers that found the CPU in a state that is not the host's; @bad_word:
 * what was wrong in the last of them, an index of STORM_WORDS, and @bad_bits how.
 */
struct storm_status {
	__u32 kind, to;
	__u64 sent, received, extra, bad;
	__u32 bad_word, pad;
	__u64 bad_bits;
};

/*
 * How late the timer interrupts of the storm on CPU @to were: from the moment that the
 * timer was set for to its function, in ns.  Interrupts were off that long, but for what
 * the kernel's own handler takes before it comes to the function.  [0]: all of them, [1]:
 * those @apart.  @reached[n]: how many were late by 2^n ns or more.
 */
#define STORM_LATE_POWERS	24

struct storm_late {
	__u32 to, pad;
	struct storm_lateness {
		__u64 count, worst;
		__u64 reached[STORM_LATE_POWERS];
	} of[2];
};

/*
 * Where timer interrupts were late by STORM_SITE_NS or more: the function that was
 * interrupted, as soon as it could be, its caller, and so on, as the kernel writes
 * addresses.  @n: which, from 0 on; -ENOENT when there are no more.
 */
#define STORM_SITE_NS		4096
#define STORM_SITES		32
#define STORM_SITE_DEPTH	4

struct storm_site {
	__u32 to, n;
	__u64 count, worst;
	char at[STORM_SITE_DEPTH][64];
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
#define STORM_LATE	_IOWR('S', 6, struct storm_late)
#define STORM_SITE	_IOWR('S', 8, struct storm_site)
/* So many ns, at most 10^7, with interrupts off: for those who want to see it measured. */
#define STORM_HOLD	_IO('S', 7)

#endif
