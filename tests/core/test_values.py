"""Hashes, capabilities, errors, entries, actions."""

import ast
import asyncio
import hashlib
import re
from dataclasses import FrozenInstanceError
from pathlib import Path as FsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

import waterbutler.core
from waterbutler.core import (
    ROOT,
    AccessRequest,
    Action,
    ByteStream,
    Capabilities,
    Entry,
    Grant,
    Hasher,
    Identity,
    PartLimits,
    User,
    Version,
    errors,
)
from waterbutler.testing.memory import MemoryProvider

ERRORS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, errors.WaterButlerError)
]


class TestHasher:
    @pytest.mark.parametrize("size", [0, 1, 16_384, 16_385, 300_000])
    async def test_digests(self, size):
        """Chunks below and above the inline size give the digest of the whole."""
        data = bytes(range(256)) * (size // 256 + 1)
        data = data[:size]
        hasher = Hasher(["md5", "sha256"])
        async for chunk in ByteStream.of(data, chunk_size=100_000).tee(hasher):
            assert chunk
        assert (await hasher.digests()) == {
            "md5": hashlib.md5(data).hexdigest(),
            "sha256": hashlib.sha256(data).hexdigest(),
        }

    @given(st.lists(st.binary(max_size=50)))
    def test_chunks_do_not_matter(self, chunks):
        """Only the bytes count."""
        hasher = Hasher(["sha1"])
        for chunk in chunks:
            hasher.update(chunk)
        assert asyncio.run(hasher.digests()) == {"sha1": hashlib.sha1(b"".join(chunks)).hexdigest()}

    async def test_no_hashes(self):
        """Nothing asked, nothing done."""
        hasher = Hasher([])
        await hasher.feed(b"x" * 100_000)
        assert (await hasher.digests()) == {}

    async def test_digests_so_far(self):
        """Asking does not end the hashing."""
        hasher = Hasher(["md5"])
        assert (await hasher.digests()) == {"md5": hashlib.md5(b"").hexdigest()}
        hasher.update(b"a")
        assert (await hasher.digests()) == {"md5": hashlib.md5(b"a").hexdigest()}

    def test_unknown_names(self):
        """A hash that nobody can compute is a mistake in the program."""
        with pytest.raises(ValueError, match="nohash"):
            Hasher(["nohash"])


class TestCapabilities:
    def test_nothing_is_declared_by_default(self):
        """What a storage can do, it says."""
        can = Capabilities()
        operations = ("write", "make_folder", "copy_from", "move_from", "versions", "sign")
        for name in (*operations, "free_space", "exclusive_create", "keeps_modified"):
            assert getattr(can, name) is False

    def test_read_only(self):
        """Nothing that changes the storage is left, and everything else is."""
        full = Capabilities(
            write=True,
            make_folder=True,
            copy_from=True,
            move_from=True,
            versions=True,
            sign=True,
            free_space=True,
            exclusive_create=True,
            keeps_modified=True,
            ranged_read=False,
            duplicate_names=True,
            empty_folders=False,
            case_insensitive=True,
            max_file_size=5,
            parts=PartLimits(1, 2, 3),
            hashes=frozenset({"md5"}),
        )
        assert full.read_only() == Capabilities(
            versions=True,
            sign=True,
            ranged_read=False,
            duplicate_names=True,
            empty_folders=False,
            case_insensitive=True,
            hashes=frozenset({"md5"}),
        )

    def test_read_only_twice(self):
        """What is read-only already stays as it is."""
        once = MemoryProvider.capabilities.read_only()
        assert once.read_only() == once

    def test_they_do_not_change(self):
        """Capabilities are a value."""
        with pytest.raises(FrozenInstanceError):
            Capabilities().write = True


class TestErrors:
    @pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__name__)
    def test_each_has_a_message(self, kind):
        """The message is the text of the error."""
        arguments = {
            errors.RangeNotSatisfiable: {"total": 5},
            errors.Relayed: {"status": 410, "body": {}},
        }
        more = arguments.get(kind, {})
        error = kind("What happened.", **more)
        assert str(error) == error.message == "What happened."
        assert kind.__doc__

    def test_the_tree_is_drawn_as_it_is(self):
        """The picture in the module's docstring shows each class under its base."""
        drawn = {}
        stack = []
        for line in (errors.__doc__ or "").splitlines():
            found = re.match(r"^    ([│├└─ ]*)(\w+)(\s+temporary)?$", line)
            if not found:
                continue
            depth = len(found[1]) // 3
            del stack[depth:]
            drawn[found[2]] = (stack[-1] if stack else "Exception", bool(found[3]))
            stack.append(found[2])
        actual = {kind.__name__: (kind.__base__.__name__, kind.temporary) for kind in ERRORS}
        assert drawn == actual

    def test_context(self):
        """Errors carry what the reader needs to place them."""
        error = errors.RateLimited("Slow down.", path="/a", provider="memory", retry_after=2.5)
        assert (error.path, error.provider, error.retry_after) == ("/a", "memory", 2.5)
        assert errors.NotFound("no").path is None

    def test_already_exists_shows_what_is_there(self):
        """The thing that has the name travels with the error."""
        entry = Entry(path=ROOT.child("a"))
        assert errors.AlreadyExists("taken", entry=entry, path="/a").entry is entry
        assert errors.AlreadyExists("taken").entry is None

    def test_a_bad_range_says_the_size(self):
        """A client can ask again with a range that fits."""
        assert errors.RangeNotSatisfiable("outside", total=7).total == 7


class TestValues:
    def test_an_entry_is_of_its_paths_kind(self):
        """Kind and name come from the path."""
        file, folder = Entry(path=ROOT.child("a")), Entry(path=ROOT.child("b", folder=True))
        assert (file.name, file.is_folder) == ("a", False)
        assert (folder.name, folder.is_folder) == ("b", True)

    @pytest.mark.parametrize("name", ["hashes", "extra"])
    def test_empty_mappings_cannot_be_filled(self, name):
        """Entries share the empty mapping, so nobody may write into it."""
        with pytest.raises(TypeError):
            getattr(Entry(path=ROOT), name)["a"] = "b"
        with pytest.raises(TypeError):
            getattr(Version(id="1"), name)["a"] = "b"

    @pytest.mark.parametrize(
        ("action", "writes"),
        [
            (Action.METADATA, False),
            (Action.DOWNLOAD, False),
            (Action.ZIP, False),
            (Action.REVISIONS, False),
            (Action.RENDER, False),
            (Action.EXPORT, False),
            (Action.COPY_FROM, False),
            (Action.CREATE_FILE, True),
            (Action.UPDATE_FILE, True),
            (Action.CREATE_FOLDER, True),
            (Action.DELETE, True),
            (Action.RENAME, True),
            (Action.COPY_TO, True),
            (Action.MOVE_FROM, True),
            (Action.MOVE_TO, True),
        ],
        ids=str,
    )
    def test_which_actions_write(self, action, writes):
        """Copying reads its source; moving changes it."""
        assert action.writes is writes

    def test_secrets_are_not_shown(self):
        """What a client or a host sends in confidence is in no log."""
        secret = "s3cret"
        identity = Identity(
            authorization=secret,
            cookies={"a": secret},
            cookie=secret,
            view_only=secret,
            csrf_token=secret,
            uri=secret,
            headers={"a": secret},
        )
        grant = Grant(user=User(), provider="memory", credentials={"key": secret}, view_only=secret)
        request = AccessRequest(
            resource="a", provider="b", action=Action.DELETE, path="/", identity=identity
        )
        assert secret not in f"{identity!r} {grant!r} {request!r}"
        assert repr(Identity(origin="http://a", cookie=secret)) == (
            "Identity(same_origin=False, referrer=None, user_agent=None, origin='http://a')"
        )
        assert "provider='memory'" in repr(grant)

    def test_defaults_are_not_shared_by_accident(self):
        """Two values made without arguments are equal and cannot be changed through each other."""
        assert Identity() == Identity()
        for name in Identity.__struct_fields__:
            value = getattr(Identity(), name)
            assert not isinstance(value, dict | list | set), name


class TestProviderDefaults:
    async def test_what_is_optional_is_refused(self):
        """A provider that says nothing can do nothing, and its message names the storage."""

        class Bare(waterbutler.core.Provider):
            info = waterbutler.core.StorageInfo("bare", "bare://", "the bare one")
            capabilities = Capabilities()

            async def stat(self, path, *, version=None):
                return Entry(path=path)

            async def list(self, path):
                return
                yield

            async def read(self, path, *, range=None, version=None):
                raise errors.NotFound("nothing")

        bare = Bare()
        path = ROOT.child("a")
        for call in (
            bare.write(path, ByteStream.of(b"")),
            bare.delete(path),
            bare.make_folder(path.as_folder()),
            bare.copy_from(bare, path, path),
            bare.move_from(bare, path, path),
            bare.sign(path),
            bare.free_space(),
        ):
            with pytest.raises(errors.Unsupported, match="the bare one"):
                await call
        with pytest.raises(errors.Unsupported, match="versions"):
            bare.versions(path)
        assert await bare.locate(path) is path
        assert bare.wire_path(path) is path
        assert bare.unwrapped is bare
        await bare.check()
        await bare.aclose()


def test_everything_public_is_exported():
    """What the package imports for its users is what it says it has."""
    source = ast.parse(FsPath(waterbutler.core.__file__).read_text())
    imported = {
        alias.name
        for node in source.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert imported == set(waterbutler.core.__all__)
