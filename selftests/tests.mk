# SPDX-License-Identifier: GPL-2.0
# The test programs; included by Makefile.  One .c file each, linked with
# TEST_LIB_SRCS; RINGVM_DEV names the device under test at run time.

TEST_GEN_PROGS += abi_regs abi_system
TEST_GEN_PROGS += guest_exits guest_mmio guest_modes guest_pio

TEST_LIB_SRCS := lib/vmtest.c lib/modes.c
TEST_LIB_HDRS := include/ktap.h include/vmtest.h

CFLAGS += -Iinclude -I../uapi -pthread
