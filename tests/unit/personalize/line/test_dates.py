"""A clock or a zone that does not agree with the card data stops the line before a chip is changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from personalize.errors import LineStopped
from personalize.line.dates import refuse_wrong_dates
from personalize.line.execute import process
from personalize.line.job import open_dossier
from personalize.line.outcome import CardOutcome
from simulators.readers.reader import SimCard
from terminal.localtime import time_zone
from tests.support import bank
from tests.support.cards.card_bench import Bench, Rack

MEMBERS = 3
BEIJING = timezone(timedelta(hours=8))
PREPARED = date(2026, 11, 22)
YESTERDAY = datetime(2026, 11, 21, 23, 30, tzinfo=UTC)


def clock(*times: datetime) -> Callable[[], datetime]:
    """Gives these times one after another, then the last one."""
    coming = list(times)
    return lambda: coming.pop(0) if len(coming) > 1 else coming[0]


WRONG_DAYS = [
    pytest.param(YESTERDAY, "2026-11-22", "valid only from 2026-11-22", id="the-day-before-by-another-zone"),
    pytest.param(datetime(2000, 1, 1, tzinfo=UTC), "2026-11-22", "valid only from", id="a-clock-without-battery"),
    pytest.param(datetime(2031, 12, 1, tzinfo=UTC), "2031-11-22", "valid through 2031-11-22", id="membership-over"),
    pytest.param(datetime(2037, 12, 1, tzinfo=UTC), "2036-11-22", "valid through 2036-11-22", id="card-expired"),
    pytest.param(datetime(2027, 11, 24, tzinfo=UTC), "2026-11-22", "more than 366 days ago", id="too-old"),
]


@pytest.mark.parametrize(("at", "dated", "sentence"), WRONG_DAYS)
def test_card_data_of_another_day_are_refused(bench: Bench, at: datetime, dated: str, sentence: str) -> None:
    waiting = bench.registry.dossiers.next_waiting(bench.batch)
    assert waiting is not None
    dossier = open_dossier(bench.job().custody, waiting.card_number, waiting.sequence, waiting.sealed)
    with pytest.raises(LineStopped, match=sentence) as stopped:
        refuse_wrong_dates(dossier, at, 366)
    assert stopped.value.code == "dates"
    assert stopped.value.params == {"dated": dated, "now": f"{at:%Y-%m-%d %H:%M} +00:00"}
    assert waiting.card_number not in str(stopped.value)


@pytest.mark.parametrize("at", [YESTERDAY, datetime(2040, 1, 1, tzinfo=UTC)])
def test_a_wrong_clock_rejects_no_chip_and_the_right_one_finishes_the_batch(bench: Bench, at: datetime) -> None:
    """Dossiers dated under one zone and run under another, or under a wrong clock: no chip is even bound."""
    rack = Rack(bench.chip() for _ in range(3))
    in_force = bench.job().trust
    issue = replace(in_force.issue, issued=at - timedelta(days=1), expires=at + timedelta(days=1))
    job = replace(bench.job(), now=lambda: at, trust=replace(in_force, issue=issue))
    result = bench.run(rack, job=job)
    assert (result.fault, result.code, result.counts) == (True, "dates", {})
    assert f"{at:%Y-%m-%d %H:%M} +00:00" in result.message
    assert (bench.accounts.chips_fed, bench.accounts.waiting) == (0, 3)
    bench.run(rack)
    assert bench.accounts.verified == 3
    bench.check_all_issued()


def test_a_clock_set_back_while_the_line_runs_stops_it_and_the_chip_goes_on_later(bench: Bench) -> None:
    chip = bench.chip()
    right = bench.job().now()
    job = replace(bench.job(), now=clock(right, YESTERDAY))
    result = bench.run(Rack([chip]), job=job)
    assert (result.fault, result.code) == (True, "dates")
    assert not bench.registry.line.rejects(bench.batch)
    report = process(SimCard(chip, chip.config.protocol), bench.job(), "lane 1", lambda serial: True)
    assert report.outcome is CardOutcome.VERIFIED, report.reason


def test_a_clock_set_back_before_the_trust_list_stops_the_line(bench: Bench) -> None:
    """The day on the card is right, but the read-back's trust list is from the day after."""
    right = bench.job().now()
    late = replace(bench.job().trust.issue, issued=right + timedelta(days=1))
    job = replace(bench.job(), trust=replace(bench.job().trust, issue=late))
    result = bench.run(Rack([bench.chip()]), job=job)
    assert (result.fault, result.code, bench.accounts.chips_fed) == (True, "dates", 0)


def test_a_card_that_is_read_back_after_midnight_is_judged_by_the_day_it_was_begun(bench: Bench) -> None:
    chip, last_day = bench.chip(), datetime(2031, 11, 22, 23, 59, tzinfo=BEIJING)
    issue = replace(bench.job().trust.issue, expires=last_day + timedelta(days=9))
    trust = replace(bench.job().trust, issue=issue)
    job = replace(bench.job(), now=clock(last_day, last_day + timedelta(minutes=2)), trust=trust, dossier_days=3660)
    report = process(SimCard(chip, chip.config.protocol), job, "lane 1", lambda serial: True)
    assert report.outcome is CardOutcome.VERIFIED, report.reason


def test_the_dates_of_a_payment_application_are_compared_too() -> None:
    """A bank's card that expires before the membership ends."""
    dossier = bank.dossier()
    assert dossier.payment is not None
    ends = b"\x5f\x24\x03\x36"
    parts = tuple(
        replace(part, value=part.value.replace(ends, b"\x5f\x24\x03\x27")) if isinstance(part.value, bytes) else part
        for part in dossier.payment.parts
    )
    assert parts != dossier.payment.parts
    shorter = dossier.with_applications(("payment",), (replace(dossier.payment, parts=parts),))
    at = datetime(2028, 1, 1, tzinfo=time_zone("Asia/Shanghai"))
    refuse_wrong_dates(dossier, at, 3660)
    with pytest.raises(LineStopped, match=r"valid through 2027-.*2028-01-01 00:00 \+08:00"):
        refuse_wrong_dates(shorter, at, 3660)
