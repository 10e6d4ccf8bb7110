// SPDX-License-Identifier: GPL-2.0
/* ringvm's own ioctls and its nodes: uapi/linux/ringvm.h. */
#include <fcntl.h>

#include "vmtest.h"

static void only_ringvm(void)
{
	if (dev_is_kvm())
		SKIP("not ringvm");
}

static const char *mode_of(uint32_t mode)
{
	switch (mode) {
	case RINGVM_MODE_INTERP:
		return "interp";
	case RINGVM_MODE_RING1:
		return "ring1";
	case RINGVM_MODE_SVM:
		return "svm";
	case RINGVM_MODE_VMX:
		return "vmx";
	}
	return "?";
}

static void info(void)
{
	struct ringvm_info i;
	int fd;

	only_ringvm();
	fd = dev_open();
	memset(&i, 0x55, sizeof(i));
	ASSERT_OK(ioctl(fd, RINGVM_GET_INFO, &i));
	EXPECT_EQ(i.reserved, 0);
	ASSERT(memchr(i.name, 0, sizeof(i.name)) && memchr(i.why, 0, sizeof(i.why)));
	ktap_diag("mode %s: %s", i.name, i.why);
	EXPECT(!strcmp(i.name, mode_of(i.mode)));
	EXPECT(i.why[0] && !strchr(i.why, '\n'));
	/* No word of kernel memory behind the text. */
	{
		size_t n = strlen(i.why), k;

		for (k = n; k < sizeof(i.why); k++)
			EXPECT_EQ(i.why[k], 0);
	}
	EXPECT_ERR(ioctl(fd, RINGVM_GET_INFO, NULL), EFAULT);
	EXPECT_ERR(ioctl(fd, RINGVM_GET_INFO, 1ul << 63), EFAULT);
	close(fd);
}

/* A node that is named for a mode gives that mode and no other. */
static void node_names(void)
{
	static const char *const names[] = { "vmx", "svm", "ring1", "interp" };
	char path[64];
	unsigned int k, n = 0;

	only_ringvm();
	for (k = 0; k < KTAP_COUNT(names); k++) {
		struct ringvm_info i;
		int fd;

		snprintf(path, sizeof(path), "/dev/ringvm-%s", names[k]);
		fd = open(path, O_RDWR);
		if (fd < 0) {
			EXPECT_EQ(errno, ENOENT);
			continue;
		}
		n++;
		ASSERT_OK(ioctl(fd, RINGVM_GET_INFO, &i));
		EXPECT(!strcmp(i.name, names[k]));
		EXPECT_EQ(ioctl(fd, KVM_GET_API_VERSION, 0), 12);
		close(fd);
	}
	EXPECT(n > 0);
}

static void unknown(void)
{
	struct vm *vm;
	struct vcpu *v;
	int nr;

	only_ringvm();
	vm = vm_bare();
	v = vcpu_bare(vm, 0);
	for (nr = 2; nr < 256; nr++) {
		EXPECT_ERR(ioctl(vm->dev, _IO(RINGVM_IO, nr), 0), ENOTTY);
		EXPECT_ERR(ioctl(vm->fd, _IO(RINGVM_IO, nr), 0), ENOTTY);
		EXPECT_ERR(ioctl(v->fd, _IO(RINGVM_IO, nr), 0), ENOTTY);
	}
	/* The number with another size or direction is another number. */
	EXPECT_ERR(ioctl(vm->dev, _IOW(RINGVM_IO, 0, struct ringvm_info), 0), ENOTTY);
	EXPECT_ERR(ioctl(vm->dev, _IO(RINGVM_IO, 0), 0), ENOTTY);
	EXPECT_ERR(ioctl(vm->fd, RINGVM_GET_INFO, 0), ENOTTY);
	EXPECT_ERR(ioctl(v->fd, RINGVM_GET_INFO, 0), ENOTTY);
	EXPECT_ERR(ioctl(vm->dev, RINGVM_GET_REASON, 0), ENOTTY);
	EXPECT_ERR(ioctl(vm->fd, RINGVM_GET_REASON, 0), ENOTTY);
}

GUEST_ALL(halt, "hlt\n");

/* In words, after a run that gave up; nothing after one that did not. */
static void reason(void)
{
	struct ringvm_reason r;
	struct vcpu *v;

	only_ringvm();
	v = guest_start_all(MODE_LONG, halt);
	v->regs.rip = G_HOLE;
	set_regs(v);
	run_to(v, KVM_EXIT_INTERNAL_ERROR);
	memset(&r, 0x55, sizeof(r));
	ASSERT_OK(ioctl(v->fd, RINGVM_GET_REASON, &r));
	ASSERT(memchr(r.text, 0, sizeof(r.text)));
	EXPECT(strstr(r.text, "fetch"));
	ktap_diag("%s", r.text);
	EXPECT_EQ(r.text[sizeof(r.text) - 1], 0);

	v->regs.rip = G_CODE;
	set_regs(v);
	run_to_hlt(v);
	memset(&r, 0x55, sizeof(r));
	ASSERT_OK(ioctl(v->fd, RINGVM_GET_REASON, &r));
	EXPECT_EQ(r.text[0], 0);
	EXPECT_ERR(ioctl(v->fd, RINGVM_GET_REASON, NULL), EFAULT);

	/* CS with both L and D: a state that only VMRUN refuses. */
	v = guest_start_all(MODE_LONG, halt);
	v->sregs.cs.l = v->sregs.cs.db = 1;
	if (ioctl(v->fd, KVM_SET_SREGS, &v->sregs))
		return;
	ASSERT_EQ(vcpu_run(v), 0);
	if (v->run->exit_reason != KVM_EXIT_FAIL_ENTRY)
		return;
	ASSERT_OK(ioctl(v->fd, RINGVM_GET_REASON, &r));
	EXPECT(strstr(r.text, "L and D"));
	ktap_diag("%s", r.text);
}

int main(void)
{
	static const struct ktap_case cases[] = {
		{ "info", info }, { "node_names", node_names }, { "unknown", unknown },
		{ "reason", reason },
	};

	vmtest_init();
	return ktap_run(cases, KTAP_COUNT(cases));
}
