// SPDX-License-Identifier: GPL-2.0
/* Paging in every form the image's mode has: SDM vol. 3 chapter 4. */
#include "trace.h"

/* Linear pages under test: the two from here on, backed by M_PGDATA. */
#define T	0x400000ul
#define P	1u
#define RW	2u
#define US	4u
#define PS	0x80u
#define G	0x100u
#define NX	(1ull << 63)

CODE(load, 32, "movl (%esi), %eax");
CODE(store, 32, "movl %eax, (%esi)");
CODE(rmw, 32, "addl %eax, (%esi)");
CODE(fetch, 32, "jmp *%esi");
CODE(push, 32, "mov %esi, %esp; push %eax");
CODE(cross_call, 32, "mov %esi, %esp; call *%ebx");
CODE(xchg, 32, "xchg %eax, (%esi)");
CODE(cmpxchg, 32, "lock cmpxchg %ebx, (%esi)");
CODE(stos, 32, "mov %esi, %edi; mov $4, %ecx; rep stosl");
CODE(movs, 32, "mov $4, %ecx; rep movsw");
CODE(load_seg, 32, "mov %bx, %es");
CODE(invlpg, 32, "movl (%esi), %eax; orl $1, (%edi); invlpg (%esi); movl (%esi), %ebx");
CODE(lock_bts, 32, "lock btsl $0, (%esi)");
CODE(bt, 32, "btl $0, (%esi)");

static const struct { const char *name; const struct code *c; } ops[] = {
	{ "load", &load }, { "store", &store }, { "fetch", &fetch }, { "rmw", &rmw },
	{ "push", &push }, { "call", &cross_call }, { "xchg", &xchg }, { "cmpxchg", &cmpxchg },
	{ "stos", &stos }, { "movs", &movs }, { "lock bts", &lock_bts }, { "bt", &bt },
};
enum { LOAD, STORE, FETCH, RMW, PUSH, CALL };

struct mode {
	const char *name;
	int levels, size;	/* size of an entry */
	u32 needs;
	ul cr4;
	u64 nx;
};

static const struct mode modes[] = {
	{ "2-level", 2, 4, NEED_PSE, CR4_PSE, 0 },
	{ "pae", 3, 8, NEED_PAE | NEED_NX, CR4_PAE, NX },
};

static const struct mode *m;

static u64 get(ul at)
{
	return m->size == 8 ? mem64(at) : mem32(at);
}

static void set(ul at, u64 v)
{
	if (m->size == 8)
		mem64(at) = v;
	else
		mem32(at) = v;
}

/* Tables one after the other from M_PG: top level first, two last-level ones more. */
static ul table(int n)
{
	return M_PG + n * 0x1000;
}

/* Address of T's entry at a level, 0 the last */
static ul entry(int level)
{
	static const u8 shift8[] = { 12, 21, 30, 39 }, shift4[] = { 12, 22 };
	int which = m->levels - 1 - level, bits = m->size == 8 ? 9 : 10;
	u32 index = T >> (m->size == 8 ? shift8 : shift4)[level];

	if (level == 0)
		which = 6;
	return table(which) + (index & ((1u << bits) - 1)) * m->size;
}

/* Identity below 4 MiB, for the supervisor; the code's own pages for @user too. */
static void build_identity(bool user)
{
	static const struct mode *built;
	static bool built_user;
	int i, n = m->levels, per = m->size == 8 ? 512 : 1024, last[2] = { 4, 5 };

	if (built == m && built_user == user)
		return;
	built = m;
	built_user = user;
	memset((void *)table(0), 0, 4 * 0x1000);
	for (i = 0; i < n - 2; i++)
		set(table(i), table(i + 1) | (m->levels == 3 ? P : P | RW | US | 0x20));
	for (i = 0; i < 4 * 1024 * 1024 / 4096; i++)
		set(table(last[i / per]) + i % per * m->size, i * 0x1000u | P | RW | 0x60);
	for (i = 0; i < (m->size == 8 ? 2 : 1); i++)
		set(table(n - 2) + i * m->size, table(last[i]) | P | RW | US | 0x20);
	for (i = M_CODE; user && i < M_STACK; i += 0x1000)
		set(table(4) + i / 0x1000 * m->size, get(table(4) + i / 0x1000 * m->size) | US);
	memset((void *)table(6), 0, 0x1000);
}

static void build(bool user)
{
	build_identity(user);
	/* QEMU's nested paging sets the Accessed bit there, where it is reserved */
	if (m->levels == 3)
		set(table(0), table(1) | P);
	set(entry(1), table(6) | P | RW | US);
	set(entry(0), M_PGDATA | P | RW | US);
	set(entry(0) + m->size, (M_PGDATA + 0x1000) | P | RW | US);
	mem32(M_PGDATA) = 0x01020b0f;	/* UD2 */
	mem32(M_PGDATA + 4) = 0x05060708;
}

static void start(int cpl, int op)
{
	ring(cpl);
	code(*ops[op].c);
	build(cpl == 3);
	in.r[SI] = T;
	in.r[AX] = 0x11111111;
	in.r[BX] = M_CODE + 0x40;
	in.r[DI] = M_DATA;
	put_bytes(M_CODE + 0x40, "", 0);
	if (op == PUSH || op == CALL)
		in.r[SI] += 0x10;
}

static void turn_on(ul cr0, ul cr4)
{
	set_task_cr3(table(0));
	if (m->nx)
		set_efer(EFER_NX);
	write_cr4(m->cr4 | cr4);
	write_cr3(table(0));
	write_cr0(read_cr0() | CR0_PG | cr0);
}

static void show_entries(void)
{
	int i;

	show_outcome();
	show_changes();
	/* Accessed bits above an entry that faults: the manuals do not say */
	for (i = out.vec == 6 ? 1 : 0; i >= 0; i--)
		line(" %x", (u32)get(entry(i)) & 0xfff);
	end_line();
}

/* Permissions at one level, all else permitted. */
static void levels(void)
{
	static const u64 flags[] = { 0, P, P | RW, P | US, P | RW | US, P | RW | US | NX, P | NX };
	int level, cpl, wp, op;
	u32 f;

	for (level = 0; level < m->levels; level++)
	for (f = 0; f < 7; f++)
	for (cpl = 0; cpl < 4; cpl += 3)
	for (wp = 0; wp < 2; wp++)
	for (op = 0; op <= FETCH; op++) {
		if ((!m->nx && (flags[f] & NX)) || (m->levels == 3 && level == 2))
			continue;
		/* above the page directory the code itself would be gone */
		if (level >= 2)
			continue;
		begin("paging %s level%x %s%s%s%s %s cpl%x%s", m->name, level + 1,
		      flags[f] & P ? "p" : "-", flags[f] & RW ? "w" : "-", flags[f] & US ? "u" : "-",
		      flags[f] & NX ? "x" : "-", ops[op].name, cpl, wp ? " wp" : "");
		if (!need(m->needs))
			continue;
		start(cpl, op);
		set(entry(level), (get(entry(level)) & ~7ull) | flags[f]);
		turn_on(wp ? CR0_WP : 0, 0);
		run();
		show_entries();
	}
}

/* Two levels against each other. */
static void cross(void)
{
	u32 a, b;
	int cpl, op;

	for (a = 1; a < 8; a += 2)
	for (b = 1; b < 8; b += 2)
	for (cpl = 0; cpl < 4; cpl += 3)
	for (op = 0; op <= STORE; op++) {
		begin("paging %s pde%x pte%x %s cpl%x", m->name, a, b, ops[op].name, cpl);
		if (!need(m->needs))
			continue;
		start(cpl, op);
		set(entry(1), (get(entry(1)) & ~7ull) | a);
		set(entry(0), (get(entry(0)) & ~7ull) | b);
		turn_on(CR0_WP, 0);
		run();
		show_entries();
	}
}

/* SMEP and SMAP: ring 0 and a user's page. */
static void smxp(void)
{
	int what, op, ac, user, cpl;

	for (what = 1; what < 4; what++)
	for (op = 0; op <= RMW; op++)
	for (ac = 0; ac < 2; ac++)
	for (user = 0; user < 2; user++)
	for (cpl = 0; cpl < 4; cpl += 3) {
		begin("paging %s%s%s %s cpl%x%s%s", m->name, what & 1 ? " smep" : "",
		      what & 2 ? " smap" : "", ops[op].name, cpl, ac ? " ac" : "",
		      user ? " user" : "");
		if (!need(m->needs | (what & 1 ? NEED_SMEP : 0) | (what & 2 ? NEED_SMAP : 0)))
			continue;
		start(cpl, op);
		if (!user)
			set(entry(0), get(entry(0)) & ~(u64)US);
		in.fl |= ac ? FL_AC : 0;
		turn_on(CR0_WP, (what & 1 ? CR4_SMEP : 0) | (what & 2 ? CR4_SMAP : 0));
		run();
		show_entries();
	}
}

static void reserved(void)
{
	u32 bit, level, nxe;

	for (level = 0; level < (u32)m->levels; level++)
	for (bit = 7; bit < (u32)m->size * 8; bit++) {
		/* address bits reach up to MAXPHYADDR, which differs; AVL bits are free */
		if ((bit >= 12 && bit < 52) || (m->levels == 3 && level == 2) || level > 1)
			continue;
		if (level == 1 && bit == 7)
			continue;	/* a large page: below */
		begin("paging %s reserved level%x bit%x", m->name, level + 1, bit);
		if (!need(m->needs))
			continue;
		start(0, LOAD);
		set(entry(level), get(entry(level)) | 1ull << bit);
		turn_on(0, 0);
		run();
		show_entries();
	}
	/* NX without EFER.NXE; not present wins over reserved */
	for (nxe = 0; nxe < 2 && m->nx; nxe++) {
		begin("paging %s nx and no nxe%s", m->name, nxe ? " np" : "");
		if (!need(m->needs))
			continue;
		start(0, LOAD);
		set(entry(0), (get(entry(0)) | NX) & ~(u64)nxe);
		turn_on(0, 0);
		set_efer(0);
		run();
		show_entries();
	}
	/* large pages, and bits of theirs that must be clear */
	for (bit = 12; bit < 23; bit++) {
		begin("paging %s large bit%x", m->name, bit);
		if (!need(m->needs))
			continue;
		start(3, STORE);
		/* 13 and up are address bits of 2-level paging where there is PSE-36 */
		if (m->size == 4 && bit > 12 && bit < 21)
			bit = 21;
		set(entry(1), (m->size == 8 ? 0x200000ull : 0) | P | RW | US | PS);
		if (bit != 22)
			set(entry(1), get(entry(1)) ^ 1ull << bit);
		if (m->size == 8 && bit == 21)
			set(entry(1), get(entry(1)) ^ 1ull << bit);
		in.r[SI] = T + M_PGDATA % 0x200000 + (m->size == 4 ? M_PGDATA : 0);
		turn_on(0, 0);
		run();
		show_outcome();
		show_changes();
		line(" %x", (u32)get(entry(1)) & 0xfff);
		end_line();
	}
}

/* Across the boundary of two pages, the second or first being wrong. */
static void crossing(void)
{
	static const u32 wrong[] = { P | RW | US, P | US, P | RW, 0 };
	static const int at[] = { 0xffd, 0xffe, 0xfff };
	u32 op, which, w, i;

	for (op = 0; op < sizeof(ops) / sizeof(ops[0]); op++)
	for (which = 0; which < 2; which++)
	for (w = which; w < 4; w++)
	for (i = 0; i < 3; i++) {
		if (op == FETCH)
			continue;
		begin("paging %s crossing %s at %x page%x %x", m->name, ops[op].name, at[i], which,
		      wrong[w]);
		if (!need(m->needs))
			continue;
		start(3, op);
		in.r[SI] = T + at[i] + (op == PUSH || op == CALL ? 4 : 0);
		in.r[DI] = T + 0x100;
		set(entry(0) + which * m->size, (get(entry(0) + which * m->size) & ~7ull) | wrong[w]);
		mem32(M_PGDATA + 0xffc) = 0x99887766;
		mem32(M_PGDATA + 0x1000) = 0xddccbbaa;
		turn_on(CR0_WP, 0);
		run();
		show_outcome();
		show_changes();
		line(" %x %x", mem32(M_PGDATA + 0xffc), mem32(M_PGDATA + 0x1000));
		end_line();
	}
	/* an instruction lies across */
	for (w = 0; w < 4; w++)
	for (i = 1; i < 6; i++) {
		begin("paging %s crossing code %x %x", m->name, i, wrong[w]);
		if (!need(m->needs))
			continue;
		start(3, FETCH);
		/* MOV $0x12345678, %ecx; UD2 */
		mem8(M_PGDATA + 0x1000 - i) = 0xb9;
		for (op = 0; op < 6; op++)
			mem8(M_PGDATA + 0x1001 - i + op) = "\x78\x56\x34\x12\x0f\x0b"[op];
		in.r[SI] = T + 0x1000 - i;
		set(entry(0) + m->size, (get(entry(0) + m->size) & ~7ull) | wrong[w]);
		turn_on(CR0_WP, 0);
		run();
		show();
	}
}

/* What the CPU accesses by itself, in ring 3: as a supervisor. */
static void implicit(void)
{
	static const u32 flags[] = { 0, P, P | RW, P | US, P | RW | US };
	u32 what, f, wp;

	for (what = 0; what < 3; what++)
	for (f = 0; f < 5; f++)
	for (wp = 0; wp < 2; wp++) {
		static const char *const names[] = { "ldt", "accessed", "stack" };

		begin("paging %s implicit %s %x%s", m->name, names[what], flags[f], wp ? " wp" : "");
		/* the fault on that stack is a double fault's matter, which has a task */
		if (!need(m->needs | (what == 2 ? NEED_TASKS : 0)))
			continue;
		start(3, LOAD);
		code(load_seg);
		in.r[BX] = SEL_D(3) | 3;
		set(entry(0), (get(entry(0)) & ~7ull) | flags[f]);
		if (what < 2) {
			/* the LDT there; its descriptor accessed or not */
			mem64(M_PGDATA + 8) = desc(0, 0xfffff, ACC_DATA | DPL(3) | (what == 0),
						   FL_G | FL_D);
			set_gdt(SEL_LDT, desc(T, 0xff, 0x82, 0));
			__asm__ volatile("lldt %w0" :: "r"(SEL_LDT));
			in.r[BX] = 0xf;
		} else {
			code_bytes("\x0f\x0b", 2);
			set_stack0(T + 0x800);
		}
		turn_on(wp ? CR0_WP : 0, 0);
		run();
		out.cr2 &= ~7ul;	/* which byte of a descriptor is written is the CPU's choice */
		show_outcome();
		show_changes();
		line(" %x", (u32)get(entry(0)) & 0xfff);
		end_line();
	}
}

static void flushes(void)
{
	int how;

	for (how = 0; how < 4; how++) {
		begin("paging %s invlpg %x", m->name, how);
		if (!need(m->needs))
			continue;
		start(how & 1 ? 3 : 0, LOAD);
		code(invlpg);
		/* the code changes the second page's table entry into one for the first */
		in.r[DI] = M_PGDATA + 0x100;
		in.r[SI] = T + (how & 2 ? 0x1000 : 0);
		turn_on(0, 0);
		run();
		show();
	}
}

CODE(pdpte_as_is, 32, "movl %eax, (%edi); movl (%esi), %ebx");
CODE(pdpte_invlpg, 32, "movl %eax, (%edi); invlpg (%esi); movl (%esi), %ebx");
CODE(pdpte_cr3, 32, "movl %eax, (%edi); mov %cr3, %ecx; mov %ecx, %cr3; movl (%esi), %ebx");
CODE(pdpte_cr4, 32, "movl %eax, (%edi); mov %cr4, %ecx; xor $0x80, %ecx; mov %ecx, %cr4; movl (%esi), %ebx");
CODE(pdpte_cr0, 32, "movl %eax, (%edi); mov %cr0, %ecx; xor $0x40000000, %ecx; mov %ecx, %cr0; movl (%esi), %ebx");

/*
 * PAE's four pointers are read when a control register is written, and not at
 * each walk: SDM vol. 3 §4.4.1.
 */
static void pointers(void)
{
	static const struct { const char *name; const struct code *c; } how[] = {
		{ "as is", &pdpte_as_is }, { "invlpg", &pdpte_invlpg }, { "cr3", &pdpte_cr3 },
		{ "cr4", &pdpte_cr4 }, { "cr0", &pdpte_cr0 },
	};
	u32 h, w;

	for (h = 0; h < sizeof(how) / sizeof(how[0]); h++)
	for (w = 0; w < 3; w++) {
		static const char *const names[] = { "set", "cleared", "reserved bit" };

		begin("paging %s pointer %s, %s", m->name, names[w], how[h].name);
		if (!need(m->needs | NEED_PGE))
			continue;
		start(0, LOAD);
		code(*how[h].c);
		/* the same directory, another GiB */
		set(table(0) + 8, w == 1 ? table(1) | P : 0);
		in.r[DI] = table(0) + 8;
		in.r[SI] = T + 0x40000000;
		in.r[AX] = w == 1 ? 0 : table(1) | P | (w == 2 ? RW : 0);
		hide = 1u << CX;
		turn_on(0, 0);
		run();
		show();
		set(table(0) + 8, 0);
	}
}

void paging(void)
{
	u32 i;

	for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		m = &modes[i];
		levels();
		cross();
		smxp();
		reserved();
		crossing();
		implicit();
		flushes();
		if (m->levels == 3)
			pointers();
	}
}
