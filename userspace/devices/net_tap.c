// SPDX-License-Identifier: GPL-2.0
/*
 * The network card on a tap interface of the host
 * (Documentation/networking/tuntap.rst).
 *
 * Frames wait in the interface while the guest has no room.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "virtio_net.h"

/* At most so many frames before the guest's own are looked at again. */
#define BATCH	64

struct net_tap {
	struct virtio_net *net;
	int fd;
	int at;			/* in the pollset, or -1 */
	uint8_t frame[NET_FRAME_MAX];
};

static void tap_send(void *ctx, const uint8_t *frame, size_t len)
{
	struct net_tap *t = ctx;

	/* A full or closed interface loses it, as any cable may. */
	if (write(t->fd, frame, len) < 0)
		t->net->dropped++;
}

static void tap_fill(void *ctx, struct pollset *set, bool room)
{
	struct net_tap *t = ctx;

	t->at = room ? pollset_add(set, t->fd, POLLIN) : -1;
}

static void tap_ready(void *ctx, const struct pollset *set)
{
	struct net_tap *t = ctx;
	unsigned int i;
	ssize_t n;

	if (t->at < 0 || !(set->fds[t->at].revents & POLLIN))
		return;
	for (i = 0; i < BATCH && virtq_waiting(&t->net->dev, 0); i++) {
		n = read(t->fd, t->frame, sizeof(t->frame));
		if (n <= 0)
			return;
		net_receive(t->net, t->frame, (size_t)n);
	}
}

static void tap_close(void *ctx)
{
	struct net_tap *t = ctx;

	close(t->fd);
	free(t);
}

int net_tap_open(struct virtio_net *net, const struct run_opts *o,
		 struct diag *d)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	struct net_tap *t;
	int fd, err;

	fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return diag_set(d, "cannot open /dev/net/tun: %s; load the module tun, or give --net user",
				strerror(errno));
	strcpy(ifr.ifr_name, o->net_tap);
	if (ioctl(fd, TUNSETIFF, &ifr)) {
		err = errno;
		close(fd);
		return diag_set(d, "the tap interface %s cannot be had: %s; make it (ip tuntap add %s mode tap user $USER), or run as root",
				o->net_tap, strerror(err), o->net_tap);
	}
	t = calloc(1, sizeof(*t));
	if (!t) {
		close(fd);
		return diag_set(d, "out of memory: free some");
	}
	t->net = net;
	t->fd = fd;
	t->at = -1;
	net->end = (struct net_backend){
		tap_send, tap_fill, tap_ready, tap_close, t
	};
	return 0;
}
