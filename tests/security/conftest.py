"""The servers of the tests of threats: the same as those of the API's tests."""

from tests.server.conftest import complaints, expected, log, make_server, server

__all__ = ["complaints", "expected", "log", "make_server", "server"]
