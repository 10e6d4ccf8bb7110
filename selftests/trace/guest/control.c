// SPDX-License-Identifier: GPL-2.0
/* Control registers, MSRs, what needs ring 0, opcodes that are none: SDM vol. 2, vol. 3 chapter 2. */
#include "trace.h"

CODE(lmsw, NATIVE, "lmsw %ax");
CODE(clts, NATIVE, "clts");
CODE(hlt, NATIVE, "hlt");
CODE(invd, NATIVE, "invd");
CODE(wbinvd, NATIVE, "wbinvd");
CODE(invlpg, NATIVE, "invlpg (%esi)");
CODE(do_rdmsr, NATIVE, "rdmsr");
CODE(do_wrmsr, NATIVE, "wrmsr");
CODE(do_rdpmc, NATIVE, "rdpmc");
CODE(do_rdtsc, NATIVE, "rdtsc");
CODE(smsw, NATIVE, "smsw %eax");
CODE(cli, NATIVE, "cli");
CODE(sti, NATIVE, "sti");
CODE(popf, NATIVE, "push " REG(ax) "; popf");
CODE(popf16, NATIVE, "pushw %ax; popfw");
CODE(in8, NATIVE, "inb $0x21, %al");
CODE(out8, NATIVE, "outb %al, $0x80");
CODE(swapgs, NATIVE, ".byte 0x0f, 0x01, 0xf8");

static const struct { const char *name; const struct code *c; } ops[] = {
	{ "lmsw", &lmsw }, { "clts", &clts }, { "hlt", &hlt }, { "invd", &invd },
	{ "wbinvd", &wbinvd }, { "invlpg", &invlpg },
	{ "rdmsr", &do_rdmsr }, { "wrmsr", &do_wrmsr }, { "rdpmc", &do_rdpmc },
	{ "smsw", &smsw }, { "cli", &cli }, { "sti", &sti }, { "popf", &popf },
	{ "popf16", &popf16 }, { "in", &in8 }, { "out", &out8 }, { "swapgs", &swapgs },
};

static void privileges(void)
{
	u32 o, cpl, iopl;

	for (o = 0; o < sizeof(ops) / sizeof(ops[0]); o++)
	for (cpl = 0; cpl < 4; cpl++)
	for (iopl = 0; iopl < 4; iopl++) {
		const struct code *c = ops[o].c;
		bool flags = c == &popf || c == &popf16;
		bool by_iopl = flags || c == &cli || c == &sti || c == &in8 || c == &out8;

		if (!by_iopl && iopl)
			break;
		/* HLT waits, RDPMC counts, INVD may lose what was written */
		if (!cpl && (c == &hlt || c == &do_rdpmc || c == &invd))
			continue;
		begin(NAME("control") " %s cpl%x iopl%x", ops[o].name, cpl, iopl);
		ring(cpl);
		code(*c);
		in.r[SI] = M_DATA;
		in.r[CX] = 0x174;
		in.r[AX] = c == &lmsw ? 0xe : 0x247fd7 & ~FL_TF & ~FL_IOPL(3);
		if (flags)
			in.r[AX] |= FL_IOPL(2) | (cpl & 1 ? FL_IF : 0) | FL_RF;
		in.fl |= FL_IOPL(iopl) | (cpl & 1 ? 0 : FL_IF);
		if (c == &in8)
			hide = 1;
		if (c == &do_rdmsr)
			hide = 1 << AX | 1 << DX;
		/* a TSS without an I/O map: IOPL decides alone */
		set_gdt(SEL_TSS, desc(M_TSS, 0x67, 0x89, 0));
		__asm__ volatile("ltr %w0" :: "r"(SEL_TSS));
		run();
		show_outcome();
		show_changes();
		if (c == &lmsw || c == &clts)
			line(" cr0=%lx", read_cr0());
		end_line();
	}
}

static void write_cr(u32 nr, u32 rm)
{
	u8 text[3] = { 0x0f, 0x22, 0xc0 | nr << 3 | rm };

	code_bytes(text, 3);
}

static void registers(void)
{
	static const ul cr0[] = {
		0x11, 0x10, 0x31, 0x13, 0x8000001f, 0x20000011, 0x40000011, 0x60000011, 0x10011, 0x50011,
		0x1ffaffd1, 0xffffffff & ~(CR0_PG | CR0_NW | CR0_CD),
	};
	u32 i, cpl, nr;

	/* PE must stay: this is protected mode; PG has paging.c, and long mode keeps it */
	for (i = 0; i < sizeof(cr0) / sizeof(cr0[0]); i++) {
		if (!(cr0[i] & 1) || (cr0[i] & CR0_PG))
			continue;
		begin(NAME("control") " write cr0 %lx", cr0[i]);
		write_cr(0, 0);
		in.r[AX] = cr0[i] | (read_cr0() & CR0_PG);
		run();
		show_outcome();
		show_changes();
		line(" cr0=%lx", read_cr0());
		end_line();
	}
	for (i = 0; i < 32; i++) {
		/* bits that every CPU knows, and some that none does */
		if (!(0x3f00007f >> i & 1) && i != 31 && i != 19 && i < 24 && i != 15)
			continue;
		if (i == 24 || i == 25 || i == 27 || i == 28)
			continue;	/* UINTR, LASS, LAM: the newest */
		begin(NAME("control") " write cr4 bit%x", i);
		write_cr(4, 0);
		in.r[AX] = 1ul << i | (read_cr4() & CR4_PAE);
		/* QEMU's TCG, which has no VME, is lost for good with a reserved bit set */
		if ((i < 2 || i > 6) && !need(NEED_VME))
			continue;
		run();
		show_outcome();
		show_changes();
		line(" cr4=%lx", read_cr4());
		end_line();
	}
	for (cpl = 0; cpl < 4; cpl += 3)
	for (i = 0; i < 2; i++)
	for (nr = 0; nr < 8; nr++) {
		u8 text[3] = { 0x0f, i ? 0x22 : 0x20, 0xc0 | nr << 3 };

		if (!cpl && (nr == 0 || nr == 4 || (nr == 3 && NATIVE == 64)) && i)
			continue;
		begin(NAME("control") " mov %s cr%x cpl%x", i ? "to" : "from", nr, cpl);
		ring(cpl);
		code_bytes(text, 3);
		in.r[AX] = 0x12345000;
		if (nr == 3 && !i)
			hide = 1;
		run();
		show();
	}
}

/* x87, MMX and SSE against CR0.EM, TS, MP and CR4. */
static void fpu(void)
{
	static const struct { const char *name; u8 n; u8 text[4]; } list[] = {
		{ "fld1", 2, { 0xd9, 0xe8 } }, { "fwait", 1, { 0x9b } }, { "fnop", 2, { 0xd9, 0xd0 } },
		{ "emms", 2, { 0x0f, 0x77 } }, { "movq", 3, { 0x0f, 0x6f, 0xc1 } },
		{ "movaps", 3, { 0x0f, 0x28, 0xc1 } }, { "paddb", 4, { 0x66, 0x0f, 0xfc, 0xc1 } },
		{ "fninit", 2, { 0xdb, 0xe3 } }, { "prefetch", 3, { 0x0f, 0x18, 0x0e } },
		{ "sfence", 3, { 0x0f, 0xae, 0xf8 } }, { "movnti", 3, { 0x0f, 0xc3, 0x06 } },
		{ "fxsave", 3, { 0x0f, 0xae, 0x06 } }, { "ldmxcsr", 3, { 0x0f, 0xae, 0x16 } },
	};
	u32 o, bits, cr4;

	for (o = 0; o < sizeof(list) / sizeof(list[0]); o++)
	for (bits = 0; bits < 8; bits++)
	for (cr4 = 0; cr4 < 2; cr4++) {
		begin(NAME("control") " fpu %s%s%s%s%s", list[o].name, bits & 1 ? " mp" : "",
		      bits & 2 ? " em" : "", bits & 4 ? " ts" : "", cr4 ? " osfxsr" : "");
		if (!need(NEED_SSE))
			continue;
		code_bytes(list[o].text, list[o].n);
		in.r[SI] = M_DATA + 0x100;
		in.r[AX] = 0;
		mem32(M_DATA + 0x100) = 0x1f80;
		__asm__ volatile("fninit");
		if (cr4)
			set_cr4(CR4_OSFXSR);
		write_cr0(read_cr0() | bits << 1);
		run();
		show();
	}
}

CODE(div_pending, NATIVE, "fninit; fldcw (" REG(si) "); fld1; fdivs 4(" REG(si) ")");

/* An x87 exception waits for the next x87 or MMX instruction: SDM vol. 3 §6.15, interrupt 16. */
static void x87(void)
{
	static const struct { const char *name; u8 n, text[4]; } list[] = {
		{ "fwait", 1, { 0x9b } }, { "fnop", 2, { 0xd9, 0xd0 } }, { "fld1", 2, { 0xd9, 0xe8 } },
		{ "fninit", 2, { 0xdb, 0xe3 } }, { "fnclex", 2, { 0xdb, 0xe2 } },
		{ "fnstsw", 2, { 0xdf, 0xe0 } }, { "fnstcw", 2, { 0xd9, 0x3f } }, { "fldcw", 2, { 0xd9, 0x2e } },
		{ "movq", 3, { 0x0f, 0x6f, 0xc1 } }, { "emms", 2, { 0x0f, 0x77 } }, { "nop", 1, { 0x90 } },
		{ "fstp", 2, { 0xdd, 0x1f } }, { "fxch", 2, { 0xd9, 0xc9 } },
	};
	u32 o, cpl, masked, n = div_pending.end - div_pending.start;
	u8 text[32];

	for (o = 0; o < sizeof(list) / sizeof(list[0]); o++)
	for (cpl = 0; cpl < 4; cpl += 3)
	for (masked = 0; masked < 2; masked++) {
		begin(NAME("control") " x87 %s cpl%x%s", list[o].name, cpl, masked ? " masked" : "");
		ring(cpl);
		memcpy(text, div_pending.start, n);
		memcpy(text + n, list[o].text, list[o].n);
		code_bytes(text, n + list[o].n);
		in.r[SI] = M_DATA;
		in.r[DI] = M_DATA + 0x100;
		mem64(M_DATA) = masked ? 0x37f : 0x37b;	/* all but ZM; 1 is divided by 0 */
		run();
		__asm__ volatile("fninit");
		show();
	}
}

#ifndef __x86_64__
CODE(do_sysenter, 32, "sysenter");
CODE(do_sysexit, 32, "sysexit");
CODE(do_syscall, 32, "syscall");
CODE(do_sysret, 32, "sysretl");

static void system_calls(void)
{
	u32 cpl, cs, sce;

	for (cpl = 0; cpl < 4; cpl++)
	for (cs = 0; cs < 3; cs++) {
		static const u16 list[] = { 0, SEL_X, SEL_X | 3 };

		begin(NAME("control") " sysenter cpl%x cs%x", cpl, list[cs]);
		if (!need(NEED_SEP))
			continue;
		ring(cpl);
		code(do_sysenter);
		put_bytes(M_CODE + 0x20, "", 0);
		set_gdt(SEL_X, desc(0, 0xfffff, ACC_CODE, FL_G | FL_D));
		set_gdt(SEL_X + 8, desc(0, 0xfffff, ACC_DATA, FL_G | FL_D));
		wrmsr(0x174, list[cs]);
		wrmsr(0x175, M_STACK1);
		wrmsr(0x176, M_CODE + 0x20);
		in.fl |= FL_IF | FL_IOPL(1) | FL_DF | FL_CF;
		run();
		show();
		begin(NAME("control") " sysexit cpl%x cs%x", cpl, list[cs]);
		if (!need(NEED_SEP))
			continue;
		ring(cpl);
		code(do_sysexit);
		put_bytes(M_CODE + 0x20, "", 0);
		in.r[DX] = M_CODE + 0x20;
		in.r[CX] = M_STACK1;
		set_gdt(SEL_X + 16, desc(0, 0xfffff, ACC_CODE | DPL(3), FL_G | FL_D));
		set_gdt(SEL_X + 24, desc(0, 0xfffff, ACC_DATA | DPL(3), FL_G | FL_D));
		in.fl |= FL_IF | FL_IOPL(1);
		run();
		show();
	}
	for (sce = 0; sce < 2; sce++)
	for (cpl = 0; cpl < 4; cpl += 3) {
		begin(NAME("control") " syscall cpl%x sce%x", cpl, sce);
		if (!need(NEED_SYSCALL | NEED_AMD))
			continue;
		ring(cpl);
		code(do_syscall);
		put_bytes(M_CODE + 0x20, "", 0);
		set_gdt(SEL_X, desc(0, 0xfffff, ACC_CODE, FL_G | FL_D));
		set_gdt(SEL_X + 8, desc(0, 0xfffff, ACC_DATA, FL_G | FL_D));
		wrmsr(0xc0000081, (u64)(SEL_X + 16) << 48 | (u64)SEL_X << 32 | (M_CODE + 0x20));
		in.fl |= FL_IF | FL_IOPL(1) | FL_DF;
		set_efer(sce);
		run();
		show();
	}
	for (sce = 0; sce < 2; sce++)
	for (cpl = 0; cpl < 4; cpl += 3) {
		begin(NAME("control") " sysret cpl%x sce%x", cpl, sce);
		if (!need(NEED_SYSCALL | NEED_AMD))
			continue;
		ring(cpl);
		code(do_sysret);
		put_bytes(M_CODE + 0x20, "", 0);
		in.r[CX] = M_CODE + 0x20;
		set_gdt(SEL_X + 16, desc(0, 0xfffff, ACC_CODE | DPL(3), FL_G | FL_D));
		set_gdt(SEL_X + 24, desc(0, 0xfffff, ACC_DATA | DPL(3), FL_G | FL_D));
		in.fl |= FL_IOPL(1);
		set_efer(sce);
		run();
		show();
	}
}

#endif

/* RDTSC and RDPMC by CR4; MSRs that are none. */
static void msrs(void)
{
	static const u32 none[] = { 0x40000100, 0xc0000200, 0xdeadbeef, 0xffffffff };
	u32 i, cpl;

	for (cpl = 0; cpl < 4; cpl += 3)
	for (i = 0; i < 2; i++) {
		begin(NAME("control") " rdtsc cpl%x%s", cpl, i ? " tsd" : "");
		ring(cpl);
		code(do_rdtsc);
		hide = 1 << AX | 1 << DX;
		if (i)
			set_cr4(CR4_TSD);
		run();
		show();
	}
	for (i = 0; i < 4; i++) {
		begin(NAME("control") " rdmsr %x", none[i]);
		code(do_rdmsr);
		in.r[CX] = none[i];
		run();
		show();
		begin(NAME("control") " wrmsr %x", none[i]);
		code(do_wrmsr);
		in.r[CX] = none[i];
		run();
		show();
	}
	for (i = 0; i < 64; i++) {
		if (i == 0 || i == 8 || i == 10 || i == 11 || (i >= 12 && i < 22))
			continue;
		begin(NAME("control") " efer bit%x", i);
		if (!need(NEED_LONG | NEED_NX))
			continue;
		code(do_wrmsr);
		in.r[CX] = EFER;
		in.r[AX] = (i < 32 ? 1u << i : 0) | (NATIVE == 64 ? EFER_LME | EFER_LMA : 0);
		in.r[DX] = i < 32 ? 0 : 1u << (i - 32);
		run();
		show();
		set_efer(0);
	}
}

/* LOCK: on what may be locked, with memory alone. */
static void locks(void)
{
	static const u8 one[] = { 0x00, 0x01, 0x02, 0x03, 0x08, 0x10, 0x18, 0x20, 0x28, 0x30, 0x38, 0x39,
				  0x84, 0x86, 0x87, 0x88, 0x89, 0x8b, 0x8d, 0xc6, 0xd0, 0xf6, 0xfe,
				  0x80, 0x82, 0x83, 0x90, 0xa4 };
	static const u8 two[] = { 0x1f, 0x40, 0xab, 0xb3, 0xbb, 0xba, 0xb0, 0xb1, 0xc0, 0xc1,
				  0xc7, 0xaf, 0xbc, 0xb6 };
	u32 i, reg, mem;

	for (mem = 0; mem < 2; mem++)
	for (i = 0; i < sizeof(one); i++)
	for (reg = 0; reg < 8; reg++) {
		u8 text[5] = { 0xf0, one[i], (mem ? 6 : 0xc0) | reg << 3, 0, 0 };

		if (reg && one[i] != 0x80 && one[i] != 0x82 && one[i] != 0x83 && one[i] != 0xf6 &&
		    one[i] != 0xfe)
			break;
		begin(NAME("control") " lock %02x /%x %s", one[i], reg, mem ? "mem" : "reg");
		code_bytes(text, one[i] == 0x80 || one[i] == 0x82 || one[i] == 0x83 ? 4 :
			   one[i] == 0xf6 && reg < 2 ? 4 : one[i] == 0x90 || one[i] == 0xa4 ? 2 : 3);
		in.r[SI] = M_DATA;
		in.r[CX] = 1;
		in.r[AX] = 1;
		mem32(M_DATA) = 0x01010101;
		flag_mask = 0;
		if (one[i] == 0xfe && reg > 1)
			continue;
		run();
		show();
	}
	/* QEMU itself gives up on a locked bit test that is none: no registers, no BT */
	for (mem = 1; mem < 2; mem++)
	for (i = 0; i < sizeof(two); i++)
	for (reg = 0; reg < 8; reg++) {
		u8 text[6] = { 0xf0, 0x0f, two[i], (mem ? 6 : 0xc0) | reg << 3, 0, 0 };

		if (reg && two[i] != 0xba && (two[i] != 0xc7 || reg > 1))
			break;
		if ((two[i] == 0xc7 && !reg) || (two[i] == 0xba && reg == 4))
			continue;
		begin(NAME("control") " lock 0f%02x /%x %s", two[i], reg, mem ? "mem" : "reg");
		code_bytes(text, two[i] == 0xba ? 5 : 4);
		in.r[SI] = M_DATA;
		mem64(M_DATA) = 0;
		flag_mask = 0;
		run();
		show();
	}
}

/* Opcodes that are none, or none in this form. */
static void undefined(void)
{
	static const struct { u8 n, text[7]; } list[] = {
		{ 3, { 0x0f, 0xff, 0xc0 } }, { 3, { 0x0f, 0xb9, 0xc0 } }, { 2, { 0x0f, 0x0a } },
		{ 2, { 0x0f, 0x0c } }, { 2, { 0x0f, 0x04 } }, { 3, { 0x0f, 0x00, 0xf0 } },
		{ 3, { 0x0f, 0x00, 0xf8 } }, { 3, { 0x0f, 0x01, 0x2e } }, { 3, { 0x0f, 0xba, 0xc0 } },
		{ 3, { 0x0f, 0xba, 0xc8 } }, { 3, { 0x0f, 0xba, 0xd0 } }, { 3, { 0x0f, 0xba, 0xd8 } },
		{ 2, { 0x8d, 0xc0 } }, { 2, { 0xc4, 0x00 } }, { 2, { 0x62, 0xc0 } }, { 2, { 0x8e, 0xc8 } },
		{ 2, { 0x8e, 0xf0 } }, { 2, { 0x8e, 0xf8 } }, { 2, { 0x8c, 0xf0 } }, { 2, { 0x8c, 0xf8 } },
		{ 2, { 0xfe, 0xd0 } }, { 2, { 0xfe, 0xe0 } }, { 2, { 0xfe, 0xf8 } }, { 2, { 0xff, 0xf8 } },
		{ 2, { 0xff, 0xd8 } }, { 2, { 0xff, 0xe8 } }, { 2, { 0x8f, 0xc8 } }, { 3, { 0xc6, 0xc8, 0 } },
		{ 6, { 0xc7, 0xc8, 0, 0, 0, 0 } }, { 3, { 0x0f, 0x20, 0xc8 } }, { 3, { 0x0f, 0x22, 0xe8 } },
		{ 3, { 0x0f, 0xc7, 0xc8 } }, { 3, { 0x0f, 0x02, 0xc0 } }, { 3, { 0x0f, 0x36, 0xc0 } },
		{ 2, { 0xd6, 0x90 } }, { 3, { 0x82, 0xc0, 5 } }, { 2, { 0xf6, 0xc8 } },
		{ 3, { 0x0f, 0xb2, 0xc0 } }, { 3, { 0x0f, 0xb4, 0xc0 } }, { 3, { 0x0f, 0x24, 0xc0 } },
		{ 3, { 0x0f, 0x26, 0xc0 } }, { 3, { 0x0f, 0x7a, 0xc0 } }, { 3, { 0x0f, 0xa6, 0xc0 } },
		{ 3, { 0x0f, 0xa7, 0x00 } }, { 2, { 0x0f, 0x25 } }, { 2, { 0xdb, 0xe7 } },
		{ 2, { 0xd9, 0xd1 } }, { 2, { 0xd9, 0xe2 } }, { 2, { 0xda, 0xe0 } },
	};
	u32 i;

	for (i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		begin(NAME("control") " undefined %02x%02x%02x", (u32)list[i].text[0], (u32)list[i].text[1],
		      (u32)list[i].text[2]);
		code_bytes(list[i].text, list[i].n);
		in.r[SI] = in.r[AX] = M_DATA;
		hide = 1 << AX | 1 << SP;
		flag_mask = 0;
		run();
		show();
	}
	for (i = 10; i < 17; i++) {
		u8 text[20];

		begin(NAME("control") " length %x", i);
		memset(text, 0x3e, sizeof(text));
		text[i - 1] = 0x90;
		code_bytes(text, i);
		run();
		show();
	}
}

CODE(div8, NATIVE, "div %cl");
CODE(div32, NATIVE, "div %ecx");
CODE(idiv32, NATIVE, "idiv %ecx");
CODE(aam0, NATIVE, ".byte 0xd4, 0");
CODE(rep_ins, 32, "rep insb");
CODE(rep_outs, 32, "rep outsb");
CODE(rep_movs, 32, "rep movsl");
CODE(rep_stos, 32, "rep stosl");
CODE(rep_cmps, 32, "repe cmpsl");
CODE(rep_scas, 32, "repne scasl");
CODE(rep_lods, 32, "rep lodsl");
CODE(ac, NATIVE, "movl 1(%esi), %eax");
CODE(ac16, NATIVE, "movw 1(%esi), %ax");
CODE(ac8, 32, "bound %eax, 4(%esi)");
CODE(ac_push, NATIVE, "push " REG(ax));
CODE(ac_fld, NATIVE, "fldl 4(%esi)");

static void others(void)
{
	static const struct { const char *name; const struct code *c; ul ax, dx, cx; } divs[] = {
		{ "div8 0", &div8, 5, 0, 0 }, { "div8 over", &div8, 0x200, 0, 2 },
		{ "div8", &div8, 0x1ff, 0, 2 }, { "div32 0", &div32, 1, 0, 0 },
		{ "div32 over", &div32, 0, 2, 2 }, { "div32", &div32, 0xffffffff, 1, 2 },
		{ "idiv min", &idiv32, 0x80000000, 0xffffffff, 0xffffffff },
		{ "idiv", &idiv32, 0x80000000, 0xffffffff, 1 }, { "aam 0", &aam0, 5, 0, 0 },
	};
	static const struct { const char *name; const struct code *c; bool io; } reps[] = {
		{ "ins", &rep_ins, true }, { "outs", &rep_outs, true }, { "movs", &rep_movs, false },
		{ "stos", &rep_stos, false }, { "cmps", &rep_cmps, false }, { "scas", &rep_scas, false },
		{ "lods", &rep_lods, false },
	};
	static const struct { const char *name; const struct code *c; } unaligned[] = {
		{ "dword", &ac }, { "word", &ac16 }, { "bound", &ac8 }, { "push", &ac_push },
		{ "fld", &ac_fld },
	};
	u32 i, cpl, df, am;

	for (i = 0; i < sizeof(divs) / sizeof(divs[0]); i++) {
		begin(NAME("control") " %s", divs[i].name);
		code(*divs[i].c);
		in.r[AX] = divs[i].ax;
		in.r[DX] = divs[i].dx;
		in.r[CX] = divs[i].cx;
		flag_mask = 0;
		run();
		show();
	}
	/* the segment ends in the middle */
	for (i = 0; i < sizeof(reps) / sizeof(reps[0]); i++)
	for (df = 0; df < 2; df++)
	for (cpl = 0; cpl < 2; cpl++) {
		begin(NAME("control") " rep %s%s%s", reps[i].name, df ? " down" : "", cpl ? " es" : "");
		compat(3);
		code(*reps[i].c);
		set_gdt(SEL_X, desc(M_DATA, 0x20f, (df ? ACC_DATA_ED : ACC_DATA) | DPL(3), FL_D));
		set_gdt(SEL_X + 8, desc(M_DATA, 0xffff, ACC_DATA | DPL(3), FL_D));
		in.ds = (cpl ? SEL_X + 8 : SEL_X) | 3;
		in.es = (cpl ? SEL_X : SEL_X + 8) | 3;
		in.r[SI] = in.r[DI] = df ? 0x218 : 0x200;
		in.r[CX] = 0x10;
		in.r[DX] = 0x80;
		hide = 1 << AX;
		in.fl |= FL_IOPL(3) | (df ? FL_DF : 0);
		memset((void *)(M_DATA + 0x1c0), 0x11, 0x100);
		run();
		flag_mask = FL_DF | FL_IF;
		show();
	}
	for (am = 0; am < 2; am++)
	for (cpl = 0; cpl < 4; cpl += 3)
	for (df = 0; df < 2; df++)
	for (i = 0; i < sizeof(unaligned) / sizeof(unaligned[0]); i++) {
		begin(NAME("control") " alignment %s cpl%x%s%s", unaligned[i].name, cpl, am ? " am" : "",
		      df ? " ac" : "");
		if (unaligned[i].c == &ac8)
			compat(cpl);
		else
			ring(cpl);
		code(*unaligned[i].c);
		in.r[SI] = M_DATA;
		in.r[SP] = M_STACK - 0x41;
		mem64(M_DATA) = 0;
		mem64(M_DATA + 8) = 0x7fffffff;
		in.fl |= df ? FL_AC : 0;
		if (am)
			write_cr0(read_cr0() | CR0_AM);
		run();
		show();
	}
}

void control(void)
{
	privileges();
	registers();
	fpu();
	x87();
#ifndef __x86_64__
	system_calls();
#endif
	msrs();
	locks();
	undefined();
	others();
}
