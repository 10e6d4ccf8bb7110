# SPDX-License-Identifier: GPL-2.0
"""Debian packages: resolved and fetched through apt, pinned, cached, re-verified.

apt checks each download against the archive's signed index.  The SHA256 that
the index gave is written down next to the resolved version in pins.json, and
every later use of a cached file is checked against it.  When every pinned
file is present and correct, no network is used at all.
"""

import functools
import hashlib
import json
import os
import subprocess

from .paths import CACHE, KERNEL, locked
from .say import LabError, say

PINS = CACHE / "pins.json"
DEBS = CACHE / "debs"

# role: (architecture, package that Debian keeps pointing at the current version)
ROLES = {
    "host": ("amd64", "linux-image-cloud-amd64"),
    "headers": ("amd64", "linux-headers-cloud-amd64"),
    "guest-686": ("i386", "linux-image-686"),
    "guest-686-pae": ("i386", "linux-image-686-pae"),
    "busybox-amd64": ("amd64", "busybox-static"),
    "busybox-i386": ("i386", "busybox-static"),
    "grub": ("amd64", "grub-rescue-pc"),
    "ipxe": ("amd64", "ipxe"),
    "memtest": ("amd64", "memtest86+"),
    "isolinux": ("amd64", "isolinux"),
    "syslinux": ("amd64", "syslinux-common"),
}


def _apt_conf(arch):
    """Write the configuration that keeps apt inside the cache folder.

    Each architecture has lists of its own: a mirror that is just being updated
    for one of them does not hold up the other.
    """
    apt = CACHE / "apt" / arch
    for sub in ("lists/partial", "cache/archives/partial"):
        (apt / sub).mkdir(parents=True, exist_ok=True)
    (apt / "status").touch()
    conf = apt / "apt.conf"
    conf.write_text(
        f"""#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear APT::Architectures;
#clear DPkg::Post-Invoke;
APT::Architecture "{arch}";
APT::Architectures {{ "{arch}"; }};
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::Retries "3";
Dir::State::Lists "{apt}/lists";
Dir::State::status "{apt}/status";
Dir::Cache "{apt}/cache";
Dir::Log "{apt}";
""", encoding="utf-8")
    return conf


def _apt(arch, tool, *args, cwd=None):
    """Run an apt tool with the lab's own state; return what it printed."""
    cmd = [tool, "-c", str(_apt_conf(arch)), "-q", *args]
    env = dict(os.environ, LC_ALL="C", DEBIAN_FRONTEND="noninteractive")
    done = subprocess.run(cmd, cwd=cwd, env=env, text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        raise LabError(f"{' '.join([tool, *args])} failed:\n{done.stdout}")
    return done.stdout


def _record(package, arch):
    """The archive's newest index entry of a package, as a dict of fields."""
    text = _apt(arch, "apt-cache", "show", "--no-all-versions", package)
    fields = {}
    for line in text.split("\n\n")[0].splitlines():
        if line[:1] not in (" ", "\t") and ":" in line:
            key, value = line.split(":", 1)
            fields[key] = value.strip()
    if "SHA256" not in fields:
        raise LabError(f"the archive index has no SHA256 for {package}")
    return fields


def _linux_depends(fields):
    """Names of the packages from the linux sources that a record depends on."""
    for item in fields.get("Depends", "").split(","):
        name = item.split("|")[0].split("(")[0].strip().split(":")[0]
        if name.startswith(("linux-image-", "linux-headers-", "linux-kbuild-",
                            "linux-compiler-")):
            yield name


def _closure(package, arch):
    """A package and the linux packages below it; meta packages themselves left out."""
    todo, seen, out = [package], set(), []
    while todo:
        name = todo.pop(0)
        if name in seen:
            continue
        seen.add(name)
        fields = _record(name, arch)
        below = list(_linux_depends(fields))
        todo += below
        if not (name == package and below):
            out.append(fields)
    return out


def _resolve(roles):
    """Ask the archive which real packages these roles mean today."""
    say("asking the archive for current versions")
    for arch in ("amd64", "i386"):
        try:
            _apt(arch, "apt-get", "update")
        except LabError as why:
            # One unreachable third-party source must not stop the lab; if the
            # packages themselves are missing, resolving them says so.
            errors = [t for t in str(why).splitlines() if t.startswith(("E:", "Err:"))]
            say(f"note: part of the {arch} index was not updated: {errors[:1]}")
    found = {}
    for role in roles:
        arch, package = ROLES[role]
        found[role] = [{"package": f["Package"], "arch": arch,
                        "version": f["Version"], "sha256": f["SHA256"],
                        "file": os.path.basename(f["Filename"])}
                       for f in _closure(package, arch)]
    return found


def _check(found):
    """Refuse pins under which the module would be built for another kernel."""
    host = [p["package"] for p in found["host"]]
    want = host[0].replace("linux-image-", "linux-headers-")
    if want not in [p["package"] for p in found["headers"]]:
        raise LabError(f"headers and image differ in version: {host[0]}, no {want}")
    return found


def _sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as handle:
        while chunk := handle.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _download(pin):
    """Fetch one pinned package, keep it only if its hash is the pinned one."""
    say(f"downloading {pin['package']} {pin['version']} ({pin['arch']})")
    spool = CACHE / "apt" / "spool"
    spool.mkdir(parents=True, exist_ok=True)
    for left in spool.iterdir():
        left.unlink()
    _apt(pin["arch"], "apt-get", "download", f"{pin['package']}={pin['version']}",
         cwd=spool)
    files = list(spool.iterdir())
    if len(files) != 1 or _sha256(files[0]) != pin["sha256"]:
        raise LabError(f"{pin['package']}: the download is not what the index promised")
    os.replace(files[0], DEBS / pin["file"])


def _load():
    try:
        return json.loads(PINS.read_text(encoding="ascii"))
    except FileNotFoundError:
        return None
    except ValueError as why:
        raise LabError(f"{PINS}: {why}; remove the file and start again") from why


def _store(pins):
    fresh = PINS.with_suffix(".new")
    fresh.write_text(json.dumps(pins, indent=1) + "\n", encoding="ascii")
    os.replace(fresh, PINS)


@functools.cache
def pins():
    """The pinned packages of every role; asks the archive for a role only once.

    A role that is new here leaves the others' pins as they are; one that only
    another version of the lab knows, whose cache this is too, is kept.
    """
    with locked(CACHE):
        have = _load() or {}
        new = [role for role in ROLES if role not in have]
        if new:
            have = _check(have | _resolve(new))
            _store(have)
        return have


def _given(role):
    """The .deb files of a role in the folder that was given, or None."""
    patterns = {"host": ("linux-image-",), "headers": ("linux-headers-", "linux-kbuild-",
                                                       "linux-compiler-")}
    if not KERNEL or role not in patterns:
        return None
    found = sorted(path for path in KERNEL.glob("*.deb") if path.name.startswith(patterns[role]))
    if not found:
        raise LabError(f"RINGVM_KERNEL: no {patterns[role][0]}*.deb in {KERNEL}")
    return found


@functools.cache
def debs(role):
    """Paths of the verified .deb files of a role, fetched when missing."""
    if _given(role):
        return _given(role)
    paths = []
    wanted = pins()[role]
    with locked(CACHE):
        DEBS.mkdir(exist_ok=True)
        for pin in wanted:
            path = DEBS / pin["file"]
            if path.exists() and _sha256(path) != pin["sha256"]:
                say(f"{pin['file']}: the cached copy is damaged")
                path.unlink()
            if not path.exists():
                try:
                    _download(pin)
                except LabError as why:
                    raise LabError(f"{why}\nIf the archive has moved on: make lab-update"
                                   ) from why
            paths.append(path)
    return paths


def identity(role):
    """A short word that changes whenever a role's packages change."""
    if _given(role):
        joined = "".join(f"{path.name} {path.stat().st_size}\n" for path in _given(role))
    else:
        joined = "".join(p["sha256"] for p in pins()[role])
    return hashlib.sha256(joined.encode()).hexdigest()[:12]


def update():
    """Pin the archive's current versions and fetch them; drop files out of use."""
    with locked(CACHE):
        fresh = _check(_resolve(ROLES))
        _store(fresh)
    pins.cache_clear()
    debs.cache_clear()
    for role in ROLES:
        debs(role)
    keep = {p["file"] for entries in fresh.values() for p in entries}
    with locked(CACHE):
        for path in DEBS.iterdir():
            if path.name not in keep:
                path.unlink()
