// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <cpuid.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>
#include "unit.h"

#define PAGE	4096

static u8 *code;
static volatile u32 trapped;
static struct rvm_xcomp xcomp[RVM_NR_XCOMP];
const struct rvm_xcomp *unit_xcomp = xcomp;
static struct unit_image own;

bool unit_signal(void *ucontext)
{
	greg_t *g = ((ucontext_t *)ucontext)->uc_mcontext.gregs;

	if (!code || (u64)g[REG_RIP] - (u64)code >= PAGE)
		return false;
	trapped = g[REG_TRAPNO];
	/* the RET at the page's end */
	g[REG_RIP] = (greg_t)(code + PAGE - 1);
	return true;
}

static void handler(int sig, siginfo_t *si, void *uc)
{
	(void)si;
	if (!unit_signal(uc))
		signal(sig, SIG_DFL);
}

void unit_setup(bool handlers)
{
	static const int sigs[] = { SIGILL, SIGFPE, SIGSEGV, SIGBUS };
	struct sigaction sa = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_NODEFER };
	u32 i, a, b, c, d;

	code = mmap(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
		    -1, 0);
	if (code == MAP_FAILED)
		abort();
	code[PAGE - 1] = 0xc3;
	for (i = 2; i < RVM_NR_XCOMP; i++) {
		__cpuid_count(0xd, i, a, b, c, d);
		xcomp[i].size = a;
		xcomp[i].offset = b;
		xcomp[i].align = c >> 1 & 1;
	}
	for (i = 0; handlers && i < ARRAY_SIZE(sigs); i++)
		sigaction(sigs[i], &sa, NULL);
}

int unit_run(struct rvm_insn *insn, struct rvm_fpu_job *job)
{
	struct world *w = insn->priv;
	struct unit_image *image = w->unit;

	if (!image)
		return rvm_x_unhandled(insn, "no unit");
	if (job->len > RVM_FPU_CODE)
		abort();
	memcpy(code, job->code, job->len);
	code[job->len] = 0xc3;
	trapped = 0;
	/* The red zone is off, and nothing but this touches the registers. */
	asm volatile("push %%rbx\n\t"
		     "push %%rbp\n\t"
		     "mov %0, %%rbx\n\t"
		     "mov %1, %%rbp\n\t"
		     "mov %2, %%r12\n\t"
		     "mov %3, %%r13\n\t"
		     "mov $7, %%eax\n\t"
		     "xor %%edx, %%edx\n\t"
		     "xsave64 (%%r12)\n\t"
		     "xrstor64 (%%rbp)\n\t"
		     "mov 24(%%rbx), %%rax\n\t"
		     "mov 32(%%rbx), %%rcx\n\t"
		     "mov 40(%%rbx), %%rdx\n\t"
		     "mov 56(%%rbx), %%rsi\n\t"
		     "call *%%r13\n\t"
		     "pushfq\n\t"
		     "mov %%rax, 24(%%rbx)\n\t"
		     "mov %%rcx, 32(%%rbx)\n\t"
		     "mov %%rdx, 40(%%rbx)\n\t"
		     "pop 48(%%rbx)\n\t"
		     "mov $7, %%eax\n\t"
		     "xor %%edx, %%edx\n\t"
		     "xsave64 (%%rbp)\n\t"
		     "xrstor64 (%%r12)\n\t"
		     "pop %%rbp\n\t"
		     "pop %%rbx\n\t"
		     :: "r" (job), "r" (image), "r" (&own), "r" (code)
		     : "rax", "rcx", "rdx", "rsi", "r12", "r13", "memory", "cc");
	switch (trapped) {
	case 0:
		return 0;
	case RVM_GP:
		return rvm_x_gp0(insn);
	case RVM_UD:
	case RVM_MF:
	case RVM_XM:
		return rvm_x_fault_noerr(insn, trapped);
	default:
		abort();
	}
}

void unit_reset(struct unit_image *image)
{
	memset(image, 0, sizeof(*image));
	image->fcw = 0x37f;
	image->mxcsr = 0x1f80;
}

static u64 hidden(void)
{
	u64 hide = 0;
	u32 i, reg[4];

	for (i = 1; i < RVM_NR_FEATURES; i++) {
		const struct rvm_feature_bit *b = &rvm_feature_bits[i];

		if (!__get_cpuid_count(b->leaf, b->sub, &reg[0], &reg[1], &reg[2], &reg[3]) ||
		    !(reg[b->reg] >> b->bit & 1))
			hide |= 1ull << i;
	}
	if (!(hide >> RVM_UF_SSE & 1))
		hide &= ~(1ull << RVM_UF_MMXEXT);
	return hide;
}

void unit_attach(struct world *w, struct unit_image *image)
{
	static u8 area[RVM_FPU_AREA] __attribute__((aligned(64)));

	w->unit = image;
	w->insn.fpu_area = area;
	w->insn.xcomp = xcomp;
	w->insn.hide_unit = hidden();
	memset(&w->insn.x87, 0, sizeof(w->insn.x87));
}
