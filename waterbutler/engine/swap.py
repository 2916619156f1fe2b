"""Exchanging things within a storage, so that nothing is lost if a step fails."""

from __future__ import annotations

import asyncio
import contextlib

from waterbutler.core import Entry, Path, Provider, WriteMode
from waterbutler.core.errors import NotFound, Unsupported, WaterButlerError
from waterbutler.core.waiting import unbroken
from waterbutler.engine.cleanup import discard, explain
from waterbutler.engine.naming import claiming, hidden_sibling


async def swap_in(dest: Provider, new: Path, target: Path) -> None:
    """Put the folder ``new`` in the place of the folder ``target`` and delete the old one.

    In one step where the storage has one for it. Elsewhere the old folder is put aside before, so
    that a process which dies in between leaves both under hidden names. A cancellation does not
    break off the exchange. If one of its steps fails it is undone.

    Raises:
        Unsupported: The storage cannot move these folders; nothing was changed.
        WaterButlerError: A step failed. If the old folder is not in its place again, or could not
            be deleted, the message says where it is.
    """
    if dest.capabilities.replaces_folders:
        with contextlib.suppress(Unsupported):
            await unbroken(dest.move_from(dest, new, target, mode=WriteMode.REPLACE))
            return
    await _swap_in_steps(dest, new, target)


async def _swap_in_steps(dest: Provider, new: Path, target: Path) -> None:
    aside = hidden_sibling(target)
    done = False

    async def exchange() -> None:
        nonlocal done
        try:
            await dest.move_from(dest, target, aside)
            await dest.move_from(dest, new, target)
            done = True
        except BaseException as error:
            await give_back(dest, aside, dest, target, error)
            raise

    try:
        await unbroken(exchange())
        with contextlib.suppress(NotFound):
            await dest.delete(aside)
    except WaterButlerError as error:
        if done:
            explain(error, f"{target} was replaced, but what it was before is left at {aside}.")
        raise
    except asyncio.CancelledError as error:
        if done:
            await discard(dest, aside, error)
        raise


async def respell(source: Provider, at: Path, dest: Provider, to: Path) -> Entry:
    """Rename something to another spelling of its own name, by way of a third name.

    Raises:
        Unsupported: The storage cannot rename this; nothing was changed.
        Taken: The other spelling is a name of its own.
        WaterButlerError: A step failed. If the thing is not in its place again, the message says
            where it is.
    """
    if not dest.capabilities.move_from:
        raise Unsupported(f"{dest.info.label} cannot change the case of a name.")
    between = hidden_sibling(to)

    async def rename() -> Entry:
        try:
            await dest.move_from(source, at, between)
            with claiming():
                return await dest.move_from(dest, between, to)
        except BaseException as error:
            await give_back(dest, between, source, at, error)
            raise

    return await unbroken(rename())


async def give_back(
    holder: Provider, now: Path, owner: Provider, before: Path, error: BaseException
) -> None:
    """Move something back to where it was before ``error``; it may not have been moved at all."""
    try:
        await unbroken(owner.move_from(holder, now, before))
    except (NotFound, Unsupported):
        pass
    except WaterButlerError as failure:
        explain(error, f"What was at {before} is now at {now} ({failure.message})")
