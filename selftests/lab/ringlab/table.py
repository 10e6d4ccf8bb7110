# SPDX-License-Identifier: GPL-2.0
"""Reads tests.toml and turns its entries into tests that can be run and judged."""

import dataclasses
import fnmatch
import shlex
import tomllib
from pathlib import Path

from . import build, guest, kernels, ktap, trace
from .ktap import Result
from .paths import LAB, TOP
from .qemu import HostOptions
from .say import LabError
from .session import Job

KINDS = ("program", "launch", "client", "screen", "shell", "trace")
DEFAULT_BATCH = 4


@dataclasses.dataclass
class Host:
    """A kind of emulated host."""

    options: HostOptions
    batch: int		# tests that one boot carries
    aside: bool		# long: beside the other tests, where the machine has a CPU for it


@dataclasses.dataclass
class Test:
    """One test of the table.  What it needs in the host is in @files."""

    name: str
    host: str
    kind: str
    argument: str
    device: str
    deadline: float
    files: dict
    work: int = 0		# scale of the guest's workload; 0: none
    long: bool = False		# not in "make check", but in "make check-long"
    irqchip: str = "off"	# of a client: QEMU's kernel-irqchip
    smp: int = 1		# and the guest's CPUs
    nonce: str = dataclasses.field(default_factory=guest.nonce)

    def job(self):
        """A fresh job for the emulated host."""
        script = {"program": self._program, "launch": self._launch, "client": self._client,
                  "screen": self._screen, "shell": lambda: self.argument,
                  "trace": lambda: trace.script(self.argument, self.device)}[self.kind]()
        return Job(self.name, script + "\n", self.deadline)

    def _program(self):
        return f"export RINGVM_DEV={self.device}\nexec /lab/bin/{self.argument}"

    def _launch(self):
        return launch_script(self.argument, self.device, self.nonce, scale=self.work)

    def _link(self):
        if self.device == "/dev/kvm":
            return "set -e\n"
        return f"set -e\ntest -c {self.device}\nln -sf {self.device} /dev/kvm\n"

    def _client(self):
        return self._link() + client_script(self.argument, self.nonce, "kvm", scale=self.work,
                                            irqchip=self.irqchip, smp=self.smp)

    def _screen(self):
        return self._link() + f"exec /lab/bin/screen-client {self.argument}"

    def judge(self, job):
        """Results of a job that ran to its end."""
        if self.kind == "program":
            return ktap.parse(self.name, job.output, job.status)
        if self.kind == "trace":
            return trace.judge(self.name, self.argument, job)
        if self.kind == "shell" and any(ktap.PLAN.match(line) for line in job.output):
            return ktap.parse(self.name, job.output, job.status)
        if self.kind == "shell" and job.status == f"exit {ktap.KSFT_SKIP}":
            return [Result("skipped", self.name, job.output[-1] if job.output else "")]
        wrong = [] if job.status == "exit 0" else [job.status]
        if self.kind in ("launch", "client"):
            wrong += guest.complaints(self.argument, job.output, self.nonce, self.work)
        if wrong:
            return [Result("failed", self.name, "; ".join(wrong))]
        return [Result("ok", self.name)]


def launch_script(name, device, nonce, extra="", options="", scale=0):
    """Shell line that boots guest @name with the launcher."""
    return (f"exec ringvm run --device {device} --kernel /guests/{name}.kernel "
            f"--initrd /guests/{name}.initrd --mem 256M {options} "
            f"--append {shlex.quote(guest.append(nonce, extra, scale))}")


def client_script(name, nonce, accel, extra="", scale=0, irqchip="off", smp=1):
    """Shell line that boots guest @name with Debian's QEMU."""
    machine = f"pc,kernel-irqchip={irqchip}" if accel == "kvm" else "pc"
    return (f"exec qemu-system-x86_64 -accel {accel} -machine {machine} -smp {smp} -m 256M "
            "-nodefaults -nographic -serial stdio -no-reboot "
            f"-kernel /guests/{name}.kernel -initrd /guests/{name}.initrd "
            f"-append {shlex.quote(guest.append(nonce, extra, scale))}")


def _expand(entry, programs):
    """One table entry as tests: a program pattern stands for several."""
    kinds = [k for k in KINDS if k in entry]
    if len(kinds) != 1:
        raise LabError(f"tests.toml: {entry.get('name')}: wants exactly one of {KINDS}")
    kind = kinds[0]
    unknown = set(entry) - {"name", "host", "deadline", "device", "files", "long", "work",
                            "irqchip", "smp", kind}
    if unknown:
        raise LabError(f"tests.toml: {entry['name']}: unknown words {sorted(unknown)}")
    base = {"host": entry["host"], "kind": kind, "device": entry.get("device", ""),
            "deadline": entry["deadline"], "long": entry.get("long", False),
            "work": entry.get("work", 0), "irqchip": entry.get("irqchip", "off"),
            "smp": entry.get("smp", 1)}
    if kind == "program":
        for path in programs:
            if fnmatch.fnmatch(path.name, entry["program"]):
                yield Test(f"{entry['name']}.{path.name}", argument=path.name,
                           files={f"lab/bin/{path.name}": path}, **base)
        return
    files = {"lab/bin/ringvm": build.launcher_path()} if kind in ("launch", "shell") else {}
    for path in entry.get("files", ()):
        files[f"lab/bin/{Path(path).name}"] = TOP / path
    if kind == "trace":
        files.update(trace.files())
    if kind == "screen":
        files["lab/bin/screen-client"] = LAB / "guest/screen-client"
    yield Test(entry["name"], argument=str(entry[kind]), files=files, **base)


def load(programs):
    """(tests in order, {host name: Host})"""
    with open(LAB / "tests.toml", "rb") as handle:
        table = tomllib.load(handle)
    hosts = {}
    for name, words in table["host"].items():
        batch = words.pop("batch", DEFAULT_BATCH)
        aside = words.pop("aside", False)
        try:
            hosts[name] = Host(HostOptions(**words).check(), batch, aside)
        except TypeError as why:
            raise LabError(f"tests.toml: host {name}: {why}") from why
    tests = [t for entry in table["test"] for t in _expand(entry, programs)]
    for test in tests:
        if test.host not in hosts:
            raise LabError(f"tests.toml: {test.name}: no host named {test.host}")
        # There is no tools disk in Bochs, which would have the guests.
        if test.kind == "launch" and hosts[test.host].options.machine != "qemu":
            test.files |= {
                f"tools/guests/{test.argument}.kernel": kernels.guest_kernel(test.argument),
                f"tools/guests/{test.argument}.initrd": guest.initrd(test.argument)}
    return tests, hosts


def batches(tests, hosts):
    """Consecutive tests on the same kind of host, in groups one boot can carry."""
    group = []
    for test in tests:
        if group and (test.host != group[0].host or len(group) >= hosts[test.host].batch):
            yield group
            group = []
        group.append(test)
    if group:
        yield group
