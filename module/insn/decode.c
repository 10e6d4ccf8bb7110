// SPDX-License-Identifier: GPL-2.0
/*
 * Instruction decoder (SDM vol. 2 chapter 2 and appendix A, APM vol. 3
 * chapter 1).  Bytes and code size in, struct rvm_decoded out.
 */
#include "decode.h"
#include "feature.h"
#include "tables.h"
#include "../cpu/state.h"

static const struct {
	u8 cls, size, reg;
} otypes[] = {
#define T(n, c, s, r) { OC_##c, s, r },
	RVM_OTYPES(T)
#undef T
};

/* The bytes, and how far the decoder has come. */
struct reader {
	const u8 *p;
	u32 n, pos;
	bool more;
};

/* Next @len bytes, little-endian; after the end zeroes, and @more is set. */
static u64 take(struct reader *r, u32 len)
{
	u64 v = 0;
	u32 i;

	if (r->pos + len > r->n) {
		r->more = true;
		r->pos += len;
		return 0;
	}
	for (i = 0; i < len; i++)
		v |= (u64)r->p[r->pos + i] << (8 * i);
	r->pos += len;
	return v;
}

static u64 take_signed(struct reader *r, u32 len)
{
	u64 v = take(r, len);
	u32 shift = 64 - 8 * len;

	return (u64)((s64)(v << shift) >> shift);
}

/* Byte offset of a general register in gpr[]. */
static u8 gpr_off(u32 reg, u32 size, bool rex)
{
	if (size == 1 && !rex && reg >= 4 && reg < 8)
		return (reg - 4) * 8 + 1;
	return reg * 8;
}

/* State of one decode that struct rvm_decoded has no room for. */
struct ctx {
	struct reader r;
	struct rvm_decoded *d;
	u8 pp;			/* RVM_PP_* */
	u8 seg_override;	/* 0xff: none */
	bool is64;
	bool has_modrm;
	bool vsib;
};

static void set_modrm(struct ctx *c)
{
	if (c->has_modrm)
		return;
	c->d->modrm = take(&c->r, 1);
	c->has_modrm = true;
}

/* Memory operand of ModRM: SDM vol. 2 tables 2-1 to 2-3, 2-7. */
static void decode_mem(struct ctx *c)
{
	struct rvm_decoded *d = c->d;
	u32 mod = d->modrm >> 6, rm = d->modrm & 7;
	u32 seg = RVM_DS, dlen = 0;

	if (d->asize == 2) {
		static const u8 base16[8] = { RVM_RBX, RVM_RBX, RVM_RBP, RVM_RBP,
					      RVM_RSI, RVM_RDI, RVM_RBP, RVM_RBX };

		if (mod == 0 && rm == 6) {
			dlen = 2;
		} else {
			d->base = base16[rm] * 8;
			if (rm < 4)
				d->index = (rm & 1 ? RVM_RDI : RVM_RSI) * 8;
			if (d->base == RVM_RBP * 8)
				seg = RVM_SS;
			dlen = mod;
		}
	} else {
		u32 base = rm | (d->rex & RVM_REX_B ? 8 : 0);

		dlen = mod == 1 ? 1 : mod == 2 ? 4 : 0;
		if (rm == 4) {
			u32 sib = take(&c->r, 1);
			u32 index = (sib >> 3 & 7) | (d->rex & RVM_REX_X ? 8 : 0);

			base = (sib & 7) | (d->rex & RVM_REX_B ? 8 : 0);
			d->scale = sib >> 6;
			if (index != 4 || c->vsib)
				d->index = index * 8;
			if ((sib & 7) == 5 && mod == 0)
				dlen = 4;
			else
				d->base = base * 8;
		} else if (rm == 5 && mod == 0) {
			dlen = 4;
			if (c->is64)
				d->base = RVM_BASE_RIP;
		} else {
			d->base = base * 8;
		}
		if (d->base == RVM_RSP * 8 || d->base == RVM_RBP * 8)
			seg = RVM_SS;
	}
	if (dlen)
		d->disp = take_signed(&c->r, dlen);
	d->seg = seg;
}

static u32 vector_size(const struct rvm_decoded *d)
{
	return 16u << (d->vex >> 4 & 3);
}

static u32 operand_size(const struct ctx *c, u32 size)
{
	const struct rvm_decoded *d = c->d;

	switch (size) {
	case OS_V:
		return d->osize;
	case OS_Z:
		return d->osize > 4 ? 4 : d->osize;
	case OS_Y:
		return c->is64 && (d->rex & RVM_REX_W) ? 8 : 4;
	case OS_P:
		return 2 + d->osize;
	case OS_A:
		return 2 * d->osize;
	case OS_S:
		return c->is64 ? 10 : 6;
	case OS_N:
		return c->is64 ? 8 : 4;
	case OS_DQ:
		return d->rex & RVM_REX_W ? 16 : 8;
	case OS_X:
		return vector_size(d);
	case OS_X2:
		return vector_size(d) / 2;
	case OS_X4:
		return vector_size(d) / 4;
	case OS_X8:
		return vector_size(d) / 8;
	case OS_DD:
		return vector_size(d) == 16 ? 8 : vector_size(d);
	case OS_SD:
		return d->rex & RVM_REX_W ? 8 : 4;
	case OS_ASZ:
		return d->asize;
	case OS_WQ:
		return d->rex & RVM_REX_W ? 8 : 2;
	case OS_BD:
		return d->rex & RVM_REX_W ? 4 : 1;
	case OS_GD:
		return d->rex & RVM_REX_W ? vector_size(d) : 16;
	default:
		return size;
	}
}

/* One operand.  Returns false where the form is undefined (#UD). */
static bool decode_operand(struct ctx *c, u32 type, struct rvm_operand *o)
{
	struct rvm_decoded *d = c->d;
	u32 size = operand_size(c, otypes[type].size);
	u32 mod = d->modrm >> 6;
	u32 reg = (d->modrm >> 3 & 7) | (d->rex & RVM_REX_R ? 8 : 0);
	u32 rm = (d->modrm & 7) | (d->rex & RVM_REX_B ? 8 : 0);
	/* outside 64-bit mode the top bit of a register number is ignored */
	u32 vvvv = d->vex & (c->is64 ? 15 : 7);
	bool rex = d->prefix & RVM_P_REX;

	o->size = size;
	switch (otypes[type].cls) {
	case OC_EX:
	case OC_E:
		if (mod == 3) {
			if (otypes[type].cls == OC_EX)
				o->size = size = 4;
			o->kind = RVM_K_REG;
			o->reg = gpr_off(rm, size, rex);
		} else {
			o->kind = RVM_K_MEM;
		}
		return true;
	case OC_M:
		o->kind = RVM_K_MEM;
		return mod != 3;
	case OC_VM:
	case OC_TM:
		o->kind = RVM_K_MEM;
		/* 16-bit addresses have no SIB byte (SDM vol. 2 §2.3.12) */
		return mod != 3 && (d->modrm & 7) == 4 && d->asize != 2;
	case OC_R:
		o->kind = RVM_K_REG;
		o->reg = gpr_off(rm, size, rex);
		return mod == 3;
	case OC_G:
		o->kind = RVM_K_REG;
		o->reg = gpr_off(reg, size, rex);
		return true;
	case OC_B:
		o->kind = RVM_K_REG;
		o->reg = vvvv * 8;
		return true;
	case OC_Z:
		o->kind = RVM_K_REG;
		o->reg = gpr_off((d->opcode & 7) | (d->rex & RVM_REX_B ? 8 : 0), size, rex);
		return true;
	case OC_FIX:
		o->kind = RVM_K_REG;
		o->reg = otypes[type].reg * 8;
		return true;
	case OC_IMM:
		o->kind = RVM_K_IMM;
		d->imm = take(&c->r, size);
		return true;
	case OC_SIMM:
		o->kind = RVM_K_IMM;
		d->imm = take_signed(&c->r, size);
		return true;
	case OC_IMM2:
		o->kind = RVM_K_IMM2;
		d->imm2 = take(&c->r, size);
		return true;
	case OC_ONE:
		o->kind = RVM_K_ONE;
		return true;
	case OC_J:
		o->kind = RVM_K_REL;
		d->imm = take_signed(&c->r, size);
		return true;
	case OC_A:
		o->kind = RVM_K_FAR;
		d->imm = take(&c->r, d->osize);
		d->imm2 = take(&c->r, 2);
		return true;
	case OC_O:
		o->kind = RVM_K_MEM;
		d->disp = take(&c->r, d->asize);
		d->seg = RVM_DS;
		return true;
	case OC_X:
		o->kind = RVM_K_STR_SRC;
		d->seg = RVM_DS;
		return true;
	case OC_Y:
		o->kind = RVM_K_STR_DST;
		return true;
	case OC_S:
		o->kind = RVM_K_SREG;
		o->reg = d->modrm >> 3 & 7;
		return o->reg < 6;
	case OC_SFIX:
		o->kind = RVM_K_SREG;
		o->reg = otypes[type].reg;
		return true;
	case OC_C:
		o->kind = RVM_K_CR;
		/* LOCK is AMD's way to CR8 outside 64-bit mode (APM vol. 3, MOV CRn) */
		o->reg = d->prefix & RVM_P_LOCK ? reg | 8 : reg;
		if ((d->prefix & RVM_P_LOCK) && ((reg & 8) || (d->mode & RVM_DEC_INTEL)))
			return false;
		return o->reg == 0 || (o->reg >= 2 && o->reg <= 4) || o->reg == 8;
	case OC_D:
		o->kind = RVM_K_DR;
		o->reg = reg;
		return reg < 8;
	case OC_V:
		o->kind = RVM_K_XMM;
		o->reg = reg;
		return true;
	case OC_W:
		o->kind = mod == 3 ? RVM_K_XMM : RVM_K_MEM;
		o->reg = rm;
		return true;
	case OC_U:
		o->kind = RVM_K_XMM;
		o->reg = rm;
		return mod == 3;
	case OC_H:
	case OC_HR:
		o->kind = RVM_K_XMM;
		o->reg = vvvv;
		return true;
	case OC_L:
		d->imm = take(&c->r, 1);
		o->kind = RVM_K_XMM;
		o->reg = d->imm >> 4 & (c->is64 ? 15 : 7);
		return true;
	case OC_P:
		o->kind = RVM_K_MM;
		o->reg = reg & 7;
		return true;
	case OC_Q:
		o->kind = mod == 3 ? RVM_K_MM : RVM_K_MEM;
		o->reg = rm & 7;
		return true;
	case OC_N:
		o->kind = RVM_K_MM;
		o->reg = rm & 7;
		return mod == 3;
	case OC_KG:
		o->kind = RVM_K_MASK;
		o->reg = reg;
		return reg < 8;
	case OC_KR:
		o->kind = RVM_K_MASK;
		o->reg = rm & 7;
		return mod == 3;
	case OC_KE:
		o->kind = mod == 3 ? RVM_K_MASK : RVM_K_MEM;
		o->reg = rm & 7;
		return true;
	case OC_KH:
		o->kind = RVM_K_MASK;
		o->reg = vvvv;
		return vvvv < 8;
	case OC_TG:
		o->kind = RVM_K_TMM;
		o->reg = reg;
		return reg < 8;
	case OC_TR:
		o->kind = RVM_K_TMM;
		o->reg = rm;
		return mod == 3 && rm < 8;
	case OC_TH:
		o->kind = RVM_K_TMM;
		o->reg = vvvv;
		return vvvv < 8;
	default:
		o->kind = RVM_K_NONE;
		return true;
	}
}

static bool uses_modrm(const struct rvm_cell *cell)
{
	u32 i;

	for (i = 0; i < RVM_NR_OPERANDS && cell->o[i]; i++) {
		switch (otypes[cell->o[i]].cls) {
		case OC_E: case OC_EX: case OC_M: case OC_R: case OC_G:
		case OC_S: case OC_C: case OC_D: case OC_V: case OC_W: case OC_U:
		case OC_VM: case OC_P: case OC_Q: case OC_N:
		case OC_KG: case OC_KR: case OC_KE: case OC_TG: case OC_TR: case OC_TM:
			return true;
		}
	}
	return false;
}

static bool has_class(const struct rvm_cell *cell, u32 cls)
{
	u32 i;

	for (i = 0; i < RVM_NR_OPERANDS && cell->o[i]; i++)
		if (otypes[cell->o[i]].cls == cls)
			return true;
	return false;
}

/* Escapes D8..DF */
static bool decode_x87(struct ctx *c)
{
	struct rvm_decoded *d = c->d;
	u32 esc = d->opcode & 7, reg, size;

	set_modrm(c);
	reg = d->modrm >> 3 & 7;
	d->op = RVM_OP_X87;
	if (d->modrm >> 6 == 3) {
		d->opnd[0].kind = RVM_K_ST;
		d->opnd[0].size = 10;
		d->opnd[0].reg = d->modrm & 7;
		return rvm_x87_reg[esc][reg] >> (d->modrm & 7) & 1;
	}
	decode_mem(c);
	size = rvm_x87_mem[esc][reg];
	if (!size)
		return false;
	/* FLDENV/FNSTENV 14 or 28 bytes, FRSTOR/FNSAVE 94 or 108 */
	if (size == 255)
		size = (d->osize == 2 ? 14 : 28) + (esc == 5 ? 80 : 0);
	d->opnd[0].kind = RVM_K_MEM;
	d->opnd[0].size = size;
	return true;
}

/* ModRM, displacement and immediate of an encoding known by its length alone. */
static void decode_plain(struct ctx *c, u32 imm)
{
	struct rvm_decoded *d = c->d;

	set_modrm(c);
	if (d->modrm >> 6 != 3) {
		decode_mem(c);
		d->opnd[0].kind = RVM_K_MEM;
	}
	if (imm)
		d->imm = take(&c->r, imm);
}

static u32 vex_imm(u32 map, u32 opcode)
{
	if (map == 3)
		return 1;
	if (map == 1)
		return (opcode >= 0x70 && opcode <= 0x73) || opcode == 0xc2 ||
		       (opcode >= 0xc4 && opcode <= 0xc6);
	return 0;
}

/*
 * EVEX (SDM vol. 2 §2.7): the reserved bits, and the length.  The compressed
 * displacement changes the value, not the length.
 */
static int decode_evex(struct ctx *c, u32 p0)
{
	struct rvm_decoded *d = c->d;
	u32 p1 = take(&c->r, 1), p2 = take(&c->r, 1), map = p0 & 7;

	if (c->r.more)
		return RVM_DECODE_MORE;
	d->enc = RVM_ENC_EVEX;
	d->op = RVM_OP_EVEX;
	d->map = map;
	d->rex = (~p0 >> 5 & 7) | (p1 & 0x80 ? RVM_REX_W : 0);
	d->vex = (~p1 >> 3 & 15) | (p2 >> 5 & 3) << 4 | (p1 & 3) << 6;
	d->opcode = take(&c->r, 1);
	if (!(p1 & 4) || (p0 & 8) || map == 0 || map == 4 || map == 7)
		return RVM_DECODE_UD;
	decode_plain(c, vex_imm(map, d->opcode));
	return RVM_DECODE_OK;
}

/* XOP (APM vol. 3 §1.2.7): recognised for its length; maps 8, 9, A. */
static int decode_xop(struct ctx *c, u32 p0)
{
	struct rvm_decoded *d = c->d;
	u32 p1 = take(&c->r, 1), map = p0 & 31;

	if (c->r.more)
		return RVM_DECODE_MORE;
	d->enc = RVM_ENC_XOP;
	d->op = RVM_OP_XOP;
	d->map = map;
	d->rex = (~p0 >> 5 & 7) | (p1 & 0x80 ? RVM_REX_W : 0);
	d->vex = (~p1 >> 3 & 15) | (p1 >> 2 & 1) << 4;
	d->opcode = take(&c->r, 1);
	if (map > 10 || (p1 & 3))
		return RVM_DECODE_UD;
	decode_plain(c, map == 8 ? 1 : map == 10 ? 4 : 0);
	return RVM_DECODE_OK;
}

/* Cell of a VEX instruction, or NULL. */
static const struct rvm_cell *vex_cell(struct ctx *c)
{
	const struct rvm_cell (*map)[RVM_NR_PP];
	const struct rvm_cell *cell;
	struct rvm_decoded *d = c->d;

	switch (d->map) {
	case 1:
		map = rvm_pfx_0f;
		if (d->opcode == 0xae) {
			set_modrm(c);
			cell = d->modrm >> 6 == 3 ? rvm_groups[G15].reg : rvm_groups[G15].mem;
			return &cell[c->pp * 8 + (d->modrm >> 3 & 7)];
		}
		break;
	case 2:
		map = rvm_pfx_0f38;
		break;
	case 3:
		map = rvm_pfx_0f3a;
		break;
	default:
		return NULL;
	}
	return &map[d->opcode][c->pp];
}

/* Undefined VEX forms still have a length: find it, then say #UD. */
static int vex_ud(struct ctx *c)
{
	decode_plain(c, vex_imm(c->d->map, c->d->opcode));
	return RVM_DECODE_UD;
}

static const struct rvm_cell *group_cell(struct ctx *c, const struct rvm_cell *cell)
{
	const struct rvm_opgroup *g = &rvm_groups[cell->op];
	const struct rvm_cell *row;
	u32 reg;

	set_modrm(c);
	reg = c->d->modrm >> 3 & 7;
	if (cell->op == G7 && c->d->modrm >> 6 == 3)
		return &rvm_grp7_rm[c->pp][reg][c->d->modrm & 7];
	row = c->d->modrm >> 6 == 3 ? g->reg : g->mem;
	return &row[(g->pp ? c->pp * 8 : 0) + reg];
}

/* Operands of @cell, with all that depends on them. */
static int decode_cell(struct ctx *c, const struct rvm_cell *cell)
{
	struct rvm_decoded *d = c->d;
	u32 i, flags = cell->flags;
	bool ok = true;

	if (flags & GRP) {
		cell = group_cell(c, cell);
		flags |= cell->flags;
	}
	if ((flags & I64) && c->is64)
		return RVM_DECODE_UD;
	if ((flags & O64) && !c->is64)
		return RVM_DECODE_UD;
	d->op = cell->op;
	/* UD0 and UD1 have a ModRM byte on Intel's CPUs alone (SDM vol. 2, UD; APM vol. 3, UDn) */
	if (d->op == RVM_OP_UD && !(d->mode & RVM_DEC_INTEL))
		return RVM_DECODE_UD;

	if (d->enc == RVM_ENC_VEX) {
		if (!(flags & (VX | VO)) ||
		    ((flags & L0) && (d->vex & 0x30)) || ((flags & L1) && !(d->vex & 0x30)) ||
		    ((flags & W0) && (d->rex & RVM_REX_W)) ||
		    ((flags & W1) && !(d->rex & RVM_REX_W)))
			return vex_ud(c);
		if (d->op == RVM_OP_SSE)
			d->op = RVM_OP_AVX;
	} else if (flags & VO) {
		ok = false;
	}

	if (c->is64 && (flags & (D64 | F64)) && !(d->rex & RVM_REX_W)) {
		if (!(d->prefix & RVM_P_OSIZE) || ((flags & F64) && (d->mode & RVM_DEC_INTEL)))
			d->osize = 8;
	}

	c->vsib = has_class(cell, OC_VM);
	if (uses_modrm(cell))
		set_modrm(c);
	if (c->has_modrm && d->modrm >> 6 != 3 && !has_class(cell, OC_C) &&
	    !has_class(cell, OC_D))
		decode_mem(c);
	/* MOV to and from CRn, DRn: ModRM.mod is ignored (SDM vol. 2, MOV) */
	if (has_class(cell, OC_C) || has_class(cell, OC_D))
		d->modrm |= 0xc0;

	for (i = 0; i < RVM_NR_OPERANDS && cell->o[i]; i++) {
		u32 cls = otypes[cell->o[i]].cls, n = i;

		/* the legacy form has no such operand: the next ones move up */
		if ((cls == OC_H || cls == OC_HR) && d->enc != RVM_ENC_VEX)
			continue;
		if (cls == OC_HR && d->modrm >> 6 != 3)
			continue;
		while (n && d->opnd[n - 1].kind == RVM_K_NONE)
			n--;
		if (!decode_operand(c, cell->o[i], &d->opnd[n]))
			ok = false;
	}

	if (d->enc == RVM_ENC_VEX) {
		bool vvvv = has_class(cell, OC_H) || has_class(cell, OC_B) ||
			    has_class(cell, OC_KH) || has_class(cell, OC_TH) ||
			    (has_class(cell, OC_HR) && d->modrm >> 6 == 3);

		if (!vvvv && (d->vex & 15))
			ok = false;
	}
	if (d->op == RVM_OP_UD || ((flags & NP) && c->pp != RVM_PP_NONE))
		ok = false;
	if (d->prefix & RVM_P_LOCK) {
		/* CR8 by LOCK MOV CR0 was checked with the operand */
		if (!(flags & LK) || (d->opnd[0].kind != RVM_K_MEM &&
		     d->op != RVM_OP_MOV_TO_CR && d->op != RVM_OP_MOV_FROM_CR))
			ok = false;
	}
	return ok ? RVM_DECODE_OK : RVM_DECODE_UD;
}

/* Rules of VEX instructions that one cell cannot tell. */
static int special_vex(struct ctx *c)
{
	struct rvm_decoded *d = c->d;
	u32 i, a = d->opnd[0].reg, b = d->index >> 3, m = d->opnd[2].reg;

	switch (d->op) {
	case RVM_OP_GATHER:
		/* destination, index and mask must differ (SDM vol. 2, VGATHERDPS) */
		return a == b || a == m || b == m ? RVM_DECODE_UD : RVM_DECODE_OK;
	case RVM_OP_FMA4:
		if (d->rex & RVM_REX_W) {
			struct rvm_operand o = d->opnd[2];

			d->opnd[2] = d->opnd[3];
			d->opnd[3] = o;
		}
		break;
	case RVM_OP_AMX:
		/* TILERELEASE and TILEZERO have ModRM.rm 0; a product wants three tiles */
		if (d->opcode == 0x49 && d->modrm >> 6 == 3 && (d->modrm & 7))
			return RVM_DECODE_UD;
		for (i = 0; i < 3 && d->opnd[2].kind; i++)
			if (d->opnd[i].reg == d->opnd[(i + 1) % 3].reg)
				return RVM_DECODE_UD;
		break;
	}
	return RVM_DECODE_OK;
}

/* Forms that one cell cannot tell. */
static int special(struct ctx *c)
{
	struct rvm_decoded *d = c->d;

	/* AMD's far pointers in memory have 32 bits at most (APM vol. 3, JMP far) */
	if (d->osize == 8 && !(d->mode & RVM_DEC_INTEL)) {
		if (d->op == RVM_OP_JMPF || d->op == RVM_OP_CALLF)
			d->opnd[0].size = 6;
		else if (d->op == RVM_OP_LFARPTR)
			d->opnd[1].size = 6;
	}
	if (d->map == 0 && d->enc == RVM_ENC_LEGACY) {
		switch (d->opcode) {
		case 0x90:	/* NOP, unless REX.B makes it XCHG R8 */
			if (!(d->rex & RVM_REX_B)) {
				d->op = d->prefix & RVM_P_REP ? RVM_OP_PAUSE : RVM_OP_NOP;
				memset(d->opnd, 0, sizeof(d->opnd));
			}
			break;
		case 0x8e:	/* CS cannot be loaded by MOV */
			if (d->opnd[0].reg == RVM_CS)
				return RVM_DECODE_UD;
			break;
		case 0x8c:	/* a memory operand has 16 bits whatever the prefix */
			if (d->opnd[0].kind == RVM_K_MEM)
				d->opnd[0].size = 2;
			break;
		}
	} else if (d->op == RVM_OP_HRESET) {
		if (d->modrm & 7)
			return RVM_DECODE_UD;
	} else if (d->map == 1 && d->enc == RVM_ENC_LEGACY) {
		switch (d->op) {
		case RVM_OP_SLDT:
		case RVM_OP_STR:
			if (d->opnd[0].kind == RVM_K_MEM)
				d->opnd[0].size = 2;
			break;
		case RVM_OP_PREFETCH:
			if (d->opcode == 0x0d && d->modrm >> 6 == 3 && !(d->mode & RVM_DEC_INTEL))
				return RVM_DECODE_UD;
			break;
		case RVM_OP_SSE4A:	/* EXTRQ with immediates is an opcode of a group */
			if (d->opcode == 0x78 && c->pp == RVM_PP_66 && (d->modrm & 0x38))
				return RVM_DECODE_UD;
			break;
		}
	}
	return RVM_DECODE_OK;
}

static const struct rvm_cell *legacy_cell(struct ctx *c)
{
	struct rvm_decoded *d = c->d;
	const struct rvm_cell *cell;
	u8 op = d->opcode;

	switch (d->map) {
	case 0:
		cell = &rvm_map_1b[op];
		if ((cell->flags & X64) && c->is64)
			cell = &rvm_cell_movsxd;
		return cell;
	case 1:
		cell = &rvm_map_0f[op];
		if (cell->flags & PFX)
			cell = &rvm_pfx_0f[op][c->pp];
		/*
		 * Without a form of its own for F3, 66 or none decides (BSF, BSR
		 * ignore F2; the others have no such form).
		 */
		if (cell->op == RVM_OP_UD && !(cell->flags & GRP) && (op == 0xbc || op == 0xbd))
			cell = &rvm_pfx_0f[op][RVM_PP_NONE];
		return cell;
	case 2:
		/* 66 with F2 is the operand size of CRC32 */
		return &rvm_pfx_0f38[op][c->pp];
	default:
		return &rvm_pfx_0f3a[op][c->pp];
	}
}

static int decode_vex(struct ctx *c, u32 first)
{
	struct rvm_decoded *d = c->d;
	const struct rvm_cell *cell;
	u32 p0, p1;
	int ret;

	p0 = take(&c->r, 1);
	if (first == 0xc5) {
		p1 = p0;
		d->map = 1;
		d->rex = ~p0 >> 5 & RVM_REX_R;
	} else {
		p1 = take(&c->r, 1);
		d->map = p0 & 31;
		d->rex = (~p0 >> 5 & 7) | (p1 & 0x80 ? RVM_REX_W : 0);
	}
	if (!c->is64)
		d->rex &= RVM_REX_W;
	d->enc = RVM_ENC_VEX;
	d->vex = (~p1 >> 3 & 15) | (p1 >> 2 & 1) << 4 | (p1 & 3) << 6;
	c->pp = p1 & 3;
	d->opcode = take(&c->r, 1);
	if (c->r.more)
		return RVM_DECODE_MORE;
	cell = vex_cell(c);
	if (!cell || (cell->op == RVM_OP_UD && !(cell->flags & GRP)))
		return vex_ud(c);
	ret = decode_cell(c, cell);
	return ret == RVM_DECODE_OK ? special_vex(c) : ret;
}

/* Before VEX, EVEX and XOP these are #UD (SDM vol. 2 §2.3.2-2.3.3, APM vol. 3 §1.2.7). */
#define NOT_WITH_VEX	(RVM_P_LOCK | RVM_P_REP | RVM_P_REPNE | RVM_P_OSIZE | RVM_P_REX)

int rvm_insn_decode(const u8 *bytes, u32 n, u32 mode, struct rvm_decoded *d)
{
	struct ctx c = {
		.r = { .p = bytes, .n = n > RVM_INSN_MAX_BYTES ? RVM_INSN_MAX_BYTES : n },
		.d = d,
		.seg_override = 0xff,
		.is64 = (mode & RVM_DEC_SIZE) == RVM_DEC_64,
	};
	bool code16 = (mode & RVM_DEC_SIZE) == RVM_DEC_16, bad = false;
	u32 op, next;
	int ret = RVM_DECODE_UD;

	memset(d, 0, sizeof(*d));
	d->mode = mode;
	d->base = RVM_BASE_NONE;
	d->index = RVM_BASE_NONE;
	d->seg = RVM_DS;

	for (;;) {
		op = take(&c.r, 1);
		if (c.r.more)
			goto truncated;
		switch (op) {
		case 0x26:
		case 0x2e:
		case 0x36:
		case 0x3e:
			d->prefix |= RVM_P_SEG;
			/* in 64-bit mode these four are ignored, and do not undo FS or GS */
			if (!c.is64)
				c.seg_override = op >> 3 & 3;
			break;
		case 0x64:
		case 0x65:
			d->prefix |= RVM_P_SEG;
			c.seg_override = op & 7;
			break;
		case 0x66:
			d->prefix |= RVM_P_OSIZE;
			break;
		case 0x67:
			d->prefix |= RVM_P_ASIZE;
			break;
		case 0xf0:
			d->prefix |= RVM_P_LOCK;
			break;
		case 0xf2:
			d->prefix = (d->prefix & ~RVM_P_REP) | RVM_P_REPNE;
			break;
		case 0xf3:
			d->prefix = (d->prefix & ~RVM_P_REPNE) | RVM_P_REP;
			break;
		default:
			if (c.is64 && (op & 0xf0) == 0x40) {
				d->rex = op & 15;
				d->prefix |= RVM_P_REX;
				continue;
			}
			goto prefixes_done;
		}
		/* REX counts only right before the opcode (SDM vol. 2 §2.2.1) */
		d->rex = 0;
		d->prefix &= ~RVM_P_REX;
	}
prefixes_done:
	c.pp = d->prefix & RVM_P_REP ? RVM_PP_F3 : d->prefix & RVM_P_REPNE ? RVM_PP_F2 :
	       d->prefix & RVM_P_OSIZE ? RVM_PP_66 : RVM_PP_NONE;
	d->vex = c.pp << 6;
	if (c.is64) {
		d->asize = d->prefix & RVM_P_ASIZE ? 4 : 8;
		d->osize = d->rex & RVM_REX_W ? 8 : d->prefix & RVM_P_OSIZE ? 2 : 4;
	} else {
		d->asize = code16 != !!(d->prefix & RVM_P_ASIZE) ? 2 : 4;
		d->osize = code16 != !!(d->prefix & RVM_P_OSIZE) ? 2 : 4;
	}

	d->opcode = op;
	/* In 16 and 32-bit code VEX, EVEX have what would be ModRM.mod = 3. */
	next = c.r.pos < c.r.n ? bytes[c.r.pos] : 0x100;
	if (op == 0xc4 || op == 0xc5 || op == 0x62) {
		if (!c.is64 && next == 0x100) {
			c.r.more = true;
			goto truncated;
		}
		if (c.is64 || next >= 0xc0) {
			bad = d->prefix & NOT_WITH_VEX;
			if (op == 0x62) {
				next = take(&c.r, 1);
				ret = decode_evex(&c, next);
			} else {
				ret = decode_vex(&c, op);
			}
			goto done;
		}
	}
	/* XOP has its map number, at least 8, where POP has ModRM.reg and rm. */
	if (op == 0x8f) {
		if (next == 0x100) {
			c.r.more = true;
			goto truncated;
		}
		if ((next & 31) >= 8) {
			take(&c.r, 1);
			ret = decode_xop(&c, next);
			bad = d->prefix & NOT_WITH_VEX;
			goto done;
		}
	}

	if (op == 0x0f) {
		d->map = 1;
		d->opcode = take(&c.r, 1);
		if (d->opcode == 0x38 || d->opcode == 0x3a) {
			d->map = d->opcode == 0x38 ? 2 : 3;
			d->opcode = take(&c.r, 1);
		}
		if (c.r.more)
			goto truncated;
	}
	if (d->map == 0 && (op & 0xf8) == 0xd8) {
		ret = decode_x87(&c) ? RVM_DECODE_OK : RVM_DECODE_UD;
		if (d->prefix & RVM_P_LOCK)
			ret = RVM_DECODE_UD;
	} else if (d->map == 0 && (op == 0xc6 || op == 0xc7) && next == 0xf8) {
		/* XABORT Ib, XBEGIN Jz */
		set_modrm(&c);
		d->op = RVM_OP_TSX;
		d->opnd[0].kind = op == 0xc6 ? RVM_K_IMM : RVM_K_REL;
		d->opnd[0].size = op == 0xc6 ? 1 : d->osize == 2 ? 2 : 4;
		d->imm = take_signed(&c.r, d->opnd[0].size);
		ret = d->prefix & RVM_P_LOCK ? RVM_DECODE_UD : RVM_DECODE_OK;
	} else {
		ret = decode_cell(&c, legacy_cell(&c));
		if (ret == RVM_DECODE_OK)
			ret = special(&c);
	}
done:
	if (c.seg_override != 0xff)
		d->seg = c.seg_override;
truncated:
	d->len = c.r.pos;
	/* the bytes behind a REX or LOCK like that are not even fetched */
	if (bad && (d->prefix & (RVM_P_LOCK | RVM_P_REX)))
		return RVM_DECODE_UD;
	if (c.r.pos > RVM_INSN_MAX_BYTES)
		return RVM_DECODE_LONG;
	if (c.r.more)
		return c.r.n == RVM_INSN_MAX_BYTES ? RVM_DECODE_LONG : RVM_DECODE_MORE;
	if (d->op >= RVM_OP_X87)
		d->feature = rvm_insn_feature(d);
	return bad ? RVM_DECODE_UD : ret;
}

const char *rvm_op_name(u32 op)
{
	static const char * const names[] = {
#define X(n) #n,
		RVM_OPS(X)
#undef X
	};

	return op < RVM_NR_OPS ? names[op] : "?";
}
