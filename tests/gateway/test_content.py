"""Downloads and thumbnails."""

import io

import pytest

from tests.gateway.client import Gateway
from tests.harness import TOKENS
from waterbutler.core.errors import Corrupted

PLACE = {"resource": "guid0", "provider": "memory"}


async def test_a_download_says_what_it_is(alice):
    data = b"0123456789"
    made = await alice.upload(alice.root, "page ä.html", data)
    reply = await alice.ask("download", made.id)
    assert reply.body == data
    assert reply.headers["Content-Length"] == "10"
    assert reply.headers["Content-Type"] == "application/octet-stream"
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    assert reply.headers["Content-Disposition"].startswith("attachment")
    assert "page%20%C3%A4.html" in reply.headers["Content-Disposition"]
    assert reply.headers["ETag"] == f'"{made.etag}"'
    assert reply.headers["Accept-Ranges"] == "bytes"
    assert "Transfer-Encoding" not in reply.headers


async def test_head_says_the_same_without_the_bytes(alice):
    made = await alice.upload(alice.root, "a", b"0123456789")
    whole = await alice.send("download", made.id)
    head = await alice.send("download", made.id, method="HEAD")
    assert (head.status, head.body) == (200, b"")
    for name in ("Content-Length", "Content-Type", "Content-Disposition", "ETag", "Last-Modified"):
        assert head.headers[name] == whole.headers[name]


@pytest.mark.parametrize(
    ("asked", "status", "body", "span"),
    [
        ("bytes=2-4", 206, b"234", "bytes 2-4/10"),
        ("bytes=8-", 206, b"89", "bytes 8-9/10"),
        ("bytes=-3", 206, b"789", "bytes 7-9/10"),
        ("bytes=5-100", 206, b"56789", "bytes 5-9/10"),
        ("bytes=10-", 416, None, "bytes */10"),
        ("lines=1-2", 200, b"0123456789", None),
    ],
)
async def test_parts_of_a_file(alice, asked, status, body, span):
    made = await alice.upload(alice.root, "a", b"0123456789")
    reply = await alice.send("download", made.id, headers={"Range": asked})
    assert reply.status == status
    assert reply.headers.get("Content-Range") == span
    if body is not None:
        assert reply.body == body


async def test_a_client_that_has_the_file_is_told_so(alice):
    made = await alice.upload(alice.root, "a", b"1")
    headers = {"If-None-Match": f'"{made.etag}"'}
    assert (await alice.send("download", made.id, headers=headers)).status == 304
    changed = await alice.update(made.id, b"2")
    reply = await alice.send("download", made.id, headers=headers)
    assert (reply.status, reply.body) == (200, b"2")
    headers = {"If-Range": f'"{made.etag}"', "Range": "bytes=0-0"}
    assert (await alice.send("download", made.id, headers=headers)).status == 200
    assert changed.etag in reply.headers["ETag"]


async def test_a_folder_is_no_file(alice):
    folder = await alice.folder(alice.root, "f")
    for id in (folder.id, alice.root, ""):
        assert (await alice.send("download", id)).status == 400
        assert (await alice.send("thumbnail", id)).status == 403


async def test_a_download_that_fails_halfway_is_seen_to_be_broken(alice, server):
    data = b"x" * (1 << 20)
    made = await alice.upload(alice.root, "a", data)
    server.storage.fail("read", Corrupted("cut"), after=1 << 19)
    reply = await alice.send("download", made.id)
    assert not reply.whole


async def test_a_reader_downloads(alice, bob):
    made = await alice.upload(alice.root, "a", b"1")
    assert await bob.download(made.id) == b"1"


# -- thumbnails ------------------------------------------------------------------------------------


def picture(color, size=(800, 400), format="PNG"):
    image = pytest.importorskip("PIL.Image", reason="needs Pillow: pip install Pillow")
    output = io.BytesIO()
    image.new("RGB", size, color).save(output, format)
    return output.getvalue()


@pytest.mark.parametrize("format", ["PNG", "JPEG"])
async def test_a_picture_has_a_small_one(alice, format):
    """By its content: the name does not count."""
    from PIL import Image  # noqa: PLC0415

    made = await alice.upload(alice.root, "notes.txt", picture("red", format=format))
    reply = await alice.ask("thumbnail", made.id)
    shown = Image.open(io.BytesIO(reply.body))
    assert reply.headers["Content-Type"] == f"image/{shown.format.lower()}"
    assert shown.width == 2 * shown.height
    assert shown.width <= 512
    assert int(reply.headers["Content-Length"]) == len(reply.body)
    head = await alice.send("thumbnail", made.id, method="HEAD")
    assert (head.status, head.body) == (200, b"")


async def test_a_new_picture_has_a_new_thumbnail(alice):
    made = await alice.upload(alice.root, "a.png", picture("red"))
    before = (await alice.ask("thumbnail", made.id)).body
    await alice.update(made.id, picture("blue"))
    assert (await alice.ask("thumbnail", made.id)).body != before


@pytest.mark.parametrize("data", [b"", b"text", b"\x89PNG\r\n\x1a\nbroken", b"GIF89a"])
async def test_everything_else_has_none(alice, data):
    """That is 403, "not available"."""
    made = await alice.upload(alice.root, "a.png", data)
    reply = await alice.send("thumbnail", made.id)
    assert reply.status == 403
    assert reply.message
    assert (await alice.send("thumbnail", "unknown")).status == 404


async def test_a_kept_thumbnail_is_only_for_who_may_see_the_file(alice, server, words):
    made = await alice.upload(alice.root, "a.png", picture("red"))
    await alice.ask("thumbnail", made.id)
    stranger = Gateway(server, words)
    await stranger.sign_in(TOKENS["alice"], resource="wiki", provider="memory")
    assert (await stranger.send("thumbnail", made.id)).status == 404
    await alice.delete(made.id)
    assert (await alice.send("thumbnail", made.id)).status == 404
