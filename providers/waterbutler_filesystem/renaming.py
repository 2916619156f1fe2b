"""Giving names without taking any away, and exchanging them."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
import os
import sys
from collections.abc import Callable

from waterbutler_filesystem.confined import Folder

_EXCLUSIVE = 4 if sys.platform == "darwin" else 1
"""``RENAME_EXCL`` of macOS, ``RENAME_NOREPLACE`` of Linux."""
_EXCHANGE = 2
"""``RENAME_SWAP`` of macOS, ``RENAME_EXCHANGE`` of Linux."""
_CANNOT = {errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOTSUP}


def rename_exclusively(
    source: Folder, old: bytes, target: Folder, new: bytes, *, is_folder: bool
) -> None:
    """Rename, if nothing has the new name; otherwise nothing changes.

    Raises:
        FileExistsError: The name is taken.
        OSError: It cannot be done.
    """
    if _rename_with_flag(source, old, target, new, _EXCLUSIVE):
        return
    if is_folder:
        # An empty folder that was made just now may be renamed over; one of others may not.
        os.mkdir(new, dir_fd=target.fd)
        try:
            os.rename(old, new, src_dir_fd=source.fd, dst_dir_fd=target.fd)
        except OSError:
            with contextlib.suppress(OSError):
                os.rmdir(new, dir_fd=target.fd)
            raise
        return
    os.link(old, new, src_dir_fd=source.fd, dst_dir_fd=target.fd, follow_symlinks=False)
    moved, left = target.find(new), source.find(old)
    # What has the old name by now may be something else, which stays.
    if moved is not None and left is not None and os.path.samestat(moved, left):
        os.unlink(old, dir_fd=source.fd)


def exchange(source: Folder, one: bytes, target: Folder, other: bytes) -> bool:
    """Let each of two things have the other's name, in one step.

    Returns:
        Whether the system has a call for it, and it was done.

    Raises:
        FileNotFoundError: One of them is not there.
        OSError: It cannot be done.
    """
    return _rename_with_flag(source, one, target, other, _EXCHANGE)


def sync_filesystem(folder: Folder) -> None:
    """Make everything on the filesystem of ``folder`` safe from a power failure."""
    call = _function("syncfs")
    if call is None:
        os.sync()
    elif call(folder.fd) != 0:
        raise _last_error()


def _rename_with_flag(source: Folder, old: bytes, target: Folder, new: bytes, flag: int) -> bool:
    """Whether the system has a call for it, and it was done."""
    call = _function("renameatx_np" if sys.platform == "darwin" else "renameat2")
    if call is None:
        return False
    if call(source.fd, old, target.fd, new, ctypes.c_uint(flag)) == 0:
        return True
    error = _last_error()
    if error.errno in _CANNOT:
        return False
    raise error


@functools.cache
def _function(name: str) -> Callable[..., int] | None:
    function: Callable[..., int] | None = getattr(ctypes.CDLL(None, use_errno=True), name, None)
    return function


def _last_error() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))
