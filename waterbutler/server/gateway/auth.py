"""Signing in and out, and refreshing."""

from __future__ import annotations

import re
from typing import Any

from waterbutler.core import JSON
from waterbutler.core.errors import Forbidden, InvalidRequest, NotFound
from waterbutler.server.gateway.documented import DocumentHandler
from waterbutler.server.gateway.documents import Document
from waterbutler.server.gateway.ids import TOP, Address, encode
from waterbutler.server.gateway.session import GatewaySession, admit
from waterbutler.server.gateway.vocabulary import Operation
from waterbutler.tokens import Tokens

TOKEN, RESOURCE, PROVIDER = "token", "resource", "provider"
"""What a user signs in with."""

_WORD = re.compile(r"\w+")
_PROMPTS = {
    TOKEN: "Token",
    RESOURCE: "Resource (empty: all that you may see)",
    PROVIDER: "Provider (empty: all of the resource)",
}


class AuthHandler(DocumentHandler):
    """The endpoints whose name ends in ``auth``, and those beside them."""

    limit = "sign_in"

    async def authenticate(self) -> None:
        """Whoever comes here is not signed in yet, or shows the token in the URL."""
        if self.route.id and self.operation is not Operation.SIGN_OUT:
            raise NotFound("There is nothing at this URL.")

    async def serve(self) -> None:
        """Do what is asked for."""
        if self.operation is Operation.METHOD:
            self.write_json(self._method())
        elif self.operation is Operation.SIGN_OUT:
            await self._sign_out()
        else:
            document = self.document()
            words = self.route.words
            if self.operation is Operation.REFRESH or words.refresh_token in document:
                await self._refresh(document.required(words.refresh_token))
            else:
                await self._sign_in(document)

    def _method(self) -> dict[str, JSON]:
        """Which form a user fills in."""
        names = [TOKEN] if self.route.root != TOP else [TOKEN, RESOURCE, PROVIDER]
        lists = self.context.accounts is not None
        field = "gateway.auth.form.input.field"
        form: list[JSON] = [
            {
                f"{field}.prompt": _PROMPTS[name] if lists else _PROMPTS[name].partition(" ")[0],
                f"{field}.name": name,
                f"{field}.required": name == TOKEN or not lists,
                f"{field}.order": order,
            }
            for order, name in enumerate(names, 1)
        ]
        return {"gateway.auth.method": "form", "gateway.auth.form": form}

    async def _sign_in(self, document: Document) -> None:
        token = document.required(TOKEN)
        root = self._root(document)
        account = await admit(self.context, token, root, self.identity())
        session = GatewaySession(
            token=token, account=account, resource=root.resource, mount=root.mount
        )
        tokens = await self.services.tokens.issue(session.seal(), holder=account)
        self._answer(tokens, session, whole=True)

    def _root(self, document: Document) -> Address:
        """What the user wants to see.

        Raises:
            InvalidRequest: A provider without its resource, or another one than in the URL.
            Forbidden: There cannot be such a resource or provider.
        """
        asked = Address(document.text(RESOURCE) or "", document.text(PROVIDER) or "")
        bound = self.route.root
        if bound != TOP:
            if asked.resource not in {"", bound.resource} or asked.mount not in {"", bound.mount}:
                raise InvalidRequest("The resource and the provider are those of the URL.")
            return bound
        if asked.mount and not asked.resource:
            raise InvalidRequest("A provider is signed in to with its resource.")
        if not all(_WORD.fullmatch(word) for word in (asked.resource, asked.mount) if word):
            raise Forbidden("The token is wrong, or is not allowed here.")
        return asked

    async def _refresh(self, token: str) -> None:
        refreshed = await self.services.tokens.refresh(token)
        if refreshed is None:
            raise Forbidden("The refresh token is wrong, or its session is over.")
        tokens, secret = refreshed
        session = GatewaySession.open(secret)
        try:
            if self.route.root not in {TOP, session.root}:
                raise Forbidden("The refresh token is not for this URL.")
            await admit(self.context, session.token, session.root, self.identity())
        except Forbidden:
            await self.services.tokens.revoke(tokens.access)
            raise
        self._answer(tokens, session, whole=self.route.words.refresh_shows_root)

    async def _sign_out(self) -> None:
        if not self.route.id or not await self.services.tokens.revoke(self.route.id):
            raise NotFound("There is no such session.")
        self.write_json({})

    def _answer(self, tokens: Tokens, session: GatewaySession, *, whole: bool) -> None:
        words = self.route.words
        shown: dict[str, Any] = {
            words.access_token: tokens.access,
            words.refresh_token: tokens.refresh,
        }
        if whole:
            shown[words.root] = encode(session.root)
            if words.account is not None:
                shown[words.account] = session.account
            if words.segment_size is not None:
                shown[words.segment_size] = self.services.segment_size
        self.write_json(shown)
