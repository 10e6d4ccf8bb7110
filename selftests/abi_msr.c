// SPDX-License-Identifier: GPL-2.0
/* KVM_{GET,SET}_MSRS: counts, order, refusals; RDMSR and WRMSR in the guest (KVM API 4.18). */
#include "vmtest.h"

struct msrs {
	struct kvm_msrs h;
	struct kvm_msr_entry e[300];
};

#define BOGUS	0x40001234u		/* no CPU's, no hypervisor's */

static long do_msrs(struct vcpu *v, unsigned long nr, struct msrs *m)
{
	return ioctl(v->fd, nr, m);
}

static void round_trip(void)
{
	static const struct { uint32_t msr; uint64_t val; } t[] = {
		{ MSR_SYSENTER_CS, 0x10 }, { MSR_SYSENTER_ESP, 0x12345678 },
		{ MSR_SYSENTER_EIP, 0x87654321 }, { MSR_STAR, 0x0023001000000000 },
		{ MSR_LSTAR, 0xffffffff81000000 }, { MSR_CSTAR, 0xffffffff81001000 },
		{ MSR_SFMASK, 0x47700 }, { MSR_KERNEL_GS, 0xffff888012340000 },
		{ MSR_FS_BASE, 0x7fff12345000 }, { MSR_GS_BASE, 0xffff888000001000 },
		{ MSR_PAT, 0x0007040600070406 },
	};
	struct vcpu *v = vcpu_new(vm_new(G_MEM), 0, MODE_LONG);
	struct msrs m = { .h.nmsrs = KTAP_COUNT(t) };
	unsigned int i;

	for (i = 0; i < KTAP_COUNT(t); i++) {
		m.e[i].index = t[i].msr;
		m.e[i].data = t[i].val;
	}
	ASSERT_EQ(do_msrs(v, KVM_SET_MSRS, &m), KTAP_COUNT(t));
	for (i = 0; i < KTAP_COUNT(t); i++)
		m.e[i].data = 0x5555;
	ASSERT_EQ(do_msrs(v, KVM_GET_MSRS, &m), KTAP_COUNT(t));
	for (i = 0; i < KTAP_COUNT(t); i++)
		if (m.e[i].data != t[i].val)
			KTAP_FAIL_("MSR %#x is %#llx, want %#llx", t[i].msr, m.e[i].data,
				   (unsigned long long)t[i].val);
	/* FS and GS base are the segments' (APM vol. 2 3.1.4). */
	get_sregs(v);
	EXPECT_EQ(v->sregs.fs.base, 0x7fff12345000);
	EXPECT_EQ(v->sregs.gs.base, 0xffff888000001000);
}

/* They stop at the first bad one and answer how many went well. */
static void partial(void)
{
	struct vcpu *v = vcpu_new(vm_new(G_MEM), 0, MODE_LONG);
	struct msrs m = { .h.nmsrs = 3 };
	uint64_t x;

	m.e[0] = (struct kvm_msr_entry){ .index = MSR_SYSENTER_ESP, .data = 0x1000 };
	m.e[1] = (struct kvm_msr_entry){ .index = BOGUS, .data = 1 };
	m.e[2] = (struct kvm_msr_entry){ .index = MSR_SYSENTER_EIP, .data = 0x2000 };
	EXPECT_EQ(do_msrs(v, KVM_SET_MSRS, &m), 1);
	EXPECT_EQ(get_msr(v, MSR_SYSENTER_ESP, &x), 1);
	EXPECT_EQ(x, 0x1000);
	EXPECT_EQ(get_msr(v, MSR_SYSENTER_EIP, &x), 1);
	EXPECT_EQ(x, 0);
	EXPECT_EQ(do_msrs(v, KVM_GET_MSRS, &m), 1);
	EXPECT_EQ(m.e[2].data, 0x2000);
	m.h.nmsrs = 0;
	EXPECT_EQ(do_msrs(v, KVM_GET_MSRS, &m), 0);
	EXPECT_EQ(do_msrs(v, KVM_SET_MSRS, &m), 0);
	/* A bad one first: nothing done. */
	EXPECT_EQ(set_msr(v, BOGUS, 0), 0);
	EXPECT_EQ(get_msr(v, BOGUS, &x), 0);
}

static void counts(void)
{
	struct vcpu *v = vcpu_new(vm_new(G_MEM), 0, MODE_LONG);
	struct msrs *m = calloc(1, sizeof(*m));
	uint8_t *edge = anon(0x2000);
	int i;

	ASSERT(m);
	for (i = 0; i < 300; i++)
		m->e[i].index = MSR_SYSENTER_ESP;
	m->h.nmsrs = 255;
	EXPECT_EQ(do_msrs(v, KVM_GET_MSRS, m), 255);
	EXPECT_EQ(do_msrs(v, KVM_SET_MSRS, m), 255);
	m->h.nmsrs = 256;			/* MAX_IO_MSRS: as many and more */
	EXPECT_ERR(do_msrs(v, KVM_GET_MSRS, m), E2BIG);
	EXPECT_ERR(do_msrs(v, KVM_SET_MSRS, m), E2BIG);
	m->h.nmsrs = 0xffffffff;
	EXPECT_ERR(do_msrs(v, KVM_GET_MSRS, m), E2BIG);
	EXPECT_ERR(do_msrs(v, KVM_SET_MSRS, m), E2BIG);
	EXPECT_ERR(ioctl(v->fd, KVM_GET_MSRS, NULL), EFAULT);
	EXPECT_ERR(ioctl(v->fd, KVM_SET_MSRS, NULL), EFAULT);
	munmap(edge + 0x1000, 0x1000);
	m = (struct msrs *)(edge + 0x1000 - sizeof(struct kvm_msrs));
	m->h.nmsrs = 2;
	EXPECT_ERR(do_msrs(v, KVM_GET_MSRS, m), EFAULT);
	EXPECT_ERR(do_msrs(v, KVM_SET_MSRS, m), EFAULT);
	munmap(edge, 0x1000);
}

/* Every listed MSR can be read, and written with what was read. */
static void listed(void)
{
	struct vcpu *v = vcpu_new(vm_new(G_MEM), 0, MODE_LONG);
	struct kvm_msr_list *l = calloc(1, sizeof(*l) + 4096 * 4);
	unsigned int i;
	uint64_t x;

	ASSERT(l);
	l->nmsrs = 4096;
	ASSERT_OK(ioctl(v->vm->dev, KVM_GET_MSR_INDEX_LIST, l));
	for (i = 0; i < l->nmsrs; i++) {
		if (get_msr(v, l->indices[i], &x) != 1) {
			/* KVM lists some for features that this CPUID lacks. */
			if (!dev_is_kvm())
				KTAP_FAIL_("MSR %#x: not readable", l->indices[i]);
			continue;
		}
		if (set_msr(v, l->indices[i], x) != 1 && !dev_is_kvm())
			KTAP_FAIL_("MSR %#x: not writable with %#llx", l->indices[i],
				   (unsigned long long)x);
	}
	free(l);
}

/* Values no CPU takes are refused and leave the old one. */
static void bad_values(void)
{
	static const struct { uint32_t msr; uint64_t bad; } t[] = {
		{ MSR_EFER, BIT(1) }, { MSR_EFER, BIT(40) },
		{ MSR_PAT, 0x0206 }, { MSR_PAT, 0x08ull << 56 },
		{ MSR_APICBASE, BIT(63) },
	};
	struct vcpu *v = vcpu_new(vm_new(G_MEM), 0, MODE_LONG);
	uint64_t a, b;
	unsigned int i;

	for (i = 0; i < KTAP_COUNT(t); i++) {
		ASSERT_EQ(get_msr(v, t[i].msr, &a), 1);
		EXPECT_EQ(set_msr(v, t[i].msr, t[i].bad), 0);
		ASSERT_EQ(get_msr(v, t[i].msr, &b), 1);
		EXPECT_EQ(a, b);
	}
}

/* The guest's own RDMSR and WRMSR. */
GUEST_ALL(rd, "rdmsr\nhlt\n");
GUEST_ALL(wr, "wrmsr\nhlt\n");

static int guest_msr(struct vcpu *v, const struct guest_code prog[3], uint32_t msr, uint64_t *val)
{
	int vec;

	guest_load(v->vm, G_CODE, guest_for(prog, v->mode));
	v->regs.rip = G_CODE;
	v->regs.rsp = G_STACK;
	v->regs.rcx = msr;
	v->regs.rax = (uint32_t)*val;
	v->regs.rdx = *val >> 32;
	set_regs(v);
	vec = run_to_vector(v);
	*val = (uint32_t)v->regs.rax | v->regs.rdx << 32;
	return vec;
}

static void in_guest(void)
{
	static const uint32_t msr[] = {
		MSR_SYSENTER_CS, MSR_SYSENTER_ESP, MSR_SYSENTER_EIP, MSR_STAR, MSR_LSTAR,
		MSR_CSTAR, MSR_SFMASK, MSR_KERNEL_GS, MSR_FS_BASE, MSR_GS_BASE,
	};
	enum guest_mode m;
	unsigned int i;
	uint64_t x;

	for (m = 0; m < NR_MODES; m++) {
		struct vcpu *v = vcpu_new(vm_new(G_MEM), 0, m);

		for (i = 0; i < KTAP_COUNT(msr); i++) {
			/* The client's value is the guest's, and the other way round. */
			uint64_t want = 0x00001000 + i * 0x100;

			ASSERT_EQ(set_msr(v, msr[i], want), 1);
			x = 0;
			EXPECT_EQ(guest_msr(v, rd, msr[i], &x), -1);
			EXPECT_EQ(x, want);
			x = want + 0x10;
			EXPECT_EQ(guest_msr(v, wr, msr[i], &x), -1);
			ASSERT_EQ(get_msr(v, msr[i], &x), 1);
			EXPECT_EQ(x, want + 0x10);
		}
	}
}

static void guest_gets_gp(void)
{
	static const struct { uint32_t msr; bool wr; uint64_t val; } t[] = {
		{ BOGUS, false, 0 }, { BOGUS, true, 0 },
		{ MSR_EFER, true, BIT(1) }, { MSR_EFER, true, BIT(63) },
		{ MSR_PAT, true, 0x02 }, { MSR_PAT, true, 0xff00 },
		{ 0xc0011fff, true, 1 },
	};
	enum guest_mode m;
	unsigned int i;

	for (m = 0; m < NR_MODES; m++) {
		struct vcpu *v = vcpu_new(vm_new(G_MEM), 0, m);

		for (i = 0; i < KTAP_COUNT(t); i++) {
			uint64_t x = t[i].val;
			int vec = guest_msr(v, t[i].wr ? wr : rd, t[i].msr, &x);

			if (vec != GP)
				KTAP_FAIL_("%s: %s of MSR %#x ended at vector %d", mode_name[m],
					   t[i].wr ? "WRMSR" : "RDMSR", t[i].msr, vec);
		}
	}
}

/* EFER by the guest: LMA is not its to set (APM vol. 2 3.1.7). */
static void guest_efer(void)
{
	struct vcpu *v = vcpu_new(vm_new(G_MEM), 0, MODE_LONG);
	uint64_t x = 0;

	EXPECT_EQ(guest_msr(v, rd, MSR_EFER, &x), -1);
	EXPECT_EQ(x, EFER_LME | EFER_LMA);
	x = EFER_LME | EFER_LMA | EFER_NX | EFER_SCE;
	EXPECT_EQ(guest_msr(v, wr, MSR_EFER, &x), -1);
	get_sregs(v);
	EXPECT_EQ(v->sregs.efer, EFER_LME | EFER_LMA | EFER_NX | EFER_SCE);
	x = EFER_LMA;			/* LME off under paging: #GP */
	EXPECT_EQ(guest_msr(v, wr, MSR_EFER, &x), GP);
	get_sregs(v);
	EXPECT_EQ(v->sregs.efer, EFER_LME | EFER_LMA | EFER_NX | EFER_SCE);
}

int main(void)
{
	static const struct ktap_case cases[] = {
		{ "round_trip", round_trip }, { "partial", partial }, { "counts", counts },
		{ "listed", listed }, { "bad_values", bad_values }, { "in_guest", in_guest },
		{ "guest_gets_gp", guest_gets_gp }, { "guest_efer", guest_efer },
	};

	vmtest_init();
	return ktap_run(cases, KTAP_COUNT(cases));
}
