// SPDX-License-Identifier: GPL-2.0
/*
 * The decoder compared with libcapstone: every opcode of every map, with every
 * ModRM, under each prefix, in 16, 32 and 64-bit code.  Compared: whether the
 * instruction is defined, and its length.
 *
 * Where the two differ and the manuals decide against capstone, the difference
 * is listed in explained[] with its reason; a difference not listed is a
 * failure, and so is an entry that no difference used.
 *
 *   decode_cmp [-a] [-v]     -a: all prefixes with all ModRM bytes
 */
#include <capstone/capstone.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../../module/insn/decode.h"

enum { WE_UD = 1, WE_OK = 2, LENGTH = 4 };

struct diff {
	u32 mode, kind;		/* WE_UD: we say #UD and capstone does not; WE_OK: the reverse */
	u8 map;			/* as rvm_decoded.map, 0x80 added for VEX */
	const struct rvm_decoded *d;
};

struct explained {
	const char *why;
	bool (*is)(const struct diff *f);
	u64 hits;
};

#include "decode_explained.h"

static bool all, verbose;
static u64 compared, agreed, explained_hits, failures;
static csh cs[3];

static void compare(u32 mode, const u8 *bytes)
{
	struct rvm_decoded d;
	cs_insn *insn = NULL;
	size_t n;
	int rc, kind = 0;
	u32 i, len = 0;
	u8 map;

	/* both are given Intel's rules for near branches with the prefix 66 */
	rc = rvm_insn_decode(bytes, RVM_INSN_MAX_BYTES, mode | RVM_DEC_INTEL, &d);
	n = cs_disasm(cs[mode], bytes, RVM_INSN_MAX_BYTES, 0x1000, 1, &insn);
	compared++;
	if (n)
		len = insn->size;
	if (rc && n)
		kind = WE_UD;
	else if (!rc && !n)
		kind = WE_OK;
	else if (!rc && d.len != len)
		kind = LENGTH;
	if (!kind) {
		agreed++;
		goto out;
	}
	map = d.map | (d.enc ? 0x80 : 0);
	for (i = 0; i < sizeof(explained) / sizeof(explained[0]); i++) {
		struct diff f = { .mode = mode, .kind = kind, .map = map, .d = &d };
		struct explained *e = &explained[i];

		if (e->is(&f)) {
			e->hits++;
			explained_hits++;
			goto out;
		}
	}
	if (failures++ < 60 || verbose) {
		printf("# %u-bit map %x opcode %02x:", 16 << mode, map, d.opcode);
		for (i = 0; i < 12; i++)
			printf(" %02x", bytes[i]);
		printf("  ours: %s %s len %u  capstone: %s %s len %u\n", rc ? "invalid" : "",
		       rvm_op_name(d.op), d.len, n ? insn->mnemonic : "invalid",
		       n ? insn->op_str : "", len);
	}
out:
	if (n)
		cs_free(insn, n);
}

int main(int argc, char **argv)
{
	enum { MALL = 7, M64 = 4 };
	static const struct { u8 n, b[4], modes; } prefixes[] = {
		{ 0, { 0 }, MALL }, { 1, { 0x66 }, MALL }, { 1, { 0xf3 }, MALL },
		{ 1, { 0xf2 }, MALL }, { 1, { 0x67 }, MALL }, { 1, { 0xf0 }, MALL },
		{ 2, { 0x66, 0xf2 }, MALL }, { 2, { 0x66, 0xf3 }, MALL },
		{ 1, { 0x64 }, MALL }, { 1, { 0x2e }, MALL },
		{ 1, { 0x48 }, M64 }, { 1, { 0x41 }, M64 }, { 1, { 0x47 }, M64 },
		{ 2, { 0x66, 0x48 }, M64 }, { 2, { 0xf3, 0x48 }, M64 }, { 2, { 0xf2, 0x48 }, M64 },
	};
	static const u8 some[] = { 0x00, 0x04, 0x05, 0x06, 0x0d, 0x14, 0x1c, 0x25, 0x2e, 0x34, 0x3d,
				   0x45, 0x4c, 0x54, 0x5e, 0x66, 0x6c, 0x75, 0x7c, 0x84, 0x8d, 0x94,
				   0x9e, 0xa4, 0xae, 0xb5, 0xbe, 0xc0, 0xc9, 0xd2, 0xdb, 0xe4, 0xed,
				   0xf6, 0xff };
	static const u8 map_bytes[4][3] = { { 0 }, { 1, 0x0f }, { 2, 0x0f, 0x38 }, { 2, 0x0f, 0x3a } };
	static const cs_mode modes[3] = { CS_MODE_16, CS_MODE_32, CS_MODE_64 };
	u32 mode, map, op, p, m, vex, i, unused = 0;
	int c;

	while ((c = getopt(argc, argv, "av")) != -1) {
		if (c == 'a')
			all = true;
		else if (c == 'v')
			verbose = true;
		else
			return 2;
	}
	printf("KTAP version 1\n1..2\n");
	for (mode = 0; mode < 3; mode++)
		if (cs_open(CS_ARCH_X86, modes[mode], &cs[mode]) != CS_ERR_OK)
			return 1;

	for (mode = 0; mode < 3; mode++)
	for (p = 0; p < ARRAY_SIZE(prefixes); p++) {
		if (!(prefixes[p].modes >> mode & 1))
			continue;
		for (map = 0; map < 4; map++)
		for (op = 0; op < 256; op++) {
			bool full = all || p == 0;

			for (m = 0; m < (full ? 256 : ARRAY_SIZE(some)); m++) {
				u8 b[RVM_INSN_MAX_BYTES] = { 0 };
				u32 n = prefixes[p].n;

				memcpy(b, prefixes[p].b, n);
				memcpy(b + n, map_bytes[map] + 1, map_bytes[map][0]);
				n += map_bytes[map][0];
				b[n++] = op;
				b[n++] = full ? m : some[m];
				for (i = n; i < sizeof(b); i++)
					b[i] = i * 37 + op + m * 5;
				/* prefixes, escapes and VEX have their own rounds */
				if (map == 0 && (op == 0x0f || op == 0x26 || op == 0x2e ||
				    op == 0x36 || op == 0x3e || (op >= 0x64 && op <= 0x67) ||
				    op == 0xf0 || op == 0xf2 || op == 0xf3 ||
				    (mode == 2 && (op & 0xf0) == 0x40) ||
				    op == 0x62 || op == 0xc4 || op == 0xc5 ||
				    (op == 0x8f && (b[n - 1] & 0x38))))
					continue;
				if (map == 1 && (op == 0x38 || op == 0x3a))
					continue;
				compare(mode, b);
			}
		}
	}
	/* VEX, three bytes: map, W, L, pp; vvvv unused and used */
	for (mode = 0; mode < 3; mode++)
	for (map = 1; map < 4; map++)
	for (op = 0; op < 256; op++)
	for (vex = 0; vex < 32; vex++)
	for (m = 0; m < (all ? 256 : ARRAY_SIZE(some)); m++) {
		u8 b[RVM_INSN_MAX_BYTES] = { 0xc4, 0xe0 | map };

		b[2] = (vex & 7) | (vex & 8 ? 0x80 : 0) | (vex & 16 ? 0x50 : 0x78);
		b[3] = op;
		b[4] = all ? m : some[m];
		for (i = 5; i < sizeof(b); i++)
			b[i] = i * 37 + op + m * 5;
		compare(mode, b);
	}
	printf("# %llu compared, %llu agree, %llu explained differences, %llu others\n",
	       (unsigned long long)compared, (unsigned long long)agreed,
	       (unsigned long long)explained_hits, (unsigned long long)failures);
	printf("%sok 1 decoder_against_capstone\n", failures ? "not " : "");
	for (i = 0; i < sizeof(explained) / sizeof(explained[0]); i++) {
		if (verbose)
			printf("# %8llu %s\n", (unsigned long long)explained[i].hits,
			       explained[i].why);
		if (!explained[i].hits) {
			unused++;
			printf("# unused explanation: %s\n", explained[i].why);
		}
	}
	printf("%sok 2 every_explanation_is_needed\n", unused ? "not " : "");
	return failures || unused;
}
