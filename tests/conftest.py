"""Set-up for all tests."""

import signal
from importlib.metadata import entry_points

import pytest
from hypothesis import settings

pytest_plugins = ["pytester"]
if not entry_points(group="pytest11", name="waterbutler"):
    # The tree is tested without being installed: nothing else registers the plugin.
    pytest_plugins.append("waterbutler.testing.plugin")

settings.register_profile("shared machine", deadline=None)
settings.load_profile("shared machine")


@pytest.fixture
def hangup_heeded():
    """Servers inherit what the signal means: nothing, where the tests must outlive a terminal."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)
