"""A whole contact transaction with CDA: the terminal's processor time against that of its bare cryptography.

The card has the shipped bank profile and is personalized by the line. It pays once; then its answers are replayed at
almost no cost, which the same unpredictable number in every transaction allows. No result is cached between
transactions: every certificate and the signature are verified each time. The bare operations are the calls of the
cryptographic libraries in that transaction, repeated without any other code.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from itertools import cycle
from typing import Any
from unittest.mock import patch

import gmpy2
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SM3, Hash
from tongsuopy.crypto import hashes
from tongsuopy.crypto.asymciphers import ec

from benchmarks.table import Row, alternate
from personalize.line.execute import process
from personalize.profiles.profile import Profile
from simulators.readers.reader import SimCard
from terminal.apdu import LinkProtocol, Sender, stack
from terminal.crypto import sm2
from terminal.crypto.rsa import RsaPublic
from terminal.crypto.sm3 import sm3
from terminal.emv.authentication import chains
from terminal.emv.authentication.authorities import CaKey, SmCaKey
from terminal.emv.authentication.cakeys import CaStore, ca_store
from terminal.emv.kernel.kernel import run_transaction
from terminal.emv.transaction.config import TerminalConfig
from terminal.emv.transaction.outcome import Outcome, Result
from terminal.emv.transaction.transaction import Transaction
from terminal.keys import Algorithm, Purpose
from tests.support import bank, issuer
from tests.support.cards.card_bench import Bench, fast_directory
from tests.support.cards.toys.emv_toy_terminal import config_with

AT = datetime(2026, 11, 22, 10, 30)
TARGET = 3
CALLS = 20
WIDE = 65537
"""The other public exponent of EMV 4.4 Book 2, B2.1."""
Operation = Callable[[], object]
SM2, SM2_WITH_SM3 = ec.SM2(), ec.ECDSA(hashes.SM3())


class ReplayedCard:
    """A card that repeats a recorded dialogue."""

    atr, protocol, extended_length = b"", LinkProtocol.T1, False

    def __init__(self, turns: Sequence[tuple[bytes, bytes]]) -> None:
        self._turns = cycle(turns)

    def exchange(self, apdu: bytes) -> bytes:
        command, answer = next(self._turns)
        assert apdu == command
        return answer

    def reset(self) -> bytes:
        return self.atr

    def close(self) -> None:
        return None


@dataclass
class RecordingCard:
    """A card whose dialogue is recorded."""

    card: SimCard
    turns: list[tuple[bytes, bytes]] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.card, name)

    def exchange(self, apdu: bytes) -> bytes:
        self.turns.append((apdu, self.card.exchange(apdu)))
        return self.turns[-1][1]


def run() -> list[Row]:
    """RSA with the shipped exponent, RSA with the longer one, and SM2."""
    rows = []
    for name, profile, sm in (
        ("RSA, exponent 3", bank.profile(), False),
        ("RSA, exponent 65537", wide_profile(), False),
        ("SM2 and SM3", bank.profile(algorithms="sm", pdol=bank.SM_PDOL), True),
    ):
        terminal = config_with(f"sm: {str(sm).lower()}", "capabilities: E028C8")  # without a PIN pad
        rows += measure(name, profile, terminal)
    return rows


def measure(name: str, profile: Profile, config: TerminalConfig) -> list[Row]:
    pay = partial(_pay, config=config, keys=authorities(profile))
    turns, bare = recorded(profile, pay)
    sender = stack(ReplayedCard(turns))
    ours = partial(pay, sender)
    assert _proven(ours())
    mine, theirs, ratio = alternate(ours, partial(_all, bare), calls=CALLS, clock=time.process_time)
    measured = f"{mine * 1e6:.0f} µs against {theirs * 1e6:.0f} µs"
    what = f"contact transaction with CDA ({name}), {len(turns)} commands: processor time against its bare operations"
    return [Row(what, measured, ratio, f"≤ {TARGET}", ratio <= TARGET)]


def _pay(sender: Sender, *, config: TerminalConfig, keys: CaStore) -> Outcome:
    """A purchase that card and terminal approve offline."""
    return run_transaction(sender, config, Transaction(1_234, AT), keys=keys, draw=lambda: 99, random=_fixed)


def _fixed(size: int) -> bytes:
    return bytes(range(0xA0, 0xA0 + size))


def _proven(outcome: Outcome) -> bool:
    return outcome.result is Result.APPROVED_OFFLINE and outcome.first is not None and outcome.first.verified


def _all(calls: list[Operation]) -> None:
    for call in calls:
        call()


def wide_profile() -> Profile:
    """The shipped profile with exponent 65537 in every key of the chain."""
    custody, bits = issuer.custody(), {"wide-ca": 1984, "wide-issuer": 1408}
    for (name, size), purpose in zip(bits.items(), (Purpose.SIGN_CA, Purpose.SIGN_ISSUER), strict=True):
        custody.generate(name, purpose, Algorithm.RSA, by="bench", bits=size, exponent=WIDE)
    trust = {"ca_key": "wide-ca", "issuer_key": "wide-issuer"}
    data = bank.profile(chip_rsa={"exponent": WIDE}, trust=trust).model_dump()
    data["member"]["icc_exponent"] = WIDE
    return Profile.model_validate(data)


def authorities(profile: Profile) -> CaStore:
    """The CA keys of the profile's cards."""
    assert profile.payment is not None
    trust, custody = profile.payment.trust, issuer.custody()
    rid = bytes.fromhex(trust.rid)
    ca, sm_ca = (custody.info(custody.latest(name)) for name in (trust.ca_key, trust.sm_ca_key))
    rsa = CaKey(rid, int(trust.ca_index, 16), RsaPublic(ca.modulus or 0, ca.exponent or 0))
    return ca_store([rsa, SmCaKey(rid, int(trust.sm_ca_index, 16), sm_ca.point or b"")])


def recorded(profile: Profile, pay: Callable[[Sender], Outcome]) -> tuple[list[tuple[bytes, bytes]], list[Operation]]:
    """The dialogue of one payment with a card of the profile, and the terminal's cryptographic operations."""
    with fast_directory() as directory:
        bench = Bench(directory, 1, profile=profile)
        chip = bench.chip()
        card = SimCard(chip, chip.config.protocol)
        report = process(card, bench.job(), "bench", lambda serial: True)
        assert not report.reason, report.reason
        bench.registry.close()
    card.reset()
    recording = RecordingCard(card)
    assert _proven(pay(stack(recording)))
    card.close()
    # Replayed, so that the operations recorded are those of the terminal only, without those of the card.
    with recorded_operations() as operations:
        assert _proven(pay(stack(ReplayedCard(recording.turns))))
    return recording.turns, operations


@contextmanager
def recorded_operations() -> Iterator[list[Operation]]:
    """The calls of the cryptographic libraries in this context, as calls that repeat them from bytes to bytes."""
    operations: list[Operation] = []

    def powmod(base: int, e: int, n: int, real: Callable[..., Any] = gmpy2.powmod) -> Any:
        size = (int(n).bit_length() + 7) // 8
        operations.append(partial(_bare_power, int(base).to_bytes(size, "big"), e, n, size))
        return real(base, e, n)

    def sha1(data: bytes, *, usedforsecurity: bool, real: Callable[..., Any] = hashlib.sha1) -> Any:
        operations.append(partial(_bare_hash, real, data))
        return real(data, usedforsecurity=usedforsecurity)

    def verify(public: bytes, message: bytes, signature: bytes, real: Callable[..., bool] = sm2.verify) -> bool:
        r, s = (int.from_bytes(part, "big") for part in (signature[:32], signature[32:]))
        operations.append(partial(_bare_verify, b"\x04" + public, message, encode_dss_signature(r, s)))
        return real(public, message, signature)

    def recorded_sm3(data: bytes) -> bytes:
        operations.append(partial(_bare_sm3, data))
        return sm3(data)

    with (
        patch.object(gmpy2, "powmod", powmod),
        patch.object(hashlib, "sha1", sha1),
        patch.object(sm2, "verify", verify),
        patch.object(chains, "sm3", recorded_sm3),
    ):
        yield operations


def _bare_power(message: bytes, e: int, n: int, size: int) -> bytes:
    recovered: bytes = gmpy2.powmod(int.from_bytes(message, "big"), e, n).to_bytes(size, "big")
    return recovered


def _bare_hash(sha1: Callable[..., Any], data: bytes) -> bytes:
    digest: bytes = sha1(data, usedforsecurity=False).digest()
    return digest


def _bare_verify(point: bytes, message: bytes, signature: bytes) -> None:
    ec.EllipticCurvePublicKey.from_encoded_point(SM2, point).verify(signature, message, SM2_WITH_SM3)


def _bare_sm3(data: bytes) -> bytes:
    digest = Hash(SM3())
    digest.update(data)
    return digest.finalize()
