# SPDX-License-Identifier: GPL-2.0
"""One boot of an emulated host: runs jobs in it, tells their outcomes apart."""

import dataclasses
import re
import selectors
import time

from . import hostlog
from .say import LabError, show

PASS, FAIL, TIMEOUT = "pass", "fail", "timeout"
CRASH = "host-crash"		# oops, panic, BUG or reset of the emulated host
DIED = "emulator-died"		# no verdict: the emulator aborted or stood still
NOT_RUN = "not-run"

BOOT_DEADLINE = 120		# seconds to the agent's first word
SILENCE = 40			# seconds without the agent's heartbeat
GRACE = 40			# what a job may exceed its own deadline by: killing, reporting
MAX_DIRTY = 5			# bad kernel log lines kept for a job; the log has them all
END_DEADLINE = 30		# from the agent's last word to the emulator's end


@dataclasses.dataclass
class Job:
    """One thing to run in the emulated host."""

    name: str
    script: str
    deadline: float
    kind: str = "test"
    outcome: str = NOT_RUN
    status: str = ""
    output: list = dataclasses.field(default_factory=list)
    dirty: list = dataclasses.field(default_factory=list)
    seconds: float = 0.0


class Session:
    """Follows one emulator from start to end.

    @watch is called with (job, line) for each line a job prints, as it comes;
    @ended with (job) as soon as the job has come to an end of its own.
    """

    def __init__(self, emulator, jobs, watch=None, ended=None):
        self.emulator = emulator
        self.jobs = jobs
        self.watch = watch or (lambda job, line: show(line))
        self.ended = ended or (lambda job: None)
        self.console = []	# lines of the first serial port
        self.dirty = []		# bad lines of the host's kernel log outside any job
        self.reports = []	# the agent's remarks
        self.job = None
        self.trouble = None	# (outcome, reason) that ended the session early
        self.victim = None	# the job that was running then
        self._said_hello = False
        self._said_bye = False
        self._partial = {"console": b"", "control": b""}
        self._errors = b""
        self._started = time.monotonic()
        self._heard = None
        self._log = None

    def run(self, log_path):
        """Run to the end; every job has its outcome afterwards."""
        with open(log_path, "w", encoding="utf-8", errors="replace") as self._log:
            try:
                self._follow()
            finally:
                self.emulator.close()
            self._conclude()

    def _follow(self):
        process = self.emulator.process
        selector = selectors.DefaultSelector()
        selector.register(self.emulator.console, selectors.EVENT_READ, "console")
        selector.register(process.stderr, selectors.EVENT_READ, "errors")
        selector.register(self.emulator.control, selectors.EVENT_READ, "control")
        self._heard = time.monotonic()
        while selector.get_map():
            for key, _ in selector.select(0.5):
                read = key.fileobj.recv if key.data == "control" else key.fileobj.read1
                try:
                    data = read(65536)
                except OSError:
                    data = b""
                if data:
                    self._take(key.data, data)
                else:
                    selector.unregister(key.fileobj)
            if process.poll() is not None and not selector.get_map():
                break
            self._watchdog()
            if self.trouble:
                break
            if self._said_bye and time.monotonic() - self._heard > END_DEADLINE:
                break
        self.emulator.messages()
        status = self.emulator.end(5)
        for line in self._errors.decode(errors="replace").splitlines():
            self._write("qemu", line)
        if not self._said_bye and not self.trouble:
            self._explain_end(status)

    def _take(self, channel, data):
        if channel == "errors":
            self._errors += data
            return
        lines = (self._partial[channel] + data).split(b"\n")
        self._partial[channel] = lines.pop()
        for line in lines:
            text = line.decode(errors="replace").rstrip("\r")
            if channel == "console":
                self.console.append(text)
                self._write("console", text)
            else:
                self._heard = time.monotonic()
                self._control(text)

    def _write(self, source, text):
        stamp = time.monotonic() - self._started
        self._log.write(f"{stamp:8.3f} {source:8} {text}\n")
        self._log.flush()

    def _control(self, text):
        if text != "@ beat":
            self._write("agent", text)
        mark, _, rest = text.partition(" ")
        if mark == ">":
            self.job.output.append(rest)
            self.watch(self.job, clean(rest))
        elif mark == "!":
            self.reports.append(rest)
        elif mark == "k":
            priority, stamp, record = (rest.split(" ", 2) + ["", ""])[:3]
            if int(priority) >> 3 == 0 and hostlog.DIRTY.search(record):
                self._blame(f"[{stamp}] {record}")
        elif mark == "@":
            self._event(rest)

    def _event(self, text):
        word, _, rest = text.partition(" ")
        if word == "hello":
            self._said_hello = True
        elif word == "begin":
            self.job = next(j for j in self.jobs if j.name == rest)
            self.job.seconds = -time.monotonic()
        elif word == "end":
            name, status = rest.split(" ", 1)
            self.job.seconds += time.monotonic()
            self.job.status = status
            self.job.outcome = {"exit 0": PASS, "timeout": TIMEOUT}.get(status, FAIL)
            ended, self.job = self.job, None
            self.ended(ended)
        elif word == "stuck":
            self._blame(f"{rest} processes could not be killed")
        elif word == "bye":
            self._said_bye = True

    def _blame(self, line):
        known = (self.job or self).dirty
        if len(known) < MAX_DIRTY:
            known.append(line)

    def _watchdog(self):
        now = time.monotonic()
        patience = self.emulator.patience
        boot, silence = BOOT_DEADLINE * patience, SILENCE * patience
        if hostlog.crashed(self.console) and now - self._heard > 5:
            self.trouble = (CRASH, hostlog.crashed(self.console))
        elif not self._said_hello and now - self._started > boot:
            self._stands_still(f"no sign of life {boot} s after the start")
        elif self._said_hello and not self._said_bye and now - self._heard > silence:
            self._stands_still(f"no heartbeat for {silence} s")
        elif (self.job and self.job.deadline
              and now + self.job.seconds > self.job.deadline * patience + GRACE):
            self.trouble = (TIMEOUT, "the job's deadline passed and the agent did not act")

    def _stands_still(self, why):
        """Nothing moves: is it the emulator or the host's kernel?  Look at its CPUs.

        A CPU that halts with interrupts enabled and is not woken waits for a
        timer the emulator no longer delivers.  A CPU that runs on, or halts
        with interrupts disabled, is busy with something of its own.
        """
        samples = []
        for _ in range(3):
            dump = self.emulator.registers()
            if not dump:
                self.trouble = (DIED, f"{why}; its monitor does not answer")
                return
            samples.append(dump)
        for dump in samples:
            for line in dump.splitlines():
                self._write("monitor", line)
        halted = all(asleep(dump) for dump in samples)
        self.trouble = (DIED, f"{why}; " + (
            "all CPUs halted, timers stopped" if halted else
            "a CPU is busy: see the registers in the log; this may be the host's own lockup"))

    def _explain_end(self, status):
        crash = hostlog.crashed(self.console)
        reason = self.emulator.shutdown_reason
        if crash:
            self.trouble = (CRASH, crash)
        elif status != 0:
            errors = self._errors.decode(errors="replace").strip().splitlines()
            said = next((e for e in errors if re.search("fatal|assert|ERROR|abort", e)),
                        errors[-1] if errors else "no message")
            self.trouble = (DIED, f"status {status}: {said}")
        elif reason == "guest-reset":
            self.trouble = (CRASH, "the host reset itself without a word (triple fault)")
        else:
            self.trouble = (CRASH, f"the host went off early ({reason})")

    def _conclude(self):
        """Hand the session's fate down to its jobs."""
        if not self.trouble:
            return
        outcome, reason = self.trouble
        self._write("lab", f"{outcome}: {reason}")
        victim = self.job or next((j for j in self.jobs if j.outcome == NOT_RUN), None)
        if victim:
            if victim.seconds < 0:
                victim.seconds += time.monotonic()
            victim.outcome = outcome
            victim.status = reason
        self.victim = victim
        self.job = None


def clean(text):
    """A line without terminal control, fit to be shown."""
    text = re.sub(r"\x1b(\[[0-9;?]*[@-~]|[()].|[=>78c])", "", text)
    return "".join(c for c in text if c == "\t" or c.isprintable())


def asleep(dump):
    """True if a register dump shows every CPU halted with interrupts enabled."""
    flags = [int(v, 16) for v in re.findall(r"[RE]FL=([0-9a-f]+)", dump)]
    halts = re.findall(r"HLT=(\d)", dump)
    if not flags or len(flags) != len(halts):
        raise LabError("the monitor's register dump cannot be read")
    return all(h == "1" and f & 0x200 for h, f in zip(halts, flags))
