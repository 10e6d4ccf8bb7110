/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A small bzImage, made up: valid, and easy to spoil.
 */
#ifndef TEST_IMAGE_H
#define TEST_IMAGE_H

#include <stdint.h>
#include <string.h>
#include <asm/bootparam.h>

#define IMAGE_SETUP	(5 * 512u)
#define IMAGE_PAYLOAD	4096u
#define IMAGE_SIZE	(IMAGE_SETUP + IMAGE_PAYLOAD)

static inline void image_get(const uint8_t *file, struct setup_header *h)
{
	memcpy(h, file + 0x1f1, sizeof(*h));
}

static inline void image_put(uint8_t *file, const struct setup_header *h)
{
	memcpy(file + 0x1f1, h, sizeof(*h));
}

static inline void image_make(uint8_t *file)
{
	struct setup_header h = {
		.setup_sects = 4,
		.syssize = IMAGE_PAYLOAD / 16,
		.boot_flag = 0xaa55,
		.jump = 0x6aeb,		/* jmp 0x26c: the header ends there */
		.header = 0x53726448,
		.version = 0x020f,
		.kernel_version = 0x300 - 0x200,
		.loadflags = LOADED_HIGH,
		.code32_start = 0x100000,
		.initrd_addr_max = 0x7fffffff,
		.kernel_alignment = 0x200000,
		.relocatable_kernel = 1,
		.min_alignment = 21,
		.xloadflags = XLF_KERNEL_64,
		.cmdline_size = 2047,
		.payload_offset = 0x100,
		.payload_length = 0x800,
		.pref_address = 0x1000000,
		.init_size = 0x800000,
	};
	unsigned int i;

	memset(file, 0, IMAGE_SETUP);
	for (i = IMAGE_SETUP; i < IMAGE_SIZE; i++)
		file[i] = (uint8_t)(i * 7 + 1);
	image_put(file, &h);
	memcpy(file + 0x300, "6.1.0-test (builder)", 21);
}

#endif
