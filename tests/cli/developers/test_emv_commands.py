"""`membercard emv`: what a developer sees of a transaction, and the way to an issuer over HTTP."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.resources import files
from pathlib import Path

import pytest
from typer.testing import CliRunner
from typer.testing import Result as Done

from membercard import settings
from membercard.commands.developers.emv import commands as emv_commands
from membercard.commands.developers.emv.view import show_outcome
from membercard.errors import SettingsError
from membercard.wiring.issuer_http import HttpIssuer, field_data
from membercard.wiring.terminal import own_authorities
from terminal.emv.data.bits import TSI, TVR
from terminal.emv.transaction.config import parse_config
from terminal.emv.transaction.outcome import Cryptogram, CryptogramType, Outcome, Result, ScriptResult
from terminal.emv.transaction.protocols import OnlineRequest, OnlineResponse, Unable
from terminal.errors import CardGone, CardMalformed, CodecError, KeyNotFound
from terminal.keys import Algorithm, MemoryCustody, Purpose
from terminal.tlv import decode
from tests.support.cards.toys.emv_toy_card import CA, DATA, PAN, ToyCard, arpc, tlv, toy_keys
from tests.support.cards.toys.emv_toy_terminal import SHIPPED

REQUEST = OnlineRequest(PAN, 1, {0x9F26: bytes(8), 0x5F34: b"\x01", 0x9F10: b""}, bytes(8))
ARGS = ["run", "--reader", "toy:", "--amount", "12.34"]


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ToyCard:
    """A card in the reader, and the key file of its scheme in the data directory."""
    card = ToyCard()

    @contextmanager
    def card_in(url: str, wait: float) -> Iterator[ToyCard]:
        yield card

    monkeypatch.setattr(emv_commands, "card_in", card_in)
    # As wide as a terminal that breaks no words of the steps.
    monkeypatch.setenv("COLUMNS", "120")
    settings.activate(None, data_dir=tmp_path)
    (key,) = toy_keys().rsa.values()
    entry = {
        "rid": key.rid.hex(),
        "index": f"{key.index:02X}",
        "modulus": CA.modulus.hex(),
        "exponent": CA.exponent.hex(),
        "sha1": key.checksum.hex(),
    }
    (tmp_path / "ca-keys.yaml").write_text(json.dumps({"keys": [entry]}))
    return card


def emv(*args: str, typed: str | None = None) -> Done:
    return CliRunner().invoke(emv_commands.app, list(args), input=typed)


def test_an_approved_transaction_is_explained_step_by_step(toy: ToyCard) -> None:
    done = emv(*ARGS)
    assert done.exit_code == 0, done.output
    assert "approved offline" in done.output
    assert "processing restrictions" in done.output
    assert "EMV 4.4 Book 3, 10.7" in done.output
    assert "12.34" in done.output
    assert PAN not in done.output


def test_json_has_the_steps_and_the_outcome(toy: ToyCard) -> None:
    done = emv(*ARGS, "--json")
    printed = json.loads(done.stdout)
    assert printed["result"] == "approved offline"
    assert printed["response_code"] == "Y1"
    assert len(printed["steps"]) > 15
    assert PAN not in done.stdout


def test_exit_codes_tell_declined_from_impossible(toy: ToyCard) -> None:
    toy.first = lambda _: 0
    assert emv(*ARGS).exit_code == 1
    toy.status = {"A8": "6F00"}
    done = emv(*ARGS)
    assert done.exit_code == 3
    assert "NOT ACCEPTED" in done.output


@pytest.mark.parametrize("amount", ["1.234", "-1", "abc", "NaN", "1e20", "Infinity"])
def test_an_amount_that_cannot_be_is_a_fault_of_usage(toy: ToyCard, amount: str) -> None:
    done = emv("run", "--reader", "toy:", f"--amount={amount}")
    assert done.exit_code == 2
    assert toy.seen == []


def test_without_scheme_keys_the_command_says_where_to_put_them(toy: ToyCard, tmp_path: Path) -> None:
    (tmp_path / "ca-keys.yaml").unlink()
    done = emv(*ARGS)
    assert isinstance(done.exception, SettingsError)
    assert "--ca-keys" in str(done.exception)


def test_a_fault_of_a_terminal_file_is_reported_with_its_line(toy: ToyCard, tmp_path: Path) -> None:
    (tmp_path / "terminal.yaml").write_text("terminal:\n  country: China\n")
    done = emv(*ARGS)
    assert isinstance(done.exception, CodecError)
    assert "terminal.yaml:2: terminal.country" in str(done.exception)


@pytest.mark.parametrize(
    ("name", "text", "printed"),
    [
        (
            "ca-keys.yaml",
            'keys:\n  - {rid: A000000333, index: "0"}\n',
            "ca-keys.yaml:2: keys.0.index: String should match",
        ),
        ("ca-keys.yaml", "keys: [\n", "ca-keys.yaml:2: not YAML"),
        (
            "exceptions.txt",
            "# lost\n6225000000000006\n62250000000000O6\n",
            "exceptions.txt:3: not a card number of 8 to 19",
        ),
    ],
)
def test_a_fault_of_a_file_is_reported_with_its_line_before_any_command(
    toy: ToyCard, tmp_path: Path, name: str, text: str, printed: str
) -> None:
    (tmp_path / "terminal.yaml").write_text(SHIPPED + "exception_file: exceptions.txt\n")
    (tmp_path / "exceptions.txt").write_text("")
    (tmp_path / name).write_text(text)
    done = emv(*ARGS)
    assert isinstance(done.exception, CodecError)
    assert printed in str(done.exception)
    assert "62250000000000O6" not in str(done.exception)
    assert toy.seen == []


def test_the_pin_is_read_here_and_never_shown(toy: ToyCard) -> None:
    toy.__init__(data={**DATA, "8E": "00000000000000000100"})  # type: ignore[misc]
    toy.script_status = {"00200080": "9000"}
    done = emv(*ARGS, "--pin", "--json", typed="12a4\n4321\n")
    assert done.exit_code == 0, done.output
    assert "4321" not in done.stdout
    verify = next(apdu for apdu in toy.seen if apdu[1] == 0x20)
    assert verify[5:].hex() == "244321ffffffffff"


def test_before_the_last_try_the_cardholder_is_warned(toy: ToyCard) -> None:
    answers = iter((b"\x63\xc1", b"\x63\xc0"))
    toy.__init__(  # type: ignore[misc]
        data={**DATA, "8E": "00000000000000000100"},
        get_data={"9F17": "02"},
        bend=lambda _, command, answer: next(answers) if command[1] == 0x20 else answer,
    )
    done = emv(*ARGS, "--pin", typed="1111\n2222\n")
    printed = done.stderr.split("PIN, ")
    assert printed[0] == ""
    assert printed[1].startswith("2 tries left")
    assert "That PIN was wrong.\nLAST TRY: a wrong PIN now blocks it." in printed[1]
    assert printed[2].startswith("1 try left")
    assert "TVR byte 3 bit 6: PIN Try Limit exceeded" in done.stdout
    assert "1111" not in done.output
    assert "2222" not in done.output


def outcome_of(**known: object) -> Outcome:
    return Outcome(Result.DECLINED_ONLINE, "the issuer declined", (), TVR(0), TSI(0), **known)  # type: ignore[arg-type]


def shown(outcome: Outcome, capsys: pytest.CaptureFixture[str]) -> str:
    show_outcome(outcome, parse_config(SHIPPED))
    return " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("result", "expected", "unexpected"),
    [
        (Result.DECLINED_ONLINE, "nothing was paid", "approved offline"),
        (Result.APPROVED_OFFLINE, "the payment was approved offline: the request that may have", "nothing was paid"),
    ],
)
def test_a_reversal_says_whether_something_was_paid(
    toy: ToyCard, capsys: pytest.CaptureFixture[str], result: Result, expected: str, unexpected: str
) -> None:
    """An approval after a request without an answer: the request is reversed, the payment stands."""
    text = shown(replace(outcome_of(reversal=True), result=result, reason=""), capsys)
    assert expected in text
    assert unexpected not in text.replace(f": {result.value} ", "")


def test_an_advice_says_who_wants_it(toy: ToyCard, capsys: pytest.CaptureFixture[str]) -> None:
    scripts = (ScriptResult(0x72, bytes(4), 1, True, None),)
    declined = Cryptogram(CryptogramType.AAC, 0x00, b"\x00\x01", bytes(8), b"")
    text = shown(outcome_of(advice=True, scripts=scripts, second=declined), capsys)
    assert "the issuer needs the results of its scripts" in text
    assert "the card wants" not in text
    text = shown(outcome_of(advice=True, second=replace(declined, cid=0x08)), capsys)
    assert "the card requests an advice" in text


def test_logs_and_counters_are_shown(toy: ToyCard) -> None:
    toy.fci = {"BF0C": tlv("9F4D", "0B0A")}
    toy.logs = {11: ["2611220000000012340156" + b"SHOP".hex() + "0000"]}
    toy.get_data = {"9F4F": "9A039F02065F2A029F4E06", "9F79": "000000012345"}
    shown = emv("log", "--reader", "toy:")
    assert shown.exit_code == 0, shown.output
    assert "2026-11-22" in shown.output
    assert "CNY 12.34" in shown.output
    assert "SHOP" in shown.output
    assert "currency" not in shown.output
    assert re.search(r"balance \(9F79\) +123\.45", shown.output)
    assert "Load log: the card keeps none" in shown.output
    printed = json.loads(emv("log", "--reader", "toy:", "--json").stdout)
    assert printed["transactions"][0]["values"] == {
        "9A": "261122",
        "9F02": "000000001234",
        "5F2A": "0156",
        "9F4E": "53484F500000",
    }
    assert printed["loads"] is None
    assert printed["ecash"]["balance"] == 12_345


def test_what_a_card_refuses_of_its_log_hides_nothing_else(toy: ToyCard) -> None:
    toy.fci = {"BF0C": tlv("9F4D", "0B1E") + tlv("DF4D", "0C0A")}
    toy.logs = {11: [f"2611220000000012{number:02d}" for number in range(1, 31)]}
    toy.get_data = {"9F4F": "9A039F0206", "9F79": "000000012345"}
    toy.bend = lambda turn, command, answer: b"\x69\x82" if command[1:3] == b"\xb2\x11" else answer
    shown = emv("log", "--reader", "toy:")
    assert shown.exit_code == 3  # the load log is missing as a whole
    assert "1216 (smallest" in shown.stdout
    assert "1217" not in shown.stdout
    assert "record 17: card answered 6982" in shown.stderr
    assert "Load log: " in shown.stderr
    assert re.search(r"balance \(9F79\) +123\.45", shown.stdout)
    toy.fci = {"BF0C": tlv("9F4D", "0B1E")}
    printed = emv("log", "--reader", "toy:", "--json")
    assert printed.exit_code == 1
    values = json.loads(printed.stdout)
    assert len(values["transactions"]) == 16
    assert "record 17" in values["remarks"][0]


def test_records_before_the_card_was_pulled_are_shown(toy: ToyCard) -> None:
    def pulled(turn: int, command: bytes, answer: bytes) -> bytes:
        if command[1:3] == b"\xb2\x11":
            raise CardGone("the card was pulled")
        return answer

    toy.fci = {"BF0C": tlv("9F4D", "0B1E")}
    toy.logs = {11: [f"2611220000000012{number:02d}" for number in range(1, 31)]}
    toy.get_data = {"9F4F": "9A039F0206"}
    toy.bend = pulled
    shown = emv("log", "--reader", "toy:")
    assert "1216 (smallest" in shown.stdout
    assert isinstance(shown.exception, CardGone)


def test_a_log_shows_the_columns_that_say_something(toy: ToyCard, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other amounts where there are any; dates and times whole on the narrowest terminal."""
    toy.fci = {"BF0C": tlv("9F4D", "0B0A")}
    toy.logs = {11: ["261122112233" + "000000001234" + "000000000200" + "09", "261122112234" + f"{0:024}" + "00"]}
    toy.get_data = {"9F4F": "9A039F21039F02069F03069C01"}
    monkeypatch.setenv("COLUMNS", "80")
    text = emv("log", "--reader", "toy:").output
    assert "2026-11-22" in text
    assert "11:22:33" in text
    assert "other" in text
    assert "cashback" in text
    assert "09," not in text


def test_a_receipt_says_how_it_ended(toy: ToyCard) -> None:
    paid = emv(*ARGS).output
    assert re.search(r"TC [0-9A-F]{16}[ │]+APPROVED", " ".join(paid[paid.index("receipt") :].split()))
    toy.first = lambda _: 0
    refused = emv(*ARGS).output
    assert re.search(r"[0-9A-F ]+[ │]+DECLINED [ │]+╰", " ".join(refused[refused.index("receipt") :].split()))


def test_a_card_without_a_payment_application_has_no_log(toy: ToyCard) -> None:
    toy.status = {"A4": "6A82"}
    assert isinstance(emv("log", "--reader", "toy:").exception, CardMalformed)


def custody_with_authorities(*names: tuple[str, Algorithm]) -> MemoryCustody:
    custody = MemoryCustody(simulation=True)
    for name, algorithm in names:
        custody.generate(name, Purpose.SIGN_CA, algorithm, by="test", bits=1024 if algorithm is Algorithm.RSA else 0)
    return custody


def profile_file(directory: Path, **changes: str) -> Path:
    """The shipped bank profile with other values in these lines."""
    text = (files("personalize") / "profiles" / "union-member-bank.yaml").read_text(encoding="utf-8")
    for name, value in changes.items():
        text, response = re.subn(rf"(?m)^(    {name}|  {name}): \S+", rf"\1: {value}", text)
        assert response == 1, name
    path = directory / "profile.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_scheme_keys_are_those_that_the_profile_names(tmp_path: Path) -> None:
    custody = custody_with_authorities(("our-ca", Algorithm.RSA), ("our-ca-sm2", Algorithm.SM2))
    changes = {"rid": "A000000999", "ca_key": "our-ca", "ca_index": '"7A"', "sm_ca_key": "our-ca-sm2"}
    profile = profile_file(tmp_path, **changes, sm_ca_index='"7B"', algorithms="both", pdol="9F1A029F3704DF6901")
    settings.activate(None, data_dir=tmp_path, profile=profile)
    store = own_authorities(custody)
    assert list(store.rsa) == [(bytes.fromhex("A000000999"), 0x7A)]
    assert list(store.sm) == [(bytes.fromhex("A000000999"), 0x7B)]


def test_a_scheme_key_that_custody_lacks_is_named(tmp_path: Path) -> None:
    settings.activate(None, data_dir=tmp_path, profile=profile_file(tmp_path, ca_key="lost-ca"))
    with pytest.raises(KeyNotFound, match="lost-ca"):
        own_authorities(MemoryCustody(simulation=True))


def test_a_profile_without_payment_application_names_no_scheme(tmp_path: Path) -> None:
    settings.activate(None, data_dir=tmp_path)
    with pytest.raises(SettingsError, match=r"union-member has no payment section.*--ca-keys"):
        own_authorities(MemoryCustody(simulation=True))


@contextmanager
def server(status: int, body: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """An issuer that always answers the same, and the bodies it was sent."""
    seen: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            seen.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            return None

    with HTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}/authorize", seen
        http.shutdown()
        thread.join()


def answer(data: bytes) -> bytes:
    return json.dumps({"data": data.hex()}).encode()


def test_an_issuer_over_http_answers_with_code_data_and_scripts() -> None:
    script = tlv("72", tlv("86", "8424000000"))
    with server(200, answer(tlv("8A", b"00") + tlv("91", bytes(10)) + script)) as (url, seen):
        response = HttpIssuer(url).authorize(REQUEST)
    assert response == OnlineResponse(b"00", bytes(10), (script,))
    sent = decode(bytes.fromhex(json.loads(seen[0])["data"]))
    assert sent.get(0x5A) == bytes.fromhex(PAN)
    assert sent.get(0x99) == bytes(8)
    assert [item.tag for item in sent].count(0x5F34) == 1


def test_a_card_number_of_odd_length_and_a_missing_sequence_are_completed() -> None:
    sent = decode(field_data(OnlineRequest("622500000000123", 3, {})))
    assert sent.get(0x5A) == bytes.fromhex("622500000000123F")
    assert sent.get(0x5F34) == b"\x03"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, b"{}"),
        (200, b"no JSON"),
        (200, b"[]"),
        (200, answer(b"\x8a")),
        (200, answer(tlv("91", bytes(8)))),
        (200, b"[" * 50_000),
    ],
)
def test_an_answer_that_makes_no_sense_is_unable_and_was_sent(status: int, body: bytes) -> None:
    with server(status, body) as (url, _):
        response = HttpIssuer(url).authorize(REQUEST)
    assert isinstance(response, Unable)
    assert response.sent


def test_an_unreachable_issuer_got_no_request() -> None:
    with server(200, b"") as (url, _):
        pass
    response = HttpIssuer(url.replace("http://", "http://till:secret@")).authorize(REQUEST)
    assert isinstance(response, Unable)
    assert not response.sent
    assert "127.0.0.1 is not there" in response.reason
    assert "secret" not in response.reason


@pytest.mark.parametrize("url", ["", "ftp://x/", "127.0.0.1:80", "http://", "http://x:99999/", "http://[::1/"])
def test_an_invalid_url_is_reported(url: str) -> None:
    with pytest.raises(SettingsError, match="--online"):
        HttpIssuer(url)


def test_a_transaction_goes_online_over_http(toy: ToyCard) -> None:
    with server(200, answer(tlv("8A", b"05") + tlv("91", arpc(bytes(8), b"05")))) as (url, seen):
        done = emv(*ARGS, "--online", url, "--force-online", "--json")
    assert done.exit_code == 1
    printed = json.loads(done.stdout)
    assert (printed["result"], printed["response_code"]) == ("declined online", "05")
    assert len(seen) == 1
