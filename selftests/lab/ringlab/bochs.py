# SPDX-License-Identifier: GPL-2.0
"""One emulated host in Bochs: slow, and exact where QEMU's TCG is not.

Bochs raises SIMD floating-point exceptions, checks MXCSR and alignment, knows segment
limits, and its time stamp counter counts instructions.  It has no channel into the
machine here and no monitor; what the machine says comes through a serial port and, the
agent's words, through port E9h, which Bochs prints.
"""

import os
import shutil
import subprocess

from .kernels import isolinux
from .say import LabError

# The last one has SMAP and PCID, and no UMIP.
MODELS = {"bochs-intel": "corei7_haswell_4770", "bochs-amd": "trinity_apu",
          "bochs-smap": "broadwell_ult"}

# Time in the machine passes with instructions: a second takes this many, if the CPU is busy.
# Guests there want more: else a tick of their clock costs the host longer than the tick takes.
INSTRUCTIONS_PER_SECOND = 50_000_000

CONFIG = """\
display_library: rfb, options="timeout=0"
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=/usr/share/vgabios/vgabios.bin
megs: 1024
cpu: model={model}, count={cpus}, ips={ips}, reset_on_triple_fault=0
clock: sync=none
ata0-master: type=cdrom, path={iso}, status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev={console}
port_e9_hack: enabled=1
panic: action=fatal
error: action=ignore
info: action=ignore
log: {log}
"""

ISOLINUX = """\
default linux
prompt 0
timeout 1
label linux
kernel /kernel
initrd /ramdisk
append {cmdline} LABPORT=0xe9
"""


class _Channel:
    """An output of Bochs, to be read as a file or as a socket."""

    def __init__(self, fd):
        self._fd = fd

    def fileno(self):
        """For select."""
        return self._fd

    def read1(self, size):
        """What has arrived; nothing once the other side is gone."""
        return os.read(self._fd, size)

    recv = read1

    def close(self):
        """Give it back."""
        os.close(self._fd)


def _iso(folder, kernel, ramdisk, cmdline):
    """A CD that boots @kernel."""
    tree = folder / "cd"
    (tree / "isolinux").mkdir(parents=True)
    for source in isolinux():
        shutil.copy(source, tree / "isolinux")
    (tree / "isolinux/isolinux.cfg").write_text(ISOLINUX.format(cmdline=cmdline), encoding="ascii")
    os.link(ramdisk, tree / "ramdisk")
    shutil.copy(kernel, tree / "kernel")
    done = subprocess.run(["xorriso", "-as", "mkisofs", "-quiet", "-o", str(folder / "cd.iso"),
                           "-b", "isolinux/isolinux.bin", "-c", "isolinux/boot.cat",
                           "-no-emul-boot", "-boot-load-size", "4", "-boot-info-table", str(tree)],
                          text=True, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        raise LabError(f"xorriso failed:\n{done.stdout}")
    return folder / "cd.iso"


class Emulator:
    """A running Bochs; the counterpart of qemu.Emulator."""

    patience = 6

    def __init__(self, options, kernel, ramdisk, cmdline, folder):
        for name in ("bochs", "xorriso"):
            if not shutil.which(name):
                raise LabError(f"{name} is missing: selftests/lab/packages installs it")
        os.mkfifo(folder / "console")
        self.console = _Channel(os.open(folder / "console", os.O_RDONLY | os.O_NONBLOCK))
        (folder / "go").write_text("c\n", encoding="ascii")	# Debian's build stops in its debugger
        (folder / "rc").write_text(CONFIG.format(
            model=MODELS[options.machine], cpus=options.cpus,
            ips=options.ips or INSTRUCTIONS_PER_SECOND,
            iso=_iso(folder, kernel, ramdisk, cmdline), console=folder / "console",
            log=folder / "log"), encoding="ascii")
        self.process = subprocess.Popen(["bochs", "-q", "-f", str(folder / "rc"),
                                         "-rc", str(folder / "go")], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.control = _Channel(os.dup(self.process.stdout.fileno()))
        self.process.stdout.close()
        self.shutdown_reason = None

    def messages(self):
        """There is no monitor."""
        return []

    def registers(self):
        """There is no monitor."""
        return None

    def end(self, _seconds):
        """The machine has no way to switch Bochs off in an orderly way: end it by its pid."""
        if self.process.poll() is None:
            self.process.kill()
        return self.process.wait()

    def close(self):
        """Give everything back, whatever state the emulator is in."""
        self.end(0)
        for channel in (self.control, self.console, self.process.stderr):
            channel.close()
