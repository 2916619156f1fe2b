"""Forms and pages with something odd in them."""

import re
from urllib.parse import urlencode

from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz import strategies as some
from tests.fuzz.sizes import examples
from tests.fuzz.wire import Request
from tests.fuzz.world import SCRIPT, TOKENS

FORM = b"application/x-www-form-urlencoded"
BOUNDARY = b"----boundary"
FIELDS = {
    "do": ["sign-in", "sign-out", "new-folder", "rename", "delete"],
    "token": list(TOKENS.values()),
    "next": ["/files/demo/filesystem/", "//evil.example", "https://evil.example/"],
    "name": ["new", "file.txt", "folder"],
    "tag": ["x"],
}


def browser(world):
    """The headers of a browser that is signed in, and the token that its forms carry."""
    if "browser" not in world.sessions:
        token = TOKENS["alice"].encode()
        answer = world.ask(Request("GET", b"/?token=" + token))
        assert answer.status == 303
        (cookie,) = (value for value in answer.all("Set-Cookie") if "session" in value)
        sent = [(b"Cookie", cookie.partition(";")[0].encode())]
        page = world.ask(Request("GET", b"/files/demo/filesystem/", sent))
        csrf = re.search(rb'name="csrf" value="([^"]+)"', page.body)[1]
        world.sessions["browser"] = {"cookie": sent[0][1].decode(), "csrf": csrf.decode()}
    return world.sessions["browser"]


def filled_in(csrf):
    """Small forms: as a page makes them, or with something odd in them."""
    fields = {name: some.mostly(st.sampled_from(FIELDS[name]), some.texts) for name in FIELDS}
    fields["csrf"] = some.mostly(st.just(csrf), some.texts, 9)
    whole = st.fixed_dictionaries(fields)
    part = st.fixed_dictionaries({}, optional=fields)
    forms = some.mostly(whole, part).map(lambda form: urlencode(form).encode())
    return some.mostly(forms, st.binary(max_size=50), 9)


def parts(csrf):
    """The parts of a form with files: those that are needed, and those that are not."""
    names = st.one_of(
        st.sampled_from([b'name="file"; filename="new.txt"', b'name="name"', b'name="tag"']),
        some.words.map(lambda word: b'name="file"; filename="' + word + b'"'),
        some.words,
    )
    head = st.builds(lambda name: b"Content-Disposition: form-data; " + name, names)
    part = st.builds(lambda head, body: head + b"\r\n\r\n" + body, head, some.words)
    believed = b'Content-Disposition: form-data; name="csrf"\r\n\r\n' + csrf.encode()
    return st.lists(part, max_size=3).map(lambda found: [believed, *found])


def multipart(found, ending):
    """A form with these parts."""
    joined = b"".join(b"--" + BOUNDARY + b"\r\n" + part + b"\r\n" for part in found)
    return joined + b"--" + BOUNDARY + ending


@examples(40)
@given(data=st.data())
def test_forms_are_answered(world, data):
    """Whatever they say: signing in, signing out, changes and files."""
    world.fill()
    known = browser(world)
    files = st.builds(multipart, parts(known["csrf"]), some.mostly(st.just(b"--\r\n"), some.words))
    kind, bodies = data.draw(
        st.sampled_from(
            [
                (FORM, filled_in(known["csrf"])),
                (b"multipart/form-data; boundary=" + BOUNDARY, files),
            ]
        )
    )
    names = some.paths("/", "/file.txt", "/folder/", "/new.txt")
    pages = st.tuples(st.just(b"/files/demo/filesystem"), names).map(b"".join)
    targets = data.draw(some.mostly(pages, st.just(b"/")))
    queries = some.queries(
        *("view_only", "next", "page[after]", "done", "sort"),
        form=["rename", "delete"],
        token=[TOKENS["bob"]],
    )
    asked = some.requests(
        [*["POST"] * 4, *["GET"] * 3, "HEAD"],
        st.just(targets + data.draw(queries)),
        some.headers(),
        {"POST": bodies},
    )
    request = data.draw(asked)
    if request.method == "POST":
        request.headers.append((b"Content-Type", kind))
    who = [(b"Cookie", known["cookie"].encode())]
    wants = data.draw(st.sampled_from([[], [(b"Accept", b"text/html")]]))
    request.headers += data.draw(some.mostly(st.just(who), st.just([]), 9)) + wants
    answer = world.try_out(request)
    for place in answer.all("Location"):
        assert place.startswith("/")
        assert not place.startswith(("//", "/\\"))


def test_names_are_shown_as_text(world):
    """A name that is markup is none on the page that shows it."""
    world.fill()
    who = [(b"Cookie", browser(world)["cookie"].encode())]
    page = world.try_out(Request("GET", b"/files/demo/filesystem/?sort=name", who))
    assert SCRIPT.removeprefix(b"<") in page.body


@examples(10)
@given(st.tuples(some.pieces, some.queries("v")).map(b"".join))
def test_static_files_are_those_of_the_page(world, name):
    """Nothing else of the machine is sent."""
    answer = world.try_out(Request("GET", b"/static/" + name))
    assert answer.status in {200, 304, 400, 404}
