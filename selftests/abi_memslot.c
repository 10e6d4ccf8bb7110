// SPDX-License-Identifier: GPL-2.0
/* KVM_SET_USER_MEMORY_REGION and KVM_GET_DIRTY_LOG: arguments (KVM API 4.35, 4.8). */
#include "vmtest.h"

#define PG	0x1000ul

GUEST_ALL(look, "mov (%ebx), %eax\nhlt\n");

static void bad_arguments(void)
{
	struct vm *vm = vm_bare();
	uint8_t *m = anon(16 * PG);
	int max = vm_cap(vm, KVM_CAP_NR_MEMSLOTS);

	EXPECT_ERR(ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, NULL), EFAULT);
	EXPECT_ERR(vm_slot(vm, 0, 0, 0, PG + 1, m), EINVAL);
	EXPECT_ERR(vm_slot(vm, 0, 0, 0, 1, m), EINVAL);
	EXPECT_ERR(vm_slot(vm, 0, 0, 1, PG, m), EINVAL);
	EXPECT_ERR(vm_slot(vm, 0, 0, 0x800, PG, m), EINVAL);
	EXPECT_ERR(vm_slot(vm, 0, 0, 0, PG, m + 1), EINVAL);
	EXPECT_ERR(vm_slot(vm, 0, 0, 0, PG, m + 0x800), EINVAL);
	EXPECT_ERR(vm_slot(vm, 0, 0x80, 0, PG, m), EINVAL);
	EXPECT_ERR(vm_slot(vm, 0, 0x80000000, 0, PG, m), EINVAL);
	/* Kernel addresses, and ranges that run into them or around. */
	EXPECT_ERR(vm_slot(vm, 0, 0, 0, PG, (void *)0xffff800000000000), EINVAL);
	EXPECT_ERR(vm_slot(vm, 0, 0, 0, PG, (void *)0xfffffffffffff000), EINVAL);
	EXPECT_ERR(vm_slot(vm, 0, 0, 0, 1ul << 63, m), EINVAL);
	EXPECT_ERR(vm_slot(vm, 0, 0, -PG, 2 * PG, m), EINVAL);
	EXPECT_ERR(vm_slot(vm, 0, 0, -PG, -PG, m), EINVAL);
	/* Slots end at KVM_CAP_NR_MEMSLOTS; the upper half names address spaces. */
	EXPECT_OK(vm_slot(vm, max - 1, 0, 0x100000, PG, m));
	EXPECT_ERR(vm_slot(vm, max, 0, 0x200000, PG, m), EINVAL);
	EXPECT_ERR(vm_slot(vm, 0xffff, 0, 0x200000, PG, m), EINVAL);
	EXPECT_ERR(vm_slot(vm, 0xffffffff, 0, 0x200000, PG, m), EINVAL);
	if (vm_cap(vm, KVM_CAP_MULTI_ADDRESS_SPACE) <= 1)
		EXPECT_ERR(vm_slot(vm, 1 << 16, 0, 0x200000, PG, m), EINVAL);
	EXPECT_ERR(vm_slot(vm, 2 << 16, 0, 0x200000, PG, m), EINVAL);
	/* Deleting what is not there. */
	EXPECT_ERR(vm_slot(vm, 3, 0, 0, 0, NULL), EINVAL);
	munmap(m, 16 * PG);
}

static void overlap(void)
{
	struct vm *vm = vm_bare();
	uint8_t *m = anon(64 * PG);

	ASSERT_OK(vm_slot(vm, 1, 0, 0x10000, 4 * PG, m));
	EXPECT_ERR(vm_slot(vm, 2, 0, 0x10000, 4 * PG, m), EEXIST);
	EXPECT_ERR(vm_slot(vm, 2, 0, 0xf000, 2 * PG, m), EEXIST);
	EXPECT_ERR(vm_slot(vm, 2, 0, 0x13000, PG, m), EEXIST);
	EXPECT_ERR(vm_slot(vm, 2, 0, 0x11000, PG, m), EEXIST);
	EXPECT_ERR(vm_slot(vm, 2, 0, 0, 64 * PG, m), EEXIST);
	EXPECT_OK(vm_slot(vm, 2, 0, 0xf000, PG, m + 8 * PG));
	EXPECT_OK(vm_slot(vm, 3, 0, 0x14000, PG, m + 8 * PG));	/* one memory, twice */
	/* A move onto another is refused, and the slot stays where it was. */
	EXPECT_ERR(vm_slot(vm, 3, 0, 0x13000, PG, m + 8 * PG), EEXIST);
	EXPECT_ERR(vm_slot(vm, 4, 0, 0x14000, PG, m), EEXIST);
	/* A slot may move within itself. */
	EXPECT_OK(vm_slot(vm, 3, 0, 0x15000, PG, m + 8 * PG));
	EXPECT_OK(vm_slot(vm, 4, 0, 0x14000, PG, m));
	munmap(m, 64 * PG);
}

/* What may change of a living slot: address and dirty log, no size, no memory. */
static void modify(void)
{
	struct vm *vm = vm_bare();
	uint8_t *m = anon(16 * PG);

	ASSERT_OK(vm_slot(vm, 1, 0, 0x10000, 4 * PG, m));
	EXPECT_ERR(vm_slot(vm, 1, 0, 0x10000, 5 * PG, m), EINVAL);
	EXPECT_ERR(vm_slot(vm, 1, 0, 0x10000, 3 * PG, m), EINVAL);
	EXPECT_ERR(vm_slot(vm, 1, 0, 0x10000, 4 * PG, m + 4 * PG), EINVAL);
	EXPECT_OK(vm_slot(vm, 1, 0, 0x10000, 4 * PG, m));		/* no change at all */
	EXPECT_OK(vm_slot(vm, 1, KVM_MEM_LOG_DIRTY_PAGES, 0x10000, 4 * PG, m));
	EXPECT_OK(vm_slot(vm, 1, 0, 0x10000, 4 * PG, m));
	EXPECT_ERR(vm_slot(vm, 1, KVM_MEM_READONLY, 0x10000, 4 * PG, m), EINVAL);
	EXPECT_OK(vm_slot(vm, 1, 0, 0x40000, 4 * PG, m));
	EXPECT_OK(vm_slot(vm, 1, 0, 0x40000, 0, m));
	EXPECT_ERR(vm_slot(vm, 1, 0, 0x40000, 0, m), EINVAL);
	EXPECT_OK(vm_slot(vm, 1, KVM_MEM_READONLY, 0x10000, 5 * PG, m));
	EXPECT_ERR(vm_slot(vm, 1, 0, 0x10000, 5 * PG, m), EINVAL);
	munmap(m, 16 * PG);
}

/* The guest still sees the old memory after each refused change. */
static void unchanged_on_failure(void)
{
	struct vcpu *v = guest_start_all(MODE_PROT32, look);
	struct vm *vm = v->vm;
	uint8_t *m = anon(4 * PG), *other = anon(4 * PG);
	int i;

	*(uint32_t *)m = 0xcafe0001;
	*(uint32_t *)other = 0xbad;
	ASSERT_OK(vm_slot(vm, 1, 0, 0x10000000, 4 * PG, m));
	for (i = 0; i < 6; i++) {
		switch (i) {
		case 0:
			EXPECT_ERR(vm_slot(vm, 1, 0, 0x10000000, 4 * PG, other), EINVAL);
			break;
		case 1:
			EXPECT_ERR(vm_slot(vm, 1, 0, 0x10000000, 2 * PG, m), EINVAL);
			break;
		case 2:
			EXPECT_ERR(vm_slot(vm, 2, 0, 0x10000000, PG, other), EEXIST);
			break;
		case 3:
			EXPECT_ERR(vm_slot(vm, 1, 0, 0x0, 4 * PG, m), EEXIST);
			break;
		case 4:
			EXPECT_ERR(vm_slot(vm, 1, KVM_MEM_READONLY, 0x10000000, 4 * PG, m),
				   EINVAL);
			break;
		case 5:
			EXPECT_ERR(vm_slot(vm, 1, 0x40, 0x10000000, 4 * PG, m), EINVAL);
			break;
		}
		v->regs.rip = G_CODE;
		v->regs.rbx = 0x10000000;
		v->regs.rax = 0;
		set_regs(v);
		run_to_hlt(v);
		EXPECT_EQ((uint32_t)v->regs.rax, 0xcafe0001);
	}
	munmap(m, 4 * PG);
	munmap(other, 4 * PG);
}

static int dirty(struct vm *vm, uint32_t slot, void *map)
{
	struct kvm_dirty_log d = { .slot = slot, .dirty_bitmap = map };

	return ioctl(vm->fd, KVM_GET_DIRTY_LOG, &d);
}

static void dirty_log_arguments(void)
{
	struct vm *vm = vm_bare();
	uint8_t *m = anon(70 * PG);
	uint64_t map[2] = { -1, -1 };

	ASSERT_OK(vm_slot(vm, 1, KVM_MEM_LOG_DIRTY_PAGES, 0x10000, 70 * PG, m));
	ASSERT_OK(vm_slot(vm, 2, 0, 0x1000000, PG, m));
	EXPECT_OK(dirty(vm, 1, map));
	EXPECT_EQ(map[0] | map[1], 0);
	map[0] = 0x1234;
	EXPECT_ERR(dirty(vm, 2, map), ENOENT);		/* not logged */
	EXPECT_ERR(dirty(vm, 3, map), ENOENT);		/* no such slot */
	EXPECT_ERR(dirty(vm, 0xffff, map), EINVAL);
	EXPECT_ERR(dirty(vm, 2 << 16 | 1, map), EINVAL);
	EXPECT_EQ(map[0], 0x1234);
	EXPECT_ERR(dirty(vm, 1, NULL), EFAULT);
	EXPECT_ERR(ioctl(vm->fd, KVM_GET_DIRTY_LOG, NULL), EFAULT);
	ASSERT_OK(vm_slot(vm, 1, 0, 0x10000, 70 * PG, m));
	EXPECT_ERR(dirty(vm, 1, map), ENOENT);
	munmap(m, 70 * PG);
}

/* As many slots as the capability says, all usable, all gone again. */
static void many_slots(void)
{
	struct vcpu *v = guest_start_all(MODE_PROT32, look);
	struct vm *vm = v->vm;
	int n = vm_cap(vm, KVM_CAP_NR_MEMSLOTS), i;
	uint8_t *m = anon(PG);

	if (n > 512)
		n = 512;			/* an emulated host's patience */
	for (i = 1; i < n; i++)
		ASSERT_OK(vm_slot(vm, i, 0, 0x40000000 + i * 0x10000ul, PG, m));
	*(uint32_t *)m = 0x600d;
	for (i = 1; i < n; i += 101) {
		v->regs.rip = G_CODE;
		v->regs.rbx = 0x40000000 + i * 0x10000ul;
		v->regs.rax = 0;
		set_regs(v);
		run_to_hlt(v);
		EXPECT_EQ((uint32_t)v->regs.rax, 0x600d);
	}
	for (i = 1; i < n; i++)
		ASSERT_OK(vm_slot(vm, i, 0, 0, 0, NULL));
	v->regs.rip = G_CODE;
	set_regs(v);
	run_to(v, KVM_EXIT_MMIO);
	munmap(m, PG);
}

int main(void)
{
	static const struct ktap_case cases[] = {
		{ "bad_arguments", bad_arguments }, { "overlap", overlap }, { "modify", modify },
		{ "unchanged_on_failure", unchanged_on_failure },
		{ "dirty_log_arguments", dirty_log_arguments }, { "many_slots", many_slots },
	};

	vmtest_init();
	return ktap_run(cases, KTAP_COUNT(cases));
}
