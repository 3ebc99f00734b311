"""Studies made of the project's own commands: each leaves an artifact, and what is there is not made again."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from siamtrt import BuildError, cli

log = logging.getLogger(__name__)


def make(artifact: Path, words: Sequence[str | Path]) -> None:
    """Run ``python -m`` with *words*, the command that leaves *artifact*, unless it is there."""
    if artifact.is_file():
        log.info("%s is there", artifact)
    else:
        run(words)


def run(words: Sequence[str | Path]) -> None:
    """Run ``python -m`` with *words*.

    Raises:
        KeyboardInterrupt: the command was interrupted.
        BuildError: it failed otherwise.
    """
    command = [sys.executable, "-m", *map(str, words)]
    log.info("%s", " ".join(command[1:]))
    ended = subprocess.run(command, check=False).returncode
    if ended == cli.INTERRUPTED:
        raise KeyboardInterrupt
    if ended:
        raise BuildError(f"{' '.join(command[2:4])} ended with {ended}", hint="what it says above; then rerun")
