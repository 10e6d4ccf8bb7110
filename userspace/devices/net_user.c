// SPDX-License-Identifier: GPL-2.0
/*
 * The network card on libslirp: TCP and UDP of the guest become sockets of
 * this process, and no rights are needed.
 *
 * The guest's network is 10.0.2.0/24 and fec0::/64, the host 10.0.2.2 and
 * fec0::2 (127.0.0.1 and ::1 there), a name server 10.0.2.3, and an address by
 * DHCP 10.0.2.15 and up: what other virtual machines' users are used to.
 *
 * libslirp runs in the device's thread alone; it needs no locks.
 */
#include <errno.h>
#include <slirp/libslirp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "virtio_net.h"

#define NSEC_PER_MSEC	1000000

/* One of libslirp's timers; it has few, and they live as long as it. */
struct net_timer {
	struct net_timer *next;
	SlirpTimerCb fire;
	void *ctx;
	int64_t at;		/* ms, or -1 */
};

struct net_user {
	struct virtio_net *net;
	Slirp *slirp;
	struct net_timer *timers;
	struct pollset *set;		/* while libslirp adds to it */
	const struct pollset *result;	/* while libslirp asks for it */
	uint64_t guest_errors;
};

static int64_t clock_ns(void *ctx)
{
	struct timespec ts;

	(void)ctx;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 * NSEC_PER_MSEC + ts.tv_nsec;
}

static ssize_t to_guest(const void *frame, size_t len, void *ctx)
{
	struct net_user *u = ctx;

	/* Lost if there is no room: TCP sends again (libslirp.h). */
	net_receive(u->net, frame, len);
	return (ssize_t)len;
}

/* A hostile guest could fill the terminal: only counted. */
static void guest_error(const char *text, void *ctx)
{
	struct net_user *u = ctx;

	(void)text;
	u->guest_errors++;
}

static void *timer_new(SlirpTimerCb fire, void *timer_ctx, void *ctx)
{
	struct net_user *u = ctx;
	struct net_timer *t = calloc(1, sizeof(*t));

	if (!t)
		abort();	/* libslirp cannot be told */
	*t = (struct net_timer){ u->timers, fire, timer_ctx, -1 };
	u->timers = t;
	return t;
}

static void timer_free(void *timer, void *ctx)
{
	struct net_user *u = ctx;
	struct net_timer **at = &u->timers;

	while (*at && *at != timer)
		at = &(*at)->next;
	if (*at)
		*at = (*at)->next;
	free(timer);
}

static void timer_mod(void *timer, int64_t at, void *ctx)
{
	struct net_timer *t = timer;

	(void)ctx;
	t->at = at;
}

static void ignore_fd(int fd, void *ctx)
{
	(void)fd;
	(void)ctx;
}

/* Nobody else is to be woken: this is the only thread. */
static void ignore_notify(void *ctx)
{
	(void)ctx;
}

static const SlirpCb callbacks = {
	.send_packet = to_guest,
	.guest_error = guest_error,
	.clock_get_ns = clock_ns,
	.timer_new = timer_new,
	.timer_free = timer_free,
	.timer_mod = timer_mod,
	.register_poll_fd = ignore_fd,
	.unregister_poll_fd = ignore_fd,
	.notify = ignore_notify,
};

static int add_poll(int fd, int events, void *ctx)
{
	struct net_user *u = ctx;

	return pollset_add(u->set, fd,
			   (short)((events & SLIRP_POLL_IN ? POLLIN : 0) |
				   (events & SLIRP_POLL_OUT ? POLLOUT : 0) |
				   (events & SLIRP_POLL_PRI ? POLLPRI : 0)));
}

static int get_revents(int at, void *ctx)
{
	const struct net_user *u = ctx;
	short r;

	if (at < 0 || (size_t)at >= u->result->count)
		return 0;
	r = u->result->fds[at].revents;
	return (r & POLLIN ? SLIRP_POLL_IN : 0) |
	       (r & POLLOUT ? SLIRP_POLL_OUT : 0) |
	       (r & POLLPRI ? SLIRP_POLL_PRI : 0) |
	       (r & POLLERR ? SLIRP_POLL_ERR : 0) |
	       (r & POLLHUP ? SLIRP_POLL_HUP : 0);
}

static void user_send(void *ctx, const uint8_t *frame, size_t len)
{
	struct net_user *u = ctx;

	slirp_input(u->slirp, frame, (int)len);
}

static void user_fill(void *ctx, struct pollset *set, bool room)
{
	struct net_user *u = ctx;
	uint32_t timeout = INT32_MAX;
	int64_t now = clock_ns(NULL) / NSEC_PER_MSEC;
	struct net_timer *t;

	(void)room;
	u->set = set;
	slirp_pollfds_fill(u->slirp, &timeout, add_poll, u);
	for (t = u->timers; t; t = t->next)
		if (t->at >= 0 && t->at - now < (int64_t)timeout)
			timeout = t->at > now ? (uint32_t)(t->at - now) : 0;
	if (timeout < INT32_MAX)
		set->timeout = (int)timeout;
}

static void user_ready(void *ctx, const struct pollset *set)
{
	struct net_user *u = ctx;
	int64_t now;
	struct net_timer *t;

	u->result = set;
	slirp_pollfds_poll(u->slirp, 0, get_revents, u);
	now = clock_ns(NULL) / NSEC_PER_MSEC;
	for (t = u->timers; t; t = t->next) {
		if (t->at < 0 || t->at > now)
			continue;
		t->at = -1;
		t->fire(t->ctx);
	}
}

static void user_close(void *ctx)
{
	struct net_user *u = ctx;

	slirp_cleanup(u->slirp);
	while (u->timers)
		timer_free(u->timers, u);
	free(u);
}

int net_user_open(struct virtio_net *net, const struct run_opts *o,
		  struct diag *d)
{
	SlirpConfig config = {
		.version = 1,
		.in_enabled = true,
		.in6_enabled = true,
		.vprefix_len = 64,
		.vhostname = o->name,
	};
	struct net_user *u = calloc(1, sizeof(*u));

	if (!u)
		return diag_set(d, "out of memory: free some");
	inet_pton(AF_INET, "10.0.2.0", &config.vnetwork);
	inet_pton(AF_INET, "255.255.255.0", &config.vnetmask);
	inet_pton(AF_INET, "10.0.2.2", &config.vhost);
	inet_pton(AF_INET, "10.0.2.3", &config.vnameserver);
	inet_pton(AF_INET, "10.0.2.15", &config.vdhcp_start);
	inet_pton(AF_INET6, "fec0::", &config.vprefix_addr6);
	inet_pton(AF_INET6, "fec0::2", &config.vhost6);
	inet_pton(AF_INET6, "fec0::3", &config.vnameserver6);
	u->net = net;
	u->slirp = slirp_new(&config, &callbacks, u);
	if (!u->slirp) {
		free(u);
		return diag_set(d, "libslirp cannot be set up: give --net tap=NAME instead");
	}
	net->end = (struct net_backend){
		user_send, user_fill, user_ready, user_close, u
	};
	return 0;
}
