"""Recognizes rows of a form without a person: titles, totals, signatures, remarks, empty rows."""

from __future__ import annotations

import re
from collections.abc import Sequence

from personalize.intake.text import Cell, squeeze, text_of

_ID_LIKE = re.compile(r"[0-9]{14}|[0-9.,]+[eE]\+?1[0-9]").search

_LABEL = re.compile(
    r"(?:填表|填报|制表|制单|编制|打印|经办|审核|复核|审批|负责|联系|报送|上报|领导|主席|签字|签名|签章|盖章|公章|电话|手机|传真|邮箱|"
    r"日期|时间|说明|填写|备注|注|附|基层工会|工会|单位)[^:：]{0,10}[:：]"
).match
_BARE_LABELS = frozenset(
    """填表人 填报人 制表人 制表 制单 经办人 经办 审核人 审核 复核人 复核 审批 负责人 联系人 联系电话 单位负责人
    工会主席 工会负责人 填表日期 填报日期 制表日期 填表时间 日期 备注 说明 填表说明 填写说明 注 盖章 签字 签名 单位盖章
    工会盖章 公章 单位公章""".split()
)
_TOTAL = re.compile(
    r"(?:合计|总计|小计|共计|本页|累计|总人数|人数)(?:[:：(（0-9人名共].*)?|共[0-9]+[人名位条行].*|第[0-9]+页.*|"
    r"以下(?:空白|无正文|无内容).*|以上.*|.*登记表(?:[(（].*)?|[(（]?(?:单位|工会)?(?:加?盖公?章|签章)[)）]?|"
    r"[0-9]{4}年[0-9]{1,2}月[0-9]{1,2}日|年月日"
).fullmatch
_PROSE = re.compile(r"[。，、；：,;:!！?？]|[0-9][.、]").search
_GENDERS = ("男", "女", "男性", "女性")
_LONGEST_NAME = 20


def is_non_data_row(row: Sequence[Cell], id_cell: Cell, name_cell: Cell, gender_cell: Cell, mobile_cell: Cell) -> bool:
    """True for a row without a person. A row with anything like an ID number, or with a gender, always counts as a
    person's, so that no person is skipped silently."""
    id_text, name, gender, mobile = (squeeze(text_of(cell)) for cell in (id_cell, name_cell, gender_cell, mobile_cell))
    if _ID_LIKE(id_text) or gender in _GENDERS:
        return False
    if not (id_text or name or gender or mobile):
        return True
    filled = [text for cell in row if (text := squeeze(text_of(cell)))]
    if any(_is_label(text) for text in (filled[0], id_text, name)):
        return True
    return len(filled) == 1 and bool(name) and (len(name) > _LONGEST_NAME or _PROSE(name) is not None)


def _is_label(text: str) -> bool:
    return bool(_LABEL(text) or _TOTAL(text) or text.rstrip(":") in _BARE_LABELS)
