"""Damage to a file: bytes flipped, lost, repeated; values of a JSON document exchanged for what does not belong."""

from __future__ import annotations

import json
import random
from typing import Any

_WORDS = (
    b"\0",
    b"\xff\xfe",
    b"nan",
    b"-1",
    b"1e999",
    b"{",
    b"]",
    b'"',
    b"\n",
    b",",
    b"../../x",
    b"9" * 400,
    b"[" * 2000,
)
_VALUES: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    2**31,
    10**400,
    1e308,
    float("nan"),
    float("inf"),
    "",
    "x" * 5000,
    "../../etc/passwd",
    "\0",
    "\ud800",
    [],
    {},
    [[]],
    {"": {}},
)


def damaged(rng: random.Random, content: bytes) -> bytes:
    """*content* with one to three damages; a JSON document as often by value as by byte."""
    for _ in range(rng.randint(1, 3)):
        document = _document(content) if rng.random() < 0.5 else None
        content = _bytes(rng, content) if document is None else json.dumps(_exchanged(rng, document)).encode()
    return content


def _bytes(rng: random.Random, content: bytes) -> bytes:
    start = rng.randrange(len(content) + 1)
    end = min(len(content), start + rng.choice((1, 4, 60, 1000)))
    kind = rng.randrange(6)
    if kind == 0:
        return content[:start]
    if kind == 1:
        return content[:start] + content[end:]
    if kind == 2:
        return content[:end] + content[start:end] * rng.choice((1, 50)) + content[end:]
    if kind == 3:
        return content[:start] + rng.choice(_WORDS) + content[end:]
    flipped = bytes(byte ^ (1 << rng.randrange(8)) for byte in content[start:end])
    return content[:start] + (flipped if kind == 4 else rng.randbytes(end - start)) + content[end:]


def _document(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def _exchanged(rng: random.Random, value: Any) -> Any:
    """*value* with one of the values in it lost, repeated or exchanged."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        name, kind = rng.choice(list(value)), rng.randrange(8)
        if kind == 0:
            return {key: one for key, one in value.items() if key != name}
        if kind == 1:
            return {**value, "unknown": value[name]}
        return {**value, name: _exchanged(rng, value[name])}
    if isinstance(value, list) and value and rng.random() < 0.9:
        place, kind = rng.randrange(len(value)), rng.randrange(8)
        if kind == 0:
            return value[:place] + value[place + 1 :]
        if kind == 1:
            return value[:place] + value[place:] * 2
        return [*value[:place], _exchanged(rng, value[place]), *value[place + 1 :]]
    return rng.choice(_VALUES)
