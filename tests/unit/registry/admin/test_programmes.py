"""Signed editions of the programme: versions grow, and no edition is ever changed or deleted."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from sqlalchemy import delete, insert, text, update

from registry.admin.programmes import PublishedProgramme
from registry.db.tables import programme_editions
from registry.errors import NotOnRecord, RegistryConflict, RegistryError
from registry.store import Registry
from tests.support.registry.registrar import SetClock

PROGRAMME = PublishedProgramme("beijing", "110000", "ab" * 32, timedelta(days=90))


def sign(version: int, at: datetime) -> bytes:
    return f"{version} {at.isoformat()}".encode()


def test_editions_are_numbered_by_time_and_listed_newest_first(registry: Registry, clock: SetClock) -> None:
    assert registry.programme_editions.newest() is None
    first = registry.programme_editions.publish(PROGRAMME, sign, by="登记员")
    second = registry.programme_editions.publish(PROGRAMME, sign, by="登记员")  # within the same second
    clock.forward(timedelta(days=-10))
    third = registry.programme_editions.publish(PROGRAMME, sign, by="登记员")  # after the clock was set back
    assert first.version == int(first.at.timestamp())
    assert [second.version, third.version] == [first.version + 1, first.version + 2]
    assert registry.programme_editions.newest() == third == registry.programme_editions.edition(third.version)
    assert third.expires == third.at + timedelta(days=90)
    assert third.signed == sign(third.version, third.at)
    page = registry.programme_editions.page(limit=2)
    rest = registry.programme_editions.page(page.next, 2)
    assert [line.version for line in (*page.items, *rest.items)] == [third.version, second.version, first.version]
    assert (page.items[0].programme, page.items[0].division, page.items[0].digest) == ("beijing", "110000", "ab" * 32)
    with pytest.raises(NotOnRecord, match="no edition 7 of the programme"):
        registry.programme_editions.edition(7)


def test_a_publication_is_in_the_audit(registry: Registry) -> None:
    edition = registry.programme_editions.publish(PROGRAMME, sign, by="登记员")
    (row,) = registry.audit.page().items
    entry = row.entry
    assert (entry.actor, entry.action, entry.subject) == ("登记员", "programme.publish", f"programme:{edition.version}")
    assert entry.facts == {"name": "beijing", "digest": "ab" * 8}


def test_an_edition_that_cannot_be_signed_never_was(registry: Registry) -> None:
    def refuse(*_: object) -> bytes:
        raise RegistryConflict("no key", reason="no")

    with pytest.raises(RegistryConflict, match="no key"):
        registry.programme_editions.publish(PROGRAMME, refuse, by="登记员")
    assert registry.programme_editions.newest() is None
    assert registry.audit.page().items == ()


def test_editions_published_at_once_follow_each_other(registry: Registry) -> None:
    def publish(_: int) -> int:
        return registry.programme_editions.publish(PROGRAMME, sign, by="x").version

    with ThreadPoolExecutor(4) as pool:
        versions = list(pool.map(publish, range(8)))
    assert sorted(versions) == list(range(min(versions), min(versions) + 8))


def test_the_database_changes_and_deletes_no_edition(registry: Registry) -> None:
    edition = registry.programme_editions.publish(PROGRAMME, sign, by="登记员")
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
