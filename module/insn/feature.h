/* SPDX-License-Identifier: GPL-2.0 */
/*
 * CPUID features that floating-point and vector instructions belong to.
 */
#ifndef RVM_INSN_FEATURE_H
#define RVM_INSN_FEATURE_H

#include "../cpu/shim.h"

/* Name, and where CPUID shows it: leaf, subleaf, register, bit. */
#define RVM_FEATURES(X) \
	X(FPU, 1, 0, EDX, 0) X(MMX, 1, 0, EDX, 23) X(FXSR, 1, 0, EDX, 24) \
	X(SSE, 1, 0, EDX, 25) X(SSE2, 1, 0, EDX, 26) X(SSE3, 1, 0, ECX, 0) \
	X(PCLMUL, 1, 0, ECX, 1) X(SSSE3, 1, 0, ECX, 9) X(FMA, 1, 0, ECX, 12) \
	X(SSE41, 1, 0, ECX, 19) X(SSE42, 1, 0, ECX, 20) X(AES, 1, 0, ECX, 25) \
	X(XSAVE, 1, 0, ECX, 26) X(AVX, 1, 0, ECX, 28) X(F16C, 1, 0, ECX, 29) \
	X(AVX2, 7, 0, EBX, 5) X(AVX512F, 7, 0, EBX, 16) X(SHA, 7, 0, EBX, 29) \
	X(GFNI, 7, 0, ECX, 8) X(VAES, 7, 0, ECX, 9) X(VPCLMUL, 7, 0, ECX, 10) \
	X(AVXVNNI, 7, 1, EAX, 4) X(AVXIFMA, 7, 1, EAX, 23) \
	X(AVXVNNI8, 7, 1, EDX, 4) X(AVXNECONV, 7, 1, EDX, 5) \
	X(XSAVEOPT, 0xd, 1, EAX, 0) X(XSAVEC, 0xd, 1, EAX, 1) X(XSAVES, 0xd, 1, EAX, 3) \
	X(SSE4A, 0x80000001, 0, ECX, 6) X(XOP, 0x80000001, 0, ECX, 11) \
	X(FMA4, 0x80000001, 0, ECX, 16) \
	X(MMXEXT, 0x80000001, 0, EDX, 22) X(3DNOW, 0x80000001, 0, EDX, 31)

enum rvm_feature {
	RVM_UF_NONE,
#define X(n, leaf, sub, reg, bit) RVM_UF_##n,
	RVM_FEATURES(X)
#undef X
	RVM_NR_FEATURES,	/* at most 64: rvm_insn.hide_unit */
};

/* @reg: 0 EAX, 1 EBX, 2 ECX, 3 EDX.  RVM_UF_NONE has none. */
struct rvm_feature_bit {
	u32 leaf;
	u8 sub, reg, bit;
};

extern const struct rvm_feature_bit rvm_feature_bits[RVM_NR_FEATURES];

struct rvm_decoded;

/* The feature that @d belongs to; RVM_UF_NONE outside the unit. */
u8 rvm_insn_feature(const struct rvm_decoded *d);

/*
 * MMXEXT came with SSE on Intel's CPUs, which do not show the bit: whoever fills
 * hide_unit treats it as shown where SSE is.
 */

#endif /* RVM_INSN_FEATURE_H */
