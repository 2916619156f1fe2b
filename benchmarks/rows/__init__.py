"""Everything that is measured. What needs no other storage comes first, so that none runs yet."""

from __future__ import annotations

from benchmarks.measuring import Row
from benchmarks.rows import folders, growth, memory, osfstorage, requests, s3, transfers

ROWS: dict[str, Row] = {
    row.name: row
    for rows in (
        transfers.ROWS,
        requests.ROWS,
        folders.ROWS,
        osfstorage.ROWS,
        growth.ROWS,
        s3.ROWS,
        memory.ROWS,
    )
    for row in rows
}
"""The rows by name, in the order in which they are measured."""
