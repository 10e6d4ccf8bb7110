#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Host instructions per guest instruction, counted by callgrind.

cost.py PROGRAM [LOOP...]     a table of all loops, or of some
cost.py --check PROGRAM       KTAP: the simple mixes against the limit

callgrind counts every instruction that the program executes: the figures repeat
exactly, whatever else the machine does.  They hold for the compiler and flags
of the userspace build.
"""
import re
import subprocess
import sys
import tempfile

LIMIT = 60      # a simple instruction: mov, add, taken branch
CHECKED = ("simple64", "simple32")
FEW, MANY = 20000, 60000


def count(program, loop, n):
    """(host instructions, guest instructions) of one run."""
    with tempfile.TemporaryDirectory() as tmp:
        run = subprocess.run(
            ["valgrind", "--tool=callgrind", f"--callgrind-out-file={tmp}/out",
             program, loop, str(n)], capture_output=True, text=True, check=True)
    return int(re.search(r"Collected : (\d+)", run.stderr)[1]), int(run.stdout)


def cost(program, loop):
    few, many = count(program, loop, FEW), count(program, loop, MANY)
    return (many[0] - few[0]) / (many[1] - few[1])


def main():
    args = sys.argv[1:]
    check = args[:1] == ["--check"]
    program, *only = args[1:] if check else args
    listed = subprocess.run([program], capture_output=True, text=True, check=True).stdout
    what = dict(line.split("\t") for line in listed.splitlines())
    bad = 0
    if check:
        print(f"KTAP version 1\n1..{len(CHECKED)}")
        for i, loop in enumerate(CHECKED, 1):
            c = cost(program, loop)
            print(f"# {what[loop]}: {c:.1f} host instructions each, at most {LIMIT}")
            print(f"{'ok' if c <= LIMIT else 'not ok'} {i} cost_of_{loop}")
            bad += c > LIMIT
        return bad
    for loop in only or what:
        print(f"{loop:10} {cost(program, loop):8.1f}  {what[loop]}", flush=True)
    return 0


sys.exit(main())
