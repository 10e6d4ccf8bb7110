# SPDX-License-Identifier: GPL-2.0
"""Writes initial ramdisks (cpio "newc", Documentation/driver-api/early-userspace)."""

import os
import stat


class Ramdisk:
    """Collects files for an initial ramdisk; folders appear by themselves."""

    def __init__(self):
        self._out = bytearray()
        self._known = set()

    def _entry(self, name, mode, data=b"", rdev=(0, 0)):
        self._known.add(name)
        encoded = name.encode() + b"\0"
        fields = (len(self._known), mode, 0, 0, 1, 0, len(data), 0, 0,
                  *rdev, len(encoded), 0)
        self._out += b"070701" + b"".join(b"%08X" % f for f in fields) + encoded
        self._pad()
        self._out += data
        self._pad()

    def _pad(self):
        self._out += b"\0" * (-len(self._out) % 4)

    def _parents(self, name):
        parent = os.path.dirname(name)
        if parent and parent not in self._known:
            self.folder(parent)

    def folder(self, name):
        """Add an empty folder."""
        name = name.strip("/")
        if name not in self._known:
            self._parents(name)
            self._entry(name, stat.S_IFDIR | 0o755)

    def data(self, name, data, mode=0o644):
        """Add a file from bytes or text."""
        name = name.strip("/")
        if isinstance(data, str):
            data = data.encode()
        self._parents(name)
        self._entry(name, stat.S_IFREG | mode, data)

    def file(self, name, source, mode=None):
        """Add a copy of a file of this machine."""
        with open(source, "rb") as handle:
            if mode is None:
                mode = stat.S_IMODE(os.fstat(handle.fileno()).st_mode)
            self.data(name, handle.read(), mode)

    def link(self, name, target):
        """Add a symbolic link."""
        name = name.strip("/")
        self._parents(name)
        self._entry(name, stat.S_IFLNK | 0o777, target.encode())

    def device(self, name, major, minor):
        """Add a character device node."""
        name = name.strip("/")
        self._parents(name)
        self._entry(name, stat.S_IFCHR | 0o600, rdev=(major, minor))

    def write(self, path):
        """Write the archive, complete or not at all."""
        fresh = f"{path}.{os.getpid()}"
        self._entry("TRAILER!!!", 0)
        with open(fresh, "wb") as handle:
            handle.write(self._out)
        os.replace(fresh, path)
