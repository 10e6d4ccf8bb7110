# SPDX-License-Identifier: GPL-2.0
"""make bench: figures of the modes, side by side in one emulated host.

boot     boot to init, svm beside Debian's KVM.  Rounds alternate between the two and in
         who goes first, each with its own module alone loaded, so that both see the same
         machine.
loops    small guest programs (selftests/bench_guest.c) on interp, svm and Debian's KVM
cost     host instructions for each that the interpreter executes, counted by callgrind
         on the userspace build; no emulated host

count    host instructions for each that the interpreter executes in the kernel, counted by the
         time stamp counter of an emulated host in Bochs
modes    boot, workload and loops of one guest in each mode, in Debian's QEMU (TCG) inside the
         emulated host, and the loops in that host itself (modes.py)
traps    what each kind of trap costs in ring1, beside svm and interp (selftests/bench_trap.c); and
         in instructions of the host, counted in Bochs
share    instructions of a guest that ring1 leaves to the CPU

The emulator's clock is the wall clock: figures of different boots are not compared.
"""

import re
import statistics
import subprocess
import textwrap

from . import boot, build, guest, kernels, modes
from .paths import BUILD, LAB, TOP, below
from .qemu import HostOptions
from .say import LabError, say, show
from .session import DIED, Job
from .table import launch_script

DEADLINE = 120
DEFAULT_GUESTS = ("686", "amd64")
DEFAULT_ROUNDS = 5
SIDES = {"svm": ("/dev/ringvm-svm", "insmod /lab/ringvm.ko", "rmmod ringvm"),
         "kvm": ("/dev/kvm", "modprobe kvm-amd", "rmmod kvm_amd kvm")}

# What the loops run on; the figures are compared with the first's.  Debian's KVM holds SVM
# only while it has a VM.
LOOP_DEVICES = ("/dev/ringvm-interp", "/dev/ringvm-svm", "/dev/kvm")
LOOP_DEADLINE = 120		# for each round, with its share of the trial runs

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


def _boot(chosen, rounds):
    guests = (chosen,) if chosen else DEFAULT_GUESTS
    for name in guests:
        if name not in kernels.GUESTS:
            raise LabError(f"GUEST={name}: there are {', '.join(kernels.GUESTS)}")
    build.module()
    build.launcher()
    for name in guests:
        say(f"guest {name}: {rounds} rounds of svm and kvm-amd in one emulated host")
        _table(name, _measure(name, rounds))


def _loops(_chosen, rounds):
    """The loops of bench_guest, whose own words are the table."""
    build.module()
    build.selftests()
    say(f"guest programs: {rounds} rounds on each of {', '.join(LOOP_DEVICES)}")
    script = f"exec /lab/bin/bench_guest -r {rounds} {' '.join(LOOP_DEVICES)}\n"
    for _ in range(2):
        job = Job("bench_guest", script, LOOP_DEADLINE * rounds)
        session = boot.run(HostOptions(modules="both"), [job],
                           {"lab/bin/bench_guest": BUILD / "selftests/bench_guest"},
                           watch=lambda job, line: None, log="bench-loops")
        if any(j.outcome == DIED for j in session.jobs):
            say(f"the emulator died: {session.trouble[1]}; once more")
            continue
        show("")
        for line in job.output:
            show(line)
        if job.outcome != "pass":
            raise LabError(f"bench_guest: {job.outcome} ({job.status})")
        return
    raise LabError("the emulator died twice: no figures")


def _cost(_chosen, _rounds):
    """cost.py's table."""
    program = BUILD / "insn/cost"
    build.make("-C", "selftests/insn", f"OUTPUT={BUILD / 'insn'}", str(program))
    say("instructions of the interpreter, counted by callgrind")
    show("\nhost instructions for each that the interpreter executes")
    if subprocess.run([str(TOP / "selftests/insn/cost.py"), str(program)], check=False).returncode:
        raise LabError("cost.py failed")


def _count(_chosen, rounds):
    """bench_guest's counts, in Bochs."""
    build.module()
    build.selftests()
    for machine in ("bochs-intel", "bochs-amd"):
        options = HostOptions(machine=machine)
        say(f"instructions of the interpreter in the kernel, counted by {machine}")
        job = Job("count", f"exec /lab/bin/bench_guest -c -r {10 * rounds} /dev/ringvm-interp\n",
                  LOOP_DEADLINE * rounds)
        boot.run(options, [job], {"lab/bin/bench_guest": BUILD / "selftests/bench_guest"},
                 watch=lambda job, line: None, log=f"bench-count-{machine}")
        show(f"\nhost instructions for each that the interpreter executes, {machine}")
        for line in job.output:
            show(line)
        if job.outcome != "pass":
            raise LabError(f"bench_guest: {job.outcome} ({job.status})")


# ---- traps ----------------------------------------------------------------------------

TRAP_DEVICES = ("/dev/ringvm-ring1", "/dev/ringvm-svm", "/dev/ringvm-interp")


def _one_program(name, options, command, log):
    """A program's own table."""
    job = Job(name, f"exec /lab/bin/{command}\n", LOOP_DEADLINE * 5)
    boot.run(options, [job], {f"lab/bin/{name}": BUILD / "selftests" / name},
             watch=lambda job, line: None, log=log)
    show("")
    for line in job.output:
        show(line)
    if job.outcome != "pass":
        raise LabError(f"{name}: {job.outcome} ({job.status})")


def _traps(_chosen, rounds):
    """bench_trap: in time in QEMU, in instructions in Bochs."""
    build.module()
    build.selftests()
    say(f"traps, in time: {', '.join(TRAP_DEVICES)}")
    _one_program("bench_trap", HostOptions(append="mitigations=off"),
                 f"bench_trap -r {rounds} {' '.join(TRAP_DEVICES)}", "bench-traps")
    say("traps, in instructions: Bochs, a CPU with SMAP")
    _one_program("bench_trap", HostOptions(machine="bochs-smap", ips=500_000_000),
                 f"bench_trap -c -r {rounds} {TRAP_DEVICES[0]}", "bench-traps-bochs")


# ---- share ----------------------------------------------------------------------------

SHARE_DEADLINE = 1560


def _plugin():
    """The instruction counter for QEMU on this machine."""
    source, out = LAB / "count/count.c", below("count") / "count.so"
    done = subprocess.run(["gcc", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-shared",
                           "-fPIC", "-o", str(out), str(source)], text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        raise LabError(f"{source}:\n{done.stdout}")
    return out


def _all_instructions(name, nonce, scale):
    """What the guest executes from reset to power-off, by QEMU's TCG on this machine."""
    done = subprocess.run(
        ["qemu-system-x86_64", "-accel", "tcg,thread=single", "-plugin", str(_plugin()),
         "-d", "plugin", "-cpu", "max,la57=off,-svm", "-machine", "pc", "-m", "256M", "-nodefaults",
         "-display", "none", "-serial", "stdio", "-no-reboot",
         "-kernel", str(kernels.guest_kernel(name)), "-initrd", str(guest.initrd(name)),
         "-append", guest.append(nonce, scale=scale)], text=True, check=False, errors="replace",
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=900)
    wrong = guest.complaints(name, done.stdout.splitlines(), nonce, scale)
    if done.returncode or wrong:
        raise LabError(f"QEMU, to count: {done.returncode}, {'; '.join(wrong)}")
    return int(re.search(r"^count: instructions (\d+)", done.stdout, re.M)[1])


def _share(chosen, _rounds):
    """One boot without work and one with, in ring1; each counted in QEMU, too."""
    name = chosen or modes.GUEST
    build.module()
    build.launcher()
    nonce = guest.nonce()
    scales = {"boot": 0, "boot-and-work": 4}
    jobs = [Job(what, launch_script(name, "/dev/ringvm-ring1", nonce, "", "--stats", scale) + "\n",
                SHARE_DEADLINE) for what, scale in scales.items()]
    boot.run(HostOptions(svm=False, append="mitigations=off"), jobs,
             {"lab/bin/ringvm": build.launcher_path()}, watch=lambda job, line: None,
             log="bench-share")
    show(f"\nguest {name}: instructions, million")
    show(f"  {'':<20}{'all':>10}{'interpreted':>14}{'native':>12}")
    before = (0, 0)
    for job in jobs:
        wrong = guest.complaints(name, job.output, nonce, scales[job.name])
        if job.outcome != "pass" or wrong:
            raise LabError(f"{job.name}: {job.outcome} ({job.status}) {'; '.join(wrong)}")
        total = _all_instructions(name, nonce, scales[job.name])
        soft = sum(int(line.split()[2]) for line in job.output
                   if re.match(r"stat: vcpu\.emulated \d+$", line))
        for what, all_insns, interpreted in ((job.name, total, soft),
                                             ("  the difference", total - before[0],
                                              soft - before[1])):
            if what.startswith(" ") and not before[0]:
                continue
            show(f"  {what:<20}{all_insns / 1e6:10.1f}{interpreted / 1e6:14.1f}"
                 f"{1 - interpreted / all_insns:12.2%}")
        before = (total, soft)


ROWS = {"boot": _boot, "loops": _loops, "cost": _cost, "count": _count, "modes": modes.measure,
        "traps": _traps, "share": _share}


def bench(chosen, rounds, rows):
    """Print the tables named in @rows, or all.  Returns the exit status."""
    for row in rows:
        if row not in ROWS:
            raise LabError(f"ROWS: no {row!r}; there are {', '.join(ROWS)}")
    if rounds is not None and rounds < 1:
        raise LabError("ROUNDS: at least one")
    failed = []
    for row in rows or ROWS:
        try:
            # Where a clock counts instructions one round tells nearly all.
            ROWS[row](chosen, rounds if row == "modes" else rounds or DEFAULT_ROUNDS)
        except LabError as error:
            say(f"{row}: {error}")
            failed.append(row)
    if failed:
        raise LabError(f"not done: {', '.join(failed)}")
    return 0
