// SPDX-License-Identifier: GPL-2.0
/*
 * First process of the emulated host.
 *
 * It mounts what is needed, runs the jobs listed in /lab/jobs one after the
 * other, each under a deadline, and powers the machine off.  All it has to say
 * goes to the second serial port (or a debug port), one line per fact; what a job prints is sent
 * with a "> " in front of every line, so nothing a job or its guest prints can
 * be taken for a word of the agent:
 *
 *	@ hello			the agent runs
 *	@ begin NAME		a job starts
 *	> TEXT			a line it printed
 *	@ deadline NAME		it ran out of time and is being killed
 *	! TEXT			what its processes were doing then
 *	@ stuck N		N processes survived SIGKILL
 *	@ end NAME STATUS	STATUS is "exit N", "signal N" or "timeout"
 *	k PRIO SECS TEXT	a record of the kernel log
 *	@ beat			sent every second: the host is alive
 *	@ bye			all is sent, the machine goes off
 *
 * A line of /lab/jobs is "KIND DEADLINE NAME SCRIPT"; KIND is "setup" (its
 * failure ends the run), "test", or "shell" (interactive, on the console).
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define DEV_DEADLINE	30	/* seconds for the tools disk to appear */
#define KILL_GRACE	10	/* seconds for killed processes to go */
#define LINE_MAX_LEN	4000

static int control = -1;	/* second serial port */
static unsigned short debug_port;	/* or this: see open_control() */
static int kmsg = -1;		/* kernel log */
static double next_beat;

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static void send_bytes(const char *text, size_t len)
{
	if (debug_port) {
		while (len--)
			outb(*text++, debug_port);
		return;
	}
	while (len) {
		ssize_t done = write(control, text, len);

		if (done < 0) {
			if (errno == EINTR)
				continue;
			return;
		}
		text += done;
		len -= done;
	}
}

/* Send one line: @mark, then the text with control characters left to the reader. */
static void send_line(const char *mark, const char *text, size_t len)
{
	char line[LINE_MAX_LEN + 16];
	size_t at = strlen(mark);

	if (len > LINE_MAX_LEN)
		len = LINE_MAX_LEN;
	memcpy(line, mark, at);
	memcpy(line + at, text, len);
	line[at + len] = '\n';
	send_bytes(line, at + len + 1);
}

__attribute__((format(printf, 2, 3)))
static void say(const char *mark, const char *fmt, ...)
{
	char text[LINE_MAX_LEN];
	va_list args;
	int len;

	va_start(args, fmt);
	len = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (len < 0)
		return;
	if (len >= (int)sizeof(text))
		len = sizeof(text) - 1;
	send_line(mark, text, len);
}

/* Pass on every kernel log record that has arrived. */
static void drain_kmsg(void)
{
	char record[8192];
	unsigned int prio;
	unsigned long long seq, usecs;
	ssize_t len;
	char *text, *end;

	for (;;) {
		len = read(kmsg, record, sizeof(record) - 1);
		if (len < 0 && errno == EPIPE)
			continue;	/* overwritten before it was read: go on */
		if (len <= 0)
			return;
		record[len] = 0;
		if (sscanf(record, "%u,%llu,%llu", &prio, &seq, &usecs) != 3)
			continue;
		text = strchr(record, ';');
		if (!text)
			continue;
		text++;
		end = strchr(text, '\n');
		if (end)
			*end = 0;
		say("k ", "%u %llu.%06llu %s", prio, usecs / 1000000,
		    usecs % 1000000, text);
	}
}

static void beat(void)
{
	if (now() < next_beat)
		return;
	next_beat = now() + 1;
	say("@ ", "beat");
}

static void mount_or_say(const char *what, const char *where, const char *type,
			 unsigned long flags)
{
	mkdir(where, 0755);
	if (mount(what, where, type, flags, NULL) && errno != EBUSY)
		say("! ", "mount %s: %s", where, strerror(errno));
}

static void mount_all(void)
{
	double end = now() + DEV_DEADLINE;
	struct timespec pause = { .tv_nsec = 10 * 1000 * 1000 };

	mount_or_say("proc", "/proc", "proc", 0);
	mount_or_say("sys", "/sys", "sysfs", 0);
	mount_or_say("tmp", "/tmp", "tmpfs", 0);
	mount_or_say("run", "/run", "tmpfs", 0);
	mount_or_say("debug", "/sys/kernel/debug", "debugfs", 0);
	mount_or_say("trace", "/sys/kernel/tracing", "tracefs", 0);
	mount_or_say("pts", "/dev/pts", "devpts", 0);
	mount_or_say("shm", "/dev/shm", "tmpfs", 0);
	/* the ramdisk may have brought the tools */
	if (!access("/tools/usr/bin/busybox", F_OK))
		return;
	while (access("/dev/nvme0n1", F_OK) && now() < end)
		nanosleep(&pause, NULL);
	mount_or_say("/dev/nvme0n1", "/tools", "ext4", MS_RDONLY);
}

static int open_raw(const char *path)
{
	struct termios t;
	int fd = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (fd < 0 || tcgetattr(fd, &t))
		return fd;
	cfmakeraw(&t);
	cfsetspeed(&t, B115200);
	t.c_cflag |= CLOCAL;
	tcsetattr(fd, TCSANOW, &t);
	return fd;
}

/*
 * An emulator without a second serial port that works has a port whose bytes it passes
 * on; the kernel's command line names it, and hands the name on to its first process.
 */
static void open_control(void)
{
	const char *port = getenv("LABPORT");

	if (port && !iopl(3))
		debug_port = strtoul(port, NULL, 0);
	else
		control = open_raw("/dev/ttyS1");
}

/* Read a small file of /proc into @text, as one line. */
static void slurp(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? -1 : read(fd, text, size - 1);

	text[len > 0 ? len : 0] = 0;
	for (char *c = text; *c; c++)
		if (*c == '\n')
			*c = c[1] ? '|' : 0;
	if (fd >= 0)
		close(fd);
}

/*
 * Visit every process but this one and the kernel's threads; report each one
 * if asked to.  Returns their number, zombies not counted.
 */
static int processes(bool report)
{
	char path[64], text[3000], stack[3000];
	struct dirent *entry;
	int count = 0;
	DIR *dir = opendir("/proc");

	if (!dir)
		return 0;
	while ((entry = readdir(dir))) {
		int pid = atoi(entry->d_name);
		char *after;

		if (pid <= 1)
			continue;
		snprintf(path, sizeof(path), "/proc/%d/stat", pid);
		slurp(path, text, sizeof(text));
		after = strrchr(text, ')');
		/* fields after the name: state, then parent (2 = kernel threads) */
		if (!after || after[2] == 'Z' || atoi(after + 4) == 2 || pid == 2)
			continue;
		count++;
		if (!report)
			continue;
		after[3] = 0;
		snprintf(path, sizeof(path), "/proc/%d/stack", pid);
		slurp(path, stack, sizeof(stack));
		say("! ", "process %s, kernel stack: %s", text, stack);
	}
	closedir(dir);
	return count;
}

/* Leave no process of a job behind; the next one starts on a clean machine. */
static void kill_leftovers(void)
{
	struct timespec pause = { .tv_nsec = 5 * 1000 * 1000 };
	double end = now() + KILL_GRACE;
	int left;

	for (;;) {
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		left = processes(false);
		if (!left)
			return;
		if (now() > end)
			break;
		kill(-1, SIGKILL);
		drain_kmsg();
		beat();
		nanosleep(&pause, NULL);
	}
	processes(true);
	say("@ ", "stuck %d", left);
}

/* Runs in the child: become the job. */
static void exec_job(const char *script, int out, bool shell)
{
	int in;

	setsid();
	if (shell) {
		in = open("/dev/console", O_RDWR);
		out = in;
		ioctl(in, TIOCSCTTY, 1);
	} else {
		in = open("/dev/null", O_RDONLY);
	}
	dup2(in, 0);
	dup2(out, 1);
	dup2(out, 2);
	if (chdir("/tmp"))
		_exit(126);
	execl("/bin/sh", "sh", script, NULL);
	_exit(126);
}

/* What a job has printed and not yet ended with a newline. */
struct line {
	char text[LINE_MAX_LEN];
	size_t len;
};

static void flush_line(struct line *line)
{
	size_t len = line->len;

	if (len && line->text[len - 1] == '\r')
		len--;
	send_line("> ", line->text, len);
	line->len = 0;
}

/* Pass on what the job printed.  Returns read()'s result: 0 at end of file. */
static ssize_t pass_output(int fd, struct line *line)
{
	char data[4096];
	ssize_t len = read(fd, data, sizeof(data));

	for (ssize_t i = 0; i < len; i++) {
		if (data[i] == '\n') {
			flush_line(line);
			continue;
		}
		line->text[line->len++] = data[i];
		if (line->len == sizeof(line->text))
			flush_line(line);
	}
	return len;
}

/* Runs one job to its end or its deadline.  Returns true if it succeeded. */
static bool run_job(const char *kind, double deadline, const char *name,
		    const char *script)
{
	bool shell = !strcmp(kind, "shell"), timeout = false, open_out = true;
	double end = now() + deadline;
	struct line line = { .len = 0 };
	int status = 0, pipes[2];
	pid_t pid;

	say("@ ", "begin %s", name);
	if (pipe2(pipes, O_CLOEXEC)) {
		say("@ ", "end %s exit 126", name);
		return false;
	}
	pid = fork();
	if (pid == 0)
		exec_job(script, pipes[1], shell);
	close(pipes[1]);
	fcntl(pipes[0], F_SETFL, O_NONBLOCK);
	for (;;) {
		struct pollfd fds[2] = {
			{ .fd = open_out ? pipes[0] : -1, .events = POLLIN },
			{ .fd = kmsg, .events = POLLIN },
		};
		double until = next_beat < end ? next_beat : end;
		int wait = (until - now()) * 1000 + 1;

		poll(fds, 2, wait < 0 ? 0 : open_out ? wait : wait < 10 ? wait : 10);
		drain_kmsg();
		beat();
		if (open_out && fds[0].revents)
			open_out = pass_output(pipes[0], &line) != 0;
		if (waitpid(pid, &status, WNOHANG) == pid)
			break;
		if (deadline && now() >= end) {
			timeout = true;
			say("@ ", "deadline %s", name);
			processes(true);
			break;
		}
	}
	kill_leftovers();
	if (timeout)
		waitpid(pid, &status, WNOHANG);
	while (open_out && pass_output(pipes[0], &line) > 0)
		;
	if (line.len)
		flush_line(&line);
	close(pipes[0]);
	drain_kmsg();
	if (timeout)
		say("@ ", "end %s timeout", name);
	else if (WIFSIGNALED(status))
		say("@ ", "end %s signal %d", name, WTERMSIG(status));
	else
		say("@ ", "end %s exit %d", name, WEXITSTATUS(status));
	return !timeout && WIFEXITED(status) && !WEXITSTATUS(status);
}

static void run_jobs(void)
{
	char text[512], kind[16], name[128], script[128];
	FILE *jobs = fopen("/lab/jobs", "re");
	double deadline;

	if (!jobs) {
		say("! ", "/lab/jobs: %s", strerror(errno));
		return;
	}
	while (fgets(text, sizeof(text), jobs)) {
		if (sscanf(text, "%15s %lf %127s %127s", kind, &deadline, name,
			   script) != 4) {
			say("! ", "/lab/jobs: cannot read this line: %s", text);
			break;
		}
		if (!run_job(kind, deadline, name, script) && !strcmp(kind, "setup"))
			break;
	}
	fclose(jobs);
}

int main(void)
{
	mkdir("/dev", 0755);
	mount("dev", "/dev", "devtmpfs", 0, NULL);
	open_control();
	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	say("@ ", "hello");
	mount_all();
	setenv("PATH", "/lab/bin:/usr/bin:/usr/sbin:/bin:/sbin", 1);
	setenv("HOME", "/tmp", 1);
	setenv("LANG", "C", 1);
	setenv("LD_LIBRARY_PATH", "/lab/lib", 1);
	run_jobs();
	drain_kmsg();
	say("@ ", "bye");
	if (control >= 0)
		tcdrain(control);
	tcdrain(1);
	sync();
	reboot(RB_POWER_OFF);
	return 1;
}
