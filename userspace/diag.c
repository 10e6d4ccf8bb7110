// SPDX-License-Identifier: GPL-2.0
/*
 * Diagnostics: see diag.h.  Each message leaves in one write(), so that the
 * lines of two threads never mix.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "diag.h"

static volatile bool terminal_raw;

void diag_format(struct diag *d, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(d->text, sizeof(d->text), fmt, ap);
	va_end(ap);
}

static void emit(const char *prefix, const char *fmt, va_list ap)
{
	char line[1024];
	size_t len;
	int n;

	n = snprintf(line, sizeof(line), "%s", prefix);
	vsnprintf(line + n, sizeof(line) - (size_t)n - 2, fmt, ap);
	len = strlen(line);
	if (terminal_raw)
		line[len++] = '\r';
	line[len++] = '\n';
	/* Nothing useful can be done about a stderr that cannot be written. */
	if (write(STDERR_FILENO, line, len) < 0)
		return;
}

void say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	emit("ringvm: ", fmt, ap);
	va_end(ap);
}

void say_raw(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	emit("", fmt, ap);
	va_end(ap);
}

void say_set_raw_terminal(bool raw)
{
	terminal_raw = raw;
}
