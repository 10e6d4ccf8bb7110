// SPDX-License-Identifier: GPL-2.0
/*
 * The bzImage header: see bzimage.h.  Every field that is used later is
 * checked here once; the file is hostile until then.
 */
#include <string.h>

#include "bzimage.h"

#define HDR_START	0x1f1u
#define HDR_JUMP_LEN	0x201u	/* operand of the jump over the header */
#define HDR_END_MIN	0x264u	/* behind init_size, protocol 2.10 */
#define HDR_END_MAX	0x290u	/* where struct boot_params goes on */
#define SECTOR		512u
#define BOOT_FLAG	0xaa55

static int check_magic(const uint8_t *file, size_t size, struct diag *d)
{
	if (size >= 4 && !memcmp(file, "\177ELF", 4))
		return diag_set(d, "the kernel is an ELF file (vmlinux): give the compressed bzImage (vmlinuz)");
	if (size < HDR_END_MIN)
		return diag_set(d, "the kernel file is only %zu bytes long, too short for a bzImage: give another file",
				size);
	if (file[0x1fe] != (BOOT_FLAG & 0xff) || file[0x1ff] != BOOT_FLAG >> 8)
		return diag_set(d, "the kernel file has no boot signature (0xaa55 at 0x1fe): it is no bzImage, or corrupt; give another file");
	if (memcmp(file + 0x202, "HdrS", 4))
		return diag_set(d, "the kernel file has no header magic (HdrS at 0x202): it is no bzImage, or corrupt; give another file");
	return 0;
}

static int check_sizes(const struct setup_header *h, size_t setup, size_t size,
		       struct diag *d)
{
	size_t payload = size - setup;

	/* syssize counts 16-byte units, the last one may be part-filled. */
	if (!h->syssize || ((uint64_t)h->syssize << 4) > (uint64_t)payload + 15)
		return diag_set(d, "the kernel file is truncated: its header announces %llu bytes behind the setup code, it has %zu; copy it again",
				(unsigned long long)h->syssize << 4, payload);
	if ((uint64_t)h->payload_offset + h->payload_length > payload)
		return diag_set(d, "the kernel file is truncated or corrupt: its compressed part ends at %llu of %zu bytes; copy it again",
				(unsigned long long)h->payload_offset +
				h->payload_length, payload);
	return 0;
}

static int check_placement(const struct setup_header *h, struct diag *d)
{
	if (!(h->loadflags & LOADED_HIGH))
		return diag_set(d, "the kernel is a zImage (not loaded high): give a bzImage");
	if (!h->init_size)
		return diag_set(d, "the kernel's header is corrupt: init_size is 0; copy the file again");
	if (h->relocatable_kernel &&
	    (!h->kernel_alignment ||
	     (h->kernel_alignment & (h->kernel_alignment - 1))))
		return diag_set(d, "the kernel's header is corrupt: kernel_alignment 0x%x is no power of two; copy the file again",
				h->kernel_alignment);
	if (h->pref_address < 0x100000 || h->pref_address > UINT32_MAX)
		return diag_set(d, "the kernel's header is corrupt: pref_address 0x%llx is not between 1 MiB and 4 GiB; copy the file again",
				(unsigned long long)h->pref_address);
	return 0;
}

/* The version string is only shown; a bad pointer to it is no error. */
static void read_release(const uint8_t *file, size_t setup,
			 const struct setup_header *h, char *release,
			 size_t room)
{
	size_t at = (size_t)h->kernel_version + 0x200, n = 0;

	if (h->kernel_version)
		while (n + 1 < room && at + n < setup && file[at + n] > ' ' &&
		       file[at + n] < 0x7f) {
			release[n] = (char)file[at + n];
			n++;
		}
	release[n] = '\0';
}

int bzimage_parse(const uint8_t *file, size_t size, struct bzimage *k,
		  struct diag *d)
{
	size_t setup, end;

	memset(k, 0, sizeof(*k));
	if (size > BZIMAGE_MAX_SIZE)
		return diag_set(d, "the kernel file is larger than %u MiB: give a bzImage",
				BZIMAGE_MAX_SIZE >> 20);
	if (check_magic(file, size, d))
		return -1;

	/* boot.rst, "Details of Header Fields": the jump ends the header. */
	end = 0x202u + file[HDR_JUMP_LEN];
	memcpy(&k->hdr.version, file + 0x206, sizeof(k->hdr.version));
	if (k->hdr.version < BZIMAGE_MIN_PROTOCOL)
		return diag_set(d, "the kernel speaks boot protocol %u.%02u, too old: 2.10 (Linux 2.6.31) or later is needed",
				k->hdr.version >> 8, k->hdr.version & 0xff);
	if (end < HDR_END_MIN || end > HDR_END_MAX)
		return diag_set(d, "the kernel's header is corrupt: it ends at 0x%zx, not between 0x%x and 0x%x; copy the file again",
				end, HDR_END_MIN, HDR_END_MAX);
	k->hdr_len = end - HDR_START;
	if (k->hdr_len > sizeof(k->hdr))
		k->hdr_len = sizeof(k->hdr);
	if (HDR_START + k->hdr_len > size)
		return diag_set(d, "the kernel file ends within its header: copy it again");
	memcpy(&k->hdr, file + HDR_START, k->hdr_len);

	/* "If setup_sects is 0, the real value is 4." */
	setup = ((k->hdr.setup_sects ? k->hdr.setup_sects : 4u) + 1) * SECTOR;
	if (setup >= size)
		return diag_set(d, "the kernel file is truncated: its setup code ends at %zu of %zu bytes; copy it again",
				setup, size);
	if (check_sizes(&k->hdr, setup, size, d) || check_placement(&k->hdr, d))
		return -1;

	k->payload = file + setup;
	k->payload_size = size - setup;
	k->kernel_64 = k->hdr.version >= 0x020c &&
		       (k->hdr.xloadflags & XLF_KERNEL_64);
	if (k->kernel_64 && k->payload_size <= 0x200)
		return diag_set(d, "the kernel file is truncated: it ends before its 64-bit entry point; copy it again");
	read_release(file, setup, &k->hdr, k->release, sizeof(k->release));
	return 0;
}
