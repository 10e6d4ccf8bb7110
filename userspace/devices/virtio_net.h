/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The virtio network card (VIRTIO 1.1 §5.1), and what it can be connected to.
 *
 * No offloads: each buffer is one Ethernet frame behind a header of zeros.
 * The other end works in the device's thread, its lock held.
 */
#ifndef RINGVM_VIRTIO_NET_H
#define RINGVM_VIRTIO_NET_H

#include "../opts.h"
#include "virtio.h"

#define NET_FRAME_MAX	65536u

struct virtio_net;

struct net_backend {
	/* A frame from the guest. */
	void (*send)(void *ctx, const uint8_t *frame, size_t len);
	/* As in struct virtio_ops; @room: the guest has room for frames. */
	void (*fill)(void *ctx, struct pollset *set, bool room);
	void (*ready)(void *ctx, const struct pollset *set);
	void (*close)(void *ctx);
	void *ctx;
};

struct virtio_net {
	struct virtio_dev dev;
	struct net_backend end;
	uint8_t frame[NET_FRAME_MAX];
	uint64_t sent, received, dropped;
};

/* 0, or -1 and @d; net_close() either way. */
int net_open(struct virtio_net *net, const struct run_opts *o, struct diag *d);
void net_close(struct virtio_net *net);

/* A frame for the guest: false when it has no room and the frame is lost. */
bool net_receive(struct virtio_net *net, const uint8_t *frame, size_t len);

/* The two other ends: net_user.c, net_tap.c. */
int net_user_open(struct virtio_net *net, const struct run_opts *o,
		  struct diag *d);
int net_tap_open(struct virtio_net *net, const struct run_opts *o,
		 struct diag *d);

#endif
