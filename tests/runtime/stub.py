"""A matcher without a network: records the crops it is asked for and answers with fixed maps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from runtime.crop import crop
from runtime.decode import Decoder
from runtime.locator import HostLocator
from runtime.matcher import Response
from runtime.tracker import Tracker
from siamtrt import ModelCard
from siamtrt.card import LostRule, SearchCard, TrackerConstants


def card(*, search_px=255, score_size=25, lost=None, **changes) -> ModelCard:
    tracker = changes.get("tracker", TrackerConstants(0.05, 0.42, 0.38, source="test"))
    search = SearchCard(search_px, score_size, tracker.window_influence, ())
    fields = {
        "name": "stub",
        "family": "rpn",
        "template_px": 127,
        "stride": 8,
        "anchor_ratios": (0.33, 0.5, 1.0, 2.0, 3.0),
        "anchor_scales": (8.0,),
        "tracker": tracker,
        "searches": (search, lost) if lost else (search,),
        "kernels": (),
        "graphs": (),
        "checkpoint_sha256": "",
    }
    return ModelCard(**{**fields, **changes})


def long_term_card() -> ModelCard:
    return card(lost=SearchCard(831, 97, 0.001, (), LostRule(0.8, 0.998)))


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
        return {"crop": 1}

    def match(self, frame, square, fill):
        self.squares.append(square)
        self.patches.append(crop(frame, square, fill))
        size = next(search.score_size for search in self.card.searches if search.search_px == square.out_px)
        return Response(*self._respond(size), {"crop": 1, "network": 2})

    def close(self):
        self.closed = True


def tracker_of(matcher) -> Tracker:
    return Tracker(HostLocator(matcher))


def with_window(model: ModelCard, influence: float) -> Decoder:
    """The decoder of the ordinary search, with another window."""
    return Decoder(model, replace(model.search, window_influence=influence))
