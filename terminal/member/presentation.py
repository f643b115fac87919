"""How each verdict is shown: tone, colour in a plot, words, and what it counts as. Data only.

Pages, command line, statistics and exports read this table. A new verdict has a row here, its code in ``outcome.py``
and its decision in ``verdict.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, Self

from terminal.member.outcome import VerdictCode


class Tone(StrEnum):
    """How a counter takes a verdict: its colour, sign and sound."""

    OK = "ok"
    WARN = "warn"
    BAD = "bad"
    DOUBT = "doubt"
    """The card is good as far as it goes, and something that a counter must know is not known."""
    IDLE = "idle"

    @property
    def sign(self) -> str:
        """Name of the icon, so that no colour stands alone."""
        return _SIGNS[self]


_SIGNS: Final = {Tone.OK: "check", Tone.WARN: "warn", Tone.BAD: "cross", Tone.DOUBT: "clock", Tone.IDLE: "help"}


class CountedAs(StrEnum):
    """What a verdict counts as where verdicts are counted."""

    ACCEPTED = "accepted"
    UNCHECKED = "unchecked"
    """Genuine and in time, but not compared with a current hotlist."""
    REFUSED = "refused"
    UNREAD = "unread"
    """The card could not be read: nothing is said of it."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """A text in both languages."""

    zh: str
    en: str

    def in_language(self, language: str) -> str:
        return self.en if language == "en" else self.zh


@dataclass(frozen=True, slots=True)
class Presentation:
    """``plot`` names the colour of its bars in progress.js (all are in use); ``word`` is the verdict in
    large type, ``next`` what to do."""

    tone: Tone
    plot: str
    counted: CountedAs
    word: Phrase
    next: Phrase


_DO_NOT_SERVE: Final = Phrase("请勿提供服务，扣留此卡并联系工会", "Do not serve; keep the card and call the union")

PRESENTATIONS: Final[Mapping[VerdictCode, Presentation]] = MappingProxyType(
    {
        VerdictCode.ACTIVE: Presentation(
            Tone.OK,
            "ok",
            CountedAs.ACCEPTED,
            Phrase("有效", "Valid"),
            Phrase("可以享受会员服务", "Serve this member"),
        ),
        VerdictCode.HOTLIST_OUT_OF_DATE: Presentation(
            Tone.DOUBT,
            "rose",
            CountedAs.UNCHECKED,
            Phrase("名单已过时", "Hotlist is out of date"),
            Phrase(
                "无法确认此卡是否已挂失：请更新黑名单，或向工会核实后再服务",
                "Perhaps reported lost: update the hotlist, or ask the union before you serve",
            ),
        ),
        VerdictCode.HOTLIST_NOT_YET_VALID: Presentation(
            Tone.DOUBT,
            "olive",
            CountedAs.UNCHECKED,
            Phrase("名单未到生效时间", "Hotlist is not in force yet"),
            Phrase(
                "请核对本机时钟并更新黑名单；向工会核实后再服务",
                "Check this machine's clock and update the hotlist; ask the union before you serve",
            ),
        ),
        VerdictCode.HOTLIST_MISSING: Presentation(
            Tone.DOUBT,
            "sky",
            CountedAs.UNCHECKED,
            Phrase("没有黑名单", "No hotlist"),
            Phrase(
                "无法确认此卡是否已挂失：请取得黑名单，或向工会核实后再服务",
                "Perhaps reported lost: get the hotlist, or ask the union before you serve",
            ),
        ),
        VerdictCode.CLOCK_BEHIND: Presentation(
            Tone.DOUBT,
            "copper",
            CountedAs.UNCHECKED,
            Phrase("本机时钟有误", "Clock is wrong"),
            Phrase(
                "本机时钟被调回，有效期和名单都无法确认：请校准时钟",
                "The clock was set back, so no date can be relied on: set it right",
            ),
        ),
        VerdictCode.EXPIRED: Presentation(
            Tone.WARN,
            "warn",
            CountedAs.REFUSED,
            Phrase("已过期", "Expired"),
            Phrase("请会员到工会办理续期", "The union renews it"),
        ),
        VerdictCode.NOT_YET_VALID: Presentation(
            Tone.WARN,
            "idle",
            CountedAs.REFUSED,
            Phrase("未到生效日", "Not valid yet"),
            Phrase("自生效日起方可使用", "Good only from its first day on"),
        ),
        VerdictCode.NOT_ACTIVATED: Presentation(
            Tone.WARN,
            "plum",
            CountedAs.REFUSED,
            Phrase("未激活", "Not activated"),
            Phrase("请会员携本人身份证件到工会窗口激活此卡", "The member activates it at a union window, with an ID"),
        ),
        VerdictCode.SUSPENDED: Presentation(
            Tone.BAD,
            "accent",
            CountedAs.REFUSED,
            Phrase("已锁定", "Locked"),
            Phrase("请勿提供服务，请会员联系工会", "Do not serve; the member should call the union"),
        ),
        VerdictCode.LOST: Presentation(
            Tone.BAD,
            "bad",
            CountedAs.REFUSED,
            Phrase("挂失卡", "Lost card"),
            _DO_NOT_SERVE,
        ),
        VerdictCode.REPLACED: Presentation(
            Tone.BAD,
            "brown",
            CountedAs.REFUSED,
            Phrase("已换发新卡", "Replaced card"),
            Phrase("此卡已停用，请会员出示新卡；旧卡交回工会", "Ask for the new card; this one goes back to the union"),
        ),
        VerdictCode.WITHDRAWN: Presentation(
            Tone.BAD,
            "indigo",
            CountedAs.REFUSED,
            Phrase("会员资格已终止", "Membership ended"),
            Phrase("请勿提供服务；如有疑问，请持卡人联系原单位工会", "Do not serve; the holder should ask the union"),
        ),
        VerdictCode.NOT_GENUINE: Presentation(
            Tone.BAD,
            "ink",
            CountedAs.REFUSED,
            Phrase("非真卡", "Not genuine"),
            _DO_NOT_SERVE,
        ),
        VerdictCode.UNKNOWN_ISSUER: Presentation(
            Tone.WARN,
            "violet",
            CountedAs.REFUSED,
            Phrase("发卡方不受信任", "Issuer not trusted"),
            Phrase(
                "本窗口的信任清单中没有该发卡方，请更新清单",
                "This counter does not know the issuer; update the trust list",
            ),
        ),
        VerdictCode.NOT_A_MEMBER_CARD: Presentation(
            Tone.IDLE,
            "muted",
            CountedAs.REFUSED,
            Phrase("不是会员卡", "Not a member card"),
            Phrase("请会员出示会员服务卡", "Ask for the member service card"),
        ),
        VerdictCode.CARD_FAULT: Presentation(
            Tone.IDLE,
            "teal",
            CountedAs.UNREAD,
            Phrase("读卡失败", "Cannot read card"),
            Phrase("请擦净芯片后重新插卡", "Wipe the chip and insert it again"),
        ),
    }
)


NOT_HANDED_OVER: Final = Presentation(
    Tone.BAD,
    "plum",
    CountedAs.REFUSED,
    Phrase("未发放", "Not handed over"),
    Phrase(
        "会员尚未领到此卡：请勿提供服务，留下卡片并联系工会",
        "Its member never got this card: do not serve, keep it, call the union",
    ),
)
"""NOT_ACTIVATED, where the office is at hand and knows that the card was not handed over."""


def presentation(code: str) -> Presentation | None:
    """The row of a code as it is stored; None for one of another version of this program."""
    return PRESENTATIONS[VerdictCode(code)] if code in VerdictCode.__members__ else None


@dataclass(frozen=True, slots=True)
class Advice:
    """How one verdict is shown. ``delivered``: whether the member of a card that is not activated has it; None for any
    other card, and where that is not known."""

    shown: Presentation
    delivered: bool | None = None

    @classmethod
    def of(cls, code: VerdictCode) -> Self:
        """By the card alone."""
        return cls(PRESENTATIONS[code])

    def to_json(self) -> dict[str, Any]:
        """{"delivered", "next_step": {"zh", "en"}}"""
        return {"delivered": self.delivered, "next_step": {"zh": self.shown.next.zh, "en": self.shown.next.en}}
