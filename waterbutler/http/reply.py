"""The answer of another server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from waterbutler.core import ByteStream
from waterbutler.core.closing import Closing


@dataclass(frozen=True, slots=True)
class Reply(Closing):
    """An answer whose head has come; whoever gets it closes it.

    Attributes:
        status: The status code.
        headers: The headers; names in any case.
        body: The bytes as they are on the wire, never decompressed. Closing it lets go of the
            connection. Iterating raises `Corrupted`, `Interrupted` or `ProviderTimeout`.
        host: Who answered.
    """

    status: int
    headers: Mapping[str, str]
    body: ByteStream
    host: str

    async def read(self, limit: int = 1 << 20) -> bytes:
        """The whole body, for small answers; the reply is closed afterwards.

        Raises:
            Corrupted: It has more than ``limit`` bytes, or not as many as promised.
        """
        async with self.body:
            return await self.body.read(limit)

    async def aclose(self) -> None:
        """Let go of the connection."""
        await self.body.aclose()
