// SPDX-License-Identifier: GPL-2.0
/* Eventfds that raise GSIs, and those that hear of the EOI (KVM API 4.75). */
#include <fcntl.h>
#include <pthread.h>
#include <sys/eventfd.h>

#include "irqtest.h"

#define PIN	18

static int irqfd(struct vm *vm, int fd, uint32_t gsi, uint32_t flags, int resample)
{
	struct kvm_irqfd a = { .fd = fd, .gsi = gsi, .flags = flags, .resamplefd = resample };

	return ioctl(vm->fd, KVM_IRQFD, &a);
}

static int efd(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	ASSERT(fd >= 0);
	return fd;
}

static void ring(int fd)
{
	uint64_t one = 1;

	ASSERT_EQ(write(fd, &one, sizeof(one)), sizeof(one));
}

/* What it has counted, which is then 0. */
static uint64_t drain(int fd)
{
	uint64_t n;

	return read(fd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

static struct ivcpu *start(void)
{
	if (dev_cap(KVM_CAP_IRQFD) <= 0)
		SKIP("no KVM_CAP_IRQFD");
	return irq_start();
}

static void edge(void)
{
	struct ivcpu *c = start();
	int fd = efd();

	g_redir(c, PIN, 0x51);
	EXPECT_OK(irqfd(c->v->vm, fd, PIN, 0, 0));
	ring(fd);
	EXPECT_EQ(drain(fd), 0);		/* it was consumed */
	EXPECT_VECTORS(c, 0x51);
	g_eoi(c);
	ring(fd);
	EXPECT_VECTORS(c, 0x51);
	g_eoi(c);
	EXPECT_OK(irqfd(c->v->vm, fd, PIN, KVM_IRQFD_FLAG_DEASSIGN, 0));
	ring(fd);
	EXPECT_NO_VECTOR(c);
	EXPECT_EQ(drain(fd), 1);
	close(fd);
}

/* Signalled before it is made an irqfd: that is not lost. */
static void early(void)
{
	struct ivcpu *c = start();
	int fd = efd();

	g_redir(c, PIN, 0x51);
	ring(fd);
	EXPECT_OK(irqfd(c->v->vm, fd, PIN, 0, 0));
	EXPECT_VECTORS(c, 0x51);
	close(fd);
}

static void msi(void)
{
	struct ivcpu *c = start();
	struct routes *r = calloc(1, sizeof(*r));
	int fd = efd();

	ASSERT(r);
	route_msi(r, 40, LAPIC, 0x61);
	ASSERT_OK(set_routes(c->v->vm, r));
	EXPECT_OK(irqfd(c->v->vm, fd, 40, 0, 0));
	ring(fd);
	EXPECT_VECTORS(c, 0x61);
	g_eoi(c);
	/* The route changes under it. */
	r->head.nr = 0;
	route_msi(r, 40, LAPIC, 0x62);
	ASSERT_OK(set_routes(c->v->vm, r));
	ring(fd);
	EXPECT_VECTORS(c, 0x62);
	g_eoi(c);
	r->head.nr = 0;
	ASSERT_OK(set_routes(c->v->vm, r));
	ring(fd);
	EXPECT_NO_VECTOR(c);
	free(r);
	close(fd);
}

/* A line that is up until the EOI, which the client hears of. */
static void resample(void)
{
	struct ivcpu *c = start();
	int fd = efd(), back = efd();

	if (dev_cap(KVM_CAP_IRQFD_RESAMPLE) <= 0)
		SKIP("no KVM_CAP_IRQFD_RESAMPLE");
	g_redir(c, PIN, 0x8000 | 0x52);
	EXPECT_OK(irqfd(c->v->vm, fd, PIN, KVM_IRQFD_FLAG_RESAMPLE, back));
	ring(fd);
	EXPECT_VECTORS(c, 0x52);
	EXPECT_EQ(drain(back), 0);
	g_eoi(c);
	EXPECT_EQ(drain(back), 1);
	EXPECT_NO_VECTOR(c);
	ring(fd);
	EXPECT_VECTORS(c, 0x52);
	g_eoi(c);
	EXPECT_EQ(drain(back), 1);
	/* Taken away while it is up: the line goes down. */
	ring(fd);
	EXPECT_OK(irqfd(c->v->vm, fd, PIN, KVM_IRQFD_FLAG_DEASSIGN, 0));
	EXPECT_VECTORS(c, 0x52);
	g_eoi(c);
	EXPECT_NO_VECTOR(c);
	EXPECT_EQ(drain(back), 0);
	close(fd);
	close(back);
}

/* Two on one line: both hear of the EOI. */
static void shared(void)
{
	struct ivcpu *c = start();
	int fd[2] = { efd(), efd() }, back[2] = { efd(), efd() }, i;

	if (dev_cap(KVM_CAP_IRQFD_RESAMPLE) <= 0)
		SKIP("no KVM_CAP_IRQFD_RESAMPLE");
	g_redir(c, PIN, 0x8000 | 0x52);
	for (i = 0; i < 2; i++)
		EXPECT_OK(irqfd(c->v->vm, fd[i], PIN, KVM_IRQFD_FLAG_RESAMPLE, back[i]));
	ring(fd[0]);
	ring(fd[1]);
	EXPECT_VECTORS(c, 0x52);
	g_eoi(c);
	EXPECT_EQ(drain(back[0]), 1);
	EXPECT_EQ(drain(back[1]), 1);
	EXPECT_NO_VECTOR(c);
	for (i = 0; i < 2; i++) {
		close(fd[i]);
		close(back[i]);
	}
}

/* Through the PIC, the EOI is a command. */
static void resample_pic(void)
{
	struct ivcpu *c = start();
	int fd = efd(), back = efd();

	if (dev_cap(KVM_CAP_IRQFD_RESAMPLE) <= 0)
		SKIP("no KVM_CAP_IRQFD_RESAMPLE");
	g_out(c, 0x20, 0x11);
	g_out(c, 0x21, 0x20);
	g_out(c, 0x21, 0x04);
	g_out(c, 0x21, 0x01);
	g_out(c, 0x21, 0xdf);
	g_out(c, 0x4d0, 0x20);
	EXPECT_OK(irqfd(c->v->vm, fd, 5, KVM_IRQFD_FLAG_RESAMPLE, back));
	ring(fd);
	EXPECT_VECTORS(c, 0x25);
	g_out(c, 0x20, 0x20);
	EXPECT_EQ(drain(back), 1);
	EXPECT_NO_VECTOR(c);
	close(fd);
	close(back);
}

static void errors(void)
{
	struct ivcpu *c = start();
	struct vm *vm = c->v->vm, *bare = vm_bare();
	int fd = efd(), null = open("/dev/null", 0);

	EXPECT_ERR(irqfd(vm, -1, PIN, 0, 0), EBADF);
	EXPECT_ERR(irqfd(vm, null, PIN, 0, 0), EINVAL);
	EXPECT_ERR(irqfd(vm, fd, PIN, 4, 0), EINVAL);
	EXPECT_ERR(irqfd(vm, fd, 4096, 0, 0), EINVAL);
	EXPECT_ERR(irqfd(vm, fd, 0xffffffff, 0, 0), EINVAL);
	EXPECT_ERR(irqfd(vm, fd, PIN, KVM_IRQFD_FLAG_RESAMPLE, -1), EBADF);
	EXPECT_ERR(irqfd(vm, fd, PIN, KVM_IRQFD_FLAG_RESAMPLE, null), EINVAL);
	EXPECT_ERR(irqfd(bare, fd, PIN, 0, 0), EINVAL);
	EXPECT_OK(irqfd(vm, fd, PIN, 0, 0));
	EXPECT_ERR(irqfd(vm, fd, PIN, 0, 0), EBUSY);
	EXPECT_ERR(irqfd(vm, fd, PIN + 1, 0, 0), EBUSY);
	EXPECT_ERR(irqfd(vm, -1, PIN, KVM_IRQFD_FLAG_DEASSIGN, 0), EBADF);
	EXPECT_OK(irqfd(vm, fd, PIN + 1, KVM_IRQFD_FLAG_DEASSIGN, 0));
	EXPECT_OK(irqfd(vm, fd, PIN, KVM_IRQFD_FLAG_DEASSIGN, 0));
	EXPECT_OK(irqfd(vm, fd, PIN, 0, 0));
	close(fd);
	close(null);
}

/* Closed without a word, by hundreds, with and without the VM. */
static void closed(void)
{
	struct ivcpu *c = start();
	int fd[200], i, round;

	g_redir(c, PIN, 0x51);
	for (round = 0; round < 5; round++) {
		for (i = 0; i < 200; i++) {
			fd[i] = efd();
			EXPECT_OK(irqfd(c->v->vm, fd[i], PIN, 0, 0));
		}
		ring(fd[round]);
		for (i = 0; i < 200; i++)
			close(fd[i]);
		EXPECT_VECTORS(c, 0x51);
		g_eoi(c);
	}
	for (i = 0; i < 200; i++) {
		fd[i] = efd();
		EXPECT_OK(irqfd(c->v->vm, fd[i], PIN, 0, 0));
	}
	vm_free(c->v->vm);
	for (i = 0; i < 200; i++) {
		ring(fd[i]);
		close(fd[i]);
	}
}

/* Wakes a vCPU that sleeps in HLT. */
static void *ring_it(void *arg)
{
	ring(*(int *)arg);
	return NULL;
}

static void wakes_hlt(void)
{
	struct ivcpu *c = start();
	int fd = efd();
	pthread_t t;

	g_redir(c, PIN, 0x51);
	EXPECT_OK(irqfd(c->v->vm, fd, PIN, 0, 0));
	g_open(c);
	ASSERT_EQ(pthread_create(&t, NULL, ring_it, &fd), 0);
	g_halt(c);
	pthread_join(t, NULL);
	EXPECT_EQ(c->n, 1);
	EXPECT_EQ(c->seen[0], 0x51);
	close(fd);
}

int main(void)
{
	static const struct ktap_case cases[] = {
		{ "edge", edge }, { "early", early }, { "msi", msi }, { "resample", resample },
		{ "shared", shared }, { "resample_pic", resample_pic }, { "errors", errors },
		{ "closed", closed }, { "wakes_hlt", wakes_hlt },
	};

	vmtest_init();
	return ktap_run(cases, KTAP_COUNT(cases));
}
