# SPDX-License-Identifier: GPL-2.0
"""Guest images, and the verdict on what a guest's init printed."""

import gzip
import os
import re
import secrets

from . import kernels, work
from .cpio import Ramdisk
from .paths import LAB, below
from .say import LabError

APPLETS = ("sh", "mount", "cat", "echo", "grep", "dmesg", "poweroff", "reboot", "ls",
           "setsid", "cttyhack", "ps", "seq", "sleep", "uname", "date", "time", "true",
           "free", "dd", "md5sum")
MARK = "GUEST-INIT "


def initrd(name):
    """The initial ramdisk of guest @name: busybox, guest/init and the workload; built when
    stale."""
    _, arch = kernels.GUESTS[name]
    busybox = kernels.busybox(arch)
    sources = (busybox, LAB / "guest/init", LAB / "guest/workload", LAB / "guest/bench",
               work.program(), LAB / "ringlab/guest.py")
    path = below("guests") / f"{arch}.initrd"
    newest = max(s.stat().st_mtime_ns for s in sources)
    if path.exists() and path.stat().st_mtime_ns == newest:
        return path
    disk = Ramdisk()
    for folder in ("proc", "sys", "tmp", "work"):
        disk.folder(folder)
    disk.device("dev/console", 5, 1)
    disk.device("dev/null", 1, 3)
    disk.device("dev/ttyS0", 4, 64)
    disk.file("bin/busybox", busybox, 0o755)
    for applet in APPLETS:
        disk.link(f"bin/{applet}", "busybox")
    disk.file("init", LAB / "guest/init", 0o755)
    disk.file("bin/workload", LAB / "guest/workload", 0o755)
    disk.file("bin/bench", LAB / "guest/bench", 0o755)
    disk.file("bin/work", work.program(), 0o755)
    plain = path.with_suffix(f".plain.{os.getpid()}")
    disk.write(plain)
    packed = path.with_suffix(f".packed.{os.getpid()}")
    packed.write_bytes(gzip.compress(plain.read_bytes(), 6, mtime=0))
    plain.unlink()
    os.utime(packed, ns=(newest, newest))
    os.replace(packed, path)
    return path


def nonce(text=None):
    """A checked nonce; a random one when none is given."""
    if not text:
        return secrets.token_hex(8)
    if not re.fullmatch(r"[ !#%&()*+,./:;<=>?@\[\]^_{|}~A-Za-z0-9-]{1,64}", text):
        raise LabError("NONCE: up to 64 printable ASCII characters, without quotes, "
                       "backslash, ` and $")
    return text


def append(text, extra="", scale=0):
    """The guest's kernel command line that carries a nonce, and how much work to do."""
    if scale:
        extra = f"{extra} GUEST-WORK={scale}".strip()
    value = f'NONCE="{text}"' if " " in text else f"NONCE={text}"
    return " ".join(filter(None, ("console=ttyS0", value, extra)))


def facts(lines):
    """What the guest's init said: {"version": …, "flags": …, …}."""
    found = {}
    for line in lines:
        if line.startswith(MARK):
            key, _, value = line[len(MARK):].partition(":")
            found[key.strip()] = value.strip()
    return found


def release_of(kernel):
    """The release string a Debian kernel image is named for."""
    return kernel.name.removeprefix("vmlinuz-")


def complaints(name, lines, wanted, scale=0):
    """What is wrong with a guest's output; an empty list if it is what was asked for.

    Only lines its init printed count: the kernel's echo of its command line
    does not begin with the mark.
    """
    got = facts(lines)
    release = release_of(kernels.guest_kernel(name))
    wrong = []
    if not got.get("version", "").startswith(f"Linux version {release} "):
        wrong.append(f"kernel version: wanted {release}, got {got.get('version')!r}")
    flags = set(got.get("flags", "").split())
    need = {"686": {"fpu", "tsc"}, "686-pae": {"fpu", "tsc", "pae"},
            "amd64": {"fpu", "tsc", "lm", "nx"}}[name]
    if not need <= flags:
        wrong.append(f"CPU flags: missing {' '.join(sorted(need - flags))}")
    if got.get("nonce") != wanted:
        wrong.append(f"nonce: wanted {wanted!r}, got {got.get('nonce')!r}")
    if "done" not in got:
        wrong.append("init did not come to its end")
    if scale:
        wrong += [f"workload: {text}" for good, text in work.verdicts(lines, wanted, scale)
                  if not good]
    return wrong
