// SPDX-License-Identifier: GPL-2.0
/*
 * "ringvm run": from files to a running guest, and its end.
 *
 * Order: what can be wrong with the user's files is found before the device
 * is opened, what can be wrong with the device before memory is filled.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "boot/acpi.h"
#include "boot/params.h"
#include "machine.h"
#include "run.h"

struct guest_files {
	uint8_t *kernel;
	size_t kernel_size;
	int initrd_fd;
	uint64_t initrd_size;
	struct bzimage image;
};

static int open_file(const char *what, const char *path, uint64_t *size,
		     struct diag *d)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return diag_set(d, "cannot open the %s %s: %s; give a readable file",
				what, path, strerror(errno));
	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		close(fd);
		return diag_set(d, "the %s %s is no regular file: give a file",
				what, path);
	}
	if (!st.st_size) {
		close(fd);
		return diag_set(d, "the %s %s is empty: give another file",
				what, path);
	}
	*size = (uint64_t)st.st_size;
	return fd;
}

static int read_all(const char *what, int fd, uint8_t *to, uint64_t size,
		    struct diag *d)
{
	ssize_t n;

	while (size) {
		n = read(fd, to, size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return diag_set(d, "cannot read the %s: %s", what,
					strerror(errno));
		if (!n)
			return diag_set(d, "the %s became shorter while it was read: try again",
					what);
		to += n;
		size -= (uint64_t)n;
	}
	return 0;
}

static int load_files(const struct run_opts *o, struct guest_files *f,
		      struct diag *d)
{
	uint64_t size;
	int fd, ret;

	fd = open_file("kernel", o->kernel, &size, d);
	if (fd < 0)
		return -1;
	/* A larger one is refused by the parser by its size alone. */
	if (size > BZIMAGE_MAX_SIZE)
		size = (uint64_t)BZIMAGE_MAX_SIZE + 1;
	f->kernel_size = size;
	f->kernel = malloc(size);
	ret = f->kernel ? read_all("kernel", fd, f->kernel, size, d) :
			  diag_set(d, "out of memory: free some");
	close(fd);
	if (ret)
		return -1;
	if (bzimage_parse(f->kernel, f->kernel_size, &f->image, d))
		return -1;
	if (o->initrd) {
		f->initrd_fd = open_file("initrd", o->initrd, &f->initrd_size,
					 d);
		if (f->initrd_fd < 0)
			return -1;
	}
	return 0;
}

static void free_files(struct guest_files *f)
{
	free(f->kernel);
	if (f->initrd_fd >= 0)
		close(f->initrd_fd);
}

static int choose_protocol(const struct run_opts *o, const struct vm *vm,
			   const struct bzimage *k, bool *long_mode,
			   struct diag *d)
{
	if (k->kernel_64 && !vm_has_long_mode(vm))
		return diag_set(d, "the kernel %s is a 64-bit one and mode %s gives a CPU without long mode: give a 32-bit kernel (such as Debian's 686) or another mode",
				o->kernel, vm->mode);
	if (o->boot == BOOT_64 && !k->kernel_64)
		return diag_set(d, "the kernel %s has no 64-bit entry point: leave out --boot 64",
				o->kernel);
	*long_mode = k->kernel_64 && o->boot != BOOT_32;
	if (o->verbose)
		say("kernel %s, boot protocol %u.%02u, %d-bit entry",
		    *k->release ? k->release : "(no version)",
		    k->hdr.version >> 8, k->hdr.version & 0xff,
		    *long_mode ? 64 : 32);
	return 0;
}

/*
 * Opens the node, and says which mode it is.  Where the best mode is ring1 a 64-bit
 * kernel gets interp: it would be interpreted there, too, no faster, and by a mode
 * that asks for more trust in the guest.
 */
static int open_node(const struct run_opts *o, struct vm *vm, const struct bzimage *k,
		     struct diag *d)
{
	const char *interp = mode_device("interp");
	struct diag ignored;

	if (vm_open(vm, o->device, d))
		return -1;
	if (!k->kernel_64 || strcmp(vm->mode, "ring1")) {
		say("mode %s on %s: %s", vm->mode, vm->device, vm->why);
		return 0;
	}
	if (o->best) {
		vm_close(vm);
		if (!vm_open(vm, interp, &ignored)) {
			say("mode %s on %s: the kernel is a 64-bit one; ring1, the best mode that works here, runs only 32-bit ones natively and would interpret it as well",
			    vm->mode, vm->device);
			return 0;
		}
		vm_close(vm);
		if (vm_open(vm, o->device, d))
			return -1;
	}
	say("mode %s on %s: %s; but the kernel is a 64-bit one: in long mode it is interpreted, every instruction (counter soft_long)",
	    vm->mode, vm->device, vm->why);
	return 0;
}

static void write_acpi(const struct machine *m)
{
	const struct acpi_machine a = {
		.cpus = m->vm.cpus,
		.timer_on_pin_2 = m->chips.routing,
		.pci = m->board.devices,
		.level_lines = m->board.devices ? pci_lines() : 0,
		.pci_line = pci_line,
		.pci_mem_start = PCI_MEM_START,
		.pci_mem_end = PCI_MEM_END,
	};

	acpi_write(m->vm.ram, &a);
}

/* The machine, ready for its first instruction. */
static int build(const struct run_opts *o, struct machine *m,
		 struct guest_files *f, struct diag *d)
{
	struct mem_split mem = mem_split(o->mem);
	struct boot_plan plan;
	bool long_mode;

	if (open_node(o, &m->vm, &f->image, d))
		return -1;
	if (choose_protocol(o, &m->vm, &f->image, &long_mode, d) ||
	    chips_choose(&m->vm, o, &m->irqchip, d) ||
	    boot_plan(&f->image, &mem, f->initrd_size, strlen(o->append),
		      long_mode, &plan, d) ||
	    vm_create(&m->vm, &mem, d))
		return -1;
	if (has_lapics(m) && chips_create(&m->chips, &m->vm, m->irqchip, d))
		return -1;
	if (vm_create_cpus(&m->vm, o->cpus, d))
		return -1;
	boot_write(m->vm.ram, &mem, &f->image, &plan, o->append);
	if (f->initrd_size &&
	    read_all("initrd", f->initrd_fd, m->vm.ram + plan.initrd,
		     f->initrd_size, d))
		return -1;
	if (has_lapics(m))
		write_acpi(m);
	if (vm_set_cpuid(&m->vm, o->no_pv, has_lapics(m), d))
		return -1;
	return vm_set_entry(&m->vm, &plan, has_lapics(m), d);
}

static int report_stop(const struct machine *m)
{
	switch (m->stop) {
	case STOP_TIMEOUT:
		say("%s: ended by --timeout after %u s", m->opts->name,
		    m->opts->timeout);
		return EXIT_TIMEOUT;
	case STOP_QUIT:
		say("%s: ended by Ctrl-A x", m->opts->name);
		return EXIT_QUIT;
	default:
		say("%s: ended by signal %d (%s)", m->opts->name,
		    m->stop_signal, strsignal(m->stop_signal));
		return EXIT_INTERNAL;
	}
}

/* Dies of @sig, as whoever waits for this process expects. */
static void die_of(int sig)
{
	sigset_t set;

	signal(sig, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, sig);
	raise(sig);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

static int run_machine(struct machine *m, struct diag *d)
{
	int status;

	/* The other thread inherits the blocked signals. */
	if (machine_block_signals(d) || machine_init(m, d))
		return EXIT_SETUP;
	if (board_start(&m->board, d) || io_start(m, d)) {
		board_stop(&m->board);
		machine_destroy(m);
		return EXIT_SETUP;
	}
	status = machine_run(m);
	io_end(m);
	board_stop(&m->board);
	if (status < 0)
		status = report_stop(m);
	if (m->opts->stats) {
		machine_print_stats(m);
		vm_print_stats(&m->vm);
	}
	machine_destroy(m);
	return status;
}

int cmd_run(const struct run_opts *opts)
{
	struct guest_files files = { .initrd_fd = -1 };
	struct machine *m;
	struct diag d = { "" };
	int status = EXIT_SETUP, sig = 0;

	m = calloc(1, sizeof(*m));
	if (!m) {
		say("out of memory: free some");
		return EXIT_SETUP;
	}
	m->opts = opts;
	m->vm.sys_fd = m->vm.vm_fd = -1;
	prctl(PR_SET_NAME, opts->name);
	if (!load_files(opts, &files, &d) &&
	    !board_open(&m->board, opts, console_has_room, m, &d) && !build(opts, m, &files, &d)) {
		free_files(&files);
		files = (struct guest_files){ .initrd_fd = -1 };
		status = run_machine(m, &d);
		if (m->stop == STOP_SIGNAL)
			sig = m->stop_signal;
	}
	if (*d.text)
		say("%s", d.text);
	free_files(&files);
	board_close(&m->board);
	chips_destroy(&m->chips);
	vm_close(&m->vm);
	free(m);
	if (sig)
		die_of(sig);
	return status;
}
