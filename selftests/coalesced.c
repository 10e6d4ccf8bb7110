// SPDX-License-Identifier: GPL-2.0
/* Writes to a zone wait in a ring for the client (KVM API, KVM_REGISTER_COALESCED_MMIO). */
#include "vmtest.h"

static int zone(struct vm *vm, uint64_t addr, uint32_t size, uint32_t pio, bool add)
{
	struct kvm_coalesced_mmio_zone z = { .addr = addr, .size = size, .pio = pio };

	return ioctl(vm->fd, add ? KVM_REGISTER_COALESCED_MMIO : KVM_UNREGISTER_COALESCED_MMIO, &z);
}

static struct kvm_coalesced_mmio_ring *ring_of(struct vcpu *v)
{
	int page = dev_cap(KVM_CAP_COALESCED_MMIO);

	if (page <= 0)
		SKIP("no KVM_CAP_COALESCED_MMIO");
	ASSERT((page + 1) * 4096u <= v->run_size);
	return (void *)((char *)v->run + page * 4096);
}

#define MAX	((4096 - sizeof(struct kvm_coalesced_mmio_ring)) / sizeof(struct kvm_coalesced_mmio))

GUEST(writes, 32, "mov $0xd0000100, %ebx\nmovl $0x11223344, (%ebx)\nmovb $0x55, 4(%ebx)\n"
      "mov (%ebx), %eax\nmovl $1, 0x100(%ebx)\nhlt\n");

static void mmio(void)
{
	struct vcpu *v = guest_start(MODE_PROT32, writes);
	struct kvm_coalesced_mmio_ring *r = ring_of(v);
	uint32_t word;

	EXPECT_OK(zone(v->vm, G_HOLE + 0x100, 0x10, 0, true));
	run_to(v, KVM_EXIT_MMIO);
	EXPECT_EQ(v->run->mmio.is_write, 0);	/* a read is an exit */
	EXPECT_EQ(r->first, 0);
	EXPECT_EQ(r->last, 2);
	EXPECT_EQ(r->coalesced_mmio[0].phys_addr, G_HOLE + 0x100);
	EXPECT_EQ(r->coalesced_mmio[0].len, 4);
	memcpy(&word, r->coalesced_mmio[0].data, 4);
	EXPECT_EQ(word, 0x11223344);
	EXPECT_EQ(r->coalesced_mmio[1].phys_addr, G_HOLE + 0x104);
	EXPECT_EQ(r->coalesced_mmio[1].len, 1);
	EXPECT_EQ(r->coalesced_mmio[1].data[0], 0x55);
	run_to(v, KVM_EXIT_MMIO);		/* outside the zone */
	EXPECT_EQ(v->run->mmio.phys_addr, G_HOLE + 0x200);
	EXPECT_EQ(v->run->mmio.is_write, 1);
	EXPECT_EQ(r->last, 2);
}

GUEST(outs, 32, "mov $0x10, %dx\nmov $0xab, %al\nout %al, %dx\nmov $0x14, %dx\nout %al, %dx\nhlt\n");

static void ports(void)
{
	struct vcpu *v = guest_start(MODE_PROT32, outs);
	struct kvm_coalesced_mmio_ring *r = ring_of(v);

	if (dev_cap(KVM_CAP_COALESCED_PIO) <= 0)
		SKIP("no KVM_CAP_COALESCED_PIO");
	EXPECT_OK(zone(v->vm, 0x10, 4, 1, true));
	run_to(v, KVM_EXIT_IO);
	EXPECT_EQ(v->run->io.port, 0x14);
	EXPECT_EQ(r->last, 1);
	EXPECT_EQ(r->coalesced_mmio[0].phys_addr, 0x10);
	EXPECT_EQ(r->coalesced_mmio[0].pio, 1);
	EXPECT_EQ(r->coalesced_mmio[0].data[0], 0xab);
}

GUEST(flood, 32, "mov $0xd0000100, %ebx\nxor %eax, %eax\n1: mov %eax, (%ebx)\ninc %eax\njmp 1b\n");

/* A full ring lets the write out; emptied it fills again, and no write is lost. */
static void full(void)
{
	struct vcpu *v = guest_start(MODE_PROT32, flood);
	struct kvm_coalesced_mmio_ring *r = ring_of(v);
	uint32_t want = 0, word, i;

	EXPECT_OK(zone(v->vm, G_HOLE + 0x100, 4, 0, true));
	for (i = 0; i < 3; i++) {
		run_to(v, KVM_EXIT_MMIO);
		EXPECT_EQ((r->last + 1) % MAX, r->first);
		for (; r->first != r->last; r->first = (r->first + 1) % MAX) {
			memcpy(&word, r->coalesced_mmio[r->first].data, 4);
			EXPECT_EQ(word, want);
			want++;
		}
		memcpy(&word, v->run->mmio.data, 4);
		EXPECT_EQ(word, want);
		want++;
	}
	EXPECT_EQ(want, 3 * MAX);
}

/* Indices that no ring has: the writes go out, or the ring fills where it may. */
static void hostile(void)
{
	static const uint32_t bad[] = { MAX, MAX + 1, 0x7fffffff, 0xffffffff };
	size_t i;

	for (i = 0; i < KTAP_COUNT(bad); i++) {
		struct vcpu *v = guest_start(MODE_PROT32, flood);
		struct kvm_coalesced_mmio_ring *r = ring_of(v);

		EXPECT_OK(zone(v->vm, G_HOLE + 0x100, 4, 0, true));
		r->last = bad[i];
		run_to(v, KVM_EXIT_MMIO);
		EXPECT_EQ(r->last, bad[i]);
		r->last = 0;
		r->first = bad[i];
		run_to(v, KVM_EXIT_MMIO);
		EXPECT(r->last < MAX);
	}
}

static void zones(void)
{
	struct vcpu *v = guest_start(MODE_PROT32, writes);
	struct kvm_coalesced_mmio_ring *r = ring_of(v);
	int i, err = 0;

	EXPECT_ERR(zone(v->vm, 0, 4, 2, true), EINVAL);
	EXPECT_OK(zone(v->vm, G_HOLE + 0x100, 0x10, 0, true));
	EXPECT_OK(zone(v->vm, G_HOLE + 0x100, 0x10, 0, false));
	EXPECT_OK(zone(v->vm, G_HOLE + 0x100, 0x10, 0, false));
	run_to(v, KVM_EXIT_MMIO);
	EXPECT_EQ(v->run->mmio.is_write, 1);
	EXPECT_EQ(r->last, 0);
	for (i = 0; i < 2000 && !err; i++)
		err = zone(v->vm, 0x1000000ull * i, 4, 0, true) ? errno : 0;
	EXPECT_EQ(err, ENOSPC);
}

int main(void)
{
	static const struct ktap_case cases[] = {
		{ "mmio", mmio }, { "ports", ports }, { "full", full }, { "hostile", hostile },
		{ "zones", zones },
	};

	vmtest_init();
	return ktap_run(cases, KTAP_COUNT(cases));
}
