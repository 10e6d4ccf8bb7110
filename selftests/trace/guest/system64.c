// SPDX-License-Identifier: GPL-2.0
/*
 * What long mode has of its own among system registers, descriptors of 16 bytes,
 * segment bases and opcodes: SDM vol. 3 §2.5, §3.4.4, §3.5.2, §7.2.3, §17.2.6,
 * vol. 2 appendix A.
 */
#include "trace.h"

#define HIGH	0xffff800000000000ull

CODE(mov_cr0, 64, "mov %rax, %cr0");
CODE(mov_cr3, 64, "mov %rax, %cr3");
CODE(mov_cr4, 64, "mov %rax, %cr4");
CODE(mov_cr8, 64, "mov %rax, %cr8; mov %cr8, %rbx");
CODE(get_cr8, 64, "mov %cr8, %rbx");
CODE(wrmsr_, 64, "wrmsr");

static void control_registers(void)
{
	static const u64 cr8[] = { 0, 1, 0xf, 0x10, 0x80000000, 1ull << 32, 1ull << 63, ~0ull };
	static const u64 cr0[] = {
		0x31, 0x30, 0x80000030, 0x80000031, 1ull << 32 | 0x80000031, 1ull << 63 | 0x80000031,
		0xa0000031, 0xe0000031,
	};
	static const u8 cr3[] = { 0, 3, 4, 5, 11, 52, 53, 60, 63 };
	static const u64 cr4[] = { 0, CR4_PAE | CR4_LA57, CR4_PAE | 1ull << 32, CR4_PAE | 1ull << 63 };
	u32 i, cpl;

	for (i = 0; i < sizeof(cr8) / sizeof(cr8[0]); i++)
	for (cpl = 0; cpl < 4; cpl += 3) {
		begin("system64 cr8 %llx cpl%x", cr8[i], cpl);
		ring(cpl);
		code(mov_cr8);
		in.r[AX] = cr8[i];
		run();
		show();
		__asm__ volatile("mov %0, %%cr8" :: "r"(0ul));
	}
	for (cpl = 1; cpl < 4; cpl++) {
		begin("system64 read cr8 cpl%x", cpl);
		ring(cpl);
		code(get_cr8);
		run();
		show();
	}
	for (i = 0; i < sizeof(cr0) / sizeof(cr0[0]); i++) {
		begin("system64 cr0 %llx", cr0[i]);
		/* QEMU's TCG, which has no VME, clears PG and is lost */
		if (i < 3 && !need(NEED_VME))
			continue;
		code(mov_cr0);
		in.r[AX] = cr0[i];
		run();
		show_outcome();
		line(" cr0=%lx", read_cr0());
		end_line();
	}
	for (i = 0; i < sizeof(cr3); i++) {
		begin("system64 cr3 bit%x", cr3[i]);
		/* QEMU's TCG, which has no VME, looks at none of these, and is lost */
		if (cr3[i] >= 52 && !need(NEED_VME))
			continue;
		code(mov_cr3);
		in.r[AX] = M_PML4 | 1ull << cr3[i];
		run();
		show_outcome();
		line(" cr3=%lx", read_cr3());
		end_line();
	}
	for (i = 0; i < sizeof(cr4) / sizeof(cr4[0]); i++) {
		begin("system64 cr4 %llx", cr4[i]);
		/* QEMU's TCG, which has no VME, is lost without PAE or with a reserved bit */
		if (!need(NEED_VME))
			continue;
		code(mov_cr4);
		in.r[AX] = cr4[i];
		run();
		show_outcome();
		line(" cr4=%lx", read_cr4());
		end_line();
	}
	begin("system64 efer without lme");
	code(wrmsr_);
	in.r[CX] = EFER;
	in.r[AX] = EFER_LMA;
	run();
	show();
}

static void debug_registers(void)
{
	static const u64 values[] = {
		0x123456789abcdef0, NONCANONICAL, 1ull << 63 | 0x400, 1ull << 32 | 0x400, 0xffffffff00000400,
	};
	u32 n, i;

	for (n = 0; n < 8; n++)
	for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		/* MOV to DRn, MOV from it into RBX */
		u8 text[6] = { 0x0f, 0x23, 0xc0 | n << 3, 0x0f, 0x21, 0xc3 | n << 3 };

		if (n == 4 || n == 5)
			continue;
		begin("system64 dr%x %llx", n, values[i]);
		debug_used = true;
		code_bytes(text, 6);
		in.r[AX] = values[i];
		run();
		show();
	}
}

/* ---- descriptors of 16 bytes ---- */

CODE(lldt, 64, "lldt %ax");
CODE(ltr, 64, "ltr %ax");
CODE(lldt_load, 64, "lldt %ax; mov %ebx, %es");
CODE(look, 64, "lar %eax, %ebx; setz %ch; lsl %eax, %edx; setz %cl; test %esi, %esi");
CODE(lgdt_load, 64, "lgdt (%rsi); mov %ebx, %es");
CODE(lidt_int, 64, "lidt (%rsi); int $0x40");

static void wide(void)
{
	static const struct { const char *name; const struct code *c; u8 access; } ops[] = {
		{ "lldt", &lldt, 0x82 }, { "ltr", &ltr, 0x89 }, { "look ldt", &look, 0x82 },
		{ "look tss", &look, 0x89 }, { "look busy", &look, 0x8b }, { "look gate", &look, 0x8c },
	};
	u32 o, i;

	for (o = 0; o < sizeof(ops) / sizeof(ops[0]); o++)
	for (i = 0; i < 34; i++) {
		u16 sel = SEL_X;

		if (i < 32)
			begin("system64 %s upper bit%x", ops[o].name, i);
		else
			begin("system64 %s %s", ops[o].name, i == 32 ? "noncanonical" : "cut by the limit");
		/* QEMU's TCG, which has no VME, checks no base: no stack to fault on then */
		if (ops[o].c == &ltr && (i == 32 || (i >= 8 && i < 13)) && !need(NEED_VME))
			continue;
		code(*ops[o].c);
		memcpy((void *)M_TSS2, (void *)M_TSS, 0x68);
		if (i == 33)
			sel = 0xff8;
		set_gdt(sel, desc(M_TSS2, 0x67, ops[o].access, 0));
		if (i < 32)
			mem32(M_GDT + SEL_X + 12) = 1u << i;
		if (i == 32)
			mem32(M_GDT + SEL_X + 8) = 0x8000;
		in.r[AX] = sel;
		in.r[BX] = in.r[DX] = 0x5555555555555555;
		run();
		if (out.tr == SEL_X)
			out.tr = SEL_TSS;
		show();
		set_gdt(0xff8, 0);
	}
	/* bases in the upper half of the address space, used */
	mem64(M_PML4 + 256 * 8) = M_PDPT | 7;
	for (o = 0; o < 4; o++) {
		static const char *const names[] = { "ldt", "tss", "gdt", "idt" };

		begin("system64 high %s", names[o]);
		in.r[SI] = M_DATA + 0x100;
		if (o == 0) {
			code(lldt_load);
			set_wide(M_GDT + SEL_X, desc(M_LDT, 0xff, 0x82, 0), HIGH >> 32);
			set_ldt(8, desc(0, 0xfffff, ACC_DATA, FL_G | FL_D));
			in.r[AX] = SEL_X;
			in.r[BX] = 0xc;
		} else if (o == 1) {
			code(ltr);
			memcpy((void *)M_TSS2, (void *)M_TSS, 0x68);
			((struct tss64 *)M_TSS2)->ist[0] += HIGH;
			set_wide(M_GDT + SEL_X, desc(M_TSS2, 0x67, 0x89, 0), HIGH >> 32);
			in.r[AX] = SEL_X;
		} else if (o == 2) {
			code(lgdt_load);
			mem16(in.r[SI]) = 0xfff;
			mem64(in.r[SI] + 2) = HIGH + M_GDT;
			in.r[BX] = SEL_X;
			set_gdt(SEL_X, desc(0, 0xfffff, ACC_DATA, FL_G | FL_D));
		} else {
			code(lidt_int);
			mem16(in.r[SI]) = 0xfff;
			mem64(in.r[SI] + 2) = HIGH + M_IDT;
		}
		run();
		show_outcome();
		show_changes();
		line(" sp=%llx", (u64)out.hsp);
		end_line();
	}
	mem64(M_PML4 + 256 * 8) = 0;
	write_cr3(M_PML4);
}

/* ---- FS, GS and the segments that have no base ---- */

CODE(load_ds, 64, "movq (%rsi), %rax");
CODE(load_es, 64, "movq %es:(%rsi), %rax");
CODE(load_cs, 64, "movq %cs:(%rsi), %rax");
CODE(load_ss, 64, "movq %ss:(%rsi), %rax");
CODE(load_fs, 64, "movq %fs:(%rsi), %rax");
CODE(load_gs, 64, "movq %gs:(%rsi), %rax");
CODE(load_gs32, 64, "movq %gs:(%esi), %rax");
CODE(store_ds, 64, "movq %rax, (%rsi)");
CODE(store_fs, 64, "movq %rax, %fs:(%rsi)");
CODE(store_cs, 64, "movq %rax, %cs:(%rsi)");
CODE(lea_gs, 64, ".byte 0x65; leaq (%rsi), %rax");
CODE(lods_fs, 64, "fs lodsq");
CODE(movs_gs, 64, "mov $2, %ecx; rep movsq %gs:(%rsi), %es:(%rdi)");
CODE(swapgs, 64, "swapgs");
CODE(swapgs32, 32, ".byte 0x0f, 0x01, 0xf8");
CODE(rdbase, 64, "rdfsbase %rax; rdgsbase %rbx");
CODE(rdbase32, 64, "rdfsbase %eax; rdgsbase %ebx");
CODE(wrfs, 64, "wrfsbase %rax; rdfsbase %rbx");
CODE(wrgs, 64, "wrgsbase %rax; rdgsbase %rbx");
CODE(wrfs32, 64, "wrfsbase %eax; rdfsbase %rbx");
CODE(rdbase_compat, 32, ".byte 0xf3, 0x0f, 0xae, 0xc0");
CODE(mov_fs, 64, "mov %ebx, %fs");
CODE(mov_gs, 64, "mov %ebx, %gs");

static void bases(void)
{
	static const struct { const char *name; const struct code *c; } ops[] = {
		{ "ds", &load_ds }, { "es", &load_es }, { "cs", &load_cs }, { "ss", &load_ss },
		{ "fs", &load_fs }, { "gs", &load_gs }, { "gs addr32", &load_gs32 },
		{ "store ds", &store_ds }, { "store fs", &store_fs }, { "store cs", &store_cs },
		{ "lea gs", &lea_gs }, { "lods fs", &lods_fs }, { "movs gs", &movs_gs },
	};
	static const u64 at[] = { 0, 0x1000, 0x100000000, HIGH, NONCANONICAL - 0x1000 };
	u32 o, i, cpl;

	for (o = 0; o < sizeof(ops) / sizeof(ops[0]); o++)
	for (i = 0; i < sizeof(at) / sizeof(at[0]); i++)
	for (cpl = 0; cpl < 4; cpl += 3) {
		begin("system64 base %llx through %s cpl%x", at[i], ops[o].name, cpl);
		ring(cpl);
		code(*ops[o].c);
		set_bases(at[i], at[i], 0);
		in.r[SI] = M_DATA - at[i];
		if (o == 10 || o < 4 || o == 7 || o == 9)
			in.r[SI] = M_DATA;
		in.r[DI] = M_DATA + 0x100;
		in.r[AX] = 0x123456789abcdef0;
		mem64(M_DATA) = 0x1111111122222222;
		mem64(M_DATA + 8) = 0x3333333344444444;
		mem64(M_DATA + 0x108) = 0;
		run();
		show_outcome();
		show_changes();
		line(" %llx %llx", mem64(M_DATA), mem64(M_DATA + 0x108));
		end_line();
	}
	/* segments of 64-bit code: base, limit, type and null selectors do not count */
	for (o = 0; o < 6; o++)
	for (i = 0; i < 5; i++) {
		static const struct { const char *name; u16 sel; u8 access; } list[] = {
			{ "null", 0, 0 }, { "null3", 3, 0 }, { "base", SEL_X | 3, ACC_DATA | DPL(3) },
			{ "ro", SEL_X | 3, 0x90 | DPL(3) }, { "code", SEL_X | 3, ACC_CODE | DPL(3) },
		};
		static const u8 through[] = { 0, 1, 4, 5, 7, 8 };

		begin("system64 %s segment through %s", list[i].name, ops[through[o]].name);
		ring(3);
		code(*ops[through[o]].c);
		set_gdt(SEL_X, desc(0x1000, 0, list[i].access, FL_D));
		in.ds = in.es = in.fs = in.gs = list[i].sel;
		in.r[SI] = M_DATA;
		mem64(M_DATA) = 1;
		mem64(M_DATA + 0x1000) = 2;
		mem64(M_DATA - 0x1000) = 3;
		run();
		show();
	}
}

static void show_bases(void)
{
	show_outcome();
	show_changes();
	line(" fs=%llx gs=%llx kernel=%llx", rdmsr(MSR_FS_BASE), rdmsr(MSR_GS_BASE),
	     rdmsr(MSR_KERNEL_GS));
	end_line();
}

static void base_moves(void)
{
	static const struct { const char *name; const struct code *c; bool is_compat, by_cr4; } ops[] = {
		{ "swapgs", &swapgs, false, false }, { "swapgs compat", &swapgs32, true, false },
		{ "rdbase", &rdbase, false, true }, { "rdbase32", &rdbase32, false, true },
		{ "wrfs", &wrfs, false, true }, { "wrgs", &wrgs, false, true },
		{ "wrfs32", &wrfs32, false, true }, { "rdbase compat", &rdbase_compat, true, true },
	};
	static const u64 values[] = { 0x123456789abc, NONCANONICAL, HIGH, HIGH - 1, 1ull << 63 };
	static const struct { const char *name; u16 sel; } list[] = {
		{ "null", 0 }, { "null3", 3 }, { "base", SEL_X | 3 }, { "gdt out", 0x1000 },
	};
	u32 o, i, cpl, on;

	for (o = 0; o < sizeof(ops) / sizeof(ops[0]); o++)
	for (cpl = 0; cpl < 4; cpl++)
	for (on = 0; on < 2; on++)
	for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		if ((!on || o < 4 || o == 7) && i)
			break;
		if (!ops[o].by_cr4 && on)
			break;
		begin("system64 %s %llx cpl%x%s", ops[o].name, values[i], cpl, on ? " fsgsbase" : "");
		if (on && !need(NEED_FSGSBASE))
			continue;
		if (ops[o].is_compat)
			compat(cpl);
		else
			ring(cpl);
		code(*ops[o].c);
		set_bases(0x111122223333, HIGH + 5, 0x444455556666);
		in.r[AX] = values[i];
		in.r[BX] = 0x7777777788888888;
		if (on)
			set_cr4(CR4_FSGSBASE);
		run();
		show_bases();
	}
	for (o = 0; o < 2; o++)
	for (i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		begin("system64 load %s %s", o ? "gs" : "fs", list[i].name);
		ring(3);
		code(o ? mov_gs : mov_fs);
		set_bases(0x111122223333, HIGH + 5, 0x444455556666);
		set_gdt(SEL_X, desc(0x87654321, 0xfffff, ACC_DATA | DPL(3), FL_G | FL_D));
		in.r[BX] = list[i].sel;
		run();
		show_bases();
	}
}

/* ---- opcodes ---- */

static void opcodes(void)
{
	static const struct { u8 n, text[12]; } list[] = {
		/* what is none in 64-bit code */
		{ 1, { 0x06 } }, { 1, { 0x07 } }, { 1, { 0x0e } }, { 1, { 0x16 } }, { 1, { 0x17 } },
		{ 1, { 0x1e } }, { 1, { 0x1f } }, { 1, { 0x27 } }, { 1, { 0x2f } }, { 1, { 0x37 } },
		{ 1, { 0x3f } }, { 1, { 0x60 } }, { 1, { 0x61 } }, { 3, { 0x82, 0xc0, 5 } },
		{ 7, { 0x9a, 0, 0, 0, 0, 0, 0 } }, { 1, { 0xce } }, { 2, { 0xd4, 10 } }, { 2, { 0xd5, 10 } },
		{ 7, { 0xea, 0, 0, 0, 0, 0, 0 } }, { 1, { 0xd6 } }, { 2, { 0x8e, 0xc8 } },
		{ 3, { 0x48, 0x8e, 0xc8 } }, { 2, { 0x8d, 0xc0 } }, { 2, { 0x0f, 0x0b } },
		{ 2, { 0x0f, 0x04 } }, { 2, { 0x0f, 0x0a } }, { 2, { 0x0f, 0x07 } }, { 2, { 0x0f, 0x37 } },
		/* REX: before the opcode, or it is nothing */
		{ 5, { 0x48, 0x66, 0xb8, 0x34, 0x12 } }, { 11, { 0x66, 0x48, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8 } },
		{ 6, { 0x48, 0x40, 0xb8, 1, 2, 3 } }, { 3, { 0x40, 0x88, 0xe0 } }, { 2, { 0x88, 0xe0 } },
		{ 2, { 0x41, 0x90 } }, { 2, { 0x48, 0x90 } }, { 3, { 0x66, 0x41, 0x90 } },
		{ 3, { 0x49, 0x66, 0x90 } }, { 3, { 0x44, 0x8e, 0xe0 } }, { 3, { 0x41, 0x8c, 0xd8 } },
		{ 3, { 0x48, 0x8c, 0xd8 } }, { 3, { 0x66, 0x8c, 0xd8 } }, { 3, { 0x44, 0x8c, 0xd8 } },
		{ 4, { 0x48, 0x2e, 0x89, 0xc3 } }, { 4, { 0x4f, 0x0f, 0xc8, 0x90 } },
		/* operand and address sizes */
		{ 2, { 0x63, 0xc1 } }, { 3, { 0x48, 0x63, 0xc1 } }, { 3, { 0x66, 0x63, 0xc1 } },
		{ 3, { 0x67, 0x63, 0x06 } }, { 2, { 0x66, 0x50 } }, { 3, { 0x66, 0x48, 0x50 } },
		{ 3, { 0x66, 0x6a, 0x80 } }, { 2, { 0x6a, 0x80 } }, { 5, { 0x68, 0, 0, 0, 0x80 } },
		{ 4, { 0x66, 0x68, 0x34, 0x92 } }, { 2, { 0x0f, 0xa0 } }, { 3, { 0x66, 0x0f, 0xa0 } },
		{ 2, { 0x66, 0x9c } }, { 2, { 0x48, 0x9c } }, { 2, { 0x67, 0xac } }, { 2, { 0x48, 0xaf } },
		{ 3, { 0x67, 0xe3, 0 } }, { 2, { 0xe3, 0 } }, { 3, { 0x67, 0xe2, 0 } }, { 2, { 0xe2, 0 } },
		{ 2, { 0xc9, 0x90 } }, { 4, { 0xc8, 0x10, 0, 1 } }, { 5, { 0x66, 0xc8, 0x10, 0, 0 } },
		{ 2, { 0x48, 0x98 } }, { 2, { 0x48, 0x99 } }, { 2, { 0x66, 0x98 } },
		/* the register of a moved control register is a register, whatever mod says */
		{ 3, { 0x0f, 0x20, 0x00 } }, { 3, { 0x0f, 0x21, 0x38 } }, { 4, { 0x41, 0x0f, 0x20, 0xc0 } },
		{ 4, { 0x44, 0x0f, 0x20, 0xc8 } }, { 4, { 0x44, 0x0f, 0x20, 0xd0 } },
		{ 4, { 0x44, 0x0f, 0x21, 0xc0 } }, { 4, { 0x66, 0x0f, 0x20, 0xc0 } },
		{ 4, { 0x67, 0x0f, 0x20, 0xc0 } }, { 4, { 0xf2, 0x0f, 0x20, 0xc0 } },
		{ 4, { 0xf3, 0x0f, 0x20, 0xc0 } }, { 4, { 0x2e, 0x0f, 0x20, 0xc0 } },
		/* prefixes before system instructions */
		{ 4, { 0x66, 0x0f, 0x01, 0xf8 } }, { 4, { 0xf2, 0x0f, 0x01, 0xf8 } },
		{ 4, { 0xf3, 0x0f, 0x01, 0xf8 } }, { 4, { 0x48, 0x0f, 0x01, 0xf8 } },
		{ 4, { 0xf0, 0x0f, 0x01, 0xf8 } }, { 3, { 0x66, 0x0f, 0x06 } }, { 3, { 0xf2, 0x0f, 0x06 } },
		{ 3, { 0xf3, 0x0f, 0x06 } }, { 3, { 0xf0, 0x0f, 0x06 } }, { 3, { 0x48, 0x0f, 0x06 } },
		{ 4, { 0x66, 0x0f, 0x01, 0xe0 } }, { 4, { 0x48, 0x0f, 0x01, 0xe0 } },
		{ 4, { 0x66, 0x0f, 0x00, 0xc0 } }, { 4, { 0x48, 0x0f, 0x00, 0xc0 } },
		{ 4, { 0x48, 0x0f, 0x00, 0xc8 } }, { 4, { 0x48, 0x0f, 0x00, 0x06 } },
		{ 4, { 0x67, 0x0f, 0x01, 0x06 } }, { 4, { 0x48, 0x0f, 0x01, 0x0e } },
		{ 4, { 0xf3, 0x0f, 0x01, 0x0e } }, { 4, { 0xf0, 0x0f, 0x01, 0x0e } },
		{ 4, { 0xf2, 0x0f, 0x01, 0x3e } }, { 4, { 0x48, 0x0f, 0x02, 0xc1 } },
		{ 4, { 0xf0, 0x0f, 0x02, 0xc1 } }, { 4, { 0xf0, 0x0f, 0x00, 0xe1 } },
		{ 2, { 0xf0, 0xfa } }, { 2, { 0xf0, 0x9d } }, { 2, { 0xf0, 0xcf } }, { 2, { 0xf0, 0xc3 } },
		{ 3, { 0xf0, 0xcd, 0x40 } }, { 3, { 0xf0, 0x0f, 0x05 } }, { 3, { 0xf0, 0x0f, 0x07 } },
		{ 3, { 0xf0, 0x0f, 0x30 } }, { 3, { 0xf0, 0x0f, 0xa2 } }, { 3, { 0xf0, 0x8e, 0xd8 } },
		{ 4, { 0xf0, 0x0f, 0x22, 0xc0 } }, { 4, { 0xf0, 0x0f, 0x23, 0xc0 } }, { 2, { 0xf0, 0x90 } },
		{ 3, { 0xf0, 0xe6, 0x80 } }, { 2, { 0xf0, 0xee } }, { 2, { 0xf0, 0xa4 } }, { 2, { 0xf0, 0xcc } },
		{ 3, { 0xf0, 0xeb, 0 } }, { 2, { 0xf0, 0x50 } }, { 2, { 0xf0, 0x58 } },
	};
	/* a near branch with an operand-size prefix, and where it may lead */
	static const struct { const char *name; u8 n, text[7]; } near[] = {
		{ "jmp8", 3, { 0x66, 0xeb, 2 } }, { "jmp", 6, { 0x66, 0xe9, 2, 0, 0, 0 } },
		{ "jcc8", 3, { 0x66, 0x75, 2 } }, { "jcc", 7, { 0x66, 0x0f, 0x85, 2, 0, 0, 0 } },
		{ "call", 6, { 0x66, 0xe8, 2, 0, 0, 0 } }, { "ret", 2, { 0x66, 0xc3 } },
		{ "jmp reg", 3, { 0x66, 0xff, 0xe1 } }, { "call reg", 3, { 0x66, 0xff, 0xd1 } },
		{ "loop", 3, { 0x66, 0xe2, 2 } },
	};
	u32 i, j, cpl;

	for (i = 0; i < sizeof(list) / sizeof(list[0]); i++)
	for (cpl = 0; cpl < 4; cpl += 3) {
		static char name[32];

		for (j = 0; j < list[i].n; j++) {
			name[2 * j] = "0123456789abcdef"[list[i].text[j] >> 4];
			name[2 * j + 1] = "0123456789abcdef"[list[i].text[j] & 15];
		}
		name[2 * j] = 0;
		begin("system64 opcode %s cpl%x", name, cpl);
		ring(cpl);
		code_bytes(list[i].text, list[i].n);
		in.r[SI] = in.r[DI] = in.r[BP] = M_DATA + 0x100;
		in.r[AX] = 0x1234567880808081;
		in.r[CX] = 0x1122334488776655;
		in.r[DX] = 0x80;
		in.r[R8] = 0xfedcba9876543210;
		mem64(M_DATA + 0x100) = 0x99aabbccddeeff00;
		in.r[SP] = M_STACK - 0x80;
		memset((void *)(M_STACK - 0xc0), 0x11, 0x80);
		set_bases(0, 0, 0);
		run();
		show_outcome();
		show_changes();
		line(" %llx", mem64(M_DATA + 0x100));
		if (out.r[SP] != in.r[SP] && out.vec == 6)
			show_stack(1, 8);
		end_line();
	}
	for (i = 0; i < sizeof(near) / sizeof(near[0]); i++) {
		begin("system64 near %s 66", near[i].name);
		ring(3);
		code_bytes(near[i].text, near[i].n);
		put_bytes(M_CODE + near[i].n + 2, "", 0);
		in.r[CX] = M_CODE + 0x20;
		put_bytes(M_CODE + 0x20, "", 0);
		in.r[SP] = M_STACK - 0x80;
		mem64(M_STACK - 0x80) = M_CODE + 0x20;
		run();
		show();
	}
}

void system64(void)
{
	control_registers();
	debug_registers();
	wide();
	bases();
	base_moves();
	opcodes();
}
