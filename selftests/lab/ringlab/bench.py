# SPDX-License-Identifier: GPL-2.0
"""make bench: boot to init, ours beside Debian's KVM, in one emulated host.

Rounds alternate between the two and in who goes first, each with its own
module alone loaded, so that both see the same machine.  The emulator's clock is the wall clock:
figures of different boots are not compared.
"""

import re
import statistics
import textwrap

from . import boot, build, guest, kernels
from .qemu import HostOptions
from .say import LabError, say, show
from .session import DIED, Job
from .table import launch_script

DEADLINE = 120
DEFAULT_GUESTS = ("686", "amd64")
SIDES = {"svm": ("/dev/ringvm-svm", "insmod /lab/ringvm.ko", "rmmod ringvm"),
         "kvm": ("/dev/kvm", "modprobe kvm-amd", "rmmod kvm_amd kvm")}

# The counters of the two sides that count the same thing.
PAIRS = (("exits", "exits", "exits"),
         ("  port I/O", "exit_io", "io_exits"),
         ("  MMIO", "user_mmio", "mmio_exits"),
         ("  nested page fault", "exit_npf", "pf_taken"),
         ("  host's interrupt", "exit_intr", "irq_exits"),
         ("  interrupt window", "exit_irq_window", "irq_window_exits"),
         ("  HLT", "exit_hlt", "halt_exits"),
         ("interrupts injected", "inject_irq", "irq_injections"),
         ("instructions emulated", "emulated", "insn_emulation"),
         ("TLB flushes", "tlb_flush", "tlb_flush"),
         ("pages mapped, 4 KiB", "pages_4k", "pages_4k"),
         ("pages mapped, 2 MiB", "pages_2m", "pages_2m"))


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
                for n in range(1, rounds + 1)
                for side in sorted(SIDES, reverse=bool(n % 2))]
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


def _cells(text, ours, theirs, form):
    """One line of the table; a figure that one side does not have stays empty."""
    cells = ["" if v is None else form.format(v) for v in (ours, theirs)]
    ratio = f"{ours / theirs:.2f}" if ours is not None and theirs else ""
    show(f"  {text:<30} {cells[0]:>18} {cells[1]:>18} {ratio:>7}")


def _times(text, key, figures):
    medians, best, ranges = [], [], []
    for side in SIDES:
        values = [r[key] for r in figures[side]]
        medians.append(statistics.median(values))
        best.append(min(values))
        ranges.append(f"{min(values):.2f} to {max(values):.2f}")
    _cells(text, *medians, "{:.2f}")
    show(f"  {'  from, to; ratio of the best':<30} {ranges[0]:>18} {ranges[1]:>18} "
         f"{best[0] / best[1]:>7.2f}")


def _medians(rounds):
    """The median of each counter; its name without the "vcpu." or "vm." in front."""
    names = {name for r in rounds for name in r["stats"]}
    return {name.split(".")[-1]: statistics.median(r["stats"].get(name, 0) for r in rounds)
            for name in names}


def _table(name, figures):
    show(f"\nguest {name} ({kernels.guest_kernel(name).name}), "
         f"medians of {len(figures['svm'])} rounds, one CPU")
    show(f"  {'':<30} {'svm':>18} {'kvm-amd':>18} {'ratio':>7}")
    _times("launcher's start to init, s", "wall", figures)
    _times("guest's uptime at init, s", "uptime", figures)
    counts = {side: _medians(figures[side]) for side in SIDES}
    for text, ours, theirs in PAIRS:
        _cells(text, counts["svm"].get(ours), counts["kvm"].get(theirs), "{:.0f}")
    for side, column in (("svm", 1), ("kvm", 2)):
        paired = {pair[column] for pair in PAIRS}
        rest = [f"{stat} {value:.0f}" for stat, value in sorted(counts[side].items())
                if value and stat not in paired]
        show(textwrap.fill(f"{side} alone: " + ", ".join(rest), 92, initial_indent="  ",
                           subsequent_indent="    "))


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
