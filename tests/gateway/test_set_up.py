"""The settings of the API, and its limits."""

from pathlib import Path

import pytest

from tests.gateway.client import Gateway
from tests.harness import TOKENS
from waterbutler.assembly import assemble
from waterbutler.core.errors import ConfigInvalid
from waterbutler.limits import Limiter, MemoryStore, Policy, Rate
from waterbutler.server.limits import Limits
from waterbutler.settings.standalone import load_standalone


def settings(folder, **changes):
    overrides = {"server.data": str(folder / "data")}
    overrides |= {f"gateway.{name}": value for name, value in changes.items()}
    return load_standalone({}, overrides).settings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("prefix", "storage"),
        ("prefix", "/storage/"),
        ("prefix", "/a b"),
        ("prefix", "/a?b"),
        ("segment_size", "much"),
        ("segment_size", "0"),
        ("spool_quota", "-1"),
        ("access_minutes", 0),
        ("refresh_days", -1),
    ],
)
def test_settings_that_make_no_sense_are_refused(tmp_path, name, value):
    with pytest.raises(ConfigInvalid, match=f"gateway.{name}"):
        settings(tmp_path, **{name: value})


async def test_the_server_has_what_the_settings_say(tmp_path):
    found = settings(tmp_path, prefix="/storage", segment_size="5MB")
    assembly = assemble(found)
    services = assembly.context.gateway
    assert (services.prefix, services.segment_size) == ("/storage", 5_000_000)
    tokens = await services.tokens.issue(b"secret")
    assert (await services.tokens.open(tokens.access)).secret == b"secret"
    await assembly.aclose()
    assert Path(found.server.data, "tokens.db").stat().st_mode & 0o077 == 0


async def test_it_can_be_switched_off(tmp_path):
    assembly = assemble(settings(tmp_path, enabled=False))
    assert assembly.context.gateway is None
    await assembly.aclose()


async def test_signing_in_and_everything_else_have_limits_of_their_own(server, alice):
    policies = {
        "gateway": Policy(Rate(2, 60)),
        "sign_in": Policy(Rate(1, 60), address_only=True),
    }
    limiter = Limiter(policies, MemoryStore(), secret=b"only for tests, 32 bytes of it..")
    object.__setattr__(server.context, "limits", Limits(limiter))
    statuses = [(await alice.send("describe", alice.root)).status for _ in range(4)]
    assert statuses == [200, 200, 200, 429], "the first one counts for the address"
    reply = await alice.send("describe", alice.root)
    assert int(reply.headers["Retry-After"]) > 0
    assert reply.headers["X-Status"] == "429"
    other = Gateway(server, alice.words)
    where = {"resource": "guid0", "provider": "memory"}
    await other.sign_in(TOKENS["bob"], **where)
    body = {"token": TOKENS["bob"], **where}
    assert (await Gateway(server, alice.words).send("auth", body=body)).status == 429
