// SPDX-License-Identifier: GPL-2.0
/* Printing, tables, and the state every case starts from: see trace.h. */
#include "trace.h"

struct regs in;
struct trap out;
bool soft_vector;
ul flag_mask;
u32 hide, features;
bool debug_used;

static char text[512];
static u32 text_n;
static ul code_end;
#define NR_WATCHED 16
static u64 gdt_before[NR_WATCHED], ldt_before[NR_WATCHED];

/* In dwords: the interpreter's time goes by iterations. */
void *memset(void *p, int c, __SIZE_TYPE__ n)
{
	void *d = p;
	ul dwords = n / 4;

	__asm__ volatile("rep stosl" : "+D"(d), "+c"(dwords) : "a"((u8)c * 0x01010101u) : "memory");
	n &= 3;
	__asm__ volatile("rep stosb" : "+D"(d), "+c"(n) : "a"(c) : "memory");
	return p;
}

void *memcpy(void *d, const void *s, __SIZE_TYPE__ n)
{
	void *to = d;
	ul dwords = n / 4;

	__asm__ volatile("rep movsl" : "+D"(to), "+S"(s), "+c"(dwords) :: "memory");
	n &= 3;
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(s), "+c"(n) :: "memory");
	return d;
}

/* ---- text ---- */

static void put_char(char c)
{
	if (text_n < sizeof(text) - 1)
		text[text_n++] = c;
}

static void put_hex(u64 v, int width)
{
	int i = 16;

	while (i > 1 && i > width && !(v >> (i - 1) * 4))
		i--;
	while (i--)
		put_char("0123456789abcdef"[v >> i * 4 & 15]);
}

static void vline(const char *f, __builtin_va_list ap)
{
	for (; *f; f++) {
		int width = 0, longs = 0;

		if (*f != '%') {
			put_char(*f);
			continue;
		}
		for (f++; *f >= '0' && *f <= '9'; f++)
			width = width * 10 + *f - '0';
		for (; *f == 'l'; f++)
			longs++;
		if (*f == 's') {
			const char *s = __builtin_va_arg(ap, const char *);

			while (*s)
				put_char(*s++);
		} else if (*f == 'x' || *f == 'd' || *f == 'u') {
			put_hex(longs == 2 ? __builtin_va_arg(ap, u64) :
				longs ? __builtin_va_arg(ap, ul) : __builtin_va_arg(ap, u32),
				width);
		} else if (*f == 'c') {
			put_char(__builtin_va_arg(ap, int));
		} else {
			put_char(*f);
		}
	}
}

void line(const char *fmt, ...)
{
	__builtin_va_list ap;

	__builtin_va_start(ap, fmt);
	vline(fmt, ap);
	__builtin_va_end(ap);
}

void end_line(void)
{
	const char *s = text;
	ul n;

	put_char('\n');
	n = text_n;
	__asm__ volatile("rep outsb" : "+S"(s), "+c"(n) : "d"(DEBUG_PORT) : "memory");
	text_n = 0;
}

/* ---- descriptors ---- */

u64 desc(u32 base, u32 limit, u32 access, u32 flags)
{
	return (limit & 0xffff) | (u64)(base & 0xffffff) << 16 | (u64)access << 40 |
	       (u64)(limit >> 16 & 15) << 48 | (u64)flags << 52 | (u64)(base >> 24) << 56;
}

u64 gate(u32 sel, u32 off, u32 type, u32 dpl, u32 count)
{
	return (off & 0xffff) | (u64)(sel & 0xffff) << 16 | (u64)count << 32 |
	       (u64)(0x80 | dpl << 5 | type) << 40 | (u64)(off >> 16) << 48;
}

void set_gdt(u32 sel, u64 d)
{
	mem64(M_GDT + (sel & ~7u)) = d;
}

void set_ldt(u32 sel, u64 d)
{
	mem64(M_LDT + (sel & ~7u)) = d;
}

u64 get_gdt(u32 sel)
{
	return mem64(M_GDT + (sel & ~7u));
}

ul put_bytes(ul at, const void *bytes, u32 n)
{
	memcpy((void *)at, bytes, n);
	mem16(at + n) = 0x0b0f;
	return at + n;
}

ul put(ul at, struct code c)
{
	return put_bytes(at, c.start, c.end - c.start);
}

void code_bytes(const void *bytes, u32 n)
{
	code_end = put_bytes(M_CODE, bytes, n) - M_CODE;
}

void code(struct code c)
{
	code_bytes(c.start, c.end - c.start);
}

static void known_state(void);

void begin(const char *fmt, ...)
{
	__builtin_va_list ap;

	__builtin_va_start(ap, fmt);
	text_n = 0;
	vline(fmt, ap);
	__builtin_va_end(ap);
	put_char(':');
	known_state();
	memset((void *)M_CODE, 0, 64);
	code_end = 0;
	soft_vector = false;
	flag_mask = ~FL_RF;
	hide = 0;
	memset(&in, 0, sizeof(in));
	in.fl = 2;
	ring(0);
}

/* ---- the known state, and the way into a case ---- */

static void remember(void)
{
	memcpy(gdt_before, (void *)(M_GDT + SEL_X), sizeof(gdt_before));
	memcpy(ldt_before, (void *)M_LDT, sizeof(ldt_before));
}

#ifdef __x86_64__
u64 in_fs_base, in_gs_base;
u32 bases_used;
#include "lib64.h"
#else
#include "lib32.h"
#endif

void run(void)
{
	remember();
	run_case();
}

bool need(u32 what)
{
	if ((features & what) == what)
		return true;
	line(" absent");
	end_line();
	return false;
}

/* ---- results ---- */

static const char *const vec_name[] = {
	"DE", "DB", "NMI", "BP", "OF", "BR", "UD", "NM", "DF", "09", "TS", "NP", "SS", "GP", "PF",
	"0f", "MF", "AC", "MC", "XM",
};

static const char *const reg_name[] = {
	"ax", "cx", "dx", "bx", "sp", "bp", "si", "di",
	"r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
};

static void show_place(void)
{
	if (out.cs == in.cs && !((out.fl ^ in.fl) & FL_VM))
		line("@+%lx", out.ip - in.ip);
	else
		line("@%s%lx:%lx", out.fl & FL_VM ? "v" : "", out.cs, out.ip);
}

void show_outcome(void)
{
	if (out.vec == 6 && code_end && out.ip == in.ip + code_end && out.cs == in.cs) {
		line(" ok");
		return;
	}
	if (out.vec < sizeof(vec_name) / sizeof(vec_name[0]))
		line(" #%s", vec_name[out.vec]);
	else
		line(" #%x", out.vec);
	if (out.has_err)
		line("(%x)", out.err);
	show_place();
	if (out.vec == 14)
		line(" cr2=%lx", out.cr2);
	if (out.hcs != HANDLER_CS)
		line(" hcs=%x", out.hcs);
	if (out.tr != SEL_TSS)
		line(" tr=%x", out.tr);
}

/* Accessed and busy bits, in the case's part of GDT and LDT */
static void show_descriptors(const char *table, ul at, const u64 *before, u32 first)
{
	u32 i, now, was;

	for (i = 0; i < NR_WATCHED; i++) {
		if (mem64(at + i * 8) == before[i])
			continue;
		now = mem64(at + i * 8) >> 40 & 0xff;
		was = before[i] >> 40 & 0xff;
		if ((now ^ was) == 1)
			line(" %s%x%ca", table, first + i * 8, now & 1 ? '+' : '-');
		else if ((now ^ was) == 2)
			line(" %s%x%cbusy", table, first + i * 8, now & 2 ? '+' : '-');
		else if (now != was)
			line(" %s%x=%x", table, first + i * 8, now);
	}
}

static void show_seg(const char *name, ul was, ul is)
{
	if (was != is)
		line(" %s=%lx", name, is);
}

void show_changes(void)
{
	int i;

	for (i = 0; i < NR_GPRS; i++)
		if (out.r[i] != in.r[i] && !(hide & 1u << i))
			line(" %s=%lx", reg_name[i], out.r[i]);
	show_seg("ss", in.ss, out.ss);
	show_seg("ds", in.ds, out.ds);
	show_seg("es", in.es, out.es);
	show_seg("fs", in.fs, out.fs);
	show_seg("gs", in.gs, out.gs);
	show_seg("fl", in.fl & flag_mask, out.fl & flag_mask);
	show_descriptors("gdt", M_GDT + SEL_X, gdt_before, SEL_X);
	show_descriptors("ldt", M_LDT, ldt_before, 0);
}

static ul stack_word(int i, int size)
{
	return size == 2 ? mem16(out.r[SP] + i * 2) : size == 4 ? mem32(out.r[SP] + i * 4) :
	       (ul)mem64(out.r[SP] + i * 8);
}

void show_stack(int n, int size)
{
	show_frame(n, size, -1);
}

void show_frame(int n, int size, int flags)
{
	int i;

	line(" [");
	for (i = 0; i < n; i++)
		line(i ? " %lx" : "%lx",
		     stack_word(i, size) & (i == flags ? flag_mask : ~0ul));
	line("]");
}

void show(void)
{
	show_outcome();
	show_changes();
	end_line();
}

/* ---- what the CPU has ---- */

static void look(u32 *r, u32 leaf, u32 sub)
{
	u32 max[4];

	cpuid(leaf & 0x80000000, 0, max);
	memset(r, 0, 16);
	if (leaf <= max[0])
		cpuid(leaf, sub, r);
}

static void find_features(void)
{
	static const struct { u32 leaf, reg, bit, feature; } table[] = {
		{ 1, 3, 1, NEED_VME }, { 1, 3, 2, NEED_DE }, { 1, 3, 3, NEED_PSE },
		{ 1, 3, 6, NEED_PAE }, { 1, 3, 11, NEED_SEP }, { 1, 3, 13, NEED_PGE },
		{ 1, 3, 17, NEED_PSE36 }, { 1, 3, 25, NEED_SSE }, { 1, 2, 17, NEED_PCID },
		{ 7, 1, 0, NEED_FSGSBASE }, { 7, 1, 7, NEED_SMEP }, { 7, 1, 20, NEED_SMAP },
		{ 7, 2, 2, NEED_UMIP }, { 7, 2, 3, NEED_PKU }, { 7, 2, 16, NEED_LA57 },
		{ 0x80000001, 3, 11, NEED_SYSCALL }, { 0x80000001, 3, 20, NEED_NX },
		{ 0x80000001, 3, 26, NEED_1G }, { 0x80000001, 3, 27, NEED_RDTSCP },
		{ 0x80000001, 3, 29, NEED_LONG },
	};
	u32 i, r[4];

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		look(r, table[i].leaf, 0);
		if (r[table[i].reg] >> table[i].bit & 1)
			features |= table[i].feature;
	}
	cpuid(0, 0, r);
	if (r[1] == 0x68747541)
		features |= NEED_AMD;
	if (r[1] == 0x756e6547)
		features |= NEED_INTEL;
	if (inb(PORT_GROUPS + GROUPS_TASKS / 8) >> GROUPS_TASKS % 8 & 1)
		features |= NEED_TASKS;
}

/*
 * Every page once, before any case: QEMU's SVM loses its way when a double
 * fault's delivery meets a nested page fault.
 */
static void touch_memory(void)
{
	u32 at;

	for (at = M_GDT; at < M_MEM; at += at == 0x9f000 ? M_PG - 0x9f000 : 0x1000)
		mem8(at) |= 0;
}

bool group_wanted(void)
{
	static u32 place;
	u32 at = place++;

	return inb(PORT_GROUPS + at / 8) >> at % 8 & 1;
}

void main(void);
void main(void)
{
	touch_memory();
	find_features();
	setup();
	line("trace of %s", IMAGE_NAME);
	end_line();
	groups();
	line("end");
	end_line();
	/* QEMU's isa-debug-exit; the others see "end" */
	outb(0xf4, 0);
}
