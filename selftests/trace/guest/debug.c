// SPDX-License-Identifier: GPL-2.0
/* Single step, breakpoints, debug registers: SDM vol. 3 chapter 17. */
#include "trace.h"

CODE(nop, NATIVE, "nop");
CODE(two, NATIVE, "nop; nop");
CODE(mov_ss, NATIVE, "mov %eax, %ss; nop; nop");
CODE(mov_ss_twice, NATIVE, "mov %eax, %ss; mov %eax, %ss; nop");
CODE(mov_ss_load, NATIVE, "mov %eax, %ss; movl (%esi), %ebx; nop");
CODE(mov_ss_int, NATIVE, "mov %eax, %ss; int $0x40; nop");
CODE(mov_ss_ud, NATIVE, "mov %eax, %ss; .byte 0x0f, 0x0b");
CODE(load_seg, NATIVE, "mov %eax, %es; nop");
CODE(sti, NATIVE, "sti; nop");
CODE(intn, NATIVE, "int $0x40");
CODE(int3, NATIVE, "int3");
#ifdef __x86_64__
CODE(into, NATIVE, ".byte 0xce");
#else
CODE(into, NATIVE, "into");
#endif
CODE(div0, NATIVE, "div %ecx");
CODE(rep, NATIVE, "rep movsb");
CODE(rep1, NATIVE, "rep stosb");
CODE(popf_set, NATIVE, "popf; nop; nop");
CODE(pushf, NATIVE, "pushf");
CODE(call, NATIVE, "call 1f; nop; 1: nop");
CODE(jmp, NATIVE, "jmp 1f; nop; 1: nop");
CODE(jcc, NATIVE, "jz 1f; nop; 1: nop");
CODE(loopi, NATIVE, "1: loop 1b; nop");
CODE(load, NATIVE, "movl (%esi), %eax; nop");
CODE(store, NATIVE, "movl %eax, (%esi); nop");
CODE(rmw, NATIVE, "addl %eax, (%esi); nop");
CODE(store1, NATIVE, "movb %al, (%esi); nop");
CODE(out80, NATIVE, "outb %al, $0x80; nop");
CODE(in21, NATIVE, "inb $0x21, %al; nop");
CODE(outs, NATIVE, "mov $0x80, %edx; mov $3, %ecx; rep outsb; nop");
CODE(cpuid_, NATIVE, "cpuid; nop");

static void show_debug(void)
{
	show_outcome();
	show_changes();
	line(" dr6=%lx dr7=%lx", read_dr6(), read_dr7());
	end_line();
}

static void setup(const struct code *c, int cpl)
{
	debug_used = true;
	ring(cpl);
	code(*c);
	in.r[AX] = in.ss;
	in.r[SI] = M_DATA;
	in.r[DI] = M_DATA + 0x100;
	in.r[CX] = 3;
	in.fl |= FL_IOPL(3);
	mem32(M_DATA) = 0x11223344;
	/* what POPF finds */
	in.r[SP] = M_STACK - 0x20;
	mem64(in.r[SP]) = 2 | FL_TF | FL_IOPL(3);
	open_gate(0x40, 3);
	open_gate(3, 3);
	open_gate(4, 3);
}

static void steps(void)
{
	static const struct { const char *name; const struct code *c; } list[] = {
		{ "nop", &nop }, { "mov ss", &mov_ss }, { "mov ss twice", &mov_ss_twice },
		{ "mov ss int", &mov_ss_int }, { "mov ss ud", &mov_ss_ud }, { "mov es", &load_seg },
		{ "sti", &sti }, { "int", &intn }, { "int3", &int3 }, { "into", &into },
		{ "div", &div0 }, { "rep movs", &rep }, { "rep stos", &rep1 },
		{ "popf", &popf_set }, { "pushf", &pushf }, { "call", &call }, { "jmp", &jmp },
		{ "jcc", &jcc }, { "loop", &loopi }, { "load", &load }, { "cpuid", &cpuid_ },
	};
	u32 i, cpl, tf;

	for (i = 0; i < sizeof(list) / sizeof(list[0]); i++)
	for (cpl = 0; cpl < 4; cpl += 3)
	for (tf = 0; tf < 2; tf++) {
		begin(NAME("debug") " step %s cpl%x%s", list[i].name, cpl, tf ? " tf" : "");
		setup(list[i].c, cpl);
		in.fl |= (tf ? FL_TF : 0) | FL_OF | FL_ZF;
		if (list[i].c == &div0)
			in.r[CX] = 0;
		if (list[i].c == &cpuid_)
			hide = 0xff;
		if (list[i].c == &mov_ss_int)
			soft_vector = true;
		run();
		show_debug();
	}
}

/* What is caught, at what length and alignment. */
static void data_breakpoints(void)
{
	static const struct { const char *name; const struct code *c; } list[] = {
		{ "load", &load }, { "store", &store }, { "rmw", &rmw }, { "store1", &store1 },
		{ "mov ss load", &mov_ss_load }, { "rep", &rep },
	};
	/* in DR7, and the address bits that are 0 */
	static const struct { u8 code, mask; } lens[] = {
		{ 0, 0 }, { 1, 1 }, { 3, 3 },
#ifdef __x86_64__
		{ 2, 7 },	/* undefined outside long mode on some CPUs */
#endif
	};
	u32 i, rw, len;
	int at;

	for (i = 0; i < sizeof(list) / sizeof(list[0]); i++)
	for (rw = 1; rw < 4; rw += 2)
	for (len = 0; len < sizeof(lens) / sizeof(lens[0]); len++)
	for (at = -8; at < 6; at++) {
		if ((at & lens[len].mask) || (at < -4 && lens[len].mask < 7))
			continue;	/* unaligned ones "do not yield valid results" */
		begin(NAME("debug") " data %s rw%x len%x at %x", list[i].name, rw, lens[len].mask + 1u, (u32)at);
		setup(list[i].c, 3);
		WRITE_DR(0, M_DATA + at);
		WRITE_DR(7, 0x400 | 1 | rw << 16 | lens[len].code << 18);
		run();
		show_debug();
	}
}

static void code_breakpoints(void)
{
	u32 at, rf, n, en;

	for (at = 0; at < 3; at++)
	for (rf = 0; rf < 2; rf++)
	for (n = 0; n < 4; n++)
	for (en = 0; en < 3; en++) {
		begin(NAME("debug") " code at %x dr%x%s%s", at, n, en == 0 ? " off" : en == 1 ? " local" : " global",
		      rf ? " rf" : "");
		setup(&two, at & 1 ? 3 : 0);
		in.fl |= rf ? FL_RF : 0;
		if (n == 0)
			WRITE_DR(0, M_CODE + at);
		else if (n == 1)
			WRITE_DR(1, M_CODE + at);
		else if (n == 2)
			WRITE_DR(2, M_CODE + at);
		else
			WRITE_DR(3, M_CODE + at);
		WRITE_DR(7, 0x400 | en << n * 2);
		run();
		show_debug();
	}
	/* together with a fault, MOV SS; the flags that are pushed */
	for (n = 0; n < 5; n++) {
		static const char *const names[] = { "pushed rf", "at fault", "behind mov ss",
						     "two at once", "at int" };
		static const struct code *const c[] = { &two, &div0, &mov_ss, &two, &intn };

		begin(NAME("debug") " code %s", names[n]);
		setup(c[n], 0);
		if (n == 1)
			in.r[CX] = 0;
		WRITE_DR(0, M_CODE + (n == 2 ? 2 : 0));
		if (n == 3)
			WRITE_DR(1, M_CODE);
		WRITE_DR(7, 0x400 | 1 | (n == 3 ? 4 : 0));
		if (n == 0)
			flag_mask = ~0ul;
		run();
		show_debug();
	}
}

static void io_breakpoints(void)
{
	static const struct { const char *name; const struct code *c; } list[] = {
		{ "out", &out80 }, { "in", &in21 }, { "outs", &outs },
	};
	u32 i, de;

	for (i = 0; i < 3; i++)
	for (de = 0; de < 2; de++) {
		begin(NAME("debug") " io %s de%x", list[i].name, de);
		setup(list[i].c, 0);
		hide = 1u << AX;
		if (de)
			set_cr4(CR4_DE);
		WRITE_DR(0, i == 1 ? 0x21 : 0x80);
		/* without CR4.DE type 2 is undefined: not enabled then */
		WRITE_DR(7, 0x400 | de | 2 << 16);
		run();
		show_debug();
	}
}

CODE(read_dr7_code, NATIVE, "mov %dr7, " REG(ax));

/*
 * Where the case did not meet GD it is still set, and the monitor must not touch
 * a debug register: let another case have the exception.
 */
static void clear_gd(void)
{
	struct trap was = out;
	struct regs were = in;

	ring(0);
	in.fl = 2;
	put(M_CODE + 0x40, read_dr7_code);
	in.ip = M_CODE + 0x40;
	run();
	if (was.vec != 1)
		WRITE_DR(6, 0xffff0ff0);
	out = was;
	in = were;
}

/* MOV to and from every debug register, with GD, DE, in every ring. */
static void registers(void)
{
	u32 n, write, de, gd, cpl;

	for (cpl = 0; cpl < 4; cpl += 3)
	for (write = 0; write < 2; write++)
	for (n = 0; n < 8; n++)
	for (de = 0; de < 2; de++)
	for (gd = 0; gd < 2; gd++) {
		u8 text[3] = { 0x0f, write ? 0x23 : 0x21, 0xc0 | n << 3 };

		/* the manuals do not say which of two reasons to fault is seen first */
		if (cpl && (gd || (de && (n & 6) == 4)))
			continue;
		begin(NAME("debug") " %s dr%x cpl%x%s%s", write ? "write" : "read", n, cpl, de ? " de" : "",
		      gd ? " gd" : "");
		setup(&nop, cpl);
		code_bytes(text, 3);
		in.r[AX] = n == 7 ? 0xffffd400u : n == 6 ? 0xffffefffu : 0x12345678;
		if (!write && n < 4)
			hide = 1;
		if (de)
			set_cr4(CR4_DE);
		if (gd)
			WRITE_DR(7, 0x2400);
		run();
		if (gd)
			clear_gd();
		show_debug();
	}
}

void debug(void)
{
	steps();
	data_breakpoints();
	code_breakpoints();
	io_breakpoints();
	registers();
}
