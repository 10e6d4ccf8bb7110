// SPDX-License-Identifier: GPL-2.0
/*
 * The console on a pseudo-terminal, with a kernel behind it: the escape, the
 * signals, and the terminal's state afterwards.
 *
 * Needs a node: RINGVM_DEVICE=NODE and RINGVM_TEST_KERNEL=FILE (no initrd: all
 * that is asked of the kernel is to say something); RINGVM=FILE names the
 * program.  Skipped otherwise.
 */
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "../opts.h"
#include "ktap.h"

#define DEADLINE_MS	60000

static char program[4096];
static const char *device, *kernel;
static int master = -1, slave = -1;
static struct termios before;
static pid_t child;
static char heard[1 << 16];
static size_t heard_len;

static bool ready(void)
{
	if (device && kernel)
		return true;
	test_skip = "RINGVM_DEVICE and RINGVM_TEST_KERNEL are not set";
	return false;
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* The program as the foreground job of a terminal of its own. */
static void start(void)
{
	heard_len = 0;
	heard[0] = '\0';
	master = posix_openpt(O_RDWR | O_NOCTTY);
	if (master < 0 || grantpt(master) || unlockpt(master))
		abort();
	slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	if (slave < 0 || tcgetattr(slave, &before))
		abort();
	child = fork();
	if (child < 0)
		abort();
	if (!child) {
		setsid();
		ioctl(slave, TIOCSCTTY, 0);
		dup2(slave, 0);
		dup2(slave, 1);
		dup2(slave, 2);
		close(master);
		execl(program, "ringvm", "run", "--device", device, "--kernel",
		      kernel, "--timeout", "120", (char *)NULL);
		_exit(127);
	}
}

/* Reads the terminal until @text came; false when the time is up. */
static bool hear(const char *text)
{
	int64_t end = now_ms() + DEADLINE_MS;
	struct pollfd p = { .fd = master, .events = POLLIN };
	ssize_t n;

	while (!strstr(heard, text)) {
		if (now_ms() > end || heard_len == sizeof(heard) - 1 ||
		    poll(&p, 1, 1000) < 0)
			break;
		if (!p.revents)
			continue;
		n = read(master, heard + heard_len,
			 sizeof(heard) - 1 - heard_len);
		if (n <= 0)
			break;
		heard_len += (size_t)n;
		heard[heard_len] = '\0';
	}
	if (strstr(heard, text))
		return true;
	printf("# '%s' did not come\n", text);
	return false;
}

/* The child's next change of state, its output being read meanwhile. */
static int wait_change(void)
{
	int64_t end = now_ms() + DEADLINE_MS;
	struct pollfd p = { .fd = master, .events = POLLIN };
	char drain[4096];
	int status;

	for (;;) {
		if (waitpid(child, &status, WNOHANG | WUNTRACED) == child)
			return status;
		if (now_ms() > end) {
			printf("# no change of state in time\n");
			kill(child, SIGKILL);
			end = INT64_MAX;
		}
		/* Woken by output; looks again now and then without. */
		if (poll(&p, 1, 20) > 0 && read(master, drain, sizeof(drain)) < 0)
			p.fd = -1;
	}
}

static bool is_raw(void)
{
	struct termios t;

	return !tcgetattr(slave, &t) && !(t.c_lflag & (ICANON | ECHO | ISIG)) &&
	       !(t.c_oflag & OPOST);
}

static bool is_restored(void)
{
	struct termios t;

	return !tcgetattr(slave, &t) && t.c_lflag == before.c_lflag &&
	       t.c_iflag == before.c_iflag && t.c_oflag == before.c_oflag &&
	       t.c_cflag == before.c_cflag;
}

static void finish(void)
{
	close(slave);
	close(master);
}

static void type(const char *keys, size_t count)
{
	CHECK_EQ(write(master, keys, count), count);
}

static void escape_quits(void)
{
	int status;

	if (!ready())
		return;
	start();
	CHECK(hear("ringvm: mode ") && hear("Linux version"));
	CHECK(is_raw());
	/* Neither of these is the escape. */
	type("x\001\001x\003\001b", 7);
	type("\001x", 2);
	status = wait_change();
	CHECK(WIFEXITED(status));
	CHECK_EQ(WEXITSTATUS(status), EXIT_QUIT);
	CHECK(is_restored());
	finish();
}

static void signal_restores(void)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT };
	unsigned int i;
	int status;

	if (!ready())
		return;
	for (i = 0; i < 4; i++) {
		start();
		CHECK(hear("Linux version"));
		CHECK(is_raw());
		kill(child, signals[i]);
		status = wait_change();
		CHECK(WIFSIGNALED(status));
		CHECK_EQ(WTERMSIG(status), signals[i]);
		CHECK(is_restored());
		finish();
	}
}

static void stop_and_continue(void)
{
	int64_t end;
	int status;

	if (!ready())
		return;
	start();
	CHECK(hear("Linux version"));
	kill(child, SIGTSTP);
	status = wait_change();
	CHECK(WIFSTOPPED(status));
	CHECK(is_restored());
	kill(child, SIGCONT);
	for (end = now_ms() + DEADLINE_MS; !is_raw() && now_ms() < end; )
		sched_yield();
	CHECK(is_raw());
	type("\001x", 2);
	status = wait_change();
	CHECK(WIFEXITED(status));
	CHECK_EQ(WEXITSTATUS(status), EXIT_QUIT);
	CHECK(is_restored());
	finish();
}

/* Standard input at its end is no reason to end the run. */
static void end_of_input(void)
{
	int status, null;

	if (!ready())
		return;
	child = fork();
	if (!child) {
		null = open("/dev/null", O_RDWR);
		dup2(null, 0);
		dup2(null, 1);
		execl(program, "ringvm", "run", "--device", device, "--kernel",
		      kernel, "--timeout", "2", (char *)NULL);
		_exit(127);
	}
	CHECK(waitpid(child, &status, 0) == child);
	CHECK(WIFEXITED(status));
	CHECK_EQ(WEXITSTATUS(status), EXIT_TIMEOUT);
}

/* Is there output in @pipe, and does the vCPU's thread wait for it to be read? */
static bool stalled(int pipe)
{
	char path[64], line[256] = "";
	int fill = 0;
	FILE *f;

	if (ioctl(pipe, FIONREAD, &fill) || !fill)
		return false;
	snprintf(path, sizeof(path), "/proc/%d/syscall", (int)child);
	f = fopen(path, "r");
	if (!f)
		return false;
	if (!fgets(line, sizeof(line), f))
		line[0] = '\0';
	fclose(f);
	return (unsigned int)atoi(line) == SYS_ppoll;
}

/* A reader that stalls must not keep the run from being ended. */
static void stalled_reader(void)
{
	int64_t end = now_ms() + DEADLINE_MS;
	int fds[2], status;

	if (!ready())
		return;
	CHECK(!pipe(fds));
	fcntl(fds[1], F_SETPIPE_SZ, 4096);
	child = fork();
	if (!child) {
		close(0);
		dup2(fds[1], 1);
		execl(program, "ringvm", "run", "--device", device, "--kernel",
		      kernel, "--timeout", "120", (char *)NULL);
		_exit(127);
	}
	close(fds[1]);
	while (!stalled(fds[0]) && now_ms() < end)
		poll(NULL, 0, 20);
	CHECK(stalled(fds[0]));
	kill(child, SIGTERM);
	CHECK(waitpid(child, &status, 0) == child);
	CHECK(WIFSIGNALED(status));
	CHECK_EQ(WTERMSIG(status), SIGTERM);
	close(fds[0]);
}

static const struct test tests[] = {
	{ "console_escape_quits", escape_quits },
	{ "console_signal_restores", signal_restores },
	{ "console_stop_and_continue", stop_and_continue },
	{ "console_end_of_input", end_of_input },
	{ "console_stalled_reader", stalled_reader },
};

int main(int argc, char **argv)
{
	const char *named = getenv("RINGVM");
	char *slash = strrchr(argv[0], '/');

	(void)argc;
	device = getenv("RINGVM_DEVICE");
	kernel = getenv("RINGVM_TEST_KERNEL");
	if (named)
		snprintf(program, sizeof(program), "%s", named);
	else
		snprintf(program, sizeof(program), "%.*s/ringvm",
			 slash ? (int)(slash - argv[0]) : 1,
			 slash ? argv[0] : ".");
	return run_tests(tests, sizeof(tests) / sizeof(tests[0]));
}
