/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Every difference between kernel versions, and nothing else.
 * Known to build: 6.1.
 */
#ifndef RVM_COMPAT_H
#define RVM_COMPAT_H

#include <linux/version.h>

#endif /* RVM_COMPAT_H */
