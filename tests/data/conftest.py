"""A server with every dialect for each test."""

import pytest

from tests.gateway.conftest import services  # noqa: F401
from tests.server.conftest import complaints, expected, log, make_server  # noqa: F401


@pytest.fixture
def run(io_loop):
    """Runs a coroutine to its end."""
    return lambda coroutine: io_loop.run_sync(lambda: coroutine)
