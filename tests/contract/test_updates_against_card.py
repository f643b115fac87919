"""What the office wants on a card, run on the virtual card and recorded in the registry, torn everywhere.

The card is personalized by the line with the shipped profile, delivered, and inserted at a window.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from itertools import count
from pathlib import Path

import pytest

from personalize.line.execute import process
from personalize.profiles.profile import default_profile
from personalize.updates import UpdateReport, UpdateRunner, encoded
from registry.errors import RegistryConflict
from registry.members.wanted import UpdateKind, UpdateState
from registry.store import Registry
from registry.values import CardState
from simulators.card.config import CardConfig, ProductionData
from simulators.readers.faults import Faults, InjectedFault
from simulators.readers.reader import SimCard
from simulators.virtual_card import VirtualCard
from terminal.apdu import LinkProtocol, Sender, stack
from terminal.errors import TransportError
from terminal.keys import MemoryCustody
from terminal.member.hotlist import Hotlist
from terminal.member.outcome import Verdict, VerdictCode
from terminal.member.pin import verify_pin
from terminal.member.proven import ProvenCard
from terminal.member.redemption.redeem import redeem
from terminal.member.redemption.request import RedemptionRequest
from terminal.member.signed import Issue
from terminal.member.trust import TrustList
from terminal.member.values import Category, Entitlement, Period
from terminal.member.verdict import verify
from terminal.secret import Secret
from tests.support import issuer
from tests.support.cards.card_bench import Bench, fast_directory

TODAY = date(2026, 11, 22)
PARK = Entitlement("0101", 12, 0, Period.YEAR, date(2026, 1, 1))
REQUEST = RedemptionRequest("0101", 2, 2_000, TODAY, time(12, 0), "PARK-EAST", "T0000001", bytes.fromhex("0BADF00D"))


@dataclass
class Window:
    """A window with one delivered card, in its file, and the registry."""

    registry: Registry
    path: Path
    number: str
    trust: TrustList
    at: datetime

    def copied(self, directory: Path) -> Window:
        shutil.copyfile(self.path, directory / "issued.card")
        self.registry.close()
        shutil.copyfile(self.path.parent / "registry.db", directory / "registry.db")
        registry = issuer.registry(f"sqlite:///{directory / 'registry.db'}")
        return Window(registry, directory / "issued.card", self.number, self.trust, self.at)

    def want(self, wanted: dict[UpdateKind, object]) -> None:
        values = {kind: encoded(kind, value) for kind, value in wanted.items()}
        for one in self.registry.updates.want(self.number, values, by="会籍科", reason="新年度"):
            if one.state is UpdateState.PROPOSED:
                self.registry.updates.consent(one.id, by="复核")

    def activate(self) -> None:
        """The member is present and identified; nothing is on the chip yet."""
        day = encoded(UpdateKind.ACTIVATION, TODAY)
        self.registry.updates.activate(self.number, 1, day, by="窗口", shown="身份证", place="网点 7")

    def inserted(
        self,
        fault: str = "",
        *,
        redeems: bool = False,
        request: RedemptionRequest | None = None,
        custody: MemoryCustody | None = None,
        work: Callable[[UpdateRunner, Sender, ProvenCard], UpdateReport] | None = None,
    ) -> tuple[Verdict, UpdateReport, Verdict]:
        """One insertion: verdict, updates, and the verdict after them. Raises TransportError for a tear."""
        chip = VirtualCard.open(self.path)
        faults = Faults([InjectedFault.parse(fault)] if fault else (), sleep=lambda seconds: None)
        sender = stack(SimCard(faults.on(chip, chip), chip.config.protocol))
        try:
            before = self._verdict(sender)
            assert before.card is not None
            if redeems:
                assert redeem(sender, before.card, request or REQUEST).done
            runner = UpdateRunner(self.registry.updates, custody or issuer.custody(), "窗口", "网点 7", TODAY)
            report = (work or UpdateRunner.run)(runner, sender, before.card)
            return before, report, self._verdict(sender)
        finally:
            chip.tear = None
            chip.power_off()

    def _verdict(self, sender: Sender) -> Verdict:
        hotlist = Hotlist.of((), Issue(1, self.at, self.at))
        verdict = verify(sender, trust=self.trust, hotlist=hotlist, at=self.at)
        if verdict.code is VerdictCode.CARD_FAULT:
            raise TransportError(verdict.sentence)
        return verdict

    @property
    def state(self) -> CardState:
        return self.registry.cards.card(self.number).state

    def states(self) -> list[tuple[str, str]]:
        return [(one.kind.value, one.state.value) for one in self.registry.updates.of_card(self.number, 1)]


@pytest.fixture(scope="module")
def issued() -> Iterator[Window]:
    with fast_directory() as directory:
        bench = Bench(directory, 1, profile=default_profile())
        chip = VirtualCard.create(directory / "issued.card", CardConfig(ProductionData(0x78), LinkProtocol.T1, 3))
        line, job = SimCard(chip, chip.config.protocol), bench.job()
        report = process(line, job, "contract", lambda serial: True)
        assert not report.reason, report.reason
        line.close()
        (card,) = bench.registry.cards.of_batch(bench.batch)
        for state in ("packed", "delivered"):
            bench.registry.cards.change(card.card_number, state, "前台", "")
        yield Window(bench.registry, directory / "issued.card", card.card_number, job.trust, job.now())
        bench.registry.close()


@pytest.fixture
def window(issued: Window, tmp_path: Path) -> Iterator[Window]:
    copy = issued.copied(tmp_path)
    yield copy
    copy.registry.close()


def test_a_card_is_activated_at_a_window_in_one_insertion(window: Window) -> None:
    assert window.state is CardState.DELIVERED
    window.activate()
    before, report, after = window.inserted()
    assert (before.code, after.code) == (VerdictCode.NOT_ACTIVATED, VerdictCode.ACTIVE)
    assert [one.kind for one in report.done] == [UpdateKind.ACTIVATION]
    assert window.state is CardState.ACTIVE
    assert window.inserted()[1].done == ()


def test_without_a_member_who_was_identified_nothing_is_activated(window: Window) -> None:
    before, report, after = window.inserted()
    assert (before.code, after.code, report.done) == (VerdictCode.NOT_ACTIVATED, VerdictCode.NOT_ACTIVATED, ())


def test_all_wanted_changes_run_in_one_insertion(window: Window) -> None:
    wanted: dict[UpdateKind, object] = {
        UpdateKind.VALIDITY: date(2036, 12, 31),
        UpdateKind.COVER: date(2028, 6, 30),
        UpdateKind.CATEGORY: Category.RETIRED,
        UpdateKind.ENTITLEMENTS: (PARK._replace(limit=20),),
    }
    window.want(wanted)
    _, report, after = window.inserted()
    assert {one.kind for one in report.done} == set(wanted)
    assert after.member is not None
    assert (after.member.valid_through, after.member.cover_ends, after.member.category, after.member.entitlements) == (
        tuple(wanted.values())
    )


def test_what_the_chip_counted_stays_counted_in_the_entitlements_of_a_new_year(window: Window) -> None:
    window.activate()
    window.inserted()
    window.inserted(redeems=True)
    film = Entitlement("0401", 2, 0, Period.MONTH, date(2026, 11, 1))
    window.want({UpdateKind.ENTITLEMENTS: (PARK._replace(limit=20, start=date(2027, 1, 1)), film)})
    _, _, after = window.inserted()
    assert after.member is not None
    assert after.member.entitlements == (PARK._replace(limit=20, used=2), film)
    assert after.member.entitlements[0].left(date(2027, 1, 1)) == 20


def test_a_card_is_blocked_and_unblocked(window: Window) -> None:
    window.want({UpdateKind.BLOCK: True})
    assert window.inserted()[2].code is VerdictCode.SUSPENDED
    window.want({UpdateKind.BLOCK: False})
    before, _, after = window.inserted()
    assert (before.code, after.code) == (VerdictCode.SUSPENDED, VerdictCode.NOT_ACTIVATED)
    assert window.states() == [("block", "done"), ("block", "done")]


def test_what_the_chip_has_already_needs_no_script(window: Window) -> None:
    window.want({UpdateKind.CATEGORY: Category.IN_POST})
    assert [one.kind for one in window.inserted()[1].done] == [UpdateKind.CATEGORY]
    assert window.registry.updates.open_script(window.number, 1) is None


def test_a_card_is_changed_under_the_key_of_its_day_after_the_master_was_rotated(window: Window) -> None:
    transport = Secret(bytes(32))
    custody = MemoryCustody.from_snapshot(issuer.custody().snapshot(transport), transport)
    for _ in range(2):
        custody.rotate("imk-smi", by="tests")
    window.want({UpdateKind.VALIDITY: date(2036, 12, 31), UpdateKind.COVER: date(2028, 6, 30)})
    with pytest.raises(TransportError):
        window.inserted("tear-apdu:14", custody=custody)
    _, report, after = window.inserted(custody=custody)
    assert [one.kind for one in report.done] == [UpdateKind.VALIDITY, UpdateKind.COVER]
    assert report.refused == ()
    assert after.member is not None
    assert after.member.valid_through == date(2036, 12, 31)
    assert window.registry.updates.open_script(window.number, 1) is None


TEARS = ["tear-apdu:{}", "tear-apdu:{}+", "tear-page:{}", "tear-page:{}+"]


@pytest.mark.parametrize("tear", TEARS)
def test_a_tear_anywhere_is_finished_at_the_next_insertion(window: Window, tmp_path: Path, tear: str) -> None:
    """Whatever the tear left, the next insertion gives what was wanted, once, and the registry agrees with the chip."""
    window.activate()
    window.want({UpdateKind.VALIDITY: date(2036, 12, 31), UpdateKind.COVER: date(2028, 6, 30)})
    ran = set()
    for index in count():
        directory = tmp_path / f"{index}"
        directory.mkdir()
        torn = window.copied(directory)
        window.registry = issuer.registry(f"sqlite:///{window.path.parent / 'registry.db'}")
        try:
            torn.inserted(tear.format(index))
        except TransportError:
            ran.add(sum(state == "done" for _, state in torn.states()))
            assert torn.inserted()[2].code is VerdictCode.ACTIVE, tear.format(index)
            again = torn.inserted()
        else:
            break
        finally:
            states, state = torn.states(), torn.state
            torn.registry.close()
            shutil.rmtree(directory)
        assert states == [("activation", "done"), ("validity", "done"), ("cover", "done")], tear.format(index)
        assert state is CardState.ACTIVE
        assert again[1] == UpdateReport()
        assert again[2].member is not None
        assert (again[2].member.valid_through, again[2].member.cover_ends) == (date(2036, 12, 31), date(2028, 6, 30))
    assert index >= (13 if "apdu" in tear else 3)
    assert ran <= {0, 3}, "an outcome is recorded once it is known"


def credit(uses: int, start: date = PARK.start) -> dict[UpdateKind, object]:
    """A wish to give uses of the park pass back."""
    return {UpdateKind.CREDIT: (Entitlement("0101", uses, uses, Period.ONCE, start),)}


@pytest.fixture(scope="module")
def used(issued: Window, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Window]:
    """The card, activated, with two uses counted."""
    copy = issued.copied(tmp_path_factory.mktemp("used"))
    issued.registry = issuer.registry(f"sqlite:///{issued.path.parent / 'registry.db'}")
    copy.activate()
    copy.inserted()
    copy.inserted(redeems=True)
    yield copy
    copy.registry.close()


@pytest.fixture
def used_window(used: Window, tmp_path: Path) -> Iterator[Window]:
    copy = used.copied(tmp_path)
    used.registry = issuer.registry(f"sqlite:///{used.path.parent / 'registry.db'}")
    yield copy
    copy.registry.close()


def uses_of(verdict: Verdict) -> int:
    assert verdict.member is not None
    assert verdict.member.entitlements is not None
    return verdict.member.entitlements[0].used


def test_credits_of_one_insertion_add_up_beside_new_entitlements(used_window: Window) -> None:
    used_window.want(credit(1))
    used_window.want({UpdateKind.ENTITLEMENTS: (PARK._replace(limit=20),)})
    used_window.want(credit(1))
    before, report, after = used_window.inserted()
    assert (uses_of(before), uses_of(after)) == (2, 0)
    assert [one.kind.value for one in report.done] == ["credit", "entitlements", "credit"]
    assert after.member is not None
    assert after.member.entitlements == (PARK._replace(limit=20),)
    assert used_window.inserted()[1] == UpdateReport()


def test_a_credit_never_gives_back_more_than_was_used(used_window: Window) -> None:
    used_window.want(credit(7))
    assert uses_of(used_window.inserted()[2]) == 0


def test_a_credit_of_a_period_that_is_over_changes_nothing(used_window: Window) -> None:
    used_window.want(credit(1, date(2025, 1, 1)))
    _, report, after = used_window.inserted()
    assert ([one.kind for one in report.done], uses_of(after)) == ([UpdateKind.CREDIT], 2)


@pytest.mark.parametrize("tear", TEARS)
def test_a_torn_credit_leaves_the_old_or_the_new_count_and_is_finished_once(
    used_window: Window, tmp_path: Path, tear: str
) -> None:
    """A second credit comes before the next insertion: it builds on what the torn script has come to by then."""
    used_window.want(credit(1))
    counts = set()
    for index in count():
        directory = tmp_path / f"{index}"
        directory.mkdir()
        torn = used_window.copied(directory)
        used_window.registry = issuer.registry(f"sqlite:///{used_window.path.parent / 'registry.db'}")
        try:
            torn.inserted(tear.format(index))
        except TransportError:
            torn.want(credit(1))
            before, _, after = torn.inserted()
            counts.add((uses_of(before), uses_of(after)))
            states = torn.states()
        else:
            break
        finally:
            torn.registry.close()
            shutil.rmtree(directory)
        assert states == [("activation", "done"), ("credit", "done"), ("credit", "done")], tear.format(index)
    assert index >= (12 if "apdu" in tear else 1)
    assert counts <= {(2, 0), (1, 0)}, "the old or the new count, and then none"
    assert len(counts) == 2 or "page" in tear


def test_a_redemption_after_a_tear_makes_the_rest_of_the_script_anew(window: Window) -> None:
    """Ten commands are the verdict, four ask for the counters; the next changes the validity."""
    window.activate()
    window.inserted()
    window.want({UpdateKind.VALIDITY: date(2036, 12, 31), UpdateKind.COVER: date(2028, 6, 30)})
    with pytest.raises(TransportError):
        window.inserted("tear-apdu:14+")
    assert window.states()[1:] == [("validity", "sent"), ("cover", "sent")]
    before, report, after = window.inserted(redeems=True)
    assert before.member is not None
    assert after.member is not None
    assert (before.member.valid_through, before.member.cover_ends) == (date(2036, 12, 31), date(2027, 11, 22))
    assert [one.kind for one in report.done] == [UpdateKind.VALIDITY, UpdateKind.COVER]
    assert (after.member.valid_through, after.member.cover_ends) == (date(2036, 12, 31), date(2028, 6, 30))
    assert [state for _, state in window.states()] == ["done"] * 3


NEW_PIN = Secret(b"24681357")


def new_pin(runner: UpdateRunner, sender: Sender, card: ProvenCard) -> UpdateReport:
    return runner.change_pin(sender, card, "身份证", NEW_PIN)


def tries(window: Window, pin: Secret) -> int | None:
    """How VERIFY with this PIN ends: None for the right one, else the tries left."""
    chip = VirtualCard.open(window.path)
    try:
        sender = stack(SimCard(chip, chip.config.protocol))
        window._verdict(sender)
        checked = verify_pin(sender, pin)
        return None if checked.verified else checked.tries_left
    finally:
        chip.power_off()


def test_a_blocked_pin_is_unblocked_by_two_people(window: Window) -> None:
    assert [tries(window, Secret(b"0000")) for _ in range(3)] == [2, 1, 0]
    window.want({UpdateKind.PIN_UNBLOCK: True})
    assert [one.kind for one in window.inserted()[1].done] == [UpdateKind.PIN_UNBLOCK]
    assert tries(window, Secret(b"0000")) == 2
    assert window.states() == [("pin-unblock", "done")]


@pytest.mark.parametrize("tear", ["", *TEARS])
def test_a_new_pin_is_on_the_card_once_whatever_tore(window: Window, tmp_path: Path, tear: str) -> None:
    for index in count():
        directory = tmp_path / f"{index}"
        directory.mkdir()
        torn = window.copied(directory)
        window.registry = issuer.registry(f"sqlite:///{window.path.parent / 'registry.db'}")
        struck = bool(tear)
        try:
            torn.inserted(tear.format(index), work=new_pin)
        except TransportError:
            torn.inserted()
        else:
            struck = False
        ordered = [one.state for one in torn.registry.updates.of_card(torn.number, 1)]
        if ordered:
            assert ordered == [UpdateState.DONE], tear.format(index)
            assert tries(torn, NEW_PIN) is None
            assert [one.value for one in torn.registry.updates.of_card(torn.number, 1)] == [b""]
        torn.registry.close()
        shutil.rmtree(directory)
        if not struck:
            break
    assert ordered


def test_a_blocked_pin_gets_a_new_one_with_a_second_person(window: Window) -> None:
    assert [tries(window, Secret(b"0000")) for _ in range(3)] == [2, 1, 0]
    with pytest.raises(RegistryConflict, match="a second person consents"):
        window.inserted(work=new_pin)
    with pytest.raises(RegistryConflict, match="a second person does"):
        window.inserted(
            work=lambda runner, sender, card: runner.change_pin(sender, card, "身份证", NEW_PIN, second="窗口")
        )
    window.inserted(work=lambda runner, sender, card: runner.change_pin(sender, card, "身份证", NEW_PIN, second="复核"))
    assert tries(window, NEW_PIN) is None
    assert [one.consented_by for one in window.registry.updates.of_card(window.number, 1)] == ["复核"]


def test_a_card_that_a_counter_with_a_wrong_clock_locked_redeems_again(window: Window) -> None:
    window.activate()
    window.inserted()
    window.inserted(redeems=True, request=replace(REQUEST, day=date(2031, 1, 5)))
    window.want({UpdateKind.LAST_DATE: TODAY, UpdateKind.ENTITLEMENTS: (PARK,)})
    assert {one.kind for one in window.inserted()[1].done} == {UpdateKind.LAST_DATE, UpdateKind.ENTITLEMENTS}
    assert window.inserted(redeems=True)[2].code is VerdictCode.ACTIVE
    window.want({UpdateKind.LAST_DATE: TODAY})
    assert [one.kind for one in window.inserted()[1].done] == [UpdateKind.LAST_DATE]
    assert window.registry.updates.open_script(window.number, 1) is None, "the date is not ahead: no script"


def test_a_value_that_no_card_has_is_refused_and_the_others_run(window: Window) -> None:
    window.registry.updates.want(window.number, {UpdateKind.COVER: b"\xff"}, by="会籍科", reason="新年度")
    window.want({UpdateKind.VALIDITY: date(2036, 12, 31)})
    _, report, after = window.inserted()
    assert [one.kind for one in report.done] == [UpdateKind.VALIDITY]
    assert [kind for kind, _ in report.refused] == [UpdateKind.COVER]
    assert after.code is VerdictCode.NOT_ACTIVATED
    assert window.states() == [("cover", "refused"), ("validity", "done")]
