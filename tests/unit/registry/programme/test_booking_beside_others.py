"""Booking while another transaction is about the same journal or finding: neither stops the other for ever."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import text

from programme.records.grant_rules import ProgrammeGrantRules
from registry.errors import RegistryConflict
from registry.programme.findings import Finding
from registry.programme.uploads.journals import locked_journal
from registry.store import Registry
from terminal.keys.memory import MemoryCustody
from terminal.member.redemption.evidence import RedemptionEvidence
from tests.support.registry.redeemed import JOURNAL
from tests.support.registry.registrar import SetClock
from tests.support.waiting import eventually
from tests.unit.registry.programme.test_booking import Filled, Ledger, custody, filled, keys, url
from tests.unit.registry.programme.test_grants import TWO_A_MONTH, Issuer, granted

__all__ = ["custody", "filled", "keys", "url"]
pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")


def done_or_waiting(registry: Registry, job: Future[Any]) -> Callable[[], bool]:
    def look() -> bool:
        if job.done() or registry._context.database.dialect == "sqlite":  # which has one writer
            return True
        with registry._context.read() as conn:
            return bool(conn.execute(text("SELECT count(*) FROM pg_locks WHERE NOT granted")).scalar())

    return look


def test_a_grant_does_not_wait_for_an_upload_of_its_counter(
    registry: Registry, keys: MemoryCustody, filled: Filled, clock: SetClock
) -> None:
    """The upload holds the journal and waits for the member, whom the grant holds."""
    issuer = Issuer(Ledger(registry, keys, filled), clock)
    issuer.ruled.publish(TWO_A_MONTH)
    rules = ProgrammeGrantRules(issuer.ruled.rules.refreshed())
    granted(issuer.ask(1))
    with ThreadPoolExecutor(1) as pool:
        with registry._context.write() as conn:
            locked_journal(conn, JOURNAL)
            job = pool.submit(issuer.grants.ask, issuer.ledger.east, issuer.request(2), rules, by="till")
            eventually(done_or_waiting(registry, job))
            at_once = job.done()
        assert granted(job.result()).left == 0
    assert at_once or registry._context.database.dialect == "sqlite"


def test_a_finding_is_not_decided_while_its_redemption_is_booked(
    registry: Registry, keys: MemoryCustody, filled: Filled
) -> None:
    ledger = Ledger(registry, keys, filled)
    with_key, decided = ledger.prove, list[Future[Finding]]()
    ledger.prove = lambda evidence: False
    ledger.redeemed(ledger.first.redeem())
    (finding,) = ledger.findings()

    with ThreadPoolExecutor(1) as pool:

        def prove(evidence: RedemptionEvidence) -> bool:
            job = pool.submit(registry.findings.close, finding.id, "refused", by="wang", reason="forged")
            eventually(done_or_waiting(registry, job))
            decided.append(job)
            return with_key(evidence)

        assert registry.booking.again(finding.id, prove, by="li").booked
        with pytest.raises(RegistryConflict, match="is closed already"):
            decided[0].result()
    assert registry.findings.finding(finding.id).closed_by == "li"
