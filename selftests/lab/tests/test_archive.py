# SPDX-License-Identifier: GPL-2.0
"""Pins: what is known stays as it is, what is new is asked for."""

import json
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from ringlab import archive
from ringlab.say import LabError

KERNEL = "6.1.0-9-cloud-amd64"


def _pin(package, version="1"):
    return [{"package": package, "arch": "amd64", "version": version, "sha256": "0",
             "file": f"{package}.deb"}]


def _found(version="1"):
    names = {"host": f"linux-image-{KERNEL}", "headers": f"linux-headers-{KERNEL}"}
    return {role: _pin(names.get(role, role), version) for role in archive.ROLES}


class Pins(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.file = Path(folder.name) / "pins.json"
        self.asked = []

        def resolve(roles):
            self.asked.append(sorted(roles))
            return {role: _found("2")[role] for role in roles}

        for name, value in (("CACHE", Path(folder.name)), ("PINS", self.file),
                            ("_resolve", resolve)):
            patch = mock.patch.object(archive, name, value)
            patch.start()
            self.addCleanup(patch.stop)
        archive.pins.cache_clear()
        self.addCleanup(archive.pins.cache_clear)

    def _have(self, pins):
        self.file.write_text(json.dumps(pins), encoding="ascii")

    def test_first_time(self):
        self.assertEqual(archive.pins(), _found("2"))
        self.assertEqual(self.asked, [sorted(archive.ROLES)])
        self.assertEqual(json.loads(self.file.read_text(encoding="ascii")), _found("2"))

    def test_complete_ones_need_no_network(self):
        self._have(_found())
        self.assertEqual(archive.pins(), _found())
        self.assertEqual(self.asked, [])

    def test_only_a_new_role_is_asked_for(self):
        have = _found()
        del have["grub"]
        self._have(have)
        self.assertEqual(archive.pins(), _found() | {"grub": _found("2")["grub"]})
        self.assertEqual(self.asked, [["grub"]])

    def test_a_role_of_another_version_is_kept(self):
        have = _found() | {"other": _pin("other")}
        self._have(have)
        self.assertEqual(archive.pins(), have)
        self.assertEqual(self.asked, [])

    def test_headers_of_another_kernel_are_refused(self):
        have = _found()
        have["host"] = _pin("linux-image-6.1.0-8-cloud-amd64")
        del have["headers"]
        self._have(have)
        with self.assertRaises(LabError):
            archive.pins()
        self.assertEqual(json.loads(self.file.read_text(encoding="ascii")), have)


class Given(unittest.TestCase):
    """RINGVM_KERNEL: packages of another kernel in a folder."""

    def test_packages_come_from_the_folder(self):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            for deb in ("linux-image-7_1_amd64.deb", "linux-headers-7_1_amd64.deb",
                        "linux-kbuild-7_1_amd64.deb"):
                (folder / deb).write_text(deb, encoding="ascii")
            with mock.patch.object(archive, "KERNEL", folder):
                self.assertEqual([p.name for p in archive._given("host")],
                                 ["linux-image-7_1_amd64.deb"])
                self.assertEqual(len(archive._given("headers")), 2)
                self.assertIsNone(archive._given("guest-686"))
                before = archive.identity("host")
                (folder / "linux-image-7_1_amd64.deb").write_text("another", encoding="ascii")
                self.assertNotEqual(archive.identity("host"), before)
                (folder / "linux-image-7_1_amd64.deb").unlink()
                self.assertRaises(LabError, archive._given, "host")


if __name__ == "__main__":
    unittest.main()
