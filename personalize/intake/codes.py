"""Codes for the faults of a row and for what was normalized in it, their order, and sentences for the clerk.

The codes of a row are always in the order of their definition here.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum
from typing import Literal

Language = Literal["zh", "en"]


class RowFault(StrEnum):
    """A reason to reject a row."""

    ROW_SHIFTED = "ROW_SHIFTED"
    ID_MISSING = "ID_MISSING"
    ID_FORMAT = "ID_FORMAT"
    ID_CHECKSUM = "ID_CHECKSUM"
    ID_REGION = "ID_REGION"
    ID_BIRTHDATE = "ID_BIRTHDATE"
    ID_PRECISION_LOST = "ID_PRECISION_LOST"
    DOCUMENT_TYPE = "DOCUMENT_TYPE"
    GENDER_MISMATCH = "GENDER_MISMATCH"
    GENDER_MISSING = "GENDER_MISSING"
    NAME_MISSING = "NAME_MISSING"
    NAME_CHARS = "NAME_CHARS"
    PHONE_MISSING = "PHONE_MISSING"
    PHONE_FORMAT = "PHONE_FORMAT"
    UNIT_MISSING = "UNIT_MISSING"
    UNIT_TOO_LONG = "UNIT_TOO_LONG"
    UNIT_CHARS = "UNIT_CHARS"
    ID_EXPIRED = "ID_EXPIRED"
    FORM_VALUE = "FORM_VALUE"
    DUPLICATE_IN_FILE = "DUPLICATE_IN_FILE"
    ALREADY_HAS_CARD = "ALREADY_HAS_CARD"
    OTHER_UNIT = "OTHER_UNIT"


class RowNote(StrEnum):
    """Something normalized, or worth a look, in an accepted row."""

    ID_NORMALIZED = "ID_NORMALIZED"
    NAME_NORMALIZED = "NAME_NORMALIZED"
    PHONE_NORMALIZED = "PHONE_NORMALIZED"
    GENDER_NORMALIZED = "GENDER_NORMALIZED"
    REGION_UNKNOWN = "REGION_UNKNOWN"


class RowState(StrEnum):
    """What a row is to the registry whose person has a card, or is in a batch that will make one."""

    UNCHANGED = "UNCHANGED"
    NAME_CHANGED = "NAME_CHANGED"
    GENDER_CHANGED = "GENDER_CHANGED"
    PHONE_CHANGED = "PHONE_CHANGED"


RowCode = RowFault | RowNote | RowState


def in_order(faults: Collection[RowFault]) -> tuple[RowFault, ...]:
    """Faults in the order of their definition, each once."""
    return tuple(fault for fault in RowFault if fault in faults)


_SENTENCES: dict[str, tuple[str, str]] = {
    RowFault.ROW_SHIFTED: (
        "本行各格与表头的列对不上：某格里可能有未加引号的分隔符，或整行左右错开，请对齐各列",
        "the cells of the row are not under their columns: a separator without quotation marks in one of them, or the "
        "whole row further left or right",
    ),
    RowFault.ID_MISSING: ("没有填写身份证号", "the ID number is missing"),
    RowFault.ID_FORMAT: (
        "身份证号格式不对：应为18位，前17位是数字，末位是数字或X（15位旧号码请换成18位）",
        "the ID number is not 17 digits and a digit or X (an old 15-digit number must be replaced by the new one)",
    ),
    RowFault.ID_CHECKSUM: (
        "身份证号校验位不对，请对照证件核对是否抄错",
        "the ID number's check character is wrong: compare it with the card",
    ),
    RowFault.ID_REGION: (
        "身份证号前两位不是任何省份的代码，请核对",
        "the first two digits of the ID number are no province",
    ),
    RowFault.ID_BIRTHDATE: (
        "身份证号中的出生日期不存在，或年龄不在16至100岁之间，请核对",
        "the birth date in the ID number does not exist, or the age is not between 16 and 100",
    ),
    RowFault.ID_PRECISION_LOST: (
        "身份证号被Excel存成了数字，末几位已经丢失：请先把该列设为“文本”格式，再重新录入",
        "Excel stored the ID number as a number and lost its last digits: format the column as text and type it again",
    ),
    RowFault.DOCUMENT_TYPE: (
        "证件类型无法识别：请填写居民身份证、港澳台居民居住证、来往内地（大陆）通行证、护照、外国人永久居留身份证或军官证等",
        "the type of the identity document is not known: name a resident ID card, a residence or travel permit, "
        "a passport, a permanent residence card or an officer's card",
    ),
    RowFault.GENDER_MISMATCH: (
        "性别与身份证号不符（第17位单数为男，双数为女）",
        "the gender does not agree with the ID number (17th digit odd is male, even is female)",
    ),
    RowFault.GENDER_MISSING: ("没有填写性别，或填写的不是“男”或“女”", "the gender is missing or is neither 男 nor 女"),
    RowFault.NAME_MISSING: ("没有填写姓名", "the name is missing"),
    RowFault.NAME_CHARS: (
        "姓名中有不能使用的字符（数字、符号、括号、备注等），或超过20个字、60个字节",
        "the name has characters that names do not have (digits, signs, brackets, notes), or is longer than "
        "20 characters or 60 bytes",
    ),
    RowFault.PHONE_MISSING: ("没有填写手机号码", "the mobile number is missing"),
    RowFault.PHONE_FORMAT: (
        "手机号码不对：应为一个11位的手机号码，不能是座机，也不能填两个号码",
        "the mobile number is not one 11-digit mobile number (no landline, not two numbers)",
    ),
    RowFault.UNIT_MISSING: ("没有填写所属单位", "the unit is missing"),
    RowFault.UNIT_TOO_LONG: (
        "单位名称太长，卡内写不下（至多60个字节，即30个汉字）：请使用规范的简称",
        "the unit's name does not fit on a card (at most 60 bytes, 30 Chinese characters): use its short form",
    ),
    RowFault.UNIT_CHARS: (
        "单位名称中有不能使用的字符，或混入了个人号码，请核对",
        "the unit's name has characters that a card does not take, or a person's number: check it",
    ),
    RowFault.ID_EXPIRED: ("证件已过有效期", "the identity document has expired"),
    RowFault.FORM_VALUE: (
        "本登记表的其他必填栏没有填写，或填写的代码、日期不在规定之内",
        "another required column of this form is empty, or has a code or date that the form does not know",
    ),
    RowFault.DUPLICATE_IN_FILE: (
        "与本表前面已通过的一行身份证号重复",
        "the ID number repeats that of an accepted row above",
    ),
    RowFault.ALREADY_HAS_CARD: (
        "此人已有会员卡（或正在办理）",
        "this person already has a member card, or one in the making",
    ),
    RowFault.OTHER_UNIT: (
        "此人已由其他单位登记，请先办理会员关系转接",
        "this person is registered by another unit: transfer the member first",
    ),
    RowNote.ID_NORMALIZED: ("已整理身份证号（全角、空格、撇号或小写x）", "ID number tidied (full-width, blanks, x)"),
    RowNote.NAME_NORMALIZED: ("已整理姓名（空格、间隔号）", "name tidied (blanks, middle dots)"),
    RowNote.PHONE_NORMALIZED: ("已整理手机号码（+86、横线、空格）", "mobile number tidied (+86, hyphens, blanks)"),
    RowNote.GENDER_NORMALIZED: ("已整理性别写法", "gender rewritten as 男 or 女"),
    RowNote.REGION_UNKNOWN: (
        "身份证号前六位不在行政区划代码表中，请核对",
        "the county code in the ID number is not in the table of counties: check it",
    ),
    RowState.UNCHANGED: ("与登记资料一致，不再重复办卡", "nothing differs from the record, and no second card is made"),
    RowState.NAME_CHANGED: (
        "姓名与登记资料不同：审核通过后更改，已制成的卡须换卡",
        "the name differs from the record: approval changes it, and a card that is made has to be replaced",
    ),
    RowState.GENDER_CHANGED: (
        "性别与登记资料不同：审核通过后更改，已制成的卡须换卡",
        "the gender differs from the record: approval changes it, and a card that is made has to be replaced",
    ),
    RowState.PHONE_CHANGED: (
        "手机号码与登记资料不同：审核通过后更改",
        "the mobile number differs from the record: approval changes it",
    ),
}


def explain(code: RowCode, language: Language = "zh") -> str:
    """A code as a phrase without full stop; it never quotes the row."""
    chinese, english = _SENTENCES[code]
    return chinese if language == "zh" else english


def sentence(codes: tuple[RowCode, ...], duplicate_of: str = "", language: Language = "zh") -> str:
    """All codes of one row as one sentence; empty for no codes. ``duplicate_of`` names the earlier row."""
    phrases = [explain(code, language) for code in codes]
    if duplicate_of and RowFault.DUPLICATE_IN_FILE in codes:
        sheet, _, row = duplicate_of.rpartition(" ")
        zh, en = f"{sheet} 第{row}行".strip(), f"{sheet}, row {row}" if sheet else f"row {row}"
        phrases[codes.index(RowFault.DUPLICATE_IN_FILE)] += f"（{zh}）" if language == "zh" else f" ({en})"
    if not phrases:
        return ""
    return "；".join(phrases) + "。" if language == "zh" else "; ".join(phrases) + "."
