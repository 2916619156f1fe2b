"""How people write where something is: ``RESOURCE/PROVIDER/path``."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from waterbutler.core import ROOT, Path
from waterbutler.core.errors import BadPath

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Address:
    """A place in a mounted storage, by names.

    A trailing slash says that it is a folder; without one it may be either, and the server is
    asked.
    """

    resource: str
    provider: str
    path: Path = ROOT

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read ``demo/filesystem/folder/file``; ``demo/filesystem`` is the storage's root.

        Raises:
            BadPath: It is no such address.
        """
        resource, _, rest = text.partition("/")
        provider, _, path = rest.partition("/")
        if not _WORD.fullmatch(resource) or not _WORD.fullmatch(provider):
            raise BadPath(f"{text!r} is not of the form RESOURCE/PROVIDER/path.")
        return cls(resource, provider, Path.parse("/" + path))

    @property
    def name(self) -> str:
        """The last name; the provider's for its root."""
        return self.path.name or self.provider

    @property
    def parent(self) -> Address:
        """The folder that this is in."""
        return replace(self, path=self.path.parent)

    @property
    def root(self) -> Address:
        """The storage's own folder."""
        return replace(self, path=ROOT)

    def child(self, name: str, *, folder: bool = False) -> Address:
        """What has a name in this folder."""
        return replace(self, path=self.path.child(name, folder=folder))

    def as_folder(self) -> Address:
        """The same names, as a folder's address."""
        return replace(self, path=self.path.as_folder())

    def __str__(self) -> str:
        return f"{self.resource}/{self.provider}{self.path}"
