// SPDX-License-Identifier: GPL-2.0
/*
 * Live counters: see stat.h.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "stat.h"

/* More than any machine has; a tree that is larger is not the module's. */
#define MAX_VALUES	100000u

/* Names go to the terminal. */
static bool is_plain(const char *name, size_t room)
{
	size_t i;

	for (i = 0; name[i]; i++)
		if (name[i] <= ' ' || name[i] > '~')
			return false;
	return i && i < room && name[0] != '.';
}

static int add(struct stat_list *l, const char *group, const char *name, uint64_t value)
{
	struct stat_value *v;

	if (l->n == MAX_VALUES)
		return -1;
	if (l->n == l->room) {
		size_t room = l->room ? 2 * l->room : 256;

		v = realloc(l->v, room * sizeof(*v));
		if (!v)
			return -1;
		l->v = v;
		l->room = room;
	}
	v = &l->v[l->n++];
	/* Both are shorter than their places: the callers have seen to it. */
	strcpy(v->group, group);
	strcpy(v->name, name);
	v->value = value;
	return 0;
}

/* The number in a file; false if there is none, or no file any more. */
static bool read_number(int dir, const char *name, uint64_t *value)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	char text[32], *end;
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return false;
	text[n] = '\0';
	errno = 0;
	*value = strtoull(text, &end, 10);
	return !errno && end != text && text[0] != '-' && (*end == '\n' || !*end);
}

/* A folder of counters, and those below it to @depth.  What has gone meanwhile is left out. */
static int read_folder(int parent, const char *name, const char *group, unsigned int depth,
		       struct stat_list *l)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW), ret = 0;
	struct dirent *e;
	struct stat st;
	uint64_t value;
	char below[96];
	DIR *dir;

	if (fd < 0)
		return 0;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return -1;
	}
	while (!ret && (e = readdir(dir))) {
		if (!is_plain(e->d_name, sizeof(l->v->name)) ||
		    fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW))
			continue;
		if (S_ISDIR(st.st_mode) && depth) {
			if (snprintf(below, sizeof(below), "%s%s%s", group, *group ? " " : "",
				     e->d_name) < (int)sizeof(below))
				ret = read_folder(fd, e->d_name, below, depth - 1, l);
		} else if (S_ISREG(st.st_mode) && *group && read_number(fd, e->d_name, &value)) {
			ret = add(l, group, e->d_name, value);
		}
	}
	closedir(dir);
	return ret;
}

static int by_name(const void *a, const void *b)
{
	const struct stat_value *x = a, *y = b;
	int c = strcmp(x->group, y->group);

	return c ? c : strcmp(x->name, y->name);
}

int stat_read(const char *root, struct stat_list *l, struct diag *d)
{
	*l = (struct stat_list){ 0 };
	if (access(root, R_OK | X_OK)) {
		if (errno == ENOENT)
			return diag_set(d, "there is no %s: load the module (modprobe ringvm), and see that debugfs is mounted (mount -t debugfs debugfs /sys/kernel/debug)",
					root);
		return diag_set(d, "%s cannot be read: %s; run as root", root, strerror(errno));
	}
	if (read_folder(AT_FDCWD, root, "", 2, l)) {
		stat_free(l);
		return diag_set(d, "%s: too many counters, or out of memory", root);
	}
	if (l->n)
		qsort(l->v, l->n, sizeof(*l->v), by_name);
	return 0;
}

void stat_free(struct stat_list *l)
{
	free(l->v);
	*l = (struct stat_list){ 0 };
}

int stat_print(FILE *out, const struct stat_list *now, const struct stat_list *before, bool all)
{
	const char *group = "";
	size_t i;

	if (!now->n)
		fprintf(out, "no VMs\n");
	for (i = 0; i < now->n; i++) {
		const struct stat_value *v = &now->v[i], *old;

		if (strcmp(group, v->group)) {
			group = v->group;
			fprintf(out, "%s\n", group);
		}
		if (!v->value && !all)
			continue;
		fprintf(out, "  %-24s %20llu", v->name, (unsigned long long)v->value);
		if (before && before->n) {
			old = bsearch(v, before->v, before->n, sizeof(*v), by_name);
			/* What counts what there is, and not what was, may shrink. */
			if (old)
				fprintf(out, " %+14lld", (long long)(v->value - old->value));
		}
		fputc('\n', out);
	}
	return fflush(out) || ferror(out) ? -1 : 0;
}

int cmd_stat(const struct stat_opts *opts)
{
	struct timespec pause = { .tv_sec = opts->interval };
	struct stat_list now, before = { 0 };
	unsigned int n;
	struct diag d;
	int ret = 0;

	for (n = 0; !opts->count || n < opts->count; n++) {
		if (n) {
			nanosleep(&pause, NULL);
			putchar('\n');
		}
		if (stat_read(STAT_ROOT, &now, &d)) {
			say("%s", d.text);
			ret = EXIT_SETUP;
			break;
		}
		if (stat_print(stdout, &now, n ? &before : NULL, opts->all)) {
			say("standard output cannot be written");
			ret = EXIT_SETUP;
		}
		stat_free(&before);
		before = now;
		if (ret)
			break;
	}
	stat_free(&before);
	return ret;
}
