// SPDX-License-Identifier: GPL-2.0
/*
 * The page-table walker against a model written from SDM vol. 3 chapter 4 alone:
 * random tables, control registers and accesses in every paging mode.
 * Compared: outcome, address, error code, CR2, and all of the tables after it
 * (accessed and dirty bits).
 *
 *   walk [-n cases] [-s seed]
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "../../module/mmu/walk.h"
#include "world.h"

#define FRAMES	24

static u64 frame_at[FRAMES];		/* guest-physical, page-aligned */
static u8 mem[FRAMES][4096], before[FRAMES][4096], want_mem[FRAMES][4096];
static bool rom[FRAMES];

static u64 seed = 1, cases = 800000, s;

static u8 *phys(u8 (*m)[4096], u64 gpa)
{
	int i;

	for (i = 0; i < FRAMES; i++)
		if ((gpa & ~0xfffull) == frame_at[i])
			return &m[i][gpa & 0xfff];
	return NULL;
}

/* ---- memory for the walker ---- */

static int meddle;		/* the cmpxchg before which somebody else writes */
static u32 updates;

static int op_read(void *priv, u64 gpa, void *entry, u32 size)
{
	u8 *p = phys(mem, gpa);

	if (size != 4 && size != 8)
		abort();
	if (!p)
		return RVM_INSN_UNHANDLED;
	memcpy(entry, p, size);
	return RVM_INSN_OK;
}

static int op_cmpxchg(void *priv, u64 gpa, void *old, const void *new_val, u32 size)
{
	u8 *p = phys(mem, gpa);
	int i;

	if (!p)
		abort();	/* it was read before */
	updates++;
	if (meddle && !--meddle)
		p[1] ^= 2;	/* bit 9: the guest's own */
	for (i = 0; i < FRAMES; i++)
		if (rom[i] && p >= mem[i] && p < mem[i] + 4096)
			return RVM_INSN_OK;
	if (!memcmp(p, old, size))
		memcpy(p, new_val, size);
	else
		memcpy(old, p, size);
	return RVM_INSN_OK;
}

static const struct rvm_walk_ops ops = { .read = op_read, .cmpxchg = op_cmpxchg };

/* ---- the model ---- */

struct result {
	int rc;
	u64 gpa;
	u32 error;
};

/* How the model came there: entries from the top down, and rights so far */
static struct {
	u64 at[5];
	u8 rights[5];
	int n;
} way;

static void went(u64 at, bool all_u, bool all_w, bool any_x)
{
	way.at[way.n] = at;
	way.rights[way.n++] = (all_w ? RVM_RIGHT_W : 0) | (all_u ? RVM_RIGHT_U : 0) |
		(any_x ? 0 : RVM_RIGHT_X);
}

static u64 load(u64 gpa, int size, bool *ok)
{
	u64 v = 0;
	u8 *p = phys(want_mem, gpa);

	*ok = p;
	if (p)
		memcpy(&v, p, size);
	return v;
}

static void set_bits(u64 gpa, u64 bits)
{
	u8 *p = phys(want_mem, gpa);
	int i;

	for (i = 0; i < FRAMES; i++)
		if (rom[i] && frame_at[i] == (gpa & ~0xfffull))
			return;
	p[0] |= bits;
}

static bool bit(u64 v, int n)
{
	return v >> n & 1;
}

/* Bits hi..lo of v */
static u64 bits(u64 v, int hi, int lo)
{
	return hi < lo ? 0 : v >> lo & ((2ull << (hi - lo)) - 1);
}

enum form { F_PML5E, F_PML4E, F_PDPTE, F_PDPTE_1G, F_PDE, F_PDE_2M, F_PTE, F_PAE_PDPTE,
	    F_PAE_PDE, F_PAE_PDE_2M, F_PAE_PTE, F_PDE32, F_PDE_4M, F_PTE32 };

/* Tables 4-4 to 4-20: the reserved bits of each form. */
static bool reserved(const struct rvm_cpu *c, enum form f, u64 e)
{
	int m = c->phys_bits;
	bool xd = bit(e, 63) && !(c->efer & RVM_EFER_NXE);
	bool high = bits(e, 51, m);

	switch (f) {
	case F_PML5E:
	case F_PML4E:
		return high || xd || bit(e, 7);
	case F_PDPTE:
	case F_PDE:
	case F_PTE:
		return high || xd;
	case F_PDPTE_1G:
		return high || xd || bits(e, 29, 13) || c->no_1g;
	case F_PDE_2M:
		return high || xd || bits(e, 20, 13);
	case F_PAE_PDPTE:
		return bits(e, 2, 1) || bits(e, 8, 5) || bits(e, 63, m);
	case F_PAE_PDE:
	case F_PAE_PTE:
		return bits(e, 62, m) || xd;
	case F_PAE_PDE_2M:
		return bits(e, 62, m) || xd || bits(e, 20, 13);
	case F_PDE_4M:
		/* table 4-4: bits (M-20):13 are the address, 21:(M-19) reserved */
		if (m > 40)
			m = 40;
		return bits(e, 21, m - 19);
	default:
		return false;
	}
}

static struct result model(const struct rvm_cpu *c, u64 la, u32 acc)
{
	bool write = acc & RVM_ACC_WRITE, fetch = acc & RVM_ACC_FETCH;
	bool user = c->cpl == 3 && !(acc & RVM_ACC_IMPLICIT);
	bool lm = c->efer & RVM_EFER_LMA, pae = c->cr4 & RVM_CR4_PAE;
	bool nxe = c->efer & RVM_EFER_NXE, wp = c->cr0 & RVM_CR0_WP;
	u64 a20 = c->a20_masked ? ~0x100000ull : ~0ull;
	u64 path[5], table, e = 0, page;
	int n = 0, i, size = 8, pages = 0;
	bool all_u = true, all_w = true, any_x = false, ok, pk = false, allow;
	u32 err;
	static const enum form dirs[] = { F_PML5E, F_PML4E, F_PDPTE, F_PDE, F_PTE };

	way.n = 0;
	/* §4.7 */
	err = (write ? 2 : 0) | (user ? 4 : 0);
	if (fetch && ((c->cr4 & RVM_CR4_SMEP) || (pae && nxe)))
		err |= 16;

	if (!(c->cr0 & RVM_CR0_PG))
		return (struct result){ RVM_INSN_OK, la & a20, 0 };

	if (!lm && !pae) {				/* §4.3 */
		size = 4;
		table = (c->cr3 & 0xfffff000) + bits(la, 31, 22) * 4;
		path[n++] = table & a20;
		e = load(table & a20, 4, &ok);
		if (!ok)
			return (struct result){ RVM_INSN_UNHANDLED };
		if (!bit(e, 0))
			return (struct result){ RVM_INSN_FAULT, 0, err };
		all_u = bit(e, 2);
		all_w = bit(e, 1);
		went(path[0], all_u, all_w, false);
		if (bit(e, 7) && (c->cr4 & RVM_CR4_PSE)) {
			if (reserved(c, F_PDE_4M, e))
				return (struct result){ RVM_INSN_FAULT, 0, err | 9 };
			page = bits(e, 20, 13) << 32 | bits(e, 31, 22) << 22 | bits(la, 21, 0);
		} else {
			table = (e & 0xfffff000) + bits(la, 21, 12) * 4;
			path[n++] = table & a20;
			e = load(table & a20, 4, &ok);
			if (!ok)
				return (struct result){ RVM_INSN_UNHANDLED };
			if (!bit(e, 0))
				return (struct result){ RVM_INSN_FAULT, 0, err };
			all_u &= bit(e, 2);
			all_w &= bit(e, 1);
			went(path[1], all_u, all_w, false);
			page = (e & 0xfffff000) | bits(la, 11, 0);
		}
	} else if (!lm) {				/* §4.4 */
		if (c->pdptes_kept) {
			e = c->pdpte[bits(la, 31, 30)];
		} else {
			e = load(((c->cr3 & 0xffffffe0) + bits(la, 31, 30) * 8) & a20, 8, &ok);
			if (!ok)
				return (struct result){ RVM_INSN_UNHANDLED };
		}
		if (!bit(e, 0))
			return (struct result){ RVM_INSN_FAULT, 0, err };
		/* where the CPU walks them itself, an emulated one sets A in them */
		if (reserved(c, F_PAE_PDPTE, c->pdptes_kept ? e : e & ~0x20ull))
			return (struct result){ RVM_INSN_FAULT, 0, err | 9 };
		table = (bits(e, 51, 12) << 12) + bits(la, 29, 21) * 8;
		path[n++] = table & a20;
		e = load(table & a20, 8, &ok);
		if (!ok)
			return (struct result){ RVM_INSN_UNHANDLED };
		if (!bit(e, 0))
			return (struct result){ RVM_INSN_FAULT, 0, err };
		if (reserved(c, bit(e, 7) ? F_PAE_PDE_2M : F_PAE_PDE, e))
			return (struct result){ RVM_INSN_FAULT, 0, err | 9 };
		all_u = bit(e, 2);
		all_w = bit(e, 1);
		any_x = bit(e, 63);
		went(path[0], all_u, all_w, any_x);
		if (bit(e, 7)) {
			page = bits(e, 51, 21) << 21 | bits(la, 20, 0);
		} else {
			table = (bits(e, 51, 12) << 12) + bits(la, 20, 12) * 8;
			path[n++] = table & a20;
			e = load(table & a20, 8, &ok);
			if (!ok)
				return (struct result){ RVM_INSN_UNHANDLED };
			if (!bit(e, 0))
				return (struct result){ RVM_INSN_FAULT, 0, err };
			if (reserved(c, F_PAE_PTE, e))
				return (struct result){ RVM_INSN_FAULT, 0, err | 9 };
			all_u &= bit(e, 2);
			all_w &= bit(e, 1);
			any_x |= bit(e, 63);
			went(path[1], all_u, all_w, any_x);
			page = bits(e, 51, 12) << 12 | bits(la, 11, 0);
		}
	} else {					/* §4.5 */
		int low = c->cr4 & RVM_CR4_LA57 ? 48 : 39;

		table = bits(c->cr3, 51, 12) << 12;
		for (i = c->cr4 & RVM_CR4_LA57 ? 0 : 1; ; i++, low -= 9) {
			enum form f = dirs[i];

			path[n] = (table + bits(la, low + 8, low) * 8) & a20;
			e = load(path[n++], 8, &ok);
			if (!ok)
				return (struct result){ RVM_INSN_UNHANDLED };
			if (!bit(e, 0))
				return (struct result){ RVM_INSN_FAULT, 0, err };
			if (f == F_PDPTE && bit(e, 7))
				f = F_PDPTE_1G;
			if (f == F_PDE && bit(e, 7))
				f = F_PDE_2M;
			if (reserved(c, f, e))
				return (struct result){ RVM_INSN_FAULT, 0, err | 9 };
			all_u &= bit(e, 2);
			all_w &= bit(e, 1);
			any_x |= bit(e, 63);
			went(path[n - 1], all_u, all_w, any_x);
			table = bits(e, 51, 12) << 12;
			if (f == F_PDPTE_1G)
				pages = 30;
			else if (f == F_PDE_2M)
				pages = 21;
			else if (f == F_PTE)
				pages = 12;
			if (pages)
				break;
		}
		page = bits(e, 51, pages) << pages | bits(la, pages - 1, 0);
		/* §4.6.2, and the PK bit of §4.7 */
		if ((c->cr4 & RVM_CR4_PKE) && all_u && !fetch) {
			u32 key = bits(e, 62, 59);
			bool ad = bit(c->pkru, 2 * key), wd = bit(c->pkru, 2 * key + 1);

			pk = ad || (wd && write && (user || wp));
		}
	}

	/* §4.6.1, in its own order: supervisor then user; read, write, fetch */
	if (!user) {
		if (fetch)
			allow = !(all_u && (c->cr4 & RVM_CR4_SMEP)) && !(nxe && any_x);
		else if (all_u && (c->cr4 & RVM_CR4_SMAP) &&
			 ((acc & RVM_ACC_IMPLICIT) || !(c->rflags & RVM_FL_AC)))
			allow = false;
		else
			allow = !write || !wp || all_w;
	} else {
		if (fetch)
			allow = all_u && !(nxe && any_x);
		else
			allow = all_u && (!write || all_w);
	}
	if (!allow || pk)
		return (struct result){ RVM_INSN_FAULT, 0, err | 1 | (pk ? 32 : 0) };

	for (i = 0; i < n; i++)
		set_bits(path[i], 0x20 | (i == n - 1 && write ? 0x40 : 0));
	(void)size;
	return (struct result){ RVM_INSN_OK, page & a20, 0 };
}

/* ---- random tables ---- */

static u64 random_address(const struct rvm_cpu *c)
{
	u64 a = frame_at[rnd(&s) % FRAMES];

	switch (rnd(&s) % 24) {
	case 0:		/* anywhere */
		return rnd(&s) & 0x000ffffffffff000ull & ((1ull << c->phys_bits) - 1);
	case 1:		/* beyond the width */
		return a | 1ull << (c->phys_bits + rnd(&s) % (53 - c->phys_bits));
	default:
		return a;
	}
}

static u64 random_entry(const struct rvm_cpu *c)
{
	u64 e = random_address(c) | (rnd(&s) % 32 ? 1 : 0);

	e |= (rnd(&s) & 6) | (rnd(&s) & 6) | (rnd(&s) & rnd(&s) & 0x60) | (rnd(&s) & 0x18);
	if (rnd(&s) % 6 == 0)
		e |= 0x80;
	if (rnd(&s) % 4 == 0)
		e |= rnd(&s) & 0x7800000000000e00ull;
	if (rnd(&s) % 8 == 0)
		e |= 1ull << 63;
	if (rnd(&s) % 24 == 0)
		e |= 1ull << (rnd(&s) % 64);
	/* a large page's address is aligned more often than not */
	if ((e & 0x80) && rnd(&s) % 3)
		e &= rnd(&s) & 1 ? ~0x3fffe000ull : ~0x1fe000ull;
	return e;
}

static void random_tables(const struct rvm_cpu *c)
{
	u32 i, j;

	for (i = 0; i < FRAMES; i++) {
		rom[i] = rnd(&s) % 12 == 0;
		for (j = 0; j < 512; j++) {
			u64 e = random_entry(c);

			if (c->efer & RVM_EFER_LMA || c->cr4 & RVM_CR4_PAE)
				memcpy(&mem[i][j * 8], &e, 8);
			else
				memcpy(&mem[i][j * 8], (u32[]){ e, random_entry(c) }, 8);
		}
	}
}

static void random_cpu(struct rvm_cpu *c, u32 mode)
{
	static const u8 widths[] = { 32, 34, 36, 39, 40, 41, 46, 48, 52 };
	u32 i;

	memset(c, 0, sizeof(*c));
	c->phys_bits = widths[rnd(&s) % sizeof(widths)];
	c->cr0 = RVM_CR0_PE | (rnd(&s) & RVM_CR0_WP);
	c->cr4 = rnd(&s) & (RVM_CR4_PSE | RVM_CR4_SMEP | RVM_CR4_SMAP | RVM_CR4_PKE);
	c->efer = rnd(&s) & RVM_EFER_NXE;
	c->rflags = RVM_FL_FIXED | (rnd(&s) & RVM_FL_AC);
	c->cpl = rnd(&s) & 1 ? 3 : rnd(&s) & 3;
	c->pkru = rnd(&s) & rnd(&s);
	c->no_1g = rnd(&s) % 4 == 0;
	c->a20_masked = rnd(&s) % 8 == 0;
	if (mode)
		c->cr0 |= RVM_CR0_PG;
	if (mode >= 2)
		c->cr4 |= RVM_CR4_PAE;
	if (mode >= 3)
		c->efer |= RVM_EFER_LME | RVM_EFER_LMA;
	if (mode == 4)
		c->cr4 |= RVM_CR4_LA57;
	if (mode < 3)
		c->cr4 &= ~RVM_CR4_PKE;
	for (i = 0; i < FRAMES; i++) {
		u64 top = mode == 1 || c->phys_bits == 32 ? 1ull << 32 : 1ull << c->phys_bits;

		frame_at[i] = (rnd(&s) & (top - 1) & ~0x3f01ffffull) | i << 12 |
			      (c->a20_masked ? 0 : (u64)(i & 1) << 20);
		/* some in the low half of a 4 GiB space: PAE's CR3 reaches no further */
		if (i < 4)
			frame_at[i] &= 0xffffffff;
		if (c->a20_masked)
			frame_at[i] &= ~0x100000ull;
	}
	c->cr3 = frame_at[mode == 2 ? rnd(&s) % 4 : rnd(&s) % FRAMES] | (rnd(&s) & 0x18);
	if (mode == 2)
		c->cr3 |= rnd(&s) & 0xfe0;
	if (mode >= 3)
		c->cr3 |= rnd(&s) & 0xfff;	/* a PCID, or ignored */
	if (mode == 2 && (rnd(&s) & 1)) {
		c->pdptes_kept = true;
		for (i = 0; i < 4; i++)
			c->pdpte[i] = random_entry(c) & (rnd(&s) % 8 ? 0xffffffffffe19ull : ~0ull);
	}
}

/* PDPTEs in memory are mostly without the rights that other entries have. */
static void tame_pdptes(const struct rvm_cpu *c)
{
	u8 *p = phys(mem, c->cr3 & 0xffffffe0);
	u64 e;
	u32 i;

	for (i = 0; p && i < 4; i++) {
		memcpy(&e, p + i * 8, 8);
		if (rnd(&s) % 8)
			e &= 0xffffffffffe19ull & ((1ull << c->phys_bits) - 1);
		memcpy(p + i * 8, &e, 8);
	}
}

static const char * const mode_name[] = { "none", "2-level", "PAE", "4-level", "5-level" };
static u64 oks[5], faults[5], rsvds[5], keys[5], missing[5], unreachable[5], retries;

/* The entries that the walk says it used, in what memory holds after it. */
static bool same_way(const struct rvm_cpu *c, const struct rvm_walk_path *p)
{
	bool wide = (c->cr4 & RVM_CR4_PAE) || (c->efer & RVM_EFER_LMA), ok;
	u64 a20 = c->a20_masked ? ~0x100000ull : ~0ull;
	int i, top;

	if (!(c->cr0 & RVM_CR0_PG))
		return !p->top && !p->level;
	top = !(c->efer & RVM_EFER_LMA) ? 2 : c->cr4 & RVM_CR4_LA57 ? 5 : 4;
	if (p->top != top || p->level != top + 1 - way.n)
		return false;
	for (i = 0; i < way.n; i++) {
		const struct rvm_walk_step *step = &p->step[top - 1 - i];

		/* entries of a slot that is read-only stay as they were */
		if ((step->gpa & a20) != way.at[i] || step->rights != way.rights[i] ||
		    ((step->pte ^ load(way.at[i], wide ? 8 : 4, &ok)) & ~0x60ull))
			return false;
	}
	return true;
}

static bool compare(const struct rvm_cpu *c, u32 mode, u64 la, u32 acc, u64 n)
{
	struct rvm_walk_path p = { 0 };
	struct rvm_fault f = { 0 };
	struct result want;
	u64 gpa;
	int rc;

	memcpy(want_mem, mem, sizeof(mem));
	want = model(c, la, acc);
	rc = rvm_walk_path(c, &ops, NULL, la, acc, &p, &f);
	gpa = p.gpa;
	if (rc != want.rc || (rc == RVM_INSN_OK && !same_way(c, &p)) || (rc == RVM_INSN_OK && gpa != want.gpa) ||
	    (rc == RVM_INSN_FAULT && (f.vector != RVM_PF || !f.has_error || f.cr2 != la ||
				      f.error != want.error || f.soft)) ||
	    memcmp(mem, want_mem, sizeof(mem))) {
		printf("# case %llu, %s: la %llx acc %x cpl %d cr0 %llx cr4 %llx efer %llx cr3 %llx width %d\n",
		       (unsigned long long)n, mode_name[mode], (unsigned long long)la, acc, c->cpl,
		       (unsigned long long)c->cr0, (unsigned long long)c->cr4,
		       (unsigned long long)c->efer, (unsigned long long)c->cr3, c->phys_bits);
		printf("#  got %d gpa %llx error %x, want %d gpa %llx error %x%s\n", rc,
		       (unsigned long long)gpa, f.error, want.rc, (unsigned long long)want.gpa,
		       want.error, memcmp(mem, want_mem, sizeof(mem)) ? ", tables differ" : "");
		return false;
	}
	if (rc == RVM_INSN_OK)
		oks[mode]++;
	else if (rc == RVM_INSN_UNHANDLED)
		unreachable[mode]++;
	else if (f.error & RVM_PF_RSVD)
		rsvds[mode]++;
	else if (f.error & RVM_PF_PK)
		keys[mode]++;
	else if (f.error & RVM_PF_P)
		faults[mode]++;
	else
		missing[mode]++;
	return true;
}

static bool random_walks(void)
{
	u64 n, bad = 0;
	struct rvm_cpu c;
	u32 mode = 0, i;

	for (n = 0; n < cases && bad < 5; n++) {
		static const u32 accs[] = {
			RVM_ACC_READ, RVM_ACC_WRITE, RVM_ACC_FETCH, RVM_ACC_READ | RVM_ACC_IMPLICIT,
			RVM_ACC_WRITE | RVM_ACC_IMPLICIT, RVM_ACC_READ | RVM_ACC_WRITE,
		};
		u64 la = rnd(&s);

		if (n % 256 == 0) {
			mode = rnd(&s) % 5;
			random_cpu(&c, mode);
			random_tables(&c);
			if (mode == 2)
				tame_pdptes(&c);
			memcpy(before, mem, sizeof(mem));
		}
		c.cpl = rnd(&s) & 1 ? 3 : rnd(&s) & 3;
		c.pkru = rnd(&s) & rnd(&s);
		c.cr0 = (c.cr0 & ~RVM_CR0_WP) | (rnd(&s) & RVM_CR0_WP);
		c.rflags = RVM_FL_FIXED | (rnd(&s) & RVM_FL_AC);
		la = mode < 3 ? (u32)la : mode == 3 ? (u64)((s64)(la << 16) >> 16) :
			(u64)((s64)(la << 7) >> 7);
		if (!compare(&c, mode, la, accs[rnd(&s) % 6], n))
			bad++;
		/* accessed and dirty bits do not pile up for long */
		if (n % 32 == 31)
			memcpy(mem, before, sizeof(mem));
	}
	for (i = 0; i < 5; i++)
		printf("# %s: %llu translated, faults: %llu not present, %llu rights, %llu reserved, %llu keys; %llu outside memory\n",
		       mode_name[i], (unsigned long long)oks[i], (unsigned long long)missing[i],
		       (unsigned long long)faults[i], (unsigned long long)rsvds[i],
		       (unsigned long long)keys[i], (unsigned long long)unreachable[i]);
	/* a test that reached nothing has shown nothing */
	for (i = 1; i < 5; i++)
		if (oks[i] < cases / 200 || !missing[i] || !faults[i] || !rsvds[i] ||
		    !unreachable[i] || (i >= 3 && !keys[i]))
			return false;
	return !bad;
}

/* Somebody else writes an entry while the walk goes on: both changes must be there. */
static bool racing_walks(void)
{
	struct rvm_fault f;
	struct rvm_cpu c;
	u64 la, gpa, n, expect;
	u32 k, total;

	for (n = 0; n < 2000; n++) {
		static u8 raced[FRAMES][4096];

		random_cpu(&c, 1 + rnd(&s) % 4);
		random_tables(&c);
		memset(rom, 0, sizeof(rom));
		la = c.efer & RVM_EFER_LMA ? (u64)((s64)(rnd(&s) << 16) >> 16) : (u32)rnd(&s);
		memcpy(before, mem, sizeof(mem));
		updates = 0;
		meddle = 0;
		if (rvm_walk_tables(&c, &ops, NULL, la, RVM_ACC_WRITE, &expect, &f) || !updates)
			continue;
		memcpy(want_mem, mem, sizeof(mem));
		total = updates;
		for (k = 1; k <= total; k++) {
			u64 diff = 0, i;
			const u8 *a = &raced[0][0], *b = &want_mem[0][0];

			memcpy(mem, before, sizeof(mem));
			meddle = k;
			if (rvm_walk_tables(&c, &ops, NULL, la, RVM_ACC_WRITE, &gpa, &f) ||
			    gpa != expect)
				goto differs;
			meddle = 0;
			memcpy(raced, mem, sizeof(mem));
			for (i = 0; i < sizeof(mem); i++)
				if (a[i] != b[i])
					diff += a[i] == (b[i] ^ 2) ? 1 : 100;
			if (diff != 1)
				goto differs;
			retries++;
		}
	}
	printf("# %llu walks raced\n", (unsigned long long)retries);
	return retries > 200;
differs:
	printf("# update %u of %u, la %llx gpa %llx, undisturbed %llx\n", k, total,
	       (unsigned long long)la, (unsigned long long)gpa, (unsigned long long)expect);
	return false;
}

/* §4.4.1: #GP for reserved bits of a present one, none for one that is not. */
static bool pdptes(void)
{
	struct rvm_cpu c;
	u64 n, got[4], e;
	u32 i, refused = 0, taken = 0;

	for (n = 0; n < 4000; n++) {
		bool bad = false, ok;
		int rc;

		random_cpu(&c, 2);
		random_tables(&c);
		tame_pdptes(&c);
		memcpy(want_mem, mem, sizeof(mem));
		for (i = 0; i < 4; i++) {
			e = load(((c.cr3 & 0xffffffe0) + i * 8) & (c.a20_masked ? ~0x100000ull :
				 ~0ull), 8, &ok);
			bad |= bit(e, 0) && reserved(&c, F_PAE_PDPTE, e);
		}
		rc = rvm_walk_load_pdptes(&c, &ops, NULL, got);
		if (rc != (bad ? RVM_INSN_FAULT : RVM_INSN_OK) ||
		    (!bad && memcmp(got, phys(mem, c.cr3 & 0xffffffe0), 32)))
			return false;
		refused += bad;
		taken += !bad;
	}
	return refused > 100 && taken > 100;
}

/* A walk of entries that never stand still ends, and says so. */
static int op_never(void *priv, u64 gpa, void *old, const void *new_val, u32 size)
{
	*(u8 *)old ^= 2;
	return RVM_INSN_OK;
}

static bool bounded(void)
{
	static const struct rvm_walk_ops never = { .read = op_read, .cmpxchg = op_never };
	struct rvm_cpu c;
	struct rvm_fault f;
	u64 gpa, n;

	for (n = 0; n < 1000; n++) {
		int rc;

		random_cpu(&c, 3);
		random_tables(&c);
		rc = rvm_walk_tables(&c, &never, NULL, rnd(&s) >> 17, RVM_ACC_WRITE, &gpa, &f);
		if (rc == RVM_INSN_RETRY)
			return true;
	}
	return false;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		bool (*fn)(void);
	} tests[] = {
		{ "walks_as_the_model", random_walks },
		{ "entries_changed_meanwhile", racing_walks },
		{ "pdptes_at_a_load", pdptes },
		{ "walk_is_bounded", bounded },
	};
	u32 i, bad = 0;
	int opt;

	while ((opt = getopt(argc, argv, "n:s:")) != -1) {
		if (opt == 'n')
			cases = strtoull(optarg, NULL, 0);
		else if (opt == 's')
			seed = strtoull(optarg, NULL, 0);
		else
			return 2;
	}
	s = seed * 0x9e3779b97f4a7c15ull | 1;
	printf("KTAP version 1\n1..%zu\n", sizeof(tests) / sizeof(*tests));
	for (i = 0; i < sizeof(tests) / sizeof(*tests); i++) {
		bool ok = tests[i].fn();

		bad += !ok;
		printf("%sok %u %s # seed %llu\n", ok ? "" : "not ", i + 1, tests[i].name,
		       (unsigned long long)seed);
	}
	return bad != 0;
}
