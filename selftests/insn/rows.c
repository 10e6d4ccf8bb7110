// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <stdlib.h>
#include "rows.h"
#include "world.h"
#include "../../module/insn/tables.h"

struct row rows[MAX_ROWS];
u32 nr_rows;

static const u8 classes[] = {
#define T(n, c, s, r) OC_##c,
	RVM_OTYPES(T)
#undef T
};

/* enc, map, opcode, pp, register form, reg, rm -> number + 1 */
static u16 index_of[2][4][256][4][2][8][8];

static u32 forms_of(const struct rvm_cell *c)
{
	u32 i, forms = ROW_NONE;

	for (i = 0; i < RVM_NR_OPERANDS && c->o[i]; i++) {
		switch (classes[c->o[i]]) {
		case OC_E: case OC_EX: case OC_W: case OC_Q: case OC_KE:
			forms = ROW_MEM | ROW_REG;
			break;
		case OC_M: case OC_VM: case OC_TM:
			return ROW_MEM;
		case OC_R: case OC_U: case OC_N: case OC_KR: case OC_C: case OC_D: case OC_TR:
			return ROW_REG;
		}
	}
	return forms;
}

static void add(struct row r)
{
	u32 pp, form, reg, rm;

	if (r.op == RVM_OP_UD)
		return;
	if (nr_rows == MAX_ROWS)
		abort();
	rows[nr_rows++] = r;
	for (pp = 0; pp < 4; pp++)
	for (form = 0; form < 2; form++)
	for (reg = 0; reg < 8; reg++)
	for (rm = 0; rm < 8; rm++) {
		if ((r.pp != ROW_ANY && r.pp != pp) || (r.reg != ROW_ANY && r.reg != reg) ||
		    (r.rm != ROW_ANY && r.rm != rm))
			continue;
		/* a column that tells memory from register forms apart */
		if (r.reg != ROW_ANY && !(r.forms & (form ? ROW_REG : ROW_MEM)) &&
		    r.forms != ROW_NONE)
			continue;
		index_of[r.enc][r.map][r.opcode][pp][form][reg][rm] = nr_rows;
	}
}

static void add_cell(struct row r, const struct rvm_cell *c, u32 more)
{
	u32 forms = r.forms;

	r.op = c->op;
	r.flags = c->flags | more;
	r.forms = forms_of(c);
	if (forms && r.forms != ROW_NONE)
		r.forms &= forms;
	else if (forms == ROW_REG)
		r.forms = ROW_REG;
	if (!r.forms)
		return;
	if (!(r.flags & VO)) {
		r.enc = RVM_ENC_LEGACY;
		add(r);
	}
	if (r.flags & (VX | VO)) {
		r.enc = RVM_ENC_VEX;
		add(r);
	}
}

static void add_group(struct row r, u32 nr, u32 flags)
{
	const struct rvm_opgroup *g = &rvm_groups[nr];
	u32 pp, reg, rm;

	for (pp = 0; pp < (g->pp ? RVM_NR_PP : 1); pp++)
	for (reg = 0; reg < 8; reg++) {
		const struct rvm_cell *m = &g->mem[pp * 8 + reg], *c = &g->reg[pp * 8 + reg];

		r.reg = reg;
		if (g->pp)
			r.pp = pp;
		if (nr == G7) {
			r.forms = ROW_MEM;
			add_cell(r, m, flags);
			/* of its register forms some do not look at the prefix */
			for (rm = 0; rm < 8; rm++) {
				const struct rvm_cell *x = &rvm_grp7_rm[pp][reg][rm];
				struct row q = r;

				if (pp && !memcmp(x, &rvm_grp7_rm[0][reg][rm], sizeof(*x)))
					continue;
				q.pp = pp ? pp : ROW_ANY;
				q.rm = rm;
				q.forms = ROW_REG;
				add_cell(q, x, flags);
			}
			continue;
		}
		if (m == c) {
			r.forms = 0;
			add_cell(r, m, flags);
			continue;
		}
		r.forms = ROW_MEM;
		add_cell(r, m, flags);
		r.forms = ROW_REG;
		add_cell(r, c, flags);
	}
}

static void add_any(struct row r, const struct rvm_cell *c)
{
	if (c->flags & GRP)
		add_group(r, c->op, c->flags & ~GRP);
	else
		add_cell(r, c, 0);
}

void rows_init(void)
{
	static const struct rvm_cell (*const pfx[4])[RVM_NR_PP] = {
		NULL, rvm_pfx_0f, rvm_pfx_0f38, rvm_pfx_0f3a,
	};
	u32 map, op, pp, reg, rm;

	if (nr_rows)
		return;
	for (map = 0; map < 4; map++)
	for (op = 0; op < 256; op++) {
		struct row r = { .map = map, .opcode = op, .pp = ROW_ANY, .reg = ROW_ANY,
				 .rm = ROW_ANY };

		if (map == 0 && (op & 0xf8) == 0xd8) {
			r.op = RVM_OP_X87;
			for (reg = 0; reg < 8; reg++) {
				r.reg = reg;
				r.rm = ROW_ANY;
				r.forms = ROW_MEM;
				if (rvm_x87_mem[op & 7][reg])
					add(r);
				r.forms = ROW_REG;
				if (rvm_x87_reg[op & 7][reg] == 0xff) {
					add(r);
					continue;
				}
				for (rm = 0; rm < 8; rm++) {
					r.rm = rm;
					if (rvm_x87_reg[op & 7][reg] >> rm & 1)
						add(r);
				}
			}
			continue;
		}
		if (map == 0) {
			add_any(r, &rvm_map_1b[op]);
			if (rvm_map_1b[op].flags & X64) {
				/* MOVSXD shares the opcode with ARPL */
				r.op = rvm_cell_movsxd.op;
				r.flags = O64;
				r.forms = ROW_MEM | ROW_REG;
				r.rm = ROW_ANY;
				add(r);
			}
			continue;
		}
		if (map == 1 && !(rvm_map_0f[op].flags & PFX)) {
			add_any(r, &rvm_map_0f[op]);
			continue;
		}
		/* one group for several prefixes tells them apart itself, if at all */
		if (pfx[map][op][0].flags & GRP) {
			if (!rvm_groups[pfx[map][op][0].op].pp)
				r.pp = 0;
			add_any(r, &pfx[map][op][0]);
			continue;
		}
		for (pp = 0; pp < RVM_NR_PP; pp++) {
			r.pp = pp;
			add_any(r, &pfx[map][op][pp]);
		}
	}
}

int row_of(const struct rvm_decoded *d, const u8 *bytes)
{
	u32 pp, i = 0, nr;

	if (d->enc > RVM_ENC_VEX || d->map > 3)
		return -1;
	if (d->enc == RVM_ENC_VEX) {
		while (bytes[i] != 0xc4 && bytes[i] != 0xc5)
			i++;
		pp = bytes[i + (bytes[i] == 0xc4 ? 2 : 1)] & 3;
	} else {
		pp = d->prefix & RVM_P_REP ? RVM_PP_F3 : d->prefix & RVM_P_REPNE ? RVM_PP_F2 :
		     d->prefix & RVM_P_OSIZE ? RVM_PP_66 : RVM_PP_NONE;
		/* BSF and BSR take the prefixes that have no row of their own */
		if (d->map == 1 && (d->opcode == 0xbc || d->opcode == 0xbd) &&
		    (d->op == RVM_OP_BSF || d->op == RVM_OP_BSR) && pp > RVM_PP_66)
			pp = RVM_PP_NONE;
	}
	nr = index_of[d->enc][d->map][d->opcode][pp][d->modrm >> 6 == 3][d->modrm >> 3 & 7]
		     [d->modrm & 7];
	/* ARPL has the number before MOVSXD's */
	if (nr && d->op == RVM_OP_ARPL && rows[nr - 1].op == RVM_OP_MOVSX)
		nr--;
	return (int)nr - 1;
}

const char *row_name(u32 nr)
{
	static const char * const maps[] = { "", "0F ", "0F38 ", "0F3A " };
	static const char * const pps[] = { "", "66 ", "F3 ", "F2 " };
	static char text[80];
	const struct row *r = &rows[nr];
	u32 n;

	n = sprintf(text, "%s%s%s%02X", r->enc == RVM_ENC_VEX ? "VEX." : "",
		    r->pp < 4 ? pps[r->pp] : "", maps[r->map], r->opcode);
	if (r->reg != ROW_ANY)
		n += sprintf(text + n, "/%u", r->reg);
	if (r->rm != ROW_ANY)
		n += sprintf(text + n, ".%u", r->rm);
	sprintf(text + n, "%s %s", r->forms == ROW_MEM ? " mem" : r->forms == ROW_REG ? " reg" : "",
		rvm_op_name(r->op));
	return text;
}

u32 row_prefixes(u8 *b, u32 mode, u64 *gen)
{
	static const u8 legacy[] = { 0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x2e, 0x36, 0x3e, 0x26, 0x64,
				     0x65, 0x66, 0x67 };
	u64 r = rnd(gen);
	u32 n = 0;

	/* now and then so many that the instruction gets too long */
	while ((r & 3) == 0 && n < ((r >> 32 & 63) ? 4 : 14)) {
		b[n++] = legacy[(r >> 8) % ARRAY_SIZE(legacy)];
		r = rnd(gen) & ~((r >> 32 & 63) ? 0ull : 3ull);
	}
	if (mode == RVM_DEC_64 && (r & 0x10))
		b[n++] = 0x40 | (r >> 16 & 15);
	return n;
}

void row_bytes(u8 *b, u32 mode, const struct row *r, u64 *gen)
{
	static const u8 pps[] = { 0, 0x66, 0xf3, 0xf2 };
	u32 n = row_prefixes(b, mode, gen), rex = 0;
	u64 x = rnd(gen);
	u8 modrm;

	if (r->enc == RVM_ENC_VEX) {
		/* prefixes before VEX are #UD: leave them now and then */
		if (x & 15)
			n = 0;
		b[n++] = 0xc4;
		b[n] = (b[n] & 0xe0) | r->map;
		if (mode != RVM_DEC_64)
			b[n] |= 0xc0;
		n++;
		b[n] = (b[n] & 0xf8) | (r->pp < 4 ? r->pp : x >> 4 & 3);
		/* vvvv unused must be 1111: of no use to draw it always */
		if (x >> 6 & 1)
			b[n] |= 0x78;
		/* what the row asks for, mostly */
		if ((r->flags & L0) && (x >> 8 & 15))
			b[n] &= ~4;
		if ((r->flags & L1) && (x >> 8 & 15))
			b[n] |= 4;
		if ((r->flags & W0) && (x >> 12 & 15))
			b[n] &= ~0x80;
		if ((r->flags & W1) && (x >> 12 & 15))
			b[n] |= 0x80;
		if (r->op == RVM_OP_AMX && (x >> 18 & 7))
			b[n - 1] |= 0xe0;
		n++;
	} else {
		if (n && (b[n - 1] & 0xf0) == 0x40 && mode == RVM_DEC_64)
			rex = b[--n];
		if (r->pp != ROW_ANY && r->pp)
			b[n++] = pps[r->pp];
		if (rex)
			b[n++] = rex;
		if (r->map)
			b[n++] = 0x0f;
		if (r->map > 1)
			b[n++] = r->map == 2 ? 0x38 : 0x3a;
	}
	b[n++] = r->opcode;
	if (r->forms == ROW_NONE && r->reg == ROW_ANY)
		return;
	modrm = b[n];
	if (r->forms == ROW_REG || ((r->forms & ROW_REG) && (x >> 16 & 1)))
		modrm |= 0xc0;
	else if (modrm >= 0xc0)
		modrm &= x >> 17 & 1 ? 0x3f : 0x7f;
	if (r->reg != ROW_ANY)
		modrm = (modrm & 0xc7) | r->reg << 3;
	if (r->rm != ROW_ANY)
		modrm = (modrm & 0xf8) | r->rm;
	/* these want a SIB byte, or no register */
	if (r->enc == RVM_ENC_VEX && (r->op == RVM_OP_GATHER || r->op == RVM_OP_AMX) && (x >> 21 & 7))
		modrm = (modrm & 0xf8) | (r->forms == ROW_MEM ? 4 : r->reg != ROW_ANY ? 0 : modrm & 7);
	b[n] = modrm;
}
