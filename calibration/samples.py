"""The crops that calibrate, on disk: ``samples/template/00000.png``, ``samples/search/00000.png``, ``samples.json``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, List, Sequence

import cv2
from tqdm import tqdm

from calibration.sampler import Choice, Crops, cut
from siamtrt import Array, ArtifactError, ModelCard
from siamtrt.files import read_json, whole_file, write_text

FILE_NAME = "samples.json"
FOLDER = "samples"
_KINDS = ("template", "search", "search_lost")


class Samples:
    """The samples of one calibration folder.

    Args:
        out: the calibration folder.
        key: what they depend on; JSON-ready.
    """

    def __init__(self, out: Path, key: Dict[str, Any]) -> None:
        self._out, self._key = out, key
        self.path = out / FILE_NAME
        self.entries: List[Dict[str, Any]] = []

    def load(self) -> bool:
        """Take over what an earlier run with the same key has cut, and say whether there was such."""
        if not self.path.is_file():
            return False
        document = read_json(self.path)
        if document.get("key") != self._key or not isinstance(document.get("samples"), list):
            return False
        self.entries = document["samples"]
        return True

    def write(self, choices: Sequence[Choice], card: ModelCard) -> None:
        """Cut and store every crop; the list comes last, so that it declares them complete.

        Raises:
            PipelineError: see :func:`calibration.sampler.cut`.
        """
        self.path.unlink(missing_ok=True)
        for kind in _KINDS:
            for left in (self._out / FOLDER / kind).glob("*.png"):
                left.unlink()
        for index, crops in tqdm(cut(choices, card), total=len(choices), desc="cut", unit="crop"):
            _write_image(self._image("template", index), crops.template)
            for kind, patch in crops.search.items():
                _write_image(self._image(kind, index), patch)
        self.entries = [_entry(choice) for choice in choices]
        write_text(self.path, json.dumps({"key": self._key, "samples": self.entries}, indent=1) + "\n")

    def read(self, index: int) -> Crops:
        """The crops of one sample.

        Raises:
            ArtifactError: one is gone or damaged.
        """
        kinds = [kind for kind in _KINDS[1:] if self._image(kind, index).is_file() or kind == "search"]
        searches = {kind: _read_image(self._image(kind, index)) for kind in kinds}
        return Crops(_read_image(self._image("template", index)), searches)

    def files(self) -> List[str]:
        """The names of all files, relative to the calibration folder."""
        images = [path for kind in _KINDS for path in sorted((self._out / FOLDER / kind).glob("*.png"))]
        return [FILE_NAME, *(path.relative_to(self._out).as_posix() for path in images)]

    def sources(self) -> List[str]:
        """Every name a sampled frame goes by: of its clip, with and without suffix, and of each folder it lies in."""
        clips = {Path(entry["clip"]) for entry in self.entries}
        frames = {Path(entry[frame]) for entry in self.entries for frame in ("template_frame", "search_frame")}
        names = {name for path in clips for name in (*path.parts, path.stem)}
        return sorted(names | {name for path in frames for name in path.parts[:-1]})

    def _image(self, kind: str, index: int) -> Path:
        return self._out / FOLDER / kind / f"{index:05d}.png"


def _entry(choice: Choice) -> Dict[str, Any]:
    return {
        "clip": choice.clip.name,
        "template_frame": choice.template.frame,
        "template_box": str(choice.template.box),
        "search_frame": choice.search.frame,
        "state": str(choice.state),
    }


def _write_image(path: Path, patch: Array) -> None:
    with whole_file(path) as temporary:
        if not cv2.imwrite(str(temporary), patch):
            raise ArtifactError(f"cannot write {path}", hint="free some space, or choose another folder")


def _read_image(path: Path) -> Array:
    patch = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if patch is None:
        raise ArtifactError(f"{path} is gone or damaged", hint="remove samples.json and calibrate anew")
    return patch
