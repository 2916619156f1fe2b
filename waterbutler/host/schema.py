"""The tables of the embedded host, the same on SQLite and PostgreSQL.

Times are whole microseconds since the epoch, in UTC: exact, and the same in both databases.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Connection,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    insert,
    select,
    text,
)

from waterbutler.core.errors import ConfigInvalid

VERSION = 1
"""Of the tables; the number that the database must have."""

_LOCK = 0x77617465
"""What processes that make the tables at the same time agree to wait for (PostgreSQL)."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

tables = MetaData()
_Big = BigInteger().with_variant(Integer, "sqlite")

schema_version = Table("schema_version", tables, Column("version", Integer, nullable=False))

resources = Table(
    "resources",
    tables,
    Column("id", String(255), primary_key=True),
    Column("used", _Big, nullable=False, server_default="0"),
)

nodes = Table(
    "nodes",
    tables,
    Column("seq", _Big, primary_key=True, autoincrement=True),
    Column("id", String(64), nullable=False, unique=True),
    Column("resource", ForeignKey(resources.c.id), nullable=False),
    Column("parent", _Big, ForeignKey("nodes.seq")),
    Column("name", Text, nullable=False),
    Column("folder", Boolean, nullable=False),
    Column("checkout", Text),
    Column("versions", Integer, nullable=False, server_default="0"),
    Column("created", _Big),
    Column("downloads", _Big, nullable=False, server_default="0"),
    Column("trashed", _Big),
    Column("trashed_by", Text),
)
_live = nodes.c.trashed.is_(None)
_root = nodes.c.parent.is_(None)
_PARTIAL = {
    Index("live_names", nodes.c.parent, nodes.c.name, nodes.c.folder, unique=True): _live,
    Index("live_children", nodes.c.parent, nodes.c.seq): _live,
    Index("roots", nodes.c.resource, unique=True): _root,
}
"""Which rows are in an index."""

versions = Table(
    "versions",
    tables,
    Column("seq", _Big, primary_key=True, autoincrement=True),
    Column("id", String(64), nullable=False, unique=True),
    Column("node", _Big, ForeignKey(nodes.c.seq), nullable=False),
    Column("number", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("object", Text, nullable=False, index=True),
    Column("service", Text, nullable=False),
    Column("settings", JSON, nullable=False),
    Column("size", _Big, nullable=False),
    Column("content_type", Text),
    Column("hashes", JSON, nullable=False),
    Column("created", _Big, nullable=False),
    Column("creator", Text),
    Column("metadata", JSON, nullable=False),
    Column("downloads", _Big, nullable=False, server_default="0"),
    UniqueConstraint("node", "number"),
)

seen = Table(
    "seen",
    tables,
    Column("user", String(255), primary_key=True),
    Column("node", _Big, ForeignKey(nodes.c.seq), primary_key=True),
    Column("number", Integer, nullable=False),
)

leases = Table(
    "leases",
    tables,
    Column("id", String(64), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("resource", String(255)),
    Column("until", _Big, nullable=False),
)

logs = Table(
    "logs",
    tables,
    Column("seq", _Big, primary_key=True, autoincrement=True),
    Column("resource", String(255), nullable=False),
    Column("received", _Big, nullable=False),
    Column("action", Text, nullable=False),
    Column("user", Text),
    Column("payload", JSON, nullable=False),
)


def prepare(connection: Connection) -> None:
    """Make what is missing, in a transaction that keeps other processes out.

    Raises:
        ConfigInvalid: The database was made by another version of this program.
    """
    for index, where in _PARTIAL.items():
        # Named here and not above, each dialect would be imported to look whether it knows this.
        index.dialect_options[connection.dialect.name]["where"] = where
    alone(connection)
    tables.create_all(connection)
    found = connection.execute(select(schema_version.c.version)).scalar()
    if found is None:
        connection.execute(insert(schema_version).values(version=VERSION))
    elif found != VERSION:
        raise ConfigInvalid(
            f"The host's database has version {found} of its tables; this program needs {VERSION}."
        )


def alone(connection: Connection) -> None:
    """Let nobody else make tables or indexes until the transaction ends; SQLite's writers are."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


def now() -> int:
    """The time, as the tables keep it."""
    return time.time_ns() // 1000


def moment(micros: int) -> datetime:
    """A time of the tables."""
    return _EPOCH + timedelta(microseconds=micros)
