"""The API's own document: OpenAPI with what every endpoint has in common, and a plain page to read it on."""

from __future__ import annotations

from html import escape
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.responses import HTMLResponse, JSONResponse

from reader_service.access import cookies, csrf
from reader_service.http.errors import CODES, MEDIA_TYPE
from reader_service.http.middleware import READS

_PROBLEM: Final[dict[str, Any]] = {
    "type": "object",
    "title": "Problem",
    "description": "Why not, as RFC 9457 has it. docs/api.md says something about each code.",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string", "examples": ["/problems/not-found"]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string", "enum": sorted(CODES)},
        "fields": {"type": "object", "additionalProperties": {"type": "string"}},
        "params": {"type": "object", "additionalProperties": True},
    },
}
_REFUSALS: Final = {
    "400": "The request cannot be read.",
    "401": "Nobody is signed in, or the token is not in force.",
    "403": "The roles of whoever asks do not allow this.",
    "404": "There is no such thing.",
    "409": "A rule of the record, a reader's state or somebody else's work stands against it.",
    "413": "The body is too large.",
    "422": "The request is out of form.",
    "429": "Too much at once; try again after Retry-After seconds.",
    "503": "The database or another part is away; nothing was changed.",
}
_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "A fresh UUID for each thing to do; with a token it is required. The same key again gets the same "
    "answer, and nothing is done twice.",
    "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
}
_ABOUT: Final = """The readers of a machine, personalization lanes, members and their cards.

Sign in with `POST /api/v1/session` (a cookie, and the answer's `csrf` in the header X-CSRF-Token of every write), or
send `Authorization: Bearer mc_...`. Lists come in pages: `?limit=&cursor=`. Refusals are problem details with a `code`.
"""


def install(app: FastAPI, prefix: str) -> None:
    """``/api/v1/openapi.json`` and ``/api/docs``, which needs no script."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _completed(
                get_openapi(title=app.title, version="1", description=_ABOUT, routes=app.routes), prefix
            )
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]

    @app.get(f"{prefix}/openapi.json", include_in_schema=False)
    async def document() -> JSONResponse:
        return JSONResponse(openapi())

    @app.get("/api/docs", include_in_schema=False)
    async def page() -> HTMLResponse:
        return HTMLResponse(_page(openapi()))


def _completed(found: dict[str, Any], prefix: str) -> dict[str, Any]:
    parts = found.setdefault("components", {})
    parts["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer"},
        "session": {"type": "apiKey", "in": "cookie", "name": cookies.SECURE},
        "csrf": {"type": "apiKey", "in": "header", "name": csrf.HEADER.decode()},
    }
    schemas = parts.setdefault("schemas", {})
    schemas["Problem"] = _PROBLEM
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    for path, methods in found["paths"].items():
        for method, operation in methods.items():
            if path.startswith(prefix):
                _complete(operation, method.upper(), path == f"{prefix}/session")
            else:
                operation.get("responses", {}).pop("422", None)
    return found


def _complete(operation: dict[str, Any], method: str, own: bool) -> None:
    reads = method in READS
    if not (own and method == "POST"):
        operation["security"] = [{"token": []}, {"session": []} if reads else {"session": [], "csrf": []}]
    if not reads and not own:
        operation.setdefault("parameters", []).append(_KEY)
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for status, description in _REFUSALS.items():
        if status == "422" or status not in operation["responses"]:
            operation["responses"][status] = {"description": description, "content": content}


def _page(found: dict[str, Any]) -> str:
    rows = []
    for path, methods in found["paths"].items():
        for method, operation in methods.items():
            told = escape(operation.get("description", "") or operation.get("summary", ""))
            rows.append(
                f"<tr><td><code>{method.upper()}</code></td><td><code>{escape(path)}</code></td><td>{told}</td>"
            )
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><title>membercard API</title>"
        "<h1>membercard API v1</h1><p>For programs: <a href=/api/v1/openapi.json>openapi.json</a> (OpenAPI 3.1).</p>"
        f"<table><thead><tr><th>Method<th>Path<th>What it does<tbody>{''.join(rows)}</table></html>"
    )
