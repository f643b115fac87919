"""How each verdict is shown: tone, colour in a plot, words, and what it counts as. Data only.

Pages, command line, statistics and exports read this table. A new verdict has a row here, its code in ``outcome.py``
and its decision in ``verdict.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from terminal.member.outcome import VerdictCode


class Tone(StrEnum):
    """How a counter takes a verdict: its colour, sign and sound."""

    OK = "ok"
    WARN = "warn"
    BAD = "bad"
    IDLE = "idle"

    @property
    def sign(self) -> str:
        """Name of the icon, so that no colour stands alone."""
        return _SIGNS[self]


_SIGNS: Final = {Tone.OK: "check", Tone.WARN: "warn", Tone.BAD: "cross", Tone.IDLE: "help"}


class CountedAs(StrEnum):
    """What a verdict counts as where verdicts are counted."""

    ACCEPTED = "accepted"
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
    """``plot`` names the colour of its bars in progress.js (rose and olive are free); ``word`` is the verdict in
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


def presentation(code: str) -> Presentation | None:
    """The row of a code as it is stored; None for one of another version of this program."""
    return PRESENTATIONS[VerdictCode(code)] if code in VerdictCode.__members__ else None
