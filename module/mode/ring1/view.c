// SPDX-License-Identifier: GPL-2.0
/*
 * Code views: how kernel code runs in ring 1 without lying to itself.
 *
 * In ring 1 some instructions neither do what they do in ring 0 nor trap: PUSHF and
 * POPF with the virtual IF, MOV and PUSH of CS and SS, LAR and its like, CPUID, SGDT
 * where UMIP is missing, IRET to the same ring.  So the guest's kernel never executes
 * its own pages.  What it executes is a view: a page of ours at the same address, in
 * which every byte is HLT, but for instructions known to be harmless, which are
 * copied to where they stand in the guest's page.  HLT traps in ring 1; then the
 * instruction is decoded, and either copied, with all that can be reached from it
 * without leaving the page, or it is one of those above and the interpreter executes
 * it, this time and every time.  Addresses and lengths are the guest's own, so nothing
 * has to be translated.
 *
 * Nobody can see the difference.  Views are mapped as user pages, for execution; ring
 * 1 counts as supervisor, SMEP is off and SMAP is on: it may execute such a page and
 * not read it (SDM vol. 3 §4.6.1).  A read traps, and the interpreter reads the
 * guest's page.  EFLAGS.AC, which would lift SMAP, is kept clear.  Ring 3 has a tree of
 * its own, without views.
 *
 * The guest's page is write-protected while it has a view (rvm_track_gfn()): a write
 * to it is interpreted, and takes the instructions that it touches out of the view.
 *
 * An instruction that crosses into the next page is copied into two views, as long as
 * these two pages follow each other (view_cross()).
 *
 * What is left: code that jumps into the middle of an instruction that also runs
 * from its start, and finds one of the instructions above there, executes it.
 */
#include "ring1.h"
#include "../../mmu/mmu.h"
#include "../../mmu/walk.h"
#include "../../insn/decode.h"

#include <linux/hashtable.h>
#include <asm/mem_encrypt.h>

#define VIEW_HLT	0xf4

/*
 * Writes to a page, after which its code is left to the interpreter: it is data by now,
 * or has data beside it.  Code that is found in between counts against so many of them.
 * And how often that code is come upon before there is a view again; twice as often
 * each time.
 */
#define VIEW_MAX_WRITES	128
#define VIEW_FOUND	4
#define VIEW_PATIENCE	8

/* How often an instruction that crosses into the next page loses the end of it, because
 * there is another next page. */
#define VIEW_MAX_LOST	4

/* Views of a VM: 32 MiB of kernel code. */
#define VIEW_MAX	8192

/*
 * Instructions that do in ring 1 what they do in ring 0, or trap.  As with the
 * interpreter's own list (insn/run.c): what is not here is merely slow.
 */
static const bool harmless[RVM_NR_OPS] = {
#define P(op) [RVM_OP_##op] = true
	P(MOV), P(MOVZX), P(MOVSX), P(MOVBE), P(MOVNTI), P(XCHG), P(LEA), P(BSWAP), P(XLAT),
	P(CMOV), P(SETCC), P(CBW), P(CWD), P(LAHF), P(SAHF), P(SALC),
	P(PUSH), P(POP), P(PUSHA), P(POPA), P(ENTER), P(LEAVE),
	P(ADD), P(OR), P(ADC), P(SBB), P(AND), P(SUB), P(XOR), P(CMP), P(TEST), P(INC), P(DEC),
	P(NEG), P(NOT), P(MUL), P(IMUL), P(IMUL2), P(DIV), P(IDIV), P(XADD), P(CMPXCHG),
	P(CMPXCHG8B), P(ADCX), P(ADOX), P(CRC32), P(AAA), P(AAS), P(AAM), P(AAD), P(DAA), P(DAS),
	P(ROL), P(ROR), P(RCL), P(RCR), P(SHL), P(SHR), P(SAL), P(SAR), P(SHLD), P(SHRD),
	P(BT), P(BTS), P(BTR), P(BTC), P(BSF), P(BSR), P(TZCNT), P(LZCNT), P(POPCNT),
	P(ANDN), P(BEXTR), P(BLSR), P(BLSMSK), P(BLSI), P(BZHI), P(PDEP), P(PEXT), P(MULX),
	P(RORX), P(SARX), P(SHLX), P(SHRX),
	P(CLC), P(STC), P(CMC), P(CLD), P(STD),
	P(MOVS), P(CMPS), P(STOS), P(LODS), P(SCAS),
	P(JCC), P(JMP), P(CALL), P(RET), P(LOOP), P(LOOPE), P(LOOPNE), P(JCXZ),
	P(NOP), P(PAUSE), P(PREFETCH), P(FENCE), P(CLFLUSH), P(RDTSC),
	P(RDRAND), P(RDSEED), P(SERIALIZE),
	P(X87), P(FWAIT), P(FXSAVE), P(FXRSTOR), P(XSAVE), P(XRSTOR), P(LDMXCSR), P(STMXCSR),
	P(MMX), P(EMMS), P(SSE), P(AVX),
#undef P
};

static bool view_harmless(const struct rvm_decoded *d)
{
	switch (d->op) {
	/*
	 * Of CS and SS the RPL is 1 where the guest's is 0.  Loads of the others trap in
	 * any case, but for a null selector and those of our CS and SS (desc.c), which
	 * the guest must not find to be good.
	 */
	case RVM_OP_MOV_FROM_SREG:
	case RVM_OP_PUSH_SREG: {
		u8 reg = d->opnd[d->op == RVM_OP_MOV_FROM_SREG ? 1 : 0].reg;

		return reg != RVM_CS && reg != RVM_SS;
	}
	default:
		return harmless[d->op];
	}
}

/* ---- the VM's views ------------------------------------------------------- */

struct ring1_views {
	spinlock_t lock;		/* the table, and changes of any view's bytes */
	u32 nr;
	DECLARE_HASHTABLE(table, 10);
};

static void ring1_track_written(struct rvm_vm *vm, u64 gpa, u32 len);
static u64 ring1_code_view(struct rvm_vcpu *v, u64 gfn);
static void ring1_views_beside(struct rvm_vm *vm, u64 left, u64 right);

int ring1_vm_init(struct rvm_vm *vm)
{
	struct ring1_views *vs = kzalloc(sizeof(*vs), GFP_KERNEL_ACCOUNT);

	if (!vs)
		return -ENOMEM;
	spin_lock_init(&vs->lock);
	hash_init(vs->table);
	vm->mode_data = vs;
	vm->track_written = ring1_track_written;
	/* Without SMAP a view could be read (decide.c). */
	if (boot_cpu_has(X86_FEATURE_SMAP))
		vm->code_view = ring1_code_view;
	vm->views_beside = ring1_views_beside;
	return 0;
}

static void view_free(struct ring1_view *view)
{
	if (view->page) {
		set_page_private(virt_to_page(view->page), 0);
		free_pages((unsigned long)view->page, 1);
	}
	kfree(view);
}

void ring1_vm_destroy(struct rvm_vm *vm)
{
	struct ring1_views *vs = vm->mode_data;
	struct ring1_view *view;
	struct hlist_node *next;
	int i;

	if (!vs)
		return;
	hash_for_each_safe(vs->table, i, next, view, node)
		view_free(view);
	kfree(vs);
	vm->mode_data = NULL;
}

static struct ring1_view *view_find(struct ring1_views *vs, u64 gfn)
{
	struct ring1_view *view;

	hash_for_each_possible(vs->table, view, node, gfn)
		if (view->gfn == gfn)
			return view;
	return NULL;
}

static void view_uncross(struct ring1_view *view);

/*
 * What is known of bytes [from, to) of the guest's page no longer holds, nor does what
 * is known of instructions that have a byte there.  Of those all bytes become HLT, for
 * an instruction may now begin at any of them; so what shares one with them goes too.
 */
static void view_forget(struct ring1_view *view, u32 from, u32 to)
{
	struct rvm_decoded d;
	u32 i, end;

	if (from < view->tail)
		view_uncross(view->previous);
again:
	if (view->next && to > view->cross) {
		view_uncross(view);
		to = PAGE_SIZE;
	}
	for (i = from < RVM_INSN_MAX ? 0 : from - RVM_INSN_MAX; i < to; i++) {
		if (!test_bit(i, view->known))
			continue;
		end = i + 1;
		if (view->page[i] != VIEW_HLT &&
		    rvm_insn_decode(view->page + i, PAGE_SIZE - i, view->mode, &d) == RVM_DECODE_OK)
			end = i + d.len;
		if (i < from && end <= from) {
			if (view->page[i] == VIEW_HLT) {
				/* The interpreter's, of whatever length. */
				__clear_bit(i, view->known);
				view->kinds[i] = 0;
			}
			continue;
		}
		if (i >= from && end <= to)
			continue;
		from = min(from, i);
		to = max(to, end);
		goto again;
	}
	/* The first bytes first, for a CPU may be about to execute them. */
	for (i = from; i < to; i++)
		if (test_bit(i, view->known))
			WRITE_ONCE(view->page[i], VIEW_HLT);
	smp_wmb();
	memset(view->page + from, VIEW_HLT, to - from);
	memset(view->kinds + from, 0, to - from);
	bitmap_clear(view->known, from, to - from);
}

/* The instruction that crosses into the next page is in neither view any more. */
static void view_uncross(struct ring1_view *view)
{
	struct ring1_view *next = view->next;

	if (!next)
		return;
	view->next = NULL;
	WRITE_ONCE(view->page[view->cross], VIEW_HLT);
	smp_wmb();
	memset(next->page, VIEW_HLT, next->tail);
	next->previous = NULL;
	next->tail = 0;
	view_forget(view, view->cross, PAGE_SIZE);
}

static void view_clear(struct ring1_view *view)
{
	view_uncross(view);
	if (view->previous)
		view_uncross(view->previous);
	memset(view->page, VIEW_HLT, PAGE_SIZE);
	bitmap_zero(view->known, PAGE_SIZE);
	memset(view->kinds, 0, PAGE_SIZE);
	view->reading = false;
	view->empty = true;
}

static struct ring1_view *view_alloc(u64 gfn)
{
	struct ring1_view *view = kzalloc(sizeof(*view), GFP_KERNEL_ACCOUNT);

	if (!view)
		return NULL;
	view->gfn = gfn;
	view->page = (u8 *)__get_free_pages(GFP_KERNEL_ACCOUNT, 1);
	if (!view->page) {
		view_free(view);
		return NULL;
	}
	view->kinds = view->page + R1_KINDS;
	set_page_private(virt_to_page(view->page), (unsigned long)view);
	view_clear(view);
	return view;
}

/* Watch the page again.  False: no memory. */
static bool view_resume(struct rvm_vm *vm, struct ring1_view *view)
{
	struct ring1_views *vs = vm->mode_data;
	bool other;

	if (rvm_track_gfn(vm, view->gfn))
		return false;
	spin_lock(&vs->lock);
	other = !view->given_up;
	view->given_up = false;
	view->writes = 0;
	if (view->tries < 16)
		view->tries++;
	spin_unlock(&vs->lock);
	if (other)
		rvm_untrack_gfn(vm, view->gfn);
	return true;
}

/**
 * ring1_view - the view of a guest frame, made if there is none
 * @v: the vCPU; process context, may sleep
 * @gfn: a frame of guest memory that ring 1 is about to execute
 *
 * NULL: this page is for the interpreter.  Views live as long as the VM.
 */
struct ring1_view *ring1_view(struct rvm_vcpu *v, u64 gfn)
{
	struct ring1_views *vs = v->vm->mode_data;
	struct ring1_view *view, *new;
	bool given_up, wanted = false;

	spin_lock(&vs->lock);
	view = view_find(vs, gfn);
	given_up = view && view->given_up;
	if (given_up) {
		wanted = ++view->missed >> view->tries >= VIEW_PATIENCE;
		if (wanted)
			view->missed = 0;
	}
	spin_unlock(&vs->lock);
	if (given_up)
		return wanted && view_resume(v->vm, view) ? view : NULL;
	if (view)
		return view;
	if (READ_ONCE(vs->nr) >= VIEW_MAX)
		return NULL;

	new = view_alloc(gfn);
	if (!new || rvm_track_gfn(v->vm, gfn)) {
		if (new)
			view_free(new);
		return NULL;
	}
	spin_lock(&vs->lock);
	view = view_find(vs, gfn);
	if (!view) {
		view = new;
		new = NULL;
		hash_add(vs->table, &view->node, gfn);
		vs->nr++;
	}
	spin_unlock(&vs->lock);
	if (new) {
		rvm_untrack_gfn(v->vm, gfn);
		view_free(new);
	}
	return view;
}

/**
 * ring1_view_at - the view that ring 1 executes at an address
 * @v: the vCPU, in its own thread
 * @gla: the linear address
 *
 * By what the shadow tables have for it at this moment; NULL: no view.
 */
struct ring1_view *ring1_view_at(struct rvm_vcpu *v, u32 gla)
{
	u64 pte = rvm_shadow_peek(v, gla);

	if (!(pte & RVM_PTE_P) || !(pte & RVM_PTE_U))
		return NULL;
	return (struct ring1_view *)page_private(pfn_to_page((pte & PTE_PFN_MASK & ~sme_me_mask) >> PAGE_SHIFT));
}

/**
 * ring1_view_written - the guest's page has changed
 * @vm: the VM; any context that may take its locks
 * @gpa: from where; @len: how many bytes, within a page
 *
 * HLT in place of whatever a CPU may be executing there at this moment.
 */
void ring1_view_written(struct rvm_vm *vm, u64 gpa, u32 len)
{
	struct ring1_views *vs = vm->mode_data;
	u32 from = offset_in_page(gpa);
	struct ring1_view *view;
	bool untrack = false;

	spin_lock(&vs->lock);
	view = view_find(vs, gpa >> PAGE_SHIFT);
	if (view && !view->given_up) {
		view_forget(view, from, from + len);
		view->reading = false;
		if (++view->writes >= VIEW_MAX_WRITES && !ring1_eager) {
			view_clear(view);
			view->given_up = true;
			untrack = true;
		}
	}
	spin_unlock(&vs->lock);
	if (untrack)
		rvm_untrack_gfn(vm, gpa >> PAGE_SHIFT);
}

/* Nothing is known of any page any more. */
void ring1_views_clear(struct rvm_vm *vm)
{
	struct ring1_views *vs = vm->mode_data;
	struct ring1_view *view;
	int i;

	spin_lock(&vs->lock);
	hash_for_each(vs->table, i, view, node) {
		view->reading = false;
		if (!view->empty)
			view_clear(view);
	}
	spin_unlock(&vs->lock);
}

/* ---- discovery --------------------------------------------------------------- */

/* Instructions looked at in one go, and branches remembered meanwhile. */
#define VIEW_STEPS	256
#define VIEW_BRANCHES	32

/*
 * The first byte last: until then another CPU finds HLT there.
 */
static void view_copy(struct ring1_view *view, u32 off, const u8 *bytes, u32 len)
{
	if (len > 1)
		memcpy(view->page + off + 1, bytes + 1, len - 1);
	smp_wmb();
	WRITE_ONCE(view->page[off], bytes[0]);
}

/*
 * Code that does not begin where it was taken to begin (data among it, the bytes after
 * a call that never returns) overlaps with what does.  Where the two disagree, what
 * has to trap wins: nothing is copied over it, and what was copied there goes.
 */
static bool view_covers_kept(const struct ring1_view *view, u32 off, u32 len)
{
	u32 i;

	for (i = off + 1; i < off + len; i++)
		if (test_bit(i, view->known) && view->page[i] == VIEW_HLT)
			return true;
	return false;
}

static void view_keep(struct ring1_view *view, const u8 *code, u32 off, u32 mode)
{
	struct rvm_decoded d;
	u32 i;

	for (i = off < RVM_INSN_MAX ? 0 : off - RVM_INSN_MAX; i < off; i++)
		if (test_bit(i, view->known) && view->page[i] != VIEW_HLT &&
		    rvm_insn_decode(code + i, PAGE_SIZE - i, mode, &d) == RVM_DECODE_OK &&
		    i + d.len > off)
			WRITE_ONCE(view->page[i], VIEW_HLT);
	smp_wmb();
	WRITE_ONCE(view->page[off], VIEW_HLT);
}

static bool view_ends_flow(const struct rvm_decoded *d)
{
	return d->op == RVM_OP_JMP || d->op == RVM_OP_RET || d->op == RVM_OP_IRET ||
		d->op == RVM_OP_SYSEXIT;
}

static bool view_branches(const struct rvm_decoded *d)
{
	return d->opnd[0].kind == RVM_K_REL;
}

/* Not into ESP, which has another place in the frame. */
static u8 view_kind_cr(const struct rvm_decoded *d)
{
	static const u8 place[] = { [0] = 0, [2] = 1, [3] = 2, [4] = 3 };
	u8 gpr = d->modrm & 7, cr = d->opnd[1].reg;

	if (gpr == RVM_RSP || cr == 1 || cr >= ARRAY_SIZE(place))
		return 0;
	return R1_KIND_READ_CR + place[cr] * 8 + gpr;
}

/* Loads of data segments: R1_KIND_*_SEG */
static u8 view_kind_seg(const struct rvm_decoded *d)
{
	static const u8 place[] = { [RVM_ES] = 1, [RVM_DS] = 2, [RVM_FS] = 3, [RVM_GS] = 4 };
	u8 reg = d->opnd[0].reg, which;

	if (reg >= ARRAY_SIZE(place) || !place[reg])
		return 0;
	which = place[reg] - 1;
	if (d->op == RVM_OP_POP_SREG)
		return d->len == 1 + (which >= 2) ? R1_KIND_POP_SEG + which * 2 + (which >= 2) : 0;
	if (d->len == 2 && d->modrm >> 6 == 3)
		return R1_KIND_MOV_SEG + which * 8 + (d->modrm & 7);
	/* [ESP + disp8] */
	if (d->len == 4 && d->modrm >> 6 == 1 && d->base == RVM_RSP * 8 && d->index == RVM_BASE_NONE &&
	    d->seg == RVM_SS && d->disp < 0x80 && !(d->disp & 3))
		return R1_KIND_STACK_SEG + which;
	return 0;
}

/* What the gates do by themselves (switch.S, fast.c), without prefixes. */
static u8 view_kind(const struct rvm_decoded *d)
{
	if (d->op == RVM_OP_MOV_TO_SREG || d->op == RVM_OP_POP_SREG)
		return view_kind_seg(d);
	if (d->len == 2 && d->op == RVM_OP_RDTSC)
		return R1_KIND_RDTSC;
	if (d->len == 2 && d->op == RVM_OP_SYSEXIT)
		return R1_KIND_SYSEXIT;
	if (d->len == 3 && d->op == RVM_OP_RDTSCP)
		return R1_KIND_RDTSCP;
	if (d->len == 3 && d->op == RVM_OP_MOV_FROM_CR)
		return view_kind_cr(d);
	if (d->len != 1)
		return 0;
	switch (d->op) {
	case RVM_OP_CLI:
		return R1_KIND_CLI;
	case RVM_OP_STI:
		return R1_KIND_STI;
	case RVM_OP_PUSHF:
		return R1_KIND_PUSHF;
	case RVM_OP_POPF:
		return R1_KIND_POPF;
	case RVM_OP_IRET:
		return R1_KIND_IRET;
	default:
		return 0;
	}
}

/*
 * Copy what can be reached from @off within the page.  @code: the guest's page.
 */
static void view_walk(struct ring1_view *view, const u8 *code, u32 off, u32 mode)
{
	u16 todo[VIEW_BRANCHES];
	u32 n = 0, steps;
	struct rvm_decoded d;
	int rc;

	view->mode = mode;
	view->empty = false;
	for (steps = 0; steps < VIEW_STEPS; steps++) {
		if (off >= PAGE_SIZE || test_bit(off, view->known))
			goto next;
		rc = rvm_insn_decode(code + off, PAGE_SIZE - off, mode, &d);
		/* It crosses the page's end: view_cross(), when it comes to be executed. */
		if (rc == RVM_DECODE_MORE)
			goto next;
		if (off < view->tail)
			view_uncross(view->previous);
		__set_bit(off, view->known);
		if (rc != RVM_DECODE_OK) {
			view_keep(view, code, off, mode);
			goto next;
		}
		if (!view_harmless(&d)) {
			view_keep(view, code, off, mode);
			view->kinds[off] = view_kind(&d);
			if (!view->kinds[off])
				goto next;
			if ((view->kinds[off] & ~3) == R1_KIND_STACK_SEG)
				view->kinds[off + 1] = R1_KIND_DISP + d.disp / 4;
		} else if (!view_covers_kept(view, off, d.len)) {
			view->kinds[off] = view_kind(&d);
			view_copy(view, off, code + off, d.len);
		}
		off += d.len;
		if (view_branches(&d) && n < VIEW_BRANCHES) {
			u32 target = off + (u32)d.imm;

			if (target < PAGE_SIZE)
				todo[n++] = target;
		}
		if (!view_ends_flow(&d))
			continue;
next:
		if (!n)
			return;
		off = todo[--n];
	}
}

/*
 * The instruction at @off ends in the next page, of whose frame the view gets its last
 * bytes.  That is right only while the two frames are neighbours wherever this one is
 * mapped: it is unmapped everywhere, and ring1_views_beside() looks as it comes back.
 * Where it cannot be done the interpreter executes it, here and everywhere.
 */
static bool view_cross(struct rvm_vcpu *v, struct ring1_view *view, u32 off)
{
	struct ring1_views *vs = v->vm->mode_data;
	u32 linear = ((u32)v->cpu.rip & PAGE_MASK) + PAGE_SIZE, n = PAGE_SIZE - off, i;
	u8 bytes[2 * RVM_INSN_MAX];
	struct ring1_view *next;
	struct rvm_decoded d;
	struct rvm_fault f;
	bool ok;
	u64 gpa;

	/* The neighbour of a table's last entry is in another table. */
	if (!(linear >> PAGE_SHIFT & 511) || view->lost >= VIEW_MAX_LOST) {
		spin_lock(&vs->lock);
		__set_bit(off, view->known);
		spin_unlock(&vs->lock);
		return false;
	}
	if (rvm_walk(v, linear, RVM_ACC_FETCH, &gpa, &f))
		return false;
	next = ring1_view(v, gpa >> PAGE_SHIFT);
	if (!next)
		return false;

	spin_lock(&vs->lock);
	ok = next != view && !view->next && !next->previous && !view->given_up &&
		!next->given_up && !test_bit(off, view->known);
	if (ok) {
		view->next = next;
		view->cross = off;
		next->previous = view;
		view->reading = next->reading = true;
	} else {
		__set_bit(off, view->known);
	}
	spin_unlock(&vs->lock);
	if (!ok)
		return false;
	rvm_shadow_unmap(v->vm, view->gfn);
	ok = !rvm_gpa_read(v->vm, (view->gfn << PAGE_SHIFT) + off, bytes, n) &&
		!rvm_gpa_read(v->vm, next->gfn << PAGE_SHIFT, bytes + n, RVM_INSN_MAX);

	spin_lock(&vs->lock);
	if (view->next != next || !view->reading || !next->reading) {
		/* Somebody wrote, or it was mapped elsewhere: once more. */
		if (view->next == next)
			view_uncross(view);
		spin_unlock(&vs->lock);
		return false;
	}
	ok = ok && rvm_insn_decode(bytes, n + RVM_INSN_MAX, view->mode, &d) == RVM_DECODE_OK &&
		d.len > n && view_harmless(&d) && !view_covers_kept(view, off, n);
	for (i = n; ok && i < d.len; i++)
		ok = !test_bit(i - n, next->known);
	if (ok) {
		next->tail = d.len - n;
		memcpy(next->page, bytes + n, next->tail);
		view_copy(view, off, bytes, n);
	} else {
		view_uncross(view);
	}
	__set_bit(off, view->known);
	spin_unlock(&vs->lock);
	return ok;
}

/**
 * ring1_view_discover - HLT of a view was executed
 * @v: the vCPU, in its own thread; may sleep
 * @view: of the page that RIP is in
 * @off: RIP's offset in it
 *
 * True: the instruction is there now, run it.  False: it is the interpreter's; also
 * if it was there already, for then it is itself what trapped.
 */
bool ring1_view_discover(struct rvm_vcpu *v, struct ring1_view *view, u32 off)
{
	struct ring1_views *vs = v->vm->mode_data;
	u32 mode = rvm_insn_mode(&v->insn);
	bool ok, crosses = false;
	u8 *code;

	if (test_bit(off, view->known) || view->given_up)
		return false;
	/* Only flat 32-bit code: in it an offset in the page is one in the segment. */
	if ((mode & RVM_DEC_SIZE) != RVM_DEC_32)
		return false;
	code = (u8 *)__get_free_page(GFP_KERNEL);
	if (!code)
		return false;
	spin_lock(&vs->lock);
	view->reading = true;
	spin_unlock(&vs->lock);
	ok = !rvm_gpa_read(v->vm, view->gfn << PAGE_SHIFT, code, PAGE_SIZE);
	spin_lock(&vs->lock);
	/* A write in between has cleared the flag: what was read may be old. */
	if (ok && view->reading && !view->given_up) {
		view_walk(view, code, off, mode);
		crosses = !test_bit(off, view->known);
	}
	ok = view->page[off] != VIEW_HLT;
	if (ok)
		view->writes -= min_t(u32, view->writes, VIEW_FOUND);
	spin_unlock(&vs->lock);
	free_page((unsigned long)code);
	return ok || (crosses && view_cross(v, view, off));
}

/* ---- what the shadow MMU asks and tells ------------------------------------------ */

static u64 ring1_code_view(struct rvm_vcpu *v, u64 gfn)
{
	struct ring1_view *view = ring1_view(v, gfn);

	return view ? __sme_pa(view->page) : 0;
}

/*
 * Both are executed now, one at the page after the other's; either may be none.  With
 * mmu_lock held.
 */
static void ring1_views_beside(struct rvm_vm *vm, u64 left, u64 right)
{
	struct ring1_views *vs = vm->mode_data;
	struct ring1_view *view;

	spin_lock(&vs->lock);
	view = view_find(vs, left);
	if (view && view->next && view->next->gfn != right) {
		view_uncross(view);
		view->lost++;
	}
	spin_unlock(&vs->lock);
}

static void ring1_track_written(struct rvm_vm *vm, u64 gpa, u32 len)
{
	struct rvm_vcpu *v;
	unsigned long i;

	ring1_view_written(vm, gpa, len);
	/* Another vCPU that runs natively loads segments from what it has. */
	rvm_for_each_vcpu(vm, i, v)
		if (ring1_desc_written(v, gpa))
			rvm_kick(v);
}
