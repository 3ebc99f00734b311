"""A figure of README and docs comes from a file with its command, machine and manifests, or says that it does not."""

from __future__ import annotations

import json
import operator
import re
import statistics
from pathlib import Path

import pytest

from studies.tracked import shown

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
MEASURED = sorted((DOCS / "measured").glob("*.json"))
PAGES = [
    "README.md",
    "docs/adaptive.md",
    "docs/architectures.md",
    "docs/evaluation.md",
    "docs/int8.md",
    "docs/pruning.md",
    "docs/reliability.md",
    "docs/speed.md",
    "docs/training.md",
    "weights/siamrpn_nano.md",
    "weights/siamrpn_nano-exits.md",
    "weights/siamrpn_nano-m62.md",
]
TARGETS = ("siamrpn_lite0", "siamrpn_nano")
MARK = "from no file"  # what an older table owns up to


def overhead(model):
    return json.loads((DOCS / "measured" / f"overhead_{model}.json").read_text())


def tables(page):
    """Each table with a measured figure in it, and the words from the heading or table before to the end of it."""
    for section in re.split(r"(?m)^## ", (ROOT / page).read_text(encoding="utf-8")):
        start = end = 0
        for found in re.finditer(r"(?m)(^\|.*\n)+", section):
            if section[end : found.start()].strip():
                start = end
            end = found.end()
            if re.search(r"\|\s*\**\d+\.\d", found.group()):
                yield found.group().splitlines()[0], section[start:end]


@pytest.mark.parametrize("path", MEASURED, ids=lambda path: path.name)
def test_a_recorded_figure_names_its_command_machine_and_manifests(path):
    document = json.loads(path.read_text())
    assert document["command"].startswith("python -m ")
    assert document["environment"]["cpu"]
    assert document["environment"]["git_revision"]
    assert document["engines_manifest"]["files"] if "engines_manifest" in document else document["checkpoint"]["sha256"]
    assert str(ROOT) not in path.read_text()


@pytest.mark.parametrize("page", PAGES)
def test_every_table_of_figures_links_its_file_or_says_that_it_has_none(page):
    bare = [head for head, words in tables(page) if ".json" not in words and MARK not in words.lower()]
    assert bare == []


@pytest.mark.parametrize("page", PAGES)
def test_every_file_that_is_named_as_a_source_is_there(page):
    links = re.findall(r"\]\(([^)#:]+\.json)\)", (ROOT / page).read_text(encoding="utf-8"))
    assert not [link for link in links if not ((ROOT / page).parent / link).is_file()]


def test_the_milliseconds_of_several_targets_are_what_their_files_say():
    page = (DOCS / "speed.md").read_text(encoding="utf-8")
    runs = [json.loads((DOCS / "measured" / f"targets_{name}.json").read_text()) for name in TARGETS]
    for row, way in (
        ("one after the other, both threads on each", "one after the other"),
        ("beside each other, a thread on each", "beside each other"),
        ("in a batch", "in a batch"),
    ):
        medians = [f"{statistics.median(run['ms'][way][6:]):.1f} ms" for run in runs]
        assert f"| {row} | {medians[0]} | {medians[1]} |" in page
        if way != "one after the other":
            ratios = [f"{run['ratios'][way]:.2f}" for run in runs]
            assert (
                f"| {row} | {medians[0]} | {medians[1]} |\n| ratio, median over the frames | {' | '.join(ratios)} |"
                in page
            )


def test_what_nv12_saves_is_what_its_file_says():
    page, run = (DOCS / "speed.md").read_text(encoding="utf-8"), overhead("siamrpn_nano")
    for row, part, digits in (("everything but the network", "glue", 2), ("a whole update", "update", 1)):
        ours, first = (f"{run[f'nv12_{part}{way}_ms']:.{digits}f} ms" for way in ("", "_converted_first"))
        assert f"| {row} | {ours} | {first} | {run[f'nv12_{part}_ratio']:.2f} |" in page


def test_the_milliseconds_and_the_comparison_with_pysots_way_are_what_their_files_say():
    page = (DOCS / "speed.md").read_text(encoding="utf-8")
    runs = [overhead("nanotrack_v3"), overhead("siamrpn_nano")]
    inside, border = ([run[f"glue_{place}_ratio"] for run in runs] for place in ("inside", "border"))
    resize = [run["resize_inside_ms"] / run["glue_inside_ms"] for run in runs]
    for words, values in (
        ("the target inside the frame", inside),
        ("the target at the border", border),
        ("OpenCV's resize alone, inside", resize),
    ):
        assert f"| {words} | {values[0]:.2f} | {values[1]:.2f} |" in page
    for words, figure in (("a whole update, crop to box", "update_ms"), ("inside the frame", "glue_inside_ms")):
        (row,) = re.findall(rf"(?m)^\|[^|]*{words} \| ([\d.]+) ms \| ([\d.]+) ms \|$", page)
        assert [float(value) for value in row] == [pytest.approx(run[figure], rel=0.02) for run in runs]


def test_the_updates_in_turns_are_what_their_file_says():
    run = json.loads((DOCS / "measured" / "update_cost.json").read_text())
    medians = {
        name.partition(",")[0]: statistics.median(row["processor_ms"][run["warm_up"] :])
        for name, row in run["rows"].items()
    }
    page = (DOCS / "speed.md").read_text(encoding="utf-8")
    rows = re.findall(r"(?m)^\| `(\w+)`(, variant )?(\w*) \| ([\d.]+) ms \| ([\d.]+) \|$", page)
    written = {f"{model} {variant}".strip(): (ms, float(share)) for model, _, variant, ms, share in rows}
    first = medians["siamrpn_lite0"]
    assert written == {name: (f"{ms:.1f}", pytest.approx(ms / first, abs=0.005)) for name, ms in medians.items()}


def test_what_ways_and_parts_of_a_training_gave_is_what_their_files_say():
    page = (DOCS / "training.md").read_text(encoding="utf-8")
    ways, parts = (
        json.loads((DOCS / "measured" / f"{name}.json").read_text())
        for name in ("ways", "training_ablation_siamrpn_nano")
    )
    for name, way in ways["ways"].items():
        beside = "" if name == "nano" else f"{shown(ways['gains'][name])} "
        row = f"| {way['pairs']:,} | {way['success_auc']:.3f} ({way['losses']}) | {beside}|"
        assert re.search(rf"(?m)^\| `{name}`[^|]* {re.escape(row)}$", page)
    for name, seeds in parts["rows"].items():
        beside = "" if name == "all" else shown(parts["gains"][name])
        row = " | ".join(f"{seed['success_auc']:.3f} ({seed['losses']})" for seed in seeds)
        assert re.search(rf"(?m)\| {re.escape(row)} \|[^|]*\| {re.escape(beside)}", page)


def test_the_latency_table_orders_networks_as_its_file_says():
    page = (DOCS / "architectures.md").read_text(encoding="utf-8")
    run = json.loads((DOCS / "measured" / "latency_order.json").read_text())
    ratios = [network["predicted_ms"] / network["profiled_ms"] for network in run["networks"]]
    assert f"| table | {min(ratios):.3f} to {max(ratios):.3f} | {run['tau']:.2f} |" in page
    assert f"| multiply-accumulates | | {run['tau_of_work']:.2f} |" in page


def test_what_a_searched_cell_is_worth_stands_as_its_file_says():
    page = (DOCS / "architectures.md").read_text(encoding="utf-8")
    run = json.loads((DOCS / "measured" / "cells_siamrpn_nano.json").read_text())
    first = run["rows"][0]["successes"]
    for row in run["rows"]:
        mean, apart = map(statistics.mean, (row["successes"], map(operator.sub, row["successes"], first)))
        costs = rf"\| {row['macs'] / 1e6:.1f} \| {row['update_ms']:.2f} ms \|"
        (line,) = re.findall(rf"(?m)^\| .* \| {mean:.3f} \(.*{costs}$", page)
        assert row["successes"] == first or f"| {apart:+.3f} (" in line
    for search in run["searches"].values():
        assert " | ".join(f"{seed['derived_loss']:.2f}" for seed in search["seeds"]) in page


def faults(name):
    return json.loads((DOCS / "measured" / name).read_text())["entries"]


def test_what_went_wrong_on_purpose_is_told_as_its_files_say():
    page = (DOCS / "reliability.md").read_text(encoding="utf-8")
    for kind, tally in faults("faults_fuzz.json").items():
        assert f"| {kind} | {tally['read']} | {tally['refused']} | {len(tally['findings'])} |" in page
        assert tally["read"] + tally["refused"] + len(tally["findings"]) == 1000
    for command, tally in faults("faults_kills.json").items():
        assert f"| {command} | {tally['kills']} | {tally['finished']} | {len(tally['lost'])} |" in page
    for command, outcomes in faults("faults_accidents.json").items():
        assert not any(outcome["finding"] for outcome in outcomes)
        codes = (" ".join(map(str, outcome["codes"])) for outcome in outcomes)
        assert f"| {command} | {' | '.join(codes)} |" in page
    for path in (DOCS / "measured").glob("soak_*.json"):
        run = faults(path.name)["soak"]
        last = run["parts"][-1]
        memory = f"{run['memory_growth_mib']:+.2f} MiB of {last['memory_mib']:.0f}"
        row = (f"{last['frames']:,}", memory, f"{run['descriptors_growth']:+d}", f"{run['threads_growth']:+d}")
        assert f"| {' | '.join(row)} | {run['processor_ratio']:.3f} |" in page


def test_the_frame_rate_of_the_front_page_is_that_of_the_example():
    (shown,) = re.findall(r"\*\*(\d+) frames a second\*\*", (ROOT / "README.md").read_text(encoding="utf-8"))
    report = json.loads((DOCS / "example" / "report.json").read_text())
    assert int(shown) == int(report["speed"]["figures"]["fps_pooled"])


def test_the_overhead_of_the_front_page_is_that_of_its_file():
    ((beside, update),) = re.findall(
        r"\*\*([\d.]+) ms\*\* of ([\d.]+) ms", (ROOT / "README.md").read_text(encoding="utf-8")
    )
    run = overhead("siamrpn_nano")
    assert [float(beside), float(update)] == pytest.approx([run["glue_inside_ms"], run["update_ms"]], rel=0.02)
