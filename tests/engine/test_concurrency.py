"""Tasks end together, and leave nothing running."""

import asyncio

import pytest

from waterbutler.core.errors import NotFound
from waterbutler.core.waiting import together
from waterbutler.engine.concurrency import Shared, in_background


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


async def test_shared_items_go_to_one_each():
    """No item is lost or given twice."""
    items = Shared(in_background(numbers, 3))
    seen = []

    async def work():
        async for number in items:
            seen.append(number)
            await asyncio.sleep(0)

    await together(work() for _ in range(4))
    assert sorted(seen) == list(range(10))
