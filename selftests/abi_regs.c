// SPDX-License-Identifier: GPL-2.0
/* KVM_{GET,SET}_{REGS,SREGS}: round trips and refusals (KVM API 4.11 to 4.14). */
#include "vmtest.h"

/* Every bit of every general register comes back. */
static void regs_round_trip(void)
{
	struct vcpu *v = vcpu_bare(vm_bare(), 0);
	struct kvm_regs in, out;
	unsigned int i, n;
	uint64_t *p = (uint64_t *)&in;

	rnd_seed();
	for (n = 0; n < 50; n++) {
		for (i = 0; i < sizeof(in) / 8; i++)
			p[i] = rnd();
		in.rflags = RFLAGS_1 | (rnd() & 0xed5);
		memset(&out, 0x55, sizeof(out));
		ASSERT_OK(ioctl(v->fd, KVM_SET_REGS, &in));
		ASSERT_OK(ioctl(v->fd, KVM_GET_REGS, &out));
		for (i = 0; i < sizeof(in) / 8; i++)
			if (p[i] != ((uint64_t *)&out)[i])
				FAIL("register %u: %#llx, want %#llx", i,
				     (unsigned long long)((uint64_t *)&out)[i],
				     (unsigned long long)p[i]);
	}
}

/* RFLAGS bit 1 is one whatever the client says (SDM vol. 1 3.4.3). */
static void rflags_fixed(void)
{
	struct vcpu *v = vcpu_bare(vm_bare(), 0);

	get_regs(v);
	v->regs.rflags = 0;
	set_regs(v);
	get_regs(v);
	EXPECT_EQ(v->regs.rflags, RFLAGS_1);
}

static void sregs_round_trip(void)
{
	enum guest_mode m;

	for (m = 0; m < NR_MODES; m++) {
		struct vcpu *v = vcpu_new(vm_new(G_MEM), 0, m);
		struct kvm_sregs in, out;

		in = v->sregs;
		in.cr2 = 0x123456789abc;
		in.cr8 = 5;
		in.apic_base = (in.apic_base & ~0xfffffffffull) | 0xfee00900;
		in.ds.base = 0x12345000;
		in.es.limit = 0xfffff;
		in.es.g = 0;
		in.fs.base = m == MODE_LONG ? 0x7ffff1234000 : 0x7654000;
		in.gs.selector = 0x3b;
		in.gs.dpl = 3;
		in.ldt = (struct kvm_segment){ .base = 0x5000, .limit = 0x7f, .selector = 0x40,
					       .type = 2, .present = 1 };
		in.gdt.base = 0xabc000;
		in.gdt.limit = 0x1fff;
		in.idt.base = 0xdef000;
		in.idt.limit = 0x7ff;
		memset(&out, 0x55, sizeof(out));
		ASSERT_OK(ioctl(v->fd, KVM_SET_SREGS, &in));
		ASSERT_OK(ioctl(v->fd, KVM_GET_SREGS, &out));
#define SAME(f)	EXPECT_EQ(out.f, in.f)
#define SEG(x)	do {							\
		SAME(x.base); SAME(x.limit); SAME(x.selector); SAME(x.type);	\
		SAME(x.present); SAME(x.dpl); SAME(x.db); SAME(x.s);		\
		SAME(x.l); SAME(x.g); SAME(x.unusable);				\
	} while (0)
		SEG(cs);
		SEG(ds);
		SEG(es);
		SEG(fs);
		SEG(gs);
		SEG(ss);
		SEG(ldt);
		SEG(tr);
		SAME(gdt.base);
		SAME(gdt.limit);
		SAME(idt.base);
		SAME(idt.limit);
		SAME(cr0);
		SAME(cr2);
		SAME(cr3);
		SAME(cr4);
		SAME(cr8);
		SAME(efer);
		SAME(apic_base);
		EXPECT_EQ(out.interrupt_bitmap[0] | out.interrupt_bitmap[1] |
			  out.interrupt_bitmap[2] | out.interrupt_bitmap[3], 0);
		/* What one GET says, a SET takes back: a client saves and restores. */
		ASSERT_OK(ioctl(v->fd, KVM_SET_SREGS, &out));
		ASSERT_OK(ioctl(v->fd, KVM_GET_SREGS, &in));
		EXPECT(!memcmp(&in, &out, sizeof(in)));
	}
}

/* An unusable segment stays unusable. */
static void sregs_unusable(void)
{
	struct vcpu *v = vcpu_new(vm_new(G_MEM), 0, MODE_PROT32);

	v->sregs.fs = (struct kvm_segment){ .unusable = 1 };
	set_sregs(v);
	get_sregs(v);
	EXPECT_EQ(v->sregs.fs.unusable, 1);
	EXPECT_EQ(v->sregs.fs.selector, 0);
	EXPECT_EQ(v->sregs.ds.unusable, 0);
}

/* The whole set is refused and nothing of it is taken over. */
static void refuse(struct vcpu *v, const struct kvm_sregs *bad, const char *what)
{
	struct kvm_sregs before, after, s = *bad;
	int r;

	/* A visible change beside the bad one: it must not stick either. */
	s.gdt.base = 0x99999000;
	s.cr2 = 0x777;
	ASSERT_OK(ioctl(v->fd, KVM_GET_SREGS, &before));
	r = ioctl(v->fd, KVM_SET_SREGS, &s);
	if (r != -1 || errno != EINVAL)
		KTAP_FAIL_("%s in %s mode: %d, %s", what, mode_name[v->mode], r,
			   r < 0 ? strerror(errno) : "taken");
	ASSERT_OK(ioctl(v->fd, KVM_GET_SREGS, &after));
	if (r < 0 && memcmp(&before, &after, sizeof(before)))
		KTAP_FAIL_("%s in %s mode: refused, but state changed", what, mode_name[v->mode]);
	ASSERT_OK(ioctl(v->fd, KVM_SET_SREGS, &before));
}

static void sregs_invalid(void)
{
	struct vcpu *v = vcpu_new(vm_new(G_MEM), 0, MODE_LONG);
	struct kvm_sregs good = v->sregs, s;
	int b;

	/* Reserved bits of CR4 (SDM vol. 3 2.5). */
	for (b = 26; b < 64; b++) {
		s = good;
		s.cr4 |= BIT(b);
		refuse(v, &s, "CR4 reserved bit");
	}
	s = good;
	s.cr4 |= BIT(15);
	refuse(v, &s, "CR4 bit 15");
	/* LMA is LME and PG, neither alone (SDM vol. 3 10.8.5). */
	s = good;
	s.efer &= ~EFER_LMA;
	refuse(v, &s, "EFER.LMA clear with LME and PG set");
	s = good;
	s.cr4 &= ~CR4_PAE;
	refuse(v, &s, "long mode without CR4.PAE");
	/* CR3 beyond the physical address width. */
	s = good;
	s.cr3 |= BIT(62);
	refuse(v, &s, "CR3 reserved bit");

	vcpu_set_mode(v, MODE_PAE);
	good = v->sregs;
	s = good;
	s.efer |= EFER_LMA;
	refuse(v, &s, "EFER.LMA set without LME");
	vcpu_set_mode(v, MODE_PROT32);
	good = v->sregs;
	s = good;
	s.efer |= EFER_LMA;
	refuse(v, &s, "EFER.LMA set without paging");
	s = good;
	s.cs.l = 1;
	refuse(v, &s, "CS.L outside long mode");
}

/* An APIC base with reserved bits or an impossible mode is refused as a whole. */
static void sregs_apic_base(void)
{
	struct vcpu *v = vcpu_new(vm_new(G_MEM), 0, MODE_PROT32);
	struct kvm_sregs s = v->sregs;

	s.apic_base |= BIT(60);
	refuse(v, &s, "apic_base reserved bit");
	s = v->sregs;
	s.apic_base |= 1;
	refuse(v, &s, "apic_base bit 0");
}

/* A pending external interrupt travels in the bitmap (4.14). */
static void sregs_interrupt_bitmap(void)
{
	struct vcpu *v = vcpu_new(vm_new(G_MEM), 0, MODE_PROT32);

	v->sregs.interrupt_bitmap[0x41 / 64] = BIT(0x41 % 64);
	set_sregs(v);
	get_sregs(v);
	EXPECT_EQ(v->sregs.interrupt_bitmap[0], 0);
	EXPECT_EQ(v->sregs.interrupt_bitmap[1], BIT(1));
	v->sregs.interrupt_bitmap[1] = 0;
	set_sregs(v);
	get_sregs(v);
	EXPECT_EQ(v->sregs.interrupt_bitmap[1], BIT(1));	/* an empty map takes none back */
}

/* SREGS2 adds the PDPTRs of PAE (4.136). */
static void sregs2(void)
{
	struct vcpu *v = vcpu_new(vm_new(G_MEM), 0, MODE_PAE);
	struct kvm_sregs2 s, t;
	int i;

	if (vm_cap(v->vm, KVM_CAP_SREGS2) <= 0)
		SKIP("no KVM_CAP_SREGS2");
	memset(&s, 0, sizeof(s));
	ASSERT_OK(ioctl(v->fd, KVM_GET_SREGS2, &s));
	EXPECT_EQ(s.cr3, G_PDPT_PAE);
	EXPECT_EQ(s.cr4, v->sregs.cr4);
	if (s.flags & KVM_SREGS2_FLAGS_PDPTRS_VALID)
		for (i = 0; i < 4; i++)
			EXPECT_EQ(s.pdptrs[i], (G_PD + i * 0x1000) | 1);
	s.cr2 = 0xabcd;
	ASSERT_OK(ioctl(v->fd, KVM_SET_SREGS2, &s));
	memset(&t, 0, sizeof(t));
	ASSERT_OK(ioctl(v->fd, KVM_GET_SREGS2, &t));
	EXPECT(!memcmp(&s, &t, sizeof(s)));
	s.flags = 0x80000000;
	EXPECT_ERR(ioctl(v->fd, KVM_SET_SREGS2, &s), EINVAL);
}

int main(void)
{
	static const struct ktap_case cases[] = {
		{ "regs_round_trip", regs_round_trip }, { "rflags_fixed", rflags_fixed },
		{ "sregs_round_trip", sregs_round_trip }, { "sregs_unusable", sregs_unusable },
		{ "sregs_invalid", sregs_invalid }, { "sregs_apic_base", sregs_apic_base },
		{ "sregs_interrupt_bitmap", sregs_interrupt_bitmap }, { "sregs2", sregs2 },
	};

	vmtest_init();
	return ktap_run(cases, KTAP_COUNT(cases));
}
