"""New files and new contents of files."""

import asyncio
import hashlib
import json
from urllib.parse import quote

import pytest

from tests.gateway.client import FIRST, SECOND, Gateway
from tests.harness import LARGE, TOKENS

PLACE = {"resource": "guid0", "provider": "memory"}


async def test_an_upload_answers_with_everything(alice, server, words):
    made = await alice.upload(alice.root, "a b.txt", b"12345")
    assert (made.type, made.name, made.size) == ("file", "a b.txt", 5)
    assert await alice.describe(made.id) == made
    assert await server.content("/a b.txt") == b"12345"
    if words is SECOND:
        assert made.parent == alice.root


async def test_an_update_answers_with_everything_and_keeps_the_place(alice, server):
    folder = await alice.folder(alice.root, "f")
    made = await alice.upload(folder.id, "a", b"12345")
    changed = await alice.update(made.id, b"678")
    assert (changed.id, changed.name, changed.parent) == (made.id, made.name, made.parent)
    assert changed.size == 3
    assert await alice.describe(made.id) == changed
    assert await server.content("/f/a") == b"678"


async def test_empty_files_are_files(alice):
    made = await alice.upload(alice.root, "empty", b"")
    assert made.size == 0
    assert await alice.download(made.id) == b""
    assert (await alice.update(made.id, b"1")).size == 1
    assert (await alice.update(made.id, b"")).size == 0


NAMES = ["ä", "č.txt", "\U0001f600", "100%", "%41", "a+b", 'quo"te', "back\\slash", " x "]


@pytest.mark.parametrize("name", NAMES)
async def test_names_arrive_as_they_are(alice, server, name):
    """Escaped as JSON does it, and percent-encoded in the second vocabulary."""
    made = await alice.upload(alice.root, name, b"1")
    assert made.name == name
    assert await server.names() == [f"/{name}"]


@pytest.mark.parametrize("name", ["ä", "č.txt", "\U0001f600"])
async def test_names_may_be_sent_as_utf8(alice, words, name):
    """By clients that escape nothing."""
    value = json.dumps({words["name"]: name, words["size"]: 1}, ensure_ascii=False)
    headers = {words["upload"]: value.encode().decode("latin-1")}
    reply = await alice.ask("create", alice.root, b"1", headers)
    assert alice.meta(reply.json).name == name


async def test_names_of_the_first_vocabulary_may_be_escaped_before_json(alice, words):
    """As the clients of its first servers had to."""
    sent = {
        "\\u010daj": "čaj",
        "\\xe4": "ä",
        "\\U0001f600": "\U0001f600",
        "\\ud83d\\ude01": "\U0001f601",
    }
    for escaped, name in sent.items():
        made = await alice.ask(
            "create", alice.root, b"1", {words["upload"]: json.dumps({words["name"]: escaped})}
        )
        assert alice.meta(made.json).name == (name if words is FIRST else escaped)
    if words is FIRST:
        headers = {words["upload"]: json.dumps({words["name"]: "\\ud83d"})}
        assert (await alice.send("create", alice.root, b"1", headers)).status == 400


async def test_percent_encoded_names_of_the_first_vocabulary_stay(server):
    client = await Gateway(server, FIRST).sign_in(TOKENS["alice"], **PLACE)
    assert (await client.upload(client.root, "%C4%8D", b"1")).name == "%C4%8D"


@pytest.mark.parametrize("name", ["%FF", "%C3", "%2e%2E", "%2F", "a%2Fb", "%00", "%20", ""])
async def test_bad_encoded_names_are_400(server, name):
    client = await Gateway(server, SECOND).sign_in(TOKENS["alice"], **PLACE)
    headers = {"X-Gateway-Upload": json.dumps({SECOND["name"]: name, SECOND["size"]: 1})}
    reply = await client.send("create", client.root, b"1", headers)
    assert reply.status == 400
    assert await server.names() == []


@pytest.mark.parametrize("name", ["", " ", ".", "..", "a/b", "a\0b", "x" * 256, None, 7, []])
async def test_bad_names_are_400(alice, server, words, name):
    if isinstance(name, str) and words is SECOND:
        name = quote(name, safe="")
    headers = {words["upload"]: json.dumps({words["name"]: name, words["size"]: 1})}
    assert (await alice.send("create", alice.root, b"1", headers)).status == 400
    assert await server.names() == []


@pytest.mark.parametrize("header", ["X-Upload-Json", "HTTP_X_UPLOAD_JSON", "X-Gateway-Upload"])
async def test_the_header_has_its_names(alice, words, header):
    """In the first vocabulary three, in the second one."""
    headers = {header.upper(): json.dumps({words["name"]: "a", words["size"]: 1})}
    reply = await alice.send("create", alice.root, b"1", headers)
    assert reply.status == (200 if words is FIRST or header == "X-Gateway-Upload" else 400)


@pytest.mark.parametrize("value", [None, "", "{", "[]", "7", "null", '{"a"', "[" * 20_000])
async def test_a_bad_header_is_400(alice, server, words, value):
    for what, id in (("create", alice.root), ("update", alice.root)):
        reply = await alice.send(what, id, b"1", {words["upload"]: value})
        assert reply.status == 400
        assert words["upload"].lower() in reply.message.lower()
    assert await server.names() == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("size", -1),
        ("size", "1"),
        ("size", 1.0),
        ("size", True),
        ("size", []),
        ("size", 1 << 64),
        ("modified", "now"),
        ("modified", 1.5),
        ("modified", True),
        ("modified", 1 << 62),
        ("modified", -(1 << 62)),
        ("modified", {}),
    ],
)
async def test_sizes_and_times_are_whole_numbers(alice, server, words, key, value):
    headers = {words["upload"]: json.dumps({words["name"]: "a", words[key]: value})}
    assert (await alice.send("create", alice.root, b"1", headers)).status == 400
    assert await server.names() == []


async def test_size_and_time_may_be_missing_or_null(alice, words):
    headers = {words["upload"]: json.dumps({words["name"]: "a"})}
    made = alice.meta((await alice.ask("create", alice.root, b"12", headers)).json)
    assert made.size == 2
    headers = {words["upload"]: json.dumps({words["size"]: None, words["modified"]: None})}
    changed = alice.meta((await alice.ask("update", made.id, b"123", headers)).json)
    assert changed.size == 3


@pytest.mark.parametrize("said", [0, 4, 6, 1 << 40])
async def test_a_body_of_another_size_is_400_and_nothing_stays(alice, server, said):
    file = await alice.upload(alice.root, "file", b"old")
    headers = alice.says("new", said, 1)
    assert (await alice.send("create", alice.root, b"12345", headers)).status == 400
    assert (await alice.send("update", file.id, b"12345", headers)).status == 400
    assert await server.names() == ["/file"]
    assert await server.content("/file") == b"old"


async def chunked(client, what, id, headers, *chunks):
    """An upload whose size is not said by HTTP."""
    method, target = client.words[what][0], client.url(what, id)
    given = {**client.authorization, **headers, "Transfer-Encoding": "chunked"}
    async with client.server.connection() as connection:
        await connection.start(method, target, given)
        for chunk in (*chunks, b""):
            await connection.send(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        return await connection.receive()


async def test_a_body_may_come_in_chunks(alice, server):
    headers = alice.says("a", 10, 1)
    reply = await chunked(alice, "create", alice.root, headers, b"01234", b"56789")
    assert reply.status == 200
    assert await server.content("/a") == b"0123456789"


@pytest.mark.parametrize("said", [0, 9, 11])
async def test_chunks_that_are_not_the_promised_size_are_400(alice, server, said):
    file = await alice.upload(alice.root, "file", b"old")
    headers = alice.says("a", said, 1)
    for what, id in (("create", alice.root), ("update", file.id)):
        reply = await chunked(alice, what, id, headers, b"01234", b"56789")
        assert reply.status == 400
    assert await server.names() == ["/file"]
    assert await server.content("/file") == b"old"


async def test_chunks_without_a_promised_size_are_taken(alice, server, words):
    headers = {words["upload"]: json.dumps({words["name"]: "a"})}
    reply = await chunked(alice, "create", alice.root, headers, b"01234", b"56789")
    assert reply.status == 200
    assert reply.json[words["size"]] == 10


async def test_a_cut_upload_leaves_nothing(alice, server, words):
    file = await alice.upload(alice.root, "file", b"old")
    for what, id in (("create", alice.root), ("update", file.id)):
        headers = {**alice.authorization, **alice.says("new", 10, 1), "Content-Length": "10"}
        before = server.calls["write"]
        async with server.connection() as connection:
            await connection.start(words[what][0], alice.url(what, id), headers)
            await connection.send(b"12345")
            while server.calls["write"] == before:
                await asyncio.sleep(0.001)
            connection.reset()
        await server.context.state.idle()
    assert await server.names() == ["/file"]
    assert await server.content("/file") == b"old"


@pytest.mark.parametrize("fits", [True, False])
async def test_a_digest_is_checked(server, fits):
    """The second vocabulary has one; a body without it is not stored."""
    client = await Gateway(server, SECOND).sign_in(TOKENS["alice"], **PLACE)
    digest = hashlib.sha256(b"12345" if fits else b"other").hexdigest().upper()
    says = {SECOND["name"]: "a", SECOND["size"]: 5, SECOND["sha256"]: digest}
    headers = {"X-Gateway-Upload": json.dumps(says)}
    reply = await client.send("create", client.root, b"12345", headers)
    assert reply.status == (200 if fits else 400)
    assert await server.names() == (["/a"] if fits else [])


@pytest.mark.parametrize("digest", ["", "abc", "g" * 64, 7, "a" * 63, "a" * 65])
async def test_a_digest_that_is_none_is_400(server, digest):
    client = await Gateway(server, SECOND).sign_in(TOKENS["alice"], **PLACE)
    says = {SECOND["name"]: "a", SECOND["sha256"]: digest}
    headers = {"X-Gateway-Upload": json.dumps(says)}
    reply = await client.send("create", client.root, b"1", headers)
    assert reply.status == (200 if digest == "" else 400)


async def test_a_folder_has_no_content(alice):
    folder = await alice.folder(alice.root, "f")
    headers = alice.says(None, 1, 1)
    for id in (folder.id, alice.root):
        assert (await alice.send("update", id, b"1", headers)).status == 400


async def test_what_is_gone_is_not_updated(alice, server):
    file = await alice.upload(alice.root, "a", b"1")
    await alice.delete(file.id)
    reply = await alice.send("update", file.id, b"1", alice.says(None, 1, 1))
    assert reply.status == 404
    assert await server.names() == []


async def test_two_uploads_of_one_name_are_one_file_and_a_409(alice):
    headers = alice.says("a", 1, 1)
    replies = await asyncio.gather(
        *(alice.send("create", alice.root, b"%d" % number, headers) for number in range(2))
    )
    assert sorted(reply.status for reply in replies) == [200, 409]


async def test_refusals_are_answered_before_the_body(alice, words):
    """A client that waits is told at once; one that sends on is told as well."""
    file = await alice.upload(alice.root, "a", b"1")
    headers = {**alice.authorization, **alice.says("a", LARGE, 1), "Content-Length": str(LARGE)}
    target = alice.url("create", alice.root)
    async with alice.server.connection() as connection:
        await connection.start("POST", target, {**headers, "Expect": "100-continue"})
        reply = await connection.receive(interim=True)
        assert reply.status == 409
    async with alice.server.connection() as connection:
        await connection.start("POST", target, headers)
        await connection.send(b"x" * (1 << 20))
        reply = await connection.receive()
        assert reply.status == 409
        assert reply.headers["X-Status"] == "409"
    assert await alice.download(file.id) == b"1"


async def test_nobody_uploads_without_a_session(alice, server):
    headers = {**alice.says("a", 1, 1), "Authorization": None}
    reply = await alice.send("create", alice.root, b"1", headers)
    assert reply.status == 401
    assert await server.names() == []


async def test_files_that_are_too_large_are_413(make_server, words):
    server = await make_server(options={"max_upload_size": 10})
    client = await Gateway(server, words).sign_in(TOKENS["alice"], **PLACE)
    assert (await client.upload(client.root, "a", b"x" * 10)).size == 10
    headers = client.says("b", 11, 1)
    assert (await client.send("create", client.root, b"x" * 11, headers)).status == 413
    assert await server.names() == ["/a"]
