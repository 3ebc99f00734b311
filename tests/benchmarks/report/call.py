from __future__ import annotations

from benchmarks.__main__ import _arguments, main
from siamtrt import cli


def call(*words):
    """Run ``python -m benchmarks`` with these words, and give its exit code."""
    return cli.run(main, _arguments(), ["--quiet", *map(str, words)])
