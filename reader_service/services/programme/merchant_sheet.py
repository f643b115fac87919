"""Merchants read from a sheet: one row for each outlet, with merchant, contract, benefits and terminals."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Final

from personalize.intake import Limits
from personalize.intake.files.content import load
from personalize.intake.files.sheets import read_book
from personalize.intake.text import Cell, day_in, squeeze, text_of
from reader_service.errors import Invalid
from registry.programme.merchants import RULES, NewMerchant, NewOutlet, faults_of

_TITLES: Final[Mapping[str, tuple[str, ...]]] = {
    "number": ("商户号", "商户编号", "merchant number", "merchant"),
    "name": ("商户名称", "商户", "名称", "name"),
    "contract_from": ("合同起始日", "合同开始日期", "起始日", "contract from"),
    "contract_until": ("合同终止日", "合同结束日期", "终止日", "contract until"),
    "benefits": ("权益类别", "权益", "benefits"),
    "name_en": ("英文名称", "name in english", "name_en"),
    "account": ("账号", "收款账号", "account"),
    "outlet": ("网点名称", "网点", "outlet"),
    "address": ("网点地址", "地址", "address"),
    "terminals": ("终端号", "终端", "terminals"),
}
_REQUIRED: Final = ("number", "name", "contract_from", "contract_until", "benefits")
_HEADER_WITHIN: Final = 20
_MOST_FINDINGS: Final = 200
_BETWEEN: Final = re.compile(r"[\s,;，；、/]+")
_CHINESE: Final[Mapping[str, str]] = {
    "merchant-number": "商户号为 1 至 15 位字母、数字，中间可有空格、点、下划线和连字符",
    "merchant-name": "名称为 1 至 100 个可打印字符",
    "merchant-contract": "合同终止日早于起始日",
    "merchant-benefit": "合同至少有一项权益：四位数字的类别，或由工会联网计次的权益代码",
    "merchant-account": "账号为 6 至 34 位字母或数字",
    "outlet-name": "每个网点须有自己的名称",
    "outlet-address": "地址不超过 100 个可打印字符",
    "terminal-number": "终端号为 8 位字母或数字，且只列一次",
    "contract-day": "日期须写作 2026-12-31 的形式",
    "merchant-differs": "与同一商户的前一行不一致",
}
_ENGLISH: Final[Mapping[str, str]] = {
    **RULES,
    "contract-day": "a day is written as 2026-12-31",
    "merchant-differs": "the row contradicts an earlier one of this merchant",
}


@dataclass(frozen=True, slots=True)
class MerchantFinding:
    """A rule that a row breaks. ``row`` is its number in the sheet."""

    row: int
    rule: str
    reason_zh: str
    reason_en: str


def read_merchants(path: Path, limits: Limits) -> tuple[list[NewMerchant], list[MerchantFinding]]:
    """The merchants of the first sheet with the columns, and what is wrong with its rows. Raises Invalid."""
    for sheet in read_book(path, load(path, limits), limits).visible:
        for index, row in enumerate(sheet.rows[:_HEADER_WITHIN]):
            columns = _columns(row)
            if columns:
                return _merchants(sheet.rows[index + 1 :], columns, sheet.sheet_row(index + 1))
    wanted = ", ".join(_TITLES[name][0] for name in _REQUIRED)
    raise Invalid("no sheet has the columns of merchants", {"file": f"wanted: {wanted}"})


def _columns(row: Sequence[Cell]) -> dict[str, int]:
    """The position of each column, -1 for one that is absent; empty where a required one is."""
    titles = [squeeze(text_of(cell)).casefold() for cell in row]
    columns = {
        name: next((titles.index(title) for known_title in known if (title := squeeze(known_title)) in titles), -1)
        for name, known in _TITLES.items()
    }
    return columns if all(columns[name] >= 0 for name in _REQUIRED) else {}


def _merchants(
    rows: Sequence[Sequence[Cell]], columns: Mapping[str, int], first: int
) -> tuple[list[NewMerchant], list[MerchantFinding]]:
    merchants: dict[str, NewMerchant] = {}
    findings: list[MerchantFinding] = []
    terminals: set[str] = set()
    for number, row in enumerate(rows, first):
        cells = {name: text_of(row[place]).strip() if place >= 0 else "" for name, place in columns.items()}
        if not any(cells.values()):
            continue
        merchant = _merchant(cells)
        before = merchants.get(cells["number"])
        faults = ["contract-day"] if merchant is None else list(_faults(merchant, before, terminals))
        findings += [MerchantFinding(number, fault, _CHINESE[fault], _ENGLISH[fault]) for fault in faults]
        if merchant is not None and not faults:
            terminals.update(terminal for outlet in merchant.outlets for terminal in outlet.terminals)
            outlets = (*before.outlets, *merchant.outlets) if before is not None else merchant.outlets
            merchants[merchant.number] = replace(merchant, outlets=outlets)
    return list(merchants.values()), findings[:_MOST_FINDINGS]


def _merchant(cells: Mapping[str, str]) -> NewMerchant | None:
    """The merchant of a row with its outlet; None where a day of the contract is none."""
    begin, end = (_day(cells[name]) for name in ("contract_from", "contract_until"))
    if begin is None or end is None:
        return None
    terminals, benefits = (tuple(_BETWEEN.split(cells[name].strip(" ,，、"))) for name in ("terminals", "benefits"))
    outlet = NewOutlet(cells["outlet"], cells["address"], terminals if terminals != ("",) else ())
    named = any((outlet.name, outlet.address, outlet.terminals))
    return NewMerchant(
        cells["number"],
        cells["name"],
        begin,
        end,
        benefits,
        (outlet,) if named else (),
        cells["name_en"],
        cells["account"].replace(" ", ""),
    )


def _day(text: str) -> date | None:
    return day_in(squeeze(text))


def _faults(merchant: NewMerchant, before: NewMerchant | None, terminals: set[str]) -> Iterator[str]:
    yield from faults_of(merchant)
    if before is not None:
        if replace(merchant, outlets=()) != replace(before, outlets=()):
            yield "merchant-differs"
        if {outlet.name for outlet in merchant.outlets} & {outlet.name for outlet in before.outlets}:
            yield "outlet-name"
    if any(terminal in terminals for outlet in merchant.outlets for terminal in outlet.terminals):
        yield "terminal-number"
