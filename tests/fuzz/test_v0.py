"""Requests of version 0 with something odd in them."""

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz import strategies as some
from tests.fuzz.sizes import examples
from tests.fuzz.world import ALICE, BOB

METHODS = {
    b"/file": [*["GET", "PUT"] * 3, "POST", "DELETE", "HEAD", "PATCH"],
    b"/data": ["GET", "GET", "PUT"],
    b"/revisions": ["GET"],
    b"/zip": ["GET"],
    b"/ops/copy": [*["POST"] * 5, "GET"],
    b"/ops/move": [*["POST"] * 5, "OPTIONS"],
}
WHO = some.mostly(st.just(ALICE), st.sampled_from([BOB, []]), 9)


def end(mount, known):
    """One end of a copy: as it should be, or nearly."""
    path = some.mostly(st.sampled_from(known), some.texts.map(lambda text: f"/{text}"))
    right = {"nid": st.just("demo"), "provider": st.just(mount), "path": path}
    return some.mostly(
        st.fixed_dictionaries(right),
        st.fixed_dictionaries({}, optional={**right, "cookie": some.texts, "path": some.anything}),
    )


@pytest.mark.parametrize("mount", ["filesystem", "osfstorage"])
def test_whatever_is_asked_is_answered(world, mount):
    """No failure, no escape, no secret, and the next request is answered as well."""

    @examples(20)
    @given(data=st.data())
    def tried(data):
        world.fill(mount)
        known = ["/", *(world.path(mount, name) for name in ("file.txt", "folder/"))]
        copies = some.documents(
            source=end(mount, known),
            destination=end("filesystem", ["/", "/folder/", "/new.txt"]),
            rename=st.none() | some.texts,
            conflict=st.sampled_from(["warn", "replace", "keep", ""]),
        )
        bodies = {"PUT": st.binary(max_size=100), "POST": copies}
        endpoint = data.draw(st.sampled_from(sorted(METHODS)))
        method = data.draw(st.sampled_from(METHODS[endpoint]))
        path = data.draw(some.paths(*known, *([] if method == "GET" else ["/new.txt", "/new/"])))
        target = b"%s?nid=demo&provider=%s&path=%s" % (endpoint, quote(mount).encode(), path)
        more = some.queries(
            *("version", "revision", "displayName", "accept_url", "view_only", "cookie"),
            *("confirm_delete", "nid", "provider", "path"),
        )
        target += data.draw(more).replace(b"?", b"&", 1)
        if endpoint == b"/file" and method == "POST":
            bodies = {}
        request = data.draw(some.requests([method], st.just(target), some.headers(), bodies))
        request.headers += data.draw(WHO)
        world.try_out(request)

    tried()
