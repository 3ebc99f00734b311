from __future__ import annotations

from networks.__main__ import arguments, main
from networks.models import MODELS


def test_the_models_are_listed_with_their_weights(capsys):
    main(arguments().parse_args([]))
    title, *rows = capsys.readouterr().out.splitlines()
    assert title.split()[0] == "model"
    assert [row.split()[0] for row in rows] == list(MODELS)
    (row,) = (row for row in rows if row.startswith("siamrpn_r50 "))
    assert "255 px" in row
    assert "53.95 M" in row
