"""``python -m benchmarks collage``: clips put together from real pictures, in the layout of the VOT toolkit."""

from __future__ import annotations

import argparse
from pathlib import Path

from sequences.rendered.collage import collage, material
from sequences.rendered.command import write_shots
from siamtrt import UsageError, cli


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    parser.add_argument("--objects", type=Path, required=True, help="folders of NAME/*.jpg with a mask NAME/*.png each")
    parser.add_argument("--photographs", type=Path, required=True, help="a folder of *.jpg to put the objects on")
    parser.add_argument("--only", nargs="+", default=[], help="names of the objects to take; all by default")
    parser.add_argument("--skip", nargs="+", default=[], help="names of objects not to take")
    parser.add_argument("--out", type=Path, required=True, help="OUT/collage_SEED/ for each clip")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--clips", type=cli.count, default=1)
    parser.add_argument("--frames", type=cli.count, default=80)


def main(options: argparse.Namespace) -> None:
    """Make the clips that are not there yet and print their folder."""
    if options.frames < 2 or options.first_seed < 0:
        raise UsageError("a clip needs two frames and a seed of at least 0", hint="--frames 80 --first-seed 0")
    found = material(options.objects, options.photographs, tuple(options.only), tuple(options.skip))
    for seed in range(options.first_seed, options.first_seed + options.clips):
        folder = options.out / f"collage_{seed:04d}"
        if not (folder / "groundtruth.txt").is_file():
            shots = collage(found, seed, options.frames)
            write_shots(folder, shots, options.frames, mark=f"collage of seed {seed}")
    print(options.out)  # noqa: T201
