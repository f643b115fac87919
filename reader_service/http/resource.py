"""What the resources of the API are built from: their router, and the parameters that endpoints take.

An endpoint that reads from memory is ``async def``; one that calls a service is a plain ``def`` and runs in a thread.
"""

from __future__ import annotations

from typing import Annotated, Final, cast

from fastapi import APIRouter, Depends
from pydantic import Field
from starlette.requests import HTTPConnection
from starlette.routing import Match
from starlette.types import Scope

from reader_service.access.authenticator import AuthenticatedCaller
from reader_service.errors import Forbidden, NotSignedIn, Unavailable
from reader_service.principal import Principal
from reader_service.service import ReaderService

PREFIX: Final = "/api/v1"


class Resource(APIRouter):
    """A router that checks its own ``prefix`` first, so that many endpoints cost no more than a few. ``create_app``
    includes it under ``PREFIX``."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if not scope["path"].startswith(PREFIX + self.prefix):
            return Match.NONE, {}
        return super().matches(scope)


async def _service(connection: HTTPConnection) -> ReaderService:
    return service_of(connection)


async def _principal(connection: HTTPConnection) -> Principal:
    return caller_of(connection)


def service_of(connection: HTTPConnection) -> ReaderService:
    """As ``Svc``, for a frequent request, where a dependency costs too much."""
    return cast("ReaderService", connection.app.state.service)


def caller_of(connection: HTTPConnection) -> Principal:
    """As ``Caller``. Raises NotSignedIn."""
    principal = principal_of(connection)
    if principal is None:
        raise NotSignedIn("sign in first, or send a token that is in force")
    return principal


def principal_of(connection: HTTPConnection) -> Principal | None:
    """The caller; None where there is none."""
    return cast("Principal | None", getattr(connection.state, "principal", None))


async def _session_caller(connection: HTTPConnection) -> AuthenticatedCaller:
    """The caller's session. Raises NotSignedIn, Forbidden for a token, which has no session."""
    caller_of(connection)
    caller = cast("AuthenticatedCaller", connection.state.caller)
    if caller.principal.token:
        raise Forbidden("a token has no session; sign in as a person for this")
    return caller


async def still_in(connection: HTTPConnection) -> bool:
    """Whether the caller is still signed in, for connections that outlast a request."""
    caller = cast("AuthenticatedCaller | None", connection.state.caller)
    if caller is None:
        return False
    authenticator = service_of(connection).accounts.authenticator
    try:
        return await authenticator.identify(caller.key, token=bool(caller.principal.token)) is not None
    except Unavailable:
        return False


async def _origin(connection: HTTPConnection) -> str:
    return origin_of(connection)


def origin_of(connection: HTTPConnection) -> str:
    """The address that the connection comes from, for audit and throttling."""
    return connection.client.host if connection.client else ""


Svc = Annotated[ReaderService, Depends(_service)]
Caller = Annotated[Principal, Depends(_principal)]
SessionCaller = Annotated[AuthenticatedCaller, Depends(_session_caller)]
"""The caller's own session."""
Origin = Annotated[str, Depends(_origin)]
Reason = Annotated[str, Field(min_length=1, max_length=500, description="The reason, which is stored in the audit.")]
