// SPDX-License-Identifier: GPL-2.0
/*
 * The client's address space changes below a guest: unmapped, mapped anew,
 * dropped, protected, moved, forked and copied on write, in large pages.  The
 * guest sees at once what the client sees (KVM_CAP_SYNC_MMU, KVM API 8.1 ff.).
 */
#include <fcntl.h>
#include <pthread.h>
#include <sys/wait.h>

#include "vmtest.h"

#define PG	0x1000ul
#define AT	0x10000000ul
#define SIZE	(16 * PG)

GUEST_ALL(wr, "mov %eax, (%ebx)\nhlt\n");
GUEST_ALL(rd, "mov (%ebx), %eax\nhlt\n");

static struct vcpu *start(enum guest_mode m, void *mem)
{
	struct vcpu *v = guest_start_all(m, rd);

	ASSERT_OK(vm_slot(v->vm, 1, 0, AT, SIZE, mem));
	return v;
}

static int go(struct vcpu *v, const struct guest_code prog[3], uint64_t off, uint32_t val)
{
	guest_load(v->vm, G_CODE, guest_for(prog, v->mode));
	v->regs.rip = G_CODE;
	v->regs.rbx = AT + off;
	v->regs.rax = val;
	set_regs(v);
	return vcpu_run(v);
}

static uint32_t get(struct vcpu *v, uint64_t off)
{
	ASSERT_EQ(go(v, rd, off, 0xdead), 0);
	ASSERT_EQ(v->run->exit_reason, KVM_EXIT_HLT);
	get_regs(v);
	return v->regs.rax;
}

static void put(struct vcpu *v, uint64_t off, uint32_t val)
{
	ASSERT_EQ(go(v, wr, off, val), 0);
	ASSERT_EQ(v->run->exit_reason, KVM_EXIT_HLT);
}

/* Nothing mapped at the slot's address: EFAULT, and fine once there is. */
static void not_mapped_yet(void)
{
	enum guest_mode m;

	for (m = MODE_PROT32; m < NR_MODES; m++) {
		uint32_t *mem = anon(SIZE);
		struct vcpu *v = start(m, mem);

		munmap(mem, SIZE);
		EXPECT_EQ(go(v, rd, 0, 0), -EFAULT);
		EXPECT_EQ(vcpu_run(v), -EFAULT);
		get_regs(v);
		EXPECT_EQ(v->regs.rip, G_CODE);		/* it has not moved on */
		ASSERT(mmap(mem, SIZE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == mem);
		mem[0] = 0x1234;
		run_to_hlt(v);
		EXPECT_EQ(v->regs.rax, 0x1234);
		vm_free_all();
		munmap(mem, SIZE);
	}
}

static void unmapped_and_back(void)
{
	uint32_t *mem = anon(SIZE);
	struct vcpu *v = start(MODE_LONG, mem);

	mem[0] = 7;
	EXPECT_EQ(get(v, 0), 7);
	munmap(mem, PG);
	EXPECT_EQ(go(v, rd, 0, 0), -EFAULT);
	EXPECT_EQ(go(v, wr, 0, 0), -EFAULT);
	EXPECT_EQ(get(v, PG), 0);		/* its neighbour is well */
	ASSERT(mmap(mem, PG, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == mem);
	EXPECT_EQ(get(v, 0), 0);
	put(v, 0, 9);
	EXPECT_EQ(mem[0], 9);
	munmap(mem, SIZE);
}

/* Code fetched from a page that is not there: EFAULT too. */
static void code_unmapped(void)
{
	uint8_t *mem = anon(SIZE);
	struct vcpu *v = start(MODE_LONG, mem);

	v->regs.rip = AT;
	set_regs(v);
	munmap(mem, SIZE);
	EXPECT_EQ(vcpu_run(v), -EFAULT);
	ASSERT(mmap(mem, SIZE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == mem);
	mem[0] = 0xf4;
	run_to_hlt(v);
	munmap(mem, SIZE);
}

static void dropped(void)
{
	enum guest_mode m;
	int i;

	for (m = MODE_PROT32; m < NR_MODES; m++) {
		uint32_t *mem = anon(SIZE);
		struct vcpu *v = start(m, mem);

		for (i = 1; i < 10; i++) {
			put(v, 2 * PG, i);
			EXPECT_EQ(mem[2 * PG / 4], i);
			ASSERT_OK(madvise(mem, SIZE, MADV_DONTNEED));
			EXPECT_EQ(get(v, 2 * PG), 0);
			EXPECT_EQ(mem[2 * PG / 4], 0);
			mem[2 * PG / 4] = i + 100;
			EXPECT_EQ(get(v, 2 * PG), i + 100);
		}
		vm_free_all();
		munmap(mem, SIZE);
	}
}

/* A zero page first, then a write: the read mapping must give way. */
static void zero_page_then_write(void)
{
	uint32_t *mem = anon(SIZE);
	struct vcpu *v = start(MODE_LONG, mem);

	EXPECT_EQ(get(v, 0), 0);
	mem[0] = 5;
	EXPECT_EQ(get(v, 0), 5);
	EXPECT_EQ(get(v, PG), 0);
	put(v, PG, 6);
	EXPECT_EQ(mem[PG / 4], 6);
	EXPECT_EQ(get(v, PG), 6);
	munmap(mem, SIZE);
}

static void protected(void)
{
	uint32_t *mem = anon(SIZE);
	struct vcpu *v = start(MODE_LONG, mem);

	put(v, 0, 1);
	ASSERT_OK(mprotect(mem, SIZE, PROT_READ));
	EXPECT_EQ(get(v, 0), 1);
	/* No right to write, no way out of it but the client's. */
	EXPECT_EQ(go(v, wr, 0, 2), -EFAULT);
	EXPECT_EQ(mem[0], 1);
	ASSERT_OK(mprotect(mem, SIZE, PROT_READ | PROT_WRITE));
	run_to_hlt(v);
	EXPECT_EQ(mem[0], 2);
	ASSERT_OK(mprotect(mem, SIZE, PROT_NONE));
	EXPECT_EQ(go(v, rd, 0, 0), -EFAULT);
	ASSERT_OK(mprotect(mem, SIZE, PROT_READ | PROT_WRITE));
	run_to_hlt(v);
	EXPECT_EQ(v->regs.rax, 2);
	munmap(mem, SIZE);
}

static void moved(void)
{
	uint32_t *mem = anon(SIZE), *to = anon(SIZE);
	struct vcpu *v = start(MODE_LONG, mem);

	put(v, 0, 0x11);
	ASSERT(mremap(mem, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
	EXPECT_EQ(to[0], 0x11);
	EXPECT_EQ(go(v, rd, 0, 0), -EFAULT);
	ASSERT(mmap(mem, SIZE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == mem);
	run_to_hlt(v);
	EXPECT_EQ(v->regs.rax, 0);
	put(v, 0, 0x22);
	EXPECT_EQ(to[0], 0x11);
	EXPECT_EQ(mem[0], 0x22);
	/* And another page in its place without a gap. */
	ASSERT(mremap(to, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, mem) == mem);
	EXPECT_EQ(get(v, 0), 0x11);
	munmap(mem, SIZE);
}

/* After fork() both share, and each write parts them: the guest stays the parent's. */
static void copied_on_write(void)
{
	enum guest_mode m;

	for (m = MODE_PROT32; m < NR_MODES; m++) {
		uint32_t *mem = anon(SIZE);
		struct vcpu *v = start(m, mem);
		int up[2], down[2], st;
		pid_t pid;
		char c;

		put(v, 0, 1);
		put(v, PG, 1);
		ASSERT_OK(pipe(up));
		ASSERT_OK(pipe(down));
		pid = fork();
		ASSERT(pid >= 0);
		if (!pid) {
			/* The guest has written by now; this side must not show it. */
			if (read(down[0], &c, 1) != 1 || mem[0] != 1)
				_exit(1);
			mem[PG / 4] = 55;
			if (write(up[1], "x", 1) != 1 || read(down[0], &c, 1) != 1)
				_exit(2);
			_exit(mem[PG / 4] == 55 ? 0 : 3);
		}
		put(v, 0, 2);
		EXPECT_EQ(mem[0], 2);
		ASSERT_EQ(write(down[1], "x", 1), 1);
		ASSERT_EQ(read(up[0], &c, 1), 1);
		EXPECT_EQ(get(v, PG), 1);
		put(v, PG, 3);
		EXPECT_EQ(mem[PG / 4], 3);
		ASSERT_EQ(write(down[1], "x", 1), 1);
		ASSERT_EQ(waitpid(pid, &st, 0), pid);
		EXPECT_EQ(st, 0);
		close(up[0]);
		close(up[1]);
		close(down[0]);
		close(down[1]);
		vm_free_all();
		munmap(mem, SIZE);
	}
}

/* Large pages: filled, split by madvise, joined or not; contents stay right. */
GUEST_ALL(sum, "mov $1024, %ecx\nxor %eax, %eax\n1: add (%ebx), %eax\nadd $0x1000, %ebx\n"
	  "dec %ecx\njnz 1b\nhlt\n");

static void large_pages(void)
{
	size_t size = 4ul << 20, huge = 2ul << 20;
	uint8_t *raw = anon(size + huge);
	uint8_t *mem = (uint8_t *)(((uintptr_t)raw + huge - 1) & -huge);
	enum guest_mode m;
	int i;

	madvise(mem, size, MADV_HUGEPAGE);
	for (m = MODE_PROT32; m < NR_MODES; m++) {
		struct vcpu *v = guest_start_all(m, sum);
		uint32_t want = 0;

		ASSERT_OK(madvise(mem, size, MADV_DONTNEED));
		for (i = 0; i < 1024; i++) {
			*(uint32_t *)(mem + i * PG) = i * 3 + 1;
			want += i * 3 + 1;
		}
		ASSERT_OK(vm_slot(v->vm, 1, 0, AT, size, mem));
		EXPECT_EQ(go(v, sum, 0, 0), 0);
		get_regs(v);
		EXPECT_EQ((uint32_t)v->regs.rax, want);
		/* A hole in the middle of a large page. */
		ASSERT_OK(madvise(mem + 100 * PG, 10 * PG, MADV_DONTNEED));
		for (i = 100; i < 110; i++)
			want -= i * 3 + 1;
		EXPECT_EQ(go(v, sum, 0, 0), 0);
		get_regs(v);
		EXPECT_EQ((uint32_t)v->regs.rax, want);
		/* Protection split, then the same again. */
		ASSERT_OK(mprotect(mem + 600 * PG, PG, PROT_READ));
		EXPECT_EQ(go(v, wr, 600 * PG, 1), -EFAULT);
		ASSERT_OK(mprotect(mem + 600 * PG, PG, PROT_READ | PROT_WRITE));
		EXPECT_EQ(go(v, sum, 0, 0), 0);
		get_regs(v);
		EXPECT_EQ((uint32_t)v->regs.rax, want);
		vm_free_all();
	}
	munmap(raw, size + huge);
}

/* A slot that is not aligned as its memory is: no large mapping fits, all is well. */
static void misaligned_large(void)
{
	size_t size = 4ul << 20, huge = 2ul << 20;
	uint8_t *raw = anon(size + 2 * huge);
	uint8_t *mem = (uint8_t *)(((uintptr_t)raw + huge - 1) & -huge) + 3 * PG;
	struct vcpu *v = guest_start_all(MODE_LONG, sum);
	uint32_t want = 0;
	int i;

	madvise(raw, size + 2 * huge, MADV_HUGEPAGE);
	for (i = 0; i < 1024; i++) {
		*(uint32_t *)(mem + i * PG) = i * 5 + 1;
		want += i * 5 + 1;
	}
	ASSERT_OK(vm_slot(v->vm, 1, 0, AT, size, mem));
	EXPECT_EQ(go(v, sum, 0, 0), 0);
	get_regs(v);
	EXPECT_EQ((uint32_t)v->regs.rax, want);
	/* Nor does a mapping reach beyond a slot's end. */
	EXPECT_EQ(go(v, rd, size, 0), 0);
	EXPECT_EQ(v->run->exit_reason, KVM_EXIT_MMIO);
	munmap(raw, size + 2 * huge);
}

/*
 * A guest that counts in memory without end while the client drops, protects
 * and moves the page.  Two words are written alternately: they never part by
 * more than one step, except through a drop, which zeroes both.
 */
GUEST_ALL(count, "1: incl %esi\nmov %esi, (%ebx)\nmov %esi, 0x2000(%ebx)\ncmpb $0, (%edx)\nje 1b\n"
	  "mov %esi, (%ebx)\nmov %esi, 0x2000(%ebx)\nhlt\n");

struct live {
	struct vcpu *v;
	volatile int err, done;
};

static void *run_live(void *arg)
{
	struct live *l = arg;
	int e;

	/* EFAULT is what a page with no rights gives; the client puts it right. */
	do {
		e = vcpu_run(l->v);
	} while (e == -EFAULT || e == -EINTR);
	l->err = e ? -e : l->v->run->exit_reason == KVM_EXIT_HLT ? 0 : 1000;
	l->done = 1;
	return NULL;
}

struct watch {
	volatile uint32_t *word;
	uint32_t was;
	struct live *l;
};

static bool moves(void *arg)
{
	struct watch *w = arg;

	return *w->word != w->was || w->l->done;
}

static void under_running_guest(void)
{
	enum guest_mode m;

	for (m = MODE_PROT32; m < NR_MODES; m++) {
		uint32_t *mem = anon(SIZE), *spare = anon(SIZE);
		struct vcpu *v = start(m, mem);
		struct live l = { .v = v };
		pthread_t t;
		int i;

		guest_load(v->vm, G_CODE, guest_for(count, m));
		v->regs.rbx = AT;
		v->regs.rdx = G_DATA;
		v->regs.rip = G_CODE;
		set_regs(v);
		ASSERT_EQ(pthread_create(&t, NULL, run_live, &l), 0);
		for (i = 0; i < 40 && !l.done; i++) {
			struct watch w = { mem, mem[0], &l };

			switch (i % 4) {
			case 0:
				madvise(mem, PG, MADV_DONTNEED);
				break;
			case 1:
				mprotect(mem, SIZE, PROT_READ);
				mprotect(mem, SIZE, PROT_READ | PROT_WRITE);
				break;
			case 2:
				mmap(mem, SIZE, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
				break;
			case 3:
				mremap(mem, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, spare);
				mremap(spare, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, mem);
				break;
			}
			w.was = mem[0];
			/* The guest writes to the page that is there now. */
			if (!wait_for(moves, &w, 60000)) {
				KTAP_FAIL_("%s: round %d: the guest's writes do not arrive",
					   mode_name[m], i);
				break;
			}
		}
		g8(v->vm, G_DATA) = 1;
		pthread_join(t, NULL);
		EXPECT_EQ(l.err, 0);
		get_regs(v);
		EXPECT_EQ(mem[0], (uint32_t)v->regs.rsi);
		EXPECT_EQ(mem[0x2000 / 4], (uint32_t)v->regs.rsi);
		vm_free_all();
		munmap(mem, SIZE);
	}
}

/* Guest memory is the client's: shared with a file, both see one thing. */
static void shared_memory(void)
{
	uint32_t *mem = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct vcpu *v;
	pid_t pid;
	int st;

	ASSERT(mem != MAP_FAILED);
	v = start(MODE_LONG, mem);
	put(v, 0, 0x31);
	pid = fork();
	ASSERT(pid >= 0);
	if (!pid) {
		int ok = mem[0] == 0x31;

		mem[1] = 0x32;
		_exit(!ok);
	}
	ASSERT_EQ(waitpid(pid, &st, 0), pid);
	EXPECT_EQ(st, 0);
	EXPECT_EQ(get(v, 4), 0x32);
	munmap(mem, SIZE);
}

/* A hole punched into the file below: the guest sees the zeroes, and writes anew. */
static void punched_hole(void)
{
	int fd = memfd_create("guest", MFD_CLOEXEC), i;
	uint32_t *mem;
	struct vcpu *v;

	ASSERT(fd >= 0);
	ASSERT_OK(ftruncate(fd, SIZE));
	mem = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT(mem != MAP_FAILED);
	v = start(MODE_LONG, mem);
	for (i = 1; i < 5; i++) {
		put(v, PG, i);
		EXPECT_EQ(mem[PG / 4], i);
		ASSERT_OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, PG, PG));
		EXPECT_EQ(get(v, PG), 0);
	}
	put(v, PG, 77);
	/* The file shrinks: its pages are no more, a touch is the client's SIGBUS. */
	ASSERT_OK(ftruncate(fd, PG));
	EXPECT_EQ(go(v, rd, PG, 0), -EFAULT);
	EXPECT_EQ(get(v, 0), 0);
	ASSERT_OK(ftruncate(fd, SIZE));
	EXPECT_EQ(get(v, PG), 0);
	munmap(mem, SIZE);
	close(fd);
}

/* Paged out and in again, as under memory pressure: contents stay. */
static void paged_out(void)
{
	uint32_t *mem = anon(SIZE);
	struct vcpu *v = start(MODE_LONG, mem);
	int i;

#ifdef MADV_PAGEOUT
	for (i = 1; i < 10; i++) {
		put(v, 3 * PG, i * 11);
		madvise(mem, SIZE, MADV_PAGEOUT);
		EXPECT_EQ(get(v, 3 * PG), i * 11);
		madvise(mem, SIZE, MADV_COLD);
		put(v, 3 * PG, i);
		EXPECT_EQ(mem[3 * PG / 4], i);
	}
#endif
	munmap(mem, SIZE);
}

int main(void)
{
	static const struct ktap_case cases[] = {
		{ "not_mapped_yet", not_mapped_yet }, { "unmapped_and_back", unmapped_and_back },
		{ "code_unmapped", code_unmapped }, { "dropped", dropped },
		{ "zero_page_then_write", zero_page_then_write }, { "protected", protected },
		{ "moved", moved }, { "copied_on_write", copied_on_write },
		{ "large_pages", large_pages }, { "misaligned_large", misaligned_large },
		{ "under_running_guest", under_running_guest },
		{ "shared_memory", shared_memory }, { "punched_hole", punched_hole },
		{ "paged_out", paged_out },
	};

	vmtest_init();
	return ktap_run(cases, KTAP_COUNT(cases));
}
