from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from terminal.keys import Algorithm, KeyRef, MemoryCustody, Purpose, SoftwareKeystore
from terminal.keys.keyfile import KdfCost
from terminal.secret import Secret

NOW = datetime(2026, 3, 5, 9, 30, tzinfo=UTC)
CHEAP = KdfCost(memory_kib=8, iterations=1, lanes=1)
PASSPHRASE = Secret("correct horse 工会".encode())

ALGORITHM = {
    Purpose.KMC: Algorithm.TDES,
    Purpose.CARD: Algorithm.TDES,
    Purpose.READ: Algorithm.AES128,
    Purpose.AC: Algorithm.TDES,
    Purpose.SMI: Algorithm.TDES,
    Purpose.SMC: Algorithm.TDES,
    Purpose.SIGN_CA: Algorithm.RSA,
    Purpose.SIGN_ISSUER: Algorithm.RSA,
    Purpose.SIGN_LIST: Algorithm.RSA,
    Purpose.SEAL: Algorithm.AES256,
    Purpose.INDEX: Algorithm.HMAC,
    Purpose.PIN: Algorithm.TDES,
    Purpose.CVK: Algorithm.TDES,
    Purpose.TRANSPORT: Algorithm.TDES,
}


@pytest.fixture
def custody() -> MemoryCustody:
    """A production custodian, empty."""
    return MemoryCustody(simulation=False, clock=lambda: NOW)


@pytest.fixture(scope="session")
def full_custody() -> MemoryCustody:
    """One generated key for each purpose, named like the purpose."""
    custody = MemoryCustody(simulation=False, clock=lambda: NOW)
    for purpose, algorithm in ALGORITHM.items():
        custody.generate(purpose.value, purpose, algorithm, by="test", bits=1024)
    for signer in (Purpose.SIGN_CA, Purpose.SIGN_ISSUER):
        custody.generate(f"{signer}-sm2", signer, Algorithm.SM2, by="test")
    return custody


@pytest.fixture
def passphrase() -> Secret:
    return PASSPHRASE


@pytest.fixture
def cheap() -> KdfCost:
    return CHEAP


@pytest.fixture
def make_keystore(tmp_path: Path) -> Callable[..., SoftwareKeystore]:
    """A new keystore file with one sealing key in it."""

    def make(name: str = "keystore", *, simulation: bool = False) -> SoftwareKeystore:
        store = SoftwareKeystore.create(
            tmp_path / name, PASSPHRASE, simulation=simulation, cost=CHEAP, clock=lambda: NOW
        )
        store.generate("seal", Purpose.SEAL, Algorithm.AES256, by="Li Na")
        return store

    return make


@pytest.fixture
def seal() -> KeyRef:
    return KeyRef("seal", 1)
