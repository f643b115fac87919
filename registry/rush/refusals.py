"""Why a claim has no ticket: a sentence in both languages for each case."""

from __future__ import annotations

from typing import Final

from registry.rush.values import ClaimRefused

UNKNOWN: Final = ClaimRefused("rush-unknown", "没有此抢票活动", "There is no such rush")
NO_LOT: Final = ClaimRefused("lot-unknown", "此抢票活动没有这个场次", "This rush has no such lot")
CLOSED: Final = ClaimRefused("rush-closed", "抢票已结束", "This rush is closed")
CANCELLED: Final = ClaimRefused("rush-cancelled", "此抢票活动已取消", "This rush is cancelled")
SOLD_OUT: Final = ClaimRefused("sold-out", "票已抢完", "All tickets are gone")
LIST_FULL: Final = ClaimRefused(
    "waiting-full", "票已抢完，候补名额已满", "All tickets are gone, and the waiting list is full"
)
CARD: Final = ClaimRefused(
    "card-ended",
    "此卡不能使用；请会员到服务窗口办理",
    "This card cannot be used; the member goes to a service window",
)
SHORT_KEY: Final = ClaimRefused("claim-key-length", "请求编号须为 8 至 80 个字符", "A key has 8 to 80 characters")
OTHER_REQUEST: Final = ClaimRefused(
    "claim-key", "此请求编号已用于另一请求", "This key was used for another request before"
)


def not_open(opens: str) -> ClaimRefused:
    """``opens`` is the local day and minute."""
    return ClaimRefused("not-open", f"抢票尚未开始，{opens} 开始", f"This rush opens at {opens}")


def limit(most: int) -> ClaimRefused:
    """Of the whole rush."""
    return ClaimRefused("limit", f"每人限 {most} 张，已达上限", f"A member has {most} tickets of this rush at most")


def lot_limit(most: int) -> ClaimRefused:
    """Of one lot."""
    return ClaimRefused(
        "lot-limit", f"此场次每人限 {most} 张，已达上限", f"A member has {most} tickets of this lot at most"
    )
