"""Tasks end together, and leave nothing running."""

import asyncio

import pytest

from waterbutler.core.errors import NotFound
from waterbutler.core.waiting import stop
from waterbutler.engine.concurrency import Shared, in_background, together, unbroken


async def settle():
    for _ in range(50):
        await asyncio.sleep(0)


async def numbers(emit, count=10, made=None, error=None):
    for number in range(count):
        if made is not None:
            made.append(number)
        await emit(number)
    if error is not None:
        raise error


async def test_background_work_arrives_in_order():
    """Everything that is emitted comes out."""
    assert [n async for n in in_background(numbers, 3)] == list(range(10))


async def test_background_work_is_bounded():
    """It waits when nobody takes."""
    made = []
    items = in_background(lambda emit: numbers(emit, made=made), 3)
    assert await anext(items) == 0
    await settle()
    assert made == [0, 1, 2, 3, 4]
    await items.aclose()


async def test_errors_come_after_what_was_emitted():
    """Nothing is lost, and the error is the one that was raised."""
    items = in_background(lambda emit: numbers(emit, 5, error=NotFound("gone")), 2)
    assert [await anext(items) for _ in range(5)] == list(range(5))
    with pytest.raises(NotFound):
        await anext(items)


async def test_the_first_error_ends_all():
    """The others are cancelled and waited for."""
    ended = []

    async def work():
        try:
            if not ended and len(asyncio.all_tasks()) > 3:
                await asyncio.sleep(0)
                raise NotFound("gone")
            await asyncio.Event().wait()
        finally:
            ended.append(1)

    with pytest.raises(NotFound):
        await together(3, work)
    assert len(ended) == 3


async def test_shared_items_go_to_one_each():
    """No item is lost or given twice."""
    items = Shared(in_background(numbers, 3))
    seen = []

    async def work():
        async for number in items:
            seen.append(number)
            await asyncio.sleep(0)

    await together(4, work)
    assert sorted(seen) == list(range(10))


async def test_stopping_waits():
    """What a task does when it is cancelled is done afterwards."""
    cleaned = []

    async def work():
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.append(1)

    task = asyncio.create_task(work())
    await settle()
    await stop(task)
    assert cleaned == [1]


class TestUnbroken:
    """Steps that a cancellation must not break off."""

    async def start(self, step, **options):
        task = asyncio.create_task(unbroken(step, **options))
        await settle()
        return task

    async def test_without_cancellation(self):
        """The result and the error are those of the step."""

        async def give():
            return 5

        async def fail():
            raise NotFound("gone")

        assert await unbroken(give()) == 5
        with pytest.raises(NotFound):
            await unbroken(fail())

    @pytest.mark.parametrize("times", [1, 3])
    async def test_a_cancellation_waits(self, times):
        """The step goes on to its end, then the cancellation is raised."""
        go, done = asyncio.Event(), []

        async def step():
            await go.wait()
            done.append("step")

        async def undo(cancelled):
            await asyncio.sleep(0)
            done.append(f"undo {type(cancelled).__name__}")

        task = await self.start(step(), undo=undo)
        for _ in range(times):
            task.cancel()
            await settle()
        assert not task.done()
        go.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert done == ["step", "undo CancelledError"]

    async def test_a_failed_step_is_not_undone(self):
        """There is nothing to undo, and the cancellation is raised."""
        go, undone = asyncio.Event(), []

        async def step():
            await go.wait()
            raise NotFound("gone")

        async def undo(cancelled):
            undone.append(1)

        task = await self.start(step(), undo=undo)
        task.cancel()
        await settle()
        go.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert undone == []
