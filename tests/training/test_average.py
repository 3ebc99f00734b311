from __future__ import annotations

import pytest
import torch

from siamtrt import UsageError
from training.average import _arguments, main


def test_every_number_is_the_mean_of_its_own(tmp_path, capsys):
    paths = [tmp_path / f"{index}.pth" for index in range(2)]
    for index, path in enumerate(paths):
        torch.save({"a": torch.tensor([1.0, 2.0]) * (index + 1), "count": torch.tensor(index)}, path)
    main(_arguments().parse_args([*map(str, paths), "--out", str(tmp_path / "mean.pth")]))
    mean = torch.load(tmp_path / "mean.pth", weights_only=True)
    assert mean["a"].tolist() == [1.5, 3.0]
    assert mean["count"].item() == 1
    assert capsys.readouterr().out.strip() == str(tmp_path / "mean.pth")


def test_weights_of_another_network_are_refused(tmp_path):
    torch.save({"a": torch.zeros(2)}, tmp_path / "one.pth")
    torch.save({"a": torch.zeros(3)}, tmp_path / "other.pth")
    words = [str(tmp_path / "one.pth"), str(tmp_path / "other.pth"), "--out", str(tmp_path / "mean.pth")]
    with pytest.raises(UsageError, match=r"other\.pth is another network"):
        main(_arguments().parse_args(words))
