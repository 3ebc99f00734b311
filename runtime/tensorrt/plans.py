"""The plans of an engine folder, opened by the TensorRT that built them."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from runtime.tensorrt.engine import Engine
from runtime.tensorrt.layout import features_of
from runtime.tensorrt.refit_proof import RefitProof
from siamtrt import EngineMismatchError, GraphPrecisions, Manifest, ModelCard
from siamtrt.environment import describe
from siamtrt.libraries import tensorrt as library

SUFFIX = ".plan"

log = logging.getLogger(__name__)


class Plans:
    """Opens the plans of a model, and frees them together.

    Args:
        trt: the library that built them: TensorRT or TensorRT-RTX.
        engines: folder of the build.
        card: of the model.
        manifest: of the build.
        compute_capability: of the GPU of this machine.

    Attributes:
        features: how what search puts out for xcorr lies in memory.

    Raises:
        EngineMismatchError: they were built with another TensorRT or for another GPU.
        ArtifactError: their features lie in a way that is unknown here.
    """

    def __init__(self, trt: Any, engines: Path, card: ModelCard, manifest: Manifest, compute_capability: str) -> None:
        _require_environment(engines, manifest, {trt.__name__: trt.__version__})
        _require_gpu(engines, manifest, compute_capability)
        _warn_of_other_clocks(manifest)
        self._trt, self._logger = trt, library.make_logger(trt)
        self._runtime = trt.Runtime(self._logger)
        self._folder, self._card = engines, card
        self._precisions = GraphPrecisions.parse(manifest.settings["precision"])
        self._engines: list[Engine] = []
        self.features = features_of(manifest)
        self._dla = library.dla_cores(manifest.settings.get("dla", ()))

    def open(self, graph: str, addresses: dict[str, int]) -> Engine:
        """Load the plan of the graph called *graph*, see :class:`Engine`."""
        path = self._folder / f"{graph}{SUFFIX}"
        layouts = dict.fromkeys(self._card.features(graph), self.features)
        engine = Engine(
            self._trt,
            self._runtime,
            self._logger,
            path,
            self._card.graph(graph),
            addresses,
            layouts,
            self._dla.get(graph),
        )
        self._engines.append(engine)
        return engine

    def proof(self, graph: str) -> RefitProof:
        """What proves that a refit of *graph* took effect."""
        return RefitProof(self._folder, self._card, graph, self._precisions.of(self._card.graph(graph)))

    def close(self) -> None:
        """Free contexts and engines."""
        while self._engines:
            self._engines.pop().close()


def _warn_of_other_clocks(manifest: Manifest) -> None:
    """Say so where the machine is another one or runs in another power mode than plans were timed in: it costs time."""
    here = describe()
    for key in ("board", "power_mode"):
        built = manifest.environment.get(key)
        if built and here[key] and built != here[key]:
            log.warning(
                "these plans were timed with %s %s, here it is %s; ones built here may run faster: %s",
                key.replace("_", " "),
                built,
                here[key],
                manifest.command,
            )


def _require_environment(engines: Path, manifest: Manifest, machine: dict[str, str]) -> None:
    """Prove that plans belong to the library of this machine, before it reads them."""
    for key, here in machine.items():
        built = manifest.environment.get(key)
        if built != here:
            raise EngineMismatchError(
                f"{engines} was built for {key} {built}, this machine has {here}", hint=manifest.command
            )


def _require_gpu(engines: Path, manifest: Manifest, here: str) -> None:
    """Prove that plans are for this GPU, as far as the manifest says: TensorRT refuses those of another by itself.

    A plan of the backend ``tensorrt`` is of one GPU, one of TensorRT-RTX of those it was asked for, or of all.
    """
    one = manifest.environment.get("compute_capability")
    built = [one] if one else manifest.settings.get("compute_capabilities")
    if built and here not in built:
        raise EngineMismatchError(
            f"{engines} was built for compute_capability {', '.join(built)}, this machine has {here}",
            hint=manifest.command,
        )
