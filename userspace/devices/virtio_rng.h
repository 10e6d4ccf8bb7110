/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The virtio entropy source (VIRTIO 1.1 §5.4): the host's getrandom().
 */
#ifndef RINGVM_VIRTIO_RNG_H
#define RINGVM_VIRTIO_RNG_H

#include "virtio.h"

struct virtio_rng {
	struct virtio_dev dev;
	uint64_t bytes;
};

void rng_open(struct virtio_rng *rng);

#endif
