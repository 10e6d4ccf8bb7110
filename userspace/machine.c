// SPDX-License-Identifier: GPL-2.0
/*
 * The machine and its run loop: see machine.h.
 *
 * Facts: the KVM API document (Documentation/virt/kvm/api.rst), section 5,
 * "The kvm_run structure", and KVM_RUN, KVM_INTERRUPT, KVM_SET_SIGNAL_MASK.
 */
#include <errno.h>
#include <limits.h>
#include <linux/ringvm.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "machine.h"

#define NSEC_PER_SEC	1000000000ull

static uint64_t monotonic_ns(void *ctx)
{
	struct timespec ts;

	(void)ctx;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

static time_t wall_time(void *ctx)
{
	(void)ctx;
	return time(NULL);
}

/* The console's sink: the vCPU's thread, machine lock held. */
static void console_out(void *ctx, uint8_t byte)
{
	struct machine *m = ctx;

	if (m->out_dead || m->out_fill == OUT_SIZE)
		return;
	m->out[m->out_fill++] = byte;
	if (byte == '\n' || m->out_fill >= OUT_EAGER)
		m->out_now = true;
}

void console_has_room(void *ctx)
{
	struct machine *m = ctx;
	uint64_t one = 1;

	/* Fails only if the counter is full, and then the thread wakes too. */
	if (write(m->wake_fd, &one, sizeof(one)) < 0)
		return;
}

/*
 * Writes what has gathered.  Waits no longer than till the next kick, or not
 * at all, so that a stalled reader of our output cannot keep the run from
 * being ended.
 */
static void console_flush(struct machine *m, bool wait)
{
	static const struct timespec zero;
	struct pollfd pfd = { .fd = STDOUT_FILENO, .events = POLLOUT };
	size_t done = 0, chunk;
	sigset_t none;
	ssize_t n;

	sigemptyset(&none);
	while (done < m->out_fill && !m->out_dead) {
		if (ppoll(&pfd, 1, wait ? NULL : &zero, &none) <= 0) {
			m->kicked = true;
			break;
		}
		/* A writable pipe takes that much without blocking. */
		chunk = m->out_fill - done;
		if (chunk > PIPE_BUF)
			chunk = PIPE_BUF;
		n = write(STDOUT_FILENO, m->out + done, chunk);
		if (n > 0) {
			done += (size_t)n;
		} else if (n < 0 && errno != EAGAIN && errno != EINTR) {
			m->out_dead = true;
			say("the guest's console output cannot be written (%s) and is dropped from here on",
			    strerror(errno));
		}
	}
	if (m->out_dead)
		done = m->out_fill;
	memmove(m->out, m->out + done, m->out_fill - done);
	m->out_fill -= done;
	m->out_now = m->out_fill != 0;
}

/* ppoll() opens SIG_KICK; there the signal is taken by this handler. */
static void on_kick(int sig)
{
	(void)sig;
}

void machine_kick(struct machine *m)
{
	pthread_kill(m->vcpu_thread, SIG_KICK);
}

void machine_stop(struct machine *m, enum stop_why why, int sig)
{
	pthread_mutex_lock(&m->lock);
	if (m->stop == STOP_NOT) {
		m->stop = why;
		m->stop_signal = sig;
	}
	pthread_mutex_unlock(&m->lock);
	machine_kick(m);
}

static bool stopped(struct machine *m)
{
	bool ret;

	pthread_mutex_lock(&m->lock);
	ret = m->stop != STOP_NOT;
	pthread_mutex_unlock(&m->lock);
	return ret;
}

static void kick_set(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIG_KICK);
}

/* Takes a pending kick, so that the next KVM_RUN does not end for it again. */
static void drain_kick(struct machine *m)
{
	static const struct timespec zero;
	sigset_t set;

	kick_set(&set);
	sigtimedwait(&set, NULL, &zero);
	m->kicked = true;
}

static void wait_kick(struct machine *m)
{
	sigset_t set;

	kick_set(&set);
	sigwaitinfo(&set, NULL);
	m->kicked = true;
}

/* Has the timer kick when the interval timer's next edge is due. */
static void arm_timer(struct machine *m)
{
	uint64_t next = pit_next(&m->pit);
	struct itimerspec its = { 0 };

	if (next == m->timer_armed)
		return;
	m->timer_armed = next;
	if (next != PIT_NEVER) {
		its.it_value.tv_sec = (time_t)(next / NSEC_PER_SEC);
		its.it_value.tv_nsec = (long)(next % NSEC_PER_SEC);
	}
	timer_settime(m->timer, TIMER_ABSTIME, &its, NULL);
}

/*
 * api.rst, KVM_INTERRUPT: an interrupt is given only when the last exit said
 * that the guest can take it; if it cannot, the request for an exit at the
 * next instruction that can is what brings us back here.
 */
static int inject(struct machine *m)
{
	struct kvm_run *run = m->vm.run;
	struct kvm_interrupt irq;

	run->request_interrupt_window = 0;
	if (!pic_intr(&m->pic))
		return 0;
	if (!run->ready_for_interrupt_injection || !run->if_flag) {
		run->request_interrupt_window = 1;
		return 0;
	}
	irq.irq = pic_ack(&m->pic);
	if (ioctl(m->vm.vcpu_fd, KVM_INTERRUPT, &irq)) {
		say("%s: KVM_INTERRUPT with vector %u failed: %s",
		    m->vm.device, irq.irq, strerror(errno));
		return -1;
	}
	m->interrupts++;
	/* Not ready again before the next exit says so. */
	run->ready_for_interrupt_injection = 0;
	run->request_interrupt_window = pic_intr(&m->pic);
	return 0;
}

static void handle_io(struct machine *m)
{
	struct kvm_run *run = m->vm.run;
	uint8_t *data = (uint8_t *)run + run->io.data_offset;
	uint32_t i;

	if (m->board.has_pci && pci_owns_port(run->io.port, run->io.size)) {
		for (i = 0; i < run->io.count; i++, data += run->io.size)
			pci_io(&m->board.pci, run->io.port, run->io.size, data,
			       run->io.direction == KVM_EXIT_IO_OUT);
		return;
	}
	pthread_mutex_lock(&m->lock);
	for (i = 0; i < run->io.count; i++, data += run->io.size) {
		if (run->io.direction == KVM_EXIT_IO_OUT)
			bus_write(&m->bus, run->io.port, run->io.size, data);
		else
			bus_read(&m->bus, run->io.port, run->io.size, data);
	}
	pthread_mutex_unlock(&m->lock);
}

/* Where nothing is, the bus floats. */
static void handle_mmio(struct machine *m)
{
	struct kvm_run *run = m->vm.run;

	if (m->board.has_pci && run->mmio.len <= sizeof(run->mmio.data) &&
	    pci_mmio(&m->board.pci, run->mmio.phys_addr, run->mmio.len,
		     run->mmio.data, run->mmio.is_write))
		return;
	m->mmio_unclaimed++;
	if (!run->mmio.is_write)
		memset(run->mmio.data, 0xff, sizeof(run->mmio.data));
}

static void report_internal_error(struct machine *m)
{
	static const char * const names[] = {
		[KVM_INTERNAL_ERROR_EMULATION] = "an instruction cannot be emulated",
		[KVM_INTERNAL_ERROR_SIMUL_EX] = "simultaneous exceptions",
		[KVM_INTERNAL_ERROR_DELIVERY_EV] = "an event cannot be delivered",
		[KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON] = "unexpected exit reason",
	};
	struct kvm_run *run = m->vm.run;
	uint32_t sub = run->internal.suberror, i;
	const char *name = NULL;
	char data[16 * 19 + 1] = "";

	if (sub < sizeof(names) / sizeof(names[0]))
		name = names[sub];
	for (i = 0; i < run->internal.ndata && i < 16; i++)
		snprintf(data + strlen(data), sizeof(data) - strlen(data),
			 " 0x%llx", (unsigned long long)run->internal.data[i]);
	say("%s: internal error %u: %s; data:%s", m->vm.device, sub,
	    name ? name : "unknown", *data ? data : " none");
}

/* The module's own words, where the node is one of ringvm's. */
static void say_reason(struct machine *m)
{
	struct ringvm_reason r;

	memset(&r, 0, sizeof(r));
	if (!ioctl(m->vm.vcpu_fd, RINGVM_GET_REASON, &r) && r.text[0])
		say("%s: %.*s", m->vm.device, (int)sizeof(r.text) - 1, r.text);
}

static int end_internal(struct machine *m)
{
	say_reason(m);
	if (m->opts->verbose)
		vm_dump(&m->vm);
	else
		say("give --verbose for the registers; the kernel log may say more");
	return EXIT_INTERNAL;
}

static int handle_system_event(struct machine *m)
{
	uint32_t type = m->vm.run->system_event.type;

	switch (type) {
	case KVM_SYSTEM_EVENT_SHUTDOWN:
		say("%s: power-off (system event)", m->opts->name);
		return EXIT_POWEROFF;
	case KVM_SYSTEM_EVENT_RESET:
		say("%s: reset (system event)", m->opts->name);
		return EXIT_RESET;
	default:
		say("%s: system event %u ends the run", m->vm.device, type);
		return end_internal(m);
	}
}

/* One exit: -1 to go on, or the exit status. */
static int handle_exit(struct machine *m)
{
	struct kvm_run *run = m->vm.run;

	m->exits[run->exit_reason < EXIT_REASONS ? run->exit_reason : 0]++;
	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		handle_io(m);
		if (!m->ports.reset)
			return -1;
		say("%s: reset (%s)", m->opts->name, m->ports.reset_by);
		return EXIT_RESET;
	case KVM_EXIT_MMIO:
		handle_mmio(m);
		return -1;
	case KVM_EXIT_HLT:
		/*
		 * Interrupts off, and there is no source of NMIs: nothing can
		 * ever wake this CPU.  That is how a kernel without ACPI ends.
		 */
		if (!run->if_flag) {
			say("%s: power-off (HLT with interrupts off)",
			    m->opts->name);
			return EXIT_POWEROFF;
		}
		m->halted = true;
		return -1;
	case KVM_EXIT_IRQ_WINDOW_OPEN:
	case KVM_EXIT_SET_TPR:
		return -1;
	case KVM_EXIT_INTR:
		drain_kick(m);
		return -1;
	case KVM_EXIT_SHUTDOWN:
		say("%s: shutdown (triple fault)", m->opts->name);
		if (m->opts->verbose)
			vm_dump(&m->vm);
		return EXIT_TRIPLE;
	case KVM_EXIT_FAIL_ENTRY:
		say("%s: the CPU refused to enter the guest, hardware reason 0x%llx",
		    m->vm.device, (unsigned long long)
		    run->fail_entry.hardware_entry_failure_reason);
		return end_internal(m);
	case KVM_EXIT_INTERNAL_ERROR:
		report_internal_error(m);
		return end_internal(m);
	case KVM_EXIT_SYSTEM_EVENT:
		return handle_system_event(m);
	default:
		say("%s: exit reason %u (hardware reason 0x%llx) is unknown to this launcher",
		    m->vm.device, run->exit_reason,
		    (unsigned long long)run->hw.hardware_exit_reason);
		return end_internal(m);
	}
}

/* Enters the guest once: -1 to go on, or the exit status. */
static int enter(struct machine *m)
{
	if (!ioctl(m->vm.vcpu_fd, KVM_RUN, 0))
		return handle_exit(m);
	if (errno == EINTR) {
		m->exits[KVM_EXIT_INTR]++;
		drain_kick(m);
		return -1;
	}
	say("%s: KVM_RUN failed: %s", m->vm.device, strerror(errno));
	return end_internal(m);
}

/*
 * What is to be done before the next entry.  1: enter; 0: start over; -1: the
 * run is to end.
 */
static int prepare(struct machine *m)
{
	int ret = 1;

	/*
	 * A kick may have been a timer tick: no better moment to show a
	 * prompt that has no line end.
	 */
	if (m->out_fill && (m->out_now || m->kicked || m->halted))
		console_flush(m, true);
	pthread_mutex_lock(&m->lock);
	if (m->stop != STOP_NOT) {
		ret = -1;
	} else {
		if (m->kicked) {
			m->kicked = false;
			pit_timer(&m->pit);
		}
		arm_timer(m);
		if (m->halted && pic_intr(&m->pic))
			m->halted = false;
		if (m->halted || m->out_fill > OUT_SIZE - OUT_PER_EXIT)
			ret = 0;
		else if (inject(m))
			ret = -2;
	}
	pthread_mutex_unlock(&m->lock);
	return ret;
}

int machine_run(struct machine *m)
{
	int status = -1;

	while (status < 0) {
		switch (prepare(m)) {
		case 1:
			status = enter(m);
			break;
		case 0:
			/* Halted: only a kick can change that. */
			if (m->halted && !m->kicked && !m->out_fill)
				wait_kick(m);
			break;
		case -1:
			console_flush(m, false);
			return -1;
		default:
			status = end_internal(m);
			break;
		}
	}
	/* All that the guest said, however slow the reader, but no hang. */
	while (m->out_fill && !m->out_dead && !stopped(m))
		console_flush(m, true);
	return status;
}

int machine_block_signals(struct diag *d)
{
	static const int handled[] = {
		SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGCONT, SIG_KICK
	};
	struct sigaction sa = { .sa_handler = SIG_IGN };
	sigset_t set;
	size_t i;

	/* A reader that goes away shows as EPIPE. */
	sigaction(SIGPIPE, &sa, NULL);
	sa.sa_handler = on_kick;
	sigaction(SIG_KICK, &sa, NULL);
	sigemptyset(&set);
	for (i = 0; i < sizeof(handled) / sizeof(handled[0]); i++)
		sigaddset(&set, handled[i]);
	if (pthread_sigmask(SIG_BLOCK, &set, NULL))
		return diag_set(d, "the signals cannot be blocked");
	return 0;
}

static int make_timer(struct machine *m, struct diag *d)
{
	struct sigevent sev = {
		.sigev_notify = SIGEV_THREAD_ID,
		.sigev_signo = SIG_KICK,
	};

	sev._sigev_un._tid = (pid_t)syscall(SYS_gettid);
	if (timer_create(CLOCK_MONOTONIC, &sev, &m->timer))
		return diag_set(d, "the interval timer cannot be made: %s",
				strerror(errno));
	m->timer_armed = PIT_NEVER;
	return 0;
}

/* Machine lock held. */
static void set_line_locked(void *ctx, unsigned int line, bool level)
{
	struct machine *m = ctx;

	pic_set_irq(&m->pic, line, level);
}

static void set_line(void *ctx, unsigned int line, bool level)
{
	struct machine *m = ctx;
	bool wanted;

	pthread_mutex_lock(&m->lock);
	pic_set_irq(&m->pic, line, level);
	wanted = level && pic_intr(&m->pic);
	pthread_mutex_unlock(&m->lock);
	/* The vCPU itself looks before it enters the guest again. */
	if (wanted && !pthread_equal(pthread_self(), m->vcpu_thread))
		machine_kick(m);
}

/* As firmware does: PCI's interrupts are level-triggered. */
static void set_elcr(struct machine *m)
{
	uint8_t elcr[2] = { (uint8_t)pci_lines(), (uint8_t)(pci_lines() >> 8) };

	bus_write(&m->bus, 0x4d0, 2, elcr);
}

int machine_init(struct machine *m, struct diag *d)
{
	const struct serial_sink sink = { console_out, console_has_room, m };
	sigset_t open_in_run;

	pthread_mutex_init(&m->lock, NULL);
	m->vcpu_thread = pthread_self();
	bus_init(&m->bus);
	pic_init(&m->pic);
	pit_init(&m->pit, &m->pic, monotonic_ns, NULL);
	rtc_init(&m->rtc, m->vm.mem.low, m->vm.mem.high, wall_time, NULL);
	ports_init(&m->ports);
	m->line_locked = (struct irq_sink){ set_line_locked, m };
	m->line = (struct irq_sink){ set_line, m };
	serial_init(&m->serial, &m->line_locked, &sink);
	pic_attach(&m->pic, &m->bus);
	pit_attach(&m->pit, &m->bus);
	rtc_attach(&m->rtc, &m->bus);
	ports_attach(&m->ports, &m->bus);
	serial_attach(&m->serial, &m->bus);
	if (make_timer(m, d))
		return -1;
	if (m->board.devices)
		set_elcr(m);
	if (board_plug(&m->board, &m->vm, &m->line, d))
		return -1;
	/* As now, but for the kick. */
	pthread_sigmask(SIG_SETMASK, NULL, &open_in_run);
	sigdelset(&open_in_run, SIG_KICK);
	return vm_set_signal_mask(&m->vm, &open_in_run, d);
}

void machine_destroy(struct machine *m)
{
	timer_delete(m->timer);
	pthread_mutex_destroy(&m->lock);
}

void machine_print_stats(struct machine *m)
{
	static const char * const names[EXIT_REASONS] = {
		[KVM_EXIT_UNKNOWN] = "unknown",
		[KVM_EXIT_IO] = "io",
		[KVM_EXIT_MMIO] = "mmio",
		[KVM_EXIT_HLT] = "hlt",
		[KVM_EXIT_INTR] = "intr",
		[KVM_EXIT_IRQ_WINDOW_OPEN] = "irq_window",
		[KVM_EXIT_SET_TPR] = "set_tpr",
		[KVM_EXIT_SHUTDOWN] = "shutdown",
		[KVM_EXIT_FAIL_ENTRY] = "fail_entry",
		[KVM_EXIT_INTERNAL_ERROR] = "internal_error",
		[KVM_EXIT_SYSTEM_EVENT] = "system_event",
	};
	unsigned int i;

	for (i = 0; i < EXIT_REASONS; i++) {
		if (!m->exits[i])
			continue;
		if (names[i])
			say_raw("stat: user_exit_%s %llu", names[i],
				(unsigned long long)m->exits[i]);
		else
			say_raw("stat: user_exit_%u %llu", i,
				(unsigned long long)m->exits[i]);
	}
	say_raw("stat: user_interrupts %llu", (unsigned long long)m->interrupts);
	say_raw("stat: user_timer_edges %llu",
		(unsigned long long)m->pit.edges);
	say_raw("stat: user_timer_missed %llu",
		(unsigned long long)m->pit.missed);
	say_raw("stat: user_pic_spurious %llu",
		(unsigned long long)m->pic.spurious);
	say_raw("stat: user_io_unclaimed %llu",
		(unsigned long long)(m->bus.unclaimed_reads +
				     m->bus.unclaimed_writes));
	say_raw("stat: user_mmio_unclaimed %llu",
		(unsigned long long)m->mmio_unclaimed);
	board_print_stats(&m->board);
}
