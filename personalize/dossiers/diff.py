"""Differences between two dossiers, or between a dossier and its chip. Names places, never values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from personalize.dossiers.dossier import DossierApplication, DossierPart
from personalize.dossiers.view import check_values, element_name, flat, name_of
from terminal.apdu import Command, Sender, check
from terminal.emv.data.dictionary import Dictionary
from terminal.emv.data.records import read_record
from terminal.emv.data.tags import (
    TAG_6F_FCI,
    TAG_9F38_PDOL,
    TAG_77_FORMAT_2,
    TAG_80_FORMAT_1,
    TAG_82_AIP,
    TAG_83_COMMAND_TEMPLATE,
    TAG_94_AFL,
    TAG_A5_FCI_PROPRIETARY,
)
from terminal.errors import CardRefused, KeyMisuse, TlvError
from terminal.keys import KeyCustody, Sealed
from terminal.tlv import Dol, Tlvs, decode, tlv

FCI: Final = 0x9102
OPTIONS: Final = 0x9104


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference: the application's AID, the data grouping, the path of the element in it (empty: the whole
    grouping), and a text."""

    aid: str
    dgi: str
    path: str
    text: str

    def __str__(self) -> str:
        path = f", {self.path}" if self.path else ""
        return f"{self.aid} {self.dgi}{path}: {self.text}"


def diff(
    left: DossierApplication, right: DossierApplication, dictionary: Dictionary, custody: KeyCustody | None = None
) -> list[Difference]:
    """Differences between two applications of one AID, with element names from ``dictionary``. Sealed secrets are
    compared inside custody; without custody they are not compared."""
    ours, theirs = ({part.number: part for part in one.parts} for one in (left, right))
    differences = []
    for number in dict.fromkeys((*ours, *theirs)):
        if number not in theirs:
            differences.append(_at(left, number, "", "only on the left"))
        elif number not in ours:
            differences.append(_at(left, number, "", "only on the right"))
        elif isinstance(a := ours[number].value, bytes) and isinstance(b := theirs[number].value, bytes):
            differences += _plain(left, number, a, b, dictionary)
        elif text := _secrets(left, right, number, custody):
            differences.append(_at(left, number, "", text))
    return differences


def stripe_differences(left: Sequence[str], right: Sequence[str]) -> list[Difference]:
    """Differences between the tracks of two stripes."""
    differences = []
    for number, (one, other) in enumerate(zip(left, right, strict=True), 1):
        if one == other:
            continue
        if not one or not other:
            text = "only on the left" if one else "only on the right"
        else:
            text = f"{len(one)} and {len(other)} characters that differ"
        differences.append(Difference("magnetic stripe", f"track {number}", "", text))
    return differences


def on_chip(sender: Sender, application: DossierApplication) -> tuple[DossierApplication, DossierApplication]:
    """The part of a dossier's application that a terminal can read, and the same part as read from the chip: FCI,
    processing options and records. Both are applications of plain groupings. Raises CardError, TransportError."""
    select = Command(0x00, 0xA4, 0x04, 0x00, application.instance_aid, ne=256)
    fci = decode(check(sender.send(select), "selecting the application"), lengths="any")
    shown: dict[int, bytes] = {}
    expected = {part.number: part.value for part in application.parts if isinstance(part.value, bytes)}
    if FCI in expected:
        shown[FCI] = b"".join(
            item.encode() for item in (fci[0].children if fci else ()) if item.tag == TAG_A5_FCI_PROPRIETARY
        )
    if OPTIONS in expected:
        shown[OPTIONS] = _options(sender, fci)
    for sfi, number in application.records():
        try:
            shown[sfi << 8 | number] = read_record(sender, sfi, number).raw
        except CardRefused:
            continue  # an internal file of the card, or one that needs a secure channel
    parts = tuple(DossierPart(number, shown[number]) for number in expected if number in shown)
    same = tuple(part for part in application.parts if part.number in shown)
    return replace(application, parts=same), replace(application, parts=parts)


def _options(sender: Sender, fci: Tlvs) -> bytes:
    """82 and 94 as data objects, from either response format. EMV 4.4 Book 3, 6.5.8."""
    data = Dol.parse(fci.get(TAG_6F_FCI, TAG_A5_FCI_PROPRIETARY, TAG_9F38_PDOL) or b"").fill({})
    command = Command(0x80, 0xA8, data=tlv(TAG_83_COMMAND_TEMPLATE, data).encode(), ne=256)
    answer = decode(check(sender.send(command), "getting the processing options"), lengths="any")
    if value := answer.get(TAG_80_FORMAT_1):
        return tlv(TAG_82_AIP, value[:2]).encode() + tlv(TAG_94_AFL, value[2:]).encode()
    return b"".join(tlv(tag, answer.get(TAG_77_FORMAT_2, tag) or b"").encode() for tag in (TAG_82_AIP, TAG_94_AFL))


def _plain(
    application: DossierApplication, number: int, a: bytes, b: bytes, dictionary: Dictionary
) -> list[Difference]:
    if a == b:
        return []
    try:
        ours, theirs = flat(decode(a)), flat(decode(b))
    except TlvError:
        return [_at(application, number, "", f"{len(a)} bytes and {len(b)} bytes that differ")]
    differences = [
        _at(application, number, _named(application, path, dictionary), text)
        for path in dict.fromkeys((*ours, *theirs))
        if (text := _values(ours, theirs, path))
    ]
    return differences or [_at(application, number, "", "the same objects in another order or form")]


def _values(ours: Mapping[str, bytes], theirs: Mapping[str, bytes], path: str) -> str:
    if path not in theirs:
        return "only on the left"
    if path not in ours:
        return "only on the right"
    a, b = ours[path], theirs[path]
    if a == b:
        return ""
    if len(a) != len(b):
        return f"{len(a)} bytes and {len(b)} bytes"
    count = sum(x != y for x, y in zip(a, b, strict=True))
    return f"{count} of {len(a)} bytes differ"


def _named(application: DossierApplication, path: str, dictionary: Dictionary) -> str:
    return f"{path} {element_name(application, path.rpartition('/')[2], dictionary)}".rstrip()


def _secrets(left: DossierApplication, right: DossierApplication, number: int, custody: KeyCustody | None) -> str:
    """How two secrets differ: keys by their check values, other secrets inside custody."""
    one, other = (next(part for part in side.parts if part.number == number) for side in (left, right))
    if one.secret is not other.secret:
        return "secret on one side, plain on the other"
    if isinstance(one.value, Sealed) and isinstance(other.value, Sealed):
        if one.value == other.value:
            return ""
        if custody is not None:
            try:
                return "" if custody.same_secret(one.value, other.value) else "the secrets differ"
            except KeyMisuse:
                return "secrets that are too short to be compared"
    ours, theirs = check_values(one), check_values(other)
    if not ours or not theirs:
        return "secrets that cannot be compared here"
    return "" if ours == theirs else f"KCV {' '.join(ours)} and {' '.join(theirs)}"


def _at(application: DossierApplication, number: int, path: str, text: str) -> Difference:
    return Difference(application.instance_aid.hex().upper(), f"{number:04X} {name_of(number)}", path, text)
