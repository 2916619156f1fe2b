"""Waiting for steps that are not broken off, and for several at the same time."""

import asyncio

import pytest

from tests.garbage import garbage
from waterbutler.core.errors import NotFound
from waterbutler.core.waiting import first, outwait, raise_first, stop, together, unbroken


async def settle():
    for _ in range(50):
        await asyncio.sleep(0)


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


class TestTogether:
    """Several at the same time."""

    async def test_all_are_run(self):
        """It ends with the last one; nothing to do is done at once."""
        done = []

        async def work(number):
            await asyncio.sleep(0.01 * number)
            done.append(number)

        await together(work(number) for number in (3, 1, 2))
        await together([])
        assert done == [1, 2, 3]

    async def test_the_first_error_ends_all(self):
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
            await together(work() for _ in range(3))
        assert len(ended) == 3

    async def test_one_that_is_cancelled_leaves_the_others(self):
        """Only errors end them."""
        done = []

        async def work(number):
            if number == 1:
                raise asyncio.CancelledError
            await settle()
            done.append(number)

        await together(work(number) for number in range(3))
        assert done == [0, 2]

    async def test_cancelling_ends_all(self):
        """It waits for what they do then."""
        ended = []

        async def work():
            try:
                await asyncio.Event().wait()
            finally:
                await settle()
                ended.append(1)

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(together(work() for _ in range(3)), 0.05)
        assert len(ended) == 3


async def test_the_first_to_end_ends_the_others():
    """However it ends; the others are waited for."""
    ended = []

    async def hang():
        try:
            await asyncio.Event().wait()
        finally:
            await settle()
            ended.append(1)

    async def fail():
        await settle()
        raise NotFound("gone")

    await first(hang(), asyncio.sleep(0), hang())
    await first(hang(), fail())
    assert len(ended) == 3


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


class TestNothingIsLeft:
    """What is raised takes along what it came through, without a search for garbage."""

    async def fail(self, *_):
        await asyncio.sleep(0)
        raise NotFound("gone")

    async def hang(self, *_):
        await asyncio.Event().wait()

    async def ask_first(self, work):
        tasks = [asyncio.create_task(work())]
        try:
            await asyncio.wait(tasks)
            raise_first(tasks)
        finally:
            await stop(*tasks)
            tasks.clear()

    @pytest.fixture(params=["unbroken", "together", "in turn"])
    def run(self, request):
        return {
            "unbroken": lambda work: unbroken(work()),
            "together": lambda work: together(work() for _ in range(3)),
            "in turn": self.ask_first,
        }[request.param]

    async def test_of_an_error(self, run):
        """The error of a step."""
        with garbage() as found:
            with pytest.raises(NotFound):
                await run(self.fail)
            await settle()
        assert not found, found

    async def test_of_a_cancellation(self, run):
        """The end of who waits."""
        with garbage() as found:
            task = asyncio.create_task(run(lambda: asyncio.sleep(0.01)))
            await settle()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            del task
            await settle()
        assert not found, found

    async def test_of_a_cancelled_wait(self):
        """The cancellation that is handed over."""
        with garbage() as found:
            task = asyncio.create_task(outwait(asyncio.ensure_future(asyncio.sleep(0.01))))
            await settle()
            task.cancel()
            assert isinstance(await task, asyncio.CancelledError)
            del task
            await settle()
        assert not found, found
