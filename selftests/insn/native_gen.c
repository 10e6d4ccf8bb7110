// SPDX-License-Identifier: GPL-2.0
/* Random instructions with random state: everything from one 64-bit key. */
#include "native.h"

static u64 gen;		/* the generator's state */

static u64 draw(void)
{
	return rnd(&gen);
}

/* Instructions that leave user mode, or whose result is not the CPU's alone. */
bool excluded(const struct rvm_decoded *d)
{
	switch (d->op) {
	case RVM_OP_SYSCALL:
	/* the hypervisor's: VMCB.EFER.SVME is set, and #DB of INT1 comes back as a fault */
	case RVM_OP_HYPERCALL: case RVM_OP_RDPMC: case RVM_OP_SVM: case RVM_OP_INT1:
	/* UMIP's: the kernel emulates them */
	case RVM_OP_SGDT: case RVM_OP_SIDT: case RVM_OP_SLDT: case RVM_OP_STR: case RVM_OP_SMSW:
	/* random, or of extensions that no guest is offered */
	case RVM_OP_RDRAND: case RVM_OP_RDSEED: case RVM_OP_RDPRU: case RVM_OP_WAITPKG:
	case RVM_OP_SERIALIZE: case RVM_OP_TSX: case RVM_OP_CLZERO: case RVM_OP_MOVDIRI:
	case RVM_OP_MOVDIR64B: case RVM_OP_ENQCMD: case RVM_OP_SNP: case RVM_OP_CET:
	case RVM_OP_MPX: case RVM_OP_PTWRITE: case RVM_OP_KEYLOCKER: case RVM_OP_AMX:
	case RVM_OP_HRESET: case RVM_OP_MCOMMIT: case RVM_OP_UINTR: case RVM_OP_SGX: case RVM_OP_SMX: case RVM_OP_LWP:
	case RVM_OP_MONITOR: case RVM_OP_MWAIT: case RVM_OP_RDPKRU: case RVM_OP_WRPKRU:
	/* CR0.MP and TS: the kernel's */
	case RVM_OP_FWAIT:
		return true;
	case RVM_OP_INT:
		/* the kernel's 32-bit system call */
		return d->imm == 0x80;
	case RVM_OP_LOOPE:
	case RVM_OP_LOOPNE:
		/*
		 * AMD's CPUs (seen on family 1Ah) let F3 make LOOPE of LOOPNE,
		 * and F2 the reverse: no manual has it.
		 */
		return d->prefix & (RVM_P_REPNE | RVM_P_REP);
	default:
		/* the floating-point and vector units have a test of their own */
		return d->op >= RVM_OP_X87;
	}
}

static bool by_rows(const struct row *r)
{
	struct rvm_decoded d = { .op = r->op };

	return !excluded(&d);
}

static u64 small_or_big(void)
{
	u64 r = draw();

	switch (r & 7) {
	case 0:
		return r >> 60;
	case 1:
		return (s64)(s8)(r >> 32);
	case 2:
		return r >> 32;
	case 3:
		return 1ull << (r >> 58);
	case 4:
		return ~(1ull << (r >> 58));
	case 5:
		return (s64)(s32)(r >> 32);
	default:
		return draw();
	}
}

static u64 data_target(u32 size)
{
	u64 r = draw();

	switch (r & 15) {
	case 0:		/* across the two pages */
		return DATA + 0x1000 - (r >> 32 & 15);
	case 1:		/* across the border to the read-only page */
		return DATA + RW_LEN - (r >> 32 & 15);
	case 2:		/* across the end */
		return DATA + DATA_LEN - (r >> 32 & 15);
	case 3:
		return DATA + (r >> 32) % DATA_LEN;
	case 4:		/* code, or the canonical border, or the end of the address space */
		switch (r >> 8 & 7) {
		case 0:
			return 0x800000000000ull - (r >> 32 & 15);
		case 1:
			return 0xffff800000000000ull - (r >> 32 & 15);
		case 2:
			return CODE + (r >> 32 & 0x3f);
		case 3:
			return NOEXEC + (r >> 32) % NOEXEC_LEN;
		}
		/* fall through */
	default:
		return DATA + (((r >> 32) % (RW_LEN - 64)) & ~(u64)(size - 1));
	}
}

static u16 pick_seg(void)
{
	static const u16 segs[] = {
		USER_DS, USER_DS, USER_DS, USER_DS, LDT(L_DATA16), LDT(L_DATA32), LDT(L_DOWN32),
		LDT(L_RO), LDT(L_DOWN16), LDT(L_CODE32), LDT(L_PAGES), LDT(L_XONLY), 0,
	};
	u16 sel = segs[draw() % ARRAY_SIZE(segs)];

	/* an execute-only segment cannot be loaded */
	return sel == LDT(L_XONLY) ? USER_DS : sel;
}

void seg_of(struct rvm_seg *s, u16 sel)
{
	memset(s, 0, sizeof(*s));
	s->sel = sel;
	if (!sel) {
		s->attr = RVM_SEG_UNUSABLE;
	} else if (sel & 4) {
		s->base = ldt[sel >> 3].base;
		s->limit = ldt[sel >> 3].limit;
		s->attr = ldt[sel >> 3].attr;
		if (s->attr & RVM_SEG_G)
			s->limit = s->limit << 12 | 0xfff;
	} else {
		s->limit = 0xffffffff;
		s->attr = RVM_SEG_P | RVM_SEG_S | RVM_SEG_DPL | RVM_SEG_A | RVM_SEG_W | RVM_SEG_G |
			  (sel == USER_DS ? RVM_SEG_DB : RVM_SEG_CODE) |
			  (sel == USER32_CS ? RVM_SEG_DB : 0) | (sel == USER_CS ? RVM_SEG_L : 0);
	}
}

void load_cpu(const struct tcase *t)
{
	struct rvm_cpu *c = &w.cpu;

	memcpy(c->gpr, t->gpr, sizeof(c->gpr));
	c->rip = t->rip;
	c->rflags = t->rflags;
	seg_of(&c->seg[RVM_CS], t->cs);
	seg_of(&c->seg[RVM_SS], t->ss);
	seg_of(&c->seg[RVM_DS], t->ds);
	seg_of(&c->seg[RVM_ES], t->es);
	seg_of(&c->seg[RVM_FS], t->fs);
	seg_of(&c->seg[RVM_GS], t->gs);
	if (t->mode == RVM_DEC_64) {
		c->seg[RVM_FS].base = t->fs_base;
		c->seg[RVM_GS].base = t->gs_base;
	}
}

/* Base of a segment as an address computation sees it. */
static u64 seg_base(u32 seg)
{
	if (rvm_is_64bit(&w.cpu) && seg < RVM_FS)
		return 0;
	return w.cpu.seg[seg].base;
}

/* ---- bytes ---- */

/* Bytes drawn from the opcode map at large. */
static void gen_wild(u8 *b, u32 mode)
{
	u32 n = row_prefixes(b, mode, &gen);
	u64 r = draw();

	switch (r >> 24 & 7) {
	case 0:
	case 1:
		b[n++] = 0x0f;
		break;
	case 2:
		b[n++] = 0x0f;
		b[n++] = 0x38;
		if (r & 3)
			b[n] = 0xf0 | (b[n] & 15);
		break;
	case 3:		/* VEX: BMI */
		b[n++] = 0xc4;
		b[n] = (b[n] & 0xe0) | (r >> 29 & 1 ? 2 : 3);
		if (mode != RVM_DEC_64)
			b[n] |= 0xc0;
		n++;
		b[n++] &= ~4;
		b[n] = (r >> 29 & 1) ? 0xf0 | (b[n] & 7) : 0xf0;
		break;
	}
	/* often the same operations: groups */
	if ((r >> 40 & 15) == 0) {
		static const u8 fav[] = { 0xc0, 0xc1, 0xd0, 0xd1, 0xd2, 0xd3, 0xf6, 0xf7, 0xfe,
					  0xff, 0x80, 0x81, 0x83, 0x6b, 0x69 };

		b[n] = fav[(r >> 44) % ARRAY_SIZE(fav)];
	}
}

/* Of all that the CPU executes in user mode; all draws come from the key. */
static int gen_bytes(u8 *b, u32 mode, struct rvm_decoded *d, int only_row, bool *undefined)
{
	u32 i, tries;
	int rc;

	for (tries = 0; tries < 200; tries++) {
		for (i = 0; i < RVM_INSN_MAX; i++)
			b[i] = draw() >> 40;
		if (only_row >= 0) {
			row_bytes(b, mode, &rows[only_row], &gen);
		} else if (draw() & 0x100) {
			const struct row *r = &rows[draw() % nr_rows];

			if (!by_rows(r))
				continue;
			row_bytes(b, mode, r, &gen);
		} else {
			gen_wild(b, mode);
		}
		rc = rvm_insn_decode(b, RVM_INSN_MAX, mode | (w.insn.intel ? RVM_DEC_INTEL : 0), d);
		if (rc == RVM_DECODE_OK && excluded(d))
			continue;
		/* too long, or #UD: some of them */
		if (rc && (draw() & 7))
			continue;
		*undefined = rc;
		return 0;
	}
	return -1;
}

/* ---- operands ---- */

static bool string_op(u32 op)
{
	return op >= RVM_OP_MOVS && op <= RVM_OP_OUTS;
}

/* @have, a displacement of four bytes, becomes @want. */
static bool patch(u8 *b, u32 len, u32 have, u32 want)
{
	u32 i;

	for (i = 1; i + 4 <= len; i++)
		if (!memcmp(b + i, &have, 4)) {
			memcpy(b + i, &want, 4);
			return true;
		}
	return false;
}

/* Make memory operands of the first instruction meet the data area, mostly. */
static void aim(struct tcase *t)
{
	const struct rvm_decoded *d = &t->d;
	u64 r = draw(), target, ea;
	u32 i, size = 1;

	t->gpr[RVM_RSP] = data_target(8) - seg_base(RVM_SS);
	if ((r & 3) == 0)
		t->gpr[RVM_RBP] = data_target(8) - seg_base(RVM_SS);
	if (string_op(d->op) || d->op == RVM_OP_XLAT) {
		t->gpr[RVM_RSI] = data_target(8) - seg_base(d->seg);
		t->gpr[RVM_RDI] = data_target(8) - seg_base(RVM_ES);
		t->gpr[RVM_RBX] = data_target(8) - seg_base(d->seg);
		if ((r >> 4 & 15) != 0) {
			u32 bits = d->asize == 2 ? 16 : d->asize == 4 ? 32 : 64;

			t->gpr[RVM_RCX] = (r >> 8 & 15) |
					  (bits < 64 ? small_or_big() << bits : 0);
		}
		return;
	}
	for (i = 0; i < RVM_NR_OPERANDS; i++)
		if (d->opnd[i].kind == RVM_K_MEM && d->opnd[i].size)
			size = d->opnd[i].size;
	if (!rvm_is_mem_operand(d) || (r >> 4 & 31) == 0)
		return;
	target = data_target(size > 8 ? 16 : size & (size - 1) ? 1 : size) - seg_base(d->seg);
	memcpy(w.cpu.gpr, t->gpr, sizeof(t->gpr));
	ea = rvm_ea(&w.insn, d);
	if (d->base < RVM_BASE_RIP) {
		t->gpr[d->base >> 3] += target - ea;
	} else if (d->index != RVM_BASE_NONE && !d->scale) {
		t->gpr[d->index >> 3] += target - ea;
	} else {
		patch(t->bytes, d->len, d->disp, d->disp + (target - ea));
		rvm_insn_decode(t->bytes, RVM_INSN_MAX, d->mode, &t->d);
	}
}

/* Selectors that a program can come by: usable, of other rings, of no descriptor. */
static u16 random_selector(void)
{
	static const u16 sels[] = {
		USER32_CS, USER_DS, USER_CS, LDT(L_CODE16), LDT(L_CODE32), LDT(L_DATA16),
		LDT(L_DATA32), LDT(L_DOWN32), LDT(L_RO), LDT(L_DOWN16), LDT(L_CODE16L),
		LDT(L_CODE32L), LDT(L_XONLY), LDT(L_PAGES), LDT(L_NOT_PRESENT),
		LDT(L_CONFORMING),
	};
	u64 r = draw();

	switch (r & 15) {
	case 0:
		return r >> 16 & 3;		/* null */
	case 1:
		return (r >> 16) % 15 * 8 + (r >> 32 & 7);
	case 2:
		return r >> 16 | 0x80;		/* beyond the tables */
	case 3:
		return sels[(r >> 16) % ARRAY_SIZE(sels)] & ~(r >> 32 & 3);
	default:
		return sels[(r >> 16) % ARRAY_SIZE(sels)];
	}
}

static void plant_stack(struct tcase *t, u32 slot, u64 val)
{
	u64 sp = t->gpr[RVM_RSP];

	if (t->mode != RVM_DEC_64)
		sp = w.cpu.seg[RVM_SS].attr & RVM_SEG_DB ? (u32)sp : (u16)sp;
	plant(seg_base(RVM_SS) + sp + slot * t->d.osize, &val, t->d.osize);
}

/* An offset to jump to: in the code, or nearly. */
static u64 code_target(u16 sel)
{
	u64 r = draw(), off;

	switch (r & 15) {
	case 0:
		return small_or_big();
	case 1:
		off = CODE_LEN - (r >> 32 & 15);
		break;
	case 2:
		off = NOEXEC - CODE - (r >> 32 & 15);
		break;
	default:
		off = 0x100 + (r >> 32 & 0x1ff);
	}
	return off + ((sel & 4) ? 0 : CODE);
}

/* Operands of the instructions that load selectors or jump through memory. */
static void aim_targets(struct tcase *t)
{
	const struct rvm_decoded *d = &t->d;
	u64 r = draw(), gla, off;
	u16 sel = random_selector();

	switch (d->op) {
	case RVM_OP_MOV_TO_SREG: case RVM_OP_LAR: case RVM_OP_LSL: case RVM_OP_VERR:
	case RVM_OP_VERW: case RVM_OP_JMPF: case RVM_OP_CALLF: case RVM_OP_LFARPTR:
		off = code_target(sel);
		break;
	case RVM_OP_JMP: case RVM_OP_CALL:
		off = code_target(t->cs);
		if (d->opnd[0].kind == RVM_K_REG) {
			load_cpu(t);
			rvm_reg_write(&w.cpu, d->opnd[0].reg, d->opnd[0].size, off);
			t->gpr[d->opnd[0].reg >> 3] = w.cpu.gpr[d->opnd[0].reg >> 3];
			return;
		}
		if (d->opnd[0].kind != RVM_K_MEM)
			return;
		load_cpu(t);
		plant(seg_base(d->seg) + rvm_ea(&w.insn, d), &off, d->opnd[0].size);
		return;
	case RVM_OP_POP_SREG:
		plant_stack(t, 0, sel);
		return;
	case RVM_OP_RET:
		plant_stack(t, 0, code_target(t->cs));
		return;
	case RVM_OP_RETF: case RVM_OP_IRET:
		plant_stack(t, 0, code_target(sel));
		plant_stack(t, 1, sel);
		if (d->op == RVM_OP_RETF)
			return;
		plant_stack(t, 2, (small_or_big() & 0x1dcd5) | RVM_FL_FIXED | RVM_FL_IF);
		plant_stack(t, 3, small_or_big());
		plant_stack(t, 4, random_selector());
		return;
	case RVM_OP_POPF:
		plant_stack(t, 0, small_or_big());
		return;
	default:
		return;
	}
	load_cpu(t);
	gla = seg_base(d->seg) + rvm_ea(&w.insn, d);
	if (d->op == RVM_OP_JMPF || d->op == RVM_OP_CALLF || d->op == RVM_OP_LFARPTR) {
		u32 n = d->opnd[d->op == RVM_OP_LFARPTR].size - 2;

		if (d->opnd[0].kind == RVM_K_FAR) {
			/* the immediate's selector is its last two bytes */
			memcpy(t->bytes + d->len - 2, &sel, 2);
			if (r & 7)
				memcpy(t->bytes + d->len - 2 - n, &off, n);
			rvm_insn_decode(t->bytes, RVM_INSN_MAX, d->mode, &t->d);
			return;
		}
		plant(gla, &off, n);
		plant(gla + n, &sel, 2);
	} else if (rvm_is_mem_operand(d)) {
		plant(gla, &sel, 2);
	} else {
		u32 n = d->opnd[1].kind == RVM_K_REG;

		rvm_reg_write(&w.cpu, d->opnd[n].reg, 2, sel);
		t->gpr[d->opnd[n].reg >> 3] = w.cpu.gpr[d->opnd[n].reg >> 3];
	}
}

/* Where the code lies: mostly in the middle of a page. */
static u64 code_place(u32 len)
{
	u64 r = draw();

	switch (r & 31) {
	case 0:		/* across a page, the end of the shorter segments too */
		return CODE + 0x1000 - (r >> 32) % (len + 2);
	case 1:		/* nothing behind it */
		return CODE + CODE_LEN - (r >> 32) % (len + 2);
	case 2:		/* not executable behind it */
		return NOEXEC - (r >> 32) % (len + 2);
	default:
		return CODE + 0x100;
	}
}

bool gen_case(struct tcase *t, u64 key, int only_mode, int only_row)
{
	static const u16 stacks[] = { USER_DS, LDT(L_DATA16), LDT(L_DATA32), LDT(L_DOWN32),
				      LDT(L_DOWN16), LDT(L_PAGES) };
	u32 i;
	u64 r;

	gen = key * 0x9e3779b97f4a7c15ull | 1;
	for (i = 0; i < 4; i++)
		draw();
	r = draw();
	memset(t, 0, sizeof(*t));
	t->key = key;
	t->mode = only_mode >= 0 ? (u32)only_mode : (r >> 8) % 4 == 0 ? RVM_DEC_16 :
		  (r >> 8) % 4 == 1 ? RVM_DEC_32 : RVM_DEC_64;
	/* half of the cases are one instruction */
	t->seq = r >> 40 & 1 ? 1 : 2 + (r >> 42) % (MAX_SEQ - 1);
	if (r >> 16 & 1)
		t->steps = t->seq == 1 ? 1 : 1 + (r >> 48) % t->seq;
	if (gen_bytes(t->bytes, t->mode, &t->d, only_row, &t->undefined))
		return false;
	t->len = t->undefined ? RVM_INSN_MAX : t->d.len;
	t->at = code_place(t->len);

	t->cs = USER_CS;
	t->ss = t->ds = t->es = USER_DS;
	t->rip = t->at;
	if (t->mode == RVM_DEC_64) {
		t->fs_base = DATA + 0x800;
		t->gs_base = DATA;
	} else {
		static const u16 codes[2][4] = {
			{ LDT(L_CODE16), LDT(L_CODE16), LDT(L_CODE16L), LDT(L_CODE16L) },
			{ USER32_CS, USER32_CS, LDT(L_CODE32), LDT(L_CODE32L) },
		};

		t->cs = codes[t->mode == RVM_DEC_32][r >> 17 & 3];
		if (t->cs != USER32_CS)
			t->rip -= CODE;
		t->ss = stacks[(r >> 20) % ARRAY_SIZE(stacks)];
		t->ds = pick_seg();
		t->es = pick_seg();
		t->fs = pick_seg();
		t->gs = pick_seg();
		if (t->mode == RVM_DEC_16 && (r >> 32 & 3))
			t->ds = t->es = t->ss = LDT(L_DATA16);
		/* beyond its limit nothing of the first instruction can be fetched */
		if (t->cs != USER32_CS && t->rip > ldt[t->cs >> 3].limit)
			return false;
	}
	for (i = 0; i < 16; i++) {
		t->gpr[i] = small_or_big();
		/* in sequences more of them are pointers */
		if (t->seq > 1 && i >= RVM_RBX && (draw() & 3))
			t->gpr[i] = data_target(8);
		if (t->mode != RVM_DEC_64)
			t->gpr[i] = (u32)t->gpr[i];
	}
	r = draw();
	t->rflags = RVM_FL_FIXED | RVM_FL_IF | (r & RVM_FL_ARITH);
	if ((r >> 20 & 3) == 0)
		t->rflags |= RVM_FL_DF;
	if ((r >> 22 & 15) == 0)
		t->rflags |= RVM_FL_AC;
	if ((r >> 26 & 15) == 0)
		t->rflags |= RVM_FL_ID;
	if ((r >> 30 & 31) == 0)
		t->rflags |= RVM_FL_NT;
	if (t->steps)
		t->rflags |= RVM_FL_TF;
	load_cpu(t);
	/* for the stack instructions rSP is aimed too, then the operand */
	if (!t->undefined) {
		aim(t);
		if (t->mode != RVM_DEC_64)
			for (i = 0; i < 16; i++)
				t->gpr[i] = i < 8 ? (u32)t->gpr[i] : 0;
		aim_targets(t);
	}
	plant(t->at, t->bytes, t->len);
	t->nr = 1;
	load_cpu(t);
	return true;
}

u32 gen_next(struct tcase *t, u8 *b)
{
	u32 mode = rvm_insn_mode(&w.insn);
	struct rvm_decoded d;
	bool undefined;

	if (gen_bytes(b, mode & RVM_DEC_SIZE, &d, -1, &undefined))
		return 0;
	if (undefined)
		return RVM_INSN_MAX;
	if (rvm_is_mem_operand(&d) && (draw() & 15) && !string_op(d.op)) {
		u64 target = data_target(8) - seg_base(d.seg), ea = rvm_ea(&w.insn, &d);

		if (patch(b, d.len, d.disp, d.disp + (target - ea)))
			rvm_insn_decode(b, RVM_INSN_MAX, d.mode, &d);
		/* a displacement patched may have been an opcode byte */
		if (excluded(&d))
			return 0;
	}
	return d.len;
}
