"""Putting something in the place of something else, on hosts that cannot do it in one step."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol, TypeVar

from waterbutler.core.errors import (
    CheckedOut,
    Forbidden,
    NotFound,
    ProviderFault,
    ProviderUnavailable,
    WaterButlerError,
)
from waterbutler.core.filetree import Destination, FileTree, Node
from waterbutler.core.path import MAX_NAME_BYTES
from waterbutler.core.waiting import unbroken

T = TypeVar("T")
UNCLEAR = (ProviderUnavailable, ProviderFault)
"""After these nobody knows whether what was asked for was done."""


class Insisted(Protocol):
    """Tries a call until it works or patience ends."""

    async def __call__(self, call: Callable[[], Awaitable[T]]) -> T:
        """Raises what the last try raised."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """Something that is to take the place of something else.

    Attributes:
        tree: Where that is.
        old: What must make way.
        to: Its place.
        user: Who wants it.
        insisted: How patiently to finish or undo what was begun; nothing that is done here harms
            when it is done again.
    """

    tree: FileTree
    old: Node
    to: Destination
    user: str | None
    insisted: Insisted

    async def make(
        self, bring: Callable[[], Awaitable[Node]], is_new: Callable[[Node], bool]
    ) -> Node:
        """Rename ``old``, let ``bring`` put the new thing in its place, then delete ``old``.

        If the new thing cannot be brought, the old one has its name again; nothing is deleted
        before the new one is there. A cancellation does not break this off.

        Args:
            bring: Is done once, because it may have worked even if it fails.
            is_new: Whether this is certainly what ``bring`` brings.

        Raises:
            Forbidden: The old thing, or something in it, is checked out.
            WaterButlerError: A step failed. If the old thing does not have its name again, or could
                not be deleted, the message says how it is called.
        """
        if self.old.checkout is not None:
            raise Forbidden("What would be replaced is checked out.")
        return await unbroken(self._make(bring, is_new))

    async def _make(
        self, bring: Callable[[], Awaitable[Node]], is_new: Callable[[Node], bool]
    ) -> Node:
        name = _hidden(self.to.name)
        aside = Destination(resource=self.to.resource, parent=self.to.parent, name=name)
        try:
            await self.tree.move(self.old.id, aside, user=self.user)
        except CheckedOut:
            raise Forbidden("Something in what would be replaced is checked out.") from None
        except UNCLEAR as error:
            # It may be renamed, and only the news of it was lost.
            if not await self._has_its_name():
                await self._give_back(aside, error)
            raise
        try:
            node = await bring()
        except BaseException as error:
            there = await self._arrived(is_new) if isinstance(error, UNCLEAR) else None
            if there is None:
                await self._give_back(aside, error)
                raise
            node = there
        try:
            await self._delete_old()
        except WaterButlerError as error:
            _explain(error, f"{self.to.name} was replaced; what it was before is now {name}.")
            raise
        return node

    async def _delete_old(self) -> None:
        with suppress(NotFound):
            await self.insisted(lambda: self.tree.delete(self.old.id, user=self.user))

    async def _arrived(self, is_new: Callable[[Node], bool]) -> Node | None:
        """The new thing, if the host shows it in its place."""
        to, is_folder = self.to, self.old.is_folder
        try:
            node = await self.insisted(
                lambda: self.tree.child(to.parent, to.name, folder=is_folder)
            )
        except WaterButlerError:
            return None
        return node if node is not None and is_new(node) else None

    async def _give_back(self, aside: Destination, error: BaseException) -> None:
        try:
            await self.insisted(lambda: self.tree.move(self.old.id, self.to, user=self.user))
        except WaterButlerError as failure:
            if not await self._has_its_name():
                _explain(error, f"{self.to.name} is now {aside.name} ({failure.message})")

    async def _has_its_name(self) -> bool:
        """Whether the host says that the old thing has it; not if it does not answer."""
        try:
            node = await self.insisted(lambda: self.tree.item(self.old.id))
        except WaterButlerError:
            return False
        return node.name == self.to.name


def _explain(error: BaseException, more: str) -> None:
    """Add a sentence to what the client reads."""
    if isinstance(error, WaterButlerError):
        error.message = f"{error.message} {more}"
    error.add_note(more)


def _hidden(name: str) -> str:
    suffix = f".waterbutler-{secrets.token_hex(8)}"
    stem = name.encode()[: MAX_NAME_BYTES - len(suffix) - 1].decode(errors="ignore")
    return f".{stem}{suffix}"
