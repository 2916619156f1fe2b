"""The set-up without a configuration file, and what may be shown to a network."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from waterbutler.core.errors import ConfigInvalid
from waterbutler.settings import (
    PUBLISHED_SECRETS,
    OsfSettings,
    ServerSettings,
    Settings,
    UserSettings,
    check_exposure,
    load_standalone,
    session_secret,
    standalone,
)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def data_in(tmp_path: Path) -> dict[str, object]:
    return {"server.data": str(tmp_path / "data")}


def test_there_is_an_admin_with_a_private_token_and_a_demo_with_files(tmp_path):
    data = tmp_path / "deep" / "data"
    settings = standalone(data)
    token = settings.users["admin"].token
    assert len(token) >= 32
    assert (data / "token").read_text().strip() == token
    assert mode(data / "token") == 0o600
    assert mode(data) == 0o700
    demo = settings.resources["demo"]
    assert demo.access == {"admin": "write"}
    assert list(demo.providers) == ["osfstorage", "filesystem"]
    folder = str(data / "blobs")
    blobs = {"provider": "filesystem", "folder": folder, "create": True, "hashes": False}
    assert demo.providers["osfstorage"].settings == {"storage": blobs}
    mount = demo.providers["filesystem"]
    assert mount.provider == "filesystem"
    assert mount.settings == {"folder": str(data / "files")}
    assert (data / "files").is_dir()
    assert settings.server.host == "127.0.0.1"


def test_the_token_stays_the_same(tmp_path):
    assert standalone(tmp_path).users == standalone(tmp_path).users


def test_servers_that_start_together_agree_on_the_token(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        tokens = {
            settings.users["admin"].token
            for settings in pool.map(lambda _: standalone(tmp_path), range(16))
        }
    assert len(tokens) == 1
    assert sorted(file.name for file in tmp_path.iterdir()) == ["files", "token"]


def test_a_token_that_others_could_read_is_closed_to_them(tmp_path):
    standalone(tmp_path)
    (tmp_path / "token").chmod(0o644)
    standalone(tmp_path)
    assert mode(tmp_path / "token") == 0o600


def test_an_empty_token_is_refused(tmp_path):
    (tmp_path / "token").touch()
    with pytest.raises(ConfigInvalid, match="empty"):
        standalone(tmp_path)


def test_a_data_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "data").touch()
    with pytest.raises(ConfigInvalid, match="data"):
        standalone(tmp_path / "data")


def test_the_environment_wins_over_the_set_up(tmp_path):
    environ = {
        "WATERBUTLER_SERVER_DATA": str(tmp_path / "there"),
        "WATERBUTLER_SERVER_PORT": "0",
        "WATERBUTLER_RESOURCES_DEMO_TITLE": "Mine",
        "WATERBUTLER_USERS_BOB_TOKEN": "bobs",
    }
    loaded = load_standalone(environ)
    settings = loaded.settings
    assert loaded.standalone
    assert settings.server.port == 0
    assert settings.resources["demo"].title == "Mine"
    assert settings.resources["demo"].providers["filesystem"].settings == {
        "folder": str(tmp_path / "there" / "files")
    }
    assert set(settings.users) == {"admin", "bob"}


def test_a_token_of_ones_own_is_not_generated(tmp_path):
    loaded = load_standalone({"WATERBUTLER_USERS_ADMIN_TOKEN": "mine"}, data_in(tmp_path))
    assert loaded.settings.users["admin"].token == "mine"
    assert not loaded.generated
    assert not (tmp_path / "data" / "token").exists()


def test_a_generated_token_is_said_to_be_one(tmp_path):
    assert load_standalone({}, data_in(tmp_path)).generated


def test_looking_makes_nothing(tmp_path):
    load_standalone({}, data_in(tmp_path), create=False)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_name_has_its_nearest(tmp_path):
    with pytest.raises(ConfigInvalid, match="WATERBUTLER_USERS_ADMIN_TOKEN"):
        load_standalone({"WATERBUTLER_USERS_ADMIN_TOKN": "x"}, data_in(tmp_path))


def on(host: str) -> Settings:
    return Settings(server=ServerSettings(host=host))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_on_loopback_everything_goes(host):
    check_exposure(on(host), generated=True)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.168.1.2", "files.example.org"])
def test_a_generated_token_is_not_shown_to_a_network(host):
    with pytest.raises(ConfigInvalid, match="generated"):
        check_exposure(on(host), generated=True)
    check_exposure(on(host), generated=False)


@pytest.mark.parametrize("secret", sorted(PUBLISHED_SECRETS))
def test_published_secrets_are_not_shown_to_a_network(secret):
    open = on("0.0.0.0")
    osf = msgspec.structs.replace(open.auth, osf=OsfSettings(hmac_secret=secret))
    for settings, key in (
        (msgspec.structs.replace(open, auth=osf), "auth.osf.hmac_secret"),
        (msgspec.structs.replace(open, users={"a": UserSettings(token=secret)}), "users.a.token"),
        (
            Settings(server=ServerSettings(host="0.0.0.0", session_secret=secret)),
            "server.session_secret",
        ),
    ):
        with pytest.raises(ConfigInvalid, match=key) as caught:
            check_exposure(settings, generated=False)
        assert secret not in caught.value.message


def test_the_session_secret_is_kept(tmp_path):
    settings = Settings(server=ServerSettings(data=str(tmp_path / "data")))
    secret = session_secret(settings)
    assert len(secret) >= 32
    assert session_secret(settings) == secret
    assert mode(tmp_path / "data" / "session.key") == 0o600


def test_the_session_secret_can_be_set(tmp_path):
    server = ServerSettings(data=str(tmp_path / "data"), session_secret="mine")
    assert session_secret(Settings(server=server)) == b"mine"
    assert not (tmp_path / "data").exists()
