"""Times of a journal's rows: they do not go back, and what an upload did not have is younger than it."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from registry.programme.findings import Finding
from registry.store import Registry
from terminal.keys.memory import MemoryCustody
from terminal.member.journal_rows import RowKind
from tests.support.registry.redeemed import DAY
from tests.support.registry.registrar import SetClock
from tests.unit.registry.programme.test_booking import Filled, Ledger, custody, filled, keys, url
from tests.unit.registry.programme.test_rules import PASS, PHASES, TWO_A_DAY, VISIT, Ruled

__all__ = ["custody", "filled", "keys", "url"]
pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")


@pytest.fixture
def ledger(registry: Registry, keys: MemoryCustody, filled: Filled) -> Ledger:
    return Ledger(registry, keys, filled)


def late_one(ledger: Ledger) -> Finding:
    (late,) = (one for one in ledger.findings() if one.kind == "reversal-late")
    return late


def test_a_reversal_that_is_dated_before_the_row_before_it_waits_for_a_person(ledger: Ledger) -> None:
    row = ledger.till.redeemed(ledger.first.redeem())
    ledger.redeemed(ledger.second.redeem(day=DAY + timedelta(days=1)))
    ledger.till.at = row.at + timedelta(minutes=5)
    ledger.till.add(RowKind.REVERSED, redemption=row.number, by="王芳", reason="买错")
    assert ledger.book().findings == {"journal-time": 1, "reversal-late": 1}
    assert ledger.registry.redemptions.page().items[-1].reversed_at is None
    after = datetime.combine(DAY + timedelta(days=1), row.at.timetz()) + timedelta(seconds=1)
    assert late_one(ledger).facts["preceding"] == after.isoformat()
    (time,) = (one for one in ledger.findings() if one.kind == "journal-time")
    assert (time.facts["row"], time.holds) == (3, False)


def test_a_reversal_that_is_dated_before_an_upload_without_it_waits_for_a_person(
    ledger: Ledger, clock: SetClock
) -> None:
    row = ledger.till.redeemed(ledger.first.redeem())
    ledger.book()
    uploaded = clock.now
    clock.forward(timedelta(hours=17))
    ledger.till.add(RowKind.REVERSED, redemption=row.number, by="王芳", reason="买错")
    assert ledger.book().findings == {"journal-time": 1, "reversal-late": 1}
    assert late_one(ledger).facts["complete"] == uploaded.isoformat()
    assert ledger.held() == [1]


def test_what_an_upload_has_left_behind_is_in_time(ledger: Ledger, clock: SetClock) -> None:
    row = ledger.till.redeemed(ledger.first.redeem())
    ledger.book()
    ledger.till.add(RowKind.REVERSED, redemption=row.number, by="王芳", reason="买错")
    ledger.till.add(RowKind.TORN, intent=9)
    clock.forward(timedelta(minutes=59))
    assert ledger.book().findings == {}, "the upload comes in parts"
    ledger.till.at = clock.now - timedelta(minutes=12)
    ledger.till.redeemed(ledger.second.redeem())
    clock.forward(timedelta(minutes=2))
    assert ledger.book().findings == {}, "the clocks are a little apart"
    ledger.till.at -= timedelta(minutes=4)
    ledger.till.redeemed(ledger.second.redeem())
    clock.forward(timedelta(minutes=61))
    assert ledger.book().findings == {"journal-time": 1}


def test_after_a_note_that_a_clock_was_ahead_times_go_on_from_there(ledger: Ledger) -> None:
    ledger.till.redeemed(ledger.first.redeem(day=DAY + timedelta(days=1)))
    ledger.till.at -= timedelta(hours=1)
    ledger.till.add(RowKind.ACKNOWLEDGED, by="王芳", reason="the clock was ahead", places="")
    row = ledger.till.redeemed(ledger.second.redeem())
    ledger.till.add(RowKind.REVERSED, redemption=row.number, by="王芳", reason="买错")
    result = ledger.book(first=1)
    assert (result.reversed, result.findings) == (1, {"journal-acknowledged": 1})


def test_a_late_reversal_that_is_accepted_has_later_uses_judged_again(ledger: Ledger, clock: SetClock) -> None:
    ruled = Ruled(ledger, clock)
    ruled.publish(TWO_A_DAY)
    assert ruled.redeemed(*(ledger.first.redeem() for _ in range(3))) == {"not-allowed": 1}
    ledger.till.at += timedelta(days=1)
    ledger.till.add(RowKind.REVERSED, redemption=2, by="王芳", reason="买错")
    assert ruled.book().findings == {"reversal-late": 1}
    for person in ("li", "wang"):
        ledger.registry.findings.close(
            late_one(ledger).id, "accepted", by=person, reason="he was here", rules=ruled.rules
        )
    assert ledger.findings() == []
    (over,) = (one for one in ledger.findings(closed=True) if one.kind == "not-allowed")
    assert (over.decision, over.closed_by, over.reason) == ("resolved", "registry", "taken back")
    assert ledger.held() == []


def test_what_a_late_reversal_makes_wrong_is_a_new_finding(ledger: Ledger, clock: SetClock) -> None:
    ruled = Ruled(ledger, clock)
    ruled.publish(PHASES)
    assert ruled.redeemed(ledger.first.redeem(amount=10300), **PASS) == {}
    assert ruled.redeemed(ledger.first.redeem(), **VISIT) == {}
    ledger.till.at += timedelta(days=1)
    ledger.till.add(RowKind.REVERSED, redemption=2, by="王芳", reason="买错")
    ruled.book()
    late = late_one(ledger)
    ledger.registry.findings.close(late.id, "accepted", by="li", reason="he was here", rules=ruled.rules)
    assert ledger.kinds() == ["reversal-late"], "one person takes nothing back"
    ledger.registry.findings.close(late.id, "accepted", by="wang", reason="he was here", rules=ruled.rules)
    (finding,) = ledger.findings()
    assert (finding.kind, finding.atc, finding.facts["code"]) == ("not-allowed", 2, "phase-not-reached")
    assert ledger.held() == [2]
