"""Headers: too large, too many, made to look like others, or meant to write some of ours."""

import json
import socket
import urllib.request
from urllib.parse import quote

import pytest
import structlog

from tests.harness import ALICE, BASE, BOB, named
from tests.long import TIMES
from tests.running import start_server
from tests.security.wire import head, say, seen
from waterbutler.logs import configure

LONG = bool(TIMES)

BREAKS = {
    "CR LF": "a\r\nX-Evil: yes\r\n\r\nHTTP/1.1 200 OK",
    "LF": "a\nX-Evil: yes",
    "CR": "a\rX-Evil: yes",
    "a line separator": "a\u2028X-Evil: yes",
    "letters that end in those bytes": "a\u560d\u560aX-Evil: yes",
    "a NUL and a quote": 'a\x01"; filename="X-Evil',
}
"""Names of files and the like; clients send them encoded."""


# -- what is sent ----------------------------------------------------------------------------------


@pytest.mark.parametrize("case", BREAKS)
async def test_a_name_writes_no_header(server, case):
    """Whatever the dialect: of a file, of an archive, asked for, or in a link."""
    name = BREAKS[case]
    await server.have(f"/{name}/{name}", b"data")
    at = quote(f"/{name}/{name}", safe="/")
    folder = at.rpartition("/")[0] + "/"
    old = f"/data?nid=guid0&provider=memory&path={quote(at, safe='')}"
    targets = [
        BASE + at,
        f"{BASE}{at}?displayName={quote(name, safe='')}",
        f"{BASE}{at}?meta=",
        f"{BASE}{at}?versions=",
        f"{BASE}{folder}?zip=",
        f"{BASE}{folder}",
        old,
        f"/file?nid=guid0&provider=memory&path={quote(f'/{name}/{name}', safe='')}",
        f"/files/guid0/memory{at}",
        f"/files/guid0/memory{at.rpartition('/')[0]}",
        f"{BASE}/nothing{at}",
        f"/v1/resources/{quote(name, safe='')}/providers/memory/",
        f"/{quote(name, safe='')}",
        f"/?token={quote(name, safe='')}",
    ]
    for target in targets:
        for method in ("GET", "HEAD"):
            reply = await server.request(method, target, ALICE)
            lower = {key.lower() for key, _ in reply.headers.get_all()}
            assert "x-evil" not in lower
            assert reply.status < 500, target
            for _, value in reply.headers.get_all():
                assert not set(value) & set("\r\n\0"), target


@pytest.mark.parametrize("origin", ["null", "http://a b", "\u00e9", "http://[", "*", "a" * 5000])
async def test_an_origin_writes_no_header_but_its_own(server, origin):
    """It is repeated as it came, or not at all, and says nothing about others."""
    raw = origin.encode().decode("latin-1")
    reply = await server.get(f"{BASE}/", {"Origin": raw})
    assert reply.headers.get("Access-Control-Allow-Origin") in {None, raw}
    assert "Origin" in reply.headers["Vary"]


# -- what comes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "lines",
    [
        ["X-A: " + "a" * 100_000],
        ["X-" + "a" * 100_000 + ": a"],
        ["X-A: a"] * 20_000,
        ["a:"] * 40_000,
        ["Cookie: " + "a=b; " * 20_000],
        ["Authorization: Bearer " + "a" * 100_000],
    ],
    ids=["a value", "a name", "many", "many small ones", "cookies", "a token"],
)
async def test_a_head_that_is_too_large_is_refused(server, log, lines):
    """Before anything is made of it."""
    heard = await say(server, head("GET", "/status", *lines))
    assert heard.refused
    assert seen(log) == []


async def test_a_head_that_never_ends_is_refused(server, log):
    """As soon as it is too large, and not when memory is full."""
    start = b"GET /status HTTP/1.1\r\nHost: x\r\n"
    heard = await say(server, start, *[b"X-A: " + b"a" * 9_000 + b"\r\n"] * 8, b"X-A: a" * 1000)
    assert heard.refused
    assert seen(log) == []


async def test_many_small_headers_are_read(server):
    """What fits is taken, and takes no time to speak of."""
    heard = await say(
        server, head("GET", "/status", *[f"X-{i}: a" for i in range(4000)], "Connection: close")
    )
    assert heard.statuses == [200]


@pytest.mark.parametrize(
    "line",
    [
        *("X-HTTP-Method-Override: DELETE", "X-HTTP-Method: DELETE", "X-Method-Override: DELETE"),
        *("X-Original-URL: /nowhere", "X-Rewrite-URL: /nowhere", "X-Original-Method: DELETE"),
        *("X-Forwarded-Prefix: /nowhere", "X-Forwarded-Host: evil.example.org"),
        *("Forwarded: host=evil.example.org;proto=https", "X-Forwarded-Proto: https"),
    ],
)
async def test_a_header_is_not_taken_for_the_request(server, line):
    """Methods, addresses and hosts are those of the request line and of the settings."""
    await server.have("/a.txt", b"data")
    lines = [f"Authorization: {ALICE['Authorization']}", line, "Connection: close"]
    heard = await say(server, head("GET", f"{BASE}/?meta=", *lines))
    plain = await server.get(f"{BASE}/?meta=")
    assert heard.statuses == [200]
    assert heard.replies[0].body == plain.body
    assert await server.names() == ["/a.txt"]


@pytest.mark.parametrize("host", ["evil.example.org", "evil.example.org:80", "[::1]", "127.1"])
async def test_a_host_is_not_put_into_links(server, host):
    """A poisoned cache or mail would send others there."""
    await server.have("/a.txt", b"data")
    lines = [f"Authorization: {ALICE['Authorization']}", "Connection: close"]
    for target in (f"{BASE}/", f"{BASE}/a.txt?meta=", "/", "/files/guid0/memory/", "/openapi.json"):
        heard = await say(server, head("GET", target, *lines, host=host))
        assert heard.statuses == [200]
        assert host.encode() not in heard.replies[0].body
        assert host not in str(list(heard.replies[0].headers.get_all()))


@pytest.mark.parametrize(
    "target",
    [
        *("*", "status", "ftp://evil.example.org/status", "http://evil.example.org/nothing"),
        *("//evil.example.org/status", "/\\evil.example.org", "/%2f%2fevil.example.org", "/%00"),
        *(
            "/%",
            "/%zz",
            "/%ff%fe",
            "/..",
            "/../../etc/passwd",
            "/%2e%2e/",
            "/;/status",
            "/status/..",
        ),
        *("evil.example.org:80", "?", "#", "/#/status", "/\xff\xfe"),
    ],
)
async def test_an_odd_target_is_answered_and_nothing_else(server, target):
    """No error of ours, no redirect, and nothing of the request in the answer's header."""
    lines = [f"Authorization: {ALICE['Authorization']}", "X-Evil: yes", "Connection: close"]
    for method in ("GET", "PUT", "OPTIONS", "CONNECT", "TRACE", "DELETE"):
        heard = await say(server, head(method, target, *lines))
        (reply,) = heard.replies
        assert reply.status in ({204} if method == "OPTIONS" else set()) | {400, 401, 404, 405}
        assert "Location" not in reply.headers
        assert "evil" not in str(list(reply.headers.get_all()))
        assert b"X-Evil" not in reply.body


# -- what is logged --------------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["json", "text"] if LONG else ["text"])
def test_a_request_writes_one_line_into_the_log(tmp_path, format):
    """Line ends and sequences for terminals in it are spelled out, whatever the log's format."""
    names = [
        "a%0a2030-01-01 [error] forged",
        "b%0d%0aforged",
        "c%1b%5b2Jforged",
        "d%e2%80%a8forged",
    ]
    raw = [b"e\xc2\x85forged", b"f\xc2\x9b2Jforged", b"g\x9b2Jforged", b"h\xe2\x80\xaeforged"]
    options = {"WATERBUTLER_LOGGING_FORMAT": format, "FORCE_COLOR": "", "NO_COLOR": "1"}
    with start_server(tmp_path, environment=options) as running:
        sign = f"Authorization: {running.headers['Authorization']}\r\n".encode()
        port = int(running.url.rpartition(":")[2])
        for name in [quote(name, safe="%").encode() for name in names] + raw:
            agent = b"User-Agent: " + name.replace(b"%20", b" ") + b"\r\n"
            for prefix in (b"/", b"/v1/resources/demo/providers/filesystem/"):
                with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
                    connection.sendall(
                        b"GET "
                        + prefix
                        + name
                        + b" HTTP/1.1\r\nHost: x\r\n"
                        + sign
                        + agent
                        + b"Connection: close\r\n\r\n"
                    )
                    assert connection.recv(20).startswith(b"HTTP/1.1 4")
                    while connection.recv(1 << 16):
                        pass
        urllib.request.urlopen(f"{running.url}/status").read()
        running.stop()
    text = "".join(running.log)
    lines = text.removesuffix("\n").split("\n")
    told = [line for line in lines if "forged" in line]
    assert len(told) == 2 * (len(names) + len(raw))
    assert not [char for char in text if char != "\n" and not char.isprintable()]
    if format == "json":
        assert all(json.loads(line)["event"] == "request" for line in told)
    else:
        assert all("request_id=" in line for line in told)


def test_a_line_of_json_is_one_line(capsys):
    """The same in the other format, and nothing of it is lost."""
    before, path = structlog.get_config(), "a\nb\x1b[2J\x85\x9b\u2028\u202ec\U000e0001"
    try:
        configure("info", "json")
        structlog.get_logger().info("request", path=path)
    finally:
        structlog.configure(**before)
    said = capsys.readouterr().err
    assert said.endswith("\n")
    assert said[:-1].isprintable()
    assert json.loads(said)["path"] == path


async def test_others_do_not_see_what_somebody_asked(server):
    """The text of an error repeats no header of the request."""
    reply = await server.put(named("a.txt"), b"x", {**BOB, "X-Evil": "seen-nowhere"})
    assert reply.status == 403
    assert b"seen-nowhere" not in reply.body
