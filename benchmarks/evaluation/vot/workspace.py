"""A workspace in which ``vot evaluate`` of the VOT toolkit runs our tracker.

The toolkit starts ``python -m runtime trax`` as its tracker. Checked with ``vot-toolkit`` 0.7.4, ``attributee`` 0.1.9;
in ``vot-toolkit`` 0.8.1 and 0.9.0 reset-based experiments fail with any tracker. Its figures are not quite ours: where
two regions merely touch, PySOT counts a row of pixels and the toolkit none, so a run may fail in another frame; and its
curve ends with the longest piece between failures, PySOT's with the longest sequence.
"""

from __future__ import annotations

import configparser
import io
import shlex
import sys
from pathlib import Path

from sequences.sequence import Sequence
from siamtrt import ArtifactError, UsageError
from siamtrt.files import write_error, write_text

_TIMEOUT_S = 180  # building and loading engines on a board takes its time
_CHECKOUT = Path(__file__).resolve().parents[3]
_TAG_PATTERNS = ("*.tag", "*.label")


def add_tracker(path: Path, name: str, engines: Path, threads: int | None) -> None:
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


def link_sequences(folder: Path, sequences: list[Sequence]) -> None:
    """Lay *sequences* out in *folder* as the toolkit wants them, by links to their images and attributes.

    Raises:
        UsageError: a sequence is a video file.
        ArtifactError: the folder cannot be written.
    """
    for sequence in sequences:
        _link_sequence(folder / sequence.name, sequence)
    write_text(folder / "list.txt", "".join(f"{sequence.name}\n" for sequence in sequences))


def _link_sequence(folder: Path, sequence: Sequence) -> None:
    first = sequence.images[0]
    if not first.is_file():
        raise UsageError(f"{first.parent} is a video file, which the toolkit cannot take", hint="cut it into images")
    suffix = ".png" if first.suffix.lower() == ".png" else ".jpg"
    source = first.parent.parent if first.parent.name in ("color", "img") else first.parent
    tags: list[Path] = [path for pattern in _TAG_PATTERNS for path in source.glob(pattern)]
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
