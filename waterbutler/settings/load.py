"""Settings from a file and the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import msgspec

from waterbutler.settings.environment import overlay
from waterbutler.settings.model import MountSettings, Settings
from waterbutler.settings.reading import Reader
from waterbutler.settings.rules import check
from waterbutler.settings.sources import Sources

COMMAND_LINE = "command line"
"""The origin of what an option of the command line sets."""

NO_OVERRIDES: Mapping[str, object] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings, and where each came from.

    Attributes:
        settings: The settings.
        origins: For each setting that has a value, by its dotted name: ``default``, the file,
            the variable, or ``command line``; with the reference where there was one.
        standalone: Whether this is the set-up that is made without a file.
        generated: Whether somebody can sign in with a token that was made up for that set-up.
    """

    settings: Settings
    origins: dict[str, str] = field(repr=False)
    standalone: bool = False
    generated: bool = False


def load(
    environ: Mapping[str, str],
    file: Path | None = None,
    overrides: Mapping[str, object] = NO_OVERRIDES,
) -> Loaded:
    """Read the settings: the environment wins over the file, and ``overrides`` over both.

    Args:
        environ: The environment, for ``WATERBUTLER_…``, upstream's names and ``env:NAME``.
        file: The configuration file, if there is one.
        overrides: Values by dotted name, from the command line.

    Raises:
        ConfigInvalid: Something is unknown, missing or wrong; one line that names the key and
            never shows a value.
    """
    sources = Sources()
    if file is not None:
        sources.add_file(file)
    settings, origins = read(sources, environ, overrides)
    return Loaded(settings, origins)


def read(
    sources: Sources, environ: Mapping[str, str], overrides: Mapping[str, object]
) -> tuple[Settings, dict[str, str]]:
    """Put environment and overrides over what is there, and check the whole; see `load`."""
    apply(sources, environ, overrides)
    reader = Reader(sources, environ)
    settings = _with_providers(reader.table(Settings, sources.values))
    check(settings)
    return settings, reader.origins


def apply(sources: Sources, environ: Mapping[str, str], overrides: Mapping[str, object]) -> None:
    """Put environment and overrides over what is there."""
    overlay(sources, environ)
    for name, value in overrides.items():
        sources.put(tuple(name.split(".")), value, COMMAND_LINE)


def _with_providers(settings: Settings) -> Settings:
    """The settings with each mount's provider filled in."""
    resources = {
        name: msgspec.structs.replace(
            resource,
            providers={name: _named(mount, name) for name, mount in resource.providers.items()},
        )
        for name, resource in settings.resources.items()
    }
    return msgspec.structs.replace(settings, resources=resources)


def _named(mount: MountSettings, name: str) -> MountSettings:
    return mount if mount.provider else msgspec.structs.replace(mount, provider=name)
