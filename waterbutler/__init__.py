"""One file API in front of many storages."""

from waterbutler.version import __version__

__all__ = ["__version__"]
