"""How each result of a redemption or a script and each refusal of a card is shown, in both languages. Data only.

Pages, command line and receipts read these tables. A new status or flag has its row here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from terminal.member.cvr import CvrFlag
from terminal.member.presentation import Phrase, Tone
from terminal.member.redemption.redeem import RedemptionStatus
from terminal.member.scripts import UpdateStatus


@dataclass(frozen=True, slots=True)
class RedemptionPresentation:
    """``word`` is the result in large type, ``next`` what the cashier does."""

    tone: Tone
    word: Phrase
    next: Phrase


RESULTS: Final[Mapping[RedemptionStatus, RedemptionPresentation]] = MappingProxyType(
    {
        RedemptionStatus.DONE: RedemptionPresentation(
            Tone.OK,
            Phrase("核销成功", "Redeemed"),
            Phrase("请提供服务并打印小票", "Serve the member and print the receipt"),
        ),
        RedemptionStatus.REFUSED: RedemptionPresentation(
            Tone.WARN,
            Phrase("卡片拒绝核销", "Refused by the card"),
            Phrase("未扣次数，请勿提供此项权益", "Nothing was counted; do not grant this benefit"),
        ),
        RedemptionStatus.NOT_PROVEN: RedemptionPresentation(
            Tone.BAD,
            Phrase("核销未获证实", "Not proven"),
            Phrase(
                "请勿提供此项权益；重新插卡核对，再次出现请联系工会",
                "Do not grant this benefit; insert the card again, and call the union if it happens twice",
            ),
        ),
        RedemptionStatus.LOGGED: RedemptionPresentation(
            Tone.DOUBT,
            Phrase("卡内有此记录，待工会核实", "On record in the card, the union verifies it"),
            Phrase(
                "次数已扣，请勿重复核销；由工会确认后结算",
                "It was counted: do not redeem it again; the union settles it once it is verified",
            ),
        ),
        RedemptionStatus.UNKNOWN: RedemptionPresentation(
            Tone.DOUBT,
            Phrase("无法确认是否已核销", "Nobody can say whether it was counted"),
            Phrase("请工会按交易计数器查明", "The union finds out by the transaction counter"),
        ),
    }
)

REFUSALS: Final[Mapping[CvrFlag, RedemptionPresentation]] = MappingProxyType(
    {
        CvrFlag.BLOCKED: RedemptionPresentation(
            Tone.BAD,
            Phrase("会员应用已锁定", "The member application is blocked"),
            Phrase("请会员联系工会", "The member should call the union"),
        ),
        CvrFlag.NOT_ACTIVATED: RedemptionPresentation(
            Tone.WARN,
            Phrase("卡片尚未激活", "The card is not activated"),
            Phrase("请会员到工会服务窗口激活", "The member activates it at a window of the union"),
        ),
        CvrFlag.NO_SUCH_CLASS: RedemptionPresentation(
            Tone.WARN,
            Phrase("此卡没有该项权益", "The card does not have this benefit"),
            Phrase("请选择其他权益", "Choose another benefit"),
        ),
        CvrFlag.NO_QUANTITY: RedemptionPresentation(
            Tone.WARN,
            Phrase("数量为零", "The quantity is zero"),
            Phrase("请输入数量", "Enter a quantity"),
        ),
        CvrFlag.NO_DATE: RedemptionPresentation(
            Tone.DOUBT,
            Phrase("本机日期无效", "The date of this counter is none"),
            Phrase("请校准本机时钟", "Set the clock right"),
        ),
        CvrFlag.DATE_BEFORE_LAST: RedemptionPresentation(
            Tone.DOUBT,
            Phrase("日期早于上次核销", "The date is before the last redemption"),
            Phrase("请校准本机时钟", "Check the clock of this counter"),
        ),
        CvrFlag.DATE_BEFORE_PERIOD: RedemptionPresentation(
            Tone.WARN,
            Phrase("权益尚未开始", "The benefit has not begun"),
            Phrase("请在权益开始日之后再来", "It can be used from its first day on"),
        ),
        CvrFlag.LIMIT_EXCEEDED: RedemptionPresentation(
            Tone.WARN,
            Phrase("超出本期次数", "More than what is left in this period"),
            Phrase("请减少数量，或待下一期", "Take fewer, or wait for the next period"),
        ),
        CvrFlag.PIN_MISSING: RedemptionPresentation(
            Tone.WARN,
            Phrase("需要验证卡片密码", "The PIN of the card is needed"),
            Phrase("请会员输入密码后重试", "Ask the member to enter it, then try again"),
        ),
        CvrFlag.COUNTER_USED_UP: RedemptionPresentation(
            Tone.WARN,
            Phrase("卡片交易次数已用尽", "The card has no transaction left"),
            Phrase("请会员到工会换卡", "The union replaces the card"),
        ),
        CvrFlag.AAC_REQUESTED: RedemptionPresentation(
            Tone.IDLE,
            Phrase("本机取消了核销", "This counter declined"),
            Phrase("未扣次数", "Nothing was counted"),
        ),
    }
)
"""By the flag of the card verification results (``cvr.REASONS``)."""

UPDATES: Final[Mapping[UpdateStatus, RedemptionPresentation]] = MappingProxyType(
    {
        UpdateStatus.DONE: RedemptionPresentation(
            Tone.OK, Phrase("卡片已更新", "The card is up to date"), Phrase("可以取卡", "Take the card")
        ),
        UpdateStatus.VOID: RedemptionPresentation(
            Tone.DOUBT,
            Phrase("卡片状态已变，更新作废", "The card has changed since, the update is void"),
            Phrase("向工会取得新的更新后再试", "Get the next update from the union, then try again"),
        ),
        UpdateStatus.REFUSED: RedemptionPresentation(
            Tone.WARN,
            Phrase("卡片拒绝更新", "The card refused the update"),
            Phrase("请联系工会", "Call the union"),
        ),
    }
)
"""By the result of a script."""
