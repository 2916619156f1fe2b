"""From a tree of unchecked values to typed settings."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeVar

import msgspec

from waterbutler.core import JSON
from waterbutler.core.errors import ConfigInvalid
from waterbutler.settings.kinds import (
    Kind,
    Text,
    as_table,
    expected,
    fields,
    is_free,
    leaves,
    parse,
    values_of,
)
from waterbutler.settings.model import Settings
from waterbutler.settings.sources import KeyPath, Sources
from waterbutler.settings.tables import Table

_NAME = re.compile(r"\w+")

T = TypeVar("T", bound=Table)


class Reader:
    """Reads settings and notes where each came from.

    Args:
        sources: The values.
        environ: Where ``env:NAME`` is looked up.
    """

    def __init__(self, sources: Sources, environ: Mapping[str, str]) -> None:
        self._sources = sources
        self._environ = environ
        self.origins: dict[str, str] = {}

    def table(self, kind: type[T], value: object, path: KeyPath = ()) -> T:
        """The value at ``path`` as a table.

        Raises:
            ConfigInvalid: A key is unknown or its value is not what it takes.
        """
        value = self._dict(value, kind, path)
        kinds = fields(kind)
        found: dict[str, object] = {}
        for name in value:
            if name not in kinds:
                raise ConfigInvalid(_unknown((*path, name), kinds, self._origin((*path, name))))
        for name, inner in kinds.items():
            here = (*path, name)
            if name in value:
                free = is_free(kind, name)
                found[name] = self._value(inner, value[name], here, free=free)
            else:
                self._default(inner, here)
        return kind(**found)

    def _value(self, kind: Kind, value: object, path: KeyPath, *, free: bool) -> object:
        if table := as_table(kind):
            return self.table(table, value, path)
        if table := as_table(values_of(kind)):
            tables = self._dict(value, kind, path)
            for name in tables:
                if not _NAME.fullmatch(name):
                    key = ".".join((*path, name))
                    raise ConfigInvalid(f"{key}: a name has only letters, digits and underscores.")
            return {name: self.table(table, inner, (*path, name)) for name, inner in tables.items()}
        if free:
            return {
                name: self._json(inner, (*path, name))
                for name, inner in self._dict(value, kind, path).items()
            }
        return self._leaf(kind, value, path)

    def _leaf(self, kind: Kind, value: object, path: KeyPath) -> object:
        self._note(path, self._origin(path))
        value = self._resolved(value, path)
        try:
            if isinstance(value, Text):
                value = parse(value, kind)
            if isinstance(value, list):
                value = [self._plain(inner, path) for inner in value]
            elif isinstance(value, dict):
                value = {name: self._plain(inner, path) for name, inner in value.items()}
            return msgspec.convert(value, kind)
        except ValueError:
            raise self._wrong(kind, path) from None

    def _json(self, value: object, path: KeyPath) -> JSON:
        self._note(path, self._origin(path))
        value = self._resolved(value, path)
        if isinstance(value, str):
            return str(value)
        if value is None or isinstance(value, (bool, int, float)):
            return value
        if isinstance(value, list):
            return [self._json(inner, path) for inner in value]
        if isinstance(value, dict):
            del self.origins[".".join(path)]
            return {str(name): self._json(inner, (*path, name)) for name, inner in value.items()}
        raise ConfigInvalid(f"{'.'.join(path)}: expected text, numbers, lists or tables.")

    def _dict(self, value: object, kind: Kind, path: KeyPath) -> dict[str, object]:
        value = self._resolved(value, path)
        if isinstance(value, Text):
            try:
                value = parse(value, kind)
            except ValueError:
                value = None
        if not isinstance(value, dict):
            raise self._wrong(kind, path)
        return value

    def _plain(self, value: object, path: KeyPath) -> object:
        value = self._resolved(value, path)
        return str(value) if isinstance(value, str) else value

    def _resolved(self, value: object, path: KeyPath) -> object:
        """The value, or what it refers to with ``env:`` or ``file:``."""
        if not isinstance(value, str):
            return value
        scheme, colon, place = value.partition(":")
        key = ".".join(path)
        if not colon or scheme not in {"env", "file"}:
            return value
        self._note(path, f"{self._origin(path)}, {value}")
        if scheme == "env":
            if place not in self._environ:
                raise ConfigInvalid(f"{key}: {place!r} is not in the environment.")
            return Text(self._environ[place])
        try:
            return Text(Path(place).read_text("utf-8").rstrip("\r\n"))
        except OSError as error:
            raise ConfigInvalid(f"{key}: {place} cannot be read: {error.strerror}.") from None
        except UnicodeDecodeError:
            raise ConfigInvalid(f"{key}: {place} is not a UTF-8 text.") from None
        except ValueError:
            raise ConfigInvalid(f"{key}: {place!r} is no name of a file.") from None

    def _default(self, kind: Kind, path: KeyPath) -> None:
        for below, _ in leaves(kind, path):
            if not any(name.startswith("<") for name in below):
                self.origins[".".join(below)] = "default"

    def _note(self, path: KeyPath, origin: str) -> None:
        self.origins[".".join(path)] = origin

    def _origin(self, path: KeyPath) -> str:
        return self._sources.origin(path)

    def _wrong(self, kind: Kind, path: KeyPath) -> ConfigInvalid:
        return ConfigInvalid(f"{'.'.join(path)} ({self._origin(path)}): expected {expected(kind)}.")


def _unknown(path: KeyPath, known: Iterable[str], origin: str) -> str:
    """What to say of a key that does not exist, with the nearest one that does."""
    *above, name = path
    near = difflib.get_close_matches(name, known, 1)
    if near:
        guess: str = ".".join((*above, near[0]))
    else:
        ends = [".".join(leaf) for leaf, _ in leaves(Settings) if leaf[-1] == name]
        guess = ends[0] if ends else ""
    hint = f"did you mean {guess}?" if guess else f"known here: {', '.join(known)}."
    return f"{'.'.join(path)} ({origin}) is no setting; {hint}"
