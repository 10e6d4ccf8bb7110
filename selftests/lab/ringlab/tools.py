# SPDX-License-Identifier: GPL-2.0
"""The tools disk: what the emulated host needs and what seldom changes.

One read-only ext4 image, put together from this machine's programs (with the
libraries they name), Debian's busybox, the host kernel's own modules, the
guests' kernels, the GRUB floppy, iPXE and Memtest86+.  It is rebuilt when any of these change.
"""

import functools
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from . import archive, guest, kernels
from .paths import below, locked
from .say import LabError, say

# Programs every run may count on; the optional ones help people in lab-shell.
PROGRAMS = ("bash", "kmod", "qemu-system-x86_64")
OPTIONAL = ("strace", "gdb", "perf")
# Libraries that programs under test may be linked with.
LIBRARIES = ("libc.so.6", "libm.so.6", "libgcc_s.so.1", "libstdc++.so.6", "libutil.so.1",
             "libpthread.so.0", "librt.so.1", "libdl.so.2", "libasan.so.8", "libubsan.so.1")
FIRMWARE = ("/usr/share/seabios/bios*.bin", "/usr/share/seabios/vgabios*.bin",
            "/usr/share/qemu/kvmvapic.bin", "/usr/share/qemu/linuxboot*.bin",
            "/usr/share/qemu/multiboot*.bin", "/usr/share/qemu/sgabios.bin",
            "/usr/lib/x86_64-linux-gnu/qemu/accel-tcg-x86_64.so")
# Modules of the host kernel, as folders and files below kernel/.
MODULES = ("arch/x86", "virt", "drivers/block", "drivers/net/tun.ko", "fs/overlayfs", "fs/fuse")
LIBDIR = Path("/usr/lib/x86_64-linux-gnu")


def libraries(program):
    """Shared objects a program loads, as paths of this machine."""
    done = subprocess.run(["ldd", str(program)], text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    paths = []
    for line in done.stdout.splitlines():
        if "=> not found" in line:
            raise LabError(f"{program}: {line.strip()}")
        path = next((w for w in line.split() if w.startswith("/")), None)
        if path and os.path.exists(path):
            paths.append(path)
    return paths


def in_image(path):
    """The place of a file of this machine in the image: / and /usr are one there."""
    path = str(path)
    if path.startswith(("/bin/", "/sbin/", "/lib/", "/lib64/")):
        path = "/usr" + path
    return path.lstrip("/")


@functools.cache
def _sources():
    """What goes in: {place in the image: file of this machine}."""
    files = {}
    programs = []
    for name in PROGRAMS + OPTIONAL:
        path = shutil.which(name, path="/usr/bin:/usr/sbin:/bin:/sbin")
        if path:
            programs.append(path)
        elif name in PROGRAMS:
            raise LabError(f"{name} is missing on this machine; see selftests/lab/README.md")
    for lib in LIBRARIES:
        if (LIBDIR / lib).exists():
            programs.append(str(LIBDIR / lib))
    for program in programs:
        files[in_image(program)] = program
        for lib in libraries(program):
            files[in_image(lib)] = lib
    for pattern in FIRMWARE:
        for path in Path("/").glob(pattern.lstrip("/")):
            files[in_image(path)] = str(path)
    for applet in ("insmod", "rmmod", "modprobe", "lsmod", "modinfo"):
        files[f"usr/sbin/{applet}"] = files["usr/bin/kmod"]
    files["usr/bin/busybox"] = str(kernels.busybox("amd64"))
    files["guests/grub-floppy.img"] = str(kernels.grub_floppy())
    files["guests/ipxe.lkrn"] = str(kernels.ipxe())
    files["guests/memtest-ia32.bin"] = str(kernels.memtest())
    for name in kernels.GUESTS:
        files[f"guests/{name}.kernel"] = str(kernels.guest_kernel(name))
        files[f"guests/{name}.initrd"] = str(guest.initrd(name))
        files[f"guests/{name}.modules"] = str(guest.modules(name))
    return files


def provides(path):
    """True if the tools disk holds this library of this machine."""
    return in_image(path) in _sources()


def bring_along(disk, programs):
    """Put into a ramdisk what its jobs need where there is no tools disk: a shell with its
    applets, and the libraries of @programs."""
    busybox = kernels.busybox("amd64")
    disk.file("tools/usr/bin/busybox", busybox)
    for name in set(applets(busybox)) - {"busybox"}:
        disk.link(f"tools/usr/bin/{name}", "busybox")
    for folder in ("sbin", "lib", "lib64"):
        disk.folder(f"tools/usr/{folder}")
    for lib in {lib for program in programs for lib in libraries(program)}:
        disk.file(f"tools/{in_image(lib)}", lib)


def applets(busybox):
    """Names under which busybox goes."""
    return subprocess.run([str(busybox), "--list"], text=True, check=True,
                          stdout=subprocess.PIPE).stdout.split()


def _stamp(files):
    """Identity of the image: changes with any input."""
    digest = hashlib.sha256(archive.identity("host").encode())
    digest.update(Path(__file__).read_bytes())
    for place, source in sorted(files.items()):
        info = os.stat(source)
        digest.update(f"{place} {source} {info.st_size} {info.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:12]


def _copy_modules(tree):
    release = kernels.host_release()
    source = kernels.host() / "lib/modules" / release
    target = tree / "usr/lib/modules" / release
    for folder in MODULES:
        place = target / "kernel" / folder
        if folder.endswith(".ko"):
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source / "kernel" / folder, place)
        else:
            shutil.copytree(source / "kernel" / folder, place)
    for name in ("modules.builtin", "modules.builtin.modinfo", "modules.order"):
        shutil.copy(source / name, target / name)
    subprocess.run(["depmod", "-b", str(tree / "usr"), release], check=True)


def _populate(tree, files):
    for place, source in files.items():
        target = tree / place
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
    for name in applets(files["usr/bin/busybox"]):
        if not any((tree / "usr" / sub / name).exists() for sub in ("bin", "sbin")):
            (tree / "usr/bin" / name).symlink_to("busybox")
    _copy_modules(tree)


def image():
    """Path of the tools disk, rebuilt if anything in it has changed."""
    files = _sources()
    folder = below("images")
    path = folder / f"tools-{_stamp(files)}.ext4"
    if path.exists():
        return path
    with locked(folder):
        if path.exists():
            return path
        say("building the tools disk of the emulated host")
        for old in folder.glob("tools-*.ext4"):
            old.unlink()
        with tempfile.TemporaryDirectory(prefix="tools.", dir=folder) as name:
            tree = Path(name) / "tree"
            tree.mkdir()
            _populate(tree, files)
            size = int(subprocess.run(["du", "-sm", str(tree)], check=True, text=True,
                                      stdout=subprocess.PIPE).stdout.split()[0])
            fresh = Path(name) / "image"
            env = dict(os.environ, PATH=os.environ["PATH"] + ":/usr/sbin:/sbin")
            subprocess.run(["mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-m", "0",
                            "-d", str(tree), str(fresh), f"{size + size // 8 + 16}M"],
                           check=True, env=env, stdout=subprocess.DEVNULL)
            os.replace(fresh, path)
    return path
