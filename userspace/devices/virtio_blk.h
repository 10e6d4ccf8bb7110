/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The virtio disk (VIRTIO 1.1 §5.2) on a raw image or a block device.
 *
 * Requests are carried out one after the other by the device's thread.  What
 * is not within the image, or not a whole number of sectors, is answered with
 * an error and touches nothing.
 */
#ifndef RINGVM_VIRTIO_BLK_H
#define RINGVM_VIRTIO_BLK_H

#include "virtio.h"

struct virtio_blk {
	struct virtio_dev dev;
	int fd;
	uint64_t size;			/* bytes, whole sectors */
	bool read_only;
	char name[96];			/* for messages */
	char serial[21];		/* GET_ID */
	uint64_t requests, errors;
};

/*
 * Opens @path, "FILE" or "FILE,ro".  A writable image is locked against other
 * users of this launcher.  0, or -1 and @d; blk_close() either way.
 */
int blk_open(struct virtio_blk *blk, const char *path, unsigned int number,
	     struct diag *d);
void blk_close(struct virtio_blk *blk);

#endif
