"""The embedded host as one value."""

from __future__ import annotations

import asyncio

from waterbutler.core import JSON
from waterbutler.host.accounts import Accounts
from waterbutler.host.exchange import DOWNLOADS, Exchange, HostOptions, check_log
from waterbutler.host.journal import Journal
from waterbutler.host.purging import Purging
from waterbutler.host.tree import EmbeddedTree, EmbeddedTrees


class Host:
    """Answers what servers ask an OSF-like application.

    Args:
        accounts: Users, resources, rights.
        trees: The files.
        options: How it presents itself.
        keep_deleted: How many seconds what was deleted stays in the database; ``None`` for ever.
    """

    def __init__(
        self,
        accounts: Accounts,
        trees: EmbeddedTrees,
        options: HostOptions,
        *,
        keep_deleted: float | None = None,
    ) -> None:
        self.accounts = accounts
        self.trees = trees
        self.options = options
        self.exchange = Exchange(accounts, trees, options)
        self.journal = Journal(trees.database)
        self._purging: Purging | None = None
        if keep_deleted is not None:
            self._purging = Purging(trees.database, keep=keep_deleted)
        self.background: set[asyncio.Task[None]] = set()
        """What is done after the answer, and before the database is closed."""

    def start(self) -> None:
        """Begin what is done now and then; call it in the server's loop."""
        if self._purging is not None:
            self._purging.start()

    def tree(self, resource: str) -> EmbeddedTree:
        """The tree of a resource that exists; raises `NotFound`."""
        return self.trees.tree(self.accounts.resource(resource).id)

    async def keep_log(self, resource: str, payload: dict[str, JSON]) -> None:
        """Keep what a server said that happened; downloads are only acknowledged.

        Raises:
            NotFound: There is no such resource.
            InvalidRequest: The message makes no sense.
        """
        self.accounts.resource(resource)
        action, user = check_log(self.accounts, payload)
        if action not in DOWNLOADS:
            await self.journal.add(resource, action, user, payload)

    async def aclose(self) -> None:
        """Finish what is running, and close the database."""
        if self._purging is not None:
            await self._purging.aclose()
        await asyncio.gather(*self.background, return_exceptions=True)
        await self.trees.aclose()
