// SPDX-License-Identifier: GPL-2.0
/*
 * The terminal: see term.h.
 */
#include <signal.h>
#include <stddef.h>
#include <termios.h>
#include <unistd.h>

#include "diag.h"
#include "term.h"

static struct termios saved;
static bool present;
static volatile sig_atomic_t raw;

/* A fault of our own: give the terminal back, then die of it as usual. */
static void on_fault(int sig)
{
	(void)sig;
	term_restore();
	/* SA_RESETHAND: returning runs the faulting instruction once more. */
}

static void on_abort(int sig)
{
	term_restore();
	raise(sig);
}

void term_init(void)
{
	static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL };
	struct sigaction sa = { .sa_flags = (int)SA_RESETHAND };
	size_t i;

	present = isatty(STDIN_FILENO) && !tcgetattr(STDIN_FILENO, &saved);
	if (!present)
		return;
	sa.sa_handler = on_fault;
	for (i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		sigaction(faults[i], &sa, NULL);
	sa.sa_handler = on_abort;
	sigaction(SIGABRT, &sa, NULL);
}

void term_raw(void)
{
	struct termios t;

	if (!present || tcgetpgrp(STDIN_FILENO) != getpgrp())
		return;
	t = saved;
	cfmakeraw(&t);
	t.c_cc[VMIN] = 1;
	t.c_cc[VTIME] = 0;
	/* Set first: a signal in between restores once too often, no harm. */
	raw = 1;
	if (tcsetattr(STDIN_FILENO, TCSANOW, &t))
		raw = 0;
	say_set_raw_terminal(raw);
}

void term_restore(void)
{
	if (!raw)
		return;
	raw = 0;
	tcsetattr(STDIN_FILENO, TCSANOW, &saved);
	say_set_raw_terminal(false);
}

bool term_present(void)
{
	return present;
}
