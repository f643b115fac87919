"""The checklist before a batch runs: each line is good, or says what to do, or is what a lane would refuse.

Nothing moves and no chip is changed. Cards whose supplies run out on the way are no refusal: lanes wait for a person.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from personalize.dossiers.dossier import Dossier
from personalize.errors import LineStopped, PersonalizeError, StationFault
from personalize.line.body import CardBody
from personalize.line.dates import refuse_wrong_dates, refuse_wrong_trust
from personalize.line.job import BodyMaking, FaceRenderer, Job, open_dossier
from personalize.machines.faults import REMEDIES, MachineFaultCode
from personalize.machines.protocols import CardMachine, MachineStatus, Supply
from personalize.machines.reader import machine_of
from personalize.profiles.profile import Profile
from personalize.reasons import Reason, reason_for
from terminal.apdu import Reader
from terminal.errors import MembercardError
from terminal.localtime import date_time
from terminal.member.trust import TrustList

SENTENCES: Final[dict[str, str]] = {
    "profile": "profile {profile}, digest {digest}",
    "profile-differs": "the cards were prepared with profile {prepared}, digest {before}, and the profile in use has "
    "{digest}: see that these cards are wanted",
    "nothing-waits": "no prepared card of this batch waits; only cards that were begun are finished",
    "design": "card design {design}, digest {digest}",
    "design-unpinned": "card design {design}; the profile pins no digest",
    "design-none": "nothing is printed on these cards",
    "design-elsewhere": "stripe and face are made elsewhere",
    "clock": "the clock says {now}, and the dates of the cards agree",
    "blanks": "{left} blanks in stock for {wanted} cards",
    "blanks-short": "{wanted} cards wait and {left} blanks are booked as left: book deliveries",
    "faces": "{count} faces checked: each has its photo, and its texts fit",
    "machine": "{lane}: ready",
    "reader": "{lane}: a reader without a machine",
    "feeder-low": "{lane}: few blanks are in the feeder: add some",
    "ribbon": "{lane}: ribbon {kind}, {prints} prints left",
    "ribbon-enough": "{lane}: ribbon {kind}, enough",
    "ribbon-low": "{lane}: little ribbon {kind} is left: have another one ready",
    "ribbon-short": "{lane}: {prints} prints are left on the ribbon, and {wanted} cards wait: have another one ready",
    "ribbon-unknown": "{lane}: the printer does not say how much ribbon is left: look",
    "reject-bin": "{lane}: the reject bin is not full",
    "reject-bin-unknown": "{lane}: the machine does not say how full its reject bin is: look",
}
"""The sentences of this list by code. Lines of lanes and machines have codes of personalize.reasons."""
MOST_FACES: Final = 500
"""Faces that are checked where a person waits for the list."""
_DIGEST: Final = 16
_FRONT: Final = "ribbon-left"


class CheckState(StrEnum):
    """What a line of the list means for the start."""

    GOOD = "good"
    LOOK = "look"
    """A person has to do something, now or soon; lanes may start."""
    REFUSED = "refused"
    """A lane would refuse."""


class CheckedThing(StrEnum):
    """What a line is about."""

    PROFILE = "profile"
    CLOCK = "clock"
    DESIGN = "design"
    FACES = "faces"
    BLANKS = "blanks"
    MACHINE = "machine"
    RIBBON = "ribbon"
    REJECT_BIN = "reject-bin"


@dataclass(frozen=True, slots=True)
class CheckLine:
    """One line. ``code`` and ``params`` give ``sentence`` in other languages: a code of SENTENCES, else one of
    personalize.reasons."""

    thing: CheckedThing
    state: CheckState
    code: str
    sentence: str
    params: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CheckedLane:
    """A lane that is to run. ``status`` is what its machine answered, None for none; ``fault`` the code of what it
    cannot do now."""

    name: str
    machine: CardMachine | None = None
    status: MachineStatus | None = None
    fault: str = ""


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What the list is made of. ``next_card`` is the dossier that the next new chip would get, prepared with the
    profile ``prepared`` of the digest ``prepared_digest``; ``waiting`` cards wait. ``faces`` counts the faces that were
    checked, None where none were; ``faces_fault`` is what is wrong with some."""

    profile: Profile
    trust: TrustList
    at: datetime
    dossier_days: int
    body: BodyMaking
    render: FaceRenderer | None
    next_card: Dossier | None = field(repr=False)
    prepared: str
    prepared_digest: str
    waiting: int
    blanks_left: int
    faces: int | None = None
    faces_fault: MembercardError | None = None


def facts_of(job: Job, most_faces: int = MOST_FACES) -> RunFacts:
    """The facts of a batch, with the faces of so many cards. Raises RegistryError, DossierError, CustodyError."""
    waiting = job.registry.dossiers.next_waiting(job.batch_id)
    dossier = None
    if waiting is not None:
        dossier = open_dossier(job.custody, waiting.card_number, waiting.sequence, waiting.sealed)
    faces, faces_fault = None, None
    if job.check_faces is not None and dossier is not None and dossier.face:
        try:
            faces = job.check_faces(most_faces)
        except PersonalizeError as fault:
            faces_fault = fault
    return RunFacts(
        profile=job.profile,
        trust=job.trust,
        at=job.now(),
        dossier_days=job.dossier_days,
        body=job.body,
        render=job.render,
        next_card=dossier,
        prepared=waiting.profile_name if waiting else "",
        prepared_digest=waiting.profile_digest if waiting else "",
        waiting=job.registry.batches.accounts(job.batch_id).waiting,
        blanks_left=max(0, job.registry.stock.accounts().left),
        faces=faces,
        faces_fault=faces_fault,
    )


def checked_lane(reader: Reader, name: str) -> CheckedLane:
    """A lane over an open reader, with the status of its machine now."""
    machine = machine_of(reader)
    if machine is None:
        return CheckedLane(name)
    try:
        return CheckedLane(name, machine, machine.status())
    except StationFault as fault:
        return CheckedLane(name, machine, fault=fault.code)


def checklist(facts: RunFacts, lanes: Sequence[CheckedLane]) -> tuple[CheckLine, ...]:
    """The list, in the order in which a person works through it."""
    return tuple(_lines(facts, lanes))


def refused(lines: Sequence[CheckLine]) -> CheckLine | None:
    """The first line that keeps lanes from starting."""
    return next((line for line in lines if line.state is CheckState.REFUSED), None)


def _lines(facts: RunFacts, lanes: Sequence[CheckedLane]) -> Iterator[CheckLine]:
    yield _profile(facts)
    yield _clock(facts)
    yield _design(facts)
    if facts.faces_fault is not None:
        yield _refused(CheckedThing.FACES, reason_for(facts.faces_fault))
    elif facts.faces:
        yield _line(CheckedThing.FACES, CheckState.GOOD, "faces", count=facts.faces)
    short = facts.blanks_left < facts.waiting
    state, code = (CheckState.LOOK, "blanks-short") if short else (CheckState.GOOD, "blanks")
    yield _line(CheckedThing.BLANKS, state, code, left=facts.blanks_left, wanted=facts.waiting)
    for lane in lanes:
        yield from _lane(facts, lane)


def _profile(facts: RunFacts) -> CheckLine:
    digest = facts.profile.digest[:_DIGEST]
    if facts.next_card is None:
        return _line(CheckedThing.PROFILE, CheckState.LOOK, "nothing-waits")
    if facts.prepared_digest != facts.profile.digest:
        before = facts.prepared_digest[:_DIGEST]
        values = {"prepared": facts.prepared, "before": before, "digest": digest}
        return _line(CheckedThing.PROFILE, CheckState.LOOK, "profile-differs", **values)
    return _line(CheckedThing.PROFILE, CheckState.GOOD, "profile", profile=facts.prepared, digest=digest)


def _clock(facts: RunFacts) -> CheckLine:
    try:
        refuse_wrong_trust(facts.trust, facts.at)
        if facts.next_card is not None:
            refuse_wrong_dates(facts.next_card, facts.at, facts.dossier_days)
    except LineStopped as fault:
        return _refused(CheckedThing.CLOCK, reason_for(fault))
    return _line(CheckedThing.CLOCK, CheckState.GOOD, "clock", now=date_time(facts.at))


def _design(facts: RunFacts) -> CheckLine:
    design, dossier = facts.profile.face, facts.next_card
    if facts.body is BodyMaking.ELSEWHERE:
        return _line(CheckedThing.DESIGN, CheckState.GOOD, "design-elsewhere")
    if dossier is None or not dossier.face:
        return _line(CheckedThing.DESIGN, CheckState.GOOD, "design-none")
    if facts.render is not None:
        try:
            facts.render(dossier)
        except MembercardError as fault:
            return _refused(CheckedThing.DESIGN, reason_for(fault))
    if design is None:  # its lanes refuse
        return _line(CheckedThing.DESIGN, CheckState.GOOD, "design-none")
    code = "design" if design.digest else "design-unpinned"
    return _line(CheckedThing.DESIGN, CheckState.GOOD, code, design=design.design, digest=design.digest[:_DIGEST])


def _lane(facts: RunFacts, lane: CheckedLane) -> Iterator[CheckLine]:
    body = CardBody(lane.machine, facts.render, facts.body)
    try:
        body.refuse_lacking(facts.next_card)
    except LineStopped as fault:
        yield _refused(CheckedThing.MACHINE, reason_for(fault))
        return
    if lane.machine is None:
        yield _line(CheckedThing.MACHINE, CheckState.GOOD, "reader", lane=lane.name)
        return
    if lane.fault:
        yield _fault(CheckedThing.MACHINE, lane, lane.fault)
    status = lane.status
    if status is None:
        if not lane.fault and lane.machine.abilities.feeds:
            yield _fault(CheckedThing.MACHINE, lane, MachineFaultCode.NO_ANSWER)
        elif not lane.fault:
            yield _line(CheckedThing.MACHINE, CheckState.GOOD, "reader", lane=lane.name)
        return
    reject = MachineFaultCode.REJECT_FULL if status.reject_full else ""
    empty = lane.machine.abilities.feeds and status.feeder is Supply.EMPTY
    if not lane.fault and empty:
        yield _fault(CheckedThing.MACHINE, lane, MachineFaultCode.FEEDER_EMPTY)
    elif not lane.fault and status.feeder is Supply.LOW:
        yield _line(CheckedThing.MACHINE, CheckState.LOOK, "feeder-low", lane=lane.name)
    elif not lane.fault:
        yield _line(CheckedThing.MACHINE, CheckState.GOOD, "machine", lane=lane.name)
    if lane.machine.abilities.prints and body.wanted and facts.next_card is not None and facts.next_card.face:
        yield _ribbon(facts, lane, status)
    if reject and lane.fault != reject:
        yield _fault(CheckedThing.REJECT_BIN, lane, reject)
    elif not reject and lane.machine.abilities.feeds:
        code = "reject-bin-unknown" if status.reject_full is None else "reject-bin"
        state = CheckState.LOOK if status.reject_full is None else CheckState.GOOD
        yield _line(CheckedThing.REJECT_BIN, state, code, lane=lane.name)


def _ribbon(facts: RunFacts, lane: CheckedLane, status: MachineStatus) -> CheckLine:
    kind, prints = status.ribbon_kind.upper(), status.counters.get(_FRONT)
    if status.ribbon is Supply.EMPTY:
        return _fault(CheckedThing.RIBBON, lane, MachineFaultCode.RIBBON)
    values = {"lane": lane.name, "kind": kind}
    if prints is not None:
        short = prints < facts.waiting
        state, code = (CheckState.LOOK, "ribbon-short") if short else (CheckState.GOOD, "ribbon")
        return _line(CheckedThing.RIBBON, state, code, **values, prints=prints, wanted=facts.waiting)
    if status.ribbon is Supply.UNKNOWN:
        return _line(CheckedThing.RIBBON, CheckState.LOOK, "ribbon-unknown", **values)
    low = status.ribbon is Supply.LOW
    state, code = (CheckState.LOOK, "ribbon-low") if low else (CheckState.GOOD, "ribbon-enough")
    return _line(CheckedThing.RIBBON, state, code, **values)


def _line(thing: CheckedThing, state: CheckState, code: str, **values: str | int) -> CheckLine:
    params = {name: f"{value:,}" if isinstance(value, int) else value for name, value in values.items()}
    return CheckLine(thing, state, code, SENTENCES[code].format(**params), params)


def _fault(thing: CheckedThing, lane: CheckedLane, code: str) -> CheckLine:
    """What a person does at a machine before or while its lane waits for it."""
    remedy = REMEDIES.get(MachineFaultCode(code), "")
    return CheckLine(thing, CheckState.LOOK, code, f"machine {lane.name}: {remedy}", {"machine": lane.name})


def _refused(thing: CheckedThing, reason: Reason) -> CheckLine:
    return CheckLine(thing, CheckState.REFUSED, reason.code, reason.sentence, reason.params)
