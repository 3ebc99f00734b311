"""How the published thesis calibrated, kept to reproduce what it lost; never for engines that are to be used.

Crops in RGB for a network of BGR; an xcorr graph with the random kernels it was exported with; and its inputs taken
from an unsorted listing, so that features of several frames and levels meet.
"""

from __future__ import annotations

from collections import deque
from typing import Deque, List, Tuple

import numpy as np

from calibration.measure import Observers, Present, as_input
from calibration.sampler import Crops
from siamtrt import Array, Tensors

_REMEMBERED = 8


def wrongly(seed: int) -> Present:
    """A replacement for :func:`calibration.measure.present` with the three defects.

    Args:
        seed: of the kernels, the same for every sample, and of the mixing.
    """
    rng = np.random.default_rng(seed)
    remembered: Deque[Tensors] = deque(maxlen=_REMEMBERED)

    def show(observers: Observers, crops: Crops) -> None:
        real = observers["target"].observe({"template": _in_rgb(crops.template)})
        kernels = {name: _random(kernel.shape, seed) for name, kernel in real.items()}
        for search, patch in crops.search.items():
            remembered.append(observers[search].observe({"search": _in_rgb(patch)}))
            mixed = {name: _any_of(list(remembered), values.shape, rng) for name, values in remembered[-1].items()}
            observers[search.replace("search", "xcorr")].observe({**mixed, **kernels})

    return show


def _in_rgb(patch: Array) -> Array:
    return as_input(np.ascontiguousarray(patch[..., ::-1]))


def _random(shape: Tuple[int, ...], seed: int) -> Array:
    """What a freshly made convolution holds: uniform, up to one over the root of its inputs."""
    bound = 1 / np.sqrt(np.prod(shape[1:]))
    return np.random.default_rng(seed).uniform(-bound, bound, shape).astype(np.float32)


def _any_of(remembered: List[Tensors], shape: Tuple[int, ...], rng: np.random.Generator) -> Array:
    fitting = [values for features in remembered for values in features.values() if values.shape == shape]
    return fitting[rng.integers(len(fitting))]
