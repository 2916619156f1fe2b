"""How much is taken from the system at once."""

import asyncio

import pytest

from waterbutler.server.http1.head import EMPTY, Framing
from waterbutler.server.http1.inbox import PIECE, PIECES_AHEAD, READ_AHEAD, Inbox

BODY = Framing(size=10)
CHUNKED = Framing(size=None)
ENDS = {
    "complete": (BODY, b"0123456789"),
    "complete, in chunks": (CHUNKED, b"1\r\nx\r\n0\r\n\r\n"),
}


class Transport:
    """Knows only whether it shall read."""

    reads = True

    def pause_reading(self):
        """See `asyncio.Transport`."""
        self.reads = False

    def resume_reading(self):
        """See `asyncio.Transport`."""
        self.reads = True


async def test_many_take_less():
    """And no less than what is worth a call."""
    inboxes = [Inbox(Transport()) for _ in range(200)]
    sizes = []
    for inbox in inboxes:
        inbox.expect(BODY)
        sizes.append(inbox.piece)
    assert sizes[0] == PIECE
    assert sizes == sorted(sizes, reverse=True)
    assert PIECE // 16 <= sizes[-1] < PIECE // 4
    for inbox in inboxes:
        inbox.lose()
        inbox.lose()
    assert inboxes[0].piece == PIECE


@pytest.mark.parametrize("end", ENDS)
async def test_who_has_all_needs_no_share(end):
    """Nor does who sends nothing."""
    framing, body = ENDS[end]
    inboxes = [Inbox(Transport()) for _ in range(64)]
    for inbox in inboxes:
        inbox.expect(framing)
        inbox.feed(body)
    assert inboxes[0].piece < PIECE
    for inbox in inboxes:
        while await inbox.next_body():
            pass
    assert inboxes[0].piece == PIECE
    for inbox in inboxes:
        inbox.expect(EMPTY)
    assert inboxes[0].piece == PIECE


@pytest.mark.parametrize("piece", [b"x", bytes(READ_AHEAD // 10)], ids=len)
async def test_who_is_not_heard_is_not_read_much_further(piece):
    """Neither by the byte, where each piece takes more memory than its bytes."""
    transport = Transport()
    inbox = Inbox(transport)
    inbox.expect(Framing(size=1 << 20))
    count = 0
    while transport.reads:
        inbox.feed(piece)
        count += 1
    assert count == (11 if len(piece) > 1 else PIECES_AHEAD)
    for _ in range(count):
        assert await inbox.next_body() == piece
    more = asyncio.create_task(inbox.next_body())
    await asyncio.sleep(0)
    assert transport.reads
    inbox.feed(piece)
    assert await more == piece
    inbox.lose()
