"""Requests to the host that make no sense are answered all the same."""

import pytest


@pytest.mark.parametrize("method", ["GET", "PATCH", "FOO", "OPTIONS"])
@pytest.mark.parametrize("where", ["%81", "%81/children/", "a/b/c/d/", "%ED%A0%80", "//"])
async def test_a_url_that_cannot_be_read_is_refused(host, method, where):
    """Also where the answer would say which methods are possible."""
    reply = await host.request(method, f"/host/api/v1/guid0/osfstorage/{where}")
    assert reply.status in ({204} if method == "OPTIONS" else {400, 404, 405})
    if reply.status == 405:
        assert reply.headers["Allow"]


@pytest.mark.parametrize("body", [b"", b"{", b'{"payload": "\xff"}', b"[" * 100_000, b"[]"])
async def test_a_message_that_cannot_be_read_is_refused(host, body):
    """Before anybody asks who signed it."""
    reply = await host.request("PUT", "/host/api/v1/project/guid0/waterbutler/logs/", {}, body)
    assert reply.status == 400
    assert "payload" in reply.json["message"]
