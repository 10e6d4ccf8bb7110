// SPDX-License-Identifier: GPL-2.0
/*
 * Binary statistics: see stats.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/kvm.h>

#include "stats.h"

/* Far above what any kernel has; what is larger is no statistics file. */
#define MAX_NAME	256u
#define MAX_DESC	4096u
#define MAX_VALUES	4096u

/* pread() until all is there: 0, or -1 with errno (EIO at the file's end). */
static int read_at(int fd, void *buf, size_t len, uint64_t at)
{
	uint8_t *p = buf;
	ssize_t n;

	if (at > INT64_MAX - len) {
		errno = EINVAL;
		return -1;
	}
	while (len) {
		n = pread(fd, p, len, (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			if (!n)
				errno = EIO;
			return -1;
		}
		p += n;
		at += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

/* Names go to the terminal: printable, without blanks. */
static void clean_name(char *name, size_t size)
{
	size_t i;

	name[size - 1] = '\0';
	for (i = 0; name[i]; i++)
		if (name[i] <= ' ' || name[i] > '~')
			name[i] = '?';
}

static int read_values(int fd, const struct kvm_stats_header *h,
		       const struct kvm_stats_desc *desc, const char *name,
		       stats_fn fn, void *ctx, struct diag *d)
{
	uint64_t *values;
	int i;

	if (!desc->size || desc->size > MAX_VALUES)
		return diag_set(d, "statistics: '%s' has %u values, not 1 to %u",
				name, desc->size, MAX_VALUES);
	values = calloc(desc->size, sizeof(*values));
	if (!values)
		return diag_set(d, "statistics: out of memory");
	if (read_at(fd, values, desc->size * sizeof(*values),
		    (uint64_t)h->data_offset + desc->offset)) {
		free(values);
		return diag_set(d, "statistics: the data of '%s' cannot be read: %s",
				name, strerror(errno));
	}
	for (i = 0; i < desc->size; i++)
		fn(ctx, name, desc->size == 1 ? -1 : i, values[i]);
	free(values);
	return 0;
}

int stats_read(int fd, stats_fn fn, void *ctx, struct diag *d)
{
	struct kvm_stats_header h;
	struct kvm_stats_desc *desc;
	size_t desc_size;
	uint32_t i;
	int ret = 0;

	if (read_at(fd, &h, sizeof(h), 0))
		return diag_set(d, "statistics: the header cannot be read: %s",
				strerror(errno));
	if (!h.name_size || h.name_size > MAX_NAME || h.num_desc > MAX_DESC)
		return diag_set(d, "statistics: the header makes no sense (%u descriptors, names of %u bytes)",
				h.num_desc, h.name_size);
	desc_size = sizeof(*desc) + h.name_size;
	desc = malloc(desc_size);
	if (!desc)
		return diag_set(d, "statistics: out of memory");
	for (i = 0; i < h.num_desc && !ret; i++) {
		char *name = (char *)desc + sizeof(*desc);

		if (read_at(fd, desc, desc_size,
			    (uint64_t)h.desc_offset + (uint64_t)i * desc_size)) {
			ret = diag_set(d, "statistics: descriptor %u cannot be read: %s",
				       i, strerror(errno));
			break;
		}
		clean_name(name, h.name_size);
		ret = read_values(fd, &h, desc, name, fn, ctx, d);
	}
	free(desc);
	return ret;
}
