"""Chinese for the faults of a programme file, whose sentences are composed in English where a field is read."""

from __future__ import annotations

import re
from functools import cache
from typing import Final

CHINESE: Final = {
    "this field is required": "此字段必填",
    "no such field": "没有此字段",
    "write the value in quotation marks": "请给值加引号",
    "write a list, such as [a, b]": "请写列表，如 [a, b]",
    "write a mapping, such as {{a: b}}": "请写映射，如 {{a: b}}",
    "a value is no text, date or number; write it in quotation marks": "有值不是文本、日期或数字；请加引号",
    "anchors and aliases (& and *) are not taken; write the value out": "不接受锚点和别名（& 和 *）；请写出值",
    "merge keys ({key}) are not taken; write the fields out": "不接受合并键（{key}）；请写出字段",
    "tags (!) are not taken; write the value alone": "不接受标签（!）；请只写值",
    "lists and mappings more than {n} deep": "列表和映射嵌套超过 {n} 层",
    "more than {n} characters": "超过 {n} 个字符",
    "more than {n} bytes": "超过 {n} 字节",
    "and {n} more faults": "另有 {n} 处错误",
    "not YAML: {fault}": "不是 YAML：{fault}",
    "not UTF-8 text: {fault}": "不是 UTF-8 文本：{fault}",
    "a programme file is a mapping with the fields {fields}": "服务方案文件应为含以下字段的映射：{fields}",
    "a cap is one of a use or of a month": "上限须是每次（use）或每月（month）的",
    "a price is one of percent, fixed or off": "价格须且只能是 percent、fixed、off 之一",
    "from is the threshold of off": "from 是 off 的起点金额",
    "basis names what the cashier enters; with list the price is in the file": (
        "basis 是收银员录入项的名称；有 list 时价格已在文件中"
    ),
    "a cap on what a member saves needs the list price": "限制优惠额须有原价（list）",
    "a fee has when or unless, not both": "费用只能有 when 或 unless 之一",
    "a benefit that the card counts has a class, and no other has one": (
        "由卡计数的权益须有类别（class），其他权益不得有"
    ),
    "only the card can ask for its PIN: counted: card": "只有卡可以要求密码：counted: card",
    "a limit per season needs the seasons: the windows of sold": "按销售期限次须有销售期（sold）",
    "{section} names {code}, which this benefit does not have": "{section} 引用了 {code}，本权益没有",
    "write a day of every year as month-day, such as 12-15": "请写每年的日期，如 12-15",
    'write a time as hours and minutes, such as "08:30"': '请写时间，如 "08:30"',
    "write a day as 2026-12-15, or as 12-15 for every year": "请写日期，如 2026-12-15；每年的日期如 12-15",
    "a day of the years 2000 to 2099": "日期须在 2000 至 2099 年",
    "hours end after they begin, on the same day": "结束时间须晚于开始时间，且在同一天",
    "both days with the year, or both without": "两个日期须都带年份或都不带",
    "a unit code is empty": "单位代码为空",
    'write a day with its time, such as "2026-02-01 09:00"': '请写日期和时间，如 "2026-02-01 09:00"',
    "a rush has no condition {name}: the registry decides it without the card": (
        "抢票不能有条件 {name}：抢票由会员库判断，不读卡"
    ),
    "there is no form {form} of bank files; there are {forms}": "没有银行文件格式 {form}；有 {forms}",
    "a rush closes after it opens": "抢票结束时间须晚于开始时间",
    "tickets can be returned from the opening on: returns is before it": "退票截止时间（returns）早于开始时间",
    "the tickets of lot {code} are over before they begin": "场次 {code} 的票结束日期早于开始日期",
    "the tickets of lot {code} are over before the rush opens": "场次 {code} 的票在抢票开始前已过期",
    "rush {code} names {benefit}, which is not among benefits": "抢票 {code} 引用了 {benefit}，benefits 中没有",
    "rush {code} is of {benefit}, which has a stock: the lots of a rush are its stock": (
        "抢票 {code} 属于权益 {benefit}，该权益另有库存（stock）：抢票的库存就是各场次的数量"
    ),
    "covers {codes} are on_card: a chip has the last day of one cover": (
        "保障 {codes} 都设了 on_card：芯片只存一项保障的止保日"
    ),
    "the amount of a claim is one of amount, percent and table": "理赔金额须且只能是 amount、percent、table 之一",
    "a percent of a loss is at most 100 and has a cap": "按损失百分比（percent）不超过 100，且须有上限（cap）",
    "a cap is that of a percent of a loss": "上限（cap）只用于损失百分比（percent）",
    "levels are station, district and city in this order, each once at most": (
        "levels 依次为 station、district、city，各最多一次"
    ),
    "a document is listed twice": "同一材料列了两次",
    "claim {code} names {name}, which is not among covers": "理赔 {code} 引用了 {name}，covers 中没有",
    "claim {code} names {name}, which is not among documents": "理赔 {code} 引用了 {name}，documents 中没有",
    "the amount of a grant is one of amount, table and most": "补助金额须且只能是 amount、table、most 之一",
    "a grant on activation has a fixed amount, once a lifetime or a year": (
        "激活补助（on_activation）须有固定金额（amount），且终身或每年一次（once）"
    ),
    "this section is not in use yet; leave it out": "此部分尚未启用，请勿填写",
    "window {code} is under {above}, which is not in the file": "窗口 {code} 的上级 {above} 不在文件中",
    "window {code} is under {above}, which is not one level above it": "窗口 {code} 的上级 {above} 不是上一级窗口",
    "benefit {code} names {kind}, which is not among merchant_kinds": (
        "权益 {code} 引用了 {kind}，merchant_kinds 中没有"
    ),
    "benefit {code} names {document}, which is not among documents": (
        "权益 {code} 引用了 {document}，documents 中没有"
    ),
    "write a number, such as 200 or 12.50": "请写数字，如 200 或 12.50",
    "at most two decimals": "最多两位小数",
    "not below zero, and at most 10,000,000": "不小于零，且不超过 10,000,000",
    "Input should be greater than or equal to {n}": "应不小于 {n}",
    "Input should be less than or equal to {n}": "应不大于 {n}",
    "Input should be greater than {n}": "应大于 {n}",
    "Input should be less than {n}": "应小于 {n}",
    "Input should be a valid integer, {fault}": "应为整数",
    "Input should be a valid integer": "应为整数",
    "Input should be a valid boolean, {fault}": "应为真或假",
    "Input should be a valid boolean": "应为真或假",
    "Input should be a valid date{fault}": "应为日期，如 2026-12-15",
    "Input should be '{choices}' or '{last}'": "应为 '{choices}' 或 '{last}'",
    "Input should be {value}": "应为 {value}",
    "String should match pattern '{pattern}'": "不符合格式 {pattern}",
    "String should have at most {n} characters": "最多 {n} 个字符",
    "String should have at least {n} character{s}": "至少 {n} 个字符",
    "{kind} should have at least {n} item{s} after validation, not {given}": "至少 {n} 项",
    "{kind} should have at most {n} item{s} after validation, not {given}": "最多 {n} 项",
}
"""Each sentence with the names of its values, first the one with the closest wording."""
_VALUE: Final = re.compile(r"\{(\w+)\}")


def chinese_fault(english: str) -> str:
    """The sentence in Chinese; one that is not known stays in English, behind words that say what it is."""
    for pattern, chinese in _patterns():
        if match := pattern.fullmatch(english):
            return chinese.format(**match.groupdict())
    return f"此值不正确（{english}）"


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple((_pattern(english), chinese) for english, chinese in CHINESE.items())


def _pattern(english: str) -> re.Pattern[str]:
    """A sentence as an expression: its values are groups, and a doubled brace is one."""
    parts = _VALUE.split(english)
    return re.compile(
        "".join(
            f"(?P<{part}>.*?)" if place % 2 else re.escape(part.replace("{{", "{").replace("}}", "}"))
            for place, part in enumerate(parts)
        ),
        re.DOTALL,
    )
