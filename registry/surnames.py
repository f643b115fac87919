"""Surnames, by which members are searched: the first character of a Chinese name, or both of a compound surname."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_BREAK: Final = re.compile(r"[\s·•‧・.,]+")
_HAN: Final = re.compile(r"[㐀-鿿豈-﫿\U00020000-\U000323af]+")
_SHORT: Final = 2
COMPOUND: Final = frozenset(
    "欧阳 上官 司马 诸葛 夏侯 皇甫 尉迟 公孙 慕容 令狐 司徒 司空 司寇 长孙 宇文 端木 南宫 东方 西门 东郭 独孤 鲜于 "
    "闻人 赫连 澹台 公羊 公冶 公西 公良 公仲 公上 公门 公山 公坚 公乘 公伯 公祖 公玉 公仪 公户 公皙 宗政 "
    "濮阳 淳于 单于 太叔 太史 申屠 仲孙 轩辕 钟离 闾丘 子车 亓官 巫马 颛孙 壤驷 漆雕 乐正 宰父 谷梁 榖梁 拓跋 夹谷 "
    "段干 百里 呼延 羊舌 微生 梁丘 左丘 南门 南荣 东里 东宫 东野 北宫 第五 即墨 达奚 褚师 纳兰 完颜 耶律 叶赫 万俟 "
    "贯丘 仲长 子书 子桑 屈突 斛律 贺兰 贺若 哥舒 阿史那 爱新觉罗 那拉 钮祜禄 富察 佟佳 赫舍里 瓜尔佳 "
    "歐陽 司馬 諸葛 東方 鮮于 長孫".split()
)
"""Surnames of more than one character."""


def surname(name: str) -> str:
    """The surname of a name: of one that is divided by dots or blanks the first part, in small letters."""
    parts = [part for part in _BREAK.split(unicodedata.normalize("NFKC", name).casefold()) if part]
    whole = "".join(parts)
    if not whole or (len(parts) > 1 and not all(_HAN.fullmatch(part) and len(part) <= _SHORT for part in parts)):
        return parts[0] if parts else ""
    if not _HAN.fullmatch(whole[:1]):
        return whole
    return next((one for one in COMPOUND if whole.startswith(one) and len(whole) > len(one)), whole[:1])


def surnames_meant(text: str) -> list[str]:
    """The surnames that a search text may mean: itself, and for one character the compound ones that begin with it."""
    whole = "".join(_BREAK.split(unicodedata.normalize("NFKC", text).casefold()))
    return [whole, *sorted(one for one in COMPOUND if len(whole) == 1 and one.startswith(whole))] if whole else []
