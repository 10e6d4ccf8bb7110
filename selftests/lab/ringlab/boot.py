# SPDX-License-Identifier: GPL-2.0
"""Puts one boot together: ramdisk with the changing parts, jobs, emulator, session."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from . import bochs, build, kernels, qemu, tools
from .cpio import Ramdisk
from .paths import below
from .say import LabError
from .session import Job, Session

SETUP_DEADLINE = 60


def strip(source, out):
    """A copy of the module without debug information: the host loads it faster."""
    shutil.copy(source, out)
    subprocess.run(["strip", "-g", str(out)], check=True)
    return out


def load_script(options):
    """Shell lines that load the modules the options ask for."""
    lines = ["set -e"]
    if options.modules in ("kvm-amd", "both"):
        lines.append("modprobe kvm-amd")
    if options.modules in ("ringvm", "both"):
        lines.append(f"insmod /lab/ringvm.ko {options.params}".rstrip())
    return "\n".join(lines) + "\n"


def unload_script():
    """Shell lines that unload what the run left loaded, ours first."""
    return ("for m in ringvm kvm_amd kvm; do\n"
            "if grep -q \"^$m \" /proc/modules; then rmmod $m || exit 1; fi\n"
            "done\n")


def ramdisk(path, jobs, files, module=None, with_tools=False):
    """Write the ramdisk of one boot.

    @files maps places in the emulated host to files of this machine; libraries
    they need and the tools disk lacks go to /lab/lib.  @with_tools: there is no tools
    disk; what the jobs need of it comes along.
    """
    disk = Ramdisk()
    for folder in ("dev", "proc", "sys", "tmp", "run", "tools", "lab/bin", "lab/lib", "root"):
        disk.folder(folder)
    disk.device("dev/console", 5, 1)
    disk.link("usr", "tools/usr")
    disk.link("guests", "tools/guests")
    for name in ("bin", "sbin", "lib", "lib64"):
        disk.link(name, f"tools/usr/{name}")
    disk.data("etc/passwd", "root:x:0:0:root:/tmp:/bin/sh\n")
    disk.data("etc/group", "root:x:0:\n")
    disk.file("init", build.program("agent"), 0o755)
    if with_tools:
        tools.bring_along(disk, files.values())
    extra = {}
    for place, source in files.items():
        disk.file(place, source)
        for lib in tools.libraries(source):
            if not tools.provides(lib):
                extra[Path(lib).name] = lib
    for name, lib in extra.items():
        disk.file(f"lab/lib/{name}", lib)
    if module:
        disk.file("lab/ringvm.ko", module)
    listing = []
    for number, job in enumerate(jobs):
        script = f"/lab/job.{number}"
        disk.data(script, job.script)
        listing.append(f"{job.kind} {job.deadline} {job.name} {script}\n")
    disk.data("lab/jobs", "".join(listing))
    disk.write(path)


def wrap(options, jobs):
    """The jobs of a boot with loading before and unloading after."""
    before = [Job("load-modules", load_script(options), SETUP_DEADLINE, "setup")]
    after = [Job("unload-modules", unload_script(), SETUP_DEADLINE)]
    return before + list(jobs) + after


def _prepare(options, jobs, files, folder, module):
    """Put what the emulator needs for these jobs in @folder."""
    options.check()
    stripped = None
    if module or options.modules in ("ringvm", "both"):
        stripped = strip(kernels.module_ko(), folder / "ringvm.ko")
    ramdisk(folder / "ramdisk", jobs, files or {}, stripped, options.machine != "qemu")


def _command(options, folder):
    """QEMU's command line."""
    return qemu.command(options, kernels.vmlinuz("host"), folder / "ramdisk", tools.image())


def _start(options, folder):
    """The running emulator."""
    if options.machine == "qemu":
        return qemu.Emulator(_command(options, folder),
                             qemu.ICOUNT_PATIENCE if options.ips else 1)
    return bochs.Emulator(options, kernels.vmlinuz("host"), folder / "ramdisk",
                          qemu.cmdline(options), folder)


def run(options, jobs, files=None, *, watch=None, ended=None, log="last", module=False):
    """Boot an emulated host and run @jobs in it.  Returns the finished session.

    @module: take ringvm.ko along even if the options do not load it.
    """
    jobs = wrap(options, jobs)
    with tempfile.TemporaryDirectory(prefix="boot.", dir=below("images")) as name:
        _prepare(options, jobs, files, Path(name), module)
        session = Session(_start(options, Path(name)), jobs, watch, ended)
        session.run(below("logs") / f"{log}.log")
    return session


def shell(options, files=None):
    """Boot an emulated host with an interactive shell on this terminal."""
    if options.machine != "qemu":
        raise LabError("an interactive shell is to be had in QEMU alone")
    size = shutil.get_terminal_size()
    script = (f"stty rows {size.lines} cols {size.columns} 2>/dev/null\n"
              "echo 'This is the emulated host.  exit: switch it off; Ctrl-A X: end it at once; "
              "Ctrl-A H: help.'\n"
              "export TERM=vt102 PS1='lab# '\nexec bash --norc -i\n")
    jobs = [Job("load-modules", load_script(options), SETUP_DEADLINE, "setup"),
            Job("shell", script, 0, "shell")]
    with tempfile.TemporaryDirectory(prefix="boot.", dir=below("images")) as name:
        _prepare(options, jobs, files, Path(name), False)
        return qemu.interactive(_command(options, Path(name)), below("logs") / "shell.log")
