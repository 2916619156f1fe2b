"""Blocking work on passing bytes, side by side: a slow part does not hold up a fast one."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Sequence

from waterbutler.core.waiting import outwait, wake

Work = Callable[[list[bytes]], None]
"""Takes the next pieces; called in threads, one call at a time."""
Run = Callable[[Callable[[], None]], "asyncio.Future[None]"]
"""Has a thread make a blocking call."""

MOST = 1 << 20
"""How many bytes of pieces that wait are handed over together."""
_CALLS = 8
"""How often a thread goes on by itself before others may have it."""


def in_thread(call: Callable[[], None]) -> asyncio.Future[None]:
    """Have one of the event loop's threads make a call."""
    return asyncio.get_running_loop().run_in_executor(None, call)


class Lanes:
    """Hands pieces to several workers. Each gets all of them, in order.

    Args:
        workers: Who gets them.
        run: Makes blocking calls in threads.
    """

    def __init__(self, *workers: Work, run: Run = in_thread) -> None:
        self._progress = _Progress()
        self._lanes = [_Lane(work, run, self._progress) for work in workers]
        self._put = 0

    @property
    def behind(self) -> int:
        """How many bytes somebody has still to do."""
        return self._put - min((lane.done for lane in self._lanes), default=self._put)

    async def put(self, pieces: Sequence[bytes], room: int) -> None:
        """Hand over the next pieces, and wait until at most ``room`` bytes are left to do.

        Raises:
            BaseException: What a worker raised. It is given nothing more.
        """
        self._put += sum(map(len, pieces))
        for lane in self._lanes:
            lane.put(pieces)
        await self._catch_up(room)

    async def join(self) -> None:
        """Wait until all is done; raises like `put`."""
        await self._catch_up(0)

    async def stop(self) -> None:
        """Begin with nothing more, and wait for what runs."""
        for lane in self._lanes:
            await lane.stop()

    async def _catch_up(self, room: int) -> None:
        while True:
            for lane in self._lanes:
                lane.raise_failure()
            if self.behind <= room:
                return
            waiter = self._progress.waiter = asyncio.get_running_loop().create_future()
            # A thread that was done before it could see the waiter wakes nobody.
            if self.behind > room:
                await waiter


class _Progress:
    """Wakes who waits for the lanes; apart from them, because each lane knows it."""

    def __init__(self) -> None:
        self.waiter: asyncio.Future[None] | None = None

    def __call__(self) -> None:
        """Called by threads, and where calls end."""
        waiter = self.waiter
        if waiter is None or waiter.done():
            return
        # The event loop is closed if nobody waits any more.
        with contextlib.suppress(RuntimeError):
            waiter.get_loop().call_soon_threadsafe(wake, waiter)


class _Lane:
    """What one worker has still to do.

    It has no task of its own: nothing is left over when nobody waits any more but, for a moment, a
    thread.

    Attributes:
        done: How many bytes it is done with.
    """

    def __init__(self, work: Work, run: Run, progress: Callable[[], None]) -> None:
        self._work = work
        self._run = run
        self._progress = progress
        self._waiting: deque[bytes] = deque()
        self._call: asyncio.Future[None] | None = None
        self._failure: BaseException | None = None
        self.done = 0

    def put(self, pieces: Sequence[bytes]) -> None:
        if self._failure is None:
            self._waiting.extend(pieces)
            if self._call is None:
                self._begin()

    def raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    async def stop(self) -> None:
        self._waiting.clear()
        while self._call is not None:
            await outwait(self._call)
            await asyncio.sleep(0)

    def _begin(self) -> None:
        self._call = self._run(self._drain)
        self._call.add_done_callback(self._ended)

    def _ended(self, call: asyncio.Future[None]) -> None:
        self._call = None
        if call.cancelled():
            self._failure = asyncio.CancelledError()
        else:
            self._failure = call.exception()
        if self._waiting and self._failure is None:
            self._begin()
        self._progress()

    def _drain(self) -> None:
        for _ in range(_CALLS):
            pieces = self._next()
            if not pieces:
                return
            self._work(pieces)
            self.done += sum(map(len, pieces))
            del pieces
            self._progress()

    def _next(self) -> list[bytes]:
        pieces: list[bytes] = []
        size = 0
        while size < MOST:
            try:
                piece = self._waiting.popleft()
            except IndexError:
                break
            pieces.append(piece)
            size += len(piece)
        return pieces
