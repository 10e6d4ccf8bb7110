// SPDX-License-Identifier: GPL-2.0
/*
 * All combinations of what decides an instruction's fate, judged by a second
 * reading of the manuals, written in their words and in their order.
 */
#include <stdio.h>
#include <stdlib.h>
#include "system.h"

/* What the model expects: a vector and an error code, or no fault. */
struct verdict {
	int vector;		/* -1: none */
	s64 error;
};

static const struct verdict fine = { -1, -1 };

static struct verdict gp(u32 error)
{
	return (struct verdict){ RVM_GP, error };
}

static void judge(struct verdict v)
{
	if (v.vector < 0)
		want_ok();
	else
		want_fault(v.vector, v.error);
}

struct kind {
	bool s, code, e, w, p;
	u32 dpl;
};

static struct kind kind_of(u32 type, u32 dpl, bool p)
{
	return (struct kind){ .s = type & 16, .code = type & 8, .e = type & 4, .w = type & 2,
			      .p = p, .dpl = dpl };
}

#define ALL_TYPES(type, dpl, p) \
	for (type = 0; type < 32; type++) \
		for (dpl = 0; dpl < 4; dpl++) \
			for (p = 0; p < 2; p++)

/* The descriptor under test: S_TEST in the GDT, or the same place in the LDT. */
static u16 make_desc(u32 type, u32 dpl, u32 p, bool ldt, u32 more)
{
	u16 sel = ldt ? 0x14 : S_TEST;

	set_desc(sel, 0, ~0u, type | A_DPL(dpl) | p << 7 | more);
	return sel;
}

/* SDM vol. 2, MOV: loading a segment register */
static struct verdict model_load(u32 seg, struct kind k, u32 sel, u32 rpl, u32 cpl)
{
	if (seg == RVM_SS) {
		if (rpl != cpl || !k.s || k.code || !k.w || k.dpl != cpl)
			return gp(sel);
		return k.p ? fine : (struct verdict){ RVM_SSF, sel };
	}
	if (!k.s || (k.code && !k.w))
		return gp(sel);
	if ((!k.code || !k.e) && (rpl > k.dpl || cpl > k.dpl))
		return gp(sel);
	return k.p ? fine : (struct verdict){ RVM_NP, sel };
}

static void segment_loads(void)
{
	static const u8 segs[] = { RVM_ES, RVM_SS, RVM_DS, RVM_FS, RVM_GS };
	u32 i, type, dpl, p, rpl, cpl, n;

	for (cpl = 0; cpl < 4; cpl++) {
		machine32(cpl);
		ALL_TYPES(type, dpl, p) {
			for (n = 0; n < 8 * ARRAY_SIZE(segs); n++) {
				struct kind k = kind_of(type, dpl, p);
				struct verdict v;
				char hex[16];
				u16 sel;

				rpl = n & 3;
				i = segs[n / 8];
				sel = make_desc(type, dpl, p, n & 4, 0);
				name("mov %u: type %x dpl %u p %u rpl %u cpl %u", i, type, dpl, p, rpl, cpl);
				cpu->rip = CODE;
				cpu->int_shadow = 0;
				load_seg(i, S_DATA(cpl) | cpl);
				cpu->gpr[RVM_RAX] = sel | rpl;
				snprintf(hex, sizeof(hex), "8e%02x", 0xc0 | i << 3);
				code(hex);
				v = model_load(i, k, sel, rpl, cpl);
				run();
				judge(v);
				if (v.vector < 0) {
					want("sel", cpu->seg[i].sel, sel | rpl);
					want("attr", cpu->seg[i].attr,
					     type | 1 | A_DPL(dpl) | 0x80);
					want("accessed", desc_attr(sel) & 1, 1);
				}
				load_seg(i, S_DATA(cpl) | cpl);
			}
		}
	}
}

/* SDM vol. 2: LAR, LSL, VERR, VERW and their tables of types */
static bool model_peek(u32 op, u32 type, struct kind k, u32 rpl, u32 cpl, bool lng)
{
	bool conforming = k.s && k.code && k.e;

	switch (op) {
	case 0:	/* LAR */
		if (!k.s && !(lng ? type == 2 || type == 9 || type == 11 || type == 12 :
			      (type >= 1 && type <= 5) || type == 9 || type == 11 || type == 12))
			return false;
		break;
	case 1:	/* LSL */
		if (!k.s && !(lng ? type == 2 || type == 9 || type == 11 :
			      (type >= 1 && type <= 3) || type == 9 || type == 11))
			return false;
		break;
	case 2:	/* VERR */
		if (!k.s || (k.code && !k.w))
			return false;
		break;
	default:
		if (!k.s || k.code || !k.w)
			return false;
	}
	return conforming || (cpl <= k.dpl && rpl <= k.dpl);
}

static void selectors(void)
{
	static const char * const hex[] = { "0f02d8", "0f03d8", "0f00e0", "0f00e8" };
	u32 lng, op, type, dpl, p, rpl, cpl;

	for (lng = 0; lng < 2; lng++) {
		for (cpl = 0; cpl < 4; cpl += lng ? 3 : 1) {
			if (lng)
				machine64(cpl);
			else
				machine32(cpl);
			ALL_TYPES(type, dpl, p) {
				for (op = 0; op < 4; op++) {
					for (rpl = 0; rpl < 4; rpl++) {
						struct kind k = kind_of(type, dpl, p);
						bool ok = model_peek(op, type, k, rpl, cpl, lng);

						name("%s: type %x dpl %u rpl %u cpl %u long %u", hex[op],
						     type, dpl, rpl, cpl, lng);
						make_desc(type, dpl, p, false, RVM_SEG_AVL);
						cpu->rip = CODE;
						cpu->gpr[RVM_RAX] = S_TEST | rpl;
						cpu->gpr[RVM_RBX] = 0x77;
						cpu->rflags ^= RVM_FL_ZF;
						code(hex[op]);
						run();
						want_ok();
						want("zf", !!(cpu->rflags & RVM_FL_ZF), ok);
						if (op > 1 || !ok)
							want("ebx", cpu->gpr[RVM_RBX], 0x77);
						else if (op == 0)
							want("ebx", cpu->gpr[RVM_RBX], 0x1f0000 |
							     (type | dpl << 5 | p << 7) << 8);
						else
							want("ebx", cpu->gpr[RVM_RBX], 0xfffff);
					}
				}
			}
		}
	}
	/* a null selector, and one beyond the table, clear ZF */
	machine32(0);
	for (op = 0; op < 4; op++) {
		name("%s: no descriptor", hex[op]);
		cpu->rip = CODE;
		cpu->rflags |= RVM_FL_ZF;
		cpu->gpr[RVM_RAX] = op & 1 ? 3 : 0x1f0;
		code(hex[op]);
		run();
		want("zf", cpu->rflags & RVM_FL_ZF, 0);
		name("%s: in real mode", hex[op]);
		machine_real();
		code(hex[op]);
		run();
		want_fault(RVM_UD, -1);
		machine32(0);
	}
}

/* SDM vol. 2, CALL and JMP: the direct forms */
static struct verdict model_direct(struct kind k, u32 sel, u32 rpl, u32 cpl)
{
	if (!k.s || !k.code)
		return gp(sel);
	if (k.e) {
		if (k.dpl > cpl)
			return gp(sel);
	} else if (rpl > cpl || k.dpl != cpl) {
		return gp(sel);
	}
	return k.p ? fine : (struct verdict){ RVM_NP, sel };
}

/* RET and IRET: CS of the return */
static struct verdict model_return(struct kind k, u32 sel, u32 rpl, u32 cpl)
{
	if (!k.s || !k.code || rpl < cpl)
		return gp(sel);
	if (k.e ? k.dpl > rpl : k.dpl != rpl)
		return gp(sel);
	return k.p ? fine : (struct verdict){ RVM_NP, sel };
}

static void far_direct(void)
{
	u32 type, dpl, p, rpl, cpl, call;

	for (cpl = 0; cpl < 4; cpl++) {
		ALL_TYPES(type, dpl, p) {
			/* gates and TSSs have cases of their own */
			if (type == 1 || type == 9 || type == 4 || type == 5 || type == 12)
				continue;
			for (rpl = 0; rpl < 4; rpl++) {
				for (call = 0; call < 2; call++) {
					struct verdict v = model_direct(kind_of(type, dpl, p), S_TEST,
									rpl, cpl);
					char hex[16];

					name("far %s: type %x dpl %u p %u rpl %u cpl %u",
					     call ? "call" : "jmp", type, dpl, p, rpl, cpl);
					machine32(cpl);
					make_desc(type, dpl, p, false, A_32);
					snprintf(hex, sizeof(hex), "%s00900000%02x00",
						 call ? "9a" : "ea", S_TEST | rpl);
					code(hex);
					run();
					judge(v);
					if (v.vector < 0) {
						want("cs", cpu->seg[RVM_CS].sel, S_TEST | cpl);
						want("rip", cpu->rip, TARGET);
						want("cpl", cpu->cpl, cpl);
						want("accessed", desc_attr(S_TEST) & 1, 1);
					}
				}
			}
		}
	}
}

static void far_return(void)
{
	u32 type, dpl, p, rpl, cpl, iret;

	for (cpl = 0; cpl < 4; cpl++) {
		ALL_TYPES(type, dpl, p) {
			for (rpl = 0; rpl < 4; rpl++) {
				for (iret = 0; iret < 2; iret++) {
					struct verdict v = model_return(kind_of(type, dpl, p), S_TEST,
									rpl, cpl);
					u32 sp = STACK0 - 64, n = 0;

					name("%s: type %x dpl %u p %u rpl %u cpl %u",
					     iret ? "iret" : "retf", type, dpl, p, rpl, cpl);
					machine32(cpl);
					make_desc(type, dpl, p, false, A_32);
					put(sp, TARGET, 4);
					put(sp + 4, S_TEST | rpl, 4);
					if (iret)
						put(sp + 4 * ++n + 4, 0x3202, 4);
					put(sp + 4 * n + 8, STACK3 - 8, 4);
					put(sp + 4 * n + 12, S_DATA(rpl) | rpl, 4);
					cpu->gpr[RVM_RSP] = sp;
					code(iret ? "cf" : "cb");
					run();
					judge(v);
					if (v.vector < 0) {
						want("cs", cpu->seg[RVM_CS].sel, S_TEST | rpl);
						want("cpl", cpu->cpl, rpl);
						want("esp", cpu->gpr[RVM_RSP], rpl == cpl ?
						     sp + 8 + 4 * iret : STACK3 - 8);
						want("ss", cpu->seg[RVM_SS].sel, S_DATA(rpl) | rpl);
						want("ds", cpu->seg[RVM_DS].sel,
						     rpl == cpl ? S_DATA(cpl) | cpl : 0);
						if (iret)
							want("eflags", cpu->rflags,
							     2 | (cpl ? 0 : 0x3200));
					}
				}
			}
		}
	}
}

/* SDM vol. 2, INT n: the gate, then the code segment */
static void gates_of_idt(void)
{
	u32 type, dpl, p, cpl, soft;

	for (cpl = 0; cpl < 4; cpl++) {
		ALL_TYPES(type, dpl, p) {
			for (soft = 0; soft < 2; soft++) {
				struct verdict v = fine;
				u32 err = 0x202 + !soft;

				if (type == 5)
					continue;	/* tasks have cases of their own */
				if (type != 6 && type != 7 && type != 14 && type != 15)
					v = gp(err);
				else if (soft && dpl < cpl)
					v = gp(err);
				else if (!p)
					v = (struct verdict){ RVM_NP, err };
				name("idt gate: type %x dpl %u p %u cpl %u soft %u", type, dpl, p, cpl,
				     soft);
				machine32(cpl);
				set_idt(0x40, S_CODE(0), TARGET, type | dpl << 5 | p << 7);
				code("cd40");
				cpu->rflags |= RVM_FL_IF;
				if (soft)
					run();
				else
					deliver(0x40, false, 0, true);
				judge(v);
				if (v.vector < 0) {
					want("cpl", cpu->cpl, 0);
					want("if", cpu->rflags & RVM_FL_IF, type & 1 ? RVM_FL_IF : 0);
					want("esp", cpu->gpr[RVM_RSP],
					     STACK0 - (cpl ? 5 : 3) * (type & 8 ? 4 : 2));
				}
			}
		}
	}
}

static void handlers(void)
{
	u32 type, dpl, p, cpl;

	for (cpl = 0; cpl < 4; cpl++) {
		ALL_TYPES(type, dpl, p) {
			struct kind k = kind_of(type, dpl, p);
			struct verdict v = fine;
			u32 to = k.e ? cpl : dpl;

			if (!k.s || !k.code || dpl > cpl)
				v = gp(S_TEST);
			else if (!p)
				v = (struct verdict){ RVM_NP, S_TEST };
			name("handler: type %x dpl %u p %u cpl %u", type, dpl, p, cpl);
			machine32(cpl);
			make_desc(type, dpl, p, false, A_32);
			set_idt(0x40, S_TEST | 3, TARGET, 0xee);
			code("cd40");
			run();
			judge(v);
			if (v.vector < 0) {
				want("cs", cpu->seg[RVM_CS].sel, S_TEST | to);
				want("cpl", cpu->cpl, to);
				want("ss", cpu->seg[RVM_SS].sel, S_DATA(to) | to);
				want("esp", cpu->gpr[RVM_RSP],
				     STACK0 + to * 0x1000 - (to == cpl ? 12 : 20));
			}
		}
	}
}

/* ---- flags ---- */

enum { M_REAL, M_PROT, M_V86 };

static void machine_of(u32 mode, u32 cpl, u32 iopl, u64 cr4)
{
	if (mode == M_REAL)
		machine_real();
	else if (mode == M_PROT)
		machine32(cpl);
	else
		machine_v86(iopl, 0);
	cpu->cr4 = cr4;
	cpu->rflags = (cpu->rflags & ~RVM_FL_IOPL) | (u64)iopl << 12;
	if (mode == M_V86 || mode == M_REAL)
		cpu->gpr[RVM_RSP] = STACK1;
}

#define OTHER	(RVM_FL_CF | RVM_FL_PF | RVM_FL_AF | RVM_FL_ZF | RVM_FL_SF | RVM_FL_TF | \
		 RVM_FL_DF | RVM_FL_OF | RVM_FL_NT)

/* SDM vol. 2, POPF: the table of flags and modes */
static bool model_popf(u32 mode, u32 cpl, u64 cr4, u32 size, u64 image, u64 *fl)
{
	u64 now = *fl, take;
	u32 iopl = now >> 12 & 3;

	if (mode == M_V86 && iopl < 3) {
		if (!(cr4 & RVM_CR4_VME) || size == 4)
			return false;
		if ((image & RVM_FL_TF) || ((image & RVM_FL_IF) && (now & RVM_FL_VIP)))
			return false;
		take = OTHER;
		*fl = (now & ~(take | RVM_FL_VIF | RVM_FL_RF)) | (image & take) |
		      (image & RVM_FL_IF ? RVM_FL_VIF : 0);
		return true;
	}
	take = OTHER;
	if (mode == M_REAL || (mode == M_PROT && cpl == 0))
		take |= RVM_FL_IOPL;
	if (mode == M_REAL || (mode == M_PROT && cpl <= iopl) || mode == M_V86)
		take |= RVM_FL_IF;
	if (size == 4)
		take |= RVM_FL_AC | RVM_FL_ID;
	*fl = (now & ~(take | RVM_FL_RF)) | (image & take);
	return true;
}

/* IRET's flags, same ring: SDM vol. 2, IRET; real mode, protected mode, V86 mode */
static bool model_iret(u32 mode, u32 cpl, u64 cr4, u32 size, u64 image, u64 *fl)
{
	u64 now = *fl, take = OTHER;
	u32 iopl = now >> 12 & 3;

	if (mode == M_V86 && iopl < 3) {
		if (!model_popf(mode, cpl, cr4, size, image, fl))
			return false;
		return true;
	}
	if (mode == M_REAL) {
		take |= RVM_FL_IF | RVM_FL_IOPL;
		if (size == 4)
			take |= RVM_FL_RF | RVM_FL_AC | RVM_FL_ID;
	} else if (mode == M_V86) {
		take |= RVM_FL_IF;
		if (size == 4)
			take |= RVM_FL_RF | RVM_FL_AC | RVM_FL_ID;
	} else {
		if (size == 4)
			take |= RVM_FL_RF | RVM_FL_AC | RVM_FL_ID;
		if (cpl <= iopl)
			take |= RVM_FL_IF;
		if (cpl == 0) {
			take |= RVM_FL_IOPL;
			if (size == 4)
				take |= RVM_FL_VIF | RVM_FL_VIP;
		}
	}
	if (size == 2)
		image &= 0xffff;
	*fl = (now & ~(take | RVM_FL_RF)) | (image & take);
	return true;
}

static void flags(void)
{
	u64 s = 12345, n;
	u32 mode, cpl, iopl;

	for (n = 0; n < 40000; n++) {
		u64 cr4 = rnd(&s) & (RVM_CR4_VME | RVM_CR4_PVI), image = rnd(&s), fl, want_fl;
		u32 size = rnd(&s) & 1 ? 2 : 4, op = rnd(&s) % 5;
		bool ok = true, code16;

		mode = rnd(&s) % 3;
		cpl = mode == M_REAL ? 0 : mode == M_V86 ? 3 : rnd(&s) & 3;
		iopl = rnd(&s) & 3;
		machine_of(mode, cpl, iopl, cr4);
		code16 = mode != M_PROT;
		/* VM in an image of ring 0 leads to V86 mode: another case */
		image &= 0xffffffff & ~(op == 4 ? RVM_FL_VM : 0);
		cpu->rflags |= rnd(&s) & (OTHER | RVM_FL_IF | RVM_FL_AC | RVM_FL_ID | RVM_FL_VIF |
					  RVM_FL_VIP | RVM_FL_RF);
		if (op == 4)
			cpu->rflags &= ~RVM_FL_NT;
		fl = want_fl = cpu->rflags;
		name("op %u mode %u cpl %u iopl %u cr4 %llx size %u image %llx flags %llx", op, mode,
		     cpl, iopl, (unsigned long long)cr4, size, (unsigned long long)image,
		     (unsigned long long)fl);
		switch (op) {
		case 0:		/* POPF */
			code(code16 == (size == 4) ? "669d" : "9d");
			put(cpu->gpr[RVM_RSP], image, 4);
			ok = model_popf(mode, cpl, cr4, size, image, &want_fl);
			break;
		case 1: {	/* PUSHF */
			u64 push = fl & ~(RVM_FL_VM | RVM_FL_RF);
			u32 sp = cpu->gpr[RVM_RSP] - size;

			code(code16 == (size == 4) ? "669c" : "9c");
			if (mode == M_V86 && iopl < 3) {
				ok = (cr4 & RVM_CR4_VME) && size == 2;
				push = (push & ~RVM_FL_IF) | RVM_FL_IOPL |
				       (fl & RVM_FL_VIF ? RVM_FL_IF : 0);
			}
			want_fl &= ~RVM_FL_RF;
			run();
			if (!ok) {
				want_fault(RVM_GP, 0);
			} else {
				want_ok();
				want("pushed", get(sp, size), size == 2 ? push & 0xffff : push);
				want("eflags", cpu->rflags, want_fl);
			}
			continue;
		}
		case 2:		/* CLI */
		case 3: {	/* STI */
			u64 bit = 0;

			/* SDM vol. 2, tables of CLI and STI */
			code(op == 2 ? "fa" : "fb");
			if (mode == M_REAL)
				bit = RVM_FL_IF;
			else if (mode == M_V86)
				bit = iopl == 3 ? RVM_FL_IF : cr4 & RVM_CR4_VME ? RVM_FL_VIF : 0;
			else if (iopl >= cpl)
				bit = RVM_FL_IF;
			else if (cpl == 3 && (cr4 & RVM_CR4_PVI))
				bit = RVM_FL_VIF;
			ok = bit && !(op == 3 && bit == RVM_FL_VIF && (fl & RVM_FL_VIP));
			want_fl = (op == 2 ? fl & ~bit : fl | bit) & ~RVM_FL_RF;
			break;
		}
		default:	/* IRET, same ring */
			code(code16 == (size == 4) ? "66cf" : "cf");
			put(cpu->gpr[RVM_RSP], TARGET & 0xffff, size);
			put(cpu->gpr[RVM_RSP] + size, mode == M_PROT ? S_CODE(cpl) | cpl : 0, size);
			put(cpu->gpr[RVM_RSP] + 2 * size, image, size);
			ok = model_iret(mode, cpl, cr4, size, image, &want_fl);
		}
		run();
		if (!ok) {
			want_fault(RVM_GP, 0);
			continue;
		}
		want_ok();
		want("eflags", cpu->rflags, want_fl);
	}
}

/* ---- the opcode maps ---- */

/*
 * Every opcode of every map, with the prefixes and the ModRM bytes that choose
 * between instructions: none may be without an execute function.  What is
 * refused is named here, and in docs/interp.md.
 */
static bool may_be_refused(u32 op)
{
	switch (op) {
	/* no unit is attached in this test: selftests/insn/unit */
	case RVM_OP_X87: case RVM_OP_FWAIT: case RVM_OP_FXSAVE: case RVM_OP_FXRSTOR:
	case RVM_OP_XSAVE: case RVM_OP_XRSTOR: case RVM_OP_LDMXCSR: case RVM_OP_STMXCSR:
	case RVM_OP_MMX: case RVM_OP_EMMS: case RVM_OP_SSE: case RVM_OP_SSE4A:
	case RVM_OP_MASKMOV: case RVM_OP_AVX: case RVM_OP_GATHER: case RVM_OP_OPMASK:
	case RVM_OP_EVEX:
		return true;
	}
	return false;
}

static u64 reached[RVM_NR_OPS];

/* Everything points at data; what the instructions store there is of no interest. */
static struct rvm_cpu opcode_machine(u32 mode)
{
	u32 i;

	if (mode == RVM_DEC_64)
		machine64(0);
	else
		machine32(0);
	for (i = 0; i < 16; i++)
		if (i != RVM_RSP)
			cpu->gpr[i] = DATA;
	cpu->gpr[RVM_RCX] = 1;
	cpu->cr4 |= RVM_CR4_OSXSAVE | RVM_CR4_OSFXSR | RVM_CR4_FSGSBASE | RVM_CR4_PKE;
	cpu->xcr0 = 7;
	return *cpu;
}

static void one_opcode(const struct rvm_cpu *start, u32 mode, const u8 *bytes, u32 n)
{
	struct rvm_decoded d;

	if (rvm_insn_decode(bytes, n, mode, &d) != RVM_DECODE_OK)
		return;
	reached[d.op]++;
	*cpu = *start;
	memcpy(ram + CODE, bytes, n);
	checks++;
	if (rvm_insn_step(&w.insn) == RVM_INSN_UNHANDLED && !may_be_refused(d.op)) {
		name("%s", rvm_op_name(d.op));
		fail("refused: %02x %02x %02x %02x: %s", bytes[0], bytes[1], bytes[2], bytes[3],
		     w.insn.reason);
	}
}

static void opcode_maps(void)
{
	static const u8 prefixes[] = { 0, 0x66, 0xf3, 0xf2 };
	static const u8 escapes[4][2] = { { 0 }, { 0x0f }, { 0x0f, 0x38 }, { 0x0f, 0x3a } };
	u32 mode, map, pfx, op, modrm, w64;
	struct rvm_cpu start;

	for (mode = RVM_DEC_32; mode <= RVM_DEC_64; mode++) {
		start = opcode_machine(mode);
		for (map = 0; map < 4; map++) {
			for (pfx = 0; pfx < 4; pfx++) {
				for (op = 0; op < 256; op++) {
					for (modrm = 0; modrm < 256; modrm++) {
						u8 b[15] = { 0 };
						u32 n = 0;

						/* one base register, one ModRM.rm, but for 0F 01 */
						if ((modrm & 0xc7) != 3 && (modrm & 0xc7) != 0xc0 &&
						    !(modrm >= 0xc0 && map == 1 && op == 1))
							continue;
						w64 = mode == RVM_DEC_64 && (modrm & 8);
						if (prefixes[pfx])
							b[n++] = prefixes[pfx];
						if (w64)
							b[n++] = 0x48;
						if (escapes[map][0])
							b[n++] = escapes[map][0];
						if (escapes[map][1])
							b[n++] = escapes[map][1];
						b[n++] = op;
						b[n++] = modrm;
						one_opcode(&start, mode | RVM_DEC_INTEL, b, 15);
					}
				}
			}
		}
	}
	for (op = 0; op < RVM_NR_OPS; op++) {
		switch (op) {
		case RVM_OP_UD:		/* no instruction */
		case RVM_OP_EVEX: case RVM_OP_XOP: case RVM_OP_FMA4: case RVM_OP_AMX: case RVM_OP_OPMASK: case RVM_OP_GATHER:
		case RVM_OP_AVX: case RVM_OP_ANDN: case RVM_OP_BEXTR: case RVM_OP_BLSR:
		case RVM_OP_BLSMSK: case RVM_OP_BLSI: case RVM_OP_BZHI: case RVM_OP_PDEP:
		case RVM_OP_PEXT: case RVM_OP_MULX: case RVM_OP_RORX: case RVM_OP_SARX:
		case RVM_OP_SHLX: case RVM_OP_SHRX:	/* behind VEX, EVEX, XOP */
		case RVM_OP_LWP: case RVM_OP_MPX:	/* XOP; NOPs */
			continue;
		}
		checks++;
		if (!reached[op]) {
			name("%s", rvm_op_name(op));
			fail("no opcode leads there");
		}
	}
}

const struct test model_tests[] = {
	TEST(segment_loads), TEST(selectors), TEST(far_direct), TEST(far_return),
	TEST(gates_of_idt), TEST(handlers), TEST(flags), TEST(opcode_maps), { NULL, NULL },
};
