"""Read-back by use: the kernel runs a transaction with the new chip; custody checks its cryptogram as the issuer."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from personalize.dossiers.dossier import PAYMENT, Dossier
from personalize.errors import LineStopped, ReadBackError
from personalize.line.execute import process
from personalize.line.outcome import CardOutcome
from personalize.payment.proof import TransactionProof, authorities
from personalize.profiles.profile import Profile
from simulators.readers.reader import SimCard
from terminal.apdu import Sender, stack
from terminal.emv.authentication.cakeys import ca_store
from terminal.keys import ApplicationKeys
from tests.support import bank, issuer
from tests.support.cards.card_bench import Bench, fast_directory

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
PROFILES = {
    "pboc": bank.profile(),
    "sm": bank.profile(algorithms="sm", pdol=bank.SM_PDOL),
    "both": bank.profile(algorithms="both", pdol=bank.SM_PDOL),
    "cvn10": bank.profile(cryptogram="cvn10", keys={"option": "B"}),
    "cvn17": bank.profile(cryptogram="cvn17"),
    "cvn18": bank.profile(cryptogram="cvn18"),
    "static": bank.profile(authentication={"static": True, "dynamic": False, "combined": False}),
}


def proof_of(profile: Profile) -> TransactionProof:
    assert profile.payment
    return TransactionProof(profile.payment, issuer.custody())


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_a_new_chip_pays_its_way_through_the_read_back(profile: Profile) -> None:
    with fast_directory() as directory:
        bench = Bench(directory, 1, profile=profile)
        chip = bench.chip()
        card = SimCard(chip, chip.config.protocol)
        report = process(card, bench.job(payment_proof=proof_of(profile)), "lane 1", lambda serial: True)
        assert report.outcome is CardOutcome.VERIFIED, report.reason
        (issued,) = bench.registry.cards.of_batch(bench.batch)
        assert issued.result["payment"] == "cryptogram checked by the issuer"
        card.close()
        bench.registry.close()


def test_a_cryptogram_reveals_a_chip_with_another_cards_keys() -> None:
    """What comparing bytes cannot see: the keys in the chip are not those of the dossier."""
    profile = PROFILES["pboc"]

    def with_other_keys(sender: Sender, dossier: Dossier, at: datetime) -> str:
        assert dossier.payment
        other = bank.dossier(profile, sequence=9).payment
        assert other
        keys = next(part.value for part in other.parts if part.number == 0x8000)
        assert isinstance(keys, ApplicationKeys)
        parts = tuple(replace(p, value=keys) if p.number == 0x8000 else p for p in dossier.payment.parts)
        return proof_of(profile)(
            sender, dossier.with_applications((PAYMENT,), (replace(dossier.payment, parts=parts),)), at
        )

    with fast_directory() as directory:
        bench = Bench(directory, 1, profile=profile)
        chip = bench.chip()
        card = SimCard(chip, chip.config.protocol)
        report = process(card, bench.job(payment_proof=with_other_keys), "lane 1", lambda serial: True)
        card.close()
        assert (report.outcome, report.bin) == (CardOutcome.REJECTED, "3 data")
        assert "the cryptogram" in report.reason
        bench.registry.close()


def test_a_chip_whose_application_is_not_there_pays_nothing() -> None:
    with fast_directory() as directory:
        bench = Bench(directory, 1, profile=PROFILES["pboc"])
        chip = bench.chip()
        card = SimCard(chip, chip.config.protocol)
        with pytest.raises(ReadBackError, match="the cryptogram"):
            proof_of(PROFILES["pboc"])(stack(card), bank.dossier(), NOW)
        card.close()
        bench.registry.close()


def test_a_card_on_the_wrong_day_stops_the_line_and_not_the_chip() -> None:
    """The kernel of another day finds the right card expired, or not yet effective."""
    with fast_directory() as directory:
        bench = Bench(directory, 1, profile=PROFILES["pboc"])
        chip = bench.chip()
        card = SimCard(chip, chip.config.protocol)
        dossiers: list[Dossier] = []
        proof = proof_of(PROFILES["pboc"])

        def of_another_day(sender: Sender, dossier: Dossier, at: datetime) -> str:
            dossiers.append(dossier)
            for day in (at - timedelta(days=3), at + timedelta(days=366 * 30)):
                with pytest.raises(LineStopped, match="clock and time_zone") as stopped:
                    proof(sender, dossier, day)
                assert stopped.value.code == "dates"
                card.reset()
            return proof(sender, dossier, at)

        report = process(card, bench.job(payment_proof=of_another_day), "lane 1", lambda serial: True)
        assert report.outcome is CardOutcome.VERIFIED, report.reason
        card.close()
        bench.registry.close()


def test_a_ca_key_that_terminals_no_longer_have_stops_the_line() -> None:
    profile = PROFILES["pboc"]
    assert profile.payment
    known = authorities(profile.payment, issuer.custody())
    ended = ca_store(replace(key, expires=NOW.date() - timedelta(days=1)) for key in known.rsa.values())
    with fast_directory() as directory:
        bench = Bench(directory, 1, profile=profile)
        chip = bench.chip()
        card = SimCard(chip, chip.config.protocol)
        proof = TransactionProof(profile.payment, issuer.custody(), ended)
        with pytest.raises(LineStopped, match="was valid through 2026-11-21") as stopped:
            process(card, bench.job(payment_proof=proof), "lane 1", lambda serial: True)
        assert stopped.value.code == "trust"
        card.close()
        bench.registry.close()
