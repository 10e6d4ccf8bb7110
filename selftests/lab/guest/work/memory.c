// SPDX-License-Identifier: GPL-2.0
/* Signals, faults, mappings, files, and a local descriptor table. */
#include "work.h"

enum { SIGILL = 4, SIGTRAP = 5, SIGFPE = 8, SIGUSR1 = 10, SIGSEGV = 11, SIGALRM = 14 };

#define SA_SIGINFO	0x00000004u
#define SA_ONSTACK	0x08000000u
#define SA_NODEFER	0x40000000u

struct action {
	void *handler;
	u32 flags;
	void *restorer;
	u32 mask[2];
};

struct info {
	int signo, err, code;
	u32 addr;
};

/* Its beginning, as <asm/ucontext.h> and <asm/sigcontext.h> have it */
struct context {
	u32 flags, link, stack[3];
	u32 gs, fs, es, ds, edi, esi, ebp, esp, ebx, edx, ecx, eax, trapno, err, eip, cs, eflags;
};

static void handle(int signo, void (*fn)(int, struct info *, struct context *), u32 flags)
{
	struct action act = { .handler = fn, .flags = SA_SIGINFO | flags };

	must("sigaction", SYS(rt_sigaction, signo, &act, 0, 8));
}

static volatile u32 hash, count, resume_at, depth;

/* ---- signals -------------------------------------------------------------------------- */

#define SIGNAL_STACK	(8 * PAGE)

static u32 signal_stack;
static int own_pid;

static void on_usr1(int signo, struct info *info, struct context *context)
{
	int mark;

	(void)info;
	(void)context;
	hash = fnv(hash, signo + count);
	if ((u32)&mark - signal_stack >= SIGNAL_STACK)
		fail("handler's stack", 1);
	count++;
	/* The second comes while the first is being handled. */
	if (!depth && count % 3 == 0) {
		depth = 1;
		SYS(kill, own_pid, SIGUSR1);
		depth = 0;
	}
}

void do_signals(u32 seed, u32 n)
{
	struct {
		void *base;
		u32 flags, size;
	} stack = { map(SIGNAL_STACK), 0, SIGNAL_STACK };
	u32 i;

	signal_stack = (u32)stack.base;
	own_pid = SYS(getpid);
	must("sigaltstack", SYS(sigaltstack, &stack, 0));
	handle(SIGUSR1, on_usr1, SA_ONSTACK | SA_NODEFER);
	hash = seed;
	for (i = 0; i < n; i++)
		SYS(kill, own_pid, SIGUSR1);
	print_u32(hash);
	print(" ");
	print_u32(count);
	print("\n");
}

/* ---- exceptions of user code, as signals --------------------------------------------------- */

static u32 region;

static void on_fault(int signo, struct info *info, struct context *c)
{
	hash = fnv(hash, signo << 8 ^ info->code);
	count++;
	if (signo == SIGSEGV && info->addr - region < 64 * PAGE) {
		/* The instruction is repeated once the page is there. */
		hash = fnv(hash, info->addr - region);
		must("mprotect", SYS(mprotect, info->addr & -PAGE, PAGE, 3));
		return;
	}
	if (signo != SIGTRAP)
		hash = fnv(hash, c->trapno);
	c->eip = resume_at;
}

#define RAISE(insn, ...) \
	asm volatile("movl $1f, %0\n" insn "\n1:" : "=m" (resume_at) : __VA_ARGS__ : "memory", "cc")

void do_faults(u32 seed, u32 n)
{
	static const int signals[] = { SIGILL, SIGTRAP, SIGFPE, SIGSEGV };
	static const u16 unmasked = 0x037b;	/* x87: division by zero is not masked */
	volatile u32 *p;
	u32 i, sum = 0;

	hash = seed;
	/* PROT_NONE */
	region = must("mmap", SYS(mmap2, 0, 64 * PAGE, 0, 0x22, -1, 0));
	for (i = 0; i < ARRAY_SIZE(signals); i++)
		handle(signals[i], on_fault, 0);
	for (i = 0; i < n; i++) {
		p = (u32 *)(region + (next(&seed) % (64 * PAGE) & ~3u));
		*p += i;
		sum += *p;
		RAISE("ud2");
		RAISE("int3");
		RAISE("divl %%ecx", "a" (1), "d" (0), "c" (0));
		RAISE("hlt");
		RAISE("cli");
		RAISE("int $0x30");
		RAISE("movl %%ecx, %%ds", "c" (0xfff8));
		RAISE("fninit; fldcw %1; fld1; fldz; fdivrp; fwait", "m" (unmasked));
		asm volatile("fninit");
		SYS(mprotect, region, 64 * PAGE, i % 4 ? 1 : 0);	/* read-only, or nothing */
	}
	print_u32(hash);
	print(" ");
	print_u32(count);
	print(" ");
	print_u32(sum);
	print("\n");
}

static void on_step(int signo, struct info *info, struct context *c)
{
	(void)signo;
	(void)info;
	(void)c;
	count++;
}

/* A program that steps itself by TF: a trap after each instruction, system calls too. */
void do_steps(u32 seed, u32 n)
{
	u32 x = seed, h = 0;

	handle(SIGTRAP, on_step, 0);
	while (n--) {
		asm volatile("pushf\n\torl $0x100, (%%esp)\n\tpopf\n\t"
			     "movl %1, %%eax\n\tshll $13, %%eax\n\txorl %%eax, %0\n\t"
			     "movl $20, %%eax\n\tint $0x80\n\tnop\n\t"
			     "pushf\n\tandl $~0x100, (%%esp)\n\tpopf"
			     : "+r" (h) : "r" (x) : "eax", "memory", "cc");
		next(&x);
	}
	print_u32(h);
	print(" ");
	print_u32(count);
	print("\n");
}

static void on_alarm(int signo, struct info *info, struct context *c)
{
	(void)signo;
	(void)info;
	(void)c;
	count++;
}

/* Signals of the kernel's clock, waited for and in the middle of computing. */
void do_alarms(u32 seed, u32 n)
{
	u32 every[4] = { 0, 10000, 0, 10000 }, none[4] = {}, open[2] = {};
	u32 block[2] = { 1u << (SIGALRM - 1) }, x = seed;

	handle(SIGALRM, on_alarm, 0);
	must("setitimer", SYS(setitimer, 0, every, 0));
	while (count < n)
		next(&x);
	must("sigprocmask", SYS(rt_sigprocmask, 0, block, 0, 8));
	while (count < 2 * n)
		SYS(rt_sigsuspend, open, 8);
	must("setitimer", SYS(setitimer, 0, none, 0));
	print(x ? "done\n" : "lost\n");
}

/* ---- memory ------------------------------------------------------------------------------ */

static u32 sum_pages(const u32 *p, u32 n)
{
	u32 h = FNV_START, i;

	for (i = 0; i < n; i++)
		h = fnv(h, p[i * (PAGE / 4) + i % (PAGE / 4)]);
	return h;
}

/* @n pages, copied on write between processes, moved, cut. */
void do_memory(u32 seed, u32 n)
{
	u32 *p = map(n * PAGE), i, child;
	int fd[2], pid;

	for (i = 0; i < n; i++)
		p[i * (PAGE / 4) + i % (PAGE / 4)] = next(&seed);
	must("pipe", SYS(pipe, fd));
	pid = must("fork", SYS(fork));
	if (!pid) {
		for (i = 0; i < n; i += 2)
			p[i * (PAGE / 4) + i % (PAGE / 4)] ^= i;
		child = sum_pages(p, n);
		write_all(fd[1], &child, 4);
		SYS(exit_group, 0);
	}
	read_all(fd[0], &child, 4);
	if (reap(pid))
		fail("child", 1);
	print_u32(child);
	print(" ");
	print_u32(sum_pages(p, n));
	p = (u32 *)must("mremap", SYS(mremap, p, n * PAGE, 2 * n * PAGE, 1, 0));	/* MAYMOVE */
	for (i = n; i < 2 * n; i++)
		p[i * (PAGE / 4) + i % (PAGE / 4)] += i;
	must("munmap", SYS(munmap, p, PAGE));
	must("mprotect", SYS(mprotect, p + PAGE / 4, PAGE, 1));
	print(" ");
	print_u32(sum_pages(p + PAGE / 4 + 1, 2 * n - 1));
	print("\n");
}

#define FILE_SIZE	(64u << 10)

/* Writes here and there in a file, some of them through a mapping. */
void do_file(u32 seed, u32 n)
{
	static const char name[] = "work.file";
	int fd = must("open", SYS(open, name, 0x242, 0600));	/* O_RDWR | O_CREAT | O_TRUNC */
	u8 block[256], *p, *back;
	u32 at, len, i, h = FNV_START;

	must("ftruncate", SYS(ftruncate, fd, FILE_SIZE));
	/* PROT_READ | PROT_WRITE, MAP_SHARED */
	p = (u8 *)must("mmap", SYS(mmap2, 0, FILE_SIZE, 3, 1, fd, 0));
	while (n--) {
		at = next(&seed) % (FILE_SIZE - sizeof(block));
		len = next(&seed) % sizeof(block);
		for (i = 0; i < len; i++)
			block[i] = (u8)(seed + i);
		if (n & 1)
			must("pwrite", SYS(pwrite64, fd, block, len, at, 0));
		else
			memcpy(p + at, block, len);
		if (SYS(pread64, fd, block, len, at, 0) != (int)len ||
		    (len && (block[0] != (u8)seed || block[len - 1] != (u8)(seed + len - 1))))
			fail("read back", len);
	}
	must("munmap", SYS(munmap, p, FILE_SIZE));
	back = map(FILE_SIZE);
	read_all(fd, back, FILE_SIZE);
	for (i = 0; i < FILE_SIZE; i++)
		h = fnv_byte(h, back[i]);
	must("unlink", SYS(unlink, name));
	print_u32(h);
	print("\n");
}

/* ---- a local descriptor table --------------------------------------------------------------- */

struct user_desc {
	u32 entry, base, limit, flags;
};

/* Segments with bases of their own; entries that change while others are loaded. */
void do_ldt(u32 seed, u32 n)
{
	static u32 array[64];
	u32 h = FNV_START, i, value, other;

	for (i = 0; i < ARRAY_SIZE(array); i++)
		array[i] = next(&seed);
	for (i = 0; i < n; i++) {
		/* 32-bit, writable data, limit in bytes, useable */
		struct user_desc desc = { i % 16, (u32)&array[i % 64], 3, 0x41 };

		must("modify_ldt", SYS(modify_ldt, 1, &desc, sizeof(desc)));
		desc.entry = 16;
		desc.base = (u32)&array[(i + 7) % 64];
		must("modify_ldt", SYS(modify_ldt, 1, &desc, sizeof(desc)));
		asm volatile("movl %2, %%fs\n\tmovl %3, %%es\n\t"
			     "movl %%fs:0, %0\n\tmovl %%es:0, %1\n\t"
			     "pushl %%ds\n\tpopl %%es"
			     : "=&r" (value), "=&r" (other)
			     : "r" ((i % 16) * 8 + 7), "r" (16 * 8 + 7) : "memory");
		h = fnv(fnv(h, value), other);
		asm volatile("movl %0, %%fs" : : "r" (0));
	}
	print_u32(h);
	print("\n");
}
