// SPDX-License-Identifier: GPL-2.0
/* Into long mode and out of it, and the orders that are none: SDM vol. 3 §9.8.5, §4.1.2. */
#include "trace.h"

#define TABLES	(M_PG + 0x8000)		/* PML4, PDPT, PD: 4 MiB in two pages */
#define P	1u
#define RW	2u
#define PS	0x80u

/*
 * ESI: the far pointers to 64-bit code and back.  What is seen of EFER: in EBX
 * with paging on, in EBP off again; EDX: what 64-bit code computed.
 */
CODE(there_and_back, 32, "mov %edi, %cr4\n"
	"mov $0xc0000080, %ecx; rdmsr; or $0x100, %eax; wrmsr\n"
	"mov %cr0, %eax; or $0x80000000, %eax; mov %eax, %cr0\n"
	"rdmsr; mov %eax, %ebx\n"
	"ljmp *(%esi)\n"
	".code64\n"
	"1: mov $0x1122334455667788, %r8; lea (%r8,%r8), %r9; shr $32, %r9; mov %r9d, %edi\n"
	"ljmp *8(%rsi)\n"
	".code32\n"
	"2: mov %cr0, %eax; and $0x7fffffff, %eax; mov %eax, %cr0\n"
	"mov $0xc0000080, %ecx; rdmsr; mov %eax, %ebp\n"
	"and $0xfffffeff, %eax; wrmsr\n"
	"mov %edi, %edx");
CODE(set_pg, 32, "mov %eax, %cr0");
CODE(do_wrmsr, 32, "wrmsr");
CODE(set_cr4_, 32, "mov %eax, %cr4");

static void tables(void)
{
	memset((void *)TABLES, 0, 0x3000);
	mem64(TABLES) = (TABLES + 0x1000) | P | RW;
	mem64(TABLES + 0x1000) = (TABLES + 0x2000) | P | RW;
	mem64(TABLES + 0x2000) = P | RW | PS;
	mem64(TABLES + 0x2008) = 0x200000 | P | RW | PS;
	write_cr3(TABLES);
	set_efer(0);
}

static void show_mode(void)
{
	show_outcome();
	show_changes();
	line(" cr0=%lx cr4=%lx efer=%llx", read_cr0(), read_cr4(), rdmsr(EFER));
	end_line();
}

/* Offset of the first byte behind a far jump through ESI, in code @c. */
static u32 behind(struct code c, u8 modrm, u32 len)
{
	u32 i;

	for (i = 0; c.start + i + len <= c.end; i++)
		if (c.start[i] == 0xff && c.start[i + 1] == modrm)
			return i + len;
	return 0;
}

static void journey(void)
{
	static const struct { const char *name; u32 tss, flags; } list[] = {
		{ "tss 32", 0x89, FL_L }, { "tss 16", 0x81, FL_L }, { "accessed", 0x89, FL_L },
	};
	u32 i;

	for (i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		begin("modes there and back, %s", list[i].name);
		if (!need(NEED_LONG | NEED_PAE))
			continue;
		code(there_and_back);
		tables();
		set_gdt(SEL_X, desc(0, 0xfffff, ACC_CODE | (i == 2 ? 0 : 1), FL_G | list[i].flags));
		set_gdt(SEL_X + 8, desc(M_TSS, 0x67, list[i].tss, 0));
		__asm__ volatile("ltr %w0" :: "r"(SEL_X + 8));
		mem32(M_DATA) = M_CODE + behind(there_and_back, 0x2e, 2);
		mem16(M_DATA + 4) = SEL_X;
		mem32(M_DATA + 8) = M_CODE + behind(there_and_back, 0x6e, 3);
		mem16(M_DATA + 12) = SEL_C(0);
		in.r[SI] = M_DATA;
		in.r[DI] = CR4_PAE;
		run();
		out.tr = SEL_TSS;
		show_mode();
	}
}

static void wrong_orders(void)
{
	u32 i;

	for (i = 0; i < 4; i++) {
		static const char *const names[] = {
			"pg without pae", "pg in a 64-bit segment", "lme under paging", "lme off under paging",
		};

		begin("modes %s", names[i]);
		if (!need(NEED_LONG | NEED_PAE | NEED_PSE))
			continue;
		/* QEMU's TCG, which has no VME, goes on and is lost */
		if (!need(NEED_VME))
			continue;
		tables();
		code(i < 2 ? set_pg : do_wrmsr);
		in.r[AX] = read_cr0() | CR0_PG;
		if (i < 2)
			set_efer(EFER_LME);
		if (i == 1) {
			write_cr4(CR4_PAE);
			set_gdt(SEL_X, desc(0, 0xfffff, ACC_CODE | 1, FL_G | FL_D | FL_L));
			in.cs = SEL_X;
		}
		if (i >= 2) {
			/* 4 MiB pages: the first table serves */
			mem32(TABLES) = P | RW | PS;
			write_cr4(CR4_PSE);
			write_cr0(read_cr0() | CR0_PG);
			in.r[CX] = EFER;
			in.r[AX] = EFER_LME;
		}
		if (i == 3) {
			/* nothing to clear: no fault */
			in.r[AX] = 0;
		}
		run();
		show_mode();
	}
	/* LME alone does nothing; what CR4 may not get out of long mode */
	begin("modes lme alone");
	/* with LME and no PAE, QEMU's TCG forgets its host's CR0 at a VMEXIT */
	if (need(NEED_LONG | NEED_VME)) {
		code(do_wrmsr);
		set_efer(0);
		in.r[CX] = EFER;
		in.r[AX] = EFER_LME;
		run();
		show_mode();
	}
	begin("modes pcide");
	if (need(NEED_LONG | NEED_PCID | NEED_VME)) {
		code(set_cr4_);
		in.r[AX] = CR4_PAE | CR4_PCIDE;
		run();
		show_mode();
	}
}

void long_mode(void)
{
	journey();
	wrong_orders();
}
