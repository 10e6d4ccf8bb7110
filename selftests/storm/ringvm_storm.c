// SPDX-License-Identifier: GPL-2.0
/*
 * A test module, no part of ringvm: storms of interrupts that are counted on both
 * sides, and a look at the state of a CPU.  Whoever runs guests while it blows can show
 * that none was lost, and that the host is as it was.
 *
 * A storm never has more than one of its kind under way for a CPU: NMIs that are sent
 * faster than they are taken merge, and a lost one must be seen.  So one that is lost
 * ends its storm, and sent and received differ by one for ever.
 */
#include <linux/fs.h>
#include <linux/hrtimer.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/nospec.h>
#include <linux/percpu.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/stacktrace.h>
#include <linux/uaccess.h>
#include <asm/apic.h>
#include <asm/debugreg.h>
#include <asm/desc.h>
#include <asm/fpu/xcr.h>
#include <asm/irq_regs.h>
#include <asm/msr.h>
#include <asm/nmi.h>
#include <asm/segment.h>
#include <asm/special_insns.h>

#include "storm.h"

/*
 * What every handler must find as it was when the storm began.  The first two not in an
 * NMI: where another table is loaded together with the IDT, it may come between the two;
 * then its descriptors must be the kernel's all the same.
 */
static const u8 checked[] = {
	STORM_W_gdtr_base, STORM_W_gdtr_limit, STORM_W_kernel_gdt,
	STORM_W_idtr_base, STORM_W_idtr_limit,
	STORM_W_ldtr, STORM_W_tr, STORM_W_cr0, STORM_W_cr4, STORM_W_cs,
};

#define NOT_IN_NMI	2

/* How late a CPU's timer interrupts were: struct storm_late, struct storm_site */
struct lateness {
	struct storm_lateness of[2];
	struct site {
		unsigned long at[STORM_SITE_DEPTH];
		u64 count, worst;
	} site[STORM_SITES];
	u32 sites;
};

struct storm {
	struct hrtimer timer;		/* on @from */
	call_single_data_t csd;
	u32 kind, from, to, min_ns, max_ns;
	u32 bad_word;
	u64 bad_bits;
	u64 want, random;
	u64 sent;			/* by @from alone */
	u64 received, extra, bad;	/* by @to alone */
	bool waiting;			/* sent and not received */
	bool used;
	u64 reference[ARRAY_SIZE(checked)];
	u64 apart, apart_end;
};

static DEFINE_PER_CPU(struct storm, storms[STORM_KINDS]);
static struct lateness *late_by_cpu;
static DEFINE_MUTEX(storm_lock);	/* starting and stopping */

/* ---- what a CPU looks like -------------------------------------------------- */

static u64 storm_hash(const void *p, size_t len)
{
	u64 hash = 0xcbf29ce484222325;	/* FNV-1a */
	const u8 *b = p;

	while (len--)
		hash = (hash ^ *b++) * 0x100000001b3;
	return hash;
}

static u64 storm_msr(u32 msr)
{
	u64 val;

	return rdmsrl_safe(msr, &val) ? ~0ull : val;
}

static u64 storm_cr4(void)
{
	u64 val;

	/* not what the kernel remembers of it */
	asm volatile("mov %%cr4, %0" : "=r" (val));
	return val;
}

/* The kernel's half of the root, without what the CPU itself sets. */
static u64 storm_root(void)
{
	const u64 *root = __va(read_cr3_pa());
	u64 entry, hash = 0;
	int i;

	for (i = 256; i < 512; i++) {
		entry = root[i] & ~(u64)(_PAGE_ACCESSED | _PAGE_DIRTY);
		hash = hash * 31 + storm_hash(&entry, sizeof(entry));
	}
	return hash;
}

/* The kernel's own descriptors: not the threads', nor the LDT's. */
static u64 storm_kernel_gdt(const u64 *gdt)
{
	return storm_hash(gdt + GDT_ENTRY_KERNEL32_CS,
			  (GDT_ENTRY_DEFAULT_USER_CS + 1 - GDT_ENTRY_KERNEL32_CS) * 8) ^
		gdt[GDT_ENTRY_TSS] ^ gdt[GDT_ENTRY_TSS + 1] ^ gdt[GDT_ENTRY_CPUNODE];
}

/* The cheap part, which a handler may ask for in any context. */
static u64 storm_word(enum storm_word w)
{
	struct desc_ptr d;
	unsigned long val = 0;

	switch (w) {
	case STORM_W_gdtr_base:
	case STORM_W_gdtr_limit:
		native_store_gdt(&d);
		return w == STORM_W_gdtr_base ? d.address : d.size;
	case STORM_W_kernel_gdt:
		native_store_gdt(&d);
		return storm_kernel_gdt((void *)d.address);
	case STORM_W_idtr_base:
	case STORM_W_idtr_limit:
		store_idt(&d);
		return w == STORM_W_idtr_base ? d.address : d.size;
	case STORM_W_ldtr:
		store_ldt(val);
		return val;
	case STORM_W_tr:
		store_tr(val);
		return val;
	case STORM_W_cr0:
		return read_cr0();
	case STORM_W_cr4:
		/* without what threads and perf have of their own */
		return storm_cr4() & ~(u64)(X86_CR4_TSD | X86_CR4_PCE);
	case STORM_W_cs:
		asm("mov %%cs, %0" : "=r" (val));
		return val;
	default:
		return 0;
	}
}

/* The TSS that the CPU uses, by way of TR. */
static void storm_read_tss(struct storm_state *s, const struct desc_ptr *gdt, u16 tr)
{
	const struct ldttss_desc *d = (void *)(gdt->address + (tr & ~7));
	const struct x86_hw_tss *tss = (void *)(d->base0 | (unsigned long)d->base1 << 16 |
						(unsigned long)d->base2 << 24 |
						(unsigned long)d->base3 << 32);
	int i;

	s->word[STORM_W_rsp0] = tss->sp0;
	s->word[STORM_W_rsp1] = tss->sp1;
	for (i = 0; i < 7; i++)
		s->word[STORM_W_ist1 + i] = tss->ist[i];
	s->word[STORM_W_io_bitmap] = tss->io_bitmap_base;
}

static void storm_read_state(struct storm_state *s)
{
	static const struct {
		u8 word;
		u32 msr;
	} msrs[] = {
		{ STORM_W_efer, MSR_EFER }, { STORM_W_star, MSR_STAR },
		{ STORM_W_lstar, MSR_LSTAR }, { STORM_W_cstar, MSR_CSTAR },
		{ STORM_W_sfmask, MSR_SYSCALL_MASK },
		{ STORM_W_sysenter_cs, MSR_IA32_SYSENTER_CS },
		{ STORM_W_sysenter_esp, MSR_IA32_SYSENTER_ESP },
		{ STORM_W_sysenter_eip, MSR_IA32_SYSENTER_EIP },
		{ STORM_W_fs_base, MSR_FS_BASE }, { STORM_W_gs_base, MSR_GS_BASE },
		{ STORM_W_kernel_gs_base, MSR_KERNEL_GS_BASE },
		{ STORM_W_pat, MSR_IA32_CR_PAT }, { STORM_W_tsc_aux, MSR_TSC_AUX },
		{ STORM_W_xss, MSR_IA32_XSS }, { STORM_W_debugctl, MSR_IA32_DEBUGCTLMSR },
		{ STORM_W_spec_ctrl, MSR_IA32_SPEC_CTRL },
		{ STORM_W_misc_features, MSR_MISC_FEATURES_ENABLES },
	};
	struct desc_ptr gdt, idt;
	u64 *w = s->word;
	size_t i;

	s->cpu = smp_processor_id();
	s->nr = STORM_NR_WORDS;
	for (i = 0; i < ARRAY_SIZE(checked); i++)
		w[checked[i]] = storm_word(checked[i]);
	native_store_gdt(&gdt);
	store_idt(&idt);
	w[STORM_W_gdt] = storm_hash((void *)gdt.address, GDT_SIZE);
	w[STORM_W_idt] = storm_hash((void *)idt.address, idt.size + 1);
	storm_read_tss(s, &gdt, w[STORM_W_tr]);
	w[STORM_W_cr4] = storm_cr4();
	asm("mov %%ss, %0" : "=r" (w[STORM_W_ss]));
	/* without PCID and flush bit: they change with every switch of threads */
	w[STORM_W_cr3] = read_cr3_pa();
	w[STORM_W_root] = storm_root();
	asm("mov %%cr8, %0" : "=r" (w[STORM_W_cr8]));
	w[STORM_W_pkru] = boot_cpu_has(X86_FEATURE_OSPKE) ? rdpkru() : 0;
	w[STORM_W_xcr0] = boot_cpu_has(X86_FEATURE_OSXSAVE) ? xgetbv(0) : 0;
	for (i = 0; i < 8; i++)
		if (i != 4 && i != 5) {
			unsigned long val;

			get_debugreg(val, i);
			w[i < 4 ? STORM_W_dr0 + i : STORM_W_dr6 + i - 6] = val;
		}
	for (i = 0; i < ARRAY_SIZE(msrs); i++)
		w[msrs[i].word] = storm_msr(msrs[i].msr);
	asm("mov %%ds, %0" : "=r" (w[STORM_W_ds]));
	asm("mov %%es, %0" : "=r" (w[STORM_W_es]));
	asm("mov %%fs, %0" : "=r" (w[STORM_W_fs]));
	asm("mov %%gs, %0" : "=r" (w[STORM_W_gs]));
}

/* ---- the storms --------------------------------------------------------------- */

/* On @to, in whatever context the storm is of. */
static void storm_receive(struct storm *s)
{
	bool nmi = s->kind == STORM_NMI;
	u64 bits;
	size_t i;

	for (i = nmi ? NOT_IN_NMI : 0; i < ARRAY_SIZE(checked); i++) {
		bits = storm_word(checked[i]) ^ s->reference[i];
		/* Without INVPCID the kernel flushes what is global by PGE, off and on. */
		if (nmi && checked[i] == STORM_W_cr4 && !boot_cpu_has(X86_FEATURE_INVPCID))
			bits &= ~(u64)X86_CR4_PGE;
		if (bits) {
			s->bad++;
			s->bad_word = checked[i];
			s->bad_bits = bits;
		}
	}
	if (!READ_ONCE(s->waiting))
		WRITE_ONCE(s->extra, s->extra + 1);
	WRITE_ONCE(s->received, s->received + 1);
	/* the sender may go on, and then finds the counts */
	smp_store_release(&s->waiting, false);
}

static void storm_ipi(void *info)
{
	storm_receive(info);
}

static int storm_nmi(unsigned int type, struct pt_regs *regs)
{
	struct storm *s = this_cpu_ptr(&storms[STORM_NMI]);

	/* What nobody sent, the kernel complains about. */
	if (!READ_ONCE(s->waiting))
		return NMI_DONE;
	storm_receive(s);
	return NMI_HANDLED;
}

static ktime_t storm_interval(struct storm *s)
{
	/* xorshift64 */
	s->random ^= s->random << 13;
	s->random ^= s->random >> 7;
	s->random ^= s->random << 17;
	return ns_to_ktime(s->min_ns + s->random % (s->max_ns - s->min_ns + 1));
}

static void storm_note(struct storm_lateness *l, u64 late)
{
	u32 n;

	l->count++;
	for (n = 0; n < STORM_LATE_POWERS && late >> n; n++)
		l->reached[n]++;
	l->worst = max(l->worst, late);
}

/* @late at where the CPU was interrupted. */
static void storm_note_site(struct lateness *l, u64 late, unsigned long ip)
{
	unsigned long trace[32];
	struct site here = {};
	u32 i, n, from = 0;

	/* The handler's own frames first */
	n = stack_trace_save(trace, ARRAY_SIZE(trace), 0);
	while (from < n && trace[from] != ip)
		from++;
	for (i = 0; i < STORM_SITE_DEPTH && from + i < n; i++)
		here.at[i] = trace[from + i];
	if (!here.at[0])
		here.at[0] = ip;
	for (i = 0; i < l->sites; i++)
		if (!memcmp(l->site[i].at, here.at, sizeof(here.at)))
			break;
	if (i == l->sites) {
		if (i == STORM_SITES) {
			/* Instead of the one that is least worth knowing */
			for (i = 0, n = 1; n < STORM_SITES; n++)
				if (l->site[n].worst < l->site[i].worst)
					i = n;
			if (late <= l->site[i].worst)
				return;
		} else {
			l->sites++;
		}
		l->site[i] = here;
	}
	l->site[i].count++;
	l->site[i].worst = max(l->site[i].worst, late);
}

/* First thing in the timer's function. */
static void storm_look_late(struct storm *s)
{
	s64 late = ktime_to_ns(ktime_sub(ktime_get(), hrtimer_get_expires(&s->timer)));
	struct lateness *l = &late_by_cpu[s->to];
	u64 ip = get_irq_regs()->ip;

	/* the clock may be a bit behind the CPU's timer */
	late = max(late, 0ll);
	storm_note(&l->of[0], late);
	if (ip >= s->apart && ip < s->apart_end)
		storm_note(&l->of[1], late);
	if (late >= STORM_SITE_NS)
		storm_note_site(l, late, ip);
}

/* On @from. */
static enum hrtimer_restart storm_tick(struct hrtimer *timer)
{
	struct storm *s = container_of(timer, struct storm, timer);

	if (s->kind == STORM_TIMER) {
		storm_look_late(s);
		storm_receive(s);
	}
	if (!smp_load_acquire(&s->waiting)) {
		if (s->sent == s->want)
			return HRTIMER_NORESTART;
		WRITE_ONCE(s->waiting, true);
		WRITE_ONCE(s->sent, s->sent + 1);
		if (s->kind == STORM_IPI)
			smp_call_function_single_async(s->to, &s->csd);
		else if (s->kind == STORM_NMI)
			apic->send_IPI(s->to, NMI_VECTOR);
	}
	hrtimer_forward_now(timer, storm_interval(s));
	return HRTIMER_RESTART;
}

static void storm_begin_to(void *info)
{
	struct storm *s = info;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(checked); i++)
		s->reference[i] = storm_word(checked[i]);
}

static void storm_begin_from(void *info)
{
	struct storm *s = info;

	if (s->kind == STORM_TIMER) {
		s->sent = 1;
		s->waiting = true;
	}
	hrtimer_start(&s->timer, storm_interval(s), HRTIMER_MODE_REL_PINNED_HARD);
}

static int storm_start(const struct storm_run *run)
{
	struct storm *s;
	int err;

	if (run->kind >= STORM_KINDS || run->from >= nr_cpu_ids || run->to >= nr_cpu_ids ||
	    !run->count || !run->min_ns || run->max_ns < run->min_ns ||
	    (run->kind == STORM_TIMER) != (run->from == run->to))
		return -EINVAL;
	s = per_cpu_ptr(&storms[run->kind], run->to);
	if (s->used)
		hrtimer_cancel(&s->timer);
	*s = (struct storm) {
		.kind = run->kind, .from = run->from, .to = run->to, .min_ns = run->min_ns,
		.max_ns = run->max_ns, .want = run->count, .used = true,
		.random = 0x9e3779b97f4a7c15 * (1 + run->kind + run->to * STORM_KINDS),
		.apart = run->apart, .apart_end = run->apart_end,
	};
	if (s->kind == STORM_TIMER)
		memset(&late_by_cpu[s->to], 0, sizeof(*late_by_cpu));
	INIT_CSD(&s->csd, storm_ipi, s);
	hrtimer_init(&s->timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_PINNED_HARD);
	s->timer.function = storm_tick;
	err = smp_call_function_single(s->to, storm_begin_to, s, 1);
	if (!err)
		err = smp_call_function_single(s->from, storm_begin_from, s, 1);
	return err;
}

static void storm_nothing(void *info)
{
}

static void storm_stop(void)
{
	int cpu, kind;

	for_each_possible_cpu(cpu)
		for (kind = 0; kind < STORM_KINDS; kind++) {
			struct storm *s = per_cpu_ptr(&storms[kind], cpu);

			/* a timer that was armed and is not to come was not sent */
			if (s->used && hrtimer_cancel(&s->timer) && kind == STORM_TIMER) {
				s->sent--;
				s->waiting = false;
			}
		}
	/* behind what they sent last */
	on_each_cpu(storm_nothing, NULL, 1);
}

static void storm_status(struct storm_status *st)
{
	const struct storm *s = per_cpu_ptr(&storms[st->kind], st->to);

	st->received = READ_ONCE(s->received);
	st->sent = READ_ONCE(s->sent);
	st->extra = READ_ONCE(s->extra);
	st->bad = READ_ONCE(s->bad);
	st->bad_word = s->bad_word;
	st->bad_bits = s->bad_bits;
}

static void storm_get_late(struct storm_late *sl)
{
	memcpy(sl->of, late_by_cpu[sl->to].of, sizeof(sl->of));
}

static int storm_get_site(struct storm_site *st)
{
	const struct lateness *l = &late_by_cpu[st->to];
	const struct site *site;
	int i;

	if (st->n >= min_t(u32, l->sites, STORM_SITES))
		return -ENOENT;
	site = &l->site[array_index_nospec(st->n, STORM_SITES)];
	st->count = site->count;
	st->worst = site->worst;
	memset(st->at, 0, sizeof(st->at));
	for (i = 0; i < STORM_SITE_DEPTH && site->at[i]; i++)
		scnprintf(st->at[i], sizeof(st->at[i]), "%pS", (void *)site->at[i]);
	return 0;
}

static noinline int storm_hold(u64 ns)
{
	unsigned long flags;
	ktime_t end;

	if (ns > 10 * NSEC_PER_MSEC)
		return -EINVAL;
	local_irq_save(flags);
	end = ktime_add_ns(ktime_get(), ns);
	while (ktime_before(ktime_get(), end))
		cpu_relax();
	local_irq_restore(flags);
	return 0;
}

/* ---- the device ------------------------------------------------------------------ */

static long storm_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	void __user *user = (void __user *)arg;
	struct storm_status status;
	struct storm_state state = {};
	struct storm_late late;
	struct storm_site site;
	struct storm_run run;
	long err;

	switch (cmd) {
	case STORM_START:
		if (copy_from_user(&run, user, sizeof(run)))
			return -EFAULT;
		mutex_lock(&storm_lock);
		err = storm_start(&run);
		mutex_unlock(&storm_lock);
		return err;
	case STORM_STATUS:
		if (copy_from_user(&status, user, sizeof(status)))
			return -EFAULT;
		if (status.kind >= STORM_KINDS || status.to >= nr_cpu_ids ||
		    !cpu_possible(status.to))
			return -EINVAL;
		storm_status(&status);
		return copy_to_user(user, &status, sizeof(status)) ? -EFAULT : 0;
	case STORM_STOP:
		mutex_lock(&storm_lock);
		storm_stop();
		mutex_unlock(&storm_lock);
		return 0;
	case STORM_STATE:
		preempt_disable();
		storm_read_state(&state);
		preempt_enable();
		return copy_to_user(user, &state, sizeof(state)) ? -EFAULT : 0;
	case STORM_LATE:
		if (copy_from_user(&late, user, sizeof(late)))
			return -EFAULT;
		if (late.to >= nr_cpu_ids || !cpu_possible(late.to))
			return -EINVAL;
		storm_get_late(&late);
		return copy_to_user(user, &late, sizeof(late)) ? -EFAULT : 0;
	case STORM_SITE:
		if (copy_from_user(&site, user, sizeof(site)))
			return -EFAULT;
		if (site.to >= nr_cpu_ids || !cpu_possible(site.to))
			return -EINVAL;
		err = storm_get_site(&site);
		if (!err && copy_to_user(user, &site, sizeof(site)))
			err = -EFAULT;
		return err;
	case STORM_HOLD:
		return storm_hold(arg);
	case STORM_TSC_AUX:
		return wrmsrl_safe(MSR_TSC_AUX, arg);
	default:
		return -ENOTTY;
	}
}

static const struct file_operations storm_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = storm_ioctl,
	.llseek = noop_llseek,
};

static struct miscdevice storm_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "ringvm-storm",
	.mode = 0600,
	.fops = &storm_fops,
};

static int __init storm_init(void)
{
	int err;

	late_by_cpu = kcalloc(nr_cpu_ids, sizeof(*late_by_cpu), GFP_KERNEL);
	if (!late_by_cpu)
		return -ENOMEM;
	err = register_nmi_handler(NMI_LOCAL, storm_nmi, 0, "ringvm_storm");
	if (err)
		goto free;
	err = misc_register(&storm_misc);
	if (err)
		goto unregister;
	return 0;

unregister:
	unregister_nmi_handler(NMI_LOCAL, "ringvm_storm");
free:
	kfree(late_by_cpu);
	return err;
}

static void __exit storm_exit(void)
{
	misc_deregister(&storm_misc);
	storm_stop();
	unregister_nmi_handler(NMI_LOCAL, "ringvm_storm");
	kfree(late_by_cpu);
}

module_init(storm_init);
module_exit(storm_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Storms of interrupts for the tests of ringvm");
