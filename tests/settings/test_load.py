"""Where settings come from, which one wins, and what is refused."""

import hashlib
import subprocess
import sys

import pytest

from tests import long
from waterbutler.core.errors import ConfigInvalid
from waterbutler.settings import ALIASES, load, parse_size

EXAMPLE = """
[server]
host = "127.0.0.1"
port = 7777
domain = "http://127.0.0.1:7777"
workers = 1
cors_origins = ["*"]
max_upload_size = ""
redirect_downloads = true
data = "./waterbutler-data"

[auth]
handlers = ["static"]

[auth.osf]
url = "http://localhost:5000/api/v1/files/auth/"
jwe_secret = "env:JWE_SECRET"
jwe_salt = "env:JWE_SALT"
jwt_secret = "env:JWT_SECRET"
hmac_secret = "env:HMAC_SECRET"

[users.alice]
token = "env:ALICE_TOKEN"
name = "Alice"
email = "alice@example.org"

[users.bob]
token_sha256 = "ABCDabcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcdabcd"

[resources.ab12c]
title = "A project"
access = { alice = "write", bob = "read", anonymous = "read" }
view_only = ["env:AB12C_LINK_KEY"]

[resources.ab12c.providers.filesystem]
settings = { folder = "/srv/ab12c" }

[resources.ab12c.providers.archive]
provider = "s3"
settings = { bucket = "archive", prefix = "ab12c/" }
credentials = { access_key = "env:S3_KEY", secret_key = "env:S3_SECRET", port = 443 }

[resources.ab12c.providers.osfstorage]
settings = { storage = { provider = "filesystem", folder = "/srv/blobs" } }
credentials = { storage = {} }

[host]
database = "sqlite:///waterbutler-data/host.db"

[jobs]
runner = "inline"
broker = "redis://127.0.0.1:6379/0"
wait_seconds = 20
"""

SECRETS = {
    "JWE_SECRET": "very-secret-1",
    "JWE_SALT": "very-secret-2",
    "JWT_SECRET": "very-secret-3",
    "HMAC_SECRET": "very-secret-4",
    "ALICE_TOKEN": "very-secret-5",
    "AB12C_LINK_KEY": "very-secret-6",
    "S3_KEY": "very-secret-7",
    "S3_SECRET": "very-secret-8",
}


@pytest.fixture
def toml(tmp_path):
    """Writes a configuration file."""

    def write(text):
        file = tmp_path / "waterbutler.toml"
        file.write_text(text)
        return file

    return write


def refused(environ, file=None):
    with pytest.raises(ConfigInvalid) as caught:
        load(environ, file)
    assert "\n" not in caught.value.message
    return caught.value.message


def test_the_documented_file_is_read(toml):
    settings = load(SECRETS, toml(EXAMPLE)).settings
    assert settings.server.port == 7777
    assert settings.server.cors_origins == ["*"]
    assert settings.server.max_upload_bytes is None
    assert settings.auth.osf.jwe_secret == SECRETS["JWE_SECRET"]
    assert settings.users["alice"].token == SECRETS["ALICE_TOKEN"]
    resource = settings.resources["ab12c"]
    assert resource.access == {"alice": "write", "bob": "read", "anonymous": "read"}
    assert resource.view_only == [SECRETS["AB12C_LINK_KEY"]]
    assert resource.providers["filesystem"].provider == "filesystem"
    assert resource.providers["archive"].provider == "s3"
    assert resource.providers["archive"].credentials == {
        "access_key": SECRETS["S3_KEY"],
        "secret_key": SECRETS["S3_SECRET"],
        "port": 443,
    }
    assert resource.providers["osfstorage"].settings["storage"]["folder"] == "/srv/blobs"
    assert settings.jobs.wait_seconds == 20


def test_nothing_at_all_gives_the_defaults():
    settings = load({}).settings
    assert settings.server.host == "127.0.0.1"
    assert settings.server.port == 7777
    assert settings.server.url == "http://127.0.0.1:7777"
    assert settings.auth.handlers == ["static"]
    assert settings.users == {}
    assert settings.database == "sqlite:///./waterbutler-data/host.db"


def test_a_token_and_its_hash_have_the_same_digest(toml):
    digest = hashlib.sha256(b"tok").hexdigest()
    file = toml(f'users.a.token = "tok"\nusers.b.token_sha256 = "{"0" * 64}"')
    users = load({}, file).settings.users
    assert users["a"].digest == digest
    assert users["b"].digest == "0" * 64


@pytest.mark.parametrize(
    ("environ", "file", "overrides", "port"),
    [
        ({}, "", {}, 7777),
        ({}, "server.port = 1", {}, 1),
        ({"SERVER_CONFIG_PORT": "2"}, "server.port = 1", {}, 2),
        ({"SERVER_CONFIG_PORT": "2", "WATERBUTLER_SERVER_PORT": "3"}, "server.port = 1", {}, 3),
        ({"WATERBUTLER_SERVER_PORT": "3"}, "server.port = 1", {"server.port": 4}, 4),
    ],
)
def test_the_nearest_source_wins(toml, environ, file, overrides, port):
    assert load(environ, toml(file), overrides).settings.server.port == port


@pytest.mark.parametrize(
    ("name", "text", "read"),
    [
        ("SERVER_HOST", "0.0.0.0", lambda s: s.server.host == "0.0.0.0"),
        ("SERVER_WORKERS", "3", lambda s: s.server.workers == 3),
        ("SERVER_REDIRECT_DOWNLOADS", "false", lambda s: s.server.redirect_downloads is False),
        ("SERVER_REDIRECT_DOWNLOADS", "0", lambda s: s.server.redirect_downloads is False),
        ("SERVER_TRUST_PROXY", "1", lambda s: s.server.trust_proxy is True),
        ("SERVER_TRUST_PROXY", "", lambda s: s.server.trust_proxy is False),
        ("SERVER_CORS_ORIGINS", '["https://a"]', lambda s: s.server.cors_origins == ["https://a"]),
        (
            "SERVER_CORS_ORIGINS",
            "https://a, https://b",
            lambda s: s.server.cors_origins == ["https://a", "https://b"],
        ),
        ("SERVER_MAX_UPLOAD_SIZE", "5GiB", lambda s: s.server.max_upload_bytes == 5 << 30),
        ("AUTH_OSF_URL", "http://x/", lambda s: s.auth.osf.url == "http://x/"),
        ("USERS_ALICE_EMAIL", "a@b", lambda s: s.users["alice"].email == "a@b"),
        ("USERS_CAROL_TOKEN", "t", lambda s: s.users["carol"].token == "t"),
        ("USERS_CAROL_D_TOKEN_SHA256", "0" * 64, lambda s: s.users["carol_d"].digest == "0" * 64),
        (
            "RESOURCES_AB12C_ACCESS",
            '{"alice": "read"}',
            lambda s: s.resources["ab12c"].access == {"alice": "read"},
        ),
        (
            "RESOURCES_AB12C_ACCESS",
            '{ alice = "read" }',
            lambda s: s.resources["ab12c"].access == {"alice": "read"},
        ),
        (
            "RESOURCES_AB12C_ACCESS_BOB",
            "write",
            lambda s: s.resources["ab12c"].access["bob"] == "write",
        ),
        (
            "RESOURCES_AB12C_VIEW_ONLY",
            "a,b",
            lambda s: s.resources["ab12c"].view_only == ["a", "b"],
        ),
        (
            "RESOURCES_AB12C_PROVIDERS_ARCHIVE_SETTINGS_BUCKET",
            "other",
            lambda s: (
                s.resources["ab12c"].providers["archive"].settings
                == {"bucket": "other", "prefix": "ab12c/"}
            ),
        ),
        (
            "RESOURCES_AB12C_PROVIDERS_ARCHIVE_REDIRECT",
            "false",
            lambda s: s.resources["ab12c"].providers["archive"].redirect is False,
        ),
        (
            "RESOURCES_NEW_PROVIDERS_FILESYSTEM_SETTINGS",
            '{"folder": "/x"}',
            lambda s: s.resources["new"].providers["filesystem"].settings == {"folder": "/x"},
        ),
    ],
)
def test_every_key_can_be_set_by_environment(toml, name, text, read):
    assert read(load({**SECRETS, f"WATERBUTLER_{name}": text}, toml(EXAMPLE)).settings)


def test_a_whole_table_and_a_key_in_it_go_together():
    prefix = "WATERBUTLER_RESOURCES_R_PROVIDERS_S3_CREDENTIALS"
    environ = {f"{prefix}_SECRET_KEY": "b", prefix: '{"access_key": "a"}'}
    mount = load(environ).settings.resources["r"].providers["s3"]
    assert mount.credentials == {"access_key": "a", "secret_key": "b"}


def test_names_of_the_file_keep_their_letters(toml):
    file = toml('[users.Alice_B]\ntoken = "x"')
    users = load({"WATERBUTLER_USERS_ALICE_B_NAME": "A"}, file).settings.users
    assert users["Alice_B"].name == "A"


@pytest.mark.parametrize("name", ["WATERBUTLER_CONFIG", "WATERBUTLER_TOKEN", "WATERBUTLER_URL"])
def test_names_for_the_command_line_are_no_settings(name):
    assert load({name: "x"}).settings == load({}).settings


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("WATERBUTLER_SERVER_PROT", "WATERBUTLER_SERVER_PORT"),
        ("WATERBUTLER_USERS_ALICE_TOKN", "WATERBUTLER_USERS_ALICE_TOKEN"),
        ("WATERBUTLER_RESOURCES_X_ACESS", "WATERBUTLER_RESOURCES_X_ACCESS"),
        ("WATERBUTLER_TOKENS", "WATERBUTLER_TOKEN"),
    ],
)
def test_an_unknown_name_in_the_environment_is_refused_with_the_nearest(name, near):
    message = refused({name: "s3cr3t"})
    assert f"did you mean {near}?" in message
    assert "s3cr3t" not in message


@pytest.mark.parametrize(
    ("text", "key", "near"),
    [
        ("server.prot = 1", "server.prot", "server.port"),
        ("serve.port = 1", "serve", "server"),
        ("port = 1", "port", "server.port"),
        ('users.a.tokem = "x"', "users.a.tokem", "users.a.token"),
        ("resources.r.providers.s.read = true", "resources.r.providers.s.read", "read_only"),
        ('auth.osf.jwe_sekret = "x"', "auth.osf.jwe_sekret", "auth.osf.jwe_secret"),
    ],
)
def test_an_unknown_key_in_the_file_is_refused_with_the_nearest(toml, text, key, near):
    message = refused({}, toml(text))
    assert message.startswith(f"{key} (")
    assert near in message.partition("did you mean")[2]


@pytest.mark.parametrize(
    ("text", "key", "words"),
    [
        ('server.port = "x"', "server.port", "a whole number from 0 to 65535"),
        ("server.port = 70000", "server.port", "from 0 to 65535"),
        ("server.port = true", "server.port", "a whole number"),
        ("server.workers = 0", "server.workers", "from 1"),
        ("server.host = 1", "server.host", "a text"),
        ('server.redirect_downloads = "maybe"', "server.redirect_downloads", "true or false"),
        ('server.cors_origins = "*"', "server.cors_origins", "a list of texts"),
        ("server.cors_origins = [1]", "server.cors_origins", "a list of texts"),
        ('server.max_upload_size = "much"', "server.max_upload_size", "a size"),
        ('server.drain_limit = ""', "server.drain_limit", "a size"),
        ('server.domain = "example.org"', "server.domain", "an address"),
        ('server.data = ""', "server.data", "a folder"),
        ("server.idle_seconds = 0", "server.idle_seconds", "a number above 0"),
        ("server = 1", "server", "a table"),
        ("users = []", "users", "a table"),
        ('jobs.runner = "cron"', "jobs.runner", "one of inline, celery"),
        ('resources.r.access = { a = "own" }', "resources.r.access", "a table"),
        ("resources.r.providers.p.settings.at = 2020-01-01", "settings.at", "text"),
        ('users."a-b".token = "x"', "users.a-b", "letters, digits and underscores"),
        ('resources."x y".title = "x"', "resources.x y", "letters, digits and underscores"),
        ('resources.r.providers."a/b".provider = "s3"', "providers.a/b", "letters"),
        ('resources.r.access = { zoe = "read" }', "resources.r.access", "zoe"),
        ('resources.r.view_only = [""]', "resources.r.view_only", "empty"),
        ('users.a.name = "x"', "users.a", "exactly one of token and token_sha256"),
        (f'users.a = {{ token = "x", token_sha256 = "{"0" * 64}" }}', "users.a", "exactly one"),
        ('users.a.token_sha256 = "abc"', "users.a.token_sha256", "64 hexadecimal"),
        ('users.a.token = "x"\nusers.b.token = "x"', "users.b", "the same token"),
        ('users.anonymous.token = "x"', "users.anonymous", "everybody"),
        ('auth.handlers = ["osf"]', "auth.osf.jwe_secret", "missing"),
        ("server.port = ", "TOML", "Invalid value"),
    ],
)
def test_a_wrong_value_is_refused_with_its_key(toml, text, key, words):
    message = refused({}, toml(text))
    assert key in message
    assert words in message


def test_a_value_that_is_refused_is_not_repeated(toml):
    file = toml('users.a.token = ["hunter2"]\nusers.a.token_sha256 = "hunter2"')
    assert "hunter2" not in refused({}, file)
    environ = {"WATERBUTLER_SERVER_PORT": "env:X", "X": "hunter2"}
    assert "hunter2" not in refused(environ)
    assert "hunter2" not in refused({"WATERBUTLER_JOBS_RUNNER": "env:X", "X": "hunter2"})


def test_what_is_missing_in_the_environment_is_named_with_its_key(toml):
    message = refused({}, toml('users.a.token = "env:NOWHERE"'))
    assert "users.a.token" in message
    assert "NOWHERE" in message


def test_values_are_read_from_files_without_the_line_end(toml, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("hunter2\n")
    file = toml(
        f'users.a.token = "file:{secret}"\n'
        f'resources.r.providers.p.credentials = {{ deep = [{{ key = "file:{secret}" }}] }}'
    )
    settings = load({}, file).settings
    assert settings.users["a"].token == "hunter2"
    mount = settings.resources["r"].providers["p"]
    assert mount.credentials == {"deep": [{"key": "hunter2"}]}


@pytest.mark.parametrize("content", [None, b"\xff"])
def test_a_file_that_cannot_be_read_is_named_with_its_key(toml, tmp_path, content):
    secret = tmp_path / "secret"
    if content is not None:
        secret.write_bytes(content)
    assert "users.a.token" in refused({}, toml(f'users.a.token = "file:{secret}"'))


def test_references_give_values_of_every_type(toml):
    file = toml(
        'server.port = "env:P"\nserver.trust_proxy = "env:T"\nserver.cors_origins = "env:O"'
    )
    server = load({"P": "99", "T": "true", "O": '["https://a"]'}, file).settings.server
    assert (server.port, server.trust_proxy, server.cors_origins) == (99, True, ["https://a"])


def test_a_reference_is_followed_once(toml):
    file = toml('users.a.token = "env:A"')
    assert load({"A": "env:B", "B": "x"}, file).settings.users["a"].token == "env:B"


def test_references_work_in_the_environment_too():
    environ = {
        "WATERBUTLER_USERS_A_TOKEN": "env:A",
        "WATERBUTLER_RESOURCES_R_VIEW_ONLY": '["env:B", "c"]',
        "A": "tok",
        "B": "key",
    }
    settings = load(environ).settings
    assert settings.users["a"].token == "tok"
    assert settings.resources["r"].view_only == ["key", "c"]
    assert {type(key) for key in settings.resources["r"].view_only} == {str}


def test_a_missing_or_unreadable_file_is_refused(tmp_path):
    with pytest.raises(ConfigInvalid, match=r"nowhere\.toml"):
        load({}, tmp_path / "nowhere.toml")
    (tmp_path / "latin.toml").write_bytes(b'x = "\xff"')
    with pytest.raises(ConfigInvalid, match="UTF-8"):
        load({}, tmp_path / "latin.toml")


ALIASED = {
    "SERVER_CONFIG_ADDRESS": ("::1", lambda s: s.server.host == "::1"),
    "SERVER_CONFIG_PORT": ("1", lambda s: s.server.port == 1),
    "SERVER_CONFIG_DOMAIN": ("https://x", lambda s: s.server.domain == "https://x"),
    "SERVER_CONFIG_CORS_ALLOW_ORIGIN": ("*", lambda s: s.server.cors_origins == ["*"]),
    "SERVER_CONFIG_MAX_BODY_SIZE": ("99", lambda s: s.server.max_upload_bytes == 99),
    "SERVER_CONFIG_XHEADERS": ("1", lambda s: s.server.trust_proxy),
    "SERVER_CONFIG_AUTH_HANDLERS": ("static", lambda s: s.auth.handlers == ["static"]),
    "SERVER_CONFIG_HMAC_SECRET": ("h", lambda s: s.auth.osf.hmac_secret == "h"),
    "OSFSTORAGE_PROVIDER_CONFIG_HMAC_SECRET": ("h", lambda s: s.auth.osf.hmac_secret == "h"),
    "OSF_AUTH_CONFIG_API_URL": ("http://h", lambda s: s.auth.osf.url == "http://h"),
    "OSF_AUTH_CONFIG_JWE_SECRET": ("a", lambda s: s.auth.osf.jwe_secret == "a"),
    "OSF_AUTH_CONFIG_JWE_SALT": ("a", lambda s: s.auth.osf.jwe_salt == "a"),
    "OSF_AUTH_CONFIG_JWT_SECRET": ("a", lambda s: s.auth.osf.jwt_secret == "a"),
    "ANALYTICS_MFR_DOMAIN": ("http://m", lambda s: s.auth.osf.mfr_url == "http://m"),
    "TASKS_CONFIG_BROKER_URL": ("redis://b", lambda s: s.jobs.broker == "redis://b"),
    "TASKS_CONFIG_WAIT_TIMEOUT": ("7", lambda s: s.jobs.wait_seconds == 7),
    "SERVER_CONFIG_ENABLE_RATE_LIMITING": ("1", lambda s: s.limits.v1.enabled),
    "SERVER_CONFIG_RATE_LIMITING_FIXED_WINDOW_LIMIT": ("9", lambda s: s.limits.v1.requests == 9),
    "SERVER_CONFIG_RATE_LIMITING_FIXED_WINDOW_SIZE": (
        "60",
        lambda s: s.limits.v1.window_seconds == 60,
    ),
}


@pytest.mark.parametrize("name", ALIASES)
def test_every_alias_sets_its_setting(name):
    text, read = ALIASED[name]
    loaded = load({name: text})
    assert read(loaded.settings)
    assert loaded.origins[".".join(ALIASES[name])] == name


def test_aliases_of_one_setting_must_agree():
    names = ("SERVER_CONFIG_HMAC_SECRET", "OSFSTORAGE_PROVIDER_CONFIG_HMAC_SECRET")
    assert load(dict.fromkeys(names, "same")).settings.auth.osf.hmac_secret == "same"
    message = refused({names[0]: "hunter2", names[1]: "hunter3"})
    assert "auth.osf.hmac_secret" in message
    assert "hunter" not in message


def test_origins_say_where_each_setting_came_from(toml):
    file = toml('server.port = 1\nusers.a.token = "env:A"')
    loaded = load({"A": "x", "WATERBUTLER_SERVER_HOST": "::1"}, file, {"server.workers": 2})
    assert loaded.origins["server.port"] == str(file)
    assert loaded.origins["server.host"] == "WATERBUTLER_SERVER_HOST"
    assert loaded.origins["server.workers"] == "command line"
    assert loaded.origins["server.data"] == "default"
    assert loaded.origins["users.a.token"] == f"{file}, env:A"


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("1024", 1024), ("5GiB", 5 << 30), ("1.5 kB", 1500), ("2mib", 2 << 20), ("7B", 7)],
)
def test_sizes_are_read(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "x", "-1", "5 GiB/s", "1e3", "5i"])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(ValueError):
        parse_size(text)


@pytest.mark.parametrize(
    ("server", "url"),
    [
        ('domain = "https://f.example.org/"', "https://f.example.org"),
        ('host = "::1"', "http://[::1]:7777"),
        ('host = "0.0.0.0"\nport = 80', "http://localhost:80"),
    ],
)
def test_links_start_with_the_domain_or_the_address(toml, server, url):
    assert load({}, toml(f"[server]\n{server}")).settings.server.url == url


def test_the_switch_of_long_tests_is_no_setting(toml):
    """Programs start where it is set, and a person who has set it is not told of a wrong name."""
    assert load({long.SWITCH: "1"}, toml("")).settings == load({}, toml("")).settings


def test_importing_reads_no_environment():
    code = "import os; os.environ = None; import waterbutler.settings, waterbutler.cli.main"
    subprocess.run([sys.executable, "-c", code], check=True)
