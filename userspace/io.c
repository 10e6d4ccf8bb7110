// SPDX-License-Identifier: GPL-2.0
/*
 * The I/O thread: standard input, signals, the time limit.
 *
 * It sleeps in poll() and touches the machine only under its lock.  Standard
 * input is read only while the UART's queue has room; its end is no reason to
 * end the run.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "machine.h"
#include "term.h"

#define ESCAPE		0x01	/* Ctrl-A */

struct io {
	struct machine *m;
	int limit_fd;		/* timerfd, or -1 */
	bool stdin_open;
	bool escaped;		/* Ctrl-A was the last key */
};

static struct io io;

/*
 * Takes the escape out of @bytes: Ctrl-A x ends the run, Ctrl-A Ctrl-A is one
 * Ctrl-A, Ctrl-A with any other key is both.  Returns what is left.
 */
static size_t filter_escape(struct io *s, const uint8_t *bytes, size_t count,
			    uint8_t *out)
{
	size_t i, n = 0;

	for (i = 0; i < count; i++) {
		if (!s->escaped) {
			if (bytes[i] == ESCAPE)
				s->escaped = true;
			else
				out[n++] = bytes[i];
			continue;
		}
		s->escaped = false;
		if (bytes[i] == 'x' || bytes[i] == 'X') {
			machine_stop(s->m, STOP_QUIT, 0);
			return n;
		}
		out[n++] = ESCAPE;
		if (bytes[i] != ESCAPE)
			out[n++] = bytes[i];
	}
	return n;
}

static size_t input_room(struct machine *m)
{
	size_t room;

	if (m->board.console)
		return console_room(m->board.console);
	pthread_mutex_lock(&m->lock);
	room = serial_room(&m->serial);
	pthread_mutex_unlock(&m->lock);
	return room;
}

static void read_input(struct io *s)
{
	uint8_t in[SERIAL_QUEUE / 2], out[SERIAL_QUEUE];
	size_t room = input_room(s->m), count;
	ssize_t n;

	/* An escaped key may become two bytes. */
	room /= 2;
	if (!room)
		return;
	n = read(STDIN_FILENO, in, room < sizeof(in) ? room : sizeof(in));
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		s->stdin_open = false;
		return;
	}
	if (term_present()) {
		count = filter_escape(s, in, (size_t)n, out);
	} else {
		memcpy(out, in, (size_t)n);
		count = (size_t)n;
	}
	if (s->m->board.console) {
		console_receive(s->m->board.console, out, count);
		return;
	}
	pthread_mutex_lock(&s->m->lock);
	serial_receive(&s->m->serial, out, count);
	pthread_mutex_unlock(&s->m->lock);
	machine_kick(s->m);
}

static void take_signal(struct io *s)
{
	struct signalfd_siginfo si;

	if (read(s->m->signal_fd, &si, sizeof(si)) != sizeof(si))
		return;
	switch (si.ssi_signo) {
	case SIGTSTP:
		/* Stop as everybody does, with the terminal given back. */
		term_restore();
		kill(getpid(), SIGSTOP);
		break;
	case SIGCONT:
		term_raw();
		break;
	default:
		machine_stop(s->m, STOP_SIGNAL, (int)si.ssi_signo);
		break;
	}
}

static void *io_main(void *arg)
{
	struct io *s = arg;
	struct machine *m = s->m;
	struct pollfd fds[4];
	uint64_t count;
	bool end = false;

	prctl(PR_SET_NAME, "ringvm-io");
	while (!end) {
		fds[0] = (struct pollfd){ .fd = m->wake_fd, .events = POLLIN };
		fds[1] = (struct pollfd){ .fd = m->signal_fd,
					  .events = POLLIN };
		fds[2] = (struct pollfd){ .fd = s->limit_fd, .events = POLLIN };
		fds[3] = (struct pollfd){ .fd = -1, .events = POLLIN };
		if (s->stdin_open && input_room(m) >= 2)
			fds[3].fd = STDIN_FILENO;
		if (poll(fds, 4, -1) < 0)
			continue;
		if (fds[0].revents &&
		    read(m->wake_fd, &count, sizeof(count)) > 0) {
			pthread_mutex_lock(&m->lock);
			end = m->io_end;
			pthread_mutex_unlock(&m->lock);
		}
		if (fds[1].revents)
			take_signal(s);
		if (fds[2].revents) {
			s->limit_fd = -1;
			machine_stop(m, STOP_TIMEOUT, 0);
		}
		if (fds[3].revents)
			read_input(s);
	}
	return NULL;
}

static int limit_timer(unsigned int seconds)
{
	struct itimerspec its = { .it_value.tv_sec = (time_t)seconds };
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);

	if (fd >= 0 && timerfd_settime(fd, 0, &its, NULL)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

int io_start(struct machine *m, struct diag *d)
{
	sigset_t set;
	int err;

	io = (struct io){ .m = m, .limit_fd = -1, .stdin_open = true };
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGQUIT);
	sigaddset(&set, SIGTSTP);
	sigaddset(&set, SIGCONT);
	m->io_end = false;
	m->wake_fd = eventfd(0, EFD_CLOEXEC);
	m->signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
	if (m->wake_fd < 0 || m->signal_fd < 0)
		return diag_set(d, "no file descriptors for the I/O thread: %s",
				strerror(errno));
	if (m->opts->timeout) {
		io.limit_fd = limit_timer(m->opts->timeout);
		if (io.limit_fd < 0)
			return diag_set(d, "no timer for --timeout: %s",
					strerror(errno));
	}
	term_init();
	term_raw();
	err = pthread_create(&m->io_thread, NULL, io_main, &io);
	if (err) {
		term_restore();
		return diag_set(d, "the I/O thread cannot be started: %s",
				strerror(err));
	}
	return 0;
}

void io_end(struct machine *m)
{
	uint64_t one = 1;

	pthread_mutex_lock(&m->lock);
	m->io_end = true;
	pthread_mutex_unlock(&m->lock);
	if (write(m->wake_fd, &one, sizeof(one)) < 0)
		say("the I/O thread cannot be woken: %s", strerror(errno));
	pthread_join(m->io_thread, NULL);
	term_restore();
	close(m->wake_fd);
	close(m->signal_fd);
}
