// SPDX-License-Identifier: GPL-2.0
/*
 * The CPUID filter: what machines with and without local APICs show.
 */
#include <stdlib.h>
#include <string.h>

#include "../cpuid.h"
#include "ktap.h"

static struct kvm_cpuid2 *all_ones(const uint32_t *leaves, unsigned int n)
{
	struct kvm_cpuid2 *c = calloc(1, sizeof(*c) +
					 n * sizeof(c->entries[0]));
	unsigned int i;

	if (!c)
		abort();
	c->nent = n;
	for (i = 0; i < n; i++) {
		memset(&c->entries[i], 0xff, sizeof(c->entries[i]));
		c->entries[i].function = leaves[i];
		c->entries[i].index = 0;
	}
	return c;
}

static const uint32_t leaves[] = {
	0, 1, 4, 0xb, 0x40000000, 0x40000001, 0x80000001, 0x80000008
};

static void no_apic(void)
{
	struct kvm_cpuid2 *c = all_ones(leaves, 8);

	cpuid_filter(c, &(struct cpuid_choice){ .tsc_deadline = true });
	CHECK_EQ(c->nent, 8);
	CHECK_EQ(c->entries[0].eax, 0xffffffff);
	CHECK_EQ(c->entries[1].edx & 1u << 9, 0);	/* APIC */
	CHECK_EQ(c->entries[1].ecx & 1u << 21, 0);	/* x2APIC */
	CHECK_EQ(c->entries[1].ecx & 1u << 24, 0);	/* TSC deadline */
	CHECK_EQ(c->entries[1].ecx & 1u << 3, 0);	/* MWAIT */
	CHECK_EQ(c->entries[1].ecx >> 31, 1);		/* hypervisor */
	CHECK_EQ(c->entries[1].ebx, 0x0001ffff);	/* one CPU, ID 0 */
	CHECK_EQ(c->entries[1].edx & 1u << 28, 0);	/* HTT */
	CHECK_EQ(c->entries[2].eax >> 14, 0);		/* one core */
	CHECK_EQ(c->entries[3].ebx, 0);
	CHECK_EQ(c->entries[6].edx & 1u << 9, 0);
	CHECK_EQ(c->entries[6].edx >> 29 & 1, 1);	/* LM stays */
	CHECK_EQ(c->entries[7].ecx & 0xff, 0);
	/* Steal time, clocks and the like stay; what needs the APIC goes. */
	CHECK_EQ(c->entries[5].eax & 1u << 3, 1u << 3);
	CHECK_EQ(c->entries[5].eax & 1u << 6, 0);
	CHECK_EQ(c->entries[5].eax & 1u << 14, 0);
	free(c);
}

static void apic(void)
{
	struct kvm_cpuid2 *c = all_ones(leaves, 8);

	c->entries[1].ecx &= ~(1u << 24);
	cpuid_filter(c, &(struct cpuid_choice){ .apic = true, .tsc_deadline = true,
						.apic_id = 5 });
	CHECK_EQ(c->entries[1].edx >> 9 & 1, 1);
	CHECK_EQ(c->entries[1].ecx >> 21 & 1, 1);
	CHECK_EQ(c->entries[1].ecx >> 24 & 1, 1);
	CHECK_EQ(c->entries[1].ebx, 0x0501ffff);
	CHECK_EQ(c->entries[1].edx & 1u << 28, 0);
	CHECK_EQ(c->entries[3].edx, 5);
	CHECK_EQ(c->entries[5].eax, 0xffffffff);
	CHECK_EQ(c->entries[6].edx >> 9 & 1, 1);
	free(c);
	c = all_ones(leaves, 8);
	cpuid_filter(c, &(struct cpuid_choice){ .apic = true });
	CHECK_EQ(c->entries[1].ecx & 1u << 24, 0);
	free(c);
}

static void no_pv(void)
{
	struct kvm_cpuid2 *c = all_ones(leaves, 8);
	unsigned int i;

	cpuid_filter(c, &(struct cpuid_choice){ .no_pv = true });
	CHECK_EQ(c->nent, 6);
	for (i = 0; i < c->nent; i++)
		CHECK(c->entries[i].function >> 28 != 4);
	CHECK_EQ(c->entries[1].ecx >> 31, 0);
	CHECK_EQ(c->entries[5].function, 0x80000008);
	free(c);
}

static void long_mode(void)
{
	struct kvm_cpuid2 *c = all_ones(leaves, 8);

	CHECK(cpuid_has_long_mode(c));
	c->entries[6].edx &= ~(1u << 29);
	CHECK(!cpuid_has_long_mode(c));
	c->nent = 6;
	CHECK(!cpuid_has_long_mode(c));
	free(c);
}

static const struct test tests[] = {
	{ "cpuid_no_apic", no_apic },
	{ "cpuid_apic", apic },
	{ "cpuid_no_pv", no_pv },
	{ "cpuid_long_mode", long_mode },
};

TEST_MAIN(tests)
