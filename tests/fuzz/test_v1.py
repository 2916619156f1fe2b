"""Requests of version 1 with something odd in them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz import strategies as some
from tests.fuzz.sizes import examples
from tests.fuzz.wire import Request
from tests.fuzz.world import ALICE, BOB

MOUNTS = ["filesystem", "osfstorage", "s3"]
METHODS = [*["GET", "PUT", "POST"] * 4, "HEAD", "DELETE", "DELETE", "OPTIONS", "PATCH"]
LINKS = ["/link-out/", "/link-out/file.txt", "/link-out/folder/", "/link-far/outer/", "/link-file"]
"""What lies behind links that lead out of the mount."""
NEW = some.mostly(st.sampled_from([b"new.txt", b"file.txt", b"folder"]), some.words)
READS = some.queries(
    *("meta", "versions", "revisions", "version", "revision", "direct", "mode", "view_only"),
    *("cookie", "displayName", "confirm_delete", "page[after]", "kind", "name"),
    sort=["name", "-size", "modified", "-kind"],
    zip=[""],
    **{"page[size]": ["1", "1000"]},
)
MAKES = st.builds(
    lambda kind, name: b"?kind=" + kind + b"&name=" + some.escaped(name),
    some.mostly(st.sampled_from([b"file", b"folder"]), some.pieces, 9),
    NEW,
)
QUERIES = {"PUT": some.mostly(MAKES, READS)}
DOCUMENTS = some.documents(
    action=st.sampled_from(["copy", "move", "rename"]),
    path=some.mostly(
        st.sampled_from(["/", "/folder/", "/new/", "/link-out/"]),
        some.texts.map(lambda text: f"/{text}/"),
    ),
    rename=NEW.map(lambda name: name.decode("utf-8", "replace")),
    conflict=st.sampled_from(["warn", "replace", "keep", ""]),
    provider=st.sampled_from(["filesystem", "osfstorage", ""]),
    resource=st.just("demo"),
)
BODIES = {"PUT": st.binary(max_size=100), "POST": DOCUMENTS}
WHO = some.mostly(st.just(ALICE), st.sampled_from([BOB, []]), 9)


@pytest.mark.parametrize("mount", MOUNTS)
def test_whatever_is_asked_is_answered(world, mount):
    """No failure, no escape, no secret, and the next request is answered as well."""
    if mount not in world.mounts:
        pytest.skip("SeaweedFS is not installed")
    base = f"/v1/resources/demo/providers/{mount}".encode()

    @examples({"filesystem": 50, "osfstorage": 20, "s3": 12}[mount])
    @given(data=st.data())
    def tried(data):
        world.fill(mount)
        known = [world.path(mount, name) for name in ("file.txt", "folder/", "folder/inner.txt")]
        known += LINKS if mount == "filesystem" else []
        method = data.draw(st.sampled_from(METHODS))
        path = data.draw(some.paths("/", *known)) + data.draw(QUERIES.get(method, READS))
        asked = some.requests([method], st.just(base + path), some.headers(), BODIES)
        request = data.draw(asked)
        request.headers += data.draw(WHO)
        world.try_out(request)

    tried()


@examples(20)
@given(
    target=st.tuples(some.pieces, some.pieces, some.paths("/", "/file.txt"), READS),
    method=st.sampled_from(METHODS),
)
def test_resources_and_mounts_have_odd_names_too(world, target, method):
    """The same where even the resource and the mount are made up."""
    resource, mount, path, query = target
    prefix = b"/v1/resources/" + resource + b"/providers/" + mount
    world.try_out(Request(method, prefix + path + query, list(ALICE)))
