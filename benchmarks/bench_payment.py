"""Cards with a payment application: data preparation against its bare cryptography, the pool of chip keys against
`openssl genrsa`, and the time of a whole card with both applications on a real chip.

The bare operations are the calls of the cryptographic libraries for one card, repeated without any other code. They are
those that the card's data need: ``_preparation`` lists their kinds and numbers. Left out are the checks of this
program: the verification of each signature, and the unsealing of a chip key from the pool.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import gmpy2
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import BlockCipherAlgorithm, Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.cmac import CMAC
from tongsuopy.crypto import hashes
from tongsuopy.crypto.asymciphers import ec

from benchmarks.bench_line import RecordingTransport, prepared_batch
from benchmarks.table import Row, alternate
from personalize.keypool import KeyPool
from personalize.line.execute import process
from personalize.line.outcome import CardOutcome
from personalize.payment.prepare import PaymentAccount, PaymentPreparer
from personalize.payment.proof import TransactionProof
from personalize.preparation.preparer import Preparer
from personalize.profiles.profile import Profile, shipped_profile
from simulators.readers.timing import Cost
from terminal.apdu import Disposition, open_reader
from terminal.crypto import aes, des, rsa, sm2, sm4
from terminal.keys import sealing
from tests.support import bank, issuer

TARGET = 2
CALLS, ROUNDS = 20, 31
CORES = 2
POOL_TARGET, KEYS, KEY_ROUNDS = 0.9, 48, 15
CARDS = 12
SM2, SM2_WITH_SM3 = ec.SM2(), ec.ECDSA(hashes.SM3())
ECB = modes.ECB()  # noqa: S305 - card protocols prescribe it

Operation = tuple[str, Callable[[], object]]
"""The kind of operation, and the library call that does it."""


def run() -> list[Row]:
    return [*_preparation(), _pool(), _whole_card()]


def _preparation() -> Iterator[Row]:
    """Each application has three keys from masters and a check value of each, a PIN and one certificate; the member
    application also three keys for reading (with AES) and a sealed record. The whole dossier is sealed once."""
    shipped = shipped_profile("union-member-bank")
    with _cards(shipped) as prepare:
        needed = {"RSA": 2, "3DES": 12, "CMAC": 3, "AES": 3, "GCM": 4}
        yield _compare_with_bare(
            "data preparation per card, both applications, RSA keys from the pool", prepare, needed
        )
    chinese = bank.profile(algorithms="sm")
    with _cards(chinese) as prepare:
        needed = {"RSA": 1, "SM2": 1, "SM2 key": 1, "3DES": 6, "SM4": 6, "CMAC": 3, "AES": 3, "GCM": 5}
        yield _compare_with_bare("data preparation per card, payment application with SM2 and SM4", prepare, needed)
    own = _payment(bank.preparer(chinese))
    what = "of that the payment application alone, against its SM2 operations only"
    yield _compare_with_bare(what, own, {"SM2": 1, "SM2 key": 1, "SM4": 6, "GCM": 2}, only=("SM2", "SM2 key"))


@contextmanager
def _cards(profile: Profile) -> Iterator[Callable[[], object]]:
    """Prepares one card's dossier a call, with keys from a pool that has enough copies of one key."""
    preparer, member, number = bank.preparer(profile), issuer.member(), profile.card_number.number(7)
    rsa_payment = profile.payment is not None and profile.payment.rsa
    with tempfile.TemporaryDirectory() as directory:
        pool = issuer.pool(Path(directory), profile)
        pool.add()
        (key,) = Path(directory).rglob("*.key")
        for copy in range((CALLS * ROUNDS + 2) * 2):
            os.link(key, key.with_name(f"{copy:032x}.key"))

        def prepare() -> object:
            return preparer.new_dossier(member, number, pool.take(), bank.PAN, pool.take() if rsa_payment else None)

        yield prepare


def _payment(preparer: Preparer) -> Callable[[], object]:
    member = issuer.member()
    (payment,) = (one for one in preparer._preparers if isinstance(one, PaymentPreparer))
    return partial(
        payment.prepare, PaymentAccount(bank.PAN, 1, member.person.name, member.person.id_number), None, "dossier/7/1"
    )


def _compare_with_bare(
    what: str, prepare: Callable[[], object], needed: dict[str, int], only: tuple[str, ...] | None = None
) -> Row:
    prepare()  # data that all cards of a run share are made with the first
    with recorded_operations() as operations:
        prepare()
    counts = Counter(kind for kind, _ in operations)
    assert counts == needed, f"data preparation does {counts}"
    bare = [call for kind, call in operations if only is None or kind in only]
    mine, theirs, ratio = alternate(prepare, partial(_all, bare), calls=CALLS, rounds=ROUNDS, clock=time.process_time)
    description = ", ".join(f"{number} {kind}" for kind, number in needed.items() if only is None or kind in only)
    measured = f"{mine * 1e6:.0f} µs against {theirs * 1e6:.0f} µs ({description})"
    return Row(f"{what}: processor time against its bare operations", measured, ratio, f"≤ {TARGET}", ratio <= TARGET)


def _all(calls: list[Callable[[], object]]) -> None:
    for call in calls:
        call()


@contextmanager
def recorded_operations() -> Iterator[list[Operation]]:
    """The calls of the cryptographic libraries in this context, as calls that repeat them."""
    operations: list[Operation] = []

    def record(module: Any, name: str, kind: str, bare: Callable[..., Callable[[], object]]) -> None:
        real = getattr(module, name)

        def recording(*arguments: Any) -> Any:
            operations.append((kind, bare(*arguments)))
            return real(*arguments)

        patches.enter_context(patch.object(module, name, recording))

    with ExitStack() as patches:
        record(rsa, "private", "RSA", _bare_signature)
        record(sm2, "sign", "SM2", lambda key, message: partial(key.key.sign, message, SM2_WITH_SM3))
        record(ec, "generate_private_key", "SM2 key", partial(partial, ec.generate_private_key))
        for module, kind, algorithm in (
            (des, "3DES", _tdes),
            (aes, "AES", algorithms.AES),
            (sm4, "SM4", algorithms.SM4),
        ):
            record(module, "ecb_encrypt", kind, partial(_bare_block, algorithm))
        record(aes, "cmac", "CMAC", lambda key, data: partial(_cmac, key, data))
        patches.enter_context(patch.object(sealing, "AESGCM", partial(_RecordingAesGcm, operations)))
        yield operations


class _RecordingAesGcm:
    """AES-GCM that records its encryptions."""

    def __init__(self, operations: list[Operation], key: bytes) -> None:
        self._operations, self._cipher = operations, AESGCM(key)

    def encrypt(self, *arguments: Any) -> bytes:
        self._operations.append(("GCM", partial(self._cipher.encrypt, *arguments)))
        return self._cipher.encrypt(*arguments)

    def decrypt(self, *arguments: Any) -> bytes:
        return self._cipher.decrypt(*arguments)


def _bare_signature(key: rsa.RsaPrivate, message: bytes) -> Callable[[], object]:
    p, q, dp, dq, qinv = map(gmpy2.mpz, (key.p, key.q, key.dp, key.dq, key.qinv))

    def sign() -> bytes:
        m = int.from_bytes(message, "big")
        s1, s2 = gmpy2.powmod_sec(m % p, dp, p), gmpy2.powmod_sec(m % q, dq, q)
        return int(s2 + q * (qinv * (s1 - s2) % p)).to_bytes(len(message), "big")

    assert gmpy2.powmod(int.from_bytes(sign(), "big"), key.e, key.n) == int.from_bytes(message, "big")
    return sign


def _tdes(key: bytes) -> TripleDES:
    return TripleDES(key + key[:8])


def _bare_block(algorithm: Callable[[bytes], BlockCipherAlgorithm], key: bytes, data: bytes) -> Callable[[], object]:
    return lambda: Cipher(algorithm(key), ECB).encryptor().update(data)


def _cmac(key: bytes, data: bytes) -> bytes:
    mac = CMAC(algorithms.AES(key))
    mac.update(data)
    return mac.finalize()


def _pool() -> Row:
    """Keys a second, sealed and on the disk, against keys that are discarded, on as many cores.

    One process a core against one thread more than cores, as in the pool. The start of a process is measured with a
    command that makes no key, and subtracted.
    """
    bits, exponent = 1152, 3
    with _two_cores(), tempfile.TemporaryDirectory() as directory, ThreadPoolExecutor(CORES) as shells:
        pool = KeyPool(Path(directory), issuer.custody(), bits=bits, exponent=exponent)

        def fill() -> None:
            pool.fill(len(pool) + KEYS, threads=CORES + 1)

        def openssl(*arguments: str) -> None:
            command = ["openssl", *arguments]
            run = partial(subprocess.run, command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            list(shells.map(lambda _: run(), range(KEYS)))

        rounds = []
        for _ in range(KEY_ROUNDS):
            ours, theirs = _seconds(fill), _seconds(partial(openssl, "genrsa", "-3", str(bits)))
            rounds.append((KEYS / ours, KEYS / (theirs - _seconds(partial(openssl, "rand", "1")))))
    mine, other = (statistics.median(column) for column in zip(*rounds, strict=True))
    ratio = statistics.median(a / b for a, b in rounds)
    what = f"pool of RSA keys, {bits} bits, exponent {exponent}, on {CORES} cores against openssl genrsa on as many"
    measured = f"{mine:.1f} a second against {other:.1f}"
    return Row(what, measured, ratio, f"≥ {POOL_TARGET}", ratio >= POOL_TARGET)


@contextmanager
def _two_cores() -> Iterator[None]:
    """Threads and processes that this thread starts in this context run on two cores."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(cores)[:CORES])
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _whole_card() -> Row:
    """Member application, payment application, PSE and PPSE in one pass, read back and verified by a transaction.

    The chip's time is that of the timing model, the host's is measured.
    """
    profile = shipped_profile("union-member-bank")
    with prepared_batch(CARDS, profile) as (job, stock, _):
        assert profile.payment is not None
        job = replace(job, payment_proof=TransactionProof(profile.payment, issuer.custody()))
        reader = open_reader(f"sim:{stock}?timing=report")
        host = []
        for _ in range(CARDS):
            reader.wait_for_card(0)
            transport = RecordingTransport(reader.connect())
            began = time.thread_time()
            report = process(transport, job, "lane 1", lambda serial: True)  # type: ignore[arg-type]
            host.append(time.thread_time() - began - transport.card_seconds)
            assert report.outcome is CardOutcome.VERIFIED, report.reason
            reader.release(Disposition.DONE)
        chip: Cost = reader.timing.session  # type: ignore[attr-defined]
    own = statistics.median(host)
    whole = chip.total + own
    shares = {"link": chip.link, "EEPROM": chip.eeprom, "computing on the chip": chip.computing, "host": own}
    description = ", ".join(f"{name} {seconds / whole:.0%}" for name, seconds in shares.items())
    what = (
        f"time of a whole card with both applications, {len(transport.sent)} commands, T=1, TA1=96, by the timing model"
    )
    return Row(what, f"{whole:.3f} s ({description})", whole, "reported", True)


if __name__ == "__main__":
    for row in run():
        print(row)
