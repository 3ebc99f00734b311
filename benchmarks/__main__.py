"""``python -m benchmarks``: one subcommand a module, imported when it is chosen."""

from __future__ import annotations

import sys

from siamtrt import cli

COMMANDS = (
    (
        "bench",
        "benchmarks.reports.bench",
        "everything there is to measure of an engine folder, in one report and one page",
    ),
    ("clip", "sequences.rendered.command", "render a clip with known truth"),
    ("collage", "sequences.rendered.collage_command", "clips put together from real pictures, with known truth"),
    ("judge", "benchmarks.evaluation.held_out.command", "models side by side on held-out videos, without resets"),
    ("constants", "benchmarks.evaluation.held_out.constants", "search the tracker's constants on held-out videos"),
    ("vot", "benchmarks.evaluation.vot.run", "run a tracker under the reset-based VOT protocol"),
    ("evaluate", "benchmarks.evaluation.vot.evaluate", "measures of trackers from their raw VOT results"),
    ("vot-workspace", "benchmarks.evaluation.vot.workspace", "a workspace in which the VOT toolkit runs the tracker"),
    ("ope", "benchmarks.evaluation.ope.command", "one-pass evaluation: success and precision without resets"),
    ("speed", "benchmarks.profiling.speed.command", "frame rates, percentiles, stages and power"),
    ("drift", "benchmarks.evaluation.drift", "how closely a run without resets follows another, or the truth"),
    ("layers", "benchmarks.profiling.layers.command", "latency of each layer of each engine"),
    ("compare", "benchmarks.reports.compare", "layer reports or full reports side by side"),
    ("sweep", "benchmarks.trials.sweep.command", "every mix of precisions, and which are worth having"),
    ("power", "benchmarks.profiling.power.command", "what the board draws"),
    ("overhead", "benchmarks.profiling.overheads.update", "what a frame costs beside the network"),
    (
        "kernels",
        "benchmarks.profiling.overheads.chain.kernel_times",
        "the CUDA kernels of crop and decode alone; needs a GPU, but no TensorRT",
    ),
    (
        "chain",
        "benchmarks.profiling.overheads.chain.command",
        "a frame on TensorRT, chained on the GPU and through the host",
    ),
    ("harness-cost", "benchmarks.profiling.overheads.harness", "how much slower a frame looks because it is timed"),
    ("demo", "benchmarks.reports.demo", "track the rendered clip and show how well that went"),
)


if __name__ == "__main__":
    sys.exit(cli.run_table("benchmarks", "Measure a tracker.", COMMANDS))
