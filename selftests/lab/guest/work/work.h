/* SPDX-License-Identifier: GPL-2.0 */
/*
 * work: what a 32-bit guest's workload does beyond a shell.  A program without a C
 * library, for there is none for i386 where it is built.  Each subcommand prints one
 * result, which ringlab/work.py computes for itself.
 */
#ifndef WORK_H
#define WORK_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define PAGE		4096u

/* ---- system calls: numbers of <asm/unistd_32.h>, errors negative ---------------- */

enum {
	NR_exit = 1, NR_fork = 2, NR_read = 3, NR_write = 4, NR_open = 5, NR_close = 6,
	NR_unlink = 10, NR_execve = 11, NR_getpid = 20, NR_kill = 37, NR_pipe = 42, NR_brk = 45,
	NR_munmap = 91, NR_ftruncate = 93, NR_setitimer = 104, NR_wait4 = 114, NR_clone = 120,
	NR_modify_ldt = 123, NR_mprotect = 125, NR_sched_yield = 158, NR_mremap = 163,
	NR_rt_sigaction = 174, NR_rt_sigprocmask = 175, NR_rt_sigsuspend = 179, NR_pread64 = 180,
	NR_pwrite64 = 181, NR_sigaltstack = 186, NR_mmap2 = 192, NR_futex = 240,
	NR_set_thread_area = 243, NR_exit_group = 252,
};

/* How the kernel is entered: INT 80h, unless a test says otherwise. */
extern void *kernel_entry, *int80;
extern void *vdso_entry;	/* the kernel's own advice (AT_SYSINFO); SYSENTER where there is one */

int sys(int nr, ...);		/* up to six arguments, all of a register's size */
#define SYS(nr, ...)		sys(NR_##nr, ##__VA_ARGS__)

/* Runs fn(arg) in a thread that clone() makes; it ends with @fn.  Returns its id. */
int thread_start(void (*fn)(void *arg), void *arg, void *stack_top, u32 flags, void *tls,
		 volatile int *tid);

/* ---- lib ------------------------------------------------------------------------- */

extern const char *program;	/* our own path */
extern char **environment;

void fail(const char *what, int code) __attribute__((noreturn));	/* says so, ends */
/* @value, unless it is an error: then it fails, naming @what. */
int must(const char *what, int value);
void print(const char *text);
void print_u32(u32 value);
void print_hex(u64 value);
void write_all(int fd, const void *data, u32 len);
void read_all(int fd, void *data, u32 len);
u32 reap(int pid);		/* wait for a child; its exit status, which it must have */
void *map(u32 len);		/* anonymous memory */
u32 number(const char *text);
void *memcpy(void *to, const void *from, u32 len);
void *memset(void *to, int byte, u32 len);

/* The sequence that all data is made of (Marsaglia's xorshift32). */
static inline u32 next(u32 *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 17;
	*x ^= *x << 5;
	return *x;
}

#define FNV_START	2166136261u

static inline u32 fnv_byte(u32 h, u8 byte)
{
	return (h ^ byte) * 16777619u;
}

static inline u32 fnv(u32 h, u32 value)
{
	int i;

	for (i = 0; i < 4; i++, value >>= 8)
		h = fnv_byte(h, (u8)value);
	return h;
}

/* ---- subcommands: seed and count ---------------------------------------------------- */

void do_data(u32 seed, u32 n);
void do_sort(u32 seed, u32 n);
void do_sieve(u32 seed, u32 n);
void do_muldiv(u32 seed, u32 n);
void do_forks(u32 seed, u32 n);
void do_execs(u32 seed, u32 n);
void do_pingpong(u32 seed, u32 n);
void do_threads(u32 seed, u32 n);
void do_token(u32 seed, u32 n);
void do_entries(u32 seed, u32 n);
void do_signals(u32 seed, u32 n);
void do_faults(u32 seed, u32 n);
void do_steps(u32 seed, u32 n);
void do_alarms(u32 seed, u32 n);
void do_memory(u32 seed, u32 n);
void do_file(u32 seed, u32 n);
void do_ldt(u32 seed, u32 n);
void do_double(u32 seed, u32 n);
void do_single(u32 seed, u32 n);
void do_x87(u32 seed, u32 n);
void do_round(u32 seed, u32 n);
void do_vector(u32 seed, u32 n);
void do_fpswitch(u32 seed, u32 n);

#endif /* WORK_H */
