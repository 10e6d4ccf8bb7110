// SPDX-License-Identifier: GPL-2.0
/*
 * Random bytes as guest code with random registers and system state, in every mode:
 * KVM_RUN comes back by itself or by a signal, the guest stays in its memory, and a sane guest
 * runs afterwards.  RINGVM_SEED repeats a run, RINGVM_FUZZ gives the rounds.
 */
#include "vmtest.h"

GUEST_ALL(fine, "mov $0x42, %al\nhlt\n");

#define SIZE	0x200000ul
#define GUARD	0x10000ul
#define CANARY	0xc5

static uint8_t *arena;			/* guard, guest memory, guard */
static unsigned int wild;		/* system states that were taken */

/* Bytes that decode to something: prefixes and the two-byte map come often. */
static uint8_t code_byte(void)
{
	static const uint8_t often[] = {
		0x0f, 0x0f, 0x0f, 0x66, 0xf3, 0xf2, 0x67, 0x48, 0x4c, 0xf0, 0x8b, 0x89, 0xc7,
		0xff, 0xe4, 0xee, 0x6c, 0x6e, 0xa4, 0xab, 0xcd, 0xcf, 0x8e, 0xea, 0xe8, 0x9d,
		0xfb, 0xfa, 0x01, 0x20, 0x22, 0x30, 0x32, 0xa2, 0xc4, 0xc5, 0xd9,
	};

	return rnd() % 3 ? (uint8_t)rnd() : often[rnd() % sizeof(often)];
}

static uint64_t value(void)
{
	switch (rnd() % 5) {
	case 0:
		return rnd() % SIZE;
	case 1:
		return G_HOLE + rnd() % 0x10000;
	case 2:
		return rnd() & 0xffff;
	case 3:
		return BIT(rnd() % 64);
	default:
		return rnd();
	}
}

static void randomise(struct vcpu *v)
{
	uint64_t *r = (uint64_t *)&v->regs;
	unsigned int i;

	for (i = 0; i < 0x1000; i++)
		g8(v->vm, G_CODE + i) = code_byte();
	for (i = 0; i < 0x400; i++)
		g8(v->vm, G_DATA + i) = rnd();
	for (i = 0; i < sizeof(v->regs) / 8; i++)
		r[i] = value();
	v->regs.rip = G_CODE + rnd() % 64;
	if (rnd() & 1)
		v->regs.rsp = G_STACK;
	v->regs.rflags = RFLAGS_1 | (rnd() & 0x244ed5);
	set_regs(v);
	if (rnd() % 4 == 0) {
		v->sregs.cr0 ^= BIT(rnd() & 31) & (CR0_TS | CR0_EM | CR0_MP | CR0_WP | CR0_AM);
		v->sregs.cr4 ^= rnd() & (CR4_DE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT);
		ioctl(v->fd, KVM_SET_SREGS, &v->sregs);
	}
	/* Handlers: HLTs, or random code, or none. */
	if (rnd() % 4 == 0)
		for (i = 0; i < 32; i++)
			guest_handler(v->vm, v->mode, i, G_CODE + rnd() % 0x1000);
}

static void wild_segment(struct kvm_segment *s)
{
	uint64_t r = rnd();

	if (r & 1)
		s->base = value();
	if (r & 2)
		s->limit = value();
	if (r & 4)
		s->selector = rnd();
	if (r & 8)
		s->type = rnd() & 15;
	if (r & 0x10)
		s->dpl = rnd() & 3;
	if (r & 0x20)
		s->db ^= 1;
	if (r & 0x40)
		s->s ^= rnd() % 4 == 0;
	if (r & 0x80)
		s->g ^= 1;
	if (r & 0x100)
		s->present ^= rnd() % 4 == 0;
	if (r & 0x200)
		s->l ^= rnd() % 4 == 0;
}

/*
 * System state that no code would have made: whatever the client can set.  What
 * KVM_SET_SREGS refuses stays as it was.  Not on TCG's CPU, which aborts on some.
 */
static void wild_state(struct vcpu *v)
{
	struct kvm_segment *seg[] = { &v->sregs.cs, &v->sregs.ds, &v->sregs.es, &v->sregs.fs,
				      &v->sregs.gs, &v->sregs.ss, &v->sregs.tr, &v->sregs.ldt };
	struct kvm_debugregs d = { .dr6 = rnd() & 0xffff, .dr7 = rnd() & 0xffffffff };
	struct kvm_sregs old = v->sregs;
	struct kvm_vcpu_events e;
	unsigned int i;

	for (i = 0; i < KTAP_COUNT(seg); i++)
		if (rnd() % 4 == 0)
			wild_segment(seg[i]);
	switch (rnd() % 8) {
	case 0:
		v->sregs.cr0 ^= BIT(rnd() & 31);
		break;
	case 1:
		v->sregs.cr4 ^= BIT(rnd() % 24);
		break;
	case 2:
		v->sregs.cr3 = value();
		break;
	case 3:
		v->sregs.gdt.base = value();
		v->sregs.gdt.limit = rnd();
		break;
	case 4:
		v->sregs.idt.base = value();
		v->sregs.idt.limit = rnd();
		break;
	case 5:
		v->sregs.efer ^= EFER_SCE | EFER_NX;
		break;
	}
	if (ioctl(v->fd, KVM_SET_SREGS, &v->sregs) < 0)
		v->sregs = old;
	else
		wild++;
	if (rnd() % 4 == 0) {
		for (i = 0; i < 4; i++)
			d.db[i] = value();
		ioctl(v->fd, KVM_SET_DEBUGREGS, &d);
	}
	if (rnd() % 4 == 0) {
		ASSERT_OK(ioctl(v->fd, KVM_GET_VCPU_EVENTS, &e));
		e.flags |= KVM_VCPUEVENT_VALID_SHADOW;
		e.exception.injected = rnd() & 1;
		e.exception.nr = rnd() & 31;
		e.exception.has_error_code = rnd() & 1;
		e.exception.error_code = rnd();
		e.interrupt.injected = rnd() & 1;
		e.interrupt.soft = rnd() & 1;
		e.interrupt.nr = rnd();
		e.interrupt.shadow = rnd() & 3;
		e.nmi.masked = rnd() & 1;
		ioctl(v->fd, KVM_SET_VCPU_EVENTS, &e);
	}
}

/* A guest that gave up goes on elsewhere. */
static void elsewhere(struct vcpu *v)
{
	ioctl(v->fd, KVM_GET_REGS, &v->regs);
	v->regs.rip = G_CODE + rnd() % 0x1000;
	ioctl(v->fd, KVM_SET_REGS, &v->regs);
}

static void answer(struct vcpu *v)
{
	struct kvm_run *r = v->run;
	uint32_t i;

	switch (r->exit_reason) {
	case KVM_EXIT_IO:
		ASSERT(r->io.data_offset + (uint64_t)r->io.size * r->io.count <= v->run_size);
		for (i = 0; !r->io.direction && i < r->io.size * r->io.count; i++)
			pio_data(v)[i] = rnd();
		break;
	case KVM_EXIT_MMIO:
		ASSERT(r->mmio.len >= 1 && r->mmio.len <= 8);
		for (i = 0; !r->mmio.is_write && i < 8; i++)
			r->mmio.data[i] = rnd();
		break;
	case KVM_EXIT_HLT:
		/* Mostly a handler's end: somewhere else in the random code, then. */
		elsewhere(v);
		break;
	case KVM_EXIT_INTERNAL_ERROR:
		/* no hardware state is in doubt where all is interpreted */
		elsewhere(v);
		break;
	case KVM_EXIT_IRQ_WINDOW_OPEN: {
		struct kvm_interrupt q = { .irq = rnd() & 0xff };

		ioctl(v->fd, KVM_INTERRUPT, &q);
		r->request_interrupt_window = 0;
		break;
	}
	}
}

static unsigned int seen[64], eintr, efault;

static void one_guest(enum guest_mode m)
{
	struct vm *vm = vm_bare();
	struct vcpu *v;
	uint64_t start = now_ms(), t;
	int exits;

	memset(arena + GUARD, 0, SIZE);
	ASSERT_OK(vm_slot(vm, 0, 0, 0, SIZE, arena + GUARD));
	vm->mem = arena + GUARD;
	vm->size = SIZE;
	memset(vm->mem + G_TRAPS, 0xf4, 256);
	v = vcpu_new(vm, 0, m);
	if (dev_is_kvm() && host_is_tcg() && m != MODE_REAL && m != MODE_LONG) {
		/*
		 * TCG aborts on an exception from ring 3 with a busy TSS, and
		 * KVM hands TR to the hardware as it is.
		 */
		v->sregs.tr.type = 9;
		set_sregs(v);
	}
	randomise(v);
	if (!guest_on_tcg() && rnd() & 1)
		wild_state(v);
	kick_me_in(20);
	for (exits = 0; exits < 40 && now_ms() - start < 60; exits++) {
		int e;

		if (rnd() % 16 == 0)
			ioctl(v->fd, KVM_NMI, 0);
		if (rnd() % 8 == 0)
			v->run->request_interrupt_window = 1;
		t = now_ms();
		e = vcpu_run(v);
		t = now_ms() - t;
		if (t > 60000)
			KTAP_FAIL_("%s: KVM_RUN took %llu ms", mode_name[m], (unsigned long long)t);
		if (e == -EINTR) {
			eintr++;
			continue;
		}
		if (e) {
			if (e != -EFAULT)
				KTAP_FAIL_("%s: KVM_RUN: %s", mode_name[m], strerror(-e));
			efault++;
			break;
		}
		if (v->run->exit_reason < KTAP_COUNT(seen))
			seen[v->run->exit_reason]++;
		if (v->run->exit_reason == KVM_EXIT_SHUTDOWN ||
		    (v->run->exit_reason == KVM_EXIT_INTERNAL_ERROR && !dev_is_interp()) ||
		    v->run->exit_reason == KVM_EXIT_FAIL_ENTRY)
			break;
		answer(v);
	}
	kick_me_in(0);
	vm->mem = NULL;			/* the arena stays */
	vm_free_all();
}

static void check_guards(void)
{
	size_t i;

	for (i = 0; i < GUARD; i++)
		if (arena[i] != CANARY || arena[GUARD + SIZE + i] != CANARY)
			FAIL("the guest wrote outside its memory");
}

static void fuzz(enum guest_mode m)
{
	const char *n = getenv("RINGVM_FUZZ");
	/* Few where a random guest may crash the emulator below. */
	unsigned long rounds = n ? strtoul(n, NULL, 0) :
		guest_on_tcg() ? 30 : host_is_tcg() ? 60 : 400, i;
	struct vcpu *v;

	if (!arena) {
		rnd_seed_fixed(0x5b0000349c);
		arena = anon(SIZE + 2 * GUARD);
		memset(arena, CANARY, SIZE + 2 * GUARD);
	}
	memset(seen, 0, sizeof(seen));
	eintr = efault = wild = 0;
	for (i = 0; i < rounds; i++)
		one_guest(m);
	check_guards();
	for (i = 0; i < KTAP_COUNT(seen); i++)
		if (seen[i])
			ktap_diag("%s: %u times exit %s", mode_name[m], seen[i], exit_name(i));
	ktap_diag("%s: %u interrupted, %u EFAULT, %u wild states", mode_name[m], eintr, efault,
		  wild);
	v = guest_start_all(m, fine);
	run_to_hlt(v);
	EXPECT_EQ(v->regs.rax & 0xff, 0x42);
}

static void real(void)		{ fuzz(MODE_REAL); }
static void prot16(void)	{ fuzz(MODE_PROT16); }
static void prot32(void)	{ fuzz(MODE_PROT32); }
static void paged32(void)	{ fuzz(MODE_PG32); }
static void pae(void)		{ fuzz(MODE_PAE); }
static void long_mode(void)	{ fuzz(MODE_LONG); }

int main(void)
{
	static const struct ktap_case cases[] = {
		{ "real", real }, { "prot16", prot16 }, { "prot32", prot32 },
		{ "paged32", paged32 }, { "pae", pae }, { "long", long_mode },
	};

	vmtest_init();
	if (getenv("RINGVM_FUZZ"))
		ktap.deadline = 3600;
	return ktap_run(cases, KTAP_COUNT(cases));
}
