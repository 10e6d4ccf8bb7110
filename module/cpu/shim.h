/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The one place where the parts that also build in userspace (module/insn/,
 * module/cpu/state.h, module/mmu/walk.c) learn which world they are in.
 * hostmem.h is its other half, for those that reach guest memory directly: the
 * kernel headers which that takes bring macros with the names of callbacks.
 */
#ifndef RVM_SHIM_H
#define RVM_SHIM_H

#ifdef __KERNEL__
#include <linux/types.h>
#include <linux/string.h>
#include <linux/compiler.h>
#include <linux/build_bug.h>
#else
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t s8;
typedef int16_t s16;
typedef int32_t s32;
typedef int64_t s64;

#define likely(x)	__builtin_expect(!!(x), 1)
#define unlikely(x)	__builtin_expect(!!(x), 0)
#define fallthrough	__attribute__((__fallthrough__))
#define READ_ONCE(x)	(*(const volatile __typeof__(x) *)&(x))
#define BUILD_BUG_ON(c)	_Static_assert(!(c), #c)
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#ifndef __always_inline
#define __always_inline	inline __attribute__((__always_inline__))
#endif
#endif

#endif /* RVM_SHIM_H */
