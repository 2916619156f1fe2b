"""The conformance suite: what the contract of `waterbutler.core.Provider` says, as tests.

A provider's test file gives fixtures and inherits the rest::

    class TestMyStorage(ProviderContract):
        unstorable = frozenset({"con.txt"})

        @pytest.fixture
        def provider(self, tmp_path: Path) -> Provider:
            return MyStorage(tmp_path)

What the provider declares in its capabilities is tested; what it does not declare is tested to be
refused. A storage that needs something running takes further fixtures as usual; ``io_loop`` is the
loop that the tests run on.
"""

from waterbutler.testing.conformance.concurrency import Concurrency
from waterbutler.testing.conformance.copying import Copying
from waterbutler.testing.conformance.failing import Failing
from waterbutler.testing.conformance.folders import Folders, Listing
from waterbutler.testing.conformance.naming import Naming
from waterbutler.testing.conformance.parts import Parts
from waterbutler.testing.conformance.reading import Facts, Ranges, Reading
from waterbutler.testing.conformance.replacing import Replacing
from waterbutler.testing.conformance.times import Times
from waterbutler.testing.conformance.versions import Extras, Versions
from waterbutler.testing.conformance.writing import Deleting, Writing

__all__ = ["ProviderContract"]


class ProviderContract(
    Reading,
    Ranges,
    Facts,
    Writing,
    Deleting,
    Listing,
    Folders,
    Copying,
    Replacing,
    Versions,
    Extras,
    Parts,
    Times,
    Naming,
    Failing,
    Concurrency,
):
    """All themes together; inherit it in a class whose name pytest collects.

    Give the fixture ``provider``, and ``other`` if the storage can copy between two of its kind.
    Override `page_entries`, `large_size` and `unstorable` as the storage is, and `seed` if it is
    read-only. Errors of the wrong class, leftovers and tasks that go on running all fail.
    """
