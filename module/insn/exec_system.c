// SPDX-License-Identifier: GPL-2.0
/*
 * Flags, privileged and system instructions.
 */
#include "exec.h"

int rvm_x_undefined(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	return rvm_x_ud(insn);
}

/* ---- flags ---- */

int rvm_x_clc(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	insn->cpu->rflags &= ~RVM_FL_CF;
	return 0;
}

int rvm_x_stc(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	insn->cpu->rflags |= RVM_FL_CF;
	return 0;
}

int rvm_x_cmc(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	insn->cpu->rflags ^= RVM_FL_CF;
	return 0;
}

int rvm_x_cld(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	insn->cpu->rflags &= ~RVM_FL_DF;
	return 0;
}

int rvm_x_std(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	insn->cpu->rflags |= RVM_FL_DF;
	return 0;
}

/*
 * Which flag CLI and STI act on: IF, VIF (virtual-8086 mode extensions and
 * protected-mode virtual interrupts, SDM vol. 3 §21.3, §21.4), or neither.
 */
static u64 cli_flag(const struct rvm_cpu *cpu)
{
	if (!rvm_is_protmode(cpu))
		return RVM_FL_IF;
	if (rvm_is_v86(cpu)) {
		if (rvm_iopl(cpu) == 3)
			return RVM_FL_IF;
		return cpu->cr4 & RVM_CR4_VME ? RVM_FL_VIF : 0;
	}
	if (cpu->cpl <= rvm_iopl(cpu))
		return RVM_FL_IF;
	return cpu->cpl == 3 && (cpu->cr4 & RVM_CR4_PVI) ? RVM_FL_VIF : 0;
}

int rvm_x_cli(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	u64 flag = cli_flag(insn->cpu);

	if (!flag)
		return rvm_x_gp0(insn);
	insn->cpu->rflags &= ~flag;
	return 0;
}

int rvm_x_sti(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	struct rvm_cpu *cpu = insn->cpu;
	u64 flag = cli_flag(cpu);

	if (!flag || (flag == RVM_FL_VIF && (cpu->rflags & RVM_FL_VIP)))
		return rvm_x_gp0(insn);
	if (flag == RVM_FL_IF && !(cpu->rflags & RVM_FL_IF)) {
		cpu->rflags |= RVM_FL_IF;
		return RVM_X_SHADOW_STI;
	}
	cpu->rflags |= flag;
	return 0;
}

static int set_ac(struct rvm_insn *insn, u64 ac)
{
	if (insn->cpu->cpl || (insn->hide & RVM_HIDE_SMAP))
		return rvm_x_ud(insn);
	rvm_set_flags(insn->cpu, RVM_FL_AC, ac);
	return 0;
}

int rvm_x_clac(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	return set_ac(insn, 0);
}

int rvm_x_stac(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	return set_ac(insn, RVM_FL_AC);
}

/* PUSHF and POPF in V86 mode with IOPL below 3: only 16 bits, and only with VME. */
static bool vme_flags(const struct rvm_cpu *cpu, const struct rvm_decoded *d, bool *allowed)
{
	if (!rvm_is_v86(cpu) || rvm_iopl(cpu) == 3)
		return false;
	*allowed = (cpu->cr4 & RVM_CR4_VME) && d->osize == 2;
	return true;
}

int rvm_x_pushf(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	struct rvm_cpu *cpu = insn->cpu;
	u64 fl = cpu->rflags & ~(RVM_FL_VM | RVM_FL_RF);
	struct rvm_stack s;
	bool allowed;

	if (vme_flags(cpu, d, &allowed)) {
		if (!allowed)
			return rvm_x_gp0(insn);
		fl &= ~RVM_FL_IF;
		fl |= RVM_FL_IOPL | (cpu->rflags & RVM_FL_VIF ? RVM_FL_IF : 0);
	}
	rvm_stack_begin(insn, &s);
	TRY(rvm_push(insn, &s, d->osize, fl));
	rvm_stack_commit(insn, &s);
	return 0;
}

int rvm_x_popf(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	struct rvm_cpu *cpu = insn->cpu;
	u64 mask = RVM_FL_ARITH | RVM_FL_TF | RVM_FL_DF | RVM_FL_NT, fl;
	struct rvm_stack s;
	bool allowed, vme = vme_flags(cpu, d, &allowed);

	if (vme && !allowed)
		return rvm_x_gp0(insn);
	rvm_stack_begin(insn, &s);
	TRY(rvm_pop(insn, &s, d->osize, &fl));
	if (vme) {
		if ((fl & RVM_FL_TF) || ((fl & RVM_FL_IF) && (cpu->rflags & RVM_FL_VIP)))
			return rvm_x_gp0(insn);
		mask |= RVM_FL_VIF;
		fl = (fl & ~RVM_FL_VIF) | (fl & RVM_FL_IF ? RVM_FL_VIF : 0);
	} else {
		if (!cpu->cpl)
			mask |= RVM_FL_IOPL;
		if (!rvm_is_protmode(cpu) || cpu->cpl <= rvm_iopl(cpu))
			mask |= RVM_FL_IF;
		if (d->osize != 2)
			mask |= RVM_FL_AC | RVM_FL_ID;
	}
	rvm_stack_commit(insn, &s);
	rvm_set_flags(cpu, mask, fl);
	return 0;
}

/* ---- identification, counters, MSRs ---- */

int rvm_x_hlt(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	TRY(rvm_need_cpl0(insn));
	return RVM_INSN_HALT;
}

int rvm_x_cpuid(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	struct rvm_cpu *cpu = insn->cpu;
	u32 a = cpu->gpr[RVM_RAX], b = 0, c = cpu->gpr[RVM_RCX], dx = 0;

	TRY(insn->ops->cpuid(insn, &a, &b, &c, &dx));
	__sync_synchronize();	/* serializing */
	cpu->gpr[RVM_RAX] = a;
	cpu->gpr[RVM_RBX] = b;
	cpu->gpr[RVM_RCX] = c;
	cpu->gpr[RVM_RDX] = dx;
	return 0;
}

static void set_edx_eax(struct rvm_insn *insn, u64 v)
{
	insn->cpu->gpr[RVM_RAX] = (u32)v;
	insn->cpu->gpr[RVM_RDX] = v >> 32;
}

static u64 get_edx_eax(const struct rvm_insn *insn)
{
	return (u32)insn->cpu->gpr[RVM_RAX] | insn->cpu->gpr[RVM_RDX] << 32;
}

int rvm_x_rdtsc(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	u64 v;

	if ((insn->cpu->cr4 & RVM_CR4_TSD) && insn->cpu->cpl)
		return rvm_x_gp0(insn);
	TRY(insn->ops->rdtsc(insn, &v));
	set_edx_eax(insn, v);
	return 0;
}

int rvm_x_rdtscp(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	if (insn->hide & RVM_HIDE_RDTSCP)
		return rvm_x_ud(insn);
	TRY(rvm_x_rdtsc(insn, d));
	insn->cpu->gpr[RVM_RCX] = (u32)insn->cpu->tsc_aux;
	return 0;
}

int rvm_x_rdpid(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	if (insn->hide & RVM_HIDE_RDPID)
		return rvm_x_ud(insn);
	return rvm_opnd_write(insn, d, 0, (u32)insn->cpu->tsc_aux);
}

int rvm_x_rdpmc(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	u64 v;

	if (!(insn->cpu->cr4 & RVM_CR4_PCE) && insn->cpu->cpl)
		return rvm_x_gp0(insn);
	TRY(insn->ops->rdpmc(insn, insn->cpu->gpr[RVM_RCX], &v));
	set_edx_eax(insn, v);
	return 0;
}

int rvm_x_rdmsr(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	u64 v;

	TRY(rvm_need_cpl0(insn));
	TRY(insn->ops->rdmsr(insn, insn->cpu->gpr[RVM_RCX], &v));
	set_edx_eax(insn, v);
	return 0;
}

int rvm_x_wrmsr(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	TRY(rvm_need_cpl0(insn));
	return insn->ops->wrmsr(insn, insn->cpu->gpr[RVM_RCX], get_edx_eax(insn));
}

/* ---- control and debug registers ---- */

static u64 cr_value(const struct rvm_cpu *cpu, u32 nr)
{
	switch (nr) {
	case 0:
		return cpu->cr0;
	case 2:
		return cpu->cr2;
	case 3:
		return cpu->cr3;
	case 4:
		return cpu->cr4;
	default:
		return cpu->cr8;
	}
}

int rvm_x_mov_from_cr(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	TRY(rvm_need_cpl0(insn));
	return rvm_opnd_write(insn, d, 0, cr_value(insn->cpu, d->opnd[1].reg));
}

int rvm_x_mov_to_cr(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	u64 v;

	TRY(rvm_need_cpl0(insn));
	TRY(rvm_opnd_read(insn, d, 1, &v));
	return rvm_set_cr(insn, d->opnd[0].reg, v);
}

/* DR4, DR5 are names of DR6, DR7 unless CR4.DE (SDM vol. 3 §17.2.2). */
static int check_dr(struct rvm_insn *insn, u32 *nr)
{
	struct rvm_cpu *cpu = insn->cpu;

	if (*nr == 4 || *nr == 5) {
		if (cpu->cr4 & RVM_CR4_DE)
			return rvm_x_ud(insn);
		*nr += 2;
	}
	TRY(rvm_need_cpl0(insn));
	if (cpu->dr7 & RVM_DR7_GD) {
		insn->fault = (struct rvm_fault){ .vector = RVM_DB, .dr6 = RVM_DR6_BD };
		return RVM_INSN_FAULT;
	}
	return 0;
}

int rvm_x_mov_from_dr(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	struct rvm_cpu *cpu = insn->cpu;
	u32 nr = d->opnd[1].reg;

	TRY(check_dr(insn, &nr));
	return rvm_opnd_write(insn, d, 0, nr < 4 ? cpu->dr[nr] : nr == 6 ? cpu->dr6 : cpu->dr7);
}

int rvm_x_mov_to_dr(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	u32 nr = d->opnd[0].reg;
	u64 v;

	TRY(check_dr(insn, &nr));
	TRY(rvm_opnd_read(insn, d, 1, &v));
	return insn->ops->set_dr(insn, nr, v);
}

int rvm_x_clts(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	TRY(rvm_need_cpl0(insn));
	return rvm_set_cr(insn, 0, insn->cpu->cr0 & ~RVM_CR0_TS);
}

/* Sets PE, MP, EM, TS; PE cannot be cleared. */
int rvm_x_lmsw(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	u64 cr0 = insn->cpu->cr0, v;

	TRY(rvm_need_cpl0(insn));
	TRY(rvm_opnd_read(insn, d, 0, &v));
	return rvm_set_cr(insn, 0, (cr0 & ~0xeull) | (v & 0xf));
}

/* SGDT, SIDT, SLDT, STR, SMSW outside ring 0 */
static int check_umip(struct rvm_insn *insn)
{
	if ((insn->cpu->cr4 & RVM_CR4_UMIP) && insn->cpu->cpl)
		return rvm_x_gp0(insn);
	return 0;
}

int rvm_x_smsw(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	TRY(check_umip(insn));
	return rvm_opnd_write(insn, d, 0, insn->cpu->cr0);
}

/*
 * The base is stored whole, whatever the operand size.  Limit and base are two
 * accesses, each aligned by itself (SDM vol. 3 §3.5.1), base of 8 bytes to 4.
 */
int rvm_x_store_dtr(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	const struct rvm_dtable *t = d->op == RVM_OP_SGDT ? &insn->cpu->gdtr : &insn->cpu->idtr;
	u32 len = d->opnd[0].size - 2;
	u64 ea = rvm_ea(insn, d), gla[3];

	TRY(check_umip(insn));
	TRY(rvm_linear(insn, d, d->seg, ea, 2, RVM_ACC_WRITE, &gla[0]));
	ea = (ea + 2) & rvm_mask(d->asize);
	TRY(rvm_linear(insn, d, d->seg, ea, 4, RVM_ACC_WRITE, &gla[1]));
	if (len == 8)
		TRY(rvm_linear(insn, d, d->seg, ea + 4, 4, RVM_ACC_WRITE, &gla[2]));
	TRY(rvm_probe(insn, gla[0], 2, 0));
	TRY(rvm_probe(insn, gla[1], len, 0));
	TRY(rvm_write(insn, gla[0], &t->limit, 2, 0));
	return rvm_write(insn, gla[1], &t->base, len, 0);
}

int rvm_x_load_dtr(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	struct rvm_dtable *t = d->op == RVM_OP_LGDT ? &insn->cpu->gdtr : &insn->cpu->idtr;
	u32 len = d->opnd[0].size;
	u8 image[10] = { 0 };
	u64 gla, base = 0;
	u16 limit;

	TRY(rvm_need_cpl0(insn));
	TRY(rvm_mem_addr(insn, d, len, RVM_ACC_READ, &gla));
	TRY(rvm_read(insn, gla, image, len, 0));
	memcpy(&limit, image, 2);
	memcpy(&base, image + 2, len - 2);
	/* a 16-bit operand size takes 24 bits of the base */
	if (len == 6 && d->osize == 2)
		base &= 0xffffff;
	if (len == 10 && !rvm_canonical(base, insn->cpu->cr4 & RVM_CR4_LA57))
		return rvm_x_gp0(insn);
	t->base = base;
	t->limit = limit;
	return 0;
}

/* A non-canonical address is a NOP, and the segment limit is not looked at. */
int rvm_x_invlpg(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	const struct rvm_cpu *cpu = insn->cpu;
	u64 gla = rvm_ea(insn, d);

	TRY(rvm_need_cpl0(insn));
	if (!rvm_code64(d))
		gla = (u32)(gla + cpu->seg[d->seg].base);
	else if (d->seg >= RVM_FS)
		gla += cpu->seg[d->seg].base;
	if (rvm_code64(d) && !rvm_canonical(gla, cpu->cr4 & RVM_CR4_LA57))
		return 0;
	return rvm_invlpg(insn, gla);
}

/*
 * Type 0 takes one address, 1 one PCID, 2 and 3 all with and without global
 * translations (SDM vol. 2, INVPCID).  More may be forgotten than is asked for,
 * so what is not the present PCID's one address empties the TLB.
 */
int rvm_x_invpcid(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	struct rvm_cpu *cpu = insn->cpu;
	u64 type, desc[2], gla, pcid = cpu->cr4 & RVM_CR4_PCIDE ? cpu->cr3 & 0xfff : 0;

	if (insn->hide & RVM_HIDE_INVPCID)
		return rvm_x_ud(insn);
	TRY(rvm_need_cpl0(insn));
	TRY(rvm_opnd_read(insn, d, 0, &type));
	if (type > 3)
		return rvm_x_gp0(insn);
	TRY(rvm_mem_addr(insn, d, 16, RVM_ACC_READ, &gla));
	TRY(rvm_read(insn, gla, desc, 16, 0));
	if (desc[0] >> 12)
		return rvm_x_gp0(insn);
	if (type < 2 && desc[0] && !(cpu->cr4 & RVM_CR4_PCIDE))
		return rvm_x_gp0(insn);
	if (type == 0 && !rvm_canonical(desc[1], cpu->cr4 & RVM_CR4_LA57))
		return rvm_x_gp0(insn);
	if (type == 0 && desc[0] == pcid)
		return rvm_invlpg(insn, desc[1]);
	return rvm_flush_tlb(insn);
}

int rvm_x_wbinvd(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	TRY(rvm_need_cpl0(insn));
	return insn->ops->wbinvd(insn);
}

/*
 * CLFLUSH (no prefix), CLFLUSHOPT and CLWB (66 with /7, /6): caches are
 * coherent, but the byte is checked as a load of it would be.
 */
int rvm_x_clflush(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	u64 gla;

	if (d->prefix & RVM_P_OSIZE) {
		bool clwb = (d->modrm >> 3 & 7) == 6;

		if (insn->hide & (clwb ? RVM_HIDE_CLWB : RVM_HIDE_CLFLUSHOPT))
			return rvm_x_ud(insn);
	}
	TRY(rvm_mem_addr(insn, d, 1, RVM_ACC_READ, &gla));
	return insn->ops->probe_read(insn, gla, 1, 0);
}

/* LFENCE, SFENCE, MFENCE: what this CPU has read and written is the host's to order. */
int rvm_x_fence(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	__sync_synchronize();
	return 0;
}

int rvm_x_serialize(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	if (insn->hide & RVM_HIDE_SERIALIZE)
		return rvm_x_ud(insn);
	return rvm_x_fence(insn, d);
}

/* RDRAND and RDSEED; there are always bits, so CF is always set. */
int rvm_x_rdrand(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	u64 v;

	if (insn->hide & (d->op == RVM_OP_RDRAND ? RVM_HIDE_RDRAND : RVM_HIDE_RDSEED))
		return rvm_x_ud(insn);
	TRY(insn->ops->random(insn, &v));
	TRY(rvm_opnd_write(insn, d, 0, v));
	rvm_set_flags(insn->cpu, RVM_FL_ARITH, RVM_FL_CF);
	return 0;
}

/* ---- stores of a cache line ---- */

#define LINE	64

/* CLZERO: the line that rAX points into, a segment's limits looked at for all of it */
int rvm_x_clzero(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	u64 ea = insn->cpu->gpr[RVM_RAX] & rvm_mask(d->asize) & ~(LINE - 1ull), gla;
	u8 zero[LINE] = { 0 };

	if (insn->hide & RVM_HIDE_CLZERO)
		return rvm_x_ud(insn);
	TRY(rvm_linear(insn, d, d->seg, ea, LINE, RVM_ACC_WRITE, &gla));
	return rvm_write(insn, gla, zero, LINE, 0);
}

/* MOVDIR64B: from memory to ES:reg, which is aligned. */
int rvm_x_movdir64b(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	u64 src, dst;
	u8 line[LINE];

	if (insn->hide & RVM_HIDE_MOVDIR64B)
		return rvm_x_ud(insn);
	TRY(rvm_mem_addr(insn, d, LINE, RVM_ACC_READ, &src));
	TRY(rvm_linear(insn, d, RVM_ES, rvm_reg_read(insn->cpu, d->opnd[0].reg, d->asize), LINE,
		       RVM_ACC_WRITE, &dst));
	if (dst & (LINE - 1))
		return rvm_x_gp0(insn);
	TRY(rvm_read(insn, src, line, LINE, 0));
	return rvm_write(insn, dst, line, LINE, 0);
}

int rvm_x_movdiri(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	return insn->hide & RVM_HIDE_MOVDIRI ? rvm_x_ud(insn) : rvm_x_mov(insn, d);
}

/* ---- protection keys ---- */

/* RDPKRU and WRPKRU: ECX, and of WRPKRU EDX as well, must be 0. */
int rvm_x_pkru(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	struct rvm_cpu *cpu = insn->cpu;
	bool write = d->op == RVM_OP_WRPKRU;

	if (!(cpu->cr4 & RVM_CR4_PKE))
		return rvm_x_ud(insn);
	if ((u32)cpu->gpr[RVM_RCX] || (write && (u32)cpu->gpr[RVM_RDX]))
		return rvm_x_gp0(insn);
	if (write) {
		/* translations in software carry the rights that the keys gave */
		TRY(insn->ops->flush_tlb(insn));
		cpu->pkru = cpu->gpr[RVM_RAX];
	} else {
		cpu->gpr[RVM_RAX] = cpu->pkru;
		cpu->gpr[RVM_RDX] = 0;
	}
	return 0;
}

int rvm_x_xgetbv(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	if (!(insn->cpu->cr4 & RVM_CR4_OSXSAVE))
		return rvm_x_ud(insn);
	if ((u32)insn->cpu->gpr[RVM_RCX])
		return rvm_x_gp0(insn);
	set_edx_eax(insn, insn->cpu->xcr0);
	return 0;
}

int rvm_x_xsetbv(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	if (!(insn->cpu->cr4 & RVM_CR4_OSXSAVE))
		return rvm_x_ud(insn);
	TRY(rvm_need_cpl0(insn));
	return insn->ops->set_xcr(insn, insn->cpu->gpr[RVM_RCX], get_edx_eax(insn));
}

int rvm_x_hypercall(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	if (!insn->ops->hypercall)
		return rvm_x_ud(insn);
	return insn->ops->hypercall(insn);
}

/* ---- FS and GS bases ---- */

int rvm_x_swapgs(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	struct rvm_cpu *cpu = insn->cpu;
	u64 base = cpu->seg[RVM_GS].base;

	TRY(rvm_need_cpl0(insn));
	cpu->seg[RVM_GS].base = cpu->kernel_gs_base;
	cpu->kernel_gs_base = base;
	return 0;
}

/* ModRM.reg: 0 RDFSBASE, 1 RDGSBASE, 2 WRFSBASE, 3 WRGSBASE */
int rvm_x_rdfsbase(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	if (!(insn->cpu->cr4 & RVM_CR4_FSGSBASE))
		return rvm_x_ud(insn);
	return rvm_opnd_write(insn, d, 0, insn->cpu->seg[RVM_FS + (d->modrm >> 3 & 1)].base);
}

int rvm_x_wrfsbase(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	u64 base;

	if (!(insn->cpu->cr4 & RVM_CR4_FSGSBASE))
		return rvm_x_ud(insn);
	TRY(rvm_opnd_read(insn, d, 0, &base));
	if (!rvm_canonical(base, insn->cpu->cr4 & RVM_CR4_LA57))
		return rvm_x_gp0(insn);
	insn->cpu->seg[RVM_FS + (d->modrm >> 3 & 1)].base = base;
	return 0;
}
