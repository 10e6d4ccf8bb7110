// SPDX-License-Identifier: GPL-2.0
/* Integer work in user mode alone. */
#include "work.h"

/* @n bytes of the sequence */
void do_data(u32 seed, u32 n)
{
	u32 block[256], i, len;

	while (n) {
		for (i = 0; i < ARRAY_SIZE(block); i++)
			block[i] = next(&seed);
		len = n < sizeof(block) ? n : sizeof(block);
		write_all(1, block, len);
		n -= len;
	}
}

static void sift(u32 *a, u32 at, u32 n)
{
	u32 value = a[at], child;

	while ((child = 2 * at + 1) < n) {
		if (child + 1 < n && a[child + 1] > a[child])
			child++;
		if (a[child] <= value)
			break;
		a[at] = a[child];
		at = child;
	}
	a[at] = value;
}

/* Heap sort, and a hash of what comes out. */
void do_sort(u32 seed, u32 n)
{
	u32 *a = map(n * sizeof(*a)), h = FNV_START, i, top;

	for (i = 0; i < n; i++)
		a[i] = next(&seed);
	for (i = n / 2; i-- > 0; )
		sift(a, i, n);
	for (i = n; i-- > 1; ) {
		top = a[0];
		a[0] = a[i];
		a[i] = top;
		sift(a, 0, i);
	}
	for (i = 0; i < n; i++)
		h = fnv(h, a[i]);
	print_u32(h);
	print("\n");
}

/* Number and sum of the primes below @n. */
void do_sieve(u32 seed, u32 n)
{
	u8 *composite = map(n);
	u32 count = 0, sum = 0, i, j;

	(void)seed;
	for (i = 2; i < n; i++) {
		if (composite[i])
			continue;
		count++;
		sum += i;
		for (j = 2 * i; j < n; j += i)
			composite[j] = 1;
	}
	print_u32(count);
	print(" ");
	print_u32(sum);
	print("\n");
}

/* 64-bit products, divided again; double shifts, bit scans. */
void do_muldiv(u32 seed, u32 n)
{
	u32 h = FNV_START, a, b, lo, hi, quotient, rest, shifted, first, last;

	while (n--) {
		a = next(&seed);
		b = next(&seed);
		asm("mull %3" : "=a" (lo), "=d" (hi) : "a" (a), "r" (b) : "cc");
		asm("shldl %%cl, %2, %0" : "=r" (shifted) : "0" (hi), "r" (lo), "c" (a & 31) : "cc");
		asm("bsfl %1, %0" : "=r" (first) : "r" (b) : "cc");
		asm("bsrl %1, %0" : "=r" (last) : "r" (b) : "cc");
		/* a divisor above the dividend's upper half: the quotient fits */
		a = hi | 1;
		asm("divl %4" : "=a" (quotient), "=d" (rest)
		    : "a" (lo), "d" (hi / 2), "r" (a) : "cc");
		h = fnv(fnv(fnv(h, quotient), rest), shifted ^ first << 8 ^ last);
	}
	print_u32(h);
	print("\n");
}
