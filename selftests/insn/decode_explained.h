/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where the decoder differs from capstone 4.0, and why.  The manuals are SDM
 * vol. 2 and APM vol. 3 and 4.
 */

static bool reg_form(const struct diff *f)
{
	return f->d->modrm >> 6 == 3;
}

/* 66, F2 or F3 where no form of the opcode has it. */
static bool no_such_prefix(const struct diff *f)
{
	return f->kind == WE_UD && f->map >= 1 && f->map <= 3 &&
	       (f->d->prefix & (RVM_P_OSIZE | RVM_P_REP | RVM_P_REPNE));
}

static bool lock(const struct diff *f)
{
	return f->kind == WE_UD && (f->d->prefix & RVM_P_LOCK);
}

static bool branch_66(const struct diff *f)
{
	return f->kind == LENGTH && f->mode == 2 && (f->d->prefix & RVM_P_OSIZE) &&
	       (f->d->op == RVM_OP_JCC || f->d->op == RVM_OP_JMP || f->d->op == RVM_OP_CALL ||
		f->d->op == RVM_OP_RET);
}

static bool vex_w(const struct diff *f)
{
	if (f->d->op == RVM_OP_OPMASK)	/* KUNPCKBW, KMOVB, KMOVW */
		return f->kind == WE_UD && f->map == 0x81;
	return f->kind == WE_UD && (f->map == 0x82 || f->map == 0x83) && (f->d->rex & RVM_REX_W) &&
	       f->d->op == RVM_OP_AVX;
}

static bool vsib(const struct diff *f)
{
	return f->kind == WE_UD && f->d->op == RVM_OP_GATHER && (f->d->modrm & 7) != 4;
}

static bool fma4(const struct diff *f)
{
	return f->kind == WE_UD && f->map == 0x83 && f->d->opcode >= 0x48 && f->d->opcode <= 0x7f;
}

static bool ud_by_name(const struct diff *f)
{
	return f->kind == WE_UD && f->map == 1 &&
	       (f->d->opcode == 0x0b || f->d->opcode == 0xb9 || f->d->opcode == 0xff);
}

static bool padlock(const struct diff *f)
{
	return f->kind == WE_UD && f->map == 1 && (f->d->opcode == 0xa6 || f->d->opcode == 0xa7);
}

static bool mov_cs(const struct diff *f)
{
	return f->kind == WE_UD && f->map == 0 && f->d->opcode == 0x8e;
}

static bool control_register(const struct diff *f)
{
	return f->kind == WE_UD && f->map == 1 && f->d->opcode >= 0x20 && f->d->opcode <= 0x23;
}

static bool hint_nop(const struct diff *f)
{
	return f->kind == WE_OK && f->map == 1 && f->d->opcode >= 0x18 && f->d->opcode <= 0x1f;
}

static bool prefetch(const struct diff *f)
{
	return f->kind == WE_OK && f->map == 1 && f->d->opcode == 0x0d;
}

static bool amd_3dnow(const struct diff *f)
{
	return f->kind == WE_OK && f->map == 1 && f->d->op == RVM_OP_3DNOW;
}

static bool fence_rm(const struct diff *f)
{
	return f->kind == WE_OK && f->d->op == RVM_OP_FENCE && reg_form(f);
}

static bool sreg_rex(const struct diff *f)
{
	return f->kind == WE_OK && f->map == 0 && (f->d->opcode == 0x8c || f->d->opcode == 0x8e) &&
	       (f->d->rex & RVM_REX_R);
}

static bool newer(const struct diff *f)
{
	if (f->kind != WE_OK)
		return false;
	switch (f->d->op) {
	case RVM_OP_CET: case RVM_OP_MOVDIRI: case RVM_OP_MOVDIR64B: case RVM_OP_ENQCMD:
	case RVM_OP_WAITPKG: case RVM_OP_SERIALIZE: case RVM_OP_UINTR: case RVM_OP_RDPID:
	case RVM_OP_SNP: case RVM_OP_RDPRU: case RVM_OP_SGX: case RVM_OP_TSX: case RVM_OP_SMX:
	case RVM_OP_MONITOR: case RVM_OP_MWAIT: case RVM_OP_CLZERO: case RVM_OP_OPMASK:
	case RVM_OP_VMX: case RVM_OP_CLFLUSH: case RVM_OP_RDPKRU: case RVM_OP_WRPKRU:
		return true;
	case RVM_OP_AVX:	/* VNNI, NE-CONVERT, IFMA, VAES, VPCLMULQDQ, GFNI */
	case RVM_OP_SSE:	/* GFNI */
		return f->map == 0x82 || f->map == 0x83 || f->map == 2 || f->map == 3;
	default:
		return false;
	}
}

static bool in_16_bit(const struct diff *f)
{
	return f->mode == 0 && f->map >= 1 && f->map <= 3 &&
	       (f->kind == WE_OK || f->d->op == RVM_OP_SSE4A) &&
	       (f->d->prefix & (RVM_P_OSIZE | RVM_P_REP | RVM_P_REPNE));
}

static bool lock_cr(const struct diff *f)
{
	return f->kind == WE_OK && (f->d->prefix & RVM_P_LOCK) &&
	       (f->d->op == RVM_OP_MOV_TO_CR || f->d->op == RVM_OP_MOV_FROM_CR);
}

static bool two_prefixes(const struct diff *f)
{
	return f->map == 0 && (f->d->prefix & RVM_P_OSIZE) &&
	       (f->d->prefix & (RVM_P_REP | RVM_P_REPNE)) && f->kind != WE_UD;
}

static bool swapgs(const struct diff *f)
{
	return f->kind == WE_UD && f->mode != 2 && f->map == 1 && f->d->opcode == 0x01 &&
	       f->d->modrm == 0xf8;
}

static struct explained explained[] = {
	{ "#UD: 66, F2 or F3 with an opcode that has no such form (capstone ignores it)",
	  no_such_prefix },
	{ "#UD: LOCK without a memory destination, or with an instruction that does not take it",
	  lock },
	{ "66 on a near branch in 64-bit code: ignored on Intel (capstone takes a 16-bit offset, for RET none of REX.W)",
	  branch_66 },
	{ "#UD: VEX.W must be 0", vex_w },
	{ "#UD: a gather needs a SIB byte", vsib },
	{ "#UD: FMA4 and VPERMIL2, on no CPU since AMD's family 15h", fma4 },
	{ "#UD: UD0, UD1, UD2 are there to be undefined", ud_by_name },
	{ "#UD: VIA's PadLock", padlock },
	{ "#UD: MOV to CS", mov_cs },
	{ "#UD: CR1, CR5.., DR8..; ModRM.mod ignored for the others", control_register },
	{ "hint NOPs 0F 18..1F in every form (APM vol. 3 appendix A; SDM vol. 2 table A-3)",
	  hint_nop },
	{ "0F 0D with a register operand: a NOP on Intel", prefetch },
	{ "3DNow! with any suffix: the length is known, execution gives #UD", amd_3dnow },
	{ "LFENCE, MFENCE, SFENCE ignore ModRM.rm", fence_rm },
	{ "REX.R is ignored for segment registers", sreg_rex },
	{ "a mandatory 66, F2, F3 in 16-bit code, and its SSE4A", in_16_bit },
	{ "LOCK MOV CR0 is CR8 on AMD's CPUs", lock_cr },
	{ "66 with F2 or F3: the operand size still counts", two_prefixes },
	{ "#UD: SWAPGS outside 64-bit code", swapgs },
	{ "newer than capstone 4.0", newer },
};
