"""Where blocking calls run: threads that all mounts of the process share.

They are not the event loop's own, so that a slow disk holds up nothing else, and they are bounded,
so that many requests wait in line and not in the memory of many threads.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from waterbutler.core.waiting import outwait

P = ParamSpec("P")
T = TypeVar("T")

COUNT = 32
"""How many calls may be inside the operating system at a time."""


class _Pool:
    """Threads that are started when needed, anew after a fork."""

    def __init__(self) -> None:
        self.renew()
        os.register_at_fork(after_in_child=self.renew)

    def renew(self) -> None:
        self.executor = ThreadPoolExecutor(COUNT, thread_name_prefix="filesystem")


_pool = _Pool()


class Stopped(Exception):
    """A call ended early because nobody waits for it any more."""


class Stop(threading.Event):
    """Tells a long call in a thread that nobody waits for it any more."""

    def check(self) -> None:
        """Raise `Stopped` if the call should end."""
        if self.is_set():
            raise Stopped


async def run(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call something that only looks, in a thread.

    When the waiting task is cancelled it goes on at once; what the call returns is dropped.
    """
    return await asyncio.wrap_future(_pool.executor.submit(call, *args, **kwargs))


async def finish(stop: Stop, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call something that changes the storage, in a thread, and see it end.

    When the waiting task is cancelled, ``stop`` is set, and the cancellation goes on when the call
    has ended: nothing changes behind the back of a task that is over.
    """
    work = _pool.executor.submit(call, *args, **kwargs)
    done = asyncio.wrap_future(work)
    try:
        return await asyncio.shield(done)
    except asyncio.CancelledError:
        if not work.cancel():
            stop.set()
            await outwait(done)
        raise


class Handle:
    """Something open that is closed when told so, but never while a thread is inside it.

    A thread that uses it does so in ``with handle:``. Closing it meanwhile is left to that thread:
    otherwise the number of a closed descriptor could belong to another file when it is used.
    One that is dropped closes itself. Only one thread is inside at a time.
    """

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._inside = False
        self._closed = False

    def __enter__(self) -> None:
        with self._mutex:
            if self._closed:
                raise Stopped
            self._inside = True

    def __exit__(self, *_: object) -> None:
        with self._mutex:
            self._inside = False
            if not self._closed:
                return
        self._release()

    def close(self) -> None:
        """Close it, now or when the thread inside is done; may be called again."""
        with self._mutex:
            if self._closed:
                return
            self._closed = True
            if self._inside:
                return
        self._release()

    def __del__(self) -> None:
        self.close()

    def _release(self) -> None:
        raise NotImplementedError
