"""Finds the table in a sheet: the header row, the field of each column, and the unit named above it.

Header texts are compared without blanks, line breaks, stars, bracketed remarks and the difference between full and half
width. If two columns match (手机 and 联系电话), the better spelling wins, then the left one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from personalize.intake.text import Cell, squeeze, text_of, trim

Field = Literal["seq", "id_number", "name", "gender", "mobile", "unit"]
FIELDS: tuple[Field, ...] = ("seq", "id_number", "name", "gender", "mobile", "unit")
TITLES: dict[Field, str] = {
    "seq": "序号",
    "id_number": "身份证号",
    "name": "姓名",
    "gender": "性别",
    "mobile": "手机号码",
    "unit": "所属单位",
}
NEEDED: tuple[Field, ...] = ("id_number", "name")
OPTIONAL: tuple[Field, ...] = ("seq",)
"""Columns that a form may lack without a warning."""

# Spellings, best first.
_SPELLINGS: dict[Field, str] = {
    "seq": "序号 编号 顺序号 序列号 序列 排序 行号 序 no seq number",
    "id_number": """
        身份证号 身份证号码 公民身份号码 公民身份证号码 公民身份证号 居民身份证号码 居民身份证号 居民身份号码
        居民身份证 身份证 身份证编号 身份号码 身份证件号码 身份证件号 有效身份证件号码 有效证件号码 证件号码 证件号
        会员身份证号 会员身份证号码 职工身份证号 职工身份证号码 本人身份证号 本人身份证号码
        二代身份证号 二代身份证号码 idnumber idno idcard idcardno idcardnumber identitynumber""",
    "name": "姓名 会员姓名 职工姓名 员工姓名 人员姓名 持卡人姓名 本人姓名 真实姓名 中文姓名 名字 name fullname",
    "gender": "性别 男女 sex gender",
    "mobile": """
        手机号码 手机号 手机 移动电话号码 移动电话 本人手机号码 本人手机号 本人手机 会员手机号码 会员手机号
        联系手机 联系手机号 联系手机号码 手机电话 手机联系方式 预留手机号 预留手机号码 绑定手机号 绑定手机号码
        联系电话 联系电话手机 联系电话号码 联系方式 联系号码 本人电话 本人联系电话 电话号码 电话
        mobile mobilephone mobilenumber phone phonenumber tel""",
    "unit": """
        所属单位 所属单位名称 所属单位部门 所属工会 所属基层工会 所属工会名称 所在单位 所在单位名称 工作单位
        工作单位名称 工作单位部门 单位 单位名称 单位全称 单位部门 基层工会 基层工会名称 工会名称 所在工会 工会
        所属部门 所在部门 部门 部门名称 部门科室 科室 unit department company""",
}
_RANKED: dict[str, tuple[Field, int]] = {
    spelling: (field, rank) for field, text in _SPELLINGS.items() for rank, spelling in enumerate(text.split())
}
# What a longer title must contain where no spelling fits, and what shows that it means something or someone else.
_CONTAINS: tuple[tuple[str, Field], ...] = (
    ("身份证", "id_number"),
    ("姓名", "name"),
    ("性别", "gender"),
    ("手机", "mobile"),
    ("单位", "unit"),
)
_ABOUT_OTHERS = re.compile(
    "配偶|户主|紧急|父|母|子女|孩|联系人|家属|亲属|推荐|介绍|经办|负责|填表|有效|期|地址|住址|复印|照片|扫描|附件|类型|类别|种类|"
    "正面|反面|办公|座机|固定|家庭|住宅|单位电话|性质|代码|编码|户籍|发证|签发|曾用|拼音|英文|是否|时间|日期|盖章|意见"
)
_LOOSE_RANK, _LONGEST = 100, 16

_BRACKETS = re.compile(
    r"\([^()]*\)|\[[^\[\]]*\]|【[^【】]*】|<[^<>]*>|《[^《》]*》|〔[^〔〕]*〕|「[^「」]*」|\{[^{}]*\}"
)
_SIGNS = re.compile(r"[*★☆※#:;_\-—~、,.。/\\|&+'\"“”()\[\]【】]|必填项?|选填项?|请填写|及|或|和|与")
_LATIN = re.compile(r"[a-z]+")

_UNIT_LABEL = re.compile(
    r"(?:^|[\s】)）(（。;；])(?:基层工会(?:委员会)?(?:名称|全称)?|工会(?:名称|全称)|(?:填报|报送|申报|上报|填表|所属|工作)单位(?:名称)?|"
    r"所属工会|单位(?:名称|全称)?)\s*(?:[(（][^()（）]*[)）])?\s*[:：]\s*(.*)",
    re.DOTALL,
)
_BARE_UNIT_LABEL = re.compile(
    r"(?:基层工会(?:名称|全称)?|工会(?:名称|全称)|填报单位|单位(?:名称|全称))(?:\([^()]*\))?:?"
).fullmatch
_OTHER_LABEL = re.compile(r"[^:：]{1,10}[:：]").match
_NEXT_LABEL = re.compile(
    r"[\s,，;；]+(?:填表|填报|制表|报送|上报|联系|日期|时间|经办|负责|电话|年\s*月|\d{4}\s*年|第\s*\d+\s*页|共).*",
    re.DOTALL,
)
_SEAL = re.compile(r"\s*[(（](?:加?盖?公?章|盖章处|签章)[)）]$")


@dataclass(frozen=True, slots=True)
class HeaderRow:
    """The header of a table. ``row`` and ``last`` are indices in the sheet's rows (a header may take two rows);
    ``columns`` has for each of FIELDS the column index, or -1 where the form has no such column."""

    row: int
    last: int
    columns: tuple[int, ...]

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
    bare = text
    while (shorter := _BRACKETS.sub("", bare)) != bare:
        bare = shorter
    for form in (bare, text):
        plain = _SIGNS.sub("", form)
        if known := _RANKED.get(plain) or _RANKED.get(_LATIN.sub("", plain)):
            return known
    plain = _SIGNS.sub("", bare)
    if 2 < len(plain) <= _LONGEST and not _ABOUT_OTHERS.search(plain):
        for part, field in _CONTAINS:
            if part in plain:
                return field, _LOOSE_RANK
    return None


def _columns(row: Sequence[Cell]) -> dict[Field, int]:
    best: dict[Field, tuple[int, int]] = {}
    for column, cell in enumerate(row):
        named = field_of(cell)
        if named and (named[0] not in best or named[1] < best[named[0]][0]):
            best[named[0]] = (named[1], column)
    return {field: column for field, (_, column) in best.items()}


def header_at(rows: Sequence[Sequence[Cell]], index: int) -> HeaderRow | None:
    """The header whose main row is ``index``, or None. It must name at least the ID number and the name.

    A header may take two rows, with merged cells: a column whose cell is empty here may be named in the row above, and
    a group heading here may be divided in the row below, if that row has nothing under ID number and name.
    """
    columns = _columns(rows[index])
    if any(field not in columns for field in NEEDED):
        return None
    first = last = index
    if index > 0 and not unit_in(rows[index - 1]):
        above = _named_exactly(rows[index - 1], columns)
        above = {field: column for field, column in above.items() if not text_of(rows[index][column]).strip()}
        if above:
            columns, first = columns | above, index - 1
    if index + 1 < len(rows) and not any(text_of(rows[index + 1][columns[field]]).strip() for field in NEEDED):
        below = _named_exactly(rows[index + 1], columns)
        if below:
            columns, last = columns | below, index + 1
    return HeaderRow(first, last, tuple(columns.get(field, -1) for field in FIELDS))


def _named_exactly(row: Sequence[Cell], columns: dict[Field, int]) -> dict[Field, int]:
    """Columns in another row of the header for fields still missing, by listed spellings only."""
    exact = [cell if (named := field_of(cell)) and named[1] < _LOOSE_RANK else "" for cell in row]
    return {
        field: column
        for field, column in _columns(exact).items()
        if field not in columns and column not in columns.values()
    }


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
        columns = _columns(row)
        if len(columns) > len(best.fields):
            best = HeaderCandidate(sheet, first_row + index, tuple(field for field in FIELDS if field in columns))
    return best


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
    unit = _SEAL.sub("", trim(_NEXT_LABEL.sub("", text.replace("_", " ").replace("＿", " "))))
    unbalanced = unit.endswith((")", "）")) and not any(bracket in unit for bracket in "(（")
    return unit[:-1].rstrip() if unbalanced else unit


def missing_titles(fields: Iterable[Field]) -> str:
    """Column titles for a message: 性别、手机号码."""
    return "、".join(TITLES[field] for field in fields)
