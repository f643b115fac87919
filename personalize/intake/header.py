"""Finds the table in a sheet: the header row and the field of each column.

Header texts are compared without blanks, line breaks, stars, bracketed remarks and the difference between full and half
width. What stands in brackets tells whose column it is: 姓名（配偶） and 联系电话（办公） are not the member's. If two
columns match (手机 and 联系电话), the better spelling wins, then the left one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from personalize.intake.groups import Title, divided_titles, group_titles
from personalize.intake.text import Cell, looks_like_id, squeeze, text_of
from personalize.intake.title_lines import unit_in

Field = Literal["seq", "id_number", "name", "gender", "mobile", "unit", "document"]
FIELDS: tuple[Field, ...] = ("seq", "id_number", "name", "gender", "mobile", "unit", "document")
TITLES: dict[Field, str] = {
    "seq": "序号",
    "id_number": "身份证号",
    "name": "姓名",
    "gender": "性别",
    "mobile": "手机号码",
    "unit": "所属单位",
    "document": "证件类型",
}
NEEDED: tuple[Field, ...] = ("id_number", "name")
OPTIONAL: tuple[Field, ...] = ("seq", "document")
"""Columns that a form may lack without a warning."""

# Spellings, best first.
_SPELLINGS: dict[Field, str] = {
    "seq": "序号 编号 顺序号 序列号 序列 排序 行号 序 no seq number",
    "id_number": """
        身份证号 身份证号码 公民身份号码 公民身份证号码 公民身份证号 居民身份证号码 居民身份证号 居民身份号码
        居民身份证 身份证 身份证编号 身份号码 身份证件号码 身份证件号 有效身份证件号码 有效证件号码 证件号码 证件号
        会员身份证号 会员身份证号码 职工身份证号 职工身份证号码 本人身份证号 本人身份证号码
        二代身份证号 二代身份证号码 idnumber idno idcard idcardno idcardnumber identitynumber""",
    "name": """
        姓名 会员姓名 职工姓名 员工姓名 人员姓名 持卡人姓名 本人姓名 真实姓名 中文姓名 汉字姓名 名字 name fullname""",
    "gender": "性别 男女 sex gender",
    "mobile": """
        手机号码 手机号 手机 移动电话号码 移动电话 本人手机号码 本人手机号 本人手机 会员手机号码 会员手机号
        联系手机 联系手机号 联系手机号码 手机电话 手机联系方式 联系方式手机 联系电话手机 电话手机
        预留手机号 预留手机号码 绑定手机号 绑定手机号码
        本人电话 本人联系电话 本人联系方式 联系电话 联系电话号码 联系方式 联系号码 电话号码 电话
        mobile mobilephone mobilenumber phone phonenumber tel""",
    "unit": """
        所属单位 所属单位名称 所属单位部门 所属工会 所属基层工会 所属工会名称 所在单位 所在单位名称 工作单位
        工作单位名称 工作单位部门 单位 单位名称 单位全称 单位部门 基层工会 基层工会名称 工会名称 所在工会 工会
        所属部门 所在部门 部门 部门名称 部门科室 科室 unit department company""",
    "document": """
        证件类型 证件类别 证件种类 证件名称 身份证件类型 身份证件种类 有效证件类型 有效证件种类 有效身份证件类型
        documenttype idtype doctype""",
}
_RANKED: dict[str, tuple[Field, int]] = {
    spelling: (field, rank) for field, text in _SPELLINGS.items() for rank, spelling in enumerate(text.split())
}
# What a longer title must contain where no spelling fits, and what shows that it means something or someone else.
_CONTAINS: tuple[tuple[str, Field], ...] = (
    ("身份证", "id_number"),
    ("证件号", "id_number"),
    ("姓名", "name"),
    ("性别", "gender"),
    ("手机", "mobile"),
    ("单位", "unit"),
)
_OTHER_PERSON = (
    "配偶|爱人|妻|丈夫|老公|老婆|户主|紧急|应急|父|母|子女|儿子|女儿|孩|联系人|家属|亲属|家长|监护|推荐|介绍|经办|负责|填表|法人|法定|"
    "受益|担保|代理|代办|代领|委托|领导|主席|学生|spouse|husband|wife|emergency|father|mother|parent|guardian|contactperson"
)
_OTHER_THING = (
    "拼音|英文|外文|曾用|别名|昵称|办公|座机|固定|固话|宅电|家庭|住宅|传真|单位电话|分机|性质|代码|编码|复印|照片|扫描|附件|图片|地址|"
    "住址|户籍|籍贯|发证|签发|邮箱|pinyin|english|office|home|landline|fax|email|address|code"
)
_ABOUT_OTHERS = re.compile(
    f"{_OTHER_PERSON}|{_OTHER_THING}|有效|期|类型|类别|种类|正面|反面|是否|时间|日期|盖章|意见|微信|qq|原单位|原工作"
)
_LOOSE_RANK, _LONGEST = 100, 16

# Remarks in brackets: whose column it is, whether it only says how to fill it in, or whether it is the member's own.
_OTHERS, _THINGS = re.compile(_OTHER_PERSON), re.compile(_OTHER_THING)
_INSTEAD_OF_PHONE = re.compile(r"(?:微信|qq|电子邮件)号?码?|单位|公司|工会")
_OWN_PERSON = re.compile("本人|会员|职工|员工|自己|持卡人")
_MOBILE = re.compile("手机|移动|mobile|cell")
_FORBIDS = re.compile("不|勿|非|禁|无")
_HOW_TO = re.compile(
    r"[请须需必应务填写位格式一致要准确实名选如例同]|数字|文本|汉字|中文|有效|全称|简称|名称|规范|部门|科室|工会|公章|盖章|男|女|"
    r"号码?$|^[0-9a-z/.]*$"
)
_REMARK_PARTS = re.compile(r"[,;、/|.。+&]|或|和|及|与")
_UNKNOWN_REMARK = 20
"""What an unknown remark in brackets costs in rank: the same title without it wins, however it reads."""

_PAIRS = ("()", "[]", "【】", "<>", "《》", "〔〕", "「」", "『』", "{}", "〖〗", "〈〉")
_BRACKETS = re.compile("|".join(f"\\{pair[0]}([^\\{pair[0]}\\{pair[1]}]*)\\{pair[1]}" for pair in _PAIRS))
_SIGNS = re.compile(r"[*★☆※#:;_\-—~、,.。/\\|&+'\"“”()\[\]【】〖〗『』]|必填项?|选填项?|请填写|及|或|和|与")
_LATIN = re.compile(r"[a-z]+")
_FILLING = re.compile("信息|资料|情况|基本|个人")


@dataclass(frozen=True, slots=True)
class HeaderRow:
    """The header of a table. ``row`` and ``last`` are indices in the sheet's rows (a header may take two rows);
    ``columns`` has for each of FIELDS the column index, or -1 where the form has no such column. ``strays`` are columns
    in which no ID number should stand; ``twice``: the needed titles stand there twice, as two tables side by side have
    them."""

    row: int
    last: int
    columns: tuple[int, ...]
    strays: tuple[int, ...] = ()
    twice: bool = False

    @property
    def missing(self) -> tuple[Field, ...]:
        return tuple(field for field, column in zip(FIELDS, self.columns, strict=True) if column < 0)


@dataclass(frozen=True, slots=True)
class HeaderCandidate:
    """The row nearest to a header, for the error message when there is none."""

    sheet: str
    sheet_row: int
    fields: tuple[Field, ...]


def field_of(cell: Cell) -> tuple[Field, int] | None:
    """The field that a header text names, and the rank of its spelling (0 is best); None for other texts."""
    if not isinstance(cell, str) or not cell or len(cell) > 80:
        return None
    text = squeeze(unicodedata.normalize("NFKC", cell)).lower()
    bare, remarks = _without_brackets(text)
    named = min(filter(None, map(_listed, (bare, text))), key=lambda known: known[1], default=None)
    plain = _SIGNS.sub("", bare)
    if named is None and 2 < len(plain) <= _LONGEST and not _ABOUT_OTHERS.search(plain):
        named = next(((field, _LOOSE_RANK) for part, field in _CONTAINS if part in plain), None)
    if named is None or not remarks:
        return named
    cost = _cost(remarks, named[0])
    return None if cost is None else (named[0], named[1] + cost)


def _without_brackets(text: str) -> tuple[str, list[str]]:
    """A title without what stands in brackets, and that, outermost last."""
    remarks: list[str] = []
    while bracket := _BRACKETS.search(text):
        remarks.append(next(filter(None, bracket.groups()), ""))
        text = text[: bracket.start()] + text[bracket.end() :]
    return text, remarks


def _listed(text: str) -> tuple[Field, int] | None:
    plain = _SIGNS.sub("", text)
    return _RANKED.get(plain) or _RANKED.get(_LATIN.sub("", plain))


def _cost(remarks: Sequence[str], field: Field) -> int | None:
    """How much less a title counts for its remarks: 0 for the member's own, for translations and for advice; None where
    they say that the column is about someone or something else."""
    parts = [part for remark in remarks for part in _REMARK_PARTS.split(remark) if part]
    if any(map(_FORBIDS.search, remarks)) or _own(parts):
        return 0
    if any(map(_OTHERS.search, parts)):
        return None
    if field == "mobile" and any(map(_MOBILE.search, parts)):
        return 0
    if any(map(_THINGS.search, parts)):
        return None
    if field == "mobile" and parts and all(map(_INSTEAD_OF_PHONE.fullmatch, parts)):
        return None
    return 0 if all(_HOW_TO.search(part) for part in parts) else _UNKNOWN_REMARK


def _own(parts: Sequence[str]) -> bool:
    """Whether one of the parts names the member, and nobody beside."""
    return any(_OWN_PERSON.search(part) and not _OTHERS.search(part) for part in parts)


def _best(named: Sequence[tuple[Field, int] | None]) -> dict[Field, int]:
    """The column of each field: the best spelling, then the left one."""
    best: dict[Field, tuple[int, int]] = {}
    for column, known in enumerate(named):
        if known and (known[0] not in best or known[1] < best[known[0]][0]):
            best[known[0]] = (known[1], column)
    return {field: column for field, (_, column) in best.items()}


def header_at(rows: Sequence[Sequence[Cell]], index: int) -> HeaderRow | None:
    """The header whose main row is ``index``, or None. It must name at least the ID number and the name.

    A header may take several rows, with merged cells: titles here may be divided in the rows below, a heading above may
    say whose the columns below it are, and a column whose cell is empty here may be named above.
    """
    titles, last = divided_titles(rows[: index + 1] if unit_in(rows[index]) else rows, index)
    first, groups = index, _groups_above(rows, index) if last == index else []
    if groups and all(field in _best([field_of(cell) for cell in rows[index]]) for field in NEEDED):
        titles = [_below(group, title) for group, title in zip(groups, titles, strict=True)]
    named = [_field_of_title(title) for title in titles]
    columns = _best(named)
    if any(field not in columns for field in NEEDED) or _labels_one_person(rows[index], columns):
        return None
    if groups:
        above = _named_above(rows[index - 1], rows[index], columns)
        if above or any(len(title) > 1 for title in titles):
            columns, first = columns | above, index - 1
    return HeaderRow(
        first,
        last,
        tuple(columns.get(field, -1) for field in FIELDS),
        _strays(titles, named, columns),
        twice=all(named.count(named[columns[field]]) > 1 for field in NEEDED),
    )


def _groups_above(rows: Sequence[Sequence[Cell]], index: int) -> list[str]:
    return group_titles(rows[index - 1]) if index > 0 and not unit_in(rows[index - 1]) else []


def _below(group: str, title: Title) -> Title:
    return (group, *title) if group and title and group != title[0] else title


def _named_above(above: Sequence[Cell], row: Sequence[Cell], columns: dict[Field, int]) -> dict[Field, int]:
    """Columns for fields still missing, whose title stands in the row above only, by listed spellings."""
    exact = [
        known if not text_of(own).strip() and (known := field_of(cell)) and known[1] < _LOOSE_RANK else None
        for cell, own in zip(above, row, strict=True)
    ]
    return {field: column for field, column in _best(exact).items() if field not in columns}


def _field_of_title(title: Title) -> tuple[Field, int] | None:
    """The field of a column by its title in one or several rows, the topmost first."""
    if len(title) < 2:
        return field_of(title[0]) if title else None
    *groups, own = (squeeze(unicodedata.normalize("NFKC", text)).lower() for text in title)
    group = "".join(groups)
    if not _own(_REMARK_PARTS.split(group)) and _ABOUT_OTHERS.search(group + own):
        return None
    if _ABOUT_OTHERS.search(own) and not _own([own]) and not _MOBILE.search(own):
        return None
    joined = map(field_of, (group + own, own + group, _FILLING.sub("", group) + own))
    listed = [known for known in joined if known and known[1] < _LOOSE_RANK]
    return min(filter(None, (field_of(own), *listed)), key=lambda known: known[1], default=None)


def _labels_one_person(row: Sequence[Cell], columns: dict[Field, int]) -> bool:
    """Whether the row is one of labels and values beside each other (身份证号 | 1301…), not of titles."""
    return any(looks_like_id(text_of(cell)) for cell in row[columns["id_number"] + 1 :])


def _strays(
    titles: Sequence[Title], named: Sequence[tuple[Field, int] | None], columns: dict[Field, int]
) -> tuple[int, ...]:
    """Columns in which nobody's number should stand: without a title, or with the title of a column that was taken."""
    taken = set(columns.values())
    return tuple(
        column
        for column, (title, known) in enumerate(zip(titles, named, strict=True))
        if column not in taken and (known is not None or not title)
    )


def find_header(rows: Sequence[Sequence[Cell]]) -> HeaderRow | None:
    """The first header in the rows of a sheet."""
    for index, row in enumerate(rows):
        if any(isinstance(cell, str) and cell for cell in row) and (header := header_at(rows, index)):
            return header
    return None


def nearest(sheet: str, first_row: int, rows: Sequence[Sequence[Cell]]) -> HeaderCandidate:
    """The row that names most fields. ``first_row`` is the sheet row of rows[0], counted from 1."""
    best = HeaderCandidate(sheet, 0, ())
    for index, row in enumerate(rows):
        columns = _best([field_of(cell) for cell in row])
        if len(columns) > len(best.fields):
            best = HeaderCandidate(sheet, first_row + index, tuple(field for field in FIELDS if field in columns))
    return best


def missing_titles(fields: Iterable[Field]) -> str:
    """Column titles for a message: 性别、手机号码."""
    return "、".join(TITLES[field] for field in fields)
