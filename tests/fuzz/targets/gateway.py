"""Targets: ids, tokens and documents of the gateway API."""

import json
from contextlib import suppress

from tests.fuzz.targets.requests import headers_of, sound, uri_of
from waterbutler.core import check_name
from waterbutler.core.errors import InvalidRequest, NotFound, WaterButlerError
from waterbutler.server.gateway import documents, ids, pages, route
from waterbutler.server.gateway.vocabulary import VOCABULARIES

FOLDER = ("account", ids.Address("a", "b"))


def fuzz_ids(data: bytes) -> None:
    """An id is one that was made here, or there is nothing."""
    text = data.decode("utf-8", "surrogateescape")
    with suppress(NotFound):
        address = ids.decode(text)
        assert ids.encode(address) == text.rstrip("=")
        sound(address.path)


def fuzz_pages(data: bytes) -> None:
    """A page token is one of this folder, or refused."""
    with suppress(InvalidRequest):
        pages.parse(data.decode("utf-8", "surrogateescape"), FOLDER)


def fuzz_routes(data: bytes) -> None:
    """Targets, with a prefix and without."""
    uri = uri_of(data)
    for text in (uri, f"/v2/{uri}", f"/gateway/{uri}", f"/gateway/a/b/v2/metadata/{uri}"):
        for prefix in ("", "/storage"):
            found = route.parse_route(prefix + text, prefix)
            assert found is None or route.is_gateway(prefix + text, prefix)
        with suppress(WaterButlerError):
            route.parse_query(text)


def fuzz_headers(data: bytes) -> None:
    """Headers of uploads, and the names in them."""
    headers = headers_of(data)
    for words in VOCABULARIES:
        with suppress(WaterButlerError):
            wanted = documents.read_upload(headers, words)
            assert wanted.name is None or check_name(wanted.name)
            assert wanted.size is None or wanted.size >= 0
            assert wanted.sha256 is None or len(bytes.fromhex(wanted.sha256)) == 32


def fuzz_documents(data: bytes) -> None:
    """Bodies, read as each kind of value."""
    try:
        document = documents.Document(data)
    except InvalidRequest:
        return
    readers = (
        document.text,
        document.count,
        document.moment,
        document.sha256,
        document.array,
    )
    for key in (*json.loads(data, strict=False), "missing"):
        for read in readers:
            with suppress(InvalidRequest):
                read(key)
