"""Values from several places in one tree, each with where it came from."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

from waterbutler.core.errors import ConfigInvalid
from waterbutler.settings.kinds import Text, parse

KeyPath = tuple[str, ...]


class Sources:
    """A tree of values that are not checked yet; later ones win over earlier ones."""

    def __init__(self) -> None:
        self.values: dict[str, object] = {}
        self._origins: dict[KeyPath, str] = {}

    def add_file(self, file: Path) -> None:
        """Start with the tables of a TOML file.

        Raises:
            ConfigInvalid: It cannot be read.
        """
        try:
            self.add(tomllib.loads(file.read_text("utf-8")), str(file))
        except OSError as error:
            raise ConfigInvalid(f"{file} cannot be read: {error.strerror}.") from None
        except UnicodeDecodeError:
            raise ConfigInvalid(f"{file} is not a UTF-8 text.") from None
        except tomllib.TOMLDecodeError as error:
            raise ConfigInvalid(f"{file} is not valid TOML: {error}.") from None
        except (ValueError, RecursionError):
            raise ConfigInvalid(f"{file} has a number or a nesting beyond all bounds.") from None

    def add(self, values: dict[str, object], origin: str) -> None:
        """Start with these tables."""
        self.values = values
        self._origins = {(): origin}

    def put(self, path: KeyPath, value: object, origin: str) -> None:
        """Set one value; tables above it are made.

        Raises:
            ConfigInvalid: Something above it is no table.
        """
        here = self.values
        for depth, name in enumerate(path[:-1], 1):
            inner = here.setdefault(name, {})
            if isinstance(inner, Text):
                inner = here[name] = _table(inner)
            if not isinstance(inner, dict):
                raise ConfigInvalid(f"{'.'.join(path[:depth])}: expected a table.")
            here = inner
        here[path[-1]] = value
        self._origins[path] = origin

    def get(self, path: KeyPath) -> object:
        """The value at a path; ``None`` where there is none."""
        here: object = self.values
        for name in path:
            if not isinstance(here, Mapping):
                return None
            here = here.get(name)
        return here

    def origin(self, path: KeyPath) -> str:
        """Where a value that is there came from."""
        for depth in range(len(path), -1, -1):
            if path[:depth] in self._origins:
                return self._origins[path[:depth]]
        return "default"


def _table(text: Text) -> object:
    try:
        return parse(text, dict[str, object])
    except ValueError:
        return None
