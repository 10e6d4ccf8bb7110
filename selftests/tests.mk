# SPDX-License-Identifier: GPL-2.0
# The test programs; included by Makefile.  One .c file each, linked with
# TEST_LIB_SRCS; RINGVM_DEV names the device under test at run time.

TEST_GEN_PROGS += abi_close abi_cpuid abi_efault abi_memslot abi_msr abi_regs
TEST_GEN_PROGS += abi_run abi_state abi_stats abi_system abi_vm
TEST_GEN_PROGS += guest_exits guest_mmio guest_modes guest_pio guest_pio_string

TEST_LIB_SRCS := lib/vmtest.c lib/modes.c
TEST_LIB_HDRS := include/ktap.h include/vmtest.h

CFLAGS += -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror -Iinclude -I../uapi -pthread
