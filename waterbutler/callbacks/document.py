"""The document that a host gets about an event."""

from __future__ import annotations

from typing import Any

from waterbutler.events import DOWNLOADS, TRANSFERS, Event, Item


def document_of(event: Event) -> dict[str, Any]:
    """What the host is told, without the time, which is new at each try."""
    user = event.user
    auth = {"id": user.id, "email": user.email, "name": user.name}
    origin = event.origin
    document: dict[str, Any] = {
        "action": event.action,
        "action_meta": {},
        "auth": {
            **{key: value for key, value in auth.items() if value is not None},
            "callback_url": event.callback_url,
        },
        "errors": list(event.errors),
        "request_meta": {
            "method": origin.method,
            "url": origin.url,
            "referrer": origin.referrer,
            "user_agent": origin.user_agent,
        },
    }
    if event.action in DOWNLOADS:
        document["action_meta"] = {"is_mfr_render": origin.renders}
    if event.belated is not None:
        document["email"] = event.belated
    if event.action in TRANSFERS and event.source is not None:
        document["source"] = _minimal(event.source)
        document["destination"] = _full(event.item)
    else:
        document["metadata"] = _full(event.item)
        document["provider"] = event.item.provider
    return document


def _full(item: Item) -> dict[str, Any]:
    if not item.attributes:
        return _minimal(item)
    return {**item.attributes, "nid": item.resource, "resource": item.resource}


def _minimal(item: Item) -> dict[str, Any]:
    return {
        "nid": item.resource,
        "resource": item.resource,
        "provider": item.provider,
        "kind": item.kind,
        "path": item.path,
        "name": item.name,
        "materialized": item.materialized,
        "extra": {},
    }
