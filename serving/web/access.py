"""Who may see the page: whoever has the token; or, at a loopback address without one, whoever is on this machine."""

from __future__ import annotations

import hmac
import ipaddress
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

_COOKIE, _QUERY = "siamtrt_token", "token"
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob:; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def is_loopback(host: str) -> bool:
    """Whether *host*, a name or an address, is this machine's own, which no other reaches."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def guard(token: str | None) -> Middleware:
    """A middleware that lets requests in which may see the page.

    With a token, the first request names it as ``?token=...`` and gets a cookie. Without one, requests have to name a
    loopback host: otherwise the page of another site could ask by a name that it points here. A socket is opened by
    pages of this server and by programs, never by the page of another site.

    Args:
        token: None for none.
    """

    @web.middleware
    async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        if token is None:
            if not is_loopback(urlsplit(f"//{request.host}").hostname or ""):
                raise web.HTTPForbidden(text="ask for 127.0.0.1 or localhost\n")
        elif _is_equal(request.query.get(_QUERY, ""), token):
            entered = web.HTTPFound(request.path)
            entered.set_cookie(_COOKIE, token, httponly=True, samesite="Strict")
            raise entered
        elif not _is_equal(request.cookies.get(_COOKIE, ""), token):
            raise web.HTTPForbidden(text="open the address that the command printed, with its token\n")
        origin = request.headers.get("Origin")
        if origin is not None and urlsplit(origin).netloc != request.host:
            raise web.HTTPForbidden(text="another site's page may not ask\n")
        return await handler(request)

    return guarded


async def add_headers(_: web.Request, response: web.StreamResponse) -> None:
    """Have browsers keep nothing and load nothing from elsewhere; a signal handler of an application."""
    response.headers.update(_HEADERS)


def _is_equal(given: str, token: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), token.encode())
