// SPDX-License-Identifier: GPL-2.0
/*
 * Random ioctls with random and hostile arguments, in a child, from one thread
 * and from two that race for the same descriptors and the same argument memory:
 * the kernel must answer each within the deadline, and a fresh VM must work
 * afterwards.
 * RINGVM_SEED repeats a run, RINGVM_FUZZ gives the number of calls.
 */
#include <pthread.h>
#include <sys/wait.h>

#include "vmtest.h"

GUEST_ALL(fine, "mov $0x42, %al\nhlt\n");

static const unsigned long calls[] = {
	KVM_GET_API_VERSION, KVM_CREATE_VM, KVM_GET_MSR_INDEX_LIST, KVM_CHECK_EXTENSION,
	KVM_GET_VCPU_MMAP_SIZE, KVM_GET_SUPPORTED_CPUID, KVM_GET_EMULATED_CPUID,
	KVM_GET_MSR_FEATURE_INDEX_LIST, KVM_SET_USER_MEMORY_REGION, KVM_SET_USER_MEMORY_REGION,
	KVM_CREATE_VCPU, KVM_GET_DIRTY_LOG, KVM_SET_NR_MMU_PAGES, KVM_GET_NR_MMU_PAGES,
	KVM_SET_TSS_ADDR, KVM_SET_IDENTITY_MAP_ADDR, KVM_IRQ_LINE, KVM_GET_IRQCHIP,
	KVM_SET_IRQCHIP, KVM_GET_PIT2, KVM_SET_PIT2, KVM_SET_GSI_ROUTING, KVM_REINJECT_CONTROL,
	KVM_SET_CLOCK, KVM_GET_CLOCK, KVM_ENABLE_CAP, KVM_RUN, KVM_RUN, KVM_RUN, KVM_GET_REGS,
	KVM_SET_REGS, KVM_GET_SREGS, KVM_SET_SREGS, KVM_TRANSLATE, KVM_INTERRUPT, KVM_GET_MSRS,
	KVM_SET_MSRS, KVM_SET_CPUID, KVM_SET_SIGNAL_MASK, KVM_GET_FPU, KVM_SET_FPU,
	KVM_GET_LAPIC, KVM_SET_LAPIC, KVM_SET_CPUID2, KVM_GET_CPUID2, KVM_TPR_ACCESS_REPORTING,
	KVM_SET_VAPIC_ADDR, KVM_GET_MP_STATE, KVM_SET_MP_STATE, KVM_NMI, KVM_SET_GUEST_DEBUG,
	KVM_X86_SETUP_MCE, KVM_X86_SET_MCE, KVM_GET_VCPU_EVENTS, KVM_SET_VCPU_EVENTS,
	KVM_GET_DEBUGREGS, KVM_SET_DEBUGREGS, KVM_GET_TSC_KHZ, KVM_GET_XSAVE, KVM_SET_XSAVE,
	KVM_GET_XCRS, KVM_SET_XCRS, KVM_GET_SREGS2, KVM_SET_SREGS2, KVM_KVMCLOCK_CTRL, KVM_SMI,
	KVM_GET_STATS_FD, KVM_SIGNAL_MSI,
};

static const uint64_t odd[] = {
	0, 1, 2, 7, 8, 0xff, 0x100, 0xfff, 0x1000, 0x1001, 0xffff, 0x10000, 0x7fffffff,
	0x80000000, 0xfffff000, 0xffffffff, 0x100000000, 0x7ffffffff000, 0x7fffffffffff,
	0x800000000000, 0xffff800000000000, 0xffffffff81000000, 0xfffffffffffff000, -1ull,
	CR0_PE, CR0_PE | CR0_PG, EFER_LME | EFER_LMA, 0xfee00900, MSR_EFER, MSR_TSC, MSR_LSTAR,
};

static uint8_t *box, *guest_mem;		/* the arguments', the guest's */
#define BOX	0x4000

static uint64_t pick(void)
{
	switch (rnd() % 6) {
	case 0:
		return odd[rnd() % KTAP_COUNT(odd)];
	case 1:
		return rnd() & 0xff;
	case 2:
		return BIT(rnd() % 64);
	case 3:
		return (rnd() % 64) << 12;
	case 4:
		return rnd();
	default:
		return (uintptr_t)guest_mem + (rnd() % 64 << 12);
	}
}

static void fill(void)
{
	unsigned int i, n = rnd() % 4 ? 256 : BOX / 8;

	for (i = 0; i < n; i++) {
		if (rnd() % 3)
			((uint32_t *)box)[i] = pick();
		else
			((uint64_t *)box)[i % (BOX / 8)] = pick();
	}
	/* Half of the time something sane to begin with. */
	if (rnd() & 1)
		((uint32_t *)box)[0] = rnd() % 12;
	if (rnd() & 1)
		((uint32_t *)box)[1] = 0;
}

/* A mask that let no kick through would let a guest run for ever, rightly so. */
static unsigned long signal_mask_argument(void)
{
	static __thread struct {
		struct kvm_signal_mask h;
		uint64_t set;
	} __attribute__((packed)) m;

	m.h.len = rnd() & 1 ? 8 : pick();
	m.set = pick() & ~(BIT(SIGUSR2 - 1) | BIT(SIGALRM - 1));
	return (uintptr_t)&m;
}

static unsigned long argument(unsigned long nr)
{
	if (_IOC_NR(nr) == _IOC_NR(KVM_SET_SIGNAL_MASK))
		return signal_mask_argument();
	if (_IOC_DIR(nr) == _IOC_NONE)
		return rnd() % 4 ? 0 : pick();
	switch (rnd() % 12) {
	case 0:
		return pick();
	case 1:
		return (uintptr_t)box + BOX - rnd() % 64;	/* runs off its end */
	default:
		return (uintptr_t)box;
	}
}

/* A state that was good may be changed in one place: deeper than all at random. */
static void mutate(int vcpu)
{
	struct kvm_sregs s;
	struct kvm_regs r;
	int n = 1 + rnd() % 3;

	if (!ioctl(vcpu, KVM_GET_SREGS, &s)) {
		while (n--)
			((uint8_t *)&s)[rnd() % sizeof(s)] = pick();
		ioctl(vcpu, KVM_SET_SREGS, &s);
	}
	if (!ioctl(vcpu, KVM_GET_REGS, &r)) {
		((uint64_t *)&r)[rnd() % (sizeof(r) / 8)] = pick();
		ioctl(vcpu, KVM_SET_REGS, &r);
	}
}

struct set {
	int vm, vcpu[3];
	struct kvm_run *run[3];
};

static void set_make(struct set *s, int dev)
{
	struct kvm_userspace_memory_region r = {
		.memory_size = 64 << 12, .userspace_addr = (uintptr_t)guest_mem,
	};
	int i;

	kick_me_in(0);			/* making a VM is interruptible */
	s->vm = ioctl(dev, KVM_CREATE_VM, 0);
	if (s->vm < 0)
		_exit(2);
	ioctl(s->vm, KVM_SET_USER_MEMORY_REGION, &r);
	for (i = 0; i < 3; i++) {
		s->vcpu[i] = ioctl(s->vm, KVM_CREATE_VCPU, i);
		s->run[i] = mmap(NULL, 0x1000, PROT_READ | PROT_WRITE, MAP_SHARED, s->vcpu[i], 0);
		if (s->vcpu[i] < 0 || s->run[i] == MAP_FAILED)
			_exit(3);
	}
	kick_me_in(10);			/* and every 20 ms from then on */
}

static void set_drop(struct set *s)
{
	int i;

	for (i = 0; i < 3; i++) {
		munmap(s->run[i], 0x1000);
		close(s->vcpu[i]);
	}
	close(s->vm);
}

/* The second thread: its run pages may go away under it, it leaves them alone. */
static __thread bool rival;

/* Descriptors that a call may have made are the numbers above those known. */
static void one_call(struct set *s, int dev)
{
	unsigned long nr = calls[rnd() % KTAP_COUNT(calls)];
	int v = rnd() % 3, fd;
	long r;

	if (rnd() % 20 == 0)
		nr ^= BIT(rnd() % 32);
	else if (rnd() % 40 == 0)
		nr = _IOC(rnd() & 3, KVMIO, rnd() & 0xff, rnd() & 0x3fff);
	fill();
	switch (rnd() % 16) {
	case 0:
		fd = dev;
		break;
	case 1: case 2: case 3: case 4: case 5:
		fd = s->vm;
		break;
	default:
		fd = s->vcpu[v];
	}
	if (rnd() % 8 == 0)
		mutate(s->vcpu[v]);
	if (!rival) {
		if (rnd() % 16 == 0)
			((volatile uint8_t *)s->run[v])[rnd() % 0x1000] = rnd();
		s->run[v]->immediate_exit = rnd() % 8 == 0;
	}
	r = ioctl(fd, nr, argument(nr));
	if (r > 2 && (nr == KVM_CREATE_VM || nr == KVM_CREATE_VCPU || nr == KVM_GET_STATS_FD))
		close(r);
}

/*
 * Descriptors are closed under the other thread's feet, but made in peace: its
 * vCPUs would take the ids.
 */
static pthread_mutex_t making = PTHREAD_MUTEX_INITIALIZER;

struct race {
	struct set *s;
	int dev;
	uint64_t seed;
};

static void *race_thread(void *arg)
{
	struct race *r = arg;

	rival = true;
	rnd_from(r->seed);
	kick_me_in(15);
	for (;;) {
		pthread_mutex_lock(&making);
		one_call(r->s, r->dev);
		pthread_mutex_unlock(&making);
	}
	return NULL;
}

static void child(unsigned long count, bool two)
{
	static struct set s;
	unsigned long i;
	int dev = dev_open(), fd;
	struct race race = { &s, dev, rnd() };
	pthread_t t;

	box = anon(BOX + 0x1000);
	mprotect(box + BOX, 0x1000, PROT_NONE);
	/*
	 * Slots may be as long as chance has it: what follows the guest's memory
	 * belongs to nobody, so that no guest writes over the client itself.
	 */
	guest_mem = mmap(NULL, 1ul << 44, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
			 -1, 0);
	if (guest_mem == MAP_FAILED || mprotect(guest_mem, 64 << 12, PROT_READ | PROT_WRITE))
		_exit(7);
	for (i = 0; i < 64 << 12; i++)
		guest_mem[i] = rnd();
	pthread_mutex_lock(&making);
	set_make(&s, dev);
	pthread_mutex_unlock(&making);
	if (two && pthread_create(&t, NULL, race_thread, &race))
		_exit(4);
	for (i = 0; i < count; i++) {
		one_call(&s, dev);
		if (i % 150 == 149) {
			set_drop(&s);
			/* What unknown calls may have opened. */
			for (fd = dev + 1; !two && fd < dev + 64; fd++)
				close(fd);
			pthread_mutex_lock(&making);
			set_make(&s, dev);
			pthread_mutex_unlock(&making);
		}
	}
	/* With two, the other is in the middle of something: so much the better. */
	if (!two)
		set_drop(&s);
	_exit(0);
}

static void fuzz(bool two)
{
	const char *n = getenv("RINGVM_FUZZ");
	unsigned long count = n ? strtoul(n, NULL, 0) : host_is_tcg() ? 3000 : 40000;
	int st, round;
	struct vcpu *v;

	rnd_seed_fixed(two ? 0x5c0000125d : 0x5c00000bd6);
	for (round = 0; round < 4; round++) {
		pid_t pid;

		rnd();
		fflush(stdout);
		pid = fork();
		ASSERT(pid >= 0);
		if (!pid) {
			alarm(80);
			child(count / (two ? 8 : 4), two);
		}
		ASSERT_EQ(waitpid(pid, &st, 0), pid);
		if (st)
			KTAP_FAIL_("round %d: the child ended with status %#x", round, st);
		v = guest_start_all(round % NR_MODES, fine);
		run_to_hlt(v);
		EXPECT_EQ(v->regs.rax & 0xff, 0x42);
		vm_free_all();
	}
}

static void one_thread(void)	{ fuzz(false); }
static void two_threads(void)	{ fuzz(true); }

int main(void)
{
	static const struct ktap_case cases[] = {
		{ "one_thread", one_thread }, { "two_threads", two_threads },
	};

	vmtest_init();
	return ktap_run(cases, KTAP_COUNT(cases));
}
