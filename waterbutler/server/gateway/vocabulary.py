"""The two vocabularies of the gateway API, as data.

The first one is that of the document that the API began with, ``/v2/metadata`` and so on. The
second one is that of its last version (odrive/gateway-api, March 2023), ``/v2/gateway_metadata``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class Operation(Enum):
    """What a client can ask for; the value is what logs show."""

    METHOD = "sign_in_method"
    SIGN_IN = "sign_in"
    REFRESH = "refresh"
    SIGN_OUT = "sign_out"
    DOWNLOAD = "download"
    THUMBNAIL = "thumbnail"
    DESCRIBE = "metadata"
    LIST = "children"
    MAKE_FOLDER = "create_folder"
    DELETE = "delete"
    MOVE = "move"
    RENAME = "rename"
    UPLOAD = "create_file"
    UPDATE = "update_file"
    BEGIN = "begin_segments"
    SEGMENT = "segment"
    CANCEL = "cancel_segments"
    FINISH_UPLOAD = "finish_segments_new"
    FINISH_UPDATE = "finish_segments_update"


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """What one version of the API calls things; ``None`` for what it does not know."""

    endpoints: Mapping[str, Mapping[str, Operation]]
    """By the first name behind ``/v2/``, then by method."""

    access_token: str
    refresh_token: str
    root: str
    account: str | None = None
    segment_size: str | None = None
    refresh_shows_root: bool = True

    id: str
    parent: str | None = None
    kind: str
    name: str
    size: str
    modified: str
    folders_are_dated: bool = False
    etag: str
    sha256: str | None = None

    new_parent: str
    old_parent: str | None = None
    new_name: str
    old_name: str | None = None

    upload_headers: tuple[str, ...]
    """Where an upload says its name, size and time; the first one that is there counts."""
    names_are_encoded: bool = False
    """Names in that header are percent-encoded."""
    page_header: str


FIRST = Vocabulary(
    endpoints={
        "auth": {"POST": Operation.SIGN_IN, "DELETE": Operation.SIGN_OUT},
        "file": {"GET": Operation.DOWNLOAD, "HEAD": Operation.DOWNLOAD},
        "file_thumbnail": {"GET": Operation.THUMBNAIL, "HEAD": Operation.THUMBNAIL},
        "metadata": {
            "GET": Operation.DESCRIBE,
            "HEAD": Operation.DESCRIBE,
            "PUT": Operation.UPDATE,
            "DELETE": Operation.DELETE,
        },
        "metadata_children": {"GET": Operation.LIST, "HEAD": Operation.LIST},
        "metadata_folder": {"POST": Operation.MAKE_FOLDER},
        "metadata_file": {"POST": Operation.UPLOAD},
        "metadata_parent": {"PATCH": Operation.MOVE},
        "metadata_name": {"PATCH": Operation.RENAME},
    },
    access_token="access.token",  # noqa: S106 - the name of a token
    refresh_token="refresh.token",  # noqa: S106
    root="root.content.id",
    id="content.id",
    kind="content.type",
    name="content.name",
    size="file.size",
    modified="file.modified",
    etag="file.etag",
    new_parent="parent.content.id",
    new_name="content.name",
    # The document names the second one. That is how WSGI shows the first one to applications, and
    # many servers on the way drop headers with underscores.
    upload_headers=("X-Upload-Json", "HTTP_X_UPLOAD_JSON", "X-Gateway-Upload"),
    page_header="page",
)

SECOND = Vocabulary(
    endpoints={
        "gateway_auth_method": {"GET": Operation.METHOD, "HEAD": Operation.METHOD},
        "gateway_auth": {"POST": Operation.SIGN_IN, "DELETE": Operation.SIGN_OUT},
        "gateway_auth_access": {"POST": Operation.REFRESH},
        "gateway_file": {"GET": Operation.DOWNLOAD, "HEAD": Operation.DOWNLOAD},
        "gateway_file_thumbnail": {"GET": Operation.THUMBNAIL, "HEAD": Operation.THUMBNAIL},
        "gateway_metadata": {
            "GET": Operation.DESCRIBE,
            "HEAD": Operation.DESCRIBE,
            "DELETE": Operation.DELETE,
        },
        "gateway_metadata_children": {"GET": Operation.LIST, "HEAD": Operation.LIST},
        "gateway_metadata_folder": {"POST": Operation.MAKE_FOLDER},
        "gateway_metadata_file": {"POST": Operation.UPLOAD, "PUT": Operation.UPDATE},
        "gateway_metadata_parent": {"PUT": Operation.MOVE},
        "gateway_metadata_name": {"PUT": Operation.RENAME},
        "gateway_upload": {"POST": Operation.BEGIN, "DELETE": Operation.CANCEL},
        "gateway_upload_segment": {"POST": Operation.SEGMENT},
        "gateway_metadata_upload": {
            "POST": Operation.FINISH_UPLOAD,
            "PUT": Operation.FINISH_UPDATE,
        },
    },
    access_token="gateway.auth.access.token",  # noqa: S106
    refresh_token="gateway.auth.refresh.token",  # noqa: S106
    root="gateway.auth.metadata.id",
    account="gateway.auth.id",
    segment_size="gateway.upload.segment.size",
    refresh_shows_root=False,
    id="gateway.metadata.id",
    parent="gateway.metadata.parent.id",
    kind="gateway.metadata.type",
    name="gateway.metadata.name",
    size="gateway.metadata.file.size",
    modified="gateway.metadata.modified",
    folders_are_dated=True,
    etag="gateway.metadata.file.hash",
    sha256="gateway.metadata.file.sha256",
    new_parent="new.gateway.metadata.parent.id",
    old_parent="old.gateway.metadata.parent.id",
    new_name="new.gateway.metadata.name",
    old_name="old.gateway.metadata.name",
    upload_headers=("X-Gateway-Upload",),
    names_are_encoded=True,
    page_header="X-Gateway-Page",
)

VOCABULARIES = (FIRST, SECOND)

SEGMENT_HEADER = "X-Gateway-Upload-Segment"
"""Where a segment says its number, size and digest."""
