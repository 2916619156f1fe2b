"""What only a search for garbage lets go of."""

import gc
from collections import Counter
from contextlib import contextmanager
from types import FrameType


@contextmanager
def garbage():
    """What is left in cycles of this project's frames and of all that its classes have made."""
    found = Counter()
    gc.collect()
    before = gc.isenabled(), gc.get_debug()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        yield found
        gc.collect()
        found.update(filter(None, map(_ours, gc.garbage)))
    finally:
        gc.set_debug(before[1])
        gc.garbage.clear()
        if before[0]:
            gc.enable()


def _ours(thing):
    """A name for it, if it is this project's."""
    if isinstance(thing, FrameType):
        module, name = thing.f_globals.get("__name__", ""), thing.f_code.co_qualname
    else:
        module, name = type(thing).__module__, type(thing).__qualname__
    return f"{module}.{name}" if str(module).startswith("waterbutler") else None
