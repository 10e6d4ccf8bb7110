# SPDX-License-Identifier: GPL-2.0
"""What "make bench ROWS=modes" makes of what it sees."""

import unittest

from ringlab import modes, qemu
from ringlab.say import LabError

LINES = """\
stopwatch: mark 8.500 [    0.000000] BIOS-provided physical RAM map:
stopwatch: mark 19.500 GUEST-INIT uptime: 14.30
stopwatch: mark 20.000 GUEST-INIT done
stopwatch: mark 21.000 GUEST-WORK dd: 8060
stopwatch: mark 23.500 GUEST-WORK done
stopwatch: mark 23.750 GUEST-BENCH begin
stopwatch: mark 25.000 GUEST-BENCH muldiv 1
stopwatch: mark 26.000 GUEST-BENCH double 2
stopwatch: mark 27.000 GUEST-BENCH muldiv 1
stopwatch: mark 29.000 GUEST-BENCH double 2
stopwatch: end 30.000
""".splitlines()


class Marks(unittest.TestCase):
    def test_rows(self):
        took, said = modes.marks(LINES)
        self.assertEqual(took, {"unpack": 8.5, "boot": 20.0, "workload": 3.5, "muldiv": 1.0,
                                "double": 1.0})
        self.assertEqual(said, {"muldiv": "1", "double": "2"})

    def test_what_is_missing_is_said(self):
        took, _ = modes.marks(LINES[:3])
        self.assertEqual(modes.missing("interp", took, "why"), [])
        self.assertEqual(modes.missing("interp", {}, "why"), ["interp: no unpack: why"])
        self.assertIn("qemu-tcg: no workload, sieve,", modes.missing("qemu-tcg", took, "why")[0])

    def test_ratio(self):
        self.assertEqual(modes.ratio({"a": 3.0, "b": 2.0}, "a", "b").strip(), "1.50")
        self.assertEqual(modes.ratio({"a": 3.0}, "a", "b").strip(), "")


class Clock(unittest.TestCase):
    def test_instructions_a_second(self):
        qemu.HostOptions(ips=modes.IPS).check()
        with self.assertRaises(LabError):
            qemu.HostOptions(ips=300_000_000).check()


if __name__ == "__main__":
    unittest.main()
