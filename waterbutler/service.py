"""The use cases, without a word of HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, TypeAlias

from waterbutler.auth import AuthChain
from waterbutler.core import (
    AccessRequest,
    Action,
    ByteRange,
    ByteStream,
    Conflict,
    Content,
    Entry,
    Identity,
    Path,
    Provider,
    Version,
    WriteMode,
)
from waterbutler.core.errors import (
    AlreadyExists,
    InvalidRequest,
    NotFound,
    WaterButlerError,
)
from waterbutler.engine.archive import zip_file, zip_folder
from waterbutler.engine.naming import Target, choose_target
from waterbutler.engine.transfer import Outcome, copy, move
from waterbutler.entering import Entering, Place, Room
from waterbutler.mounts import Mounts

Condition: TypeAlias = Callable[[Entry | None], None]
"""Looks at what is there now (``None``: nothing) and raises `PreconditionFailed` if it must."""

__all__ = ["Butler", "Condition", "Outcome", "Place", "Room", "Upload", "always"]

CURRENT_VERSIONS = frozenset({"", "latest", "latest-published"})
"""Names of the current version that every storage understands, also one without versions."""


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload that may begin: where the file will be, and what it replaces."""

    room: Room
    target: Target
    overwrites: bool = False
    """What takes the name meanwhile is replaced as well."""
    modified: datetime | None = None
    """When the content was last changed, for storages that keep it."""

    @property
    def mode(self) -> WriteMode:
        """What may be there when the file is complete."""
        return WriteMode.REPLACE if self.overwrites else self.target.mode

    @property
    def created(self) -> bool:
        """Whether the file is new."""
        return self.target.replaces is None


class _Transfer(Protocol):
    """`copy` or `move` of the engine."""

    async def __call__(
        self,
        source: Provider,
        at: Path,
        dest: Provider,
        to: Path,
        *,
        conflict: Conflict,
        concurrency: int,
    ) -> Outcome: ...


class Butler:
    """Does what requests ask for, over every storage alike.

    Args:
        auth: Decides who may do what.
        mounts: Opens storages.
        concurrency: How many files of a tree are copied at once.
    """

    def __init__(self, auth: AuthChain, mounts: Mounts, *, concurrency: int = 5) -> None:
        self.auth = auth
        self._mounts = mounts
        self._concurrency = concurrency

    def enter(
        self, place: Place, action: Action, identity: Identity, *, version: str | None = None
    ) -> Entering:
        """Ask for the right to do ``action``, open the storage and find the path in it.

        Returns:
            What does so where an ``async with`` begins, and raises:

            Unauthenticated, Forbidden: The action is not allowed.
            NotFound: There is no such resource, mount, provider or id.
        """
        request = AccessRequest(
            resource=place.resource,
            provider=place.mount,
            action=action,
            path=str(place.path),
            version=version,
            legacy=place.legacy,
            identity=identity,
        )
        return Entering(self.auth, self._mounts, place, request)

    async def describe(self, room: Room, *, version: str | None = None) -> Entry:
        """The file or folder at the room's path."""
        return await room.provider.stat(room.path, version=_version(room, version))

    def list(self, room: Room, folder: Path | None = None) -> AsyncIterator[Entry]:
        """What is directly in the room's folder, or in another one of the same storage."""
        return room.provider.list(folder or room.path)

    async def open(
        self, room: Room, *, range: ByteRange | None = None, version: str | None = None
    ) -> Content:
        """Open the room's file for reading."""
        return await room.provider.read(room.path, range=range, version=_version(room, version))

    async def sign(
        self, room: Room, *, version: str | None, filename: str | None, expires: timedelta
    ) -> str:
        """A link to the room's file that does without this server."""
        return await room.provider.sign(
            room.path, version=_version(room, version), filename=filename, expires=expires
        )

    async def versions(self, room: Room) -> AsyncIterator[Version]:
        """The versions of the room's file, newest first; none where a storage keeps none."""
        if not room.provider.capabilities.versions:
            await room.provider.stat(room.path)
            return
        async for version in room.provider.versions(room.path):
            yield version

    async def zip(self, room: Room) -> ByteStream:
        """The room's folder, or its file alone, as an archive."""
        await room.provider.stat(room.path)
        pack = zip_folder if room.path.is_folder else zip_file
        return pack(room.provider, room.path)

    async def begin_upload(
        self,
        room: Room,
        name: str | None,
        condition: Condition,
        *,
        modified: datetime | None = None,
    ) -> Upload:
        """Decide about an upload before its body is read.

        Args:
            room: The folder for a new file, or the file to replace.
            name: The name of a new file; ``None`` replaces the room's file.
            condition: Must hold now, and again when the body is complete.
            modified: When the content was last changed, if the client says so.

        Raises:
            AlreadyExists: The name of the new file is taken.
            NotFound: The folder, or the file to replace, does not exist.
        """
        if name is None:
            entry = await room.provider.stat(room.path)
            condition(entry)
            return Upload(room, Target(entry.path, entry), modified=modified)
        condition(None)
        folder = room.path
        target = await choose_target(room.provider, folder.child(name), Conflict.WARN)
        return Upload(room, target, modified=modified)

    async def begin_overwrite(self, room: Room, condition: Condition) -> Upload:
        """Decide about an upload to the room's path, whether or not a file is there.

        Args:
            room: The file, new or not.
            condition: Must hold now, and again when the body is complete.

        Raises:
            AlreadyExists: A folder has the name and cannot share it.
            NotFound: The folder does not exist.
        """
        target = await choose_target(room.provider, room.path, Conflict.REPLACE)
        condition(target.replaces)
        # A condition may say that nothing is there: only the storage can hold a name to that.
        return Upload(room, target, overwrites=condition is always)

    async def finish_upload(self, upload: Upload, body: ByteStream, condition: Condition) -> Entry:
        """Store the body of an upload; on any error nothing of it stays."""
        provider, target = upload.room.provider, upload.target
        guarded = _guarded(provider, target, body, condition)
        try:
            written = await provider.write(
                target.path, guarded, mode=upload.mode, modified=upload.modified
            )
        except AlreadyExists as error:
            raise await _explained(provider, error, target.path) from error
        finally:
            await guarded.aclose()
        return await provider.described(written)

    async def make_folder(self, room: Room, name: str) -> Entry:
        """Make a folder in the room's folder."""
        wanted = room.path.child(name, folder=True)
        await choose_target(room.provider, wanted, Conflict.WARN)
        try:
            return await room.provider.make_folder(wanted)
        except AlreadyExists as error:
            raise await _explained(room.provider, error, wanted) from error

    async def delete(self, room: Room, condition: Condition) -> None:
        """Delete the room's file or folder, or empty its root."""
        if condition is not always:
            condition(await room.provider.stat(room.path))
        await room.provider.delete(room.path)

    async def rename(self, room: Room, name: str, conflict: Conflict) -> Outcome:
        """Give the room's file or folder another name."""
        if room.path.is_root:
            raise InvalidRequest("The root of a storage cannot be renamed.")
        return await self._transfer(move, room, room.provider, room.path.renamed(name), conflict)

    async def copy(
        self, source: Room, folder: Room, name: str | None, conflict: Conflict
    ) -> Outcome:
        """Copy the source into the folder of another room."""
        to = _inside(source, folder, name)
        return await self._transfer(copy, source, folder.provider, to, conflict)

    async def move(
        self, source: Room, folder: Room, name: str | None, conflict: Conflict
    ) -> Outcome:
        """Move the source into the folder of another room."""
        if source.path.is_root:
            raise InvalidRequest("The root of a storage cannot be moved.")
        to = _inside(source, folder, name)
        return await self._transfer(move, source, folder.provider, to, conflict)

    async def _transfer(
        self,
        run: _Transfer,
        source: Room,
        dest: Provider,
        to: Path,
        conflict: Conflict,
    ) -> Outcome:
        try:
            return await run(
                source.provider,
                source.path,
                dest,
                to,
                conflict=conflict,
                concurrency=self._concurrency,
            )
        except AlreadyExists as error:
            raise await _explained(dest, error, to) from error


def always(entry: Entry | None) -> None:
    """The condition that always holds."""


def _version(room: Room, version: str | None) -> str | None:
    """The version to ask the storage for.

    Raises:
        NotFound: The storage keeps no versions and not the current one was asked for.
    """
    if not version:
        return None
    if room.provider.capabilities.versions:
        return version
    if version in CURRENT_VERSIONS:
        return None
    raise NotFound(f"This storage keeps no versions, so there is no version {version!r}.")


def _inside(source: Room, folder: Room, name: str | None) -> Path:
    if source.path.is_root and not name:
        raise InvalidRequest("To copy the root of a storage, say a new name with 'rename'.")
    return folder.path.child(name or source.path.name, folder=source.path.is_folder)


def _guarded(
    provider: Provider, target: Target, body: ByteStream, condition: Condition
) -> ByteStream:
    """The body, with the condition checked once more before the storage sees its end.

    What fails here reaches the storage as a failing body, which leaves everything as it was.
    """
    if condition is always:
        return body

    async def chunks() -> AsyncIterator[bytes]:
        async for chunk in body:
            yield chunk
        condition(await _current(provider, target.path))

    return ByteStream(chunks(), size=body.size, close=body.aclose)


async def _current(provider: Provider, path: Path) -> Entry | None:
    try:
        return await provider.stat(path)
    except NotFound:
        return None


async def _explained(provider: Provider, error: AlreadyExists, path: Path) -> AlreadyExists:
    """The same error with what has the name, which clients need to go on."""
    entry = error.entry or await _occupant(provider, path)
    if entry is None:
        return error
    return AlreadyExists(f"The name {entry.name or '/'!r} is taken.", entry=entry, path=error.path)


async def _occupant(provider: Provider, path: Path) -> Entry | None:
    for wanted in (path, path.as_file() if path.is_folder else path.as_folder()):
        try:
            return await provider.stat(wanted)
        except WaterButlerError:
            continue
    return None
