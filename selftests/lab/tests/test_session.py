# SPDX-License-Identifier: GPL-2.0
"""How a session reads the agent's words, and tells one end from another."""

import socket
import subprocess
import tempfile
import unittest
from pathlib import Path

from ringlab import qemu, session
from ringlab.session import CRASH, DIED, FAIL, NOT_RUN, PASS, TIMEOUT, Job, Session


class FakeEmulator:
    """A shell script plays the emulator: its stdout is the console."""

    patience = 1

    def __init__(self, script, control=()):
        self.control, self._far = socket.socketpair()
        self._far.sendall("".join(line + "\n" for line in control).encode())
        self._far.close()
        self.process = subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE)
        self.console = self.process.stdout
        self.shutdown_reason = "guest-shutdown"

    def messages(self):
        return []

    def end(self, seconds):
        return self.process.wait(seconds)

    def close(self):
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdout, self.process.stderr, self.control):
            stream.close()


def play(script, control, *names, reason="guest-shutdown"):
    """Run a session against the fake; returns it."""
    emulator = FakeEmulator(script, control)
    emulator.shutdown_reason = reason
    run = Session(emulator, [Job(n, "", 10) for n in names], lambda job, line: None)
    with tempfile.TemporaryDirectory() as folder:
        run.run(Path(folder) / "log")
    return run


class Outcomes(unittest.TestCase):
    def test_pass_fail_timeout(self):
        run = play("exit 0", ["@ hello", "@ begin a", "> out", "@ end a exit 0",
                              "@ begin b", "@ end b exit 2",
                              "@ begin c", "@ end c timeout", "@ bye"], "a", "b", "c")
        self.assertEqual([j.outcome for j in run.jobs], [PASS, FAIL, TIMEOUT])
        self.assertEqual(run.jobs[0].output, ["out"])
        self.assertIsNone(run.trouble)

    def test_output_cannot_pose_as_the_agent(self):
        run = play("exit 0", ["@ hello", "@ begin a", "> @ end a exit 0", "> k 3 1.0 BUG: x",
                              "@ end a exit 1", "@ bye"], "a")
        self.assertEqual(run.jobs[0].outcome, FAIL)
        self.assertEqual(run.jobs[0].output, ["@ end a exit 0", "k 3 1.0 BUG: x"])
        self.assertEqual(run.jobs[0].dirty, [])

    def test_emulator_aborts(self):
        run = play("echo 'invalid tss type: fatal' >&2; kill -ABRT $$",
                   ["@ hello", "@ begin a"], "a", "b")
        self.assertEqual([j.outcome for j in run.jobs], [DIED, NOT_RUN])
        self.assertIn("invalid tss type", run.trouble[1])

    def test_host_panics(self):
        run = play("echo '[ 1.0] Kernel panic - not syncing: Fatal exception'",
                   ["@ hello", "@ begin a"], "a")
        self.assertEqual(run.jobs[0].outcome, CRASH)

    def test_host_resets_without_a_word(self):
        run = play("exit 0", ["@ hello", "@ begin a"], "a", reason="guest-reset")
        self.assertEqual(run.jobs[0].outcome, CRASH)

    def test_dirty_log_is_the_running_jobs(self):
        run = play("exit 0", ["@ hello", "@ begin a", "@ end a exit 0", "@ begin b",
                              "k 4 3.5 WARNING: CPU: 0 PID: 1 at x.c:1", "k 6 3.6 all is well",
                              "k 12 3.7 WARNING: from userspace", "@ end b exit 0", "@ bye"],
                   "a", "b")
        self.assertEqual([len(j.dirty) for j in run.jobs], [0, 1])


class Registers(unittest.TestCase):
    IDLE = "CPU#0\nRIP=ffffffff81a RFL=00000246 [---Z-P-] CPL=0 II=0 A20=1 SMM=0 HLT=1\n"

    def test_waits_for_a_timer(self):
        self.assertTrue(session.asleep(self.IDLE + self.IDLE))

    def test_is_busy(self):
        self.assertFalse(session.asleep(self.IDLE + self.IDLE.replace("HLT=1", "HLT=0")))
        self.assertFalse(session.asleep(self.IDLE.replace("246", "046")))


class Text(unittest.TestCase):
    def test_terminal_control_is_taken_out(self):
        self.assertEqual(session.clean("\x1b[2J\x1b[1;31mred\x07\tx\x1b(B"), "red\tx")


class Host(unittest.TestCase):
    def test_cpu_words(self):
        self.assertEqual(qemu.HostOptions().cpu(), "max,la57=off")
        self.assertEqual(qemu.HostOptions(la57=True).cpu(), "max")
        self.assertEqual(qemu.HostOptions(svm=False).cpu(), "max,la57=off,-svm")
        self.assertEqual(qemu.HostOptions(svm=False, smap=False).cpu(),
                         "max,la57=off,-svm,-smap")

    def test_refused_combination(self):
        with self.assertRaises(qemu.LabError):
            qemu.HostOptions(la57=True, svm=False).check()



if __name__ == "__main__":
    unittest.main()
