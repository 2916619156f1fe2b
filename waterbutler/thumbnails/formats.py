"""Which format an image has, by its first bytes."""

from __future__ import annotations

HEAD = 16
"""How many bytes are enough to know."""

_MARKS = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"BM", "BMP"),
)


def format_of(head: bytes) -> str | None:
    """The name that Pillow has for the format, or ``None`` for all that is never decoded.

    Formats that hold programs, that other programs decode, or that few people use are left out.
    """
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    return next((name for mark, name in _MARKS if head.startswith(mark)), None)
