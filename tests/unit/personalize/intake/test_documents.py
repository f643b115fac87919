"""Identity documents other than the resident identity card."""

from __future__ import annotations

from pathlib import Path

import pytest

from personalize.intake.documents import Document, named_document
from personalize.intake.identity import Identities, check_character
from terminal.member.values import IdType
from tests.support import forms
from tests.support.forms import HEADER, TITLE, TODAY, UNIT, UNIT_LINE, id_number, verdicts

PERMANENT = "91115619800101001"  # 11 Beijing, 156 of the nationality, born 1980-01-01
PERMANENT += check_character(PERMANENT)


def test_numbers_show_their_documents() -> None:
    read = Identities(TODAY).read
    for typed, document, number in (
        (id_number(), Document.RESIDENT_ID, id_number()),
        (id_number("810000"), Document.RESIDENCE_PERMIT, id_number("810000")),
        (id_number("820000"), Document.RESIDENCE_PERMIT, id_number("820000")),
        (id_number("830000"), Document.RESIDENCE_PERMIT, id_number("830000")),
        ("H12345678", Document.TRAVEL_PERMIT, "H12345678"),
        ("ｈ12345678 02", Document.TRAVEL_PERMIT, "H12345678"),
        ("M1234567803", Document.TRAVEL_PERMIT, "M12345678"),
        ("E12345678", Document.PASSPORT, "E12345678"),
        ("EA1234567", Document.PASSPORT, "EA1234567"),
        ("GBR110180010112", Document.PERMANENT_RESIDENCE, "GBR110180010112"),
        (PERMANENT, Document.PERMANENT_RESIDENCE, PERMANENT),
        ("南字第01234567号", Document.OFFICER, "南字第01234567号"),
    ):
        identity = read(typed)
        assert (identity.document, identity.number, identity.faults) == (document, number, ()), typed


@pytest.mark.parametrize(
    ("typed", "named", "number", "faults"),
    [
        ("01234567", "台胞证", "01234567", ()),
        ("0123456701(B)", "台湾居民来往大陆通行证", "01234567", ()),
        ("C01X00T47", "外国护照", "C01X00T47", ()),
        (" h12345678", "回乡证", "H12345678", ()),
        (1234567.0, "护照", "1234567", ()),
        ("南字第01234567号", "军官证", "南字第01234567号", ()),
        ("01234567", "士官证", "01234567", ()),
        ("A123456(7)", "香港身份证", "", ("ID_FORMAT",)),
        ("E12345678", "居民身份证", "", ("ID_FORMAT",)),
        ("12", "护照", "", ("ID_FORMAT",)),
        (id_number("130102"), "港澳台居民居住证", id_number("130102"), ("ID_FORMAT",)),
    ],
)
def test_a_column_names_the_document(typed: str | float, named: str, number: str, faults: tuple[str, ...]) -> None:
    identity = Identities(TODAY).read(typed, named)
    assert (identity.number, identity.faults) == (number, faults)


def test_a_wrong_permanent_residence_number_has_its_faults() -> None:
    read = Identities(TODAY).read
    wrong = PERMANENT[:17] + ("0" if PERMANENT[17] != "0" else "1")
    named = "外国人永久居留身份证"
    assert read(wrong, named).faults == ("ID_CHECKSUM",)
    nowhere = "90015619800101001"
    assert read(nowhere + check_character(nowhere), named).faults == ("ID_REGION",)
    unborn = "91115619801301001"
    assert read(unborn + check_character(unborn)).faults == ("ID_BIRTHDATE",)


def test_what_a_cell_names() -> None:
    assert named_document("") is None
    assert named_document("港澳居民来往内地通行证") is Document.TRAVEL_PERMIT
    assert named_document("中华人民共和国外国人永久居留身份证") is Document.PERMANENT_RESIDENCE
    assert named_document("台湾居民居住证") is Document.RESIDENCE_PERMIT
    with pytest.raises(ValueError, match="no identity document"):
        named_document("驾驶证")


def test_a_form_with_other_documents(tmp_path: Path) -> None:
    header = (*HEADER[:1], "证件类型", "证件号码", *HEADER[2:])
    rows = [
        (1, "居民身份证", id_number(serial=1), "孙波磊", "男", "18801434135", UNIT),
        (2, "护照", "C01X00T47", "JOHN SMITH", "男", "18801434136", UNIT),
        (3, "台胞证", "01234567", "李大明", "女", "18801434137", UNIT),
        (4, "", id_number("810000", serial=2), "陈小明", "女", "18801434138", UNIT),
        (5, "军官证", "南字第01234567号", "王军", "男", "18801434139", UNIT),
        (6, "驾驶证", id_number(serial=6), "孙磊", "女", "18801434140", UNIT),
        (7, "护照", "C01X00T47", "JOHN SMITH", "男", "18801434136", UNIT),
    ]
    report = forms.check(forms.xlsx(tmp_path / "f.xlsx", [TITLE, UNIT_LINE, header, *rows]), today=TODAY)
    assert verdicts(report)[5:] == ["DOCUMENT_TYPE", "DUPLICATE_IN_FILE"]
    people = [row.person for row in report.accepted]
    assert [(one.id_number, one.document_type) for one in people] == [
        (id_number(serial=1), IdType.RESIDENT_ID),
        ("C01X00T47", IdType.PASSPORT),
        ("01234567", IdType.ENTRY_PERMIT),
        (id_number("810000", serial=2), IdType.OTHER),
        ("南字第01234567号", IdType.OFFICER),
    ]
    assert [one.number_on_card for one in people][-1] == "01234567"
    assert people[1].identity_key == "C01X00T47/2"
    records = [row["record"].get("document_type") for row in report.to_json()["rows"][:3]]
    assert records == [None, "passport", "entry_permit"]
