"""Two approvals at once never take more numbers than a range has."""

from __future__ import annotations

from threading import Barrier, Thread

import pytest

from registry.errors import RegistryConflict
from registry.ranges import RangeKind, SerialRange
from registry.store import Registry
from registry.values import BatchState
from tests.support.registry.registrar import UNIT, rows

FIVE = tuple(f"62122600000000{number:05d}" for number in range(5))


@pytest.mark.parametrize(
    ("room", "reason"),
    [
        (SerialRange(RangeKind.CARD, "91561300", 5), "card-numbers"),
        (SerialRange(RangeKind.PAN, "621226", 5, FIVE), "account-numbers"),
        (SerialRange(RangeKind.MEMBER, "13000", 5), "member-numbers"),
    ],
    ids=["cards", "listed accounts", "members"],
)
def test_two_approvals_at_once_stay_within_the_range(registry: Registry, room: SerialRange, reason: str) -> None:
    drafts = [
        registry.rosters.import_roster(UNIT, rows(3, start), [], source="f", digest=f"d{start}", by="张").id
        for start in (1, 11)
    ]
    start, refused = Barrier(2), list[str]()

    def approve(batch: str) -> None:
        start.wait(timeout=60)
        try:
            registry.batches.approve(batch, "李", ranges=[room])
        except RegistryConflict as e:
            refused.append(e.reason)

    both = [Thread(target=approve, args=(batch,)) for batch in drafts]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert refused == [reason]
    states = sorted(registry.batches.batch(batch).state.value for batch in drafts)
    assert states == sorted([BatchState.APPROVED.value, BatchState.DRAFT.value])
