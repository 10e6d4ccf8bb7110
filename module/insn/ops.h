/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The instructions, one name each.  Forms of one instruction share a name;
 * the operands tell them apart.
 */
#ifndef RVM_INSN_OPS_H
#define RVM_INSN_OPS_H

#define RVM_OPS(X) \
	/* no instruction */ \
	X(UD) \
	/* moves */ \
	X(MOV) X(MOVZX) X(MOVSX) X(MOVBE) X(MOVNTI) X(XCHG) X(LEA) X(BSWAP) X(XLAT) \
	X(CMOV) X(SETCC) X(CBW) X(CWD) X(LAHF) X(SAHF) X(SALC) \
	/* stack */ \
	X(PUSH) X(POP) X(PUSHA) X(POPA) X(PUSHF) X(POPF) X(ENTER) X(LEAVE) \
	/* arithmetic; the first eight in the order of group 1 */ \
	X(ADD) X(OR) X(ADC) X(SBB) X(AND) X(SUB) X(XOR) X(CMP) \
	X(TEST) X(INC) X(DEC) X(NEG) X(NOT) X(MUL) X(IMUL) X(IMUL2) X(DIV) X(IDIV) \
	X(XADD) X(CMPXCHG) X(CMPXCHG8B) X(ADCX) X(ADOX) X(CRC32) \
	X(AAA) X(AAS) X(AAM) X(AAD) X(DAA) X(DAS) \
	/* shifts, in the order of group 2 */ \
	X(ROL) X(ROR) X(RCL) X(RCR) X(SHL) X(SHR) X(SAL) X(SAR) X(SHLD) X(SHRD) \
	/* bits */ \
	X(BT) X(BTS) X(BTR) X(BTC) X(BSF) X(BSR) X(TZCNT) X(LZCNT) X(POPCNT) \
	X(ANDN) X(BEXTR) X(BLSR) X(BLSMSK) X(BLSI) X(BZHI) X(PDEP) X(PEXT) \
	X(MULX) X(RORX) X(SARX) X(SHLX) X(SHRX) \
	/* flags */ \
	X(CLC) X(STC) X(CMC) X(CLD) X(STD) X(CLI) X(STI) X(CLAC) X(STAC) \
	/* strings */ \
	X(MOVS) X(CMPS) X(STOS) X(LODS) X(SCAS) X(INS) X(OUTS) \
	/* control flow */ \
	X(JCC) X(JMP) X(CALL) X(RET) X(LOOP) X(LOOPE) X(LOOPNE) X(JCXZ) \
	X(JMPF) X(CALLF) X(RETF) X(IRET) X(INT) X(INT3) X(INT1) X(INTO) X(BOUND) \
	X(SYSCALL) X(SYSRET) X(SYSENTER) X(SYSEXIT) \
	/* segments and tables */ \
	X(MOV_FROM_SREG) X(MOV_TO_SREG) X(PUSH_SREG) X(POP_SREG) X(LFARPTR) \
	X(ARPL) X(LAR) X(LSL) X(VERR) X(VERW) X(SLDT) X(STR) X(LLDT) X(LTR) \
	X(SGDT) X(SIDT) X(LGDT) X(LIDT) X(SWAPGS) X(RDFSBASE) X(WRFSBASE) \
	/* system */ \
	X(IN) X(OUT) X(HLT) X(NOP) X(PAUSE) X(PREFETCH) X(FENCE) X(CLFLUSH) \
	X(CPUID) X(RDTSC) X(RDTSCP) X(RDPMC) X(RDMSR) X(WRMSR) X(RDPID) \
	X(MOV_FROM_CR) X(MOV_TO_CR) X(MOV_FROM_DR) X(MOV_TO_DR) X(CLTS) X(LMSW) X(SMSW) \
	X(INVLPG) X(INVPCID) X(INVD) X(WBINVD) X(XGETBV) X(XSETBV) X(HYPERCALL) \
	X(MONITOR) X(MWAIT) X(RDPKRU) X(WRPKRU) X(RDRAND) X(RDSEED) X(RSM) \
	X(SERIALIZE) X(RDPRU) X(CLZERO) X(MOVDIRI) X(MOVDIR64B) X(ENQCMD) X(WAITPKG) \
	X(MPX) X(CET) X(TSX) X(SGX) X(SMX) X(VMX) X(SVM) X(SNP) X(UINTR) X(LWP) \
	X(PTWRITE) X(KEYLOCKER) X(AMX) X(HRESET) X(MCOMMIT) \
	/* the floating-point and vector units, by register file */ \
	X(X87) X(FWAIT) X(FXSAVE) X(FXRSTOR) X(XSAVE) X(XRSTOR) X(LDMXCSR) X(STMXCSR) \
	X(MMX) X(EMMS) X(3DNOW) X(SSE) X(SSE4A) X(MASKMOV) X(AVX) X(GATHER) X(OPMASK) \
	X(FMA4) X(EVEX) X(XOP)

enum rvm_op {
#define X(n) RVM_OP_##n,
	RVM_OPS(X)
#undef X
	RVM_NR_OPS
};

#endif /* RVM_INSN_OPS_H */
