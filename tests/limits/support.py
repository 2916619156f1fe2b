"""What the tests of limits share."""

from __future__ import annotations

from waterbutler.limits import Rate, StoreDown, Verdict


class Clock:
    """A time that only a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Recorder:
    """A store that lets everything in, remembers the keys, and fails when told."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.error: BaseException | None = None
        self.closed = False

    async def count(self, key: str, rate: Rate) -> Verdict:
        self.keys.append(key)
        if self.error is not None:
            raise self.error
        return Verdict(rate, True, rate.interval)

    async def aclose(self) -> None:
        self.closed = True


DOWN = StoreDown("ConnectionError")
