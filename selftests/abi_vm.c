// SPDX-License-Identifier: GPL-2.0
/* Contract of the VM descriptor's ioctls other than memslots (KVM API section 4). */
#include <fcntl.h>

#include "vmtest.h"

static void create_vcpu(void)
{
	struct vm *vm = vm_bare();
	struct vcpu *v = vcpu_bare(vm, 0);
	int max = vm_cap(vm, KVM_CAP_MAX_VCPUS), maxid = vm_cap(vm, KVM_CAP_MAX_VCPU_ID);

	EXPECT_EQ(fcntl(v->fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	EXPECT_ERR(ioctl(vm->fd, KVM_CREATE_VCPU, 0), EEXIST);
	if (maxid <= 0)
		maxid = max;
	/* Ids need not be dense; the last one is good, the next is not (4.7). */
	EXPECT(vcpu_bare(vm, maxid - 1)->fd >= 0);
	EXPECT_ERR(ioctl(vm->fd, KVM_CREATE_VCPU, maxid), EINVAL);
	EXPECT_ERR(ioctl(vm->fd, KVM_CREATE_VCPU, 0x7fffffff), EINVAL);
	EXPECT_ERR(ioctl(vm->fd, KVM_CREATE_VCPU, 0xffffffff), EINVAL);
	/* An id beyond 32 bits is not id 5; KVM cut it off before Linux 6.11. */
	if (!dev_is_kvm())
		EXPECT_ERR(ioctl(vm->fd, KVM_CREATE_VCPU, 0x100000005ul), EINVAL);
	EXPECT_ERR(ioctl(vm->fd, KVM_CREATE_VCPU, maxid - 1), EEXIST);
}

/* The TSS page of hosts that run real mode in V86 (4.35): kept, else unused. */
static void tss_addr(void)
{
	struct vm *vm = vm_bare();

	EXPECT_OK(ioctl(vm->fd, KVM_SET_TSS_ADDR, 0xfffbd000ul));
	EXPECT_OK(ioctl(vm->fd, KVM_SET_TSS_ADDR, 0xfffb0000ul));
	/* Three pages must fit below 4 GiB. */
	EXPECT_ERR(ioctl(vm->fd, KVM_SET_TSS_ADDR, 0xffffe000ul), EINVAL);
	EXPECT_ERR(ioctl(vm->fd, KVM_SET_TSS_ADDR, 0xfffff000ul), EINVAL);
}

static void identity_map_addr(void)
{
	struct vm *vm = vm_bare();
	uint64_t a = 0xfffbc000, zero = 0;

	if (vm_cap(vm, KVM_CAP_SET_IDENTITY_MAP_ADDR) <= 0) {
		EXPECT_ERR(ioctl(vm->fd, KVM_SET_IDENTITY_MAP_ADDR, &a), ENOTTY);
		SKIP("no KVM_CAP_SET_IDENTITY_MAP_ADDR");
	}
	EXPECT_OK(ioctl(vm->fd, KVM_SET_IDENTITY_MAP_ADDR, &a));
	EXPECT_OK(ioctl(vm->fd, KVM_SET_IDENTITY_MAP_ADDR, &zero));
	EXPECT_ERR(ioctl(vm->fd, KVM_SET_IDENTITY_MAP_ADDR, NULL), EFAULT);
	/* Too late once a vCPU exists (4.41). */
	vcpu_bare(vm, 0);
	EXPECT_ERR(ioctl(vm->fd, KVM_SET_IDENTITY_MAP_ADDR, &a), EINVAL);
}

/* What needs the in-kernel chips says so while there are none. */
static void without_irqchip(void)
{
	struct vm *vm = vm_bare();
	struct vcpu *v = vcpu_bare(vm, 0);
	struct kvm_irqchip *chip = calloc(1, sizeof(*chip));
	struct kvm_irq_level l = { .irq = 1, .level = 1 };
	struct kvm_pit_state2 *pit = calloc(1, sizeof(*pit));
	struct kvm_lapic_state *lapic = calloc(1, sizeof(*lapic));
	struct kvm_msi msi = { .address_lo = 0xfee00000, .data = 0x41 };
	bool has = vm_cap(vm, KVM_CAP_IRQCHIP) > 0;
	struct {
		int fd;
		unsigned long nr;
		void *arg;
		int err[3];
	} t[] = {
		{ vm->fd, KVM_GET_IRQCHIP, chip, { ENXIO } },
		{ vm->fd, KVM_SET_IRQCHIP, chip, { ENXIO } },
		{ vm->fd, KVM_IRQ_LINE, &l, { ENXIO } },
		{ vm->fd, KVM_IRQ_LINE_STATUS, &l, { ENXIO } },
		{ vm->fd, KVM_GET_PIT, pit, { ENXIO } },
		{ vm->fd, KVM_GET_PIT2, pit, { ENXIO } },
		{ vm->fd, KVM_SET_PIT2, pit, { ENXIO } },
		{ vm->fd, KVM_SIGNAL_MSI, &msi, { ENXIO, EINVAL } },
		{ v->fd, KVM_GET_LAPIC, lapic, { EINVAL } },
		{ v->fd, KVM_SET_LAPIC, lapic, { EINVAL } },
	};
	unsigned int i;

	for (i = 0; i < KTAP_COUNT(t); i++) {
		int r = ioctl(t[i].fd, t[i].nr, t[i].arg), e = errno;

		/* A device that has no chips to offer does not know the call. */
		if (r == 0 || (e != t[i].err[0] && e != t[i].err[1] && (has || e != ENOTTY)))
			KTAP_FAIL_("ioctl %#lx: %d, %s", t[i].nr, r, strerror(e));
	}
	if (!has) {
		int r = ioctl(vm->fd, KVM_CREATE_IRQCHIP, 0);

		EXPECT(r < 0 && (errno == ENOTTY || errno == EINVAL));
	}
	free(chip);
	free(pit);
	free(lapic);
}

static void create_irqchip(void)
{
	struct vm *vm = vm_bare(), *late = vm_bare();

	if (vm_cap(vm, KVM_CAP_IRQCHIP) <= 0)
		SKIP("no KVM_CAP_IRQCHIP");
	EXPECT_OK(ioctl(vm->fd, KVM_CREATE_IRQCHIP, 0));
	EXPECT_ERR(ioctl(vm->fd, KVM_CREATE_IRQCHIP, 0), EEXIST);
	vcpu_bare(late, 0);
	EXPECT_ERR(ioctl(late->fd, KVM_CREATE_IRQCHIP, 0), EINVAL);
}

/*
 * KVM_CAP_IRQ_ROUTING is asked for even with the chips off; an empty table is
 * what such a client sets, if anything (4.52).
 */
static void gsi_routing(void)
{
	struct vm *vm = vm_bare();
	struct kvm_irq_routing *r = calloc(1, sizeof(*r) + 8 * sizeof(r->entries[0]));
	int n = vm_cap(vm, KVM_CAP_IRQ_ROUTING);

	if (n <= 0)
		SKIP("no KVM_CAP_IRQ_ROUTING");
	r->flags = 1;
	EXPECT_ERR(ioctl(vm->fd, KVM_SET_GSI_ROUTING, r), EINVAL);
	r->flags = 0;
	r->nr = n + 1;
	EXPECT_ERR(ioctl(vm->fd, KVM_SET_GSI_ROUTING, r), EINVAL);
	EXPECT_ERR(ioctl(vm->fd, KVM_SET_GSI_ROUTING, NULL), EFAULT);
	free(r);
}

static void enable_cap(void)
{
	struct vm *vm = vm_bare();
	struct vcpu *v = vcpu_bare(vm, 0);
	struct kvm_enable_cap c = { .cap = 0xffff };

	EXPECT_ERR(ioctl(vm->fd, KVM_ENABLE_CAP, &c), EINVAL);
	EXPECT_ERR(ioctl(v->fd, KVM_ENABLE_CAP, &c), EINVAL);
	c.cap = KVM_CAP_HALT_POLL;
	c.flags = 1;
	EXPECT_ERR(ioctl(vm->fd, KVM_ENABLE_CAP, &c), EINVAL);
	EXPECT_ERR(ioctl(vm->fd, KVM_ENABLE_CAP, NULL), EFAULT);
	EXPECT_ERR(ioctl(v->fd, KVM_ENABLE_CAP, NULL), EFAULT);
}

/* The clock: only where the capability is (4.29, 4.30). */
static void clock_ioctls(void)
{
	struct vm *vm = vm_bare();
	struct kvm_clock_data c, d;
	uint64_t end;

	memset(&c, 0x55, sizeof(c));
	if (vm_cap(vm, KVM_CAP_ADJUST_CLOCK) <= 0) {
		EXPECT_ERR(ioctl(vm->fd, KVM_GET_CLOCK, &c), ENOTTY);
		EXPECT_ERR(ioctl(vm->fd, KVM_SET_CLOCK, &c), ENOTTY);
		SKIP("no KVM_CAP_ADJUST_CLOCK");
	}
	ASSERT_OK(ioctl(vm->fd, KVM_GET_CLOCK, &c));
	memset(&d, 0, sizeof(d));
	d.clock = 1000000000000ull;
	ASSERT_OK(ioctl(vm->fd, KVM_SET_CLOCK, &d));
	ASSERT_OK(ioctl(vm->fd, KVM_GET_CLOCK, &c));
	EXPECT(c.clock >= 1000000000000ull && c.clock < 1060000000000ull);
	end = c.clock;
	ASSERT_OK(ioctl(vm->fd, KVM_GET_CLOCK, &c));
	EXPECT(c.clock >= end);
	d.flags = 0x80000000;
	EXPECT_ERR(ioctl(vm->fd, KVM_SET_CLOCK, &d), EINVAL);
}

static void nr_mmu_pages(void)
{
	struct vm *vm = vm_bare();

	if (vm_cap(vm, KVM_CAP_MMU_SHADOW_CACHE_CONTROL) <= 0)
		SKIP("no KVM_CAP_MMU_SHADOW_CACHE_CONTROL");
	EXPECT_ERR(ioctl(vm->fd, KVM_SET_NR_MMU_PAGES, 1ul), EINVAL);
	EXPECT_OK(ioctl(vm->fd, KVM_SET_NR_MMU_PAGES, 1000ul));
	EXPECT_EQ(ioctl(vm->fd, KVM_GET_NR_MMU_PAGES, 0), 1000);
}

/* Numbers of other descriptors and of nobody: ENOTTY on VM and vCPU. */
static void unknown(void)
{
	static const unsigned long vm_nr[] = {
		KVM_GET_API_VERSION, KVM_CREATE_VM, KVM_GET_VCPU_MMAP_SIZE, KVM_RUN, KVM_GET_REGS,
		KVM_SET_CPUID2, KVM_GET_SUPPORTED_CPUID, KVM_GET_MSR_INDEX_LIST, KVM_GET_FPU,
		KVM_INTERRUPT, _IO(KVMIO, 0xff), _IO(KVMIO, 0xf0), _IO(0x55, 0), 0,
		_IOW(KVMIO, 0x41, struct kvm_regs), -1ul,
	};
	static const unsigned long vcpu_nr[] = {
		KVM_GET_API_VERSION, KVM_CREATE_VM, KVM_GET_VCPU_MMAP_SIZE, KVM_CREATE_VCPU,
		KVM_SET_USER_MEMORY_REGION, KVM_CHECK_EXTENSION, KVM_GET_MSR_INDEX_LIST,
		KVM_GET_DIRTY_LOG, KVM_SET_TSS_ADDR, _IO(KVMIO, 0xff), _IO(KVMIO, 0xf0),
		_IOW(KVMIO, 0x80, struct kvm_regs), 0x5401,
	};
	struct vm *vm = vm_bare();
	struct vcpu *v = vcpu_bare(vm, 0);
	unsigned int i;
	int r;

	for (i = 0; i < KTAP_COUNT(vm_nr); i++) {
		r = ioctl(vm->fd, vm_nr[i], 0);
		if (r != -1 || errno != ENOTTY)
			KTAP_FAIL_("VM %#lx: %d, %s", vm_nr[i], r, strerror(errno));
	}
	for (i = 0; i < KTAP_COUNT(vcpu_nr); i++) {
		r = ioctl(v->fd, vcpu_nr[i], 0);
		/* A number of another driver's kind is EINVAL to KVM's vCPU. */
		if (r != -1 || (errno != ENOTTY && !(dev_is_kvm() && errno == EINVAL)))
			KTAP_FAIL_("vCPU %#lx: %d, %s", vcpu_nr[i], r, strerror(errno));
	}
}

int main(void)
{
	static const struct ktap_case cases[] = {
		{ "create_vcpu", create_vcpu }, { "tss_addr", tss_addr },
		{ "identity_map_addr", identity_map_addr },
		{ "without_irqchip", without_irqchip }, { "create_irqchip", create_irqchip },
		{ "gsi_routing", gsi_routing }, { "enable_cap", enable_cap },
		{ "clock", clock_ioctls }, { "nr_mmu_pages", nr_mmu_pages },
		{ "unknown", unknown },
	};

	vmtest_init();
	return ktap_run(cases, KTAP_COUNT(cases));
}
