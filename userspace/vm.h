/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One VM and its vCPUs behind KVM's ABI, and nothing above it.
 */
#ifndef RINGVM_VM_H
#define RINGVM_VM_H

#include <linux/kvm.h>

#include "boot/layout.h"
#include "diag.h"
#include "opts.h"

struct vcpu {
	unsigned int id;		/* also its APIC ID */
	int fd;
	struct kvm_run *run;
};

struct vm {
	const char *device;
	int sys_fd, vm_fd;
	struct vcpu cpu[MAX_CPUS];
	unsigned int cpus;		/* that exist */
	size_t run_size;
	struct kvm_cpuid2 *cpuid;	/* what the node supports */
	struct mem_split mem;
	uint8_t *ram;			/* mem.low, then mem.high bytes */
	char mode[32];			/* "svm", or "kvm" for plain KVM */
	char why[256];
};

/*
 * Opens the node, checks the ABI and finds out which mode it is.  All vm_*
 * calls that take a diag return 0, or -1 and one line in it.
 */
int vm_open(struct vm *vm, const char *device, struct diag *d);

/* Makes the VM with its memory. */
int vm_create(struct vm *vm, const struct mem_split *mem, struct diag *d);
/* Makes @count vCPUs and their run pages; after the interrupt controllers. */
int vm_create_cpus(struct vm *vm, unsigned int count, struct diag *d);
void vm_close(struct vm *vm);

int vm_check_extension(const struct vm *vm, unsigned int cap);

/* Has the virtual CPU long mode? */
bool vm_has_long_mode(const struct vm *vm);

/* Filters what is supported (cpuid.h) and gives it to each vCPU. */
int vm_set_cpuid(struct vm *vm, bool no_pv, bool apic, struct diag *d);

/*
 * The first vCPU's registers and segments, and the MSRs that firmware would
 * have set.  The others wait for an INIT.
 */
int vm_set_entry(struct vm *vm, const struct boot_plan *plan, bool apic,
		 struct diag *d);

/* Outside KVM_RUN only the signals of @mask are blocked within it. */
int vm_set_signal_mask(struct vm *vm, const void *mask, struct diag *d);

/*
 * Has the kernel signal @fd for every two-byte write of @value to @port, or no
 * more.  If the kernel refuses, the write comes as an exit.
 */
void vm_ioeventfd(const struct vm *vm, int fd, uint16_t port, uint16_t value,
		  bool on);

/* "stat:" lines on stderr from the VM's and the vCPUs' statistics. */
void vm_print_stats(const struct vm *vm);

/* All registers and the code at the instruction pointer, on stderr. */
void vm_dump(const struct vm *vm, const struct vcpu *cpu);

#endif
