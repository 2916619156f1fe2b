"""A server for each test, and the promise that nothing goes wrong behind its back."""

import asyncio
import logging

import pytest

from tests.harness import Complaints, LiveServer, captured_log

LOGGERS = ("asyncio", "tornado.application", "tornado.general")


@pytest.fixture
def log():
    """What the server logs."""
    with captured_log() as events:
        yield events


@pytest.fixture
def expected():
    """Test for unexpected errors put the names of their classes here."""
    return set()


@pytest.fixture
def complaints(io_loop, log, expected):
    """Fails the test if a task, a generator, a callback or a handler went wrong unnoticed."""
    found = Complaints()
    io_loop.asyncio_loop.set_exception_handler(found.loop)
    loggers = [logging.getLogger(name) for name in LOGGERS]
    for logger in loggers:
        logger.addHandler(found)
    yield found
    io_loop.run_sync(lambda: asyncio.sleep(0.001))
    left = io_loop.run_sync(_others)
    found.collect()
    io_loop.run_sync(lambda: asyncio.sleep(0))
    for logger in loggers:
        logger.removeHandler(found)
    unexpected = [
        event
        for event in log
        if event["event"] == "unexpected error"
        and not any(name in event["exc_info"] for name in expected)
    ]
    assert not unexpected
    assert not found.found
    assert not left, f"still running: {left}"


@pytest.fixture
def make_server(io_loop, complaints):
    """Starts servers with options of the test's own."""
    started = []

    async def make(**changes):
        server = LiveServer(**changes)
        started.append(await server.start())
        return server

    yield make
    for server in started:
        io_loop.run_sync(server.stop)


@pytest.fixture
def server(make_server, io_loop):
    """A server with the usual set-up."""
    return io_loop.run_sync(make_server)


async def _others():
    """The tasks that are left after the server has stopped; they get a moment to end."""
    for _ in range(100):
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        if not tasks:
            return []
        await asyncio.sleep(0.01)
    return [repr(task) for task in tasks]
