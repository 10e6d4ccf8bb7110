// SPDX-License-Identifier: GPL-2.0
/*
 * What the tests reach: linked into each program of "make coverage" in front of
 * the calls that execute and deliver (ld --wrap).  At its end a program adds
 * its counts to the file that COVER_FILE names; cover_report sums them up.
 */
#include <stdio.h>
#include <stdlib.h>
#include "cover.h"
#include "rows.h"
#include "world.h"

static u64 row[MAX_ROWS][2], row_done[MAX_ROWS], row_fault[MAX_ROWS];
static u64 raised[256], delivered[256], modes[COVER_MODES], pairs[RVM_NR_OPS];

/* As cover_mode_name() in cover_report has them; -1 where the state is no CPU's. */
static int mode_of(const struct rvm_cpu *c)
{
	u32 paging = rvm_is_paging(c), cpl = c->cpl & 3, big = !!(c->seg[RVM_CS].attr & RVM_SEG_DB);

	if (!rvm_is_protmode(c))
		return 0;
	if (rvm_is_v86(c))
		return 1 + paging;
	if (!rvm_is_long(c))
		return 3 + big * 8 + paging * 4 + cpl;
	if (!rvm_is_64bit(c))
		return 19 + big * 4 + cpl;
	return 27 + cpl;
}

static void note(struct rvm_insn *insn, const struct rvm_decoded *d, int mode, int rc)
{
	int nr = row_of(d, insn->bytes);

	modes[mode]++;
	if (rc == RVM_INSN_FAULT) {
		raised[insn->fault.vector]++;
		pairs[d->op] |= 1ull << (insn->fault.vector & 31);
	}
	if (nr < 0 || rc == RVM_INSN_UNHANDLED)
		return;
	row[nr][row_form(&rows[nr], d) == ROW_REG]++;
	if (rc == RVM_INSN_FAULT && !insn->fault.soft)
		row_fault[nr]++;
	else if (rc == RVM_INSN_OK || rc == RVM_INSN_HALT || rc == RVM_INSN_FAULT)
		row_done[nr]++;
}

int __real_rvm_insn_step(struct rvm_insn *insn);
int __real_rvm_insn_exec(struct rvm_insn *insn, const struct rvm_decoded *d);
int __real_rvm_insn_deliver(struct rvm_insn *insn, const struct rvm_fault *event, u32 len,
			    bool external);

int __wrap_rvm_insn_step(struct rvm_insn *insn)
{
	u32 dec = rvm_insn_mode(insn);
	int mode = mode_of(insn->cpu), rc = __real_rvm_insn_step(insn);
	struct rvm_decoded d;

	if (!rvm_insn_decode(insn->bytes, insn->nr_bytes, dec, &d)) {
		note(insn, &d, mode, rc);
	} else if (rc == RVM_INSN_FAULT) {
		raised[insn->fault.vector]++;
		modes[mode]++;
	}
	return rc;
}

int __wrap_rvm_insn_exec(struct rvm_insn *insn, const struct rvm_decoded *d)
{
	int mode = mode_of(insn->cpu), rc = __real_rvm_insn_exec(insn, d);

	note(insn, d, mode, rc);
	return rc;
}

int __wrap_rvm_insn_deliver(struct rvm_insn *insn, const struct rvm_fault *event, u32 len,
			    bool external)
{
	u8 vector = event->vector;
	int rc = __real_rvm_insn_deliver(insn, event, len, external);

	if (rc == RVM_INSN_OK)
		delivered[vector]++;
	return rc;
}

static void __attribute__((constructor)) begin(void)
{
	rows_init();
}

static void __attribute__((destructor)) end(void)
{
	const char *name = getenv("COVER_FILE");
	FILE *f = name ? fopen(name, "w") : NULL;
	u32 i;

	if (!f)
		return;
	/* name last: it has spaces */
	for (i = 0; i < nr_rows; i++)
		fprintf(f, "row %u %u %u %llu %llu %llu %llu %s %s\n", i, rows[i].forms, rows[i].op,
			(unsigned long long)row[i][0], (unsigned long long)row[i][1],
			(unsigned long long)row_done[i], (unsigned long long)row_fault[i],
			rvm_op_name(rows[i].op), row_name(i));
	for (i = 0; i < 256; i++)
		fprintf(f, "vector %u %llu %llu\n", i, (unsigned long long)raised[i],
			(unsigned long long)delivered[i]);
	for (i = 0; i < COVER_MODES; i++)
		fprintf(f, "mode %u %llu\n", i, (unsigned long long)modes[i]);
	for (i = 0; i < RVM_NR_OPS; i++)
		if (pairs[i])
			fprintf(f, "pair %s %llx\n", rvm_op_name(i), (unsigned long long)pairs[i]);
	fclose(f);
}
