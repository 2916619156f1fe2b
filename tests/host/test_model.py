"""Whatever is done in whatever order, the tree is what a simple model says."""

import asyncio
import tempfile
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from tests.host.conftest import DATABASES, blob, consistent, new_database
from waterbutler.core.errors import WaterButlerError
from waterbutler.core.filetree import Destination
from waterbutler.host import Database, EmbeddedTrees

RESOURCES = ("guid0", "guid1")
LIMIT = 30
NAMES = st.sampled_from(["a", "b", "c"])
CONTENTS = st.sampled_from(["", "1", "22", "333", "666666"])


@dataclass(eq=False)
class Thing:
    """A node of the model: a folder with things by name and kind, or a file with contents."""

    folder: bool
    resource: str
    inside: dict[tuple[str, bool], "Thing"] = field(default_factory=dict)
    contents: list[str] = field(default_factory=list)
    checkout: str | None = None
    above: "Thing | None" = None
    id: str = ""

    def everything(self):
        yield self
        for thing in self.inside.values():
            yield from thing.everything()

    @property
    def size(self):
        return sum(len(content) for thing in self.everything() for content in thing.contents)

    @property
    def checked_out(self):
        return any(thing.checkout for thing in self.everything())

    @property
    def lineage(self):
        here = self
        while here is not None:
            yield here
            here = here.above

    @property
    def place(self):
        return next(key for key, thing in self.above.inside.items() if thing is self)

    def twin(self, resource):
        made = Thing(self.folder, resource, contents=list(self.contents))
        for key, thing in self.inside.items():
            made.put(key, thing.twin(resource))
        return made

    def put(self, key, thing):
        self.inside[key], thing.above = thing, self

    def shown(self):
        if not self.folder:
            return (list(self.contents), self.checkout)
        return {key: thing.shown() for key, thing in self.inside.items()}


class Refused(Exception):
    """What the model answers where the tree raises."""


def refuse(condition):
    if condition:
        raise Refused


class Machine(RuleBasedStateMachine):
    """Random changes of two resources, one of which has a limit."""

    kind = "sqlite"
    things = Bundle("things")

    def __init__(self):
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.database = new_database(self.kind, self.folder.name)
        limits = {"guid1": LIMIT}
        self.trees = EmbeddedTrees(Database(self.database.__enter__()), limits=limits.get)
        self.roots = {}
        for resource in RESOURCES:
            root = self.roots[resource] = Thing(True, resource)
            root.id = self.run(self.trees.tree(resource).item()).id

    def teardown(self):
        self.run(consistent(self.trees))
        self.run(self.trees.aclose())
        self.runner.close()
        self.database.__exit__(None, None, None)
        self.folder.cleanup()

    def run(self, call):
        return self.runner.run(call)

    def both(self, call, model):
        """Do the same in both; they agree about whether it can be done."""
        try:
            expected = model()
        except Refused:
            expected = Refused
        try:
            result = self.run(call)
        except WaterButlerError:
            assert expected is Refused
            return None, None
        assert expected is not Refused
        return result, expected

    def alive(self, thing):
        return self.roots[thing.resource] in thing.lineage

    def use(self, resource, size):
        total = self.roots[resource].size + size
        refuse(resource == "guid1" and size > 0 and total > LIMIT)

    @rule(target=things, resource=st.sampled_from(RESOURCES))
    def root(self, resource):
        return self.roots[resource]

    @rule(target=things, above=things, name=NAMES)
    def make_folder(self, above, name):
        made = Thing(True, above.resource)

        def model():
            refuse(not self.alive(above) or not above.folder or (name, True) in above.inside)
            above.put((name, True), made)

        tree = self.trees.tree(above.resource)
        result, _ = self.both(tree.make_folder(above.id, name, user=None), model)
        made.id = result.id if result else "gone"
        return made

    @rule(target=things, above=things, name=NAMES, content=CONTENTS, user=st.sampled_from("xy"))
    def record(self, above, name, content, user):
        known = above.inside.get((name, False)) if above.folder else None
        file = known or Thing(False, above.resource)

        def model():
            refuse(not self.alive(above) or not above.folder)
            refuse(file.checkout not in {None, user})
            if file.contents[-1:] == [content]:
                return
            self.use(above.resource, len(content))
            file.contents.append(content)
            above.put((name, False), file)

        tree = self.trees.tree(above.resource)
        result, _ = self.both(tree.record(above.id, name, blob(content), user=user), model)
        if known is None:
            file.id = result.node.id if result else "gone"
        return file

    @rule(thing=things)
    def delete(self, thing):
        def model():
            refuse(not self.alive(thing) or thing.above is None or thing.checked_out)
            del thing.above.inside[thing.place]
            thing.above = None

        self.both(self.trees.tree(thing.resource).delete(thing.id, user=None), model)

    @rule(thing=things, above=things, name=NAMES, replace=st.booleans())
    def move(self, thing, above, name, replace):
        key = (name, thing.folder)

        def model():
            refuse(not self.alive(thing) or not self.alive(above) or thing.above is None)
            refuse(not above.folder or thing in list(above.lineage) or thing.checked_out)
            taken = above.inside.get(key)
            if taken is thing:
                return
            self.make_way(thing, taken, replace)
            if thing.resource != above.resource:
                freed = taken.size if taken else 0
                self.use(above.resource, thing.size - freed if thing.size else 0)
            if taken:
                taken.above = None
                del above.inside[key]
            del thing.above.inside[thing.place]
            above.put(key, thing)
            for part in thing.everything():
                part.resource = above.resource

        to = Destination(resource=above.resource, parent=above.id, name=name)
        tree = self.trees.tree(thing.resource)
        self.both(tree.move(thing.id, to, user=None, replace=replace), model)

    @rule(target=things, thing=things, above=things, name=NAMES, replace=st.booleans())
    def copy(self, thing, above, name, replace):
        key = (name, thing.folder)
        made = thing.twin(above.resource)

        def model():
            refuse(not self.alive(thing) or not self.alive(above))
            refuse(not above.folder or thing in list(above.lineage))
            taken = above.inside.get(key)
            refuse(taken is thing)
            self.make_way(thing, taken, replace)
            freed = taken.size if taken else 0
            self.use(above.resource, thing.size - freed if thing.size else 0)
            if taken:
                taken.above = None
            above.put(key, made)

        to = Destination(resource=above.resource, parent=above.id, name=name)
        tree = self.trees.tree(thing.resource)
        result, _ = self.both(tree.copy(thing.id, to, user=None, replace=replace), model)
        made.id = result.id if result else "gone"
        if result:
            self.run(self.learn(made))
        return made

    @rule(thing=things, user=st.sampled_from("xy"))
    def check_out(self, thing, user):
        def model():
            refuse(not self.alive(thing) or thing.folder or thing.checkout not in {None, user})
            thing.checkout = user

        self.both(self.trees.tree(thing.resource).check_out(thing.id, user=user), model)

    @rule(thing=things)
    def check_in(self, thing):
        def model():
            refuse(not self.alive(thing) or thing.folder)
            thing.checkout = None

        self.both(self.trees.tree(thing.resource).check_in(thing.id), model)

    def make_way(self, thing, taken, replace):
        if taken is not None:
            refuse(not replace or taken in list(thing.lineage) or taken.checked_out)

    async def learn(self, folder):
        """The ids of what is in a copy."""
        if folder.folder:
            async for node in self.trees.tree(folder.resource).children(folder.id):
                thing = folder.inside[node.name, node.is_folder]
                thing.id = node.id
                await self.learn(thing)

    async def shown(self, tree, id):
        found = {}
        async for node in tree.children(id):
            if node.is_folder:
                found[node.name, True] = await self.shown(tree, node.id)
            else:
                numbers = range(1, node.version + 1)
                objects = [(await tree.locate(node.id, version=n)).object for n in numbers]
                found[node.name, False] = (objects, node.checkout)
        return found

    @invariant()
    def the_same_is_shown(self):
        for resource, root in self.roots.items():
            tree = self.trees.tree(resource)
            expected = as_objects(root.shown())
            assert self.run(self.shown(tree, root.id)) == expected
            assert self.run(tree.quota()).used == root.size


def as_objects(shown):
    if isinstance(shown, dict):
        return {key: as_objects(value) for key, value in shown.items()}
    contents, checkout = shown
    return ([blob(content).object for content in contents], checkout)


@pytest.mark.parametrize("kind", DATABASES)
def test_the_tree_is_what_the_model_says(kind):
    """Random sequences of changes, compared after each step."""
    machine = type("Machine", (Machine,), {"kind": kind})
    few = settings(
        max_examples=25 if kind == "sqlite" else 5,
        stateful_step_count=25,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(machine, settings=few)
