"""Two real processes take the steps that one process takes on both of their batches, and stop after the same step."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import torch
from torch import nn

from tests.training.test_loop import config
from training.loop import Loop
from training.place import CPU, Place, join
from training.tasks.task import Group


class Sum:
    """Three parameters: the first is used by every process, the second by the last one alone, the third by none."""

    def __init__(self, place, during=lambda step: None):
        self.network = nn.ParameterList([nn.Parameter(torch.full((2,), 0.5)) for _ in range(3)])
        self._place, self._during = place, during

    def groups(self):
        return [Group(list(self.network))]

    def batches(self, first, last):
        yield from range(first, last)

    def losses(self, step):
        self._during(step)
        ranks = [self._place.rank] if self._place.world == 2 else [0, 1]
        parts = [self._part(step, rank) for rank in ranks]
        return {"loss": torch.stack(parts).mean()}

    def _part(self, step, rank):
        points = torch.randn(2, generator=torch.Generator().manual_seed(2 * step + rank))
        off = (self.network[0] * points).sum() - 1
        return off**2 if rank == 0 else off**2 + (self.network[1] * points).sum() ** 2

    def score(self, network):
        return 0.0


def steps(place, out, during=lambda step: None):
    task = Sum(place, during)
    loop = Loop(task, config(steps=5, weight_decay=0.1), out, place)
    try:
        loop.run()
    finally:
        torch.save(task.network.state_dict(), out / f"rank{place.rank}.pth")
        (out / f"rank{place.rank}.step").write_text(str(loop.step))


def main(out, stopped_at):
    """What each process runs; the second one gets a signal at the step *stopped_at*."""
    torch.set_num_threads(1)
    with join("cpu") as place:
        stop = place.rank == 1 and stopped_at >= 0
        steps(place, out, lambda step: signal.raise_signal(signal.SIGINT) if stop and step == stopped_at else None)


def two_processes(out, stopped_at=-1):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    program = "import sys; from pathlib import Path; from tests.training.test_processes import main; "
    command = [sys.executable, "-c", f"{program}main(Path(sys.argv[1]), {stopped_at})", str(out)]
    world = {**os.environ, "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    processes = [
        subprocess.Popen(
            command, cwd=Path(__file__).parents[2], env={**world, "RANK": str(rank)}, stderr=subprocess.PIPE, text=True
        )
        for rank in (0, 1)
    ]
    said = [process.communicate(timeout=300)[1] for process in processes]
    return said, [torch.load(out / f"rank{rank}.pth", weights_only=True) for rank in (0, 1)]


def test_two_processes_take_the_steps_of_one(tmp_path):
    (tmp_path / "two").mkdir()
    (tmp_path / "one").mkdir()
    _, (first, second) = two_processes(tmp_path / "two")
    steps(CPU, tmp_path / "one")
    alone = torch.load(tmp_path / "one" / "rank0.pth", weights_only=True)
    for key, value in alone.items():
        assert torch.equal(first[key], second[key]), key
        torch.testing.assert_close(first[key], value)
    assert not torch.equal(alone["1"], torch.full((2,), 0.5))  # one process's gradient reaches both
    assert torch.equal(alone["2"], torch.full((2,), 0.5))  # what no process uses does not even decay


def test_processes_stop_after_the_same_step_whoever_is_interrupted(tmp_path):
    said, (first, second) = two_processes(tmp_path, stopped_at=2)
    assert [(tmp_path / f"rank{rank}.step").read_text() for rank in (0, 1)] == ["3", "3"]
    assert all("KeyboardInterrupt" in words for words in said)
    for key, value in first.items():
        assert torch.equal(value, second[key]), key


def test_one_process_asks_nobody():
    assert CPU.agree(True)
    assert not Place(torch.device("cpu")).agree(False)
