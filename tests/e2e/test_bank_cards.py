"""A bank prepares cards, a personalization bureau puts them on chips, the bank checks what the chips compute.

Two registries and two keystores that share a transport key and the union's own scheme, and nothing of the bank's.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import pytest

from personalize.dossiers.dossier import Dossier, DossierPart
from personalize.errors import BankFileError, BankFileRefused, DossierError, PrepareError
from personalize.keypool import KeyPool
from personalize.line.execute import process
from personalize.line.job import Job
from personalize.line.outcome import CardOutcome
from personalize.lists import own_trust
from personalize.payment import bankfile_batch, bankfile_spool
from personalize.payment.bankfile import BankFileExchange, PreparedCard
from personalize.payment.bankfile_batch import (
    MOST_LISTED,
    cards_of,
    refuse_remaking,
    take_in,
    waiting_dossiers,
)
from personalize.payment.bankfile_formats import FORMATS
from personalize.payment.bankfile_lint import linter_of
from personalize.payment.proof import TransactionProof, authorities
from personalize.preparation.batch import prepare_batch
from personalize.preparation.preparer import Preparer
from personalize.profiles.profile import default_profile
from registry.batches import dossiers as registry_dossiers
from registry.store import Registry
from registry.values import Claim
from simulators.card.config import CardConfig, ProductionData
from simulators.readers.reader import SimCard
from simulators.virtual_card import VirtualCard
from terminal.apdu import LinkProtocol, stack
from terminal.crypto import des
from terminal.globalplatform import AuthenticationGuard
from terminal.keys import GP_TEST_KEY, Algorithm, ApplicationKeys, MemoryCustody, Purpose, SealedKeys
from terminal.keys.standard import OWN_KEYS
from terminal.secret import Secret
from tests.support import bank, issuer
from tests.support.cards.bank_cards import HEAD
from tests.support.cards.card_bench import Killed, fast_directory

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
ZMK = bytes.fromhex("3D5F7B9C1E3A5D6C8E0A2D4F6B8C0E1A")
PROFILE = bank.profile(algorithms="both", pdol=bank.SM_PDOL)
CARDS = 3
Bend = Callable[[PreparedCard], PreparedCard]


@cache
def bank_keys() -> MemoryCustody:
    custody = issuer.custody()
    _share(custody)
    return custody


@cache
def station_keys() -> MemoryCustody:
    """Another keystore. It shares the union's scheme; masters, sealing and index keys are its own, the bank's CA is
    missing altogether."""
    transport = Secret(bytes(range(32)))
    names = [key.name for key in OWN_KEYS if key.algorithm is Algorithm.RSA and not key.name.startswith("pay-")]
    custody = MemoryCustody.from_snapshot(issuer.custody().snapshot(transport, names), transport)
    for key in OWN_KEYS:
        if key.algorithm not in (Algorithm.RSA, Algorithm.SM2):
            custody.generate(key.name, key.purpose, key.algorithm, by="station")
    for name, algorithm in (("kmc", Algorithm.TDES), ("kmc-aes", Algorithm.AES128)):
        custody.import_key(name, Purpose.KMC, algorithm, Secret(GP_TEST_KEY), by="station")
    _share(custody)
    return custody


def _share(custody: MemoryCustody) -> None:
    custody.import_key("shared", Purpose.TRANSPORT, Algorithm.TDES, Secret(ZMK), by="both")
    custody.import_key("shared-sm4", Purpose.TRANSPORT, Algorithm.SM4, Secret(ZMK), by="both")


def exchange(custody: MemoryCustody, transport: str = "shared") -> BankFileExchange:
    return BankFileExchange(custody, custody.latest(transport), custody.latest("seal"))


@dataclass
class Station:
    """The personalization house: a batch of member cards that wait for the bank's side."""

    registry: Registry
    batch: str
    directory: Path

    def take(self, data: bytes, transport: str = "shared") -> int:
        side = exchange(station_keys(), transport)
        assert PROFILE.payment
        judge = linter_of(PROFILE, authorities(PROFILE.payment, bank_keys()))
        _, cards = FORMATS["dp"].read(io.BytesIO(data), side)
        return take_in(self.registry, side, self.batch, cards, judge)

    def dossiers(self) -> list[Dossier]:
        return list(waiting_dossiers(self.registry, station_keys(), self.batch))

    @property
    def untouched(self) -> bool:
        return all(one.payment is None and not one.directories for one in self.dossiers())

    def job(self) -> Job:
        custody = station_keys()
        trust = own_trust(custody, PROFILE.trust, datetime(2026, 11, 1, tzinfo=UTC))
        assert PROFILE.payment
        known = authorities(PROFILE.payment, bank_keys())
        proof = TransactionProof(PROFILE.payment, custody, known)
        guard = AuthenticationGuard()
        return Job(
            self.registry, custody, PROFILE, guard, trust, self.batch, "station", now=lambda: AT, payment_proof=proof
        )


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Dossier, ...]]:
    """The bank's dossiers, from a registry of its own."""
    directory = tmp_path_factory.mktemp("bank")
    bank_keys()
    with issuer.registry(f"sqlite:///{directory}/bank.db") as registry:
        batch = issuer.prepared(registry, CARDS, directory, profile=PROFILE)
        yield tuple(waiting_dossiers(registry, bank_keys(), batch))


@pytest.fixture
def station() -> Iterator[Station]:
    profile, custody = default_profile(), station_keys()
    with fast_directory() as directory, Registry.open(f"sqlite:///{directory}/station.db", custody) as registry:
        batch = registry.rosters.import_roster(
            "测试工会", issuer.rows(CARDS), [], source="test.xlsx", digest="1", by="clerk"
        )
        registry.batches.approve(batch.id, "reviewer")
        member = profile.member
        pool = KeyPool(
            directory / "pool",
            custody,
            bits=member.icc_key_bits,
            exponent=member.icc_exponent,
            generate=issuer.key_source(),
        )
        prepare_batch(registry, batch.id, Preparer(profile, custody, today=issuer.TODAY), pool)
        yield Station(registry, batch.id, directory)


def file_of(dossiers: tuple[Dossier, ...], form: str = "dp", transport: str = "shared", **bent: Bend) -> bytes:
    """The bank's file. ``bent``: what to do with the card of a record, ``r2=...``."""
    cards = [bent.get(f"r{n}", lambda card: card)(card) for n, card in enumerate(cards_of(dossiers), 1)]
    stream = io.BytesIO()
    FORMATS[form].write(stream, HEAD, cards, exchange(bank_keys(), transport))
    return stream.getvalue()


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that three cards are more than one chunk."""
    monkeypatch.setattr(bankfile_batch, "_CHUNK", 2)
    monkeypatch.setattr(registry_dossiers, "_CHUNK", 2)


@pytest.mark.parametrize(("form", "transport"), [("dp", "shared"), ("dp-tr31", "shared"), ("dp", "shared-sm4")])
def test_a_banks_cards_come_out_as_chips_that_the_bank_accepts(
    prepared: tuple[Dossier, ...], station: Station, form: str, transport: str
) -> None:
    assert station.take(file_of(prepared, form, transport), transport) == CARDS
    job = station.job()
    chip = VirtualCard.create(None, CardConfig(ProductionData(0x2001), LinkProtocol.T1, 3))
    card = SimCard(chip, chip.config.protocol)
    report = process(card, job, "lane 1", lambda serial: True)
    assert report.outcome is CardOutcome.VERIFIED, report.reason
    [issued] = station.registry.cards.of_batch(station.batch)
    assert issued.result["payment"] == "cryptogram checked by the issuer", "here with the keys that the bank sent"
    [theirs] = [one for one in prepared if one.card_number == issued.card_number]
    assert PROFILE.payment
    at_the_bank = TransactionProof(PROFILE.payment, bank_keys())
    card.reset()
    assert at_the_bank(stack(card), theirs, AT) == "cryptogram checked by the issuer", "and there with its masters"
    card.close()


def test_what_came_from_a_bank_is_at_rest_sealed(
    prepared: tuple[Dossier, ...], station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Database, journal and the file where the import waits hold no key, no PIN block, no account number in clear."""

    def never_deleted(mode: str, **options: Any) -> Any:
        return NamedTemporaryFile(mode, dir=station.directory, prefix="spool-", delete=False, **options)

    monkeypatch.setattr(bankfile_spool, "TemporaryFile", never_deleted)
    data = file_of(prepared)
    station.take(data)
    planted = [one for dossier in prepared for one in _secrets(dossier)]
    assert len(planted) > CARDS * 8
    [spool] = station.directory.glob("spool-*")
    written = [path for path in station.directory.rglob("*") if path.is_file()]
    assert {spool, station.directory / "station.db"} <= set(written)
    assert spool.stat().st_size > len(data) / 2
    for path in written:
        content = path.read_bytes()
        for secret in planted:
            for shape in (secret, secret.hex().encode(), secret.hex().upper().encode()):
                assert shape not in content, path.name
    shown = repr(station.dossiers()) + repr([one.payment for one in station.dossiers()])
    assert not [secret for secret in planted if secret.hex() in shown.lower() or str(secret)[2:-1] in shown]


def _secrets(dossier: Dossier) -> Iterator[bytes]:
    """What must be nowhere: account number, card keys, chip keys."""
    assert dossier.payment
    for part in dossier.payment.parts:
        if isinstance(part.value, ApplicationKeys):
            yield part.value.pan.encode("ascii")
            side = exchange(bank_keys())
            clear = des.ecb_decrypt(ZMK, side.custody.to_transport(side.transport, part.value).ciphertext)
            yield from (clear[at : at + 16] for at in (0, 16, 32))
    for key in issuer.chip_keys():
        yield from (number.to_bytes(72, "big") for number in (key.p, key.q))


def test_the_keys_of_imported_cards_are_sealed_values(prepared: tuple[Dossier, ...], station: Station) -> None:
    station.take(file_of(prepared))
    for ours, theirs in zip(station.dossiers(), prepared, strict=True):
        assert ours.payment
        assert theirs.payment
        keys = {part.number: part.value for part in ours.payment.parts if isinstance(part.value, SealedKeys)}
        bank_keys = {
            part.number: part.value for part in theirs.payment.parts if isinstance(part.value, ApplicationKeys)
        }
        assert {number: key.kcvs for number, key in keys.items()} == {
            number: key.kcvs for number, key in bank_keys.items()
        }
        assert set(keys) == {0x8000, 0x8020}
        assert Dossier.decode(ours.encode()) == ours


def part(number: int, change: Callable[[bytes], bytes | None]) -> Bend:
    """A card with another value in a plain grouping, or without it."""

    def changed(parts: tuple[DossierPart, ...]) -> Iterator[DossierPart]:
        for one in parts:
            if one.number != number:
                yield one
            elif isinstance(one.value, bytes) and (value := change(one.value)) is not None:
                yield replace(one, value=value)

    def bend(card: PreparedCard) -> PreparedCard:
        return replace(card, payment=replace(card.payment, parts=tuple(changed(card.payment.parts))))

    return bend


@pytest.mark.parametrize(
    ("bend", "words"),
    [
        (
            part(0x9104, lambda value: None),
            "DGI 0201: record-unreachable: record 2.1 is on the card, but no AFL names it",
        ),
        (part(0x9000, lambda value: bytes(9)), "DGI 9000: key-check-values: the check values (9000) are not those"),
        (part(0x9102, lambda value: b"\xa5\x00"), "DGI 9102: fci: DGI 9102 is not one A5 template"),
    ],
    ids=["no options", "other check values", "no label"],
)
def test_a_broken_card_is_reported_by_record_and_grouping_and_nothing_is_taken(
    prepared: tuple[Dossier, ...], station: Station, bend: Bend, words: str
) -> None:
    with pytest.raises(BankFileRefused) as caught:
        station.take(file_of(prepared, r2=bend))
    message = str(caught.value)
    assert all(line.startswith("bank file, record 2, application A0000003330101") for line in message.splitlines()[:-1])
    assert words in message
    assert message.endswith("\nnothing of the file was taken")
    assert station.untouched
    assert station.registry.pans.of_cards([one.card_number for one in prepared]) == {}


def test_every_broken_card_is_reported(prepared: tuple[Dossier, ...], station: Station) -> None:
    bend = part(0x9102, lambda value: b"\xa5\x00")
    with pytest.raises(BankFileRefused) as caught:
        station.take(file_of(prepared, r1=bend, r3=bend))
    assert {fault.record for fault in caught.value.faults} == {1, 3}
    assert len(caught.value.faults) <= MOST_LISTED
    assert station.untouched


def test_a_change_after_the_last_card_is_noticed_in_time(prepared: tuple[Dossier, ...], station: Station) -> None:
    with pytest.raises(BankFileError, match="record 4, authenticator"):
        station.take(file_of(prepared)[:-1] + b"?")
    assert station.untouched


def test_what_ends_the_program_in_the_middle_leaves_nothing_half_done(
    prepared: tuple[Dossier, ...], station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Inside the transaction, between two dossiers; afterwards the same file goes in as if nothing had been."""
    whole = bankfile_spool.Spool.__iter__

    def until_killed(spool: bankfile_spool.Spool) -> Iterator[Any]:
        for count, one in enumerate(whole(spool)):
            if count == CARDS - 1:
                raise Killed
            yield one

    monkeypatch.setattr(bankfile_spool.Spool, "__iter__", until_killed)
    data = file_of(prepared)
    with pytest.raises(Killed):
        station.take(data)
    assert station.untouched
    assert station.registry.pans.of_cards([one.card_number for one in prepared]) == {}
    monkeypatch.setattr(bankfile_spool.Spool, "__iter__", whole)
    assert station.take(data) == station.take(data) == CARDS, "and once more"
    assert not station.untouched


def test_a_profile_without_payment_section_does_not_say_what_is_sound() -> None:
    assert PROFILE.payment
    with pytest.raises(PrepareError, match="no payment section"):
        linter_of(default_profile(), authorities(PROFILE.payment, bank_keys()))


def test_another_schemes_ca_key_does_not_verify_the_banks_certificates(
    prepared: tuple[Dossier, ...], station: Station
) -> None:
    payment = PROFILE.payment
    assert payment
    stranger = payment.model_copy(update={"trust": payment.trust.model_copy(update={"ca_key": "scheme-ca"})})
    judge = linter_of(PROFILE, authorities(stranger, bank_keys()))
    assert {sentence.partition(":")[0] for _, sentence in judge(prepared[0])} == {"certificate"}
    assert station.untouched


def test_a_rejected_card_of_a_bank_is_not_reissued_with_the_issuers_own_keys(
    prepared: tuple[Dossier, ...], station: Station
) -> None:
    registry, batch = station.registry, station.batch
    station.take(file_of(prepared))
    refuse_remaking(registry, station_keys(), batch)
    claim = registry.line.claim(batch, "lane 1", "station", "0123456789ABCDEF0123", timedelta(minutes=1))
    assert isinstance(claim, Claim)
    registry.line.reject(claim, "dead", "install", "1 dead")
    with pytest.raises(DossierError, match=f"card {claim.card_number} was rejected, and its bank prepared it"):
        refuse_remaking(registry, station_keys(), batch)
    refuse_remaking(registry, station_keys(), _fresh(registry))


def _fresh(registry: Registry) -> str:
    """A batch of which nothing was prepared yet."""
    batch = registry.rosters.import_roster(
        "测试工会", issuer.rows(1, 40), [], source="more.xlsx", digest="2", by="clerk"
    )
    registry.batches.approve(batch.id, "reviewer")
    return batch.id
