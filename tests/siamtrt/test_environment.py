from __future__ import annotations

import json
import os

import pytest

from siamtrt.environment import cores, describe, l4t_version

XAVIER = {
    "etc/nv_tegra_release": "# R35 (release), REVISION: 4.1, GCID: 33958178, BOARD: t186ref, EABI: aarch64\n",
    "proc/device-tree/model": "Jetson-AGX\0",
    "var/lib/nvpmodel/status": "pmode:0003",
    "sys/devices/system/cpu/online": "0-5\n",
}


@pytest.fixture
def xavier(tmp_path):
    for name, text in XAVIER.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_a_xavier_is_read_from_its_files(xavier):
    found = describe(xavier)
    assert (found["l4t"], found["board"], found["power_mode"]) == ("35.4.1", "Jetson-AGX", "0003")
    assert found["cpu_online"] == "0-5"
    assert found["packages"]["numpy"]


def test_a_container_that_hides_the_device_tree_knows_its_board(xavier):
    (xavier / "proc/device-tree/model").rename(xavier / "etc/siamtrt-board")
    assert describe(xavier)["board"] == "Jetson-AGX"


def test_an_unknown_patch_level_is_read_not_refused(xavier):
    (xavier / "etc/nv_tegra_release").write_text("# R35 (release), REVISION: 6.9, GCID: 1, BOARD: x\n")
    assert l4t_version(xavier) == "35.6.9"


def test_what_a_laptop_does_not_tell_is_none(tmp_path):
    found = describe(tmp_path)
    assert found["l4t"] is None
    assert found["power_mode"] is None
    json.dumps(found)


def test_threads_of_one_core_count_once(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 4, 5, 7})
    assert cores(tmp_path) == 5  # nothing is told
    for number, siblings in enumerate(["0,4", "1,5", "2,6", "3,7", "0,4", "1,5", "2,6", "3,7"]):
        file = tmp_path / f"sys/devices/system/cpu/cpu{number}/topology/thread_siblings_list"
        file.parent.mkdir(parents=True)
        file.write_text(f"{siblings}\n")
    assert cores(tmp_path) == 3
