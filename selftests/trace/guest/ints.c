// SPDX-License-Identifier: GPL-2.0
/* Interrupts and exceptions through the IDT: SDM vol. 3 §6.11 to §6.13. */
#include "trace.h"

#define TARGET	0x20
#define SEL_T	SEL_X
#define VEC	0x40

CODE(int40, 32, "int $0x40");
CODE(int3, 32, "int3");
CODE(int3_long, 32, "int $3");
CODE(into, 32, "into");
CODE(int1, 32, ".byte 0xf1");
CODE(bound, 32, "bound %eax, (%esi)");
CODE(bound16, 32, "bound %ax, (%esi)");
CODE(div0, 32, "div %ecx");
CODE(no_stack, 32, "mov %ebx, %esp; div %ecx");
CODE(hlt, 32, "hlt");
CODE(load_es, 32, "mov %ax, %es");

static void show_pushed(int n, int size, int flags)
{
	show_outcome();
	show_changes();
	if (out.vec == 6)
		show_frame(n, size, flags);
	end_line();
}

static void target(u32 access)
{
	set_gdt(SEL_T, desc(M_CODE, 0xffff, access, FL_D));
	put_bytes(M_CODE + TARGET, "", 0);
}

static void matrix(void)
{
	static const u8 types[] = { 6, 7, 14, 15 };
	u32 cpl, gdpl, dpl, conf, t;

	for (cpl = 0; cpl < 4; cpl++)
	for (gdpl = 0; gdpl < 4; gdpl++)
	for (dpl = 0; dpl < 4; dpl++)
	for (conf = 0; conf < 2; conf++) {
		t = types[(cpl + gdpl + dpl) % 4];
		begin("ints int gate%x type%x cpl%x dpl%x%s", gdpl, t, cpl, dpl,
		      conf ? " conf" : "");
		ring(cpl);
		code(int40);
		target((conf ? ACC_CODE_C : ACC_CODE) | DPL(dpl));
		set_idt(VEC, gate(SEL_T | ((gdpl + 1) & 3), TARGET, t, gdpl, 0));
		in.fl = FL_NT | FL_AC | FL_ID | FL_IF | FL_IOPL(2) | FL_DF | 0xd7;
		run();
		show_pushed(5, t < 8 ? 2 : 4, 2);
	}
	/* an exception does not look at the gate's DPL */
	for (cpl = 0; cpl < 4; cpl++)
	for (dpl = 0; dpl < 4; dpl++)
	for (conf = 0; conf < 2; conf++) {
		t = types[(cpl + dpl) % 4];
		begin("ints fault type%x cpl%x dpl%x%s", t, cpl, dpl, conf ? " conf" : "");
		ring(cpl);
		code(load_es);
		in.r[AX] = 0x1238 | cpl;
		target((conf ? ACC_CODE_C : ACC_CODE) | DPL(dpl));
		set_idt(13, gate(SEL_T, TARGET, t, 0, 0));
		run();
		/* where the handler is no good, this entry's fault comes to it again: #DF */
		show_pushed(6, t < 8 ? 2 : 4, 3);
	}
}

static void gate_types(void)
{
	u32 type, p, how;

	for (how = 0; how < 2; how++)
	for (type = 0; type < 32; type++)
	for (p = 0; p < 2; p++) {
		if (type == 5 && p)
			continue;	/* tasks.c */
		begin("ints gate type %02x%s by %s", type, p ? "" : " np", how ? "fault" : "int");
		ring(3);
		code(how ? div0 : int40);
		target(ACC_CODE);
		set_idt(how ? 0 : VEC, gate(SEL_T, TARGET, type, 3, 0) & ~((u64)!p << 47));
		run();
		show_pushed(5, (type & 0xf) < 8 ? 2 : 4, 2);
	}
}

static void handler_segment(void)
{
	static const struct { const char *name; u16 sel; u32 access; } list[] = {
		{ "null", 0, 0 }, { "null3", 3, 0 }, { "out", 0x1000, 0 }, { "ldt", 0xc, 0 },
		{ "data", SEL_T, ACC_DATA }, { "system", SEL_T, 0x82 },
		{ "np", SEL_T, ACC_CODE ^ NOT_PRESENT }, { "execute only", SEL_T, 0x98 },
		{ "limit", SEL_T + 8, ACC_CODE },
	};
	u32 i, how;

	for (how = 0; how < 2; how++)
	for (i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		begin("ints handler %s by %s", list[i].name, how ? "fault" : "int");
		ring(3);
		code(how ? div0 : int40);
		target(list[i].access);
		set_gdt(SEL_T + 8, desc(M_CODE, TARGET - 1, list[i].access, FL_D));
		set_idt(how ? 0 : VEC, gate(list[i].sel, TARGET, 14, 3, 0));
		run();
		show_pushed(5, 4, 2);
	}
}

static void table_limit(void)
{
	struct { u16 limit; u32 base; } __attribute__((packed)) idtr = { 0, M_IDT };
	u32 i, how;

	for (how = 0; how < 2; how++)
	for (i = 0; i < 3; i++) {
		begin("ints idt limit %x by %s", i, how ? "bp" : "int");
		ring(3);
		code(how ? int3 : int40);
		target(ACC_CODE);
		set_idt(VEC, gate(SEL_T, TARGET, 14, 3, 0));
		/* vectors the faults need stay within: move INT3's out instead */
		idtr.limit = VEC * 8 + 7 - (i ? i : 0) - (i == 2 ? 6 : 0);
		set_idt(3, gate(SEL_T, TARGET, 14, i == 1 ? 3 : i, 0));
		__asm__ volatile("lidt %0" :: "m"(idtr));
		run();
		show_pushed(5, 4, 2);
	}
}

static void others(void)
{
	static const struct { const char *name; const struct code *c; u32 vec; } list[] = {
		{ "int3", &int3, 3 }, { "int 3", &int3_long, 3 }, { "into", &into, 4 },
		{ "int1", &int1, 1 },
	};
	u32 i, cpl, gdpl, of;

	for (i = 0; i < 4; i++)
	for (cpl = 0; cpl < 4; cpl += 3)
	for (gdpl = 0; gdpl < 4; gdpl += 3)
	for (of = 0; of < 2; of++) {
		begin("ints %s cpl%x gate%x%s", list[i].name, cpl, gdpl, of ? " of" : "");
		ring(cpl);
		code(*list[i].c);
		target(ACC_CODE);
		set_idt(list[i].vec, gate(SEL_T, TARGET, 14, gdpl, 0));
		in.fl |= of ? FL_OF : 0;
		run();
		show_pushed(5, 4, 2);
	}
	for (i = 0; i < 12; i++) {
		static const int at[] = { -0x7fffffff - 1, -6, -5, -4, 0, 6, 7, 8, 0x7fff, 0x8000, 0xfffb,
					  0x7fffffff };

		begin("ints bound %x", (u32)at[i]);
		code(bound);
		in.r[AX] = at[i];
		in.r[SI] = M_DATA;
		mem32(M_DATA) = -5;
		mem32(M_DATA + 4) = 7;
		run();
		show();
		begin("ints bound16 %x", (u32)at[i]);
		code(bound16);
		in.r[AX] = at[i];
		in.r[SI] = M_DATA;
		mem16(M_DATA) = -5;
		mem16(M_DATA + 2) = 7;
		run();
		show();
	}
	/* frames of faults with and without error codes, inner and same ring */
	for (cpl = 0; cpl < 4; cpl += 3)
	for (gdpl = 6; gdpl < 16; gdpl += 8)
	for (of = 0; of < 2; of++) {
		begin("ints frame of %s type%x cpl%x", of ? "de" : "gp", gdpl, cpl);
		ring(cpl);
		code(of ? div0 : load_es);
		in.r[AX] = 0x1238 | cpl;
		target(ACC_CODE);
		set_idt(of ? 0 : 13, gate(SEL_T, TARGET, gdpl, 0, 0));
		run();
		show_pushed(6, gdpl < 8 ? 2 : 4, of ? 2 : 3);
	}
	begin("ints hlt cpl3");
	ring(3);
	code(hlt);
	run();
	show();
}

/* Faults on the way to the handler: which become a double fault (table 6-5). */
static void double_faults(void)
{
	static const struct { const char *name; u8 vec; } second[] = {
		{ "np", 11 }, { "gp", 13 }, { "de", 0 }, { "ud", 6 },
	};
	u32 i;

	for (i = 0; i < 4; i++) {
		begin("ints double %s", second[i].name);
		ring(3);
		if (second[i].vec == 6)
			code_bytes("\x0f\x0b", 2);
		else if (second[i].vec == 0)
			code(div0);
		else
			code(load_es);
		set_gdt(SEL_X + 8, desc(0, 0xfffff, ACC_DATA | DPL(3), FL_G | FL_D) &
			~(1ull << 47));
		in.r[AX] = (second[i].vec == 11 ? SEL_X + 8 : 0x1238) | 3;
		/* no such handler: #NP of the gate */
		set_idt(second[i].vec, gate(SEL_KCS, 0, 14, 0, 0) & ~(1ull << 47));
		if (second[i].vec == 11)
			set_idt(11, gate(0x1000, 0, 14, 0, 0));
		run();
		line(" tr=%x", out.tr);
		show();
	}
	/* no stack: the double fault's task gate saves the day */
	begin("ints double no stack");
	code(no_stack);
	set_gdt(SEL_X, desc(0, 0xfff, ACC_DATA_ED, FL_D));
	in.ss = SEL_X;
	in.r[SP] = M_STACK;
	in.r[BX] = 0x1004;
	run();
	line(" tr=%x", out.tr);
	show();
	begin("ints double no inner stack");
	ring(3);
	code(div0);
	((struct tss *)M_TSS)->ss0 = 0;
	run();
	line(" tr=%x", out.tr);
	show();
}

void ints(void)
{
	matrix();
	gate_types();
	handler_segment();
	table_limit();
	others();
	double_faults();
}
