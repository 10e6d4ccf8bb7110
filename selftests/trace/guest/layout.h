/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where things lie in the guest's physical memory; linear addresses are the
 * same until a case changes a page table.  For assembly too.
 */
#ifndef TRACE_LAYOUT_H
#define TRACE_LAYOUT_H

/* Real mode and V86: everything in segment 0 */
#define M_IVT		0x0000
#define M_RSTUBS	0x0800		/* 256 stubs of 4 bytes and their tail, real mode */
#define M_RCODE		0x2000		/* the case's code */
#define M_RDATA		0x3000
#define M_RSTACK	0x5000		/* top */

#define M_GDT		0x70000
#define M_IDT		0x71000
#define M_TSS		0x72000		/* the one in TR */
#define M_IOMAP		0x72068		/* behind the TSS proper; 0x2001 bytes */
#define M_TSS2		0x75000		/* other tasks, 0x100 apart */
#define M_LDT		0x76000
#define M_CODE		0x78000		/* the case's code: two pages */
#define M_DATA		0x7a000		/* two pages */
#define M_STACK		0x7e000		/* top, of the case's own code */
#define M_KSTACK	0x80000		/* top, of ring 0 entered from outside */
#define M_STACK1	0x82000		/* top, ring 1 by call gate */
#define M_STACK2	0x84000
#define M_DFSTACK	0x86000		/* top, double fault */
#define M_ISTACK	0x88000		/* top, of the monitor between cases */
#define M_PG		0x100000	/* page tables, 64 pages */
#define M_PML4		(M_PG + 0x10000)	/* the 64-bit image's own tables: one page */
#define M_PDPT		(M_PG + 0x11000)
#define M_PD		(M_PG + 0x12000)
#define M_PT		(M_PG + 0x13000)	/* two pages */
#define M_TPG		(M_PG + 0x15000)	/* paging cases: PDPT, PD, PT */
#define M_PGDATA	0x200000	/* pages for paging cases, 16 */
#define M_MEM		0x400000	/* what must be there at least */

/* Selectors of the fixed descriptors; the case's own are SEL_X and up. */
#define SEL_KCS		0x08
#define SEL_KDS		0x10
#define SEL_TSS		0x18
#define SEL_CS16	0x28		/* base M_CODE, 64 KiB */
#define SEL_RCS		0x30		/* base 0, 16 bit, limit 64 KiB: way to real mode */
#define SEL_RDS		0x38
#define SEL_DFTSS	0x40
#define SEL_LDT		0x48
#define SEL_C(ring)	(0x60 + (ring) * 8)	/* flat code */
#define SEL_D(ring)	(0x80 + (ring) * 8)	/* flat data */
#define SEL_C16(ring)	(0xa0 + (ring) * 8)	/* code, base M_CODE, 64 KiB, 16 bit */
#define SEL_D16(ring)	(0xc0 + (ring) * 8)	/* data, base 0, 64 KiB, 16 bit */
#define SEL_C32(ring)	(0xa0 + (ring) * 8)	/* 64-bit image: flat code, compatibility mode */
#define SEL_BOOT32	0x18			/* 64-bit image: on the way to long mode */
#define SEL_X		0x100		/* the case's own */

#define DEBUG_PORT	0xe9

#endif /* TRACE_LAYOUT_H */
