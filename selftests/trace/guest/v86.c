// SPDX-License-Identifier: GPL-2.0
/* Virtual-8086 mode, with and without its extensions: SDM vol. 3 chapter 21. */
#include "trace.h"

#define VEC	0x40
#define SEL_T	SEL_X

CODE(cli, 16, "cli");
CODE(sti, 16, "sti");
CODE(pushf, 16, "pushf");
CODE(pushfd, 16, "pushfl");
CODE(popf, 16, "pushw %bx; popf");
CODE(popfd, 16, "pushl %ebx; popfl");
CODE(int40, 16, "int $0x40");
CODE(int3, 16, "int3");
CODE(into, 16, "into");
CODE(iret, 16, "pushw %bx; pushw %cs; pushw $0x20; iret");
CODE(iretd, 16, "pushl %ebx; pushl $0x7800; pushl $0x20; iretl");
CODE(hlt, 16, "hlt");
CODE(in80, 16, "inb $0x80, %al");
CODE(out80, 16, "outb %al, $0x80");
CODE(outw, 16, "outw %ax, $0x80");
CODE(mov_cr, 16, "mov %cr0, %eax");
CODE(mov_dr, 16, "mov %dr7, %eax");
CODE(clts, 16, "clts");
CODE(lgdt, 16, "lgdt (0)");
CODE(sgdt, 16, "sgdt (0)");
CODE(sidt, 16, "sidt (0)");
CODE(smsw, 16, "smsw %ax");
CODE(lmsw, 16, "lmsw %ax");
CODE(sldt, 16, "sldt %ax");
CODE(str, 16, "str %ax");
CODE(lldt, 16, "lldt %ax");
CODE(ltr, 16, "ltr %ax");
CODE(lar, 16, "lar %ax, %bx");
CODE(lsl, 16, "lsl %ax, %bx");
CODE(verr, 16, "verr %ax");
CODE(arpl, 16, ".byte 0x63, 0xc3");
CODE(invd, 16, "invd");
CODE(wbinvd, 16, "wbinvd");
CODE(invlpg, 16, "invlpg (0)");
CODE(rd_msr, 16, "rdmsr");
CODE(wr_msr, 16, "wrmsr");
CODE(int1, 16, ".byte 0xf1");
CODE(sysexit, 16, "sysexit");
CODE(mov_ds, 16, "mov %ax, %ds; mov (0), %ebx");
CODE(les, 16, "les (0), %bx");
CODE(far_jmp, 16, "ljmp $0x7700, $0x1020");
CODE(far_call, 16, "lcall $0x7700, $0x1020");
CODE(lretf, 16, "pushw %cs; pushw $0x20; lret");
CODE(edge, 16, "mov (0xffff), %ax");
CODE(edge4, 16, "mov (0xfffd), %eax");
CODE(edge_ok, 16, "mov (0xfffc), %eax");
CODE(far32, 16, "movl $0x10000, %esi; addr32 movb (%esi), %al");
CODE(push_edge, 16, "mov $1, %sp; push %ax");
CODE(bound, 16, "bound %ax, (0)");
CODE(rdtsc_ud, 16, "ud2");
CODE(pusha, 16, "pusha; popa");

static const struct op { const char *name; const struct code *c; } ops[] = {
	{ "cli", &cli }, { "sti", &sti }, { "pushf", &pushf }, { "pushfd", &pushfd },
	{ "popf", &popf }, { "popfd", &popfd }, { "int", &int40 }, { "int3", &int3 },
	{ "into", &into }, { "iret", &iret }, { "iretd", &iretd }, { "hlt", &hlt },
	{ "in", &in80 }, { "out", &out80 }, { "outw", &outw }, { "mov cr", &mov_cr },
	{ "mov dr", &mov_dr }, { "clts", &clts }, { "lgdt", &lgdt }, { "smsw", &smsw },
	{ "lmsw", &lmsw }, { "sldt", &sldt }, { "str", &str }, { "lldt", &lldt }, { "ltr", &ltr },
	{ "lar", &lar }, { "lsl", &lsl }, { "verr", &verr }, { "arpl", &arpl }, { "invd", &invd },
	{ "wbinvd", &wbinvd }, { "invlpg", &invlpg }, { "rdmsr", &rd_msr }, { "wrmsr", &wr_msr },
	{ "int1", &int1 }, { "sysexit", &sysexit }, { "mov ds", &mov_ds },
	{ "les", &les }, { "far jmp", &far_jmp }, { "far call", &far_call }, { "lret", &lretf },
	{ "edge", &edge }, { "edge4", &edge4 }, { "edge ok", &edge_ok }, { "beyond", &far32 },
	{ "push edge", &push_edge }, { "bound", &bound }, { "ud2", &rdtsc_ud }, { "pusha", &pusha },
};

static void setup(const struct code *c, u32 iopl)
{
	v86();
	code(*c);
	put_bytes(M_CODE + 0x20, "", 0);
	put_bytes(0x77000 + 0x1020, "", 0);
	in.fl |= FL_IOPL(iopl);
	mem32(M_DATA) = 0x12345678;
	mem32(M_DATA + 4) = 0x9abcdef0;
	memset((void *)(in.ss * 16 + in.r[SP] - 32), 0, 64);
	/* where INT goes if it is redirected: the program's own vector */
	mem16(VEC * 4) = 0x30;
	mem16(VEC * 4 + 2) = M_CODE >> 4;
	put_bytes(M_CODE + 0x30, "", 0);
	set_gdt(SEL_T, desc(M_CODE, 0xffff, ACC_CODE, FL_D));
	set_idt(VEC, gate(SEL_T, 0x20, 14, 3, 0));
	set_idt(3, gate(SEL_T, 0x20, 14, 3, 0));
	set_idt(4, gate(SEL_T, 0x20, 14, 3, 0));
}

static void show_v86(void)
{
	show_outcome();
	show_changes();
	if (out.fl & FL_VM) {
		ul at = out.ss * 16 + (out.r[SP] & 0xffff);

		line(" [%x %x]", mem32(at), mem32(at + 4));
	} else {
		/* ring 0's stack: the frame of the entry */
		show_frame(9, 4, 2);
	}
	end_line();
}

static void sensitive(void)
{
	u32 o, iopl, vme;

	for (vme = 0; vme < 2; vme++)
	for (iopl = 0; iopl < 4; iopl++)
	for (o = 0; o < sizeof(ops) / sizeof(ops[0]); o++) {
		/* where IOPL and VME do not matter, once is enough */
		if ((vme || iopl == 1 || iopl == 2) && o > 14)
			break;
		begin("v86 %s iopl%x%s", ops[o].name, iopl, vme ? " vme" : "");
		if (vme && !need(NEED_VME))
			continue;
		setup(ops[o].c, iopl);
		in.r[AX] = SEL_D(3) | 3;
		in.r[BX] = 0x247fd7 & ~FL_TF & ~FL_VIP;
		if (o == 8)
			in.fl |= FL_OF;
		if (o == 12)
			hide = 1u << AX;	/* machines differ in what port 80 reads */
		if (vme)
			set_cr4(CR4_VME);
		run();
		show_v86();
	}
}

/* VIF, VIP and IF of the popped and pushed flags. */
static void virtual_flags(void)
{
	static const u8 list[] = { 0, 1, 2, 3, 4, 5, 6, 9, 10 };
	u32 i, vif, vip, iopl, image;

	for (i = 0; i < sizeof(list); i++)
	for (iopl = 0; iopl < 4; iopl += 3)
	for (vif = 0; vif < 2; vif++)
	for (vip = 0; vip < 2; vip++)
	for (image = 0; image < 4; image++) {
		/*
		 * Both at once can be had from ring 0 alone, and the manuals do not say
		 * which instruction then faults: any (Bochs), or one that touches VIF.
		 */
		if ((image && (list[i] < 4 || list[i] == 6)) || (vif && vip))
			break;
		begin("v86 vme %s iopl%x vif%x vip%x image%x", ops[list[i]].name, iopl, vif, vip,
		      image);
		if (!need(NEED_VME))
			continue;
		setup(ops[list[i]].c, iopl);
		in.fl |= (vif ? FL_VIF : 0) | (vip ? FL_VIP : 0) | FL_IF;
		in.r[BX] = 0x46 | (image & 1 ? FL_IF : 0) | (image & 2 ? FL_TF : FL_NT);
		set_cr4(CR4_VME);
		run();
		show_v86();
	}
}

/* The redirection map: its place, its limit. */
static void redirection(void)
{
	struct tss *t = (struct tss *)M_TSS;
	static const u32 limits[] = { 0x88 + 0x20, 0x70 + 8, 0x67 + 32, 0x67 };
	u32 i, bit, iopl;

	for (i = 0; i < 4; i++)
	for (bit = 0; bit < 2; bit++)
	for (iopl = 0; iopl < 4; iopl += 3) {
		begin("v86 redirect bit%x limit%x iopl%x", bit, limits[i], iopl);
		if (!need(NEED_VME))
			continue;
		setup(&int40, iopl);
		t->iomap = 0x88;
		memset((void *)(M_TSS + 0x68), 0, 0x20);
		mem8(M_TSS + 0x68 + VEC / 8) = bit << (VEC & 7);
		set_gdt(SEL_TSS, desc(M_TSS, limits[i], 0x89, 0));
		__asm__ volatile("ltr %w0" :: "r"(SEL_TSS));
		set_cr4(CR4_VME);
		in.fl |= FL_VIF | FL_IF | FL_NT | FL_AC;
		run();
		show_v86();
	}
}

/* The I/O map decides whatever IOPL is. */
static void io_map(void)
{
	struct tss *t = (struct tss *)M_TSS;
	static const struct { const char *name; u16 base; u32 limit; u8 at, bits; } list[] = {
		{ "clear", 0x68, 0x2068, 0, 0 }, { "set", 0x68, 0x2068, 0x10, 1 },
		{ "second", 0x68, 0x2068, 0x10, 2 }, { "before", 0x68, 0x2068, 0xf, 0x80 },
		{ "at limit", 0x68, 0x68 + 0x10, 0, 0 }, { "limit", 0x68, 0x68 + 0x11, 0, 0 },
		{ "none", 0x68, 0x67, 0, 0 }, { "far", 0x3000, 0x2068, 0, 0 },
	};
	static const struct code *const c[] = { &in80, &out80, &outw };
	u32 i, o, how;

	for (how = 0; how < 2; how++)
	for (i = 0; i < sizeof(list) / sizeof(list[0]); i++)
	for (o = 0; o < 3; o++) {
		begin("v86 iomap %s %s %x", how ? "pm" : "v86", list[i].name, o);
		if (how) {
			static const u8 text[3][3] = { { 0xe4, 0x80 }, { 0xe6, 0x80 }, { 0x66, 0xe7, 0x80 } };

			ring(3);
			code_bytes(text[o], o == 2 ? 3 : 2);
		} else {
			setup(c[o], 0);
		}
		hide = 1u << AX;
		t->iomap = list[i].base;
		memset((void *)(M_TSS + 0x68), 0, 0x40);
		mem8(M_TSS + 0x68 + list[i].at) = list[i].bits;
		set_gdt(SEL_TSS, desc(M_TSS, list[i].limit, 0x89, 0));
		__asm__ volatile("ltr %w0" :: "r"(SEL_TSS));
		run();
		show();
	}
}

/* Into V86 mode by IRET from other rings; IRET may load IOPL, VIF, VIP in ring 0 alone. */
CODE(iret32, 32, "iretl");

static void entries(void)
{
	u32 cpl, what;

	for (cpl = 0; cpl < 4; cpl++)
	for (what = 0; what < 4; what++) {
		ul *f = (ul *)(M_STACK - 64);

		begin("v86 iret from cpl%x %x", cpl, what);
		ring(cpl);
		code(iret32);
		put_bytes(M_CODE + 0x20, "", 0);
		/* for a CPU that does enter V86 mode there */
		put_bytes(in.cs * 16 + 0x8020, "", 0);
		put_bytes(in.cs * 16 + M_CODE + 0x20, "", 0);
		in.r[SP] = (ul)f;
		f[0] = 0x20;
		f[1] = cpl && what != 1 ? (u32)(SEL_C(cpl) | cpl) : M_CODE >> 4;
		if (cpl && what != 1)
			f[0] += M_CODE;
		f[2] = FL_VM | 2 | (what == 2 ? FL_IOPL(3) | FL_VIF | FL_VIP | FL_NT : 0) |
		       (what == 3 ? FL_AC | FL_ID | FL_DF : 0);
		f[3] = 0x700;
		f[4] = M_RSTACK >> 4;
		f[5] = 0x1111;
		f[6] = 0x2222;
		f[7] = 0x3333;
		f[8] = 0x4444;
		run();
		show();
	}
}

/* CLI and STI in ring 3 with CR4.PVI; POPF and PUSHF know nothing of it. */
static void pvi(void)
{
	static const char *const names[] = { "cli", "sti", "pushf", "popf" };
	static const u8 text[4][2] = { { 0xfa }, { 0xfb }, { 0x9c }, { 0x53, 0x9d } };
	u32 o, cpl, iopl, vif, vip, on;

	for (on = 0; on < 2; on++)
	for (o = 0; o < 4; o++)
	for (cpl = 0; cpl < 4; cpl += on ? 1 : 3)
	for (iopl = 0; iopl < 4; iopl += 3)
	for (vif = 0; vif < 2; vif++)
	for (vip = 0; vip < 2; vip++) {
		if (vif && vip)
			continue;
		begin("v86 pvi%x %s cpl%x iopl%x vif%x vip%x", on, names[o], cpl, iopl, vif, vip);
		if (!need(NEED_VME))
			continue;
		ring(cpl);
		code_bytes(text[o], o == 3 ? 2 : 1);
		in.fl |= FL_IOPL(iopl) | (vif ? FL_VIF : 0) | (vip ? FL_VIP : 0);
		in.r[BX] = FL_IF | FL_IOPL(2) | 0x46;
		if (on)
			set_cr4(CR4_PVI);
		run();
		show_outcome();
		show_changes();
		if (o == 2)
			show_frame(1, 4, 0);
		end_line();
	}
}

void v86s(void)
{
	sensitive();
	virtual_flags();
	redirection();
	io_map();
	entries();
	pvi();
}
