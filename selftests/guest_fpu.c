// SPDX-License-Identifier: GPL-2.0
/* x87, SSE and AVX registers across exits, ioctls, vCPUs and the client's own use. */
#include <pthread.h>

#include "vmtest.h"

/* Adds across an exit: what stands in the registers must outlive it. */
GUEST_ALL(x87, "fninit\nfld1\nfldpi\nout %al, $0x10\nfaddp\nfstpt (%ebx)\nfnstcw 16(%ebx)\nhlt\n");
GUEST_ALL(sse, "movups (%ebx), %xmm0\nmovups 16(%ebx), %xmm7\nout %al, $0x10\n"
	  "paddd %xmm7, %xmm0\nmovups %xmm0, 32(%ebx)\nstmxcsr 48(%ebx)\nhlt\n");

/* Spoils the host's registers between exits; a leak would show either way. */
static void spoil(void)
{
	__asm__ volatile("fninit\nfldz\nfldz\npcmpeqd %%xmm0, %%xmm0\npcmpeqd %%xmm7, %%xmm7\n"
			 "fstp %%st\nfstp %%st\n" : : : "xmm0", "xmm7", "memory");
}

static void x87_over_exit(void)
{
	enum guest_mode m;

	for (m = 0; m < NR_MODES; m++) {
		struct vcpu *v = guest_start_all(m, x87);
		long double got = 0, want = 3.14159265358979323851L + 1;

		fpu_on(v);
		run_to(v, KVM_EXIT_IO);
		spoil();
		run_to_hlt(v);
		memcpy(&got, v->vm->mem + G_DATA, 10);
		EXPECT(got == want);
		EXPECT_EQ(g16(v->vm, G_DATA + 16), 0x37f);
	}
}

static void sse_over_exit(void)
{
	enum guest_mode m;
	int i;

	for (m = 0; m < NR_MODES; m++) {
		struct vcpu *v = guest_start_all(m, sse);

		fpu_on(v);
		for (i = 0; i < 4; i++) {
			g32(v->vm, G_DATA + i * 4) = 0x11111111 * (i + 1);
			g32(v->vm, G_DATA + 16 + i * 4) = 0x01020304 * (i + 1);
		}
		run_to(v, KVM_EXIT_IO);
		spoil();
		run_to_hlt(v);
		for (i = 0; i < 4; i++)
			EXPECT_EQ(g32(v->vm, G_DATA + 32 + i * 4), 0x12131415u * (i + 1));
		EXPECT_EQ(g32(v->vm, G_DATA + 48), 0x1f80);
	}
}

/* KVM_SET_FPU is what the guest finds, KVM_GET_FPU what it left. */
GUEST(swapx, 64, "movups %xmm3, (%rbx)\nmovups 16(%rbx), %xmm12\nfstpt 32(%rbx)\nfld1\nhlt\n");

/* Puts x87 and SSE in use: KVM_SET_FPU on KVM does not bring them in by itself. */
GUEST(use, 64, "fldpi\nmovups (%rbx), %xmm3\nhlt\n");

static void set_fpu(bool fresh)
{
	struct vcpu *v = guest_start(MODE_LONG, fresh ? swapx : use);
	static const uint8_t pi[16] = {
		0x35, 0xc2, 0x68, 0x21, 0xa2, 0xda, 0x0f, 0xc9, 0x00, 0x40
	};
	static const uint8_t one[10] = { 0, 0, 0, 0, 0, 0, 0, 0x80, 0xff, 0x3f };
	struct kvm_fpu f;
	int i;

	fpu_on(v);
	if (!fresh) {
		g8(v->vm, G_DATA) = 1;
		run_to_hlt(v);
		guest_load(v->vm, G_CODE, swapx);
		set_rip(v, G_CODE);
	}
	ASSERT_OK(ioctl(v->fd, KVM_GET_FPU, &f));
	memcpy(f.fpr[0], pi, 16);
	f.fcw = 0x37f;
	f.fsw = 0;
	f.ftwx = 1;
	for (i = 0; i < 16; i++)
		memset(f.xmm[i], 0x30 + i, 16);
	ASSERT_OK(ioctl(v->fd, KVM_SET_FPU, &f));
	memset(v->vm->mem + G_DATA + 16, 0xc7, 16);
	run_to_hlt(v);
	for (i = 0; i < 16; i++)
		EXPECT_EQ(g8(v->vm, G_DATA + i), 0x33);
	EXPECT(!memcmp(v->vm->mem + G_DATA + 32, pi, 10));
	ASSERT_OK(ioctl(v->fd, KVM_GET_FPU, &f));
	EXPECT_EQ(f.xmm[12][5], 0xc7);
	EXPECT_EQ(f.xmm[11][5], 0x3b);
	EXPECT(!memcmp(f.fpr[0], one, 10));
	EXPECT_EQ(f.ftwx, 0x01);
}

static void by_ioctl(void)
{
	set_fpu(false);
	if (!dev_is_kvm())
		set_fpu(true);
}

/* AVX: XCR0 by XSETBV, upper halves across an exit. */
GUEST(avx, 64,
      "xor %ecx, %ecx\nxor %edx, %edx\nmov $7, %eax\nxsetbv\nxgetbv\nmov %eax, %esi\n"
      "vmovups (%rbx), %ymm5\nout %al, $0x10\nvmovups %ymm5, 32(%rbx)\nhlt\n");
GUEST(xsetbv_bad, 64, "xor %ecx, %ecx\nxor %edx, %edx\nmov $5, %eax\nxsetbv\nhlt\n");
GUEST(xsetbv_zero, 64, "xor %ecx, %ecx\nxor %edx, %edx\nxor %eax, %eax\nxsetbv\nhlt\n");

static void avx_over_exit(void)
{
	struct vcpu *v = guest_start(MODE_LONG, avx);
	struct kvm_xcrs x;
	int i;

	if (!has_avx())
		SKIP("no AVX offered");
	v->sregs.cr4 |= CR4_OSXSAVE;
	fpu_on(v);
	for (i = 0; i < 32; i++)
		g8(v->vm, G_DATA + i) = i * 3 + 1;
	ASSERT_EQ(vcpu_run(v), 0);
	get_regs(v);
	if (guest_on_tcg() && v->regs.rip == G_TRAPS + UD + 1)
		SKIP("TCG does not see the guest's XCR0");
	ASSERT_EQ(v->run->exit_reason, KVM_EXIT_IO);
	__asm__ volatile("vpcmpeqd %%xmm5, %%xmm5, %%xmm5\nvzeroupper\n" : : : "xmm5");
	ASSERT_OK(ioctl(v->fd, KVM_GET_XCRS, &x));
	EXPECT_EQ(x.xcrs[0].value, 7);
	run_to_hlt(v);
	EXPECT_EQ(v->regs.rsi, 7);
	EXPECT(!memcmp(v->vm->mem + G_DATA, v->vm->mem + G_DATA + 32, 32));
}

static void xsetbv_refused(void)
{
	struct vcpu *v = guest_start(MODE_LONG, xsetbv_bad);

	if (!has_avx())
		SKIP("no AVX offered");
	v->sregs.cr4 |= CR4_OSXSAVE;
	fpu_on(v);
	EXPECT_EQ(run_to_vector(v), GP);
	v = guest_start(MODE_LONG, xsetbv_zero);
	v->sregs.cr4 |= CR4_OSXSAVE;
	fpu_on(v);
	EXPECT_EQ(run_to_vector(v), GP);
	/* Without CR4.OSXSAVE it is #UD. */
	v = guest_start(MODE_LONG, xsetbv_bad);
	fpu_on(v);
	EXPECT_EQ(run_to_vector(v), UD);
}

/*
 * Two vCPUs and the client's threads, all with different contents in the same
 * registers, in a loop with exits: any mix-up adds up wrong.
 */
GUEST(adder, 64,
      "movups (%rbx), %xmm0\nmovups 16(%rbx), %xmm1\nmov $300, %ecx\n"
      "1: paddq %xmm1, %xmm0\ntest $7, %ecx\njnz 2f\nout %al, $0x10\n2: dec %ecx\njnz 1b\n"
      "movups %xmm0, 32(%rbx)\nhlt\n");

static void *adder_thread(void *arg)
{
	struct vcpu *v = arg;
	uint64_t at = G_DATA + v->id * 0x100, seed = 0x1111 * (v->id + 1), sum = seed, i = 0;

	do {
		/* The thread's own sum goes by XMM0 and XMM1 as well. */
		__asm__ volatile("movq %1, %%xmm1\nmovq %0, %%xmm0\npaddq %%xmm1, %%xmm0\n"
				 "movq %%xmm0, %0" : "+r"(sum) : "r"(seed) : "xmm0", "xmm1");
		i++;
		if (vcpu_run(v))
			return "KVM_RUN failed";
	} while (v->run->exit_reason == KVM_EXIT_IO);
	if (v->run->exit_reason != KVM_EXIT_HLT)
		return "no HLT";
	if (sum != seed * (i + 1))
		return "the client's sum is wrong";
	if (g64(v->vm, at + 32) != v->id + 300ull * (v->id + 5))
		return "the guest's sum is wrong";
	return NULL;
}

static void several_at_once(void)
{
	struct vm *vm = vm_new(G_MEM);
	struct vcpu *v[3];
	pthread_t t[3];
	int i;

	guest_load(vm, G_CODE, adder);
	for (i = 0; i < 3; i++) {
		v[i] = vcpu_new(vm, i, MODE_LONG);
		fpu_on(v[i]);
		v[i]->regs.rbx = G_DATA + i * 0x100;
		set_regs(v[i]);
		g64(vm, G_DATA + i * 0x100) = i;
		g64(vm, G_DATA + i * 0x100 + 16) = i + 5;
	}
	for (i = 0; i < 3; i++)
		ASSERT_EQ(pthread_create(&t[i], NULL, adder_thread, v[i]), 0);
	for (i = 0; i < 3; i++) {
		void *why;

		pthread_join(t[i], &why);
		if (why)
			KTAP_FAIL_("vCPU %d: %s", i, (char *)why);
	}
}

/* What faults in the unit reaches the guest: #XM, #UD instead of it, #GP, #MF. */
GUEST_ALL(xm, "movl $0x1d80, (%ebx)\nldmxcsr (%ebx)\nxorps %xmm0, %xmm0\npcmpeqd %xmm1, %xmm1\n"
	  "psrld $25, %xmm1\npslld $23, %xmm1\ndivps %xmm0, %xmm1\nhlt\n");
GUEST_ALL(mxcsr_bad, "movl $0xffff1f80, (%ebx)\nldmxcsr (%ebx)\nhlt\n");
GUEST_ALL(mf, "fninit\nmovw $0x37b, (%ebx)\nfldcw (%ebx)\nfld1\nfldz\nfdivrp\nfwait\nhlt\n");

static void unit_faults(void)
{
	enum guest_mode m;

	for (m = MODE_LONG; m < NR_MODES; m++) {
		struct vcpu *v = guest_start_all(m, mf);

		fpu_on(v);
		v->sregs.cr0 |= 1u << 5;
		set_sregs(v);
		EXPECT_EQ(run_to_vector(v), 16);
		/* TCG's CPU neither raises #XM nor looks at MXCSR's reserved bits */
		if (host_is_tcg())
			continue;
		v = guest_start_all(m, xm);
		fpu_on(v);
		EXPECT_EQ(run_to_vector(v), 19);
		v = guest_start_all(m, xm);
		fpu_on(v);
		v->sregs.cr4 &= ~(uint64_t)CR4_OSXMMEXCPT;
		set_sregs(v);
		EXPECT_EQ(run_to_vector(v), UD);
		v = guest_start_all(m, mxcsr_bad);
		fpu_on(v);
		EXPECT_EQ(run_to_vector(v), GP);
	}
}

int main(void)
{
	static const struct ktap_case cases[] = {
		{ "x87_over_exit", x87_over_exit }, { "sse_over_exit", sse_over_exit },
		{ "by_ioctl", by_ioctl }, { "avx_over_exit", avx_over_exit },
		{ "xsetbv_refused", xsetbv_refused }, { "several_at_once", several_at_once },
		{ "unit_faults", unit_faults },
	};

	vmtest_init();
	return ktap_run(cases, KTAP_COUNT(cases));
}
