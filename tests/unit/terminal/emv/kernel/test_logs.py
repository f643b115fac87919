"""Logs and e-cash counters. EMV 4.4 Book 3, Annex D; JR/T 0025.5."""

from __future__ import annotations

import pytest

from terminal.apdu import Command, Sender, stack
from terminal.emv.kernel.logs import ElectronicCash, LogKind, electronic_cash, read_history, read_log
from terminal.errors import CardGone, CardMalformed, CardRefused
from terminal.tlv import Tlvs, decode
from tests.support.cards.toys.emv_toy_card import AID, ToyCard, tlv

FORMAT = "9A039F02069F3602"
FIRST, SECOND = "2611220000000012340007", "2611210000000500000006"
LOAD_HEAD = "9F79" + "000000010000" + "000000060000"


def card(entry: bytes = b"", records: list[str] | None = None, form: str | None = FORMAT, tag: str = "9F4F") -> ToyCard:
    answers = {tag: form} if form is not None else {}
    return ToyCard(
        fci={"BF0C": entry}, get_data=answers, logs={11: records if records is not None else [FIRST, SECOND]}
    )


def selected(toy: ToyCard) -> tuple[Sender, Tlvs]:
    sender = stack(toy)
    return sender, decode(sender.send(Command(0x00, 0xA4, 0x04, 0x00, AID, ne=256)).data)


def test_a_transaction_log_is_read_by_its_format() -> None:
    log = read_log(*selected(card(tlv("9F4D", "0B0A"))))
    assert log is not None
    assert log.sfi == 11
    assert [record.number for record in log.records] == [1, 2]
    assert log.records[0].values[0x9F02].hex() == "000000001234"
    assert log.records[1].values[0x9F36].hex() == "0006"
    assert log.records[0].head == {}


def test_no_more_records_are_read_than_the_entry_says() -> None:
    log = read_log(*selected(card(tlv("9F4D", "0B01"))))
    assert log is not None
    assert len(log.records) == 1


def test_a_card_without_a_log_has_none() -> None:
    assert read_log(*selected(card(tlv("DF4D", "0B0A")))) is None


@pytest.mark.parametrize("with_head", [True, False])
def test_a_load_log_may_have_the_balances_before_its_fields(with_head: bool) -> None:
    toy = card(tlv("DF4D", "0B0A"), [(LOAD_HEAD if with_head else "") + FIRST], tag="DF4F")
    log = read_log(*selected(toy), LogKind.LOADS)
    assert log is not None
    record = log.records[0]
    assert record.values[0x9F02].hex() == "000000001234"
    assert {name: value.hex() for name, value in record.head.items()} == (
        {"P1": "9f", "P2": "79", "balance before": "000000010000", "balance after": "000000060000"} if with_head else {}
    )


@pytest.mark.parametrize(
    ("toy", "reason"),
    [
        (card(tlv("9F4D", "0B")), "names no file"),
        (card(tlv("9F4D", "0A0A")), "names no file"),
        (card(tlv("9F4D", "0B0A"), form=None), "no log format"),
        (card(tlv("9F4D", "0B0A"), form="9F"), "the log format"),
        (card(tlv("9F4D", "0B0A"), form=""), "empty"),
        (card(tlv("9F4D", "0B0A"), [SECOND[:-2]]), "record 1"),
    ],
)
def test_a_log_out_of_form_is_refused(toy: ToyCard, reason: str) -> None:
    with pytest.raises(CardMalformed, match=reason):
        read_log(*selected(toy))


def test_a_log_that_may_not_be_read_is_refused() -> None:
    toy = card(tlv("9F4D", "0B0A"))
    sender, fci = selected(toy)
    toy.status = {"B2": "6982"}
    with pytest.raises(CardRefused, match="6982"):
        read_log(sender, fci)


def bent(answers: dict[int, bytes], count: int = 30) -> ToyCard:
    """A card with so many records, whose READ RECORD of some numbers has another answer."""
    records = [f"261122000000001234{number:04X}" for number in range(1, count + 1)]
    toy = card(tlv("9F4D", "0B1E"), records)
    toy.bend = lambda turn, command, answer: answers.get(command[2], answer) if command[1] == 0xB2 else answer
    return toy


@pytest.mark.parametrize("status", ["6982", "6A86", "6400", "6F00", "9403", "6300"])
def test_records_before_a_refused_one_remain(status: str) -> None:
    log = read_log(*selected(bent({17: bytes.fromhex(status)})))
    assert log is not None
    assert [record.number for record in log.records] == list(range(1, 17))
    assert len(log.remarks) == 1
    assert f"record 17: card answered {status}" in log.remarks[0]
    assert log.fault is None


def test_records_beside_a_broken_one_remain() -> None:
    log = read_log(*selected(bent({17: b"\x26\x11\x90\x00", 19: b"\x90\x00"})))
    assert log is not None
    assert [record.number for record in log.records] == [*range(1, 17), 18, *range(20, 31)]
    assert ["record 17" in log.remarks[0], "record 19" in log.remarks[1]] == [True, True]


@pytest.mark.parametrize("status", ["6A83", "6985"])
def test_a_record_whose_response_is_lost_ends_no_log(status: str) -> None:
    """6A83 to GET RESPONSE is not the end of the file."""
    toy = bent({17: b"\x61\x10"})
    bend = toy.bend
    toy.bend = lambda turn, command, answer: (
        bytes.fromhex(status) if command[1] == 0xC0 else bend(turn, command, answer)
    )
    log = read_log(*selected(toy))
    assert log is not None
    assert [record.number for record in log.records] == [*range(1, 17), *range(18, 31)]
    assert len(log.remarks) == 1
    assert f"GET RESPONSE was answered {status}" in log.remarks[0]


def test_records_before_a_lost_connection_remain() -> None:
    def gone(turn: int, command: bytes, answer: bytes) -> bytes:
        if command[1:3] == b"\xb2\x11":
            raise CardGone("the card was pulled")
        return answer

    toy = bent({})
    toy.bend = gone
    sender, fci = selected(toy)
    log = read_log(sender, fci)
    assert log is not None
    assert len(log.records) == 16
    assert isinstance(log.fault, CardGone)
    history = read_history(sender, fci)
    transactions = history.logs[LogKind.TRANSACTIONS]
    assert transactions is not None
    assert transactions.records == log.records
    assert history.cash is None
    assert isinstance(history.fault, CardGone)


def test_one_log_out_of_form_takes_nothing_else_with_it() -> None:
    toy = card(tlv("9F4D", "0B0A") + tlv("DF4D", "0C0A"))
    toy.get_data = {**toy.get_data, "9F79": "000000012345"}
    history = read_history(*selected(toy))
    log = history.logs[LogKind.TRANSACTIONS]
    assert log is not None
    assert len(log.records) == 2
    assert "no log format (DF4F)" in history.missing[LogKind.LOADS]
    assert history.cash is not None
    assert history.cash.balance == 12_345


def test_a_card_that_is_gone_before_the_first_record_has_no_history() -> None:
    toy = card(tlv("9F4D", "0B0A"))
    sender, fci = selected(toy)
    toy.gone_at = "B2"
    with pytest.raises(CardGone):
        read_history(sender, fci)


def test_electronic_cash_counters_are_amounts_or_nothing() -> None:
    toy = ToyCard(get_data={"9F79": "000000012345", "9F77": "000000100000", "9F78": "00000002000A", "9F6D": "00"})
    assert electronic_cash(stack(toy)) == ElectronicCash(12_345, 100_000, None, None)
