"""The office of a counter over HTTP (docs/api.md), with the token of an outlet."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from membercard.errors import SettingsError
from membercard.wiring.bounded_http import Endpoint, ExchangeFault, Reply, Request, exchange
from reader_service.redemptions.receiver import ReceiverAway, UploadFaultCode, UploadRefused
from terminal import private_files
from terminal.errors import CodecError, NotPrivate
from terminal.secret import Secret

_API: Final = "/api/v1"
_TIMEOUT: Final = 60.0
"""Seconds for a whole exchange: an office books some hundred rows in it."""
_LONGEST_TOKEN: Final = 512
_PASSING: Final = frozenset((408, 425, 429, 500, 502, 503, 504))
"""Statuses after which the same request may succeed."""


class ApiClient:
    """An office behind a URL; https, except on a loopback address. ``token`` is read anew for each exchange, so that a
    renewed one is used at once. Raises SettingsError for an invalid URL."""

    def __init__(self, url: str, token: Path, timeout: float = _TIMEOUT) -> None:
        try:
            endpoint = Endpoint.parse(url)
        except CodecError as fault:
            raise SettingsError(f"upload_url wants a URL such as https://office.example.org: {fault}") from None
        if endpoint.authorization is not None or "?" in endpoint.target:
            raise SettingsError("upload_url has no user, password or query: the token is in upload_token_file")
        self._endpoint = replace(endpoint, target=endpoint.target.rstrip("/") + _API)
        self._token, self._timeout = token, timeout

    def ask(self, request: Request) -> Reply:
        """The final response, whatever its status is but for those of trouble that passes. ``target`` of the request is
        behind ``/api/v1``. Raises ReceiverAway, UploadRefused for a file without a token."""
        bearer = f"Bearer {_token(self._token).reveal().decode('ascii')}"
        headers = (*request.headers, ("Authorization", bearer), ("Accept", "application/json"))
        try:
            reply = exchange(self._endpoint, request._replace(headers=headers, body_of_refusals=True), self._timeout)
        except ExchangeFault as fault:
            raise ReceiverAway(fault.reason) from fault
        if reply.status in _PASSING:
            raise ReceiverAway(f"it answered HTTP {reply.status}")
        return reply


def json_object(reply: Reply) -> Mapping[str, Any] | None:
    """The body, where it is a JSON object."""
    try:
        answer = json.loads(reply.body)
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


def reason_of(answer: Mapping[str, Any] | None) -> object:
    """``params.reason`` of a problem."""
    params = answer.get("params") if answer is not None else None
    return params.get("reason") if isinstance(params, dict) else None


def _token(path: Path) -> Secret:
    """The token in a file. Raises UploadRefused."""
    try:
        private_files.tighten(path, "the office's token file", required=True)
        token = path.read_bytes().strip()
    except (OSError, NotPrivate) as fault:
        raise UploadRefused(UploadFaultCode.TOKEN_FILE) from fault
    if not token or len(token) > _LONGEST_TOKEN or not all(0x21 <= byte <= 0x7E for byte in token):
        raise UploadRefused(UploadFaultCode.TOKEN_FILE)
    return Secret(token)
