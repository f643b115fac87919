"""One decision of a transaction: function of the kernel, text, section of the rule, bits set.

EMV 4.4 Book 3, 8.2 (functions), Annex C5 and C6 (TVR, TSI).
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from functools import partial
from typing import Final, NamedTuple

from terminal.emv.data.bits import TSI, TVR

NO_TVR: Final = TVR(0)
NO_TSI: Final = TSI(0)


class KernelStage(StrEnum):
    """The functions of a transaction, in the book's order. EMV 4.4 Book 3, 8.2, figure 6."""

    SELECTION = "application selection"
    INITIATION = "initiate application processing"
    READING = "read application data"
    AUTHENTICATION = "offline data authentication"
    RESTRICTIONS = "processing restrictions"
    CARDHOLDER = "cardholder verification"
    RISK = "terminal risk management"
    TERMINAL_ACTION = "terminal action analysis"
    CARD_ACTION = "card action analysis"
    ONLINE = "online processing"
    ISSUER = "issuer authentication"
    SCRIPTS = "issuer script processing"
    COMPLETION = "completion"


class Step(NamedTuple):
    """One decision: ``text`` is its sentence, ``source`` the section of its rule, ``tvr`` and ``tsi`` the bits that
    this step newly set."""

    stage: KernelStage
    text: str
    source: str
    tvr: TVR = NO_TVR
    tsi: TSI = NO_TSI


new_step: Callable[[tuple[KernelStage, str, str, TVR, TSI]], Step] = partial(tuple.__new__, Step)
"""A step without the call of the NamedTuple's own ``__new__``: every decision of every transaction creates one."""
