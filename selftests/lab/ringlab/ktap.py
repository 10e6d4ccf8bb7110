# SPDX-License-Identifier: GPL-2.0
"""KTAP version 1: reading a test program's results, writing our own."""

import dataclasses
import re

RESULT = re.compile(r"^(ok|not ok) (\d+)(?:\s+(?:- )?([^#]*?))?\s*(?:#\s*(.*))?$")
PLAN = re.compile(r"^1\.\.(\d+)\s*(?:#\s*SKIP\b\s*(.*))?$")
KSFT_SKIP = 4


@dataclasses.dataclass
class Result:
    """One counted result; @state is ok, failed or skipped."""

    state: str
    name: str
    why: str = ""


def parse(name, lines, status):
    """The results in what a program printed; its exit status is judged too.

    Only unindented lines count.  A program that died before its plan was
    complete, printed no plan, or whose exit status contradicts its lines gets
    a failed result more.
    """
    results = []
    plan = None
    wrong = []
    for line in lines:
        if plan is None and (match := PLAN.match(line)):
            plan = int(match[1])
            if plan == 0:
                return [Result("skipped", name, match[2] or "")]
        elif match := RESULT.match(line):
            word, number, what, note = match.groups()
            note = note or ""
            if int(number) != len(results) + 1:
                wrong.append(f"result {number} where {len(results) + 1} was due")
            if word == "not ok":
                state = "failed"
            else:
                state = "skipped" if note.upper().startswith("SKIP") else "ok"
            if state == "skipped":
                note = note[len("SKIP"):].strip()
            results.append(Result(state, f"{name}: {what or number}", note))
    if plan is None:
        wrong.append("no plan")
    elif len(results) != plan:
        wrong.append(f"{len(results)} results of {plan} planned")
    failed = any(r.state == "failed" for r in results)
    only_skips = results and all(r.state == "skipped" for r in results)
    if status not in ("exit 0", f"exit {KSFT_SKIP}") and not failed:
        wrong.append(status)
    if status == f"exit {KSFT_SKIP}" and not only_skips:
        wrong.append("says it skipped, its results say otherwise")
    if wrong:
        results.append(Result("failed", name, "; ".join(wrong)))
    return results


def parse_all(name, lines, status):
    """Like parse(), for the output of several programs one after the other.

    Each begins with its version line; the status is that of all of them.
    """
    starts = [at for at, line in enumerate(lines) if line.startswith("KTAP version")]
    results = []
    for start, end in zip(starts, starts[1:] + [len(lines)]):
        results += parse(name, lines[start:end], "exit 0")
    if status != "exit 0" and not any(r.state == "failed" for r in results):
        results.append(Result("failed", name, status))
    return results


class Report:
    """Prints the top level of a run's KTAP and counts what lies below it."""

    def __init__(self, planned):
        self.counts = {"ok": 0, "failed": 0, "skipped": 0}
        self.failures = []
        self._number = 0
        self._line("KTAP version 1")
        self._line(f"1..{planned}")

    @staticmethod
    def _line(text):
        print(text, flush=True)

    def nested(self, text):
        """A line that belongs to the test now running."""
        self._line("  " + text)

    def remark(self, text):
        """A diagnostic line."""
        self._line("# " + text)

    def add(self, name, results):
        """Close a top-level test with its results."""
        self._number += 1
        for result in results:
            self.counts[result.state] += 1
            if result.state == "failed":
                self.failures.append(result)
        bad = [r for r in results if r.state == "failed"]
        skipped = [r for r in results if r.state == "skipped"]
        if bad:
            for result in bad:
                self.remark(f"{result.name}: {result.why or 'failed'}")
            self._line(f"not ok {self._number} {name}")
        elif results and len(skipped) == len(results):
            self._line(f"ok {self._number} {name} # SKIP {skipped[0].why}".rstrip())
        else:
            self._line(f"ok {self._number} {name}")

    def close(self):
        """The closing line."""
        for result in self.failures:
            self.remark(f"failed: {result.name}: {result.why}".rstrip(": "))
        self._line(f"{self.counts['ok']} passed, {self.counts['failed']} failed, "
                   f"{self.counts['skipped']} skipped")


class Held:
    """What one part of a run would report, kept until it is its turn."""

    def __init__(self):
        self._held = []

    def nested(self, text):
        """As Report.nested()."""
        self._held.append(("nested", (text,)))

    def remark(self, text):
        """As Report.remark()."""
        self._held.append(("remark", (text,)))

    def add(self, name, results):
        """As Report.add()."""
        self._held.append(("add", (name, results)))

    def release(self, report):
        """Give it all to @report."""
        for method, arguments in self._held:
            getattr(report, method)(*arguments)
