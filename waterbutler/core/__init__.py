"""Values and contracts; the standard library and msgspec only."""

from waterbutler.core.actions import (
    ANONYMOUS,
    AccessRequest,
    Action,
    Conflict,
    Grant,
    Identity,
    User,
)
from waterbutler.core.byterange import ByteRange, Span
from waterbutler.core.capabilities import Capabilities, PartLimits
from waterbutler.core.entry import JSON, Entry, StorageInfo, Version
from waterbutler.core.hashing import Hasher
from waterbutler.core.path import ROOT, Path, check_name
from waterbutler.core.provider import Content, Noted, Provider, SentPart, WriteMode
from waterbutler.core.stream import ByteStream, Sink

__all__ = [
    "ANONYMOUS",
    "JSON",
    "ROOT",
    "AccessRequest",
    "Action",
    "ByteRange",
    "ByteStream",
    "Capabilities",
    "Conflict",
    "Content",
    "Entry",
    "Grant",
    "Hasher",
    "Identity",
    "Noted",
    "PartLimits",
    "Path",
    "Provider",
    "SentPart",
    "Sink",
    "Span",
    "StorageInfo",
    "User",
    "Version",
    "WriteMode",
    "check_name",
]
