// SPDX-License-Identifier: GPL-2.0
/* The guest's time stamp counter: RDTSC, the TSC MSR by guest and by client. */
#include "vmtest.h"

GUEST_ALL(rdtsc, "rdtsc\nhlt\n");
GUEST_ALL(twice, "rdtsc\nmov %eax, %esi\nmov %edx, %edi\nmov $1000, %ecx\n1: dec %ecx\njnz 1b\n"
	  "rdtsc\nhlt\n");
GUEST_ALL(wrtsc, "mov $0x10, %ecx\nwrmsr\nrdtsc\nhlt\n");

#define LEAP	(1ull << 45)

static uint64_t tsc_now(struct vcpu *v)
{
	v->regs.rip = G_CODE;
	set_regs(v);
	run_to_hlt(v);
	return (uint32_t)v->regs.rax | v->regs.rdx << 32;
}

static void forward(void)
{
	enum guest_mode m;

	for (m = 0; m < NR_MODES; m++) {
		struct vcpu *v = guest_start_all(m, twice);
		uint64_t a, b, last = 0;
		int i;

		for (i = 0; i < 10; i++) {
			b = tsc_now(v);
			a = (uint32_t)v->regs.rsi | v->regs.rdi << 32;
			EXPECT(b > a && a > last);
			last = b;
		}
	}
}

/* The client's write moves it by as much, up and down. */
static void by_client(void)
{
	enum guest_mode m;

	for (m = 0; m < NR_MODES; m++) {
		struct vcpu *v = guest_start_all(m, rdtsc);
		uint64_t a = tsc_now(v), x;

		ASSERT_EQ(set_msr(v, MSR_TSC, a + LEAP), 1);
		x = tsc_now(v);
		EXPECT(x >= a + LEAP && x < a + LEAP + LEAP / 8);
		ASSERT_EQ(get_msr(v, MSR_TSC, &a), 1);
		EXPECT(a >= x && a < x + LEAP / 8);
		ASSERT_EQ(set_msr(v, MSR_TSC, 0x1000), 1);
		x = tsc_now(v);
		EXPECT(x >= 0x1000 && x < LEAP / 8);
	}
}

static void by_guest(void)
{
	enum guest_mode m;

	for (m = 0; m < NR_MODES; m++) {
		struct vcpu *v = guest_start_all(m, wrtsc);
		uint64_t x, want = 0x0000123400005678;

		v->regs.rax = (uint32_t)want;
		v->regs.rdx = want >> 32;
		x = tsc_now(v);
		EXPECT(x >= want && x < want + LEAP / 8);
		ASSERT_EQ(get_msr(v, MSR_TSC, &x), 1);
		EXPECT(x >= want && x < want + LEAP / 8);
	}
}

/* CR4.TSD keeps RDTSC from ring 3 alone; ring 0 may (SDM vol. 2 RDTSC). */
static void tsd_ring0(void)
{
	struct vcpu *v = guest_start_all(MODE_PROT32, rdtsc);

	v->sregs.cr4 |= BIT(2);
	set_sregs(v);
	EXPECT(tsc_now(v) != 0);
}

/* TSC_AUX comes back by RDTSCP where CPUID offers it. */
GUEST(rdtscp, 64, "rdtscp\nhlt\n");

static void aux(void)
{
	struct vcpu *v = guest_start(MODE_LONG, rdtscp);

	if (set_msr(v, MSR_TSC_AUX, 0x4242) != 1)
		SKIP("no TSC_AUX");
	run_to_hlt(v);
	if (v->regs.rip == G_TRAPS + UD + 1)
		SKIP("no RDTSCP");
	EXPECT_EQ(v->regs.rcx, 0x4242);
}

/* The TSC goes on while the vCPU is not run, and never back on another. */
static void two_vcpus(void)
{
	struct vm *vm = vm_new(G_MEM);
	struct vcpu *a, *b;
	uint64_t x, y;
	int i;

	guest_load(vm, G_CODE, guest_for(rdtsc, MODE_LONG));
	a = vcpu_new(vm, 0, MODE_LONG);
	b = vcpu_new(vm, 1, MODE_LONG);
	for (i = 0; i < 50; i++) {
		x = tsc_now(a);
		y = tsc_now(b);
		ASSERT(y > x);
		x = tsc_now(a);
		ASSERT(x > y);
	}
}

int main(void)
{
	static const struct ktap_case cases[] = {
		{ "forward", forward }, { "by_client", by_client }, { "by_guest", by_guest },
		{ "tsd_ring0", tsd_ring0 }, { "aux", aux }, { "two_vcpus", two_vcpus },
	};

	vmtest_init();
	return ktap_run(cases, KTAP_COUNT(cases));
}
