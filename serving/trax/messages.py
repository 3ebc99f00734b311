r"""Messages of TraX: a line each, ``@@TRAX:NAME "argument" "key=value"``, with ``\"``, ``\\`` and ``\n`` escaped.

The text protocol is spoken here rather than through the library ``vot-trax``: that is compiled, has no build for the
Jetson's processor, and would be a dependency for a page of code.

Source: the protocol's specification, https://trax.readthedocs.io; checked against ``vot-trax`` 4.0.2.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from siamtrt import UsageError

_PREFIX = "@@TRAX:"
_ARGUMENT = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|([^\s"]+))(?=\s|$)')
_NAMED = re.compile(r"([A-Za-z0-9._]{1,64})=(.*)", re.DOTALL)
_UNESCAPED = re.compile(r"\\(.)", re.DOTALL)


@dataclass(frozen=True)
class Message:
    """One message.

    Attributes:
        name: e.g. ``initialize``, in small letters.
        arguments: those without a key, in order.
        properties: those with one.
    """

    name: str
    arguments: tuple[str, ...]
    properties: dict[str, str]


def parse(line: str) -> Message | None:
    """Read a line; None for one that is no message, which the protocol lets pass.

    Raises:
        UsageError: it starts as a message, but its arguments cannot be told apart.
    """
    if not line.startswith(_PREFIX):
        return None
    name, _, rest = line[len(_PREFIX) :].strip("\r\n").partition(" ")
    arguments: list[str] = []
    properties: dict[str, str] = {}
    rest = rest.rstrip()
    position = 0
    while position < len(rest):
        matched = _ARGUMENT.match(rest, position)
        if matched is None:
            raise UsageError(f"a TraX message has damaged arguments: {_short(line)}", hint="is a quote missing?")
        position = matched.end()
        text = _UNESCAPED.sub(_unescape, matched.group(1) if matched.group(2) is None else matched.group(2))
        named = _NAMED.fullmatch(text)
        if named:
            properties[named.group(1)] = named.group(2)
        else:
            arguments.append(text)
    return Message(name.lower(), tuple(arguments), properties)


def compose(name: str, *arguments: str, **properties: str) -> str:
    """Write a message as a line with its end; ``_`` in the name of a property stands for a dot."""
    named = (f"{key.replace('_', '.')}={value}" for key, value in properties.items())
    return " ".join([_PREFIX + name, *(f'"{_escape(text)}"' for text in (*arguments, *named))]) + "\n"


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _unescape(matched: re.Match[str]) -> str:
    return "\n" if matched.group(1) == "n" else matched.group(1)


def _short(line: str) -> str:
    return repr(line if len(line) <= 80 else line[:80] + "...")
