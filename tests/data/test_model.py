"""Whatever is asked in whatever order, each storage holds what a simple model says."""

from functools import partial

import pytest
from hypothesis.stateful import run_state_machine_as_test

from tests.data.interleaved import InterleavedMachine
from tests.data.machine import MEDIUM, content
from tests.data.size import machine_settings
from tests.data.stores import STORES

SIZES = {
    "memory": (4, 10),
    "filesystem": (4, 10),
    "s3": (1, 8),
    "osfstorage": (3, 8),
    "osfstorage_s3": (1, 6),
}
"""How many examples, and how many steps in each."""


@pytest.fixture(params=STORES)
def machine(request, make_server, services, run, tmp_path):
    """Makes machines on a server with one of the storages."""
    name = request.param
    store = STORES[name](tmp_path)
    server = run(make_server(storages={name: store.provider}, gateway=services))
    yield partial(InterleavedMachine, server, name, store, run)
    for close in store.close:
        run(close())


def test_a_storage_holds_what_the_model_says(machine, request):
    sizes = SIZES[request.node.callspec.params["machine"]]
    run_state_machine_as_test(machine, settings=machine_settings(*sizes))


def test_each_thing_that_happens_at_the_same_time(machine, run):
    """Once each, whatever chance has chosen elsewhere."""
    one = machine()
    for halves in (False, True):
        path = f"/{halves}"
        one.make_two(path, (MEDIUM, 1000), halves=halves)
        one.agrees()
        one.replace_two(path, (MEDIUM, 1000), conditional=halves, halves=halves)
        one.agrees()
    for how in ("delete", "replace", "move"):
        run(one.read_while_it_changes("/file", content(1, one.store.large), how))
    for how in ("rename", "delete"):
        run(one.upload_while_its_folder_changes("/during/", content(2, MEDIUM), how))
        run(one.replace_while_it_changes("/during", how))
    changes = [("replace", 1), ("delete", 4), ("add", 0)]
    run(one.list_while_it_changes([f"{number}.txt" for number in range(6)], changes, 2))
    for action, name in (("copy", "copy"), ("move", "moved")):
        one.carry(action, "/True", "/", name, "warn")
        one.agrees()
    one.teardown()
