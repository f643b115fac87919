"""The OpenAPI document of the API, completed with what all operations have in common, and a plain page that shows it.

Frozen values that operations answer with are published as they are: their docstrings describe the schemas."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import is_dataclass
from html import escape
from typing import Any, Final, get_args, get_type_hints

from fastapi import APIRouter
from fastapi.openapi.utils import get_openapi
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse
from starlette.routing import BaseRoute

from reader_service.access import cookies, csrf
from reader_service.http.errors import CODES, MEDIA_TYPE
from reader_service.http.middleware import READS
from reader_service.http.resource import PREFIX

_PROBLEM: Final[dict[str, Any]] = {
    "type": "object",
    "title": "Problem",
    "description": "Problem details of a refused request (RFC 9457). docs/api.md explains each code.",
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
_PROBLEM_TEXTS: Final = {
    "400": "The request cannot be parsed.",
    "401": "The caller is not signed in, or the token is not valid.",
    "403": "The caller's roles do not allow this.",
    "404": "The named resource does not exist.",
    "409": "A rule of the registry, the state of a reader or another user's work forbids this.",
    "413": "The body is too large.",
    "422": "The request is not valid; `fields` names the faulty fields.",
    "429": "There are too many requests; try again after Retry-After seconds.",
    "503": "The database or another part is away. Nothing was changed.",
}
_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "A fresh UUID for each request that changes something; required with a token. A repeated key "
    "gets the first response again, and nothing is done twice.",
    "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
}
_ABOUT: Final = """Card readers, personalization lanes, members and their cards.

Sign in with `POST /api/v1/session`: it sets a cookie, and its `csrf` value goes into the header X-CSRF-Token of every
write. Programs send `Authorization: Bearer mc_...` instead. Lists come in pages: `?limit=&cursor=`. Errors are problem
details with a `code`.
"""
_FIELDS: Final[dict[tuple[str, str], dict[str, Any]]] = {
    ("LastCard", "number"): {"description": "The last six digits of the card number."},
    ("LastCard", "code"): {"examples": ["mute"]},
    ("LaneStatus", "state"): {"description": "One of waiting, working, paused, stopping and ended."},
    ("LaneStatus", "number"): {"description": "The last six digits of the number of the card in the reader."},
    ("LaneStatus", "code"): {"description": "The reason in `message` as a code.", "examples": ["batch-done"]},
    ("MemberView", "name_masked"): {"examples": ["孙**"]},
    ("MemberView", "id_masked"): {"examples": ["**************3974"]},
    ("MemberView", "mobile_masked"): {"examples": ["*******4135"]},
    ("Preparation", "code"): {"description": "The reason in `fault` as a code."},
    ("ReaderView", "id"): {"examples": ["virtual-pcd-00-00"]},
    ("ReaderView", "atr"): {"description": "The answer to reset in hex; empty without a card."},
    ("ReaderView", "drawer"): {"description": "Whether virtual cards can be inserted and torn out."},
    ("ReaderView", "detail"): {"description": "A sentence where an operator has to act, else empty."},
    ("Reject", "code"): {"examples": ["mute"]},
    ("RejectCount", "code"): {"examples": ["mute"]},
}
"""Texts and examples of published values' fields, by schema and field: a value itself knows no API."""
_GENERATED: Final = {
    "Body_": "The fields of the request body.",
    "Items_": "One page of a list, with the cursor of the next page.",
}
"""Descriptions of schemas that FastAPI and pydantic generate, by the beginning of their names."""


router = APIRouter(include_in_schema=False)


@router.get(f"{PREFIX}/openapi.json")
async def openapi_json(request: Request) -> JSONResponse:
    return JSONResponse(request.app.openapi())


@router.get("/api/docs")
async def page(request: Request) -> HTMLResponse:
    """The operations as a page that needs no script."""
    return HTMLResponse(_page(request.app.openapi()))


def build(title: str, routes: Sequence[BaseRoute]) -> dict[str, Any]:
    """The document of these routes, of which those under ``PREFIX`` are the API."""
    models: set[type] = set()
    for route in iter_route_contexts(routes):
        if getattr(route, "include_in_schema", False):
            _models_in(getattr(route, "response_model", None), models)
    document = get_openapi(title=title, version="1", description=_ABOUT, routes=routes)
    return _completed(document, [model for model in models if is_dataclass(model)])


def _completed(document: dict[str, Any], values: Iterable[type]) -> dict[str, Any]:
    parts = document.setdefault("components", {})
    parts["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer"},
        "session": {"type": "apiKey", "in": "cookie", "name": cookies.SECURE},
        "csrf": {"type": "apiKey", "in": "header", "name": csrf.HEADER.decode()},
    }
    schemas = parts.setdefault("schemas", {})
    schemas["Problem"] = _PROBLEM
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    for value in values:
        _complete_value(value.__name__, schemas[value.__name__])
    for name, schema in schemas.items():
        for prefix_of_name, description in _GENERATED.items():
            if name.startswith(prefix_of_name):
                schema.setdefault("description", description)
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if path.startswith(PREFIX):
                _complete(operation, method.upper(), path == f"{PREFIX}/session")
            else:
                operation.get("responses", {}).pop("422", None)
    return document


def _complete(operation: dict[str, Any], method: str, own: bool) -> None:
    reads = method in READS
    if not (own and method == "POST"):
        operation["security"] = [{"token": []}, {"session": []} if reads else {"session": [], "csrf": []}]
    if not reads and not own:
        operation.setdefault("parameters", []).append(_KEY)
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for status, description in _PROBLEM_TEXTS.items():
        if status == "422" or status not in operation["responses"]:
            operation["responses"][status] = {"description": description, "content": content}


def _complete_value(name: str, schema: dict[str, Any]) -> None:
    """A response has all fields, whichever of them have defaults when the program makes the value."""
    schema["required"] = list(schema["properties"])
    for field, about in schema["properties"].items():
        about.pop("default", None)
        about.update(_FIELDS.get((name, field), {}))


def _models_in(kind: Any, models: set[type]) -> None:
    """Add the dataclasses and models within a response type, at any depth, to ``models``."""
    if isinstance(kind, type) and (is_dataclass(kind) or issubclass(kind, BaseModel)):
        if kind in models:
            return
        models.add(kind)
        nested = tuple(get_type_hints(kind).values())
    else:
        nested = get_args(kind)
    for inner in nested:
        _models_in(inner, models)


def _page(document: dict[str, Any]) -> str:
    rows = []
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            text = escape(f"{operation['summary']}. {operation['description']}")
            rows.append(
                f"<tr><td><code>{method.upper()}</code></td><td><code>{escape(path)}</code></td><td>{text}</td>"
            )
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><title>membercard API</title>"
        "<h1>membercard API v1</h1><p>For programs: <a href=/api/v1/openapi.json>openapi.json</a> (OpenAPI 3.1).</p>"
        f"<table><thead><tr><th>Method<th>Path<th>What it does<tbody>{''.join(rows)}</table></html>"
    )
