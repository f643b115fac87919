"""A terminal for the toy card: the shipped configuration with lines changed, and a transaction with it."""

from __future__ import annotations

import re
from datetime import datetime
from functools import cache
from importlib.resources import files

from terminal.apdu import stack
from terminal.emv.kernel.kernel import run_transaction
from terminal.emv.transaction.config import TerminalConfig, parse_config
from terminal.emv.transaction.outcome import Outcome
from terminal.emv.transaction.protocols import Attendant, OnlineHost
from terminal.emv.transaction.transaction import Transaction
from tests.support.cards.toys.emv_toy_card import ToyCard, toy_keys

SHIPPED = (files("terminal.emv.transaction") / "terminals" / "counter.yaml").read_text(encoding="utf-8")
AT = datetime(2026, 11, 22, 10, 30)
UNDER, OVER = 1_234, 60_000
"""Amounts below and above the floor limit."""
_RANDOM = re.compile(r"    random:\n(      .*\n)+")


@cache
def config_with(*lines: str, random: str | None = None, more: str = "") -> TerminalConfig:
    """The shipped configuration; each of ``lines`` ("field: value") replaces the one of that field. ``random`` is the
    whole random selection (empty: none), ``more`` goes to the end of the file."""
    text = SHIPPED if random is None else _RANDOM.sub(f"    random: {random}\n" if random else "", SHIPPED)
    for line in lines:
        name = line.partition(":")[0]
        text, count = re.subn(rf"(?m)^(\s+){name}:.*$", rf"\g<1>{line}", text)
        assert count == 1, name
    return parse_config(text + more)


def run(
    card: ToyCard,
    amount: int = UNDER,
    *,
    config: TerminalConfig | None = None,
    host: OnlineHost | None = None,
    attendant: Attendant | None = None,
    force_online: bool = False,
) -> Outcome:
    """One transaction with fixed randomness."""
    return run_transaction(
        stack(card),
        config or config_with(),
        Transaction(amount, AT, force_online=force_online),
        keys=toy_keys(),
        host=host,
        attendant=attendant,
        draw=lambda: 99,
        random=lambda size: bytes(range(0xA0, 0xA0 + size)),
    )
