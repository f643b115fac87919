"""Lanes that drive a machine: where cards go, how their bodies are made, and what happens when the machine fails."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from personalize.dossiers.dossier import Dossier
from personalize.errors import FaceRefused
from personalize.line import lanes
from personalize.line.job import BodyMaking, Job
from personalize.line.lanes import LaneEvent, LaneResult, LaneState
from personalize.line.outcome import CardOutcome
from personalize.machines.faults import MachineFault, MachineFaultCode
from personalize.machines.protocols import MachineAbilities, MachineBin, MachinePlace, PrintedFace, StripeTracks, Supply
from personalize.machines.reader import MachineReader
from registry.line.machines import MachineAccount
from terminal.errors import ReaderFault
from tests.support import issuer
from tests.support.cards.card_bench import Bench, Killed, fast_directory
from tests.support.machines.machine import Blank, CountingMachine, body_preparer, plain_face, run_until_empty
from tests.support.registry.wrapped import replaced
from tests.support.waiting import PATIENCE

MEMBERS = 6
OUTPUT, REJECT = MachineBin.OUTPUT, MachineBin.REJECT
Act = Callable[[], object]
Watch = Callable[[LaneEvent], None]


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "POLL", 0.01)
    monkeypatch.setattr(lanes, "CLEAR_AFTER", 0.0)


@pytest.fixture(scope="module")
def prepared() -> Iterator[Bench]:
    with fast_directory() as directory:
        yield Bench(directory, MEMBERS, make=body_preparer)


@pytest.fixture
def bench(prepared: Bench) -> Iterator[Bench]:
    with prepared.copied() as copied:
        yield copied


def machine_with(bench: Bench, cards: int, **options: object) -> CountingMachine:
    return CountingMachine([Blank(bench.chip()) for _ in range(cards)], **options)  # type: ignore[arg-type]


def job_of(bench: Bench, **changes: object) -> Job:
    return bench.job(render=plain_face, **changes)


def run(bench: Bench, machine: CountingMachine, job: Job | None = None, **options: object) -> LaneResult:
    """One lane over a machine until it ends; the lane and its reader are new, the machine is not."""
    return run_until_empty(bench, MachineReader(machine), job or job_of(bench), **options)  # type: ignore[arg-type]


def run_for(bench: Bench, machine: CountingMachine, idle: float, on_event: Watch = lambda event: None) -> LaneResult:
    """The same, until it has been idle for so long."""
    (result,) = bench.line(job=job_of(bench), idle=idle, on_event=on_event).run([MachineReader(machine)])
    return result


def account(bench: Bench) -> MachineAccount:
    (one,) = bench.registry.machine_cards.accounts(bench.batch)
    return one


def check_bins(bench: Bench, machine: CountingMachine) -> None:
    """The bins hold what the record says, and every finished card has its own stripe and face, once."""
    one = account(bench)
    assert (one.output, one.reject) == (len(machine.bins[OUTPUT]), len(machine.bins[REJECT]))
    assert bench.accounts.balanced
    by_chip = {card.chip_serial: card for card in bench.registry.cards.of_batch(bench.batch)}
    assert sorted(by_chip) == sorted(card.serial for card in machine.bins[OUTPUT])
    for body in machine.bins[OUTPUT]:
        card = by_chip[body.serial]
        assert body.faces == [f"{card.card_number}-{card.sequence}"]
        assert body.stripe.track2 == f"{card.card_number}={card.sequence:02d}"


class Scheme:
    """Disturbs the acts of a machine: each name of ``plan`` once in each entry of its list, None for a sound one."""

    def __init__(self, machine: CountingMachine, **plan: list[MachineFault | BaseException | None]) -> None:
        self._plan = {name.replace("_", " "): deque(faults) for name, faults in plan.items()}
        machine.around = self

    def __call__(self, what: str, action: Act) -> object:
        faults = self._plan.get(what)
        fault = faults.popleft() if faults else None
        if fault is not None:
            raise fault
        return action()


def fault(code: MachineFaultCode, *, spoiled: bool = False) -> MachineFault:
    return MachineFault("machine 1", code, spoiled=spoiled)


def waits(events: list[LaneEvent]) -> list[str]:
    """The reasons for which a lane waited, each once."""
    return list(dict.fromkeys(e.reason.code for e in events if e.state is LaneState.WAITING and e.reason))


# --- a batch without hands --------------------------------------------------------------------------------------------


def test_a_batch_runs_without_hands_and_no_card_is_fed_for_nothing(bench: Bench) -> None:
    machine = machine_with(bench, MEMBERS + 2)
    result = run(bench, machine)
    assert (result.code, result.fault, result.counts) == ("batch-done", False, {CardOutcome.VERIFIED: MEMBERS})
    assert (len(machine.feeder), machine.inside) == (2, None)
    check_bins(bench, machine)
    assert account(bench) == MachineAccount(
        "test", "machine 1", output=MEMBERS, stripes=MEMBERS, prints=MEMBERS, ribbon={"ymcko": MEMBERS}
    )


def test_an_outcome_is_on_record_before_the_card_moves(bench: Bench) -> None:
    machine = machine_with(bench, 1)

    def killed(what: str, action: Act) -> object:
        if what == "give output":
            raise Killed
        return action()

    machine.around = killed
    with pytest.raises(Killed):
        run(bench, machine)
    assert (bench.accounts.verified, account(bench).inside) == (1, 1)
    machine.around = lambda what, action: action()
    result = run(bench, machine)
    assert result.counts == {CardOutcome.KNOWN: 1}
    assert (account(bench).output, account(bench).inside, len(machine.bins[OUTPUT])) == (1, 0, 1)


def test_a_feeder_that_is_empty_is_named_and_ends_the_lane(bench: Bench) -> None:
    machine, events = machine_with(bench, 2), list[LaneEvent]()
    result = run_for(bench, machine, 0.05, events.append)
    assert (result.code, result.fault, result.counts) == ("no-blanks", False, {CardOutcome.VERIFIED: 2})
    assert "machine-feeder-empty" in waits(events)


def test_a_feeder_that_is_filled_again_goes_on(bench: Bench) -> None:
    machine = machine_with(bench, 2)

    def fill(event: LaneEvent) -> None:
        if event.reason.code == "machine-feeder-empty" and len(machine.bins[OUTPUT]) == 2:
            machine.feeder.extend(Blank(bench.chip()) for _ in range(MEMBERS - 2))

    result = run_for(bench, machine, PATIENCE, fill)
    assert (result.code, bench.accounts.verified) == ("batch-done", MEMBERS)


# --- rejects in every place -------------------------------------------------------------------------------------------


def test_a_dead_chip_goes_to_the_reject_bin_and_is_counted_once_though_the_line_dies(bench: Bench) -> None:
    machine = machine_with(bench, MEMBERS)
    machine.feeder[0].mute = True
    Scheme(machine, give_reject=[Killed(), Killed()])
    for _ in range(2):
        with pytest.raises(Killed):
            run(bench, machine)
    result = run(bench, machine)
    assert result.counts[CardOutcome.REJECTED] == 1
    (reject,) = bench.registry.line.rejects(bench.batch)
    assert (reject.bin, len(machine.bins[REJECT])) == ("1 contact", 1)
    check_bins(bench, machine)


def test_a_stripe_that_reads_back_otherwise_rejects_its_card(bench: Bench) -> None:
    machine = machine_with(bench, MEMBERS + 1)
    bad = machine.feeder[0]

    def forgets(what: str, action: Act) -> object:
        return StripeTracks(track2="7") if what == "read stripe" and machine.inside is bad else action()

    machine.around = forgets
    result = run(bench, machine)
    assert result.counts == {CardOutcome.REJECTED: 1, CardOutcome.VERIFIED: MEMBERS}
    (reject,) = bench.registry.line.rejects(bench.batch)
    assert (reject.code, reject.step, reject.bin) == ("machine-stripe-differs", "stripe", "5 body")
    assert machine.done.count("write stripe") == MEMBERS + 2, "a stripe is tried twice"
    assert (machine.bins[REJECT], bad.faces) == ([bad], [])
    check_bins(bench, machine)


@pytest.mark.parametrize(("code", "tries"), [("STRIPE_WRITE", 2), ("STRIPE_READ", 2)])
def test_a_stripe_fault_that_does_not_come_back_costs_no_card(bench: Bench, code: str, tries: int) -> None:
    machine = machine_with(bench, 1)
    Scheme(machine, **{code.removeprefix("STRIPE_").lower() + "_stripe": [fault(MachineFaultCode[code])]})
    assert run(bench, machine).counts == {CardOutcome.VERIFIED: 1}
    assert account(bench).stripes == 1
    check_bins(bench, machine)


def test_a_ribbon_that_is_out_before_the_print_costs_no_card(bench: Bench) -> None:
    machine, events = machine_with(bench, MEMBERS), list[LaneEvent]()
    machine.state = replace(machine.state, ribbon=Supply.EMPTY)

    def change_ribbon(event: LaneEvent) -> None:
        events.append(event)
        if event.reason.code == "machine-ribbon":
            assert not machine.bins[OUTPUT]
            machine.state = replace(machine.state, ribbon=Supply.ENOUGH)

    result = run(bench, machine, on_event=change_ribbon)
    assert (result.code, result.counts) == ("batch-done", {CardOutcome.VERIFIED: MEMBERS})
    assert waits(events) == ["machine-ribbon"]
    check_bins(bench, machine)


def test_a_fault_before_the_first_panel_lets_the_same_card_go_on(bench: Bench) -> None:
    machine = machine_with(bench, 1)
    Scheme(machine, print=[fault(MachineFaultCode.COVER), fault(MachineFaultCode.RIBBON)])
    result = run(bench, machine)
    assert result.counts == {CardOutcome.VERIFIED: 1}
    assert (account(bench).prints, account(bench).ribbon) == (1, {"ymcko": 1})
    check_bins(bench, machine)


@pytest.mark.parametrize("code", [MachineFaultCode.RIBBON, MachineFaultCode.POWER, MachineFaultCode.LINK])
def test_a_print_that_may_have_begun_rejects_its_card(bench: Bench, code: MachineFaultCode) -> None:
    """After a fault of the link nobody knows; after another one the driver does."""
    machine = machine_with(bench, MEMBERS + 1)
    first = machine.feeder[0]
    Scheme(machine, print=[fault(code, spoiled=code is MachineFaultCode.RIBBON)])
    result = run(bench, machine)
    assert result.counts == {CardOutcome.REJECTED: 1, CardOutcome.VERIFIED: MEMBERS}
    (reject,) = bench.registry.line.rejects(bench.batch)
    assert (reject.code, reject.step, reject.bin, reject.chip_serial) == (
        *("half-printed", "print", "5 body"),
        first.serial,
    )
    assert account(bench).prints == MEMBERS + 1, "its ribbon is used"
    check_bins(bench, machine)


@pytest.mark.parametrize("cleared", [False, True])
def test_a_ribbon_that_ends_in_a_print_costs_no_second_card(bench: Bench, cleared: bool) -> None:
    """Without a sensor nothing but the next print would show whether there is a new one: a person says so."""
    machine, events = machine_with(bench, MEMBERS + 1), list[LaneEvent]()
    machine.state = replace(machine.state, ribbon=Supply.UNKNOWN)
    ribbon = [False]

    def ends(what: str, action: Act) -> object:
        if what == "print" and machine.bins[OUTPUT] and not ribbon[0]:
            raise fault(MachineFaultCode.RIBBON, spoiled=True)
        return action()

    def change_ribbon(event: LaneEvent) -> None:
        events.append(event)
        if cleared and [e.reason.code for e in events].count("machine-ribbon") == 3:
            ribbon[0] = True
            line.clear()

    machine.around = ends
    idle = PATIENCE if cleared else 0.1
    line = bench.line(job=job_of(bench), idle=idle, on_event=change_ribbon)
    (result,) = line.run([MachineReader(machine)])
    assert result.counts == {CardOutcome.VERIFIED: MEMBERS if cleared else 1, CardOutcome.REJECTED: 1}
    assert (result.code, result.fault) == (("batch-done", False) if cleared else ("machine-ribbon", True))
    assert waits(events) == ["machine-ribbon"]
    assert (len(machine.feeder), len(machine.bins[REJECT])) == (0 if cleared else MEMBERS - 1, 1)


def test_a_ribbon_that_a_sensor_sees_is_waited_for_after_a_print_too(bench: Bench) -> None:
    machine, events = machine_with(bench, MEMBERS + 1), list[LaneEvent]()

    def ends(what: str, action: Act) -> object:
        if what == "print" and not events:
            machine.state = replace(machine.state, ribbon=Supply.EMPTY)
            raise fault(MachineFaultCode.RIBBON, spoiled=True)
        return action()

    def change_ribbon(event: LaneEvent) -> None:
        if event.reason.code == "machine-ribbon":
            events.append(event)
            assert (machine.inside, len(machine.bins[REJECT])) == (None, 1)
            machine.state = replace(machine.state, ribbon=Supply.UNKNOWN)  # As CUPS says of one that is well.

    machine.around = ends
    result = run(bench, machine, on_event=change_ribbon)
    assert result.counts == {CardOutcome.REJECTED: 1, CardOutcome.VERIFIED: MEMBERS}
    assert len(events) == 1
    check_bins(bench, machine)


@pytest.mark.parametrize("what", ["write stripe", "print"])
def test_a_link_that_is_lost_is_no_fault_of_the_chip(bench: Bench, what: str) -> None:
    """A stripe is written once the link is back; what was printed nobody knows."""
    machine, events = machine_with(bench, MEMBERS + 1), list[LaneEvent]()
    lost = ReaderFault("/dev/ttyUSB1 was lost")
    Scheme(machine, **{what.replace(" ", "_"): [lost] * (4 if what == "write stripe" else 1)})
    result = run(bench, machine, on_event=events.append, max_consecutive_failures=9)
    assert (result.code, bench.accounts.verified) == ("batch-done", MEMBERS)
    rejects = bench.registry.line.rejects(bench.batch)
    assert [(reject.code, reject.bin) for reject in rejects] == (
        [] if what != "print" else [("half-printed", "5 body")]
    )
    assert waits(events) == (["machine-link"] if what != "print" else [])
    check_bins(bench, machine)


class Unseeing(CountingMachine):
    """Has no sensor for the card, as some printers: without one inside, an order to the station feeds the next."""

    def to_chip(self) -> None:
        if self.inside is None:
            self.take(None)
        super().to_chip()


@pytest.mark.parametrize("dies", [False, True])
def test_a_card_that_left_without_an_answer_is_in_its_bin(bench: Bench, dies: bool) -> None:
    machine = Unseeing([Blank(bench.chip()) for _ in range(MEMBERS)])
    lost: list[str] = []

    def loses(what: str, action: Act) -> object:
        done = action()
        if what == "give output" and not lost:
            lost.append(what)
            machine._place = MachinePlace.UNKNOWN
            raise Killed if dies else fault(MachineFaultCode.NO_ANSWER)
        return done

    machine.around = loses
    if dies:
        with pytest.raises(Killed):
            run(bench, machine)
    result = run(bench, machine)
    assert (result.code, bench.accounts.verified) == ("batch-done", MEMBERS)
    assert account(bench).taken_out == 0
    check_bins(bench, machine)


def test_a_line_that_dies_in_a_print_does_not_print_the_card_again(bench: Bench) -> None:
    machine = machine_with(bench, MEMBERS + 1)
    first = machine.feeder[0]

    def dies(what: str, action: Act) -> object:
        if what == "print" and not first.faces:
            action()
            raise Killed
        return action()

    machine.around = dies
    with pytest.raises(Killed):
        run(bench, machine)
    result = run(bench, machine)
    assert result.counts == {CardOutcome.REJECTED: 1, CardOutcome.VERIFIED: MEMBERS}
    assert (machine.bins[REJECT], len(first.faces)) == ([first], 1)
    check_bins(bench, machine)
    again = next(card for card in bench.registry.cards.of_batch(bench.batch) if card.sequence == 2)
    assert again.card_number == first.faces[0].partition("-")[0], "its dossier was made again"


def printed_and_dead(bench: Bench, machine: CountingMachine) -> Blank:
    """A card whose print is on record as done, in a line that died before the card was verified."""
    wrapped_job = job_of(bench)
    card = machine.feeder[0]
    events: list[str] = []

    def dies(what: str, action: Act) -> object:
        if what == "print":
            action()
            events.append(what)
        return action() if what != "print" else None

    machine.around = dies

    def no_record(*given: object, **named: object) -> None:
        raise Killed

    with pytest.raises(Killed):
        run(bench, machine, replace(wrapped_job, registry=replaced(bench.registry, verified=no_record)))
    assert (events, bench.accounts.verified) == (["print"], 0)
    machine.around = lambda what, action: action()
    return card


def test_a_card_whose_print_is_on_record_goes_on_without_another(bench: Bench) -> None:
    machine = machine_with(bench, 1)
    card = printed_and_dead(bench, machine)
    assert run(bench, machine).counts == {CardOutcome.VERIFIED: 1}
    assert (machine.bins[OUTPUT], len(card.faces), machine.done.count("write stripe")) == ([card], 1, 1)
    check_bins(bench, machine)


def test_a_printed_card_whose_stripe_is_gone_is_rejected(bench: Bench) -> None:
    machine = machine_with(bench, MEMBERS + 1)
    card = printed_and_dead(bench, machine)

    def gone(what: str, action: Act) -> object:
        if what == "read stripe" and machine.inside is card:
            raise fault(MachineFaultCode.STRIPE_READ)
        return action()

    machine.around = gone
    result = run(bench, machine)
    assert result.counts == {CardOutcome.REJECTED: 1, CardOutcome.VERIFIED: MEMBERS}
    assert machine.bins[REJECT] == [card]
    check_bins(bench, machine)


def test_a_card_put_aside_goes_to_the_reject_bin_and_is_named(bench: Bench) -> None:
    machine, events = machine_with(bench, 1), list[LaneEvent]()
    other = issuer.prepared(bench.registry, 1, bench.directory, start=500, make=body_preparer)
    Scheme(machine, exchange=[None] * 12 + [Killed()])
    with pytest.raises(Killed):
        run(bench, machine, replace(job_of(bench), batch_id=other))
    result = run(bench, machine, on_event=events.append)
    assert result.counts == {CardOutcome.ASIDE: 1}
    assert [e.report.code for e in events if e.report] == ["other-batch"]
    assert (len(machine.bins[REJECT]), account(bench).reject) == (1, 1)


# --- faults of the machine --------------------------------------------------------------------------------------------


def test_a_full_reject_bin_makes_the_lane_wait_and_counts_its_card_once(bench: Bench) -> None:
    machine, events = machine_with(bench, MEMBERS + 2, room=1), list[LaneEvent]()
    machine.feeder[0].mute = machine.feeder[1].mute = True
    emptied: list[Blank] = []

    def empty_it(event: LaneEvent) -> None:
        events.append(event)
        if event.reason.code == "machine-reject-full":
            emptied.extend(machine.bins[REJECT])
            machine.bins[REJECT].clear()

    result = run(bench, machine, on_event=empty_it)
    assert (result.code, bench.accounts.verified) == ("batch-done", MEMBERS)
    assert waits(events) == ["machine-reject-full"]
    assert len(bench.registry.line.rejects(bench.batch)) == 2
    assert account(bench).reject == len(emptied) + len(machine.bins[REJECT]) == 2


def test_a_jam_at_the_exit_that_a_person_clears_is_no_card_of_a_bin(bench: Bench) -> None:
    machine = machine_with(bench, MEMBERS)
    hands: list[Blank] = []

    def jams(what: str, action: Act) -> object:
        if what == "give output" and not hands:
            hands.append(machine.take_out())
            raise fault(MachineFaultCode.JAM)
        return action()

    machine.around = jams
    result = run(bench, machine)
    assert (result.code, bench.accounts.verified) == ("batch-done", MEMBERS)
    one = account(bench)
    assert (one.output, one.taken_out, len(machine.bins[OUTPUT])) == (MEMBERS - 1, 1, MEMBERS - 1)


def test_power_that_fails_with_a_card_inside_costs_no_card(bench: Bench) -> None:
    machine = machine_with(bench, MEMBERS)
    left = [0]

    def fails(what: str, action: Act) -> object:
        left[0] += 1
        if left[0] in (3, 30, 90):
            machine.cut_power()
            raise fault(MachineFaultCode.POWER)
        return action()

    machine.around = fails
    result = run(bench, machine)
    assert (result.code, bench.accounts.verified, bench.registry.line.rejects(bench.batch)) == (
        *("batch-done", MEMBERS),
        [],
    )
    check_bins(bench, machine)


def test_a_card_that_jams_the_machine_every_time_stops_the_lane(bench: Bench) -> None:
    machine = machine_with(bench, 2)
    Scheme(machine, to_chip=[fault(MachineFaultCode.JAM)] * 2, exchange=[fault(MachineFaultCode.MOTOR)] * 20)
    result = run(bench, machine, max_consecutive_failures=4)
    assert (result.code, result.fault) == ("too-many", True)


def test_a_machine_whose_fault_no_sensor_shows_is_not_cleared_at_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "CLEAR_AFTER", 60.0)
    machine = machine_with(bench, 1)
    Scheme(machine, take=[fault(MachineFaultCode.JAM)])
    result = run_for(bench, machine, 0.05)
    assert (result.code, result.fault, result.params) == ("machine-jam", True, {"machine": "machine 1"})
    assert machine.done == []


# --- what a machine lacks ---------------------------------------------------------------------------------------------

LACKING = [
    ({"stripes": False}, "no-stripe-encoder"),
    ({"prints": False}, "no-face-printer"),
    ({"bins": frozenset({OUTPUT})}, "no-reject-bin"),
]


@pytest.mark.parametrize(("lacks", "code"), LACKING)
def test_a_machine_that_cannot_make_the_body_feeds_no_card(bench: Bench, lacks: dict[str, object], code: str) -> None:
    machine = machine_with(bench, 1)
    machine.abilities = MachineAbilities(**({"stripes": True, "prints": True} | lacks))  # type: ignore[arg-type]
    result = run(bench, machine)
    assert (result.code, result.fault, machine.done) == (code, True, [])
    assert "machine 1" in result.message


def test_a_station_without_designs_prints_nothing(bench: Bench) -> None:
    machine = machine_with(bench, 1)
    result = run(bench, machine, bench.job())
    assert (result.code, machine.done) == ("no-face-design", [])


def test_a_face_that_cannot_be_drawn_is_named_before_a_card_is_fed(bench: Bench) -> None:
    def drawn(dossier: Dossier) -> PrintedFace:
        raise FaceRefused(f"{dossier.card_number}: front name: no font of the design has U+4DAE")

    machine = machine_with(bench, 1)
    result = run(bench, machine, bench.job(render=drawn))
    assert (result.code, result.fault, machine.done) == ("face", True, [])
    assert result.message.endswith("front name: no font of the design has U+4DAE")


def test_a_body_that_is_to_come_from_elsewhere_is_none_of_the_lane_s(bench: Bench) -> None:
    machine = machine_with(bench, MEMBERS)
    machine.abilities = MachineAbilities()
    result = run(bench, machine, bench.job(body=BodyMaking.ELSEWHERE))
    assert result.counts == {CardOutcome.VERIFIED: MEMBERS}
    assert {what for what in machine.done if what != "take"} == {"to chip", "give output"}
