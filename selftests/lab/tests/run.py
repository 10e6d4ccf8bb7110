#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Runs the lab's own tests and prints KTAP."""

import sys
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
sys.path.insert(0, str(HERE))


def flatten(suite):
    """All tests of a suite, in order."""
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from flatten(item)
        else:
            yield item


def main():
    """Exit status 0 if all passed."""
    tests = list(flatten(unittest.defaultTestLoader.discover(str(HERE), "test_*.py")))
    print("KTAP version 1")
    print(f"1..{len(tests)}")
    bad = 0
    for number, test in enumerate(tests, 1):
        result = unittest.TestResult()
        test.run(result)
        trouble = [text for _, text in result.failures + result.errors]
        for line in "\n".join(trouble).splitlines():
            print(f"# {line}")
        bad += bool(trouble)
        print(f"{'not ok' if trouble else 'ok'} {number} {test.id()}")
    return 1 if bad else 0


sys.exit(main())
