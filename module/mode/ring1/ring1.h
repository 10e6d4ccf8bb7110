/* SPDX-License-Identifier: GPL-2.0 */
/*
 * ring1: ring compression.  A 32-bit guest's kernel runs in ring 1 and its user
 * code in ring 3 of the machine's own compatibility mode, behind shadow page
 * tables and shadow descriptor tables; what cannot run so is interpreted.
 *   ring1.c   probing, load and put, one entry, the seam
 *   switch.S  the world switch and the gates
 *   desc.c    shadow descriptor tables, hidden descriptor caches
 *   view.c    what ring 1 executes in place of the guest's pages
 *   decide.c  native or interpreted, and why
 *   fast.c    system calls, IRET, delivery of events without leaving the guest
 *   traps.c   what each trap needs
 *   mitigate.c  what is done against speculation
 */
#ifndef RVM_RING1_H
#define RVM_RING1_H

#include "../../ringvm.h"
#include "../../mode.h"
#include "layout.h"

/* Why the guest is not running natively: a counter each (stats.h). */
enum ring1_reason {
	RING1_NATIVE,
	RING1_EVENT,		/* an event is to be delivered */
	RING1_TRAP,		/* the instruction trapped */
	RING1_REAL,		/* CR0.PE is 0 */
	RING1_LONG,		/* long mode */
	RING1_V86,
	RING1_IF,		/* IF is 0 in ring 3 */
	RING1_SHADOW,		/* the instruction after STI or MOV SS */
	RING1_TF,		/* the kernel is single-stepped */
	RING1_IOPL,		/* IOPL gives more than ring 1 or 3 can have */
	RING1_WP,		/* the kernel writes with CR0.WP 0 */
	RING1_CPL,		/* ring 1 or 2 */
	RING1_BITS16,		/* 16-bit kernel code, or any 16-bit stack */
	RING1_SEG,		/* a hidden descriptor differs from its table's */
	RING1_VIEWS,		/* the kernel has no view here: too much is written, or no SMAP */
	RING1_NR_REASONS,
};

struct ring1_frame {
	u64 gpr[8];
	u64 vector, error;
	u64 rip, cs, rflags, rsp, ss;
};

/* A page: the frame in the middle, the CPU's reach below it (layout.h). */
struct ring1_ctx {
	u8 below[R1_FRAME];
	struct ring1_frame frame;
	u64 host_rsp;
	u64 host_cr3, host_cr4, host_cr0, host_gs_base;
	u64 guest_cr3, guest_cr4, guest_cr0;
	u32 ds, es, fs, gs;
	u32 guest_ldt, host_ldt;
	struct desc_ptr guest_gdt __aligned(8);
	struct desc_ptr host_gdt __aligned(8);
	struct desc_ptr guest_idt __aligned(8);
	struct desc_ptr host_idt __aligned(8);
	struct desc_ptr run_gdt __aligned(8);
	u32 nmis __aligned(8), mces;
	u64 aborted;
	u64 cr2;
	u32 vflags, window, flat_ss, sti_rip;
	u64 *top;
	u64 pfn_mask, direct_map, tsc_offset, fast_count;
	u32 flat_cs;
	u32 met_in, met_back, met_out;
	struct desc_ptr bridge_gdt __aligned(8);
	u64 crs[4];
	u64 tsc_aux;
	u32 mitigate __aligned(8);
	u16 verw;

	/* From here on fast.c's; by ring: [0] for ring 3, [1] for ring 1.  */
	u32 fast __aligned(8);
	bool moved;			/* CPL, CS or SS are not those that v->cpu has */
	bool nmi_masked;		/* IRET has to tell */
	bool has_tss;			/* TR is a 32-bit TSS with a stack for ring 0 */
	bool has_sysenter;
	u32 cpl;			/* the guest's */
	u32 cs, ss;			/* its selectors, */
	u64 cs_desc, ss_desc;		/* and where they come from, if moved */
	u64 rf_rip;			/* where the entry had RF; RING1_NO_RF: it had none */
	u64 *slot;			/* the entry of our own table that the tree hangs under, */
	u64 roots[2];			/* its values; 0: not ready */
	u64 *tops[2];			/* and the tree's top tables */
	u64 *gdt;			/* the shadow table */
	struct desc_ptr native_gdt __aligned(8);
	u32 gdt_limit __aligned(8);
	u32 idt_base, idt_limit, tss_base;
	u32 sysenter_cs, sysenter_eip, sysenter_esp;
	u32 want;			/* an address whose translation was missed, */
	bool wants, want_write;
};

/* The guest's tables that are shadowed */
enum ring1_table { RING1_GDT, RING1_LDT, RING1_NR_TABLES };

#define RING1_TABLE_PAGES	17	/* 64 KiB, wherever in a page they begin */

/**
 * struct ring1_shadow - one shadowed descriptor table
 * @base, @limit: of the guest's table as shadowed; limit -1: none
 * @gpa: where its pages are in guest-physical memory; RING1_NO_GPA: nowhere
 * @pages: how many of them there are
 * @desc: 64 KiB, what ring 3 sees
 * @seen: the same memory, read-only, as the CPU is given it
 * @valid: up to date with the guest's memory
 * @conforming: there is conforming code in it
 */
struct ring1_shadow {
	u64 base;
	s32 limit;
	u64 gpa[RING1_TABLE_PAGES];
	u32 pages;
	u64 *desc, *seen;
	bool valid, conforming;
};

#define RING1_NO_GPA	(~0ull)
#define RING1_NO_RF	(~0ull)

/* ring1_vcpu.vector where the guest was not entered: at all, or not to the end */
#define RING1_NO_VECTOR	256
#define RING1_ABORTED	257

enum ring1_force {
	RING1_FORCE_NONE,
	RING1_FORCE_TRAP,		/* the instruction that trapped */
	RING1_FORCE_VIEW,		/* code that has no view */
};

struct ring1_vcpu {
	struct ring1_ctx *ctx;
	u64 *pgd;			/* host's upper half over the guest's tree */
	u64 *p4d;			/* between the two with 5-level paging */
	struct ring1_shadow table[RING1_NR_TABLES];
	u64 *load_gdt, *run_gdt;	/* for ring 1: on the way in, and after it */
	u64 *bridge_gdt;		/* the host's and ours, while the IDT changes */
	u64 *native_gdt;		/* ring 3's, with DPL 1 for 0: also for the way in */
	bool native;			/* ring 1 runs on ring 3's tables (desc.c) */
	struct rvm_seg placed[6];	/* whose descriptors are in the first two, */
	bool placed_native;		/* and what @native was then */

	bool views;			/* there are any: the CPU has SMAP */

	enum ring1_reason reason;	/* of the slice to come */
	enum ring1_force force;		/* interpret, whatever decide says */
	bool tlb_stale;			/* translations changed: look again where the tables are */

	bool event_slow;		/* the event is not for fast.c */

	/* what the last run left, while RVM_G_SEG is stale */
	u32 vector, error;
	u64 cr2, dr6;
	u64 hits;			/* breakpoints met, as in DR6 */
	bool flat_ss;			/* the stack segment has no base and no limit */

	/* the host's, while @dirty_host: from the first entry after load until put */
	bool dirty_host;
	u64 host_efer, host_sysenter_cs, host_misc_features, host_tsc_aux;
	u64 tsc_aux;			/* the guest's, as the CPU has it meanwhile */
	u64 host_fs_base;
	struct rvm_tss host_tss;
	u16 host_ds, host_es, host_fs, host_gs;
};

static inline struct ring1_vcpu *to_ring1(struct rvm_vcpu *v)
{
	return v->mode_data;
}

/* Module parameter: as little as possible is interpreted. */
extern bool ring1_eager;

/* ---- desc.c ---- */
int ring1_desc_init(struct ring1_vcpu *r);
void ring1_desc_free(struct ring1_vcpu *r);
int ring1_desc_prepare(struct rvm_vcpu *v);
void ring1_desc_load(struct ring1_vcpu *r);
/* The selector that the CPU is to be given. */
u32 ring1_real_sel(const struct rvm_vcpu *v, enum rvm_sreg s);
/* The guest came back with selector @sel in @s. */
void ring1_take_seg(struct rvm_vcpu *v, enum rvm_sreg s, u16 sel);
/* A hidden descriptor and what a table has for it. */
void ring1_set_seg(struct rvm_vcpu *v, enum rvm_sreg s, u16 sel, u64 desc);
u64 ring1_seg_desc(const struct rvm_seg *s);
bool ring1_desc_written(struct rvm_vcpu *v, u64 gpa);

/* ---- view.c ---- */
/**
 * struct ring1_view - what ring 1 executes in place of a guest page
 * @node: in the VM's table
 * @gfn: the guest's frame
 * @page: HLT, but for what was copied; its page_private() leads back here
 * @kinds: R1_KIND_* of the instructions that have one, by their first byte; the page
 *   after @page
 * @known: bytes at which an instruction begins that was looked at
 * @writes: to the guest's page, since it is watched
 * @given_up: too many of them: it is not watched, and nothing is copied
 * @missed: how often it was wanted meanwhile; @tries: how often it was given up
 * @reading: the guest's page is being read, and was not written since
 * @empty: nothing has been looked at since it was cleared
 * @mode: RVM_DEC_*, as it was decoded
 * @next, @cross: the instruction that begins at @cross ends in that page; or NULL
 * @previous, @tail: an instruction of that page ends here and has so many bytes here
 * @lost: how often that had to be undone, because the pages were mapped otherwise
 *
 * All but @gfn, @page and @kinds under the lock of the table.
 */
struct ring1_view {
	struct hlist_node node;
	u64 gfn;
	u8 *page, *kinds;
	u32 writes, missed, tries;
	u32 mode;
	struct ring1_view *next, *previous;
	u32 cross, tail, lost;
	bool given_up;
	bool reading;
	bool empty;
	DECLARE_BITMAP(known, PAGE_SIZE);
};

int ring1_vm_init(struct rvm_vm *vm);
void ring1_vm_destroy(struct rvm_vm *vm);
struct ring1_view *ring1_view(struct rvm_vcpu *v, u64 gfn);
struct ring1_view *ring1_view_at(struct rvm_vcpu *v, u32 gla);
void ring1_views_clear(struct rvm_vm *vm);
void ring1_view_written(struct rvm_vm *vm, u64 gpa, u32 len);
bool ring1_view_discover(struct rvm_vcpu *v, struct ring1_view *view, u32 off);

/* ---- decide.c ---- */
enum ring1_reason ring1_decide(struct rvm_vcpu *v);
enum ring1_reason ring1_decide_state(struct rvm_vcpu *v);
void ring1_count(struct rvm_vcpu *v, enum ring1_reason reason);


/* ---- mitigate.c ---- */
DECLARE_STATIC_KEY_FALSE(ring1_ibpb_exit);
DECLARE_STATIC_KEY_FALSE(ring1_ibpb_put);
void ring1_mitigate_init(void);
u32 ring1_mitigate(void);

/* ---- traps.c ---- */
int ring1_handle(struct rvm_vcpu *v);

/* ---- fast.c ---- */
void ring1_fast_fill(struct rvm_vcpu *v);
bool ring1_fast_event(struct rvm_vcpu *v);
bool ring1_fast_deliver(struct rvm_vcpu *v);
void ring1_fast_prefault(struct rvm_vcpu *v);
void ring1_fast(struct ring1_frame *f);

/* ---- switch.S ---- */
void ring1_switch(struct ring1_frame *frame);
extern char ring1_gates[], ring1_gate_nmi[], ring1_gate_mc[], ring1_ints[];

#endif /* RVM_RING1_H */
