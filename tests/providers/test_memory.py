"""The storage in memory keeps the contract."""

import pytest

from waterbutler.testing.conformance import ProviderContract
from waterbutler.testing.memory import MemoryProvider


class TestMemory(ProviderContract):
    """The reference implementation."""

    capabilities = MemoryProvider.capabilities

    @pytest.fixture
    def provider(self):
        return MemoryProvider()

    @pytest.fixture
    def other(self):
        return MemoryProvider()
