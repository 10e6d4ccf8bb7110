// SPDX-License-Identifier: GPL-2.0
/* Puts a vCPU into a CPU mode: descriptor tables, page tables, registers. */
#include "vmtest.h"

const char *const mode_name[NR_MODES] = {
	[MODE_REAL] = "real", [MODE_PROT16] = "prot16", [MODE_PROT32] = "prot32",
	[MODE_PG32] = "paged32", [MODE_PAE] = "pae", [MODE_LONG] = "long",
};

static uint64_t gdt_base(enum guest_mode m)
{
	return G_GDT + m * 0x100;
}

static uint64_t tss_base(enum guest_mode m)
{
	return G_TSS + m * 0x80;
}

static struct kvm_segment seg_flat(enum guest_mode m, uint16_t sel, bool code, int dpl)
{
	struct kvm_segment s = {
		.selector = sel, .limit = mode_bits(m) == 16 ? 0xffff : 0xffffffff,
		.type = code ? 0xb : 0x3, .present = 1, .dpl = dpl, .s = 1,
		.db = mode_bits(m) != 16 && !(code && m == MODE_LONG),
		.l = code && m == MODE_LONG, .g = mode_bits(m) != 16,
	};

	return s;
}

/* A descriptor as it lies in memory (SDM vol. 3 3.4.5). */
static uint64_t desc(const struct kvm_segment *s)
{
	uint64_t limit = s->g ? s->limit >> 12 : s->limit;

	return (limit & 0xffff) | (s->base & 0xffffff) << 16 | (uint64_t)s->type << 40 |
	       (uint64_t)s->s << 44 | (uint64_t)s->dpl << 45 | (uint64_t)s->present << 47 |
	       (limit >> 16 & 0xf) << 48 | (uint64_t)s->l << 53 | (uint64_t)s->db << 54 |
	       (uint64_t)s->g << 55 | (s->base >> 24 & 0xff) << 56;
}

void guest_handler(struct vm *vm, enum guest_mode mode, int vector, uint64_t addr)
{
	uint32_t at;

	switch (mode) {
	case MODE_REAL:
		g32(vm, G_IVT + vector * 4) = addr;	/* segment 0 */
		break;
	case MODE_LONG:
		at = G_IDT64 + vector * 16;
		g64(vm, at) = (addr & 0xffff) | SEL_CODE << 16 | 0x8e0000000000ull |
			      (addr >> 16 & 0xffff) << 48;
		g64(vm, at + 8) = addr >> 32;
		break;
	default:
		at = (mode == MODE_PROT16 ? G_IDT16 : G_IDT32) + vector * 8;
		g64(vm, at) = (addr & 0xffff) | SEL_CODE << 16 |
			      (mode == MODE_PROT16 ? 0x860000000000ull : 0x8e0000000000ull) |
			      (addr >> 16 & 0xffff) << 48;
	}
}

static void build_descriptors(struct vm *vm, enum guest_mode m)
{
	uint32_t gdt = gdt_base(m), tss = tss_base(m);
	struct kvm_segment s;
	int i;

	g64(vm, gdt) = 0;
	s = seg_flat(m, SEL_CODE, true, 0);
	g64(vm, gdt + SEL_CODE) = desc(&s);
	s = seg_flat(m, SEL_DATA, false, 0);
	g64(vm, gdt + SEL_DATA) = desc(&s);
	s = (struct kvm_segment){ .base = tss, .limit = 0x67, .type = 0xb, .present = 1 };
	g64(vm, gdt + SEL_TSS) = desc(&s);
	g64(vm, gdt + SEL_TSS + 8) = 0;
	s = seg_flat(m, SEL_UCODE, true, 3);
	g64(vm, gdt + (SEL_UCODE & ~7)) = desc(&s);
	s = seg_flat(m, SEL_UDATA, false, 3);
	g64(vm, gdt + (SEL_UDATA & ~7)) = desc(&s);

	/* Stack for exceptions out of ring 3: SDM vol. 3 8.2.1 and 8.7. */
	memset(vm->mem + tss, 0, 0x68);
	g32(vm, tss + 4) = G_STACK;
	if (m != MODE_LONG)
		g16(vm, tss + 8) = SEL_DATA;
	g16(vm, tss + 0x66) = 0x68;		/* behind the limit: no I/O map */
	for (i = 0; i < 256; i++)
		guest_handler(vm, m, i, G_TRAPS + i);
}

static void build_tables(struct vm *vm)
{
	uint32_t i;

	/* User bit everywhere, so that ring 3 code runs from the same pages. */
	g64(vm, G_PML4) = G_PDPT | 7;
	for (i = 0; i < 4; i++) {
		g64(vm, G_PDPT + i * 8) = (G_PD + i * 0x1000) | 7;
		g64(vm, G_PDPT_PAE + i * 8) = (G_PD + i * 0x1000) | 1;
	}
	for (i = 0; i < 4 * 512; i++)
		g64(vm, G_PD + i * 8) = (uint64_t)i << 21 | 0x87;
	g64(vm, G_PD) = G_PT | 7;
	for (i = 0; i < 512; i++)
		g64(vm, G_PT + i * 8) = i << 12 | 7;
	for (i = 0; i < 1024; i++) {
		g32(vm, G_PD32 + i * 4) = i << 22 | 0x87;
		g32(vm, G_PT32 + i * 4) = i << 12 | 7;
	}
	g32(vm, G_PD32) = G_PT32 | 7;
}

static void set_table(struct kvm_dtable *t, uint64_t base, uint16_t limit)
{
	memset(t, 0, sizeof(*t));
	t->base = base;
	t->limit = limit;
}

void vcpu_set_mode(struct vcpu *v, enum guest_mode m)
{
	struct kvm_sregs *s = &v->sregs;
	struct kvm_segment data, real;

	v->mode = m;
	build_descriptors(v->vm, m);
	get_sregs(v);
	s->cr4 = 0;
	s->cr3 = 0;
	s->efer = 0;
	if (m == MODE_REAL) {
		real = (struct kvm_segment){ .limit = 0xffff, .type = 3, .present = 1, .s = 1 };
		s->ds = s->es = s->fs = s->gs = s->ss = real;
		s->cs = real;
		s->cs.type = 0xb;
		s->cr0 = CR0_ET | CR0_NE;
		set_table(&s->gdt, 0, 0xffff);
		set_table(&s->idt, G_IVT, 0x3ff);
	} else {
		data = seg_flat(m, SEL_DATA, false, 0);
		s->ds = s->es = s->fs = s->gs = s->ss = data;
		s->cs = seg_flat(m, SEL_CODE, true, 0);
		s->tr = (struct kvm_segment){ .base = tss_base(m), .limit = 0x67, .type = 0xb,
					      .present = 1, .selector = SEL_TSS };
		s->ldt = (struct kvm_segment){ .type = 2, .unusable = 1 };
		s->cr0 = CR0_PE | CR0_ET | CR0_NE;
		set_table(&s->gdt, gdt_base(m), 0xff);
		if (m == MODE_LONG)
			set_table(&s->idt, G_IDT64, 0xfff);
		else
			set_table(&s->idt, m == MODE_PROT16 ? G_IDT16 : G_IDT32, 0x7ff);
	}
	if (mode_paging(m)) {
		build_tables(v->vm);
		s->cr0 |= CR0_PG | CR0_WP;
		s->cr4 = m == MODE_PG32 ? CR4_PSE : CR4_PAE;
		s->cr3 = m == MODE_PG32 ? G_PD32 : m == MODE_PAE ? G_PDPT_PAE : G_PML4;
		if (m == MODE_LONG)
			s->efer = EFER_LME | EFER_LMA;
	}
	set_sregs(v);

	memset(&v->regs, 0, sizeof(v->regs));
	v->regs.rip = G_CODE;
	v->regs.rsp = G_STACK - v->id * 0x400;
	v->regs.rflags = RFLAGS_1;
	set_regs(v);
}

void vcpu_to_user(struct vcpu *v)
{
	struct kvm_sregs *s = &v->sregs;
	struct kvm_segment data = seg_flat(v->mode, SEL_UDATA, false, 3);

	get_sregs(v);
	s->cs = seg_flat(v->mode, SEL_UCODE, true, 3);
	s->ds = s->es = s->fs = s->gs = s->ss = data;
	set_sregs(v);
}

struct vcpu *vcpu_new(struct vm *vm, unsigned int id, enum guest_mode mode)
{
	struct vcpu *v = vcpu_bare(vm, id);

	vcpu_cpuid_default(v);
	vcpu_set_mode(v, mode);
	return v;
}

void fpu_on(struct vcpu *v)
{
	v->sregs.cr0 = (v->sregs.cr0 | CR0_MP) & ~(CR0_EM | CR0_TS);
	v->sregs.cr4 |= CR4_OSFXSR | CR4_OSXMMEXCPT;
	set_sregs(v);
	v->regs.rbx = G_DATA;
	set_regs(v);
}

bool has_avx(void)
{
	struct kvm_cpuid2 *c = calloc(1, sizeof(*c) + 256 * sizeof(c->entries[0]));
	int dev = dev_open();
	bool yes = false;
	unsigned int i;

	ASSERT(c);
	c->nent = 256;
	ASSERT_OK(ioctl(dev, KVM_GET_SUPPORTED_CPUID, c));
	close(dev);
	for (i = 0; i < c->nent; i++)
		if (c->entries[i].function == 1)
			yes = (c->entries[i].ecx & (BIT(28) | BIT(26))) == (BIT(28) | BIT(26));
	free(c);
	return yes;
}
