# SPDX-License-Identifier: GPL-2.0
"""The guest's workload: what guest/workload and guest/work must print, computed here.

Each result depends on the nonce and on nothing else, and is arrived at by other means than
in the guest: Python's integers, hashlib, IEEE 754 by Python's own floats, exact fractions for
the x87.  So a guest whose CPU does something wrong cannot agree by having made the same
mistake on both sides.
"""

import base64
import hashlib
import math
import struct
import subprocess
import zlib

from .paths import LAB, below
from .say import LabError

MARK = "GUEST-WORK "
SOURCES = ("start.S", "main.c", "compute.c", "process.c", "memory.c", "fpu.c")
# Freestanding: there is no C library for i386 where this is built.  Floating point is by SSE
# and operation by operation, as Python does it.
FLAGS = ("-m32", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-ffreestanding", "-fno-pic",
         "-fno-stack-protector", "-fno-asynchronous-unwind-tables", "-fcf-protection=none",
         "-fno-tree-loop-distribute-patterns", "-ffp-contract=off", "-msse2", "-mfpmath=sse",
         "-mstackrealign", "-static", "-nostdlib", "-no-pie", "-Wl,--build-id=none")
M32 = 0xffffffff


def sources():
    """Files that the program is made of."""
    return [LAB / "guest/work" / name for name in SOURCES + ("work.h",)]


def program():
    """The guest's program, compiled when stale."""
    out = below("guests") / "work"
    newest = max(s.stat().st_mtime_ns for s in sources() + [LAB / "ringlab/work.py"])
    if not out.exists() or out.stat().st_mtime_ns < newest:
        done = subprocess.run(["gcc", *FLAGS, "-o", str(out), *map(str, sources()[:-1])],
                              text=True, check=False, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        if done.returncode:
            raise LabError(f"guest/work:\n{done.stdout}")
    return out


# ---- what it must compute -------------------------------------------------------------------

def _sequence(x):
    """Marsaglia's xorshift32."""
    while True:
        x ^= x << 13 & M32
        x ^= x >> 17
        x ^= x << 5 & M32
        yield x


def _next(x):
    return next(_sequence(x))


def _fnv(*values, start=2166136261):
    """FNV-1a of 32-bit words."""
    return _fnv_bytes(struct.pack(f"<{len(values)}I", *values), start)


def _fnv_bytes(data, start=2166136261):
    h = start
    for byte in data:
        h = (h ^ byte) * 16777619 & M32
    return h


def _md5(text):
    return hashlib.md5(text.encode() if isinstance(text, str) else text).hexdigest()


def _lines(items):
    return "".join(f"{item}\n" for item in items)


def _shell(nonce, seed, scale):
    """The shell's own part."""
    x = seed
    for _ in range(500 * scale):
        x = x * 1103515245 + 12345 & 0x7fffffff
    yield "shell-loop", x
    yield "shell-strings", nonce[::-1]
    yield "shell-functions", sum(map(int, str(seed)))
    x = seed
    for i in range(20 * scale):
        x = (x * 31 + i) % 65521
    yield "shell-forks", x
    yield "shell-status", sum((seed + i) % 256 * (i + 1) for i in range(10 * scale))
    yield "shell-signals", 20 * scale
    yield "shell-killed", 128 + 15
    jobs = []
    for i in range(8):
        x = seed + i
        for j in range(20 * scale):
            jobs.append(x)
            x = (x * 7 + j) % 99991
    yield "shell-background", _md5(_lines(sorted(jobs)))


def _programs(seed, scale):
    """Pipes, and programs for numbers."""
    values = sorted({i * seed % 10007 for i in range(1, 200 * scale + 1)})
    turned = (t[1:] + t[0] for t in map(str, values) if "7" not in t)
    yield "pipe", _md5(_lines(turned).translate(str.maketrans("01234", "abcde")))
    yield "fifo", _md5(_lines(range(seed + 100 * scale, seed - 1, -1)))
    items = list(map(str, range(1, 40 * scale + 1)))
    yield "xargs", _md5(_lines(" ".join([str(seed)] + items[i:i + 7])
                               for i in range(0, len(items), 7)))
    x, s, t = seed % 1000, 0.0, 0
    for i in range(1, 200 * scale + 1):
        s = s / 3 + (x + i) / (i + 0.5)
        t = (t * 3 + x * i) % 1000003
    yield "awk", f"{s:.10g} {t}"
    yield "bc", _md5(str(seed * math.factorial(20 * scale)))


def _files(nonce, seed, scale):
    """Files in tmpfs and their checksums."""
    words = _sequence(seed)
    data = b"".join(struct.pack("<I", next(words)) for _ in range(4096 * scale))
    yield "crc32", f"{zlib.crc32(data):08x} bytes"
    for name in ("md5", "sha1", "sha256", "sha512"):
        yield name, hashlib.new(name, data).hexdigest()
    yield "od", max(struct.unpack(f"<{len(data) // 4}I", data))
    text = data.hex()
    yield "hexdump", _md5(_lines(text[i:i + 60] for i in range(0, len(text), 60)))
    blocks = [data[i:i + 4096] for i in range(0, len(data), 4096)]
    yield "dd", _md5(b"".join(reversed(blocks)))
    yield "parts", f"{_md5(data[2000:5000])} {sum(byte > 127 for byte in data)}"
    yield "gzip", _md5(data)
    yield "base64", _md5(base64.encodebytes(data))
    n = 5 * scale
    yield "tree", f"{2 * n} {n} {_md5(_lines(f'{nonce} {i // 2}' for i in range(2 * n)))}"


def _sieve(n):
    composite = bytearray(n)
    primes = []
    for i in range(2, n):
        if not composite[i]:
            primes.append(i)
            composite[2 * i::i] = b"\1" * len(range(2 * i, n, i))
    return f"{len(primes)} {sum(primes) & M32}"


def _muldiv(seed, n):
    x, h = _sequence(seed), 2166136261
    for _ in range(n):
        a, b = next(x), next(x)
        product = a * b
        hi, lo = product >> 32, product & M32
        shifted = product << (a & 31) >> 32 & M32
        quotient, rest = divmod((hi // 2) << 32 | lo, hi | 1)
        first, last = (b & -b).bit_length() - 1, b.bit_length() - 1
        h = _fnv(quotient, rest, shifted ^ first << 8 ^ last, start=h)
    return h


def _pingpong(seed, n):
    value, sent = seed, []
    for _ in range(n):
        value = _next(value)
        sent.append(value)
        value = value + 1 & M32
    return _fnv(*sent)


def _threads(seed, n):
    shared = 0
    for i in range(4):
        x = _sequence(seed + i)
        shared += sum(next(x) for _ in range(n))
    return f"{shared & M32} {4 * n}"


def _signals(seed, n):
    """Signal 10, and another one within the handler of each third."""
    h, count = seed, 0
    for _ in range(n):
        h = _fnv(10 + count, start=h)
        count += 1
        if count % 3 == 0:
            h = _fnv(10 + count, start=h)
            count += 1
    return f"{h} {count}"


# Signal, its code and the exception: ud2, int3, a division by zero, hlt, cli, int $0x30, a
# selector beyond its table, the x87's division by zero (<asm-generic/siginfo.h>).
_SI_KERNEL = 0x80
_EXCEPTIONS = ((4, 2, 6), (5, _SI_KERNEL, None), (8, 1, 0), *((11, _SI_KERNEL, 13),) * 4, (8, 3, 16))


def _faults(seed, n):
    x, h, memory, total = _sequence(seed), seed, {}, 0
    for i in range(n):
        at = next(x) % (64 * 4096) & ~3
        h = _fnv(11 << 8 ^ 2, at, start=h)	# SEGV_ACCERR
        memory[at] = memory.get(at, 0) + i
        total += memory[at]
        for signo, code, trap in _EXCEPTIONS:
            h = _fnv(signo << 8 ^ code, *(() if trap is None else (trap,)), start=h)
    return f"{h} {n * (1 + len(_EXCEPTIONS))} {total & M32}"


def _steps(seed, n):
    """Eight traps a turn: INT 80h itself has none."""
    h, x = 0, seed
    for _ in range(n):
        h ^= x << 13 & M32
        x = _next(x)
    return f"{h} {8 * n}"


def _memory(seed, n):
    x = _sequence(seed)
    parent = [next(x) for _ in range(n)]
    child = [v ^ (i if i % 2 == 0 else 0) for i, v in enumerate(parent)]
    # The mapping grows, and loses its first page.
    moved = parent[1:] + list(range(n, 2 * n))
    return f"{_fnv(*child)} {_fnv(*parent)} {_fnv(*moved)}"


def _file(seed, n):
    size, data, x = 64 << 10, bytearray(64 << 10), seed
    for _ in range(n):
        x = _next(x)
        at = x % (size - 256)
        x = _next(x)
        length = x % 256
        data[at:at + length] = bytes(x + i & 255 for i in range(length))
    return _fnv_bytes(data)


def _ldt(seed, n):
    x = _sequence(seed)
    array = [next(x) for _ in range(64)]
    return _fnv(*(array[(i + k) % 64] for i in range(n) for k in (0, 7)))


def _bits(value):
    return struct.pack(">d", value).hex()


def _double(seed, n):
    x, s = _sequence(seed), 0.0
    for _ in range(n):
        a = float(next(x) >> 1)
        s = s * 0.75 + math.sqrt(a) / (1.0 + a * 1e-6)
    return _bits(s)


def _f32(value):
    """Rounded to single precision; twice rounded is once rounded for these operations."""
    return struct.unpack("f", struct.pack("f", value))[0]


def _single(seed, n):
    x, s, part = _sequence(seed), 0.0, _f32(0.001)
    for _ in range(n):
        a = float(next(x) >> 8)
        quotient = _f32(_f32(math.sqrt(a)) / _f32(1.0 + _f32(a * part)))
        s = _f32(_f32(s * 0.75) + quotient)
    return struct.unpack("I", struct.pack("f", s))[0]


def _signed(word):
    return word - (1 << 32) if word >> 31 else word


def _rounded(a, b, mode):
    """a / b as an integer: to nearest (ties to even), down, up, towards zero."""
    down, rest = divmod(a, b)
    if mode == 0:
        return down + (2 * rest > b or (2 * rest == b and down % 2))
    if mode == 1:
        return down
    return down + (rest != 0 and (mode == 2 or a < 0))


def _round(seed, n, mode):
    x, h = _sequence(seed), 0
    for _ in range(n):
        a = _signed(next(x))
        word = next(x)
        quotient = _rounded(a, word >> 17 | 1, mode)
        value = a * _signed(word) & (1 << 64) - 1 ^ quotient & M32
        h = (h << 7 | h >> 57) & (1 << 64) - 1 ^ value
    return f"{h:016x}"


def _vector(seed, n):
    x, v, mmx = _sequence(seed), [0] * 4, [0] * 4
    for _ in range(n):
        w = [next(x) for _ in range(4)]
        v = [((v[i] ^ w[i]) * (w[i] | 1) + (v[i] >> 7)) & M32 for i in range(4)]
        m = struct.unpack("<4h", struct.pack("<II", w[0], w[1]))
        pairs = [mmx[i] * m[i] + mmx[i + 1] * m[i + 1] for i in (0, 2)]
        halves = struct.unpack("<4h", struct.pack("<II", *(p & M32 for p in pairs)))
        sums = struct.pack("<4H", *(halves[i] + m[i] & 0xffff for i in range(4)))
        mmx = struct.unpack("<4h", sums)
    last = struct.unpack("<Q", struct.pack("<4h", *mmx))[0]
    return f"{v[0]} {v[1]} {v[2]} {v[3]} {last:016x}"


def _work(seed, scale):
    """The program's subcommands, with the counts of guest/workload."""
    x = _sequence(seed)
    yield "sort", _fnv(*sorted(next(x) for _ in range(1000 * scale)))
    yield "sieve", _sieve(20000 * scale)
    yield "muldiv", _muldiv(seed, 1000 * scale)
    yield "forks", sum((_next(seed + i) >> 8 & 255) * i for i in range(1, 10 * scale + 1)) & M32
    x = seed
    for _ in range(10 * scale):
        x = _next(x)
    yield "execs", x
    yield "pingpong", _pingpong(seed, 50 * scale)
    yield "threads", _threads(seed, 50 * scale)
    yield "token", _fnv(*(seed + k + i & M32 for i in range(20 * scale) for k in range(4)))
    yield "entries", f"{100 * scale} of both"
    yield "signals", _signals(seed, 50 * scale)
    yield "faults", _faults(seed, 10 * scale)
    yield "steps", _steps(seed, 20 * scale)
    yield "alarms", "done"
    yield "memory", _memory(seed, 16 * scale)
    yield "file", _file(seed, 50 * scale)
    yield "ldt", _ldt(seed, 50 * scale)
    yield "double", _double(seed, 500 * scale)
    yield "single", _single(seed, 500 * scale)
    yield "x87", _double(seed, 500 * scale)
    yield "round", " ".join(_round(seed + m, 200 * scale, m) for m in range(4))
    yield "vector", _vector(seed, 500 * scale)
    yield "fpswitch", " ".join(f"{_double(seed + m, 100 * scale)} {_round(seed + m, 100 * scale, m)}"
                               for m in range(4))


def expected(nonce, scale):
    """What the workload must print: {name: result}, in its order."""
    seed = int(_md5(nonce)[:7], 16) | 1
    found = {"seed": str(seed)}
    for part in (_shell(nonce, seed, scale), _programs(seed, scale), _files(nonce, seed, scale),
                 _work(seed, scale)):
        found.update((name, str(value)) for name, value in part)
    return found


def verdicts(lines, nonce, scale):
    """[(True or False, text)], one for each result that is to be there, and what is too much."""
    said = {}
    wanted = expected(nonce, scale)
    results = []
    for line in lines:
        if line.startswith(MARK):
            name, colon, value = line[len(MARK):].partition(": ")
            if not colon and name == "done":
                said[name] = ""
            elif name in said or name not in wanted:
                results.append((False, f"{name}: not wanted, or said twice: {value!r}"))
            else:
                said[name] = value
    for name, value in wanted.items():
        if name not in said:
            results.append((False, f"{name}: no result"))
        elif said[name] != value:
            results.append((False, f"{name}: wanted {value!r}, got {said[name]!r}"))
        else:
            results.append((True, f"{name}: {value}"))
    results.append(("done" in said, "came to its end" if "done" in said else "did not come to its end"))
    return results
