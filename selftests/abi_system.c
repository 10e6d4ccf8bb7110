// SPDX-License-Identifier: GPL-2.0
/* Contract of the system descriptor's ioctls (KVM API section 4). */
#include <fcntl.h>

#include "vmtest.h"

static int dev = -1;

static int sys(unsigned long nr, unsigned long arg)
{
	if (dev < 0)
		dev = dev_open();
	return ioctl(dev, nr, arg);
}

static void api_version(void)
{
	EXPECT_EQ(sys(KVM_GET_API_VERSION, 0), 12);
	EXPECT_ERR(sys(KVM_GET_API_VERSION, 1), EINVAL);
}

static void capabilities(void)
{
	/* What every client asks for, see the traces in the design notes. */
	static const int must[] = {
		KVM_CAP_USER_MEMORY, KVM_CAP_SET_TSS_ADDR, KVM_CAP_EXT_CPUID, KVM_CAP_MP_STATE,
		KVM_CAP_DESTROY_MEMORY_REGION_WORKS, KVM_CAP_JOIN_MEMORY_REGIONS_WORKS,
		KVM_CAP_NR_MEMSLOTS, KVM_CAP_NR_VCPUS, KVM_CAP_MAX_VCPUS, KVM_CAP_VCPU_EVENTS,
		KVM_CAP_DEBUGREGS, KVM_CAP_READONLY_MEM, KVM_CAP_IMMEDIATE_EXIT,
		KVM_CAP_USER_NMI, KVM_CAP_SYNC_MMU,
	};
	unsigned int i;

	for (i = 0; i < KTAP_COUNT(must); i++)
		if (sys(KVM_CHECK_EXTENSION, must[i]) <= 0)
			KTAP_FAIL_("capability %d is missing", must[i]);
	EXPECT(sys(KVM_CHECK_EXTENSION, KVM_CAP_MAX_VCPUS) >=
	       sys(KVM_CHECK_EXTENSION, KVM_CAP_NR_VCPUS));
	EXPECT(sys(KVM_CHECK_EXTENSION, KVM_CAP_NR_MEMSLOTS) >= 32);
	/* Unknown ones are no error, they are absent. */
	EXPECT_EQ(sys(KVM_CHECK_EXTENSION, 0x7fffffff), 0);
	EXPECT_EQ(sys(KVM_CHECK_EXTENSION, -1ul), 0);
	EXPECT_EQ(sys(KVM_CHECK_EXTENSION, KVM_CAP_PPC_HTAB_FD), 0);
	EXPECT_EQ(sys(KVM_CHECK_EXTENSION, KVM_CAP_S390_PSW), 0);
}

static void cap_same_on_vm(void)
{
	struct vm *vm = vm_bare();
	int c;

	if (!vm_cap(vm, KVM_CAP_CHECK_EXTENSION_VM))
		SKIP("no KVM_CAP_CHECK_EXTENSION_VM");
	for (c = 0; c < 240; c++)
		EXPECT_EQ(sys(KVM_CHECK_EXTENSION, c), vm_cap(vm, c));
}

static void mmap_size(void)
{
	int n = sys(KVM_GET_VCPU_MMAP_SIZE, 0);

	EXPECT(n >= (int)sizeof(struct kvm_run));
	EXPECT_EQ(n % getpagesize(), 0);
	EXPECT(n <= 16 * getpagesize());
	EXPECT_ERR(sys(KVM_GET_VCPU_MMAP_SIZE, 1), EINVAL);
}

static void create_vm(void)
{
	int a = sys(KVM_CREATE_VM, 0), b = sys(KVM_CREATE_VM, 0);

	ASSERT(a >= 0 && b >= 0 && a != b);
	/* The kernel hands out VM descriptors with O_CLOEXEC. */
	EXPECT_EQ(fcntl(a, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	close(a);
	close(b);
	/* Types are an architecture's business: x86 knows only 0 (section 4.2). */
	EXPECT_ERR(sys(KVM_CREATE_VM, 0x1000), EINVAL);
	EXPECT_ERR(sys(KVM_CREATE_VM, -1ul), EINVAL);
}

/* Entries are E2BIG until they fit; more room than needed is fine (4.46). */
static void supported_cpuid(void)
{
	static const unsigned long nr[] = { KVM_GET_SUPPORTED_CPUID, KVM_GET_EMULATED_CPUID };
	struct kvm_cpuid2 *c = calloc(1, sizeof(*c) + 1000 * sizeof(c->entries[0]));
	unsigned int i, n, want;

	ASSERT(c);
	for (i = 0; i < 2; i++) {
		if (i && sys(KVM_CHECK_EXTENSION, KVM_CAP_EXT_EMUL_CPUID) <= 0) {
			ktap_diag("no KVM_CAP_EXT_EMUL_CPUID");
			break;
		}
		c->nent = 256;
		ASSERT_OK(sys(nr[i], (uintptr_t)c));
		want = c->nent;
		ktap_diag("%u entries", want);
		EXPECT(want > 0 && want < 256);
		for (n = 0; n < want; n++) {
			c->nent = n;
			EXPECT_ERR(sys(nr[i], (uintptr_t)c), E2BIG);
		}
		/* KVM's emulated list wants room for leaves that it then omits. */
		c->nent = want + i;
		EXPECT_OK(sys(nr[i], (uintptr_t)c));
		EXPECT_EQ(c->nent, want);
		/* The kernel bounds a silly count itself. */
		c->nent = 1000;
		EXPECT_OK(sys(nr[i], (uintptr_t)c));
		EXPECT_EQ(c->nent, want);
		EXPECT_ERR(sys(nr[i], 0), EFAULT);
		EXPECT_ERR(sys(nr[i], 1ul << 63), EFAULT);
	}
	free(c);
}

static struct kvm_cpuid_entry2 *leaf(struct kvm_cpuid2 *c, uint32_t f)
{
	unsigned int i;

	for (i = 0; i < c->nent; i++)
		if (c->entries[i].function == f && !c->entries[i].index)
			return &c->entries[i];
	return NULL;
}

/* What it offers a guest must hang together. */
static void supported_cpuid_values(void)
{
	struct kvm_cpuid2 *c = calloc(1, sizeof(*c) + 256 * sizeof(c->entries[0]));
	struct kvm_cpuid_entry2 *e;

	ASSERT(c);
	c->nent = 256;
	ASSERT_OK(sys(KVM_GET_SUPPORTED_CPUID, (uintptr_t)c));
	e = leaf(c, 0);
	ASSERT(e);
	EXPECT(e->eax >= 1);
	EXPECT(e->ebx && e->ecx && e->edx);		/* a vendor's name */
	e = leaf(c, 1);
	ASSERT(e);
	/* fpu pse tsc msr pae cx8 pge cmov pat fxsr sse sse2 */
	EXPECT_EQ(e->edx & 0x0701a179, 0x0701a179);
	EXPECT_EQ(e->ecx & BIT(3), 0);			/* no MONITOR */
	e = leaf(c, 0x80000000);
	ASSERT(e);
	EXPECT(e->eax >= 0x80000008);
	e = leaf(c, 0x80000001);
	ASSERT(e);
	EXPECT_EQ(e->edx & BIT(29), BIT(29));		/* long mode */
	EXPECT_EQ(e->edx & BIT(20), BIT(20));		/* NX */
	e = leaf(c, 0x80000008);
	ASSERT(e);
	EXPECT((e->eax & 0xff) >= 36 && (e->eax & 0xff) <= 52);
	free(c);
}

static void msr_lists(void)
{
	static const unsigned long nr[] = {
		KVM_GET_MSR_INDEX_LIST, KVM_GET_MSR_FEATURE_INDEX_LIST
	};
	static const uint32_t must[] = {
		MSR_TSC, MSR_SYSENTER_CS, MSR_SYSENTER_ESP, MSR_SYSENTER_EIP, MSR_STAR,
		MSR_LSTAR, MSR_CSTAR, MSR_SFMASK, MSR_KERNEL_GS, MSR_PAT,
	};
	struct kvm_msr_list *l = calloc(1, sizeof(*l) + 4096 * 4);
	unsigned int i, k, want, full;

	ASSERT(l);
	for (i = 0; i < 2; i++) {
		if (i && sys(KVM_CHECK_EXTENSION, KVM_CAP_GET_MSR_FEATURES) <= 0) {
			ktap_diag("no KVM_CAP_GET_MSR_FEATURES");
			break;
		}
		/* Too small: E2BIG, and the count needed is written back (4.3). */
		l->nmsrs = 0;
		EXPECT_ERR(sys(nr[i], (uintptr_t)l), E2BIG);
		want = l->nmsrs;
		if (!i)
			EXPECT(want >= KTAP_COUNT(must));
		ASSERT(want < 4096);
		if (want) {
			memset(l->indices, 0xee, 4096 * 4);
			l->nmsrs = want - 1;
			EXPECT_ERR(sys(nr[i], (uintptr_t)l), E2BIG);
			EXPECT_EQ(l->nmsrs, want);
			EXPECT_EQ(l->indices[0], 0xeeeeeeee);
		}
		l->nmsrs = 4096;
		EXPECT_OK(sys(nr[i], (uintptr_t)l));
		full = l->nmsrs;
		EXPECT_EQ(full, want);
		l->nmsrs = want;
		EXPECT_OK(sys(nr[i], (uintptr_t)l));
		for (k = 0; !i && k < KTAP_COUNT(must); k++) {
			unsigned int j;

			for (j = 0; j < want && l->indices[j] != must[k]; j++)
				;
			if (j == want)
				KTAP_FAIL_("MSR %#x is not listed", must[k]);
		}
		EXPECT_ERR(sys(nr[i], 0), EFAULT);
		EXPECT_ERR(sys(nr[i], 1ul << 63), EFAULT);
	}
	free(l);
}

/* Feature MSRs are read on the system descriptor (4.68). */
static void feature_msrs(void)
{
	struct kvm_msr_list *l = calloc(1, sizeof(*l) + 4096 * 4);
	struct {
		struct kvm_msrs h;
		struct kvm_msr_entry e[2];
	} m;
	unsigned int i;

	if (sys(KVM_CHECK_EXTENSION, KVM_CAP_GET_MSR_FEATURES) <= 0)
		SKIP("no KVM_CAP_GET_MSR_FEATURES");
	ASSERT(l);
	l->nmsrs = 4096;
	ASSERT_OK(sys(KVM_GET_MSR_FEATURE_INDEX_LIST, (uintptr_t)l));
	for (i = 0; i < l->nmsrs; i++) {
		memset(&m, 0, sizeof(m));
		m.h.nmsrs = 1;
		m.e[0].index = l->indices[i];
		EXPECT_EQ(sys(KVM_GET_MSRS, (uintptr_t)&m), 1);
	}
	memset(&m, 0, sizeof(m));
	m.h.nmsrs = 1;
	m.e[0].index = 0xdeadbeef;
	EXPECT_EQ(sys(KVM_GET_MSRS, (uintptr_t)&m), 0);
	m.h.nmsrs = 100000;
	EXPECT_ERR(sys(KVM_GET_MSRS, (uintptr_t)&m), E2BIG);
	EXPECT_ERR(sys(KVM_GET_MSRS, 0), EFAULT);
	free(l);
}

/* Numbers of another descriptor's, of other architectures', of nobody's. */
static void unknown(void)
{
	static const unsigned long nr[] = {
		KVM_CREATE_VCPU, KVM_RUN, KVM_GET_REGS, KVM_SET_USER_MEMORY_REGION,
		KVM_SET_TSS_ADDR, KVM_GET_DIRTY_LOG, KVM_INTERRUPT, KVM_SET_CPUID2,
		KVM_S390_ENABLE_SIE, _IO(KVMIO, 0xff), _IO(KVMIO, 0xf0), _IO(0x55, 0),
		_IOWR(KVMIO, 0x00, struct kvm_regs), 0, -1ul,
	};
	/* KVM's system descriptor is the odd one: EINVAL where others say ENOTTY. */
	int want = dev_is_kvm() ? EINVAL : ENOTTY;
	unsigned int i;

	for (i = 0; i < KTAP_COUNT(nr); i++) {
		long r = sys(nr[i], 0);

		if (r != -1 || errno != want)
			KTAP_FAIL_("ioctl %#lx: %ld, %s", nr[i], r, strerror(errno));
	}
}

/* No reading, writing or mapping of the system descriptor. */
static void not_a_file(void)
{
	char b[16];

	sys(KVM_GET_API_VERSION, 0);
	EXPECT_ERR(read(dev, b, sizeof(b)), EINVAL);
	EXPECT_ERR(write(dev, b, sizeof(b)), EINVAL);
	EXPECT(mmap(NULL, 4096, PROT_READ, MAP_SHARED, dev, 0) == MAP_FAILED);
	EXPECT_EQ(errno, ENODEV);
}

int main(void)
{
	static const struct ktap_case cases[] = {
		{ "api_version", api_version }, { "capabilities", capabilities },
		{ "cap_same_on_vm", cap_same_on_vm }, { "mmap_size", mmap_size },
		{ "create_vm", create_vm }, { "supported_cpuid", supported_cpuid },
		{ "supported_cpuid_values", supported_cpuid_values },
		{ "msr_lists", msr_lists }, { "feature_msrs", feature_msrs },
		{ "unknown", unknown }, { "not_a_file", not_a_file },
	};

	vmtest_init();
	return ktap_run(cases, KTAP_COUNT(cases));
}
