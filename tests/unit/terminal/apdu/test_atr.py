from __future__ import annotations

import re
from functools import reduce
from operator import xor
from pathlib import Path

import pytest
from smartcard.ATR import ATR as Oracle

from terminal.apdu import Atr
from terminal.apdu.historical import CompactTlv
from terminal.errors import AtrError

CARD_LIST = Path("/usr/share/pcsc/smartcard_list.txt")
"""Some 3,800 answers to reset of real cards, collected by Ludovic Rousseau; Debian package pcsc-tools."""

JCOP = Atr.parse(bytes.fromhex("3BF81800008131FE454A434F5076323431BC"))
"""NXP J2A080, by the card list."""
YUBIKEY = Atr.parse(bytes.fromhex("3BFD1300008131FE158073C021C057597562694B657940"))
"""YubiKey 5, by the card list."""
BANK = Atr.parse(bytes.fromhex("3B67000086602222278001"))
"""ICBC debit card, by the card list."""


def test_a_java_card() -> None:
    assert JCOP.protocols == (1,)
    assert not JCOP.inverse
    assert (JCOP.fi, JCOP.di, JCOP.highest_clock) == (372, 12, 5e6)
    assert JCOP.bit_rate(4e6) == pytest.approx(129_032, abs=1)
    assert (JCOP.ifsc, JCOP.waiting_times, JCOP.checks_by_crc) == (254, (4, 5), False)
    assert JCOP.historical == b"JCOPv241"
    assert JCOP.history.objects is None
    assert JCOP.history.extended_length is None
    assert not JCOP.contactless
    assert str(JCOP) == "3B F8 18 00 00 81 31 FE 45 4A 43 4F 50 76 32 34 31 BC"


def test_a_card_that_tells_its_capabilities() -> None:
    assert YUBIKEY.history.objects == (CompactTlv(7, bytes.fromhex("C021C0")), CompactTlv(5, b"YubiKey"))
    assert [item.name for item in YUBIKEY.history.objects or ()] == ["card capabilities", "card issuer's data"]
    assert YUBIKEY.history.extended_length is True
    assert YUBIKEY.history.command_chaining is True
    assert YUBIKEY.history.logical_channels == 1


def test_a_t0_bank_card_has_no_check_byte() -> None:
    assert (BANK.protocols, BANK.tck, BANK.ta1) == ((0,), None, 0x11)
    assert (BANK.fi, BANK.di, BANK.bit_rate(3.57e6)) == (372, 1, pytest.approx(9597, abs=1))
    assert (BANK.extra_guard_time, BANK.waiting_integer, BANK.ifsc) == (0, 10, 32)
    assert (BANK.voltages, BANK.clock_stop) == ("A", "no")
    assert not BANK.specific_mode
    assert BANK.default_protocol == 0


@pytest.mark.parametrize(
    ("ta1", "rate"), [("11", 10_753), ("18", 129_032), ("96", 250_000), ("97", 500_000), ("95", 125_000)]
)
def test_bit_rates_at_4_megahertz(ta1: str, rate: int) -> None:
    assert Atr.parse(bytes.fromhex(f"3B10{ta1}")).bit_rate(4e6) == pytest.approx(rate, abs=1)


def test_a_reserved_speed_has_no_bit_rate() -> None:
    assert Atr.parse(bytes.fromhex("3B1070")).bit_rate() is None


def test_specific_mode_inverse_convention_and_t15() -> None:
    atr = Atr.parse(_checked("3F 90 96 90 01 1F C7"))
    assert atr.inverse
    assert atr.specific_mode
    assert atr.default_protocol == 1
    assert atr.protocols == (0,)
    assert (atr.voltages, atr.clock_stop) == ("ABC", "any")


class TestContactless:
    @pytest.mark.parametrize(
        ("card", "name"),
        [
            ("0001", "MIFARE Classic 1K"),
            ("0026", "MIFARE Mini"),
            ("003B", "FeliCa"),
            ("F004", "card F004"),
            ("0000", ""),
        ],
    )
    def test_storage_cards(self, card: str, name: str) -> None:
        atr = Atr.parse(_checked(f"3B8F8001804F0CA000000306 03{card}00000000"))
        assert atr.contactless
        assert atr.storage_card is not None
        assert (atr.storage_card.name, atr.storage_card.standard) == (name, "ISO 14443 A, part 3")
        assert atr.history.objects is None

    def test_a_processor_card_through_the_air(self) -> None:
        atr = Atr.parse(bytes.fromhex("3B8D8001003180718E6452D90400829000BB"))
        assert atr.contactless
        assert atr.storage_card is None
        assert atr.history.objects is not None
        assert atr.history.objects[-1] == CompactTlv(8, bytes.fromhex("829000"))


def _checked(text: str) -> bytes:
    raw = bytes.fromhex(text.replace(" ", ""))
    return raw + bytes([reduce(xor, raw[1:])])


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ("3B", "two is the least"),
        ("3C00", "neither 3B nor 3F"),
        ("3B01", "1 historical bytes promised, 0 follow"),
        ("3B10", "TA1 is missing"),
        ("3B80", "TD1 is missing"),
        ("3B8001", "check byte TCK is missing"),
        ("3B800182", "TCK is 82, 81 is right"),
        ("3B0000", "1 bytes after the end"),
        ("3B" + "00" * 33, "33 is the most"),
    ],
)
def test_what_is_no_atr(raw: str, message: str) -> None:
    with pytest.raises(AtrError, match=message):
        Atr.parse(bytes.fromhex(raw))


def _listed() -> list[bytes]:
    text = CARD_LIST.read_text(encoding="utf-8", errors="replace")
    return [bytes.fromhex(line) for line in text.splitlines() if re.fullmatch(r"(?:[0-9A-F]{2} ?){2,}", line)]


def _parsed() -> tuple[dict[bytes, Atr], list[str]]:
    """The listed answers that conform to the standard, and the reasons for refusing the others."""
    parsed: dict[bytes, Atr] = {}
    refused: list[str] = []
    for raw in _listed():
        try:
            parsed[raw] = Atr.parse(raw)
        except AtrError as error:
            refused.append(str(error))
    return parsed, refused


def test_real_cards_parse_and_agree_with_another_parser() -> None:
    parsed, refused = _parsed()
    assert len(parsed) > 3600
    assert len(refused) < 0.03 * len(parsed)
    # The list has answers cut short or padded by readers and cards with a wrong TCK, and no other faults.
    assert all(re.search("after the end|follow|missing|is right|is the most", error) for error in refused)
    for raw, atr in parsed.items():
        other = Oracle(list(raw))
        assert atr.historical == bytes(other.getHistoricalBytes()), atr
        theirs = {int(name[2:]) for name, offered in other.getSupportedProtocols().items() if offered}
        assert set(atr.protocols) == (theirs - {15} or {0}), atr
        assert (atr.tck is not None) is bool(other.hasChecksum), atr


def test_the_card_names_are_those_of_the_list() -> None:
    line = r"^3B 8F 80 01 80 4F 0C A0 00 00 03 06 \.\. (\S\S) (\S\S) 00 00 00 00 \.\.\n\t([^(\n]+)"
    pattern = re.compile(line, re.MULTILINE)
    listed = pattern.findall(CARD_LIST.read_text(encoding="utf-8", errors="replace"))
    named = 0
    for high, low, theirs in listed:
        card = Atr.parse(_checked(f"3B8F8001804F0CA00000030603{high}{low}00000000")).storage_card
        assert card is not None
        if not card.name or card.name.startswith("card "):
            continue
        ours, theirs = (re.sub("[^a-z0-9]", "", text.lower()) for text in (card.name, theirs))
        assert ours[:4] == theirs[:4], (high, low)
        named += 1
    assert named >= 40
