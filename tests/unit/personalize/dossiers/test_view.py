"""A dossier in words, and what differs between two: places and check values, never secrets or persons."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personalize.dossiers.diff import Difference, diff, on_chip
from personalize.dossiers.dossier import PAYMENT, DossierApplication, DossierPart
from personalize.dossiers.view import GroupView, explained, name_of, view
from terminal.apdu import stack
from terminal.apdu.transcript import Transcript
from terminal.keys import Algorithm, ApplicationKeys, CardKeys
from terminal.member.elements import dictionary
from terminal.tlv import tlv
from tests.support import issuer
from tests.support.cards.bank_cards import AID, PAN, card, identity, party, record

SIDE = party()
NAMES = dictionary()


def groups(application: DossierApplication) -> dict[int, GroupView]:
    return {group.number: group for group in view(application, NAMES)}


def text(application: DossierApplication) -> str:
    return "\n".join(
        line for g in view(application, NAMES) for item in g.content for line in (g.heading, *item.lines())
    )


def test_keys_are_shown_by_their_check_values() -> None:
    payment = card(SIDE).payment
    keys = next(part.value for part in payment.parts if part.number == 0x8000)
    assert isinstance(keys, ApplicationKeys)
    kcvs = tuple(kcv.hex().upper() for kcv in keys.kcvs)
    assert groups(payment)[0x8000].kcvs == kcvs
    assert groups(payment)[0x8000].heading == f"8000 card keys, 3DES: secret, KCV {' '.join(kcvs)}"


def test_a_banks_keys_are_shown_by_their_check_values() -> None:
    custody = SIDE.custody
    keys = next(part.value for part in card(SIDE).payment.parts if part.number == 0x8000)
    assert isinstance(keys, ApplicationKeys)
    wrapped = custody.to_transport(SIDE.transport, keys)
    brought = custody.keys_from_transport(SIDE.transport, wrapped, Algorithm.TDES, SIDE.seal, "x")
    ours, theirs = (
        DossierApplication(PAYMENT, AID, AID, AID, (DossierPart(0x8000, value),)) for value in (keys, brought)
    )
    assert groups(theirs)[0x8000].kcvs == groups(ours)[0x8000].kcvs != ()
    assert groups(theirs)[0x8000].length == 48
    assert diff(ours, theirs, NAMES) == []


def test_a_pin_has_a_length_and_nothing_else() -> None:
    group = groups(card(SIDE).payment)[0x8010]
    assert (group.heading, group.content) == ("8010 offline PIN: secret, 8 bytes", ())


def test_records_are_explained_and_the_number_is_masked() -> None:
    shown = text(card(SIDE).payment)
    assert "5A Application Primary Account Number (PAN): 621700******7890" in shown
    assert "0101 record 1 of file 1: 16 bytes" in shown
    assert "UNIONPAY DEBIT" in shown
    assert PAN not in shown


def test_a_members_dossier_names_nobody(tmp_path: Path) -> None:
    one = issuer.member()
    dossier = issuer.preparer().prepare(one, "9156130000000001234", issuer.pool(tmp_path).make())
    shown = text(dossier.member) + json.dumps([group.to_json() for group in view(dossier.member, NAMES)])
    personal = [one.person.name, one.person.id_number, one.person.mobile, one.member_number, "9156130000000001234"]
    for value in personal:
        assert value not in shown
        for coded in (value.encode("gb18030").hex(), value.encode().hex()):
            assert coded not in shown.lower()
    assert "DF24" in shown
    assert "915613*********1234" in shown
    read_keys = next(part.value for part in dossier.member.parts if part.number == 0x8030)
    assert isinstance(read_keys, CardKeys)
    assert groups(dossier.member)[0x8030].kcvs == tuple(kcv.hex().upper() for kcv in read_keys.kcvs)


@given(st.integers(0, 0xFFFF), st.binary(max_size=60))
def test_any_plain_grouping_is_shown(number: int, value: bytes) -> None:
    one = DossierApplication(PAYMENT, AID, AID, AID, (DossierPart(number, value),))
    [group] = view(one, NAMES)
    assert group.length == len(value)
    assert json.dumps(group.to_json())
    assert all(line for item in group.content for line in item.lines())


def test_a_value_without_data_objects_is_shown_by_its_length() -> None:
    one = DossierApplication(PAYMENT, AID, AID, AID, ())
    [item] = explained(one, 0x0E01, b"\x5a\x20secret", NAMES)
    assert item.text == "8 bytes, no data objects"


@pytest.mark.parametrize(
    ("number", "name"),
    [(0x0203, "record 3 of file 2"), (0x8203, "RSA key, part 3 of 5"), (0xBF01, "(a grouping of its own)")],
)
def test_groupings_have_names(number: int, name: str) -> None:
    assert name_of(number) == name


def app(*parts: DossierPart) -> DossierApplication:
    return DossierApplication(PAYMENT, AID, AID, AID, parts)


def places_of(left: DossierApplication, right: DossierApplication, **how: object) -> list[tuple[str, str, str]]:
    return [(d.dgi[:4], d.path, d.text) for d in diff(left, right, NAMES, **how)]  # type: ignore[arg-type]


def test_equal_dossiers_do_not_differ() -> None:
    one = card(SIDE).payment
    assert diff(one, card(SIDE).payment, NAMES) == [
        Difference(AID.hex().upper(), "8010 offline PIN", "", "secrets that cannot be compared here")
    ]
    assert diff(one, card(SIDE).payment, NAMES, SIDE.custody) == []


def test_differences_are_named_by_place_and_show_no_value() -> None:
    other = "6217001234567891"
    differences = diff(card(SIDE).payment, card(SIDE, pan=other, sequence=2).payment, NAMES, SIDE.custody)
    shown = "\n".join(map(str, differences))
    places = [(d.dgi[:4], d.path) for d in differences]
    assert ("0101", "70/5A Application Primary Account Number (PAN)") in places
    assert ("0101", "70/5F34 Application Primary Account Number (PAN) Sequence Number") in places
    assert {"9000", "8000", "8020"} <= {place for place, _ in places}
    assert "1 of 8 bytes differ" in shown
    assert not any(number in shown for number in (PAN, other))


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        (app(DossierPart(0x9102, b"")), app(), [("9102", "", "only on the left")]),
        (app(), app(DossierPart(0x9102, b"")), [("9102", "", "only on the right")]),
        (
            app(DossierPart(0x9000, b"ab")),
            app(DossierPart(0x9000, b"abc")),
            [("9000", "", "2 bytes and 3 bytes that differ")],
        ),
        (
            app(DossierPart(0x0101, record((0x9F36, b"\x00\x01")))),
            app(DossierPart(0x0101, record((0x9F36, b"\x00")))),
            [("0101", "70/9F36 Application Transaction Counter (ATC)", "2 bytes and 1 bytes")],
        ),
        (
            app(DossierPart(0x0101, record((0x82, b"a"), (0x94, b"b")))),
            app(DossierPart(0x0101, record((0x94, b"b"), (0x82, b"a")))),
            [("0101", "", "the same objects in another order or form")],
        ),
        (
            app(DossierPart(0x0101, record((0x8A, b"a"), (0x8A, b"b")))),
            app(DossierPart(0x0101, record((0x8A, b"a"), (0x8A, b"c")))),
            [("0101", "70/8A (2) Authorisation Response Code", "1 of 1 bytes differ")],
        ),
        (
            app(DossierPart(0x8010, SIDE.custody.seal(SIDE.seal, b"1", "x"))),
            app(DossierPart(0x8010, b"1")),
            [("8010", "", "secret on one side, plain on the other")],
        ),
    ],
    ids=["left", "right", "raw", "length", "order", "repeated", "kind"],
)
def test_each_kind_of_difference(
    left: DossierApplication, right: DossierApplication, expected: list[tuple[str, str, str]]
) -> None:
    assert places_of(left, right, custody=SIDE.custody) == expected


def test_secrets_are_compared_inside_custody() -> None:
    one, same, other = (
        app(DossierPart(0x8010, SIDE.custody.seal(SIDE.seal, pin, "x"))) for pin in (b"1234", b"1234", b"1235")
    )
    assert places_of(one, same, custody=SIDE.custody) == []
    assert places_of(one, other, custody=SIDE.custody) == [("8010", "", "the secrets differ")]


def test_a_pin_of_custodys_own_is_not_compared_with_one_that_could_be_a_guess() -> None:
    mine, guess = SIDE.custody.new_pin(4, SIDE.seal, "x"), SIDE.custody.seal(SIDE.seal, bytes(8), "x")
    one, other = (app(DossierPart(0x8010, pin)) for pin in (mine, guess))
    assert places_of(one, other, custody=SIDE.custody) == [("8010", "", "secrets that are too short to be compared")]
    assert places_of(one, one, custody=SIDE.custody) == []


def test_keys_that_differ_show_both_check_values() -> None:
    a, b = card(SIDE).payment, card(SIDE, sequence=2).payment
    [(_, _, words)] = [one for one in places_of(a, b, custody=SIDE.custody) if one[0] == "8000"]
    assert words == f"KCV {' '.join(groups(a)[0x8000].kcvs)} and {' '.join(groups(b)[0x8000].kcvs)}"


def chip(fci: str, options: str, *records: str) -> Transcript:
    turns = [("00A4040008A00000033301010100", fci), ("80A8000002830000", options)]
    turns += [(f"00B2{number:02X}0C00", answer) for number, answer in enumerate(records, 1)]
    return Transcript(*turns)


PUT_ON = app(
    DossierPart(0x9102, tlv(0xA5, [tlv(0x50, b"CARD")]).encode()),
    DossierPart(0x9104, bytes.fromhex("82027C00 940408010200")),
    DossierPart(0x0101, identity()),
    DossierPart(0x0102, record((0x9F36, b"\x00\x01"))),
    DossierPart(0x0D01, bytes(3)),
    DossierPart(0x9000, bytes(9)),
)
FCI = "6F128408A000000333010101A506500443415244"


@pytest.mark.parametrize("options", ["80067C0008010200", "770A82027C00940408010200"])
def test_a_chip_is_compared_in_all_that_it_shows(options: str) -> None:
    turns = chip(f"{FCI}9000", f"{options}9000", f"{identity().hex()}9000", f"{record((0x9F36, bytes(2))).hex()}9000")
    inner = stack(_Answering(turns))
    expected, shown = on_chip(inner, PUT_ON)
    assert [part.number for part in expected.parts] == [0x9102, 0x9104, 0x0101, 0x0102]
    assert places_of(expected, shown) == [
        ("0102", "70/9F36 Application Transaction Counter (ATC)", "1 of 2 bytes differ")
    ]


class _Answering:
    """The transcript's card, which knows no record beyond it."""

    def __init__(self, inner: Transcript) -> None:
        self._inner = inner
        self.atr, self.protocol, self.extended_length = inner.atr, inner.protocol, inner.extended_length

    def exchange(self, apdu: bytes) -> bytes:
        if apdu[1] == 0xB2 and apdu[3] != 0x0C:
            return b"\x6a\x83"
        return self._inner.exchange(apdu)

    def reset(self) -> bytes:
        return self._inner.reset()

    def close(self) -> None:
        self._inner.close()
