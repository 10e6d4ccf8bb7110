// SPDX-License-Identifier: GPL-2.0
/* KVM_SET_CPUID2/GET_CPUID2 and what CPUID then says in the guest (KVM API 4.20, 4.46). */
#include "vmtest.h"

#define MAX	256			/* entries KVM takes at most, KVM_MAX_CPUID_ENTRIES */

static struct kvm_cpuid2 *table(int n)
{
	struct kvm_cpuid2 *c = calloc(1, sizeof(*c) + n * sizeof(c->entries[0]));

	ASSERT(c);
	c->nent = n;
	return c;
}

/* The count comes back; KVM before Linux 6.3 left it as it was given. */
static void expect_nent(struct kvm_cpuid2 *c, unsigned int n)
{
	if (dev_is_kvm() && c->nent == MAX)
		c->nent = n;
	EXPECT_EQ(c->nent, n);
}

static void set_get(void)
{
	struct vm *vm = vm_bare();
	struct vcpu *v = vcpu_bare(vm, 0);
	struct kvm_cpuid2 *c = table(MAX), *d = table(MAX);
	unsigned int i, n;

	ASSERT_OK(ioctl(vm->dev, KVM_GET_SUPPORTED_CPUID, c));
	n = c->nent;
	ASSERT_OK(ioctl(v->fd, KVM_SET_CPUID2, c));
	ASSERT_OK(ioctl(v->fd, KVM_GET_CPUID2, d));
	expect_nent(d, n);
	for (i = 0; i < n; i++) {
		EXPECT_EQ(d->entries[i].function, c->entries[i].function);
		EXPECT_EQ(d->entries[i].index, c->entries[i].index);
		EXPECT_EQ(d->entries[i].flags, c->entries[i].flags);
	}
	/* Too small a buffer: E2BIG. */
	d->nent = n - 1;
	EXPECT_ERR(ioctl(v->fd, KVM_GET_CPUID2, d), E2BIG);
	d->nent = n;
	EXPECT_OK(ioctl(v->fd, KVM_GET_CPUID2, d));
	EXPECT_ERR(ioctl(v->fd, KVM_GET_CPUID2, NULL), EFAULT);
	EXPECT_ERR(ioctl(v->fd, KVM_SET_CPUID2, NULL), EFAULT);
	free(c);
	free(d);
}

/* Too many is E2BIG, an unreadable array EFAULT, and the old table stands. */
static void refused(void)
{
	struct vm *vm = vm_bare();
	struct vcpu *v = vcpu_bare(vm, 0);
	struct kvm_cpuid2 *c = table(MAX + 1), *d = table(MAX);
	uint8_t *edge = anon(0x2000);

	c->nent = 1;
	c->entries[0].function = 0;
	c->entries[0].eax = 0x5;
	c->entries[0].ebx = 0x12345678;
	ASSERT_OK(ioctl(v->fd, KVM_SET_CPUID2, c));
	c->entries[0].ebx = 0x99;
	c->nent = MAX + 1;
	EXPECT_ERR(ioctl(v->fd, KVM_SET_CPUID2, c), E2BIG);
	c->nent = 0xffffffff;
	EXPECT_ERR(ioctl(v->fd, KVM_SET_CPUID2, c), E2BIG);
	/* The table's head at the end of what is mapped. */
	munmap(edge + 0x1000, 0x1000);
	memcpy(edge + 0x1000 - sizeof(*c), &(struct kvm_cpuid2){ .nent = 3 }, sizeof(*c));
	EXPECT_ERR(ioctl(v->fd, KVM_SET_CPUID2, edge + 0x1000 - sizeof(*c)), EFAULT);
	ASSERT_OK(ioctl(v->fd, KVM_GET_CPUID2, d));
	expect_nent(d, 1);
	EXPECT_EQ(d->entries[0].ebx, 0x12345678);
	/* Nothing at all is a table too. */
	c->nent = 0;
	EXPECT_OK(ioctl(v->fd, KVM_SET_CPUID2, c));
	d->nent = MAX;
	ASSERT_OK(ioctl(v->fd, KVM_GET_CPUID2, d));
	expect_nent(d, 0);
	munmap(edge, 0x1000);
	free(c);
	free(d);
}

GUEST_ALL(cpuid, "cpuid\nhlt\n");

struct regs4 {
	uint32_t a, b, c, d;
};

static struct regs4 ask(struct vcpu *v, uint32_t leaf, uint32_t sub)
{
	v->regs.rip = G_CODE;
	v->regs.rax = 0xffffffff00000000 | leaf;
	v->regs.rbx = v->regs.rdx = -1;
	v->regs.rcx = 0xffffffff00000000 | sub;
	set_regs(v);
	run_to_hlt(v);
	/* CPUID clears the upper halves (SDM vol. 2 CPUID). */
	if (v->mode == MODE_LONG)
		EXPECT_EQ((v->regs.rax | v->regs.rbx | v->regs.rcx | v->regs.rdx) >> 32, 0);
	return (struct regs4){ v->regs.rax, v->regs.rbx, v->regs.rcx, v->regs.rdx };
}

static void add(struct kvm_cpuid2 *c, uint32_t f, uint32_t i, bool indexed, struct regs4 r)
{
	c->entries[c->nent++] = (struct kvm_cpuid_entry2){
		.function = f, .index = i, .flags = indexed ? KVM_CPUID_FLAG_SIGNIFCANT_INDEX : 0,
		.eax = r.a, .ebx = r.b, .ecx = r.c, .edx = r.d,
	};
}

#define EXPECT_REGS(got, ...) do {					\
	struct regs4 g_ = got, w_ = __VA_ARGS__;			\
	EXPECT_EQ(g_.a, w_.a);						\
	EXPECT_EQ(g_.b, w_.b);						\
	EXPECT_EQ(g_.c, w_.c);						\
	EXPECT_EQ(g_.d, w_.d);						\
} while (0)

static void guest_sees(void)
{
	enum guest_mode m;

	for (m = 0; m < NR_MODES; m++) {
		struct vm *vm = vm_new(G_MEM);
		struct vcpu *v = vcpu_bare(vm, 0);
		struct kvm_cpuid2 *c = table(16);
		struct regs4 r;

		guest_load(vm, G_CODE, guest_for(cpuid, m));
		c->nent = 0;
		/* AuthenticAMD: leaves beyond the last are zero (APM vol. 3 app. E). */
		add(c, 0, 0, false, (struct regs4){ 0xb, 0x68747541, 0x444d4163, 0x69746e65 });
		add(c, 1, 0, false, (struct regs4){ 0x00800f12, 0x00010800, 0, 0x178bfbff });
		add(c, 4, 0, true, (struct regs4){ 1, 2, 3, 4 });
		add(c, 4, 1, true, (struct regs4){ 5, 6, 7, 8 });
		add(c, 0x40000000, 0, false, (struct regs4){ 0x40000001, 0x676e6972, 0x6d76, 0 });
		add(c, 0x80000000, 0, false, (struct regs4){ 0x80000008, 0x11, 0x22, 0x33 });
		add(c, 0x80000001, 0, false, (struct regs4){ 0, 0, 0, 0x2c100800 });
		add(c, 0x80000008, 0, false, (struct regs4){ 0x3028, 0, 0, 0 });
		ASSERT_OK(ioctl(v->fd, KVM_SET_CPUID2, c));
		vcpu_set_mode(v, m);

		EXPECT_REGS(ask(v, 0, 0), { 0xb, 0x68747541, 0x444d4163, 0x69746e65 });
		r = ask(v, 1, 0);
		EXPECT_EQ(r.a, 0x00800f12);
		EXPECT_EQ(r.b, 0x00010800);
		EXPECT_EQ(r.c & BIT(27), 0);		/* OSXSAVE follows CR4 */
		EXPECT_REGS(ask(v, 4, 0), { 1, 2, 3, 4 });
		EXPECT_REGS(ask(v, 4, 1), { 5, 6, 7, 8 });
		EXPECT_REGS(ask(v, 4, 2), { 0, 0, 0, 0 });
		EXPECT_REGS(ask(v, 0x40000000, 0), { 0x40000001, 0x676e6972, 0x6d76, 0 });
		EXPECT_REGS(ask(v, 0x80000000, 7), { 0x80000008, 0x11, 0x22, 0x33 });
		EXPECT_REGS(ask(v, 0x5, 0), { 0, 0, 0, 0 });
		EXPECT_REGS(ask(v, 0xc, 0), { 0, 0, 0, 0 });
		EXPECT_REGS(ask(v, 0x80000009, 0), { 0, 0, 0, 0 });
		EXPECT_REGS(ask(v, 0xdeadbeef, 0), { 0, 0, 0, 0 });
		free(c);
	}
}

/* Features not offered are not usable: EFER.NXE without NX is #GP (APM vol. 2 3.1.7). */
GUEST(nxe, 64, "mov $0xc0000080, %ecx\nrdmsr\nor $0x800, %eax\nwrmsr\nhlt\n");

static void feature_gates_msr(void)
{
	struct vcpu *v = guest_start(MODE_LONG, nxe);
	struct kvm_cpuid2 *c = table(MAX);
	unsigned int i;

	run_to_hlt(v);
	EXPECT_EQ(v->regs.rip, G_CODE + code_len(nxe));
	get_sregs(v);
	EXPECT_EQ(v->sregs.efer & EFER_NX, EFER_NX);

	v = guest_start(MODE_LONG, nxe);
	ASSERT_OK(ioctl(v->vm->dev, KVM_GET_SUPPORTED_CPUID, c));
	for (i = 0; i < c->nent; i++)
		if (c->entries[i].function == 0x80000001)
			c->entries[i].edx &= ~(1u << 20);
	ASSERT_OK(ioctl(v->fd, KVM_SET_CPUID2, c));
	EXPECT_EQ(run_to_vector(v), GP);
	free(c);
}

int main(void)
{
	static const struct ktap_case cases[] = {
		{ "set_get", set_get }, { "refused", refused }, { "guest_sees", guest_sees },
		{ "feature_gates_msr", feature_gates_msr },
	};

	vmtest_init();
	return ktap_run(cases, KTAP_COUNT(cases));
}
