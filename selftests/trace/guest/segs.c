// SPDX-License-Identifier: GPL-2.0
/* Segment registers, limits, and the instructions about descriptors: SDM vol. 3 chapter 5. */
#include "trace.h"

CODE(mov_es, NATIVE, "mov %ax, %es");
CODE(mov_ss, NATIVE, "mov %ax, %ss");
CODE(mov_ds, NATIVE, "mov %ax, %ds");
CODE(mov_fs, NATIVE, "mov %ax, %fs");
CODE(mov_gs, NATIVE, "mov %ax, %gs");
CODE(pop_fs, NATIVE, "push " REG(ax) "; pop %fs");
CODE(pop_ss, NATIVE, "push " REG(ax) "; .byte 0x17");	/* none in 64-bit code */
CODE(lfs, NATIVE, "lfs (%esi), %ebx");
CODE(lds, 32, "lds (%esi), %ebx");
CODE(lss, NATIVE, "lss (%esi), %ebx");
CODE(lldt, NATIVE, "lldt %ax");
CODE(ltr, NATIVE, "ltr %ax");
CODE(look, NATIVE, "lar %eax, %ebx; setz %ch; and $0xfff0ffff, %ebx; cmp %ebx, %ebx; lsl %eax, %edx; setz %cl; verr %ax; lahf; "
	       "mov %eax, %ebp; mov %edi, %eax; verw %ax; lahf; mov %eax, %edi; clc; test %esi, %esi");
CODE(arpl, 32, "arpl %bx, %ax");

/* Every kind of data and code segment into a register. */
static void loads(void)
{
	static const struct { const char *name; const struct code *c; } regs[] = {
		{ "ss", &mov_ss }, { "es", &mov_es },
	};
	u32 r, cpl, rpl, dpl, type;

	for (r = 0; r < 2; r++)
	for (cpl = 0; cpl < 4; cpl++)
	for (rpl = 0; rpl < 4; rpl++)
	for (dpl = 0; dpl < 4; dpl++)
	for (type = 0x10 + r; type < 0x20; type += 2) {
		begin(NAME("segs") " mov %s cpl%x rpl%x dpl%x type%x", regs[r].name, cpl, rpl, dpl, type);
		ring(cpl);
		code(*regs[r].c);
		set_gdt(SEL_X, desc(0, 0xfffff, 0x80 | DPL(dpl) | type, FL_G | FL_D));
		in.r[AX] = SEL_X | rpl;
		run();
		show();
	}
}

static void selectors(void)
{
	static const struct { const char *name; const struct code *c; } regs[] = {
		{ "ds", &mov_ds }, { "fs", &mov_fs }, { "gs", &mov_gs }, { "ss", &mov_ss },
		{ "pop fs", &pop_fs }, { "pop ss", &pop_ss }, { "lfs", &lfs }, { "lss", &lss },
		{ "lds", &lds },
	};
	static const struct { const char *name; u16 sel; u8 access; } list[] = {
		{ "null", 0, 0 }, { "null1", 1, 0 }, { "null3", 3, 0 }, { "out", 0x1000, 0 },
		{ "ldtout", 0x104, 0 }, { "ldt", 0xc, ACC_DATA }, { "np", SEL_X, ACC_DATA ^ NOT_PRESENT },
		{ "np code", SEL_X, ACC_CODE ^ NOT_PRESENT }, { "np exec", SEL_X, 0x98 ^ NOT_PRESENT },
		{ "tss", SEL_X, 0x89 }, { "gate", SEL_X, 0x8c }, { "zero", SEL_X, 0 },
		{ "ro", SEL_X, 0x90 }, { "conf", SEL_X, ACC_CODE_C }, { "exec", SEL_X, 0x98 },
		{ "down", SEL_X, ACC_DATA_ED }, { "data", SEL_X, ACC_DATA },
	};
	u32 r, i, cpl;

	for (cpl = 0; cpl < 4; cpl += 3)
	for (r = 0; r < sizeof(regs) / sizeof(regs[0]); r++)
	for (i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		u8 access = list[i].access | (list[i].access ? DPL(cpl) : 0);
		u16 sel = list[i].sel | (list[i].sel > 3 ? cpl : 0);

		begin(NAME("segs") " load %s %s cpl%x", regs[r].name, list[i].name, cpl);
		if (regs[r].c == &lds)
			compat(cpl);
		else
			ring(cpl);
		code(*regs[r].c);
		set_gdt(SEL_X, desc(0, 0xfffff, access, FL_G | FL_D));
		set_gdt(SEL_LDT, desc(M_LDT, 0xff, 0x82, 0));
		set_ldt(8, desc(0, 0xfffff, access, FL_G | FL_D));
		__asm__ volatile("lldt %w0" :: "r"(SEL_LDT));
		in.r[AX] = 0xabcd0000 | sel;
		in.r[SI] = M_DATA;
		mem32(M_DATA) = 0x12345678;
		mem16(M_DATA + 4) = sel;
		run();
		show();
	}
}

/* LAR, LSL, VERR, VERW of everything. */
static void looks(void)
{
	u32 cpl, rpl, dpl, type, p;

	for (cpl = 0; cpl < 4; cpl += 3)
	for (rpl = 0; rpl < 4; rpl += 3)
	for (dpl = 0; dpl < 4; dpl++)
	for (type = 0; type < 32; type++) {
		p = type != 0x12 || dpl != 1;
		begin(NAME("segs") " look cpl%x rpl%x dpl%x type%02x", cpl, rpl, dpl, type);
		ring(cpl);
		code(look);
		set_gdt(SEL_X, desc(0x12345678, type & 1 ? 0x12345 : 0x54321,
				    (p ? 0x80 : 0) | DPL(dpl) | type,
				    (type & 2 ? FL_G : 0) | (type & 4 ? FL_D : 0) | 1));
		in.r[AX] = SEL_X | rpl;
		in.r[DI] = SEL_X | rpl;
		run();
		show();
	}
	for (type = 0; type < 5; type++) {
		static const u16 sels[] = { 0, 3, 0x1000, 0xc, 0xff8 };

		begin(NAME("segs") " look at %x", sels[type]);
		code(look);
		in.r[AX] = in.r[DI] = sels[type];
		run();
		show();
	}
	for (type = 0; type < 16; type++) {
		begin(NAME("segs") " arpl %x %x", type & 3, type >> 2);
		compat(3);
		code(arpl);
		in.r[AX] = 0x12345670 | (type & 3);
		in.r[BX] = 0x87654320 | type >> 2;
		run();
		show();
	}
}

CODE(rd1, 32, "movb %ds:(%esi), %al");
CODE(rd2, 32, "movw %ds:(%esi), %ax");
CODE(rd4, 32, "movl %ds:(%esi), %eax");
CODE(rd8, 32, "bound %ebx, %ds:(%esi)");
CODE(wr1, 32, "movb %al, %ds:(%esi)");
CODE(wr4, 32, "movl %eax, %ds:(%esi)");
CODE(rmw, 32, "addl %eax, %ds:(%esi)");
CODE(ss4, 32, "movl %ss:(%esi), %eax");
CODE(push4, 32, "mov %esi, %esp; push %eax");
CODE(pop4, 32, "mov %esi, %esp; pop %eax");
CODE(call4, 32, "mov %esi, %esp; call 1f; 1:");
CODE(pusha4, 32, "mov %esi, %esp; pusha");
CODE(enter4, 32, "mov %esi, %esp; mov %esi, %ebp; enter $16, $3");
CODE(wr_cs, 32, "movl %eax, %cs:(%esi)");
CODE(rd_cs, 32, "movl %cs:(%esi), %eax");

static void limits(void)
{
	static const struct { const char *name; const struct code *c; bool stack; } ops[] = {
		{ "rd1", &rd1, false }, { "rd2", &rd2, false }, { "rd4", &rd4, false },
		{ "rd8", &rd8, false }, { "wr1", &wr1, false }, { "wr4", &wr4, false },
		{ "rmw", &rmw, false }, { "ss4", &ss4, true }, { "push", &push4, true },
		{ "pop", &pop4, true }, { "call", &call4, true }, { "pusha", &pusha4, true },
		{ "enter", &enter4, true },
	};
	static const int near[] = { -33, -32, -16, -8, -7, -5, -4, -3, -2, -1, 0, 1, 2, 4, 16, 20, 36 };
	u32 o, down, i, big;

	for (o = 0; o < sizeof(ops) / sizeof(ops[0]); o++)
	for (down = 0; down < 2; down++)
	for (big = 0; big < 2; big++)
	for (i = 0; i < sizeof(near) / sizeof(near[0]); i++) {
		/* the stack of a case must hold IRET's frame: its own ESP does */
		begin(NAME("segs") " limit %s %s %x at %x", ops[o].name, down ? "down" : "up", big ? 32 : 16,
		      (u32)near[i]);
		compat(3);
		code(*ops[o].c);
		set_gdt(SEL_X, desc(M_DATA - 0x1000, 0xfff + 0x100,
				    (down ? ACC_DATA_ED : ACC_DATA) | DPL(3), big ? FL_D : 0));
		if (ops[o].stack)
			in.ss = SEL_X | 3;
		else
			in.ds = SEL_X | 3;
		memset((void *)(M_DATA + 0x80), 0, 0x100);
		mem64(M_DATA + 0xf8) = 0x0123456789abcdef;
		mem64(M_DATA + 0x100) = 0xfedcba9876543210;
		in.r[AX] = 0x11223344;
		in.r[SI] = 0x1100 + near[i];
		in.r[SP] = 0x1100;
		run();
		show_outcome();
		hide = 1u << BP;
		show_changes();
		/* what a fault in the middle of PUSHA or ENTER leaves is the model's choice */
		if (o < 11 || out.vec == 6)
			line(" %llx %llx", mem64(M_DATA + 0xf8), mem64(M_DATA + 0x100));
		end_line();
	}
	/* the top of the address space, and wrapping */
	for (o = 0; o < 7; o++)
	for (i = 0; i < 4; i++) {
		begin(NAME("segs") " wrap %s at %x", ops[o].name, i);
		compat(3);
		code(*ops[o].c);
		set_gdt(SEL_X, desc(M_DATA, i & 1 ? 0xfffff : 0xfffff, ACC_DATA | DPL(3), i & 2 ? 0 : FL_G));
		in.ds = SEL_X | 3;
		mem32(M_DATA - 4) = 0x55667788;
		mem32(M_DATA) = 0x99aabbcc;
		in.r[SI] = 0xffffffff - (i & 1);
		run();
		show();
	}
}

static void types(void)
{
	static const struct { const char *name; const struct code *c; } ops[] = {
		{ "rd", &rd4 }, { "wr", &wr4 }, { "rmw", &rmw },
	};
	static const u8 list[] = { 0x90, 0x92, 0x94, 0x96, 0x98, 0x9a, 0x9c, 0x9e };
	u32 o, t;

	for (o = 0; o < 3; o++)
	for (t = 0; t < 8; t++) {
		if (list[t] == 0x98 || list[t] == 0x9c)
			continue;	/* cannot be loaded into DS */
		begin(NAME("segs") " %s through type %x", ops[o].name, list[t]);
		compat(3);
		code(*ops[o].c);
		set_gdt(SEL_X, desc(M_DATA, list[t] & 8 || !(list[t] & 4) ? 0xffff : 0,
				    list[t] | DPL(3), FL_D));
		in.ds = SEL_X | 3;
		in.r[SI] = 0x100;
		mem32(M_DATA + 0x100) = 0;
		run();
		show();
	}
	for (o = 0; o < 3; o++) {
		begin(NAME("segs") " %s through null", ops[o].name);
		compat(3);
		code(*ops[o].c);
		in.ds = 0;
		in.r[SI] = M_DATA;
		run();
		show();
	}
	for (t = 0; t < 2; t++) {
		begin(NAME("segs") " %s cs execute only", t ? "write" : "read");
		compat(3);
		code(t ? wr_cs : rd_cs);
		set_gdt(SEL_X, desc(0, 0xfffff, 0x98 | DPL(3), FL_G | FL_D));
		in.cs = SEL_X | 3;
		in.r[SI] = M_DATA;
		mem32(M_DATA) = 0x1234;
		run();
		show();
		begin(NAME("segs") " %s cs readable", t ? "write" : "read");
		compat(3);
		code(t ? wr_cs : rd_cs);
		in.r[SI] = M_DATA;
		mem32(M_DATA) = 0x1234;
		run();
		show();
	}
}

CODE(nops, 32, "nop; nop; nop; nop; movl $0x12345678, %eax; jmp .+0x30");

static void fetch_limit(void)
{
	u32 i;

	for (i = 0; i < 12; i++) {
		begin(NAME("segs") " code limit %x", i);
		compat(3);
		code(nops);
		set_gdt(SEL_X, desc(M_CODE, i, ACC_CODE | DPL(3), FL_D));
		in.cs = SEL_X | 3;
		in.ip = 0;
		run();
		show();
	}
}

static void system_registers(void)
{
	static const struct { const char *name; const struct code *c; } ops[] = {
		{ "lldt", &lldt }, { "ltr", &ltr },
	};
	static const u16 odd[] = { 0, 3, 0x1000, 0xc };
	u32 o, type, cpl, p, i;

	for (o = 0; o < 2; o++)
	for (type = 0; type < 32; type++)
	for (p = 0; p < 2; p++) {
		begin(NAME("segs") " %s type%02x%s", ops[o].name, type, p ? "" : " np");
		code(*ops[o].c);
		set_gdt(SEL_X, desc(M_TSS2, 0x67, (p ? 0x80 : 0) | type, 0));
		memcpy((void *)M_TSS2, (void *)M_TSS, 0x68);	/* its stacks may be needed */
		in.r[AX] = SEL_X;
		run();
		if (out.tr == SEL_X)
			out.tr = SEL_TSS;	/* shown by the busy bit */
		show();
	}
	for (o = 0; o < 2; o++)
	for (i = 0; i < 4; i++) {
		begin(NAME("segs") " %s selector %x", ops[o].name, odd[i]);
		/* QEMU's TCG, which has no VME, loads a null TR, and ends itself at the UD2 */
		if (NATIVE == 64 && o && i < 2 && !need(NEED_VME))
			continue;
		code(*ops[o].c);
		set_ldt(8, desc(M_TSS2, 0x67, o ? 0x89 : 0x82, 0));
		memcpy((void *)M_TSS2, (void *)M_TSS, 0x68);
		__asm__ volatile("lldt %w0" :: "r"(SEL_LDT));
		in.r[AX] = odd[i];
		run();
		show();
	}
	for (o = 0; o < 2; o++)
	for (cpl = 1; cpl < 4; cpl++) {
		begin(NAME("segs") " %s cpl%x", ops[o].name, cpl);
		ring(cpl);
		code(*ops[o].c);
		run();
		show();
	}
}

CODE(sldt, NATIVE, "sldt %eax");
CODE(sldt16, NATIVE, "sldt %ax");
CODE(str, NATIVE, "str %eax");
CODE(smsw, NATIVE, "smsw %eax");
CODE(smsw16, NATIVE, "smsw %ax");
CODE(sgdt, NATIVE, "sgdt (%esi)");
CODE(sidt, NATIVE, "sidt (%esi)");
CODE(sldt_m, NATIVE, "sldt (%esi)");
CODE(str_m, NATIVE, "str (%esi)");
CODE(smsw_m, NATIVE, "smsw (%esi)");
CODE(sgdt16, NATIVE, "data16 sgdt (%esi)");
CODE(lgdt, NATIVE, "lgdt (%esi)");
CODE(lgdt16, NATIVE, "data16 lgdt (%esi)");
CODE(mov_ax_es, NATIVE, "mov %es, %eax");
CODE(mov_ax_es16, NATIVE, "mov %es, %ax");
CODE(mov_m_es, NATIVE, "mov %es, (%esi)");
CODE(push_fs, NATIVE, "push %fs");
CODE(push_fs16, NATIVE, "pushw %fs");
CODE(pop_fs16, NATIVE, "pushw %ax; popw %fs");

static void stores(void)
{
	static const struct { const char *name; const struct code *c; } ops[] = {
		{ "sldt", &sldt }, { "sldt16", &sldt16 }, { "str", &str }, { "smsw", &smsw },
		{ "smsw16", &smsw16 }, { "sgdt", &sgdt }, { "sidt", &sidt }, { "sldt mem", &sldt_m },
		{ "str mem", &str_m }, { "smsw mem", &smsw_m }, { "sgdt16", &sgdt16 },
		{ "mov reg", &mov_ax_es }, { "mov reg16", &mov_ax_es16 }, { "mov mem", &mov_m_es },
		{ "push", &push_fs }, { "push16", &push_fs16 }, { "pop16", &pop_fs16 },
	};
	u32 o, cpl, umip;

	for (umip = 0; umip < 2; umip++)
	for (cpl = 0; cpl < 4; cpl += 3)
	for (o = 0; o < sizeof(ops) / sizeof(ops[0]); o++) {
		if (umip && o > 10)
			break;
		begin(NAME("segs") " store %s cpl%x%s", ops[o].name, cpl, umip ? " umip" : "");
		if (umip && !need(NEED_UMIP))
			continue;
		ring(cpl);
		code(*ops[o].c);
		mem64(M_DATA) = 0xaaaaaaaaaaaaaaaa;
		in.r[SP] = M_STACK - 0x40;
		mem64(M_STACK - 0x48) = 0xaaaaaaaaaaaaaaaa;
		in.r[SI] = M_DATA;
		in.r[AX] = 0xaaaa0000 | SEL_D(3) | 3;
		if (umip)
			set_cr4(CR4_UMIP);
		run();
		show_outcome();
		show_changes();
		line(" %llx", mem64(M_DATA));
		if (out.r[SP] != in.r[SP])
			show_stack(1, 2);	/* the upper half may stay what it was */
		end_line();
	}
	for (cpl = 0; cpl < 4; cpl += 3)
	for (o = 0; o < 2; o++) {
		begin(NAME("segs") " lgdt%s cpl%x", o ? "16" : "", cpl);
		ring(cpl);
		code(o ? lgdt16 : lgdt);
		mem16(M_DATA) = 0xfff;
		mem32(M_DATA + 2) = 0xff000000 | M_GDT;
		if (!o || NATIVE == 64)
			mem64(M_DATA + 2) = M_GDT;
		in.r[SI] = M_DATA;
		run();
		show();
	}
}

void segs(void)
{
	loads();
	selectors();
	looks();
	limits();
	types();
	fetch_limit();
	system_registers();
	stores();
}
