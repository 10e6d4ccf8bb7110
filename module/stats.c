// SPDX-License-Identifier: GPL-2.0
/*
 * Counters for userspace: KVM's binary statistics (KVM API §4.133) and files
 * in debugfs, both made from the lists in stats.h.
 *
 * Counters are plain u64, written by one thread or under a lock and read here
 * without: on x86-64 a value may be old but is never torn.
 */
#include <linux/anon_inodes.h>
#include <linux/dcache.h>
#include <linux/debugfs.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kvm.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "ringvm.h"
#include "mode.h"

#define RVM_STATS_NAME_LEN	48
#define RVM_STATS_ID_LEN	48

struct rvm_stat_desc {
	struct {
		u32 flags;
		s16 exponent;
		u16 size;
		u32 offset;
		u32 bucket_size;
	} d;
	char name[RVM_STATS_NAME_LEN];
};

#define RVM_STAT_KIND_CUMULATIVE	KVM_STATS_TYPE_CUMULATIVE
#define RVM_STAT_KIND_INSTANT		KVM_STATS_TYPE_INSTANT

#define RVM_STAT(type, stat, kind) {						\
	.d = {									\
		.flags = RVM_STAT_KIND_##kind | KVM_STATS_UNIT_NONE |		\
			 KVM_STATS_BASE_POW10,					\
		.size = 1,							\
		.offset = offsetof(struct type, stat),				\
	},									\
	.name = #stat,								\
},

static const struct rvm_stat_desc rvm_vcpu_descs[] = {
#define X(name)		RVM_STAT(rvm_vcpu_stats, name, CUMULATIVE)
	RVM_VCPU_STATS(X)
#undef X
};

static const struct rvm_stat_desc rvm_vm_descs[] = {
#define X(name, kind)	RVM_STAT(rvm_vm_stats, name, kind)
	RVM_VM_STATS(X)
#undef X
};

/* One open statistics descriptor. */
struct rvm_stats_file {
	struct rvm_vm *vm;		/* a reference; vCPUs live as long as it */
	const struct rvm_stat_desc *descs;
	size_t descs_size;
	const void *data;
	size_t data_size;
	struct kvm_stats_header head;
	char id[RVM_STATS_ID_LEN];
};

/* Copy what [*pos, *pos + *left) has of a part of the file at @start. */
static int rvm_stats_part(char __user **user, size_t *left, loff_t *pos,
			  loff_t start, const void *part, size_t size)
{
	size_t n, skip;

	if (!*left || *pos < start || *pos >= start + size)
		return 0;
	skip = *pos - start;
	n = min(*left, size - skip);
	if (copy_to_user(*user, part + skip, n))
		return -EFAULT;
	*user += n;
	*left -= n;
	*pos += n;
	return 0;
}

/* Header, id, descriptors, data, one after the other; any offset, any length. */
static ssize_t rvm_stats_read(struct file *file, char __user *user, size_t len, loff_t *ppos)
{
	const struct rvm_stats_file *s = file->private_data;
	const struct kvm_stats_header *h = &s->head;
	loff_t pos = *ppos;
	size_t left = len;

	if (pos < 0)
		return -EINVAL;
	if (rvm_stats_part(&user, &left, &pos, 0, h, sizeof(*h)) ||
	    rvm_stats_part(&user, &left, &pos, h->id_offset, s->id, sizeof(s->id)) ||
	    rvm_stats_part(&user, &left, &pos, h->desc_offset, s->descs, s->descs_size) ||
	    rvm_stats_part(&user, &left, &pos, h->data_offset, s->data, s->data_size))
		return -EFAULT;
	*ppos = pos;
	return len - left;
}

static int rvm_stats_release(struct inode *inode, struct file *file)
{
	struct rvm_stats_file *s = file->private_data;

	rvm_vm_put(s->vm);
	kfree(s);
	return 0;
}

static const struct file_operations rvm_stats_fops = {
	.owner = THIS_MODULE,
	.read = rvm_stats_read,
	.release = rvm_stats_release,
	.llseek = noop_llseek,
};

/* Takes over @s, whose id, descs and data are set. */
static int rvm_stats_open(struct rvm_stats_file *s, struct rvm_vm *vm, const char *name)
{
	struct kvm_stats_header *h = &s->head;
	struct file *file;
	int fd;

	BUILD_BUG_ON(offsetof(struct rvm_stat_desc, name) !=
		     offsetof(struct kvm_stats_desc, name));
	h->name_size = RVM_STATS_NAME_LEN;
	h->num_desc = s->descs_size / sizeof(*s->descs);
	h->id_offset = sizeof(*h);
	h->desc_offset = h->id_offset + sizeof(s->id);
	h->data_offset = h->desc_offset + s->descs_size;

	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0) {
		kfree(s);
		return fd;
	}
	file = anon_inode_getfile(name, &rvm_stats_fops, s, O_RDONLY);
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		kfree(s);
		return PTR_ERR(file);
	}
	/* anonymous inodes have no position of their own: pread() must be told */
	file->f_mode |= FMODE_PREAD;
	s->vm = vm;
	rvm_vm_get(vm);
	fd_install(fd, file);
	return fd;
}

int rvm_vm_stats_fd(struct rvm_vm *vm)
{
	struct rvm_stats_file *s = kzalloc(sizeof(*s), GFP_KERNEL_ACCOUNT);

	if (!s)
		return -ENOMEM;
	snprintf(s->id, sizeof(s->id), "ringvm-%d", vm->creator);
	s->descs = rvm_vm_descs;
	s->descs_size = sizeof(rvm_vm_descs);
	s->data = &vm->stats;
	s->data_size = sizeof(vm->stats);
	return rvm_stats_open(s, vm, "ringvm-vm-stats");
}

int rvm_vcpu_stats_fd(struct rvm_vcpu *v)
{
	struct rvm_stats_file *s = kzalloc(sizeof(*s), GFP_KERNEL_ACCOUNT);

	if (!s)
		return -ENOMEM;
	snprintf(s->id, sizeof(s->id), "ringvm-%d/vcpu-%u", v->vm->creator, v->id);
	s->descs = rvm_vcpu_descs;
	s->descs_size = sizeof(rvm_vcpu_descs);
	s->data = &v->stats;
	s->data_size = sizeof(v->stats);
	return rvm_stats_open(s, v->vm, "ringvm-vcpu-stats");
}

/* ---- debugfs ----------------------------------------------------------------- */

/* A file each; debugfs waits for its readers before rvm_vm_destroy() goes on. */
static void rvm_stats_files(struct dentry *dir, const struct rvm_stat_desc *descs,
			    size_t n, void *data)
{
	size_t i;

	for (i = 0; i < n; i++)
		debugfs_create_u64(descs[i].name, 0444, dir, data + descs[i].d.offset);
}

/**
 * rvm_vm_debugfs - a directory for a new VM
 * @vm: the VM, not reachable by others yet
 * @fd: its descriptor, which tells a process's VMs apart
 */
void rvm_vm_debugfs(struct rvm_vm *vm, int fd)
{
	static atomic_t serial;
	struct dentry *there;
	char name[48];

	snprintf(name, sizeof(name), "%d-%d", vm->creator, fd);
	/* A VM whose descriptor was closed lives on in its vCPUs', and the number
	 * has come round again. */
	there = debugfs_lookup(name, rvm_debugfs);
	if (there) {
		dput(there);
		snprintf(name, sizeof(name), "%d-%d-%u", vm->creator, fd,
			 (u32)atomic_inc_return(&serial));
	}
	vm->debugfs = debugfs_create_dir(name, rvm_debugfs);
	rvm_stats_files(vm->debugfs, rvm_vm_descs, ARRAY_SIZE(rvm_vm_descs), &vm->stats);
}

void rvm_vcpu_debugfs(struct rvm_vcpu *v)
{
	char name[16];

	snprintf(name, sizeof(name), "vcpu%u", v->id);
	v->debugfs = debugfs_create_dir(name, v->vm->debugfs);
	rvm_stats_files(v->debugfs, rvm_vcpu_descs, ARRAY_SIZE(rvm_vcpu_descs), &v->stats);
}
