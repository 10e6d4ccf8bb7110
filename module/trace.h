/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints, ringvm:*.  rvm_entry and rvm_exit have the fields of
 * kvm:kvm_entry and kvm:kvm_exit, so that the same scripts read both.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM ringvm

#if !defined(RVM_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define RVM_TRACE_H

#include <linux/tracepoint.h>

#include "mode.h"

TRACE_EVENT(rvm_entry,
	TP_PROTO(struct rvm_vcpu *v),
	TP_ARGS(v),

	TP_STRUCT__entry(
		__field(unsigned int,	vcpu_id)
		__field(unsigned long,	rip)
	),

	TP_fast_assign(
		__entry->vcpu_id = v->id;
		__entry->rip = v->cpu.rip;
	),

	TP_printk("vcpu %u, rip 0x%lx", __entry->vcpu_id, __entry->rip)
);

/* The mode tells what its hardware said: struct rvm_mode, exit_info. */
TRACE_EVENT(rvm_exit,
	TP_PROTO(struct rvm_vcpu *v),
	TP_ARGS(v),

	TP_STRUCT__entry(
		__field(unsigned int,	exit_reason)
		__field(unsigned long,	guest_rip)
		__field(u32,		isa)
		__field(u64,		info1)
		__field(u64,		info2)
		__field(u32,		intr_info)
		__field(u32,		error_code)
		__field(unsigned int,	vcpu_id)
	),

	TP_fast_assign(
		struct rvm_exit_info info = {};

		if (v->vm->mode->exit_info)
			v->vm->mode->exit_info(v, &info);
		__entry->exit_reason = info.reason;
		__entry->guest_rip = v->cpu.rip;
		__entry->isa = info.isa;
		__entry->info1 = info.info1;
		__entry->info2 = info.info2;
		__entry->intr_info = info.intr_info;
		__entry->error_code = info.error_code;
		__entry->vcpu_id = v->id;
	),

	TP_printk("vcpu %u reason 0x%x isa %u rip 0x%lx info1 0x%016llx info2 0x%016llx intr_info 0x%08x error_code 0x%08x",
		  __entry->vcpu_id, __entry->exit_reason, __entry->isa,
		  __entry->guest_rip, __entry->info1, __entry->info2,
		  __entry->intr_info, __entry->error_code)
);

/* A nested page fault, before it is resolved; error holds RVM_PF_* bits. */
TRACE_EVENT(rvm_npf,
	TP_PROTO(struct rvm_vcpu *v, u64 gpa, u32 error),
	TP_ARGS(v, gpa, error),

	TP_STRUCT__entry(
		__field(unsigned int,	vcpu_id)
		__field(unsigned long,	guest_rip)
		__field(u64,		gpa)
		__field(u32,		error)
	),

	TP_fast_assign(
		__entry->vcpu_id = v->id;
		__entry->guest_rip = v->cpu.rip;
		__entry->gpa = gpa;
		__entry->error = error;
	),

	TP_printk("vcpu %u rip 0x%lx gpa 0x%llx error 0x%x", __entry->vcpu_id,
		  __entry->guest_rip, __entry->gpa, __entry->error)
);

/* A page fault under shadow paging, and what came of it: enum rvm_shadow_result or
 * -errno. */
TRACE_EVENT(rvm_shadow_fault,
	TP_PROTO(struct rvm_vcpu *v, u64 gla, u32 error, int result),
	TP_ARGS(v, gla, error, result),

	TP_STRUCT__entry(
		__field(unsigned int,	vcpu_id)
		__field(unsigned long,	guest_rip)
		__field(u64,		gla)
		__field(u32,		error)
		__field(int,		result)
	),

	TP_fast_assign(
		__entry->vcpu_id = v->id;
		__entry->guest_rip = v->cpu.rip;
		__entry->gla = gla;
		__entry->error = error;
		__entry->result = result;
	),

	TP_printk("vcpu %u rip 0x%lx gla 0x%llx error 0x%x result %d", __entry->vcpu_id,
		  __entry->guest_rip, __entry->gla, __entry->error, __entry->result)
);

TRACE_EVENT(rvm_inj_virq,
	TP_PROTO(struct rvm_vcpu *v, u8 vector),
	TP_ARGS(v, vector),

	TP_STRUCT__entry(
		__field(unsigned int,	vcpu_id)
		__field(u8,		vector)
	),

	TP_fast_assign(
		__entry->vcpu_id = v->id;
		__entry->vector = vector;
	),

	TP_printk("vcpu %u vector 0x%x", __entry->vcpu_id, __entry->vector)
);

TRACE_EVENT(rvm_inj_exception,
	TP_PROTO(struct rvm_vcpu *v, u8 vector, bool has_error, u32 error_code),
	TP_ARGS(v, vector, has_error, error_code),

	TP_STRUCT__entry(
		__field(unsigned int,	vcpu_id)
		__field(u8,		exception)
		__field(bool,		has_error)
		__field(u32,		error_code)
	),

	TP_fast_assign(
		__entry->vcpu_id = v->id;
		__entry->exception = vector;
		__entry->has_error = has_error;
		__entry->error_code = has_error ? error_code : 0;
	),

	TP_printk("vcpu %u vector %u error_code 0x%x%s", __entry->vcpu_id,
		  __entry->exception, __entry->error_code,
		  __entry->has_error ? "" : " (none)")
);

/* An access that userspace completes; @data is NULL for a read on its way out. */
TRACE_EVENT(rvm_mmio,
	TP_PROTO(struct rvm_vcpu *v, bool write, u64 gpa, u32 len, const void *data),
	TP_ARGS(v, write, gpa, len, data),

	TP_STRUCT__entry(
		__field(unsigned int,	vcpu_id)
		__field(bool,		write)
		__field(u32,		len)
		__field(u64,		gpa)
		__field(u64,		val)
	),

	TP_fast_assign(
		__entry->vcpu_id = v->id;
		__entry->write = write;
		__entry->len = len;
		__entry->gpa = gpa;
		__entry->val = 0;
		if (data)
			memcpy(&__entry->val, data, min_t(u32, len, sizeof(u64)));
	),

	TP_printk("vcpu %u %s len %u gpa 0x%llx val 0x%llx", __entry->vcpu_id,
		  __entry->write ? "write" : "read", __entry->len, __entry->gpa,
		  __entry->val)
);

/* The same for ports; val is the first item. */
TRACE_EVENT(rvm_pio,
	TP_PROTO(struct rvm_vcpu *v, bool write, u16 port, u32 size, u32 count,
		 const void *data),
	TP_ARGS(v, write, port, size, count, data),

	TP_STRUCT__entry(
		__field(unsigned int,	vcpu_id)
		__field(bool,		write)
		__field(u16,		port)
		__field(u32,		size)
		__field(u32,		count)
		__field(u32,		val)
	),

	TP_fast_assign(
		__entry->vcpu_id = v->id;
		__entry->write = write;
		__entry->port = port;
		__entry->size = size;
		__entry->count = count;
		__entry->val = 0;
		if (data && count)
			memcpy(&__entry->val, data, min_t(u32, size, sizeof(u32)));
	),

	TP_printk("vcpu %u %s at 0x%x size %u count %u val 0x%x", __entry->vcpu_id,
		  __entry->write ? "pio_write" : "pio_read", __entry->port,
		  __entry->size, __entry->count, __entry->val)
);

TRACE_EVENT(rvm_msr,
	TP_PROTO(struct rvm_vcpu *v, u32 msr, u64 val, bool write),
	TP_ARGS(v, msr, val, write),

	TP_STRUCT__entry(
		__field(unsigned int,	vcpu_id)
		__field(bool,		write)
		__field(u32,		msr)
		__field(u64,		val)
	),

	TP_fast_assign(
		__entry->vcpu_id = v->id;
		__entry->write = write;
		__entry->msr = msr;
		__entry->val = val;
	),

	TP_printk("vcpu %u msr_%s 0x%x = 0x%llx", __entry->vcpu_id,
		  __entry->write ? "write" : "read", __entry->msr, __entry->val)
);

/* KVM_RUN returns 0: the reason in kvm_run */
TRACE_EVENT(rvm_userspace_exit,
	TP_PROTO(struct rvm_vcpu *v, u32 reason),
	TP_ARGS(v, reason),

	TP_STRUCT__entry(
		__field(unsigned int,	vcpu_id)
		__field(u32,		reason)
	),

	TP_fast_assign(
		__entry->vcpu_id = v->id;
		__entry->reason = reason;
	),

	TP_printk("vcpu %u reason %u", __entry->vcpu_id, __entry->reason)
);

/* why is a constant string of the module's */
TRACE_EVENT(rvm_internal_error,
	TP_PROTO(struct rvm_vcpu *v, u32 suberror, const char *why),
	TP_ARGS(v, suberror, why),

	TP_STRUCT__entry(
		__field(unsigned int,	vcpu_id)
		__field(u32,		suberror)
		__field(unsigned long,	guest_rip)
		__array(char,		why, 64)
	),

	TP_fast_assign(
		__entry->vcpu_id = v->id;
		__entry->suberror = suberror;
		__entry->guest_rip = v->cpu.rip;
		strscpy(__entry->why, why, sizeof(__entry->why));
	),

	TP_printk("vcpu %u suberror %u rip 0x%lx: %s", __entry->vcpu_id,
		  __entry->suberror, __entry->guest_rip, __entry->why)
);

#endif /* RVM_TRACE_H */

/* For main.c, which defines them: define_trace.h includes <./trace.h>, which
 * the -Imodule of the Kbuild file finds. */
#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
