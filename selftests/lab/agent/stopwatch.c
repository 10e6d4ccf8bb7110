// SPDX-License-Identifier: GPL-2.0
/*
 * stopwatch [-u LAST] MARKS COMMAND [ARG...]: how long until a command prints each line that
 * begins with one of MARKS, which are separated by |, and until it ends; with -u a line that
 * begins with LAST ends it (SIGTERM), and the status is 0.
 *
 * What it prints is kept in memory until the end, so that passing it on costs
 * the command no time; but for these, which come at once, so that they are there
 * should the end never come:
 *
 *	stopwatch: mark SECONDS LINE	(one for each, in their order)
 *
 * and, last of all,
 *
 *	stopwatch: end SECONDS
 *
 * Exit status: the command's; 125 if it could not be started.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define KEEP	(4 << 20)

static double start;

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static bool begins(const char *text, const char *marks)
{
	size_t len;

	for (;; marks += len + 1) {
		len = strcspn(marks, "|");
		if (!strncmp(text, marks, len))
			return true;
		if (!marks[len])
			return false;
	}
}

/*
 * Note the lines of @text that begin with one of @wanted; @line: start of the first unseen.
 * Is one of them the last?
 */
static bool see_marks(const char *text, const char *wanted, const char *last, size_t *line)
{
	double when = now();
	bool done = false;
	const char *end;

	while ((end = strchr(text + *line, '\n'))) {
		done |= last && !strncmp(text + *line, last, strlen(last));
		if (begins(text + *line, wanted)) {
			printf("stopwatch: mark %.3f %.*s\n", when - start,
			       (int)strcspn(text + *line, "\r\n"), text + *line);
			fflush(stdout);
		}
		*line = end - text + 1;
	}
	return done;
}

int main(int argc, char **argv)
{
	char *text = calloc(1, KEEP);
	const char *last = NULL;
	bool done = false;
	double end;
	size_t len = 0, line = 0;
	int pipes[2], status;
	ssize_t got;
	pid_t pid;

	if (argc > 3 && !strcmp(argv[1], "-u")) {
		last = argv[2];
		argc -= 2;
		argv += 2;
	}
	if (argc < 3 || !text || pipe(pipes))
		return 125;
	start = now();
	pid = fork();
	if (pid < 0)
		return 125;
	if (pid == 0) {
		dup2(pipes[1], 1);
		dup2(pipes[1], 2);
		close(pipes[0]);
		close(pipes[1]);
		execvp(argv[2], argv + 2);
		perror(argv[2]);
		_exit(125);
	}
	close(pipes[1]);
	while (len < KEEP - 1 &&
	       (got = read(pipes[0], text + len, KEEP - 1 - len)) > 0) {
		len += got;
		text[len] = 0;
		if (see_marks(text, argv[1], last, &line) && !done) {
			done = true;
			kill(pid, SIGTERM);
		}
	}
	close(pipes[0]);
	if (waitpid(pid, &status, 0) != pid)
		return 125;
	end = now();
	fwrite(text, 1, len, stdout);
	printf("\nstopwatch: end %.3f\n", end - start);
	if (done)
		return 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
