"""A matcher without a network: records the crops it is asked for and answers with fixed maps."""

from __future__ import annotations

import numpy as np

from runtime.crop import crop
from runtime.matcher import Response, StageTimes
from siamtrt import ModelCard
from siamtrt.card import LostSearch, TrackerConstants


def card(**changes) -> ModelCard:
    fields = {
        "name": "stub",
        "family": "rpn",
        "template_px": 127,
        "search_px": 255,
        "stride": 8,
        "score_size": 25,
        "anchor_ratios": (0.33, 0.5, 1.0, 2.0, 3.0),
        "anchor_scales": (8.0,),
        "tracker": TrackerConstants(0.05, 0.42, 0.38, source="test"),
        "lost": None,
        "kernels": (),
        "graphs": (),
        "checkpoint_sha256": "",
    }
    return ModelCard(**{**fields, **changes})


def long_term_card() -> ModelCard:
    return card(lost=LostSearch(831, 97, 0.001, 0.8, 0.998))


def golden_maps(score_size):
    k, i, j = np.mgrid[0:20, 0:score_size, 0:score_size]
    cls = 2 * np.sin(0.1 * k + 0.05 * i + 0.07 * j)[:10]
    loc = 0.3 * np.cos(0.2 * k + 0.03 * i - 0.05 * j)
    return cls.astype(np.float32), loc.astype(np.float32)


def maps_with_score(score_size, score):
    """Anchor 2 of the middle cell has *score*, everything else is background; boxes are the anchors."""
    cls = np.zeros((10, score_size, score_size), np.float32)
    cls[5:] = -20
    cls[7, score_size // 2, score_size // 2] = np.log(score / (1 - score))
    return cls, np.zeros((20, score_size, score_size), np.float32)


class StubMatcher:
    def __init__(self, model_card, respond=golden_maps):
        self.card, self._respond = model_card, respond
        self.template, self.squares, self.patches = None, [], []
        self.closed = False

    def remember(self, frame, square, fill):
        self.template = crop(frame, square, fill)
        return StageTimes(crop_ns=1)

    def match(self, frame, square, fill):
        self.squares.append(square)
        self.patches.append(crop(frame, square, fill))
        lost = self.card.lost
        size = lost.score_size if lost and square.out_px == lost.search_px else self.card.score_size
        return Response(*self._respond(size), StageTimes(crop_ns=1, network_ns=2))

    def close(self):
        self.closed = True
