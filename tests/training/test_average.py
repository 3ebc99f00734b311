from __future__ import annotations

import pytest
import torch

from siamtrt import UsageError
from tests.training.test_loop import Line, config
from training.average import _arguments, main
from training.loop import STATE_NAME, Loop


def test_every_number_is_the_mean_of_its_own(tmp_path, capsys):
    paths = [tmp_path / f"{index}.pth" for index in range(2)]
    for index, path in enumerate(paths):
        torch.save({"a": torch.tensor([1.0, 2.0]) * (index + 1), "count": torch.tensor(index)}, path)
    main(_arguments().parse_args([*map(str, paths), "--out", str(tmp_path / "mean.pth")]))
    mean = torch.load(tmp_path / "mean.pth", weights_only=True)
    assert mean["a"].tolist() == [1.5, 3.0]
    assert mean["count"].item() == 1
    assert capsys.readouterr().out.strip() == str(tmp_path / "mean.pth")


def test_a_state_of_a_stopped_run_gives_the_weights_at_its_end(tmp_path):
    loop = Loop(Line(), config(steps=9), tmp_path)
    loop.run(until=5)
    averaged = {key: value.clone() for key, value in loop._average.items() if value.is_floating_point()}
    main(_arguments().parse_args([str(tmp_path / STATE_NAME), "--out", str(tmp_path / "end.pth")]))
    written = torch.load(tmp_path / "end.pth", weights_only=True)
    assert set(averaged) - set(written) <= {key for key in averaged if key.endswith("num_batches_tracked")}
    assert all(torch.equal(value, averaged[key]) for key, value in written.items())
    assert not torch.equal(written["0.weight"], loop.task.network.state_dict()["0.weight"])


def test_weights_of_another_network_are_refused(tmp_path):
    torch.save({"a": torch.zeros(2)}, tmp_path / "one.pth")
    torch.save({"a": torch.zeros(3)}, tmp_path / "other.pth")
    words = [str(tmp_path / "one.pth"), str(tmp_path / "other.pth"), "--out", str(tmp_path / "mean.pth")]
    with pytest.raises(UsageError, match=r"other\.pth is another network"):
        main(_arguments().parse_args(words))
