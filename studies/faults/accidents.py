"""What a machine does to commands: ``python -m studies.faults.accidents``.

Two runs of one command in one folder, a disk that is full at one moment and has room at the next, a clock that jumps by
a day at every other reading. Nobody may end in a traceback, and a run that ends well must end as an undisturbed one.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from siamtrt import cli
from studies.faults.kills import TRACEBACK, ends_of
from studies.faults.record import Record
from studies.faults.victims import Victim, victims

_DISKS_KIB = (8, 64, 300, 1500)
_JUMPING_CLOCK = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/time.h>
#include <time.h>
static long jump(void) { static _Atomic unsigned long calls; return calls++ % 2 ? 86400 : -86400; }
int clock_gettime(clockid_t id, struct timespec *now) {
  static int (*real)(clockid_t, struct timespec *);
  if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
  int code = real(id, now);
  if (id == CLOCK_REALTIME) now->tv_sec += jump();
  return code;
}
int gettimeofday(struct timeval *now, void *zone) {
  struct timespec precise;
  clock_gettime(CLOCK_REALTIME, &precise);
  now->tv_sec = precise.tv_sec, now->tv_usec = precise.tv_nsec / 1000;
  return 0;
}
time_t time(time_t *place) {
  struct timespec precise;
  clock_gettime(CLOCK_REALTIME, &precise);
  if (place) *place = precise.tv_sec;
  return precise.tv_sec;
}
"""


@dataclass(frozen=True)
class Outcome:
    """What came of an accident.

    Attributes:
        accident: its kind.
        command: that met it.
        codes: exit codes of the runs.
        finding: what was wrong; None where nothing was.
        skipped: why it was not tried; None where it was.
    """

    accident: str
    command: str
    codes: tuple[int, ...] = ()
    finding: str | None = None
    skipped: str | None = None


def main(options: argparse.Namespace) -> None:
    """Have the accidents, and print a line each; exit with 1 where there is a finding."""
    options.work.mkdir(parents=True, exist_ok=True)
    record, clock, found = Record(options.out, "studies.faults.accidents", {}), _clock(options.work), False
    for victim in victims(options.work / "inputs"):
        if options.only and victim.name not in options.only:
            continue
        known = record.get(victim.name)
        folder = options.work / f"accidents-{victim.name}"
        outcomes = [Outcome(**one) for one in known] if known else _all(victim, folder, clock)
        record.keep(victim.name, [asdict(one) for one in outcomes], options.work / "inputs" / "engines")
        for one in outcomes:
            codes = " ".join(map(str, one.codes))
            print(f"{one.accident:16} {one.command:12} exit {codes:8} {one.finding or one.skipped or 'well'}")  # noqa: T201
        found = found or any(one.finding for one in outcomes)
    if found:
        sys.exit(1)


def _all(victim: Victim, folder: Path, clock: Path | None) -> list[Outcome]:
    shutil.rmtree(folder, ignore_errors=True)
    run = _run(victim, folder / "whole")
    if run.returncode or TRACEBACK in run.stdout:
        return [Outcome("none", victim.name, (run.returncode,), _last(run.stdout))]
    wanted = ends_of(victim, folder / "whole")
    disks = [_full(victim, folder / f"disk-{kib}", wanted, kib) for kib in _DISKS_KIB]
    return [_together(victim, folder / "two", wanted), _jumping(victim, folder / "clock", wanted, clock), *disks]


def _together(victim: Victim, out: Path, wanted: dict[str, str]) -> Outcome:
    """Two at once; one of them may be refused, a third run ends as it should."""
    children = [_start(victim, out) for _ in range(2)]
    printed = [child.communicate()[0] for child in children]
    third = _run(victim, out)
    codes = (*(child.returncode for child in children), third.returncode)
    bad = next((text for text in (*printed, third.stdout) if TRACEBACK in text), None)
    return Outcome("two in a folder", victim.name, codes, _wrong(victim, out, wanted, bad, third.returncode))


def _jumping(victim: Victim, out: Path, wanted: dict[str, str], clock: Path | None) -> Outcome:
    if clock is None:
        return Outcome("clock that jumps", victim.name, skipped="no C compiler here")
    run = _run(victim, out, environment={"LD_PRELOAD": str(clock)})
    bad = run.stdout if TRACEBACK in run.stdout else None
    return Outcome("clock that jumps", victim.name, (run.returncode,), _wrong(victim, out, wanted, bad, run.returncode))


def _full(victim: Victim, out: Path, wanted: dict[str, str], kib: int) -> Outcome:
    """Run on a disk of *kib* KiB, then give it room and run again."""
    name = f"disk of {kib} KiB"
    out.mkdir(parents=True)
    command = " ".join(_command(victim, out))
    script = (
        f"mount -t tmpfs -o size={kib}k none {out} && {command}; echo code $?; "
        f"mount -o remount,size=1g {out} && {command}; echo code $?; cp -r {out} {out}.kept"
    )
    run = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script], capture_output=True, text=True, check=False, env=_environment()
    )
    codes = tuple(int(line.split()[1]) for line in run.stdout.splitlines() if line.startswith("code "))
    if len(codes) != 2:
        return Outcome(name, victim.name, skipped=f"needs 'unshare -rm': {run.stderr.strip()[:80]}")
    bad = run.stdout + run.stderr if TRACEBACK in run.stdout + run.stderr else None
    return Outcome(name, victim.name, codes, _wrong(victim, out.with_name(f"{out.name}.kept"), wanted, bad, codes[1]))


def _wrong(victim: Victim, out: Path, wanted: dict[str, str], bad: str | None, code: int) -> str | None:
    if bad:
        return f"a traceback: {_last(bad)}"
    if code:
        return f"the last run ended with {code}"
    end = ends_of(victim, out)
    differing = sorted(name for name in {*end, *wanted} if end.get(name) != wanted.get(name))
    return f"ends otherwise: {', '.join(differing)}" if differing else None


def _last(printed: str) -> str:
    return printed.strip().splitlines()[-1][:160]


def _command(victim: Victim, out: Path) -> list[str]:
    return [sys.executable, "-m", *(word.format(out=out) for word in victim.words.split())]


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONUNBUFFERED": "1"}


def _start(victim: Victim, out: Path, environment: dict[str, str] | None = None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        _command(victim, out),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**_environment(), **(environment or {})},
    )


def _run(victim: Victim, out: Path, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    child = _start(victim, out, environment)
    printed = child.communicate()[0]
    return subprocess.CompletedProcess(child.args, child.returncode, printed)


def _clock(folder: Path) -> Path | None:
    """A library that makes the clock of a process jump."""
    source, library = folder / "clock.c", folder.resolve() / "clock.so"
    source.write_text(_JUMPING_CLOCK, encoding="utf-8")
    words = ["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"]
    return library if shutil.which("cc") and subprocess.call(words) == 0 else None


def _arguments() -> argparse.ArgumentParser:
    arguments = cli.parser("studies.faults.accidents", "Two runs in a folder, a full disk, a clock that jumps.")
    arguments.add_argument("--work", type=Path, default=Path("build/kills"), help="inputs and runs go there")
    arguments.add_argument("--only", nargs="+", help="names of commands")
    arguments.add_argument("--out", type=Path, help="a JSON file of the outcomes")
    return arguments


if __name__ == "__main__":
    sys.exit(cli.run(main, _arguments()))
