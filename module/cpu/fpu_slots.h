/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What fpu_slots.S and fpu_exec.c share: the slots' layout, and struct
 * rvm_fpu_job's as the assembler sees it.
 */
#ifndef RVM_FPU_SLOTS_H
#define RVM_FPU_SLOTS_H

/* A pool of slots for each CPU; CPUs beyond share (cpu modulo pools). */
#define RVM_FPU_POOLS		16
#define RVM_FPU_SLOTS		512
#define RVM_FPU_SLOT_SIZE	32
#define RVM_FPU_SLOT_CODE	4	/* behind the ENDBR64 */

#define RVM_FPU_JOB_RAX		24
#define RVM_FPU_JOB_RCX		32
#define RVM_FPU_JOB_RDX		40
#define RVM_FPU_JOB_RFLAGS	48
#define RVM_FPU_JOB_MEM		56

#endif /* RVM_FPU_SLOTS_H */
