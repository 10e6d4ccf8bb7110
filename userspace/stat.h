/* SPDX-License-Identifier: GPL-2.0 */
/*
 * "ringvm stat": the counters of all VMs of this machine, while they run.
 *
 * The module shows them as files below debugfs: one folder for each VM, named for the
 * process and the descriptor it was made with, in it one for each vCPU; a file holds one
 * number.  Folders come and go while they are read.
 */
#ifndef RINGVM_STAT_H
#define RINGVM_STAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "diag.h"
#include "opts.h"

#define STAT_ROOT	"/sys/kernel/debug/ringvm"

struct stat_value {
	char group[96];		/* "PID-FD" or "PID-FD vcpuN" */
	char name[64];
	uint64_t value;
};

struct stat_list {
	struct stat_value *v;	/* sorted by group, then by name; freed by stat_free() */
	size_t n, room;
};

/* All counters below @root, into an empty list.  0, or -1 with @d filled. */
int stat_read(const char *root, struct stat_list *l, struct diag *d);
void stat_free(struct stat_list *l);

/*
 * One report: a line for each counter that is not 0, with what it grew by since @before (NULL:
 * without that), all of them if @all.  -1 if @out cannot be written.
 */
int stat_print(FILE *out, const struct stat_list *now, const struct stat_list *before, bool all);

/* The process's exit status. */
int cmd_stat(const struct stat_opts *opts);

#endif
