/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where the decoder differs from Zydis 4.0, and the manuals' word for it.  The
 * manuals are SDM vol. 2 and APM vol. 3 and 4.  "seen" is what a CPU of AMD's
 * family 1Ah does, by selftests/insn/native.
 */

static bool is_op(const struct diff *f, u32 kind, u32 op)
{
	return f->kind == kind && f->d->op == op;
}

static bool reg_form(const struct diff *f)
{
	return f->d->modrm >> 6 == 3;
}

static bool evex_map(const struct diff *f)
{
	return is_op(f, WE_OK, RVM_OP_EVEX);
}

static bool xop_map(const struct diff *f)
{
	return is_op(f, WE_OK, RVM_OP_XOP);
}

static bool any_3dnow(const struct diff *f)
{
	return is_op(f, WE_OK, RVM_OP_3DNOW);
}

static bool newer(const struct diff *f)
{
	if (is_op(f, WE_OK, RVM_OP_AMX))
		return f->d->opcode == 0x5c;
	if (!is_op(f, WE_OK, RVM_OP_AVX) || f->map != 0x82)
		return false;
	return (f->d->opcode & 0xfe) == 0x50 || f->d->opcode == 0x72 ||
	       (f->d->opcode & 0xfe) == 0xb0 || (f->d->opcode & 0xfe) == 0xb4;
}

static bool ud_by_name(const struct diff *f)
{
	return f->kind == WE_UD && f->map == 1 &&
	       (f->d->opcode == 0x0b || f->d->opcode == 0xb9 || f->d->opcode == 0xff);
}

static bool knights_corner(const struct diff *f)
{
	return f->kind != WE_OK && !strncmp(ZydisISAExtGetString(f->z->meta.isa_ext), "KNC", 3);
}

static bool padlock(const struct diff *f)
{
	return f->kind == WE_UD && f->map == 1 && (f->d->opcode == 0xa6 || f->d->opcode == 0xa7);
}

static bool prefetch_reg(const struct diff *f)
{
	return f->kind == WE_UD && !f->intel && f->map == 1 && f->d->opcode == 0x0d && reg_form(f);
}

static bool lock_cr(const struct diff *f)
{
	return f->kind == WE_OK && (f->d->prefix & RVM_P_LOCK) &&
	       (f->d->op == RVM_OP_MOV_TO_CR || f->d->op == RVM_OP_MOV_FROM_CR);
}

static bool far_pointer_amd(const struct diff *f)
{
	return f->kind == OPERANDS && !f->intel && f->d->osize == 8 &&
	       (f->d->op == RVM_OP_LFARPTR || f->d->op == RVM_OP_JMPF ||
		f->d->op == RVM_OP_CALLF);
}

static bool near_branch_size(const struct diff *f)
{
	return f->kind == OPERANDS && f->mode == 2 && (f->d->prefix & RVM_P_OSIZE) &&
	       (f->d->op == RVM_OP_RET || f->d->op == RVM_OP_CALL || f->d->op == RVM_OP_JMP);
}

static bool movsxd_66(const struct diff *f)
{
	return f->kind == OPERANDS && f->map == 0 && f->d->op == RVM_OP_MOVSX && f->d->osize == 2;
}

static bool selector_source(const struct diff *f)
{
	return f->kind == OPERANDS && (f->d->op == RVM_OP_LAR || f->d->op == RVM_OP_LSL) &&
	       reg_form(f);
}

static bool cache_line(const struct diff *f)
{
	return is_op(f, OPERANDS, RVM_OP_CLFLUSH);
}

static bool movmsk(const struct diff *f)
{
	return is_op(f, OPERANDS, RVM_OP_SSE) && f->map == 1 && (f->d->opcode == 0x50);
}

static bool notrack(const struct diff *f)
{
	return f->kind == OPERANDS && f->map == 0 && f->d->opcode == 0xff &&
	       (f->d->prefix & RVM_P_SEG) && f->mode != 2;
}

static bool no_base(const struct diff *f)
{
	return f->kind == OPERANDS && f->mode == 2 && f->d->asize == 4 && (f->d->rex & RVM_REX_B) &&
	       f->d->modrm >> 6 == 0 && (f->d->modrm & 7) == 4 && f->d->base == RVM_BASE_NONE;
}

static bool pause_r8(const struct diff *f)
{
	return is_op(f, NAME, RVM_OP_XCHG) && f->d->opcode == 0x90 && (f->d->rex & RVM_REX_B);
}

static bool no_effect(const struct diff *f)
{
	return f->kind == WE_OK && f->map == 1 && f->d->opcode == 1 &&
	       (f->d->op == RVM_OP_MONITOR || f->d->op == RVM_OP_MWAIT ||
		f->d->op == RVM_OP_SNP || f->d->op == RVM_OP_HYPERCALL);
}

static struct explained explained[] = {
	{ "67, REX.B, SIB.base 5 and mod 0: no base (SDM vol. 2 table 2-5; Zydis 4.0 says R13D, objdump and CPU do not)",
	  no_base },
	{ "F3 90 with REX.B is XCHG R8 (APM vol. 3, NOP; seen)", pause_r8 },
	{ "MONITOR, MWAIT, VMCALL, TLBSYNC with 66, F2, F3: not marked NP (SDM vol. 2 §3.1.1.1)",
	  no_effect },
	{ "EVEX is recognised by its prefix, whatever the opcode; the execution refuses it", evex_map },
	{ "XOP the same", xop_map },
	{ "3DNow! with any suffix: the execution refuses it", any_3dnow },
	{ "AVX-VNNI-INT8, AVX-NE-CONVERT, AVX-IFMA, AMX-FP16: newer than Zydis 4.0", newer },
	{ "UD0, UD1, UD2 are there to be undefined", ud_by_name },
	{ "Knights Corner's VEX instructions", knights_corner },
	{ "VIA's PadLock", padlock },
	{ "0F 0D with a register is a NOP on Intel's CPUs; on AMD's #UD (seen)", prefetch_reg },
	{ "LOCK MOV CR0 is MOV CR8 on AMD's CPUs (APM vol. 3, MOV CRn)", lock_cr },
	{ "a far pointer in memory has at most 32 bits on AMD's CPUs (APM vol. 3, JMP far, LSS)",
	  far_pointer_amd },
	{ "66 on an indirect near branch or RET: ignored on Intel's CPUs (SDM, RET: 64 bits forced), 16 bits on AMD's (seen)",
	  near_branch_size },
	{ "66 MOVSXD: 32 bits on AMD's CPUs (APM vol. 3; seen), 16 on Intel's (SDM), where the execution narrows it", movsxd_66 },
	{ "LAR and LSL look at 16 bits of a register (SDM, LAR)", selector_source },
	{ "CLFLUSH and kin name a line by one byte of it (SDM: m8)", cache_line },
	{ "MOVMSKPS writes 32 bits and zeroes the rest, with REX.W too (SDM, MOVMSKPS)", movmsk },
	{ "3E before an indirect branch is a segment override where CET is not on (SDM vol. 1 §17.2)",
	  notrack },
};
