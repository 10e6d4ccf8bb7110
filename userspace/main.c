// SPDX-License-Identifier: GPL-2.0
/*
 * ringvm, the launcher: runs a Linux guest behind KVM's ABI.
 *
 * Reading order: main.c (subcommands), opts.c (the command line), run.c (from
 * files to a machine), boot/ (kernel image, memory layout, entry state), vm.c
 * (the ABI), machine.c (the run loop), devices/, chips.c (interrupt
 * controllers in the kernel), board.c (virtio devices and their bus), io.c and term.c (the console), stats.c; check.c and stat.c are programs of their own.
 */
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "diag.h"
#include "opts.h"
#include "run.h"
#include "stat.h"

#define VERSION "0.1"

static const char usage_text[] =
"usage: ringvm run --kernel FILE [OPTION]...\n"
"       ringvm stat [--interval SEC] [--count N] [--all]\n"
"       ringvm check [--json]\n"
"       ringvm --help | --version\n"
"\n"
"run    boots a Linux kernel (bzImage) in a virtual machine, its serial\n"
"       console on this terminal; Ctrl-A x ends it\n"
"stat   prints the counters of the virtual machines that run on this machine\n"
"check  says which modes work on this machine, why others do not, and what\n"
"       to do about it\n"
"\n"
"\"ringvm run --help\" and its like say more, ringvm(1) says all.\n";

static const char run_text[] =
"usage: ringvm run --kernel FILE [OPTION]...\n"
"\n"
"  --kernel FILE    the kernel, a bzImage (vmlinuz)\n"
"  --initrd FILE    the initial RAM disk\n"
"  --append TEXT    kernel command line (default: console=ttyS0,\n"
"                   with --console virtio console=hvc0)\n"
"  --mem SIZE       memory, such as 512M or 2G (default: 256M)\n"
"  --disk FILE[,ro] a disk: a raw image or a block device; \",ro\" protects it\n"
"                   (may be given several times)\n"
"  --net user       a network card, its traffic by this process's sockets\n"
"  --net tap=NAME   a network card on the host's interface NAME\n"
"                   (either with \",mac=ADDRESS\" behind it)\n"
"  --rng            a source of random numbers\n"
"  --console WHICH  serial or virtio (default: serial)\n"
"  --cpus N         CPUs of the guest (default: 1)\n"
"  --irqchip WHERE  kernel, split or user: interrupt controllers (default:\n"
"                   kernel if the node offers them, else user)\n"
"  --mode MODE      best, vmx, svm, ring1 or interp (default: best)\n"
"  --device PATH    a node by name instead of a mode; /dev/kvm works as well\n"
"  --boot PROTOCOL  auto, 32 or 64: boot protocol (default: auto)\n"
"  --name NAME      name of the guest in messages and of its process\n"
"  --timeout SEC    ends the run after that time\n"
"  --stats          prints counters at the end\n"
"  --no-pv          hides that the guest is a virtual machine\n"
"  --verbose        says more, and dumps the registers after an error\n"
"  --help           this text\n"
"\n"
"Ctrl-A x ends the run, Ctrl-A Ctrl-A sends Ctrl-A.\n"
"\n"
"Exit status: 0 power-off, 1 set-up failed, 2 wrong usage, 3 reset,\n"
"4 triple fault, 5 internal error, 6 time limit, 7 Ctrl-A x.\n";

static const char stat_text[] =
"usage: ringvm stat [--interval SEC] [--count N] [--all]\n"
"\n"
"  --interval SEC  again every so many seconds, until killed, with the growth\n"
"                  of each counter since the last time\n"
"  --count N       so many times\n"
"  --all           those that are 0, too\n"
"  --help          this text\n"
"\n"
"Exit status: 0, 1 the counters cannot be read, 2 wrong usage.\n";

static const char check_text[] =
"usage: ringvm check [--json]\n"
"\n"
"  --json  the report as one JSON object, see ringvm(1)\n"
"  --help  this text\n"
"\n"
"Exit status: 0 at least one mode works, 1 none does, 2 wrong usage.\n";

static int put(const char *text)
{
	if (fputs(text, stdout) < 0 || fflush(stdout)) {
		say("standard output cannot be written");
		return EXIT_SETUP;
	}
	return 0;
}

static int usage_error(const struct diag *d)
{
	say("%s", d->text);
	return EXIT_USAGE;
}

static int main_run(int argc, char **argv)
{
	struct run_opts opts;
	struct diag d;

	if (parse_run(argc, argv, &opts, &d))
		return usage_error(&d);
	if (opts.help)
		return put(run_text);
	return cmd_run(&opts);
}

static int main_check(int argc, char **argv)
{
	struct check_opts opts;
	struct diag d;

	if (parse_check(argc, argv, &opts, &d))
		return usage_error(&d);
	if (opts.help)
		return put(check_text);
	return cmd_check(&opts);
}

static int main_stat(int argc, char **argv)
{
	struct stat_opts opts;
	struct diag d;

	if (parse_stat(argc, argv, &opts, &d))
		return usage_error(&d);
	if (opts.help)
		return put(stat_text);
	return cmd_stat(&opts);
}

int main(int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : "";

	if (!strcmp(word, "run"))
		return main_run(argc - 1, argv + 1);
	if (!strcmp(word, "stat"))
		return main_stat(argc - 1, argv + 1);
	if (!strcmp(word, "check"))
		return main_check(argc - 1, argv + 1);
	if (!strcmp(word, "--help") || !strcmp(word, "-h"))
		return put(usage_text);
	if (!strcmp(word, "--version"))
		return put("ringvm " VERSION "\n");
	if (*word)
		say("'%.64s' is no subcommand: give run, stat or check, or see ringvm --help",
		    word);
	else
		say("no subcommand: give run, stat or check, or see ringvm --help");
	return EXIT_USAGE;
}
