# SPDX-License-Identifier: GPL-2.0
"""Reads traces, knows the explained deviations, and finds every other difference.

A trace is {case: result}.  Machines of this computer (tracer.machines) settle
what each case is to give; the modes of ringvm are held against that.
"""

import dataclasses
import fnmatch
import json
import re
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]
TABLE = HERE / "deviations.toml"
ABSENT = "absent"
SHOWN = 25


def parse(lines):
    """({case: result}, [what is wrong]) from what one or more images printed."""
    trace, wrong = {}, []
    image = None
    for line in lines:
        if line.startswith("trace of "):
            if image:
                wrong.append(f"{image} did not come to its end; last case: {list(trace)[-1:]}")
            image = line[len("trace of "):].strip()
        elif line == "end":
            image = None
        elif image and ": " in line and not line.startswith("#"):
            case, _, result = line.partition(": ")
            if case in trace:
                wrong.append(f"{case}: printed twice")
            trace[case] = result
    if image:
        wrong.append(f"{image} did not come to its end; last case: {list(trace)[-1:]}")
    if not trace:
        wrong.append("no trace at all")
    return trace, wrong


@dataclasses.dataclass
class Deviation:
    """Entry of deviations.toml: these cases, on these executors, differ for a reason.

    @part: the pattern of what differs within the line; the rest must agree.
    @gives: the pattern of the deviating result.
    @right: what the manuals ask for, where no machine here gives it.
    """

    case: str
    who: list
    why: str
    part: str = ""
    gives: str = ""
    right: str = ""
    used: set = dataclasses.field(default_factory=set)

    def covers(self, case, name):
        """Does it speak of this case on this executor?"""
        return (any(fnmatch.fnmatchcase(name, w) for w in self.who) and
                re.fullmatch(self.case, case) is not None)

    def same(self, one, other):
        """Are two results the same but for what it explains?"""
        return bool(self.part) and re.sub(self.part, "", one) == re.sub(self.part, "", other)


class Table:
    """deviations.toml"""

    def __init__(self, path=TABLE):
        with open(path, "rb") as handle:
            raw = tomllib.load(handle)
        self.entries = [Deviation(**e) for e in raw.get("deviation", [])]
        self.vendor = [(e["case"], e["why"]) for e in raw.get("vendor", [])]

    def find(self, case, name):
        """The first entry for this case and executor, or None."""
        return next((d for d in self.entries if d.covers(case, name)), None)

    def by_vendor(self, case):
        """Do AMD's and Intel's CPUs differ here?"""
        return any(re.fullmatch(pattern, case) for pattern, _ in self.vendor)

    def stale(self, name):
        """Entries for executor @name that explained nothing."""
        return [f"{name}: stale entry: {d.case!r} ({d.why.split('.')[0]})" for d in self.entries
                if name not in d.used and any(fnmatch.fnmatchcase(name, w) for w in d.who)]


def check(table, name, vendor, trace, expected):
    """(problems, number of explained deviations) of one executor's trace."""
    problems, explained = [], 0
    for case, wanted in expected.items():
        want = wanted[vendor]
        got = trace.get(case)
        if got is None:
            problems.append(f"{case}: missing")
            continue
        if ABSENT in (got, want):
            continue
        entry = table.find(case, name)
        if got == want:
            continue
        if entry and (not entry.part or entry.same(got, want)) and \
                (not entry.gives or re.fullmatch(entry.gives, got)):
            entry.used.add(name)
            explained += 1
            continue
        problems.append(f"{case}: {got}; expected {want}")
    problems += [f"{case}: no other executor has this case" for case in trace
                 if case not in expected]
    return problems, explained


def settle(table, traces, vendors):
    """What each case is to give, by the machines that no entry calls wrong.

    Returns ({case: {vendor: result}}, [disagreements]).
    """
    expected, problems = {}, []
    cases = list(dict.fromkeys(case for trace in traces.values() for case in trace))
    for case in cases:
        groups = [("amd", "intel")]
        if table.by_vendor(case):
            groups = [("amd",), ("intel",)]
        expected[case] = {}
        for group in groups:
            votes, rights = {}, set()
            for name, trace in traces.items():
                got = trace.get(case, ABSENT)
                if vendors[name] not in group or got == ABSENT:
                    continue
                entry = table.find(case, name)
                if entry is None:
                    votes.setdefault(got, []).append(name)
                elif entry.right:
                    rights.add(entry.right)
            if len(votes) > 1:
                problems.append(f"{case}: " + "; ".join(
                    f"{' '.join(names)}: {got}" for got, names in votes.items()))
            if votes:
                right = max(votes, key=lambda got: len(votes[got]))
            elif len(rights) == 1:
                right = rights.pop()
            else:
                right = ABSENT
                if rights or any(t.get(case, ABSENT) != ABSENT for n, t in traces.items()
                                 if vendors[n] in group):
                    problems.append(f"{case}: explained everywhere, and no one word of what is "
                                    "right")
            for vendor in group:
                expected[case][vendor] = right
        if table.by_vendor(case) and ABSENT not in expected[case].values() and \
                expected[case]["amd"] == expected[case]["intel"]:
            problems.append(f"{case}: listed as the vendors', but they agree")
    return expected, problems


def save(path, expected):
    """Keep what was settled."""
    path.write_text(json.dumps(expected, indent=0), encoding="utf-8")


def load(path):
    """What save() kept."""
    return json.loads(path.read_text(encoding="utf-8"))


def shorten(problems):
    """The first of them, and how many more."""
    if len(problems) <= SHOWN:
        return problems
    return problems[:SHOWN] + [f"... and {len(problems) - SHOWN} more"]
