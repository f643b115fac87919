"""Changes of a card at a counter elsewhere: two installations, HTTP between them in this process, and a virtual card,
torn at each APDU and cut off at each request."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from itertools import count
from pathlib import Path

import pytest

from personalize.distant import ChipState, DistantOffer, DistantUpdates
from personalize.updates import UpdateReport, UpdateRunner
from reader_service.services.counter.distant import is_of
from registry.members.wanted import UpdateKind
from terminal.apdu import Command, Sender
from terminal.errors import CodecError
from terminal.keys import MemoryCustody
from terminal.member.elements import MEMBER_AID
from terminal.member.outcome import Verdict, VerdictCode
from terminal.member.presence import CardPresence, judge, present
from terminal.member.scripts import CardScript
from terminal.member.values import Category, Entitlement, Period
from terminal.secret import Secret
from tests.support import issuer
from tests.support.service.distant_rig import COVER, VALIDITY, DistantRig, distant_rig
from tests.support.service.merchant_rig import issued_cards
from tests.support.service.reader_rig import NOON

SHEET = {UpdateKind.VALIDITY: VALIDITY, UpdateKind.COVER: COVER}


@pytest.fixture(scope="module")
def issued(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[Path]]:
    return issued_cards(tmp_path_factory.mktemp("issued"))


@pytest.fixture
def rig(tmp_path: Path, issued: tuple[str, list[Path]]) -> Iterator[DistantRig]:
    with distant_rig(tmp_path, issued) as running:
        yield running


def uses_of(verdict: Verdict) -> int:
    assert verdict.member is not None
    assert verdict.member.entitlements is not None
    return verdict.member.entitlements[0].used


def dates_of(verdict: Verdict) -> tuple[date, date | None]:
    assert verdict.member is not None
    return verdict.member.valid_through, verdict.member.cover_ends


def test_all_wanted_changes_run_in_one_insertion_with_one_script(rig: DistantRig) -> None:
    rig.want({**SHEET, UpdateKind.CATEGORY: Category.RETIRED})
    _, report, after = rig.east.inserted()
    assert (report.kinds, report.unfinished) == ((UpdateKind.VALIDITY, UpdateKind.COVER, UpdateKind.CATEGORY), False)
    assert dates_of(after) == (VALIDITY, COVER)
    assert rig.states() == [("validity", "done"), ("cover", "done"), ("category", "done")]
    paths = ["", "/challenge", "/script", "/outcome"]
    assert rig.east.line.sent == [f"/card-changes{path}" for path in paths]
    done = rig.registry.updates.of_card(rig.number, 1)[0]
    place = f"east gate ({rig.outlets[0]})"
    assert (done.ended_by, done.place) == (f"till {rig.outlets[0]} (token 1)", place)
    (entry,) = [one for one in rig.audited() if one.action == "card.update"]
    assert (entry.actor, entry.facts["place"]) == (done.ended_by, place)


def test_nothing_is_sent_while_no_change_waits_and_one_question_while_one_of_another_card_does(
    rig: DistantRig,
) -> None:
    _, report, _ = rig.east.inserted()
    assert (report, rig.east.line.sent) == (UpdateReport(), ["/card-changes"])
    other = next(one for one in rig.registry.cards.page(None, 10).items if one.card_number != rig.number)
    rig.registry.updates.want(other.card_number, {UpdateKind.BLOCK: b"\x01"}, by="会籍科", reason="x")
    _, report, _ = rig.east.inserted()
    assert (report, rig.east.line.sent[1:]) == (UpdateReport(), ["/card-changes", "/card-changes/challenge"])


def test_a_card_redeems_in_the_insertion_of_its_change(rig: DistantRig) -> None:
    rig.want(SHEET)
    assert rig.east.inserted(redeems=2)[1].kinds == tuple(SHEET)
    assert uses_of(rig.east.inserted()[2]) == 2


def test_a_card_is_blocked_and_unblocked_by_its_own_proof(rig: DistantRig) -> None:
    rig.want({UpdateKind.BLOCK: True})
    assert rig.east.inserted()[2].code is VerdictCode.SUSPENDED
    rig.want({UpdateKind.BLOCK: False, **SHEET})
    before, report, after = rig.east.inserted()
    assert (before.code, after.code) == (VerdictCode.SUSPENDED, VerdictCode.ACTIVE)
    assert set(report.kinds) == {UpdateKind.BLOCK, *SHEET}


def test_only_a_block_runs_on_a_card_of_the_hotlist(rig: DistantRig) -> None:
    rig.want(SHEET)
    rig.registry.cards.change(rig.number, "lost", "前台", "")
    rig.service.counter._lists = None  # read anew, as in the background
    assert rig.east.inserted()[1].kinds == ()
    rig.want({UpdateKind.BLOCK: True})
    assert rig.east.inserted()[1].kinds == (UpdateKind.BLOCK,)
    assert rig.states()[:2] == [("validity", "pending"), ("cover", "pending")]


def test_what_the_chip_counted_stays_counted_and_credits_give_back(rig: DistantRig) -> None:
    before, _, _ = rig.east.inserted(redeems=3)
    assert before.member is not None
    assert before.member.entitlements is not None
    park = before.member.entitlements[0]
    rig.want({UpdateKind.ENTITLEMENTS: (park._replace(limit=20),)})
    credit = Entitlement("0101", 1, 1, Period.ONCE, park.start)
    rig.want({UpdateKind.CREDIT: (credit,)})
    _, report, after = rig.east.inserted()
    assert (report.kinds, uses_of(after)) == ((UpdateKind.ENTITLEMENTS, UpdateKind.CREDIT), 2)
    assert after.member is not None
    assert after.member.entitlements is not None
    assert after.member.entitlements[0].limit == 20
    assert rig.east.inserted()[1] == UpdateReport()


def test_pins_and_last_dates_wait_for_a_window(rig: DistantRig) -> None:
    rig.want({UpdateKind.PIN_UNBLOCK: None, UpdateKind.LAST_DATE: date(2026, 11, 1)})
    _, report, _ = rig.east.inserted()
    assert (report, rig.east.line.sent[-1]) == (UpdateReport(), "/card-changes/challenge")
    rig.want(SHEET)
    assert rig.east.inserted()[1].kinds == tuple(SHEET)
    assert [state for _, state in rig.states()] == ["pending", "pending", "done", "done"]


def test_a_card_of_an_earlier_key_gets_the_same_commands_under_it(
    tmp_path: Path, issued: tuple[str, list[Path]]
) -> None:
    transport = Secret(bytes(32))
    custody = MemoryCustody.from_snapshot(issuer.custody().snapshot(transport), transport)
    for _ in range(2):
        custody.rotate("imk-smi", by="tests")
    with distant_rig(tmp_path, issued, custody=custody) as rig:
        rig.want(SHEET)
        _, report, after = rig.east.inserted()
        assert (report.kinds, report.unfinished, dates_of(after)) == (tuple(SHEET), False, (VALIDITY, COVER))
        assert rig.east.line.sent.count("/card-changes/outcome") == 3


@pytest.mark.parametrize("tear", ["tear-apdu:{}", "tear-apdu:{}+", "tear-page:{}", "tear-page:{}+"])
def test_a_tear_anywhere_is_finished_once_at_the_next_insertion(rig: DistantRig, tear: str) -> None:
    """Whatever the tear left is the old or the new state, and the next insertion at another outlet finishes it."""
    for index in count():
        cover = COVER + timedelta(days=index)
        rig.want({UpdateKind.VALIDITY: VALIDITY - timedelta(days=index), UpdateKind.COVER: cover})
        _, report, after = rig.east.inserted(tear.format(index))
        if after.code is VerdictCode.ACTIVE and not report.unfinished:
            break
        rig.east.restarted()
        _, _, after = rig.counters[1].inserted()
        assert dates_of(after) == (VALIDITY - timedelta(days=index), cover), tear.format(index)
        assert {state for _, state in rig.states()} == {"done"}, tear.format(index)
        assert rig.counters[1].inserted()[1] == UpdateReport()
    assert index >= (18 if "apdu" in tear else 2)


@pytest.mark.parametrize("tear", ["tear-apdu:{}", "tear-apdu:{}+"])
def test_a_torn_credit_gives_a_use_back_once(rig: DistantRig, tear: str) -> None:
    before, _, _ = rig.east.inserted(redeems=12)
    assert before.member is not None
    assert before.member.entitlements is not None
    credit = Entitlement("0101", 1, 1, Period.ONCE, before.member.entitlements[0].start)
    rig.clock.now += timedelta(seconds=1)
    for index, left in enumerate(range(11, 0, -1), 10):
        rig.want({UpdateKind.CREDIT: (credit,)})
        rig.east.inserted(tear.format(index))
        assert uses_of(rig.counters[1].inserted()[2]) == left, tear.format(index)


@pytest.mark.parametrize("lost", ["1", "1+", "2", "2+", "3", "3+"])
def test_a_lost_request_or_answer_leaves_the_old_or_the_new_state(rig: DistantRig, lost: str) -> None:
    """Nothing more is sent to an issuer that does not answer, and the next insertion finishes what was begun."""
    rig.want(SHEET)
    rig.east.line.lost = lost
    before, report, after = rig.east.inserted()
    ran = lost.startswith("3")
    assert dates_of(after) == ((VALIDITY, COVER) if ran else dates_of(before))
    assert (report.kinds, report.unfinished) == ((), ran)
    sent = len(rig.east.line.sent)
    assert rig.east.inserted(reaches=False, redeems=1)[1] == UpdateReport()
    assert len(rig.east.line.sent) == sent == int(lost[0]) + 1
    rig.east.line.lost = ""
    _, report, after = rig.east.inserted()
    assert (dates_of(after), report.unfinished) == ((VALIDITY, COVER), False)
    assert [state for _, state in rig.states()] == ["done", "done"]
    assert len(rig.registry.updates.of_card(rig.number, 1)) == 2


def test_without_a_line_a_verdict_is_what_it_was(rig: DistantRig) -> None:
    rig.want(SHEET)
    rig.east.line.down = True
    _, report, after = rig.east.inserted()
    assert (report, after.code) == (UpdateReport(), VerdictCode.ACTIVE)
    assert rig.east.line.sent == ["/card-changes"]


def test_a_redemption_elsewhere_makes_the_rest_of_a_torn_script_anew(rig: DistantRig) -> None:
    rig.want(SHEET)
    rig.east.line.lost = "2+"  # the script is on record and never comes
    rig.east.inserted(redeems=1)
    assert rig.states() == [("validity", "sent"), ("cover", "sent")]
    _, report, after = rig.counters[1].inserted()
    assert (report.kinds, dates_of(after), uses_of(after)) == (tuple(SHEET), (VALIDITY, COVER), 1)


def test_a_script_of_a_distant_counter_is_finished_at_a_window_and_the_other_way_round(rig: DistantRig) -> None:
    def at_window(sender: Sender, verdict: Verdict) -> UpdateReport:
        assert verdict.card is not None
        runner = UpdateRunner(rig.registry.updates, issuer.custody(), "窗口", "网点 7", rig.clock.now.date())
        return runner.run(sender, verdict.card)

    rig.want(SHEET)
    rig.east.line.lost = "3"
    rig.east.inserted()
    assert rig.east.inserted(work=at_window)[1].kinds == tuple(SHEET)
    rig.want({UpdateKind.COVER: date(2030, 1, 1)})
    _, report, after = rig.counters[1].inserted()
    assert (report.kinds, dates_of(after)) == ((UpdateKind.COVER,), (VALIDITY, date(2030, 1, 1)))


def test_a_state_from_before_a_script_ends_nothing(rig: DistantRig) -> None:
    """Whatever cryptogram comes, a script is over only where the card has gone on from it."""
    rig.east.inserted(redeems=1)
    rig.want(SHEET)
    rig.east.line.lost = "4"
    assert rig.east.inserted()[1].unfinished
    (sent,) = rig.registry.updates.scripts(rig.number, 1)
    script = CardScript.decode(sent.script)
    updates = DistantUpdates(rig.registry.updates, issuer.custody(), "tests", "east", NOON.date())
    for atc, scripts in ((script.atc, 15), (script.atc, 3), (script.atc - 1, 0), (script.atc - 1, 2), (script.atc, 1)):
        chip = ChipState(atc, scripts, blocked=False, refused=False)
        assert updates.confirm(rig.number, 1, sent.id, chip) == DistantOffer(unfinished=True), (atc, scripts)
        assert {state for _, state in rig.states()} == {"sent"}
    chip = ChipState(script.atc + 1, 1, blocked=False, refused=False)
    assert [one.kind for one in updates.confirm(rig.number, 1, sent.id, chip).done] == [UpdateKind.VALIDITY]
    assert rig.states() == [("validity", "done"), ("cover", "pending")]


def test_a_torn_pin_script_is_not_given_to_a_distant_counter(rig: DistantRig) -> None:
    rig.want({UpdateKind.PIN_UNBLOCK: None, **SHEET})
    ids = [one.id for one in rig.registry.updates.pending(rig.number, 1)]
    step = Command(0x84, 0x24, 0, 0, bytes(8))
    script = CardScript(0, 0, (step,)).encode()
    rig.registry.updates.begin(rig.number, 1, script, ids[:1], by="窗口", place="网点 7")
    assert rig.east.inserted()[1] == UpdateReport()
    assert rig.states() == [("pin-unblock", "sent"), ("validity", "pending"), ("cover", "pending")]


def test_every_changed_byte_of_a_proof_is_refused(rig: DistantRig) -> None:
    rig.want(SHEET)
    proofs: list[tuple[bytes, bytes]] = []

    def prove(sender: Sender, verdict: Verdict) -> UpdateReport:
        assert verdict.card is not None
        drawn = rig.east.issuer.challenge(verdict.card)
        proofs.append((drawn.challenge, present(sender, verdict.card, drawn.challenge).encode()))
        return UpdateReport()

    rig.east.inserted(work=prove)
    ((challenge, proof),) = proofs
    lists, custody = rig.station.parts.lists(), issuer.custody()

    def proven(data: bytes) -> bool:
        try:
            shown = CardPresence.decode(data)
        except CodecError:
            return False
        card = judge(shown, challenge, lists, NOON, MEMBER_AID).card
        chip = ChipState.proven(custody, shown.evidence, challenge)
        return card is not None and chip is not None and is_of(card, shown.evidence)

    assert proven(proof)
    evidence = len(proof) - len(CardPresence.decode(proof).evidence.encode())
    related = evidence + proof[evidence:].index(bytes((0xC1,)))  # PDOL values of the verdict: nothing covers them
    ignored = set(range(related + 2, related + 2 + proof[related + 1]))
    places = {*range(0, len(proof), 3), *range(evidence, len(proof))} - ignored
    changed = {place for place in places if proven(proof[:place] + bytes((proof[place] ^ 0x10,)) + proof[place + 1 :])}
    assert changed == set()
