// SPDX-License-Identifier: GPL-2.0
/*
 * From ring to ring and back, thousands of times: system calls by interrupt and trap gates and
 * by SYSENTER, page faults, IRET to both rings, loads of FS in between.  What a handler
 * finds that no CPU shows goes into ERRORS, a bit for each place.
 */
#include "vmtest.h"

#define LOOPS		3000

/* G_DATA: counts of the handlers, errors, the user's sum */
#define COUNT80		(G_DATA + 0x00)
#define COUNT81		(G_DATA + 0x04)
#define COUNT_ENTER	(G_DATA + 0x08)
#define COUNT_FAULT	(G_DATA + 0x0c)
#define ERRORS		(G_DATA + 0x10)

/* A handler for each, on pages of their own; ring 3's stack; a page that is not there. */
#define G_H80		0x40000u
#define G_H81		0x40100u
#define G_ENTER		0x40200u
#define G_FAULT		0x40300u
#define G_END		0x40400u
#define G_USTACK	0x50000u
#define G_ABSENT	0x60000u
/* Of the GDT's free entries, in SYSENTER's order */
#define SEL_KCS		0x40
#define SEL_KDS		0x48
#define SEL_UCS		0x53
#define SEL_UDS		0x5b

/* EBX: turns.  ESI: the flags and what came back, added up. */
GUEST(user, 32,
	"mov $0x5b, %eax\n mov %eax, %ds\n mov %eax, %es\n xor %eax, %eax\n mov %eax, %fs\n"
	"push $0x5b\n push $0x50000\n push $0x202\n push $0x53\n"
	"call 2f\n"
	"2: addl $(1f - 2b), (%esp)\n"
	"iret\n"
	"1:\n"
	/* CF, DF, OF as they were, whatever the handler does with its own */
	"push $0xc57\n popf\n"
	"mov %ebx, %eax\n int $0x80\n"
	"pushf\n pop %ecx\n and $0xcd5, %ecx\n add %ecx, %esi\n add %eax, %esi\n"
	"push $0x202\n popf\n"
	"int $0x81\n"
	"add %eax, %esi\n"
	"mov 0x60000, %eax\n"			/* five bytes, that the handler skips */
	"add %eax, %esi\n"
	"mov %esp, %ecx\n"
	"call 3f\n"
	"3: pop %edx\n add $(4f - 3b), %edx\n"
	"sysenter\n"
	"4: add %eax, %esi\n"
	"mov %fs, %eax\n add %eax, %esi\n"	/* 0: the kernel's is no business of ours */
	"dec %ebx\n"
	"jnz 1b\n"
	"int $0x82\n");

/* An interrupt gate.  Entered with ring 3's segments; FS to ring 0's as kernels do. */
GUEST(handler80, 32,
	"push %ecx\n push %fs\n"
	"mov $0x48, %ecx\n mov %ecx, %fs\n"
	"pushf\n pop %ecx\n"
	"test $0x4200, %ecx\n jz 1f\n orl $1, 0xc010\n"
	"1: cmpl $0x53, 12(%esp)\n je 1f\n orl $2, 0xc010\n"
	"1: cmpl $0x5b, 24(%esp)\n je 1f\n orl $4, 0xc010\n"
	"1: cmpl $0x50000, 20(%esp)\n je 1f\n orl $8, 0xc010\n"
	"1: mov 16(%esp), %ecx\n and $0xfd7, %ecx\n cmp $0xe57, %ecx\n je 1f\n orl $16, 0xc010\n"
	/* within ring 0, with other flags; and again with FS on the stack */
	"1: push $0x8d7\n push $0x08\n"
	"call 2f\n"
	"2: addl $(3f - 2b), (%esp)\n"
	"iret\n"
	"3: pushf\n pop %ecx\n and $0xfd7, %ecx\n cmp $0x8d7, %ecx\n je 1f\n orl $32, 0xc010\n"
	"1: push %fs\n pop %fs\n"
	"mov %fs, %ecx\n cmp $0x48, %ecx\n je 1f\n orl $64, 0xc010\n"
	"1: mov %fs:0xc000, %ecx\n inc %ecx\n mov %ecx, 0xc000\n"
	"add $7, %eax\n"
	"pop %fs\n pop %ecx\n"
	"iret\n");

/* A trap gate: IF stays. */
GUEST(handler81, 32,
	"pushf\n pop %ecx\n test $0x200, %ecx\n jnz 1f\n orl $128, 0xc010\n"
	"1: incl 0xc004\n"
	"mov $3, %eax\n"
	"iret\n");

GUEST(entered, 32,
	"pushf\n pop %eax\n test $0x200, %eax\n jz 1f\n orl $256, 0xc010\n"
	"1: cmp $0x5800, %esp\n je 1f\n orl $512, 0xc010\n"
	/* now and then, for what it is worth: these two are not the gate's */
	"1: test $63, %ebx\n jnz 2f\n"
	"mov %cs, %eax\n cmp $0x40, %eax\n je 1f\n orl $1024, 0xc010\n"
	"1: mov %ss, %eax\n cmp $0x48, %eax\n je 1f\n orl $2048, 0xc010\n"
	"1:\n"
	"2: incl 0xc008\n"
	"mov $5, %eax\n"
	"sti\n"
	"sysexit\n");

GUEST(fault, 32,
	"cmpl $4, (%esp)\n je 1f\n orl $4096, 0xc010\n"
	"1: mov %cr2, %eax\n cmp $0x60000, %eax\n je 1f\n orl $8192, 0xc010\n"
	"1: pushf\n pop %eax\n test $0x200, %eax\n jz 1f\n orl $16384, 0xc010\n"
	"1: incl 0xc00c\n"
	"testl $0x10000, 12(%esp)\n jnz 1f\n orl $32768, 0xc010\n"	/* RF: a fault's */
	"1: addl $5, 4(%esp)\n"
	"mov $11, %eax\n"
	"add $4, %esp\n"
	"iret\n");

GUEST(stop, 32, "hlt\n");

/* Flat segments of both rings, Accessed, under selectors that SYSENTER and SYSEXIT make. */
static void rings(enum guest_mode m)
{
	struct vcpu *v = guest_start(m, user);
	uint64_t gdt = v->sregs.gdt.base, idt = v->sregs.idt.base, want = 0, i, fast;
	struct vm *vm = v->vm;

	g64(vm, gdt + 0x40) = 0x00cf9b000000ffff;
	g64(vm, gdt + 0x48) = 0x00cf93000000ffff;
	g64(vm, gdt + 0x50) = 0x00cffb000000ffff;
	g64(vm, gdt + 0x58) = 0x00cff3000000ffff;
	guest_load(vm, G_H80, handler80);
	guest_load(vm, G_H81, handler81);
	guest_load(vm, G_ENTER, entered);
	guest_load(vm, G_FAULT, fault);
	guest_load(vm, G_END, stop);
	guest_handler(vm, m, 0x80, G_H80);
	guest_handler(vm, m, 0x81, G_H81);
	guest_handler(vm, m, 0x82, G_END);
	guest_handler(vm, m, 14, G_FAULT);
	for (i = 0x80; i <= 0x82; i++)
		g8(vm, idt + i * 8 + 5) = i == 0x81 ? 0xef : 0xee;
	if (m == MODE_PAE)
		g64(vm, G_PT + (G_ABSENT >> 12) * 8) = 0;
	else
		g32(vm, G_PT32 + (G_ABSENT >> 12) * 4) = 0;
	ASSERT_EQ(set_msr(v, MSR_SYSENTER_CS, SEL_KCS), 1);
	ASSERT_EQ(set_msr(v, MSR_SYSENTER_ESP, 0x5800), 1);
	ASSERT_EQ(set_msr(v, MSR_SYSENTER_EIP, G_ENTER), 1);
	v->regs.rbx = LOOPS;
	v->regs.rsi = 0;
	set_regs(v);
	run_to_hlt(v);

	for (i = LOOPS; i; i--)
		want += 0xc55 + (i + 7) + 3 + 11 + 5;
	/* TCG pushes no RF. */
	EXPECT_EQ(g32(vm, ERRORS) & ~(guest_on_tcg() ? 32768u : 0), 0);
	EXPECT_EQ(g32(vm, COUNT80), LOOPS);
	EXPECT_EQ(g32(vm, COUNT81), LOOPS);
	EXPECT_EQ(g32(vm, COUNT_ENTER), LOOPS);
	EXPECT_EQ(g32(vm, COUNT_FAULT), LOOPS);
	EXPECT_EQ(v->regs.rsi, (uint32_t)want);
	EXPECT_EQ(v->regs.rbx, 0);
	if (!dev_is_ring1() || !stat_value(v->fd, "native"))
		return;
	/* Three ways in and five out, the fault's delivery, FS twice; CLI and its like. */
	fast = stat_value(v->fd, "fast");
	ktap_diag("%llu entries, %llu times in the gate", (unsigned long long)stat_value(v->fd, "native"),
		  (unsigned long long)fast);
	if (stat_value(v->fd, "soft_views") < LOOPS && fast < 15 * LOOPS)
		FAIL("the gate did %llu", (unsigned long long)fast);
}

static void paged32(void)	{ rings(MODE_PG32); }
static void pae(void)		{ rings(MODE_PAE); }

int main(void)
{
	static const struct ktap_case cases[] = {
		{ "paged32", paged32 }, { "pae", pae },
	};

	vmtest_init();
	return ktap_run(cases, KTAP_COUNT(cases));
}
