"""The checklist before a batch runs: what is good, what a person does, and what a lane would refuse."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from personalize.errors import DesignError, FaceRefused
from personalize.line.checklist import (
    SENTENCES,
    CheckedLane,
    CheckedThing,
    CheckLine,
    CheckState,
    RunFacts,
    checked_lane,
    checklist,
    facts_of,
    refused,
)
from personalize.line.job import BodyMaking
from personalize.machines.faults import MachineFault, MachineFaultCode
from personalize.machines.protocols import MachineBin, MachinePlace, MachineStatus, Supply
from personalize.machines.reader import MachineReader
from personalize.reasons import RejectCode
from tests.support.cards.card_bench import Bench, fast_directory
from tests.support.machines.machine import CountingMachine, body_preparer, plain_face

READY = MachineStatus(
    MachinePlace.NONE, feeder=Supply.ENOUGH, reject_full=False, ribbon=Supply.ENOUGH, ribbon_kind="ymcko"
)


@pytest.fixture(scope="module")
def facts() -> Iterator[RunFacts]:
    """Two cards with stripe and face wait, and no blank is booked."""
    with fast_directory() as directory:
        bench = Bench(directory, 2, make=body_preparer)
        yield facts_of(bench.job(render=plain_face))


def lane(status: MachineStatus | None = READY, fault: str = "", **abilities: object) -> CheckedLane:
    machine = CountingMachine()
    machine.abilities = replace(machine.abilities, **abilities)  # type: ignore[arg-type]
    return CheckedLane("lane 1", machine, status, fault)


def lines(facts: RunFacts, *lanes: CheckedLane) -> dict[CheckedThing, CheckLine]:
    """By what they are about; the last of each."""
    return {line.thing: line for line in checklist(facts, lanes)}


def one(facts: RunFacts, thing: CheckedThing, *lanes: CheckedLane) -> tuple[str, str]:
    line = lines(facts, *lanes)[thing]
    return line.state.value, line.code


def test_a_batch_on_a_ready_machine_is_good_in_every_line(facts: RunFacts) -> None:
    stocked = replace(facts, blanks_left=2, faces=2)
    listed = checklist(stocked, [lane()])
    assert [(line.thing.value, line.state.value, line.code) for line in listed] == [
        ("profile", "good", "profile"),
        ("clock", "good", "clock"),
        ("design", "good", "design-none"),
        ("faces", "good", "faces"),
        ("blanks", "good", "blanks"),
        ("machine", "good", "machine"),
        ("ribbon", "good", "ribbon-enough"),
        ("reject-bin", "good", "reject-bin"),
    ]
    assert refused(listed) is None
    assert listed[0].sentence == f"profile {facts.prepared}, digest {facts.profile.digest[:16]}"
    assert listed[4].params == {"left": "2", "wanted": "2"}


def test_what_a_person_does_does_not_keep_lanes_from_starting(facts: RunFacts) -> None:
    empty = lane(replace(READY, feeder=Supply.EMPTY, ribbon=Supply.EMPTY, reject_full=True))
    assert one(facts, CheckedThing.BLANKS) == ("look", "blanks-short")
    assert one(facts, CheckedThing.MACHINE, empty) == ("look", "machine-feeder-empty")
    assert one(facts, CheckedThing.RIBBON, empty) == ("look", "machine-ribbon")
    assert one(facts, CheckedThing.REJECT_BIN, empty) == ("look", "machine-reject-full")
    silent = lane(None, MachineFaultCode.NO_ANSWER)
    assert one(facts, CheckedThing.MACHINE, silent) == ("look", "machine-no-answer")
    assert CheckedThing.RIBBON not in lines(facts, silent)
    assert refused(checklist(facts, [empty, silent])) is None


@pytest.mark.parametrize(
    ("ribbon", "prints", "result"),
    [
        (Supply.LOW, None, ("look", "ribbon-low")),
        (Supply.UNKNOWN, None, ("look", "ribbon-unknown")),
        (Supply.LOW, 1, ("look", "ribbon-short")),
        (Supply.LOW, 2, ("good", "ribbon")),
    ],
)
def test_ribbon_is_held_against_the_cards(
    facts: RunFacts, ribbon: Supply, prints: int | None, result: tuple[str, str]
) -> None:
    counters = {} if prints is None else {"ribbon-left": prints}
    assert one(facts, CheckedThing.RIBBON, lane(replace(READY, ribbon=ribbon, counters=counters))) == result


def test_what_a_machine_does_not_say_is_looked_at(facts: RunFacts) -> None:
    quiet = lane(MachineStatus(MachinePlace.UNKNOWN))
    assert one(facts, CheckedThing.REJECT_BIN, quiet) == ("look", "reject-bin-unknown")
    assert one(facts, CheckedThing.MACHINE, lane(replace(READY, feeder=Supply.LOW))) == ("look", "feeder-low")


@pytest.mark.parametrize(
    ("abilities", "code"),
    [
        ({"prints": False}, RejectCode.NO_PRINTER),
        ({"stripes": False}, RejectCode.NO_ENCODER),
        ({"bins": frozenset({MachineBin.OUTPUT})}, RejectCode.NO_REJECT_BIN),
    ],
)
def test_a_machine_that_lacks_what_the_cards_need_is_refused(
    facts: RunFacts, abilities: dict[str, object], code: str
) -> None:
    assert one(facts, CheckedThing.MACHINE, lane(**abilities)) == ("refused", code)


def test_a_reader_without_a_machine_makes_chips_only(facts: RunFacts) -> None:
    assert one(facts, CheckedThing.MACHINE, CheckedLane("lane 1")) == ("refused", RejectCode.NO_ENCODER)
    elsewhere = replace(facts, body=BodyMaking.ELSEWHERE)
    assert one(elsewhere, CheckedThing.MACHINE, CheckedLane("lane 1")) == ("good", "reader")
    assert one(elsewhere, CheckedThing.DESIGN) == ("good", "design-elsewhere")


def test_a_wrong_clock_and_a_face_that_cannot_be_drawn_are_refused(facts: RunFacts) -> None:
    early = replace(facts, at=facts.at - timedelta(days=40))
    assert one(early, CheckedThing.CLOCK) == ("refused", "dates")
    assert one(replace(facts, at=facts.at + timedelta(days=400)), CheckedThing.CLOCK) == ("refused", "dates")

    def undrawn(dossier: object) -> object:
        raise DesignError("design.yaml:3: no such font")

    assert one(replace(facts, render=undrawn), CheckedThing.DESIGN) == ("refused", "face")  # type: ignore[arg-type]
    some = replace(facts, faces_fault=FaceRefused("card 1: front photo: the member has no photo", []))
    assert one(some, CheckedThing.FACES) == ("refused", "face")
    first = refused(checklist(some, [lane()]))
    assert first is not None
    assert "no photo" in first.sentence


def test_another_profile_and_a_batch_of_which_nothing_waits_are_looked_at(facts: RunFacts) -> None:
    assert one(replace(facts, prepared_digest="00" * 32), CheckedThing.PROFILE) == ("look", "profile-differs")
    assert one(replace(facts, next_card=None), CheckedThing.PROFILE) == ("look", "nothing-waits")


def test_the_status_of_an_open_machine_is_taken_and_its_fault_too() -> None:
    machine = CountingMachine()
    assert checked_lane(MachineReader(machine), "lane 1").status == machine.status()

    def failing() -> MachineStatus:
        raise MachineFault("machine 1", MachineFaultCode.POWER)

    machine.status = failing  # type: ignore[method-assign]
    assert checked_lane(MachineReader(machine), "lane 1").fault == "machine-power"
    assert checked_lane(machine.reader, "lane 1").machine is None  # type: ignore[arg-type]


def test_every_sentence_is_composed_from_its_parameters(facts: RunFacts) -> None:
    listed = checklist(facts, [lane(), lane(MachineStatus(MachinePlace.UNKNOWN))])
    own = [line for line in listed if line.code in SENTENCES]
    assert [line.sentence for line in own] == [SENTENCES[line.code].format(**line.params) for line in own]
    assert {line.state for line in listed} == {CheckState.GOOD, CheckState.LOOK}
