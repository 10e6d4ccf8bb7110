/* SPDX-License-Identifier: GPL-2.0 */
/* What lib.c needs in a 64-bit image. */
#define IMAGE_NAME	"trace64"
#define HANDLER_CS	SEL_KCS

extern u8 stubs[];
extern struct regs out_regs;
extern u64 trap_raw[6], trap_sp, trap_ss, trap_cs, trap_tr, trap_vec, trap_fl;
void enter(void);

static u64 golden_gdt[SEL_X / 8], golden_idt[512];
static u32 idt_changed[8], nr_idt_changed;
static bool efer_changed, smap_used, all_user;
static u64 in_kernel_gs;

void set_wide(ul at, u64 low, u64 high)
{
	mem64(at) = low;
	mem64(at + 8) = high;
}

void set_gate(u32 sel, u32 target, u64 off, u32 type, u32 dpl)
{
	set_wide(M_GDT + (sel & ~7u), gate(target, off, type, dpl, 0), off >> 32);
}

void set_idt64(u32 vec, u32 target, u64 off, u32 type, u32 dpl, u32 ist)
{
	set_wide(M_IDT + vec * 16, gate(target, off, type, dpl, ist), off >> 32);
	idt_changed[nr_idt_changed++ % 8] = vec;
}

u64 handler(u32 vec)
{
	return (u64)(stubs + vec * 16);
}

void open_gate(u32 vec, u32 dpl)
{
	set_idt64(vec, SEL_KCS, handler(0x40), 14, dpl, 1);
}

static void reset_idt(void)
{
	u32 i;

	if (nr_idt_changed > 8)
		memcpy((void *)M_IDT, golden_idt, sizeof(golden_idt));
	else
		for (i = 0; i < nr_idt_changed; i++)
			memcpy((void *)(M_IDT + idt_changed[i] * 16ul),
			       golden_idt + idt_changed[i] * 2, 16);
	nr_idt_changed = 0;
}

/* The first 4 MiB as they are, for the supervisor; 4 KiB pages. */
static void setup_paging(void)
{
	u32 i;

	memset((void *)M_PML4, 0, 9 * 0x1000);
	mem64(M_PML4) = M_PDPT | 7;
	mem64(M_PDPT) = M_PD | 7;
	mem64(M_PD) = M_PT | 7;
	mem64(M_PD + 8) = (M_PT + 0x1000) | 7;
	for (i = 0; i < 1024; i++)
		mem64(M_PT + i * 8) = i * 0x1000ul | 0x63;
	write_cr3(M_PML4);
}

static void setup(void)
{
	u64 *g = golden_gdt;
	u32 i;

	setup_paging();
	g[SEL_KCS / 8] = desc(0, 0xfffff, ACC_CODE | 1, FL_G | FL_L);
	g[SEL_KDS / 8] = desc(0, 0xfffff, ACC_DATA | 1, FL_G | FL_D);
	g[SEL_TSS / 8] = desc(M_TSS, 0x68 + 0x2000, 0x89, 0);
	g[SEL_LDT / 8] = desc(M_LDT, 0xfff, 0x82, 0);
	for (i = 0; i < 4; i++) {
		g[SEL_C(i) / 8] = desc(0, 0xfffff, ACC_CODE | DPL(i) | 1, FL_G | FL_L);
		g[SEL_D(i) / 8] = desc(0, 0xfffff, ACC_DATA | DPL(i) | 1, FL_G | FL_D);
		g[SEL_C32(i) / 8] = desc(0, 0xfffff, ACC_CODE | DPL(i) | 1, FL_G | FL_D);
	}
	/* on a stack of their own: a case's is often what is wrong */
	for (i = 0; i < 256; i++) {
		golden_idt[i * 2] = gate(SEL_KCS, handler(i), 14, 0, i == 8 ? 2 : 1);
		golden_idt[i * 2 + 1] = 0;
	}
	nr_idt_changed = ~0u;
}

void set_efer(u64 v)
{
	wrmsr(EFER, v | EFER_LME | EFER_LMA);
	efer_changed = true;
}

void set_cr4(ul v)
{
	write_cr4(CR4_PAE | v);
	smap_used = v & CR4_SMAP;
}

void user_memory(void)
{
	all_user = true;
}

void set_bases(u64 fs, u64 gs, u64 kernel_gs)
{
	in_fs_base = fs;
	in_gs_base = gs;
	in_kernel_gs = kernel_gs;
	bases_used = 1;
}

static void known_state(void)
{
	static const struct { u16 limit; u64 base; } __attribute__((packed))
		gdtr = { 0xfff, M_GDT }, idtr = { 0xfff, M_IDT };
	struct tss64 *t = (struct tss64 *)M_TSS;
	u32 i;

	/* written where needed alone: each write may cost an exit or a flush */
	if (read_cr0() != (CR0_PG | CR0_PE | CR0_ET | CR0_NE))
		write_cr0(CR0_PG | CR0_PE | CR0_ET | CR0_NE);
	if (read_cr4() != CR4_PAE)
		write_cr4(CR4_PAE);
	smap_used = false;
	all_user = false;
	if (efer_changed)
		wrmsr(EFER, EFER_LME | EFER_LMA);
	efer_changed = false;
	if (read_dr7() != 0x400 || debug_used) {
		WRITE_DR(7, 0x400);
		WRITE_DR(0, 0);
		WRITE_DR(1, 0);
		WRITE_DR(2, 0);
		WRITE_DR(3, 0);
	}
	debug_used = false;
	if (read_dr6() != 0xffff0ff0)
		WRITE_DR(6, 0xffff0ff0);
	if (read_cr2())
		write_cr2(0);
	memcpy((void *)M_GDT, golden_gdt, sizeof(golden_gdt));
	memset((void *)(M_GDT + SEL_X), 0, 0x100);
	reset_idt();
	memset((void *)M_LDT, 0, 0x80);
	memset(t, 0, sizeof(*t));
	t->rsp[0] = M_KSTACK;
	t->rsp[1] = M_STACK1;
	t->rsp[2] = M_STACK2;
	t->ist[0] = M_DFSTACK - 0x1000;
	t->ist[1] = M_DFSTACK;
	for (i = 2; i < 7; i++)
		t->ist[i] = M_KSTACK - 0x100 * i;
	t->iomap = 0x68;
	memset((void *)M_IOMAP, 0, 0x40);
	__asm__ volatile("lgdt %0; lidt %1; lldt %w2; ltr %w3"
			 :: "m"(gdtr), "m"(idtr), "r"(0), "r"(SEL_TSS) : "memory");
	if (bases_used)
		wrmsr(MSR_KERNEL_GS, 0);
	bases_used = 0;
}

void ring(int n)
{
	in.cs = SEL_C(n) | n;
	in.ss = in.ds = in.es = in.fs = in.gs = SEL_D(n) | n;
	in.ip = M_CODE;
	in.r[SP] = M_STACK;
}

void compat(int n)
{
	ring(n);
	in.cs = SEL_C32(n) | n;
}

static bool pushes_error(u32 vec)
{
	return vec == 8 || (vec >= 10 && vec <= 14) || vec == 17;
}

/* The case's pages are the user's where the user runs: SMEP and SMAP. */
static void case_pages(u64 user)
{
	static u64 now = ~0ull;
	ul at;

	if (now != user)
		for (at = M_CODE; at < M_STACK; at += 0x1000)
			mem64(M_PT + at / 0x1000 * 8) = at | 0x63 | user;
	now = user;
	write_cr3(M_PML4);
}

static void run_case(void)
{
	u64 *f = trap_raw;

	case_pages((in.cs & 3) == 3 || all_user ? 4 : 0);
	if (bases_used)
		wrmsr(MSR_KERNEL_GS, in_kernel_gs);
	enter();
	/* a 64-bit monitor may not look at the user's pages */
	if (smap_used)
		write_cr4(read_cr4() & ~CR4_SMAP);
	memcpy(out.r, out_regs.r, sizeof(out.r));
	out.ds = out_regs.ds;
	out.es = out_regs.es;
	out.fs = out_regs.fs;
	out.gs = out_regs.gs;
	out.vec = trap_vec;
	out.has_err = pushes_error(out.vec) && !soft_vector;
	out.err = out.has_err ? *f++ : 0;
	out.ip = f[0];
	out.cs = f[1];
	out.fl = f[2];
	out.r[SP] = f[3];
	out.ss = f[4];
	out.hsp = trap_sp;
	out.hss = trap_ss;
	out.hcs = trap_cs;
	out.hfl = trap_fl;
	out.tr = trap_tr;
	out.cr2 = read_cr2();
}

static void groups(void)
{
	GROUP(rings64);
	GROUP(ints64);
	GROUP(paging64);
	GROUP(debug);
	GROUP(control);
	GROUP(segs);
	GROUP(syscalls);
	GROUP(system64);
	GROUP(smc);
}
