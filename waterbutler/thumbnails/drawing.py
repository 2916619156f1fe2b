"""Draws one thumbnail, as a program of its own: the image comes in, the thumbnail goes out.

::

    python -P drawing.py FORMAT SIDE PIXELS SECONDS OUTPUT < image > thumbnail

It ends with 0 when it drew, and with 1 when there is nothing to draw: the image is too large, is
damaged, or needs more time or memory than it may have. It is run by its path, so that nothing of
the server but this file is loaded, and it is the only place that knows Pillow.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import warnings
from typing import BinaryIO

from PIL import Image, ImageCms

_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""How to turn an image upright, by the orientation that EXIF gives it."""

_QUALITY = 85
_OWN_MEMORY = 256 << 20
_MEMORY_PER_PIXEL = 12
"""The decoded image and one conversion of it at four bytes each, and something for the decoder."""


class TooManyPixels(Exception):
    """The header promises a larger image than may be decoded."""


def draw(source: BinaryIO, *, format: str, side: int, pixels: int) -> bytes:
    """Draw the first frame of an image, upright, without anything that the image says of itself.

    Args:
        source: The image; must be seekable.
        format: Its format; it is read as no other.
        side: The longest side of the thumbnail. Small images stay as they are.
        pixels: How many pixels the image may have.

    Returns:
        A PNG where something shows through, else a JPEG. Colours are those of sRGB.

    Raises:
        TooManyPixels: Before anything was decoded.
        Exception: The image is damaged or incomplete; decoders raise whatever they like.
    """
    with Image.open(source, formats=[format]) as image:
        width, height = image.size
        if width * height > pixels:
            raise TooManyPixels
        if format != "JPEG":  # a JPEG can be decoded in a smaller size at once, if not done yet
            image.load()
        picture = _resizable(image)
        picture.thumbnail((side, side))
        picture = _in_srgb(picture, image.info.get("icc_profile"))
        turn = _TURNS.get(image.getexif().get(_ORIENTATION, 1))
    return _saved(picture if turn is None else picture.transpose(turn))


def _resizable(image: Image.Image) -> Image.Image:
    """The image with pixels that can be averaged: no palettes, no single bits."""
    if image.mode == "F" or image.mode.startswith("I"):
        return image.convert("F")
    if image.has_transparency_data:
        return image.convert("RGBA")
    return image.convert("RGB") if image.mode in {"1", "P"} else image


def _in_srgb(picture: Image.Image, profile: bytes | None) -> Image.Image:
    """The picture in grey, RGB or RGBA, with the colours that its profile means."""
    if picture.mode == "F":
        return _stretched(picture)
    mode = picture.mode if picture.mode in {"L", "RGBA"} else "RGB"
    if profile and picture.mode in {"RGB", "RGBA", "CMYK"}:
        given = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        with contextlib.suppress(ImageCms.PyCMSError):  # then the profile is of other colours
            converted = ImageCms.profileToProfile(
                picture, given, ImageCms.createProfile("sRGB"), outputMode=mode
            )
            return converted or picture
    return picture.convert(mode)


def _stretched(picture: Image.Image) -> Image.Image:
    """Measured values as grey, from the least to the greatest: there is no other white for them."""
    low, high = picture.getextrema()
    assert isinstance(low, float)
    assert isinstance(high, float)
    scale = 255 / (high - low) if high > low else 0.0
    return picture.point(lambda value: value * scale - low * scale).convert("L")


def _saved(picture: Image.Image) -> bytes:
    picture.info.clear()  # comments and profiles would be written too
    output = io.BytesIO()
    if picture.mode == "RGBA" and picture.getchannel("A").getextrema() != (255, 255):
        picture.save(output, "PNG", optimize=True)
    else:
        final = picture if picture.mode == "L" else picture.convert("RGB")
        final.save(output, "JPEG", quality=_QUALITY, optimize=True)
    return output.getvalue()


def _confine(*, pixels: int, seconds: int, output: int) -> None:
    """Give up every right to more time, memory and output than a thumbnail needs."""
    Image.MAX_IMAGE_PIXELS = pixels
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415 - not on every system

    limits = {
        resource.RLIMIT_AS: _OWN_MEMORY + _MEMORY_PER_PIXEL * pixels,
        resource.RLIMIT_CPU: seconds,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: output,
    }
    for what, limit in limits.items():
        with contextlib.suppress(ValueError, OSError):  # not every system has every limit
            resource.setrlimit(what, (limit, limit))
    os.nice(5)


def main(arguments: list[str]) -> int:
    """Draw what comes in; the arguments are those that the module's text shows."""
    format, *numbers = arguments
    side, pixels, seconds, output = map(int, numbers)
    _confine(pixels=pixels, seconds=seconds, output=output)
    try:
        drawn = draw(sys.stdin.buffer, format=format, side=side, pixels=pixels)
    except Exception:  # noqa: BLE001 - whatever a decoder says, there is no thumbnail
        return 1
    sys.stdout.buffer.write(drawn)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
