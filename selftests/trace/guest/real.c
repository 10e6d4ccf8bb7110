// SPDX-License-Identifier: GPL-2.0
/* Real-address mode, and the ways into it and out of it: SDM vol. 3 chapter 21, §9.9. */
#include "trace.h"

CODE(nothing, 16, "");
CODE(int40, 16, "int $0x40");
CODE(int3, 16, "int3");
CODE(into, 16, "into");
CODE(int1, 16, ".byte 0xf1");
CODE(div0, 16, "div %cx");
CODE(bound, 16, "bound %ax, (0)");
CODE(edge, 16, "mov (0xffff), %ax");
CODE(edge1, 16, "mov (0xffff), %al");
CODE(edge4, 16, "mov (0xfffd), %eax");
CODE(edge_ss, 16, "mov $0xffff, %bp; mov (%bp), %ax");
CODE(beyond, 16, "movl $0x10000, %esi; addr32 movb (%esi), %al");
CODE(push0, 16, "xor %sp, %sp; push %ax; mov %ss:(0xfffe), %dx");
CODE(pop_edge, 16, "mov $0xffff, %sp; pop %ax");
CODE(pop_wrap, 16, "mov $0xfffe, %sp; pop %ax");
CODE(push_sp, 16, "push %sp; pop %ax");
CODE(pushf, 16, "pushf; pop %ax");
CODE(popf, 16, "push $0x7fd7; popf; pushf; pop %ax; push $2; popf");
CODE(popfd, 16, "pushl $0x7f7ed7; popfl; pushfl; pop %eax; pushl $2; popfl");
CODE(iret, 16, "pushw %bx; pushw %cs; push $0x2020; iret");
CODE(iretd, 16, "pushl $0x247002; pushl $0; pushl $0x2020; iretl");
CODE(iretd_high, 16, "pushl $2; pushl $0; pushl $0x60020; iretl");
CODE(far_jmp, 16, "ljmp $0x200, $0x20");
CODE(far_call, 16, "lcall $0x200, $0x20");
CODE(far_call32, 16, "lcalll $0x200, $0x20");
CODE(far_jmp32, 16, "ljmpl $0x200, $0x5e020");
CODE(lret, 16, "push $0x200; push $0x20; lret");
CODE(mov_cs, 16, ".byte 0x8e, 0xc8");
CODE(lock, 16, ".byte 0xf0, 0x90");
CODE(sldt, 16, "sldt %ax");
CODE(str, 16, "str %ax");
CODE(lldt, 16, "lldt %ax");
CODE(ltr, 16, "ltr %ax");
CODE(lar, 16, "lar %ax, %bx");
CODE(lsl, 16, "lsl %ax, %bx");
CODE(verr, 16, "verr %ax");
CODE(verw, 16, "verw %ax");
CODE(arpl, 16, ".byte 0x63, 0xc3");
CODE(sysexit, 16, "sysexit");
CODE(smsw, 16, "smsw %ax");
CODE(clts, 16, "clts");
CODE(cli, 16, "cli; sti");
CODE(les, 16, "les (0), %bx");
CODE(lss, 16, "lss (0), %sp");
CODE(lmsw_keep, 16, "mov $0, %ax; lmsw %ax; smsw %ax");
CODE(jmp_beyond, 16, "movl $0x60020, %eax; jmpl *%eax");
CODE(movs_edge, 16, "mov $0xfffe, %si; mov $0x100, %di; mov $4, %cx; rep movsb");
CODE(movs_fault, 16, "mov $0xfffd, %si; mov $0x100, %di; mov $4, %cx; rep movsw");
CODE(movs32, 16, "mov $0xfffd, %esi; mov $0x100, %edi; mov $8, %ecx; addr32 rep movsb");
CODE(xlat, 16, "mov $0xffff, %bx; mov $1, %al; xlat");
CODE(invlpg, 16, "invlpg (0)");
CODE(wbinvd, 16, "wbinvd");
CODE(mov_cr0, 16, "mov %cr0, %eax");
CODE(ud2, 16, "ud2");
CODE(len15, 16, ".byte 0x2e,0x2e,0x2e,0x2e,0x2e,0x2e,0x2e,0x2e,0x2e,0x2e,0x2e,0x2e,0x2e,0x2e,0x90");
CODE(len16, 16, ".byte 0x2e,0x2e,0x2e,0x2e,0x2e,0x2e,0x2e,0x2e,0x2e,0x2e,0x2e,0x2e,0x2e,0x2e,0x2e,0x90");

/* Protected mode and back within the case: hidden parts stay. */
CODE(unreal, 16,
     "mov %cr0, %eax; or $1, %al; mov %eax, %cr0; mov $0x10, %bx; mov %bx, %es;"
     "and $0xfe, %al; mov %eax, %cr0; mov $0x7a000, %esi; movl %es:(%esi), %edx;"
     "mov $0x300, %bx; mov %bx, %es; mov $0x77000, %esi; movl %es:(%esi), %ecx;");
CODE(big_stack, 16,
     "mov %cr0, %eax; or $1, %al; mov %eax, %cr0; mov $0x10, %bx; mov %bx, %ss;"
     "and $0xfe, %al; mov %eax, %cr0; xor %ax, %ax; mov %ax, %ss; mov $0x12345000, %esp; mov $0x4800, %sp;"
     "mov $0x4800, %esp; pushl $0x1234; mov %esp, %ecx");
CODE(pm_code, 16,
     "mov %cr0, %eax; or $1, %al; mov %eax, %cr0; mov %cs, %cx; mov $0x1234, %dx; push %dx; pop %bx;"
     "and $0xfe, %al; mov %eax, %cr0; mov %cs, %si");
CODE(pm_far, 16,
     "0: mov %cr0, %eax; or $1, %al; mov %eax, %cr0; ljmp $0x30, $1f-0b+0x2000;"
     "1: mov %cs, %cx; lar %cx, %edx; mov %cr0, %eax; and $0xfe, %al; mov %eax, %cr0;"
     "ljmp $0, $2f-0b+0x2000; 2: mov %cs, %bx");
CODE(lmsw_pm, 16, "mov $1, %ax; lmsw %ax; smsw %bx; mov $0, %ax; lmsw %ax; smsw %cx;"
		  "mov %cr0, %eax; and $0xfe, %al; mov %eax, %cr0");
CODE(pg_without_pe, 16, "mov %cr0, %eax; or $0x80000000, %eax; mov %eax, %cr0");
CODE(a20, 16, "mov $0xffff, %ax; mov %ax, %ds; movb $0x5a, (0x10); xor %ax, %ax; mov %ax, %ds; mov (0), %al");

static const struct op { const char *name; const struct code *c; } ops[] = {
	{ "nothing", &nothing }, { "int", &int40 }, { "int3", &int3 }, { "into", &into },
	{ "int1", &int1 }, { "div0", &div0 }, { "bound", &bound }, { "edge", &edge },
	{ "edge1", &edge1 }, { "edge4", &edge4 }, { "edge ss", &edge_ss }, { "beyond", &beyond },
	{ "push 0", &push0 }, { "pop edge", &pop_edge },
	{ "pop wrap", &pop_wrap }, { "push sp", &push_sp }, { "pushf", &pushf }, { "popf", &popf },
	{ "popfd", &popfd }, { "iret", &iret }, { "iretd", &iretd }, { "iretd high", &iretd_high },
	{ "far jmp", &far_jmp }, { "far call", &far_call }, { "far call32", &far_call32 },
	{ "far jmp32", &far_jmp32 }, { "lret", &lret }, { "mov cs", &mov_cs }, { "lock", &lock },
	{ "sldt", &sldt }, { "str", &str }, { "lldt", &lldt }, { "ltr", &ltr }, { "lar", &lar },
	{ "lsl", &lsl }, { "verr", &verr }, { "verw", &verw }, { "arpl", &arpl },
	{ "sysexit", &sysexit }, { "smsw", &smsw }, { "clts", &clts }, { "cli", &cli },
	{ "les", &les }, { "lmsw", &lmsw_keep },
	{ "jmp beyond", &jmp_beyond }, { "movs edge", &movs_edge }, { "movs fault", &movs_fault },
	{ "movs32", &movs32 }, { "xlat", &xlat }, { "invlpg", &invlpg }, { "wbinvd", &wbinvd },
	{ "mov cr0", &mov_cr0 }, { "ud2", &ud2 }, { "len15", &len15 }, { "len16", &len16 },
	{ "unreal", &unreal }, { "big stack", &big_stack }, { "pm", &pm_code }, { "pm far", &pm_far },
	{ "lmsw pm", &lmsw_pm }, { "pg without pe", &pg_without_pe }, { "a20", &a20 },
};

static void setup(const struct code *c)
{
	memset(&in, 0, sizeof(in));
	in.fl = 2;
	in.ip = M_RCODE;
	in.r[SP] = M_RSTACK;
	in.ds = in.es = in.fs = in.gs = M_RDATA >> 4;
	memset((void *)(M_RSTACK - 0x20), 0, 0x20);
	memset((void *)M_RDATA, 0, 0x200);
	mem32(M_RDATA) = 0x12345678;
	mem32(M_RDATA + 4) = 0x9abcdef0;
	put_bytes(M_RCODE + 0x100, "", 0);
	put_bytes(0xfffe, "", 0);	/* the end of segment 0 */
	put_bytes(0x60020, "", 0);	/* where a CPU without limits gets to */
	code_real(*c);
	put_bytes(M_RCODE + 0x20, "", 0);
	if (c->end - c->start > 0x20)
		code_real(*c);
}

void reals(void)
{
	u32 o, tf;

	for (o = 0; o < sizeof(ops) / sizeof(ops[0]); o++)
	for (tf = 0; tf < 2; tf++) {
		begin("real %s%s", ops[o].name, tf ? " tf" : "");
		/* QEMU's TCG, which has no VME either, does not survive paging without PE */
		if (ops[o].c == &pg_without_pe && !need(NEED_VME))
			continue;
		setup(ops[o].c);
		in.fl |= (o == 3 ? FL_OF : 0) | (tf ? FL_TF : 0) | FL_DF * (o == 2);
		mem32(M_DATA) = 0x0badcafe;
		run_real();
		show_outcome();
		show_changes();
		line(" [%x %x %x]", mem16(M_RSTACK - 2), mem16(M_RSTACK - 4), mem16(M_RSTACK - 6));
		if (tf)
			line(" dr6=%lx", read_dr6());
		end_line();
	}
}
