"""Terminal risk management. EMV 4.4 Book 3, 10.6; Book 4, 6.3.5. Limits as the book words them: reaching, exceeding."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import pytest

from terminal.apdu import stack
from terminal.emv.data.bits import TSI, TVR
from terminal.emv.risk.risk import chance, manage, one_to_99
from terminal.emv.transaction.config import RandomSelection, TerminalConfig
from terminal.emv.transaction.state import TransactionState
from terminal.emv.transaction.transaction import Transaction
from terminal.errors import CodecError
from tests.support.cards.toys.emv_toy_card import PAN, ToyCard
from tests.support.cards.toys.emv_toy_terminal import config_with

AT = datetime(2026, 11, 22, 10, 30)
BOTH = TVR.LOWER_OFFLINE_LIMIT_EXCEEDED | TVR.UPPER_OFFLINE_LIMIT_EXCEEDED


def risk(
    amount: int = 100,
    config: TerminalConfig | None = None,
    *,
    card: Mapping[int, str] | None = None,
    answers: Mapping[str, str] | None = None,
    draw: int = 99,
    recent: int = 0,
    force: bool = False,
) -> TransactionState:
    config = config or config_with()
    state = TransactionState(config.data())
    state.card = {0x5A: bytes.fromhex(PAN), 0x5F34: b"\x01"}
    state.card |= {tag: bytes.fromhex(value) for tag, value in (card or {}).items()}
    toy = ToyCard(get_data=answers or {})
    transaction = Transaction(amount, AT, force_online=force)
    entry = config.applications[0]
    manage(stack(toy), state, config, entry, transaction, draw=lambda: draw, recent=lambda number, sequence: recent)
    return state


def test_nothing_to_fear_sets_no_bit_and_says_that_it_was_looked_at() -> None:
    state = risk()
    assert state.tvr == TVR(0)
    assert state.tsi == TSI.TERMINAL_RISK_MANAGEMENT_PERFORMED


@pytest.mark.parametrize(
    ("amount", "recent", "over"),
    [(49_999, 0, False), (50_000, 0, True), (30_000, 19_999, False), (30_000, 20_000, True)],
)
def test_floor_limit_counts_with_the_last_payment_of_the_same_card(amount: int, recent: int, over: bool) -> None:
    assert bool(risk(amount, recent=recent).tvr & TVR.FLOOR_LIMIT_EXCEEDED) is over


@pytest.mark.parametrize(
    ("lines", "recent", "text"),
    [
        ((), 0, "the amount of CNY 499.99 is below the floor limit of CNY 500.00"),
        ((), 1, "the amount of CNY 500.00 (CNY 0.01 of it paid before) is not below the floor limit of CNY 500.00"),
        (
            ('currency: "0392"', "currency_exponent: 0"),
            0,
            "the amount of JPY 49,999 is below the floor limit of JPY 50,",
        ),
    ],
)
def test_amounts_are_explained_in_the_currency_of_the_terminal(lines: tuple[str, ...], recent: int, text: str) -> None:
    assert text in " | ".join(step.text for step in risk(49_999, config_with(*lines), recent=recent).steps)


@pytest.mark.parametrize(
    ("last", "text"),
    [("04D1", "1 transaction since"), ("04D0", "2 transactions since the last one online; the limits are 18")],
)
def test_transactions_in_a_row_are_counted_in_words(last: str, text: str) -> None:
    state = risk(card={0x9F14: "12", 0x9F23: "34"}, answers={"9F36": "04D2", "9F13": last})
    assert any(step.text.startswith(text) for step in state.steps)


def test_a_floor_limit_of_zero_sends_everything_online() -> None:
    config = config_with("floor_limit: 0", random="")
    assert risk(1, config).tvr & TVR.FLOOR_LIMIT_EXCEEDED
    assert risk(0, config).tvr & TVR.FLOOR_LIMIT_EXCEEDED


@pytest.mark.parametrize(
    ("amount", "percent"), [(0, 10), (9_999, 10), (10_000, 10), (30_000, 30), (40_000, 40), (49_999, 49)]
)
def test_the_chance_rises_from_the_threshold_to_the_floor_limit(amount: int, percent: int) -> None:
    assert chance(amount, 50_000, RandomSelection(threshold=10_000, target=10, maximum=50)) == percent


def test_random_selection_takes_what_is_drawn_up_to_the_chance() -> None:
    config = config_with(random="{threshold: 10000, target: 10, maximum: 50}")
    assert risk(30_000, config, draw=30).tvr == TVR.RANDOMLY_SELECTED
    assert risk(30_000, config, draw=31).tvr == TVR(0)
    assert risk(100, config, draw=10).tvr == TVR.RANDOMLY_SELECTED
    assert risk(100, config, draw=11).tvr == TVR(0)


def test_there_is_no_random_selection_above_the_floor_limit_or_without_a_line() -> None:
    config = config_with(random="{threshold: 0, target: 99, maximum: 99}")
    assert risk(60_000, config, draw=1).tvr == TVR.FLOOR_LIMIT_EXCEEDED
    offline = config_with('type: "23"', random="{threshold: 0, target: 99, maximum: 99}")
    assert risk(100, offline, draw=1).tvr == TVR(0)


def test_the_system_draws_from_1_to_99() -> None:
    assert {one_to_99() for _ in range(5000)} <= set(range(1, 100))


@pytest.mark.parametrize(
    ("atc", "last", "bits"),
    [
        ("04D2", "04D1", TVR(0)),
        ("04D2", "04C0", TVR(0)),  # 18 in a row: the lower limit is reached, not exceeded
        ("04D2", "04BF", TVR.LOWER_OFFLINE_LIMIT_EXCEEDED),
        ("04D2", "049E", TVR.LOWER_OFFLINE_LIMIT_EXCEEDED),  # 52: the upper limit reached
        ("04D2", "049D", BOTH),
        ("0005", "0000", TVR.NEW_CARD),
        ("04D2", "04D2", BOTH),
        ("04D2", "04D3", BOTH),
        ("0000", "0000", BOTH | TVR.NEW_CARD),
        # What GET DATA does not give is missing. EMV 4.4 Book 3, 7.5, table 35.
        (None, "0000", BOTH | TVR.NEW_CARD | TVR.ICC_DATA_MISSING),
        ("04D2", None, BOTH | TVR.ICC_DATA_MISSING),
        (None, None, BOTH | TVR.ICC_DATA_MISSING),
        ("04", "04D1", BOTH | TVR.ICC_DATA_MISSING),
    ],
)
def test_velocity_compares_the_counters_with_both_limits(atc: str | None, last: str | None, bits: TVR) -> None:
    answers = {tag: value for tag, value in (("9F36", atc), ("9F13", last)) if value is not None}
    assert risk(card={0x9F14: "12", 0x9F23: "34"}, answers=answers).tvr == bits


def test_the_upper_limit_counts_only_where_the_lower_is_exceeded() -> None:
    """EMV 4.4 Book 3, 10.6.3. A card may have them the wrong way round."""
    answers = {"9F36": "0014", "9F13": "000A"}
    assert risk(card={0x9F14: "12", 0x9F23: "03"}, answers=answers).tvr == TVR(0)
    assert risk(card={0x9F14: "05", 0x9F23: "03"}, answers=answers).tvr == BOTH


@pytest.mark.parametrize("limits", [{0x9F14: "12"}, {0x9F23: "34"}, {}])
def test_velocity_wants_both_limits_and_asks_for_no_counter_otherwise(limits: Mapping[int, str]) -> None:
    assert risk(card=limits).tvr == TVR(0)


@pytest.mark.parametrize(
    ("listed", "hit"), [((PAN, None), True), ((PAN, 1), True), ((PAN, 2), False), (("6225000000000014", None), False)]
)
def test_the_exception_file_knows_cards_with_and_without_sequence_number(
    listed: tuple[str, int | None], hit: bool
) -> None:
    config = config_with().with_exceptions(frozenset([listed]))
    assert bool(risk(config=config).tvr & TVR.ON_EXCEPTION_FILE) is hit


def test_the_merchant_can_force_a_transaction_online() -> None:
    assert risk(force=True).tvr == TVR.MERCHANT_FORCED_ONLINE


def test_no_step_shows_the_card_number() -> None:
    config = config_with().with_exceptions(frozenset([(PAN, None)]))
    assert all(PAN not in step.text for step in risk(config=config).steps)


@pytest.mark.parametrize(("amount", "other"), [(-1, 0), (10**12, 0), (5, 6), (5, -1)])
def test_an_amount_that_cannot_be_is_refused(amount: int, other: int) -> None:
    with pytest.raises(CodecError, match="cashback"):
        Transaction(amount, AT, other)


def test_a_transaction_gives_its_data_elements() -> None:
    data = Transaction(123_456, AT, 3_456, sequence=7).data(b"\x01\x02\x03\x04")
    assert data[0x9F02].hex() == "000000123456"
    assert data[0x9F03].hex() == "000000003456"
    assert (data[0x9A].hex(), data[0x9F21].hex(), data[0x9F41].hex()) == ("261122", "103000", "00000007")
    assert data[0x81] == (123_456).to_bytes(4, "big")
    assert 0x81 not in Transaction(5_000_000_000, AT).data(bytes(4))
