// SPDX-License-Identifier: GPL-2.0
/*
 * The I/O APIC: see ioapic.h.
 */
#include <string.h>

#include "ioapic.h"

/* Offsets in memory (82093AA §3.1), and of the later EOI register */
#define IOREGSEL	0x00u
#define IOWIN		0x10u
#define EOIR		0x40u

/* Registers behind the window (§3.2) */
#define REG_ID		0x00u
#define REG_VERSION	0x01u
#define REG_ARBITRATION	0x02u
#define REG_REDIRECTION	0x10u

#define VERSION		(0x20u | (IOAPIC_PINS - 1) << 16)
#define ID_MASK		0x0f000000u

/* A redirection table entry (§3.2.4) */
#define RTE_VECTOR	0xffull
#define RTE_MODE(e)	((unsigned int)((e) >> 8 & 7))
#define RTE_LOGICAL	(1ull << 11)
#define RTE_POLARITY	(1ull << 13)
#define RTE_REMOTE_IRR	(1ull << 14)
#define RTE_LEVEL	(1ull << 15)
#define RTE_MASKED	(1ull << 16)
#define RTE_DEST(e)	((uint32_t)((e) >> 56))
#define RTE_WRITABLE	(0xff000000000007ffull | RTE_LOGICAL | RTE_POLARITY | \
			 RTE_LEVEL | RTE_MASKED)

/* Delivery modes */
#define MODE_FIXED	0u
#define MODE_LOWEST	1u

/* A message (SDM vol. 3 §10.11.1, §10.11.2) */
#define MSI_ADDRESS	0xfee00000u
#define MSI_DEST_SHIFT	12
#define MSI_LOGICAL	(1u << 2)
#define MSI_MODE_SHIFT	8
#define MSI_ASSERT	(1u << 14)
#define MSI_LEVEL	(1u << 15)

/* §3.2.4: the other delivery modes are edge-triggered, whatever the bit says. */
static bool is_level(uint64_t e)
{
	return (e & RTE_LEVEL) &&
	       (RTE_MODE(e) == MODE_FIXED || RTE_MODE(e) == MODE_LOWEST);
}

static void make_message(uint64_t e, struct msi *msi)
{
	msi->addr = MSI_ADDRESS | RTE_DEST(e) << MSI_DEST_SHIFT |
		    (e & RTE_LOGICAL ? MSI_LOGICAL : 0);
	msi->data = (uint32_t)(e & RTE_VECTOR) | RTE_MODE(e) << MSI_MODE_SHIFT |
		    MSI_ASSERT | (is_level(e) ? MSI_LEVEL : 0);
}

void ioapic_init(struct ioapic *io, const struct msi_sink *out)
{
	unsigned int i;

	memset(io, 0, sizeof(*io));
	io->out = out;
	for (i = 0; i < IOAPIC_PINS; i++) {
		io->entry[i] = RTE_MASKED;
		io->message[i].gsi = (int)i;
		io->message[i].fd = -1;
		make_message(io->entry[i], &io->message[i]);
	}
}

/* The pin asks for its interrupt to be sent. */
static void send(struct ioapic *io, unsigned int pin)
{
	uint64_t e = io->entry[pin];

	if ((e & RTE_MASKED) || (is_level(e) && (e & RTE_REMOTE_IRR)))
		return;
	/* It is served when the EOI comes. */
	if (is_level(e))
		io->entry[pin] |= RTE_REMOTE_IRR;
	io->sent++;
	io->out->send(io->out->ctx, &io->message[pin]);
}

void ioapic_set_irq(struct ioapic *io, unsigned int pin, bool level)
{
	uint32_t bit;
	bool was;

	if (pin >= IOAPIC_PINS)
		return;
	bit = 1u << pin;
	was = io->lines & bit;
	io->lines = level ? io->lines | bit : io->lines & ~bit;
	/* An edge that comes while the pin is masked is lost; a level waits. */
	if (level && (!was || is_level(io->entry[pin])))
		send(io, pin);
}

void ioapic_eoi(struct ioapic *io, uint8_t vector)
{
	unsigned int i;

	for (i = 0; i < IOAPIC_PINS; i++) {
		if ((io->entry[i] & RTE_VECTOR) != vector ||
		    !(io->entry[i] & RTE_REMOTE_IRR))
			continue;
		io->entry[i] &= ~RTE_REMOTE_IRR;
		if (io->lines & 1u << i)
			send(io, i);
	}
}

static void write_entry(struct ioapic *io, unsigned int pin, bool high,
			uint32_t value)
{
	uint64_t e = io->entry[pin];
	struct msi was = io->message[pin];

	if (high)
		e = (uint32_t)e | (uint64_t)value << 32;
	else
		e = (e & ~0xffffffffull) | value;
	e = (e & RTE_WRITABLE) | (io->entry[pin] & RTE_REMOTE_IRR);
	/* Systems clear it by a turn to edge and back, where they know of no other way. */
	if (!is_level(e))
		e &= ~RTE_REMOTE_IRR;
	io->entry[pin] = e;
	make_message(e, &io->message[pin]);
	if (io->message[pin].addr != was.addr ||
	    io->message[pin].data != was.data)
		io->out->update(io->out->ctx, &io->message[pin]);
	if (is_level(e) && (io->lines & 1u << pin))
		send(io, pin);
}

static void write_reg(struct ioapic *io, uint32_t value)
{
	unsigned int n = io->select - REG_REDIRECTION;

	if (io->select == REG_ID)
		io->id = value & ID_MASK;
	else if (n < 2 * IOAPIC_PINS)
		write_entry(io, n / 2, n & 1, value);
}

static uint32_t read_reg(const struct ioapic *io)
{
	unsigned int n = io->select - REG_REDIRECTION;

	switch (io->select) {
	case REG_ID:
	case REG_ARBITRATION:	/* §3.2.3: loaded with the ID */
		return io->id;
	case REG_VERSION:
		return VERSION;
	default:
		if (n >= 2 * IOAPIC_PINS)
			return 0;
		return (uint32_t)(io->entry[n / 2] >> (n & 1 ? 32 : 0));
	}
}

void ioapic_mmio(struct ioapic *io, uint32_t off, unsigned int size,
		 uint8_t *data, bool write)
{
	unsigned int len = size < 4 ? size : 4;
	uint32_t value = 0;

	if (write) {
		memcpy(&value, data, len);
		if (off == IOREGSEL)
			io->select = value & 0xff;
		else if (off == IOWIN)
			write_reg(io, value);
		else if (off == EOIR)
			ioapic_eoi(io, (uint8_t)value);
		return;
	}
	if (off == IOREGSEL)
		value = io->select;
	else if (off == IOWIN)
		value = read_reg(io);
	memset(data, 0, size);
	memcpy(data, &value, len);
}
