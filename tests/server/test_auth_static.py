"""Who may do what, over HTTP, and that secrets stay secret."""

import base64
import json

import pytest

from tests.harness import ALICE, BASE, LINK_KEY, NOBODY, TOKENS, named
from waterbutler.auth import COOKIE

READS = [
    ("GET", "/a.txt", 200),
    ("HEAD", "/a.txt", 200),
    ("GET", "/a.txt?meta", 200),
    ("GET", "/a.txt?versions", 200),
    ("GET", "/", 200),
    ("GET", "/?zip", 200),
]
WRITES = [
    ("PUT", "/?name=new", 201),
    ("PUT", "/?name=f&kind=folder", 201),
    ("PUT", "/a.txt", 200),
    ("POST", "/a.txt", 200),
    ("DELETE", "/a.txt", 204),
    ("DELETE", "/?confirm_delete=1", 204),
]


def basic(user, password):
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def session(server, user):
    account = next(account for account in server.accounts if account.id == user)
    return server.sessions.issue(user, account.token_sha256)


WAYS = {
    "bearer": lambda server, user: ({"Authorization": f"Bearer {TOKENS[user]}"}, ""),
    "bearer, any case": lambda server, user: ({"Authorization": f"bEaReR  {TOKENS[user]} "}, ""),
    "basic": lambda server, user: (basic("anybody", TOKENS[user]), ""),
    "basic without a name": lambda server, user: (basic("", TOKENS[user]), ""),
    "cookie parameter": lambda server, user: ({}, f"cookie={session(server, user)}"),
    "cookie": lambda server, user: (
        {"Cookie": f"x=1; {COOKIE}={session(server, user)}", "Origin": server.url},
        "",
    ),
}

MATRIX = [
    ("guid0", "alice", 0, 0),
    ("guid0", "bob", 0, 403),
    ("guid0", "carol", 403, 403),
    ("public", "alice", 0, 0),
    ("public", "bob", 0, 403),
    ("public", "carol", 0, 403),
    ("wiki", "bob", 0, 0),
]


async def ask(server, resource, method, path, headers, query):
    await server.have("/a.txt")
    target = f"/v1/resources/{resource}/providers/memory{path}"
    if query:
        target += ("&" if "?" in path else "?") + query
    body = {"PUT": b"", "POST": json.dumps({"action": "rename", "rename": "z"}).encode()}
    return (await server.request(method, target, headers, body.get(method))).status


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("resource", "user", "read", "write"), MATRIX)
async def test_users(server, way, resource, user, read, write):
    """However they show who they are."""
    headers, query = WAYS[way](server, user)
    for cases, refusal in ((READS, read), (WRITES, write)):
        for method, path, status in cases:
            found = await ask(server, resource, method, path, headers, query)
            assert found == (refusal or status), (method, path)


@pytest.mark.parametrize(
    ("resource", "read", "write"), [("guid0", 401, 401), ("public", 0, 401), ("wiki", 0, 0)]
)
async def test_nobody(server, resource, read, write):
    """May do what everybody may; else signing in may help."""
    for cases, refusal in ((READS, read), (WRITES, write)):
        for method, path, status in cases:
            assert await ask(server, resource, method, path, NOBODY, "") == (refusal or status)


@pytest.mark.parametrize(
    ("query", "read", "write"),
    [
        (f"view_only={LINK_KEY}", 0, 403),
        (f"view_only={LINK_KEY}&view_only=wrong", 0, 403),
        (f"view_only=wrong&view_only={LINK_KEY}", 401, 401),
        ("view_only=wrong", 401, 401),
        ("view_only=", 401, 401),
        ("view_only", 401, 401),
        (f"view_only={LINK_KEY}&cookie=", 0, 403),
    ],
)
async def test_keys_of_links(server, query, read, write):
    """Give the right to read, never to write; the first counts; a wrong one is none."""
    for cases, refusal in ((READS, read), (WRITES, write)):
        for method, path, status in cases:
            assert await ask(server, "guid0", method, path, NOBODY, query) == (refusal or status)


async def test_a_key_adds_to_what_a_user_may(server):
    """Somebody who may do nothing may still follow a link."""
    headers, _ = WAYS["bearer"](server, "carol")
    assert await ask(server, "guid0", "GET", "/", headers, f"view_only={LINK_KEY}") == 200
    assert await ask(server, "guid0", "PUT", "/a.txt", headers, f"view_only={LINK_KEY}") == 403
    headers, _ = WAYS["bearer"](server, "alice")
    assert await ask(server, "guid0", "PUT", "/a.txt", headers, "view_only=wrong") == 200


WRONG = {
    "unknown token": {"Authorization": "Bearer wrong"},
    "no token": {"Authorization": "Bearer"},
    "blank token": {"Authorization": "Bearer  "},
    "not ASCII": {"Authorization": "Bearer \xe9\xff"},
    "unknown scheme": {"Authorization": f"Digest {TOKENS['alice']}"},
    "only a token": {"Authorization": TOKENS["alice"]},
    "two": {"Authorization": f"Bearer {TOKENS['alice']}, Bearer {TOKENS['alice']}"},
    "wrong password": basic("alice", "wrong"),
    "the token as name": basic(TOKENS["alice"], ""),
    "no base64": {"Authorization": "Basic !!!"},
    "not ASCII in base64": {"Authorization": "Basic \xe9\xff"},
    "no UTF-8": {"Authorization": "Basic " + base64.b64encode(b"a:\xff").decode()},
    "no colon": {"Authorization": "Basic " + base64.b64encode(TOKENS["alice"].encode()).decode()},
    "long": {"Authorization": "Bearer " + "x" * 50_000},
}


@pytest.mark.parametrize("headers", WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("resource", ["guid0", "public", "wiki"])
async def test_wrong_credentials(server, headers, resource):
    """401, also where nobody needs any: the client believes to be somebody."""
    target = f"/v1/resources/{resource}/providers/memory/"
    reply = await server.request("GET", target, headers)
    assert reply.status == 401
    assert reply.message
    assert not server.calls


@pytest.mark.parametrize(
    "value",
    [
        "wrong",
        "1.2.3",
        "1.YWxpY2U.9999999999.00",
        "1.!.9.x",
        ".",
        "....",
        "1.YWxpY2U.x.y",
        "é",
        "%00",
    ],
)
async def test_a_wrong_session(server, value):
    """As a parameter it is wrong; a stale cookie in a browser is none."""
    quoted = "%C3%A9" if value == "é" else value
    reply = await server.request("GET", f"{BASE}/?cookie={quoted}", NOBODY)
    assert reply.status == 401
    for resource, status in (("guid0", 401), ("public", 200)):
        target = f"/v1/resources/{resource}/providers/memory/"
        headers = {"Cookie": f"{COOKIE}={value.encode().decode('latin-1')}"}
        assert (await server.request("GET", target, headers)).status == status


async def test_a_session_that_was_changed(server):
    """Each part is sealed."""
    good = session(server, "bob")
    version, user, expires, signature = good.split(".")
    alice = session(server, "alice").split(".")[1]
    for bad in (
        f"{version}.{alice}.{expires}.{signature}",
        f"{version}.{user}.{int(expires) + 1}.{signature}",
        f"2.{user}.{expires}.{signature}",
        f"{version}.{user}.{expires}.{signature[:-1]}",
        good.upper(),
    ):
        assert (await server.request("GET", f"{BASE}/?cookie={bad}", NOBODY)).status == 401


async def test_the_token_rules_over_the_cookie(server):
    """What was sent on purpose counts."""
    headers = {"Cookie": f"{COOKIE}={session(server, 'alice')}", "Origin": server.url}
    headers["Authorization"] = f"Bearer {TOKENS['bob']}"
    reply = await server.request("PUT", named("a.txt"), headers, b"x")
    assert reply.status == 403


async def test_who_is_in_the_log(server, log):
    """By the id, also for what is refused after signing in."""
    await server.have("/a.txt")
    await server.get(f"{BASE}/a.txt")
    (event,) = [event for event in log if event["event"] == "request"]
    assert event["user"] == "alice"
    assert event["storage"] == "guid0/memory"
    assert event["action"] == "download"
    assert event["path"] == f"{BASE}/a.txt"
    assert (event["status"], event["sent"], event["outcome"]) == (200, 4, "ok")


SECRETS = [*TOKENS.values(), LINK_KEY, "made-up-secret"]


@pytest.mark.parametrize("path", ["/a.txt", "/nothing", "/..", "/?name=a.txt", "/%FF", "/?zip"])
@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "FOO"])
async def test_secrets_are_neither_logged_nor_told(server, log, caplog, capfd, method, path):
    """Wherever they were sent, right or wrong, in a good or a bad request."""
    await server.have("/a.txt")
    mark = "&" if "?" in path else "?"
    cookie = session(server, "alice")
    secrets = [*SECRETS, cookie, "made-up-secret"]
    for token in ("made-up-secret", TOKENS["alice"]):
        for headers, query in (
            ({"Authorization": f"Bearer {token}"}, ""),
            (basic("me", token), ""),
            ({"Authorization": f"Nonsense {token}"}, ""),
            ({}, f"cookie={token}"),
            ({}, f"cookie={cookie}"),
            ({}, f"view_only={token}"),
            ({}, f"view_only={LINK_KEY}"),
            ({}, f"token={token}"),
            ({"Cookie": f"{COOKIE}={cookie}; other={token}"}, ""),
            ({"Cookie": f"{COOKIE}={cookie}", "X-CSRFToken": token, "Origin": server.url}, ""),
            ({"Referer": f"https://x/?token={token}", "X-OSF-OTP": token}, ""),
        ):
            target = f"{BASE}{path}{mark}{query}" if query else BASE + path
            reply = await server.request(method, target, headers, b"{}")
            shown = reply.body.decode("latin-1") + str(list(reply.headers.get_all()))
            assert not [secret for secret in secrets if secret in shown]
    written = json.dumps(log, default=repr) + caplog.text + "".join(capfd.readouterr())
    assert not [secret for secret in secrets if secret in written]


async def test_malformed_requests_are_not_repeated_in_the_log(server, log, caplog):
    """They may hold secrets too."""
    for data in (
        b"GET /?token=made-up-secret\r\n\r\n",
        b"GET / HTTP/1.1\r\nAuthorization: Bearer made-up-secret\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX made-up-secret\r\n\r\n",
        b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: made-up-secret\r\n\r\n",
    ):
        async with server.connection() as connection:
            await connection.send(data)
            reply = await connection.receive()
            assert reply.status in {400, 405}
            assert b"made-up-secret" not in reply.body
    warned = [record for record in caplog.records if record.levelname not in {"DEBUG", "INFO"}]
    assert not warned
    assert "made-up-secret" not in json.dumps(log, default=repr)


async def test_an_answer_is_kept_by_nobody_else(server):
    """What needed rights is not stored by caches that are shared."""
    await server.have("/a.txt")
    for target in ("/a.txt", "/a.txt?meta", "/", "/?zip", "/nothing"):
        policy = (await server.request("GET", BASE + target, ALICE)).headers["Cache-Control"]
        assert "private" in policy or "no-store" in policy
