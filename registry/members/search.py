"""Search for members: by numbers, whole or masked, by name and surname, and by a part of the unit's name.

Names, ID numbers and mobile numbers are sealed; keyed digests beside them find a whole name, a surname or a whole
number.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from sqlalchemy import ColumnElement, bindparam, false, or_, select, update

from registry.batches.persons import open_person, search_indexes
from registry.batches.units import part_of_unit
from registry.db.database import Database
from registry.db.privacy import PersonalData
from registry.db.tables import dossiers, members
from registry.person import identity_key
from registry.surnames import surnames_meant
from terminal.member.values import IdType

_FILL: Final = 1000
_ID_NUMBER: Final = re.compile(r"[0-9]{17}[0-9Xx]|[0-9]{15}")
_OTHER_DOCUMENT: Final = re.compile(r"(?=.*[0-9].*[0-9]).{5,20}")  # a passport, a permit, an officer's card
_MEMBER_NUMBER: Final = re.compile(r"[0-9]{12}")
_CARD_NUMBER: Final = re.compile(r"[0-9]{13,19}")
_SEQUENCE: Final = re.compile(r"(?<=[0-9])-[0-9]{1,2}$")  # as cards are shown: number-sequence
_MOBILE: Final = re.compile(r"(?:\+?86|0086)?(1[0-9]{10})")
_MASKED: Final = re.compile(r"\+?([0-9]{0,14})([*.•●×_xX]+)([0-9]{2,8}[0-9Xx])")
_MOBILE_START: Final = re.compile(r"(86|0086)?1[3-9][0-9]{0,5}")
_MOBILE_LENGTH: Final = 11
_ID_LENGTHS: Final = (15, 18)
_ENDING: Final = re.compile(r"[0-9]{3,7}[0-9Xx]")
_MASKED_NAME: Final = re.compile(r"(.)\*+")
_SHOWN: Final = 4
"""Characters at the end of an ID or mobile number that stand beside the sealed one."""
_LEAST_OF_UNIT: Final = 2


def fill_indexes(database: Database, personal: PersonalData) -> None:
    """The digests of members recorded before they were searched by them; one query where there are none."""
    missing = select(members.c.id, members.c.sealed, members.c.seal_key).where(members.c.surname_index.is_(None))
    with database.read() as conn:
        if conn.execute(missing.limit(1)).first() is None:
            return
    change = update(members).where(members.c.id == bindparam("member"), members.c.surname_index.is_(None))
    while True:
        with database.write() as conn:
            rows = conn.execute(missing.order_by(members.c.id).limit(_FILL)).all()
            if not rows:
                return
            changes = [{"member": row.id, **search_indexes(personal, open_person(personal, row))} for row in rows]
            conn.execute(change, changes)


def condition(personal: PersonalData, text: str) -> ColumnElement[bool]:
    """The members that a search text means: by the kind of number that it is, or by name, surname and unit."""
    plain = unicodedata.normalize("NFKC", text).strip()
    number = re.sub(r"[\s-]", "", _SEQUENCE.sub("", plain))
    if _MEMBER_NUMBER.fullmatch(number):
        return members.c.member_number == number
    if _CARD_NUMBER.fullmatch(number) or _ID_NUMBER.fullmatch(number):
        carried = select(dossiers.c.member_id).where(dossiers.c.card_number == number)
        of_card: ColumnElement[bool] = members.c.id.in_(carried)
        of_person = members.c.id_index == personal.indexes([number.upper()])[0]
        if mobile := _MOBILE.fullmatch(number):  # with its country code it is as long as a card number
            of_card |= members.c.mobile_index == personal.mobile_index(mobile[1])
        return of_card | of_person if _ID_NUMBER.fullmatch(number) else of_card
    meanings = [members.c.name_index == personal.name_index(text), *_parts(number), *_names(personal, plain)]
    if mobile := _MOBILE.fullmatch(number):
        meanings.append(members.c.mobile_index == personal.mobile_index(mobile[1]))
    if _OTHER_DOCUMENT.fullmatch(number.upper()):
        keys = [identity_key(number.upper(), document_type) for document_type in IdType]
        meanings.append(members.c.id_index.in_(personal.indexes(keys)))
    return or_(*meanings)


def _parts(number: str) -> list[ColumnElement[bool]]:
    """By the end of a card, ID or mobile number, or by what a mask leaves of one."""
    masked = _MASKED.fullmatch(number)
    if masked is None and _ENDING.fullmatch(number) is None:
        return []
    start, gap, end = (masked[1], masked[2], masked[3].upper()) if masked else ("", "", number.upper())
    meanings: list[ColumnElement[bool]] = []
    if end.isdecimal() and len(end) >= _SHOWN:
        of_card = select(dossiers.c.member_id).where(dossiers.c.card_number.like(f"{start}%{end}"))
        meanings.append(members.c.id.in_(of_card))
    tail = f"%{end[-_SHOWN:]}"
    if _may_be_id_number(start, gap, end):
        meanings.append(members.c.id_masked.like(tail))
    if _may_be_mobile_number(start, gap, end):
        meanings.append(members.c.mobile_masked.like(tail))
    return meanings


def _may_be_id_number(start: str, gap: str, end: str) -> bool:
    """Only its end is compared: the beginning is sealed, and has no digest of its own."""
    return len(start + gap + end) in _ID_LENGTHS if start else len(end) == _SHOWN


def _may_be_mobile_number(start: str, gap: str, end: str) -> bool:
    """Only its end is compared, as with an ID number. A mask may be shorter than what it hides."""
    if not start:
        return len(end) == _SHOWN
    code = _MOBILE_START.fullmatch(start)
    if code is None or not end.isdecimal():
        return False
    length = len(start.removeprefix(code[1] or "") + gap + end)
    return "." in gap or length <= _MOBILE_LENGTH


def _names(personal: PersonalData, text: str) -> list[ColumnElement[bool]]:
    """By surname, by a masked name, and by a part of the unit's name."""
    if not text.isprintable():
        return []
    if masked := _MASKED_NAME.fullmatch(text):
        of_surname = _of_surname(personal, masked[1])
        return [of_surname & (members.c.name_masked == text)]
    meanings = [_of_surname(personal, text)]
    if len(text) >= _LEAST_OF_UNIT:
        meanings.append(part_of_unit(members.c.unit_id, text))
    return meanings


def _of_surname(personal: PersonalData, text: str) -> ColumnElement[bool]:
    meant = surnames_meant(text)
    return members.c.surname_index.in_([personal.surname_index(one) for one in meant]) if meant else false()
