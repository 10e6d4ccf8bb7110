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

/*
 * A stack that may not be the present one: of an inner ring on the way in, or
 * read with the present one's rules on the way out.
 */
struct rvm_xstack {
	struct rvm_seg ss;
	u64 sp;
	u32 asize;
	u32 acc;	/* RVM_ACC_IMPLICIT for an inner ring's, entered from ring 3 */
	u16 err;	/* error code of #SS */
	bool flat;	/* 64-bit: canonical check only */
};

void rvm_xstack_begin(const struct rvm_insn *insn, struct rvm_xstack *s);
void rvm_xstack_set(const struct rvm_insn *insn, struct rvm_xstack *s,
		    const struct rvm_seg *ss, u64 sp, u32 cpl, bool flat);
/* Is there room for @count pushes, by segment limit or canonical form alone? */
int rvm_xstack_room(struct rvm_insn *insn, const struct rvm_xstack *s, u32 size, u32 count);
int rvm_xpush(struct rvm_insn *insn, struct rvm_xstack *s, u32 size, u64 val);
int rvm_xpop(struct rvm_insn *insn, struct rvm_xstack *s, u32 size, u64 *val);

/* Stack pointer and SS that the TSS holds for ring @cpl; @vector #TS on failure. */
int rvm_tss_stack(struct rvm_insn *insn, u32 cpl, u16 ext, u16 *ss, u64 *sp);

/* The code segment and RIP a far transfer ends in; checked, accessed bit set. */
struct rvm_target {
	struct rvm_seg cs;
	u64 rip;
	u32 cpl;
};

/* RIP within @cs, or canonical for a 64-bit one. */
int rvm_check_target(struct rvm_insn *insn, const struct rvm_seg *cs, u64 rip);

void rvm_commit_target(struct rvm_insn *insn, const struct rvm_target *t);

/* Flags that IRET takes from its image (SDM vol. 2, IRET). */
u64 rvm_iret_mask(const struct rvm_cpu *cpu, u32 size);

enum rvm_task_how { RVM_TASK_JMP, RVM_TASK_CALL, RVM_TASK_IRET, RVM_TASK_INT };

/**
 * rvm_task_switch - hardware task switch (SDM vol. 3 §7.3)
 * @sel: selector of the new task's TSS
 * @how: what causes it
 * @next_rip: RIP saved in the old task
 * @flags: flags saved in the old task
 * @error: error code to push in the new task, or -1
 * @ext: EXT bit for error codes
 */
int rvm_task_switch(struct rvm_insn *insn, u16 sel, enum rvm_task_how how, u64 next_rip,
		    u64 flags, s64 error, u16 ext);

int rvm_read_far_pointer(struct rvm_insn *insn, const struct rvm_decoded *d, u32 size, u16 *sel,
			 u64 *off);

int rvm_x_sel_fault(struct rvm_insn *insn, u8 vector, u16 sel);

/* @rc; where it is a fault with an error code of its own, that gets the EXT bit. */
int rvm_x_add_ext(struct rvm_insn *insn, int rc, u32 ext);

#endif /* RVM_INSN_SEGMENT_H */
