# SPDX-License-Identifier: GPL-2.0
"""Unpacked packages: the host kernel with its headers, guest kernels, busybox."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from . import archive
from .paths import BUILD, below, locked
from .say import LabError, say


def unpacked(role, fixup=None):
    """The folder with a role's unpacked packages (build/unpacked/ROLE-ID)."""
    debs = archive.debs(role)
    root = below("unpacked")
    folder = root / f"{role}-{archive.identity(role)}"
    if folder.exists():
        return folder
    with locked(root):
        if folder.exists():
            return folder
        for old in root.glob(f"{role}-????????????"):
            shutil.rmtree(old)
        fresh = Path(tempfile.mkdtemp(prefix="fresh.", dir=root))
        for deb in debs:
            say(f"unpacking {deb.name}")
            subprocess.run(["dpkg", "-x", str(deb), str(fresh)], check=True)
        if fixup:
            fixup(fresh, folder)
        fresh.chmod(0o755)
        os.rename(fresh, folder)
    return folder


def _one(folder, pattern):
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        raise LabError(f"{folder}: expected one {pattern}, found {len(found)}")
    return found[0]


def host():
    """Unpacked host kernel: boot/vmlinuz-*, lib/modules/*."""
    return unpacked("host")


def host_release():
    """Release string of the host kernel (uname -r in the emulated host)."""
    return _one(host(), "lib/modules/*").name


def vmlinuz(role):
    """The bzImage of a role that holds a kernel."""
    return _one(unpacked(role), "boot/vmlinuz-*")


def _relink_headers(tree, final):
    """Debian's headers name /usr/src and /usr/lib: make them name @final instead."""
    for makefile in tree.glob("usr/src/linux-headers-*/Makefile"):
        text = makefile.read_text(encoding="utf-8")
        fixed = text.replace("include /usr/src/", f"include {final}/usr/src/")
        if fixed != text:
            makefile.write_text(fixed, encoding="utf-8")
    for path in tree.rglob("*"):
        if path.is_symlink():
            target = os.readlink(path)
            if target.startswith(("/usr/src/", "/usr/lib/linux-")):
                path.unlink()
                path.symlink_to(f"{final}{target}")


def kdir():
    """Folder to give to kbuild as KDIR: the headers of exactly the host kernel."""
    tree = unpacked("headers", _relink_headers)
    folder = tree / "usr/src" / f"linux-headers-{host_release()}"
    text = (folder / "Makefile").read_text(encoding="utf-8")
    if f"include {tree}/" not in text:
        # The clone was moved: the absolute path inside no longer holds.
        shutil.rmtree(tree)
        return kdir()
    return folder


def module_ko():
    """Where the top-level Makefile puts ringvm.ko for the host kernel."""
    return BUILD / f"module-{host_release()}" / "ringvm.ko"


GUESTS = {"686": ("guest-686", "i386"),
          "686-pae": ("guest-686-pae", "i386"),
          "amd64": ("host", "amd64")}


def guest_kernel(name):
    """Path of the unmodified Debian kernel for guest @name."""
    return vmlinuz(GUESTS[name][0])


def busybox(arch):
    """Path of Debian's static busybox of an architecture."""
    return unpacked(f"busybox-{arch}") / "bin/busybox"


def grub_floppy():
    """Path of Debian's GRUB rescue floppy image."""
    return unpacked("grub") / "usr/lib/grub-rescue/grub-rescue-floppy.img"


def ipxe():
    """Path of Debian's iPXE, in the form of a Linux kernel."""
    return unpacked("ipxe") / "boot/ipxe.lkrn"


def isolinux():
    """Paths of what boots a CD: the loader and the library it wants."""
    return (unpacked("isolinux") / "usr/lib/ISOLINUX/isolinux.bin",
            unpacked("syslinux") / "usr/lib/syslinux/modules/bios/ldlinux.c32")


def memtest():
    """Path of Debian's Memtest86+ for 32 bits, in the form of a Linux kernel."""
    return unpacked("memtest") / "boot/memtest86+ia32.bin"
