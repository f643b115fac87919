"""An issuer for tests: keys, members, a registry with prepared batches, and jobs over them.

RSA keys are made once for each test process.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path

from personalize.keypool import KeyPool
from personalize.line.job import Job
from personalize.lists import own_trust
from personalize.preparation.batch import prepare_batch
from personalize.preparation.preparer import Preparer
from personalize.profiles.profile import Profile
from registry.person import Person
from registry.store import Registry
from registry.values import AcceptedRow, MemberToPrepare
from terminal.crypto import rsa
from terminal.globalplatform import AuthenticationGuard
from terminal.keys import MemoryCustody
from terminal.keys.keyfile import KdfCost
from terminal.keys.standard import create_standard_keys
from terminal.member.values import Sex
from tests.support import profiles
from tests.support.registry.registrar import new_registry

TODAY = date(2026, 11, 22)
FAST = KdfCost(memory_kib=8, iterations=1, lanes=1)
"""Of a keystore's passphrase, where no test is about it: the least that Argon2id takes."""
NAMES = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许何吕施张孔曹严华金魏陶姜"


@cache
def custody() -> MemoryCustody:
    """A simulation custodian with all standard keys; the published test key as stock master."""
    keys = MemoryCustody(simulation=True)
    create_standard_keys(keys, by="tests")
    return keys


@cache
def chip_keys(exponent: int = 3) -> tuple[rsa.RsaPrivate, ...]:
    """Four RSA keys of the default size, for tests that need valid ones and not fresh ones."""
    return tuple(rsa.generate(1152, exponent) for _ in range(4))


def key_source() -> Callable[[int, int], rsa.RsaPrivate]:
    """Stands in for RSA generation: the same few keys over and over."""
    turn = iter(range(1 << 30))
    return lambda bits, exponent: chip_keys(exponent)[next(turn) % len(chip_keys(exponent))]


def pool(directory: Path, profile: Profile | None = None, *, fresh: bool = False) -> KeyPool:
    member = (profile or profiles.plain()).member
    return KeyPool(
        directory,
        custody(),
        bits=member.icc_key_bits,
        exponent=member.icc_exponent,
        generate=rsa.generate if fresh else key_source(),
    )


def member(number: int = 1, **changes: object) -> MemberToPrepare:
    """A member to prepare; ``changes`` are fields of ``MemberToPrepare`` or of ``Person``."""
    fields: dict[str, object] = {
        "member_id": number,
        "person": Person("130102197605153974", "孙波磊", Sex.MALE, "18801434135"),
        "unit_name": "石家庄铁道大学工会",
        "unit_code": "81130000MC0000001X",
        "member_number": f"130000{number:06d}",
        "category": 0,
        "card_number": None,
        "sequence": 1,
    }
    of_person = {name: changes.pop(name) for name in ("id_number", "name", "sex", "mobile") if name in changes}
    prepared = MemberToPrepare(**(fields | changes))  # type: ignore[arg-type]
    person = replace(prepared.person, **of_person)  # type: ignore[arg-type]
    return replace(prepared, person=person)


def preparer(profile: Profile | None = None) -> Preparer:
    return Preparer(profile or profiles.plain(), custody(), today=TODAY)


def id_number(serial: int) -> str:
    """A valid resident ID number of nobody in particular. GB 11643."""
    body = f"130102{1960 + serial % 40}{1 + serial % 12:02d}{1 + serial % 28:02d}{serial % 1000:03d}"
    check = (
        12 - sum(int(c) * w for c, w in zip(body, (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2), strict=True))
    ) % 11
    return body + "0123456789X"[check]


def rows(count: int, start: int = 1) -> list[AcceptedRow]:
    accepted = []
    for serial in range(start, start + count):
        number = id_number(serial)
        sex = Sex.MALE if int(number[16]) % 2 else Sex.FEMALE
        name = NAMES[serial % len(NAMES)] + NAMES[serial * 7 % len(NAMES)]
        person = Person(number, name, sex, f"138{serial:08d}")
        accepted.append(AcceptedRow(serial + 3, serial, person, "测试工会"))
    return accepted


def registry(url: str) -> Registry:
    path = Path(url.removeprefix("sqlite:///"))
    if path.is_absolute() and not path.exists():
        path.write_bytes(new_registry())
    return Registry.open(url, custody())


def batch(store: Registry, count: int, *, start: int = 1, unit: str = "测试工会") -> str:
    """An approved batch."""
    draft = store.rosters.import_roster(
        unit, rows(count, start), [], source="test.xlsx", digest=f"{start}-{count}", by="clerk"
    )
    store.batches.approve(draft.id, "reviewer")
    return draft.id


def prepared(
    store: Registry,
    count: int,
    directory: Path,
    *,
    profile: Profile | None = None,
    start: int = 1,
    make: Callable[[Profile | None], Preparer] = preparer,
) -> str:
    """An approved batch with its dossiers."""
    batch_id = batch(store, count, start=start)
    prepare(store, batch_id, directory, profile, make)
    return batch_id


def prepare(
    store: Registry,
    batch_id: str,
    directory: Path,
    profile: Profile | None = None,
    make: Callable[[Profile | None], Preparer] = preparer,
) -> int:
    """Make the missing dossiers with the preparer that ``make`` gives."""
    keys = pool(directory / "pool", profile)
    payment_pool = keys if profile and profile.payment and profile.payment.rsa else None
    return prepare_batch(store, batch_id, make(profile), keys, payment_pool=payment_pool)


def job(store: Registry, batch_id: str, profile: Profile | None = None, **changes: object) -> Job:
    profile = profile or profiles.plain()
    trust = own_trust(custody(), profile.trust, datetime(2026, 11, 1, tzinfo=UTC))
    at = datetime(2026, 11, 22, 12, tzinfo=UTC)
    return Job(store, custody(), profile, AuthenticationGuard(), trust, batch_id, "test", now=lambda: at, **changes)  # type: ignore[arg-type]
