"""The settings of what this server asks other machines."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, field

from waterbutler.settings.tables import Table


class OutboundSettings(Table, frozen=True, kw_only=True):
    """Table ``outbound``: machines that a host names in its answers."""

    private: Annotated[
        bool,
        Meta(
            description="Storages and callbacks that a host names may be in private networks, also"
            " on this machine."
        ),
    ] = True
    hosts: Annotated[
        list[str],
        Meta(
            description="If not: those that may nevertheless, with a port or without; the one of"
            " auth.osf.url always may."
        ),
    ] = field(default_factory=list)
