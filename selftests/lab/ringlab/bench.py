# SPDX-License-Identifier: GPL-2.0
"""make bench: boot to init, ours beside Debian's KVM, in one emulated host.

Rounds alternate between the two, each with its own module alone loaded, so
that both see the same machine.  The emulator's clock is the wall clock:
figures of different boots are not compared.
"""

import re
import statistics

from . import boot, build, guest, kernels
from .qemu import HostOptions
from .say import LabError, say, show
from .session import DIED, Job
from .table import launch_script

DEADLINE = 120
DEFAULT_GUESTS = ("686", "amd64")
SIDES = {"svm": ("/dev/ringvm-svm", "insmod /lab/ringvm.ko", "rmmod ringvm"),
         "kvm": ("/dev/kvm", "modprobe kvm-amd", "rmmod kvm_amd kvm")}


def _script(side, name):
    device, load, unload = SIDES[side]
    launch = launch_script(name, device, guest.nonce(), options="--stats")
    launch = launch.removeprefix("exec ")
    return (f"{load} || exit 1\nstopwatch 'GUEST-INIT done' {launch}\n"
            f"status=$?\n{unload} || exit 1\nexit $status\n")


def _read(job):
    """The figures of one round."""
    text = "\n".join(job.output)
    mark = re.search(r"^stopwatch: mark ([\d.]+)", text, re.M)
    uptime = guest.facts(job.output).get("uptime")
    if job.outcome != "pass" or not mark or not uptime:
        raise LabError(f"{job.name}: {job.outcome} ({job.status}); no figures")
    stats = {name: int(value) for name, value in re.findall(r"^stat: (\S+) (\d+)", text, re.M)}
    return {"wall": float(mark[1]), "uptime": float(uptime), "stats": stats}


def _measure(name, rounds):
    """All rounds of one guest in one boot, once more if the emulator dies."""
    files = {"lab/bin/ringvm": build.launcher_path(),
             "lab/bin/stopwatch": build.program("stopwatch")}
    for _ in range(2):
        jobs = [Job(f"{side}-{n}", _script(side, name), DEADLINE)
                for n in range(1, rounds + 1) for side in SIDES]
        session = boot.run(HostOptions(modules="none"), jobs, files,
                           watch=lambda job, line: None, log=f"bench-{name}", module=True)
        if any(j.outcome == DIED for j in session.jobs):
            say(f"the emulator died: {session.trouble[1]}; once more")
            continue
        figures = {side: [] for side in SIDES}
        for job in jobs:
            figures[job.name.split("-")[0]].append(_read(job))
        return figures
    raise LabError("the emulator died twice: no figures")


def _row(text, ours, theirs, form="{:.2f}"):
    ratio = f"{ours / theirs:.2f}" if theirs else "-"
    show(f"  {text:<34} {form.format(ours):>12} {form.format(theirs):>12} {ratio:>8}")


def _table(name, figures):
    show(f"\nguest {name} ({kernels.guest_kernel(name).name}), "
         f"medians of {len(figures['svm'])} rounds, one CPU")
    show(f"  {'':<34} {'svm':>12} {'kvm-amd':>12} {'ratio':>8}")
    for key, text in (("wall", "launcher's start to init, s"),
                      ("uptime", "guest's uptime at init, s")):
        _row(text, *(statistics.median(r[key] for r in figures[side]) for side in SIDES))
    counts = {side: {} for side in SIDES}
    for side in SIDES:
        for stat in {s for r in figures[side] for s in r["stats"]}:
            counts[side][stat] = statistics.median(r["stats"].get(stat, 0)
                                                   for r in figures[side])
    for stat in sorted(set(counts["svm"]) | set(counts["kvm"])):
        ours, theirs = (counts[side].get(stat) for side in SIDES)
        if ours or theirs:
            cells = [f"{v:.0f}" if v is not None else "" for v in (ours, theirs)]
            ratio = f"{ours / theirs:.2f}" if ours and theirs else ""
            show(f"  {stat:<34} {cells[0]:>12} {cells[1]:>12} {ratio:>8}")


def bench(chosen, rounds):
    """Print the table of each guest.  Returns the exit status."""
    guests = (chosen,) if chosen else DEFAULT_GUESTS
    for name in guests:
        if name not in kernels.GUESTS:
            raise LabError(f"GUEST={name}: there are {', '.join(kernels.GUESTS)}")
    build.module()
    build.launcher()
    for name in guests:
        say(f"guest {name}: {rounds} rounds of svm and kvm-amd in one emulated host")
        _table(name, _measure(name, rounds))
    return 0
