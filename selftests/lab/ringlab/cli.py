# SPDX-License-Identifier: GPL-2.0
"""The command line of the lab."""

import argparse
import os
import sys

from . import archive, bench, bochs, boot, build, check, demo, dkms, kernels, tools
from .qemu import HostOptions
from .paths import below
from .say import LabError, say, show
from .session import CRASH, DIED, FAIL, PASS, TIMEOUT, Job

STATUS = {PASS: 0, FAIL: 1, TIMEOUT: 124, CRASH: 4, DIED: 3}


def _host_arguments(parser):
    host = parser.add_argument_group("the emulated host")
    host.add_argument("--machine", default="qemu", choices=("qemu", *bochs.MODELS),
                      help="the emulator (default: qemu); Bochs is slow, takes none of the options "
                           "on the CPU, and brings busybox's programs alone")
    host.add_argument("--svm", action=argparse.BooleanOptionalAction, default=True,
                      help="AMD-V with nested paging (default: yes)")
    host.add_argument("--smap", action=argparse.BooleanOptionalAction, default=True,
                      help="supervisor-mode access prevention (default: yes); costs an "
                           "interpreted guest much time")
    host.add_argument("--la57", action=argparse.BooleanOptionalAction, default=False,
                      help="five-level page tables (default: no)")
    host.add_argument("--model", default="max", metavar="NAME",
                      help="another of QEMU's CPU models, such as Haswell-noTSX")
    host.add_argument("--features", default="", metavar="WORDS",
                      help="CPU features, in QEMU's words: --features=-umip,-smep")
    host.add_argument("--cpus", type=int, default=1, choices=(1, 2))
    host.add_argument("--mem", default="2G", help="memory (default: 2G)")
    host.add_argument("--ips", type=int, default=0,
                      help="instructions to a second of the host's clock.  Bochs: default "
                           f"{bochs.INSTRUCTIONS_PER_SECOND}, guests there want ten times as many; "
                           "QEMU: 10^9 divided by 1, 2, 4 ... (default: by the wall clock)")
    host.add_argument("--append", default="", metavar="WORDS",
                      help="added to the host's kernel command line")
    host.add_argument("--modules", default="ringvm",
                      choices=("ringvm", "kvm-amd", "both", "none"),
                      help="what to load before the first command (default: ringvm)")
    host.add_argument("--params", default="", help="parameters of ringvm.ko")
    parser.add_argument("--file", action="append", default=[], metavar="FILE[:PLACE]",
                        help="put FILE into the host (default place: /lab/bin/NAME)")
    parser.add_argument("--no-build", action="store_true",
                        help="take module, launcher and selftests as they are")


def _options(args):
    return HostOptions(machine=args.machine, svm=args.svm, la57=args.la57, smap=args.smap,
                       model=args.model, features=args.features,
                       cpus=args.cpus, mem=args.mem, append=args.append, modules=args.modules,
                       params=args.params, ips=args.ips).check()


def _files(args):
    """Files for the host: what was asked for, and the launcher if there is one."""
    files = {}
    if build.launcher_path().exists():
        files["lab/bin/ringvm"] = build.launcher_path()
    for item in args.file:
        source, _, place = item.partition(":")
        if not os.path.isfile(source):
            raise LabError(f"--file: there is no file {source}")
        files[place or f"lab/bin/{os.path.basename(source)}"] = source
    if args.modules in ("ringvm", "both") and not args.no_build:
        build.module()
    return files


def _report(session):
    """Say how a session went; the exit status for it."""
    outcome = PASS
    for job in session.jobs:
        if job.outcome != PASS:
            outcome = job.outcome
            say(f"{job.name}: {job.outcome} ({job.status})")
            break
    for text in session.reports:
        say(f"host: {text}")
    if outcome == CRASH:
        say("the end of the host's console:")
        for line in session.console[-60:]:
            say(f"  {line}")
    for line in session.dirty + [line for job in session.jobs for line in job.dirty]:
        say(f"host's kernel log: {line}")
        if outcome == PASS:
            outcome = FAIL
    if outcome == PASS:
        say("pass")
    return STATUS.get(outcome, 1)


def _run(args):
    words = [w for w in args.command if w != "--"] if args.command[:1] == ["--"] else args.command
    if not words:
        raise LabError("nothing to run: lab run [options] -- 'shell commands'")
    job = Job("command", " ".join(words) + "\n", args.deadline)
    session = boot.run(_options(args), [job], _files(args), log=args.log)
    say(f"full log: {below('logs') / args.log}.log")
    return _report(session)


def _shell(args):
    return boot.shell(_options(args), _files(args))


def _fetch(_args):
    for role in archive.ROLES:
        archive.debs(role)
    say(f"host kernel {kernels.host_release()}, tools disk {tools.image().name}")
    return 0


def _update(_args):
    archive.update()
    return _fetch(_args)


def _kdir(_args):
    print(kernels.kdir())
    return 0


def _demo(_args):
    return demo.demo(os.environ.get("MODE") or "svm", os.environ.get("GUEST"),
                     os.environ.get("NONCE"))


def _check(args):
    return check.check(args.tests, args.long)


def _bench(args):
    rows = args.rows or (os.environ.get("ROWS") or "").split()
    rounds = os.environ.get("ROUNDS")
    return bench.bench(os.environ.get("GUEST"), int(rounds) if rounds else None, rows)


def _dkms(_args):
    results = dkms.results(show)
    for result in results:
        say(f"{result.name}: {result.state} {result.why}")
    return any(r.state == "failed" for r in results)


def _parser():
    parser = argparse.ArgumentParser(prog="lab", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="run shell commands in an emulated host")
    _host_arguments(run)
    run.add_argument("--deadline", type=float, default=120, help="seconds (default: 120)")
    run.add_argument("--log", default="last", help="name of the log in build/logs")
    run.add_argument("command", nargs=argparse.REMAINDER)
    run.set_defaults(call=_run)
    shell = commands.add_parser("shell", help="interactive shell in an emulated host")
    _host_arguments(shell)
    shell.set_defaults(call=_shell)
    for name, call, text in (
            ("fetch", _fetch, "download and unpack everything"),
            ("update", _update, "move to the archive's current versions"),
            ("kdir", _kdir, "print the KDIR of the host kernel"),
            ("demo", _demo, "boot unmodified guests; MODE, GUEST, NONCE in the environment"),
            ("dkms", _dkms, "add, build, install, remove with DKMS")):
        commands.add_parser(name, help=text).set_defaults(call=call)
    figures = commands.add_parser("bench", help="figures: boot times and loops beside Debian's KVM, "
                                  "the interpreter's cost; GUEST, ROUNDS likewise")
    figures.add_argument("--rows", nargs="+", default=[], choices=tuple(bench.ROWS),
                         help="these alone (else those in $ROWS, else all)")
    figures.set_defaults(call=_bench)
    test = commands.add_parser("check", help="run the tests, or those whose names match")
    test.add_argument("tests", nargs="*", metavar="NAME")
    test.add_argument("--long", action="store_true",
                      help="the tests that take too long for every day, and no others")
    test.set_defaults(call=_check)
    return parser


def main():
    """Entry point; returns the exit status."""
    args = _parser().parse_args()
    try:
        return args.call(args)
    except LabError as why:
        print(f"[lab] {why}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
