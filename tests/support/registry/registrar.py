"""What registry tests share: a custody, fictitious members, a batch that is ready for the line, a clock."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from registry.admin.audit import AuditFilter
from registry.members.losses import Loss
from registry.person import Person
from registry.store import Registry
from registry.values import AcceptedRow, Card, Claim, NewDossier
from terminal.keys.custody import Algorithm, Purpose
from terminal.keys.memory import MemoryCustody
from terminal.member.values import Sex

UNIT = "石家庄市总工会"
LEASE = timedelta(minutes=5)


@dataclass
class SetClock:
    """A clock that stands still until it is moved."""

    now: datetime = field(default=datetime(2026, 11, 22, 9, 0, tzinfo=UTC))

    def __call__(self) -> datetime:
        return self.now

    def forward(self, by: timedelta) -> None:
        self.now += by


def custodian() -> MemoryCustody:
    custody = MemoryCustody(simulation=True)
    custody.generate("seal", Purpose.SEAL, Algorithm.AES256, by="test")
    custody.generate("index", Purpose.INDEX, Algorithm.HMAC, by="test")
    return custody


@cache
def new_registry() -> bytes:
    """The file of an empty registry, created once in each test process: a copy saves the migrations."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "registry.db")
        Registry.open(f"sqlite:///{path}", custodian()).close()
        return path.read_bytes()


def row(number: int, *, name: str = "", unit: str = UNIT, mobile: str = "") -> AcceptedRow:
    return AcceptedRow(
        sheet_row=number + 2,
        seq=number,
        person=Person(
            id_number=f"13010219800101{number:04d}",
            name=name or f"欧阳{number:03d}",
            sex=Sex.FEMALE if number % 2 else Sex.MALE,
            mobile=mobile or f"1390311{number:04d}",
        ),
        unit=unit,
    )


def rows(count: int, start: int = 1) -> list[AcceptedRow]:
    return [row(number) for number in range(start, start + count)]


def chip(number: int) -> str:
    return f"{number:020d}"


def approved(registry: Registry, accepted: Sequence[AcceptedRow], digest: str = "d1") -> str:
    """A batch of these rows that a second person approved."""
    batch = registry.rosters.import_roster(UNIT, accepted, [], source="form.xlsx", digest=digest, by="录入员")
    return registry.batches.approve(batch.id, "审核员").id


def prepare(registry: Registry, custody: MemoryCustody, batch_id: str, by: str = "op", pans: Sequence[str] = ()) -> int:
    """Dossiers for all who need one, the first with these account numbers; returns their number."""
    members = registry.dossiers.to_prepare(batch_id)
    new = []
    for place, member in enumerate(members):
        number = member.card_number
        if number is None:
            number = f"621226{registry.cards.allocate_serials('621226', 1)[0]:012d}"
        sealed = custody.seal(custody.latest("seal"), f"dossier of {number}".encode(), f"dossier/{number}")
        new.append(NewDossier(member.member_id, number, member.sequence, sealed, "default", "0" * 64))
        if place < len(pans):
            new[-1] = replace(new[-1], pan=pans[place])
    registry.dossiers.add(batch_id, new, by=by)
    return len(new)


def ready(registry: Registry, custody: MemoryCustody, count: int, digest: str = "d1", start: int = 1) -> str:
    batch_id = approved(registry, rows(count, start), digest)
    prepare(registry, custody, batch_id)
    return batch_id


def claimed(registry: Registry, batch_id: str, chip_number: int, lane: str = "lane 1") -> Claim:
    claim = registry.line.claim(batch_id, lane, "station", chip(chip_number), LEASE)
    if not isinstance(claim, Claim):
        raise TypeError(f"no claim but {claim}")
    return claim


def carded(registry: Registry, custody: MemoryCustody, count: int = 1) -> list[Card]:
    """Verified cards of a new batch."""
    batch = ready(registry, custody, count)
    return [registry.line.verified(claimed(registry, batch, number), {}, 1.0) for number in range(1, count + 1)]


def audit_entries(registry: Registry, action: str) -> list[tuple[str, str, str]]:
    """Actor, subject and reason of the audit's entries of an action, newest first."""
    rows = registry.audit.page(where=AuditFilter(action=action)).items
    return [(row.entry.actor, row.entry.subject, row.entry.reason) for row in rows]


def unlist(registry: Registry, number: int, reason: str = "找到") -> Loss:
    """Two people unlist a card that was found: 王 notes it, 李 unlists it."""
    noted = registry.losses.unlist(number, by="王", reason=reason)
    assert (noted.listed, noted.returned_by) == (True, "王")
    return registry.losses.unlist(number, by="李", reason=reason)
