"""Each answer that the document promises can be had, and looks as it says."""

from dataclasses import replace

import pytest
from schemathesis.specs.openapi import checks

from tests.harness import ALICE, BOB, CAROL, NOBODY, captured_log
from tests.server.openapi.description import (
    CLOSED,
    FILE,
    FOLDER,
    OWN_CHECKS,
    ROOT,
    Background,
    loaded,
)
from waterbutler.core import errors
from waterbutler.testing.memory import MemoryProvider

SCHEMA = loaded(CLOSED)
HOME = {"resource": "guid0", "provider": "memory"}
FROZEN = {"resource": "guid0", "provider": "frozen"}
CONFORMANCE = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    *OWN_CHECKS,
]
LATER = {"retry_after": 60}
"""Long enough that the server does not wait itself."""


def ask(background, method, path, values=HOME, *, who=ALICE, query=None, headers=None, body=None):
    """Send a request to an operation of the document and hold the answer against it."""
    case = SCHEMA[path][method].Case(
        path_parameters={**HOME, **values},
        query=query or {},
        headers=headers or {},
        **({} if body is None else {"body": body}),
        media_type="application/octet-stream" if method == "PUT" else "application/json",
    )
    return case.call_and_validate(
        base_url=background.server.url,
        headers=who,
        session=background.session,
        checks=CONFORMANCE,
        allow_redirects=False,
    )


NOW = {"file": "file.txt"}
IN = {"folder": "folder"}
COPY = {"action": "copy", "path": "/folder/"}

LEGACY = {"nid": "guid0", "provider": "memory"}
OLD_FILE = {"query": {**LEGACY, "path": "/file.txt"}}
OLD_FOLDER = {"query": {**LEGACY, "path": "/folder/"}}
OLD_COPY = {
    "source": {**LEGACY, "path": "/folder/"},
    "destination": {**LEGACY, "provider": "other", "path": "/"},
}
ONTO = {"source": {**LEGACY, "path": "/file.txt"}, "destination": {**LEGACY, "path": "/data.json"}}

ANSWERS = [
    (200, "GET", "/file", {}, OLD_FILE),
    (206, "GET", "/file", {}, {**OLD_FILE, "headers": {"Range": "bytes=2-5"}}),
    (304, "GET", "/file", {}, {**OLD_FILE, "headers": {"If-None-Match": "*"}}),
    (400, "GET", "/file", {}, OLD_FOLDER),
    (401, "GET", "/file", {}, {**OLD_FILE, "who": NOBODY}),
    (412, "GET", "/file", {}, {**OLD_FILE, "headers": {"If-Match": '"other"'}}),
    (416, "GET", "/file", {}, {**OLD_FILE, "headers": {"Range": "bytes=99-"}}),
    (200, "PUT", "/file", {}, {**OLD_FILE, "body": b"new"}),
    (201, "PUT", "/file", {}, {"query": {**LEGACY, "path": "/new"}, "body": b"new"}),
    (403, "PUT", "/file", {}, {**OLD_FILE, "body": b"new", "who": BOB}),
    (405, "PUT", "/file", {}, {"query": {**LEGACY, "provider": "frozen", "path": "/a"}}),
    (409, "PUT", "/file", {}, {"query": {**LEGACY, "path": "/folder"}, "body": b"new"}),
    (412, "PUT", "/file", {}, {**OLD_FILE, "headers": {"If-None-Match": "*"}, "body": b"new"}),
    (201, "POST", "/file", {}, {"query": {**LEGACY, "path": "/new/"}}),
    (409, "POST", "/file", {}, OLD_FOLDER),
    (204, "DELETE", "/file", {}, OLD_FOLDER),
    (400, "DELETE", "/file", {}, {"query": {**LEGACY, "path": "/"}}),
    (204, "OPTIONS", "/file", {}, {"who": NOBODY}),
    (200, "GET", "/data", {}, OLD_FILE),
    (200, "GET", "/data", {}, OLD_FOLDER),
    (404, "GET", "/data", {}, {"query": {**LEGACY, "path": "/nothing"}}),
    (200, "GET", "/revisions", {}, OLD_FILE),
    (200, "GET", "/zip", {}, OLD_FILE),
    (200, "GET", "/zip", {}, OLD_FOLDER),
    (200, "POST", "/ops/copy", {}, {"body": OLD_COPY}),
    (201, "POST", "/ops/copy", {}, {"body": {**OLD_COPY, "rename": "new"}}),
    (409, "POST", "/ops/copy", {}, {"body": {**OLD_COPY, "conflict": "warn"}}),
    (200, "POST", "/ops/move", {}, {"body": ONTO}),
    (413, "POST", "/ops/move", {}, {"body": {**ONTO, "rename": "x" * (1 << 20)}}),
    (200, "GET", ROOT, {}, {}),
    (200, "GET", ROOT, {}, {"query": {"zip": ""}}),
    (200, "GET", FOLDER, IN, {"query": {"page[size]": "1"}}),
    (200, "GET", FOLDER, IN, {"query": {"page[size]": "9", "sort": "-size"}}),
    (200, "GET", FOLDER, {"folder": "folder/deep"}, {}),
    (200, "GET", FILE, NOW, {}),
    (200, "GET", FILE, NOW, {"query": {"meta": ""}}),
    (200, "GET", FILE, NOW, {"query": {"versions": ""}}),
    (206, "GET", FILE, NOW, {"headers": {"Range": "bytes=2-5"}}),
    (304, "GET", FILE, NOW, {"headers": {"If-None-Match": "*"}}),
    (412, "GET", FILE, NOW, {"headers": {"If-Match": '"other"'}}),
    (416, "GET", FILE, NOW, {"headers": {"Range": "bytes=99-"}}),
    (404, "GET", FILE, {"file": "folder"}, {}),
    (400, "GET", ROOT, {}, {"query": {"page[size]": "0"}}),
    (200, "HEAD", ROOT, {}, {}),
    (200, "HEAD", FILE, NOW, {}),
    (304, "HEAD", FILE, NOW, {"headers": {"If-None-Match": "*"}}),
    (404, "HEAD", FILE, {"file": "nothing"}, {}),
    (400, "HEAD", FILE, NOW, {"headers": {"X-Cos-Mfr-Request-Action": "other"}}),
    (200, "PUT", FILE, NOW, {"body": b"new"}),
    (201, "PUT", FOLDER, IN, {"query": {"name": "new"}, "body": b"new"}),
    (201, "PUT", ROOT, {}, {"query": {"name": "new", "kind": "folder"}}),
    (409, "PUT", ROOT, {}, {"query": {"name": "file.txt"}, "body": b"new"}),
    (409, "PUT", ROOT, {}, {"query": {"name": "file.txt", "kind": "folder"}}),
    (412, "PUT", FILE, NOW, {"headers": {"If-None-Match": "*"}, "body": b"new"}),
    (413, "PUT", ROOT, {}, {"query": {"name": "new", "kind": "folder"}, "body": b"new"}),
    (200, "POST", FILE, NOW, {"body": {"action": "rename", "rename": "other"}}),
    (201, "POST", FILE, NOW, {"body": COPY}),
    (
        200,
        "POST",
        FILE,
        {"file": "data.json"},
        {"body": {**COPY, "rename": "inner.txt", "conflict": "replace"}},
    ),
    (409, "POST", FILE, NOW, {"body": {**COPY, "rename": "inner.txt"}}),
    (201, "POST", FOLDER, IN, {"body": {**COPY, "path": "/", "provider": "other", "rename": "x"}}),
    (409, "POST", FOLDER, IN, {"body": {**COPY, "path": "/", "provider": "other"}}),
    (200, "POST", FOLDER, IN, {"body": {"action": "rename", "rename": "other"}}),
    (201, "POST", ROOT, {}, {"body": {**COPY, "provider": "other", "rename": "all"}}),
    (413, "POST", FILE, NOW, {"body": {**COPY, "rename": "x" * (1 << 20)}}),
    (204, "DELETE", FILE, NOW, {}),
    (204, "DELETE", ROOT, {}, {"query": {"confirm_delete": "1"}}),
    (400, "DELETE", ROOT, {}, {}),
    (412, "DELETE", FILE, NOW, {"headers": {"If-Match": '"other"'}}),
    (204, "OPTIONS", FILE, NOW, {"headers": {"Origin": "https://example.org"}, "who": NOBODY}),
    (401, "GET", FILE, NOW, {"who": NOBODY}),
    (403, "GET", FILE, NOW, {"who": CAROL}),
    (403, "DELETE", FILE, NOW, {"who": BOB}),
    (404, "GET", ROOT, {"resource": "nothing"}, {}),
    (405, "PUT", ROOT, FROZEN, {"query": {"name": "new"}, "body": b"new"}),
    (200, "GET", "/status", {}, {"who": NOBODY}),
    (200, "GET", "/ready", {}, {"who": NOBODY}),
    (200, "GET", "/metrics", {}, {"who": NOBODY}),
    (200, "GET", "/openapi.json", {}, {"who": NOBODY}),
    (304, "GET", "/openapi.json", {}, {"who": NOBODY, "headers": {"If-None-Match": "*"}}),
]


@pytest.mark.parametrize(("status", "method", "path", "values", "given"), ANSWERS)
def test_a_request_is_answered_as_described(status, method, path, values, given, background):
    """The status is the one expected, and the rest is as the document has it for that status."""
    background.fill()
    assert ask(background, method, path, values, **given).status_code == status


FAILURES = [
    (404, errors.NotFound("gone")),
    (405, errors.Unsupported("never")),
    (429, errors.RateLimited("slowly", **LATER)),
    (500, errors.ConfigInvalid("wrong")),
    (502, errors.Corrupted("damaged")),
    (502, errors.ProviderFault("nonsense")),
    (503, errors.ProviderUnavailable("down", **LATER)),
    (504, errors.ProviderTimeout("silent", **LATER)),
]
USES = [
    ("GET", ROOT, {}, {}),
    ("HEAD", ROOT, {}, {}),
    ("PUT", ROOT, {}, {"query": {"name": "new"}, "body": b"new"}),
    ("POST", ROOT, {}, {"body": {**COPY, "provider": "other", "rename": "all"}}),
    ("DELETE", ROOT, {}, {"query": {"confirm_delete": "1"}}),
    ("GET", FOLDER, IN, {"query": {"zip": ""}}),
    ("HEAD", FOLDER, IN, {}),
    ("PUT", FOLDER, IN, {"query": {"name": "new", "kind": "folder"}}),
    ("POST", FOLDER, IN, {"body": {"action": "rename", "rename": "other"}}),
    ("DELETE", FOLDER, IN, {}),
    ("GET", FILE, NOW, {}),
    ("HEAD", FILE, NOW, {}),
    ("PUT", FILE, NOW, {"body": b"new"}),
    ("POST", FILE, NOW, {"body": COPY}),
    ("DELETE", FILE, NOW, {}),
]


@pytest.mark.parametrize(("method", "path", "values", "given"), USES)
def test_what_goes_wrong_in_a_storage_is_described(method, path, values, given, background):
    """Every operation tells of every failure, with the headers that belong to it."""
    for status, error in FAILURES:
        background.fill()
        storage = background.server.storage
        storage.fail("locate", error, at=storage.calls["locate"] + 1)
        answer = ask(background, method, path, values, **given)
        assert answer.status_code == status
        assert ("retry-after" in answer.headers) == (status in {429, 503, 504})


@pytest.mark.parametrize("use", [use for use in USES if use[0] in {"PUT", "POST"}])
@pytest.mark.parametrize(
    ("status", "error"), [(507, errors.QuotaExceeded("full")), (413, errors.TooLarge("large"))]
)
def test_a_storage_without_room_is_described(use, status, error, background):
    """Whatever stores something may be told that there is no room."""
    method, path, values, given = use
    background.fill()
    for flaky in background.server.flaky.values():
        for operation in ("write", "make_folder", "copy_from", "move_from"):
            flaky.fail(operation, error, at=flaky.calls[operation] + 1, times=100)
    assert ask(background, method, path, values, **given).status_code == status


def test_a_body_without_a_length_is_described(background):
    """A document is not taken in chunks."""
    background.fill()
    url = f"{background.server.url}/v1/resources/guid0/providers/memory/file.txt"
    answer = background.session.post(url, data=iter([b"{}"]), headers=ALICE)
    assert answer.status_code == 411
    operation = SCHEMA[FILE]["POST"]
    assert "411" in operation.definition.raw["responses"]
    operation.validate_response(answer)


class Linking(MemoryProvider):
    """A storage that makes links."""

    capabilities = replace(MemoryProvider.capabilities, sign=True)

    async def sign(self, path, *, version=None, filename=None, expires=None):
        return f"https://storage.example.org{path}?signature=abc"


@pytest.fixture
def linking():
    with captured_log():
        running = Background(memory=Linking())
        yield running
        running.close()


def test_a_redirect_is_described(linking):
    """A storage that makes links sends its files itself, if that is wanted."""
    linking.fill()
    assert ask(linking, "GET", FILE, NOW).status_code == 302
    assert ask(linking, "GET", FILE, NOW, query={"direct": ""}).status_code == 200


def test_not_being_ready_is_described(background):
    """The reasons are there."""
    background.server.reasons.append("The disk is full.")
    try:
        answer = ask(background, "GET", "/ready", who=NOBODY)
    finally:
        background.server.reasons.clear()
    assert answer.status_code == 503
    assert answer.json()["reasons"] == ["The disk is full."]
