"""What waits for a second person: each signature for whom it may come from, and for nobody else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from reader_service.access.authenticator import key_of, new_token
from reader_service.principal import Principal, Role
from reader_service.services.administration.signatures import SignatureService
from reader_service.services.issuing.batches import BatchService
from tests.support.registry.registrar import UNIT, rows
from tests.support.service.registry_rig import AUDITOR, CLERK, OPERATOR, REVIEWER, RegistryRig, carded

OTHER = Principal("赵敏", frozenset({Role.REVIEWER}))
BOTH = Principal("李娜", frozenset({Role.REGISTRAR, Role.REVIEWER}))
CHIEF = Principal("chief", frozenset({Role.ADMINISTRATOR}))
SECOND = Principal("second", frozenset({Role.ADMINISTRATOR}))


@pytest.fixture
def waiting(rig: RegistryRig) -> Callable[[Principal], list[tuple[str, str, bool]]]:
    service = SignatureService(rig.parts)
    return lambda p: [(one.kind.value, one.key, one.own) for one in service.waiting(p)]


def test_a_submitted_roster_waits_for_every_reviewer_but_its_clerk(
    rig: RegistryRig, waiting: Callable[[Principal], list[tuple[str, str, bool]]]
) -> None:
    batch = rig.registry.rosters.import_roster(UNIT, rows(1), [], source="f", digest="d", by="李娜").id
    assert waiting(REVIEWER) == waiting(CLERK) == []
    rig.registry.reviews.submit(batch, by="李娜")
    assert waiting(REVIEWER) == waiting(OTHER) == [("review", batch, False)]
    assert waiting(CLERK) == waiting(BOTH) == [("review", batch, True)]
    assert waiting(OPERATOR) == waiting(AUDITOR) == []
    rig.registry.reviews.give_back(batch, by="王芳", reason="缺照片")
    assert waiting(REVIEWER) == []
    assert waiting(CLERK) == [("correction", batch, False)]
    rig.registry.reviews.submit(batch, by="李娜")
    rig.registry.batches.approve(batch, "王芳")
    assert waiting(REVIEWER) == waiting(CLERK) == []


def test_a_closing_waits_for_a_second_person_for_as_long_as_the_first_signature_lasts(
    rig: RegistryRig, waiting: Callable[[Principal], list[tuple[str, str, bool]]]
) -> None:
    batch, _ = carded(rig.registry, 1)
    service = BatchService(rig.parts, rig.bus)
    assert waiting(REVIEWER) == []
    service.close_batch(OPERATOR, batch)
    assert waiting(OPERATOR) == [("closing", batch, True)]
    assert waiting(REVIEWER) == [("closing", batch, False)]
    rig.clock.forward(timedelta(days=1, seconds=1))
    assert waiting(REVIEWER) == []
    service.close_batch(OPERATOR, batch)
    service.close_batch(REVIEWER, batch)
    assert waiting(REVIEWER) == waiting(OPERATOR) == []
    service.close()


def test_a_token_that_reads_members_waits_for_a_second_administrator(
    rig: RegistryRig, waiting: Callable[[Principal], list[tuple[str, str, bool]]]
) -> None:
    for name in ("chief", "second"):
        rig.registry.users.add(name, name, "", ["administrator"], by="tests", must_change=False)
    until = rig.clock() + timedelta(days=9)
    for roles in (["registrar"], ["operator"], ["registrar"]):
        reads = roles == ["registrar"]
        token = rig.registry.tokens.make(
            "扫描", key_of(new_token()), roles, until=until, by="chief", needs_consent=reads
        )
    rig.registry.tokens.revoke(token.id, by="chief", reason="误建")
    assert waiting(SECOND) == [("consent", "1", False)]
    assert waiting(CHIEF) == [("consent", "1", True)]
    rig.registry.tokens.consent(1, by="second")
    assert waiting(SECOND) == waiting(CHIEF) == []


def test_a_token_signs_nothing(rig: RegistryRig, waiting: Callable[[Principal], list[tuple[str, str, bool]]]) -> None:
    batch = rig.registry.rosters.import_roster(UNIT, rows(1), [], source="f", digest="d", by="李娜").id
    rig.registry.reviews.submit(batch, by="李娜")
    assert waiting(Principal("王芳", frozenset({Role.REVIEWER}), "t")) == []
