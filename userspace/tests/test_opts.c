// SPDX-License-Identifier: GPL-2.0
/*
 * The command line: sizes, options, and what is refused.
 */
#include <stdarg.h>
#include <string.h>

#include "../opts.h"
#include "ktap.h"

static struct diag diag;

static bool size_is(const char *text, uint64_t want)
{
	uint64_t got = 1;

	return !parse_size(text, &got, &diag) && got == want;
}

static bool size_bad(const char *text)
{
	uint64_t got;

	diag.text[0] = '\0';
	return parse_size(text, &got, &diag) == -1 && diag.text[0];
}

static void sizes_good(void)
{
	CHECK(size_is("64", 64ull << 20));
	CHECK(size_is("64M", 64ull << 20));
	CHECK(size_is("64m", 64ull << 20));
	CHECK(size_is("512K", 512ull << 10));
	CHECK(size_is("2G", 2ull << 30));
	CHECK(size_is("1T", 1ull << 40));
	CHECK(size_is("0", 0));
	CHECK(size_is("16777215T", 16777215ull << 40));
}

static void sizes_bad(void)
{
	static const char * const bad[] = {
		"", "M", "-1", "-1M", "+5", " 5", "5 ", "5 M", "5MM", "5MB",
		"0x10", "1.5G", "5\n", "16777216T", "18446744073709551616",
		"99999999999999999999K", "5\xff",
	};
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (!size_bad(bad[i])) {
			printf("# accepted: '%s'\n", bad[i]);
			test_failed = true;
		}
	}
}

/* Whatever comes in: refused, or the same as a careful reading of it. */
static void sizes_fuzz(void)
{
	static const char set[] = "0123456789KMGTkmgt -+.x";
	uint64_t seed = 0x51ce5eed, r, got;
	char text[24];
	unsigned int i, n, len, good = 0;

	printf("# seed 0x%llx, 200000 cases\n", (unsigned long long)seed);
	for (i = 0; i < 200000; i++) {
		len = (unsigned int)(test_random(&seed) % 8);
		for (n = 0; n < len; n++) {
			r = test_random(&seed);
			/* Mostly digits, so that many are accepted. */
			text[n] = set[r % ((r >> 32) % 3 ? 10 :
					   sizeof(set) - 1)];
		}
		text[len] = '\0';
		if (parse_size(text, &got, &diag))
			continue;
		good++;
		CHECK(len && text[0] >= '0' && text[0] <= '9');
		CHECK(strspn(text, "0123456789") + 1 >= len);
		CHECK(got % 1024 == 0);
	}
	CHECK(good > 10000);
}

#define RUN(o, ...)	run_words(o, __VA_ARGS__, (char *)NULL)

static int run_words(struct run_opts *o, ...)
{
	static char copy[24][128];
	char *argv[24] = { (char *)"run" };
	int argc = 1;
	va_list ap;
	const char *word;

	va_start(ap, o);
	while ((word = va_arg(ap, const char *))) {
		snprintf(copy[argc], sizeof(copy[argc]), "%s", word);
		argv[argc] = copy[argc];
		argc++;
	}
	va_end(ap);
	diag.text[0] = '\0';
	return parse_run(argc, argv, o, &diag);
}

static void run_defaults(void)
{
	struct run_opts o;

	CHECK(!RUN(&o, "--kernel", "k"));
	CHECK(!strcmp(o.kernel, "k"));
	CHECK(!o.initrd);
	CHECK(!strcmp(o.append, "console=ttyS0"));
	CHECK(!strcmp(o.device, "/dev/ringvm"));
	CHECK(!o.mode);
	CHECK_EQ(o.mem, 256ull << 20);
	CHECK_EQ(o.timeout, 0);
	CHECK_EQ(o.cpus, 1);
	CHECK_EQ(o.irqchip, IRQCHIP_AUTO);
	CHECK_EQ(o.boot, BOOT_AUTO);
	CHECK(!o.stats && !o.no_pv && !o.verbose && !o.help);
}

static void run_everything(void)
{
	struct run_opts o;

	CHECK(!RUN(&o, "--kernel=a=b", "--initrd", "i", "--append=x=y z",
		   "--mem", "1G", "--mode", "ring1", "--name=vm-1.a_b",
		   "--timeout=90", "--boot", "32", "--stats", "--no-pv",
		   "--verbose"));
	CHECK(!strcmp(o.kernel, "a=b"));
	CHECK(!strcmp(o.initrd, "i"));
	CHECK(!strcmp(o.append, "x=y z"));
	CHECK(!strcmp(o.device, "/dev/ringvm-ring1"));
	CHECK(!strcmp(o.name, "vm-1.a_b"));
	CHECK_EQ(o.mem, 1ull << 30);
	CHECK_EQ(o.timeout, 90);
	CHECK_EQ(o.boot, BOOT_32);
	CHECK(o.stats && o.no_pv && o.verbose);
	CHECK(!RUN(&o, "--kernel", "k", "--device", "/dev/kvm"));
	CHECK(!strcmp(o.device, "/dev/kvm"));
	CHECK(!o.best);
	CHECK(!RUN(&o, "--kernel", "k", "--device", "/dev/ringvm"));
	CHECK(!o.best);
	CHECK(!RUN(&o, "--kernel", "k", "--cpus=64", "--irqchip=kernel"));
	CHECK(o.cpus == 64 && o.irqchip == IRQCHIP_KERNEL);
	CHECK(!RUN(&o, "--kernel", "k", "--cpus=64", "--irqchip=split"));
	CHECK(o.cpus == 64 && o.irqchip == IRQCHIP_SPLIT);
	CHECK(!RUN(&o, "--kernel", "k", "--irqchip", "user"));
	CHECK(o.irqchip == IRQCHIP_USER);
	CHECK(!RUN(&o, "--kernel", "k", "--append", ""));
	CHECK(o.best);
	CHECK(!strcmp(o.append, ""));
}

static void run_modes(void)
{
	static const char * const modes[] = {
		"best", "vmx", "svm", "ring1", "interp"
	};
	struct run_opts o;
	size_t i;

	for (i = 0; i < 5; i++) {
		CHECK(!RUN(&o, "--kernel", "k", "--mode", modes[i]));
		CHECK(o.device == mode_device(modes[i]));
		CHECK_EQ(o.best, !i);
	}
	CHECK(!strcmp(mode_device("best"), "/dev/ringvm"));
	CHECK(!strcmp(mode_device("svm"), "/dev/ringvm-svm"));
	CHECK(!mode_device("kvm"));
	CHECK(!mode_device(""));
}

static bool says(const char *part)
{
	if (strstr(diag.text, part) && !strchr(diag.text, '\n'))
		return true;
	printf("# said: '%s'\n", diag.text);
	return false;
}

static void run_refused(void)
{
	struct run_opts o;

	CHECK(RUN(&o, "--initrd", "i") && says("--kernel FILE"));
	CHECK(RUN(&o, "--kernel", "") && says("--kernel FILE"));
	CHECK(RUN(&o, "--kernel") && says("needs a value"));
	CHECK(RUN(&o, "kernel") && says("no option"));
	CHECK(RUN(&o, "--kern", "k") && says("no option"));
	CHECK(RUN(&o, "--kernel", "k", "--kernel", "l") && says("twice"));
	CHECK(RUN(&o, "--kernel", "k", "--stats=1") && says("no value"));
	CHECK(RUN(&o, "--kernel", "k", "--mode", "kvm") && says("no mode"));
	CHECK(RUN(&o, "--kernel", "k", "--mode", "svm", "--device", "d") &&
	      says("exclude"));
	CHECK(RUN(&o, "--kernel", "k", "--device", "") && says("empty"));
	CHECK(RUN(&o, "--kernel", "k", "--initrd", "") && says("empty"));
	CHECK(RUN(&o, "--kernel", "k", "--cpus", "0") && says("1 to 64"));
	CHECK(RUN(&o, "--kernel", "k", "--cpus", "65") && says("1 to 64"));
	CHECK(RUN(&o, "--kernel", "k", "--cpus", "2x") && says("1 to 64"));
	CHECK(RUN(&o, "--kernel", "k", "--cpus", "-1") && says("1 to 64"));
	CHECK(RUN(&o, "--kernel", "k", "--irqchip", "pic") && says("kernel, split or user"));
	CHECK(RUN(&o, "--kernel", "k", "--irqchip", "user", "--cpus", "2") && says("one CPU only"));
	CHECK(RUN(&o, "--kernel", "k", "--disk", "") && says("--disk is empty"));
	CHECK(RUN(&o, "--kernel", "k", "--disk", ",ro") && says("--disk is empty"));
	CHECK(RUN(&o, "--kernel", "k", "--boot", "16") && says("32 or 64"));
	CHECK(RUN(&o, "--kernel", "k", "--timeout", "0") && says("seconds"));
	CHECK(RUN(&o, "--kernel", "k", "--timeout", "-1") && says("seconds"));
	CHECK(RUN(&o, "--kernel", "k", "--timeout", "1x") && says("seconds"));
	CHECK(RUN(&o, "--kernel", "k", "--timeout",
		  "99999999999999999999") && says("seconds"));
	CHECK(RUN(&o, "--kernel", "k", "--name", "a b") && says("no name"));
	CHECK(RUN(&o, "--kernel", "k", "--name", "") && says("no name"));
	CHECK(RUN(&o, "--kernel", "k", "--mem", "8M") && says("too small"));
	CHECK(RUN(&o, "--kernel", "k", "--mem", "2T") && says("too large"));
	CHECK(RUN(&o, "--kernel", "k", "--mem", "17M") && says("multiple"));
	CHECK(RUN(&o, "--kernel", "k", "--mem", "lots") && says("no size"));
}

static void run_disks(void)
{
	static char words[2 * (MAX_DISKS + 1)][16];
	char *argv[3 + 2 * (MAX_DISKS + 1)] = { "run", "--kernel", "k" };
	struct run_opts o;
	unsigned int i;

	for (i = 0; i <= MAX_DISKS; i++) {
		snprintf(words[2 * i], 16, "--disk");
		snprintf(words[2 * i + 1], 16, "d%u,ro", i);
		argv[3 + 2 * i] = words[2 * i];
		argv[4 + 2 * i] = words[2 * i + 1];
	}
	CHECK(!parse_run(3, argv, &o, &diag) && o.disks == 0);
	CHECK(!parse_run(3 + 2 * MAX_DISKS, argv, &o, &diag));
	CHECK_EQ(o.disks, MAX_DISKS);
	CHECK(!strcmp(o.disk[0], "d0,ro"));
	CHECK(!strcmp(o.disk[MAX_DISKS - 1], "d15,ro"));
	CHECK(parse_run(5 + 2 * MAX_DISKS, argv, &o, &diag) && says("more than"));
}

static void run_network(void)
{
	static const char * const bad[] = {
		"mac=", "mac=52:54:00:12:34", "mac=52:54:00:12:34:56:", "mac=52:54:00:12:34:5",
		"mac=53:54:00:12:34:56", "mac=00:00:00:00:00:00", "mac=5g:54:00:12:34:56",
		"mac=52-54-00-12-34-56", "mac= 2:54:00:12:34:56", "mac=-2:54:00:12:34:56", "x", "",
	};
	struct run_opts o;
	char text[64];
	size_t i;

	CHECK(!RUN(&o, "--kernel", "k") && o.net == NET_NONE && !o.rng && !o.virtio_console);
	CHECK(!RUN(&o, "--kernel", "k", "--net", "user") && o.net == NET_USER && !o.net_has_mac);
	CHECK(!RUN(&o, "--kernel", "k", "--net=tap=rvm0,mac=52:54:00:aB:cd:eF", "--rng"));
	CHECK(o.net == NET_TAP && !strcmp(o.net_tap, "rvm0") && o.net_has_mac && o.rng);
	CHECK(!memcmp(o.net_mac, "\x52\x54\0\xab\xcd\xef", 6));
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(text, sizeof(text), "user,%s", bad[i]);
		CHECK(RUN(&o, "--kernel", "k", "--net", text) && says("mac="));
	}
	CHECK(RUN(&o, "--kernel", "k", "--net", "nat") && says("user or tap"));
	CHECK(RUN(&o, "--kernel", "k", "--net", "users") && says("user or tap"));
	CHECK(RUN(&o, "--kernel", "k", "--net", "tap=") && says("name of an interface"));
	CHECK(RUN(&o, "--kernel", "k", "--net", "tap=../x") && says("name of an interface"));
	CHECK(RUN(&o, "--kernel", "k", "--net", "tap=0123456789abcdef") && says("name of an interface"));
	CHECK(!RUN(&o, "--kernel", "k", "--console", "virtio") && o.virtio_console);
	CHECK(!strcmp(o.append, "console=hvc0"));
	CHECK(!RUN(&o, "--kernel", "k", "--console", "virtio", "--append", "x"));
	CHECK(!strcmp(o.append, "x"));
	CHECK(!RUN(&o, "--kernel", "k", "--console", "serial") && !o.virtio_console);
	CHECK(!strcmp(o.append, "console=ttyS0"));
	CHECK(RUN(&o, "--kernel", "k", "--console", "vga") && says("serial or virtio"));
}

static void run_help(void)
{
	struct run_opts o;

	CHECK(!RUN(&o, "--help") && o.help);
	CHECK(!RUN(&o, "--help", "--nonsense") && o.help);
}

static void check_words(void)
{
	char check[] = "check", json[] = "--json", bad[] = "--xml";
	char help[] = "--help";
	char *argv[] = { check, json, help };
	char *wrong[] = { check, bad };
	struct check_opts o;

	CHECK(!parse_check(1, argv, &o, &diag) && !o.json && !o.help);
	CHECK(!parse_check(2, argv, &o, &diag) && o.json && !o.help);
	CHECK(!parse_check(3, argv, &o, &diag) && o.json && o.help);
	CHECK(parse_check(2, wrong, &o, &diag) && says("no option"));
}

/* Any words in any order: never a crash, and what is accepted is sound. */
static void run_fuzz(void)
{
	static const char * const words[] = {
		"--kernel", "--kernel=k", "--initrd", "--initrd=", "--append",
		"--append=a", "--mem", "--mem=64M", "--mem=0", "--device=d",
		"--mode=svm", "--mode", "--name=n", "--name=", "--timeout=5",
		"--boot=64", "--stats", "--no-pv", "--verbose", "--help=",
		"", "=", "--", "-", "64M", "x", "--=", "--stats=", "--mem=-1",
	};
	uint64_t seed = 0xc0337ull;
	struct run_opts o;
	char *argv[9];
	char buf[9][32];
	unsigned int i, n, good = 0;
	int argc;

	printf("# seed 0x%llx, 200000 cases\n", (unsigned long long)seed);
	for (i = 0; i < 200000; i++) {
		argc = 1 + (int)(test_random(&seed) % 8);
		for (n = 0; n < (unsigned int)argc; n++) {
			snprintf(buf[n], sizeof(buf[n]), "%s",
				 words[test_random(&seed) %
				       (sizeof(words) / sizeof(words[0]))]);
			argv[n] = buf[n];
		}
		diag.text[0] = '\0';
		if (parse_run(argc, argv, &o, &diag)) {
			CHECK(diag.text[0] && !strchr(diag.text, '\n'));
			continue;
		}
		good++;
		CHECK(o.help || (o.kernel && o.device));
		CHECK(o.help || (o.mem >= MEM_MIN && o.mem <= MEM_MAX &&
				 o.mem % MEM_ALIGN == 0));
	}
	CHECK(good > 100);
}

static const struct test tests[] = {
	{ "opts_sizes_good", sizes_good },
	{ "opts_sizes_bad", sizes_bad },
	{ "opts_sizes_fuzz", sizes_fuzz },
	{ "opts_run_defaults", run_defaults },
	{ "opts_run_everything", run_everything },
	{ "opts_run_modes", run_modes },
	{ "opts_run_refused", run_refused },
	{ "opts_run_disks", run_disks },
	{ "opts_run_network", run_network },
	{ "opts_run_help", run_help },
	{ "opts_check_words", check_words },
	{ "opts_run_fuzz", run_fuzz },
};

TEST_MAIN(tests)
