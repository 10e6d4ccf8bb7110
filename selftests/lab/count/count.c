// SPDX-License-Identifier: GPL-2.0
/*
 * A plugin for QEMU's TCG that counts the guest's instructions: what a guest has executed from
 * reset to its end.  A repeated string instruction is one, as for ringvm's interpreter: QEMU
 * comes back to it for each item.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* QEMU's interface, version 1, as far as it is needed; Debian packages no header. */
typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_info;
typedef void (*trans_fn)(qemu_plugin_id_t id, struct qemu_plugin_tb *tb);
typedef void (*exec_fn)(unsigned int vcpu, void *data);
typedef void (*exit_fn)(qemu_plugin_id_t id, void *data);
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, trans_fn fn);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn, exec_fn fn, int flags,
					    void *data);
void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *insn, int op, void *ptr,
						uint64_t imm);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id, exit_fn fn, void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t i);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
void qemu_plugin_outs(const char *text);
int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc, char **argv);

#define ADD_U64		0	/* QEMU_PLUGIN_INLINE_ADD_U64 */
#define NO_REGS		0	/* QEMU_PLUGIN_CB_NO_REGS */

int qemu_plugin_version = 1;

static uint64_t plain, strings, items;
/* The string instruction executed last, and the number of others before it. */
static uint64_t last, last_plain;

static void string_insn(unsigned int vcpu, void *address)
{
	(void)vcpu;
	if (last == (uintptr_t)address && last_plain == plain)
		items++;
	else
		strings++;
	last = (uintptr_t)address;
	last_plain = plain;
}

static bool is_prefix(uint8_t byte, bool *rep)
{
	if (byte == 0xf2 || byte == 0xf3)
		*rep = true;
	return byte == 0xf2 || byte == 0xf3 || byte == 0x66 || byte == 0x67 || byte == 0x26 ||
	       byte == 0x2e || byte == 0x36 || byte == 0x3e || byte == 0x64 || byte == 0x65;
}

/* REP in front of MOVS, CMPS, STOS, LODS, SCAS, INS, OUTS */
static bool is_repeated(const uint8_t *code, size_t len)
{
	bool rep = false;
	size_t i = 0;

	while (i < len && is_prefix(code[i], &rep))
		i++;
	return rep && i < len && ((code[i] >= 0xa4 && code[i] <= 0xa7) ||
				  (code[i] >= 0xaa && code[i] <= 0xaf) ||
				  (code[i] >= 0x6c && code[i] <= 0x6f));
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	size_t i;

	(void)id;
	for (i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);

		if (is_repeated(qemu_plugin_insn_data(insn), qemu_plugin_insn_size(insn)))
			qemu_plugin_register_vcpu_insn_exec_cb(insn, string_insn, NO_REGS,
				(void *)(uintptr_t)qemu_plugin_insn_vaddr(insn));
		else
			qemu_plugin_register_vcpu_insn_exec_inline(insn, ADD_U64, &plain, 1);
	}
}

static void finished(qemu_plugin_id_t id, void *data)
{
	char text[96];

	(void)id;
	(void)data;
	snprintf(text, sizeof(text), "count: instructions %" PRIu64 " further items %" PRIu64 "\n",
		 plain + strings, items);
	qemu_plugin_outs(text);
}

int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc, char **argv)
{
	(void)info;
	(void)argc;
	(void)argv;
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	qemu_plugin_register_atexit_cb(id, finished, NULL);
	return 0;
}
