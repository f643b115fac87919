"""What the issuer decides, with a card played by pyemv; and its door on HTTP."""

from __future__ import annotations

import json
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from http.client import HTTPConnection
from pathlib import Path
from socket import SO_LINGER, SOL_SOCKET, create_connection

import psec
import pyemv
import pytest
from hypothesis import given
from hypothesis import strategies as st

from personalize.profiles.profile import shipped_profile
from simulators.cryptograms.algorithms import IssuerMasters
from simulators.cryptograms.schemes import Cipher
from simulators.issuer.accounts import AccountStatus, BankAccount, BankAccounts, OpeningRule
from simulators.issuer.file import load_issuer
from simulators.issuer.host import IssuerHost, IssuerKeys, IssuerResponse
from simulators.issuer.http import IssuerServer
from simulators.issuer.scripts import IssuerScript, application_block, pin_change, pin_unblock, put_data
from terminal.errors import CodecError
from terminal.secret import Secret
from terminal.tlv import Tlvs, decode
from tests.support.cards.issuer_requests import AC, IAD, PAN, SMC, SMI, message, purchase

pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")

TODAY = date(2026, 11, 22)
PEK, PEK_AES = bytes(range(16)), bytes(range(32))
KEYS = IssuerKeys({Cipher.TDES: IssuerMasters(Secret(AC), Secret(SMI), Secret(SMC), "A")}, Secret(PEK), Secret(PEK_AES))


class Card:
    """A Visa card of version 10 or 18 by pyemv."""

    def __init__(self, name: str = "cvn10", pan: str = PAN) -> None:
        make = {"cvn10": pyemv.cvn.VisaCVN10, "cvn18": pyemv.cvn.VisaCVN18}[name]
        self.name, self.pan = name, pan
        self.keys = make(AC, SMI, SMC, pan, "01")

    def cryptogram(self, values: dict[int, bytes]) -> bytes:
        fields = {f"tag_{tag:02x}": value for tag, value in values.items() if tag not in (0x9F10, 0x9F27)}
        iad = values[0x9F10]
        own = {"cvr": iad[3:7]} if self.name == "cvn10" else {"tag_9f10": iad}
        return bytes(self.keys.generate_ac(**fields, **own))

    def says(self, atc: int = 1, amount: int = 1234, kind: int = 0x80, **more: bytes) -> bytes:
        values = purchase(IAD[self.name], atc, amount, kind)
        for tag in [int(name[1:], 16) for name in more]:
            if tag in values:
                values[tag] = more.pop(f"t{tag:02x}")
        return message(values, self.cryptogram(values), self.pan, **more)

    def arqc(self, atc: int = 1, amount: int = 1234) -> bytes:
        return self.cryptogram(purchase(IAD[self.name], atc, amount))


def account(**changes: object) -> BankAccount:
    made = BankAccount(PAN, 1, date(2031, 12, 31), balance=10_000, limit=5_000, pin=Secret(b"271828"))
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def bank(*accounts: BankAccount, opening: OpeningRule | None = None, keys: IssuerKeys = KEYS) -> IssuerHost:
    return IssuerHost(keys, BankAccounts(accounts, opening), today=lambda: TODAY)


def objects(answer: IssuerResponse) -> Tlvs:
    return decode(answer.data, padding="reject")


def test_a_purchase_is_approved_with_a_response_cryptogram_the_card_accepts() -> None:
    card, there = Card(), account()
    answer = bank(there).answer(card.says(amount=1234))
    assert (answer.approved, answer.code, answer.reason) == (True, "00", "approved")
    told = objects(answer)
    assert told.need(0x8A) == b"00"
    assert told.need(0x91) == card.keys.generate_arpc(card.arqc(), b"00") + b"00"
    assert there.balance == 10_000 - 1234


def test_method_2_answers_with_a_card_status_update() -> None:
    card = Card("cvn18")
    answer = bank(account()).answer(card.says())
    csu = bytes.fromhex("03800000")  # three PIN tries, approved
    assert objects(answer).need(0x91) == card.keys.generate_arpc(card.arqc(), b"\x00\x01", csu) + csu
    declined = bank(account(balance=0)).answer(card.says())
    csu = bytes.fromhex("03000000")
    assert objects(declined).need(0x91) == card.keys.generate_arpc(card.arqc(), b"\x00\x01", csu) + csu


@pytest.mark.parametrize(
    ("changes", "amount", "code", "reason"),
    [
        ({"status": AccountStatus.BLOCKED}, 100, "62", "the card is blocked"),
        ({"status": AccountStatus.LOST}, 100, "41", "the card is lost"),
        ({"status": AccountStatus.STOLEN}, 100, "43", "the card is stolen"),
        ({"status": AccountStatus.CLOSED}, 100, "14", "the card is closed"),
        ({"expires": date(2026, 11, 21)}, 100, "54", "the card has expired"),
        ({}, 5_001, "61", "above the limit of one transaction"),
        ({"balance": 99}, 100, "51", "not enough money"),
    ],
)
def test_a_genuine_card_is_declined_with_proof(changes: dict[str, object], amount: int, code: str, reason: str) -> None:
    card, there = Card(), account(**changes)
    before = there.balance
    answer = bank(there).answer(card.says(amount=amount))
    assert (answer.approved, answer.code, answer.reason) == (False, code, reason)
    arpc = card.keys.generate_arpc(card.arqc(amount=amount), code.encode())
    assert objects(answer).need(0x91) == arpc + code.encode()
    assert there.balance == before


def test_the_last_day_and_the_last_cent_still_count() -> None:
    answer = bank(account(expires=TODAY, balance=5_000)).answer(Card().says(amount=5_000))
    assert answer.approved


@pytest.mark.parametrize("tag", [0x9F02, 0x9F37, 0x9F36, 0x95, 0x9F26, 0x9F10])
def test_a_changed_bit_is_no_cryptogram_of_the_card(tag: int) -> None:
    values = purchase(IAD["cvn10"])
    cryptogram = Card().cryptogram(values)
    if tag == 0x9F26:
        cryptogram = bytes((cryptogram[0] ^ 1,)) + cryptogram[1:]
    else:
        values[tag] = values[tag][:-1] + bytes((values[tag][-1] ^ 1,))
    there = account()
    answer = bank(there).answer(message(values, cryptogram))
    assert (answer.code, answer.reason) == ("88", "the ARQC is not of this card's key")
    assert objects(answer).get(0x91) is None
    assert (there.balance, there.highest_online, there.holds) == (10_000, 0, {})


def test_a_forged_request_gets_no_scripts_and_opens_no_account() -> None:
    there = account()
    there.queue(application_block())
    host = bank(there, opening=OpeningRule("62", 1000))
    forged = message(purchase(IAD["cvn10"]), bytes(8))
    assert objects(host.answer(forged)).get(0x72) is None
    host.answer(message(purchase(IAD["cvn10"]), bytes(8), pan="6217009999999999"))
    assert host.accounts.find("6217009999999999", 1) is None


def test_a_transaction_counter_is_used_once_and_only_upwards() -> None:
    host, card = bank(account()), Card()
    assert host.answer(card.says(atc=5)).approved
    for atc in (5, 4, 1):
        again = host.answer(card.says(atc=atc))
        assert (again.code, objects(again).get(0x91)) == ("94", None)
    assert host.answer(card.says(atc=9)).approved


def test_a_tc_settles_and_an_aac_gives_back() -> None:
    there, card = account(), Card()
    host = bank(there)
    host.answer(card.says(atc=1, amount=1000))
    assert host.answer(card.says(atc=1, amount=1000, kind=0x40)).reason == "settled"
    assert there.balance == 9_000
    host.answer(card.says(atc=2, amount=500))
    assert host.answer(card.says(atc=2, amount=500, kind=0x00)).reason == "noted: declined, the hold is given back"
    assert (there.balance, there.holds) == (9_000, {})
    over = host.answer(card.says(atc=2, amount=500, kind=0x00))
    assert (over.code, there.balance) == ("94", 9_000)


def test_offline_transactions_arrive_late_and_once() -> None:
    there, card = account(), Card()
    host = bank(there)
    host.answer(card.says(atc=8, amount=100))
    assert host.answer(card.says(atc=7, amount=300, kind=0x40)).reason == "settled, approved offline"
    assert host.answer(card.says(atc=7, amount=300, kind=0x40)).code == "94"
    assert host.answer(card.says(atc=6, amount=300, kind=0x00)).reason == "noted: declined"
    assert there.balance == 10_000 - 100 - 300


def test_an_aac_after_a_decline_is_noted() -> None:
    there = account(balance=0)
    host, card = bank(there), Card()
    assert host.answer(card.says(atc=1)).code == "51"
    assert host.answer(card.says(atc=1, kind=0x00)).reason == "noted: declined"
    assert there.balance == 0


def test_a_refund_is_credited_and_an_inquiry_costs_nothing() -> None:
    there, card = account(), Card()
    host = bank(there)
    assert host.answer(card.says(atc=1, amount=700, t9c=b"\x20")).approved
    assert there.balance == 10_700
    assert host.answer(card.says(atc=2, amount=700, t9c=b"\x30")).approved
    assert there.balance == 10_700


def pin_block(pin: str, form: int, pan: str = PAN) -> bytes:
    if form == 4:
        return bytes(psec.pinblock.encipher_pinblock_iso_4(PEK_AES, pin, pan))
    encode = {0: psec.pinblock.encode_pinblock_iso_0, 3: psec.pinblock.encode_pinblock_iso_3}[form]
    return bytes(psec.des.encrypt_tdes_ecb(PEK, encode(pin, pan)))


@pytest.mark.parametrize("form", [0, 3, 4])
def test_the_online_pin_is_checked_and_tries_run_out(form: int) -> None:
    there, card = account(), Card()
    host = bank(there)
    assert host.answer(card.says(atc=1, t99=pin_block("271828", form))).approved
    for atc in (2, 3, 4):
        assert host.answer(card.says(atc=atc, t99=pin_block("271829", form))).code == "55"
    assert host.answer(card.says(atc=5, t99=pin_block("271828", form))).code == "75"
    assert there.pin_tries == 0


def test_a_right_pin_gives_the_tries_back() -> None:
    there, card = account(pin_tries=1), Card()
    assert bank(there).answer(card.says(t99=pin_block("271828", 0))).approved
    assert there.pin_tries == 3


def test_a_pin_block_under_another_key_costs_no_try() -> None:
    there, card = account(), Card()
    host = bank(there)
    answer = host.answer(card.says(atc=1, t99=bytes(8)))
    assert (answer.code, there.pin_tries) == ("88", 3)
    assert host.answer(card.says(atc=2, t99=bytes(5))).code == "88"
    assert host.answer(card.says(atc=3, t99=pin_block("271828", 0, pan="6217009999999999"))).code == "88"


def test_an_entered_pin_must_come_along() -> None:
    answer = bank(account()).answer(Card().says(t95=bytes.fromhex("0000040000")))
    assert (answer.code, answer.reason) == ("30", "a PIN was entered, but its block (99) did not come")


def test_a_pin_is_refused_where_there_is_none() -> None:
    assert bank(account(pin=None)).answer(Card().says(t99=pin_block("1234", 0))).code == "55"


def test_scripts_go_out_until_the_card_has_done_them() -> None:
    there, card = account(), Card()
    there.queue(pin_change(Secret(b"314159")))
    host = bank(there)
    template = objects(host.answer(card.says(atc=1))).find(0x72)
    assert template is not None
    assert template.children.need(0x9F18) == bytes.fromhex("00000001")
    full = card.keys.generate_pin_change_command("314159", card.arqc(1), b"\x00\x01")
    sent = template.children.need(0x86)
    # Four bytes of MAC: only Lc and the MAC differ from pyemv's, which takes all eight.
    assert (sent[:4], sent[4], sent[5:21]) == (full[:4], 0x14, full[5:21])
    mac = card.keys.generate_command_mac(sent[:5], card.arqc(1), b"\x00\x01", sent[5:21])
    assert sent[21:] == mac[:4]
    host.answer(card.says(atc=1, kind=0x40, t9f5b=bytes.fromhex("1000000001")))
    assert objects(host.answer(card.says(atc=2))).find(0x72) is not None
    host.answer(card.says(atc=2, kind=0x40, t9f5b=bytes.fromhex("2000000001")))
    assert there.scripts == []
    assert objects(host.answer(card.says(atc=3))).find(0x72) is None


def test_a_decline_carries_scripts_too() -> None:
    there = account(status=AccountStatus.STOLEN)
    there.queue(application_block())
    template = objects(bank(there).answer(Card().says())).find(0x72)
    assert template is not None
    assert template.children.need(0x86)[:5] == bytes.fromhex("841E000004")


def test_scripts_that_do_not_fit_wait() -> None:
    there = account()
    for _ in range(4):
        there.queue(put_data(0x9F58, bytes(30)))
    sent = [item for item in objects(bank(there).answer(Card().says())) if item.tag == 0x72]
    assert len(sent) == 2
    assert sum(len(item.encode()) for item in sent) <= 128


def test_a_script_that_never_fits_is_refused_when_it_is_queued() -> None:
    there = account()
    with pytest.raises(CodecError, match="128 are the most"):
        there.queue(*[put_data(0x9F58, bytes(30))] * 4)
    assert there.scripts == []


def test_results_of_no_script_are_told() -> None:
    host, card = bank(account()), Card()
    assert host.answer(card.says(kind=0x40, t9f5b=b"\x20\x00")).code == "30"


def test_an_account_opens_for_a_genuine_card_of_the_banks_range() -> None:
    host = bank(opening=OpeningRule("6217", 2_000, 1_500))
    assert host.answer(Card().says(atc=1, amount=1_501)).code == "61"
    assert host.answer(Card().says(atc=2, amount=1_500)).approved
    assert host.answer(Card(pan="6225001234567890").says()).code == "14"


def test_sm4_cards_need_sm4_keys() -> None:
    values = purchase(IAD["pboc-sm4"])
    answer = bank(account()).answer(message(values, bytes(8)))
    assert (answer.code, "no keys" in answer.reason) == ("30", True)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("", "neither a card number"),
        ("5A086217001234567890", "no 9F27"),
        ("9F2701805A086217001234567890", "no 9F26"),
        ("9F2701C05A086217001234567890", "no kind of cryptogram"),
        ("5A0862170012345678905A086217001234567890", "twice"),
        ("5A0462170012", "truncated"),
        ("5A08621700123456", "truncated"),
        ("5A03AABBCC9F270180", "8 to 19 digits"),
    ],
)
def test_what_is_no_request_is_told_what_it_lacks(data: str, words: str) -> None:
    raw = bytes.fromhex(data)
    answer = bank(account()).answer(raw)
    assert answer.code == "30"
    if words != "truncated":
        assert words in answer.reason


def test_the_number_may_come_from_track_2() -> None:
    card = Card()
    plain = card.says()
    track = bytes.fromhex("5711") + bytes.fromhex(PAN + "D3112201000000000F")[:17]
    answer = bank(account()).answer(plain.replace(bytes.fromhex("5A08" + PAN), track))
    assert answer.approved


@given(st.binary(max_size=120))
def test_any_bytes_are_answered_and_never_approved(data: bytes) -> None:
    answer = bank(account()).answer(data)
    assert answer.code == "30"
    assert objects(answer).need(0x8A) == b"30"


@given(st.data())
def test_a_mutated_request_is_never_approved(data: st.DataObject) -> None:
    raw = bytearray(Card().says())
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))
    answer = bank(account()).answer(bytes(raw))
    # What the cryptogram does not cover: the kind of cryptogram, and in version 10 the key index.
    free = (bytes.fromhex("9F2701"), bytes.fromhex("9F100706"))
    assert not answer.approved or bytes(raw[:at]).endswith(free)


@contextmanager
def server(host: IssuerHost) -> Iterator[tuple[IssuerServer, list[str]]]:
    lines: list[str] = []
    with IssuerServer(host, report=lines.append) as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield made, lines
        finally:
            made.shutdown()
            thread.join()


def post(to: IssuerServer, body: bytes, path: str = "/authorize", **headers: str) -> tuple[int, dict[str, object]]:
    connection = HTTPConnection("127.0.0.1", to.server_address[1], timeout=10)
    try:
        connection.request("POST", path, body, headers)
        reply = connection.getresponse()
        return reply.status, json.loads(reply.read())
    finally:
        connection.close()


def test_the_http_door_answers_as_the_function_does() -> None:
    asked = Card().says()
    with server(bank(account())) as (door, lines):
        status, reply = post(door, json.dumps({"data": asked.hex()}).encode())
    expected = bank(account()).answer(asked)
    assert status == 200
    assert reply == {"approved": True, "code": "00", "reason": "approved", "data": expected.data.hex().upper()}
    assert lines == ["00 approved"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"data": 5}', b'{"data": "5"}', b'{"Data": ""}', b"[" * 5000])
def test_what_is_not_the_jsons_shape_is_refused(body: bytes) -> None:
    with server(bank(account())) as (door, lines):
        status, reply = post(door, body)
        assert (status, list(reply)) == (400, ["error"])
        assert post(door, b'{"data": ""}')[0] == 200
    assert lines == ["30 the request has neither a card number (5A) nor track 2 data (57)"]


def test_other_paths_and_lengths_are_refused() -> None:
    with server(bank(account())) as (door, _):
        assert post(door, b"{}", path="/")[0] == 404
        assert post(door, b"", **{"Content-Length": "70000"})[0] == 400


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"POST /x HTTP/1.1\r\nContent-Length: 0\r\n\r\nPOST /authorize HTTP/1.1\r\nContent-Length: 12\r\n\r\n", 404),
        (b"GET /authorize HTTP/1.1\r\n\r\n", 501),
        (b"POST /authorize HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST /authorize HTTP/1.1\r\n" + b"A: 1\r\n" * 200 + b"\r\n", 431),
    ],
    ids=["path", "method", "chunks", "headers"],
)
def test_a_refusal_is_json_and_the_last_word_on_a_connection(sent: bytes, status: int) -> None:
    with server(bank(account())) as (door, lines):
        with create_connection(("127.0.0.1", door.server_address[1]), timeout=10) as line:
            line.sendall(sent + b'{"data": ""}')
            with line.makefile("rb") as reader:
                head, _, body = reader.read().partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"Connection: close" in head
    assert list(json.loads(body)) == ["error"]
    assert lines == []


def test_a_caller_who_goes_away_is_told_in_a_line(capfd: pytest.CaptureFixture[str]) -> None:
    with server(bank(account())) as (door, lines):
        with create_connection(("127.0.0.1", door.server_address[1]), timeout=10) as line:
            line.sendall(b"POST /authorize HTTP/1.1\r\nContent-Length: 12\r\n\r\n{")
            line.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))  # a reset, not an end
        deadline = time.monotonic() + 10
        while not lines and time.monotonic() < deadline:
            time.sleep(0.01)
    assert lines == ["a caller went away before the answer"]
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("address", ["0.0.0.0", "192.0.2.1", "localhost", "::1"])  # noqa: S104
def test_only_loopback_addresses_are_listened_on(address: str) -> None:
    with pytest.raises(CodecError, match="loopback"):
        IssuerServer(bank(), address)


def bank_file(path: Path, **changes: object) -> Path:
    told: dict[str, object] = {
        "masters": {"3des": {"ac": AC.hex(), "smi": SMI.hex(), "smc": SMC.hex(), "option": "A"}},
        "pin": {"3des": PEK.hex()},
        "accounts": [{"pan": PAN, "sequence": 1, "balance": "20.00", "pin": "271828", "scripts": ["pin-unblock"]}],
    }
    path.write_text(json.dumps(told | changes), encoding="utf-8")
    return path


def test_a_bank_from_a_file_derives_card_keys_as_the_profile_does_by_default(tmp_path: Path) -> None:
    """Otherwise a new user's first payment with a number of 19 digits ends in response code 88."""
    masters = {"ac": AC.hex(), "smi": SMI.hex(), "smc": SMC.hex()}
    profile = shipped_profile("union-member-bank").payment
    assert profile is not None
    by_default = load_issuer(bank_file(tmp_path / "bank.json", masters={"3des": masters})).keys.masters[Cipher.TDES]
    assert by_default.option == profile.keys.option
    told = load_issuer(bank_file(tmp_path / "told.json", masters={"3des": {**masters, "option": "B"}}))
    assert told.keys.masters[Cipher.TDES].option == "B"


def test_a_bank_from_a_file_answers(tmp_path: Path) -> None:
    host = load_issuer(bank_file(tmp_path / "bank.json", mac_length=8))
    card = Card()
    answer = host.answer(card.says(amount=1_999, t99=pin_block("271828", 0)))
    assert answer.approved
    script = objects(answer).find(0x72)
    assert script is not None
    header = bytes.fromhex("8424000008")
    mac = card.keys.generate_command_mac(header, card.arqc(amount=1_999), b"\x00\x01")
    assert script.children.need(0x86) == header + mac
    assert host.answer(card.says(atc=2, amount=2)).code == "51"


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"masters": {}}, "masters"),
        ({"masters": {"3des": {"ac": "00", "smi": SMI.hex(), "smc": SMC.hex()}}}, "masters.3des.ac"),
        ({"accounts": [{"pan": "x"}]}, "accounts.0.pan"),
        ({"accounts": [{"pan": PAN, "pin": "27182"}, {"pan": PAN, "pin": "999"}]}, "accounts.1.pin"),
        ({"versions": {"01": "visa"}}, "versions"),
        ({"mac_length": 9}, "mac_length"),
        ({"surplus": 1}, "surplus"),
    ],
)
def test_a_bank_file_with_a_fault_names_the_field_and_no_value(
    tmp_path: Path, changes: dict[str, object], place: str
) -> None:
    with pytest.raises(CodecError, match=place) as fault:
        load_issuer(bank_file(tmp_path / "bank.json", **changes))
    assert not any(secret in str(fault.value) for secret in (AC.hex(), SMI.hex(), "27182", "999"))


def test_a_file_that_is_no_json(tmp_path: Path) -> None:
    path = tmp_path / "bank.json"
    path.write_bytes(b"\xff{")
    with pytest.raises(CodecError, match=r"bank\.json: the file"):
        load_issuer(path)


def test_nothing_secret_prints(tmp_path: Path) -> None:
    there = account()
    script: IssuerScript = there.queue(pin_unblock())
    shown = f"{KEYS!r} {there!r} {script!r} {bank(there)!r} {bank(there).answer(Card().says())!r}"
    assert not any(secret in shown for secret in (AC.hex(), "271828", PAN))
