"""The issuer of scripts for cards over HTTP, ``/card-changes`` of docs/api.md: a verdict does not wait for it long."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Self

from membercard import settings
from membercard.errors import SettingsError
from membercard.wiring.api_client import ApiClient, json_object
from membercard.wiring.bounded_http import Request
from reader_service.redemptions.receiver import ReceiverAway
from reader_service.services.counter.changes import CardChallenge, IssuedScript
from registry.members.wanted import UpdateKind
from terminal.member.presence import CHALLENGE
from terminal.member.proven import ProvenCard

_CHANGES: Final = "/card-changes"
_TIMEOUT: Final = 5.0
"""Seconds for a question in the background."""
_QUESTION: Final = 0.6
"""Seconds that a verdict waits to know whether anything waits for its card."""
_WORK: Final = 2.0
"""Seconds for a script, or for what ran of one: only cards for which something waits come to this."""
_STRANGE: Final = "its answer is out of form"


class HttpScriptIssuer:
    """An issuer behind a URL: the same client with three limits of time."""

    def __init__(self, background: ApiClient, question: ApiClient, work: ApiClient) -> None:
        self._background, self._question, self._work = background, question, work

    @classmethod
    def at(cls, url: str, token: Path) -> Self:
        """With the usual limits. Raises SettingsError for an invalid URL."""
        return cls(*(ApiClient(url, token, seconds) for seconds in (_TIMEOUT, _QUESTION, _WORK)))

    def waiting(self) -> bool:
        return _answer(self._background, Request("GET", target=_CHANGES)).get("waiting") is True

    def challenge(self, card: ProvenCard) -> CardChallenge:
        answer = _answer(self._question, _posted("challenge", card, {}))
        return _challenge(answer) if answer.get("waiting") is True else CardChallenge(waiting=False)

    def script(self, card: ProvenCard, presence: bytes, ticket: str) -> IssuedScript:
        sent = {"ticket": ticket, "presence": presence.hex()}
        return _script(_answer(self._work, _posted("script", card, sent)))

    def outcome(self, card: ProvenCard, script: int, evidence: bytes, ticket: str) -> IssuedScript:
        sent = {"script": script, "ticket": ticket, "evidence": evidence.hex()}
        return _script(_answer(self._work, _posted("outcome", card, sent)))


def script_issuer() -> HttpScriptIssuer | None:
    """The issuer that the settings name; None where it is this installation. Raises SettingsError."""
    current = settings.load()
    if not current.upload_url:
        return None
    if current.upload_token_file is None:
        raise SettingsError("upload_url needs the setting upload_token_file too: the token of this counter's outlet")
    return HttpScriptIssuer.at(current.upload_url, current.upload_token_file)


def _posted(target: str, card: ProvenCard, more: Mapping[str, object]) -> Request:
    sent = {"card_number": card.card_number, "sequence": card.sequence, **more}
    headers = (("Content-Type", "application/json"), ("Idempotency-Key", secrets.token_hex(16)))
    return Request("POST", json.dumps(sent).encode(), headers, f"{_CHANGES}/{target}")


def _answer(api: ApiClient, request: Request) -> Mapping[str, Any]:
    """The JSON object of an answer. Raises ReceiverAway, also for a refusal: nothing runs, and a verdict has no place
    for more; lists and uploads name what is wrong with the line. Raises UploadRefused without a token."""
    reply = api.ask(request)
    answer = json_object(reply)
    if reply.status != 200 or answer is None:
        raise ReceiverAway(f"it answered HTTP {reply.status}")
    return answer


def _challenge(answer: Mapping[str, Any]) -> CardChallenge:
    challenge, ticket = _bytes(answer, "challenge"), answer.get("ticket")
    if len(challenge) != CHALLENGE or not isinstance(ticket, str):
        raise ReceiverAway(_STRANGE)
    return CardChallenge(True, challenge, ticket)


def _script(answer: Mapping[str, Any]) -> IssuedScript:
    script, number, done = _bytes(answer, "script"), answer.get("number"), answer.get("done")
    if type(number) is not int or not isinstance(done, list):
        raise ReceiverAway(_STRANGE)
    kinds = {kind.value: kind for kind in UpdateKind}
    known = tuple(kinds[one] for one in done if isinstance(one, str) and one in kinds)
    drawn = _challenge(answer) if script else CardChallenge(waiting=False)
    return IssuedScript(known, script, number, drawn, answer.get("unfinished") is True)


def _bytes(answer: Mapping[str, Any], name: str) -> bytes:
    try:
        return bytes.fromhex(answer.get(name) or "")
    except (ValueError, TypeError):
        raise ReceiverAway(_STRANGE) from None
