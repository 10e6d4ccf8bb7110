/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The rows of the decoder's opcode tables, numbered: one for each opcode,
 * mandatory prefix and group member that the tables define, legacy and VEX
 * forms apart.  Tests draw instructions from them and count which were met.
 */
#ifndef RVM_TEST_ROWS_H
#define RVM_TEST_ROWS_H

#include "../../module/insn/decode.h"

#define ROW_ANY		0xff	/* pp, reg, rm: not part of the row's encoding */

/* row.forms */
#define ROW_NONE	1u	/* no ModRM */
#define ROW_MEM		2u
#define ROW_REG		4u

/**
 * struct row - one row
 * @op: enum rvm_op
 * @enc: RVM_ENC_LEGACY or RVM_ENC_VEX
 * @map: as rvm_decoded.map
 * @pp: mandatory prefix: 0 none, 1 66, 2 F3, 3 F2
 * @reg, @rm: ModRM fields that belong to the opcode
 * @forms: ROW_*: those that exist
 * @flags: the cell's
 */
struct row {
	u16 op;
	u16 flags;
	u8 enc, map, opcode, pp, reg, rm, forms;
};

#define MAX_ROWS	2600

extern struct row rows[MAX_ROWS];
extern u32 nr_rows;

void rows_init(void);

/* Row of a decoded instruction and the bytes it came from; -1 for none. */
int row_of(const struct rvm_decoded *d, const u8 *bytes);

/* ROW_* of this instance. */
static inline u32 row_form(const struct row *r, const struct rvm_decoded *d)
{
	return r->forms == ROW_NONE ? ROW_NONE : d->modrm >> 6 == 3 ? ROW_REG : ROW_MEM;
}

/*
 * An instance of a row at @b, where RVM_INSN_MAX bytes are random already: random
 * prefixes, the form by chance where there are two.  @gen: state of rnd().
 */
void row_bytes(u8 *b, u32 mode, const struct row *r, u64 *gen);

/* Random prefixes; returns how many. */
u32 row_prefixes(u8 *b, u32 mode, u64 *gen);

/* "0F38 F3 /1 (66) VEX BLSR", in a static buffer. */
const char *row_name(u32 nr);

#endif /* RVM_TEST_ROWS_H */
