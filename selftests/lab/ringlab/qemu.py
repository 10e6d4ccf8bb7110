# SPDX-License-Identifier: GPL-2.0
"""One emulated host in QEMU's TCG: command line, channels, inspection, end."""

import dataclasses
import json
import os
import select
import shutil
import socket
import subprocess
import time

from . import bochs
from .paths import KERNEL
from .say import LabError


# {instructions a second: QEMU's -icount shift}
NANOSECONDS = {10 ** 9 >> shift: shift for shift in range(6)}
# How many times as long things may take where a clock counts instructions
ICOUNT_PATIENCE = 6


@dataclasses.dataclass(frozen=True)
class HostOptions:
    """What the emulated host looks like."""

    machine: str = "qemu"	# or one of bochs.MODELS
    svm: bool = True		# AMD-V with nested paging
    cpus: int = 1
    la57: bool = False		# five-level page tables
    smap: bool = True		# STAC and CLAC, which cost an emulator much
    model: str = "max"		# QEMU's name of the CPU
    features: str = ""		# more of its words: -umip,-smep
    append: str = ""		# added to the host's kernel command line
    modules: str = "ringvm"	# ringvm, kvm-amd, both or none
    params: str = ""		# parameters of ringvm.ko
    mem: str = "2G"
    ips: int = 0		# instructions to a second of its clock; 0: Bochs' usual number, QEMU's wall clock

    def check(self):
        """Refuse combinations that cannot work, with the reason."""
        if self.modules not in ("ringvm", "kvm-amd", "both", "none"):
            raise LabError(f"modules: {self.modules!r} is none of ringvm, kvm-amd, both, none")
        if self.cpus not in (1, 2):
            raise LabError("cpus: the emulator is known to hold up with 1 or 2")
        if self.machine not in ("qemu", *bochs.MODELS):
            raise LabError(f"machine: {self.machine!r} is none of qemu, {', '.join(bochs.MODELS)}")
        if self.machine != "qemu" and (self.la57 or self.modules in ("kvm-amd", "both")):
            raise LabError("Bochs has no LA57, and Debian's KVM is not taken along")
        if self.model != "max" and (self.la57 or not self.svm or not self.smap):
            raise LabError(f"--la57, --no-svm and --no-smap are about the model max; {self.model} "
                           "has what it has, and --features changes it")
        if self.machine != "qemu" and (self.model != "max" or self.features):
            raise LabError("Bochs has models of its own: --machine names them")
        if self.machine == "qemu" and self.ips and self.ips not in NANOSECONDS:
            raise LabError("ips: an instruction takes 1, 2, 4 ... 32 ns in QEMU, so it is one of "
                           f"{', '.join(map(str, NANOSECONDS))}")
        if self.la57 and not self.svm:
            raise LabError("the emulator breaks the host's userland with LA57 and no SVM: "
                           "choose one of --la57 and --no-svm")
        return self

    def cpu(self):
        """QEMU's -cpu word."""
        word = self.model
        if self.model == "max":
            word += "" if self.la57 else ",la57=off"
            word += "" if self.svm else ",-svm"
            word += "" if self.smap else ",-smap"
        if self.features:
            word += "," + self.features
        if KERNEL:
            word += ",-cx16"	# its flags are wrong in QEMU 7.2; kernels from 6.5 on use them
        return word

    def describe(self):
        """A short text for progress lines."""
        if self.machine != "qemu":
            return f"{self.machine}, {self.cpus} CPU{'s' * (self.cpus > 1)}, modules: {self.modules}{', ' + self.append if self.append else ''}"
        return (f"{self.cpus} CPU{'s' * (self.cpus > 1)}, {'SVM' if self.svm else 'no SVM'}"
                f"{', LA57' if self.la57 else ''}{'' if self.smap else ', no SMAP'}"
                f"{'' if self.model == 'max' else ', ' + self.model}"
                f"{', ' + self.features if self.features else ''}, modules: {self.modules}"
                f"{', ' + self.append if self.append else ''}")


def cmdline(options):
    """The host kernel's command line.  Its test of the timer is left out: where the emulator
    does not get the CPU for a moment, the kernel would give up with "IO-APIC + timer doesn't
    work"."""
    return ("console=ttyS0 loglevel=5 panic=-1 oops=panic sysrq_always_enabled no_timer_check "
            "8250.nr_uarts=2 " + options.append).strip()


def command(options, kernel, ramdisk, disk):
    """QEMU's command line but for its channels."""
    qemu = shutil.which("qemu-system-x86_64")
    if not qemu:
        raise LabError("qemu-system-x86_64 is missing: apt-get install qemu-system-x86")
    # One thread for all CPUs: with one for each, QEMU 7.2 now and then puts the host's
    # state into a VMCB at an exit (README, known faults).
    # Idle, the clock goes on as ours does: not all at once, or what waits for a disk times out.
    icount = ["-icount", f"shift={NANOSECONDS[options.ips]},sleep=on"] if options.ips else []
    return [qemu, *icount, "-no-user-config", "-nodefaults", "-display", "none", "-no-reboot",
            "-accel", "tcg,thread=single", "-cpu", options.cpu(), "-smp", str(options.cpus),
            "-m", options.mem, "-kernel", str(kernel), "-initrd", str(ramdisk),
            "-append", cmdline(options),
            "-drive", f"if=none,id=tools,format=raw,readonly=on,file={disk}",
            "-device", "nvme,drive=tools,serial=tools"]


class Emulator:
    """A running emulator with three channels: console, control, monitor."""

    def __init__(self, cmd, patience=1):
        self.patience = patience	# how many times as long as usual things may take
        self.control, control_far = socket.socketpair()
        self.monitor, monitor_far = socket.socketpair()
        far = [control_far.fileno(), monitor_far.fileno()]
        cmd = cmd + ["-serial", "stdio",
                     "-chardev", f"socket,id=control,fd={far[0]}", "-serial", "chardev:control",
                     "-chardev", f"socket,id=monitor,fd={far[1]}",
                     "-mon", "chardev=monitor,mode=control"]
        self.process = subprocess.Popen(cmd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, pass_fds=far)
        self.console = self.process.stdout
        control_far.close()
        monitor_far.close()
        self._pending = b""
        self.shutdown_reason = None
        self._ask("qmp_capabilities", 20)

    def messages(self):
        """Take in what the monitor said; remembers why the machine went off."""
        replies = []
        while select.select([self.monitor], [], [], 0)[0]:
            data = self.monitor.recv(65536)
            if not data:
                break
            self._pending += data
        while b"\n" in self._pending:
            line, self._pending = self._pending.split(b"\n", 1)
            message = json.loads(line)
            if message.get("event") == "SHUTDOWN":
                self.shutdown_reason = message["data"].get("reason")
            if "return" in message or "error" in message:
                replies.append(message)
        return replies

    def _ask(self, execute, seconds, **arguments):
        """One monitor command; None if there is no answer within @seconds."""
        try:
            self.monitor.sendall(json.dumps({"execute": execute,
                                             "arguments": arguments}).encode() + b"\n")
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                if select.select([self.monitor], [], [], 0.2)[0]:
                    for reply in self.messages():
                        return reply.get("return", "")
                if self.process.poll() is not None:
                    return None
        except OSError:
            pass
        return None

    def registers(self):
        """The text of the monitor's register dump of all CPUs, or None."""
        return self._ask("human-monitor-command", 10, **{"command-line": "info registers -a"})

    def end(self, seconds):
        """Wait for the emulator to leave, then end it by its pid.  Returns its status."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def close(self):
        """Give everything back, whatever state the emulator is in."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for channel in (self.control, self.monitor, self.process.stdout, self.process.stderr):
            channel.close()


def interactive(cmd, log):
    """Run the emulator on this terminal; the control channel goes to a file."""
    cmd = cmd + ["-serial", "mon:stdio", "-chardev", f"file,id=control,path={log}",
                 "-serial", "chardev:control"]
    return subprocess.run(cmd, check=False, env=dict(os.environ)).returncode
