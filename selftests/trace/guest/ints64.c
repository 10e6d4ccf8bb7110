// SPDX-License-Identifier: GPL-2.0
/* Interrupts and exceptions in long mode: SDM vol. 3 §6.14, vol. 2 INT n. */
#include "trace.h"

CODE(int40, 64, "int $0x40");
CODE(int40_32, 32, "int $0x40");
CODE(int3, 64, "int3");
CODE(int1, 64, ".byte 0xf1");
CODE(into, 64, ".byte 0xce");
CODE(div0, 64, "div %ecx");
CODE(ud2, 64, "nop; ud2");
CODE(hlt, 64, "hlt");
CODE(load_null, 64, "movq (%rsi), %rax");

#define TARGET	0x20
#define SEL_T	(SEL_X + 0x10)

static void start(int cpl, bool is_compat)
{
	if (is_compat)
		compat(cpl);
	else
		ring(cpl);
	code(is_compat ? int40_32 : int40);
	put_bytes(M_CODE + TARGET, "", 0);
}

/* The handler's code is UD2: its frame is what RSP points to. */
static void show_frame64(void)
{
	show_outcome();
	show_changes();
	if (out.ip == M_CODE + TARGET)
		show_frame(5, 8, 2);
	end_line();
}

static void software(void)
{
	u32 cpl, gdpl, dpl, conf, type, mode;

	for (mode = 0; mode < 2; mode++)
	for (cpl = 0; cpl < 4; cpl++)
	for (gdpl = 0; gdpl < 4; gdpl++)
	for (dpl = 0; dpl < 4; dpl++)
	for (conf = 0; conf < 2; conf++)
	for (type = 14; type < 16; type++) {
		if (gdpl != 3 && (dpl || type == 15))
			continue;
		begin("ints64 int%s cpl%x gate%x dpl%x%s type%x", mode ? " compat" : "", cpl, gdpl, dpl,
		      conf ? " conf" : "", type);
		start(cpl, mode);
		set_gdt(SEL_T, desc(0, 0xfffff, (conf ? ACC_CODE_C : ACC_CODE) | DPL(dpl) | 1, FL_G | FL_L));
		set_idt64(0x40, SEL_T, M_CODE + TARGET, type, gdpl, 0);
		in.fl |= FL_IF | FL_IOPL(3) | FL_NT | FL_AC | FL_RF;
		run();
		show_frame64();
	}
}

static void gates(void)
{
	static const char *const list[] = {
		"target 32", "target L+D", "target data", "target np", "target null", "target out",
		"noncanonical", "np", "ldt", "busy tss",
	};
	u32 i, cpl, type, mode;

	for (i = 0; i < sizeof(list) / sizeof(list[0]); i++)
	for (mode = 0; mode < 2; mode++)
	for (cpl = 0; cpl < 4; cpl += 3) {
		u64 t = desc(0, 0xfffff, ACC_CODE | 1, FL_G | FL_L);

		begin("ints64 %s%s cpl%x", list[i], mode ? " compat" : "", cpl);
		/* loaded by QEMU's TCG, which has no VME */
		if (i == 1 && !need(NEED_VME))
			continue;
		start(cpl, mode);
		set_idt64(0x40, i == 4 ? 0 : i == 5 ? 0x1000 : i == 8 ? 4 : i == 9 ? SEL_TSS : SEL_T,
			  i == 6 ? NONCANONICAL : M_CODE + TARGET, 14, 3, 0);
		if (i == 0)
			t = desc(0, 0xfffff, ACC_CODE | 1, FL_G | FL_D);
		if (i == 1)
			t = desc(0, 0xfffff, ACC_CODE | 1, FL_G | FL_D | FL_L);
		if (i == 2)
			t = desc(0, 0xfffff, ACC_DATA | 1, FL_G | FL_D);
		if (i == 3)
			t = desc(0, 0xfffff, (ACC_CODE | 1) ^ NOT_PRESENT, FL_G | FL_L);
		if (i == 7)
			mem8(M_IDT + 0x40 * 16 + 5) ^= NOT_PRESENT;
		set_gdt(SEL_T, t);
		run();
		show_frame64();
	}
	for (type = 0; type < 32; type++)
	for (cpl = 0; cpl < 4; cpl += 3) {
		if (type == 14 || type == 15)
			continue;
		begin("ints64 type %02x cpl%x", type, cpl);
		start(cpl, false);
		set_idt64(0x40, SEL_KCS, handler(0x40), type, 3, 0);
		run();
		show_frame64();
	}
	for (i = 0; i < 17; i++) {
		static const struct { u16 limit; u64 base; } __attribute__((packed))
			whole = { 0xfff, M_IDT };
		struct { u16 limit; u64 base; } __attribute__((packed))
			part = { 0x40 * 16 - 1 + i, M_IDT };

		begin("ints64 idt limit %x", i);
		start(3, false);
		set_idt64(0x40, SEL_KCS, handler(0x40), 14, 3, 0);
		__asm__ volatile("lidt %0" :: "m"(part));
		run();
		__asm__ volatile("lidt %0" :: "m"(whole));
		show_frame64();
	}
}

/* Which stack, and that it is aligned to 16 bytes: SDM vol. 3 §6.14.2, §6.14.4, §6.14.5. */
static void stacks(void)
{
	struct tss64 *t = (struct tss64 *)M_TSS;
	u32 i, cpl, ist, n;

	for (i = 0; i < 17; i++)
	for (cpl = 0; cpl < 4; cpl += 3)
	for (ist = 0; ist < 8; ist += 3) {
		begin("ints64 align %x cpl%x ist%x", i, cpl, ist);
		start(cpl, false);
		set_gdt(SEL_T, desc(0, 0xfffff, ACC_CODE | 1, FL_G | FL_L));
		set_idt64(0x40, SEL_T, M_CODE + TARGET, 14, 3, ist);
		in.r[SP] -= i;
		t->rsp[0] -= i;
		if (ist)
			t->ist[ist - 1] -= i;
		run();
		show_frame64();
	}
	for (n = 0; n < 8; n++)
	for (cpl = 0; cpl < 4; cpl++) {
		begin("ints64 ist%x cpl%x", n, cpl);
		start(cpl, false);
		set_gdt(SEL_T, desc(0, 0xfffff, ACC_CODE | 1, FL_G | FL_L));
		set_idt64(0x40, SEL_T, M_CODE + TARGET, 14, 3, n);
		run();
		show_frame64();
		begin("ints64 ist%x cpl%x noncanonical", n, cpl);
		start(cpl, false);
		set_gdt(SEL_T, desc(0, 0xfffff, ACC_CODE | 1, FL_G | FL_L));
		set_idt64(0x40, SEL_T, M_CODE + TARGET, 14, 3, n);
		set_idt64(12, SEL_KCS, handler(12), 14, 0, 2);
		t->rsp[0] = NONCANONICAL + 0x1000;
		if (n && n != 2)
			t->ist[n - 1] = NONCANONICAL + 0x1000;
		run();
		show();
		begin("ints64 ist%x cpl%x not mapped", n, cpl);
		start(cpl, false);
		set_gdt(SEL_T, desc(0, 0xfffff, ACC_CODE | 1, FL_G | FL_L));
		set_idt64(0x40, SEL_T, M_CODE + TARGET, 14, 3, n);
		set_idt64(14, SEL_KCS, handler(14), 14, 0, 2);
		t->rsp[0] = 0x40000000;
		if (n && n != 2)
			t->ist[n - 1] = 0x40000000;
		run();
		show();
	}
}

static const struct { const char *name; const struct code *c; u32 vec; } sources[] = {
	{ "int3", &int3, 3 }, { "int1", &int1, 1 }, { "into", &into, 6 }, { "div", &div0, 0 },
	{ "ud", &ud2, 6 }, { "gp", &hlt, 13 }, { "pf", &load_null, 14 },
};

/* Frames of exceptions, gates' DPL for what is no INT n, and faults on the way. */
static void exceptions(void)
{
	u32 i, how;

	for (i = 0; i < sizeof(sources) / sizeof(sources[0]); i++)
	for (how = 0; how < 7; how++) {
		static const char *const names[] = {
			"plain", "dpl3", "np", "np gp", "noncanonical stack", "bad target", "null target",
		};
		u32 vec = sources[i].vec;

		begin("ints64 %s %s", sources[i].name, names[how]);
		ring(3);
		code(*sources[i].c);
		put_bytes(M_CODE + TARGET, "", 0);
		in.r[SI] = 0x40000000;
		in.fl |= FL_IF;
		set_gdt(SEL_T, desc(0, 0xfffff, ACC_CODE | 1, FL_G | FL_L));
		/* UD2 ends the others' handlers: it keeps its own gate */
		if (how < 2 && vec != 6)
			set_idt64(vec, SEL_T, M_CODE + TARGET, 14, how ? 3 : 0, 0);
		if (how == 2 || how == 3)
			mem8(M_IDT + vec * 16 + 5) ^= NOT_PRESENT;
		if (how == 3)
			mem8(M_IDT + 13 * 16 + 5) ^= vec == 13 ? 0 : NOT_PRESENT;
		if (how == 4) {
			((struct tss64 *)M_TSS)->rsp[0] = NONCANONICAL + 0x1000;
			set_idt64(vec, SEL_KCS, handler(vec), 14, 3, 0);
		}
		if (how == 5)
			set_idt64(vec, SEL_C32(0), handler(vec), 14, 3, 0);
		if (how == 6)
			set_idt64(vec, 0, handler(vec), 14, 3, 0);
		run();
		show_outcome();
		show_changes();
		if (out.ip == M_CODE + TARGET)
			show_frame(6, 8, vec >= 13 ? 3 : 2);
		end_line();
		/* the IDT entries above were changed beside set_idt64() */
		set_idt64(vec, 0, 0, 0, 0, 0);
		set_idt64(13, 0, 0, 0, 0, 0);
	}
}

void ints64(void)
{
	software();
	gates();
	stacks();
	exceptions();
}
