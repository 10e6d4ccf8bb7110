// SPDX-License-Identifier: GPL-2.0
/*
 * Opcodes told apart by a mandatory prefix: SDM vol. 2 tables A-3 (the rest of
 * it), A-4 and A-5.  One line per opcode, one column per prefix: none, 66, F3,
 * F2, as the manual stacks them in one box.
 *
 * The first word of S, M, A is the instruction's name, for the reader: these
 * instructions run on the host's own unit, so what counts is the operands.
 * Hx operands exist in the VEX form only.
 */
#include "tables.h"

#define C(op, fl, ...)	{ RVM_OP_##op, (fl), { __VA_ARGS__ } }
#define S(name, fl, ...) { RVM_OP_SSE, (fl), { __VA_ARGS__ } }		/* SSE.. */
#define M(name, ...)	{ RVM_OP_MMX, 0, { __VA_ARGS__ } }		/* MMX registers */
#define A(name, fl, ...) { RVM_OP_AVX, VO | (fl), { __VA_ARGS__ } }	/* VEX only */
#define K(name, fl, ...) { RVM_OP_OPMASK, VO | (fl), { __VA_ARGS__ } }
#define GR(grp, fl)	{ (grp), GRP | (fl), { 0 } }
#define U		{ RVM_OP_UD, 0, { 0 } }

enum {
#define T(n, c, s, r) n = OT_##n,
	RVM_OTYPES(T)
#undef T
};

/* Shapes that fill a whole line. */
#define FP4(name)	/* packed single, packed double, scalar single, scalar double */ \
	{ S(name, VX, Vx, Hx, Wx), S(name, VX, Vx, Hx, Wx), S(name, VX, Vo, Ho, Wd), \
	  S(name, VX, Vo, Ho, Wq) }
#define FP2(name)	{ S(name, VX, Vx, Hx, Wx), S(name, VX, Vx, Hx, Wx), U, U }
#define INT2(name)	/* MMX, and XMM with 66 */ \
	{ M(name, Pq, Qq), S(name, VX, Vx, Hx, Wx), U, U }
#define SHIFT2(name)	/* the count always has 128 bits */ \
	{ M(name, Pq, Qq), S(name, VX, Vx, Hx, Wo), U, U }
#define INTX(name)	/* XMM only */ \
	{ U, S(name, VX, Vx, Hx, Wx), U, U }
#define AVXX(name, fl, ...) { U, A(name, fl, __VA_ARGS__), U, U }
#define KAND(name)	{ K(name, L1, Kg, Kh, Kr), K(name, L1, Kg, Kh, Kr), U, U }

/* Table A-3, 0F xx */
const struct rvm_cell rvm_pfx_0f[256][RVM_NR_PP] = {
	[0x10] = { S(movups, VX, Vx, Wx), S(movupd, VX, Vx, Wx),
		   S(movss, VX, Vo, Hr, Wd), S(movsd, VX, Vo, Hr, Wq) },
	[0x11] = { S(movups, VX, Wx, Vx), S(movupd, VX, Wx, Vx),
		   S(movss, VX, Wd, Hr, Vo), S(movsd, VX, Wq, Hr, Vo) },
	[0x12] = { S(movlps, VX | L0, Vo, Ho, Wq), S(movlpd, VX | L0, Vo, Ho, Mq),
		   S(movsldup, VX, Vx, Wx), S(movddup, VX, Vx, Wdd) },
	[0x13] = { S(movlps, VX | L0, Mq, Vo), S(movlpd, VX | L0, Mq, Vo), U, U },
	[0x14] = FP2(unpcklps),
	[0x15] = FP2(unpckhps),
	[0x16] = { S(movhps, VX | L0, Vo, Ho, Wq), S(movhpd, VX | L0, Vo, Ho, Mq),
		   S(movshdup, VX, Vx, Wx), U },
	[0x17] = { S(movhps, VX | L0, Mq, Vo), S(movhpd, VX | L0, Mq, Vo), U, U },
	[0x28] = { S(movaps, VX, Vx, Wx), S(movapd, VX, Vx, Wx), U, U },
	[0x29] = { S(movaps, VX, Wx, Vx), S(movapd, VX, Wx, Vx), U, U },
	[0x2a] = { C(SSE, 0, Vo, Qq), C(SSE, 0, Vo, Qq),
		   S(cvtsi2ss, VX, Vo, Ho, Ey), S(cvtsi2sd, VX, Vo, Ho, Ey) },
	[0x2b] = { S(movntps, VX, Mx, Vx), S(movntpd, VX, Mx, Vx),
		   C(SSE4A, 0, Md, Vo), C(SSE4A, 0, Mq, Vo) },
	[0x2c] = { C(SSE, 0, Pq, Wq), C(SSE, 0, Pq, Wo),
		   S(cvttss2si, VX, Gy, Wd), S(cvttsd2si, VX, Gy, Wq) },
	[0x2d] = { C(SSE, 0, Pq, Wq), C(SSE, 0, Pq, Wo),
		   S(cvtss2si, VX, Gy, Wd), S(cvtsd2si, VX, Gy, Wq) },
	[0x2e] = { S(ucomiss, VX, Vo, Wd), S(ucomisd, VX, Vo, Wq), U, U },
	[0x2f] = { S(comiss, VX, Vo, Wd), S(comisd, VX, Vo, Wq), U, U },
	/* opmask registers: VEX forms only; W chooses the width */
	[0x41] = KAND(kand),
	[0x42] = KAND(kandn),
	[0x44] = { K(knot, L0, Kg, Kr), K(knot, L0, Kg, Kr), U, U },
	[0x45] = KAND(kor),
	[0x46] = KAND(kxnor),
	[0x47] = KAND(kxor),
	[0x4a] = KAND(kadd),
	[0x4b] = { K(kunpck, L1, Kg, Kh, Kr), K(kunpckbw, L1 | W0, Kg, Kh, Kr), U, U },
	[0x50] = { S(movmskps, VX, Gd, Ux), S(movmskpd, VX, Gd, Ux), U, U },
	[0x51] = { S(sqrtps, VX, Vx, Wx), S(sqrtpd, VX, Vx, Wx),
		   S(sqrtss, VX, Vo, Ho, Wd), S(sqrtsd, VX, Vo, Ho, Wq) },
	[0x52] = { S(rsqrtps, VX, Vx, Wx), U, S(rsqrtss, VX, Vo, Ho, Wd), U },
	[0x53] = { S(rcpps, VX, Vx, Wx), U, S(rcpss, VX, Vo, Ho, Wd), U },
	[0x54] = FP2(andps),
	[0x55] = FP2(andnps),
	[0x56] = FP2(orps),
	[0x57] = FP2(xorps),
	[0x58] = FP4(addps),
	[0x59] = FP4(mulps),
	[0x5a] = { S(cvtps2pd, VX, Vx, Wx2), S(cvtpd2ps, VX, Vo, Wx),
		   S(cvtss2sd, VX, Vo, Ho, Wd), S(cvtsd2ss, VX, Vo, Ho, Wq) },
	[0x5b] = { S(cvtdq2ps, VX, Vx, Wx), S(cvtps2dq, VX, Vx, Wx),
		   S(cvttps2dq, VX, Vx, Wx), U },
	[0x5c] = FP4(subps),
	[0x5d] = FP4(minps),
	[0x5e] = FP4(divps),
	[0x5f] = FP4(maxps),
	[0x60] = { M(punpcklbw, Pq, Qd), S(punpcklbw, VX, Vx, Hx, Wx), U, U },
	[0x61] = { M(punpcklwd, Pq, Qd), S(punpcklwd, VX, Vx, Hx, Wx), U, U },
	[0x62] = { M(punpckldq, Pq, Qd), S(punpckldq, VX, Vx, Hx, Wx), U, U },
	[0x63] = INT2(packsswb),
	[0x64] = INT2(pcmpgtb),
	[0x65] = INT2(pcmpgtw),
	[0x66] = INT2(pcmpgtd),
	[0x67] = INT2(packuswb),
	[0x68] = INT2(punpckhbw),
	[0x69] = INT2(punpckhwd),
	[0x6a] = INT2(punpckhdq),
	[0x6b] = INT2(packssdw),
	[0x6c] = INTX(punpcklqdq),
	[0x6d] = INTX(punpckhqdq),
	[0x6e] = { M(movd, Pq, Ey), S(movd, VX | L0, Vo, Ey), U, U },
	[0x6f] = { M(movq, Pq, Qq), S(movdqa, VX, Vx, Wx), S(movdqu, VX, Vx, Wx), U },
	[0x70] = { M(pshufw, Pq, Qq, Ib), S(pshufd, VX, Vx, Wx, Ib),
		   S(pshufhw, VX, Vx, Wx, Ib), S(pshuflw, VX, Vx, Wx, Ib) },
	[0x71] = { GR(G12, 0), GR(G12, 0), U, U },
	[0x72] = { GR(G13, 0), GR(G13, 0), U, U },
	[0x73] = { GR(G14, 0), GR(G14, 0), U, U },
	[0x74] = INT2(pcmpeqb),
	[0x75] = INT2(pcmpeqw),
	[0x76] = INT2(pcmpeqd),
	[0x77] = { C(EMMS, VX), U, U, U },
	[0x78] = { C(VMX, 0, En, Gn), C(SSE4A, 0, Uo, Ib, Ib2), U, C(SSE4A, 0, Vo, Uo, Ib, Ib2) },
	[0x79] = { C(VMX, 0, Gn, En), C(SSE4A, 0, Vo, Uo), U, C(SSE4A, 0, Vo, Uo) },
	[0x7c] = { U, S(haddpd, VX, Vx, Hx, Wx), U, S(haddps, VX, Vx, Hx, Wx) },
	[0x7d] = { U, S(hsubpd, VX, Vx, Hx, Wx), U, S(hsubps, VX, Vx, Hx, Wx) },
	[0x7e] = { M(movd, Ey, Pq), S(movd, VX | L0, Ey, Vo), S(movq, VX | L0, Vo, Wq), U },
	[0x7f] = { M(movq, Qq, Pq), S(movdqa, VX, Wx, Vx), S(movdqu, VX, Wx, Vx), U },
	[0x90] = { K(kmovw, L0, Kg, Kwq), K(kmovb, L0, Kg, Kbd), U, U },
	[0x91] = { K(kmovw, L0, Mwq, Kg), K(kmovb, L0, Mbd, Kg), U, U },
	[0x92] = { K(kmovw, L0 | W0, Kg, Rd), K(kmovb, L0 | W0, Kg, Rd), U, K(kmovd, L0, Kg, Ry) },
	[0x93] = { K(kmovw, L0 | W0, Gd, Kr), K(kmovb, L0 | W0, Gd, Kr), U, K(kmovd, L0, Gy, Kr) },
	[0x98] = { K(kortest, L0, Kg, Kr), K(kortest, L0, Kg, Kr), U, U },
	[0x99] = { K(ktest, L0, Kg, Kr), K(ktest, L0, Kg, Kr), U, U },
	[0xb8] = { U, U, C(POPCNT, 0, Gv, Ev), U },
	[0xbc] = { C(BSF, 0, Gv, Ev), C(BSF, 0, Gv, Ev), C(TZCNT, 0, Gv, Ev), U },
	[0xbd] = { C(BSR, 0, Gv, Ev), C(BSR, 0, Gv, Ev), C(LZCNT, 0, Gv, Ev), U },
	[0xc2] = { S(cmpps, VX, Vx, Hx, Wx, Ib), S(cmppd, VX, Vx, Hx, Wx, Ib),
		   S(cmpss, VX, Vo, Ho, Wd, Ib), S(cmpsd, VX, Vo, Ho, Wq, Ib) },
	[0xc3] = { C(MOVNTI, 0, My, Gy), U, U, U },
	[0xc4] = { M(pinsrw, Pq, Rd_Mw, Ib), S(pinsrw, VX | L0, Vo, Ho, Rd_Mw, Ib), U, U },
	[0xc5] = { M(pextrw, Gd, Nq, Ib), S(pextrw, VX | L0, Gd, Uo, Ib), U, U },
	[0xc6] = { S(shufps, VX, Vx, Hx, Wx, Ib), S(shufpd, VX, Vx, Hx, Wx, Ib), U, U },
	[0xd0] = { U, S(addsubpd, VX, Vx, Hx, Wx), U, S(addsubps, VX, Vx, Hx, Wx) },
	[0xd1] = SHIFT2(psrlw),
	[0xd2] = SHIFT2(psrld),
	[0xd3] = SHIFT2(psrlq),
	[0xd4] = INT2(paddq),
	[0xd5] = INT2(pmullw),
	[0xd6] = { U, S(movq, VX | L0, Wq, Vo), C(SSE, 0, Vo, Nq), C(SSE, 0, Pq, Uo) },
	[0xd7] = { M(pmovmskb, Gd, Nq), S(pmovmskb, VX, Gd, Ux), U, U },
	[0xd8] = INT2(psubusb),
	[0xd9] = INT2(psubusw),
	[0xda] = INT2(pminub),
	[0xdb] = INT2(pand),
	[0xdc] = INT2(paddusb),
	[0xdd] = INT2(paddusw),
	[0xde] = INT2(pmaxub),
	[0xdf] = INT2(pandn),
	[0xe0] = INT2(pavgb),
	[0xe1] = SHIFT2(psraw),
	[0xe2] = SHIFT2(psrad),
	[0xe3] = INT2(pavgw),
	[0xe4] = INT2(pmulhuw),
	[0xe5] = INT2(pmulhw),
	[0xe6] = { U, S(cvttpd2dq, VX, Vo, Wx), S(cvtdq2pd, VX, Vx, Wx2), S(cvtpd2dq, VX, Vo, Wx) },
	[0xe7] = { M(movntq, Mq, Pq), S(movntdq, VX, Mx, Vx), U, U },
	[0xe8] = INT2(psubsb),
	[0xe9] = INT2(psubsw),
	[0xea] = INT2(pminsw),
	[0xeb] = INT2(por),
	[0xec] = INT2(paddsb),
	[0xed] = INT2(paddsw),
	[0xee] = INT2(pmaxsw),
	[0xef] = INT2(pxor),
	[0xf0] = { U, U, U, S(lddqu, VX, Vx, Mx) },
	[0xf1] = SHIFT2(psllw),
	[0xf2] = SHIFT2(pslld),
	[0xf3] = SHIFT2(psllq),
	[0xf4] = INT2(pmuludq),
	[0xf5] = INT2(pmaddwd),
	[0xf6] = INT2(psadbw),
	[0xf7] = { C(MASKMOV, 0, Pq, Nq), C(MASKMOV, VX | L0, Vo, Uo), U, U },
	[0xf8] = INT2(psubb),
	[0xf9] = INT2(psubw),
	[0xfa] = INT2(psubd),
	[0xfb] = INT2(psubq),
	[0xfc] = INT2(paddb),
	[0xfd] = INT2(paddw),
	[0xfe] = INT2(paddd),
};

/* packed and scalar forms of the fused multiply-adds */
#define FMAP(name)	AVXX(name, 0, Vx, Hx, Wx)
#define FMAS(name)	AVXX(name, 0, Vo, Ho, Wsd)
#define MOVX(name, w)	{ U, S(name, VX, Vx, w), U, U }
#define PABS(name)	{ M(name, Pq, Qq), S(name, VX, Vx, Wx), U, U }
#define VNNI(name)	AVXX(name, W0, Vx, Hx, Wx)
#define GATH(name)	{ U, { RVM_OP_GATHER, VO, { Vx, VM, Hx } }, U, U }
#define GATHQ(name)	{ U, { RVM_OP_GATHER, VO, { Vg, VM, Hg } }, U, U }
#define KL(name, ...)	{ U, U, C(KEYLOCKER, 0, __VA_ARGS__), U }
#define TILE(op, ...)	{ RVM_OP_AMX, VO | O64 | L0 | W0, { __VA_ARGS__ } }

#define MASK(name, fl, ...) { U, { RVM_OP_MASKMOV, VO | (fl), { __VA_ARGS__ } }, U, U }

/* Table A-4, 0F 38 xx */
const struct rvm_cell rvm_pfx_0f38[256][RVM_NR_PP] = {
	[0x00] = INT2(pshufb),
	[0x01] = INT2(phaddw),
	[0x02] = INT2(phaddd),
	[0x03] = INT2(phaddsw),
	[0x04] = INT2(pmaddubsw),
	[0x05] = INT2(phsubw),
	[0x06] = INT2(phsubd),
	[0x07] = INT2(phsubsw),
	[0x08] = INT2(psignb),
	[0x09] = INT2(psignw),
	[0x0a] = INT2(psignd),
	[0x0b] = INT2(pmulhrsw),
	[0x0c] = AVXX(vpermilps, W0, Vx, Hx, Wx),
	[0x0d] = AVXX(vpermilpd, W0, Vx, Hx, Wx),
	[0x0e] = AVXX(vtestps, W0, Vx, Wx),
	[0x0f] = AVXX(vtestpd, W0, Vx, Wx),
	[0x10] = { U, C(SSE, 0, Vo, Wo), U, U },		/* pblendvb */
	[0x13] = AVXX(vcvtph2ps, W0, Vx, Wx2),
	[0x14] = { U, C(SSE, 0, Vo, Wo), U, U },		/* blendvps */
	[0x15] = { U, C(SSE, 0, Vo, Wo), U, U },		/* blendvpd */
	[0x16] = AVXX(vpermps, L1 | W0, Vx, Hx, Wx),
	[0x17] = { U, S(ptest, VX, Vx, Wx), U, U },
	[0x18] = AVXX(vbroadcastss, W0, Vx, Wd),
	[0x19] = AVXX(vbroadcastsd, W0 | L1, Vx, Wq),
	[0x1a] = AVXX(vbroadcastf128, W0 | L1, Vx, Mdq),
	[0x1c] = PABS(pabsb),
	[0x1d] = PABS(pabsw),
	[0x1e] = PABS(pabsd),
	[0x20] = MOVX(pmovsxbw, Wx2),
	[0x21] = MOVX(pmovsxbd, Wx4),
	[0x22] = MOVX(pmovsxbq, Wx8),
	[0x23] = MOVX(pmovsxwd, Wx2),
	[0x24] = MOVX(pmovsxwq, Wx4),
	[0x25] = MOVX(pmovsxdq, Wx2),
	[0x28] = INTX(pmuldq),
	[0x29] = INTX(pcmpeqq),
	[0x2a] = { U, S(movntdqa, VX, Vx, Mx), U, U },
	[0x2b] = INTX(packusdw),
	[0x2c] = MASK(vmaskmovps, W0, Vx, Hx, Mx),
	[0x2d] = MASK(vmaskmovpd, W0, Vx, Hx, Mx),
	[0x2e] = MASK(vmaskmovps, W0, Mx, Hx, Vx),
	[0x2f] = MASK(vmaskmovpd, W0, Mx, Hx, Vx),
	[0x30] = MOVX(pmovzxbw, Wx2),
	[0x31] = MOVX(pmovzxbd, Wx4),
	[0x32] = MOVX(pmovzxbq, Wx8),
	[0x33] = MOVX(pmovzxwd, Wx2),
	[0x34] = MOVX(pmovzxwq, Wx4),
	[0x35] = MOVX(pmovzxdq, Wx2),
	[0x36] = AVXX(vpermd, L1 | W0, Vx, Hx, Wx),
	[0x37] = INTX(pcmpgtq),
	[0x38] = INTX(pminsb),
	[0x39] = INTX(pminsd),
	[0x3a] = INTX(pminuw),
	[0x3b] = INTX(pminud),
	[0x3c] = INTX(pmaxsb),
	[0x3d] = INTX(pmaxsd),
	[0x3e] = INTX(pmaxuw),
	[0x3f] = INTX(pmaxud),
	[0x40] = INTX(pmulld),
	[0x41] = { U, S(phminposuw, VX | L0, Vo, Wo), U, U },
	[0x45] = AVXX(vpsrlv, 0, Vx, Hx, Wx),
	[0x46] = AVXX(vpsravd, W0, Vx, Hx, Wx),
	[0x47] = AVXX(vpsllv, 0, Vx, Hx, Wx),
	[0x49] = { GR(GT, VO), GR(GT, VO), GR(GT, VO), GR(GT, VO) },
	[0x4b] = { U, TILE(tileloaddt1, Tg, TM), TILE(tilestored, TM, Tg), TILE(tileloadd, Tg, TM) },
	[0x50] = { A(vpdpbuud, W0, Vx, Hx, Wx), A(vpdpbusd, W0, Vx, Hx, Wx),
		   A(vpdpbsud, W0, Vx, Hx, Wx), A(vpdpbssd, W0, Vx, Hx, Wx) },
	[0x51] = { A(vpdpbuuds, W0, Vx, Hx, Wx), A(vpdpbusds, W0, Vx, Hx, Wx),
		   A(vpdpbsuds, W0, Vx, Hx, Wx), A(vpdpbssds, W0, Vx, Hx, Wx) },
	[0x52] = VNNI(vpdpwssd),
	[0x53] = VNNI(vpdpwssds),
	[0x58] = AVXX(vpbroadcastd, W0, Vx, Wd),
	[0x59] = AVXX(vpbroadcastq, W0, Vx, Wq),
	[0x5a] = AVXX(vbroadcasti128, W0 | L1, Vx, Mdq),
	[0x5c] = { U, U, TILE(tdpbf16ps, Tg, Tr, Th), TILE(tdpfp16ps, Tg, Tr, Th) },
	[0x5e] = { TILE(tdpbuud, Tg, Tr, Th), TILE(tdpbusd, Tg, Tr, Th),
		   TILE(tdpbsud, Tg, Tr, Th), TILE(tdpbssd, Tg, Tr, Th) },
	[0x72] = { U, U, A(vcvtneps2bf16, W0, Vo, Wx), U },
	[0x78] = AVXX(vpbroadcastb, W0, Vx, Wb),
	[0x79] = AVXX(vpbroadcastw, W0, Vx, Ww),
	[0x80] = { U, C(VMX, 0, Gn, Mdq), U, U },		/* INVEPT */
	[0x81] = { U, C(VMX, 0, Gn, Mdq), U, U },		/* INVVPID */
	[0x82] = { U, C(INVPCID, 0, Gn, Mdq), U, U },
	[0x8c] = MASK(vpmaskmov, 0, Vx, Hx, Mx),
	[0x8e] = MASK(vpmaskmov, 0, Mx, Hx, Vx),
	[0x90] = GATH(vpgatherdd),
	[0x91] = GATHQ(vpgatherqd),
	[0x92] = GATH(vgatherdps),
	[0x93] = GATHQ(vgatherqps),
	[0x96] = FMAP(vfmaddsub132),	[0x97] = FMAP(vfmsubadd132),
	[0x98] = FMAP(vfmadd132),	[0x99] = FMAS(vfmadd132),
	[0x9a] = FMAP(vfmsub132),	[0x9b] = FMAS(vfmsub132),
	[0x9c] = FMAP(vfnmadd132),	[0x9d] = FMAS(vfnmadd132),
	[0x9e] = FMAP(vfnmsub132),	[0x9f] = FMAS(vfnmsub132),
	[0xa6] = FMAP(vfmaddsub213),	[0xa7] = FMAP(vfmsubadd213),
	[0xa8] = FMAP(vfmadd213),	[0xa9] = FMAS(vfmadd213),
	[0xaa] = FMAP(vfmsub213),	[0xab] = FMAS(vfmsub213),
	[0xac] = FMAP(vfnmadd213),	[0xad] = FMAS(vfnmadd213),
	[0xae] = FMAP(vfnmsub213),	[0xaf] = FMAS(vfnmsub213),
	[0xb0] = { A(vcvtneoph2ps, W0, Vx, Mx), A(vcvtneeph2ps, W0, Vx, Mx),
		   A(vcvtneebf162ps, W0, Vx, Mx), A(vcvtneobf162ps, W0, Vx, Mx) },
	[0xb1] = { U, A(vbcstnesh2ps, W0, Vx, Mw), A(vbcstnebf162ps, W0, Vx, Mw), U },
	[0xb4] = AVXX(vpmadd52luq, W1, Vx, Hx, Wx),
	[0xb5] = AVXX(vpmadd52huq, W1, Vx, Hx, Wx),
	[0xb6] = FMAP(vfmaddsub231),	[0xb7] = FMAP(vfmsubadd231),
	[0xb8] = FMAP(vfmadd231),	[0xb9] = FMAS(vfmadd231),
	[0xba] = FMAP(vfmsub231),	[0xbb] = FMAS(vfmsub231),
	[0xbc] = FMAP(vfnmadd231),	[0xbd] = FMAS(vfnmadd231),
	[0xbe] = FMAP(vfnmsub231),	[0xbf] = FMAS(vfnmsub231),
	[0xc8] = { C(SSE, 0, Vo, Wo), U, U, U },		/* sha1nexte */
	[0xc9] = { C(SSE, 0, Vo, Wo), U, U, U },		/* sha1msg1 */
	[0xca] = { C(SSE, 0, Vo, Wo), U, U, U },		/* sha1msg2 */
	[0xcb] = { C(SSE, 0, Vo, Wo), U, U, U },		/* sha256rnds2 */
	[0xcc] = { C(SSE, 0, Vo, Wo), U, U, U },		/* sha256msg1 */
	[0xcd] = { C(SSE, 0, Vo, Wo), U, U, U },		/* sha256msg2 */
	[0xcf] = { U, S(gf2p8mulb, VX | W0, Vx, Hx, Wx), U, U },
	[0xd8] = { U, U, GR(GKL, 0), U },
	[0xdb] = { U, S(aesimc, VX | L0, Vo, Wo), U, U },
	[0xdc] = { U, S(aesenc, VX, Vx, Hx, Wx), C(KEYLOCKER, 0, Vo, W48), U },
	[0xdd] = { U, S(aesenclast, VX, Vx, Hx, Wx), C(KEYLOCKER, 0, Vo, M48), U },
	[0xde] = { U, S(aesdec, VX, Vx, Hx, Wx), C(KEYLOCKER, 0, Vo, M64), U },
	[0xdf] = { U, S(aesdeclast, VX, Vx, Hx, Wx), C(KEYLOCKER, 0, Vo, M64), U },
	[0xf0] = { C(MOVBE, 0, Gv, Mv), C(MOVBE, 0, Gv, Mv), U, C(CRC32, 0, Gy, Eb) },
	[0xf1] = { C(MOVBE, 0, Mv, Gv), C(MOVBE, 0, Mv, Gv), U, C(CRC32, 0, Gy, Ev) },
	[0xf2] = { C(ANDN, VO | L0, Gy, By, Ey), U, U, U },
	[0xf3] = { GR(G17, VO), U, U, U },
	[0xf5] = { C(BZHI, VO | L0, Gy, Ey, By), C(CET, 0, My, Gy),
		   C(PEXT, VO | L0, Gy, By, Ey), C(PDEP, VO | L0, Gy, By, Ey) },
	[0xf6] = { C(CET, 0, My, Gy), C(ADCX, 0, Gy, Ey),
		   C(ADOX, 0, Gy, Ey), C(MULX, VO | L0, Gy, By, Ey) },
	[0xf7] = { C(BEXTR, VO | L0, Gy, Ey, By), C(SHLX, VO | L0, Gy, Ey, By),
		   C(SARX, VO | L0, Gy, Ey, By), C(SHRX, VO | L0, Gy, Ey, By) },
	[0xf8] = { U, C(MOVDIR64B, 0, Ga, M64), C(ENQCMD, 0, Ga, M64), C(ENQCMD, 0, Ga, M64) },
	[0xf9] = { C(MOVDIRI, 0, My, Gy), U, U, U },
	[0xfa] = KL(encodekey128, Gd, Rd),
	[0xfb] = KL(encodekey256, Gd, Rd),
};

#define FMA4(name, w)	{ U, { RVM_OP_FMA4, VO, { Vx, Hx, w, Lx } }, U, U }
#define FMA4S(name, w)	{ U, { RVM_OP_FMA4, VO, { Vo, Ho, w, Lo } }, U, U }
#define IMM3(name)	{ U, S(name, VX, Vx, Hx, Wx, Ib), U, U }
#define IMM2(name)	{ U, S(name, VX, Vx, Wx, Ib), U, U }

/* Table A-5, 0F 3A xx */
const struct rvm_cell rvm_pfx_0f3a[256][RVM_NR_PP] = {
	[0x00] = AVXX(vpermq, L1 | W1, Vx, Wx, Ib),
	[0x01] = AVXX(vpermpd, L1 | W1, Vx, Wx, Ib),
	[0x02] = AVXX(vpblendd, W0, Vx, Hx, Wx, Ib),
	[0x04] = AVXX(vpermilps, W0, Vx, Wx, Ib),
	[0x05] = AVXX(vpermilpd, W0, Vx, Wx, Ib),
	[0x06] = AVXX(vperm2f128, L1 | W0, Vx, Hx, Wx, Ib),
	[0x08] = IMM2(roundps),
	[0x09] = IMM2(roundpd),
	[0x0a] = { U, S(roundss, VX, Vo, Ho, Wd, Ib), U, U },
	[0x0b] = { U, S(roundsd, VX, Vo, Ho, Wq, Ib), U, U },
	[0x0c] = IMM3(blendps),
	[0x0d] = IMM3(blendpd),
	[0x0e] = IMM3(pblendw),
	[0x0f] = { M(palignr, Pq, Qq, Ib), S(palignr, VX, Vx, Hx, Wx, Ib), U, U },
	[0x14] = { U, S(pextrb, VX | L0, Rb_Mb, Vo, Ib), U, U },
	[0x15] = { U, S(pextrw, VX | L0, Rd_Mw, Vo, Ib), U, U },
	[0x16] = { U, S(pextrd, VX | L0, Ey, Vo, Ib), U, U },
	[0x17] = { U, S(extractps, VX | L0, Ed, Vo, Ib), U, U },
	[0x18] = AVXX(vinsertf128, L1 | W0, Vx, Hx, Wo, Ib),
	[0x19] = AVXX(vextractf128, L1 | W0, Wo, Vx, Ib),
	[0x1d] = AVXX(vcvtps2ph, W0, Wx2, Vx, Ib),
	[0x20] = { U, S(pinsrb, VX | L0, Vo, Ho, Rb_Mb, Ib), U, U },
	[0x21] = { U, S(insertps, VX | L0, Vo, Ho, Wd, Ib), U, U },
	[0x22] = { U, S(pinsrd, VX | L0, Vo, Ho, Ey, Ib), U, U },
	[0x30] = AVXX(kshiftr, L0, Kg, Kr, Ib),
	[0x31] = AVXX(kshiftr, L0, Kg, Kr, Ib),
	[0x32] = AVXX(kshiftl, L0, Kg, Kr, Ib),
	[0x33] = AVXX(kshiftl, L0, Kg, Kr, Ib),
	[0x38] = AVXX(vinserti128, L1 | W0, Vx, Hx, Wo, Ib),
	[0x39] = AVXX(vextracti128, L1 | W0, Wo, Vx, Ib),
	[0x40] = IMM3(dpps),
	[0x41] = { U, S(dppd, VX | L0, Vo, Ho, Wo, Ib), U, U },
	[0x42] = IMM3(mpsadbw),
	[0x44] = IMM3(pclmulqdq),
	[0x46] = AVXX(vperm2i128, L1 | W0, Vx, Hx, Wx, Ib),
	/* VPERMIL2 and FMA4: with VEX.W the last two operands change places */
	[0x48] = FMA4(vpermil2ps, Wx),	[0x49] = FMA4(vpermil2pd, Wx),
	[0x4a] = AVXX(vblendvps, W0, Vx, Hx, Wx, Lx),
	[0x4b] = AVXX(vblendvpd, W0, Vx, Hx, Wx, Lx),
	[0x4c] = AVXX(vpblendvb, W0, Vx, Hx, Wx, Lx),
	[0x5c] = FMA4(vfmaddsubps, Wx),	[0x5d] = FMA4(vfmaddsubpd, Wx),
	[0x5e] = FMA4(vfmsubaddps, Wx),	[0x5f] = FMA4(vfmsubaddpd, Wx),
	[0x60] = { U, S(pcmpestrm, VX | L0, Vo, Wo, Ib), U, U },
	[0x61] = { U, S(pcmpestri, VX | L0, Vo, Wo, Ib), U, U },
	[0x62] = { U, S(pcmpistrm, VX | L0, Vo, Wo, Ib), U, U },
	[0x63] = { U, S(pcmpistri, VX | L0, Vo, Wo, Ib), U, U },
	[0x68] = FMA4(vfmaddps, Wx),	[0x69] = FMA4(vfmaddpd, Wx),
	[0x6a] = FMA4S(vfmaddss, Wd),	[0x6b] = FMA4S(vfmaddsd, Wq),
	[0x6c] = FMA4(vfmsubps, Wx),	[0x6d] = FMA4(vfmsubpd, Wx),
	[0x6e] = FMA4S(vfmsubss, Wd),	[0x6f] = FMA4S(vfmsubsd, Wq),
	[0x78] = FMA4(vfnmaddps, Wx),	[0x79] = FMA4(vfnmaddpd, Wx),
	[0x7a] = FMA4S(vfnmaddss, Wd),	[0x7b] = FMA4S(vfnmaddsd, Wq),
	[0x7c] = FMA4(vfnmsubps, Wx),	[0x7d] = FMA4(vfnmsubpd, Wx),
	[0x7e] = FMA4S(vfnmsubss, Wd),	[0x7f] = FMA4S(vfnmsubsd, Wq),
	[0xcc] = { C(SSE, 0, Vo, Wo, Ib), U, U, U },		/* sha1rnds4 */
	[0xce] = { U, S(gf2p8affineqb, VX | W1, Vx, Hx, Wx, Ib), U, U },
	[0xcf] = { U, S(gf2p8affineinvqb, VX | W1, Vx, Hx, Wx, Ib), U, U },
	[0xdf] = { U, S(aeskeygenassist, VX | L0, Vo, Wo, Ib), U, U },
	[0xf0] = { U, U, GR(GHR, 0), C(RORX, VO | L0, Gy, Ey, Ib) },
};
