"""Two chips of one serial, in two lanes or one after the other: at most one is ever taken for the card, and a genuine
card that moves between lanes is none of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from personalize.line.job import Job
from personalize.line.lanes import LaneEvent
from personalize.line.outcome import CardOutcome
from registry.values import BatchAccounts, CardState
from simulators.card.config import CardConfig, ProductionData
from simulators.readers.reader import SimCard
from simulators.virtual_card import VirtualCard
from terminal.apdu import Disposition, LinkProtocol, Transport
from terminal.errors import CardGone
from terminal.globalplatform import IdentitySource
from tests.support.cards.card_bench import SCP02, SCP03, Bench, Killed, Rack

pytestmark = pytest.mark.usefixtures("quick")

MEMBERS = 2
AGAIN, ASIDE, KNOWN, VERIFIED = CardOutcome.AGAIN, CardOutcome.ASIDE, CardOutcome.KNOWN, CardOutcome.VERIFIED
KINDS = pytest.mark.parametrize("kind", [SCP02, SCP03], ids=["scp02", "scp03"])
STEPS = ["authenticate", "install", "store", "keys", "secure", "read back"]
CHANGES = (0xE6, 0xE2, 0xD8, 0xF0, 0xE4)
PUT_KEY = 0xD8
SERIAL = ProductionData(0x77)


class Contact:
    """What is between a lane and its chips: it keeps every command, hides the CPLC if readings, and fails on order."""

    def __init__(self, *, cplc: bool = True, torn_at: int | None = None) -> None:
        self.cplc, self.torn_at, self.pulled = cplc, torn_at, False
        self.sent: list[int] = []

    def __call__(self, card: SimCard) -> Transport:
        return _Touched(card, self)


class _Touched:
    def __init__(self, card: SimCard, contact: Contact) -> None:
        self._card, self._contact = card, contact
        self.atr, self.protocol, self.extended_length = card.atr, card.protocol, card.extended_length
        self.reset, self.close = card.reset, card.close

    def exchange(self, apdu: bytes) -> bytes:
        contact = self._contact
        if contact.pulled:
            raise CardGone("the card was removed")
        contact.sent.append(apdu[1])
        if apdu[1:4] == b"\xca\x9f\x7f" and not contact.cplc:
            return b"\x6a\x88"
        answer = self._card.exchange(apdu)
        if apdu[1] == contact.torn_at:
            contact.torn_at = None
            raise CardGone("the card was removed")
        return answer


def twins(kind: tuple[int, LinkProtocol]) -> list[VirtualCard]:
    """Two blanks that tell the same of themselves."""
    chips = [VirtualCard.create(None, CardConfig(SERIAL, kind[1], kind[0])) for _ in range(2)]
    for chip in chips:
        chip._nvm.scope("card")["45"] = b"\x01\x07"
    return chips


def job(bench: Bench, source: IdentitySource = IdentitySource.CPLC) -> Job:
    """A job whose leases are over at once, so that a person may give chips up."""
    line = bench.profile.line.model_copy(update={"identity": (source,)})
    profile = bench.profile.model_copy(update={"line": line})
    return replace(bench.job(lease=timedelta(0)), profile=profile)


def outcomes(bench: Bench, rack: Rack, the_job: Job) -> list[tuple[CardOutcome, str]]:
    """What becomes of each chip in another lane, with its code."""
    seen: list[tuple[CardOutcome, str]] = []

    def hear(event: LaneEvent) -> None:
        if event.report:
            seen.append((event.report.outcome, event.report.code))

    bench.line(job=the_job, on_event=hear).lane(rack, "lane 3")
    return seen


def check_put_aside(bench: Bench, chips: list[VirtualCard], the_job: Job, contact: Contact) -> None:
    """In whatever order they come back, both go aside as they are, and the batch can be finished without them."""
    for order in (chips, chips[::-1]):
        rack, sent = Rack(order, wrap=contact), len(contact.sent)
        assert outcomes(bench, rack, the_job) == [(ASIDE, "doubled"), (ASIDE, "doubled")]
        assert rack.bins[Disposition.ASIDE] == list(order)
        assert not set(CHANGES) & set(contact.sent[sent:])
    assert bench.accounts.balanced
    assert len(bench.registry.line.doubled_chips(bench.batch)) == 1
    for bound in bench.registry.line.bound_chips(bench.batch):
        bench.registry.line.release_missing(bench.batch, bound.chip_serial, "operator", reason="two chips")
    bench.finish()
    bench.check_all_issued()


@KINDS
@pytest.mark.parametrize("source", list(IdentitySource))
@pytest.mark.parametrize("moment", STEPS)
def test_of_two_chips_in_two_lanes_at_most_one_becomes_the_card(
    bench: Bench, kind: tuple[int, LinkProtocol], source: IdentitySource, moment: str
) -> None:
    """While the first is at a step, another lane gets the second and does all it can with it."""
    chips, contact = twins(kind), Contact(cplc=source is IdentitySource.CPLC)
    racks, the_job = [Rack([chip], wrap=contact) for chip in chips], job(bench, source)
    second: list[dict[CardOutcome, int]] = []

    def meanwhile(event: LaneEvent) -> None:
        if event.step == moment and not second:
            second.append(bench.line(job=job(bench, source)).lane(racks[1], "lane 2").counts)

    first = bench.line(job=the_job, on_event=meanwhile).lane(racks[0], "lane 1").counts
    early = moment in STEPS[:4]  # before the journal has the data that were stored
    assert second == [{VERIFIED: 1} if early else {ASIDE: 1}]
    assert first == ({ASIDE: 1} if early else {AGAIN: 1, ASIDE: 1})
    assert [len(rack.bins[Disposition.DONE]) for rack in racks] == [0, 1 if early else 0]
    if early:
        (card,) = bench.registry.cards.of_batch(bench.batch)
        assert card.state is CardState.VERIFIED
    check_put_aside(bench, chips, the_job, contact)


@KINDS
@pytest.mark.parametrize("source", list(IdentitySource))
@pytest.mark.parametrize("moment", ["secure", "read back"])
def test_a_chip_with_stock_keys_is_not_the_one_whose_keys_were_replaced(
    bench: Bench, kind: tuple[int, LinkProtocol], source: IdentitySource, moment: str
) -> None:
    """The station dies after the rotation; a blank of the same serial comes first, then the chip itself."""
    chips, contact, the_job = twins(kind), Contact(cplc=source is IdentitySource.CPLC), job(bench, source)

    def dies(event: LaneEvent) -> None:
        if event.step == moment:
            raise Killed

    with pytest.raises(Killed):
        bench.run(Rack(chips[:1], wrap=contact), job=the_job, on_event=dies)
    begun = len(contact.sent)
    assert bench.run(Rack(chips[1:], wrap=contact), job=the_job).counts == {ASIDE: 1}
    assert not set(CHANGES) & set(contact.sent[begun:])
    assert not bench.registry.cards.of_batch(bench.batch)
    check_put_aside(bench, chips, the_job, contact)


@KINDS
def test_a_rotation_whose_answer_was_lost_leaves_no_room_for_another_chip(
    bench: Bench, kind: tuple[int, LinkProtocol]
) -> None:
    """The journal does not have the rotation, but it has the data that were stored before."""
    chips, contact, the_job = twins(kind), Contact(torn_at=PUT_KEY), job(bench)

    def dies(event: LaneEvent) -> None:
        if event.report:
            raise Killed

    with pytest.raises(Killed):
        bench.run(Rack(chips[:1], wrap=contact), job=the_job, on_event=dies)
    assert bench.run(Rack(chips[1:], wrap=contact), job=the_job).counts == {ASIDE: 1}
    check_put_aside(bench, chips, the_job, contact)


def test_a_chip_that_lies_in_its_slot_while_another_lane_verifies_its_card_is_put_on_record(bench: Bench) -> None:
    """It fell out before it could be seen that it is still there."""
    chips, contact, the_job = twins(SCP03), Contact(), job(bench)
    first = Contact()

    def meanwhile(event: LaneEvent) -> None:
        if event.step == "install" and not first.pulled:
            assert bench.run(Rack(chips[1:], wrap=contact), job=job(bench)).counts == {VERIFIED: 1}
            first.pulled = True
        if event.report:
            first.pulled = False

    rack = Rack(chips[:1], wrap=first)
    assert bench.run(rack, job=the_job, on_event=meanwhile).counts == {AGAIN: 1, ASIDE: 1}
    (doubled,) = bench.registry.line.doubled_chips(bench.batch)
    (card,) = bench.registry.cards.of_batch(bench.batch)
    assert (doubled.chip_serial, doubled.state, doubled.card_number) == (card.chip_serial, "verified", card.card_number)
    check_put_aside(bench, chips, the_job, contact)


# --- one chip ---------------------------------------------------------------------------------------------------------


@KINDS
@pytest.mark.parametrize("moment", STEPS)
def test_a_chip_that_another_lane_finishes_after_a_kill_is_the_card(
    bench: Bench, kind: tuple[int, LinkProtocol], moment: str
) -> None:
    chip = bench.chip(kind)

    def dies(event: LaneEvent) -> None:
        if event.step == moment:
            raise Killed

    with pytest.raises(Killed):
        bench.run(Rack([chip]), on_event=dies)
    assert bench.line().lane(Rack([chip]), "lane 2").counts == {VERIFIED: 1}
    check_one_card(bench, chip)


@KINDS
@pytest.mark.parametrize("moment", STEPS)
def test_a_chip_that_was_taken_out_of_a_sleeping_lane_and_finished_in_another_is_the_card(
    bench: Bench, kind: tuple[int, LinkProtocol], moment: str
) -> None:
    chip, contact, counts = bench.chip(kind), Contact(), []
    rack = Rack([chip], wrap=contact)

    def moved(event: LaneEvent) -> None:
        if event.step == moment and not contact.pulled:
            contact.pulled = True
            rack.chips.clear()
            counts.append(bench.line().lane(Rack([chip]), "lane 2").counts)

    assert bench.run(rack, on_event=moved).counts == {AGAIN: 1}
    assert counts == [{VERIFIED: 1}]
    check_one_card(bench, chip)


def test_a_slot_that_nobody_watched_during_a_pause_proves_nothing(bench: Bench) -> None:
    """The chip fell out, was finished at another station during the pause, and lies in the first slot again."""
    chip, contact = bench.chip(), Contact(torn_at=PUT_KEY)

    def hear(event: LaneEvent) -> None:
        if event.report and event.report.outcome is AGAIN:
            the_line.pause()
        if event.state == "paused":
            assert bench.run(Rack([chip])).counts == {VERIFIED: 1}
            the_line.resume()

    the_line = bench.line(on_event=hear)
    (result,) = the_line.run([Rack([chip], wrap=contact)])
    assert result.counts == {AGAIN: 1, KNOWN: 1}
    check_one_card(bench, chip)


@pytest.mark.parametrize("kind", [SCP02], ids=["scp02"])
def test_one_garbled_state_is_no_proof(bench: Bench, kind: tuple[int, LinkProtocol]) -> None:
    """The list of applications says once, without a MAC, that nothing is installed."""
    chip, readings = bench.chip(kind), 0

    def dies(event: LaneEvent) -> None:
        if event.step == "keys":
            raise Killed

    with pytest.raises(Killed):
        bench.run(Rack([chip]), on_event=dies)

    class Garbled(_Touched):
        def exchange(self, apdu: bytes) -> bytes:
            nonlocal readings
            answer = super().exchange(apdu)
            if apdu[1:3] == b"\xf2\x40":
                readings += 1
                return b"\x6a\x88" if readings == 1 else answer
            return answer

    result = bench.run(Rack([chip], wrap=lambda card: Garbled(card, Contact())))
    assert readings > 1
    assert bench.registry.line.doubled_chips(bench.batch) == []
    assert result.counts[VERIFIED] == 1


def check_one_card(bench: Bench, chip: VirtualCard) -> None:
    assert bench.registry.line.doubled_chips(bench.batch) == []
    again = Rack([chip])
    assert bench.run(again).counts == {KNOWN: 1}
    assert again.bins[Disposition.DONE] == [chip]
    accounts: BatchAccounts = bench.accounts
    assert (accounts.verified, accounts.balanced) == (1, True)
