"""The S3 provider keeps the contract, on servers that have nothing in common but the protocol."""

from collections.abc import Iterator

import pytest
from tornado.ioloop import IOLoop

from tests.providers.s3_support import PART, opened
from tests.servers.s3 import S3Server, ceph, seaweedfs
from waterbutler.http import HttpClient
from waterbutler.testing.conformance import ProviderContract
from waterbutler.testing.conformance.reading import Facts
from waterbutler.testing.conformance.versions import Versions
from waterbutler.testing.conformance.writing import Deleting
from waterbutler_s3 import S3Provider


class SetUp:
    page_entries = 250
    large_size = PART
    bucket = "first"

    @pytest.fixture
    def http(self, io_loop: IOLoop) -> Iterator[HttpClient]:
        client = HttpClient()
        yield client
        io_loop.run_sync(client.aclose)

    @pytest.fixture
    def provider(self, server: S3Server, http: HttpClient) -> S3Provider:
        return opened(server, http, bucket=self.bucket)

    @pytest.fixture
    def other(self, server: S3Server, http: HttpClient) -> S3Provider:
        return opened(server, http, bucket="second")


class OnSeaweedFS(SetUp):
    unstorable = frozenset({"a\\b"})

    @pytest.fixture
    def server(self) -> S3Server:
        return seaweedfs()


class TestSeaweedFS(OnSeaweedFS, ProviderContract):
    pass


class TestSeaweedFSWithVersions(OnSeaweedFS, Versions, Deleting, Facts):
    bucket = "versioned"


class TestCeph(SetUp, ProviderContract):
    bucket = "versioned"

    @pytest.fixture
    def server(self) -> S3Server:
        return ceph()
