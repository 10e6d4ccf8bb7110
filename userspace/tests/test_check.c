// SPDX-License-Identifier: GPL-2.0
/*
 * The doctor: what it reads from the module, and what it concludes.
 */
#include <errno.h>
#include <string.h>

#include "../check.h"
#include "ktap.h"

static struct facts facts;
static struct verdict verdict;

/* A machine with nothing: no hardware help, no module. */
static void bare(void)
{
	unsigned int id;

	memset(&facts, 0, sizeof(facts));
	for (id = 0; id < MODE_COUNT; id++) {
		facts.nodes[id].err = ENOENT;
		facts.nodes[id].api_version = -1;
	}
	strcpy(facts.kernel, "6.1.0-test");
}

static bool no(enum mode_id id, const char *reason, const char *advice)
{
	check_judge(&facts, id, &verdict);
	if (!verdict.works && strstr(verdict.reason, reason) &&
	    strstr(verdict.advice, advice) && *verdict.advice)
		return true;
	printf("# %s: works %d, '%s', '%s'\n", mode_names[id], verdict.works,
	       verdict.reason, verdict.advice);
	return false;
}

static bool yes(enum mode_id id, const char *reason)
{
	check_judge(&facts, id, &verdict);
	return verdict.works && strstr(verdict.reason, reason) &&
	       !*verdict.advice;
}

static void modes_text(void)
{
	bare();
	facts_parse_modes("svm: ok\nvmx: no: no VT-x here\nring1: no: \n"
			  "interp: maybe\nkvm: ok\nsvmx: ok\n\ngarbage", &facts);
	CHECK_EQ(facts.words[MODE_SVM], WORD_OK);
	CHECK_EQ(facts.words[MODE_VMX], WORD_NO);
	CHECK(!strcmp(facts.reasons[MODE_VMX], "no VT-x here"));
	CHECK_EQ(facts.words[MODE_RING1], WORD_NO);
	CHECK_EQ(facts.words[MODE_INTERP], WORD_NONE);
	CHECK_EQ(facts.words[MODE_KVM], WORD_NONE);
}

static void modes_text_hostile(void)
{
	char text[1024];

	bare();
	memset(text, 'x', sizeof(text) - 1);
	memcpy(text, "vmx: no: \x1b[2J", 13);
	text[sizeof(text) - 1] = '\0';
	facts_parse_modes(text, &facts);
	CHECK_EQ(facts.words[MODE_VMX], WORD_NO);
	CHECK_EQ(strlen(facts.reasons[MODE_VMX]),
		 sizeof(facts.reasons[MODE_VMX]) - 1);
	CHECK_EQ(facts.reasons[MODE_VMX][0], '?');
	facts_parse_modes("svm:", &facts);
	facts_parse_modes("svm: ", &facts);
	facts_parse_modes("svm: o", &facts);
	facts_parse_modes("\n\n\n", &facts);
	facts_parse_modes("", &facts);
	CHECK_EQ(facts.words[MODE_SVM], WORD_NONE);
}

static void modes_text_fuzz(void)
{
	static const char set[] = "svmxring1teok: no\n\n\t\x80";
	uint64_t seed = 0xd0c;
	char text[64];
	unsigned int i, n, id;

	printf("# seed 0x%llx, 100000 cases\n", (unsigned long long)seed);
	for (i = 0; i < 100000; i++) {
		bare();
		for (n = 0; n < sizeof(text) - 1; n++)
			text[n] = set[test_random(&seed) % (sizeof(set) - 1)];
		memcpy(text + test_random(&seed) % 40, "svm: no: ", 9);
		text[test_random(&seed) % sizeof(text)] = '\0';
		text[sizeof(text) - 1] = '\0';
		facts_parse_modes(text, &facts);
		for (id = 0; id < MODE_COUNT; id++)
			CHECK(!strchr(facts.reasons[id], '\n'));
	}
}

static void nothing_here(void)
{
	bare();
	CHECK(no(MODE_SVM, "no AMD-V", "firmware"));
	CHECK(no(MODE_VMX, "no Intel VT-x", "firmware"));
	CHECK(no(MODE_RING1, "not installed", "linux-headers-6.1.0-test"));
	CHECK(no(MODE_INTERP, "not installed", "linux-headers-6.1.0-test"));
	CHECK(no(MODE_KVM, "neither", "ring1"));
	facts.cpu_hypervisor = true;
	CHECK(no(MODE_SVM, "no AMD-V", "nested"));
	CHECK(no(MODE_KVM, "neither", "nested"));
}

static void not_loaded(void)
{
	bare();
	facts.cpu_svm = true;
	facts.headers = true;
	CHECK(no(MODE_SVM, "not installed", "make install"));
	CHECK(no(MODE_VMX, "AMD processor", "svm"));
	facts.module_installed = true;
	CHECK(no(MODE_SVM, "not loaded", "modprobe ringvm"));
	CHECK(no(MODE_KVM, "not loaded", "modprobe kvm_amd"));
	strcpy(facts.lockdown, "integrity");
	CHECK(no(MODE_RING1, "signed", "sign the module"));
	strcpy(facts.lockdown, "none");
	CHECK(no(MODE_RING1, "not loaded", "modprobe ringvm"));
	facts.modules_signed_only = true;
	CHECK(no(MODE_RING1, "signed", "sign the module"));
}

static void loaded(void)
{
	bare();
	facts.cpu_svm = true;
	facts.module_loaded = true;
	facts_parse_modes("svm: ok\nring1: no: LA57 is on\n", &facts);
	facts.nodes[MODE_SVM].opened = true;
	facts.nodes[MODE_SVM].api_version = 12;
	strcpy(facts.nodes[MODE_SVM].why, "the CPU has AMD-V");
	CHECK(yes(MODE_SVM, "the CPU has AMD-V"));
	CHECK(no(MODE_RING1, "LA57 is on", "kernel log"));
	CHECK(no(MODE_INTERP, "does not have this mode", "version"));
	CHECK(no(MODE_KVM, "may hold the hardware", "modprobe -r ringvm"));
	facts.nodes[MODE_SVM].api_version = 11;
	CHECK(no(MODE_SVM, "version 12", "another module"));
	facts.nodes[MODE_SVM].opened = false;
	facts.nodes[MODE_SVM].err = EACCES;
	CHECK(no(MODE_SVM, "may not be opened", "root"));
	facts.nodes[MODE_SVM].err = ENOENT;
	CHECK(no(MODE_SVM, "cannot be opened", "udev"));
}

static void kvm_holds_it(void)
{
	bare();
	facts.cpu_svm = true;
	facts.kvm_amd = true;
	facts.module_loaded = true;
	facts_parse_modes("svm: no: kvm_amd has SVM on\n", &facts);
	CHECK(no(MODE_SVM, "kvm_amd has SVM on", "modprobe -r kvm_amd"));
	facts.nodes[MODE_KVM].opened = true;
	facts.nodes[MODE_KVM].api_version = 12;
	CHECK(yes(MODE_KVM, "KVM"));
}

static void best(void)
{
	struct verdict v[MODE_COUNT];

	memset(v, 0, sizeof(v));
	CHECK_EQ(check_best(v), MODE_COUNT);
	v[MODE_KVM].works = true;	/* not ours */
	CHECK_EQ(check_best(v), MODE_COUNT);
	v[MODE_INTERP].works = true;
	CHECK_EQ(check_best(v), MODE_INTERP);
	v[MODE_RING1].works = true;
	CHECK_EQ(check_best(v), MODE_RING1);
	v[MODE_SVM].works = true;
	CHECK_EQ(check_best(v), MODE_SVM);
}

static void flags_text(void)
{
	bare();
	facts_parse_flags("flags\t\t: fpu smapx xsmap umip", &facts);
	CHECK(!facts.cpu_smap && facts.cpu_umip);
	facts_parse_flags("vmx flags\t: smap", &facts);
	facts_parse_flags("bugs\t\t: smap", &facts);
	facts_parse_flags("flags", &facts);
	facts_parse_flags("", &facts);
	CHECK(!facts.cpu_smap && !facts.cpu_cpuid_fault && !facts.cpu_fred);
	facts_parse_flags("flags\t\t: smap cpuid_fault fred\n", &facts);
	CHECK(facts.cpu_smap && facts.cpu_cpuid_fault && facts.cpu_fred);
}

/* The number of ring1's notes; each of @parts, NULL at the end, is in one of them. */
static unsigned int notes(const char *const *parts)
{
	unsigned int n, i;

	check_judge(&facts, MODE_RING1, &verdict);
	for (n = 0; n < CHECK_NOTES && verdict.notes[n]; n++)
		;
	for (; *parts; parts++) {
		for (i = 0; i < n && !strstr(verdict.notes[i], *parts); i++)
			;
		CHECK(i < n);
	}
	return n;
}

/* What cannot be hidden or done on this processor, whether the mode works or not. */
static void ring1_notes(void)
{
	static const char *const bare_cpu[] = {
		"trust", "long mode", "no SMAP", "no CPUID faulting", "no UMIP", NULL
	};
	static const char *const fred[] = {
		"trust", "long mode", "FRED", "no SMAP", "no CPUID faulting", "no UMIP", NULL
	};
	static const char *const full[] = { "trust", "long mode", NULL };

	bare();
	CHECK_EQ(notes(bare_cpu), 5);
	facts.cpu_fred = true;
	CHECK_EQ(notes(fred), 6);
	facts.module_loaded = true;
	facts_parse_modes("ring1: no: the kernel runs with FRED", &facts);
	CHECK(no(MODE_RING1, "FRED", "fred=off"));
	facts.cpu_fred = false;
	facts.nodes[MODE_RING1].opened = true;
	facts.nodes[MODE_RING1].api_version = 12;
	CHECK(yes(MODE_RING1, ""));
	CHECK_EQ(notes(bare_cpu), 5);
	facts_parse_flags("flags : smap umip cpuid_fault", &facts);
	CHECK_EQ(notes(full), 2);
	check_judge(&facts, MODE_INTERP, &verdict);
	CHECK(!verdict.notes[0]);
}

/* The administrator's own choice is not a fault, and can be undone. */
static void ring1_left_out(void)
{
	bare();
	facts.module_loaded = true;
	facts.ring1_left_out = true;
	facts_parse_modes("ring1: no: the module was loaded with ring1=0\ninterp: ok\n", &facts);
	facts.nodes[MODE_INTERP].opened = true;
	facts.nodes[MODE_INTERP].api_version = 12;
	CHECK(no(MODE_RING1, "ring1=0", "modprobe ringvm ring1=1"));
	CHECK(yes(MODE_INTERP, ""));
}

static const struct test tests[] = {
	{ "check_modes_text", modes_text },
	{ "check_modes_text_hostile", modes_text_hostile },
	{ "check_modes_text_fuzz", modes_text_fuzz },
	{ "check_nothing_here", nothing_here },
	{ "check_not_loaded", not_loaded },
	{ "check_loaded", loaded },
	{ "check_kvm_holds_it", kvm_holds_it },
	{ "check_best", best },
	{ "check_flags_text", flags_text },
	{ "check_ring1_notes", ring1_notes },
	{ "check_ring1_left_out", ring1_left_out },
};

TEST_MAIN(tests)
