# SPDX-License-Identifier: GPL-2.0
# The test programs; included by Makefile.  One .c file each, linked with
# TEST_LIB_SRCS; RINGVM_DEV names the device under test at run time.

TEST_GEN_PROGS += abi_close abi_cpuid abi_efault abi_memslot abi_msr abi_regs
TEST_GEN_PROGS += abi_ringvm abi_run abi_state abi_stats abi_system abi_vm
TEST_GEN_PROGS += guest_align guest_code guest_control guest_debug guest_exceptions guest_exits guest_flags
TEST_GEN_PROGS += guest_fpu guest_fpu_mmio
TEST_GEN_PROGS += guest_irq guest_mmio guest_mmio_edge guest_modes guest_nmi guest_nt
TEST_GEN_PROGS += guest_paging guest_pio guest_pio_string guest_rings guest_tables guest_task guest_tsc
TEST_GEN_PROGS += mem_dirty_log mem_notifier mem_slots_live
TEST_GEN_PROGS += client_killed smp_hotplug smp_ldt smp_tables smp_threads module_unload
TEST_GEN_PROGS += attack_edges attack_midway attack_secrets attack_segments attack_tables attack_traps
TEST_GEN_PROGS += coalesced ioeventfd irqfd irq_bad irq_ioapic irq_lapic irq_pic irq_pit irq_routing
TEST_GEN_PROGS += irq_pv irq_smp irq_split irq_state
TEST_GEN_PROGS += fuzz_guest fuzz_ioctl
TEST_GEN_PROGS += ring1_reasons
# Built and installed, not run as a test.
TEST_GEN_PROGS_EXTENDED += bench_guest host_storm host_state host_duties
TEST_GEN_PROGS_EXTENDED += bench_trap

TEST_LIB_SRCS := lib/vmtest.c lib/modes.c lib/irqtest.c
TEST_LIB_HDRS := include/ktap.h include/vmtest.h include/irqtest.h storm/storm.h

CFLAGS += -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror -Iinclude -I../uapi -pthread
