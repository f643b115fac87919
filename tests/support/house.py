"""An issuing house for tests: keys, a member, prepared dossiers. RSA keys are made once for each test process."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import cache
from pathlib import Path

from personalize.keypool import KeyPool
from personalize.preparation.preparer import Preparer
from personalize.profiles.profile import Profile, default_profile
from registry.values import MemberToPrepare
from terminal.crypto import rsa
from terminal.keys import MemoryCustody
from terminal.keys.standard import create_standard_keys

TODAY = date(2026, 11, 22)


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
    member = (profile or default_profile()).member
    return KeyPool(
        directory,
        custody(),
        bits=member.icc_key_bits,
        exponent=member.icc_exponent,
        generate=rsa.generate if fresh else key_source(),
    )


def member(number: int = 1, **changes: object) -> MemberToPrepare:
    fields: dict[str, object] = {
        "member_id": number,
        "id_number": "130102197605153974",
        "name": "孙波磊",
        "gender": "男",
        "mobile": "18801434135",
        "unit_name": "石家庄铁道大学工会",
        "unit_code": "81130000MC0000001X",
        "member_number": f"130000{number:06d}",
        "category": 0,
        "card_number": None,
        "sequence": 1,
    }
    return MemberToPrepare(**(fields | changes))  # type: ignore[arg-type]


def preparer(profile: Profile | None = None) -> Preparer:
    return Preparer(profile or default_profile(), custody(), today=TODAY)
