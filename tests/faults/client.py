"""A client of a server in another process."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from tests.running import Running

PATIENCE = 60.0


@dataclass
class Said:
    """An answer."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def path(self) -> str:
        """The path in the answer to a change."""
        return self.json["data"]["attributes"]["path"]

    @property
    def names(self) -> set[str]:
        """What a listing shows."""
        return {item["attributes"]["name"] for item in self.json["data"]}


class Client:
    """Speaks to the standalone set-up of a server, signed in."""

    def __init__(self, server: Running, resource: str = "demo") -> None:
        self.server = server
        self.address = urlsplit(server.url)
        self.base = f"/v1/resources/{resource}/providers"

    def ask(
        self,
        method: str,
        target: str,
        body: Any = None,
        headers: dict[str, str] | None = None,
        *,
        token: str | None = None,
    ) -> Said:
        """One request on a connection of its own; an iterable body is sent in chunks."""
        given = {"Authorization": f"Bearer {token or self.server.token}", **(headers or {})}
        connection = http.client.HTTPConnection(
            str(self.address.hostname), self.address.port, timeout=PATIENCE
        )
        try:
            connection.request(method, target, body=body, headers=given)
            reply = connection.getresponse()
            return Said(reply.status, reply.read(), dict(reply.headers))
        finally:
            connection.close()

    def put(self, mount: str, name: str, data: Any, *, folder: str = "/") -> Said:
        """A new file."""
        return self.ask("PUT", f"{self.base}/{mount}{folder}?kind=file&name={name}", data)

    def at(self, mount: str, path: str) -> str:
        return f"{self.base}/{mount}{path}"

    def list(self, mount: str) -> Said:
        return self.ask("GET", self.at(mount, "/"))

    def sign_in(self) -> Said:
        """A session of the gateway API."""
        document = {"token": self.server.token, "resource": "demo", "provider": "filesystem"}
        return self.ask("POST", "/v2/gateway_auth", json.dumps(document))
