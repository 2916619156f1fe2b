"""What the host said a moment ago, so that one request does not ask the same thing twice."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from waterbutler.core import Path
from waterbutler.core.filetree import Node

PLACE_SECONDS = 2.0
"""How long what was seen at a path is taken to be there still."""
READ_SECONDS = 60.0
"""How long the newest version of a listed file is read as the newest: versions do not change."""


@dataclass(slots=True)
class Seen:
    """A node, the path it was seen at, with all ids, and when."""

    path: Path
    node: Node
    at: float
    fresh: bool


class Recent:
    """Nodes that were seen, by path.

    What is changed through the same provider is forgotten. What others change is noticed after
    `PLACE_SECONDS` at the latest; looking at the same thing a second time always asks the host.

    Args:
        keep: How many nodes at most.
        clock: Seconds of any clock that only goes forwards.
    """

    def __init__(self, *, keep: int = 4096, clock: Callable[[], float] = time.monotonic) -> None:
        self._keep = keep
        self._clock = clock
        self._seen: OrderedDict[Path, Seen] = OrderedDict()
        self._free: dict[Path, float] = {}
        self._alone: dict[Path, float] = {}

    def saw(self, path: Path, node: Node, *, fresh: bool = False) -> None:
        """Note what is at a path; ``fresh`` if nobody has been told of it yet."""
        self._seen[path] = Seen(path, node, self._clock(), fresh)
        self._seen.move_to_end(path)
        if len(self._seen) > self._keep:
            self._seen.popitem(last=False)

    def saw_nothing(self, path: Path) -> None:
        """Note that a name is free."""
        if len(self._free) >= self._keep:
            self._free.clear()
        self._free[path] = self._clock()

    def saw_alone(self, path: Path) -> None:
        """Note that a listing shows nothing at a path, but something of the other kind."""
        if len(self._alone) >= self._keep:
            self._alone.clear()
        self._alone[path] = self._clock()

    def take_alone(self, path: Path) -> bool:
        """Whether a listing showed a moment ago that only the other kind is there; only once."""
        at = self._alone.pop(path, None)
        return at is not None and self._clock() - at <= PLACE_SECONDS

    def find(self, path: Path, within: float = PLACE_SECONDS) -> Seen | None:
        """What was seen at a path in the last seconds."""
        seen = self._seen.get(path)
        return seen if seen is not None and self._clock() - seen.at <= within else None

    def take(self, path: Path) -> Seen | None:
        """What was seen at a path and not told to anybody yet; only once."""
        seen = self.find(path)
        if seen is None or not seen.fresh:
            return None
        seen.fresh = False
        return seen

    def take_nothing(self, path: Path) -> bool:
        """Whether the name was free a moment ago; only once."""
        at = self._free.pop(path, None)
        return at is not None and self._clock() - at <= PLACE_SECONDS

    def confirm(self, path: Path) -> None:
        """Note that what was seen at a path is there still."""
        seen = self._seen.get(path)
        if seen is not None:
            seen.at = self._clock()

    def forget(self, path: Path) -> None:
        """What is at a path, or below it, changes."""
        self._free.pop(path, None)
        self._alone.clear()
        self._seen.pop(path, None)
        if path.is_folder:
            self._free.clear()
            for below in [known for known in self._seen if path.contains(known)]:
                del self._seen[below]
