/* SPDX-License-Identifier: GPL-2.0 */
#ifndef RINGVM_RUN_H
#define RINGVM_RUN_H

#include "opts.h"

/* "ringvm run": the process's exit status. */
int cmd_run(const struct run_opts *opts);

#endif
