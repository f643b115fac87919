"""Recognizes rows of a form without a person: titles, totals, stamps and signatures, remarks, samples, empty rows."""

from __future__ import annotations

import re
from collections.abc import Sequence

from personalize.intake.names import read_name
from personalize.intake.text import Cell, is_blank, looks_like_id, squeeze, text_of

_ID_LIKE = re.compile(r"[0-9]{14}|[0-9.,]+[eE]\+?0*1[0-9]").search

_LABEL = re.compile(
    r"(?:填表|填报|制表|制单|编制|打印|经办|审核|复核|审批|负责|联系|报送|上报|领导|主席|签字|签名|签章|盖章|公章|电话|手机|传真|邮箱|"
    r"日期|时间|说明|填写|备注|注|附|基层工会|工会|单位|会员|职工|地址)[^:：]{0,10}[:：]"
).match
_BARE_LABELS = frozenset(
    """填表人 填报人 制表人 制表 制单 经办人 经办 审核人 审核 复核人 复核 审批 负责人 联系人 联系电话 单位负责人
    工会主席 工会负责人 填表日期 填报日期 制表日期 填表时间 日期 备注 说明 填表说明 填写说明 注 盖章 签字 签名 单位盖章
    工会盖章 公章 单位公章 审批意见 审核意见 工会意见 单位意见 同意 属实 情况属实 意见 主席 主管 主管领导 分管领导
    领导 会计 出纳 填表单位 填报单位 单位 基层工会 上级工会""".split()
)
_DAY = r"[0-9〇零一二三四五六七八九十]{1,4}"
_TOTAL = re.compile(
    r"(?:合计|总计|小计|共计|本页|累计|总人数|人数|(?:会员|职工|在职|在册|男|女)?(?:会员|职工)?(?:总?人数|总数|合计))(?:[:：(（0-9人名共].*)?|"
    r"[男女]性?(?:会员|职工|教?职?员工)(?:[:：0-9].*)?|共[0-9]+[人名位条行].*|第[0-9]+页.*|"
    r"以下(?:空白|无正文|无内容).*|以上.*|.*登记表(?:[(（].*)?|.*(?:盖章|公章|签章|印章|签字|签名|手印).*|"
    rf"(?:{_DAY})?年(?:(?:{_DAY})?月)?(?:(?:{_DAY})?[日号])?(?:[0-9:]+)?(?:填报?表?|制表?)?|"
    r"(?:19|20)[0-9]{2}[./-][0-9]{1,2}(?:[./-][0-9]{1,2})?(?:[0-9:]+)?|"
    r".*(?:情况属实|真实有效|特此证明|审核无误|核对无误|同意上报|同意办理).*"
).fullmatch
_PROSE = re.compile(r"[。，、；：,;:!！?？]|[0-9][.、]").search
_UNIT_NAME = re.compile(
    r".*(?:工会|委员会|学院|大学|学校|中学|小学|中心|公司|集团|医院|分会|支部|总部|机关|办公室|车间|班组|事业部|研究院|研究所|银行|协会|"
    r"基金会|联合会|工作部|管理处|管理局)|.{4,}[部处科室局厅院所队厂站社组系会]"
).fullmatch
_BRACKETED = re.compile(r"\(.*\)")
_PHONE = re.compile(r"[0-9]{7,}").search
_DATE_TEXT = re.compile(r"(?:19|20)[0-9]{2}(?:[-./年]?)[01]?[0-9](?:[-./月]?)[0-3]?[0-9]日?(?:[0-9:]+)?").fullmatch
_GENDERS = ("男", "女", "男性", "女性")
_LONGEST_NAME = 20

_EXAMPLE = "示例|样例|范例|举例|例如|例子|示范|样板|样本|模板"
_SAMPLE = re.compile(
    rf"[(\[【《<“\"]*(?:[此本该]?行?[为是系])?(?:填[写表报]|格式|参考)?(?:{_EXAMPLE}|例|sample|example|e\.?g\.?)(?:行|数据|人员)?"
    r"[0-9一二三四五]*(?:[,;:(、。]*(?:请|勿|不|导入|提交|上报|填写|填报|删|仅).{0,12})?[)\]】》>”\":：.、。]*|如[:：]"
).fullmatch
_BRACKETED_SAMPLE = re.compile(rf".+[(\[【《<](?:填[写表报])?(?:{_EXAMPLE}|例)[)\]】》>]").fullmatch
SAMPLE_WORDS = frozenset("例 示例 样例 范例 举例 例如 示范 （例） （示例） (示例) 示例行 填写示例".split())
"""Cells that mark a row as the form's sample, in whichever column."""


def is_sample(cell: Cell) -> bool:
    """Whether a cell beside a person says that the row is the sample of the form: 例, 示例1, (样例)."""
    return isinstance(cell, str) and _SAMPLE(squeeze(cell).lower()) is not None


def names_sample(cell: Cell) -> bool:
    """Whether a name of a person or a unit says in brackets that it is a sample: 张三（示例）."""
    return isinstance(cell, str) and "例" in cell and _BRACKETED_SAMPLE(squeeze(cell)) is not None


def is_non_data_row(row: Sequence[Cell], id_cell: Cell, name_cell: Cell, gender_cell: Cell, mobile_cell: Cell) -> bool:
    """True for a row without a person. A row with anything like an ID number, or with a gender, always counts as a
    person's, so that no person is skipped silently."""
    id_text, name, gender, mobile = (squeeze(text_of(cell)) for cell in (id_cell, name_cell, gender_cell, mobile_cell))
    if _ID_LIKE(id_text) or gender in _GENDERS:
        return False
    if not (id_text or name or gender or mobile):
        return True
    filled = [text for cell in row if (text := squeeze(text_of(cell)))]
    numbered = filled[0].isdigit() and filled[0] != id_text
    if any(_is_label(text, bare=not numbered) for text in (filled[0], id_text, name)):
        return True
    if not numbered and not _is_phone(mobile) and any(map(_is_label, _before_name(filled, name, name_cell))):
        return True
    if _says_something(id_text) and not _UNIT_NAME(id_text):
        return _is_prose(filled, id_text)
    if _is_phone(mobile):
        return False
    if not _says_something(name):
        return True
    if not numbered and _UNIT_NAME(_BRACKETED.sub("", name)):
        return True
    if read_name(name_cell).fault is None or numbered:
        return False
    return _is_prose(filled, name)


def _is_label(text: str, *, bare: bool = True) -> bool:
    """``bare``: whether a word without a colon is a label; in a numbered row it is what somebody wrote for a name."""
    return bool(_LABEL(text) or _TOTAL(text) or (bare and text.rstrip(":") in _BARE_LABELS))


def _before_name(filled: Sequence[str], name: str, name_cell: Cell) -> Sequence[str]:
    """The texts left of a person's name, or all where there is none: a remark right of a name is no label."""
    names_person = read_name(name_cell).fault is None and not _UNIT_NAME(_BRACKETED.sub("", name))
    return filled[: filled.index(name)] if names_person else filled


def _says_something(text: str) -> bool:
    return not is_blank(text) and not _DATE_TEXT(text)


def _is_phone(text: str) -> bool:
    """Enough digits for a telephone, in a text that is no date."""
    return _PHONE(re.sub(r"[-+()\s]", "", text)) is not None and not _DATE_TEXT(text) and not looks_like_id(text)


def _is_prose(filled: Sequence[str], text: str) -> bool:
    """A sentence alone in its row: a remark below the table."""
    return len(filled) == 1 and (len(text) > _LONGEST_NAME or _PROSE(text) is not None)
