/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A small VM library for tests of the KVM ABI.
 *
 * Every VM made by vm_new() has its memory in slot 0 at guest-physical 0,
 * laid out by the G_* addresses below, one layout for every CPU mode.  Linear
 * addresses equal guest-physical ones in every mode until a test changes a
 * page table, so that one guest program serves all modes.
 */
#ifndef RVM_SELFTESTS_VMTEST_H
#define RVM_SELFTESTS_VMTEST_H

#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <linux/kvm.h>
#include <linux/ringvm.h>

#include "ktap.h"

/* Guest-physical layout.  All below 64 KiB is reachable in real mode. */
#define G_IVT		0x0000u		/* real-mode vectors */
#define G_GDT		0x1000u		/* one table of 0x100 bytes per mode */
#define G_TSS		0x1800u		/* one of 0x80 bytes per mode */
#define G_IDT16		0x2000u		/* 8-byte gates, 16-bit handlers */
#define G_IDT32		0x2800u		/* 8-byte gates, 32-bit handlers */
#define G_IDT64		0x3000u		/* 16-byte gates */
#define G_STACK		0x6000u		/* top of vCPU 0's; next ones 0x400 below each */
#define G_TRAPS		0x7000u		/* 256 HLTs, one per vector */
#define G_CODE		0x8000u
#define G_DATA		0xc000u
#define G_PML4		0x10000u	/* long mode */
#define G_PDPT		0x11000u
#define G_PD		0x12000u	/* four tables, 4 GiB; PAE and long mode */
#define G_PT		0x16000u	/* the first 2 MiB, in 4 KiB pages */
#define G_PDPT_PAE	0x17000u
#define G_PD32		0x18000u	/* two-level paging */
#define G_PT32		0x19000u	/* the first 4 MiB */
#define G_FREE		0x20000u	/* from here on the test's own */
#define G_MEM		0x400000u	/* usual size: 4 MiB */
#define G_HOLE		0xd0000000u	/* never backed: MMIO */

/* Selectors in each mode's descriptor table. */
#define SEL_CODE	0x08
#define SEL_DATA	0x10
#define SEL_TSS		0x18
#define SEL_UCODE	0x2b
#define SEL_UDATA	0x33

enum guest_mode {
	MODE_REAL,
	MODE_PROT16,
	MODE_PROT32,
	MODE_PG32,		/* two-level paging */
	MODE_PAE,
	MODE_LONG,
	NR_MODES,
};

extern const char *const mode_name[NR_MODES];

/* 16, 32 or 64: which assembly of a guest program the mode runs. */
static inline int mode_bits(enum guest_mode m)
{
	return m == MODE_LONG ? 64 : m <= MODE_PROT16 ? 16 : 32;
}

static inline bool mode_paging(enum guest_mode m)
{
	return m >= MODE_PG32;
}

struct vm;

struct vcpu {
	struct vm *vm;
	int fd;
	unsigned int id;
	enum guest_mode mode;
	struct kvm_run *run;
	size_t run_size;
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	struct vcpu *next;
};

struct vm {
	int dev;
	int fd;
	uint8_t *mem;			/* slot 0 */
	size_t size;
	struct vcpu *vcpus;
	struct vm *next;
};

/*
 * Guest programs are assembled into the test: GUEST(prog, 32, "...") defines
 * the blob prog, GUEST_ALL(prog, "...") the same text once per code size.
 */
struct guest_code {
	const uint8_t *start, *end;
};

#define GUEST_ASM_(sym, bits, text)					\
	__asm__(".pushsection .rodata.guest,\"a\",@progbits\n"		\
		".globl guest_" #sym "\n"				\
		"guest_" #sym ":\n"					\
		".code" #bits "\n"					\
		text "\n"						\
		".code64\n"						\
		".globl guest_" #sym "_end\n"				\
		"guest_" #sym "_end:\n"					\
		".popsection\n");					\
	extern const uint8_t guest_##sym[], guest_##sym##_end[]

#define GUEST(prog, bits, text)						\
	GUEST_ASM_(prog, bits, text);					\
	__attribute__((unused))						\
	static const struct guest_code prog = { guest_##prog, guest_##prog##_end }

#define GUEST_ALL(prog, text)						\
	GUEST_ASM_(prog##_16, 16, text);				\
	GUEST_ASM_(prog##_32, 32, text);				\
	GUEST_ASM_(prog##_64, 64, text);				\
	__attribute__((unused))						\
	static const struct guest_code prog[3] = {			\
		{ guest_##prog##_16, guest_##prog##_16_end },		\
		{ guest_##prog##_32, guest_##prog##_32_end },		\
		{ guest_##prog##_64, guest_##prog##_64_end },		\
	}

static inline size_t code_len(struct guest_code c)
{
	return c.end - c.start;
}

static inline struct guest_code guest_for(const struct guest_code prog[3], enum guest_mode m)
{
	return prog[mode_bits(m) / 32];
}

/* The device under test: $RINGVM_DEV, or /dev/ringvm. */
const char *dev_path(void);
bool dev_is_kvm(void);
/* All that is not run natively is interpreted there: interp and ring1. */
bool dev_is_interp(void);
bool dev_is_ring1(void);
int dev_open(void);
/* The CPU below is QEMU's TCG. */
bool host_is_tcg(void);
/* It executes the guest's instructions, whose known departures tests must allow for:
 * not where ringvm's interpreter does. */
bool guest_on_tcg(void);
/* The mode is ring1 above TCG: what it executes natively shows them, what it interprets
 * does not. */
bool guest_partly_on_tcg(void);
/* Does the device's mode translate by shadow page tables? */
bool dev_is_shadow(void);
int dev_cap(int cap);
/* Call first in main(): skips the program where the device is missing. */
void vmtest_init(void);

struct vm *vm_bare(void);
struct vm *vm_new(size_t size);
void vm_free(struct vm *vm);
void vm_free_all(void);
int vm_cap(struct vm *vm, int cap);
int vm_slot(struct vm *vm, uint32_t slot, uint32_t flags, uint64_t gpa, uint64_t size, void *hva);
void *anon(size_t size);

struct vcpu *vcpu_bare(struct vm *vm, unsigned int id);
/* A vCPU in this mode with tables built, RIP at G_CODE, handlers = HLTs. */
struct vcpu *vcpu_new(struct vm *vm, unsigned int id, enum guest_mode mode);
void vcpu_set_mode(struct vcpu *v, enum guest_mode mode);
/* Ring 3, flat, in that mode: segments and CPL; the caller sets the stack pointer. */
void vcpu_to_user(struct vcpu *v);
void vcpu_free(struct vcpu *v);
void vcpu_cpuid_default(struct vcpu *v);
/* The same with these bits of leaf 7's EBX: not all that works is offered. */
void vcpu_cpuid_and(struct vcpu *v, uint32_t ebx7);
#define CPUID7_SMAP	(1u << 20)

/* vm_new() + vcpu_new() + guest_load(), the usual start of a case. */
struct vcpu *guest_start(enum guest_mode mode, struct guest_code code);
struct vcpu *guest_start_all(enum guest_mode mode, const struct guest_code prog[3]);
void guest_load(struct vm *vm, uint64_t gpa, struct guest_code code);
/* Vector -> handler in the tables of this mode. */
void guest_handler(struct vm *vm, enum guest_mode mode, int vector, uint64_t addr);

void get_regs(struct vcpu *v);
void set_regs(struct vcpu *v);
void get_sregs(struct vcpu *v);
void set_sregs(struct vcpu *v);
void set_rip(struct vcpu *v, uint64_t rip);
int get_msr(struct vcpu *v, uint32_t msr, uint64_t *val);
int set_msr(struct vcpu *v, uint32_t msr, uint64_t val);

/* The guest's CPU may have AVX and XSAVE. */
bool has_avx(void);
/* x87 and SSE usable, (R/E)BX = G_DATA. */
void fpu_on(struct vcpu *v);

/* KVM_RUN: 0 or -errno. */
int vcpu_run(struct vcpu *v);
/* Runs until an exit that must be of this reason; fails the case otherwise. */
void run_to(struct vcpu *v, uint32_t reason);
/* As run_to(KVM_EXIT_HLT), then reads the registers. */
void run_to_hlt(struct vcpu *v);
/* Runs to HLT and answers the vector whose HLT that was, or -1. */
int run_to_vector(struct vcpu *v);
/* A device's memory as the client plays it: what it holds, how often each byte was asked
 * for and written. */
struct mmio_window {
	uint8_t bytes[128], reads[128], writes[128];
};
/* As run_to_hlt(), the MMIO exits on the way being answered from @w, which begins at @base;
 * the cutting of an access into exits is the module's, the bytes are not. */
void run_window(struct vcpu *v, struct mmio_window *w, uint64_t base);
/* A counter by its name, of the VM or vCPU whose descriptor this is (KVM API 4.133). */
uint64_t stat_value(int of, const char *name);
const char *exit_name(uint32_t reason);
void show_exit(struct vcpu *v);

static inline uint8_t *pio_data(struct vcpu *v)
{
	return (uint8_t *)v->run + v->run->io.data_offset;
}

#define g8(vm, gpa)	(*(volatile uint8_t *)((vm)->mem + (gpa)))
#define g16(vm, gpa)	(*(volatile uint16_t *)((vm)->mem + (gpa)))
#define g32(vm, gpa)	(*(volatile uint32_t *)((vm)->mem + (gpa)))
#define g64(vm, gpa)	(*(volatile uint64_t *)((vm)->mem + (gpa)))

/* Events with a deadline: true once cond(arg) holds, false after ms. */
bool wait_for(bool (*cond)(void *), void *arg, unsigned int ms);
uint64_t now_ms(void);

/* A handler that does nothing, without SA_RESTART: the signal interrupts. */
void catch_signal(int sig);
/* SIGUSR2 to the calling thread in so many ms: KVM_RUN's deadline. */
void kick_me_in(unsigned int ms);

/*
 * Seeded generator for randomised tests: prints its seed, RINGVM_SEED sets it.
 * rnd_seed() takes the time else, rnd_seed_fixed() a constant: the fuzzers' runs
 * are the same each time unless asked, for some random guests kill the emulator.
 */
uint64_t rnd_seed(void);
void rnd_seed_fixed(uint64_t seed);
void rnd_from(uint64_t seed);		/* a thread's own sequence */
uint64_t rnd(void);

#define BIT(n)		(1ull << (n))

#define CR0_PE		BIT(0)
#define CR0_MP		BIT(1)
#define CR0_EM		BIT(2)
#define CR0_TS		BIT(3)
#define CR0_ET		BIT(4)
#define CR0_NE		BIT(5)
#define CR0_WP		BIT(16)
#define CR0_AM		BIT(18)
#define CR0_NW		BIT(29)
#define CR0_CD		BIT(30)
#define CR0_PG		BIT(31)
#define CR4_DE		BIT(3)
#define CR4_PSE		BIT(4)
#define CR4_PAE		BIT(5)
#define CR4_PGE		BIT(7)
#define CR4_OSFXSR	BIT(9)
#define CR4_OSXMMEXCPT	BIT(10)
#define CR4_OSXSAVE	BIT(18)
#define EFER_SCE	BIT(0)
#define EFER_LME	BIT(8)
#define EFER_LMA	BIT(10)
#define EFER_NX		BIT(11)
#define MSR_TSC		0x10u
#define MSR_APICBASE	0x1bu
#define MSR_SYSENTER_CS	0x174u
#define MSR_SYSENTER_ESP 0x175u
#define MSR_SYSENTER_EIP 0x176u
#define MSR_PAT		0x277u
#define MSR_EFER	0xc0000080u
#define MSR_STAR	0xc0000081u
#define MSR_LSTAR	0xc0000082u
#define MSR_CSTAR	0xc0000083u
#define MSR_SFMASK	0xc0000084u
#define MSR_FS_BASE	0xc0000100u
#define MSR_GS_BASE	0xc0000101u
#define MSR_KERNEL_GS	0xc0000102u
#define MSR_TSC_AUX	0xc0000103u
#define RFLAGS_1	BIT(1)
#define RFLAGS_TF	BIT(8)
#define RFLAGS_IF	BIT(9)
#define RFLAGS_DF	BIT(10)
#define RFLAGS_RF	BIT(16)

enum { DE = 0, DB = 1, NMI = 2, BP = 3, OF = 4, UD = 6, NM = 7, DF = 8, NP = 11, SS = 12, GP = 13,
       PF = 14 };

#endif
