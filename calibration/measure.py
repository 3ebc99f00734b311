"""Every sample through every graph; what was counted is saved on the way, so that a second run goes on."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any, Callable, Dict
from zipfile import BadZipFile

import numpy as np
from tqdm import tqdm

from calibration.histogram import Histogram
from calibration.observe import Observer
from calibration.sampler import Crops
from calibration.samples import Samples
from runtime.crop import network_input
from siamtrt import Array, ArtifactError, InferenceError
from siamtrt.files import whole_file

FILE_NAME = "histograms.npz"
_SAVE_EVERY = 25

Observers = Dict[str, Observer]
Present = Callable[[Observers, Crops], None]


def present(observers: Observers, crops: Crops) -> None:
    """Show one sample to the graphs as the tracker does: the features of one frame meet the kernels of its target.

    Args:
        observers: graph -> its observer.
        crops: of one target.
    """
    kernels = observers["target"].observe({"template": as_input(crops.template)})
    for search, patch in crops.search.items():
        features = observers[search].observe({"search": as_input(patch)})
        observers[search.replace("search", "xcorr")].observe({**features, **kernels})


def as_input(patch: Array) -> Array:
    """A crop as 1x3xSxS float32."""
    tensor = np.empty((1, 3, *patch.shape[:2]), np.float32)
    network_input(patch, tensor)
    return tensor


def measure(observers: Observers, samples: Samples, out: Path, key: Dict[str, Any], show: Present) -> None:
    """Fill the observers' histograms with every sample.

    Args:
        observers: graph -> its observer, all new.
        samples: written.
        out: folder that holds ``histograms.npz``, saved every 25 samples and at the end.
        key: what the histograms depend on; those of another key are measured anew.
        show: gives one sample to the observers.

    Raises:
        InferenceError: an activation is NaN or infinite; the sample is named.
        ArtifactError: a sample or the saved histograms are damaged.
    """
    path, total = out / FILE_NAME, len(samples.entries)
    done = _load(path, key, observers)
    for index in tqdm(range(done, total), initial=done, total=total, desc="measure", unit="crop"):
        try:
            show(observers, samples.read(index))
        except InferenceError as error:
            entry = samples.entries[index]
            raise InferenceError(
                f"{error.problem}, at {entry['search_frame']} of {entry['clip']}", hint=error.hint
            ) from error
        if (index + 1) % _SAVE_EVERY == 0 or index + 1 == total:
            _save(path, key, index + 1, observers)


def _save(path: Path, key: Dict[str, Any], done: int, observers: Observers) -> None:
    arrays: Dict[str, Any] = {}
    for graph, observer in observers.items():
        histograms = observer.histograms.values()
        arrays[f"{graph}.names"] = np.array(list(observer.histograms))
        arrays[f"{graph}.counts"] = np.stack([histogram.counts for histogram in histograms])
        arrays[f"{graph}.stats"] = np.array([(h.width, h.lowest, h.highest) for h in histograms])
    with whole_file(path) as temporary:
        np.savez_compressed(str(temporary), key=np.array(json.dumps(key)), done=np.array(done), **arrays)


def _load(path: Path, key: Dict[str, Any], observers: Observers) -> int:
    """Take over saved histograms of the same *key*; how many samples they hold."""
    if not path.is_file():
        return 0
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as saved:
            if json.loads(str(saved["key"])) != key:
                return 0
            for graph, observer in observers.items():
                names = saved[f"{graph}.names"].tolist()
                rows = zip(names, saved[f"{graph}.counts"], saved[f"{graph}.stats"].tolist())
                observer.histograms.update({name: _restored(counts, *stats) for name, counts, stats in rows})
            return int(saved["done"])
    except (OSError, EOFError, KeyError, ValueError, BadZipFile, zlib.error) as error:
        raise ArtifactError(f"cannot read {path}: {error}", hint="remove it to measure anew") from error


def _restored(counts: Array, width: float, lowest: float, highest: float) -> Histogram:
    histogram = Histogram()
    histogram.counts, histogram.width, histogram.lowest, histogram.highest = counts, width, lowest, highest
    return histogram
