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
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "boot/acpi.h"
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

/* The console's sink: a vCPU's thread, machine lock held. */
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
 * Writes what has gathered; the first vCPU's thread, no lock held.  Waits no
 * longer than till the next kick, or not at all, so that a stalled reader of
 * our output cannot keep the run from being ended.
 */
static void console_flush(struct machine *m, bool wait)
{
	static const struct timespec zero;
	struct pollfd pfd = { .fd = STDOUT_FILENO, .events = POLLOUT };
	/* A writable pipe takes that much without blocking. */
	uint8_t bytes[PIPE_BUF];
	sigset_t none;
	size_t len;
	ssize_t n;

	sigemptyset(&none);
	for (;;) {
		pthread_mutex_lock(&m->lock);
		if (m->out_dead)
			m->out_fill = 0;
		len = m->out_fill < PIPE_BUF ? m->out_fill : PIPE_BUF;
		memcpy(bytes, m->out, len);
		m->out_now = m->out_fill != 0;
		if (m->out_fill <= OUT_PER_EXIT)
			pthread_cond_broadcast(&m->out_room);
		pthread_mutex_unlock(&m->lock);
		if (!len)
			return;
		if (ppoll(&pfd, 1, wait ? NULL : &zero, &none) <= 0) {
			m->kicked = true;
			return;
		}
		n = write(STDOUT_FILENO, bytes, len);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		pthread_mutex_lock(&m->lock);
		if (n < 0) {
			m->out_dead = true;
			say("the guest's console output cannot be written (%s) and is dropped from here on",
			    strerror(errno));
			n = 0;
		}
		/* Others only add behind it. */
		memmove(m->out, m->out + n, m->out_fill - (size_t)n);
		m->out_fill -= (size_t)n;
		pthread_mutex_unlock(&m->lock);
	}
}

/* ppoll() opens SIG_KICK; there the signal is taken by this handler. */
static void on_kick(int sig)
{
	(void)sig;
}

void machine_kick(struct machine *m)
{
	pthread_kill(m->cpu_thread[0], SIG_KICK);
}

static void kick_all(struct machine *m)
{
	unsigned int i;

	for (i = 0; i < m->threads; i++)
		pthread_kill(m->cpu_thread[i], SIG_KICK);
}

void machine_stop(struct machine *m, enum stop_why why, int sig)
{
	pthread_mutex_lock(&m->lock);
	if (m->stop == STOP_NOT) {
		m->stop = why;
		m->stop_signal = sig;
	}
	kick_all(m);
	pthread_cond_broadcast(&m->out_room);
	pthread_mutex_unlock(&m->lock);
}

/* The same from a vCPU, whose exit ends the run. */
static void end_run(struct machine *m, int status)
{
	pthread_mutex_lock(&m->lock);
	if (m->stop == STOP_NOT) {
		m->stop = STOP_STATUS;
		m->stop_status = status;
	}
	kick_all(m);
	pthread_cond_broadcast(&m->out_room);
	pthread_mutex_unlock(&m->lock);
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
static void drain_kick(void)
{
	static const struct timespec zero;
	sigset_t set;

	kick_set(&set);
	sigtimedwait(&set, NULL, &zero);
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
	uint64_t next = has_pic(m) ? pit_next(&m->pit) : PIT_NEVER;
	struct itimerspec its = { 0 };

	if (m->show_at < next)
		next = m->show_at;
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
	struct kvm_run *run = m->vm.cpu[0].run;
	struct kvm_interrupt irq;

	run->request_interrupt_window = 0;
	if (!pic_intr(&m->pic))
		return 0;
	if (!run->ready_for_interrupt_injection || !run->if_flag) {
		run->request_interrupt_window = 1;
		return 0;
	}
	irq.irq = pic_ack(&m->pic);
	if (ioctl(m->vm.cpu[0].fd, KVM_INTERRUPT, &irq)) {
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

/* Has output that has no line end shown in a moment.  Machine lock held. */
static void show_soon(struct machine *m)
{
	if (m->show_at == PIT_NEVER)
		m->show_at = monotonic_ns(NULL) + NSEC_PER_SEC / 100;
}

/*
 * Another vCPU than the first has used devices: has that one look at what concerns
 * it.  Machine lock held; @intr: the PIC's output before.
 */
static void tell_first(struct machine *m, bool intr)
{
	if (m->out_now || (!intr && has_pic(m) && pic_intr(&m->pic)))
		machine_kick(m);
	if (m->out_fill)
		show_soon(m);
	arm_timer(m);
}

static void handle_io(struct machine *m, const struct vcpu *cpu)
{
	struct kvm_run *run = cpu->run;
	uint8_t *data = (uint8_t *)run + run->io.data_offset;
	bool intr;
	uint32_t i;

	if (m->board.has_pci && pci_owns_port(run->io.port, run->io.size)) {
		for (i = 0; i < run->io.count; i++, data += run->io.size)
			pci_io(&m->board.pci, run->io.port, run->io.size, data,
			       run->io.direction == KVM_EXIT_IO_OUT);
		return;
	}
	pthread_mutex_lock(&m->lock);
	intr = has_pic(m) && pic_intr(&m->pic);
	for (i = 0; i < run->io.count; i++, data += run->io.size) {
		if (run->io.direction == KVM_EXIT_IO_OUT)
			bus_write(&m->bus, run->io.port, run->io.size, data);
		else
			bus_read(&m->bus, run->io.port, run->io.size, data);
	}
	/* The first vCPU looks by itself, before it enters the guest. */
	if (cpu->id)
		tell_first(m, intr);
	pthread_mutex_unlock(&m->lock);
}

/* Where nothing is, the bus floats. */
static void handle_mmio(struct machine *m, const struct vcpu *cpu)
{
	struct kvm_run *run = cpu->run;

	if (m->irqchip == IRQCHIP_SPLIT &&
	    run->mmio.phys_addr - IO_APIC_ADDR < IOAPIC_SIZE) {
		pthread_mutex_lock(&m->lock);
		ioapic_mmio(&m->ioapic,
			    (uint32_t)(run->mmio.phys_addr - IO_APIC_ADDR),
			    run->mmio.len, run->mmio.data, run->mmio.is_write);
		pthread_mutex_unlock(&m->lock);
		return;
	}
	if (m->board.has_pci && run->mmio.len <= sizeof(run->mmio.data) &&
	    pci_mmio(&m->board.pci, run->mmio.phys_addr, run->mmio.len,
		     run->mmio.data, run->mmio.is_write))
		return;
	pthread_mutex_lock(&m->lock);
	m->mmio_unclaimed++;
	pthread_mutex_unlock(&m->lock);
	if (!run->mmio.is_write)
		memset(run->mmio.data, 0xff, sizeof(run->mmio.data));
}

static void report_internal_error(struct machine *m, const struct vcpu *cpu)
{
	static const char * const names[] = {
		[KVM_INTERNAL_ERROR_EMULATION] = "an instruction cannot be emulated",
		[KVM_INTERNAL_ERROR_SIMUL_EX] = "simultaneous exceptions",
		[KVM_INTERNAL_ERROR_DELIVERY_EV] = "an event cannot be delivered",
		[KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON] = "unexpected exit reason",
	};
	struct kvm_run *run = cpu->run;
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
static void say_reason(struct machine *m, const struct vcpu *cpu)
{
	struct ringvm_reason r;

	memset(&r, 0, sizeof(r));
	if (!ioctl(cpu->fd, RINGVM_GET_REASON, &r) && r.text[0])
		say("%s: %.*s", m->vm.device, (int)sizeof(r.text) - 1, r.text);
}

static int end_internal(struct machine *m, const struct vcpu *cpu)
{
	say_reason(m, cpu);
	if (m->opts->verbose)
		vm_dump(&m->vm, cpu);
	else
		say("give --verbose for the registers; the kernel log may say more");
	return EXIT_INTERNAL;
}

static int handle_system_event(struct machine *m, const struct vcpu *cpu)
{
	uint32_t type = cpu->run->system_event.type;

	switch (type) {
	case KVM_SYSTEM_EVENT_SHUTDOWN:
		say("%s: power-off (system event)", m->opts->name);
		return EXIT_POWEROFF;
	case KVM_SYSTEM_EVENT_RESET:
		say("%s: reset (system event)", m->opts->name);
		return EXIT_RESET;
	default:
		say("%s: system event %u ends the run", m->vm.device, type);
		return end_internal(m, cpu);
	}
}

static void count_exit(struct machine *m, uint32_t reason)
{
	/* Counters of several threads, but nothing hangs on them. */
	__atomic_fetch_add(&m->exits[reason < EXIT_REASONS ? reason : 0], 1,
			   __ATOMIC_RELAXED);
}

/* A device has the machine switched off or reset: the status, or -1. */
static int look_at_ports(struct machine *m)
{
	int ret = -1;

	pthread_mutex_lock(&m->lock);
	if (m->ports.reset) {
		say("%s: reset (%s)", m->opts->name, m->ports.reset_by);
		ret = EXIT_RESET;
	} else if (m->pm.off) {
		say("%s: power-off (ACPI)", m->opts->name);
		ret = EXIT_POWEROFF;
	}
	pthread_mutex_unlock(&m->lock);
	return ret;
}

/* One exit: -1 to go on, or the exit status. */
static int handle_exit(struct machine *m, const struct vcpu *cpu)
{
	struct kvm_run *run = cpu->run;

	count_exit(m, run->exit_reason);
	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		handle_io(m, cpu);
		return look_at_ports(m);
	case KVM_EXIT_MMIO:
		handle_mmio(m, cpu);
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
	case KVM_EXIT_IOAPIC_EOI:
		pthread_mutex_lock(&m->lock);
		ioapic_eoi(&m->ioapic, run->eoi.vector);
		pthread_mutex_unlock(&m->lock);
		return -1;
	case KVM_EXIT_INTR:
		drain_kick();
		if (!cpu->id)
			m->kicked = true;
		return -1;
	case KVM_EXIT_SHUTDOWN:
		say("%s: shutdown (triple fault)", m->opts->name);
		if (m->opts->verbose)
			vm_dump(&m->vm, cpu);
		return EXIT_TRIPLE;
	case KVM_EXIT_FAIL_ENTRY:
		say("%s: the CPU refused to enter the guest, hardware reason 0x%llx",
		    m->vm.device, (unsigned long long)
		    run->fail_entry.hardware_entry_failure_reason);
		return end_internal(m, cpu);
	case KVM_EXIT_INTERNAL_ERROR:
		report_internal_error(m, cpu);
		return end_internal(m, cpu);
	case KVM_EXIT_SYSTEM_EVENT:
		return handle_system_event(m, cpu);
	default:
		say("%s: exit reason %u (hardware reason 0x%llx) is unknown to this launcher",
		    m->vm.device, run->exit_reason,
		    (unsigned long long)run->hw.hardware_exit_reason);
		return end_internal(m, cpu);
	}
}

/* Enters the guest once: -1 to go on, or the exit status. */
static int enter(struct machine *m, const struct vcpu *cpu)
{
	if (!ioctl(cpu->fd, KVM_RUN, 0))
		return handle_exit(m, cpu);
	/* EAGAIN: a CPU that waited for its start has been woken. */
	if (errno == EINTR || errno == EAGAIN) {
		count_exit(m, KVM_EXIT_INTR);
		drain_kick();
		if (!cpu->id)
			m->kicked = true;
		return -1;
	}
	say("%s: KVM_RUN failed: %s", m->vm.device, strerror(errno));
	return end_internal(m, cpu);
}

/*
 * What is to be done before the next entry.  1: enter; 0: start over; -1: the
 * run is to end.
 */
static int prepare(struct machine *m)
{
	int ret = 1;
	bool show;

	/*
	 * A kick may have been a timer tick: no better moment to show a
	 * prompt that has no line end.
	 */
	pthread_mutex_lock(&m->lock);
	show = m->out_fill && (m->out_now || m->kicked || m->halted);
	if (m->kicked)
		m->show_at = PIT_NEVER;
	pthread_mutex_unlock(&m->lock);
	if (show)
		console_flush(m, true);
	pthread_mutex_lock(&m->lock);
	if (m->stop != STOP_NOT) {
		ret = -1;
	} else {
		if (m->kicked && has_pic(m))
			pit_timer(&m->pit);
		m->kicked = false;
		/* Where HLT is no exit it might stay here as long as the guest sleeps. */
		if (m->out_fill && has_lapics(m))
			show_soon(m);
		arm_timer(m);
		if (m->halted && pic_intr(&m->pic))
			m->halted = false;
		if (m->halted || m->out_fill > OUT_PER_EXIT)
			ret = 0;
		else if (has_pic(m) && inject(m))
			ret = -2;
	}
	pthread_mutex_unlock(&m->lock);
	return ret;
}

/* Waits until there is room for output: false if the run is to end. */
static bool may_enter(struct machine *m)
{
	bool ret;

	pthread_mutex_lock(&m->lock);
	while (m->stop == STOP_NOT && m->out_fill > OUT_PER_EXIT)
		pthread_cond_wait(&m->out_room, &m->lock);
	ret = m->stop == STOP_NOT;
	pthread_mutex_unlock(&m->lock);
	return ret;
}

struct cpu_arg {
	struct machine *m;
	const struct vcpu *cpu;
};

/* The other vCPUs. */
static void *cpu_main(void *arg)
{
	struct cpu_arg a = *(struct cpu_arg *)arg;
	int status = -1;

	free(arg);
	while (status < 0 && may_enter(a.m))
		status = enter(a.m, a.cpu);
	if (status >= 0)
		end_run(a.m, status);
	return NULL;
}

static int start_cpus(struct machine *m)
{
	struct cpu_arg *arg;
	unsigned int i;
	int err;

	for (i = 1; i < m->vm.cpus; i++) {
		arg = malloc(sizeof(*arg));
		if (!arg) {
			say("out of memory: free some");
			return -1;
		}
		*arg = (struct cpu_arg){ m, &m->vm.cpu[i] };
		/* Whoever stops the run kicks those that it finds. */
		pthread_mutex_lock(&m->lock);
		err = pthread_create(&m->cpu_thread[i], NULL, cpu_main, arg);
		m->threads += !err;
		pthread_mutex_unlock(&m->lock);
		if (err) {
			free(arg);
			say("the thread of CPU %u cannot be started: %s", i,
			    strerror(err));
			return -1;
		}
	}
	return 0;
}

/* The first vCPU's loop: the status, or -1 for m->stop. */
static int run_first(struct machine *m)
{
	const struct vcpu *cpu = &m->vm.cpu[0];
	int status = -1;

	while (status < 0) {
		switch (prepare(m)) {
		case 1:
			status = enter(m, cpu);
			break;
		case 0:
			/* Halted: only a kick can change that. */
			if (m->halted && !m->kicked && !m->out_fill)
				wait_kick(m);
			break;
		case -1:
			return -1;
		default:
			status = end_internal(m, cpu);
			break;
		}
	}
	return status;
}

int machine_run(struct machine *m)
{
	int status = start_cpus(m) ? EXIT_SETUP : run_first(m);
	enum stop_why why;
	unsigned int i;

	if (status >= 0)
		end_run(m, status);
	for (i = 1; i < m->threads; i++)
		pthread_join(m->cpu_thread[i], NULL);
	pthread_mutex_lock(&m->lock);
	m->threads = 1;
	why = m->stop;
	status = why == STOP_STATUS ? m->stop_status : -1;
	if (why == STOP_STATUS)
		m->stop = STOP_NOT;
	pthread_mutex_unlock(&m->lock);
	if (status < 0) {
		console_flush(m, false);
		return -1;
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
	m->show_at = PIT_NEVER;
	return 0;
}

/* Machine lock held. */
static void set_line_locked(void *ctx, unsigned int line, bool level)
{
	struct machine *m = ctx;

	pic_set_irq(&m->pic, line, level);
	if (m->irqchip == IRQCHIP_SPLIT)
		ioapic_set_irq(&m->ioapic, line ? line : IOAPIC_TIMER_PIN,
			       level);
}

static void set_line(void *ctx, unsigned int line, bool level)
{
	struct machine *m = ctx;
	bool intr, wanted;

	pthread_mutex_lock(&m->lock);
	intr = pic_intr(&m->pic);
	set_line_locked(m, line, level);
	wanted = !intr && pic_intr(&m->pic);
	pthread_mutex_unlock(&m->lock);
	/* The vCPU itself looks before it enters the guest again. */
	if (wanted && !pthread_equal(pthread_self(), m->cpu_thread[0]))
		machine_kick(m);
}

/* Without a lock of ours: the kernel has the chips. */
static void set_kernel_line(void *ctx, unsigned int line, bool level)
{
	struct machine *m = ctx;

	m->chips.line.set(m->chips.line.ctx, line, level);
}

/* As firmware does: PCI's interrupts are level-triggered. */
static void set_elcr(struct machine *m)
{
	uint8_t elcr[2] = { (uint8_t)pci_lines(), (uint8_t)(pci_lines() >> 8) };

	bus_write(&m->bus, 0x4d0, 2, elcr);
}

/* Those chips that are not the kernel's are ours. */
static void attach_chips(struct machine *m)
{
	if (has_lapics(m)) {
		pm_init(&m->pm, monotonic_ns, NULL);
		pm_attach(&m->pm, &m->bus);
	}
	if (!has_pic(m)) {
		m->line_locked = (struct irq_sink){ set_kernel_line, m };
		m->line = m->line_locked;
		return;
	}
	m->line_locked = (struct irq_sink){ set_line_locked, m };
	m->line = (struct irq_sink){ set_line, m };
	pic_init(&m->pic);
	pit_init(&m->pit, &m->line_locked, monotonic_ns, NULL);
	if (m->irqchip == IRQCHIP_SPLIT)
		ioapic_init(&m->ioapic, &m->chips.msi);
	pic_attach(&m->pic, &m->bus);
	pit_attach(&m->pit, &m->bus);
	if (m->board.devices)
		set_elcr(m);
}

int machine_init(struct machine *m, struct diag *d)
{
	const struct serial_sink sink = { console_out, console_has_room, m };
	const struct msi_sink *msi = NULL;
	sigset_t open_in_run;

	pthread_mutex_init(&m->lock, NULL);
	pthread_cond_init(&m->out_room, NULL);
	m->cpu_thread[0] = pthread_self();
	m->threads = 1;
	bus_init(&m->bus);
	attach_chips(m);
	rtc_init(&m->rtc, m->vm.mem.low, m->vm.mem.high, wall_time, NULL);
	ports_init(&m->ports);
	serial_init(&m->serial, &m->line_locked, &sink);
	rtc_attach(&m->rtc, &m->bus);
	ports_attach(&m->ports, &m->bus);
	serial_attach(&m->serial, &m->bus);
	if (make_timer(m, d))
		return -1;
	if (has_lapics(m) && m->chips.messages)
		msi = &m->chips.msi;
	if (board_plug(&m->board, &m->vm, &m->line, msi, d))
		return -1;
	/* As now, but for the kick. */
	pthread_sigmask(SIG_SETMASK, NULL, &open_in_run);
	sigdelset(&open_in_run, SIG_KICK);
	return vm_set_signal_mask(&m->vm, &open_in_run, d);
}

void machine_destroy(struct machine *m)
{
	timer_delete(m->timer);
	pthread_cond_destroy(&m->out_room);
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
		[KVM_EXIT_IOAPIC_EOI] = "ioapic_eoi",
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
	say_raw("stat: user_ioapic_sent %llu",
		(unsigned long long)m->ioapic.sent);
	say_raw("stat: user_io_unclaimed %llu",
		(unsigned long long)(m->bus.unclaimed_reads +
				     m->bus.unclaimed_writes));
	say_raw("stat: user_mmio_unclaimed %llu",
		(unsigned long long)m->mmio_unclaimed);
	board_print_stats(&m->board);
}
