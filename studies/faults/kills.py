"""Kill commands at random moments: ``python -m studies.faults.kills``. Is anything lost that was finished?

Each command is run once undisturbed. Then it is begun again and again in folders of its own, killed by SIGKILL with all
it started at a moment drawn at random, and run again; the fourth run in a folder is left to end. What was finished at a
kill must lie there untouched afterwards, and the end must be that of the undisturbed run.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from siamtrt import ParityError, cli
from siamtrt.progress import progress_bar
from studies.faults.record import Record
from studies.faults.victims import Victim, victims

_RUNS = 4  # in a folder, the last one undisturbed
TRACEBACK = "Traceback (most recent call last)"


@dataclass
class Tally:
    """What came of the kills of a command.

    Attributes:
        name: of it.
        whole_s: seconds of the undisturbed run.
        kills: how many hit it while it ran.
        finished: how many finished pieces lay there at kills, counted at each.
        lost: those of them that were gone, changed or made again later, and ends that differ.
        litter: temporary files that kills left behind.
    """

    name: str
    whole_s: float
    kills: int = 0
    finished: int = 0
    lost: list[str] = field(default_factory=list)
    litter: int = 0


def main(options: argparse.Namespace) -> None:
    """Kill, and print a line a command; exit with 1 where something was lost."""
    options.work.mkdir(parents=True, exist_ok=True)
    record = Record(options.out, "studies.faults.kills", {"kills": options.kills, "seed": options.seed})
    found = False
    for victim in victims(options.work / "inputs"):
        if options.only and victim.name not in options.only:
            continue
        known, kills = record.get(victim.name), options.kills or victim.kills
        tally = Tally(**known) if known else _tried(victim, options.work / victim.name, kills, options.seed)
        record.keep(victim.name, asdict(tally), options.work / "inputs" / "engines")
        print(  # noqa: T201
            f"{tally.name:12} {tally.whole_s:5.1f} s whole, {tally.kills:3} kills, {tally.finished:4} finished pieces, "
            f"{len(tally.lost)} lost {'; '.join(tally.lost)}".rstrip()
        )
        found = found or bool(tally.lost)
    if found:
        sys.exit(1)


def _tried(victim: Victim, folder: Path, kills: int, seed: int) -> Tally:
    shutil.rmtree(folder, ignore_errors=True)
    rng = random.Random(f"{victim.name} {seed}")
    started = time.monotonic()
    _run(victim, folder / "whole", None)
    tally = Tally(victim.name, round(time.monotonic() - started, 2))
    wanted, number = ends_of(victim, folder / "whole"), 0
    with progress_bar(desc=victim.name, unit="kill", total=kills) as progress:
        while tally.kills < kills:
            number += 1
            out = folder / str(number)
            before: dict[str, str] = {}
            for run in range(_RUNS):
                spared = run == _RUNS - 1 or tally.kills == kills
                killed = _run(victim, out, None if spared else rng.uniform(0, tally.whole_s))
                tally.lost += _missing(victim, out, before)
                before = _finished(victim, out)
                if not killed:
                    break
                tally.kills += 1
                tally.finished += len(before)
                progress.update()
            tally.litter += sum(1 for path in out.rglob(".*.partial*"))
            end = ends_of(victim, out)
            differing = sorted(name for name in {*end, *wanted} if end.get(name) != wanted.get(name))
            tally.lost += [f"{name} ends otherwise in {out.name}" for name in differing]
            if not tally.lost:
                shutil.rmtree(out)
    return tally


def _run(victim: Victim, out: Path, moment_s: float | None) -> bool:
    """Run the command; whether it was killed.

    Raises:
        ParityError: it failed by itself, or ended in a traceback.
    """
    command = [sys.executable, "-m", *(word.format(out=out) for word in victim.words.split())]
    log = out.with_suffix(".log")
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", encoding="utf-8") as stream:
        child = subprocess.Popen(command, stdout=stream, stderr=stream, start_new_session=True)
        try:
            code = child.wait(moment_s)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            return True
    printed = log.read_text(encoding="utf-8")
    if code or TRACEBACK in printed:
        raise ParityError(f"{victim.name} failed behind a kill: {printed.strip().splitlines()[-1]}", hint=f"see {log}")
    return False


def _finished(victim: Victim, out: Path) -> dict[str, str]:
    """Pieces that are finished, and by what they are known: content and time, or their whole lines."""
    pieces = {}
    for pattern in victim.pieces:
        for path in out.glob(pattern):
            if not path.name.startswith("."):
                pieces[str(path.relative_to(out))] = f"{path.stat().st_mtime_ns} {_digest(path.read_bytes())}"
    for pattern in victim.growing:
        for path in out.glob(pattern):
            for number, line in enumerate(path.read_bytes().splitlines(keepends=True)):
                if line.endswith(b"\n"):
                    pieces[f"{path.relative_to(out)}:{number}"] = _digest(line)
    return pieces


def _missing(victim: Victim, out: Path, before: dict[str, str]) -> list[str]:
    now = _finished(victim, out)
    return [f"{name} in {out.name}" for name, known in before.items() if now.get(name) != known]


def ends_of(victim: Victim, out: Path) -> dict[str, str]:
    """Digests of what the command ends in."""
    paths = sorted(path for pattern in victim.ends for path in out.glob(pattern) if path.name[0] != ".")
    return {str(path.relative_to(out)): _digest(victim.told(path)) for path in paths}


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _arguments() -> argparse.ArgumentParser:
    arguments = cli.parser("studies.faults.kills", "Kill commands at random moments and run them again.")
    arguments.add_argument("--work", type=Path, default=Path("build/kills"), help="inputs and runs go there")
    arguments.add_argument("--kills", type=cli.count, help="of each command; 50 of all by default")
    arguments.add_argument("--seed", type=cli.seed, default=0)
    arguments.add_argument("--only", nargs="+", help="names of commands")
    arguments.add_argument("--out", type=Path, help="a JSON file of the outcomes")
    return arguments


if __name__ == "__main__":
    sys.exit(cli.run(main, _arguments()))
