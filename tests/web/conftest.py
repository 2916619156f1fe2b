"""The server of the tests of the API, and something that behaves like a browser without scripts."""

import pytest

from tests.server.conftest import complaints, expected, log, make_server, server  # noqa: F401
from tests.web.browser import Browser


@pytest.fixture
def browser(server):  # noqa: F811
    """A browser in which nobody is signed in."""
    return Browser(server)


@pytest.fixture
def alice(browser, io_loop):
    """A browser in which alice, who may write, is signed in."""
    io_loop.run_sync(lambda: browser.sign_in("alice"))
    return browser


@pytest.fixture
def bob(browser, io_loop):
    """A browser in which bob, who may only read, is signed in."""
    io_loop.run_sync(lambda: browser.sign_in("bob"))
    return browser
