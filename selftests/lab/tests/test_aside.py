# SPDX-License-Identifier: GPL-2.0
"""Long boots beside the others: each runs once, reports come in order and in one piece."""

import contextlib
import io
import threading
import types
import unittest
from unittest import mock

from ringlab import check, ktap
from ringlab.ktap import Result

NAMES = ("a", "b", "c")
GROUPS = [(n, [types.SimpleNamespace(name=name)]) for n, name in enumerate(NAMES)]


class Aside(unittest.TestCase):
    def setUp(self):
        self.ran = []
        self.threads = set()
        self.begun = threading.Event()
        self.go = threading.Event()

    def batch(self, report, numbered, _hosts):
        """Stands for a boot; the first one lasts until the others are done."""
        name = NAMES[numbered[0]]
        self.begun.set()
        self.threads.add(threading.get_ident())
        report.nested(f"begin {name}")
        if name == "a":
            self.go.wait(10)
        self.ran.append(name)
        if name == "b":
            self.go.set()
        report.add(name, [Result("ok" if name != "b" else "failed", name)])
        return name

    def run_all(self, cpus):
        """What is printed, and the batches."""
        out = io.StringIO()
        with contextlib.redirect_stdout(out), \
                mock.patch.object(check, "_run_batch", self.batch), \
                mock.patch.object(check.tools, "image"), \
                mock.patch.object(check.os, "cpu_count", lambda: cpus):
            report = ktap.Report(len(NAMES))
            with check.Aside(GROUPS, {}) as aside:
                if cpus > 1:
                    self.begun.wait(10)
                batches = aside.finish(report)
            report.close()
        return out.getvalue(), batches

    def test_two_cpus(self):
        text, batches = self.run_all(2)
        self.assertEqual(batches, list(NAMES))
        self.assertEqual(sorted(self.ran), list(NAMES))
        self.assertEqual(self.ran[-1], "a")
        self.assertEqual(len(self.threads), 2)
        self.assertRegex(text, r"(?s)begin a\nok 1 a\n.*begin b\n.*not ok 2 b\n.*begin c\nok 3 c")
        self.assertIn("2 passed, 1 failed, 0 skipped", text)

    def test_one_cpu(self):
        self.go.set()
        text, batches = self.run_all(1)
        self.assertEqual(batches, list(NAMES))
        self.assertEqual(self.ran, list(NAMES))
        self.assertEqual(len(self.threads), 1)
        self.assertIn("2 passed, 1 failed, 0 skipped", text)

    def test_left_early(self):
        """A failure elsewhere takes back what has not begun."""
        with mock.patch.object(check, "_run_batch", self.batch), \
                mock.patch.object(check.tools, "image"), \
                mock.patch.object(check.os, "cpu_count", lambda: 2):
            with self.assertRaises(ZeroDivisionError):
                with check.Aside(GROUPS, {}):
                    self.begun.wait(10)
                    # not before the others were taken back
                    threading.Timer(0.2, self.go.set).start()
                    raise ZeroDivisionError
        self.assertEqual(self.ran, ["a"])
