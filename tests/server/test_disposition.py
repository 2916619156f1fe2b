"""The name and the type that a download is saved under."""

from urllib.parse import quote, unquote

import pytest

from tests.harness import BASE
from waterbutler.server.disposition import attachment, content_type

VECTORS = [
    ("plain.txt", "plain.txt", "plain.txt"),
    ("a b.txt", "a b.txt", "a%20b.txt"),
    ('fü"o.md', 'fu\\"o.md', "f%C3%BC%22o.md"),
    ("back\\slash", "back\\\\slash", "back%5Cslash"),
    ("a\r\nSet-Cookie: x=1", "a__Set-Cookie: x=1", "a%0D%0ASet-Cookie%3A%20x%3D1"),
    ("tab\there", "tab_here", "tab%09here"),
    ("del\x7f", "del_", "del%7F"),
    ("nul\0", "nul_", "nul%00"),
    ("a/b", "a_b", "a%2Fb"),
    ("日本語", "download", "%E6%97%A5%E6%9C%AC%E8%AA%9E"),
    ("日本語.txt", "download.txt", "%E6%97%A5%E6%9C%AC%E8%AA%9E.txt"),
    ("日 本.tar.gz", "download.gz", None),
    ("\U0001f600.png", "download.png", "%F0%9F%98%80.png"),
    ("日本.日本", "download.", "%E6%97%A5%E6%9C%AC.%E6%97%A5%E6%9C%AC"),
    ("café", "cafe", "caf%C3%A9"),
    ("ﬁle.txt", "file.txt", "%EF%AC%81le.txt"),
    (".htaccess", "download.htaccess", ".htaccess"),
    ("it's; a=b, c*%", "it's; a=b, c*%", "it%27s%3B%20a%3Db%2C%20c%2A%25"),
    ("\u202egpj.exe", "gpj.exe", "%E2%80%AEgpj.exe"),
]


@pytest.mark.parametrize(("name", "plain", "encoded"), VECTORS)
def test_the_name(name, plain, encoded):
    """For old clients in ASCII, for all others exactly."""
    value = attachment(name)
    if plain == "download.gz":
        assert value.startswith('attachment; filename="')
        plain = value.split('"')[1]
        assert plain.endswith(".gz")
    encoded = encoded or quote(name, safe="")
    assert value == f"attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}"
    assert unquote(encoded) == name
    assert value.isascii()
    assert value.isprintable()


@pytest.mark.parametrize(("name", "plain", "encoded"), VECTORS)
async def test_the_name_is_chosen(server, name, plain, encoded):
    """``displayName`` is the name, whatever is in it."""
    await server.have("/a.bin")
    reply = await server.get(f"{BASE}/a.bin?displayName={quote(name, safe='')}")
    assert reply.status == 200
    assert reply.headers["Content-Disposition"] == attachment(name)
    assert "Set-Cookie" not in reply.headers


async def test_the_vector_of_the_contract(server):
    """Byte for byte."""
    await server.have('/fü"o.md')
    reply = await server.get(f"{BASE}/f%C3%BC%22o.md")
    assert reply.headers["Content-Disposition"] == (
        'attachment; filename="fu\\"o.md"; filename*=UTF-8\'\'f%C3%BC%22o.md'
    )
    assert reply.headers["Content-Type"] == "text/x-markdown"


@pytest.mark.parametrize("query", ["", "?displayName", "?displayName="])
async def test_an_empty_name_is_none(server, query):
    """The file's own name is taken."""
    await server.have("/a.txt")
    reply = await server.get(f"{BASE}/a.txt{query}")
    assert 'filename="a.txt"' in reply.headers["Content-Disposition"]


@pytest.mark.parametrize(
    ("name", "known", "wanted"),
    [
        ("a.csv", None, "text/csv"),
        ("a.csv", "application/vnd.ms-excel", "text/csv"),
        ("a.CSV", None, "text/csv"),
        ("a.md", "text/plain", "text/x-markdown"),
        ("a.MD", None, "text/x-markdown"),
        ("a.txt", None, "text/plain"),
        ("a.txt", "application/x-mine", "application/x-mine"),
        ("a.unknown", None, "application/octet-stream"),
        ("noext", None, "application/octet-stream"),
        ("csv", None, "application/octet-stream"),
        ("a.tar.gz", None, "application/octet-stream"),
        ("a.html", None, "text/html"),
        ("a.txt", "text/plain\r\nX: y", "text/plain"),
        ("a.txt", "téxt", "text/plain"),
        ("a.txt", "", "text/plain"),
    ],
)
def test_the_type(name, known, wanted):
    """A few extensions rule, then what the storage says, then a guess."""
    assert content_type(name, known) == wanted


async def test_the_chosen_name_has_a_type(server):
    """That of its extension."""
    await server.have("/a.bin")
    reply = await server.get(f"{BASE}/a.bin?displayName=b.csv")
    assert reply.headers["Content-Type"] == "text/csv"
