"""The OpenAPI document reads as a reference for strangers: complete, in whole sentences, without private words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.service.accounts import accounts_app

PRIVATE = re.compile(
    r"\b(told|asked|said|reasoned|desks?|doors?|gates?|seats?|hubs?|deeds?|office|drawers?|hoppers?|keepers?|house|"
    r"anew|for ever|whoever|proven card)\b",
    re.IGNORECASE,
)
SENTENCE = re.compile(r"[`A-Z][^.]{8,}.*\.", re.DOTALL)
TEXTS = ("summary", "description")


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    served = accounts_app(tmp_path_factory.mktemp("document"))
    with served.registry:
        return served.app.openapi()


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def texts(node: Any, place: str) -> Iterator[tuple[str, str]]:
    """Every text of the document that a reader sees, with its place."""
    if isinstance(node, dict):
        for name, value in node.items():
            if name in TEXTS and isinstance(value, str):
                yield f"{place}/{name}", value
            elif name not in ("example", "examples"):
                yield from texts(value, f"{place}/{name}")
    elif isinstance(node, list):
        for number, value in enumerate(node):
            yield from texts(value, f"{place}/{number}")


def test_every_operation_has_a_summary_and_a_description_in_sentences(document: dict[str, Any]) -> None:
    faulty = {}
    for place, operation in operations(document):
        summary, description = operation.get("summary", ""), operation.get("description", "")
        if not re.fullmatch(r"[A-Z][^.]+", summary) or not SENTENCE.fullmatch(description):
            faulty[place] = (summary, description)
        elif description.startswith("Role"):
            faulty[place] = ("only its roles", description)
    assert faulty == {}


def test_every_schema_has_a_description_in_sentences(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert {
        name: schema.get("description")
        for name, schema in schemas.items()
        if not SENTENCE.fullmatch(schema.get("description", ""))
    } == {}


def test_every_parameter_has_a_description(document: dict[str, Any]) -> None:
    assert [
        f"{place} {parameter['name']}"
        for place, operation in operations(document)
        for parameter in operation.get("parameters", ())
        if not SENTENCE.fullmatch(parameter.get("description", ""))
    ] == []


def test_no_text_has_a_private_word(document: dict[str, Any]) -> None:
    quoted = re.compile(r"`[^`]*`")
    assert {place: text for place, text in texts(document, "") if PRIVATE.search(quoted.sub("", text))} == {}


def test_the_page_shows_every_operation(tmp_path: Path) -> None:
    served = accounts_app(tmp_path)
    with served.registry:
        page = served.client().get("/api/docs").text
        assert all(f"<code>{path}</code>" in page for path in served.app.openapi()["paths"])
