// SPDX-License-Identifier: GPL-2.0
/*
 * Cases built from the manuals, one after the other.
 */
#include <stdio.h>
#include "system.h"

/* CALL and JMP far to sel:off, in 32-bit code */
static void far(u32 opcode, u16 sel, u32 off)
{
	char hex[32];

	snprintf(hex, sizeof(hex), "%02x%02x%02x%02x%02x%02x%02x", opcode, off & 0xff,
		 off >> 8 & 0xff, off >> 16 & 0xff, off >> 24, sel & 0xff, sel >> 8);
	code(hex);
}

static void callf(u16 sel)
{
	far(0x9a, sel, 0);
}

static void jmpf(u16 sel)
{
	far(0xea, sel, 0);
}

static void want_at(u64 rip, u16 cs, u32 cpl)
{
	want_ok();
	want("rip", cpu->rip, rip);
	want("cs", cpu->seg[RVM_CS].sel, cs);
	want("cpl", cpu->cpl, cpl);
}

/* Values on the present stack, from the top; ends with ~0. */
static void want_stack(u32 size, const u64 *v)
{
	u32 at = cpu->gpr[RVM_RSP];

	for (; *v != ~0ull; v++, at += size)
		want("stack", get(at, size), *v & (size == 8 ? ~0ull : (1ull << size * 8) - 1));
}
#define STACK(size, ...) want_stack(size, (const u64[]){ __VA_ARGS__, ~0ull })

/* SDM vol. 2, CALL: CALL-GATE; vol. 3 §5.8.3 to §5.8.5 */
static void call_gates(void)
{
	u32 params;

	for (params = 0; params < 32; params += 31) {
		u32 i;

		name("call gate 3 to 0, %u parameters", params);
		machine32(3);
		set_gate(GDT + S_TEST, S_CODE(0), TARGET, 0xec, params);
		for (i = 0; i < params; i++)
			put(STACK3 - 4 * params + i * 4, 0x1000 + i, 4);
		cpu->gpr[RVM_RSP] = STACK3 - 4 * params;
		callf(S_TEST | 3);
		run();
		want_at(TARGET, S_CODE(0), 0);
		want("ss", cpu->seg[RVM_SS].sel, S_DATA(0));
		want("esp", cpu->gpr[RVM_RSP], STACK0 - 16 - 4 * params);
		STACK(4, CODE + 7, S_CODE(3) | 3);
		for (i = 0; i < params; i++)
			want("parameter", get(STACK0 - 8 - 4 * params + i * 4, 4), 0x1000 + i);
		want("old esp", get(STACK0 - 8, 4), STACK3 - 4 * params);
		want("old ss", get(STACK0 - 4, 4), S_DATA(3) | 3);
	}
	name("16-bit call gate 3 to 1, one parameter");
	machine32(3);
	set_gate(GDT + S_TEST, S_CODE(1), TARGET, 0xe4, 1);
	put(STACK3 - 2, 0x1234, 2);
	cpu->gpr[RVM_RSP] = STACK3 - 2;
	callf(S_TEST | 3);
	run();
	want_at(TARGET, S_CODE(1) | 1, 1);
	want("esp", cpu->gpr[RVM_RSP], STACK1 - 10);
	STACK(2, CODE + 7, S_CODE(3) | 3, 0x1234, STACK3 - 2, S_DATA(3) | 3);

	name("call gate to conforming code keeps CPL and stack");
	machine32(3);
	set_gate(GDT + S_TEST, S_CONF, TARGET, 0xec, 5);
	callf(S_TEST | 3);
	run();
	want_at(TARGET, S_CONF | 3, 3);
	STACK(4, CODE + 7, S_CODE(3) | 3);

	name("jmp through a gate inwards");
	machine32(3);
	set_gate(GDT + S_TEST, S_CODE(0), TARGET, 0xec, 0);
	jmpf(S_TEST | 3);
	run();
	want_fault(RVM_GP, S_CODE(0));

	name("jmp through a gate, same ring");
	machine32(1);
	set_gate(GDT + S_TEST, S_CODE(1), TARGET, 0xec, 3);
	jmpf(S_TEST);
	run();
	want_at(TARGET, S_CODE(1) | 1, 1);

#define GATE_FAULT(what, vec, err, ...) do { \
	name("call gate: %s", what); \
	machine32(3); \
	set_gate(GDT + S_TEST, S_CODE(0), TARGET, 0xec, 0); \
	__VA_ARGS__; \
	callf(S_TEST | 3); \
	run(); \
	want_fault(vec, err); } while (0)
	GATE_FAULT("DPL below CPL", RVM_GP, S_TEST, set_gate(GDT + S_TEST, S_CODE(0), TARGET, 0xcc, 0));
	GATE_FAULT("not present", RVM_NP, S_TEST, set_gate(GDT + S_TEST, S_CODE(0), TARGET, 0x6c, 0));
	GATE_FAULT("null code", RVM_GP, 0, set_gate(GDT + S_TEST, 3, TARGET, 0xec, 0));
	GATE_FAULT("code beyond the table", RVM_GP, 0x1f0,
		   set_gate(GDT + S_TEST, 0x1f0, TARGET, 0xec, 0));
	GATE_FAULT("data for code", RVM_GP, S_DATA(0),
		   set_gate(GDT + S_TEST, S_DATA(0), TARGET, 0xec, 0));
	GATE_FAULT("code in the LDT", RVM_GP, 0x14, set_gate(GDT + S_TEST, 0x14, TARGET, 0xec, 0));
	GATE_FAULT("code not present", RVM_NP, S_CODE(0),
		   set_desc(S_CODE(0), 0, ~0u, 0x1b | A_32));
	GATE_FAULT("TSS too short", RVM_TS, S_TSS, cpu->seg[RVM_TR].limit = 8);
	GATE_FAULT("null SS in the TSS", RVM_TS, 0, put(TSS + 8, 0, 2));
	GATE_FAULT("SS beyond the table", RVM_TS, 0x1f0, put(TSS + 8, 0x1f0, 2));
	GATE_FAULT("SS of another ring", RVM_TS, S_DATA(1), put(TSS + 8, S_DATA(1), 2));
	GATE_FAULT("RPL of SS", RVM_TS, S_DATA(0), put(TSS + 8, S_DATA(0) | 1, 2));
	GATE_FAULT("SS not writable", RVM_TS, S_DATA(0), set_desc(S_DATA(0), 0, ~0u, 0x91 | A_32));
	GATE_FAULT("SS not present", RVM_SSF, S_DATA(0), set_desc(S_DATA(0), 0, ~0u, 0x13 | A_32));
	GATE_FAULT("no room on the new stack", RVM_SSF, S_DATA(0),
		   set_desc(S_DATA(0), 0, STACK0 - 14, A_DATA | RVM_SEG_DB));
	GATE_FAULT("no room is seen before a bad EIP", RVM_SSF, S_DATA(0),
		   set_desc(S_DATA(0), 0, STACK0 - 14, A_DATA | RVM_SEG_DB);
		   set_desc(S_CODE(0), 0, TARGET - 1, A_CODE | RVM_SEG_DB));
	GATE_FAULT("EIP beyond the segment", RVM_GP, 0,
		   set_desc(S_CODE(0), 0, TARGET - 1, A_CODE | RVM_SEG_DB));
	GATE_FAULT("page fault on the new stack", RVM_PF, 2, put(TSS + 4, RAM + 0x1010, 4));
	want("cr2", w.insn.fault.cr2, RAM + 0x100c);

	name("page fault in the parameters is the caller's");
	machine32(3);
	set_gate(GDT + S_TEST, S_CODE(0), TARGET, 0xec, 2);
	cpu->gpr[RVM_RSP] = RAM - 4;
	callf(S_TEST | 3);
	run();
	want_fault(RVM_PF, 4);
	want("cr2", w.insn.fault.cr2, RAM);

	name("call gate in a read-only GDT page: accessed bit of the code segment");
	machine32(3);
	cpu->gdtr.base = ROPAGE;
	memcpy(ram + ROPAGE, ram + GDT, GDT_END);
	set_gate(ROPAGE + S_TEST, S_CODE(0), TARGET, 0xec, 0);
	ram[ROPAGE + S_CODE(0) + 5] &= ~1;
	callf(S_TEST | 3);
	run();
	want_fault(RVM_PF, 3);
	want("cr2", w.insn.fault.cr2, ROPAGE + S_CODE(0) + 5);
	name("the same with the bit already set");
	ram[ROPAGE + S_CODE(0) + 5] |= 1;
	run();
	want_at(TARGET, S_CODE(0), 0);
}

/* The 64-bit forms: SDM vol. 3 §5.8.3.1 */
static void call_gates_64(void)
{
	name("64-bit call gate 3 to 0");
	machine64(3);
	set_gate64(GDT + S_TEST, S_CODE64, 0xffff800000009000, 0xec, 0);
	put(DATA, 0, 4);
	put(DATA + 4, S_TEST | 3, 2);
	cpu->gpr[RVM_RBX] = DATA;
	code("ff1b");			/* call far [rbx] */
	run();
	want_at(0xffff800000009000, S_CODE64, 0);
	want("ss", cpu->seg[RVM_SS].sel, 0);
	want("rsp", cpu->gpr[RVM_RSP], STACK0 - 32);
	STACK(8, CODE + 2, S_CODE64U | 3, STACK3, S_DATA(3) | 3);

	name("64-bit call gate from compatibility mode, same ring");
	machine64(0);
	load_seg(RVM_CS, S_CODE(0));
	set_gate64(GDT + S_TEST, S_CODE64, TARGET, 0x8c, 0);
	callf(S_TEST);
	run();
	want_at(TARGET, S_CODE64, 0);
	STACK(8, CODE + 7, S_CODE(0));

#define GATE64_FAULT(what, vec, err, ...) do { \
	name("64-bit call gate: %s", what); \
	machine64(3); \
	set_gate64(GDT + S_TEST, S_CODE64, TARGET, 0xec, 0); \
	put(DATA + 4, S_TEST | 3, 2); \
	cpu->gpr[RVM_RBX] = DATA; \
	__VA_ARGS__; \
	code("ff1b"); \
	run(); \
	want_fault(vec, err); } while (0)
	GATE64_FAULT("not 64-bit code", RVM_GP, S_CODE(0),
		     set_gate64(GDT + S_TEST, S_CODE(0), TARGET, 0xec, 0));
	GATE64_FAULT("type in the upper half", RVM_GP, S_TEST, put(GDT + S_TEST + 13, 1, 1));
	GATE64_FAULT("16-bit gate", RVM_GP, S_TEST,
		     set_gate64(GDT + S_TEST, S_CODE64, TARGET, 0xe4, 0));
	GATE64_FAULT("task gate", RVM_GP, S_TEST, set_gate64(GDT + S_TEST, S_TSSB, 0, 0xe5, 0));
	GATE64_FAULT("non-canonical target", RVM_GP, 0,
		     set_gate64(GDT + S_TEST, S_CODE64, 0x800000000000, 0xec, 0));
	GATE64_FAULT("non-canonical stack", RVM_SSF, 0, put(TSS + 4, 0x900000000000, 8));
	GATE64_FAULT("upper half beyond the table", RVM_GP, S_TEST, cpu->gdtr.limit = S_TEST + 7);
	GATE64_FAULT("TSS too short", RVM_TS, S_TSS, cpu->seg[RVM_TR].limit = 10);
}

/* SDM vol. 2, RET: RETURN-TO-OUTER-PRIVILEGE-LEVEL */
static void far_returns(void)
{
	name("retf to ring 3, parameters released on both stacks");
	machine32(0);
	put(STACK0 - 24, TARGET, 4);
	put(STACK0 - 20, S_CODE(3) | 3, 4);
	put(STACK0 - 8, STACK3, 4);
	put(STACK0 - 4, S_DATA(3) | 3, 4);
	cpu->gpr[RVM_RSP] = STACK0 - 24;
	load_seg(RVM_ES, S_DATA(3) | 3);
	load_seg(RVM_FS, S_CONF);
	cpu->seg[RVM_GS] = (struct rvm_seg){ .sel = 2, .attr = RVM_SEG_UNUSABLE };
	code("ca0800");
	run();
	want_at(TARGET, S_CODE(3) | 3, 3);
	want("esp", cpu->gpr[RVM_RSP], STACK3 + 8);
	want("ss", cpu->seg[RVM_SS].sel, S_DATA(3) | 3);
	want("ds is inner data", cpu->seg[RVM_DS].sel, 0);
	want("ds is unusable", cpu->seg[RVM_DS].attr & RVM_SEG_UNUSABLE, RVM_SEG_UNUSABLE);
	want("es is outer data", cpu->seg[RVM_ES].sel, S_DATA(3) | 3);
	want("fs is conforming", cpu->seg[RVM_FS].sel, S_CONF);
	want("gs was null", cpu->seg[RVM_GS].sel, 0);

#define RETF_FAULT(what, vec, err, ...) do { \
	name("retf: %s", what); \
	machine32(0); \
	put(STACK0 - 16, TARGET, 4); \
	put(STACK0 - 12, S_CODE(3) | 3, 4); \
	put(STACK0 - 8, STACK3, 4); \
	put(STACK0 - 4, S_DATA(3) | 3, 4); \
	cpu->gpr[RVM_RSP] = STACK0 - 16; \
	__VA_ARGS__; \
	code("cb"); \
	run(); \
	want_fault(vec, err); } while (0)
	RETF_FAULT("null CS", RVM_GP, 0, put(STACK0 - 12, 3, 4));
	RETF_FAULT("CS beyond the table", RVM_GP, 0x1f0, put(STACK0 - 12, 0x1f3, 4));
	RETF_FAULT("CS is data", RVM_GP, S_DATA(3), put(STACK0 - 12, S_DATA(3) | 3, 4));
	RETF_FAULT("RPL is not DPL", RVM_GP, S_CODE(3), put(STACK0 - 12, S_CODE(3) | 2, 4));
	RETF_FAULT("CS not present", RVM_NP, S_CODE(3), set_desc(S_CODE(3), 0, ~0u, 0x7b | A_32));
	RETF_FAULT("null SS", RVM_GP, 0, put(STACK0 - 4, 0, 4));
	RETF_FAULT("RPL of SS", RVM_GP, S_DATA(3), put(STACK0 - 4, S_DATA(3), 4));
	RETF_FAULT("DPL of SS", RVM_GP, S_DATA(0), put(STACK0 - 4, S_DATA(0) | 3, 4));
	RETF_FAULT("SS not present", RVM_SSF, S_DATA(3), set_desc(S_DATA(3), 0, ~0u, 0x73 | A_32));
	RETF_FAULT("EIP beyond the segment", RVM_GP, 0,
		   set_desc(S_CODE(3), 0, 0xff, 0xfb | RVM_SEG_DB));
	RETF_FAULT("SS comes before EIP", RVM_SSF, S_DATA(3),
		   set_desc(S_CODE(3), 0, 0xff, 0xfb | RVM_SEG_DB);
		   set_desc(S_DATA(3), 0, ~0u, 0x73 | A_32));
	RETF_FAULT("beyond the stack's limit", RVM_SSF, 0, cpu->seg[RVM_SS].limit = STACK0 - 5);

	name("retf inwards");
	machine32(3);
	put(STACK3 - 8, TARGET, 4);
	put(STACK3 - 4, S_CODE(0), 4);
	cpu->gpr[RVM_RSP] = STACK3 - 8;
	code("cb");
	run();
	want_fault(RVM_GP, S_CODE(0));

	name("retf to a 16-bit stack leaves the upper half of ESP");
	machine32(0);
	set_desc(S_TEST, 0, 0xffff, 0xf3);
	put(STACK0 - 16, TARGET, 4);
	put(STACK0 - 12, S_CODE(3) | 3, 4);
	put(STACK0 - 8, 0xabcd0000 | STACK3, 4);
	put(STACK0 - 4, S_TEST | 3, 4);
	cpu->gpr[RVM_RSP] = STACK0 - 16;
	cpu->gpr[RVM_RSP] &= 0xffffffff;
	code("cb");
	run();
	want_at(TARGET, S_CODE(3) | 3, 3);
	want("esp", cpu->gpr[RVM_RSP], STACK3);
}

/* SDM vol. 2, IRET */
static void irets(void)
{
	name("iretd to V86 mode");
	machine32(0);
	{
		static const u32 v[9] = { 0x0123, 0x800, 0x23202, 0x4567, 0x900, 0x100, 0x200, 0x300,
					  0x400 };

		memcpy(ram + STACK0 - 36, v, sizeof(v));
	}
	cpu->gpr[RVM_RSP] = STACK0 - 36;
	code("cf");
	run();
	want_at(0x123, 0x800, 3);
	want("eflags", cpu->rflags, 0x23202);
	want("esp", cpu->gpr[RVM_RSP], 0x4567);
	want("ss", cpu->seg[RVM_SS].base, 0x9000);
	want("es", cpu->seg[RVM_ES].sel, 0x100);
	want("ds", cpu->seg[RVM_DS].sel, 0x200);
	want("fs", cpu->seg[RVM_FS].sel, 0x300);
	want("gs", cpu->seg[RVM_GS].sel, 0x400);
	want("cs limit", cpu->seg[RVM_CS].limit, 0xffff);

	name("iretd to V86 mode, EIP above 64 KiB");
	machine32(0);
	put(STACK0 - 36, 0x10000, 4);
	put(STACK0 - 28, 0x20002, 4);
	cpu->gpr[RVM_RSP] = STACK0 - 36;
	code("cf");
	run();
	want_fault(RVM_GP, 0);

	name("iretd with VM set, in ring 1: the flag is ignored");
	machine32(1);
	put(STACK1 - 12, TARGET, 4);
	put(STACK1 - 8, S_CODE(1) | 1, 4);
	put(STACK1 - 4, 0x23202, 4);
	cpu->gpr[RVM_RSP] = STACK1 - 12;
	code("cf");
	run();
	want_at(TARGET, S_CODE(1) | 1, 1);
	want("eflags", cpu->rflags, 2);

	name("iretd keeps RF, VIF and VIP as given, in ring 0");
	machine32(0);
	put(STACK0 - 12, TARGET, 4);
	put(STACK0 - 8, S_CODE(0), 4);
	put(STACK0 - 4, 0x1d7ed7, 4);
	cpu->gpr[RVM_RSP] = STACK0 - 12;
	code("cf");
	cpu->rflags |= RVM_FL_ID;
	run();
	want_at(TARGET, S_CODE(0), 0);
	want("eflags", cpu->rflags, 0x1d7ed7);

	name("iretw takes 16 flags, clears RF");
	machine32(0);
	put(STACK0 - 6, TARGET, 2);
	put(STACK0 - 4, S_CODE(0), 2);
	put(STACK0 - 2, 0x7ed7, 2);
	cpu->gpr[RVM_RSP] = STACK0 - 6;
	cpu->rflags |= RVM_FL_RF | RVM_FL_AC | RVM_FL_VIP;
	code("66cf");
	run();
	want_at(TARGET, S_CODE(0), 0);
	want("eflags", cpu->rflags, 0x7ed7 | RVM_FL_AC | RVM_FL_VIP);

	name("iretq to ring 3");
	machine64(0);
	{
		static const u64 v[5] = { 0x7fffffff0000, S_CODE64U | 3, 0x246, 0x7ffffffff000,
					  S_DATA(3) | 3 };

		memcpy(ram + STACK0 - 40, v, sizeof(v));
	}
	cpu->gpr[RVM_RSP] = STACK0 - 40;
	code("48cf");
	run();
	want_at(0x7fffffff0000, S_CODE64U | 3, 3);
	want("rsp", cpu->gpr[RVM_RSP], 0x7ffffffff000);
	want("ss", cpu->seg[RVM_SS].sel, S_DATA(3) | 3);

#define IRETQ_FAULT(what, vec, err, ...) do { \
	name("iretq: %s", what); \
	machine64(0); \
	put(STACK0 - 40, TARGET, 8); \
	put(STACK0 - 32, S_CODE64, 8); \
	put(STACK0 - 24, 2, 8); \
	put(STACK0 - 16, STACK0, 8); \
	put(STACK0 - 8, 0, 8); \
	cpu->gpr[RVM_RSP] = STACK0 - 40; \
	__VA_ARGS__; \
	code("48cf"); \
	run(); \
	want_fault(vec, err); } while (0)
	IRETQ_FAULT("NT set", RVM_GP, 0, cpu->rflags |= RVM_FL_NT);
	IRETQ_FAULT("non-canonical RIP", RVM_GP, 0, put(STACK0 - 40, 0x800000000000, 8));
	IRETQ_FAULT("null SS for ring 3", RVM_GP, 0, put(STACK0 - 32, S_CODE64U | 3, 8));
	IRETQ_FAULT("null SS for compatibility mode", RVM_GP, 0, put(STACK0 - 32, S_CODE(0), 8));
	IRETQ_FAULT("L and D set", RVM_GP, S_CODE(0),
		    put(STACK0 - 32, S_CODE(0), 8);
		    set_desc(S_CODE(0), 0, ~0u, A_CODE | A_32 | RVM_SEG_L));
	IRETQ_FAULT("non-canonical stack", RVM_SSF, 0,
		    cpu->gpr[RVM_RSP] = 0x7ffffffffff8; w.insn.intel = true;
		    cpu->gpr[RVM_RSP] = 0x800000000000);
	name("iretq: null SS in ring 0");
	machine64(0);
	put(STACK0 - 40, TARGET, 8);
	put(STACK0 - 32, S_CODE64, 8);
	put(STACK0 - 24, 2, 8);
	put(STACK0 - 16, STACK1, 8);
	cpu->gpr[RVM_RSP] = STACK0 - 40;
	code("48cf");
	run();
	want_at(TARGET, S_CODE64, 0);
	want("rsp", cpu->gpr[RVM_RSP], STACK1);
}

/* SDM vol. 2, INT n; vol. 3 §6.12, §6.13 */
static void interrupts(void)
{
	u32 trap;

	for (trap = 0; trap < 2; trap++) {
		name("int 0x40 from ring 3 through a 32-bit %s gate", trap ? "trap" : "interrupt");
		machine32(3);
		set_idt(0x40, S_CODE(0), TARGET, 0xee + trap);
		cpu->rflags |= RVM_FL_IF | RVM_FL_TF | RVM_FL_NT | RVM_FL_AC | RVM_FL_RF;
		code("cd40");
		run();
		want_at(TARGET, S_CODE(0), 0);
		want("eflags", cpu->rflags, 2 | RVM_FL_AC | (trap ? RVM_FL_IF : 0));
		STACK(4, CODE + 2, S_CODE(3) | 3, 2 | RVM_FL_IF | RVM_FL_TF | RVM_FL_NT |
		      RVM_FL_AC | RVM_FL_RF, STACK3, S_DATA(3) | 3);
	}
	name("16-bit gate, same ring");
	machine32(0);
	set_idt(0x40, S_CODE16, TARGET, 0x86);
	code("cd40");
	run();
	want_at(TARGET, S_CODE16, 0);
	want("esp", cpu->gpr[RVM_RSP], STACK0 - 6);
	STACK(2, CODE + 2, S_CODE(0), 2);

	name("#PF from ring 3: error code, RF");
	machine32(3);
	set_idt(RVM_PF, S_CODE(0), TARGET, 0x8e);
	deliver(RVM_PF, true, 7, false);
	want_at(TARGET, S_CODE(0), 0);
	STACK(4, 7, CODE, S_CODE(3) | 3, 2 | RVM_FL_RF, STACK3, S_DATA(3) | 3);

	name("external interrupt: no RF, no error code");
	machine32(0);
	set_idt(0x30, S_CODE(0), TARGET, 0x8e);
	cpu->rflags |= RVM_FL_IF;
	deliver(0x30, false, 0, true);
	want_at(TARGET, S_CODE(0), 0);
	STACK(4, CODE, S_CODE(0), 2 | RVM_FL_IF);

	name("int1 does not look at the gate's DPL, int 1 does");
	machine32(3);
	set_idt(1, S_CODE(0), TARGET, 0x8e);
	cpu->dr7 = 0x2400;
	code("f1");
	run();
	want_at(TARGET, S_CODE(0), 0);
	STACK(4, CODE + 1);
	machine32(3);
	set_idt(1, S_CODE(0), TARGET, 0x8e);
	code("cd01");
	run();
	want_fault(RVM_GP, 1 * 8 + 2);
	name("int1 not present: EXT");
	machine32(3);
	set_idt(1, S_CODE(0), TARGET, 0x0e);
	code("f1");
	run();
	want_fault(RVM_NP, 1 * 8 + 3);

#define INT_FAULT(what, vec, err, ...) do { \
	u32 hard; \
	for (hard = 0; hard < 2; hard++) { \
		name("%s: %s", hard ? "exception" : "int n", what); \
		machine32(3); \
		set_idt(0x40, S_CODE(0), TARGET, 0xee); \
		__VA_ARGS__; \
		code("cd40"); \
		if (hard) \
			deliver(0x40, false, 0, false); \
		else \
			run(); \
		want_fault(vec, (err) + hard); \
	} } while (0)
	INT_FAULT("beyond the IDT", RVM_GP, 0x202, cpu->idtr.limit = 0x206);
	INT_FAULT("not a gate", RVM_GP, 0x202, set_idt(0x40, S_CODE(0), TARGET, 0xec));
	INT_FAULT("gate not present", RVM_NP, 0x202, set_idt(0x40, S_CODE(0), TARGET, 0x6e));
	INT_FAULT("null code", RVM_GP, 0, set_idt(0x40, 0, TARGET, 0xee));
	INT_FAULT("code beyond the table", RVM_GP, 0x1f0, set_idt(0x40, 0x1f0, TARGET, 0xee));
	INT_FAULT("code beyond the LDT", RVM_GP, 0x1f4, set_idt(0x40, 0x1f4, TARGET, 0xee));
	INT_FAULT("data for code", RVM_GP, S_DATA(0), set_idt(0x40, S_DATA(0), TARGET, 0xee));
	INT_FAULT("code not present", RVM_NP, S_CODE(0),
		  set_desc(S_CODE(0), 0, ~0u, 0x1b | A_32));
	INT_FAULT("TSS too short", RVM_TS, S_TSS, cpu->seg[RVM_TR].limit = 8);
	INT_FAULT("null SS in the TSS", RVM_TS, 0, put(TSS + 8, 0, 2));
	INT_FAULT("SS of another ring", RVM_TS, S_DATA(1), put(TSS + 8, S_DATA(1), 2));
	INT_FAULT("SS not present", RVM_SSF, S_DATA(0), set_desc(S_DATA(0), 0, ~0u, 0x13 | A_32));
	INT_FAULT("no room", RVM_SSF, S_DATA(0),
		  set_desc(S_DATA(0), 0, STACK0 - 18, A_DATA | RVM_SEG_DB));
	INT_FAULT("EIP beyond the segment", RVM_GP, 0,
		  set_desc(S_CODE(0), 0, TARGET - 1, A_CODE | RVM_SEG_DB));
	INT_FAULT("no room comes before EIP", RVM_SSF, S_DATA(0),
		  set_desc(S_DATA(0), 0, STACK0 - 18, A_DATA | RVM_SEG_DB);
		  set_desc(S_CODE(0), 0, TARGET - 1, A_CODE | RVM_SEG_DB));
	name("int n: gate's DPL");
	machine32(3);
	set_idt(0x40, S_CODE(0), TARGET, 0x8e);
	code("cd40");
	run();
	want_fault(RVM_GP, 0x202);
	name("DPL is looked at before presence");
	set_idt(0x40, S_CODE(0), TARGET, 0x0e);
	run();
	want_fault(RVM_GP, 0x202);

	name("into with OF clear does nothing");
	machine32(3);
	code("ce");
	run();
	want_at(CODE + 1, S_CODE(3) | 3, 3);
	name("into with OF set");
	machine32(3);
	set_idt(4, S_CODE(0), TARGET, 0xee);
	cpu->rflags |= RVM_FL_OF;
	code("ce");
	run();
	want_at(TARGET, S_CODE(0), 0);
	STACK(4, CODE + 1, S_CODE(3) | 3, 2 | RVM_FL_OF);

	name("real mode: int 0x21");
	machine_real();
	put(0x21 * 4, 0x09001234, 4);
	cpu->rflags |= RVM_FL_IF | RVM_FL_TF | RVM_FL_AC;
	code("cd21");
	run();
	want_at(0x1234, 0x900, 0);
	want("eflags", cpu->rflags, 2);
	STACK(2, CODE + 2, 0, 2 | RVM_FL_IF | RVM_FL_TF);
	name("real mode: vector beyond the IVT");
	machine_real();
	cpu->idtr.limit = 0x21 * 4 + 2;
	code("cd21");
	run();
	checks++;
	if (last_rc != RVM_INSN_FAULT || w.insn.fault.vector != RVM_GP)
		fail("no #GP");
	name("real mode: SP 1 wraps into the segment's end");
	machine_real();
	put(0x21 * 4, 0x09001234, 4);
	cpu->gpr[RVM_RSP] = 1;
	code("cd21");
	run();
	checks++;
	if (last_rc != RVM_INSN_FAULT || w.insn.fault.vector != RVM_SSF)
		fail("no #SS");
	name("real mode: SP 0 wraps");
	machine_real();
	put(0x21 * 4, 0x09001234, 4);
	cpu->gpr[RVM_RSP] = 0x12340000;
	cpu->seg[RVM_SS].base = 0xffff0000 + DATA + 0x1000;	/* so that fffe lies in memory */
	code("cd21");
	run();
	want_at(0x1234, 0x900, 0);
	want("esp", cpu->gpr[RVM_RSP], 0x1234fffa);
}

/* Out of V86 mode, and VME: SDM vol. 3 §21.2, §21.3 */
static void v86(void)
{
	name("int n out of V86 mode, IOPL 3");
	machine_v86(3, 0);
	set_idt(0x40, S_CODE(0), TARGET, 0xee);
	cpu->seg[RVM_GS].sel = 0x111;
	cpu->seg[RVM_FS].sel = 0x222;
	cpu->seg[RVM_DS].sel = 0x333;
	cpu->seg[RVM_ES].sel = 0x444;
	cpu->seg[RVM_SS].sel = 0x555;
	code("cd40");
	run();
	want_at(TARGET, S_CODE(0), 0);
	STACK(4, CODE + 2, 0, 0x23002, STACK3, 0x555, 0x444, 0x333, 0x222, 0x111);
	want("ds", cpu->seg[RVM_DS].sel, 0);
	want("eflags", cpu->rflags, 0x3002);

	name("int n out of V86 mode, IOPL below 3");
	machine_v86(2, 0);
	set_idt(0x40, S_CODE(0), TARGET, 0xee);
	code("cd40");
	run();
	want_fault(RVM_GP, 0);
	name("int3 does not look at IOPL");
	machine_v86(0, 0);
	set_idt(3, S_CODE(0), TARGET, 0xee);
	code("cc");
	run();
	want_at(TARGET, S_CODE(0), 0);
	name("handler that is not in ring 0");
	machine_v86(3, 0);
	set_idt(0x40, S_CODE(1), TARGET, 0xee);
	code("cd40");
	run();
	want_fault(RVM_GP, S_CODE(1));
	name("conforming handler");
	machine_v86(3, 0);
	set_idt(0x40, S_CONF, TARGET, 0xee);
	code("cd40");
	run();
	want_fault(RVM_GP, S_CONF);

	name("VME: redirected, IOPL 3 (method 5)");
	machine_v86(3, RVM_CR4_VME);
	ram[TSS + 0x68 + 0x40 / 8] = 0xfe;
	put(0x40 * 4, 0x09001234, 4);
	cpu->rflags |= RVM_FL_IF;
	code("cd40");
	run();
	want_at(0x1234, 0x900, 3);
	want("eflags", cpu->rflags, 0x23002);
	STACK(2, CODE + 2, 0, 0x3202);
	name("VME: redirected, IOPL 0 (method 6)");
	machine_v86(0, RVM_CR4_VME);
	ram[TSS + 0x68 + 0x40 / 8] = 0xfe;
	put(0x40 * 4, 0x09001234, 4);
	cpu->rflags |= RVM_FL_VIF | RVM_FL_IF;
	code("cd40");
	run();
	want_at(0x1234, 0x900, 3);
	want("eflags", cpu->rflags, 0x20202);
	STACK(2, CODE + 2, 0, 0x3202);
	name("VME: not redirected, IOPL 0 (method 2)");
	machine_v86(0, RVM_CR4_VME);
	set_idt(0x40, S_CODE(0), TARGET, 0xee);
	code("cd40");
	run();
	want_fault(RVM_GP, 0);
	name("VME: the map lies beyond the TSS");
	machine_v86(3, RVM_CR4_VME);
	put(TSS + 0x66, 0x1000, 2);
	code("cd40");
	run();
	want_fault(RVM_GP, 0);

	/* IRET, POPF and STI with VIP (§21.3.2) */
	name("VME: iret that would set VIF with VIP set");
	machine_v86(0, RVM_CR4_VME);
	cpu->rflags |= RVM_FL_VIP;
	put(STACK3 - 6, 0x1234, 2);
	put(STACK3 - 4, 0x900, 2);
	put(STACK3 - 2, 0x202, 2);
	cpu->gpr[RVM_RSP] = STACK3 - 6;
	code("cf");
	run();
	want_fault(RVM_GP, 0);
	name("VME: iret with TF in the image");
	put(STACK3 - 2, 0x102, 2);
	run();
	want_fault(RVM_GP, 0);
	name("VME: iret");
	put(STACK3 - 2, 0x7002, 2);
	run();
	want_at(0x1234, 0x900, 3);
	want("eflags", cpu->rflags, 0x20002 | RVM_FL_VIP | RVM_FL_NT);
	name("VME: iretd");
	machine_v86(0, RVM_CR4_VME);
	code("66cf");
	run();
	want_fault(RVM_GP, 0);
}

/* A task at TSSB (32-bit) or TSSC (16-bit) that can run */
static void task32(void)
{
	u32 i;

	put(TSSB + 0x20, TARGET, 4);
	put(TSSB + 0x24, 0x12, 4);
	for (i = 0; i < 8; i++)
		put(TSSB + 0x28 + i * 4, 0xb0000000 + i, 4);
	put(TSSB + 0x38, STACK1, 4);
	for (i = 0; i < 6; i++)
		put(TSSB + 0x48 + i * 4, S_DATA(0), 4);
	put(TSSB + 0x4c, S_CODE(0), 4);
	put(TSSB + 0x60, S_LDT, 2);
}

static void task16(void)
{
	u32 i;

	put(TSSC + 0x0e, TARGET, 2);
	put(TSSC + 0x10, 2, 2);
	for (i = 0; i < 8; i++)
		put(TSSC + 0x12 + i * 2, 0xc000 + i, 2);
	put(TSSC + 0x1a, STACK1, 2);
	for (i = 0; i < 4; i++)
		put(TSSC + 0x22 + i * 2, S_DATA16, 2);
	put(TSSC + 0x24, S_CODE16, 2);
}

static u32 busy(u16 sel)
{
	return desc_attr(sel) >> 1 & 1;
}

/* SDM vol. 3 chapter 7 */
static void tasks(void)
{
	u32 i;

	name("jmp to a TSS");
	machine32(0);
	task32();
	cpu->rflags |= RVM_FL_CF | RVM_FL_NT;
	cpu->dr7 = 0x7ff;
	jmpf(S_TSSB);
	run();
	want_at(TARGET, S_CODE(0), 0);
	want("tr", cpu->seg[RVM_TR].sel, S_TSSB);
	want("tr type", cpu->seg[RVM_TR].attr & 15, 0xb);
	want("old not busy", busy(S_TSS), 0);
	want("new busy", busy(S_TSSB), 1);
	want("eflags", cpu->rflags, 0x12);
	want("ts", cpu->cr0 & RVM_CR0_TS, RVM_CR0_TS);
	want("dr7", cpu->dr7, 0x6aa);
	want("eax", cpu->gpr[RVM_RAX], 0xb0000000);
	want("esp", cpu->gpr[RVM_RSP], STACK1);
	want("ldtr", cpu->seg[RVM_LDTR].sel, S_LDT);
	want("saved eip", get(TSS + 0x20, 4), CODE + 7);
	want("saved eflags", get(TSS + 0x24, 4), 3 | RVM_FL_NT);
	for (i = 0; i < 8; i++)
		want("saved register", get(TSS + 0x28 + i * 4, 4),
		     i == RVM_RSP ? STACK0 : 0x10001 * (i + 1));
	want("saved cs", get(TSS + 0x4c, 2), S_CODE(0));
	want("saved gs", get(TSS + 0x5c, 2), S_DATA(0));
	want("no link", get(TSSB, 2), 0);

	name("call to a TSS, and iret back");
	machine32(0);
	task32();
	callf(S_TSSB);
	run();
	want_at(TARGET, S_CODE(0), 0);
	want("nt", cpu->rflags & RVM_FL_NT, RVM_FL_NT);
	want("link", get(TSSB, 2), S_TSS);
	want("old busy", busy(S_TSS), 1);
	want("new busy", busy(S_TSSB), 1);
	code("cf");
	run();
	want_at(CODE + 7, S_CODE(0), 0);
	want("nested not busy", busy(S_TSSB), 0);
	want("outer busy", busy(S_TSS), 1);
	want("nt", cpu->rflags & RVM_FL_NT, 0);
	want("nt cleared in the TSS", get(TSSB + 0x24, 4) & RVM_FL_NT, 0);
	want("ip of the nested task", get(TSSB + 0x20, 4), TARGET + 1);
	want("tr", cpu->seg[RVM_TR].sel, S_TSS);
	for (i = 0; i < 8; i++)
		want("register", cpu->gpr[i], i == RVM_RSP ? STACK0 : 0x10001 * (i + 1));

	name("call to a 16-bit TSS");
	machine32(0);
	task16();
	callf(S_TSSC);
	run();
	want_at(TARGET, S_CODE16, 0);
	want("eax", cpu->gpr[RVM_RAX], 0xffffc000);
	want("fs", cpu->seg[RVM_FS].attr & RVM_SEG_UNUSABLE, RVM_SEG_UNUSABLE);
	want("eflags", cpu->rflags, 2 | RVM_FL_NT);

	name("RF of a new task is kept");
	machine32(0);
	task32();
	put(TSSB + 0x24, 2 | RVM_FL_RF, 4);
	jmpf(S_TSSB);
	run();
	want("rf", cpu->rflags & RVM_FL_RF, RVM_FL_RF);

	name("task gate from ring 3, TSS of DPL 0");
	machine32(3);
	task32();
	set_gate(GDT + S_TEST, S_TSSB, 0, 0xe5, 0);
	callf(S_TEST | 3);
	run();
	want_at(TARGET, S_CODE(0), 0);
	want("link", get(TSSB, 2), S_TSS);

	name("exception with error code through a task gate; RF in the old image");
	machine32(3);
	task32();
	set_idt(RVM_GP, S_TSSB, 0, 0x85);
	deliver(RVM_GP, true, 0x1234, false);
	want_at(TARGET, S_CODE(0), 0);
	want("esp", cpu->gpr[RVM_RSP], STACK1 - 4);
	STACK(4, 0x1234);
	want("saved eip", get(TSS + 0x20, 4), CODE);
	want("saved eflags", get(TSS + 0x24, 4), 2 | RVM_FL_RF);
	want("saved cs", get(TSS + 0x4c, 2), S_CODE(3) | 3);

	name("int n through a task gate into a 16-bit task");
	machine32(3);
	task16();
	set_idt(0x40, S_TSSC, 0, 0xe5);
	code("cd40");
	run();
	want_at(TARGET, S_CODE16, 0);
	want("saved eip", get(TSS + 0x20, 4), CODE + 2);

	name("T bit");
	machine32(0);
	task32();
	put(TSSB + 0x64, 1, 2);
	jmpf(S_TSSB);
	run();
	want("rc", last_rc, RVM_INSN_FAULT);
	want("vector", w.insn.fault.vector, RVM_DB);
	want("dr6", w.insn.fault.dr6, RVM_DR6_BT);
	want("eip", cpu->rip, TARGET);

	name("a task in V86 mode");
	machine32(0);
	task32();
	put(TSSB + 0x24, 0x20002, 4);
	put(TSSB + 0x4c, 0x800, 2);
	put(TSSB + 0x48, 0x123, 2);
	jmpf(S_TSSB);
	run();
	want_at(TARGET, 0x800, 3);
	want("cs base", cpu->seg[RVM_CS].base, 0x8000);
	want("es base", cpu->seg[RVM_ES].base, 0x1230);

#define TASK_FAULT(what, vec, err, ...) do { \
	name("task switch: %s", what); \
	machine32(0); \
	task32(); \
	__VA_ARGS__; \
	jmpf(S_TSSB); \
	run(); \
	want_fault(vec, err); } while (0)
	TASK_FAULT("busy", RVM_GP, S_TSSB, set_desc(S_TSSB, TSSB, 0x67, 0x8b));
	TASK_FAULT("not present", RVM_NP, S_TSSB, set_desc(S_TSSB, TSSB, 0x67, 0x09));
	TASK_FAULT("limit", RVM_TS, S_TSSB, set_desc(S_TSSB, TSSB, 0x66, 0x89));
	TASK_FAULT("the old TSS is too short", RVM_TS, S_TSS, cpu->seg[RVM_TR].limit = 0x5e);
	TASK_FAULT("old TSS not writable", RVM_PF, 3, cpu->seg[RVM_TR].base = ROPAGE);
	TASK_FAULT("new TSS not there", RVM_PF, 0, set_desc(S_TSSB, RAM + 0x10, 0x67, 0x89));
	TASK_FAULT("new TSS ends in nothing", RVM_PF, 0, set_desc(S_TSSB, RAM - 0x30, 0x67, 0x89));
	name("call: the link cannot be written");
	machine32(0);
	task32();
	memcpy(ram + ROPAGE, ram + TSSB, 0x68);
	set_desc(S_TSSB, ROPAGE, 0x67, 0x89);
	callf(S_TSSB);
	run();
	want_fault(RVM_PF, 3);
	name("jmp needs no link");
	jmpf(S_TSSB);
	run();
	want_at(TARGET, S_CODE(0), 0);

	/* iret: everything is #TS (SDM vol. 2, IRET: TASK-RETURN) */
#define NEST_FAULT(what, vec, err, link, ...) do { \
	name("iret of a nested task: %s", what); \
	machine32(0); \
	task32(); \
	set_desc(S_TSSB, TSSB, 0x67, 0x8b); \
	put(TSS, link, 2); \
	cpu->rflags |= RVM_FL_NT; \
	__VA_ARGS__; \
	code("cf"); \
	run(); \
	want_fault(vec, err); } while (0)
	NEST_FAULT("not busy", RVM_TS, S_TSSB, S_TSSB, set_desc(S_TSSB, TSSB, 0x67, 0x89));
	NEST_FAULT("in the LDT", RVM_TS, 0x74, 0x74, );
	NEST_FAULT("beyond the table", RVM_TS, 0x1f0, 0x1f0, );
	NEST_FAULT("not a TSS", RVM_TS, S_CODE(0), S_CODE(0), );
	NEST_FAULT("not present", RVM_NP, S_TSSB, S_TSSB, set_desc(S_TSSB, TSSB, 0x67, 0x0b));

	/* after the commit: in the new task (§7.3, step 13; table 7-1) */
#define LATE_FAULT(what, vec, err, ...) do { \
	name("in the new task: %s", what); \
	machine32(0); \
	task32(); \
	__VA_ARGS__; \
	jmpf(S_TSSB); \
	run(); \
	want("rc", last_rc, RVM_INSN_FAULT); \
	want("vector", w.insn.fault.vector, vec); \
	want("error", w.insn.fault.error, err); \
	want("tr", cpu->seg[RVM_TR].sel, S_TSSB); \
	want("eip", cpu->rip, TARGET); \
	want("eax", cpu->gpr[RVM_RAX], 0xb0000000); \
	want("old not busy", busy(S_TSS), 0); \
	want("new busy", busy(S_TSSB), 1); } while (0)
	LATE_FAULT("LDT selector in the LDT", RVM_TS, 0x14, put(TSSB + 0x60, 0x14, 2));
	LATE_FAULT("LDT not an LDT", RVM_TS, S_DATA(0), put(TSSB + 0x60, S_DATA(0), 2));
	LATE_FAULT("LDT not present", RVM_TS, S_LDT, set_desc(S_LDT, LDT, 0xff, 0x02));
	LATE_FAULT("CS null", RVM_TS, 0, put(TSSB + 0x4c, 0, 2));
	LATE_FAULT("CS data", RVM_TS, S_DATA(0), put(TSSB + 0x4c, S_DATA(0), 2));
	LATE_FAULT("CS DPL", RVM_TS, S_CODE(1), put(TSSB + 0x4c, S_CODE(1), 2));
	LATE_FAULT("CS not present", RVM_NP, S_CODE(1), put(TSSB + 0x4c, S_CODE(1) | 1, 2);
		   put(TSSB + 0x50, S_DATA(1) | 1, 2);
		   set_desc(S_CODE(1), 0, ~0u, 0x3b | A_32));
	LATE_FAULT("SS null", RVM_TS, 0, put(TSSB + 0x50, 0, 2));
	LATE_FAULT("SS RPL", RVM_TS, S_DATA(0), put(TSSB + 0x50, S_DATA(0) | 1, 2));
	LATE_FAULT("SS not present", RVM_SSF, S_DATA(0), set_desc(S_DATA(0), 0, ~0u, 0x13 | A_32));
	LATE_FAULT("DS not readable", RVM_TS, S_TEST, put(TSSB + 0x54, S_TEST, 2);
		   set_desc(S_TEST, 0, ~0u, 0x99 | A_32));
	LATE_FAULT("ES not present", RVM_NP, S_TEST, put(TSSB + 0x48, S_TEST, 2);
		   set_desc(S_TEST, 0, ~0u, 0x13 | A_32));
	LATE_FAULT("EIP beyond CS", RVM_GP, 0, put(TSSB + 0x4c, S_TEST, 2);
		   set_desc(S_TEST, 0, 0xff, 0x9b | RVM_SEG_DB));
	name("the same through an exception's gate: EXT");
	machine32(0);
	task32();
	put(TSSB + 0x50, 0, 2);
	set_idt(RVM_GP, S_TSSB, 0, 0x85);
	deliver(RVM_GP, true, 0, false);
	want("rc", last_rc, RVM_INSN_FAULT);
	want("vector", w.insn.fault.vector, RVM_TS);
	want("error", w.insn.fault.error, 1);
	name("CR3 is loaded with paging on");
	machine32(0);
	task32();
	cpu->cr0 |= RVM_CR0_PG;
	put(TSSB + 0x1c, 0x7000, 4);
	jmpf(S_TSSB);
	run();
	want("cr3", cpu->cr3, 0x7000);
}

/* SDM vol. 3 §6.14 */
static void long_mode_events(void)
{
	u32 ist;

	for (ist = 0; ist < 8; ist++) {
		name("ring 0 to ring 0, IST %u", ist);
		machine64(0);
		set_gate64(IDT + 14 * 16, S_CODE64, TARGET, 0x8e, ist);
		cpu->gpr[RVM_RSP] = STACK0 - 4;
		deliver(RVM_PF, true, 2, false);
		want_at(TARGET, S_CODE64, 0);
		want("rsp", cpu->gpr[RVM_RSP], (ist ? DATA + 0x1000 + ist * 0x100 : STACK0 - 16) - 48);
		STACK(8, 2, CODE, S_CODE64, 2 | RVM_FL_RF, STACK0 - 4, S_DATA(0));
		want("ss stays", cpu->seg[RVM_SS].sel, S_DATA(0));
	}
	name("ring 3 to ring 0: null SS");
	machine64(3);
	set_idt(0x40, S_CODE64, 0xffffffff81000000, 0xee);
	code("cd40");
	run();
	want_at(0xffffffff81000000, S_CODE64, 0);
	want("ss", cpu->seg[RVM_SS].sel, 0);
	STACK(8, CODE + 2, S_CODE64U | 3, 2, STACK3, S_DATA(3) | 3);
	name("compatibility mode to ring 0");
	machine64(3);
	load_seg(RVM_CS, S_CODE(3) | 3);
	set_idt(0x40, S_CODE64, TARGET, 0xee);
	code("cd40");
	run();
	want_at(TARGET, S_CODE64, 0);
	STACK(8, CODE + 2, S_CODE(3) | 3, 2, STACK3, S_DATA(3) | 3);
#define LONG_FAULT(what, vec, err, ...) do { \
	name("64-bit gate: %s", what); \
	machine64(3); \
	set_idt(0x40, S_CODE64, TARGET, 0xee); \
	__VA_ARGS__; \
	code("cd40"); \
	run(); \
	want_fault(vec, err); } while (0)
	LONG_FAULT("32-bit handler", RVM_GP, S_CODE(0), set_idt(0x40, S_CODE(0), TARGET, 0xee));
	LONG_FAULT("task gate", RVM_GP, 0x202, set_idt(0x40, S_TSSB, 0, 0xe5));
	LONG_FAULT("16-bit gate", RVM_GP, 0x202, set_idt(0x40, S_CODE64, TARGET, 0xe6));
	LONG_FAULT("half of it beyond the IDT", RVM_GP, 0x202, cpu->idtr.limit = 0x40e);
	LONG_FAULT("non-canonical handler", RVM_GP, 0,
		   set_idt(0x40, S_CODE64, 0x8000000000000000, 0xee));
	LONG_FAULT("non-canonical stack", RVM_SSF, 0, put(TSS + 4, 0x8000000000000, 8));
	LONG_FAULT("TSS too short for the IST", RVM_TS, S_TSS,
		   set_gate64(IDT + 0x400, S_CODE64, TARGET, 0xee, 7);
		   cpu->seg[RVM_TR].limit = 0x5a);
}

/* SDM vol. 2 and APM vol. 3 on the four instructions */
static void fast_calls(void)
{
	u32 amd, sixty;

	for (amd = 0; amd < 2; amd++) {
		name("syscall and sysret, 64-bit, %s", amd ? "AMD" : "Intel");
		machine64(3);
		w.insn.intel = !amd;
		cpu->star = 0x0093001000000000ull | 0x1234;
		cpu->lstar = 0xffffffff81000000;
		cpu->cstar = 0xffffffff82000000;
		cpu->sfmask = 0x47700;
		cpu->rflags |= RVM_FL_IF | RVM_FL_CF | RVM_FL_RF;
		code("0f05");
		run();
		want_at(0xffffffff81000000, 0x10, 0);
		want("ss", cpu->seg[RVM_SS].sel, 0x18);
		want("rcx", cpu->gpr[RVM_RCX], CODE + 2);
		want("r11", cpu->gpr[RVM_R11], 2 | RVM_FL_IF | RVM_FL_CF);
		want("rflags", cpu->rflags, 3);
		want("code is 64-bit", cpu->seg[RVM_CS].attr & (RVM_SEG_L | RVM_SEG_DB), RVM_SEG_L);

		for (sixty = 0; sixty < 2; sixty++) {
			name("sysret to %s", sixty ? "64-bit" : "32-bit");
			machine64(0);
			w.insn.intel = !amd;
			cpu->star = 0x0093001000000000ull;
			cpu->gpr[RVM_RCX] = 0x700000009000;
			cpu->gpr[RVM_R11] = 0xffffffff;
			code(sixty ? "480f07" : "0f07");
			run();
			want_at(sixty ? 0x700000009000 : TARGET, 0x93 + 16 * sixty, 3);
			want("ss", cpu->seg[RVM_SS].sel, 0x9b);
			want("rflags", cpu->rflags, 0x3c7fd7);
			want("L", cpu->seg[RVM_CS].attr & RVM_SEG_L, sixty ? RVM_SEG_L : 0);
		}
		/* AMD's leaves base, limit and attributes: no stack behind a null selector */
		name("sysret, ring 0 had a null ss");
		machine64(0);
		w.insn.intel = !amd;
		cpu->star = 0x0093001000000000ull;
		cpu->seg[RVM_SS] = (struct rvm_seg){ .attr = RVM_SEG_UNUSABLE };
		code("0f07");
		run();
		want("ss", cpu->seg[RVM_SS].sel, 0x9b);
		want("unusable", cpu->seg[RVM_SS].attr & RVM_SEG_UNUSABLE, amd ? RVM_SEG_UNUSABLE : 0);
		want("limit", cpu->seg[RVM_SS].limit, amd ? 0 : 0xffffffff);
		want("dpl", cpu->seg[RVM_SS].attr & RVM_SEG_DPL, RVM_SEG_DPL);
		name("sysret to a non-canonical address");
		machine64(0);
		w.insn.intel = !amd;
		cpu->gpr[RVM_RCX] = 0x800000000000;
		code("480f07");
		run();
		if (amd)
			want("faults in ring 3, later", cpu->cpl, 3);
		else
			want_fault(RVM_GP, 0);
		name("syscall in compatibility mode");
		machine64(3);
		load_seg(RVM_CS, S_CODE(3) | 3);
		w.insn.intel = !amd;
		cpu->star = 0x0093001000000000ull;
		cpu->cstar = 0xffffffff82000000;
		code("0f05");
		run();
		if (amd)
			want_at(0xffffffff82000000, 0x10, 0);
		else
			want_fault(RVM_UD, -1);
		name("sysenter in long mode");
		machine64(3);
		w.insn.intel = !amd;
		cpu->sysenter_cs = 0x10;
		cpu->sysenter_eip = 0xffffffff83000000;
		cpu->sysenter_esp = 0xffffffff84000000;
		code("0f34");
		run();
		if (amd) {
			want_fault(RVM_UD, -1);
		} else {
			want_at(0xffffffff83000000, 0x10, 0);
			want("rsp", cpu->gpr[RVM_RSP], 0xffffffff84000000);
		}
		name("sysenter and sysexit, 32-bit");
		machine32(3);
		w.insn.intel = !amd;
		cpu->sysenter_cs = 0x13;
		cpu->sysenter_eip = TARGET;
		cpu->sysenter_esp = STACK0;
		cpu->rflags |= RVM_FL_IF;
		code("0f34");
		run();
		want_at(TARGET, 0x10, 0);
		want("rflags", cpu->rflags, 2);
		want("ss", cpu->seg[RVM_SS].sel, 0x18);
		cpu->gpr[RVM_RDX] = CODE;
		cpu->gpr[RVM_RCX] = STACK3;
		code("0f35");
		run();
		want_at(CODE, 0x23, 3);
		want("ss", cpu->seg[RVM_SS].sel, 0x2b);
		want("esp", cpu->gpr[RVM_RSP], STACK3);
		name("sysret in real mode, V86 mode");
		machine_real();
		w.insn.intel = !amd;
		cpu->efer = RVM_EFER_SCE;
		code("0f07");
		run();
		if (amd)
			want_fault(RVM_GP, 0);
		else
			want_fault(RVM_UD, -1);
	}
	name("sysenter with no CS");
	machine32(3);
	cpu->sysenter_cs = 3;
	code("0f34");
	run();
	want_fault(RVM_GP, 0);
	name("syscall without EFER.SCE");
	machine64(3);
	cpu->efer &= ~RVM_EFER_SCE;
	code("0f05");
	run();
	want_fault(RVM_UD, -1);
	name("syscall: TF that the mask clears gives no trap, sysret's gives one");
	machine64(3);
	cpu->rflags |= RVM_FL_TF;
	cpu->sfmask = RVM_FL_TF;
	w.insn.tf_after = false;
	code("0f05");
	run();
	want("tf_after", w.insn.tf_after, true);
	want("tf", cpu->rflags & RVM_FL_TF, 0);
	w.insn.tf_after = false;
}

/* Shadows, debug registers, LMSW, tables */
static void small_ones(void)
{
	u32 at;

	name("mov ss holds off, twice in a row does not");
	machine32(0);
	code("8ed08ed0");
	cpu->gpr[RVM_RAX] = S_DATA(0);
	run();
	want("shadow", cpu->int_shadow, RVM_SHADOW_MOV_SS);
	run();
	want("shadow", cpu->int_shadow, 0);
	name("sti holds off if IF was clear");
	machine32(0);
	code("fbfb");
	run();
	want("shadow", cpu->int_shadow, RVM_SHADOW_STI);
	run();
	want("shadow", cpu->int_shadow, 0);
	name("lss holds nothing off");
	machine32(0);
	put(DATA, STACK1, 4);
	put(DATA + 4, S_DATA(0), 2);
	cpu->gpr[RVM_RBX] = DATA;
	code("0fb223");
	run();
	want_ok();
	want("shadow", cpu->int_shadow, 0);
	want("esp", cpu->gpr[RVM_RSP], STACK1);

	name("dr4 with CR4.DE");
	machine32(0);
	cpu->cr4 = RVM_CR4_DE;
	code("0f21e0");
	run();
	want_fault(RVM_UD, -1);
	name("dr4 without is dr6");
	machine32(0);
	cpu->dr6 = 0xffff0ff0;
	code("0f21e0");
	run();
	want("eax", cpu->gpr[RVM_RAX], 0xffff0ff0);
	name("DR7.GD");
	machine32(0);
	cpu->dr7 = 0x2400;
	code("0f23f8");
	run();
	want_fault(RVM_DB, -1);
	want("dr6", w.insn.fault.dr6, RVM_DR6_BD);
	{
		struct rvm_fault f = w.insn.fault;

		set_idt(1, S_CODE(0), TARGET, 0x8e);
		rvm_insn_deliver(&w.insn, &f, 0, false);
		want("gd is cleared", cpu->dr7, 0x400);
		want("dr6", cpu->dr6, RVM_DR6_BD);
	}
	name("mov dr in ring 3");
	machine32(3);
	cpu->dr7 = 0x2400;
	code("0f23f8");
	run();
	want_fault(RVM_GP, 0);

	name("lmsw sets PE, does not clear it");
	machine_real();
	cpu->gpr[RVM_RAX] = 0xfff1;
	code("0f01f0");
	run();
	want("cr0", cpu->cr0, 0x11);
	cpu->gpr[RVM_RAX] = 0;
	code("0f01f0");
	load_seg(RVM_CS, S_CODE(0));
	run();
	want("cr0", cpu->cr0, 0x11);
	name("smsw in ring 3, UMIP");
	machine32(3);
	code("0f01e0");
	run();
	want("eax", cpu->gpr[RVM_RAX], 0x11);
	cpu->cr4 |= RVM_CR4_UMIP;
	cpu->rip = CODE;
	run();
	want_fault(RVM_GP, 0);

	name("lgdt with 16 bits takes 24 of the base");
	machine32(0);
	put(DATA, 0xaabbccddeeff1234, 8);
	cpu->gpr[RVM_RBX] = DATA;
	code("660f0113");
	run();
	want("base", cpu->gdtr.base, 0xddeeff);
	want("limit", cpu->gdtr.limit, 0x1234);
	name("lgdt, 64-bit, non-canonical base");
	machine64(0);
	put(DATA + 2, 0x800000000000, 8);
	cpu->gpr[RVM_RBX] = DATA;
	code("0f0113");
	run();
	want_fault(RVM_GP, 0);
	name("sgdt in ring 3: alignment of its two accesses");
	for (at = 0; at < 4; at++) {
		machine32(3);
		cpu->cr0 |= RVM_CR0_AM;
		cpu->rflags |= RVM_FL_AC;
		cpu->gpr[RVM_RBX] = DATA + at;
		code("0f0103");
		run();
		if (at == 2)
			want_ok();
		else
			want_fault(RVM_AC, 0);
	}
	name("sgdt whose second half has no page");
	machine32(0);
	cpu->gpr[RVM_RBX] = RAM - 4;
	code("0f0103");
	run();
	want_fault(RVM_PF, 2);
	name("lock mov cr0 is AMD's");
	machine32(0);
	cpu->cr8 = 5;
	code("f00f20c0");
	run();
	want_fault(RVM_UD, -1);
	w.insn.intel = false;
	run();
	want_ok();
	want("eax", cpu->gpr[RVM_RAX], 5);
	name("sgdt stores the whole base with 16 bits, too");
	machine32(0);
	cpu->gdtr.base = 0x89abcdef;
	cpu->gpr[RVM_RBX] = DATA;
	code("660f0103");
	run();
	want("image", get(DATA + 2, 4), 0x89abcdef);

	/* 16-byte descriptors: SDM vol. 3 §7.2.3 */
	name("ltr in long mode");
	machine64(0);
	set_desc(S_TEST, TSSB, 0x67, 0x89);
	put(GDT + S_TEST + 8, 0xffff8000, 4);
	cpu->gpr[RVM_RAX] = S_TEST;
	code("0f00d8");
	run();
	want_ok();
	want("base", cpu->seg[RVM_TR].base, 0xffff800000000000 | TSSB);
	want("busy", busy(S_TEST), 1);
#define LTR_FAULT(what, vec, err, ...) do { \
	name("ltr: %s", what); \
	machine64(0); \
	set_desc(S_TEST, TSSB, 0x67, 0x89); \
	cpu->gpr[RVM_RAX] = S_TEST; \
	__VA_ARGS__; \
	code("0f00d8"); \
	run(); \
	want_fault(vec, err); } while (0)
	LTR_FAULT("non-canonical base", RVM_GP, S_TEST, put(GDT + S_TEST + 8, 0x8000, 4));
	LTR_FAULT("busy", RVM_GP, S_TEST, set_desc(S_TEST, TSSB, 0x67, 0x8b));
	LTR_FAULT("not present", RVM_NP, S_TEST, set_desc(S_TEST, TSSB, 0x67, 0x09));
	LTR_FAULT("null", RVM_GP, 0, cpu->gpr[RVM_RAX] = 3);
	LTR_FAULT("LDT", RVM_GP, 0x14, cpu->gpr[RVM_RAX] = 0x14);
	LTR_FAULT("half beyond the table", RVM_GP, S_TEST, cpu->gdtr.limit = S_TEST + 14);
	LTR_FAULT("16-bit TSS in long mode", RVM_GP, S_TEST, set_desc(S_TEST, TSSB, 0x67, 0x81));
	LTR_FAULT("16-bit TSS busy bit's page", RVM_PF, 3, cpu->gdtr.base = ROPAGE;
		  memcpy(ram + ROPAGE, ram + GDT, GDT_END));
	name("lldt null, and a use of it");
	machine32(0);
	cpu->gpr[RVM_RAX] = 0;
	code("0f00d08ed8");
	run();
	want("ldtr", cpu->seg[RVM_LDTR].attr & RVM_SEG_UNUSABLE, RVM_SEG_UNUSABLE);
	cpu->gpr[RVM_RAX] = 0x14;
	run();
	want_fault(RVM_GP, 0x14);

	name("code at the segment's end");
	machine32(0);
	cpu->seg[RVM_CS].limit = CODE + 1;
	code("0f00d0");
	run();
	want_fault(RVM_GP, 0);
	name("IP runs beyond 64 KiB");
	machine_real();
	cpu->seg[RVM_CS].base = 0;
	cpu->rip = 0xffff;
	code("90");
	run();
	want_ok();
	run();
	want_fault(RVM_GP, 0);
	name("16 bytes");
	machine32(0);
	code("66666666666666666666666666666690");
	run();
	want_fault(RVM_GP, 0);
	name("15 bytes");
	machine32(0);
	code("666666666666666666666666666690");
	run();
	want_ok();
	name("lock on a register, on an instruction without it");
	machine32(0);
	code("f001c0");
	run();
	want_fault(RVM_UD, -1);
	code("f08b03");
	run();
	want_fault(RVM_UD, -1);

	name("a repeated string instruction under way has RF set");
	machine32(0);
	cpu->gpr[RVM_RCX] = 5000;
	cpu->gpr[RVM_RSI] = cpu->gpr[RVM_RDI] = DATA;
	code("f3a4");
	run();
	want("rc", last_rc, RVM_INSN_RETRY);
	want("rf", cpu->rflags & RVM_FL_RF, RVM_FL_RF);
	while (last_rc == RVM_INSN_RETRY)
		run();
	want("rf", cpu->rflags & RVM_FL_RF, 0);
}

/* What CPUID hides is #UD; what it shows works. */
static void hidden(void)
{
	static const struct {
		const char *hex;
		u32 hide;
	} insns[] = {
		{ "0fc7f0", RVM_HIDE_RDRAND }, { "0fc7f8", RVM_HIDE_RDSEED },
		{ "660fae3b", RVM_HIDE_CLFLUSHOPT }, { "660fae33", RVM_HIDE_CLWB },
		{ "0f01e8", RVM_HIDE_SERIALIZE }, { "0f38f903", RVM_HIDE_MOVDIRI },
		{ "660f38f80b", RVM_HIDE_MOVDIR64B }, { "0f01fc", RVM_HIDE_CLZERO },
		{ "9f", RVM_HIDE_LAHF }, { "9e", RVM_HIDE_LAHF },
		{ "660f38820b", RVM_HIDE_INVPCID }, { "0f01cb", RVM_HIDE_SMAP },
		{ "0f01f9", RVM_HIDE_RDTSCP }, { "f30fc7f8", RVM_HIDE_RDPID },
		{ "f30fb8c3", RVM_HIDE_POPCNT }, { "0f38f003", RVM_HIDE_MOVBE },
		{ "660f38f6c3", RVM_HIDE_ADX }, { "f20f38f0c3", RVM_HIDE_CRC32 },
		{ "480fc70b", RVM_HIDE_CX16 }, { "c4e278f2c3", RVM_HIDE_BMI1 },
		{ "c4e278f5c3", RVM_HIDE_BMI2 },
	};
	static const char * const undefined[] = {
		"0f01c8", "0f01c9", "0f01fa", "0f01fb",		/* MONITOR.. MWAITX */
		"0f01fd", "0f01ee", "0f01ef",			/* RDPRU RDPKRU WRPKRU */
		"0f01d5", "0f01d6", "c7f800000000", "c6f800",	/* TSX */
		"f30fae23", "f30faee8", "f30f01ea", "f30f01e8",	/* PTWRITE CET */
		"660f38f503", "0f38f603", "0f37",		/* WRUSS WRSS GETSEC */
		"0f01c2", "0f01d8", "0faa", "660faef1", "f30faef1", "f20faef1", "f20f38f80b",
	};
	static const char * const nops[] = {
		"f30f1efa", "f30f1efb", "f3480f1ec8",		/* ENDBR, RDSSP */
		"0f1a03", "0f1b03", "f30f1b03", "0f1f03", "0f0d03", "0f1803", "0faef0", "f3 90",
		"f30f09",					/* WBNOINVD as WBINVD */
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(insns); i++) {
		machine64(0);
		cpu->gpr[RVM_RBX] = cpu->gpr[RVM_RAX] = DATA;
		cpu->gpr[RVM_RCX] = insns[i].hide == RVM_HIDE_INVPCID ? 2 : DATA;
		code(insns[i].hex);
		name("%s shown", insns[i].hex);
		run();
		want_ok();
		name("%s hidden", insns[i].hex);
		machine64(0);
		cpu->gpr[RVM_RBX] = cpu->gpr[RVM_RAX] = cpu->gpr[RVM_RCX] = DATA;
		code(insns[i].hex);
		w.insn.hide = insns[i].hide;
		run();
		want_fault(RVM_UD, -1);
	}
	for (i = 0; i < ARRAY_SIZE(undefined); i++) {
		name("%s", undefined[i]);
		machine64(0);
		cpu->gpr[RVM_RBX] = DATA;
		code(undefined[i]);
		run();
		want_fault(RVM_UD, -1);
	}
	for (i = 0; i < ARRAY_SIZE(nops); i++) {
		name("%s", nops[i]);
		machine64(0);
		cpu->gpr[RVM_RBX] = RAM + 0x1000;	/* no memory is touched */
		code(nops[i]);
		run();
		want_ok();
	}
	name("rdrand");
	machine64(0);
	cpu->rflags |= RVM_FL_ARITH;
	code("480fc7f0");
	run();
	want("rax", cpu->gpr[RVM_RAX], 0x5a17c0de5eed1234);
	want("rflags", cpu->rflags, 3);

	name("clzero clears the whole line");
	machine64(0);
	memset(ram + DATA, 0xff, 0x100);
	cpu->gpr[RVM_RAX] = DATA + 0x7f;
	code("0f01fc");
	run();
	want("before", get(DATA + 0x3f, 1), 0xff);
	want("first", get(DATA + 0x40, 8), 0);
	want("last", get(DATA + 0x78, 8), 0);
	want("after", get(DATA + 0x80, 1), 0xff);
	name("clzero in a read-only page");
	machine64(0);
	cpu->gpr[RVM_RAX] = ROPAGE;
	code("0f01fc");
	run();
	want_fault(RVM_PF, 3);
	name("movdir64b");
	machine64(0);
	memset(ram + DATA, 0x5a, 64);
	cpu->gpr[RVM_RBX] = DATA;
	cpu->gpr[RVM_RCX] = DATA + 0x100;
	code("660f38f80b");
	run();
	want("stored", get(DATA + 0x138, 8), 0x5a5a5a5a5a5a5a5a);
	name("movdir64b, unaligned");
	machine64(0);
	cpu->gpr[RVM_RBX] = DATA;
	cpu->gpr[RVM_RCX] = DATA + 0x108;
	code("660f38f80b");
	run();
	want_fault(RVM_GP, 0);
	name("clflush of nothing");
	machine64(3);
	cpu->gpr[RVM_RBX] = RAM + 5;
	code("0fae3b");
	run();
	want_fault(RVM_PF, 4);
	want("cr2", w.insn.fault.cr2, RAM + 5);

	/* SDM vol. 2, INVPCID */
	for (i = 0; i < 10; i++) {
		static const struct {
			u64 type, pcid, addr;
			bool pcide, ok;
		} c[] = {
			{ 0, 0, 0x1000, 0, 1 }, { 0, 1, 0x1000, 0, 0 }, { 0, 1, 0x1000, 1, 1 },
			{ 0, 0, 0x800000000000, 0, 0 }, { 1, 0, 0x800000000000, 0, 1 },
			{ 1, 5, 0, 0, 0 }, { 2, 5, 0, 0, 1 }, { 3, 0x1000, 0, 1, 0 },
			{ 4, 0, 0, 1, 0 }, { 0x100000000, 0, 0, 1, 0 },
		};

		name("invpcid type %llx pcid %llx", (unsigned long long)c[i].type,
		     (unsigned long long)c[i].pcid);
		machine64(0);
		cpu->cr4 |= c[i].pcide ? RVM_CR4_PCIDE : 0;
		put(DATA, c[i].pcid, 8);
		put(DATA + 8, c[i].addr, 8);
		cpu->gpr[RVM_RCX] = c[i].type;
		cpu->gpr[RVM_RBX] = DATA;
		code("660f38820b");
		run();
		if (c[i].ok)
			want_ok();
		else
			want_fault(RVM_GP, 0);
	}
	name("protection keys");
	machine64(3);
	cpu->cr4 |= RVM_CR4_PKE;
	cpu->gpr[RVM_RAX] = 0xffffffff12345678;
	cpu->gpr[RVM_RCX] = cpu->gpr[RVM_RDX] = 0xffffffff00000000;
	code("0f01ef0f01ee");
	run();
	want("pkru", cpu->pkru, 0x12345678);
	run();
	want("rax", cpu->gpr[RVM_RAX], 0x12345678);
	want("rdx", cpu->gpr[RVM_RDX], 0);
	name("wrpkru with EDX");
	machine64(3);
	cpu->cr4 |= RVM_CR4_PKE;
	cpu->gpr[RVM_RCX] = 0;
	cpu->gpr[RVM_RDX] = 1;
	code("0f01ef");
	run();
	want_fault(RVM_GP, 0);
}

const struct test directed_tests[] = {
	TEST(call_gates), TEST(call_gates_64), TEST(far_returns), TEST(irets), TEST(interrupts),
	TEST(v86), TEST(tasks), TEST(long_mode_events), TEST(fast_calls), TEST(small_ones),
	TEST(hidden), { NULL, NULL },
};
