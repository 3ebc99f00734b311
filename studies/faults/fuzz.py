"""Damage each kind of file and message many times: ``python -m studies.faults.fuzz --engines E --onnx O --ranges R``.

A damaged one is read or refused in one sentence. A traceback, a process that ends or one that hangs is a finding, and
the exit code says so.
"""

from __future__ import annotations

import argparse
import logging
import random
import resource
import sys
import time
import traceback
from dataclasses import asdict, dataclass, field
from multiprocessing import Pipe, Process
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory

from siamtrt import ParityError, PipelineError, cli
from siamtrt.progress import progress_bar
from studies.faults.damage import damaged
from studies.faults.kinds import Kind, kinds
from studies.faults.record import Record

_HANG_S = 60.0
_MOST_MEMORY_BYTES = 6 << 30
_READ, _REFUSED = "read", "refused"


@dataclass
class Tally:
    """What came of the damaged ones of a kind.

    Attributes:
        kind: its name.
        read: how many were taken as they are.
        refused: how many were refused in one sentence.
        findings: number of the case -> what went wrong.
        slowest_s: the longest that one took.
    """

    kind: str
    read: int = 0
    refused: int = 0
    findings: dict[int, str] = field(default_factory=dict)
    slowest_s: float = 0.0


def main(options: argparse.Namespace) -> None:
    """Damage, read, and print a line a kind; exit with 1 where there is a finding."""
    record = Record(options.out, "studies.faults.fuzz", {"count": options.count, "seed": options.seed})
    found = False
    logging.getLogger("serving").setLevel(logging.ERROR)  # each client goes away
    with TemporaryDirectory() as scratch:
        for kind in kinds(options.engines, options.onnx, options.ranges, Path(scratch)):
            if options.only and kind.name not in options.only:
                continue
            known = record.get(kind.name)
            tally = Tally(**known) if known else _tried(kind, options.count, options.seed)
            record.keep(kind.name, asdict(tally), options.engines)
            print(f"{kind.name:20} read {tally.read:5}, refused {tally.refused:5}, findings {len(tally.findings)}")  # noqa: T201
            for number, words in tally.findings.items():
                print(f"  case {number}: {words}")  # noqa: T201
            found = found or bool(tally.findings)
    if found:
        sys.exit(1)


def case(kind: Kind, seed: int, number: int) -> bytes:
    """The damaged content of one case."""
    rng = random.Random(f"{kind.name} {seed} {number}")
    return damaged(rng, rng.choice(kind.originals))


def outcome(kind: Kind, content: bytes) -> str:
    """Read *content*: what came of it, or the last line of a traceback and where it broke."""
    try:
        kind.read(content)
    except PipelineError:
        return _REFUSED
    except Exception as error:  # noqa: BLE001, any other is what is looked for
        last = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__}: {str(error)[:120]} at {Path(last.filename).name}:{last.lineno}"
    return _READ


def _tried(kind: Kind, count: int, seed: int) -> Tally:
    for whole in kind.originals:
        if outcome(kind, whole) != _READ:
            raise ParityError(f"a whole {kind.name} is not read: {outcome(kind, whole)}")
    tally, number = Tally(kind.name), 0
    with progress_bar(desc=kind.name, unit="case", total=count) as progress:
        while number < count:  # anew behind a process that ended
            ours, theirs = Pipe(duplex=False)
            process = Process(target=_reader, args=(kind, seed, number, count, theirs))
            process.start()
            theirs.close()
            while number < count:
                started = time.monotonic()
                words = _answer(ours, process)
                _count(tally, number, words, time.monotonic() - started)
                number += 1
                progress.update()
                if words not in (_READ, _REFUSED) and not process.is_alive():
                    break
            process.join()
    return tally


def _answer(ours: Connection, process: Process) -> str:
    if not ours.poll(_HANG_S):
        process.kill()
        process.join()
        return f"hangs for {_HANG_S:.0f} s"
    try:
        return str(ours.recv())
    except EOFError:
        process.join()
        return f"ended the process with {process.exitcode}"


def _count(tally: Tally, number: int, words: str, seconds: float) -> None:
    tally.slowest_s = round(max(tally.slowest_s, seconds), 3)
    if words == _READ:
        tally.read += 1
    elif words == _REFUSED:
        tally.refused += 1
    else:
        tally.findings[number] = words


def _reader(kind: Kind, seed: int, first: int, count: int, answers: Connection) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY_BYTES, _MOST_MEMORY_BYTES))
    for number in range(first, count):
        answers.send(outcome(kind, case(kind, seed, number)))


def _arguments() -> argparse.ArgumentParser:
    arguments = cli.parser("studies.faults.fuzz", "Read damaged files and messages of every kind.")
    arguments.add_argument("--engines", type=Path, required=True, help="for ONNX Runtime, of a small model")
    arguments.add_argument("--onnx", type=Path, required=True, help="its graphs")
    arguments.add_argument("--ranges", type=Path, required=True, help="its calibration")
    arguments.add_argument("--count", type=cli.count, default=1000, help="cases of each kind")
    arguments.add_argument("--seed", type=cli.seed, default=0)
    arguments.add_argument("--only", nargs="+", help="kinds")
    arguments.add_argument("--out", type=Path, help="a JSON file of the outcomes")
    return arguments


if __name__ == "__main__":
    sys.exit(cli.run(main, _arguments()))
