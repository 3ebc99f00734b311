"""What runs of a tracker through sequences take from the command line, every option declared here and nowhere else."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Collection, Mapping, Sequence

from sequences.annotated import load_sequences
from sequences.rendered.command import write_clip
from sequences.sequence import Sequence as Video
from siamtrt import cli

_CLIP_SEED, _CLIP_FRAMES = 7, 180
_STAND_INS = {"only": "all", "threads": "all cores"}


@dataclass(frozen=True)
class RunOptions:
    """A run as it was asked for.

    Attributes:
        engines: folder written by ``python -m engines``; None where another tracker runs.
        sequences: folder of sequences; None where none is named.
        only: names of the sequences to run; all when empty.
        protocol: name of a protocol, or the path of its file.
        threads: of the CPU backend; all cores when None.
        allow_leak: run on sequences that calibrated or pruned the engines.
    """

    engines: Path | None = None
    sequences: Path | None = None
    only: tuple[str, ...] = ()
    protocol: str = "vot2018"
    threads: int | None = None
    allow_leak: bool = False

    @classmethod
    def of(cls, options: argparse.Namespace) -> RunOptions:
        """The options of a command that declared some of them; the others have their defaults."""
        given = {field.name: getattr(options, field.name) for field in fields(cls) if hasattr(options, field.name)}
        return cls(**{**given, "only": tuple(given.get("only") or ())})

    def folder(self, out: Path) -> Path:
        """The folder of the sequences; where none is named, one with a clip that is rendered below *out*, once."""
        if self.sequences:
            return self.sequences
        clip = out / "sequences" / "clip"
        if not (clip / "groundtruth.txt").is_file():
            write_clip(clip, _CLIP_SEED, _CLIP_FRAMES)
        return clip.parent

    def load(self, folder: Path, *, gaps: bool = False) -> list[Video]:
        """The chosen sequences of *folder*, see :func:`sequences.annotated.load_sequences`."""
        return load_sequences(folder, self.only, gaps=gaps)


def declare(
    parser: argparse.ArgumentParser,
    *names: str,
    required: Collection[str] = (),
    stand_ins: Mapping[str, str] | None = None,
    also: Sequence[str] = (),
) -> None:
    """Declare options by the names of their fields; a command takes those that it heeds, and no others.

    Args:
        parser: of the command.
        names: of fields of :class:`RunOptions`.
        required: the names of options that must be given.
        stand_ins: name -> what stands in for an option that is not given, in words.
        also: other flags for the names of sequences.
    """
    words = {name: f"; {stand_in} by default" for name, stand_in in {**_STAND_INS, **(stand_ins or {})}.items()}
    if "engines" in names:
        about = f"folder written by python -m engines{words.get('engines', '')}"
        parser.add_argument("--engines", type=Path, required="engines" in required, help=about)
    if "sequences" in names:
        about = f"folder of NAME/groundtruth.txt beside images, or NAME/color{words.get('sequences', '')}"
        parser.add_argument("--sequences", type=Path, required="sequences" in required, help=about)
    if "only" in names:
        parser.add_argument("--only", *also, nargs="+", help=f"names of sequences{words['only']}")
    if "protocol" in names:
        about = "vot2016, vot2018, vot2019, or the path of a .json file; %(default)s by default"
        parser.add_argument("--protocol", default=RunOptions.protocol, help=about)
    if "threads" in names:
        parser.add_argument("--threads", type=cli.count, help=f"of the CPU backend{words['threads']}")
    if "allow_leak" in names:
        parser.add_argument(
            "--allow-leak", action="store_true", help="take sequences that calibrated or pruned the engines"
        )
