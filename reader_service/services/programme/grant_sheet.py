"""A list of grants (补助名单) read from a sheet: a member on each row, with what the member is granted."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from personalize.intake import Limits
from personalize.intake.files.content import load
from personalize.intake.files.sheets import read_book
from personalize.intake.text import Cell, squeeze, text_of
from programme.wording import Sentence, fen_of
from reader_service.errors import Invalid
from registry.aid.values import AidRequest, AidRule

_TITLES: Final[Mapping[str, tuple[str, ...]]] = {
    "member": (
        "会员号",
        "卡号",
        "证件号码",
        "身份证号",
        "身份证号码",
        "member number",
        "card number",
        "id number",
        "member",
    ),
    "name": ("姓名", "name"),
    "choice": ("项目", "等级", "类别", "choice", "grade"),
    "amount": ("金额", "补助金额", "金额(元)", "金额（元）", "amount"),
}
_REQUIRED: Final = ("member", "name")
_HEADER_WITHIN: Final = 20
_NO_AMOUNT: Final = -1
RULES: Final[Mapping[AidRule, Sentence]] = {
    AidRule.NUMBER: Sentence("没有会员号、卡号或证件号码", "the row has no member, card or identity number"),
    AidRule.MEMBER: Sentence("没有这位会员", "there is no such member"),
    AidRule.NAME: Sentence("姓名与会员不符", "the name is not that of the member"),
    AidRule.LEFT: Sentence("会员已离会", "the member has left the union"),
    AidRule.CATEGORY: Sentence("该类别会员不享受此项补助", "members of this category have no such grant"),
    AidRule.CHOICE: Sentence("没有此项目", "there is no such row in the table of the grant"),
    AidRule.AMOUNT: Sentence("金额有误，或与规定不符", "the amount is none, or not that of the rule"),
    AidRule.MOST: Sentence("金额超过上限", "the amount is more than the rule allows"),
    AidRule.TWICE: Sentence("名单中重复", "the member stands in the list twice"),
    AidRule.ONCE: Sentence("该会员已享受过此项补助", "the member had this grant before"),
}


def read_grants(path: Path, limits: Limits) -> tuple[list[AidRequest], str]:
    """The rows of the first sheet with the columns, and the SHA-256 of the file. Raises Invalid."""
    content = load(path, limits)
    for sheet in read_book(path, content, limits).visible:
        for index, row in enumerate(sheet.rows[:_HEADER_WITHIN]):
            columns = _columns(row)
            if columns:
                rows = _requests(sheet.rows[index + 1 :], columns, sheet.sheet_row(index + 1))
                return rows, hashlib.sha256(path.read_bytes()).hexdigest()
    wanted = ", ".join(_TITLES[name][0] for name in _REQUIRED)
    raise Invalid("no sheet has the columns of a list of grants", {"file": f"wanted: {wanted}"})


def _columns(row: Sequence[Cell]) -> dict[str, int]:
    titles = [squeeze(text_of(cell)).casefold() for cell in row]
    columns = {
        name: next((titles.index(squeeze(title)) for title in known if squeeze(title) in titles), -1)
        for name, known in _TITLES.items()
    }
    return columns if all(columns[name] >= 0 for name in _REQUIRED) else {}


def _requests(rows: Sequence[Sequence[Cell]], columns: Mapping[str, int], first: int) -> list[AidRequest]:
    requests = []
    for number, row in enumerate(rows, first):
        cells = {name: text_of(row[place]).strip() if 0 <= place < len(row) else "" for name, place in columns.items()}
        if any(cells.values()):
            amount = _amount(cells["amount"])
            requests.append(AidRequest(number, cells["member"], cells["name"], cells["choice"], amount))
    return requests


def _amount(written: str) -> int | None:
    if not written:
        return None
    try:
        return fen_of(written.replace(",", "").removesuffix("元"))
    except ValueError:
        return _NO_AMOUNT
