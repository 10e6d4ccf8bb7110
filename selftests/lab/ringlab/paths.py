# SPDX-License-Identifier: GPL-2.0
"""Where everything lives.  All state is below build/ (and RINGVM_CACHE)."""

import contextlib
import fcntl
import os
from pathlib import Path

LAB = Path(__file__).resolve().parents[1]
TOP = LAB.parents[1]
BUILD = TOP / "build"
CACHE = Path(os.environ.get("RINGVM_CACHE") or BUILD / "cache").absolute()


def below(*parts):
    """A folder below build/, created when missing."""
    path = BUILD.joinpath(*parts)
    path.mkdir(parents=True, exist_ok=True)
    return path
# A folder with another kernel's packages for the emulated hosts, else None.
KERNEL = os.environ.get("RINGVM_KERNEL") and Path(os.environ["RINGVM_KERNEL"]).absolute()


@contextlib.contextmanager
def locked(folder, name="lock"):
    """Hold an exclusive lock file in @folder: two lab runs may share it."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / name, "w", encoding="ascii") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
