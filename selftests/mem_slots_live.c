// SPDX-License-Identifier: GPL-2.0
/* Memslots read-only, moved, deleted and made while a guest runs (KVM API 4.35). */
#include <pthread.h>
#include <sched.h>

#include "vmtest.h"

#define PG	0x1000ul
#define AT	0x10000000ul

GUEST_ALL(wr, "mov %eax, (%ebx)\nhlt\n");
GUEST_ALL(rd, "mov (%ebx), %eax\nhlt\n");

static void at(struct vcpu *v, const struct guest_code prog[3], uint64_t rbx)
{
	guest_load(v->vm, G_CODE, guest_for(prog, v->mode));
	v->regs.rip = G_CODE;
	v->regs.rbx = rbx;
	v->regs.rax = 0x5a5a5a5a;
	set_regs(v);
}

/* Reads come from memory, writes come out as MMIO and change nothing. */
static void read_only(void)
{
	enum guest_mode m;

	for (m = MODE_PROT32; m < NR_MODES; m++) {
		struct vcpu *v = guest_start_all(m, wr);
		uint32_t *mem = anon(4 * PG);

		mem[1] = 0x11223344;
		ASSERT_OK(vm_slot(v->vm, 1, KVM_MEM_READONLY, AT, 4 * PG, mem));
		at(v, rd, AT + 4);
		run_to_hlt(v);
		EXPECT_EQ(v->regs.rax, 0x11223344);
		at(v, wr, AT + 4);
		run_to(v, KVM_EXIT_MMIO);
		EXPECT_EQ(v->run->mmio.is_write, 1);
		EXPECT_EQ(v->run->mmio.phys_addr, AT + 4);
		EXPECT_EQ(v->run->mmio.len, 4);
		EXPECT(!memcmp(v->run->mmio.data, "\x5a\x5a\x5a\x5a", 4));
		run_to_hlt(v);
		EXPECT_EQ(mem[1], 0x11223344);
		at(v, rd, AT + 4);
		run_to_hlt(v);
		EXPECT_EQ(v->regs.rax, 0x11223344);
		/* Read-only to the client as well: a file mapped so, a ROM. */
		mprotect(mem, 4 * PG, PROT_READ);
		at(v, rd, AT + PG);
		run_to_hlt(v);
		EXPECT_EQ(v->regs.rax, 0);
		/* Code runs there. */
		mprotect(mem, 4 * PG, PROT_READ | PROT_WRITE);
		((uint8_t *)mem)[0x800] = 0xf4;
		v->regs.rip = AT + 0x800;
		set_regs(v);
		run_to_hlt(v);
		EXPECT_EQ(v->regs.rip, AT + 0x801);
		vm_free_all();
		munmap(mem, 4 * PG);
	}
}

/* A moved slot is gone from where it was. */
static void moved(void)
{
	enum guest_mode m;

	for (m = MODE_PROT32; m < NR_MODES; m++) {
		struct vcpu *v = guest_start_all(m, rd);
		uint32_t *mem = anon(PG);

		mem[0] = 0x77;
		ASSERT_OK(vm_slot(v->vm, 1, 0, AT, PG, mem));
		at(v, rd, AT);
		run_to_hlt(v);
		EXPECT_EQ(v->regs.rax, 0x77);
		ASSERT_OK(vm_slot(v->vm, 1, 0, AT + 0x100000, PG, mem));
		at(v, rd, AT);
		run_to(v, KVM_EXIT_MMIO);
		memcpy(v->run->mmio.data, "\x01\x00\x00\x00", 4);
		run_to_hlt(v);
		EXPECT_EQ(v->regs.rax, 1);
		at(v, rd, AT + 0x100000);
		run_to_hlt(v);
		EXPECT_EQ(v->regs.rax, 0x77);
		/* What was MMIO becomes memory, and the reverse. */
		ASSERT_OK(vm_slot(v->vm, 2, 0, AT, PG, mem));
		at(v, rd, AT);
		run_to_hlt(v);
		EXPECT_EQ(v->regs.rax, 0x77);
		ASSERT_OK(vm_slot(v->vm, 2, 0, 0, 0, NULL));
		at(v, rd, AT);
		run_to(v, KVM_EXIT_MMIO);
		vm_free_all();
		munmap(mem, PG);
	}
}

/* The instruction that faulted is done by the memory that came meanwhile. */
static void replaced_at_exit(void)
{
	struct vcpu *v = guest_start_all(MODE_LONG, rd);
	uint32_t *a = anon(PG), *b = anon(PG);

	a[0] = 1;
	b[0] = 2;
	ASSERT_OK(vm_slot(v->vm, 1, 0, AT, PG, a));
	at(v, rd, AT);
	run_to_hlt(v);
	EXPECT_EQ(v->regs.rax, 1);
	ASSERT_OK(vm_slot(v->vm, 1, 0, 0, 0, NULL));
	ASSERT_OK(vm_slot(v->vm, 1, 0, AT, PG, b));
	at(v, rd, AT);
	run_to_hlt(v);
	EXPECT_EQ(v->regs.rax, 2);
	munmap(a, PG);
	munmap(b, PG);
}

/*
 * A guest that writes without end while another thread takes the slot away,
 * moves it, puts it back.  Each write must land in memory or at the client:
 * the counter in memory plus the writes that came as MMIO is the loop's count.
 */
GUEST_ALL(count, "1: incl %esi\nmov %esi, (%ebx)\nmov (%ebx), %edi\ncmpb $0, (%edx)\nje 1b\nhlt\n");

struct live {
	struct vcpu *v;
	volatile uint64_t hits, rounds;
	volatile bool stop;
	volatile int err;
};

static void *run_live(void *arg)
{
	struct live *l = arg;
	struct kvm_run *r = l->v->run;

	for (;;) {
		int e = vcpu_run(l->v);

		if (e) {
			l->err = -e;
			break;
		}
		if (r->exit_reason == KVM_EXIT_HLT)
			break;
		if (r->exit_reason != KVM_EXIT_MMIO || r->mmio.phys_addr != AT ||
		    r->mmio.len != 4) {
			show_exit(l->v);
			l->err = 1000 + r->exit_reason;
			break;
		}
		if (!r->mmio.is_write)
			memset(r->mmio.data, 0, 8);
		l->hits++;
	}
	l->stop = true;
	return NULL;
}

static bool has_moved(void *arg)
{
	struct live *l = arg;

	return l->hits > l->rounds || l->stop;
}

struct counter_moves {
	volatile uint32_t *mem;
	uint32_t was;
	struct live *l;
};

static bool counter_changed(void *arg)
{
	struct counter_moves *c = arg;

	return *c->mem != c->was || c->l->stop;
}

static void under_running_guest(void)
{
	enum guest_mode m;

	for (m = MODE_PROT32; m < NR_MODES; m++) {
		struct vcpu *v = guest_start_all(m, count);
		struct live l = { .v = v };
		uint32_t *mem = anon(PG);
		pthread_t t;
		int i;

		ASSERT_OK(vm_slot(v->vm, 1, 0, AT, PG, mem));
		v->regs.rbx = AT;
		v->regs.rdx = G_DATA;
		set_regs(v);
		ASSERT_EQ(pthread_create(&t, NULL, run_live, &l), 0);
		for (i = 0; i < 30 && !l.stop; i++) {
			struct counter_moves c = { mem, mem[0], &l };

			/* In place: the guest's writes arrive in memory. */
			EXPECT(wait_for(counter_changed, &c, 60000));
			switch (i % 3) {
			case 0:
				EXPECT_OK(vm_slot(v->vm, 1, 0, 0, 0, NULL));
				break;
			case 1:
				EXPECT_OK(vm_slot(v->vm, 1, 0, AT + 0x10000, PG, mem));
				break;
			case 2:
				EXPECT_OK(vm_slot(v->vm, 1, 0, 0, 0, NULL));
				EXPECT_OK(vm_slot(v->vm, 1, KVM_MEM_READONLY, AT, PG, mem));
				break;
			}
			/* Away: they arrive at the client, and not in memory. */
			l.rounds = l.hits;
			EXPECT(wait_for(has_moved, &l, 60000));
			c.was = mem[0];
			l.rounds = l.hits;
			EXPECT(wait_for(has_moved, &l, 60000));
			EXPECT_EQ(mem[0], c.was);
			if (i % 3 == 2)
				EXPECT_OK(vm_slot(v->vm, 1, 0, 0, 0, NULL));
			EXPECT_OK(vm_slot(v->vm, 1, 0, AT, PG, mem));
		}
		g8(v->vm, G_DATA) = 1;
		pthread_join(t, NULL);
		EXPECT_EQ(l.err, 0);
		vm_free_all();
		munmap(mem, PG);
	}
}

/* Other slots come and go by the hundred; the guest's own memory stays sound. */
GUEST_ALL(work, "1: incl (%ebx)\nmov (%ebx), %eax\nmov %eax, (%esi)\ncmpb $0, (%edx)\nje 1b\nhlt\n");

static void unrelated_changes(void)
{
	struct vcpu *v = guest_start_all(MODE_LONG, work);
	struct live l = { .v = v };
	uint8_t *mem = anon(64 * PG);
	pthread_t t;
	int i;

	v->regs.rbx = 0x50000;
	v->regs.rsi = 0x51000;
	v->regs.rdx = G_DATA;
	set_regs(v);
	ASSERT_EQ(pthread_create(&t, NULL, run_live, &l), 0);
	for (i = 0; i < 300 && !l.stop; i++) {
		EXPECT_OK(vm_slot(v->vm, 1 + i % 7, i % 2 ? KVM_MEM_LOG_DIRTY_PAGES : 0,
				  AT + (i % 7) * 0x100000, (1 + i % 9) * PG, mem));
		if (i % 3 == 0)
			sched_yield();
		EXPECT_OK(vm_slot(v->vm, 1 + i % 7, 0, 0, 0, NULL));
	}
	EXPECT(!l.stop);
	g8(v->vm, G_DATA) = 1;
	pthread_join(t, NULL);
	EXPECT_EQ(l.err, 0);
	EXPECT(g32(v->vm, 0x50000) > 0);
	EXPECT_EQ(g32(v->vm, 0x50000), g32(v->vm, 0x51000));
	munmap(mem, 64 * PG);
}

int main(void)
{
	static const struct ktap_case cases[] = {
		{ "read_only", read_only }, { "moved", moved },
		{ "replaced_at_exit", replaced_at_exit },
		{ "under_running_guest", under_running_guest },
		{ "unrelated_changes", unrelated_changes },
	};

	vmtest_init();
	return ktap_run(cases, KTAP_COUNT(cases));
}
