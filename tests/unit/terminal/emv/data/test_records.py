"""The application file locator, records, and the static data to be authenticated. EMV 4.4 Book 3, 10.2-10.3."""

from __future__ import annotations

import pytest

from terminal.apdu import Command, Response, StatusWord
from terminal.emv.data.records import Afl, Record, read_record, static_data
from terminal.errors import CardMalformed, CardRefused, CodecError, TlvError

AFL = bytes.fromhex("08010101 08020200 08030301 10010300 18010100")


class OneAnswer:
    """A sender that notes the command and gives one response."""

    def __init__(self, data: str, sw: int = 0x9000) -> None:
        self.response = Response(bytes.fromhex(data), StatusWord(sw))
        self.sent: list[Command] = []

    def send(self, command: Command) -> Response:
        self.sent.append(command)
        return self.response


def test_afl_in_order_with_its_signed_records() -> None:
    afl = Afl.parse(AFL)
    assert list(afl.records()) == [
        (1, 1, True),
        (1, 2, False),
        (1, 3, True),
        (2, 1, False),
        (2, 2, False),
        (2, 3, False),
        (3, 1, False),
    ]
    assert afl.encode() == AFL


def test_bits_of_an_afl_that_mean_nothing_are_nobodys_to_check() -> None:
    """EMV 4.4 Book 3, 6.3.6: what is reserved is not verified; 7.5 does not count it among the errors."""
    afl = Afl.parse(bytes.fromhex("0F010201"))
    assert list(afl.records()) == [(1, 1, True), (1, 2, False)]
    assert afl.encode().hex() == "0f010201"


@pytest.mark.parametrize(
    ("data", "offset"),
    [
        ("", 0),
        ("080101", 0),
        ("0801010108", 4),
        ("00010100", 0),
        ("F8010100", 0),
        ("08000100", 0),
        ("08020100", 0),
        ("0801FF00", 0),
        ("08010103", 0),
        ("0801010108020100", 4),
    ],
)
def test_an_afl_in_error(data: str, offset: int) -> None:
    with pytest.raises(CodecError) as caught:
        Afl.parse(bytes.fromhex(data))
    assert caught.value.offset == offset


def test_reading_a_record() -> None:
    sender = OneAnswer("70045A026229")
    record = read_record(sender, 1, 2, signed=True)
    assert sender.sent[0].encode() == bytes.fromhex("00B2020C00")
    assert (record.content.hex(), record.objects.need(0x5A).hex(), record.signed) == ("5a026229", "6229", True)
    assert repr(record) == "<Record SFI 1, number 2, 6 bytes>"


def test_a_refused_record_says_which() -> None:
    with pytest.raises(CardRefused, match=r"reading SFI 3, record 1: card answered 6A83 \(record not found\)"):
        read_record(OneAnswer("", 0x6A83), 3, 1)


@pytest.mark.parametrize("data", ["", "5A026229", "70045A0262", "70025A007000", "70025A0000", "007003500141"])
def test_what_is_no_record(data: str) -> None:
    with pytest.raises(CardMalformed, match="reading SFI 1, record 1"):
        read_record(OneAnswer(data), 1, 1)


def record(sfi: int, data: str, signed: bool) -> Record:
    return Record.decode(sfi, 1, signed, bytes.fromhex(data))


def test_static_data_by_sfi_and_tag_list() -> None:
    records = [record(1, "7003500141", True), record(2, "7003500142", False), record(11, "7003500143", True)]
    assert static_data(records, aip=b"\x21\x00", tag_list=None).hex() == "500141" + "7003500143"
    assert static_data(records, aip=b"\x21\x00", tag_list=b"\x82").hex() == "500141" + "7003500143" + "2100"


@pytest.mark.parametrize("tags", ["", "8282", "5A", "825A"])
def test_a_tag_list_may_name_the_aip_only(tags: str) -> None:
    with pytest.raises(TlvError, match="more than the AIP"):
        static_data([], aip=b"\x21\x00", tag_list=bytes.fromhex(tags))
