# SPDX-License-Identifier: GPL-2.0
"""make bench ROWS=modes: one guest's boot, workload and loops in each mode, beside QEMU's TCG.

By default the emulated host's clock counts its instructions (HostOptions.ips): a second is so
many of them, however busy this machine is.  Each side has a boot of its own, and one after the
other they take their turn in each round.
"""

import os
import re
import statistics

from . import boot, build, guest, kernels, work
from .paths import LAB
from .qemu import HostOptions
from .say import LabError, say, show
from .session import DIED, PASS, Job
from .table import client_script, launch_script

GUEST = "686-pae"
IPS = 500_000_000
PATIENCE = 400		# seconds of the host's clock for one guest, for each SCALE
NATIVE, RING1, SVM, TCG = "native", "ring1", "svm", "qemu-tcg"
LOOPS = ("sieve", "sort", "muldiv", "double", "forks", "execs", "programs", "pingpong", "signals")
ALL = ("unpack", "boot", "workload", *LOOPS)
# Parameters of the module, the node (QEMU's TCG needs neither), and what there is to measure:
# on interp the kernel's unpacking of itself, 2300 million instructions; the boot takes three
# times as many, the rest more than anybody waits for.
SIDES = {RING1: ("", "/dev/ringvm-ring1", ALL), "svm-shadow": ("npt=0", "/dev/ringvm-svm", ALL),
         SVM: ("", "/dev/ringvm-svm", ALL), TCG: (None, None, ALL),
         "interp": ("", "/dev/ringvm-interp", ALL[:1]), NATIVE: (None, None, LOOPS)}

# One of the first lines of the guest's kernel, when it has unpacked itself (the very first stands
# behind what QEMU's BIOS left on its line); and what init says.
UNPACKED = "[    0.000000] BIOS-provided physical RAM map"
MARKS = f"GUEST-|{UNPACKED}"

NATIVE_SCRIPT = """\
mkdir /tmp/native && ln -s /usr/bin/busybox /lab/bin/work /lab/bin/bench /tmp/native || exit 1
PATH=/tmp/native:$PATH exec stopwatch GUEST- busybox sh /lab/bin/bench {scale}
"""


def _script(side, name, nonce, scale):
    params, device, plan = SIDES[side]
    if side == NATIVE:
        return NATIVE_SCRIPT.format(scale=scale)
    words = f"GUEST-BENCH={scale}"
    if device:
        launch = launch_script(name, device, nonce, words, "--stats", scale)
        before, after = f"insmod /lab/ringvm.ko {params} || exit 1\n", "rmmod ringvm || exit 1\n"
    else:
        launch = client_script(name, nonce, "tcg", words, scale)
        before = after = ""
    launch = launch.removeprefix("exec ")
    last = UNPACKED if plan == ALL[:1] else ""
    # What takes too long is ended in a way that keeps the marks so far.
    return (f"{before}stopwatch {f'-u {last!r} ' if last else ''}'{MARKS}' "
            f"timeout {PATIENCE * scale} {launch}\nstatus=$?\n{after}exit $status\n")


def marks(lines):
    """{row: seconds} and {loop: result} of what stopwatch printed; of loops the least."""
    took, said, before = {}, {}, 0.0
    for line in lines:
        mark = re.match(r"stopwatch: mark ([\d.]+) (.*)", line)
        if not mark:
            continue
        at, what = float(mark[1]), mark[2]
        loop = re.match(r"GUEST-BENCH (\S+) (.+)", what)
        if what.startswith(UNPACKED):
            took["unpack"] = at
        elif what == "GUEST-INIT done":
            took["boot"] = at
        elif what == "GUEST-WORK done":
            took["workload"] = at - before
        elif loop:
            took[loop[1]] = min(at - before, took.get(loop[1], at))
            said[loop[1]] = loop[2]
        if not what.startswith("GUEST-WORK ") or what == "GUEST-WORK done":
            before = at
    return took, said


def missing(side, took, why):
    """One line about the rows of @side that there should be and are not; or nothing."""
    lacking = [row for row in SIDES[side][2] if row not in took]
    return [f"{side}: no {', '.join(lacking)}: {why}"] if lacking else []


def _ended(job, scale):
    if job.outcome == PASS:
        return "it ended before"
    if job.status == "exit 124":
        return f"stopped after {PATIENCE * scale} s of the host's clock"
    return f"{job.outcome} ({job.status})"


def _progress(job, line):
    """Every mark but those of the workload's single results, as it comes."""
    if line.startswith("stopwatch: mark ") and "GUEST-WORK " not in line.replace("WORK done", ""):
        show(f"  {job.name}: {line.removeprefix('stopwatch: mark ')[:60]}")


def _one(side, number, name, nonce, scale, options):
    """One side's turn: ({row: seconds}, {loop: result}, [what is wrong])."""
    files = {"lab/bin/ringvm": build.launcher_path(), "lab/bin/work": work.program(),
             "lab/bin/bench": LAB / "guest/bench", "lab/bin/stopwatch": build.program("stopwatch")}
    for _ in range(2):
        job = Job(side, _script(side, name, nonce, scale), PATIENCE * scale + 60)
        session = boot.run(options, [job], files, watch=_progress,
                           log=f"bench-modes-{side}", module=True)
        if job.outcome != DIED:
            break
        say(f"{side}: the emulator died: {session.trouble[1]}; once more")
    took, said = marks(job.output)
    wrong = missing(side, took, _ended(job, scale))
    if job.outcome == PASS and side != NATIVE and SIDES[side][2] == ALL:
        wrong += [f"{side}: {text}" for text in guest.complaints(name, job.output, nonce, scale)]
    say(f"round {number}, {side}: {len(took)} rows in {job.seconds:.0f} s"
        + "".join(f"; {text}" for text in wrong))
    return took, said, wrong


def ratio(values, over, under):
    """values[over] / values[under] as a cell; empty where one is missing."""
    if not values.get(over) or not values.get(under):
        return f"{'':>11}"
    return f"{values[over] / values[under]:11.2f}"


def _table(name, runs, rounds, unit):
    show(f"\nguest {name} ({kernels.guest_kernel(name).name}), one CPU; {unit}; "
         f"{f'medians of {rounds} rounds' if rounds > 1 else 'one round'}")
    show(f"  {'':<10}" + "".join(f"{side:>11}" for side in runs)
         + f"{'tcg/ring1':>11}{'ring1/host':>11}{'ring1/svm':>11}")
    for row in ALL:
        values = {side: statistics.median(took[row] for took in all_of if row in took)
                  for side, all_of in runs.items() if any(row in took for took in all_of)}
        show(f"  {row:<10}"
             + "".join(f"{values[side]:11.3f}" if side in values else f"{'':>11}" for side in runs)
             + ratio(values, TCG, RING1) + ratio(values, RING1, NATIVE)
             + ratio(values, RING1, SVM))


def measure(chosen, rounds):
    """All sides in turn, @rounds times.  LabError at the end if a row is missing."""
    name = chosen or GUEST
    scale = int(os.environ.get("SCALE") or 1)
    clock = os.environ.get("CLOCK") or "insns"
    if clock not in ("insns", "wall") or scale < 1:
        raise LabError("CLOCK: insns or wall; SCALE: at least 1")
    sides = (os.environ.get("SIDES") or " ".join(SIDES)).split()
    if not set(sides) <= set(SIDES):
        raise LabError(f"SIDES: there are {', '.join(SIDES)}")
    rounds = rounds or 1
    options = HostOptions(modules="none", append="mitigations=off",
                          ips=IPS if clock == "insns" else 0)
    build.module()
    build.launcher()
    nonce = guest.nonce()
    say(f"guest {name}: {', '.join(sides)}; each in an emulated host of its own")
    runs, wrong, results = {side: [] for side in sides}, [], {}
    for number in range(1, rounds + 1):
        for side in sides:
            took, said, bad = _one(side, number, name, nonce, scale, options)
            runs[side].append(took)
            wrong += bad
            for loop, result in said.items():
                if results.setdefault(loop, result) != result:
                    wrong.append(f"{side}: {loop} has another result than elsewhere")
    _table(name, runs, rounds,
           f"seconds of {IPS // 10 ** 6} million host instructions" if clock == "insns" else
           "seconds by the wall clock")
    for text in wrong:
        show(f"  {text}")
    if wrong:
        raise LabError(f"modes: {len(wrong)} of the figures are missing or wrong")
