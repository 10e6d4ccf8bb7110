// SPDX-License-Identifier: GPL-2.0
/*
 * Boot parameters and entry state: see params.h.
 */
#include <string.h>

#include "params.h"

#define BOOT_CS		0x10
#define BOOT_DS		0x18
#define LOADER_OTHER	0xff	/* type_of_loader: no assigned number */
#define VIDEO_NORMAL	0xffff	/* vid_mode */

#define CR0_PE		0x00000001ull
#define CR0_ET		0x00000010ull
#define CR0_PG		0x80000000ull
#define CR4_PAE		0x00000020ull
#define EFER_LME	0x00000100ull
#define EFER_LMA	0x00000400ull

#define PTE_PRESENT	0x01ull
#define PTE_WRITE	0x02ull
#define PTE_LARGE	0x80ull

static void put64(uint8_t *at, uint64_t value)
{
	memcpy(at, &value, sizeof(value));
}

static void put16(uint8_t *at, uint16_t value)
{
	memcpy(at, &value, sizeof(value));
}

static void write_gdt(uint8_t *low, bool long_mode)
{
	uint8_t *gdt = low + GDT_ADDR;

	/* Base 0, limit 4 GiB, present, DPL 0, accessed. */
	put64(gdt, 0);
	put64(gdt + 8, 0);
	/* execute/read; L=1 D=0 or L=0 D=1 */
	put64(gdt + BOOT_CS, long_mode ? 0x00af9b000000ffffull :
					 0x00cf9b000000ffffull);
	put64(gdt + BOOT_DS, 0x00cf93000000ffffull);	/* read/write */
}

/* The first 4 GiB one to one, in 2 MiB pages: PML4, PDPT, four PDs. */
static void write_page_tables(uint8_t *low)
{
	uint8_t *pml4 = low + PAGE_TABLES;
	uint64_t pdpt = PAGE_TABLES + 0x1000, pd = PAGE_TABLES + 0x2000;
	unsigned int i;

	memset(pml4, 0, 0x2000);
	put64(pml4, pdpt | PTE_PRESENT | PTE_WRITE);
	for (i = 0; i < 4; i++)
		put64(low + pdpt + 8 * i,
		      (pd + 0x1000ull * i) | PTE_PRESENT | PTE_WRITE);
	for (i = 0; i < 4 * 512; i++)
		put64(low + pd + 8 * i, (uint64_t)i << 21 |
		      PTE_PRESENT | PTE_WRITE | PTE_LARGE);
}

static void write_bios_data(uint8_t *low)
{
	put16(low + 0x40e, EBDA_ADDR >> 4);	/* segment of the EBDA */
	put16(low + 0x413, EBDA_ADDR >> 10);	/* KiB of base memory */
	low[EBDA_ADDR] = 1;			/* length of the EBDA in KiB */
}

static void write_params(uint8_t *low, const struct mem_split *mem,
			 const struct bzimage *k, const struct boot_plan *plan,
			 const char *cmdline)
{
	struct boot_params *bp = (void *)(low + BOOT_PARAMS);

	/*
	 * "The struct boot_params should be zeroed, then the setup header
	 * from offset 0x01f1 of the kernel image should be loaded into it."
	 */
	memset(bp, 0, sizeof(*bp));
	memcpy(&bp->hdr, &k->hdr, k->hdr_len);
	bp->hdr.type_of_loader = LOADER_OTHER;
	bp->hdr.vid_mode = VIDEO_NORMAL;
	bp->hdr.code32_start = (uint32_t)plan->load;
	bp->hdr.cmd_line_ptr = CMDLINE_ADDR;
	bp->hdr.ramdisk_image = (uint32_t)plan->initrd;
	bp->hdr.ramdisk_size = (uint32_t)plan->initrd_size;
	bp->hdr.setup_data = 0;
	bp->e820_entries = (uint8_t)e820_build(mem, bp->e820_table);
	memcpy(low + CMDLINE_ADDR, cmdline, strlen(cmdline) + 1);
}

void boot_write(uint8_t *low, const struct mem_split *mem,
		const struct bzimage *k, const struct boot_plan *plan,
		const char *cmdline)
{
	write_bios_data(low);
	write_gdt(low, plan->long_mode);
	if (plan->long_mode)
		write_page_tables(low);
	write_params(low, mem, k, plan, cmdline);
	memcpy(low + plan->load, k->payload, k->payload_size);
}

static struct kvm_segment flat(uint16_t selector, uint8_t type)
{
	return (struct kvm_segment){
		.base = 0,
		.limit = 0xffffffff,
		.selector = selector,
		.type = type,
		.present = 1,
		.s = 1,
		.g = 1,
		.db = 1,
	};
}

void boot_cpu(const struct boot_plan *plan, bool apic,
	      struct kvm_sregs *sregs, struct kvm_regs *regs)
{
	struct kvm_segment data = flat(BOOT_DS, 0x3);

	sregs->cs = flat(BOOT_CS, 0xb);
	sregs->ds = data;
	sregs->es = data;
	sregs->ss = data;
	sregs->fs = data;
	sregs->gs = data;
	/* A TSS and an LDT that VMRUN and VM entry accept. */
	sregs->tr = (struct kvm_segment){
		.limit = 0x67, .type = 0xb, .present = 1 };
	sregs->ldt = (struct kvm_segment){ .unusable = 1 };
	sregs->gdt.base = GDT_ADDR;
	sregs->gdt.limit = BOOT_DS + 7;
	sregs->idt.base = 0;
	sregs->idt.limit = 0;
	sregs->cr0 = CR0_PE | CR0_ET;
	sregs->cr3 = 0;
	sregs->cr4 = 0;
	sregs->efer = 0;
	if (plan->long_mode) {
		sregs->cs.l = 1;
		sregs->cs.db = 0;
		sregs->cr0 |= CR0_PG;
		sregs->cr3 = PAGE_TABLES;
		sregs->cr4 = CR4_PAE;
		sregs->efer = EFER_LME | EFER_LMA;
	}
	/* No local APIC: the base register's enable bit decides CPUID.APIC. */
	if (!apic)
		sregs->apic_base = 0;

	memset(regs, 0, sizeof(*regs));
	regs->rip = plan->entry;
	regs->rsi = BOOT_PARAMS;
	regs->rsp = BOOT_PARAMS;	/* below: unused until the GDT */
	regs->rflags = 0x2;		/* interrupts off */
}
