# SPDX-License-Identifier: GPL-2.0
"""Progress lines for people, and the one error type that ends a run."""

import sys


class LabError(Exception):
    """Something the user can act on; the text is all there is to show."""


def say(text):
    """Print one progress line; standard output is left to results."""
    sys.stderr.write(f"[lab] {text}\n")
    sys.stderr.flush()


def show(text):
    """Print one line of output that belongs to a test or to a guest."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
