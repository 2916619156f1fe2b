"""A storage that may be looked at only."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from waterbutler.core import ByteStream, Entry, Noted, Path, Provider, SentPart, WriteMode
from waterbutler.layers.base import Layer


class ReadOnly(Layer):
    """Declares nothing that changes the storage, and refuses it with `Unsupported`."""

    def __init__(self, inner: Provider) -> None:
        super().__init__(inner)
        self.capabilities = inner.capabilities.read_only()

    async def write(
        self,
        path: Path,  # noqa: ARG002 - the contract's signature
        body: ByteStream,  # noqa: ARG002
        *,
        mode: WriteMode = WriteMode.REPLACE,  # noqa: ARG002
        content_type: str | None = None,  # noqa: ARG002
        modified: datetime | None = None,  # noqa: ARG002
    ) -> Entry:
        """Always raises `Unsupported`."""
        raise self._unsupported("write")

    async def delete(self, path: Path) -> None:  # noqa: ARG002
        """Always raises `Unsupported`."""
        raise self._unsupported("delete")

    async def make_folder(self, path: Path) -> Entry:  # noqa: ARG002
        """Always raises `Unsupported`."""
        raise self._unsupported("make_folder")

    async def copy_from(
        self,
        source: Provider,  # noqa: ARG002
        at: Path,  # noqa: ARG002
        to: Path,  # noqa: ARG002
        *,
        mode: WriteMode = WriteMode.CREATE,  # noqa: ARG002
    ) -> Entry:
        """Always raises `Unsupported`."""
        raise self._unsupported("copy_from")

    async def move_from(
        self,
        source: Provider,  # noqa: ARG002
        at: Path,  # noqa: ARG002
        to: Path,  # noqa: ARG002
        *,
        mode: WriteMode = WriteMode.CREATE,  # noqa: ARG002
    ) -> Entry:
        """Always raises `Unsupported`."""
        raise self._unsupported("move_from")

    async def begin_parts(
        self,
        path: Path,  # noqa: ARG002
        *,
        size: int,  # noqa: ARG002
        noted: Noted | None = None,  # noqa: ARG002
    ) -> str:
        """Always raises `Unsupported`."""
        raise self._unsupported("parts")

    async def put_part(
        self,
        path: Path,  # noqa: ARG002
        upload: str,  # noqa: ARG002
        number: int,  # noqa: ARG002
        body: ByteStream,  # noqa: ARG002
        *,
        sha256: str,  # noqa: ARG002
    ) -> SentPart:
        """Always raises `Unsupported`."""
        raise self._unsupported("parts")

    async def finish_parts(
        self,
        path: Path,  # noqa: ARG002
        upload: str,  # noqa: ARG002
        parts: Sequence[SentPart],  # noqa: ARG002
        *,
        mode: WriteMode = WriteMode.REPLACE,  # noqa: ARG002
        modified: datetime | None = None,  # noqa: ARG002
    ) -> Entry:
        """Always raises `Unsupported`."""
        raise self._unsupported("parts")

    async def abort_parts(self, path: Path, upload: str) -> None:  # noqa: ARG002
        """Always raises `Unsupported`."""
        raise self._unsupported("parts")

    async def free_space(self) -> int | None:
        """Always raises `Unsupported`."""
        raise self._unsupported("free_space")
