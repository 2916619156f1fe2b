"""A client that says exactly what it is told to, and takes down all that comes back."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any

from tests.harness import LiveServer, Reply

PATIENCE = 20
"""Seconds until a test gives up on a server that neither answers nor closes."""

SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
"""What must never be taken for a request; a server that takes it closes behind its answer."""


@dataclass(frozen=True)
class Heard:
    """What came until the end of the connection.

    Attributes:
        replies: The answers, without those that only say to go on.
        rest: What is left and is no whole answer.
    """

    replies: list[Reply]
    rest: bytes

    @property
    def statuses(self) -> list[int]:
        """The statuses of the answers, in their order."""
        return [reply.status for reply in self.replies]

    @property
    def refused(self) -> bool:
        """Whether all there is is one 400, with the JSON that every error has."""
        if self.statuses != [400] or self.rest:
            return False
        document: dict[str, Any] = json.loads(self.replies[0].body)
        return document["code"] == 400 and bool(document["message"])


async def say(server: LiveServer, *pieces: bytes) -> Heard:
    """Send pieces on one connection, and hear until the server closes it.

    A server that has answered may break a connection on which more is sent: that is an end too.

    Raises:
        TimeoutError: The server neither answers nor closes.
    """
    replies: list[Reply] = []
    async with asyncio.timeout(PATIENCE), server.connection() as connection:
        for piece in pieces:
            await connection.send(piece)
        try:
            while True:
                replies.append(await connection.receive())
        except asyncio.IncompleteReadError as error:
            return Heard(replies, error.partial)
        except ConnectionError:
            return Heard(replies, b"")


def head(
    method: str, target: str, *lines: bytes | str, version: str = "HTTP/1.1", host: str = "x"
) -> bytes:
    """The head of a request, with these lines as they are."""
    first = f"{method} {target} {version}\r\nHost: {host}\r\n".encode("latin-1")
    given = [line.encode("latin-1") if isinstance(line, str) else line for line in lines]
    return first + b"".join(line + b"\r\n" for line in given) + b"\r\n"


def seen(log: list[dict[str, Any]]) -> list[str]:
    """The paths of all requests that reached a handler."""
    return [event["path"] for event in log if event["event"] == "request"]
