// SPDX-License-Identifier: GPL-2.0
/* Writes that signal an eventfd and go no further (KVM API 4.59). */
#include <fcntl.h>
#include <sys/eventfd.h>

#include "vmtest.h"

#define PORT	0x510

static int ioeventfd(struct vm *vm, int fd, uint64_t addr, uint32_t len, uint32_t flags,
		     uint64_t data)
{
	struct kvm_ioeventfd a = { .fd = fd, .addr = addr, .len = len, .flags = flags,
				   .datamatch = data };

	return ioctl(vm->fd, KVM_IOEVENTFD, &a);
}

#define PIO	KVM_IOEVENTFD_FLAG_PIO
#define MATCH	KVM_IOEVENTFD_FLAG_DATAMATCH
#define GONE	KVM_IOEVENTFD_FLAG_DEASSIGN

static int efd(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	ASSERT(fd >= 0);
	return fd;
}

static uint64_t drain(int fd)
{
	uint64_t n;

	return read(fd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

static void need(void)
{
	if (dev_cap(KVM_CAP_IOEVENTFD) <= 0)
		SKIP("no KVM_CAP_IOEVENTFD");
}

/* Two writes of each kind, then a read; HLT in between. */
GUEST_ALL(ports, "mov $0x510, %dx\nmov $0x12345678, %eax\nout %al, %dx\nout %ax, %dx\n"
	  "out %eax, %dx\nin %dx, %al\nhlt\n");

static void pio(void)
{
	int m;

	need();
	for (m = 0; m < NR_MODES; m++) {
		struct vcpu *v = guest_start_all(m, ports);
		int one = efd(), two = efd();

		EXPECT_OK(ioeventfd(v->vm, one, PORT, 1, PIO, 0));
		EXPECT_OK(ioeventfd(v->vm, two, PORT, 2, PIO, 0));
		run_to(v, KVM_EXIT_IO);
		/* The third one is nobody's; neither is the read. */
		EXPECT_EQ(v->run->io.size, 4);
		EXPECT_EQ(v->run->io.direction, KVM_EXIT_IO_OUT);
		EXPECT_EQ(drain(one), 1);
		EXPECT_EQ(drain(two), 1);
		run_to(v, KVM_EXIT_IO);
		EXPECT_EQ(v->run->io.direction, KVM_EXIT_IO_IN);
		run_to_hlt(v);
		EXPECT_EQ(drain(one) + drain(two), 0);
		close(one);
		close(two);
	}
}

static void pio_match(void)
{
	struct vcpu *v;
	int yes, no;

	need();
	v = guest_start_all(MODE_PROT32, ports);
	yes = efd();
	no = efd();
	/* More bits than the access has do not count. */
	EXPECT_OK(ioeventfd(v->vm, no, PORT, 1, PIO | MATCH, 0x77));
	EXPECT_OK(ioeventfd(v->vm, yes, PORT, 1, PIO | MATCH, 0x78));
	EXPECT_OK(ioeventfd(v->vm, yes, PORT, 2, PIO | MATCH, 0x5678));
	EXPECT_OK(ioeventfd(v->vm, yes, PORT, 4, PIO | MATCH, 0x12345678));
	run_to(v, KVM_EXIT_IO);
	EXPECT_EQ(v->run->io.direction, KVM_EXIT_IO_IN);
	EXPECT_EQ(drain(yes), 3);
	EXPECT_EQ(drain(no), 0);
	close(yes);
	close(no);
}

GUEST(mmio32, 32, "mov $0xd0000100, %ebx\nmov $0x12345678, %eax\nmov %al, (%ebx)\nmov %ax, (%ebx)\n"
      "mov %eax, (%ebx)\nmov %al, 4(%ebx)\nmov (%ebx), %ecx\nhlt\n");
GUEST(mmio64, 64, "mov $0xd0000100, %ebx\nmovabs $0x1122334455667788, %rax\nmov %rax, (%rbx)\n"
      "hlt\n");

static void mmio(void)
{
	struct vcpu *v;
	int fd, other;

	need();
	v = guest_start(MODE_PROT32, mmio32);
	fd = efd();
	other = efd();
	/* any length at the address, and no other address */
	EXPECT_OK(ioeventfd(v->vm, fd, G_HOLE + 0x100, 0, 0, 0));
	EXPECT_OK(ioeventfd(v->vm, other, G_HOLE + 0x104, 4, 0, 0));
	run_to(v, KVM_EXIT_MMIO);
	EXPECT_EQ(drain(fd), 3);
	EXPECT_EQ(drain(other), 0);
	EXPECT_EQ(v->run->mmio.phys_addr, G_HOLE + 0x104);
	EXPECT_EQ(v->run->mmio.is_write, 1);
	run_to(v, KVM_EXIT_MMIO);
	EXPECT_EQ(v->run->mmio.is_write, 0);
	run_to_hlt(v);
	EXPECT_EQ(drain(fd), 0);

	v = guest_start(MODE_LONG, mmio64);
	EXPECT_OK(ioeventfd(v->vm, fd, G_HOLE + 0x100, 8, MATCH, 0x1122334455667788ull));
	run_to_hlt(v);
	EXPECT_EQ(drain(fd), 1);
	close(fd);
	close(other);
}

/* The same number as a port and as an address are two places. */
static void spaces(void)
{
	struct vcpu *v;
	int port, mem;

	need();
	v = guest_start_all(MODE_PROT32, ports);
	port = efd();
	mem = efd();
	EXPECT_OK(ioeventfd(v->vm, mem, PORT, 4, 0, 0));
	EXPECT_OK(ioeventfd(v->vm, port, PORT, 4, PIO, 0));
	run_to(v, KVM_EXIT_IO);
	run_to(v, KVM_EXIT_IO);
	run_to(v, KVM_EXIT_IO);
	EXPECT_EQ(drain(port), 1);
	EXPECT_EQ(drain(mem), 0);
	close(port);
	close(mem);
}

static void taken_away(void)
{
	struct vcpu *v;
	int fd;

	need();
	v = guest_start_all(MODE_PROT32, ports);
	fd = efd();
	EXPECT_OK(ioeventfd(v->vm, fd, PORT, 1, PIO, 0));
	EXPECT_ERR(ioeventfd(v->vm, fd, PORT, 2, PIO | GONE, 0), ENOENT);
	EXPECT_ERR(ioeventfd(v->vm, fd, PORT, 1, PIO | MATCH | GONE, 0), ENOENT);
	EXPECT_OK(ioeventfd(v->vm, fd, PORT, 1, PIO | GONE, 0));
	EXPECT_ERR(ioeventfd(v->vm, fd, PORT, 1, PIO | GONE, 0), ENOENT);
	run_to(v, KVM_EXIT_IO);
	EXPECT_EQ(v->run->io.size, 1);
	EXPECT_EQ(drain(fd), 0);
	close(fd);
}

static void errors(void)
{
	struct vm *vm;
	int fd, null;

	need();
	vm = vm_new(G_MEM);
	fd = efd();
	null = open("/dev/null", 0);
	EXPECT_ERR(ioeventfd(vm, -1, PORT, 1, PIO, 0), EBADF);
	EXPECT_ERR(ioeventfd(vm, null, PORT, 1, PIO, 0), EINVAL);
	EXPECT_ERR(ioeventfd(vm, fd, PORT, 3, PIO, 0), EINVAL);
	EXPECT_ERR(ioeventfd(vm, fd, PORT, 16, PIO, 0), EINVAL);
	EXPECT_ERR(ioeventfd(vm, fd, PORT, 1, 0x100, 0), EINVAL);
	EXPECT_ERR(ioeventfd(vm, fd, PORT, 0, PIO | MATCH, 0), EINVAL);
	EXPECT_ERR(ioeventfd(vm, fd, -1ull, 4, 0, 0), EINVAL);
	/* Two that one access could be for. */
	EXPECT_OK(ioeventfd(vm, fd, 0x1000, 4, 0, 0));
	EXPECT_ERR(ioeventfd(vm, fd, 0x1000, 4, 0, 0), EEXIST);
	EXPECT_ERR(ioeventfd(vm, fd, 0x1000, 4, MATCH, 1), EEXIST);
	EXPECT_ERR(ioeventfd(vm, fd, 0x1000, 0, 0, 0), EEXIST);
	EXPECT_OK(ioeventfd(vm, fd, 0x1000, 2, 0, 0));
	EXPECT_OK(ioeventfd(vm, fd, 0x2000, 4, MATCH, 1));
	EXPECT_OK(ioeventfd(vm, fd, 0x2000, 4, MATCH, 2));
	EXPECT_ERR(ioeventfd(vm, fd, 0x2000, 4, MATCH, 2), EEXIST);
	close(fd);
	close(null);
}

/* As many as there is room for: each is found, and the limit is told. */
#define MANY	3000

static void many(void)
{
	struct vcpu *v;
	struct vm *vm;
	int fd, hit, i;

	need();
	v = guest_start(MODE_PROT32, mmio32);
	vm = v->vm;
	fd = efd();
	hit = efd();
	for (i = 0; i < MANY; i++)
		if (i != 0x40)
			ASSERT_OK(ioeventfd(vm, fd, G_HOLE + 4 * i, 4, 0, 0));
	EXPECT_OK(ioeventfd(vm, hit, G_HOLE + 0x100, 0, 0, 0));
	run_to(v, KVM_EXIT_MMIO);
	EXPECT_EQ(drain(hit), 3);
	EXPECT_EQ(drain(fd), 0);
	for (i = 0; i < 20; i++)
		EXPECT_OK(ioeventfd(vm, fd, G_HOLE + 4 * i, 4, GONE, 0));
	close(fd);
	close(hit);
}

int main(void)
{
	static const struct ktap_case cases[] = {
		{ "pio", pio }, { "pio_match", pio_match }, { "mmio", mmio },
		{ "spaces", spaces }, { "taken_away", taken_away }, { "errors", errors },
		{ "many", many },
	};

	vmtest_init();
	return ktap_run(cases, KTAP_COUNT(cases));
}
