"""Card data decoded: recognition data, keys, production data, registry, life cycles, privileges."""

from __future__ import annotations

from datetime import date

import pytest

from terminal.errors import CardMalformed, CodecError
from terminal.globalplatform import (
    Aid,
    CardRecognition,
    Cplc,
    KeyInformation,
    Privileges,
    StatusEntry,
    StatusScope,
    inventory,
)
from terminal.globalplatform.carddata import key_information
from terminal.globalplatform.cplc import as_date
from terminal.globalplatform.lifecycle import state_name

GP = "2A864886FC6B"


def t(tag: str, *content: str) -> str:
    """One data object as hex, its length computed."""
    value = "".join(content).replace(" ", "")
    return f"{tag}{len(value) // 2:02X}{value}"


# Laid out as GPC 2.3.1, Table H-1 has it: GlobalPlatform 2.3.1, SCP02 i=55 and SCP03 i=70, Java Card 3.0.5.
RECOGNITION_INSIDE = t(
    "73",
    t("06", GP, "01"),
    t("60", t("06", GP, "02020301")),
    t("63", t("06", GP, "03")),
    t("64", t("06", GP, "040255")),
    t("64", t("06", GP, "040370")),
    t("66", t("06", "2B060104012A026E0105")),
)
RECOGNITION = t("66", RECOGNITION_INSIDE)


def test_recognition_data_tell_version_and_protocols() -> None:
    card = CardRecognition.parse(bytes.fromhex(RECOGNITION))
    assert card.version == "2.3.1"
    assert card.protocols == ((2, 0x55), (3, 0x70))
    assert card.identification_scheme == "1.2.840.114283.3"
    assert card.chip == "1.3.6.1.4.1.42.2.110.1.5"
    assert card.configuration == ""


def test_recognition_data_without_the_outer_tag_are_read_too() -> None:
    assert CardRecognition.parse(bytes.fromhex(RECOGNITION_INSIDE)).version == "2.3.1"


@pytest.mark.parametrize(
    "data", ["", "66 00", "66 02 73 00", "66 06 73 04 06 02 2A03", "66 0B 73 09 06 07 2A864886FC6B"]
)
def test_other_data_are_malformed(data: str) -> None:
    with pytest.raises(CardMalformed, match="card data"):
        CardRecognition.parse(bytes.fromhex(data))


ODD = [
    pytest.param("00" + RECOGNITION, [], id="padding-in-front"),
    pytest.param(t("66", RECOGNITION), [], id="doubled-object"),
    pytest.param("66" + RECOGNITION, [], id="doubled-tag"),
    pytest.param(RECOGNITION + "0000", [], id="padding-behind"),
    pytest.param(
        RECOGNITION[:2] + f"{len(RECOGNITION) // 2 + 9:02X}" + RECOGNITION[4:], ["66 is cut"], id="wrong-outer-length"
    ),
]


@pytest.mark.parametrize(("data", "remarked"), ODD)
def test_recognition_data_that_are_no_clean_tlv_are_read_all_the_same(data: str, remarked: list[str]) -> None:
    remarks: list[str] = []
    card = CardRecognition.parse(bytes.fromhex(data), remarks.append)
    assert (card.version, card.protocols, card.option(2)) == ("2.3.1", ((2, 0x55), (3, 0x70)), 0x55)
    assert len(remarks) == len(remarked)
    assert all(part in remark for part, remark in zip(remarked, remarks, strict=True))


def test_object_identifiers_under_the_arc_of_china_are_read() -> None:
    """1.2.156.114283: the number of GlobalPlatform under the country's arc."""
    arc = bytes((0x2A, 0x81, 0x1C, 0x86, 0xFC, 0x6B)).hex().upper()
    inside = t("73", t("06", arc, "01"), t("60", t("06", arc, "020201")), t("64", t("06", arc, "040215")))
    card = CardRecognition.parse(bytes.fromhex(t("66", inside)))
    assert (card.version, card.protocols) == ("2.1", ((2, 0x15),))


def test_of_several_options_the_one_with_explicit_initiation_counts() -> None:
    channels = "".join(t("64", t("06", GP, f"0402{i:02X}")) for i in (0x0A, 0x1A, 0x45, 0x55))
    card = CardRecognition.parse(bytes.fromhex(t("66", t("73", t("06", GP, "01"), channels))))
    assert (card.option(2), card.option(3)) == (0x45, None)
    implicit = t("66", t("73", t("06", GP, "01"), t("64", t("06", GP, "04020A"))))
    assert CardRecognition.parse(bytes.fromhex(implicit)).option(2) == 0x0A


def test_a_configuration_that_is_no_object_identifier_does_not_lose_the_rest() -> None:
    inside = t(
        "73", t("06", GP, "01"), t("60", t("06", GP, "020201")), t("65", "A1B2C3"), t("64", t("06", GP, "040255"))
    )
    remarks: list[str] = []
    card = CardRecognition.parse(bytes.fromhex(t("66", inside)), remarks.append)
    assert (card.configuration, card.version, card.protocols) == ("A1B2C3", "2.1", ((2, 0x55),))
    assert remarks == ["card data (66): 65 holds no object identifier"]


def test_an_object_identifier_that_is_cut_off_is_malformed() -> None:
    with pytest.raises(CardMalformed, match="truncated"):
        CardRecognition.parse(bytes.fromhex("66 06 73 04 06 02 2A83"))


def test_key_information_in_its_basic_form() -> None:
    keys = key_information(bytes.fromhex("E0 12 C0 04 01 FF 80 10 C0 04 02 FF 80 10 C0 04 03 FF 80 10"))
    assert keys == tuple(KeyInformation(n, 0xFF, ((0x80, 16),)) for n in (1, 2, 3))
    assert str(keys[0]) == "version FF (255), identifier 01: DES 128"


def test_key_information_in_its_extended_form() -> None:
    keys = key_information(bytes.fromhex("E0 16 C0 0A 01 30 FF 88 0010 01 18 01 00 C0 08 02 73 A1 80 A0 03 88 20"))
    assert keys[0] == KeyInformation(1, 0x30, ((0x88, 16),))
    assert keys[1].components == ((0xA1, 128), (0xA0, 3), (0x88, 32))
    assert "RSA public modulus 1024, RSA public exponent 24, AES 256" in str(keys[1])


def test_one_truncated_key_does_not_lose_the_others() -> None:
    remarks: list[str] = []
    keys = key_information(bytes.fromhex("00 E0 0F C0 04 01 FF 80 10 C0 03 02 FF 80 C0 02 03 FF"), remarks.append)
    assert [key.identifier for key in keys] == [1, 3]
    assert remarks == ["key information (E0): an entry of 3 bytes is truncated"]


@pytest.mark.parametrize(
    "data", ["", "E0 03 C0 01 01", "E0 05 C0 03 01 30 88", "E0 04 C0 04 01 FF", "E0 07 C0 05 01 30 FF 88 10"]
)
def test_truncated_key_information_is_malformed(data: str) -> None:
    with pytest.raises(CardMalformed, match="key information"):
        key_information(bytes.fromhex(data))


CPLC = "4790 5168 4D42 6001 0100 6326 00C0FFEE 0007 4812 6328 4812 6329 0000 0000 00000000 0000 0000 00000000"


@pytest.mark.parametrize("header", ["", "9F7F2A"])
def test_cplc_gives_the_chip_serial(header: str) -> None:
    cplc = Cplc.parse(bytes.fromhex(header + CPLC))
    assert cplc.chip_serial == "632600C0FFEE00074790"
    assert cplc.ic_module_packaging_date == bytes.fromhex("6328")
    assert cplc.ic_personalization_equipment == bytes(4)


@pytest.mark.parametrize(
    "header",
    ["9F7F812A", "9F7F82002A", "009F7F2A", "FFFF9F7F2A", "9F7F9F7F2A", "9F7F2D9F7F2A", "9F7F2E9F7F812A", "662D9F7F2A"],
)
def test_a_header_out_of_form_moves_no_field_of_the_cplc(header: str) -> None:
    """A field that moves takes a part of the serial number away, and two chips become one."""
    remarks: list[str] = []
    cplc = Cplc.parse(bytes.fromhex(header + CPLC), remarks.append)
    assert cplc.chip_serial == "632600C0FFEE00074790"
    assert cplc.ic_module_packaging_date == bytes.fromhex("6328")
    assert remarks == []


def test_no_cplc_is_malformed() -> None:
    for data in (b"", b"\x9f\x7f\x00", b"\x9f\x7f", b"\x9f\x7f\x9f\x7f\x00"):
        with pytest.raises(CardMalformed, match="0 bytes instead of 42"):
            Cplc.parse(data)


@pytest.mark.parametrize("length", [18, 41, 43, 45])
@pytest.mark.parametrize("header", [True, False])
def test_a_cplc_of_another_length_is_read_as_far_as_it_goes(length: int, header: bool) -> None:
    value = (bytes.fromhex(CPLC) + bytes(8))[:length]
    remarks: list[str] = []
    cplc = Cplc.parse((b"\x9f\x7f" + bytes((length,)) if header else b"") + value, remarks.append)
    assert cplc.chip_serial == "632600C0FFEE00074790"
    assert remarks == [f"CPLC (9F7F): {length} bytes instead of 42; its fields are read as far as they go"]
    assert cplc.ic_module_fabricator == (b"" if length == 18 else bytes.fromhex("4812"))


@pytest.mark.parametrize("serial", ["00000000", "FFFFFFFF"])
@pytest.mark.parametrize("rest", [CPLC, "00" * 42, "FF" * 42], ids=["set", "zero", "ff"])
def test_a_serial_number_that_was_never_set_identifies_no_chip(serial: str, rest: str) -> None:
    data = bytearray(bytes.fromhex(rest))
    data[12:16] = bytes.fromhex(serial)
    assert Cplc.parse(bytes(data)).chip_serial == ""


def test_a_cplc_without_its_serial_identifies_no_chip() -> None:
    assert Cplc.parse(bytes.fromhex(CPLC)[:17]).chip_serial == ""


@pytest.mark.parametrize(
    ("raw", "today", "expected"),
    [
        ("6326", date(2026, 11, 22), date(2026, 11, 22)),
        ("6326", date(2026, 11, 21), date(2016, 11, 21)),
        ("9001", date(2026, 11, 22), date(2019, 1, 1)),
        ("4366", date(2026, 1, 1), date(2024, 12, 31)),
        ("5366", date(2026, 1, 1), None),
        ("0000", date(2026, 1, 1), None),
        ("6000", date(2026, 1, 1), None),
        ("FFFF", date(2026, 1, 1), None),
        ("0366", date(2026, 1, 1), date(2020, 12, 31)),
    ],
)
def test_cplc_dates_belong_to_the_latest_decade_they_fit_in(raw: str, today: date, expected: date | None) -> None:
    assert as_date(bytes.fromhex(raw), today) == expected


ISD = Aid("A000000151000000")
MEMBER = Aid("F04D454D4245520101")


def test_registry_entries_in_the_tlv_form() -> None:
    domain = t("E3", t("4F", str(ISD)), t("9F70", "07"), t("C5", "9EFE80"), t("CC", str(ISD)))
    package = t("C4", "F04D454D424552")
    rest = (t("C5", "04"), package, t("CC", str(ISD)), t("CF", "40"), t("CE", "01"))
    data = bytes.fromhex(domain + t("E3", t("4F", str(MEMBER)), t("9F70", "0F"), *rest))
    first, second = inventory.parse(StatusScope.APPLICATIONS, data)
    assert first.aid == first.domain == ISD
    assert first.privileges == Privileges.parse(bytes.fromhex("9EFE80"))
    assert second == StatusEntry(
        StatusScope.APPLICATIONS,
        MEMBER,
        0x0F,
        Privileges.CARD_RESET,
        package=Aid("F04D454D424552"),
        domain=ISD,
        version=b"\x01",
    )
    assert second.state_name == "PERSONALIZED"


def test_load_files_list_their_modules() -> None:
    modules = t("84", str(MEMBER)) + t("84", "F000000001")
    data = bytes.fromhex(t("E3", t("4F", "F04D454D424552"), t("9F70", "01"), t("CE", "0100"), modules))
    (entry,) = inventory.parse(StatusScope.LOAD_FILES_AND_MODULES, data)
    assert entry.modules == (MEMBER, Aid("F000000001"))
    assert (entry.version, entry.state_name, entry.privileges) == (b"\x01\x00", "LOADED", Privileges(0))


def test_the_older_form_is_read_even_where_the_tlv_form_was_requested() -> None:
    data = bytes.fromhex(f"08{ISD} 0F 9E 09{MEMBER} 07 00")
    entries = inventory.parse(StatusScope.APPLICATIONS, data)
    assert [(e.aid, e.state, int(e.privileges)) for e in entries] == [(ISD, 0x0F, 0x9E0000), (MEMBER, 7, 0)]
    files = bytes.fromhex(f"07F04D454D424552 01 00 01 09{MEMBER}")
    (entry,) = inventory.parse(StatusScope.LOAD_FILES_AND_MODULES, files, tlv_form=False)
    assert entry.modules == (MEMBER,)


@pytest.mark.parametrize("data", ["E3 05 4F", "E3 03 9F7000", f"08{ISD} 0F", f"09{ISD}", "E3 0A 4F03A00000 9F700107"])
def test_a_list_that_breaks_its_form_is_malformed(data: str) -> None:
    with pytest.raises(CardMalformed, match="GET STATUS"):
        inventory.parse(StatusScope.ISSUER_DOMAIN, bytes.fromhex(data))


def test_empty_fields_of_an_entry_are_as_if_missing() -> None:
    full = t("E3", t("4F", str(ISD)), t("9F70", "0F"), t("C5", "9EFE80"))
    odd = t("E3", t("4F", str(MEMBER)), t("9F70", "07"), t("C4"), t("CC"), t("84"), t("C5"))
    nameless = t("E3", t("4F"), t("9F70", "07"))
    remarks: list[str] = []
    entries = inventory.parse(StatusScope.APPLICATIONS, bytes.fromhex(full + odd + nameless), note=remarks.append)
    assert [entry.aid for entry in entries] == [ISD, MEMBER]
    assert (entries[1].package, entries[1].domain, entries[1].modules) == (None, None, ())
    assert "F04D454D4245520101: C4, C5, CC, 84 is empty" in remarks[0]
    assert "it has no AID (4F)" in remarks[1]


@pytest.mark.parametrize("cut", [1, 2, 9, 18])
def test_a_list_cut_at_256_bytes_gives_the_entries_that_are_complete(cut: int) -> None:
    entry = t("E3", t("4F", "A0000000031010"), t("9F70", "07"), t("C5", "000000"))
    data = bytes.fromhex(entry * 3)
    remarks: list[str] = []
    entries = inventory.parse(StatusScope.APPLICATIONS, data[:-cut], note=remarks.append)
    assert len(entries) == 2
    assert len(remarks) == 1
    assert "the card may have more" in remarks[0]
    older = bytes.fromhex(f"08{ISD} 0F 9E 09{MEMBER} 07 00")
    assert len(inventory.parse(StatusScope.APPLICATIONS, older[:-1], note=remarks.append)) == 1
    assert "the card may have more" in remarks[1]


@pytest.mark.parametrize(
    ("state", "kind", "name"),
    [
        (0x01, "issuer_domain", "OP_READY"),
        (0x0F, "issuer_domain", "SECURED"),
        (0x55, "issuer_domain", "unknown 55"),
        (0x01, "load_file", "LOADED"),
        (0x03, "", "INSTALLED"),
        (0x07, "", "SELECTABLE"),
        (0x8F, "", "PERSONALIZED LOCKED"),
        (0x17, "", "SELECTABLE, application state 17"),
        (0x01, "", "unknown 01"),
    ],
)
def test_life_cycle_states_have_names(state: int, kind: str, name: str) -> None:
    assert state_name(state, **({kind: True} if kind else {})) == name


def test_privileges_keep_their_bytes_and_say_their_names() -> None:
    assert Privileges.parse(b"\x04").encode() == b"\x04"
    wide = Privileges.parse(bytes.fromhex("9EFE80"))
    assert wide.encode().hex() == "9efe80"
    assert wide.names[0] == "security domain"
    assert "receipt generation" in wide.names
    assert len(wide.names) == 13
    for raw in (b"", b"\x00\x00", bytes(4)):
        with pytest.raises(CodecError, match="privileges"):
            Privileges.parse(raw)
