// SPDX-License-Identifier: GPL-2.0
/*
 * Opcode maps of the integer and system instructions, and the groups.
 *
 * Each map has sixteen rows of sixteen columns, two lines of four cells for
 * columns 0..7 and two for 8..F, as SDM vol. 2 tables print them.
 */
#include "tables.h"

#define C(op, fl, ...)	{ RVM_OP_##op, (fl), { __VA_ARGS__ } }
#define G(grp, fl)	{ (grp), GRP | (fl), { 0 } }
#define P_(fl)		{ RVM_OP_UD, PFX | (fl), { 0 } }
#define U		{ RVM_OP_UD, 0, { 0 } }

/* Short names of the operand types, for the tables alone. */
enum {
#define T(n, c, s, r) n = OT_##n,
	RVM_OTYPES(T)
#undef T
};

/* Table A-2: one-byte opcodes.  Prefixes and escapes never reach their cells. */
const struct rvm_cell rvm_map_1b[256] = {
	/* 0 */
	C(ADD, LK, Eb, Gb), C(ADD, LK, Ev, Gv), C(ADD, 0, Gb, Eb), C(ADD, 0, Gv, Ev),
	C(ADD, 0, AL, Ib), C(ADD, 0, rAX, Iz), C(PUSH_SREG, I64, ES), C(POP_SREG, I64, ES),
	C(OR, LK, Eb, Gb), C(OR, LK, Ev, Gv), C(OR, 0, Gb, Eb), C(OR, 0, Gv, Ev),
	C(OR, 0, AL, Ib), C(OR, 0, rAX, Iz), C(PUSH_SREG, I64, CS), U,
	/* 1 */
	C(ADC, LK, Eb, Gb), C(ADC, LK, Ev, Gv), C(ADC, 0, Gb, Eb), C(ADC, 0, Gv, Ev),
	C(ADC, 0, AL, Ib), C(ADC, 0, rAX, Iz), C(PUSH_SREG, I64, SS), C(POP_SREG, I64, SS),
	C(SBB, LK, Eb, Gb), C(SBB, LK, Ev, Gv), C(SBB, 0, Gb, Eb), C(SBB, 0, Gv, Ev),
	C(SBB, 0, AL, Ib), C(SBB, 0, rAX, Iz), C(PUSH_SREG, I64, DS), C(POP_SREG, I64, DS),
	/* 2 */
	C(AND, LK, Eb, Gb), C(AND, LK, Ev, Gv), C(AND, 0, Gb, Eb), C(AND, 0, Gv, Ev),
	C(AND, 0, AL, Ib), C(AND, 0, rAX, Iz), U, C(DAA, I64),
	C(SUB, LK, Eb, Gb), C(SUB, LK, Ev, Gv), C(SUB, 0, Gb, Eb), C(SUB, 0, Gv, Ev),
	C(SUB, 0, AL, Ib), C(SUB, 0, rAX, Iz), U, C(DAS, I64),
	/* 3 */
	C(XOR, LK, Eb, Gb), C(XOR, LK, Ev, Gv), C(XOR, 0, Gb, Eb), C(XOR, 0, Gv, Ev),
	C(XOR, 0, AL, Ib), C(XOR, 0, rAX, Iz), U, C(AAA, I64),
	C(CMP, 0, Eb, Gb), C(CMP, 0, Ev, Gv), C(CMP, 0, Gb, Eb), C(CMP, 0, Gv, Ev),
	C(CMP, 0, AL, Ib), C(CMP, 0, rAX, Iz), U, C(AAS, I64),
	/* 4: REX in 64-bit mode */
	C(INC, 0, Zv), C(INC, 0, Zv), C(INC, 0, Zv), C(INC, 0, Zv),
	C(INC, 0, Zv), C(INC, 0, Zv), C(INC, 0, Zv), C(INC, 0, Zv),
	C(DEC, 0, Zv), C(DEC, 0, Zv), C(DEC, 0, Zv), C(DEC, 0, Zv),
	C(DEC, 0, Zv), C(DEC, 0, Zv), C(DEC, 0, Zv), C(DEC, 0, Zv),
	/* 5 */
	C(PUSH, D64, Zv), C(PUSH, D64, Zv), C(PUSH, D64, Zv), C(PUSH, D64, Zv),
	C(PUSH, D64, Zv), C(PUSH, D64, Zv), C(PUSH, D64, Zv), C(PUSH, D64, Zv),
	C(POP, D64, Zv), C(POP, D64, Zv), C(POP, D64, Zv), C(POP, D64, Zv),
	C(POP, D64, Zv), C(POP, D64, Zv), C(POP, D64, Zv), C(POP, D64, Zv),
	/* 6 */
	C(PUSHA, I64), C(POPA, I64), C(BOUND, I64, Gv, Ma), C(ARPL, X64, Ew, Gw),
	U, U, U, U,
	C(PUSH, D64, Iz), C(IMUL2, 0, Gv, Ev, Iz), C(PUSH, D64, sIb), C(IMUL2, 0, Gv, Ev, sIb),
	C(INS, 0, Yb, DX), C(INS, 0, Yz, DX), C(OUTS, 0, DX, Xb), C(OUTS, 0, DX, Xz),
	/* 7 */
	C(JCC, F64, Jb), C(JCC, F64, Jb), C(JCC, F64, Jb), C(JCC, F64, Jb),
	C(JCC, F64, Jb), C(JCC, F64, Jb), C(JCC, F64, Jb), C(JCC, F64, Jb),
	C(JCC, F64, Jb), C(JCC, F64, Jb), C(JCC, F64, Jb), C(JCC, F64, Jb),
	C(JCC, F64, Jb), C(JCC, F64, Jb), C(JCC, F64, Jb), C(JCC, F64, Jb),
	/* 8 */
	G(G1B, 0), G(G1V, 0), G(G1B, I64), G(G1X, 0),
	C(TEST, 0, Eb, Gb), C(TEST, 0, Ev, Gv), C(XCHG, LK, Eb, Gb), C(XCHG, LK, Ev, Gv),
	C(MOV, 0, Eb, Gb), C(MOV, 0, Ev, Gv), C(MOV, 0, Gb, Eb), C(MOV, 0, Gv, Ev),
	C(MOV_FROM_SREG, 0, Ev, Sw), C(LEA, 0, Gv, M0), C(MOV_TO_SREG, 0, Sw, Ew), G(G1A, D64),
	/* 9 */
	C(XCHG, 0, Zv, rAX), C(XCHG, 0, Zv, rAX), C(XCHG, 0, Zv, rAX), C(XCHG, 0, Zv, rAX),
	C(XCHG, 0, Zv, rAX), C(XCHG, 0, Zv, rAX), C(XCHG, 0, Zv, rAX), C(XCHG, 0, Zv, rAX),
	C(CBW, 0), C(CWD, 0), C(CALLF, I64, Ap), C(FWAIT, 0),
	C(PUSHF, D64), C(POPF, D64), C(SAHF, 0), C(LAHF, 0),
	/* A */
	C(MOV, 0, AL, Ob), C(MOV, 0, rAX, Ov), C(MOV, 0, Ob, AL), C(MOV, 0, Ov, rAX),
	C(MOVS, 0, Yb, Xb), C(MOVS, 0, Yv, Xv), C(CMPS, 0, Xb, Yb), C(CMPS, 0, Xv, Yv),
	C(TEST, 0, AL, Ib), C(TEST, 0, rAX, Iz), C(STOS, 0, Yb, AL), C(STOS, 0, Yv, rAX),
	C(LODS, 0, AL, Xb), C(LODS, 0, rAX, Xv), C(SCAS, 0, AL, Yb), C(SCAS, 0, rAX, Yv),
	/* B */
	C(MOV, 0, Zb, Ib), C(MOV, 0, Zb, Ib), C(MOV, 0, Zb, Ib), C(MOV, 0, Zb, Ib),
	C(MOV, 0, Zb, Ib), C(MOV, 0, Zb, Ib), C(MOV, 0, Zb, Ib), C(MOV, 0, Zb, Ib),
	C(MOV, 0, Zv, Iv), C(MOV, 0, Zv, Iv), C(MOV, 0, Zv, Iv), C(MOV, 0, Zv, Iv),
	C(MOV, 0, Zv, Iv), C(MOV, 0, Zv, Iv), C(MOV, 0, Zv, Iv), C(MOV, 0, Zv, Iv),
	/* C */
	G(G2BI, 0), G(G2VI, 0), C(RET, F64, Iw), C(RET, F64),
	C(LFARPTR, I64, Gz, Mp, ES), C(LFARPTR, I64, Gz, Mp, DS), G(G11B, 0), G(G11V, 0),
	C(ENTER, D64, Iw, Ib2), C(LEAVE, D64), C(RETF, 0, Iw), C(RETF, 0),
	C(INT3, 0), C(INT, 0, Ib), C(INTO, I64), C(IRET, 0),
	/* D */
	G(G2B1, 0), G(G2V1, 0), G(G2BC, 0), G(G2VC, 0),
	C(AAM, I64, Ib), C(AAD, I64, Ib), C(SALC, I64), C(XLAT, 0),
	C(X87, 0), C(X87, 0), C(X87, 0), C(X87, 0),
	C(X87, 0), C(X87, 0), C(X87, 0), C(X87, 0),
	/* E */
	C(LOOPNE, F64, Jb), C(LOOPE, F64, Jb), C(LOOP, F64, Jb), C(JCXZ, F64, Jb),
	C(IN, 0, AL, Ib), C(IN, 0, eAX, Ib), C(OUT, 0, Ib, AL), C(OUT, 0, Ib, eAX),
	C(CALL, F64, Jz), C(JMP, F64, Jz), C(JMPF, I64, Ap), C(JMP, F64, Jb),
	C(IN, 0, AL, DX), C(IN, 0, eAX, DX), C(OUT, 0, DX, AL), C(OUT, 0, DX, eAX),
	/* F */
	U, C(INT1, 0), U, U,
	C(HLT, 0), C(CMC, 0), G(G3B, 0), G(G3V, 0),
	C(CLC, 0), C(STC, 0), C(CLI, 0), C(STI, 0),
	C(CLD, 0), C(STD, 0), G(G4, 0), G(G5, 0),
};

const struct rvm_cell rvm_cell_movsxd = C(MOVSX, 0, Gv, Ed);

#define CMOV_ROW	C(CMOV, 0, Gv, Ev), C(CMOV, 0, Gv, Ev), C(CMOV, 0, Gv, Ev), \
			C(CMOV, 0, Gv, Ev)
#define JCC_ROW		C(JCC, F64, Jz), C(JCC, F64, Jz), C(JCC, F64, Jz), C(JCC, F64, Jz)
#define SETCC_ROW	C(SETCC, 0, Eb), C(SETCC, 0, Eb), C(SETCC, 0, Eb), C(SETCC, 0, Eb)
#define BSWAP_ROW	C(BSWAP, 0, Zv), C(BSWAP, 0, Zv), C(BSWAP, 0, Zv), C(BSWAP, 0, Zv)
#define PP		P_(0)

/* Table A-3: two-byte opcodes.  PP cells continue in rvm_pfx_0f[]. */
const struct rvm_cell rvm_map_0f[256] = {
	/* 0 */
	G(G6, 0), G(G7, 0), C(LAR, 0, Gv, Ew), C(LSL, 0, Gv, Ew),
	U, C(SYSCALL, 0), C(CLTS, 0), C(SYSRET, 0),
	C(INVD, 0), C(WBINVD, 0), U, C(UD, 0),
	U, G(GP, 0), C(3DNOW, 0), C(3DNOW, 0, Pq, Qq, Ib),
	/* 1 */
	PP, PP, PP, PP,
	PP, PP, PP, PP,
	G(G16, 0), C(NOP, 0, Ev), C(NOP, 0, Ev), C(NOP, 0, Ev),
	C(NOP, 0, Ev), C(NOP, 0, Ev), C(NOP, 0, Ev), C(NOP, 0, Ev),
	/* 2 */
	C(MOV_FROM_CR, LK, Rn, Cn), C(MOV_FROM_DR, 0, Rn, Dn),
	C(MOV_TO_CR, LK, Cn, Rn), C(MOV_TO_DR, 0, Dn, Rn),
	U, U, U, U,
	PP, PP, PP, PP,
	PP, PP, PP, PP,
	/* 3 */
	C(WRMSR, 0), C(RDTSC, 0), C(RDMSR, 0), C(RDPMC, 0),
	C(SYSENTER, 0), C(SYSEXIT, 0), U, C(SMX, NP),
	U, U, U, U,
	U, U, U, U,
	/* 4 */
	CMOV_ROW,
	CMOV_ROW,
	CMOV_ROW,
	CMOV_ROW,
	/* 5 */
	PP, PP, PP, PP,
	PP, PP, PP, PP,
	PP, PP, PP, PP,
	PP, PP, PP, PP,
	/* 6 */
	PP, PP, PP, PP,
	PP, PP, PP, PP,
	PP, PP, PP, PP,
	PP, PP, PP, PP,
	/* 7 */
	PP, PP, PP, PP,
	PP, PP, PP, PP,
	PP, PP, PP, PP,
	PP, PP, PP, PP,
	/* 8 */
	JCC_ROW,
	JCC_ROW,
	JCC_ROW,
	JCC_ROW,
	/* 9 */
	SETCC_ROW,
	SETCC_ROW,
	SETCC_ROW,
	SETCC_ROW,
	/* A */
	C(PUSH_SREG, D64, FS), C(POP_SREG, D64, FS), C(CPUID, 0), C(BT, 0, Ev, Gv),
	C(SHLD, 0, Ev, Gv, Ib), C(SHLD, 0, Ev, Gv, CL), U, U,
	C(PUSH_SREG, D64, GS), C(POP_SREG, D64, GS), C(RSM, 0), C(BTS, LK, Ev, Gv),
	C(SHRD, 0, Ev, Gv, Ib), C(SHRD, 0, Ev, Gv, CL), G(G15, 0), C(IMUL2, 0, Gv, Gv, Ev),
	/* B */
	C(CMPXCHG, LK, Eb, Gb), C(CMPXCHG, LK, Ev, Gv), C(LFARPTR, 0, Gv, Mp, SS),
	C(BTR, LK, Ev, Gv),
	C(LFARPTR, 0, Gv, Mp, FS), C(LFARPTR, 0, Gv, Mp, GS), C(MOVZX, 0, Gv, Eb),
	C(MOVZX, 0, Gv, Ew),
	PP, G(G10, 0), G(G8, 0), C(BTC, LK, Ev, Gv),
	PP, PP, C(MOVSX, 0, Gv, Eb), C(MOVSX, 0, Gv, Ew),
	/* C */
	C(XADD, LK, Eb, Gb), C(XADD, LK, Ev, Gv), PP, PP,
	PP, PP, PP, G(G9, 0),
	BSWAP_ROW,
	BSWAP_ROW,
	/* D */
	PP, PP, PP, PP,
	PP, PP, PP, PP,
	PP, PP, PP, PP,
	PP, PP, PP, PP,
	/* E */
	PP, PP, PP, PP,
	PP, PP, PP, PP,
	PP, PP, PP, PP,
	PP, PP, PP, PP,
	/* F */
	PP, PP, PP, PP,
	PP, PP, PP, PP,
	PP, PP, PP, PP,
	PP, PP, PP, C(UD, 0, Gd, Ed),
};

/* Table A-6: groups, /0 to /7. */
#define G1_ROW(d, s) \
	C(ADD, LK, d, s), C(OR, LK, d, s), C(ADC, LK, d, s), C(SBB, LK, d, s), \
	C(AND, LK, d, s), C(SUB, LK, d, s), C(XOR, LK, d, s), C(CMP, 0, d, s)
static const struct rvm_cell g1b[8] = { G1_ROW(Eb, Ib) };
static const struct rvm_cell g1v[8] = { G1_ROW(Ev, Iz) };
static const struct rvm_cell g1x[8] = { G1_ROW(Ev, sIb) };

static const struct rvm_cell g1a[8] = { C(POP, D64, Ev) };

/* /6 is an alias of /4 on every CPU, though the map leaves it empty. */
#define G2_ROW(d, s) \
	C(ROL, 0, d, s), C(ROR, 0, d, s), C(RCL, 0, d, s), C(RCR, 0, d, s), \
	C(SHL, 0, d, s), C(SHR, 0, d, s), C(SAL, 0, d, s), C(SAR, 0, d, s)
static const struct rvm_cell g2b1[8] = { G2_ROW(Eb, One) };
static const struct rvm_cell g2v1[8] = { G2_ROW(Ev, One) };
static const struct rvm_cell g2bc[8] = { G2_ROW(Eb, CL) };
static const struct rvm_cell g2vc[8] = { G2_ROW(Ev, CL) };
static const struct rvm_cell g2bi[8] = { G2_ROW(Eb, Ib) };
static const struct rvm_cell g2vi[8] = { G2_ROW(Ev, Ib) };

static const struct rvm_cell g3b[8] = {
	C(TEST, 0, Eb, Ib), C(TEST, 0, Eb, Ib), C(NOT, LK, Eb), C(NEG, LK, Eb),
	C(MUL, 0, Eb), C(IMUL, 0, Eb), C(DIV, 0, Eb), C(IDIV, 0, Eb),
};

static const struct rvm_cell g3v[8] = {
	C(TEST, 0, Ev, Iz), C(TEST, 0, Ev, Iz), C(NOT, LK, Ev), C(NEG, LK, Ev),
	C(MUL, 0, Ev), C(IMUL, 0, Ev), C(DIV, 0, Ev), C(IDIV, 0, Ev),
};

static const struct rvm_cell g4[8] = { C(INC, LK, Eb), C(DEC, LK, Eb) };

static const struct rvm_cell g5_mem[8] = {
	C(INC, LK, Ev), C(DEC, LK, Ev), C(CALL, F64, Ev), C(CALLF, 0, Mp),
	C(JMP, F64, Ev), C(JMPF, 0, Mp), C(PUSH, D64, Ev), U,
};

static const struct rvm_cell g6[8] = {
	C(SLDT, 0, Ev), C(STR, 0, Ev), C(LLDT, 0, Ew), C(LTR, 0, Ew),
	C(VERR, 0, Ew), C(VERW, 0, Ew), U, U,
};

static const struct rvm_cell g7_mem[4 * 8] = {
	/* none */
	C(SGDT, 0, Ms), C(SIDT, 0, Ms), C(LGDT, 0, Ms), C(LIDT, 0, Ms),
	C(SMSW, 0, Mw), U, C(LMSW, 0, Ew), C(INVLPG, 0, M0),
	/* 66 */
	C(SGDT, 0, Ms), C(SIDT, 0, Ms), C(LGDT, 0, Ms), C(LIDT, 0, Ms),
	C(SMSW, 0, Mw), U, C(LMSW, 0, Ew), C(INVLPG, 0, M0),
	/* F3: RSTORSSP in /5 */
	C(SGDT, 0, Ms), C(SIDT, 0, Ms), C(LGDT, 0, Ms), C(LIDT, 0, Ms),
	C(SMSW, 0, Mw), C(CET, 0, Mq), C(LMSW, 0, Ew), C(INVLPG, 0, M0),
	/* F2 */
	C(SGDT, 0, Ms), C(SIDT, 0, Ms), C(LGDT, 0, Ms), C(LIDT, 0, Ms),
	C(SMSW, 0, Mw), U, C(LMSW, 0, Ew), C(INVLPG, 0, M0),
};

/* Group 7, register forms: by mandatory prefix, ModRM.reg, ModRM.rm. */
#define R8(c)	{ c, c, c, c, c, c, c, c }
/* ENCLV VMCALL VMLAUNCH VMRESUME VMXOFF PCONFIG WRMSRNS - */
#define G7_0	{ C(SGX, NP), C(HYPERCALL, 0), C(VMX, NP), C(VMX, NP), C(VMX, NP), C(SGX, NP), U, U }
/* MONITOR MWAIT CLAC STAC TDCALL SEAMRET SEAMOPS ENCLS, SEAMCALL */
#define G7_1	{ C(MONITOR, 0), C(MWAIT, 0), C(CLAC, NP), C(STAC, NP), U, U, U, C(SGX, NP) }
#define G7_1_66	{ C(MONITOR, 0), C(MWAIT, 0), U, U, C(VMX, 0), C(VMX, O64), C(VMX, O64), C(VMX, O64) }
/* XGETBV XSETBV - - VMFUNC XEND XTEST ENCLU */
#define G7_2	{ C(XGETBV, NP), C(XSETBV, NP), U, U, C(VMX, NP), C(TSX, NP), C(TSX, NP), C(SGX, NP) }
/* VMRUN VMMCALL VMLOAD VMSAVE STGI CLGI SKINIT INVLPGA */
#define G7_3	{ C(SVM, 0), C(HYPERCALL, 0), C(SVM, 0), C(SVM, 0), C(SVM, 0), C(SVM, 0), C(SVM, 0), \
		  C(SVM, 0) }
#define G7_4	R8(C(SMSW, 0, Rv))
/* SERIALIZE - - - - - RDPKRU WRPKRU */
#define G7_5	{ C(SERIALIZE, 0), U, U, U, U, U, C(RDPKRU, 0), C(WRPKRU, 0) }
/* F3: SETSSBSY - SAVEPREVSSP - UIRET TESTUI CLUI STUI; F2: XSUSLDTRK XRESLDTRK */
#define G7_5_F3	{ C(CET, 0), U, C(CET, 0), U, C(UINTR, O64), C(UINTR, O64), C(UINTR, O64), \
		  C(UINTR, O64) }
#define G7_5_F2	{ C(TSX, 0), C(TSX, 0), U, U, U, U, U, U }
#define G7_6	R8(C(LMSW, 0, Rw))
/* SWAPGS RDTSCP MONITORX (F3 MCOMMIT) MWAITX CLZERO RDPRU INVLPGB.. TLBSYNC.. */
#define G7_7(x)	{ C(SWAPGS, O64), C(RDTSCP, 0), x, C(MWAIT, 0), C(CLZERO, 0), C(RDPRU, 0), \
		  C(SNP, 0), C(SNP, 0) }

const struct rvm_cell rvm_grp7_rm[RVM_NR_PP][8][8] = {
	{ G7_0, G7_1, G7_2, G7_3, G7_4, G7_5, G7_6, G7_7(C(MONITOR, 0)) },
	{ G7_0, G7_1_66, G7_2, G7_3, G7_4, R8(U), G7_6, G7_7(C(MONITOR, 0)) },
	{ G7_0, G7_1, G7_2, G7_3, G7_4, G7_5_F3, G7_6, G7_7(C(MCOMMIT, 0)) },
	{ G7_0, G7_1, G7_2, G7_3, G7_4, G7_5_F2, G7_6, G7_7(C(MONITOR, 0)) },
};

static const struct rvm_cell g8[8] = {
	U, U, U, U,
	C(BT, 0, Ev, Ib), C(BTS, LK, Ev, Ib), C(BTR, LK, Ev, Ib), C(BTC, LK, Ev, Ib),
};

/* /1 CMPXCHG8B, /3 XRSTORS, /4 XSAVEC, /5 XSAVES, /6 VMPTRLD.., /7 VMPTRST */
static const struct rvm_cell g9_mem[4 * 8] = {
	/* none */
	U, C(CMPXCHG8B, LK, Mqdq), U, C(XRSTOR, 0, M0),
	C(XSAVE, 0, M0), C(XSAVE, 0, M0), C(VMX, 0, Mq), C(VMX, 0, Mq),
	/* 66 */
	U, C(CMPXCHG8B, LK, Mqdq), U, U,
	U, U, C(VMX, 0, Mq), U,
	/* F3 */
	U, C(CMPXCHG8B, LK, Mqdq), U, U,
	U, U, C(VMX, 0, Mq), U,
	/* F2 */
	U, C(CMPXCHG8B, LK, Mqdq), U, U,
	U, U, U, U,
};

static const struct rvm_cell g9_reg[4 * 8] = {
	/* none */
	U, U, U, U, U, U, C(RDRAND, 0, Rv), C(RDSEED, 0, Rv),
	/* 66 */
	U, U, U, U, U, U, C(RDRAND, 0, Rv), C(RDSEED, 0, Rv),
	/* F3: SENDUIPI, RDPID */
	U, U, U, U, U, U, C(UINTR, O64, Rd), C(RDPID, 0, Rn),
	/* F2 */
	U, U, U, U, U, U, U, U,
};

static const struct rvm_cell g10[8] = {
	C(UD, 0, Gd, Ed), C(UD, 0, Gd, Ed), C(UD, 0, Gd, Ed), C(UD, 0, Gd, Ed),
	C(UD, 0, Gd, Ed), C(UD, 0, Gd, Ed), C(UD, 0, Gd, Ed), C(UD, 0, Gd, Ed),
};

/* C6 F8 and C7 F8 are XABORT and XBEGIN: handled where the group is read. */
static const struct rvm_cell g11b[8] = { C(MOV, 0, Eb, Ib) };
static const struct rvm_cell g11v[8] = { C(MOV, 0, Ev, Iz) };

#define SHM	C(MMX, 0, Nq, Ib)
#define SHX	C(SSE, VX, Hx, Ux, Ib)
#define ROW_U	U, U, U, U, U, U, U, U
static const struct rvm_cell g12_reg[4 * 8] = {
	U, U, SHM, U, SHM, U, SHM, U,	U, U, SHX, U, SHX, U, SHX, U,	ROW_U,	ROW_U,
};

static const struct rvm_cell g14_reg[4 * 8] = {
	U, U, SHM, U, U, U, SHM, U,	U, U, SHX, SHX, U, U, SHX, SHX,	ROW_U,	ROW_U,
};

static const struct rvm_cell g15_mem[4 * 8] = {
	/* none */
	C(FXSAVE, 0, M0), C(FXRSTOR, 0, M0), C(LDMXCSR, VX | L0, Md), C(STMXCSR, VX | L0, Md),
	C(XSAVE, 0, M0), C(XRSTOR, 0, M0), C(XSAVE, 0, M0), C(CLFLUSH, 0, Mb),
	/* 66: CLWB, CLFLUSHOPT */
	U, U, U, U, U, U, C(CLFLUSH, 0, Mb), C(CLFLUSH, 0, Mb),
	/* F3: PTWRITE, CLRSSBSY */
	U, U, U, U, C(PTWRITE, 0, Ey), U, C(CET, 0, Mq), U,
	/* F2 */
	U, U, U, U, U, U, U, U,
};

static const struct rvm_cell g15_reg[4 * 8] = {
	/* none */
	U, U, U, U, U, C(FENCE, 0), C(FENCE, 0), C(FENCE, 0),
	/* 66: TPAUSE */
	U, U, U, U, U, U, C(WAITPKG, 0, Rd), U,
	/* F3: RDFSBASE.. PTWRITE INCSSP UMONITOR */
	C(RDFSBASE, O64, Ry), C(RDFSBASE, O64, Ry), C(WRFSBASE, O64, Ry), C(WRFSBASE, O64, Ry),
	C(PTWRITE, 0, Ey), C(CET, 0, Ry), C(WAITPKG, 0, Ra), U,
	/* F2: UMWAIT */
	U, U, U, U, U, U, C(WAITPKG, 0, Rd), U,
};

static const struct rvm_cell g16[8] = {
	C(PREFETCH, 0, Ev), C(PREFETCH, 0, Ev), C(PREFETCH, 0, Ev), C(PREFETCH, 0, Ev),
	C(NOP, 0, Ev), C(NOP, 0, Ev), C(NOP, 0, Ev), C(NOP, 0, Ev),
};

/* 0F 0D: PREFETCH, PREFETCHW; the register form is a NOP on Intel, #UD on AMD. */
static const struct rvm_cell gp_mem[8] = {
	C(PREFETCH, 0, Mb), C(PREFETCH, 0, Mb), C(PREFETCH, 0, Mb), C(PREFETCH, 0, Mb),
	C(PREFETCH, 0, Mb), C(PREFETCH, 0, Mb), C(PREFETCH, 0, Mb), C(PREFETCH, 0, Mb),
};

static const struct rvm_cell gp_reg[8] = {
	C(PREFETCH, 0, Ev), C(PREFETCH, 0, Ev), C(PREFETCH, 0, Ev), C(PREFETCH, 0, Ev),
	C(PREFETCH, 0, Ev), C(PREFETCH, 0, Ev), C(PREFETCH, 0, Ev), C(PREFETCH, 0, Ev),
};

static const struct rvm_cell g17[8] = {
	U, C(BLSR, VO | L0, By, Ey), C(BLSMSK, VO | L0, By, Ey), C(BLSI, VO | L0, By, Ey),
	U, U, U, U,
};

/* VEX 0F38 49: LDTILECFG, STTILECFG; TILERELEASE, TILEZERO */
#define TL	(VO | O64 | L0 | W0)
static const struct rvm_cell gt_mem[4 * 8] = {
	[0] = C(AMX, TL, M64),
	[8] = C(AMX, TL, M64),
};

static const struct rvm_cell gt_reg[4 * 8] = {
	[0] = C(AMX, TL, None),
	[3 * 8] = C(AMX, TL, Tg), C(AMX, TL, Tg), C(AMX, TL, Tg), C(AMX, TL, Tg),
	C(AMX, TL, Tg), C(AMX, TL, Tg), C(AMX, TL, Tg), C(AMX, TL, Tg),
};

/* F3 0F38 D8: AESENCWIDE128KL, AESDECWIDE128KL, AESENCWIDE256KL, AESDECWIDE256KL */
static const struct rvm_cell gkl_mem[8] = {
	C(KEYLOCKER, 0, M48), C(KEYLOCKER, 0, M48), C(KEYLOCKER, 0, M64), C(KEYLOCKER, 0, M64),
};

/* F3 0F3A F0: HRESET, ModRM C0 */
static const struct rvm_cell ghr_reg[8] = { C(HRESET, 0, Ib) };

static const struct rvm_cell none[4 * 8];

const struct rvm_opgroup rvm_groups[NR_GROUPS] = {
	[G1B] = { g1b, g1b }, [G1V] = { g1v, g1v }, [G1X] = { g1x, g1x },
	[G1A] = { g1a, g1a },
	[G2B1] = { g2b1, g2b1 }, [G2V1] = { g2v1, g2v1 }, [G2BC] = { g2bc, g2bc },
	[G2VC] = { g2vc, g2vc }, [G2BI] = { g2bi, g2bi }, [G2VI] = { g2vi, g2vi },
	[G3B] = { g3b, g3b }, [G3V] = { g3v, g3v },
	[G4] = { g4, g4 }, [G5] = { g5_mem, g5_mem },
	[G6] = { g6, g6 }, [G7] = { g7_mem, none, true },
	[G8] = { g8, g8 }, [G9] = { g9_mem, g9_reg, true }, [G10] = { g10, g10 },
	[G11B] = { g11b, g11b }, [G11V] = { g11v, g11v },
	[G12] = { none, g12_reg, true }, [G13] = { none, g12_reg, true },
	[G14] = { none, g14_reg, true }, [G15] = { g15_mem, g15_reg, true },
	[G16] = { g16, g16 }, [GP] = { gp_mem, gp_reg }, [G17] = { g17, g17 },
	[GT] = { gt_mem, gt_reg, true }, [GKL] = { gkl_mem, none }, [GHR] = { none, ghr_reg },
};

/*
 * Tables, escape opcodes D8..DF.  Memory forms: bytes accessed, by
 * ModRM.reg; 0 is undefined, 255 an area of a size of its own (environment,
 * state), whose size depends on the operand size.
 */
const u8 rvm_x87_mem[8][8] = {
	/* D8 */ { 4, 4, 4, 4, 4, 4, 4, 4 },
	/* D9 */ { 4, 0, 4, 4, 255, 2, 255, 2 },
	/* DA */ { 4, 4, 4, 4, 4, 4, 4, 4 },
	/* DB */ { 4, 4, 4, 4, 0, 10, 0, 10 },
	/* DC */ { 8, 8, 8, 8, 8, 8, 8, 8 },
	/* DD */ { 8, 8, 8, 8, 255, 0, 255, 2 },
	/* DE */ { 2, 2, 2, 2, 2, 2, 2, 2 },
	/* DF */ { 2, 2, 2, 2, 10, 8, 10, 8 },
};

/* Register forms: a bit per ModRM.rm that is defined, by ModRM.reg. */
const u8 rvm_x87_reg[8][8] = {
	/* D8 */ { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff },
	/* D9 */ { 0xff, 0xff, 0x01, 0xff, 0x33, 0x7f, 0xff, 0xff },
	/* DA */ { 0xff, 0xff, 0xff, 0xff, 0x00, 0x02, 0x00, 0x00 },
	/* DB */ { 0xff, 0xff, 0xff, 0xff, 0x1f, 0xff, 0xff, 0x00 },
	/* DC */ { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff },
	/* DD */ { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00, 0x00 },
	/* DE */ { 0xff, 0xff, 0xff, 0x02, 0xff, 0xff, 0xff, 0xff },
	/* DF */ { 0xff, 0xff, 0xff, 0xff, 0x01, 0xff, 0xff, 0x00 },
};
