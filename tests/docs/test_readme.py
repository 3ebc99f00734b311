from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "ARCHITECTURE.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *(ROOT / "weights").glob("*.md"),
]
PACKAGES = ("siamtrt", "networks", "export", "calibration", "engines", "runtime", "benchmarks", "training")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_resolve(page):
    for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_make_target_of_the_readme_exists():
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"\bmake ([a-z-]+)", (ROOT / "README.md").read_text())):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"no target {target}"


def test_the_architecture_names_every_package():
    page = (ROOT / "ARCHITECTURE.md").read_text()
    for package in PACKAGES:
        assert f"`{package}`" in page
        assert (ROOT / package / "__init__.py").is_file()


@pytest.mark.slow
def test_the_python_example_runs_as_printed(shipped_engines, tmp_path):
    block = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL).group(1)
    engines = tmp_path / "build" / "siamrpn_lite0" / "engines"
    engines.mkdir(parents=True)
    (engines / "onnxruntime-fp16").symlink_to(shipped_engines)
    from sequences.rendered.command import write_clip

    write_clip(tmp_path / "build" / "clip", seed=7, count=5)
    code = block + "\nassert 0 <= state.score <= 1\n"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, check=True)
