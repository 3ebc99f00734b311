"""Try whether the tests would notice mistakes that once passed them all: ``python -m studies.mutants [NAME ...]``.

Each mistake of ``mutants.toml`` is made in a clean clone of the last commit, which lies beside no reference data; then
its test has to fail there. Prints a table; the exit status is 1 if a mistake passed.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import tomllib

from siamtrt import UsageError

ROOT = Path(__file__).parents[1]
_TABLE = Path(__file__).with_suffix(".toml")


@dataclass(frozen=True)
class Mutant:
    """A mistake.

    Attributes:
        name: what the table calls it.
        what: it does, in a few words.
        file: from the root of the checkout.
        old: text that stands once in the file.
        new: takes its place.
        test: pytest's name of the test that has to fail then.
    """

    name: str
    what: str
    file: str
    old: str
    new: str
    test: str

    def mutated(self, text: str) -> str:
        """*text* with the mistake.

        Raises:
            UsageError: the old text does not stand there exactly once.
        """
        if text.count(self.old) != 1:
            raise UsageError(f"{self.name}: its text stands {text.count(self.old)} times in {self.file}, not once")
        return text.replace(self.old, self.new)


def load() -> list[Mutant]:
    """All mistakes, in the order of the file."""
    return [Mutant(**entry) for entry in tomllib.loads(_TABLE.read_text(encoding="utf-8"))["mutant"]]


def main(names: list[str]) -> int:
    """Make the mistakes called *names*, or all, and print which test noticed each."""
    mutants = [mutant for mutant in load() if not names or mutant.name in names]
    passed = 0
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "checkout"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        unharmed, output = _pytest(clone, sorted({mutant.test for mutant in mutants}))
        if not unharmed:
            print(output, file=sys.stderr)  # noqa: T201
            return 1
        print("| mutant | what | file | killed by |\n|---|---|---|---|")  # noqa: T201
        for mutant in mutants:
            path = clone / mutant.file
            original = path.read_text(encoding="utf-8")
            path.write_text(mutant.mutated(original), encoding="utf-8")
            survived, _ = _pytest(clone, [mutant.test])
            path.write_text(original, encoding="utf-8")
            passed += survived
            verdict = "**survived**" if survived else f"`{mutant.test.removeprefix('tests/')}`"
            print(f"| {mutant.name} | {mutant.what} | `{mutant.file}` | {verdict} |", flush=True)  # noqa: T201
    print(f"\n{len(mutants) - passed} of {len(mutants)} noticed")  # noqa: T201
    return int(passed > 0)


def _pytest(clone: Path, tests: list[str]) -> tuple[bool, str]:
    """Whether *tests* pass in *clone*, none of them skipped, and what pytest printed."""
    words = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    run = subprocess.run(words, cwd=clone, capture_output=True, text=True, check=False)
    if run.returncode > 1 or "skipped" in run.stdout:
        raise UsageError(f"pytest could not try {', '.join(tests)}: {run.stdout}{run.stderr}")
    return run.returncode == 0, run.stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
