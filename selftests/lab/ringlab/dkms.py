# SPDX-License-Identifier: GPL-2.0
"""DKMS in a private folder: add, build, install, remove, and two refusals."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from . import kernels
from .build import environment, make
from .ktap import Result
from .paths import TOP, below
from .say import LabError

REFUSED = 77		# dkms's status for a BUILD_EXCLUSIVE that does not match
NEEDED = ("CONFIG_PREEMPT_NOTIFIERS", "CONFIG_MMU_NOTIFIER")


class Dkms:
    """A DKMS with a tree of its own."""

    def __init__(self, folder, show):
        self.folder = folder
        self.show = show
        self.tree = folder / "tree"
        self.install_tree = folder / "modules"
        self.sources = folder / "root/usr/src"
        self.tree.mkdir()
        # dkms installs only for a kernel that is there
        (self.install_tree / kernels.host_release()).mkdir(parents=True)

    def run(self, *args):
        """One dkms command; returns (status, text)."""
        cmd = ["dkms", *args, "--dkmstree", str(self.tree), "--sourcetree", str(self.sources),
               "--installtree", str(self.install_tree)]
        env = dict(environment(), PATH=os.environ["PATH"] + ":/usr/sbin:/sbin", LC_ALL="C")
        done = subprocess.run(cmd, text=True, env=env, check=False, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for line in done.stdout.splitlines():
            if line and "sign-file" not in line:
                self.show(f"dkms {args[0]}: {line.replace(str(self.folder), '...')}")
        return done.returncode, done.stdout


def _version():
    for line in (TOP / "dkms.conf").read_text(encoding="utf-8").splitlines():
        if line.startswith("PACKAGE_VERSION="):
            return line.split('"')[1]
    raise LabError("dkms.conf: no PACKAGE_VERSION")


def _without(kdir, option, folder):
    """A copy of the kernel's configuration that lacks one option."""
    copy = folder / f"without-{option}"
    copy.mkdir()
    for path in kdir.iterdir():
        (copy / path.name).symlink_to(path)
    (copy / ".config").unlink()
    text = (kdir / ".config").read_text(encoding="utf-8")
    if f"{option}=y\n" not in text:
        raise LabError(f"{kdir}/.config does not have {option}: the test would prove nothing")
    (copy / ".config").write_text(text.replace(f"{option}=y\n", f"# {option} is not set\n"),
                                  encoding="utf-8")
    return copy


def _steps(folder, show):
    """Yield (name, complaint or None) for each step."""
    dkms = Dkms(folder, show)
    make("install-dkms", f"DESTDIR={folder / 'root'}")
    module = f"ringvm/{_version()}"
    release, kdir = kernels.host_release(), kernels.kdir()
    kernel = ["-k", release, "--arch", "x86_64", "--kernelsourcedir", str(kdir)]
    built = dkms.tree / module / release / "x86_64/module"
    installed = dkms.install_tree / release / "updates/dkms"

    status, _ = dkms.run("add", module)
    yield "dkms.add", None if status == 0 else f"exit {status}"

    for option in NEEDED:
        other = _without(kdir, option, folder)
        status, text = dkms.run("build", module, *kernel[:-1], str(other))
        refused = status == REFUSED and "BUILD_EXCLUSIVE" in text and not built.exists()
        yield f"dkms.refuses-without-{option}", None if refused else f"exit {status}"
    status, text = dkms.run("build", module, "-k", "5.10.0-1-amd64", *kernel[2:])
    refused = status == REFUSED and "BUILD_EXCLUSIVE" in text
    yield "dkms.refuses-5.10", None if refused else f"exit {status}"

    status, _ = dkms.run("build", module, *kernel)
    there = list(built.glob("ringvm.ko*"))
    yield "dkms.build", None if status == 0 and there else f"exit {status}, built {there}"
    if status:
        log = dkms.tree / module / "build/make.log"
        for line in log.read_text(errors="replace").splitlines()[-30:]:
            show(line)
        return

    # Its depmod knows /lib/modules only, whatever the install tree.
    status, _ = dkms.run("install", module, *kernel, "--no-depmod")
    there = list(installed.glob("ringvm.ko*"))
    yield "dkms.install", None if status == 0 and there else f"exit {status}, found {there}"

    status, _ = dkms.run("remove", module, "--all", "--no-depmod")
    left = list(installed.glob("ringvm.ko*")) + list(dkms.tree.glob(f"{module}*"))
    yield "dkms.remove", None if status == 0 and not left else f"exit {status}, left {left}"


def results(show):
    """Run it; returns KTAP results."""
    path = os.environ["PATH"] + ":/usr/sbin:/sbin"
    if not shutil.which("dkms", path=path):
        return [Result("skipped", "dkms", "dkms is not installed")]
    with tempfile.TemporaryDirectory(prefix="dkms.", dir=below("dkms")) as name:
        return [Result("failed" if wrong else "ok", step, wrong or "")
                for step, wrong in _steps(Path(name), show)]
