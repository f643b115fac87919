"""Identity documents other than the resident identity card: recognized by a form's column 证件类型, or by their number.

Numbers: residence permits for Hong Kong, Macao and Taiwan residents (GB 11643 under 810000, 820000, 830000); mainland
travel permits (H or M and 8 digits, the 2 digits of a renewal left out; 8 digits for Taiwan); passports (ICAO 9303-4,
up to 9 characters); foreigners' permanent residence cards of 2017 (15 characters) and 2023 (18 digits from 9 on, with
the check character of GB 11643: rules on the machine-readable information of the new card, National Immigration
Administration, 2023, items 2 and 3); officers' cards (南字第01234567号).
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final

from personalize.intake.text import Cell, is_blank, squeeze, text_of
from terminal.member.values import IdType


class Document(StrEnum):
    """A kind of identity document that a roster names."""

    RESIDENT_ID = "居民身份证"
    TEMPORARY_ID = "临时身份证"
    RESIDENCE_PERMIT = "港澳台居民居住证"
    TRAVEL_PERMIT = "港澳居民来往内地通行证"
    TAIWAN_TRAVEL_PERMIT = "台湾居民来往大陆通行证"
    PASSPORT = "护照"
    PERMANENT_RESIDENCE = "外国人永久居留身份证"
    OFFICER = "军官证"
    OTHER = "其他证件"


ID_TYPES: Final = {
    Document.RESIDENT_ID: IdType.RESIDENT_ID,
    Document.TEMPORARY_ID: IdType.TEMPORARY_ID,
    Document.RESIDENCE_PERMIT: IdType.OTHER,
    Document.TRAVEL_PERMIT: IdType.ENTRY_PERMIT,
    Document.TAIWAN_TRAVEL_PERMIT: IdType.ENTRY_PERMIT,
    Document.PASSPORT: IdType.PASSPORT,
    Document.PERMANENT_RESIDENCE: IdType.OTHER,
    Document.OFFICER: IdType.OFFICER,
    Document.OTHER: IdType.OTHER,
}
"""The code of each in 9F62."""

SHOW_SEX: Final = frozenset((Document.RESIDENT_ID, Document.TEMPORARY_ID, Document.RESIDENCE_PERMIT))
"""Documents whose numbers show the sex."""

# What a cell of the column says, the first that fits. 居住证 of the mainland itself is no identity document.
_WORDS: Final = (
    (Document.PERMANENT_RESIDENCE, re.compile("外国人|永久居留|永居|五星卡|greencard|permanentresiden")),
    (Document.TAIWAN_TRAVEL_PERMIT, re.compile("台胞证|台湾.*通行证|大陆通行证")),
    (Document.TRAVEL_PERMIT, re.compile("回乡证|来往内地|内地通行证|港澳.*通行证")),
    (Document.RESIDENCE_PERMIT, re.compile("(?:港|澳|台).*居住证|居住证.*(?:港|澳|台)")),
    (Document.PASSPORT, re.compile("护照|passport")),
    (Document.OFFICER, re.compile("军官|士官|士兵|军人|文职|警官|武警|officer")),
    (Document.TEMPORARY_ID, re.compile("临时.*身份证")),
    (Document.RESIDENT_ID, re.compile("身份证|idcard|residentid")),
    (Document.OTHER, re.compile("其他|其它|other")),
)
_OF_PERSONS: Final = ("810000", "820000", "830000")
_TRAVEL_PERMIT: Final = re.compile(r"([HM][0-9]{8})(?:\(?[0-9]{2}\)?)?").fullmatch
_DAY = "[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])"
_OLD_PERMANENT_RESIDENCE: Final = re.compile(rf"[A-Z]{{3}}[0-9]{{4}}{_DAY}[0-9]{{2}}").fullmatch
_OFFICER: Final = re.compile(r"[\u4e00-\u9fff]{1,4}字?第?[0-9A-Z]{4,10}号?").fullmatch
_PASSPORT: Final = re.compile(r"[EGK][0-9]{8}|E[A-Z][0-9]{7}|[DSP]E?[0-9]{7,8}|[A-Z]{1,2}[0-9]{7}").fullmatch
_FORMS: Final = {
    Document.TAIWAN_TRAVEL_PERMIT: re.compile(r"([0-9]{8})(?:[0-9]{2})?(?:\(?[A-Z]\)?)?").fullmatch,
    Document.TRAVEL_PERMIT: _TRAVEL_PERMIT,
    Document.PASSPORT: re.compile(r"(?=.*[0-9].*[0-9])[A-Z0-9]{5,9}").fullmatch,
    Document.PERMANENT_RESIDENCE: _OLD_PERMANENT_RESIDENCE,
    Document.OFFICER: re.compile(r"(?:[\u4e00-\u9fff]{1,4}字?第?)?[0-9A-Z]{4,10}号?").fullmatch,
    Document.OTHER: re.compile(r"(?=.*[0-9].*[0-9])[A-Z0-9]{5,20}").fullmatch,
}
"""Forms of numbers beside that of GB 11643; the first group, if any, is what identifies the person."""


def is_residence_permit(number: str) -> bool:
    """Whether a number of GB 11643 is that of a resident of Hong Kong, Macao or Taiwan."""
    return len(number) == 18 and number.startswith(_OF_PERSONS)


def named_document(cell: Cell) -> Document | None:
    """The kind of document that a cell of the column 证件类型 names; None for an empty one.

    Raises ValueError for another text.
    """
    text = squeeze(text_of(cell)).lower()
    if is_blank(text):
        return None
    named = next((document for document, words in _WORDS if words.search(text)), None)
    if named is None:
        raise ValueError("no identity document")
    return named


def recognized_document(number: str) -> Document:
    """The kind of document that has a tidied number of this form; RESIDENT_ID where no other has. Of the numbers of GB
    11643 from 9 on, which are those of permanent residence cards, only the caller can tell."""
    if is_residence_permit(number):
        return Document.RESIDENCE_PERMIT
    for document, form in (
        (Document.TRAVEL_PERMIT, _TRAVEL_PERMIT),
        (Document.PERMANENT_RESIDENCE, _OLD_PERMANENT_RESIDENCE),
        (Document.PASSPORT, _PASSPORT),
        (Document.OFFICER, _OFFICER),
    ):
        if form(number):
            return document
    return Document.RESIDENT_ID


def document_number(document: Document, number: str) -> str:
    """The number that identifies the person, of a tidied number that is not of GB 11643; empty for a wrong form."""
    form = _FORMS.get(document)
    match = form(number) if form is not None else None
    return "" if match is None else match[1] if match.re.groups else match[0]
