"""How exactly each of the three graphs computes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Mapping

from siamtrt.card import ROLES, TARGET, GraphCard
from siamtrt.errors import UsageError


class Precision(Enum):
    """The arithmetic of one graph; the value is the word the commands take.

    ``INT8`` keeps the correlations of the xcorr graph in FP16, since they are under one percent of the work and their
    range moves with every target; ``INT8_ALL`` quantises them too. In the other two graphs both mean the same. Alone,
    ``int8`` keeps the target graph in FP16: it runs once a target, so INT8 would only cost accuracy there.
    """

    FP32 = "fp32"
    FP16 = "fp16"
    INT8 = "int8"
    INT8_ALL = "int8-all"

    @property
    def is_int8(self) -> bool:
        """Whether it needs activation ranges."""
        return self in (Precision.INT8, Precision.INT8_ALL)


@dataclass(frozen=True)
class GraphPrecisions:
    """One precision for each role of a graph."""

    by_role: Mapping[str, Precision]

    @classmethod
    def parse(cls, text: str) -> GraphPrecisions:
        """Read ``fp16`` or ``target=fp16,search=int8,xcorr=fp16``; ``int8`` is ``target=fp16,search=int8,xcorr=int8``.

        Raises:
            UsageError: an unknown graph or precision, a graph missing or named twice.
        """
        if "=" not in text:
            alike = dict.fromkeys(ROLES, _precision(text))
            return cls({**alike, **_INT8} if text == Precision.INT8.value else alike)
        chosen: dict[str, Precision] = {}
        for part in text.split(","):
            graph, _, word = part.partition("=")
            if graph not in ROLES or graph in chosen:
                raise UsageError(f"{part!r} in {text!r}: name each of {', '.join(ROLES)} once", hint=_EXAMPLE)
            chosen[graph] = _precision(word)
        missing = [graph for graph in ROLES if graph not in chosen]
        if missing:
            raise UsageError(f"{text!r} leaves out {', '.join(missing)}", hint=_EXAMPLE)
        return cls(chosen)

    def of(self, graph: GraphCard) -> Precision:
        """The precision of *graph*, by its role."""
        return self.by_role[graph.role]

    @property
    def int8_roles(self) -> list[str]:
        """The roles whose graphs need activation ranges."""
        return [role for role in ROLES if self.by_role[role].is_int8]

    @property
    def label(self) -> str:
        """A short name fit for a folder: ``fp16``, or ``fp16+int8+fp16`` in the order target, search, xcorr.

        It is the word that :meth:`parse` reads where one does for all three.
        """
        words = [precision.value for precision in self._in_order()]
        alone = words[1]
        return alone if GraphPrecisions.parse(alone) == self else "+".join(words)

    def __str__(self) -> str:
        return ",".join(f"{role}={precision.value}" for role, precision in zip(ROLES, self._in_order()))

    def _in_order(self) -> list[Precision]:
        return [self.by_role[role] for role in ROLES]


_INT8: Mapping[str, Precision] = {TARGET: Precision.FP16}  # differs from the word that names all three
_EXAMPLE = "--precision fp16, or --precision target=fp16,search=int8,xcorr=fp16"


def _precision(word: str) -> Precision:
    try:
        return Precision(word)
    except ValueError as error:
        known = ", ".join(precision.value for precision in Precision)
        raise UsageError(f"unknown precision {word!r}", hint=f"one of {known}") from error
