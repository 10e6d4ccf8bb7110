// SPDX-License-Identifier: GPL-2.0
/*
 * Random bytes as code and random CPU state, under the address and undefined
 * behaviour sanitizers; and instructions as transactions.
 *
 *   robust [-n cases] [-s seed]
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "world.h"

#define CODE	0x1000ull
#define DATA	0x8000ull
#define LEN	0x4000u

static struct world w;
static u8 *code, *data, *saved;
static u64 seed = 1, cases = 60000;

/* Every prefix of random bytes in a buffer of exactly its size. */
static bool decode_within_bounds(u64 n)
{
	u64 s = seed * 77 + 1;
	struct rvm_decoded d;
	u64 i;
	u32 j, len, mode;

	for (i = 0; i < n; i++) {
		u8 *b;
		int rc;

		len = rnd(&s) % 18;
		b = malloc(len ? len : 1);
		for (j = 0; j < len; j++)
			b[j] = rnd(&s) >> 40;
		if (len > 1 && rnd(&s) % 3 == 0)
			b[0] = "\x0f\x66\xf3\xf2\xc4\xc5\x62\x8f"[rnd(&s) & 7];
		mode = rnd(&s) % 3 | (rnd(&s) & 4);
		rc = rvm_insn_decode(b, len, mode, &d);
		free(b);
		if (rc == RVM_DECODE_OK && (d.len == 0 || d.len > len || d.len > 15))
			return false;
		if (rc == RVM_DECODE_MORE && len >= 15)
			return false;
		if (rc < 0 || rc > RVM_DECODE_LONG || (rc == RVM_DECODE_OK && d.op >= RVM_NR_OPS))
			return false;
	}
	return true;
}

static void random_seg(struct rvm_seg *s, u64 *r)
{
	s->sel = rnd(r) >> 48;
	s->base = rnd(r) & 3 ? 0 : rnd(r) & 0xffff;
	s->limit = rnd(r) & 3 ? 0xffffffff : rnd(r) & 0xffff;
	s->attr = (rnd(r) & 0x1fff) | (rnd(r) & 3 ? RVM_SEG_P | RVM_SEG_S | RVM_SEG_W : 0);
}

static void random_cpu(struct rvm_cpu *c, u64 *r)
{
	u32 i, kind = rnd(r) % 5;

	memset(c, 0, sizeof(*c));
	for (i = 0; i < 16; i++) {
		switch (rnd(r) & 3) {
		case 0:
			c->gpr[i] = rnd(r);
			break;
		case 1:
			c->gpr[i] = rnd(r) & 0xff;
			break;
		default:
			c->gpr[i] = DATA + rnd(r) % LEN;
		}
	}
	for (i = 0; i < RVM_NR_SREGS; i++)
		random_seg(&c->seg[i], r);
	c->rip = CODE + rnd(r) % LEN;
	c->rflags = (rnd(r) & 0x3f7fd5 & ~RVM_FL_VM) | RVM_FL_FIXED;
	c->cr4 = rnd(r) & 0x7fffff;
	c->cr0 = RVM_CR0_ET | (rnd(r) & 0x5003e);
	c->cpl = 0;
	c->seg[RVM_TR].limit = rnd(r) & 0x1fff;
	c->seg[RVM_TR].base = DATA;
	c->seg[RVM_TR].attr = RVM_SEG_P | (rnd(r) & 1 ? 0xb : 3);
	c->gdtr.base = DATA;
	c->gdtr.limit = rnd(r);
	c->idtr.base = DATA + (rnd(r) & 0xfff);
	c->idtr.limit = rnd(r);
	c->star = rnd(r);
	c->lstar = rnd(r) & 0xffff;
	c->cstar = rnd(r) & 0xffff;
	c->sysenter_cs = rnd(r) & 0xffff;
	if (kind >= 1)
		c->cr0 |= RVM_CR0_PE;
	if (kind >= 2)
		c->cpl = rnd(r) & 3;
	if (kind == 2) {
		c->rflags |= RVM_FL_VM;
		c->cpl = 3;
	}
	if (kind >= 3) {
		c->efer = RVM_EFER_LME | RVM_EFER_LMA | (rnd(r) & 1);
		c->cr0 |= RVM_CR0_PG;
		c->cr4 |= RVM_CR4_PAE;
		if (kind == 4) {
			c->seg[RVM_CS].attr |= RVM_SEG_L;
			c->seg[RVM_CS].attr &= ~RVM_SEG_DB;
		}
	}
}

static u64 results[6], delivered, nested;

static bool random_code(u64 n)
{
	u64 i, s = seed;
	u32 j, steps;

	for (i = 0; i < n; i++) {
		u64 r = (seed + i) * 0x9e3779b97f4a7c15ull | 1;

		if (i % 256 == 0)
			for (j = 0; j < LEN; j++) {
				code[j] = rnd(&s) >> 40;
				data[j] = rnd(&s) >> 40;
			}
		random_cpu(&w.cpu, &r);
		w.insn.intel = rnd(&r) & 1;
		w.insn.hide = rnd(&r) & rnd(&r) & rnd(&r);
		for (steps = 0; steps < 40; steps++) {
			int rc = rvm_insn_step(&w.insn);

			if (rc < 0 || rc > RVM_INSN_RETRY)
				return false;
			results[rc]++;
			if (rc == RVM_INSN_UNHANDLED) {
				if (!w.insn.reason)
					return false;
				break;
			}
			if (rc == RVM_INSN_EXIT)
				return false;
			if (rc == RVM_INSN_FAULT) {
				struct rvm_fault f = w.insn.fault;

				rc = rvm_insn_deliver(&w.insn, &f, w.insn.len, false);
				delivered += rc == RVM_INSN_OK;
				nested += rc == RVM_INSN_FAULT;
				if (rc)
					break;
			}
		}
	}
	return true;
}

static u64 transactions, exits;

/*
 * Where its bytes may change under the instruction, by its own writes or another
 * vCPU's, the second attempt is at another instruction.
 */
static bool code_in_data(const struct rvm_cpu *c)
{
	bool code64 = (c->efer & RVM_EFER_LMA) && (c->seg[RVM_CS].attr & RVM_SEG_L);
	u64 at = code64 ? c->rip : (u32)(c->seg[RVM_CS].base + c->rip);

	return at + RVM_INSN_MAX > DATA && at < DATA + LEN;
}

/*
 * The instruction once undisturbed; then with EXIT at its first, second, ..
 * access and run again with the answers so far: the same result each time, and
 * nothing changed by the attempt that ended in EXIT.
 */
static bool replay_one(const struct rvm_cpu *start)
{
	struct rvm_cpu want, before;
	u8 *final = malloc(LEN);
	struct rvm_fault want_fault;
	int want_rc, rc;
	u32 n, k, tries;
	u64 want_ports;
	bool ok = true;

	memcpy(saved, data, LEN);
	w.cpu = *start;
	w.exit_at = 0;
	w.replay = false;
	w.accesses = 0;
	w.port_sum = 0;
	want_rc = rvm_insn_step(&w.insn);
	want = w.cpu;
	want_fault = w.insn.fault;
	want_ports = w.port_sum;
	n = w.accesses;
	memcpy(final, data, LEN);
	if (n > 40)
		n = 40;
	for (k = 1; k <= n && ok; k++) {
		memcpy(data, saved, LEN);
		w.cpu = *start;
		w.replay = true;
		w.mismatch = w.exited = false;
		w.log_n = w.log_pos = 0;
		w.accesses = 0;
		w.port_sum = 0;
		w.exit_at = k;
		rc = rvm_insn_step(&w.insn);
		exits++;
		if (rc != RVM_INSN_EXIT) {
			ok = false;
			break;
		}
		before = *start;
		/* of a repeated instruction whole iterations may be done */
		if (!(w.insn.len && memchr("\xf2\xf3", w.insn.bytes[0], 2)) &&
		    memcmp(&before, &w.cpu, sizeof(before))) {
			u32 p;
			bool rep = false;

			for (p = 0; p < w.insn.len; p++)
				rep |= w.insn.bytes[p] == 0xf2 || w.insn.bytes[p] == 0xf3;
			if (!rep) {
				printf("# state changed by an attempt\n");
				ok = false;
			}
		}
		for (tries = 0; tries < 3; tries++) {
			w.log_pos = 0;
			rc = rvm_insn_step(&w.insn);
			if (rc != RVM_INSN_EXIT)
				break;
		}
		/* slices of REP are counted anew by the second attempt */
		if (rc == RVM_INSN_RETRY || want_rc == RVM_INSN_RETRY)
			continue;
		if (rc != want_rc || w.mismatch || memcmp(&want, &w.cpu, sizeof(want)) ||
		    memcmp(final, data, LEN) || w.port_sum != want_ports ||
		    (rc == RVM_INSN_FAULT && memcmp(&want_fault, &w.insn.fault,
						     sizeof(want_fault)))) {
			printf("# replay differs at access %u of %u: rc %d want %d%s\n", k, n, rc,
			       want_rc, w.mismatch ? ", other accesses" : "");
			ok = false;
		}
	}
	w.exit_at = 0;
	w.replay = false;
	if (!ok) {
		printf("#  bytes:");
		for (k = 0; k < w.insn.nr_bytes; k++)
			printf(" %02x", w.insn.bytes[k]);
		printf("\n");
	}
	memcpy(data, final, LEN);
	free(final);
	transactions++;
	return ok;
}

static bool replay(u64 n)
{
	u64 i, s = seed * 3 + 1;
	u32 j, bad = 0;

	/* only the data is put back between the attempts */
	w.region[0].writable = false;
	for (i = 0; i < n; i++) {
		u64 r = (seed + i) * 0xd1342543de82ef95ull | 1;
		struct rvm_cpu start;

		if (i % 256 == 0)
			for (j = 0; j < LEN; j++) {
				code[j] = rnd(&s) >> 40;
				data[j] = rnd(&s) >> 40;
			}
		random_cpu(&start, &r);
		start.rflags &= ~RVM_FL_TF;
		if (code_in_data(&start))
			continue;
		if (!replay_one(&start) && ++bad > 5)
			return false;
	}
	return !bad;
}

static u64 refusals;

/*
 * Any callback refuses at random, with EXIT, RETRY or UNHANDLED, any number of
 * times; in half of the cases another vCPU writes to the data between the
 * attempts.  An attempt that was refused has changed nothing (of a repeated
 * instruction: whole iterations at most), every attempt makes the accesses of
 * the one before, and undisturbed data give the undisturbed result.
 */
static bool chaos_one(const struct rvm_cpu *start, u64 *r)
{
	u8 *final = malloc(LEN);
	bool others = rnd(r) & 1, rep = false, ok = true;
	struct rvm_cpu want;
	int want_rc, rc = 0;
	u32 tries, p;

	memcpy(saved, data, LEN);
	w.cpu = *start;
	w.chaos = 0;
	want_rc = rvm_insn_step(&w.insn);
	want = w.cpu;
	memcpy(final, data, LEN);
	for (p = 0; p < w.insn.nr_bytes; p++)
		rep |= w.insn.bytes[p] == 0xf2 || w.insn.bytes[p] == 0xf3;

	memcpy(data, saved, LEN);
	w.cpu = *start;
	w.replay = true;
	w.mismatch = false;
	w.log_n = 0;
	w.chaos = rnd(r) | 1;
	for (tries = 0; tries < 400 && ok; tries++) {
		w.log_pos = 0;
		w.insn.reason = NULL;
		rc = rvm_insn_step(&w.insn);
		if (rc != RVM_INSN_EXIT && rc != RVM_INSN_RETRY &&
		    (rc != RVM_INSN_UNHANDLED || !w.insn.reason || strcmp(w.insn.reason, "chaos")))
			break;
		refusals++;
		if (!rep && memcmp(start, &w.cpu, sizeof(w.cpu)))
			ok = false;
		for (p = 0; others && p < 16; p++)
			data[rnd(r) % LEN] = rnd(r);
	}
	/* REP: slices are counted anew by each attempt */
	if (ok && (w.mismatch || (!others && !rep && want_rc != RVM_INSN_RETRY &&
				  (rc != want_rc || memcmp(&want, &w.cpu, sizeof(want)) ||
				   memcmp(final, data, LEN)))))
		ok = false;
	w.chaos = 0;
	w.replay = false;
	if (!ok) {
		printf("# refused at random: rc %d want %d%s:", rc, want_rc,
		       w.mismatch ? ", other accesses" : "");
		for (p = 0; p < w.insn.nr_bytes; p++)
			printf(" %02x", w.insn.bytes[p]);
		printf("\n");
	}
	memcpy(data, final, LEN);
	free(final);
	return ok;
}

static bool refused_at_random(u64 n)
{
	u64 i, s = seed * 5 + 1;
	u32 j, bad = 0;

	w.region[0].writable = false;
	for (i = 0; i < n; i++) {
		u64 r = (seed + i) * 0xbf58476d1ce4e5b9ull | 1;
		struct rvm_cpu start;

		if (i % 256 == 0)
			for (j = 0; j < LEN; j++) {
				code[j] = rnd(&s) >> 40;
				data[j] = rnd(&s) >> 40;
			}
		random_cpu(&start, &r);
		start.rflags &= ~RVM_FL_TF;
		if (code_in_data(&start))
			continue;
		if (!chaos_one(&start, &r) && ++bad > 5)
			return false;
	}
	return !bad;
}

int main(int argc, char **argv)
{
	bool ok[4];
	int c;

	while ((c = getopt(argc, argv, "n:s:")) != -1) {
		if (c == 'n')
			cases = strtoull(optarg, NULL, 0);
		else if (c == 's')
			seed = strtoull(optarg, NULL, 0);
		else
			return 2;
	}
	code = malloc(LEN);
	data = malloc(LEN);
	saved = malloc(LEN);
	world_init(&w);
	world_region(&w, CODE, LEN, code, true);
	world_region(&w, DATA, LEN, data, true);
	printf("KTAP version 1\n1..4\n");
	ok[0] = decode_within_bounds(cases * 8);
	printf("%sok 1 decoder_reads_within_bounds\n", ok[0] ? "" : "not ");
	ok[1] = random_code(cases);
	printf("# seed %llu: %llu done, %llu faults (%llu delivered, %llu nested), %llu halts, %llu refused, %llu slices\n",
	       (unsigned long long)seed, (unsigned long long)results[RVM_INSN_OK],
	       (unsigned long long)results[RVM_INSN_FAULT], (unsigned long long)delivered,
	       (unsigned long long)nested, (unsigned long long)results[RVM_INSN_HALT],
	       (unsigned long long)results[RVM_INSN_UNHANDLED],
	       (unsigned long long)results[RVM_INSN_RETRY]);
	printf("%sok 2 random_code_and_state\n", ok[1] ? "" : "not ");
	ok[2] = replay(cases);
	printf("# %llu instructions, %llu exits\n", (unsigned long long)transactions,
	       (unsigned long long)exits);
	printf("%sok 3 exit_and_replay\n", ok[2] ? "" : "not ");
	ok[3] = refused_at_random(cases);
	printf("# %llu refusals\n", (unsigned long long)refusals);
	printf("%sok 4 refused_at_random\n", ok[3] ? "" : "not ");
	free(code);
	free(data);
	free(saved);
	return !(ok[0] && ok[1] && ok[2] && ok[3]);
}
