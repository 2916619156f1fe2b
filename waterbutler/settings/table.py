"""Settings as people read them: what is set here, and what can be set at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import msgspec

from waterbutler.settings.environment import ALIASES, variable
from waterbutler.settings.kinds import Kind, default_of, is_free, leaves, note, outer, plain
from waterbutler.settings.model import Settings
from waterbutler.settings.redaction import HIDDEN, hidden, redacted
from waterbutler.settings.sources import KeyPath
from waterbutler.settings.tables import SECRET, Table, is_secret


@dataclass(frozen=True, slots=True)
class Row:
    """One setting of this server; ``value`` never holds a secret."""

    name: str
    value: str
    origin: str


@dataclass(frozen=True, slots=True)
class Described:
    """One setting that exists; ``<user>`` and the like stand for free names."""

    name: str
    type: str
    default: str
    environment: str
    aliases: tuple[str, ...]
    help: str
    secret: bool


def describe(settings: Settings, origins: Mapping[str, str]) -> list[Row]:
    """Every setting with its value, redacted, and where it came from.

    Args:
        settings: The settings.
        origins: What `load` told about them.
    """
    rows = list(_rows(settings, (), origins))
    effective = {"server.domain": settings.server.url, "host.database": settings.database}
    return [
        Row(row.name, _shown(redacted(row.name, effective[row.name])), "derived")
        if row.name in effective and row.value == '""'
        else row
        for row in rows
    ]


def documented() -> list[Described]:
    """Every setting that exists, in the order of the file."""
    return [
        Described(
            name=".".join(path),
            type=_type(kind),
            default=_default(path),
            environment=variable(path),
            aliases=tuple(name for name, target in ALIASES.items() if target == path),
            help=note(kind).description or "",
            secret=note(kind).extra == SECRET,
        )
        for path, kind in leaves(Settings)
    ]


def markdown() -> str:
    """The table of all settings for the documentation."""
    lines = [
        "| setting | type | default | environment | meaning |",
        "|---|---|---|---|---|",
    ]
    for about in documented():
        names = ", ".join(f"`{name}`" for name in (about.environment, *about.aliases))
        default = f"`{about.default}`" if about.default else ""
        help = about.help + (" Secret." if about.secret else "")
        lines.append(f"| `{about.name}` | {about.type} | {default} | {names} | {help} |")
    return "\n".join(lines) + "\n"


def _rows(table: Table, path: KeyPath, origins: Mapping[str, str]) -> Iterator[Row]:
    for about in msgspec.structs.fields(table):
        here = (*path, about.name)
        value = getattr(table, about.name)
        if isinstance(value, Table):
            yield from _rows(value, here, origins)
        elif isinstance(value, dict) and any(isinstance(inner, Table) for inner in value.values()):
            for name, inner in value.items():
                yield from _rows(inner, (*here, name), origins)
        elif is_free(type(table), about.name):
            yield from _free(value, here, origins, secret=is_secret(about))
        elif about.name not in {"users", "resources", "providers"} or value:
            shown = hidden(value) if is_secret(about) else redacted(about.name, value)
            yield _row(here, shown, origins)


def _free(
    values: Mapping[str, object], path: KeyPath, origins: Mapping[str, str], *, secret: bool
) -> Iterator[Row]:
    for name, value in values.items():
        here = (*path, name)
        referred = ", " in origins.get(".".join(here), "")
        if isinstance(value, dict) and value:
            yield from _free(value, here, origins, secret=secret)
        else:
            yield _row(
                here, hidden(value) if secret or referred else redacted(name, value), origins
            )


def _row(path: KeyPath, shown: object, origins: Mapping[str, str]) -> Row:
    name = ".".join(path)
    return Row(name, _shown(shown), origins.get(name, "default"))


def _shown(value: object) -> str:
    return HIDDEN if value == HIDDEN else msgspec.json.encode(value).decode()


def _default(path: KeyPath) -> str:
    value = default_of(path, Settings)
    return "" if value in (None, "", [], {}) else msgspec.json.encode(value).decode()


def _type(kind: Kind) -> str:
    kind = plain(kind)
    names = {str: "text", int: "whole number", float: "number", bool: "true or false"}
    if outer(kind) is Literal:
        return " or ".join(f"`{choice}`" for choice in get_args(kind))
    if outer(kind) is list:
        return "list of texts"
    if outer(kind) is dict:
        return "table"
    return names.get(kind, "true or false")
