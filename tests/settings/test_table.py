"""What is shown of settings: everything that exists, and no secret."""

import re

import pytest

from waterbutler.settings import HIDDEN, describe, documented, load, markdown
from waterbutler.settings.redaction import redacted, without_password

SECRET = "hunter2"

FILE = f"""
server.session_secret = "{SECRET}"
auth.osf.jwe_secret = "{SECRET}"
auth.osf.jwe_salt = "{SECRET}"
auth.osf.jwt_secret = "{SECRET}"
auth.osf.hmac_secret = "{SECRET}"
users.a.token = "{SECRET}"
resources.r.view_only = ["{SECRET}"]
resources.r.providers.p.settings.folder = "/srv"
resources.r.providers.p.settings.api_token = "{SECRET}"
resources.r.providers.p.settings.plain = "env:X"
resources.r.providers.p.settings.inner.password = "{SECRET}"
resources.r.providers.p.settings.list = ["https://u:{SECRET}@example.org"]
resources.r.providers.p.credentials.host = "{SECRET}"
resources.r.providers.p.credentials.inner.any = ["{SECRET}"]
host.database = "postgresql://me:{SECRET}@db/x"
jobs.broker = "redis://:{SECRET}@127.0.0.1:6379/0"
"""


@pytest.fixture
def loaded(tmp_path):
    file = tmp_path / "waterbutler.toml"
    file.write_text(FILE)
    return load({"X": SECRET}, file)


def test_no_secret_is_shown(loaded):
    rows = describe(loaded.settings, loaded.origins)
    assert SECRET not in repr(rows)
    shown = {row.name: row.value for row in rows}
    assert shown["users.a.token"] == HIDDEN
    assert shown["resources.r.providers.p.settings.folder"] == '"/srv"'
    assert shown["resources.r.providers.p.settings.plain"] == HIDDEN
    assert shown["host.database"] == f'"postgresql://me:{HIDDEN}@db/x"'


def test_the_values_themselves_repeat_no_secret(loaded):
    # A reference inside free settings is known as one only where settings are described.
    text = repr(loaded).replace(f"'plain': '{SECRET}'", "")
    assert SECRET not in text


def test_every_setting_that_exists_is_shown(loaded):
    shown = {row.name for row in describe(loaded.settings, loaded.origins)}
    named = {
        re.sub("<mount>", "p", re.sub("<resource>", "r", re.sub("<user>", "a", about.name)))
        for about in documented()
    }
    free = {name for name in named if name.endswith((".settings", ".credentials"))}
    assert named - free <= shown
    assert set(loaded.origins) <= shown


def test_what_is_derived_is_shown_as_it_works():
    loaded = load({"WATERBUTLER_SERVER_PORT": "8000"})
    rows = {row.name: row for row in describe(loaded.settings, loaded.origins)}
    assert rows["server.domain"].value == '"http://127.0.0.1:8000"'
    assert rows["server.domain"].origin == "derived"


def test_every_setting_has_a_help_and_a_line_in_the_table():
    table = markdown()
    for about in documented():
        assert about.help.endswith("."), about.name
        assert f"| `{about.name}` |" in table
        assert f"`{about.environment}`" in table


def test_the_table_marks_secrets():
    secret = {about.name for about in documented() if about.secret}
    assert {"users.<user>.token", "auth.osf.jwt_secret", "server.session_secret"} <= secret
    assert "server.port" not in secret


def test_the_documented_environment_names_work():
    for about in documented():
        if "<" not in about.environment and about.default and not about.secret:
            text = about.default.strip('"')
            loaded = load({about.environment: text})
            assert loaded.origins[about.name] == about.environment


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("redis://:pw@h/0", f"redis://:{HIDDEN}@h/0"),
        ("https://user:p:w@h", f"https://user:{HIDDEN}@h"),
        ("https://user@h/a:b", "https://user@h/a:b"),
        ("http://h:80/a@b", "http://h:80/a@b"),
        ("plain", "plain"),
    ],
)
def test_passwords_in_addresses_are_hidden(text, shown):
    assert without_password(text) == shown


@pytest.mark.parametrize("name", ["password", "API_KEY", "client_secret", "auth-token", "key"])
def test_telling_names_hide_their_values(name):
    assert redacted(name, "x") == HIDDEN
    assert redacted(name, 5) == HIDDEN
    assert redacted(name, "") == ""
    assert redacted(name, True) is True


@pytest.mark.parametrize("name", ["folder", "bucket", "keyboard", "author", "monkey"])
def test_other_names_show_theirs(name):
    assert redacted(name, "x") == "x"
