// SPDX-License-Identifier: GPL-2.0
/*
 * Loops of guest code for counting host instructions (cost.py runs this under
 * callgrind):
 *
 *   cost KERNEL N    run N guest instructions of the loop KERNEL, after as many
 *                    as fill the caches, and print how many were executed
 *   cost             list the loops
 *
 * Two runs with different N tell the cost of an instruction without that of
 * starting up.
 */
#include <stdio.h>
#include <stdlib.h>
#include "world.h"

#define CODE	0x10000ull
#define DATA	0x20000ull
#define STACK	0x40000ull
#define LEN	0x10000u

static struct world w;
static u8 *code, *data, *stack;

/*
 * Registers at the start: rSI and rDI in the data area, rSP in the stack area,
 * the others zero.  Every loop runs for ever.
 */
static const struct loop {
	const char *name, *what;
	u32 mode;
	u32 len;
	const char *bytes;
} loops[] = {
#define LOOP(n, m, what, b) { n, what, m, sizeof(b) - 1, b }
	/* mov %ebx,%eax; add $3,%ebx; mov %eax,(%rsi); add 8(%rsi),%ecx;
	 * mov 8(%rsi),%edx; add %edx,%ecx; jmp */
	LOOP("simple64", RVM_DEC_64, "mov, add, taken branch, 64-bit code",
	     "\x89\xd8\x83\xc3\x03\x89\x06\x03\x4e\x08\x8b\x56\x08\x01\xd1\xeb\xef"),
	LOOP("simple32", RVM_DEC_32, "mov, add, taken branch, 32-bit code",
	     "\x89\xd8\x83\xc3\x03\x89\x06\x03\x4e\x08\x8b\x56\x08\x01\xd1\xeb\xef"),
	/* mov %rbx,%rax; mov %rax,%rcx; mov $5,%edx; jmp */
	LOOP("mov64", RVM_DEC_64, "mov between registers",
	     "\x48\x89\xd8\x48\x89\xc1\xba\x05\x00\x00\x00\xeb\xf3"),
	/* add %rbx,%rax; add $1,%rbx; sub %rax,%rcx; cmp %rcx,%rax; jmp */
	LOOP("alu64", RVM_DEC_64, "add, sub, cmp",
	     "\x48\x01\xd8\x48\x83\xc3\x01\x48\x29\xc1\x48\x39\xc8\xeb\xf1"),
	/* jmp +0 four times; back */
	LOOP("jmp64", RVM_DEC_64, "jmp", "\xeb\x00\xeb\x00\xeb\x00\xeb\x00\xeb\xf6"),
	/* xor %eax,%eax; je +0; jne +0; jns +0; jmp */
	LOOP("jcc64", RVM_DEC_64, "xor, jcc taken and not",
	     "\x31\xc0\x74\x00\x75\x00\x79\x00\xeb\xf6"),
	/* mov (%rsi),%rax; mov 16(%rsi),%rbx; mov 0x100(%rsi,%rcx,4),%edx;
	 * movzbl 3(%rsi),%r8d; jmp */
	LOOP("load64", RVM_DEC_64, "loads",
	     "\x48\x8b\x06\x48\x8b\x5e\x10\x8b\x94\x8e\x00\x01\x00\x00\x44\x0f\xb6\x46\x03\xeb\xeb"),
	/* mov %rax,(%rdi); mov %ecx,8(%rdi); movb $1,9(%rdi); movl $7,12(%rdi); jmp */
	LOOP("store64", RVM_DEC_64, "stores",
	     "\x48\x89\x07\x89\x4f\x08\xc6\x47\x09\x01\xc7\x47\x0c\x07\x00\x00\x00\xeb\xed"),
	/* addl $1,(%rdi); inc %eax; decl 4(%rdi); jmp */
	LOOP("rmw64", RVM_DEC_64, "read-modify-write",
	     "\x83\x07\x01\xff\xc0\xff\x4f\x04\xeb\xf6"),
	/* lock addl $1,(%rdi); lock xadd %eax,4(%rdi); jmp */
	LOOP("lock64", RVM_DEC_64, "locked read-modify-write",
	     "\xf0\x83\x07\x01\xf0\x0f\xc1\x47\x04\xeb\xf5"),
	/* call +2; jmp -7; ret */
	LOOP("call64", RVM_DEC_64, "call, ret, jmp", "\xe8\x02\x00\x00\x00\xeb\xf9\xc3"),
	LOOP("call32", RVM_DEC_32, "call, ret, jmp", "\xe8\x02\x00\x00\x00\xeb\xf9\xc3"),
	/* push %rax; push %rbx; pop %rcx; pop %rdx; jmp */
	LOOP("push64", RVM_DEC_64, "push, pop, jmp", "\x50\x53\x59\x5a\xeb\xfa"),
	LOOP("push32", RVM_DEC_32, "push, pop, jmp", "\x50\x53\x59\x5a\xeb\xfa"),
	/* lea 4(%rax,%rbx,2),%rcx; shl $3,%rcx; shr %rcx; test %rcx,%rcx; movzbl %cl,%eax; jmp */
	LOOP("misc64", RVM_DEC_64, "lea, shl, shr, test, movzx, jmp",
	     "\x48\x8d\x4c\x58\x04\x48\xc1\xe1\x03\x48\xd1\xe9\x48\x85\xc9\x0f\xb6\xc1\xeb\xec"),
	/* mov $0x1000,%ecx; rep movsb; sub $0x1000,%rsi; sub $0x1000,%rdi; jmp */
	LOOP("movsb64", RVM_DEC_64, "rep movsb of 4 KiB and 4 others",
	     "\xb9\x00\x10\x00\x00\xf3\xa4\x48\x81\xee\x00\x10\x00\x00\x48\x81\xef\x00\x10\x00\x00\xeb\xe9"),
	/* mov $0x400,%ecx; rep stosl; sub $0x1000,%rdi; jmp */
	LOOP("stosl64", RVM_DEC_64, "rep stosl of 4 KiB and 3 others",
	     "\xb9\x00\x04\x00\x00\xf3\xab\x48\x81\xef\x00\x10\x00\x00\xeb\xf0"),
	/* cli; sti; nop; jmp */
	LOOP("flags64", RVM_DEC_64, "cli, sti, nop, jmp", "\xfa\xfb\x90\xeb\xfb"),
#undef LOOP
};

static void start(const struct loop *l)
{
	static const u16 data_attr = RVM_SEG_P | RVM_SEG_S | RVM_SEG_W | RVM_SEG_DB | RVM_SEG_G;
	struct rvm_cpu *c = &w.cpu;
	u32 i;

	memcpy(code, l->bytes, l->len);
	c->cr0 = RVM_CR0_PE | RVM_CR0_PG | RVM_CR0_ET;
	c->cr4 = RVM_CR4_PAE;
	for (i = 0; i < 6; i++) {
		c->seg[i].attr = data_attr;
		c->seg[i].limit = 0xffffffff;
	}
	c->seg[RVM_CS].attr |= RVM_SEG_CODE;
	if (l->mode == RVM_DEC_64) {
		c->efer = RVM_EFER_LME | RVM_EFER_LMA;
		c->seg[RVM_CS].attr = (c->seg[RVM_CS].attr & ~RVM_SEG_DB) | RVM_SEG_L;
	}
	c->rip = CODE;
	c->rflags = RVM_FL_FIXED;
	c->gpr[RVM_RSP] = STACK + LEN / 2;
	c->gpr[RVM_RSI] = DATA;
	c->gpr[RVM_RDI] = DATA + LEN / 2;
}

static u64 run(u64 n)
{
	u64 all = 0;
	u32 done;
	int rc;

	while (all < n) {
		u64 budget = n - all < 4096 ? n - all : 4096;

		rc = rvm_insn_run(&w.insn, budget, &done);
		if (rc != RVM_INSN_OK && rc != RVM_INSN_RETRY) {
			fprintf(stderr, "ended with %d at rip %llx\n", rc,
				(unsigned long long)w.cpu.rip);
			exit(1);
		}
		all += done;
	}
	return all;
}

int main(int argc, char **argv)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(loops); i++) {
		if (argc < 3) {
			printf("%s\t%s\n", loops[i].name, loops[i].what);
			continue;
		}
		if (strcmp(loops[i].name, argv[1]))
			continue;
		code = aligned_alloc(0x1000, LEN);
		data = aligned_alloc(0x1000, LEN);
		stack = aligned_alloc(0x1000, LEN);
		memset(code, 0, LEN);
		memset(data, 0, LEN);
		memset(stack, 0, LEN);
		world_init(&w);
		world_cache(&w, true);
		world_region(&w, CODE, LEN, code, true);
		world_region(&w, DATA, LEN, data, true);
		world_region(&w, STACK, LEN, stack, true);
		start(&loops[i]);
		run(1000);
		printf("%llu\n", (unsigned long long)run(strtoull(argv[2], NULL, 0)));
		return 0;
	}
	return argc < 3 ? 0 : 2;
}
