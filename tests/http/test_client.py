"""The client against servers that answer well, badly, or not at all."""

import asyncio
import contextlib
import socket
import struct
import traceback
from collections.abc import AsyncIterator

import pytest

from waterbutler.core import ByteStream
from waterbutler.core.errors import (
    ConfigInvalid,
    Corrupted,
    ProviderFault,
    ProviderTimeout,
    ProviderUnavailable,
    WaterButlerError,
)
from waterbutler.http import HttpClient

SECRET = "s3cr3t-signature"


class Peer:
    """A server that answers each request with what ``answer`` writes."""

    def __init__(self, answer):
        self.answer = answer
        self.heads = []
        self.connections = 0
        self._tasks = set()

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        return self

    async def __aexit__(self, *error):
        self._server.close()
        await asyncio.gather(*self._tasks)
        await self._server.wait_closed()

    async def _serve(self, reader, writer):
        self.connections += 1
        self._tasks.add(asyncio.current_task())
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                self.heads.append(head.decode())
                if not await self.answer(head.decode(), reader, writer):
                    break
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def says(raw: bytes, *, keep: bool = False):
    async def answer(head, reader, writer):
        writer.write(raw)
        await writer.drain()
        return keep

    return answer


def header(head: str, name: str) -> str | None:
    for line in head.split("\r\n"):
        key, _, value = line.partition(": ")
        if key.lower() == name.lower():
            return value
    return None


@contextlib.asynccontextmanager
async def talking(answer, **options):
    async with Peer(answer) as peer, HttpClient(**options) as http:
        yield peer, http


async def test_a_reply_has_status_headers_and_a_body_that_knows_its_size():
    raw = b"HTTP/1.1 201 Created\r\nX-Thing: a\r\nContent-Length: 5\r\n\r\nhello"
    async with talking(says(raw)) as (peer, http), await http.open("GET", peer.url) as reply:
        assert reply.status == 201
        assert reply.headers["x-thing"] == "a"
        assert reply.body.size == 5
        assert await reply.read() == b"hello"


async def test_a_chunked_body_has_no_size_and_comes_whole():
    raw = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"
    async with talking(says(raw)) as (peer, http), await http.open("GET", peer.url) as reply:
        assert reply.body.size is None
        assert await reply.read() == b"abc"


async def test_bytes_are_asked_for_and_handed_on_as_they_are():
    packed = b"\x1f\x8b not really gzip"
    raw = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s"
    async with talking(says(raw % (len(packed), packed))) as (peer, http):
        reply = await http.open("GET", peer.url)
        assert await reply.read() == packed
        assert header(peer.heads[0], "Accept-Encoding") == "identity"


async def test_an_encoded_address_is_sent_exactly():
    async with talking(says(b"HTTP/1.1 204 No Content\r\n\r\n")) as (peer, http):
        await (await http.open("GET", peer.url + "/a%2Fb%3D?sig=a%3Db%2B&x=%7E")).aclose()
        assert peer.heads[0].startswith("GET /a%2Fb%3D?sig=a%3Db%2B&x=%7E HTTP/1.1")


@pytest.mark.parametrize(
    "url", ["http://h/a b", "http://h/a\r\nX: y", "http://h/ü", "ftp://h/", "x", "http://h:p/"]
)
async def test_an_address_that_is_none_is_refused_before_anything_is_sent(url):
    async with HttpClient() as http:
        with pytest.raises(ConfigInvalid):
            await http.open("GET", url)


async def test_no_cookie_comes_back():
    raw = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n"
    async with talking(says(raw, keep=True)) as (peer, http):
        for _ in range(2):
            await (await http.open("GET", peer.url)).aclose()
        assert header(peer.heads[1], "Cookie") is None


async def test_a_read_body_leaves_the_connection_for_the_next_request():
    raw = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab"
    async with talking(says(raw, keep=True)) as (peer, http):
        for _ in range(3):
            await (await http.open("GET", peer.url)).read()
        assert peer.connections == 1


async def test_closing_an_unread_body_drops_the_connection():
    gone = asyncio.Event()

    async def answer(head, reader, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nabc")
        await writer.drain()
        assert await reader.read() == b""
        gone.set()

    async with talking(answer) as (peer, http):
        reply = await http.open("GET", peer.url)
        assert await anext(reply.body) == b"abc"
        await reply.aclose()
        await gone.wait()


async def test_head_has_headers_and_no_bytes():
    raw = b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"
    async with talking(says(raw, keep=True)) as (peer, http):
        reply = await http.open("HEAD", peer.url)
        assert reply.headers["Content-Length"] == "500"
        assert await reply.read() == b""


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    ],
)
async def test_a_body_that_ends_early_is_corrupted(raw):
    async with talking(says(raw)) as (peer, http), await http.open("GET", peer.url) as reply:
        with pytest.raises(Corrupted):
            await reply.read()


async def test_a_reset_in_the_middle_is_never_the_end_of_the_body():
    async def answer(head, reader, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
        await writer.drain()
        linger = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    async with talking(answer) as (peer, http):
        with pytest.raises(WaterButlerError):
            await (await http.open("GET", peer.url)).read()


async def test_nobody_listening_is_unavailable():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/?signature={SECRET}"
        async with HttpClient() as http:
            with pytest.raises(ProviderUnavailable) as caught:
                await http.open("GET", url, headers={"Authorization": SECRET})
    assert SECRET not in _everything(caught.value)


async def test_an_unknown_name_is_unavailable():
    async with HttpClient() as http:
        with pytest.raises(ProviderUnavailable):
            await http.open("GET", "http://no-such-host.invalid/")


async def test_a_connection_that_closes_without_an_answer_is_unavailable():
    async with talking(says(b"")) as (peer, http):
        with pytest.raises(ProviderUnavailable):
            await http.open("POST", peer.url, headers={"Cookie": SECRET})


async def test_nonsense_is_a_fault_and_its_error_repeats_no_secret():
    async with talking(says(b"what?\r\n\r\n")) as (peer, http):
        with pytest.raises(ProviderFault) as caught:
            await http.open("GET", f"{peer.url}/?X-Amz-Signature={SECRET}")
    assert SECRET not in _everything(caught.value)


def _everything(error: BaseException) -> str:
    """What a log of the error would hold."""
    return "".join(traceback.format_exception(error)) + repr(error)


async def _silence(head, reader, writer):
    await reader.read()


async def test_silence_before_the_answer_is_a_timeout():
    async with talking(_silence, idle_seconds=0.05) as (peer, http):
        with pytest.raises(ProviderTimeout):
            await http.open("GET", peer.url)


async def test_silence_in_the_body_is_a_timeout():
    async def answer(head, reader, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
        await reader.read()

    async with talking(answer, idle_seconds=0.05) as (peer, http):
        reply = await http.open("GET", peer.url)
        with pytest.raises(ProviderTimeout):
            await reply.read()


async def test_nobody_waits_for_ever_for_a_connection():
    """Where others have them all and do not get on."""
    answers = [b"hel", b"hello"]

    async def answer(head, reader, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" + answers.pop(0))
        return True

    options = {"connections_per_host": 1, "connect_seconds": 0.1, "idle_seconds": 0.1}
    async with talking(answer, **options) as (peer, http):
        first = await http.open("GET", peer.url)
        with pytest.raises(ProviderTimeout):
            await http.open("GET", peer.url)
        await first.aclose()
        assert await (await http.open("GET", peer.url)).read() == b"hello"


async def test_a_peer_that_takes_nothing_is_a_timeout():
    done = asyncio.Event()

    async def answer(head, reader, writer):
        await done.wait()

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield bytes(1 << 20)

    async with talking(answer, idle_seconds=0.2) as (peer, http):
        with pytest.raises(ProviderTimeout):
            await http.open("PUT", peer.url, body=ByteStream(endless()))
        done.set()


async def test_a_slow_source_is_not_the_peers_fault():
    async def slow() -> AsyncIterator[bytes]:
        for _ in range(4):
            await asyncio.sleep(0.3)
            yield b"x"

    async with talking(_echo, idle_seconds=1) as (peer, http):
        reply = await http.open("PUT", peer.url, body=ByteStream(slow(), size=4))
        assert await reply.read() == b"xxxx"


async def _echo(head, reader, writer):
    """Answer with the body; a body that is cut gets no answer."""
    if length := header(head, "Content-Length"):
        body = await reader.readexactly(int(length))
    else:
        body = b""
        while size := int(await reader.readline(), 16):
            body += await reader.readexactly(size)
            await reader.readline()
        await reader.readline()
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
    await writer.drain()
    return True


async def test_a_body_of_known_size_is_sent_with_its_length():
    async with talking(_echo) as (peer, http):
        reply = await http.open("PUT", peer.url, body=ByteStream.of(b"hello"))
        assert await reply.read() == b"hello"
        assert header(peer.heads[0], "Content-Length") == "5"
        assert header(peer.heads[0], "Transfer-Encoding") is None


async def test_an_empty_body_is_sent_with_its_length():
    async with talking(_echo) as (peer, http):
        reply = await http.open("PUT", peer.url, body=ByteStream.of(b""))
        assert await reply.read() == b""
        assert header(peer.heads[0], "Content-Length") == "0"


async def test_a_body_of_unknown_size_is_sent_in_chunks():
    async def chunks() -> AsyncIterator[bytes]:
        yield b"ab"
        yield b"c"

    async with talking(_echo) as (peer, http):
        reply = await http.open("PUT", peer.url, body=ByteStream(chunks()))
        assert await reply.read() == b"abc"
        assert header(peer.heads[0], "Content-Length") is None


@pytest.mark.parametrize("actual", [b"abc", b"abcdefgh"])
async def test_a_body_with_another_size_than_promised_never_arrives_complete(actual):
    arrived = []

    async def answer(head, reader, writer):
        arrived.append(await reader.readexactly(int(header(head, "Content-Length"))))

    async def chunks() -> AsyncIterator[bytes]:
        for letter in actual:
            yield bytes([letter])

    async with talking(answer) as (peer, http):
        with pytest.raises(Corrupted):
            await http.open("PUT", peer.url, body=ByteStream(chunks(), size=5))
    assert arrived == []


async def test_what_the_source_raises_comes_through():
    class Strange(Exception):
        pass

    async def chunks() -> AsyncIterator[bytes]:
        yield b"x"
        raise Strange

    async with talking(_echo) as (peer, http):
        with pytest.raises(Strange):
            await http.open("PUT", peer.url, body=ByteStream(chunks(), size=100))


async def test_a_body_is_consumed_and_not_closed():
    closed = []

    async def close() -> None:
        closed.append(True)

    async def chunks() -> AsyncIterator[bytes]:
        yield b"x"

    body = ByteStream(chunks(), size=1, close=close)
    async with talking(_echo) as (peer, http):
        await (await http.open("PUT", peer.url, body=body)).aclose()
    assert not closed
    await body.aclose()


async def test_a_body_is_not_sent_twice_when_a_kept_connection_breaks():
    sent = []

    async def answer(head, reader, writer):
        if len(sent) == 0:
            sent.append(await reader.readexactly(1))
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            return True
        sent.append(await reader.readexactly(1))
        return False

    async with talking(answer) as (peer, http):
        await (await http.open("PUT", peer.url, body=ByteStream.of(b"a"))).read()
        with pytest.raises(ProviderUnavailable):
            await http.open("PUT", peer.url, body=ByteStream.of(b"b"))
    assert sent == [b"a", b"b"]


@pytest.mark.parametrize(("method", "asked"), [("DELETE", 1), ("PUT", 1), ("POST", 1), ("GET", 2)])
async def test_only_what_looks_is_asked_again_when_a_kept_connection_breaks(method, asked):
    """The other side may have done the rest."""
    broken = []

    async def answer(head, reader, writer):
        if not head.startswith("HEAD"):
            broken.append(head)
            return False
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        return True

    async with talking(answer) as (peer, http):
        await (await http.open("HEAD", peer.url)).aclose()
        with pytest.raises(ProviderUnavailable):
            await http.open(method, peer.url, body=b"" if method in {"PUT", "POST"} else None)
    assert len(broken) == asked


async def test_an_answer_before_the_end_of_the_body_is_the_answer():
    async def answer(head, reader, writer):
        await reader.readexactly(1)
        writer.write(b"HTTP/1.1 409 Conflict\r\nContent-Length: 2\r\n\r\nno")
        await writer.drain()
        await reader.read()

    waiting = asyncio.Event()

    async def chunks() -> AsyncIterator[bytes]:
        yield b"ab"
        yield b"cd"
        await waiting.wait()

    async with talking(answer) as (peer, http):
        reply = await http.open("PUT", peer.url, body=ByteStream(chunks(), size=100))
        assert reply.status == 409
        assert await reply.read() == b"no"


async def test_redirects_are_answers_unless_asked_for():
    raw = b"HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n"
    async with talking(says(raw)) as (peer, http), await http.open("GET", peer.url) as reply:
        assert reply.status == 302
        assert reply.headers["Location"] == "/b"


def redirecting(where):
    async def answer(head, reader, writer):
        if head.startswith("GET /a "):
            raw = f"HTTP/1.1 302 Found\r\nLocation: {where()}\r\nContent-Length: 0\r\n\r\n"
        else:
            raw = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
        writer.write(raw.encode())
        await writer.drain()

    return answer


SENT = {"Authorization": SECRET, "Cookie": SECRET, "X-Api-Key": SECRET, "Range": "bytes=1-"}


async def test_a_redirect_to_the_same_origin_keeps_the_headers():
    async with talking(redirecting(lambda: "/b?x=%3D")) as (peer, http):
        reply = await http.open("GET", peer.url + "/a", headers=SENT, redirects=1)
        assert await reply.read() == b"hi"
        assert peer.heads[1].startswith("GET /b?x=%3D ")
        assert header(peer.heads[1], "Authorization") == SECRET


async def test_a_redirect_to_another_origin_gets_no_credentials():
    async with Peer(says(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")) as other:
        async with talking(redirecting(lambda: other.url + "/b")) as (peer, http):
            reply = await http.open("GET", peer.url + "/a", headers=SENT, redirects=5)
            assert await reply.read() == b"hi"
        assert SECRET not in other.heads[0]
        assert header(other.heads[0], "Range") == "bytes=1-"


async def test_endless_redirects_are_a_fault():
    async with talking(redirecting(lambda: "/a")) as (peer, http):
        with pytest.raises(ProviderFault):
            await http.open("GET", peer.url + "/a", redirects=3)


async def test_a_request_with_a_body_is_not_redirected():
    raw = b"HTTP/1.1 307 Temporary Redirect\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n"
    async with talking(says(raw)) as (peer, http):
        reply = await http.open("PUT", peer.url, body=b"x", redirects=5)
        await reply.aclose()
        assert reply.status == 307


async def test_a_client_starts_at_its_first_request():
    async with Peer(says(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")) as peer:
        http = HttpClient()
        reply = await http.open("GET", f"{peer.url}/")
        assert await reply.read() == b"hi"
        await http.aclose()


async def test_a_client_that_was_closed_says_so():
    http = HttpClient()
    await http.aclose()
    with pytest.raises(RuntimeError):
        await http.open("GET", "http://127.0.0.1:1/")


async def test_starting_and_closing_may_be_repeated():
    http = HttpClient()
    await http.start()
    await http.start()
    await http.aclose()
    await http.aclose()
