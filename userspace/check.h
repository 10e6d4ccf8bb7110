/* SPDX-License-Identifier: GPL-2.0 */
#ifndef RINGVM_CHECK_H
#define RINGVM_CHECK_H

#include "opts.h"

/* "ringvm check": the process's exit status. */
int cmd_check(const struct check_opts *opts);

#endif
