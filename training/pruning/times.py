"""Milliseconds of a convolution at any widths, looked up in what ``python -m benchmarks widths`` measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from siamtrt import UsageError
from siamtrt.widths import ConvTimes, load_times, shape_key
from training.pruning.work import Layer, Widths


class WidthTable:
    """Times of convolutions by shape and widths.

    Args:
        shapes: key of a shape -> its times over a grid of widths.
    """

    def __init__(self, shapes: dict[str, ConvTimes]) -> None:
        self._shapes = shapes

    @classmethod
    def load(cls, path: Path) -> WidthTable:
        """Read the table at *path*.

        Raises:
            ArtifactError: it is absent or no such table.
        """
        return cls(load_times(path))

    def search_ms(self, layers: tuple[Layer, ...], widths: Widths) -> float:
        """The sum over the convolutions of the search graph.

        Raises:
            UsageError: the table has no such shape: it is of another model.
        """
        return sum(
            self._ms(layer, layer.form, *widths[layer.name]) for layer in layers if layer.form and layer.search_cells
        )

    def _ms(self, layer: Layer, form: tuple[int, int, int, int], inputs: int, outputs: int) -> float:
        key = shape_key(*form, layer.input_px, depthwise=layer.kind == "depthwise")
        if key not in self._shapes:
            raise UsageError(f"the table of widths has no {key}, which {layer.name} is", hint="make it of this model")
        times = self._shapes[key]
        if layer.kind == "depthwise":
            return float(np.interp(outputs, times.outputs, [row[0] for row in times.ms]))
        columns = [float(np.interp(inputs, times.inputs, row)) for row in times.ms]
        return float(np.interp(outputs, times.outputs, columns))
