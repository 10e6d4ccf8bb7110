// SPDX-License-Identifier: GPL-2.0
/* Far transfers between rings: SDM vol. 3 §5.8, §7.4; vol. 2 CALL, JMP, RET, IRET. */
#include "trace.h"

CODE(far_jmp, 32, "ljmp *(%esi)");
CODE(far_call, 32, "lcall *(%esi)");
CODE(far_jmp16, 32, "data16 ljmp *(%esi)");
CODE(far_call16, 32, "data16 lcall *(%esi)");
CODE(far_ret, 32, "lret");
CODE(far_ret_8, 32, "lret $8");
CODE(far_ret16, 32, "data16 lret");
CODE(iret, 32, "iretl");
CODE(iret16, 32, "iretw");

#define TARGET	0x20		/* offset from M_CODE */
#define SEL_T	(SEL_X + 8)	/* gates' target */

static void far_pointer(u16 sel, u32 off)
{
	mem32(M_DATA) = off;
	mem16(M_DATA + 4) = sel;
	put_bytes(M_CODE + TARGET, "", 0);
	in.r[SI] = M_DATA;
}

static u32 code_access(int conf)
{
	return conf ? ACC_CODE_C : ACC_CODE;
}

static void show_pushed(int n, int size)
{
	show_outcome();
	show_changes();
	if (out.vec == 6)
		show_stack(n, size);
	end_line();
}

/* A direct far transfer to every kind of code segment. */
static void direct(const char *name, struct code c)
{
	int cpl, rpl, dpl, conf;

	for (cpl = 0; cpl < 4; cpl++)
	for (rpl = 0; rpl < 4; rpl++)
	for (dpl = 0; dpl < 4; dpl++)
	for (conf = 0; conf < 2; conf++) {
		begin("rings %s cpl%x rpl%x dpl%x%s", name, cpl, rpl, dpl, conf ? " conf" : "");
		ring(cpl);
		code(c);
		set_gdt(SEL_X, desc(0, 0xfffff, code_access(conf) | DPL(dpl), FL_G | FL_D));
		far_pointer(SEL_X | rpl, M_CODE + TARGET);
		run();
		show();
	}
}

/* To what is no code segment: every type of descriptor, present or not. */
static void types(const char *name, struct code c, u32 cpl)
{
	u32 type, p;

	for (type = 0; type < 32; type++)
	for (p = 0; p < 2; p++) {
		/* tasks and their gates: tasks.c */
		if (type == 1 || type == 3 || type == 5 || type == 9 || type == 11)
			if (p)
				continue;
		begin("rings %s to type %02x cpl%x%s", name, type, cpl, p ? "" : " np");
		ring(cpl);
		code(c);
		set_gdt(SEL_X, desc(M_CODE, 0xffff, (p ? 0x80 : 0) | DPL(cpl) | type, FL_D));
		if (type == 4 || type == 12)
			set_gdt(SEL_X, gate(SEL_T, TARGET, type, cpl, 0) & ~((u64)!p << 47));
		set_gdt(SEL_T, desc(M_CODE, 0xffff, ACC_CODE, FL_D));
		far_pointer(SEL_X | cpl, TARGET);
		run();
		show();
	}
}

static void selectors(const char *name, struct code c, u32 cpl)
{
	static const struct { const char *name; u16 sel; } list[] = {
		{ "null", 0 }, { "null3", 3 }, { "last", 0xff8 }, { "out", 0x1000 },
		{ "out3", 0x1003 }, { "max", 0xfff8 }, { "ldt0", 4 }, { "ldt", 0xc },
		{ "ldtout", 0x104 }, { "ldtnone", 0xc },
	};
	u32 i;

	for (i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		begin("rings %s selector %s cpl%x", name, list[i].name, cpl);
		ring(cpl);
		code(c);
		set_gdt(SEL_LDT, desc(M_LDT, 0xff, 0x82, 0));
		set_ldt(0, desc(M_CODE, 0xffff, ACC_CODE | DPL(cpl), FL_D));
		set_ldt(8, desc(M_CODE, 0xffff, ACC_CODE | DPL(cpl), FL_D));
		if (i != 9)
			__asm__ volatile("lldt %w0" :: "r"(SEL_LDT));
		far_pointer(list[i].sel, TARGET);
		run();
		show();
	}
	begin("rings %s beyond the limit cpl%x", name, cpl);
	ring(cpl);
	code(c);
	set_gdt(SEL_X, desc(M_CODE, TARGET, ACC_CODE | DPL(cpl), FL_D));
	far_pointer(SEL_X | cpl, TARGET + 1);
	run();
	show();
}

/* Through a call gate: all rings of caller, selector, gate and target. */
static void gates(const char *name, struct code c)
{
	int cpl, rpl, dpl, gdpl, conf;

	for (cpl = 0; cpl < 4; cpl++)
	for (rpl = 0; rpl < 4; rpl += 3)
	for (gdpl = 0; gdpl < 4; gdpl++)
	for (dpl = 0; dpl < 4; dpl++)
	for (conf = 0; conf < 2; conf++) {
		begin("rings %s gate%x cpl%x rpl%x dpl%x%s", name, gdpl, cpl, rpl, dpl,
		      conf ? " conf" : "");
		ring(cpl);
		code(c);
		set_gdt(SEL_X, gate(SEL_T, TARGET, 12, gdpl, 0));
		set_gdt(SEL_T, desc(M_CODE, 0xffff, code_access(conf) | DPL(dpl), FL_D));
		far_pointer(SEL_X | rpl, 0x12345678);
		run();
		show_pushed(4, 4);
	}
}

/* Parameters, 16-bit gates and targets, code that runs there. */
static void gate_frames(void)
{
	static const struct { const char *name; struct code *c; } calls[] = {
		{ "call", (struct code *)&far_call }, { "call16", (struct code *)&far_call16 },
		{ "jmp16", (struct code *)&far_jmp16 },
	};
	u32 i, cpl, type, count;

	for (i = 0; i < 3; i++)
	for (cpl = 0; cpl < 4; cpl += 3)
	for (type = 4; type <= 12; type += 8)
	for (count = 0; count < 32; count += count < 4 ? 2 : 27) {
		begin("rings %s gate type%x cpl%x count%x", calls[i].name, type, cpl, count);
		ring(cpl);
		code(*calls[i].c);
		set_gdt(SEL_X, gate(SEL_T, TARGET | 0x10000, type, 3, count));
		set_gdt(SEL_T, desc(M_CODE, 0xfffff, ACC_CODE, FL_D));
		put_bytes(M_CODE + TARGET + 0x10000, "", 0);
		for (u32 j = 0; j < 32; j++)
			mem32(M_STACK - 0x80 + j * 4) = 0xabc00000 + j;
		in.r[SP] = M_STACK - 0x80;
		far_pointer(SEL_X | cpl, 0x12345678);
		run();
		show_pushed(8, type == 4 ? 2 : 4);
	}
}

/* What can be wrong with the stack of an inner ring, and what wins. */
static void inner_stack(void)
{
	static const struct { const char *name; u16 sel; u8 access; u32 limit, flags; } list[] = {
		{ "null", 0, 0, 0, 0 },
		{ "rpl1", 1, ACC_DATA, 0xfffff, FL_G | FL_D },
		{ "dpl1", 0, ACC_DATA | DPL(1), 0xfffff, FL_G | FL_D },
		{ "code", 0, ACC_CODE, 0xfffff, FL_G | FL_D },
		{ "readonly", 0, 0x90, 0xfffff, FL_G | FL_D },
		{ "system", 0, 0x82, 0xfffff, FL_G | FL_D },
		{ "np", 0, ACC_DATA ^ NOT_PRESENT, 0xfffff, FL_G | FL_D },
		{ "np dpl1", 0, (ACC_DATA | DPL(1)) ^ NOT_PRESENT, 0xfffff, FL_G | FL_D },
		{ "limit", 0, ACC_DATA, M_STACK2 - 8, 0 },
		{ "limit exact", 0, ACC_DATA, M_STACK2 - 1, 0 },
		{ "limit short", 0, ACC_DATA, M_STACK2 - 2, 0 },
		{ "16 bit", 0, ACC_DATA, 0xffff, 0 },
		{ "out of table", 0, 0, 0, 0 },
	};
	u32 i, how;

	for (how = 0; how < 3; how++)
	for (i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		struct tss *t = (struct tss *)M_TSS;

		/* ring 1 is entered, so that the handler of what goes wrong has ring 0's */
		begin("rings inner stack %s by %s", list[i].name,
		      how == 0 ? "call" : how == 1 ? "int" : "fault");
		/* the double fault's task */
		if (how == 2 && !need(NEED_TASKS))
			continue;
		ring(3);
		if (how == 0)
			code(far_call);
		else if (how == 1)
			code_bytes("\xcd\x40", 2);
		else
			code_bytes("\xf4", 1);	/* HLT: #GP(0) */
		set_gdt(SEL_X, gate(SEL_T, TARGET, 12, 3, 0));
		set_gdt(SEL_T, desc(M_CODE, 0xffff, ACC_CODE | DPL(1), FL_D));
		set_idt(0x40, gate(SEL_T, TARGET, 14, 3, 0));
		if (how == 2)
			set_idt(13, gate(SEL_T, TARGET, 14, 0, 0));
		set_gdt(SEL_X + 16, desc(0, list[i].limit,
					 list[i].access + (i == 2 || i == 7 ? DPL(1) :
					 list[i].access ? DPL(1) : 0), list[i].flags));
		t->esp1 = M_STACK2;
		t->ss1 = i == 0 ? 0 : i == 12 ? 0x1001 :
			 (SEL_X + 16) | (i == 1 ? 2 : 1);
		far_pointer(SEL_X | 3, 0);
		run();
		show();
	}
	/* a TSS too short for ring 2's stack pointer, but not for the handlers' */
	for (i = 0xb; i < 0x1c; i++) {
		begin("rings inner stack tss limit %02x", i);
		ring(3);
		code(far_call);
		set_gdt(SEL_X, gate(SEL_T, TARGET, 12, 3, 0));
		set_gdt(SEL_T, desc(M_CODE, 0xffff, ACC_CODE | DPL(2), FL_D));
		far_pointer(SEL_X | 3, 0);
		set_gdt(SEL_TSS, desc(M_TSS, i, 0x89, 0));
		__asm__ volatile("ltr %w0" :: "r"(SEL_TSS));
		run();
		show();
	}
}

static void push32(u32 v)
{
	in.r[SP] -= 4;
	mem32(in.r[SP]) = v;
}

/* Returns to every ring. */
static void returns(const char *name, struct code c, bool is_iret)
{
	u32 cpl, rpl, dpl, conf, seg;

	for (cpl = 0; cpl < 4; cpl++)
	for (rpl = 0; rpl < 4; rpl++)
	for (dpl = 0; dpl < 4; dpl++)
	for (conf = 0; conf < 2; conf++) {
		begin("rings %s cpl%x rpl%x dpl%x%s", name, cpl, rpl, dpl, conf ? " conf" : "");
		ring(cpl);
		code(c);
		set_gdt(SEL_X, desc(0, 0xfffff, code_access(conf) | DPL(dpl), FL_G | FL_D));
		put_bytes(M_CODE + TARGET, "", 0);
		push32(SEL_D(rpl) | rpl);
		push32(M_STACK2);
		if (is_iret)
			push32(0x3ed7);		/* all but TF, NT: what may change? */
		push32(SEL_X | rpl);
		push32(M_CODE + TARGET);
		for (seg = 0; seg < 4; seg++)
			(&in.ds)[seg] = SEL_D(seg < cpl ? cpl : seg) | 3;
		run();
		show();
	}
}

/* SS of a return to an outer ring. */
static void return_stack(const char *name, struct code c, bool is_iret)
{
	static const struct { const char *name; u8 access; u16 sel; } list[] = {
		{ "null", 0, 3 }, { "null0", 0, 0 }, { "dpl2", ACC_DATA | DPL(2), SEL_X + 8 + 3 },
		{ "rpl2", ACC_DATA | DPL(3), SEL_X + 8 + 2 },
		{ "readonly", 0x90 | DPL(3), SEL_X + 8 + 3 },
		{ "code", ACC_CODE | DPL(3), SEL_X + 8 + 3 },
		{ "system", 0x82 | DPL(3), SEL_X + 8 + 3 },
		{ "np", (ACC_DATA | DPL(3)) ^ NOT_PRESENT, SEL_X + 8 + 3 },
		{ "down", ACC_DATA_ED | DPL(3), SEL_X + 8 + 3 },
		{ "out", 0, 0x1003 },
	};
	u32 i;

	for (i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		begin("rings %s outer ss %s", name, list[i].name);
		code(c);
		set_gdt(SEL_X + 8, desc(0, 0xfff, list[i].access, FL_D));
		put_bytes(M_CODE + TARGET, "", 0);
		push32(list[i].sel);
		push32(M_STACK2);
		if (is_iret)
			push32(2);
		push32(SEL_C(3) | 3);
		push32(M_CODE + TARGET);
		run();
		show();
	}
}

static void return_code(const char *name, struct code c, bool is_iret)
{
	static const struct { const char *name; u8 access; u16 sel; } list[] = {
		{ "null", 0, 0 }, { "null3", 0, 3 }, { "data", ACC_DATA, SEL_X },
		{ "system", 0x82, SEL_X }, { "np", ACC_CODE ^ NOT_PRESENT, SEL_X },
		{ "execute only", 0x98, SEL_X }, { "out", 0, 0x1000 }, { "tss", 0, SEL_TSS },
		{ "limit", ACC_CODE, SEL_X + 8 },
	};
	u32 i;

	for (i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		begin("rings %s cs %s", name, list[i].name);
		code(c);
		set_gdt(SEL_X, desc(0, 0xfffff, list[i].access, FL_G | FL_D));
		set_gdt(SEL_X + 8, desc(0, 0xfff, list[i].access, FL_D));
		put_bytes(M_CODE + TARGET, "", 0);
		if (is_iret)
			push32(2);
		push32(list[i].sel);
		push32(M_CODE + TARGET);
		run();
		show();
	}
}

/* The stack itself is at fault, or the operand size is the other one. */
static void return_other(void)
{
	u32 cpl;

	for (cpl = 0; cpl < 4; cpl += 3) {
		begin("rings lret16 cpl%x", cpl);
		ring(cpl);
		code(far_ret16);
		set_gdt(SEL_X, desc(M_CODE, 0xffff, ACC_CODE | DPL(cpl), FL_D));
		put_bytes(M_CODE + TARGET, "", 0);
		push32((SEL_X | cpl) << 16 | TARGET);
		run();
		show();

		begin("rings iret16 cpl%x", cpl);
		ring(cpl);
		code(iret16);
		set_gdt(SEL_X, desc(M_CODE, 0xffff, ACC_CODE | DPL(cpl), FL_D));
		put_bytes(M_CODE + TARGET, "", 0);
		in.r[SP] -= 2;
		mem16(in.r[SP]) = 0x3ed7;
		push32((SEL_X | cpl) << 16 | TARGET);
		in.fl = FL_AC | FL_ID | 2;
		run();
		show();
	}
	begin("rings lret 8 outer");
	code(far_ret_8);
	put_bytes(M_CODE + TARGET, "", 0);
	push32(SEL_D(3) | 3);
	push32(M_STACK2);
	push32(0);
	push32(0);
	push32(SEL_C(3) | 3);
	push32(M_CODE + TARGET);
	run();
	show();
	for (cpl = 0; cpl < 20; cpl += 4) {
		begin("rings iret stack limit %x", cpl);
		ring(3);
		code(iret);
		set_gdt(SEL_X, desc(0, M_STACK - 1, ACC_DATA | DPL(3), FL_D));
		in.ss = SEL_X | 3;
		in.r[SP] = M_STACK - cpl;
		mem32(M_STACK - cpl) = M_CODE + TARGET;
		mem32(M_STACK - cpl + 4) = SEL_C(3) | 3;
		mem32(M_STACK - cpl + 8) = 2;
		put_bytes(M_CODE + TARGET, "", 0);
		run();
		show();
	}
	for (cpl = 0; cpl < 4; cpl++) {
		begin("rings iret nt cpl%x no back link", cpl);
		ring(cpl);
		code(iret);
		in.fl |= FL_NT;
		run();
		show();
	}
}

void rings(void)
{
	direct("jmp", far_jmp);
	direct("call", far_call);
	types("jmp", far_jmp, 0);
	types("jmp", far_jmp, 3);
	types("call", far_call, 3);
	selectors("jmp", far_jmp, 0);
	selectors("call", far_call, 3);
	gates("jmp", far_jmp);
	gates("call", far_call);
	gate_frames();
	inner_stack();
	returns("lret", far_ret, false);
	returns("iret", iret, true);
	return_stack("lret", far_ret, false);
	return_stack("iret", iret, true);
	return_code("lret", far_ret, false);
	return_code("iret", iret, true);
	return_other();
}
