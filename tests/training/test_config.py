from __future__ import annotations

from pathlib import Path

import pytest

from siamtrt import UsageError
from training.config import Config

CONFIGS = Path(__file__).parents[2] / "training" / "configs"
_WHOLE = "model = 'thin'\n{}\n[[sources]]\nkind = 'videos'\npath = 'videos'\n"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("model = [", "cannot read"),
        ("", r"bad.toml \[data\]: sources missing"),
        (_WHOLE.format(""), "bad.toml: steps missing"),
        (_WHOLE.format("steps = 'a'"), "steps is 'a'"),
        (_WHOLE.format("steps = true"), "steps is True"),
        (_WHOLE.format("steps = 9\nlr = 'fast'"), "lr is 'fast'"),
        (_WHOLE.format("steps = 9\nvalidation = 'dog'"), "validation is 'dog'"),
        (_WHOLE.format("steps = 9\nvalidation = [3]"), "validation is 3"),
        (_WHOLE.format("steps = 9\nvalidation_pairs = 0"), "validation_pairs = 0 is not at least 1"),
        (
            _WHOLE.format("steps = 9\n[optimizer]\nspeed = 3"),
            r"\[optimizer\]: speed unknown(.|\n)*known keys: lr, warm",
        ),
        (_WHOLE.format("steps = 9\n[augmentation]\nfog = 3"), r"\[data\]: fog unknown"),
        ("steps = 9\nsources = []", "no source"),
    ],
)
def test_a_bad_configuration_is_refused(tmp_path, text, complaint):
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=complaint):
        Config.load(path)
    with pytest.raises(UsageError, match="cannot read"):
        Config.load(tmp_path / "nowhere.toml")


def test_keys_may_stand_in_their_tables_or_before_them(tmp_path):
    (tmp_path / "flat.toml").write_text(_WHOLE.format("steps = 9\nlr = 1\nbatch = 3\n[augmentation]\nblur = 0"))
    (tmp_path / "tables.toml").write_text(
        "steps = 9\n[task]\nmodel = 'thin'\n[optimizer]\nlr = 1\n[data]\nbatch = 3\n[data.augmentation]\nblur = 0\n"
        "[[data.sources]]\nkind = 'videos'\npath = 'videos'\n"
    )
    flat, tables = (Config.load(tmp_path / f"{name}.toml") for name in ("flat", "tables"))
    assert flat == tables
    assert flat.claim() == tables.claim()
    assert (flat.optimizer.lr, flat.data.batch, flat.data.augmentation.blur) == (1, 3, 0)


def test_the_shipped_configurations_ask_for_what_made_the_shipped_weights():
    first, second = (Config.load(CONFIGS / f"{name}.toml") for name in ("siamrpn_lite0", "siamrpn_lite0_sizes"))
    assert (first.steps, first.optimizer.lr, first.ema, first.seed) == (2000, 1.5e-3, 0.998, 0)
    assert first.task["trunk_layers"] == ["layer4", "layer5"]
    assert (first.data.batch, first.data.negative, len(first.data.sources)) == (32, 0.2, 5)
    assert (second.data.augmentation.search_scale, second.task["loc_weight"]) == (0.3, 2.0)
