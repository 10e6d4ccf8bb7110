// SPDX-License-Identifier: GPL-2.0
/*
 * Which CPUID bit shows an instruction of the floating-point and vector unit
 * (SDM vol. 2, the "CPUID Feature Flag" column; APM vol. 3 appendix D).
 */
#include "insn.h"
#include "decode.h"
#include "feature.h"

const struct rvm_feature_bit rvm_feature_bits[RVM_NR_FEATURES] = {
#define EBX 1
#define ECX 2
#define EDX 3
#define EAX 0
#define X(n, leaf, sub, reg, bit) [RVM_UF_##n] = { leaf, sub, reg, bit },
	RVM_FEATURES(X)
#undef X
};

static u8 x87(const struct rvm_decoded *d)
{
	u32 reg = d->modrm >> 3 & 7;

	/* FISTTP */
	if (d->modrm >> 6 != 3 && reg == 1 && (d->opcode & 1) && d->opcode != 0xd9)
		return RVM_UF_SSE3;
	return RVM_UF_FPU;
}

static u8 mmx(const struct rvm_decoded *d)
{
	if (d->map != 1)
		return RVM_UF_SSSE3;
	switch (d->opcode) {
	case 0x70: case 0xc4: case 0xc5: case 0xd7: case 0xda: case 0xde: case 0xe0: case 0xe3:
	case 0xe4: case 0xe7: case 0xea: case 0xee: case 0xf6: case 0xf7:
		return RVM_UF_MMXEXT;
	case 0xd4: case 0xf4: case 0xfb:	/* PADDQ, PMULUDQ, PSUBQ */
		return RVM_UF_SSE2;
	default:
		return RVM_UF_MMX;
	}
}

/* 0F xx with @pp: none, 66, F3, F2 */
static u8 sse_0f(u32 op, u32 pp)
{
	switch (op) {
	case 0x12:
		return pp >= 2 ? RVM_UF_SSE3 : pp ? RVM_UF_SSE2 : RVM_UF_SSE;
	case 0x16:
		return pp == 2 ? RVM_UF_SSE3 : pp ? RVM_UF_SSE2 : RVM_UF_SSE;
	case 0x7c: case 0x7d: case 0xd0: case 0xf0:
		return RVM_UF_SSE3;
	case 0x5a: case 0x5b: case 0x6f: case 0x70: case 0x7e: case 0x7f: case 0xd6: case 0xe6:
		return RVM_UF_SSE2;
	default:
		return pp & 1 ? RVM_UF_SSE2 : RVM_UF_SSE;
	}
}

static u8 sse_0f38(u32 op)
{
	switch (op) {
	case 0x00 ... 0x0b: case 0x1c ... 0x1e:
		return RVM_UF_SSSE3;
	case 0x37:
		return RVM_UF_SSE42;
	case 0xc8 ... 0xcd:
		return RVM_UF_SHA;
	case 0xcf:
		return RVM_UF_GFNI;
	case 0xdb ... 0xdf:
		return RVM_UF_AES;
	default:
		return RVM_UF_SSE41;
	}
}

static u8 sse_0f3a(u32 op)
{
	switch (op) {
	case 0x0f:
		return RVM_UF_SSSE3;
	case 0x44:
		return RVM_UF_PCLMUL;
	case 0x60 ... 0x63:
		return RVM_UF_SSE42;
	case 0xcc:
		return RVM_UF_SHA;
	case 0xce: case 0xcf:
		return RVM_UF_GFNI;
	case 0xdf:
		return RVM_UF_AES;
	default:
		return RVM_UF_SSE41;
	}
}

/* Integer instructions have 256 bits from AVX2 on. */
static u8 avx_0f(u32 op, bool wide)
{
	switch (op) {
	case 0x60 ... 0x6d: case 0x70 ... 0x76: case 0xd1 ... 0xd5: case 0xd7 ... 0xe5:
	case 0xe8 ... 0xef: case 0xf1 ... 0xf6: case 0xf8 ... 0xfe:
		return wide ? RVM_UF_AVX2 : RVM_UF_AVX;
	default:
		return RVM_UF_AVX;
	}
}

static u8 avx_0f38(const struct rvm_decoded *d, bool wide)
{
	u32 pp = d->vex >> 6;

	switch (d->opcode) {
	case 0x00 ... 0x0b: case 0x1c ... 0x1e: case 0x20 ... 0x25: case 0x28 ... 0x2b:
	case 0x30 ... 0x35: case 0x37 ... 0x40:
		return wide ? RVM_UF_AVX2 : RVM_UF_AVX;
	case 0x13:
		return RVM_UF_F16C;
	case 0x18: case 0x19:		/* from a register only since AVX2 */
		return d->modrm >> 6 == 3 ? RVM_UF_AVX2 : RVM_UF_AVX;
	case 0x16: case 0x36: case 0x45 ... 0x47: case 0x58 ... 0x5a: case 0x78: case 0x79:
	case 0x8c: case 0x8e: case 0x90 ... 0x93:
		return RVM_UF_AVX2;
	case 0x50: case 0x51:
		return pp == 1 ? RVM_UF_AVXVNNI : RVM_UF_AVXVNNI8;
	case 0x52: case 0x53:
		return RVM_UF_AVXVNNI;
	case 0x72: case 0xb0: case 0xb1:
		return RVM_UF_AVXNECONV;
	case 0xb4: case 0xb5:
		return RVM_UF_AVXIFMA;
	case 0x96 ... 0x9f: case 0xa6 ... 0xaf: case 0xb6 ... 0xbf:
		return RVM_UF_FMA;
	case 0xcf:
		return RVM_UF_GFNI;
	case 0xdb:
		return RVM_UF_AES;
	case 0xdc ... 0xdf:
		return wide ? RVM_UF_VAES : RVM_UF_AES;
	default:
		return RVM_UF_AVX;
	}
}

static u8 avx_0f3a(u32 op, bool wide)
{
	switch (op) {
	case 0x00 ... 0x02: case 0x38: case 0x39: case 0x46:
		return RVM_UF_AVX2;
	case 0x0e: case 0x0f: case 0x42: case 0x4c:
		return wide ? RVM_UF_AVX2 : RVM_UF_AVX;
	case 0x1d:
		return RVM_UF_F16C;
	case 0x44:
		return wide ? RVM_UF_VPCLMUL : RVM_UF_PCLMUL;
	case 0xce: case 0xcf:
		return RVM_UF_GFNI;
	case 0xdf:
		return RVM_UF_AES;
	default:
		return RVM_UF_AVX;
	}
}

u8 rvm_insn_feature(const struct rvm_decoded *d)
{
	bool wide = d->vex >> 4 & 1;
	u32 reg = d->modrm >> 3 & 7;

	switch (d->op) {
	case RVM_OP_X87:
		return x87(d);
	case RVM_OP_FWAIT:
		return RVM_UF_FPU;
	case RVM_OP_FXSAVE: case RVM_OP_FXRSTOR:
		return RVM_UF_FXSR;
	case RVM_OP_XSAVE: case RVM_OP_XRSTOR:
		if (d->opcode == 0xae)
			return reg == 6 ? RVM_UF_XSAVEOPT : RVM_UF_XSAVE;
		return reg == 4 ? RVM_UF_XSAVEC : RVM_UF_XSAVES;
	case RVM_OP_MMX:
		return mmx(d);
	case RVM_OP_SSE4A:
		return RVM_UF_SSE4A;
	case RVM_OP_3DNOW:
		return RVM_UF_3DNOW;
	case RVM_OP_OPMASK: case RVM_OP_EVEX:
		return RVM_UF_AVX512F;
	case RVM_OP_XOP:
		return RVM_UF_XOP;
	case RVM_OP_FMA4:
		return RVM_UF_FMA4;
	case RVM_OP_LDMXCSR: case RVM_OP_STMXCSR:
		return d->enc == RVM_ENC_VEX ? RVM_UF_AVX : RVM_UF_SSE;
	case RVM_OP_EMMS:
		return d->enc == RVM_ENC_VEX ? RVM_UF_AVX : RVM_UF_MMX;
	case RVM_OP_MASKMOV:
		if (d->enc == RVM_ENC_LEGACY)
			return d->opnd[0].kind == RVM_K_MM ? RVM_UF_MMXEXT : RVM_UF_SSE2;
		break;
	case RVM_OP_SSE: case RVM_OP_AVX: case RVM_OP_GATHER:
		break;
	default:
		return RVM_UF_NONE;
	}
	if (d->enc == RVM_ENC_VEX)
		return d->map == 1 ? avx_0f(d->opcode, wide) :
		       d->map == 2 ? avx_0f38(d, wide) : avx_0f3a(d->opcode, wide);
	return d->map == 1 ? sse_0f(d->opcode, d->vex >> 6) :
	       d->map == 2 ? sse_0f38(d->opcode) : sse_0f3a(d->opcode);
}
