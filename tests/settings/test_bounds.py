"""Settings that lie beyond all bounds are refused in one line."""

import pytest

from waterbutler.core.errors import ConfigInvalid
from waterbutler.settings import load, parse_size


@pytest.mark.parametrize("size", ["9" * 400, "9" * 308 + "PiB"])
def test_a_size_that_no_disk_has_is_refused(size):
    with pytest.raises(ValueError, match="no disk"):
        parse_size(size)


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 5000,
        "server.port = " + "9" * 5000,
        'users.a.token = "file:/a\\u0000b"',
        f'host.quota = "{"9" * 400}"',
    ],
    ids=["nested", "digits", "name of a file", "size"],
)
def test_a_file_with_such_a_setting_is_refused(tmp_path, text):
    file = tmp_path / "config.toml"
    file.write_text(text)
    with pytest.raises(ConfigInvalid) as refusal:
        load({}, file)
    assert len(refusal.value.message.splitlines()) == 1


def test_a_variable_that_is_nested_without_end_is_refused():
    with pytest.raises(ConfigInvalid, match=r"server\.cors_origins"):
        load({"WATERBUTLER_SERVER_CORS_ORIGINS": "[" * 100_000})
