// SPDX-License-Identifier: GPL-2.0
/*
 * The virtio network card: see virtio_net.h.
 */
#include <linux/virtio_net.h>
#include <string.h>

#include "virtio_net.h"

#define RX	0u
#define TX	1u

/* §5.1.6.1: with VERSION_1 the header always has num_buffers. */
#define HEADER	sizeof(struct virtio_net_hdr_v1)

bool net_receive(struct virtio_net *net, const uint8_t *frame, size_t len)
{
	const struct virtio_net_hdr_v1 header = { .num_buffers = 1 };
	struct virtio_dev *dev = &net->dev;

	if (!virtq_pop(dev, RX))
		goto drop;
	if (dev->chain.in_len < HEADER + len) {
		virtq_unpop(dev, RX);
		goto drop;
	}
	iov_write(dev->chain.in, dev->chain.in_count, 0, &header, HEADER);
	iov_write(dev->chain.in, dev->chain.in_count, HEADER, frame, len);
	virtq_push(dev, RX, HEADER + len);
	virtq_signal(dev, RX);
	net->received++;
	return true;
drop:
	net->dropped++;
	return false;
}

static void net_queue(struct virtio_dev *dev, unsigned int q)
{
	struct virtio_net *net = dev->ops_data;
	size_t len;

	/* New room for frames: fill() sees it. */
	if (q == RX)
		return;
	while (virtq_pop(dev, TX)) {
		len = dev->chain.out_len;
		if (len >= HEADER && len - HEADER <= sizeof(net->frame)) {
			len -= HEADER;
			iov_read(dev->chain.out, dev->chain.out_count, HEADER,
				 net->frame, len);
		} else {
			net->dropped++;
			len = 0;
		}
		/* First, for the other end may answer into dev->chain. */
		virtq_push(dev, TX, 0);
		virtq_signal(dev, TX);
		if (!len)
			continue;
		net->end.send(net->end.ctx, net->frame, len);
		net->sent++;
	}
}

static void net_fill(struct virtio_dev *dev, struct pollset *set)
{
	struct virtio_net *net = dev->ops_data;

	net->end.fill(net->end.ctx, set, virtq_waiting(dev, RX));
}

static void net_ready(struct virtio_dev *dev, const struct pollset *set)
{
	struct virtio_net *net = dev->ops_data;

	net->end.ready(net->end.ctx, set);
}

static const struct virtio_ops net_ops = {
	.queue = net_queue, .fill = net_fill, .ready = net_ready,
};

/* Locally administered, and another one for each name of a guest. */
static void make_mac(uint8_t *mac, const char *name)
{
	uint32_t hash = 2166136261u;	/* FNV-1a */

	for (; *name; name++)
		hash = (hash ^ (uint8_t)*name) * 16777619u;
	mac[0] = 0x02;
	mac[1] = 'r';
	mac[2] = 'v';
	mac[3] = (uint8_t)(hash >> 16);
	mac[4] = (uint8_t)(hash >> 8);
	mac[5] = (uint8_t)hash;
}

int net_open(struct virtio_net *net, const struct run_opts *o, struct diag *d)
{
	struct virtio_net_config config;

	memset(net, 0, sizeof(*net));
	memset(&config, 0, sizeof(config));
	if (o->net_has_mac)
		memcpy(config.mac, o->net_mac, sizeof(config.mac));
	else
		make_mac(config.mac, o->name);
	config.status = VIRTIO_NET_S_LINK_UP;
	net->dev = (struct virtio_dev){
		.ops = &net_ops,
		.ops_data = net,
		.name = "network",
		.type = VIRTIO_NET,
		.queues = 2,
		.offered = VIRTIO_F(VIRTIO_NET_F_MAC) |
			   VIRTIO_F(VIRTIO_NET_F_STATUS),
		.config_len = offsetof(struct virtio_net_config,
				       max_virtqueue_pairs),
	};
	memcpy(net->dev.config, &config, net->dev.config_len);
	return o->net == NET_USER ? net_user_open(net, o, d) :
				    net_tap_open(net, o, d);
}

void net_close(struct virtio_net *net)
{
	if (net->end.close)
		net->end.close(net->end.ctx);
	net->end.close = NULL;
}
