"""The office proves a redemption by the key of the card, in custody: what the card computed, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, time

import pytest

from terminal.apdu import stack
from terminal.errors import KeyMisuse, KeyNotFound
from terminal.keys import Algorithm, KeyRef, MemoryCustody, Purpose
from terminal.member.issuing import proves
from terminal.member.redemption.evidence import RedemptionEvidence
from terminal.member.redemption.recovery import recover
from terminal.member.redemption.redeem import Redemption, RedemptionStatus, redeem
from terminal.member.redemption.request import RedemptionRequest
from terminal.member.verdict import verify
from terminal.secret import Secret
from tests.support.cards.member_issuer import NOW, TRUST, hotlist
from tests.support.cards.redeeming_card import MASTERS, RedeemingCard

# pyemv takes triple DES from where cryptography used to keep it.
pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")

REQUEST = RedemptionRequest("0101", 1, 500, date(2026, 11, 22), time(10, 30), "PARK-EAST", "T0000001", bytes(4))
MASTER = KeyRef("imk-ac")


@pytest.fixture(scope="module")
def custody() -> MemoryCustody:
    custody = MemoryCustody(simulation=True)
    custody.import_key("imk-ac", Purpose.AC, Algorithm.TDES, Secret(MASTERS["AC"]), by="test")
    custody.import_key("imk-smi", Purpose.SMI, Algorithm.TDES, Secret(MASTERS["SMI"]), by="test")
    custody.generate("imk-ac-sm4", Purpose.AC, Algorithm.SM4, by="test")
    custody.generate("other", Purpose.AC, Algorithm.TDES, by="test")
    return custody


def redeemed(card: RedeemingCard, request: RedemptionRequest = REQUEST) -> Redemption:
    verdict = verify(stack(card), trust=TRUST, hotlist=hotlist(), at=NOW)
    assert verdict.card is not None
    return redeem(stack(card), verdict.card, request)


def evidence_of(redemption: Redemption | None) -> RedemptionEvidence:
    assert redemption is not None
    assert redemption.evidence is not None
    return redemption.evidence


def test_a_redemption_is_proven_to_the_issuer(custody: MemoryCustody) -> None:
    evidence = evidence_of(redeemed(RedeemingCard()))
    assert proves(custody, MASTER, evidence)
    assert proves(custody, MASTER, RedemptionEvidence.decode(evidence.encode()))


def test_a_refusal_is_proven_as_well_and_is_no_tc(custody: MemoryCustody) -> None:
    card = RedeemingCard()
    card.refuses = bytes.fromhex("004000")
    evidence = evidence_of(redeemed(card))
    assert proves(custody, MASTER, evidence)
    assert (evidence.cid, evidence.data.approved) == (0x00, False)


def test_a_redemption_that_only_the_log_has_is_proven_to_the_issuer(custody: MemoryCustody) -> None:
    card = RedeemingCard()
    redeemed(card)
    redeemed(card, replace(REQUEST, unpredictable=b"next"))
    verdict = verify(stack(card), trust=TRUST, hotlist=hotlist(), at=NOW)
    assert verdict.card is not None
    redemption = recover(stack(card), verdict.card, REQUEST)
    assert redemption is not None
    assert redemption.status is RedemptionStatus.LOGGED
    assert proves(custody, MASTER, evidence_of(redemption))


@pytest.mark.parametrize("part", ["values", "aip", "atc", "issuer_data", "cryptogram"])
def test_every_bit_of_the_evidence_counts(custody: MemoryCustody, part: str) -> None:
    evidence = evidence_of(redeemed(RedeemingCard()))
    genuine = getattr(evidence, part)
    for bit in range(8 * len(genuine)):
        changed = (int.from_bytes(genuine, "big") ^ 1 << bit).to_bytes(len(genuine), "big")
        assert not proves(custody, MASTER, replace(evidence, **{part: changed}))  # type: ignore[arg-type]


def test_the_evidence_of_another_card_or_under_another_master_proves_nothing(custody: MemoryCustody) -> None:
    evidence = evidence_of(redeemed(RedeemingCard()))
    assert not proves(custody, MASTER, replace(evidence, sequence=2))
    assert not proves(custody, MASTER, replace(evidence, card_number="9156130000000001242"))
    assert not proves(custody, KeyRef("other"), evidence)
    assert not proves(custody, MASTER, replace(evidence, cryptogram=b""))


def test_only_a_cryptogram_master_proves_anything(custody: MemoryCustody) -> None:
    evidence = evidence_of(redeemed(RedeemingCard()))
    for name in ("imk-smi", "imk-ac-sm4"):
        with pytest.raises(KeyMisuse, match="verifying a cryptogram"):
            proves(custody, KeyRef(name), evidence)
    with pytest.raises(KeyNotFound):
        proves(custody, KeyRef("imk-ac", 2), evidence)
