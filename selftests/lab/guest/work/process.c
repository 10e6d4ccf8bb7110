// SPDX-License-Identifier: GPL-2.0
/* Processes, pipes, threads, and both ways into the kernel. */
#include "work.h"

/* @n children, a result in each one's exit status */
void do_forks(u32 seed, u32 n)
{
	u32 sum = 0, i;

	for (i = 1; i <= n; i++) {
		u32 x = seed + i;
		int pid = must("fork", SYS(fork));

		if (!pid)
			SYS(exit_group, next(&x) >> 8 & 0xff);
		sum += reap(pid) * i;
	}
	print_u32(sum);
	print("\n");
}

/* One program after the other, the sequence handed on in the arguments. */
void do_execs(u32 seed, u32 n)
{
	char text[2][11], *argv[5] = { (char *)program, "execs" };
	u32 value[2], i;

	if (!n) {
		print_u32(seed);
		print("\n");
		return;
	}
	value[0] = next(&seed);
	value[1] = n - 1;
	for (i = 0; i < 2; i++) {
		char *p = text[i] + sizeof(text[i]);

		*--p = 0;
		do {
			*--p = '0' + value[i] % 10;
			value[i] /= 10;
		} while (value[i]);
		argv[2 + i] = p;
	}
	fail("execve", SYS(execve, program, argv, environment));
}

/* A value goes to another process and back, which changes it. */
void do_pingpong(u32 seed, u32 n)
{
	int to[2], from[2], pid;
	u32 value = seed, h = FNV_START;

	must("pipe", SYS(pipe, to));
	must("pipe", SYS(pipe, from));
	pid = must("fork", SYS(fork));
	if (!pid) {
		while (n--) {
			read_all(to[0], &value, sizeof(value));
			next(&value);
			write_all(from[1], &value, sizeof(value));
		}
		SYS(exit_group, 0);
	}
	while (n--) {
		write_all(to[1], &value, sizeof(value));
		read_all(from[0], &value, sizeof(value));
		h = fnv(h, value++);
	}
	if (reap(pid))
		fail("child", 1);
	print_u32(h);
	print("\n");
}

/* ---- threads ------------------------------------------------------------------------ */

#define THREADS		4u
#define STACK		(16 * PAGE)

/* CLONE_VM, FS, FILES, SIGHAND, THREAD, SYSVSEM, SETTLS, PARENT_SETTID, CHILD_CLEARTID */
#define THREAD_FLAGS	(0x100 | 0x200 | 0x400 | 0x800 | 0x10000 | 0x40000 | 0x80000 | 0x100000 | \
			 0x200000)

struct user_desc {
	u32 entry, base, limit, flags;
};

#define DESC_32BIT	0x01
#define DESC_PAGES	0x10
#define DESC_USEABLE	0x40

/* Reached through GS alone. */
struct local {
	u32 self;		/* its own number */
	u32 state;
	u32 count;
};

static struct {
	volatile u32 lock;	/* 0 free, 1 taken, 2 taken and waited for */
	u32 shared, order;
	volatile u32 turn;
	u32 n, tls_sel;
	struct local local[THREADS];
	volatile int tid[THREADS];
} t;

static u32 gs_read(u32 offset)
{
	u32 value;

	asm volatile("movl %%gs:(%1), %0" : "=r" (value) : "r" (offset));
	return value;
}

static void gs_write(u32 offset, u32 value)
{
	asm volatile("movl %0, %%gs:(%1)" : : "r" (value), "r" (offset) : "memory");
}

static void futex_wait(volatile u32 *at, u32 value)
{
	SYS(futex, at, 0, value, 0);
}

static void futex_wake(volatile u32 *at, u32 n)
{
	SYS(futex, at, 1, n);
}

static void lock(void)
{
	u32 seen = __sync_val_compare_and_swap(&t.lock, 0, 1);

	while (seen) {
		if (seen == 2 || __sync_val_compare_and_swap(&t.lock, 1, 2))
			futex_wait(&t.lock, 2);
		seen = __sync_val_compare_and_swap(&t.lock, 0, 2);
	}
}

static void unlock(void)
{
	if (__sync_fetch_and_sub(&t.lock, 1) != 1) {
		t.lock = 0;
		futex_wake(&t.lock, 1);
	}
}

static void use_tls(void)
{
	asm volatile("movl %0, %%gs" : : "r" (t.tls_sel));
}

/* Everyone adds to the same word under a lock, and counts in storage of its own. */
static void adder(void *arg)
{
	u32 i, x;

	use_tls();
	for (i = 0; i < t.n; i++) {
		x = gs_read(4);
		gs_write(4, next(&x));
		lock();
		t.shared += x;
		if (i % 4 == 0)
			SYS(sched_yield);
		unlock();
		gs_write(8, gs_read(8) + 1);
	}
	/* Somebody else's storage would show here. */
	if (gs_read(0) != (u32)arg)
		fail("thread's own storage", gs_read(0));
}

/* In turn, one after the other: whose turn it is goes round by futex. */
static void passer(void *arg)
{
	u32 me = (u32)arg, i, turn;

	use_tls();
	for (i = 0; i < t.n; i++) {
		while ((turn = t.turn) % THREADS != me)
			futex_wait(&t.turn, turn);
		t.order = fnv(t.order, gs_read(4) + i);
		t.turn = turn + 1;
		futex_wake(&t.turn, ~0u >> 1);
	}
}

static void run_threads(void (*fn)(void *arg), u32 seed, u32 n)
{
	struct user_desc desc[THREADS];
	u32 i, entry = ~0u;

	t.n = n;
	for (i = 0; i < THREADS; i++) {
		t.local[i].self = i;
		t.local[i].state = seed + i;
		desc[i] = (struct user_desc) {
			.entry = entry, .base = (u32)&t.local[i], .limit = 0xfffff,
			.flags = DESC_32BIT | DESC_PAGES | DESC_USEABLE,
		};
		if (!i) {
			/* The kernel chooses the entry, each thread then has its own there. */
			must("set_thread_area", SYS(set_thread_area, &desc[0]));
			entry = desc[0].entry;
			t.tls_sel = entry * 8 + 3;
		}
		t.tid[i] = 1;
		must("clone", thread_start(fn, (void *)i, map(STACK) + STACK, THREAD_FLAGS,
					   &desc[i], &t.tid[i]));
	}
	for (i = 0; i < THREADS; i++) {
		int tid;

		while ((tid = t.tid[i]))
			futex_wait((volatile u32 *)&t.tid[i], tid);
	}
}

void do_threads(u32 seed, u32 n)
{
	u32 counts = 0, i;

	run_threads(adder, seed, n);
	for (i = 0; i < THREADS; i++)
		counts += t.local[i].count;
	print_u32(t.shared);
	print(" ");
	print_u32(counts);
	print("\n");
}

void do_token(u32 seed, u32 n)
{
	t.order = FNV_START;
	run_threads(passer, seed, n);
	print_u32(t.order);
	print("\n");
}

/* INT 80h and the vDSO's entry lead to the same kernel. */
void do_entries(u32 seed, u32 n)
{
	u32 pid = SYS(getpid), same = 0, i;

	(void)seed;
	for (i = 0; i < n; i++) {
		kernel_entry = i & 1 && vdso_entry ? vdso_entry : int80;
		same += SYS(getpid) == (int)pid;
	}
	kernel_entry = int80;
	print_u32(same);
	print(vdso_entry ? " of both\n" : " of one\n");
}
