"""A client of the v1 API, for the command line and for programs."""

from waterbutler.client.address import Address
from waterbutler.client.client import Client, Found
from waterbutler.client.entries import RemoteEntry
from waterbutler.client.files import download, upload
from waterbutler.client.trees import download_tree, upload_tree

__all__ = [
    "Address",
    "Client",
    "Found",
    "RemoteEntry",
    "download",
    "download_tree",
    "upload",
    "upload_tree",
]
