// SPDX-License-Identifier: GPL-2.0
/*
 * The virtio entropy source: see virtio_rng.h.
 */
#include <string.h>
#include <sys/random.h>

#include "virtio_rng.h"

/* The most a request gets: getrandom() is not interrupted below that. */
#define AT_ONCE	256u

static void rng_queue(struct virtio_dev *dev, unsigned int q)
{
	struct virtio_rng *rng = dev->ops_data;
	uint8_t bytes[AT_ONCE];
	size_t len;
	ssize_t n;

	while (virtq_pop(dev, q)) {
		len = dev->chain.in_len < AT_ONCE ? dev->chain.in_len : AT_ONCE;
		n = getrandom(bytes, len, 0);
		len = n > 0 ? (size_t)n : 0;
		iov_write(dev->chain.in, dev->chain.in_count, 0, bytes, len);
		rng->bytes += len;
		virtq_push(dev, q, len);
		virtq_signal(dev, q);
	}
	/* What a guest got is nobody else's. */
	explicit_bzero(bytes, sizeof(bytes));
}

static const struct virtio_ops rng_ops = { .queue = rng_queue };

void rng_open(struct virtio_rng *rng)
{
	memset(rng, 0, sizeof(*rng));
	rng->dev = (struct virtio_dev){
		.ops = &rng_ops,
		.ops_data = rng,
		.name = "rng",
		.type = VIRTIO_ENTROPY,
		.queues = 1,
	};
}
