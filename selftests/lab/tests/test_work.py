# SPDX-License-Identifier: GPL-2.0
"""The guest's workload gives on this machine what ringlab/work.py says, and no mistake passes."""

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

from ringlab import kernels, work
from ringlab.paths import LAB


class Native(unittest.TestCase):
    def run_here(self, arch, nonce, scale):
        """The workload's lines, without an emulator."""
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "bin").mkdir()
            (folder / "work").mkdir()
            (folder / "bin/busybox").symlink_to(kernels.busybox(arch))
            (folder / "bin/work").symlink_to(work.program())
            done = subprocess.run([str(folder / "bin/busybox"), "sh", str(LAB / "guest/workload"),
                                   str(folder / "work"), str(scale), nonce], text=True,
                                  check=True, env={"PATH": str(folder / "bin")}, timeout=120,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return done.stdout.splitlines()

    def test_right(self):
        for arch, nonce, scale in (("i386", "text", 1), ("i386", "two words", 3),
                                   ("amd64", os.urandom(8).hex(), 2)):
            lines = self.run_here(arch, nonce, scale)
            self.assertEqual([t for good, t in work.verdicts(lines, nonce, scale) if not good], [])
            self.assertEqual(len(lines), len(work.expected(nonce, scale)) + 1)


class Verdict(unittest.TestCase):
    def setUp(self):
        self.good = [f"GUEST-WORK {name}: {value}" for name, value in
                     work.expected("abc", 1).items()] + ["GUEST-WORK done"]

    def bad(self, lines):
        return [text for good, text in work.verdicts(lines, "abc", 1) if not good]

    def test_good(self):
        self.assertEqual(self.bad(["[ 1.0] the kernel's", *self.good]), [])

    def test_each_result_is_needed_and_compared(self):
        for i in range(len(self.good)):
            self.assertEqual(len(self.bad(self.good[:i] + self.good[i + 1:])), 1, self.good[i])
        for i in range(len(self.good) - 1):
            lines = list(self.good)
            lines[i] += "0"
            self.assertEqual(len(self.bad(lines)), 1, lines[i])

    def test_too_much(self):
        self.assertEqual(len(self.bad(self.good + self.good[:1])), 1)
        self.assertEqual(len(self.bad(self.good + ["GUEST-WORK other: 1"])), 1)

    def test_another_nonce_has_other_results(self):
        other = work.expected("abd", 1)
        same = {name for name, value in work.expected("abc", 1).items() if other[name] == value}
        # Those that count, and do not compute.
        self.assertEqual(same, {"shell-signals", "shell-killed", "sieve", "entries", "alarms"})


if __name__ == "__main__":
    unittest.main()
