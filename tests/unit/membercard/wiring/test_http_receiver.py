"""The office over HTTP, with servers that misbehave: what is not answered is away, what is refused has its reason."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from membercard.errors import SettingsError
from membercard.wiring.bounded_http import MOST_BODY
from membercard.wiring.http_receiver import HttpReceiver
from reader_service.redemptions.intents import UploadBatch
from reader_service.redemptions.receiver import ReceiverAway, UploadFaultCode, UploadReceipt, UploadRefused
from registry.programme.grants import GrantRefused, GrantRequest, OnlineGrant
from terminal.member.journal_rows import NO_ROW, JournalRow, RowKind
from tests.support.cards.member_issuer import NOW
from tests.support.misbehaving_server import Behaviour, Misbehaving, misbehaving, says, silent
from tests.support.waiting import PATIENCE

BATCH = UploadBatch("ab" * 16, NO_ROW, (JournalRow(1, NOW, RowKind.OPENED), JournalRow(2, NOW, RowKind.CUT)))
TAKEN = {"through": 2, "booked": 1, "known": 0, "reversed": 0, "findings": {"atc-gap": 1}}


def answer(status: int, value: object, kind: str = "application/json") -> bytes:
    body = json.dumps(value).encode()
    return b"HTTP/1.1 %d X\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s" % (
        status,
        kind.encode(),
        len(body),
        body,
    )


def conflict(reason: str, code: str = "conflict") -> bytes:
    return answer(409, {"type": f"/problems/{code}", "status": 409, "params": {"reason": reason}})


@pytest.fixture
def token(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text("mc-counter-secret\n")
    path.chmod(0o600)
    return path


def taken(
    behaviour: Behaviour, token: Path, timeout: float = PATIENCE, path: str = ""
) -> tuple[UploadReceipt, Misbehaving]:
    with misbehaving(behaviour) as server:
        return HttpReceiver(server.url(path=path), token, timeout).take(BATCH), server


def test_rows_are_posted_with_the_token_of_the_outlet_and_a_key_that_is_the_same_again(token: Path) -> None:
    receipt, server = taken(says(answer(200, TAKEN)), token, path="/union/")
    assert receipt == UploadReceipt(1, 0, {"atc-gap": 1})
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /union/api/v1/redemptions/uploads HTTP/1.1"
    fields = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
    assert fields["authorization"] == "Bearer mc-counter-secret"
    assert json.loads(body) == BATCH.to_json()
    _, again = taken(says(answer(200, TAKEN)), token)
    assert f"idempotency-key: {fields['idempotency-key']}" in again.requests[0].decode().lower()


def test_a_stored_refusal_is_requested_again(token: Path) -> None:
    stored = conflict("upload-rows").replace(b"\r\n\r\n", b"\r\nIdempotency-Replayed: true\r\n\r\n", 1)
    answers = [stored, answer(200, TAKEN)]
    receipt, server = taken(lambda connection, over: says(answers.pop(0))(connection, over), token)
    assert receipt == UploadReceipt(1, 0, {"atc-gap": 1})
    first, second = (request.decode().lower().partition("idempotency-key: ")[2][:64] for request in server.requests)
    assert first != second, "under another key"


WANTED = GrantRequest(
    "ab" * 16, 2, "6212260000000000012", 1, "PARK", "T0000001", "film", "seat", 1, 900, 3, answers=("student",)
)
GRANTED = {"number": 5, "price": 1000, "saved": 0, "left": 1, "day": "2026-11-22", "at": "2026-11-22T09:00:00+00:00",
           "known": False, "reversed": False}  # fmt: skip
REFUSED = {"code": "limit-reached", "rule": "limits.0", "again_on": "2026-12-01", "zh": "限2次", "en": "at most 2"}


def wanted(behaviour: Behaviour, token: Path) -> tuple[OnlineGrant | GrantRefused, Misbehaving]:
    with misbehaving(behaviour) as server:
        return HttpReceiver(server.url(path=""), token, PATIENCE).ask(WANTED), server


def test_a_use_that_the_issuer_counts_is_posted_and_its_grant_is_read(token: Path) -> None:
    grant, server = wanted(says(answer(200, {"granted": GRANTED, "refused": None})), token)
    assert grant == OnlineGrant(5, 1000, 0, 1, date(2026, 11, 22), datetime(2026, 11, 22, 9, tzinfo=UTC), False, False)
    assert server.requests[0].startswith(b"POST /api/v1/redemptions/grants HTTP/1.1")
    sent = json.loads(server.requests[0].partition(b"\r\n\r\n")[2])
    assert (sent["intent"], sent["price"], sent["answers"], sent["list_price"]) == (2, 900, ["student"], None)


def test_a_refusal_has_its_sentence_in_both_languages(token: Path) -> None:
    refused, _ = wanted(says(answer(200, {"granted": None, "refused": REFUSED})), token)
    assert refused == GrantRefused("limit-reached", "limits.0", date(2026, 12, 1), "限2次", "at most 2")


@pytest.mark.parametrize(
    "value",
    [{}, {"granted": None, "refused": None}, {"granted": "x", "refused": None}, {"granted": GRANTED | {"price": -1},
     "refused": None}, {"granted": GRANTED | {"day": "x"}, "refused": None}, {"granted": None, "refused": "x"}],
)  # fmt: skip
def test_an_answer_that_is_neither_is_not_an_issuer(token: Path, value: object) -> None:
    with pytest.raises(UploadRefused) as refused:
        wanted(says(answer(200, value)), token)
    assert refused.value.fault is UploadFaultCode.ANSWER


@pytest.mark.parametrize("reply", [answer(503, {}), answer(502, {}), b""], ids=["503", "502", "cut"])
def test_an_issuer_that_does_not_answer_is_away(token: Path, reply: bytes) -> None:
    with pytest.raises(ReceiverAway):
        wanted(says(reply), token)


def test_how_far_the_receiver_is(token: Path) -> None:
    with misbehaving(says(answer(200, {"through": 17}))) as server:
        assert HttpReceiver(server.url(path=""), token).through("ab" * 16) == 17
        assert server.requests[0].startswith(b"GET /api/v1/redemptions/uploads/%s HTTP/1.1" % (b"ab" * 16))


@pytest.mark.parametrize(
    ("date", "heard"),
    [
        (b"Date: Sun, 22 Nov 2026 09:00:00 GMT\r\n", True),
        (b"", False),
        (b"Date: yesterday\r\n", False),
        (b"Date: Sun, 99 Nov 2026 09:00:00 GMT\r\n", False),
        (b"Date: Sun, 22 Nov 2026 09:00:00 -0000\r\n", False),
    ],
)
def test_the_time_of_an_answer_is_the_time_of_the_issuer(token: Path, date: bytes, heard: bool) -> None:
    reply = answer(200, {"through": 17}).replace(b"Content-Type", date + b"Content-Type", 1)
    with misbehaving(says(reply)) as server:
        receiver = HttpReceiver(server.url(path=""), token)
        assert receiver.issuer_time.now() is None
        receiver.through("ab" * 16)
    now = receiver.issuer_time.now()
    assert (now is not None) is heard
    if now is not None:
        assert timedelta() <= now - datetime(2026, 11, 22, 9, tzinfo=UTC) < timedelta(minutes=10)


def test_a_refusal_says_nothing_of_the_time(token: Path) -> None:
    reply = answer(401, {}).replace(b"Content-Type", b"Date: Sun, 22 Nov 2026 09:00:00 GMT\r\nContent-Type", 1)
    with misbehaving(says(reply)) as server:
        receiver = HttpReceiver(server.url(path=""), token)
        with pytest.raises(UploadRefused):
            receiver.through("ab" * 16)
    assert receiver.issuer_time.now() is None


@pytest.mark.parametrize(
    ("reply", "fault"),
    [
        (answer(401, {}), UploadFaultCode.TOKEN),
        (answer(403, {}), UploadFaultCode.ROLE),
        (answer(404, {}), UploadFaultCode.ADDRESS),
        (answer(413, {}), UploadFaultCode.TOO_LARGE),
        (answer(421, {}), UploadFaultCode.ADDRESS),
        (answer(422, {}), UploadFaultCode.ROWS),
        (conflict("journal-outlet"), UploadFaultCode.OUTLET),
        (conflict("outlet-missing"), UploadFaultCode.OUTLET_MISSING),
        (conflict("upload-rows"), UploadFaultCode.ROWS),
        (conflict("something-new"), UploadFaultCode.ANSWER),
        (answer(302, {}), UploadFaultCode.ANSWER),
        (answer(200, TAKEN | {"through": 1}), UploadFaultCode.ANSWER),
        (answer(200, TAKEN | {"booked": True}), UploadFaultCode.ANSWER),
        (answer(200, ["through", 2]), UploadFaultCode.ANSWER),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>", UploadFaultCode.ANSWER),
    ],
)
def test_what_the_receiver_refuses_has_its_reason(reply: bytes, fault: UploadFaultCode, token: Path) -> None:
    with pytest.raises(UploadRefused) as refused:
        taken(says(reply), token)
    assert refused.value.fault is fault


def cut(connection: socket.socket, _over: threading.Event) -> None:
    """Reads half of the upload and breaks the line."""
    connection.recv(100)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_an_receiver_in_trouble_is_away(status: int, token: Path) -> None:
    with pytest.raises(ReceiverAway):
        taken(says(answer(status, {})), token)


def test_an_earlier_upload_that_is_not_finished_is_waited_for(token: Path) -> None:
    with pytest.raises(ReceiverAway):
        taken(says(conflict("", "request-in-progress")), token)


@pytest.mark.parametrize(
    "behaviour",
    [
        says(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{"),
        says(b"SMTP\r\n\r\n"),
        says(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (MOST_BODY + 1) + bytes(MOST_BODY + 1)),
    ],
)
def test_an_answer_that_is_cut_or_endless_leaves_it_open(behaviour: Callable[..., None], token: Path) -> None:
    with pytest.raises(ReceiverAway):
        taken(behaviour, token)


def test_an_upload_that_is_cut_in_half_is_away(token: Path) -> None:
    with misbehaving(cut, read=False) as server, pytest.raises(ReceiverAway):
        HttpReceiver(server.url(path=""), token).take(BATCH)


def test_an_receiver_that_does_not_answer_in_time_or_is_not_there_is_away(token: Path) -> None:
    with pytest.raises(ReceiverAway):
        taken(silent, token, timeout=0.5)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(ReceiverAway):
        HttpReceiver(f"http://127.0.0.1:{port}", token).take(BATCH)


@pytest.mark.parametrize("content", [b"", b"two words", b"x" * 600, "令牌".encode(), b"a\nInjected: yes"])
def test_a_file_without_a_token_is_refused_before_anything_is_sent(content: bytes, token: Path) -> None:
    token.write_bytes(content)
    with misbehaving(says(answer(200, TAKEN))) as server:
        with pytest.raises(UploadRefused) as refused:
            HttpReceiver(server.url(path=""), token).take(BATCH)
        assert (refused.value.fault, server.connections) == (UploadFaultCode.TOKEN_FILE, 0)
    token.unlink()
    with pytest.raises(UploadRefused):
        HttpReceiver("http://127.0.0.1:1", token).take(BATCH)


@pytest.mark.parametrize(
    "url", ["http://office.example.org", "office", "https://user:pass@office.example.org", "https://office/?a=b", ""]
)
def test_an_address_that_is_no_receiver_is_refused(url: str, token: Path) -> None:
    with pytest.raises(SettingsError):
        HttpReceiver(url, token)
