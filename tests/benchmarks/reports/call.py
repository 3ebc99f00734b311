from __future__ import annotations

from benchmarks.__main__ import COMMANDS
from siamtrt import cli


def call(*words):
    """Run ``python -m benchmarks`` with these words, and give its exit code."""
    return cli.run_table("benchmarks", "", COMMANDS, ["--quiet", *map(str, words)])
