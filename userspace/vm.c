// SPDX-License-Identifier: GPL-2.0
/*
 * KVM descriptors and calls: see vm.h.  Each call's meaning is the kernel's
 * Documentation/virt/kvm/api.rst, the section named like the call.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <linux/ringvm.h>

#include "boot/params.h"
#include "cpuid.h"
#include "stats.h"
#include "vm.h"

#define API_VERSION		12
#define CPUID_MAX_ENTRIES	4096u
#define HUGE			(2ull << 20)

#define MSR_MISC_ENABLE		0x1a0
#define MISC_ENABLE_FAST_STRING	1ull
#define MSR_MTRR_DEF_TYPE	0x2ff
#define MTRR_ENABLE_WB		0x806ull	/* E=1, default type 6 (WB) */

/* Which module is behind a node that is plain KVM. */
static const char *kvm_backend(void)
{
	if (!access("/sys/module/kvm_amd", F_OK))
		return "kvm_amd (AMD-V)";
	if (!access("/sys/module/kvm_intel", F_OK))
		return "kvm_intel (Intel VT-x)";
	return "unknown to this launcher";
}

static int find_mode(struct vm *vm, struct diag *d)
{
	struct ringvm_info info;

	memset(&info, 0, sizeof(info));
	if (!ioctl(vm->sys_fd, RINGVM_GET_INFO, &info)) {
		snprintf(vm->mode, sizeof(vm->mode), "%.*s",
			 (int)sizeof(info.name) - 1, info.name);
		snprintf(vm->why, sizeof(vm->why), "%.*s",
			 (int)sizeof(info.why) - 1, info.why);
		return 0;
	}
	if (errno != ENOTTY && errno != EINVAL)
		return diag_set(d, "%s does not say which mode it is: %s; is the module of the same version as this launcher?",
				vm->device, strerror(errno));
	snprintf(vm->mode, sizeof(vm->mode), "kvm");
	snprintf(vm->why, sizeof(vm->why),
		 "the node is plain KVM, backed by %s", kvm_backend());
	return 0;
}

static int open_failed(const char *device, int err, struct diag *d)
{
	switch (err) {
	case ENOENT:
	case ENXIO:
	case ENODEV:
		return diag_set(d, "cannot open %s: there is no such device; load the module (modprobe ringvm) and see \"ringvm check\" for the modes of this machine",
				device);
	case EACCES:
	case EPERM:
		return diag_set(d, "cannot open %s: permission denied; run as root or as a member of the group that owns the node",
				device);
	default:
		return diag_set(d, "cannot open %s: %s; see \"ringvm check\"",
				device, strerror(err));
	}
}

static int get_supported_cpuid(struct vm *vm, struct diag *d)
{
	unsigned int n = 64;
	int err;

	for (; n <= CPUID_MAX_ENTRIES; n *= 2) {
		free(vm->cpuid);
		vm->cpuid = calloc(1, sizeof(*vm->cpuid) +
				      n * sizeof(vm->cpuid->entries[0]));
		if (!vm->cpuid)
			return diag_set(d, "out of memory: free some");
		vm->cpuid->nent = n;
		if (!ioctl(vm->sys_fd, KVM_GET_SUPPORTED_CPUID, vm->cpuid))
			return 0;
		err = errno;
		if (err != E2BIG)
			break;
	}
	return diag_set(d, "%s: KVM_GET_SUPPORTED_CPUID failed: %s; see the kernel log",
			vm->device, strerror(err));
}

int vm_open(struct vm *vm, const char *device, struct diag *d)
{
	int version;

	memset(vm, 0, sizeof(*vm));
	vm->device = device;
	vm->sys_fd = vm->vm_fd = -1;
	vm->sys_fd = open(device, O_RDWR | O_CLOEXEC);
	if (vm->sys_fd < 0)
		return open_failed(device, errno, d);
	version = ioctl(vm->sys_fd, KVM_GET_API_VERSION, 0);
	if (version < 0)
		return diag_set(d, "%s does not speak KVM's ABI (%s): give a node such as /dev/ringvm or /dev/kvm",
				device, strerror(errno));
	if (version != API_VERSION)
		return diag_set(d, "%s speaks version %d of KVM's ABI, %d is needed: load another module",
				device, version, API_VERSION);
	if (vm_check_extension(vm, KVM_CAP_USER_MEMORY) <= 0)
		return diag_set(d, "%s has no KVM_CAP_USER_MEMORY: load a current module",
				device);
	if (find_mode(vm, d))
		return -1;
	return get_supported_cpuid(vm, d);
}

int vm_check_extension(const struct vm *vm, unsigned int cap)
{
	return ioctl(vm->vm_fd >= 0 ? vm->vm_fd : vm->sys_fd,
		     KVM_CHECK_EXTENSION, (unsigned long)cap);
}

bool vm_has_long_mode(const struct vm *vm)
{
	return cpuid_has_long_mode(vm->cpuid);
}

/* Anonymous memory whose 2 MiB blocks are also 2 MiB blocks of the guest. */
static int map_ram(struct vm *vm, struct diag *d)
{
	uint64_t size = vm->mem.low + vm->mem.high;
	uint8_t *area, *start;
	size_t head;

	area = mmap(NULL, size + HUGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (area == MAP_FAILED)
		return diag_set(d, "cannot reserve %llu MiB for the guest: %s; give less with --mem",
				(unsigned long long)(size >> 20),
				strerror(errno));
	head = (size_t)(-(uintptr_t)area & (HUGE - 1));
	start = area + head;
	if (head)
		munmap(area, head);
	if (HUGE - head)
		munmap(start + size, HUGE - head);
	/* Only advice: without huge pages everything works, slower. */
	madvise(start, size, MADV_HUGEPAGE);
	vm->ram = start;
	return 0;
}

static int add_slot(struct vm *vm, unsigned int slot, uint64_t gpa,
		    uint64_t size, uint8_t *at, struct diag *d)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (uintptr_t)at,
	};

	if (ioctl(vm->vm_fd, KVM_SET_USER_MEMORY_REGION, &region))
		return diag_set(d, "%s: memory slot at 0x%llx, %llu bytes, was refused: %s",
				vm->device, (unsigned long long)gpa,
				(unsigned long long)size, strerror(errno));
	return 0;
}

static int add_memory(struct vm *vm, struct diag *d)
{
	if (map_ram(vm, d))
		return -1;
	if (add_slot(vm, 0, 0, VGA_HOLE, vm->ram, d) ||
	    add_slot(vm, 1, VGA_HOLE_END, vm->mem.low - VGA_HOLE_END,
		     vm->ram + VGA_HOLE_END, d))
		return -1;
	if (vm->mem.high)
		return add_slot(vm, 2, ABOVE_4G, vm->mem.high,
				vm->ram + vm->mem.low, d);
	return 0;
}

int vm_create_cpus(struct vm *vm, unsigned int count, struct diag *d)
{
	struct vcpu *cpu;
	int size;

	size = ioctl(vm->sys_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (size < (int)sizeof(struct kvm_run))
		return diag_set(d, "%s: the run page has %d bytes, %zu are needed: load a current module",
				vm->device, size, sizeof(struct kvm_run));
	vm->run_size = (size_t)size;
	while (vm->cpus < count) {
		cpu = &vm->cpu[vm->cpus];
		cpu->id = vm->cpus;
		cpu->fd = ioctl(vm->vm_fd, KVM_CREATE_VCPU,
				(unsigned long)cpu->id);
		if (cpu->fd < 0)
			return diag_set(d, "%s: KVM_CREATE_VCPU %u failed: %s; see the kernel log",
					vm->device, cpu->id, strerror(errno));
		cpu->run = mmap(NULL, vm->run_size, PROT_READ | PROT_WRITE,
				MAP_SHARED, cpu->fd, 0);
		if (cpu->run == MAP_FAILED) {
			close(cpu->fd);
			return diag_set(d, "%s: the run page cannot be mapped: %s",
					vm->device, strerror(errno));
		}
		vm->cpus++;
	}
	return 0;
}

int vm_create(struct vm *vm, const struct mem_split *mem, struct diag *d)
{
	uint64_t identity = IDENTITY_MAP;

	vm->mem = *mem;
	do {
		vm->vm_fd = ioctl(vm->sys_fd, KVM_CREATE_VM, 0ul);
	} while (vm->vm_fd < 0 && errno == EINTR);
	if (vm->vm_fd < 0)
		return diag_set(d, "%s: KVM_CREATE_VM failed: %s; see \"ringvm check\" and the kernel log",
				vm->device, strerror(errno));
	/* Before the first vCPU, and only where real mode needs them. */
	if (vm_check_extension(vm, KVM_CAP_SET_IDENTITY_MAP_ADDR) > 0 &&
	    ioctl(vm->vm_fd, KVM_SET_IDENTITY_MAP_ADDR, &identity))
		return diag_set(d, "%s: KVM_SET_IDENTITY_MAP_ADDR failed: %s",
				vm->device, strerror(errno));
	if (vm_check_extension(vm, KVM_CAP_SET_TSS_ADDR) > 0 &&
	    ioctl(vm->vm_fd, KVM_SET_TSS_ADDR, (unsigned long)TSS_ADDR))
		return diag_set(d, "%s: KVM_SET_TSS_ADDR failed: %s",
				vm->device, strerror(errno));
	return add_memory(vm, d);
}

void vm_close(struct vm *vm)
{
	unsigned int i;

	for (i = 0; i < vm->cpus; i++) {
		munmap(vm->cpu[i].run, vm->run_size);
		close(vm->cpu[i].fd);
	}
	if (vm->vm_fd >= 0)
		close(vm->vm_fd);
	if (vm->sys_fd >= 0)
		close(vm->sys_fd);
	if (vm->ram)
		munmap(vm->ram, vm->mem.low + vm->mem.high);
	free(vm->cpuid);
	vm->cpuid = NULL;
	vm->cpus = 0;
	vm->ram = NULL;
	vm->sys_fd = vm->vm_fd = -1;
}

int vm_set_cpuid(struct vm *vm, bool no_pv, bool apic, struct diag *d)
{
	size_t size = sizeof(*vm->cpuid) +
		      vm->cpuid->nent * sizeof(vm->cpuid->entries[0]);
	struct cpuid_choice choice = {
		.no_pv = no_pv,
		.apic = apic,
		.tsc_deadline = vm_check_extension(vm,
					KVM_CAP_TSC_DEADLINE_TIMER) > 0,
	};
	struct kvm_cpuid2 *copy = malloc(size);
	unsigned int i;
	int ret = 0;

	if (!copy)
		return diag_set(d, "out of memory: free some");
	for (i = 0; i < vm->cpus && !ret; i++) {
		memcpy(copy, vm->cpuid, size);
		choice.apic_id = vm->cpu[i].id;
		cpuid_filter(copy, &choice);
		if (ioctl(vm->cpu[i].fd, KVM_SET_CPUID2, copy))
			ret = diag_set(d, "%s: KVM_SET_CPUID2 failed: %s; see the kernel log",
				       vm->device, strerror(errno));
	}
	free(copy);
	return ret;
}

/*
 * What firmware leaves behind: fast string operations and write-back memory.
 * A CPU without the MSR refuses it, and its guest will not look for it.
 */
static void set_firmware_msrs(const struct vcpu *cpu)
{
	static const struct kvm_msr_entry entries[] = {
		{ .index = MSR_MISC_ENABLE, .data = MISC_ENABLE_FAST_STRING },
		{ .index = MSR_MTRR_DEF_TYPE, .data = MTRR_ENABLE_WB },
	};
	struct kvm_msrs *msrs;
	size_t i;

	msrs = calloc(1, sizeof(*msrs) + sizeof(entries[0]));
	if (!msrs)
		return;
	for (i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
		msrs->nmsrs = 1;
		msrs->entries[0] = entries[i];
		ioctl(cpu->fd, KVM_SET_MSRS, msrs);
	}
	free(msrs);
}

int vm_set_entry(struct vm *vm, const struct boot_plan *plan, bool apic,
		 struct diag *d)
{
	unsigned int i;
	int fd = vm->cpu[0].fd;
	struct kvm_sregs sregs;
	struct kvm_regs regs;

	if (ioctl(fd, KVM_GET_SREGS, &sregs))
		return diag_set(d, "%s: KVM_GET_SREGS failed: %s", vm->device,
				strerror(errno));
	boot_cpu(plan, apic, &sregs, &regs);
	if (ioctl(fd, KVM_SET_SREGS, &sregs))
		return diag_set(d, "%s: KVM_SET_SREGS refused the entry state of the %d-bit boot protocol: %s; see the kernel log",
				vm->device, plan->long_mode ? 64 : 32,
				strerror(errno));
	if (ioctl(fd, KVM_SET_REGS, &regs))
		return diag_set(d, "%s: KVM_SET_REGS failed: %s", vm->device,
				strerror(errno));
	for (i = 0; i < vm->cpus; i++)
		set_firmware_msrs(&vm->cpu[i]);
	return 0;
}

int vm_set_signal_mask(struct vm *vm, const void *mask, struct diag *d)
{
	/* The kernel's signal set is 8 bytes, whatever the C library's is. */
	const struct kvm_signal_mask head = { .len = 8 };
	uint8_t arg[sizeof(head) + 8];
	unsigned int i;

	memcpy(arg, &head, sizeof(head));
	memcpy(arg + sizeof(head), mask, 8);
	for (i = 0; i < vm->cpus; i++)
		if (ioctl(vm->cpu[i].fd, KVM_SET_SIGNAL_MASK, arg))
			return diag_set(d, "%s: KVM_SET_SIGNAL_MASK failed: %s",
					vm->device, strerror(errno));
	return 0;
}

void vm_ioeventfd(const struct vm *vm, int fd, uint16_t port, uint16_t value,
		  bool on)
{
	struct kvm_ioeventfd e = {
		.datamatch = value,
		.addr = port,
		.len = 2,
		.fd = fd,
		.flags = KVM_IOEVENTFD_FLAG_DATAMATCH | KVM_IOEVENTFD_FLAG_PIO |
			 (on ? 0 : KVM_IOEVENTFD_FLAG_DEASSIGN),
	};

	ioctl(vm->vm_fd, KVM_IOEVENTFD, &e);
}

static void print_stat(void *ctx, const char *name, int index, uint64_t value)
{
	const char *where = ctx;

	if (index < 0)
		say_raw("stat: %s.%s %llu", where, name,
			(unsigned long long)value);
	else if (value)
		say_raw("stat: %s.%s[%d] %llu", where, name, index,
			(unsigned long long)value);
}

static void print_stats_of(int fd, char *where, const char *device)
{
	int stats = ioctl(fd, KVM_GET_STATS_FD, 0);
	struct diag d;

	if (stats < 0) {
		say("%s: no statistics of the %s: KVM_GET_STATS_FD failed: %s",
		    device, where, strerror(errno));
		return;
	}
	if (stats_read(stats, print_stat, where, &d))
		say("%s: %s", device, d.text);
	close(stats);
}

void vm_print_stats(const struct vm *vm)
{
	char of_vm[] = "vm", of_vcpu[16];
	unsigned int i;

	if (vm_check_extension(vm, KVM_CAP_BINARY_STATS_FD) <= 0) {
		say("%s has no KVM_CAP_BINARY_STATS_FD: counts of this launcher only",
		    vm->device);
		return;
	}
	print_stats_of(vm->vm_fd, of_vm, vm->device);
	for (i = 0; i < vm->cpus; i++) {
		/* The first, often the only one, has no number. */
		snprintf(of_vcpu, sizeof(of_vcpu), i ? "vcpu%u" : "vcpu", i);
		print_stats_of(vm->cpu[i].fd, of_vcpu, vm->device);
	}
}

static void dump_segment(const char *name, const struct kvm_segment *s)
{
	say_raw("%-4s sel %04x base %016llx limit %08x type %x s %u dpl %u p %u db %u l %u g %u unusable %u",
		name, s->selector, (unsigned long long)s->base, s->limit,
		s->type, s->s, s->dpl, s->present, s->db, s->l, s->g,
		s->unusable);
}

static void dump_code(const struct vm *vm, const struct vcpu *cpu, uint64_t gla)
{
	struct kvm_translation tr = { .linear_address = gla };
	char text[3 * 16 + 1] = "";
	unsigned int i;
	uint64_t gpa;

	if (ioctl(cpu->fd, KVM_TRANSLATE, &tr) || !tr.valid) {
		say_raw("code at %016llx: not readable",
			(unsigned long long)gla);
		return;
	}
	gpa = tr.physical_address;
	for (i = 0; i < 16 && gpa + i < vm->mem.low; i++)
		snprintf(text + 3 * i, 4, " %02x", vm->ram[gpa + i]);
	say_raw("code at %016llx:%s", (unsigned long long)gla, text);
}

void vm_dump(const struct vm *vm, const struct vcpu *cpu)
{
	struct kvm_sregs s;
	struct kvm_regs r;

	if (ioctl(cpu->fd, KVM_GET_REGS, &r) ||
	    ioctl(cpu->fd, KVM_GET_SREGS, &s)) {
		say("%s: the registers cannot be read: %s", vm->device,
		    strerror(errno));
		return;
	}
#define Q(x)	((unsigned long long)(x))
	say_raw("rax %016llx rbx %016llx rcx %016llx rdx %016llx",
		Q(r.rax), Q(r.rbx), Q(r.rcx), Q(r.rdx));
	say_raw("rsi %016llx rdi %016llx rbp %016llx rsp %016llx",
		Q(r.rsi), Q(r.rdi), Q(r.rbp), Q(r.rsp));
	say_raw("r8  %016llx r9  %016llx r10 %016llx r11 %016llx",
		Q(r.r8), Q(r.r9), Q(r.r10), Q(r.r11));
	say_raw("r12 %016llx r13 %016llx r14 %016llx r15 %016llx",
		Q(r.r12), Q(r.r13), Q(r.r14), Q(r.r15));
	say_raw("rip %016llx rflags %016llx", Q(r.rip), Q(r.rflags));
	say_raw("cr0 %016llx cr2 %016llx cr3 %016llx cr4 %016llx",
		Q(s.cr0), Q(s.cr2), Q(s.cr3), Q(s.cr4));
	say_raw("cr8 %016llx efer %016llx apic_base %016llx",
		Q(s.cr8), Q(s.efer), Q(s.apic_base));
	dump_segment("cs", &s.cs);
	dump_segment("ss", &s.ss);
	dump_segment("ds", &s.ds);
	dump_segment("es", &s.es);
	dump_segment("fs", &s.fs);
	dump_segment("gs", &s.gs);
	dump_segment("tr", &s.tr);
	dump_segment("ldt", &s.ldt);
	say_raw("gdt  base %016llx limit %04x", Q(s.gdt.base), s.gdt.limit);
	say_raw("idt  base %016llx limit %04x", Q(s.idt.base), s.idt.limit);
	dump_code(vm, cpu, s.cs.base + r.rip);
#undef Q
}
