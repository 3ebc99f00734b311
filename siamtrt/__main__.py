"""``siamtrt STAGE ...``, where the project is installed: the same as ``python -m STAGE ...``.

What is called most has a word of its own, as ``siamtrt track ...`` for ``python -m runtime track ...``.
"""

from __future__ import annotations

import argparse
import runpy
import sys

from siamtrt.errors import MissingDependencyError

STAGES = {
    "export": "checkpoint to ONNX graphs",
    "calibration": "activation ranges for INT8",
    "engines": "graphs to engines",
    "engines.tensorrt": "biases for INT8 on TensorRT, measured without a GPU",
    "engines.sensitivity": "rank layers by what their INT8 costs",
    "runtime": "run a tracker",
    "serving": "serve a tracker to another program",
    "benchmarks": "measure a tracker",
    "training": "train a model",
    "training.pruning": "make a trained model smaller",
    "architectures": "search for a network",
    "networks": "list the models",
}
SHORT = {
    "track": ("runtime", "track"),
    "live": ("serving", "web"),
    "trax": ("serving", "trax"),
    "clip": ("benchmarks", "clip"),
    "demo": ("benchmarks", "demo"),
    "bench": ("benchmarks", "bench"),
    "sweep": ("benchmarks", "sweep"),
    "vot": ("benchmarks", "vot"),
    "ope": ("benchmarks", "ope"),
    "evaluate": ("benchmarks", "evaluate"),
    "compare": ("benchmarks", "compare"),
}
_COMPLETION = "completion"


def main() -> None:
    """Run the stage or command that the first word names with the other words."""
    short = {word: f"the same as {' '.join(words)}" for word, words in SHORT.items()}
    known = {**STAGES, **short, _COMPLETION: "a script that completes these words in bash, zsh or tcsh"}
    listed = "\n".join(f"  {word:<20} {summary}" for word, summary in known.items())
    arguments = argparse.ArgumentParser(
        "siamtrt",
        description=f"{__doc__}\n\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    arguments.add_argument("stage", choices=known, metavar="STAGE", help="then the options of the stage; try --help")
    word = arguments.parse_args(sys.argv[1:2]).stage
    stage, *command = SHORT.get(word, (f"siamtrt.{word}" if word == _COMPLETION else word,))
    sys.argv[1:2] = command
    try:
        runpy.run_module(stage, run_name="__main__", alter_sys=True)
    except ModuleNotFoundError as error:
        if error.name in STAGES:
            raise
        missing = MissingDependencyError(
            f"{stage} needs {error.name}, which is not installed",
            hint="pip install 'siamtrt[workstation]', on a board 'siamtrt[board]'",
        )
        sys.stderr.write(f"error: {missing}\n")
        sys.exit(missing.exit_code)


if __name__ == "__main__":
    main()
