/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What "ringvm check" finds on this machine, before anything is concluded
 * from it.  Kept apart so that the conclusions can be tested with any facts.
 */
#ifndef RINGVM_FACTS_H
#define RINGVM_FACTS_H

#include <stdbool.h>
#include <stddef.h>

enum mode_id {
	MODE_VMX,
	MODE_SVM,
	MODE_RING1,
	MODE_INTERP,
	MODE_KVM,		/* not ours: the kernel's own */
	MODE_COUNT
};

extern const char * const mode_names[MODE_COUNT];
extern const char * const mode_nodes[MODE_COUNT];

/* What the module says about a mode in its parameter "modes". */
enum module_word {
	WORD_NONE,		/* the mode is not listed */
	WORD_OK,
	WORD_NO,
};

struct node_fact {
	bool opened;
	int err;		/* errno of open(), if not opened */
	int api_version;	/* -1: the call failed */
	char why[256];		/* RINGVM_GET_INFO, empty if not answered */
};

struct facts {
	struct node_fact nodes[MODE_COUNT];
	enum module_word words[MODE_COUNT];
	char reasons[MODE_COUNT][256];	/* behind WORD_NO */
	bool cpu_svm, cpu_vmx, cpu_hypervisor, cpu_long_mode;
	/* What the kernel makes use of, as /proc/cpuinfo has it. */
	bool cpu_smap, cpu_umip, cpu_cpuid_fault, cpu_fred;
	bool module_loaded, module_installed;
	bool ring1_left_out;		/* the module was loaded with ring1=0 */
	bool modules_signed_only;
	bool kvm_amd, kvm_intel;	/* loaded */
	bool headers;
	int secure_boot;		/* 1, 0, -1 unknown */
	char lockdown[32];		/* empty if the kernel has none */
	char mitigations[128];		/* the module's parameter; empty if it has none */
	char kernel[128];		/* uname -r */
};

void facts_gather(struct facts *f);

/*
 * The text of /sys/module/ringvm/parameters/modes, lines "NAME: ok" or
 * "NAME: no: reason".  Lines that are neither are passed over.
 */
void facts_parse_modes(const char *text, struct facts *f);

/* The words of a line "flags : ..." of /proc/cpuinfo; any other line is passed over. */
void facts_parse_flags(const char *line, struct facts *f);

#endif
