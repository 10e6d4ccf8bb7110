/* SPDX-License-Identifier: GPL-2.0 */
/* Differences between kernel versions that assembly meets. */
#ifndef RVM_COMPAT_ASM_H
#define RVM_COMPAT_ASM_H

#include <linux/version.h>
#include <asm/unwind_hints.h>

/* Code on no stack that could be walked: 6.4 has another name for it. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 4, 0)
#define RVM_HINT_NO_STACK	UNWIND_HINT_EMPTY
#else
#define RVM_HINT_NO_STACK	UNWIND_HINT_UNDEFINED
#endif

#endif /* RVM_COMPAT_ASM_H */
