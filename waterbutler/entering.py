"""From where a request points to, to a storage that is open and may be used."""

from __future__ import annotations

from types import TracebackType

import msgspec

from waterbutler.auth import AuthChain
from waterbutler.core import AccessRequest, Grant, Path, Provider
from waterbutler.core.errors import IsAFolder, NotAFolder, NotFound
from waterbutler.mounts import Mounts, Use


class Place(msgspec.Struct, frozen=True):
    """Where a request points to: a mount of a resource, and the path of its URL."""

    resource: str
    mount: str
    path: Path
    legacy: bool = False
    """The request came by version 0 of the API. Its paths may end with a name in a folder also
    where the storage's URLs have ids, so they can point to what is not there yet."""


class Room(msgspec.Struct, frozen=True):
    """A place that was entered: who is in it, what they may do, and the opened storage."""

    place: Place
    grant: Grant
    provider: Provider
    path: Path
    """The place's path as the storage knows it."""

    @property
    def above(self) -> Room:
        """The folder around the room's path, for who gives a name inside of it.

        Raises:
            BadPath: The path is the root.
        """
        return msgspec.structs.replace(self, path=self.path.parent)


class Entering:
    """The way into a room: the storage is open as long as an ``async with`` lasts.

    A class and not a generator, because every request takes this way.

    Args:
        auth: Decides who may enter.
        mounts: Opens the storage.
        place: Where to.
        request: What is wanted there.
    """

    __slots__ = ("_auth", "_mounts", "_place", "_request", "_use")

    def __init__(
        self, auth: AuthChain, mounts: Mounts, place: Place, request: AccessRequest
    ) -> None:
        self._auth = auth
        self._mounts = mounts
        self._place = place
        self._request = request
        self._use: Use | None = None

    async def __aenter__(self) -> Room:
        place = self._place
        grant = await self._auth.authorize(self._request)
        use = self._mounts.use(grant, resource=place.resource, name=place.mount)
        provider = use.begin()
        try:
            room = Room(place, grant, provider, await _located(provider, place))
        except BaseException:
            use.end()
            raise
        self._use = use
        return room

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        use, self._use = self._use, None
        if use is not None:
            use.end()


async def _located(provider: Provider, place: Place) -> Path:
    """The path of a place as its storage knows it.

    Raises:
        NotFound: The storage looks ids up, and has no such id.
    """
    wire = place.path
    try:
        return await provider.locate(wire)
    except NotFound:
        if not place.legacy or wire.is_root:
            raise
    folder = await provider.locate(wire.parent)
    named = folder.child(wire.name, folder=wire.is_folder)
    try:
        return (await provider.stat(named)).path
    except (NotFound, IsAFolder, NotAFolder):
        return named
