# SPDX-License-Identifier: GPL-2.0
"""make check: every test, host-side ones first, then those in emulated hosts."""

import concurrent.futures
import fnmatch
import os
import subprocess
import time

from . import boot, build, dkms, guest, kernels, ktap, table, tools
from .ktap import Result
from .paths import TOP
from .say import LabError, say
from .session import DIED, FAIL, NOT_RUN, PASS, clean

# Tests that need no emulated host: name, folder, what to build before "make check".
HOST_SIDE = (("host.userspace", "userspace", "tests"),
             ("host.insn", "selftests/insn", "all"),
             ("host.trace", "selftests/trace", "all"),
             ("host.lab", "selftests/lab", None))
END_OF_CONSOLE = 40
NO_VERDICT = "no verdict: the emulator died twice"


def _host_side(report, name, folder):
    """Run one host-side test; its KTAP lines count, if it prints any."""
    lines = []
    started = time.monotonic()
    env = dict(build.environment(), RINGVM_TEST_KERNEL=str(kernels.guest_kernel("686")))
    with subprocess.Popen(["make", "-s", "--no-print-directory", "-C", folder, "check"],
                          cwd=TOP, env=env, text=True, errors="replace", stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        for line in process.stdout:
            lines.append(line.rstrip("\n"))
            report.nested(lines[-1])
        status = process.wait()
    word = f"exit {status}" if status >= 0 else f"signal {-status}"
    report.remark(f"{name}: {time.monotonic() - started:.1f} s")
    report.add(name, ktap.parse_all(name, lines, word) or [Result("ok", name)])


class Batch:
    """Runs the tests of one boot; boots again where an end came too soon."""

    def __init__(self, report, tests, options, label):
        self.report = report
        self.tests = tests
        self.options = options
        self.label = label
        self.deaths = 0
        self.no_verdict = 0
        self._retried = set()
        self._boots = 0
        self._host = []		# results for what was wrong with the host itself

    def run(self):
        """Run until every test has its result, and the host itself has one."""
        todo, complete = self.tests, False
        while todo or not complete:
            todo, complete = self._boot(todo)
        name = f"{self.label}.host"
        self.report.add(name, self._host or [Result("ok", name)])

    def _boot(self, tests):
        """One boot.  Returns the tests left over, and if the host itself is judged."""
        self._boots += 1
        files = {}
        for test in tests:
            files.update(test.files)
        self.report.remark(f"{self.label}: {self.options.describe()}")
        jobs = [t.job() for t in tests]
        by_name = {test.name: test for test in tests}

        def ended(job):
            if job.name in by_name:
                self.report.add(job.name, self._verdict(by_name[job.name], job))

        session = boot.run(self.options, jobs, files, watch=self._show, ended=ended,
                           log=f"check-{self.label}-{self._boots}",
                           module=self.options.modules == "none")
        for text in session.reports:
            self.report.remark(f"{self.label}: {text}")
        load, unload = session.jobs[0], session.jobs[-1]
        self._blame_host(session)
        if load.outcome == DIED:
            if self._once_more(load, session):
                return tests, False
            self._without_verdict(tests)
            return [], True
        if load.outcome != PASS:
            for test in tests:
                self.report.add(test.name, [Result("failed", test.name, "not run")])
            return [], True
        if session.victim in jobs:
            at = jobs.index(session.victim)
            if session.victim.outcome == DIED:
                if self._once_more(session.victim, session):
                    return tests[at:], False
                self._without_verdict([tests[at]])
            else:
                for line in session.console[-END_OF_CONSOLE:]:
                    self.report.nested(line)
                self.report.add(tests[at].name, self._verdict(tests[at], session.victim))
            return tests[at + 1:], True
        if unload.outcome == DIED:
            if self._once_more(unload, session):
                return [], False
            self.no_verdict += 1
            self._host.append(Result("skipped", f"{self.label}.host", NO_VERDICT))
        return [], True

    def _once_more(self, job, session):
        """The emulator died under a job: True the first time."""
        self.deaths += 1
        self.report.remark(f"the emulator died during {job.name}: {session.trouble[1]}")
        first = job.name not in self._retried
        self._retried.add(job.name)
        return first

    def _without_verdict(self, tests):
        for test in tests:
            self.no_verdict += 1
            self.report.add(test.name, [Result("skipped", test.name, NO_VERDICT)])

    def _blame_host(self, session):
        """What went wrong outside the tests: loading, unloading, the kernel's log."""
        name = f"{self.label}.host"
        for job in (session.jobs[0], session.jobs[-1]):
            if job.outcome not in (PASS, NOT_RUN, DIED):
                self._host.append(Result("failed", name, f"{job.name}: {job.outcome} "
                                         f"({job.status})"))
                for line in (job.output + session.console)[-END_OF_CONSOLE:]:
                    self.report.nested(line)
            for line in job.dirty:
                self._host.append(Result("failed", name, f"{job.name}: {line}"))
        for line in session.dirty:
            self._host.append(Result("failed", name, line))

    def _show(self, job, line):
        """Programs' output is shown whole; of a guest's, what its init says."""
        test = next((t for t in self.tests if t.name == job.name), None)
        if not test or test.kind not in ("launch", "client", "trace") or line.startswith(guest.MARK):
            self.report.nested(line)

    def _verdict(self, test, job):
        """Results of a job that came to an end, be it a bad one."""
        self.report.remark(f"{test.name}: {job.seconds:.1f} s")
        if job.outcome in (PASS, FAIL):
            results = test.judge(job)
        else:
            results = [Result("failed", test.name, f"{job.outcome}: {job.status}")]
        if test.kind != "program" and any(r.state == "failed" for r in results):
            for line in job.output[-END_OF_CONSOLE:]:
                self.report.nested(clean(line))
        return results + [Result("failed", test.name, f"host's kernel log: {line}")
                          for line in job.dirty]


def _run_batch(report, numbered, hosts):
    """Run a numbered group of tests on its host."""
    number, group = numbered
    batch = Batch(report, group, hosts[group[0].host].options, f"{group[0].host}#{number}")
    batch.run()
    return batch


class Aside:
    """Runs the long groups one after the other beside everything else.

    What they say is held back until finish(), which also helps: with the rest
    done, whoever is free takes the next group.
    """

    def __init__(self, groups, hosts):
        self._hosts = hosts
        self._groups = groups
        self._pool = concurrent.futures.ThreadPoolExecutor(max_workers=1)
        self._futures = []

    def __enter__(self):
        if (os.cpu_count() or 1) > 1 and self._groups:
            tools.image()		# what both sides would build at the same time
            self._futures = [self._pool.submit(self._held, g) for g in self._groups]
        return self

    def __exit__(self, *why):
        for future in self._futures:
            future.cancel()
        self._pool.shutdown()

    def _held(self, numbered):
        held = ktap.Held()
        return held, _run_batch(held, numbered, self._hosts)

    def finish(self, report):
        """Batches of all groups, reported in their order."""
        if not self._futures:
            return [_run_batch(report, g, self._hosts) for g in self._groups]
        report.remark("the long boots: " + ", ".join(t.name for _, g in self._groups for t in g))
        done = {}
        for at in reversed(range(len(self._groups))):
            if self._futures[at].cancel():
                done[at] = self._held(self._groups[at])
        batches = []
        for at, future in enumerate(self._futures):
            held, batch = done[at] if at in done else future.result()
            held.release(report)
            batches.append(batch)
        return batches


def _wanted(name, patterns):
    return not patterns or any(fnmatch.fnmatch(name, p) for p in patterns)


def check(patterns, long=False):
    """Run all tests, or those whose names match: the long ones, or all the others.
    Returns the exit status."""
    started = time.monotonic()
    host_side = [entry for entry in HOST_SIDE if not long and _wanted(entry[0], patterns)]
    say("building launcher, selftests" + (" and host-side tests" if not long else ""))
    build.launcher()
    for _, folder, target in HOST_SIDE:
        if target and not long:
            build.make("-C", folder, target)
    tests, hosts = table.load(build.selftests())
    tests = [t for t in tests if t.long == long and _wanted(t.name, patterns)]
    if any(hosts[t.host].options.modules != "kvm-amd" for t in tests):
        build.module()
    groups = list(enumerate(table.batches(tests, hosts), 1))
    with_dkms = not long and _wanted("dkms", patterns)
    if not host_side and not tests and not with_dkms:
        raise LabError(f"no test matches {' '.join(patterns)}")
    report = ktap.Report(len(host_side) + len(tests) + len(groups) + with_dkms)
    with Aside([g for g in groups if hosts[g[1][0].host].aside], hosts) as aside:
        for name, folder, _ in host_side:
            _host_side(report, name, folder)
        if with_dkms:
            report.add("dkms", dkms.results(report.nested))
        batches = [_run_batch(report, group, hosts) for group in groups
                   if not hosts[group[1][0].host].aside]
        batches += aside.finish(report)
    deaths = sum(b.deaths for b in batches)
    no_verdict = sum(b.no_verdict for b in batches)
    report.remark(f"took {time.monotonic() - started:.0f} s; the emulator died {deaths} times, "
                  f"{no_verdict} tests without a verdict")
    report.close()
    if report.counts["failed"]:
        return 1
    return 3 if no_verdict else 0
