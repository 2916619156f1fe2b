"""Ids are opaque, strict, and never lead out of what a session sees."""

import base64
import re

import pytest

from waterbutler.core import Path
from waterbutler.core.errors import NotFound
from waterbutler.server.gateway.ids import TOP, Address, decode, encode

ADDRESSES = [
    TOP,
    Address("guid0"),
    Address("guid0", "memory"),
    Address("guid0", "memory", Path.parse("/a")),
    Address("guid0", "memory", Path.parse("/a/")),
    Address("guid0", "memory", Path.parse("/č/\U0001f600/" + "x" * 255)),
]


@pytest.mark.parametrize("address", ADDRESSES, ids=str)
def test_an_id_stands_for_one_address(address):
    id = encode(address)
    assert re.fullmatch(r"[A-Za-z0-9_-]+", id)
    assert decode(id) == address


def test_different_things_have_different_ids():
    assert len({encode(address) for address in ADDRESSES}) == len(ADDRESSES)


@pytest.mark.parametrize("address", ADDRESSES, ids=str)
def test_padding_does_no_harm(address):
    id = encode(address)
    assert decode(id + "=" * (-len(id) % 4)) == address


def made(*parts):
    return base64.urlsafe_b64encode("\0".join(parts).encode("utf-8", "surrogatepass")).decode()


FORGED = [
    "x",
    "====",
    "..",
    "../../etc/passwd",
    "/",
    "Lw==",
    "MQ",
    "é",
    "a" * 100_000,
    made("1"),
    made("2", "guid0", "memory", "/a"),
    made("1", "guid0", "memory", "a"),
    made("1", "guid0", "memory", "/../a"),
    made("1", "guid0", "memory", "/.."),
    made("1", "guid0", "memory", "/./a"),
    made("1", "guid0", "memory", "//a"),
    made("1", "guid0", "memory", "/" + "x" * 256),
    made("1", "guid0", "memory", "/a", ""),
    made("1", "guid0", "memory", "/\ud800"),
    made("1", "guid0", "", "/a"),
    made("1", "", "memory", "/a"),
    made("1", "", "", "/a"),
    made("1", "../guid0", "memory", "/a"),
    made("1", "guid0", "mem/ory", "/a"),
    made("1", "guid0", "memory", "/a").replace("=", "") + "\n",
    encode(ADDRESSES[3])[:-1] + chr(ord(encode(ADDRESSES[3])[-1]) + 1),
]


@pytest.mark.parametrize("id", FORGED, ids=lambda text: text[:40])
def test_what_was_not_made_here_is_unknown(id):
    with pytest.raises(NotFound):
        decode(id)


def test_spare_bits_of_the_last_character_must_be_empty():
    """Otherwise one thing would have several ids."""
    id = encode(Address("guid0", "memory", Path.parse("/ab")))
    others = {id[:-1] + last for last in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_"}
    same = []
    for other in others - {id}:
        try:
            same.append(decode(other) == decode(id))
        except NotFound:
            continue
    assert not any(same)


# -- against the server ----------------------------------------------------------------------------

READS = ("describe", "children", "download", "thumbnail")


def outside():
    """Ids of good form that lie outside of ``guid0/memory``, where files are."""
    return [
        encode(Address("guid0", "other", Path.parse("/secret.txt"))),
        encode(Address("guid0", "other")),
        encode(Address("wiki", "memory", Path.parse("/a.txt"))),
        encode(Address("guid0")),
        encode(TOP),
    ]


@pytest.mark.parametrize("what", READS)
async def test_nothing_outside_of_the_session_can_be_read(alice, server, what):
    await server.have("/secret.txt", storage="other")
    await server.have("/a.txt")
    for id in [
        *outside(),
        "..",
        "%2e%2e",
        "%2Fetc%2Fpasswd",
        made("1", "guid0", "memory", "/../x"),
    ]:
        assert (await alice.send(what, id)).status == 404, id


async def test_nothing_outside_of_the_session_can_be_changed(alice, server, words):
    await server.have("/secret.txt", storage="other")
    file = await alice.upload(alice.root, "a.txt", b"1")
    says = alice.says("new", 1, 1)
    for id in outside():
        assert (await alice.send("delete", id)).status == 404
        assert (await alice.send("rename", id, {words["new_name"]: "new"})).status == 404
        assert (await alice.send("move", id, {words["new_parent"]: alice.root})).status == 404
        assert (await alice.send("move", file.id, {words["new_parent"]: id})).status == 404
        assert (await alice.send("folder", id, {words["name"]: "new"})).status == 404
        assert (await alice.send("create", id, b"1", says)).status == 404
        assert (await alice.send("update", id, b"1", says)).status == 404
    assert await server.names() == ["/a.txt"]
    assert await server.names(storage="other") == ["/secret.txt"]


async def test_a_session_of_a_resource_sees_no_other_resource(sign_in, server):
    session = await sign_in(resource="guid0")
    for id in (encode(Address("wiki")), encode(Address("wiki", "memory")), encode(TOP)):
        for what in READS:
            assert (await session.send(what, id)).status == 404
    assert (await session.describe(encode(Address("guid0", "other")))).name == "other"


async def test_an_id_may_be_percent_encoded_and_padded(alice):
    file = await alice.upload(alice.root, "a.txt", b"1")
    encoded = "".join(f"%{byte:02X}" for byte in file.id.encode())
    padded = file.id + "%3D" * (-len(file.id) % 4)
    for id in (encoded, padded, file.id + "=" * (-len(file.id) % 4)):
        assert await alice.download(id) == b"1"


async def test_old_ids_are_unknown_after_a_move(alice):
    file = await alice.upload(alice.root, "a.txt", b"1")
    folder = await alice.folder(alice.root, "f")
    moved = await alice.move(file, folder.id)
    assert (await alice.send("describe", file.id)).status == 404
    inside = await alice.rename(folder, "g")
    assert (await alice.send("describe", moved.id)).status == 404
    assert list(await alice.children(inside.id)) == ["a.txt"]
