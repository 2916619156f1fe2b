"""Structured logs: one line for each event, for people on a terminal and for machines elsewhere."""

from __future__ import annotations

import logging
import sys

import msgspec
import structlog

_encode = msgspec.json.Encoder(enc_hook=repr).encode

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


def configure(level: str, format: str) -> None:
    """Set up logging for the process.

    Args:
        level: ``debug``, ``info``, ``warning`` or ``error``.
        format: ``text``, ``json``, or ``auto`` for text on a terminal only.
    """
    number = _LEVELS[level]
    as_text = format == "text" or (format == "auto" and sys.stderr.isatty())
    renderer = structlog.dev.ConsoleRenderer() if as_text else _as_json
    errors = () if as_text else (structlog.processors.format_exc_info,)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *errors,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr)
        if as_text
        else structlog.BytesLoggerFactory(sys.stderr.buffer),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=max(number, logging.WARNING), stream=sys.stderr)
    # Tornado repeats malformed requests in its log, with whatever secrets they hold.
    logging.getLogger("tornado.general").setLevel(logging.ERROR)
    logging.getLogger("tornado.access").setLevel(logging.ERROR)


def _as_json(_logger: object, _method: str, event: structlog.typing.EventDict) -> bytes:
    """An event as a line of JSON; what JSON does not know is shown as Python does."""
    return _encode(event)
