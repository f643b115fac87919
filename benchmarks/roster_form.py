"""A large registration form from a fixed seed: 25,000 fictitious people, whose rows are all valid."""

from __future__ import annotations

import random
from datetime import date, timedelta
from pathlib import Path

from openpyxl import Workbook

from personalize.intake.identity import check_character

UNIT = "河北交通职业技术学院工会"
HEADER = ("序号", "身份证号", "姓名", "性别", "手机号码", "所属单位")
REGIONS = ("110101", "110105", "110108", "120101", "130102", "130104", "130108", "130202", "130602", "350503", "370102")
FAMILIES = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎余潘杜"
GIVEN = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超兰霞平刚桂英华玉红文辉建国志海雪梅宇欣博涵子轩雅慧佳俊㛃䶮𫖯"
LONG_NAMES = ("阿卜杜拉·买买提", "古丽娜尔·艾合买提", "迪丽热巴·吐尔逊", "卓玛·才让")
FIRST_DAY = date(1962, 1, 1)


def write_form(path: Path, people: int = 25_000, seed: int = 25) -> Path:
    """Write title, unit, header and one row a person with openpyxl; returns ``path``."""
    rng = random.Random(seed)
    book = Workbook(write_only=True)
    sheet = book.create_sheet("登记表")
    sheet.append(["河北省省直工会会员卡信息登记表"])
    sheet.append([f"基层工会名称：{UNIT}"])
    sheet.append(HEADER)
    taken: set[str] = set()
    while len(taken) < people:
        born = FIRST_DAY + timedelta(days=rng.randrange(15_000))
        digits = f"{rng.choice(REGIONS)}{born:%Y%m%d}{rng.randrange(1000):03}"
        if digits not in taken:
            taken.add(digits)
            gender = "男" if int(digits[16]) % 2 else "女"
            phone = f"1{rng.choice('3578')}{rng.randrange(10**9):09}"
            sheet.append([len(taken), digits + check_character(digits), _name(rng), gender, phone, UNIT])
    book.save(path)
    return path


def _name(rng: random.Random) -> str:
    if rng.random() < 0.02:
        return rng.choice(LONG_NAMES)
    return rng.choice(FAMILIES) + "".join(rng.choices(GIVEN, k=rng.choice((1, 2, 2))))
