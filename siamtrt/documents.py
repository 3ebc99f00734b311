"""JSON documents with a schema: saved whole or not at all, and read back into the dataclass they were saved from."""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import MISSING, dataclass, fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Tuple, Type, TypeVar, Union, get_type_hints

from siamtrt.errors import ArtifactError
from siamtrt.files import read_json, write_text

T = TypeVar("T")

_LARGEST_INT = 2**63 - 1


@dataclass(frozen=True)
class Format:
    """A kind of document.

    Attributes:
        what: the kind in a sentence, e.g. ``"a model card"``.
        schema: version of its fields.
        hint: how such a document is made anew.
        kind: stored as ``kind``, where several kinds of document share a folder or a command.
    """

    what: str
    schema: int
    hint: str
    kind: Optional[str] = None

    def save(self, path: Path, document: Mapping[str, Any], *, indent: Optional[int] = 1) -> None:
        """Write *document* with schema and kind to *path*.

        Raises:
            ArtifactError: see :func:`write`.
        """
        kind = {} if self.kind is None else {"kind": self.kind}
        write(path, {"schema": self.schema, **kind, **document}, indent=indent)

    def load(self, path: Path) -> Dict[str, Any]:
        """Read the fields of a document, without schema and kind.

        Raises:
            ArtifactError: the file is absent, no JSON object, or of another kind or schema.
        """
        return self.fields(read_json(path), path)

    def fields(self, document: Mapping[str, Any], path: Path) -> Dict[str, Any]:
        """The fields of a document that was read from *path*, without schema and kind.

        Raises:
            ArtifactError: it is of another kind or schema.
        """
        found = dict(document)
        schema, kind = found.pop("schema", None), found.pop("kind", None) if self.kind else None
        if schema != self.schema or kind != self.kind:
            is_what = f"{kind!r} of schema {schema!r}" if self.kind else f"of schema {schema!r}"
            raise ArtifactError(f"{path} is not {self.what} of schema {self.schema}: it is {is_what}", hint=self.hint)
        return found

    def build(self, cls: Type[T], document: Mapping[str, Any], path: Path) -> T:
        """Make a *cls* of the fields of a document that was read from *path*, see :func:`build`.

        Raises:
            ArtifactError: they are not those of *cls*.
        """
        try:
            return build(cls, document)
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            raise ArtifactError(f"{path} is not {self.what}: {error}", hint=self.hint) from error

    def read(self, path: Path, cls: Type[T]) -> T:
        """Read *path* into a *cls*.

        Raises:
            ArtifactError: see :meth:`load` and :meth:`build`.
        """
        return self.build(cls, self.load(path), path)


def write(path: Path, document: Mapping[str, Any], *, indent: Optional[int] = 1) -> None:
    """Write *document* as JSON to *path*, whole or not at all.

    Args:
        path: missing parent folders are made.
        document: JSON-ready; a number that is not finite raises ValueError, since JSON has none.
        indent: spaces a level; None for one line, which suits long lists of samples.

    Raises:
        ArtifactError: the disk is full or the folder cannot be written.
    """
    write_text(path, json.dumps(document, indent=indent, allow_nan=False) + "\n")


def digest(value: Any) -> str:
    """Hex sha256 of a JSON-ready *value*; the order of the keys of an object makes no difference."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def build(cls: Type[T], document: Mapping[str, Any]) -> T:
    """Make a dataclass *cls* of what ``dataclasses.asdict`` made of one, nested ones included.

    Args:
        cls: its annotations are evaluated, so they must be of a form that Python 3.8 evaluates.
        document: field name -> value; a field with a default may be left out.

    Raises:
        TypeError: *document* lacks a field, has an unknown one, or one of another type.
        ValueError: a value is refused by the dataclass.
    """
    hints = get_type_hints(cls)
    unknown = sorted(set(document) - set(hints))
    missing = [
        field.name
        for field in fields(cls)  # type: ignore[arg-type]
        if field.name not in document and field.default is MISSING and field.default_factory is MISSING
    ]
    if unknown or missing:
        raise TypeError(f"{', '.join(unknown or missing)} {'unknown' if unknown else 'missing'}")
    return cls(**{name: _value(hints[name], value, name) for name, value in document.items()})


def _value(kind: Any, value: Any, name: str) -> Any:
    """*value* as a *kind*, where JSON has lost the type."""
    origin = getattr(kind, "__origin__", None)
    arguments: Tuple[Any, ...] = getattr(kind, "__args__", ())
    if kind is Any:
        return value
    if origin is Union:
        if value is None and type(None) in arguments:
            return None
        (inner,) = [argument for argument in arguments if argument is not type(None)]
        return _value(inner, value, name)
    if is_dataclass(kind):
        return build(kind, _of_type(dict, value, name))  # type: ignore[arg-type]
    if origin is dict:
        return {key: _value(arguments[1], entry, f"{name}.{key}") for key, entry in _of_type(dict, value, name).items()}
    if origin is list:
        return [_value(arguments[0], entry, name) for entry in _of_type((list, tuple), value, name)]
    if origin is tuple:
        entries = _of_type((list, tuple), value, name)
        kinds = arguments[:1] * len(entries) if arguments[-1] is Ellipsis else arguments
        if len(kinds) != len(entries):
            raise TypeError(f"{name} has {len(entries)} entries, not {len(kinds)}")
        return tuple(_value(inner, entry, name) for inner, entry in zip(kinds, entries))
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind(value)
    if kind is float:
        return _within(_of_type((int, float), value, name), sys.float_info.max, name)
    if kind is int:
        return _within(_of_type(int, value, name), _LARGEST_INT, name)
    return _of_type(kind, value, name)


def _within(number: Any, most: float, name: str) -> Any:
    """A *number* that arithmetic can bear; JSON allows any count of digits, and Python reads NaN."""
    if not -most <= number <= most:
        raise ValueError(f"{name} is {number!r:.20}, not a finite number of a sensible size")
    return number


def _of_type(kind: Any, value: Any, name: str) -> Any:
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise TypeError(f"{name} is {value!r:.40}")
    return value
