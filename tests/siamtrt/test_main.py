from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from siamtrt import __main__ as console

ROOT = Path(__file__).parents[2]


def test_every_stage_can_be_called():
    commands = {".".join(path.parent.relative_to(ROOT).parts) for path in ROOT.glob("*/**/__main__.py")}
    assert {name for name in commands if not name.startswith((".", "tests", "build", "siamtrt"))} == set(console.STAGES)


@pytest.mark.parametrize("stage", console.STAGES)
def test_ctrl_c_is_dealt_with_before_a_stage_imports_anything(stage):
    lines = (ROOT / stage.replace(".", "/") / "__main__.py").read_text().splitlines()
    imports = [line for line in lines if line.startswith(("import ", "from "))]
    assert imports[:3] == ["from __future__ import annotations", "import signal", "import sys"]
    (set_at,) = [at for at, line in enumerate(lines) if "signal.signal(signal.SIGINT, signal.SIG_DFL)" in line]
    assert set_at < lines.index(imports[3])


def test_the_short_words_name_commands_that_are_there():
    for stage, command in console.SHORT.values():
        commands = importlib.import_module(f"{stage}.__main__").COMMANDS
        assert command in {name for name, _, _ in commands}
    assert not {*console.SHORT} & {*console.STAGES}


def test_a_short_word_is_its_command(tmp_path):
    words = [sys.executable, "-m", "siamtrt", "trax", "--engines", str(tmp_path)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 4
    assert str(tmp_path) in done.stderr


def test_a_stage_is_called_from_anywhere_with_the_words_behind_it(tmp_path):
    words = [sys.executable, "-m", "siamtrt", "serving", "trax", "--engines", str(tmp_path)]
    done = subprocess.run(
        words, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 4
    assert "error: " in done.stderr
    assert str(tmp_path) in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("missing", "known"), [("torch", True), ("engines", False)])
def test_a_library_that_is_not_installed_is_named(monkeypatch, capsys, missing, known):
    def run_module(*_, **__):
        raise ModuleNotFoundError(f"No module named {missing!r}", name=missing)

    monkeypatch.setattr(console.runpy, "run_module", run_module)
    monkeypatch.setattr(sys, "argv", ["siamtrt", "export", "--help"])
    with pytest.raises(SystemExit if known else ModuleNotFoundError) as ended:
        console.main()
    if known:
        assert ended.value.code == 3
        assert "export needs torch, which is not installed\n  try: pip install" in capsys.readouterr().err
