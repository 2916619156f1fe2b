"""What a filesystem mount is set up with."""

from __future__ import annotations

import msgspec


class FilesystemSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of a mount; there are no credentials.

    Attributes:
        folder: The folder to show. A relative one is taken from where the server was started.
            Symbolic links on the way to it are followed; inside it none is.
        create: Make the folder, with those above it, if it is missing at first use.
        fsync: Answer only when what was written is safe from a power failure. Without it uploads of
            small files are faster, and those of the last seconds may be lost with the power; a
            file is never half there.
        hashes: Compute md5 and sha256 while writing and remember them beside the file.
    """

    folder: str
    create: bool = False
    fsync: bool = True
    hashes: bool = True
