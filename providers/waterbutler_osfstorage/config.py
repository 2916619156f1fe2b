"""What an osfstorage mount is set up with."""

from __future__ import annotations

from typing import Any

import msgspec


class OsfStorageSettings(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The settings of a mount, as the host answers them.

    Attributes:
        storage: The settings of the blob store; ``provider`` in it names the kind of storage.
        nid: The id of the resource; the mount's own without it.
        root_id: The id of the resource's root folder. The embedded host knows it by itself.
        base_url: Where the host's hooks are. Empty: the embedded host.
    """

    storage: dict[str, Any]
    nid: str = ""
    root_id: str = ""
    base_url: str = ""


class OsfStorageCredentials(msgspec.Struct, frozen=True, kw_only=True):
    """The credentials of a mount.

    Attributes:
        storage: Those of the blob store.
    """

    storage: dict[str, Any] = msgspec.field(default_factory=dict)
