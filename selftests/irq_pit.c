// SPDX-License-Identifier: GPL-2.0
/* The 8254 (Intel 8254 data sheet): channel 0's interrupt, latches, read-back, port 61h. */
#include "irqtest.h"

static struct ivcpu *start(void)
{
	struct kvm_pit_config pc = { .flags = KVM_PIT_SPEAKER_DUMMY };
	struct vm *vm = irq_vm(CHIPS_ALL);
	struct ivcpu *c;

	if (vm_cap(vm, KVM_CAP_PIT2) <= 0)
		SKIP("no KVM_CAP_PIT2");
	ASSERT_OK(ioctl(vm->fd, KVM_CREATE_PIT2, &pc));
	c = irq_vcpu(vm, 0);
	g_apic(c, APIC_SVR, SVR_ON);
	g_apic(c, APIC_LVT0, APIC_MASKED);
	return c;
}

static void creation(void)
{
	struct kvm_pit_config pc = { .flags = 0x80 };
	struct vm *vm = irq_vm(CHIPS_ALL), *bare = vm_bare();
	struct kvm_pit_state2 s;

	if (vm_cap(vm, KVM_CAP_PIT2) <= 0)
		SKIP("no KVM_CAP_PIT2");
	EXPECT_ERR(ioctl(vm->fd, KVM_GET_PIT2, &s), ENXIO);
	if (!dev_is_kvm())
		EXPECT_ERR(ioctl(vm->fd, KVM_CREATE_PIT2, &pc), EINVAL);
	pc.flags = 0;
	EXPECT_OK(ioctl(vm->fd, KVM_CREATE_PIT2, &pc));
	EXPECT_ERR(ioctl(vm->fd, KVM_CREATE_PIT2, &pc), EEXIST);
	EXPECT_OK(ioctl(vm->fd, KVM_GET_PIT2, &s));
	if (!dev_is_kvm())
		EXPECT_ERR(ioctl(bare->fd, KVM_CREATE_PIT2, &pc), ENOENT);
}

/* GSI 0 is the IOAPIC's pin 0 until the client says otherwise. */
static void periodic(void)
{
	struct ivcpu *c = start();
	int i;

	g_redir(c, 0, 0x31);
	g_out(c, 0x43, 0x34);
	g_out(c, 0x40, 0xa9);
	g_out(c, 0x40, 0x04);			/* 1193: a ms */
	for (i = 0; i < 5; i++) {
		g_halt(c);
		EXPECT_EQ(c->n, 1);
		EXPECT_EQ(c->seen[0], 0x31);
		g_eoi(c);
	}
	g_redir(c, 0, APIC_MASKED);
	g_open(c);
	g_eoi(c);
	EXPECT_NO_VECTOR(c);
	/* Masked for long and opened again it ticks on. */
	g_redir(c, 0, 0x31);
	g_halt(c);
	EXPECT_EQ(c->seen[0], 0x31);
}

static void once(void)
{
	struct ivcpu *c = start();

	g_redir(c, 0, 0x32);
	g_out(c, 0x43, 0x30);
	g_out(c, 0x40, 0x00);
	g_out(c, 0x40, 0x08);
	g_halt(c);
	EXPECT_EQ(c->n, 1);
	EXPECT_EQ(c->seen[0], 0x32);
	g_eoi(c);
	EXPECT_NO_VECTOR(c);
}

/* Channel 0, mode 0, has run down: by the clock that it counts. */
static void run_down(struct ivcpu *c, uint8_t mode)
{
	g_out(c, 0x43, mode);
	g_out(c, 0x40, 0xa9);
	g_out(c, 0x40, 0x04);
	spin_ns(1000000);
}

/*
 * Then it has raised its interrupt, whatever is done next and however late the host's own
 * timers are.  With highres=off these wait for its tick.
 */
static void late(void)
{
	struct ivcpu *c = start();
	int i;

	if (dev_is_kvm())
		SKIP("KVM's waits for the host's");
	g_redir(c, 0, 0x32);
	for (i = 0; i < 10; i++) {
		/* OUT is read, the count is read */
		run_down(c, 0x30);
		g_out(c, 0x43, 0xe2);
		EXPECT_EQ(g_in(c, 0x40) >> 7, 1);
		EXPECT_VECTORS(c, 0x32);
		g_eoi(c);
		run_down(c, 0x30);
		g_in(c, 0x40);
		EXPECT_VECTORS(c, 0x32);
		g_eoi(c);
		/* loaded anew; a new mode, which waits for a count */
		run_down(c, 0x10);
		g_out(c, 0x40, 0xff);
		EXPECT_VECTORS(c, 0x32);
		g_eoi(c);
		run_down(c, 0x34);
		g_out(c, 0x43, 0x30);
		EXPECT_VECTORS(c, 0x32);
		g_eoi(c);
		EXPECT_NO_VECTOR(c);
	}
}

/* A control word stops the channel (8254 data sheet, "write operations"). */
static void stopped(void)
{
	struct ivcpu *c = start();

	if (dev_is_kvm())
		SKIP("KVM's goes on until it is loaded");
	g_redir(c, 0, 0x32);
	g_out(c, 0x43, 0x34);
	g_out(c, 0x40, 0xa9);
	g_out(c, 0x40, 0x04);
	g_halt(c);
	EXPECT_EQ(c->n, 1);
	g_out(c, 0x43, 0x30);
	g_eoi(c);
	g_open(c);		/* one may have come before that */
	g_eoi(c);
	spin_ns(20000000);
	EXPECT_NO_VECTOR(c);
	g_eoi(c);
	g_out(c, 0x40, 0xa9);
	g_out(c, 0x40, 0x04);
	g_halt(c);
	EXPECT_EQ(c->seen[0], 0x32);
}

/* Through the PIC, with what KVM calls the ack: each tick is made up for. */
static void through_pic(void)
{
	struct ivcpu *c = start();
	int i;

	g_apic(c, APIC_LVT0, 0x700);
	g_out(c, 0x20, 0x11);
	g_out(c, 0x21, 0x20);
	g_out(c, 0x21, 0x04);
	g_out(c, 0x21, 0x01);
	g_out(c, 0x21, 0xfe);
	g_out(c, 0x43, 0x36);
	g_out(c, 0x40, 0xa9);
	g_out(c, 0x40, 0x04);
	for (i = 0; i < 5; i++) {
		g_halt(c);
		EXPECT_EQ(c->n, 1);
		EXPECT_EQ(c->seen[0], 0x20);
		g_out(c, 0x20, 0x20);
	}
}

static uint16_t read_count(struct ivcpu *c, int ch)
{
	uint8_t low = g_in(c, 0x40 + ch);

	return low | g_in(c, 0x40 + ch) << 8;
}

static void latches(void)
{
	struct ivcpu *c = start();
	struct kvm_pit_state2 state;
	uint16_t a, b;
	uint8_t s;

	g_out(c, 0x61, 0x01);
	g_out(c, 0x43, 0xb0);			/* channel 2, mode 0 */
	g_out(c, 0x42, 0xff);
	g_out(c, 0x42, 0xff);
	g_out(c, 0x43, 0x80);			/* latch */
	ASSERT_OK(ioctl(c->v->vm->fd, KVM_GET_PIT2, &state));
	spin_ns(2000);				/* two of its ticks */
	g_out(c, 0x43, 0x80);			/* the first one holds */
	a = read_count(c, 2);
	EXPECT_EQ(a, state.channels[2].latched_count);
	do {
		g_out(c, 0x43, 0x80);
		b = read_count(c, 2);
	} while (a == b);
	/* read-back: status, then the count */
	g_out(c, 0x43, 0xc0 | 8);
	s = g_in(c, 0x42);
	EXPECT_EQ(s & 0x3f, 0x30);
	read_count(c, 2);
	/* low byte only */
	g_out(c, 0x43, 0x94);
	g_out(c, 0x42, 0x10);
	EXPECT(g_in(c, 0x42) <= 0x10);
	EXPECT(g_in(c, 0x42) <= 0x10);
	/* BCD: no digit above 9 */
	g_out(c, 0x43, 0xb5);
	g_out(c, 0x42, 0x00);
	g_out(c, 0x42, 0x10);
	if (!dev_is_kvm()) {
		g_out(c, 0x43, 0x80);
		b = read_count(c, 2);
		EXPECT((b & 15) < 10 && (b >> 4 & 15) < 10 && (b >> 8 & 15) < 10 && b <= 0x1000);
	}
}

/* How Linux measures its TSC: channel 2 runs down, port 61h says when. */
static void port_61(void)
{
	struct ivcpu *c = start();
	uint64_t began;
	uint8_t p;

	g_out(c, 0x61, 0x01);
	p = g_in(c, 0x61);
	EXPECT_EQ(p & 3, 1);
	/* It takes 54.9 ms, and this may take longer: then once more. */
	do {
		began = now_ns();
		g_out(c, 0x43, 0xb0);
		g_out(c, 0x42, 0xff);
		g_out(c, 0x42, 0xff);
		p = g_in(c, 0x61);
	} while (now_ns() - began > 50000000);
	EXPECT_EQ(p & 0x20, 0);
	while (!(g_in(c, 0x61) & 0x20))
		;
	g_out(c, 0x61, 0x02);
	EXPECT_EQ(g_in(c, 0x61) & 3, 2);
	/* the refresh clock toggles */
	p = g_in(c, 0x61) & 0x10;
	while ((g_in(c, 0x61) & 0x10) == p)
		;
}

static void reinject(void)
{
	struct ivcpu *c = start();
	struct kvm_reinject_control rc = { .pit_reinject = 0 };

	EXPECT_OK(ioctl(c->v->vm->fd, KVM_REINJECT_CONTROL, &rc));
	g_redir(c, 0, 0x31);
	g_out(c, 0x43, 0x34);
	g_out(c, 0x40, 0xa9);
	g_out(c, 0x40, 0x04);
	g_halt(c);
	EXPECT_EQ(c->seen[0], 0x31);
	g_eoi(c);
	g_halt(c);
	EXPECT_EQ(c->seen[0], 0x31);
}

static void state(void)
{
	struct ivcpu *c = start();
	struct kvm_pit_state2 s, t;
	int fd = c->v->vm->fd, i;

	g_out(c, 0x43, 0xb6);
	g_out(c, 0x42, 0x34);
	g_out(c, 0x42, 0x12);
	g_out(c, 0x61, 0x03);
	ASSERT_OK(ioctl(fd, KVM_GET_PIT2, &s));
	EXPECT_EQ(s.channels[2].count, 0x1234);
	EXPECT_EQ(s.channels[2].mode, 3);
	EXPECT_EQ(s.channels[2].rw_mode, 3);
	EXPECT_EQ(s.channels[2].gate, 1);
	EXPECT_EQ(s.flags & KVM_PIT_FLAGS_SPEAKER_DATA_ON,
		  dev_is_kvm() ? s.flags & KVM_PIT_FLAGS_SPEAKER_DATA_ON : 2);
	ASSERT_OK(ioctl(fd, KVM_SET_PIT2, &s));
	ASSERT_OK(ioctl(fd, KVM_GET_PIT2, &t));
	for (i = 0; i < 3; i++) {
		s.channels[i].count_load_time = 0;
		t.channels[i].count_load_time = 0;
	}
	EXPECT(!memcmp(&s, &t, sizeof(s)));
	s.flags = 0x80;
	if (!dev_is_kvm())
		EXPECT_ERR(ioctl(fd, KVM_SET_PIT2, &s), EINVAL);
	/* what no chip has is cut down */
	memset(&s, 0xff, sizeof(s));
	s.flags = 0;
	if (!dev_is_kvm()) {
		EXPECT_OK(ioctl(fd, KVM_SET_PIT2, &s));
		ASSERT_OK(ioctl(fd, KVM_GET_PIT2, &t));
		EXPECT_EQ(t.channels[0].count, 0x10000);
		EXPECT(t.channels[0].mode < 6);
	}
	g_in(c, 0x40);
}

int main(void)
{
	static const struct ktap_case cases[] = {
		{ "creation", creation }, { "periodic", periodic }, { "once", once },
		{ "late", late }, { "stopped", stopped },
		{ "through_pic", through_pic }, { "latches", latches }, { "port_61", port_61 },
		{ "reinject", reinject }, { "state", state },
	};

	vmtest_init();
	return ktap_run(cases, KTAP_COUNT(cases));
}
