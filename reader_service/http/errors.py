"""Mapping of errors to HTTP: every refusal and fault as a problem detail (RFC 9457). No other file knows status codes.

``type`` is ``/problems/CODE``, relative to the service; docs/api.md lists the codes. ``detail`` is an English sentence,
``params`` are the values for a sentence in another language, ``fields`` names the faulty fields. What a client sent is
never repeated, except for the name of the resource, with numbers of persons and cards masked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from reader_service import errors as service
from reader_service.masking import masked
from registry.admin.idempotency import IdempotencyKeyReused, RequestInProgress
from registry.db.paging import BadCursor
from registry.errors import FenceLost, NotOnRecord, RegistryConflict, RegistryUnavailable, RegistryUnfit
from terminal.errors import CardError, CodecError, CustodyError, MembercardError, SecureChannelError, TransportError

Page = Callable[[Request, Exception], Response]
"""Makes a page of a refusal; raises what is none."""
FOR_PROGRAMS: Final = ("/api/", "/health/", "/metrics")
"""Addresses that answer problems, and not pages, whatever goes wrong."""
MEDIA_TYPE: Final = "application/problem+json"
TITLES: Final = {
    400: "Bad request",
    401: "Not signed in",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    406: "Not acceptable",
    408: "Too slow",
    409: "Conflict",
    413: "Too large",
    415: "Wrong type of content",
    421: "Wrong host",
    422: "Not valid",
    429: "Too many",
    500: "Internal error",
    502: "Card or reader fault",
    503: "Not available",
}
RETRY_UNAVAILABLE: Final = 2

_STATUSES: Final[tuple[tuple[type[Exception], int, str | None], ...]] = (
    (service.NotFound, 404, None),
    (service.NotSignedIn, 401, None),
    (service.Forbidden, 403, None),
    (service.Conflict, 409, None),
    (service.Invalid, 422, None),
    (service.RequestTooLarge, 413, None),
    (service.KeyReused, 422, None),
    (service.KeyMissing, 400, None),
    (service.TooSlow, 408, None),
    (service.WrongHost, 421, None),
    (service.LeaseHeld, 409, None),
    (service.LeaseLost, 409, None),
    (service.ReaderOut, 409, None),
    (service.TooMany, 429, None),
    (service.Unavailable, 503, None),
    (service.Broken, 500, None),
    (service.ServiceError, 400, None),
    (IdempotencyKeyReused, 422, "idempotency-key-reused"),
    (RequestInProgress, 409, "request-in-progress"),
    (BadCursor, 422, "bad-cursor"),
    (NotOnRecord, 404, "not-found"),
    (RegistryConflict, 409, "conflict"),
    (FenceLost, 409, "conflict"),
    (RegistryUnavailable, 503, "unavailable"),
    (RegistryUnfit, 503, "registry-unfit"),
    (CodecError, 422, "invalid"),
    (TransportError, 409, "reader-out"),
    (CardError, 502, "card-fault"),
    (SecureChannelError, 502, "card-fault"),
    (CustodyError, 503, "custody-unavailable"),
    (MembercardError, 409, "conflict"),
)
"""The first that fits; None: the error's own code."""

_NAMED: Final = re.compile(r"[a-zA-Z][a-zA-Z_-]{0,39}|[0-9]{1,4}")
_OF_STATUS: Final = {
    400: "bad-request",
    401: "not-signed-in",
    403: "forbidden",
    404: "not-found",
    405: "method-not-allowed",
    406: "not-acceptable",
    408: "too-slow",
    413: "too-large",
    415: "wrong-content-type",
    421: "wrong-host",
    422: "invalid",
    429: "too-many",
    503: "unavailable",
}


def _family(kind: type[service.ServiceError]) -> Iterator[type[service.ServiceError]]:
    yield kind
    for heir in kind.__subclasses__():
        yield from _family(heir)


CODES: Final = frozenset(
    {
        *_OF_STATUS.values(),
        *(code for _, _, code in _STATUSES if code),
        *(kind.code for kind in _family(service.ServiceError)),
    }
)
"""Every code there is; docs/api.md says something about each."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem response, as JSON or on a page. ``problem_of`` makes it and masks its texts."""

    status: int
    code: str
    detail: str
    fields: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, object] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def body(self) -> bytes:
        fields: dict[str, object] = {
            "type": f"/problems/{self.code}",
            "title": TITLES.get(self.status, "Problem"),
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
        }
        if self.fields:
            fields["fields"] = dict(self.fields)
        if self.params:
            fields["params"] = dict(self.params)
        return json.dumps(fields, ensure_ascii=False).encode()

    def response(self) -> Response:
        return Response(self.body(), self.status, dict(self.headers), MEDIA_TYPE)


def problem_of(error: Exception) -> Problem | None:
    """The problem for an error; None for a fault of this program."""
    if isinstance(error, RequestValidationError):
        fields = {_where(fault["loc"]): str(fault["msg"]) for fault in error.errors()}
        return Problem(422, "invalid", "the request is out of form; see `fields`", fields)
    if isinstance(error, HTTPException):
        return _of_http(error)
    for kind, status, code in _STATUSES:
        if isinstance(error, kind):
            return _of_ours(error, status, code)
    return None


def _of_ours(error: Exception, status: int, code: str | None) -> Problem:
    headers: dict[str, str] = {}
    params: Mapping[str, object] = {}
    fields: Mapping[str, str] = {}
    if isinstance(error, service.ServiceError):
        params = error.params
        code = code or error.code
    if isinstance(error, RegistryConflict):
        params = {"reason": error.reason, **error.params}
    if isinstance(error, service.Invalid):
        fields = error.fields
    if isinstance(error, service.TooMany):
        headers["Retry-After"] = str(error.retry_after)
        params = {"retry_after": error.retry_after, **params}
    elif status == 503:
        headers["Retry-After"] = str(RETRY_UNAVAILABLE)
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return Problem(
        status,
        code or "conflict",
        masked(str(error)),
        {name: masked(text) for name, text in fields.items()},
        {name: _plain(value) for name, value in params.items()},
        headers,
    )


def _of_http(error: HTTPException) -> Problem:
    code = _OF_STATUS.get(error.status_code, "bad-request")
    details = {
        404: "there is nothing at this address",
        405: "this address does not take that method",
        413: "the body is larger than this address takes",
        422: "the request is out of form",
    }
    detail = details.get(error.status_code) or masked(str(error.detail))
    return Problem(error.status_code, code, detail, headers=dict(error.headers or {}))


def _where(place: tuple[int | str, ...]) -> str:
    """The field as the client named it, without the part of the request it came in. What is not a field name is not
    repeated: the client may have put anything there."""
    steps = map(str, place[1:] if len(place) > 1 else place)
    return ".".join(step if _NAMED.fullmatch(step) else "(unknown)" for step in steps)


def _plain(value: object) -> object:
    """A JSON value; numbers of persons are masked, in whole numbers as well as in texts."""
    if isinstance(value, float | bool | None):
        return value
    text = masked(str(value))
    return value if isinstance(value, int) and text == str(value) else text


def answer(request: Request, error: Exception, page: Page | None = None) -> Response:
    """The response to an error: a problem, or what ``page`` makes of it. Raises what is no refusal."""
    if page is not None and not request.url.path.startswith(FOR_PROGRAMS):
        return page(request, error)
    problem = problem_of(error)
    if problem is None:
        raise error
    response = problem.response()
    if problem.status == 405:
        response.headers["Allow"] = _allowed(request)
    return response


def _allowed(request: Request) -> str:
    """All methods of an address, which several routes share. RFC 9110, 15.5.6."""
    path = request.url.path
    places = [place for place in iter_route_contexts(request.app.routes) if place.path_regex.match(path)]
    return ", ".join(sorted({method for place in places for method in place.methods or ()}))


def install(app: FastAPI, page: Page | None = None) -> None:
    """Make every error of an endpoint a problem, or a page outside the API."""

    async def handler(request: Request, error: Exception) -> Response:
        return answer(request, error, page)

    kinds: tuple[Any, ...] = (MembercardError, RequestValidationError, HTTPException)
    for kind in kinds:
        app.add_exception_handler(kind, handler)
