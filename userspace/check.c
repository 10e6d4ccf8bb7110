// SPDX-License-Identifier: GPL-2.0
/*
 * "ringvm check": the report, as text and as JSON.  See judge.c for what is
 * concluded from which fact.
 */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>

#include "check.h"

#define SCHEMA	1

static const char *secure_boot_text(int state)
{
	return state < 0 ? "unknown" : state ? "on" : "off";
}

static void print_machine(const struct facts *f)
{
	printf("kernel:       %s, headers %s\n", f->kernel,
	       f->headers ? "installed" : "not installed");
	printf("processor:    %s%s\n",
	       f->cpu_svm ? "AMD-V" : f->cpu_vmx ? "Intel VT-x" :
	       "neither AMD-V nor Intel VT-x",
	       f->cpu_hypervisor ? ", itself a virtual one" : "");
	printf("module:       ringvm is %s\n",
	       f->module_loaded ? "loaded" :
	       f->module_installed ? "installed, but not loaded" :
	       "neither loaded nor installed");
	printf("kvm modules:  %s%s%s\n", f->kvm_amd ? "kvm_amd" : "",
	       f->kvm_intel ? "kvm_intel" : "",
	       f->kvm_amd || f->kvm_intel ? " loaded" : "none loaded");
	printf("lockdown:     %s, secure boot %s%s\n",
	       *f->lockdown ? f->lockdown : "not known to this kernel",
	       secure_boot_text(f->secure_boot),
	       f->modules_signed_only ? ", signed modules only" : "");
	if (*f->mitigations)
		printf("mitigations:  %s (ring1)\n", f->mitigations);
}

static void print_text(const struct facts *f, const struct verdict *v)
{
	enum mode_id best = check_best(v);
	unsigned int id, i;

	print_machine(f);
	putchar('\n');
	for (id = 0; id < MODE_COUNT; id++) {
		printf("%-7s %s: %s\n", mode_names[id],
		       v[id].works ? "works" : "does not work", v[id].reason);
		if (*v[id].advice)
			printf("        to do: %s\n", v[id].advice);
		for (i = 0; i < CHECK_NOTES && v[id].notes[i]; i++)
			printf("        note: %s\n", v[id].notes[i]);
	}
	printf("\nbest mode of ringvm here: %s\n",
	       best == MODE_COUNT ? "none" : mode_names[best]);
}

static cJSON *json_machine(const struct facts *f)
{
	cJSON *m = cJSON_CreateObject(), *cpu, *module, *kvm;

	cJSON_AddStringToObject(m, "kernel", f->kernel);
	cJSON_AddBoolToObject(m, "headers", f->headers);
	cpu = cJSON_AddObjectToObject(m, "cpu");
	cJSON_AddBoolToObject(cpu, "svm", f->cpu_svm);
	cJSON_AddBoolToObject(cpu, "vmx", f->cpu_vmx);
	cJSON_AddBoolToObject(cpu, "long_mode", f->cpu_long_mode);
	cJSON_AddBoolToObject(cpu, "hypervisor", f->cpu_hypervisor);
	module = cJSON_AddObjectToObject(m, "module");
	cJSON_AddBoolToObject(module, "loaded", f->module_loaded);
	cJSON_AddBoolToObject(module, "installed", f->module_installed);
	cJSON_AddBoolToObject(module, "must_be_signed",
			      f->modules_signed_only);
	kvm = cJSON_AddArrayToObject(m, "kvm_modules");
	if (f->kvm_amd)
		cJSON_AddItemToArray(kvm, cJSON_CreateString("kvm_amd"));
	if (f->kvm_intel)
		cJSON_AddItemToArray(kvm, cJSON_CreateString("kvm_intel"));
	if (*f->lockdown)
		cJSON_AddStringToObject(m, "lockdown", f->lockdown);
	else
		cJSON_AddNullToObject(m, "lockdown");
	if (*f->mitigations)
		cJSON_AddStringToObject(m, "mitigations", f->mitigations);
	else
		cJSON_AddNullToObject(m, "mitigations");
	if (f->secure_boot < 0)
		cJSON_AddNullToObject(m, "secure_boot");
	else
		cJSON_AddBoolToObject(m, "secure_boot", f->secure_boot);
	return m;
}

static cJSON *json_mode(enum mode_id id, const struct verdict *v)
{
	cJSON *m = cJSON_CreateObject(), *notes;
	unsigned int i;

	cJSON_AddStringToObject(m, "name", mode_names[id]);
	cJSON_AddStringToObject(m, "node", mode_nodes[id]);
	cJSON_AddBoolToObject(m, "works", v->works);
	cJSON_AddStringToObject(m, "reason", v->reason);
	if (*v->advice)
		cJSON_AddStringToObject(m, "advice", v->advice);
	else
		cJSON_AddNullToObject(m, "advice");
	notes = cJSON_AddArrayToObject(m, "notes");
	for (i = 0; i < CHECK_NOTES && v->notes[i]; i++)
		cJSON_AddItemToArray(notes, cJSON_CreateString(v->notes[i]));
	return m;
}

static int print_json(const struct facts *f, const struct verdict *v)
{
	enum mode_id best = check_best(v);
	cJSON *root = cJSON_CreateObject(), *modes;
	unsigned int id;
	char *text;

	cJSON_AddNumberToObject(root, "schema", SCHEMA);
	cJSON_AddItemToObject(root, "machine", json_machine(f));
	modes = cJSON_AddArrayToObject(root, "modes");
	for (id = 0; id < MODE_COUNT; id++)
		cJSON_AddItemToArray(modes, json_mode(id, &v[id]));
	if (best == MODE_COUNT)
		cJSON_AddNullToObject(root, "best");
	else
		cJSON_AddStringToObject(root, "best", mode_names[best]);
	text = cJSON_Print(root);
	cJSON_Delete(root);
	if (!text)
		return -1;
	puts(text);
	free(text);
	return 0;
}

int cmd_check(const struct check_opts *opts)
{
	struct verdict v[MODE_COUNT];
	struct facts f;
	bool any = false;
	unsigned int id;

	facts_gather(&f);
	for (id = 0; id < MODE_COUNT; id++) {
		check_judge(&f, id, &v[id]);
		any |= v[id].works;
	}
	if (!opts->json) {
		print_text(&f, v);
	} else if (print_json(&f, v)) {
		say("out of memory: free some");
		return EXIT_SETUP;
	}
	if (fflush(stdout) || ferror(stdout)) {
		say("standard output cannot be written");
		return EXIT_SETUP;
	}
	return any ? 0 : 1;
}
