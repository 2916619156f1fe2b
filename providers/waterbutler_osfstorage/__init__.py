"""The storage of an OSF-like host: its tree of files over a blob store."""

from waterbutler_osfstorage.config import OsfStorageCredentials, OsfStorageSettings
from waterbutler_osfstorage.provider import OsfStorageProvider

__all__ = ["OsfStorageCredentials", "OsfStorageProvider", "OsfStorageSettings"]
