// SPDX-License-Identifier: GPL-2.0
/*
 * From facts to verdicts.  The order of the questions is the order in which a
 * person would meet the obstacles: a node that works ends them; otherwise the
 * module's own reason counts most, then what the processor has, then how the
 * module gets loaded.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "check.h"

#define API_VERSION	12

static void put(struct verdict *v, const char *reason, const char *advice)
{
	snprintf(v->reason, sizeof(v->reason), "%s", reason);
	snprintf(v->advice, sizeof(v->advice), "%s", advice);
}

/* Has the processor what @id needs?  Fills @v if not. */
static bool cpu_has(const struct facts *f, enum mode_id id, struct verdict *v)
{
	if (id == MODE_SVM && !f->cpu_svm) {
		if (f->cpu_vmx)
			put(v, "an Intel processor has no AMD-V",
			    "use the vmx mode");
		else if (f->cpu_hypervisor)
			put(v, "the processor, a virtual one, offers no AMD-V",
			    "turn on nested virtualization where this machine is run, or use ring1 or interp");
		else
			put(v, "the processor offers no AMD-V",
			    "turn on SVM in the firmware's setup if the processor has it, or use ring1 or interp");
		return false;
	}
	if (id == MODE_VMX && !f->cpu_vmx) {
		if (f->cpu_svm)
			put(v, "an AMD processor has no Intel VT-x",
			    "use the svm mode");
		else if (f->cpu_hypervisor)
			put(v, "the processor, a virtual one, offers no Intel VT-x",
			    "turn on nested virtualization where this machine is run, or use ring1 or interp");
		else
			put(v, "the processor offers no Intel VT-x",
			    "turn on VT-x in the firmware's setup if the processor has it, or use ring1 or interp");
		return false;
	}
	return true;
}

static void judge_loading(const struct facts *f, struct verdict *v)
{
	bool strict = f->modules_signed_only ||
		      (*f->lockdown && strcmp(f->lockdown, "none"));

	snprintf(v->reason, sizeof(v->reason), "the module ringvm is not %s%s",
		 f->module_installed ? "loaded" : "installed",
		 strict ? ", and this kernel loads signed modules only" : "");
	if (f->module_installed && strict)
		snprintf(v->advice, sizeof(v->advice),
			 "sign the module with an enrolled key, then: modprobe ringvm");
	else if (f->module_installed)
		snprintf(v->advice, sizeof(v->advice), "modprobe ringvm");
	else if (f->headers)
		snprintf(v->advice, sizeof(v->advice),
			 "build and install it (make && make install)%s, then: modprobe ringvm",
			 strict ? ", sign it with an enrolled key" : "");
	else
		snprintf(v->advice, sizeof(v->advice),
			 "install linux-headers-%.100s, then build and install the module (make && make install)",
			 f->kernel);
}

/* The module is loaded and says that the mode does not work. */
static void judge_refused(const struct facts *f, enum mode_id id,
			  struct verdict *v)
{
	struct verdict cpu;

	snprintf(v->reason, sizeof(v->reason), "%s", f->reasons[id]);
	if (id == MODE_SVM && f->kvm_amd)
		snprintf(v->advice, sizeof(v->advice),
			 "if kvm_amd holds the hardware: end its guests, then: modprobe -r kvm_amd && modprobe -r ringvm && modprobe ringvm");
	else if (id == MODE_VMX && f->kvm_intel)
		snprintf(v->advice, sizeof(v->advice),
			 "if kvm_intel holds the hardware: end its guests, then: modprobe -r kvm_intel && modprobe -r ringvm && modprobe ringvm");
	else if (id == MODE_RING1 && f->ring1_left_out)
		snprintf(v->advice, sizeof(v->advice),
			 "if you trust your guests as far as ring1 asks: modprobe -r ringvm && modprobe ringvm ring1=1");
	else if (id == MODE_RING1 && f->cpu_fred)
		snprintf(v->advice, sizeof(v->advice),
			 "boot the kernel with fred=off");
	else if (!cpu_has(f, id, &cpu))
		snprintf(v->advice, sizeof(v->advice), "%s", cpu.advice);
	else
		snprintf(v->advice, sizeof(v->advice),
			 "see the kernel log (dmesg | grep ringvm)");
}

static void judge_ours(const struct facts *f, enum mode_id id,
		       struct verdict *v)
{
	const struct node_fact *n = &f->nodes[id];

	if (!f->module_loaded) {
		if (cpu_has(f, id, v))
			judge_loading(f, v);
		return;
	}
	switch (f->words[id]) {
	case WORD_NO:
		judge_refused(f, id, v);
		break;
	case WORD_OK:
		snprintf(v->reason, sizeof(v->reason),
			 "the module offers it, but %s cannot be opened: %s",
			 mode_nodes[id], strerror(n->err));
		snprintf(v->advice, sizeof(v->advice),
			 "see that devtmpfs is mounted on /dev and udev runs");
		break;
	default:
		put(v, "the loaded module does not have this mode",
		    "load a version of ringvm that has it");
		break;
	}
}

static void judge_kvm(const struct facts *f, struct verdict *v)
{
	if (!f->cpu_svm && !f->cpu_vmx)
		put(v, "KVM needs AMD-V or Intel VT-x, the processor offers neither",
		    f->cpu_hypervisor ?
		    "turn on nested virtualization where this machine is run, or use ringvm's ring1 or interp mode" :
		    "turn it on in the firmware's setup if the processor has it, or use ringvm's ring1 or interp mode");
	else if (f->module_loaded)
		put(v, "there is no /dev/kvm; ringvm is loaded and may hold the hardware",
		    f->cpu_svm ? "modprobe -r ringvm && modprobe kvm_amd" :
				 "modprobe -r ringvm && modprobe kvm_intel");
	else
		put(v, "there is no /dev/kvm: KVM's module is not loaded",
		    f->cpu_svm ? "modprobe kvm_amd" : "modprobe kvm_intel");
}

/* What ring1 asks for, and what this processor does not let it do, or hide from its
 * guests (docs/ring1.md). */
static void note_ring1(const struct facts *f, struct verdict *v)
{
	unsigned int n = 0;

	v->notes[n++] = "trust: only for guests that you would trust as a program that root runs; to the processor's predictors they are the kernel";
	v->notes[n++] = "64-bit: for 32-bit guests; what a guest does in long mode is interpreted, as in interp";
	if (f->cpu_fred)
		v->notes[n++] = "FRED: under it rings 1 and 2 do not exist; a kernel that uses it must be booted with fred=off";
	if (!f->cpu_smap)
		v->notes[n++] = "no SMAP: the guest's kernel is interpreted, and only its user code runs natively";
	if (!f->cpu_cpuid_fault)
		v->notes[n++] = "no CPUID faulting: the guest's user code sees this processor's CPUID";
	if (!f->cpu_umip)
		v->notes[n++] = "no UMIP: SGDT, SIDT, SLDT, STR and SMSW in the guest's user code show what this machine's kernel has";
}

void check_judge(const struct facts *f, enum mode_id id, struct verdict *v)
{
	const struct node_fact *n = &f->nodes[id];

	memset(v, 0, sizeof(*v));
	if (id == MODE_RING1)
		note_ring1(f, v);
	if (n->opened && n->api_version == API_VERSION) {
		v->works = true;
		snprintf(v->reason, sizeof(v->reason), "%s",
			 *n->why ? n->why : "the node answers KVM's ABI");
	} else if (n->opened) {
		snprintf(v->reason, sizeof(v->reason),
			 "%s does not answer version %d of KVM's ABI",
			 mode_nodes[id], API_VERSION);
		snprintf(v->advice, sizeof(v->advice), "load another module");
	} else if (n->err == EACCES || n->err == EPERM) {
		snprintf(v->reason, sizeof(v->reason),
			 "%s is there, but may not be opened: %s",
			 mode_nodes[id], strerror(n->err));
		snprintf(v->advice, sizeof(v->advice),
			 "run as root or as a member of the group that owns the node");
	} else if (id == MODE_KVM) {
		judge_kvm(f, v);
	} else {
		judge_ours(f, id, v);
	}
}

enum mode_id check_best(const struct verdict v[MODE_COUNT])
{
	/* As /dev/ringvm chooses: hardware, then ring1, then interp. */
	enum mode_id id;

	for (id = MODE_VMX; id < MODE_KVM; id++)
		if (v[id].works)
			return id;
	return MODE_COUNT;
}
