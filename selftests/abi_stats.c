// SPDX-License-Identifier: GPL-2.0
/* The binary statistics descriptor (KVM API 4.133): its form, and that it counts. */
#include <fcntl.h>

#include "vmtest.h"

struct stats {
	int fd;
	struct kvm_stats_header h;
	uint8_t *descs;			/* num_desc of them, name_size behind each */
	size_t desc_size;
};

static struct stats stats_open(int of)
{
	struct stats s = { .fd = ioctl(of, KVM_GET_STATS_FD, NULL) };

	ASSERT(s.fd >= 0);
	ASSERT_EQ(read(s.fd, &s.h, sizeof(s.h)), sizeof(s.h));
	s.desc_size = sizeof(struct kvm_stats_desc) + s.h.name_size;
	ASSERT(s.h.num_desc && s.h.num_desc < 4096 && s.h.name_size && s.h.name_size < 256);
	s.descs = calloc(s.h.num_desc, s.desc_size);
	ASSERT(s.descs);
	ASSERT_EQ(pread(s.fd, s.descs, s.h.num_desc * s.desc_size, s.h.desc_offset),
		  s.h.num_desc * s.desc_size);
	return s;
}

static struct kvm_stats_desc *desc(struct stats *s, unsigned int i)
{
	return (struct kvm_stats_desc *)(s->descs + i * s->desc_size);
}

static uint64_t value(struct stats *s, unsigned int i)
{
	uint64_t v = 0;

	ASSERT_EQ(pread(s->fd, &v, 8, s->h.data_offset + desc(s, i)->offset), 8);
	return v;
}

static int find(struct stats *s, const char *name)
{
	unsigned int i;

	for (i = 0; i < s->h.num_desc; i++)
		if (!strcmp(desc(s, i)->name, name))
			return i;
	return -1;
}

static void stats_close(struct stats *s)
{
	close(s->fd);
	free(s->descs);
}

static void check_form(struct stats *s)
{
	unsigned int i, k;
	uint64_t end = 0;
	char id[512] = "";
	void *volatile nowhere = (void *)8;

	EXPECT_EQ(fcntl(s->fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	EXPECT_EQ(s->h.flags, 0);
	EXPECT(s->h.id_offset >= sizeof(s->h));
	EXPECT(s->h.desc_offset >= sizeof(s->h));
	EXPECT(s->h.data_offset >= sizeof(s->h));
	ASSERT(s->h.name_size < sizeof(id));
	ASSERT_EQ(pread(s->fd, id, s->h.name_size, s->h.id_offset), s->h.name_size);
	EXPECT(id[0] && memchr(id, 0, s->h.name_size));
	for (i = 0; i < s->h.num_desc; i++) {
		struct kvm_stats_desc *d = desc(s, i);

		ASSERT(d->name[0] && memchr(d->name, 0, s->h.name_size));
		if ((d->flags & KVM_STATS_TYPE_MASK) > KVM_STATS_TYPE_MAX ||
		    (d->flags & KVM_STATS_UNIT_MASK) > KVM_STATS_UNIT_MAX ||
		    (d->flags & KVM_STATS_BASE_MASK) > KVM_STATS_BASE_MAX || !d->size ||
		    (d->offset & 7))
			KTAP_FAIL_("%s: flags %#x size %u offset %u", d->name, d->flags, d->size,
				   d->offset);
		if (d->offset + d->size * 8ull > end)
			end = d->offset + d->size * 8ull;
		for (k = 0; k < i; k++)
			if (!strcmp(desc(s, k)->name, d->name))
				KTAP_FAIL_("%s is there twice", d->name);
	}
	/* The data ends where the last descriptor says it does. */
	{
		uint8_t *all = malloc(end + 64);

		ASSERT(all);
		EXPECT_EQ(pread(s->fd, all, end + 64, s->h.data_offset), end);
		EXPECT_EQ(pread(s->fd, all, 8, s->h.data_offset + end), 0);
		EXPECT_EQ(pread(s->fd, all, 8, s->h.data_offset + end + 0x100000), 0);
		free(all);
	}
	EXPECT_ERR(pread(s->fd, nowhere, 8, 0), EFAULT);
	EXPECT_ERR(write(s->fd, id, 8), EBADF);
}

static void need_cap(struct vm *vm)
{
	if (vm_cap(vm, KVM_CAP_BINARY_STATS_FD) <= 0)
		SKIP("no KVM_CAP_BINARY_STATS_FD");
}

static void vm_form(void)
{
	struct vm *vm = vm_bare();
	struct stats s;

	need_cap(vm);
	s = stats_open(vm->fd);
	check_form(&s);
	stats_close(&s);
}

static void vcpu_form(void)
{
	struct vm *vm = vm_bare();
	struct stats s;

	need_cap(vm);
	s = stats_open(vcpu_bare(vm, 0)->fd);
	check_form(&s);
	stats_close(&s);
}

GUEST_ALL(io, "mov $50, %ecx\n1: out %al, $0x10\ndec %ecx\njnz 1b\nmov (%ebx), %eax\nhlt\n");

static void counts_exits(void)
{
	struct vcpu *v = guest_start_all(MODE_PROT32, io);
	/* KVM's name for the counter, and ringvm's. */
	static const struct {
		const char *kvm, *own;
		unsigned int least;
	} t[] = {
		{ "exits", "exits", 52 }, { "io_exits", "user_io", 50 },
		{ "mmio_exits", "user_mmio", 1 }, { "halt_exits", "user_hlt", 1 },
	};
	struct stats s;
	uint64_t a[KTAP_COUNT(t)], b[KTAP_COUNT(t)];
	unsigned int i;
	int k;

	need_cap(v->vm);
	s = stats_open(v->fd);
	for (i = 0; i < KTAP_COUNT(t); i++) {
		k = find(&s, dev_is_kvm() ? t[i].kvm : t[i].own);
		if (k < 0)
			KTAP_FAIL_("no counter named %s", t[i].own);
		a[i] = k < 0 ? 0 : value(&s, k);
	}
	v->regs.rbx = G_HOLE;
	set_regs(v);
	for (i = 0; i < 50; i++)
		run_to(v, KVM_EXIT_IO);
	run_to(v, KVM_EXIT_MMIO);
	run_to_hlt(v);
	for (i = 0; i < KTAP_COUNT(t); i++) {
		k = find(&s, dev_is_kvm() ? t[i].kvm : t[i].own);
		b[i] = k < 0 ? t[i].least : value(&s, k);
		ktap_diag("%s: %llu to %llu", t[i].own, (unsigned long long)a[i],
			  (unsigned long long)b[i]);
		EXPECT(b[i] - a[i] >= t[i].least && b[i] - a[i] < 10000);
	}
	stats_close(&s);
}

/* The statistics outlive vCPU and VM descriptors. */
static void outlives(void)
{
	struct vcpu *v = guest_start_all(MODE_PROT32, io);
	struct stats s, t;
	uint64_t a;
	int k;

	need_cap(v->vm);
	s = stats_open(v->fd);
	t = stats_open(v->vm->fd);
	run_to(v, KVM_EXIT_IO);
	k = find(&s, "exits");
	ASSERT(k >= 0);
	a = value(&s, k);
	EXPECT(a > 0);
	vm_free(v->vm);
	EXPECT_EQ(value(&s, k), a);
	value(&t, 0);
	stats_close(&s);
	stats_close(&t);
}

int main(void)
{
	static const struct ktap_case cases[] = {
		{ "vm_form", vm_form }, { "vcpu_form", vcpu_form },
		{ "counts_exits", counts_exits }, { "outlives", outlives },
	};

	vmtest_init();
	return ktap_run(cases, KTAP_COUNT(cases));
}
