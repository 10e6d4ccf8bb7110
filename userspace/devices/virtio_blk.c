// SPDX-License-Identifier: GPL-2.0
/*
 * The virtio disk: see virtio_blk.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/virtio_blk.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "virtio_blk.h"

#define SECTOR		512u
/* §5.2.5: the most segments of a request, without header and status. */
#define SEG_MAX		(VIRTQ_SIZE - 2)
/* The most that one discard may ask for: 1 GiB. */
#define DISCARD_MAX	(1u << 21)

static bool is(const struct virtio_blk *b, unsigned int feature)
{
	return b->dev.accepted & VIRTIO_F(feature);
}

/* @bytes at @sector: all of it in the image? */
static bool inside(const struct virtio_blk *b, uint64_t sector, uint64_t bytes)
{
	uint64_t sectors = b->size / SECTOR;

	return bytes % SECTOR == 0 && sector <= sectors &&
	       bytes / SECTOR <= sectors - sector;
}

/* All of it, or an error: what the image lacks reads as an error, too. */
static bool transfer(struct virtio_blk *b, struct iovec *iov, unsigned int count,
		     uint64_t at, bool write)
{
	ssize_t n;

	while (count) {
		n = write ? pwritev(b->fd, iov, (int)count, (off_t)at) :
			    preadv(b->fd, iov, (int)count, (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			say("%s: %s at byte %llu failed: %s", b->name,
			    write ? "writing" : "reading",
			    (unsigned long long)at,
			    n ? strerror(errno) : "the image has become shorter");
			return false;
		}
		at += (uint64_t)n;
		while (count && (size_t)n >= iov->iov_len) {
			n -= (ssize_t)iov->iov_len;
			iov++;
			count--;
		}
		if (count) {
			iov->iov_base = (uint8_t *)iov->iov_base + n;
			iov->iov_len -= (size_t)n;
		}
	}
	return true;
}

static bool flush(struct virtio_blk *b)
{
	if (!fdatasync(b->fd))
		return true;
	say("%s: flushing failed: %s", b->name, strerror(errno));
	return false;
}

static uint8_t read_sectors(struct virtio_blk *b, uint64_t sector, size_t *written)
{
	struct vchain *c = &b->dev.chain;
	struct iovec iov[VIRTQ_SIZE];
	/* The last byte is the status. */
	size_t len = c->in_len - 1;
	unsigned int count;

	if (!inside(b, sector, len))
		return VIRTIO_BLK_S_IOERR;
	count = iov_slice(c->in, c->in_count, 0, len, iov);
	if (!transfer(b, iov, count, sector * SECTOR, false))
		return VIRTIO_BLK_S_IOERR;
	*written = len;
	return VIRTIO_BLK_S_OK;
}

static uint8_t write_sectors(struct virtio_blk *b, uint64_t sector)
{
	struct vchain *c = &b->dev.chain;
	const size_t head = sizeof(struct virtio_blk_outhdr);
	struct iovec iov[VIRTQ_SIZE];
	size_t len = c->out_len - head;
	unsigned int count;

	if (b->read_only || !inside(b, sector, len))
		return VIRTIO_BLK_S_IOERR;
	count = iov_slice(c->out, c->out_count, head, len, iov);
	if (!transfer(b, iov, count, sector * SECTOR, true))
		return VIRTIO_BLK_S_IOERR;
	/*
	 * §5.2.6.2: a driver that cannot flush takes a write that was answered
	 * for one that lasts.
	 */
	if (!is(b, VIRTIO_BLK_F_FLUSH) && !flush(b))
		return VIRTIO_BLK_S_IOERR;
	return VIRTIO_BLK_S_OK;
}

/* One range; the image reads zero there afterwards. */
static uint8_t zero_range(struct virtio_blk *b, bool discard)
{
	struct virtio_blk_discard_write_zeroes r;
	struct vchain *c = &b->dev.chain;
	const size_t head = sizeof(struct virtio_blk_outhdr);
	bool unmap;
	int mode;

	if (b->read_only)
		return VIRTIO_BLK_S_IOERR;
	if (c->out_len != head + sizeof(r) ||
	    iov_read(c->out, c->out_count, head, &r, sizeof(r)) != sizeof(r))
		return VIRTIO_BLK_S_UNSUPP;
	/* §5.2.6.2: reserved bits, and "unmap" of a discard */
	unmap = r.flags & VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP;
	if ((r.flags & ~(uint32_t)VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP) ||
	    (discard && unmap))
		return VIRTIO_BLK_S_UNSUPP;
	if (r.num_sectors > DISCARD_MAX ||
	    !inside(b, r.sector, (uint64_t)r.num_sectors * SECTOR))
		return VIRTIO_BLK_S_IOERR;
	if (!r.num_sectors)
		return VIRTIO_BLK_S_OK;
	mode = FALLOC_FL_KEEP_SIZE | (discard || unmap ? FALLOC_FL_PUNCH_HOLE :
						       FALLOC_FL_ZERO_RANGE);
	if (fallocate(b->fd, mode, (off_t)(r.sector * SECTOR),
		      (off_t)r.num_sectors * SECTOR))
		return errno == EOPNOTSUPP ? VIRTIO_BLK_S_UNSUPP :
					     VIRTIO_BLK_S_IOERR;
	return VIRTIO_BLK_S_OK;
}

/* The chain at hand: the status it gets, and how much was written before. */
static uint8_t request(struct virtio_blk *b, size_t *written)
{
	struct vchain *c = &b->dev.chain;
	struct virtio_blk_outhdr h;

	if (iov_read(c->out, c->out_count, 0, &h, sizeof(h)) != sizeof(h))
		return VIRTIO_BLK_S_IOERR;
	switch (h.type) {
	case VIRTIO_BLK_T_IN:
		return read_sectors(b, h.sector, written);
	case VIRTIO_BLK_T_OUT:
		return write_sectors(b, h.sector);
	case VIRTIO_BLK_T_FLUSH:
		return b->read_only || flush(b) ? VIRTIO_BLK_S_OK :
						  VIRTIO_BLK_S_IOERR;
	case VIRTIO_BLK_T_GET_ID:
		*written = c->in_len - 1 < VIRTIO_BLK_ID_BYTES ?
			   c->in_len - 1 : VIRTIO_BLK_ID_BYTES;
		iov_write(c->in, c->in_count, 0, b->serial, *written);
		return VIRTIO_BLK_S_OK;
	case VIRTIO_BLK_T_DISCARD:
		if (is(b, VIRTIO_BLK_F_DISCARD))
			return zero_range(b, true);
		return VIRTIO_BLK_S_UNSUPP;
	case VIRTIO_BLK_T_WRITE_ZEROES:
		if (is(b, VIRTIO_BLK_F_WRITE_ZEROES))
			return zero_range(b, false);
		return VIRTIO_BLK_S_UNSUPP;
	default:
		return VIRTIO_BLK_S_UNSUPP;
	}
}

static void blk_queue(struct virtio_dev *dev, unsigned int q)
{
	struct virtio_blk *b = dev->ops_data;
	uint8_t status;
	size_t written;

	while (virtq_pop(dev, q)) {
		if (!dev->chain.in_len) {
			virtio_break(dev, "a request without room for its status");
			return;
		}
		written = 0;
		status = request(b, &written);
		b->requests++;
		b->errors += status != VIRTIO_BLK_S_OK;
		iov_write(dev->chain.in, dev->chain.in_count,
			  dev->chain.in_len - 1, &status, 1);
		virtq_push(dev, q, written + 1);
		virtq_signal(dev, q);
	}
}

static const struct virtio_ops blk_ops = { .queue = blk_queue };

static int open_image(struct virtio_blk *b, const char *path, struct diag *d)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	struct stat st;

	b->fd = open(path, (b->read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
	if (b->fd < 0 && (errno == EACCES || errno == EROFS || errno == EPERM) &&
	    !b->read_only)
		return diag_set(d, "cannot open the disk %s for writing: %s; give a writable file, or add \",ro\" behind its name",
				path, strerror(errno));
	if (b->fd < 0)
		return diag_set(d, "cannot open the disk %s: %s; give a raw image",
				path, strerror(errno));
	if (fstat(b->fd, &st))
		return diag_set(d, "cannot look at the disk %s: %s", path,
				strerror(errno));
	if (S_ISREG(st.st_mode))
		b->size = (uint64_t)st.st_size;
	else if (!S_ISBLK(st.st_mode) || ioctl(b->fd, BLKGETSIZE64, &b->size))
		return diag_set(d, "the disk %s is neither a file nor a block device: give a raw image",
				path);
	b->size -= b->size % SECTOR;
	if (!b->size)
		return diag_set(d, "the disk %s is smaller than a sector (%u bytes): give a raw image",
				path, SECTOR);
	if (b->read_only)
		lock.l_type = F_RDLCK;
	if (fcntl(b->fd, F_OFD_SETLK, &lock) && (errno == EAGAIN || errno == EACCES))
		return diag_set(d, "the disk %s is in use by another guest%s: end that one, or give a copy",
				path, b->read_only ? ", which writes to it" : "");
	return 0;
}

int blk_open(struct virtio_blk *b, const char *path, unsigned int number,
	     struct diag *d)
{
	struct virtio_blk_config config;
	size_t len = strlen(path);
	const char *base;
	char file[4096];

	memset(b, 0, sizeof(*b));
	b->fd = -1;
	b->read_only = len > 3 && !strcmp(path + len - 3, ",ro");
	if (b->read_only)
		len -= 3;
	if (len >= sizeof(file))
		return diag_set(d, "the disk's name has %zu characters: give a shorter one",
				len);
	memcpy(file, path, len);
	file[len] = '\0';
	base = strrchr(file, '/');
	snprintf(b->name, sizeof(b->name), "disk %.64s", base ? base + 1 : file);
	snprintf(b->serial, sizeof(b->serial), "ringvm-disk-%u", number);
	if (open_image(b, file, d))
		return -1;

	memset(&config, 0, sizeof(config));
	config.capacity = b->size / SECTOR;
	config.seg_max = SEG_MAX;
	config.max_discard_sectors = DISCARD_MAX;
	config.max_discard_seg = 1;
	config.discard_sector_alignment = 4096 / SECTOR;
	config.max_write_zeroes_sectors = DISCARD_MAX;
	config.max_write_zeroes_seg = 1;
	config.write_zeroes_may_unmap = 1;
	b->dev = (struct virtio_dev){
		.ops = &blk_ops,
		.ops_data = b,
		.name = b->name,
		.type = VIRTIO_BLOCK,
		.queues = 1,
		.offered = VIRTIO_F(VIRTIO_BLK_F_SEG_MAX) |
			   VIRTIO_F(VIRTIO_BLK_F_FLUSH) |
			   (b->read_only ? VIRTIO_F(VIRTIO_BLK_F_RO) :
			    VIRTIO_F(VIRTIO_BLK_F_DISCARD) |
			    VIRTIO_F(VIRTIO_BLK_F_WRITE_ZEROES)),
		.config_len = offsetof(struct virtio_blk_config, unused1),
	};
	memcpy(b->dev.config, &config, b->dev.config_len);
	return 0;
}

void blk_close(struct virtio_blk *b)
{
	if (b->fd >= 0)
		close(b->fd);
	b->fd = -1;
}
