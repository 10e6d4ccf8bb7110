/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Descriptors, as segment loads, far transfers and exception delivery need
 * them.  Private to insn/.
 */
#ifndef RVM_INSN_SEGMENT_H
#define RVM_INSN_SEGMENT_H

#include "exec.h"

/**
 * struct rvm_desc - a descriptor as read from its table
 * @raw: the eight bytes; for a 16-byte system descriptor the first eight
 * @high: bytes 8..15 of a 16-byte one
 * @gla: where it was read
 */
struct rvm_desc {
	u64 raw;
	u64 high;
	u64 gla;
};

static inline u32 rvm_desc_attr(const struct rvm_desc *d)
{
	return (d->raw >> 40 & 0xff) | (d->raw >> 44 & 0xf00);
}

static inline u32 rvm_desc_dpl(const struct rvm_desc *d)
{
	return d->raw >> 45 & 3;
}

static inline u32 rvm_desc_type(const struct rvm_desc *d)
{
	return d->raw >> 40 & 0x1f;	/* with S */
}

static inline bool rvm_desc_present(const struct rvm_desc *d)
{
	return d->raw >> 47 & 1;
}

static inline u32 rvm_desc_limit(const struct rvm_desc *d)
{
	u32 limit = (d->raw & 0xffff) | (d->raw >> 32 & 0xf0000);

	return d->raw >> 55 & 1 ? limit << 12 | 0xfff : limit;
}

static inline u64 rvm_desc_base(const struct rvm_desc *d)
{
	return (d->raw >> 16 & 0xffffff) | (d->raw >> 32 & 0xff000000);
}

static inline bool rvm_null_sel(u16 sel)
{
	return !(sel & ~3);
}

/* Read the descriptor of @sel; @vector with the selector as error code if there is none. */
int rvm_desc_read(struct rvm_insn *insn, u16 sel, u8 vector, struct rvm_desc *d);

/* The same for a system descriptor, which has 16 bytes in long mode. */
int rvm_desc_read_sys(struct rvm_insn *insn, u16 sel, u8 vector, struct rvm_desc *d);

/* Set bits in the type field, in memory and in @d, if they are not set. */
int rvm_desc_mark(struct rvm_insn *insn, struct rvm_desc *d, u32 bits);

/* What the hidden part of a segment register becomes. */
void rvm_seg_from_desc(struct rvm_seg *s, u16 sel, const struct rvm_desc *d);
void rvm_seg_real(const struct rvm_insn *insn, struct rvm_seg *s, u32 seg, u16 sel);
void rvm_seg_null(struct rvm_seg *s, u16 sel);

/*
 * All checks of loading @sel into @seg (not CS), the accessed bit included;
 * the caller stores *out into the register when it commits.
 */
int rvm_seg_load(struct rvm_insn *insn, u32 seg, u16 sel, struct rvm_seg *out);

/* The checks of SS for a change of ring, with @vector on failure. */
int rvm_seg_load_ss(struct rvm_insn *insn, u16 sel, u32 cpl, u8 vector, struct rvm_seg *out);

/* After a return outwards: segments that the new CPL may not hold become null. */
void rvm_seg_drop(struct rvm_insn *insn, u32 cpl);

int rvm_x_sel_fault(struct rvm_insn *insn, u8 vector, u16 sel);

#endif /* RVM_INSN_SEGMENT_H */
