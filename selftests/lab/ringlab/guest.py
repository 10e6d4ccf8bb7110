# SPDX-License-Identifier: GPL-2.0
"""Guest images, and the verdict on what a guest's init printed."""

import gzip
import os
import re
import secrets
import subprocess

from . import kernels, work
from .cpio import Ramdisk
from .paths import LAB, below
from .say import LabError

APPLETS = ("sh", "mount", "cat", "echo", "grep", "dmesg", "poweroff", "reboot", "ls",
           "setsid", "cttyhack", "ps", "seq", "sleep", "uname", "date", "time", "true",
           "free", "dd", "md5sum")
MARK = "GUEST-INIT "
# Drivers a guest with devices loads, and the programs it uses them with.
VIRTIO = ("virtio_pci", "virtio_blk", "virtio_net", "virtio_rng", "virtio_console", "ext4",
          "crc32c_generic")
DEVICE_APPLETS = ("insmod", "basename", "readlink", "cut", "tr", "printf", "head", "tail",
                  "wget", "ip", "udhcpc", "switch_root", "stty", "sync", "wc", "nc",
                  "sed")


def _pack(disk, path, newest):
    """Write a ramdisk compressed, with a date that says what it was made from."""
    plain = path.with_name(f"{path.name}.plain.{os.getpid()}")
    disk.write(plain)
    packed = path.with_name(f"{path.name}.packed.{os.getpid()}")
    packed.write_bytes(gzip.compress(plain.read_bytes(), 6, mtime=0))
    plain.unlink()
    os.utime(packed, ns=(newest, newest))
    os.replace(packed, path)


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
    _pack(disk, path, newest)
    return path


def _module_order(folder, builtin):
    """The .ko files of VIRTIO and what they depend on, as insmod wants them."""
    found = {path.stem.replace("-", "_"): path for path in folder.rglob("*.ko")}
    order = []

    def want(name):
        if name in builtin:
            return
        if name not in found:
            raise LabError(f"{folder}: no module {name}")
        if found[name] in order:
            return
        done = subprocess.run(["/sbin/modinfo", "-F", "depends", str(found[name])], text=True,
                              check=True, stdout=subprocess.PIPE)
        for below_it in filter(None, done.stdout.strip().split(",")):
            want(below_it.replace("-", "_"))
        order.append(found[name])

    for name in VIRTIO:
        want(name)
    return order


def modules(name):
    """A second ramdisk for guest @name, to be put behind the first: its kernel's drivers for
    virtio devices and file systems, and guest/devices, which uses them."""
    role, arch = kernels.GUESTS[name]
    kernel = kernels.guest_kernel(name)
    sources = (kernel, kernels.busybox(arch), LAB / "guest/devices",
               LAB / "guest/dhcp-event", LAB / "ringlab/guest.py")
    path = below("guests") / f"{name}.modules"
    newest = max(s.stat().st_mtime_ns for s in sources)
    if path.exists() and path.stat().st_mtime_ns == newest:
        return path
    folder = kernels.unpacked(role) / "lib/modules" / release_of(kernel)
    builtin = {line.rsplit("/", 1)[-1].removesuffix(".ko").replace("-", "_") for line in
               (folder / "modules.builtin").read_text(encoding="ascii").split()}
    disk = Ramdisk()
    for number, module in enumerate(_module_order(folder, builtin)):
        disk.file(f"lib/virtio/{number:02}-{module.name}", module)
    for applet in DEVICE_APPLETS:
        disk.link(f"bin/{applet}", "busybox")
    disk.file("bin/devices", LAB / "guest/devices", 0o755)
    disk.file("bin/dhcp-event", LAB / "guest/dhcp-event", 0o755)
    _pack(disk, path, newest)
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
