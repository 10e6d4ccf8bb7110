// SPDX-License-Identifier: GPL-2.0
/*
 * The host's floating-point and vector unit at the interpreter's service.
 *
 * While KVM_RUN lasts the guest's registers are the task's FPU state (fpu.c),
 * so an instruction that the interpreter has rebuilt with its operands in known
 * places (insn/exec_fpu.c) only has to be executed.  A module gets no memory
 * that is both writable and executable, and none that it may make executable.
 * What it has is its own code: fpu_slots.S keeps pages of it free, and a second,
 * writable mapping of these pages lets instructions be put there.
 *
 * Each CPU has a pool of slots, which doubles as a cache: an instruction that
 * ran before is still in its slot, one of RVM_FPU_WAYS in a row.  Writing one is
 * dear: to this CPU, which then has to serialize; and to an emulator that the host
 * runs in, which translates the whole page of code anew.  So none is written
 * over while a free one will do.  A pool belongs to its lock's holder from
 * the look-up to the end of the execution, with preemption off, so a slot is
 * never rewritten while a CPU is in it.  Code that was written through another
 * linear address needs a serializing instruction before it is executed, on each
 * CPU that executes it (SDM vol. 3 §8.1.3, §11.6; APM vol. 2 §7.6.1): @written
 * counts the pool's changes, rvm_fpu_synced is the CPU's last known count.
 *
 * What may fault in a slot is the guest's doing: #UD, #GP (reserved bits of
 * MXCSR) and #XM.  The kernel takes them through the module's exception table.
 * #NM and #MF cannot occur, for the host keeps CR0.TS clear and the interpreter
 * looks for pending x87 exceptions itself; memory operands lie in the vCPU's own
 * aligned buffer.
 */
#include <linux/percpu.h>
#include <linux/spinlock.h>
#include <linux/vmalloc.h>
#include <asm/fpu/api.h>
#include <asm/sync_core.h>

#include "cpu.h"
#include "fpu_slots.h"

struct rvm_fpu_pool {
	raw_spinlock_t lock;
	unsigned long written;
	/* what is in each slot, as struct rvm_fpu_job.key; all zero: nothing */
	u64 key[RVM_FPU_SLOTS][RVM_FPU_KEY];
};

extern u8 rvm_fpu_slots[], rvm_fpu_back[];
u32 rvm_fpu_call(struct rvm_fpu_job *job, const void *slot);

#define RVM_FPU_WAYS	8

static struct rvm_fpu_pool *rvm_fpu_pools;
static u8 *rvm_fpu_alias;	/* the slots again, writable */
static DEFINE_PER_CPU(unsigned long, rvm_fpu_synced);

#define RVM_FPU_SLOT_PAGES \
	(RVM_FPU_POOLS * RVM_FPU_SLOTS * RVM_FPU_SLOT_SIZE / PAGE_SIZE)

/**
 * rvm_fpu_exec_setup - at load: the writable view of the slots
 *
 * Process context.  0 or -ENOMEM.
 */
int rvm_fpu_exec_setup(void)
{
	struct page **pages;
	u32 i;

	BUILD_BUG_ON(RVM_FPU_SLOTS * RVM_FPU_SLOT_SIZE % PAGE_SIZE);
	BUILD_BUG_ON(offsetof(struct rvm_fpu_job, rax) != RVM_FPU_JOB_RAX);
	BUILD_BUG_ON(offsetof(struct rvm_fpu_job, rcx) != RVM_FPU_JOB_RCX);
	BUILD_BUG_ON(offsetof(struct rvm_fpu_job, rdx) != RVM_FPU_JOB_RDX);
	BUILD_BUG_ON(offsetof(struct rvm_fpu_job, rflags) != RVM_FPU_JOB_RFLAGS);
	BUILD_BUG_ON(offsetof(struct rvm_fpu_job, mem) != RVM_FPU_JOB_MEM);
	/* the jump back follows the code */
	BUILD_BUG_ON(RVM_FPU_SLOT_CODE + RVM_FPU_CODE + 5 > RVM_FPU_SLOT_SIZE);

	rvm_fpu_pools = kvcalloc(RVM_FPU_POOLS, sizeof(*rvm_fpu_pools), GFP_KERNEL);
	if (!rvm_fpu_pools)
		return -ENOMEM;
	for (i = 0; i < RVM_FPU_POOLS; i++)
		raw_spin_lock_init(&rvm_fpu_pools[i].lock);
	pages = kcalloc(RVM_FPU_SLOT_PAGES, sizeof(*pages), GFP_KERNEL);
	for (i = 0; pages && i < RVM_FPU_SLOT_PAGES; i++)
		pages[i] = vmalloc_to_page(rvm_fpu_slots + i * PAGE_SIZE);
	if (pages)
		rvm_fpu_alias = vmap(pages, RVM_FPU_SLOT_PAGES, VM_MAP, PAGE_KERNEL);
	kfree(pages);
	if (!rvm_fpu_alias) {
		kvfree(rvm_fpu_pools);
		return -ENOMEM;
	}
	return 0;
}

/* At unload: no vCPU is left. */
void rvm_fpu_exec_teardown(void)
{
	vunmap(rvm_fpu_alias);
	kvfree(rvm_fpu_pools);
}

static bool rvm_fpu_key_equal(const u64 *a, const u64 *b)
{
	u64 diff = 0;
	u32 i;

	for (i = 0; i < RVM_FPU_KEY; i++)
		diff |= a[i] ^ b[i];
	return !diff;
}

/* The slot with @job's instruction, or to put it into; the search begins at @n. */
static u32 rvm_fpu_find(const struct rvm_fpu_pool *pool, u32 n, const struct rvm_fpu_job *job,
			bool *found)
{
	u32 i, at;

	for (i = 0; i < RVM_FPU_WAYS; i++) {
		at = (n + i) % RVM_FPU_SLOTS;
		*found = rvm_fpu_key_equal(pool->key[at], job->key);
		if (*found || !(pool->key[at][0] | pool->key[at][1] | pool->key[at][2]))
			return at;
	}
	return (n + pool->written % RVM_FPU_WAYS) % RVM_FPU_SLOTS;
}

static void rvm_fpu_fill(struct rvm_fpu_pool *pool, u32 n, u32 at,
			 const struct rvm_fpu_job *job)
{
	static const u8 endbr64[RVM_FPU_SLOT_CODE] = { 0xf3, 0x0f, 0x1e, 0xfa };
	u8 *code = rvm_fpu_slots, *w = rvm_fpu_alias + at;
	s32 rel;

	/* objtool takes an address within a slot for that of a function */
	OPTIMIZER_HIDE_VAR(code);
	rel = rvm_fpu_back - (code + at + RVM_FPU_SLOT_CODE + job->len + 5);
	memcpy(w, endbr64, sizeof(endbr64));
	w += sizeof(endbr64);
	memcpy(w, job->code, job->len);
	w[job->len] = 0xe9;
	memcpy(w + job->len + 1, &rel, sizeof(rel));
	memcpy(pool->key[n], job->key, sizeof(pool->key[n]));
	pool->written++;
}

/**
 * rvm_fpu_exec - execute an instruction on the guest's FPU registers
 * @job: code, registers; the memory operand's buffer
 *
 * 0, or the vector of the exception that it raised, with the registers in @job
 * as they were.  In KVM_RUN; process context, preemption and interrupts on.
 */
u32 rvm_fpu_exec(struct rvm_fpu_job *job)
{
	struct rvm_fpu_pool *pool;
	u32 n, cpu, trap, i;
	bool found;
	u64 hash = 0;

	for (i = 0; i < RVM_FPU_KEY; i++)
		hash = (hash ^ job->key[i]) * 0x9e3779b97f4a7c15ull;
	n = hash >> 55;
	BUILD_BUG_ON(RVM_FPU_SLOTS != 1 << (64 - 55));
	BUILD_BUG_ON(RVM_FPU_KEY != 3);

	/* Softirqs off as well: they use the unit, and save it for the task then. */
	fpregs_lock();
	if (test_thread_flag(TIF_NEED_FPU_LOAD))
		switch_fpu_return();
	cpu = smp_processor_id() % RVM_FPU_POOLS;
	pool = &rvm_fpu_pools[cpu];
	raw_spin_lock(&pool->lock);
	n = rvm_fpu_find(pool, n, job, &found);
	if (unlikely(!found))
		rvm_fpu_fill(pool, n, (cpu * RVM_FPU_SLOTS + n) * RVM_FPU_SLOT_SIZE, job);
	if (unlikely(this_cpu_read(rvm_fpu_synced) != pool->written)) {
		sync_core();
		this_cpu_write(rvm_fpu_synced, pool->written);
	}
	trap = rvm_fpu_call(job, rvm_fpu_slots + (cpu * RVM_FPU_SLOTS + n) * RVM_FPU_SLOT_SIZE);
	raw_spin_unlock(&pool->lock);
	fpregs_unlock();
	return trap;
}
