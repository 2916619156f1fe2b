"""The contract that every storage fulfils."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import TypeAlias

import msgspec

from waterbutler.core.byterange import ByteRange, Span
from waterbutler.core.capabilities import Capabilities
from waterbutler.core.entry import Entry, StorageInfo, Version
from waterbutler.core.errors import Unsupported
from waterbutler.core.path import Path
from waterbutler.core.stream import ByteStream

Noted: TypeAlias = Callable[[str], Awaitable[None]]
"""Writes down what names an unfinished file."""


class WriteMode(Enum):
    """What may be in the place that is written to."""

    CREATE = "create"
    """Nothing: a taken name is refused with `AlreadyExists`."""
    REPLACE = "replace"
    """Nothing, or something of the same kind, which is replaced in one step."""


class Content(msgspec.Struct, frozen=True):
    """What a read gives: the bytes, what they belong to, and which part of it they are.

    ``span`` is ``None`` when the whole file was asked for. Whoever gets a content closes its body.
    """

    body: ByteStream
    entry: Entry
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class SentPart:
    """A part of a file that a storage has.

    Attributes:
        number: Its place, from 1.
        size: How many bytes it has.
        tag: What the storage wants to be told of it in the end.
    """

    number: int
    size: int
    tag: str


class Provider(ABC):
    """One opened storage.

    A provider is small: it knows its storage and nothing of naming conflicts, trees, archives,
    retries or requests; those live once, in the engine and the layers. Every error it raises is
    one of `waterbutler.core.errors`. It may be used by many tasks at once.

    Paths are absolute inside the storage's own folder. The kind of a path is a statement: a file's
    path never finds a folder and the other way round. Where something of the other kind has the
    name, the error is `IsAFolder` or `NotAFolder`; where nothing has it, `NotFound`. A storage in
    which both kinds may share a name raises `NotFound` for both cases.
    """

    info: StorageInfo
    capabilities: Capabilities

    # -- required ------------------------------------------------------------------------------

    @abstractmethod
    async def stat(self, path: Path, *, version: str | None = None) -> Entry:
        """Describe a file or folder; the root always exists.

        Args:
            path: What to describe.
            version: Describe this version of a file. Needs ``versions``.

        Raises:
            NotFound: There is nothing, or no such version.
            IsAFolder, NotAFolder: It is of the other kind.
        """

    @abstractmethod
    def list(self, path: Path) -> AsyncIterator[Entry]:
        """What is directly in a folder, each once, in no promised order.

        Pages of the storage are fetched while iterating; memory does not grow with the folder.
        Things that are added or removed meanwhile may or may not appear; all others do. Things
        that no `Path` can name and things that are neither file nor folder are left out.

        Raises:
            NotFound: There is no such folder.
            NotAFolder: It is a file.
        """

    @abstractmethod
    async def read(
        self, path: Path, *, range: ByteRange | None = None, version: str | None = None
    ) -> Content:
        """Open a file.

        The body has exactly the bytes of the span, or of the file. All errors that can be known
        before the first byte are raised here and not while iterating.

        Args:
            path: The file.
            range: Read only these bytes.
            version: Read this version. Needs ``versions``.

        Raises:
            NotFound: There is no such file or version.
            IsAFolder: It is a folder.
            RangeNotSatisfiable: No byte of the file is in the range.
        """

    # -- names and ids -------------------------------------------------------------------------

    async def locate(self, wire: Path) -> Path:
        """Turn the path of a URL into the path of the thing.

        Storages that address by name return it as it is, without asking the storage. Storages that
        address by id look the id up and return the names, with ids as hints.

        Raises:
            NotFound: Only from storages that look up: there is no such id of that kind.
        """
        return wire

    def wire_path(self, path: Path) -> Path:
        """Turn the path of a thing into the path that its URL has."""
        return path

    # -- when ``write`` is declared ------------------------------------------------------------

    async def write(
        self,
        path: Path,
        body: ByteStream,
        *,
        mode: WriteMode = WriteMode.REPLACE,
        content_type: str | None = None,
        modified: datetime | None = None,
    ) -> Entry:
        """Store a file in one step.

        Nobody sees the file before it is complete. If the body fails, is cut, or the call is
        cancelled, everything is as it was before, nothing is left behind, and the body's own error
        is raised. The body is complete only when its iteration has ended, also when its size is
        known: its last step may still refuse it. It is consumed but not closed: that stays with
        the caller.

        Args:
            path: The file.
            body: Its bytes.
            mode: What may be there.
            content_type: What they are; storages that have no place for it ignore it.
            modified: When they were last changed, for storages that declare ``keeps_modified``:
                they keep it as exactly as they can, if it is a time that they can keep at all.
                Others ignore it. What was kept is in the entry.

        Returns:
            The new file, with the hashes that ``capabilities.hashes`` promises. What the storage
            tells only if it is asked again may be missing: `described` asks.

        Raises:
            NotFound: The folder does not exist (not raised where folders are only prefixes).
            IsAFolder: A folder has the name and names cannot be shared.
            AlreadyExists: With ``CREATE``: something has the name.
            QuotaExceeded, TooLarge: There is no room.
        """
        raise self._unsupported("write")

    async def described(self, written: Entry) -> Entry:
        """Complete what `write` returned, for somebody who shows it; copies of many do without.

        Most storages have said all by then, and this is ``written``. So it is where asking fails,
        or where somebody else has written to the same place meanwhile.
        """
        return written

    async def delete(self, path: Path) -> None:
        """Remove a file, or a folder with everything in it; the root is emptied and stays.

        Raises:
            NotFound: There is nothing.
            IsAFolder, NotAFolder: It is of the other kind.
        """
        raise self._unsupported("delete")

    # -- optional, each with a capability of its own -------------------------------------------

    async def make_folder(self, path: Path) -> Entry:
        """Make an empty folder.

        Raises:
            NotFound: The folder above does not exist (not raised where folders are only prefixes).
            AlreadyExists: Something has the name.
        """
        raise self._unsupported("make_folder")

    async def copy_from(
        self, source: Provider, at: Path, to: Path, *, mode: WriteMode = WriteMode.CREATE
    ) -> Entry:
        """Copy a file or a whole folder into this storage without moving bytes through us.

        Asked of the destination, because it must be able to reach the source. ``source`` may be
        wrapped: use `unwrapped`. A file that cannot be copied leaves nothing behind.

        Args:
            source: The storage to copy from, perhaps this one.
            at: What to copy there.
            to: The new place here, of the same kind.
            mode: ``REPLACE`` for folders needs ``replaces_folders``. The folder that is there gives
                way with everything in it: at every moment, also if this process dies, the name
                leads to the whole old folder or to the whole new one. Of the old one nothing is
                shown afterwards.

        Raises:
            Unsupported: It cannot be done for this source, before anything was changed: the caller
                streams instead.
            NotFound: The source, or the folder to copy to, does not exist.
            AlreadyExists: With ``CREATE``: something has the name.
            IsAFolder, NotAFolder: With ``REPLACE``: something of the other kind has the name, and
                names cannot be shared.
            SamePlace: The new place is the source or inside it, or is a folder around it.
        """
        raise self._unsupported("copy_from")

    async def move_from(
        self, source: Provider, at: Path, to: Path, *, mode: WriteMode = WriteMode.CREATE
    ) -> Entry:
        """Move like `copy_from`; afterwards the source is gone."""
        raise self._unsupported("move_from")

    def versions(self, path: Path) -> AsyncIterator[Version]:
        """The versions of a file, newest first.

        Raises:
            NotFound, IsAFolder: As for `read`.
        """
        raise self._unsupported("versions")

    async def sign(
        self,
        path: Path,
        *,
        version: str | None = None,
        filename: str | None = None,
        expires: timedelta = timedelta(minutes=5),
    ) -> str:
        """A link that reads the file from the storage, without this server.

        Args:
            path: The file.
            version: Which version.
            filename: The name to save it under.
            expires: How long the link works.

        Raises:
            NotFound: Where the storage must be asked anyway; else the link itself fails.
        """
        raise self._unsupported("sign")

    async def begin_parts(self, path: Path, *, size: int, noted: Noted | None = None) -> str:
        """Begin a file that is sent in parts, perhaps over days and by several processes.

        Nobody sees the file before `finish_parts`. The storage keeps what is sent until then, or
        until `abort_parts`: one of them must be called.

        Args:
            path: The file.
            size: How many bytes it will have.
            noted: Awaited with that name before this returns. It writes the name down where it
                outlives this process; if it fails, the file is thrown away and its error raised.
                Until then a storage keeps a note of its own, if it can, so that `sweep` in another
                process finds what nobody will go on with.

        Returns:
            What names the unfinished file in the other calls, which are given the same path.

        Raises:
            NotFound: The folder does not exist (not raised where folders are only prefixes).
        """
        raise self._unsupported("parts")

    async def put_part(
        self, path: Path, upload: str, number: int, body: ByteStream, *, sha256: str
    ) -> SentPart:
        """Send a part, in any order; one that was sent before is replaced.

        If the body fails or is cut, or the call is cancelled, the part is as it was before, and
        the body's own error is raised. As in `write`, its last step may still refuse it, and it is
        consumed but not closed.

        Args:
            path: The file.
            upload: What `begin_parts` returned.
            number: The part's place, from 1.
            body: Its bytes; their number is known.
            sha256: Their digest, for storages that want it beforehand. The body sees to it that
                it is true.

        Raises:
            NotFound: There is no such unfinished file any more.
        """
        raise self._unsupported("parts")

    async def finish_parts(
        self,
        path: Path,
        upload: str,
        parts: Sequence[SentPart],
        *,
        mode: WriteMode = WriteMode.REPLACE,
        modified: datetime | None = None,
    ) -> Entry:
        """Make the file of its parts, in one step.

        If that fails, the parts are still there, and it can be tried again.

        Args:
            path: The file.
            upload: What `begin_parts` returned.
            parts: What `put_part` returned last for each part, in order; their sizes are as
                ``capabilities.parts`` demands.
            mode: As for `write`.
            modified: As for `write`.

        Raises:
            NotFound: There is no such unfinished file any more, or the folder is gone.
            AlreadyExists: With ``CREATE``: something has the name.
            IsAFolder: A folder has the name and names cannot be shared.
        """
        raise self._unsupported("parts")

    async def abort_parts(self, path: Path, upload: str) -> None:
        """Throw away an unfinished file and its parts; one that is not there any more is fine."""
        raise self._unsupported("parts")

    async def free_space(self) -> int | None:
        """How many bytes may still be written; ``None`` for no limit."""
        raise self._unsupported("free_space")

    # -- life ----------------------------------------------------------------------------------

    @property
    def unwrapped(self) -> Provider:
        """The provider itself, without layers around it."""
        return self

    async def check(self) -> None:
        """Prove that the storage can be reached; raises what is wrong. Used by administrators."""
        await self.stat(Path())

    async def sweep(self) -> int:
        """Remove what writes left that ended with their process; returns how many things.

        Called when the server starts. What belongs to another process that is alive stays.
        """
        return 0

    async def aclose(self) -> None:  # noqa: B027 - most have nothing to let go of
        """Let go of everything; the provider is not used afterwards."""

    def _unsupported(self, operation: str) -> Unsupported:
        return Unsupported(f"{self.info.label} does not support {operation}.")
