"""Signed editions of the programme: versions grow, and no edition is ever changed or deleted."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import delete, insert, text, update

from registry.admin.programmes import ProgrammeEditionFile, ProposalState, PublishedProgramme
from registry.db.tables import programme_editions
from registry.errors import NotOnRecord, RegistryConflict, RegistryError
from registry.store import Registry
from tests.support.registry.registrar import SetClock

PROGRAMME = PublishedProgramme("beijing", "110000", "ab" * 32, timedelta(days=90))


def sign(version: int, at: datetime) -> bytes:
    return f"{version} {at.isoformat()}".encode()


def proposed(registry: Registry, digest: str = "ab" * 32) -> int:
    programme = replace(PROGRAMME, digest=digest)
    return registry.programme_editions.propose(programme, "format: 1", "own.yaml", by="王芳").number


def published(registry: Registry, digest: str = "ab" * 32) -> ProgrammeEditionFile:
    return registry.programme_editions.publish(proposed(registry, digest), sign, by="登记员")


def test_editions_are_numbered_by_time_and_listed_newest_first(registry: Registry, clock: SetClock) -> None:
    assert registry.programme_editions.newest() is None
    first = published(registry)
    second = published(registry)  # within the same second
    clock.forward(timedelta(days=-10))
    third = published(registry)  # after the clock was set back
    assert first.version == int(first.at.timestamp())
    assert [second.version, third.version] == [first.version + 1, first.version + 2]
    assert registry.programme_editions.newest() == third == registry.programme_editions.edition(third.version)
    assert third.expires == third.at + timedelta(days=90)
    assert third.signed == sign(third.version, third.at)
    page = registry.programme_editions.page(limit=2)
    rest = registry.programme_editions.page(page.next, 2)
    assert [line.version for line in (*page.items, *rest.items)] == [third.version, second.version, first.version]
    assert (page.items[0].programme, page.items[0].division, page.items[0].digest) == ("beijing", "110000", "ab" * 32)
    before = [registry.programme_editions.before(one.version) for one in (third, second, first)]
    assert before == [second, first, None]
    with pytest.raises(NotOnRecord, match="no edition 7 of the programme"):
        registry.programme_editions.edition(7)


def test_a_publication_is_in_the_audit(registry: Registry) -> None:
    edition = published(registry)
    row, first = registry.audit.page().items
    assert (first.entry.actor, first.entry.action) == ("王芳", "programme.propose")
    entry = row.entry
    assert (entry.actor, entry.action, entry.subject) == ("登记员", "programme.publish", f"programme:{edition.version}")
    assert entry.facts == {"name": "beijing", "digest": "ab" * 8}


def test_an_edition_that_cannot_be_signed_never_was(registry: Registry) -> None:
    def refuse(*_: object) -> bytes:
        raise RegistryConflict("no key", reason="no")

    with pytest.raises(RegistryConflict, match="no key"):
        registry.programme_editions.publish(proposed(registry), refuse, by="登记员")
    assert registry.programme_editions.newest() is None
    assert [row.entry.action for row in registry.audit.page().items] == ["programme.propose"]
    (waiting,) = registry.programme_editions.proposals(state=ProposalState.WAITING).items
    assert waiting.version is None


def test_editions_published_at_once_follow_each_other(registry: Registry) -> None:
    def publish(number: int) -> int:
        return published(registry, f"{number:064x}").version

    with ThreadPoolExecutor(4) as pool:
        versions = list(pool.map(publish, range(8)))
    assert sorted(versions) == list(range(min(versions), min(versions) + 8))


def test_of_publishers_at_once_who_compared_with_one_edition_one_publishes(registry: Registry) -> None:
    """Each has seen what changes against the same edition; once one has published, the others saw other changes."""
    editions = registry.programme_editions

    def publish(number: int, against: int) -> int | str:
        try:
            return editions.publish(number, sign, by="登记员", against=against).version
        except RegistryConflict as conflict:
            return conflict.reason

    waiting = [proposed(registry, f"{number:064x}") for number in range(5)]
    against = 0
    for _ in range(2):
        with ThreadPoolExecutor(4) as pool:
            outcomes = list(pool.map(publish, waiting, [against] * len(waiting)))
        newest = editions.newest()
        assert newest is not None
        assert sorted(outcomes, key=str) == [newest.version, *["programme-changed"] * (len(waiting) - 1)]
        waiting.pop(outcomes.index(newest.version))
        against = newest.version
    assert publish(waiting[0], 0) == "programme-changed"
    assert [one.number for one in editions.proposals(state=ProposalState.WAITING).items] == waiting[::-1]


def test_the_database_changes_and_deletes_no_edition(registry: Registry) -> None:
    edition = published(registry)
    again = {
        "version": edition.version, "at": edition.at, "by": "x", "programme": "x", "division": "110000",
        "digest": "cd" * 32, "expires": edition.expires, "signed": b"",
    }  # fmt: skip
    tries = [update(programme_editions).values(signed=b"x"), delete(programme_editions)]
    if registry._context.database.name.startswith("sqlite"):
        names = ", ".join(again)
        marks = ", ".join(f":{name}" for name in again)
        replace = text(f"INSERT OR REPLACE INTO programme_editions ({names}) VALUES ({marks})")  # noqa: S608
        tries.append(replace.bindparams(**again | {"at": "2026-01-01", "expires": "2027-01-01"}))  # type: ignore[arg-type]
    else:
        tries.append(insert(programme_editions).values(again))  # type: ignore[arg-type]
    for statement in tries:
        with pytest.raises(RegistryError), registry._context.write() as conn:
            conn.execute(statement)
    assert registry.programme_editions.newest() == edition


def test_two_people_publish_and_each_proposal_once(registry: Registry) -> None:
    number = proposed(registry)
    editions = registry.programme_editions
    for actor in ("王芳", "王芳 (command line)"):
        with pytest.raises(RegistryConflict) as own:
            editions.publish(number, sign, by=actor)
        assert own.value.reason == "own-work"
    with pytest.raises(RegistryConflict) as own:
        editions.refuse(number, by="王芳", reason="no")
    assert own.value.reason == "own-work"
    with pytest.raises(RegistryConflict) as same:
        proposed(registry)
    assert (same.value.reason, same.value.params) == ("proposal-waiting", {"number": number})
    assert editions.newest() is None
    edition = editions.publish(number, sign, by="登记员")
    done = editions.proposal(number)
    assert (done.state, done.version, done.decided_by) == (ProposalState.PUBLISHED, edition.version, "登记员")
    assert (edition.proposal, editions.content(number)) == (number, "format: 1")
    with pytest.raises(RegistryConflict) as twice:
        editions.publish(number, sign, by="登记员")
    assert twice.value.reason == "proposal-over"
    with pytest.raises(NotOnRecord, match="no proposal 9"):
        editions.publish(9, sign, by="登记员")


def test_a_proposal_is_taken_back_or_refused_with_a_reason(registry: Registry) -> None:
    editions = registry.programme_editions
    first = editions.cancel(proposed(registry), by="王芳", reason="the wrong file")
    second = editions.refuse(proposed(registry), by="登记员", reason="last year's price")
    assert (first.state, second.state) == (ProposalState.CANCELLED, ProposalState.REFUSED)
    assert second.decided_reason == "last year's price"
    assert editions.proposals().items == (second, first)
    with pytest.raises(RegistryConflict):
        editions.cancel(second.number, by="王芳", reason="again")


FORBIDDEN = {
    "an edition that nobody handed in": "INSERT INTO programme_editions {new} VALUES (7, {values}, NULL)",
    "an edition by who handed it in": "INSERT INTO programme_editions {new} VALUES (7, {values}, {own})",
    "a published proposal again": "INSERT INTO programme_editions {new} VALUES (7, {values}, {done})",
    "a proposal changed": "UPDATE programme_proposals SET content = 'x' WHERE state = 'waiting'",
    "a published proposal changed": "UPDATE programme_proposals SET state = 'refused' WHERE state = 'published'",
    "a proposal deleted": "DELETE FROM programme_proposals",
}


def test_the_database_holds_two_people_to_an_edition(registry: Registry) -> None:
    done = published(registry, "cd" * 32).proposal
    own = proposed(registry)
    new = '(version, at, "by", programme, division, digest, expires, signed, proposal_id)'
    values = f"'2026-11-22 09:00:00', '王芳', 'x', '110000', '{'ab' * 32}', '2026-12-22 09:00:00', ''"
    taken = []
    for what, statement in FORBIDDEN.items():
        written = statement.format(new=new, values=values, own=own, done=done)
        with contextlib.suppress(RegistryError), registry._context.write() as conn:
            conn.execute(text(written))
            taken.append(what)
    assert taken == []
