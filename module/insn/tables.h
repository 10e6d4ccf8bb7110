/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Layout of the opcode tables; private to the decoder.
 *
 * Operand types follow SDM vol. 2 appendix A.2: the first letter says where
 * the operand is, the rest its size.
 */
#ifndef RVM_INSN_TABLES_H
#define RVM_INSN_TABLES_H

#include "decode.h"

/* Where an operand is (SDM vol. 2 A.2.1). */
enum {
	OC_NONE,
	OC_E,		/* ModRM.rm: general register or memory */
	OC_EX,		/* the same, the register 4 bytes wide (PINSRB, PEXTRW) */
	OC_M,		/* ModRM.rm: memory only */
	OC_R,		/* ModRM.rm: general register only */
	OC_G,		/* ModRM.reg: general register */
	OC_B,		/* VEX.vvvv: general register */
	OC_Z,		/* general register in the opcode's low bits */
	OC_FIX,		/* the general register named */
	OC_IMM,		/* immediate, zero-extended */
	OC_SIMM,	/* immediate, sign-extended */
	OC_IMM2,	/* second immediate */
	OC_ONE,
	OC_J,		/* relative displacement */
	OC_A,		/* far pointer */
	OC_O,		/* absolute address in the instruction */
	OC_X, OC_Y,	/* string source, destination */
	OC_S,		/* ModRM.reg: segment register */
	OC_SFIX,	/* the segment register named */
	OC_C, OC_D,	/* ModRM.reg: control, debug register */
	OC_V,		/* ModRM.reg: XMM/YMM */
	OC_W,		/* ModRM.rm: XMM/YMM or memory */
	OC_U,		/* ModRM.rm: XMM/YMM only */
	OC_H,		/* VEX.vvvv: XMM/YMM; absent in the legacy encoding */
	OC_HR,		/* the same, absent in the memory form too */
	OC_L,		/* immediate bits 7..4: XMM/YMM */
	OC_VM,		/* memory with a vector index (VSIB) */
	OC_P,		/* ModRM.reg: MMX */
	OC_Q,		/* ModRM.rm: MMX or memory */
	OC_N,		/* ModRM.rm: MMX only */
	OC_KG, OC_KR, OC_KE, OC_KH,	/* opmask: reg; rm; rm or memory; vvvv */
	OC_TG, OC_TR, OC_TH,	/* tile: reg; rm; vvvv */
	OC_TM,		/* memory that needs a SIB byte */
};

/* How wide it is; below 65 the bytes themselves. */
enum {
	OS_V = 65,	/* operand size */
	OS_Z,		/* operand size, at most 4 */
	OS_Y,		/* 8 with REX.W in 64-bit mode, else 4 */
	OS_P,		/* far pointer: 2 + operand size */
	OS_A,		/* 2 * operand size */
	OS_S,		/* descriptor-table register: 6, or 10 in 64-bit mode */
	OS_N,		/* 8 in 64-bit mode, else 4 */
	OS_DQ,		/* 16 with REX.W, else 8 */
	OS_X,		/* vector: 16, or 32 with VEX.L */
	OS_X2, OS_X4, OS_X8,	/* a half, fourth, eighth of it */
	OS_DD,		/* 8, or 32 with VEX.L (MOVDDUP) */
	OS_SD,		/* scalar: 8 with VEX.W, else 4 */
	OS_ASZ,		/* address size */
	OS_WQ, OS_BD,	/* opmask: 2, or 8 with VEX.W; 1, or 4 */
	OS_GD,		/* vector of dwords gathered by qwords: half without VEX.W */
};

#define RVM_OTYPES(T) \
	T(None, NONE, 0, 0) \
	T(Eb, E, 1, 0) T(Ew, E, 2, 0) T(Ed, E, 4, 0) T(Ev, E, OS_V, 0) T(Ey, E, OS_Y, 0) \
	T(En, E, OS_N, 0) T(Rb_Mb, EX, 1, 0) T(Rd_Mw, EX, 2, 0) \
	T(Gb, G, 1, 0) T(Gw, G, 2, 0) T(Gd, G, 4, 0) T(Gv, G, OS_V, 0) T(Gy, G, OS_Y, 0) \
	T(Gz, G, OS_Z, 0) T(Gn, G, OS_N, 0) T(Ga, G, OS_ASZ, 0) T(By, B, OS_Y, 0) \
	T(Rv, R, OS_V, 0) T(Ry, R, OS_Y, 0) T(Rd, R, 4, 0) T(Rn, R, OS_N, 0) T(Rw, R, 2, 0) \
	T(Ra, R, OS_ASZ, 0) \
	T(M0, M, 0, 0) T(Mb, M, 1, 0) T(Mw, M, 2, 0) T(Md, M, 4, 0) T(Mq, M, 8, 0) \
	T(Mt, M, 10, 0) T(Mdq, M, 16, 0) T(M48, M, 48, 0) T(M64, M, 64, 0) \
	T(Mwq, M, OS_WQ, 0) T(Mbd, M, OS_BD, 0) T(TM, TM, 0, 0) \
	T(Mv, M, OS_V, 0) T(My, M, OS_Y, 0) T(Mp, M, OS_P, 0) T(Ma, M, OS_A, 0) \
	T(Ms, M, OS_S, 0) T(Mqdq, M, OS_DQ, 0) T(Mx, M, OS_X, 0) \
	T(Zb, Z, 1, 0) T(Zv, Z, OS_V, 0) \
	T(Ib, IMM, 1, 0) T(Iw, IMM, 2, 0) T(Iz, SIMM, OS_Z, 0) T(Iv, SIMM, OS_V, 0) \
	T(sIb, SIMM, 1, 0) T(Ib2, IMM2, 1, 0) T(One, ONE, 1, 0) \
	T(Jb, J, 1, 0) T(Jz, J, OS_Z, 0) T(Ap, A, OS_P, 0) T(Ob, O, 1, 0) T(Ov, O, OS_V, 0) \
	T(AL, FIX, 1, RVM_RAX) T(CL, FIX, 1, RVM_RCX) T(DX, FIX, 2, RVM_RDX) \
	T(rAX, FIX, OS_V, RVM_RAX) T(eAX, FIX, OS_Z, RVM_RAX) \
	T(Xb, X, 1, 0) T(Xv, X, OS_V, 0) T(Xz, X, OS_Z, 0) \
	T(Yb, Y, 1, 0) T(Yv, Y, OS_V, 0) T(Yz, Y, OS_Z, 0) \
	T(Sw, S, 2, 0) T(ES, SFIX, 2, RVM_ES) T(CS, SFIX, 2, RVM_CS) T(SS, SFIX, 2, RVM_SS) \
	T(DS, SFIX, 2, RVM_DS) T(FS, SFIX, 2, RVM_FS) T(GS, SFIX, 2, RVM_GS) \
	T(Cn, C, OS_N, 0) T(Dn, D, OS_N, 0) \
	T(Vx, V, OS_X, 0) T(Vo, V, 16, 0) T(Hx, H, OS_X, 0) T(Ho, H, 16, 0) T(Hr, HR, 16, 0) T(Lx, L, OS_X, 0) T(Lo, L, 16, 0) \
	T(Ux, U, OS_X, 0) T(Uo, U, 16, 0) T(Wx, W, OS_X, 0) T(Wo, W, 16, 0) T(Wq, W, 8, 0) \
	T(Wd, W, 4, 0) T(Ww, W, 2, 0) T(Wb, W, 1, 0) T(Wx2, W, OS_X2, 0) T(Wx4, W, OS_X4, 0) \
	T(Wx8, W, OS_X8, 0) T(Wdd, W, OS_DD, 0) T(Wsd, W, OS_SD, 0) T(VM, VM, OS_SD, 0) \
	T(W48, W, 48, 0) T(Vg, V, OS_GD, 0) T(Hg, H, OS_GD, 0) \
	T(Pq, P, 8, 0) T(Qq, Q, 8, 0) T(Qd, Q, 4, 0) T(Nq, N, 8, 0) \
	T(Kg, KG, 8, 0) T(Kr, KR, 8, 0) T(Kh, KH, 8, 0) T(Kb, KE, 1, 0) T(Kw, KE, 2, 0) \
	T(Kd, KE, 4, 0) T(Kq, KE, 8, 0) T(Kwq, KE, OS_WQ, 0) T(Kbd, KE, OS_BD, 0) \
	T(Tg, TG, 0, 0) T(Tr, TR, 0, 0) T(Th, TH, 0, 0)

enum rvm_otype {
#define T(n, c, s, r) OT_##n,
	RVM_OTYPES(T)
#undef T
};

/* Cell flags */
#define LK	0x0001	/* LOCK allowed when the destination is memory */
#define I64	0x0002	/* #UD in 64-bit mode */
#define O64	0x0004	/* 64-bit mode only */
#define D64	0x0008	/* operand size 64 by default in 64-bit mode */
#define F64	0x0010	/* near branch: operand size 64 in 64-bit mode */
#define GRP	0x0020	/* op is the number of a group */
#define PFX	0x0040	/* depends on a mandatory prefix: see the other table */
#define VX	0x0080	/* has a VEX form too */
#define VO	0x0100	/* has a VEX form only */
#define L0	0x0200	/* VEX.L must be 0 */
#define L1	0x0400	/* VEX.L must be 1 */
#define W0	0x0800	/* VEX.W must be 0 */
#define W1	0x1000	/* VEX.W must be 1 */
#define X64	0x2000	/* another cell in 64-bit mode */
#define NP	0x4000	/* #UD with 66, F2 or F3 */

/**
 * struct rvm_cell - what one opcode is
 * @op: enum rvm_op, or a group number with GRP
 * @flags: see above
 * @o: operand types
 */
struct rvm_cell {
	u16 op;
	u16 flags;
	u8 o[RVM_NR_OPERANDS];
};

/* Columns of the prefix tables. */
enum { RVM_PP_NONE, RVM_PP_66, RVM_PP_F3, RVM_PP_F2, RVM_NR_PP };

/**
 * struct rvm_opgroup - opcodes told apart by ModRM (SDM vol. 2 table A-6)
 * @mem: eight cells by ModRM.reg, memory forms; four times eight if @pp
 * @reg: the same for register forms
 * @pp: both are indexed by mandatory prefix first
 */
struct rvm_opgroup {
	const struct rvm_cell *mem, *reg;
	bool pp;
};

enum rvm_group_nr {
	G1B, G1V, G1X, G1A, G2B1, G2V1, G2BC, G2VC, G2BI, G2VI, G3B, G3V, G4, G5,
	G6, G7, G8, G9, G10, G11B, G11V, G12, G13, G14, G15, G16, GP, G17, GT, GKL, GHR, NR_GROUPS,
};

extern const struct rvm_cell rvm_map_1b[256];
extern const struct rvm_cell rvm_map_0f[256];
extern const struct rvm_cell rvm_pfx_0f[256][RVM_NR_PP];
extern const struct rvm_cell rvm_pfx_0f38[256][RVM_NR_PP];
extern const struct rvm_cell rvm_pfx_0f3a[256][RVM_NR_PP];
extern const struct rvm_cell rvm_grp7_rm[RVM_NR_PP][8][8];
extern const struct rvm_opgroup rvm_groups[NR_GROUPS];
extern const struct rvm_cell rvm_cell_movsxd;
extern const u8 rvm_x87_mem[8][8];
extern const u8 rvm_x87_reg[8][8];

#endif /* RVM_INSN_TABLES_H */
