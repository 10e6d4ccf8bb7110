// SPDX-License-Identifier: GPL-2.0
/*
 * System instructions, far transfers, events and task switches in cases built
 * from the manuals (system_cases.c), and in all combinations of what decides
 * them against a second reading of the same pages (system_models.c).
 *
 *   system [test]
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "system.h"

struct world w;
struct rvm_cpu *const cpu = &w.cpu;
u8 ram[RAM];
u64 checks, failures;
int last_rc;

static u8 saved_ram[RAM];
static struct rvm_cpu saved_cpu;
static char case_name[256];

void put(u32 at, u64 val, u32 size)
{
	memcpy(ram + at, &val, size);
}

u64 get(u32 at, u32 size)
{
	u64 v = 0;

	memcpy(&v, ram + at, size);
	return v;
}

static u32 desc_at(u16 sel)
{
	return (sel & 4 ? LDT : GDT) + (sel & ~7);
}

static u64 raw_desc(u32 base, u32 limit, u32 attr)
{
	if (attr & RVM_SEG_G)
		limit >>= 12;
	return (limit & 0xffff) | (u64)(base & 0xffffff) << 16 | (u64)(attr & 0xff) << 40 |
	       (u64)(limit >> 16 & 15) << 48 | (u64)(attr >> 8 & 15) << 52 |
	       (u64)(base >> 24) << 56;
}

void set_desc(u16 sel, u32 base, u32 limit, u32 attr)
{
	put(desc_at(sel), raw_desc(base, limit, attr), 8);
}

void set_gate(u32 at, u16 sel, u64 off, u32 type_dpl_p, u32 params)
{
	put(at, (off & 0xffff) | (u64)sel << 16 | (u64)params << 32 | (u64)type_dpl_p << 40 |
	    (off >> 16 & 0xffff) << 48, 8);
}

void set_gate64(u32 at, u16 sel, u64 off, u32 type_dpl_p, u32 ist)
{
	set_gate(at, sel, off, type_dpl_p, ist);
	put(at + 8, off >> 32, 8);
}

void set_idt(u8 vector, u16 sel, u64 off, u32 type_dpl_p)
{
	if (rvm_is_long(cpu))
		set_gate64(IDT + vector * 16, sel, off, type_dpl_p, 0);
	else
		set_gate(IDT + vector * 8, sel, off, type_dpl_p, 0);
}

u32 desc_attr(u16 sel)
{
	u64 d = get(desc_at(sel), 8);

	return (d >> 40 & 0xff) | (d >> 44 & 0xf00);
}

void load_seg(u32 seg, u16 sel)
{
	u64 d = get(desc_at(sel), 8);
	u32 limit = (d & 0xffff) | (d >> 32 & 0xf0000);

	cpu->seg[seg] = (struct rvm_seg){
		.sel = sel, .attr = desc_attr(sel),
		.base = (d >> 16 & 0xffffff) | (d >> 32 & 0xff000000),
		.limit = d >> 55 & 1 ? limit << 12 | 0xfff : limit,
	};
}

static void null_seg(u32 seg)
{
	cpu->seg[seg] = (struct rvm_seg){ .attr = RVM_SEG_UNUSABLE };
}

void machine32(u32 cpl)
{
	u32 i;

	memset(ram, 0, sizeof(ram));
	memset(cpu, 0, sizeof(*cpu));
	w.insn.intel = true;
	w.insn.hide = 0;
	w.nr_regions = 0;
	world_region(&w, 0, ROPAGE, ram, true);
	world_region(&w, ROPAGE, 0x1000, ram + ROPAGE, false);
	world_region(&w, ROPAGE + 0x1000, RAM - ROPAGE - 0x1000, ram + ROPAGE + 0x1000, true);

	for (i = 0; i < 4; i++) {
		set_desc(S_CODE(i), 0, ~0u, A_CODE | A_DPL(i) | A_32);
		set_desc(S_DATA(i), 0, ~0u, A_DATA | A_DPL(i) | A_32);
	}
	set_desc(S_TSS, TSS, 0x67, 0x8b);
	set_desc(S_LDT, LDT, 0xff, 0x82);
	set_desc(S_TSSB, TSSB, 0x67, 0x89);
	set_desc(S_TSSC, TSSC, 0x2b, 0x81);
	set_desc(S_CONF, 0, ~0u, A_CODE | RVM_SEG_E | A_32);
	set_desc(S_CODE16, 0, 0xffff, A_CODE);
	set_desc(S_DATA16, 0, 0xffff, A_DATA);
	set_desc(S_CODE64, 0, ~0u, A_CODE | RVM_SEG_L | RVM_SEG_G);
	set_desc(S_CODE64U, 0, ~0u, A_CODE | A_DPL(3) | RVM_SEG_L | RVM_SEG_G);

	for (i = 0; i < 3; i++) {
		put(TSS + 4 + i * 8, STACK0 + i * 0x1000, 4);
		put(TSS + 8 + i * 8, S_DATA(i) | i, 2);
	}
	cpu->cr0 = RVM_CR0_PE | RVM_CR0_ET;
	cpu->phys_bits = 36;
	cpu->rflags = RVM_FL_FIXED;
	cpu->gdtr = (struct rvm_dtable){ GDT, GDT_END - 1 };
	cpu->idtr = (struct rvm_dtable){ IDT, 0x7ff };
	load_seg(RVM_CS, S_CODE(cpl) | cpl);
	for (i = 0; i < 6; i++)
		if (i != RVM_CS)
			load_seg(i, S_DATA(cpl) | cpl);
	load_seg(RVM_TR, S_TSS);
	load_seg(RVM_LDTR, S_LDT);
	cpu->cpl = cpl;
	cpu->rip = CODE;
	for (i = 0; i < 8; i++)
		cpu->gpr[i] = 0x10001 * (i + 1);
	cpu->gpr[RVM_RSP] = STACK0 + cpl * 0x1000;
}

void machine64(u32 cpl)
{
	u32 i;

	machine32(cpl);
	cpu->cr0 |= RVM_CR0_PG;
	cpu->cr4 |= RVM_CR4_PAE;
	cpu->efer = RVM_EFER_LME | RVM_EFER_LMA | RVM_EFER_SCE;
	cpu->idtr.limit = 0xfff;
	memset(ram + TSS, 0, 0x68);
	for (i = 0; i < 3; i++)
		put(TSS + 4 + i * 8, STACK0 + i * 0x1000, 8);
	for (i = 1; i < 8; i++)
		put(TSS + 0x1c + i * 8, DATA + 0x1000 + i * 0x100, 8);
	load_seg(RVM_CS, cpl == 3 ? S_CODE64U | 3 : S_CODE64);
	if (cpl && cpl != 3)
		abort();
	for (i = 8; i < 16; i++)
		cpu->gpr[i] = 0x100000001 * i;
}

void machine_real(void)
{
	u32 i;

	machine32(0);
	cpu->cr0 = RVM_CR0_ET;
	cpu->idtr = (struct rvm_dtable){ 0, 0x3ff };
	for (i = 0; i < 6; i++)
		cpu->seg[i] = (struct rvm_seg){ .limit = 0xffff, .attr = A_DATA };
	cpu->gpr[RVM_RSP] = STACK0;
}

void machine_v86(u32 iopl, u64 cr4)
{
	u32 i;

	machine32(3);
	cpu->rflags |= RVM_FL_VM | (u64)iopl << 12;
	cpu->cr4 = cr4;
	for (i = 0; i < 6; i++)
		cpu->seg[i] = (struct rvm_seg){ .limit = 0xffff, .attr = 0xf3 };
	cpu->gpr[RVM_RSP] = STACK3;
	/* TSS with an interrupt redirection map: all in the IDT; I/O map behind it */
	set_desc(S_TSS, TSS, 0x68 + 32 + 32, 0x8b);
	load_seg(RVM_TR, S_TSS);
	put(TSS + 0x66, 0x68 + 32, 2);
	memset(ram + TSS + 0x68, 0xff, 32);
}

void code(const char *hex)
{
	u32 at = cpu->rip + cpu->seg[RVM_CS].base, v;
	int n;

	while (sscanf(hex, "%2x%n", &v, &n) == 1) {
		ram[at++] = v;
		hex += n;
		while (*hex == ' ')
			hex++;
	}
}

static void snapshot(void)
{
	memcpy(saved_ram, ram, sizeof(ram));
	saved_cpu = *cpu;
}

int run(void)
{
	snapshot();
	last_rc = rvm_insn_step(&w.insn);
	if (last_rc == RVM_INSN_FAULT && w.insn.fault.soft) {
		struct rvm_fault f = w.insn.fault;

		last_rc = rvm_insn_deliver(&w.insn, &f, w.insn.len, false);
	}
	return last_rc;
}

int deliver(u8 vector, bool has_error, u32 error, bool external)
{
	struct rvm_fault f = { .vector = vector, .has_error = has_error, .error = error };

	snapshot();
	last_rc = rvm_insn_deliver(&w.insn, &f, 0, external);
	return last_rc;
}

void name(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(case_name, sizeof(case_name), fmt, ap);
	va_end(ap);
}

void fail(const char *fmt, ...)
{
	va_list ap;

	if (failures++ >= 60)
		return;
	printf("# %s: ", case_name);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
}

void want(const char *what, u64 got, u64 expected)
{
	checks++;
	if (got != expected)
		fail("%s is %llx, not %llx", what, (unsigned long long)got,
		     (unsigned long long)expected);
}

static const char *outcome(char *buf, size_t n)
{
	const struct rvm_fault *f = &w.insn.fault;

	if (last_rc != RVM_INSN_FAULT)
		snprintf(buf, n, "result %d%s%s", last_rc, w.insn.reason ? " " : "",
			 w.insn.reason ?: "");
	else if (f->has_error)
		snprintf(buf, n, "#%u(%x)", f->vector, f->error);
	else
		snprintf(buf, n, "#%u", f->vector);
	return buf;
}

void want_ok(void)
{
	char buf[128];

	checks++;
	if (last_rc != RVM_INSN_OK)
		fail("%s", outcome(buf, sizeof(buf)));
}

void want_fault(int vector, s64 error)
{
	const struct rvm_fault *f = &w.insn.fault;
	char buf[128];
	bool same;
	u32 i;

	checks++;
	if (last_rc != RVM_INSN_FAULT || f->vector != vector || f->has_error != (error >= 0) ||
	    (error >= 0 && f->error != error)) {
		fail("%s, not #%d(%llx)", outcome(buf, sizeof(buf)), vector,
		     (unsigned long long)error);
		return;
	}
	if (memcmp(&saved_cpu, cpu, sizeof(*cpu)))
		fail("a fault that changed registers");
	/* the accessed bit of a descriptor may have been set; nothing else, and no stack below SP */
	same = !memcmp(ram, saved_ram, RAM);
	for (i = 0; !same && i < RAM; i++)
		if (ram[i] != saved_ram[i] && !(i >= GDT && i < GDT + 0x1000 && (i & 7) == 5 &&
						ram[i] == (saved_ram[i] | 1))) {
			fail("a fault that changed memory at %x", i);
			return;
		}
}

int main(int argc, char **argv)
{
	const struct test *const lists[] = { directed_tests, model_tests };
	const struct test *t;
	u32 n = 0, bad = 0, i, total = 0;
	u64 before;

	world_init(&w);
	null_seg(RVM_ES);
	for (i = 0; i < 2; i++)
		for (t = lists[i]; t->name; t++)
			total++;
	printf("KTAP version 1\n1..%u\n", total);
	for (i = 0; i < 2; i++) {
		for (t = lists[i]; t->name; t++) {
			if (argc > 1 && strcmp(argv[1], t->name))
				continue;
			before = failures;
			t->fn();
			bad += failures != before;
			printf("%sok %u %s\n", failures == before ? "" : "not ", ++n, t->name);
		}
	}
	printf("# %llu checks, %llu failed\n", (unsigned long long)checks,
	       (unsigned long long)failures);
	return bad != 0;
}
