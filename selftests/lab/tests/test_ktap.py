# SPDX-License-Identifier: GPL-2.0
"""What a test program's output counts for."""

import unittest

from ringlab import ktap


def states(lines, status="exit 0"):
    return [r.state for r in ktap.parse("t", lines, status)]


class Parse(unittest.TestCase):
    def test_plain(self):
        self.assertEqual(states(["KTAP version 1", "1..3", "ok 1 a", "# note",
                                 "ok 2 b # SKIP no such CPU", "ok 3 - c"]),
                         ["ok", "skipped", "ok"])

    def test_names_and_reasons(self):
        results = ktap.parse("t", ["1..2", "ok 1 - a b", "ok 2 c # SKIP why not"], "exit 0")
        self.assertEqual([(r.name, r.why) for r in results],
                         [("t: a b", ""), ("t: c", "why not")])

    def test_failure(self):
        self.assertEqual(states(["1..1", "not ok 1 a"], "exit 1"), ["failed"])

    def test_dies_before_its_plan_is_complete(self):
        self.assertEqual(states(["1..3", "ok 1 a"], "signal 11"), ["ok", "failed"])
        self.assertEqual(states(["1..3", "ok 1 a", "ok 2 b"]), ["ok", "ok", "failed"])

    def test_no_plan(self):
        self.assertEqual(states(["ok 1 a"]), ["ok", "failed"])
        self.assertEqual(states([]), ["failed"])

    def test_status_contradicts(self):
        self.assertEqual(states(["1..1", "ok 1 a"], "exit 1"), ["ok", "failed"])
        self.assertEqual(states(["1..1", "ok 1 a"], "exit 4"), ["ok", "failed"])

    def test_numbers_out_of_order(self):
        self.assertEqual(states(["1..2", "ok 2 b", "ok 1 a"])[-1], "failed")

    def test_all_skipped(self):
        self.assertEqual(states(["1..0 # SKIP no device"], "exit 4"), ["skipped"])

    def test_several_programs(self):
        both = ["KTAP version 1", "1..1", "ok 1 a", "KTAP version 1", "1..2", "ok 1 b"]
        self.assertEqual([r.state for r in ktap.parse_all("t", both, "exit 2")],
                         ["ok", "ok", "failed"])
        self.assertEqual([r.state for r in ktap.parse_all("t", both[:3], "exit 2")],
                         ["ok", "failed"])
        self.assertEqual([r.state for r in ktap.parse_all("t", [], "exit 2")], ["failed"])

    def test_nested_lines_do_not_count(self):
        self.assertEqual(states(["1..1", "  1..2", "  not ok 1 x", "ok 1 a"]), ["ok"])


if __name__ == "__main__":
    unittest.main()
