"""The suite passes for honest providers that can do little."""

import importlib.util
from pathlib import Path

import pytest

from waterbutler.core import WriteMode
from waterbutler.testing.conformance import ProviderContract
from waterbutler.testing.memory import MemoryProvider

_spec = importlib.util.spec_from_file_location("flat", Path(__file__).with_name("flat.py"))
flat = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(flat)


class TestFlat(ProviderContract):
    """Keys without folders."""

    capabilities = flat.FlatProvider.capabilities
    page_entries = 90
    large_size = 1 << 18

    @pytest.fixture
    def provider(self):
        return flat.FlatProvider()


class ReadOnly(MemoryProvider):
    """Memory that can only be read from outside."""

    capabilities = MemoryProvider.capabilities.read_only()

    async def write(self, path, body, *, mode=WriteMode.REPLACE, content_type=None, modified=None):
        raise self._unsupported("write")

    async def delete(self, path):
        raise self._unsupported("delete")

    async def make_folder(self, path):
        raise self._unsupported("make_folder")

    async def copy_from(self, source, at, to, *, mode=WriteMode.CREATE):
        raise self._unsupported("copy_from")

    async def move_from(self, source, at, to, *, mode=WriteMode.CREATE):
        raise self._unsupported("move_from")

    async def begin_parts(self, path, *, size, noted=None):
        raise self._unsupported("parts")

    async def put_part(self, path, upload, number, body, *, sha256):
        raise self._unsupported("parts")

    async def finish_parts(self, path, upload, parts, *, mode=WriteMode.REPLACE, modified=None):
        raise self._unsupported("parts")

    async def abort_parts(self, path, upload):
        raise self._unsupported("parts")


class TestReadOnly(ProviderContract):
    """What cannot be written to is filled by other means."""

    capabilities = ReadOnly.capabilities
    large_size = 1 << 18

    @pytest.fixture
    def provider(self):
        return ReadOnly()

    async def seed(self, provider, content):
        inner = MemoryProvider()
        await super().seed(inner, content)
        provider._root = inner._root
