"""The person behind an actor, and the second person that approval, closing and consent ask for."""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256

import pytest
from sqlalchemy import text

from registry.db.actors import machine_actor, person_of, token_actor, unproven_actor
from registry.errors import OWN_WORK, RegistryConflict
from registry.store import Registry
from terminal.keys.memory import MemoryCustody
from tests.support.registry.registrar import UNIT, SetClock, claimed, ready, rows

HASH = "$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA"
DAY = timedelta(days=1)


def token(registry: Registry, clock: SetClock, label: str, by: str = "root", *, needs_consent: bool = False) -> str:
    """A registrar token of ``by``, as the actor of its work."""
    secret = sha256(label.encode()).digest()
    until = clock.now + DAY
    issued = registry.tokens.make(label, secret, ["registrar"], until=until, by=by, needs_consent=needs_consent)
    return issued.actor


@pytest.fixture(autouse=True)
def people(registry: Registry) -> None:
    registry.users.first("root", "管理员", HASH, ["administrator", "reviewer"])
    registry.users.add("li.na", "李娜", HASH, ["administrator"], by="root")


def test_the_person_behind_an_actor(registry: Registry, clock: SetClock) -> None:
    actor = token(registry, clock, "till (token 99)")
    assert actor == "till (token 99) (token 1)"
    with registry._context.read() as conn:
        people = [
            person_of(conn, name)
            for name in (
                actor,
                unproven_actor(actor),
                unproven_actor(" Root "),
                machine_actor("root"),
                token_actor("x", 77),
                "(token 1)",
            )
        ]
    assert people == ["root", "root", "Root", "root", "x (token 77)", "(token 1)"]


@pytest.mark.parametrize(
    "approver",
    ["root", " ROOT ", "till (token 1)", "other (token 2)", "root (unproven)", "ｒ\u3164\u043e0\u2800ｔ"],
)
def test_who_created_the_importing_token_does_not_approve(registry: Registry, clock: SetClock, approver: str) -> None:
    importer = token(registry, clock, "till")
    token(registry, clock, "other")
    batch = registry.rosters.import_roster(UNIT, rows(1), [], source="f", digest="d", by=importer)
    with pytest.raises(RegistryConflict, match="a second person") as refused:
        registry.batches.approve(batch.id, approver)
    assert refused.value.reason == OWN_WORK
    assert registry.batches.imported_by_person(batch.id, approver)
    assert not registry.batches.imported_by_person(batch.id, "li.na")
    assert registry.batches.approve(batch.id, "li.na").approved_by == "li.na"


def test_who_created_the_signing_token_does_not_close(
    registry: Registry, custody: MemoryCustody, clock: SetClock
) -> None:
    batch = ready(registry, custody, 1)
    registry.line.verified(claimed(registry, batch, 1), {}, 1.0)
    signer = token(registry, clock, "till")
    for second in ("root", signer, ""):
        with pytest.raises(RegistryConflict, match="two different people"):
            registry.batches.close(batch, signer, second)
    assert registry.batches.close(batch, signer, "li.na").closed_by == (signer, "li.na")


def test_the_database_refuses_the_creator_of_the_token_too(
    registry: Registry, custody: MemoryCustody, clock: SetClock
) -> None:
    importer = token(registry, clock, "till")
    batch = registry.rosters.import_roster(UNIT, rows(1), [], source="f", digest="d", by=importer).id
    done = ready(registry, custody, 1, "d2", 7)
    copy = text(
        "INSERT INTO batches (id, unit_id, stage, source, digest, imported_by, imported_at, approved_by) "
        "SELECT 'X', unit_id, 'approved', source, 'other', imported_by, imported_at, 'root' FROM batches WHERE id = :id"
    )
    approve = text("UPDATE batches SET approved_by = :by WHERE id = :id")
    close = text("UPDATE batches SET stage = 'closed', closed_by = :first, closed_second = :by WHERE id = :id")
    database = registry._context.database
    for statement, values in (
        (approve, {"id": batch, "by": "root"}),
        (approve, {"id": batch, "by": "ROOT (unproven)"}),
        (copy, {"id": batch}),
        (close, {"id": done, "first": importer, "by": "root"}),
    ):
        with pytest.raises(RegistryConflict, match="contradicts"), database.write() as conn:
            conn.execute(statement, values)
    with database.write() as conn:
        conn.execute(approve, {"id": batch, "by": "li.na"})
        conn.execute(close, {"id": done, "first": importer, "by": "li.na"})


def test_a_token_that_waits_is_in_force_once_a_second_administrator_consents(
    registry: Registry, clock: SetClock
) -> None:
    token(registry, clock, "till", needs_consent=True)
    secret = sha256(b"till").digest()
    registry.users.add("wang", "", HASH, ["registrar"], by="root")
    assert registry.tokens.find(secret) is None
    with pytest.raises(RegistryConflict, match="a second administrator") as refused:
        registry.tokens.consent(1, by="Root")
    assert refused.value.reason == OWN_WORK
    with pytest.raises(RegistryConflict, match="only an administrator"):
        registry.tokens.consent(1, by="wang")
    consented = registry.tokens.consent(1, by="LI.na")
    assert (consented.consented_by, consented.consented_at, consented.waits) == ("li.na", clock.now, False)
    assert registry.tokens.consent(1, by="li.na") == consented
    assert registry.tokens.find(secret) == consented
    entries = [row.entry for row in registry.audit.page(None, 9).items if row.entry.subject == "token:1"]
    assert [(entry.actor, entry.action) for entry in entries] == [("li.na", "token.consent"), ("root", "token.make")]
    with pytest.raises(RegistryConflict, match="contradicts"), registry._context.database.write() as conn:
        conn.exec_driver_sql("UPDATE tokens SET consented_by = made_by")


def test_an_ended_token_gets_no_consent(registry: Registry, clock: SetClock) -> None:
    token(registry, clock, "till", needs_consent=True)
    clock.forward(DAY)
    with pytest.raises(RegistryConflict, match="has ended"):
        registry.tokens.consent(1, by="li.na")


def test_changed_roles_and_a_reset_password_end_the_tokens_of_a_person(registry: Registry, clock: SetClock) -> None:
    def living() -> list[str]:
        return [one.label for one in registry.tokens.page().items if one.revoked_at is None]

    for number, by in enumerate(("li.na", "root", "li.na")):
        token(registry, clock, f"till {number}", by)
    registry.users.change("li.na", by="root", reason="x", display="李娜娜")
    registry.users.set_password("li.na", HASH, by="li.na", must_change=False)
    assert living() == ["till 2", "till 1", "till 0"]
    registry.users.change("li.na", by="root", reason="demoted", roles=["auditor"])
    assert living() == ["till 1"]
    revoked = [row.entry.subject for row in registry.audit.page(None, 9).items if row.entry.action == "token.revoke"]
    assert revoked == ["token:3", "token:1"]
    registry.users.set_password("root", HASH, by="li.na", must_change=True)
    assert living() == []
    assert [one.label for one in registry.tokens.of("li.na")] == ["till 2", "till 0"]
