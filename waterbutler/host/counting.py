"""What is counted: downloads, and which version a user saw last."""

from __future__ import annotations

from sqlalchemy import Connection, text, update

from waterbutler.host.reading import live_file, version
from waterbutler.host.schema import nodes, versions

_SEEN = """
INSERT INTO seen ("user", node, number) VALUES (:user, :node, :number)
ON CONFLICT ("user", node) DO UPDATE SET number = excluded.number
WHERE excluded.number > seen.number
"""


def count_download(connection: Connection, resource: str, id: str, number: int | None) -> None:
    """Count a download of a version of a file; raises `NotFound` and `IsAFolder`."""
    file = live_file(connection, resource, id)
    found = version(connection, file, number)
    own = update(versions).where(versions.c.seq == found.seq)
    connection.execute(own.values(downloads=versions.c.downloads + 1))
    total = update(nodes).where(nodes.c.seq == file.seq)
    connection.execute(total.values(downloads=nodes.c.downloads + 1))


def mark_seen(
    connection: Connection, resource: str, id: str, user: str, number: int | None
) -> None:
    """Keep the newest version of a file that a user saw; raises `NotFound` and `IsAFolder`."""
    file = live_file(connection, resource, id)
    found = version(connection, file, number)
    values = {"user": user, "node": file.seq, "number": found.number}
    connection.execute(text(_SEEN), values)
