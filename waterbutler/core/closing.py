"""What is let go of at the end of an ``async with``."""

from __future__ import annotations

from types import TracebackType
from typing import Self


class Closing:
    """Calls its `aclose` at the end of an ``async with``, however that ends."""

    __slots__ = ()

    async def aclose(self) -> None:
        """Let go of what it holds."""
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()
