"""The log: lines for people or JSON for programs, without secrets and personal data.

Set up once per process.
"""

from __future__ import annotations

import logging
import re
from collections.abc import MutableMapping
from pathlib import Path
from traceback import extract_tb
from typing import Any, Final, TextIO

import structlog

from reader_service.masking import masked
from terminal.visible import visible

_SECRET_NAMES: Final = re.compile(r"pass(word|phrase)|secret|cookie|authorization|csrf|pin\b|id_?number|mobile", re.I)
_SECRETS: Final = re.compile(r"\bmc_[\w-]{20,}|\b[A-Za-z0-9_-]{43}\b|(?<=://)[^/@\s:]+:[^/@\s]+(?=@)")
"""Tokens, cookies and CSRF secrets (256 bits in base64url), and what stands before the @ of a URL."""
_HIDDEN: Final = "***"

Fields = MutableMapping[str, Any]


def set_up(stream: TextIO, *, as_json: bool, level: str = "INFO") -> None:
    """Send everything that this process logs to ``stream``, one line each."""
    renderer = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if as_json
        else structlog.dev.ConsoleRenderer(colors=stream.isatty())
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                structlog.stdlib.ExtraAdder(),
                structlog.processors.TimeStamper(fmt="iso", utc=True),
            ],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, place_only, redact, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    server = logging.getLogger("uvicorn.error")
    server.setLevel(max(logging.INFO, root.level))  # below, it tells the heads and messages of WebSockets
    server.addFilter(_without_addresses)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("uvicorn.access").disabled = True  # our own line has no query and no values of the path


def _without_addresses(record: logging.LogRecord) -> bool:
    """The server's own lines about WebSockets hold the whole address, query included; ours do not."""
    return not str(record.msg).startswith('%s - "WebSocket ')


def place_only(_logger: object, _method: str, fields: Fields) -> Fields:
    """An exception by its kind and place, as its text may hold anything."""
    info = fields.pop("exc_info", None)
    if isinstance(info, tuple) and info[1] is not None:
        error: BaseException = info[1]
        frames = extract_tb(error.__traceback__)[-5:]
        fields["kind"] = type(error).__name__
        fields["places"] = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames]
    for name in ("exception", "exc_text", "stack_info", "color_message"):
        fields.pop(name, None)
    return fields


def redact(_logger: object, _method: str, fields: Fields) -> Fields:
    """Hide secrets by field name or form, mask personal numbers, and keep every value on its line."""
    for name, value in fields.items():
        fields[name] = _HIDDEN if _SECRET_NAMES.search(name) else _clean(value)
    return fields


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return visible(masked(_SECRETS.sub(_HIDDEN, value)))
    if isinstance(value, dict):
        return {name: _HIDDEN if _SECRET_NAMES.search(str(name)) else _clean(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(one) for one in value]
    return value if isinstance(value, int | float | bool | None) else _clean(str(value))
