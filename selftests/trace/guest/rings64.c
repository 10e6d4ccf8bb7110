// SPDX-License-Identifier: GPL-2.0
/*
 * Far transfers in long mode, from 64-bit and from compatibility mode: SDM vol. 3
 * §5.8.3.1, §5.8.5.1, §6.14; vol. 2 CALL, JMP, RET, IRET.
 */
#include "trace.h"

CODE(jmp64, 64, "ljmp *(%rsi)");
CODE(call64, 64, "lcall *(%rsi)");
CODE(jmp64w, 64, "rex.W ljmp *(%rsi)");
CODE(call64w, 64, "rex.W lcall *(%rsi)");
CODE(jmp64_16, 64, "data16 ljmp *(%rsi)");
CODE(jmp32, 32, "ljmp *(%esi)");
CODE(call32, 32, "lcall *(%esi)");
CODE(call32_16, 32, "data16 lcall *(%esi)");
CODE(jmp_imm, 32, "ljmp $0x108, $0x78020");
CODE(ret64, 64, "lretq");
CODE(ret64_l, 64, "lretl");
CODE(ret64_w, 64, "lretw");
CODE(ret64_8, 64, "lretq $8");
CODE(ret32, 32, "lretl");
CODE(iret64, 64, "iretq");
CODE(iret64_l, 64, "iretl");

CODE(iret32, 32, "iretl");

#define TARGET	0x20		/* offset from M_CODE */
#define SEL_T	(SEL_X + 0x10)	/* gates' target */

/*
 * L with D is no code segment.  QEMU's TCG, which has no VME, loads one, and what is
 * to run on its SVM then finds a state that is none.
 */
static const struct { const char *name; u32 flags, needs; } kinds[] = {
	{ "64", FL_L, 0 }, { "32", FL_D, 0 }, { "L+D", FL_L | FL_D, NEED_VME },
};

static u32 code_access(int conf)
{
	return conf ? ACC_CODE_C : ACC_CODE;
}

static void start(int cpl, bool is_compat, struct code c)
{
	if (is_compat)
		compat(cpl);
	else
		ring(cpl);
	code(c);
	put_bytes(M_CODE + TARGET, "", 0);
	in.r[SI] = M_DATA;
}

static void far_pointer(u16 sel, u32 off)
{
	mem32(M_DATA) = off;
	mem16(M_DATA + 4) = sel;
	mem32(M_DATA + 6) = 0;
}

static void show_pushed(int n, int size)
{
	show_outcome();
	show_changes();
	if (out.vec == 6 && out.r[SP] >= M_DATA && out.r[SP] < M_STACK2 - 0x20)
		show_stack(n, size);
	end_line();
}

static void push(u64 v, int size)
{
	in.r[SP] -= size;
	if (size == 8)
		mem64(in.r[SP]) = v;
	else if (size == 4)
		mem32(in.r[SP]) = v;
	else
		mem16(in.r[SP]) = v;
}

static void direct(const char *name, struct code c, bool is_compat)
{
	u32 cpl, rpl, dpl, conf, k;

	for (k = 0; k < 3; k++)
	for (cpl = 0; cpl < 4; cpl += 3)
	for (rpl = 0; rpl < 4; rpl += 3)
	for (dpl = 0; dpl < 4; dpl++)
	for (conf = 0; conf < 2; conf++) {
		begin("long %s to %s cpl%x rpl%x dpl%x%s", name, kinds[k].name, cpl, rpl, dpl,
		      conf ? " conf" : "");
		if (!need(kinds[k].needs))
			continue;
		start(cpl, is_compat, c);
		set_gdt(SEL_X, desc(0, 0xfffff, code_access(conf) | DPL(dpl), FL_G | kinds[k].flags));
		far_pointer(SEL_X | rpl, M_CODE + TARGET);
		run();
		show_pushed(2, is_compat ? 4 : 8);
	}
}

/* Every type of descriptor: what is legacy's own is none here. */
static void types(const char *name, struct code c, bool is_compat)
{
	u32 type, cpl, p;

	for (type = 0; type < 32; type++)
	for (cpl = 0; cpl < 4; cpl += 3)
	for (p = 0; p < 2; p++) {
		begin("long %s type %02x cpl%x%s", name, type, cpl, p ? "" : " np");
		start(cpl, is_compat, c);
		set_wide(M_GDT + SEL_X, desc(0, 0xfffff, (p ? 0x80 : 0) | DPL(cpl) | type, FL_G | FL_L), 0);
		if (type == 4 || type == 12)
			set_gate(SEL_X, SEL_T, M_CODE + TARGET, type, cpl);
		if (!p)
			set_gdt(SEL_X, get_gdt(SEL_X) & ~(1ull << 47));
		set_gdt(SEL_T, desc(0, 0xfffff, ACC_CODE, FL_G | FL_L));
		far_pointer(SEL_X | cpl, M_CODE + TARGET);
		run();
		show_pushed(4, 8);
	}
}

static void selectors(const char *name, struct code c, bool is_compat)
{
	static const struct { const char *name; u16 sel; } list[] = {
		{ "null", 0 }, { "null3", 3 }, { "last", 0xff8 }, { "out", 0x1000 }, { "max", 0xffff },
		{ "ldt", 4 }, { "noncanonical", SEL_C(0) },
	};
	u32 i, cpl;

	for (i = 0; i < 7; i++)
	for (cpl = 0; cpl < 4; cpl += 3) {
		begin("long %s selector %s cpl%x", name, list[i].name, cpl);
		start(cpl, is_compat, c);
		far_pointer(list[i].sel, i == 6 ? 0xffff8000u : M_CODE + TARGET);
		run();
		show();
	}
}

/* Call gates: all rings of caller, selector, gate and target, and what the target is. */
static void gates(const char *name, struct code c, bool is_compat)
{
	u32 cpl, rpl, dpl, gdpl, conf;

	for (cpl = 0; cpl < 4; cpl++)
	for (rpl = 0; rpl < 4; rpl += 3)
	for (gdpl = 0; gdpl < 4; gdpl++)
	for (dpl = 0; dpl < 4; dpl++)
	for (conf = 0; conf < 2; conf++) {
		begin("long %s gate%x cpl%x rpl%x dpl%x%s", name, gdpl, cpl, rpl, dpl,
		      conf ? " conf" : "");
		start(cpl, is_compat, c);
		set_gate(SEL_X, SEL_T, M_CODE + TARGET, 12, gdpl);
		set_gdt(SEL_T, desc(0, 0xfffff, code_access(conf) | DPL(dpl), FL_G | FL_L));
		far_pointer(SEL_X | rpl, 0x12345678);
		run();
		show_pushed(4, 8);
	}
}

static void gate_oddities(const char *name, struct code c, bool is_compat)
{
	static const char *const list[] = {
		"target 32", "target L+D", "target data", "target np", "target null", "upper type",
		"upper bits", "noncanonical", "last in gdt", "stack noncanonical", "stack unaligned",
		"count",
	};
	struct tss64 *t = (struct tss64 *)M_TSS;
	u32 i, cpl;

	for (i = 0; i < sizeof(list) / sizeof(list[0]); i++)
	for (cpl = 0; cpl < 4; cpl += 3) {
		u64 target = desc(0, 0xfffff, ACC_CODE, FL_G | FL_L);
		u16 sel = SEL_X;

		begin("long %s gate %s cpl%x", name, list[i], cpl);
		if (i == 1 && !need(NEED_VME))
			continue;
		start(cpl, is_compat, c);
		set_gate(SEL_X, i == 4 ? 0 : SEL_T, i == 7 ? NONCANONICAL : M_CODE + TARGET, 12, 3);
		if (i == 0)
			target = desc(0, 0xfffff, ACC_CODE, FL_G | FL_D);
		if (i == 1)
			target = desc(0, 0xfffff, ACC_CODE, FL_G | FL_D | FL_L);
		if (i == 2)
			target = desc(0, 0xfffff, ACC_DATA, FL_G | FL_L);
		if (i == 3)
			target = desc(0, 0xfffff, ACC_CODE ^ NOT_PRESENT, FL_G | FL_L);
		if (i == 5)
			mem32(M_GDT + SEL_X + 12) = 0x1000;
		if (i == 6)
			mem32(M_GDT + SEL_X + 12) = 0xffffe0ff;
		if (i == 8) {
			sel = 0xff8;
			set_gdt(0xff8, get_gdt(SEL_X));
		}
		if (i == 9)
			t->rsp[0] = NONCANONICAL + 0x1000;
		if (i == 10)
			t->rsp[0] = M_KSTACK - 3;
		if (i == 11)
			set_gdt(SEL_X, get_gdt(SEL_X) | 31ull << 32);
		set_gdt(SEL_T, target);
		far_pointer(sel | cpl, 0);
		run();
		show_pushed(4, 8);
		set_gdt(0xff8, 0);
	}
}

/* Returns to every ring and to both kinds of code. */
static void returns(const char *name, struct code c, bool is_compat, int size, bool is_iret)
{
	u32 cpl, rpl, dpl, conf, k, seg;

	for (k = 0; k < 3; k++)
	for (cpl = 0; cpl < 4; cpl++)
	for (rpl = 0; rpl < 4; rpl++)
	for (dpl = 0; dpl < 4; dpl += k ? 3 : 1)
	for (conf = 0; conf < 2; conf++) {
		if (k && (cpl % 3 || rpl % 3))
			continue;
		begin("long %s to %s cpl%x rpl%x dpl%x%s", name, kinds[k].name, cpl, rpl, dpl,
		      conf ? " conf" : "");
		if (!need(kinds[k].needs))
			continue;
		start(cpl, is_compat, c);
		set_gdt(SEL_X, desc(0, 0xfffff, code_access(conf) | DPL(dpl) | 1, FL_G | kinds[k].flags));
		push(SEL_D(rpl) | rpl, size);
		push(M_STACK1, size);
		if (is_iret)
			push(0x3ed7, size);	/* all but TF, NT: what may change? */
		push(SEL_X | rpl, size);
		push(M_CODE + TARGET, size);
		for (seg = 0; seg < 4; seg++)
			(&in.ds)[seg] = SEL_D(seg) | seg;
		run();
		show();
	}
}

/* SS of a return: null is allowed to 64-bit code in rings 0 to 2. */
static void return_stack(const char *name, struct code c, bool is_compat, int size, bool is_iret)
{
	static const struct { const char *name; u8 access; u16 sel; } list[] = {
		{ "null", 0, 0 }, { "dpl bad", ACC_DATA | DPL(2), SEL_X + 8 },
		{ "rpl bad", ACC_DATA, SEL_X + 8 }, { "readonly", 0x90, SEL_X + 8 },
		{ "code", ACC_CODE, SEL_X + 8 }, { "system", 0x82, SEL_X + 8 },
		{ "np", ACC_DATA ^ NOT_PRESENT, SEL_X + 8 }, { "out", 0, 0x1000 },
	};
	u32 i, cpl, to, k;

	for (i = 0; i < sizeof(list) / sizeof(list[0]); i++)
	for (cpl = 0; cpl < 4; cpl++)
	for (to = cpl; to < 4; to++)
	for (k = 0; k < 2; k++) {
		u32 access = list[i].access;

		begin("long %s ss %s cpl%x to %x %s", name, list[i].name, cpl, to, kinds[k].name);
		start(cpl, is_compat, c);
		access |= (access & 0x10) >> 4;
		if (access && i != 1)
			access |= DPL(to);
		else if (access && to == 2)
			access ^= DPL(2);
		set_gdt(SEL_X, desc(0, 0xfffff, ACC_CODE | DPL(to) | 1, FL_G | kinds[k].flags));
		set_gdt(SEL_X + 8, desc(0, 0xfffff, access, FL_G | FL_D));
		push(list[i].sel | (i == 2 ? to ^ 1 : to), size);
		push(M_STACK1, size);
		if (is_iret)
			push(2, size);
		push(SEL_X | to, size);
		push(M_CODE + TARGET, size);
		run();
		show();
	}
}

static void return_code(const char *name, struct code c, bool is_compat, int size, bool is_iret)
{
	static const struct { const char *name; u8 access; u16 sel; } list[] = {
		{ "null", 0, 0 }, { "null3", 0, 3 }, { "data", ACC_DATA, SEL_X },
		{ "system", 0x82, SEL_X }, { "np", ACC_CODE ^ NOT_PRESENT, SEL_X },
		{ "execute only", 0x98, SEL_X }, { "out", 0, 0x1000 }, { "tss", 0, SEL_TSS },
		{ "noncanonical", ACC_CODE, SEL_X }, { "noncanonical outer", ACC_CODE | DPL(3), SEL_X | 3 },
		{ "nt", ACC_CODE, SEL_X },
	};
	u32 i;

	for (i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		if (size == 4 && (i == 8 || i == 9))
			continue;
		begin("long %s cs %s", name, list[i].name);
		start(0, is_compat, c);
		set_gdt(SEL_X, desc(0, 0xfffff, list[i].access | (list[i].access & 0x10) >> 4, FL_G | FL_L));
		push(SEL_D(list[i].sel & 3) | (list[i].sel & 3), size);
		push(M_STACK1, size);
		if (is_iret)
			push(2, size);
		push(list[i].sel, size);
		push(i == 8 || i == 9 ? NONCANONICAL : M_CODE + TARGET, size);
		if (i == 10)
			in.fl |= FL_NT;
		run();
		show();
	}
}

/* Stacks at odd addresses, non-canonical stacks, large offsets. */
static void others(void)
{
	static const struct { const char *name; const struct code *c; } list[] = {
		{ "lretq", &ret64 }, { "lretl", &ret64_l }, { "lretw", &ret64_w }, { "lretq 8", &ret64_8 },
		{ "iretq", &iret64 }, { "call", &call64 }, { "callw", &call64w }, { "jmpw", &jmp64w },
		{ "jmp16", &jmp64_16 },
	};
	u32 i, j;

	for (i = 0; i < 6; i++) {
		begin("long %s stack noncanonical", list[i].name);
		start(0, false, *list[i].c);
		far_pointer(SEL_C(0), M_CODE + TARGET);
		in.r[SP] = NONCANONICAL + 8 * (i == 5);
		run();
		show();
	}
	/* operand sizes: the offset's width in memory, and of what is pushed */
	for (i = 6; i < 9; i++)
	for (j = 0; j < 4; j += 3) {
		begin("long %s cpl%x", list[i].name, j);
		start(j, false, *list[i].c);
		far_pointer(SEL_C(j) | j, M_CODE + TARGET);
		mem16(M_DATA + 2) = i == 8 ? SEL_C(j) | j : M_CODE >> 16;
		mem16(M_DATA + 8) = SEL_C(j) | j;
		if (i == 8)
			mem16(M_DATA) = 0x1234;
		mem16(0x1234) = 0x0b0f;
		run();
		show_pushed(2, 8);
	}
	begin("long lretq 8 outer");
	start(0, false, ret64_8);
	push(SEL_D(3) | 3, 8);
	push(M_STACK1, 8);
	push(0, 8);
	push(SEL_C(3) | 3, 8);
	push(M_CODE + TARGET, 8);
	run();
	show();
	for (j = 0; j < 4; j += 3) {
		begin("long jmp imm compat cpl%x", j);
		start(j, true, jmp_imm);
		set_gdt(SEL_X + 8, desc(0, 0xfffff, ACC_CODE | DPL(j), FL_G | FL_L));
		run();
		show();
	}
	for (i = 0; i < 2; i++)
	for (j = 0; j < 4; j += 3) {
		begin("long call16 compat to %s cpl%x", kinds[i].name, j);
		start(j, true, call32_16);
		set_gdt(SEL_X, desc(M_CODE, 0xffff, ACC_CODE | DPL(j), kinds[i].flags));
		mem16(M_DATA) = TARGET;
		mem16(M_DATA + 2) = SEL_X | j;
		mem16(TARGET) = 0x0b0f;
		run();
		show_pushed(2, 2);
	}
}

void rings64(void)
{
	direct("jmp", jmp64, false);
	direct("call", call64, false);
	direct("jmp compat", jmp32, true);
	direct("call compat", call32, true);
	types("jmp", jmp64, false);
	types("call", call64, false);
	types("call compat", call32, true);
	selectors("jmp", jmp64, false);
	selectors("call", call64, false);
	selectors("call compat", call32, true);
	gates("jmp", jmp64, false);
	gates("call", call64, false);
	gates("call compat", call32, true);
	gate_oddities("call", call64, false);
	gate_oddities("jmp", jmp64, false);
	gate_oddities("call compat", call32, true);
	returns("lretq", ret64, false, 8, false);
	returns("lretl", ret64_l, false, 4, false);
	returns("lret compat", ret32, true, 4, false);
	returns("iretq", iret64, false, 8, true);
	returns("iretl", iret64_l, false, 4, true);
	returns("iret compat", iret32, true, 4, true);
	return_stack("lretq", ret64, false, 8, false);
	return_stack("iretq", iret64, false, 8, true);
	return_stack("iretl", iret64_l, false, 4, true);
	return_stack("iret compat", iret32, true, 4, true);
	return_code("lretq", ret64, false, 8, false);
	return_code("iretq", iret64, false, 8, true);
	return_code("iretl", iret64_l, false, 4, true);
	return_code("iret compat", iret32, true, 4, true);
	others();
}
