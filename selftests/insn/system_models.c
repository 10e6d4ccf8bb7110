// SPDX-License-Identifier: GPL-2.0
#include "system.h"
const struct test model_tests[] = { { NULL, NULL } };
