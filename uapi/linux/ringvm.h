/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * The part of ringvm's ABI for which <linux/kvm.h> has no word.
 *
 * Every ringvm node answers KVM's ioctls (type 0xAE, API version 12).  The
 * calls below are ringvm's own, on a block of their own.  All structures have
 * the same layout for 32-bit and 64-bit callers; reserved fields must be zero
 * (EINVAL otherwise) so that they can be given a meaning later.
 */
#ifndef _UAPI_LINUX_RINGVM_H
#define _UAPI_LINUX_RINGVM_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define RINGVM_IO		0xB7

/* enum of struct ringvm_info.mode; the values are ABI */
#define RINGVM_MODE_INTERP	1
#define RINGVM_MODE_RING1	2
#define RINGVM_MODE_SVM		3
#define RINGVM_MODE_VMX		4

#define RINGVM_NAME_LEN		16
#define RINGVM_WHY_LEN		232

/**
 * struct ringvm_info - which mode a node gives, and why
 * @mode: RINGVM_MODE_*
 * @reserved: written as 0
 * @name: the mode's name, NUL-terminated ("svm")
 * @why: one NUL-terminated line: why this node is that mode
 */
struct ringvm_info {
	__u32 mode;
	__u32 reserved;
	char  name[RINGVM_NAME_LEN];
	char  why[RINGVM_WHY_LEN];
};

/* on the system fd (the open node) */
#define RINGVM_GET_INFO		_IOR(RINGVM_IO, 0x00, struct ringvm_info)

/**
 * struct ringvm_reason - why KVM_RUN gave up
 * @text: NUL-terminated words, or empty; the rest is 0
 *
 * After KVM_EXIT_FAIL_ENTRY or KVM_EXIT_INTERNAL_ERROR: what kvm_run's numbers
 * do not say.  Empty after any other exit.
 */
struct ringvm_reason {
	char text[RINGVM_WHY_LEN];
};

/* on a vCPU */
#define RINGVM_GET_REASON	_IOR(RINGVM_IO, 0x01, struct ringvm_reason)

#endif /* _UAPI_LINUX_RINGVM_H */
