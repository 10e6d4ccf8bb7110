// SPDX-License-Identifier: GPL-2.0
/*
 * Runs a trace image on $RINGVM_DEV, without a BIOS: loaded at IMAGE, started
 * there in real mode.  What the guest writes to the debug port is the output.
 * Ports answer as those of a PC, as far as the cases use them.  $TRACE_LEAVE_OUT
 * is a mask of groups that do not run, $TRACE_COUNTED a counter that must not be 0 in
 * the end.  With a second argument "intel" CPUID says that the CPU is Intel's, which a mode that does
 * all in software then is.
 */
#include <fcntl.h>

#include "vmtest.h"

#define IMAGE		0x10000u
#define MEMORY		0x1000000u
#define PORT_DEBUG	0xe9
#define PORT_A		0x92		/* A20 */
#define PORT_EXIT	0xf4
#define PORT_GROUPS	0xea		/* and the next: groups that run */
#define PIC1_MASK	0x21
#define PIC2_MASK	0xa1

static uint8_t pic_mask[2];
static unsigned int left_out;

static void load(struct vm *vm, const char *path)
{
	int fd = open(path, O_RDONLY);
	uint64_t at = IMAGE;
	ssize_t n;

	if (fd < 0)
		FAIL("%s: %s", path, strerror(errno));
	while ((n = read(fd, vm->mem + at, MEMORY - at)) > 0)
		at += n;
	ASSERT(n == 0);
	close(fd);
}

static void start(struct vcpu *v)
{
	vcpu_set_mode(v, MODE_REAL);
	get_sregs(v);
	v->sregs.cs.selector = IMAGE >> 4;
	v->sregs.cs.base = IMAGE;
	set_sregs(v);
	set_rip(v, 0);
}

/* One item of an I/O exit; false when the guest says that it is done. */
static bool port_item(const struct kvm_run *r, uint8_t *data)
{
	bool out = r->io.direction == KVM_EXIT_IO_OUT;
	uint8_t *mask = r->io.port == PIC1_MASK ? &pic_mask[0] :
			r->io.port == PIC2_MASK ? &pic_mask[1] : NULL;

	if (!out)
		memset(data, 0xff, r->io.size);
	if (r->io.size > 1)
		return true;
	if (mask && out)
		*mask = *data;
	else if (mask)
		*data = *mask;
	else if (r->io.port == PORT_A && !out)
		*data = 2;
	else if (r->io.port == PORT_GROUPS && !out)
		*data = ~left_out;
	else if (r->io.port == PORT_GROUPS + 1 && !out)
		*data = ~left_out >> 8;
	return !(out && r->io.port == PORT_EXIT);
}

static bool port(struct vcpu *v)
{
	const struct kvm_run *r = v->run;
	uint32_t i;

	if (r->io.direction == KVM_EXIT_IO_OUT && r->io.port == PORT_DEBUG) {
		ASSERT(write(STDOUT_FILENO, pio_data(v), r->io.count) == (ssize_t)r->io.count);
		return true;
	}
	for (i = 0; i < r->io.count; i++)
		if (!port_item(r, pio_data(v) + i * r->io.size))
			return false;
	return true;
}

/* How the mode ran it: counters that are not 0 (KVM API §4.133), as a comment; and
 * $TRACE_COUNTED is one of them. */
static void show_counters(struct vcpu *v)
{
	struct kvm_stats_header h;
	struct kvm_stats_desc *d;
	uint64_t value;
	uint32_t i;
	const char *wanted = getenv("TRACE_COUNTED");
	bool counted = !wanted || !*wanted;
	int fd = ioctl(v->fd, KVM_GET_STATS_FD, NULL);

	if (fd < 0) {
		ASSERT(counted);
		return;
	}
	ASSERT_EQ(read(fd, &h, sizeof(h)), sizeof(h));
	d = calloc(1, sizeof(*d) + h.name_size);
	ASSERT(d);
	printf("# counters:");
	for (i = 0; i < h.num_desc; i++) {
		ASSERT_EQ(pread(fd, d, sizeof(*d) + h.name_size,
				h.desc_offset + i * (sizeof(*d) + h.name_size)),
			  sizeof(*d) + h.name_size);
		ASSERT_EQ(pread(fd, &value, 8, h.data_offset + d->offset), 8);
		if (!value)
			continue;
		printf(" %s=%llu", d->name, (unsigned long long)value);
		counted |= wanted && !strcmp(d->name, wanted);
	}
	printf("\n");
	if (!counted)
		FAIL("%s is 0", wanted);
	free(d);
	close(fd);
}

static const char *image;
static bool intel;

/* What the device offers, and the vendor that was asked for. */
static void set_cpuid(struct vcpu *v)
{
	struct kvm_cpuid2 *c = calloc(1, sizeof(*c) + 256 * sizeof(c->entries[0]));
	uint32_t i;

	ASSERT(c);
	c->nent = 256;
	ASSERT_OK(ioctl(v->vm->dev, KVM_GET_SUPPORTED_CPUID, c));
	for (i = 0; intel && i < c->nent; i++)
		if (c->entries[i].function == 0) {
			memcpy(&c->entries[i].ebx, "Genu", 4);
			memcpy(&c->entries[i].edx, "ineI", 4);
			memcpy(&c->entries[i].ecx, "ntel", 4);
		}
	ASSERT_OK(ioctl(v->fd, KVM_SET_CPUID2, c));
	free(c);
}

static void run_image(void)
{
	struct vm *vm = vm_new(MEMORY);
	struct vcpu *v;

	load(vm, image);
	v = vcpu_bare(vm, 0);
	set_cpuid(v);
	start(v);
	for (;;) {
		int rc = vcpu_run(v);

		if (rc == -EINTR)
			continue;
		if (rc)
			FAIL("KVM_RUN: %s", strerror(-rc));
		switch (v->run->exit_reason) {
		case KVM_EXIT_IO:
			if (!port(v)) {
				show_counters(v);
				return;
			}
			break;
		case KVM_EXIT_MMIO:
			memset(v->run->mmio.data, 0xff, sizeof(v->run->mmio.data));
			break;
		case KVM_EXIT_SET_TPR:
			break;
		default:
			show_exit(v);
			FAIL("the guest stopped");
		}
	}
}

int main(int argc, char **argv)
{
	static const struct ktap_case cases[] = { { "trace", run_image } };

	intel = argc == 3 && !strcmp(argv[2], "intel");
	if (argc != 2 + intel) {
		fprintf(stderr, "usage: RINGVM_DEV=/dev/ringvm %s IMAGE [intel]\n", argv[0]);
		return KTAP_EXIT_FAIL;
	}
	image = argv[1];
	if (getenv("TRACE_LEAVE_OUT"))
		left_out = atoi(getenv("TRACE_LEAVE_OUT"));
	vmtest_init();
	ktap.deadline = 2800;	/* an emulated host on a busy machine, if it is Bochs; the lab has its own */
	return ktap_run(cases, KTAP_COUNT(cases));
}
