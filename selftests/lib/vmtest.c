// SPDX-License-Identifier: GPL-2.0
/* VMs, vCPUs and guest memory for tests of the KVM ABI: see vmtest.h. */
#include <cpuid.h>
#include <fcntl.h>
#include <sched.h>
#include <time.h>
#include <linux/ringvm.h>

#include "vmtest.h"

static struct vm *vms;

const char *dev_path(void)
{
	const char *p = getenv("RINGVM_DEV");

	return p && *p ? p : "/dev/ringvm";
}

bool dev_is_kvm(void)
{
	return !strcmp(dev_path(), "/dev/kvm");
}

bool host_is_tcg(void)
{
	uint32_t a, b, c, d;

	__cpuid(1, a, b, c, d);
	if (!(c & 1u << 31))
		return false;
	__cpuid(0x40000000, a, b, c, d);
	return b == 0x54474354 && c == 0x43544743 && d == 0x47435447;	/* TCGTCGTCGTCG */
}

/* RINGVM_MODE_*; -1: not one of our devices */
static int dev_mode(void)
{
	struct ringvm_info info;
	int fd = open(dev_path(), O_RDWR | O_CLOEXEC), r;

	if (fd < 0)
		return -1;
	r = ioctl(fd, RINGVM_GET_INFO, &info);
	close(fd);
	return r ? -1 : (int)info.mode;
}

bool dev_is_interp(void)
{
	int mode = dev_mode();

	return mode == RINGVM_MODE_INTERP || mode == RINGVM_MODE_RING1;
}

bool dev_is_ring1(void)
{
	return dev_mode() == RINGVM_MODE_RING1;
}

bool dev_is_shadow(void)
{
	struct ringvm_info info;
	int fd = open(dev_path(), O_RDWR | O_CLOEXEC), r;
	char npt = 0;

	if (fd < 0)
		return false;
	r = ioctl(fd, RINGVM_GET_INFO, &info);
	close(fd);
	if (r || info.mode != RINGVM_MODE_SVM)
		return false;
	fd = open("/sys/module/ringvm/parameters/npt", O_RDONLY);
	if (fd < 0)
		return false;
	r = read(fd, &npt, 1);
	close(fd);
	return r == 1 && npt == 'N';
}

bool guest_on_tcg(void)
{
	return host_is_tcg() && !dev_is_interp();
}

bool guest_partly_on_tcg(void)
{
	return host_is_tcg() && dev_is_ring1();
}

int dev_open(void)
{
	int fd = open(dev_path(), O_RDWR | O_CLOEXEC);

	if (fd < 0)
		FAIL("%s: %s", dev_path(), strerror(errno));
	return fd;
}

int dev_cap(int cap)
{
	int fd = dev_open(), r = ioctl(fd, KVM_CHECK_EXTENSION, cap);

	close(fd);
	return r;
}

void vmtest_init(void)
{
	static char why[160];
	int fd = open(dev_path(), O_RDWR | O_CLOEXEC);

	if (fd < 0) {
		snprintf(why, sizeof(why), "%s: %s", dev_path(), strerror(errno));
		ktap_skip_all(why);
	}
	close(fd);
	ktap.teardown = vm_free_all;
}

void *anon(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT(p != MAP_FAILED);
	return p;
}

struct vm *vm_bare(void)
{
	struct vm *vm = calloc(1, sizeof(*vm));

	ASSERT(vm);
	vm->dev = dev_open();
	vm->fd = ioctl(vm->dev, KVM_CREATE_VM, 0);
	if (vm->fd < 0) {
		int e = errno;

		close(vm->dev);
		FAIL("KVM_CREATE_VM: %s", strerror(e));
	}
	vm->next = vms;
	vms = vm;
	return vm;
}

struct vm *vm_new(size_t size)
{
	struct vm *vm = vm_bare();

	vm->mem = anon(size);
	vm->size = size;
	ASSERT_OK(vm_slot(vm, 0, 0, 0, size, vm->mem));
	memset(vm->mem + G_TRAPS, 0xf4, 256);
	return vm;
}

int vm_cap(struct vm *vm, int cap)
{
	return ioctl(vm->fd, KVM_CHECK_EXTENSION, cap);
}

int vm_slot(struct vm *vm, uint32_t slot, uint32_t flags, uint64_t gpa, uint64_t size, void *hva)
{
	struct kvm_userspace_memory_region r = {
		.slot = slot, .flags = flags, .guest_phys_addr = gpa,
		.memory_size = size, .userspace_addr = (uintptr_t)hva,
	};

	return ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &r);
}

void vcpu_free(struct vcpu *v)
{
	if (v->run)
		munmap(v->run, v->run_size);
	if (v->fd >= 0)
		close(v->fd);
	v->run = NULL;
	v->fd = -1;
}

/* The structs stay: a thread of a failed case may still look at them. */
void vm_free(struct vm *vm)
{
	struct vcpu *v;

	for (v = vm->vcpus; v; v = v->next)
		vcpu_free(v);
	if (vm->fd >= 0)
		close(vm->fd);
	if (vm->dev >= 0)
		close(vm->dev);
	if (vm->mem)
		munmap(vm->mem, vm->size);
	vm->fd = vm->dev = -1;
	vm->mem = NULL;
}

void vm_free_all(void)
{
	struct vm *vm;

	for (vm = vms; vm; vm = vm->next)
		vm_free(vm);
	vms = NULL;
}

struct vcpu *vcpu_bare(struct vm *vm, unsigned int id)
{
	struct vcpu *v = calloc(1, sizeof(*v));
	long size;

	ASSERT(v);
	v->vm = vm;
	v->id = id;
	v->fd = ioctl(vm->fd, KVM_CREATE_VCPU, id);
	if (v->fd < 0)
		FAIL("KVM_CREATE_VCPU %u: %s", id, strerror(errno));
	v->next = vm->vcpus;
	vm->vcpus = v;
	size = ioctl(vm->dev, KVM_GET_VCPU_MMAP_SIZE, 0);
	ASSERT(size >= (long)sizeof(struct kvm_run));
	v->run_size = size;
	v->run = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, v->fd, 0);
	if (v->run == MAP_FAILED) {
		v->run = NULL;
		FAIL("mmap of the run page: %s", strerror(errno));
	}
	return v;
}

void vcpu_cpuid_default(struct vcpu *v)
{
	vcpu_cpuid_and(v, 0);
}

void vcpu_cpuid_and(struct vcpu *v, uint32_t ebx7)
{
	struct kvm_cpuid2 *c = calloc(1, sizeof(*c) + 256 * sizeof(c->entries[0]));
	uint32_t i;

	ASSERT(c);
	c->nent = 256;
	ASSERT_OK(ioctl(v->vm->dev, KVM_GET_SUPPORTED_CPUID, c));
	for (i = 0; i < c->nent; i++)
		if (c->entries[i].function == 7 && !c->entries[i].index)
			c->entries[i].ebx |= ebx7;
	ASSERT_OK(ioctl(v->fd, KVM_SET_CPUID2, c));
	free(c);
}

void get_regs(struct vcpu *v)
{
	ASSERT_OK(ioctl(v->fd, KVM_GET_REGS, &v->regs));
}

void set_regs(struct vcpu *v)
{
	ASSERT_OK(ioctl(v->fd, KVM_SET_REGS, &v->regs));
}

void get_sregs(struct vcpu *v)
{
	ASSERT_OK(ioctl(v->fd, KVM_GET_SREGS, &v->sregs));
}

void set_sregs(struct vcpu *v)
{
	ASSERT_OK(ioctl(v->fd, KVM_SET_SREGS, &v->sregs));
}

void set_rip(struct vcpu *v, uint64_t rip)
{
	get_regs(v);
	v->regs.rip = rip;
	set_regs(v);
}

struct one_msr {
	struct kvm_msrs head;
	struct kvm_msr_entry e;
};

int get_msr(struct vcpu *v, uint32_t msr, uint64_t *val)
{
	struct one_msr m = { .head.nmsrs = 1, .e.index = msr };
	int r = ioctl(v->fd, KVM_GET_MSRS, &m);

	*val = m.e.data;
	return r;
}

int set_msr(struct vcpu *v, uint32_t msr, uint64_t val)
{
	struct one_msr m = { .head.nmsrs = 1, .e.index = msr, .e.data = val };

	return ioctl(v->fd, KVM_SET_MSRS, &m);
}

int vcpu_run(struct vcpu *v)
{
	return ioctl(v->fd, KVM_RUN, 0) < 0 ? -errno : 0;
}

uint64_t stat_value(int of, const char *name)
{
	int fd = ioctl(of, KVM_GET_STATS_FD, NULL);
	struct kvm_stats_desc *d;
	struct kvm_stats_header h;
	uint64_t value = 0;
	bool found = false;
	size_t size;
	uint32_t i;

	ASSERT(fd >= 0);
	ASSERT_EQ(pread(fd, &h, sizeof(h), 0), sizeof(h));
	size = sizeof(*d) + h.name_size;
	d = malloc(size);
	ASSERT(d);
	for (i = 0; i < h.num_desc && !found; i++) {
		ASSERT_EQ(pread(fd, d, size, h.desc_offset + i * size), size);
		found = !strcmp(d->name, name);
	}
	if (found)
		ASSERT_EQ(pread(fd, &value, 8, h.data_offset + d->offset), 8);
	free(d);
	close(fd);
	if (!found)
		FAIL("no counter is called %s", name);
	return value;
}

const char *exit_name(uint32_t reason)
{
	static const char *const names[] = {
		[KVM_EXIT_UNKNOWN] = "UNKNOWN", [KVM_EXIT_EXCEPTION] = "EXCEPTION",
		[KVM_EXIT_IO] = "IO", [KVM_EXIT_HYPERCALL] = "HYPERCALL",
		[KVM_EXIT_DEBUG] = "DEBUG", [KVM_EXIT_HLT] = "HLT", [KVM_EXIT_MMIO] = "MMIO",
		[KVM_EXIT_IRQ_WINDOW_OPEN] = "IRQ_WINDOW_OPEN", [KVM_EXIT_SHUTDOWN] = "SHUTDOWN",
		[KVM_EXIT_FAIL_ENTRY] = "FAIL_ENTRY", [KVM_EXIT_INTR] = "INTR",
		[KVM_EXIT_SET_TPR] = "SET_TPR", [KVM_EXIT_TPR_ACCESS] = "TPR_ACCESS",
		[KVM_EXIT_INTERNAL_ERROR] = "INTERNAL_ERROR",
	};

	return reason < KTAP_COUNT(names) && names[reason] ? names[reason] : "?";
}

void show_exit(struct vcpu *v)
{
	struct kvm_run *r = v->run;
	struct ringvm_reason why = { 0 };
	struct kvm_regs g;
	struct kvm_sregs s;

	ktap_diag("vCPU %u in %s mode: exit %u (%s)", v->id, mode_name[v->mode],
		  r->exit_reason, exit_name(r->exit_reason));
	switch (r->exit_reason) {
	case KVM_EXIT_IO:
		ktap_diag("  %s port %#x size %u count %u", r->io.direction ? "out" : "in",
			  r->io.port, r->io.size, r->io.count);
		break;
	case KVM_EXIT_MMIO:
		ktap_diag("  %s %#llx len %u", r->mmio.is_write ? "write" : "read",
			  r->mmio.phys_addr, r->mmio.len);
		break;
	case KVM_EXIT_FAIL_ENTRY:
		ktap_diag("  reason %#llx", r->fail_entry.hardware_entry_failure_reason);
		break;
	case KVM_EXIT_INTERNAL_ERROR:
		ktap_diag("  suberror %u ndata %u data %#llx %#llx %#llx", r->internal.suberror,
			  r->internal.ndata, r->internal.data[0], r->internal.data[1],
			  r->internal.data[2]);
		break;
	}
	/* ringvm's own word for it; KVM has none. */
	if (!ioctl(v->fd, RINGVM_GET_REASON, &why) && why.text[0])
		ktap_diag("  %s", why.text);
	if (ioctl(v->fd, KVM_GET_REGS, &g) < 0 || ioctl(v->fd, KVM_GET_SREGS, &s) < 0)
		return;
	ktap_diag("  rip %#llx rsp %#llx flags %#llx rax %#llx rbx %#llx rcx %#llx rdx %#llx",
		  g.rip, g.rsp, g.rflags, g.rax, g.rbx, g.rcx, g.rdx);
	ktap_diag("  rsi %#llx rdi %#llx cs %#x cr0 %#llx cr2 %#llx cr3 %#llx cr4 %#llx efer %#llx",
		  g.rsi, g.rdi, s.cs.selector, s.cr0, s.cr2, s.cr3, s.cr4, s.efer);
}

void run_to(struct vcpu *v, uint32_t reason)
{
	int r = vcpu_run(v);

	if (!r && v->run->exit_reason == reason)
		return;
	if (r)
		ktap_diag("KVM_RUN: %s", strerror(-r));
	show_exit(v);
	FAIL("want exit %u (%s)", reason, exit_name(reason));
}

void run_to_hlt(struct vcpu *v)
{
	run_to(v, KVM_EXIT_HLT);
	get_regs(v);
}

void run_window(struct vcpu *v, struct mmio_window *w, uint64_t base)
{
	struct kvm_run *r = v->run;
	uint64_t off;
	uint32_t i;

	for (;;) {
		ASSERT_EQ(vcpu_run(v), 0);
		if (r->exit_reason == KVM_EXIT_HLT)
			break;
		if (r->exit_reason != KVM_EXIT_MMIO) {
			show_exit(v);
			FAIL("want MMIO or HLT");
		}
		off = r->mmio.phys_addr - base;
		ASSERT(r->mmio.len >= 1 && r->mmio.len <= 8 &&
		       off + r->mmio.len <= sizeof(w->bytes));
		if (r->mmio.is_write)
			memcpy(w->bytes + off, r->mmio.data, r->mmio.len);
		else
			memcpy(r->mmio.data, w->bytes + off, r->mmio.len);
		for (i = 0; i < r->mmio.len; i++)
			(r->mmio.is_write ? w->writes : w->reads)[off + i]++;
	}
	get_regs(v);
}

int run_to_vector(struct vcpu *v)
{
	uint64_t at;

	run_to_hlt(v);
	at = v->regs.rip - 1 - G_TRAPS;		/* a HLT exit reports RIP behind the HLT */
	return at < 256 ? (int)at : -1;
}

struct vcpu *guest_start(enum guest_mode mode, struct guest_code code)
{
	struct vm *vm = vm_new(G_MEM);

	guest_load(vm, G_CODE, code);
	return vcpu_new(vm, 0, mode);
}

struct vcpu *guest_start_all(enum guest_mode mode, const struct guest_code prog[3])
{
	return guest_start(mode, guest_for(prog, mode));
}

void guest_load(struct vm *vm, uint64_t gpa, struct guest_code code)
{
	size_t n = code.end - code.start;

	ASSERT(gpa + n <= vm->size);
	memcpy(vm->mem + gpa, code.start, n);
}

uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ull + t.tv_nsec / 1000000;
}

bool wait_for(bool (*cond)(void *), void *arg, unsigned int ms)
{
	uint64_t end = now_ms() + ms;

	while (!cond(arg)) {
		if (now_ms() > end)
			return false;
		sched_yield();
	}
	return true;
}

static void nothing(int sig)
{
	(void)sig;
}

void catch_signal(int sig)
{
	struct sigaction sa = { .sa_handler = nothing };

	sigaction(sig, &sa, NULL);
}

void kick_me_in(unsigned int ms)
{
	static __thread bool made;
	static __thread timer_t timer;
	struct sigevent ev = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR2 };
	struct itimerspec its = {
		.it_value = { ms / 1000, ms % 1000 * 1000000 },
		/* Again and again: the first may come just before KVM_RUN. */
		.it_interval = { 0, ms ? 20000000 : 0 },
	};

	if (!made) {
		catch_signal(SIGUSR2);
		ev._sigev_un._tid = gettid();
		if (timer_create(CLOCK_MONOTONIC, &ev, &timer))
			return;
		made = true;
	}
	timer_settime(timer, 0, &its, NULL);
}

static __thread uint64_t rnd_state;

void rnd_from(uint64_t seed)
{
	rnd_state = seed;
}

static uint64_t seed_with(uint64_t seed)
{
	const char *s = getenv("RINGVM_SEED");

	if (s && *s)
		seed = strtoull(s, NULL, 0);
	rnd_from(seed);
	ktap_diag("RINGVM_SEED=%#llx", (unsigned long long)seed);
	return seed;
}

uint64_t rnd_seed(void)
{
	return seed_with(now_ms() ^ ((uint64_t)getpid() << 32));
}

void rnd_seed_fixed(uint64_t seed)
{
	seed_with(seed);
}

/* splitmix64 (public domain algorithm): any seed is good, zero too. */
uint64_t rnd(void)
{
	uint64_t z = (rnd_state += 0x9e3779b97f4a7c15ull);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}
