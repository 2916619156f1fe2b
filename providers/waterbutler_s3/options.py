"""How files are written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from waterbutler_s3.config import MIB, S3Settings
from waterbutler_s3.parts import MAX_PARTS
from waterbutler_s3.unfinished import Unfinished

_SAME_SIZED = 1000
"""After so many parts of a file whose size is not known, they double."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteOptions:
    """How files are written.

    Attributes:
        part_size: What is sent in one piece, in bytes.
        concurrency: How many pieces of a file are under way at a time.
        headers: Headers that all new objects get.
        unfinished: Knows the uploads in parts that are under way.
        folder: Where files are made for blocks that there is no memory for.
    """

    part_size: int
    concurrency: int
    headers: Mapping[str, str]
    unfinished: Unfinished | None = None
    folder: Path | None = None

    @classmethod
    def of(
        cls, settings: S3Settings, unfinished: Unfinished, folder: Path | None = None
    ) -> WriteOptions:
        """As the settings say."""
        headers = {"x-amz-server-side-encryption": "AES256"} if settings.encrypt_uploads else {}
        size, count = settings.part_size, settings.concurrency
        return cls(
            part_size=size,
            concurrency=count,
            headers=headers,
            unfinished=unfinished,
            folder=folder,
        )

    def size_of(self, number: int, total: int | None, *, equal: bool) -> int:
        """How large part ``number`` is of a file of ``total`` bytes.

        Parts of a file whose size is not known grow with their number, unless all must be equal.
        """
        if total is not None:
            least = -(-total // MAX_PARTS)
            return max(self.part_size, -(-least // MIB) * MIB)
        if equal:
            return self.part_size
        return self.part_size << ((number - 1) // _SAME_SIZED)
