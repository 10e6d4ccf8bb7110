// SPDX-License-Identifier: GPL-2.0
/*
 * The command line.  Parsing has no side effects: nothing is opened, printed
 * or exited from here, so that the tests can feed it anything.
 *
 * Options are long ones only; "--opt value" and "--opt=value" are the same.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "opts.h"

struct mode_name {
	const char *mode;
	const char *device;
};

static const struct mode_name modes[] = {
	{ "best",   "/dev/ringvm" },
	{ "vmx",    "/dev/ringvm-vmx" },
	{ "svm",    "/dev/ringvm-svm" },
	{ "ring1",  "/dev/ringvm-ring1" },
	{ "interp", "/dev/ringvm-interp" },
};

const char *mode_device(const char *mode)
{
	size_t i;

	for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (!strcmp(mode, modes[i].mode))
			return modes[i].device;
	return NULL;
}

int parse_size(const char *text, uint64_t *bytes, struct diag *d)
{
	unsigned int shift = 20;
	unsigned long long value;
	char *end;

	if (!isdigit((unsigned char)text[0]))
		goto bad;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno)
		goto bad;
	switch (toupper((unsigned char)*end)) {
	case '\0':
		break;
	case 'K':
		shift = 10;
		end++;
		break;
	case 'M':
		end++;
		break;
	case 'G':
		shift = 30;
		end++;
		break;
	case 'T':
		shift = 40;
		end++;
		break;
	default:
		goto bad;
	}
	if (*end || value > UINT64_MAX >> shift)
		goto bad;
	*bytes = (uint64_t)value << shift;
	return 0;
bad:
	return diag_set(d, "'%.64s' is no size: give a number with K, M, G or T behind it, such as 256M",
			text);
}

static int parse_mem(const char *text, uint64_t *mem, struct diag *d)
{
	if (parse_size(text, mem, d))
		return -1;
	if (*mem < MEM_MIN)
		return diag_set(d, "--mem %.64s is too small: give at least %lluM",
				text, MEM_MIN >> 20);
	if (*mem > MEM_MAX)
		return diag_set(d, "--mem %.64s is too large: give at most %lluG",
				text, MEM_MAX >> 30);
	if (*mem % MEM_ALIGN)
		return diag_set(d, "--mem %.64s is not a multiple of %lluM: round it",
				text, MEM_ALIGN >> 20);
	return 0;
}

static int parse_seconds(const char *text, unsigned int *seconds,
			 struct diag *d)
{
	unsigned long value;
	char *end;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (!isdigit((unsigned char)text[0]) || errno || *end || !value ||
	    value > 31536000)
		return diag_set(d, "--timeout '%.64s' is no time: give whole seconds from 1 to 31536000",
				text);
	*seconds = (unsigned int)value;
	return 0;
}

static int parse_boot(const char *text, enum boot_choice *boot, struct diag *d)
{
	if (!strcmp(text, "auto"))
		*boot = BOOT_AUTO;
	else if (!strcmp(text, "32"))
		*boot = BOOT_32;
	else if (!strcmp(text, "64"))
		*boot = BOOT_64;
	else
		return diag_set(d, "--boot '%.64s' is no boot protocol: give auto, 32 or 64",
				text);
	return 0;
}

static int parse_name(const char *text, struct diag *d)
{
	const char *p;

	for (p = text; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("._-", *p))
			break;
	if (!*text || *p || p - text > 64)
		return diag_set(d, "--name '%.64s' is no name: give 1 to 64 letters, digits, '.', '_' or '-'",
				text);
	return 0;
}

static int parse_cpus(const char *text, unsigned int *cpus, struct diag *d)
{
	unsigned long value;
	char *end;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (!isdigit((unsigned char)text[0]) || errno || *end || !value ||
	    value > MAX_CPUS)
		return diag_set(d, "--cpus '%.64s' is no number of CPUs: give one from 1 to %u",
				text, MAX_CPUS);
	*cpus = (unsigned int)value;
	return 0;
}

static int parse_irqchip(const char *text, enum irqchip_choice *choice,
			 struct diag *d)
{
	if (!strcmp(text, "kernel"))
		*choice = IRQCHIP_KERNEL;
	else if (!strcmp(text, "split"))
		*choice = IRQCHIP_SPLIT;
	else if (!strcmp(text, "user"))
		*choice = IRQCHIP_USER;
	else
		return diag_set(d, "--irqchip '%.64s' is no place for interrupt controllers: give kernel, split or user",
				text);
	return 0;
}

static int add_disk(const char *text, struct run_opts *o, struct diag *d)
{
	if (!*text || !strcmp(text, ",ro"))
		return diag_set(d, "--disk is empty: give a raw image, with \",ro\" behind it to protect it");
	if (o->disks == MAX_DISKS)
		return diag_set(d, "there are more than %u disks: leave out some --disk",
				MAX_DISKS);
	o->disk[o->disks++] = text;
	return 0;
}

/* "52:54:00:ab:cd:ef"; not a group's address, not all zeros. */
static int parse_mac(const char *text, uint8_t *mac, struct diag *d)
{
	unsigned int i, any = 0;
	char *end;

	for (i = 0; i < 6; i++, text = end + 1) {
		if (!isxdigit((unsigned char)text[0]) ||
		    !isxdigit((unsigned char)text[1]))
			break;
		mac[i] = (uint8_t)strtoul(text, &end, 16);
		any |= mac[i];
		if (end != text + 2 || *end != (i < 5 ? ':' : '\0'))
			break;
	}
	if (i < 6 || (mac[0] & 1) || !any)
		return diag_set(d, "--net mac= is no address of a card: give six bytes such as 52:54:00:12:34:56, the first one even");
	return 0;
}

static int parse_net(const char *text, struct run_opts *o, struct diag *d)
{
	size_t len = strcspn(text, ",");
	const char *more = text[len] ? text + len + 1 : NULL;

	if (len == 4 && !strncmp(text, "user", 4)) {
		o->net = NET_USER;
	} else if (!strncmp(text, "tap=", 4)) {
		len -= 4;
		if (!len || len > TAP_NAME_MAX || memchr(text + 4, '/', len))
			return diag_set(d, "--net tap= needs the name of an interface behind it, of at most %u characters",
					TAP_NAME_MAX);
		o->net = NET_TAP;
		memcpy(o->net_tap, text + 4, len);
		o->net_tap[len] = '\0';
	} else {
		return diag_set(d, "--net '%.64s' is no network: give user or tap=INTERFACE, and ,mac=ADDRESS behind it if you like",
				text);
	}
	if (!more)
		return 0;
	if (strncmp(more, "mac=", 4))
		return diag_set(d, "--net: '%.64s' is not understood: give mac=ADDRESS, or nothing",
				more);
	o->net_has_mac = true;
	return parse_mac(more + 4, o->net_mac, d);
}

static int parse_console(const char *text, struct run_opts *o, struct diag *d)
{
	if (!strcmp(text, "virtio"))
		o->virtio_console = true;
	else if (strcmp(text, "serial"))
		return diag_set(d, "--console '%.64s' is no console: give serial or virtio",
				text);
	return 0;
}

enum run_opt {
	OPT_KERNEL, OPT_INITRD, OPT_APPEND, OPT_MEM, OPT_DEVICE, OPT_MODE,
	OPT_NAME, OPT_TIMEOUT, OPT_BOOT, OPT_DISK,
	OPT_NET, OPT_CONSOLE, OPT_RNG, OPT_CPUS, OPT_IRQCHIP,
	OPT_STATS, OPT_NO_PV, OPT_VERBOSE, OPT_HELP, OPT_COUNT
};

struct opt_word {
	const char *word;
	bool has_value;
	bool repeats;
};

static const struct opt_word run_words[OPT_COUNT] = {
	[OPT_KERNEL]	= { "--kernel", true },
	[OPT_INITRD]	= { "--initrd", true },
	[OPT_APPEND]	= { "--append", true },
	[OPT_MEM]	= { "--mem", true },
	[OPT_DEVICE]	= { "--device", true },
	[OPT_MODE]	= { "--mode", true },
	[OPT_NAME]	= { "--name", true },
	[OPT_TIMEOUT]	= { "--timeout", true },
	[OPT_BOOT]	= { "--boot", true },
	[OPT_DISK]	= { .word = "--disk", .has_value = true, .repeats = true },
	[OPT_NET]	= { .word = "--net", .has_value = true },
	[OPT_CONSOLE]	= { .word = "--console", .has_value = true },
	[OPT_CPUS]	= { .word = "--cpus", .has_value = true },
	[OPT_IRQCHIP]	= { .word = "--irqchip", .has_value = true },
	[OPT_RNG]	= { .word = "--rng" },
	[OPT_STATS]	= { "--stats", false },
	[OPT_NO_PV]	= { "--no-pv", false },
	[OPT_VERBOSE]	= { "--verbose", false },
	[OPT_HELP]	= { "--help", false },
};

/*
 * Finds the option that @arg names; *value is the text behind '=' or NULL.
 * OPT_COUNT when there is none.
 */
static unsigned int find_word(const char *arg, const char **value)
{
	size_t len = strcspn(arg, "=");
	unsigned int i;

	*value = arg[len] ? arg + len + 1 : NULL;
	for (i = 0; i < OPT_COUNT; i++)
		if (strlen(run_words[i].word) == len &&
		    !strncmp(arg, run_words[i].word, len))
			return i;
	return OPT_COUNT;
}

static int apply(enum run_opt opt, const char *value, struct run_opts *o,
		 struct diag *d)
{
	switch (opt) {
	case OPT_KERNEL:
		o->kernel = value;
		return 0;
	case OPT_INITRD:
		o->initrd = value;
		return 0;
	case OPT_APPEND:
		o->append = value;
		return 0;
	case OPT_MEM:
		return parse_mem(value, &o->mem, d);
	case OPT_DEVICE:
		o->device = value;
		return 0;
	case OPT_MODE:
		if (!mode_device(value))
			return diag_set(d, "--mode '%.64s' is no mode: give best, vmx, svm, ring1 or interp",
					value);
		o->mode = value;
		return 0;
	case OPT_NAME:
		o->name = value;
		return parse_name(value, d);
	case OPT_TIMEOUT:
		return parse_seconds(value, &o->timeout, d);
	case OPT_BOOT:
		return parse_boot(value, &o->boot, d);
	case OPT_DISK:
		return add_disk(value, o, d);
	case OPT_NET:
		return parse_net(value, o, d);
	case OPT_CPUS:
		return parse_cpus(value, &o->cpus, d);
	case OPT_IRQCHIP:
		return parse_irqchip(value, &o->irqchip, d);
	case OPT_CONSOLE:
		return parse_console(value, o, d);
	case OPT_RNG:
		o->rng = true;
		return 0;
	case OPT_STATS:
		o->stats = true;
		return 0;
	case OPT_NO_PV:
		o->no_pv = true;
		return 0;
	case OPT_VERBOSE:
		o->verbose = true;
		return 0;
	case OPT_HELP:
		o->help = true;
		return 0;
	case OPT_COUNT:
		break;
	}
	return diag_set(d, "unknown option: see ringvm run --help");
}

int parse_run(int argc, char **argv, struct run_opts *o, struct diag *d)
{
	bool seen[OPT_COUNT] = { false };
	int i;

	*o = (struct run_opts){
		.name = "guest",
		.mem = MEM_DEFAULT,
		.cpus = 1,
	};
	for (i = 1; i < argc; i++) {
		const char *value;
		unsigned int opt = find_word(argv[i], &value);

		if (opt == OPT_COUNT)
			return diag_set(d, "'%.64s' is no option of run: see ringvm run --help",
					argv[i]);
		if (seen[opt] && !run_words[opt].repeats)
			return diag_set(d, "%s is given twice: give it once",
					run_words[opt].word);
		seen[opt] = true;
		if (!run_words[opt].has_value && value)
			return diag_set(d, "%s takes no value: leave out '=%.64s'",
					run_words[opt].word, value);
		if (run_words[opt].has_value && !value) {
			if (i + 1 >= argc)
				return diag_set(d, "%s needs a value behind it: see ringvm run --help",
						run_words[opt].word);
			value = argv[++i];
		}
		if (apply(opt, value, o, d))
			return -1;
		/* Nothing behind --help is looked at: help was asked for. */
		if (o->help)
			return 0;
	}
	if (!o->kernel || !*o->kernel)
		return diag_set(d, "no kernel: give one with --kernel FILE");
	if (!o->append)
		o->append = o->virtio_console ? "console=hvc0" :
						"console=ttyS0";
	if (o->initrd && !*o->initrd)
		return diag_set(d, "--initrd is empty: give a file or leave it out");
	if (o->cpus > 1 && o->irqchip == IRQCHIP_USER)
		return diag_set(d, "--irqchip user has one CPU only: leave it out, or give --cpus 1");
	if (o->device && o->mode)
		return diag_set(d, "--device and --mode exclude each other: give one of them");
	if (o->device && !*o->device)
		return diag_set(d, "--device is empty: give a node such as /dev/ringvm or /dev/kvm");
	o->best = !o->device && (!o->mode || !strcmp(o->mode, "best"));
	if (!o->device)
		o->device = mode_device(o->mode ? o->mode : "best");
	return 0;
}

int parse_check(int argc, char **argv, struct check_opts *o, struct diag *d)
{
	int i;

	*o = (struct check_opts){ 0 };
	for (i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--json"))
			o->json = true;
		else if (!strcmp(argv[i], "--help"))
			o->help = true;
		else
			return diag_set(d, "'%.64s' is no option of check: see ringvm check --help",
					argv[i]);
	}
	return 0;
}

static int stat_number(const char *word, const char *value, unsigned int *to, struct diag *d)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = value && *value >= '0' && *value <= '9' ? strtoul(value, &end, 10) : 0;
	if (!n || errno || *end || n > 1000000)
		return diag_set(d, "%s needs a number behind it, 1 to 1000000", word);
	*to = (unsigned int)n;
	return 0;
}

int parse_stat(int argc, char **argv, struct stat_opts *o, struct diag *d)
{
	bool every = false;
	int i;

	*o = (struct stat_opts){ .interval = 1 };
	for (i = 1; i < argc; i++) {
		const char *next = i + 1 < argc ? argv[i + 1] : NULL;

		if (!strcmp(argv[i], "--all")) {
			o->all = true;
		} else if (!strcmp(argv[i], "--help")) {
			o->help = true;
			return 0;
		} else if (!strcmp(argv[i], "--interval")) {
			if (stat_number(argv[i], next, &o->interval, d))
				return -1;
			every = true;
			i++;
		} else if (!strcmp(argv[i], "--count")) {
			if (stat_number(argv[i], next, &o->count, d))
				return -1;
			i++;
		} else {
			return diag_set(d, "'%.64s' is no option of stat: see ringvm stat --help",
					argv[i]);
		}
	}
	/* One report, unless more are asked for. */
	if (!every && !o->count)
		o->count = 1;
	return 0;
}
