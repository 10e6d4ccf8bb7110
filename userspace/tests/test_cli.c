// SPDX-License-Identifier: GPL-2.0
/*
 * The whole program, as a user starts it: exit statuses, and that each error
 * is one line that says what to do.  No VM is needed.
 *
 * RINGVM=FILE names the program (default: next to this one).
 */
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../opts.h"
#include "image.h"
#include "ktap.h"

static char program[4096];
static char output[8192], errors[8192];

static void slurp(int fd, char *to, size_t room)
{
	size_t fill = 0;
	ssize_t n;

	while (fill < room - 1 && (n = read(fd, to + fill, room - 1 - fill)) > 0)
		fill += (size_t)n;
	to[fill] = '\0';
	close(fd);
}

#define RINGVM(...)	ringvm_run(__VA_ARGS__, (char *)NULL)

static int ringvm_run(const char *first, ...)
{
	int out[2], err[2], status, n = 1;
	char *argv[16] = { program };
	const char *word = first;
	va_list ap;
	pid_t pid;

	va_start(ap, first);
	for (; word && n < 15; word = va_arg(ap, const char *))
		argv[n++] = (char *)(uintptr_t)word;
	va_end(ap);
	if (pipe(out) || pipe(err))
		abort();
	pid = fork();
	if (pid < 0)
		abort();
	if (!pid) {
		dup2(out[1], STDOUT_FILENO);
		dup2(err[1], STDERR_FILENO);
		close(out[0]);
		close(err[0]);
		execv(program, argv);
		_exit(127);
	}
	close(out[1]);
	close(err[1]);
	slurp(err[0], errors, sizeof(errors));
	slurp(out[0], output, sizeof(output));
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

/* Exactly one line, beginning with our name and holding @part. */
static bool one_line(const char *part)
{
	char *end = strchr(errors, '\n');

	if (end && !end[1] && !strncmp(errors, "ringvm: ", 8) &&
	    strstr(errors, part))
		return true;
	printf("# wanted '%s', got '%s'\n", part, errors);
	return false;
}

static char image_path[64];
static uint8_t image[IMAGE_SIZE];

static void write_image(size_t size)
{
	int fd = open(image_path, O_WRONLY | O_TRUNC);

	if (fd < 0 || write(fd, image, size) != (ssize_t)size)
		abort();
	close(fd);
}

static void usage(void)
{
	CHECK_EQ(RINGVM("--help"), 0);
	CHECK(strstr(output, "usage:") && !*errors);
	CHECK_EQ(RINGVM("run", "--help"), 0);
	CHECK(strstr(output, "--kernel FILE"));
	CHECK_EQ(RINGVM("check", "--help"), 0);
	CHECK(strstr(output, "--json"));
	CHECK_EQ(RINGVM("stat", "--help"), 0);
	CHECK(strstr(output, "--interval SEC"));
	CHECK_EQ(RINGVM("--version"), 0);
	CHECK_EQ(RINGVM(NULL), EXIT_USAGE);
	CHECK(one_line("run, stat or check"));
	CHECK_EQ(RINGVM("start"), EXIT_USAGE);
	CHECK(one_line("run, stat or check"));
	CHECK_EQ(RINGVM("stat", "--interval"), EXIT_USAGE);
	CHECK(one_line("--interval needs a number"));
	CHECK_EQ(RINGVM("stat", "--count", "0"), EXIT_USAGE);
	CHECK(one_line("--count needs a number"));
	CHECK_EQ(RINGVM("stat", "--count", "1x"), EXIT_USAGE);
	CHECK(one_line("--count needs a number"));
	CHECK_EQ(RINGVM("stat", "x"), EXIT_USAGE);
	CHECK(one_line("no option of stat"));
	CHECK_EQ(RINGVM("run"), EXIT_USAGE);
	CHECK(one_line("--kernel"));
	CHECK_EQ(RINGVM("check", "x"), EXIT_USAGE);
	CHECK(one_line("no option"));
}

static void bad_kernels(void)
{
	CHECK_EQ(RINGVM("run", "--kernel", "/nonexistent"), EXIT_SETUP);
	CHECK(one_line("cannot open the kernel"));
	CHECK_EQ(RINGVM("run", "--kernel", "/tmp"), EXIT_SETUP);
	CHECK(one_line("no regular file"));
	CHECK_EQ(RINGVM("run", "--kernel", "/dev/zero"), EXIT_SETUP);
	CHECK(one_line("no regular file"));
	image_make(image);
	write_image(0);
	CHECK_EQ(RINGVM("run", "--kernel", image_path), EXIT_SETUP);
	CHECK(one_line("is empty"));
	write_image(IMAGE_SETUP);
	CHECK_EQ(RINGVM("run", "--kernel", image_path), EXIT_SETUP);
	CHECK(one_line("truncated"));
	CHECK_EQ(RINGVM("run", "--kernel", program), EXIT_SETUP);
	CHECK(one_line("ELF"));
	write_image(IMAGE_SIZE);
	CHECK_EQ(RINGVM("run", "--kernel", image_path, "--initrd",
			"/nonexistent"), EXIT_SETUP);
	CHECK(one_line("cannot open the initrd"));
}

static void bad_devices(void)
{
	image_make(image);
	write_image(IMAGE_SIZE);
	CHECK_EQ(RINGVM("run", "--kernel", image_path, "--device",
			"/nonexistent"), EXIT_SETUP);
	CHECK(one_line("ringvm check"));
	CHECK_EQ(RINGVM("run", "--kernel", image_path, "--device",
			"/dev/null"), EXIT_SETUP);
	CHECK(one_line("does not speak KVM's ABI"));
	CHECK_EQ(RINGVM("run", "--kernel", image_path, "--device",
			"/tmp"), EXIT_SETUP);
	CHECK(one_line("cannot open /tmp"));
}

/* Whatever this machine is, both forms agree with the exit status. */
static void doctor(void)
{
	int status = RINGVM("check");

	CHECK(status == 0 || status == 1);
	CHECK(!*errors);
	CHECK(strstr(output, "best mode of ringvm here: "));
	CHECK_EQ(strstr(output, " works: ") != NULL, !status);
	CHECK_EQ(RINGVM("check", "--json"), status);
	CHECK(!*errors && output[0] == '{');
	CHECK(strstr(output, "\"schema\":\t1"));
	CHECK_EQ(strstr(output, "\"works\":\ttrue") != NULL, !status);
}

static const struct test tests[] = {
	{ "cli_usage", usage },
	{ "cli_bad_kernels", bad_kernels },
	{ "cli_bad_devices", bad_devices },
	{ "cli_doctor", doctor },
};

int main(int argc, char **argv)
{
	const char *named = getenv("RINGVM");
	char *slash = strrchr(argv[0], '/');
	int fd, ret;

	(void)argc;
	if (named)
		snprintf(program, sizeof(program), "%s", named);
	else
		snprintf(program, sizeof(program), "%.*s/ringvm",
			 slash ? (int)(slash - argv[0]) : 1,
			 slash ? argv[0] : ".");
	snprintf(image_path, sizeof(image_path), "/tmp/ringvm-test-%d",
		 (int)getpid());
	fd = open(image_path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (fd < 0)
		abort();
	close(fd);
	ret = run_tests(tests, sizeof(tests) / sizeof(tests[0]));
	unlink(image_path);
	return ret;
}
