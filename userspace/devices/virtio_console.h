/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The virtio console (VIRTIO 1.1 §5.3), one port: hvc0 in the guest.
 *
 * Output goes to a descriptor as fast as its reader takes it; the guest waits
 * meanwhile.  Input waits in a queue until the guest has room for it, and has
 * written something: Linux's driver throws away what comes before it is set up.
 */
#ifndef RINGVM_VIRTIO_CONSOLE_H
#define RINGVM_VIRTIO_CONSOLE_H

#include "virtio.h"

#define CONSOLE_QUEUE	4096u		/* a power of two */

struct virtio_console {
	struct virtio_dev dev;
	int out_fd;
	bool out_dead;
	int out_at;			/* in the pollset, or -1 */
	struct vchain out;		/* being written; out_len: all of it */
	size_t out_done;
	bool out_busy;
	bool heard;			/* the guest has written something */

	pthread_mutex_t in_lock;	/* guards what follows; taken last */
	uint8_t in[CONSOLE_QUEUE];
	unsigned int head, tail;	/* free-running */
	bool was_full;
	void (*room)(void *ctx);	/* a full queue has room again */
	void *ctx;
};

void console_open(struct virtio_console *c, int out_fd,
		  void (*room)(void *ctx), void *ctx);
void console_close(struct virtio_console *c);

/* From any thread: how much console_receive() takes, and what is typed. */
size_t console_room(struct virtio_console *c);
void console_receive(struct virtio_console *c, const uint8_t *bytes, size_t len);

#endif
