"""From arguments to an exit status; commands are imported when they are called."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import sys
from collections.abc import Callable, Sequence

from waterbutler.cli.arguments import COMMANDS, make_parser

OK = 0
FAILED = 1
USAGE = 2
INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        argv: The arguments; without them those of the process.

    Returns:
        0 fine, 1 the operation failed, 2 bad usage or bad configuration, 130 interrupted. Errors
        are one line on standard error.
    """
    try:
        args = make_parser().parse_args(argv)
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else USAGE
    try:
        status = _run(args)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output is gone; what is left in the buffer goes nowhere.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    return status


def _run(args: argparse.Namespace) -> int:
    # The help of the command line should not wait for these.
    from waterbutler.cli.output import UsageError, complain  # noqa: PLC0415
    from waterbutler.core.errors import (  # noqa: PLC0415
        ConfigInvalid,
        Unauthenticated,
        WaterButlerError,
    )

    module, name = COMMANDS[args.command]
    command: Callable[[argparse.Namespace], int] = getattr(importlib.import_module(module), name)
    try:
        return command(args)
    except (ConfigInvalid, UsageError) as error:
        complain(str(error))
        return USAGE
    except Unauthenticated as error:
        complain(f"{error} Set WATERBUTLER_TOKEN to your token.")
    except WaterButlerError as error:
        complain(str(error))
    except BrokenPipeError:
        raise
    except OSError as error:
        where = f"{error.filename}: " if error.filename is not None else ""
        complain(f"{where}{error.strerror or error}")
    except Exception as error:  # noqa: BLE001 - never a traceback
        complain(f"unexpected {type(error).__name__}: {error}")
    return FAILED
