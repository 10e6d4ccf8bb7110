/* SPDX-License-Identifier: GPL-2.0 */
/*
 * "ringvm check", the doctor: which modes work here, why others do not, and
 * what to do about it.
 */
#ifndef RINGVM_CHECK_H
#define RINGVM_CHECK_H

#include "facts.h"
#include "opts.h"

#define CHECK_NOTES	6

struct verdict {
	bool works;
	char reason[320];
	char advice[320];	/* empty if there is nothing to do */
	const char *notes[CHECK_NOTES];	/* what is less than perfect here; NULLs behind */
};

/* What the facts say about one mode. */
void check_judge(const struct facts *f, enum mode_id id, struct verdict *v);

/* The mode that /dev/ringvm would be, MODE_COUNT if none works. */
enum mode_id check_best(const struct verdict v[MODE_COUNT]);

/* The process's exit status. */
int cmd_check(const struct check_opts *opts);

#endif
