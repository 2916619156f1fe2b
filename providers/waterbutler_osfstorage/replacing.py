"""Putting something in the place of something else, on hosts that cannot do it in one step."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable

from waterbutler.core.errors import (
    CheckedOut,
    Forbidden,
    ProviderUnavailable,
    WaterButlerError,
)
from waterbutler.core.filetree import Destination, FileTree, Node
from waterbutler.core.path import MAX_NAME_BYTES
from waterbutler.core.waiting import unbroken


async def make_way(
    tree: FileTree,
    old: Node,
    to: Destination,
    user: str | None,
    bring: Callable[[], Awaitable[Node]],
) -> Node:
    """Rename ``old``, let ``bring`` put the new thing in its place, then delete ``old``.

    If the new thing cannot be brought, the old one has its name again; nothing is deleted before
    the new one is there. A cancellation does not break this off.

    Raises:
        Forbidden: The old thing, or something in it, is checked out.
        WaterButlerError: A step failed. If the old thing does not have its name again, or could
            not be deleted, the message says how it is called.
    """
    if old.checkout is not None:
        raise Forbidden("What would be replaced is checked out.")
    return await unbroken(_exchange(tree, old, to, user, bring))


async def _exchange(
    tree: FileTree,
    old: Node,
    to: Destination,
    user: str | None,
    bring: Callable[[], Awaitable[Node]],
) -> Node:
    aside = Destination(resource=to.resource, parent=to.parent, name=_hidden(to.name))
    try:
        await tree.move(old.id, aside, user=user)
    except CheckedOut:
        raise Forbidden("Something in what would be replaced is checked out.") from None
    except ProviderUnavailable as error:
        # It may be renamed, and only the news of it was lost.
        if not await _is_called(tree, old, to.name):
            await _give_back(tree, old, to, aside, user, error)
        raise
    try:
        node = await bring()
    except BaseException as error:
        await _give_back(tree, old, to, aside, user, error)
        raise
    try:
        await tree.delete(old.id, user=user)
    except WaterButlerError as error:
        _explain(error, f"{to.name} was replaced; what it was before is now {aside.name}.")
        raise
    return node


async def _give_back(
    tree: FileTree,
    old: Node,
    to: Destination,
    aside: Destination,
    user: str | None,
    error: BaseException,
) -> None:
    try:
        await tree.move(old.id, to, user=user)
    except WaterButlerError as failure:
        if not await _is_called(tree, old, to.name):
            _explain(error, f"{to.name} is now {aside.name} ({failure.message})")


async def _is_called(tree: FileTree, node: Node, name: str) -> bool:
    """Whether the host says that this is the name; not if it does not answer."""
    try:
        return (await tree.item(node.id)).name == name
    except WaterButlerError:
        return False


def _explain(error: BaseException, more: str) -> None:
    """Add a sentence to what the client reads."""
    if isinstance(error, WaterButlerError):
        error.message = f"{error.message} {more}"
    error.add_note(more)


def _hidden(name: str) -> str:
    suffix = f".waterbutler-{secrets.token_hex(8)}"
    stem = name.encode()[: MAX_NAME_BYTES - len(suffix) - 1].decode(errors="ignore")
    return f".{stem}{suffix}"
