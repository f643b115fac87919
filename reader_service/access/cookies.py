"""The session's cookie: unreadable for scripts, sent to this site only, and bound to this host under TLS."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

PLAIN: Final = "membercard"
SECURE: Final = "__Host-membercard"
"""RFC 6265bis, 4.1.3.2: Secure, Path=/, no Domain, so that no neighbour of this host can set it."""
LANGUAGE: Final = "membercard-language"
LANGUAGES: Final = ("zh", "en")
_YEAR: Final = 365 * 24 * 3600


def name(*, tls: bool) -> str:
    return SECURE if tls else PLAIN


def give(response: Response, secret: str, *, tls: bool) -> None:
    """Set the cookie. It ends with the browser, and the session earlier."""
    response.set_cookie(name(tls=tls), secret, path="/", secure=tls, httponly=True, samesite="strict")


def take(response: Response, *, tls: bool) -> None:
    response.delete_cookie(name(tls=tls), path="/", secure=tls, httponly=True, samesite="strict")


def give_language(response: Response, language: str, *, tls: bool) -> None:
    """Set the language that was chosen before signing in."""
    response.set_cookie(LANGUAGE, language, path="/", max_age=_YEAR, secure=tls, httponly=True, samesite="strict")


def read(header: bytes, wanted: str) -> str:
    """The value of one cookie in a Cookie header; empty where it is missing. RFC 6265, 5.4."""
    for pair in header.split(b";"):
        name, _, value = pair.strip().partition(b"=")
        if name == wanted.encode():
            return value.decode("latin-1")
    return ""
