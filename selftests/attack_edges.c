// SPDX-License-Identifier: GPL-2.0
/*
 * Both ends of 4 GiB: stacks, operands, strings and code there, in ring 0 and ring 3, with
 * paging and without; the stack that the TSS names; segments whose base wraps, expand-down
 * ones, and descriptor tables that go on at 0.  Linear and effective addresses are of 32
 * bits, so all but single accesses across the end is determined (SDM vol. 1 §3.3.5, vol. 3
 * §5.3); those wrap, or are #GP or #SS with nothing changed: the CPU has the choice.
 *
 * Behind 4 GiB the host may have anything.
 */
#include "vmtest.h"

#define PG	0x1000u
#define TOP	0xfffff000u	/* the last page */
#define TOP_AT	0x300000u	/* where it is with paging */
#define LOW_AT	0x301000u	/* and page 0 */
#define POINTER	G_DATA		/* where far calls go */
#define RESULT	(G_DATA + 0x40)
#define CALLED	(G_CODE + 0x800)

#define SEL_DOWN 0x3b		/* an expand-down segment of ring 3's */

/* The two pages, and what else of the guest an instruction may change */
struct world {
	uint8_t top[PG], low[PG], result[64];
	uint32_t eax, ecx, edx, ebx, esp, ebp, esi, edi, eip, flags;
	bool across;		/* an access goes from the one into the other */
	uint32_t blurred[2];	/* words of 16 bits of which the manual says nothing */
	unsigned int nr_blurred;
};

static uint8_t *byte(struct world *w, uint32_t at)
{
	static uint8_t none;

	if (at >= TOP)
		return w->top + (at - TOP);
	if (at < PG)
		return w->low + at;
	if (at - RESULT < sizeof(w->result))
		return w->result + (at - RESULT);
	KTAP_FAIL_("the model goes to %#x", at);
	return &none;
}

static uint32_t rd(struct world *w, uint32_t at, unsigned int n)
{
	uint32_t v = 0;
	unsigned int i;

	w->across |= at + n - 1 < at;
	for (i = 0; i < n; i++)
		v |= (uint32_t)*byte(w, at + i) << (8 * i);
	return v;
}

static void wr(struct world *w, uint32_t at, unsigned int n, uint32_t v)
{
	unsigned int i;

	w->across |= at + n - 1 < at;
	for (i = 0; i < n; i++)
		*byte(w, at + i) = v >> (8 * i);
}

static void push(struct world *w, unsigned int n, uint32_t v)
{
	w->esp -= n;
	wr(w, w->esp, n, v);
}

static uint32_t pop(struct world *w, unsigned int n)
{
	uint32_t v = rd(w, w->esp, n);

	w->esp += n;
	return v;
}

/* A selector as it is pushed: a word, and a word that may be anything */
static void push_sel(struct world *w, uint16_t sel)
{
	push(w, 4, sel);
	w->blurred[w->nr_blurred++] = w->esp + 2;
}

static unsigned int ring;
static uint16_t code_sel(void)	{ return ring ? SEL_UCODE : SEL_CODE; }

/* ---- what they do (SDM vol. 2) ------------------------------------------------------ */

#define IMM	0x11223344u

static void m_push_imm(struct world *w)	{ push(w, 4, IMM); }
static void m_push_mem(struct world *w)	{ push(w, 4, rd(w, w->ebx, 4)); }
static void m_push_esp(struct world *w)	{ push(w, 4, w->esp); }
static void m_pop(struct world *w)	{ w->eax = pop(w, 4); }
static void m_pop_mem(struct world *w)	{ uint32_t v = pop(w, 4); wr(w, w->ebx, 4, v); }
static void m_pushw(struct world *w)	{ push(w, 2, w->eax); }
static void m_popw(struct world *w)	{ w->eax = (w->eax & ~0xffffu) | pop(w, 2); }
static void m_pushf(struct world *w)	{ push(w, 4, w->flags & ~0x30000u); }
static void m_popf(struct world *w)	{ w->flags = pop(w, 4) | (w->flags & RFLAGS_IF); }
static void m_call(struct world *w)	{ push(w, 4, G_CODE + 5); w->eip = G_CODE + 6; }
static void m_ret(struct world *w)	{ w->eip = pop(w, 4); }
static void m_ret_8(struct world *w)	{ w->eip = pop(w, 4); w->esp += 8; }
static void m_lret(struct world *w)	{ w->eip = pop(w, 4); pop(w, 4); }
static void m_push_cs(struct world *w)	{ push_sel(w, code_sel()); }

static void m_pusha(struct world *w)
{
	uint32_t esp = w->esp;

	push(w, 4, w->eax), push(w, 4, w->ecx), push(w, 4, w->edx), push(w, 4, w->ebx);
	push(w, 4, esp), push(w, 4, w->ebp), push(w, 4, w->esi), push(w, 4, w->edi);
}

static void m_popa(struct world *w)
{
	w->edi = pop(w, 4), w->esi = pop(w, 4), w->ebp = pop(w, 4), pop(w, 4);
	w->ebx = pop(w, 4), w->edx = pop(w, 4), w->ecx = pop(w, 4), w->eax = pop(w, 4);
}

static void m_lcall(struct world *w)
{
	push_sel(w, code_sel());
	push(w, 4, G_CODE + 6);
	w->eip = CALLED;
}

static void m_iret(struct world *w)
{
	w->eip = pop(w, 4);
	pop(w, 4);
	w->flags = pop(w, 4) | (w->flags & RFLAGS_IF);
}

static void m_enter(struct world *w)
{
	push(w, 4, w->ebp);
	w->ebp = w->esp;
	w->esp -= 8;
	/* SDM vol. 2, ENTER: the stack's new end is written to, or as if */
	w->across |= w->esp + 3 < w->esp;
}

static void m_leave(struct world *w)
{
	w->esp = w->ebp;
	w->ebp = pop(w, 4);
}

static void m_load(struct world *w)	{ w->eax = rd(w, w->ebx, 4); }
static void m_store(struct world *w)	{ wr(w, w->ebx, 4, w->eax); }
static void m_load2(struct world *w)	{ w->eax = (w->eax & ~0xffffu) | rd(w, w->ebx, 2); }
static void m_store2(struct world *w)	{ wr(w, w->ebx, 2, w->eax); }
static void m_store1(struct world *w)	{ wr(w, w->ebx, 1, w->eax); }

static void m_xchg(struct world *w)
{
	uint32_t v = rd(w, w->ebx, 4);

	wr(w, w->ebx, 4, w->eax);
	w->eax = v;
}

/* The address is cut to 32 bits before the access. */
static void m_far_off(struct world *w)	{ w->eax = rd(w, w->ebx + 0x80000000u + w->ecx * 8, 4); }
static void m_bts(struct world *w)
{
	/* bit ECX of a string at EBX: a dword's, as it is chosen (SDM vol. 2, BTS) */
	uint32_t at = w->ebx + ((int32_t)w->ecx >> 5) * 4, v = rd(w, at, 4);

	w->flags = (w->flags & ~1u) | (v >> (w->ecx & 31) & 1);
	wr(w, at, 4, v | 1u << (w->ecx & 31));
}

static void m_sse_load(struct world *w)
{
	unsigned int i;

	w->across |= w->ebx + 15 < w->ebx;
	for (i = 0; i < 16; i++)
		*byte(w, RESULT + i) = *byte(w, w->ebx + i);
}

static void m_sse_store(struct world *w)
{
	unsigned int i;

	w->across |= w->ebx + 15 < w->ebx;
	for (i = 0; i < 16; i++)
		*byte(w, w->ebx + i) = *byte(w, RESULT + i);
}

static void m_jmp_mem(struct world *w)	{ w->eip = rd(w, w->ebx, 4); }
static void m_ljmp_mem(struct world *w)
{
	w->across |= w->ebx + 5 < w->ebx;
	w->eip = rd(w, w->ebx, 4);
}

static void m_strings(struct world *w, unsigned int n, bool load, bool store, uint32_t count)
{
	uint32_t step = w->flags & RFLAGS_DF ? -n : n, val = w->eax;

	while (count--) {
		if (load) {
			val = rd(w, w->esi, n);
			w->esi += step;
		}
		if (store) {
			wr(w, w->edi, n, val);
			w->edi += step;
		} else {
			w->eax = n == 4 ? val : (w->eax & ~0xffu) | (val & 0xff);
		}
	}
}

static void m_movsl(struct world *w)	{ m_strings(w, 4, true, true, 1); }
static void m_lodsl(struct world *w)	{ m_strings(w, 4, true, false, 1); }
static void m_rep_stosb(struct world *w) { m_strings(w, 1, false, true, w->ecx); w->ecx = 0; }
static void m_rep_stosl(struct world *w) { m_strings(w, 4, false, true, w->ecx); w->ecx = 0; }
static void m_rep_movsb(struct world *w) { m_strings(w, 1, true, true, w->ecx); w->ecx = 0; }
static void m_rep_movsl(struct world *w) { m_strings(w, 4, true, true, w->ecx); w->ecx = 0; }

/* What must lie at the address for it */
enum ready { NOTHING, AT_ESP_FLAGS, AT_ESP_EIP, AT_ESP_FAR, AT_ESP_IRET, AT_EBX_EIP, AT_EBX_FAR };
enum edge { E_ESP, E_EBX, E_EBP, E_ESI, E_EDI };

struct op {
	const char *name;
	const struct guest_code *code;
	void (*model)(struct world *w);
	enum edge edge;
	enum ready ready;
	uint32_t flags;
};

#define OP(sym, insn) GUEST(sym, 32, insn "\nhlt\nhlt\n")
OP(push_imm, "push $0x11223344");
OP(push_mem, "push (%ebx)");
OP(push_esp, "push %esp");
OP(push_cs, "push %cs");
OP(pop_eax, "pop %eax");
OP(pop_mem, "pop (%ebx)");
OP(push_w, "push %ax");
OP(pop_w, "pop %ax");
OP(push_f, "pushf");
OP(pop_f, "popf");
OP(push_a, "pusha");
OP(pop_a, "popa");
OP(call_, "call .+6");
OP(ret_, "ret");
OP(ret_8, "ret $8");
OP(lcall_, "lcall *0xc000");
OP(lret_, "lret");
OP(iret_, "iret");
OP(enter_, "enter $8, $0");
OP(leave_, "leave");
OP(load4, "mov (%ebx), %eax");
OP(store4, "mov %eax, (%ebx)");
OP(load2, "mov (%ebx), %ax");
OP(store2, "mov %ax, (%ebx)");
OP(store1, "mov %al, (%ebx)");
OP(xchg_, "xchg %eax, (%ebx)");
OP(far_off, "mov -0x80000000(%ebx,%ecx,8), %eax");
OP(bts_, "bts %ecx, (%ebx)");
OP(sse_load, "movups (%ebx), %xmm0\nmovups %xmm0, 0xc040");
OP(sse_store, "movups 0xc040, %xmm0\nmovups %xmm0, (%ebx)");
OP(jmp_mem, "jmp *(%ebx)");
OP(ljmp_mem, "ljmp *(%ebx)");
OP(movs_l, "movsl");
OP(lods_l, "lodsl");
OP(rep_stosb, "rep stosb");
OP(rep_stosl, "rep stosl");
OP(rep_movsb, "rep movsb");
OP(rep_movsl, "rep movsl");

#define O(sym, model, ...) { #sym, &sym, model, __VA_ARGS__ }

static const struct op ops[] = {
	O(push_imm, m_push_imm, E_ESP, 0, 0), O(push_mem, m_push_mem, E_EBX, 0, 0),
	O(push_mem, m_push_mem, E_ESP, 0, 0), O(push_esp, m_push_esp, E_ESP, 0, 0),
	O(push_cs, m_push_cs, E_ESP, 0, 0),
	O(pop_eax, m_pop, E_ESP, 0, 0), O(pop_mem, m_pop_mem, E_ESP, 0, 0),
	O(pop_mem, m_pop_mem, E_EBX, 0, 0),
	O(push_w, m_pushw, E_ESP, 0, 0), O(pop_w, m_popw, E_ESP, 0, 0),
	O(push_f, m_pushf, E_ESP, 0, 0x8c5), O(pop_f, m_popf, E_ESP, AT_ESP_FLAGS, 0),
	O(push_a, m_pusha, E_ESP, 0, 0), O(pop_a, m_popa, E_ESP, 0, 0),
	O(call_, m_call, E_ESP, 0, 0), O(ret_, m_ret, E_ESP, AT_ESP_EIP, 0),
	O(ret_8, m_ret_8, E_ESP, AT_ESP_EIP, 0), O(lcall_, m_lcall, E_ESP, 0, 0),
	O(lret_, m_lret, E_ESP, AT_ESP_FAR, 0), O(iret_, m_iret, E_ESP, AT_ESP_IRET, 0),
	O(enter_, m_enter, E_ESP, 0, 0), O(leave_, m_leave, E_EBP, 0, 0),
	O(load4, m_load, E_EBX, 0, 0), O(store4, m_store, E_EBX, 0, 0),
	O(load2, m_load2, E_EBX, 0, 0), O(store2, m_store2, E_EBX, 0, 0),
	O(store1, m_store1, E_EBX, 0, 0), O(xchg_, m_xchg, E_EBX, 0, 0),
	O(far_off, m_far_off, E_EBX, 0, 0), O(bts_, m_bts, E_EBX, 0, 0),
	O(sse_load, m_sse_load, E_EBX, 0, 0), O(sse_store, m_sse_store, E_EBX, 0, 0),
	O(jmp_mem, m_jmp_mem, E_EBX, AT_EBX_EIP, 0), O(ljmp_mem, m_ljmp_mem, E_EBX, AT_EBX_FAR, 0),
	O(movs_l, m_movsl, E_ESI, 0, 0), O(movs_l, m_movsl, E_EDI, 0, RFLAGS_DF),
	O(lods_l, m_lodsl, E_ESI, 0, 0), O(lods_l, m_lodsl, E_ESI, 0, RFLAGS_DF),
	O(rep_stosb, m_rep_stosb, E_EDI, 0, 0), O(rep_stosb, m_rep_stosb, E_EDI, 0, RFLAGS_DF),
	O(rep_stosl, m_rep_stosl, E_EDI, 0, 0), O(rep_stosl, m_rep_stosl, E_EDI, 0, RFLAGS_DF),
	O(rep_movsb, m_rep_movsb, E_ESI, 0, 0), O(rep_movsb, m_rep_movsb, E_EDI, 0, RFLAGS_DF),
	O(rep_movsl, m_rep_movsl, E_ESI, 0, RFLAGS_DF), O(rep_movsl, m_rep_movsl, E_EDI, 0, 0),
};

/* ---- the guest ------------------------------------------------------------------------- */

static uint8_t *top, *low;	/* its two pages */
static uint8_t random_page[2 * PG];
static struct kvm_sregs good;

static struct vcpu *start(enum guest_mode m)
{
	struct vm *vm = vm_new(G_MEM);
	struct vcpu *v = vcpu_new(vm, 0, m);
	unsigned int i;

	fpu_on(v);
	if (m == MODE_PROT32) {
		top = anon(PG);
		low = vm->mem;
		ASSERT_OK(vm_slot(vm, 1, 0, TOP, PG, top));
	} else {
		top = vm->mem + TOP_AT;
		low = vm->mem + LOW_AT;
	}
	if (m == MODE_PG32) {
		g32(vm, G_PD32 + 1023 * 4) = G_FREE | 7;
		g32(vm, G_FREE + 1023 * 4) = TOP_AT | 7;
		g32(vm, G_PT32) = LOW_AT | 7;
	} else if (m == MODE_PAE) {
		g64(vm, G_PD + 2047 * 8) = G_FREE | 7;
		g64(vm, G_FREE + 511 * 8) = TOP_AT | 7;
		g64(vm, G_PT) = LOW_AT | 7;
	}
	if (ring) {
		struct kvm_sregs *s = &v->sregs;
		struct kvm_segment *data[] = { &s->ds, &s->es, &s->fs, &s->gs, &s->ss };

		s->cs.selector = SEL_UCODE;
		s->cs.dpl = 3;
		for (i = 0; i < KTAP_COUNT(data); i++) {
			data[i]->selector = SEL_UDATA;
			data[i]->dpl = 3;
		}
	}
	g8(vm, G_IDT32 + 0x41 * 8 + 5) = 0xee;
	g8(vm, CALLED) = 0xf4;
	good = v->sregs;
	return v;
}

/* The frame of an exception out of ring 3, on the stack of the TSS */
static uint32_t frame(const struct vcpu *v, unsigned int i)
{
	return v->regs.rsp < G_MEM - 64 ? g32(v->vm, v->regs.rsp + i * 4) : 0;
}

static unsigned int wraps, faults;	/* what became of accesses across the end */

static void to_regs(struct vcpu *v, const struct world *w)
{
	v->regs = (struct kvm_regs){
		.rax = w->eax, .rcx = w->ecx, .rdx = w->edx, .rbx = w->ebx, .rsp = w->esp,
		.rbp = w->ebp, .rsi = w->esi, .rdi = w->edi, .rip = w->eip, .rflags = w->flags,
	};
	v->sregs = good;
	set_sregs(v);
	set_regs(v);
}

/* As the guest stands at its HLT, or at the instruction that faulted */
static struct world from_guest(struct vcpu *v)
{
	struct world w = {
		.eax = v->regs.rax, .ecx = v->regs.rcx, .edx = v->regs.rdx, .ebx = v->regs.rbx,
		.esp = v->regs.rsp, .ebp = v->regs.rbp, .esi = v->regs.rsi, .edi = v->regs.rdi,
		.eip = v->regs.rip - 1, .flags = v->regs.rflags,
	};

	if (ring) {
		w.eip = frame(v, 1);
		w.flags = frame(v, 3) & ~RFLAGS_RF;
		w.esp = frame(v, 4);
	}
	memcpy(w.top, top, PG);
	memcpy(w.low, low, PG);
	memcpy(w.result, v->vm->mem + RESULT, sizeof(w.result));
	return w;
}

static bool same(const struct world *got, const struct world *want)
{
	struct world a = *got, b = *want;
	unsigned int i, k;

	for (i = 0; i < b.nr_blurred; i++)
		for (k = 0; k < 2; k++)
			*byte(&a, b.blurred[i] + k) = *byte(&b, b.blurred[i] + k) = 0;
	return !memcmp(a.top, b.top, PG) && !memcmp(a.low, b.low, PG) &&
		!memcmp(a.result, b.result, sizeof(a.result)) && a.eax == b.eax &&
		a.ecx == b.ecx && a.edx == b.edx && a.ebx == b.ebx && a.esp == b.esp &&
		a.ebp == b.ebp && a.esi == b.esi && a.edi == b.edi && a.eip == b.eip &&
		a.flags == b.flags;
}

static void show(const char *what, const struct world *w)
{
	ktap_diag("%s: eip %#x esp %#x eflags %#x eax %#x ecx %#x edx %#x ebx %#x ebp %#x esi %#x edi %#x",
		  what, w->eip, w->esp, w->flags, w->eax, w->ecx, w->edx, w->ebx, w->ebp, w->esi,
		  w->edi);
	ktap_diag("  at -16: %08x %08x %08x %08x, at 0: %08x %08x %08x %08x",
		  *(uint32_t *)(w->top + PG - 16), *(uint32_t *)(w->top + PG - 12),
		  *(uint32_t *)(w->top + PG - 8), *(uint32_t *)(w->top + PG - 4),
		  *(uint32_t *)w->low, *(uint32_t *)(w->low + 4), *(uint32_t *)(w->low + 8),
		  *(uint32_t *)(w->low + 12));
}

/* A value that an instruction wants, across the end too */
static void lay(struct world *w, uint32_t at, const uint32_t *val, unsigned int n)
{
	bool was = w->across;

	for (; n--; at += 4)
		wr(w, at, 4, *val++);
	w->across = was;
}

/*
 * A fault leaves the registers as they were, but for a string's that is half done; of what
 * is written in several accesses some may have been.
 */
static bool refused(const struct op *op, const struct world *got, const struct world *before,
		    const struct world *want, uint32_t next)
{
	bool string = op->edge == E_ESI || op->edge == E_EDI;
	unsigned int i;

	for (i = 0; i < PG; i++)
		if ((got->top[i] != before->top[i] && got->top[i] != want->top[i]) ||
		    (got->low[i] != before->low[i] && got->low[i] != want->low[i]))
			return false;
	/* TCG has loaded some of POPA's registers by then. */
	if (op->model == m_popa && host_is_tcg())
		return got->esp == before->esp && got->eip == before->eip;
	return got->esp == before->esp && got->ebp == before->ebp && got->eax == before->eax &&
		got->ebx == before->ebx && got->edx == before->edx && got->flags == before->flags &&
		got->eip >= G_CODE && got->eip < next &&
		(string || (got->esi == before->esi && got->edi == before->edi &&
			    got->ecx == before->ecx));
}

static void attempt(struct vcpu *v, const struct op *op, uint32_t at)
{
	uint32_t next = G_CODE + code_len(*op->code) - 2;
	struct world before = {
		.eax = rnd(), .ecx = rnd() % 6, .edx = rnd(), .ebx = TOP + 0x100, .esp = 0x400,
		.ebp = TOP + 0x200, .esi = TOP + 0x300, .edi = 0x500, .eip = G_CODE,
		.flags = RFLAGS_1 | op->flags | (ring ? RFLAGS_IF : 0),
	}, want, got;
	uint32_t image[] = { next, code_sel(), RFLAGS_1 | 0x891 };
	bool crash;

	memcpy(before.top, random_page, PG);
	memcpy(before.low, random_page + PG, PG);
	memcpy(before.result, random_page + 100, sizeof(before.result));
	*(op->edge == E_ESP ? &before.esp : op->edge == E_EBX ? &before.ebx :
	  op->edge == E_EBP ? &before.ebp : op->edge == E_ESI ? &before.esi : &before.edi) = at;
	if (op->model == m_bts)
		before.ecx = rnd() % 512 - 256;
	if (op->model == m_far_off)
		before.ebx -= 0x80000000u + before.ecx * 8;
	switch (op->ready) {
	case AT_ESP_FLAGS: lay(&before, at, image + 2, 1); break;
	case AT_ESP_EIP: lay(&before, at, image, 1); break;
	case AT_ESP_FAR: lay(&before, at, image, 2); break;
	case AT_ESP_IRET: lay(&before, at, image, 3); break;
	case AT_EBX_EIP: lay(&before, at, image, 1); break;
	case AT_EBX_FAR: lay(&before, at, image, 2); break;
	default: break;
	}
	want = before;
	want.eip = next;
	op->model(&want);
	/* TCG without paging goes on above 4 GiB. */
	if (want.across && v->mode == MODE_PROT32 && guest_on_tcg())
		return;

	memcpy(top, before.top, PG);
	memcpy(low, before.low, PG);
	memcpy(v->vm->mem + RESULT, before.result, sizeof(before.result));
	to_regs(v, &before);
	ASSERT_EQ(vcpu_run(v), 0);
	get_regs(v);
	got = from_guest(v);
	crash = v->run->exit_reason == KVM_EXIT_SHUTDOWN;
	if (!crash && v->run->exit_reason != KVM_EXIT_HLT) {
		show_exit(v);
		FAIL("ring %u: %s at %#x", ring, op->name, at);
	}
	if (!crash && same(&got, &want)) {
		wraps += want.across;
		return;
	}
	if (want.across) {
		faults++;
		/* Ring 0 has that stack for the exception, too. */
		if (!ring && (crash || v->regs.rip - 1 - G_TRAPS < 32))
			return;
		if (ring && !crash && refused(op, &got, &before, &want, next) && !frame(v, 0) &&
		    (v->regs.rip == G_TRAPS + GP + 1 || v->regs.rip == G_TRAPS + SS + 1))
			return;
	}
	KTAP_FAIL_("%s, ring %u: %s at %#x%s: RIP %#llx", mode_name[v->mode], ring, op->name, at,
		   crash ? " shut down" : "", v->regs.rip);
	show("before", &before);
	show("want", &want);
	show("got", &got);
}

static void operands_in(unsigned int r)
{
	static const enum guest_mode modes[] = { MODE_PG32, MODE_PAE, MODE_PROT32 };
	unsigned int i, m, n = 0, k;

	ring = r;
	wraps = faults = 0;
	for (i = 0; i < sizeof(random_page); i++)
		random_page[i] = rnd();
	for (m = 0; m < KTAP_COUNT(modes); m++) {
		struct vcpu *v = start(modes[m]);

		for (i = 0; i < KTAP_COUNT(ops); i++) {
			guest_load(v->vm, G_CODE, *ops[i].code);
			g32(v->vm, POINTER) = CALLED;
			g16(v->vm, POINTER + 4) = code_sel();
			/* all of them with the first way of paging, and some with the others */
			for (k = 0; k < 56; k += m ? 1 + rnd() % 12 : 1, n++)
				attempt(v, &ops[i], k - 36);
		}
		vm_free_all();
	}
	ktap_diag("ring %u: %u accesses; of those across the end %u wrapped, %u were refused", r, n,
		  wraps, faults);
}

static void operands3(void)	{ operands_in(3); }
static void operands0(void)	{ operands_in(0); }

/* ---- the stack that the TSS names --------------------------------------------------------- */

GUEST(int_41, 32, "int $0x41\n");
GUEST(ud_2, 32, "ud2\n");
GUEST(cli_, 32, "cli\n");

static void event_stack(void)
{
	static const struct {
		const struct guest_code *code;
		int vector, len;
		bool error;
	} t[] = { { &int_41, 0x41, 2, false }, { &ud_2, UD, 0, false }, { &cli_, GP, 0, true } };
	static const enum guest_mode modes[] = { MODE_PG32, MODE_PAE, MODE_PROT32 };
	unsigned int i, m, k;

	ring = 3;
	for (m = 0; m < KTAP_COUNT(modes); m++) {
		struct vcpu *v = start(modes[m]);
		uint32_t tss = good.tr.base;

		for (i = 0; i < KTAP_COUNT(t); i++)
			for (k = 0; k < 64; k++) {
				struct world w = { .eip = G_CODE, .esp = 0x400,
						   .flags = RFLAGS_1 | RFLAGS_IF }, got, want;
				uint32_t esp0 = k - 32;

				memcpy(w.top, random_page, PG);
				memcpy(w.low, random_page + PG, PG);
				memcpy(top, w.top, PG);
				memcpy(low, w.low, PG);
				memcpy(w.result, v->vm->mem + RESULT, sizeof(w.result));
				guest_load(v->vm, G_CODE, *t[i].code);
				g32(v->vm, tss + 4) = esp0;
				to_regs(v, &w);
				want = w;
				want.esp = esp0;
				push_sel(&want, SEL_UDATA);
				push(&want, 4, w.esp);
				push(&want, 4, w.flags | (t[i].len ? 0 : RFLAGS_RF));
				push_sel(&want, SEL_UCODE);
				push(&want, 4, G_CODE + t[i].len);
				if (t[i].error)
					push(&want, 4, 0);
				if (want.across && modes[m] == MODE_PROT32 && guest_on_tcg())
					continue;
				want.eip = G_TRAPS + t[i].vector;
				want.flags = RFLAGS_1;
				ASSERT_EQ(vcpu_run(v), 0);
				get_regs(v);
				ring = 0;
				got = from_guest(v);
				ring = 3;
				/* TCG does not push RF. */
				if (guest_on_tcg() && !t[i].len)
					*byte(&want, want.esp + 10 + 4 * t[i].error) =
						*byte(&got, want.esp + 10 + 4 * t[i].error);
				if (v->run->exit_reason == KVM_EXIT_HLT && same(&got, &want))
					continue;
				if (v->run->exit_reason == KVM_EXIT_SHUTDOWN && want.across)
					continue;
				KTAP_FAIL_("%s: vector %#x with ESP0 %#x", mode_name[modes[m]],
					   t[i].vector, esp0);
				show_exit(v);
				show("want", &want);
				show("got", &got);
			}
		vm_free_all();
	}
}

/* ---- code ------------------------------------------------------------------------------------ */

/* What follows at 0: EAX tells that it was reached. */
static const uint8_t landing[] = { 0xb0, 0x77, 0xf4 };

static const struct far_code {
	const char *name;
	uint32_t at;			/* the first instruction */
	uint8_t len, bytes[12];
	uint32_t rings;			/* 1: ring 0, 2: ring 3 */
	bool open;			/* it may be refused, #GP with this EIP */
	uint32_t refused;
	uint32_t flags;
	int vector;			/* that it ends with */
	uint32_t eip;
} far_code[] = {
	{ "nop", 0xffffffff, 1, { 0x90 }, 3, true, 0, 0, -1, 2 },
	{ "two nops", 0xfffffffe, 2, { 0x90, 0x90 }, 3, true, 0, 0, -1, 2 },
	{ "mov across", 0xfffffffd, 5, { 0xb9, 0x78, 0x56, 0xb0, 0x77 }, 3, true, 0xfffffffd, 0, -1, 2 },
	{ "mov to the end", 0xfffffffb, 5, { 0xb9, 0x78, 0x56, 0x34, 0x12 }, 3, true, 0, 0, -1, 2 },
	{ "jmp", 0xfffffff0, 2, { 0xeb, 0x0e }, 3, false, 0, 0, -1, 2 },
	{ "jmp at the end", 0xfffffffe, 2, { 0xeb, 0x00 }, 3, false, 0, 0, -1, 2 },
	{ "jmp near", 0xfffffff0, 5, { 0xe9, 0x0b, 0, 0, 0 }, 3, false, 0, 0, -1, 2 },
	{ "cli", 0xffffffff, 1, { 0xfa }, 1, true, 0, 0, -1, 2 },
	{ "sti", 0xffffffff, 1, { 0xfb }, 1, true, 0, 0, -1, 2 },
	{ "pushf", 0xffffffff, 1, { 0x9c }, 3, true, 0, 0, -1, 2 },
	{ "rdtsc", 0xfffffffe, 2, { 0x0f, 0x31 }, 3, true, 0, 0, -1, 2 },
	{ "cpuid", 0xfffffffe, 2, { 0x0f, 0xa2 }, 3, true, 0, 0, -1, 2 },
	{ "mov cr0", 0xfffffffd, 3, { 0x0f, 0x20, 0xc1 }, 1, true, 0, 0, -1, 2 },
	{ "int", 0xfffffffe, 2, { 0xcd, 0x41 }, 3, false, 0, 0, 0x41, 0 },
	{ "ud2", 0xfffffffe, 2, { 0x0f, 0x0b }, 3, false, 0, 0, UD, 0xfffffffe },
	{ "ud2 across", 0xffffffff, 1, { 0x0f }, 3, true, 0xffffffff, 0, UD, 0xffffffff },
	{ "step", 0xffffffff, 1, { 0x90 }, 3, true, 0, RFLAGS_TF, DB, 0 },
};

static void code(void)
{
	static const enum guest_mode modes[] = { MODE_PG32, MODE_PAE, MODE_PROT32 };
	unsigned int m, i, r, on = 0, refused = 0;

	for (m = 0; m < KTAP_COUNT(modes); m++)
		for (r = 0; r <= 3; r += 3) {
			struct vcpu *v;

			ring = r;
			v = start(modes[m]);
			for (i = 0; i < KTAP_COUNT(far_code); i++) {
				const struct far_code *f = &far_code[i];
				struct world w = { .eip = f->at, .esp = 0x9000, .eax = 0x11,
						   .flags = RFLAGS_1 | f->flags | (r ? RFLAGS_IF : 0) };
				uint32_t *fr, eip;
				unsigned int k;
				/* one instruction of what is before the end and after it */
				const bool whole = f->at + f->len < f->at && f->at + f->len > 1;
				int got;

				if (!(f->rings & (r ? 2 : 1)))
					continue;
				memset(top, 0xf4, PG);
				memset(low, 0xf4, PG);
				memcpy(low, landing, sizeof(landing));
				if (f->vector == UD && f->open)
					low[0] = 0x0b;
				for (k = 0; k < f->len; k++)
					*(f->at + k >= f->at ? top + (f->at - TOP) + k :
					  low + (uint32_t)(f->at + k)) = f->bytes[k];
				to_regs(v, &w);
				run_to_hlt(v);
				got = v->regs.rip - 1 - G_TRAPS < 256 ? (int)(v->regs.rip - 1 - G_TRAPS) : -1;
				fr = (uint32_t *)(v->vm->mem + v->regs.rsp);
				/* HLT of ring 3, #GP, is where ring 0 stops. */
				if (got == GP)
					fr++;
				eip = got < 0 ? v->regs.rip - 1 : fr[0];
				if (got == GP && f->open && eip == f->refused && (v->regs.rax & 0xff) == 0x11) {
					refused++;
					continue;
				}
				on += f->open;
				if (got != (f->vector < 0 && r ? GP : f->vector) || eip != f->eip ||
				    (f->vector < 0 && (v->regs.rax & 0xff) != (whole ? 0x11 : 0x77)) ||
				    (whole && v->regs.rcx != 0x77b05678))
					KTAP_FAIL_("%s, ring %u: %s at %#x: vector %d, EIP %#x, EAX %#llx; want vector %d, EIP %#x",
						   mode_name[modes[m]], r, f->name, f->at, got, eip,
						   v->regs.rax, f->vector, f->eip);
			}
			vm_free_all();
		}
	ktap_diag("of the code that goes on at 0, %u did, %u were refused", on, refused);
}

/* Port I/O and HLT there, which the client sees. */
GUEST(out_hlt, 32, "out %al, $0x10\n");

static void exits(void)
{
	struct vcpu *v;

	ring = 0;
	v = start(MODE_PG32);
	memset(low, 0xf4, PG);
	memcpy(top + PG - 2, guest_out_hlt, 2);
	v->regs.rip = 0xfffffffe;
	v->regs.rsp = 0x9000;
	set_regs(v);
	run_to(v, KVM_EXIT_IO);
	run_to_hlt(v);
	if (v->regs.rip != G_TRAPS + GP + 1)
		EXPECT_EQ(v->regs.rip, 1);
	top[PG - 1] = 0xf4;
	v->regs.rip = 0xffffffff;
	set_regs(v);
	run_to_hlt(v);
	EXPECT_EQ(v->regs.rip & 0xffffffff, 0);
	EXPECT_EQ(v->regs.rip >> 32, 0);
}

/* ---- segments ---------------------------------------------------------------------------------- */

GUEST(ds_load, 32, "mov (%ebx), %eax\nhlt\n");
GUEST(es_load, 32, "mov %es:(%ebx), %eax\nhlt\n");
GUEST(ss_push, 32, "push %eax\nhlt\n");

static void put_desc(struct vcpu *v, uint16_t sel, const struct kvm_segment *s)
{
	uint64_t limit = s->g ? s->limit >> 12 : s->limit;

	g64(v->vm, good.gdt.base + (sel & ~7)) =
		(limit & 0xffff) | (s->base & 0xffffff) << 16 | (uint64_t)s->type << 40 |
		1ull << 44 | (uint64_t)s->dpl << 45 | 1ull << 47 | (limit >> 16 & 15) << 48 |
		(uint64_t)s->db << 54 | (uint64_t)s->g << 55 | (s->base >> 24 & 0xff) << 56;
}

/* A base just below 4 GiB: what is behind is at 0. */
static void base_wraps(void)
{
	unsigned int r;
	uint32_t off;

	for (r = 0; r <= 3; r += 3) {
		struct kvm_segment s = { .base = TOP, .limit = 0xffffffff, .selector = 0x38 | r,
					 .type = 3, .present = 1, .dpl = r, .db = 1, .s = 1, .g = 1 };
		struct vcpu *v;

		ring = r;
		v = start(MODE_PG32);
		guest_load(v->vm, G_CODE, es_load);
		put_desc(v, s.selector, &s);
		good.es = s;
		memcpy(top, random_page, PG);
		memcpy(low, random_page + PG, PG);
		for (off = PG - 8; off < PG + 8; off++) {
			struct world w = { .eip = G_CODE, .ebx = off, .esp = 0x800,
					   .flags = RFLAGS_1 | (r ? RFLAGS_IF : 0) };
			uint32_t want;

			memcpy(&want, random_page + off, 4);
			to_regs(v, &w);
			run_to_hlt(v);
			EXPECT_EQ(v->regs.rax, want);
		}
		vm_free_all();
	}
}

/* Expand-down: from its limit on to 4 GiB, and not across that (SDM vol. 3 §5.3). */
static void expand_down(void)
{
	static const struct {
		uint32_t at;
		bool good;
	} t[] = {
		{ 0x0ffb, false }, { 0x0ffc, false }, { 0x0fff, false }, { 0x1000, true }, { 0x1001, true },
		{ 0xfffffff8, true }, { 0xfffffffc, true }, { 0xfffffffd, false }, { 0xffffffff, false },
		{ 0, false },
	};
	struct kvm_segment s = { .limit = 0xfff, .selector = SEL_DOWN, .type = 7, .present = 1,
				 .dpl = 3, .db = 1, .s = 1 };
	struct vcpu *v;
	unsigned int i;

	if (guest_on_tcg() || guest_partly_on_tcg())
		SKIP("TCG has no limits");
	ring = 3;
	v = start(MODE_PG32);
	put_desc(v, s.selector, &s);
	memset(top, 0x55, PG);
	for (i = 0; i < KTAP_COUNT(t); i++) {
		struct world w = { .eip = G_CODE, .ebx = t[i].at, .esp = 0x5000,
				   .flags = RFLAGS_1 | RFLAGS_IF };

		guest_load(v->vm, G_CODE, ds_load);
		good.ds = s;
		to_regs(v, &w);
		EXPECT_EQ(run_to_vector(v), GP);
		if (frame(v, 1) != G_CODE + (t[i].good ? 2 : 0) || frame(v, 0))
			KTAP_FAIL_("load at %#x: EIP %#x, error code %#x", t[i].at, frame(v, 1),
				   frame(v, 0));
		if (t[i].at >= TOP && t[i].good)
			EXPECT_EQ(v->regs.rax, 0x55555555);
		good.ds = good.es;
		guest_load(v->vm, G_CODE, ss_push);
		w.esp = t[i].at + 4;
		good.ss = s;
		to_regs(v, &w);
		EXPECT_EQ(run_to_vector(v), t[i].good ? GP : SS);
		EXPECT_EQ(frame(v, 1), G_CODE + t[i].good);
		EXPECT_EQ(frame(v, 4), t[i].good ? t[i].at : t[i].at + 4);
		good.ss = good.es;
	}
}

/* A GDT at the very end of 4 GiB goes on at 0. */
GUEST(lsl_load, 32, "lsl %ecx, %edx\nmov %ecx, %es\nmov %es:(%ebx), %eax\nhlt\n");

static void table_wraps(void)
{
	static const enum guest_mode modes[] = { MODE_PG32, MODE_PAE };
	unsigned int r, m;

	for (m = 0; m < KTAP_COUNT(modes); m++)
		for (r = 0; r <= 3; r += 3) {
			struct kvm_segment s = { .base = 0x10, .limit = 0x4321, .type = 3, .dpl = r,
						 .db = 1 };
			struct world w = { .eip = G_CODE, .ebx = 0x20, .esp = 0x800, .ecx = 0x98 | r,
					   .flags = RFLAGS_1 | (r ? RFLAGS_IF : 0) };
			struct vcpu *v;

			ring = r;
			v = start(modes[m]);
			guest_load(v->vm, G_CODE, lsl_load);
			put_desc(v, 0x98, &s);
			memcpy(low, random_page, PG);
			memcpy(top + PG - 0x80, v->vm->mem + good.gdt.base, 0x80);
			memcpy(low, v->vm->mem + good.gdt.base + 0x80, 0x80);
			good.gdt.base = 0xffffff80;
			to_regs(v, &w);
			run_to_hlt(v);
			EXPECT_EQ(v->regs.rdx, 0x4321);
			EXPECT_EQ(v->regs.rax, *(uint32_t *)(low + 0x30));
			vm_free_all();
		}
}

int main(void)
{
	static const struct ktap_case cases[] = {
		{ "operands, ring 3", operands3 }, { "operands, ring 0", operands0 },
		{ "stack of the TSS", event_stack }, { "code", code }, { "exits", exits },
		{ "base wraps", base_wraps }, { "expand-down", expand_down },
		{ "table wraps", table_wraps },
	};

	vmtest_init();
	rnd_seed_fixed(0xed9e5);
	return ktap_run(cases, KTAP_COUNT(cases));
}
