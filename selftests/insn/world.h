/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A small world for the interpreter: a few regions of guest-linear memory,
 * page faults everywhere else, and ports and registers that do nothing.
 */
#ifndef RVM_TEST_WORLD_H
#define RVM_TEST_WORLD_H

#include "../../module/insn/exec.h"

struct region {
	u64 start;
	u32 len;
	u8 *mem;		/* as the guest sees it */
	bool writable;
	bool noexec;
	u32 accesses;		/* by data accesses that met this region */
	bool super;		/* ring 3 has no access */
	bool counted;		/* every data access is: none through the cache */
};

#define MAX_REGIONS	8
#define MAX_LOG		64

struct unit_image;

struct world {
	struct rvm_insn insn;
	struct rvm_cpu cpu;
	struct region region[MAX_REGIONS];
	u32 nr_regions;

	/* addresses whose page fault the test cannot foresee end the case */
	bool (*foreign)(u64 gla);
	bool hit_foreign;
	u64 present_from;	/* page faults from here on say P, as Linux makes them; 0: none */

	u32 accesses;		/* calls of read, write, cmpxchg, pio in this step */
	u32 exit_at;		/* the access that returns EXIT, 0 for none */
	bool exited;
	u64 chaos;		/* callbacks refuse at random: state of rnd(), 0 for never */

	/* accesses answered in an attempt that ended in EXIT: replayed in order */
	bool replay;
	bool mismatch;
	u32 log_n, log_pos;
	struct { u32 kind, len; u64 gla; u8 data[RVM_INSN_BUF]; } log[MAX_LOG];

	struct unit_image *unit;	/* FPU registers, see unit.h; NULL: no unit */

	void *cache;		/* what world_cache() allocated; free() it */
	u64 mapped;		/* pages given to the interpreter's TLB */
	/* called for OUT and MOV to CR3, before anything else happens */
	void (*hook)(struct world *w, u64 val);
	u64 port_sum;		/* what went through ports, mixed */
	bool stop_at_out;	/* OUT ends a run */
};

void world_init(struct world *w);
/* With translations and decoded instructions cached, or without. */
void world_cache(struct world *w, bool on);
void world_region(struct world *w, u64 start, u32 len, u8 *mem, bool writable);

/* xorshift64*: seeds are printed, so that a case can be run again */
static inline u64 rnd(u64 *s)
{
	*s ^= *s >> 12;
	*s ^= *s << 25;
	*s ^= *s >> 27;
	return *s * 2685821657736338717ull;
}

#endif /* RVM_TEST_WORLD_H */
