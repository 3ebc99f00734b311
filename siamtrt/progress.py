"""Progress of long work: a bar on a terminal, a line every ten seconds elsewhere, nothing where INFO is off."""

from __future__ import annotations

import io
import logging
import sys
from typing import Any, Callable, Iterable, Optional, TextIO

from tqdm import tqdm

_EVERY_S = 10.0
_LINE = "{desc}: {n_fmt} of {total_fmt} {unit}s, {elapsed} gone, {remaining} to go{postfix}"

log = logging.getLogger(__name__)


def progress_bar(
    items: Optional[Iterable[Any]] = None,
    *,
    desc: str,
    unit: str,
    total: Optional[int] = None,
    initial: int = 0,
    leave: bool = True,
) -> Any:
    """Iterate over *items* and show how far that is; a ``tqdm``, whose ``update`` and ``set_postfix`` work too.

    Args:
        items: None where the caller counts by ``update``.
        desc: what is being done, in a word or two.
        unit: what is counted, in the singular.
        total: how many there are, where *items* does not say.
        initial: how many were done before.
        leave: the bar stays on the terminal at the end.
    """
    settings = {"desc": desc, "unit": unit, "total": total, "initial": initial}
    disable = not log.isEnabledFor(logging.INFO)
    if sys.stderr.isatty():
        return tqdm(items, leave=leave, disable=disable, **settings)
    times = {"mininterval": _EVERY_S, "maxinterval": _EVERY_S, "delay": _EVERY_S}
    return _Lines(items, file=io.StringIO(), bar_format=_LINE, disable=disable, **times, **settings)


class _Lines(tqdm):  # type: ignore[misc]
    """Logs a line where ``tqdm`` redraws a bar; what it writes beside the bar goes to its file, nowhere."""

    @staticmethod
    def status_printer(_: TextIO) -> Callable[[str], None]:
        return log.info

    def moveto(self, _: int) -> None:
        """A log has no place to go back to."""
