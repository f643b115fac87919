"""BER-TLV: what is refused, with its offset, and what is preserved."""

from __future__ import annotations

import pyemv.tlv
import pytest

from terminal.errors import TlvError
from terminal.tlv import MAX_DEPTH, Tag, Tlvs, decode, encode, encode_length, split, tlv

FCI = bytes.fromhex("6F1D8407A0000000041010A512500A4D617374657243617264870101BF0C00")


@pytest.mark.parametrize(
    ("data", "offset", "message"),
    [
        ("9F", 0, "truncated tag or length"),
        ("5A", 0, "truncated tag or length"),
        ("5A0101 9F27", 3, "truncated tag or length"),
        ("9F8127", 0, "truncated tag or length"),
        ("5A02FF", 0, "2 bytes announced, 1 there"),
        ("5A80FF0000", 1, "indefinite length"),
        ("5A810100", 1, "shortest form"),
        ("5A817F" + "00" * 127, 1, "shortest form"),
        ("5A8200FF" + "00" * 255, 1, "shortest form"),
        ("5A830000800", 1, "shortest form"),
        ("5A82FF", 1, "a length field is truncated"),
        ("5A85000000000100", 1, "a length field of 6 bytes"),
        ("9F8001 00", 0, "leading zeros"),
        ("9F0000", 0, "leading zeros"),
        ("9F81828300", 0, "more than three bytes"),
        ("6F03 5A05 01", 2, "5 bytes announced, 1 there"),
        ("6F04 A502 5A02", 4, "2 bytes announced, 0 there"),
        ("6F06 8401AA A50150", 7, "truncated tag or length"),
        ("8401AA 6F05 5A8101FFFF", 6, "shortest form"),
    ],
)
def test_faults_are_refused_with_their_offset(data: str, offset: int, message: str) -> None:
    data = data.replace(" ", "")
    with pytest.raises(TlvError, match=message) as caught:
        decode(bytes.fromhex(data if len(data) % 2 == 0 else data + "0"))
    assert caught.value.offset == offset


def test_a_nested_fci_in_full() -> None:
    objects = decode(FCI)
    assert [str(item.tag) for item in objects.walk()] == ["6F", "84", "A5", "50", "87", "BF0C"]
    assert objects.need(0x6F, 0xA5, 0x50) == b"MasterCard"
    assert objects.get(0x6F, 0xA5, 0x9F38) is None
    assert objects.find(0x6F, 0xA5, 0xBF0C).children == Tlvs()
    assert objects.find(0x6F).children.find(0x84).value.hex().upper() == "A0000000041010"
    assert objects.encode() == FCI


def test_pyemv_reads_the_same() -> None:
    def as_dict(objects: Tlvs) -> dict[str, object]:
        return {str(o.tag): as_dict(o.children) if o.tag.constructed else o.value for o in objects}

    assert as_dict(decode(FCI)) == pyemv.tlv.decode(FCI)


def test_need_names_the_missing_path() -> None:
    with pytest.raises(TlvError, match="no object 6F/9F38"):
        decode(FCI).need(0x6F, 0x9F38)


def test_a_path_goes_down_every_template_of_that_tag() -> None:
    objects = decode(bytes.fromhex("6103 4F01AA 6103 5001BB".replace(" ", "")))
    assert objects.need(0x61, 0x50) == b"\xbb"


def test_duplicates_stay_in_order() -> None:
    objects = decode(bytes.fromhex("70065A01015A0102"))
    assert [item.value for item in objects[0].children.find_all(0x5A)] == [b"\x01", b"\x02"]
    assert objects.need(0x70, 0x5A) == b"\x01"


@pytest.mark.parametrize(
    "data", ["0000FF", "005A0101", "5A010100FF8401AA00", "7007FF005A0101FF00", "7002 0000".replace(" ", "")]
)
def test_padding_is_skipped_and_preserved(data: str) -> None:
    raw = bytes.fromhex(data)
    objects = decode(raw)
    assert objects.encode() == raw
    assert encode(objects) == raw
    assert all(item.children.encode() == item.value for item in objects.walk() if item.tag.constructed)
    assert not {0x00, 0xFF} & {int(item.tag) for item in objects.walk()}


@pytest.mark.parametrize(
    ("data", "offset"), [("00", 0), ("5A0101FF", 3), ("5A010100", 3), ("70045A010100", 5), ("FF8401AA", 0)]
)
def test_padding_can_be_refused(data: str, offset: int) -> None:
    with pytest.raises(TlvError) as caught:
        decode(bytes.fromhex(data), padding="reject")
    assert caught.value.offset == offset


def test_ff_begins_a_tag_where_the_caller_says_so() -> None:
    raw = bytes.fromhex("FFFF8106035A01015A0102FF")
    objects = decode(raw, padding="ff-tags")
    assert [item.tag for item in objects.walk()] == [0xFF8106, 0x5A, 0x5A]
    assert objects[0].tag.constructed
    assert objects.encode() == raw
    assert tlv(0xFF8106, [tlv(0x5A, b"\x01")]).encode() == raw[1:8]
    assert [item.tag for item in decode(bytes.fromhex("FF81065A01015A0102"))] == [0x81]


@pytest.mark.parametrize(("data", "offset"), [("FF8106", 0), ("FF810602AA", 0), ("5A0101FF8106025A05", 7)])
def test_a_truncated_object_whose_tag_begins_with_ff(data: str, offset: int) -> None:
    with pytest.raises(TlvError) as caught:
        decode(bytes.fromhex(data), padding="ff-tags")
    assert caught.value.offset == offset


@pytest.mark.parametrize("size", [0, 1, 0x7F, 0x80, 0xFF, 0x100, 0xFFFF, 0x10000])
def test_every_length_form_round_trips(size: int) -> None:
    raw = tlv(0xDF21, b"\xa5" * size).encode()
    assert decode(raw)[0].value == b"\xa5" * size
    assert len(raw) == 2 + len(encode_length(size)) + size


def test_a_length_that_no_field_holds() -> None:
    with pytest.raises(TlvError, match="4 GiB"):
        encode_length(1 << 32)


def test_depth_is_bounded() -> None:
    raw = b""
    for _ in range(MAX_DEPTH):
        raw = b"\x70" + encode_length(len(raw)) + raw
    assert len(list(decode(raw).walk())) == MAX_DEPTH
    for _ in range(5000):
        raw = b"\x70" + encode_length(len(raw)) + raw
    with pytest.raises(TlvError, match="nested deeper"):
        decode(raw)


@pytest.mark.parametrize(
    "number", [0, -1, 0xFF, 0x9F, 0x5A5A, 0x9F80, 0x9F00, 0xFF01, 0x9F818283, 0x9F2701, 0xFF8180, 0xFF8000, 0xFF8201]
)
def test_numbers_that_are_no_tag(number: int) -> None:
    with pytest.raises(TlvError):
        Tag(number)


@pytest.mark.parametrize(
    ("text", "constructed"), [("5A", False), ("9F27", False), ("BF0C", True), ("7F4920", None), ("DF8129", False)]
)
def test_tags_from_text(text: str, constructed: bool | None) -> None:
    if constructed is None:
        with pytest.raises(TlvError, match="more than one tag"):
            Tag.parse(text)
        return
    tag = Tag.parse(text)
    assert (str(tag), tag.encode().hex().upper(), tag.constructed) == (text, text, constructed)
    assert repr(tag) == f"Tag(0x{text})"
    assert tag == int(text, 16)
    assert Tag.parse(tag.encode()) == tag


def test_text_that_is_no_hex() -> None:
    with pytest.raises(TlvError, match="is no tag"):
        Tag.parse("XY")


def test_building_checks_the_content() -> None:
    built = tlv(0x6F, [tlv(0x84, b"\x01\x02"), tlv(0xA5, tlv(0x50, b"A"))])
    assert built.encode() == bytes.fromhex("6F09 84020102 A503500141".replace(" ", ""))
    assert tlv(0x6F, built.value) == built
    with pytest.raises(TlvError, match="primitive"):
        tlv(0x84, [tlv(0x50, b"A")])
    with pytest.raises(TlvError, match="announced"):
        tlv(0x6F, b"\x84\x05")


def test_sequence_behaviour() -> None:
    objects = decode(bytes.fromhex("5A0101 8401AA 5F3400".replace(" ", "")))
    assert len(objects) == 3
    assert [str(item.tag) for item in objects[1:]] == ["84", "5F34"]
    assert objects[-1].value == b""
    assert objects == Tlvs(list(objects))
    assert hash(objects) == hash(Tlvs(list(objects)))
    assert objects != decode(b"")


def test_reprs_hold_no_values() -> None:
    objects = decode(bytes.fromhex("5A08622908AABBCCDDEE"))
    assert repr(objects) == "<Tlvs 5A>"
    assert repr(objects[0]) == "<Tlv 5A, 8 bytes>"


@pytest.mark.parametrize(
    ("data", "value", "shortest"),
    [
        ("5A810100", "00", "5A0100"),
        ("5A82000100", "00", "5A0100"),
        ("5A8300000100", "00", "5A0100"),
        ("5A840000000100", "00", "5A0100"),
        ("5A8100", "", "5A00"),
        ("5A8200FF" + "00" * 255, "00" * 255, "5A81FF" + "00" * 255),
    ],
)
def test_a_length_with_more_bytes_than_it_needs_is_read_where_cards_are(data: str, value: str, shortest: str) -> None:
    """EMV 4.4 Book 3, Annex B2. Our own encoding is the shortest."""
    objects = decode(bytes.fromhex(data), lengths="any")
    assert objects[0].value.hex() == value.lower()
    assert objects.encode().hex().upper() == data
    assert objects[0].encode().hex().upper() == shortest
    nested = decode(bytes.fromhex(f"6F81{len(data) // 2:02X}{data}") if len(data) < 256 else b"\x6f\x00", lengths="any")
    assert nested.get(0x6F, 0x5A) in (bytes.fromhex(value), None)


@pytest.mark.parametrize("data", ["5A80", "5A8500000000010000", "5A81", "5A820001", "5A810200", "6F81045A810500"])
def test_other_faults_of_a_length_are_none_for_cards_either(data: str) -> None:
    with pytest.raises(TlvError):
        decode(bytes.fromhex(data), lengths="any")


def test_outermost_objects_are_taken_apart_without_reading_them() -> None:
    data = bytes.fromhex("00 8A023030 00 71028601 5A810100 9F2700 BF0C00")
    assert [(str(tag), raw.hex().upper()) for tag, raw in split(data)] == [
        ("8A", "8A023030"),
        ("71", "71028601"),
        ("5A", "5A810100"),
        ("9F27", "9F2700"),
        ("BF0C", "BF0C00"),
    ]
    for broken in ("8A", "8A0230", "9F", "5A82FF"):
        with pytest.raises(TlvError):
            split(bytes.fromhex(broken))
    for refused in (("005A00", "reject", "any"), ("5A810100", "emv", "shortest")):
        with pytest.raises(TlvError):
            split(bytes.fromhex(refused[0]), padding=refused[1], lengths=refused[2])  # type: ignore[arg-type]


def test_an_empty_object_is_not_present() -> None:
    objects = decode(bytes.fromhex("6F0B 8400 8402AABB A503 500141".replace(" ", "")))
    assert objects.get(0x6F, 0x84) == b""
    assert objects.present(0x6F, 0x84) == b"\xaa\xbb"
    assert objects.present(0x6F, 0xA5, 0x50) == b"A"
    assert objects.present(0x6F, 0xA5, 0x51) is None
    assert decode(b"\x84\x00").present(0x84) is None
