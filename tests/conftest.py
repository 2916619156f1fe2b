"""Set-up for all tests."""

from importlib.metadata import entry_points

from hypothesis import settings

pytest_plugins = ["pytester"]
if not entry_points(group="pytest11", name="waterbutler"):
    # The tree is tested without being installed: nothing else registers the plugin.
    pytest_plugins.append("waterbutler.testing.plugin")

settings.register_profile("shared machine", deadline=None)
settings.load_profile("shared machine")
