/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The host's floating-point and vector unit for a world: its registers are kept
 * as an XSAVE image, and loaded around each instruction.
 */
#ifndef RVM_TEST_UNIT_H
#define RVM_TEST_UNIT_H

#include "world.h"

/* Components compared and switched: x87, SSE, AVX. */
#define UNIT_MASK	7ull

/* Legacy region of an XSAVE image, header, and the upper halves of YMM. */
struct unit_image {
	u16 fcw, fsw;
	u8 ftw, rsvd;
	u16 fop;
	u64 fip, fdp;
	u32 mxcsr, mxcsr_mask;
	u8 st[8][16];
	u8 xmm[16][16];
	u8 pad[96];
	u64 bv, comp_bv, header[6];
	u8 ymm[16][16];
	u8 rest[4096 - 832];
} __attribute__((aligned(64)));

extern const struct rvm_xcomp *unit_xcomp;	/* the host's, from CPUID */

/*
 * Once: pages for code, handlers for SIGILL, SIGFPE, SIGSEGV.  A program with
 * handlers of its own passes what unit_signal() does not take.
 */
void unit_setup(bool handlers);
/* True if the signal came from the unit's code: return from the handler. */
bool unit_signal(void *ucontext);
/* Give @w the unit; @image: its registers, 64-byte aligned. */
void unit_attach(struct world *w, struct unit_image *image);
/* Everything in its initial state. */
void unit_reset(struct unit_image *image);

int unit_run(struct rvm_insn *insn, struct rvm_fpu_job *job);

#endif /* RVM_TEST_UNIT_H */
