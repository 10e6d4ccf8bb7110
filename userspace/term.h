/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The terminal on standard input: raw mode while the guest runs, and back to
 * what it was on every way out.
 */
#ifndef RINGVM_TERM_H
#define RINGVM_TERM_H

#include <stdbool.h>

/*
 * Remembers the terminal's state and has it restored when the process dies
 * of a fault.  Does nothing if standard input is no terminal.
 */
void term_init(void);

/*
 * Raw mode, if standard input is a terminal and this process is in its
 * foreground: a background process must not touch it.
 */
void term_raw(void);

/* The state before term_raw(); safe in a signal handler, any number of times. */
void term_restore(void);

bool term_present(void);

#endif
