"""``python -m benchmarks vot-workspace``: a workspace in which ``vot evaluate`` of the VOT toolkit runs our tracker.

The toolkit starts ``python -m runtime trax`` as its tracker. Checked with ``vot-toolkit`` 0.7.4, ``attributee`` 0.1.9;
in ``vot-toolkit`` 0.8.1 and 0.9.0 reset-based experiments fail with any tracker. Its figures are not quite ours: where
two regions merely touch, PySOT counts a row of pixels and the toolkit none, so a run may fail in another frame; and its
curve ends with the longest piece between failures, PySOT's with the longest sequence.
"""

from __future__ import annotations

import argparse
import configparser
import io
import logging
import re
import shlex
import sys
from pathlib import Path
from typing import List, Optional

from benchmarks.evaluation.leaks import require_no_leak
from benchmarks.evaluation.vot.run import tracker_name
from sequences.annotated import load_sequences
from sequences.sequence import Sequence
from siamtrt import ArtifactError, Manifest, UsageError, cli
from siamtrt.files import write_error, write_text

DEFAULT_STACK = "vot2018/shortterm"
_TIMEOUT_S = 180  # building and loading engines on a board takes its time
_CHECKOUT = Path(__file__).resolve().parents[3]
_TAG_PATTERNS = ("*.tag", "*.label")

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    parser.add_argument("--engines", type=Path, required=True, help="folder written by python -m engines")
    parser.add_argument("--out", type=Path, required=True, help="the workspace; other trackers and results in it stay")
    parser.add_argument("--sequences", type=Path, help="sequences on this disk; the toolkit fetches its own by default")
    parser.add_argument("--stack", default=DEFAULT_STACK, help="one of the toolkit's; %(default)s by default")
    parser.add_argument("--tracker", help="its name in the toolkit; made from the engines by default")
    parser.add_argument("--threads", type=cli.count, help="of the CPU backend; all cores by default")
    parser.add_argument("--allow-leak", action="store_true", help="take sequences that calibrated the engines")


def main(options: argparse.Namespace) -> None:
    """Write the workspace and print its folder."""
    Manifest.load(options.engines, stage="engines")
    name = re.sub(r"[^A-Za-z0-9_-]", "_", options.tracker or tracker_name(options.engines, None))
    if options.sequences:
        sequences = load_sequences(options.sequences)
        require_no_leak(options.engines, sequences, allowed=options.allow_leak)
        _link_sequences(options.out / "sequences", sequences)
    _add_tracker(options.out / "trackers.ini", name, options.engines, options.threads)
    write_text(
        options.out / "config.yaml", f"registry:\n- ./trackers.ini\nsequences: sequences\nstack: {options.stack}\n"
    )
    log.info("next: VOT_RESULTS_BINARY=0 vot evaluate --workspace %s %s", options.out, name)
    print(options.out)  # noqa: T201


def _add_tracker(path: Path, name: str, engines: Path, threads: Optional[int]) -> None:
    """Put the tracker into the registry, beside what is there.

    Raises:
        ArtifactError: the registry is no such file, or cannot be written.
    """
    registry = configparser.ConfigParser(interpolation=None)
    try:
        registry.read(path, encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError) as error:
        raise ArtifactError(f"{path} is not a registry of trackers: {error}", hint="delete it") from error
    command = [sys.executable, "-m", "runtime", "--quiet", "trax", "--engines", str(engines.resolve())]
    if threads is not None:
        command += ["--threads", str(threads)]
    fields = {
        "label": name,
        "protocol": "trax",
        "command": " ".join(map(shlex.quote, command)),
        "timeout": str(_TIMEOUT_S),
        "env_PYTHONPATH": str(_CHECKOUT),  # the toolkit runs trackers in a folder of its own
    }
    registry[name] = {key: value.replace("%", "%%") for key, value in fields.items()}
    text = io.StringIO()
    registry.write(text)
    write_text(path, text.getvalue())


def _link_sequences(folder: Path, sequences: List[Sequence]) -> None:
    for sequence in sequences:
        _link_sequence(folder / sequence.name, sequence)
    write_text(folder / "list.txt", "".join(f"{sequence.name}\n" for sequence in sequences))


def _link_sequence(folder: Path, sequence: Sequence) -> None:
    """Lay *sequence* out as the toolkit wants it, by links to its images and attributes.

    Raises:
        UsageError: the sequence is a video file.
        ArtifactError: the folder cannot be written.
    """
    first = sequence.images[0]
    if not first.is_file():
        raise UsageError(f"{first.parent} is a video file, which the toolkit cannot take", hint="cut it into images")
    suffix = ".png" if first.suffix.lower() == ".png" else ".jpg"
    source = first.parent.parent if first.parent.name in ("color", "img") else first.parent
    tags: List[Path] = [path for pattern in _TAG_PATTERNS for path in source.glob(pattern)]
    try:
        (folder / "color").mkdir(parents=True, exist_ok=True)
        for link in (*folder.iterdir(), *(folder / "color").iterdir()):
            if link.is_symlink():
                link.unlink()
        for number, image in enumerate(sequence.images, start=1):
            (folder / "color" / f"{number:08d}{suffix}").symlink_to(image.resolve())
        for tag in tags:
            (folder / tag.name).symlink_to(tag.resolve())
    except OSError as error:
        raise write_error(folder, error) from error
    regions = (",".join(map(str, region)) for region in sequence.regions)
    write_text(folder / "groundtruth.txt", "".join(f"{region}\n" for region in regions))
    write_text(folder / "sequence", f"channels.color=color/%08d{suffix}\nlength={len(sequence)}\n")
