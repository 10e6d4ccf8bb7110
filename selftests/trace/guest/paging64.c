// SPDX-License-Identifier: GPL-2.0
/* 4-level paging and canonical addresses: SDM vol. 3 §4.5 - 4.7, vol. 1 §3.3.7.1. */
#include "trace.h"

/* Linear pages under test: the two from here on, backed by M_PGDATA, on a path of their own. */
#define T	(1ul << 39 | 1ul << 30 | 1ul << 21 | 0x10000)
#define EDGE	(1ul << 47)		/* the first address that is not canonical */
#define HIGH	0xffff800000000000ul	/* the last such is below it */
#define P	1u
#define RW	2u
#define US	4u
#define PS	0x80u
#define NX	(1ul << 63)

CODE(load, 64, "movq (%rsi), %rax");
CODE(store, 64, "movq %rax, (%rsi)");
CODE(fetch, 64, "jmp *%rsi");
CODE(rmw, 64, "addq %rax, (%rsi)");
CODE(push, 64, "mov %rsi, %rsp; push %rax");
CODE(call, 64, "mov %rsi, %rsp; call *%rbx");
CODE(xchg, 64, "xchg %rax, (%rsi)");
CODE(cmpxchg, 64, "lock cmpxchg %rbx, (%rsi)");
CODE(cmpxchg16, 64, "lock cmpxchg16b (%rsi)");
CODE(stos, 64, "mov %rsi, %rdi; mov $4, %ecx; rep stosq");
CODE(movs, 64, "mov $4, %ecx; rep movsw");
CODE(bts, 64, "lock btsq $0, (%rsi)");
CODE(bt, 64, "btq $0, (%rsi)");
CODE(pop, 64, "mov %rsi, %rsp; popq %rax");
CODE(load_ss, 64, "movq %ss:(%rsi), %rax");
CODE(load_fs, 64, "movq %fs:(%rsi), %rax");
CODE(load_bp, 64, "mov %rsi, %rbp; movq (%rbp), %rax");
CODE(load_sp, 64, "mov %rsi, %rsp; movq (%rsp), %rax");
CODE(load_bp_ds, 64, "mov %rsi, %rbp; movq %ds:(%rbp), %rax");
CODE(load_addr32, 64, "movq (%esi), %rax");
CODE(lea, 64, "leaq (%rsi), %rax");
CODE(prefetch, 64, "prefetcht0 (%rsi)");
CODE(invlpg, 64, "invlpg (%rsi)");
CODE(nop_mem, 64, "nopl (%rsi)");
CODE(enter_, 64, "mov %rsi, %rsp; enter $0, $0");
CODE(leave_, 64, "mov %rsi, %rbp; leave");
CODE(ret, 64, "push %rsi; ret");
CODE(ret8, 64, "push %rsi; ret $8");
CODE(call_reg, 64, "call *%rsi");
CODE(jmp_mem, 64, "mov %rsi, (%rdi); jmp *(%rdi)");
CODE(call_mem, 64, "mov %rsi, (%rdi); call *(%rdi)");
CODE(lgdt_, 64, "lgdt (%rsi)");
CODE(sidt_, 64, "sidt (%rsi)");
CODE(fld, 64, "fildll (%rsi)");
CODE(movs_to, 64, "mov %rsi, %rdi; mov $0x7a100, %esi; movsq");

static const struct { const char *name; const struct code *c; } ops[] = {
	{ "load", &load }, { "store", &store }, { "fetch", &fetch }, { "rmw", &rmw },
	{ "push", &push }, { "call", &call }, { "pop", &pop }, { "xchg", &xchg },
	{ "cmpxchg", &cmpxchg }, { "stos", &stos }, { "movs", &movs }, { "lock bts", &bts },
	{ "bt", &bt },
};
enum { LOAD, STORE, FETCH, RMW, PUSH, CALL };

/* Address of T's entry at a level, 0 the last */
static ul entry(int level)
{
	static const ul at[] = { M_TPG + 0x2000 + 16 * 8, M_TPG + 0x1000 + 8, M_TPG + 8, M_PML4 + 8 };

	return at[level];
}

static void build(void)
{
	memset((void *)M_TPG, 0, 0x3000);
	mem64(entry(3)) = M_TPG | P | RW | US;
	mem64(entry(2)) = (M_TPG + 0x1000) | P | RW | US;
	mem64(entry(1)) = (M_TPG + 0x2000) | P | RW | US;
	mem64(entry(0)) = M_PGDATA | P | RW | US;
	mem64(entry(0) + 8) = (M_PGDATA + 0x1000) | P | RW | US;
	/* the same tables at both ends of what is canonical */
	mem64(M_PML4 + 255 * 8) = M_TPG | P | RW | US;
	mem64(M_PML4 + 256 * 8) = M_TPG | P | RW | US;
	mem64(M_TPG + 511 * 8) = (M_TPG + 0x1000) | P | RW | US;
	mem64(M_TPG) = (M_TPG + 0x1000) | P | RW | US;
	mem64(M_TPG + 0x1000 + 511 * 8) = (M_TPG + 0x2000) | P | RW | US;
	mem64(M_TPG + 0x1000) = (M_TPG + 0x2000) | P | RW | US;
	mem64(M_TPG + 0x2000 + 511 * 8) = M_PGDATA | P | RW | US;
	mem64(M_TPG + 0x2000) = (M_PGDATA + 0x1000) | P | RW | US;
	mem64(M_PGDATA) = 0x0506070801020b0f;	/* UD2 */
	mem64(M_PGDATA + 8) = 0;
}

static void start(int cpl, struct code c)
{
	ring(cpl);
	code(c);
	build();
	in.r[SI] = T;
	in.r[AX] = 0x1111111122222222;
	in.r[BX] = M_CODE + 0x40;
	in.r[DI] = M_DATA;
	put_bytes(M_CODE + 0x40, "", 0);
	if (c.start == push.start || c.start == call.start)
		in.r[SI] += 0x10;
}

static void turn_on(ul cr0, ul cr4)
{
	if (features & NEED_NX)
		set_efer(EFER_NX);
	if (cr4)
		set_cr4(cr4);
	if (cr0)
		write_cr0(read_cr0() | cr0);
}

static void show_entries(void)
{
	int i;

	show_outcome();
	show_changes();
	/* Accessed bits above an entry that faults: the manuals do not say */
	for (i = out.vec == 6 ? 3 : 0; i >= 0; i--)
		line(" %x", mem32(entry(i)) & 0xfff);
	end_line();
}

static const char *flag_names(u64 f)
{
	static char text[5];

	text[0] = f & P ? 'p' : '-';
	text[1] = f & RW ? 'w' : '-';
	text[2] = f & US ? 'u' : '-';
	text[3] = f & NX ? 'x' : '-';
	return text;
}

static const u64 flags[] = { 0, P, P | RW, P | US, P | RW | US, P | RW | US | NX, P | NX };

/* Permissions at one level, all else permitted. */
static void levels(void)
{
	u32 level, f, cpl, wp, op;

	for (level = 0; level < 4; level++)
	for (f = 0; f < 7; f++)
	for (cpl = 0; cpl < 4; cpl += 3)
	for (wp = 0; wp < 2; wp++)
	for (op = 0; op <= CALL; op++) {
		begin("paging64 level%x %s %s cpl%x%s", level + 1, flag_names(flags[f]), ops[op].name,
		      cpl, wp ? " wp" : "");
		if (!need(NEED_NX))
			continue;
		start(cpl, *ops[op].c);
		mem64(entry(level)) = (mem64(entry(level)) & ~7ull) | flags[f];
		turn_on(wp ? CR0_WP : 0, 0);
		run();
		show_entries();
	}
}

/* The same in an entry that is itself a page. */
static void large(void)
{
	u32 level, f, cpl, wp, op, bit;

	for (level = 1; level < 3; level++)
	for (f = 0; f < 7; f++)
	for (cpl = 0; cpl < 4; cpl += 3)
	for (wp = 0; wp < 2; wp++)
	for (op = 0; op <= RMW; op++) {
		begin("paging64 large%x %s %s cpl%x%s", level + 1, flag_names(flags[f]), ops[op].name,
		      cpl, wp ? " wp" : "");
		if (!need(NEED_NX | (level == 2 ? NEED_1G : 0)))
			continue;
		start(cpl, *ops[op].c);
		mem64(entry(level)) = (level == 1 ? 0x200000 : 0) | PS | flags[f];
		in.r[SI] -= 0x10000;
		turn_on(wp ? CR0_WP : 0, 0);
		run();
		show_entries();
	}
	for (level = 1; level < 3; level++)
	for (bit = 12; bit < (level == 1 ? 21u : 30u); bit++) {
		begin("paging64 large%x bit%x", level + 1, bit);
		if (!need(NEED_NX | (level == 2 ? NEED_1G : 0)))
			continue;
		start(3, store);
		mem64(entry(level)) = (level == 1 ? 0x200000 : 0) | PS | P | RW | US | 1ull << bit;
		in.r[SI] -= 0x10000;
		turn_on(0, 0);
		run();
		show_entries();
	}
}

static void reserved(void)
{
	u32 level, bit, nxe, op;

	for (level = 0; level < 4; level++)
	for (bit = 7; bit < 63; bit++) {
		/* address bits reach up to MAXPHYADDR, which differs; PS is above */
		if ((bit >= 12 && bit < 52) || (bit == 7 && (level == 1 || level == 2)))
			continue;
		begin("paging64 reserved level%x bit%x", level + 1, bit);
		start(0, load);
		mem64(entry(level)) |= 1ull << bit;
		run();
		show_entries();
	}
	for (level = 0; level < 4; level++)
	for (nxe = 0; nxe < 2; nxe++)
	for (op = 0; op <= FETCH; op++) {
		begin("paging64 level%x nx and no nxe%s %s", level + 1, nxe ? " np" : "", ops[op].name);
		start(0, *ops[op].c);
		mem64(entry(level)) = (mem64(entry(level)) | NX) & ~(u64)nxe;
		run();
		show_entries();
	}
}

/* SMEP and SMAP: ring 0 and a user's page; what the CPU does by itself too. */
static void smxp(void)
{
	u32 what, op, ac, user, cpl, level;

	for (what = 1; what < 4; what++)
	for (op = 0; op <= CALL; op++)
	for (ac = 0; ac < 2; ac++)
	for (user = 0; user < 3; user++)
	for (cpl = 0; cpl < 4; cpl += 3) {
		begin("paging64%s%s %s cpl%x%s%s", what & 1 ? " smep" : "", what & 2 ? " smap" : "",
		      ops[op].name, cpl, ac ? " ac" : "", user == 2 ? " user above" : user ? " user" : "");
		if (!need(NEED_NX | (what & 1 ? NEED_SMEP : 0) | (what & 2 ? NEED_SMAP : 0)))
			continue;
		start(cpl, *ops[op].c);
		/* one level that is the supervisor's makes the page his */
		level = user == 2 ? 2 : 0;
		if (user != 1)
			mem64(entry(level)) &= ~(u64)US;
		in.fl |= ac ? FL_AC : 0;
		turn_on(CR0_WP, (what & 1 ? CR4_SMEP : 0) | (what & 2 ? CR4_SMAP : 0));
		run();
		show_entries();
	}
}

/* Across the boundary of two pages, one of them being wrong. */
static void crossing(void)
{
	static const u32 wrong[] = { P | RW | US, P | US, P | RW, 0 };
	static const int at[] = { 0xff9, 0xffc, 0xfff };
	u32 op, which, w, i;

	for (op = 0; op < sizeof(ops) / sizeof(ops[0]); op++)
	for (which = 0; which < 2; which++)
	for (w = which; w < 4; w++)
	for (i = 0; i < 3; i++) {
		if (op == FETCH)
			continue;
		begin("paging64 crossing %s at %x page%x %s", ops[op].name, at[i], which,
		      flag_names(wrong[w]));
		if (!need(NEED_NX))
			continue;
		start(3, *ops[op].c);
		in.r[SI] = T + at[i] + (op == PUSH || op == CALL ? 8 : 0);
		in.r[DI] = T + 0x100;
		mem64(entry(0) + which * 8) = (mem64(entry(0) + which * 8) & ~7ull) | wrong[w];
		mem64(M_PGDATA + 0xff8) = 0x9988776655443322;
		mem64(M_PGDATA + 0x1000) = 0xffeeddccbbaa9988;
		turn_on(CR0_WP, 0);
		run();
		show_outcome();
		show_changes();
		line(" %llx %llx", mem64(M_PGDATA + 0xff8), mem64(M_PGDATA + 0x1000));
		end_line();
	}
	/* an instruction lies across: MOV $0x1122334455667788, %rcx; UD2 */
	for (w = 0; w < 5; w++)
	for (i = 1; i < 12; i++) {
		begin("paging64 crossing code %x %s", i, w == 4 ? "nx" : flag_names(wrong[w]));
		if (!need(NEED_NX))
			continue;
		start(3, fetch);
		memcpy((void *)(M_PGDATA + 0x1000ul - i),
		       "\x48\xb9\x88\x77\x66\x55\x44\x33\x22\x11\x0f\x0b", 12);
		in.r[SI] = T + 0x1000 - i;
		if (w == 4)
			mem64(entry(0) + 8) |= NX;
		else
			mem64(entry(0) + 8) = (mem64(entry(0) + 8) & ~7ull) | wrong[w];
		turn_on(CR0_WP, 0);
		run();
		show();
	}
}

static const struct { const char *name; const struct code *c; } reach[] = {
	{ "load", &load }, { "store", &store }, { "rmw", &rmw }, { "push", &push }, { "call", &call },
	{ "pop", &pop }, { "xchg", &xchg }, { "cmpxchg", &cmpxchg }, { "cmpxchg16", &cmpxchg16 },
	{ "stos", &stos }, { "movs", &movs }, { "movs to", &movs_to }, { "lock bts", &bts },
	{ "load ss", &load_ss }, { "load fs", &load_fs }, { "load bp", &load_bp },
	{ "load sp", &load_sp }, { "load bp ds", &load_bp_ds }, { "load addr32", &load_addr32 },
	{ "lea", &lea }, { "prefetch", &prefetch }, { "invlpg", &invlpg }, { "nop", &nop_mem },
	{ "enter", &enter_ }, { "leave", &leave_ }, { "lgdt", &lgdt_ }, { "sidt", &sidt_ },
	{ "fld", &fld },
};

static const struct { const char *name; const struct code *c; } jumps[] = {
	{ "jmp", &fetch }, { "call", &call_reg }, { "ret", &ret }, { "ret8", &ret8 },
	{ "jmp mem", &jmp_mem }, { "call mem", &call_mem },
};

/* #GP for data, #SS for the stack, and whose instruction pointer a bad jump leaves. */
static void canonical(void)
{
	static const ul at[] = { EDGE - 16, EDGE - 1, EDGE, HIGH - 1, HIGH - 0x1000, HIGH + 16,
				 0x8000000000000000 };
	u32 op, i, cpl, n;

	for (op = 0; op < sizeof(reach) / sizeof(reach[0]); op++)
	for (i = 0; i < sizeof(at) / sizeof(at[0]); i++)
	for (cpl = 0; cpl < 4; cpl += 3) {
		begin("canonical %s %lx cpl%x", reach[op].name, at[i], cpl);
		start(cpl, *reach[op].c);
		if ((reach[op].c == &lgdt_ && i != 1 && i != 2) || (cpl && reach[op].c == &invlpg))
			continue;
		in.r[SI] = at[i];
		in.r[DI] = M_DATA + 0x100;
		in.r[DX] = in.r[CX] = 0;
		__asm__ volatile("fninit");
		hide = reach[op].c == &load_addr32;
		run();
		show();
	}
	for (op = 0; op < sizeof(jumps) / sizeof(jumps[0]); op++)
	for (i = 0; i < sizeof(at) / sizeof(at[0]); i++)
	for (cpl = 0; cpl < 4; cpl += 3) {
		begin("canonical %s to %lx cpl%x", jumps[op].name, at[i], cpl);
		start(cpl, *jumps[op].c);
		in.r[SI] = at[i];
		memset((void *)M_PGDATA, 0x90, 0x1020);
		put_bytes(M_PGDATA + 0xff0, "", 0);
		put_bytes(M_PGDATA + 0x1010, "", 0);
		put_bytes(M_PGDATA + 0x1000, "", 0);
		run();
		show();
	}
	/* an instruction ends at the edge, or lies across */
	for (n = 1; n < 7; n++)
	for (cpl = 0; cpl < 4; cpl += 3) {
		begin("canonical run over %x cpl%x", n, cpl);
		start(cpl, fetch);
		in.r[SI] = EDGE - n;
		memset((void *)M_PGDATA, 0x90, 0x1000);
		memcpy((void *)(M_PGDATA + 0x1000ul - n), "\xb9\x78\x56\x34\x12", n < 5 ? n : 5);
		run();
		show();
	}
}

void paging64(void)
{
	levels();
	large();
	reserved();
	smxp();
	crossing();
	canonical();
}
