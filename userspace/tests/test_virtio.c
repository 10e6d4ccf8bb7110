// SPDX-License-Identifier: GPL-2.0
/*
 * Virtio queues and devices against drivers that break every rule: contained,
 * answered with NEEDS_RESET, said once; and against one that keeps to them.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <linux/pci_regs.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_pci.h>

#include "../devices/virtio_blk.h"
#include "../devices/virtio_console.h"
#include "../devices/virtio_net.h"
#include "../devices/virtio_pci.h"
#include "../devices/virtio_rng.h"
#include "ktap.h"

#define RAM	(2ull << 20)
#define DESC	0x100000u
#define AVAIL	0x104000u
#define USED	0x106000u
#define TABLE	0x110000u
#define DATA	0x120000u
#define SIZE	8u

static uint8_t *ram;
static struct gmem mem;
static struct virtio_dev dev;
static unsigned int queue_irqs, config_irqs, resets;

static void count_queue(void *bus, unsigned int q)
{
	(void)bus;
	(void)q;
	queue_irqs++;
}

static void count_config(void *bus)
{
	(void)bus;
	config_irqs++;
}

static void count_reset(void *bus)
{
	(void)bus;
	resets++;
}

static const struct virtio_bus_ops bus_ops = {
	count_queue, count_config, count_reset
};

static void no_queue(struct virtio_dev *d, unsigned int q)
{
	(void)d;
	(void)q;
}

static const struct virtio_ops plain_ops = { .queue = no_queue };

/*
 * The RAM lies between pages that cannot be touched: an access outside it is
 * a crash, not luck.
 */
static void make_ram(void)
{
	uint8_t *area;

	if (!ram) {
		area = mmap(NULL, RAM + 8192, PROT_NONE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (area == MAP_FAILED ||
		    mprotect(area + 4096, RAM, PROT_READ | PROT_WRITE))
			abort();
		ram = area + 4096;
	}
	memset(ram, 0, RAM);
	mem = (struct gmem){ .ram = ram, .mem = { .low = RAM } };
	queue_irqs = 0;
	config_irqs = 0;
	resets = 0;
}

static void negotiate(struct virtio_dev *d, uint64_t features)
{
	d->accepted = features | VIRTIO_VERSION_1;
	virtio_set_status(d, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER);
	virtio_set_status(d, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER |
			  VIRTIO_FEATURES_OK);
}

static void go(struct virtio_dev *d)
{
	virtio_set_status(d, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER |
			  VIRTIO_FEATURES_OK | VIRTIO_DRIVER_OK);
}

static void set_queue(struct virtio_dev *d, unsigned int size)
{
	d->vq[0].size = (uint16_t)size;
	d->vq[0].desc_gpa = DESC;
	d->vq[0].avail_gpa = AVAIL;
	d->vq[0].used_gpa = USED;
	d->vq[0].enabled = true;
}

static void set_up(uint64_t features)
{
	struct diag d;

	make_ram();
	memset(&dev, 0, sizeof(dev));
	dev.ops = &plain_ops;
	dev.name = "test device";
	dev.queues = 1;
	if (virtio_init(&dev, &mem, &d))
		abort();
	dev.bus_ops = &bus_ops;
	negotiate(&dev, features);
	set_queue(&dev, SIZE);
	go(&dev);
}

static void tear_down(void)
{
	virtio_destroy(&dev);
}

static void put16(uint32_t at, uint16_t value)
{
	memcpy(ram + at, &value, 2);
}

static uint16_t get16(uint32_t at)
{
	uint16_t value;

	memcpy(&value, ram + at, 2);
	return value;
}

static void desc_at(uint32_t table, unsigned int n, uint64_t addr, uint32_t len,
		    uint16_t flags, uint16_t next)
{
	struct vring_desc desc = { addr, len, flags, next };

	memcpy(ram + table + 16 * n, &desc, sizeof(desc));
}

static void desc(unsigned int n, uint64_t addr, uint32_t len, uint16_t flags,
		 uint16_t next)
{
	desc_at(DESC, n, addr, len, flags, next);
}

/* Makes chain @head available. */
static void offer(unsigned int size, uint16_t head)
{
	uint16_t idx = get16(AVAIL + 2);

	put16(AVAIL + 4 + 2 * (idx % size), head);
	put16(AVAIL + 2, (uint16_t)(idx + 1));
}

#define NEXT	VRING_DESC_F_NEXT
#define WRITE	VRING_DESC_F_WRITE
#define TABLED	VRING_DESC_F_INDIRECT

static bool broken(void)
{
	return dev.status & VIRTIO_NEEDS_RESET;
}

/* The chain at 0 must break the device, once, with a config interrupt. */
static bool breaks(void)
{
	unsigned int before = config_irqs;
	bool ret;

	offer(SIZE, 0);
	ret = !virtq_pop(&dev, 0) && broken() && config_irqs == before + 1;
	/* It does nothing more, and says nothing more. */
	ret = ret && !virtq_pop(&dev, 0) && config_irqs == before + 1;
	if (!ret)
		printf("# popped %d, broken %d, interrupts %u\n",
		       !ret, broken(), config_irqs);
	tear_down();
	return ret;
}

static void good_chain(void)
{
	char text[16] = "";

	set_up(0);
	memcpy(ram + DATA, "hello, world", 12);
	desc(3, DATA, 7, NEXT, 1);
	desc(1, DATA + 7, 5, NEXT, 0);
	desc(0, DATA + 100, 4, WRITE, 0);
	offer(SIZE, 3);
	CHECK(virtq_pop(&dev, 0));
	CHECK_EQ(dev.chain.out_len, 12);
	CHECK_EQ(dev.chain.in_len, 4);
	CHECK_EQ(iov_read(dev.chain.out, dev.chain.out_count, 5, text, 15), 7);
	CHECK(!memcmp(text, ", world", 7));
	CHECK_EQ(iov_write(dev.chain.in, dev.chain.in_count, 1, "abcdef", 6), 3);
	CHECK(!memcmp(ram + DATA + 100, "\0abc\0\0", 6));
	virtq_push(&dev, 0, 4);
	virtq_signal(&dev, 0);
	CHECK_EQ(queue_irqs, 1);
	CHECK_EQ(get16(USED + 2), 1);
	CHECK_EQ(ram[USED + 4], 3);
	CHECK_EQ(ram[USED + 8], 4);
	CHECK(!virtq_pop(&dev, 0));
	CHECK(!broken());
	/* VIRTQ_AVAIL_F_NO_INTERRUPT */
	put16(AVAIL, 1);
	offer(SIZE, 3);
	CHECK(virtq_pop(&dev, 0));
	virtq_push(&dev, 0, 0);
	virtq_signal(&dev, 0);
	CHECK_EQ(queue_irqs, 1);
	tear_down();
}

/* Indices run over 65535 and the ring's end; each chain comes once. */
static void wraps(void)
{
	unsigned int i;

	set_up(0);
	for (i = 0; i < SIZE; i++)
		desc(i, DATA + 16 * i, 16, WRITE, 0);
	for (i = 0; i < 70000; i++) {
		offer(SIZE, (uint16_t)(i % SIZE));
		if (!virtq_pop(&dev, 0) || dev.chain.head != i % SIZE)
			break;
		virtq_push(&dev, 0, i);
		if (get16(USED + 2) != (uint16_t)(i + 1))
			break;
	}
	CHECK_EQ(i, 70000);
	CHECK(!virtq_pop(&dev, 0) && !broken());
	tear_down();
}

/* §2.6.7, §2.6.10: interrupts and notifications by index. */
static void event_idx(void)
{
	unsigned int i;

	set_up(VIRTIO_EVENT_IDX);
	for (i = 0; i < SIZE; i++)
		desc(i, DATA, 16, WRITE, 0);
	put16(AVAIL + 4 + 2 * SIZE, 2);		/* after the third, please */
	for (i = 0; i < 4; i++)
		offer(SIZE, (uint16_t)i);
	for (i = 0; virtq_pop(&dev, 0); i++) {
		virtq_push(&dev, 0, 16);
		virtq_signal(&dev, 0);
		/* The first one always: nobody has been told before. */
		CHECK_EQ(queue_irqs, i < 2 ? 1 : 2);
	}
	CHECK_EQ(i, 4);
	/* It wants to hear of entry 4. */
	CHECK_EQ(get16(USED + 4 + 8 * SIZE), 4);
	tear_down();
}

static void unpop(void)
{
	set_up(0);
	desc(0, DATA, 16, WRITE, 0);
	offer(SIZE, 0);
	CHECK(virtq_pop(&dev, 0));
	CHECK(!virtq_waiting(&dev, 0));
	virtq_unpop(&dev, 0);
	CHECK(virtq_waiting(&dev, 0));
	CHECK(virtq_pop(&dev, 0) && dev.chain.in_len == 16);
	tear_down();
}

static void loops(void)
{
	unsigned int i;

	set_up(0);
	desc(0, DATA, 16, NEXT, 0);
	CHECK(breaks());
	set_up(0);
	for (i = 0; i < SIZE; i++)
		desc(i, DATA, 16, NEXT, (uint16_t)((i + 1) % SIZE));
	CHECK(breaks());
	set_up(0);
	desc(0, DATA, 16, NEXT, SIZE);
	CHECK(breaks());
	set_up(0);
	desc(0, DATA, 16, NEXT, 65535);
	CHECK(breaks());
}

static void wild_addresses(void)
{
	static const struct { uint64_t addr; uint32_t len; } bad[] = {
		{ RAM, 1 }, { RAM - 1, 2 }, { 0, UINT32_MAX },
		{ UINT64_MAX, 1 }, { UINT64_MAX, 2 }, { UINT64_MAX - 15, 16 },
		{ 0xffffffff, 0xffffffff }, { 0x8000000000000000ull, 16 },
		{ 0x9ffff, 2 },			/* into the VGA hole */
		{ 0xa0000, 16 }, { 0xbffff, 1 }, { 0xbffff, 2 },
		{ 0x100000000ull, 16 },		/* no RAM above 4 GiB */
	};
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		set_up(0);
		desc(0, bad[i].addr, bad[i].len, i & 1 ? WRITE : 0, 0);
		CHECK(breaks());
	}
	/* The last byte on either side of the hole is fine. */
	set_up(0);
	desc(0, 0x9fff0, 16, NEXT, 1);
	desc(1, 0xc0000, 16, NEXT, 2);
	desc(2, RAM - 16, 16, WRITE, 0);
	offer(SIZE, 0);
	CHECK(virtq_pop(&dev, 0) && !broken());
	tear_down();
}

static void order(void)
{
	set_up(0);
	desc(0, DATA, 16, WRITE | NEXT, 1);
	desc(1, DATA, 16, 0, 0);
	CHECK(breaks());
}

static void indirect(void)
{
	unsigned int i;

	set_up(VIRTIO_INDIRECT);
	desc(0, TABLE, 16 * 3, TABLED, 0);
	desc_at(TABLE, 0, DATA, 8, NEXT, 2);
	desc_at(TABLE, 2, DATA + 8, 8, NEXT, 1);
	desc_at(TABLE, 1, DATA + 16, 8, WRITE, 0);
	offer(SIZE, 0);
	CHECK(virtq_pop(&dev, 0));
	CHECK_EQ(dev.chain.out_len, 16);
	CHECK_EQ(dev.chain.in_len, 8);
	tear_down();

	/* Not negotiated; within another; with NEXT; of no, odd, wild size. */
	set_up(0);
	desc(0, TABLE, 16, TABLED, 0);
	CHECK(breaks());
	set_up(VIRTIO_INDIRECT);
	desc(0, TABLE, 16, TABLED, 0);
	desc_at(TABLE, 0, TABLE, 16, TABLED, 0);
	CHECK(breaks());
	set_up(VIRTIO_INDIRECT);
	desc(0, TABLE, 16, TABLED | NEXT, 1);
	CHECK(breaks());
	set_up(VIRTIO_INDIRECT);
	desc(0, TABLE, 0, TABLED, 0);
	CHECK(breaks());
	set_up(VIRTIO_INDIRECT);
	desc(0, TABLE, 24, TABLED, 0);
	CHECK(breaks());
	set_up(VIRTIO_INDIRECT);
	desc(0, TABLE, 0xfffffff0, TABLED, 0);
	CHECK(breaks());
	set_up(VIRTIO_INDIRECT);
	desc(0, RAM - 16, 32, TABLED, 0);
	CHECK(breaks());
	set_up(VIRTIO_INDIRECT);
	desc(0, TABLE, 32, TABLED, 0);
	desc_at(TABLE, 0, DATA, 8, NEXT, 2);
	CHECK(breaks());
	/* A long one, and one that goes round. */
	set_up(VIRTIO_INDIRECT);
	desc(0, TABLE, 16 * 64, TABLED, 0);
	for (i = 0; i < 64; i++)
		desc_at(TABLE, i, DATA, 8, i < 63 ? NEXT : 0, (uint16_t)(i + 1));
	CHECK(breaks());
	set_up(VIRTIO_INDIRECT);
	desc(0, TABLE, 32, TABLED, 0);
	desc_at(TABLE, 0, DATA, 8, NEXT, 1);
	desc_at(TABLE, 1, DATA, 8, NEXT, 0);
	CHECK(breaks());
}

static void bad_index(void)
{
	set_up(0);
	desc(0, DATA, 16, 0, 0);
	put16(AVAIL + 2, SIZE + 1);
	CHECK(!virtq_pop(&dev, 0) && broken() && config_irqs == 1);
	tear_down();
	set_up(0);
	offer(SIZE, SIZE);
	CHECK(!virtq_pop(&dev, 0) && broken());
	tear_down();
}

/* Queues that cannot be: found when the driver says it is ready. */
static void bad_queues(void)
{
	static const struct { uint32_t size; uint64_t desc, avail, used; } bad[] = {
		{ 0, DESC, AVAIL, USED }, { 3, DESC, AVAIL, USED },
		{ 512, DESC, AVAIL, USED }, { 32768, DESC, AVAIL, USED },
		{ 8, DESC + 8, AVAIL, USED }, { 8, DESC, AVAIL + 1, USED },
		{ 8, DESC, AVAIL, USED + 2 }, { 8, RAM, AVAIL, USED },
		{ 8, RAM - 64, AVAIL, USED }, { 8, DESC, RAM - 2, USED },
		{ 8, DESC, AVAIL, RAM - 4 }, { 8, UINT64_MAX - 15, AVAIL, USED },
		{ 8, DESC, UINT64_MAX - 1, USED }, { 8, DESC, AVAIL, 0xa0000 },
	};
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		set_up(0);
		virtio_set_status(&dev, 0);
		CHECK_EQ(dev.status, 0);
		negotiate(&dev, 0);
		dev.vq[0].size = (uint16_t)bad[i].size;
		dev.vq[0].desc_gpa = bad[i].desc;
		dev.vq[0].avail_gpa = bad[i].avail;
		dev.vq[0].used_gpa = bad[i].used;
		dev.vq[0].enabled = true;
		go(&dev);
		CHECK(broken() && config_irqs == 1);
		CHECK(!virtq_pop(&dev, 0));
		tear_down();
	}
	/* Ready without features, or with some we do not have. */
	set_up(0);
	virtio_set_status(&dev, 0);
	virtio_set_status(&dev, VIRTIO_DRIVER_OK);
	CHECK(broken());
	virtio_set_status(&dev, 0);
	CHECK(!broken());
	negotiate(&dev, VIRTIO_F(50));
	CHECK(!(dev.status & VIRTIO_FEATURES_OK));
	tear_down();
}

/* After a reset a broken device works. */
static void comes_back(void)
{
	set_up(0);
	desc(0, RAM, 16, 0, 0);
	offer(SIZE, 0);
	CHECK(!virtq_pop(&dev, 0) && broken());
	virtio_set_status(&dev, 0);
	CHECK_EQ(resets, 1);
	memset(ram + AVAIL, 0, 64);
	negotiate(&dev, 0);
	set_queue(&dev, SIZE);
	go(&dev);
	desc(0, DATA, 16, 0, 0);
	offer(SIZE, 0);
	CHECK(virtq_pop(&dev, 0) && !broken());
	tear_down();
}

/* Anything in the rings: never a crash, never more than the queue can hold. */
static void fuzz(void)
{
	uint64_t seed = 0x71e5ull, r;
	unsigned int i, n, good = 0, bad = 0;

	printf("# seed 0x%llx, 100000 rings\n", (unsigned long long)seed);
	set_up(VIRTIO_INDIRECT | VIRTIO_EVENT_IDX);
	fflush(stdout);
	for (i = 0; i < 100000; i++) {
		if (broken()) {
			bad++;
			/* Quietly: the message is not what is tested here. */
			dev.status &= (uint8_t)~VIRTIO_NEEDS_RESET;
			dev.vq[0].next_avail = get16(AVAIL + 2);
		}
		for (n = 0; n < 3 * SIZE; n++) {
			r = test_random(&seed);
			desc_at(n < SIZE ? DESC : TABLE, n % SIZE,
				r & 0xc0 ? DATA + (r >> 40) % 8192 :
				r & 0x20 ? TABLE + (r >> 40) % 64 * 16 : r,
				r >> 8 & 0xf ? (uint32_t)(r >> 20 & 0xff0) :
					       (uint32_t)(r >> 13),
				r & 0x10 ? (uint16_t)(r & 7) :
					   (uint16_t)(r >> 1 & 3),
				(uint16_t)((r >> 50) % (SIZE + (r & 1))));
		}
		r = test_random(&seed);
		offer(SIZE, (uint16_t)(r % SIZE));
		if (!virtq_pop(&dev, 0))
			continue;
		good++;
		if (dev.chain.out_count + dev.chain.in_count > SIZE)
			test_failed = true;
		for (n = 0; n < dev.chain.in_count; n++)
			memset(dev.chain.in[n].iov_base, 0x5a,
			       dev.chain.in[n].iov_len);
		virtq_push(&dev, 0, dev.chain.in_len);
		virtq_signal(&dev, 0);
		/* It may have overwritten the rings themselves. */
		put16(AVAIL + 2, dev.vq[0].next_avail);
	}
	printf("# %u chains taken, %u refused\n", good, bad);
	CHECK(good > 10000 && bad > 10000);
	tear_down();
}

/* ---- the disk --------------------------------------------------------------- */

static struct virtio_blk blk;
static char image[64];

static void open_disk(const char *suffix, uint64_t size, uint64_t features)
{
	char path[80];
	struct diag d = { "" };
	int fd;

	make_ram();
	fd = open(image, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || ftruncate(fd, (off_t)size) ||
	    pwrite(fd, "first", 5, 0) != 5 || pwrite(fd, "second", 6, 512) != 6)
		abort();
	close(fd);
	snprintf(path, sizeof(path), "%s%s", image, suffix);
	if (blk_open(&blk, path, 0, &d) || virtio_init(&blk.dev, &mem, &d)) {
		printf("# %s\n", d.text);
		abort();
	}
	blk.dev.bus_ops = &bus_ops;
	negotiate(&blk.dev, features);
	set_queue(&blk.dev, SIZE);
	go(&blk.dev);
}

static void close_disk(void)
{
	virtio_destroy(&blk.dev);
	blk_close(&blk);
	unlink(image);
}

/* One request: header, data, status; the status, or 0xee if there is none. */
static uint8_t ask(uint32_t type, uint64_t sector, uint32_t len, bool in)
{
	struct virtio_blk_outhdr h = { .type = type, .sector = sector };

	memcpy(ram + DATA - 64, &h, sizeof(h));
	ram[DATA - 1] = 0xee;
	desc(0, DATA - 64, sizeof(h), NEXT, len ? 1 : 2);
	desc(1, DATA, len, in ? NEXT | WRITE : NEXT, 2);
	desc(2, DATA - 1, 1, WRITE, 0);
	offer(SIZE, 0);
	blk.dev.ops->queue(&blk.dev, 0);
	return ram[DATA - 1];
}

#define F_FLUSH		VIRTIO_F(VIRTIO_BLK_F_FLUSH)
#define F_DISCARD	VIRTIO_F(VIRTIO_BLK_F_DISCARD)
#define F_ZEROES	VIRTIO_F(VIRTIO_BLK_F_WRITE_ZEROES)

static void disk_works(void)
{
	open_disk("", 8 * 512 + 100, F_FLUSH);
	CHECK_EQ(*(uint64_t *)blk.dev.config, 8);
	CHECK_EQ(ask(VIRTIO_BLK_T_IN, 0, 1024, true), VIRTIO_BLK_S_OK);
	CHECK(!memcmp(ram + DATA, "first", 6));
	CHECK(!memcmp(ram + DATA + 512, "second", 7));
	CHECK_EQ(ram[USED + 8] | ram[USED + 9] << 8, 1025);
	memcpy(ram + DATA, "third", 6);
	CHECK_EQ(ask(VIRTIO_BLK_T_OUT, 7, 512, false), VIRTIO_BLK_S_OK);
	memset(ram + DATA, 0, 1024);
	CHECK_EQ(ask(VIRTIO_BLK_T_IN, 7, 512, true), VIRTIO_BLK_S_OK);
	CHECK(!memcmp(ram + DATA, "third", 6));
	CHECK_EQ(ask(VIRTIO_BLK_T_FLUSH, 0, 0, false), VIRTIO_BLK_S_OK);
	CHECK_EQ(ask(VIRTIO_BLK_T_GET_ID, 0, 20, true), VIRTIO_BLK_S_OK);
	CHECK(!memcmp(ram + DATA, "ringvm-disk-0", 14));
	CHECK_EQ(ask(0x7777, 0, 512, true), VIRTIO_BLK_S_UNSUPP);
	CHECK_EQ(ask(VIRTIO_BLK_T_DISCARD, 0, 16, false), VIRTIO_BLK_S_UNSUPP);
	CHECK_EQ(blk.errors, 2);
	close_disk();
}

static void disk_bounds(void)
{
	static const uint64_t beyond[] = {
		8, 9, 1ull << 54, 1ull << 55, 1ull << 63, UINT64_MAX,
		UINT64_MAX - 7,
	};
	size_t i;

	open_disk("", 8 * 512, F_FLUSH);
	for (i = 0; i < sizeof(beyond) / sizeof(beyond[0]); i++) {
		CHECK_EQ(ask(VIRTIO_BLK_T_IN, beyond[i], 512, true),
			 VIRTIO_BLK_S_IOERR);
		CHECK_EQ(ask(VIRTIO_BLK_T_OUT, beyond[i], 512, false),
			 VIRTIO_BLK_S_IOERR);
	}
	CHECK_EQ(ask(VIRTIO_BLK_T_IN, 7, 1024, true), VIRTIO_BLK_S_IOERR);
	CHECK_EQ(ask(VIRTIO_BLK_T_OUT, 7, 1024, false), VIRTIO_BLK_S_IOERR);
	CHECK_EQ(ask(VIRTIO_BLK_T_IN, 0, 511, true), VIRTIO_BLK_S_IOERR);
	CHECK_EQ(ask(VIRTIO_BLK_T_OUT, 0, 513, false), VIRTIO_BLK_S_IOERR);
	CHECK_EQ(lseek(blk.fd, 0, SEEK_END), 8 * 512);
	CHECK_EQ(ask(VIRTIO_BLK_T_IN, 7, 512, true), VIRTIO_BLK_S_OK);
	/* An image that someone made shorter. */
	CHECK(!ftruncate(blk.fd, 1024));
	CHECK_EQ(ask(VIRTIO_BLK_T_IN, 1, 1024, true), VIRTIO_BLK_S_IOERR);
	close_disk();
}

static void disk_read_only(void)
{
	open_disk(",ro", 8 * 512, 0);
	CHECK(blk.dev.offered & VIRTIO_F(VIRTIO_BLK_F_RO));
	CHECK(!(blk.dev.offered & (F_DISCARD | F_ZEROES)));
	CHECK_EQ(ask(VIRTIO_BLK_T_OUT, 0, 512, false), VIRTIO_BLK_S_IOERR);
	CHECK_EQ(ask(VIRTIO_BLK_T_IN, 0, 512, true), VIRTIO_BLK_S_OK);
	CHECK(!memcmp(ram + DATA, "first", 5));
	CHECK_EQ(ask(VIRTIO_BLK_T_FLUSH, 0, 0, false), VIRTIO_BLK_S_OK);
	close_disk();
}

static void disk_discard(void)
{
	struct virtio_blk_discard_write_zeroes r = { .sector = 0, .num_sectors = 1 };
	uint8_t status;

	open_disk("", 8 * 512, F_FLUSH | F_DISCARD | F_ZEROES);
	memcpy(ram + DATA, &r, sizeof(r));
	status = ask(VIRTIO_BLK_T_WRITE_ZEROES, 0, sizeof(r), false);
	if (status == VIRTIO_BLK_S_UNSUPP) {
		test_skip = "the file system here knows no holes";
		close_disk();
		return;
	}
	CHECK_EQ(status, VIRTIO_BLK_S_OK);
	CHECK_EQ(ask(VIRTIO_BLK_T_IN, 0, 1024, true), VIRTIO_BLK_S_OK);
	CHECK(!ram[DATA] && !memcmp(ram + DATA + 512, "second", 6));
	r.sector = 1;
	memcpy(ram + DATA, &r, sizeof(r));
	CHECK_EQ(ask(VIRTIO_BLK_T_DISCARD, 0, sizeof(r), false), VIRTIO_BLK_S_OK);
	CHECK_EQ(ask(VIRTIO_BLK_T_IN, 1, 512, true), VIRTIO_BLK_S_OK);
	CHECK(!ram[DATA]);
	r.num_sectors = 8;
	memcpy(ram + DATA, &r, sizeof(r));
	CHECK_EQ(ask(VIRTIO_BLK_T_DISCARD, 0, sizeof(r), false),
		 VIRTIO_BLK_S_IOERR);
	r.num_sectors = UINT32_MAX;
	memcpy(ram + DATA, &r, sizeof(r));
	CHECK_EQ(ask(VIRTIO_BLK_T_WRITE_ZEROES, 0, sizeof(r), false),
		 VIRTIO_BLK_S_IOERR);
	r = (struct virtio_blk_discard_write_zeroes){ 0, 1, 0x80 };
	memcpy(ram + DATA, &r, sizeof(r));
	CHECK_EQ(ask(VIRTIO_BLK_T_DISCARD, 0, sizeof(r), false),
		 VIRTIO_BLK_S_UNSUPP);
	close_disk();
}

/* Requests in odd pieces, or with pieces missing. */
static void disk_framing(void)
{
	struct virtio_blk_outhdr h = { .type = VIRTIO_BLK_T_IN, .sector = 1 };

	open_disk("", 8 * 512, F_FLUSH);
	memcpy(ram + DATA - 64, &h, sizeof(h));
	desc(0, DATA - 64, 3, NEXT, 1);
	desc(1, DATA - 61, 13, NEXT, 2);
	desc(2, DATA, 100, NEXT | WRITE, 3);
	/* Data and status in one buffer. */
	desc(3, DATA + 100, 413, WRITE, 0);
	offer(SIZE, 0);
	ram[DATA + 512] = 0xee;
	blk.dev.ops->queue(&blk.dev, 0);
	CHECK_EQ(ram[DATA + 512], VIRTIO_BLK_S_OK);
	CHECK(!memcmp(ram + DATA, "second", 7));
	/* A header cut short. */
	desc(0, DATA - 64, 15, NEXT, 1);
	desc(1, DATA, 1, WRITE, 0);
	offer(SIZE, 0);
	blk.dev.ops->queue(&blk.dev, 0);
	CHECK_EQ(ram[DATA], VIRTIO_BLK_S_IOERR);
	/* Nowhere to say how it went. */
	desc(0, DATA - 64, 16, 0, 0);
	offer(SIZE, 0);
	blk.dev.ops->queue(&blk.dev, 0);
	CHECK(blk.dev.status & VIRTIO_NEEDS_RESET);
	close_disk();
}

static void disk_files(void)
{
	struct virtio_blk other;
	struct diag d = { "" };
	char path[80];

	CHECK(blk_open(&other, "/nonexistent", 0, &d) && strstr(d.text, "give a raw image"));
	blk_close(&other);
	CHECK(blk_open(&other, "/tmp", 0, &d) && strstr(d.text, "/tmp"));
	blk_close(&other);
	CHECK(blk_open(&other, "/dev/null", 0, &d) && strstr(d.text, "neither a file"));
	blk_close(&other);
	open_disk("", 512, 0);
	CHECK(blk_open(&other, image, 0, &d) && strstr(d.text, "in use"));
	blk_close(&other);
	snprintf(path, sizeof(path), "%s,ro", image);
	CHECK(blk_open(&other, path, 0, &d) && strstr(d.text, "writes to it"));
	blk_close(&other);
	close_disk();
	open_disk(",ro", 512, 0);
	CHECK(!blk_open(&other, path, 0, &d));
	blk_close(&other);
	CHECK(!truncate(image, 511));
	CHECK(blk_open(&other, path, 0, &d) && strstr(d.text, "smaller than a sector"));
	blk_close(&other);
	close_disk();
}

/* ---- network, entropy, console ----------------------------------------------- */

static struct virtio_net net;
static uint8_t frame[2048];
static size_t frame_len;
static unsigned int frames;

static void take_frame(void *ctx, const uint8_t *bytes, size_t len)
{
	(void)ctx;
	frames++;
	frame_len = len;
	memcpy(frame, bytes, len < sizeof(frame) ? len : sizeof(frame));
}

/* Queues 0 and 1 lie one behind the other. */
static void start(struct virtio_dev *d)
{
	struct diag diag;
	unsigned int q;

	make_ram();
	if (virtio_init(d, &mem, &diag))
		abort();
	d->bus_ops = &bus_ops;
	negotiate(d, 0);
	for (q = 0; q < d->queues; q++) {
		d->vq[q].size = SIZE;
		d->vq[q].desc_gpa = DESC + 0x8000 * q;
		d->vq[q].avail_gpa = AVAIL + 0x8000 * q;
		d->vq[q].used_gpa = USED + 0x8000 * q;
		d->vq[q].enabled = true;
	}
	go(d);
}

/* One buffer in queue @q. */
static void give(unsigned int q, uint64_t addr, uint32_t len, uint16_t flags)
{
	uint32_t avail = AVAIL + 0x8000 * q;
	uint16_t idx = get16(avail + 2);

	desc_at(DESC + 0x8000 * q, idx % SIZE, addr, len, flags, 0);
	put16(avail + 4 + 2 * (idx % SIZE), idx % SIZE);
	put16(avail + 2, (uint16_t)(idx + 1));
}

static void network(void)
{
	struct run_opts o = { .net = NET_USER, .name = "test" };
	struct diag d = { "" };
	uint8_t bytes[2000];

	CHECK(!net_open(&net, &o, &d));
	net_close(&net);
	net.end = (struct net_backend){ .send = take_frame };
	start(&net.dev);
	CHECK_EQ(net.dev.config[0], 0x02);
	frames = 0;
	/* Header and frame in one; the header is not the frame's. */
	memcpy(ram + DATA, "............frame of the guest", 30);
	give(1, DATA, 30, 0);
	net.dev.ops->queue(&net.dev, 1);
	CHECK(frames == 1 && frame_len == 18 && !memcmp(frame, "frame of the guest", 18));
	/* Too short, and longer than any frame. */
	give(1, DATA, 11, 0);
	give(1, DATA, NET_FRAME_MAX + 13, 0);
	give(1, DATA, 12, 0);
	net.dev.ops->queue(&net.dev, 1);
	CHECK_EQ(frames, 1);
	CHECK_EQ(get16(USED + 0x8000 + 2), 4);
	CHECK_EQ(net.dropped, 2);
	/* To the guest: no room, too little, enough. */
	memset(bytes, 0xa5, sizeof(bytes));
	CHECK(!net_receive(&net, bytes, 100));
	give(0, DATA, 50, WRITE);
	memset(ram + DATA, 0, 4096);
	CHECK(!net_receive(&net, bytes, 100));
	CHECK_EQ(ram[DATA], 0);
	CHECK(net_receive(&net, bytes, 38));
	CHECK_EQ(ram[DATA + 10], 1);		/* num_buffers */
	CHECK(ram[DATA + 12] == 0xa5 && ram[DATA + 49] == 0xa5 && !ram[DATA + 50]);
	CHECK_EQ(ram[USED + 8], 50);
	CHECK(!(net.dev.status & VIRTIO_NEEDS_RESET));
	virtio_destroy(&net.dev);
}

/* Any frames into libslirp: what a hostile guest can do to it, at least here. */
static void network_fuzz(void)
{
	struct run_opts o = { .net = NET_USER, .name = "test" };
	uint64_t seed = 0x51149ull, r;
	struct pollset set = { NULL, 0, 0, -1 };
	struct diag d = { "" };
	unsigned int i, n, len;
	uint8_t *f = ram + DATA + 12;

	printf("# seed 0x%llx, 20000 frames\n", (unsigned long long)seed);
	CHECK(!net_open(&net, &o, &d));
	start(&net.dev);
	for (i = 0; i < 20000; i++) {
		r = test_random(&seed);
		len = 20 + (unsigned int)(r % 200);
		for (n = 0; n < len; n++)
			f[n] = (uint8_t)test_random(&seed);
		/* To its own network mostly: ARP, IPv4, IPv6, to no port outside. */
		memcpy(f, "\x52\x55\x0a\0\2\2\2\2\2\2\2\2", 12);
		f[12] = r & 0x100 ? 0x86 : 0x08;
		f[13] = r & 0x100 ? 0xdd : r & 0x200 ? 0x06 : 0x00;
		f[14] = r & 0x100 ? 0x60 : 0x45;
		if (f[12] == 0x08 && !f[13]) {
			f[23] = r & 0x400 ? 1 : 2;	/* ICMP, IGMP */
			memcpy(f + 30, "\x0a\0\2\3", 4);
		}
		give(1, DATA, 12 + len, 0);
		net.dev.ops->queue(&net.dev, 1);
		set.count = 0;
		set.timeout = -1;
		net.dev.ops->fill(&net.dev, &set);
		net.dev.ops->ready(&net.dev, &set);
	}
	CHECK_EQ(net.sent, 20000);
	free(set.fds);
	net_close(&net);
	virtio_destroy(&net.dev);
}

static void entropy(void)
{
	static struct virtio_rng rng;
	uint8_t zero[64] = { 0 };

	rng_open(&rng);
	start(&rng.dev);
	give(0, DATA, 64, WRITE);
	give(0, DATA + 100, 100000, WRITE);
	give(0, DATA + 64, 16, 0);
	rng.dev.ops->queue(&rng.dev, 0);
	CHECK(memcmp(ram + DATA, zero, 64));
	CHECK_EQ(ram[USED + 8], 64);
	CHECK_EQ(get16(USED + 4 + 8 + 4), 256);
	CHECK_EQ(ram[USED + 4 + 16 + 4], 0);
	CHECK_EQ(rng.bytes, 320);
	virtio_destroy(&rng.dev);
}

static unsigned int con_rooms;

static void count_room(void *ctx)
{
	(void)ctx;
	con_rooms++;
}

static void console(void)
{
	static struct virtio_console con;
	static uint8_t many[CONSOLE_QUEUE + 10];
	struct pollset set = { NULL, 0, 0, -1 };
	char got[100000];
	size_t fill = 0, i;
	int p[2];
	ssize_t n;

	for (i = 0; i < sizeof(many); i++)
		many[i] = (uint8_t)(i * 7);
	if (pipe(p))
		abort();
	con_rooms = 0;
	console_open(&con, p[1], count_room, NULL);
	start(&con.dev);
	/* Much output, and a reader who takes it when it comes. */
	for (i = 0; i < 90000; i++)
		ram[DATA + i] = (uint8_t)(i * 13);
	give(1, DATA, 90000, 0);
	con.dev.ops->queue(&con.dev, 1);
	CHECK_EQ(get16(USED + 0x8000 + 2), 0);
	while (fill < 90000) {
		set.count = 0;
		con.dev.ops->fill(&con.dev, &set);
		if (set.count != 1 || poll(set.fds, 1, 10000) != 1)
			break;
		con.dev.ops->ready(&con.dev, &set);
		n = read(p[0], got + fill, sizeof(got) - fill);
		if (n <= 0)
			break;
		fill += (size_t)n;
	}
	CHECK_EQ(fill, 90000);
	CHECK(!memcmp(got, ram + DATA, 90000));
	CHECK_EQ(get16(USED + 0x8000 + 2), 1);
	/* A reset while a reader is slow: nothing is put back later. */
	give(1, DATA, 90000, 0);
	con.dev.ops->queue(&con.dev, 1);
	CHECK(con.out_busy);
	virtio_set_status(&con.dev, 0);
	CHECK(!con.out_busy);
	con.dev.ops->ready(&con.dev, &set);
	CHECK_EQ(get16(USED + 0x8000 + 2), 1);
	virtio_destroy(&con.dev);

	/* Input: as much as the guest has room for, in order. */
	console_close(&con);
	console_open(&con, p[1], count_room, NULL);
	start(&con.dev);
	CHECK_EQ(console_room(&con), CONSOLE_QUEUE);
	console_receive(&con, many, CONSOLE_QUEUE - 1);
	CHECK_EQ(console_room(&con), 1);
	give(0, DATA, 10, WRITE);
	give(0, DATA + 10, 3000, WRITE);
	con.dev.ops->queue(&con.dev, 0);
	/* Nothing before the guest's first word. */
	CHECK_EQ(get16(USED + 2), 0);
	give(1, DATA + 8192, 0, 0);
	con.dev.ops->queue(&con.dev, 1);
	CHECK(!memcmp(ram + DATA, many, 3010));
	CHECK_EQ(con_rooms, 1);
	console_receive(&con, many + CONSOLE_QUEUE - 1, 11);
	give(0, DATA + 3010, 4096, WRITE);
	con.dev.ops->queue(&con.dev, 0);
	CHECK(!memcmp(ram + DATA, many, sizeof(many)));
	CHECK_EQ(get16(USED + 2), 3);
	/* A reader that goes away does not hold the guest up. */
	close(p[0]);
	give(1, DATA, 10, 0);
	con.dev.ops->queue(&con.dev, 1);
	set.count = 0;
	con.dev.ops->fill(&con.dev, &set);
	poll(set.fds, 1, 10000);
	con.dev.ops->ready(&con.dev, &set);
	CHECK_EQ(get16(USED + 0x8000 + 2), 2);
	CHECK(con.out_dead);
	free(set.fds);
	virtio_destroy(&con.dev);
	console_close(&con);
	close(p[1]);
}

/* ---- on the bus ------------------------------------------------------------- */

static struct pci_bus pci;
static struct virtio_pci slot;
static int line_level, line_number;

static void on_line(void *ctx, unsigned int line, bool level)
{
	(void)ctx;
	line_number = (int)line;
	line_level = level;
}

static const struct irq_sink sink = { on_line, NULL };
static unsigned int sent;
static struct msi last;

static void msi_update(void *ctx, struct msi *msi)
{
	(void)ctx;
	(void)msi;
}

static void msi_send(void *ctx, struct msi *msi)
{
	(void)ctx;
	sent++;
	last = *msi;
}

static const struct msi_sink msi_sink = { msi_update, msi_send, NULL };

static void set_up_bus(bool messages)
{
	struct diag d;

	make_ram();
	line_level = 0;
	sent = 0;
	pci_init(&pci, &sink);
	memset(&dev, 0, sizeof(dev));
	dev.ops = &plain_ops;
	dev.name = "test device";
	dev.type = VIRTIO_BLOCK;
	dev.queues = 1;
	dev.config_len = 8;
	memcpy(dev.config, "\1\2\3\4\5\6\7\10", 8);
	if (virtio_init(&dev, &mem, &d) ||
	    !virtio_pci_add(&slot, &dev, &pci, messages ? &msi_sink : NULL, NULL))
		abort();
}

static void tear_down_bus(void)
{
	virtio_destroy(&dev);
	virtio_pci_destroy(&slot);
	pci_destroy(&pci);
}

static uint32_t pci_access(uint16_t port, unsigned int size, uint32_t value, bool write)
{
	uint8_t data[4];

	memcpy(data, &value, 4);
	pci_io(&pci, port, size, data, write);
	memcpy(&value, data, 4);
	return size == 4 ? value : value & ((1u << 8 * size) - 1);
}

static uint32_t config(unsigned int devfn, unsigned int off, unsigned int size)
{
	pci_access(0xcf8, 4, 0x80000000 | devfn << 8 | (off & 0xfc), true);
	return pci_access((uint16_t)(0xcfc + (off & 3)), size, 0, false);
}

static void set_config(unsigned int devfn, unsigned int off, unsigned int size,
		       uint32_t value)
{
	pci_access(0xcf8, 4, 0x80000000 | devfn << 8 | (off & 0xfc), true);
	pci_access((uint16_t)(0xcfc + (off & 3)), size, value, true);
}

static uint32_t mmio(uint64_t addr, unsigned int size, uint32_t value, bool write)
{
	uint8_t data[8] = { 0 };

	memcpy(data, &value, 4);
	pci_mmio(&pci, addr, size, data, write);
	memcpy(&value, data, 4);
	return value;
}

static void pci_config(void)
{
	set_up_bus(false);
	CHECK_EQ(config(0, 8, 4) >> 16, 0x0600);
	CHECK_EQ(config(8, 0, 4), 0x10421af4);
	CHECK_EQ(config(16, 0, 4), 0xffffffff);
	CHECK_EQ(config(8 + 1, 0, 4), 0xffffffff);	/* function 1 */
	CHECK_EQ(config(8 | 1 << 8, 0, 4), 0xffffffff);	/* bus 1 */
	CHECK_EQ(config(8, 0x3c, 1), pci_line(1));
	CHECK_EQ(config(8, 0x3d, 1), 1);
	/* Read-only is read-only, and sizes of regions come out. */
	set_config(8, 0, 4, 0);
	CHECK_EQ(config(8, 0, 2), 0x1af4);
	set_config(8, 4, 2, 0);
	set_config(8, 0x10, 4, 0xffffffff);
	CHECK_EQ(config(8, 0x10, 4), 0xfff9);
	set_config(8, 0x14, 4, 0xffffffff);
	CHECK_EQ(config(8, 0x14, 4), 0xfffff000);
	set_config(8, 0x18, 4, 0xffffffff);
	CHECK_EQ(config(8, 0x18, 4), 0);
	/* Elsewhere it works the same, and no more where it was. */
	set_config(8, 0x14, 4, 0xf0000000);
	CHECK_EQ(mmio(0xf0000100, 4, 0, false), 0xffffffff);
	set_config(8, 4, 2, 2);
	CHECK_EQ(mmio(0xf0000100, 4, 0, false), 0x04030201);
	CHECK_EQ(mmio(PCI_MEM_START + PCI_MEM_STEP + 0x100, 4, 0, false), 0xffffffff);
	CHECK_EQ(mmio(0xf0000ffe, 4, 0, false), 0xffffffff);
	tear_down_bus();
}

static void pci_line_interrupts(void)
{
	unsigned int io = PCI_IO_START + PCI_IO_STEP;

	set_up_bus(false);
	pthread_mutex_lock(&dev.lock);
	dev.bus_ops->queue_irq(dev.bus, 0);
	CHECK(line_level && line_number == (int)pci_line(1));
	/* INTx off, and on */
	set_config(8, 4, 2, 0x403);
	CHECK(!line_level);
	set_config(8, 4, 2, 3);
	CHECK(line_level);
	dev.bus_ops->config_irq(dev.bus);
	pthread_mutex_unlock(&dev.lock);
	CHECK_EQ(pci_access((uint16_t)(io + 4), 1, 0, false), 3);
	CHECK(!line_level);
	CHECK_EQ(pci_access((uint16_t)(io + 4), 1, 0, false), 0);
	pthread_mutex_lock(&dev.lock);
	dev.bus_ops->queue_irq(dev.bus, 0);
	virtio_set_status(&dev, 0);
	CHECK(!line_level);
	pthread_mutex_unlock(&dev.lock);
	tear_down_bus();
}

static void pci_messages(void)
{
	uint64_t table = PCI_MEM_START + PCI_MEM_STEP + 0x1000;
	uint64_t common = PCI_MEM_START + PCI_MEM_STEP;
	unsigned int msix;

	set_up_bus(true);
	msix = slot.cap_msix;
	CHECK_EQ(config(8, msix, 1), PCI_CAP_ID_MSIX);
	CHECK_EQ(config(8, msix + 2, 2), 1);		/* two vectors */
	mmio(common + VIRTIO_PCI_COMMON_Q_MSIX, 2, 1, true);
	CHECK_EQ(mmio(common + VIRTIO_PCI_COMMON_Q_MSIX, 2, 0, false), 1);
	mmio(common + VIRTIO_PCI_COMMON_MSIX, 2, 7, true);
	CHECK_EQ(mmio(common + VIRTIO_PCI_COMMON_MSIX, 2, 0, false), 0xffff);
	set_config(8, msix + 2, 2, 0x8000);
	mmio(table + 16, 4, 0xfee00000, true);
	mmio(table + 24, 4, 0x4041, true);
	pthread_mutex_lock(&dev.lock);
	dev.bus_ops->queue_irq(dev.bus, 0);	/* masked: waits */
	CHECK_EQ(sent, 0);
	CHECK_EQ(mmio(table + 0x800, 4, 0, false), 2);
	mmio(table + 28, 4, 0, true);
	CHECK_EQ(sent, 1);
	CHECK_EQ(last.addr, 0xfee00000);
	CHECK_EQ(last.data, 0x4041);
	CHECK_EQ(mmio(table + 0x800, 4, 0, false), 0);
	dev.bus_ops->queue_irq(dev.bus, 0);
	CHECK_EQ(sent, 2);
	dev.bus_ops->config_irq(dev.bus);	/* no vector */
	CHECK_EQ(sent, 2);
	CHECK(!line_level);
	pthread_mutex_unlock(&dev.lock);
	tear_down_bus();
}

/* The registers of a queue, and the order in which they can be set. */
static void pci_common(void)
{
	uint64_t common = PCI_MEM_START + PCI_MEM_STEP;

	set_up_bus(false);
	CHECK_EQ(mmio(common + VIRTIO_PCI_COMMON_NUMQ, 2, 0, false), 1);
	CHECK_EQ(mmio(common + VIRTIO_PCI_COMMON_Q_SIZE, 2, 0, false), VIRTQ_SIZE);
	mmio(common + VIRTIO_PCI_COMMON_Q_SELECT, 2, 1, true);
	CHECK_EQ(mmio(common + VIRTIO_PCI_COMMON_Q_SIZE, 2, 0, false), 0);
	mmio(common + VIRTIO_PCI_COMMON_Q_SIZE, 2, 8, true);
	mmio(common + VIRTIO_PCI_COMMON_Q_SELECT, 2, 0, true);
	CHECK_EQ(mmio(common + VIRTIO_PCI_COMMON_Q_SIZE, 2, 0, false), VIRTQ_SIZE);
	mmio(common + VIRTIO_PCI_COMMON_DFSELECT, 4, 1, true);
	CHECK_EQ(mmio(common + VIRTIO_PCI_COMMON_DF, 4, 0, false), 1);
	mmio(common + VIRTIO_PCI_COMMON_GFSELECT, 4, 1, true);
	mmio(common + VIRTIO_PCI_COMMON_GF, 4, 1, true);
	mmio(common + VIRTIO_PCI_COMMON_STATUS, 1, 0xb, true);
	CHECK_EQ(mmio(common + VIRTIO_PCI_COMMON_STATUS, 1, 0, false), 0xb);
	/* Half a field changes nothing. */
	mmio(common + VIRTIO_PCI_COMMON_Q_SIZE, 1, 8, true);
	mmio(common + VIRTIO_PCI_COMMON_Q_DESCLO, 2, 8, true);
	CHECK_EQ(mmio(common + VIRTIO_PCI_COMMON_Q_SIZE, 2, 0, false), VIRTQ_SIZE);
	mmio(common + VIRTIO_PCI_COMMON_Q_SIZE, 2, SIZE, true);
	mmio(common + VIRTIO_PCI_COMMON_Q_DESCLO, 4, DESC, true);
	mmio(common + VIRTIO_PCI_COMMON_Q_AVAILLO, 4, AVAIL, true);
	mmio(common + VIRTIO_PCI_COMMON_Q_USEDLO, 4, USED, true);
	/* Ready with the queue not enabled: enabling it then is too late. */
	mmio(common + VIRTIO_PCI_COMMON_STATUS, 1, 0xf, true);
	mmio(common + VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1, true);
	CHECK_EQ(mmio(common + VIRTIO_PCI_COMMON_Q_ENABLE, 2, 0, false), 0);
	pthread_mutex_lock(&dev.lock);
	desc(0, DATA, 16, 0, 0);
	offer(SIZE, 0);
	CHECK(!virtq_pop(&dev, 0) && !broken());
	pthread_mutex_unlock(&dev.lock);
	mmio(common + VIRTIO_PCI_COMMON_STATUS, 1, 0, true);
	CHECK_EQ(mmio(common + VIRTIO_PCI_COMMON_STATUS, 1, 0, false), 0);
	CHECK_EQ(mmio(common + VIRTIO_PCI_COMMON_Q_SIZE, 2, 0, false), VIRTQ_SIZE);
	tear_down_bus();
}

/* §4.1.4.7: everything through configuration space. */
static void pci_window(void)
{
	unsigned int cap;

	set_up_bus(true);
	cap = slot.cap_cfg;
	set_config(8, cap + VIRTIO_PCI_CAP_BAR, 1, 1);
	set_config(8, cap + VIRTIO_PCI_CAP_OFFSET, 4, 0x100);
	set_config(8, cap + VIRTIO_PCI_CAP_LENGTH, 4, 4);
	CHECK_EQ(config(8, cap + 16, 4), 0x04030201);
	/* Outside the regions, or no regions at all: nothing happens. */
	set_config(8, cap + VIRTIO_PCI_CAP_OFFSET, 4, 0x1000);
	config(8, cap + 16, 4);
	set_config(8, cap + VIRTIO_PCI_CAP_OFFSET, 4, 0xfffffffc);
	config(8, cap + 16, 4);
	set_config(8, cap + VIRTIO_PCI_CAP_BAR, 1, 5);
	config(8, cap + 16, 4);
	set_config(8, cap + VIRTIO_PCI_CAP_BAR, 1, 255);
	config(8, cap + 16, 4);
	set_config(8, cap + VIRTIO_PCI_CAP_LENGTH, 4, 0x10000);
	set_config(8, cap + 16, 4, 0xffffffff);
	CHECK_EQ(config(8, 0, 4), 0x10421af4);
	tear_down_bus();
}

/* Any access anywhere on the bus: no crash, and the device can be reset. */
static void pci_fuzz(void)
{
	uint64_t seed = 0x9c1ull, r;
	uint64_t common = PCI_MEM_START + PCI_MEM_STEP;
	unsigned int i, size;

	printf("# seed 0x%llx, 300000 accesses\n", (unsigned long long)seed);
	set_up_bus(true);
	for (i = 0; i < 300000; i++) {
		r = test_random(&seed);
		size = 1u << (r & 3) % 3;
		switch (r >> 2 & 3) {
		case 0:
			set_config(8, r >> 8 & 0xff & ~(size - 1), size,
				   (uint32_t)(r >> 24));
			/* Mostly where it can be reached. */
			if (r >> 60) {
				set_config(8, 4, 2, 3);
				set_config(8, 0x14, 4, (uint32_t)common);
				set_config(8, 0x18, 4, (uint32_t)common + 0x1000);
				set_config(8, 0x10, 4, PCI_IO_START + PCI_IO_STEP);
			}
			break;
		case 1:
			pci_access((uint16_t)(PCI_IO_START + PCI_IO_STEP +
				   (r >> 8 & 15)), size, (uint32_t)(r >> 24),
				   r & 0x80);
			break;
		default:
			mmio(common + (r >> 8 & 0x1000) +
			     (r >> 16 & (r & 0x40 ? 0xfff : 0x3f)), size,
			     (uint32_t)(r >> 32), r & 0x80);
			break;
		}
	}
	set_config(8, 4, 2, 3);
	set_config(8, 0x14, 4, (uint32_t)common);
	set_config(8, 0x18, 4, 0xf0000000);
	mmio(common + VIRTIO_PCI_COMMON_STATUS, 1, 0, true);
	CHECK_EQ(mmio(common + VIRTIO_PCI_COMMON_STATUS, 1, 0, false), 0);
	tear_down_bus();
}

static const struct test tests[] = {
	{ "virtq_good_chain", good_chain },
	{ "virtq_wraps", wraps },
	{ "virtq_event_idx", event_idx },
	{ "virtq_unpop", unpop },
	{ "virtq_loops", loops },
	{ "virtq_wild_addresses", wild_addresses },
	{ "virtq_order", order },
	{ "virtq_indirect", indirect },
	{ "virtq_bad_index", bad_index },
	{ "virtq_bad_queues", bad_queues },
	{ "virtq_comes_back", comes_back },
	{ "virtq_fuzz", fuzz },
	{ "disk_works", disk_works },
	{ "disk_bounds", disk_bounds },
	{ "disk_read_only", disk_read_only },
	{ "disk_discard", disk_discard },
	{ "disk_framing", disk_framing },
	{ "disk_files", disk_files },
	{ "network", network },
	{ "network_fuzz", network_fuzz },
	{ "entropy", entropy },
	{ "console", console },
	{ "pci_config", pci_config },
	{ "pci_line_interrupts", pci_line_interrupts },
	{ "pci_messages", pci_messages },
	{ "pci_common", pci_common },
	{ "pci_window", pci_window },
	{ "pci_fuzz", pci_fuzz },
};

int main(void)
{
	snprintf(image, sizeof(image), "/tmp/ringvm-disk-%d", (int)getpid());
	signal(SIGPIPE, SIG_IGN);
	/* What is said is checked by where it is said, not read here. */
	if (!freopen("/dev/null", "w", stderr))
		abort();
	return run_tests(tests, sizeof(tests) / sizeof(tests[0]));
}
