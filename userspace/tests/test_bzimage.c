// SPDX-License-Identifier: GPL-2.0
/*
 * The bzImage parser: good images, each way to be bad, and mutated ones.
 *
 * RINGVM_TEST_KERNEL=FILE has a real kernel parsed and mutated as well.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../boot/params.h"
#include "image.h"
#include "ktap.h"

static uint8_t file[IMAGE_SIZE];
static struct bzimage image;
static struct diag diag;

static int parse(size_t size)
{
	/* An exact copy on the heap: the sanitizer sees each byte too far. */
	uint8_t *copy = malloc(size ? size : 1);
	int ret;

	if (!copy)
		abort();
	memcpy(copy, file, size);
	diag.text[0] = '\0';
	ret = bzimage_parse(copy, size, &image, &diag);
	free(copy);
	return ret;
}

static bool refused(size_t size, const char *part)
{
	if (parse(size) == -1 && strstr(diag.text, part) &&
	    !strchr(diag.text, '\n'))
		return true;
	printf("# wanted '%s', got '%s'\n", part, diag.text);
	return false;
}

static void good(void)
{
	image_make(file);
	CHECK(!parse(IMAGE_SIZE));
	CHECK_EQ(image.payload_size, IMAGE_PAYLOAD);
	CHECK_EQ(image.hdr.version, 0x020f);
	CHECK(image.kernel_64);
	CHECK(!strcmp(image.release, "6.1.0-test"));
	CHECK(!bzimage_parse(file, IMAGE_SIZE, &image, &diag));
	CHECK(image.payload == file + IMAGE_SETUP);
	/* A signature appended behind the kernel is no harm. */
	CHECK(image.payload_size >= (size_t)image.hdr.syssize * 16);
}

static void setup_sects_zero_is_four(void)
{
	struct setup_header h;

	image_make(file);
	image_get(file, &h);
	h.setup_sects = 0;
	image_put(file, &h);
	CHECK(!parse(IMAGE_SIZE));
	CHECK_EQ(image.payload_size, IMAGE_PAYLOAD);
}

static void old_64_bit_flag(void)
{
	struct setup_header h;

	image_make(file);
	image_get(file, &h);
	h.version = 0x020b;	/* xloadflags came with 2.12 */
	image_put(file, &h);
	CHECK(!parse(IMAGE_SIZE));
	CHECK(!image.kernel_64);
}

static void not_a_kernel(void)
{
	image_make(file);
	CHECK(refused(0, "too short"));
	CHECK(refused(0x263, "too short"));
	file[0x1fe] = 0;
	CHECK(refused(IMAGE_SIZE, "0xaa55"));
	image_make(file);
	file[0x203] = 'X';
	CHECK(refused(IMAGE_SIZE, "HdrS"));
	image_make(file);
	memcpy(file, "\177ELF", 4);
	CHECK(refused(IMAGE_SIZE, "ELF"));
	image_make(file);
	CHECK(bzimage_parse(file, BZIMAGE_MAX_SIZE + 1ull, &image, &diag));
	CHECK(strstr(diag.text, "larger"));
}

static void truncated(void)
{
	image_make(file);
	CHECK(refused(0x268, "within its header"));
	CHECK(refused(0x26c, "setup code"));
	CHECK(refused(IMAGE_SETUP, "setup code"));
	CHECK(refused(IMAGE_SETUP + 16, "announces"));
	CHECK(refused(IMAGE_SIZE - 16, "announces"));
	CHECK(!parse(IMAGE_SIZE - 15));		/* last unit part-filled */
}

#define SPOIL(field, value, part)					\
	do {								\
		struct setup_header h_;					\
									\
		image_make(file);					\
		image_get(file, &h_);					\
		h_.field = value;					\
		image_put(file, &h_);					\
		CHECK(refused(IMAGE_SIZE, part));			\
	} while (0)

static void bad_fields(void)
{
	SPOIL(version, 0x0209, "too old");
	SPOIL(version, 0, "too old");
	SPOIL(setup_sects, 64, "setup code");
	SPOIL(setup_sects, 255, "setup code");
	SPOIL(syssize, 0, "announces");
	SPOIL(syssize, 0xffffffff, "announces");
	SPOIL(payload_offset, IMAGE_PAYLOAD, "compressed part");
	SPOIL(payload_length, 0xffffffff, "compressed part");
	SPOIL(loadflags, 0, "zImage");
	SPOIL(init_size, 0, "init_size");
	SPOIL(kernel_alignment, 0, "kernel_alignment");
	SPOIL(kernel_alignment, 0x300000, "kernel_alignment");
	SPOIL(pref_address, 0, "pref_address");
	SPOIL(pref_address, 1ull << 32, "pref_address");
	SPOIL(pref_address, ~0ull, "pref_address");
	SPOIL(jump, 0x00eb, "header is corrupt");
	SPOIL(jump, 0xffeb, "header is corrupt");
}

static void release_string(void)
{
	struct setup_header h;

	image_make(file);
	image_get(file, &h);
	h.kernel_version = 0xffff;	/* points nowhere: only not shown */
	image_put(file, &h);
	CHECK(!parse(IMAGE_SIZE));
	CHECK(!strcmp(image.release, ""));
	h.kernel_version = IMAGE_SETUP - 0x200 - 4;
	image_put(file, &h);
	memset(file + IMAGE_SETUP - 4, 'v', 4);	/* no NUL within the setup */
	CHECK(!parse(IMAGE_SIZE));
	CHECK(!strcmp(image.release, "vvvv"));
	h.kernel_version = 0x100;
	image_put(file, &h);
	memset(file + 0x300, 'w', 200);
	CHECK(!parse(IMAGE_SIZE));
	CHECK_EQ(strlen(image.release), sizeof(image.release) - 1);
}

/* What a parsed image promises, and what a plan made from it promises. */
static void check_promises(const uint8_t *from, size_t size, uint64_t *seed,
			   uint8_t *ram, const struct mem_split *mem)
{
	uint64_t initrd = test_random(seed) % (mem->low + (1 << 20));
	uint64_t cmdline = test_random(seed) % 4096;
	bool long_mode = image.kernel_64 && (test_random(seed) & 1);
	static char text[4097];
	struct boot_plan plan;

	CHECK(image.payload > from && image.payload < from + size);
	CHECK(image.payload + image.payload_size == from + size);
	CHECK(image.hdr_len <= sizeof(image.hdr));
	if (boot_plan(&image, mem, initrd, cmdline, long_mode, &plan, &diag)) {
		CHECK(diag.text[0] && !strchr(diag.text, '\n'));
		return;
	}
	CHECK(plan.load >= HIGH_MEM);
	CHECK(plan.load + image.payload_size <= plan.kernel_end);
	CHECK(plan.kernel_end <= mem->low);
	CHECK(plan.entry < plan.load + image.payload_size);
	CHECK(cmdline <= image.hdr.cmdline_size);
	if (initrd) {
		CHECK(plan.initrd >= plan.kernel_end);
		CHECK(plan.initrd % 4096 == 0);
		CHECK(plan.initrd + initrd <= mem->low);
		CHECK(plan.initrd + initrd - 1 <= image.hdr.initrd_addr_max);
	}
	if (ram) {
		memset(text, 'a', cmdline);
		text[cmdline] = '\0';
		boot_write(ram, mem, &image, &plan, text);
	}
}

static void mutate(uint8_t *at, size_t size, uint64_t *seed)
{
	static const uint8_t edge[] = { 0, 1, 0x7f, 0x80, 0xfe, 0xff };
	unsigned int n = 1 + (unsigned int)(test_random(seed) % 6);
	uint64_t r;
	size_t where;

	while (n--) {
		r = test_random(seed);
		/* Nearly always within the header: the rest is not read. */
		where = r % 16 ? 0x1f1 + (r >> 8) % 0x80 : (r >> 8) % size;
		r = test_random(seed);
		if (r & 1)
			at[where] = edge[(r >> 8) % sizeof(edge)];
		else if (r & 2)
			at[where] ^= (uint8_t)(1u << (r >> 8) % 8);
		else
			at[where] = (uint8_t)(r >> 8);
	}
}

static void fuzz(void)
{
	const struct mem_split mem = { .low = 64ull << 20 };
	uint64_t seed = 0xb2135eedull;
	uint8_t *ram = calloc(1, mem.low), *copy;
	unsigned int i, parsed = 0;
	size_t size;

	if (!ram)
		abort();
	printf("# seed 0x%llx, 150000 cases\n", (unsigned long long)seed);
	for (i = 0; i < 150000; i++) {
		image_make(file);
		mutate(file, IMAGE_SIZE, &seed);
		size = IMAGE_SIZE;
		if (test_random(&seed) % 8 == 0)
			size = test_random(&seed) % (IMAGE_SIZE + 1);
		copy = malloc(size ? size : 1);
		if (!copy)
			abort();
		memcpy(copy, file, size);
		diag.text[0] = '\0';
		if (bzimage_parse(copy, size, &image, &diag)) {
			CHECK(diag.text[0] && !strchr(diag.text, '\n'));
		} else {
			parsed++;
			check_promises(copy, size, &seed,
				       parsed % 16 ? NULL : ram, &mem);
		}
		free(copy);
		if (test_failed) {
			printf("# at case %u\n", i);
			break;
		}
	}
	printf("# %u cases were accepted\n", parsed);
	CHECK(parsed > 1000);
	free(ram);
}

static uint8_t *load_real(size_t *size)
{
	const char *path = getenv("RINGVM_TEST_KERNEL");
	struct stat st;
	uint8_t *data;
	int fd;

	if (!path || !*path) {
		test_skip = "RINGVM_TEST_KERNEL names no kernel";
		return NULL;
	}
	fd = open(path, O_RDONLY | O_CLOEXEC);
	CHECK(fd >= 0 && !fstat(fd, &st) && st.st_size > 0);
	if (test_failed)
		return NULL;
	*size = (size_t)st.st_size;
	data = malloc(*size);
	if (!data)
		abort();
	CHECK(read(fd, data, *size) == st.st_size);
	close(fd);
	return data;
}

static void real_kernel(void)
{
	const struct mem_split mem = { .low = 256ull << 20 };
	uint64_t seed = 0x4ea1ull;
	uint8_t saved[4096], *data;
	unsigned int i;
	size_t size = 0, cut;

	data = load_real(&size);
	if (!data)
		return;
	printf("# seed 0x%llx, 50000 cases\n", (unsigned long long)seed);
	CHECK(!bzimage_parse(data, size, &image, &diag));
	check_promises(data, size, &seed, NULL, &mem);
	printf("# release %s, 64-bit entry %d\n", image.release,
	       image.kernel_64);
	memcpy(saved, data, sizeof(saved));
	for (i = 0; i < 50000 && !test_failed; i++) {
		mutate(data, sizeof(saved), &seed);
		cut = test_random(&seed) % 4 ? size :
		      test_random(&seed) % (size + 1);
		if (!bzimage_parse(data, cut, &image, &diag))
			check_promises(data, cut, &seed, NULL, &mem);
		memcpy(data, saved, sizeof(saved));
	}
	free(data);
}

static const struct test tests[] = {
	{ "bzimage_good", good },
	{ "bzimage_setup_sects_zero_is_four", setup_sects_zero_is_four },
	{ "bzimage_old_protocol_has_no_64_bit_flag", old_64_bit_flag },
	{ "bzimage_not_a_kernel", not_a_kernel },
	{ "bzimage_truncated", truncated },
	{ "bzimage_bad_fields", bad_fields },
	{ "bzimage_release_string", release_string },
	{ "bzimage_fuzz", fuzz },
	{ "bzimage_real_kernel", real_kernel },
};

TEST_MAIN(tests)
