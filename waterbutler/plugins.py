"""Which storages are installed, and how one is opened."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path as FsPath
from typing import Protocol, TypeVar

import msgspec

from waterbutler.core import ANONYMOUS, JSON, Capabilities, Provider, User
from waterbutler.core.errors import ConfigInvalid, NotFound
from waterbutler.core.filetree import FileTrees
from waterbutler.http import HttpClient

PROVIDERS = "waterbutler.providers"
"""The entry point group that providers register in."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Context:
    """What providers share; made once for the process.

    Attributes:
        registry: Opens further storages, for providers that stand on another one.
        data: This server's own folder, for state that must outlive the process.
        http: Speaks to other servers; closed by whoever made the context.
        trees: The embedded host's file trees, where there is one.
        hooks_secret: Signs what is asked of another host's file trees.
    """

    registry: Registry
    data: FsPath
    http: HttpClient = field(default_factory=HttpClient)
    trees: FileTrees | None = None
    hooks_secret: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """What a provider is opened with.

    ``settings`` and ``credentials`` are the objects of the configuration file or of the host's
    answer, key for key; `config` turns them into typed values.
    """

    provider: str
    name: str = ""
    resource: str = ""
    settings: Mapping[str, JSON] = field(default_factory=dict)
    credentials: Mapping[str, JSON] = field(default_factory=dict, repr=False)
    user: User = ANONYMOUS
    view_only: str | None = field(default=None, repr=False)
    """The key that the user reads with, for providers that act for a user."""

    def config(self, kind: type[T]) -> T:
        """The settings as a typed value; keys that it does not know are ignored.

        Raises:
            ConfigInvalid: A key is missing or has the wrong type.
        """
        return _convert(self.settings, kind, f"settings of {self.provider}")

    def secrets(self, kind: type[T]) -> T:
        """The credentials as a typed value, like `config`; values never appear in errors."""
        return _convert(self.credentials, kind, f"credentials of {self.provider}")


class ProviderFactory(Protocol):
    """What an entry point names: usually the provider class itself."""

    capabilities: Capabilities
    """The most that the provider can do; an opened one may declare less."""

    def open(self, mount: Mount, context: Context) -> Provider:
        """Open a storage without asking it anything.

        Raises:
            ConfigInvalid: Settings or credentials do not make sense.
        """


class Registry:
    """The installed providers by name.

    Args:
        loaders: For each name a function that gives the factory; called at first use.
    """

    def __init__(self, loaders: Mapping[str, Callable[[], ProviderFactory]] | None = None) -> None:
        self._loaders = dict(loaders or {})
        self._factories: dict[str, ProviderFactory] = {}

    @classmethod
    def from_entry_points(cls, group: str = PROVIDERS) -> Registry:
        """Everything that is installed.

        Raises:
            ConfigInvalid: Two installed packages register the same name.
        """
        found: dict[str, EntryPoint] = {}
        for point in entry_points(group=group):
            known = found.setdefault(point.name, point)
            if known.value != point.value:
                raise ConfigInvalid(
                    f"Two packages provide {point.name!r}: {known.value} and {point.value}."
                )
        return cls({name: point.load for name, point in found.items()})

    def add(self, name: str, factory: ProviderFactory) -> None:
        """Register a provider by hand, for tests and for embedding."""
        self._factories[name] = factory

    @property
    def names(self) -> list[str]:
        """All registered names, sorted."""
        return sorted({*self._loaders, *self._factories})

    def factory(self, name: str) -> ProviderFactory:
        """The factory that has ``name``.

        Raises:
            NotFound: Nothing has it; the message names what is installed.
            ConfigInvalid: It is installed and cannot be loaded.
        """
        if name not in self._factories:
            if name not in self._loaders:
                near = difflib.get_close_matches(name, self.names, 1)
                hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(self.names)}."
                raise NotFound(f"There is no provider {name!r}; {hint}")
            try:
                self._factories[name] = self._loaders[name]()
            except ImportError as error:
                raise ConfigInvalid(f"The provider {name!r} cannot be loaded: {error}.") from error
        return self._factories[name]

    def open(self, mount: Mount, context: Context) -> Provider:
        """Open a storage; see `ProviderFactory.open`."""
        return self.factory(mount.provider).open(mount, context)


def _convert(values: Mapping[str, JSON], kind: type[T], what: str) -> T:
    try:
        return msgspec.convert(dict(values), kind, strict=False)
    except msgspec.ValidationError as error:
        raise ConfigInvalid(f"The {what} are invalid: {error}.") from None
