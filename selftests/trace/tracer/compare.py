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
# Words for "who": executors that run a guest's code on the same emulated CPU.
FAMILIES = {
    "TCG": ("tcg", "tcg-intel", "svm", "svm-shadow"),
    "Bochs": ("bochs-intel", "bochs-amd"),
}


# Bits of PORT_GROUPS that are 0 for trace32 on an executor: groups that do not run, by
# the first words of their cases, and 15.  QEMU's SVM switches tasks, if only for a double
# fault, without the intercept that shadow paging needs (docs/svm.md).
LEFT_OUT = {
    "svm-shadow": {1: ("ints",), 2: ("tasks", "tasks16"), 15: ()},
}
# What an executor must have counted in the end of an image: that it did as it says.
COUNTED = {
    "ring1": {"trace32": "native", "trace64": "soft_long"},
    "ring1-bochs-intel": {"trace32": "native", "trace64": "soft_long"},
}


def vendor_of(name):
    """Whose CPU an executor is that is none of this computer's machines: the lab's host
    has AMD's, and a mode passes it on unless it is asked for the other."""
    return "intel" if name.endswith("-intel") else "amd"


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
        elif image and line.startswith("====="):
            break	# Bochs says why it ends
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

    @part: the pattern of what differs within the line; the rest must agree.  Several
    such entries may concern one line.
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
        return self.concerns(name) and re.fullmatch(self.case, case) is not None

    def concerns(self, name):
        """Does it speak of this executor?"""
        return any(fnmatch.fnmatchcase(name, w) for who in self.who
                   for w in FAMILIES.get(who, (who,)))


class Table:
    """deviations.toml"""

    def __init__(self, path=TABLE):
        with open(path, "rb") as handle:
            raw = tomllib.load(handle)
        self.entries = [Deviation(**e) for e in raw.get("deviation", [])]
        self.vendor = [(e["case"], e["why"]) for e in raw.get("vendor", [])]

    def find(self, case, name):
        """(the entry for the whole line or None, entries for parts of it)"""
        found = [d for d in self.entries if d.covers(case, name)]
        return next((d for d in found if not d.part), None), [d for d in found if d.part]

    def by_vendor(self, case):
        """Do AMD's and Intel's CPUs differ here?"""
        return any(re.fullmatch(pattern, case) for pattern, _ in self.vendor)

    def stale(self, name, trace=None):
        """Entries for executor @name that explained nothing, of those for cases it had."""
        return [f"{name}: stale entry: {d.case!r} ({d.why.split('.')[0]})" for d in self.entries
                if name not in d.used and d.concerns(name) and
                (trace is None or any(re.fullmatch(d.case, case) for case in trace))]


def _explained(table, case, name, got, want):
    """Is the difference between two results one that the table explains?"""
    whole, parts = table.find(case, name)
    bare_got, bare_want = got, want
    for entry in parts:
        bare_got = re.sub(entry.part, "", bare_got)
        bare_want = re.sub(entry.part, "", bare_want)
    if parts and bare_got == bare_want:
        for entry in parts:
            if re.findall(entry.part, got) != re.findall(entry.part, want):
                entry.used.add(name)
        return True
    if whole and re.fullmatch(whole.gives or ".*", got):
        whole.used.add(name)
        return True
    return False


def check(table, name, vendor, trace, expected):
    """(problems, number of explained deviations) of one executor's trace."""
    problems, explained = [], 0
    left_out = [word for words in LEFT_OUT.get(name, {}).values() for word in words]
    expected = {case: wanted for case, wanted in expected.items()
                if case.split()[0] not in left_out}
    for case, wanted in expected.items():
        want = wanted[vendor]
        got = trace.get(case)
        if got is None:
            problems.append(f"{case}: missing")
            continue
        if ABSENT in (got, want):
            continue
        if got == want:
            continue
        if _explained(table, case, name, got, want):
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
            votes, seconds, rights = {}, {}, set()
            for name, trace in traces.items():
                got = trace.get(case, ABSENT)
                if vendors[name] not in group or got == ABSENT:
                    continue
                whole, parts = table.find(case, name)
                if whole is None and not parts:
                    votes.setdefault(got, []).append(name)
                elif whole is None:
                    seconds.setdefault(got, []).append(name)
                elif whole.right:
                    rights.add(whole.right)
            # one that may deviate in a part is heard where no other is left
            votes = votes or (seconds if not rights else {})
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
