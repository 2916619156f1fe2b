"""A folder of this machine as a storage."""

from waterbutler_filesystem.config import FilesystemSettings
from waterbutler_filesystem.provider import FilesystemProvider

__all__ = ["FilesystemProvider", "FilesystemSettings"]
