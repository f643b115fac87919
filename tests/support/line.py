"""A whole personalization line in memory or on disk, for tests: registry, batch, dossiers, blanks, lanes."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from personalize.line.execute import Job
from personalize.lists import own_trust
from personalize.preparation.batch import prepare_batch
from personalize.profiles.profile import Profile, default_profile
from registry.store import Registry
from registry.values import AcceptedRow
from terminal.globalplatform import Guard
from tests.support import house
from tests.support.registry.registrar import new_registry

NAMES = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许何吕施张孔曹严华金魏陶姜"


def id_number(serial: int) -> str:
    """A valid resident ID number of nobody in particular. GB 11643."""
    body = f"130102{1960 + serial % 40}{1 + serial % 12:02d}{1 + serial % 28:02d}{serial % 1000:03d}"
    check = (
        12 - sum(int(c) * w for c, w in zip(body, (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2), strict=True))
    ) % 11
    return body + "0123456789X"[check]


def rows(count: int, start: int = 1) -> list[AcceptedRow]:
    made = []
    for serial in range(start, start + count):
        number = id_number(serial)
        gender = "男" if int(number[16]) % 2 else "女"
        name = NAMES[serial % len(NAMES)] + NAMES[serial * 7 % len(NAMES)]
        made.append(AcceptedRow(serial + 3, serial, number, name, gender, f"138{serial:08d}", "测试工会"))
    return made


def registry(url: str) -> Registry:
    path = Path(url.removeprefix("sqlite:///"))
    if path.is_absolute() and not path.exists():
        path.write_bytes(new_registry())
    return Registry.open(url, house.custody())


def batch(store: Registry, count: int, *, start: int = 1, unit: str = "测试工会") -> str:
    """An approved batch."""
    made = store.import_roster(unit, rows(count, start), [], source="test.xlsx", digest=f"{start}-{count}", by="clerk")
    store.approve(made.id, "reviewer")
    return made.id


def prepared(store: Registry, count: int, directory: Path, *, profile: Profile | None = None, start: int = 1) -> str:
    """An approved batch with its dossiers."""
    batch_id = batch(store, count, start=start)
    remake(store, batch_id, directory, profile)
    return batch_id


def remake(store: Registry, batch_id: str, directory: Path, profile: Profile | None = None) -> int:
    pool = house.pool(directory / "pool", profile)
    payment_pool = pool if profile and profile.payment and profile.payment.rsa else None
    return prepare_batch(store, batch_id, house.preparer(profile), pool, payment_pool=payment_pool)


def job(store: Registry, batch_id: str, profile: Profile | None = None, **changes: object) -> Job:
    profile = profile or default_profile()
    trust = own_trust(house.custody(), profile.trust, datetime(2026, 11, 1, tzinfo=UTC))
    at = datetime(2026, 11, 22, 12, tzinfo=UTC)
    return Job(store, house.custody(), profile, Guard(), trust, batch_id, "test", now=lambda: at, **changes)  # type: ignore[arg-type]
