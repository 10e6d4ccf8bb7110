// SPDX-License-Identifier: GPL-2.0
/*
 * The module cannot be unloaded while any descriptor or mapping of it lives,
 * can be as soon as none does, leaves no node behind, and loads again.
 * The file to load is $RINGVM_KO, or /lab/ringvm.ko.
 */
#include <fcntl.h>
#include <sys/syscall.h>

#include "vmtest.h"

GUEST_ALL(halt, "hlt\n");

static void only_ringvm(void)
{
	if (dev_is_kvm())
		SKIP("not ringvm");
	if (access("/sys/module/ringvm/refcnt", R_OK))
		SKIP("ringvm is no module here");
}

static const char *ko(void)
{
	const char *p = getenv("RINGVM_KO");

	return p ? p : "/lab/ringvm.ko";
}

static int unload(void)
{
	return syscall(SYS_delete_module, "ringvm", O_NONBLOCK);
}

/* As it is loaded now: what this host's other tests count on. */
static const char *params_now(void)
{
	static const char *const names[] = { "npt", "ring1", "ring1_eager", "mitigations" };
	static char all[512];
	size_t len = 0, i;

	for (i = 0; i < KTAP_COUNT(names); i++) {
		char path[96], value[64] = "";
		FILE *f;

		snprintf(path, sizeof(path), "/sys/module/ringvm/parameters/%s", names[i]);
		f = fopen(path, "r");
		ASSERT(f);
		/* "auto: " and what that means here */
		ASSERT_EQ(fscanf(f, "%63[A-Za-z0-9]", value), 1);
		fclose(f);
		len += snprintf(all + len, sizeof(all) - len, "%s=%s ", names[i], value);
	}
	return all;
}

static int load(const char *params)
{
	int fd = open(ko(), O_RDONLY | O_CLOEXEC), r;

	if (fd < 0)
		return -1;
	r = syscall(SYS_finit_module, fd, params, 0);
	close(fd);
	return r;
}

static int users(void)
{
	FILE *f = fopen("/sys/module/ringvm/refcnt", "r");
	int n = -1;

	if (f) {
		if (fscanf(f, "%d", &n) != 1)
			n = -1;
		fclose(f);
	}
	return n;
}

static bool no_users(void *arg)
{
	(void)arg;
	return users() == 0;
}

static void expect_busy(const char *what)
{
	const char *params = params_now();
	int r = unload();

	if (r != -1 || (errno != EWOULDBLOCK && errno != EBUSY))
		KTAP_FAIL_("with %s open: %d, %s", what, r, r ? strerror(errno) : "unloaded");
	if (!r)
		load(params);
}

static void refused_while_open(void)
{
	struct vcpu *v;
	struct vm *vm;
	struct kvm_run *run;
	int fd;

	only_ringvm();
	fd = dev_open();
	expect_busy("the system descriptor");
	close(fd);

	v = guest_start_all(MODE_PROT32, halt);
	vm = v->vm;
	close(vm->dev);
	vm->dev = -1;
	expect_busy("a VM and a vCPU");
	fd = v->fd;
	close(vm->fd);
	vm->fd = -1;
	expect_busy("a vCPU");
	run_to_hlt(v);
	run = v->run;
	close(v->fd);
	v->fd = -1;
	expect_busy("a mapping");
	EXPECT_EQ(run->exit_reason, KVM_EXIT_HLT);
	munmap(v->run, v->run_size);
	v->run = NULL;
	EXPECT(wait_for(no_users, NULL, 60000));
}

static void stats_hold_it(void)
{
	struct vm *vm;
	int fd;

	only_ringvm();
	vm = vm_bare();
	fd = ioctl(vm->fd, KVM_GET_STATS_FD, NULL);
	if (fd < 0)
		SKIP("no statistics descriptor");
	vm_free_all();
	expect_busy("a statistics descriptor");
	close(fd);
	EXPECT(wait_for(no_users, NULL, 60000));
}

static bool node_there(void *arg)
{
	(void)arg;
	return !access(dev_path(), F_OK);
}

static bool node_gone(void *arg)
{
	return !node_there(arg);
}

static void unload_and_load(void)
{
	char params[512];
	int i;

	only_ringvm();
	snprintf(params, sizeof(params), "%s", params_now());
	if (access(ko(), R_OK))
		SKIP("no %s to load again", ko());
	for (i = 0; i < 5; i++) {
		struct vcpu *v = guest_start_all(i % NR_MODES, halt);

		run_to_hlt(v);
		vm_free_all();
		ASSERT(wait_for(no_users, NULL, 60000));
		ASSERT_OK(unload());
		EXPECT(wait_for(node_gone, NULL, 60000));
		EXPECT_ERR(access("/sys/module/ringvm", F_OK), ENOENT);
		EXPECT_ERR(access("/sys/kernel/debug/ringvm", F_OK), ENOENT);
		ASSERT_OK(load(params));
		ASSERT(wait_for(node_there, NULL, 60000));
	}
	EXPECT(!strcmp(params, params_now()));
	/* It works as before. */
	run_to_hlt(guest_start_all(MODE_LONG, halt));
}

int main(void)
{
	static const struct ktap_case cases[] = {
		{ "refused_while_open", refused_while_open },
		{ "stats_hold_it", stats_hold_it }, { "unload_and_load", unload_and_load },
	};

	vmtest_init();
	return ktap_run(cases, KTAP_COUNT(cases));
}
