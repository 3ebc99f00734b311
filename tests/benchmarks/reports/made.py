"""A report with figures that can be followed by hand."""

from __future__ import annotations

import numpy as np

from benchmarks.evaluation.vot.measures import Measures, SequenceMeasures
from benchmarks.evaluation.vot.protocol import Protocol
from benchmarks.profiling.layers.layer_report import Layer, LayerReport
from benchmarks.profiling.power.power_report import PowerReport
from benchmarks.profiling.speed.call_times import Samples
from benchmarks.profiling.speed.figures import figures_of
from benchmarks.profiling.speed.speed_report import SpeedReport, Video
from benchmarks.reports.document import Failure, Report, Run

MS = 1_000_000
EAO = {"all": 0.4, "occlusion": 0.2, "illum_change": None}


def samples(first_ms, update_ms, count):
    """A start and *count* updates, four fifths of each update spent in search."""
    total = (first_ms * MS, *[update_ms * MS] * count)
    search = (None, *[update_ms * MS * 4 // 5] * count)
    return Samples(tuple(range(count + 1)), (True, *[False] * count), total, {"search": search}, None)


def speed():
    videos = (
        Video("one", 100.0, 1, 4, samples(20, 10, 3), samples(20, 10, 150)),
        Video("two", 50.0, 0, 0, samples(20, 20, 3), samples(20, 20, 150)),
    )
    figures = figures_of([video.samples for video in videos], skipped=4, warm_up=8)
    return SpeedReport("m", "command", "the call", figures, videos, PowerReport.absent("no <sensor>"), None, None, None)


def layer(graph, name, kind, ms, macs=0):
    return Layer(graph, name, kind, "float16", (1, 8, 2, 2), ms, macs, 100)


def layers():
    found = (
        layer("target", "stem", "Conv", 0.5, 1_000_000),
        layer("search", "stem", "Conv", 2.0, 2_000_000),
        layer("search", "head/Relu_nchwc", "Conv", 3.0, 3_000_000),
        layer("search", "cut", "Slice", 0.25),
    )
    return LayerReport("m", 7, found, {"cpu": "AMD EPYC"}, {})


def report():
    """Two sequences: in the first the target was lost once, in frame 7."""
    runs = {
        "one": Run(200, 640, 480, "a" * 64, leaked=False, entries=("1",)),
        "two": Run(100, 320, 240, "b" * 64, leaked=False, entries=("1",)),
    }
    measures = Measures(
        accuracy=0.6,
        robustness=1 / 3,
        failures=1.0,
        eao=dict(EAO),
        eao_interval_95=(0.3, 0.5),
        curve=[1.0, *np.linspace(0.8, 0.2, 199).tolist()],
        sequences={"one": SequenceMeasures(0.5, 1.0), "two": SequenceMeasures(0.7, 0.0)},
    )
    lost = Failure("one", 7, ((1.0, 2.0),) * 4, (1.0, 2.0, 3.0, 4.0), "AAAA")
    manifest = {
        "stage": "engines",
        "command": "make <engines>",
        "files": {"search.onnx": "f" * 64},
        "settings": {"a": 1},
    }
    return Report(
        title="model onnxruntime fp16",
        command="python -m benchmarks bench",
        finished_utc="2026-01-02 03:04",
        environment={"cpu": "AMD EPYC", "board": None, "packages": {"numpy": "1.23.5"}},
        manifests={"engines": manifest},
        protocol=Protocol.load("vot2018"),
        annotations_sha256="c" * 64,
        sequences=runs,
        measures=measures,
        speed=speed(),
        layers=layers(),
        failures=(lost,),
        missing={},
    )
