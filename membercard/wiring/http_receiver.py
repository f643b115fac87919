"""The office of a counter over HTTP: it takes rows of the journal, ``/redemptions/uploads`` of docs/api.md."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict
from datetime import date, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Final

from membercard.wiring.api_client import ApiClient, json_object, reason_of
from membercard.wiring.bounded_http import Reply, Request
from reader_service.redemptions.clock import IssuerTime
from reader_service.redemptions.intents import UploadBatch
from reader_service.redemptions.receiver import ReceiverAway, UploadFaultCode, UploadReceipt, UploadRefused
from registry.programme.grants import GrantRefused, GrantRequest, OnlineGrant

_UPLOADS: Final = "/redemptions/uploads"
_GRANTS: Final = "/redemptions/grants"
_TIMEOUT: Final = 60.0
_TAKEN: Final = (200, 201)
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
    "grant-request": UploadFaultCode.JOURNAL,
    "outlet-missing": UploadFaultCode.OUTLET_MISSING,
    "upload-rows": UploadFaultCode.ROWS,
}


class HttpReceiver:
    """An office behind a URL (``ApiClient``). Raises SettingsError for an invalid URL."""

    def __init__(self, url: str, token: Path, timeout: float = _TIMEOUT) -> None:
        self._api = ApiClient(url, token, timeout)
        self.issuer_time = IssuerTime()
        """By the Date of its answers (RFC 9110, 6.6.1)."""

    def through(self, journal: str) -> int:
        answer = self._object(self._api.ask(Request("GET", target=f"{_UPLOADS}/{journal}")))
        return _number(answer, "through")

    def take(self, batch: UploadBatch) -> UploadReceipt:
        body = json.dumps(batch.to_json(), ensure_ascii=False).encode()
        reply = self._api.ask(_posted(body, hashlib.sha256(body).hexdigest()))
        if reply.replayed and reply.status not in _TAKEN:
            # The office stores a refusal for a day, whatever was mended there since.
            reply = self._api.ask(_posted(body, secrets.token_hex(16)))
        answer = self._object(reply)
        if _number(answer, "through") != batch.through:
            raise UploadRefused(UploadFaultCode.ANSWER)
        findings = answer.get("findings")
        counts = findings if isinstance(findings, dict) else {}
        return UploadReceipt(
            _number(answer, "booked"),
            _number(answer, "known"),
            {str(kind): _number(counts, kind) for kind in counts},
        )

    def ask(self, wanted: GrantRequest) -> OnlineGrant | GrantRefused:
        body = json.dumps({**asdict(wanted), "answers": list(wanted.answers)}, ensure_ascii=False).encode()
        answer = self._object(self._api.ask(_posted(body, secrets.token_hex(16), _GRANTS)))
        try:
            return _grant(answer)
        except (AttributeError, KeyError, TypeError, ValueError):
            raise UploadRefused(UploadFaultCode.ANSWER) from None

    def _object(self, reply: Reply) -> Mapping[str, Any]:
        """The JSON object of an answer. Raises ReceiverAway, UploadRefused."""
        answer = json_object(reply)
        if reply.status not in _TAKEN or answer is None:
            raise _refusal(reply.status, answer)
        if (date := _date(reply.date)) is not None:
            self.issuer_time.heard(date)
        return answer


def _posted(body: bytes, key: str, target: str = _UPLOADS) -> Request:
    return Request("POST", body, (("Content-Type", "application/json"), ("Idempotency-Key", key)), target)


def _grant(answer: Mapping[str, Any]) -> OnlineGrant | GrantRefused:
    """The decision of an answer. Raises AttributeError, KeyError, TypeError, ValueError,
    UploadRefused."""
    granted, refused = answer["granted"], answer["refused"]
    if granted is None:
        again = refused["again_on"]
        day = None if again is None else date.fromisoformat(again)
        return GrantRefused(str(refused["code"]), str(refused["rule"]), day, str(refused["zh"]), str(refused["en"]))
    left = granted["left"]
    return OnlineGrant(
        number=_number(granted, "number"),
        price=_number(granted, "price"),
        saved=_number(granted, "saved"),
        left=None if left is None else _number(granted, "left"),
        day=date.fromisoformat(granted["day"]),
        at=datetime.fromisoformat(granted["at"]),
        known=granted["known"] is True,
        reversed=granted["reversed"] is True,
    )


def _refusal(status: int, answer: Mapping[str, Any] | None) -> ReceiverAway | UploadRefused:
    if status == 409 and answer is not None:
        reason = reason_of(answer)
        if reason in _CONFLICTS:
            return UploadRefused(_CONFLICTS[str(reason)])
        if str(answer.get("type", "")).endswith("/request-in-progress"):
            return ReceiverAway("it still works on an earlier upload")
    return UploadRefused(_BY_STATUS.get(status, UploadFaultCode.ANSWER))


def _date(text: str) -> datetime | None:
    """The time of a Date header; None for one without, or with another form."""
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, IndexError):
        return None
    return None if date.tzinfo is None else date


def _number(answer: Mapping[str, Any], name: str) -> int:
    """A count of an answer. Raises UploadRefused."""
    value = answer.get(name)
    if type(value) is not int or value < 0:
        raise UploadRefused(UploadFaultCode.ANSWER)
    return value
