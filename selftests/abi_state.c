// SPDX-License-Identifier: GPL-2.0
/* FPU, XSAVE, XCRS, DEBUGREGS, VCPU_EVENTS, MP_STATE: round trips and refusals. */
#include <stddef.h>

#include "vmtest.h"

static void fill(void *p, size_t n)
{
	uint8_t *b = p;

	while (n--)
		*b++ = rnd();
}

/* KVM API 4.22, 4.23 */
static void fpu(void)
{
	struct vcpu *v = vcpu_new(vm_new(G_MEM), 0, MODE_LONG);
	struct kvm_fpu f, g;
	int i;

	rnd_seed();
	memset(&g, 0x55, sizeof(g));
	ASSERT_OK(ioctl(v->fd, KVM_GET_FPU, &g));
	EXPECT_EQ(g.fcw, 0x37f);		/* as after INIT by any client's book */
	EXPECT_EQ(g.fsw, 0);
	memset(&f, 0, sizeof(f));
	fill(f.fpr, sizeof(f.fpr));
	for (i = 0; i < 8; i++)
		memset(&f.fpr[i][10], 0, 6);	/* 80-bit registers */
	fill(f.xmm, sizeof(f.xmm));
	f.fcw = 0x27f;
	f.fsw = 0x3800;
	f.ftwx = 0xa5;
	f.last_opcode = 0x123;
	f.last_ip = 0x12345678;
	f.last_dp = 0x9abcdef0;
	ASSERT_OK(ioctl(v->fd, KVM_SET_FPU, &f));
	memset(&g, 0x55, sizeof(g));
	ASSERT_OK(ioctl(v->fd, KVM_GET_FPU, &g));
	EXPECT(!memcmp(f.fpr, g.fpr, sizeof(f.fpr)));
	EXPECT(!memcmp(f.xmm, g.xmm, sizeof(f.xmm)));
	EXPECT_EQ(g.fcw, f.fcw);
	EXPECT_EQ(g.fsw, f.fsw);
	EXPECT_EQ(g.ftwx, f.ftwx);
	EXPECT_EQ(g.last_opcode, f.last_opcode);
	EXPECT_EQ(g.last_ip, f.last_ip);
	EXPECT_EQ(g.last_dp, f.last_dp);
}

/* KVM API 4.42, 4.43: the layout is the CPU's XSAVE area. */
static void xsave(void)
{
	struct vcpu *v = vcpu_new(vm_new(G_MEM), 0, MODE_LONG);
	struct kvm_xsave *x = calloc(1, sizeof(*x)), *y = calloc(1, sizeof(*y));
	uint8_t *b = (uint8_t *)x, *c = (uint8_t *)y;

	if (vm_cap(v->vm, KVM_CAP_XSAVE) <= 0)
		SKIP("no KVM_CAP_XSAVE");
	rnd_seed();
	ASSERT_OK(ioctl(v->fd, KVM_GET_XSAVE, x));
	fill(b + 160, 256);				/* XMM0 to XMM15 */
	*(uint32_t *)(b + 24) = 0x1fa0;			/* MXCSR */
	*(uint64_t *)(b + 512) |= 3;			/* XSTATE_BV: x87, SSE */
	ASSERT_OK(ioctl(v->fd, KVM_SET_XSAVE, x));
	memset(y, 0x55, sizeof(*y));
	ASSERT_OK(ioctl(v->fd, KVM_GET_XSAVE, y));
	EXPECT(!memcmp(b + 160, c + 160, 256));
	EXPECT_EQ(*(uint32_t *)(c + 24), 0x1fa0);
	EXPECT_EQ(*(uint64_t *)(c + 512) & 3, 3);
	/* A component no CPU has, and reserved MXCSR bits, are refused. */
	*(uint64_t *)(b + 512) = BIT(62) | 3;
	EXPECT_ERR(ioctl(v->fd, KVM_SET_XSAVE, x), EINVAL);
	*(uint64_t *)(b + 512) = 3;
	*(uint32_t *)(b + 24) = 0xffff0000;
	EXPECT_ERR(ioctl(v->fd, KVM_SET_XSAVE, x), EINVAL);
	memset(x, 0x55, sizeof(*x));
	ASSERT_OK(ioctl(v->fd, KVM_GET_XSAVE, x));
	EXPECT(!memcmp(b + 160, c + 160, 256));
	free(x);
	free(y);
}

/* KVM API 4.44, 4.45 */
static void xcrs(void)
{
	struct vcpu *v = vcpu_new(vm_new(G_MEM), 0, MODE_LONG);
	struct kvm_xcrs x, y;

	if (vm_cap(v->vm, KVM_CAP_XCRS) <= 0)
		SKIP("no KVM_CAP_XCRS");
	memset(&x, 0, sizeof(x));
	if (ioctl(v->fd, KVM_GET_XCRS, &x) < 0) {
		ASSERT_EQ(errno, EINVAL);
		SKIP("the CPU has no XSAVE");
	}
	EXPECT_EQ(x.nr_xcrs, 1);
	EXPECT_EQ(x.xcrs[0].xcr, 0);
	EXPECT_EQ(x.xcrs[0].value, 1);
	y = x;
	y.xcrs[0].value = 3;
	ASSERT_OK(ioctl(v->fd, KVM_SET_XCRS, &y));
	memset(&x, 0, sizeof(x));
	ASSERT_OK(ioctl(v->fd, KVM_GET_XCRS, &x));
	EXPECT_EQ(x.xcrs[0].value, 3);
	/* x87 off, AVX without SSE, unknown components: APM vol. 2 11.5.2. */
	y.xcrs[0].value = 2;
	EXPECT_ERR(ioctl(v->fd, KVM_SET_XCRS, &y), EINVAL);
	y.xcrs[0].value = 5;
	EXPECT_ERR(ioctl(v->fd, KVM_SET_XCRS, &y), EINVAL);
	y.xcrs[0].value = BIT(62) | 3;
	EXPECT_ERR(ioctl(v->fd, KVM_SET_XCRS, &y), EINVAL);
	y.xcrs[0].value = 3;
	y.nr_xcrs = KVM_MAX_XCRS + 1;
	EXPECT_ERR(ioctl(v->fd, KVM_SET_XCRS, &y), EINVAL);
	y.nr_xcrs = 1;
	y.flags = 1;
	EXPECT_ERR(ioctl(v->fd, KVM_SET_XCRS, &y), EINVAL);
	memset(&x, 0, sizeof(x));
	ASSERT_OK(ioctl(v->fd, KVM_GET_XCRS, &x));
	EXPECT_EQ(x.xcrs[0].value, 3);
}

/* KVM API 4.33, 4.34 */
static void debugregs(void)
{
	struct vcpu *v = vcpu_new(vm_new(G_MEM), 0, MODE_LONG);
	struct kvm_debugregs d, e;
	int i;

	memset(&d, 0x55, sizeof(d));
	ASSERT_OK(ioctl(v->fd, KVM_GET_DEBUGREGS, &d));
	EXPECT_EQ(d.dr6, 0xffff0ff0);
	EXPECT_EQ(d.dr7, 0x400);
	EXPECT_EQ(d.flags, 0);
	for (i = 0; i < 4; i++)
		d.db[i] = 0x1000 * (i + 1);
	d.dr6 = 0xffff0ff1;
	d.dr7 = 0x455;
	ASSERT_OK(ioctl(v->fd, KVM_SET_DEBUGREGS, &d));
	memset(&e, 0x55, sizeof(e));
	ASSERT_OK(ioctl(v->fd, KVM_GET_DEBUGREGS, &e));
	for (i = 0; i < 4; i++)
		EXPECT_EQ(e.db[i], d.db[i]);
	EXPECT_EQ(e.dr6, d.dr6);
	EXPECT_EQ(e.dr7, d.dr7);
	/* The upper halves are zero, flags has no bit yet. */
	d.dr6 |= BIT(32);
	EXPECT_ERR(ioctl(v->fd, KVM_SET_DEBUGREGS, &d), EINVAL);
	d.dr6 = 0xffff0ff0;
	d.dr7 |= BIT(40);
	EXPECT_ERR(ioctl(v->fd, KVM_SET_DEBUGREGS, &d), EINVAL);
	d.dr7 = 0x400;
	d.flags = 1;
	EXPECT_ERR(ioctl(v->fd, KVM_SET_DEBUGREGS, &d), EINVAL);
	memset(&d, 0x55, sizeof(d));
	ASSERT_OK(ioctl(v->fd, KVM_GET_DEBUGREGS, &d));
	EXPECT_EQ(d.dr7, 0x455);
	EXPECT_EQ(d.dr6, 0xffff0ff1);
}

/* KVM API 4.31, 4.32 */
static void vcpu_events(void)
{
	struct vcpu *v = vcpu_new(vm_new(G_MEM), 0, MODE_LONG);
	struct kvm_vcpu_events e, f;

	memset(&e, 0x55, sizeof(e));
	ASSERT_OK(ioctl(v->fd, KVM_GET_VCPU_EVENTS, &e));
	EXPECT_EQ(e.exception.injected, 0);
	EXPECT_EQ(e.interrupt.injected, 0);
	EXPECT_EQ(e.interrupt.shadow, 0);
	EXPECT_EQ(e.nmi.injected, 0);
	EXPECT_EQ(e.nmi.pending, 0);
	EXPECT_EQ(e.nmi.masked, 0);

	/* An exception on its way in, as a migrating client sets it. */
	f = e;
	f.exception.injected = 1;
	f.exception.nr = GP;
	f.exception.has_error_code = 1;
	f.exception.error_code = 0x1234;
	ASSERT_OK(ioctl(v->fd, KVM_SET_VCPU_EVENTS, &f));
	memset(&f, 0x55, sizeof(f));
	ASSERT_OK(ioctl(v->fd, KVM_GET_VCPU_EVENTS, &f));
	EXPECT_EQ(f.exception.injected, 1);
	EXPECT_EQ(f.exception.nr, GP);
	EXPECT_EQ(f.exception.has_error_code, 1);
	EXPECT_EQ(f.exception.error_code, 0x1234);

	f = e;
	f.interrupt.injected = 1;
	f.interrupt.nr = 0x55;
	f.nmi.pending = 1;
	f.nmi.masked = 1;
	f.flags |= KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW;
	f.interrupt.shadow = KVM_X86_SHADOW_INT_STI;
	ASSERT_OK(ioctl(v->fd, KVM_SET_VCPU_EVENTS, &f));
	memset(&f, 0x55, sizeof(f));
	ASSERT_OK(ioctl(v->fd, KVM_GET_VCPU_EVENTS, &f));
	EXPECT_EQ(f.exception.injected, 0);
	EXPECT_EQ(f.interrupt.injected, 1);
	EXPECT_EQ(f.interrupt.nr, 0x55);
	EXPECT_EQ(f.nmi.pending, 1);
	EXPECT_EQ(f.nmi.masked, 1);
	/* SVM has one shadow for both of its causes (APM vol. 2 15.21.5). */
	EXPECT(f.interrupt.shadow != 0);

	/* Without their flags, pending NMI and shadow are left alone. */
	e.flags = 0;
	ASSERT_OK(ioctl(v->fd, KVM_SET_VCPU_EVENTS, &e));
	memset(&f, 0x55, sizeof(f));
	ASSERT_OK(ioctl(v->fd, KVM_GET_VCPU_EVENTS, &f));
	EXPECT_EQ(f.interrupt.injected, 0);
	EXPECT_EQ(f.nmi.pending, 1);
	EXPECT(f.interrupt.shadow != 0);
}

static void vcpu_events_refused(void)
{
	struct vcpu *v = vcpu_new(vm_new(G_MEM), 0, MODE_LONG);
	struct kvm_vcpu_events good, e, f;

	ASSERT_OK(ioctl(v->fd, KVM_GET_VCPU_EVENTS, &good));
	e = good;
	e.flags = 0x8000;
	EXPECT_ERR(ioctl(v->fd, KVM_SET_VCPU_EVENTS, &e), EINVAL);
	e = good;
	e.exception.injected = 1;
	e.exception.nr = 32;
	EXPECT_ERR(ioctl(v->fd, KVM_SET_VCPU_EVENTS, &e), EINVAL);
	e.exception.nr = NMI;			/* no exception */
	EXPECT_ERR(ioctl(v->fd, KVM_SET_VCPU_EVENTS, &e), EINVAL);
	/* A refused set changes nothing. */
	e.nmi.masked = 1;
	EXPECT_ERR(ioctl(v->fd, KVM_SET_VCPU_EVENTS, &e), EINVAL);
	ASSERT_OK(ioctl(v->fd, KVM_GET_VCPU_EVENTS, &f));
	EXPECT_EQ(f.nmi.masked, 0);
	EXPECT_EQ(f.exception.injected, 0);
}

/* KVM API 4.38, 4.39 */
static void mp_state(void)
{
	struct vcpu *v = vcpu_new(vm_new(G_MEM), 0, MODE_LONG);
	struct kvm_mp_state s = { .mp_state = 0x55 };

	ASSERT_OK(ioctl(v->fd, KVM_GET_MP_STATE, &s));
	EXPECT_EQ(s.mp_state, KVM_MP_STATE_RUNNABLE);
	EXPECT_OK(ioctl(v->fd, KVM_SET_MP_STATE, &s));
	s.mp_state = 0x1234;
	EXPECT_ERR(ioctl(v->fd, KVM_SET_MP_STATE, &s), EINVAL);
	/* Waiting for INIT or SIPI needs a local APIC in the kernel. */
	s.mp_state = KVM_MP_STATE_INIT_RECEIVED;
	EXPECT_ERR(ioctl(v->fd, KVM_SET_MP_STATE, &s), EINVAL);
	s.mp_state = KVM_MP_STATE_SIPI_RECEIVED;
	EXPECT_ERR(ioctl(v->fd, KVM_SET_MP_STATE, &s), EINVAL);
	ASSERT_OK(ioctl(v->fd, KVM_GET_MP_STATE, &s));
	EXPECT_EQ(s.mp_state, KVM_MP_STATE_RUNNABLE);
}

/* KVM API 4.55, 4.56 */
static void tsc_khz(void)
{
	struct vcpu *v = vcpu_new(vm_new(G_MEM), 0, MODE_LONG);
	int khz = ioctl(v->fd, KVM_GET_TSC_KHZ, 0);

	if (vm_cap(v->vm, KVM_CAP_GET_TSC_KHZ) <= 0) {
		EXPECT(khz < 0 && errno == ENOTTY);
		SKIP("no KVM_CAP_GET_TSC_KHZ");
	}
	/* -EIO is KVM's word for a host whose TSC is not stable. */
	if (khz < 0) {
		EXPECT_EQ(errno, EIO);
		return;
	}
	EXPECT(khz > 100000 && khz < 20000000);
	/* Its own rate is a rate it can run at. */
	if (vm_cap(v->vm, KVM_CAP_TSC_CONTROL) > 0) {
		EXPECT_OK(ioctl(v->fd, KVM_SET_TSC_KHZ, (unsigned long)khz));
		EXPECT_EQ(ioctl(v->fd, KVM_GET_TSC_KHZ, 0), khz);
	}
}

/* KVM API 4.61 ff. and the rest that only exists with its capability. */
static void tpr_access_reporting(void)
{
	struct vcpu *v = vcpu_new(vm_new(G_MEM), 0, MODE_LONG);
	struct kvm_tpr_access_ctl t = { .enabled = 1 };
	struct kvm_vapic_addr a = { .vapic_addr = 0x1000 };
	int r = ioctl(v->fd, KVM_TPR_ACCESS_REPORTING, &t);

	/* The numbers are known or unknown; neither may do harm. */
	EXPECT(r == 0 || errno == ENOTTY || errno == EINVAL);
	if (!r)
		EXPECT_ERR(ioctl(v->fd, KVM_TPR_ACCESS_REPORTING, NULL), EFAULT);
	r = ioctl(v->fd, KVM_SET_VAPIC_ADDR, &a);
	EXPECT(r < 0 && (errno == EINVAL || errno == ENOTTY));	/* no local APIC */
}

/* KVM_X86_SETUP_MCE (4.105): banks up to KVM_CAP_MCE's count, no unknown bits. */
static void setup_mce(void)
{
	struct vcpu *v = vcpu_new(vm_new(G_MEM), 0, MODE_LONG);
	int banks = vm_cap(v->vm, KVM_CAP_MCE);
	uint64_t cap = 0, x;

	if (banks <= 0) {
		EXPECT_ERR(ioctl(v->fd, KVM_X86_SETUP_MCE, &cap), ENOTTY);
		SKIP("no KVM_CAP_MCE");
	}
	ASSERT_OK(ioctl(v->vm->dev, KVM_X86_GET_MCE_CAP_SUPPORTED, &cap));
	x = cap | banks;
	EXPECT_OK(ioctl(v->fd, KVM_X86_SETUP_MCE, &x));
	x = cap | (banks + 1);
	EXPECT_ERR(ioctl(v->fd, KVM_X86_SETUP_MCE, &x), EINVAL);
	x = cap;
	EXPECT_ERR(ioctl(v->fd, KVM_X86_SETUP_MCE, &x), EINVAL);
	x = BIT(60) | 1;
	EXPECT_ERR(ioctl(v->fd, KVM_X86_SETUP_MCE, &x), EINVAL);
}

/* KVM_NMI, KVM_SMI: one is for every client, the other by capability. */
static void nmi_smi(void)
{
	struct vcpu *v = vcpu_new(vm_new(G_MEM), 0, MODE_LONG);
	struct kvm_vcpu_events e;

	EXPECT_OK(ioctl(v->fd, KVM_NMI, 0));
	ASSERT_OK(ioctl(v->fd, KVM_GET_VCPU_EVENTS, &e));
	EXPECT_EQ(e.nmi.pending, 1);
	if (vm_cap(v->vm, KVM_CAP_X86_SMM) <= 0) {
		int r = ioctl(v->fd, KVM_SMI, 0);

		EXPECT(r < 0 && (errno == ENOTTY || errno == EINVAL));
	}
}

/* KVM_TRANSLATE (4.15): the guest's page tables as the client asks about them. */
static void translate(void)
{
	enum guest_mode m;

	for (m = 0; m < NR_MODES; m++) {
		struct vcpu *v = vcpu_new(vm_new(G_MEM), 0, m);
		struct kvm_translation t = { .linear_address = 0x123456 };
		int r;

		if (mode_paging(m)) {
			if (m == MODE_PG32)
				g32(v->vm, G_PT32 + 0x123 * 4) = 0x234000 | 7;
			else
				g64(v->vm, G_PT + 0x123 * 8) = 0x1ff000 | 7;
		}
		r = ioctl(v->fd, KVM_TRANSLATE, &t);
		if (r < 0 && errno == ENOTTY)
			SKIP("no KVM_TRANSLATE");
		ASSERT_OK(r);
		EXPECT_EQ(t.valid, 1);
		EXPECT_EQ(t.physical_address, m == MODE_PG32 ? 0x234456 :
			  mode_paging(m) ? 0x1ff456 : 0x123456);
		if (!mode_paging(m))
			continue;
		if (m == MODE_PG32)
			g32(v->vm, G_PT32 + 0x123 * 4) = 0;
		else
			g64(v->vm, G_PT + 0x123 * 8) = 0;
		ASSERT_OK(ioctl(v->fd, KVM_TRANSLATE, &t));
		EXPECT_EQ(t.valid, 0);
	}
}

int main(void)
{
	static const struct ktap_case cases[] = {
		{ "fpu", fpu }, { "xsave", xsave }, { "xcrs", xcrs }, { "debugregs", debugregs },
		{ "vcpu_events", vcpu_events }, { "vcpu_events_refused", vcpu_events_refused },
		{ "mp_state", mp_state }, { "tsc_khz", tsc_khz },
		{ "tpr_access_reporting", tpr_access_reporting }, { "setup_mce", setup_mce },
		{ "nmi_smi", nmi_smi }, { "translate", translate },
	};

	vmtest_init();
	return ktap_run(cases, KTAP_COUNT(cases));
}
