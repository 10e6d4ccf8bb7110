// SPDX-License-Identifier: GPL-2.0
/* work COMMAND SEED COUNT: see work.h. */
#include "work.h"

const char *program;
char **environment;
void *vdso_entry;

/* <linux/auxvec.h> */
#define AT_EXECFN	31
#define AT_SYSINFO	32

static u32 length(const char *text)
{
	u32 n = 0;

	while (text[n])
		n++;
	return n;
}

static int same(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

void write_all(int fd, const void *data, u32 len)
{
	const u8 *p = data;

	while (len) {
		int n = SYS(write, fd, p, len);

		if (n == -4)	/* EINTR */
			continue;
		if (n <= 0)
			SYS(exit_group, 3);
		p += n;
		len -= n;
	}
}

void read_all(int fd, void *data, u32 len)
{
	u8 *p = data;

	while (len) {
		int n = SYS(read, fd, p, len);

		if (n == -4)
			continue;
		if (n <= 0)
			fail("read", n);
		p += n;
		len -= n;
	}
}

void print(const char *text)
{
	write_all(1, text, length(text));
}

void print_u32(u32 value)
{
	char text[11], *p = text + sizeof(text);

	*--p = 0;
	do {
		*--p = '0' + value % 10;
		value /= 10;
	} while (value);
	print(p);
}

void print_hex(u64 value)
{
	char text[17];
	int i;

	for (i = 0; i < 16; i++)
		text[i] = "0123456789abcdef"[value >> (60 - 4 * i) & 15];
	text[16] = 0;
	print(text);
}

void fail(const char *what, int code)
{
	print("failed: ");
	print(what);
	print(": ");
	print_u32(code < 0 ? -code : code);
	print("\n");
	SYS(exit_group, 2);
	__builtin_trap();
}

int must(const char *what, int value)
{
	/* the last page's addresses are the errors; mmap() returns others from 2 GiB on */
	if ((u32)value >= (u32)-4095)
		fail(what, value);
	return value;
}

u32 reap(int pid)
{
	int status, got;

	do
		got = SYS(wait4, pid, &status, 0, 0);
	while (got == -4);
	must("wait", got);
	if (status & 0x7f)
		fail("child killed by signal", status & 0x7f);
	return status >> 8 & 0xff;
}

void *map(u32 len)
{
	/* PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS */
	return (void *)must("mmap", SYS(mmap2, 0, len, 3, 0x22, -1, 0));
}

u32 number(const char *text)
{
	u32 value = 0;

	for (; *text >= '0' && *text <= '9'; text++)
		value = value * 10 + (*text - '0');
	if (*text)
		fail("not a number", 22);
	return value;
}

/* gcc makes calls of these by itself. */
void *memset(void *to, int byte, u32 len)
{
	void *start = to;

	asm volatile("rep stosb" : "+D" (to), "+c" (len) : "a" (byte) : "memory");
	return start;
}

void *memcpy(void *to, const void *from, u32 len)
{
	void *start = to;

	asm volatile("rep movsb" : "+D" (to), "+S" (from), "+c" (len) : : "memory");
	return start;
}

static const struct {
	const char *name;
	void (*run)(u32 seed, u32 n);
} commands[] = {
	{ "data", do_data }, { "sort", do_sort }, { "sieve", do_sieve }, { "muldiv", do_muldiv },
	{ "forks", do_forks }, { "execs", do_execs }, { "pingpong", do_pingpong },
	{ "threads", do_threads }, { "token", do_token }, { "entries", do_entries },
	{ "signals", do_signals }, { "faults", do_faults }, { "steps", do_steps },
	{ "alarms", do_alarms }, { "memory", do_memory }, { "file", do_file }, { "ldt", do_ldt },
	{ "double", do_double }, { "single", do_single }, { "x87", do_x87 }, { "round", do_round },
	{ "vector", do_vector }, { "fpswitch", do_fpswitch },
};

/* @stack: as execve() leaves it */
void start(u32 *stack)
{
	char **argv = (char **)(stack + 1);
	u32 argc = stack[0], *aux, i;

	environment = argv + argc + 1;
	for (aux = (u32 *)environment; *aux; aux++)
		;
	for (aux++; aux[0]; aux += 2) {
		if (aux[0] == AT_SYSINFO)
			vdso_entry = (void *)aux[1];
		if (aux[0] == AT_EXECFN)
			program = (const char *)aux[1];
	}
	if (argc == 4) {
		for (i = 0; i < ARRAY_SIZE(commands); i++) {
			if (same(commands[i].name, argv[1])) {
				commands[i].run(number(argv[2]), number(argv[3]));
				SYS(exit_group, 0);
			}
		}
	}
	print("usage: work COMMAND SEED COUNT\n");
	SYS(exit_group, 1);
	__builtin_trap();
}
