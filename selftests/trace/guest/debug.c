// SPDX-License-Identifier: GPL-2.0
/* Single step, breakpoints, debug registers: SDM vol. 3 chapter 17. */
#include "trace.h"

CODE(nop, 32, "nop");
CODE(two, 32, "nop; nop");
CODE(mov_ss, 32, "mov %eax, %ss; nop; nop");
CODE(mov_ss_twice, 32, "mov %eax, %ss; mov %eax, %ss; nop");
CODE(mov_ss_load, 32, "mov %eax, %ss; movl (%esi), %ebx; nop");
CODE(mov_ss_int, 32, "mov %eax, %ss; int $0x40; nop");
CODE(mov_ss_ud, 32, "mov %eax, %ss; .byte 0x0f, 0x0b");
CODE(load_seg, 32, "mov %eax, %es; nop");
CODE(sti, 32, "sti; nop");
CODE(intn, 32, "int $0x40");
CODE(int3, 32, "int3");
CODE(into, 32, "into");
CODE(div0, 32, "div %ecx");
CODE(rep, 32, "rep movsb");
CODE(rep1, 32, "rep stosb");
CODE(popf_set, 32, "popf; nop; nop");
CODE(pushf, 32, "pushf");
CODE(call, 32, "call 1f; nop; 1: nop");
CODE(jmp, 32, "jmp 1f; nop; 1: nop");
CODE(jcc, 32, "jz 1f; nop; 1: nop");
CODE(loopi, 32, "1: loop 1b; nop");
CODE(load, 32, "movl (%esi), %eax; nop");
CODE(store, 32, "movl %eax, (%esi); nop");
CODE(rmw, 32, "addl %eax, (%esi); nop");
CODE(store1, 32, "movb %al, (%esi); nop");
CODE(out80, 32, "outb %al, $0x80; nop");
CODE(in21, 32, "inb $0x21, %al; nop");
CODE(outs, 32, "mov $0x80, %edx; mov $3, %ecx; rep outsb; nop");
CODE(cpuid_, 32, "cpuid; nop");

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
	set_idt(0x40, handler_gate(3));
	set_idt(3, handler_gate(3));
	set_idt(4, handler_gate(3));
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
		begin("debug step %s cpl%x%s", list[i].name, cpl, tf ? " tf" : "");
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
	static const u8 len_code[] = { 0, 1, 3 };
	u32 i, rw, len;
	int at;

	for (i = 0; i < sizeof(list) / sizeof(list[0]); i++)
	for (rw = 1; rw < 4; rw += 2)
	for (len = 0; len < 3; len++)
	for (at = -4; at < 6; at++) {
		if (at & len_code[len])
			continue;	/* unaligned ones "do not yield valid results" */
		begin("debug data %s rw%x len%x at %x", list[i].name, rw, len_code[len] + 1, (u32)at);
		setup(list[i].c, 3);
		WRITE_DR(0, M_DATA + at);
		WRITE_DR(7, 0x400 | 1 | rw << 16 | len_code[len] << 18);
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
		begin("debug code at %x dr%x%s%s", at, n, en == 0 ? " off" : en == 1 ? " local" : " global",
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

		begin("debug code %s", names[n]);
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
		begin("debug io %s de%x", list[i].name, de);
		setup(list[i].c, 0);
		hide = 1u << AX;
		if (de)
			write_cr4(read_cr4() | CR4_DE);
		WRITE_DR(0, i == 1 ? 0x21 : 0x80);
		/* without CR4.DE type 2 is undefined: not enabled then */
		WRITE_DR(7, 0x400 | de | 2 << 16);
		run();
		show_debug();
	}
}

CODE(read_dr7_code, 32, "mov %dr7, %eax");

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
		begin("debug %s dr%x cpl%x%s%s", write ? "write" : "read", n, cpl, de ? " de" : "",
		      gd ? " gd" : "");
		setup(&nop, cpl);
		code_bytes(text, 3);
		in.r[AX] = n == 7 ? 0xffffd400u : n == 6 ? 0xffffefffu : 0x12345678;
		if (!write && n < 4)
			hide = 1;
		if (de)
			write_cr4(read_cr4() | CR4_DE);
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
