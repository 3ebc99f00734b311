"""Two real processes hold the same weights after every step, those of the trunk too."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.training.data import write_videos

_PROCESS = """
import sys
import torch
from pathlib import Path
from networks import models
from siamtrt.card import TrackerConstants
from tests.networks.thin import thin_siamrpn
from tests.training.test_trainer import config
from training.trainer import Trainer

rank, data, out = int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
torch.set_num_threads(1)
torch.distributed.init_process_group("gloo", init_method=f"file://{out}/meet", rank=rank, world_size=2)
models.MODELS["thin"] = models.ModelSpec(
    build=lambda state: thin_siamrpn(), tracker=TrackerConstants(0.05, 0.42, 0.38, source="test")
)
settings = config(trunk_layers=("widest",), trunk_from_step=2, steps=4, validate_steps=100)
trainer = Trainer(settings, data, out / str(rank), rank, 2)
before = trainer.network.get_parameter("backbone.widest.0.weight").detach().clone()
trainer.run()
after = trainer.network.get_parameter("backbone.widest.0.weight").detach()
assert not torch.equal(before, after)
torch.save(trainer.network.state_dict(), out / f"{rank}.pth")
"""


@pytest.mark.slow
def test_the_trunk_is_shared_though_it_starts_out_frozen(tmp_path):
    import torch

    write_videos(tmp_path / "data" / "videos")
    root = Path(__file__).parents[2]
    command = [sys.executable, "-W", "ignore", "-c", _PROCESS]
    ranks = [
        subprocess.Popen([*command, str(rank), str(tmp_path / "data"), str(tmp_path)], cwd=root) for rank in (0, 1)
    ]
    assert [process.wait(timeout=300) for process in ranks] == [0, 0]
    first, second = (torch.load(tmp_path / f"{rank}.pth", weights_only=True) for rank in (0, 1))
    trained = [name for name in first if name.endswith("weight") and "running" not in name]
    for name in trained:
        torch.testing.assert_close(first[name], second[name], rtol=0, atol=1e-6, msg=name)
