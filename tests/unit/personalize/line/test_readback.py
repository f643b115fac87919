"""Read-back: a chip that returns anything but its dossier is never verified, wherever the difference lies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from personalize.dossiers.dossier import MEMBER, Dossier
from personalize.errors import LineStopped, ReadBackError
from personalize.line.execute import process
from personalize.line.job import Job
from personalize.line.outcome import CardOutcome
from personalize.line.readback import read_back
from personalize.profiles.profile import default_profile
from registry.values import Claim
from simulators.readers.reader import SimCard
from simulators.virtual_card import VirtualCard
from terminal.apdu import stack
from terminal.errors import CardError, CardGone, IntegrityError, MembercardError
from terminal.globalplatform import AuthenticationGuard
from terminal.keys import CardKeys, Diversification, Scp
from terminal.member.outcome import VerdictCode
from terminal.member.signed import Issue
from terminal.member.trust import TrustList
from tests.support import issuer
from tests.support.cards.card_bench import Bench, Killed, fast_directory

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
LEASE = timedelta(minutes=2)
Change = Callable[[bytes, bytes], bytes]


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with fast_directory() as directory:
        card_bench = Bench(directory, 40)
        yield card_bench
        card_bench.registry.close()


@dataclass
class PersonalizedCard:
    """A chip and the dossier it was made from."""

    chip: VirtualCard
    dossier: Dossier
    job: Job

    @property
    def final(self) -> CardKeys:
        """The issuer's card keys of this chip, as the line derives them."""
        final, keys = self.job.profile.line.final_keys(Scp.SCP03), issuer.custody()
        data = self.chip.config.chip.key_data
        return keys.card_keys(keys.latest(final.master), Diversification(final.diversification), data, final.version)

    def read_back(self, change: Change = lambda apdu, answer: answer, **others: object) -> dict[str, str]:
        given: dict[str, object] = {
            "dossier": self.dossier,
            "final": self.final,
            "custody": issuer.custody(),
            "guard": AuthenticationGuard(),
            "trust": self.job.trust,
            "at": NOW,
            "chip": self.chip.chip_serial,
            "line": self.job.profile.line,
        }
        card = Changing(self.chip, change)
        try:
            return read_back(stack(card), **(given | others))  # type: ignore[arg-type]
        finally:
            card.close()


class Changing:
    """A transport that changes answers."""

    def __init__(self, chip: VirtualCard, change: Change) -> None:
        self._card = SimCard(chip, chip.config.protocol)
        self._change = change
        self.atr, self.protocol, self.extended_length = self._card.atr, self._card.protocol, self._card.extended_length
        self.reset, self.close = self._card.reset, self._card.close

    def exchange(self, apdu: bytes) -> bytes:
        return self._change(apdu, self._card.exchange(apdu))


def make(bench: Bench, *, dies_at: Callable[[bytes], bool] = lambda apdu: False) -> PersonalizedCard:
    """A chip personalized, as far as the first command that ``dies_at`` names."""
    chip, job = bench.chip(), bench.job()
    claim = bench.registry.line.claim(bench.batch, "lane 1", "station", chip.chip_serial, LEASE)
    assert isinstance(claim, Claim)

    class Dying(Changing):
        def exchange(self, apdu: bytes) -> bytes:
            if dies_at(apdu):
                raise Killed
            return super().exchange(apdu)

    card = Dying(chip, lambda apdu, answer: answer)
    try:
        process(card, job, "lane 1", lambda serial: True)
    except Killed:
        card.close()
    return PersonalizedCard(chip, Dossier.decode(issuer.custody().open(claim.sealed).reveal()), job)


@pytest.fixture(scope="module")
def personalized(bench: Bench) -> PersonalizedCard:
    return make(bench)


def test_a_chip_that_is_what_its_dossier_says(personalized: PersonalizedCard) -> None:
    assert personalized.read_back()["verdict"] == VerdictCode.ACTIVE.value


def test_a_card_to_be_activated_is_proven_and_stays_to_be_activated() -> None:
    with fast_directory() as directory:
        bench = Bench(directory, 1, profile=default_profile())
        card = make(bench)
        assert card.read_back()["verdict"] == VerdictCode.NOT_ACTIVATED.value
        (recorded,) = bench.registry.cards.of_batch(bench.batch)
        assert recorded.result["verdict"] == VerdictCode.NOT_ACTIVATED.value
        with pytest.raises(ReadBackError, match="verdict"):
            card.read_back(in_answer(READ, bytes.fromhex("DF2D03000000"), bytes.fromhex("DF2D03261122")))
        bench.registry.close()


def in_answer(ins: int, old: bytes, new: bytes) -> Change:
    """Puts ``new`` for ``old`` in answers to one INS."""
    return lambda apdu, answer: answer.replace(old, new) if apdu[1] == ins else answer


def flipped(ins: int, *, at: int, p1: int | None = None) -> Change:
    """One bit of each answer to one INS (and P1)."""

    def change(apdu: bytes, answer: bytes) -> bytes:
        if apdu[1] != ins or len(answer) < 3 or (p1 is not None and apdu[2] != p1):
            return answer
        place = at % (len(answer) - 2)
        return answer[:place] + bytes((answer[place] ^ 1,)) + answer[place + 1 :]

    return change


SELECT, OPTIONS, READ, SIGN, GET_DATA = 0xA4, 0xA8, 0xB2, 0x88, 0xCA
DIFFERENCES = [
    pytest.param(in_answer(SELECT, b"UNION MEMBER", b"UNION MEMBEN"), "FCI", id="label"),
    pytest.param(flipped(OPTIONS, at=-1), "options|verdict|reading", id="file-locator"),
    pytest.param(flipped(READ, at=60, p1=1), "verdict|record", id="identity-record"),
    pytest.param(flipped(READ, at=-1, p1=2), "verdict|record", id="validity-record"),
    pytest.param(flipped(SIGN, at=40), "verdict", id="signature"),
    pytest.param(in_answer(GET_DATA, b"\x00\x00\x10", b"\x00\x00\x20"), "production data", id="chip-serial"),
]


@pytest.mark.parametrize(("change", "where"), DIFFERENCES)
def test_a_changed_answer_is_detected(personalized: PersonalizedCard, change: Change, where: str) -> None:
    with pytest.raises((ReadBackError, CardError), match=where):
        personalized.read_back(change)


def test_a_chip_that_returns_another_name_is_rejected_and_its_card_remade(bench: Bench) -> None:
    """The whole way: a tampering transport from the read-back's reset on."""
    chip, before = bench.chip(), bench.accounts
    name = "赵".encode("gb18030")[:1]

    def rename(apdu: bytes, answer: bytes) -> bytes:
        at = answer.find(b"\xdf\x24")
        return answer[: at + 3] + bytes((name[0] ^ 0x01,)) + answer[at + 4 :] if at >= 0 else answer

    report = process(Changing(chip, rename), bench.job(), "lane 1", lambda serial: False)
    assert (report.outcome, report.bin) == (CardOutcome.REJECTED, "3 data")
    assert "read-back" in report.reason
    assert "赵" not in report.reason
    accounts = bench.accounts
    assert accounts.balanced
    assert (accounts.verified, accounts.remade) == (before.verified, before.remade + 1)
    assert not [card for card in bench.registry.cards.of_batch(bench.batch) if card.chip_serial == chip.chip_serial]


def test_a_genuine_chip_of_another_member_is_detected(bench: Bench, personalized: PersonalizedCard) -> None:
    other = make(bench)
    with pytest.raises(ReadBackError, match="does not return what the dossier says"):
        personalized.read_back(dossier=replace(personalized.dossier, applications=other.dossier.applications))


def with_part_of(dossier: Dossier, other: Dossier, dgi: int) -> Dossier:
    """The dossier with one data grouping of another card's member application."""
    (part,) = (part for part in other.member.parts if part.number == dgi)
    parts = tuple(part if mine.number == dgi else mine for mine in dossier.member.parts)
    return dossier.with_applications((MEMBER,), (replace(dossier.member, parts=parts),))


def test_other_protected_data_are_detected(bench: Bench, personalized: PersonalizedCard) -> None:
    other = make(bench)
    with pytest.raises(ReadBackError, match="the protected record"):
        personalized.read_back(dossier=with_part_of(personalized.dossier, other.dossier, 0x0501))


def test_read_keys_of_another_card_are_detected(bench: Bench, personalized: PersonalizedCard) -> None:
    other = make(bench)
    with pytest.raises(MembercardError, match="the card does not hold"):
        personalized.read_back(dossier=with_part_of(personalized.dossier, other.dossier, 0x8030))


def test_protected_data_changed_on_the_way_are_detected(personalized: PersonalizedCard) -> None:
    def change(apdu: bytes, answer: bytes) -> bytes:
        secured = apdu[0] & 0x04 and apdu[1] == READ
        return bytes((answer[0] ^ 1,)) + answer[1:] if secured else answer

    with pytest.raises(IntegrityError):
        personalized.read_back(change)


def test_stock_keys_left_on_the_chip_are_detected(bench: Bench) -> None:
    half = make(bench, dies_at=lambda apdu: apdu[1] == 0xD8)
    with pytest.raises(ReadBackError, match=r"the key sets.*30"):
        half.read_back()


def test_a_chip_not_secured_is_detected(bench: Bench) -> None:
    half = make(bench, dies_at=lambda apdu: apdu[1] == 0xF0)
    with pytest.raises(ReadBackError, match="the life cycle"):
        half.read_back()


def test_another_chip_of_the_same_name_is_detected_by_its_keys(bench: Bench, personalized: PersonalizedCard) -> None:
    other = make(bench)
    with pytest.raises(MembercardError, match="the card does not hold"):
        personalized.read_back(final=other.final)


@pytest.mark.parametrize(
    ("at", "trust", "code"),
    [
        pytest.param(datetime(2050, 1, 1, tzinfo=UTC), None, "dates", id="expired"),
        pytest.param(datetime(2020, 1, 1, tzinfo=UTC), None, "dates", id="not-yet-valid"),
        pytest.param(NOW, "empty", "trust", id="another-issuers-trust"),
    ],
)
def test_a_verdict_by_day_or_trust_list_is_not_the_chips_fault(
    personalized: PersonalizedCard, at: datetime, trust: str | None, code: str
) -> None:
    in_force = Issue(1, at - timedelta(days=1), at + timedelta(days=1))
    keys = personalized.job.trust.keys.values() if trust is None else []
    others: dict[str, object] = {"at": at, "trust": TrustList.of(keys, in_force)}
    with pytest.raises(LineStopped, match="the chip holds its data") as stopped:
        personalized.read_back(**others)
    assert stopped.value.code == code


@pytest.mark.parametrize("index", range(0, 16, 3))
def test_a_card_pulled_during_the_read_back_is_a_card_pulled(personalized: PersonalizedCard, index: int) -> None:
    """Never a verdict and never a difference: the fault of the link comes out as it is."""
    seen = 0

    def pull(apdu: bytes, answer: bytes) -> bytes:
        nonlocal seen
        seen += 1
        if seen == index + 1:
            raise CardGone("the card was taken out")
        return answer

    with pytest.raises(CardGone):
        personalized.read_back(pull)
