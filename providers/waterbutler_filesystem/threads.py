"""Where blocking calls run: threads that all mounts of the process share.

They are not the event loop's own, so that a slow disk holds up nothing else, and they are bounded,
so that many requests wait in line and not in the memory of many threads.

Most calls take a few microseconds, less than `concurrent.futures` takes to hand them over. So
they are handed over by a queue and nothing else, and what is done is handed back in batches: one
wake-up of the event loop for everything that is done when it wakes.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from typing import Any, Generic, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

from waterbutler.core.waiting import outwait

P = ParamSpec("P")
T = TypeVar("T")

COUNT = 32
"""How many calls may be inside the operating system at a time."""


class _Delivery:
    """Brings what threads have done back to an event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._wake = loop.call_soon_threadsafe
        self._done: deque[Callable[[], None]] = deque()
        self._called = False

    def bring(self, outcome: Callable[[], None]) -> None:
        """Called by threads: ``outcome`` will run in the event loop."""
        self._done.append(outcome)
        if self._called:
            return
        self._called = True
        try:
            self._wake(self._run)
        except RuntimeError:
            # The event loop is closed and nobody waits any more.
            self._done.clear()

    def _run(self) -> None:
        # First: what is added from now on calls again.
        self._called = False
        while self._done:
            self._done.popleft()()


class _Call(Generic[T]):
    """A call that is handed over to a thread."""

    __slots__ = ("_call", "_claim", "_delivery", "done")

    def __init__(
        self, call: Callable[[], T], loop: asyncio.AbstractEventLoop, delivery: _Delivery
    ) -> None:
        self._call = call
        self._claim = threading.Lock()
        self._delivery = delivery
        self.done: asyncio.Future[T] = loop.create_future()

    def run(self) -> None:
        """Do it, unless it was cancelled before."""
        if not self._claim.acquire(blocking=False):
            return
        try:
            result = self._call()
        except BaseException as error:  # noqa: BLE001 - whoever waits for it gets it
            self._delivery.bring(partial(self._fail, error))
            # The error holds this frame, and the future in here will hold the error.
            del self
        else:
            self._delivery.bring(partial(self._succeed, result))

    def cancel(self) -> bool:
        """Whether it will not be done: no thread had begun with it."""
        return self._claim.acquire(blocking=False)

    def _succeed(self, result: T) -> None:
        if not self.done.done():
            self.done.set_result(result)

    def _fail(self, error: BaseException) -> None:
        if not self.done.done():
            self.done.set_exception(error)


_Inbox = SimpleQueue[_Call[Any]]
"""Where one thread finds its next call."""


class _Pool:
    """Threads that are started when needed, anew after a fork.

    The one that was busy last is the next to get a call: it is the quickest to wake, and those that
    are too many sleep on.
    """

    def __init__(self) -> None:
        self.renew()
        os.register_at_fork(after_in_child=self.renew)

    def renew(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[_Call[Any]] = deque()
        self._deliveries: WeakKeyDictionary[asyncio.AbstractEventLoop, _Delivery] = (
            WeakKeyDictionary()
        )
        self._idle: list[_Inbox] = []
        self._started = 0

    def submit(self, call: Callable[[], T]) -> _Call[T]:
        """Hand a call over to a thread."""
        loop = asyncio.get_running_loop()
        delivery = self._deliveries.get(loop)
        if delivery is None:
            delivery = self._deliveries[loop] = _Delivery(loop)
        work = _Call(call, loop, delivery)
        with self._lock:
            inbox = self._idle.pop() if self._idle else self._start()
            if inbox is None:
                self._waiting.append(work)
            else:
                inbox.put(work)
        return work

    @property
    def is_busy(self) -> bool:
        """Whether calls wait for a thread."""
        return bool(self._waiting)

    def _start(self) -> _Inbox | None:
        """Start a thread, unless there are enough, or there can be no more."""
        if self._started == COUNT:
            return None
        inbox: _Inbox = SimpleQueue()
        name = f"filesystem-{self._started + 1}"
        thread = threading.Thread(target=self._work, args=(inbox,), name=name, daemon=True)
        try:
            thread.start()
        except RuntimeError:
            if not self._started:
                raise
            return None
        self._started += 1
        return inbox

    def _work(self, inbox: _Inbox) -> None:
        while True:
            work = inbox.get()
            work.run()
            # What it holds may be large.
            del work
            with self._lock:
                if self._waiting:
                    inbox.put(self._waiting.popleft())
                else:
                    self._idle.append(inbox)


_pool = _Pool()


class Stopped(Exception):
    """A call ended early because nobody waits for it any more."""


class Stop(threading.Event):
    """Tells a long call in a thread that nobody waits for it any more."""

    def check(self) -> None:
        """Raise `Stopped` if the call should end."""
        if self.is_set():
            raise Stopped


def begin(call: Callable[[], T]) -> asyncio.Future[T]:
    """Call something in a thread; whoever cancels the wait does not end the call."""
    return _pool.submit(call).done


def others_wait() -> bool:
    """Whether a call that takes long should end, and be gone on with when others had their turn."""
    return _pool.is_busy


async def run(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call something that only looks, in a thread.

    When the waiting task is cancelled it goes on at once; what the call returns is dropped.
    """
    work = _pool.submit(partial(call, *args, **kwargs))
    try:
        return await work.done
    finally:
        work.cancel()
        # A result that nobody takes any more, such as an open file, goes at once.
        del work


async def finish(stop: Stop, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call something that changes the storage, in a thread, and see it end.

    When the waiting task is cancelled, ``stop`` is set, and the cancellation goes on when the call
    has ended: nothing changes behind the back of a task that is over.
    """
    work = _pool.submit(partial(call, *args, **kwargs))
    try:
        return await asyncio.shield(work.done)
    except asyncio.CancelledError:
        if not work.cancel():
            stop.set()
            await outwait(work.done)
        raise
    finally:
        del work


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
