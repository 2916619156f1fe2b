"""Whatever is asked in whatever order, each storage holds what a simple model says."""

import pytest
from hypothesis.stateful import run_state_machine_as_test

from tests.data.interleaved import InterleavedMachine
from tests.data.size import machine_settings
from tests.data.stores import STORES

SIZES = {
    "memory": (6, 10),
    "filesystem": (6, 10),
    "s3": (2, 7),
    "osfstorage": (4, 10),
    "osfstorage_s3": (1, 8),
}
"""How many examples, and how many steps in each."""


@pytest.mark.parametrize("name", STORES)
def test_a_storage_holds_what_the_model_says(name, make_server, services, run, tmp_path):
    store = STORES[name](tmp_path)
    try:
        server = run(make_server(storages={name: store.provider}, gateway=services))
        run_state_machine_as_test(
            lambda: InterleavedMachine(server, name, store, run),
            settings=machine_settings(*SIZES[name]),
        )
    finally:
        for close in store.close:
            run(close())
