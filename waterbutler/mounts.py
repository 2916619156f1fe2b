"""Opened storages, kept and shared between requests."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import TypeAlias

import msgspec
import structlog

from waterbutler.core import ANONYMOUS, Grant, Provider
from waterbutler.layers import Observer, stack
from waterbutler.plugins import Context, Mount

_log: structlog.stdlib.BoundLogger = structlog.get_logger("waterbutler")

_Who: TypeAlias = tuple[str | None, str | None]
"""The id of a user, and the key they read with."""


@dataclass(slots=True)
class _Opened:
    provider: Provider
    users: int = 0


class Use:
    """A storage that is kept open as long as an ``async with`` lasts, or from `begin` to `end`.

    Args:
        opened: The storage.
        trim: Closes what nobody uses.
    """

    __slots__ = ("_opened", "_trim")

    def __init__(self, opened: _Opened, trim: Callable[[], None]) -> None:
        self._opened = opened
        self._trim = trim

    def begin(self) -> Provider:
        """It is used from now on."""
        self._opened.users += 1
        return self._opened.provider

    def end(self) -> None:
        """It is used no longer."""
        self._opened.users -= 1
        self._trim()

    async def __aenter__(self) -> Provider:
        return self.begin()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.end()


class Mounts:
    """Opens the storage of a grant once and hands the same one to everybody with the same grant.

    Storages that act for a user (their factory says ``per_user``) are kept per user. Those that
    nobody uses are closed, longest unused first, when there are more than ``keep``.

    Args:
        context: What providers share.
        observer: Is told about every call to a storage.
        keep: How many opened storages to keep.
        foreign: What providers share whose storage somebody else named; ``None``: the same.
    """

    def __init__(
        self,
        context: Context,
        observer: Observer,
        *,
        keep: int = 256,
        foreign: Context | None = None,
    ) -> None:
        self._context = context
        self._foreign = foreign or context
        self._observer = observer
        self._keep = keep
        self._opened: OrderedDict[bytes, _Opened] = OrderedDict()
        self._digests: dict[tuple[object, ...], tuple[Grant, bytes]] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def use(self, grant: Grant, *, resource: str, name: str) -> Use:
        """The storage of a grant, in its layers, for who uses it.

        Raises:
            NotFound: No such provider is installed.
            ConfigInvalid: Its settings or credentials make no sense.
        """
        return Use(self._take(grant, resource, name), self._trim)

    async def aclose(self) -> None:
        """Close everything."""
        opened, self._opened = self._opened, OrderedDict()
        for storage in opened.values():
            await _close(storage.provider)
        await asyncio.gather(*self._closing)

    def _take(self, grant: Grant, resource: str, name: str) -> _Opened:
        factory = self._context.registry.factory(grant.provider)
        personal: bool = getattr(factory, "per_user", False)
        user = grant.user if personal else ANONYMOUS
        view_only = grant.view_only if personal else None
        key = self._key(grant, resource, name, (user.id, view_only))
        opened = self._opened.get(key)
        if opened is None:
            mount = Mount(
                provider=grant.provider,
                name=name,
                resource=resource,
                settings=grant.settings,
                credentials=grant.credentials,
                user=user,
                view_only=view_only,
            )
            provider = stack(
                factory.open(mount, self._foreign if grant.foreign else self._context),
                observer=self._observer,
                read_only=grant.read_only,
            )
            opened = self._opened[key] = _Opened(provider)
        self._opened.move_to_end(key)
        return opened

    def _trim(self) -> None:
        if len(self._opened) <= self._keep:
            return
        for key, opened in list(self._opened.items()):
            if len(self._opened) <= self._keep:
                return
            if opened.users == 0:
                del self._opened[key]
                task = asyncio.get_running_loop().create_task(_close(opened.provider))
                self._closing.add(task)
                task.add_done_callback(self._closing.discard)

    def _key(self, grant: Grant, resource: str, name: str, who: _Who) -> bytes:
        """The key of a grant; computed once for settings that are handed out again and again.

        The grant is remembered with it, so the identity of its settings cannot become another's.
        """
        same = (
            *(grant.provider, resource, name, who, grant.read_only, grant.foreign),
            *(id(grant.settings), id(grant.credentials)),
        )
        known = self._digests.get(same)
        if known is None:
            if len(self._digests) >= self._keep:
                self._digests.clear()
            known = self._digests[same] = (grant, _digest(grant, resource, name, who))
        return known[1]


async def _close(provider: Provider) -> None:
    """Close a storage; one that cannot be closed keeps nobody from closing the others."""
    try:
        await provider.aclose()
    except Exception as error:  # noqa: BLE001 - nobody is left whom it could concern
        _log.warning("storage not closed", storage=provider.info.label, exc_info=error)


def _digest(grant: Grant, resource: str, name: str, who: _Who) -> bytes:
    """A digest, so that no credentials are kept beside the storage that holds them anyway."""
    text = msgspec.json.encode(
        [
            grant.provider,
            dict(grant.settings),
            dict(grant.credentials),
            grant.read_only,
            grant.foreign,
            resource,
            name,
            who,
        ],
        order="deterministic",
    )
    return hashlib.sha256(text).digest()
