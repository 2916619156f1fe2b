"""Rights from the settings file, and the chain that asks several handlers."""

from dataclasses import replace

import pytest

from waterbutler.auth import (
    Account,
    AuthChain,
    MountConfig,
    Resource,
    Sessions,
    StaticHandler,
    digest,
)
from waterbutler.core import ANONYMOUS, AccessRequest, Action, Grant, Identity, User
from waterbutler.core.errors import Forbidden, NotFound, Unauthenticated

SESSIONS = Sessions(b"0123456789abcdef", lifetime=100)
ALICE = Account(id="alice", token_sha256=digest("a-token"), name="Alice A.", email="a@example.org")
BOB = Account(id="bob", token_sha256=digest("b-token"))
MOUNT = MountConfig(
    provider="filesystem",
    settings={"folder": "/srv"},
    credentials={"key": "hush"},
    redirect=False,
)
PROJECT = Resource(
    id="project",
    title="A project",
    access={"alice": True, "bob": False},
    view_only_sha256=frozenset({digest("link")}),
    mounts={"files": MOUNT, "frozen": replace(MOUNT, read_only=True)},
)
OPEN = Resource(id="open", access={"anonymous": False}, mounts={"files": MOUNT})


@pytest.fixture
def handler():
    return StaticHandler([ALICE, BOB], [PROJECT, OPEN], SESSIONS)


def bearer(token):
    return Identity(authorization=f"Bearer {token}")


def request(action, identity, resource="project", provider="files"):
    return AccessRequest(
        resource=resource, provider=provider, action=action, path="/", identity=identity
    )


@pytest.mark.parametrize("action", list(Action), ids=lambda action: action.value)
async def test_every_action_reads_or_writes(handler, action):
    """A reader may do the ones that read and no other."""
    assert (await handler.authorize(request(action, bearer("a-token")))).writable
    if action.writes:
        with pytest.raises(Forbidden):
            await handler.authorize(request(action, bearer("b-token")))
    else:
        grant = await handler.authorize(request(action, bearer("b-token")))
        assert not grant.writable


async def test_a_grant_says_what_to_open(handler):
    """And for whom."""
    grant = await handler.authorize(request(Action.DOWNLOAD, bearer("a-token")))
    assert grant == Grant(
        user=User(id="alice", name="Alice A.", email="a@example.org"),
        provider="filesystem",
        settings={"folder": "/srv"},
        credentials={"key": "hush"},
        writable=True,
        redirect=False,
    )
    assert "hush" not in repr(grant)


async def test_a_storage_for_reading(handler):
    """Is not writable for anybody; that it refuses is the storage's business."""
    where = request(Action.METADATA, bearer("a-token"), provider="frozen")
    grant = await handler.authorize(where)
    assert (grant.read_only, grant.writable) == (True, False)


async def test_nobody_has_no_name(handler):
    """Where everybody may read."""
    grant = await handler.authorize(request(Action.METADATA, Identity(), "open"))
    assert grant.user == ANONYMOUS
    with pytest.raises(Unauthenticated):
        await handler.authorize(request(Action.DELETE, Identity(), "open"))


@pytest.mark.parametrize(
    ("resource", "provider"),
    [("nothing", "files"), ("project", "nothing"), ("", ""), ("open", "x")],
)
async def test_what_is_not_there(handler, resource, provider):
    """`NotFound`, whoever asks."""
    for identity in (bearer("a-token"), Identity()):
        with pytest.raises(NotFound):
            await handler.authorize(request(Action.METADATA, identity, resource, provider))


async def test_wrong_credentials_come_first(handler):
    """Before anything is said about resources."""
    with pytest.raises(Unauthenticated):
        await handler.authorize(request(Action.METADATA, bearer("wrong"), "nothing"))


async def test_who_somebody_is(handler):
    """By any way to sign in; a key of a link is nobody."""
    cookie = handler.open_session("a-token")
    for identity in (bearer("a-token"), Identity(cookie=cookie)):
        assert (await handler.identify(identity)).id == "alice"
    assert (await handler.identify(bearer("b-token"))).name == "bob"
    assert await handler.identify(Identity(view_only="link")) is None
    assert await handler.identify(Identity()) is None


async def test_a_session_is_opened_with_a_token(handler):
    """And with nothing else."""
    assert handler.open_session("wrong") is None
    assert handler.open_session("") is None
    assert handler.open_session("\ud800") is None
    assert SESSIONS.user_of(handler.open_session("b-token")) == "bob"


@pytest.mark.parametrize(
    ("identity", "seen"),
    [
        (bearer("a-token"), {"project": True, "open": False}),
        (bearer("b-token"), {"project": False, "open": False}),
        (Identity(), {"open": False}),
        (Identity(view_only="link"), {"project": False, "open": False}),
        (Identity(view_only="wrong"), {"open": False}),
    ],
)
async def test_what_somebody_sees(handler, identity, seen):
    """Only what may be read, and whether it may be written."""
    found = await handler.resources(identity)
    assert {resource.id: resource.mounts[0].writable for resource in found} == seen
    for resource in found:
        assert [mount.writable for mount in resource.mounts if mount.name == "frozen"] in [
            [],
            [False],
        ]
    assert [resource.title for resource in found if resource.id == "open"] == ["open"]


def test_tokens_are_not_kept():
    """Neither in values nor in what is printed of them."""
    assert "token" not in repr(ALICE).replace("token_sha256", "")
    assert digest("link") not in repr(PROJECT)


# -- the chain -------------------------------------------------------------------------------------


class Fixed:
    """Answers always the same."""

    def __init__(self, answer=None, user=None):
        self.answer = answer
        self.user = user
        self.asked = 0

    async def authorize(self, request):
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def identify(self, identity):
        return self.user

    async def resources(self, identity):
        return [self.answer] if self.answer else []


GRANT = Grant(user=ANONYMOUS, provider="memory")


async def test_the_first_that_answers_decides():
    """Who passes is passed over, and nobody is asked twice."""
    passing, deciding, late = Fixed(), Fixed(GRANT), Fixed(Forbidden("No."))
    chain = AuthChain([passing, deciding, late])
    assert await chain.authorize(request(Action.DELETE, Identity())) is GRANT
    assert (passing.asked, deciding.asked, late.asked) == (1, 1, 0)


@pytest.mark.parametrize("refusal", [Forbidden("No."), Unauthenticated("Who?"), NotFound("What?")])
async def test_a_refusal_is_final(refusal):
    """The next one is not asked."""
    late = Fixed(GRANT)
    with pytest.raises(type(refusal)):
        await AuthChain([Fixed(refusal), late]).authorize(request(Action.DELETE, Identity()))
    assert late.asked == 0


async def test_nobody_answers():
    """Then signing in may help."""
    with pytest.raises(Unauthenticated):
        await AuthChain([Fixed(), Fixed()]).authorize(request(Action.DELETE, Identity()))
    with pytest.raises(Unauthenticated):
        await AuthChain([]).authorize(request(Action.DELETE, Identity()))


async def test_the_chain_knows_what_its_handlers_know():
    """The first user, and all resources."""
    chain = AuthChain([Fixed(), Fixed("r1", User(id="u")), Fixed("r2", User(id="v"))])
    assert (await chain.identify(Identity())).id == "u"
    assert await chain.resources(Identity()) == ["r1", "r2"]
    assert await AuthChain([Fixed()]).identify(Identity()) is None
