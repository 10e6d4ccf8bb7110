// SPDX-License-Identifier: GPL-2.0
/*
 * irqfd: an eventfd that raises a GSI when it is signalled (KVM API §4.75), without
 * anybody of the VM's process being on the way.
 *
 * The eventfd calls irqfd_wakeup() with its own lock held and interrupts off; the
 * interrupt is delivered right there.  With a second eventfd it stands for a
 * level-triggered line: it is held up until the guest's EOI, which lowers it and is
 * passed on to that second eventfd.
 *
 * One that is given up is taken out of the list first (irqfds_lock), which only one
 * side can do, and freed by a work item, for the eventfd's lock may be held by who
 * gives it up.
 */
#include "irq.h"

#include <linux/eventfd.h>
#include <linux/file.h>
#include <linux/poll.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>

/**
 * struct rvm_irqfd - one of them
 * @list: in rvm_irq.irqfds while @active; irqfds_lock, readers use RCU
 * @event: the eventfd; held
 * @resample: the one that hears of EOIs, held; or NULL
 */
struct rvm_irqfd {
	struct list_head list;
	bool active;
	struct rvm_irq *irq;
	u32 gsi;
	struct eventfd_ctx *event, *resample;
	wait_queue_entry_t wait;
	poll_table poll;
	struct work_struct shutdown;
};

static struct workqueue_struct *irqfd_wq;

static void irqfd_raise(struct rvm_irqfd *f)
{
	if (f->resample) {
		rvm_set_gsi(f->irq, f->gsi, RVM_IRQ_RESAMPLE, true);
		return;
	}
	rvm_set_gsi(f->irq, f->gsi, RVM_IRQ_CLIENT, true);
	rvm_set_gsi(f->irq, f->gsi, RVM_IRQ_CLIENT, false);
}

/* irqfds_lock held. */
static void irqfd_give_up(struct rvm_irqfd *f)
{
	if (!f->active)
		return;
	f->active = false;
	list_del_rcu(&f->list);
	if (f->resample)
		f->irq->nr_resample--;
	queue_work(irqfd_wq, &f->shutdown);
}

static bool irqfd_shares(struct rvm_irq *irq, u32 gsi)
{
	struct rvm_irqfd *f;
	bool found = false;

	rcu_read_lock();
	list_for_each_entry_rcu(f, &irq->irqfds, list)
		found |= f->resample && f->gsi == gsi;
	rcu_read_unlock();
	return found;
}

static void irqfd_shutdown(struct work_struct *work)
{
	struct rvm_irqfd *f = container_of(work, struct rvm_irqfd, shutdown);
	u64 count;

	/* None is in irqfd_wakeup() after this, and none in a list of them after that. */
	eventfd_ctx_remove_wait_queue(f->event, &f->wait, &count);
	synchronize_rcu();
	if (f->resample) {
		/* Nobody else would lower what it had raised. */
		if (!irqfd_shares(f->irq, f->gsi))
			rvm_set_gsi(f->irq, f->gsi, RVM_IRQ_RESAMPLE, false);
		eventfd_ctx_put(f->resample);
	}
	eventfd_ctx_put(f->event);
	kfree(f);
}

static int irqfd_wakeup(wait_queue_entry_t *wait, unsigned int mode, int sync, void *key)
{
	struct rvm_irqfd *f = container_of(wait, struct rvm_irqfd, wait);
	__poll_t flags = key_to_poll(key);
	unsigned long irqflags;
	u64 count;

	if (flags & EPOLLIN) {
		eventfd_ctx_do_read(f->event, &count);
		irqfd_raise(f);
	}
	if (flags & EPOLLHUP) {
		/* The eventfd is being closed. */
		spin_lock_irqsave(&f->irq->irqfds_lock, irqflags);
		irqfd_give_up(f);
		spin_unlock_irqrestore(&f->irq->irqfds_lock, irqflags);
	}
	return 0;
}

static void irqfd_queue(struct file *file, wait_queue_head_t *wqh, poll_table *poll)
{
	struct rvm_irqfd *f = container_of(poll, struct rvm_irqfd, poll);

	add_wait_queue_priority(wqh, &f->wait);
}

/* @gsi was served.  No lock held. */
void rvm_irqfd_acked(struct rvm_irq *irq, u32 gsi)
{
	struct rvm_irqfd *f;
	bool lowered = false;

	if (!READ_ONCE(irq->nr_resample))
		return;
	rcu_read_lock();
	list_for_each_entry_rcu(f, &irq->irqfds, list) {
		if (!f->resample || f->gsi != gsi)
			continue;
		/* First the line, then those who may raise it again. */
		if (!lowered)
			rvm_set_gsi(irq, gsi, RVM_IRQ_RESAMPLE, false);
		lowered = true;
		rvm_eventfd_signal(f->resample);
	}
	rcu_read_unlock();
}

/* ---- ioctl -------------------------------------------------------------------- */

static struct eventfd_ctx *irqfd_resample(const struct kvm_irqfd *a)
{
	return a->flags & KVM_IRQFD_FLAG_RESAMPLE ? eventfd_ctx_fdget(a->resamplefd) : NULL;
}

/* Into the list, if no other has the same eventfd.  rvm_irq.mutex held. */
static bool irqfd_list(struct rvm_irqfd *f)
{
	struct rvm_irq *irq = f->irq;
	struct rvm_irqfd *other;
	bool ok = true;

	spin_lock_irq(&irq->irqfds_lock);
	list_for_each_entry(other, &irq->irqfds, list)
		ok &= other->event != f->event;
	if (ok) {
		f->active = true;
		irq->nr_resample += !!f->resample;
		list_add_tail_rcu(&f->list, &irq->irqfds);
	}
	spin_unlock_irq(&irq->irqfds_lock);
	return ok;
}

static long irqfd_assign(struct rvm_irq *irq, const struct kvm_irqfd *a)
{
	struct eventfd_ctx *resample;
	struct rvm_irqfd *f;
	struct file *file;
	long err;

	f = kzalloc(sizeof(*f), GFP_KERNEL_ACCOUNT);
	if (!f)
		return -ENOMEM;
	f->irq = irq;
	f->gsi = a->gsi;
	INIT_WORK(&f->shutdown, irqfd_shutdown);
	init_waitqueue_func_entry(&f->wait, irqfd_wakeup);
	init_poll_funcptr(&f->poll, irqfd_queue);

	/* Held until all is done: closing it would call us. */
	file = fget(a->fd);
	err = -EBADF;
	if (!file)
		goto out_free;
	f->event = eventfd_ctx_fileget(file);
	if (IS_ERR(f->event)) {
		err = PTR_ERR(f->event);
		goto out_file;
	}
	resample = irqfd_resample(a);
	if (IS_ERR(resample)) {
		err = PTR_ERR(resample);
		goto out_event;
	}
	f->resample = resample;

	mutex_lock(&irq->mutex);
	if (!irqfd_list(f)) {
		mutex_unlock(&irq->mutex);
		err = -EBUSY;
		goto out_resample;
	}
	/* Signalled before?  That counts. */
	if (vfs_poll(file, &f->poll) & EPOLLIN)
		irqfd_raise(f);
	mutex_unlock(&irq->mutex);
	fput(file);
	return 0;

out_resample:
	if (f->resample)
		eventfd_ctx_put(f->resample);
out_event:
	eventfd_ctx_put(f->event);
out_file:
	fput(file);
out_free:
	kfree(f);
	return err;
}

/* Gone when it returns: no signal raises the GSI after that. */
static long irqfd_deassign(struct rvm_irq *irq, const struct kvm_irqfd *a)
{
	struct eventfd_ctx *event = eventfd_ctx_fdget(a->fd);
	struct rvm_irqfd *f, *next;

	if (IS_ERR(event))
		return PTR_ERR(event);
	mutex_lock(&irq->mutex);
	spin_lock_irq(&irq->irqfds_lock);
	list_for_each_entry_safe(f, next, &irq->irqfds, list)
		if (f->event == event && f->gsi == a->gsi)
			irqfd_give_up(f);
	spin_unlock_irq(&irq->irqfds_lock);
	mutex_unlock(&irq->mutex);
	eventfd_ctx_put(event);
	flush_workqueue(irqfd_wq);
	return 0;
}

/**
 * rvm_irqfd - KVM_IRQFD (KVM API §4.75)
 * @vm: the VM
 * @a: copied in
 *
 * -EINVAL: no local APICs here, resampling without an IOAPIC here, GSI, flags, not an
 * eventfd; -EBADF; -EBUSY: it has that eventfd already; -ENOMEM.
 */
long rvm_irqfd(struct rvm_vm *vm, const struct kvm_irqfd *a)
{
	enum rvm_chips chips = rvm_chips(vm);

	if (a->flags & ~(u32)(KVM_IRQFD_FLAG_DEASSIGN | KVM_IRQFD_FLAG_RESAMPLE) ||
	    a->gsi >= RVM_MAX_IRQ_ROUTES)
		return -EINVAL;
	if (a->flags & KVM_IRQFD_FLAG_DEASSIGN)
		return irqfd_deassign(vm->irq, a);
	if (chips == RVM_CHIPS_NONE ||
	    ((a->flags & KVM_IRQFD_FLAG_RESAMPLE) && chips != RVM_CHIPS_ALL))
		return -EINVAL;
	return irqfd_assign(vm->irq, a);
}

/* ---- life ----------------------------------------------------------------------- */

void rvm_irqfds_release(struct rvm_irq *irq)
{
	struct rvm_irqfd *f, *next;

	spin_lock_irq(&irq->irqfds_lock);
	list_for_each_entry_safe(f, next, &irq->irqfds, list)
		irqfd_give_up(f);
	spin_unlock_irq(&irq->irqfds_lock);
	/* Those too that their eventfds gave up. */
	flush_workqueue(irqfd_wq);
}

int rvm_irqfd_setup(void)
{
	irqfd_wq = alloc_workqueue("ringvm-irqfd", 0, 0);
	return irqfd_wq ? 0 : -ENOMEM;
}

void rvm_irqfd_teardown(void)
{
	destroy_workqueue(irqfd_wq);
}
