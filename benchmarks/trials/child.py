"""Commands of this project in processes of their own: stages meet in files, and a mix must not warm up the next."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Sequence

from benchmarks.evaluation.options import RunOptions
from siamtrt import InferenceError, PipelineError, cli
from siamtrt.files import write_error

_ROOT = Path(__file__).parents[2]
_BUG = 1
_SET_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of Linux
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
_ERROR, _HINT = "error: ", "\n  try: "


def words_of(run: RunOptions) -> list[object]:
    """The words by which a child is given *run*."""
    words: list[object] = ["--engines", run.engines] if run.engines else []
    words += ["--sequences", run.sequences] if run.sequences else []
    words += ["--only", *run.only] if run.only else []
    words += ["--threads", run.threads] if run.threads else []
    return [*words, "--allow-leak"] if run.allow_leak else words


def run(words: Sequence[object], log: Path) -> str | None:
    """Run ``python -m WORDS`` and let it print into *log*, which can be watched meanwhile.

    Returns:
        None where it went well, else its own sentence of what was wrong.

    Raises:
        KeyboardInterrupt: it was interrupted.
        InferenceError: it has a bug: it ended in a traceback.
        ArtifactError: the log cannot be written.
    """
    command = _command(words)
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("w", encoding="utf-8") as stream:
            stream.write(f"{' '.join(command)}\n")
            stream.flush()
            code = subprocess.call(
                command, stdout=stream, stderr=stream, env=_environment(), preexec_fn=_end_with_parent
            )
    except OSError as error:
        raise write_error(log, error) from error
    printed = log.read_text(encoding="utf-8", errors="replace")
    if code == cli.INTERRUPTED:
        raise KeyboardInterrupt
    if code == _BUG:
        raise InferenceError(f"'{' '.join(map(str, words[:2]))}' broke off: {_last(printed)}", hint=f"see {log}")
    return _reason(code, printed) if code else None


def output(words: Sequence[object]) -> str:
    """What ``python -m WORDS`` prints to standard output.

    Raises:
        PipelineError: what it reported, as if it had happened here.
        CalledProcessError: it has a bug; its traceback is printed.
    """
    done = subprocess.run(_command(words), check=False, capture_output=True, text=True, env=_environment())
    if done.returncode:
        raise _error_of(done)
    return done.stdout


def _end_with_parent() -> None:
    """Runs in the child before its program: a parent that is killed shall not leave it at work in the same folder."""
    if _LIBC is not None:
        _LIBC.prctl(_SET_DEATH_SIGNAL, signal.SIGTERM)


def _command(words: Sequence[object]) -> list[str]:
    return [sys.executable, "-m", *(str(word) for word in words)]


def _environment() -> dict[str, str]:
    paths = os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": paths}


def _error_of(done: subprocess.CompletedProcess[str]) -> Exception:
    kinds = {kind.exit_code: kind for kind in PipelineError.__subclasses__()}
    _, reported, sentence = done.stderr.rpartition(_ERROR)
    if reported and done.returncode in kinds:
        problem, _, hint = sentence.strip().partition(_HINT)
        return kinds[done.returncode](problem, hint=hint)
    sys.stderr.write(done.stderr)
    return subprocess.CalledProcessError(done.returncode, done.args)


def _reason(code: int, printed: str) -> str:
    lines = [line for line in printed.splitlines() if line.startswith(_ERROR)]
    if lines:
        return lines[-1][len(_ERROR) :]
    return f"ended by signal {-code}" if code < 0 else f"ended with code {code}: {_last(printed)}"


def _last(printed: str) -> str:
    lines = printed.strip().splitlines()
    return lines[-1] if lines else "it printed nothing"
