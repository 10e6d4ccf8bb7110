# SPDX-License-Identifier: GPL-2.0
"""make demo: unmodified Debian guests, from nothing to their init, for people to see."""

from . import boot, build, guest, kernels, work
from .paths import below
from .qemu import HostOptions
from .say import LabError, say, show
from .session import DIED, Job
from .table import launch_script

DEFAULT_GUESTS = ("686", "amd64")
DEADLINE = 180
# A mode that needs no hardware is shown on a host that has none; it is slow.
NO_HARDWARE = {"ring1": 1200, "interp": 3600}		# and its deadline
SCALE = 4		# of the workload
SCALE_SLOW = 1
ATTEMPTS = 2		# of which the emulator may spoil all but one


def _host(mode):
    """The emulated host for guests in this mode.  Without SMAP and retpolines where every
    instruction is one of the host's kernel, for speed alone: STAC, CLAC and each call
    through a register end blocks of the emulator's code.  ring1 needs SMAP."""
    hardware = mode not in NO_HARDWARE
    return HostOptions(svm=hardware, smap=mode != "interp",
                       append="" if hardware else "mitigations=off")


def _boot(name, mode, nonce):
    """Boot one guest; returns what is wrong with what it printed, None if nobody knows."""
    device = f"/dev/ringvm-{mode}"
    scale = SCALE_SLOW if mode == "interp" else SCALE
    job = Job(f"guest-{name}", launch_script(name, device, nonce, scale=scale) + "\n",
              NO_HARDWARE.get(mode, DEADLINE))
    files = {"lab/bin/ringvm": build.launcher_path()}
    session = boot.run(_host(mode), [job], files, log=f"demo-{name}",
                       watch=lambda _, line: show(f"{name} | {line}"))
    died = next((j for j in session.jobs if j.outcome == DIED), None)
    if died:
        say(f"the emulator died during {died.name}: {session.trouble[1]}")
        return None
    wrong = [f"{j.name}: {j.outcome} ({j.status})" for j in session.jobs if j.outcome != "pass"]
    wrong += [f"the host's kernel log: {t}" for j in session.jobs for t in j.dirty]
    if session.trouble:
        for line in session.console[-40:]:
            show(f"host | {line}")
    verdicts = work.verdicts(job.output, nonce, scale)
    for number, (good, text) in enumerate(verdicts, 1):
        show(f"{name} | {'ok' if good else 'not ok'} {number} - {text}")
    good = sum(good for good, _ in verdicts)
    say(f"guest {name}: workload: {good} ok, {len(verdicts) - good} not ok")
    return wrong + guest.complaints(name, job.output, nonce, scale)


def demo(mode, chosen, text):
    """Boot the guests; 0 only if each printed its version, CPU flags and the nonce, and did
    its work right."""
    guests = (chosen,) if chosen else DEFAULT_GUESTS
    for name in guests:
        if name not in kernels.GUESTS:
            raise LabError(f"GUEST={name}: there are {', '.join(kernels.GUESTS)}")
    if not mode.isalnum():
        raise LabError(f"MODE={mode}: the name of a mode, such as svm")
    build.module()
    say("building the launcher")
    build.launcher()
    status = 0
    for name in guests:
        nonce = guest.nonce(text)
        kernel = kernels.guest_kernel(name)
        say(f"guest {name}: Debian's {kernel.name}, mode {mode}, nonce {nonce}")
        wrong = None
        for _ in range(ATTEMPTS):
            wrong = _boot(name, mode, nonce)
            if wrong is not None:
                break
        if wrong is None:
            say(f"guest {name}: no verdict, the emulator died {ATTEMPTS} times")
            status = status or 3
        elif wrong:
            for line in wrong:
                say(f"guest {name}: {line}")
            status = 1
        else:
            say(f"guest {name}: printed its version, its CPU's flags and the nonce {nonce}, "
                "and did its work right")
    say(f"full logs: {below('logs')}/demo-*.log")
    return status
