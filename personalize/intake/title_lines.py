"""Title lines above a table: the unit that one of them names (基层工会名称：…)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from personalize.intake.text import Cell, squeeze, trim
from personalize.intake.units import unit_name

_UNIT_WORDS = (
    r"(?:基层工会(?:委员会|组织)?(?:名称|全称)?|工会(?:组织)?(?:名称|全称)|"
    r"(?:填报|报送|申报|上报|填表|所属|所在|工作|建会)(?:单位|工会)(?:名称|全称)?|所属工会|单位(?:名称|全称)?)"
)
_UNIT_LABEL = re.compile(
    rf"(?:^|[\s】)）(（。，,;；]){_UNIT_WORDS}\s*(?:[(（][^()（）]*[)）])?\s*[:：]\s*(.*)", re.DOTALL
)
_BARE_UNIT_LABEL = re.compile(
    r"(?:基层工会(?:名称|全称)?|工会(?:名称|全称)|填报单位|单位(?:名称|全称))(?:\([^()]*\))?:?"
).fullmatch
_OTHER_LABEL = re.compile(r"[^:：]{1,10}[:：]").match

# Where the unit ends: a blank and any other label, a known label without a blank, a date, a page, or a wide gap.
_LABEL_WORDS = (
    "填表|填报|制表|制单|报送|上报|联系|日期|时间|经办|负责|审核|电话|手机|传真|邮箱|地址|邮编|主席|会员(?:总|人)?数|职工(?:总|人)?数|"
    "人数|总人数|序号|编号|单位(?:性质|地址|代码)|统一社会信用代码|工会主席|备注"
)
_NEXT_LABEL = re.compile(
    rf"\s+[^\s:：]{{1,12}}\s?[:：].*|[\s,，;；。、|/]*(?:{_LABEL_WORDS})[^\s:：]{{0,8}}\s?[:：].*|"
    rf"[\s,，;；|/]+(?:{_LABEL_WORDS}|年\s*月|\d{{4}}\s*[年./-]|第\s*\d+\s*页|共\s*\d).*|[ \t\u3000\xa0]{{3,}}.*",
    re.DOTALL,
)
_SEAL = re.compile(r"[(（](?:[^()（）]*(?:盖章|公章|签章|印章|签字|签名)[^()（）]*|章)[)）]")


def unit_in(row: Sequence[Cell]) -> str:
    """The unit that a title line names (基层工会名称：…), in the label's cell or in the next filled one; else empty."""
    cells = [cell for cell in row if isinstance(cell, str) and cell.strip()]
    for index, cell in enumerate(cells):
        labelled = _UNIT_LABEL.search(cell)
        if labelled and (unit := _clean_unit(labelled[1])):
            return unit
        if (labelled or _BARE_UNIT_LABEL(squeeze(cell))) and index + 1 < len(cells):
            return "" if _OTHER_LABEL(cells[index + 1]) else _clean_unit(cells[index + 1])
    return ""


def _clean_unit(text: str) -> str:
    """A unit's name without the rest of a title line: underlines, the place of the seal, the next label."""
    text = text.replace("_", " ").replace("＿", " ")
    unit = trim(_NEXT_LABEL.sub("", _SEAL.sub(" ", text).strip()))
    unbalanced = unit.endswith((")", "）")) and not any(bracket in unit for bracket in "(（")
    return unit_name(unit[:-1].rstrip() if unbalanced else unit)
