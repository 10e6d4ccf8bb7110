// SPDX-License-Identifier: GPL-2.0
/*
 * Fast system calls in long mode, and the MSRs they and the bases of FS and GS
 * live in: SDM vol. 3 §5.8.7, §5.8.8, vol. 2 SYSCALL, SYSRET, SYSENTER, SYSEXIT,
 * SWAPGS, RDFSBASE; APM vol. 2 §6.1, vol. 3.
 */
#include "trace.h"

CODE(syscall64, 64, "syscall");
CODE(syscall32, 32, "syscall");
CODE(sysretq, 64, "sysretq");
CODE(sysretl, 64, "sysretl");
CODE(sysret32, 32, "sysretl");
CODE(sysenter64, 64, "sysenter");
CODE(sysenter32, 32, "sysenter");
CODE(sysexitq, 64, "rex.W sysexit");
CODE(sysexitl, 64, "sysexitl");
CODE(sysexit32, 32, "sysexit");
CODE(iret64, 64, "iretq");
CODE(set_get, 64, "wrmsr; xor %eax, %eax; xor %edx, %edx; rdmsr");
CODE(push32, 32, "push %eax");
CODE(push64, 64, "push %rax");
CODE(nops, 64, "nop; nop");

#define TARGET	0x20		/* offset from M_CODE */
#define HIGH	0xffff800000000000ull

struct op {
	const char *name;
	const struct code *c;
	bool is_compat;
};

static const struct op calls[] = {
	{ "syscall", &syscall64, false }, { "syscall compat", &syscall32, true },
};

static const struct op returns[] = {
	{ "sysretq", &sysretq, false }, { "sysretl", &sysretl, false },
	{ "sysret compat", &sysret32, true },
};

static void set_star(u64 user, u64 kernel)
{
	wrmsr(MSR_STAR, user << 48 | kernel << 32 | 0x89abcdef);
}

/* Back to a user's code and stack at M_STACK1, by SYSRET or SYSEXIT. */
static void start(const struct op *op, int cpl)
{
	if (op->is_compat)
		compat(cpl);
	else
		ring(cpl);
	user_memory();
	code(*op->c);
	put_bytes(M_CODE + TARGET, "", 0);
	wrmsr(MSR_LSTAR, M_CODE + TARGET);
	wrmsr(MSR_CSTAR, M_CODE + TARGET + 2);
	put_bytes(M_CODE + TARGET + 2, "", 0);
	wrmsr(MSR_SFMASK, 0);
	set_star(SEL_X | 3, SEL_X + 0x40);
}

static void entries(void)
{
	static const u32 masks[] = { 0, ~0u, FL_IF | FL_DF | FL_NT | FL_AC, 0x3f7fd5, FL_RF, 2 };
	static const u16 sels[] = { 0, SEL_X, SEL_X | 3, SEL_X | 4, 0xfff8, 0xffff };
	u32 i, cpl, sce, m;

	for (i = 0; i < 2; i++)
	for (cpl = 0; cpl < 4; cpl++)
	for (sce = 0; sce < 2; sce++)
	for (m = 0; m < sizeof(masks) / sizeof(masks[0]); m++) {
		begin("syscall64 %s cpl%x sce%x mask%x", calls[i].name, cpl, sce, masks[m]);
		if (!need(NEED_SYSCALL))
			continue;
		start(&calls[i], cpl);
		wrmsr(MSR_SFMASK, masks[m]);
		in.fl |= 0x3f7fd5 & ~(FL_TF | FL_VM | FL_VIF | FL_VIP | FL_RF);
		in.r[CX] = in.r[R11] = 0x1111222233334444;
		in.r[SP] = M_STACK1;
		set_efer(sce);
		run();
		show();
	}
	for (i = 0; i < 2; i++)
	for (m = 0; m < sizeof(sels) / sizeof(sels[0]); m++) {
		begin("syscall64 %s star%x", calls[i].name, sels[m]);
		if (!need(NEED_SYSCALL))
			continue;
		start(&calls[i], 3);
		set_star(0, sels[m]);
		in.r[SP] = M_STACK1;
		set_efer(EFER_SCE);
		run();
		show();
	}
	/* RF as it is saved; where no code is; a user's page under SMEP; a flat stack */
	for (i = 0; i < 2; i++)
	for (m = 0; m < 4; m++) {
		static const char *const names[] = { "rf", "target high", "smep", "push" };

		begin("syscall64 %s %s", calls[i].name, names[m]);
		if (!need(NEED_SYSCALL) || (m == 2 && !need(NEED_SMEP)))
			continue;
		start(&calls[i], 3);
		if (m == 0)
			in.fl |= FL_RF;
		if (m == 1) {
			wrmsr(MSR_LSTAR, HIGH);
			wrmsr(MSR_CSTAR, HIGH);
		}
		if (m == 2)
			set_cr4(CR4_SMEP);
		if (m == 3) {
			put(M_CODE + TARGET, push64);
			wrmsr(MSR_CSTAR, M_CODE + TARGET);
			in.r[SP] = M_STACK1;
		}
		set_efer(EFER_SCE);
		run();
		show();
	}
}

static void exits(void)
{
	static const u64 targets[] = {
		M_CODE + TARGET, NONCANONICAL, NONCANONICAL - 1, HIGH, HIGH - 1, 1ull << 63,
		0x123400000000ull + M_CODE + TARGET, 0xffffffff00000000ull + M_CODE + TARGET,
	};
	static const u64 flags[] = { 0, 0x3f7ed7 & ~FL_VM, ~0ull & ~FL_TF, FL_VM, FL_RF };
	static const u16 sels[] = { 0, 3, SEL_X, SEL_X | 3, SEL_X | 4, 0xfff8 };
	u32 i, cpl, sce, t;

	for (i = 0; i < 3; i++)
	for (cpl = 0; cpl < 4; cpl++)
	for (sce = 0; sce < 2; sce++) {
		begin("syscall64 %s cpl%x sce%x", returns[i].name, cpl, sce);
		if (!need(NEED_SYSCALL))
			continue;
		start(&returns[i], cpl);
		in.r[CX] = M_CODE + TARGET;
		in.r[R11] = FL_IF | FL_CF;
		set_efer(sce);
		run();
		show();
	}
	for (i = 0; i < 3; i++)
	for (t = 0; t < sizeof(targets) / sizeof(targets[0]); t++) {
		begin("syscall64 %s to %llx", returns[i].name, targets[t]);
		if (!need(NEED_SYSCALL))
			continue;
		start(&returns[i], 0);
		in.r[CX] = targets[t];
		in.r[SP] = M_STACK1;
		set_efer(EFER_SCE);
		run();
		show();
	}
	for (i = 0; i < 3; i++)
	for (t = 0; t < sizeof(flags) / sizeof(flags[0]); t++) {
		begin("syscall64 %s flags %llx", returns[i].name, flags[t]);
		if (!need(NEED_SYSCALL))
			continue;
		start(&returns[i], 0);
		in.r[CX] = M_CODE + TARGET;
		in.r[R11] = flags[t];
		set_efer(EFER_SCE);
		run();
		show();
	}
	for (i = 0; i < 3; i++)
	for (t = 0; t < sizeof(sels) / sizeof(sels[0]); t++) {
		begin("syscall64 %s star%x", returns[i].name, sels[t]);
		if (!need(NEED_SYSCALL))
			continue;
		start(&returns[i], 0);
		set_star(sels[t], 0);
		in.r[CX] = M_CODE + TARGET;
		set_efer(EFER_SCE);
		run();
		show();
	}
	/* The user's code touches its stack, which was ring 0's data segment or null. */
	for (i = 0; i < 3; i++)
	for (t = 0; t < 2; t++) {
		begin("syscall64 %s push, ss was %s", returns[i].name, t ? "null" : "flat");
		if (!need(NEED_SYSCALL))
			continue;
		start(&returns[i], 0);
		put(M_CODE + TARGET, i ? push32 : push64);
		in.r[CX] = M_CODE + TARGET;
		in.r[SP] = M_DATA + 0x800;
		if (t && i < 2)
			in.ss = 0;
		set_efer(EFER_SCE);
		run();
		show();
	}
}

/* Not on AMD's CPUs in long mode. */
static void sysenters(void)
{
	static const struct op enters[] = {
		{ "sysenter", &sysenter64, false }, { "sysenter compat", &sysenter32, true },
	};
	static const struct op leaves[] = {
		{ "sysexitq", &sysexitq, false }, { "sysexitl", &sysexitl, false },
		{ "sysexit compat", &sysexit32, true },
	};
	static const u16 list[] = { 0, 3, SEL_X, SEL_X | 3, SEL_X | 4, 0xfff8 };
	static const u64 targets[] = {
		M_CODE + TARGET, NONCANONICAL, HIGH, HIGH - 1,
		0xffffffff00000000ull + M_CODE + TARGET,
	};
	u32 i, cpl, s;

	for (i = 0; i < 2; i++)
	for (cpl = 0; cpl < 4; cpl++)
	for (s = 0; s < sizeof(list) / sizeof(list[0]); s++) {
		begin("syscall64 %s cpl%x cs%x", enters[i].name, cpl, list[s]);
		if (!need(NEED_SEP))
			continue;
		start(&enters[i], cpl);
		wrmsr(MSR_SYSENTER_CS, list[s]);
		wrmsr(MSR_SYSENTER_ESP, M_STACK1);
		wrmsr(MSR_SYSENTER_EIP, M_CODE + TARGET);
		in.fl |= FL_IF | FL_IOPL(3) | FL_DF | FL_CF | FL_NT | FL_AC;
		run();
		show();
	}
	for (i = 0; i < 3; i++)
	for (cpl = 0; cpl < 4; cpl++)
	for (s = 0; s < sizeof(list) / sizeof(list[0]); s++) {
		begin("syscall64 %s cpl%x cs%x", leaves[i].name, cpl, list[s]);
		if (!need(NEED_SEP))
			continue;
		start(&leaves[i], cpl);
		wrmsr(MSR_SYSENTER_CS, list[s]);
		in.r[DX] = M_CODE + TARGET;
		in.r[CX] = M_STACK1;
		in.fl |= FL_IF | FL_IOPL(1);
		run();
		show();
	}
	for (i = 0; i < 3; i++)
	for (s = 0; s < sizeof(targets) / sizeof(targets[0]); s++)
	for (cpl = 0; cpl < 2; cpl++) {
		begin("syscall64 %s %s %llx", leaves[i].name, cpl ? "stack" : "to", targets[s]);
		if (!need(NEED_SEP))
			continue;
		start(&leaves[i], 0);
		wrmsr(MSR_SYSENTER_CS, SEL_X);
		in.r[DX] = cpl ? M_CODE + TARGET : targets[s];
		in.r[CX] = cpl ? targets[s] : M_STACK1;
		run();
		show();
	}
	/* what may be the target of a SYSENTER is at most 64 bits wide */
	for (i = 0; i < 2; i++) {
		begin("syscall64 %s to high", enters[i].name);
		if (!need(NEED_SEP | NEED_INTEL))
			continue;
		start(&enters[i], 3);
		wrmsr(MSR_SYSENTER_CS, SEL_X);
		wrmsr(MSR_SYSENTER_ESP, HIGH + 0x1000);
		wrmsr(MSR_SYSENTER_EIP, HIGH);
		run();
		show();
	}
}

/* TF before and after; a breakpoint at the target; RF on the way. */
static void steps(void)
{
	u32 i, before, after, bp;

	for (i = 0; i < 2; i++)
	for (before = 0; before < 2; before++)
	for (after = 0; after < 2; after++)
	for (bp = 0; bp < 2; bp++) {
		if (before && bp)
			continue;
		begin("syscall64 step %s%s%s%s", calls[i].name, before ? " tf" : "", after ? "" : " masked",
		      bp ? " breakpoint" : "");
		if (!need(NEED_SYSCALL))
			continue;
		start(&calls[i], 3);
		wrmsr(MSR_CSTAR, M_CODE + TARGET);
		put(M_CODE + TARGET, nops);
		wrmsr(MSR_SFMASK, after ? 0 : FL_TF);
		in.fl |= before ? FL_TF : 0;
		debug_used = true;
		if (bp) {
			WRITE_DR(0, M_CODE + TARGET);
			WRITE_DR(7, 0x401);
		}
		set_efer(EFER_SCE);
		run();
		show_outcome();
		show_changes();
		line(" dr6=%lx", read_dr6());
		end_line();
	}
	for (i = 0; i < 4; i++)
	for (before = 0; before < 2; before++)
	for (after = 0; after < 2; after++)
	for (bp = 0; bp < 3; bp++) {
		const struct op iret = { "iretq", &iret64, false };
		const struct op *op = i < 3 ? &returns[i] : &iret;
		u64 fl = 2 | (after ? FL_TF : 0) | (bp == 2 ? FL_RF : 0);

		/* which of two reasons for a #DB at one place comes first is another matter */
		if (bp && (before || after))
			continue;
		begin("syscall64 step %s%s%s%s", op->name, before ? " tf" : "", after ? " to tf" : "",
		      bp == 2 ? " breakpoint rf" : bp ? " breakpoint" : "");
		if (i < 3 && !need(NEED_SYSCALL))
			continue;
		start(op, 0);
		put(M_CODE + TARGET, nops);
		in.r[CX] = M_CODE + TARGET;
		in.r[R11] = fl;
		in.r[SP] = M_STACK - 0x40;
		mem64(M_STACK - 0x40) = M_CODE + TARGET;
		mem64(M_STACK - 0x38) = SEL_C(3) | 3;
		mem64(M_STACK - 0x30) = fl;
		mem64(M_STACK - 0x28) = M_STACK1;
		mem64(M_STACK - 0x20) = SEL_D(3) | 3;
		in.fl |= before ? FL_TF : 0;
		debug_used = true;
		if (bp) {
			WRITE_DR(0, M_CODE + TARGET);
			WRITE_DR(7, 0x401);
		}
		set_efer(EFER_SCE);
		run();
		show_outcome();
		show_changes();
		line(" dr6=%lx", read_dr6());
		end_line();
	}
}

/* What may be written, and what is then read. */
static void msrs(void)
{
	static const struct { const char *name; u32 msr; } list[] = {
		{ "star", MSR_STAR }, { "lstar", MSR_LSTAR }, { "cstar", MSR_CSTAR },
		{ "fs base", MSR_FS_BASE }, { "gs base", MSR_GS_BASE },
		{ "kernel gs base", MSR_KERNEL_GS }, { "sysenter esp", MSR_SYSENTER_ESP },
		{ "sysenter eip", MSR_SYSENTER_EIP },
	};
	static const u64 values[] = {
		0, 0x123456789abc, NONCANONICAL - 1, NONCANONICAL, HIGH - 1, HIGH, 1ull << 63,
		0x7fffffffffffffff, ~0ull, 0xffffffff,
	};
	u32 i, v;

	for (i = 0; i < sizeof(list) / sizeof(list[0]); i++)
	for (v = 0; v < sizeof(values) / sizeof(values[0]); v++) {
		u64 top = values[v] >> 47;

		begin("syscall64 msr %s %llx", list[i].name, values[v]);
		/* the upper half of what SYSENTER finds is nothing to AMD's CPUs */
		if (i >= 6 && top && top != 0x1ffff && !need(NEED_INTEL))
			continue;
		code(set_get);
		in.r[CX] = list[i].msr;
		in.r[AX] = (u32)values[v];
		in.r[DX] = values[v] >> 32;
		run();
		show();
		wrmsr(list[i].msr, 0);
	}
}

void syscalls(void)
{
	entries();
	exits();
	sysenters();
	steps();
	msrs();
}
