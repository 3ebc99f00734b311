from __future__ import annotations

import pytest

from benchmarks.profiling.power.rails import BOARDS, Rail, board_of, total_mw
from tests.benchmarks.profiling.power.boards import SIX


def rails(**power_mw):
    return tuple(Rail(name, power) for name, power in power_mw.items())


def test_agx_xavier_is_the_sum_of_six():
    assert total_mw(rails(GPU=1, CPU=10, SOC=100, CV=1000, VDDRQ=10_000, SYS5V=100_000)) == 111_111


def test_agx_orin_is_the_sum_of_three_and_what_else_it_shows_is_part_of_them():
    assert total_mw(rails(VDD_GPU_SOC=1, VDD_CPU_CV=10, VIN_SYS_5V0=100, VDDQ_VDD2_1V8AO=7)) == 111


@pytest.mark.parametrize("name", ["VDD_IN", "POM_5V_IN"])
def test_a_rail_of_the_whole_input_is_the_total_and_its_parts_are_not_added(name):
    assert total_mw(rails(**{"VDD_CPU_GPU_CV": 650, "POM_5V_CPU": 366, name: 2763})) == 2763


@pytest.mark.parametrize("missing", SIX)
def test_five_of_six_rails_are_no_total(missing):
    assert total_mw(tuple(Rail(name, 1) for name in SIX if name != missing)) is None


def test_unknown_rails_have_no_board():
    assert board_of(["VDD_GPU", "VDD_CPU"]) is None
    assert total_mw(rails(SYS5V=5)) is None


def test_every_board_is_found_by_its_own_rails():
    for board in BOARDS:
        assert board_of(board.total_rails) is board
