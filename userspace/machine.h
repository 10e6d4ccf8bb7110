/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The machine: its vCPUs, its devices, and the threads that serve them.
 *
 * The main thread is the first vCPU's, and writes the console's output; other
 * vCPUs, with interrupt controllers in the kernel only, have threads of their
 * own.  Each of them runs the device models its exits are for.  The I/O thread
 * (io.c) waits for standard input, signals and the time limit.
 * The virtio devices have a thread each, and locks of their own (board.h).
 * "lock" guards the other devices and the stop request; it is taken last.
 *
 * Waking the vCPU: SIG_KICK is blocked in every thread and open only within
 * KVM_RUN (KVM_SET_SIGNAL_MASK) and while the vCPU waits for something.  So a
 * kick that comes at any other moment stays pending and ends the next KVM_RUN
 * or the next wait at once: none is lost, and nothing has to be polled.
 * Whoever changes the state does so first, under the lock, and kicks then;
 * the vCPU takes the kick first and looks at the state then.  A POSIX timer that is
 * aimed at the first vCPU's thread kicks it by itself: for the interval timer, if
 * that is ours, and to show output that has no line end.
 */
#ifndef RINGVM_MACHINE_H
#define RINGVM_MACHINE_H

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "board.h"
#include "chips.h"
#include "devices/bus.h"
#include "devices/ioapic.h"
#include "devices/pic.h"
#include "devices/pit.h"
#include "devices/pm.h"
#include "devices/ports.h"
#include "devices/rtc.h"
#include "devices/serial8250.h"
#include "opts.h"
#include "vm.h"

#define SIG_KICK	SIGUSR1

/*
 * Console output waits here for a line end, an idle guest or a timer tick.
 * One exit adds at most a page (a string output instruction), and no vCPU
 * enters the guest while there is more than that: each finds room.
 */
#define OUT_PER_EXIT	4096u
#define OUT_SIZE	((MAX_CPUS + 1) * OUT_PER_EXIT)
#define OUT_EAGER	512u

#define EXIT_REASONS	64u

enum stop_why {
	STOP_NOT,
	STOP_TIMEOUT,
	STOP_QUIT,		/* Ctrl-A x */
	STOP_SIGNAL,
	STOP_STATUS,		/* a vCPU's exit, in stop_status */
};

struct machine {
	const struct run_opts *opts;
	struct vm vm;

	pthread_mutex_t lock;
	struct bus bus;
	struct pic pic;			/* these three if they are ours */
	struct pit pit;
	struct ioapic ioapic;
	struct pm pm;
	struct rtc rtc;
	struct ports ports;
	struct serial8250 serial;
	struct irq_sink line_locked;	/* for devices on the bus */
	struct irq_sink line;		/* for others: takes the lock */
	enum stop_why stop;
	int stop_signal;
	int stop_status;

	struct board board;
	struct chips chips;		/* the kernel's, or not made */
	enum irqchip_choice irqchip;	/* settled before the VM is made */

	/* the lock guards these */
	uint8_t out[OUT_SIZE];
	size_t out_fill;
	bool out_now;
	bool out_dead;
	uint64_t show_at;		/* it is to be shown then, or PIT_NEVER */
	timer_t timer;
	uint64_t timer_armed;
	pthread_cond_t out_room;
	uint64_t exits[EXIT_REASONS];
	uint64_t mmio_unclaimed;

	pthread_t cpu_thread[MAX_CPUS];
	unsigned int threads;		/* of them that exist */

	/* the first vCPU's thread only */
	bool kicked;
	bool halted;
	uint64_t interrupts;

	/* the I/O thread */
	pthread_t io_thread;
	int wake_fd;		/* eventfd: room for input, or the end */
	int signal_fd;
	bool io_end;
};

/* The local APICs are the kernel's: HLT is no exit, vCPUs may be several. */
static inline bool has_lapics(const struct machine *m)
{
	return m->irqchip != IRQCHIP_USER;
}

/* The 8259A pair and the 8254 are ours. */
static inline bool has_pic(const struct machine *m)
{
	return m->irqchip != IRQCHIP_KERNEL;
}

/* Blocks the handled signals; before any thread exists. */
int machine_block_signals(struct diag *d);

/* Devices on their ports; @m->vm exists. */
int machine_init(struct machine *m, struct diag *d);

/* Runs the guest till its end: the exit status, or -1 for m->stop. */
int machine_run(struct machine *m);

void machine_print_stats(struct machine *m);
void machine_destroy(struct machine *m);

/* The console's input queue has room again: @ctx is the machine. */
void console_has_room(void *ctx);

/* Ends the run from the I/O thread. */
void machine_stop(struct machine *m, enum stop_why why, int sig);
/* Has the first vCPU look at what has changed. */
void machine_kick(struct machine *m);

/* io.c */
int io_start(struct machine *m, struct diag *d);
void io_end(struct machine *m);

#endif
