# SPDX-License-Identifier: GPL-2.0
"""The verdict on a guest: only what its init says counts."""

import os
import subprocess
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from ringlab import guest
from ringlab.paths import LAB
from ringlab.say import LabError

GOOD = ["[    0.0] Command line: console=ttyS0 NONCE=abc",
        "GUEST-INIT uptime: 3.50",
        "GUEST-INIT version: Linux version 6.1.0-9-686 (x@y) (gcc) #1 SMP",
        "GUEST-INIT flags: fpu tsc cx8", "GUEST-INIT nonce: abc", "GUEST-INIT done"]


class Verdict(unittest.TestCase):
    def setUp(self):
        patch = mock.patch("ringlab.kernels.guest_kernel", lambda _: Path("vmlinuz-6.1.0-9-686"))
        patch.start()
        self.addCleanup(patch.stop)

    def test_good(self):
        self.assertEqual(guest.complaints("686", GOOD, "abc"), [])

    def test_each_fact_is_needed(self):
        for fact in ("version", "flags", "nonce", "done"):
            lines = [g for g in GOOD if not g.startswith(f"GUEST-INIT {fact}")]
            self.assertEqual(len(guest.complaints("686", lines, "abc")), 1, fact)

    def test_echo_of_the_command_line_is_no_nonce(self):
        lines = [g for g in GOOD if "nonce" not in g]
        lines.insert(1, "[ 0.1] Command line: GUEST-INIT nonce: abc")
        self.assertTrue(guest.complaints("686", lines, "abc"))

    def test_wrong_nonce_and_kernel(self):
        self.assertTrue(guest.complaints("686", GOOD, "abd"))
        other = [g.replace("6.1.0-9-686", "6.1.0-9-amd64") for g in GOOD]
        self.assertTrue(guest.complaints("686", other, "abc"))


class Nonce(unittest.TestCase):
    def test_random_ones_differ(self):
        self.assertNotEqual(guest.nonce(), guest.nonce(None))

    def test_refused(self):
        for bad in ('a"b', "a\nb", "$x", "`x`", "a\\b", "x" * 65, "é"):
            with self.assertRaises(LabError):
                guest.nonce(bad)

    def test_guest_init_finds_it(self):
        """The shell lines of guest/init that take it out of the command line."""
        script = (LAB / "guest/init").read_text(encoding="utf-8")
        part = script[script.index("set -f"):script.index("flags=")]
        for text in ("abc", "two words", "a*b", "x=y NONCE=z"):
            for extra in ("", "GUEST-SHELL"):
                with tempfile.TemporaryDirectory() as folder:
                    cmdline = Path(folder) / "cmdline"
                    cmdline.write_text(guest.append(guest.nonce(text), extra) + "\n",
                                       encoding="ascii")
                    lines = part.replace("/proc/cmdline", str(cmdline))
                    done = subprocess.run(["sh", "-c", lines + 'echo "$nonce"'], text=True,
                                          check=True, stdout=subprocess.PIPE,
                                          env={"PATH": os.environ["PATH"]})
                self.assertEqual(done.stdout, text + "\n")


if __name__ == "__main__":
    unittest.main()
