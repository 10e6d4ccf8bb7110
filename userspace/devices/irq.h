/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where a device's interrupt goes, whoever has the interrupt controllers.
 */
#ifndef RINGVM_IRQ_H
#define RINGVM_IRQ_H

#include <stdbool.h>
#include <stdint.h>

struct irq_sink {
	/* Input @line (the PC's IRQ number) goes to @level. */
	void (*set)(void *ctx, unsigned int line, bool level);
	void *ctx;
};

/* A message-signalled interrupt: what is written, and where. */
struct msi {
	uint64_t addr;
	uint32_t data;
	int gsi, fd;		/* the sink's own; -1: none */
};

struct msi_sink {
	/* The message may have changed; before the first send, too. */
	void (*update)(void *ctx, struct msi *msi);
	void (*send)(void *ctx, struct msi *msi);
	void *ctx;
};

#endif
