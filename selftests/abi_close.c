// SPDX-License-Identifier: GPL-2.0
/* Descriptors closed in any order, kept by dup, fork or a mapping, and many of them. */
#include <dirent.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "vmtest.h"

GUEST_ALL(halt, "inc %ax\nhlt\n");

static int open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	ASSERT(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

/* Closes system, VM and vCPU descriptors and drops the mapping in a given order. */
static void close_in_order(const char *order)
{
	struct vcpu *v = guest_start_all(MODE_PROT32, halt);
	struct vm *vm = v->vm;
	int runs = 0;

	for (; *order; order++) {
		switch (*order) {
		case 's':
			close(vm->dev);
			vm->dev = -1;
			break;
		case 'v':
			close(vm->fd);
			vm->fd = -1;
			break;
		case 'c':
			close(v->fd);
			v->fd = -1;
			break;
		case 'm':
			munmap(v->run, v->run_size);
			v->run = NULL;
			break;
		case 'r':
			/* What is left still works. */
			set_rip(v, G_CODE);
			EXPECT_EQ(vcpu_run(v), 0);
			get_regs(v);
			EXPECT_EQ(v->regs.rax & 0xffff, ++runs);
			break;
		case 't':
			/* The mapping outlives the descriptors. */
			v->run->request_interrupt_window = 1;
			EXPECT_EQ(v->run->request_interrupt_window, 1);
			break;
		}
	}
}

static void any_order(void)
{
	static const char *const orders[] = {
		"svcm", "svmc", "scvm", "scmv", "smvc", "smcv", "vscm", "vsmc", "vcsm", "vcms",
		"vmsc", "vmcs", "csvm", "csmv", "cvsm", "cvms", "cmsv", "cmvs", "msvc", "mscv",
		"mvsc", "mvcs", "mcsv", "mcvs",
		"srvrcm", "vrsrmc", "vsrcm", "mrvrsc", "vscttm", "cvtsm",
	};
	unsigned int i;
	int before = open_fds();

	for (i = 0; i < KTAP_COUNT(orders); i++)
		close_in_order(orders[i]);
	EXPECT_EQ(open_fds(), before);
}

/* The memory goes first: the VM does not own it. */
static void memory_first(void)
{
	struct vcpu *v = guest_start_all(MODE_PROT32, halt);

	run_to_hlt(v);
	munmap(v->vm->mem, v->vm->size);
	v->vm->mem = NULL;
	set_rip(v, G_CODE);
	EXPECT_EQ(vcpu_run(v), -EFAULT);
}

static void duplicates(void)
{
	struct vcpu *v = guest_start_all(MODE_PROT32, halt);
	int vm2 = dup(v->vm->fd), c2 = dup(v->fd);
	struct kvm_regs r;

	ASSERT(vm2 >= 0 && c2 >= 0);
	close(v->vm->fd);
	close(v->fd);
	v->vm->fd = vm2;
	v->fd = c2;
	EXPECT_EQ(ioctl(vm2, KVM_CHECK_EXTENSION, KVM_CAP_USER_MEMORY), 1);
	run_to_hlt(v);
	EXPECT_OK(ioctl(c2, KVM_GET_REGS, &r));
}

/* A child holds everything open beyond its parent's close, and is the last. */
static void last_close_in_child(void)
{
	int go[2], st, i;

	for (i = 0; i < 4; i++) {
		struct vcpu *v = guest_start_all(MODE_LONG, halt);
		pid_t pid;
		char c;

		run_to_hlt(v);
		ASSERT_OK(pipe(go));
		pid = fork();
		ASSERT(pid >= 0);
		if (!pid) {
			close(go[1]);
			_exit(read(go[0], &c, 1) == 1 ? 0 : 1);
		}
		vm_free(v->vm);
		close(go[0]);
		ASSERT_EQ(write(go[1], "x", 1), 1);
		close(go[1]);
		ASSERT_EQ(waitpid(pid, &st, 0), pid);
		EXPECT_EQ(st, 0);
	}
}

/* Over and over: nothing piles up. */
static void many_times(void)
{
	int before = open_fds(), i;

	for (i = 0; i < 100; i++) {
		struct vcpu *v = guest_start_all(i % NR_MODES, halt);

		run_to_hlt(v);
		vm_free_all();
	}
	EXPECT_EQ(open_fds(), before);
}

/*
 * A VM outlives its descriptor by a vCPU's, and the next VM gets the same
 * number: whatever the module names after it must not collide (the host's log
 * stays clean).
 */
static void same_number_again(void)
{
	int dev = dev_open(), vm[4], vcpu[4], i;
	struct kvm_regs r;

	for (i = 0; i < 4; i++) {
		vm[i] = ioctl(dev, KVM_CREATE_VM, 0);
		ASSERT(vm[i] >= 0);
		vcpu[i] = ioctl(vm[i], KVM_CREATE_VCPU, 0);
		ASSERT(vcpu[i] >= 0);
		/* The vCPU's moves out of the way, the VM's is free again. */
		ASSERT_OK(dup2(vcpu[i], 200 + i));
		close(vcpu[i]);
		close(vm[i]);
		EXPECT_EQ(vm[i], vm[0]);
	}
	for (i = 0; i < 4; i++) {
		EXPECT_OK(ioctl(200 + i, KVM_GET_REGS, &r));
		close(200 + i);
	}
	close(dev);
}

/* When the client runs out of descriptors: EMFILE, and nothing half made. */
static void out_of_descriptors(void)
{
	struct rlimit old, low;
	struct vm *vm = vm_bare();
	int n = 0, fd, last = -1;

	getrlimit(RLIMIT_NOFILE, &old);
	low = old;
	low.rlim_cur = vm->fd + 3;
	setrlimit(RLIMIT_NOFILE, &low);
	while ((fd = dup(0)) >= 0)
		last = fd;
	EXPECT_ERR(ioctl(vm->dev, KVM_CREATE_VM, 0), EMFILE);
	EXPECT_ERR(ioctl(vm->fd, KVM_CREATE_VCPU, 0), EMFILE);
	close(last);
	fd = ioctl(vm->fd, KVM_CREATE_VCPU, 0);		/* the id is still free */
	EXPECT(fd >= 0);
	setrlimit(RLIMIT_NOFILE, &old);
	close(fd);
	for (n = vm->fd + 1; n < last; n++)
		close(n);
}

/* 4096 vCPUs are asked for; as many come as the capability says, in one VM. */
static void four_thousand_vcpus(void)
{
	struct rlimit old, high;
	struct vm *vm = vm_bare();
	int max = vm_cap(vm, KVM_CAP_MAX_VCPUS), i, fd, made = 0;
	int *fds = calloc(4096, sizeof(*fds));
	struct kvm_regs r;

	ASSERT(fds && max > 0);
	getrlimit(RLIMIT_NOFILE, &old);
	high = old;
	high.rlim_cur = high.rlim_max = 5000;
	if (setrlimit(RLIMIT_NOFILE, &high))
		SKIP("RLIMIT_NOFILE: %s", strerror(errno));
	for (i = 0; i < 4096; i++) {
		fd = ioctl(vm->fd, KVM_CREATE_VCPU, i);
		if (fd < 0) {
			if (i < max || errno != EINVAL)
				KTAP_FAIL_("vCPU %d: %s", i, strerror(errno));
			continue;
		}
		fds[made++] = fd;
	}
	EXPECT_EQ(made, max < 4096 ? max : 4096);
	for (i = 0; i < made; i++) {
		EXPECT_OK(ioctl(fds[i], KVM_GET_REGS, &r));
		close(fds[i]);
	}
	/* Closing a vCPU's descriptor frees neither its id nor its place. */
	fd = ioctl(vm->fd, KVM_CREATE_VCPU, 0);
	EXPECT(fd < 0 && (errno == EEXIST || errno == EINVAL));
	setrlimit(RLIMIT_NOFILE, &old);
	free(fds);
}

int main(void)
{
	static const struct ktap_case cases[] = {
		{ "any_order", any_order }, { "memory_first", memory_first },
		{ "duplicates", duplicates }, { "last_close_in_child", last_close_in_child },
		{ "many_times", many_times }, { "same_number_again", same_number_again },
		{ "out_of_descriptors", out_of_descriptors },
		{ "four_thousand_vcpus", four_thousand_vcpus },
	};

	vmtest_init();
	return ktap_run(cases, KTAP_COUNT(cases));
}
