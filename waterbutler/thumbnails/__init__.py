"""Small pictures of images: what an image is decides its content, and never its name."""

from waterbutler.thumbnails.making import Limits, Thumbnail, Thumbnails

__all__ = ["Limits", "Thumbnail", "Thumbnails"]
