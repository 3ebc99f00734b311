"""The crops that calibrate: cut as the tracker cuts them, kept as ``samples/KIND/00000.png`` for other calibrators.

They are made in ``unfinished`` within the calibration folder; what an earlier request has left there stays whole until
:meth:`Samples.settle` puts the new ones in its place.
"""

from __future__ import annotations

import shutil
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Iterator, Mapping

import cv2
import numpy as np

from calibration.plan import Choice, View
from runtime.crop import crop
from runtime.frames import fill_color
from runtime.matcher import Color
from siamtrt import Array, ArtifactError, ModelCard, UsageError, claim
from siamtrt.files import whole_file, write_error
from siamtrt.geometry import Place, Square, search_square, template_square
from siamtrt.progress import progress_bar

CROPS_NAME, HISTOGRAMS_NAME = "crops.json", "histograms.npz"
FOLDER, _UNFINISHED, _TEMPLATE = "samples", "unfinished", "template"
LOST_EVERY = 20


@dataclass(frozen=True)
class Crops:
    """What one choice gives the graphs; each SxSx3 uint8, BGR.

    Attributes:
        template: of the target graph.
        searches: kind of crop -> crop; that for a lost target is there for one choice in ``LOST_EVERY``.
    """

    template: Array
    searches: dict[str, Array]


class Samples:
    """The crops of one calibration on disk, and where each was cut.

    Args:
        out: the calibration folder.
        key: what the crops depend on; JSON-ready.
        card: of the model.

    Attributes:
        folder: where they are: *out* if it has those of the same key, else ``unfinished`` in it.
        entries: number -> clip, frames and boxes of a crop; empty until all are cut.
    """

    def __init__(self, out: Path, key: Mapping[str, Any], card: ModelCard) -> None:
        self._out, self._key, self._card = out, key, card
        self._kinds = [_TEMPLATE, *(search.crop for search in card.searches)]
        self.folder = out if claim.finished(out / CROPS_NAME, key) else out / _UNFINISHED
        self.entries = claim.finished(self.folder / CROPS_NAME, key)

    def cut(self, choices: list[Choice]) -> None:
        """Cut and store every crop; the list of them comes last and declares them complete.

        Raises:
            PipelineError: see :func:`cut`.
        """
        shutil.rmtree(str(self._out / _UNFINISHED), ignore_errors=True)
        for index, crops in progress_bar(cut(choices, self._card), total=len(choices), desc="cut", unit="crop"):
            for kind, patch in {_TEMPLATE: crops.template, **crops.searches}.items():
                _write_image(self.folder / FOLDER / kind / f"{index:05d}.png", patch)
        self.entries = {f"{index:05d}": _entry(choice) for index, choice in enumerate(choices)}
        claim.save(self.folder / CROPS_NAME, self._key, self.entries)

    def read(self, index: int) -> Crops:
        """The crops of one choice.

        Raises:
            ArtifactError: one is gone or damaged.
        """
        paths = {kind: self.folder / FOLDER / kind / f"{index:05d}.png" for kind in self._kinds}
        always = (_TEMPLATE, self._card.search.crop)
        patches = {kind: _read_image(path) for kind, path in paths.items() if kind in always or path.is_file()}
        return Crops(patches.pop(_TEMPLATE), patches)

    def settle(self) -> list[str]:
        """Put what was made in ``unfinished`` in the place of what *out* has, and name the images there.

        An interruption leaves a state that the next run goes on from: the images move first, then their list.

        Raises:
            ArtifactError: the folder cannot be written.
        """
        if self.folder != self._out:
            try:
                (self._out / CROPS_NAME).unlink(missing_ok=True)
                for name in (*(f"{FOLDER}/{kind}" for kind in self._kinds), CROPS_NAME, HISTOGRAMS_NAME):
                    if (self.folder / name).exists():
                        shutil.rmtree(str(self._out / name), ignore_errors=True)
                        (self._out / name).parent.mkdir(parents=True, exist_ok=True)
                        (self.folder / name).replace(self._out / name)
            except OSError as error:
                raise write_error(self._out, error) from error
            shutil.rmtree(str(self.folder), ignore_errors=True)
            self.folder = self._out
        images = (f"{FOLDER}/{kind}/{number}.png" for kind in self._kinds for number in self.entries)
        return [image for image in images if (self._out / image).is_file()]

    def sources(self) -> list[str]:
        """Every name a frame goes by: of its video, with and without suffix, and of each folder that holds it."""
        names: set[str] = set()
        for entry in self.entries.values():
            frames = (entry["template_frame"], entry["search_frame"])
            parts = [part for part in Path(entry["clip"]).parts if not part.startswith(frames)]
            names.update(parts, [Path(part).stem for part in parts[-1:]])
        return sorted(names)


def cut(choices: list[Choice], card: ModelCard) -> Iterator[tuple[int, Crops]]:
    """Read the frames of each video once, in order, and cut: (index into *choices*, crops), in no particular order.

    Raises:
        UsageError: a crop is of one colour throughout, or a box outside its frame.
        ArtifactError: a frame cannot be read.
    """
    by_sequence: dict[str, dict[int, Choice]] = defaultdict(dict)
    for index, choice in enumerate(choices):
        by_sequence[choice.search.sequence.name][index] = choice
    for chosen in by_sequence.values():
        yield from _cut_sequence(chosen, card)


def _cut_sequence(choices: dict[int, Choice], card: ModelCard) -> Iterator[tuple[int, Crops]]:
    views = [view for choice in choices.values() for view in (choice.template, choice.search)]
    templates: dict[int, tuple[Array, Color]] = {}
    for position in sorted({view.index for view in views}):
        frame = views[0].sequence.frame(position)
        for index, choice in choices.items():
            if choice.template.index == position:
                fill, square = fill_color(frame), template_square(Place.given(choice.template.box), card)
                templates[index] = _crop(frame, square, fill, choice.template), fill
            if choice.search.index == position:
                template, fill = templates.pop(index)
                yield index, Crops(template, _searches(frame, choice, fill, card, lost=index % LOST_EVERY == 0))


def _searches(frame: Array, choice: Choice, fill: Color, card: ModelCard, *, lost: bool) -> dict[str, Array]:
    state = choice.state
    place = Place(*state.center, state.width, state.height).within(frame.shape, card.tracker.min_side_px)
    return {
        search.crop: _crop(frame, search_square(place, card, search), fill, choice.search)
        for search in card.searches
        if lost or search.lost is None
    }


def _crop(frame: Array, square: Square, fill: Color, view: View) -> Array:
    patch = crop(frame, square, fill)
    color = patch[0, 0]
    if (patch == color).all():
        raise UsageError(
            f"the crop at {view.box} of {view.frame_name} in {view.sequence.name} is all {tuple(color.tolist())}",
            hint="leave out black frames and boxes outside the frame",
        )
    return np.ascontiguousarray(patch)


def _entry(choice: Choice) -> dict[str, str]:
    return {
        "clip": choice.search.sequence.name,
        "template_frame": choice.template.frame_name,
        "template_box": str(choice.template.box),
        "search_frame": choice.search.frame_name,
        "state": str(choice.state),
    }


def _write_image(path: Path, patch: Array) -> None:
    with whole_file(path) as temporary:
        if not cv2.imwrite(str(temporary), patch):
            raise ArtifactError(f"cannot write {path}", hint="free some space, or choose another folder")


def _read_image(path: Path) -> Array:
    patch = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if patch is None:
        raise ArtifactError(f"{path} is gone or damaged", hint=f"remove {CROPS_NAME} and calibrate anew")
    return patch
