/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Diagnostics: how the launcher talks to its user.
 *
 * A parser or a set-up step that refuses its input fills a struct diag with
 * one line that says what is wrong and what to do, and returns -1; the caller
 * decides whether to print it.  say() is the only place that writes messages
 * to the terminal, because a terminal in raw mode needs a carriage return.
 */
#ifndef RINGVM_DIAG_H
#define RINGVM_DIAG_H

#include <stdarg.h>
#include <stdbool.h>

struct diag {
	char text[768];
};

void diag_format(struct diag *d, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * Fills @d and is -1, so that a check can end in "return diag_set(...)"; a
 * macro, so that the compiler sees the -1 too.
 */
#define diag_set(d, ...)	(diag_format(d, __VA_ARGS__), -1)

/* One line on stderr, with "ringvm: " before it and the line end after it. */
void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* A bare line on stderr, for output that other programs read ("stat: ..."). */
void say_raw(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The terminal is in raw mode: lines end in CR LF until this is taken back. */
void say_set_raw_terminal(bool raw);

#endif
