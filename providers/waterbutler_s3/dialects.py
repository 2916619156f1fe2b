"""In what servers differ that speak the protocol of S3; there is no other code for any of them."""

from __future__ import annotations

from dataclasses import dataclass

from waterbutler.core.errors import ConfigInvalid


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """What a kind of server can do.

    Attributes:
        hosts: Ends of host names that give this kind of server away.
        region: What requests are signed for if nothing else is known.
        bucket_in_host: Whether buckets have host names of their own.
        conditional: Where ``If-None-Match: *`` is honoured, and not ignored: ``put``, ``complete``
            (of an upload in parts), ``copy``. Where it is not, it is looked before, which another
            writer may come in between.
        versions: Whether old versions can be listed and read.
        part_copy: Whether a part of an upload can be copied from an object.
        equal_parts: Whether all parts but the last must have the same size.
        digests: What proves over HTTP that a part arrived: ``sha256`` where the server compares the
            body with what was signed, ``md5`` where only its etag tells; both if unknown.
        checksums: Whether ``x-amz-checksum-sha256`` and ``x-amz-checksum-crc32`` are compared with
            every body, also with those of parts of uploads that were begun without naming them.
            They cost a half of an ``md5``, and next to nothing.
        unusable: Characters that the server takes for others.
        has_folders: Whether the server has folders of its own: they take names, and stay behind
            when their last file goes.
    """

    hosts: tuple[str, ...] = ()
    region: str = "us-east-1"
    bucket_in_host: bool = False
    conditional: frozenset[str] = frozenset()
    versions: bool = True
    part_copy: bool = True
    equal_parts: bool = False
    digests: frozenset[str] = frozenset({"md5", "sha256"})
    checksums: bool = False
    unusable: str = ""
    has_folders: bool = False

    @property
    def exclusive_create(self) -> bool:
        """Whether of two writers of a new file one wins and the other is told."""
        return self.conditional >= {"put", "complete"}


DIALECTS: dict[str, Dialect] = {
    "aws": Dialect(
        hosts=(".amazonaws.com", ".amazonaws.com.cn"),
        bucket_in_host=True,
        conditional=frozenset({"put", "complete", "copy"}),
        digests=frozenset({"sha256"}),
    ),
    "minio": Dialect(conditional=frozenset({"put", "complete"}), digests=frozenset({"sha256"})),
    "ceph": Dialect(digests=frozenset({"sha256"})),
    "r2": Dialect(
        hosts=(".r2.cloudflarestorage.com",), region="auto", versions=False, equal_parts=True
    ),
    "garage": Dialect(region="garage", versions=False),
    "seaweedfs": Dialect(
        conditional=frozenset({"put", "complete", "copy"}),
        checksums=True,
        unusable="\\",
        has_folders=True,
    ),
    "other": Dialect(),
}


def choose(name: str, host: str) -> Dialect:
    """The dialect of a name, or of a host if there is no name.

    Raises:
        ConfigInvalid: There is no dialect of this name.
    """
    if not name:
        for dialect in DIALECTS.values():
            if host.endswith(dialect.hosts):
                return dialect
        return DIALECTS["other"]
    if name not in DIALECTS:
        raise ConfigInvalid(f"There is no dialect {name!r}; known: {', '.join(DIALECTS)}.")
    return DIALECTS[name]
