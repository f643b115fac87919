"""The terminal's redemption, recovery and scripts against the virtual card, which was written apart from them.

The card is personalized by the line with the shipped profile; the office proves what it redeemed by the key in custody.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, datetime, time
from itertools import count
from pathlib import Path

import pytest

from personalize.line.execute import process
from simulators.card.config import CardConfig, ProductionData
from simulators.readers.faults import Faults, InjectedFault
from simulators.readers.reader import SimCard
from simulators.virtual_card import VirtualCard
from terminal.apdu import Command, Sender, stack
from terminal.errors import CardRefused, TransportError
from terminal.keys import ApplicationKeys, KeyRef, PinFormat
from terminal.member import elements
from terminal.member.card_data import read_data
from terminal.member.cvr import CvrFlag, RedemptionData
from terminal.member.hotlist import Hotlist
from terminal.member.issuing import (
    ScriptStep,
    block_application,
    change_pin,
    proves,
    put_data,
    unblock_application,
    unblock_pin,
    write_script,
)
from terminal.member.outcome import Verdict, VerdictCode
from terminal.member.pin import PinCheck, verify_pin
from terminal.member.proven import ProvenCard
from terminal.member.reading import select
from terminal.member.redemption.recovery import read_log, recover
from terminal.member.redemption.redeem import Redemption, RedemptionStatus, redeem
from terminal.member.redemption.request import RedemptionRequest
from terminal.member.scripts import CardScript, UpdateStatus, update
from terminal.member.signed import Issue
from terminal.member.trust import TrustList
from terminal.member.values import Entitlement, Period
from terminal.member.verdict import verify
from terminal.secret import Secret
from terminal.tlv import decode
from tests.support import issuer
from tests.support.cards.card_bench import SCP02, SCP03, Bench, fast_directory

TODAY = date(2026, 11, 22)
REQUEST = RedemptionRequest("0101", 2, 2_000, TODAY, time(12, 0), "PARK-EAST", "T0000001", bytes.fromhex("0BADF00D"))
PARK, FILM, ONCE, LATER = (
    Entitlement("0101", 12, 0, Period.YEAR, date(2026, 1, 1)),
    Entitlement("0401", 2, 0, Period.DAY, TODAY, pin=True),
    Entitlement("0501", 1, 0, Period.ONCE, date(2026, 1, 1)),
    Entitlement("0601", 4, 0, Period.MONTH, date(2026, 12, 1)),
)
PIN = Secret(b"135790")


class IssuedCard:
    """A card in its file, which is inserted as often as a test likes."""

    def __init__(self, path: Path, trust: TrustList, at: datetime) -> None:
        self.path, self.trust, self.at = path, trust, at
        self.faults = Faults()

    def inserted(self, fault: str = "") -> Sender:
        chip = VirtualCard.open(self.path)
        self.faults = Faults([InjectedFault.parse(fault)] if fault else (), sleep=lambda seconds: None)
        self.chip = chip
        return stack(SimCard(self.faults.on(chip, chip), chip.config.protocol))

    def removed(self) -> None:
        self.chip.power_off()

    @property
    def struck(self) -> bool:
        return bool(self.faults.struck) or (self.faults.tear is not None and self.faults.tear.done)

    def verdict(self, sender: Sender) -> Verdict:
        hotlist = Hotlist.of((), Issue(1, self.at, self.at))
        return verify(sender, trust=self.trust, hotlist=hotlist, at=self.at)

    def proven(self, sender: Sender) -> ProvenCard:
        verdict = self.verdict(sender)
        assert verdict.card is not None, verdict.sentence
        return verdict.card

    def redeemed(self, request: RedemptionRequest = REQUEST) -> Redemption:
        sender = self.inserted()
        try:
            return redeem(sender, self.proven(sender), request)
        finally:
            self.removed()

    def recovered(self, request: RedemptionRequest = REQUEST) -> Redemption | None:
        sender = self.inserted()
        try:
            return recover(sender, self.proven(sender), request)
        finally:
            self.removed()

    def elsewhere(self, times: int, **changes: object) -> None:
        for number in range(times):
            request = replace(REQUEST, merchant="CINEMA", quantity=1, unpredictable=number.to_bytes(4, "big"))
            assert self.redeemed(replace(request, **changes)).done  # type: ignore[arg-type]

    def used(self, benefit: str = "0101") -> int:
        sender = self.inserted()
        try:
            entitlements = self.proven(sender).card.need(elements.ENTITLEMENTS)
            return next(one.used for one in entitlements if one.benefit_class == benefit)
        finally:
            self.removed()

    def counters(self) -> tuple[int, int]:
        """Transaction counter and script counter."""
        sender = self.inserted()
        select(sender)
        try:
            return read_data(sender, elements.TRANSACTION_COUNTER), read_data(sender, elements.SCRIPT_COUNTER)
        finally:
            self.removed()

    def keys(self) -> ApplicationKeys:
        sender = self.inserted()
        card = self.proven(sender)
        self.removed()
        custody = issuer.custody()
        ac, smi, smc = (custody.latest(name) for name in ("imk-ac", "imk-smi", "imk-smc"))
        return custody.application_keys((ac, smi, smc), card.card_number, card.sequence)

    def script(self, *steps: ScriptStep) -> CardScript:
        atc, counter = self.counters()
        return write_script(issuer.custody(), self.keys(), steps, atc=atc, counter=counter)

    def updated(self, *steps: ScriptStep) -> None:
        script, sender = self.script(*steps), self.inserted()
        select(sender)
        outcome = update(sender, script)
        self.removed()
        assert outcome.status is UpdateStatus.DONE, outcome


@pytest.fixture(scope="module", params=[SCP03, SCP02], ids=["t1", "t0"])
def issued(request: pytest.FixtureRequest) -> Iterator[IssuedCard]:
    """One card of each kind of stock."""
    scp, protocol = request.param
    with fast_directory() as directory:
        bench = Bench(directory, 1)
        path = directory / "issued.card"
        chip = VirtualCard.create(path, CardConfig(ProductionData(0x77), protocol, scp))
        line = SimCard(chip, chip.config.protocol)
        job = bench.job()
        report = process(line, job, "contract", lambda serial: True)
        assert not report.reason, report.reason
        line.close()
        bench.registry.close()
        yield IssuedCard(path, job.trust, job.now())


@pytest.fixture
def card(issued: IssuedCard, tmp_path: Path) -> IssuedCard:
    path = tmp_path / "copy.card"
    shutil.copyfile(issued.path, path)
    return IssuedCard(path, issued.trust, issued.at)


def proven_to_the_issuer(redemption: Redemption | None) -> bool:
    assert redemption is not None
    assert redemption.evidence is not None
    custody = issuer.custody()
    return proves(custody, custody.latest("imk-ac"), redemption.evidence)


def pin_step() -> ScriptStep:
    custody = issuer.custody()
    pek = KeyRef("pek")
    return change_pin(custody.encrypt_pin(pek, PinFormat.ISO0, PIN, "9156130000000001234"))


def test_a_whole_redemption(card: IssuedCard) -> None:
    sender = card.inserted()
    verdict = card.verdict(sender)
    assert (verdict.code, verdict.entitlements[0].left) == (VerdictCode.ACTIVE, 12)
    assert verdict.card is not None
    redemption = redeem(sender, verdict.card, REQUEST)
    assert (redemption.status, redemption.reasons) == (RedemptionStatus.DONE, ())
    data = redemption.data
    assert data is not None
    assert (data.used, data.limit, data.start, data.scripts) == (2, 12, date(2026, 1, 1), 0)
    assert proven_to_the_issuer(redemption)
    with pytest.raises(CardRefused, match="6985"):
        redeem(sender, verdict.card, replace(REQUEST, unpredictable=bytes(4)))
    after = card.verdict(sender)
    assert after.entitlements[0].left == 10
    card.removed()


def test_each_redemption_has_the_next_transaction_counter_and_the_limit_holds(card: IssuedCard) -> None:
    transactions = []
    for number in range(6):
        redemption = card.redeemed(replace(REQUEST, unpredictable=number.to_bytes(4, "big")))
        assert redemption.done
        assert proven_to_the_issuer(redemption)
        assert redemption.evidence is not None
        transactions.append(redemption.evidence.counter)
    assert transactions == list(range(transactions[0], transactions[0] + 6))
    refused = card.redeemed(replace(REQUEST, quantity=1, unpredictable=b"last"))
    assert (refused.status, refused.reasons) == (RedemptionStatus.REFUSED, (CvrFlag.LIMIT_EXCEEDED,))
    assert refused.evidence is not None
    assert refused.evidence.counter == transactions[-1]
    assert proven_to_the_issuer(refused)
    assert card.used() == 12


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"benefit_class": "0999"}, CvrFlag.NO_SUCH_CLASS),
        ({"quantity": 13}, CvrFlag.LIMIT_EXCEEDED),
        ({"quantity": 255}, CvrFlag.LIMIT_EXCEEDED),
        ({"day": date(2025, 12, 31)}, CvrFlag.DATE_BEFORE_PERIOD),
    ],
)
def test_a_refusal_names_its_reason_and_counts_nothing(
    card: IssuedCard, change: dict[str, object], reason: CvrFlag
) -> None:
    before = card.counters()
    redemption = card.redeemed(replace(REQUEST, **change))  # type: ignore[arg-type]
    assert (redemption.status, redemption.reasons) == (RedemptionStatus.REFUSED, (reason,))
    assert proven_to_the_issuer(redemption)
    assert (card.counters(), card.used()) == (before, 0)


@pytest.mark.parametrize(
    ("p1", "tag", "value", "reason"),
    [
        (0x50, 0x9A, "261322", CvrFlag.NO_DATE),
        (0x50, 0xDF32, "00", CvrFlag.NO_QUANTITY),
        (0x00, 0xDF32, "01", CvrFlag.AAC_REQUESTED),
    ],
)
def test_what_no_request_asks_is_refused_with_its_reason(
    card: IssuedCard, p1: int, tag: int, value: str, reason: CvrFlag
) -> None:
    sender = card.inserted()
    wanted = card.proven(sender).redemption_list
    data = wanted.fill({**REQUEST.values, tag: bytes.fromhex(value)}, elements.FORMATS)
    answer = decode(sender.send(Command(0x80, 0xAE, p1, 0x00, data, ne=256)).data)
    card.removed()
    issuer_data = answer.need(0x77, 0x9F10)
    assert answer.need(0x77, 0x9F27) == b"\x00"
    assert reason in RedemptionData.decode(issuer_data).reasons
    assert card.used() == 0


def test_a_date_before_the_last_one_is_refused(card: IssuedCard) -> None:
    assert card.redeemed().done
    earlier = replace(REQUEST, day=date(2026, 11, 21), unpredictable=bytes(4))
    redemption = card.redeemed(earlier)
    assert (redemption.status, redemption.reasons) == (RedemptionStatus.REFUSED, (CvrFlag.DATE_BEFORE_LAST,))
    sender = card.inserted()
    select(sender)
    assert read_data(sender, elements.LAST_REDEMPTION) == TODAY
    card.removed()


def test_a_new_period_begins_unused(card: IssuedCard) -> None:
    assert card.redeemed(replace(REQUEST, quantity=12)).done
    card.at = datetime(2027, 3, 1, 12, tzinfo=card.at.tzinfo)
    redemption = card.redeemed(replace(REQUEST, day=date(2027, 3, 1), unpredictable=bytes(4)))
    data = redemption.data
    assert redemption.done
    assert data is not None
    assert (data.used, data.start, data.flags) == (2, date(2027, 1, 1), CvrFlag.NEW_PERIOD)


def test_entitlements_of_a_script_are_what_the_card_counts(card: IssuedCard) -> None:
    card.updated(put_data(elements.ENTITLEMENTS, (PARK, FILM, ONCE, LATER)), pin_step())
    numbers = count(1)

    def requested(benefit: str, quantity: int = 1) -> Redemption:
        number = next(numbers).to_bytes(4, "big")
        return card.redeemed(replace(REQUEST, benefit_class=benefit, quantity=quantity, unpredictable=number))

    assert requested("0501").done
    assert requested("0501").reasons == (CvrFlag.LIMIT_EXCEEDED,)
    assert requested("0601").reasons == (CvrFlag.DATE_BEFORE_PERIOD,)
    assert requested("0401").reasons == (CvrFlag.PIN_MISSING,)
    assert requested("0401", 3).reasons == (CvrFlag.LIMIT_EXCEEDED, CvrFlag.PIN_MISSING)
    sender = card.inserted()
    proven = card.proven(sender)
    assert verify_pin(sender, Secret(b"000000")) == PinCheck(False, 2)
    assert verify_pin(sender, PIN) == PinCheck(True, None)
    redemption = redeem(sender, proven, replace(REQUEST, benefit_class="0401", unpredictable=b"PIN!"))
    card.removed()
    data = redemption.data
    assert redemption.done
    assert data is not None
    assert (data.flags & CvrFlag.PIN_VERIFIED, data.scripts) == (CvrFlag.PIN_VERIFIED, 2)
    assert proven_to_the_issuer(redemption)


def test_a_blocked_application_refuses_and_is_unblocked(card: IssuedCard) -> None:
    card.updated(block_application())
    sender = card.inserted()
    verdict = card.verdict(sender)
    assert (verdict.code, verdict.check) == (VerdictCode.SUSPENDED, "application blocked")
    assert verdict.card is not None
    redemption = redeem(sender, verdict.card, REQUEST)
    card.removed()
    assert (redemption.status, redemption.reasons) == (RedemptionStatus.REFUSED, (CvrFlag.BLOCKED,))
    card.updated(unblock_application())
    assert card.redeemed().done


def test_the_same_request_again_is_the_same_redemption(card: IssuedCard) -> None:
    first, second = card.redeemed(), card.redeemed()
    assert first.done
    assert second.done
    assert first.evidence is not None
    assert second.evidence is not None
    assert first.evidence.signature != second.evidence.signature
    for part in ("cid", "atc", "cryptogram", "issuer_data", "values"):
        assert getattr(first.evidence, part) == getattr(second.evidence, part)
    assert card.used() == 2


def test_the_log_has_what_was_redeemed(card: IssuedCard) -> None:
    assert card.redeemed().done
    card.elsewhere(2)
    sender = card.inserted()
    proven = card.proven(sender)
    assert proven.log == (4, 10)
    records = list(read_log(sender, proven.log))
    card.removed()
    assert [record.number for record in records] == [1, 2, 3]
    assert [record.values[0x9F16].decode().rstrip() for record in records] == ["CINEMA", "CINEMA", "PARK-EAST"]
    assert records[-1].values[0xDF32] == b"\x02"
    assert records[-1].moment == bytes.fromhex("261122120000")


@pytest.mark.parametrize("after", [1, 9])
def test_a_redemption_that_others_followed_is_in_the_log_and_proven_to_the_issuer(card: IssuedCard, after: int) -> None:
    assert card.redeemed().done
    card.elsewhere(after)
    redemption = card.recovered()
    assert redemption is not None
    assert redemption.status is RedemptionStatus.LOGGED
    assert proven_to_the_issuer(redemption)


def test_ten_later_redemptions_leave_it_unknown_and_ten_earlier_ones_do_not(card: IssuedCard) -> None:
    assert card.redeemed(replace(REQUEST, quantity=1)).done
    card.elsewhere(10)
    lost = card.recovered(replace(REQUEST, quantity=1))
    assert lost is not None
    assert lost.status is RedemptionStatus.UNKNOWN
    assert card.recovered(replace(REQUEST, clock=time(12, 1), unpredictable=b"new!")) is None


TEARS = ["tear-apdu:{}", "tear-apdu:{}+", "tear-page:{}", "tear-page:{}+"]


def torn(card: IssuedCard, fault: str, work: Callable[[Sender], object]) -> bool:
    """Whether the fault struck; the card is out of the reader afterwards."""
    sender = card.inserted(fault)
    try:
        work(sender)
    except TransportError:
        assert card.struck
        return True
    finally:
        card.chip.tear = None
        card.removed()
    return False


@pytest.mark.parametrize("tear", TEARS)
@pytest.mark.parametrize("before", [0, 11])
def test_a_tear_at_every_point_of_a_redemption(card: IssuedCard, tmp_path: Path, tear: str, before: int) -> None:
    """Nothing happened, or it happened once and is found again; then the benefit is used exactly as often."""
    card.updated(put_data(elements.ENTITLEMENTS, (replace_limit(PARK, 100),)))
    card.elsewhere(before, clock=time(9, 0))
    happened = []
    for index in count():
        copy = IssuedCard(tmp_path / "torn.card", card.trust, card.at)
        shutil.copyfile(card.path, copy.path)

        def work(sender: Sender, copy: IssuedCard = copy) -> None:
            verdict = copy.verdict(sender)
            if verdict.code is VerdictCode.CARD_FAULT:
                raise TransportError(verdict.sentence)
            assert verdict.card is not None
            redeem(sender, verdict.card, REQUEST)

        if not torn(copy, tear.format(index), work):
            break
        used, redemption = copy.used(), copy.recovered()
        if redemption is None:
            assert used == before, tear.format(index)
            assert copy.redeemed().done
        else:
            assert redemption.done, tear.format(index)
            assert used == before + 2
            assert proven_to_the_issuer(redemption)
        assert copy.used() == before + 2
        happened.append(redemption is not None)
    assert len(happened) >= (11 if "apdu" in tear else 1)
    assert happened == sorted(happened)
    if "page" in tear:
        assert set(happened) == {tear.endswith("+")}, "it is one commit"
    else:
        assert not happened[0]
        assert happened[-1] or not tear.endswith("+")


@pytest.mark.parametrize("tear", TEARS)
def test_a_tear_at_every_point_of_a_script(card: IssuedCard, tmp_path: Path, tear: str) -> None:
    """The same script finishes at the next insertion; every command ran once, in its order."""
    validity = put_data(elements.VALID_THROUGH, date(2033, 6, 30))
    cover = put_data(elements.COVER_ENDS, date(2028, 6, 30))
    steps = (validity, put_data(elements.ENTITLEMENTS, (ONCE,)), cover, pin_step(), unblock_pin(), block_application())
    script = card.script(*steps)
    befores = []
    for index in count():
        copy = IssuedCard(tmp_path / "torn.card", card.trust, card.at)
        shutil.copyfile(card.path, copy.path)

        def work(sender: Sender) -> None:
            select(sender)
            update(sender, script)

        if not torn(copy, tear.format(index), work):
            break
        sender = copy.inserted()
        select(sender)
        outcome = update(sender, script)
        verdict = copy.verdict(sender)
        copy.removed()
        assert outcome.status is UpdateStatus.DONE, tear.format(index)
        assert (outcome.before + outcome.ran, outcome.counter) == (6, script.counter + 6)
        assert verdict.code is VerdictCode.SUSPENDED
        assert verdict.member is not None
        assert verdict.member.valid_through == date(2033, 6, 30)
        assert verdict.member.cover_ends == date(2028, 6, 30)
        assert verdict.member.entitlements == (ONCE,)
        befores.append(outcome.before)
    assert befores == sorted(befores)
    assert set(befores) >= set(range(1, 6))


AHEAD = replace(REQUEST, day=date(2031, 1, 5), unpredictable=bytes.fromhex("5EED5EED"))


@pytest.mark.parametrize("tear", TEARS)
def test_a_card_that_a_wrong_clock_locked_is_opened_by_a_script_torn_anywhere(
    card: IssuedCard, tmp_path: Path, tear: str
) -> None:
    assert card.redeemed(AHEAD).done
    assert CvrFlag.DATE_BEFORE_LAST in (refused := card.redeemed()).reasons
    script = card.script(put_data(elements.LAST_REDEMPTION, TODAY))
    for index in count():
        copy = IssuedCard(tmp_path / "torn.card", card.trust, card.at)
        shutil.copyfile(card.path, copy.path)

        def work(sender: Sender) -> None:
            select(sender)
            update(sender, script)

        struck = torn(copy, tear.format(index), work)
        sender = copy.inserted()
        select(sender)
        outcome = update(sender, script)
        dates = [read_data(sender, element) for element in (elements.LAST_REDEMPTION, elements.DATE_SET_BACK)]
        copy.removed()
        assert (outcome.status, outcome.before + outcome.ran) == (UpdateStatus.DONE, 1), tear.format(index)
        assert dates == [TODAY, AHEAD.day]
        if not struck:
            break
    assert refused.status is RedemptionStatus.REFUSED
    assert index >= 1
    again = copy.redeemed()
    assert again.reasons == (CvrFlag.DATE_BEFORE_PERIOD,), "the year began with the wrong date"
    copy.updated(put_data(elements.ENTITLEMENTS, (PARK,)))
    assert copy.redeemed().done
    ahead = copy.recovered(AHEAD)
    assert ahead is not None
    assert ahead.status is RedemptionStatus.LOGGED
    lost = copy.recovered(replace(AHEAD, unpredictable=bytes(4)))
    assert lost is None, "the log has room, so nothing else happened"
    copy.elsewhere(10)
    for request, status in ((AHEAD, RedemptionStatus.UNKNOWN), (replace(AHEAD, day=date(2031, 1, 6)), None)):
        redemption = copy.recovered(request)
        assert (redemption and redemption.status) is status


def test_a_script_is_void_after_a_redemption(card: IssuedCard) -> None:
    script = card.script(unblock_pin())
    assert card.redeemed().done
    sender = card.inserted()
    select(sender)
    assert update(sender, script).status is UpdateStatus.VOID
    card.removed()


def test_a_script_of_another_card_is_refused_and_the_card_says_so(card: IssuedCard) -> None:
    atc, counter = card.counters()
    keys, custody = card.keys(), issuer.custody()
    other = custody.application_keys(keys.masters, keys.pan, keys.sequence + 1)
    script, sender = write_script(custody, other, [unblock_pin()], atc=atc, counter=counter), card.inserted()
    select(sender)
    outcome = update(sender, script)
    card.removed()
    assert (outcome.status, outcome.refusal, outcome.counter) == (UpdateStatus.REFUSED, 0x6988, counter)
    data = card.redeemed().data
    assert data is not None
    assert data.flags == CvrFlag.SCRIPT_REFUSED


def test_an_element_in_a_signed_record_is_not_set(card: IssuedCard) -> None:
    script, sender = card.script(put_data(elements.ACTIVATED_ON, TODAY)), card.inserted()
    select(sender)
    outcome = update(sender, script)
    card.removed()
    assert (outcome.status, outcome.refusal) == (UpdateStatus.REFUSED, 0x6A88)


def replace_limit(entitlement: Entitlement, limit: int) -> Entitlement:
    return entitlement._replace(limit=limit)
