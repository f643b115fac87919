"""The office of a counter over HTTP: ``/api/v1/redemptions/uploads`` of docs/api.md, with the token of an outlet."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from membercard.errors import SettingsError
from membercard.wiring.bounded_http import Endpoint, ExchangeFault, Reply, Request, exchange
from reader_service.redemptions.intents import UploadBatch
from reader_service.redemptions.receiver import ReceiverAway, UploadFaultCode, UploadReceipt, UploadRefused
from terminal import private_files
from terminal.errors import CodecError, NotPrivate
from terminal.secret import Secret

_TIMEOUT: Final = 60.0
"""Seconds for a whole exchange: an office books some hundred rows in it."""
_UPLOADS: Final = "/api/v1/redemptions/uploads"
_LONGEST_TOKEN: Final = 512
_PASSING: Final = frozenset((408, 425, 429, 500, 502, 503, 504))
"""Statuses after which the same request may succeed."""
_BY_STATUS: Final = {
    401: UploadFaultCode.TOKEN,
    403: UploadFaultCode.ROLE,
    404: UploadFaultCode.ADDRESS,
    405: UploadFaultCode.ADDRESS,
    413: UploadFaultCode.TOO_LARGE,
    421: UploadFaultCode.ADDRESS,
    422: UploadFaultCode.ROWS,
}
_CONFLICTS: Final = {
    "journal-outlet": UploadFaultCode.OUTLET,
    "outlet-missing": UploadFaultCode.OUTLET_MISSING,
    "upload-rows": UploadFaultCode.ROWS,
}


class HttpReceiver:
    """An office behind a URL; https, except on a loopback address. ``token`` is read anew for each exchange, so that a
    renewed one is used at once. Raises SettingsError for an invalid URL."""

    def __init__(self, url: str, token: Path, timeout: float = _TIMEOUT) -> None:
        try:
            endpoint = Endpoint.parse(url)
        except CodecError as fault:
            raise SettingsError(f"upload_url wants a URL such as https://office.example.org: {fault}") from None
        if endpoint.authorization is not None or "?" in endpoint.target:
            raise SettingsError("upload_url has no user, password or query: the token is in upload_token_file")
        target = endpoint.target.rstrip("/") + _UPLOADS
        self._endpoint, self._token, self._timeout = replace(endpoint, target=target), token, timeout

    def through(self, journal: str) -> int:
        answer = self._answer_to(Request("GET", target=f"/{journal}"))
        return _number(answer, "through")

    def take(self, batch: UploadBatch) -> UploadReceipt:
        body = json.dumps(batch.to_json(), ensure_ascii=False).encode()
        key = hashlib.sha256(body).hexdigest()
        headers = (("Content-Type", "application/json"), ("Idempotency-Key", key))
        answer = self._answer_to(Request("POST", body, headers))
        if _number(answer, "through") != batch.through:
            raise UploadRefused(UploadFaultCode.ANSWER)
        findings = answer.get("findings")
        counts = findings if isinstance(findings, dict) else {}
        return UploadReceipt(
            _number(answer, "booked"),
            _number(answer, "known"),
            {str(kind): _number(counts, kind) for kind in counts},
        )

    def _answer_to(self, request: Request) -> Mapping[str, Any]:
        """The JSON object of the answer. Raises ReceiverAway, UploadRefused."""
        bearer = f"Bearer {_token(self._token).reveal().decode('ascii')}"
        headers = (*request.headers, ("Authorization", bearer), ("Accept", "application/json"))
        wanted = request._replace(headers=headers, body_of_refusals=True)
        try:
            reply = exchange(self._endpoint, wanted, self._timeout)
        except ExchangeFault as fault:
            raise ReceiverAway(fault.reason) from fault
        answer = _object(reply)
        if reply.status in (200, 201) and answer is not None:
            return answer
        if reply.status in _PASSING:
            raise ReceiverAway(f"it answered HTTP {reply.status}")
        raise _refusal(reply.status, answer)


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


def _refusal(status: int, answer: Mapping[str, Any] | None) -> ReceiverAway | UploadRefused:
    if status == 409 and answer is not None:
        params = answer.get("params")
        reason = params.get("reason") if isinstance(params, dict) else None
        if reason in _CONFLICTS:
            return UploadRefused(_CONFLICTS[reason])
        if str(answer.get("type", "")).endswith("/request-in-progress"):
            return ReceiverAway("it still works on an earlier upload")
    return UploadRefused(_BY_STATUS.get(status, UploadFaultCode.ANSWER))


def _object(reply: Reply) -> Mapping[str, Any] | None:
    try:
        answer = json.loads(reply.body)
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


def _number(answer: Mapping[str, Any], name: str) -> int:
    """A count of an answer. Raises UploadRefused."""
    value = answer.get(name)
    if type(value) is not int or value < 0:
        raise UploadRefused(UploadFaultCode.ANSWER)
    return value
