"""Writes the reference of the HTTP API, a page of Markdown, from the service's own OpenAPI document.

Run it with: .venv/bin/python -m scripts.api_reference FILE
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from reader_service.app import api_document

HEAD = """# HTTP API reference

Made from the service's OpenAPI document; the running service has it at `/api/v1/openapi.json`. [The API guide](api.md)
explains signing in, paging, idempotency and problem details, with examples that run.
"""


def page(openapi: dict[str, Any]) -> str:
    """One section for each resource, one table of fields for each schema."""
    everywhere = common(openapi)
    lines = [HEAD, "Every operation may also answer:\n", *_table(("status", "body", "meaning"), sorted(everywhere))]
    by_tag: dict[str, list[tuple[str, str, dict[str, Any]]]] = {}
    for path, methods in openapi["paths"].items():
        for method, operation in methods.items():
            by_tag.setdefault((operation.get("tags") or ["service"])[0], []).append((method.upper(), path, operation))
    for tag, operations in by_tag.items():
        lines.append(f"## {tag}\n")
        for method, path, operation in operations:
            lines += _operation(method, path, operation, everywhere)
    lines.append("## Schemas\n")
    for name, schema in sorted(openapi["components"]["schemas"].items()):
        lines += _schema(name, schema)
    return "\n".join(lines)


def common(openapi: dict[str, Any]) -> set[tuple[str, str, str]]:
    """The answers that four of five operations have word for word."""
    answers = [set(_answers(operation)) for methods in openapi["paths"].values() for operation in methods.values()]
    return {one for one in set().union(*answers) if sum(one in some for some in answers) >= 0.8 * len(answers)}


def _answers(operation: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [
        (
            status,
            ", ".join(_kind(content.get("schema", {})) for content in response.get("content", {}).values()),
            response.get("description", ""),
        )
        for status, response in operation["responses"].items()
    ]


def _operation(method: str, path: str, operation: dict[str, Any], everywhere: set[tuple[str, str, str]]) -> list[str]:
    lines = [f"### `{method} {path}`\n", f"**{operation.get('summary', '')}**\n"]
    if description := operation.get("description"):
        lines.append(f"{description}\n")
    rows = [
        (
            f"`{p['name']}`",
            p["in"],
            _kind(p.get("schema", {})),
            "yes" if p.get("required") else "",
            p.get("description", ""),
        )
        for p in operation.get("parameters", ())
    ]
    if rows:
        lines += _table(("parameter", "in", "type", "required", "meaning"), rows)
    for media, content in operation.get("requestBody", {}).get("content", {}).items():
        lines.append(f"Body: {_kind(content.get('schema', {}))} (`{media}`)\n")
    own = [answer for answer in _answers(operation) if answer not in everywhere]
    return lines + (_table(("status", "body", "meaning"), own) if own else [])


def _schema(name: str, schema: dict[str, Any]) -> list[str]:
    lines = [f"(schema-{name.lower()})=\n### {name}\n"]
    if description := schema.get("description"):
        lines.append(f"{description}\n")
    if "enum" in schema:
        lines.append("One of " + ", ".join(f"`{value}`" for value in schema["enum"]) + ".\n")
    required = set(schema.get("required", ()))
    rows = [
        (f"`{field}`", _kind(kind), "yes" if field in required else "", _meaning(kind))
        for field, kind in schema.get("properties", {}).items()
    ]
    return lines + (_table(("field", "type", "required", "meaning"), rows) if rows else [])


def _meaning(kind: dict[str, Any]) -> str:
    example = f" Example: `{json.dumps(kind['examples'][0], ensure_ascii=False)}`." if kind.get("examples") else ""
    return f"{kind.get('description', '')}{example}".strip()


def _kind(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#schema-{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(_kind(one) for one in schema["anyOf"])
    if "enum" in schema or "const" in schema:
        return ", ".join(f"`{value}`" for value in schema.get("enum", [schema.get("const")]))
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    return " ".join(filter(None, (str(schema.get("type", "any")), schema.get("format", ""))))


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    def line(cells: tuple[str, ...]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"

    return [line(head), line(("---",) * len(head)), *map(line, rows), ""]


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(api_document()), encoding="utf-8")
