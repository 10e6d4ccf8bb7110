// SPDX-License-Identifier: GPL-2.0
/* Task switches: SDM vol. 3 chapter 7. */
#include "trace.h"

#define SEL_T	SEL_X		/* the new task */
#define SEL_TG	(SEL_X + 8)	/* a gate to it */
#define SEL_S	(SEL_X + 16)	/* a segment of the new task */
#define ENTRY	(M_CODE + 0x40)

CODE(jmp_far, 32, "ljmp *(%esi)");
CODE(call_far, 32, "lcall *(%esi)");
CODE(int40, 32, "int $0x40");
CODE(div0, 32, "div %ecx");
CODE(iret, 32, "iretl");
CODE(ud, 32, "");

static struct tss *const old = (struct tss *)M_TSS, *const task = (struct tss *)M_TSS2;

static void new_task(u32 cpl, u32 type, u32 limit)
{
	u32 i;

	memset(task, 0, 0x80);
	task->eip = ENTRY;
	task->eflags = FL_AC | FL_ID | FL_CF | 2;
	for (i = 0; i < 8; i++)
		task->gpr[i] = 0x11111111 * (i + 1);
	task->gpr[SP] = M_STACK2;
	task->cs = SEL_C(cpl) | cpl;
	task->ss = task->ds = task->es = task->fs = task->gs = SEL_D(cpl) | cpl;
	task->esp0 = M_STACK1;
	task->ss0 = SEL_KDS;
	task->iomap = 0x68;
	set_gdt(SEL_T, desc(M_TSS2, limit, 0x80 | DPL(3) | type, 0));
	set_gdt(SEL_TG, gate(SEL_T, 0, 5, 3, 0));
	put_bytes(ENTRY, "", 0);
	mem32(M_DATA) = 0x12345678;
	in.r[SI] = M_DATA;
	in.r[CX] = 0;
}

static void new_task16(u32 cpl)
{
	u16 *t = (u16 *)M_TSS2;
	u32 i;

	memset(t, 0, 0x80);
	t[1] = 0xf000;
	t[2] = SEL_KDS;
	t[7] = 0x40;			/* IP */
	t[8] = 0x3 | FL_IOPL(1);
	for (i = 0; i < 8; i++)
		t[9 + i] = 0x1111 * (i + 1);
	t[9 + SP] = 0x5000;
	t[17] = t[19] = t[20] = SEL_D16(cpl) | cpl;	/* ES, SS, DS */
	t[18] = SEL_C16(cpl) | cpl;
	set_gdt(SEL_T, desc(M_TSS2, 0x2b, 0x81 | DPL(3), 0));
	set_gdt(SEL_TG, gate(SEL_T, 0, 5, 3, 0));
	put_bytes(ENTRY, "", 0);
	mem32(M_DATA) = 0x12345678;
	in.r[SI] = M_DATA;
}

static void show_switch(bool is16)
{
	const u16 *t = (u16 *)M_TSS2;
	ul cr0 = read_cr0();
	u32 i;

	/* a 16-bit TSS does not say what becomes of the upper halves */
	for (i = 0; i < NR_GPRS && is16; i++)
		out.r[i] &= 0xffff;
	show_outcome();
	show_changes();
	if (!(get_gdt(SEL_TSS) >> 41 & 1))
		line(" old-busy");
	line(" old eip=%x fl=%x sp=%x ax=%x cs=%x", old->eip, old->eflags & ~(u32)FL_RF,
	     old->gpr[SP], old->gpr[AX], old->cs);
	line(" link=%x/%x", (u32)t[0], (u32)old->link);
	if (cr0 & CR0_TS)
		line(" ts");
	end_line();
}

enum { JMP, CALL, JMP_GATE, CALL_GATE, INT, FAULT, IRET, NR_WAYS };
static const char *const way_name[] = { "jmp", "call", "jmp gate", "call gate", "int", "fault",
					"iret" };

static void go_by(u32 way, u32 cpl)
{
	static const struct code *const codes[] = { &jmp_far, &call_far, &jmp_far, &call_far, &int40,
						    &div0, &iret };

	ring(cpl);
	in.r[SI] = M_DATA;
	in.r[AX] = 0xa5a5a5a5;
	code(*codes[way]);
	mem16(M_DATA + 4) = (way >= JMP_GATE ? SEL_TG : SEL_T) | cpl;
	set_idt(0x40, gate(SEL_T, 0, 5, 3, 0));
	if (way == FAULT)
		set_idt(0, gate(SEL_T, 0, 5, 0, 0));
	if (way == IRET) {
		in.fl |= FL_NT;
		old->link = SEL_T;
		set_gdt(SEL_T, get_gdt(SEL_T) | 2ull << 40);
	}
}

static void ways(void)
{
	u32 way, cpl, to;

	for (way = 0; way < NR_WAYS; way++)
	for (cpl = 0; cpl < 4; cpl += 3)
	for (to = 0; to < 4; to += 3) {
		begin("tasks %s cpl%x to cpl%x", way_name[way], cpl, to);
		new_task(to, 9, 0x67);
		go_by(way, cpl);
		run();
		show_switch(false);
		begin("tasks16 %s cpl%x to cpl%x", way_name[way], cpl, to);
		new_task16(to);
		go_by(way, cpl);
		run();
		show_switch(true);
	}
	/* the old one keeps its flags, an old NT with JMP, a new one that had NT */
	for (way = 0; way < NR_WAYS; way++) {
		begin("tasks %s with nt", way_name[way]);
		new_task(0, 9, 0x67);
		go_by(way, 0);
		in.fl |= FL_NT | FL_DF | FL_IF | FL_OF;
		if (way != IRET)
			old->link = SEL_TG;
		task->eflags |= FL_NT;
		run();
		show_switch(false);
	}
}

/* What the descriptor of the new task can be. */
static void descriptors(void)
{
	u32 way, type, i;
	static const u8 limits[] = { 0x66, 0x67, 0x2a, 0x2b, 0, 0x6f };

	for (way = 0; way < NR_WAYS; way++)
	for (type = 0; type < 16; type++) {
		if (type == 4 || type == 5 || type == 12 || type == 1 || type == 9 ||
		    (way == IRET && type == 3))
			continue;
		begin("tasks %s to type %x", way_name[way], type);
		new_task(0, type, 0x67);
		go_by(way, 0);
		if (way == IRET)
			set_gdt(SEL_T, desc(M_TSS2, 0x67, 0x80 | DPL(3) | type, 0));
		if (type == 3)
			task->link = 0x1234;
		run();
		show_switch(false);
	}
	begin("tasks iret to available");
	new_task(0, 9, 0x67);
	go_by(IRET, 0);
	set_gdt(SEL_T, desc(M_TSS2, 0x67, 0x89, 0));
	run();
	show_switch(false);
	for (way = 0; way < NR_WAYS; way++)
	for (i = 0; i < sizeof(limits); i++) {
		begin("tasks %s limit %x", way_name[way], limits[i]);
		new_task(0, 9, limits[i]);
		go_by(way, 0);
		run();
		show_switch(false);
	}
	for (way = 0; way < NR_WAYS; way++) {
		begin("tasks %s np", way_name[way]);
		new_task(0, 9, 0x67);
		go_by(way, 0);
		set_gdt(SEL_T, get_gdt(SEL_T) & ~(1ull << 47));
		run();
		show_switch(false);
		begin("tasks %s in ldt", way_name[way]);
		new_task(0, 9, 0x67);
		go_by(way, 0);
		set_ldt(8, get_gdt(SEL_T));
		__asm__ volatile("lldt %w0" :: "r"(SEL_LDT));
		mem16(M_DATA + 4) = way >= JMP_GATE ? SEL_TG : 0xc;
		set_gdt(SEL_TG, gate(0xc, 0, 5, 3, 0));
		set_idt(0x40, gate(0xc, 0, 5, 3, 0));
		if (way == FAULT)
			set_idt(0, gate(0xc, 0, 5, 0, 0));
		old->link = 0xc;
		run();
		show_switch(false);
		begin("tasks %s null", way_name[way]);
		new_task(0, 9, 0x67);
		go_by(way, 0);
		mem16(M_DATA + 4) = way >= JMP_GATE ? SEL_TG : 0;
		set_gdt(SEL_TG, gate(0, 0, 5, 3, 0));
		set_idt(0x40, gate(0, 0, 5, 3, 0));
		if (way == FAULT)
			set_idt(0, gate(0, 0, 5, 0, 0));
		old->link = 0;
		run();
		show_switch(false);
		begin("tasks %s itself", way_name[way]);
		new_task(0, 9, 0x67);
		go_by(way, 0);
		mem16(M_DATA + 4) = way >= JMP_GATE ? SEL_TG : SEL_TSS;
		set_gdt(SEL_TG, gate(SEL_TSS, 0, 5, 3, 0));
		set_idt(0x40, gate(SEL_TSS, 0, 5, 3, 0));
		if (way == FAULT)
			set_idt(0, gate(SEL_TSS, 0, 5, 0, 0));
		old->link = SEL_TSS;
		if (way != IRET)
			run();
		if (way != IRET)
			show_switch(false);
	}
}

/* DPL of the gate and of the TSS, RPL of the selector. */
static void privilege(void)
{
	u32 way, cpl, rpl, dpl;

	for (way = JMP; way <= INT; way++)
	for (cpl = 0; cpl < 4; cpl += 3)
	for (rpl = 0; rpl < 4; rpl += way == INT ? 4 : 1)
	for (dpl = 0; dpl < 4; dpl++) {
		begin("tasks privilege %s cpl%x rpl%x dpl%x", way_name[way], cpl, rpl, dpl);
		new_task(0, 9, 0x67);
		go_by(way, cpl);
		set_gdt(SEL_T, desc(M_TSS2, 0x67, 0x89 | DPL(way >= JMP_GATE ? 0 : dpl), 0));
		set_gdt(SEL_TG, gate(SEL_T, 0, 5, dpl, 0));
		set_idt(0x40, gate(SEL_T, 0, 5, dpl, 0));
		mem16(M_DATA + 4) = (way >= JMP_GATE ? SEL_TG : SEL_T) | rpl;
		run();
		show_outcome();
		end_line();
	}
}

/* A segment of the new task is wrong: the fault comes in the new task. */
static void segments(void)
{
	static const struct { const char *name; u16 sel; u8 access; } bad[] = {
		{ "null", 0, 0 }, { "rpl", SEL_S | 1, ACC_DATA }, { "out", 0x1000, 0 },
		{ "np", SEL_S, ACC_DATA ^ NOT_PRESENT }, { "np code", SEL_S, ACC_CODE ^ NOT_PRESENT },
		{ "readonly", SEL_S, 0x90 }, { "code", SEL_S, ACC_CODE },
		{ "conf", SEL_S, ACC_CODE_C }, { "execute", SEL_S, 0x98 },
		{ "dpl3", SEL_S, ACC_DATA | DPL(3) }, { "code dpl3", SEL_S, ACC_CODE | DPL(3) },
		{ "system", SEL_S, 0x82 }, { "data", SEL_S, ACC_DATA },
	};
	static const char *const names[] = { "es", "cs", "ss", "ds", "fs", "gs", "ldt" };
	u32 s, i, cpl;

	for (cpl = 0; cpl < 4; cpl += 3)
	for (s = 0; s < 7; s++)
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		begin("tasks segment %s %s cpl%x", names[s], bad[i].name, cpl);
		new_task(cpl, 9, 0x67);
		go_by(JMP, 0);
		set_gdt(SEL_S, desc(0, 0xfffff, bad[i].access, FL_G | FL_D));
		(&task->es)[s * 2] = bad[i].sel;
		/* one fault at a time: which of two comes first is the model's choice */
		if (s == 1) {
			task->ss = SEL_D(bad[i].sel & 3) | (bad[i].sel & 3);
			task->ds = task->es = task->fs = task->gs = 0;
		}
		/* the handlers must not need what is broken */
		for (u32 v = 10; v < 14; v++)
			set_idt(v, gate(SEL_DFTSS, 0, 5, 0, 0));
		run();
		if (out.tr == SEL_DFTSS) {
			const struct tss *t = task;

			line(" fault err=%x in cs=%x eip=%x ss=%x ds=%x fl=%x ldt=%x",
			     mem32(M_DFSTACK - 4), (u32)t->cs, t->eip, (u32)t->ss, (u32)t->ds,
			     t->eflags & ~(u32)FL_RF, (u32)t->ldt);
			line(" link=%x", (u32)*(u16 *)(M_TSS2 + 0xf00));
			end_line();
		} else {
			show_switch(false);
		}
	}
}

static void others(void)
{
	u32 way, i;

	for (way = 0; way < NR_WAYS; way++) {
		begin("tasks %s T bit", way_name[way]);
		new_task(0, 9, 0x67);
		go_by(way, 0);
		task->trap = 1;
		run();
		line(" dr6=%lx", read_dr6());
		show_switch(false);

		begin("tasks %s to v86", way_name[way]);
		new_task(3, 9, 0x67);
		go_by(way, 0);
		task->eflags = FL_VM | FL_IOPL(1) | 2;
		task->cs = M_CODE >> 4;
		task->eip = 0x40;
		task->ss = task->ds = task->es = task->fs = task->gs = M_DATA >> 4;
		task->gpr[SP] = 0xff0;
		run();
		show_switch(false);

		begin("tasks %s beyond the limit", way_name[way]);
		new_task(0, 9, 0x67);
		go_by(way, 0);
		task->eip = 0x10000;
		set_gdt(SEL_S, desc(M_CODE, 0xfff, ACC_CODE, FL_D));
		task->cs = SEL_S;
		run();
		show_switch(false);

		begin("tasks %s with tf", way_name[way]);
		new_task(0, 9, 0x67);
		go_by(way, 0);
		task->eflags |= FL_TF;
		mem8(ENTRY) = 0x90;
		put_bytes(ENTRY + 1, "", 0);
		run();
		line(" dr6=%lx", read_dr6());
		show_switch(false);

		begin("tasks %s with L0", way_name[way]);
		new_task(0, 9, 0x67);
		go_by(way, 0);
		WRITE_DR(0, M_DATA + 0x100);
		WRITE_DR(7, 0x455);
		run();
		line(" dr7=%lx", read_dr7());
		show_switch(false);

		begin("tasks %s through ldt segments", way_name[way]);
		new_task(0, 9, 0x67);
		go_by(way, 0);
		set_ldt(8, desc(0, 0xfffff, ACC_DATA, FL_G | FL_D));
		set_ldt(16, desc(0, 0xfffff, ACC_CODE, FL_G | FL_D));
		task->ldt = SEL_LDT;
		task->ds = 0xc;
		task->ss = 0xc;
		task->cs = 0x14;
		run();
		show_switch(false);
	}
	/* error code of a fault that is a task */
	for (i = 0; i < 2; i++) {
		begin("tasks error code to %s", i ? "16" : "32");
		if (i)
			new_task16(0);
		else
			new_task(0, 9, 0x67);
		ring(3);
		code_bytes("\x8e\xc0", 2);
		in.r[AX] = 0x5678;
		set_idt(13, gate(SEL_T, 0, 5, 0, 0));
		run();
		show_outcome();
		line(" pushed %x", i ? mem16(0x5000 - 2) : mem32(M_STACK2 - 4));
		end_line();
	}
	/* back and forth: the interrupted task goes on behind the CALL */
	begin("tasks call and iret");
	new_task(0, 9, 0x67);
	go_by(CALL, 0);
	put(ENTRY, iret);
	run();
	line(" new eip=%x fl=%x", task->eip, task->eflags & ~(u32)FL_RF);
	show_switch(false);
	begin("tasks int and iret from cpl3");
	new_task(0, 9, 0x67);
	go_by(INT, 3);
	put(ENTRY, iret);
	run();
	line(" new eip=%x fl=%x", task->eip, task->eflags & ~(u32)FL_RF);
	show_switch(false);
}

void tasks(void)
{
	ways();
	descriptors();
	privilege();
	segments();
	others();
}
