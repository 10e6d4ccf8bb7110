// SPDX-License-Identifier: GPL-2.0
/*
 * The decoder compared with two others, libZydis and libcapstone: every opcode
 * of every map, with every ModRM, under each prefix, in 16, 32 and 64-bit
 * code; VEX, EVEX and XOP with every field; and random bytes.
 *
 * Compared with Zydis: whether the instruction is defined, its length, its
 * name, and its operands: registers, memory operands with segment, base,
 * index, scale, displacement and size, immediates, and the sizes of operands
 * and addresses.  Compared with capstone: definedness and length; it is asked
 * where the first two differ in these, and is on our side or not.
 *
 * A difference from Zydis is listed in explained[] with the manual's word for
 * our side.  One that is not listed is a failure, and so is an entry that no
 * difference used.
 *
 *   decode_cmp [-a] [-n random strings] [-s seed] [-v]     -a: all prefixes with all ModRM bytes
 */
#include <Zydis/Zydis.h>
#include <capstone/capstone.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../../module/cpu/state.h"
#include "rows.h"
#include "world.h"

/* WE_UD: we say #UD and Zydis does not; WE_OK: the reverse */
enum { WE_UD = 1, WE_OK = 2, LENGTH = 4, NAME = 8, OPERANDS = 16 };

/**
 * struct diff - one difference
 * @mode: RVM_DEC_*
 * @map: as rvm_decoded.map, 0x80 added for VEX
 * @capstone: 0 if capstone agrees with us about definedness and length
 * @what: for OPERANDS, which part
 */
struct diff {
	u32 mode, kind;
	u8 map;
	bool intel;
	int capstone;
	const char *what;
	const u8 *bytes;
	const struct rvm_decoded *d;
	const ZydisDecodedInstruction *z;
	const ZydisDecodedOperand *zo;
};

struct explained {
	const char *why;
	bool (*is)(const struct diff *f);
	u64 hits;
};

#include "decode_explained.h"

/* Differences of one shape, for the report. */
struct shape {
	u32 kind, mode, map, opcode, reg, op, mnemonic;
	const char *what;
	int capstone;
	u64 n;
};

#define MAX_SHAPES	4000

static bool all, verbose;
static u64 compared, agreed, explained_hits, failures, arbiter_for_us;
static u64 per_encoding[4];
static csh cs[3];
static cs_insn *cs_one[3];
static ZydisDecoder zd[3][2];
static struct shape shapes[MAX_SHAPES];
static u32 nr_shapes;
static u64 seed = 1;

/* ---- names ---- */

static bool begins(const char *s, const char *with)
{
	return !strncmp(s, with, strlen(with));
}

/* Our names are fewer: forms of one instruction share theirs. */
static bool same_name(const struct rvm_decoded *d, const ZydisDecodedInstruction *z)
{
	static const struct { u16 op; const char *names; } others[] = {
		{ RVM_OP_MOV, " mov movabs " },
		{ RVM_OP_MOVSX, " movsx movsxd " }, { RVM_OP_IMUL2, " imul " },
		{ RVM_OP_CBW, " cbw cwde cdqe " }, { RVM_OP_CWD, " cwd cdq cqo " },
		{ RVM_OP_MOVS, " movsb movsw movsd movsq " },
		{ RVM_OP_CMPS, " cmpsb cmpsw cmpsd cmpsq " },
		{ RVM_OP_STOS, " stosb stosw stosd stosq " },
		{ RVM_OP_LODS, " lodsb lodsw lodsd lodsq " },
		{ RVM_OP_SCAS, " scasb scasw scasd scasq " },
		{ RVM_OP_INS, " insb insw insd " }, { RVM_OP_OUTS, " outsb outsw outsd " },
		{ RVM_OP_JCXZ, " jcxz jecxz jrcxz " },
		{ RVM_OP_PUSHA, " pusha pushad " }, { RVM_OP_POPA, " popa popad " },
		{ RVM_OP_PUSHF, " pushf pushfd pushfq " }, { RVM_OP_POPF, " popf popfd popfq " },
		{ RVM_OP_IRET, " iret iretd iretq " }, { RVM_OP_JMPF, " jmp " },
		{ RVM_OP_CALLF, " call " }, { RVM_OP_RETF, " ret " },
		{ RVM_OP_CMPXCHG8B, " cmpxchg8b cmpxchg16b " },
		{ RVM_OP_MOV_FROM_SREG, " mov " }, { RVM_OP_MOV_TO_SREG, " mov " },
		{ RVM_OP_PUSH_SREG, " push " }, { RVM_OP_POP_SREG, " pop " },
		{ RVM_OP_LFARPTR, " lds les lss lfs lgs " },
		{ RVM_OP_MOV_FROM_CR, " mov " }, { RVM_OP_MOV_TO_CR, " mov " },
		{ RVM_OP_MOV_FROM_DR, " mov " }, { RVM_OP_MOV_TO_DR, " mov " },
		{ RVM_OP_RDFSBASE, " rdfsbase rdgsbase " },
		{ RVM_OP_WRFSBASE, " wrfsbase wrgsbase " },
		{ RVM_OP_LDMXCSR, " ldmxcsr vldmxcsr " }, { RVM_OP_STMXCSR, " stmxcsr vstmxcsr " },
		{ RVM_OP_XLAT, " xlat " }, { RVM_OP_SAL, " shl " },
		{ RVM_OP_WBINVD, " wbinvd wbnoinvd " },
		{ RVM_OP_FENCE, " lfence mfence sfence " },
		{ RVM_OP_CLFLUSH, " clflush clflushopt clwb " },
		{ RVM_OP_HYPERCALL, " vmcall vmmcall " },
		{ RVM_OP_MONITOR, " monitor monitorx " }, { RVM_OP_MWAIT, " mwait mwaitx " },
		{ RVM_OP_ENQCMD, " enqcmd enqcmds " },
		{ RVM_OP_WAITPKG, " umonitor umwait tpause " },
		{ RVM_OP_MPX, " bndmov bndcl bndcu bndcn bndmk bndldx bndstx " },
		{ RVM_OP_CET, " rstorssp saveprevssp setssbsy clrssbsy incsspd incsspq rdsspd rdsspq wrssd wrssq wrussd wrussq endbr32 endbr64 " },
		{ RVM_OP_TSX, " xbegin xabort xend xtest xsusldtrk xresldtrk " },
		{ RVM_OP_SGX, " encls enclu enclv pconfig " },
		{ RVM_OP_SMX, " getsec " }, { RVM_OP_PTWRITE, " ptwrite " },
		{ RVM_OP_VMX, " vmlaunch vmresume vmxoff vmxon vmclear vmptrld vmptrst vmread vmwrite invept invvpid vmfunc tdcall seamret seamops seamcall " },
		{ RVM_OP_SVM, " vmrun vmload vmsave stgi clgi skinit invlpga " },
		{ RVM_OP_SNP, " psmash pvalidate rmpadjust rmpupdate invlpgb tlbsync " },
		{ RVM_OP_UINTR, " clui stui testui uiret senduipi " },
		{ RVM_OP_FXSAVE, " fxsave fxsave64 " }, { RVM_OP_FXRSTOR, " fxrstor fxrstor64 " },
		{ RVM_OP_XSAVE, " xsave xsave64 xsaveopt xsaveopt64 xsavec xsavec64 xsaves xsaves64 " },
		{ RVM_OP_XRSTOR, " xrstor xrstor64 xrstors xrstors64 " },
		{ RVM_OP_MASKMOV, " maskmovq maskmovdqu vmaskmovdqu vmaskmovps vmaskmovpd vpmaskmovd vpmaskmovq " },
		{ RVM_OP_SSE4A, " extrq insertq movntsd movntss " },
		{ RVM_OP_FWAIT, " fwait " }, { RVM_OP_LWP, " llwpcb slwpcb lwpins lwpval " },
		{ RVM_OP_EMMS, " emms vzeroupper vzeroall " },
		{ RVM_OP_KEYLOCKER, " encodekey128 encodekey256 aesenc128kl aesenc256kl aesdec128kl aesdec256kl aesencwide128kl aesencwide256kl aesdecwide128kl aesdecwide256kl loadiwkey " },
	};
	const char *name = ZydisMnemonicGetString(z->mnemonic), *ours = rvm_op_name(d->op), *ext;
	char spaced[40], low[40];
	u32 i;

	snprintf(spaced, sizeof(spaced), " %s ", name);
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (others[i].op == d->op)
			return strstr(others[i].names, spaced);
	for (i = 0; ours[i] && i < sizeof(low) - 1; i++)
		low[i] = ours[i] >= 'A' && ours[i] <= 'Z' ? ours[i] + 32 : ours[i];
	low[i] = 0;
	ext = ZydisISAExtGetString(z->meta.isa_ext);
	switch (d->op) {
	case RVM_OP_JCC:
		return name[0] == 'j' && strcmp(name, "jmp");
	case RVM_OP_CMOV:
		return begins(name, "cmov");
	case RVM_OP_SETCC:
		return begins(name, "set");
	case RVM_OP_NOP:	/* and the hints, of instructions that were NOPs */
		return !strcmp(name, "nop") || begins(name, "endbr") || begins(name, "rdssp") ||
		       begins(name, "cldemote") || z->meta.category == ZYDIS_CATEGORY_WIDENOP;
	case RVM_OP_PREFETCH:
		return begins(name, "prefetch") || !strcmp(name, "nop");
	case RVM_OP_X87:
		return begins(ext, "X87") || begins(ext, "SSE3");
	case RVM_OP_3DNOW:
		return z->encoding == ZYDIS_INSTRUCTION_ENCODING_3DNOW || !strcmp(name, "femms");
	case RVM_OP_MMX:
		return strstr(" MMX SSE SSE2 SSSE3 3DNOW ", ext);
	case RVM_OP_SSE:
		return begins(ext, "SSE") || begins(ext, "SSSE3") || begins(ext, "AES") ||
		       begins(ext, "SHA") || begins(ext, "PCLMUL") || begins(ext, "GFNI");
	case RVM_OP_AVX:
		return z->encoding == ZYDIS_INSTRUCTION_ENCODING_VEX &&
		       (begins(ext, "AVX") || begins(ext, "FMA") || begins(ext, "F16C") ||
			begins(ext, "VAES") || begins(ext, "VPCLMUL") || begins(ext, "GFNI") ||
			begins(ext, "AES"));
	case RVM_OP_GATHER:
		return begins(ext, "AVX2GATHER");
	case RVM_OP_OPMASK:
		return begins(ext, "AVX512VEX");
	case RVM_OP_FMA4:
		return begins(ext, "FMA4") || begins(ext, "XOP");
	case RVM_OP_AMX:
		return begins(ext, "AMX");
	case RVM_OP_EVEX:
		return z->encoding == ZYDIS_INSTRUCTION_ENCODING_EVEX;
	case RVM_OP_XOP:
		return z->encoding == ZYDIS_INSTRUCTION_ENCODING_XOP;
	default:
		return !strcmp(low, name);
	}
}

/* ---- operands ---- */

/* General register as a byte offset in gpr[], and its size; -1 for none. */
static int gpr_off(ZydisRegister r, u32 *size)
{
	if (r == ZYDIS_REGISTER_NONE)
		return -1;
	switch (ZydisRegisterGetClass(r)) {
	case ZYDIS_REGCLASS_GPR8:
		*size = 1;
		if (r >= ZYDIS_REGISTER_AH && r <= ZYDIS_REGISTER_BH)
			return (r - ZYDIS_REGISTER_AH) * 8 + 1;
		if (r >= ZYDIS_REGISTER_AL && r <= ZYDIS_REGISTER_BL)
			return (r - ZYDIS_REGISTER_AL) * 8;
		return (r - ZYDIS_REGISTER_SPL + 4) * 8;
	case ZYDIS_REGCLASS_GPR16:
		*size = 2;
		return (r - ZYDIS_REGISTER_AX) * 8;
	case ZYDIS_REGCLASS_GPR32:
		*size = 4;
		return (r - ZYDIS_REGISTER_EAX) * 8;
	case ZYDIS_REGCLASS_GPR64:
		*size = 8;
		return (r - ZYDIS_REGISTER_RAX) * 8;
	case ZYDIS_REGCLASS_IP:
		return RVM_BASE_RIP;
	default:
		return -1;
	}
}

static const char *compare_memory(const struct rvm_decoded *d, const struct rvm_operand *o,
				  const ZydisDecodedOperand *z)
{
	u32 size;
	int base = gpr_off(z->mem.base, &size), index = gpr_off(z->mem.index, &size);
	u64 disp = z->mem.disp.has_displacement ? (u64)z->mem.disp.value : 0, mask;
	u32 scale = z->mem.scale;

	if (z->type != ZYDIS_OPERAND_TYPE_MEMORY)
		return "memory";
	/* a vector of indices: its number is what counts */
	if (z->mem.type == ZYDIS_MEMOP_TYPE_VSIB)
		index = ZydisRegisterGetId(z->mem.index) * 8;
	if (d->base != (base < 0 ? RVM_BASE_NONE : base))
		return "base";
	if (d->index != (index < 0 ? RVM_BASE_NONE : index) &&
	    z->mem.type != ZYDIS_MEMOP_TYPE_MIB)
		return "index";
	if (index >= 0 && scale != 1u << d->scale)
		return "scale";
	mask = d->asize == 8 ? ~0ull : d->asize == 4 ? 0xffffffff : 0xffff;
	if ((d->disp ^ disp) & mask)
		return "displacement";
	if (z->mem.type == ZYDIS_MEMOP_TYPE_AGEN)
		return o->size ? "size of nothing" : NULL;
	if (ZydisRegisterGetId(z->mem.segment) != d->seg)
		return "segment";
	if (o->size && z->size != o->size * 8u)
		return "memory size";
	return NULL;
}

static const char *compare_operand(const struct rvm_decoded *d, const struct rvm_operand *o,
				   const ZydisDecodedOperand *z)
{
	ZydisRegister r = z->type == ZYDIS_OPERAND_TYPE_REGISTER ? z->reg.value :
			  ZYDIS_REGISTER_NONE;
	ZydisRegisterClass class = ZydisRegisterGetClass(r);
	u64 mask = o->size >= 8 || !o->size ? ~0ull : ~0ull >> (64 - 8 * o->size);
	u32 size = 0;
	int off;

	switch (o->kind) {
	case RVM_K_REG:
		off = gpr_off(r, &size);
		if (off != o->reg)
			return "register";
		return size != o->size ? "register size" : NULL;
	case RVM_K_MEM:
		return compare_memory(d, o, z);
	case RVM_K_STR_SRC:
		off = gpr_off(z->mem.base, &size);
		if (off != RVM_RSI * 8 || ZydisRegisterGetId(z->mem.segment) != d->seg)
			return "source";
		return size != d->asize || z->size != o->size * 8u ? "source size" : NULL;
	case RVM_K_STR_DST:
		off = gpr_off(z->mem.base, &size);
		if (off != RVM_RDI * 8 || z->mem.segment != ZYDIS_REGISTER_ES)
			return "destination";
		return size != d->asize || z->size != o->size * 8u ? "destination size" : NULL;
	case RVM_K_ONE:
		return z->type != ZYDIS_OPERAND_TYPE_IMMEDIATE || z->imm.value.u != 1 ? "one" : NULL;
	case RVM_K_IMM:
	case RVM_K_REL:
		if (z->type != ZYDIS_OPERAND_TYPE_IMMEDIATE ||
		    z->imm.is_relative != (o->kind == RVM_K_REL))
			return "immediate";
		/* the extension of a signed one reaches to the size of the destination */
		if (z->imm.is_signed || o->kind == RVM_K_REL) {
			size = d->opnd[1].kind != RVM_K_NONE ? d->opnd[0].size : d->osize;
			mask = size == 8 ? ~0ull : ~0ull >> (64 - 8 * size);
		}
		return (z->imm.value.u ^ d->imm) & mask ? "immediate value" : NULL;
	case RVM_K_IMM2:
		if (z->type != ZYDIS_OPERAND_TYPE_IMMEDIATE)
			return "second immediate";
		return z->imm.value.u != d->imm2 ? "second immediate value" : NULL;
	case RVM_K_FAR:
		if (z->type != ZYDIS_OPERAND_TYPE_POINTER)
			return "far pointer";
		return z->ptr.segment != d->imm2 || z->ptr.offset != (u32)d->imm ?
		       "far pointer value" : NULL;
	case RVM_K_SREG:
		return class != ZYDIS_REGCLASS_SEGMENT || ZydisRegisterGetId(r) != o->reg ?
		       "segment register" : NULL;
	case RVM_K_CR:
		return class != ZYDIS_REGCLASS_CONTROL || ZydisRegisterGetId(r) != o->reg ?
		       "control register" : NULL;
	case RVM_K_DR:
		return class != ZYDIS_REGCLASS_DEBUG || ZydisRegisterGetId(r) != o->reg ?
		       "debug register" : NULL;
	case RVM_K_MM:
		return class != ZYDIS_REGCLASS_MMX || ZydisRegisterGetId(r) != o->reg ?
		       "MMX register" : NULL;
	case RVM_K_XMM:
		if (class != ZYDIS_REGCLASS_XMM && class != ZYDIS_REGCLASS_YMM)
			return "vector register";
		if (o->size >= 16 && (class == ZYDIS_REGCLASS_YMM) != (o->size == 32))
			return "vector register size";
		return ZydisRegisterGetId(r) != o->reg ? "vector register number" : NULL;
	case RVM_K_ST:
		return class != ZYDIS_REGCLASS_X87 ? "x87 register" : NULL;
	case RVM_K_TMM:
		return class != ZYDIS_REGCLASS_TMM || ZydisRegisterGetId(r) != o->reg ?
		       "tile register" : NULL;
	case RVM_K_MASK:
		return class != ZYDIS_REGCLASS_MASK || ZydisRegisterGetId(r) != o->reg ?
		       "opmask register" : NULL;
	default:
		return "operand of no kind";
	}
}

static u32 operands_of(const struct rvm_decoded *d)
{
	u32 n = 0;

	while (n < RVM_NR_OPERANDS && d->opnd[n].kind != RVM_K_NONE)
		n++;
	return n;
}

/* Instructions whose operand size shows in no operand. */
static bool size_matters(u32 op)
{
	switch (op) {
	case RVM_OP_PUSH: case RVM_OP_POP: case RVM_OP_PUSHA: case RVM_OP_POPA:
	case RVM_OP_PUSHF: case RVM_OP_POPF: case RVM_OP_ENTER: case RVM_OP_LEAVE:
	case RVM_OP_CALL: case RVM_OP_RET: case RVM_OP_CALLF: case RVM_OP_JMPF:
	case RVM_OP_RETF: case RVM_OP_IRET: case RVM_OP_CBW: case RVM_OP_CWD:
	case RVM_OP_PUSH_SREG: case RVM_OP_POP_SREG:
		return true;
	default:
		return false;
	}
}

/* Instructions with an address, though in no operand. */
static bool address_matters(const struct rvm_decoded *d)
{
	switch (d->op) {
	case RVM_OP_XLAT: case RVM_OP_LOOP: case RVM_OP_LOOPE: case RVM_OP_LOOPNE:
	case RVM_OP_JCXZ: case RVM_OP_MASKMOV: case RVM_OP_CLZERO: case RVM_OP_MONITOR:
		return true;
	default:
		return rvm_is_mem_operand(d) || (d->op >= RVM_OP_MOVS && d->op <= RVM_OP_OUTS);
	}
}

/* Part that differs, or NULL. */
static const char *compare_operands(const struct rvm_decoded *d, const ZydisDecodedInstruction *z,
				    const ZydisDecodedOperand *zo)
{
	u32 n = operands_of(d), i, zn = z->operand_count_visible, first = 0;

	if (d->asize * 8 != z->address_width && address_matters(d))
		return "address size";
	if (size_matters(d->op) && d->osize * 8 != z->operand_width)
		return "operand size";
	switch (d->op) {
	case RVM_OP_X87:
		/* the one operand that is not ST(0) by name */
		for (i = 0; i < zn; i++)
			if (zo[i].type == ZYDIS_OPERAND_TYPE_MEMORY)
				return d->opnd[0].kind != RVM_K_MEM ? "memory" :
				       compare_memory(d, &d->opnd[0], &zo[i]);
		return d->opnd[0].kind == RVM_K_MEM ? "memory" : NULL;
	case RVM_OP_EVEX:
	case RVM_OP_XOP:
	case RVM_OP_NOP:
	case RVM_OP_PREFETCH:
		/* ModRM by its length, no operands but memory */
		return NULL;
	}
	/* what we list none of is told by the name alone */
	if (!n && zn)
		return NULL;
	/* ES:[rDI] and seg:[rSI] are none that Zydis would show */
	if (d->op >= RVM_OP_MOVS && d->op <= RVM_OP_OUTS)
		zn = n;
	/* the destination is a source as well, and the segment register is in the name */
	if (d->op == RVM_OP_IMUL2 && d->map == 1)
		zo--;
	first = d->op == RVM_OP_IMUL2 && d->map == 1;
	if (first)
		zn++;
	if (n && (d->op == RVM_OP_LFARPTR || d->op == RVM_OP_3DNOW))
		n--;
	/* VPERMIL2 has a fifth, in the immediate with the fourth */
	if (d->op == RVM_OP_FMA4 && d->opcode <= 0x49)
		zn--;
	if (n != zn)
		return "number of operands";
	for (i = first; i < n; i++) {
		const char *what = compare_operand(d, &d->opnd[i], &zo[i]);

		if (what)
			return what;
	}
	return NULL;
}

/* ---- comparison ---- */

static void count_shape(const struct diff *f)
{
	u32 m = f->kind == WE_OK ? 0 : f->z->mnemonic, i;
	struct shape *s = shapes;

	for (i = 0; i < nr_shapes; i++, s++)
		if (s->kind == f->kind && s->mode == f->mode && s->map == f->map &&
		    s->opcode == f->d->opcode && s->reg == (f->d->modrm >> 3 & 7u) &&
		    s->mnemonic == m && s->op == f->d->op && s->capstone == f->capstone &&
		    s->what == f->what)
			break;
	if (i == MAX_SHAPES)
		return;
	if (i == nr_shapes) {
		*s = (struct shape){ f->kind, f->mode, f->map, f->d->opcode, f->d->modrm >> 3 & 7,
				     f->d->op, m, f->what, f->capstone, 0 };
		nr_shapes++;
	}
	if (s->n++ < (verbose ? 3 : 1) && nr_shapes < 400) {
		printf("# %u-bit%s map %x opcode %02x:", 16 << f->mode, f->intel ? "" : " AMD",
		       f->map, f->d->opcode);
		for (i = 0; i < 12; i++)
			printf(" %02x", f->bytes[i]);
		printf("  ours: %s%s len %u  zydis: %s len %u  capstone %s us  %s\n",
		       f->kind == WE_UD ? "#UD " : "", rvm_op_name(f->d->op), f->d->len,
		       f->kind == WE_OK ? "#UD" : ZydisMnemonicGetString(f->z->mnemonic),
		       f->kind == WE_OK ? 0 : f->z->length, f->capstone ? "against" : "with",
		       f->what ? f->what : "");
	}
}

static void compare(u32 mode, const u8 *bytes, bool intel)
{
	struct rvm_decoded d;
	ZydisDecodedInstruction z;
	ZydisDecodedOperand zo[ZYDIS_MAX_OPERAND_COUNT];
	struct diff f = { .mode = mode, .bytes = bytes, .d = &d, .z = &z, .zo = zo,
			  .intel = intel };
	bool zok;
	u32 i;
	int rc;

	rc = rvm_insn_decode(bytes, RVM_INSN_MAX_BYTES, mode | (intel ? RVM_DEC_INTEL : 0), &d);
	zok = ZYAN_SUCCESS(ZydisDecoderDecodeFull(&zd[mode][!intel], bytes, RVM_INSN_MAX_BYTES, &z,
						  zo));
	compared++;
	per_encoding[d.enc]++;
	if (rc && zok)
		f.kind = WE_UD;
	else if (!rc && !zok)
		f.kind = WE_OK;
	else if (!rc && d.len != z.length)
		f.kind = LENGTH;
	else if (!rc && !same_name(&d, &z))
		f.kind = NAME;
	else if (!rc) {
		f.what = compare_operands(&d, &z, zo);
		f.kind = f.what ? OPERANDS : 0;
	}
	if (!f.kind) {
		agreed++;
		return;
	}
	f.map = d.map | (d.enc ? 0x80 : 0);
	if (f.kind <= LENGTH) {
		const u8 *p = bytes;
		size_t left = RVM_INSN_MAX_BYTES;
		u64 at = 0;
		bool cok = cs_disasm_iter(cs[mode], &p, &left, &at, cs_one[mode]);

		f.capstone = rc ? cok : !cok || cs_one[mode]->size != d.len;
		arbiter_for_us += !f.capstone;
	}
	for (i = 0; i < sizeof(explained) / sizeof(explained[0]); i++)
		if (explained[i].is(&f)) {
			explained[i].hits++;
			explained_hits++;
			return;
		}
	failures++;
	count_shape(&f);
}

/* Both vendors' rules where they differ. */
static void both(u32 mode, const u8 *bytes)
{
	compare(mode, bytes, true);
	compare(mode, bytes, false);
}

static const u8 some[] = {
	0x00, 0x04, 0x05, 0x06, 0x0d, 0x14, 0x1c, 0x25, 0x2e, 0x34, 0x3d, 0x45, 0x4c, 0x54, 0x5e,
	0x66, 0x6c, 0x75, 0x7c, 0x84, 0x8d, 0x94, 0x9e, 0xa4, 0xae, 0xb5, 0xbe, 0xc0, 0xc9, 0xd2,
	0xdb, 0xe4, 0xed, 0xf6, 0xff,
};

static void legacy(void)
{
	enum { MALL = 7, M64 = 4 };
	static const struct { u8 n, b[4], modes; } prefixes[] = {
		{ 0, { 0 }, MALL }, { 1, { 0x66 }, MALL }, { 1, { 0xf3 }, MALL },
		{ 1, { 0xf2 }, MALL }, { 1, { 0x67 }, MALL }, { 1, { 0xf0 }, MALL },
		{ 2, { 0x66, 0xf2 }, MALL }, { 2, { 0x66, 0xf3 }, MALL },
		{ 1, { 0x64 }, MALL }, { 1, { 0x2e }, MALL }, { 1, { 0x36 }, MALL },
		{ 2, { 0xf0, 0xf2 }, MALL }, { 2, { 0xf0, 0x66 }, MALL },
		{ 2, { 0xf2, 0xf3 }, MALL }, { 2, { 0xf3, 0xf2 }, MALL },
		{ 2, { 0x66, 0x67 }, MALL }, { 2, { 0x65, 0x3e }, MALL },
		{ 1, { 0x48 }, M64 }, { 1, { 0x41 }, M64 }, { 1, { 0x47 }, M64 },
		{ 2, { 0x66, 0x48 }, M64 }, { 2, { 0xf3, 0x48 }, M64 }, { 2, { 0xf2, 0x48 }, M64 },
		{ 2, { 0xf3, 0x41 }, M64 }, { 2, { 0x48, 0x66 }, M64 }, { 2, { 0x67, 0x4f }, M64 }, { 2, { 0xf0, 0x48 }, M64 },
	};
	static const u8 map_bytes[4][3] = { { 0 }, { 1, 0x0f }, { 2, 0x0f, 0x38 }, { 2, 0x0f, 0x3a } };
	u32 mode, map, op, p, m, i;

	for (mode = 0; mode < 3; mode++)
	for (p = 0; p < ARRAY_SIZE(prefixes); p++) {
		if (!(prefixes[p].modes >> mode & 1))
			continue;
		for (map = 0; map < 4; map++)
		for (op = 0; op < 256; op++) {
			/* where ModRM.rm belongs to the opcode, all of it */
			bool full = all || p == 0 || (map == 1 && (op == 0x01 || op == 0xae));

			for (m = 0; m < (full ? 256 : ARRAY_SIZE(some)); m++) {
				u8 b[RVM_INSN_MAX_BYTES] = { 0 };
				u32 n = prefixes[p].n;

				memcpy(b, prefixes[p].b, n);
				memcpy(b + n, map_bytes[map] + 1, map_bytes[map][0]);
				n += map_bytes[map][0];
				b[n++] = op;
				b[n++] = full ? m : some[m];
				for (i = n; i < sizeof(b); i++)
					b[i] = i * 37 + op + m * 5;
				/* prefixes and escapes have their own rounds */
				if (map == 0 && (op == 0x0f || op == 0x26 || op == 0x2e ||
				    op == 0x36 || op == 0x3e || (op >= 0x64 && op <= 0x67) ||
				    op == 0xf0 || op == 0xf2 || op == 0xf3 ||
				    (mode == 2 && (op & 0xf0) == 0x40)))
					continue;
				if (map == 1 && (op == 0x38 || op == 0x3a))
					continue;
				both(mode, b);
			}
		}
	}
}

/* 3DNow!: the opcode is the last byte. */
static void amd_3dnow(void)
{
	u32 mode, op, m;

	for (mode = 0; mode < 3; mode++)
	for (op = 0; op < 256; op++)
	for (m = 0; m < 2; m++) {
		u8 b[RVM_INSN_MAX_BYTES] = { 0x0f, 0x0f, m ? 0xca : 0x07, op, 1, 2, 3 };

		both(mode, b);
	}
}

/* VEX of two and three bytes: map, W, L, pp; vvvv unused, used, and in the upper half. */
static void vex(void)
{
	static const u8 vvvv[] = { 0x78, 0x50, 0x20 };
	u32 mode, map, op, x, v, m, i, rxb;

	for (mode = 0; mode < 3; mode++)
	for (map = 0; map < 32; map++)
	for (op = 0; op < 256; op++)
	for (x = 0; x < 16; x++)
	for (v = 0; v < ARRAY_SIZE(vvvv); v++)
	for (m = 0; m < (all ? 256 : ARRAY_SIZE(some)); m++) {
		u8 b[RVM_INSN_MAX_BYTES] = { 0xc4 };

		/* only one of these maps is empty for a reason */
		if (map > 7 && (m > 1 || x || v))
			continue;
		rxb = mode == 2 && v == 2 ? 0x40 : mode == 2 && v == 1 ? 0xa0 : 0xe0;
		b[1] = rxb | map;
		b[2] = (x & 7) | (x & 8 ? 0x80 : 0) | vvvv[v];
		b[3] = op;
		b[4] = all ? m : some[m];
		for (i = 5; i < sizeof(b); i++)
			b[i] = i * 37 + op + m * 5;
		both(mode, b);
		if (map == 1 && !(x & 8)) {
			u8 c[RVM_INSN_MAX_BYTES] = { 0xc5, b[2] | (v == 1 && mode == 2 ? 0 : 0x80) };

			memcpy(c + 2, b + 3, sizeof(c) - 3);
			both(mode, c);
		}
	}
}

/* EVEX: map, pp, W, L'L, b, z, aaa, and the bits that are fixed. */
static void evex(void)
{
	u32 mode, map, op, x, m, i;
	u64 s = seed;

	for (mode = 0; mode < 3; mode++)
	for (map = 0; map < 8; map++)
	for (op = 0; op < 256; op++)
	for (x = 0; x < (all ? 512 : 64); x++)
	for (m = 0; m < 4; m++) {
		static const u8 modrms[] = { 0x05, 0x44, 0x8d, 0xc1 };
		u8 b[RVM_INSN_MAX_BYTES] = { 0x62 };
		u64 r = rnd(&s);

		b[1] = 0xf0 | map;
		if (mode == 2 && (r & 7) == 0)
			b[1] = (r >> 8 & 0xf0) | map;
		b[2] = 0x7c | (x & 3) | (x & 4 ? 0x80 : 0);
		b[3] = (x >> 3 & 7) << 5 | 8;
		if ((r >> 16 & 3) == 0)
			b[3] = r >> 24;
		if ((r >> 18 & 3) == 0)
			b[2] = (b[2] & 0x87) | (r >> 32 & 0x78);
		b[4] = op;
		b[5] = modrms[m];
		for (i = 6; i < sizeof(b); i++)
			b[i] = i * 37 + op + m * 5;
		both(mode, b);
	}
}

static void xop(void)
{
	u32 mode, map, op, x, m, i;

	for (mode = 0; mode < 3; mode++)
	for (map = 8; map < 32; map++)
	for (op = 0; op < 256; op++)
	for (x = 0; x < 16; x++)
	for (m = 0; m < ARRAY_SIZE(some); m++) {
		u8 b[RVM_INSN_MAX_BYTES] = { 0x8f, 0xe0 | map };

		if (map > 10 && (x || m > 2))
			continue;
		b[2] = (x & 7) | (x & 8 ? 0x80 : 0) | (m & 1 ? 0x50 : 0x78);
		b[3] = op;
		b[4] = some[m];
		for (i = 5; i < sizeof(b); i++)
			b[i] = i * 37 + op + m * 5;
		both(mode, b);
	}
}

/* Random bytes, half of them behind random prefixes. */
static void random_bytes(u64 n)
{
	static const u8 prefix[] = { 0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x2e, 0x36, 0x3e, 0x26, 0x64,
				     0x65, 0x48, 0x4f, 0x41, 0x0f, 0xc4, 0xc5, 0x62, 0x8f };
	u64 s = seed * 77 + 1, i;
	u32 j, k;

	for (i = 0; i < n; i++) {
		u8 b[RVM_INSN_MAX_BYTES];
		u64 r = rnd(&s);

		for (j = 0; j < sizeof(b); j++)
			b[j] = rnd(&s) >> 40;
		for (k = 0; r & 1 && k < 14; r >>= 1)
			b[k++] = prefix[rnd(&s) % ARRAY_SIZE(prefix)];
		both(i % 3, b);
	}
}

int main(int argc, char **argv)
{
	static const cs_mode modes[3] = { CS_MODE_16, CS_MODE_32, CS_MODE_64 };
	static const ZydisMachineMode zmodes[3] = {
		ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_MACHINE_MODE_LEGACY_32,
		ZYDIS_MACHINE_MODE_LONG_64,
	};
	static const ZydisStackWidth widths[3] = {
		ZYDIS_STACK_WIDTH_16, ZYDIS_STACK_WIDTH_32, ZYDIS_STACK_WIDTH_64,
	};
	u64 strings = 1000000;
	u32 mode, amd, i, unused = 0;
	int c;

	while ((c = getopt(argc, argv, "an:s:v")) != -1) {
		if (c == 'a')
			all = true;
		else if (c == 'n')
			strings = strtoull(optarg, NULL, 0);
		else if (c == 's')
			seed = strtoull(optarg, NULL, 0);
		else if (c == 'v')
			verbose = true;
		else
			return 2;
	}
	printf("KTAP version 1\n1..2\n");
	for (mode = 0; mode < 3; mode++) {
		if (cs_open(CS_ARCH_X86, modes[mode], &cs[mode]) != CS_ERR_OK)
			return 1;
		cs_one[mode] = cs_malloc(cs[mode]);
		for (amd = 0; amd < 2; amd++) {
			if (ZYAN_FAILED(ZydisDecoderInit(&zd[mode][amd], zmodes[mode],
							 widths[mode])))
				return 1;
			ZydisDecoderEnableMode(&zd[mode][amd], ZYDIS_DECODER_MODE_AMD_BRANCHES,
					       amd);
			/* MPX is gone: its opcodes are the NOPs they were; and this is no Knights Corner */
			ZydisDecoderEnableMode(&zd[mode][amd], ZYDIS_DECODER_MODE_MPX, false);
			ZydisDecoderEnableMode(&zd[mode][amd], ZYDIS_DECODER_MODE_KNC, false);
		}
	}

	legacy();
	amd_3dnow();
	vex();
	evex();
	xop();
	random_bytes(strings);

	printf("# seed %llu: %llu compared (legacy %llu, VEX %llu, EVEX %llu, XOP %llu), %llu agree, %llu explained differences, %llu others\n",
	       (unsigned long long)seed, (unsigned long long)compared,
	       (unsigned long long)per_encoding[RVM_ENC_LEGACY],
	       (unsigned long long)per_encoding[RVM_ENC_VEX],
	       (unsigned long long)per_encoding[RVM_ENC_EVEX],
	       (unsigned long long)per_encoding[RVM_ENC_XOP], (unsigned long long)agreed,
	       (unsigned long long)explained_hits, (unsigned long long)failures);
	printf("# capstone is on our side in %llu of the differences in length or definedness\n",
	       (unsigned long long)arbiter_for_us);
	for (i = 0; i < nr_shapes && verbose; i++)
		printf("# shape kind %u %u-bit map %x %02x /%u %s | %s | capstone %d %s: %llu\n",
		       shapes[i].kind, 16 << shapes[i].mode, shapes[i].map, shapes[i].opcode,
		       shapes[i].reg, rvm_op_name(shapes[i].op),
		       ZydisMnemonicGetString(shapes[i].mnemonic), shapes[i].capstone,
		       shapes[i].what ? shapes[i].what : "", (unsigned long long)shapes[i].n);
	printf("%sok 1 decoder_against_zydis_and_capstone\n", failures ? "not " : "");
	for (i = 0; i < sizeof(explained) / sizeof(explained[0]); i++) {
		if (verbose)
			printf("# %8llu %s\n", (unsigned long long)explained[i].hits,
			       explained[i].why);
		if (!explained[i].hits) {
			unused++;
			printf("# unused explanation: %s\n", explained[i].why);
		}
	}
	printf("%sok 2 every_explanation_is_needed\n", unused ? "not " : "");
	return failures || unused;
}
