"""``python -m benchmarks collage``: clips put together from real pictures, in the layout of the VOT toolkit."""

from __future__ import annotations

import argparse
from pathlib import Path

from sequences.rendered.collage import SAME_KIND, Material, collage, material
from sequences.rendered.command import MARK, write_shots
from sequences.text import TRUTH
from siamtrt import UsageError, cli


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    parser.add_argument("--objects", type=Path, required=True, help="folders of NAME/*.jpg with a mask NAME/*.png each")
    parser.add_argument("--photographs", type=Path, required=True, help="a folder of *.jpg to put the objects on")
    parser.add_argument("--only", nargs="+", default=[], help="names of the objects to take; all by default")
    parser.add_argument("--skip", nargs="+", default=[], help="names of objects not to take")
    parser.add_argument(
        "--same-kind", type=float, default=SAME_KIND, help="share of rivals surely cut from the object's own video"
    )
    parser.add_argument("--out", type=Path, required=True, help="OUT/collage_SEED/ for each clip")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--clips", type=cli.count, default=1)
    parser.add_argument("--frames", type=cli.count, default=80)


def main(options: argparse.Namespace) -> None:
    """Make the clips that are not there yet and print their folder.

    Raises:
        UsageError: a clip there is of other objects than those that are taken now, or does not say of which.
    """
    if options.frames < 2 or options.first_seed < 0:
        raise UsageError("a clip needs two frames and a seed of at least 0", hint="--frames 80 --first-seed 0")
    if not 0 <= options.same_kind <= 1:
        raise UsageError(f"--same-kind {options.same_kind} is no share", hint="from 0 to 1")
    found = material(options.objects, options.photographs, tuple(options.only), tuple(options.skip))
    for seed in range(options.first_seed, options.first_seed + options.clips):
        folder, mark = options.out / f"collage_{seed:04d}", _mark(seed, found, options)
        if (folder / TRUTH).is_file():
            _require_made_so(folder, mark)
        else:
            shots = collage(found, seed, options.frames, options.same_kind)
            write_shots(folder, shots, options.frames, mark=mark)
    print(options.out)  # noqa: T201


def _mark(seed: int, found: Material, options: argparse.Namespace) -> str:
    """What a clip says of itself, so that nobody has to guess which objects a training saw."""
    taken, skipped = " ".join(found.names), " ".join(sorted(options.skip))
    rivals = "" if options.same_kind == SAME_KIND else f"\nsame kind: {options.same_kind}"
    return f"collage of seed {seed}\nobjects: {taken}\nskipped: {skipped}{rivals}"


def _require_made_so(folder: Path, mark: str) -> None:
    path = folder / MARK
    if not path.is_file() or path.read_text(encoding="utf-8").rstrip("\n") != mark:
        problem = f"{folder} was put together from other objects, or does not say from which"
        raise UsageError(problem, hint="choose another --out, or remove the clip")
