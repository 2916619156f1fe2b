"""A storage that is unlike the one in memory: keys without folders, and little that it can do."""

import hashlib
from datetime import UTC, datetime

from waterbutler.core import ByteStream, Capabilities, Content, Entry, Provider, StorageInfo
from waterbutler.core.errors import (
    AlreadyExists,
    IsAFolder,
    LengthRequired,
    NotFound,
    TooLarge,
    Unsupported,
)
from waterbutler.core.provider import WriteMode


class FlatProvider(Provider):
    """Folders are only prefixes of keys, so a file and a folder may share a name."""

    capabilities = Capabilities(
        write=True,
        sign=True,
        free_space=True,
        ranged_read=False,
        duplicate_names=True,
        empty_folders=False,
        unknown_size=False,
        max_file_size=1 << 22,
    )

    def __init__(self):
        self.info = StorageInfo("flat", f"flat://{id(self)}", "flat")
        self._files = {}

    async def stat(self, path, *, version=None):
        if version is not None:
            raise self._unsupported("versions")
        if path.is_folder:
            if not path.is_root and not self._below(path):
                raise NotFound("There is no such folder.")
            return Entry(path=path)
        if str(path) not in self._files:
            raise NotFound("There is no such file.")
        data, modified = self._files[str(path)]
        etag = hashlib.sha256(data).hexdigest()
        return Entry(path=path, size=len(data), modified=modified, etag=etag)

    async def list(self, path):
        await self.stat(path)
        names = {}
        for key in self._below(path):
            name, slash, _ = key.removeprefix(str(path)).partition("/")
            names[name, bool(slash)] = None
        for name, folder in names:
            child = path.child(name, folder=folder)
            if folder or str(child) in self._files:
                yield await self.stat(child)

    async def read(self, path, *, range=None, version=None):
        if path.is_folder:
            raise IsAFolder("It is a folder.")
        if range is not None:
            raise Unsupported("Parts cannot be read.")
        entry = await self.stat(path, version=version)
        return Content(ByteStream.of(self._files[str(path)][0]), entry)

    async def write(self, path, body, *, mode=WriteMode.REPLACE, content_type=None, modified=None):
        if body.size is None:
            raise LengthRequired("The size must be known.")
        if body.size > self.capabilities.max_file_size:
            raise TooLarge("The file is too large.")
        if mode is WriteMode.CREATE and str(path) in self._files:
            raise AlreadyExists("The name is taken.")
        data = b"".join([chunk async for chunk in body])
        self._files[str(path)] = (data, datetime.now(UTC))
        return await self.stat(path)

    async def delete(self, path):
        await self.stat(path)
        for key in self._below(path) if path.is_folder else [str(path)]:
            del self._files[key]

    async def sign(self, path, *, version=None, filename=None, expires=None):
        return f"https://flat.example/{len(path.names)}"

    async def free_space(self):
        return None

    def _below(self, path):
        return [key for key in self._files if key.startswith(str(path))]
