# SPDX-License-Identifier: GPL-2.0
"""The trace images (selftests/trace) in an emulated host."""

import subprocess
import sys

from . import build, ktap
from .ktap import Result
from .paths import BUILD, TOP

FOLDER = TOP / "selftests/trace"
sys.path.insert(0, str(FOLDER))
from tracer import compare  # noqa: E402 pylint: disable=wrong-import-position

OUT = BUILD / "trace"
EXPECTED = OUT / "expected.json"


def files():
    """What a run takes along: the runner and the images, built."""
    build.make("-C", str(FOLDER), "all")
    return {f"lab/bin/{path.name}": path
            for path in (OUT / "trace_run", *sorted(OUT.glob("trace*.bin")))}


def script(executor, device):
    """Shell lines that run every image on @device, as @executor."""
    # Now: while the host runs nobody would listen to it.
    _expected()
    vendor = "intel" if compare.vendor_of(executor) == "intel" else ""
    left_out = sum(1 << place for place in compare.LEFT_OUT.get(executor, ()))
    counted = compare.COUNTED.get(executor, {})
    return (f"export RINGVM_DEV={device}\n"
            "for image in /lab/bin/trace*.bin; do\n"
            f"case $image in */trace32.bin) export TRACE_LEAVE_OUT={left_out} "
            f"TRACE_COUNTED={counted.get('trace32', '')} ;; "
            f"*) unset TRACE_LEAVE_OUT; export TRACE_COUNTED={counted.get('trace64', '')} ;; esac\n"
            f"trace_run $image {vendor} || bad=1\ndone\n"
            "exit $bad")


def _expected():
    """What the machines of this computer settled, or None."""
    newest = max(path.stat().st_mtime for path in (*OUT.glob("trace*.img"), compare.TABLE))
    if not EXPECTED.exists() or EXPECTED.stat().st_mtime < newest:
        subprocess.run([str(FOLDER / "run")], check=False, stdout=subprocess.DEVNULL)
    return compare.load(EXPECTED) if EXPECTED.exists() else None


def judge(name, executor, job):
    """Results of an executor's job; its trace is left beside the images."""
    lines = [line.rstrip("\r") for line in job.output]
    runs = ktap.parse_all(name, [line for line in lines if not line.startswith("trace of ")],
                          job.status)
    if runs and all(result.state == "skipped" for result in runs):
        return runs
    table = compare.Table()
    trace, wrong = compare.parse(lines)
    (OUT / f"{executor}.trace").write_text(
        "".join(f"{case}: {result}\n" for case, result in trace.items()), encoding="utf-8")
    expected = _expected()
    if expected is None:
        return runs + [Result("failed", f"{name}: nothing to compare with",
                              f"{FOLDER / 'run'} did not come to its end on every machine")]
    problems, explained = compare.check(table, executor, compare.vendor_of(executor),
                                        trace, expected)
    problems = wrong + problems + table.stale(executor,
                                              trace if executor in compare.LEFT_OUT else None)
    summary = f"{len(trace)} cases, {explained} deviations explained, {len(problems)} not"
    failed = [r for r in runs if r.state == "failed"]
    if problems:
        return failed + [Result("failed", f"{name}: {summary}", line)
                         for line in compare.shorten(problems)]
    return failed or [Result("ok", f"{name}: {summary}")]
