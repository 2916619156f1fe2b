"""From an access request to a grant."""

from waterbutler.auth.handler import (
    Account,
    AuthChain,
    AuthHandler,
    MountConfig,
    MountSummary,
    Resource,
    ResourceSummary,
)
from waterbutler.auth.sessions import COOKIE, Sessions
from waterbutler.auth.static import ANYBODY, StaticHandler, digest

__all__ = [
    "ANYBODY",
    "COOKIE",
    "Account",
    "AuthChain",
    "AuthHandler",
    "MountConfig",
    "MountSummary",
    "Resource",
    "ResourceSummary",
    "Sessions",
    "StaticHandler",
    "digest",
]
