# SPDX-License-Identifier: GPL-2.0
"""Builds what a run needs: the agent, the module, the launcher, the selftests."""

import os
import subprocess

from . import kernels
from .paths import BUILD, LAB, TOP, below
from .say import LabError, say


def environment():
    """Our environment without what an outer make left in it for its own sub-makes."""
    return {k: v for k, v in os.environ.items()
            if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "KDIR", "OUTPUT")}


def make(*args):
    """Run make at the top of the tree; its output appears when it fails."""
    done = subprocess.run(["make", "-s", "--no-print-directory", f"-j{os.cpu_count()}", *args],
                          cwd=TOP, env=environment(), text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        raise LabError(f"make {' '.join(args)} failed:\n{done.stdout}")


def program(name):
    """Compile one of the lab's own C programs (static: it needs nothing around it)."""
    source = LAB / "agent" / f"{name}.c"
    out = below("agent") / name
    if not out.exists() or out.stat().st_mtime < source.stat().st_mtime:
        done = subprocess.run(["gcc", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror",
                               "-static", "-o", str(out), str(source)], text=True, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode:
            raise LabError(f"{source}:\n{done.stdout}")
    return out


def module():
    """Build ringvm.ko for exactly the kernel the lab boots."""
    kdir = kernels.kdir()
    say(f"building the module for {kernels.host_release()}")
    make("module", "storm", f"KDIR={kdir}")
    return kernels.module_ko()


def launcher_path():
    """Where the launcher's build leaves it."""
    return TOP / "userspace/ringvm"


def launcher():
    """Build the launcher; returns its path."""
    make("launcher")
    return launcher_path()


def selftests():
    """Build the selftest programs; returns their paths, sorted."""
    make("selftests")
    listed = subprocess.run(["make", "-s", "--no-print-directory", "-C", str(TOP / "selftests"),
                             "print-programs"], env=environment(), text=True, check=True,
                            stdout=subprocess.PIPE)
    return [BUILD / "selftests" / name for name in sorted(listed.stdout.split())]
