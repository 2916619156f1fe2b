"""What an OSF-like application is to this server, small enough to embed.

Nothing here knows HTTP: `waterbutler.server.host` speaks the wire contract.
"""

from waterbutler.core.filetree import OSFSTORAGE
from waterbutler.host.accounts import Accounts, Region, storage_of
from waterbutler.host.database import Database
from waterbutler.host.exchange import Exchange, HostOptions, only_shows
from waterbutler.host.host import Host
from waterbutler.host.journal import Happened, Journal
from waterbutler.host.sweeping import remove, unreferenced
from waterbutler.host.tree import BriefChild, EmbeddedTree, EmbeddedTrees

__all__ = [
    "OSFSTORAGE",
    "Accounts",
    "BriefChild",
    "Database",
    "EmbeddedTree",
    "EmbeddedTrees",
    "Exchange",
    "Happened",
    "Host",
    "HostOptions",
    "Journal",
    "Region",
    "only_shows",
    "remove",
    "storage_of",
    "unreferenced",
]
