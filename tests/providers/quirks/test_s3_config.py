"""What settings and credentials come to."""

import pytest
from yarl import URL

from waterbutler.core.errors import ConfigInvalid
from waterbutler.http import HttpClient
from waterbutler.plugins import Context, Mount, Registry
from waterbutler_s3 import S3Provider
from waterbutler_s3.config import S3Credentials, S3Settings, understand
from waterbutler_s3.signing import Keys, Signer, host_of
from waterbutler_s3.writing import MAX_SIZE, WriteOptions


def address(key="a b/ü", region=None, credentials=None, **settings):
    setup = understand(S3Settings(**settings), credentials or S3Credentials())
    return setup.place.url(region or setup.region, setup.prefix + key)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"bucket": "b-1"}, "https://b-1.s3.us-east-1.amazonaws.com/a%20b/%C3%BC"),
        ({"bucket": "b.1"}, "https://s3.us-east-1.amazonaws.com/b.1/a%20b/%C3%BC"),
        (
            {"bucket": "b-1", "region": "cn-north-1"},
            "https://b-1.s3.cn-north-1.amazonaws.com.cn/a%20b/%C3%BC",
        ),
        (
            {"id": "b-1:/base/folder/"},
            "https://b-1.s3.us-east-1.amazonaws.com/base/folder/a%20b/%C3%BC",
        ),
        ({"id": "b-1:/"}, "https://b-1.s3.us-east-1.amazonaws.com/a%20b/%C3%BC"),
        (
            {"id": "x:/y/", "bucket": "b-1", "prefix": "/p"},
            "https://b-1.s3.us-east-1.amazonaws.com/p/a%20b/%C3%BC",
        ),
        ({"bucket": "b", "endpoint_url": "http://h:9000/"}, "http://h:9000/b/a%20b/%C3%BC"),
        ({"bucket": "b", "endpoint_url": "https://h:443/s3"}, "https://h/s3/b/a%20b/%C3%BC"),
        ({"bucket": "b", "endpoint_url": "http://[::1]:9000"}, "http://[::1]:9000/b/a%20b/%C3%BC"),
        (
            {"bucket": "b", "endpoint_url": "https://s3.amazonaws.com", "addressing_style": "path"},
            "https://s3.us-east-1.amazonaws.com/b/a%20b/%C3%BC",
        ),
        (
            {"bucket": "b-1", "host": "s3.eu-west-1.amazonaws.com"},
            "https://b-1.s3.eu-west-1.amazonaws.com/a%20b/%C3%BC",
        ),
        (
            {"bucket": "b", "host": "h", "port": 9000, "secure": False},
            "http://h:9000/b/a%20b/%C3%BC",
        ),
        (
            {"bucket": "b", "host": "h.example", "addressing_style": "virtual"},
            "https://b.h.example/a%20b/%C3%BC",
        ),
    ],
)
def test_addresses(settings, expected):
    assert address(**settings) == expected


def test_the_credentials_may_hold_the_host():
    given = S3Credentials(access_key="a", secret_key="s", host="h", port=81, secure=False)
    assert address(bucket="b", credentials=given) == "http://h:81/b/a%20b/%C3%BC"


def test_another_region_is_another_host():
    assert address(bucket="b-1", region="eu-north-1").startswith("https://b-1.s3.eu-north-1.")
    assert address(bucket="b", endpoint_url="http://h", region="x") == address(
        bucket="b", endpoint_url="http://h"
    )


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"bucket": ""},
        {"bucket": "a/b"},
        {"bucket": "a..b"},
        {"bucket": "b", "endpoint_url": "ftp://h"},
        {"bucket": "b", "endpoint_url": "https://user:secret@h"},
        {"bucket": "b", "endpoint_url": "https://h?x=1"},
        {"bucket": "b", "endpoint_url": "https://h:99999"},
        {"bucket": "b", "endpoint_url": "nothing"},
        {"bucket": "b", "region": "a b"},
        {"bucket": "b", "dialect": "klingon"},
        {"bucket": "b", "prefix": "a\0b"},
        {"bucket": "b", "endpoint_url": "http://127.0.0.1", "addressing_style": "virtual"},
    ],
)
def test_settings_that_make_no_sense(settings):
    with pytest.raises(ConfigInvalid) as caught:
        understand(S3Settings(**settings), S3Credentials())
    assert "secret" not in str(caught.value)


def test_half_a_pair_of_keys():
    with pytest.raises(ConfigInvalid):
        understand(S3Settings(bucket="b"), S3Credentials(access_key="a"))


def test_hosts_send_what_they_like(tmp_path):
    """Numbers as texts, nulls for nothing, and keys that nobody knows."""
    mount = Mount(
        provider="s3",
        name="bucket",
        settings={
            "bucket": "b",
            "id": "b:/f/",
            "encrypt_uploads": "true",
            "nid": "x",
            "region": None,
            "host": None,
            "versions": None,
            "dialect": None,
        },
        credentials={"access_key": "a", "secret_key": "hush", "port": "9000", "host": "h"},
    )
    storage = S3Provider.open(mount, Context(Registry(), tmp_path, HttpClient()))
    assert storage.info.root == "s3://h:9000/b/f/"
    assert storage.info.label == "s3 bucket"
    assert "hush" not in repr(vars(storage))


@pytest.mark.parametrize(
    ("settings", "exclusive", "versions"),
    [
        ({}, True, True),
        ({"dialect": "ceph"}, False, True),
        ({"dialect": "minio", "versions": False}, True, False),
        ({"endpoint_url": "https://x.r2.cloudflarestorage.com"}, False, False),
        ({"endpoint_url": "https://unknown.example"}, False, True),
    ],
)
def test_the_dialect_says_what_is_possible(settings, exclusive, versions, tmp_path):
    mount = Mount(provider="s3", settings={"bucket": "b", **settings})
    can = S3Provider.open(mount, Context(Registry(), tmp_path)).capabilities
    assert (can.exclusive_create, can.versions, can.sign) == (exclusive, versions, False)


def test_parts_grow_with_the_file():
    """No file has more than 10,000, and all that S3 takes can be sent."""
    options = WriteOptions(part_size=8 << 20, concurrency=4, headers={})
    for total in (1, 8 << 20, 80 << 30, 1 << 40, MAX_SIZE):
        size = options.size_of(1, total, equal=False)
        assert -(-total // size) <= 10_000
        assert 8 << 20 <= size <= 5 << 30
    assert options.size_of(10_000, None, equal=True) == 8 << 20
    growing = [options.size_of(number, None, equal=False) for number in range(1, 10_001)]
    assert max(growing) <= 5 << 30
    assert sum(growing) >= MAX_SIZE


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://s3.example.org/bucket/key", "s3.example.org"),
        ("http://s3.example.org:80/bucket", "s3.example.org"),
        ("http://s3.example.org:443/bucket", "s3.example.org:443"),
        ("https://Bucket.S3.example.org:443/key", "bucket.s3.example.org"),
        ("https://s3.example.org:8080", "s3.example.org:8080"),
        ("https://[::1]:443/a:80/key", "[::1]"),
    ],
)
def test_the_host_that_is_signed_is_the_one_that_is_sent(url, host):
    """The HTTP client would say the same: a port that goes without saying is left out."""
    assert host_of(url) == host == URL(url).host_port_subcomponent
    assert (
        Signer(Keys("id", "secret")).headers("GET", url, {}, region="us-east-1", payload=None)[
            "Host"
        ]
        == host
    )
