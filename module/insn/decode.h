/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The decoded instruction: a compact value that depends on the instruction's
 * bytes and the code size only, so that it may be cached and executed again.
 */
#ifndef RVM_INSN_DECODE_H
#define RVM_INSN_DECODE_H

#include "../cpu/shim.h"
#include "ops.h"

/* Longest instruction (SDM vol. 2 §2.3.11) */
#define RVM_INSN_MAX_BYTES	15

/* What a decode depends on besides the bytes. */
#define RVM_DEC_16	0u	/* CS.D = 0, outside 64-bit mode */
#define RVM_DEC_32	1u	/* CS.D = 1, outside 64-bit mode */
#define RVM_DEC_64	2u
#define RVM_DEC_SIZE	3u
/*
 * Vendor differences visible in the encoding.  Unset means AMD: the prefix 66
 * counts on near branches in 64-bit mode (APM vol. 3 §1.2.3); Intel ignores it
 * (SDM vol. 2, Jcc/CALL/RET).
 */
#define RVM_DEC_INTEL	4u

enum rvm_decode_result {
	RVM_DECODE_OK = 0,
	RVM_DECODE_MORE,	/* the bytes end inside the instruction */
	RVM_DECODE_UD,		/* the CPU raises #UD */
	RVM_DECODE_LONG,	/* longer than 15 bytes: #GP(0) */
};

enum rvm_operand_kind {
	RVM_K_NONE,
	RVM_K_REG,		/* general register, reg = byte offset in gpr[] */
	RVM_K_MEM,		/* seg:[base + index * scale + disp] */
	RVM_K_IMM,		/* imm, sign-extended where the manual says so */
	RVM_K_IMM2,		/* imm2: second immediate (ENTER, EXTRQ, INSERTQ) */
	RVM_K_ONE,		/* the constant 1 of a shift */
	RVM_K_REL,		/* imm, relative to the next instruction */
	RVM_K_FAR,		/* imm2:imm, a far pointer in the instruction */
	RVM_K_SREG,		/* reg = enum rvm_sreg */
	RVM_K_CR,
	RVM_K_DR,
	RVM_K_STR_SRC,		/* seg:[rSI] */
	RVM_K_STR_DST,		/* ES:[rDI] */
	RVM_K_MM,
	RVM_K_XMM,		/* XMM, YMM, ZMM by size */
	RVM_K_ST,
	RVM_K_MASK,		/* opmask register */
	RVM_K_TMM,		/* tile register */
};

/**
 * struct rvm_operand - one operand
 * @kind: enum rvm_operand_kind
 * @size: bytes; 0 where the access has no fixed size (LEA, INVLPG, FXSAVE)
 * @reg: register; for RVM_K_REG the byte offset into gpr[] (AH is 1)
 */
struct rvm_operand {
	u8 kind;
	u8 size;
	u8 reg;
};

/* rvm_decoded.prefix */
#define RVM_P_LOCK	0x01
#define RVM_P_REP	0x02	/* F3 */
#define RVM_P_REPNE	0x04	/* F2 */
#define RVM_P_OSIZE	0x08
#define RVM_P_ASIZE	0x10
#define RVM_P_SEG	0x20
#define RVM_P_REX	0x40

/* rvm_decoded.enc */
enum rvm_encoding {
	RVM_ENC_LEGACY,
	RVM_ENC_VEX,
	RVM_ENC_EVEX,
	RVM_ENC_XOP,
};

/* rvm_decoded.rex: bits as in the REX prefix, VEX bits already uninverted */
#define RVM_REX_B	1
#define RVM_REX_X	2
#define RVM_REX_R	4
#define RVM_REX_W	8

/* rvm_decoded.base and .index: byte offset into gpr[], or one of these */
#define RVM_BASE_NONE	0xff
#define RVM_BASE_RIP	0xfe

#define RVM_NR_OPERANDS	4

/**
 * struct rvm_decoded - one decoded instruction
 * @imm: immediate, relative displacement, or offset of a far pointer
 * @disp: displacement, sign-extended; the address itself for moffs forms
 * @op: enum rvm_op, which also selects the execute function
 * @imm2: second immediate, or selector of a far pointer
 * @opnd: operands, in the manual's order
 * @len: bytes
 * @mode: RVM_DEC_*
 * @osize: operand size in bytes (2, 4, 8)
 * @asize: address size in bytes (2, 4, 8)
 * @seg: effective segment of the memory operand or of a string source
 * @vex: vvvv in 0..3 (uninverted), L in 4..5; mandatory prefix in 6..7: none, 66, F3,
 *   F2, of legacy encodings too
 * @feature: enum rvm_feature
 * @map: 0 one-byte, 1 0F, 2 0F38, 3 0F3A, and the number in the prefix beyond
 */
struct rvm_decoded {
	u64 imm;
	u64 disp;
	u16 op;
	u16 imm2;
	struct rvm_operand opnd[RVM_NR_OPERANDS];
	u8 len;
	u8 mode;
	u8 osize;
	u8 asize;
	u8 seg;
	u8 base;
	u8 index;
	u8 scale;
	u8 prefix;
	u8 enc;
	u8 rex;
	u8 vex;
	u8 map;
	u8 opcode;
	u8 modrm;
	u8 feature;
};

/**
 * rvm_insn_decode - decode the instruction at @bytes
 * @bytes: instruction bytes
 * @n: how many may be looked at; more than 15 are never used
 * @mode: RVM_DEC_*
 * @d: result, complete only for RVM_DECODE_OK
 *
 * Returns enum rvm_decode_result.  Reads nothing but the bytes, keeps no
 * state.  Rules that need more of the CPU than its code size (CPL, CR0,
 * feature bits) are left to the execution.
 */
int rvm_insn_decode(const u8 *bytes, u32 n, u32 mode, struct rvm_decoded *d);

/* Name of an enum rvm_op, for traces and tests. */
const char *rvm_op_name(u32 op);

static inline bool rvm_is_mem_operand(const struct rvm_decoded *d)
{
	return d->opnd[0].kind == RVM_K_MEM || d->opnd[1].kind == RVM_K_MEM ||
	       d->opnd[2].kind == RVM_K_MEM || d->opnd[3].kind == RVM_K_MEM;
}

#endif /* RVM_INSN_DECODE_H */
