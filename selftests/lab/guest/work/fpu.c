// SPDX-License-Identifier: GPL-2.0
/*
 * Floating point and vectors: SSE by the compiler, x87 and MMX by hand.  Every single
 * operation is one that IEEE 754 defines to the last bit.
 */
#include "work.h"

union f64 {
	double d;
	u64 u;
};

/* sqrt() as one instruction; there is no library. */
static double root(double x)
{
	asm("sqrtsd %0, %0" : "+x" (x));
	return x;
}

static float rootf(float x)
{
	asm("sqrtss %0, %0" : "+x" (x));
	return x;
}

static double step_double(double s, u32 x)
{
	double a = (double)(int)(x >> 1);

	return s * 0.75 + root(a) / (1.0 + a * 1e-6);
}

void do_double(u32 seed, u32 n)
{
	union f64 s = { 0.0 };

	while (n--)
		s.d = step_double(s.d, next(&seed));
	print_hex(s.u);
	print("\n");
}

void do_single(u32 seed, u32 n)
{
	union {
		float f;
		u32 u;
	} s = { 0.0f };

	while (n--) {
		float a = (float)(int)(next(&seed) >> 8);

		s.f = s.f * 0.75f + rootf(a) / (1.0f + a * 0.001f);
	}
	print_u32(s.u);
	print("\n");
}

static void control(u16 word)
{
	asm volatile("fldcw %0" : : "m" (word));
}

/* The same as step_double() on the x87 stack, at 53 bits of precision. */
static double step_x87(double s, u32 x)
{
	static const double keep = 0.75, part = 1e-6;
	int a = (int)(x >> 1);

	asm volatile("fldl %0\n\tfmull %2\n\t"
		     "fildl %1\n\tfld %%st(0)\n\tfsqrt\n\tfxch\n\t"
		     "fmull %3\n\tfld1\n\tfaddp\n\t"
		     "fdivrp\n\tfaddp\n\tfstpl %0"
		     : "+m" (s) : "m" (a), "m" (keep), "m" (part));
	return s;
}

void do_x87(u32 seed, u32 n)
{
	union f64 s = { 0.0 };

	control(0x027f);
	while (n--)
		s.d = step_x87(s.d, next(&seed));
	print_hex(s.u);
	print("\n");
}

/* A quotient as an integer, rounded as the control word says; products of 63 bits, exactly. */
static u64 step_round(u32 *x)
{
	int a = (int)next(x), b = (int)(next(x) >> 17 | 1);
	u64 product;
	int quotient;

	asm volatile("fildl %2\n\tfildl %3\n\tfdivrp\n\tfistpl %0\n\t"
		     "fildl %2\n\tfildl %4\n\tfmulp\n\tfistpll %1"
		     : "=m" (quotient), "=m" (product) : "m" (a), "m" (b), "m" (*x));
	return product ^ (u32)quotient;
}

static u64 rounds(u32 mode, u32 seed, u32 n, int yield)
{
	u64 h = 0;

	control(0x037f | mode << 10);
	while (n--) {
		h = (h << 7 | h >> 57) ^ step_round(&seed);
		if (yield && n % 8 == 0)
			SYS(sched_yield);
	}
	return h;
}

void do_round(u32 seed, u32 n)
{
	u32 mode;

	for (mode = 0; mode < 4; mode++) {
		print_hex(rounds(mode, seed + mode, n, 0));
		print(mode < 3 ? " " : "\n");
	}
}

/* Four words at a time, and MMX, whose registers are the x87's. */
void do_vector(u32 seed, u32 n)
{
	typedef u32 v4 __attribute__((vector_size(16)));
	v4 v = {}, w;
	u64 mmx = 0, m;
	u32 i;

	while (n--) {
		for (i = 0; i < 4; i++)
			w[i] = next(&seed);
		v = (v ^ w) * (w | 1) + (v >> 7);
		m = w[0] | (u64)w[1] << 32;
		asm volatile("movq %0, %%mm0\n\tmovq %1, %%mm1\n\tpmaddwd %%mm1, %%mm0\n\t"
			     "paddw %%mm1, %%mm0\n\tmovq %%mm0, %0\n\temms" : "+m" (mmx) : "m" (m));
	}
	for (i = 0; i < 4; i++) {
		print_u32(v[i]);
		print(" ");
	}
	print_hex(mmx);
	print("\n");
}

/* Several processes in turn, each with a control word, MXCSR and registers of its own. */
void do_fpswitch(u32 seed, u32 n)
{
	int fd[4][2], pid[4];
	u32 mode, i;

	for (mode = 0; mode < 4; mode++) {
		must("pipe", SYS(pipe, fd[mode]));
		pid[mode] = must("fork", SYS(fork));
		if (!pid[mode]) {
			union f64 s = { 0.0 };
			u32 x = seed + mode, mxcsr = 0x1f80;
			u64 result[2];

			asm volatile("ldmxcsr %0" : : "m" (mxcsr));
			for (i = 0; i < n; i++) {
				s.d = step_double(s.d, next(&x));
				if (i % 8 == 0)
					SYS(sched_yield);
			}
			result[0] = s.u;
			result[1] = rounds(mode, seed + mode, n, 1);
			write_all(fd[mode][1], result, sizeof(result));
			SYS(exit_group, 0);
		}
	}
	for (mode = 0; mode < 4; mode++) {
		u64 result[2];

		read_all(fd[mode][0], result, sizeof(result));
		if (reap(pid[mode]))
			fail("child", 1);
		print_hex(result[0]);
		print(" ");
		print_hex(result[1]);
		print(mode < 3 ? " " : "\n");
	}
}
