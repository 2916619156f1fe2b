"""Names that storages get wrong."""

from __future__ import annotations

import pytest

from waterbutler.core import ROOT, ByteRange, Path, Provider, WriteMode
from waterbutler.core.errors import NotFound, WaterButlerError
from waterbutler.testing.conformance.base import ContractBase, contents, get, listing, put

NAMES = {
    "space": "two words.txt",
    "leading space": " lead",
    "trailing space": "trail ",
    "only spaces": "   ",
    "hidden": ".hidden",
    "only an extension": ".a",
    "trailing dot": "end.",
    "three dots": "...",
    "dots inside": "a..b",
    "two extensions": "x.tar.gz",
    "numbered": "ends (1).txt",
    "only a number": " (1)",
    "composed": "caf\N{LATIN SMALL LETTER E WITH ACUTE}.txt",
    "decomposed": "cafe\N{COMBINING ACUTE ACCENT}.txt",
    "emoji": "\N{PARTY POPPER}.png",
    "joined emoji": "\N{MAN}\N{ZERO WIDTH JOINER}\N{WOMAN}",
    "cjk": "漢字かな.txt",
    "right to left": "שלום.txt",
    "apostrophe": "it's",
    "quotes": 'say "hi"',
    "percent": "100%",
    "escape": "a%2Fb%20c",
    "bad escape": "%zz",
    "plus": "a+b c",
    "hash": "a#b",
    "question mark": "a?b=c",
    "ampersand": "a&b;c=d",
    "backslash": "a\\b",
    "colon": "C:x",
    "star": "a*b?",
    "pipe": "a|b",
    "angles": "<a>",
    "brackets": "[a]{b}",
    "dollar": "$HOME `x`",
    "tilde": "~",
    "dash": "-rf",
    "comma": "a,b@c!",
    "newline": "a\nb",
    "carriage return": "a\rb",
    "tab": "a\tb",
    "control": "a\x01b\x1f",
    "delete": "a\x7fb",
    "line separator": "a\N{LINE SEPARATOR}b",
    "byte order mark": "\N{ZERO WIDTH NO-BREAK SPACE}a",
    "null": "null",
    "zero": "0",
    "device": "con.txt",
    "255 bytes": "n" * 255,
    "255 bytes of two each": "é" * 127 + "x",
    "temporary": "file.txt.part",
}
EVERY = pytest.mark.parametrize("name", list(NAMES.values()), ids=list(NAMES))


class Naming(ContractBase):
    """All names that a `Path` can hold work, apart from those that a storage is known to refuse."""

    @pytest.mark.needs("write")
    @EVERY
    async def test_name_of_a_file(self, provider: Provider, name: str) -> None:
        """A file of this name can be written, listed, read, replaced and deleted."""
        path = ROOT.child(name)
        if name in self.unstorable:
            with pytest.raises(WaterButlerError):
                await put(provider, path, b"data")
            assert await listing(provider) == []
            return
        assert (await put(provider, path, b"old")).path == path
        assert (await put(provider, path, b"data")).name == name
        assert await listing(provider) == [str(path)]
        found = (await provider.stat(path)).path
        assert found == path
        assert await get(provider, path) == b"data"
        if provider.capabilities.ranged_read:
            assert await get(provider, path, range=ByteRange(1, 2)) == b"at"
        assert await provider.locate(provider.wire_path(found)) == path
        await provider.delete(path)
        assert await listing(provider) == []

    @pytest.mark.needs("write")
    @EVERY
    async def test_name_of_a_folder(self, provider: Provider, name: str) -> None:
        """A folder of this name can be made, filled, listed and deleted."""
        if name in self.unstorable:
            pytest.skip("the storage refuses this name")
        folder = ROOT.child(name, folder=True)
        file = folder.child(name)
        await self.seed(provider, {str(file): b"data", str(folder.child("other")): b""})
        assert await contents(provider) == {
            str(folder): None,
            str(file): b"data",
            str(folder.child("other")): b"",
        }
        assert (await provider.stat(folder)).path == folder
        await provider.delete(folder)
        assert await listing(provider) == []

    @pytest.mark.needs("move_from")
    @EVERY
    async def test_name_moved_to_and_from(self, provider: Provider, name: str) -> None:
        """A file can be moved to this name and away from it."""
        if name in self.unstorable:
            pytest.skip("the storage refuses this name")
        plain, odd, end = ROOT.child("plain"), ROOT.child(name), ROOT.child("other end")
        await put(provider, plain, b"data")
        assert (await provider.move_from(provider, plain, odd)).path == odd
        assert (await provider.move_from(provider, odd, end)).path == end
        assert await contents(provider) == {str(end): b"data"}

    @pytest.mark.needs("write")
    async def test_names_all_together(self, provider: Provider) -> None:
        """Each name is another file: none is taken for its neighbour."""
        names = [
            name
            for name in NAMES.values()
            if name not in self.unstorable and name != "cafe\u0301.txt"
        ]
        expected = {str(ROOT.child(name)): name.encode() for name in names}
        await self.seed(provider, dict(expected))
        assert await contents(provider) == expected

    @pytest.mark.needs("write")
    async def test_names_in_two_forms_of_one_letter(self, provider: Provider) -> None:
        """Composed and decomposed letters make two names, or one name that both forms find."""
        composed, decomposed = ROOT.child(NAMES["composed"]), ROOT.child(NAMES["decomposed"])
        if {composed.name, decomposed.name} & self.unstorable:
            pytest.skip("the storage refuses one of the names")
        await put(provider, composed, b"one")
        await put(provider, decomposed, b"two")
        found = {await get(provider, composed), await get(provider, decomposed)}
        listed = {Path.parse(text): text for text in await listing(provider)}
        assert len(listed) == len(found)
        assert {await get(provider, path) for path in listed} == found
        assert b"two" in found

    @pytest.mark.needs("write")
    @pytest.mark.lacks("case_insensitive")
    async def test_names_in_upper_and_lower_case(self, provider: Provider) -> None:
        """Names that differ in case are two names."""
        await put(provider, ROOT.child("Name"), b"upper")
        with pytest.raises(NotFound):
            await provider.stat(ROOT.child("name"))
        await put(provider, ROOT.child("name"), b"lower", WriteMode.CREATE)
        assert await contents(provider) == {"/Name": b"upper", "/name": b"lower"}

    @pytest.mark.needs("write", "case_insensitive")
    async def test_names_whose_case_does_not_matter(self, provider: Provider) -> None:
        """Names that differ only in case are one name."""
        await put(provider, ROOT.child("Name"), b"one")
        assert await get(provider, ROOT.child("name")) == b"one"
        await put(provider, ROOT.child("NAME"), b"two")
        assert len(await listing(provider)) == 1
        assert await get(provider, ROOT.child("Name")) == b"two"
