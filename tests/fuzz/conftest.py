"""The server that is tried out, once for all tests of a process."""

import pytest

from tests.fuzz.world import check_log, start_world


@pytest.fixture(scope="session")
def shared_world(tmp_path_factory):
    """The server."""
    with start_world(tmp_path_factory.mktemp("world")) as world:
        yield world


@pytest.fixture
def world(shared_world):
    """The same; afterwards its log must be in order."""
    shared_world.log()
    yield shared_world
    shared_world.check_around()
    check_log(shared_world.log())
