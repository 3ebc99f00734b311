"""How large the regions are that the networks look at.

Source: Li et al., CVPR 2018, sec. 4.3, with PySOT's rounding; golden values in tests/golden/pysot.
"""

from __future__ import annotations

import math


def context_side(width: float, height: float, context: float) -> float:
    """Side of the template's square in pixels, not rounded: ``sqrt((w + p)(h + p))`` with ``p = context (w + h)``."""
    margin = context * (width + height)
    return math.sqrt((width + margin) * (height + margin))


def template_side(width: float, height: float, context: float) -> int:
    """Side of the template's square, rounded half to even as Python's ``round`` does, in pixels; at least 1."""
    return max(1, round(context_side(width, height, context)))


def search_side(width: float, height: float, context: float, ratio: float) -> int:
    """Side of the search square, in pixels; *ratio* is search crop over template crop. At least 1."""
    return max(1, round(context_side(width, height, context) * ratio))
