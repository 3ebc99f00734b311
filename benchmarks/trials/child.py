"""Commands of this project in processes of their own: stages meet in files, and a mix shall not warm up the next."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import List, Optional, Sequence

from siamtrt import InferenceError
from siamtrt.files import write_error

_ROOT = Path(__file__).parents[2]
_BUG, _INTERRUPTED = 1, 130
_ERROR = "error: "


def run(words: Sequence[object], log: Path) -> Optional[str]:
    """Run ``python -m WORDS`` and let it print into *log*, which can be watched meanwhile.

    Returns:
        None where it went well, else its own sentence of what was wrong.

    Raises:
        KeyboardInterrupt: it was interrupted.
        InferenceError: it has a bug: it ended in a traceback.
        ArtifactError: the log cannot be written.
    """
    command = [sys.executable, "-m", *(str(word) for word in words)]
    paths = os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH")]))
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("w", encoding="utf-8") as stream:
            stream.write(f"{' '.join(command)}\n")
            stream.flush()
            code = subprocess.call(command, stdout=stream, stderr=stream, env={**os.environ, "PYTHONPATH": paths})
    except OSError as error:
        raise write_error(log, error) from error
    said = log.read_text(encoding="utf-8", errors="replace")
    if code == _INTERRUPTED:
        raise KeyboardInterrupt
    if code == _BUG:
        raise InferenceError(f"'{' '.join(map(str, words[:2]))}' broke off: {_last(said)}", hint=f"see {log}")
    return _reason(code, said) if code else None


def _reason(code: int, said: str) -> str:
    lines: List[str] = [line for line in said.splitlines() if line.startswith(_ERROR)]
    if lines:
        return lines[-1][len(_ERROR) :]
    return f"ended by signal {-code}" if code < 0 else f"ended with code {code}: {_last(said)}"


def _last(said: str) -> str:
    lines = said.strip().splitlines()
    return lines[-1] if lines else "it said nothing"
