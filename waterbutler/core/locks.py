"""Locks on files that end with the process that has them."""

from __future__ import annotations

import errno
import fcntl

_NO_LOCKS = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.EBADF}


def try_lock(fd: int) -> bool | None:
    """Lock an open file, unless another process has it.

    Returns:
        Whether it is locked for us now; ``None`` where the file system has no locks.

    Raises:
        OSError: Something else is wrong.
    """
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno in _NO_LOCKS:
            return None
        raise
    return True
