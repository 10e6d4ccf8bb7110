// SPDX-License-Identifier: GPL-2.0
/*
 * The interpreter's callbacks in the kernel, and the accesses that userspace
 * has to complete.
 *
 * An emulated instruction is a transaction (insn/insn.h).  When it needs a
 * device that lives in userspace, the attempt is dropped and the access goes
 * out through kvm_run; when KVM_RUN comes back the instruction runs again from
 * its start and finds the answer in v->replay.  A write needs no answer: it is
 * posted, that is, put into kvm_run while the instruction goes on; only a
 * second device access of the same instruction makes it wait.
 */
#include "ringvm.h"
#include "mode.h"
#include "cpu/cpu.h"
#include "irq/irq.h"
#include "mmu/mmu.h"
#include "trace.h"

#include <linux/kvm_para.h>
#include <linux/random.h>
#include <asm/cpufeature.h>

enum rvm_replay_kind { RVM_REPLAY_READ, RVM_REPLAY_WRITE };

static struct rvm_vcpu *insn_vcpu(struct rvm_insn *insn)
{
	return insn->priv;
}

static int rvm_insn_gp(struct rvm_insn *insn)
{
	insn->fault = (struct rvm_fault) { .vector = RVM_GP, .has_error = true };
	return RVM_INSN_FAULT;
}

static int rvm_unhandled(struct rvm_insn *insn, const char *reason)
{
	insn->reason = reason;
	return RVM_INSN_UNHANDLED;
}

/* ---- the replay log -------------------------------------------------------- */

static void rvm_replay_reset(struct rvm_vcpu *v)
{
	v->replay.n = 0;
	v->replay.pos = 0;
	v->replay.wait = RVM_WAIT_NONE;
	v->replay.pio_done = false;
	v->replay.posted = false;
}

/* The device register at @gpa as this attempt has just read it, if it has. */
static bool rvm_replay_last_read(struct rvm_vcpu *v, u64 gpa, void *data, u32 len)
{
	const struct rvm_replay *rp = &v->replay;
	const struct rvm_replay_entry *e;

	if (!rp->pos)
		return false;
	e = &rp->e[rp->pos - 1];
	if (e->kind != RVM_REPLAY_READ || e->addr != gpa || e->len != len)
		return false;
	memcpy(data, e->data, len);
	return true;
}

/* Device access of at most 8 bytes.  RVM_INSN_OK, _EXIT or _UNHANDLED. */
static int rvm_mmio(struct rvm_insn *insn, u64 gpa, void *data, u32 len, bool write)
{
	struct rvm_vcpu *v = insn_vcpu(insn);
	struct rvm_replay *rp = &v->replay;
	struct kvm_run *run = v->run;
	struct rvm_replay_entry *e;
	u8 kind = write ? RVM_REPLAY_WRITE : RVM_REPLAY_READ;

	if (rp->delivering)
		return rvm_unhandled(insn, "event delivery touched device memory");
	/* Reading a chip in the kernel has no effect, so it need not be in the log, and
	 * must not be: the run goes on behind it. */
	if (!write && rvm_irq_mmio(v, gpa, data, len, false)) {
		trace_rvm_mmio(v, false, gpa, len, data);
		/* but the client may want to know of it */
		if (v->lapic && unlikely(v->lapic->tpr_access))
			rvm_insn_stop(insn);
		return RVM_INSN_OK;
	}
	if (rp->pos < rp->n) {
		e = &rp->e[rp->pos];
		if (e->addr == gpa && e->len == len && e->kind == kind) {
			rp->pos++;
			if (!write)
				memcpy(data, e->data, len);
			return RVM_INSN_OK;
		}
		/* The guest changed under the instruction (another vCPU wrote its
		 * bytes or its page tables): what is left of the log is void. */
		rp->n = rp->pos;
		rp->pio_done = false;
	}
	if (rp->posted)
		return RVM_INSN_EXIT;	/* one access to a trip */
	if (rp->n == RVM_REPLAY_MAX)
		return rvm_unhandled(insn, "too many device accesses in one instruction");

	e = &rp->e[rp->n];
	e->addr = gpa;
	e->len = len;
	e->kind = kind;
	if (write && rvm_irq_mmio(v, gpa, data, len, true)) {
		/* Done, and in the log like any other in case that the instruction has to
		 * run again.  It may have let an interrupt in. */
		trace_rvm_mmio(v, true, gpa, len, data);
		rp->n++;
		rp->pos++;
		rvm_insn_stop(insn);
		return RVM_INSN_OK;
	}
	run->exit_reason = KVM_EXIT_MMIO;
	run->mmio.phys_addr = gpa;
	run->mmio.len = len;
	run->mmio.is_write = write;
	memset(run->mmio.data, 0, sizeof(run->mmio.data));
	trace_rvm_mmio(v, write, gpa, len, write ? data : NULL);
	if (write) {
		memcpy(run->mmio.data, data, len);
		rp->n++;
		rp->pos++;
		rp->posted = true;
		rvm_insn_stop(insn);
		return RVM_INSN_OK;
	}
	rp->wait = RVM_WAIT_MMIO_READ;
	return RVM_INSN_EXIT;
}

/* ---- memory ---------------------------------------------------------------- */

/* One page's part of an access: memory, or a device's registers in pieces of 8
 * bytes.  gpa..gpa+len is within a page. */
static int rvm_phys_access(struct rvm_insn *insn, u64 gpa, u8 *buf, u32 len, bool write)
{
	struct rvm_vcpu *v = insn_vcpu(insn);
	int r = write ? rvm_gpa_write(v->vm, gpa, buf, len) : rvm_gpa_read(v->vm, gpa, buf, len);

	if (likely(!r))
		return RVM_INSN_OK;
	if (r != -ENXIO) {
		v->replay.error = r;
		return RVM_INSN_UNHANDLED;
	}
	while (len) {
		u32 n = min(len, 8u);

		r = rvm_mmio(insn, gpa, buf, n, write);
		if (r)
			return r;
		gpa += n;
		buf += n;
		len -= n;
	}
	return RVM_INSN_OK;
}

/* Both pages of an access that crosses one, translated before either is
 * touched. */
struct rvm_span {
	u64 gpa[2];
	u32 len[2];
};

static int rvm_translate(struct rvm_insn *insn, u64 gla, u32 len, u32 acc,
			 struct rvm_span *span)
{
	struct rvm_vcpu *v = insn_vcpu(insn);
	u32 first = min_t(u32, len, PAGE_SIZE - (gla & ~PAGE_MASK));
	int r;

	span->len[0] = first;
	span->len[1] = len - first;
	r = rvm_walk(v, gla, acc, &span->gpa[0], &insn->fault);
	if (!r && span->len[1]) {
		u64 next = gla + first;

		if (!rvm_is_64bit(&v->cpu))
			next = (u32)next;
		r = rvm_walk(v, next, acc, &span->gpa[1], &insn->fault);
	}
	if (r == RVM_INSN_UNHANDLED)
		insn->reason = "a page table lies outside guest memory";
	return r;
}

/* @buf is only read when @write. */
static int rvm_access(struct rvm_insn *insn, u64 gla, u8 *buf, u32 len, u32 acc, bool write)
{
	struct rvm_span span;
	int r;

	r = rvm_translate(insn, gla, len, acc, &span);
	if (!r)
		r = rvm_phys_access(insn, span.gpa[0], buf, span.len[0], write);
	if (!r && span.len[1])
		r = rvm_phys_access(insn, span.gpa[1], buf + span.len[0], span.len[1], write);
	if (unlikely(insn->watch_data) && !r && !(acc & RVM_ACC_IMPLICIT))
		rvm_debug_data(insn_vcpu(insn), gla, len, write);
	return r;
}

static int rvm_op_read(struct rvm_insn *insn, u64 gla, void *buf, u32 len, u32 acc)
{
	return rvm_access(insn, gla, buf, len, acc, false);
}

static int rvm_op_write(struct rvm_insn *insn, u64 gla, const void *buf, u32 len, u32 acc)
{
	return rvm_access(insn, gla, (u8 *)buf, len, acc | RVM_ACC_WRITE, true);
}

static int rvm_op_probe_write(struct rvm_insn *insn, u64 gla, u32 len, u32 acc)
{
	struct rvm_span span;

	return rvm_translate(insn, gla, len, acc | RVM_ACC_WRITE, &span);
}

static int rvm_op_probe_read(struct rvm_insn *insn, u64 gla, u32 len, u32 acc)
{
	struct rvm_span span;

	return rvm_translate(insn, gla, len, acc | RVM_ACC_READ, &span);
}

static int rvm_op_cmpxchg(struct rvm_insn *insn, u64 gla, void *old, const void *new_val,
			  u32 len, u32 acc)
{
	struct rvm_vcpu *v = insn_vcpu(insn);
	struct rvm_span span;
	u8 found[16];
	int r;

	r = rvm_translate(insn, gla, len, acc | RVM_ACC_WRITE, &span);
	if (r)
		return r;
	if (!span.len[1] && !(span.gpa[0] & (len - 1))) {
		r = rvm_gpa_cmpxchg(v->vm, span.gpa[0], old, new_val, len);
		if (!r) {
			if (unlikely(insn->watch_data))
				rvm_debug_data(v, gla, len, true);
			return RVM_INSN_OK;
		}
		if (r != -ENXIO) {
			v->replay.error = r;
			return RVM_INSN_UNHANDLED;
		}
	}
	/*
	 * A device's register, or a split lock: a read, then a write.  The
	 * instruction has read the operand just before; a device is not asked
	 * twice.
	 */
	if (!rvm_replay_last_read(v, span.gpa[0], found, len)) {
		r = rvm_op_read(insn, gla, found, len, acc);
		if (r)
			return r;
	}
	if (!memcmp(found, old, len))
		r = rvm_op_write(insn, gla, new_val, len, acc);
	if (r == RVM_INSN_OK)
		memcpy(old, found, len);
	return r;
}

/*
 * The page for rvm_insn_cache's translations.  Good as long as the memslots are
 * (rvm_slice_begin()).  Writes that are logged go through rvm_gpa_write(), one by
 * one.
 */
static int rvm_op_map(struct rvm_insn *insn, u64 gla, u32 acc, u64 *host)
{
	struct rvm_vcpu *v = insn_vcpu(insn);
	unsigned long hva;
	u64 gpa;
	int r;

	r = rvm_walk(v, gla, acc, &gpa, &insn->fault);
	if (r)
		return r;
	r = rvm_gpa_host(v->vm, gpa, acc & RVM_ACC_WRITE, &hva);
	if (r)
		return RVM_INSN_UNHANDLED;
	*host = hva;
	return RVM_INSN_OK;
}

static int rvm_op_fetch(struct rvm_insn *insn, u64 gla, void *buf, u32 len, u32 *got)
{
	struct rvm_vcpu *v = insn_vcpu(insn);
	u64 gpa;
	int r;

	len = min_t(u32, len, PAGE_SIZE - (gla & ~PAGE_MASK));
	r = rvm_walk(v, gla, RVM_ACC_FETCH, &gpa, &insn->fault);
	if (r == RVM_INSN_UNHANDLED)
		insn->reason = "a page table lies outside guest memory";
	if (r)
		return r;
	r = rvm_gpa_read(v->vm, gpa, buf, len);
	if (r == -ENXIO)
		return rvm_unhandled(insn, "instruction fetch from device memory");
	if (r) {
		v->replay.error = r;
		return RVM_INSN_UNHANDLED;
	}
	*got = len;
	return RVM_INSN_OK;
}

/* ---- ports ----------------------------------------------------------------- */

static void rvm_pio_exit(struct rvm_vcpu *v, bool in, u16 port, u32 size, u32 count)
{
	struct kvm_run *run = v->run;

	run->exit_reason = KVM_EXIT_IO;
	run->io.direction = in ? KVM_EXIT_IO_IN : KVM_EXIT_IO_OUT;
	run->io.port = port;
	run->io.size = size;
	run->io.count = count;
	run->io.data_offset = RVM_PIO_PAGE * PAGE_SIZE;
}

static void *rvm_pio_data(struct rvm_vcpu *v)
{
	return (void *)v->run + RVM_PIO_PAGE * PAGE_SIZE;
}

/* Items for a device in the kernel, one after the other.  False: it is the client's. */
static bool rvm_pio_here(struct rvm_vcpu *v, u16 port, u32 size, u32 count, u8 *data, bool out)
{
	u32 i;

	if (!rvm_irq_pio(v, port, data, size, out))
		return false;
	for (i = 1; i < count; i++)
		rvm_irq_pio(v, port, data + i * size, size, out);
	trace_rvm_pio(v, out, port, size, count, data);
	return true;
}

static int rvm_op_pio_in(struct rvm_insn *insn, u16 port, u32 size, u32 count, void *data)
{
	struct rvm_vcpu *v = insn_vcpu(insn);
	struct rvm_replay *rp = &v->replay;

	if (size * count > PAGE_SIZE)
		return rvm_unhandled(insn, "port input larger than a page");
	if (unlikely(insn->watch_data))
		rvm_debug_io(v, port, size);
	if (rp->pio_done && rp->pio_port == port && rp->pio_size == size &&
	    rp->pio_count == count) {
		memcpy(data, rvm_pio_data(v), size * count);
		return RVM_INSN_OK;
	}
	if (rp->posted)
		return RVM_INSN_EXIT;
	rp->pio_done = false;
	rp->pio_port = port;
	rp->pio_size = size;
	rp->pio_count = count;
	if (rvm_pio_here(v, port, size, count, data, false)) {
		/* Kept in case that the instruction has to run again. */
		memcpy(rvm_pio_data(v), data, size * count);
		rp->pio_done = true;
		rvm_insn_stop(insn);
		return RVM_INSN_OK;
	}
	rp->wait = RVM_WAIT_PIO_IN;
	memset(rvm_pio_data(v), 0, size * count);
	rvm_pio_exit(v, true, port, size, count);
	trace_rvm_pio(v, false, port, size, count, NULL);
	return RVM_INSN_EXIT;
}

static int rvm_op_pio_out(struct rvm_insn *insn, u16 port, u32 size, u32 count, const void *data)
{
	struct rvm_vcpu *v = insn_vcpu(insn);
	struct rvm_replay *rp = &v->replay;

	if (size * count > PAGE_SIZE)
		return rvm_unhandled(insn, "port output larger than a page");
	if (unlikely(insn->watch_data))
		rvm_debug_io(v, port, size);
	if (rp->posted)
		return RVM_INSN_EXIT;
	if (rvm_pio_here(v, port, size, count, (void *)data, true)) {
		rvm_insn_stop(insn);
		return RVM_INSN_OK;
	}
	memcpy(rvm_pio_data(v), data, size * count);
	rvm_pio_exit(v, false, port, size, count);
	trace_rvm_pio(v, true, port, size, count, data);
	rp->posted = true;
	rvm_insn_stop(insn);
	return RVM_INSN_OK;
}

/* ---- registers with effects ------------------------------------------------ */

static int rvm_op_set_cr(struct rvm_insn *insn, u32 nr, u64 val)
{
	struct rvm_vcpu *v = insn_vcpu(insn);
	int r;

	switch (nr) {
	case 0:
		r = rvm_set_cr0(v, val);
		break;
	case 2:
		rvm_touch(v, RVM_G_CR);
		v->cpu.cr2 = val;
		return RVM_INSN_OK;
	case 3:
		r = rvm_set_cr3(v, val);
		break;
	case 4:
		r = rvm_set_cr4(v, val);
		break;
	case 8:
		/* KVM API: the client of userspace controllers wants to know of a
		 * lower TPR. */
		v->replay.tpr_lowered = !v->lapic && val < v->cpu.cr8;
		r = rvm_set_cr8(v, val);
		rvm_insn_stop(insn);
		break;
	default:
		insn->fault = (struct rvm_fault) { .vector = RVM_UD };
		return RVM_INSN_FAULT;
	}
	return r ? rvm_insn_gp(insn) : RVM_INSN_OK;
}

static int rvm_op_set_dr(struct rvm_insn *insn, u32 nr, u64 val)
{
	/* Breakpoints are looked for, or not, from the next instruction on. */
	rvm_insn_stop(insn);
	return rvm_set_dr(insn_vcpu(insn), nr, val) ? rvm_insn_gp(insn) : RVM_INSN_OK;
}

static int rvm_op_set_xcr(struct rvm_insn *insn, u32 nr, u64 val)
{
	if (nr || rvm_set_xcr0(insn_vcpu(insn), val))
		return rvm_insn_gp(insn);
	return RVM_INSN_OK;
}

static int rvm_op_rdmsr(struct rvm_insn *insn, u32 msr, u64 *val)
{
	return rvm_get_msr(insn_vcpu(insn), msr, val, false) ? rvm_insn_gp(insn) : RVM_INSN_OK;
}

static int rvm_op_wrmsr(struct rvm_insn *insn, u32 msr, u64 val)
{
	struct rvm_vcpu *v = insn_vcpu(insn);

	if (rvm_set_msr(v, msr, val, false))
		return rvm_insn_gp(insn);
	/* The clock page is written before the guest can look at it. */
	if (rvm_test_request(v))
		rvm_insn_stop(insn);
	return RVM_INSN_OK;
}

static int rvm_op_rdtsc(struct rvm_insn *insn, u64 *val)
{
	*val = rvm_guest_tsc(insn_vcpu(insn));
	return RVM_INSN_OK;
}

static int rvm_op_rdpmc(struct rvm_insn *insn, u32 nr, u64 *val)
{
	return rvm_insn_gp(insn);	/* no counters are offered */
}

static int rvm_op_cpuid(struct rvm_insn *insn, u32 *eax, u32 *ebx, u32 *ecx, u32 *edx)
{
	rvm_cpuid(insn_vcpu(insn), eax, ebx, ecx, edx);
	return RVM_INSN_OK;
}

static int rvm_op_invlpg(struct rvm_insn *insn, u64 gla)
{
	struct rvm_vcpu *v = insn_vcpu(insn);

	v->stats.tlb_flush++;
	if (v->vm->shadow)
		rvm_shadow_invlpg(v, gla);
	v->vm->mode->flush_tlb(v);
	return RVM_INSN_OK;
}

static int rvm_op_flush_tlb(struct rvm_insn *insn)
{
	struct rvm_vcpu *v = insn_vcpu(insn);

	if (v->vm->shadow)
		rvm_shadow_flush(v);
	v->stats.tlb_flush++;
	v->vm->mode->flush_tlb(v);
	return RVM_INSN_OK;
}

static int rvm_op_random(struct rvm_insn *insn, u64 *val)
{
	get_random_bytes(val, sizeof(*val));
	return RVM_INSN_OK;
}

static int rvm_op_wbinvd(struct rvm_insn *insn)
{
	return RVM_INSN_OK;	/* guest memory is coherent */
}

void rvm_hypercall(struct rvm_vcpu *v)
{
	u64 nr = v->cpu.gpr[RVM_RAX], who = v->cpu.gpr[RVM_RCX], ret;
	bool wide;

	rvm_need(v, RVM_G_SEG | RVM_G_CR);
	wide = rvm_is_64bit(&v->cpu);
	if (!wide)
		nr = (u32)nr;
	if (v->cpu.cpl) {
		ret = -KVM_EPERM;
	} else if (nr == KVM_HC_KICK_CPU && v->lapic) {
		v->stats.pv_kick++;
		rvm_pv_kick(v->vm->irq, wide ? min_t(u64, who, U32_MAX) : (u32)who);
		ret = 0;
	} else {
		ret = -KVM_ENOSYS;
	}
	v->cpu.gpr[RVM_RAX] = wide ? ret : (u32)ret;
}

static int rvm_op_fpu(struct rvm_insn *insn, struct rvm_fpu_job *job)
{
	u32 vector = rvm_fpu_exec(job);

	switch (vector) {
	case 0:
		return RVM_INSN_OK;
	case RVM_GP:
		return rvm_insn_gp(insn);
	case RVM_UD:
	case RVM_MF:
	case RVM_XM:
		insn->fault = (struct rvm_fault) { .vector = vector };
		return RVM_INSN_FAULT;
	default:
		return rvm_unhandled(insn, "an exception that the FPU does not have");
	}
}

static int rvm_op_hypercall(struct rvm_insn *insn)
{
	rvm_hypercall(insn_vcpu(insn));
	return RVM_INSN_OK;
}

/*
 * An iteration of a REP string instruction is done for good: what it accessed
 * is not asked for again.  Where shadow paging has given up a page since the
 * instruction began, it is most likely the one that is being filled or copied to,
 * and the CPU can do the rest: a guest clears its page tables so.
 */
static bool rvm_op_commit(struct rvm_insn *insn)
{
	struct rvm_vcpu *v = insn_vcpu(insn);
	struct rvm_replay *rp = &v->replay;

	rp->n = 0;
	rp->pos = 0;
	rp->pio_done = false;
	if (insn->news && unlikely(READ_ONCE(*insn->news) != insn->news_seen))
		rvm_shadow_news(v);
	if (!v->vm->shadow || insn->cache || v->vm->stats.shadow_zapped == v->shadow.zapped)
		return false;
	v->stats.rep_left++;
	return true;
}

static void rvm_op_news(struct rvm_insn *insn)
{
	rvm_shadow_news(insn_vcpu(insn));
}

static const struct rvm_insn_ops rvm_insn_kernel_ops = {
	.read		= rvm_op_read,
	.write		= rvm_op_write,
	.probe_write	= rvm_op_probe_write,
	.probe_read	= rvm_op_probe_read,
	.cmpxchg_mem	= rvm_op_cmpxchg,
	.fetch		= rvm_op_fetch,
	.map		= rvm_op_map,
	.pio_in		= rvm_op_pio_in,
	.pio_out	= rvm_op_pio_out,
	.set_cr		= rvm_op_set_cr,
	.set_dr		= rvm_op_set_dr,
	.set_xcr	= rvm_op_set_xcr,
	.rdmsr		= rvm_op_rdmsr,
	.wrmsr		= rvm_op_wrmsr,
	.rdtsc		= rvm_op_rdtsc,
	.rdpmc		= rvm_op_rdpmc,
	.cpuid		= rvm_op_cpuid,
	.invlpg		= rvm_op_invlpg,
	.flush_tlb	= rvm_op_flush_tlb,
	.random		= rvm_op_random,
	.wbinvd		= rvm_op_wbinvd,
	.fpu		= rvm_op_fpu,
	.hypercall	= rvm_op_hypercall,
	.commit		= rvm_op_commit,
	.news		= rvm_op_news,
};

/* Extensions by the CPUID bit that shows them: leaf, register, bit. */
enum { RVM_REG_EBX, RVM_REG_ECX, RVM_REG_EDX };

static const struct rvm_hide_bit {
	u32 feature, hide, leaf;
	u8 reg, bit;
} rvm_hide_bits[] = {
	{ X86_FEATURE_BMI1, RVM_HIDE_BMI1, 7, RVM_REG_EBX, 3 },
	{ X86_FEATURE_BMI2, RVM_HIDE_BMI2, 7, RVM_REG_EBX, 8 },
	{ X86_FEATURE_ABM, RVM_HIDE_LZCNT, 0x80000001, RVM_REG_ECX, 5 },
	{ X86_FEATURE_POPCNT, RVM_HIDE_POPCNT, 1, RVM_REG_ECX, 23 },
	{ X86_FEATURE_MOVBE, RVM_HIDE_MOVBE, 1, RVM_REG_ECX, 22 },
	{ X86_FEATURE_ADX, RVM_HIDE_ADX, 7, RVM_REG_EBX, 19 },
	{ X86_FEATURE_XMM4_2, RVM_HIDE_CRC32, 1, RVM_REG_ECX, 20 },
	{ X86_FEATURE_RDTSCP, RVM_HIDE_RDTSCP, 0x80000001, RVM_REG_EDX, 27 },
	{ X86_FEATURE_RDPID, RVM_HIDE_RDPID, 7, RVM_REG_ECX, 22 },
	{ X86_FEATURE_CX16, RVM_HIDE_CX16, 1, RVM_REG_ECX, 13 },
	{ X86_FEATURE_SMAP, RVM_HIDE_SMAP, 7, RVM_REG_EBX, 20 },
	{ X86_FEATURE_INVPCID, RVM_HIDE_INVPCID, 7, RVM_REG_EBX, 10 },
	{ X86_FEATURE_RDRAND, RVM_HIDE_RDRAND, 1, RVM_REG_ECX, 30 },
	{ X86_FEATURE_RDSEED, RVM_HIDE_RDSEED, 7, RVM_REG_EBX, 18 },
	{ X86_FEATURE_CLFLUSHOPT, RVM_HIDE_CLFLUSHOPT, 7, RVM_REG_EBX, 23 },
	{ X86_FEATURE_CLWB, RVM_HIDE_CLWB, 7, RVM_REG_EBX, 24 },
	{ X86_FEATURE_SERIALIZE, RVM_HIDE_SERIALIZE, 7, RVM_REG_EDX, 14 },
	{ X86_FEATURE_MOVDIRI, RVM_HIDE_MOVDIRI, 7, RVM_REG_ECX, 27 },
	{ X86_FEATURE_MOVDIR64B, RVM_HIDE_MOVDIR64B, 7, RVM_REG_ECX, 28 },
	{ X86_FEATURE_CLZERO, RVM_HIDE_CLZERO, 0x80000008, RVM_REG_EBX, 0 },
	{ X86_FEATURE_LAHF_LM, RVM_HIDE_LAHF, 0x80000001, RVM_REG_ECX, 0 },
	{ X86_FEATURE_SEP, RVM_HIDE_SEP, 1, RVM_REG_EDX, 11 },
};

static bool rvm_guest_has(struct rvm_vcpu *v, const struct rvm_hide_bit *b)
{
	const struct kvm_cpuid_entry2 *e = rvm_cpuid_find(v, b->leaf, 0);
	u32 reg;

	if (!e)
		return false;
	reg = b->reg == RVM_REG_EBX ? e->ebx : b->reg == RVM_REG_ECX ? e->ecx : e->edx;
	return reg >> b->bit & 1;
}

/* A feature of the floating-point and vector unit: the guest's CPU's, or the host's. */
static bool rvm_unit_has(struct rvm_vcpu *v, enum rvm_feature f, bool guest)
{
	const struct rvm_feature_bit *b = &rvm_feature_bits[f];
	u32 reg[4] = {};

	BUILD_BUG_ON(RVM_NR_FEATURES > 64);
	/* Intel's CPUs have these instructions with SSE and no bit for them. */
	if (f == RVM_UF_MMXEXT && rvm_unit_has(v, RVM_UF_SSE, guest))
		return true;
	if (guest) {
		const struct kvm_cpuid_entry2 *e = rvm_cpuid_find(v, b->leaf, b->sub);

		return e && (b->reg == 0 ? e->eax : b->reg == 1 ? e->ebx :
			     b->reg == 2 ? e->ecx : e->edx) >> b->bit & 1;
	}
	if (cpuid_eax(b->leaf & 0x80000000) >= b->leaf)
		cpuid_count(b->leaf, b->sub, &reg[0], &reg[1], &reg[2], &reg[3]);
	return reg[b->reg] >> b->bit & 1;
}

/**
 * rvm_insn_cpuid - which CPU the interpreter is
 * @v: the vCPU, its CPUID just set
 *
 * Next to hardware that executes the rest, the host's: an instruction exists
 * for the interpreter where it exists for the CPU, whatever the guest's CPUID
 * says.  Where all is interpreted, the guest's; before the client has set one,
 * the host's as well.
 */
void rvm_insn_cpuid(struct rvm_vcpu *v)
{
	const struct kvm_cpuid_entry2 *e = rvm_cpuid_find(v, 0, 0);
	bool own = !v->vm->mode->enter && e;
	struct rvm_insn *insn = &v->insn;
	size_t i;

	/* "GenuineIntel": EBX is enough to tell */
	insn->intel = own ? e->ebx == 0x756e6547 :
		boot_cpu_data.x86_vendor == X86_VENDOR_INTEL;
	insn->hide = 0;
	for (i = 0; i < ARRAY_SIZE(rvm_hide_bits); i++) {
		const struct rvm_hide_bit *b = &rvm_hide_bits[i];

		if (own ? !rvm_guest_has(v, b) : !test_cpu_cap(&boot_cpu_data, b->feature))
			insn->hide |= b->hide;
	}
	insn->hide_unit = 0;
	for (i = RVM_UF_NONE + 1; i < RVM_NR_FEATURES; i++)
		if (!rvm_unit_has(v, i, own))
			insn->hide_unit |= 1ull << i;
}

/* The interpreter of a new vCPU. */
void rvm_insn_init(struct rvm_vcpu *v)
{
	struct rvm_insn *insn = &v->insn;

	insn->cpu = &v->cpu;
	insn->ops = &rvm_insn_kernel_ops;
	insn->priv = v;
	insn->xcomp = rvm_xcomp;
	if (v->vm->shadow && v->vm->mode->slice)
		insn->news = rvm_shadow_news_count(v->vm);
}

/* ---- one instruction --------------------------------------------------------- */

int rvm_halt(struct rvm_vcpu *v)
{
	/* A trap of the HLT itself ends the halt at once. */
	if (v->ev.exception.pending)
		return 1;
	if (v->lapic) {
		v->mp_state = KVM_MP_STATE_HALTED;
		return 1;
	}
	v->run->exit_reason = KVM_EXIT_HLT;
	return 0;
}

/* KVM_EXIT_INTERNAL_ERROR with the instruction's bytes (KVM API, emulation_failure). */
static int rvm_emulation_failure(struct rvm_vcpu *v)
{
	struct kvm_run *run = v->run;
	struct rvm_insn *insn = &v->insn;
	int r;

	v->stats.emulated_unhandled++;
	r = rvm_internal_error(v, KVM_INTERNAL_ERROR_EMULATION,
			       insn->reason ?: "the interpreter does not know the instruction",
			       0, NULL);
	run->emulation_failure.flags = insn->nr_bytes ?
		KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES : 0;
	run->emulation_failure.insn_size = insn->nr_bytes;
	memset(run->emulation_failure.insn_bytes, 0, sizeof(run->emulation_failure.insn_bytes));
	memcpy(run->emulation_failure.insn_bytes, insn->bytes, insn->nr_bytes);
	/* flags, then size and bytes in one 16-byte field: three words */
	run->emulation_failure.ndata = 3;
	return r;
}

/*
 * Traps of a completed instruction: single step, and the breakpoints it met.
 * MOV SS loses the first kind and holds the others back (SDM vol. 3 §6.8.3).
 */
static void rvm_insn_traps(struct rvm_vcpu *v, bool tf)
{
	if (v->cpu.int_shadow & RVM_SHADOW_MOV_SS)
		return;
	if (tf)
		v->dr6_hits |= RVM_DR6_BS;	/* SDM vol. 3 §17.2.3 */
	if (unlikely(v->dr6_hits)) {
		rvm_queue_db(v, v->dr6_hits);
		v->dr6_hits = 0;
	}
}

/*
 * The interpreter returned @r; @tf: RFLAGS.TF as the last instruction began.
 * 1: go on in the guest; 0: to userspace; -errno.
 */
static int rvm_insn_result(struct rvm_vcpu *v, int r, bool tf)
{
	struct rvm_replay *rp = &v->replay;
	struct rvm_insn *insn = &v->insn;

	if (unlikely(r == RVM_INSN_FAULT && insn->fault.soft)) {
		/* INT n, INT3, INTO: an instruction of its own, with the next one's
		 * address on the stack.  It clears TF: no trap after it. */
		struct rvm_fault event = insn->fault;

		r = rvm_insn_deliver(insn, &event, insn->len, false);
		tf = false;
	}
	if (unlikely(insn->tf_after)) {
		insn->tf_after = false;
		tf = v->cpu.rflags & RVM_FL_TF;
	}
	if (unlikely(insn->iret)) {
		insn->iret = false;
		if (v->vm->mode->slice)
			v->ev.nmi.masked = false;
	}

	switch (r) {
	case RVM_INSN_EXIT:
		/* Log kept: the same instruction again when userspace is done. */
		rp->rip = v->cpu.rip;
		if (rp->posted)
			rp->wait = RVM_WAIT_RERUN;
		rp->posted = false;
		rp->pos = 0;
		return 0;
	case RVM_INSN_OK:
	case RVM_INSN_HALT:
	case RVM_INSN_RETRY:		/* with TF: after each iteration of a REP */
		rvm_insn_traps(v, tf);
		break;
	case RVM_INSN_FAULT:
		v->dr6_hits = 0;
		rvm_queue_exception(v, &insn->fault);
		break;
	default:
		v->dr6_hits = 0;
		rvm_replay_reset(v);
		if (rp->error)
			return rp->error;
		return rvm_emulation_failure(v);
	}
	if (unlikely(rp->n || rp->pio_done || rp->posted)) {
		bool posted = rp->posted;

		rvm_replay_reset(v);
		if (posted)
			return 0;
	}
	if (unlikely(rp->tpr_lowered)) {
		rp->tpr_lowered = false;
		v->run->exit_reason = KVM_EXIT_SET_TPR;
		return 0;
	}
	return r == RVM_INSN_HALT ? rvm_halt(v) : 1;
}

int rvm_emulate_one(struct rvm_vcpu *v)
{
	struct rvm_replay *rp = &v->replay;
	struct rvm_insn *insn = &v->insn;
	bool tf = v->cpu.rflags & RVM_FL_TF;
	int r;

	rvm_need(v, RVM_G_ALL);
	v->stats.emulated++;
	rp->pos = 0;
	rp->posted = false;
	rp->error = 0;
	insn->reason = NULL;
	insn->watch_data = rvm_debug_armed(v);
	v->shadow.zapped = v->vm->stats.shadow_zapped;
	r = rvm_insn_step(insn);
	/* Where the guest's own instructions use the unit, no address of ours may
	 * stay in it, and what we know of it is out of date at once. */
	if (!v->vm->mode->slice)
		rvm_fpu_settle(v);
	v->dirty |= RVM_G_ALL;
	return rvm_insn_result(v, r, tf);
}

/*
 * Vector, type, error code and validity as hardware words it (SDM vol. 3
 * §24.8.3, APM vol. 2 §15.20).
 */
static u64 rvm_event_word(const struct rvm_fault *f, u32 type)
{
	return f->vector | (f->soft ? 4 : type) << 8 | f->has_error << 11 | 1ull << 31;
}

/**
 * rvm_deliver_injected - deliver the event that v->ev calls injected
 * @v: the vCPU, loaded; there is one
 * @delivered: set when the guest now stands at its handler
 *
 * Through the IDT, on the guest's stack, in place of a CPU: in a mode that has
 * none, or where one has met what must be interpreted on the way.  v->ev says
 * "injected" until it is delivered; whatever stops the delivery half-way lets it
 * come again.  1: go on; 0: exit to userspace (v->run filled); -errno.
 */
int rvm_deliver_injected(struct rvm_vcpu *v, bool *delivered)
{
	struct rvm_events *ev = &v->ev;
	struct rvm_insn *insn = &v->insn;
	struct rvm_fault f = { .vector = RVM_NMI };
	bool external = true;
	u8 insn_len = 0;
	u64 data[4] = {};
	int r;

	rvm_need(v, RVM_G_ALL);
	if (ev->exception.injected) {
		f = ev->exception.f;
		external = false;
		data[0] = rvm_event_word(&f, 3);
	} else if (ev->nmi.injected) {
		data[0] = rvm_event_word(&f, 2);
	} else {
		f.vector = ev->irq.nr;
		f.soft = ev->irq.soft;
		external = !f.soft;
		insn_len = ev->irq.insn_len;
		data[0] = rvm_event_word(&f, 0);
	}
	v->replay.error = 0;
	v->replay.delivering = true;
	insn->reason = NULL;
	r = rvm_insn_deliver(insn, &f, insn_len, external);
	v->replay.delivering = false;
	if (!v->vm->mode->slice)
		rvm_fpu_settle(v);
	v->dirty |= RVM_G_ALL;
	switch (r) {
	case RVM_INSN_OK:
		ev->exception.injected = false;
		ev->nmi.injected = false;
		ev->irq.injected = false;
		*delivered = true;
		return 1;
	case RVM_INSN_FAULT:
		/* An interrupt is gone for good: it was acknowledged.  With an
		 * exception the new one merges (SDM vol. 3 §6.15). */
		ev->nmi.injected = false;
		ev->irq.injected = false;
		rvm_queue_exception(v, &insn->fault);
		return 1;
	case RVM_INSN_RETRY:
		return 1;
	default:
		if (v->replay.error)
			return v->replay.error;
		return rvm_internal_error(v, KVM_INTERNAL_ERROR_DELIVERY_EV,
					  insn->reason ?: "an event could not be delivered",
					  ARRAY_SIZE(data), data);
	}
}

int rvm_emulate_run(struct rvm_vcpu *v, u32 budget)
{
	struct rvm_insn *insn = &v->insn;
	bool tf = v->cpu.rflags & RVM_FL_TF;
	u32 done;
	int r;

	insn->watch_data = rvm_debug_armed(v);
	if (unlikely(insn->watch_data)) {
		u64 bits = rvm_debug_code(v);

		/* Before the instruction, which has done nothing: a fault. */
		if (bits) {
			rvm_queue_db(v, bits);
			return 1;
		}
		insn->watch = RVM_WATCH_ALL;
	}
	v->replay.error = 0;
	insn->reason = NULL;
	r = rvm_insn_run(insn, budget, &done);
	v->stats.emulated += done;
	return rvm_insn_result(v, r, tf);
}

/*
 * RIP past the current instruction, as its execution would leave things: RF
 * and the interrupt shadow cleared, a single-step trap raised.
 */
static void rvm_advance(struct rvm_vcpu *v, u64 next_rip)
{
	v->cpu.rip = next_rip;
	v->cpu.int_shadow = 0;
	v->cpu.rflags &= ~RVM_FL_RF;
	if (v->cpu.rflags & RVM_FL_TF)
		rvm_queue_db(v, RVM_DR6_BS);
}

int rvm_skip_insn(struct rvm_vcpu *v, u64 next_rip)
{
	struct rvm_insn *insn = &v->insn;
	u64 mask;
	int r;

	if (next_rip) {
		rvm_advance(v, next_rip);
		return 1;
	}
	rvm_need(v, RVM_G_SEG | RVM_G_CR);
	v->replay.error = 0;
	insn->reason = NULL;
	r = rvm_insn_fetch_decode(insn);
	switch (r) {
	case RVM_INSN_OK:
		mask = rvm_is_64bit(&v->cpu) ? ~0ull :
			v->cpu.seg[RVM_CS].attr & RVM_SEG_DB ? 0xffffffffull : 0xffffull;
		rvm_advance(v, (v->cpu.rip + insn->len) & mask);
		return 1;
	case RVM_INSN_FAULT:
		rvm_queue_exception(v, &insn->fault);
		return 1;
	default:
		if (v->replay.error)
			return v->replay.error;
		return rvm_emulation_failure(v);
	}
}

/* ---- port I/O without the interpreter ------------------------------------------ */

/* What IN leaves in RAX. */
static void rvm_put_in(struct rvm_vcpu *v, u32 size, u32 val)
{
	u64 *rax = &v->cpu.gpr[RVM_RAX];

	switch (size) {
	case 1:
		*rax = (*rax & ~0xffull) | (u8)val;
		break;
	case 2:
		*rax = (*rax & ~0xffffull) | (u16)val;
		break;
	default:
		*rax = val;
	}
}

int rvm_fast_pio(struct rvm_vcpu *v, bool in, u16 port, u32 size, u64 next_rip)
{
	struct rvm_replay *rp = &v->replay;
	void *data = rvm_pio_data(v);
	u32 val = v->cpu.gpr[RVM_RAX];

	if (rvm_pio_here(v, port, size, 1, (u8 *)&val, !in)) {
		if (in)
			rvm_put_in(v, size, val);
		rvm_advance(v, next_rip);
		return 1;
	}
	if (!in) {
		memcpy(data, &v->cpu.gpr[RVM_RAX], 4);
		rvm_pio_exit(v, false, port, size, 1);
		trace_rvm_pio(v, true, port, size, 1, data);
		rvm_advance(v, next_rip);
		return 0;
	}
	memset(data, 0, 4);
	rvm_pio_exit(v, true, port, size, 1);
	trace_rvm_pio(v, false, port, size, 1, NULL);
	rp->wait = RVM_WAIT_FAST_IN;
	rp->rip = v->cpu.rip;
	rp->next_rip = next_rip;
	rp->pio_size = size;
	return 0;
}

static void rvm_finish_fast_in(struct rvm_vcpu *v)
{
	u32 val;

	memcpy(&val, rvm_pio_data(v), 4);
	rvm_put_in(v, v->replay.pio_size, val);
	rvm_advance(v, v->replay.next_rip);
}

/**
 * rvm_complete_exit - KVM_RUN came back: finish what userspace was asked to do
 * @v: the vCPU, loaded
 *
 * 1: go on in the guest; 0: another exit, v->run filled; -errno.
 */
int rvm_complete_exit(struct rvm_vcpu *v)
{
	struct rvm_replay *rp = &v->replay;
	enum rvm_wait wait = rp->wait;
	struct rvm_replay_entry *e;
	int idx, r;

	if (likely(wait == RVM_WAIT_NONE))
		return 1;
	rp->wait = RVM_WAIT_NONE;
	if (v->cpu.rip != rp->rip) {
		/* The client moved the vCPU elsewhere (a reset, say): nothing to
		 * finish. */
		v->dr6_hits = 0;
		rvm_replay_reset(v);
		return 1;
	}
	switch (wait) {
	case RVM_WAIT_FAST_IN:
		rvm_finish_fast_in(v);
		rvm_replay_reset(v);
		return 1;
	case RVM_WAIT_MMIO_READ:
		e = &rp->e[rp->n];
		memcpy(e->data, v->run->mmio.data, sizeof(e->data));
		rp->n++;
		break;
	case RVM_WAIT_PIO_IN:
		rp->pio_done = true;
		break;
	default:
		break;
	}
	if (!v->vm->mode->slice)
		return rvm_emulate_one(v);
	idx = rvm_slice_begin(v);
	r = rvm_emulate_one(v);
	rvm_slice_end(v, idx);
	return r;
}
