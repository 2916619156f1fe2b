"""The blob store: another storage, in which every object is named by the SHA-256 of its content."""

from __future__ import annotations

import platform
import re
import uuid
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from waterbutler.core import (
    ROOT,
    ByteRange,
    ByteStream,
    Content,
    Entry,
    Hasher,
    Path,
    Provider,
    WriteMode,
)
from waterbutler.core.errors import (
    AlreadyExists,
    BadPath,
    ConfigInvalid,
    NotFound,
    ProviderFault,
    WaterButlerError,
)
from waterbutler.core.filetree import Blob, Location
from waterbutler.core.waiting import unbroken
from waterbutler.plugins import Context, Mount
from waterbutler.version import __version__

HASHES = ("md5", "sha1", "sha256")
"""What is computed of everything that is stored."""
ABANDONED = timedelta(hours=1)
"""How old an object that no upload finished must be to be removed; finishing takes moments."""

_PENDING = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PLACES = ("bucket", "container", "folder", "prefix", "provider")


class Vault:
    """Stores and reads blobs.

    Args:
        settings: Of the blob store; ``provider`` names the kind of storage.
        credentials: Of the blob store.
        name: What the mount is called.
        context: Opens the storage.

    Raises:
        ConfigInvalid: There is no such storage, or it cannot be opened so.
    """

    def __init__(
        self,
        settings: Mapping[str, Any],
        credentials: Mapping[str, Any],
        name: str,
        context: Context,
    ) -> None:
        self.settings = dict(settings)
        self._credentials = dict(credentials)
        self._name = name
        self._context = context
        self._elsewhere: dict[bytes, Provider] = {}
        self.inner = self._open(self.settings)

    @property
    def region(self) -> dict[str, object]:
        """Which part of which blob store this is."""
        return {key: self.settings[key] for key in _PLACES if key in self.settings}

    async def store(self, body: ByteStream, content_type: str | None) -> Blob:
        """Store a body; content that is there already is not stored twice.

        On any error nothing is left of it.
        """
        pending = Path((str(uuid.uuid4()),), False)
        hasher = Hasher(HASHES)
        try:
            # What fails may be there all the same: the news of it was lost, or nobody waited for it
            # in its last moment. Nobody else has this name.
            await self.inner.write(
                pending, body.tee(hasher), mode=WriteMode.CREATE, content_type=content_type
            )
            hashes = await hasher.digests()
            entry = await self._complete(pending, hashes, body.sent)
        except BaseException:
            await unbroken(self._discard(pending))
            raise
        return Blob(
            object=hashes["sha256"],
            service=str(self.settings["provider"]),
            settings=self.settings,
            size=body.sent,
            hashes=hashes,
            content_type=entry.content_type,
            modified=entry.modified,
            etag=entry.etag,
            worker={"host": platform.node(), "address": None, "version": __version__},
        )

    async def read(self, location: Location, range: ByteRange | None) -> Content:
        """Open a blob.

        Raises:
            ProviderFault: It is not where the host says.
            RangeNotSatisfiable: No byte of it is in the range.
        """
        path = _object(location)
        try:
            return await self._at(location).read(path, range=range)
        except NotFound:
            raise _lost() from None

    async def stat(self, location: Location) -> Entry:
        """Describe a blob; raises like `read`."""
        try:
            return await self._at(location).stat(_object(location))
        except NotFound:
            raise _lost() from None

    async def sign(self, location: Location, filename: str | None, expires: timedelta) -> str:
        """A link to a blob; see `Provider.sign`."""
        name = filename or location.name
        return await self._at(location).sign(_object(location), filename=name, expires=expires)

    async def sweep(self) -> int:
        """Remove what uploads left that ended with their process; returns how many things."""
        removed = await self.inner.sweep()
        oldest = datetime.now(UTC) - ABANDONED
        abandoned = [
            entry.path
            async for entry in self.inner.list(ROOT)
            if _PENDING.fullmatch(entry.name)
            and not entry.is_folder
            and entry.modified is not None
            and entry.modified < oldest
        ]
        for path in abandoned:
            with suppress(NotFound):
                await self.inner.delete(path)
                removed += 1
        return removed

    async def aclose(self) -> None:
        """Close the blob store, and all parts of it that were used."""
        for provider in (self.inner, *self._elsewhere.values()):
            await provider.aclose()

    async def _complete(self, pending: Path, hashes: Mapping[str, str], size: int) -> Entry:
        """Give a stored object the name of its content."""
        complete = Path((hashes["sha256"],), False)
        there = await self._find(complete)
        if there is not None and _is_whole(there, hashes, size):
            await self._discard(pending)
            return there
        mode = WriteMode.CREATE if there is None else WriteMode.REPLACE
        try:
            return await self.inner.move_from(self.inner, pending, complete, mode=mode)
        except AlreadyExists:
            # Somebody stored the same content at the same time.
            await self._discard(pending)
            return await self.inner.stat(complete)

    async def _find(self, path: Path) -> Entry | None:
        try:
            return await self.inner.stat(path)
        except NotFound:
            return None

    async def _discard(self, pending: Path) -> None:
        """Remove an object that is not needed; what cannot be removed is swept later."""
        with suppress(WaterButlerError):
            await self.inner.delete(pending)

    def _at(self, location: Location) -> Provider:
        """The part of the blob store that a blob is in: each version says its own."""
        settings = {**self.settings, **location.settings}
        if settings == self.settings:
            return self.inner
        key = msgspec.json.encode(settings, order="deterministic")
        if key not in self._elsewhere:
            self._elsewhere[key] = self._open(settings)
        return self._elsewhere[key]

    def _open(self, settings: Mapping[str, Any]) -> Provider:
        provider = settings.get("provider")
        if not isinstance(provider, str) or provider == "osfstorage":
            raise ConfigInvalid("The settings of osfstorage do not name a blob store.")
        own = {key: value for key, value in settings.items() if key != "provider"}
        mount = Mount(
            provider=provider, name=self._name, settings=own, credentials=self._credentials
        )
        try:
            return self._context.registry.open(mount, self._context)
        except NotFound as error:
            raise ConfigInvalid(f"The blob store cannot be opened: {error.message}") from None


def _is_whole(entry: Entry, hashes: Mapping[str, str], size: int) -> bool:
    """Whether what has the name is the content, as far as the storage can tell."""
    same = all(hashes.get(name, value) == value for name, value in entry.hashes.items())
    return same and entry.size in {None, size}


def _object(location: Location) -> Path:
    try:
        return Path((location.object,), False)
    except BadPath:
        raise ProviderFault("The host names an object that cannot be.") from None


def _lost() -> ProviderFault:
    return ProviderFault("The content of the file is not in the blob store.")
