/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Guest memory by host address: of the VM's owner's address space in the
 * kernel, from a thread that lives in it; plain memory in userspace.  The
 * addresses come from rvm_insn_ops.map and lie in ordinary memory that the
 * owner gave to the guest, so neither access_ok() nor a fence against its
 * speculative bypass is due here: whatever entry a mispredicted lookup finds,
 * its address is one of those.
 *
 * All return false where nothing is mapped (any more), and may sleep.  An
 * aligned access of 1, 2, 4 or 8 bytes is one access of the host's.
 */
#ifndef RVM_HOSTMEM_H
#define RVM_HOSTMEM_H

#include "shim.h"

#ifdef __KERNEL__
#include <linux/uaccess.h>

#define __RVM_HOST_LOAD(t, addr, val, fail)					\
	do {									\
		t __v;								\
										\
		unsafe_get_user(__v, (t __user *)(unsigned long)(addr), fail);	\
		*(val) = __v;							\
	} while (0)
#define __RVM_HOST_STORE(t, addr, val, fail)					\
	unsafe_put_user((t)(val), (t __user *)(unsigned long)(addr), fail)
#define __RVM_HOST_CMPXCHG(t, addr, old, val, fail)				\
	do {									\
		t __old = *(old);						\
										\
		unsafe_try_cmpxchg_user((t __user *)(unsigned long)(addr),	\
					&__old, (t)(val), fail);		\
		*(old) = __old;							\
	} while (0)
#define rvm_host_begin()	__uaccess_begin()
#define rvm_host_end()		__uaccess_end()

#else

#define __RVM_HOST_AT(t, addr)							\
	((volatile struct __attribute__((__packed__, __may_alias__)) { t v; } *)\
	 (uintptr_t)(addr))
#define __RVM_HOST_LOAD(t, addr, val, fail)					\
	do {									\
		if (0)								\
			goto fail;						\
		*(val) = __RVM_HOST_AT(t, addr)->v;				\
	} while (0)
#define __RVM_HOST_STORE(t, addr, val, fail)					\
	do {									\
		if (0)								\
			goto fail;						\
		__RVM_HOST_AT(t, addr)->v = (val);				\
	} while (0)
#define __RVM_HOST_CMPXCHG(t, addr, old, val, fail)				\
	do {									\
		t __old = *(old);						\
										\
		if (0)								\
			goto fail;						\
		__atomic_compare_exchange_n((t *)(uintptr_t)(addr), &__old,	\
					    (t)(val), false,			\
					    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);\
		*(old) = __old;							\
	} while (0)
#define rvm_host_begin()	do { } while (0)
#define rvm_host_end()		do { } while (0)
#endif

/* @size 1, 2, 4 or 8; zero-extended */
static __always_inline bool rvm_host_load(u64 addr, u64 *val, u32 size)
{
	rvm_host_begin();
	if (size == 8)
		__RVM_HOST_LOAD(u64, addr, val, fail);
	else if (size == 4)
		__RVM_HOST_LOAD(u32, addr, val, fail);
	else if (size == 2)
		__RVM_HOST_LOAD(u16, addr, val, fail);
	else
		__RVM_HOST_LOAD(u8, addr, val, fail);
	rvm_host_end();
	return true;
fail:
	rvm_host_end();
	return false;
}

/* Sixteen bytes, as two loads */
static __always_inline bool rvm_host_load16(u64 addr, u64 *low, u64 *high)
{
	rvm_host_begin();
	__RVM_HOST_LOAD(u64, addr, low, fail);
	__RVM_HOST_LOAD(u64, addr + 8, high, fail);
	rvm_host_end();
	return true;
fail:
	rvm_host_end();
	return false;
}

static __always_inline bool rvm_host_store(u64 addr, u64 val, u32 size)
{
	rvm_host_begin();
	if (size == 8)
		__RVM_HOST_STORE(u64, addr, val, fail);
	else if (size == 4)
		__RVM_HOST_STORE(u32, addr, val, fail);
	else if (size == 2)
		__RVM_HOST_STORE(u16, addr, val, fail);
	else
		__RVM_HOST_STORE(u8, addr, val, fail);
	rvm_host_end();
	return true;
fail:
	rvm_host_end();
	return false;
}

/* Atomic; *old receives what was found.  @size 1, 2, 4, 8, naturally aligned. */
static __always_inline bool rvm_host_cmpxchg(u64 addr, u64 *old, u64 val, u32 size)
{
	rvm_host_begin();
	if (size == 8)
		__RVM_HOST_CMPXCHG(u64, addr, old, val, fail);
	else if (size == 4)
		__RVM_HOST_CMPXCHG(u32, addr, old, val, fail);
	else if (size == 2)
		__RVM_HOST_CMPXCHG(u16, addr, old, val, fail);
	else
		__RVM_HOST_CMPXCHG(u8, addr, old, val, fail);
	rvm_host_end();
	return true;
fail:
	rvm_host_end();
	return false;
}

/* The same for 16 bytes; the host's CPU has the instruction. */
static __always_inline bool rvm_host_cmpxchg16(u64 addr, u64 *old, const u64 *val)
{
	int err = 0;

	rvm_host_begin();
#ifdef __KERNEL__
	asm volatile("1: lock cmpxchg16b (%[mem])\n2:\n"
		     _ASM_EXTABLE_TYPE_REG(1b, 2b, EX_TYPE_EFAULT_REG, %[err])
		     : [err] "+r" (err), "+a" (old[0]), "+d" (old[1])
		     : [mem] "r" (addr), "b" (val[0]), "c" (val[1]) : "cc", "memory");
#else
	asm volatile("lock cmpxchg16b (%[mem])"
		     : "+a" (old[0]), "+d" (old[1])
		     : [mem] "r" (addr), "b" (val[0]), "c" (val[1]) : "cc", "memory");
#endif
	rvm_host_end();
	return !err;
}

/*
 * @n items of @size bytes (1, 2, 4, 8) from @from to @to one after the other, the
 * last one first if @down; returns how many before something was not mapped.
 */
static inline u32 rvm_host_move(u64 to, u64 from, u32 size, u32 n, bool down)
{
	/* Without an overlap the order shows nowhere, and several go at once. */
	bool apart = to - from >= (u64)size * n && from - to >= (u64)size * n;
	u32 bytes = size * n, at = 0, step = size;
	u64 v = 0;

	if (apart && bytes >= 8)
		step = 8;
	rvm_host_begin();
	while (at + step <= bytes) {
		u32 here = down ? bytes - at - step : at;

		if (step == 8) {
			__RVM_HOST_LOAD(u64, from + here, &v, fail);
			__RVM_HOST_STORE(u64, to + here, v, fail);
		} else if (step == 4) {
			__RVM_HOST_LOAD(u32, from + here, &v, fail);
			__RVM_HOST_STORE(u32, to + here, v, fail);
		} else if (step == 2) {
			__RVM_HOST_LOAD(u16, from + here, &v, fail);
			__RVM_HOST_STORE(u16, to + here, v, fail);
		} else {
			__RVM_HOST_LOAD(u8, from + here, &v, fail);
			__RVM_HOST_STORE(u8, to + here, v, fail);
		}
		at += step;
		if (step != size && at + step > bytes)
			step = size;
	}
fail:
	rvm_host_end();
	return at / size;
}

/*
 * @val over and over, of @size 1, 2, 4 or 8 bytes; @len is a multiple of @size.
 * False may leave a part done.
 */
static inline bool rvm_host_fill(u64 to, u64 val, u32 size, u32 len)
{
	u32 at;

	if (size == 1)
		val = (u8)val * 0x0101010101010101ull;
	else if (size == 2)
		val = (u16)val * 0x0001000100010001ull;
	else if (size == 4)
		val = (u32)val * 0x0000000100000001ull;
	rvm_host_begin();
	for (at = 0; at + 8 <= len; at += 8)
		__RVM_HOST_STORE(u64, to + at, val, fail);
	for (; at < len; at++)
		__RVM_HOST_STORE(u8, to + at, val >> (at & 7) * 8, fail);
	rvm_host_end();
	return true;
fail:
	rvm_host_end();
	return false;
}

/* Any length; false may leave a part done. */
static inline bool rvm_host_read(u64 addr, void *buf, u32 len)
{
#ifdef __KERNEL__
	return !__copy_from_user(buf, (void __user *)(unsigned long)addr, len);
#else
	memcpy(buf, (void *)(uintptr_t)addr, len);
	return true;
#endif
}

static inline bool rvm_host_write(u64 addr, const void *buf, u32 len)
{
#ifdef __KERNEL__
	return !__copy_to_user((void __user *)(unsigned long)addr, buf, len);
#else
	memcpy((void *)(uintptr_t)addr, buf, len);
	return true;
#endif
}

#endif /* RVM_HOSTMEM_H */
