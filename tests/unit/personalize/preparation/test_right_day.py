"""Preparation stops before cards are dated by a clock that cannot be right."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from personalize.errors import LineStopped
from personalize.preparation.batch import CLOCK_SKEW, refuse_wrong_day
from personalize.reasons import RejectCode
from registry.values import Batch
from tests.support import issuer

APPROVED = datetime(2026, 11, 22, 17, 30, tzinfo=UTC)
DAYS = 30


@pytest.fixture
def batch(tmp_path: Path) -> Batch:
    with issuer.registry(f"sqlite:///{tmp_path / 'r.db'}") as store:
        drafted = store.rosters.import_roster("测试工会", issuer.rows(1), [], source="f", digest="d", by="clerk")
    return replace(drafted, approved_at=APPROVED)


def stopped_at(batch: Batch, now: datetime) -> bool:
    try:
        refuse_wrong_day(batch, now, DAYS)
    except LineStopped:
        return True
    return False


@pytest.mark.parametrize("later", [-CLOCK_SKEW, timedelta(0), timedelta(days=DAYS)])
def test_a_clock_between_approval_and_the_last_day_is_right(batch: Batch, later: timedelta) -> None:
    assert not stopped_at(batch, APPROVED + later)


@pytest.mark.parametrize("later", [-CLOCK_SKEW - timedelta(seconds=1), timedelta(days=DAYS, seconds=1)])
def test_a_clock_before_the_approval_or_long_after_it_stops_the_preparation(batch: Batch, later: timedelta) -> None:
    at = (APPROVED + later).astimezone(ZoneInfo("Asia/Shanghai"))
    with pytest.raises(LineStopped) as stopped:
        refuse_wrong_day(batch, at, DAYS)
    assert stopped.value.code is RejectCode.DATES
    assert f"batch {batch.id} was approved at 2026-11-23 01:30 +08:00" in str(stopped.value)
    assert ("more than 30 days later (dossier_days)" in str(stopped.value)) is (later > timedelta(0))


def test_a_draft_has_no_day_to_compare(batch: Batch) -> None:
    assert stopped_at(batch, APPROVED - timedelta(days=900))
    assert not stopped_at(replace(batch, approved_at=None), APPROVED - timedelta(days=900))
