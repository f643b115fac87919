"""READ RECORD commands a second on an issued virtual card in this process, from bytes to bytes."""

from __future__ import annotations

import time

from benchmarks.table import Row
from simulators.card.config import CardConfig, ProductionData
from simulators.readers.reader import SimCard
from simulators.virtual_card import VirtualCard
from terminal.apdu import LinkProtocol
from tests.support.cards.member_specimen import MEMBER_AID, specimen
from tests.support.foreign.host import issue

TARGET = 20_000
COMMANDS, ROUNDS = 4_000, 7


def run() -> list[Row]:
    """The best of several rounds, for the smallest and the largest record."""
    card = SimCard(VirtualCard.create(None, CardConfig(ProductionData(1))), LinkProtocol.T1)
    issue(card, specimen())
    card.reset()
    card.exchange(bytes.fromhex("00A4040009") + MEMBER_AID + b"\x00")
    records = {"14-byte record": "00B2020C00", "254-byte record": "00B2011400"}
    return [_measure(card, what, bytes.fromhex(command)) for what, command in records.items()]


def _measure(card: SimCard, what: str, command: bytes) -> Row:
    assert card.exchange(command).endswith(b"\x90\x00")
    rate = COMMANDS / min(_seconds(card, command) for _ in range(ROUNDS))
    return Row(
        f"virtual card in process: READ RECORD, {what}",
        f"{rate:,.0f} a second",
        rate / TARGET,
        f">= {TARGET:,} a second",
        rate >= TARGET,
    )


def _seconds(card: SimCard, command: bytes) -> float:
    exchange = card.exchange
    start = time.perf_counter()
    for _ in range(COMMANDS):
        exchange(command)
    return time.perf_counter() - start


if __name__ == "__main__":
    for row in run():
        print(row)
