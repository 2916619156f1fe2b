"""What kind of value each setting holds: reading, checking and naming them by their types."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, TypeAlias, get_args, get_origin, get_type_hints

import msgspec

from waterbutler.settings.model import MountSettings
from waterbutler.settings.tables import Table

Kind: TypeAlias = Any
"""A type annotation, as ``get_type_hints`` gives it."""

PLACEHOLDER = {"users": "<user>", "resources": "<resource>", "providers": "<mount>"}
"""How the names that the administrator chooses are written in documentation."""


class Text(str):
    """A value from the environment or a secret's file: it is read by the type it is for."""

    __slots__ = ()


@cache
def fields(table: type[Table]) -> dict[str, Kind]:
    """The kinds of a table's fields."""
    return get_type_hints(table, include_extras=True)


def plain(kind: Kind) -> Kind:
    """The kind without its notes."""
    return kind.__origin__ if hasattr(kind, "__metadata__") else kind


def outer(kind: Kind) -> object:
    """What a kind is made with: ``list`` for ``list[str]``; ``None`` for simple kinds."""
    made: object = get_origin(plain(kind))
    return made


def note(kind: Kind) -> msgspec.Meta:
    """The notes of a kind."""
    notes = [note for note in getattr(kind, "__metadata__", ()) if isinstance(note, msgspec.Meta)]
    return notes[0] if notes else msgspec.Meta()


def as_table(kind: Kind) -> type[Table] | None:
    """The table that the kind is, if it is one."""
    return kind if isinstance(kind, type) and issubclass(kind, Table) else None


def values_of(kind: Kind) -> Kind | None:
    """What a table with free names holds; ``None`` for all other kinds."""
    return get_args(plain(kind))[1] if outer(kind) is dict else None


def is_free(table: type[Table], name: str) -> bool:
    """Whether a field takes any JSON: a mount's settings and credentials."""
    return table is MountSettings and name in {"settings", "credentials"}


def leaves(kind: Kind, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Kind]]:
    """Every setting below a kind, with placeholders for free names."""
    if table := as_table(kind):
        for name, inner in fields(table).items():
            yield from leaves(inner, (*path, name))
    elif as_table(inner := values_of(kind)):
        yield from leaves(inner, (*path, PLACEHOLDER[path[-1]]))
    else:
        yield path, kind


def default_of(path: tuple[str, ...], root: type[Table]) -> object:
    """The default of a setting that `leaves` named."""
    kind: Kind = root
    value: object = None
    for name in path:
        table = as_table(kind)
        if table is None:
            kind = values_of(kind)
            continue
        about = next(about for about in msgspec.structs.fields(table) if about.name == name)
        kind = fields(table)[name]
        value = about.default
        if value is msgspec.NODEFAULT:
            factory = about.default_factory
            value = factory() if callable(factory) else None
    return value


def parse(text: str, kind: Kind) -> object:
    """Read a text as the kind says.

    Numbers and booleans are words, lists and tables are JSON or TOML; the texts of a list may
    also be separated by commas.

    Raises:
        ValueError: It cannot be read so; the message does not repeat it.
    """
    text, kind = str(text), plain(kind)
    if kind is str or outer(kind) is Literal:
        return text
    if outer(kind) is list:
        if text.lstrip().startswith("["):
            return _inline(text)
        return [part.strip() for part in text.split(",") if part.strip()]
    if as_table(kind) or values_of(kind) is not None:
        return _inline(text)
    if kind is not bool and outer(kind) is UnionType and text == "":
        return None
    if kind is bool and text == "":
        return False
    return msgspec.convert(text, kind, strict=False)


def _inline(text: str) -> object:
    try:
        try:
            value: object = msgspec.json.decode(text)
        except msgspec.DecodeError:
            found = tomllib.loads(f"value = {text}")
            if len(found) != 1:
                raise ValueError("expected one value") from None
            value = found["value"]
    except RecursionError:
        raise ValueError("expected less in one another") from None
    return value


def expected(kind: Kind) -> str:
    """What a kind takes, in words."""
    about, kind = note(kind), plain(kind)
    origin, args = outer(kind), get_args(kind)
    if origin is Literal:
        return "one of " + ", ".join(str(choice) for choice in args)
    if origin is list:
        return "a list of texts"
    if origin is UnionType:
        return " or ".join(expected(part) for part in args if part is not NoneType)
    if kind is bool:
        return "true or false"
    if kind in {int, float}:
        words = "a whole number" if kind is int else "a number"
        if about.ge is not None and about.le is not None:
            return f"{words} from {about.ge} to {about.le}"
        if about.ge is not None:
            return f"{words}, at least {about.ge}"
        return f"{words} above {about.gt}" if about.gt is not None else words
    return "a text" if kind is str else "a table"
