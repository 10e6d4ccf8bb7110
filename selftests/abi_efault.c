// SPDX-License-Identifier: GPL-2.0
/*
 * Every ioctl that reads or writes client memory answers EFAULT to a pointer
 * that is null, unmapped, the kernel's, or whose last byte is out of reach;
 * and a read-only page where it would write.
 */
#include "vmtest.h"

struct call {
	const char *name;
	unsigned long nr;
	int cap;			/* only with this capability; 0 = always */
};

#define C(nr)		{ #nr, nr, 0 }
#define CC(nr, cap)	{ #nr, nr, cap }

static const struct call vm_calls[] = {
	C(KVM_SET_USER_MEMORY_REGION), C(KVM_GET_DIRTY_LOG), C(KVM_ENABLE_CAP),
	CC(KVM_SET_IDENTITY_MAP_ADDR, KVM_CAP_SET_IDENTITY_MAP_ADDR),
	CC(KVM_SET_GSI_ROUTING, KVM_CAP_IRQ_ROUTING), CC(KVM_IRQFD, KVM_CAP_IRQFD),
	CC(KVM_IOEVENTFD, KVM_CAP_IOEVENTFD), CC(KVM_GET_CLOCK, KVM_CAP_ADJUST_CLOCK),
	CC(KVM_SET_CLOCK, KVM_CAP_ADJUST_CLOCK), CC(KVM_CREATE_PIT2, KVM_CAP_PIT2),
	CC(KVM_REGISTER_COALESCED_MMIO, KVM_CAP_COALESCED_MMIO),
	CC(KVM_UNREGISTER_COALESCED_MMIO, KVM_CAP_COALESCED_MMIO),
	CC(KVM_CREATE_DEVICE, KVM_CAP_DEVICE_CTRL), CC(KVM_SIGNAL_MSI, KVM_CAP_SIGNAL_MSI),
	CC(KVM_X86_SET_MSR_FILTER, KVM_CAP_X86_MSR_FILTER),
	CC(KVM_CLEAR_DIRTY_LOG, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2),
};

static const struct call vcpu_calls[] = {
	C(KVM_GET_REGS), C(KVM_SET_REGS), C(KVM_GET_SREGS), C(KVM_SET_SREGS), C(KVM_GET_MSRS),
	C(KVM_SET_MSRS), C(KVM_GET_FPU), C(KVM_SET_FPU), C(KVM_SET_CPUID2), C(KVM_GET_CPUID2),
	C(KVM_INTERRUPT), C(KVM_GET_MP_STATE), C(KVM_SET_MP_STATE), C(KVM_GET_VCPU_EVENTS),
	C(KVM_SET_VCPU_EVENTS), C(KVM_GET_DEBUGREGS), C(KVM_SET_DEBUGREGS), C(KVM_ENABLE_CAP),
	CC(KVM_SET_CPUID, KVM_CAP_USER_MEMORY), CC(KVM_TRANSLATE, 0),
	CC(KVM_GET_XSAVE, KVM_CAP_XSAVE), CC(KVM_SET_XSAVE, KVM_CAP_XSAVE),
	CC(KVM_GET_XCRS, KVM_CAP_XCRS), CC(KVM_SET_XCRS, KVM_CAP_XCRS),
	CC(KVM_GET_SREGS2, KVM_CAP_SREGS2), CC(KVM_SET_SREGS2, KVM_CAP_SREGS2),
	CC(KVM_TPR_ACCESS_REPORTING, KVM_CAP_VAPIC), CC(KVM_SET_GUEST_DEBUG,
							KVM_CAP_SET_GUEST_DEBUG),
	CC(KVM_X86_SETUP_MCE, KVM_CAP_MCE), CC(KVM_X86_SET_MCE, KVM_CAP_MCE),
	CC(KVM_GET_XSAVE2, KVM_CAP_XSAVE2),
};

static const struct call sys_calls[] = {
	C(KVM_GET_SUPPORTED_CPUID), C(KVM_GET_MSR_INDEX_LIST),
	CC(KVM_GET_EMULATED_CPUID, KVM_CAP_EXT_EMUL_CPUID),
	CC(KVM_GET_MSR_FEATURE_INDEX_LIST, KVM_CAP_GET_MSR_FEATURES),
	CC(KVM_X86_GET_MCE_CAP_SUPPORTED, KVM_CAP_MCE),
};

/* Calls that have an optional or richer meaning for a null pointer go elsewhere. */
static void sweep(const char *who, int fd, struct vm *vm, const struct call *c, int n)
{
	uint8_t *page = anon(0x2000);
	int i;
	unsigned int k;

	munmap(page + 0x1000, 0x1000);
	for (i = 0; i < n; i++) {
		unsigned long size = _IOC_SIZE(c[i].nr);
		void *bad[] = {
			NULL, (void *)8, page + 0x1000, (void *)0xffff888000000000,
			(void *)0x8000000000000000, (void *)-1ul, page + 0x1000 - size / 2,
		};
		bool optional = c[i].cap || c[i].nr == KVM_TRANSLATE;

		if (c[i].cap && vm_cap(vm, c[i].cap) <= 0)
			continue;
		for (k = 0; k < KTAP_COUNT(bad); k++) {
			int r;

			memset(page, 0, 0x1000);
			r = ioctl(fd, c[i].nr, bad[k]);
			if (r < 0 && errno == ENOTTY && optional)
				break;		/* an ioctl that came after its capability */
			if (r < 0 && errno == EFAULT)
				continue;
			KTAP_FAIL_("%s %s(%p): %d, %s", who, c[i].name, bad[k], r,
				   r < 0 ? strerror(errno) : "taken");
		}
	}
	munmap(page, 0x1000);
}

static void system_fd(void)
{
	struct vm *vm = vm_bare();

	sweep("system", vm->dev, vm, sys_calls, KTAP_COUNT(sys_calls));
}

static void vm_fd(void)
{
	struct vm *vm = vm_bare();

	sweep("VM", vm->fd, vm, vm_calls, KTAP_COUNT(vm_calls));
}

static void vcpu_fd(void)
{
	struct vcpu *v = vcpu_new(vm_new(G_MEM), 0, MODE_PROT32);
	struct kvm_regs before, after;
	struct kvm_sregs sbefore, safter;

	ASSERT_OK(ioctl(v->fd, KVM_GET_REGS, &before));
	ASSERT_OK(ioctl(v->fd, KVM_GET_SREGS, &sbefore));
	sweep("vCPU", v->fd, v->vm, vcpu_calls, KTAP_COUNT(vcpu_calls));
	ASSERT_OK(ioctl(v->fd, KVM_GET_REGS, &after));
	ASSERT_OK(ioctl(v->fd, KVM_GET_SREGS, &safter));
	EXPECT(!memcmp(&before, &after, sizeof(before)));
	EXPECT(!memcmp(&sbefore, &safter, sizeof(sbefore)));
}

static void read_only_page(void)
{
	static const unsigned long get[] = {
		KVM_GET_REGS, KVM_GET_SREGS, KVM_GET_FPU, KVM_GET_MP_STATE,
		KVM_GET_VCPU_EVENTS, KVM_GET_DEBUGREGS,
	};
	struct vcpu *v = vcpu_new(vm_new(G_MEM), 0, MODE_PROT32);
	uint8_t *page = anon(0x1000);
	unsigned int i;

	mprotect(page, 0x1000, PROT_READ);
	for (i = 0; i < KTAP_COUNT(get); i++)
		EXPECT_ERR(ioctl(v->fd, get[i], page), EFAULT);
	munmap(page, 0x1000);
}

int main(void)
{
	static const struct ktap_case cases[] = {
		{ "system", system_fd }, { "vm", vm_fd }, { "vcpu", vcpu_fd },
		{ "read_only_page", read_only_page },
	};

	vmtest_init();
	return ktap_run(cases, KTAP_COUNT(cases));
}
