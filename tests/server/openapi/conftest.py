"""A server in the background, for clients that wait for their answers."""

import pytest

from tests.harness import captured_log
from tests.server.openapi.description import Background


@pytest.fixture(scope="module")
def background():
    """The server in a thread; nothing unexpected may happen in it."""
    with captured_log() as log:
        running = Background()
        yield running
        running.close()
    assert [event for event in log if event["event"] == "unexpected error"] == []
