/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The command lines of "ringvm run", "ringvm stat" and "ringvm check", as plain data.
 */
#ifndef RINGVM_OPTS_H
#define RINGVM_OPTS_H

#include <stdbool.h>
#include <stdint.h>

#include "diag.h"

/* Exit statuses; docs/ringvm.1 documents them, scripts rely on them. */
enum exit_status {
	EXIT_POWEROFF	= 0,	/* the guest halted with interrupts off */
	EXIT_SETUP	= 1,	/* the machine could not be set up */
	EXIT_USAGE	= 2,	/* the command line makes no sense */
	EXIT_RESET	= 3,	/* the guest asked for a reset */
	EXIT_TRIPLE	= 4,	/* KVM_EXIT_SHUTDOWN: triple fault */
	EXIT_INTERNAL	= 5,	/* the mode or the launcher cannot go on */
	EXIT_TIMEOUT	= 6,	/* --timeout ran out */
	EXIT_QUIT	= 7,	/* Ctrl-A x */
};

enum boot_choice {
	BOOT_AUTO,
	BOOT_32,
	BOOT_64,
};

#define MAX_DISKS	16u
#define TAP_NAME_MAX	15u		/* as the kernel has it */

#define MAX_CPUS	64u

enum irqchip_choice {
	IRQCHIP_AUTO,
	IRQCHIP_KERNEL,
	IRQCHIP_SPLIT,		/* local APICs in the kernel, the others here */
	IRQCHIP_USER,
};

enum net_choice {
	NET_NONE,
	NET_USER,
	NET_TAP,
};

struct run_opts {
	const char *kernel;
	const char *initrd;
	const char *append;
	const char *device;	/* resolved: never NULL after parsing */
	const char *mode;	/* as given by --mode, or NULL */
	bool best;		/* neither a mode nor a node was asked for by name */
	const char *name;
	uint64_t mem;		/* bytes, a multiple of 2 MiB */
	unsigned int timeout;	/* seconds, 0 = none */
	unsigned int cpus;
	enum irqchip_choice irqchip;
	const char *disk[MAX_DISKS];	/* "FILE" or "FILE,ro" */
	unsigned int disks;
	enum net_choice net;
	char net_tap[TAP_NAME_MAX + 1];
	uint8_t net_mac[6];
	bool net_has_mac;
	bool rng;
	bool virtio_console;
	enum boot_choice boot;
	bool stats;
	bool no_pv;
	bool verbose;
	bool help;
};

struct check_opts {
	bool json;
	bool help;
};

struct stat_opts {
	unsigned int interval;	/* seconds */
	unsigned int count;	/* reports, 0 = until killed */
	bool all;
	bool help;
};

#define MEM_DEFAULT	(256ULL << 20)
#define MEM_MIN		(16ULL << 20)
#define MEM_MAX		(1ULL << 40)
#define MEM_ALIGN	(2ULL << 20)

/*
 * "64M", "2G", "512K", "4T", lower case too; a bare number is MiB.  Returns 0
 * and the size in bytes, or -1 with @d filled.
 */
int parse_size(const char *text, uint64_t *bytes, struct diag *d);

/*
 * @argv[0] is the subcommand.  0, or -1 with @d filled.  The strings of @o
 * point into @argv.
 */
int parse_run(int argc, char **argv, struct run_opts *o, struct diag *d);
int parse_check(int argc, char **argv, struct check_opts *o, struct diag *d);
int parse_stat(int argc, char **argv, struct stat_opts *o, struct diag *d);

/* The node for a --mode word, or NULL for a word that is no mode. */
const char *mode_device(const char *mode);

#endif
