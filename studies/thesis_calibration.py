"""``python -m studies.thesis_calibration``: how a published thesis calibrated, to reproduce what it lost.

Crops in RGB for a network of BGR; an xcorr graph with the random kernels it was exported with; and its inputs taken
from an unsorted listing, so that features of several frames and levels meet. The ranges are fit for nothing else.

Source: Alexander Ludwig, "Optimization of Siamese Object Tracking Networks", master's thesis, TU Wien, 2023.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections import deque

import numpy as np

from calibration.__main__ import arguments, requested
from calibration.calibrate import prepare, write
from calibration.crops import Crops
from calibration.observe import Observer, as_input
from siamtrt import Array, ModelCard, Tensors, UsageError, cli
from siamtrt import manifest as manifests
from siamtrt.progress import progress_bar

_REMEMBERED = 8

log = logging.getLogger(__name__)


def main(options: argparse.Namespace) -> None:
    """Write a calibration folder of the usual form, with the three defects, and print it; its manifest says so."""
    if (options.out / manifests.FILE_NAME).is_file():
        raise UsageError(f"{options.out} holds a calibration", hint="choose another --out")
    log.warning("random kernels, mixed features, RGB: ranges to show what a thesis lost, fit for nothing else")
    job = prepare(requested(options), options.out)
    thesis = Thesis(options.seed)
    for index in progress_bar(range(len(job.samples.entries)), desc="measure", unit="crop"):
        thesis.show(job.observers, job.samples.read(index), job.card)
    command = cli.command_line("studies.thesis_calibration")
    write(job, [], f"{options.method}, shown by studies.thesis_calibration", command)
    print(options.out)  # noqa: T201


class Thesis:
    """Shows crops to the graphs with the three defects, in place of :func:`calibration.observe.show`.

    Args:
        seed: of the kernels, the same for every crop, and of the mixing.
    """

    def __init__(self, seed: int) -> None:
        self._seed, self._rng = seed, np.random.default_rng(seed)
        self._remembered: deque[Tensors] = deque(maxlen=_REMEMBERED)

    def show(self, observers: dict[str, Observer], crops: Crops, card: ModelCard) -> None:
        """Run the graphs on the crops of one target, and on what was remembered of others."""
        real = observers[card.target.name].observe({card.target.inputs[0].name: _in_rgb(crops.template)})
        kernels = {name: _random(kernel.shape, self._seed) for name, kernel in real.items()}
        for search in card.searches:
            if search.crop in crops.searches:
                image = {card.graph(search.crop).inputs[0].name: _in_rgb(crops.searches[search.crop])}
                self._remembered.append(observers[search.crop].observe(image))
                mixed = {name: self._any_of(values.shape) for name, values in self._remembered[-1].items()}
                observers[search.stages[0].xcorr].observe({**mixed, **kernels})

    def _any_of(self, shape: tuple[int, ...]) -> Array:
        fitting = [values for features in self._remembered for values in features.values() if values.shape == shape]
        return fitting[self._rng.integers(len(fitting))]


def _in_rgb(patch: Array) -> Array:
    return as_input(np.ascontiguousarray(patch[..., ::-1]))


def _random(shape: tuple[int, ...], seed: int) -> Array:
    """What a freshly made convolution holds: uniform, up to one over the root of its inputs."""
    bound = 1 / np.sqrt(np.prod(shape[1:]))
    return np.random.default_rng(seed).uniform(-bound, bound, shape).astype(np.float32)


if __name__ == "__main__":
    sys.exit(cli.run(main, arguments("studies.thesis_calibration", "Calibrate as a thesis did, to study its loss.")))
