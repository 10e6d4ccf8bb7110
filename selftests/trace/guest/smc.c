// SPDX-License-Identifier: GPL-2.0
/*
 * Code that is changed while it runs: what is fetched next is what was written,
 * whoever wrote it.  Under another linear address the manual asks for more than
 * a jump in between (SDM vol. 3 §11.6), which no executor here needs.
 */
#include "trace.h"

#define FAR	0x1000		/* the function's place, from M_CODE: the next page */
#define ALIAS	0x90000ul	/* a linear page that becomes another view of a physical one */
#define WORD	(NATIVE / 8)

CODE(next, NATIVE, "movb %al, (" REG(si) "); movb $0x11, %bl");
CODE(next_xchg, NATIVE, "xchgb %al, (" REG(si) "); movb $0x11, %bl");
CODE(next_add, NATIVE, "lock addb %al, (" REG(si) "); movb $0x11, %bl");
CODE(loop, NATIVE, "1: movb $0x11, %bl; addb %bl, %dl; movb %al, (" REG(si) "); decl %ecx; jnz 1b");
CODE(stos, NATIVE, "rep stosb; .fill 8, 1, 0xcc");
CODE(push, NATIVE, "push " REG(ax) "; .fill 8, 1, 0x90");
CODE(calls, NATIVE, "call *" REG(di) "; movb %al, (" REG(si) "); call *" REG(di));
CODE(function, NATIVE, "movb $0x11, %bl; addb %bl, %dl; ret");
CODE(other, NATIVE, "movb $0x22, %bl; addb %bl, %dl; ret");
CODE(remap, NATIVE, "call *" REG(di) "; mov " REG(ax) ", (" REG(si) "); invlpg (" REG(di) "); call *" REG(di));

static void begin_case(const char *name, int cpl, struct code c)
{
	begin(NAME("smc") " %s cpl%x", name, cpl);
	ring(cpl);
	memset((void *)(M_CODE + FAR - 16), 0x90, 32);
	code(c);
	in.r[AX] = 0x55;
	in.r[CX] = 3;
	flag_mask = 0;
}

/* The byte that is written is the operand of a MOV that is still to come. */
static void ahead(void)
{
	static const struct { const char *name; const struct code *c; u32 at; } list[] = {
		{ "next", &next, 3 }, { "next xchg", &next_xchg, 3 }, { "next lock", &next_add, 4 },
		{ "loop", &loop, 1 },
	};
	u32 i, cpl;

	for (i = 0; i < sizeof(list) / sizeof(list[0]); i++)
	for (cpl = 0; cpl < 4; cpl += 3) {
		begin_case(list[i].name, cpl, *list[i].c);
		in.r[SI] = M_CODE + list[i].at;
		run();
		show();
	}
	for (cpl = 0; cpl < 4; cpl += 3) {
		begin_case("rep stos", cpl, stos);
		in.r[AX] = 0x90;
		in.r[CX] = 8;
		in.r[DI] = M_CODE + 2;
		run();
		show();
	}
	/* MOV $imm8, %dl and NOPs, by way of the stack */
	begin_case("push", 3, push);
	in.r[AX] = 0x909042b2;
	in.r[SP] = M_CODE + 1 + WORD;
	if (NATIVE == 64)
		in.r[AX] |= (ul)(0x9090909090909090ull << 32);
	run();
	show();
}

/* A function on the next page, or on both, that has run before. */
static void functions(void)
{
	static const ul at[] = { FAR, FAR - 1, FAR - 2, 0x800 };
	u32 i, cpl;

	for (i = 0; i < 4; i++)
	for (cpl = 0; cpl < 4; cpl += 3) {
		begin_case(i == 0 ? "function" : i == 1 ? "across" : i == 2 ? "across 2" : "same page",
			   cpl, calls);
		put(M_CODE + at[i], function);
		in.r[DI] = M_CODE + at[i];
		in.r[SI] = in.r[DI] + 1;
		run();
		show();
	}
}

#ifdef __x86_64__
static void view(ul page)
{
	mem64(M_PT + ALIAS / 0x1000 * 8) = page | 7;
}

/* Written through another linear address; another page put there. */
static void aliases(void)
{
	u32 cpl;

	for (cpl = 0; cpl < 4; cpl += 3) {
		begin_case("alias", cpl, calls);
		view(M_CODE);
		put(M_CODE + 0x800, function);
		in.r[DI] = M_CODE + 0x800;
		in.r[SI] = ALIAS + 0x801;
		run();
		show();
	}
	begin_case("remap", 0, remap);
	view(M_PGDATA);
	put(M_PGDATA, function);
	put(M_PGDATA + 0x1000, other);
	in.r[DI] = ALIAS;
	in.r[SI] = M_PT + ALIAS / 0x1000 * 8;
	in.r[AX] = (M_PGDATA + 0x1000) | 7;
	run();
	show();
	view(ALIAS);
	write_cr3(M_PML4);
}
#endif

void smc(void)
{
	ahead();
	functions();
#ifdef __x86_64__
	aliases();
#endif
}
