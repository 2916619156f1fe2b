"""A browser without scripts: it keeps cookies, sends forms as they stand, and says where from."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

from tests.harness import TOKENS, LiveServer, Reply

ACCEPT = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
BOUNDARY = "----form-boundary-5d1c"


@dataclass
class Form:
    """A form of a page."""

    action: str
    kind: str
    fields: dict[str, str] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    multiple: bool = False


class Page(HTMLParser):
    """What a page holds: its elements, texts, links and forms."""

    def __init__(self, reply: Reply, url: str) -> None:
        super().__init__()
        self.reply = reply
        self.status = reply.status
        self.url = url
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.forms: list[Form] = []
        self.links: dict[str, str] = {}
        self.text = ""
        self._link: str | None = None
        assert reply.headers["Content-Type"] == "text/html; charset=UTF-8", reply.body
        self.source = reply.body.decode()
        self.feed(self.source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.elements.append((tag, values))
        if tag == "form":
            self.forms.append(Form(values["action"], values.get("enctype", "")))
        elif tag == "input" and values.get("type") == "file":
            self.forms[-1].files.append(values["name"])
            self.forms[-1].multiple = "multiple" in values
        elif tag == "input":
            self.forms[-1].fields[values["name"]] = values.get("value") or ""
        elif tag == "a":
            self._link = values["href"]
            self.links.setdefault(values.get("aria-label") or "", self._link)

    def handle_endtag(self, tag: str) -> None:
        if tag == "a":
            self._link = None

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._link is not None and data.strip():
            self.links.setdefault(data, self._link)

    def form(self, do: str) -> Form:
        """The form that does something; ``upload`` is the first one with a file."""
        return next(
            form
            for form in self.forms
            if (form.files if do == "upload" else form.fields.get("do") == do)
        )

    def has_form(self, do: str) -> bool:
        return any(
            bool(form.files) if do == "upload" else form.fields.get("do") == do
            for form in self.forms
        )


class Browser:
    """See the module.

    Args:
        server: What it talks to.
    """

    def __init__(self, server: LiveServer) -> None:
        self.server = server
        self.cookies: dict[str, str] = {}
        self.set_cookies: list[Any] = []
        self.metadata = True

    async def sign_in(self, user: str) -> None:
        reply = await self.fetch("GET", f"/?token={TOKENS[user]}")
        assert reply.status == 303

    async def fetch(
        self,
        method: str,
        url: str,
        headers: dict[str, str | None] | None = None,
        body: bytes | None = None,
    ) -> Reply:
        """One request; nothing is followed. A header of ``None`` is left out."""
        sent: dict[str, str | None] = {
            "Host": self.server.netloc,
            "Accept": ACCEPT,
            "Sec-Fetch-Site": "same-origin" if method == "POST" else "none",
        }
        if method == "POST":
            sent["Origin"] = self.server.url
        if not self.metadata:
            sent = {"Host": self.server.netloc, "Accept": ACCEPT}
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        reply = await self.server.request(method, url, {**sent, **(headers or {})}, body)
        self.keep(reply)
        return reply

    def keep(self, reply: Reply) -> None:
        """Take the cookies of an answer."""
        for line in reply.headers.get_list("Set-Cookie"):
            for name, morsel in SimpleCookie(line).items():
                self.set_cookies.append(morsel)
                if morsel.value:
                    self.cookies[name] = morsel.value
                else:
                    self.cookies.pop(name, None)

    async def open(self, url: str, headers: dict[str, str | None] | None = None) -> Page:
        """Show a page, following redirects."""
        return await self.follow(url, await self.fetch("GET", url, headers))

    async def follow(self, url: str, reply: Reply) -> Page:
        while reply.status in {302, 303}:
            url = self.resolve(url, reply.headers["Location"])
            reply = await self.fetch("GET", url)
        return Page(reply, url)

    async def send(self, page: Page, form: Form, **filled: str) -> Page:
        """Fill in a form, send it, and show what comes."""
        url = self.resolve(page.url, form.action)
        return await self.follow(url, await self.post(url, {**form.fields, **filled}))

    async def post(
        self, url: str, fields: dict[str, str], headers: dict[str, str | None] | None = None
    ) -> Reply:
        given = {"Content-Type": "application/x-www-form-urlencoded", **(headers or {})}
        return await self.fetch("POST", url, given, urlencode(fields).encode())

    async def upload(
        self, page: Page, form: Form, *files: tuple[str, bytes], **filled: str
    ) -> Page:
        """Choose files in a form, send it, and show what comes."""
        url = self.resolve(page.url, form.action)
        body = multipart({**form.fields, **filled}, *files)
        return await self.follow(url, await self.post_multipart(url, body))

    async def post_multipart(
        self, url: str, body: bytes, headers: dict[str, str | None] | None = None
    ) -> Reply:
        return await self.fetch("POST", url, {**MULTIPART, **(headers or {})}, body)

    def resolve(self, base: str, url: str) -> str:
        """A link as the target of a request; it must stay on the server."""
        full = urlsplit(urljoin(self.server.url + base, url))
        assert full.netloc == self.server.netloc
        return full.path + (f"?{full.query}" if full.query else "")


MULTIPART = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


def part(name: str, value: bytes, filename: str | None = None) -> bytes:
    """One part of a form, as browsers write it."""
    disposition = f'Content-Disposition: form-data; name="{name}"'
    if filename is not None:
        escaped = filename.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
        disposition += f'; filename="{escaped}"\r\nContent-Type: application/octet-stream'
    return f"--{BOUNDARY}\r\n{disposition}\r\n\r\n".encode() + value + b"\r\n"


def multipart(fields: dict[str, str], *files: tuple[str, bytes]) -> bytes:
    """A whole form with files."""
    parts = [part(name, value.encode()) for name, value in fields.items()]
    parts += [part("file", data, filename) for filename, data in files]
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()
