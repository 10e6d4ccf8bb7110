/* SPDX-License-Identifier: GPL-2.0 */
/* What lib.c needs in a 32-bit image. */
#define IMAGE_NAME	"trace32"
#define HANDLER_CS	SEL_KCS

extern u8 stubs[], double_fault[];
extern u32 trap_raw[26], trap_sp, trap_ss, trap_cs, trap_tr;
extern u8 real_start[], real_end[], real_stubs[], real_in[], real_out[], real_vec[];
void enter(void);
void enter_real(void);

static u64 golden_gdt[SEL_X / 8], golden_idt[256];
static u32 idt_changed[8], nr_idt_changed;

void set_idt(u32 vec, u64 g)
{
	mem64(M_IDT + vec * 8) = g;
	idt_changed[nr_idt_changed++ % 8] = vec;
}

void open_gate(u32 vec, u32 dpl)
{
	set_idt(vec, gate(SEL_KCS, (u32)(stubs + 0x40 * 16), 14, dpl, 0));
}

static void reset_idt(void)
{
	u32 i;

	if (nr_idt_changed > 8)
		memcpy((void *)M_IDT, golden_idt, sizeof(golden_idt));
	else
		for (i = 0; i < nr_idt_changed; i++)
			mem64(M_IDT + idt_changed[i] * 8) = golden_idt[idt_changed[i]];
	nr_idt_changed = 0;
}

static void setup(void)
{
	u64 *g = golden_gdt;
	u32 i;

	g[SEL_KCS / 8] = desc(0, 0xfffff, ACC_CODE | 1, FL_G | FL_D);
	g[SEL_KDS / 8] = desc(0, 0xfffff, ACC_DATA | 1, FL_G | FL_D);
	g[SEL_TSS / 8] = desc(M_TSS, 0x68 + 0x2000, 0x89, 0);
	g[SEL_CS16 / 8] = desc(M_CODE, 0xffff, ACC_CODE | 1, 0);
	g[SEL_RCS / 8] = desc(0, 0xffff, ACC_CODE | 1, 0);
	g[SEL_RDS / 8] = desc(0, 0xffff, ACC_DATA | 1, 0);
	g[SEL_DFTSS / 8] = desc(M_TSS2 + 0xf00, 0x67, 0x89, 0);
	g[SEL_LDT / 8] = desc(M_LDT, 0xfff, 0x82, 0);
	for (i = 0; i < 4; i++) {
		g[SEL_C(i) / 8] = desc(0, 0xfffff, ACC_CODE | DPL(i) | 1, FL_G | FL_D);
		g[SEL_D(i) / 8] = desc(0, 0xfffff, ACC_DATA | DPL(i) | 1, FL_G | FL_D);
		g[SEL_C16(i) / 8] = desc(M_CODE, 0xffff, ACC_CODE | DPL(i) | 1, 0);
		g[SEL_D16(i) / 8] = desc(0, 0xffff, ACC_DATA | DPL(i) | 1, 0);
	}
	for (i = 0; i < 256; i++)
		golden_idt[i] = gate(SEL_KCS, (u32)(stubs + i * 16), 14, 0, 0);
	golden_idt[8] = gate(SEL_DFTSS, 0, 5, 0, 0);
	nr_idt_changed = ~0u;
}

static bool efer_changed;

void set_efer(u64 v)
{
	wrmsr(EFER, v);
	efer_changed = true;
}

void set_cr4(ul v)
{
	write_cr4(v);
}

void set_stack0(ul sp)
{
	((struct tss *)M_TSS)->esp0 = sp;
}

void set_task_cr3(ul cr3)
{
	((struct tss *)M_TSS)->cr3 = cr3;
	((struct tss *)(M_TSS2 + 0xf00))->cr3 = cr3;
}

static void known_state(void)
{
	static const struct { u16 limit; u32 base; } __attribute__((packed))
		gdtr = { 0xfff, M_GDT }, idtr = { 0x7ff, M_IDT };
	struct tss *t = (struct tss *)M_TSS, *df = (struct tss *)(M_TSS2 + 0xf00);

	/* written where needed alone: each write may cost an exit or a flush */
	if (read_cr0() != (CR0_PE | CR0_ET | CR0_NE))
		write_cr0(CR0_PE | CR0_ET | CR0_NE);
	if (read_cr4())
		write_cr4(0);
	if (efer_changed)
		wrmsr(EFER, 0);
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
	t->esp0 = M_KSTACK;
	t->ss0 = SEL_KDS;
	t->esp1 = M_STACK1;
	t->ss1 = SEL_D(1) | 1;
	t->esp2 = M_STACK2;
	t->ss2 = SEL_D(2) | 2;
	t->iomap = 0x68;
	memset((void *)M_IOMAP, 0, 0x40);
	memset(df, 0, sizeof(*df));
	df->eip = (u32)double_fault;
	df->cs = SEL_KCS;
	df->ss = df->ds = df->es = df->fs = df->gs = SEL_KDS;
	df->gpr[SP] = M_DFSTACK;
	df->eflags = 2;
	df->esp0 = M_DFSTACK;
	df->ss0 = SEL_KDS;
	__asm__ volatile("lgdt %0; lidt %1; lldt %w2; ltr %w3"
			 :: "m"(gdtr), "m"(idtr), "r"(0), "r"(SEL_TSS) : "memory");
}

/* User code has IF set, as all there is: ring1 runs no other natively.  No interrupt
 * comes, but what is at work while it is clear is asked for by cases of their own. */
static void user_flags(int n)
{
	if (n == 3)
		in.fl |= FL_IF;
}

void ring(int n)
{
	user_flags(n);
	in.cs = SEL_C(n) | n;
	in.ss = in.ds = in.es = in.fs = in.gs = SEL_D(n) | n;
	in.ip = M_CODE;
	in.r[SP] = M_STACK;
}

void compat(int n)
{
	ring(n);
}

void v86(void)
{
	in.fl |= FL_VM;
	in.cs = M_CODE >> 4;
	in.ss = M_RSTACK >> 4;
	in.r[SP] = 0x800;
	in.ds = in.es = in.fs = in.gs = M_DATA >> 4;
	in.ip = 0;
}

void pm16(int n)
{
	user_flags(n);
	in.cs = SEL_C16(n) | n;
	in.ss = in.ds = in.es = in.fs = in.gs = SEL_D16(n) | n;
	in.ip = 0;
	in.r[SP] = M_RSTACK;
}

static bool pushes_error(u32 vec)
{
	return vec == 8 || (vec >= 10 && vec <= 14) || vec == 17;
}

static void from_task(void)
{
	const struct tss *t = (void *)M_TSS;
	int i;

	for (i = 0; i < 8; i++)
		out.r[i] = t->gpr[i];
	out.ip = t->eip;
	out.fl = t->eflags;
	out.cs = t->cs;
	out.ss = t->ss;
	out.ds = t->ds;
	out.es = t->es;
	out.fs = t->fs;
	out.gs = t->gs;
}

static void run_case(void)
{
	u32 *f = trap_raw + 14, *g = trap_raw + 4, i;

	enter();
	out.vec = trap_raw[13];
	out.has_err = pushes_error(out.vec) && !soft_vector;
	out.err = out.has_err ? *f++ : 0;
	out.hsp = trap_sp + 14 * 4;
	out.hss = trap_ss;
	out.hcs = trap_cs;
	out.hfl = trap_raw[12];
	out.tr = trap_tr;
	out.cr2 = read_cr2();
	if (out.tr == SEL_DFTSS) {
		from_task();
		return;
	}
	for (i = 0; i < 8; i++)
		out.r[i] = g[7 - i];
	out.ip = f[0];
	out.cs = f[1] & 0xffff;
	out.fl = f[2];
	if (out.fl & FL_VM) {
		out.r[SP] = f[3];
		out.ss = f[4] & 0xffff;
		out.es = f[5] & 0xffff;
		out.ds = f[6] & 0xffff;
		out.fs = f[7] & 0xffff;
		out.gs = f[8] & 0xffff;
		return;
	}
	out.gs = trap_raw[0] & 0xffff;
	out.fs = trap_raw[1] & 0xffff;
	out.es = trap_raw[2] & 0xffff;
	out.ds = trap_raw[3] & 0xffff;
	if ((out.cs & 3) > (out.hcs & 3)) {
		out.r[SP] = f[3];
		out.ss = f[4] & 0xffff;
	} else {
		out.r[SP] = out.hsp + (out.has_err ? 16 : 12);
		out.ss = out.hss;
	}
}

/* Code at 0:M_RCODE in real mode; "in" holds real-mode values. */
void code_real(struct code c)
{
	code_end = put(M_RCODE, c) - M_RCODE;
}

void run_real(void)
{
	/* where the copies of the assembly's own variables lie */
	struct regs *from = (struct regs *)(M_RSTUBS + (real_in - real_start));
	const struct regs *to = (const struct regs *)(M_RSTUBS + (real_out - real_start));
	u32 i;

	remember();
	memcpy((void *)M_RSTUBS, real_start, real_end - real_start);
	for (i = 0; i < 256; i++)
		mem32(i * 4) = M_RSTUBS + (real_stubs - real_start) + i * 8;
	*from = in;
	enter_real();
	memset(&out, 0, sizeof(out));
	for (i = 0; i < NR_GPRS; i++)
		out.r[i] = to->r[i];
	out.ip = to->ip & 0xffff;
	out.cs = to->cs & 0xffff;
	out.fl = to->fl & 0xffff;
	out.ss = to->ss & 0xffff;
	out.ds = to->ds & 0xffff;
	out.es = to->es & 0xffff;
	out.fs = to->fs & 0xffff;
	out.gs = to->gs & 0xffff;
	out.vec = *(u16 *)(M_RSTUBS + (real_vec - real_start));
	out.cr2 = read_cr2();
	out.hcs = HANDLER_CS;
	out.tr = SEL_TSS;
}

static void groups(void)
{
	GROUP(rings);
	GROUP(ints);
	GROUP(tasks);
	GROUP(segs);
	GROUP(v86s);
	GROUP(reals);
	GROUP(paging);
	GROUP(debug);
	GROUP(control);
	GROUP(smc);
	GROUP(long_mode);
}
