"""Requests that are refused politely: each is one that the document rules out."""

import base64
from urllib.parse import quote

import pytest

from tests.harness import ALICE, BASE, named


@pytest.mark.parametrize("size", ["0" * 9 + "1001", "0" * 5000 + "1001", "1" * 5000, "١", "-1"])
async def test_a_page_has_a_size(server, size):
    """Whatever stands before or after the digits, no page is larger than the largest."""
    answer = await server.get(f"{BASE}/?page%5Bsize%5D={quote(size)}")
    assert (answer.status, "page[size]" in answer.message) == (400, True)


async def test_a_page_size_may_have_zeros_in_front(server):
    """It is a number, however it is written."""
    for name in ("a", "b"):
        await server.have(f"/{name}")
    answer = await server.get(f"{BASE}/?page[size]=0000000000001")
    assert len(answer.data) == 1


@pytest.mark.parametrize("text", [b"[" * 20000, b"[1]", b'["a", "b", 1]', b"\xff", b"null"])
async def test_a_cursor_is_one_that_was_given_out(server, text):
    """What cannot be one is refused, however deep it is nested."""
    cursor = base64.urlsafe_b64encode(text).decode().rstrip("=")
    answer = await server.get(f"{BASE}/?page[after]={cursor}")
    assert (answer.status, "page[after]" in answer.message) == (400, True)


async def test_a_digest_is_ascii(server):
    """Other letters are no base64, and nothing is stored."""
    answer = await server.put(named("new"), b"body", {"Content-MD5": "éééé"})
    assert (answer.status, "Content-MD5" in answer.message) == (400, True)
    assert await server.content("/new") is None


async def test_a_password_is_ascii(server):
    """Other letters are no base64, so nobody is signed in."""
    answer = await server.request("GET", f"{BASE}/", {"Authorization": "Basic é"})
    assert answer.status == 401


async def test_an_origin_may_be_nonsense(server):
    """It is not this server's own, and that is all that matters."""
    answer = await server.request("GET", f"{BASE}/", {**ALICE, "Origin": "http://["})
    assert answer.status == 200
