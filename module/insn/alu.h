/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Arithmetic by the host's own instructions: the result and all six flags are
 * what the CPU gives, the undefined ones included.  LAHF and SETO take the
 * flags out without touching the stack (no red zone to spare in userspace).
 */
#ifndef RVM_INSN_ALU_H
#define RVM_INSN_ALU_H

#include "exec.h"

/* The flags in AX, where they are in RFLAGS: LAHF's in AL, OF as bit 3 of AH. */
#define RVM_GET_FLAGS	"lahf\n\tseto %%al\n\tshl $3, %%al\n\trol $8, %%ax"

static __always_inline u64 rvm_flags_of(u32 ax)
{
	return ax & RVM_FL_ARITH;
}

#define RVM_ALU2_SIZE(ins, pre, t, d, s, cf)					\
	do {									\
		t __d = (t)(d), __s = (t)(s);					\
										\
		asm(pre ins " %[src], %[dst]\n\t" RVM_GET_FLAGS			\
		    : [dst] "+r" (__d), "=&a" (ax)				\
		    : [src] "r" (__s), [c] "r" ((u32)(cf)) : "cc");		\
		res = __d;							\
	} while (0)

/* Two operands of @size bytes: u64 fn(size, dst, src, carry in, &flags) */
#define RVM_ALU2(name, ins, pre)						\
static __always_inline u64 rvm_alu_##name(u32 size, u64 d, u64 s, u64 cf, u64 *fl) \
{										\
	u64 res;								\
	u32 ax;									\
										\
	if (size == 8)								\
		RVM_ALU2_SIZE(ins "q", pre, u64, d, s, cf);			\
	else if (size == 4)							\
		RVM_ALU2_SIZE(ins "l", pre, u32, d, s, cf);			\
	else if (size == 2)							\
		RVM_ALU2_SIZE(ins "w", pre, u16, d, s, cf);			\
	else									\
		RVM_ALU2_SIZE(ins "b", pre, u8, d, s, cf);			\
	*fl = rvm_flags_of(ax);							\
	return res;								\
}

#define RVM_SET_CARRY	"bt $0, %[c]\n\t"

RVM_ALU2(add, "add", "")
RVM_ALU2(or, "or", "")
RVM_ALU2(adc, "adc", RVM_SET_CARRY)
RVM_ALU2(sbb, "sbb", RVM_SET_CARRY)
RVM_ALU2(and, "and", "")
RVM_ALU2(sub, "sub", "")
RVM_ALU2(xor, "xor", "")

/* Shifts and rotates by CL; the count must not be zero after masking. */
#define RVM_SHIFT_SIZE(ins, t, d, n, cf)					\
	do {									\
		t __d = (t)(d);							\
										\
		asm(RVM_SET_CARRY ins " %%cl, %[dst]\n\t" RVM_GET_FLAGS		\
		    : [dst] "+r" (__d), "=&a" (ax)				\
		    : "c" ((u8)(n)), [c] "r" ((u32)(cf)) : "cc");		\
		res = __d;							\
	} while (0)

#define RVM_SHIFT(name, ins)							\
static inline u64 rvm_alu_##name(u32 size, u64 d, u32 n, u64 cf, u64 *fl)	\
{										\
	u64 res;								\
	u32 ax;									\
										\
	if (size == 8)								\
		RVM_SHIFT_SIZE(ins "q", u64, d, n, cf);				\
	else if (size == 4)							\
		RVM_SHIFT_SIZE(ins "l", u32, d, n, cf);				\
	else if (size == 2)							\
		RVM_SHIFT_SIZE(ins "w", u16, d, n, cf);				\
	else									\
		RVM_SHIFT_SIZE(ins "b", u8, d, n, cf);				\
	*fl = rvm_flags_of(ax);							\
	return res;								\
}

RVM_SHIFT(rol, "rol")
RVM_SHIFT(ror, "ror")
RVM_SHIFT(rcl, "rcl")
RVM_SHIFT(rcr, "rcr")
RVM_SHIFT(shl, "shl")
RVM_SHIFT(shr, "shr")
RVM_SHIFT(sar, "sar")

#define RVM_SHIFTD_SIZE(ins, t, d, s, n)					\
	do {									\
		t __d = (t)(d), __s = (t)(s);					\
										\
		asm(ins " %%cl, %[src], %[dst]\n\t" RVM_GET_FLAGS		\
		    : [dst] "+r" (__d), "=&a" (ax)				\
		    : [src] "r" (__s), "c" ((u8)(n)) : "cc");			\
		res = __d;							\
	} while (0)

#define RVM_SHIFTD(name, ins)							\
static inline u64 rvm_alu_##name(u32 size, u64 d, u64 s, u32 n, u64 *fl)	\
{										\
	u64 res;								\
	u32 ax;									\
										\
	if (size == 8)								\
		RVM_SHIFTD_SIZE(ins "q", u64, d, s, n);				\
	else if (size == 4)							\
		RVM_SHIFTD_SIZE(ins "l", u32, d, s, n);				\
	else									\
		RVM_SHIFTD_SIZE(ins "w", u16, d, s, n);				\
	*fl = rvm_flags_of(ax);							\
	return res;								\
}

RVM_SHIFTD(shld, "shld")
RVM_SHIFTD(shrd, "shrd")

#endif /* RVM_INSN_ALU_H */
