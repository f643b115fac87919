"""Dossiers as they are stored: those written by an earlier version of this program (tests/data/dossiers) still open."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from personalize.dossiers.dossier import DIRECTORY, MEMBER, PAYMENT, Dossier
from personalize.errors import DossierError
from terminal.keys import CardKeys, Sealed
from tests.support.paths import ROOT

DOSSIERS = ROOT / "tests" / "data" / "dossiers"


def stored(name: str) -> bytes:
    return (DOSSIERS / f"{name}.json").read_bytes()


def aids_and_values(application: dict[str, Any]) -> tuple[list[str], list[tuple[int, object, bool]]]:
    return application["aids"], [tuple(part) for part in application["parts"]]


@pytest.mark.parametrize("name", ["member", "member-and-bank"])
def test_a_dossier_of_the_first_format_opens_with_every_value(name: str) -> None:
    before, dossier = json.loads(stored(name)), Dossier.decode(stored(name))
    after = json.loads(dossier.encode())
    assert after["format"] == 3
    assert (after["card_number"], after["sequence"]) == (before["card_number"], before["sequence"])
    applications = [before["member"], *([before["payment"]] if before["payment"] else []), *before["directories"]]
    assert list(map(aids_and_values, after["applications"])) == list(map(aids_and_values, applications))
    assert Dossier.decode(dossier.encode()) == dossier


@pytest.mark.parametrize("name", ["member", "member-and-bank"])
def test_a_dossier_of_the_second_format_opens_without_stripe_and_face(name: str) -> None:
    dossier = Dossier.decode(stored(f"{name}-2"))
    assert dossier == Dossier.decode(stored(name))
    assert (dossier.stripe, dossier.face) == (("", "", ""), {})


def test_stripe_and_face_are_stored_with_the_chip() -> None:
    tracks = ("B6210971300000000001^ZHANG/SAN^3012220", "6210971300000000001=3012220", "")
    dossier = replace(
        Dossier.decode(stored("member")), stripe=tracks, face={"name": "张三", "member_number": "1300012"}
    )
    assert Dossier.decode(dossier.encode()) == dossier
    assert "ZHANG" not in repr(dossier)
    assert "张三" not in repr(dossier)


@pytest.mark.parametrize("field", [{"stripe": ["", ""]}, {"face": ["name"]}, {"stripe": None}])
def test_damaged_stripes_and_faces_are_damaged_dossiers(field: dict[str, Any]) -> None:
    data = json.loads(Dossier.decode(stored("member")).encode()) | field
    with pytest.raises(DossierError, match="damaged"):
        Dossier.decode(json.dumps(data).encode())


def test_the_first_format_repeated_what_the_member_application_has() -> None:
    before, member = json.loads(stored("member")), Dossier.decode(stored("member")).member
    assert member.secret(0x0501, Sealed).blob.hex() == before["protected"][3]
    assert [kcv.hex() for kcv in member.secret(0x8030, CardKeys).kcvs] == before["read_keys"][6]


def test_kinds_and_their_order() -> None:
    dossier = Dossier.decode(stored("member-and-bank"))
    assert [application.kind for application in dossier.applications] == [MEMBER, PAYMENT, DIRECTORY, DIRECTORY]
    assert [one.instance_aid for one in dossier.directories] == [b"1PAY.SYS.DDF01", b"2PAY.SYS.DDF01"]


def test_a_dossier_of_before_the_payment_application_opens() -> None:
    raw = stored("member")
    old = raw.replace(b',"directories":[]', b"").replace(b'"],null]', b'"]]')
    assert old != raw
    assert Dossier.decode(old).directories == ()
    assert Dossier.decode(old).member.parts


def test_an_application_of_another_kind_is_stored_too() -> None:
    raw = Dossier.decode(stored("member")).encode().replace(b'"kind":"member"', b'"kind":"library"')
    (application,) = Dossier.decode(raw).of_kind("library")
    assert application.parts
    with pytest.raises(DossierError, match="no member application"):
        _ = Dossier.decode(raw).member


def test_replaced_applications_stand_last() -> None:
    dossier = Dossier.decode(stored("member-and-bank"))
    (pse, _), payment = dossier.directories, dossier.payment
    assert payment is not None
    changed = dossier.with_applications((PAYMENT, DIRECTORY), (payment, pse))
    assert [application.kind for application in changed.applications] == [MEMBER, PAYMENT, DIRECTORY]


def test_a_secret_of_another_type_is_no_secret_of_this_one() -> None:
    with pytest.raises(DossierError, match="no secret DGI 0501 of type CardKeys"):
        Dossier.decode(stored("member")).member.secret(0x0501, CardKeys)
