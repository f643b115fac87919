"""The issuer of scripts over HTTP: a verdict waits for it no longer than its limit, whatever it answers."""

from __future__ import annotations

import json
import time
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from membercard.wiring.api_client import ApiClient
from membercard.wiring.http_scripts import HttpScriptIssuer
from reader_service.redemptions.receiver import ReceiverAway, UploadRefused
from reader_service.services.counter.changes import CardChallenge, IssuedScript
from registry.members.wanted import UpdateKind
from terminal.member.proven import ProvenCard
from tests.support.misbehaving_server import Behaviour, misbehaving, says, silent
from tests.support.waiting import PATIENCE
from tests.unit.membercard.wiring.test_http_receiver import answer

CARD = cast(ProvenCard, SimpleNamespace(card_number="6212260000000000012", sequence=1))
DRAWN = {"waiting": True, "challenge": "01020304", "ticket": "17"}
SCRIPT = {"done": ["cover", "of-tomorrow"], "script": "0172", "number": 7, "unfinished": False} | DRAWN


@pytest.fixture
def token(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text("mc-counter-secret\n")
    path.chmod(0o600)
    return path


def called(behaviour: Behaviour, token: Path, call: str, *given: object, limit: float = PATIENCE) -> tuple[object, str]:
    with misbehaving(behaviour) as server:
        client = ApiClient(server.url(path=""), token, limit)
        came = getattr(HttpScriptIssuer(client, client, client), call)(*given)
        return came, server.requests[0].decode()


def test_the_questions_and_their_answers(token: Path) -> None:
    came, sent = called(says(answer(200, {"waiting": True})), token, "waiting")
    assert (came, sent.split("\r\n")[0]) == (True, "GET /api/v1/card-changes HTTP/1.1")
    came, sent = called(says(answer(200, DRAWN)), token, "challenge", CARD)
    assert came == CardChallenge(True, bytes.fromhex("01020304"), "17")
    assert sent.startswith("POST /api/v1/card-changes/challenge HTTP/1.1")
    assert json.loads(sent.partition("\r\n\r\n")[2]) == {"card_number": "6212260000000000012", "sequence": 1}
    came, _ = called(says(answer(200, {"waiting": False})), token, "challenge", CARD)
    assert came == CardChallenge(waiting=False)
    came, sent = called(says(answer(200, SCRIPT)), token, "script", CARD, b"\x01\x02", "17")
    drawn = CardChallenge(True, bytes.fromhex("01020304"), "17")
    assert came == IssuedScript((UpdateKind.COVER,), b"\x01\x72", 7, drawn)
    body = json.loads(sent.partition("\r\n\r\n")[2])
    assert (body["ticket"], body["presence"]) == ("17", "0102")
    last = {"done": [], "script": "", "number": 0, "unfinished": True}
    came, sent = called(says(answer(200, last)), token, "outcome", CARD, 7, b"\x03", "18")
    assert came == IssuedScript(unfinished=True)
    body = json.loads(sent.partition("\r\n\r\n")[2])
    assert (body["script"], body["evidence"], body["ticket"]) == (7, "03", "18")


def test_each_question_has_a_key_of_its_own(token: Path) -> None:
    keys = {
        called(says(answer(200, DRAWN)), token, "challenge", CARD)[1].lower().partition("idempotency-key: ")[2][:32]
        for _ in range(2)
    }
    assert len(keys) == 2


@pytest.mark.parametrize(
    "reply",
    [
        answer(401, {}),
        answer(403, {}),
        answer(404, {}),
        answer(409, {"params": {"reason": "card-not-proven"}}),
        answer(429, {}),
        answer(503, {}),
        answer(200, []),
        answer(200, DRAWN | {"challenge": "0102"}),
        answer(200, DRAWN | {"challenge": "none"}),
        answer(200, DRAWN | {"challenge": 7}),
        answer(200, DRAWN | {"ticket": 7}),
        b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>",
    ],
)
def test_whatever_else_it_answers_it_is_away(reply: bytes, token: Path) -> None:
    with pytest.raises(ReceiverAway):
        called(says(reply), token, "challenge", CARD)


@pytest.mark.parametrize("more", [{"number": True}, {"done": "cover"}, {"script": "xy"}, {"challenge": ""}])
def test_a_script_out_of_form_is_none(more: dict[str, object], token: Path) -> None:
    with pytest.raises(ReceiverAway):
        called(says(answer(200, SCRIPT | more)), token, "script", CARD, b"\x01", "17")


def test_a_verdict_waits_no_longer_than_the_limit(token: Path) -> None:
    began = time.monotonic()
    with pytest.raises(ReceiverAway):
        called(silent, token, "challenge", CARD, limit=0.3)
    assert time.monotonic() - began < PATIENCE


def test_without_a_token_nothing_is_sent(token: Path) -> None:
    token.unlink()
    with pytest.raises(UploadRefused):
        HttpScriptIssuer.at("http://127.0.0.1:1", token).challenge(CARD)
