"""Who may ask: whoever holds the page's token, by one of the page's own names, from the page itself.

A page in the same browser, another user of the machine and a stranger's name for this address (DNS rebinding) are
refused before anything else is looked at.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from shardsmith.app.render import render, texts

LOOPBACK = ("127.0.0.1", "localhost", "::1")
TOKEN = "token"  # noqa: S105  the parameter's name
ENTER = "/enter"
_MOST_BYTES = 4096
_SAFE = ("GET", "HEAD", "OPTIONS")
_OPEN = ("/static/",)  # without a token: what the page that asks for one needs
_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; img-src 'self' data: blob:; style-src 'self'; script-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",  # without one, a form says no Origin
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]


class Access:
    """ASGI middleware around the whole application."""

    def __init__(self, app: Any, token: str, host: str, port: int) -> None:
        """
        Args:
            host: the address that the server listens on; by another than loopback it may be called by any name.
            port: of the cookie's name, so that two pages on one machine do not take each other's.
        """
        self._app, self._token, self._cookie = app, token, f"shardsmith_{port}"
        self._of_cookie = hashlib.sha256(f"{self._cookie} {token}".encode()).hexdigest()  # says nothing of the token
        self._names = {f"{f'[{name}]' if ':' in name else name}:{port}" for name in LOOPBACK}
        self._is_local = host in LOOPBACK

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Any) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        answer = self._refusal(scope) or self._welcome(scope)
        if scope["path"] == ENTER and scope["method"] == "POST" and (answer is None or answer.status_code == 401):
            answer = await self._enter(Request(scope, receive))
        await (answer or self._app)(scope, receive, guarded)

    def _refusal(self, scope: Scope) -> Response | None:
        headers, say = Headers(scope=scope), texts()["access"]
        host = headers.get("host", "")
        if self._is_local and host not in self._names:
            return PlainTextResponse(say["host"], 421)
        by_script = self._is_right(headers.get("authorization", "").removeprefix("Bearer "))
        if scope["method"] not in _SAFE and not by_script:
            origin = urlsplit(headers.get("origin", ""))
            if origin.netloc != host or headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
                return PlainTextResponse(say["origin"], 403)
        if by_script or self._has_cookie(headers) or scope["path"].startswith(_OPEN):
            return None
        given = dict(parse_qsl(scope["query_string"].decode("latin-1"))).get(TOKEN, "")
        if self._is_right(given):
            return None
        if "text/html" in headers.get("accept", ""):
            return HTMLResponse(render("enter.html.jinja"), 401)
        return PlainTextResponse(say["token"], 401)

    def _welcome(self, scope: Scope) -> Response | None:
        """The token of the address printed at the start becomes a cookie, and leaves the address."""
        pairs = parse_qsl(scope["query_string"].decode("latin-1"))
        if scope["method"] != "GET" or not self._is_right(dict(pairs).get(TOKEN, "")):
            return None
        rest = urlencode([pair for pair in pairs if pair[0] != TOKEN])
        return self._let_in(f"{scope['path']}{f'?{rest}' if rest else ''}")

    async def _enter(self, request: Request) -> Response:
        """The token, or password, as a person types it."""
        if int(request.headers.get("content-length") or _MOST_BYTES + 1) > _MOST_BYTES:
            return PlainTextResponse(texts()["access"]["token"], 413)
        given = dict(parse_qsl((await request.body()).decode("utf-8", "replace"))).get(TOKEN, "")
        return self._let_in("/") if self._is_right(given) else HTMLResponse(render("enter.html.jinja", wrong=True), 401)

    def _let_in(self, to: str) -> Response:
        answer = RedirectResponse(to, 303)
        answer.set_cookie(self._cookie, self._of_cookie, httponly=True, samesite="strict", max_age=365 * 24 * 3600)
        return answer

    def _has_cookie(self, headers: Headers) -> bool:
        pairs = (pair.strip().partition("=") for pair in headers.get("cookie", "").split(";"))
        return any(
            name == self._cookie and hmac.compare_digest(value.encode(), self._of_cookie.encode())
            for name, _, value in pairs
        )

    def _is_right(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self._token.encode())


def check_host(host: str, password: str) -> None:
    """
    Raises:
        UsageError: others could reach the page without a password.
    """
    from shardsmith.dataset.errors import UsageError

    if host not in LOOPBACK and len(password) < 12:
        raise UsageError(
            f"--host {host}: others can reach the page there: set SHARDSMITH_PASSWORD to a password of 12 characters "
            "or more, which the page's address then asks for in place of its token"
        )


def password() -> str:
    """That of the environment; "" for none."""
    return os.environ.get("SHARDSMITH_PASSWORD", "")
