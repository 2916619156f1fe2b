"""The first page: signing in and out, and all storages."""

from __future__ import annotations

from waterbutler.auth import COOKIE, MountSummary
from waterbutler.core import ROOT
from waterbutler.core.errors import InvalidRequest, Unauthenticated
from waterbutler.server.web.forms import FormHandler
from waterbutler.server.web.notices import notice
from waterbutler.server.web.pages import VISITOR
from waterbutler.service import Place


class HomeHandler(FormHandler):
    """What a user may see, and who that user is."""

    async def serve(self) -> None:
        """Show the page, or sign somebody in or out."""
        if self.request.method == "POST":
            self.read_form()
            await self._change()
        elif self.query.get("token"):
            self._sign_in_by_link(self.query.get("token") or "")
        else:
            await self._show()

    async def _show(self) -> None:
        resources = await self.context.auth.resources(self.who)
        wanted = self.query.get("next")
        self.onward = wanted or self.onward
        values = {
            "about": _about,
            "asks": wanted is not None,
            "notice": notice(self.query),
            "resources": resources,
            "storage_url": self._storage_url,
        }
        self.write_page("home.html", values)

    def _storage_url(self, resource: str, mount: str) -> str:
        return self.links.at(Place(resource, mount, ROOT))

    def _sign_in_by_link(self, token: str) -> None:
        """Sign in with ``?token=``, which then leaves the address bar.

        A link on another site could sign somebody in as somebody else: after such a link the user
        is asked first.
        """
        site = self.request.headers.get("Sec-Fetch-Site", "none")
        if site in {"none", "same-origin"} or self.context.accounts is None:
            self._sign_in(token)
        else:
            self.write_page("sign_in.html", {"token": token})

    async def _change(self) -> None:
        wanted = self.fields.get("do")
        if wanted == "sign-in":
            self.onward = self.fields.get("next", "")
            self._sign_in(self.fields.get("token", ""))
        elif wanted == "sign-out":
            self.drop_cookie(COOKIE)
            self.go(self.links.home({"done": "signed-out"}))
        else:
            raise InvalidRequest("The form asks for nothing that is known here.")

    def _sign_in(self, token: str) -> None:
        accounts, sessions = self.context.accounts, self.context.sessions
        if accounts is None:
            raise Unauthenticated("This server does not sign anybody in by itself.")
        session = accounts.open_session(token.strip())
        if session is None:
            raise Unauthenticated("This token is wrong. Check it, and try again.")
        self.keep_cookie(COOKIE, session, int(sessions.lifetime))
        self.drop_cookie(VISITOR)
        self.go(self.links.onward(self.onward))


def _about(mount: MountSummary) -> list[str]:
    """What there is to say about a storage besides its name."""
    words = [mount.provider] if mount.provider != mount.name else []
    return words if mount.writable else [*words, "read only"]
