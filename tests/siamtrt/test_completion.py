"""What a shell offers after ``siamtrt``."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("shtab", reason="needs the package of requirements/completion.txt")

from siamtrt.__main__ import SHORT, STAGES
from siamtrt.completion import SHELLS

ROOT = Path(__file__).parents[2]
# Loads the script, and prints what it offers for the words of its command line.
OFFER = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
function=$(complete -p siamtrt | sed 's/.*-F \\([^ ]*\\) .*/\\1/')
$function siamtrt "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def scripts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("completion")
    for shell in SHELLS:
        command = [sys.executable, "-m", "siamtrt", "completion", shell]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        (folder / shell).write_text(done.stdout)
    return folder


def offered(scripts, *words):
    if shutil.which("bash") is None:
        pytest.skip("needs bash")
    command = ["bash", "-c", OFFER, "bash", str(scripts / "bash"), "siamtrt", *words]
    return set(subprocess.run(command, capture_output=True, text=True, check=True, cwd=scripts).stdout.split())


def test_the_stages_and_the_short_words(scripts):
    assert offered(scripts, "") >= {*STAGES, *SHORT}
    assert offered(scripts, "trac") == {"track"}


def test_the_commands_of_a_stage_and_the_options_of_a_command(scripts):
    assert {"layers", "compare"} <= offered(scripts, "benchmarks", "")
    assert {"--engines", "--runs", "--json"} <= offered(scripts, "benchmarks", "layers", "--")
    assert {"--source", "--init"} <= offered(scripts, "track", "--")
    assert offered(scripts, "live", "--ho") == {"--host"}


def test_the_choices_of_an_option_and_files(scripts):
    assert offered(scripts, "track", "--decode", "") == {"host", "device"}
    assert "bash" in offered(scripts, "track", "--engines", "ba")


def test_every_shell_has_a_script_that_knows_them(scripts):
    for shell in SHELLS:
        text = (scripts / shell).read_text()
        assert "--sequences" in text
        assert "siamtrt" in text
