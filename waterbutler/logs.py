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
    colors = sys.stderr.isatty()
    renderer = structlog.dev.ConsoleRenderer(colors=colors) if as_text else _as_json
    prepared = _spelled_out if as_text else structlog.processors.format_exc_info
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            prepared,
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
    line = _encode(event)
    if line.isascii() and b"\x7f" not in line:
        return line
    text = line.decode()
    if text.isprintable():
        return line
    return "".join(char if char.isprintable() else _escaped(char) for char in text).encode()


def _escaped(char: str) -> str:
    """A character as JSON can write every one: in one or two units of UTF-16."""
    units = char.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[start : start + 4]}" for start in range(0, len(units), 4))


def _spelled_out(
    _logger: object, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """The event with all characters spelled out that would steer a terminal or end a line."""
    for name, value in event.items():
        if isinstance(value, str) and not value.isprintable():
            event[name] = "".join(map(_visible, value))
    return event


def _visible(char: str) -> str:
    return char if char.isprintable() else char.encode("unicode_escape").decode()
