"""``python -m benchmarks``: one subcommand a module, imported when it is chosen."""

from __future__ import annotations

import signal
import sys

if __name__ == "__main__" and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C while modules are imported ends without a traceback

from siamtrt import cli

_COMMANDS = "benchmarks.commands"
COMMANDS = (
    ("bench", f"{_COMMANDS}.bench", "everything there is to measure of an engine folder, in one report and one page"),
    ("clip", "sequences.rendered.command", "render a clip with known truth"),
    ("collage", "sequences.rendered.collage_command", "clips put together from real pictures, with known truth"),
    ("judge", f"{_COMMANDS}.judge", "models side by side on held-out videos, without resets"),
    ("constants", f"{_COMMANDS}.constants", "search the tracker's constants on held-out videos"),
    ("vot", f"{_COMMANDS}.vot", "run a tracker under the reset-based VOT protocol"),
    ("evaluate", f"{_COMMANDS}.evaluate", "measures of trackers from their raw VOT results"),
    ("vot-workspace", f"{_COMMANDS}.vot_workspace", "a workspace in which the VOT toolkit runs the tracker"),
    ("ope", f"{_COMMANDS}.ope", "one-pass evaluation: success and precision without resets"),
    ("speed", f"{_COMMANDS}.speed", "frame rates, percentiles, stages and power"),
    ("drift", f"{_COMMANDS}.drift", "how closely a run without resets follows another, or the truth"),
    ("exits", f"{_COMMANDS}.exits", "where a model with exits stops: tables, thresholds, policies in closed loop"),
    ("layers", f"{_COMMANDS}.layers", "latency of each layer of each engine"),
    ("compare", f"{_COMMANDS}.compare", "layer reports or full reports side by side"),
    ("sweep", f"{_COMMANDS}.sweep", "every mix of precisions, and which are worth having"),
    ("fronts", f"{_COMMANDS}.fronts", "several sweeps in one page: tracking against rate and energy"),
    ("widths", f"{_COMMANDS}.widths", "what each convolution takes at any widths: a table for pruning"),
    ("power", f"{_COMMANDS}.power", "what the board draws"),
    ("overhead", f"{_COMMANDS}.overhead", "what a frame costs beside the network"),
    ("kernels", f"{_COMMANDS}.kernels", "the CUDA kernels of crop and decode alone; needs a GPU, but no TensorRT"),
    ("chain", f"{_COMMANDS}.chain", "a frame on TensorRT, chained on the GPU and through the host"),
    ("board-check", f"{_COMMANDS}.board_check", "what a board answers on its first day, one line a question"),
    ("cross-check", f"{_COMMANDS}.cross_check", "a script that compares engines with their graphs by polygraphy"),
    ("harness-cost", f"{_COMMANDS}.harness_cost", "how much slower a frame looks because it is timed"),
    ("demo", f"{_COMMANDS}.demo", "track the rendered clip and show how well that went"),
)


if __name__ == "__main__":
    sys.exit(cli.run_table("benchmarks", "Measure a tracker.", COMMANDS))
