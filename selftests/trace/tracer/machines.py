# SPDX-License-Identifier: GPL-2.0
"""The machines of this computer that run the images: QEMU's TCG and Bochs.

One line in MACHINES adds another.
"""

import dataclasses
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path

from . import compare

DEADLINE = 120
BIOS = Path("/usr/share/bochs/BIOS-bochs-latest")
VGABIOS = Path("/usr/share/vgabios/vgabios.bin")

BOCHSRC = """\
display_library: rfb, options="timeout=0"
romimage: file={bios}
vgaromimage: file={vgabios}
megs: 32
cpu: model={model}, count=1, ips=50000000, reset_on_triple_fault=0
ata0-master: type=disk, path={image}, mode=flat, cylinders={cylinders}, heads=16, spt=63
boot: disk
port_e9_hack: enabled=1
panic: action=fatal
error: action=ignore
info: action=ignore
log: {log}
"""
CYLINDER = 16 * 63 * 512


@dataclasses.dataclass
class Machine:
    """@vendor: whose CPU it is where AMD's and Intel's differ; @missing: why it cannot run."""

    vendor: str
    command: object
    missing: object


def _tcg(cpu):
    def command(image, _folder):
        return ["qemu-system-x86_64", "-accel", "tcg", "-cpu", cpu, "-m", "32", "-display", "none",
                "-nodefaults", "-no-reboot", "-debugcon", "stdio", "-device",
                "isa-debug-exit,iobase=0xf4", "-drive", f"file={image},format=raw,if=ide,snapshot=on"]

    def missing():
        return "" if shutil.which("qemu-system-x86_64") else "no qemu-system-x86_64"
    return command, missing


def _bochs(model):
    def command(image, folder):
        # Bochs writes a lock file beside the image: give it one of its own.
        disk = folder / "disk.img"
        shutil.copy(image, disk)
        (folder / "rc").write_text(BOCHSRC.format(
            bios=BIOS, vgabios=VGABIOS, model=model, image=disk, log=folder / "log",
            cylinders=disk.stat().st_size // CYLINDER), encoding="ascii")
        (folder / "go").write_text("c\n", encoding="ascii")	# Debian's build stops in its debugger
        return ["bochs", "-q", "-f", str(folder / "rc"), "-rc", str(folder / "go")]

    def missing():
        if not shutil.which("bochs"):
            return "no bochs"
        return next((f"no {path}" for path in (BIOS, VGABIOS) if not path.exists()), "")
    return command, missing


MACHINES = {
    "tcg": Machine("amd", *_tcg("max")),
    "tcg-intel": Machine("intel", *_tcg("Skylake-Client")),
    "bochs-intel": Machine("intel", *_bochs("corei7_skylake_x")),
    "bochs-amd": Machine("amd", *_bochs("trinity_apu")),
}


def run(name, images):
    """Run @images one after the other; (trace, [what went wrong])."""
    lines, wrong = [], []
    for image in images:
        for _ in range(2):	# an emulator that does not come up gets another chance
            faults = []
            with tempfile.TemporaryDirectory(prefix="trace-") as folder:
                got = _run_one(MACHINES[name].command(image, Path(folder)), image.stem, faults)
            if not faults:
                break
            print(f"# {name}: {faults[-1]}")
        lines += got
        wrong += faults
    trace, faults = compare.parse(lines)
    return trace, wrong + faults


def _run_one(command, stem, wrong):
    lines = []
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace") as process:
        watchdog = threading.Timer(DEADLINE, process.kill)
        watchdog.start()
        try:
            for line in process.stdout:
                lines.append(line.rstrip("\r\n"))
                if lines[-1] == "end":
                    break
        finally:
            if not watchdog.is_alive():
                wrong.append(f"{stem}: not done after {DEADLINE} s")
            watchdog.cancel()
            process.kill()
            process.stdout.close()
    if "end" not in lines:
        wrong += [f"{stem}: {command[0]}: {line}" for line in lines[-5:]]
    return lines
