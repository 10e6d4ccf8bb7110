// SPDX-License-Identifier: GPL-2.0
/*
 * Facts about this machine: see facts.h.
 */
#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <linux/kvm.h>
#include <linux/ringvm.h>

#include "facts.h"

#define MODES_PARAMETER	"/sys/module/ringvm/parameters/modes"
#define CPUINFO		"/proc/cpuinfo"
#define MITIGATIONS_PARAMETER	"/sys/module/ringvm/parameters/mitigations"
#define RING1_PARAMETER	"/sys/module/ringvm/parameters/ring1"
#define LOCKDOWN	"/sys/kernel/security/lockdown"
#define SIG_ENFORCE	"/sys/module/module/parameters/sig_enforce"
#define SECURE_BOOT	"/sys/firmware/efi/efivars/" \
			"SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"

const char * const mode_names[MODE_COUNT] = {
	[MODE_VMX]	= "vmx",
	[MODE_SVM]	= "svm",
	[MODE_RING1]	= "ring1",
	[MODE_INTERP]	= "interp",
	[MODE_KVM]	= "kvm",
};

const char * const mode_nodes[MODE_COUNT] = {
	[MODE_VMX]	= "/dev/ringvm-vmx",
	[MODE_SVM]	= "/dev/ringvm-svm",
	[MODE_RING1]	= "/dev/ringvm-ring1",
	[MODE_INTERP]	= "/dev/ringvm-interp",
	[MODE_KVM]	= "/dev/kvm",
};

/* Up to @room - 1 bytes of a small file and a NUL; the length, or -1. */
static int read_small(const char *path, char *buf, size_t room)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t fill = 0;
	ssize_t n;

	buf[0] = '\0';
	if (fd < 0)
		return -1;
	while (fill < room - 1) {
		n = read(fd, buf + fill, room - 1 - fill);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		fill += (size_t)n;
	}
	close(fd);
	buf[fill] = '\0';
	return (int)fill;
}

static bool exists(const char *path)
{
	return !access(path, F_OK);
}

/* @text from the outside becomes one printable line of @to. */
static void copy_line(char *to, size_t room, const char *text, size_t len)
{
	size_t i;

	if (len > room - 1)
		len = room - 1;
	for (i = 0; i < len && text[i]; i++)
		to[i] = text[i] < ' ' || text[i] > '~' ? '?' : text[i];
	to[i] = '\0';
}

static void parse_mode_line(const char *line, size_t len, struct facts *f)
{
	unsigned int id;
	size_t name;

	for (id = 0; id < MODE_KVM; id++) {
		name = strlen(mode_names[id]);
		if (len < name + 4 || strncmp(line, mode_names[id], name) ||
		    strncmp(line + name, ": ", 2))
			continue;
		line += name + 2;
		len -= name + 2;
		if (len == 2 && !strncmp(line, "ok", 2)) {
			f->words[id] = WORD_OK;
		} else if (len >= 4 && !strncmp(line, "no: ", 4)) {
			f->words[id] = WORD_NO;
			copy_line(f->reasons[id], sizeof(f->reasons[id]),
				  line + 4, len - 4);
		}
		return;
	}
}

void facts_parse_modes(const char *text, struct facts *f)
{
	size_t len;

	while (*text) {
		len = strcspn(text, "\n");
		parse_mode_line(text, len, f);
		text += len + (text[len] == '\n');
	}
}

static void gather_node(struct node_fact *n, const char *path)
{
	struct ringvm_info info;
	int fd = open(path, O_RDWR | O_CLOEXEC);

	n->api_version = -1;
	if (fd < 0) {
		n->err = errno;
		return;
	}
	n->opened = true;
	n->api_version = ioctl(fd, KVM_GET_API_VERSION, 0);
	memset(&info, 0, sizeof(info));
	if (!ioctl(fd, RINGVM_GET_INFO, &info))
		copy_line(n->why, sizeof(n->why), info.why, sizeof(info.why));
	close(fd);
}

static void gather_cpu(struct facts *f)
{
	unsigned int eax, ebx, ecx, edx;

	if (__get_cpuid(1, &eax, &ebx, &ecx, &edx)) {
		f->cpu_vmx = ecx & 1u << 5;
		f->cpu_hypervisor = ecx & 1u << 31;
	}
	if (__get_cpuid(0x80000001, &eax, &ebx, &ecx, &edx)) {
		f->cpu_svm = ecx & 1u << 2;
		f->cpu_long_mode = edx & 1u << 29;
	}
}

void facts_parse_flags(const char *line, struct facts *f)
{
	const struct {
		const char *word;
		bool *flag;
	} known[] = {
		{ "smap", &f->cpu_smap }, { "umip", &f->cpu_umip },
		{ "cpuid_fault", &f->cpu_cpuid_fault }, { "fred", &f->cpu_fred },
	};
	const char *at = strchr(line, ':');
	size_t len;
	unsigned int i;

	if (strncmp(line, "flags", 5) || !at)
		return;
	for (at++; *at; at += len) {
		at += strspn(at, " \t\n");
		len = strcspn(at, " \t\n");
		for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
			if (strlen(known[i].word) == len && !strncmp(at, known[i].word, len))
				*known[i].flag = true;
	}
}

/* The first CPU stands for all. */
static void gather_flags(struct facts *f)
{
	FILE *info = fopen(CPUINFO, "re");
	char *line = NULL;
	size_t room = 0;

	if (!info)
		return;
	while (getline(&line, &room, info) > 0) {
		facts_parse_flags(line, f);
		if (!strncmp(line, "flags", 5))
			break;
	}
	free(line);
	fclose(info);
}

/* The module's place does not matter, that depmod knows it does. */
static bool is_installed(const char *kernel)
{
	char path[256], line[512];
	bool found = false;
	FILE *dep;

	snprintf(path, sizeof(path), "/lib/modules/%s/modules.dep", kernel);
	dep = fopen(path, "re");
	if (!dep)
		return false;
	while (!found && fgets(line, sizeof(line), dep)) {
		line[strcspn(line, ":")] = '\0';
		found = strstr(line, "/ringvm.ko");
	}
	fclose(dep);
	return found;
}

static void gather_kernel(struct facts *f)
{
	char path[256], text[256];
	struct utsname un;
	const char *at;

	if (!uname(&un))
		copy_line(f->kernel, sizeof(f->kernel), un.release,
			  sizeof(un.release));
	snprintf(path, sizeof(path), "/lib/modules/%s/build/Makefile",
		 f->kernel);
	f->headers = exists(path);
	f->module_installed = is_installed(f->kernel);
	f->module_loaded = exists("/sys/module/ringvm");
	f->kvm_amd = exists("/sys/module/kvm_amd");
	f->kvm_intel = exists("/sys/module/kvm_intel");
	if (read_small(SIG_ENFORCE, text, sizeof(text)) > 0)
		f->modules_signed_only = text[0] == 'Y';
	/* "none [integrity] confidentiality": the bracketed word holds. */
	if (read_small(LOCKDOWN, text, sizeof(text)) > 0) {
		at = strchr(text, '[');
		if (at)
			copy_line(f->lockdown, sizeof(f->lockdown), at + 1,
				  strcspn(at + 1, "]"));
	}
	/* An EFI variable file: four bytes of attributes, then the value. */
	f->secure_boot = -1;
	if (read_small(SECURE_BOOT, text, sizeof(text)) == 5)
		f->secure_boot = text[4] == 1;
	else if (!exists("/sys/firmware/efi"))
		f->secure_boot = 0;
}

void facts_gather(struct facts *f)
{
	char text[4096];
	unsigned int id;

	memset(f, 0, sizeof(*f));
	gather_cpu(f);
	gather_flags(f);
	gather_kernel(f);
	if (read_small(MODES_PARAMETER, text, sizeof(text)) > 0)
		facts_parse_modes(text, f);
	if (read_small(RING1_PARAMETER, text, sizeof(text)) > 0)
		f->ring1_left_out = text[0] == 'N';
	if (read_small(MITIGATIONS_PARAMETER, text, sizeof(text)) > 0)
		copy_line(f->mitigations, sizeof(f->mitigations), text, strcspn(text, "\n"));
	for (id = 0; id < MODE_COUNT; id++)
		gather_node(&f->nodes[id], mode_nodes[id]);
}
